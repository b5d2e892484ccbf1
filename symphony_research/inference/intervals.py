"""Normal quantiles and the interval of a proportion.

References
----------
Wilson, E. B. (1927). Probable inference, the law of succession, and statistical
inference. Journal of the American Statistical Association 22, 209-212.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symphony_research.errors import ArgumentError

__all__ = ["Array", "log_interval", "normal_quantile", "two_sided_normal_p", "wilson_interval"]

Array = NDArray[np.float64]


def normal_quantile(confidence: float) -> float:
    """Return z of a two-sided normal interval, refusing a confidence outside (0, 1)."""
    from scipy.special import ndtri

    if not 0 < confidence < 1:
        raise ArgumentError(f"confidence={confidence!r} must lie between 0 and 1, such as 0.95.")
    return float(ndtri(0.5 + confidence / 2))


def two_sided_normal_p(z: ArrayLike) -> Array:
    """Return the two-sided p value of a standard normal statistic."""
    from scipy.special import ndtr

    return 2 * ndtr(-np.abs(np.asarray(z, dtype=float)))


def wilson_interval(count: ArrayLike, total: ArrayLike, confidence: float) -> tuple[Array, Array]:
    """Return Wilson's score interval of a proportion; NaN where nobody was counted."""
    z = normal_quantile(confidence)
    k, n = np.asarray(count, dtype=float), np.asarray(total, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = k / n
        centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # rounding error must not push the ends past 0 and 1, where Wilson's interval touches exactly
    return np.where(k == 0, 0.0, centre - half) + 0 * p, np.where(k == n, 1.0, centre + half) + 0 * p


def log_interval(estimate: ArrayLike, log_variance: ArrayLike, confidence: float) -> tuple[Array, Array]:
    """Return the normal interval of a ratio on the log scale.

    A variance of zero is certainty (a condition that everybody has is always
    as frequent as expected); one below it comes of rounded counts, and
    there is then no interval: NaN, as where the estimate is not above 0.
    """
    value, variance = np.asarray(estimate, dtype=float), np.asarray(log_variance, dtype=float)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        known = (value > 0) & np.isfinite(variance) & (variance > -1e-12)
        width = normal_quantile(confidence) * np.sqrt(np.where(known, np.maximum(variance, 0), np.nan))
        return np.where(known, value, np.nan) * np.exp(-width), np.where(known, value, np.nan) * np.exp(width)
