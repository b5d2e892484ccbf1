# Curves of people who have several rows, with the variance by person, by R's survival.
#
#   Rscript by_person.R FOLDER OUT
#
# FOLDER holds survival_bladder.csv and readmission.csv. One CSV is written to OUT, with 17 digits, by the package survival
# (3.5-3): case, stratum, time, estimate, standard_error, lower, upper; every twentieth time.
#
# Of competing causes survfit of that version leaves cluster= aside: it is summed by person here, over the influence of each row
# that survfit gives.
suppressPackageStartupMessages(library(survival))
argument <- commandArgs(trailingOnly = TRUE)
read <- function(name) read.csv(file.path(argument[1], paste0(name, ".csv")), stringsAsFactors = FALSE)
digits <- function(x) ifelse(is.na(x) | is.nan(x), "", sprintf("%.17g", as.numeric(x)))
rows <- NULL
add <- function(case, stratum, time, estimate, error, lower, upper) {
  at <- seq(1, length(time), by = 20)
  rows <<- rbind(rows, data.frame(case = case, stratum = stratum, time = digits(time), estimate = digits(estimate),
    standard_error = digits(error), lower = digits(lower), upper = digits(upper))[at, ])
}
km <- function(case, formula, data, ...) {
  fit <- do.call(survfit, list(formula, data = data, cluster = data$id, robust = TRUE, ...))
  stratum <- if (is.null(fit$strata)) rep("", length(fit$time)) else rep(sub("^[^=]*=", "", names(fit$strata)), fit$strata)
  add(case, stratum, fit$time, fit$surv, fit$std.err, fit$lower, fit$upper)
}
cif <- function(case, formula, data) {
  fit <- survfit(formula, data, id = row, influence = 1)
  for (cause in 1:2) {
    own <- rowsum(fit$influence.pstate[, -1, cause + 1], data$id) # a row a person, a column a time
    error <- sqrt(colSums(own^2))
    share <- fit$pstate[, cause + 1]
    wide <- qnorm(0.975) * ifelse(share > 0, error / share, NA)
    add(paste(case, cause), "", fit$time, share, error, share * exp(-wide), pmin(share * exp(wide), 1))
  }
}

# four rows a person, of a first, second, third and fourth recurrence
bladder <- read("survival_bladder")
km("bladder", Surv(stop, event) ~ 1, bladder)
km("bladder by rx log-log", Surv(stop, event) ~ rx, bladder, conf.type = "log-log")

# from each discharge to the next admission or death; and the same on one clock, with late entry
admitted <- read("readmission")
admitted$cause <- factor(ifelse(admitted$event == 1, 1, 2 * admitted$death), 0:2)
admitted$row <- seq_len(nrow(admitted))
later <- admitted[admitted$t.stop > admitted$t.start, ]
km("readmission by sex", Surv(time, event) ~ sex, admitted)
km("readmission entry plain", Surv(t.start, t.stop, event) ~ 1, later, conf.type = "plain")
cif("readmission cause", Surv(time, cause) ~ 1, admitted)
cif("readmission entry cause", Surv(t.start, t.stop, cause) ~ 1, later)
write.csv(rows, file.path(argument[2], "by_person.csv"), row.names = FALSE)
