"""Between which numbers a released count lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from symphony_research.inference.intervals import Array

__all__ = ["ends_of", "ends_of_count"]


def ends_of_count(shown: float, released: Mapping[str, Any]) -> tuple[float, float]:
    """Return the lowest and highest count that is shown so.

    Parameters
    ----------
    shown : float
        A released count.
    released : mapping
        `threshold` and `rounding` of the rule.

    Examples
    --------
    >>> ends_of_count(180, {"threshold": 7, "rounding": 5}), ends_of_count(10, {"threshold": 9, "rounding": 5})
    ((178, 182), (10, 12))
    """
    threshold, rounding = released["threshold"], released["rounding"]
    low = shown - rounding // 2
    high = low + rounding - 1
    if shown == 0:
        # a rounding wider than the threshold shows more than nobody as zero
        return 0, high if high > threshold else 0
    return max(low, threshold + 1), high


def ends_of(shown: ArrayLike, released: Mapping[str, Any]) -> tuple[Array, Array]:
    """Return the ends of each of many released counts; NaN where one is suppressed.

    Examples
    --------
    >>> low, high = ends_of([180.0, 10.0, 0.0], {"threshold": 7, "rounding": 5})
    >>> low.tolist(), high.tolist()
    ([178.0, 8.0, 0.0], [182.0, 12.0, 0.0])
    """
    counts = np.asarray(shown, float)
    ends = np.array([(n, n) if np.isnan(n) else ends_of_count(n, released) for n in counts.ravel()], float)
    low, high = ends.reshape(*counts.shape, 2).transpose(-1, *range(counts.ndim))
    return low, high
