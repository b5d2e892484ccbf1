"""What must hold of hazards, restricted means and tests for any follow-up: authorities are naive definitions."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

import numpy as np
import polars as pl
import pytest
from followed import followed, listed
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research.result import Disclosure

NAMED = {"time": "time", "event": "event"}
POLICY = sr.Policy.nhs_england()


def steps(people: pl.DataFrame) -> list[tuple[int, int, int]]:
    """Each time somebody left, those at risk (entered before it, not gone before it), and events."""
    rows = people.rows(named=True)
    return [
        (
            t,
            sum(row["entry"] < t <= row["time"] for row in rows),
            sum(row["time"] == t and row["event"] == 1 for row in rows),
        )
        for t in sorted({row["time"] for row in rows})
    ]


def released(exact: sr.Result, rule: tuple[int, int]) -> sr.Result:
    """Round and suppress a result's counts on its grid by hand, and derive it from these."""
    threshold, rounding = rule
    table = exact.release_form(exact.count_tables, exact.settings, exact.by, POLICY)["grid"]
    n = pl.col("n_persons")
    rounded = (n + rounding // 2) // rounding * rounding
    shown = table.with_columns(pl.when(~n.is_between(1, threshold)).then(rounded).alias("n_persons"))
    how = {"threshold": threshold, "rounding": rounding, "hide_zeros": False}
    return exact.disclosed({"grid": shown}, Disclosure(POLICY, suppressed=0), released=how)


RULES = st.sampled_from([(0, 1), (0, 3), (2, 4), (7, 5)])


@given(followed(entry=True))
def test_nelson_aalen_is_the_sum_over_naive_risk_sets(people):
    curve = sr.survival.nelson_aalen(people, entry="entry", **NAMED).estimates
    hazard, variance = Fraction(0), Fraction(0)
    for row, (t, n, d) in zip(curve.iter_rows(named=True), steps(people), strict=True):
        hazard, variance = hazard + Fraction(d, n), variance + Fraction(d, n * n)
        assert (row["time"], row["n_at_risk"], row["n_events"]) == (t, n, d)
        assert row["estimate"] == pytest.approx(float(hazard), rel=1e-13)
        assert row["standard_error"] == pytest.approx(sqrt(variance), rel=1e-13)


@settings(max_examples=80)
@given(followed(max_people=60, entry=True), st.sampled_from(["log", "plain"]), RULES, st.booleans())
def test_exact_hazards_lie_within_the_limits_of_released_ones(people, interval, rule, late):
    options = {**NAMED, "by": "arm", "interval": interval, "grid": [0, 2, 5, 8]} | ({"entry": "entry"} if late else {})
    exact = sr.survival.nelson_aalen(people, **options)
    safe = released(exact, rule).estimates
    read = sr.survival.at(exact, safe["time"].unique().sort().to_list()).estimates
    both = safe.join(read, on=["arm", "time"], suffix="_exact")
    both = both.filter(pl.col("estimate").is_not_null() & (pl.col("time") > 0))
    # without a limit nothing is promised of it, and past an end of "log" it may be infinite
    for low in ("estimate", "estimate_exact", "lower_exact"):
        assert (both["lower"] <= both[low] + 1e-9).drop_nulls().all()
    for high in ("estimate", "estimate_exact", "upper_exact"):
        assert (both["upper"] >= both[high] - 1e-9).drop_nulls().all()


@given(followed(entry=True), st.randoms(use_true_random=False))
def test_order_and_parts_of_the_rows_change_nothing(people, random):
    rows = people.rows()
    random.shuffle(rows)
    shuffled = pl.DataFrame(rows, schema=people.schema, orient="row")
    halves = [shuffled.head(len(rows) // 2), shuffled.tail(len(rows) - len(rows) // 2)]
    collapsed = pl.concat(h.group_by("time", "event", "entry", "arm").agg(pl.len().alias("people")) for h in halves)
    arguments = {**NAMED, "entry": "entry", "by": "arm"}
    whole = sr.survival.nelson_aalen(people, **arguments).estimates
    assert_frame_equal(whole, sr.survival.nelson_aalen(shuffled, **arguments).estimates)
    assert_frame_equal(whole, sr.survival.nelson_aalen(collapsed, weights="people", **arguments).estimates)


@given(followed(entry=True).filter(lambda people: people["people"].sum() > 0))
def test_frequency_weights_are_repeated_rows(people):
    arguments = {**NAMED, "entry": "entry", "by": "arm"}
    weighted = sr.survival.nelson_aalen(people, weights="people", **arguments).estimates
    assert_frame_equal(weighted, sr.survival.nelson_aalen(listed(people), **arguments).estimates)


@given(followed(entry=True), st.sampled_from([2, 4.5, 8, 12]))
def test_restricted_mean_is_the_area_under_the_naive_curve(people, horizon):
    # authority: the area and its variance as sums of rectangles in fractions
    mean = sr.survival.restricted_mean_survival_time(people, entry="entry", horizon=horizon, **NAMED).estimates
    (row,) = mean.to_dicts()
    survival, at, area, parts = Fraction(1), Fraction(0), Fraction(0), []
    for t, n, d in steps(people):
        if t >= horizon:
            break
        area += survival * (t - at)
        at, survival = Fraction(t), survival * (1 - Fraction(d, n))
        parts.append((area, Fraction(d, n * (n - d)) if n > d else Fraction(0)))
    last = max(people["time"])
    whole = Fraction(1)
    for _, n, d in steps(people):
        whole *= 1 - Fraction(d, n)
    if last < horizon and whole > 0:
        assert row["estimate"] is None
        return
    area += survival * (Fraction(horizon) - at)
    variance = sum((area - before) ** 2 * spread for before, spread in parts)
    assert row["estimate"] == pytest.approx(float(area), rel=1e-12)
    assert row["standard_error"] == pytest.approx(sqrt(variance), rel=1e-9, abs=1e-9)


@settings(max_examples=80)
@given(followed(max_people=60, entry=True), RULES, st.booleans(), st.sampled_from([5, 8]))
def test_exact_restricted_means_lie_within_the_limits_of_released_ones(people, rule, late, horizon):
    options = {**NAMED, "by": "arm", "horizon": horizon, "grid": [0, 2, 5, 8]} | ({"entry": "entry"} if late else {})
    exact = sr.survival.restricted_mean_survival_time(people, **options)
    safe = released(exact, rule)
    both = safe.estimates.join(exact.estimates, on="arm", suffix="_exact").drop_nulls(["estimate", "estimate_exact"])
    for low in ("estimate", "estimate_exact", "lower_exact"):
        assert (both["lower"] <= both[low] + 1e-9).all()
    for high in ("estimate", "estimate_exact", "upper_exact"):
        assert (both["upper"] >= both[high] - 1e-9).all()
    if people["arm"].n_unique() > 1:
        keys = ["arm", "reference_arm"]
        both = safe.differences.join(exact.differences, on=keys, suffix="_exact").drop_nulls(["lower", "lower_exact"])
        assert (both["lower"] <= both["lower_exact"] + 1e-9).all()
        assert (both["upper"] >= both["upper_exact"] - 1e-9).all()


def naive_logrank(people: pl.DataFrame, powers: tuple[float, float], stratified: bool, scores: dict[str, float] | None):
    """Sum over strata and times of an event of weight x (observed - expected), and its hypergeometric covariance."""
    arms = sorted(people["arm"].unique())
    difference, covariance = np.zeros(len(arms)), np.zeros((len(arms), len(arms)))
    for site in "xy" if stratified else ["xy"]:
        rows = [r for r in people.rows(named=True) if r["site"] in site]
        pooled = 1.0
        for t in sorted({row["time"] for row in rows if row["event"]}):
            there = np.array([sum(r["entry"] < t <= r["time"] and r["arm"] == arm for r in rows) for arm in arms])
            events = np.array(
                [sum(r["time"] == t and r["event"] == 1 and r["arm"] == arm for r in rows) for arm in arms]
            )
            n, d, weight = there.sum(), events.sum(), pooled ** powers[0] * (1 - pooled) ** powers[1]
            difference += weight * (events - d * there / n)
            if n > 1:
                share = there / n
                covariance += weight**2 * d * (n - d) / (n - 1) * (np.diag(share) - np.outer(share, share))
            pooled *= 1 - d / n
    if scores is not None:
        own = np.array([scores[arm] for arm in arms])
        variance = own @ covariance @ own
        return None if variance < 1e-9 else (float((own @ difference) ** 2 / variance), 1)
    rank = np.linalg.matrix_rank(covariance, tol=1e-9, hermitian=True)
    return float(difference @ np.linalg.pinv(covariance, rcond=1e-9, hermitian=True) @ difference), int(rank)


@given(
    followed(entry=True), st.sampled_from([(0, 0), (1, 0), (1, 1), (0.5, 2)]), st.booleans(),
    st.sampled_from([None, {"a": 1, "b": 2, "c": 3}, {"a": 0, "b": 1, "c": 5}]),
)  # fmt: skip
def test_weighted_stratified_and_trend_tests_with_late_entry_are_naive_sums(people, powers, stratified, scores):
    assume(people["arm"].n_unique() > 1)
    chosen = {"weighting": "fleming_harrington", "powers": powers} if any(powers) else {}
    within = "site" if stratified else ()
    test = sr.survival.logrank_test(
        people, by="arm", entry="entry", strata=within, trend=scores or False, **NAMED, **chosen
    )
    row, naive = test.estimates.row(0, named=True), naive_logrank(people, powers, stratified, scores)
    if naive is None or not naive[1]:
        assert row["statistic"] is None
        return
    assert row["degrees_of_freedom"] == naive[1]
    assert row["statistic"] == pytest.approx(naive[0], rel=1e-7, abs=1e-9)


@given(followed(entry=True).filter(lambda people: people["people"].sum() > 0))
def test_weights_of_tests_are_repeated_rows(people):
    assume(listed(people)["arm"].n_unique() > 1)
    for options in ({"strata": "site"}, {"trend": True}, {"weighting": "fleming_harrington", "powers": (0, 1)}):
        arguments = {**NAMED, "entry": "entry", "by": "arm", **options}
        weighted = sr.survival.logrank_test(people.filter(pl.col("people") > 0), weights="people", **arguments)
        repeated = sr.survival.logrank_test(listed(people), **arguments)
        assert_frame_equal(weighted.estimates, repeated.estimates)
        assert_frame_equal(weighted.groups, repeated.groups)


def naive_gray(people: pl.DataFrame, cause: int, rho: int) -> tuple[np.ndarray, np.ndarray]:
    """Gray's score and variance by loops over times and groups, with running sums carried back from the end."""
    rows, arms = people.rows(named=True), sorted(people["arm"].unique())
    g = len(arms)
    survival, incidence, pooled = [1.0] * g, [0.0] * g, 0.0
    running, score, told = np.zeros((g, g)), np.zeros(g), []
    for t in sorted({r["time"] for r in rows if r["event"]}):
        n = [sum(r["time"] >= t and r["arm"] == arm for r in rows) for arm in arms]
        own = [sum(r["time"] == t and r["event"] == cause and r["arm"] == arm for r in rows) for arm in arms]
        every = [sum(r["time"] == t and r["event"] > 0 and r["arm"] == arm for r in rows) for arm in arms]
        total = sum(n[k] / survival[k] for k in range(g) if n[k])
        whole = sum(n[k] * (1 - incidence[k]) / survival[k] for k in range(g) if n[k])
        weight, d, now = (1 - pooled) ** rho, sum(own), np.zeros((g, g))
        for i in range(g):
            if n[i]:
                score[i] += weight * (own[i] - d * n[i] * (1 - incidence[i]) / survival[i] / whole)
                for k in range(g):
                    if n[k]:
                        other = n[k] / survival[k] / total
                        now[i, k] = weight * n[i] / survival[i] * ((i == k) - other)
        running = running + now * d / (total * (1 - pooled))
        pooled += d / total
        for k in range(g):
            if not n[k]:
                continue
            after = survival[k] * (n[k] - every[k]) / n[k]
            left = (1 - pooled) / after if after > 0 else None
            if d:
                tie = 1 - (d - 1) / (total * survival[k] - 1) if d > 1 else 1
                told.append((k, now.copy(), running.copy(), 1 - (left or 0), 1, tie * survival[k] * d / (total * n[k])))
            rest = every[k] - own[k]
            if rest and after > 0:
                tie = 1 - (rest - 1) / (n[k] - 1) if rest > 1 else 1
                told.append((k, now.copy(), running.copy(), left, 0, tie * survival[k] ** 2 * rest / n[k] ** 2))
            incidence[k] += survival[k] * own[k] / n[k]
            survival[k] = after
    covariance = np.zeros((g, g))
    for k, now, then, ahead, of_cause, variance in told:
        moved = of_cause * now[:, k] + ahead * (running[:, k] - then[:, k])
        covariance += np.outer(moved, moved) * variance
    return score, covariance


@given(followed(causes=2), st.sampled_from([1, 2]), st.sampled_from([0, 1]))
def test_grays_test_is_the_naive_sum(people, cause, rho):
    assume(people["arm"].n_unique() > 1)
    assume((people["event"] == cause).any())
    row = sr.survival.gray_test(people, by="arm", cause=cause, rho=rho, **NAMED).estimates.row(0, named=True)
    score, covariance = naive_gray(people, cause, rho)
    rank = int(np.linalg.matrix_rank(covariance, tol=1e-9 * np.abs(covariance).max(initial=1e-9), hermitian=True))
    assert row["degrees_of_freedom"] == rank
    if rank:
        # the scores add up to nothing, and so do the rows of the covariance: the generalised inverse chooses no group
        naive = score @ np.linalg.pinv(covariance, rcond=1e-9, hermitian=True) @ score
        assert row["statistic"] == pytest.approx(float(naive), rel=1e-6, abs=1e-9)


@given(followed(causes=2).filter(lambda people: people["people"].sum() > 0))
def test_weights_of_grays_test_are_repeated_rows(people):
    repeated = listed(people)
    assume(repeated["arm"].n_unique() > 1)
    assume((repeated["event"] == 1).any())
    kept = people.filter(pl.col("people") > 0)
    weighted = sr.survival.gray_test(kept, by="arm", weights="people", strata="site", **NAMED)
    by_row = sr.survival.gray_test(repeated, by="arm", strata="site", **NAMED)
    assert_frame_equal(weighted.estimates, by_row.estimates)
    assert_frame_equal(weighted.groups, by_row.groups)
