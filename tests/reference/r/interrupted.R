# Errors of segmented regression under an AR(1) process, with noise of each month and without it, by nlme and by the moments of residuals.
# Rscript interrupted.R OUT
suppressPackageStartupMessages(library(nlme))
out <- commandArgs(trailingOnly = TRUE)[1]
rows <- list()
put <- function(case, quantity, value)
  rows[[length(rows) + 1]] <<- data.frame(case, quantity, term = seq_along(value), value = format(as.numeric(value), digits = 15, trim = TRUE))

# drivers killed or injured in Great Britain by month, before and after seat belts were compulsory; those behind as a control
s <- as.data.frame(Seatbelts)
s$index <- seq_len(nrow(s))
s$month <- (s$index - 1) %% 12 + 1
s$time <- (s$index - 170) / 12
s$after <- as.numeric(s$time >= 0)
for (k in 1:2) { s[[paste0("sine", k)]] <- sin(2 * pi * k * s$month / 12); s[[paste0("cosine", k)]] <- cos(2 * pi * k * s$month / 12) }
write.csv(s[c("index", "month", "time", "front", "rear", "kms")], file.path(out, "seatbelts.csv"), row.names = FALSE)
right <- "time + after + I(after * time) + sine1 + cosine1 + sine2 + cosine2"
n <- nrow(s)
correlation <- function(rho)
  if (rho == 0) diag(n) else corMatrix(Initialize(corAR1(rho, form = ~ index), data = s))

# the moments of least squares residuals whose errors have the variance noise I + v R, and the sandwich of that variance
of_moments <- function(case, x, r, noise) {
  m <- diag(n) - x %*% solve(crossprod(x)) %*% t(x)
  l <- rbind(cbind(0, diag(n - 1)), 0)
  trace <- function(a) sum(diag(a))
  squares <- sum(r^2) - noise * trace(m)
  products <- sum(r[-1] * r[-n]) - noise * trace(m %*% l %*% m)
  off <- function(rho) trace(m %*% l %*% m %*% correlation(rho)) / trace(m %*% correlation(rho)) - products / squares
  rho <- if (off(0) >= 0) 0 else uniroot(off, c(0, 0.95), tol = 1e-12)$root
  v <- squares / trace(m %*% correlation(rho))
  a <- solve(crossprod(x)) %*% t(x)
  put(case, "autocorrelation", rho)
  put(case, "variance", v)
  put(case, "error", sqrt(diag(a %*% (noise * diag(n) + v * correlation(rho)) %*% t(a))))
}

exact <- glm.control(epsilon = 1e-14, maxit = 100)
fits <- list()
for (series in c("front", "rear")) {
  s$logged <- log(s[[series]] / s$kms)
  straight <- lm(as.formula(paste("logged ~", right)), data = s)
  put(series, "logged residuals", resid(straight))
  of_moments(paste(series, "logged"), model.matrix(straight), resid(straight), 0)
  fit <- gls(as.formula(paste("logged ~", right)), data = s, correlation = corAR1(form = ~ index), method = "REML")
  put(paste(series, "gls"), "autocorrelation", coef(fit$modelStruct$corStruct, unconstrained = FALSE))
  put(paste(series, "gls"), "error", sqrt(diag(vcov(fit))))
  counted <- glm(as.formula(paste(series, "~", right, "+ offset(log(kms))")), family = poisson, data = s, control = exact)
  fits[[series]] <- counted
  of_moments(series, model.matrix(counted) * sqrt(fitted(counted)), resid(counted, "pearson"), 1)
}
# the log ratio of both: working residuals of the one less those of the other, by the inverse of their Poisson variance
w <- 1 / (1 / fitted(fits$front) + 1 / fitted(fits$rear))
ratio <- resid(fits$front, "working") - resid(fits$rear, "working")
x <- model.matrix(fits$front)
of_moments("difference", x * sqrt(w), resid(lm.wfit(x, ratio, w)) * sqrt(w), 1)
write.csv(do.call(rbind, rows), file.path(out, "interrupted.csv"), row.names = FALSE, quote = FALSE)
