"""What the built-in projection assumes, against decision 14, and past errors, against the back-test that is written down."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError

d = sr.demography
DOCS = Path(__file__).parents[2] / "docs"


def test_migration_is_that_of_decision_14():
    # decision 14: 6,919.8 in and 6,381.4 out within the country, 682.6 and 521.0 abroad: 7,602.4, 6,902.4, net 700
    said = d.assumptions(d.project_south_somerset(end=2021)).sentence()
    assert "+700 people a year (7,602 in, 6,902 out)" in said
    assert "5 years to mid-2008 up to mid-2012" in said
    # eleven years give 1,101 a year there
    eleven = d.assumptions(d.project_south_somerset(end=2021, variant="migration_eleven_years")).sentence()
    assert "+1,101 people a year" in eleven
    low = d.assumptions(d.project_south_somerset(end=2021, variant="low_migration"))
    # 700.4 less 225.6 (1.28 standard errors of 176)
    assert "+475 people a year" in low.sentence()
    assert "less 1.28 standard errors" in low.sentence()
    none = d.assumptions(d.project_south_somerset(end=2021, variant="no_improvement")).estimates
    assert "no improvement" in none.filter(pl.col("component") == "Deaths")["assumed"][0]


def test_a_projection_of_one_s_own_has_no_built_in_assumptions():
    base = pl.DataFrame({"sex": [*"FFFMMM"], "age": [0, 1, 2] * 2, "persons": [100.0] * 6})
    dying = pl.DataFrame({"sex": [*"FFFFMMMM"], "age": [-1, 0, 1, 2] * 2, "rate": [0.1] * 8})
    own = d.cohort_component_projection(
        base, fertility=pl.DataFrame({"age": [1], "rate": [1.0]}), mortality=dying, start=2011, end=2012, mortality_kind="probability"
    )  # fmt: skip
    with pytest.raises(ArgumentError, match="no built-in variant"):
        d.assumptions(own)


def test_past_errors_are_those_of_the_back_test():
    text = (DOCS / "back-test.md").read_text(encoding="utf-8")
    row = re.search(r"other change ignored\*\* \| ([+-][\d.]+) \| ([+-][\d.]+) \| ([+-][\d.]+)", text)
    bristol = d.past_errors().estimates.filter(pl.col("place") == "Bristol")
    assert bristol["percent_error"].to_list() == [float(value) for value in row.groups()]
    somerset = re.search(r"South Somerset, mid-2013.*?\(([+-][\d.]+)%\)", text, re.DOTALL)
    assert d.past_errors().estimates["percent_error"][-1] == float(somerset[1])
    assert (
        "Bristol, mid-2006 to mid-2011, +1.4% (all ages), −4.0% (65 and over), −7.8% (85 and over)"
        in d.past_errors().sentence()
    )
