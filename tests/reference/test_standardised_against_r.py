"""Standardised risks against R's survival: strata by `survfit`, weights and sums written out in R.

Every expected value is R's: `r/standardised.R` wrote `expected/standardised.csv` (R 4.2.2, survival 3.5-3) and holds the
commands; both read the same real data sets, which lie beside the checkout.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import symphony_research as sr

c = pl.col
EIGHT = 1e-8
MGUS2: dict[str, Any] = {"time": "progressed", "event": "cause", "by": "sex", "standardise": "band", "times": [24, 60, 120, 180]}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "mgus2": MGUS2,
    "mgus2 death": {**MGUS2, "cause": 2},
    "colon": {"time": "time", "event": "status", "by": "rx", "standardise": ["node4", "sex"], "times": [365, 1000, 2000]},
}  # fmt: skip


def data(case, prepared, real_table) -> pl.DataFrame:
    if case == "colon":
        return real_table("survival_colon").filter(c("etype") == 2)
    band = (
        pl.when(c("age") <= 64)
        .then(pl.lit("under 65"))
        .when(c("age") <= 74)
        .then(pl.lit("65-74"))
        .otherwise(pl.lit("75+"))
    )
    return prepared("real", "mgus2").with_columns(band=band)


@pytest.mark.parametrize("case", list(CASES))
def test_standardised_risks(case, prepared, real_table, expected):
    found = sr.survival.standardised_risk(data(case, prepared, real_table), **CASES[case])
    theirs = expected("standardised").filter(c("case") == case).with_columns(c("time").cast(pl.Float64))
    groups = theirs.filter(c("group") != "all alike").sort("group", "time")
    ours = found.estimates.sort(CASES[case]["by"], "time")
    assert ours[CASES[case]["by"]].to_list() == groups["group"].to_list()
    for column in ("estimate", "standard_error", "lower", "upper", "crude"):
        assert ours[column].to_list() == pytest.approx(groups[column].cast(pl.Float64).to_list(), rel=EIGHT), column
    tests = theirs.filter(c("group") == "all alike").sort("time")
    for column in ("statistic", "p_value"):
        assert found.test[column].to_list() == pytest.approx(tests[column].cast(pl.Float64).to_list(), rel=EIGHT), (
            column
        )
