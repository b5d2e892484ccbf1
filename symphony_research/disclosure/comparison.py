"""Two populations, the one perhaps among the other, as one linear system: the differences of their counts are unknowns of it.

A difference is of people that no table names, so it is protected as a small count is: where it may be small it keeps as
many possible numbers as a suppressed count must.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.decomposition import TOLERANCE, Block, blocks_of
from symphony_research.disclosure.outputs import UNBOUNDED, CellBounds, ReleasedOutput
from symphony_research.disclosure.programme import UndecidedError
from symphony_research.disclosure.search import Search, Target
from symphony_research.disclosure.system import System, bounds_of, system_of
from symphony_research.result.cells import CellDefinition, Stratum

__all__ = ["Comparison", "Telling", "comparison_of", "need_of", "of_own_people", "tells"]

Array = NDArray[np.float64]
MOST_COMPARED = 20_000  # unknowns of two populations that are compared by all their counts
MOST_WORK = 200_000_000  # of one comparison, as `Programme.work`
AMONG = ("among", "them")  # the stratum of the outer population that the inner one is taken to be


def tells(low: float, high: float, policy: Mapping[str, Any]) -> bool:
    """Whether a number of people between two ends may be small and keeps too few possible numbers; zero is no secret."""
    least, most = math.ceil(max(low, 0.0) - TOLERANCE), math.floor(high + TOLERANCE)
    return most >= 1 and least <= policy["threshold"] and most - least + 1 < need_of(policy)


def need_of(policy: Mapping[str, Any]) -> int:
    """Return how many numbers a difference must keep possible where it may be small."""
    return int(policy["threshold"] if policy["level"] == "strict" else min(policy["rounding"], policy["threshold"]))


def of_own_people(one: ReleasedOutput, of: CellDefinition) -> CellDefinition:
    """Return whom a count of an output counts of the output's own people: without the predicates."""
    gone = set(one.predicates)
    return replace(of, stratum=tuple(pair for pair in of.stratum if pair not in gone))


@dataclass(frozen=True)
class Telling:
    """A difference that keeps too few possible numbers, or of which that is not known.

    `at` is its place among the unknowns; `of` whom it counts, without the predicates.
    """

    at: int
    of: CellDefinition
    low: float
    high: float
    decided: bool = True

    @property
    def many(self) -> int:
        """How many numbers it may be."""
        return math.floor(self.high + TOLERANCE) - math.ceil(max(self.low, 0.0) - TOLERANCE) + 1


@dataclass(frozen=True)
class Comparison:
    """One system of two populations, and the differences that are looked at.

    Attributes
    ----------
    system : System
        Its last unknowns are the differences.
    lower, upper : arrays
        Between which every unknown lies.
    differences : mapping of int to CellDefinition
        Place of each difference, and whom it counts, without the predicates.
    shown : frozenset of CellDefinition
        Those of them that are shown of both populations.
    policy : mapping
        The rule that says how many numbers a difference must keep.
    marks : pair of arrays
        Between which every unknown lies by what is known without any number: which counts are small, and which are zero.
    """

    system: System
    lower: Array
    upper: Array
    differences: Mapping[int, CellDefinition]
    shown: frozenset[CellDefinition]
    policy: Mapping[str, Any]
    marks: tuple[Array, Array]

    def place(self, of: CellDefinition, *, inner: bool) -> int | None:
        """Return where a count of the inner or the outer population is among the unknowns, by whom it counts without the predicates."""
        return self.system.index.get(_within(of, (AMONG,)) if inner else of)

    @property
    def is_small(self) -> bool:
        """Whether it is small enough to be searched."""
        return self.system.n_unknowns <= MOST_COMPARED

    def unsearched(self, which: Iterable[int]) -> list[Telling]:
        """Return those of some differences that are shown of both, as not known."""
        told = ((at, self.differences[at]) for at in which)
        return [Telling(at, of, 0.0, UNBOUNDED, decided=False) for at, of in told if of in self.shown]

    def blocks(self, wanted: Iterable[int], lower: Array, upper: Array) -> list[Block]:
        """Return the blocks in which any of some differences is."""
        which = np.zeros(self.system.n_unknowns, bool)
        which[list(wanted)] = True
        return list(blocks_of(self.system, lower, upper, which)) if which.any() else []

    def telling(self, block: Block, lower: Array, upper: Array, wanted: Collection[int]) -> tuple[list[Telling], int]:
        """Return which differences of a block tell too much, in the order of the block, and what finding them took.

        What is not decided within the limits is taken to tell, where it is shown.
        """
        found, work = self._narrow(block, lower, upper, wanted)
        if found is None:
            there = (int(k) for k in block.unknowns if int(k) in wanted)
            return self.unsearched(there), work
        # of a small group everybody knows that the others are few, and not that there are any
        few = [
            one
            for one in found
            if tells(one.low, one.high, self.policy) and (one.low >= 1 - TOLERANCE or one.of in self.shown)
        ]
        if not few:
            return [], work
        # what marks say among themselves no suppression cures: of two small counts the one is the larger by less than both are
        marked, more = self._narrow(block, *self.marks, {one.at for one in few})
        by_marks = {one.at: one.many for one in marked or ()}
        return [one for one in few if one.at not in by_marks or one.many < by_marks[one.at]], work + more

    def _narrow(
        self, block: Block, lower: Array, upper: Array, wanted: Collection[int]
    ) -> tuple[list[Telling] | None, int]:
        """Return which differences of a block keep fewer numbers than they need, None if that is not known; and what it took."""
        need, unknowns = need_of(self.policy), block.unknowns
        targets = {at: Target(0.0, UNBOUNDED, need) for at, k in enumerate(unknowns) if int(k) in wanted}
        search = Search(block, lower[unknowns], upper[unknowns], targets, most_work=MOST_WORK, exact=True)
        found = [(int(unknowns[one.unknown]), one) for one in search.inferable()]
        told = [Telling(k, self.differences[k], one.low, one.high) for k, one in found]
        return (None if search.undecided else told), search.work

    def contradicts_itself(self, blocks: Iterable[Block]) -> bool:
        """Whether no numbers are possible at all, so that the one are not among the other."""
        for block in blocks:
            try:
                if (
                    block.solve(self.lower[block.unknowns], self.upper[block.unknowns], np.zeros(len(block.unknowns)))
                    is None
                ):
                    return True
            except UndecidedError:
                continue
        return False


def comparison_of(inner: Sequence[ReleasedOutput], outer: Sequence[ReleasedOutput]) -> Comparison | None:
    """Return two populations as one system, the inner a stratum of the outer; None where no difference may be small.

    A count that is surely larger in the inner population was revised, and is compared with nothing.
    """
    own_shown = {of_own_people(one, cell.of): cell for one in inner for cell in one.cells if _is_compared(cell)}
    revised = {
        of
        for one in outer
        for cell in one.cells
        if _is_compared(cell) and (of := of_own_people(one, cell.of)) in own_shown and cell.high < own_shown[of].low
    }
    within = [_as_stratum(one, (AMONG,), revised) for one in inner]
    whole = [_as_stratum(one, (), revised) for one in outer]
    system = system_of([*within, *whole])
    lower, upper = bounds_of(system, (cell for one in (*within, *whole) for cell in one.cells))
    policy = outer[0].policy
    own = {
        replace(cell.of, stratum=tuple(pair for pair in cell.of.stratum if pair != AMONG)): cell
        for one in within
        for cell in one.cells
        if cell.high < UNBOUNDED
    }
    others = {cell.of: cell for one in whole for cell in one.cells if cell.high < UNBOUNDED}
    # strata of one population are searched as one system: where none of the inner people are counted the difference is a
    # suppressed count of the outer, which is protected there
    if inner[0].people == outer[0].people:
        own = {of: cell for of, cell in own.items() if cell.high > 0}
    near = sorted(
        of
        for of in own.keys() & others.keys()
        # where the two numbers alone are far apart nothing can bring them together
        if others[of].low - own[of].high <= policy["threshold"]
        # what no relation speaks of is no unknown, and is compared by itself
        and {of, own[of].of} <= system.index.keys()
    )
    if not near:
        return None
    pairs = np.array([[system.index[of], system.index[own[of].of]] for of in near])
    n, k = system.n_unknowns, len(near)
    marks = bounds_of(system, (_as_marked(cell, one) for one in (*within, *whole) for cell in one.cells))
    none, many = np.zeros(k), np.full(k, UNBOUNDED)
    return Comparison(
        _with_differences(system, pairs),
        np.concatenate([lower, none]),
        np.concatenate([upper, many]),
        dict(zip(range(n, n + k), near, strict=True)),
        frozenset(of for of in near if not (own[of].suppressed or others[of].suppressed)),
        policy,
        (np.concatenate([marks[0], none]), np.concatenate([marks[1], many])),
    )


def _as_marked(cell: CellBounds, one: ReleasedOutput) -> CellBounds:
    """Return what is known of a count without its number: of one that is shown, that it is zero, or above the threshold."""
    if not cell.shown:
        return cell
    return replace(cell, low=min(cell.low, float(one.policy["threshold"]) + 1), high=UNBOUNDED)


def _is_compared(cell: CellBounds) -> bool:
    return not cell.suppressed and not cell.of.isolated


def _with_differences(system: System, pairs: NDArray[np.int64]) -> System:
    """Return a system with an unknown more for each pair: the first of the two less the second."""
    n, m, k = system.n_unknowns, len(system.low), len(pairs)
    columns = np.column_stack([pairs, n + np.arange(k)])
    return replace(
        system,
        rows=np.concatenate([system.rows, np.repeat(m + np.arange(k), 3)]),
        columns=np.concatenate([system.columns, columns.ravel()]),
        values=np.concatenate([system.values, np.tile([1.0, -1.0, -1.0], k)]),
        low=np.concatenate([system.low, np.zeros(k)]),
        high=np.concatenate([system.high, np.zeros(k)]),
        n_unknowns=n + k,
    )


def _within(of: CellDefinition, stratum: Stratum) -> CellDefinition:
    return replace(of, stratum=tuple(sorted((*stratum, *of.stratum))))


def _as_stratum(one: ReleasedOutput, stratum: Stratum, without: set[CellDefinition]) -> ReleasedOutput:
    """Return an output as of a stratum of other people, or of everybody, whatever the predicates; without some counts."""

    plain = ((cell, of_own_people(one, cell.of)) for cell in one.cells)
    cells = tuple(replace(cell, of=_within(of, stratum)) for cell, of in plain if of not in without)
    return replace(one, predicates=stratum, cells=cells, relations=())
