"""Effects by group: each group's ratio, their covariance by person and Wald's test against plain loops; few, nobody, released."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
import polars as pl
import pytest
from test_enrolment_effect import drawn_world
from test_match_controls import PEOPLE, match, on, twelve

import symphony_research as sr
from symphony_research.cohort.matched import outcome_rows
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.effect_by import wald
from symphony_research.evaluation.effect_tables import arms_of, least_events
from symphony_research.evaluation.grouped_rates import part_of, rate_ratios
from symphony_research.evaluation.matching import odds_weights
from symphony_research.evaluation.scores import fitted_within_sets
from symphony_research.evaluation.weighted import Arms, rate_ratio

c = pl.col
EVERYBODY = {"fewest_events": 0, "fewest_people": 0}


@pytest.fixture(scope="module")
def matched():
    study = sr.example_study(20_000)
    return sr.evaluation.match_controls(
        study, sr.define_cohort(study, programme="complex_care"), ratio=3, caliper=None, seed=1
    )


def group_of(matched, by: str) -> dict[int, object]:
    """By set, the group of its enrolled person: read from the study's tables by loops."""
    sets = matched._sets
    study = sets.rows.study
    persons = {row["person_id"]: row for row in study.persons.collect().iter_rows(named=True)}
    hubs: dict[object, list] = {}
    for row in (
        study.enrolments.filter(c("programme") == "complex_care").sort("start_date").collect().iter_rows(named=True)
    ):
        hubs.setdefault(row["person_id"], []).append(row["hub"])
    found = {}
    for k, person in enumerate(sets.enrolled["person_id"].to_list()):
        decile = persons[person]["deprivation_decile"]
        found[k] = {
            "sex": persons[person]["sex"], "hub": hubs[person][0],
            "deprivation_quintile": None if decile is None else (decile + 1) // 2,
        }[by]  # fmt: skip
    return found


def naive(matched, by: str):
    """Log ratios of weighted rates and their covariance over people, by plain loops.

    Without somebody the information of an arm, its weighted events, is less by their expected events: a step of the score moves
    its log rate by the difference over what is left.
    """
    found = outcome_rows(matched, "emergency_admission", last=365)
    rows = [
        (bool(t), float(w), int(p), float(e), float(d), int(s))
        for t, w, p, e, d, s in zip(
            found.treated, found.weight, found.person, found.events, found.days, found.set, strict=True
        )
        if d > 0
    ]
    groups = group_of(matched, by)
    names = sorted({groups[row[5]] for row in rows}, key=lambda name: (name is None, name))
    ratios, adds = {}, {}
    for name in names:
        own = [row for row in rows if groups[row[5]] == name]
        sums = {arm: [0.0, 0.0] for arm in (True, False)}
        for treated, w, _, e, d, _ in own:
            sums[treated][0] += w * e
            sums[treated][1] += w * d
        rate = {arm: events / days for arm, (events, days) in sums.items()}
        if not all(rate.values()):
            continue
        ratios[name] = log(rate[True] / rate[False])
        by_person: dict[int, float] = {}
        for arm, sign in ((True, 1), (False, -1)):
            for p in {row[2] for row in own if row[0] == arm}:
                mine = [row for row in own if row[0] == arm and row[2] == p]
                expected = sum(w * rate[arm] * d for _, w, _, _, d, _ in mine)
                score = sum(w * e for _, w, _, e, _, _ in mine) - expected
                # halfway between the sandwich and the rate without the person
                moved = score * (1 / sums[arm][0] + 1 / (sums[arm][0] - expected)) / 2
                by_person[p] = by_person.get(p, 0.0) + sign * moved
        adds[name] = by_person
    covariance = {(a, b): sum(adds[a][p] * adds[b].get(p, 0.0) for p in adds[a]) for a in ratios for b in ratios}
    return ratios, covariance


@pytest.mark.parametrize("by", ["sex", "hub", "deprivation_quintile"])
def test_each_group_and_the_test_are_those_of_plain_loops(matched, by):
    found = sr.evaluation.effect_by(matched, by=by, adjust=False, **EVERYBODY)
    ratios, covariance = naive(matched, by)
    names = found.estimates[by].to_list()
    assert names == sorted(names, key=lambda name: (name is None, name))
    for row in found.estimates.iter_rows(named=True):
        if row["estimate"] is None:
            assert row[by] not in ratios
            continue
        error = sqrt(covariance[row[by], row[by]])
        assert row["estimate"] == pytest.approx(exp(ratios[row[by]]))
        assert row["lower"] == pytest.approx(exp(ratios[row[by]] - 1.959964 * error), rel=1e-6)
    known = [name for name in ratios if name is not None]
    assert len(known) > 1
    # Wald's statistic as the least distance of the estimates from one that all share, in the inverse of their covariance
    v = np.linalg.inv([[covariance[a, b] for b in known] for a in known])
    b = np.array([ratios[name] for name in known])
    one = (v @ b).sum() / v.sum()
    test = found.test.row(0, named=True)
    assert test["statistic"] == pytest.approx((b - one) @ v @ (b - one))
    assert test["degrees_of_freedom"] == len(known) - 1


def test_groups_that_share_controls_are_correlated(matched):
    _, covariance = naive(matched, "hub")
    names = sorted({a for a, _ in covariance})
    assert any(covariance[a, b] != 0 for a in names for b in names if a != b)
    # sex is matched exactly, so that its groups share nobody
    _, covariance = naive(matched, "sex")
    assert covariance["F", "M"] == 0


def test_people_of_groups_add_up_to_all(matched):
    found = sr.evaluation.effect_by(matched, by="hub", adjust=False, **EVERYBODY)
    effect = sr.evaluation.enrolment_effect(matched, adjust=False, resamples=2, **EVERYBODY)
    for column in ("n_persons", "n_with_event"):
        assert found.estimates[column].sum() == effect.arms[column][0] == found.whole[column]
    for name in ("estimate", "lower", "upper"):
        assert found.whole[name] == pytest.approx(effect.row("rate ratio")[name])
        assert found.display()["Rate ratio (95% CI)"][0].count(" ") == 3


def test_groups_are_adjusted_as_the_whole_is_against_a_naive_fit():
    """One weighted Poisson regression with ratios by group: its maximum by scipy, its variance person by person.

    Standardised covariates have a normal prior of standard deviation 3; with I = X'WX + prior, a person with score s and
    information M of their rows adds (I - M)^-1 s.
    """
    from scipy.optimize import minimize

    rng = np.random.default_rng(6)
    n = 600
    x, group = rng.normal(size=(n, 2)), rng.integers(0, 3, n)
    treated, person, weight = rng.random(n) < 0.3, rng.integers(0, 250, n), rng.random(n) + 0.5
    days = rng.integers(50, 366, n).astype(float)
    ratio = np.array([0.5, 1.0, 1.6])[group]
    events = rng.poisson(days / 100 * np.exp(0.3 * x[:, 0]) * np.where(treated, ratio, 1)).astype(float)
    arms = Arms(treated, weight, person, events, days, x, np.arange(n), None, x)
    found = rate_ratios(arms, group, 3, 250)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    design = np.column_stack([*(group == g for g in range(3)), *((group == g) & treated for g in range(3)), z]).astype(
        float
    )
    prior = np.array([0.0] * 6 + [1 / 9] * 2)

    def loss(b):
        mean = np.exp(design @ b) * days
        return (weight * (mean - events * np.log(mean))).sum() + prior @ b**2 / 2

    def slope(b):
        return design.T @ (weight * (np.exp(design @ b) * days - events)) + prior * b

    b = minimize(
        loss,
        np.append(np.full(3, -4.0), np.zeros(5)),
        jac=slope,
        method="BFGS",
        options={"gtol": 1e-6, "maxiter": 5000},
    ).x
    mean = np.exp(design @ b) * days
    whole = design.T @ (design * (weight * mean)[:, None]) + np.diag(prior)
    moved = []
    for p in range(250):
        own = person == p
        rows, w, left = design[own], weight[own], (events - mean)[own]
        score, alone = rows.T @ (w * left), rows.T @ (rows * (w * mean[own])[:, None])
        moved.append((np.linalg.solve(whole, score) + np.linalg.solve(whole - alone, score)) / 2)
    covariance = np.array(moved).T @ np.array(moved)
    assert [one.estimate for one in found] == pytest.approx(b[3:6], abs=1e-5)
    influence = np.array([one.influence for one in found])
    assert influence @ influence.T == pytest.approx(covariance[3:6, 3:6], rel=1e-4, abs=1e-7)
    assert [one.n_adjusted for one in found] == [2, 2, 2]
    # the difference: events of the enrolled less those that they would have had at the rate of controls, a day
    for g, one in enumerate(found):
        own = treated & (group == g)
        without = (np.exp(design[own] @ b - b[3 + g]) * days[own]).sum()
        # enrolled people weigh as they do here: of equal weights this is the same
        assert np.sign(one.difference) == np.sign(events[own].sum() - without)
        assert one.difference == pytest.approx(events[own].sum() / days[own].sum() * (1 - exp(-one.estimate)))


def test_one_group_has_the_effect_of_all_as_it_is_adjusted(matched):
    arms, _ = arms_of(matched, outcome_rows(matched, "emergency_admission"))
    size = matched._sets.eligible.people.height
    (one,) = rate_ratios(arms, np.zeros(len(arms.events), int), 1, size)
    whole = rate_ratio(arms)
    assert one.n_adjusted == whole.n_adjusted > 0
    assert (one.estimate, one.error, one.difference, one.difference_error) == pytest.approx(
        (whole.estimate, whole.error, whole.difference, whole.difference_error)
    )


def test_wald_has_its_size_where_groups_share_controls_and_the_score_is_estimated():
    """Of 200 worlds without an effect the statistic on one degree of freedom has mean 1; its standard error is sqrt(2 / 200)."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(200):
        x, person, sets, treated, events, n = drawn_world(rng)
        fit = fitted_within_sets(x[person], sets, treated, np.ones(len(person)), person=person)
        weight = odds_weights(fit.linear, sets, treated, np.ones(len(sets)), ~treated)
        scored = np.zeros((n, x.shape[1]))
        scored[: len(fit.influence)] = fit.influence
        arms = Arms(treated, weight, person, events, np.ones(len(sets)), x[person], sets, scored, x[person])
        group = rng.random(int(treated.sum())) < 0.5
        parts = rate_ratios(arms, group[sets].astype(int), 2, n, adjust=False)
        alone = rate_ratio(part_of(arms, ~group[sets]), adjust=False)
        assert (parts[0].estimate, parts[0].error) == pytest.approx((alone.estimate, alone.error))
        influence = np.array([part.influence for part in parts])
        found.append(wald(np.array([part.estimate for part in parts]), influence @ influence.T)[0])
    assert np.mean(found) == pytest.approx(1, abs=0.35)
    assert np.mean(np.array(found) > 3.841459) < 0.05 + 3 * sqrt(0.05 * 0.95 / 200)


def test_wald_of_estimates_that_are_one_another_is_none():
    assert wald(np.array([1.0]), np.eye(1)) == (None, 0, None)
    assert wald(np.zeros(0), np.eye(0)) == (None, 0, None)
    # the same people twice
    assert wald(np.array([1.0, 1.0]), np.ones((2, 2))) == (None, 1, None)


# -- few and nobody ---------------------------------------------------------------------------------------------------


def test_of_twelve_people_no_group_has_a_ratio():
    # 1, 2 and 3 are all women of one hub: one group only, and nobody of the other
    found = sr.evaluation.effect_by(match(twelve(), ratio=5), by="sex")
    assert found.estimates.select("sex", "n_persons", "n_with_event", "estimate").rows() == [("F", 3, 0, None)]
    assert found.test.row(0) == (None, 0, None)
    assert "Too few groups by sex can be compared" in found.sentence()
    assert found.display()["Rate ratio (95% CI)"].to_list() == ["[z]", "[z]"]
    assert "under 20 events" in " ".join(found.notes(()))
    assert sr.plot_effect_by(found).get_title(loc="left") is not None


def test_a_group_that_is_not_recorded_stands_last_and_is_not_tested():
    more = twelve().activity.collect()
    more = pl.concat(
        [more, *[more.filter(c("date") == on(10)).with_columns(person_id=pl.lit(p, dtype=pl.Int64)) for p in (1, 2)]]
    )
    people = PEOPLE.with_columns(
        pl.when(c("person_id") == 2).then(None).otherwise("deprivation_decile").alias("deprivation_decile")
    )
    found = sr.evaluation.effect_by(
        match(twelve(activity=more, persons=people), ratio=5), by="deprivation_quintile", adjust=False, **EVERYBODY
    )
    assert found.estimates["deprivation_quintile"].to_list() == [3, None]
    # 1 has one admission in 365 days; of her controls 3 has two at weight 1/2, and 4 none: one too
    assert found.estimates["estimate"].to_list()[1] == pytest.approx(1.0)
    assert found.test["statistic"][0] is None
    assert "not recorded" in found.display()["Deprivation quintile"][2]


def test_an_event_of_one_control_in_two_windows_is_one_of_the_fewest():
    matched = match(twelve(), ratio=5)
    arms, _ = arms_of(matched, outcome_rows(matched, "emergency_admission"))
    # 3 is a control of 1 and of 2, with two admissions in the window of each; 4 has one in the window of 3: three in all
    assert arms.events[~arms.treated].sum() == 5
    treated_too = Arms(arms.treated, arms.weight, arms.person, np.where(arms.treated, 9.0, arms.events), arms.days,
                       arms.covariates, arms.set, None, arms.measured)  # fmt: skip
    assert least_events(treated_too, treated_too.events) == 3


def test_what_is_asked_for_is_checked(matched):
    with pytest.raises(ArgumentError, match="by='practice_id'"):
        sr.evaluation.effect_by(matched, by="practice_id")
    with pytest.raises(ArgumentError, match="outcome='luck'"):
        sr.evaluation.effect_by(matched, by="sex", outcome="luck")
    with pytest.raises(ArgumentError, match="fewest_people=-1"):
        sr.evaluation.effect_by(matched, by="sex", fewest_people=-1)
    with pytest.raises(ArgumentError, match="match_controls"):
        sr.evaluation.effect_by(twelve(), by="sex")


# -- released ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["sex", "hub", "deprivation_quintile", "n_conditions_band"])
def test_released_no_count_is_small_and_intervals_hold_the_exact_ones(matched, by):
    exact = sr.evaluation.effect_by(matched, by=by, **EVERYBODY)
    policy = sr.Policy.nhs_england()
    released = sr.suppress(exact, policy)
    assert "covariance" not in released.count_tables
    for old, new in zip(exact.estimates.iter_rows(named=True), released.estimates.iter_rows(named=True), strict=True):
        for column in ("n_persons", "n_with_event"):
            assert (
                new[column] is None
                or (new[column] == 0 and old[column] == 0)
                or (new[column] % 5 == 0 and new[column] > 5)
            )
        if new["estimate"] is not None:
            assert new["n_persons"] is not None
            assert new["n_with_event"] is not None
            assert new["lower"] <= old["lower"] * (1 + 0.006)
            assert new["upper"] >= old["upper"] * (1 - 0.006)
        else:
            assert "[" in released.missing_marker(new, "estimate")
    assert released.test.columns == ["degrees_of_freedom", "p_value"]
    assert set(released.test["p_value"].to_list()) <= {0.001, 0.01, 0.05, 1.0, None}
    assert sr.suppress(released, policy).estimates.equals(released.estimates)
    assert released.sentence()


def test_a_group_of_few_tells_nothing_of_its_events(matched):
    """With the counts of all and of the other groups, neither how many there are nor how many had the event is told."""
    asked = ("deprivation_quintile", "n_conditions_band", "hub")
    found = [sr.evaluation.effect_by(matched, by=by, **EVERYBODY) for by in asked]
    effect = sr.evaluation.enrolment_effect(matched, resamples=2, **EVERYBODY)
    few = [one.estimates.filter(c("n_persons") <= 7) for one in found]
    assert sum(frame.height for frame in few)
    *released, whole = sr.suppress([*found, effect], sr.Policy.nhs_england())
    for by, small, one in zip(asked, few, released, strict=True):
        own = one.estimates
        for name in small[by].to_list():
            shown = own.filter(c(by).eq_missing(pl.lit(name))).row(0, named=True)
            assert [shown[column] for column in ("n_persons", "n_with_event", "estimate")] == [None] * 3
        for column in ("n_persons", "n_with_event"):
            total, shown = whole.arms[column][0], own[column].drop_nulls().to_list()
            if total is None or len(shown) == own.height:
                continue
            # a count that is shown stands for two more or less; what all leave is of those that are not
            low, high = total - 2 - sum(n + 2 * (n > 0) for n in shown), total + 2 - sum(n - 2 * (n > 0) for n in shown)
            assert high - max(low, 0) >= 4
