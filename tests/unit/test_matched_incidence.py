"""Cumulative incidence of both arms: by hand, against a plain loop, the library's own curves and the bootstrap; released."""

from __future__ import annotations

from math import exp, sqrt

import numpy as np
import polars as pl
import pytest
from test_match_controls import match, on, twelve

import symphony_research as sr
from symphony_research.cohort.matched import event_times, outcome_rows
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.incidence import grid_days, weighted_incidence
from symphony_research.evaluation.released_shares import as_counts_allow, upwards
from symphony_research.survival.grid import grid_of

c = pl.col


def admitted() -> object:
    more = twelve().activity.collect()
    return twelve(
        activity=pl.concat([more, more.filter(c("date") == on(10)).with_columns(person_id=pl.lit(2, dtype=pl.Int64))])
    )


def test_curves_are_those_by_hand():
    # the twelve of test_enrolment_effect: of 1, 2 and 3, who enrol, 2 is admitted on day 10. Of controls, 3 (of 1 and of 2, a
    # half each) is admitted on day 10; 4 (a half, a half, a third) on day 350 of the set of 3; 10 and 11 (a third each) never
    found = sr.evaluation.matched_incidence(match(admitted(), ratio=5))
    own, others = (found.estimates.filter(c("arm") == arm) for arm in ("enrolled", "controls"))
    assert own["time"].to_list() == [*range(30, 331, 30), 365]
    assert own["estimate"].to_list() == pytest.approx([1 / 3] * 12)
    assert others["estimate"].to_list() == pytest.approx([1 / 3] * 11 + [1 / 3 + 1 / 9])
    assert own["n_with_event"].to_list() == [1] * 12
    assert others["n_with_event"].to_list() == [1] * 11 + [2]
    # of 3 people without weights the variance of a share is F (1 - F) / n
    half = 1.959964 * sqrt(2 / 9 / 3) / (1 / 3)
    assert own["upper"][0] == pytest.approx(min(1, exp(half) / 3), rel=1e-6)
    assert own["lower"][0] == pytest.approx(exp(-half) / 3, rel=1e-6)
    assert found.differences["estimate"].to_list() == pytest.approx([0.0] * 11 + [-1 / 9])


def test_numbers_at_risk_are_those_by_hand():
    # as above: of 1, 2 and 3 the second is admitted on day 10. Weights of controls are 1 for each of the three; 3, with two halves, is
    # admitted on day 10, and 4, with a third of the set of 3, on day 350
    found = sr.evaluation.matched_incidence(match(admitted(), ratio=5))
    own = found.at_risk.filter(c("arm") == "enrolled")
    assert own["time"].to_list() == [0, *range(30, 331, 30), 365]
    assert own["n_at_risk"].to_list() == [3] + [2] * 12
    weights = found.count_tables["weights"]
    assert weights["n_at_risk"].to_list() == pytest.approx([3] + [2] * 11 + [2 - 1 / 3])
    assert found.at_risk.filter(c("arm") == "controls")["n_at_risk"].to_list() == [3] + [2] * 12


def test_times_are_those_of_released_curves():
    for horizon in (20, 30, 364, 365, 547, 548, 1095, 2500):
        assert [float(day) for day in grid_days(horizon)] == grid_of("days", horizon)[1:]
    with pytest.raises(ArgumentError, match="The next one is 120 days"):
        sr.evaluation.matched_incidence(match(twelve(), ratio=5), horizon=100)
    with pytest.raises(ArgumentError, match="outcome='luck'"):
        sr.evaluation.matched_incidence(match(twelve(), ratio=5), event="luck")
    with pytest.raises(ArgumentError, match="match_controls"):
        sr.evaluation.matched_incidence(twelve())  # type: ignore[arg-type]


def drawn(n: int = 60, seed: int = 3):
    rng = np.random.default_rng(seed)
    return rng.integers(1, 25, n), rng.integers(0, 3, n), rng.random(n) + 0.2


def naive(time, cause, weight, t) -> float:
    """Aalen-Johansen by a plain loop over days."""
    share, alive = 0.0, 1.0
    for day in range(1, t + 1):
        at_risk = sum(w for x, w in zip(time, weight, strict=True) if x >= day)
        had, other = (
            sum(w for x, k, w in zip(time, cause, weight, strict=True) if x == day and k == kind) for kind in (1, 2)
        )
        if at_risk > 0:
            share += alive * had / at_risk
            alive *= 1 - (had + other) / at_risk
    return share


def test_weighted_incidence_is_that_of_a_plain_loop_and_its_influence_the_derivative_by_a_weight():
    time, cause, weight = drawn()
    times = [5, 12, 24]
    found = weighted_incidence(time, cause, weight, times)
    assert found.estimate == pytest.approx([naive(time, cause, weight, t) for t in times])
    for row in range(0, 60, 7):
        more = weight.copy()
        more[row] += 1e-6
        moved = [(naive(time, cause, more, t) - naive(time, cause, weight, t)) / 1e-6 * weight[row] for t in times]
        assert found.influence[row] == pytest.approx(moved, abs=1e-7)
    # weights may be doubled: nothing moves
    assert found.influence.sum(axis=0) == pytest.approx([0, 0, 0], abs=1e-12)


def test_with_equal_weights_it_is_the_curve_of_this_library_with_nearly_its_error():
    time, cause, _ = drawn(400, 8)
    theirs = sr.survival.cumulative_incidence(pl.DataFrame({"time": time, "event": cause}), time="time", event="event")
    theirs = theirs.estimates.filter(c("cause") == 1)
    found = weighted_incidence(time, cause, np.ones(400), theirs["time"].cast(int).to_list())
    assert found.estimate == pytest.approx(theirs["estimate"].to_numpy(), abs=1e-12)
    # the infinitesimal jackknife is another estimate of the same variance (R's survfit gives it for weights)
    assert np.sqrt((found.influence**2).sum(axis=0)) == pytest.approx(theirs["standard_error"].to_numpy(), rel=0.03)


@pytest.fixture(scope="module")
def matched():
    study = sr.example_study(20_000)
    return sr.evaluation.match_controls(
        study, sr.define_cohort(study, programme="complex_care"), ratio=3, caliper=None, seed=1
    )


def rows_of(matched, event: str = "emergency_admission"):
    """Rows as arm, weight, person, day and cause, by plain loops over what happened."""
    found = outcome_rows(matched, event, last=365)
    day, cause = found.days.copy(), np.zeros(len(found.days), int)
    first: dict[tuple[int, int], float] = {}
    for kind, name in ((2, "death"), (1, event)):
        for place, when in zip(*event_times(matched, name, found, last=365), strict=True):
            first[kind, int(place)] = min(first.get((kind, int(place)), 1e9), float(when))
    for place in range(len(day)):
        for kind in (2, 1):
            when = first.get((kind, place))
            if when is not None and when <= day[place]:
                day[place], cause[place] = when, kind
    there = found.days > 0
    return found.treated[there], found.weight[there], found.person[there], day[there].astype(int), cause[there]


def test_both_arms_and_their_errors_against_loops_and_the_bootstrap(matched):
    found = sr.evaluation.matched_incidence(matched)
    treated, weight, person, time, cause = rows_of(matched)
    rng = np.random.default_rng(4)
    people = np.unique(person)
    again = []
    for _ in range(400):
        times = np.bincount(rng.integers(0, len(people), len(people)), minlength=len(people))
        w = weight * times[np.searchsorted(people, person)]
        again.append(
            [weighted_incidence(time[own], cause[own], w[own], [365]).estimate[0] for own in (treated, ~treated)]
        )
    again = np.array(again)
    for k, (arm, own) in enumerate((("enrolled", treated), ("controls", ~treated))):
        row = found.row(arm)
        assert row["estimate"] == pytest.approx(naive(time[own], cause[own], weight[own], 365))
        left = [
            w for w, x, k in zip(weight[own], time[own], cause[own], strict=True) if x > 180 or (x == 180 and not k)
        ]
        at_180 = found.at_risk.filter((c("arm") == arm) & (c("time") == 180))["n_at_risk"].item()
        assert at_180 == (len(left) if arm == "enrolled" else round(sum(left)))
        assert row["n_with_event"] == len({p for p, kind in zip(person[own], cause[own], strict=True) if kind == 1})
        error = np.log(row["upper"] / row["estimate"]) / 1.959964 * row["estimate"]
        # 400 resamples give a standard deviation to 3.5%
        assert error == pytest.approx(again[:, k].std(ddof=1), rel=0.15)
    row = found.differences.filter(c("time") == 365).row(0, named=True)
    error = (row["upper"] - row["lower"]) / 2 / 1.959964
    assert error == pytest.approx((again[:, 0] - again[:, 1]).std(ddof=1), rel=0.15)


def test_deaths_and_counts_are_those_beside_the_effect(matched):
    effect = sr.evaluation.enrolment_effect(matched, resamples=2)
    found = sr.evaluation.matched_incidence(matched)
    assert [found.row(arm)["n_with_event"] for arm in ("enrolled", "controls")] == effect.arms["n_with_event"].to_list()
    dead = sr.evaluation.matched_incidence(matched, event="death")
    assert [dead.row(arm)["n_with_event"] for arm in ("enrolled", "controls")] == effect.arms["n_deaths"].to_list()
    assert "died" in dead.sentence()


def test_nobody_with_the_event():
    nobody = twelve().activity.collect().filter(~c("date").is_between(on(1), on(365)))
    found = sr.evaluation.matched_incidence(match(twelve(activity=nobody), ratio=5), horizon=30)
    assert found.estimates.select("estimate", "lower", "upper").rows()[0] == (0.0, None, None)
    assert "0%" in found.sentence()
    assert sr.plot_matched_incidence(found)
    released = sr.suppress(found, sr.Policy.nhs_england())
    assert (
        released.sentence()
        == "Too few people are matched for the share who had at least one emergency admission to be shown."
    )


# -- released ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("score", ["propensity", "odds_weights"])
def test_released_intervals_hold_the_exact_ones_and_counts_are_never_small(score):
    study = sr.example_study(20_000)
    cohort = sr.define_cohort(study, programme="complex_care")
    matched = sr.evaluation.match_controls(study, cohort, ratio=3, score=score, caliper=None, seed=1)
    exact = sr.evaluation.matched_incidence(matched)
    policy = sr.Policy.nhs_england()
    released, effect = sr.suppress([exact, sr.evaluation.enrolment_effect(matched, resamples=2)], policy)
    shown = 0
    for old, new in zip(exact.estimates.iter_rows(named=True), released.estimates.iter_rows(named=True), strict=True):
        assert (
            new["n_with_event"] is None
            or new["n_with_event"] == 0
            or (new["n_with_event"] % 5 == 0 and new["n_with_event"] > 5)
        )
        if new["estimate"] is not None:
            shown += 1
            assert new["n_with_event"] is not None
            assert new["lower"] <= old["lower"] + 1e-9
            assert new["upper"] >= old["upper"] - 1e-9
    assert shown > 12
    for arm in ("enrolled", "controls"):
        shares = released.estimates.filter(c("arm") == arm)["estimate"].drop_nulls().to_list()
        assert shares == sorted(shares)
    for old, new in zip(
        exact.differences.iter_rows(named=True), released.differences.iter_rows(named=True), strict=True
    ):
        if new["estimate"] is not None:
            assert new["lower"] <= old["lower"] + 1e-9
            assert new["upper"] >= old["upper"] - 1e-9
    assert [released.row(arm)["n_with_event"] for arm in ("enrolled", "controls")] == effect.arms[
        "n_with_event"
    ].to_list()
    assert sr.suppress(released, policy).estimates.equals(released.estimates)
    at_risk = released.at_risk
    assert all(n is None or (n > 5 and n % 5 == 0) for n in at_risk["n_at_risk"])
    assert at_risk["n_at_risk"].count() > 12
    hidden = released.estimates.filter((c("arm") == "controls") & c("n_with_event").is_null())["time"]
    assert not at_risk.filter((c("arm") == "controls") & c("time").is_in(hidden.to_list()))["n_at_risk"].count()
    assert released.sentence()
    assert released.display().height == 12


@pytest.mark.parametrize("people", [23, 40, 115, 600])
def test_an_attacker_who_reads_the_steps_of_a_curve_learns_no_more_than_from_the_counts(people):
    """Every number of people and events that is shown alike, without censoring, has one share: it tells which no better."""
    policy = sr.Policy.nhs_england()
    alike: dict[tuple[int, int], set[float]] = {}
    for n in range(people - people % 5 - 2, people - people % 5 + 3):
        for events in range(8, n + 1):
            frame = pl.DataFrame(
                {"arm": ["enrolled"], "n_with_event": [events], "estimate": [events / n],
                 "standard_error": [sqrt((1 - events / n) / events) + 1e-9], "effective": [float(n)]}
            )  # fmt: skip
            made, _ = as_counts_allow(frame, 1.959964, policy)
            key = (policy.shown(n), policy.shown(events))
            alike.setdefault(key, set()).add(made["estimate"][0])
    assert len(alike) > 2
    assert all(len(shares - {None}) == 1 for shares in alike.values() if shares != {None})


def test_one_more_who_is_censored_moves_no_share():
    """Of 100 people with 40 events the share with one censored early is 40 over 99: it is shown as without."""
    policy, shown = sr.Policy.nhs_england(), set()
    for censored in range(5):
        share = 0.4 * 100 / (100 - censored)
        frame = pl.DataFrame(
            {
                "arm": ["enrolled"],
                "n_with_event": [40],
                "estimate": [share],
                "standard_error": [0.12],
                "effective": [100.0],
            }
        )
        shown.add(as_counts_allow(frame, 1.959964, policy)[0]["estimate"][0])
    assert shown == {0.4}


def test_errors_go_up_to_ten_values_a_decade():
    errors = np.array([0.01, 0.0101, 0.0799, 0.0801, 0.4, np.nan])
    assert upwards(errors, np.full(6, 20)).tolist()[:5] == pytest.approx([0.01, 0.0125, 0.08, 0.1, 0.4])
    assert upwards(errors, np.full(6, 200)).tolist()[:5] == pytest.approx([0.01, 0.011, 0.08, 0.081, 0.4])
    assert np.isnan(upwards(errors, np.full(6, 20))[5])


def test_drawn_with_the_arms_at_their_ends(matched):
    found = sr.evaluation.matched_incidence(matched)
    ax = sr.plot_matched_incidence(found)
    curves = [line for line in ax.get_lines() if line.get_gid() == "curve"]
    assert [line.get_label() for line in curves] == ["Enrolled", "Controls"]
    for line, arm in zip(curves, ("enrolled", "controls"), strict=True):
        assert line.get_ydata()[0] == 0
        assert line.get_ydata()[-1] == pytest.approx(100 * found.row(arm)["estimate"])
    rows = [text.get_text() for text in ax.texts if text.get_gid() == "at risk row"]
    assert rows == ["Enrolled", "Controls,\nweighted"] or rows == ["Enrolled", "Controls, weighted"]
    numbers = [text for text in ax.texts if text.get_gid() == "at risk"]
    assert len(numbers) == 2 * len(ax.get_xticks())
    shown = found.at_risk.filter(c("time").is_in(ax.get_xticks().tolist()))["n_at_risk"]
    assert [text.get_text() for text in numbers] == [f"{n:,}" for n in shown]


def test_where_one_at_risk_would_tell_who_had_the_event_it_is_suppressed():
    """Of 100 enrolled people 4 have the event by day 30: 96 at risk would leave four or fewer, where 1 to 7 may be told."""
    exact = sr.evaluation.matched_incidence(match(admitted(), ratio=5), horizon=30)
    tables = {
        "arms": exact.count_tables["arms"].with_columns(n_persons=pl.lit(100, dtype=pl.Int64)),
        "curves": exact.count_tables["curves"].with_columns(
            n_with_event=pl.Series([4, 50]), estimate=pl.Series([0.04, 0.5]), standard_error=pl.Series([0.4, 0.2])
        ),
        "at_risk": pl.DataFrame({"time": [30.0], "n_persons": [96]}),
        "weights": pl.DataFrame({"time": [0.0, 30.0], "n_at_risk": [100.0, 50.0], "people": [100, 50]}),
    }
    made = type(exact)({**exact.count_tables, **tables}, exact.settings)
    released = sr.suppress(made, sr.Policy.nhs_england())
    shown = released.count_tables
    assert shown["curves"]["n_with_event"].to_list() == [None, 50]
    # 100 and 95 would be 98 to 102 less 93 to 97: up to 9, all of 1 to 7; 100 and 100 would leave 4 at most
    assert shown["at_risk"]["n_persons"].to_list() == [95]
    few = {**tables, "at_risk": pl.DataFrame({"time": [30.0], "n_persons": [98]}),
           "curves": tables["curves"].with_columns(n_with_event=pl.Series([2, 50]))}  # fmt: skip
    again = sr.suppress(type(exact)({**exact.count_tables, **few}, exact.settings), sr.Policy.nhs_england())
    assert again.count_tables["at_risk"]["n_persons"].to_list() == [None]
