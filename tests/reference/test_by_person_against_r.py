"""Curves of people with several rows, variance by person, against R's survival to ten digits.

Every expected value is R's: `r/by_person.R` wrote `expected/by_person.csv` (R 4.2.2, survival 3.5-3) and holds the command of each
case: survfit(..., cluster = id, robust = TRUE), and of competing causes the sum by person of its influence of each row.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import symphony_research as sr

c = pl.col
BLADDER: dict[str, Any] = {"time": "stop", "event": "event"}
CLOCK: dict[str, Any] = {"time": "t.stop", "entry": "t.start"}
CASES: dict[str, dict[str, Any]] = {
    "bladder": BLADDER,
    "bladder by rx log-log": {**BLADDER, "by": "rx", "interval": "log_log"},
    "readmission by sex": {"time": "time", "event": "event", "by": "sex"},
    "readmission entry plain": {**CLOCK, "event": "event", "interval": "plain"},
    "readmission cause": {"time": "time", "event": "cause"},
    "readmission entry cause": {**CLOCK, "event": "cause"},
}


@pytest.mark.parametrize("case", CASES)
def test_variance_by_person(case, real_table, expected):
    people = real_table("survival_bladder" if case.startswith("bladder") else "readmission")
    if not case.startswith("bladder"):
        people = people.with_columns(cause=pl.when(c("event") == 1).then(1).otherwise((2 * c("death")).cast(pl.Int64)))
        people = people.filter(c("t.stop") > c("t.start")) if "entry" in case else people
    given, asked = CASES[case], CASES[case].get("by")
    competing = given["event"] == "cause"
    made = sr.survival.cumulative_incidence if competing else sr.survival.kaplan_meier
    ours = made(people, cluster="id", **given).estimates.with_columns(c("time").cast(pl.Float64))
    figures = ("estimate", "standard_error", "lower", "upper")
    for cause in (1, 2) if competing else (None,):
        of_r = expected("by_person").filter(c("case") == (f"{case} {cause}" if cause else case))
        of_r = of_r.with_columns(c("time", *figures).cast(pl.Float64, strict=False))
        own = ours.filter(c("cause") == cause) if cause else ours
        own = own.with_columns(stratum=c(asked).cast(pl.String) if asked else pl.lit(""))
        both = of_r.join(own, on=["stratum", "time"], suffix="_ours", maintain_order="left")
        assert both.height == of_r.height > 2
        for name in figures:
            known = both.filter(c(name).is_not_null() & (c("estimate") > 0))
            assert known[f"{name}_ours"].to_list() == pytest.approx(known[name].to_list(), rel=1e-10), name
