"""Suppress what protects the differences between two populations: the cheapest counts by which each keeps enough numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.comparison import MOST_WORK, Comparison, Telling, need_of
from symphony_research.disclosure.decomposition import TOLERANCE, Block
from symphony_research.disclosure.elastic import Elastic
from symphony_research.disclosure.outputs import UNBOUNDED
from symphony_research.disclosure.programme import UndecidedError
from symphony_research.result.cells import CellDefinition

__all__ = ["telling_of", "to_be_suppressed"]

Array = NDArray[np.float64]
MOST_ROUNDS = 50  # of searching and suppressing


def telling_of(comparison: Comparison) -> list[Telling]:
    """Return the differences that tell too much, by everything that is shown of both populations."""
    if not comparison.is_small:
        return comparison.unsearched(comparison.differences)
    blocks = comparison.blocks(comparison.differences, comparison.lower, comparison.upper)
    if comparison.contradicts_itself(blocks):
        return []
    found = []
    for block in blocks:
        found += comparison.telling(block, comparison.lower, comparison.upper, comparison.differences)[0]
    return found


def to_be_suppressed(
    comparison: Comparison, shown: Mapping[int, tuple[float, float]], pairs: Mapping[int, int | None]
) -> frozenset[int]:
    """Return which counts are to be suppressed, so that no difference tells that any of them can protect.

    Parameters
    ----------
    comparison : Comparison
    shown : mapping
        The counts that may be suppressed: place among the unknowns, what suppressing it costs, and the number that a
        suppressed one is surely above.
    pairs : mapping of int to int
        Of each difference the place of its own count among those, which is suppressed where nothing cheaper is known.
    """
    return _Choice(comparison, shown, pairs).made()


class _Choice:
    """What has been suppressed so far, and what is left to be protected."""

    def __init__(
        self, comparison: Comparison, shown: Mapping[int, tuple[float, float]], pairs: Mapping[int, int | None]
    ) -> None:
        self.comparison, self.open, self.pairs = comparison, dict(shown), pairs
        self.lower, self.upper = comparison.lower.copy(), comparison.upper.copy()
        self.proven: set[int] = set()  # what is possible stays so when more is suppressed
        self.beyond: set[int] = set()  # differences that tell whatever is suppressed here
        self.chosen: dict[int, tuple[float, float]] = {}  # with the bounds when shown
        self.work = 0

    def made(self) -> frozenset[int]:
        comparison = self.comparison
        if not comparison.is_small:
            self._suppress_own(comparison.unsearched(comparison.differences))
            return frozenset(self.chosen)
        if comparison.contradicts_itself(comparison.blocks(comparison.differences, self.lower, self.upper)):
            return frozenset()
        rounds = 0
        while left := self._compared() - self.proven:
            for block in comparison.blocks(left, self.lower, self.upper):
                few = self._searched(block, left)
                self.proven |= left.intersection(map(int, block.unknowns)) - {one.at for one in few}
                for one in few:
                    if one.decided and rounds < MOST_ROUNDS and self.work < MOST_WORK:
                        self._cure(block, one)
                    else:
                        self._suppress_own([one])
            rounds += 1
        self._restore()
        return frozenset(self.chosen)

    def _compared(self) -> set[int]:
        """Return the differences of counts that are not suppressed here: those are protected as suppressed counts are."""
        return {at for at, k in self.pairs.items() if k not in self.chosen} - self.beyond

    def _searched(self, block: Block, wanted: set[int]) -> list[Telling]:
        few, work = self.comparison.telling(block, self.lower, self.upper, wanted)
        self.work += work
        return few

    def _cure(self, block: Block, one: Telling) -> None:
        """Suppress the cheapest counts by which a difference can be enough numbers, if those suppressed for others do not do."""
        places = np.array([at for at, k in enumerate(block.unknowns) if int(k) in self.open], int)
        cells = [int(k) for k in block.unknowns[places]]
        elastic = Elastic(block, places, lowest=min((self.open[k][1] for k in cells), default=0.0))
        price = np.array([self.open[k][0] for k in cells])
        at = int(np.flatnonzero(block.unknowns == one.at)[0])
        width = need_of(self.comparison.policy) - 1
        least, most = math.ceil(one.low - TOLERANCE), math.floor(one.high + TOLERANCE)
        options = []
        for aim in dict.fromkeys((least + width, max(most - width, 0))):
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
            self._suppress_own([one])
            return
        for k in min(options)[1]:
            self._suppress(k)

    def _suppress_own(self, few: Iterable[Telling]) -> None:
        """Suppress the very counts whose differences tell: nothing cheaper is known."""
        for one in few:
            k = self.pairs[one.at]
            if k in self.open:
                self._suppress(k)
            elif k not in self.chosen:
                self.beyond.add(one.at)

    def _suppress(self, k: int) -> None:
        self.chosen[k] = self.lower[k], self.upper[k]
        self.lower[k], self.upper[k] = self.open.pop(k)[1], UNBOUNDED

    def _restore(self) -> None:
        """Show again, the largest first, what no difference needs: what was suppressed later may protect it too."""
        if len(self.chosen) < 2:
            return
        for block in self.comparison.blocks(self.comparison.differences, self.lower, self.upper):
            there = self.chosen.keys() & {int(k) for k in block.unknowns}
            for k in sorted(there, key=lambda k: (-self.chosen[k][1], k)):
                if self.work > MOST_WORK:
                    return
                shown, suppressed = self.chosen.pop(k), (self.lower[k], self.upper[k])
                self.lower[k], self.upper[k] = shown
                if self._searched(block, self._compared()):
                    self.chosen[k] = shown
                    self.lower[k], self.upper[k] = suppressed
