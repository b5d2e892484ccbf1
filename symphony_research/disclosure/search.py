"""Which numbers a suppressed count may be, by everything that is shown: enough of them, or too few."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.decomposition import TOLERANCE, Block, ranges_of_one_row, tightened
from symphony_research.disclosure.moves import Moves
from symphony_research.disclosure.nearest import Nearest
from symphony_research.disclosure.programme import UndecidedError

__all__ = ["MOST_PROGRAMMES", "MOST_WORK", "NEAR", "InferableCell", "Search", "Target"]

Array = NDArray[np.float64]
# by bounds, a solution, and whether it is known that there is none
Way = Callable[[Array, Array], tuple[Array | None, bool]]
MOST_PROGRAMMES = 1_000  # linear programmes of one block: a number that the machine has no part in
MOST_WORK = 800_000_000  # of one block, as `Programme.work`
TIGHTENED_FROM = 500  # unknowns of a block: from there on it is made smaller before it is searched
MOST_IN_INTEGERS = 10  # integer programmes of one block, for what is not found near other solutions
MOST_NEAR = 3_000  # linear programmes of one block by which integers are found near others
NEAR = 4  # solutions in integers near which another is looked for
STEPS = 30  # of rounding from one of them
MOST_DIRECTIONS = 24  # in which all undecided counts are pushed at once
FEWEST_TOLD = 3  # counts that two such programmes must tell of, for the next two to be worth while
LEAST_TOLD = 0.1  # and which share of those that are undecided
SPARE = 1  # numbers more than needed that a range in integers must have, not to be looked at one by one
ASIDE = 1e-3  # how little the others weigh where one count is pushed
MOST_PEOPLE = 1e6  # where no count that is shown says how many there may be
FURTHEST = 64.0  # as far as any count need be seen to move


@dataclass(frozen=True)
class Target:
    """A suppressed count: between which numbers it lies by being suppressed alone, and how many it must keep possible."""

    low: float
    high: float
    need: int

    @property
    def room(self) -> int:
        """How many numbers that leaves."""
        return int(min(self.high - self.low, 1e6)) + 1


@dataclass(frozen=True)
class InferableCell:
    """A suppressed count that keeps too few possible numbers: those from `low` to `high`.

    Where integers are searched, those that were seen to be possible, and those that surely are not. If not `exact`, there are
    no more numbers than those, and may be fewer.
    """

    unknown: int
    low: float
    high: float
    seen: frozenset[int] | None = None
    excluded: frozenset[int] = frozenset()
    exact: bool = True

    @property
    def between(self) -> range:
        """The integers from `low` to `high`."""
        return range(
            int(np.ceil(self.low - TOLERANCE)), int(np.floor(self.high + TOLERANCE)) + 1 if self.low <= self.high else 0
        )

    @property
    def many(self) -> int:
        """How many integers it can surely be."""
        return len(self.between) if self.seen is None else len(self.seen)

    @property
    def at_most(self) -> int:
        """How many integers it may be, for all that is known."""
        return len(self.between) - sum(value in self.between for value in self.excluded)


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
    most_work: int = MOST_WORK
    exact: bool = False  # whether the ends of what keeps too few numbers are wanted, and not only that it does
    solved: int = 0
    work: int = 0
    undecided: bool = False
    _places: NDArray[np.int64] = field(init=False)
    _need: NDArray[np.int64] = field(init=False)
    _moves: Moves = field(init=False)
    _sum: Array = field(init=False)
    _solutions: int = field(init=False, default=0)
    _low: Array = field(init=False)
    _high: Array = field(init=False)
    _seen: dict[int, set[int]] = field(init=False)
    _excluded: dict[int, set[int]] = field(init=False)
    _ends: dict[int, tuple[float, float]] = field(init=False, default_factory=dict)
    whole: list[Array] = field(
        init=False, default_factory=list
    )  # solutions in integers, in the order in which they were found
    _in_integers: int = field(init=False, default=0)

    def inferable(self) -> list[InferableCell]:
        """Return the counts that keep too few possible numbers, in the order of the block; `undecided` if that is not known."""
        try:
            return self._inferable()
        except UndecidedError:
            self.undecided = True
            return []

    def _inferable(self) -> list[InferableCell]:
        n = len(self.lower)
        self._places = np.array(sorted(self.targets), int)
        # a programme without an end has no solution to learn from: no count is of more people than all there are, by far
        finite = self.upper[np.isfinite(self.upper)]
        self.upper = self.upper.copy()
        self.upper[self._places] = np.minimum(self.upper[self._places], max(MOST_PEOPLE, 10 * finite.max(initial=0.0)))
        self._need = np.array([self.targets[int(t)].need for t in self._places])
        self._sum = np.zeros(n)
        self._low, self._high = np.full(n, np.inf), np.full(n, -np.inf)
        self._seen = {int(t): set() for t in self._places}
        self._excluded = {int(t): set() for t in self._places}
        self._ends = {
            int(t): (np.ceil(self.lower[t] - TOLERANCE), np.floor(self.upper[t] + TOLERANCE)) for t in self._places
        }
        if self.block.matrix.shape[0] == 1 and not self.integers:
            self._low, self._high = ranges_of_one_row(self.block, self.lower, self.upper)
            return self._too_few(self._open())
        by_bounds: list[InferableCell] = []
        if n >= TIGHTENED_FROM and not (self.integers or self.exact):
            by_bounds = self._tighten()
        self._moves = Moves.of(self.block, self._places, self.first_atom if self.integers else None)
        self._push_all()
        if self.integers:
            self._push_in_integers()
        else:
            self._push_one_by_one()
        return sorted([*by_bounds, *self._too_few(self._open())], key=lambda one: one.unknown)

    def _tighten(self) -> list[InferableCell]:
        """Make the block smaller by the bounds that each relation gives alone; return the counts that those leave too few numbers."""
        self.block, self.lower, self.upper = tightened(self.block, self.lower, self.upper)
        self._low, self._high = self.lower, self.upper
        few = self._too_few(self._open())
        self._low, self._high = np.full(len(self.lower), np.inf), np.full(len(self.lower), -np.inf)
        gone = {one.unknown for one in few}
        kept = [k for k, t in enumerate(self._places) if int(t) not in gone]
        self._places, self._need = self._places[kept], self._need[kept]
        return [replace(one, exact=False) for one in few]

    def _too_few(self, left: Iterable[int]) -> list[InferableCell]:
        found = [int(t) for t in left]
        if not self.integers:
            return [InferableCell(t, float(self._low[t]), float(self._high[t])) for t in found]
        known = [(self._seen[t], self._excluded[t]) for t in found]
        return [
            InferableCell(t, *self._ends[t], frozenset(seen), frozenset(excluded))
            for t, (seen, excluded) in zip(found, known, strict=True)
        ]

    def _open(self) -> NDArray[np.int64]:
        """Return the counts of which too few numbers have been seen to be possible."""
        high, low = self._high[self._places], self._low[self._places]
        with np.errstate(invalid="ignore"):
            many = np.floor(high + TOLERANCE) - np.ceil(low - TOLERANCE) + 1
        if not self.integers:
            return self._places[~(many >= self._need)]
        # in integers a range may have holes: with a number to spare it is wide enough, else each number is confirmed
        seen = np.array([len(self._seen[int(t)]) for t in self._places])
        return self._places[~(many >= self._need + SPARE) & (seen < self._need)]

    def _push_all(self) -> None:
        """Push all undecided counts down, up, and in mixed directions, for as long as each time tells of several."""
        before = len(self._places) + FEWEST_TOLD
        for direction in range(MOST_DIRECTIONS):
            left = self._open()
            if len(left) < FEWEST_TOLD or self.undecided:
                return
            if direction >= 2 and direction % 2 == 0:
                if before - len(left) < max(FEWEST_TOLD, LEAST_TOLD * len(left)):
                    return
                before = len(left)
            cost = np.zeros(len(self.lower))
            # down, up, then by halves of the order: each time counts part that went together before
            half = (np.arange(len(left)) >> (direction - 2) // 2) & 1 if direction >= 2 else np.zeros(len(left), int)
            cost[left] = np.where(half == direction % 2, 1.0, -1.0)
            self._ask(cost)

    def _spent(self, more: int = 0) -> bool:
        """Whether the search has reached its limit of work."""
        self.undecided |= self.work + more > self.most_work
        return self.undecided

    def _push_one_by_one(self) -> None:
        # all down, then all up: from one programme to the next only one cost changes, so that each begins near its end
        for sign in (-1.0, 1.0):
            for t in self._open():
                left = self._open()
                if t in left and not self.undecided:
                    cost = np.zeros(len(self.lower))
                    cost[left] = sign * ASIDE  # the others are pushed the same way, as far as that costs nothing
                    cost[t] = sign
                    self._ask(cost)

    def _ask(self, cost: Array, lower: Array | None = None, upper: Array | None = None) -> bool:
        self.solved += 1
        if self.solved > MOST_PROGRAMMES or self._spent():
            self.undecided = True
            return False
        before = self.block.programme.work
        try:
            x = self.block.solve(self.lower if lower is None else lower, self.upper if upper is None else upper, cost)
        finally:
            self.work += self.block.programme.work - before
        if x is None:
            self.undecided = True  # the exact counts are a solution, so there is one: the limit was reached
            return False
        self._witness(x)
        return True

    def _witness(self, x: Array) -> None:
        """Keep what a solution shows to be possible, and what moving one count at a time from it does."""
        least, most = self._keep(x)
        if self.integers and np.abs(x - np.round(x)).max(initial=0.0) < TOLERANCE:
            self.whole.append(np.round(x))
            for t, low, high in zip(self._places, least, most, strict=True):
                if len(self._seen[int(t)]) < self.targets[int(t)].need:
                    self._seen[int(t)].update(
                        range(int(np.ceil(low - TOLERANCE)), int(np.floor(min(high, low + FURTHEST) + TOLERANCE)) + 1)
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

    def _push_in_integers(self) -> None:
        """Look for solutions in integers with each number that an undecided count has not been seen to be.

        Near known solutions, for all; then by rounding; what is left is asked by integer programmes, and beyond
        their limit a number is held to be impossible.
        """
        if not self.undecided and not self._solutions:
            self._ask(np.zeros(len(self.lower)))
        if self.undecided or not len(self._open()):
            return
        nearest = Nearest(self.block, np.flatnonzero(self.block.unknowns >= self.first_atom))
        if not self.whole:
            x = nearest.find([np.round(self._sum / self._solutions)], self.lower, self.upper, steps=STEPS)
            if x is not None:
                self._witness(x)
        if not self.whole:
            x, _ = self._asked_in_integers(self.lower, self.upper)
            if x is not None:
                self._witness(x)
        for way in (partial(self._near, nearest, 0), partial(self._near, nearest, STEPS), self._asked_in_integers):
            for t in self._open():
                self._try_each(int(t), way)
                if nearest.solved > MOST_NEAR or self._spent(nearest.work):
                    self.undecided = True
                    return
        self.work += nearest.work

    def _try_each(self, t: int, way: Way) -> None:
        """Try the numbers that a count has not been seen to be, from those that it has outwards."""
        seen, excluded, need = self._seen[t], self._excluded[t], self.targets[t].need
        tried: set[int] = set()
        while t in self._open():
            low, high = self._ends[t]
            known = seen or {int(np.clip(np.round((self._sum / self._solutions)[t]), low, high))}
            least, most = int(max(low, min(known) - need)), int(min(high, max(known) + need))
            left = [value for value in range(least, most + 1) if value not in seen | excluded | tried]
            if not left:
                return
            value = min(left, key=lambda value: min(abs(value - one) for one in known))
            tried.add(value)
            lower, upper = self.lower.copy(), self.upper.copy()
            lower[t] = upper[t] = value
            x, none = way(lower, upper)
            if x is not None:
                self._witness(x)
            elif none:
                excluded.add(value)
                if way != self._asked_in_integers and value > max(known):
                    self._ends[t] = low, value - 1
                elif way != self._asked_in_integers and value < min(known):
                    self._ends[t] = value + 1, high

    def _near(self, nearest: Nearest, steps: int, lower: Array, upper: Array) -> tuple[Array | None, bool]:
        """Return a solution near the known ones, integers or not; none of the programme is none in integers."""
        away = [np.abs(np.clip(x, lower, upper) - x).sum() for x in self.whole]
        closest = sorted(range(len(away)), key=lambda k: (away[k], -k))[: NEAR if steps else 2]
        bases = [self.whole[k] for k in closest] or [np.round(self._sum / self._solutions)]
        x = nearest.find(bases, lower, upper, steps=steps)
        return x, x is None

    def _asked_in_integers(self, lower: Array, upper: Array) -> tuple[Array | None, bool]:
        """Return a solution of the integer programme, and whether it has none; neither beyond the limits."""
        self._in_integers += 1
        if self._in_integers > MOST_IN_INTEGERS:
            return None, False
        try:
            x = self.block.solve_integers(lower, upper, np.zeros(len(lower)))
        except UndecidedError:
            return None, False
        return x, x is None
