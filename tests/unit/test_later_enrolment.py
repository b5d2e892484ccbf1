"""Controls censored when they enrol, and the weights of those who have not: by hand, and against a naive reading day by day."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize
from test_match_controls import c, match, twelve

import symphony_research as sr
from symphony_research.cohort.later import enrolment_steps
from symphony_research.cohort.matched import outcome_rows
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.censoring import TRUNCATED_AT, censored_at_enrolment, censoring_weights
from symphony_research.evaluation.counts import fitted_counts
from symphony_research.synthetic.parameters import PRIORITY_CONDITIONS

EVENT = "emergency_admission"


@pytest.fixture(scope="module")
def matched():
    study = sr.example_study(12_000)
    cohort = sr.define_cohort(study, programme="complex_care", min_conditions=2, conditions=PRIORITY_CONDITIONS)
    return sr.evaluation.match_controls(study, cohort, score="odds_weights", seed=1)


def rows_of(matched):
    rows = outcome_rows(matched, EVENT)
    return rows.kept(rows.days > 0)


def test_time_after_enrolling_does_not_count():
    matched = match(twelve(), ratio=5)
    found, seen = censored_at_enrolment(matched, rows_of(matched), EVENT, 365, None)
    ids = matched._sets.eligible.people["person_id"].to_numpy()[found.person]
    of_one = (found.set == 0) & ~found.treated
    rows = {int(p): (e, d) for p, e, d in zip(ids[of_one], found.events[of_one], found.days[of_one], strict=True)}
    # of 1's controls, 3 enrols on day 50: days 1 to 49, with the admissions of days 10 and 20; 4 has all 365 days, and none
    assert rows == {3: (2, 49), 4: (0, 365)}
    assert seen.tolist() == found.days.tolist()


def test_days_at_risk_of_enrolling_are_those_by_hand():
    matched = match(twelve(), ratio=5)
    steps = enrolment_steps(matched, 365)
    ids = matched._sets.eligible.people["person_id"].to_numpy()[steps.person]
    days = {int(p): (int(sum(steps.last[ids == p] - steps.first[ids == p] + 1)), steps.enrolled[ids == p].sum()) for p in set(ids.tolist())}  # fmt: skip
    # 3 is a control of day 0 and enrols on day 50; 4 is one of days 0 and 50, 10 and 11 of day 50 alone
    assert days == {3: (50, 1), 4: (415, 0), 10: (365, 0), 11: (365, 0)}
    own = ids == 3
    assert (steps.last[own] - steps.first[own] + 1).tolist() == [30, 20]
    # the first enrolment with hub X is on day 0, and their practice is of X: all days are open
    assert steps.exposure[own].tolist() == [30, 20]
    late = twelve(practices=pl.DataFrame({"practice_id": ["A", "B"], "name": ["A", "B"], "hub": ["Y", "Y"]}))
    # nobody enrolled with Y: then any hub's first day counts
    assert enrolment_steps(match(late, ratio=5), 365).exposure.sum() == 30 + 20 + 415 + 365 + 365


def naive_hazards(matched, horizon: int) -> dict[tuple[int, int], dict[int, float]]:
    """By control and end of registration, the chance of enrolling on each day, from the steps' own covariates and a plain fit."""
    steps = enrolment_steps(matched, horizon)
    x, open_ = steps.covariates, steps.exposure > 0
    mean, sd = x[open_].mean(axis=0), x[open_].std(axis=0)
    z = np.column_stack([np.ones(len(x)), (x - mean)[:, sd > 0] / sd[sd > 0]])
    held = np.array([0.0] + [1 / 9] * (z.shape[1] - 1))
    d, y, zo = steps.exposure[open_], steps.enrolled[open_], z[open_]
    start = np.append(np.log(y.sum() / d.sum()), np.zeros(z.shape[1] - 1))
    best = minimize(
        lambda b: (d * np.exp(zo @ b)).sum() - y @ (zo @ b) + held @ b**2 / 2, start, method="trust-exact",
        jac=lambda b: zo.T @ (d * np.exp(zo @ b) - y) + held * b,
        hess=lambda b: (zo * (d * np.exp(zo @ b))[:, None]).T @ zo + np.diag(held), options={"gtol": 1e-9},
    )  # fmt: skip
    mu = np.zeros(len(x))
    mu[open_] = d * np.exp(zo @ best.x)
    found: dict[tuple[int, int], dict[int, float]] = {}
    for k in range(len(mu)):
        length = int(steps.last[k] - steps.first[k] + 1)
        for day in range(int(steps.first[k]), int(steps.last[k]) + 1):
            found.setdefault(int(steps.stay[k]), {})[day] = mu[k] / length
    return found


def test_weights_are_those_of_a_naive_reading(matched):
    horizon = 365
    weights, rows = censoring_weights(matched, horizon), rows_of(matched)
    hazards = naive_hazards(matched, horizon)
    found, seen = censored_at_enrolment(matched, rows, EVENT, horizon, weights)
    of_row, zero = weights.steps.of_row, matched._sets.day

    so_far = {stay: dict(zip(own, np.cumsum(list(own.values())), strict=True)) for stay, own in hazards.items()}

    def gone(row: int, day: int) -> float:
        own = so_far[int(of_row[row])]
        return own[day] - own.get(int(zero[row]), 0.0)

    ends = []
    for row in np.flatnonzero(of_row >= 0):
        end = min(int(zero[row]) + horizon, int(matched._sets.until[row]), int(matched._sets.enrols[row]))
        ends.append(np.exp(gone(row, end)))
    largest = np.percentile(ends, TRUNCATED_AT)
    assert weights.largest == pytest.approx(largest, rel=1e-6)
    assert max(ends) > largest > 1.05  # some are truncated, and some count more than one
    controls = np.flatnonzero(~found.treated)
    random = np.random.default_rng(3)
    fine = np.arange(1, 41) / 40 - 1 / 80  # the middle of fortieths of a day
    dated = sr.cohort.events.events_of(matched._sets.rows.study, EVENT).collect()
    ids = matched._sets.eligible.people["person_id"].to_list()
    for k in [*random.choice(controls, 25, replace=False), *controls[np.argsort(-found.days[controls])[:5]]]:
        row, own = int(found.row[k]), hazards[int(of_row[found.row[k]])]
        first, last = int(zero[row]) + 1, int(zero[row]) + int(seen[k])
        total, h = 0.0, 0.0
        each = {}
        for day in range(first, last + 1):
            total += np.minimum(np.exp(h + own[day] * fine), largest).mean()
            h += own[day]
            each[day] = min(np.exp(h), largest)
        assert found.days[k] == pytest.approx(total, rel=1e-4)
        mine = dated.filter(c("person_id") == ids[found.person[k]])["event_date"].cast(pl.Int32).to_list()
        assert found.events[k] == pytest.approx(sum(each.get(day, 0.0) for day in mine), rel=1e-6)
    assert found.days[found.treated].tolist() == seen[found.treated].tolist()


def test_a_normal_prior_is_a_ridge():
    # one binary covariate, events 1 of 10 days and 9 of 10: b1 solves (by hand) score 9 - 10 exp(a + b) = b / v, and 1 - 10 exp(a) + score = 0
    x = np.array([[1.0, 0], [1, 1]])
    fit = fitted_counts(x, np.array([1.0, 9]), np.array([10.0, 10]), np.ones(2), prior=np.array([0, 2.0]))
    a, b = fit.coefficients
    assert 9 - 10 * np.exp(a + b) == pytest.approx(2 * b, abs=1e-6)
    assert 10 - 10 * np.exp(a) - 10 * np.exp(a + b) == pytest.approx(0, abs=1e-6)
    assert 0 < b < np.log(9)


def test_the_effect_says_what_it_is_against(matched):
    kept = sr.evaluation.enrolment_effect(matched, resamples=10)
    censored = sr.evaluation.enrolment_effect(matched, later_enrolment="censored")
    assert "dilutes" in kept.sentence()
    assert "weighted" in censored.sentence()
    assert "ratio of mean events a person" not in censored.estimates["measure"].to_list()
    # controls' own days end with their enrolment; counts of people are the same, so that both together tell of nobody
    counts = ["arm", "n_persons", "n_with_event", "n_deaths"]
    assert censored.arms.select(counts).equals(kept.arms.select(counts))
    assert censored.arms["mean_days"][1] < kept.arms["mean_days"][1]
    assert censored.arms.row(0) == kept.arms.row(0)
    assert censored.later.rows() == kept.later.rows()
    assert sr.suppress(censored, sr.Policy.nhs_england()).sentence()
    sr.plot_enrolment_effect(censored)
    with pytest.raises(ArgumentError, match="later_enrolment='never'"):
        sr.evaluation.enrolment_effect(matched, later_enrolment="never")


def test_where_no_control_enrols_nothing_changes():
    alone = match(twelve(enrolments=twelve().enrolments.collect().head(2)), ratio=5)
    assert censoring_weights(alone, 365) is None
    found, seen = censored_at_enrolment(alone, rows_of(alone), EVENT, 365, None)
    assert found.days.tolist() == rows_of(alone).days.tolist() == seen.tolist()
