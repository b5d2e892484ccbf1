"""Wilson's interval of a share whose two counts are released: the union over all numbers that the shown ones allow.

With k of N people the lower limit p solves k - N p = z sqrt(N p (1 - p)), so it
rises with k and falls with N, and likewise the upper one: the union goes from
the lower limit of the fewest of the most people to the upper one of the most of
the fewest. As nobody is counted who is not there, k is at most N.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from symphony_research.inference.ends import ends_of
from symphony_research.inference.intervals import Array, wilson_interval

__all__ = ["interval_of_ends", "interval_of_share"]

Ends = tuple[ArrayLike, ArrayLike]


def interval_of_share(
    count: ArrayLike, total: ArrayLike, confidence: float, released: Mapping[str, Any] | None = None
) -> tuple[Array, Array]:
    """Return Wilson's interval of a share; of released counts, the union over the numbers that they stand for.

    Parameters
    ----------
    count, total : array_like
        People, and of how many; NaN where suppressed.
    confidence : float
    released : mapping, optional
        `threshold` and `rounding` of the rule, as `settings["released"]` has them; None of exact counts.

    Returns
    -------
    lower, upper : array
        NaN where a count is suppressed, or nobody was counted.

    Examples
    --------
    >>> lower, upper = interval_of_share([50.0], [100.0], 0.95, {"threshold": 7, "rounding": 5})
    >>> bool(lower[0] == wilson_interval(48, 102, 0.95)[0] and upper[0] == wilson_interval(52, 98, 0.95)[1])
    True
    """
    k, n = np.broadcast_arrays(np.asarray(count, float), np.asarray(total, float))
    if released is None:
        return wilson_interval(k, n, confidence)
    return interval_of_ends(ends_of(k, released), ends_of(n, released), confidence)


def interval_of_ends(count: Ends, total: Ends, confidence: float) -> tuple[Array, Array]:
    """Return the union of Wilson's intervals over every count, and every number of people, between two ends."""
    (k0, k1), (n0, n1) = ([np.asarray(end, float) for end in ends] for ends in (count, total))
    n0, n1 = np.maximum(n0, k0), np.maximum(n1, k0)
    return wilson_interval(k0, n1, confidence)[0], wilson_interval(np.minimum(k1, n0), n0, confidence)[1]
