"""What is released of a test within strata, whose margins are not shown: its p value in bands, and its variance as a level.

The strata are exact, and the count is the one, of all that the released one stands for, that is nearest to what
is expected. Given all margins the count is a sum of independent yes-or-no counts, so the logarithm of its
(mid-p) tail is concave in the count: along d people it falls by no more than d times as much as over the first.

References
----------
Karlin, S. (1968). Total Positivity. Stanford (tails of log-concave distributions).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from symphony_research.inference.ends import ends_of
from symphony_research.inference.intervals import Array, log_interval
from symphony_research.inference.stratified import p_of_log

__all__ = [
    "BANDS",
    "SIDES",
    "SPREAD_LEVELS",
    "TESTED",
    "band_words",
    "clear_side",
    "interval_of_spread",
    "on_side",
    "p_at_nearest",
]

TESTED = ("p_value", "q_value", "side")  # what a released row says of a test whose exact counts are not shown

BANDS = (0.001, 0.01, 0.05, 1.0)  # a p value is below the first of these that it does not exceed
# on which side of the null the exact interval lies, of every count that the released one stands for: below, neither, above
SIDES = (-1.0, 0.0, 1.0)
# variance of log(observed/expected) times the count, 1 of a Poisson count: so coarse that hardly any set has another than 1
SPREAD_LEVELS = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)


def band_words(p: float) -> str:
    """Return a band in words.

    Examples
    --------
    >>> band_words(0.01), band_words(1.0)
    ('<0.01', '≥0.05')
    """
    return f"<{p:g}" if p < BANDS[-1] else f"≥{BANDS[-2]:g}"


def p_at_nearest(
    count: Array, mean: Array, log_p: Array, nearer: Array, shown: Array, released: Mapping[str, Any]
) -> Array:
    """Return the largest p value over all counts that a released one stands for, or a little more.

    Parameters
    ----------
    count, mean : array
        People, and the mean of the test's distribution.
    log_p, nearer : array
        Log p of the count, and of the one next to it that is nearer to the mean.
    shown : array
        The count as it is released; NaN where suppressed.
    released : mapping
        `threshold` and `rounding` of the rule.

    Returns
    -------
    array
        1 where the count is suppressed, or may be the mean; NaN where nothing is tested.

    Examples
    --------
    A count of 21 that is shown as 20 may be 18, where p is at most exp(-7 + 3 x 0.5):

    >>> one = [np.array([x]) for x in (21.0, 9.0, -7.0, -6.5, 20.0)]
    >>> bool(np.isclose(p_at_nearest(*one, {"threshold": 7, "rounding": 5}), np.exp(-5.5))[0])
    True
    """
    low, high = ends_of(shown, released)
    far = np.where(count > mean, count - low, high - count)
    crossed = ~((low > mean) | (high < mean))
    p = p_of_log(np.minimum(log_p + far * np.maximum(nearer - log_p, 0.0), 0.0))
    return np.where(np.isnan(log_p), np.nan, np.where(crossed | np.isnan(low), 1.0, p))


def interval_of_spread(
    count: tuple[Array, Array], expected: tuple[Array, Array], spread: Array, confidence: float
) -> tuple[Array, Array]:
    """Return the union of the intervals of observed/expected over counts and expected numbers, of a variance spread/count.

    The lower end rises with the count; the upper one falls and then rises, so it is highest at an end.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        lower, _ = log_interval(count[0] / expected[1], spread / count[0], confidence)
        uppers = [log_interval(c / expected[0], spread / c, confidence)[1] for c in count]
    return lower, np.fmax(*uppers)


def clear_side(lower: Array, upper: Array, null: float) -> Array:
    """Return 1 where an interval lies above the null, -1 below it, 0 where it holds it, NaN where there is none."""
    with np.errstate(invalid="ignore"):
        side = np.where(lower > null, 1.0, np.where(upper < null, -1.0, 0.0))
    return np.where(np.isnan(lower + upper), np.nan, side)


def on_side(lower: Array, estimate: Array, upper: Array, side: Array, null: float) -> tuple[Array, Array, Array]:
    """Return an interval, and the estimate in it, without what lies on the side of the null where the exact one does not reach.

    Examples
    --------
    >>> one = [np.array([x]) for x in (0.9, 1.2, 1.6, 1.0)]
    >>> lower, _, upper = on_side(*one, 1.0)
    >>> bool(lower[0] > 1), float(upper[0])
    (True, 1.6)
    """
    lower = np.where(side > 0, np.maximum(lower, np.nextafter(null, np.inf)), lower)
    upper = np.where(side < 0, np.minimum(upper, np.nextafter(null, -np.inf)), upper)
    turned = (side > 0) & (estimate < lower) | (side < 0) & (estimate > upper)
    return lower, np.where(turned, np.where(side > 0, lower, upper), estimate), upper
