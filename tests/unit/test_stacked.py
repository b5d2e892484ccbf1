"""Stacked cumulative incidence, and one less survival only where nothing competes."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError

NHS = sr.Policy.nhs_england()
NAMED = {"time": "time", "event": "event"}
NAMES = {1: "emergency_admission", 2: "death"}
# an event of the first cause on day 1, of the second on day 2, one censored on day 3, one of the first on day 4
FOUR = pl.DataFrame({"time": [1, 2, 3, 4], "event": [1, 2, 0, 1]})


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def areas(ax) -> dict[str, list[np.ndarray]]:
    found: dict[str, list[np.ndarray]] = {}
    for area in ax.collections:
        found.setdefault(area.get_gid(), []).append(area.get_paths()[0].vertices)
    return found


def height(vertices: np.ndarray, at: float) -> tuple[float, float]:
    """Lowest and highest corner of an area at a time."""
    there = vertices[np.isclose(vertices[:, 0], at)][:, 1]
    return float(there.min()), float(there.max())


def test_areas_add_up_to_everybody_by_hand():
    curve = sr.survival.cumulative_incidence(FOUR, cause_names=NAMES, time_unit="days", **NAMED)
    ax = sr.plot_stacked_incidence(curve)
    found = areas(ax)
    # on day 4: 1/4 + 2/4 = 3/4 of the first cause (the last one at risk stands for two), 1/4 of the second, none left
    first, second = found["cause"]
    assert height(first, 3.0) == pytest.approx((0, 25))
    assert height(second, 3.0) == pytest.approx((25, 50))
    assert height(found["no event"][0], 3.0) == pytest.approx((50, 100))
    assert max(first[:, 1]) == pytest.approx(75)
    assert max(second[:, 1]) == pytest.approx(100)
    assert (ax.get_ylim(), ax.get_xlim()) == ((0, 100), (0, 4))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "Emergency admission",
        "Death first",
        "No event",
    ]
    shown = [text.get_text() for text in ax.texts if text.get_gid() == "at risk"]
    assert shown[:2] == ["4", "4"]  # at the start, and before the event of day 1


def test_a_released_stack_stands_on_the_grid():
    rows = [(1 + k % 500, 1 + k % 3 // 2 if k % 4 else 0) for k in range(4000)]
    people = pl.DataFrame(rows, schema=["time", "event"], orient="row").with_columns(
        arm=pl.Series(["hub" if k % 3 else "usual" for k in range(4000)])
    )
    exact = sr.survival.cumulative_incidence(people, by="arm", cause_names=NAMES, time_unit="days", **NAMED)
    safe = sr.suppress(exact, NHS)
    with pytest.raises(ArgumentError, match="pick it with stratum="):
        sr.plot_stacked_incidence(safe)
    ax = sr.plot_stacked_incidence(safe, stratum={"arm": "hub"}, horizon=365)
    own = safe.estimates.filter((pl.col("arm") == "hub") & (pl.col("time") == 365))
    share = dict(own.select("cause", "estimate").iter_rows())
    first, second = areas(ax)["cause"]
    assert height(first, 365)[1] == pytest.approx(100 * share[1])
    assert height(second, 365) == pytest.approx((100 * share[1], 100 * (share[1] + share[2])))
    title = ax.get_title(loc="left") or ax.get_title()
    assert title.startswith("Hub: by 365 days: ")
    assert len(title.split()) <= 15
    with pytest.raises(ArgumentError, match="horizon=100 is no time"):
        sr.plot_stacked_incidence(safe, stratum={"arm": "hub"}, horizon=100)
    few = sr.suppress(sr.survival.cumulative_incidence(FOUR, cause_names=NAMES, time_unit="days", **NAMED), NHS)
    assert not areas(sr.plot_stacked_incidence(few))


def test_only_competing_causes_are_stacked():
    died = sr.survival.kaplan_meier(FOUR.filter(pl.col("event") < 2), **NAMED)
    with pytest.raises(ArgumentError, match="cumulative_incidence"):
        sr.plot_stacked_incidence(died)


def test_kaplan_meier_refuses_causes_that_compete_and_says_why():
    with pytest.raises(ArgumentError, match="whoever died as still able to have the event") as refused:
        sr.survival.kaplan_meier(FOUR, **NAMED)
    assert "Use cumulative_incidence" in str(refused.value)


def test_one_less_survival_is_drawn_of_death_alone():
    people = FOUR.with_columns(event=pl.col("event").clip(0, 1))
    curve = sr.survival.kaplan_meier(people, event_name="death", time_unit="days", **NAMED)
    ax = sr.plot_survival(curve, mortality=True)
    (line,) = (line for line in ax.get_lines() if line.get_gid() == "curve")
    # survival 3/4, 1/2, 1/2, 0
    assert list(line.get_ydata()) == pytest.approx([0, 25, 50, 50, 100])
    assert ax.get_ylabel() == "Mortality (1 − Kaplan-Meier)"
    plain = sr.plot_survival(curve)
    (line,) = (line for line in plain.get_lines() if line.get_gid() == "curve")
    assert line.get_ydata()[0] == 100
    for made in (
        sr.survival.kaplan_meier(people, event_name="emergency_admission", **NAMED),
        sr.survival.kaplan_meier(people, **NAMED),
        sr.survival.nelson_aalen(people, event_name="death", **NAMED),
    ):
        with pytest.raises(ArgumentError, match="One less Kaplan-Meier is the share with the event only where"):
            sr.plot_survival(made, mortality=True)
