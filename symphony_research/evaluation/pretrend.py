"""Whether two groups drifted apart before, and how large a drift would have been found; arrays in, arrays out.

References
----------
Roth, J. (2022). Pretest with caution: event-study estimates after testing for parallel trends. American Economic Review:
Insights 4, 305-322.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from symphony_research.errors import ArgumentError
from symphony_research.inference import Array

__all__ = ["POWER", "TrendTest", "trend_tests"]

POWER = 0.8
FLAT = 1e-12


@dataclass(frozen=True)
class TrendTest:
    """A Wald test of differences before.

    Attributes
    ----------
    statistic, p_value : float
    degrees_of_freedom : int
    slope : float or None
        The estimated linear drift for a unit of time, of the test of a slope.
    detectable : float
        The linear drift for a unit of time that the test finds with a power of 80%.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float
    slope: float | None
    detectable: float


def trend_tests(
    estimate: Array, covariance: Array, time: Array, *, confidence: float = 0.95
) -> tuple[TrendTest, TrendTest]:
    """Return the joint test that differences are equal in all periods, and that of a linear slope.

    Neither depends on the reference period, which may be one of them with estimate and variance 0.

    Parameters
    ----------
    estimate, time : (k,) arrays
        Differences of periods, and when they are.
    covariance : (k, k) array
    confidence : float
        One less the size of the tests whose power is asked for.

    Raises
    ------
    ArgumentError
        If there are fewer than two periods, or differences that do not vary.

    Examples
    --------
    >>> joint, slope = trend_tests(np.array([0.0, 0.1, 0.4]), np.diag([0.0, 0.01, 0.01]), np.array([0.0, 1, 2]))
    >>> round(joint.statistic, 6), joint.degrees_of_freedom  # 0.1 squared and 0.4 squared, over 0.01
    (17.0, 2)
    >>> round(slope.slope, 6)  # (0.4 - 0) / 2
    0.2
    """
    from scipy.special import chdtrc  # scipy.stats takes a second to load

    k = len(estimate)
    if k < 2:
        raise ArgumentError(f"A trend needs two periods at least; there are {k}.")

    contrast = np.diff(np.eye(k), axis=0)
    spread = contrast @ covariance @ contrast.T
    scale = np.sqrt(np.diag(spread))
    if not (scale > 0).all() or np.linalg.eigvalsh(spread / np.outer(scale, scale)).min() < FLAT:
        raise ArgumentError("Differences before have no variance of their own: too few people have the outcome.")
    moved, drift = contrast @ estimate, contrast @ time
    statistic = float(moved @ np.linalg.solve(spread, moved))
    for_unit = float(drift @ np.linalg.solve(spread, drift))
    joint = TrendTest(
        statistic, k - 1, float(chdtrc(k - 1, statistic)), None, float(np.sqrt(_needed(k - 1, confidence) / for_unit))
    )
    off = time - time.mean()
    a = off / (off @ off)
    slope, error = float(a @ estimate), float(np.sqrt(a @ covariance @ a))
    found = TrendTest(
        (slope / error) ** 2, 1, float(chdtrc(1, (slope / error) ** 2)), slope, np.sqrt(_needed(1, confidence)) * error
    )
    return joint, found


@cache
def _needed(degrees_of_freedom: int, confidence: float) -> float:
    """Return the noncentrality at which a Wald test has the power."""
    from scipy.special import chdtri, chndtrinc

    limit = chdtri(degrees_of_freedom, 1 - confidence)
    return float(chndtrinc(limit, degrees_of_freedom, 1 - POWER))
