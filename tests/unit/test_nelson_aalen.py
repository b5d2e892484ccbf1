"""The cumulative hazard by hand, at its edges, and released on the grid."""

from __future__ import annotations

from math import exp, sqrt

import matplotlib
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError
from symphony_research.show.titles import curve_title

matplotlib.use("Agg")
NHS = sr.Policy.nhs_england()
NAMED = {"time": "time", "event": "event"}


def people(*rows: tuple[int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["time", "event"], orient="row")


def test_by_hand():
    # day 1: 1 of 5; day 2: 2 of 4 at once; day 3 one is censored; day 4: 1 of 1
    curve = sr.survival.nelson_aalen(people((1, 1), (2, 1), (2, 1), (3, 0), (4, 1)), **NAMED).estimates
    assert curve["estimate"].to_list() == pytest.approx([0.2, 0.7, 0.7, 1.7])
    variance = [0.04, 0.04 + 2 / 16, 0.04 + 2 / 16, 0.04 + 2 / 16 + 1]
    assert curve["standard_error"].to_list() == pytest.approx([sqrt(v) for v in variance])
    # on the log scale, with the normal quantile 1.959964
    wide = exp(1.959963984540054 * sqrt(0.04) / 0.2)
    assert (curve["lower"][0], curve["upper"][0]) == pytest.approx((0.2 / wide, 0.2 * wide))


def test_edges():
    nobody = sr.survival.nelson_aalen(people((1, 0), (2, 0)), **NAMED).estimates
    assert nobody["estimate"].to_list() == [0, 0]
    assert nobody["lower"].to_list() == [None, None]
    assert sr.survival.nelson_aalen(people((0, 1), (5, 0)), **NAMED).estimates["estimate"].to_list() == [0.5, 0.5]
    assert sr.survival.nelson_aalen(people((3, 1)), **NAMED).estimates["estimate"].to_list() == [1]
    assert sr.survival.nelson_aalen(people((3, 1), (3, 1)), **NAMED).estimates["estimate"].to_list() == [1]
    late = people((3, 1), (4, 1), (9, 0)).with_columns(entry=pl.Series([5, 4, 0]))
    with pytest.raises(ArgumentError, match="2 rows have a time that is not after entry"):
        sr.survival.nelson_aalen(late, entry="entry", **NAMED)
    with pytest.raises(ArgumentError, match="causes above 1"):
        sr.survival.nelson_aalen(people((1, 2)), **NAMED)
    with pytest.raises(ArgumentError, match="interval"):
        sr.survival.nelson_aalen(people((1, 1)), interval="log_log", **NAMED)


@pytest.fixture
def curve() -> sr.Result:
    rows = [(day % 360 + 1, int(day % 3 == 0)) for day in range(0, 4000, 7)]
    return sr.survival.nelson_aalen(people(*rows), time_unit="days", event_name="readmission", **NAMED)


def test_released_it_stands_on_the_grid_and_holds_the_exact_one(curve):
    released = sr.suppress(curve, NHS)
    assert set(released.count_tables) == {"grid"}
    shown = released.estimates
    assert set(shown["time"]) <= {0, *range(30, 331, 30)}
    assert shown["standard_error"].null_count() == shown.height
    exact = sr.survival.at(curve, shown["time"].to_list()).estimates
    # authority: the exact estimate, which is R's
    assert (shown["lower"] <= exact["lower"].fill_null(0)).all()
    assert (shown["upper"] >= exact["upper"].fill_null(0)).all()
    assert released.estimates["estimate"][-1] == pytest.approx(exact["estimate"][-1], rel=0.02)
    assert sr.suppress(released, NHS).estimates.equals(shown)


def test_sentence_and_figure_say_the_same_number(curve):
    said = curve.sentence()
    assert said.startswith("By 180 days, the cumulative hazard of readmission after the first discharge was ")
    title = curve_title(curve, 360.0)
    assert title.startswith("Cumulative hazard")
    assert len(title.split()) <= 15
    assert said.split(" was ")[1].split(" ")[0] == title.split(": ")[1].split(" ")[0]
    axes = sr.plot(curve)
    assert "Cumulative hazard" in axes.get_ylabel()
    assert axes.get_ylim()[1] >= curve.estimates["estimate"].max()
    assert "%" not in axes.yaxis.get_major_formatter()(1.5, 0)


def test_log_log_may_be_written_as_in_r():
    rows = people((1, 1), (2, 1), (2, 0), (4, 1))
    one, other = (sr.survival.kaplan_meier(rows, interval=name, **NAMED) for name in ("log-log", "log_log"))
    assert one.estimates.equals(other.estimates)
    assert one.settings["interval"] == "log_log"
