"""Chances of counts: the hypergeometric and binomial mid-p, and the Poisson-binomial distribution.

References
----------
Lancaster, H. O. (1961). Significance tests in discrete distributions. Journal
of the American Statistical Association 56, 223-234 (mid-p).
Loader, C. (2000). Fast and accurate computation of binomial probabilities.
Bell Laboratories (how R computes them).
Vatutin, V. A. and Mikhailov, V. G. (1982). Limit theorems for the number of
empty cells in an equiprobable scheme for group allocation of particles. Theory
of Probability and its Applications 27, 734-743 (a hypergeometric count is a sum
of independent yes-or-no counts).
Ehm, W. (1991). Binomial approximation to the Poisson binomial distribution.
Statistics and Probability Letters 11, 7-16.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from symphony_research.inference.intervals import Array

__all__ = ["hypergeometric_mid_p", "matched_mid_p", "poisson_binomial"]


def poisson_binomial(probabilities: ArrayLike) -> Array:
    """Return the chance of 0, 1, ..., K successes of independent trials, by convolution."""
    distribution = np.ones(1)
    for p in np.asarray(probabilities, dtype=float):
        distribution = np.convolve(distribution, [1 - p, p])
    return distribution


def hypergeometric_mid_p(both: ArrayLike, first: ArrayLike, second: ArrayLike, total: ArrayLike) -> Array:
    """Return the two-sided mid-p value of a 2 x 2 table with all margins fixed.

    Twice the smaller tail, the observed table counted half, at most 1. Sums run
    outwards from the observed table, away from the mode, by the ratio of
    neighbouring chances until nothing more is added, so 57 million people cost
    no more accuracy than 57. A chance below the smallest double is 0.

    Parameters
    ----------
    both, first, second, total : array_like
        People with both, with each, and in all; whole numbers, same shape.
    """
    c, r, s, n = (np.atleast_1d(np.asarray(a, dtype=float)) for a in (both, first, second, total))
    c, r, s, n = np.broadcast_arrays(c, r, s, n)
    at = np.exp(_log_hypergeometric(c, r, s, n))
    # the tail away from the mode is short; the other one is what is left of 1
    mode = np.floor((r + 1) * (s + 1) / (n + 2))
    tail = at / 2 + np.where(c >= mode, _tail(c, r, s, n, at), _tail(r - c, r, n - s, n, at))
    return np.minimum(1.0, 2 * np.minimum(tail, 1 - tail))


def matched_mid_p(observed: ArrayLike, mean: ArrayLike, variance: ArrayLike, third: ArrayLike) -> Array:
    """Return the two-sided mid-p value of a count whose first three moments are known.

    A hypergeometric count, and so a sum of them over strata, is a sum of
    independent yes-or-no counts (Vatutin and Mikhailov 1982), which a binomial
    approximates closely in its tails too (Ehm 1991): the score test, without
    calling three people where 0.1 were expected found once in a billion. Here a
    shifted binomial with the same three moments, counted from whichever side is
    the longer; its number of trials need not be whole, as its distribution is
    the incomplete beta function. Past that number the chance is the smaller of
    Poisson's of the same mean and that of all the trials, so it is never nought.

    Parameters
    ----------
    observed, mean, variance, third : array_like
        The count, and its mean, variance and third central moment were there
        nothing to find; a third moment as large as the variance is a Poisson
        count's. NaN where the variance is not above 0.
    """
    columns = (observed, mean, variance, third)
    o, e, v, t = np.broadcast_arrays(*(np.atleast_1d(np.asarray(a, dtype=float)) for a in columns))
    result = np.full(o.shape, np.nan)
    known = np.isfinite(o) & np.isfinite(e) & np.isfinite(t) & (v > 1e-12 * np.maximum(e, 1e-300))
    o, e, v, t = o[known], e[known], v[known], t[known]
    # seen in a mirror where the longer tail lies below
    side = np.where(t < 0, -1.0, 1.0)
    o, e = side * o, side * e
    share = np.clip((1 - np.abs(t) / v) / 2, 1e-12, 0.5)
    trials = v / (share * (1 - share))
    at = o - (e - trials * share)
    upper = (_at_least(at, trials, share) + _at_least(at + 1, trials, share)) / 2
    lower = (_below(at, trials, share) + _below(at + 1, trials, share)) / 2
    result[known] = np.minimum(1.0, 2 * np.minimum(upper, lower))
    return result


def _at_least(k: Array, trials: Array, share: Array) -> Array:
    """Chance of at least k of a binomial whose trials need not be whole; past them no more than Poisson's, nor than all of them."""
    from scipy.special import betainc, gammainc

    within = k < trials
    inside = betainc(np.maximum(k, 1e-300), np.where(within, trials - k + 1, 1.0), share)
    beyond = np.minimum(gammainc(np.maximum(k, 1e-300), trials * share), share**trials)
    return np.where(k <= 0, 1.0, np.where(within, inside, beyond))


def _below(k: Array, trials: Array, share: Array) -> Array:
    """Chance of fewer than k."""
    from scipy.special import betaincc

    within = k < trials
    inside = betaincc(np.maximum(k, 1e-300), np.where(within, trials - k + 1, 1.0), share)
    return np.where(k <= 0, 0.0, np.where(within, inside, 1.0))


def _tail(c: Array, r: Array, s: Array, n: Array, at: Array) -> Array:
    """Chance of more than c, by the ratio of each chance to the one before; c lies at the mode or above."""
    term, x, total = at.copy(), c.copy(), np.zeros_like(at)
    live = np.flatnonzero((at > 0) & (c >= np.floor((r + 1) * (s + 1) / (n + 2)) - 1))
    while len(live):
        k = x[live]
        # nobody can be left to have both: the numerator is then 0, and so is all that follows
        ratio = (r[live] - k) * (s[live] - k) / ((k + 1) * np.maximum(n[live] - r[live] - s[live] + k + 1, 1))
        term[live] *= ratio
        x[live] += 1
        total[live] += term[live]
        live = live[(term[live] > 0) & ((ratio >= 1) | (term[live] > 1e-18 * (total[live] + at[live])))]
    return total


def _log_hypergeometric(c: Array, r: Array, s: Array, n: Array) -> Array:
    """Log chance of c, through three binomials so that large factorials never meet (Loader 2000)."""
    p = s / n
    with np.errstate(divide="ignore", invalid="ignore"):
        value = _log_binomial(c, r, p) + _log_binomial(s - c, n - r, p) - _log_binomial(s, n, p)
    return np.where((s == 0) | (s == n), 0.0, value)


def _log_binomial(x: Array, n: Array, p: Array) -> Array:
    y = n - x
    edge = -_deviance(x, n * p) - _deviance(y, n * (1 - p))
    stirling = _stirling_error(n) - _stirling_error(x) - _stirling_error(y)
    inner = edge + stirling + 0.5 * (np.log(n) - np.log(2 * np.pi) - np.log(x) - np.log(y))
    return np.where(n == 0, 0.0, np.where((x == 0) | (y == 0), edge, inner))


def _deviance(x: Array, mean: Array) -> Array:
    """Return x log(x / mean) + mean - x without the loss of digits where the two are close (Loader 2000)."""
    from scipy.special import xlogy

    gap = x - mean
    v = gap / (x + mean)
    near = np.abs(v) < 0.1
    far = xlogy(x, x / mean) - gap
    small, power, series = np.where(near, v, 0.0), np.ones_like(v), np.zeros_like(v)
    for k in range(3, 21, 2):
        power = power * small * small
        series = series + power / k
    return np.where(near, gap * v + 2 * x * v * series, far)


def _stirling_error(n: Array) -> Array:
    """Log n! less Stirling's formula."""
    from scipy.special import gammaln

    safe = np.maximum(n, 1.0)
    direct = gammaln(safe + 1) - (safe + 0.5) * np.log(safe) + safe - 0.5 * np.log(2 * np.pi)
    square = safe * safe
    series = (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / safe
    return np.where(n > 15, series, direct)
