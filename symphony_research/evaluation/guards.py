"""Guards against reading too much into a ratio: what an unmeasured confounder would need, and what could have been seen.

Numbers in, numbers out.

References
----------
VanderWeele, T. J. and Ding, P. (2017). Sensitivity analysis in observational research: introducing the E-value. Annals of
Internal Medicine 167, 268-274.
Hoenig, J. M. and Heisey, D. M. (2001). The abuse of power: the pervasive fallacy of power calculations for data analysis.
The American Statistician 55, 19-24.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, isfinite, sqrt

from symphony_research.errors import ArgumentError
from symphony_research.inference import normal_quantile

__all__ = ["EValue", "e_value", "minimum_detectable_ratio"]


@dataclass(frozen=True)
class EValue:
    """E-values of a ratio: of its estimate, and of the limit of its interval that is nearer 1 (1 where that holds 1)."""

    estimate: float
    limit: float


def e_value(ratio: float, lower: float, upper: float) -> EValue:
    """Return how strong an unmeasured confounder would have to be to explain a ratio away.

    It would have to be so many times as common among one of the two groups as among the other, and to raise the rate so many
    times, both beside all that is matched and adjusted for.

    Parameters
    ----------
    ratio, lower, upper : float
        A rate ratio (or a risk ratio) with its interval.

    Returns
    -------
    EValue
        Of a ratio of at least 1, RR + sqrt(RR (RR - 1)); of one below 1, that of its inverse. Of the limit it is 1 where
        the interval holds 1: nothing is needed then.

    Raises
    ------
    ArgumentError
        If the ratio is not above 0, or lies outside its limits.

    References
    ----------
    VanderWeele, T. J. and Ding, P. (2017). Sensitivity analysis in observational research: introducing the E-value. Annals of
    Internal Medicine 167, 268-274: of rate ratios of counts as of risk ratios (table 2).

    Examples
    --------
    >>> found = e_value(3.9, 1.8, 8.7)  # 3.9 + sqrt(3.9 x 2.9), and 1.8 + sqrt(1.8 x 0.8)
    >>> round(found.estimate, 2), round(found.limit, 2)
    (7.26, 3.0)
    """
    if not (0 < ratio < inf and 0 <= lower <= ratio <= upper):
        raise ArgumentError(
            f"ratio={ratio:g} with limits {lower:g} and {upper:g}: a ratio is above 0, and lies between its limits."
        )
    limit = 1.0 if lower <= 1 <= upper else _needed(lower if ratio > 1 else upper)
    return EValue(_needed(ratio), limit)


def _needed(ratio: float) -> float:
    large = ratio if ratio >= 1 else 1 / ratio
    return large + sqrt(large * (large - 1))


def minimum_detectable_ratio(
    standard_error: float, *, power: float = 0.8, confidence: float = 0.95
) -> tuple[float, float]:
    """Return the ratios nearest 1, below and above, that a study with this standard error would find so often.

    Found is a ratio whose interval does not hold 1. It says what the numbers of people and events allowed, not what is true:
    an interval says what the data fit, whatever was found.

    Parameters
    ----------
    standard_error : float
        Of the log ratio.
    power : float, default 0.8
        How often such a ratio would be found; above 0.5.
    confidence : float, default 0.95
        Of the two-sided interval.

    Returns
    -------
    (float, float)
        exp(-d) and exp(d), where d is the standard error times the sum of the normal quantiles of confidence and power.

    Raises
    ------
    ArgumentError
        If the error is not above 0, or power or confidence is out of range.

    References
    ----------
    Bloom, H. S. (1995). Minimum detectable effects: a simple way to report the statistical power of experimental designs.
    Evaluation Review 19, 547-556.

    Examples
    --------
    >>> below, above = minimum_detectable_ratio(0.1)  # 1.96 and 0.84 standard errors: 0.28 on the log scale
    >>> round(below, 2), round(above, 2)
    (0.76, 1.32)
    """
    if not (standard_error > 0 and isfinite(standard_error)):
        raise ArgumentError(f"standard_error={standard_error!r} must be a number above 0.")
    if not 0.5 < power < 1:
        raise ArgumentError(f"power={power!r} must lie between 0.5 and 1.")
    # the quantile of a two-sided interval with as much in each tail as power leaves in one
    size = standard_error * (normal_quantile(confidence) + normal_quantile(2 * power - 1))
    return exp(-size), exp(size)
