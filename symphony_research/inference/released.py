"""P values and intervals of pairs that hold for every table the released counts allow.

A released count stands for every integer between two ends: 180 rounded to the
nearest 5 is any of 178 to 182. A pair of conditions has four such counts, c
people with both, a and b with each, n in all, and so a box of tables, of which
those are possible where nobody has both without each (c <= a, c <= b) and
nobody is missing (a + b - c <= n). Here a p value is the largest, and an
interval the union, over all possible tables of the box with a > 0 and b > 0.

Every figure is exact or an outer bound, never too small a p value nor too
narrow an interval; the docstrings say when it is exact. A suppressed count has
NaN ends: p is then 1 and there is no interval (NaN). Where no table of the box
is possible every figure is NaN. A box of one table gives that table's figures.

References
----------
Shaked, M. and Shanthikumar, J. G. (2007). Stochastic Orders. Springer (the
likelihood ratio order, section 1.C).
Jogdeo, K. and Samuels, S. M. (1968). Annals of Mathematical Statistics 39,
1191-1195 (a median of independent yes-or-no counts is next to their mean).
Woolf, B. (1955). Annals of Human Genetics 19, 251-253.
Norén, G. N. et al. (2013). Statistical Methods in Medical Research 22, 57-69.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symphony_research.inference.exact import _log_hypergeometric, _tail
from symphony_research.inference.intervals import Array, log_interval, normal_quantile

__all__ = ["largest_mid_p", "smallest_ic_lower", "union_interval_odds", "union_interval_ratio"]

Ends = tuple[Array, Array]
Mask = NDArray[np.bool_]


class _Box(NamedTuple):
    """Ends of the four counts; NaN in every end where a count is unknown or no table is possible."""

    c: Ends
    a: Ends
    b: Ends
    n: Ends
    unknown: Mask


def largest_mid_p(*ends: ArrayLike) -> Array:
    """Compute the largest two-sided hypergeometric mid-p value over a box of tables.

    Exact where all possible tables lie on one side of the null (their mid-p
    tails above the observed count are all below one half, or all above it);
    1 where they lie on both sides.

    Parameters
    ----------
    *ends : array_like
        c_low, c_high, a_low, a_high, b_low, b_high, n_low, n_high.

    Returns
    -------
    array
        One p value for each pair; 1 where an end is NaN; NaN where no table is possible.

    Notes
    -----
    The ratio of the hypergeometric probabilities of c under a + 1 and under a,
    (a + 1)(n - a - b + c) / ((a + 1 - c)(n - a)), rises with c, and likewise
    for b; that under n + 1 and under n falls. X is therefore ordered by its
    likelihood ratio, and so stochastically, in a, b and -n (Shaked and
    Shanthikumar 2007), and U = P(X > c) + P(X = c)/2 is largest at the corner
    (c_low, a_high, b_high, n_low) and smallest at the opposite one. If the
    first is impossible, a + b - c > n there, and on the way to it from a
    possible table a + b - c = n, where c is the least possible and U >= 1/2:
    U may be taken as 1. Likewise as 0 at the other, where c > min(a, b).
    As p = 2 min(U, 1 - U), its maximum is 2 min(max U, max (1 - U)) if one of
    the two is below one half, and at most 1 otherwise.
    """
    box = _box(*ends)
    (c0, c1), (a0, a1), (b0, b1), (n0, n1) = box[:4]
    known = ~np.isnan(c0)
    # on the wrong side of the median a tail is at least one half, and its long sum need not be taken
    first = known & (a1 + b1 - c0 <= n0) & (c0 >= np.floor(a1 * b1 / n0))
    above = _mid_tails(c0, a1, b1, n0, first)[0]
    second = known & (c1 <= np.minimum(a0, b0)) & (c1 <= np.ceil(a0 * b0 / n1)) & (above >= 0.5)
    below = _mid_tails(c1, a0, b0, n1, second)[1]
    return np.where(box.unknown, 1.0, np.where(known, np.minimum(1.0, 2 * np.minimum(above, below)), np.nan))


def union_interval_ratio(*ends: ArrayLike, confidence: float) -> tuple[Array, Array]:
    """Compute the union of the delta-method intervals of observed/expected over a box of tables.

    The upper end is exact. So is the lower end where at most half of those with
    either condition have both (2 c_high <= a_low, b_low) and
    a_high + b_high - c_low <= n_low; otherwise it is an outer bound, closer the
    larger the counts.

    Parameters
    ----------
    *ends : array_like
        c_low, c_high, a_low, a_high, b_low, b_high, n_low, n_high.
    confidence : float
        Of each table's interval.

    Returns
    -------
    lower, upper : array
        NaN where an end is NaN, or no possible table has an interval: one
        without people with both has none, and adds nothing to the union.

    Notes
    -----
    With x = 1/a, y = 1/b and v = 1/n the ends are log(cxy/v) -+ z sqrt(V),
    V = 1/c - x - y + 2cxy - v. They are not monotone: where c is near a the
    upper end rises and falls again as c does. Each c is therefore taken in turn:

    * V rises with n, so the upper end does; the lower end falls and then rises,
      and turns where 4 V n^2 = z^2.
    * V falls in x with slope Q = 1 - 2cy. Where Q <= 0 the upper end rises with
      x; otherwise it rises, turns where 4V = z^2 Q^2 x^2, and falls. Let a >= b
      be above 2c. As n >= a + b - c, V is at least (2/3)(1 - cx)(1 - cy)/c, so
      4V > z^2 Q^2 x^2 at a - 1 too if z^2 <= 25c (for c of 1 and 2 and the
      largest z of a double, 8.3, by enumeration), and a - 1 gives a higher end.
      So one of a and b is at its lower end, the other there too or at a turn.
    * The lower end rises with x where Q >= 0 or 4V > z^2 Q^2 x^2; otherwise
      V is taken at its largest and x at its smallest, which is an outer bound;
      V is linear in x and in y, so it is largest at a corner.
    """
    z = normal_quantile(confidence)
    box = _box(*ends)
    lower, upper = np.full((2, *box.unknown.shape), np.nan)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for c, a, b, n in _by_count(box, least=0):
            lower = np.fmin(lower, _ratio_lower(c, a, b, n, z, confidence))
            upper = np.fmax(upper, _ratio_upper(c, a, b, n[1], z, confidence))
    return lower, upper


def union_interval_odds(*ends: ArrayLike, confidence: float) -> tuple[Array, Array]:
    """Compute the union of Woolf's intervals of the odds ratio over a box of tables.

    For z <= 2 the upper end is exact, and so is the lower one where
    a_high + b_high - c_low < n_low; otherwise they are outer bounds.

    Parameters
    ----------
    *ends : array_like
        c_low, c_high, a_low, a_high, b_low, b_high, n_low, n_high.
    confidence : float
        Of each table's interval.

    Returns
    -------
    lower, upper : array
        NaN where an end is NaN, or no possible table has an interval: one with
        a zero in a cell has none, and adds nothing to the union.

    Notes
    -----
    Of a given c, with the other cells s = a - c, t = b - c, u = n - a - b + c,
    the ends are log(cu/(st)) -+ z sqrt(1/c + 1/s + 1/t + 1/u). The lower end
    rises with u, and in s may rise while s < z^2/4, then falls; the upper one
    falls with s, and in u may fall while u < z^2/4, then rises. So the extremes
    are at ends of the cells, which all are reached together unless u is cut at 1.
    """
    box = _box(*ends)
    lower, upper = np.full((2, *box.unknown.shape), np.nan)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for c, a, b, n in _by_count(box, least=1):
            s, t = [x - c for x in a], [x - c for x in b]
            u = np.maximum(1, n[0] - a[1] - b[1] + c), n[1] - a[0] - b[0] + c
            for x in s:
                for y in t:
                    lower = np.fmin(lower, _woolf(c, x, y, u[0], confidence)[0])
            for x in u:
                upper = np.fmax(upper, _woolf(c, s[0], t[0], x, confidence)[1])
    return lower, upper


def smallest_ic_lower(*ends: ArrayLike, confidence: float) -> Array:
    """Compute the smallest lower credible limit of the information component over a box of tables.

    Exact where the corner of the fewest with both and in all and the most with
    each is possible, and a lower bound otherwise.

    Parameters
    ----------
    *ends : array_like
        c_low, c_high, a_low, a_high, b_low, b_high, n_low, n_high.
    confidence : float
        Of each table's credible interval.

    Returns
    -------
    array
        NaN where an end is NaN or no table is possible.

    Notes
    -----
    The limit rises with c and falls with the expected count ab/n. As n is at
    least a, ab/n rises when a and n do together, so the most expected is that
    of the highest a and b and the fewest in all who leave room for them.
    """
    from scipy.special import gammaincinv

    normal_quantile(confidence)
    box = _box(*ends)
    (c0, c1), (_, a1), (_, b1), (n0, n1) = box[:4]
    expected = a1 * b1 / np.clip(a1 + b1 - c1, n0, n1)
    with np.errstate(divide="ignore"):  # no double is small enough at a confidence next to 1
        return np.asarray(np.log2(gammaincinv(c0 + 0.5, (1 - confidence) / 2) / (expected + 0.5)))


def _box(*ends: ArrayLike) -> _Box:
    """Return the box, its ends drawn in to what possible tables with a > 0 and b > 0 can reach."""
    arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(x, dtype=float)) for x in ends))
    unknown = np.any(np.isnan(arrays), axis=0)
    c0, a0, b0, n0 = (np.ceil(x) for x in arrays[::2])
    c1, a1, b1, n1 = (np.floor(x) for x in arrays[1::2])
    c0 = np.maximum(c0, 0)
    a0, b0 = np.maximum(a0, np.maximum(c0, 1)), np.maximum(b0, np.maximum(c0, 1))
    a1, b1 = np.minimum(a1, n1), np.minimum(b1, n1)
    c1 = np.minimum(c1, np.minimum(a1, b1))
    # if any table is possible, so is that of the lowest a and b, the most in all, and as many with both as these allow
    possible = (c0 <= c1) & (a0 <= a1) & (b0 <= b1) & (n0 <= n1) & (a0 + b0 - c1 <= n1)
    c0 = np.maximum(c0, a0 + b0 - n1)
    n0 = np.maximum(n0, np.maximum(a0 + b0 - c1, np.maximum(a0, b0)))
    a1, b1 = np.minimum(a1, n1 + c1 - b0), np.minimum(b1, n1 + c1 - a0)
    c0, c1, a0, a1, b0, b1, n0, n1 = (np.where(possible, x, np.nan) for x in (c0, c1, a0, a1, b0, b1, n0, n1))
    return _Box((c0, c1), (a0, a1), (b0, b1), (n0, n1), unknown)


def _by_count(box: _Box, least: int) -> Iterator[tuple[Array, Ends, Ends, Ends]]:
    """Yield every c from 1, with the ends of a, b, n of tables with at least `least` in each other cell; NaN if there is none."""
    (c0, c1), (a0, a1), (b0, b1), (n0, n1) = box[:4]
    first = np.maximum(c0, 1)
    for k in range(int(np.nanmax(c1 - first, initial=-1)) + 1):
        c = first + k
        low_a, low_b = np.maximum(a0, c + least), np.maximum(b0, c + least)
        fewest = low_a + low_b - c + least
        c = np.where((c <= c1) & (low_a <= a1) & (low_b <= b1) & (fewest <= n1), c, np.nan)
        high_a, high_b = np.minimum(a1, n1 - fewest + low_a), np.minimum(b1, n1 - fewest + low_b)
        yield c, (low_a, high_a), (low_b, high_b), (np.maximum(n0, fewest), n1)


def _mid_tails(c: Array, a: Array, b: Array, n: Array, wanted: Mask) -> tuple[Array, Array]:
    """Return the probability of more than c, and of fewer, either with half of that of c itself; 1 where not wanted."""
    above, below = np.ones((2, *c.shape))
    c, a, b, n = (x[wanted] for x in (c, a, b, n))
    at = np.exp(_log_hypergeometric(c, a, b, n))
    upwards = c >= np.floor((a + 1) * (b + 1) / (n + 2))
    tail = at / 2 + np.where(upwards, _tail(c, a, b, n, at), _tail(a - c, a, n - b, n, at))
    above[wanted], below[wanted] = np.where(upwards, tail, 1 - tail), np.where(upwards, 1 - tail, tail)
    return above, below


def _variance(c: Array, a: Array, b: Array, n: Array) -> Array:
    """Delta-method variance of log(observed/expected), in cells, so that no difference loses its digits."""
    s, t, u = a - c, b - c, n - a - b + c
    return ((s + t) * s * t + u * (s * t + c * c)) / (c * a * b * n)


def _turn(q: Array | float, p: Array, z: float, ends: Ends) -> Ends:
    """Return the integers beside 1/x, 4 (p - q x) = z^2 q^2 x^2, where an end of the interval turns; the lower end if q <= 0."""
    at = np.where(q > 0, q * (1 + np.sqrt(1 + z * z * p)) / (2 * p), 0)
    return np.clip(np.floor(at), *ends), np.clip(np.ceil(at), *ends)


def _ratio_lower(c: Array, a: Ends, b: Ends, n: Ends, z: float, confidence: float) -> Array:
    corners = [(x, y) for x in a for y in b]
    least = np.minimum.reduce([_variance(c, x, y, n[0]) for x, y in corners])
    # where the lower end surely rises with 1/a, the highest a is the only one needed
    surely_a = (2 * c <= b[0]) | (4 * least >= (z * (2 * c / b[0] - 1) / a[0]) ** 2)
    surely_b = (2 * c <= a[0]) | (4 * least >= (z * (2 * c / a[0] - 1) / b[0]) ** 2)
    lower = np.full_like(c, np.nan)
    for x in (a[1], np.where(surely_a, a[1], a[0])):
        for y in (b[1], np.where(surely_b, b[1], b[0])):
            for size in _turn(1.0, ((x - c) * (y - c) + c * c) / (c * x * y), z, n):
                end, _ = log_interval(c * size / (a[1] * b[1]), _variance(c, x, y, size), confidence)
                lower = np.fmin(lower, end)
    return lower


def _ratio_upper(c: Array, a: Ends, b: Ends, n: Array, z: float, confidence: float) -> Array:
    def turning(x: Ends, other: Array) -> Ends:
        return _turn(1 - 2 * c / other, np.maximum(1 / c - 1 / other - 1 / n, 0), z, x)

    upper = np.full_like(c, np.nan)
    for x, y in ((a[0], b[0]), *((x, b[0]) for x in turning(a, b[0])), *((a[0], y) for y in turning(b, a[0]))):
        upper = np.fmax(upper, log_interval(c * n / (x * y), _variance(c, x, y, n), confidence)[1])
    return upper


def _woolf(c: Array, s: Array, t: Array, u: Array, confidence: float) -> tuple[Array, Array]:
    return log_interval(c * u / (s * t), 1 / c + 1 / s + 1 / t + 1 / u, confidence)
