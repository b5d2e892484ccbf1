# Sun and Abraham's interaction-weighted estimator by regression with every indicator, omitting each practice in turn for its error.
# Rscript staggered.R OUT
out <- commandArgs(trailingOnly = TRUE)[1]
set.seed(2021)
# twelve practices and eight periods (from 0); it begins in period 2 at three, in 4 at four, in 5 at one, and not at four
began <- c(2, 2, 2, 4, 4, 4, 4, 5, NA, NA, NA, NA)
d <- expand.grid(practice = seq_along(began), period = 0:7)
d$start <- began[d$practice]
d$time <- round((200 + 30 * d$practice) * (1 + 0.03 * d$period * (d$practice %% 3 - 1)))
d$since <- ifelse(is.na(d$start), -1, d$period - d$start)  # the reference where it does not begin
d$events <- rpois(nrow(d), d$time * exp(-1 + 0.1 * sin(d$practice) + 0.05 * d$period + ifelse(d$since >= 0, 0.1 * (1 + d$since), 0)))
write.csv(d[c("practice", "period", "start", "time", "events")], file.path(out, "panel.csv"), row.names = FALSE)
relative <- c(-3, -2, 0, 1, 2)
exact <- glm.control(epsilon = 1e-14, maxit = 100)

estimate <- function(d, method) {
  d$cell <- ifelse(is.na(d$start) | d$since == -1, "reference", paste(d$start, d$since))
  cells <- setdiff(unique(d$cell), "reference")
  x <- model.matrix(~ factor(practice) + factor(period), d)
  x <- cbind(x, sapply(cells, function(k) as.numeric(d$cell == k)))
  # with a saturated start the period effects are those of practices without it, and each start keeps a reference of its own
  fit <- if (method == "poisson") glm.fit(x, d$events, offset = log(d$time), family = poisson(), control = exact)
         else lm.wfit(x, d$events / d$time, d$time)
  b <- coef(fit)[cells]
  starts <- sort(unique(na.omit(d$start)))
  share <- sapply(starts, function(s) sum(d$time[which(d$start == s & d$period == s - 1)]))
  sapply(relative, function(k) {
    name <- paste(starts, k)
    there <- name %in% cells
    sum(share[there] * b[name[there]]) / sum(share[there])
  })
}
rows <- list()
for (method in c("poisson", "linear")) {
  whole <- estimate(d, method)
  variance <- 0
  for (arm in list(which(is.na(began)), which(!is.na(began)))) {
    left <- sapply(arm, function(p) estimate(d[d$practice != p, ], method))
    variance <- variance + rowSums((left - whole)^2) * (length(arm) - 1) / length(arm)
  }
  rows[[method]] <- data.frame(method, relative, estimate = format(whole, digits = 15, trim = TRUE), error = format(sqrt(variance), digits = 15, trim = TRUE))
}
write.csv(do.call(rbind, rows), file.path(out, "staggered.csv"), row.names = FALSE, quote = FALSE)
