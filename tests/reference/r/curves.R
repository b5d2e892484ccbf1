# Curves and tests from R's survival package, as the authority for ours.
#
#   Rscript curves.R SET FOLDER OUT
#
# SET is "real" (FOLDER holds survival_*.csv, mstate_ebmt3.csv, KMsurv_bmt.csv) or "lifelines" (FOLDER holds the data
# sets of the Python package lifelines, each written to CSV). Three CSVs are written to OUT, with 17 digits. Long curves
# are thinned: `row` is the place of a row in its stratum and `rows` how many the stratum has.
suppressPackageStartupMessages(library(survival))
argument <- commandArgs(trailingOnly = TRUE)
set <- argument[1]
read <- function(name) read.csv(file.path(argument[2], paste0(name, ".csv")), stringsAsFactors = FALSE)
digits <- function(x) ifelse(is.na(x) | is.nan(x), "", sprintf("%.17g", as.numeric(x)))
curves <- incidences <- tests <- NULL

thinned <- function(n, keep) unique(c(seq(1, n, length.out = min(n, keep)) %/% 1, n))

by_stratum <- function(fit, columns, keep) {
  sizes <- if (is.null(fit$strata)) c("all=all" = length(fit$time)) else fit$strata
  end <- cumsum(sizes)
  rows <- NULL
  for (k in seq_along(sizes)) {
    at <- thinned(sizes[k], keep)
    frame <- columns[end[k] - sizes[k] + at, , drop = FALSE]
    rows <- rbind(rows, cbind(stratum = sub("^[^=]*=", "", names(sizes)[k]), row = at, rows = sizes[[k]], frame))
  }
  rows
}

km <- function(case, formula, data, keep = 15, ...) {
  fit <- do.call(survfit, list(formula, data = data, ..., robust = FALSE))
  columns <- data.frame(
    time = digits(fit$time), n_at_risk = digits(fit$n.risk), n_events = digits(fit$n.event),
    n_censored = digits(fit$n.censor), estimate = digits(fit$surv),
    standard_error = digits(fit$surv * fit$std.err), lower = digits(fit$lower), upper = digits(fit$upper)
  )
  curves <<- rbind(curves, cbind(case = case, by_stratum(fit, columns, keep)))
}

# with late entry R's standard error is the jackknife's, another estimator than ours: the curve alone is kept
cif <- function(case, formula, data, keep = 12, curve_only = FALSE, ...) {
  fit <- do.call(survfit, list(formula, data = data, ...))
  for (cause in 1:2) {
    own <- function(table) if (curve_only) "" else digits(table[, cause + 1])
    columns <- data.frame(
      cause = cause, time = digits(fit$time), n_at_risk = digits(fit$n.risk[, 1]),
      n_events = digits(fit$n.event[, cause + 1]), estimate = digits(fit$pstate[, cause + 1]),
      standard_error = own(fit$std.err), lower = own(fit$lower), upper = own(fit$upper)
    )
    incidences <<- rbind(incidences, cbind(case = case, by_stratum(fit, columns, keep)))
  }
}

compare <- function(case, formula, data) {
  for (rho in 0:1) {
    test <- survdiff(formula, data, rho = rho)
    freedom <- length(test$n) - 1
    tests <<- rbind(tests, data.frame(
      case = case, rho = rho, statistic = digits(test$chisq), degrees_of_freedom = freedom,
      p_value = digits(pchisq(test$chisq, freedom, lower.tail = FALSE)),
      groups = paste(sub("^[^=]*=", "", names(test$n)), collapse = "|"),
      observed = paste(digits(test$obs), collapse = "|"), expected = paste(digits(test$exp), collapse = "|")
    ))
  }
}

copies <- function(data, weight) data[rep(seq_len(nrow(data)), weight), ]

if (set == "real") {
  heart <- read("survival_heart")
  for (scale in c("log", "log-log", "plain")) {
    km(paste("heart entry", scale), Surv(start, stop, event) ~ 1, heart, conf.type = scale)
  }
  km("heart entry by transplant", Surv(start, stop, event) ~ transplant, heart)

  mgus2 <- read("survival_mgus2")
  mgus2$progressed <- ifelse(mgus2$pstat == 1, mgus2$ptime, mgus2$futime)
  mgus2$cause <- factor(ifelse(mgus2$pstat == 1, 1, 2 * mgus2$death), 0:2)
  mgus2$born <- 12 * mgus2$age
  for (scale in c("log", "log-log", "plain")) {
    km(paste("mgus2 by sex", scale), Surv(futime, death) ~ sex, mgus2, conf.type = scale)
    cif(paste("mgus2 by sex", scale), Surv(progressed, cause) ~ sex, mgus2, conf.type = scale)
  }
  km("mgus2 90 %", Surv(futime, death) ~ 1, mgus2, conf.int = 0.9)
  km("mgus2 age in months", Surv(born, born + futime, death) ~ sex, mgus2)
  compare("mgus2 by sex", Surv(futime, death) ~ sex, mgus2)

  flchain <- read("survival_flchain")
  flchain <- flchain[flchain$futime > 0, ]
  flchain$cause <- factor(ifelse(flchain$death == 0, 0, ifelse(flchain$chapter == "Circulatory", 1, 2)), 0:2)
  flchain$id <- seq_len(nrow(flchain))
  km("flchain age in days", Surv(365 * age, 365 * age + futime, death) ~ flc.grp, flchain, keep = 8)
  km("flchain age in years", Surv(age, age + futime / 365.25, death) ~ sex, flchain, keep = 25)
  cif("flchain by sex", Surv(futime, cause) ~ sex, flchain)
  cif("flchain age in days", Surv(365 * age, 365 * age + futime, cause) ~ 1, flchain, curve_only = TRUE, id = flchain$id)
  compare("flchain by flc.grp", Surv(futime, death) ~ flc.grp, flchain)

  ebmt3 <- read("mstate_ebmt3")
  ebmt3$first <- pmin(ebmt3$prtime, ebmt3$rfstime)
  ebmt3$cause <- factor(ifelse(ebmt3$prstat == 1 & ebmt3$prtime <= ebmt3$rfstime, 1, 2 * ebmt3$rfsstat), 0:2)
  km("ebmt3 by dissub", Surv(rfstime, rfsstat) ~ dissub, ebmt3)
  cif("ebmt3 by dissub", Surv(first, cause) ~ dissub, ebmt3)
  compare("ebmt3 by dissub", Surv(rfstime, rfsstat) ~ dissub, ebmt3)

  bmt <- read("KMsurv_bmt")
  bmt$cause <- factor(ifelse(bmt$d2 == 1, 1, 2 * bmt$d1), 0:2)
  km("bmt by group", Surv(t2, d3) ~ group, bmt, conf.type = "log-log")
  cif("bmt by group", Surv(t2, cause) ~ group, bmt)
  compare("bmt by group", Surv(t2, d3) ~ group, bmt)

  colon <- read("survival_colon")
  colon <- colon[colon$etype == 2 & !is.na(colon$nodes), ]
  colon$people <- 1 + colon$nodes %% 3
  km("colon by rx weighted", Surv(time, status) ~ rx, colon, weights = colon$people)
  compare("colon by rx", Surv(time, status) ~ rx, colon)
  compare("colon by rx weighted", Surv(time, status) ~ rx, copies(colon, colon$people))

  pbc <- read("survival_pbc")
  pbc$people <- 1 + pbc$stage %% 4
  pbc <- pbc[!is.na(pbc$people), ]
  pbc$cause <- factor(pbc$status, 0:2)
  cif("pbc by sex weighted", Surv(time, cause) ~ sex, copies(pbc, pbc$people))
} else {
  rossi <- read("rossi")
  rossi$people <- rossi$prio + 1
  rossi$cause <- factor(rossi$arrest * (1 + rossi$wexp), 0:2)
  km("rossi by race weighted", Surv(week, arrest) ~ race, rossi, weights = rossi$people)
  cif("rossi by race", Surv(week, cause) ~ race, rossi)
  cif("rossi by race weighted", Surv(week, cause) ~ race, copies(rossi, rossi$people))
  compare("rossi by race", Surv(week, arrest) ~ race, rossi)
  compare("rossi by race weighted", Surv(week, arrest) ~ race, copies(rossi, rossi$people))

  waltons <- read("waltons")
  for (scale in c("log", "log-log", "plain")) {
    km(paste("waltons by group", scale), Surv(T, E) ~ group, waltons, conf.type = scale)
  }
  compare("waltons by group", Surv(T, E) ~ group, waltons)

  larynx <- read("larynx")
  larynx$stage <- 1 + larynx$Stage_II + 2 * larynx$Stage_III + 3 * larynx$Stage_IV
  km("larynx by stage", Surv(time, death) ~ stage, larynx)
  compare("larynx by stage", Surv(time, death) ~ stage, larynx)

  lung <- read("lung")
  lung$cause <- factor(lung$status * ifelse(lung$age < 65, 1, 2), 0:2)
  km("lung by sex", Surv(time, status) ~ sex, lung, conf.type = "log-log")
  cif("lung by sex", Surv(time, cause) ~ sex, lung, conf.type = "log-log")
  compare("lung by sex", Surv(time, status) ~ sex, lung)

  aids <- read("multicenter_aids_cohort_study")
  km("aids entry", Surv(W, T, D) ~ 1, aids, keep = 40)

  heart <- read("stanford_heart_transplants")
  km("heart entry by transplant", Surv(start, stop, event) ~ transplant, heart)

  dd <- read("dd")
  dd$cause <- factor(dd$observed * ifelse(dd$democracy == "Democracy", 1, 2), 0:2)
  km("dd by regime", Surv(duration, observed) ~ regime, dd, conf.type = "plain")
  cif("dd by continent", Surv(duration, cause) ~ un_continent_name, dd)
  compare("dd by regime", Surv(duration, observed) ~ regime, dd)
}

save <- function(frame, name) {
  write.csv(frame, file.path(argument[3], paste0(name, "_", set, ".csv")), row.names = FALSE, quote = c(1, 2))
}
save(curves, "kaplan_meier")
save(incidences, "cumulative_incidence")
write.csv(tests, file.path(argument[3], paste0("logrank_", set, ".csv")), row.names = FALSE)
