"""Restricted mean survival time by hand, at its edges, and released."""

from __future__ import annotations

from math import erfc, sqrt

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError

NHS = sr.Policy.nhs_england()
NAMED = {"time": "time", "event": "event"}


def people(*rows: tuple[int, int, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["time", "event", "arm"], orient="row")


TWO = people((1, 1, "a"), (2, 1, "a"), (3, 0, "a"), (4, 0, "a"), (2, 1, "b"), (4, 0, "b"))


def test_by_hand():
    # a: survival 1 to day 1, 3/4 to day 2, 1/2 to day 4: 1 + 3/4 + 1 = 11/4.
    # From day 1 the area is 7/4, from day 2 it is 1; variance (7/4)^2 1/(4 3) + 1^2 1/(3 2) = 49/192 + 1/6 = 81/192.
    # b: 1 to day 2, 1/2 to day 4: 3; variance 1^2 1/(2 1).
    mean = sr.survival.restricted_mean_survival_time(TWO, by="arm", horizon=4, **NAMED)
    assert mean.estimates["estimate"].to_list() == pytest.approx([11 / 4, 3])
    assert mean.estimates["standard_error"].to_list() == pytest.approx([sqrt(81 / 192), sqrt(1 / 2)])
    (difference,) = mean.differences.to_dicts()
    assert (difference["arm"], difference["reference_arm"]) == ("b", "a")
    assert difference["estimate"] == pytest.approx(1 / 4)
    assert difference["standard_error"] == pytest.approx(sqrt(81 / 192 + 1 / 2))
    # the two-sided normal tail
    assert difference["p_value"] == pytest.approx(erfc(1 / 4 / sqrt(81 / 192 + 1 / 2) / sqrt(2)))
    assert mean.sentence().startswith(
        "Over 4, the mean time event-free was 2.75 (95% CI 1.48 to 4.00) for a and 3.00 ("
    )
    assert "There is no clear difference" in mean.sentence()


def test_beyond_follow_up_there_is_none_unless_all_have_had_the_event():
    late = sr.survival.restricted_mean_survival_time(TWO, by="arm", horizon=5, **NAMED)
    assert late.estimates["estimate"].to_list() == [None, None]
    assert late.format_cell(late.estimates.row(0, named=True), "estimate") == "[x]"
    assert "cannot be given" in late.sentence()
    done = sr.survival.restricted_mean_survival_time(people((1, 1, "a"), (3, 1, "a")), horizon=5, **NAMED)
    assert done.estimates["estimate"].item() == 2
    nobody = sr.survival.restricted_mean_survival_time(people((5, 0, "a")), horizon=5, **NAMED).estimates
    assert nobody.row(0)[:3] == (5, 5, 0)
    assert sr.survival.restricted_mean_survival_time(people((0, 1, "a")), horizon=5, **NAMED).estimates["estimate"].item() == 0  # fmt: skip


@pytest.mark.parametrize("horizon", [0, -1, True, "365", float("inf"), float("nan")])
def test_a_horizon_that_is_none_is_refused(horizon):
    with pytest.raises(ArgumentError, match="horizon="):
        sr.survival.restricted_mean_survival_time(TWO, horizon=horizon, **NAMED)


def test_released_it_needs_a_time_of_the_grid():
    rows = people(*((day % 400, int(day % 3 == 0), "ab"[day % 2]) for day in range(0, 4000, 3)))
    options = {**NAMED, "by": "arm", "time_unit": "days"}
    with pytest.raises(ArgumentError, match="horizon=100 is no time at which curves are released"):
        sr.suppress(sr.survival.restricted_mean_survival_time(rows, horizon=100, **options), NHS)
    exact = sr.survival.restricted_mean_survival_time(rows, horizon=365, **options)
    safe = sr.suppress(exact, NHS)
    assert set(safe.count_tables) == {"grid"}
    assert safe.estimates["standard_error"].to_list() == [None, None]
    assert safe.differences["p_value"].to_list() == [None]
    assert safe.estimates["estimate"].to_list() == pytest.approx(exact.estimates["estimate"].to_list(), rel=0.02)
    assert sr.suppress(safe, NHS).estimates.equals(safe.estimates)
    assert safe.facts()


def test_facts_of_a_released_mean_to_death_are_no_curve_s():
    # every count on the grid is of a curve: a mean to death has no row a time from which deaths could be read
    rows = people(*((day % 400, int(day % 3 == 0), "a") for day in range(0, 4000, 3)))
    mean = sr.survival.restricted_mean_survival_time(rows, horizon=365, time_unit="days", event_name="death", **NAMED)
    assert sr.suppress(mean, NHS).facts() == {"People": "about 1,335"}  # 1,334 rows, to the nearest 5
