# Regression models from R's survival, cmprsk, MASS and stats, as the authority for ours.
#
#   Rscript regression.R FOLDER OUT
#
# FOLDER holds survival_colon.csv, survival_heart.csv, survival_mgus2.csv, survival_flchain.csv and readmission.csv.
# One CSV is written to OUT, with 17 digits: case, quantity, term, value.
suppressPackageStartupMessages({library(survival); library(cmprsk); library(MASS)})
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
  if (inherits(fit, "coxph")) {
    add(case, "log_likelihood", c("null", "model"), fit$loglik)
    add(case, "score", "all", fit$score)
    add(case, "wald", "all", fit$wald.test)
  }
  invisible(fit)
}
hazards <- function(case, fit) for (transform in c("km", "identity", "rank", "log")) {
  table <- cox.zph(fit, transform = transform)$table
  add(case, paste("zph", transform), rownames(table), table[, "chisq"])
  add(case, paste("zph degrees", transform), rownames(table), table[, "df"])
}
risk <- function(case, fit, profile, times) {
  found <- summary(survfit(fit, newdata = profile), times = times, extend = TRUE)
  for (name in c("surv", "lower", "upper")) add(case, paste("survfit", name), times, found[[name]])
}
copies <- function(data, weight) data[rep(seq_len(nrow(data)), weight), ]

colon <- read("survival_colon")
both <- colon[!is.na(colon$nodes), ]
both$rx <- relevel(factor(both$rx), "Obs")
colon <- both[both$etype == 2, ]
colon$people <- 1 + colon$nodes %% 3
colon$sampling <- 0.5 + colon$nodes %% 4 / 3
for (ties in c("efron", "breslow")) {
  case <- paste("colon", ties)
  fit <- model(case, coxph(Surv(time, status) ~ rx + age + sex + nodes, colon, ties = ties, control = exact))
  hazards(case, fit)
  risk(case, fit, data.frame(rx = "Lev", age = 60, sex = 1, nodes = 4), c(30, 365, 1000, 2000, 3000))
}
case <- "colon strata"
fit <- model(case, coxph(Surv(time, status) ~ age + sex + nodes + strata(rx), colon, control = exact))
hazards(case, fit)
risk(case, fit, data.frame(rx = "Lev", age = 60, sex = 1, nodes = 4), c(30, 365, 1000, 2000))
model("colon repeated", coxph(Surv(time, status) ~ rx + age + sex + nodes, copies(colon, colon$people), control = exact))
model("colon repeated sampling", coxph(Surv(time, status) ~ rx + age + sex + nodes, copies(colon, colon$people), weights = sampling,
      robust = TRUE, control = exact))
for (ties in c("efron", "breslow")) model(paste("colon sampling", ties),
  coxph(Surv(time, status) ~ rx + age + sex + nodes, colon, weights = sampling, robust = TRUE, ties = ties, control = exact))
model("colon cluster", coxph(Surv(time, status) ~ rx + node4 + strata(etype), both, cluster = id, control = exact))

heart <- read("survival_heart")
case <- "heart entry"
fit <- model(case, coxph(Surv(start, stop, event) ~ age + year + surgery + transplant, heart, control = exact))
hazards(case, fit)
risk(case, fit, data.frame(age = 2, year = 3, surgery = 0, transplant = 1), c(30, 180, 365, 900))
model("heart entry cluster", coxph(Surv(start, stop, event) ~ age + year + surgery + transplant, heart, cluster = id, control = exact))

flchain <- read("survival_flchain")
flchain <- flchain[flchain$futime > 0, ]
model("flchain entry", coxph(Surv(365 * age, 365 * age + futime, death) ~ sex + kappa + lambda, flchain, control = exact))

mgus2 <- read("survival_mgus2")
mgus2$progressed <- ifelse(mgus2$pstat == 1, mgus2$ptime, mgus2$futime)
mgus2$code <- ifelse(mgus2$pstat == 1, 1, 2 * mgus2$death)
mgus2$cause <- factor(mgus2$code, 0:2)
mgus2$man <- as.integer(mgus2$sex == "M")
for (own in 1:2) {
  model(paste("mgus2 cause", own), coxph(Surv(progressed, code == own) ~ age + man, mgus2, control = exact))
  long <- finegray(Surv(progressed, cause) ~ ., data = mgus2[, c("id", "progressed", "cause", "age", "man")], etype = own)
  for (ties in c("efron", "breslow")) model(paste("mgus2 fine-gray", ties, own),
    coxph(Surv(fgstart, fgstop, fgstatus) ~ age + man, long, weights = fgwt, cluster = id, ties = ties, control = exact))
  fit <- crr(mgus2$progressed, mgus2$code, mgus2[, c("age", "man")], failcode = own, gtol = 1e-12, maxiter = 100)
  add(paste("mgus2 crr", own), "estimate", c("age", "man"), fit$coef)
  add(paste("mgus2 crr", own), "standard_error", c("age", "man"), sqrt(diag(fit$var)))
}

flchain$years <- flchain$futime / 365.25
flchain$band <- cut(flchain$age, c(0, 60, 70, 80, 200), c("under 60", "60-69", "70-79", "80 and over"), right = FALSE)
tight <- glm.control(epsilon = 1e-15, maxit = 100)
fit <- model("flchain poisson", glm(death ~ band + sex + offset(log(years)), poisson, flchain, control = tight))
add("flchain poisson", "deviance", "all", deviance(fit))

read1 <- read("readmission")
person <- do.call(rbind, lapply(split(read1, read1$id), function(own)
  data.frame(id = own$id[1], events = sum(own$event), years = max(own$t.stop) / 365.25, chemo = own$chemo[1], sex = own$sex[1],
             dukes = own$dukes[1])))
person <- person[person$years > 0, ]
fit <- model("readmission poisson", glm(events ~ chemo + sex + dukes + offset(log(years)), poisson, person, control = tight))
add("readmission poisson", "deviance", "all", deviance(fit))
fit <- glm.nb(events ~ chemo + sex + dukes + offset(log(years)), person, control = glm.control(epsilon = 1e-13, maxit = 200))
model("readmission negative binomial", fit)
add("readmission negative binomial", "theta", "all", fit$theta)
add("readmission negative binomial", "theta_error", "all", fit$SE.theta)
add("readmission negative binomial", "log_likelihood", "model", fit$twologlik / 2)

for (family in c("weibull", "lognormal", "loglogistic")) {
  case <- paste("colon", family)
  fit <- survreg(Surv(time, status) ~ rx + age + sex + nodes, colon, dist = family, control = survreg.control(rel.tolerance = 1e-14, maxiter = 200))
  add(case, "estimate", names(coef(fit)), coef(fit))
  add(case, "standard_error", names(coef(fit)), sqrt(diag(vcov(fit)))[seq_along(coef(fit))])
  add(case, "scale", "all", fit$scale)
  add(case, "log_likelihood", c("null", "model"), fit$loglik)
  add(case, "aic", "all", AIC(fit))
}
write.csv(rows, file.path(argument[2], "regression.csv"), row.names = FALSE)
