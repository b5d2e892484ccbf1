"""Several rows a person, and late entry into a subdistribution, against R's survival.

Every expected value is R's: `r/start_stop.R` wrote `expected/start_stop.csv` (R 4.2.2, survival 3.5-3) and holds the command of
each case.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import symphony_research as sr

EIGHT = 1e-8
c = pl.col


@pytest.fixture(scope="module")
def of_r(expected):
    table = expected("start_stop").with_columns(c("value").cast(pl.Float64))

    def values(case: str, quantity: str) -> list[float]:
        rows = table.filter((c("case") == case) & (c("quantity") == quantity))
        assert rows.height, (case, quantity)
        return rows["value"].to_list()

    return values


def agree(model: Any, case: str, of_r: Any) -> None:
    for quantity in ("estimate", "standard_error"):
        assert model.estimates[quantity].to_list() == pytest.approx(of_r(case, quantity), rel=EIGHT), quantity


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_a_covariate_that_changes(ties, prepared, of_r):
    heart = prepared("real", "heart")
    model = sr.survival.cox_regression(
        heart, time="stop", event="event", entry="start", person="id", covariates=["age", "surgery", "transplant"],
        ties=ties,
    )  # fmt: skip
    agree(model, f"heart {ties}", of_r)
    everybody, transplanted = of_r("heart", "people")
    assert heart.height > everybody
    assert model.count_tables["population"]["n_persons"].item() == everybody
    # those who wait for a transplant and have it are at both levels
    named = heart.with_columns(c("transplant").replace_strict([0, 1], ["no", "yes"]))
    levels = sr.survival.cox_regression(
        named, time="stop", event="event", entry="start", person="id", covariates="transplant", reference={"transplant": "no"}
    )  # fmt: skip
    assert levels.estimates["n_persons"].item() == transplanted
    assert levels.count_tables["references"]["n_persons"].item() == everybody


def test_several_events_a_person(real_table, of_r):
    cgd = real_table("survival_cgd").with_columns(treated=(c("treat") == "rIFN-g").cast(pl.Int64))
    model = sr.survival.cox_regression(
        cgd, time="tstop", event="status", entry="tstart", person="id", covariates=["treated", "age"], strata="sex"
    )
    agree(model, "cgd", of_r)
    assert model.count_tables["population"].row(0) == (cgd["id"].n_unique(), cgd["status"].sum())


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("cause", [1, 2])
def test_fine_gray_with_late_entry(cause, ties, prepared, of_r):
    people = prepared("real", "mgus2").with_columns(
        man=(c("sex") == "M").cast(pl.Int64), left=c("born") + c("progressed")
    )
    people = people.filter(c("hgb").is_not_null() & (c("born") > 480))
    model = sr.survival.fine_gray(
        people, time="left", event="cause", entry="born", cause=cause, covariates=["man", "hgb"], ties=ties
    )
    agree(model, f"mgus2 by age {ties} {cause}", of_r)
