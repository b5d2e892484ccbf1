# Directly standardised cumulative incidence from R's survival, as the authority for ours.
#
#   Rscript standardised.R FOLDER OUT
#
# FOLDER holds survival_mgus2.csv and survival_colon.csv. One CSV is written to OUT, with 17 digits. In each stratum the
# Aalen-Johansen estimate and its standard error are survfit's; the weights and sums are written out here.
suppressPackageStartupMessages(library(survival))
argument <- commandArgs(trailingOnly = TRUE)
read <- function(name) read.csv(file.path(argument[1], paste0(name, ".csv")), stringsAsFactors = FALSE)
digits <- function(x) ifelse(is.na(x) | is.nan(x), "", sprintf("%.17g", as.numeric(x)))
rows <- NULL

# states: 0 = censored, 1 = the event of interest, 2 = another that competes
risk <- function(data, times) {
  found <- summary(survfit(Surv(time, factor(cause, 0:2)) ~ 1, data), times = times, extend = TRUE)
  data.frame(estimate = found$pstate[, 2], variance = found$std.err[, 2]^2)
}
standardised <- function(case, data, times) {
  share <- table(data$stratum) / nrow(data)
  groups <- sort(unique(data$group))
  both <- lapply(groups, function(g) {
    own <- lapply(names(share), function(s) risk(data[data$group == g & data$stratum == s, ], times))
    estimate <- Reduce(`+`, Map(function(w, one) w * one$estimate, share, own))
    variance <- Reduce(`+`, Map(function(w, one) w^2 * one$variance, share, own))
    crude <- risk(data[data$group == g, ], times)
    rows <<- rbind(rows, data.frame(case = case, group = g, time = times, estimate = digits(estimate),
      standard_error = digits(sqrt(variance)), lower = digits(estimate * exp(-qnorm(0.975) * sqrt(variance) / estimate)),
      upper = digits(estimate * exp(qnorm(0.975) * sqrt(variance) / estimate)), crude = digits(crude$estimate), statistic = "", p_value = ""))
    list(estimate = estimate, variance = variance)
  })
  for (k in seq_along(times)) {
    f <- sapply(both, function(one) one$estimate[k])
    contrast <- cbind(-1, diag(length(f) - 1))
    covariance <- contrast %*% diag(sapply(both, function(one) one$variance[k])) %*% t(contrast)
    statistic <- drop(t(contrast %*% f) %*% solve(covariance, contrast %*% f))
    rows <<- rbind(rows, data.frame(case = case, group = "all alike", time = times[k], estimate = "", standard_error = "", lower = "",
      upper = "", crude = "", statistic = digits(statistic), p_value = digits(pchisq(statistic, length(f) - 1, lower.tail = FALSE))))
  }
}

mgus2 <- read("survival_mgus2")
mgus2$time <- ifelse(mgus2$pstat == 1, mgus2$ptime, mgus2$futime)
mgus2$cause <- ifelse(mgus2$pstat == 1, 1, 2 * mgus2$death)
mgus2$group <- mgus2$sex
mgus2$stratum <- cut(mgus2$age, c(0, 64, 74, Inf), c("under 65", "65-74", "75+"))
standardised("mgus2", mgus2, c(24, 60, 120, 180))
mgus2$cause <- (3 - mgus2$cause) %% 3
standardised("mgus2 death", mgus2, c(24, 60, 120, 180))

colon <- read("survival_colon")
colon <- colon[colon$etype == 2, ]
colon$cause <- colon$status
colon$group <- colon$rx
colon$stratum <- interaction(colon$node4, colon$sex)
standardised("colon", colon, c(365, 1000, 2000))

write.csv(rows, file.path(argument[2], "standardised.csv"), row.names = FALSE, quote = TRUE)
