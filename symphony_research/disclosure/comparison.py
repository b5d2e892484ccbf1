"""Two populations, the one perhaps among the other, as one linear system: the differences of their counts are unknowns of it.

A difference is of people that no table names, so it is protected as a small count is: where it may be small it keeps as
many possible numbers as a suppressed count must. A suppressed count of either keeps as many beside what is shown of the
other. The inner population may be several groups, as hubs are of a programme, which add up to no more than the outer one.
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
from symphony_research.disclosure.targets import target_of
from symphony_research.result.cells import CellDefinition, Stratum

__all__ = ["Comparison", "Telling", "comparison_of", "need_of", "of_own_people", "tells"]

Array = NDArray[np.float64]
MOST_COMPARED = 20_000  # unknowns of two populations that are compared by all their counts
MOST_WORK = 200_000_000  # of one comparison, as `Programme.work`
AMONG = ("among", "them")  # the stratum of the outer population that the inner one is taken to be


def tells(low: float, high: float, policy: Mapping[str, Any]) -> bool:
    """Whether a number of people between two ends may be small and keeps too few possible numbers.

    Zero is no secret, unless the rule suppresses zeros.
    """
    least, most = math.ceil(max(low, 0.0) - TOLERANCE), math.floor(high + TOLERANCE)
    return (
        most >= (0 if policy["hide_zeros"] else 1)
        and least <= policy["threshold"]
        and most - least + 1 < need_of(policy)
    )


def need_of(policy: Mapping[str, Any]) -> int:
    """Return how many numbers a difference must keep possible where it may be small."""
    return int(policy["threshold"] if policy["level"] == "strict" else min(policy["rounding"], policy["threshold"]))


def of_own_people(one: ReleasedOutput, of: CellDefinition) -> CellDefinition:
    """Return whom a count of an output counts of the output's own people: without the predicates."""
    gone = set(one.predicates)
    return of.in_stratum(tuple(pair for pair in of.stratum if pair not in gone)) if gone else of


@dataclass(frozen=True)
class Telling:
    """A difference, or a suppressed count, that keeps too few possible numbers, or of which that is not known.

    `at` is its place among the unknowns; `of` whom a difference counts, without the predicates, and None of a count.
    """

    at: int
    of: CellDefinition | None
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
    predicates : Stratum
        Those of the outer population.
    lower, upper : arrays
        Between which every unknown lies.
    differences : mapping of int to CellDefinition
        Place of each difference, and whom it counts, without the predicates.
    pairs : mapping of int to (int, int)
        Of each difference the places of the two counts, outer and inner.
    suppressed : mapping of int to Target
        Places of suppressed small counts of either population, and how many numbers each must keep.
    shown : frozenset of int
        Differences of counts that are shown of both populations.
    policy : mapping
        The rule that says how many numbers a difference must keep.
    marks : pair of arrays
        Between which every unknown lies by what is known without any number: which counts are small, and which are zero.
    """

    system: System
    predicates: Stratum
    lower: Array
    upper: Array
    differences: Mapping[int, CellDefinition]
    pairs: Mapping[int, tuple[int, int]]
    suppressed: Mapping[int, Target]
    shown: frozenset[int]
    policy: Mapping[str, Any]
    marks: tuple[Array, Array]

    def place(self, one: ReleasedOutput, of: CellDefinition, *, inner: bool) -> int | None:
        """Return where a count of an output of the inner or the outer population is among the unknowns."""
        own = of_own_people(one, of)
        return self.system.index.get(_within(own, _stratum_of(one, self.predicates)) if inner else own)

    def target(self, at: int) -> Target:
        """Return how many numbers a difference or a suppressed count must keep, and between which ends."""
        return self.suppressed.get(at) or Target(0.0, UNBOUNDED, need_of(self.policy))

    @property
    def wanted(self) -> set[int]:
        """Everything that must keep enough numbers."""
        return {*self.differences, *self.suppressed}

    def unsearched(self, which: Iterable[int]) -> list[Telling]:
        """Return those of some unknowns that are not to be taken for safe unless they are searched."""
        told = ((at, self.differences.get(at)) for at in which)
        return [Telling(at, of, 0.0, UNBOUNDED, decided=False) for at, of in told if of is None or at in self.shown]

    def blocks(self, wanted: Iterable[int], lower: Array, upper: Array) -> list[Block]:
        """Return the blocks of both populations in which any of some unknowns is: those of one were searched with it."""
        which = np.zeros(self.system.n_unknowns, bool)
        which[list(wanted)] = True
        return [block for block in blocks_of(self.system, lower, upper, which) if self._is_of_both(block)]

    def _is_of_both(self, block: Block) -> bool:
        cells, places = self.system.cells, [int(k) for k in block.unknowns]
        if not self.differences.keys().isdisjoint(places):
            return True
        sides = {AMONG in cells[k].stratum for k in places if k < len(cells)}
        # a count that is one number stands in no block, and bounds what does
        return len(sides) > 1 or bool(((self.upper <= self.lower) & (self.lower > 0)).any())

    def telling(self, block: Block, lower: Array, upper: Array, wanted: Collection[int]) -> tuple[list[Telling], int]:
        """Return what tells too much in a block, in its order, and what finding it took.

        What is not decided within the limits is taken to tell, but for differences of counts that are suppressed.
        """
        if len(block.unknowns) > MOST_COMPARED:
            return self.unsearched(int(k) for k in block.unknowns if int(k) in wanted), 0
        found, work = self._narrow(block, lower, upper, wanted)
        if found is None:
            there = (int(k) for k in block.unknowns if int(k) in wanted)
            return self.unsearched(there), work
        # of a small group everybody knows that the others are few, and not that there are any
        few = [
            one
            for one in found
            if one.of is None
            or (tells(one.low, one.high, self.policy) and (one.low >= 1 - TOLERANCE or one.at in self.shown))
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
        """Return what keeps fewer numbers than it needs in a block, None if that is not known; and what it took."""
        unknowns = block.unknowns
        targets = {at: self.target(int(k)) for at, k in enumerate(unknowns) if int(k) in wanted}
        search = Search(block, lower[unknowns], upper[unknowns], targets, most_work=MOST_WORK, exact=True)
        found = [(int(unknowns[one.unknown]), one) for one in search.inferable()]
        told = [Telling(k, self.differences.get(k), one.low, one.high) for k, one in found]
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
    """Return two populations as one system, the inner one in strata of the outer; None where neither tells of the other.

    A count that is surely larger in the inner population was revised, and is compared with nothing.
    """
    policy, predicates = outer[0].policy, outer[0].predicates
    own_shown: dict[CellDefinition, float] = {}
    for one in inner:
        for cell in one.cells:
            if _is_compared(cell):
                of = of_own_people(one, cell.of)
                own_shown[of] = max(cell.low, own_shown.get(of, 0.0))
    revised = {
        of
        for one in outer
        for cell in one.cells
        if _is_compared(cell) and cell.high < own_shown.get(of := of_own_people(one, cell.of), 0.0)
    }
    within = [_as_stratum(one, _stratum_of(one, predicates), revised) for one in inner]
    whole = [_as_stratum(one, (), revised) for one in outer]
    system = system_of([*within, *whole])
    lower, upper = bounds_of(system, (cell for one in (*within, *whole) for cell in one.cells))
    own = {
        (of_own_people(one, cell.of), cell.of): cell for one in within for cell in one.cells if cell.high < UNBOUNDED
    }
    others = {cell.of: cell for one in whole for cell in one.cells if cell.high < UNBOUNDED}
    suppressed: dict[int, Target] = {}
    # strata of one population are searched as one system: there its suppressed counts are protected, and where none of the
    # inner people are counted the difference is one of them
    if inner[0].people == outer[0].people:
        own = {of: cell for of, cell in own.items() if cell.high > 0}
    elif policy["level"] != "rule_text":
        suppressed = _suppressed([*within, *whole], system)
    near = sorted(
        (of, of_inner)
        for of, of_inner in own
        if of in others
        # where the two numbers alone are far apart nothing can bring them together
        and others[of].low - own[of, of_inner].high <= policy["threshold"]
        # what no relation speaks of is no unknown, and is compared by itself
        and {of, of_inner} <= system.index.keys()
    )
    if not (near or suppressed):
        return None
    pairs = np.array([[system.index[of], system.index[of_inner]] for of, of_inner in near], int).reshape(-1, 2)
    n, k = system.n_unknowns, len(near)
    marks = bounds_of(system, (_as_marked(cell, one) for one in (*within, *whole) for cell in one.cells))
    none, many = np.zeros(k), np.full(k, UNBOUNDED)
    return Comparison(
        system=_with_differences(system, pairs),
        predicates=predicates,
        lower=np.concatenate([lower, none]),
        upper=np.concatenate([upper, many]),
        differences={n + at: of for at, (of, _) in enumerate(near)},
        pairs={n + at: (int(pair[0]), int(pair[1])) for at, pair in enumerate(pairs)},
        suppressed=suppressed,
        shown=frozenset(
            n + at for at, key in enumerate(near) if not (own[key].suppressed or others[key[0]].suppressed)
        ),
        policy=policy,
        marks=(np.concatenate([marks[0], none]), np.concatenate([marks[1], many])),
    )


def _suppressed(outputs: Iterable[ReleasedOutput], system: System) -> dict[int, Target]:
    """Return where the suppressed small counts of outputs are among the unknowns, and how many numbers each must keep."""
    shown = {cell.of for one in outputs for cell in one.cells if not cell.suppressed}
    found: dict[int, Target] = {}
    for one in outputs:
        for cell in one.cells:
            target = target_of(cell, one.policy["rounding"], one.policy["level"]) if cell.primary else None
            if target is not None and cell.of not in shown and cell.of in system.index:
                found[system.index[cell.of]] = target
    return found


def _stratum_of(one: ReleasedOutput, predicates: Stratum) -> Stratum:
    """Return the stratum of the outer population that an output of the inner one is about."""
    return tuple(sorted((AMONG, *(pair for pair in one.predicates if pair not in predicates))))


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
    return of.in_stratum(tuple(sorted((*stratum, *of.stratum))))


def _as_stratum(one: ReleasedOutput, stratum: Stratum, without: set[CellDefinition]) -> ReleasedOutput:
    """Return an output as of a stratum of other people, or of everybody, whatever the predicates; without some counts."""
    plain = ((cell, of_own_people(one, cell.of)) for cell in one.cells)
    cells = tuple(replace(cell, of=_within(of, stratum)) for cell, of in plain if of not in without)
    return replace(one, predicates=stratum, cells=cells, relations=())
