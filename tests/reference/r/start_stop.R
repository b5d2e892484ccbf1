# Covariates that change, late entry into a subdistribution, and recurrent events of several groups, by R.
#
#   Rscript start_stop.R FOLDER OUT
#
# FOLDER holds survival_heart.csv, survival_cgd.csv and survival_mgus2.csv. One CSV is written to OUT, with 17 digits, by the
# package survival (3.5-3): case, quantity, term, value.
suppressPackageStartupMessages(library(survival))
argument <- commandArgs(trailingOnly = TRUE)
read <- function(name) read.csv(file.path(argument[1], paste0(name, ".csv")), stringsAsFactors = FALSE)
digits <- function(x) ifelse(is.na(x) | is.nan(x), "", sprintf("%.17g", as.numeric(x)))
rows <- NULL
add <- function(case, quantity, term, value)
  rows <<- rbind(rows, data.frame(case = case, quantity = quantity, term = term, value = digits(value)))
exact <- coxph.control(eps = 1e-14, iter.max = 100)
model <- function(case, fit) {
  add(case, "estimate", names(coef(fit)), coef(fit))
  add(case, "standard_error", names(coef(fit)), sqrt(diag(vcov(fit))))
}

# transplant changes while people wait; robust to several rows a person
heart <- read("survival_heart")
for (ties in c("efron", "breslow")) model(paste("heart", ties),
  coxph(Surv(start, stop, event) ~ age + surgery + transplant, heart, cluster = id, ties = ties, control = exact))
add("heart", "people", c("all", "transplant 1"), c(length(unique(heart$id)), length(unique(heart$id[heart$transplant == 1]))))

# several infections a person (Andersen and Gill), within strata
cgd <- read("survival_cgd")
cgd$treated <- as.integer(cgd$treat == "rIFN-g")
model("cgd", coxph(Surv(tstart, tstop, status) ~ treated + age + strata(sex), cgd, cluster = id, control = exact))

# people enter at their age when the condition was found, in months
mgus2 <- read("survival_mgus2")
mgus2$progressed <- ifelse(mgus2$pstat == 1, mgus2$ptime, mgus2$futime)
mgus2$cause <- factor(ifelse(mgus2$pstat == 1, 1, 2 * mgus2$death), 0:2)
mgus2$man <- as.integer(mgus2$sex == "M")
mgus2$born <- 12 * mgus2$age
mgus2$left <- mgus2$born + mgus2$progressed
mgus2 <- mgus2[!is.na(mgus2$hgb) & mgus2$born > 480, ]
for (own in 1:2) {
  long <- finegray(Surv(born, left, cause) ~ ., data = mgus2[, c("id", "born", "left", "cause", "man", "hgb")], id = mgus2$id, etype = own)
  for (ties in c("efron", "breslow")) model(paste("mgus2 by age", ties, own),
    coxph(Surv(fgstart, fgstop, fgstatus) ~ man + hgb, long, weights = fgwt, cluster = id, ties = ties, control = exact))
}
write.csv(rows, file.path(argument[2], "start_stop.csv"), row.names = FALSE)
