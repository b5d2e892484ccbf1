"""Bounds of loss to follow-up: people drawn as a table, the bounds by hand; what holds of any people; release."""

from __future__ import annotations

import polars as pl
import pytest
from five_people import DAY, study
from hypothesis import given, settings
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.errors import ArgumentError

NHS = sr.Policy.nhs_england()
NAMED = {"time": "time", "event": "event", "lost": "lost"}

# an event on day 2, one lost on day 3, death first on day 4, an event on day 5, one to the end of the data on day 6
FIVE = pl.DataFrame({"time": [2, 3, 4, 5, 6], "event": [1, 0, 2, 1, 0], "lost": [0, 1, 0, 0, 0]})


def test_by_hand():
    bounds = sr.survival.loss_bounds(FIVE, times=[2, 3, 5], **NAMED).estimates
    assert bounds.select("time", "n_persons", "n_events", "n_lost").rows() == [(2, 5, 1, 0), (3, 5, 1, 0), (5, 5, 2, 1)]
    # by day 5 nobody else was censored: two of five had it for certain, three of five if the lost one did
    assert bounds["lower_bound"].to_list() == pytest.approx([1 / 5, 1 / 5, 2 / 5])
    assert bounds["upper_bound"].to_list() == pytest.approx([1 / 5, 1 / 5, 3 / 5])
    # Aalen-Johansen: after day 3 three are at risk, each with 4/5 / 3 of everybody
    assert bounds["estimate"].to_list() == pytest.approx([1 / 5, 1 / 5, 1 / 5 + 4 / 15])
    curve = sr.survival.cumulative_incidence(FIVE, time="time", event="event")
    own = sr.survival.at(curve, [2, 3, 5]).estimates.filter(pl.col("cause") == 1)
    for column in ("estimate", "lower", "upper"):
        assert bounds[column].to_list() == pytest.approx(own[column].to_list())
    # of deaths the lost one may be one too
    died = sr.survival.loss_bounds(FIVE, times=5, cause=2, **NAMED).estimates
    assert died.select("lower_bound", "upper_bound").row(0) == pytest.approx((1 / 5, 2 / 5))


def test_whoever_the_data_end_for_is_not_lost_unless_all_who_are_censored_are():
    # the end of the data on day 4 for one of four; one lost on day 3: with the lost one to stay, 1/4 + 3/4 x 1/2 x ... = by hand
    four = pl.DataFrame({"time": [2, 3, 4, 5], "event": [1, 0, 0, 1], "lost": [0, 1, 0, 0]})
    row = sr.survival.loss_bounds(four, times=5, **NAMED).estimates.row(0, named=True)
    # lower: on day 5 two are at risk, the lost one and the one with the event, each with 3/8: 1/4 + 3/8
    assert row["lower_bound"] == pytest.approx(5 / 8)
    # upper: the lost one's quarter is an event, and the end of the data leaves its quarter to the last: all have it
    assert row["upper_bound"] == pytest.approx(1)
    every = sr.survival.loss_bounds(four, times=5, time="time", event="event").estimates.row(0, named=True)
    assert (every["n_lost"], every["lower_bound"], every["upper_bound"]) == (2, pytest.approx(0.5), pytest.approx(1))
    beyond = sr.survival.loss_bounds(four, times=[5, 9], **NAMED).estimates
    assert beyond["lower_bound"].to_list()[1] is None


def test_follow_up_says_who_was_lost():
    # 3 leaves the practice on day 60; the data end for others
    table = sr.define_cohort(study(), index=DAY).follow_up(event="emergency_admission", lost=True)
    assert table.to_frame().filter(pl.col("lost") == 1).rows() == [(60.0, 0, 0.0, 1, 1)]
    row = sr.survival.loss_bounds(table, lost="lost", times=60.5).estimates
    assert row.height == 1
    curve = sr.survival.cumulative_incidence(table)
    plain = sr.survival.cumulative_incidence(
        sr.define_cohort(study(), index=DAY).follow_up(event="emergency_admission")
    )
    assert curve.estimates.equals(plain.estimates)


PERSON = st.tuples(st.integers(1, 9), st.integers(0, 2), st.integers(0, 1)).map(
    lambda p: (p[0], p[1], p[2] if p[1] == 0 else 0)
)


@settings(max_examples=80, deadline=None)
@given(st.lists(PERSON, min_size=1, max_size=20))
def test_bounds_hold_the_estimate_and_whatever_could_have_happened(rows):
    people = pl.DataFrame(rows, schema=["time", "event", "lost"], orient="row")
    found = sr.survival.loss_bounds(people, times=[3, 6], **NAMED, cause_names={1: "a", 2: "b"}).estimates
    for row in found.drop_nulls("estimate").iter_rows(named=True):
        assert row["lower_bound"] - 1e-12 <= row["estimate"] <= row["upper_bound"] + 1e-12
        assert row["lower_bound"] >= 0
        assert row["upper_bound"] <= 1 + 1e-12
    if not (people["event"] == 0).any() or people.filter(event=0)["lost"].min() == 1:
        # nobody but the lost is censored: bounds are counts over everybody
        for row in found.drop_nulls("estimate").iter_rows(named=True):
            assert row["lower_bound"] == pytest.approx(row["n_events"] / len(rows))
            assert row["upper_bound"] == pytest.approx((row["n_events"] + row["n_lost"]) / len(rows))


def drawn() -> pl.DataFrame:
    rows = [(1 + k % 400, (k % 5 in (0, 1)) * (1 + k % 2), int(k % 5 == 2)) for k in range(0, 9000, 7)]
    return pl.DataFrame(rows, schema=["time", "event", "lost"], orient="row").with_columns(
        arm=pl.Series(["hub" if k % 3 else "usual" for k in range(len(rows))])
    )


def test_released_bounds_hold_the_exact_ones():
    people, names = drawn(), {1: "emergency_admission", 2: "death"}
    exact = sr.survival.loss_bounds(people, times=[90, 365], by="arm", time_unit="days", cause_names=names, **NAMED)
    curve = sr.survival.cumulative_incidence(
        people, time="time", event="event", by="arm", time_unit="days", cause_names=names
    )
    safe = sr.suppress({"bounds": exact, "curve": curve}, NHS)
    bounds = safe["bounds"].estimates
    assert "lost" not in safe["bounds"].count_tables
    both = bounds.join(exact.estimates, on=["arm", "time"], suffix="_exact")
    assert both["lower_bound"].null_count() == 0
    assert (both["lower_bound"] <= both["lower_bound_exact"]).all()
    assert (both["upper_bound"] >= both["upper_bound_exact"]).all()
    own = safe["curve"].estimates.filter((pl.col("cause") == 1) & pl.col("time").is_in([90.0, 365.0]))
    for column in ("estimate", "lower", "upper", "n_events"):
        assert bounds.sort("arm", "time")[column].to_list() == own.sort("arm", "time")[column].to_list()
    said = safe["bounds"].sentence()
    assert said.startswith("Within 365 days, ")
    assert "whatever happened to those lost to follow-up" in said
    assert "If all of the lost had it" in sr.table(safe["bounds"]).html
    assert sr.suppress(safe["bounds"], NHS).estimates.equals(bounds)
    odd = sr.survival.loss_bounds(people, times=100, time_unit="days", cause_names=names, **NAMED)
    with pytest.raises(ArgumentError, match="time=100 is no time at which curves are released"):
        sr.suppress(odd, NHS)


def test_few_who_are_lost_are_not_told_of():
    people = drawn().with_columns(lost=((pl.col("lost") == 1) & (pl.col("time") < 5)).cast(pl.Int64))
    safe = sr.suppress(sr.survival.loss_bounds(people, times=365, time_unit="days", **NAMED), NHS)
    row = safe.estimates.row(0, named=True)
    assert 1 <= people["lost"].sum() <= 7
    assert (row["n_lost"], row["lower_bound"], row["upper_bound"]) == (None, None, None)
    assert row["estimate"] is not None
    assert "cannot be given" in safe.sentence()


@pytest.mark.parametrize(
    ("change", "more", "said"),
    [
        ({"lost": 1}, {}, "3 people have neither 0 nor 1"),
        ({"lost": 2}, {}, "5 people have neither 0 nor 1"),
        ({}, {"times": 0}, "1 of 1 times are no finite number above 0"),
        ({}, {"cause": 3}, "cause=3 is none of the causes: 1, 2"),
        ({}, {"by": "lost"}, "forms no group"),
    ],
)
def test_what_cannot_be_bounded_is_refused(change, more, said):
    people = FIVE.with_columns(**{k: pl.lit(v) for k, v in change.items()})
    with pytest.raises(ArgumentError, match=said):
        sr.survival.loss_bounds(people, **{"times": 5, **NAMED, **more})
