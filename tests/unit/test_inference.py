"""The small pieces of statistics: every value from R, exact fractions, or high-precision arithmetic."""

from __future__ import annotations

import csv
from decimal import Decimal, localcontext
from fractions import Fraction
from math import comb, factorial, floor
from pathlib import Path

import numpy as np
import pytest

from symphony_research.errors import ArgumentError
from symphony_research.inference import (
    adjusted_p,
    hypergeometric_mid_p,
    normal_quantile,
    poisson_binomial,
    two_sided_normal_p,
    wilson_interval,
)

# written by tests/reference/r/measures.R, which holds the commands
MEASURES = Path(__file__).parents[1] / "reference" / "expected" / "measures.csv"


def from_r(measure: str) -> list[tuple[list[float], float]]:
    with MEASURES.open() as file:
        rows = [row for row in csv.DictReader(file) if row["measure"] == measure]
    assert rows
    return [([float(v or "nan") for v in row["inputs"].split("|")], float(row["value"] or "nan")) for row in rows]


def test_wilson_interval_is_that_of_prop_test_without_correction():
    for (count, total, confidence), limit in from_r("wilson_lower"):
        # where nobody has it, and where everybody has it, the interval ends at 0 and 1 exactly
        assert wilson_interval(count, total, confidence)[0] == pytest.approx(limit, rel=1e-12, abs=1e-16)
    for (count, total, confidence), limit in from_r("wilson_upper"):
        assert wilson_interval(count, total, confidence)[1] == pytest.approx(limit, rel=1e-12)
    assert wilson_interval(0, 10, 0.95)[0] == 0
    assert wilson_interval(10, 10, 0.95)[1] == 1


def test_wilson_interval_of_nobody_does_not_exist():
    lower, upper = wilson_interval([0, 1], [0, 2], 0.95)
    assert np.isnan(lower[0])
    assert np.isnan(upper[0])
    # 1 of 2 is symmetric about one half
    assert lower[1] + upper[1] == pytest.approx(1)


@pytest.mark.parametrize("confidence", [0, 1, -1, 95, float("nan")])
def test_a_confidence_outside_0_and_1_is_refused(confidence):
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        normal_quantile(confidence)


def test_normal_quantile_and_p():
    # R: qnorm(0.975) and 2 * pnorm(-1.959963984540054)
    assert normal_quantile(0.95) == pytest.approx(1.959963984540054, rel=1e-15)
    assert two_sided_normal_p([1.959963984540054, -1.959963984540054]) == pytest.approx([0.05, 0.05], rel=1e-14)


def test_poisson_binomial_of_three_by_hand():
    # 0: 0.5 * 0.8 * 0.9 = 0.36; 3: 0.5 * 0.2 * 0.1 = 0.01
    # 1: 0.5*0.8*0.9 + 0.5*0.2*0.9 + 0.5*0.8*0.1 = 0.36 + 0.09 + 0.04 = 0.49; 2: the rest, 0.14
    assert poisson_binomial([0.5, 0.2, 0.1]) == pytest.approx([0.36, 0.49, 0.14, 0.01], rel=1e-14)
    assert poisson_binomial([]) == pytest.approx([1.0])


def test_benjamini_hochberg_is_that_of_p_adjust():
    # R: p.adjust(c(0.01, 0.04, 0.03, 0.005, NA, 0.8, 0.04, 1e-12), "BH")
    wanted = [value for _, value in from_r("benjamini_hochberg")]
    ours = adjusted_p([0.01, 0.04, 0.03, 0.005, np.nan, 0.8, 0.04, 1e-12])
    assert ours == pytest.approx(wanted, rel=1e-14, nan_ok=True)
    assert adjusted_p([]).shape == (0,)
    assert np.isnan(adjusted_p([np.nan])).all()


def exact_mid_p(both: int, first: int, second: int, total: int) -> Fraction:
    """Twice the smaller tail, the observed table counted half, at most 1: integers of arrangements."""
    ways = {
        k: comb(first, k) * comb(total - first, second - k)
        for k in range(max(0, first + second - total), min(first, second) + 1)
    }
    above = sum(w for k, w in ways.items() if k > both) + Fraction(ways[both], 2)
    below = sum(w for k, w in ways.items() if k < both) + Fraction(ways[both], 2)
    return min(Fraction(1), 2 * min(above, below) / sum(ways.values()))


def test_mid_p_by_hand():
    # 4 people, 2 with each condition, 2 with both: arrangements of "both" 0, 1, 2 are 1, 4, 1 of 6.
    # Above: 0 + 1/12; twice that is 1/6.
    assert hypergeometric_mid_p(2, 2, 2, 4) == pytest.approx([1 / 6], rel=1e-14)
    # one with both is the middle: both tails are 1/6 + 1/3 = 1/2, so p = 1
    assert hypergeometric_mid_p(1, 2, 2, 4) == pytest.approx([1.0], rel=1e-14)
    # everybody has the first: one arrangement only
    assert hypergeometric_mid_p(3, 9, 3, 9) == pytest.approx([1.0], rel=1e-14)


def test_mid_p_of_every_small_table_is_the_sum_of_exact_fractions():
    tables = [
        (both, first, second, total)
        for total in range(1, 13)
        for first in range(total + 1)
        for second in range(total + 1)
        for both in range(max(0, first + second - total), min(first, second) + 1)
    ]
    exact = [float(exact_mid_p(*table)) for table in tables]
    assert hypergeometric_mid_p(*np.array(tables).T) == pytest.approx(exact, rel=1e-12)


def test_mid_p_of_larger_tables_is_the_sum_of_exact_fractions():
    random = np.random.default_rng(3)
    for _ in range(60):
        total = int(random.integers(100, 1500))
        first, second = (int(v) for v in random.integers(1, total, 2))
        both = int(random.integers(max(0, first + second - total), min(first, second) + 1))
        exact = float(exact_mid_p(both, first, second, total))
        # a chance below the smallest double is 0
        assert hypergeometric_mid_p(both, first, second, total) == pytest.approx([exact], rel=1e-11, abs=1e-300)


def test_mid_p_is_made_of_the_tails_of_phyper():
    for inputs, above in from_r("hypergeometric_above"):
        at = next(v for i, v in from_r("hypergeometric_at") if i == inputs)
        below = next(v for i, v in from_r("hypergeometric_below") if i == inputs)
        wanted = min(1.0, 2 * min(above + at / 2, below + at / 2))
        assert hypergeometric_mid_p(*inputs) == pytest.approx([wanted], rel=1e-10)


def log_factorial(n: int) -> Decimal:
    """Stirling's series to its seventh term, in the precision of the context; exact for small n."""
    if n < 3000:
        return Decimal(factorial(n)).ln()
    x, pi = Decimal(n), Decimal("3.14159265358979323846264338327950288419716939937510582")
    terms = [(1, 12), (-1, 360), (1, 1260), (-1, 1680), (1, 1188), (-691, 360360), (1, 156)]
    series = sum(Decimal(a) / Decimal(b) / x ** (2 * k + 1) for k, (a, b) in enumerate(terms))
    return (x + Decimal("0.5")) * x.ln() - x + (2 * pi).ln() / 2 + series


def precise_mid_p(both: int, first: int, second: int, total: int) -> float:
    def ways(n: int, k: int) -> Decimal:
        return log_factorial(n) - log_factorial(k) - log_factorial(n - k)

    with localcontext() as context:
        context.prec = 50
        chance = (ways(first, both) + ways(total - first, second - both) - ways(total, second)).exp()
        upwards = both >= floor((first + 1) * (second + 1) / (total + 2))
        tail, k = chance / 2, both
        while chance > tail * Decimal(10) ** -30:
            if upwards:
                chance *= Decimal((first - k) * (second - k)) / ((k + 1) * (total - first - second + k + 1))
                k += 1
            else:
                chance *= Decimal(k * (total - first - second + k)) / ((first - k + 1) * (second - k + 1))
                k -= 1
            tail += chance
        return float(min(Decimal(1), 2 * min(tail, 1 - tail)))


@pytest.mark.parametrize(
    ("both", "first", "second"),
    [
        (30, 40_000, 42_000),
        (60, 40_000, 42_000),
        (0, 40_000, 42_000),
        (14_250_500, 28_500_000, 28_500_000),
        (14_290_500, 28_500_000, 28_500_000),
        (351_500, 4_000_000, 5_000_000),
        (2_900_000, 12_000_000, 14_000_000),
        (0, 28_500_000, 40),
        (5, 56_999_990, 6),
    ],
)
def test_mid_p_of_57_million_people_loses_no_digits(both, first, second):
    # authority: Stirling's series in 50 digits, summed term by term
    wanted = precise_mid_p(both, first, second, 57_000_000)
    assert hypergeometric_mid_p(both, first, second, 57_000_000) == pytest.approx([wanted], rel=1e-10)


def test_mid_p_far_beyond_the_smallest_double_is_zero_at_once():
    assert hypergeometric_mid_p(9_000_000, 10_000_000, 10_000_000, 57_000_000) == [0.0]


def test_poisson_binomial_is_the_sum_over_every_outcome():
    # brute force: the probability of each of 2**8 outcomes of eight trials, summed by the number of successes
    rng = np.random.default_rng(8)
    outcomes = np.array(list(np.ndindex(*[2] * 8)))
    for _ in range(100):
        p = rng.beta(0.5, 1.5, 8)
        chance = np.prod(np.where(outcomes == 1, p, 1 - p), axis=1)
        brute = np.bincount(outcomes.sum(axis=1), weights=chance, minlength=9)
        assert poisson_binomial(p) == pytest.approx(brute, rel=1e-10, abs=1e-15)
