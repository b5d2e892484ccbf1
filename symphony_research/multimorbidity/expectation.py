"""Expected people of a set of conditions, and the variances that go with them, summed over strata."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from symphony_research.collapse.within_strata import Row, subset_sums
from symphony_research.inference import Array
from symphony_research.inference.expected_count import ExpectedCount
from symphony_research.inference.interaction import cells_of, set_against_its_parts

__all__ = ["against_parts", "cells_by_stratum", "independence"]

CHUNK = 2**22  # sets x conditions worked on at once
NEVER = -1e4  # log of zero, kept finite: its exponential is zero


def independence(
    inside: NDArray[np.bool_], observed: Array, people: Array, held: Array, both: Array, *, exact: bool
) -> ExpectedCount:
    """Set F sets against independence of all conditions within each of S strata.

    Parameters
    ----------
    inside : (F, K) array
        The sets.
    observed : (S, F) array
        People of each stratum who have them.
    people, held, both : (S,), (S, K), (S, K, K) arrays
        People; with each condition; with both of each pair. A condition whose
        people are unknown (NaN) makes its sets unknown, and is nobody's outside
        them; an unknown pair is taken as independent.
    exact : bool
        Whether the absence of every other condition belongs to the set.

    Notes
    -----
    With m the share of a stratum that agrees with the set in one condition and
    e their product, n e people are expected. Given all margins the count has
    the mean n e and, since people's agreements in each condition are shuffled,
    factorial moments that are products too: the variance is n e + (n e)^2 (r - 1),
    r = (n - 1)/n times the product of (M - 1) n / (M (n - 1)), M = n m, for a pair
    the hypergeometric variance. The log ratio has the
    delta-method variance with every margin estimated: a person moves log(O/E) by 1[set]/O - e y/E, y = 1 + sum of
    (agreement - m)/m over the conditions, and the variance is the sum of
    squares over all people.
    """
    step = max(1, CHUNK // max(inside.shape[1], 1))
    parts = [
        _independence(inside[at : at + step], observed[:, at : at + step], people, held, both, exact)
        for at in range(0, max(len(inside), 1), step)
    ]
    return ExpectedCount(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _independence(
    inside: NDArray[np.bool_], observed: Array, people: Array, held: Array, both: Array, exact: bool
) -> tuple[Array, ...]:
    within, outside = inside.astype(float), (~inside).astype(float) * exact
    unknown = inside @ np.isnan(held).any(axis=0).astype(float) > 0
    expected, score, crossed, squared = (np.zeros(len(inside)) for _ in range(4))
    with np.errstate(divide="ignore", invalid="ignore"):
        for n, a, c, o in zip(people, np.nan_to_num(held), both, observed, strict=True):
            if not n > 0:
                continue
            p = a / n
            log_probability = within @ _log(p) + outside @ _log(1 - p)
            e = np.exp(log_probability)
            mean = n * e
            # 1/m, zero where nobody agrees: e is zero there too
            one_in, one_out = _inverse(p), _inverse(1 - p)
            spread = within @ np.where(p > 0, one_in - 1, 0) + outside @ np.where(p < 1, one_out - 1, 0)
            covariance = c / n - np.outer(p, p)
            covariance[np.isnan(covariance)] = 0
            np.fill_diagonal(covariance, 0)
            loading = within * one_in - outside * one_out
            cross = ((loading @ covariance) * loading).sum(axis=1)
            expected += mean
            crossed += o * e * (1 + spread)
            squared += n * e**2 * (1 + spread + cross)
            score += np.maximum(mean + mean**2 * _factorial(n, a, within, outside), 0)
        total = observed.sum(axis=0)
        log_ratio = 1 / total - 2 * crossed / (total * expected) + squared / expected**2
    for column in (expected, score, log_ratio):
        column[unknown] = np.nan
    if not (people > 0).any():
        expected[:] = np.nan
    return expected, expected, score, log_ratio


def _factorial(n: float, held: Array, within: Array, outside: Array) -> Array:
    """Return the second factorial moment of the count over the square of its mean, less 1."""
    if n < 2:
        return np.full(len(within), -1.0)
    lost = np.log1p(-1 / n)
    return np.expm1(lost + within @ (_taken(held) - lost) + outside @ (_taken(n - held) - lost))


def _taken(count: Array) -> Array:
    """Return the log of (M - 1) / M."""
    enough = count >= 2
    return np.where(enough, np.log1p(-1 / np.where(enough, count, 2)), NEVER)


def _log(share: Array) -> Array:
    return np.where(share > 0, np.log(np.where(share > 0, share, 1)), NEVER)


def _inverse(share: Array) -> Array:
    return np.where(share > 0, 1 / np.where(share > 0, share, 1), 0.0)


def against_parts(row: Row, sets: list[tuple[int, ...]], n_conditions: int) -> ExpectedCount:
    """Set sets of three conditions or more against what their smaller subsets imply within each stratum."""
    size = np.array([len(one) for one in sets], dtype=int)
    found = np.full((6, len(sets)), np.nan)
    for k in np.unique(size):
        of_size = np.flatnonzero(size == k)
        step = max(1, CHUNK // (max(len(row.starts), 1) << int(k)))
        for at in range(0, len(of_size), step):
            chosen = of_size[at : at + step]
            people = row.people[:, None].astype(float)
            cells = cells_by_stratum(row, [sets[f] for f in chosen], n_conditions, int(k), people)[..., 0]
            made = set_against_its_parts(cells)
            moments = made.expected, made.null_mean, made.score_variance, made.log_ratio_variance
            found[:, chosen] = *moments, made.log_p, made.log_p_nearer
    return ExpectedCount(*found)


def cells_by_stratum(
    row: Row, sets: list[tuple[int, ...]], n_conditions: int, k: int, weights: Array
) -> NDArray[np.float64]:
    """Return sums over those who have, of each set of k conditions, exactly each subset, (S, F, 2**k, V)."""
    members = [[i for i in range(k) if code >> i & 1] for code in range(1 << k)]
    subsets = [[tuple(one[i] for i in member) for member in members] for one in sets]
    every = sorted({subset for own in subsets for subset in own})
    place = {subset: at for at, subset in enumerate(every)}
    sums = subset_sums(row, every, n_conditions, weights)
    at_least = sums[:, np.array([[place[subset] for subset in own] for own in subsets], dtype=int).reshape(-1, 1 << k)]
    return np.moveaxis(cells_of(np.moveaxis(at_least, -1, 0)), 0, -1)
