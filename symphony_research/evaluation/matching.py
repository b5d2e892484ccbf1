"""Who is matched to whom, of distances within sets; arrays in, arrays out.

Tie rule: of controls equally near, the one that stands first in a random order of people drawn from the seed; of pairs
equally near, that of the first set, then of that control. Nothing depends on how ids are numbered.

References
----------
Stuart, E. A. (2010). Matching methods for causal inference: a review and a look forward. Statistical Science 25, 1-21.
Austin, P. C. (2011). Optimal caliper widths for propensity-score matching when estimating differences in means and
differences in proportions. Pharmaceutical Statistics 10, 150-161.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.inference import Array

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

__all__ = ["Pairs", "caliper_width", "nearest", "odds_weights", "pair_weights"]


@dataclass(frozen=True)
class Pairs:
    """Rows of pairs: the set, the row of the control, and their distance, the nearest of each set first."""

    set: NDArray[Any]
    control: NDArray[Any]
    distance: Array


def caliper_width(score: Array, treated: Flags, caliper: float) -> float:
    """Return so many standard deviations of a score: the square root of the mean of the two groups' variances."""
    both = [float(score[group].var(ddof=1)) if group.sum() > 1 else 0.0 for group in (treated, ~treated)]
    return caliper * float(np.sqrt(sum(both) / 2))


def nearest(
    set_: NDArray[Any],
    control: NDArray[Any],
    distance: Array,
    person: NDArray[Any],
    *,
    ratio: int,
    replacement: bool,
    order: NDArray[Any],
) -> Pairs:
    """Return the nearest controls of each set.

    Parameters
    ----------
    set_, control, distance, person : arrays
        Of each possible pair: the set, the row of the control, how far they are, and the control's number as a person.
    ratio : int
        At most so many controls a set.
    replacement : bool
        Whether a person may be a control of several sets. If not, pairs are made greedily, the closest of all first; every
        set has its first control before any has a second.
    order : array
        By number of a person: the place in the order that decides between controls equally near.

    Examples
    --------
    >>> two = np.array([0, 0, 1, 1])
    >>> far = np.array([1.0, 3.0, 2.0, 4.0])
    >>> again = nearest(two, np.arange(4), far, np.array([7, 8, 7, 8]), ratio=1, replacement=True, order=np.arange(9))
    >>> again.control.tolist()
    [0, 2]
    >>> once = nearest(two, np.arange(4), far, np.array([7, 8, 7, 8]), ratio=1, replacement=False, order=np.arange(9))
    >>> once.control.tolist()
    [0, 3]
    """
    if replacement:
        by = np.lexsort((order[person], distance, set_))
        own = set_[by]
        first = np.searchsorted(own, own)
        kept = by[np.arange(len(by)) - first < ratio]
    else:
        kept = _once(set_, distance, person, ratio, order)
        kept = kept[np.lexsort((order[person[kept]], distance[kept], set_[kept]))]
    return Pairs(set_[kept], control[kept], distance[kept])


def _once(set_: NDArray[Any], distance: Array, person: NDArray[Any], ratio: int, order: NDArray[Any]) -> NDArray[Any]:
    """Return the pairs that are made one after the other, each person a control once."""
    by = np.lexsort((order[person], set_, distance))
    used = np.zeros(int(person.max()) + 1 if len(person) else 0, dtype=bool)
    kept: list[int] = []
    for _ in range(ratio):
        served = np.zeros(int(set_.max()) + 1 if len(set_) else 0, dtype=bool)
        for pair, s, p in zip(by.tolist(), set_[by].tolist(), person[by].tolist(), strict=True):
            if not served[s] and not used[p]:
                served[s] = used[p] = True
                kept.append(pair)
        by = by[~used[person[by]]]
    return np.array(kept, dtype=np.int64)


def pair_weights(pairs: Pairs, n_sets: int, n_rows: int, enrolled: NDArray[Any]) -> Array:
    """Return the weight of each row: 1 of an enrolled person with controls, whose weights add up to 1.

    `enrolled` is the row of each set's enrolled person.
    """
    found = np.bincount(pairs.set, minlength=n_sets)
    weight = np.zeros(n_rows)
    np.add.at(weight, pairs.control, 1 / found[pairs.set])
    weight[enrolled[found > 0]] = 1.0
    return weight


def odds_weights(linear: Array, set_: NDArray[Any], treated: Flags, stands_for: Array, allowed: Flags) -> Array:
    """Return the odds of enrolling of each control of a set, scaled to add up to 1; 1 of the enrolled.

    Parameters
    ----------
    linear : array
        The log odds, or the log hazard ratio, up to a constant of the set.
    stands_for : array
        How many people a row stands for.
    allowed : array of bool
        Rows that may be controls.

    Examples
    --------
    >>> odds_weights(np.log([9.0, 1, 3]), np.zeros(3, int), np.array([1, 0, 0], bool), np.ones(3), np.array([0, 1, 1], bool))
    array([1.  , 0.25, 0.75])
    """
    n_sets = int(treated.sum())
    most = np.full(n_sets, -np.inf)
    np.maximum.at(most, set_[allowed], linear[allowed])
    odds = np.zeros(len(linear))
    odds[allowed] = stands_for[allowed] * np.exp(linear[allowed] - most[set_[allowed]])
    total = np.bincount(set_, odds, n_sets)
    weight = np.divide(odds, total[set_], out=np.zeros(len(odds)), where=total[set_] > 0)
    weight[treated] = (total[set_[treated]] > 0).astype(float)
    return weight
