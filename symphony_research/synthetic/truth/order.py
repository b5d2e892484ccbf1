"""Which of two conditions came first: observed, and by chance given when each begins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["first_share", "median_of", "null_share"]


def first_share(order: NDArray[np.float64]) -> float:
    """Return the share of people with both in whom the first began first; the same day counts half."""
    before, same, both = order
    return float((before + same / 2) / both) if both else float("nan")


def null_share(first: NDArray[np.float64], then: NDArray[np.float64]) -> float:
    """Return that share were the two orders of onset unrelated within sex and year of birth.

    Both are histograms of onset by year, one row a sex and year of birth, of the people with both conditions: every
    onset of the one is set against every onset of the other (the mean of all permutations); the same year counts half.
    """
    people = first.sum(axis=1)
    some = people > 0
    below = np.cumsum(first, axis=1) - first
    pairs = ((below + first / 2) * then).sum(axis=1)
    return float((pairs[some] / people[some]).sum() / people.sum()) if some.any() else float("nan")


def median_of(histogram: NDArray[np.float64]) -> float:
    """Return the median of a histogram, in bins, interpolated within its bin."""
    total = histogram.sum()
    if not total:
        return float("nan")
    reached = np.cumsum(histogram)
    bin_ = int(np.searchsorted(reached, total / 2))
    before = reached[bin_] - histogram[bin_]
    return bin_ + (total / 2 - before) / histogram[bin_]
