"""Nearest controls, odds and scores of arrays: by hand, against brute force, and against published figures."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symphony_research.errors import ArgumentError
from symphony_research.evaluation.counts import fitted_counts, independent_columns, summed_by
from symphony_research.evaluation.matching import caliper_width, nearest, odds_weights, pair_weights
from symphony_research.evaluation.moments import is_binary, moments, standardised_differences
from symphony_research.evaluation.scores import fitted_logistic, fitted_within_sets, mahalanobis

SHARED = Path(os.environ.get("SYMPHONY_SHARED_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")


# -- nearest ------------------------------------------------------------------------------------------------------


def brute(sets, control, distance, person, ratio, replacement, order):
    """Pairs one at a time, by looking at all that are left."""
    made, used = [], set()
    for turn in range(ratio):
        served = set()
        while True:
            left = [
                (distance[k], sets[k], order[person[k]], k)
                for k in range(len(sets))
                if sets[k] not in served
                and (sets[k], control[k]) not in {(s, c) for s, c, _ in made}
                and (replacement or person[k] not in used)
                and sum(s == sets[k] for s, _, _ in made) == turn
            ]
            if not left:
                break
            best = min(left)
            made.append((sets[best[3]], control[best[3]], best[0]))
            served.add(sets[best[3]])
            used.add(person[best[3]])
    return sorted(made)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.booleans(), st.integers(1, 3), st.booleans())
def test_pairs_are_those_of_brute_force_ties_included(data, replacement, ratio, tied):
    n_sets, n_people = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 6))
    there = data.draw(st.lists(st.booleans(), min_size=n_sets * n_people, max_size=n_sets * n_people))
    far = st.integers(0, 2) if tied else st.floats(0, 1)
    sets, person = (grid.ravel()[np.array(there)] for grid in np.divmod(np.arange(n_sets * n_people), n_people))
    distance = np.array(data.draw(st.lists(far, min_size=len(sets), max_size=len(sets))), dtype=float)
    order = np.array(data.draw(st.permutations(range(n_people))))
    control = np.arange(len(sets)) + 100
    pairs = nearest(sets, control, distance, person, ratio=ratio, replacement=replacement, order=order)
    found = sorted(zip(pairs.set.tolist(), pairs.control.tolist(), pairs.distance.tolist(), strict=True))
    # without replacement a set that found nobody in one round may not in the next: brute force stops where it does
    expected = brute(sets, control, distance, person, ratio, replacement, order)
    if replacement or ratio == 1:
        assert found == expected
    else:
        assert len({c for _, c, _ in found}) == len(found)
        first = brute(sets, control, distance, person, 1, replacement, order)
        assert set(first) <= set(found)


def test_of_controls_equally_near_the_first_in_the_random_order_is_taken():
    # one enrolled person, three controls at distance 1; person 2 stands first in the order
    one = nearest(np.zeros(3, int), np.array([5, 6, 7]), np.ones(3), np.array([0, 1, 2]), ratio=1, replacement=True,
                  order=np.array([2, 1, 0]))  # fmt: skip
    assert one.control.tolist() == [7]


def test_weights_of_the_controls_of_each_add_up_to_one():
    # set 0 has rows 2 and 3, set 1 has row 3: 1/2, and 1/2 + 1 of the control used twice; set 2 has nobody
    two = nearest(np.array([0, 0, 1]), np.array([2, 3, 3]), np.ones(3), np.array([0, 1, 1]), ratio=2, replacement=True,
                  order=np.arange(2))  # fmt: skip
    weight = pair_weights(two, 3, 5, np.array([0, 1, 4]))
    assert weight.tolist() == [1, 1, 0.5, 1.5, 0]


def test_odds_weights_by_hand():
    # set 0: odds 2 and 6 of 8; set 1: one candidate who may not be a control, so that the enrolled has no weight
    linear = np.log([1.0, 1, 2, 6, 5])
    treated, sets = np.array([1, 1, 0, 0, 0], bool), np.array([0, 1, 0, 0, 1])
    weight = odds_weights(linear, sets, treated, np.ones(5), np.array([0, 0, 1, 1, 0], bool))
    assert weight == pytest.approx([1, 0, 0.25, 0.75, 0])


def test_a_drawn_candidate_stands_for_those_not_drawn():
    weight = odds_weights(np.zeros(3), np.zeros(3, int), np.array([1, 0, 0], bool), np.array([1.0, 1, 3]), np.array([0, 1, 1], bool))  # fmt: skip
    assert weight == pytest.approx([1, 0.25, 0.75])


# -- scores -------------------------------------------------------------------------------------------------------


def test_the_score_within_sets_is_a_log_odds_ratio_of_pairs():
    # 1:1 sets that differ in x: the estimate is log(pairs with x of the enrolled over those with x of the control),
    # here log(300 / 100); the prior of standard deviation 3 moves it by under one in a thousand
    x, sets, treated = [], [], []
    for k in range(400):
        case = 1.0 if k < 300 else 0.0
        x += [case, 1 - case]
        sets += [k, k]
        treated += [True, False]
    fit = fitted_within_sets(np.array(x)[:, None], np.array(sets), np.array(treated), np.ones(800))
    assert fit.coefficients[0] == pytest.approx(np.log(3), rel=2e-3)


def test_a_score_that_tells_exactly_who_enrolled_stays_finite():
    x = np.array([[1.0], [0], [1], [0]])
    fit = fitted_within_sets(x, np.array([0, 0, 1, 1]), np.array([1, 0, 1, 0], bool), np.ones(4))
    assert np.isfinite(fit.coefficients).all()
    assert fit.coefficients[0] > 0


def test_logistic_regression_refuses_what_has_no_answer():
    with pytest.raises(ArgumentError, match="the same for all"):
        fitted_logistic(np.ones((4, 1)), np.array([1, 0, 1, 0], bool))
    x = np.array([[1.0, 2], [2, 4], [3, 6], [0, 0]])
    with pytest.raises(ArgumentError, match="combinations"):
        fitted_logistic(x, np.array([1, 0, 1, 0], bool))


def test_mahalanobis_distance_by_hand():
    # within both groups x1 has variance 1 and x2 variance 4, uncorrelated: (1, 2) is at sqrt(1 + 4/4) from (0, 0)
    x = np.array([[0.0, 0], [-1, -2], [1, 2], [-1, 2], [1, -2]])
    treated = np.array([1, 0, 0, 0, 0], bool)
    far = mahalanobis(x, np.zeros(5, int), treated)
    # variances of the four with n - 1 are 4/3 and 16/3; pooled with n - 2 = 3 degrees of freedom they are the same
    assert far[1:] == pytest.approx([np.sqrt(1 / (4 / 3) + 4 / (16 / 3))] * 4)


def test_the_caliper_is_of_the_mean_of_two_variances():
    # variances 2 and 8, their mean 5
    score, treated = np.array([0.0, 2, 0, 4]), np.array([1, 1, 0, 0], bool)
    assert caliper_width(score, treated, 0.2) == pytest.approx(0.2 * np.sqrt(5))


# -- moments and counts -------------------------------------------------------------------------------------------


def test_moments_and_differences_by_hand():
    x, w = np.array([[1.0, 1], [3, 0], [5, 0]]), np.array([1.0, 1, 2])
    binary = is_binary(x)
    assert binary.tolist() == [False, True]
    found = moments(x, w, binary)
    # mean 3.5; sum of w (x - m)^2 is (6.25 + 0.25 + 2 * 2.25) / 4 = 2.75, over 1 - (1 + 1 + 4) / 16 = 0.625
    assert found.mean.tolist() == [3.5, 0.25]
    assert found.variance == pytest.approx([4.4, 0.1875])
    other = moments(np.array([[1.3, 0.25]]), np.ones(1), binary)
    smd = standardised_differences(found, other, found.variance)
    assert smd == pytest.approx([2.2 / np.sqrt(4.4), 0])


def test_poisson_regression_by_hand_and_its_variance_by_group():
    # two groups of rates 2 and 4 a day; HC0 of the log ratio, rows alone: sum of (y - m)^2 over (sum of y)^2 of each
    x = np.column_stack([np.ones(4), [0, 0, 1, 1]])
    y, days = np.array([1.0, 7, 2, 6]), np.array([2.0, 2, 1, 1])
    fit = fitted_counts(x, y, days, np.ones(4))
    assert np.exp(fit.coefficients) == pytest.approx([2, 2])
    alone = fit.influence(np.arange(4))
    assert (alone[:, 1] ** 2).sum() == pytest.approx((9 + 9) / 64 + (4 + 4) / 64)
    # both rows of the first group are one person's: 1 - 4 + 7 - 4 = 0
    joined = fit.influence(np.array([0, 0, 1, 2]))
    assert (joined[:, 1] ** 2).sum() == pytest.approx(8 / 64)
    with pytest.raises(ArgumentError, match="Nobody had falls"):
        fitted_counts(x, np.zeros(4), days, np.ones(4), what="falls")


def test_columns_that_follow_from_others_are_found():
    x = np.column_stack([np.ones(5), np.arange(5.0), 2 * np.arange(5.0) + 1, np.arange(5.0) ** 2])
    assert independent_columns(x, np.ones(5), keep=1).tolist() == [0, 1, 3]
    assert summed_by(np.array([3, 1, 3]), np.array([[1.0], [2], [4]])).ravel().tolist() == [2, 5]


# -- a published effect -------------------------------------------------------------------------------------------


def test_stopping_smoking_and_weight_is_as_published():
    """Hernan and Robins, Causal Inference: What If, chapter 12: 3.4 kg (2.4 to 4.5), by weights 1 / f(A | L).

    The average effect in all 1,566 people with a weight in 1982, by the model of Program 12.2: quadratics of age, years and
    cigarettes of smoking and of weight, indicators of sex, race, education, exercise and activity.
    """
    path = SHARED / "utilisation" / "causaldata_nhefs.csv"
    if not path.is_file():
        pytest.skip("NHEFS is not beside the checkout (../shared/data/utilisation) nor where SYMPHONY_SHARED_DATA says")
    people = pl.read_csv(path, null_values="NA", infer_schema_length=None).filter(pl.col("wt82_71").is_not_null())
    assert people.height == 1_566
    numbers = ["age", "smokeintensity", "smokeyrs", "wt71"]
    columns = [people[c].cast(pl.Float64).to_numpy() for c in ("sex", "race", *numbers)]
    columns += [columns[2 + k] ** 2 for k in range(4)]
    for name in ("education", "exercise", "active"):
        levels = people[name].unique().sort().to_list()
        columns += [(people[name] == level).cast(pl.Float64).to_numpy() for level in levels[1:]]
    a, y = (people["qsmk"] == 1).to_numpy(), people["wt82_71"].cast(pl.Float64).to_numpy()
    p = 1 / (1 + np.exp(-fitted_logistic(np.column_stack(columns), a).linear))
    w = np.where(a, 1 / p, 1 / (1 - p))
    one, other = ((w[g] * y[g]).sum() / w[g].sum() for g in (a, ~a))
    # robust as the book's: HC0 of weighted least squares of weight on stopping
    error = np.sqrt(sum(((w[g] * (y[g] - m)) ** 2).sum() / w[g].sum() ** 2 for g, m in ((a, one), (~a, other))))
    effect = one - other
    assert round(effect, 1) == 3.4
    assert [round(effect + k * error, 1) for k in (-1.96, 1.96)] == [2.4, 4.5]
    assert all(x < y for x, y in pairwise([0.0, p.min(), p.max(), 1.0]))
