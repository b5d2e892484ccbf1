# Cumulative hazards, restricted means, weighted and stratified tests, Gray's test, competing risks and recurrent events.
#
#   Rscript nonparametric.R FOLDER OUT
#
# FOLDER holds survival_*.csv, KMsurv_bmt.csv, mstate_ebmt3.csv and readmission.csv. CSVs with 17 digits are written to
# OUT: nelson_aalen, restricted_mean and stratified by the package survival (3.5-3), comparisons by survMisc (0.5.6),
# gray by cmprsk (2.2-11), incidence_etm by etm (1.1.1), recurrent by mets (1.3.2).
suppressPackageStartupMessages({library(survival); library(survMisc); library(cmprsk); library(etm); library(mets)})
argument <- commandArgs(trailingOnly = TRUE)
read <- function(name) read.csv(file.path(argument[1], paste0(name, ".csv")), stringsAsFactors = FALSE)
digits <- function(x) ifelse(is.na(x) | is.nan(x), "", sprintf("%.17g", as.numeric(x)))
save <- function(frame, name) write.csv(frame, file.path(argument[2], paste0(name, ".csv")), row.names = FALSE)
level <- function(names) sub("^[^=]*=", "", names)

mgus2 <- read("survival_mgus2")
mgus2$progressed <- ifelse(mgus2$pstat == 1, mgus2$ptime, mgus2$futime)
mgus2$cause <- ifelse(mgus2$pstat == 1, 1, 2 * mgus2$death)
heart <- read("survival_heart")
bmt <- read("KMsurv_bmt")
bmt$cause <- ifelse(bmt$d2 == 1, 1, 2 * bmt$d1)
ebmt3 <- read("mstate_ebmt3")
ebmt3$first <- pmin(ebmt3$prtime, ebmt3$rfstime)
ebmt3$cause <- ifelse(ebmt3$prstat == 1 & ebmt3$prtime <= ebmt3$rfstime, 1, 2 * ebmt3$rfsstat)
pbc <- read("survival_pbc")
pbc$people <- 1 + pbc$stage %% 4
pbc <- pbc[!is.na(pbc$people), ]
pbc$cause <- pbc$status
colon <- read("survival_colon")
colon <- colon[colon$etype == 2 & !is.na(colon$nodes), ]
colon$people <- 1 + colon$nodes %% 3
copies <- function(data) data[rep(seq_len(nrow(data)), data$people), ]

# -- cumulative hazard: survfit(ctype = 1); with stype = 2 the survival limits are those of exp(-hazard)
hazards <- NULL
hazard <- function(case, formula, data, keep = 12, ...) {
  arguments <- list(formula, data = data, ctype = 1, stype = 2, robust = FALSE, ...)
  plain <- do.call(survfit, c(arguments, conf.type = "log"))
  turned <- do.call(survfit, c(arguments, conf.type = "log-log"))
  sizes <- if (is.null(plain$strata)) c("all=all" = length(plain$time)) else plain$strata
  end <- cumsum(sizes)
  for (k in seq_along(sizes)) {
    at <- unique(c(seq(1, sizes[k], length.out = min(sizes[k], keep)) %/% 1, sizes[k]))
    row <- end[k] - sizes[k] + at
    hazards <<- rbind(hazards, data.frame(
      case = case, stratum = level(names(sizes)[k]), row = at, rows = sizes[[k]], time = digits(plain$time[row]),
      n_at_risk = digits(plain$n.risk[row]), n_events = digits(plain$n.event[row]), estimate = digits(plain$cumhaz[row]),
      standard_error = digits(plain$std.chaz[row]), lower = digits(-log(turned$upper[row])),
      upper = digits(-log(turned$lower[row])), upper_plain = digits(-log(plain$lower[row]))
    ))
  }
}
hazard("mgus2 by sex", Surv(futime, death) ~ sex, mgus2)
hazard("heart entry by transplant", Surv(start, stop, event) ~ transplant, heart)
hazard("colon by rx weighted", Surv(time, status) ~ rx, colon, weights = colon$people)
save(hazards, "nelson_aalen")

# -- restricted mean: print(survfit, rmean = horizon)
means <- NULL
mean_until <- function(case, formula, data, horizon, ...) {
  fit <- do.call(survfit, list(formula, data = data, robust = FALSE, ...))
  table <- summary(fit, rmean = horizon)$table
  means <<- rbind(means, data.frame(case = case, horizon = horizon, stratum = level(rownames(table)),
    estimate = digits(table[, "rmean"]), standard_error = digits(table[, "se(rmean)"])))
}
for (horizon in c(60, 240)) mean_until("mgus2 by sex", Surv(futime, death) ~ sex, mgus2, horizon)
mean_until("bmt by group", Surv(t2, d3) ~ group, bmt, 1000)
mean_until("colon by rx weighted", Surv(time, status) ~ rx, colon, 1825, weights = colon$people)
save(means, "restricted_mean")

# -- survdiff with strata() and rho
stratified <- NULL
compare <- function(case, formula, data) for (rho in c(0, 1, 0.5)) {
  test <- survdiff(formula, data, rho = rho)
  freedom <- nrow(as.matrix(test$obs)) - 1
  stratified <<- rbind(stratified, data.frame(case = case, rho = rho, statistic = digits(test$chisq),
    degrees_of_freedom = freedom, p_value = digits(pchisq(test$chisq, freedom, lower.tail = FALSE)),
    observed = paste(digits(rowSums(as.matrix(test$obs))), collapse = "|"),
    expected = paste(digits(rowSums(as.matrix(test$exp))), collapse = "|")))
}
compare("mgus2 by sex stratified", Surv(futime, death) ~ sex + strata(age %/% 10), mgus2)
compare("bmt by group stratified", Surv(t2, d3) ~ group + strata(z10), bmt)
compare("colon by rx stratified", Surv(time, status) ~ rx + strata(sex, obstruct), colon)
compare("colon by rx weighted stratified", Surv(time, status) ~ rx + strata(sex, obstruct), copies(colon))
save(stratified, "logrank_stratified")

# -- comp(ten(...)): weights by their names, and the trend over scores 1, 2, ... of the groups as model.matrix orders them.
# Of two groups with tied events survMisc counts those of each group apart (mgus2 by sex: 9.6259, and survdiff 9.6655)
comparisons <- NULL
family <- function(case, formula, data) {
  table <- ten(formula, data = data)
  capture.output(comp(table, p = c(1, 0.5, 0), q = c(1, 2, 1)))  # which leaves its results on the table
  lrt <- as.data.frame(attr(table, "lrt"))
  trend <- attr(table, "tft")$tft
  comparisons <<- rbind(comparisons, data.frame(case = case, weights = lrt$W, statistic = digits(lrt$chiSq),
    trend = if (is.null(trend$Var)) "" else digits(trend$Q^2 / trend$Var)))
}
family("bmt by group", Surv(t2, d3) ~ group, bmt)
family("colon by rx", Surv(time, status) ~ rx, colon)
save(comparisons, "logrank_family")

# -- Gray's test
gray <- NULL
test_gray <- function(case, time, cause, group, strata, rho = 0) {
  arguments <- list(time, cause, group, rho = rho)
  if (!missing(strata)) arguments$strata <- strata
  tests <- do.call(cuminc, arguments)$Tests
  gray <<- rbind(gray, data.frame(case = case, rho = rho, cause = rownames(tests), statistic = digits(tests[, "stat"]),
    p_value = digits(tests[, "pv"]), degrees_of_freedom = tests[, "df"]))
}
for (rho in c(0, 1)) {
  test_gray("bmt by group", bmt$t2, bmt$cause, bmt$group, rho = rho)
  test_gray("mgus2 by sex", mgus2$progressed, mgus2$cause, mgus2$sex, rho = rho)
  test_gray("ebmt3 by dissub", ebmt3$first, ebmt3$cause, ebmt3$dissub, rho = rho)
}
test_gray("bmt by group stratified", bmt$t2, bmt$cause, bmt$group, bmt$z10)
test_gray("mgus2 by sex stratified", mgus2$progressed, mgus2$cause, mgus2$sex, mgus2$age %/% 10)
listed <- copies(pbc)
test_gray("pbc by sex weighted", listed$time, listed$cause, listed$sex)
save(gray, "gray")

# -- Aalen-Johansen and its Greenwood variance by etm: no ties between transitions are broken
incidences <- NULL
for (sex in c("F", "M")) {
  own <- mgus2[mgus2$sex == sex, ]
  fit <- etmCIF(Surv(progressed, cause != 0) ~ 1, data = own, etype = cause, failcode = 1)[[1]]
  for (k in 1:2) {
    at <- unique(round(seq(1, length(fit$time), length.out = 15)))
    incidences <- rbind(incidences, data.frame(case = "mgus2 by sex", stratum = sex, cause = k, time = digits(fit$time[at]),
      estimate = digits(trprob(fit, paste(0, k))[at]), standard_error = digits(sqrt(trcov(fit, paste(0, k))[at]))))
  }
}
save(incidences, "incidence_etm")

# -- recurrent events with death; times made distinct, because tied ones are taken in different orders
readmission <- read("readmission")
readmission <- readmission[order(readmission$id, readmission$t.stop), ]
distinct <- seq_len(nrow(readmission)) / (nrow(readmission) + 1)
readmission$end <- readmission$t.stop + distinct
readmission$begin <- ave(readmission$end, readmission$id, FUN = function(x) c(0, head(x, -1)))
recurrent <- NULL
for (chemo in c("NonTreated", "Treated")) {
  own <- readmission[readmission$chemo == chemo, ]
  admitted <- phreg(Surv(begin, end, event) ~ cluster(id), data = own)
  died <- phreg(Surv(begin, end, death) ~ cluster(id), data = own)
  fit <- recurrentMarginal(admitted, died)
  at <- unique(round(seq(1, length(fit$times), length.out = 25)))
  recurrent <- rbind(recurrent, data.frame(case = "readmission by chemo", stratum = chemo, time = digits(fit$times[at]),
    estimate = digits(fit$mu[at]), standard_error = digits(fit$se.mu[at])))
}
save(recurrent, "recurrent_mets")
