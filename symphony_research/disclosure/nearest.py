"""Integers nearest to some that are known: a corner of that linear programme mostly has integers alone.

What lies between two solutions is small, and few relations bound it, so that
such programmes find in milliseconds what branch and bound finds in seconds.

References
----------
Fischetti, M. and Monaci, M. (2014). Proximity search for 0-1 mixed-integer
convex programming. Journal of Heuristics 20, 709-731.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.decomposition import TOLERANCE, Block
from symphony_research.disclosure.programme import Programme

__all__ = ["NOWHERE", "Nearest"]

Array = NDArray[np.float64]
NOWHERE = np.zeros(0, np.int64)
LITTLE = 1e-3  # of a change, where bounds give


class Nearest:
    """Solutions of a block in integers, near others.

    Parameters
    ----------
    block : Block
    counted : array of int
        The unknowns whose changes are counted; the others follow from them.
    places : array of int
        Unknowns whose bounds may give, at a price.
    """

    def __init__(self, block: Block, counted: NDArray[np.int64], places: NDArray[np.int64] = NOWHERE) -> None:
        from scipy.sparse import csc_matrix, hstack

        self._n, self._counted, self._places = len(block.unknowns), counted, places
        matrix = csc_matrix(block.matrix)
        # a counted unknown is the sum of two, up to where it was and beyond; one that gives, of three: also above its
        # bounds, and below
        parts = [matrix, matrix[:, counted], matrix[:, places], -matrix[:, places]]
        self._programme = Programme(hstack(parts), block.low, block.high)
        self._price, self._room = np.zeros(len(places)), np.zeros(len(places))
        # no two changes weigh the same, so that one corner is the nearest; where bounds give, that counts for far more
        self._weight = (LITTLE if len(places) else 1.0) * (
            1 + np.modf(np.arange(1, len(counted) + 1) * 0.6180339887498949)[0] / 10
        )
        self.solved = 0

    @property
    def work(self) -> int:
        """What it took so far, as `Programme.work`."""
        return self._programme.work

    def give(self, price: Array, room: Array) -> None:
        """Let bounds give at a price, a unit: upwards without end, downwards as far as there is room; not where the price is infinite."""
        self._price, self._room = price, room

    def find(self, bases: Iterable[Array], lower: Array, upper: Array, *, steps: int) -> Array | None:
        """Return integers within bounds near one of the bases, or if none are found, other numbers; None where there are none.

        Raises
        ------
        UndecidedError
            If a linear programme is not solved within its limit.
        """
        x = None
        for base in bases:
            x = self._near(base, lower, upper)
            if x is None:
                return None
            found = self._rounded(x, base, lower.copy(), upper.copy(), steps)
            if found is not None:
                return found
        return x

    def _rounded(self, x: Array | None, base: Array, lower: Array, upper: Array, steps: int) -> Array | None:
        """Fix one fraction after the other to the integer beside it, in so many steps; None if that leads nowhere."""
        for step in range(steps + 1):
            if x is None:
                return None
            off = np.abs(x - np.round(x))
            fractions = self._counted[off[self._counted] > TOLERANCE]
            if not len(fractions):
                fractions = np.flatnonzero(off > TOLERANCE)
            if not len(fractions):
                return np.round(x)
            if step == steps:
                return None
            k = fractions[np.argmin(off[fractions])]
            before, beside, above = (lower[k], upper[k]), np.round(x[k]), np.ceil(x[k])
            lower[k] = upper[k] = beside
            x = self._near(base, lower, upper)
            if x is None:
                lower[k], upper[k] = (before[0], above - 1) if beside == above else (above, before[1])
                x = self._near(base, lower, upper)
        return None

    def _near(self, base: Array, lower: Array, upper: Array) -> Array | None:
        """Return the numbers within bounds that are least far from a base in sum; integers or not."""
        self.solved += 1
        n, there, give = self._n, self._counted, np.isfinite(self._price)
        least, most, at = lower[there], upper[there], base[there]
        above = np.where(give, np.inf, 0.0)
        none = np.zeros(2 * len(give))
        low = np.concatenate([lower, np.maximum(least - at, 0.0), none])
        high = np.concatenate([upper, np.maximum(most - at, 0.0), above, np.where(give, self._room, 0.0)])
        low[there], high[there] = np.minimum(least, at), np.minimum(most, at)
        price = np.where(give, self._price, 0.0)
        cost = np.concatenate([np.zeros(n), self._weight, price, price])
        cost[there] = -self._weight
        y = self._programme.solve(low, high, cost)
        if y is None:
            return None
        x, beyond, up, down = np.split(y, [n, n + len(there), n + len(there) + len(give)])
        x[there] += beyond
        x[self._places] += up - down
        return x
