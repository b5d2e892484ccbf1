"""How many people random sets of known sizes have in common: by factorial moments, and set by set.

References
----------
Vatutin, V. A. and Mikhailov, V. G. (1982). Limit theorems for the number of
empty cells in an equiprobable scheme for group allocation of particles. Theory
of Probability and its Applications 27, 734-743.
Jordan, Ch. (1927). Sur la probabilité des épreuves répétées. Bulletin de la
Société Mathématique de France 54, 101-137 (probabilities from factorial moments).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from symphony_research.inference.circle import radius
from symphony_research.inference.exact import _log_binomial, _log_hypergeometric
from symphony_research.inference.intervals import Array

__all__ = ["NEVER", "by_moments", "falling", "set_by_set"]

NEVER = -1e4  # log of zero, kept finite: its exponential is zero
FURTHER = 40  # factorial moments beyond a count that give its probability, where few are expected
CHUNK = 2**22

Integers = NDArray[np.int64]


def falling(count: Array, people: float, size: int) -> Array:
    """Return log of (a)_j / (n)_j, of a of n people, for j = 0 ... size, (K, size + 1)."""
    j = np.arange(size)
    there = (j < count[:, None]) & (j < people)
    ratio = np.where(there, (count[:, None] - j) / np.where(j < people, people - j, 1), 1.0)
    steps = np.where(there, np.log(np.where(there, ratio, 1.0)), NEVER)
    return np.concatenate([np.zeros((len(count), 1)), np.cumsum(steps, axis=1)], axis=1)


def by_moments(log_shares: Array, people: float, width: int, tilt: float = 0.0) -> Array:
    """Return log probabilities of 0, 1, ..., width - 1 where few are expected, (F, width).

    Parameters
    ----------
    log_shares : (F, width + FURTHER) array
        Sums over the sets of `falling`.
    people : float
        Of the stratum.
    tilt : float
        Probabilities times about exp(tilt x) are within the range of doubles.

    Notes
    -----
    E[C(X, j)] = C(n, j) product of (a)_j / (n)_j, and the probability of x is the
    alternating sum of C(j, x) times those of j >= x. Each loses some
    exp(2 mean) of its digits, whatever x.
    """
    from scipy.special import gammaln

    j = np.arange(width + FURTHER)
    steps = np.where(j < people, np.log(np.maximum(people - j, 1)), NEVER)
    log_choose = np.concatenate([[0.0], np.cumsum(steps)[:-1]]) - gammaln(j + 1)
    while tilt > 0 and (log_shares + (log_choose + tilt * j)).max(initial=0.0) > 600:
        tilt -= 1
    moments = np.exp(log_shares + (log_choose + tilt * j))
    x, beyond = np.arange(width), np.maximum(j[:, None] - np.arange(width), 0)
    choose = np.exp(gammaln(j[:, None] + 1) - gammaln(x + 1) - gammaln(beyond + 1) - tilt * beyond)
    probability = moments @ np.where(j[:, None] >= x, (-1.0) ** beyond * choose, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(probability, 0.0)) - tilt * x


def set_by_set(sizes: Array, people: Array, low: Array, high: Array, likely: Array) -> Array:
    """Return log probabilities of low, low + 1, ..., high of the people that random sets have in common, (R, W).

    Parameters
    ----------
    sizes : (R, k) array
        Of the sets, the smallest first.
    people : (R,) array
    low, high : (R,) arrays
        Which counts; W is the most of them, what lies beyond is -inf.
    likely : (R, 2) array
        Between which of them lie those that matter.

    Notes
    -----
    Y of the first sets' common people who are in the next too are
    hypergeometric, C(a, x) C(n - a, y - x) / C(n, y): the sum over y is a
    correlation with one factor, between products with the others; all terms
    are positive, so no digits are lost.
    """
    k = sizes.shape[1]
    last = high
    begin, end = _likely_between(sizes[:, :2], sizes, people, likely) if k > 2 else (low, last)
    y = _points(begin, end)
    values = _log_hypergeometric(
        np.clip(y, np.maximum(0, sizes[:, :2].sum(axis=1) - people)[:, None], sizes[:, :1]),
        sizes[:, :1],
        sizes[:, 1:2],
        people[:, None],
    )
    values = np.where(y <= end[:, None], values, -np.inf)
    for i in range(2, k):
        before, begin_before = values, begin
        if i + 1 < k:
            begin, end = _likely_between(sizes[:, : i + 1], sizes, people, likely)
        else:
            begin, end = low, last
        values = _drawn(before, begin_before, begin, end, sizes[:, i], people)
    return values


def _points(begin: Array, end: Array) -> Array:
    return begin[:, None] + np.arange(int((end - begin).max(initial=0)) + 1)


def _likely_between(first: Array, every: Array, people: Array, likely: Array) -> tuple[Array, Array]:
    """Return between which numbers the people common to the first sets practically lie, those common to all given."""
    n = people
    most, least = first.min(axis=1), np.maximum(0, first.sum(axis=1) - (first.shape[1] - 1) * n)
    low, high = np.full_like(n, np.inf), np.full_like(n, -np.inf)
    for common in likely.T:
        # everybody else lacks one of the sets at least: their shares are found as if each were drawn by itself
        lacking = (n - common)[:, None]
        absent = np.where(lacking > 0, (n[:, None] - every) / np.where(lacking > 0, lacking, 1.0), 0.0)
        z = everybody_lacks(absent)
        share = np.prod(np.maximum(1 - z[:, None] * absent[:, : first.shape[1]], 0.0), axis=1)
        all_sets = np.prod(np.maximum(1 - z[:, None] * absent, 0.0), axis=1)
        others = lacking[:, 0] * np.maximum(share - all_sets, 0) / np.maximum(1 - all_sets, 1e-300)
        spread = radius(1.3 * others * np.maximum(1 - others / np.maximum(most, 1), 0.02) + 1)
        low = np.minimum(low, common + others - spread)
        high = np.maximum(high, common + others + spread)
    low, high = np.maximum(np.floor(low), least), np.minimum(np.ceil(high), most)
    return np.minimum(low, high), high


def everybody_lacks(absent: Array) -> Array:
    """Return by what shares of absence grow if those who lack nothing are omitted: the root z > 0 of 1 - z = product(1 - z u)."""
    z = np.ones(absent.shape[:-1])
    several = absent.sum(axis=-1) > 1 + 1e-12
    for _ in range(60):
        left = 1 - z[..., None] * absent
        left = np.where(np.abs(left) < 1e-300, 1e-300, left)
        product = np.prod(left, axis=-1)
        # convex, and from 1 downwards every step stays on the same side
        slope = 1 - product * (absent / left).sum(axis=-1)
        step = np.where(several & (slope > 0), (product - 1 + z) / np.where(slope > 0, slope, 1.0), 0.0)
        z = z - step
        if not (np.abs(step) > 1e-13 * np.abs(z)).any():
            break
    return np.where(several, np.clip(z, 1e-12, 1.0), 1e-12)


def _drawn(before: Array, y0: Array, begin: Array, end: Array, size: Array, people: Array) -> Array:
    """Return the log probabilities of the people in one more set, from those of the people in all sets before."""
    n_rows, n_y = before.shape
    n_x = int((end - begin).max(initial=0)) + 1
    y = y0[:, None] + np.arange(n_y)
    x = begin[:, None] + np.arange(n_x)
    peak = y0 + np.argmax(before, axis=1)
    share = np.clip(peak / people, 1e-12, 1 - 1e-12)[:, None]
    log_before = before - np.where(np.isfinite(before), _chances(y0, n_y, people, share), 0.0)
    d = (y0 - begin - (n_x - 1))[:, None] + np.arange(n_x + n_y - 1)
    log_rest = _chances(d[:, 0], n_x + n_y - 1, people - size, share)
    # both factors level where their product is largest, so that neither leaves the range of doubles
    slope = _slope(log_before, log_rest, n_x - 1 - ((end - begin) // 2).astype(np.int64))
    log_before, log_rest = log_before - slope * y, log_rest + slope * d
    top, top_rest = log_before.max(axis=1), log_rest.max(axis=1)
    one, other = np.exp(log_before - top[:, None]), np.exp(log_rest - top_rest[:, None])
    total = np.empty((n_rows, n_x))
    step = max(1, CHUNK // (n_x * n_y))
    for at in range(0, n_rows, step):
        sliding = np.lib.stride_tricks.sliding_window_view(other[at : at + step], n_y, axis=1)
        total[at : at + step] = np.einsum("ry,rjy->rj", one[at : at + step], sliding)[:, ::-1]
    with np.errstate(divide="ignore"):
        found = np.log(total) + (top + top_rest)[:, None] + slope * x
    own = _chances(begin, n_x, size, share)
    return np.where(np.isfinite(own) & (x <= end[:, None]), found + own, -np.inf)


def _slope(log_before: Array, log_rest: Array, start: Integers) -> Array:
    """Slope of the first factor where its product with the second is largest, for the count whose second factor starts there."""
    n_y = log_before.shape[1]
    if n_y < 3:
        return np.zeros((len(start), 1))
    rows = np.arange(len(start))
    together = log_before + log_rest[rows[:, None], start[:, None] + np.arange(n_y)]
    at = np.clip(np.argmax(together, axis=1), 1, n_y - 2)
    slope = (log_before[rows, at + 1] - log_before[rows, at - 1]) / 2
    # at an end of what is possible one side tells
    for one, other in ((at + 1, at), (at, at - 1)):
        side = log_before[rows, one] - log_before[rows, other]
        slope = np.where(np.isfinite(slope), slope, side)
    return np.where(np.isfinite(slope), slope, 0.0)[:, None]


def _chances(first: Array, width: int, trials: Array, share: Array) -> Array:
    """Return the log probabilities of a binomial at first, first + 1, ..., one row each; what cannot be is -inf.

    Notes
    -----
    From the likeliest of them, by the ratio of each to the one before: one logarithm each, where Loader's formula has
    a dozen terms. Nobody and everybody are reached with the others.
    """
    x, n = first[:, None] + np.arange(width), trials[:, None]
    likeliest = np.clip(
        np.floor((n + 1) * share), np.maximum(first[:, None], 0), np.minimum(first[:, None] + width - 1, n)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        there = _log_binomial(likeliest, n, share)
    step = x[:, :-1]
    rises = np.where((step >= 0) & (step < n), (n - step) / np.maximum(step + 1, 1) * (share / (1 - share)), 1.0)
    height = np.concatenate([np.zeros((len(x), 1)), np.cumsum(np.log(rises), axis=1)], axis=1)
    at = np.clip(likeliest - first[:, None], 0, width - 1).astype(np.int64)
    height += there - np.take_along_axis(height, at, axis=1)
    return np.where((x >= 0) & (x <= n), height, -np.inf)
