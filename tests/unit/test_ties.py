"""Times that differ by rounding alone are one time: where curves are estimated, read, drawn and put on the grid."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.collapse.ties import at_known_times, tie_width
from symphony_research.survival.grid import require_grid_time

TENTHS = [1, 2, 3, 3, 4, 4, 5, 6, 6, 7]  # of a year; people at risk at 3 tenths: 8


def added(tenths: list[int], kind: type[np.floating]) -> list[float]:
    """Times as sums of tenths of a year: of three tenths 0.1 + 0.1 + 0.1, which is not 0.3."""
    found = []
    for n in tenths:
        time = kind(0)
        for _ in range(n):
            time = kind(time + kind(0.1))
        found.append(time)
    return found


def people(kind: type[np.floating], event: int = 1) -> pl.DataFrame:
    dtype = pl.Float32 if kind is np.float32 else pl.Float64
    return pl.DataFrame({"time": pl.Series(added(TENTHS * 10, kind), dtype=dtype), "event": [event] * 100})


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_a_curve_is_read_at_its_own_times(kind: type[np.floating]) -> None:
    """By hand: of ten, one leaves at 1 tenth, one at 2, two at 3, two at 4; ten of each."""
    assert any(time != kind(n / 10) for n, time in zip(range(1, 8), added(list(range(1, 8)), kind), strict=True))
    curve = sr.survival.kaplan_meier(people(kind), time="time", event="event", time_unit="years")
    wanted = [float(Decimal(n) / 10) for n in range(1, 8)]
    read = sr.survival.at(curve, wanted).estimates
    assert read["n_at_risk"].to_list() == [100, 90, 80, 60, 40, 30, 10]
    assert read["estimate"].to_list() == pytest.approx([0.9, 0.8, 0.6, 0.4, 0.3, 0.1, 0.0])
    assert curve.estimates.height == 7


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_follow_up_that_ends_at_a_grid_time_but_for_rounding_ends_at_it(kind: type[np.floating]) -> None:
    """Half a year as ten times a twentieth; and a censoring there still counts as at risk then."""
    twentieth = kind(0.05)
    half = kind(0)
    for _ in range(10):
        half = kind(half + twentieth)
    dtype = pl.Float32 if kind is np.float32 else pl.Float64
    for end in (half, np.nextafter(half, kind(1)), np.nextafter(half, kind(0))):
        frame = pl.DataFrame({"time": pl.Series([end] * 40, dtype=dtype), "event": [1] * 20 + [0] * 20})
        curve = sr.survival.kaplan_meier(frame, time="time", event="event", time_unit="years")
        grid = sr.suppress(curve, sr.Policy.nhs_england()).count_tables["grid"]
        at_half = dict(grid.filter(pl.col("time") == 0.5).select("state", "n_persons").rows())
        assert at_half == {"event 1": 20, "censored": 0, "at risk": 20}


def test_a_figure_ends_with_the_event_at_its_horizon() -> None:
    curve = sr.survival.kaplan_meier(people(np.float64), time="time", event="event", time_unit="years")
    ax = sr.plot(curve, horizon=0.3, times=[0.1, 0.2, 0.3])
    line = max(ax.get_lines(), key=lambda one: len(one.get_xdata()))
    assert line.get_ydata()[-1] == pytest.approx(60)
    assert [text.get_text() for text in ax.texts if text.get_text() in ("80", "60")] == ["80"]


def test_a_grid_time_is_one_but_for_rounding() -> None:
    require_grid_time(0.1 + 0.2 + 0.2, "years")


def test_a_time_that_is_no_number_is_refused_with_the_count() -> None:
    curve = sr.survival.kaplan_meier(people(np.float64), time="time", event="event")
    with pytest.raises(sr.ArgumentError, match="1 of 2 times"):
        sr.survival.at(curve, [0.1, float("nan")])


def test_days_are_told_apart_in_32_bits() -> None:
    """A day of ten years is 0.00027 of them: far above the width of a tie."""
    years = pl.Series([k / 365.25 for k in range(3650)], dtype=pl.Float32)
    assert tie_width(years) < 0.01 / 365.25
    assert at_known_times([1.0], [], 1e-8).tolist() == [1.0]
