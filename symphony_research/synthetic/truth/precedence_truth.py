"""Which of two conditions came first: observed, and expected given when each begins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["first_share", "median_of", "null_share"]


def first_share(order: NDArray[np.float64]) -> float:
    """Return the share of people with both in whom the first began first; the same day counts half."""
    before, same, both = order
    return float((before + same / 2) / both) if both else float("nan")


def null_share(first: NDArray[np.float64], then: NDArray[np.float64], own: NDArray[np.float64]) -> float:
    """Return that share were the two orders of onset unrelated within sex and year of birth.

    Every onset of the one is compared with every onset of the other, but nobody against themselves: in a stratum of few
    people that would pull the share towards the order observed. The same year counts half.

    Parameters
    ----------
    first, then : (S, Y) arrays
        Histograms of onset by year, one row a sex and year of birth, of the people with both conditions.
    own : (S,) array
        People of each row whose first condition began in an earlier year, half of those in the same year.
    """
    people = first.sum(axis=1)
    some = people > 1
    below = np.cumsum(first, axis=1) - first
    pairs = ((below + first / 2) * then).sum(axis=1) - own
    return float((pairs[some] / (people[some] - 1)).sum() / people[some].sum()) if some.any() else float("nan")


def median_of(histogram: NDArray[np.float64]) -> float:
    """Return the median of a histogram, in bins, interpolated within its bin."""
    total = histogram.sum()
    if not total:
        return float("nan")
    reached = np.cumsum(histogram)
    bin_ = int(np.searchsorted(reached, total / 2))
    before = reached[bin_] - histogram[bin_]
    return bin_ + (total / 2 - before) / histogram[bin_]
