"""Suppress what protects the differences and the suppressed counts of two populations: the cheapest counts beside which each keeps enough numbers."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.comparison import MOST_WORK, Comparison, Telling
from symphony_research.disclosure.decomposition import TOLERANCE, Block
from symphony_research.disclosure.elastic import Elastic
from symphony_research.disclosure.outputs import UNBOUNDED
from symphony_research.disclosure.programme import UndecidedError

__all__ = ["telling_of", "to_be_suppressed"]

Array = NDArray[np.float64]
MOST_ROUNDS = 50  # of searching and suppressing


def telling_of(comparison: Comparison) -> list[Telling]:
    """Return the differences and suppressed counts that tell too much, by everything that is shown of both populations."""
    wanted = comparison.wanted
    blocks = comparison.blocks(wanted, comparison.lower, comparison.upper)
    if comparison.contradicts_itself(blocks):
        return []
    found = []
    for block in blocks:
        found += comparison.telling(block, comparison.lower, comparison.upper, wanted)[0]
    return found


def to_be_suppressed(
    comparison: Comparison, shown: Mapping[int, tuple[float, float]], own: Container[int]
) -> frozenset[int]:
    """Return which counts are to be suppressed, so that nothing tells that any of them can protect.

    Parameters
    ----------
    comparison : Comparison
    shown : mapping
        The counts that may be suppressed: place among the unknowns, what suppressing it costs, and the number that a
        suppressed one is surely above.
    own : container of int
        Places of all counts of those outputs: only differences of theirs are looked at.
    """
    return _Choice(comparison, shown, own).made()


class _Choice:
    """What has been suppressed so far, and what is left to be protected."""

    def __init__(self, comparison: Comparison, shown: Mapping[int, tuple[float, float]], own: Container[int]) -> None:
        self.comparison, self.open = comparison, dict(shown)
        # of each difference the count that may be suppressed, where nothing cheaper is known
        self.pairs = {at: k for at, pair in comparison.pairs.items() for k in pair if k in own}
        self.lower, self.upper = comparison.lower.copy(), comparison.upper.copy()
        self.proven: set[int] = set()  # what is possible stays so when more is suppressed
        self.beyond: set[int] = set()  # what tells whatever is suppressed here
        self.chosen: dict[int, tuple[float, float]] = {}  # with the bounds when shown
        self.work = 0

    def made(self) -> frozenset[int]:
        comparison = self.comparison
        if comparison.contradicts_itself(comparison.blocks(comparison.wanted, self.lower, self.upper)):
            return frozenset()
        rounds = 0
        while left := self._compared() - self.proven:
            blocks = comparison.blocks(left, self.lower, self.upper)
            # what no relation speaks of is free
            self.proven |= left - {int(k) for block in blocks for k in block.unknowns}
            for block in blocks:
                few = self._searched(block, left)
                self.proven |= left.intersection(map(int, block.unknowns)) - {one.at for one in few}
                for one in few:
                    if one.decided and rounds < MOST_ROUNDS and self.work < MOST_WORK:
                        self._cure(block, one)
                    else:
                        self._give_up(block, one)
            rounds += 1
        self._restore()
        return frozenset(self.chosen)

    def _compared(self) -> set[int]:
        """Return what is looked at; differences of counts that are suppressed here are protected as suppressed counts are."""
        differences = {at for at, k in self.pairs.items() if k not in self.chosen}
        return {*differences, *self.comparison.suppressed} - self.beyond

    def _searched(self, block: Block, wanted: set[int]) -> list[Telling]:
        if self.work >= MOST_WORK:
            return self.comparison.unsearched(int(k) for k in block.unknowns if int(k) in wanted)
        few, work = self.comparison.telling(block, self.lower, self.upper, wanted)
        self.work += work
        return few

    def _cure(self, block: Block, one: Telling) -> None:
        """Suppress the cheapest counts by which there can be enough numbers, if those suppressed for others do not do."""
        places = np.array([at for at, k in enumerate(block.unknowns) if int(k) in self.open], int)
        cells = [int(k) for k in block.unknowns[places]]
        elastic = Elastic(block, places, lowest=min((self.open[k][1] for k in cells), default=0.0))
        price = np.array([self.open[k][0] for k in cells])
        at = int(np.flatnonzero(block.unknowns == one.at)[0])
        target = self.comparison.target(one.at)
        width = target.need - 1
        least, most = math.ceil(one.low - TOLERANCE), math.floor(one.high + TOLERANCE)
        options = []
        # further up, or if there is room, further down
        further_up = min(least + width, target.high)
        for aim in (further_up, most - width) if most - width >= target.low else (further_up,):
            lower, upper = self.lower[block.unknowns].copy(), self.upper[block.unknowns].copy()
            lower[at] = upper[at] = aim
            try:
                found = elastic.cheapest(lower, upper, price)
            except UndecidedError:
                continue
            if found is not None:
                options.append((found[0], [k for k, far in zip(cells, found[1], strict=True) if far > TOLERANCE]))
        self.work += elastic.work
        if not options:
            self._give_up(block, one)
            return
        for k in min(options)[1]:
            self._suppress(k)

    def _give_up(self, block: Block, one: Telling) -> None:
        """Suppress what tells itself, the count of a difference or all that stands beside a suppressed one: nothing cheaper is known."""
        own = self.pairs.get(one.at)
        there = sorted(({own} if own is not None else {int(k) for k in block.unknowns}) & self.open.keys())
        for k in there:
            self._suppress(k)
        if not there and own not in self.chosen:
            self.beyond.add(one.at)

    def _suppress(self, k: int) -> None:
        if k in self.open:
            self.chosen[k] = self.lower[k], self.upper[k]
            self.lower[k], self.upper[k] = self.open.pop(k)[1], UNBOUNDED

    def _restore(self) -> None:
        """Show again, the largest first, what nothing needs: what was suppressed later may protect it too."""
        if len(self.chosen) < 2:
            return
        for k in sorted(self.chosen, key=lambda k: (-self.chosen[k][1], k)):
            if self.work > MOST_WORK:
                return
            shown, suppressed = self.chosen.pop(k), (self.lower[k], self.upper[k])
            self.lower[k], self.upper[k] = shown
            left = self._compared()
            around = (block for block in self.comparison.blocks(left, self.lower, self.upper) if k in block.unknowns)
            if any(self._searched(block, left) for block in around):
                self.chosen[k] = shown
                self.lower[k], self.upper[k] = suppressed
