"""Secondary suppression: more is hidden until what is hidden cannot be reckoned from what is shown.

A hidden count is safe if, by everything published of the same people, it may
still be any number from one to the threshold, but for what the stars imply
among themselves. Where it may not, the counts that pin it down are found by the
cheapest loosening of their bounds (an elastic programme), and get the same
mark, the smallest first.

References
----------
Hundepool, A. et al. (2012). Statistical Disclosure Control, chapter 4. Wiley.
Fischetti, M. and Salazar, J. J. (2001). Solving the cell suppression problem on
tabular data with linear constraints. Management Science 47, 1008-1027.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.published import ANY, Cell, Group, Published
from symphony_research.disclosure.system import System, system_of

__all__ = ["Protection", "bounds_of", "cells_of", "most_programmes", "narrowed", "protect"]

Array = NDArray[np.float64]

# programmes, and hidden counts of one output; where there are more, counts are rounded and the record says so
MOST_SOLVED, MOST_STARS = 3_000, 500
# of linear programmes fewer, the larger they are: some minutes at most
LEAST_BOUNDS, MOST_UNKNOWNS = 100, 4_000_000
HAIR = 1e-6


@dataclass(frozen=True)
class Protection:
    """What secondary suppression did.

    Attributes
    ----------
    groups : frozenset of Group
        Of whom further counts are to be hidden, wherever they stand.
    methods : tuple of str
        Of each result: "whole numbers", "bounds", "rounding alone" (too large), or "" where nothing is hidden.
    exposed : frozenset of Group
        Whose hidden counts earlier outputs narrow down already, whatever is hidden here.
    """

    groups: frozenset[Group] = field(default_factory=frozenset)
    methods: tuple[str, ...] = ()
    exposed: frozenset[Group] = field(default_factory=frozenset)


def protect(own: Sequence[Published], beside: Sequence[Published] = ()) -> Protection:
    """Return of whom further counts must be hidden.

    Parameters
    ----------
    own : sequence of Published
        Results of the same people that are released together, their small counts hidden.
    beside : sequence of Published
        What is published of the same people already: it is not changed.
    """
    every = [*own, *beside]
    if not any(_stars(one) for one in every):
        return Protection(methods=("",) * len(own))
    system = system_of(every)
    if system is None:
        return _those_that_fit(own, beside)
    method = "whole numbers" if system.whole_numbers else "bounds"
    if system.solve(*bounds_of(system, cells_of(every))) is None:
        return _apart(own, beside)
    stars = [star for one in every for star in _searched(one, system)]
    search = _Search(system, _wanted(stars, every[0]))
    stars_alone = bounds_of(system, stars)
    # what earlier outputs show is shown
    shown_before = {cell.group for cell in cells_of(beside) if not cell.hidden}
    open_cells = {cell.group: cell for cell in cells_of(own) if not cell.hidden and cell.group not in shown_before}
    hidden: set[Group] = set()
    exposed: set[Group] = set()
    while search.solved <= search.most:
        low, high = bounds_of(system, (cell for cell in cells_of(every) if cell.hidden or cell.group not in hidden))
        found = search.first_narrowed(low, high)
        if found is None:
            break
        binding = _binding(system, *found, low, high, [c for c in open_cells.values() if c.group not in hidden])
        if binding:
            hidden |= binding
        elif search.possible_by_stars(*found, *stars_alone):
            exposed.add(found[0])
            search.leave(found[0])
        else:
            search.strike(*found)
    if search.solved > search.most:
        method = f"{method}, not to the end" if hidden else "rounding alone"
    methods = ("rounding alone" if _stars(one) and not _searched(one, system) else method for one in own)
    return Protection(frozenset(hidden), tuple(methods), frozenset(exposed))


def _those_that_fit(own: Sequence[Published], beside: Sequence[Published]) -> Protection:
    """Protect as many results as can be searched, the smallest first; the others are rounded alone."""
    if beside:
        return _apart(own, beside)
    smallest = sorted(range(len(own)), key=lambda at: len(own[at].cells))
    fit: list[int] = []
    for at in smallest:
        if system_of([own[k] for k in (*fit, at)]) is None:
            break
        fit.append(at)
    found = protect([own[at] for at in fit]) if fit else Protection()
    methods = dict(zip(fit, found.methods, strict=False))
    return replace(found, methods=tuple(methods.get(at, "rounding alone") for at in range(len(own))))


def _apart(own: Sequence[Published], beside: Sequence[Published]) -> Protection:
    """Judge apart what contradicts each other: it is of other people after all, or of other records."""
    if beside:
        found = protect(own)
        return replace(found, methods=tuple(f"{how}, apart from earlier outputs".lstrip(", ") for how in found.methods))
    if len(own) == 1:
        return Protection(methods=("rounding alone",))
    each = [protect([one]) for one in own]
    methods = tuple(f"{how}, apart from the others".lstrip(", ") for one in each for how in one.methods)
    return Protection(frozenset[Group]().union(*(one.groups for one in each)), methods)


def narrowed(published: Sequence[Published]) -> list[Cell]:
    """Return the hidden counts of which several outputs, set beside each other, exclude some number."""
    if not any(_stars(one) for one in published):
        return []
    system = system_of(published)
    if system is None:
        strata = {one.predicates for one in published}
        apart = (
            [[one for one in published if one.predicates == own] for own in sorted(strata)] if len(strata) > 1 else []
        )
        return [cell for own in apart for cell in narrowed(own)]
    low, high = bounds_of(system, cells_of(published))
    stars = {cell.group: cell for one in published for cell in _searched(one, system)}
    if system.solve(low, high) is None:
        return list(stars.values())
    stars_alone = bounds_of(system, stars.values())
    search, found = _Search(system, _wanted(list(stars.values()), published[0])), []
    while (one := search.first_narrowed(low, high)) is not None:
        if search.possible_by_stars(*one, *stars_alone):
            found.append(stars[one[0]])
            search.leave(one[0])
        else:
            search.strike(*one)
    return found


def cells_of(published: Sequence[Published]) -> Iterator[Cell]:
    """Return the counts that something can be reckoned from."""
    return (cell for one in published for cell in one.cells if cell.group.kind != "own")


def _stars(one: Published) -> list[Cell]:
    """Return the small counts hidden in an output; a set that is not listed is one where noughts are hidden too."""
    return [c for c in cells_of([one]) if c.hidden and c.high < ANY and (c.listed or one.policy["hide_zeros"])]


def _searched(one: Published, system: System) -> list[Cell]:
    """Return the small counts to be searched one by one; none where they are too many."""
    found = _stars(one)
    return found if system.whole_numbers or len(found) <= MOST_STARS else []


def _wanted(stars: Sequence[Cell], of: Published) -> dict[Group, tuple[float, float]]:
    """Return between which numbers each hidden count must stay possible."""
    least = 0 if of.policy["hide_zeros"] else 1
    return {cell.group: (max(cell.low, least), cell.high) for cell in stars}


def bounds_of(system: System, cells: Iterable[Cell]) -> tuple[Array, Array]:
    """Return the lowest and highest number of every group, by all the cells that show it."""
    low, high = np.zeros(len(system.groups)), np.full(len(system.groups), ANY)
    for cell in cells:
        at = system.place[cell.group]
        low[at], high[at] = max(low[at], cell.low), min(high[at], cell.high)
    return low, high


def most_programmes(system: System) -> int:
    """Return how many programmes are solved at most: a number that the machine has no part in."""
    bounds = max(LEAST_BOUNDS, MOST_UNKNOWNS // max(system.n_unknowns, 1))
    return MOST_SOLVED if system.whole_numbers else min(MOST_SOLVED, bounds)


class _Search:
    """Looks for a hidden count that cannot be every number it should.

    Each solution shows numbers of all counts at once. What is possible stays so
    when more is hidden, so nothing is asked twice.
    """

    def __init__(self, system: System, wanted: Mapping[Group, tuple[float, float]]) -> None:
        self._system = system
        self._missing = {
            group: set(np.arange(least, most + 1)) if system.whole_numbers else {least, most}
            for group, (least, most) in sorted(wanted.items())
        }
        self.most = most_programmes(system)
        self.solved = 0

    def leave(self, group: Group) -> None:
        """Ask no more of a count."""
        self._missing.pop(group, None)

    def strike(self, group: Group, value: float) -> None:
        """Ask no more whether a count may be this number."""
        self._missing[group].discard(value)

    def possible_by_stars(self, group: Group, value: float, low: Array, high: Array) -> bool:
        """Whether a count could be so many, were nothing shown: two hidden parts leave each less than their hidden whole."""
        at = self._system.place[group]
        low, high = low.copy(), high.copy()
        low[at] = high[at] = value
        return self._system.solve(low, high) is not None

    def first_narrowed(self, low: Array, high: Array) -> tuple[Group, float] | None:
        """Return a count and a number that it cannot be; None where every number is possible, or too much was asked."""
        for up in (False, True):
            if any(self._missing.values()):
                self._solve(low, high, up)
        for group, values in self._missing.items():
            at = self._system.place[group]
            while values and self.solved <= self.most:
                value = max(values)
                fixed_low, fixed_high = low.copy(), high.copy()
                fixed_low[at] = fixed_high[at] = value
                possible = low[at] <= value <= high[at]
                if not possible or not self._solve(fixed_low, fixed_high, None):
                    return group, value
                values.discard(value)
        return None

    def _solve(self, low: Array, high: Array, up: bool | None) -> bool:
        """Find numbers of all counts, those in question pushed up or down, and strike out the numbers that they reach."""
        self.solved += 1
        cost = np.zeros(len(low))
        for group, values in self._missing.items():
            if values and up is not None:
                cost[self._system.place[group]] = -1.0 if up else 1.0
        reached = self._system.solve(low, high, cost)
        if reached is None:
            return False
        for group, values in self._missing.items():
            number = reached[self._system.place[group]]
            values -= {value for value in values if abs(value - number) < HAIR}
        return True


def _dear(group: Group) -> float:
    """Return what rests on a count: every share on that of everybody, every ratio on those of single conditions."""
    if group.part:
        return 0.1  # a part goes before its whole
    if group.kind == "set" and len(group.conditions) < 2:
        return 5.0 if group.conditions else 1_000.0
    return 1.0


def _binding(system: System, group: Group, value: float, low: Array, high: Array, cells: Sequence[Cell]) -> set[Group]:
    """Return whose visible counts keep a group from being so many: those whose bounds give most cheaply."""
    price = np.full(len(low), np.inf)
    for cell in cells:
        at = system.place[cell.group]
        if cell.group != group:
            price[at] = _dear(cell.group) * np.log(3 + cell.high)
    at = system.place[group]
    fixed_low, fixed_high = low.copy(), high.copy()
    fixed_low[at] = fixed_high[at] = value
    given = system.loosen(fixed_low, fixed_high, price)
    if given is None:
        return set()
    return {cell.group for cell in cells if given[system.place[cell.group]] > HAIR}
