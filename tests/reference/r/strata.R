# Two by two and 2 x 2 x 2 tables in 60 strata, empty and zero cells among them, and p values adjusted for their number.
#
#     Rscript strata.R out
#
# The tables are made by arithmetic on the stratum's number, so they are the same everywhere; they are written beside
# what R says of them.
out <- commandArgs(TRUE)[1]
options(digits = 17)
full <- function(x) ifelse(is.na(x), "NA", trimws(formatC(x, digits = 17, format = "g")))

# pairs: people with both, a alone, b alone, neither
s <- 1:60
both <- (s * 7) %% 5
first <- (s * 11) %% 13
second <- (s * s) %% 9
neither <- (s * 17) %% 83
first[s %% 10 == 3] <- 0
second[s %% 12 == 5] <- 0
neither[s %% 15 == 4] <- 0
for (cell in c("both", "first", "second", "neither")) {
  x <- get(cell); x[s %in% c(20, 40)] <- 0; assign(cell, x)   # strata without people
}
people <- both + first + second + neither
write.csv(data.frame(stratum = s, both, first, second, neither), file.path(out, "strata_cells.csv"), row.names = FALSE, quote = FALSE)

results <- data.frame(name = character(), value = character())
add <- function(name, value) results <<- rbind(results, data.frame(name = name, value = paste(full(value), collapse = "|")))

kept <- people > 1   # mantelhaen.test divides by N - 1; a stratum of one person adds nothing to its statistic
table3 <- array(rbind(both, second, first, neither)[, kept], c(2, 2, sum(kept)))
for (level in c(0.95, 0.9)) {
  fit <- mantelhaen.test(table3, correct = FALSE, conf.level = level)
  add(paste("mantelhaen interval", level), fit$conf.int)
}
add("mantelhaen odds ratio", fit$estimate)
add("mantelhaen statistic", fit$statistic)
exact <- mantelhaen.test(table3, exact = TRUE)
add("mantelhaen exact p", exact$p.value)
add("expected", sum((both + first) * (both + second) / pmax(people, 1)))

# mid-p of each stratum from Fisher's exact test: of the two tails, the smaller less half the table itself, twice
greater <- less <- numeric(60)
for (k in s) {
  m <- matrix(c(both[k], second[k], first[k], neither[k]), 2)
  greater[k] <- fisher.test(m, alternative = "greater")$p.value
  less[k] <- fisher.test(m, alternative = "less")$p.value
}
half <- dhyper(both, both + first, second + neither, both + second) / 2
add("mid-p", pmin(1, 2 * pmin(greater - half, less - half)))

p <- c(0.04, 0.001, NA, 0.04, 0.2, 1e-12, 0.9, 0.013, 1, 0.0005, 0.0125, NA)
add("p", p)
for (method in c("BH", "holm", "bonferroni")) add(paste("p.adjust", method), p.adjust(p, method))

# triads: cells in the order of R's arrays, the first condition running fastest
cells <- outer(s, 0:7, function(s, c) (s * (3 + 2 * c) + c * c) %% (5 + 3 * c))
cells[s %% 9 == 4, 1] <- 0
cells[s %% 11 == 6, 8] <- 0
cells[s %% 13 == 7, 4] <- 0
cells[c(20, 40), ] <- 0
colnames(cells) <- paste0("c", 0:7)
write.csv(data.frame(stratum = s, cells), file.path(out, "strata_triads.csv"), row.names = FALSE, quote = FALSE)
# where a zero leaves the fit at the edge, proportional fitting creeps towards it without end: those are marked
fitted <- rep(NA, 60); converged <- rep(1, 60)
for (k in s) if (sum(cells[k, ]) > 0) fitted[k] <- withCallingHandlers(
  loglin(array(cells[k, ], c(2, 2, 2)), list(c(1, 2), c(1, 3), c(2, 3)), fit = TRUE, eps = 1e-13, iter = 1e6, print = FALSE)$fit[2, 2, 2],
  warning = function(w) { converged[k] <<- 0; invokeRestart("muffleWarning") })
add("loglin no three-way", fitted)
add("loglin converged", converged)
# one large table without strata, four conditions, given all its triads
four <- array((1:16 * 37) %% 101 + 3, c(2, 2, 2, 2))
add("four cells", c(four))
add("loglin no four-way", loglin(four, combn(4, 3, simplify = FALSE), fit = TRUE, eps = 1e-13, iter = 1e6, print = FALSE)$fit[2, 2, 2, 2])
write.csv(results, file.path(out, "strata.csv"), row.names = FALSE, quote = FALSE)
