"""Tests within strata of pairs, triads and order of onset: naive, but for the p value of a pair, which is the library's.

That one is set against rational arithmetic in `tails.py`.

References
----------
Mantel, N. and Haenszel, W. (1959). Journal of the National Cancer Institute 22, 719-748.
Bartlett, M. S. (1935). Supplement to the Journal of the Royal Statistical Society 2, 248-252.
Zelen, M. (1971). Biometrika 58, 129-137.
Benjamini, Y. and Hochberg, Y. (1995). Journal of the Royal Statistical Society B 57, 289-300.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import gammaln

from symphony_research.inference.stratified import p_of_log, stratified_log_mid_p


@dataclass(frozen=True)
class PairCounts:
    """People by stratum, and people with each two conditions (with one: the diagonal) by stratum."""

    people: np.ndarray
    both: np.ndarray


def count_pairs(stratum: np.ndarray, held: np.ndarray, strata: int) -> PairCounts:
    order = np.argsort(stratum, kind="stable")
    ends = np.searchsorted(stratum[order], np.arange(strata + 1))
    sorted_held = held[order].astype(np.float32)  # exact: counts stay under 2**24
    parts = [sorted_held[start:end] for start, end in pairwise(ends)]
    return PairCounts(np.diff(ends).astype(float), np.stack([part.T @ part for part in parts]).astype(float))


@dataclass(frozen=True)
class PairTest:
    """One entry a pair (upper triangle, row by row)."""

    observed: np.ndarray
    expected: np.ndarray
    p_value: np.ndarray


def pair_test(counts: PairCounts) -> PairTest:
    """Mantel and Haenszel's comparison: people with both, against the hypergeometric means summed over the strata.

    Two-sided mid-p of the sum's own distribution, all margins of every stratum given.
    """
    i, j = np.triu_indices(counts.both.shape[1], 1)
    n = counts.people[:, None]
    a, b = (counts.both[:, k, k] for k in (i, j))
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.nan_to_num(a * b / n).sum(axis=0)
    both = counts.both[:, i, j]
    log_p = stratified_log_mid_p(both, a, b, counts.people)
    return PairTest(both.sum(axis=0), expected, p_of_log(log_p))


def found_at(p_value: np.ndarray, level: float = 0.05) -> np.ndarray:
    """What Benjamini and Hochberg call found at a false discovery rate."""
    order = np.argsort(p_value)
    below = np.flatnonzero(p_value[order] <= level * np.arange(1, len(order) + 1) / len(order))
    found = np.zeros(len(order), bool)
    if len(below):
        found[order[: below[-1] + 1]] = True
    return found


# Adding one to the cells of this sign and taking one from the others leaves every two-way margin as it was.
_SIGN = np.array([[[-1, 1], [1, -1]], [[1, -1], [-1, 1]]])


def count_triad(stratum: np.ndarray, held: np.ndarray, strata: int) -> np.ndarray:
    """Counts by stratum x first x second x third."""
    cell = ((stratum * 2 + held[:, 0]) * 2 + held[:, 1]) * 2 + held[:, 2]
    return np.bincount(cell, minlength=strata * 8).reshape(strata, 2, 2, 2)


@dataclass(frozen=True)
class Exact:
    """A p value of a discrete test, and the probability, were there nothing, that it is no more than 0.05 and 0.001."""

    p_value: float
    size_05: float
    size_001: float


def triad_test(cells: np.ndarray) -> Exact:
    """Two-sided mid-p of no three-way interaction (Bartlett 1935), exact given the two-way tables of every stratum.

    People with all three, summed over the strata, against their distribution given all that the pairs say; in a
    stratum a table weighs 1 / product(n_ijk!), and the strata are independent (Zelen 1971, a step further).
    """
    distribution, at = np.ones(1), 0
    for table in cells:
        lowest = -int(table[_SIGN > 0].min())
        highest = int(table[_SIGN < 0].min())
        if lowest == highest:
            continue
        moved = np.arange(lowest, highest + 1)
        log_weight = -gammaln(table[..., None] + _SIGN[..., None] * moved + 1).sum(axis=(0, 1, 2))
        weight = np.exp(log_weight - log_weight.max())
        distribution = np.convolve(distribution, weight / weight.sum())
        at -= lowest
    upper = np.cumsum(distribution[::-1])[::-1] - distribution / 2
    p = np.minimum(1, 2 * np.minimum(upper, 1 - upper))
    return Exact(float(p[at]), *(float(distribution[p <= level].sum()) for level in (0.05, 0.001)))


def no_three_way(cells: np.ndarray) -> np.ndarray:
    """Expected people with all three given the pairs, by stratum: where the odds ratios are equal, by bisection."""
    cells = cells.astype(float)
    plus, minus = cells[:, _SIGN > 0], cells[:, _SIGN < 0]
    low, high = -plus.min(axis=1), minus.min(axis=1)
    for _ in range(60):
        middle = (low + high) / 2
        with np.errstate(divide="ignore", invalid="ignore"):  # both are empty where only one table can be
            gap = np.log(plus + middle[:, None]).sum(axis=1) - np.log(minus - middle[:, None]).sum(axis=1)
        low, high = np.where(gap < 0, middle, low), np.where(gap < 0, high, middle)
    return cells[:, 1, 1, 1] + (low + high) / 2


@dataclass(frozen=True)
class Order:
    """How often the first of two conditions began first, and by chance; p of more often, and of either way."""

    people: int
    first_share: float
    null_share: float
    p_first: float
    p_either: float


def order_test(
    first: np.ndarray, then: np.ndarray, stratum: np.ndarray, random: np.random.Generator, permutations: int
) -> Order:
    """Permute the onsets of the second condition among the people of a stratum; the same day counts half."""
    by = np.argsort(stratum, kind="stable")
    first, then, stratum = first[by], then[by], stratum[by]
    shuffled = then[np.argsort(stratum + random.random((permutations, len(by))), axis=1)]

    def score(second: np.ndarray) -> np.ndarray:
        return (first < second).sum(axis=-1) + (first == second).sum(axis=-1) / 2

    observed, chance = score(then), score(shuffled)
    more = (1 + (chance >= observed).sum()) / (permutations + 1)
    fewer = (1 + (chance <= observed).sum()) / (permutations + 1)
    return Order(len(by), float(observed) / len(by), chance.mean() / len(by), more, min(1.0, 2 * min(more, fewer)))


def share_expected_share(first: np.ndarray, then: np.ndarray, stratum: np.ndarray) -> float:
    """Share in whom the first would begin first, were each person's second onset somebody else's of the same stratum.

    Nobody is set against themselves: in strata of a few people that would put back the order that was observed.
    """
    by = np.lexsort((then, stratum))
    first, then, stratum = (values[by].astype(np.int64) for values in (first, then, stratum))
    _, where, people = np.unique(stratum, return_inverse=True, return_counts=True)
    span = 10**8  # more than any day, so that one sorted line holds all strata
    line, wanted = where * span + then, where * span + first
    before = np.cumsum(people) - people
    later = (before + people)[where] - np.searchsorted(line, wanted, side="right")
    same = np.searchsorted(line, wanted, side="right") - np.searchsorted(line, wanted, side="left")
    own = (then > first) + (then == first) / 2
    others = people[where] - 1
    several = others > 0
    return float(((later + same / 2 - own)[several] / others[several]).mean())
