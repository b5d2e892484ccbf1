"""The cheapest relaxation of bounds by which an unknown can be a number that it cannot be now.

References
----------
Chinneck, J. W. (2008). Feasibility and Infeasibility in Optimization, chapter 6 (elastic programmes). Springer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.decomposition import TOLERANCE, Block
from symphony_research.disclosure.nearest import NOWHERE, Nearest

__all__ = ["Elastic"]

Array = NDArray[np.float64]
STEPS = 60  # of rounding to integers


class Elastic:
    """Asks again and again how the bounds of a block's unknowns may give.

    Parameters
    ----------
    block : Block
    places : sequence of int
        Unknowns of the block whose bounds may give: upwards without end, downwards to `lowest`.
    first_atom : int, optional
        Where the atoms begin, if integers are wanted.
    lowest : float
        No number is below it once its bounds have given.
    """

    def __init__(
        self,
        block: Block,
        places: Sequence[int] | NDArray[np.int64],
        *,
        first_atom: int | None = None,
        lowest: float = 0.0,
    ) -> None:
        self._places, self._lowest, self._integers = np.array(places, int), lowest, first_atom is not None
        atoms = NOWHERE if first_atom is None else np.flatnonzero(block.unknowns >= first_atom)
        self._nearest = Nearest(block, atoms, self._places)

    @property
    def work(self) -> int:
        """What it took so far, as `Programme.work`."""
        return self._nearest.work

    def cheapest(
        self, lower: Array, upper: Array, price: Array, bases: Sequence[Array] = ()
    ) -> tuple[float, Array] | None:
        """Return the cost of the cheapest relaxation, and by how much the bounds of each place give; None where none will do.

        In integers it is the cheapest near a base.

        Parameters
        ----------
        lower, upper : arrays
            Bounds of the block's unknowns, that of the target fixed at the number it should be.
        price : array
            Of each place, a unit; infinite where it does not give.
        bases : sequence of arrays
            Integers near which others are looked for.

        Raises
        ------
        UndecidedError
            If a linear programme is not solved within its limit.
        """
        places = self._places
        self._nearest.give(price, np.maximum(lower[places] - self._lowest, 0.0))
        x = self._nearest.find(bases or [np.zeros(len(lower))], lower, upper, steps=STEPS if self._integers else 0)
        if x is None or (self._integers and np.abs(x - np.round(x)).max(initial=0.0) > TOLERANCE):
            return None
        given = np.maximum(x[places] - upper[places], 0.0) + np.maximum(lower[places] - x[places], 0.0)
        return float(np.where(np.isfinite(price), price, 0.0) @ given), given
