"""Released curves: one grid of times, counts of people at them, and life-table estimates with limits that hold the exact ones."""

from __future__ import annotations

import io
import re
from itertools import combinations, permutations, product
from math import exp, log, sqrt

import matplotlib
import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.disclosure.outputs import declared_relations
from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.inference.ends import ends_of_count
from symphony_research.policy import Policy
from symphony_research.result import Disclosure
from symphony_research.result.cells import Nested, Partition, Same, everybody
from symphony_research.survival.actuarial import cumulative_incidence_on_grid, survival_on_grid
from symphony_research.survival.grid import grid_of, require_grid_time

matplotlib.use("Agg")

NAMED = {"time": "time", "event": "event"}
NHS = Policy.nhs_england()
Z = 1.959963984540054  # R: qnorm(0.975)


def released(result, policy=NHS):
    """Return a result as the disclosure room would release it, but for secondary suppression."""
    tables = result.release_form(result.count_tables, result.settings, result.by, policy)
    roles = result.roles_of(result.settings)
    tables = {name: t.with_columns([policy.rounded(c) for c in roles[name].people]) for name, t in tables.items()}
    tables = result.trim(tables, result.settings, result.by)
    rule = {"threshold": policy.threshold, "rounding": policy.rounding, "hide_zeros": policy.hide_zeros}
    return result.disclosed(tables, Disclosure(policy, suppressed=0), released=rule)


def grid(result):
    """Return the counts on the grid as {(time, state): people}, of one stratum."""
    table = result.release_form(result.count_tables, result.settings, result.by, NHS)["grid"]
    return {(row["time"], row["state"]): row["n_persons"] for row in table.iter_rows(named=True)}


def admissions(n=400, seed=1):
    """Follow-up of a year: admission, death or censoring."""
    rng = np.random.default_rng(seed)
    ends = [np.ceil(rng.exponential(mean, n)) for mean in (400, 3000, 1500)]
    time = np.minimum(np.min(ends, axis=0), 365)
    kind = np.where(np.min(ends, axis=0) > 365, 0, np.array([1, 2, 0])[np.argmin(ends, axis=0)])
    return pl.DataFrame({"time": time, "event": kind, "sex": rng.choice(["F", "M"], n)})


# the grid -------------------------------------------------------------------


def test_the_grid_of_days_is_one_fixed_rule():
    assert grid_of("days", 400) == [*range(0, 331, 30), 365]
    assert grid_of("days", 1461)[13:] == [548, 730, 913, 1095, 1278, 1460]
    assert grid_of("Weeks", 110)[-4:] == [48, 52, 78, 104]
    assert grid_of("month", 24)[-3:] == [12, 18, 24]
    assert grid_of("years", 2) == [0, 0.5, 1, 1.5, 2]
    assert grid_of("visits", 5, [0, 2, 4, 8]) == [0, 2, 4]


@pytest.mark.parametrize(("unit", "of"), [(None, "an unknown unit of time"), ("visits", "visits")])
def test_a_unit_without_a_grid_cannot_be_released(unit, of):
    curve = sr.survival.kaplan_meier(pl.DataFrame({"time": [1, 2], "event": [1, 0]}), time_unit=unit, **NAMED)
    with pytest.raises(DisclosureError, match=f"counted in {of} has no grid of times .* Give the estimator time_unit="):
        curve.release_form(curve.count_tables, curve.settings, (), NHS)


def test_a_study_states_a_grid_for_another_unit_and_not_for_days():
    frame = pl.DataFrame({"time": [1, 3, 5], "event": [1, 0, 0]})
    curve = sr.survival.kaplan_meier(frame, time_unit="visits", grid=[0, 2, 4], **NAMED)
    assert sorted({time for time, _ in grid(curve)}) == [0, 2, 4]
    with pytest.raises(ArgumentError, match="released on one grid of times in all reports"):
        sr.survival.kaplan_meier(frame, time_unit="days", grid=[0, 1, 2, 3], **NAMED)
    for wrong in ([1, 2], [0], [0, 2, 2], [0, float("inf")], range(50)):
        with pytest.raises(ArgumentError, match="grid must rise from 0 and have 2 to 40 times"):
            sr.survival.kaplan_meier(frame, grid=wrong, **NAMED)


def test_a_horizon_off_the_grid_is_refused_with_the_next_time():
    require_grid_time(730, "days")
    with pytest.raises(ArgumentError, match=r"horizon=400 is no time .* The next one is 548 days\."):
        require_grid_time(400, "days")
    with pytest.raises(ArgumentError, match=r"time=9 is no time .* The last one is 8\."):
        require_grid_time(9, None, [0, 4, 8], what="time")


def test_three_people_on_the_grid_by_hand():
    # an event on day 30 counts at 30; a censoring on day 60 does not yet, since its person was seen free up to 60;
    # the last is censored at the horizon of 365 and is at risk at it
    curve = sr.survival.kaplan_meier(
        pl.DataFrame({"time": [30, 60, 365], "event": [1, 0, 0]}), time_unit="days", **NAMED
    )
    counts = grid(curve)
    assert [counts[0, "at risk"], len([t for t, _ in counts if t == 0])] == [3, 1]
    assert [counts[30, s] for s in ("event 1", "censored", "at risk")] == [1, 0, 2]
    assert [counts[60, s] for s in ("event 1", "censored", "at risk")] == [1, 0, 2]
    assert [counts[90, s] for s in ("event 1", "censored", "at risk")] == [1, 1, 1]
    assert [counts[365, s] for s in ("event 1", "censored", "at risk")] == [1, 1, 1]
    assert max(time for time, _ in counts) == 365


def test_what_happens_on_day_0_belongs_to_the_first_interval():
    curve = sr.survival.kaplan_meier(pl.DataFrame({"time": [0, 0, 40], "event": [1, 0, 0]}), time_unit="days", **NAMED)
    counts = grid(curve)
    assert counts[0, "at risk"] == 3
    assert [counts[30, s] for s in ("event 1", "censored", "at risk")] == [1, 1, 1]


def test_late_entry_on_the_grid_by_hand():
    # entered on 0, 30 and 50; the first has the event on 20
    frame = pl.DataFrame({"entry": [0, 30, 50], "time": [20, 70, 90], "event": [1, 0, 0]})
    curve = sr.survival.kaplan_meier(frame, entry="entry", time_unit="days", **NAMED)
    counts = grid(curve)
    states = ("event 1", "censored", "not yet entered", "at risk")
    assert [counts[0, s] for s in states[2:]] == [2, 1]
    assert [counts[30, s] for s in states] == [1, 0, 1, 1]
    assert [counts[60, s] for s in states] == [1, 0, 0, 2]
    assert [counts[90, s] for s in states] == [1, 1, 0, 1]
    early = frame.with_columns(pl.col("entry") - 10)
    with pytest.raises(DisclosureError, match="times below 0"):
        grid(sr.survival.kaplan_meier(early, entry="entry", time_unit="days", **NAMED))


def test_causes_with_at_risk_and_censored_are_everybody():
    curve = sr.survival.cumulative_incidence(admissions(), by="sex", time_unit="days", **NAMED)
    table = curve.release_form(curve.count_tables, curve.settings, ("sex",), NHS)["grid"]
    total = table.group_by("sex", "time").agg(pl.col("n_persons").sum())
    size = admissions().group_by("sex").len()
    assert total.join(size, on="sex").select((pl.col("n_persons") == pl.col("len")).all()).item()
    assert set(table["state"]) == {"event 1", "event 2", "censored", "at risk"}
    # every stratum has the same times, whoever is followed longest
    assert table.group_by("sex").agg(pl.col("time").n_unique())["time"].to_list() == [13, 13]


def test_roles_and_relations_of_a_curve():
    curve = sr.survival.kaplan_meier(
        admissions().with_columns(pl.col("event") == 1), by="sex", time_unit="days", **NAMED
    )
    form = curve.release_form(curve.count_tables, curve.settings, curve.by, NHS)
    assert list(form) == ["grid"]
    roles = curve.roles_of(curve.settings)["grid"]
    cells = [
        roles.counts(row, "n_persons", curve.settings).within([("sex", row["sex"])])
        for row in form["grid"].iter_rows(named=True)
    ]
    assert len(set(cells)) == len(cells) == 2 * (1 + 12 * 3)
    assert everybody().within([("sex", "F")]) in cells  # at 0 all are at risk
    relations = list(declared_relations(curve, form))
    partitions = [r for r in relations if isinstance(r, Partition)]
    assert len(partitions) == 2 * 12
    assert all(r.complete and len(r.parts) == 3 and set(r.parts) <= set(cells) for r in partitions)
    exact = dict(zip(cells, form["grid"]["n_persons"].to_list(), strict=True))
    for relation in relations:
        if isinstance(relation, Partition):
            assert exact[relation.whole] == sum(exact[part] for part in relation.parts)
        else:
            assert isinstance(relation, Nested)
            assert exact[relation.inner] <= exact[relation.outer]


def test_one_outcome_is_the_same_people_in_every_result():
    frame = admissions().with_columns(pl.col("event") == 1)
    whole = sr.survival.kaplan_meier(frame, time_unit="days", **NAMED)
    by_sex = sr.survival.kaplan_meier(frame, by="sex", time_unit="days", confidence=0.9, **NAMED)
    other = sr.survival.kaplan_meier(frame.rename({"event": "fell"}), time="time", event="fell", time_unit="days")
    competing = sr.survival.cumulative_incidence(admissions(), time_unit="days", **NAMED)
    row = {"time": 30.0, "state": "event 1"}
    cell, again, third, fourth = (
        r.roles_of(r.settings)["grid"].counts(row, "n_persons", r.settings) for r in (whole, by_sex, other, competing)
    )
    assert cell == again
    assert len({cell, third, fourth}) == 3
    test = sr.survival.logrank_test(frame, by="sex", time_unit="days", **NAMED)
    assert test.roles_of(test.settings)["groups"].counts({"time": 30.0}, "observed", test.settings) == cell


def test_an_outcome_is_the_same_people_whether_deaths_compete_or_are_censored():
    """Whoever is admitted first of admission and death is admitted; the dead and the censored may be fewer."""
    alone = sr.survival.kaplan_meier(
        admissions().with_columns(pl.col("event") == 1), time_unit="days", event_name="admission", **NAMED
    )
    competing = sr.survival.cumulative_incidence(
        admissions(), time_unit="days", cause_names={1: "admission", 2: "death"}, **NAMED
    )
    exact: dict[object, int] = {}
    relations = []
    for result in (alone, competing):
        form = result.release_form(result.count_tables, result.settings, (), NHS)
        counts = result.roles_of(result.settings)["grid"].counts
        for row in form["grid"].iter_rows(named=True):
            assert exact.setdefault(counts(row, "n_persons", result.settings), row["n_persons"]) == row["n_persons"]
        relations += result.relations(form, result.settings)
    times = form["grid"]["time"].unique().sort().to_list()[1:]
    assert len(exact) == 1 + 6 * len(times)  # admissions are shared; of the second: death, at risk, censored
    own, other = (
        [r.roles_of(r.settings)["grid"].counts({"time": t, "state": "at risk"}, "n_persons", r.settings) for t in times]
        for r in (competing, alone)
    )
    assert {Nested(a, b) for a, b in zip(own, other, strict=True)} <= set(relations)
    # whoever died before a time is among those censored before it where deaths are censored
    dead = [r for r in relations if isinstance(r, Partition) and len(r.parts) == 2]
    assert len(dead) == len(times)
    for relation in dead:
        exact[relation.parts[1]] = exact[relation.whole] - exact[relation.parts[0]]
    for relation in (r for r in relations if isinstance(r, Nested) and {r.inner, r.outer} <= set(exact)):
        assert exact[relation.inner] <= exact[relation.outer]


def cell_of(result, column="n_persons", table="grid", time=30.0, state="event 1"):
    return result.roles_of(result.settings)[table].counts({"time": time, "state": state}, column, result.settings)


def relations_declared(result):
    return set(declared_relations(result, result.release_form(result.count_tables, result.settings, result.by, NHS)))


def test_events_without_a_name_are_those_of_the_column_in_a_result_that_names_them():
    frame = admissions().with_columns(pl.col("event") == 1)
    named = sr.survival.kaplan_meier(frame, time_unit="days", event_name="admission", **NAMED)
    unnamed = sr.survival.kaplan_meier(frame, time_unit="days", **NAMED)
    competing = sr.survival.cumulative_incidence(
        admissions(), time_unit="days", cause_names={1: "admission", 2: "death"}, **NAMED
    )
    for state in ("event 1", "censored", "at risk"):
        same = Same(cell_of(named, state=state), cell_of(unnamed, state=state))
        assert same.one != same.other
        assert same in relations_declared(named) & relations_declared(competing)
    # in a test too, whichever of the two gives the name
    options = dict(by="sex", time_unit="days", **NAMED)
    for test, curve in (
        (sr.survival.logrank_test(frame, **options), sr.survival.kaplan_meier(frame, event_name="fall", **options)),
        (sr.survival.logrank_test(frame, event_name="fall", **options), sr.survival.kaplan_meier(frame, **options)),
    ):
        events = {cell_of(test, "observed", "groups", 365.0), cell_of(curve, time=365.0)}
        told = relations_declared(test) | relations_declared(curve)
        for sex in ("F", "M"):
            assert {of.within([("sex", sex)]) for of in events} in [
                {r.one, r.other} for r in told if isinstance(r, Same)
            ]


def test_events_of_one_name_are_the_same_people_whatever_their_column():
    frame = admissions().with_columns(pl.col("event") == 1)
    one = sr.survival.kaplan_meier(frame, time_unit="days", event_name="admission", **NAMED)
    other = sr.survival.kaplan_meier(
        frame.rename({"event": "fell"}), time="time", event="fell", time_unit="days", event_name="admission"
    )
    assert cell_of(one) == cell_of(other)


def test_readmission_follows_those_who_were_discharged():
    cohort = sr.define_cohort(sr.example_study())
    curves = [
        sr.survival.cumulative_incidence(cohort.follow_up(event=event))
        for event in ("readmission", "emergency_admission")
    ]
    first, second = (
        r.roles_of(r.settings)["grid"].counts({"time": 0.0, "state": "at risk"}, "n_persons", r.settings)
        for r in curves
    )
    assert first != second == everybody()


def test_generated_data_may_be_shown_by_day():
    curve = sr.survival.kaplan_meier(admissions().with_columns(pl.col("event") == 1), time_unit="days", **NAMED)
    tables = curve.release_form(curve.count_tables, curve.settings, (), Policy.synthetic())
    assert list(tables) == ["events"]


def test_nothing_by_day_is_in_a_released_curve():
    curve = released(sr.survival.cumulative_incidence(admissions(), by="sex", time_unit="days", **NAMED))
    again = released(curve)
    assert again.estimates.equals(curve.estimates)
    assert list(curve.count_tables) == ["grid"]
    assert set(curve.estimates["time"]) <= set(grid_of("days", 365))
    assert curve.estimates["standard_error"].null_count() == curve.estimates.height
    assert "life table" in curve.settings["method"]


# the estimate ---------------------------------------------------------------


def table_of(at_risk, event, censored, **others):
    counts = {"at risk": at_risk, "event 1": event, "censored": censored, **others}
    return {
        name: np.array([np.nan if n is None else n for n in values], dtype=float) for name, values in counts.items()
    }


def test_actuarial_estimate_by_hand():
    # interval  at risk  events  censored  exposed to risk   probability of no event   survival
    #    1        100      10       20     100 - 20/2 = 90    80/90                0.888889
    #    2         70       7       14      70 - 14/2 = 63    56/63                0.790123
    #    3         49       7        0      49                42/49                0.677249
    found = survival_on_grid(table_of([100, 70, 49, 42], [0, 10, 17, 24], [0, 20, 34, 34]), None, 0.95, "log")
    assert found.estimate.tolist() == pytest.approx([1, 8 / 9, 64 / 81, 128 / 189])
    # all censored first, or last: 70 of 80 or 90 of 100; then 49 of 56 or 63 of 70; the third has none
    # Greenwood, censored first: 1/70 - 1/80, and 1/49 - 1/56 more
    worst = 1 / 70 - 1 / 80
    assert found.lower[1] == pytest.approx(70 / 80 * exp(-Z * sqrt(worst)))
    assert found.upper[1] == pytest.approx(90 / 100 * exp(Z * sqrt(worst)))
    assert found.lower[2] == pytest.approx(70 / 80 * 49 / 56 * exp(-Z * sqrt(worst + 1 / 49 - 1 / 56)))


def test_multiple_decrement_by_hand():
    # 100 at risk, 10 with cause 1, 5 with cause 2, 10 censored: exposed 95, then 75 - 5 / 2 = 72.5 with 5 and 0 more
    counts = table_of([100, 75, 65], [0, 10, 15], [0, 10, 15], **{"event 2": [0, 5, 5]})
    first, second = cumulative_incidence_on_grid(counts, ["event 1", "event 2"], None, 0.95, "log")
    free = 1 - 15 / 95
    assert first.estimate.tolist() == pytest.approx([0, 10 / 95, 10 / 95 + free * 5 / 72.5])
    assert second.estimate.tolist() == pytest.approx([0, 5 / 95, 5 / 95])


def test_a_suppressed_time_is_passed_over():
    # at the second time the events are suppressed: the third is computed over both intervals at once
    # exposed 100 - (100 - 24 - 42) / 2 = 83
    found = survival_on_grid(table_of([100, 70, 42], [0, None, 24], [0, 20, 34]), None, 0.95, "log")
    assert np.isnan(found.estimate).tolist() == [False, True, False]
    assert found.estimate[2] == pytest.approx(1 - 24 / 83)
    # and where the size of the group is suppressed nothing is told
    none = survival_on_grid(table_of([None, 70], [0, 10], [0, 20]), None, 0.95, "log")
    assert np.isnan(none.estimate).all()


def test_beyond_follow_up_there_is_no_estimate():
    found = survival_on_grid(table_of([30, 10, 0], [0, 10, 10], [0, 10, 20]), None, 0.95, "log")
    assert np.isnan(found.estimate).tolist() == [False, False, True]


def test_nobody_at_risk_in_the_middle():
    # the only one at risk early has the event; then nobody is at risk until four enter
    frame = pl.DataFrame({"entry": [0, 70, 70, 70, 70], "time": [20, 100, 100, 200, 200], "event": [1, 1, 2, 0, 0]})
    curve = sr.survival.cumulative_incidence(frame, entry="entry", time_unit="days", **NAMED)
    form = curve.release_form(curve.count_tables, curve.settings, (), NHS)
    shown = curve.disclosed(form, Disclosure(NHS, suppressed=0)).estimates.filter(pl.col("cause") == 1)
    # the exact curve reached 1 with the first event, and stays there whoever enters later
    read = sr.survival.at(curve, shown["time"].to_list()).estimates.filter(pl.col("cause") == 1)
    both = shown.join(read, on="time", suffix="_exact").drop_nulls("estimate")
    assert (both["lower"] <= both["estimate_exact"]).drop_nulls().all()
    assert (both["upper"] >= both["estimate_exact"]).drop_nulls().all()


def test_a_released_row_by_hand_and_its_marks():
    # 40 people: 9 with the event on day 20 (shown as 10), 3 on day 40; 21 censored on day 50; 7 on day 130
    frame = pl.DataFrame({"time": [20, 40, 50, 130], "event": [1, 1, 0, 0], "n": [9, 3, 21, 7]})
    curve = released(sr.survival.kaplan_meier(frame, weights="n", time_unit="days", **NAMED))
    rows = {row["time"]: row for row in curve.estimates.iter_rows(named=True)}
    assert [rows[30][c] for c in ("n_at_risk", "n_events", "n_censored")] == [30, 10, 0]
    assert rows[30]["estimate"] == pytest.approx(
        30 / 40
    )  # from 40, 30 and 10 as they are shown: 10 gone, all of them events
    assert [rows[60][c] for c in ("n_at_risk", "n_events", "n_censored")] == [None, 10, 20]
    assert curve.format_cell(rows[60], "n_at_risk") == curve.format_cell(rows[60], "estimate") == "[c]"
    assert curve.format_cell(rows[30], "standard_error") == "[z]"
    assert max(rows) == 120


def test_bounds_of_a_rounded_count():
    rule = {"threshold": 7, "rounding": 5, "hide_zeros": False}
    assert ends_of_count(0, rule) == (0, 0)
    assert ends_of_count(10, rule) == (8, 12)
    assert ends_of_count(15, rule) == (13, 17)
    assert ends_of_count(0, {"threshold": 2, "rounding": 11}) == (0, 5)
    assert ends_of_count(7, {"threshold": 0, "rounding": 1}) == (7, 7)
    for n in range(8, 200):
        low, high = ends_of_count((n + 2) // 5 * 5, rule)
        assert low <= n <= high


# the limits, by brute force --------------------------------------------------


def exact_interval(order, n, kind):
    """Kaplan-Meier and its interval after exits in an order: e = event, c = censored, i = somebody enters."""
    survival, greenwood = 1.0, 0.0
    for exit_ in order:
        if exit_ == "e":
            greenwood = greenwood + 1 / (n * (n - 1)) if n > 1 else np.inf
            survival *= 1 - 1 / n
        n += 1 if exit_ == "i" else -1
    if survival <= 0:
        return survival, survival, survival
    error = sqrt(greenwood)
    if kind == "plain":
        return survival, max(0, survival * (1 - Z * error)), min(1, survival * (1 + Z * error))
    if kind == "log":
        return survival, survival * exp(-Z * error), min(1, survival * exp(Z * error))
    if survival == 1:
        return 1.0, 1.0, 1.0
    width = Z * error / -log(survival)
    return survival, survival ** exp(width), survival ** exp(-width)


@pytest.mark.parametrize("kind", ["log", "log_log", "plain"])
@pytest.mark.parametrize("rounding", [1, 3])
def test_limits_hold_every_world_that_the_counts_allow(kind, rounding):
    # every number of people, events and censorings over two intervals, and every order, of up to nine people
    rule = {"threshold": 0, "rounding": rounding, "hide_zeros": False}

    def shown(n):
        return (n + rounding // 2) // rounding * rounding

    for n in (5, 9):
        for e1, c1, e2, c2 in product(range(4), repeat=4):
            last = n - e1 - c1 - e2 - c2
            if last < 1:
                continue
            at_risk, events, censored = [n, n - e1 - c1, last], [0, e1, e1 + e2], [0, c1, c1 + c2]
            counts = table_of(*[[shown(k) for k in row] for row in (at_risk, events, censored)])
            found = survival_on_grid(counts, rule, 0.95, kind)
            # the worst orders are of one kind within an interval; some mixed ones too
            for first, second in product(orders(e1, c1), orders(e2, c2)):
                for at, order in ((1, first), (2, first + second)):
                    if np.isnan(found.estimate[at]):
                        continue
                    survival, lower, upper = exact_interval(order, n, kind)
                    assert found.lower[at] <= lower + 1e-12
                    assert found.upper[at] >= upper - 1e-12
                    assert found.lower[at] - 1e-12 <= survival <= found.upper[at] + 1e-12


def orders(events, censored):
    """Return every order of so many events and censorings."""
    total = events + censored
    chosen = (set(places) for places in combinations(range(total), events))
    found = {"".join("e" if k in places else "c" for k in range(total)) for places in chosen}
    return sorted(found)


def exact_incidence(order, n, kind):
    """Aalen-Johansen of cause 1 and its interval after exits in an order: a, b = cause 1, 2; c = censored."""
    free, reached, steps = 1.0, 0.0, []
    for exit_ in order:
        if exit_ != "c":
            after = free * (1 - 1 / n)
            reached += free / n * (exit_ == "a")
            steps.append((exit_, free, after, reached, n))
            free = after
        n -= 1
    # delta method: the slope by each hazard, and the binomial variance h (1 - h) / n of one event among n
    variance = 0.0
    for exit_, before, after, there, at_risk in steps:
        later = (reached - there) * before / after if after else 0.0
        slope = before * (exit_ == "a") - later
        variance += slope**2 * (1 / at_risk) * (1 - 1 / at_risk) / at_risk
    error = sqrt(variance)
    if kind == "plain":
        return reached, max(0, reached - Z * error), min(1, reached + Z * error)
    return reached, reached * exp(-Z * error / reached), min(1, reached * exp(Z * error / reached))


@pytest.mark.parametrize("kind", ["log", "plain"])
@pytest.mark.parametrize("rounding", [1, 3])
def test_limits_of_an_incidence_hold_every_world_that_the_counts_allow(kind, rounding):
    rule = {"threshold": 0, "rounding": rounding, "hide_zeros": False}
    states = ["event 1", "event 2"]

    def shown(*row):
        return [(n + rounding // 2) // rounding * rounding for n in row]

    for n, a, b, c in product((5, 8), (1, 2), range(3), range(4)):
        last = n - a - b - c
        if last < 1:
            continue
        worlds, known = sorted(set(permutations("a" * a + "b" * b + "c" * c))), {}
        # in one interval, or the first exit in an interval of its own
        for split in (0, 1):
            for order in worlds:
                early = [order[:split].count(exit_) for exit_ in "abc"]
                middle = [[n - split], *([k] for k in early)] if split else [[], [], [], []]
                at_risk, first, second, censored = (
                    shown(start, *mid, end)
                    for start, mid, end in zip((n, 0, 0, 0), middle, (last, a, b, c), strict=True)
                )
                counts = table_of(at_risk, first, censored, **{"event 2": second})
                key = str(counts)
                if key not in known:
                    known[key] = cumulative_incidence_on_grid(counts, states, rule, 0.95, kind)[0]
                found = known[key]
                if np.isnan(found.estimate[-1]) or (first[-1] == 0 and rounding == 1):
                    continue
                reached, lower, upper = exact_incidence(order, n, kind)
                if np.isnan(found.lower[-1]):  # shown as zero
                    continue
                assert found.lower[-1] <= lower + 1e-12
                assert found.upper[-1] >= upper - 1e-12
                assert found.lower[-1] - 1e-12 <= reached <= found.upper[-1] + 1e-12


def test_one_interval_of_exact_counts_has_the_limits_of_its_extreme_orders():
    # nothing wider than the union: all 4 censored first, or last
    found = survival_on_grid(table_of([20, 10], [0, 6], [0, 4]), None, 1e-9, "log")
    assert found.lower[1] == pytest.approx(10 / 16)
    assert found.upper[1] == pytest.approx(14 / 20)


@pytest.mark.parametrize("interval", ["log", "log_log", "plain"])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("policy", [NHS, Policy.sacro(), Policy.nhs_england(threshold=10, rounding=10)])
def test_exact_curves_lie_within_released_limits(interval, late, policy):
    for seed, n in enumerate((40, 90, 250, 1500)):
        frame = admissions(n, seed)
        options = {"by": "sex", "time_unit": "days", "interval": interval, **NAMED}
        if late:
            rng = np.random.default_rng(seed)
            entry = np.where(rng.random(n) < 0.5, 0, np.minimum(rng.integers(0, 200, n), frame["time"].to_numpy() - 1))
            frame, options = frame.with_columns(pl.Series("entry", entry)), {**options, "entry": "entry"}
        for exact in (
            sr.survival.cumulative_incidence(frame, **options),
            sr.survival.kaplan_meier(frame.with_columns(pl.col("event") == 1), **options),
        ):
            shown = released(exact, policy).estimates
            assert shown["estimate"].count() or n < 250
            times = shown["time"].unique().sort().to_list()
            keys = [c for c in ("sex", "cause", "time") if c in shown.columns]
            both = shown.join(sr.survival.at(exact, times).estimates, on=keys, suffix="_exact")
            both = both.filter(pl.col("estimate").is_not_null() & (pl.col("time") > 0))
            for low in ("estimate_exact", "lower_exact", "estimate"):
                assert (both["lower"] <= both[low] + 1e-12).drop_nulls().all()
            for high in ("estimate_exact", "upper_exact", "estimate"):
                assert (both["upper"] >= both[high] - 1e-12).drop_nulls().all()
            assert both["estimate_exact"].null_count() == 0  # none beyond follow-up


# reading, saying, drawing -------------------------------------------------------


def test_a_released_curve_is_read_at_times_of_the_grid():
    exact = sr.survival.cumulative_incidence(
        admissions(), time_unit="days", cause_names={1: "emergency_admission", 2: "death"}, **NAMED
    )
    curve = released(exact)
    read = sr.survival.at(curve, [0, 90, 365, 730])
    rows = read.estimates.filter(pl.col("cause") == 1)
    assert (
        rows["n_at_risk"].to_list()[:3]
        == curve.estimates.filter((pl.col("cause") == 1) & pl.col("time").is_in([0.0, 90.0, 365.0]))[
            "n_at_risk"
        ].to_list()
    )
    assert (
        read.format_cell(rows.row(3, named=True), "n_at_risk")
        == read.format_cell(rows.row(3, named=True), "estimate")
        == "[x]"
    )
    with pytest.raises(
        ArgumentError, match=r"time=100 is no time at which curves are released. The next one is 120 days"
    ):
        sr.survival.at(curve, [90, 100])
    with pytest.raises(ArgumentError, match="next one is 120 days"):
        released(sr.survival.at(exact, [100]))
    assert released(sr.survival.at(exact, [90])).estimates.equals(sr.survival.at(curve, [90]).estimates)


def test_a_sentence_of_a_released_curve():
    frame = admissions(600).with_columns(pl.col("event") == 1, pl.lit(1, dtype=pl.Int64).alias("n"))
    few = pl.DataFrame({"time": [40.0, 200.0], "event": [True, False], "sex": ["other", "other"], "n": [2, 3]},
                       schema=frame.schema)  # fmt: skip
    curve = sr.survival.kaplan_meier(pl.concat([frame, few]), by="sex", weights="n", time_unit="days",
                                     event_name="admission", **NAMED)  # fmt: skip
    said = released(curve).sentence()
    assert said.startswith("At 365 days, ")
    assert "of men had no hospital admission (other [" in said
    nobody = released(sr.survival.kaplan_meier(few, weights="n", time_unit="days", **NAMED))
    assert nobody.sentence() == "No group is large enough to show a curve."


def test_logrank_is_released_as_a_level():
    frame = pl.concat([
        admissions(500, 2).with_columns(pl.lit("F").alias("sex")),
        admissions(500, 3).with_columns(pl.lit("M").alias("sex"), (pl.col("time") / 2).ceil().alias("time")),
    ]).with_columns(pl.col("event") == 1)  # fmt: skip
    exact = sr.survival.logrank_test(frame, by="sex", time_unit="days", **NAMED)
    form = exact.release_form(exact.count_tables, exact.settings, exact.by, NHS)
    assert form["test"]["p_value"].item() == exact.estimates["p_value"].item()
    assert form["groups"]["time"].to_list() == [365, 365]
    assert form["groups"]["observed"].sum() == frame.filter("event").height
    # the same events are expected as are observed, to two figures
    assert form["groups"]["expected"].sum() == pytest.approx(form["groups"]["observed"].sum(), rel=0.05)
    test = released(exact)
    assert test.estimates["statistic"].item() is None
    assert test.format_cell(test.estimates.row(0, named=True), "statistic") == "[c]"
    level = test.disclosed(
        {**test.count_tables, "test": test.count_tables["test"].with_columns(pl.lit(0.001).alias("p_value"))},
        test.disclosure,
    )
    assert level.sentence() == "Groups by sex differ (log-rank test, p ≤ 0.001)."
    none = test.disclosed(
        {**test.count_tables, "test": test.count_tables["test"].with_columns(pl.lit(1.0).alias("p_value"))},
        test.disclosure,
    )
    assert none.sentence() == "Groups by sex do not clearly differ (log-rank test, p > 0.05)."


def test_logrank_says_nothing_beside_a_suppressed_group():
    frame = admissions(60).with_columns(pl.col("event") == 1, pl.Series("arm", ["a"] * 55 + ["b"] * 5))
    test = released(sr.survival.logrank_test(frame, by="arm", time_unit="days", **NAMED))
    assert test.groups["expected"].to_list() == [None, None]
    assert test.estimates["p_value"].item() is None
    assert "too small to compare" in test.sentence()


def words(ax, gid):
    return [text.get_text() for text in ax.texts if text.get_gid() == gid]


def corners(svg):
    """Number of points of the longest two lines of a picture."""
    paths = re.findall(
        r'<path d="([^"]*)" clip-path="[^"]*" style="fill: none; stroke: #[0-9a-f]*; stroke-width: 1.8', svg
    )
    return sum(len(re.findall("[ML]", path)) for path in paths)


def test_a_released_curve_is_drawn_at_the_grid_and_nowhere_else():
    frame = admissions(300, 4)
    exact = sr.survival.kaplan_meier(frame.with_columns(pl.col("event") == 1), by="sex", time_unit="days", **NAMED)
    curve = released(exact)
    ax = sr.plot_survival(curve)
    lines = ax.get_lines()
    assert len(lines) == 2
    for line in lines:
        assert line.get_drawstyle() == "default"
        assert set(line.get_xdata()) <= set(grid_of("days", 365))
    note = " ".join(" ".join(words(ax, "footnote")).split())
    assert "Life-table (actuarial) estimates" in note
    assert "the intervals allow for grid and rounding" in note
    numbers = curve.estimates.filter(pl.col("time") == 0)["n_at_risk"].to_list()
    assert all(str(n) in words(ax, "at risk") for n in numbers)
    # nor is a day of an event that is not the grid's in the file, in what its labels say or where its lines bend
    store = io.StringIO()
    ax.figure.savefig(store, format="svg")
    exact_file = io.StringIO()
    sr.plot_survival(exact).figure.savefig(exact_file, format="svg")
    assert corners(exact_file.getvalue()) > 100
    assert corners(store.getvalue()) <= 2 * 13
    steps = sr.plot_survival(exact).get_lines()
    assert {line.get_drawstyle() for line in steps} == {"steps-post"}


def test_a_horizon_of_a_released_figure_is_a_time_of_the_grid():
    curve = released(sr.survival.cumulative_incidence(admissions(), time_unit="days", **NAMED))
    assert sr.plot_survival(curve, horizon=180).get_xlim() == (0, 180)
    with pytest.raises(ArgumentError, match=r"horizon=100 is no time .* next one is 120 days"):
        sr.plot_survival(curve, horizon=100)
    with pytest.raises(ArgumentError, match=r"time=45 is no time .* next one is 60 days"):
        sr.plot_survival(curve, times=[0, 45])


def test_suppressed_numbers_are_marked_under_a_figure():
    # 30 people of whom 26 are censored on day 100: from 120 on 4 are at risk
    frame = pl.DataFrame({"time": [10, 100, 250], "event": [1, 0, 0], "n": [20, 26, 4]})
    ax = sr.plot_survival(released(sr.survival.kaplan_meier(frame, weights="n", time_unit="days", **NAMED)))
    assert "[c]" in words(ax, "at risk")
    assert "[c] suppressed by disclosure control." in " ".join(words(ax, "footnote")[0].split())
    few = pl.DataFrame({"time": [10, 100], "event": [1, 0], "n": [2, 3]})
    none = sr.plot_survival(released(sr.survival.kaplan_meier(few, weights="n", time_unit="days", **NAMED)))
    assert not none.get_lines()


def test_a_risk_asked_for_after_the_end_counts_whom_a_curve_that_ends_before_counts():
    # 46 women and 1 man have the event by 330 days: 47 by 365, shown as 45 (43-47), and 45 (43-47) women leave the man 1 to 4
    groups = [("F", 1, 40, 23), ("F", 1, 90, 23), ("M", 1, 200, 1), ("F", 0, 350, 60), ("M", 0, 350, 90)]
    rows = [(sex, event, time, k % 2) for sex, event, time, n in groups for k in range(n)]
    frame = pl.DataFrame(rows, schema=["sex", "event", "time", "older"], orient="row")
    curve = sr.survival.kaplan_meier(frame, by="sex", time_unit="days", **NAMED)
    model = sr.survival.cox_regression(frame, covariates="older", time_unit="days", **NAMED)
    risk = sr.survival.absolute_risk(model, {"older": 1}, 365)
    shown, at_end = sr.suppress([curve, risk], NHS)
    events = shown.count_tables["grid"].filter(
        pl.col("state") == "event 1", pl.col("sex") == "F", pl.col("time") >= 210
    )
    assert at_end.count_tables["risk"]["n_events"].item() != 45 or events["n_persons"].null_count() == events.height
    # one by one each is shown
    alone = sr.suppress(curve, NHS).count_tables["grid"].filter(pl.col("state") == "event 1", pl.col("sex") == "F")
    assert 45 in alone["n_persons"].to_list()
    assert sr.suppress(risk, NHS).count_tables["risk"]["n_events"].item() == 45
