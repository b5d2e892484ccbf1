"""Small changes of a solution that may leave it one: the cheapest way to see that a count can be more numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.decomposition import Block

__all__ = ["Moves"]


@dataclass(frozen=True)
class Moves:
    """Changes of unknowns, and of the relations' sums with them.

    Attributes
    ----------
    n : int
        How many there are.
    unknowns, rows : sparse matrices in coordinates
        By unknowns, and by relations; a column is a move. An unknown moves by one, or not at all.
    """

    n: int
    unknowns: Any
    rows: Any

    @classmethod
    def of(cls, block: Block, targets: NDArray[np.int64], first_atom: int | None) -> Moves:
        """Return the moves of a block: each count by itself, or a person more of one atom, in every cell that holds it."""
        from scipy.sparse import coo_matrix, csc_matrix

        n = len(block.unknowns)
        if first_atom is None:
            unknowns = csc_matrix((np.ones(len(targets)), (targets, np.arange(len(targets)))), shape=(n, len(targets)))
        else:
            atoms = np.flatnonzero(block.unknowns >= first_atom)
            matrix = block.matrix.tocsr()
            # a cell is the sum of its atoms: in such a relation it stands alone, with the other sign
            is_cell = block.unknowns < first_atom
            of_cells = (matrix < 0).astype(float) @ is_cell
            others = (matrix > 0).astype(float) @ is_cell
            defining = np.flatnonzero((block.low == 0) & (block.high == 0) & (of_cells == 1) & (others == 0))
            cells = [matrix[row].indices[matrix[row].data < 0][0] for row in defining]
            holds = coo_matrix(matrix[defining][:, atoms])
            unknowns = csc_matrix(
                (
                    np.ones(len(atoms) + holds.nnz),
                    (
                        np.concatenate([atoms, np.array(cells, int)[holds.row]]) if len(defining) else atoms,
                        np.concatenate([np.arange(len(atoms)), holds.col]),
                    ),
                ),
                shape=(n, len(atoms)),
            )
        rows = (block.matrix @ unknowns).tocoo()
        rows.eliminate_zeros()
        return cls(unknowns.shape[1], unknowns.tocoo(), rows)
