"""Regression models against R's survival, cmprsk, MASS and stats.

Every expected value is R's: `r/regression.R` wrote `expected/regression.csv` (R 4.2.2, survival 3.5-3, cmprsk 2.2-11, MASS
7.3-58) and holds the command of each case; both read the same real data sets, which lie beside the checkout.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import symphony_research as sr

EXPECTED = Path(__file__).parent / "expected" / "regression.csv"
EIGHT = 1e-8
c = pl.col


@cache
def table() -> pl.DataFrame:
    return pl.read_csv(EXPECTED, infer_schema=False).with_columns(c("value").cast(pl.Float64))


def of_r(case: str, quantity: str) -> dict[str, float]:
    rows = table().filter((c("case") == case) & (c("quantity") == quantity))
    assert rows.height, (case, quantity)
    return dict(rows.select("term", "value").iter_rows())


def agree(
    model: Any, case: str, *, rel: float = EIGHT, quantities: tuple[str, ...] = ("estimate", "standard_error")
) -> None:
    for quantity in quantities:
        theirs = [value for name, value in of_r(case, quantity).items() if name != "(Intercept)"]
        ours = (
            model.estimates.filter(c("variable") != "intercept")
            if "variable" in model.estimates.columns
            else model.estimates
        )
        assert ours[quantity].to_list() == pytest.approx(theirs, rel=rel), quantity


@pytest.fixture(scope="module")
def sets(prepared, real_table):
    both = prepared("real", "colon")  # skips where the data are absent
    every = real_table("survival_colon").filter(c("nodes").is_not_null())
    colon = every.filter(c("etype") == 2).with_columns(people=1 + c("nodes") % 3, sampling=0.5 + (c("nodes") % 4) / 3)
    assert colon.height == both.height
    mgus2 = prepared("real", "mgus2").with_columns(man=(c("sex") == "M").cast(pl.Int64))
    return {
        "both": every, "colon": colon, "heart": prepared("real", "heart"), "flchain": prepared("real", "flchain"),
        "mgus2": mgus2, "readmission": real_table("readmission"),
    }  # fmt: skip


COLON: dict[str, Any] = {
    "time": "time", "event": "status", "covariates": ["rx", "age", "sex", "nodes"], "reference": {"rx": "Obs"},
}  # fmt: skip
HEART: dict[str, Any] = {
    "time": "stop",
    "event": "event",
    "entry": "start",
    "covariates": ["age", "year", "surgery", "transplant"],
}
STRATA: dict[str, Any] = {"time": "time", "event": "status", "covariates": ["age", "sex", "nodes"], "strata": "rx"}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "colon efron": ("colon", COLON),
    "colon breslow": ("colon", {**COLON, "ties": "breslow"}),
    "colon strata": ("colon", STRATA),
    "colon repeated": ("colon", {**COLON, "weights": "people"}),
    "colon repeated sampling": ("colon", {**COLON, "weights": "people", "sampling_weights": "sampling"}),
    "colon sampling efron": ("colon", {**COLON, "sampling_weights": "sampling"}),
    "colon sampling breslow": ("colon", {**COLON, "sampling_weights": "sampling", "ties": "breslow"}),
    "colon cluster": (
        "both",
        {**COLON, "covariates": ["rx", "node4"], "strata": "etype", "cluster": "id"},
    ),
    "heart entry": ("heart", HEART),
    "heart entry cluster": ("heart", {**HEART, "cluster": "id"}),
    "flchain entry": (
        "flchain",
        {
            "time": "left",
            "event": "death",
            "entry": "born",
            "covariates": ["sex", "kappa", "lambda"],
            "reference": {"sex": "F"},
        },
    ),
    "mgus2 cause 1": ("mgus2", {"time": "progressed", "event": "cause", "cause": 1, "covariates": ["age", "man"]}),
    "mgus2 cause 2": ("mgus2", {"time": "progressed", "event": "cause", "cause": 2, "covariates": ["age", "man"]}),
}


@pytest.mark.parametrize("case", list(MODELS))
def test_cox(case, sets):
    name, arguments = MODELS[case]
    model = sr.survival.cox_regression(sets[name], **arguments)
    agree(model, case)
    tests = dict(model.overall.select("test", "statistic").iter_rows())
    logs = of_r(case, "log_likelihood")
    assert tests["likelihood ratio"] == pytest.approx(2 * (logs["model"] - logs["null"]), rel=EIGHT)
    assert tests["score"] == pytest.approx(of_r(case, "score")["all"], rel=EIGHT)
    assert tests["Wald"] == pytest.approx(of_r(case, "wald")["all"], rel=EIGHT)


@pytest.mark.parametrize("transform", ["km", "identity", "rank", "log"])
@pytest.mark.parametrize("case", ["colon efron", "colon breslow", "colon strata", "heart entry"])
def test_proportional_hazards(case, transform, sets):
    name, arguments = MODELS[case]
    test = sr.survival.proportional_hazards_test(sets[name], **arguments, transform=transform)
    theirs, degrees = of_r(case, f"zph {transform}"), of_r(case, f"zph degrees {transform}")
    assert test.estimates["statistic"].to_list() == pytest.approx(list(theirs.values()), rel=EIGHT)
    assert test.estimates["degrees_of_freedom"].to_list() == list(degrees.values())


PROFILES: dict[str, dict[str, Any]] = {
    "colon efron": {"rx": "Lev", "age": 60, "sex": 1, "nodes": 4},
    "colon breslow": {"rx": "Lev", "age": 60, "sex": 1, "nodes": 4},
    "colon strata": {"rx": "Lev", "age": 60, "sex": 1, "nodes": 4},
    "heart entry": {"age": 2, "year": 3, "surgery": 0, "transplant": 1},
}


@pytest.mark.parametrize("case", list(PROFILES))
def test_absolute_risk(case, sets):
    name, arguments = MODELS[case]
    model = sr.survival.cox_regression(sets[name], **arguments)
    theirs = {what: of_r(case, f"survfit {what}") for what in ("surv", "lower", "upper")}
    risk = sr.survival.absolute_risk(model, PROFILES[case], [float(t) for t in theirs["surv"]]).estimates
    assert (1 - risk["estimate"]).to_list() == pytest.approx(list(theirs["surv"].values()), rel=EIGHT)
    # a limit that R's lacks is 1: nothing had happened yet
    for ours, limit in (("lower", "upper"), ("upper", "lower")):
        assert (1 - risk[ours]).to_list() == pytest.approx(list(theirs[limit].values()), rel=EIGHT)


@pytest.mark.parametrize("ties", ["breslow", "efron"])
@pytest.mark.parametrize("cause", [1, 2])
def test_fine_gray(cause, ties, sets):
    model = sr.survival.fine_gray(
        sets["mgus2"], time="progressed", event="cause", cause=cause, covariates=["age", "man"], ties=ties
    )
    agree(model, f"mgus2 fine-gray {ties} {cause}")


@pytest.mark.parametrize("cause", [1, 2])
def test_fine_gray_beside_crr(cause, sets):
    """crr differs in the third figure, for two reasons.

    It counts people with an event on the day of a censoring as still at risk of being censored (with that change ours are its
    coefficients to thirteen digits), and its standard errors count in that the censoring distribution is estimated.
    """
    model = sr.survival.fine_gray(
        sets["mgus2"], time="progressed", event="cause", cause=cause, covariates=["age", "man"]
    )
    agree(model, f"mgus2 crr {cause}", rel=0.003, quantities=("estimate",))
    agree(model, f"mgus2 crr {cause}", rel=0.01, quantities=("standard_error",))


def people_readmitted(sets) -> pl.DataFrame:
    first = c("sex", "chemo", "dukes").first()
    people = (
        sets["readmission"]
        .group_by("id", maintain_order=True)
        .agg(c("event").sum().alias("events"), c("t.stop").max(), first)
    )
    return people.with_columns(years=c("t.stop") / 365.25).filter(c("years") > 0)


READMITTED: dict[str, Any] = {
    "events": "events", "person_years": "years", "covariates": ["chemo", "sex", "dukes"],
    "reference": {"chemo": "NonTreated", "sex": "Female", "dukes": "A-B"},
}  # fmt: skip


def test_poisson_rates(sets):
    age = c("age")
    band = (
        pl.when(age < 60)
        .then(pl.lit("under 60"))
        .when(age < 70)
        .then(pl.lit("60-69"))
        .when(age < 80)
        .then(pl.lit("70-79"))
    )
    band = band.otherwise(pl.lit("80 and over"))
    people = sets["flchain"].with_columns(years=c("futime") / 365.25, band=band)
    model = sr.survival.rate_regression(
        people,
        events="death",
        person_years="years",
        covariates=["band", "sex"],
        reference={"band": "under 60", "sex": "F"},
    )
    theirs = of_r("flchain poisson", "estimate")
    ours = dict(model.estimates.select(c("covariate").str.replace(": ", ""), "estimate").iter_rows())
    assert ours == pytest.approx({k: v for k, v in theirs.items() if k in ours}, rel=EIGHT)
    assert len(ours) == len(theirs) - 1
    errors = dict(model.estimates.select(c("covariate").str.replace(": ", ""), "standard_error").iter_rows())
    assert errors == pytest.approx(
        {k: v for k, v in of_r("flchain poisson", "standard_error").items() if k in ours}, rel=EIGHT
    )


def test_poisson_rates_of_repeated_events(sets):
    agree(sr.survival.rate_regression(people_readmitted(sets), **READMITTED), "readmission poisson")


def test_negative_binomial_rates(sets):
    case = "readmission negative binomial"
    model = sr.survival.rate_regression(people_readmitted(sets), family="negative_binomial", **READMITTED)
    agree(model, case, rel=1e-6)
    theta, error = model.dispersion.row(0)
    assert theta == pytest.approx(of_r(case, "theta")["all"], rel=1e-6)
    # R takes the information of theta at the last step but one of an iteration that ends at a relative 1e-4
    assert error == pytest.approx(of_r(case, "theta_error")["all"], rel=1e-4)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("weibull", "weibull"), ("log_normal", "lognormal"), ("log_logistic", "loglogistic")]
)
def test_parametric_survival(ours, theirs, sets):
    model = sr.survival.parametric_survival(sets["colon"], **COLON, distributions=ours)
    estimates, errors = (list(of_r(f"colon {theirs}", q).values()) for q in ("estimate", "standard_error"))
    assert model.estimates["estimate"].to_list() == pytest.approx(estimates[1:], rel=EIGHT)
    assert model.estimates["standard_error"].to_list() == pytest.approx(errors[1:], rel=EIGHT)
    best = model.comparison.row(0, named=True)
    assert best["intercept"] == pytest.approx(estimates[0], rel=EIGHT)
    assert best["scale"] == pytest.approx(of_r(f"colon {theirs}", "scale")["all"], rel=EIGHT)
    assert best["aic"] == pytest.approx(of_r(f"colon {theirs}", "aic")["all"], rel=1e-10)


def test_the_generalised_gamma_holds_the_others_and_the_smallest_aic_is_chosen(sets):
    model = sr.survival.parametric_survival(sets["colon"], **COLON)
    table = model.comparison
    log = dict(table.select("distribution", "log_likelihood").iter_rows())
    # Weibull and log-normal are generalised gammas of shape 1 and 0
    assert log["generalised_gamma"] > max(log["weibull"], log["log_normal"])
    assert table["aic"].to_list() == sorted(table["aic"])
    alone = sr.survival.parametric_survival(sets["colon"], **COLON, distributions=table["distribution"][0])
    assert alone.estimates["estimate"].to_list() == model.estimates["estimate"].to_list()
