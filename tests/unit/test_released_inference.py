"""P values and intervals over every table that released counts allow: by hand, by enumeration, and as properties."""

from __future__ import annotations

from fractions import Fraction
from math import comb, inf, isnan, log

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import gammaincinv
from scipy.stats import hypergeom

from symphony_research.errors import ArgumentError
from symphony_research.inference import (
    hypergeometric_mid_p,
    largest_mid_p,
    log_interval,
    normal_quantile,
    smallest_ic_lower,
    union_interval_odds,
    union_interval_ratio,
)
from symphony_research.inference.strata import stratified_pairs

Table = tuple[int, int, int, int]
Box = tuple[tuple[int, int], ...]
FIGURES = ("p", "ratio_lower", "ratio_upper", "odds_lower", "odds_upper", "ic_lower")
LARGEST = ("p", "ratio_upper", "odds_upper")


# the naive side: every table of a box by the formulas of the textbook, variances as exact fractions of integers


def tables_of(box: Box) -> np.ndarray:
    c, a, b, n = (x.ravel() for x in np.meshgrid(*(np.arange(low, high + 1) for low, high in box)))
    possible = (c <= np.minimum(a, b)) & (a > 0) & (b > 0) & (np.maximum(a, b) <= n) & (a + b - c <= n)
    return np.array([c, a, b, n])[:, possible]


def naive_p(c, a, b, n):
    chance = hypergeom(n, a, b)
    at = chance.pmf(c)
    return np.minimum(1, 2 * np.minimum(chance.sf(c) + at / 2, chance.cdf(c) - at / 2))


def exact_p(c: int, a: int, b: int, n: int) -> float:
    ways = {k: comb(a, k) * comb(n - a, b - k) for k in range(max(0, a + b - n), min(a, b) + 1)}
    above = Fraction(sum(w for k, w in ways.items() if k > c)) + Fraction(ways[c], 2)
    return float(2 * min(above, sum(ways.values()) - above) / sum(ways.values()))


def ends(ratio, variance, z):
    return ratio * np.exp(-z * np.sqrt(variance)), ratio * np.exp(z * np.sqrt(variance))


def naive(tables: np.ndarray, confidence: float, with_p: bool = True) -> dict[str, np.ndarray]:
    """Every figure of every table; counts may be Python's integers, which do not overflow."""
    c, a, b, n = tables
    z = normal_quantile(confidence)
    s, t, u = a - c, b - c, n - a - b + c
    # 1/c - 1/a - 1/b + 2c/(ab) - 1/n, over its common denominator
    over = a * b * n - c * b * n - c * a * n + 2 * c * c * n - c * a * b
    one, all_four = np.maximum(c, 1), np.where(c * s * t * u > 0, 1, 0)
    ratio = ends((c * n / (a * b)).astype(float), (over / (one * a * b * n)).astype(float), z)
    x, y, v, w = (np.maximum(cell, 1).astype(float) for cell in (c, s, t, u))
    odds = ends(x * w / (y * v), 1 / x + 1 / y + 1 / v + 1 / w, z)
    ic = np.log2(gammaincinv(c.astype(float) + 0.5, (1 - confidence) / 2) / ((a * b / n).astype(float) + 0.5))
    ratio, odds = [np.where(c > 0, r, np.nan) for r in ratio], [np.where(all_four, o, np.nan) for o in odds]
    p = naive_p(c, a, b, n) if with_p else np.full(len(c), np.nan)
    return dict(zip(FIGURES, (p, *ratio, *odds, ic), strict=True))


def worst_of(box: Box, confidence: float) -> dict[str, float]:
    every = naive(tables_of(box), confidence)
    worst = {}
    for name, values in every.items():
        known = values[~np.isnan(values)]
        worst[name] = float(known.max() if name in LARGEST else known.min()) if len(known) else np.nan
    return worst


def released(boxes: list[Box], confidence: float = 0.95) -> dict[str, np.ndarray]:
    columns = np.array([[end for count in box for end in count] for box in boxes], dtype=float).reshape(-1, 8).T
    values = (
        largest_mid_p(*columns),
        *union_interval_ratio(*columns, confidence=confidence),
        *union_interval_odds(*columns, confidence=confidence),
        smallest_ic_lower(*columns, confidence=confidence),
    )
    return dict(zip(FIGURES, values, strict=True))


def beyond(name: str, ours: float, true: float) -> float:
    """How far ours lies outside the true figure (negative: inside it, which must not be), relatively; of an IC in bits."""
    if isnan(true):
        return 0.0 if isnan(ours) else inf
    further = ours - true if name in LARGEST else true - ours
    return further if name == "ic_lower" else further / true


def box_about(table: Table, widths: list[int]) -> Box:
    return tuple((max(0, x - low), x + high) for x, low, high in zip(table, widths[:4], widths[4:], strict=True))


def random_table(random: np.random.Generator, people: tuple[int, int], most: float) -> Table:
    n = int(random.integers(*people))
    a, b = (int(x) for x in random.integers(1, int(min(most, n)) + 1, 2))
    low, high = max(0, a + b - n), min(a, b)
    # often nested or disjoint, where the intervals' ends are not monotone
    c = int(random.choice([low, high, random.integers(low, high + 1), random.integers(low, high + 1)]))
    return c, a, b, n


# by hand


def test_more_than_expected_p_is_that_of_the_fewest_with_both_and_the_most_with_each():
    # c 2 to 3, a 3 to 4, b 3, n 12. Least associated: c = 2, a = 4, b = 3, n = 12 (1 expected).
    # Of C(12, 3) = 220: more than 2 is C(4, 3) = 4, 2 is C(4, 2) * 8 = 48; p = 2 * (4 + 24) / 220.
    assert largest_mid_p(2, 3, 3, 4, 3, 3, 12, 12) == pytest.approx([56 / 220], rel=1e-14)


def test_fewer_than_expected_p_is_that_of_the_most_with_both_and_the_fewest_with_each():
    # c 0, a 3 to 4, b 4, n 8 to 9. Least associated: a = 3, b = 4, n = 9 (1.33 expected).
    # Of C(9, 4) = 126, C(6, 4) = 15 have none with both; p = 2 * 7.5 / 126.
    assert largest_mid_p(0, 0, 3, 4, 4, 4, 8, 9) == pytest.approx([15 / 126], rel=1e-14)


def test_tables_on_both_sides_of_the_null_have_p_1():
    # a = b = 4, n = 8: 2 expected, and c from 1 to 3
    assert largest_mid_p(1, 3, 4, 4, 4, 4, 8, 8) == [1.0]


def test_ratio_interval_by_hand():
    # z = 1.96; c 10 to 11, a 40 to 42, b = 50, n = 400
    # lower: c = 10, a = 42: 10 * 400 / (42 * 50) = 1.904762;
    #   V = 1/10 - 1/42 - 1/50 + 20/2100 - 1/400 = 0.0632143, root 0.2514245; 1.904762 * exp(-0.4927829) = 1.163664
    # upper: c = 11, a = 40: 11 * 400 / (40 * 50) = 2.2;
    #   V = 1/11 - 1/40 - 1/50 + 22/2000 - 1/400 = 0.0544091, root 0.2332576; 2.2 * exp(0.4571765) = 3.475137
    lower, upper = union_interval_ratio(10, 11, 40, 42, 50, 50, 400, 400, confidence=0.95)
    assert lower == pytest.approx([1.163664], rel=1e-5)
    assert upper == pytest.approx([3.475137], rel=1e-5)


def test_upper_end_of_nested_conditions_is_at_neither_end_of_the_box():
    # nearly everybody with the first has the second, which nearly everybody has: c 98 to 100, a = 100, b = 1,000, n = 1,002
    # c =  98: 0.98196; V = 1/98 - 0.01 - 0.001 + 0.00196 - 1/1002 = 0.0001661, root 0.0128871; times exp(0.0252583) = 1.007079
    # c =  99: 0.99198; V = 1/99 - 0.01 - 0.001 + 0.00198 - 1/1002 = 0.0000830, root 0.0091108; times exp(0.0178568) = 1.009853
    # c = 100: 1.002;   V = 0.01 - 0.01 - 0.001 + 0.002 - 1/1002   = 0.0000020, root 0.0014128; times exp(0.0027690) = 1.004778
    _, upper = union_interval_ratio(98, 100, 100, 100, 1000, 1000, 1002, 1002, confidence=0.95)
    assert upper == pytest.approx([1.009853], rel=1e-5)


def test_odds_interval_by_hand():
    # c 10 to 11, a = 30, b = 40 to 41, n = 200; z = 1.96
    # lower: cells 10, 20, 31, 139: 1390 / 620 = 2.241935; V = 0.1 + 0.05 + 0.0322581 + 0.0071942 = 0.1894523, root 0.4352612;
    #   2.241935 * exp(-0.8530963) = 0.955274
    # upper: cells 11, 19, 29, 141: 1551 / 551 = 2.814882; V = 0.0909091 + 0.0526316 + 0.0344828 + 0.0070922 = 0.1851157,
    #   root 0.4302507; 2.814882 * exp(0.8432759) = 6.541694
    lower, upper = union_interval_odds(10, 11, 30, 30, 40, 41, 200, 200, confidence=0.95)
    assert lower == pytest.approx([0.955274], rel=1e-5)
    assert upper == pytest.approx([6.541694], rel=1e-5)


def test_ic_lower_by_hand():
    # c 8 to 12, a = 20, b = 30 to 32, n 100 to 102: c = 8 and 20 * 32 / 100 = 6.4 expected.
    # The 2.5% point of a gamma of shape 8.5 is half that of chi-squared on 17 degrees of freedom, 7.564186 / 2
    wanted = log(7.564186 / 2 / 6.9) / log(2)
    assert smallest_ic_lower(8, 12, 20, 20, 30, 32, 100, 102, confidence=0.95) == pytest.approx([wanted], rel=1e-6)


# what there is no figure of


def test_a_suppressed_count_has_p_1_and_no_interval():
    for position in range(8):
        box = np.array([20.0, 24, 98, 102, 118, 122, 998, 1002])
        box[position] = np.nan
        assert largest_mid_p(*box) == [1.0]
        assert np.isnan(
            [*union_interval_ratio(*box, confidence=0.95), *union_interval_odds(*box, confidence=0.95)]
        ).all()
        assert np.isnan(smallest_ic_lower(*box, confidence=0.95)).all()


@pytest.mark.parametrize(
    "box",
    [
        # more with both than with the first; more with the first than in all; more missing than there are
        ((11, 12), (8, 10), (20, 22), (100, 102)),
        ((1, 2), (104, 106), (20, 22), (100, 102)),
        ((8, 12), (58, 62), (58, 62), (98, 102)),
        # nobody with the first
        ((0, 0), (0, 0), (20, 22), (100, 102)),
    ],
)
def test_where_no_table_is_possible_there_is_no_figure(box):
    assert not tables_of(box).size
    assert all(np.isnan(values).all() for values in released([box]).values())


def test_a_count_of_zero_has_a_p_value_and_an_ic_but_no_interval():
    box = ((0, 0), (98, 102), (118, 122), (998, 1002))
    ours, true = released([box]), worst_of(box, 0.95)
    assert ours["p"] == pytest.approx([true["p"]], rel=1e-9)
    assert ours["ic_lower"] == pytest.approx([true["ic_lower"]], rel=1e-12)
    assert np.isnan([ours[name][0] for name in FIGURES[1:5]]).all()


def test_one_pair_and_many_at_once_give_the_same():
    random = np.random.default_rng(5)
    boxes = [
        box_about(random_table(random, (50, 500), 100), [int(w) for w in random.integers(0, 6, 8)]) for _ in range(40)
    ]
    together = released(boxes)
    for k, box in enumerate(boxes):
        for name, alone in released([box]).items():
            np.testing.assert_array_equal(alone[0], together[name][k])
    assert all(values.shape == (0,) for values in released([]).values())
    # ends are broadcast together
    assert largest_mid_p([8, 28], [12, 32], 98, 102, 118, 122, 998, 1002).shape == (2,)


def test_a_confidence_outside_0_and_1_is_refused():
    for function in (union_interval_ratio, union_interval_odds, smallest_ic_lower):
        with pytest.raises(ArgumentError, match="between 0 and 1"):
            function(8, 12, 98, 102, 118, 122, 998, 1002, confidence=95)


# every table of whole boxes


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize(
    ("people", "most", "widest", "boxes"), [((3, 61), 60, 4, 100), ((30, 61), 20, 3, 60), ((400, 600), 100, 3, 40)]
)
def test_no_table_of_the_box_has_a_figure_beyond_the_released_one(confidence, people, most, widest, boxes):
    random = np.random.default_rng([7, people[1], most])
    for _ in range(boxes):
        box = box_about(random_table(random, people, most), [int(w) for w in random.integers(0, widest, 8)])
        if not tables_of(box).size:
            continue
        ours, true = released([box], confidence), worst_of(box, confidence)
        for name in FIGURES:
            assert beyond(name, ours[name][0], true[name]) > -1e-9, (name, box)


@pytest.mark.parametrize("confidence", [0.95, 0.999, 1 - 2**-52])
def test_upper_ends_are_exact_for_every_box(confidence):
    random = np.random.default_rng(11)
    for people, most in [((3, 61), 60)] * 100 + [((20, 61), 12)] * 50 + [((400, 600), 500)] * 20:
        box = box_about(random_table(random, people, most), [int(w) for w in random.integers(0, 3, 8)])
        ours, true = released([box], confidence), worst_of(box, confidence)
        # of the odds ratio's where z <= 2
        for name in ("ratio_upper", "odds_upper") if confidence <= 0.95 else ("ratio_upper",):
            assert ours[name] == pytest.approx([true[name]], rel=1e-9, nan_ok=True), (name, box)


def test_all_is_exact_where_conditions_are_not_most_of_the_people():
    random = np.random.default_rng(13)
    seen = dict.fromkeys(FIGURES, 0)
    while min(seen.values()) < 60:
        box = box_about(random_table(random, (100, 600), 100), [int(w) for w in random.integers(0, 3, 8)])
        (low, high), (a0, a1), (b0, b1), (n0, _) = box
        if not (low >= 1 and low <= min(a0, b0) and a1 + b1 - low < n0):
            continue
        ours, true = released([box]), worst_of(box, 0.95)
        # p is exact where it is not 1; the ratio's lower end where at most half of either have both
        exact = {name: True for name in FIGURES} | {
            "p": ours["p"][0] < 1,
            "ratio_lower": 2 * high <= min(a0, b0),
        }
        for name in FIGURES:
            if exact[name]:
                seen[name] += 1
                assert ours[name] == pytest.approx([true[name]], rel=1e-8, nan_ok=True), (name, box)


@pytest.mark.parametrize("rounding", [5, 10])
def test_boxes_at_the_edge_of_the_threshold_lose_little(rounding):
    # a count of 8 to 12 (or 14), and conditions nested, in their middle, and disjoint
    random, low, half = np.random.default_rng(17), 8, rounding // 2
    for _ in range(6):
        a, b, n = (int(x) for x in random.integers((20, 20, 400), (100, 100, 600)))
        box = ((low, 10 + half), (a - 1, a + 1), (b - half, b + half - 1 + rounding % 2), (n - 1, n + 1))
        ours, true = released([box]), worst_of(box, 0.95)
        for name in FIGURES:
            assert -1e-9 < beyond(name, ours[name][0], true[name]) < 0.01, (name, box)


def test_p_is_1_only_where_tables_lie_on_both_sides():
    random = np.random.default_rng(19)
    for _ in range(150):
        box = box_about(random_table(random, (3, 61), 60), [int(w) for w in random.integers(0, 3, 8)])
        c, a, b, n = tables = tables_of(box)
        above = hypergeom.sf(c, n, a, b) + hypergeom.pmf(c, n, a, b) / 2
        ours = float(largest_mid_p(*[end for count in box for end in count])[0])
        if above.min() > 0.5 + 1e-9 or above.max() < 0.5 - 1e-9:
            assert ours == pytest.approx(max(exact_p(*table) for table in tables.T.tolist()), rel=1e-10)
        else:
            assert ours == pytest.approx(1.0, rel=1e-8)


# properties


@st.composite
def tables_in_boxes(draw, people: int) -> tuple[Table, Box]:
    n = draw(st.integers(1, people))
    a, b = draw(st.integers(1, n)), draw(st.integers(1, n))
    c = draw(st.integers(max(0, a + b - n), min(a, b)))
    return (c, a, b, n), box_about((c, a, b, n), draw(st.lists(st.integers(0, 6), min_size=8, max_size=8)))


@given(tables_in_boxes(2000))
@settings(max_examples=200)
def test_exact_p_never_exceeds_the_released_p(table_in_box):
    table, box = table_in_box
    columns = [end for count in box for end in count]
    assert hypergeometric_mid_p(*table)[0] <= largest_mid_p(*columns)[0] * (1 + 1e-9)


@given(tables_in_boxes(57_000_000), st.sampled_from([0.8, 0.95, 0.99, 0.999]))
@settings(max_examples=200)
def test_exact_interval_is_inside_the_released_interval(table_in_box, confidence):
    table, box = table_in_box
    ours, true = without_p(box, confidence), naive(np.array(table, dtype=object)[:, None], confidence, with_p=False)
    for name in FIGURES[1:]:
        if not isnan(true[name][0]):
            assert beyond(name, ours[name][0], true[name][0]) > -1e-9, name


def without_p(box: Box, confidence: float) -> dict[str, np.ndarray]:
    columns = [end for count in box for end in count]
    ratio, odds = (f(*columns, confidence=confidence) for f in (union_interval_ratio, union_interval_odds))
    return dict(zip(FIGURES[1:], (*ratio, *odds, smallest_ic_lower(*columns, confidence=confidence)), strict=True))


@given(tables_in_boxes(5000))
@settings(max_examples=200)
def test_a_box_of_one_table_gives_exactly_its_figures(table_in_box):
    (c, a, b, n), _ = table_in_box
    ours = released([((c, c), (a, a), (b, b), (n, n))])
    sums = stratified_pairs([[c]], [[a]], [[b]], [[n]])
    assert ours["p"] == pytest.approx(hypergeometric_mid_p(c, a, b, n), rel=1e-12, abs=1e-300)
    odds = log_interval(sums.odds_ratio, sums.log_odds_variance, 0.95)
    for name, wanted in zip(("odds_lower", "odds_upper"), odds, strict=True):
        assert ours[name] == pytest.approx(wanted, rel=1e-12, nan_ok=True)
    ic = np.log2(gammaincinv(c + 0.5, 0.025) / (sums.expected + 0.5))
    assert ours["ic_lower"] == pytest.approx(ic, rel=1e-12, abs=1e-12)
    assume(c > 0)
    # the existing variance is a difference, whose last digits are lost where it is near zero
    variance = float(sums.log_ratio_variance[0])
    near = 1e-12 if variance * c > 1e-3 else 1e-6
    for name, wanted in zip(
        ("ratio_lower", "ratio_upper"), log_interval(c / sums.expected, variance, 0.95), strict=True
    ):
        assert ours[name] == pytest.approx(wanted, rel=near)
