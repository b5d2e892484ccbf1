"""Probabilities of counts: the hypergeometric and binomial mid-p, and the Poisson-binomial distribution.

References
----------
Lancaster, H. O. (1961). Significance tests in discrete distributions. Journal
of the American Statistical Association 56, 223-234 (mid-p).
Loader, C. (2000). Fast and accurate computation of binomial probabilities.
Bell Laboratories (how R computes them).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from symphony_research.inference.intervals import Array

__all__ = ["hypergeometric_mid_p", "poisson_binomial"]


def poisson_binomial(probabilities: ArrayLike) -> Array:
    """Return the probability of 0, 1, ..., K successes of independent trials, by convolution."""
    distribution = np.ones(1)
    for p in np.asarray(probabilities, dtype=float):
        distribution = np.convolve(distribution, [1 - p, p])
    return distribution


def hypergeometric_mid_p(both: ArrayLike, first: ArrayLike, second: ArrayLike, total: ArrayLike) -> Array:
    """Return the two-sided mid-p value of a 2 x 2 table with all margins fixed.

    Twice the smaller tail, the observed table counted half, at most 1. Sums run
    outwards from the observed table, away from the mode, by the ratio of
    neighbouring probabilities until nothing more is added, so 57 million people cost
    no more accuracy than 57. A probability below the smallest double is 0.

    Parameters
    ----------
    both, first, second, total : array_like
        People with both, with each, and in all; integers, same shape.
    """
    c, r, s, n = (np.atleast_1d(np.asarray(a, dtype=float)) for a in (both, first, second, total))
    c, r, s, n = np.broadcast_arrays(c, r, s, n)
    at = np.exp(_log_hypergeometric(c, r, s, n))
    # the tail away from the mode is short; the other one is what is left of 1
    mode = np.floor((r + 1) * (s + 1) / (n + 2))
    tail = at / 2 + np.where(c >= mode, _tail(c, r, s, n, at), _tail(r - c, r, n - s, n, at))
    return np.minimum(1.0, 2 * np.minimum(tail, 1 - tail))


def _tail(c: Array, r: Array, s: Array, n: Array, at: Array) -> Array:
    """Return the probability of more than c, by the ratio of each probability to the one before; c lies at the mode or above."""
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
    """Return the log probability of c, through three binomials so that large factorials never meet (Loader 2000)."""
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
    """Return the log n! less Stirling's formula."""
    from scipy.special import gammaln

    safe = np.maximum(n, 1.0)
    direct = gammaln(safe + 1) - (safe + 0.5) * np.log(safe) + safe - 0.5 * np.log(2 * np.pi)
    square = safe * safe
    series = (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / safe
    return np.where(n > 15, series, direct)
