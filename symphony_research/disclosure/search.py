"""Which numbers a suppressed count may be, by everything that is shown: enough of them, or too few."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.blocks import HAIR, Block, ranges_of_one_row
from symphony_research.disclosure.moves import Moves
from symphony_research.disclosure.programme import UndecidedError

__all__ = ["MOST_PROGRAMMES", "Narrowed", "Search", "Target"]

Array = NDArray[np.float64]
MOST_PROGRAMMES = 400  # linear programmes of one block: a number that the machine has no part in
MOST_DIRECTIONS = 24  # in which all undecided counts are pushed at once
FEWEST_TOLD = 3  # counts that two such programmes must tell of, for the next two to be worth while
SPARE = 1  # numbers more than needed that a range in integers must have, not to be looked at one by one
ASIDE = 1e-3  # how little the others weigh where one count is pushed
MOST_PEOPLE = 1e6  # where no count that is shown says how many there may be
FURTHEST = 64.0  # as far as any count need be seen to move


@dataclass(frozen=True)
class Target:
    """A suppressed count: between which numbers it lies by its mark alone, and how many it must keep possible."""

    low: float
    high: float
    need: int

    @property
    def room(self) -> int:
        """How many numbers its mark leaves."""
        return int(min(self.high - self.low, 1e6)) + 1


@dataclass(frozen=True)
class Narrowed:
    """A suppressed count that keeps too few possible numbers: those from `low` to `high`."""

    unknown: int
    low: float
    high: float

    @property
    def many(self) -> int:
        """How many integers it can be."""
        return int(np.floor(self.high + HAIR) - np.ceil(self.low - HAIR)) + 1 if self.low <= self.high else 0


@dataclass
class Search:
    """Looks for the suppressed counts of one block that keep too few possible numbers.

    What a solution shows of one count it shows of all, and what is possible
    stays so when more is suppressed, so nothing is asked twice.
    """

    block: Block
    lower: Array
    upper: Array
    targets: Mapping[int, Target]  # by place in the block
    integers: bool = False
    first_atom: int = 0  # place in the system from which its unknowns are atoms, where integers are searched
    solved: int = 0
    undecided: bool = False
    _places: NDArray[np.int64] = field(init=False)
    _need: NDArray[np.int64] = field(init=False)
    _moves: Moves = field(init=False)
    _sum: Array | float = field(init=False, default=0.0)
    _solutions: int = field(init=False, default=0)
    _low: Array = field(init=False)
    _high: Array = field(init=False)
    _seen: dict[int, set[int]] = field(init=False)

    def narrowed(self) -> list[Narrowed]:
        """Return the counts that keep too few possible numbers, in the order of the block; `undecided` if that is not known."""
        try:
            return self._narrowed()
        except UndecidedError:
            self.undecided = True
            return []

    def _narrowed(self) -> list[Narrowed]:
        n = len(self.lower)
        self._places = np.array(sorted(self.targets), int)
        # a programme without an end has no solution to learn from: no count is of more people than all there are, by far
        finite = self.upper[np.isfinite(self.upper)]
        self.upper = self.upper.copy()
        self.upper[self._places] = np.minimum(self.upper[self._places], max(MOST_PEOPLE, 10 * finite.max(initial=0.0)))
        need = np.array([self.targets[int(t)].need for t in self._places])
        room = np.array([self.targets[int(t)].room for t in self._places])
        # in integers a range may have holes: with some numbers to spare it is wide enough, else each number is confirmed
        self._need = np.minimum(need + SPARE, room) if self.integers else need
        self._low, self._high = np.full(n, np.inf), np.full(n, -np.inf)
        self._seen = {int(t): set() for t in self._places}
        if self.block.matrix.shape[0] == 1 and not self.integers:
            self._low, self._high = ranges_of_one_row(self.block, self.lower, self.upper)
            return self._too_few(self._open())
        self._moves = Moves.of(self.block, self._places, self.first_atom if self.integers else None)
        self._push_all()
        for t in self._open():
            for sign in (-1.0, 1.0):
                left = self._open()
                if t in left and not self.undecided:
                    cost = np.zeros(n)
                    cost[left] = sign * ASIDE  # the others are pushed the same way, as far as that costs nothing
                    cost[t] = sign
                    self._ask(cost)
        few = [int(t) for t in self._open()]
        if self.integers and not self.undecided:
            for t in few:
                self._confirm(t, self.targets[t])
            few = [t for t in few if len(self._seen[t]) < self.targets[t].need]
        return self._too_few(few)

    def _too_few(self, left: Iterable[int]) -> list[Narrowed]:
        return [Narrowed(int(t), float(self._low[t]), float(self._high[t])) for t in left]

    def _open(self) -> NDArray[np.int64]:
        """Return the counts of which too few numbers have been seen to be possible."""
        high, low = self._high[self._places], self._low[self._places]
        with np.errstate(invalid="ignore"):
            many = np.floor(high + HAIR) - np.ceil(low - HAIR) + 1
        return self._places[~(many >= self._need)]

    def _push_all(self) -> None:
        """Push all undecided counts down, up, and in mixed directions, for as long as each time tells of several."""
        before = len(self._places) + FEWEST_TOLD
        for direction in range(MOST_DIRECTIONS):
            left = self._open()
            if len(left) < FEWEST_TOLD or self.undecided:
                return
            if direction >= 2 and direction % 2 == 0:
                if before - len(left) < FEWEST_TOLD:
                    return
                before = len(left)
            cost = np.zeros(len(self.lower))
            # down, up, then by halves of the order: each time counts part that went together before
            half = (np.arange(len(left)) >> (direction - 2) // 2) & 1 if direction >= 2 else np.zeros(len(left), int)
            cost[left] = np.where(half == direction % 2, 1.0, -1.0)
            self._ask(cost)

    def _ask(self, cost: Array, lower: Array | None = None, upper: Array | None = None) -> bool:
        self.solved += 1
        if self.solved > MOST_PROGRAMMES:
            self.undecided = True
            return False
        x = self.block.solve(self.lower if lower is None else lower, self.upper if upper is None else upper, cost)
        if x is None:
            self.undecided = True  # the exact counts are a solution, so there is one: the limit was reached
            return False
        self._witness(x)
        return True

    def _witness(self, x: Array) -> None:
        """Keep what a solution shows to be possible, and what moving one count at a time from it does."""
        least, most = self._keep(x)
        if self.integers and np.abs(x - np.round(x)).max(initial=0.0) < HAIR:
            for t, low, high in zip(self._places, least, most, strict=True):
                if len(self._seen[int(t)]) < self.targets[int(t)].need:
                    self._seen[int(t)].update(
                        range(int(np.ceil(low - HAIR)), int(np.floor(min(high, low + FURTHEST) + HAIR)) + 1)
                    )
        # the middle of all solutions is one too, and the furthest from every bound: from there most counts can move at once
        self._solutions += 1
        self._sum = x + self._sum
        if self._solutions > 1:
            self._keep(self._sum / self._solutions)

    def _keep(self, x: Array) -> tuple[Array, Array]:
        places = self._places
        down, up = self._room(x)
        least, most = x[places] - down, x[places] + up
        self._low[places] = np.minimum(self._low[places], least)
        self._high[places] = np.maximum(self._high[places], most)
        return least, most

    def _room(self, x: Array) -> tuple[Array, Array]:
        """Return how far each count can move down and up from a solution by one of the moves, all else as it is."""
        moves = self._moves
        above, below = self.block.slack(x)
        up, down = np.full(moves.n, FURTHEST), np.full(moves.n, FURTHEST)
        for change, to_low, to_high in ((moves.rows, above, below), (moves.unknowns, x - self.lower, self.upper - x)):
            positive, size = change.data > 0, np.abs(change.data)
            low, high = to_low[change.row] / size, to_high[change.row] / size
            np.minimum.at(up, change.col, np.where(positive, high, low))
            np.minimum.at(down, change.col, np.where(positive, low, high))
        up, down = np.maximum(up, 0.0), np.maximum(down, 0.0)
        of_unknown = np.zeros((2, len(x)))
        np.maximum.at(of_unknown[0], moves.unknowns.row, down[moves.unknowns.col])
        np.maximum.at(of_unknown[1], moves.unknowns.row, up[moves.unknowns.col])
        return of_unknown[0][self._places], of_unknown[1][self._places]

    def _confirm(self, t: int, target: Target) -> None:
        """See that as many numbers are possible in integers as are needed, each by a solution in integers."""
        if self._low[t] > self._high[t]:
            return
        for value in range(int(np.ceil(self._low[t] - HAIR)), int(np.floor(self._high[t] + HAIR)) + 1):
            if len(self._seen[t]) >= target.need:
                return
            if value not in self._seen[t]:
                lower, upper = self.lower.copy(), self.upper.copy()
                lower[t] = upper[t] = value
                x = self.block.solve_integers(lower, upper, np.zeros(len(lower)))
                self.solved += 1
                if x is not None:
                    self._witness(x)
