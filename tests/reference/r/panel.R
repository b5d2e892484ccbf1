# Differences between two groups by period with an indicator for each row, clustered by person; segmented regression of series.
# Rscript panel.R OUT
suppressPackageStartupMessages({library(sandwich); library(MASS)})
out <- commandArgs(trailingOnly = TRUE)[1]
rows <- list()
put <- function(case, quantity, term, value)
  rows[[length(rows) + 1]] <<- data.frame(case, quantity, term, value = format(as.numeric(value), digits = 15, trim = TRUE))

# seizures of 59 people with epilepsy in eight weeks before treatment and four fortnights after; some fortnights cut short, or not
# observed; two neighbours stand for the rows of one person
e <- MASS::epil
long <- rbind(
  data.frame(subject = e$subject, trt = e$trt, period = e$period, y = e$y, days = 14),
  data.frame(subject = unique(e$subject), trt = e$trt[e$period == 1], period = 0, y = e$base[e$period == 1], days = 56)
)
long$days <- long$days - (long$subject * 7 + long$period * 3) %% 5
long <- long[!((long$subject + long$period) %% 11 == 0 & long$period > 1), ]
long$w <- 1 + (long$subject %% 3) / 2
long$person <- long$subject %/% 2
long$treated <- as.numeric(long$trt == "progabide")
write.csv(long[c("subject", "person", "treated", "period", "y", "days", "w")], file.path(out, "epil.csv"), row.names = FALSE)
# a row without an event has no effect of its own that is finite, and tells nothing of the others
counted <- long[ave(long$y, long$subject, FUN = sum) > 0, ]
exact <- glm.control(epsilon = 1e-14, maxit = 100)
for (case in c("event study", "before and after")) {
  of <- function(d) {
    d$at <- factor(if (case == "event study") d$period else as.numeric(d$period > 0))
    d <- d[order(d$subject, d$period), ]
    if (case != "event study") d <- aggregate(cbind(y, days) ~ subject + person + treated + w + at, d, sum)
    later <- levels(d$at)[-1]
    for (k in later) d[[paste0("d", k)]] <- d$treated * (d$at == k)
    d
  }
  d <- of(counted)
  terms <- grep("^d[0-9]", names(d), value = TRUE)
  fit <- glm(reformulate(c("factor(subject)", "at", terms, "offset(log(days))"), "y"), family = poisson, data = d, weights = w,
             control = exact)
  v <- vcovCL(fit, cluster = d$person, type = "HC0", cadjust = FALSE)
  for (k in terms) { put(case, "poisson", k, coef(fit)[k]); put(case, "poisson error", k, sqrt(v[k, k])) }
  for (j in terms) for (k in terms) put(case, "poisson covariance", paste(j, k), v[j, k])
  d <- of(long)
  d$rate <- d$y / d$days
  d$both <- d$w * d$days
  fit <- lm(reformulate(c("factor(subject)", "at", terms), "rate"), data = d, weights = both)
  v <- vcovCL(fit, cluster = d$person, type = "HC0", cadjust = FALSE)
  for (k in terms) { put(case, "linear", k, coef(fit)[k]); put(case, "linear error", k, sqrt(v[k, k])) }
}

# drivers killed or injured in Great Britain by month, before and after seat belts were compulsory; those behind as a control
s <- as.data.frame(Seatbelts)
s$index <- seq_len(nrow(s))
s$month <- (s$index - 1) %% 12 + 1
s$time <- (s$index - 170) / 12
s$after <- as.numeric(s$time >= 0)
for (k in 1:2) { s[[paste0("sine", k)]] <- sin(2 * pi * k * s$month / 12); s[[paste0("cosine", k)]] <- cos(2 * pi * k * s$month / 12) }
write.csv(s[c("index", "month", "time", "drivers", "front", "rear", "kms")], file.path(out, "seatbelts.csv"), row.names = FALSE)
right <- "time + after + after:time + sine1 + cosine1 + sine2 + cosine2 + offset(log(kms))"
right <- gsub("after:time", "I(after * time)", right, fixed = TRUE)
fits <- list()
for (series in c("front", "rear")) {
  fit <- glm(as.formula(paste(series, "~", right)), family = poisson, data = s, control = exact)
  fits[[series]] <- fit
  v <- NeweyWest(fit, lag = 4, prewhite = FALSE, adjust = FALSE)
  quasi <- summary(glm(as.formula(paste(series, "~", right)), family = quasipoisson, data = s, control = exact))
  for (k in seq_along(coef(fit))) {
    put(series, "estimate", k, coef(fit)[k])
    put(series, "newey west", k, sqrt(v[k, k]))
    put(series, "quasi poisson", k, quasi$coefficients[k, 2])
  }
  put(series, "dispersion", 1, quasi$dispersion)
}
# the difference of both: what each month adds to the one less what it adds to the other
influence <- function(fit) estfun(fit) %*% bread(fit) / nobs(fit)
d <- influence(fits$front) - influence(fits$rear)
n <- nrow(d)
for (k in 1:8) {
  mean_of <- lm(d[, k] ~ 1)
  put("difference", "estimate", k, coef(fits$front)[k] - coef(fits$rear)[k])
  put("difference", "newey west", k, n * sqrt(NeweyWest(mean_of, lag = 4, prewhite = FALSE, adjust = FALSE)[1, 1]))
}
# power of Wald tests
put("power", "noncentrality", 1, uniroot(function(l) pchisq(qchisq(0.95, 1), 1, l, lower.tail = FALSE) - 0.8, c(0.1, 100), tol = 1e-12)$root)
put("power", "noncentrality", 3, uniroot(function(l) pchisq(qchisq(0.95, 3), 3, l, lower.tail = FALSE) - 0.8, c(0.1, 100), tol = 1e-12)$root)
write.csv(do.call(rbind, rows), file.path(out, "panel.csv"), row.names = FALSE, quote = FALSE)
