"""Exact tests of counts summed over strata: tails by hand, from R and SciPy, and by exact fractions."""

from __future__ import annotations

import sys
from fractions import Fraction
from math import comb, log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symphony_research.inference import hypergeometric_mid_p, p_of_log, stratified_log_mid_p
from symphony_research.inference.shifts import Shifts
from symphony_research.inference.stratified import log_mid_p

sys.path.insert(0, str(Path(__file__).parents[1] / "proof"))

import tails

Strata = list[tuple[int, int, int, int]]  # with both, with the first, with the second, in all


def log_p_of(strata: Strata) -> float:
    c, a, b, n = np.array(strata, dtype=float).T
    return float(stratified_log_mid_p(c[:, None], a[:, None], b[:, None], n)[0])


def mid_p(weights: list[list[Fraction]], at: int) -> Fraction:
    """Two-sided mid-p of a sum of independent counts, by naive convolution."""
    chances = [Fraction(1)]
    for own in weights:
        total, made = sum(own), [Fraction(0)] * (len(chances) + len(own) - 1)
        for i, x in enumerate(chances):
            for j, y in enumerate(own):
                made[i + j] += x * y / total
        chances = made
    upper = sum(chances[at:]) - chances[at] / 2
    return min(Fraction(1), 2 * min(upper, 1 - upper))


def naive(strata: Strata) -> Fraction:
    weights, at = [], 0
    for c, a, b, n in strata:
        low = max(0, a + b - n)
        weights.append([Fraction(comb(a, x) * comb(n - a, b - x)) for x in range(low, min(a, b) + 1)])
        at += c - low
    return mid_p(weights, at)


def log_of(p: Fraction) -> float:
    return log(p.numerator) - log(p.denominator)


@st.composite
def strata_of_tables(draw, people: int = 40, most: int = 6, fewest: int = 0) -> Strata:
    found = []
    for _ in range(draw(st.integers(1, most))):
        n = draw(st.integers(fewest, people))
        a, b = draw(st.integers(0, n)), draw(st.integers(0, n))
        found.append((draw(st.integers(max(0, a + b - n), min(a, b))), a, b, n))
    return found


def test_the_furthest_table_of_one_stratum():
    # 7 of 15 people with the one, 8 with the other, 7 with both: C(7, 7) C(8, 1) / C(15, 8) = 8 / 6435, all of it the
    # tail, half of it counted, twice
    assert np.exp(log_p_of([(7, 7, 8, 15)])) == pytest.approx(8 / 6435, rel=1e-12)
    # ten of twenty with both and ten with neither: 1 / C(20, 10)
    assert np.exp(log_p_of([(10, 10, 10, 20)])) == pytest.approx(1 / 184756, rel=1e-12)
    # and twice over: the chances multiply
    assert np.exp(log_p_of([(10, 10, 10, 20)] * 2)) == pytest.approx(1 / 184756**2, rel=1e-12)
    # where the margins leave one count it is certain, and a count they do not leave is impossible
    assert log_p_of([(3, 3, 9, 9), (0, 0, 4, 9), (0, 0, 0, 0)]) == 0
    assert log_p_of([(4, 3, 9, 20)]) == -np.inf


def test_several_strata_are_those_of_mantelhaen_test():
    # x <- array(c(7,3,2,18, 5,6,4,25, 9,1,3,7), c(2,2,3)); y <- array(c(2,8,9,3, 1,12,10,20), c(2,2,2))
    # sprintf("%.15g", mantelhaen.test(x, exact=TRUE, alternative="greater")$p.value)   likewise "less", and of y
    # of x 5.17659545607303e-06 and 0.999999550403175, of y 0.999789684917628 and 0.00214943708189216
    # R's two-sided p adds up the tables that are no likelier; ours is twice a tail. A tail with the observed sum counted half
    # is the mean of P(at least) and of 1 - P(at most)
    x = [(7, 9, 10, 30), (5, 9, 11, 40), (9, 12, 10, 20)]
    upper = (5.17659545607303e-06 + 1 - 0.999999550403175) / 2
    assert np.exp(log_p_of(x)) == pytest.approx(2 * upper, rel=1e-9)
    y = [(2, 11, 10, 22), (1, 11, 13, 43)]
    lower = (0.00214943708189216 + 1 - 0.999789684917628) / 2
    assert np.exp(log_p_of(y)) == pytest.approx(2 * lower, rel=1e-9)


def test_tails_are_scipys_where_its_doubles_reach():
    from scipy.stats import hypergeom

    for c, a, b, n in ((40, 60, 300, 2_000), (900, 1_000, 1_200, 57_000), (3, 800, 900, 3_000)):
        upper = hypergeom.sf(c, n, a, b) + hypergeom.pmf(c, n, a, b) / 2
        lower = hypergeom.cdf(c - 1, n, a, b) + hypergeom.pmf(c, n, a, b) / 2
        tail = min(upper, lower)
        if tail > 1e-290:
            assert log_p_of([(c, a, b, n)]) == pytest.approx(log(2 * tail), abs=1e-7)


@given(strata_of_tables())
@settings(max_examples=200, deadline=None)
def test_tails_are_those_of_exact_fractions(strata):
    assert log_p_of(strata) == pytest.approx(log_of(naive(strata)), abs=1e-11, rel=1e-12)


@given(strata_of_tables(people=57_000_000, most=1, fewest=1))
@settings(max_examples=100, deadline=None)
def test_one_stratum_is_the_hypergeometric_mid_p(strata):
    wanted = hypergeometric_mid_p(*strata[0])[0]
    ours = float(p_of_log(log_p_of(strata)))
    if wanted > 1e-290:
        assert ours == pytest.approx(wanted, rel=1e-10)
    else:
        assert ours <= 1e-289


@given(strata_of_tables(people=5_000, most=8), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_neither_order_nor_names_change_it(strata, random):
    wanted = log_p_of(strata)
    assert wanted <= 0
    near = {"abs": 1e-11, "rel": 1e-12}
    shuffled = random.sample(strata, len(strata))
    assert log_p_of([*shuffled, (0, 0, 0, 0)]) == pytest.approx(wanted, **near)
    assert log_p_of([(c, b, a, n) for c, a, b, n in strata]) == pytest.approx(wanted, **near)
    # people without the first, and those without the second among them
    assert log_p_of([(b - c, n - a, b, n) for c, a, b, n in strata]) == pytest.approx(wanted, **near)


@pytest.mark.parametrize("people", [8, 60, 700])
def test_p_falls_away_from_the_mean(people):
    random = np.random.default_rng(people)
    n = random.integers(2, people, 5)
    a, b = random.binomial(n, 0.4), random.binomial(n, 0.3)
    low, high = np.maximum(0, a + b - n), np.minimum(a, b)
    # every sum there can be, reached one person at a time
    c, every = low.copy(), [low.copy()]
    for s in range(5):
        for _ in range(high[s] - low[s]):
            c[s] += 1
            every.append(c.copy())
    counts = np.array(every).T.astype(float)
    p = stratified_log_mid_p(
        counts, np.broadcast_to(a[:, None], counts.shape), np.broadcast_to(b[:, None], counts.shape), n
    )
    expected = (a * b / n).sum()
    above = counts.sum(axis=0) > expected + 1
    below = counts.sum(axis=0) < expected - 1
    assert (np.diff(p[above]) < 0).all()
    assert (np.diff(p[below]) > 0).all()
    assert np.isfinite(p).all()


def test_many_matched_pairs_are_a_binomial():
    # strata of two people, one with each condition: both fall on one person with chance 1/2, independently, so the sum is
    # binomial; 1,400 of 2,000 by exact integers
    tail = sum(comb(2_000, k) for k in range(1_401, 20_001)) * 2 + comb(2_000, 1_400)
    c = np.repeat([1.0, 0.0], [1_400, 600])[:, None]
    ones = np.ones_like(c)
    ours = stratified_log_mid_p(c, ones, ones, np.full(2_000, 2))[0]
    assert ours == pytest.approx(log(tail) - 2_000 * log(2), rel=1e-12)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_shifted_tables_are_those_of_exact_fractions(k):
    # every table with these smaller margins has the probability 1 / product(cell!)
    random = np.random.default_rng(k)
    sign = [(-1) ** (k - bin(c).count("1")) for c in range(2**k)]
    for mean in (1, 4, 15):
        cells = random.poisson(random.gamma(0.7, mean, (5, 2**k)))
        weights, at = [], 0
        for table in cells.tolist():
            low, products = tails.products_of(table, sign)
            weights.append([Fraction(1, product) for product in products])
            at += low
        ours = log_mid_p(Shifts(cells.T[:, :, None].astype(float)))[0]
        assert ours == pytest.approx(log_of(mid_p(weights, at)), abs=1e-11)


def test_large_tables_shift_as_the_hypergeometric_count_does():
    # tables of two conditions are known without adding anything up; here they are added up, of up to a million people
    random = np.random.default_rng(5)
    cells = random.poisson(random.gamma(0.5, 4e5, (4, 1, 40))).astype(float)
    both, first, second = cells[3], cells[3] + cells[1], cells[3] + cells[2]
    wanted = hypergeometric_mid_p(both[0], first[0], second[0], cells.sum(axis=0)[0])
    ours = p_of_log(log_mid_p(Shifts(cells)))
    assert ours == pytest.approx(wanted, rel=1e-8, abs=1e-289)


def test_p_of_log_is_0_below_1e_300_alone():
    assert p_of_log([0.0, log(0.05), log(2e-300), -691.0]) == pytest.approx([1, 0.05, 2e-300, 0])
    assert p_of_log(log(2e-300)) > 0
