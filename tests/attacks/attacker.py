"""What somebody with nothing but a study's files infers from them, in integers.

Nothing here is taken from the library. The rules are the public ones: NHS
England and OpenSAFELY suppress counts of 1 to 7 and round others to the nearest
five, halves up; SACRO suppresses 0 to 9. The attacker is given which suppressed
counts are small (primary), and knows that every other one is above the
threshold. Sets that have no row may be of nobody, too.

Every count is a sum of the same unknowns, non-negative integers: people of each
stratum with exactly each set of conditions, and of each stratum by when and how
their follow-up ended. What is published bounds such sums. A suppressed count is
at risk where fewer numbers are possible than the level of protection asks for,
and fewer than the marks of suppression leave among themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

MARKS = ("*", "[c]")
NO_ROW = "no row"
# of the Kaplan-Meier curves, of the cumulative incidence, of death after any number of events, and of a second outcome
OUTCOMES = 4
MOST = 2000  # people that an unknown may be of
Row = dict[str, str]
Sum = tuple[tuple[int, int], ...]  # (unknown, coefficient), in order
Ends = tuple[float, float]


@dataclass(frozen=True)
class Rule:
    """A public rule: marks stand for `low` to `high` people, other counts are to the nearest `base`."""

    name: str
    low: int
    high: int
    base: int = 5

    def bounds(self, shown: int) -> tuple[int, int]:
        """Counts that a released number may stand for."""
        if shown == 0:
            return 0, 0
        low, high = shown - self.base // 2, shown + (self.base - 1) // 2
        return max(low, self.high + 1), high

    def small(self, count: int) -> bool:
        """Whether a count may not be released."""
        return self.low <= count <= self.high

    def rounded(self, count: int) -> int:
        """A count as it is released."""
        return (count + self.base // 2) // self.base * self.base


RULES = {
    "nhs_england": Rule("nhs_england", 1, 7),
    "opensafely": Rule("opensafely", 1, 7),
    "sacro": Rule("sacro", 0, 9),
}


def sum_of(unknowns: Iterable[int], less: Iterable[int] = ()) -> Sum:
    """A count as a sum of unknowns, less others."""
    return tuple(sorted([*((u, 1) for u in unknowns), *((u, -1) for u in less)]))


@dataclass(frozen=True)
class Codebook:
    """What everybody knows of a study: its conditions, its strata, the times at which curves are released, and how many causes there are."""

    conditions: tuple[str, ...]
    levels: tuple[str, ...] = ()  # empty: no strata
    times: tuple[int, ...] = ()  # of the grid, from 0; empty: no curves
    causes: int = 3  # how follow-up may end: censored, event 1, event 2
    further: tuple[tuple[str, ...], ...] = ()  # people of some sets who are told apart further, by name

    @property
    def n_strata(self) -> int:
        """Number of strata, one where there are none."""
        return max(len(self.levels), 1)

    @property
    def slots(self) -> int:
        """Moments at which follow-up may end: at each grid time, and between it and the next."""
        return 2 * len(self.times)

    @property
    def of_sets(self) -> int:
        """Number of unknowns that are people by conditions; those by time follow."""
        return self.n_strata << len(self.conditions)

    @property
    def size(self) -> int:
        """Number of unknowns."""
        return self.of_sets + OUTCOMES * self.of_times + len(self.further)

    @property
    def of_times(self) -> int:
        """Number of unknowns that are people by how and when their follow-up ended, for one outcome."""
        return self.n_strata * self.causes * self.slots

    def apart(self, name: tuple[str, ...]) -> int:
        """The unknown that is people of a set told apart further."""
        return self.size - len(self.further) + self.further.index(name)

    def strata(self, level: str | None) -> Sequence[int]:
        """Positions of the strata that a count is of."""
        return range(self.n_strata) if level is None else [self.levels.index(level)]

    def sets(self, level: str | None, wanted: Iterable[int]) -> Sum:
        """People with exactly one of these sets of conditions."""
        wanted = list(wanted)
        return sum_of((s << len(self.conditions)) + mask for s in self.strata(level) for mask in wanted)

    def ended(self, level: str | None, causes: Iterable[int], slots: Iterable[int], outcome: int = 0) -> Sum:
        """People whose follow-up for an outcome ended so, then."""
        slots, causes = list(slots), list(causes)
        return sum_of(
            self.of_sets + outcome * self.of_times + (s * self.causes + c) * self.slots + t
            for s in self.strata(level)
            for c in causes
            for t in slots
        )

    def slot(self, time: float) -> int:
        """When a follow-up ended, as one of the moments that the grid tells apart."""
        at = int(np.searchsorted(self.times, time, side="left"))
        return 2 * at if at < len(self.times) and self.times[at] == time else 2 * at - 1

    def by(self, time: float) -> tuple[range, range, range]:
        """Moments up to and including a grid time, before it, and after it; at 0 nothing has happened."""
        at = self.times.index(int(time))
        if at == 0:
            return range(0), range(0), range(self.slots)
        return range(2 * at + 1), range(2 * at), range(2 * at + 1, self.slots)

    def masks(self) -> range:
        """Every set of conditions."""
        return range(1 << len(self.conditions))

    def mask(self, names: Iterable[str]) -> int:
        """A set of conditions by name."""
        return sum(1 << self.conditions.index(name) for name in names)

    def at_least(self, names: Iterable[str]) -> list[int]:
        """Sets that hold these conditions."""
        own = self.mask(names)
        return [m for m in self.masks() if m & own == own]


@dataclass(frozen=True)
class Cell:
    """One count: the sum that it is, and what is released of it."""

    kind: str
    what: str
    of: Sum
    shown: int | str
    listed: bool = True  # whether its row is there even if nobody is in it
    of_small: bool = False  # of a stratum whose people are few: suppressed with it, zero or not


@dataclass(frozen=True)
class Finding:
    """A suppressed count of which too few numbers are possible."""

    cell: Cell
    possible: tuple[int, ...]
    needed: int
    primary: bool

    def __str__(self) -> str:
        how = "small" if self.primary else "above the threshold"
        return (
            f"{self.cell.kind}: {self.cell.what} ({how}) is one of {list(self.possible)}, and {self.needed} were needed"
        )


@dataclass(frozen=True)
class Target:
    """A suppressed count, between which numbers its mark lets it lie, and how many must stay possible."""

    cell: Cell
    low: int
    high: int
    need: int
    primary: bool


@dataclass
class System:
    """Published counts as bounds on sums of unknowns, the tightest for each sum."""

    size: int
    rule: Rule
    strict: bool = False
    bounds: dict[Sum, Ends] = field(default_factory=dict)
    targets: dict[Sum, Target] = field(default_factory=dict)
    structure: dict[Sum, Ends] = field(default_factory=dict)  # what holds whatever is published

    @classmethod
    def of(cls, cells: Sequence[Cell], truth: np.ndarray, rule: Rule, structure: Mapping[Sum, Ends] | None = None, *, strict: bool = False) -> System:  # fmt: skip
        """Set it up. Of the truth only what the attacker is given is used: which suppressed counts are small."""
        made = cls(len(truth), rule, strict, structure=dict(structure or {}))
        made.bounds = dict(made.structure)
        for cell in cells:
            if isinstance(cell.shown, int):
                made.bound(cell.of, *rule.bounds(cell.shown))
        for cell in cells:
            if not isinstance(cell.shown, int):
                made.suppressed(cell, value_of(cell.of, truth))
        nobody = {at for of, ends in made.bounds.items() if ends == (0, 0) and of not in made.structure for at, _ in of}
        # of what is published to be of nobody, every part is
        made.targets = {of: t for of, t in made.targets.items() if t.low > 0 or not {at for at, _ in of} <= nobody}
        for of, target in made.targets.items():
            made.bound(of, target.low, target.high)
        return made

    def bound(self, of: Sum, low: float, high: float) -> None:
        """Learn between which numbers a sum lies."""
        before = self.bounds.get(of, (0, np.inf))
        self.bounds[of] = max(low, before[0]), min(high, before[1])

    def suppressed(self, cell: Cell, exact: int) -> None:
        """Learn that a count is suppressed, and whether it is small."""
        rule = self.rule
        if exact > rule.high:
            target = Target(cell, rule.high + 1, MOST * 10, rule.base, primary=False)
        elif cell.listed and cell.shown != NO_ROW and (exact or not cell.of_small):
            values = rule.high - rule.low + 1
            target = Target(cell, rule.low, rule.high, values if self.strict else min(rule.base, values), primary=True)
        else:
            values = rule.high + 1
            target = Target(cell, 0, rule.high, values if self.strict else min(rule.base, values), primary=True)
        if exact == 0 and rule.low > 0 and not cell.of_small:
            # of nobody, which this rule does not suppress: the attacker knows no more than that it may be of few
            self.bound(cell.of, target.low, target.high)
            return
        known = self.targets.get(cell.of)
        if known is None or (target.low, -target.high) > (known.low, -known.high):
            self.targets[cell.of] = target

    def of_marks(self) -> System:
        """What is known from the marks alone: which counts are zero, small, or above the threshold, and that none is negative."""
        made = System(self.size, self.rule, self.strict, targets=self.targets)
        made.bounds = dict(self.structure)
        for of, (low, high) in self.bounds.items():
            if of not in self.structure and of not in self.targets:
                made.bound(of, min(low, self.rule.high + 1), high if high <= self.rule.high else np.inf)
        for of, target in self.targets.items():
            made.bound(of, target.low, target.high)
        return made

    @cached_property
    def sums(self) -> list[Sum]:
        """Sums that are bounded, in order."""
        return list(self.bounds)

    @cached_property
    def matrix(self) -> np.ndarray:
        """Their coefficients."""
        made = np.zeros((len(self.sums), self.size))
        for row, of in enumerate(self.sums):
            for at, coefficient in of:
                made[row, at] = coefficient
        return made

    @cached_property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """Their bounds."""
        return np.array([self.bounds[of][0] for of in self.sums], float), np.array([self.bounds[of][1] for of in self.sums], float)  # fmt: skip

    def solve(self, cost: np.ndarray, fixed: Sum | None = None, value: float = 0) -> np.ndarray | None:
        """Integers that fit everything, the cheapest; None where there are none."""
        low, high = self.ends
        if fixed is not None:
            at = self._place[fixed]
            low, high = low.copy(), high.copy()
            low[at] = high[at] = value
        found = milp(cost, constraints=LinearConstraint(self._sparse, low, high), integrality=np.ones(self.size), bounds=Bounds(0, MOST), options={"time_limit": 30.0})  # fmt: skip
        if found.x is None:
            if found.status != 2:
                raise RuntimeError(f"the solver gave up: {found.message}")
            return None
        return np.rint(found.x)

    @cached_property
    def _place(self) -> dict[Sum, int]:
        return {of: row for row, of in enumerate(self.sums)}

    @cached_property
    def _sparse(self) -> object:
        from scipy.sparse import csr_matrix

        return csr_matrix(self.matrix)

    def contradiction(self, x: np.ndarray) -> list[Sum]:
        """Bounds that numbers do not fit."""
        low, high = self.ends
        value = self.matrix @ x
        return [self.sums[k] for k in np.flatnonzero((value < low) | (value > high))]

    def possible(self, known: np.ndarray, wanted: Iterable[Sum] | None = None, *, needs: Mapping[Sum, int] | None = None) -> dict[Sum, set[int]]:  # fmt: skip
        """Return numbers that each target may be, as many as are needed; `known` is one solution to begin from."""
        wanted = list(self.targets if wanted is None else wanted)
        needs = {of: self.targets[of].need for of in wanted} if needs is None else needs
        found: dict[Sum, set[int]] = {of: set() for of in wanted}
        rows = np.array([self._place[of] for of in wanted], int)
        rng = np.random.default_rng(1)
        self._mark(known, found, rows)
        open_ = [of for of in wanted if len(found[of]) < needs[of]]
        for _ in range(6):
            if not open_:
                return found
            cost = np.zeros(self.size)
            for of in open_:
                sign = rng.choice([-1.0, 1.0])
                for at, coefficient in of:
                    cost[at] += sign * coefficient
            # the cost is bounded: no unknown is above MOST
            x = self.solve(cost + rng.normal(scale=0.01, size=self.size))
            assert x is not None, "the published numbers contradict each other"
            self._mark(x, found, rows)
            open_ = [of for of in open_ if len(found[of]) < needs[of]]
        for of in open_:
            cost = np.zeros(self.size)
            for at, coefficient in of:
                cost[at] = coefficient
            ends = [self.solve(sign * cost) for sign in (1.0, -1.0)]
            least, most = (round(float(cost @ x)) for x in ends if x is not None)
            for x in ends:
                if x is not None:
                    self._mark(x, found, rows)
            for value in range(least, min(most, least + 3 * needs[of]) + 1):
                if len(found[of]) >= needs[of]:
                    break
                if value not in found[of]:
                    x = self.solve(rng.normal(scale=0.01, size=self.size), of, value)
                    if x is not None:
                        self._mark(x, found, rows)
        return found

    def _mark(self, x: np.ndarray, found: Mapping[Sum, set[int]], rows: np.ndarray) -> None:
        """Keep what a solution shows, and what moving a person or two from one unknown to another does."""
        low, high = self.ends
        value = self.matrix @ x
        up, down = high - value, value - low  # room of each sum
        # one unknown alone
        positive, negative = self.matrix > 0, self.matrix < 0
        inf = np.inf
        more = np.minimum(np.where(positive, up[:, None], inf).min(0), np.where(negative, down[:, None], inf).min(0))
        less = np.minimum(np.where(positive, down[:, None], inf).min(0), np.where(negative, up[:, None], inf).min(0))
        more, less = np.minimum(more, 40), np.minimum(np.minimum(less, x), 40)
        for row, (_, seen) in zip(rows, found.items(), strict=True):
            at = np.flatnonzero(self.matrix[row])
            now = int(value[row])
            signs = self.matrix[row][at]
            above = int(max(np.where(signs > 0, more[at], less[at]).max(initial=0), 0))
            below = int(max(np.where(signs > 0, less[at], more[at]).max(initial=0), 0))
            seen.update(range(now - below, now + above + 1))


def value_of(of: Sum, x: np.ndarray) -> int:
    """The number that a sum is."""
    return round(sum(coefficient * float(x[at]) for at, coefficient in of))


def at_risk(cells: Sequence[Cell], truth: np.ndarray, rule: Rule, structure: Mapping[Sum, Ends] | None = None, *, strict: bool = False) -> list[Finding]:  # fmt: skip
    """Return the suppressed counts of which fewer numbers are possible than needed, and than the marks leave."""
    system = System.of(cells, truth, rule, structure, strict=strict)
    if not system.targets:
        return []
    assert not system.contradiction(truth), "a released number does not stand for the exact one"
    possible = system.possible(truth)
    few = [of for of, seen in possible.items() if len(seen) < system.targets[of].need]
    if not few:
        return []
    by_marks = system.of_marks().possible(truth, few)
    return [
        Finding(target.cell, tuple(sorted(possible[of])), min(target.need, len(by_marks[of])), target.primary)
        for of in few
        if len(possible[of]) < min((target := system.targets[of]).need, len(by_marks[of]))
    ]
