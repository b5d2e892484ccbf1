"""The effect of enrolling at that time: rates, deaths and means by hand, the variance by person against drawing people again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from test_match_controls import match, on, twelve

import symphony_research as sr
from symphony_research.cohort.matched import outcome_rows
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.effect_tables import arms_of
from symphony_research.evaluation.matching import odds_weights
from symphony_research.evaluation.scores import fitted_within_sets
from symphony_research.evaluation.weighted import Arms, effective_events, mean_counts, rate_ratio

c = pl.col


@pytest.fixture(scope="module")
def effect():
    # the twelve people of test_match_controls: 1, 2 and 3 enrol; 3 is a control of 1 and 2, and is admitted on days 10 and 20
    more = twelve().activity.collect()
    more = pl.concat([more, more.filter(c("date") == on(10)).with_columns(person_id=pl.lit(2, dtype=pl.Int64))])
    return sr.evaluation.enrolment_effect(
        match(twelve(activity=more), ratio=5), resamples=50, fewest_events=0, fewest_people=0
    )


def test_rates_are_those_by_hand(effect):
    # enrolled: 2 is admitted on day 10, 1 and 3 are not, each for 365 days: 1 in 3 years of 365 days.
    # controls by weight: of 1 and of 2, 3 with two admissions at weight 1/2 each, 4 with none; of 3, 4 with one (on day 400,
    # 350 days later) at weight 1/3, 10 and 11 with none: 2 1/3 in 3 years
    row = effect.row("rate ratio")
    assert row["estimate"] == pytest.approx(3 / 7)
    arms = effect.arms
    assert arms["n_persons"].to_list() == [3, 4]  # controls 3, 4, 10, 11, each once
    assert arms["n_with_event"].to_list() == [1, 2]
    assert arms["mean_days"].to_list() == pytest.approx([365, 365])
    assert arms["rate"].to_list() == pytest.approx([100 * 365.25 / (3 * 365), 700 / 3 * 365.25 / (3 * 365)])
    # 1 less 2 1/3, in 3 years
    assert effect.row("rate difference per 100 person-years")["estimate"] == pytest.approx(
        -400 / 3 * 365.25 / (3 * 365)
    )
    # nobody dies, so that the mean number of events a person is 1/3 and 7/9
    assert effect.row("ratio of mean events a person")["estimate"] == pytest.approx(3 / 7)
    assert effect.row("death rate ratio")["estimate"] is None


def test_later_enrolment_stands_beside_it(effect):
    # 3 as a control of 1 and 2: enrolled from day 50 on, 316 of 365 days, at weight 1/2 of each; of 3 sets in all
    assert effect.later.rows() == [(1, pytest.approx(2 * 0.5 * 316 / (3 * 365)), 50.0)]
    # 316 of 3 x 365 days; nobody dies, so that nothing is said of deaths
    assert effect.sentence().endswith(
        "Some controls enrolled later: for 29% of all controls' time, which dilutes an effect."
    )
    assert "balanced" in effect.notes(())[0]


def test_an_outcome_that_nobody_has_is_refused():
    nobody = twelve().activity.collect().filter(~c("date").is_between(on(1), on(365)))
    with pytest.raises(ArgumentError, match="None of the 3 enrolled people has 'emergency admission'"):
        sr.evaluation.enrolment_effect(match(twelve(activity=nobody), ratio=5))
    with pytest.raises(ArgumentError, match="outcome='luck'"):
        sr.evaluation.enrolment_effect(match(twelve(), ratio=5), outcome="luck")
    with pytest.raises(ArgumentError, match="match_controls"):
        sr.evaluation.enrolment_effect(twelve())  # type: ignore[arg-type]


def test_released_an_effect_of_few_people_is_suppressed(effect):
    released = sr.suppress(effect, sr.Policy.nhs_england())
    assert released.estimates["estimate"].null_count() == released.estimates.height
    assert released.sentence() == "Too few people are matched for an effect on emergency admissions to be shown."
    assert set(released.arms["n_persons"].to_list()) == {None}


def test_released_an_effect_of_many_holds_the_exact_interval():
    study = sr.example_study(12_000)
    cohort = sr.define_cohort(study, programme="complex_care")
    matched = sr.evaluation.match_controls(study, cohort, score="odds_weights", seed=1)
    exact = sr.evaluation.enrolment_effect(matched, resamples=50)
    released = sr.suppress(exact, sr.Policy.nhs_england())
    assert released.estimates["estimate"][0] is not None
    for old, new in zip(exact.estimates.iter_rows(named=True), released.estimates.iter_rows(named=True), strict=True):
        if new["estimate"] is not None:
            assert new["lower"] <= old["lower"] * (1 + 0.006)
            assert new["upper"] >= old["upper"] * (1 - 0.006)
    assert sr.suppress(released, sr.Policy.nhs_england()).estimates.equals(released.estimates)
    assert released.sentence()


# -- the variance ---------------------------------------------------------------------------------------------------


def drawn_world(rng: np.random.Generator, n: int = 400):
    """People with a lasting rate and a covariate, of whom some enrol, one set each, with the others as candidates."""
    x = rng.normal(size=(n, 2))
    lasting = rng.gamma(2, 0.5, n)
    enrols = rng.random(n) < 1 / (1 + np.exp(2.5 - x[:, 0]))
    cases, others = np.flatnonzero(enrols), np.flatnonzero(~enrols)
    sets = np.concatenate([np.arange(len(cases)), np.repeat(np.arange(len(cases)), 40)])
    person = np.concatenate([cases, *[rng.choice(others, 40, replace=False) for _ in cases]])
    treated = np.arange(len(sets)) < len(cases)
    mean = lasting[person] * np.exp(0.3 * x[person, 0])
    return x, person, sets, treated, rng.poisson(mean).astype(float), n


def estimated(x, person, sets, treated, events, n, times=None) -> tuple[float, float]:
    """The estimate and its error; with `times`, of people who stand there so often."""
    stands = np.ones(len(person)) if times is None else times.astype(float)
    fit = fitted_within_sets(x[person], sets, treated, stands, person=person)
    weight = odds_weights(fit.linear, sets, treated, np.ones(len(sets)), ~treated)
    scored = np.zeros((n, 2))
    scored[: len(fit.influence)] = fit.influence
    arms = Arms(treated, weight, person, events, np.ones(len(sets)), x[person], sets, scored, x[person])
    found = rate_ratio(arms)
    return found.estimate, found.error


def test_the_model_error_is_the_empirical_error_of_drawn_worlds():
    rng = np.random.default_rng(5)
    found = np.array([estimated(*drawn_world(rng)) for _ in range(200)])
    # no effect was planted; 200 worlds give the standard deviation to 5%, and here it need be right to 20%
    assert abs(found[:, 0].mean()) < 3.5 * found[:, 0].std() / np.sqrt(200)
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(ddof=1), rel=0.2)


def test_rows_of_one_person_are_not_counted_as_two():
    treated = np.array([1, 1, 1, 0, 0, 0], bool)
    events, days = np.array([1.0, 2, 3, 1, 3, 2]), np.ones(6)
    none, sets = np.zeros((6, 0)), np.array([0, 1, 2, 0, 1, 2])

    def error(person: list[int]) -> float:
        return rate_ratio(Arms(treated, np.ones(6), np.array(person), events, days, none, sets, None, none)).error

    # residuals from the means 2 and 2 are -1, 0, 1 and -1, 1, 0: one of three adds a third of its residual to the mean, and without
    # it the mean moves by a half: halfway 5/12, and of the log, whose mean is 2, 5/24
    assert error([0, 1, 2, 3, 4, 5]) == pytest.approx(np.sqrt(4) * 5 / 24)
    # controls 3 and 4 are one person: 0; the enrolled 0 is the control 3 as well: -1 less -1
    assert error([0, 1, 2, 3, 3, 5]) == pytest.approx(np.sqrt(2) * 5 / 24)
    assert error([0, 1, 2, 0, 4, 5]) == pytest.approx(np.sqrt(0 + 1 + 1) * 5 / 24)


def test_the_error_is_that_of_bell_and_mccaffrey():
    """Without a score: CR2 by the symmetric square root of what a person's rows leave of themselves, one person after another."""
    rng = np.random.default_rng(3)
    n, people = 240, 60
    x, person, treated = rng.normal(size=(n, 3)), rng.integers(0, people, n), np.arange(n) % 2 == 0
    events, days, weight = (
        rng.poisson(np.exp(0.2 * x[:, 0])).astype(float),
        rng.uniform(0.5, 1, n),
        rng.uniform(0.2, 1, n),
    )
    arms = Arms(treated, weight, person, events, days, x, np.zeros(n, int), None, x)
    found = rate_ratio(arms)
    z = np.column_stack([np.ones(n), treated, (x - x.mean(axis=0)) / x.std(axis=0)])
    b, prior = np.zeros(5), np.diag([0, 0, 1 / 9, 1 / 9, 1 / 9])
    for _ in range(50):
        mean = days * np.exp(z @ b)
        b += np.linalg.solve(z.T @ (z * (weight * mean)[:, None]) + prior, z.T @ (weight * (events - mean)) - prior @ b)
    mean = days * np.exp(z @ b)
    inverse = np.linalg.inv(z.T @ (z * (weight * mean)[:, None]) + prior)
    assert found.estimate == pytest.approx(b[1], rel=1e-8)
    cr2 = sandwich = 0.0
    for one in range(people):
        rows = person == one
        root = np.sqrt((weight * mean)[rows])
        own = root[:, None] * z[rows]
        values, vectors = np.linalg.eigh(np.eye(rows.sum()) - own @ inverse @ own.T)
        residual = weight[rows] * (events - mean)[rows] / root
        cr2 += (inverse @ own.T @ (vectors @ ((vectors.T @ residual) / np.sqrt(values))))[1] ** 2
        sandwich += (inverse @ own.T @ residual)[1] ** 2
    assert found.error == pytest.approx(np.sqrt(cr2), rel=0.005)
    assert found.error > 1.02 * np.sqrt(sandwich)


def test_the_error_is_a_little_under_that_of_leaving_each_person_out():
    """Of the whole: the score, the weights and the regression made again without each person, and their sum of squares."""
    rng = np.random.default_rng(12)
    x, person, sets, treated, events, n = drawn_world(rng, 150)
    value, error = estimated(x, person, sets, treated, events, n)
    moved = []
    for one in np.unique(person):
        gone = person == one
        gone |= np.isin(sets, sets[gone & treated])  # with the enrolled, their set
        number = np.unique(sets[~gone], return_inverse=True)[1]
        again, _ = estimated(x, person[~gone], number, treated[~gone], events[~gone], n)
        moved.append(again - value)
    exact = np.sqrt(np.square(moved).sum())
    # the jackknife is some leverage too large, and the sandwich, which is as far from it again, too small
    assert 0.85 * exact < error < exact


def test_what_only_people_without_events_have_does_not_hinder():
    treated = np.arange(40) % 2 == 0
    events, x = np.tile([1.0, 2, 2, 4], 10), np.zeros((40, 1))
    x[:4] = 1  # a covariate of four people, none of whom has an event
    events[:4] = 0
    arms = Arms(treated, np.ones(40), np.arange(40), events, np.ones(40), x, np.arange(40) // 2, None, x)
    # of the other 36, 1 and 2 of enrolled people are 1.5 each, 2 and 4 of controls 3
    assert rate_ratio(arms).estimate == pytest.approx(np.log(0.5), abs=1e-3)


def test_events_that_weigh_unequally_are_fewer():
    treated, none = np.array([1, 1, 1, 0, 0, 0], bool), np.zeros((6, 0))
    weight, person = np.array([1, 1, 1, 0.5, 0.5, 0.25]), np.array([0, 1, 2, 3, 3, 4])
    events = np.array([1.0, 2, 0, 1, 1, 2])
    arms = Arms(treated, weight, person, events, np.ones(6), none, np.array([0, 1, 2, 0, 1, 2]), None, none)
    # enrolled people have 3. Of controls 3 has one, in two windows, of weight 1; 4 two of 1/4: (1 + 1/2)^2 over 1 + 2/16 is 2
    assert effective_events(arms) == pytest.approx(2 * 2)
    assert effective_events(replace(arms, events=np.where(treated, events, 0))) == 0
    # as many controls with an event each, of equal weight: the 3 of enrolled people are fewer
    assert effective_events(replace(arms, events=np.where(treated, events, 9))) == pytest.approx(2 * 3)


def test_covariates_are_adjusted_for_by_the_events_of_the_smaller_arm():
    rng = np.random.default_rng(4)
    n, own = 2000, 24
    treated, x = np.arange(n) < own, rng.normal(size=(n, 2))
    weight = np.where(treated, 1, own / (n - own))
    for had, adjusted in ((9, 0), (10, 2)):  # 2 x 10 events are five for each of 4 coefficients
        events = np.where(treated, np.arange(n) < had, np.arange(n) % 2).astype(float)
        arms = Arms(treated, weight, np.arange(n), events, np.ones(n), x, np.zeros(n, int), None, x)
        assert rate_ratio(arms).n_adjusted == adjusted


def test_mean_counts_are_those_of_the_mean_cumulative_count():
    """With weights of one, of Ghosh and Lin's estimator, which `survival.mean_cumulative_count` checks against R."""
    rng = np.random.default_rng(8)
    n = 60
    end, died = rng.integers(20, 100, n).astype(float), rng.random(n) < 0.4
    row = rng.integers(0, n, 120)
    time = np.ceil(rng.random(120) * end[row])
    group = rng.random(n) < 0.5
    ours, _ = mean_counts(group, np.ones(n), np.arange(n), end, died, row, time, resamples=2, seed=1)
    people = pl.DataFrame({"person_id": np.arange(n), "time": end, "died": died.astype(int), "group": group})
    events = pl.DataFrame({"person_id": row, "time": time})
    theirs = sr.survival.mean_cumulative_count(events, people, by="group", end="time").estimates
    for k, arm in enumerate((True, False)):
        assert ours[k] == pytest.approx(theirs.filter(c("group") == arm)["estimate"][-1], rel=1e-12)


def test_arms_hold_people_with_time_at_risk_alone():
    matched = match(twelve(), ratio=5)
    arms, found = arms_of(matched, outcome_rows(matched, "emergency_admission"))
    assert (arms.days > 0).all()
    assert len(found.row) == len(arms.days)
