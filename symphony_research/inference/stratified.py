"""The exact test of a count summed over strata: log mid-p values, right in the furthest tail and for any number of people.

A count with fixed margins, such as the people of a stratum with both of two
conditions, is a sum of independent yes-or-no counts, and so is the sum of such
counts over strata. How many points must be looked at rests on that; nothing is
approximated.

References
----------
Lancaster, H. O. (1961). Significance tests in discrete distributions. Journal
of the American Statistical Association 56, 223-234 (mid-p).
Cornfield, J. (1956). A statistical problem arising from retrospective studies.
Proceedings of the Third Berkeley Symposium 4, 135-148 (margins fitted at a given odds ratio).
Mehta, C. R., Patel, N. R. and Gray, R. (1985). Computing an exact confidence
interval for the common odds ratio in several 2 x 2 contingency tables. Journal
of the American Statistical Association 80, 969-973 (the same distribution, gone through).
Vatutin, V. A. and Mikhailov, V. G. (1982). Limit theorems for the number of
empty cells in an equiprobable scheme for group allocation of particles. Theory
of Probability and its Applications 27, 734-743 (a sum of yes-or-no counts).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symphony_research.inference.circle import Window, log_mid_tail, moments_of
from symphony_research.inference.intervals import Array
from symphony_research.inference.shifts import TwoByTwo

__all__ = ["Counts", "log_mid_p", "one_nearer", "p_of_log", "stratified_log_mid_p"]

Integers = NDArray[np.int64]

ROWS = 2**17  # strata x sums worked on at once
NEAR = 0.3  # standard deviations that the tilted mean may be from the observed count
STEPS = 200
_LEAST = float(np.log(1e-300))


class Counts(Protocol):
    """Independent counts that are added up, each counted from what was observed of it.

    Attributes
    ----------
    item : (R,) array
        Which sum each belongs to, in rising order.
    n_items : int
    low, high : (R,) arrays
        How many fewer, and how many more, than were observed are possible.
    """

    item: Integers
    n_items: int
    low: Array
    high: Array

    def start(self, target: Array) -> tuple[Array, Array, Array]:
        """Return by what to tilt each sum so that its mean is near the target, and mean and variance of each count then."""

    def windows(self, rows: Integers, theta: Array, centre: Array, variance: Array) -> tuple[list[Window], Array]:
        """Return the tilted probabilities of some counts, and the logs of what they are divided by."""


def p_of_log(log_p: ArrayLike) -> Array:
    """Return the p values of logs: 0 below 1e-300 alone."""
    log_p = np.asarray(log_p, dtype=float)
    return np.where(log_p < _LEAST, 0.0, np.exp(np.minimum(log_p, 0.0)))


def stratified_log_mid_p(both: ArrayLike, first: ArrayLike, second: ArrayLike, people: ArrayLike) -> Array:
    """Return log two-sided mid-p values of 2 x 2 tables summed over strata, all margins of every stratum fixed.

    The exact conditional test of a common odds ratio of 1: p is twice the
    smaller tail, the observed sum counted half, at most 1. With one stratum it is
    `hypergeometric_mid_p`.

    Parameters
    ----------
    both, first, second : (S, P) array_like
        People of each stratum with both conditions of a pair, with the one, with the other; integers.
    people : (S,) array_like
        People of each stratum; a stratum of nobody adds nothing.

    Returns
    -------
    (P,) array
        0 where the margins leave but one count, -inf where they do not allow this one.

    Notes
    -----
    Each stratum's distribution is tilted by exp(theta x), theta such that the
    mean of the sum is about the observed count; the distribution of the sum near
    it then follows from the product of characteristic functions, and is tilted
    back. So a tail has the relative error of a few hundred roundings however
    small it is: only points with less than 2e-15 of the sum are omitted. Of
    a stratum whose count varies by more than some six people only every d-th
    point is taken, which changes its sums by less than that.

    Examples
    --------
    Seven of fifteen people have the one condition, eight the other, seven both;
    and in a second stratum all of two people have both:

    >>> import numpy as np
    >>> from symphony_research.inference import stratified_log_mid_p
    >>> float(np.exp(stratified_log_mid_p([[7], [2]], [[7], [2]], [[8], [2]], [15, 2]))[0].round(5))
    0.00124
    """
    c, a, b = (np.atleast_2d(np.asarray(x, dtype=float)) for x in (both, first, second))
    n = np.asarray(people, dtype=float)[:, None]
    cells = np.stack([n - a - b + c, a - c, b - c, c])
    found = np.zeros(c.shape[1])
    for part in np.array_split(np.arange(c.shape[1]), c.size // ROWS + 1):
        found[part] = log_mid_p(TwoByTwo(cells[:, :, part]))
    found[(cells < 0).any(axis=(0, 1))] = -np.inf
    return found


def one_nearer(observed: Array, least: Array, most: Array, expected: Array) -> Array:
    """Return counts by stratum, (S, P), of which one is moved so that their sum is one nearer to what is expected, if it can be.

    Given all margins a test rests on the sum alone, so it does not matter in which stratum.

    Examples
    --------
    >>> one_nearer(np.array([[2.0], [5.0]]), np.array([[2.0], [0.0]]), np.array([[9.0], [9.0]]), np.array([4.0])).tolist()
    [[2.0], [4.0]]
    """
    if not len(observed):
        return observed
    down = observed.sum(axis=0) > expected
    room = np.where(down, observed > least, observed < most)
    moved, at, every = observed.copy(), room.argmax(axis=0), np.arange(observed.shape[1])
    moved[at, every] += np.where(room.any(axis=0), np.where(down, -1.0, 1.0), 0.0)
    return moved


def log_mid_p(counts: Counts) -> Array:
    """Return the log two-sided mid-p value of what was observed of each sum; 0 where nothing else is possible."""
    item, n_items = counts.item, counts.n_items
    found, theta, least, most = np.zeros((4, n_items))
    np.add.at(least, item, counts.low)
    np.add.at(most, item, counts.high)
    live = most > least
    if not live.any():
        return found
    # at an end of what is possible no tilt has the mean there
    target = np.clip(0.0, least + 0.5, most - 0.5)
    theta, centre, variance = counts.start(target)
    for _ in range(STEPS):
        rows = np.flatnonzero(live[item])
        windows, scale = counts.windows(rows, theta[item], centre, variance)
        moments = moments_of(windows, len(item))
        mean, spread, log_sum = (
            np.bincount(item[rows], weights=x[rows], minlength=n_items).astype(float)
            for x in (moments.mean, moments.variance, scale + moments.log_sum)
        )
        gap = target - mean
        done = live & (np.abs(gap) <= np.maximum(NEAR * np.sqrt(spread), 1e-9))
        if done.any():
            tail = log_sum + log_mid_tail(windows, item, spread, theta, done)
            with np.errstate(divide="ignore"):
                other = np.log1p(-np.exp(np.minimum(tail, -1e-300)))
            found = np.where(done, np.minimum(0.0, np.log(2) + np.minimum(tail, other)), found)
        live = live & ~done
        if not live.any():
            break
        spread = np.maximum(spread, 1e-12)
        step = np.where(live, np.clip(np.clip(gap, -4 * np.sqrt(spread), 4 * np.sqrt(spread)) / spread, -2, 2), 0.0)
        theta = theta + step
        centre[rows] = np.clip(
            moments.mean[rows] + step[item[rows]] * moments.variance[rows], counts.low[rows], counts.high[rows]
        )
        variance[rows] = moments.variance[rows]
    found[live] = np.nan
    return found
