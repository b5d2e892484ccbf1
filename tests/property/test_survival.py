"""What must hold of curves and tests for any follow-up: authorities are the definitions, written out naively."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research.result import Disclosure


@st.composite
def followed(draw, causes: int = 1, max_people: int = 25, groups: int = 3, entry: bool = False):
    """People with small whole times (so many ties), an outcome, a group, and perhaps a late entry."""
    n = draw(st.integers(2, max_people))
    exact = {"min_size": n, "max_size": n}
    times = draw(st.lists(st.integers(1, 9), **exact))
    events = draw(st.lists(st.integers(0, causes), **exact))
    arms = draw(st.lists(st.sampled_from([*"abc"[: groups - 1], None]), **exact))
    early = [draw(st.integers(0, t - 1)) for t in times] if entry else [0] * n
    copies = draw(st.lists(st.integers(0, 4), **exact))
    return pl.DataFrame(
        {"time": times, "event": events, "arm": arms, "entry": early, "people": copies},
        schema={"time": pl.Int64, "event": pl.Int64, "arm": pl.String, "entry": pl.Int64, "people": pl.Int64},
    )


NAMED = {"time": "time", "event": "event"}


def naive_steps(people: pl.DataFrame, causes: int) -> list[tuple[int, int, list[int]]]:
    """Each time somebody left, those at risk (entered before it, not gone before it), and events by cause."""
    rows = people.rows(named=True)
    return [
        (
            t,
            sum(row["entry"] < t <= row["time"] for row in rows),
            [sum(row["time"] == t and row["event"] == k for row in rows) for k in range(1, causes + 1)],
        )
        for t in sorted({row["time"] for row in rows})
    ]


@given(followed(entry=True))
def test_kaplan_meier_is_the_product_over_naive_risk_sets(people):
    # authority: the product-limit definition and Greenwood's sum in exact fractions
    curve = sr.survival.kaplan_meier(people, entry="entry", **NAMED).estimates
    survival, spread = Fraction(1), Fraction(0)
    for row, (t, n, (d,)) in zip(curve.iter_rows(named=True), naive_steps(people, 1), strict=True):
        survival *= 1 - Fraction(d, n)
        assert (row["time"], row["n_at_risk"], row["n_events"]) == (t, n, d)
        assert row["estimate"] == pytest.approx(float(survival), rel=1e-13)
        if survival:
            spread += Fraction(d, n * (n - d))
            assert row["standard_error"] == pytest.approx(float(survival) * sqrt(spread), rel=1e-12)
        else:
            assert row["standard_error"] is None


@given(followed(causes=3, entry=True))
def test_cumulative_incidence_and_its_variance_are_the_definition(people):
    # authority: F(t) = sum of S(s-) h(s), and the delta method over the multinomial steps written as a double sum:
    # the derivative of F(t) by the hazard of cause j at s is S(s-) [j = cause] - S(s-) / S(s) (F(t) - F(s)),
    # covariance of two hazards at s: h_j ([j = k] - h_k) / n. Exact fractions.
    steps = naive_steps(people, 3)
    curve = sr.survival.cumulative_incidence(people, entry="entry", **NAMED).estimates
    for (cause,), own in curve.group_by("cause"):
        before, reached, moved = Fraction(1), Fraction(0), []
        for row, (t, n, d) in zip(own.sort("time").iter_rows(named=True), steps, strict=True):
            hazards = [Fraction(k, n) for k in d]
            reached += before * hazards[cause - 1]
            after = before * (1 - sum(hazards))
            moved.append((before, after, reached, n, hazards))
            before = after
            variance = Fraction(0)
            for start, end, there, at_risk, h in moved:
                later = (reached - there) * start / end if end else Fraction(0)
                slope = [start * (k == cause) - later for k in (1, 2, 3)]
                variance += sum(
                    slope[j] * slope[k] * h[j] * ((j == k) - h[k]) / at_risk for j in range(3) for k in range(3)
                )
            assert row["time"] == t
            assert row["n_events"] == d[cause - 1]
            assert row["estimate"] == pytest.approx(float(reached), rel=1e-13)
            assert row["standard_error"] == pytest.approx(sqrt(variance), rel=1e-9, abs=1e-9)


@given(followed(causes=3))
def test_shares_of_all_causes_and_of_nobody_add_up_to_one(people):
    curves = sr.survival.cumulative_incidence(people, **NAMED).estimates
    anything = people.with_columns((pl.col("event") > 0).alias("event"))
    free = sr.survival.kaplan_meier(anything, **NAMED).estimates
    total = curves.group_by("time").agg(pl.col("estimate").sum()).sort("time")["estimate"] + free["estimate"]
    assert total.to_list() == pytest.approx([1.0] * free.height, rel=1e-13)


@given(followed())
def test_with_one_cause_the_incidence_is_one_less_kaplan_meier(people):
    assume(people["event"].sum() > 0)
    incidence = sr.survival.cumulative_incidence(people, **NAMED).estimates
    survival = sr.survival.kaplan_meier(people, **NAMED).estimates
    assert (1 - incidence["estimate"]).to_list() == pytest.approx(survival["estimate"].to_list(), abs=1e-14)
    both = pl.DataFrame({"a": incidence["standard_error"], "b": survival["standard_error"]}).drop_nulls()
    assert both["a"].to_list() == pytest.approx(both["b"].to_list(), rel=1e-11)


@settings(max_examples=25)
@given(followed(causes=2, entry=True))
def test_weighted_groups_of_people_equal_the_people(people):
    assume(people["people"].sum() > 0)
    listed = people.select(pl.all().exclude("people").repeat_by("people").explode(keep_nulls=True, empty_as_null=False))
    groups = people.group_by("time", "event", "arm", "entry").agg(pl.col("people").sum())
    for collapsed in (people, groups):
        for by in ((), "arm"):
            arguments = {**NAMED, "entry": "entry", "by": by}
            ours = sr.survival.cumulative_incidence(collapsed, weights="people", **arguments)
            assert_frame_equal(ours.estimates, sr.survival.cumulative_incidence(listed, **arguments).estimates)
            one = [frame.with_columns(pl.col("event") == 1) for frame in (collapsed, listed)]
            ours = sr.survival.kaplan_meier(one[0], weights="people", **arguments)
            assert_frame_equal(ours.estimates, sr.survival.kaplan_meier(one[1], **arguments).estimates)
        if listed["arm"].n_unique() > 1:
            arguments["by"] = "arm"
            test = sr.survival.logrank_test(one[0], weights="people", **arguments)
            person_level = sr.survival.logrank_test(one[1], **arguments)
            assert_frame_equal(test.estimates, person_level.estimates)
            assert_frame_equal(test.groups, person_level.groups)


def naive_logrank(people: pl.DataFrame, weighting: str | None) -> tuple[float, int]:
    """Sum over the times of an event of weight x (observed - expected), and its hypergeometric covariance."""
    rows = people.rows(named=True)
    arms = sorted({row["arm"] for row in rows}, key=str)
    difference, covariance, pooled = np.zeros(len(arms)), np.zeros((len(arms), len(arms))), 1.0
    for t in sorted({row["time"] for row in rows if row["event"]}):
        at_risk = np.array([sum(r["entry"] < t <= r["time"] and r["arm"] == arm for r in rows) for arm in arms])
        events = np.array([sum(r["time"] == t and r["event"] == 1 and r["arm"] == arm for r in rows) for arm in arms])
        n, d = at_risk.sum(), events.sum()
        weight = {None: 1.0, "gehan_breslow": n, "tarone_ware": sqrt(n), "peto_peto": pooled}[weighting]
        difference += weight * (events - d * at_risk / n)
        if n > 1:
            share = at_risk / n
            covariance += weight**2 * d * (n - d) / (n - 1) * (np.diag(share) - np.outer(share, share))
        pooled *= 1 - d / n
    # the generalised inverse needs no choice of a group to leave out
    rank = np.linalg.matrix_rank(covariance, tol=1e-9, hermitian=True)
    return float(difference @ np.linalg.pinv(covariance, rcond=1e-9, hermitian=True) @ difference), int(rank)


@given(followed(entry=True), st.sampled_from([None, "gehan_breslow", "tarone_ware", "peto_peto"]))
def test_logrank_with_late_entry_is_the_sum_over_naive_risk_sets(people, weighting):
    assume(people["arm"].n_unique() > 1)
    test = sr.survival.logrank_test(people, by="arm", entry="entry", weighting=weighting, **NAMED)
    row = test.estimates.row(0, named=True)
    # all at risk having the event at once leaves a pooled curve of 0, and weights of 0 after it
    statistic, freedom = naive_logrank(people, weighting)
    assert row["degrees_of_freedom"] == freedom
    if freedom:
        assert row["statistic"] == pytest.approx(statistic, rel=1e-8, abs=1e-9)
    else:
        assert row["statistic"] is None


@settings(max_examples=60)
@given(
    followed(causes=2, max_people=60, entry=True),
    st.sampled_from(["log", "log_log", "plain"]),
    st.sampled_from([(0, 1), (0, 3), (2, 4), (7, 5)]),
    st.booleans(),
)
def test_exact_curves_lie_within_the_limits_of_released_ones(people, interval, rule, late):
    # authority: the exact estimators, which R's are equal to; counts rounded half up on the grid 0, 2, 5, 8
    threshold, rounding = rule
    options = {**NAMED, "by": "arm", "interval": interval, "grid": [0, 2, 5, 8]} | ({"entry": "entry"} if late else {})
    policy = sr.Policy.nhs_england()
    for exact in (
        sr.survival.cumulative_incidence(people, **options),
        sr.survival.kaplan_meier(people.with_columns(pl.col("event") == 1), **options),
    ):
        table = exact.release_form(exact.count_tables, exact.settings, exact.by, policy)["grid"]
        n = pl.col("n_persons")
        # everybody in one state at each time, whatever the stratum
        whole = table.group_by("arm", "time").agg(n.sum()).group_by("arm").agg(n.n_unique())
        assert whole["n_persons"].to_list() == [1] * whole.height
        rounded = (n + rounding // 2) // rounding * rounding
        shown = table.with_columns(pl.when(~n.is_between(1, threshold)).then(rounded).alias("n_persons"))
        released = {"threshold": threshold, "rounding": rounding, "hide_zeros": False}
        safe = exact.disclosed({"grid": shown}, Disclosure(policy, suppressed=0), released=released).estimates
        read = sr.survival.at(exact, safe["time"].unique().sort().to_list()).estimates
        keys = [c for c in ("arm", "cause", "time") if c in safe.columns]
        both = safe.join(read, on=keys, suffix="_exact", nulls_equal=True)
        both = both.filter(pl.col("estimate").is_not_null() & (pl.col("time") > 0))
        for low in ("estimate", "estimate_exact", "lower_exact"):
            assert (both["lower"] <= both[low] + 1e-12).drop_nulls().all()
        for high in ("estimate", "estimate_exact", "upper_exact"):
            assert (both["upper"] >= both[high] - 1e-12).drop_nulls().all()
        assert both["estimate"].is_between(0, 1).all()
