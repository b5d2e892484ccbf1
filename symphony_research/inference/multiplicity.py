"""p values adjusted for how many were looked at.

References
----------
Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate.
Journal of the Royal Statistical Society B 57, 289-300.
Holm, S. (1979). A simple sequentially rejective multiple test procedure.
Scandinavian Journal of Statistics 6, 65-70.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from symphony_research.errors import require_one_of
from symphony_research.inference.intervals import Array

__all__ = ["CORRECTIONS", "FOUND", "adjusted_p"]

FOUND = 0.05  # a finding is named where its adjusted p value is at most this
CORRECTIONS: Mapping[str, str] = MappingProxyType(
    {"benjamini_hochberg": "Benjamini-Hochberg", "holm": "Holm", "bonferroni": "Bonferroni"}
)


def adjusted_p(p: ArrayLike, correction: str = "benjamini_hochberg", *, tests: float | None = None) -> Array:
    """Return p values adjusted for their number; NaN stays NaN and is not counted as a test.

    Parameters
    ----------
    p : array_like
    correction : {"benjamini_hochberg", "holm", "bonferroni"}
        The first bounds the share of false findings among those found, the
        others the probability of any false finding at all.
    tests : float, optional
        How many there were, where not all have a p value here.

    Raises
    ------
    ArgumentError
        On an unknown correction.
    """
    require_one_of(correction, CORRECTIONS, argument="correction")
    p = np.asarray(p, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    if not len(known):
        return adjusted
    m = max(float(tests or 0), len(known))
    if correction == "bonferroni":
        adjusted[known] = np.minimum(1.0, m * p[known])
        return adjusted
    order = known[np.argsort(p[known], kind="stable")]
    if correction == "holm":
        stepped = np.maximum.accumulate(p[order] * (m - np.arange(len(known))))
    else:
        stepped = np.minimum.accumulate((p[order] * m / np.arange(1, len(known) + 1))[::-1])[::-1]
    adjusted[order] = np.minimum(1.0, stepped)
    return adjusted
