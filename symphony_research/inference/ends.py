"""Between which numbers a released count lies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from symphony_research.inference.intervals import Array

__all__ = ["ends_of"]


def ends_of(shown: ArrayLike, released: Mapping[str, int]) -> tuple[Array, Array]:
    """Return the lowest and highest count that is shown so; NaN where it is suppressed.

    Parameters
    ----------
    shown : array_like
        Released counts, NaN where suppressed.
    released : mapping
        `threshold`, `rounding` and `hide_zeros` of the rule.

    Examples
    --------
    >>> low, high = ends_of([180.0, 10.0, 0.0], {"threshold": 7, "rounding": 5, "hide_zeros": False})
    >>> low.tolist(), high.tolist()
    ([178.0, 8.0, 0.0], [182.0, 12.0, 0.0])
    """
    counts = np.asarray(shown, float)
    threshold, rounding = released["threshold"], released["rounding"]
    low = counts - rounding // 2
    high = low + rounding - 1
    # a wide rounding shows zero for counts above the threshold too
    zero = high if rounding - rounding // 2 - 1 > threshold else np.zeros_like(counts)
    lowest = np.where(counts == 0, 0.0, np.maximum(low, threshold + 1))
    gone = np.isnan(counts)
    return np.where(gone, np.nan, lowest), np.where(gone, np.nan, np.where(counts == 0, zero, high))
