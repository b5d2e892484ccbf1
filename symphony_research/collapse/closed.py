"""Sets that no larger set has as many people as, or that no larger set held by enough people contains, found directly.

References
----------
Uno, T., Kiyomi, M. and Arimura, H. (2004). LCM ver. 2: efficient mining
algorithms for frequent, closed and maximal itemsets. FIMI (each closed set is
reached from one other by a closure that keeps the conditions before it).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from symphony_research.collapse.bits import MOST_SETS, FrequentSets, Integers, Words, pack, unpack
from symphony_research.errors import ArgumentError

__all__ = ["closed_sets"]


def closed_sets(
    words: Words, weights: Integers, n_conditions: int, *, min_persons: int, min_size: int, maximal: bool
) -> FrequentSets:
    """Find the closed, or the maximal, sets that at least `min_persons` people have.

    One person with forty conditions has a billion sets, of which one is closed.

    Parameters
    ----------
    words : (n, W) array
        Distinct sets.
    weights : (n, 1 + V) array
        People with exactly that set, then any sums carried along.
    n_conditions, min_persons, min_size : int
    maximal : bool
        Whether to keep those alone that no larger set of enough people contains.

    Raises
    ------
    ArgumentError
        If there are more than five million.
    """
    held = unpack(words, n_conditions).astype(bool)
    people, least = weights[:, 0], max(min_persons, 1)
    found: list[NDArray[np.bool_]] = []
    sums: list[Integers] = []
    waiting = [(np.flatnonzero(people > 0), -1)] if people.sum() >= least else []
    while waiting:
        rows, last = waiting.pop()
        inside = held[rows]
        closure: NDArray[np.bool_] = np.logical_and.reduce(inside, axis=0)
        having = people[rows] @ inside
        larger = np.flatnonzero((having >= least) & ~closure)
        if closure.sum() >= max(min_size, 1) and not (maximal and len(larger)):
            found.append(closure)
            sums.append(weights[rows].sum(axis=0))
            if len(found) > MOST_SETS:
                raise ArgumentError(
                    f"More than {MOST_SETS:,} sets are held by {least:,} people or more. Raise min_persons."
                )
        for condition in larger[larger > last]:
            own = rows[inside[:, condition]]
            # reached from here alone: no condition before this one comes with it
            if not (np.logical_and.reduce(held[own][:, :condition], axis=0) & ~closure[:condition]).any():
                waiting.append((own, int(condition)))
    bits = np.array(found, dtype=np.uint8).reshape(len(found), n_conditions)
    return FrequentSets(pack(bits), np.array(sums, dtype=np.int64).reshape(len(found), weights.shape[1]))
