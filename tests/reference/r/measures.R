# Small statistics from R's stats package, as the authority for ours.
#
#   Rscript measures.R OUT
#
# One long CSV: measure, inputs (numbers joined by |), value; 17 digits.
argument <- commandArgs(trailingOnly = TRUE)
digits <- function(x) ifelse(is.nan(x) | is.na(x), "", sprintf("%.17g", x))
rows <- NULL
add <- function(measure, inputs, value) {
  rows <<- rbind(rows, data.frame(measure, inputs = paste(digits(inputs), collapse = "|"), value = digits(value)))
}

# Wilson's interval: prop.test without continuity correction
for (case in list(c(1, 4, 0.95), c(0, 10, 0.95), c(10, 10, 0.95), c(27, 114874, 0.95), c(57, 100, 0.9), c(3, 7, 0.99))) {
  limits <- suppressWarnings(prop.test(case[1], case[2], conf.level = case[3], correct = FALSE))$conf.int
  add("wilson_lower", case, limits[1])
  add("wilson_upper", case, limits[2])
}

# Pearson's chi-squared of a 2 x 2 table, without correction: both, first only, second only, neither
for (cells in list(c(12, 8, 5, 75), c(3, 17, 22, 158), c(400, 600, 300, 8700), c(1, 1, 1, 1))) {
  test <- suppressWarnings(chisq.test(matrix(cells, 2), correct = FALSE))
  add("chi_squared", cells, unname(test$statistic))
  add("chi_squared_p", cells, test$p.value)
}

# Benjamini-Hochberg; NA is no test
p <- c(0.01, 0.04, 0.03, 0.005, NA, 0.8, 0.04, 1e-12)
adjusted <- p.adjust(p, "BH")
for (k in seq_along(p)) add("benjamini_hochberg", k, adjusted[k])

# lower limit of the information component: both, expected, confidence
for (case in list(c(12, 3.4, 0.95), c(1, 3.2, 0.95), c(0, 2.5, 0.95), c(400, 70, 0.9))) {
  add("ic_lower", case, log2(qgamma((1 - case[3]) / 2, case[1] + 0.5, case[2] + 0.5)))
}

# tails of the hypergeometric distribution: both, first, second, all -> P(X > both), P(X = both), P(X < both)
for (case in list(c(12, 20, 17, 100), c(3, 20, 25, 200), c(60, 40000, 42000, 57000000), c(1, 2, 2, 4))) {
  k <- case[1]
  add("hypergeometric_above", case, phyper(k, case[2], case[4] - case[2], case[3], lower.tail = FALSE))
  add("hypergeometric_at", case, dhyper(k, case[2], case[4] - case[2], case[3]))
  add("hypergeometric_below", case, phyper(k - 1, case[2], case[4] - case[2], case[3]))
}
write.csv(rows, file.path(argument[1], "measures.csv"), row.names = FALSE)
