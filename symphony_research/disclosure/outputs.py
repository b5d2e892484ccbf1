"""What a result tells: each count with the people it is of, and the lowest and highest number that it may be."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import polars as pl

from symphony_research.errors import DisclosureError
from symphony_research.inference.ends import ends_of_count
from symphony_research.policy import Policy
from symphony_research.population import Population
from symphony_research.result import Result
from symphony_research.result.cells import BETWEEN, CellDefinition, Covered, Nested, Partition, Relation, Same, Stratum

__all__ = [
    "MOST_LISTED",
    "NOWHERE",
    "UNBOUNDED",
    "CellBounds",
    "Position",
    "ReleasedOutput",
    "declared_relations",
    "interval_of",
    "output_of",
    "released_output",
    "whose",
    "widening",
]

UNBOUNDED = math.inf
MOST_LISTED = 512  # sets without a row that are looked at one by one
MOST_FEATURES = 9  # up to so many, all sets of them can be looked at one by one
NOWHERE = -1
Position = tuple[str, int, str]


@dataclass(frozen=True)
class CellBounds:
    """One count: where it stands, whom it counts, and the lowest and highest number that it may be.

    The row of a set that has none is -1. A cell that is suppressed because it
    is small is `primary`; one that protects another, or is of a withheld table,
    is not. One that is not `named` has a row only because somebody is in it, so
    that, suppressed, nobody knows of it.
    """

    table: str
    row: int
    column: str
    of: CellDefinition
    low: float
    high: float
    shown: float | None
    primary: bool = False
    named: bool = True

    @property
    def position(self) -> Position:
        """Table, row and column."""
        return self.table, self.row, self.column

    @property
    def suppressed(self) -> bool:
        """Whether no number stands there."""
        return self.shown is None

    @property
    def listed(self) -> bool:
        """Whether it has a row."""
        return self.row != NOWHERE


@dataclass(frozen=True)
class ReleasedOutput:
    """Every count of one result, with the population that they are of.

    Attributes
    ----------
    family, title : str
    by : tuple of str
    policy : mapping
        The rule's settings.
    population : Population
    predicates : tuple of (column, value)
        Those that are strata of a wider population: each cell carries them.
    study, fingerprint : str or None
    cells : tuple of CellBounds
    relations : tuple of Relation
        What holds between them beyond what their definitions say.
    divided : tuple of (predicate, int)
        Into how many parts the wider population is divided, each with outputs of its own.
    """

    family: str
    title: str
    by: tuple[str, ...]
    policy: Mapping[str, Any]
    population: Population
    predicates: Stratum
    study: str | None
    fingerprint: str | None
    cells: tuple[CellBounds, ...] = field(repr=False)
    relations: tuple[Relation, ...] = field(default=(), repr=False)
    divided: tuple[tuple[str, int], ...] = ()

    @property
    def people(self) -> tuple[str | None, tuple[tuple[str, str], ...]]:
        """What outputs share whose people are all, or strata, of one population: the records, and predicates and dates."""
        return self.fingerprint, self.population.whole

    def without(self, gone: Collection[CellDefinition]) -> Self:
        """Return the output with some counts that it shows suppressed to protect others."""
        above = float(self.policy["threshold"]) + 1
        cells = (
            replace(cell, shown=None, low=above, high=UNBOUNDED) if not cell.suppressed and cell.of in gone else cell
            for cell in self.cells
        )
        return replace(self, cells=tuple(cells))


def whose(one: ReleasedOutput) -> str:
    """Return the population of an output as one text, by which outputs are protected together."""
    return repr((one.study, one.people))


def interval_of(policy: Policy, shown: float | None) -> tuple[float, float]:
    """Return the lowest and highest count that is shown so; of a suppressed one, if it is small itself.

    Examples
    --------
    >>> from symphony_research import Policy
    >>> interval_of(Policy.nhs_england(), 180), interval_of(Policy.nhs_england(), None)
    ((178, 182), (1, 7))
    """
    if shown is None:
        return (0 if policy.hide_zeros else 1), policy.threshold
    return ends_of_count(shown, {"threshold": policy.threshold, "rounding": policy.rounding})


def output_of(
    result: Result,
    policy: Policy,
    tables: Mapping[str, pl.DataFrame] | None = None,
    *,
    secondary: frozenset[Position] = frozenset(),
    withheld: frozenset[Position] = frozenset(),
    of_small: frozenset[Position] = frozenset(),
) -> ReleasedOutput:
    """Return what a result tells under a policy; by default that of its own released tables.

    Parameters
    ----------
    secondary, withheld, of_small : frozenset of (table, row, column)
        Suppressed counts that protect others; of blocks that were not decided;
        and of strata whose people are few, small themselves or zero.
    """
    tables = result.count_tables if tables is None else tables
    population, sides = _populations(result.settings)
    suppressed = {
        **dict.fromkeys(withheld, (policy.threshold + 1.0, UNBOUNDED, False)),
        **dict.fromkeys(secondary, (policy.threshold + 1.0, UNBOUNDED, False)),
    }
    cells: list[CellBounds] = []
    for name, table in tables.items():
        if result.roles[name].people:
            cells += _cells(name, table, result, policy, suppressed, of_small)
    relations = declared_relations(result, tables)
    cells += _without_a_row(result, policy, cells, tables)
    widen = _widened_by(sides)
    return ReleasedOutput(
        family=type(result).__name__,
        title=result.title,
        by=result.by,
        policy={
            "name": policy.name,
            "title": policy.title,
            "threshold": policy.threshold,
            "rounding": policy.rounding,
            "hide_zeros": policy.hide_zeros,
            "level": policy.level,
        },
        population=population,
        predicates=sides[""],
        study=result.settings.get("study"),
        fingerprint=result.settings.get("fingerprint"),
        cells=tuple(cell if (of := widen(cell.of)) is cell.of else replace(cell, of=of) for cell in cells),
        relations=tuple(_moved(relation, widen) for relation in relations),
        divided=tuple((population.divided or {}).items()),
    )


def released_output(result: Result) -> ReleasedOutput:
    """Return what a disclosed result tells."""
    done = result.disclosure
    if done is None:
        raise DisclosureError(
            f"This {type(result).__name__} has not passed disclosure control. Use sr.suppress(result, policy) first."
        )
    return output_of(result, done.policy, secondary=done.secondary, withheld=done.withheld, of_small=done.of_small)


def _cells(
    name: str,
    table: pl.DataFrame,
    result: Result,
    policy: Policy,
    suppressed: Mapping[Position, tuple[float, float, bool]],
    of_small: frozenset[Position],
) -> Iterator[CellBounds]:
    roles, settings, by = result.roles[name], result.settings, sorted(result.by)
    unnamed = result.rows_from_records and name in result.minimum_size_tables[:1]
    for column in roles.people:
        for row, record in enumerate(table.iter_rows(named=True)):
            shown = record[column]
            bounds = suppressed.get((name, row, column)) if shown is None else None
            low, high, primary = bounds or (*interval_of(policy, shown), shown is None)
            of = roles.counts(record, column, settings)
            if (name, row, column) in of_small:
                if not of.state:
                    continue  # of a stratum that is suppressed altogether: what it leaves of a whole is looked at there
                low, high, shown, primary = 0.0, policy.threshold, None, True  # of nobody, or of few
            if primary and unnamed:
                low = 0  # a row without a number is not named, so nobody knows that it is there
                if of.is_exact and of.among.count(BETWEEN) >= MOST_FEATURES:
                    continue  # what such sets leave of larger ones is looked at together
            strata = [(key, record[key]) for key in by if key in record]
            of = of.within(strata) if strata else of
            yield CellBounds(name, row, column, of, low, high, shown, primary, not (primary and unnamed))


def declared_relations(result: Result, tables: Mapping[str, pl.DataFrame]) -> Iterator[Relation]:
    """Yield what a family declares of each stratum, placed in it, as its counts are."""
    by = sorted(result.by)
    if not by:
        yield from result.relations(tables, result.settings)
        return
    parts = {
        name: table.partition_by(by, as_dict=True) for name, table in tables.items() if set(by) <= set(table.columns)
    }
    whole = {name: table for name, table in tables.items() if name not in parts}
    for key in dict.fromkeys(key for part in parts.values() for key in part):
        own = {name: (part[key] if key in part else tables[name].clear()).drop(by) for name, part in parts.items()}
        stratum = tuple(zip(by, key, strict=True))
        for relation in result.relations({**whole, **own}, result.settings):
            yield _moved(relation, lambda of, stratum=stratum: of.within(stratum))


def _without_a_row(
    result: Result, policy: Policy, cells: list[CellBounds], tables: Mapping[str, pl.DataFrame]
) -> list[CellBounds]:
    """Return the cells that have no row: each is of nobody, or of few."""
    strata = sorted({cell.of.stratum for cell in cells if cell.of.is_everybody})
    room = MOST_LISTED // max(len(strata), 1)
    listable = list(result.listable(result.settings, room))
    if not listable or len(listable) > room:
        return []
    there = {cell.of for cell in cells}
    table = result.minimum_size_tables[0]
    every = (of.within(stratum) for stratum in strata for of in listable)
    column = result.roles[table].people[0]
    return [
        CellBounds(table, NOWHERE, column, of, 0, policy.threshold, None, True, False)
        for of in every
        if of not in there
    ]


def _populations(settings: Mapping[str, Any]) -> tuple[Population, dict[str, Stratum]]:
    """Return the population, and which of its predicates are strata: of all, and of each of two groups.

    Two groups are strata of one population if a predicate says that they share nobody, and all else is equal.
    """
    population = Population.of(settings)
    if population.groups is None:
        return population, {"": population.parts}
    groups = [population.groups[name] for name in settings["names"]]
    if len(groups) == 2 and groups[0].is_disjoint_from(groups[1]) and groups[0].whole == groups[1].whole:
        shared = groups[0].without_parts()
        return shared, {"": (), "a": groups[0].parts, "b": groups[1].parts}
    return population, {"": ()}


def _widened_by(sides: Mapping[str, Stratum]) -> Any:
    """Return what makes a definition one of the wider population's strata."""

    def widen(of: CellDefinition) -> CellDefinition:
        own = sides.get(of.side)
        return of if own is None or (not own and not of.side) else of.within(own).on_side("")

    return widen


def widening(settings: Mapping[str, Any]) -> Any:
    """Return what makes a definition of a result one of the wider population's strata, as its released cells are."""
    return _widened_by(_populations(settings)[1])


def _moved(relation: Relation, widen: Any) -> Relation:
    if isinstance(relation, Nested):
        return Nested(widen(relation.inner), widen(relation.outer))
    if isinstance(relation, Same):
        return Same(widen(relation.one), widen(relation.other))
    whole, parts = widen(relation.whole), tuple(widen(part) for part in relation.parts)
    if isinstance(relation, Covered):
        return Covered(whole, parts, tuple(widen(cell) for cell in relation.twice))
    return Partition(whole, parts, relation.complete)
