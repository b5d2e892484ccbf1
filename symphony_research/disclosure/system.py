"""Everything published of one population as one linear system, and which numbers it leaves possible.

On small tables the unknowns are the people of every set of conditions and
stratum, so every relation there is holds by itself, and numbers are whole. On
larger ones the unknowns are the published groups, held together by the
relations written out below; what they leave possible is never less than what
is possible, so a number that they exclude is excluded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.published import ANY, MOST_ATOMS, Group, Published, Stratum

__all__ = ["MOST_GROUPS", "System", "system_of"]

Array = NDArray[np.float64]
Terms = Sequence[tuple[Group, float]]
# by which columns together tables show everybody, and of whom
Divided = set[tuple[frozenset[str], frozenset[tuple[str, str]]]]

_BY_A_LIST = ("exact", "number", "further")
ELSEWHERE = "\0"
MOST_GROUPS = 20_000  # above it counts are rounded, and nothing is searched


@dataclass(frozen=True)
class System:
    """Linear relations between groups of people.

    Attributes
    ----------
    groups : tuple of Group
        The first unknowns; atoms, if any, come after them.
    rows, columns, values : arrays
        The relations' coefficients.
    low, high : arrays
        Between which each relation lies.
    n_unknowns : int
    whole_numbers : bool
        Whether only whole numbers are searched.
    """

    groups: tuple[Group, ...]
    rows: Any
    columns: Any
    values: Array
    low: Array
    high: Array
    n_unknowns: int
    whole_numbers: bool

    @cached_property
    def place(self) -> Mapping[Group, int]:
        """Where each group is among the unknowns."""
        return {group: at for at, group in enumerate(self.groups)}

    @cached_property
    def _matrix(self) -> Any:
        from scipy.sparse import csc_matrix

        return csc_matrix((self.values, (self.rows, self.columns)), shape=(len(self.low), self.n_unknowns))

    def solve(self, low: Array, high: Array, cost: Array | None = None) -> Array | None:
        """Return numbers of every unknown within bounds, at the least cost; None where there are none."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        n = self.n_unknowns
        bounds = Bounds(_filled(low, n, 0.0), _filled(high, n, np.inf))
        found = milp(
            np.zeros(n) if cost is None else _filled(cost, n, 0.0),
            integrality=np.full(n, int(self.whole_numbers)),
            bounds=bounds,
            constraints=LinearConstraint(self._matrix, self.low, self.high) if len(self.low) else (),
            options={"time_limit": 20.0},
        )
        if found.x is None:
            return None
        return np.round(found.x) if self.whole_numbers else np.asarray(found.x)

    def loosen(self, low: Array, high: Array, price: Array) -> Array | None:
        """Return by how much each group's bounds must give, at the lowest price; infinite where they may not."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import bmat, csc_matrix

        n, free = self.n_unknowns, np.flatnonzero(np.isfinite(price))
        m = len(free)
        pick = csc_matrix((np.ones(m), (np.arange(m), free)), shape=(m, n))
        one, none = csc_matrix((np.ones(m), (np.arange(m), np.arange(m))), shape=(m, m)), csc_matrix((m, m))
        matrix = bmat([[self._matrix, csc_matrix((len(self.low), 2 * m))], [pick, bmat([[one, none]])], [pick, bmat([[none, -one]])]])  # fmt: skip
        rows_low = np.concatenate([self.low, low[free], np.full(m, -np.inf)])
        rows_high = np.concatenate([self.high, np.full(m, np.inf), high[free]])
        lowest, highest = _filled(low, n + 2 * m, 0.0), _filled(high, n + 2 * m, np.inf)
        lowest[free], highest[free] = 0.0, np.inf
        found = milp(
            np.concatenate([np.zeros(n), price[free], price[free]]),
            integrality=np.concatenate([np.full(n, int(self.whole_numbers)), np.zeros(2 * m)]),
            bounds=Bounds(lowest, highest),
            constraints=LinearConstraint(matrix.tocsc(), rows_low, rows_high),
            options={"time_limit": 20.0},
        )
        if found.x is None:
            return None
        given = np.zeros(len(price))
        given[free] = found.x[n : n + m] + found.x[n + m :]
        return given


def _filled(values: Array, n: int, rest: float) -> Array:
    return np.concatenate([values, np.full(n - len(values), rest)])


def system_of(published: Sequence[Published]) -> System | None:
    """Return the relations between everything published of one population; None where it is too large to search."""
    cells = (cell for one in published for cell in one.cells)
    groups = list(dict.fromkeys(cell.group for cell in cells if cell.group.kind != "own"))
    if len(groups) > MOST_GROUPS:
        return None
    # the list by which sets are exact and conditions are numbered; others may list fewer
    lists = {one.conditions for one in published if any(cell.group.kind in _BY_A_LIST for cell in one.cells)}
    conditions = next(iter(lists)) if lists else tuple(sorted({c for group in groups for c in group.conditions}))
    divided = {(frozenset(one.by), frozenset(one.predicates)) for one in published if one.by}
    levels = _levels(groups, divided)
    sides = sorted({group.side for group in groups})
    n_strata = len(sides) * int(np.prod([len(values) for values in levels.values()], initial=1))
    if len(lists) > 1:
        return _of_groups(groups, (), divided)
    if n_strata << len(conditions) <= MOST_ATOMS:
        return _of_atoms(groups, conditions, levels, sides)
    return _of_groups(groups, conditions, divided)


def _levels(groups: Sequence[Group], divided: Divided) -> dict[str, list[str]]:
    """Return the values of every stratum, with one more where not all need be among those published."""
    found: dict[str, set[str]] = {}
    for group in groups:
        for name, value in group.stratum:
            found.setdefault(name, set()).add(value)
    everywhere = set(groups[0].stratum).intersection(*(group.stratum for group in groups)) if groups else set()
    for name, values in found.items():
        known = any(name in by and of <= everywhere for by, of in divided)
        if not known and everywhere.isdisjoint((name, value) for value in values):
            values.add(ELSEWHERE)
    return {name: sorted(values) for name, values in sorted(found.items())}


def _made(
    groups: Sequence[Group], relations: Iterable[tuple[Sequence[tuple[int, float]], float, float]], n: int, whole: bool
) -> System:
    rows, columns, values, low, high = [], [], [], [], []
    for at, (terms, least, most) in enumerate(relations):
        for column, value in terms:
            rows.append(at)
            columns.append(column)
            values.append(value)
        low.append(least)
        high.append(most)
    return System(
        tuple(groups), np.array(rows, int), np.array(columns, int), np.array(values, float), np.array(low, float),
        np.array(high, float), n, whole,
    )  # fmt: skip


# small tables: every set of conditions in every stratum is an unknown


def _of_atoms(
    groups: list[Group],
    conditions: tuple[str, ...],
    levels: Mapping[str, list[str]],
    sides: Sequence[str],
) -> System:
    strata: list[Stratum] = [tuple(zip(levels, values, strict=True)) for values in product(*levels.values())]
    sets = [frozenset(held) for size in range(len(conditions) + 1) for held in combinations(conditions, size)]
    atoms = [(held, stratum, side) for side in sides for stratum in strata for held in sets]
    every = list(dict.fromkeys([*groups, *_wholes(groups)]))
    at = {group: k for k, group in enumerate(every)}

    def relations() -> Iterator[tuple[list[tuple[int, float]], float, float]]:
        for group in every:
            if group.part:
                continue
            # those of known order are some of those with both
            loose = group.kind == "order"
            terms = [(at[group], -1.0)]
            terms += [(len(every) + k, 1.0) for k, atom in enumerate(atoms) if _holds(group, *atom)]
            yield terms, 0.0, ANY if loose else 0.0
        yield from _parts_add_up(every, at)

    return _made(every, relations(), len(every) + len(atoms), whole=True)


def _holds(group: Group, held: frozenset[str], stratum: Stratum, side: str) -> bool:
    """Whether the people of an atom are in a group."""
    if group.side != side or not set(group.stratum) <= set(stratum):
        return False
    if group.kind == "exact":
        return held == frozenset(group.conditions)
    if group.kind == "number":
        return len(held) >= group.number if group.top else len(held) == group.number
    if not held >= frozenset(group.conditions):
        return False
    others = len(held) - 1
    return group.kind != "further" or (others >= group.number if group.top else others == group.number)


def _wholes(groups: Iterable[Group]) -> Iterator[Group]:
    """Return what the parts of groups add up to."""
    for group in groups:
        if group.part:
            yield _whole(group)
        if group.kind == "order":
            yield _both(group)


def _whole(part: Group) -> Group:
    return replace(part, part="", division=part.division if part.kind == "order" else "")


def _both(order: Group) -> Group:
    return replace(order, kind="set", conditions=tuple(sorted(order.conditions)), part="", division="")


def _parts_add_up(
    groups: Sequence[Group], at: Mapping[Group, int]
) -> Iterator[tuple[list[tuple[int, float]], float, float]]:
    divisions: dict[tuple[Group, str], dict[str, int]] = {}
    for group in groups:
        if group.part:
            divisions.setdefault((_whole(group), group.division), {})[group.part] = at[group]
    for (whole, _), parts in divisions.items():
        of_no_order = [parts.pop(part) for part in ("alone", "left out") if whole.kind == "order" and part in parts]
        complete = len(parts) == (3 if whole.kind == "order" else 2)
        yield [*((place, 1.0) for place in parts.values()), (at[whole], -1.0)], 0.0 if complete else -ANY, 0.0
        if of_no_order:
            terms = [(place, 1.0) for place in (at[whole], *of_no_order)]
            yield [*terms, (at[_both(whole)], -1.0)], 0.0 if len(of_no_order) == 2 else -ANY, 0.0


# larger tables: the published groups, and what holds between them


def _of_groups(groups: list[Group], conditions: Sequence[str], divided: Divided) -> System:
    every = list(dict.fromkeys([*groups, *_wholes(groups)]))
    at = {group: k for k, group in enumerate(every)}

    def relations() -> Iterator[tuple[list[tuple[int, float]], float, float]]:
        yield from _parts_add_up(every, at)
        for terms, low, high in _between(every, conditions, divided):
            known = [(at[group], factor) for group, factor in terms if group in at]
            if len(known) == len(terms):
                yield known, low, high

    return _made(every, relations(), len(every), whole=False)


def _between(
    groups: Sequence[Group], conditions: Sequence[str], divided: Divided
) -> Iterator[tuple[Terms, float, float]]:
    """Say what holds between groups that are sums over one vector of sets; those not published are passed over."""
    there = set(groups)
    exact: dict[tuple[Stratum, str], list[Group]] = {}
    number: dict[tuple[Stratum, str], list[Group]] = {}
    further: dict[Group, list[Group]] = {}
    yield from _of_strata(groups, divided)
    for group in groups:
        if group.part:
            continue
        place = (group.stratum, group.side)
        if group.kind == "set" and group.conditions:
            yield from _of_set(group, there)
        elif group.kind == "order":
            yield [(_both(group), 1.0), (group, -1.0)], 0.0, ANY
        elif group.kind == "exact":
            exact.setdefault(place, []).append(group)
            yield [(replace(group, kind="set"), 1.0), (group, -1.0)], 0.0, ANY
        elif group.kind == "number":
            number.setdefault(place, []).append(group)
        elif group.kind == "further":
            further.setdefault(replace(group, kind="set", number=0, top=False), []).append(group)
    for (stratum, side), own in exact.items():
        yield from _of_exact_sets(stratum, side, own)
    for (stratum, side), own in number.items():
        yield [(Group("set", stratum=stratum, side=side), 1.0), *[(g, -1.0) for g in own]], 0.0, 0.0
        if conditions:
            held = [Group("set", (c,), stratum=stratum, side=side) for c in conditions]
            # every condition is one of somebody's number of them
            counted: Terms = [*[(m, 1.0) for m in held], *[(g, -float(g.number)) for g in own]]
            yield counted, 0.0, ANY if any(g.top for g in own) else 0.0
    for whole, own in further.items():
        yield [(whole, 1.0), *[(g, -1.0) for g in own]], 0.0, 0.0


def _of_strata(groups: Sequence[Group], divided: Divided) -> Iterator[tuple[Terms, float, float]]:
    """The strata of a group add up to it, or to less where not all of them need be there."""
    strata: dict[tuple[Group, tuple[str, ...]], list[Group]] = {}
    for group in groups:
        for size in range(1, len(group.stratum) + 1):
            for inside in combinations(group.stratum, size) if not group.part else ():
                rest = tuple(pair for pair in group.stratum if pair not in inside)
                names = tuple(name for name, _ in inside)
                strata.setdefault((replace(group, stratum=rest), names), []).append(group)
    for (whole, names), own in strata.items():
        every = strata.get((Group("set", stratum=whole.stratum, side=whole.side), names), ())
        given = {name for name, _ in whole.stratum}
        known = any(set(names) <= by <= {*names, *given} and of <= set(whole.stratum) for by, of in divided)
        all_there = known and len(own) == len(every)
        yield [(whole, 1.0), *[(g, -1.0) for g in own]], 0.0, 0.0 if all_there else ANY


def _of_exact_sets(stratum: Stratum, side: str, own: Sequence[Group]) -> Iterator[tuple[Terms, float, float]]:
    """Exact sets share nobody: they add up to at most everybody, and likewise those with one condition or one size."""
    yield [(Group("set", stratum=stratum, side=side), 1.0), *[(g, -1.0) for g in own]], 0.0, ANY
    for condition in sorted({c for group in own for c in group.conditions}):
        holders = [(g, -1.0) for g in own if condition in g.conditions]
        yield [(Group("set", (condition,), stratum=stratum, side=side), 1.0), *holders], 0.0, ANY
    for k in sorted({len(group.conditions) for group in own}):
        alike = [(g, -1.0) for g in own if len(g.conditions) == k]
        yield [(Group("number", number=k, stratum=stratum, side=side), 1.0), *alike], 0.0, ANY


def _of_set(group: Group, there: set[Group]) -> Iterator[tuple[Terms, float, float]]:
    """A set has no more people than those it holds; who has one of two conditions is somebody."""
    everybody = replace(group, conditions=())
    for other in _next_larger(group, there) or [everybody]:
        yield [(other, 1.0), (group, -1.0)], 0.0, ANY
    if len(group.conditions) == 2:
        one, two = (replace(group, conditions=(c,)) for c in group.conditions)
        yield [(everybody, 1.0), (one, -1.0), (two, -1.0), (group, 1.0)], 0.0, ANY


def _next_larger(group: Group, there: set[Group]) -> list[Group]:
    """Return the published groups of one condition fewer, or else of one condition."""
    fewer = [
        replace(group, conditions=held) for held in combinations(group.conditions, len(group.conditions) - 1) if held
    ]
    found = [other for other in fewer if other in there]
    return found or [
        other for c in group.conditions if (other := replace(group, conditions=(c,))) in there and other != group
    ]
