"""Of two populations the one among the other: which differences of their counts tell how few the others are.

A difference is of people that no table names, so it is protected as a small count is: where it may be small it keeps as
many possible numbers as a suppressed count must.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.decomposition import TOLERANCE, Block
from symphony_research.disclosure.outputs import UNBOUNDED, CellBounds, ReleasedOutput
from symphony_research.disclosure.programme import UndecidedError
from symphony_research.disclosure.system import bounds_of, system_of
from symphony_research.result.cells import CellDefinition, Stratum

__all__ = ["may_be_nested", "of_one_study", "shown_counts", "telling_beside", "telling_by_all", "telling_differences"]

Array = NDArray[np.float64]
MOST_COMPARED = 20_000  # unknowns of two populations that are compared by all their counts
MOST_WORK = 200_000_000  # of one comparison, as `Programme.work`


def may_be_nested(inner: ReleasedOutput, outer: ReleasedOutput) -> bool:
    """Whether it cannot be excluded that the people of one output are all among those of another."""
    return inner.population.may_be_nested_in(outer.population)


def of_one_study(one: ReleasedOutput, other: ReleasedOutput) -> bool:
    """Whether two outputs may be of the same people: studies of different names are taken to be of others."""
    return one.study is None or other.study is None or one.study == other.study


def shown_counts(one: ReleasedOutput) -> dict[CellDefinition, CellBounds]:
    """Return the counts that an output shows, by whom they count."""
    return {cell.of: cell for cell in one.cells if not cell.suppressed and not cell.of.isolated}


def telling_differences(inner: ReleasedOutput, outer: ReleasedOutput) -> frozenset[CellDefinition]:
    """Return the counts of two outputs, each shown in both, of which the difference tells too much; without the predicates.

    Empty where the people of the one are surely not among those of the other.
    """
    if not may_be_nested(inner, outer):
        return frozenset()
    own, others = _of_own_population(inner), _of_own_population(outer)
    same_event = inner.population.event == outer.population.event
    return frozenset(
        of
        for of in own.keys() & others.keys()
        if (same_event or not of.state)
        and _tells(others[of].low - own[of].high, others[of].high - own[of].low, outer.policy)
    )


def telling_beside(own: Sequence[ReleasedOutput], other: Sequence[ReleasedOutput]) -> frozenset[CellDefinition]:
    """Return the counts of outputs that are to be suppressed, so that no difference from outputs released before tells anything.

    Parameters
    ----------
    own : sequence of ReleasedOutput
        Drafts of one population.
    other : sequence of ReleasedOutput
        What was released of others, of the same records or of an earlier extract.

    Notes
    -----
    Each count is compared with the same one, then all of them together: parts of a whole that each differ by up to four, and
    the whole too, differ by less. Of another extract that holds as far as no record was revised, which whoever attacks may
    take for granted; where the counts contradict that, it tells nothing.
    """
    found: set[CellDefinition] = set()
    for one in own:
        for before in other:
            few = telling_differences(one, before) | telling_differences(before, one)
            found |= {cell.of for of, cell in _of_own_population(one).items() if of in few}
    wholes: dict[str, list[ReleasedOutput]] = {}
    for before in other:
        key = repr((before.fingerprint, before.population.whole, before.predicates))
        wholes.setdefault(key, []).append(before)
    for released in wholes.values():
        for drafts in _by_predicates(own):
            left = [_without(one, found) for one in drafts]
            few = frozenset()
            if may_be_nested(drafts[0], released[0]):
                few |= telling_by_all(left, released)
            if may_be_nested(released[0], drafts[0]):
                few |= telling_by_all(released, left)
            found |= {cell.of for one in drafts for of, cell in _of_own_population(one).items() if of in few}
    return frozenset(found)


def _by_predicates(own: Sequence[ReleasedOutput]) -> list[list[ReleasedOutput]]:
    parts: dict[Stratum, list[ReleasedOutput]] = {}
    for one in own:
        parts.setdefault(one.predicates, []).append(one)
    return list(parts.values())


def _without(one: ReleasedOutput, gone: set[CellDefinition]) -> ReleasedOutput:
    return replace(one, cells=tuple(cell for cell in one.cells if cell.of not in gone))


def _tells(low: float, high: float, policy: Mapping[str, Any]) -> bool:
    """Whether a number of people between two ends may be small and keeps too few possible numbers; zero is no secret."""
    least, most = math.ceil(max(low, 0.0) - TOLERANCE), math.floor(high + TOLERANCE)
    return most >= 1 and least <= policy["threshold"] and most - least + 1 < _need(policy)


def _need(policy: Mapping[str, Any]) -> int:
    """Return how many numbers a difference must keep possible where it may be small."""
    return int(policy["threshold"] if policy["level"] == "strict" else min(policy["rounding"], policy["threshold"]))


def telling_by_all(inner: Sequence[ReleasedOutput], outer: Sequence[ReleasedOutput]) -> frozenset[CellDefinition]:
    """Return the counts of which everything together tells that few are in the outer population alone; without the predicates.

    A count that is surely larger in the inner population was revised, and is compared with nothing.
    """
    own_shown = {of: cell for one in inner for of, cell in _of_own_population(one).items()}
    revised = {
        of
        for one in outer
        for of, cell in _of_own_population(one).items()
        if of in own_shown and cell.high < own_shown[of].low
    }
    within = [_as_stratum(one, (("among", "them"),), revised) for one in inner]
    whole = [_as_stratum(one, (), revised) for one in outer]
    system = system_of([*within, *whole])
    own = {
        replace(cell.of, stratum=tuple(pair for pair in cell.of.stratum if pair[0] != "among")): cell
        for one in within
        for cell in one.cells
        if cell.high < UNBOUNDED
    }
    others = {cell.of: cell for one in whole for cell in one.cells if cell.high < UNBOUNDED}
    policy = outer[0].policy
    # strata of one population are searched as one system: where none of the inner people are counted the difference is a
    # suppressed count of the outer, which is protected there
    if inner[0].people == outer[0].people:
        own = {of: cell for of, cell in own.items() if cell.high > 0}
    # where the two numbers alone are far apart nothing can bring them together
    near = sorted(
        of
        for of in own.keys() & others.keys()
        if others[of].low - own[of].high <= policy["threshold"]
        # what no relation speaks of is no unknown, and is compared by itself
        and {of, own[of].of} <= system.index.keys()
    )
    if not near:
        return frozenset()
    # what is not compared within the limits is taken to tell, where it is shown
    told = frozenset(of for of in near if not (own[of].suppressed or others[of].suppressed))
    if system.n_unknowns > MOST_COMPARED:
        return told
    low, high = bounds_of(system, [cell for one in (*within, *whole) for cell in one.cells])
    block = Block(np.arange(system.n_unknowns), system.matrix, system.low, system.high)
    between = np.array([[system.index[of], system.index[own[of].of]] for of in near])
    try:
        ends = _ends(block, low, high, between, _need(policy))
    except UndecidedError:
        return told
    if ends is None:
        return frozenset()  # they contradict each other, so the one are not among the other
    few = set()
    for of, least, most, decided in zip(near, *ends, strict=True):
        if not decided:
            few |= {of} & told
        # of a small group everybody knows that the others are few, and not that there are any
        elif _tells(least, most, policy) and (least >= 1 or of in told):
            few.add(of)
    return frozenset(few)


def _ends(
    block: Block, low: Array, high: Array, between: NDArray[np.int64], need: int
) -> tuple[Array, Array, NDArray[np.bool_]] | None:
    """Return the least and most of each difference, and whether that is known; None where nothing is possible.

    All are pushed down and up together first: whatever a solution shows of one it shows of all, and a difference that has been
    seen to be enough numbers is pushed no more.

    Raises
    ------
    UndecidedError
        If a programme is not solved within its limit.
    """
    least, most = np.full(len(between), np.inf), np.full(len(between), -np.inf)
    decided = np.zeros(len(between), bool)

    def pushed(which: NDArray[np.int64], sign: float) -> bool:
        cost = np.zeros(len(low))
        np.add.at(cost, between[which, 0], sign)
        np.add.at(cost, between[which, 1], -sign)
        x = block.solve(low, high, cost)
        if x is None:
            return False
        seen = x[between[:, 0]] - x[between[:, 1]]
        np.minimum(least, seen, out=least)
        np.maximum(most, seen, out=most)
        return True

    def left() -> NDArray[np.int64]:
        many = np.floor(most + TOLERANCE) - np.ceil(np.maximum(least, 0.0) - TOLERANCE) + 1
        return np.flatnonzero(~decided & (many < need))

    every = np.arange(len(between))
    for sign in (1.0, -1.0):
        if not pushed(every, sign):
            return None
    for at in every:
        if at in left() and block.programme.work <= MOST_WORK:
            decided[at] = pushed(every[at : at + 1], 1.0) and pushed(every[at : at + 1], -1.0)
    decided[np.setdiff1d(every, left())] = True
    return least, most, decided


def _as_stratum(one: ReleasedOutput, stratum: Stratum, without: set[CellDefinition]) -> ReleasedOutput:
    """Return an output as of a stratum of other people, or of everybody, whatever the predicates; without some counts."""
    gone = set(one.predicates)

    def plain(of: CellDefinition) -> CellDefinition:
        return replace(of, stratum=tuple(pair for pair in of.stratum if pair not in gone))

    def moved(of: CellDefinition) -> CellDefinition:
        return replace(of, stratum=tuple(sorted((*stratum, *plain(of).stratum))))

    cells = tuple(replace(cell, of=moved(cell.of)) for cell in one.cells if plain(cell.of) not in without)
    return replace(one, predicates=stratum, cells=cells, relations=())


def _of_own_population(one: ReleasedOutput) -> dict[CellDefinition, CellBounds]:
    """Return what is shown by who is counted of the output's own people."""
    predicates = set(one.predicates)
    return {
        replace(of, stratum=tuple(pair for pair in of.stratum if pair not in predicates)): cell
        for of, cell in shown_counts(one).items()
    }
