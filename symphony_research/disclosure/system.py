"""Everything published of one population as one linear system.

The unknowns are the published cells, held together by the relations that
follow from their definitions. Where features and strata are few, the people of
every set of features in every stratum (the atoms) are unknowns too: then every
relation there is holds by itself, and numbers are integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.divisions import Divisions
from symphony_research.disclosure.outputs import UNBOUNDED, CellBounds, ReleasedOutput
from symphony_research.disclosure.relations import (
    REST,
    Rest,
    Row,
    declared,
    divided_in,
    levels_of,
    related,
    relations_between,
    rests_of,
    wholes_of,
)
from symphony_research.result.cells import CellDefinition, Stratum, features_of

__all__ = ["MOST_ATOMS", "System", "bounds_of", "made_of", "system_of"]

Array = NDArray[np.float64]
MOST_ATOMS = 512  # sets of features times strata, on which integers are searched
MOST_BY_STRATA = 192  # of more than two strata: beyond, the search is often not decided within its limits
ELSEWHERE = "\0"  # a stratum that is not published


@dataclass(frozen=True)
class System:
    """Linear relations between cells.

    Attributes
    ----------
    cells : tuple of CellDefinition
        The first unknowns; atoms, if any, come after them.
    rows, columns, values : arrays
        The relations' coefficients.
    low, high : arrays
        Between which each relation lies.
    n_unknowns : int
    integers : bool
        Whether the atoms are among the unknowns, so that integers can be searched.
    rests : tuple of Rest
        What parts leave of their whole; unknowns too.
    """

    cells: tuple[CellDefinition, ...]
    rows: Any
    columns: Any
    values: Array
    low: Array
    high: Array
    n_unknowns: int
    integers: bool
    rests: tuple[Rest, ...] = ()

    @cached_property
    def index(self) -> Mapping[CellDefinition, int]:
        """Where each cell is among the unknowns."""
        return {cell: at for at, cell in enumerate(self.cells)}

    @cached_property
    def matrix(self) -> Any:
        """The coefficients, one row a relation."""
        from scipy.sparse import csr_matrix

        return csr_matrix((self.values, (self.rows, self.columns)), shape=(len(self.low), self.n_unknowns))


def system_of(published: Sequence[ReleasedOutput]) -> System:
    """Return the relations between everything published of one population."""
    is_related = related(published)
    known = [cell.of for one in published for cell in one.cells if is_related(cell.of)]
    # strata that nobody publishes anything of say nothing of those that are
    pairs = {pair for cell in known for pair in cell.stratum}
    # nor do sets of strata whose people are few: what those leave of a whole is looked at as one
    few = {cell.of.stratum for one in published for cell in one.cells if cell.of.is_everybody and cell.primary}
    wholes = sorted(
        cell
        for cell in wholes_of(published)
        if pairs.issuperset(cell.stratum) and (cell.is_everybody or cell.state or cell.stratum not in few)
    )
    cells = list(dict.fromkeys([*known, *wholes]))
    features = sorted({f for cell in cells for f in (*cell.having, *features_of(cell.among))})
    lists = {cell.among for cell in cells if cell.sized}
    levels = _levels(cells, published)
    sides = sorted({cell.side for cell in cells})
    n_strata = len(sides) * int(np.prod([len(values) for values in levels.values()], initial=1))
    of_one_list = not lists or (
        lists == {max(lists, key=len)} and set(features_of(max(lists, key=len))) == set(features)
    )
    most = MOST_ATOMS if n_strata <= 2 else MOST_BY_STRATA
    if of_one_list and features and len(features) < 10 and n_strata << len(features) <= most:
        return _of_atoms(cells, features, levels, sides, published)
    named = [cell.of for one in published for cell in one.cells if cell.named or not cell.of.is_exact]
    cells = [cell for cell in dict.fromkeys([*named, *wholes]) if is_related(cell)]
    shown = {cell.of for one in published for cell in one.cells if cell.shown}
    unnamed: dict[Any, list[CellDefinition]] = {}
    for cell in dict.fromkeys(
        cell.of for one in published for cell in one.cells if cell.of.is_exact and not cell.named
    ):
        unnamed.setdefault((cell.stratum, cell.side), []).append(cell)
    divided = list(divided_in(cells, published))
    rests = rests_of(cells, published, shown, unnamed, divided)
    left = (([(one.whole, 1.0), *[(part, -1.0) for part in one.parts], (one.of, -1.0)], 0.0, 0.0) for one in rests)
    rows = chain(relations_between(cells, published, divided), left)
    every = list(dict.fromkeys([*cells, *(one.of for one in rests)]))
    return made_of(every, rows, len(every), integers=False, rests=rests)


def bounds_of(system: System, cells: Iterable[CellBounds]) -> tuple[Array, Array]:
    """Return the lowest and highest number of every cell, by all the places that show it."""
    low, high = np.zeros(system.n_unknowns), np.full(system.n_unknowns, UNBOUNDED)
    for cell in cells:
        at = system.index.get(cell.of)
        if at is not None:
            low[at], high[at] = max(low[at], cell.low), min(high[at], cell.high)
    return low, high


def _levels(cells: Sequence[CellDefinition], published: Sequence[ReleasedOutput]) -> dict[str, list[str]]:
    """Return the values of every stratum, with one more where not all need be among those published."""
    found = levels_of(cells)
    divisions = Divisions.of(published)
    everywhere = frozenset(cells[0].stratum).intersection(*(cell.stratum for cell in cells)) if cells else frozenset()
    for name, values in found.items():
        if not divisions.are_all(name, values, everywhere) and everywhere.isdisjoint((name, value) for value in values):
            values.add(ELSEWHERE)
    return {name: sorted(values) for name, values in sorted(found.items())}


def made_of(
    cells: Sequence[CellDefinition],
    relations: Iterable[Row | tuple[list[tuple[int, float]], float, float]],
    n: int,
    *,
    integers: bool,
    rests: Sequence[Rest] = (),
) -> System:
    """Return relations, by cells or by places among the unknowns, as one system of `n` unknowns."""
    at = {cell: k for k, cell in enumerate(cells)}
    rows, columns, values, low, high = [], [], [], [], []
    for row, (terms, least, most) in enumerate(relations):
        for cell, value in terms:
            rows.append(row)
            columns.append(cell if isinstance(cell, int) else at[cell])
            values.append(value)
        low.append(least)
        high.append(most)
    return System(
        tuple(cells), np.array(rows, int), np.array(columns, int), np.array(values, float), np.array(low, float),
        np.array(high, float), n, integers, tuple(rests),
    )  # fmt: skip


def _of_atoms(
    cells: list[CellDefinition],
    features: Sequence[str],
    levels: Mapping[str, list[str]],
    sides: Sequence[str],
    published: Sequence[ReleasedOutput],
) -> System:
    strata: list[Stratum] = [tuple(zip(levels, values, strict=True)) for values in product(*levels.values())]
    sets = [frozenset(held) for size in range(len(features) + 1) for held in combinations(features, size)]
    atoms = _Atoms.of([(held, frozenset(stratum), side) for side in sides for stratum in strata for held in sets])
    shown = {cell.of for one in published for cell in one.cells if cell.shown}
    # sets without a row are cells here; strata that are suppressed altogether are not, nor are their states
    rests = [one for one in rests_of(cells, published, shown, {}) if REST not in dict(one.of.state)]
    every = list(dict.fromkeys([*cells, *(one.of for one in rests)]))
    at = {cell: k for k, cell in enumerate(every)}

    def relations() -> Iterator[tuple[list[tuple[int, float]], float, float]]:
        for cell in (one for one in cells if not one.isolated):
            terms = [(len(every) + k, 1.0) for k in np.flatnonzero(atoms.held_by(cell)).tolist()]
            # those of one state are some of those who are in the cell
            yield [*terms, (at[cell], -1.0)], 0.0, UNBOUNDED if cell.state else 0.0
        for one in rests:
            yield [(at[one.whole], 1.0), *[(at[part], -1.0) for part in one.parts], (at[one.of], -1.0)], 0.0, 0.0
        for said, low, high in declared((relation for one in published for relation in one.relations), set(cells)):
            if not any(cell.state for cell, _ in said):
                yield [(at[cell], value) for cell, value in said], low, high
        stated = [cell for cell in cells if cell.state]
        if stated:
            there = [*stated, *(cell for cell in cells if not cell.state)]
            for between, low, high in relations_between(there, published):
                if any(cell.state for cell, _ in between):
                    yield [(at[cell], value) for cell, value in between], low, high

    return made_of(every, relations(), len(every) + len(atoms.size), integers=True, rests=rests)


@dataclass(frozen=True)
class _Atoms:
    """Sets of features in strata: which atoms have each feature, are in each stratum and on each side, and how many features they have."""

    having: Mapping[str, NDArray[np.bool_]]
    within: Mapping[tuple[str, str], NDArray[np.bool_]]
    side: NDArray[np.str_]
    size: NDArray[np.int64]

    @classmethod
    def of(cls, atoms: Sequence[tuple[frozenset[str], frozenset[tuple[str, str]], str]]) -> _Atoms:
        features = {feature for held, _, _ in atoms for feature in held}
        pairs = {pair for _, stratum, _ in atoms for pair in stratum}
        return cls(
            {feature: np.array([feature in held for held, _, _ in atoms]) for feature in features},
            {pair: np.array([pair in stratum for _, stratum, _ in atoms]) for pair in pairs},
            np.array([side for _, _, side in atoms]),
            np.array([len(held) for held, _, _ in atoms]),
        )

    def held_by(self, cell: CellDefinition) -> NDArray[np.bool_]:
        """Return which atoms' people are in a cell, but for its states."""
        inside = (self.side == cell.side) & (self.size >= cell.least) & (self.size <= cell.most)
        none = np.zeros(len(self.size), bool)
        for feature in cell.having:
            inside = inside & self.having.get(feature, none)
        for pair in cell.stratum:
            inside = inside & self.within.get(pair, none)
        return inside
