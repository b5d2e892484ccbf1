"""Split a linear system into blocks that have nothing to do with each other, and find what numbers a block allows.

A relation that holds whatever the numbers are, within their bounds, says
nothing; without those, what is left falls apart into blocks. A block of one
relation has its answer in closed form; others are asked by linear programmes
that push all undecided cells at once, each solution a witness for many.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.programme import Programme
from symphony_research.disclosure.system import System

__all__ = ["Block", "blocks_of", "ranges_of_one_row", "tightened"]

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
TOLERANCE = 1e-6
PASSES = 8  # over all relations, each narrowing what the next begins with
ROOM = 1e-9  # left around a narrowed bound, for what adding up costs in precision


@dataclass(frozen=True)
class Block:
    """Cells that are held together, and by what.

    Attributes
    ----------
    unknowns : array of int
        Places in the system.
    matrix : sparse matrix
        Relations by unknowns of this block.
    low, high : arrays
        Between which each relation lies.
    """

    unknowns: Integers
    matrix: Any
    low: Array
    high: Array

    @cached_property
    def programme(self) -> Programme:
        """The block as a linear programme."""
        return Programme(self.matrix, self.low, self.high)

    @cached_property
    def integer_programme(self) -> Programme:
        """The block as an integer programme."""
        return Programme(self.matrix, self.low, self.high, integers=len(self.unknowns))

    def solve(self, lower: Array, upper: Array, cost: Array) -> Array | None:
        """Return numbers within bounds at the least cost; None where there are none."""
        return self.programme.solve(lower, upper, cost)

    def solve_integers(self, lower: Array, upper: Array, cost: Array) -> Array | None:
        """Return integers within bounds; None where there are none."""
        found = self.integer_programme.solve(lower, upper, cost)
        return None if found is None else np.round(found)

    def near(self, unknown: int) -> Block:
        """Return the relations that speak of an unknown of the system, with all that they speak of."""
        column = int(np.flatnonzero(self.unknowns == unknown)[0])
        rows = np.unique(self.matrix.tocsc()[:, column].indices)
        inside = np.unique(self.matrix[rows].indices) if len(rows) else np.array([column])
        return Block(self.unknowns[inside], self.matrix[rows][:, inside], self.low[rows], self.high[rows])

    def speaking(self, lower: Array, upper: Array) -> Block:
        """Return the block without the relations that hold whatever the numbers are, within their bounds."""
        kept = _speaking(self.matrix, self.low, self.high, lower, upper)
        return Block(self.unknowns, self.matrix[kept], self.low[kept], self.high[kept])

    def slack(self, x: Array) -> tuple[Array, Array]:
        """Return how far each relation is above its low end and below its high one."""
        activity = self.matrix @ x
        return activity - self.low, self.high - activity


def blocks_of(system: System, lower: Array, upper: Array, wanted: NDArray[np.bool_]) -> Iterator[Block]:
    """Return the blocks in which any unknown is wanted, in the order of their first unknown."""
    matrix = system.matrix
    speaking = _speaking(matrix, system.low - TOLERANCE, system.high + TOLERANCE, lower, upper)
    kept = matrix[speaking]
    m, n = kept.shape
    entries = kept.tocoo()
    # unknowns that may be one number alone hold nothing together
    free = upper > lower
    own = free[entries.col]
    label = _components(entries.row[own], m + entries.col[own], m + n)
    of_row, of_unknown = label[:m], label[m:]
    with_wanted = np.unique(of_unknown[wanted])
    rows_by = _grouped(of_row)
    unknowns_by = _grouped(of_unknown)
    fixed_value = np.where(free, 0.0, lower)
    fixed_sum = kept @ fixed_value
    first = sorted(with_wanted, key=lambda name: int(unknowns_by[name][0]))
    for name in first:
        rows = rows_by.get(name)
        unknowns = unknowns_by[name]
        if rows is None:
            continue
        yield Block(
            unknowns,
            kept[rows][:, unknowns],
            system.low[speaking[rows]] - fixed_sum[rows],
            system.high[speaking[rows]] - fixed_sum[rows],
        )


def _components(one: Integers, other: Integers, n: int) -> Integers:
    """Return the first node that each of `n` nodes is joined to by edges, directly or not.

    Ten lines instead of scipy.sparse.csgraph, which takes longer to load than a report to search.
    """
    label = np.arange(n)
    while True:
        least = np.minimum(label[one], label[other])
        lower = label.copy()
        np.minimum.at(lower, label[one], least)
        np.minimum.at(lower, label[other], least)
        lower = lower[lower]
        if np.array_equal(lower, label):
            return label
        label = lower


def _grouped(labels: Integers) -> dict[int, Integers]:
    order = np.argsort(labels, kind="stable")
    cut = np.flatnonzero(np.diff(labels[order])) + 1
    return {int(labels[part[0]]): part for part in np.split(order, cut)} if len(labels) else {}


def _speaking(matrix: Any, low: Array, high: Array, lower: Array, upper: Array) -> Integers:
    """Return the relations that do not hold whatever the numbers are."""
    least, most = _activity(matrix, lower, upper)
    return np.flatnonzero(~((least >= low) & (most <= high)))


def _activity(matrix: Any, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Return the least and most that each relation's sum can be."""
    positive, negative = matrix.maximum(0), matrix.minimum(0)
    with np.errstate(invalid="ignore"):
        unlimited = np.isinf(upper)
        finite = np.where(unlimited, 0.0, upper)
        least = positive @ lower + negative @ finite
        most = positive @ finite + negative @ lower
        many = unlimited.astype(float)
        least = np.where((negative @ many) < 0, -np.inf, least)
        most = np.where((positive @ many) > 0, np.inf, most)
    return least, most


def ranges_of_one_row(block: Block, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Return the least and most of every unknown of a block of one relation, in closed form."""
    row = block.matrix.toarray()[0]
    ends = np.where(row > 0, row * lower, row * upper), np.where(row > 0, row * upper, row * lower)
    least_of_others, most_of_others = (_sums_of_others(end) for end in ends)
    with np.errstate(invalid="ignore"):
        one, other = (block.low[0] - most_of_others) / row, (block.high[0] - least_of_others) / row
    low, high = np.where(row > 0, one, other), np.where(row > 0, other, one)
    # what is not known, infinity less infinity, limits nothing
    return np.fmax(lower, low), np.fmin(upper, high)


def tightened(block: Block, lower: Array, upper: Array) -> tuple[Block, Array, Array]:
    """Return a block with the bounds that each relation alone leaves, and without the relations that then say nothing.

    Numbers are possible in the one block if and only if they are in the other (feasibility-based bound tightening, Savelsbergh
    1994).

    References
    ----------
    Savelsbergh, M. W. P. (1994). Preprocessing and probing techniques for mixed integer programming problems. ORSA Journal on
    Computing 6, 445-454.
    """
    entries = block.matrix.tocoo()
    row, column, value = entries.row, entries.col, entries.data
    lower, upper = lower.copy(), upper.copy()
    for _ in range(PASSES):
        ends = np.where(value > 0, lower[column], upper[column]), np.where(value > 0, upper[column], lower[column])
        least, most = (_without_each(value * end, row, len(block.low)) for end in ends)
        with np.errstate(invalid="ignore"):
            one, other = (block.low[row] - most) / value, (block.high[row] - least) / value
        low, high = np.full(len(lower), -np.inf), np.full(len(upper), np.inf)
        # what is not known, infinity less infinity, limits nothing
        np.fmax.at(low, column, np.where(value > 0, one, other) - ROOM)
        np.fmin.at(high, column, np.where(value > 0, other, one) + ROOM)
        narrower = np.maximum(lower, low), np.minimum(upper, high)
        with np.errstate(invalid="ignore"):
            changed = (narrower[0] - lower > TOLERANCE) | (upper - narrower[1] > TOLERANCE)
        lower, upper = narrower
        if not changed.any():
            break
    kept = _speaking(block.matrix, block.low - TOLERANCE, block.high + TOLERANCE, lower, upper)
    return Block(block.unknowns, block.matrix[kept], block.low[kept], block.high[kept]), lower, upper


def _without_each(terms: Array, row: Integers, rows: int) -> Array:
    """Return the sum of each row's other terms; not finite where one of those is not."""
    infinite = np.isinf(terms)
    finite = np.bincount(row, np.where(infinite, 0.0, terms), rows)[row] - np.where(infinite, 0.0, terms)
    others = np.bincount(row, infinite, rows)[row] - infinite
    end = np.zeros(rows)
    end[row[infinite]] = terms[infinite]
    return np.where(others > 0, end[row], finite)


def _sums_of_others(values: Array) -> Array:
    infinite = np.isinf(values)
    if infinite.any():
        sign = values[infinite][0]
        finite = values[~infinite].sum()
        alone = infinite & (infinite.sum() == 1)
        return np.where(alone, finite, sign)
    return values.sum() - values
