"""The cheapest relaxation of bounds by which an unknown can be a number that it cannot be now.

References
----------
Chinneck, J. W. (2008). Feasibility and Infeasibility in Optimization, chapter 6 (elastic programmes). Springer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.blocks import Block
from symphony_research.disclosure.programme import Programme

__all__ = ["cheapest_relaxation"]

Array = NDArray[np.float64]


def cheapest_relaxation(
    block: Block,
    lower: Array,
    upper: Array,
    places: Sequence[int] | NDArray[np.int64],
    cost: Array,
    *,
    lowest: float = 0.0,
    integers: bool = False,
) -> tuple[float, Array] | None:
    """Return the cost of the cheapest relaxation, and by how much the bounds of each place give; None where none will do.

    Parameters
    ----------
    block : Block
    lower, upper : arrays
        Bounds of the block's unknowns, that of the target fixed at the number it should be.
    places : sequence of int
        Unknowns of the block whose bounds may give: upwards without end, downwards to `lowest`.
    cost : array
        Of each place, a unit.
    lowest : float
        No number is below it once its bounds have given.
    integers : bool
        Whether the block's unknowns are integers.

    Raises
    ------
    UndecidedError
        If the linear programme is not solved within its limit.
    """
    from scipy.sparse import bmat, csc_matrix, eye

    n, m = len(block.unknowns), len(places)
    held_low, held_high = lower[places], upper[places]
    lower, upper = lower.copy(), upper.copy()
    lower[places], upper[places] = 0.0, np.inf
    pick = csc_matrix((np.ones(m), (np.arange(m), places)), shape=(m, n))
    none, one = csc_matrix((m, m)), eye(m, format="csc")
    # x - above <= highest and x + below >= lowest, where `above` and `below` are what bounds give
    matrix = bmat(
        [
            [block.matrix, csc_matrix((block.matrix.shape[0], 2 * m))],
            [pick, bmat([[-one, none]])],
            [pick, bmat([[none, one]])],
        ]
    )
    programme = Programme(
        matrix.tocsr(),
        np.concatenate([block.low, np.full(m, -np.inf), held_low]),
        np.concatenate([block.high, held_high, np.full(m, np.inf)]),
        integers=n if integers else 0,
        once=True,
    )
    costs = np.concatenate([np.zeros(n), cost, cost])
    room = np.concatenate([np.full(m, np.inf), np.maximum(held_low - lowest, 0.0)])
    found = programme.solve(np.concatenate([lower, np.zeros(2 * m)]), np.concatenate([upper, room]), costs)
    return None if found is None else (float(costs @ found), found[n : n + m] + found[n + m :])
