# Balance of MatchIt on lalonde, with its weights; the propensity score by glm.
# Rscript matching.R OUT
suppressPackageStartupMessages(library(MatchIt))
out <- commandArgs(trailingOnly = TRUE)[1]
data("lalonde", package = "MatchIt")
formula <- treat ~ age + educ + race + married + nodegree + re74 + re75
rows <- list()
put <- function(case, quantity, term, value)
  rows[[length(rows) + 1]] <<- data.frame(case, quantity, term, value = format(as.numeric(value), digits = 15, trim = TRUE))
for (case in c("with replacement", "without replacement")) {
  m <- matchit(formula, data = lalonde, method = "nearest", distance = "glm", replace = case == "with replacement")
  s <- summary(m)
  for (what in c("sum.all", "sum.matched")) for (column in c("Means Treated", "Means Control", "Std. Mean Diff.", "Var. Ratio"))
    for (term in rownames(s[[what]])) put(case, paste(what, column), term, s[[what]][term, column])
  for (k in seq_along(m$weights)) put(case, "weight", k, m$weights[k])
  for (k in seq_along(m$distance)) put(case, "distance", k, m$distance[k])
  if (case == "with replacement") for (k in rownames(m$match.matrix)) put(case, "control", match(k, rownames(lalonde)), match(m$match.matrix[k, 1], rownames(lalonde)))
}
write.csv(do.call(rbind, rows), file.path(out, "matching.csv"), row.names = FALSE, quote = FALSE)
lalonde$race <- as.character(lalonde$race)
write.csv(lalonde, file.path(out, "lalonde.csv"), row.names = FALSE, quote = FALSE)
