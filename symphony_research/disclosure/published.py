"""What a disclosed result tells of whom: every count of it as a group of people and the numbers that it may be.

This is all that an attacker has: which people a cell counts, and from what is
shown of it, the lowest and highest number that rounds to it. Secondary
suppression and the check over a set of results both start from here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Any

import polars as pl

from symphony_research.policy import Policy
from symphony_research.result import CountTable, Result

__all__ = [
    "ANY",
    "ASKED",
    "MOST_ATOMS",
    "NAMED",
    "Cell",
    "Group",
    "Place",
    "Published",
    "Stratum",
    "interval_of",
    "publish",
]

ANY = math.inf
MOST_ATOMS = 512  # sets of conditions times strata on which whole numbers are searched
NOWHERE = -1
# by these alone can people be known not to be among others: another date, or list of conditions, may only add some
NAMED = ("programme", "hub", "practice", "area", "sex", "residence")
# what was asked of people says nothing of who they are
ASKED = ("event", "time_unit", "values", "months")
Stratum = tuple[tuple[str, str], ...]
Place = tuple[str, int, str]


@dataclass(frozen=True, order=True)
class Group:
    """Some people of a population, by their conditions and strata.

    Attributes
    ----------
    kind : str
        "set": with at least `conditions`, so everybody where there are none;
        "exact": with these and no others; "number": with `number` conditions;
        "further": with one condition and `number` others; "order": with two
        conditions in a known order; "own": a group nothing is known of.
    conditions : tuple of str
        In order of their names.
    number : int
        For "number" and "further".
    top : bool
        Whether `number` stands for all above too.
    part : str
        A part of the group: parts of one name's group and one division add up to it.
    division : str
        How people are divided into parts, or put in order.
    stratum : tuple of (column, value)
    side : str
        Which of two populations that share nobody.
    """

    kind: str
    conditions: tuple[str, ...] = ()
    number: int = 0
    top: bool = False
    part: str = ""
    division: str = ""
    stratum: Stratum = ()
    side: str = ""


@dataclass(frozen=True)
class Cell:
    """One published count: where it stands, whom it counts, and the lowest and highest number that it may be.

    The row of a set that a complete table does not list is -1.
    """

    table: str
    row: int
    column: str
    group: Group
    low: float
    high: float
    shown: float | None

    @property
    def place(self) -> Place:
        """Table, row and column."""
        return self.table, self.row, self.column

    @property
    def hidden(self) -> bool:
        """Whether no number stands there."""
        return self.shown is None

    @property
    def listed(self) -> bool:
        """Whether it has a row."""
        return self.row != NOWHERE


@dataclass(frozen=True)
class Published:
    """Every count of one disclosed result, with the population that they are of.

    Attributes
    ----------
    family, title : str
    by : tuple of str
    policy : mapping
        The rule's settings.
    population : mapping
        Predicates and dates.
    predicates : tuple of (column, value)
        Those that are strata of a wider population: each group of people carries them.
    study, fingerprint : str or None
    conditions : tuple of str
        The list that "exact" and "number" are judged by.
    cells : tuple of Cell
    steps : tuple of (stratum and kind, time, count)
        Cumulative counts of a curve.
    followed : tuple of (stratum, time, count or None)
        How many are followed in each stratum of a curve up to a time, from the one
        before; one at no time (None) for a stratum that has no curve.
    how : tuple of str
        By what columns they are followed.
    ended : tuple of Stratum
        Whose curves end early to protect others.
    """

    family: str
    title: str
    by: tuple[str, ...]
    policy: Mapping[str, Any]
    population: Mapping[str, Any]
    predicates: Stratum
    study: str | None
    fingerprint: str | None
    conditions: tuple[str, ...]
    cells: tuple[Cell, ...] = field(repr=False)
    steps: tuple[tuple[Stratum, float, float], ...] = field(default=(), repr=False)
    followed: tuple[tuple[Stratum, float | None, float | None], ...] = field(default=(), repr=False)
    how: tuple[str, ...] = ()
    ended: tuple[Stratum, ...] = field(default=(), repr=False)

    @property
    def people(self) -> tuple[str | None, list[tuple[str, str]]]:
        """What outputs share whose people are all, or strata, of one population: the records, and predicates and dates."""
        others = ((str(k), repr(v)) for k, v in self.population.items() if k not in (*ASKED, *NAMED))
        return self.fingerprint, sorted(others)


def interval_of(policy: Policy, shown: float | None, *, protected: bool = False) -> tuple[float, float]:
    """Return the lowest and highest count that is shown so; a protected cell's star says nothing.

    Examples
    --------
    >>> from symphony_research import Policy
    >>> interval_of(Policy.nhs_england(), 180), interval_of(Policy.nhs_england(), None)
    ((178, 182), (1, 7))
    """
    if shown is None:
        return (0, ANY) if protected else (0 if policy.hide_zeros else 1, policy.threshold)
    low = shown - policy.rounding // 2
    high = low + policy.rounding - 1
    if shown == 0:
        # above the threshold too a wide rounding shows nought
        return 0, high if high > policy.threshold else 0
    return max(low, policy.threshold + 1), high


def publish(
    result: Result,
    policy: Policy,
    tables: Mapping[str, pl.DataFrame] | None = None,
    exact: Mapping[str, pl.DataFrame] | None = None,
    protected: frozenset[Place] = frozenset(),
) -> Published:
    """Return what a result tells under a policy; by default that of its own released tables.

    Of `exact` tables only this is asked: whether a count was made at all.
    """
    tables = result.count_tables if tables is None else tables
    settings = result.settings
    population, sides = _populations(settings)
    cells: list[Cell] = []
    for name, rule in result.counts.items():
        if rule.cumulative is None and name in tables:
            cells += _cells(name, rule, tables, exact, result, sides, policy, protected)
    cells += _unlisted(result, policy, cells)
    return Published(
        family=type(result).__name__,
        title=result.title,
        by=result.by,
        policy={
            "name": policy.name,
            "title": policy.title,
            "threshold": policy.threshold,
            "rounding": policy.rounding,
            "hide_zeros": policy.hide_zeros,
            "curve_width": policy.curve_width,
        },
        population=population,
        predicates=sides[""],
        study=settings.get("study"),
        fingerprint=settings.get("fingerprint"),
        conditions=tuple(settings.get("conditions") or ()),
        cells=tuple(cells),
        steps=tuple(_steps(result, tables)),
        followed=tuple(_followed(result, tables)),
        how=tuple(str(settings.get(name)) for name in ("time", "entry", *ASKED)),
        ended=tuple(sorted(result.disclosure.ended)) if result.disclosure is not None else (),
    )


def _cells(
    name: str,
    rule: CountTable,
    tables: Mapping[str, pl.DataFrame],
    exact: Mapping[str, pl.DataFrame] | None,
    result: Result,
    sides: Mapping[str, Stratum],
    policy: Policy,
    protected: frozenset[Place],
) -> Iterator[Cell]:
    table = tables[name]
    keyed = table if rule.people != "split" else tables["cells"]
    groups = list(_groups(keyed, rule.people, result))
    unnamed = result.floored[0] if result.rows_from_records and result.floored else ""
    for column in rule.columns:
        # a count that was never made, such as a pair that another condition is asked of, tells nothing
        made = None if exact is None else exact[name][column].is_not_null()
        for row, shown in enumerate(table[column].to_list()):
            if made is not None and not made[row]:
                continue
            guarded = (name, row, column) in protected
            low, high = interval_of(policy, shown, protected=guarded)
            if shown is None and name == unnamed:
                low = 0  # a row that is hidden is not named, so nobody knows that it is there
            group = _within(_of_column(groups[row], column, name, row, rule.people, result.settings), sides)
            yield Cell(name, row, column, group, low, high, shown)


def _populations(settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Stratum]]:
    """Return the population as predicates and dates, and which of them are strata: of all, and of each of two groups.

    Two groups are strata of one population if a predicate says that they share nobody, and all else is alike.
    """
    population = dict(settings.get("population") or {})
    if all(isinstance(population.get(name), Mapping) for name in settings.get("names") or [None]):
        one, other = (dict(population[name]) for name in settings["names"])
        rest = [{k: v for k, v in group.items() if k not in NAMED} for group in (one, other)]
        apart = any(one[name] != other[name] for name in NAMED if name in one and name in other)
        if apart and rest[0] == rest[1]:
            return rest[0], {"": (), "a": _predicates(one), "b": _predicates(other)}
        return population, {"": ()}
    return population, {"": _predicates(population)}


def _predicates(population: Mapping[str, Any]) -> Stratum:
    return tuple((name, str(population[name])) for name in NAMED if population.get(name) is not None)


def _within(group: Group, sides: Mapping[str, Stratum]) -> Group:
    """Return a group as one of the wider population's strata."""
    if group.side not in sides:
        return group
    stratum = tuple(sorted({**dict(group.stratum), **dict(sides[group.side])}.items()))
    return replace(group, stratum=stratum, side="")


def _unlisted(result: Result, policy: Policy, cells: list[Cell]) -> list[Cell]:
    """Return the sets that a table of all sets does not list: each is held by nobody, or by few."""
    settings, listed = result.settings, {cell.group for cell in cells}
    strata = sorted({cell.group.stratum for cell in cells if cell.table == "population"})
    conditions = sorted(settings.get("conditions") or ())
    kind = {"exact": "exact", "at_least": "set"}.get(settings.get("kind", ""))
    every = settings.get("min_persons") == 1 and settings.get("which", "all") == "all" and "condition" not in settings
    if not (every and kind and strata and "min_size" in settings) or len(strata) << len(conditions) > MOST_ATOMS:
        return []
    sizes = range(settings["min_size"], (settings.get("max_size") or len(conditions)) + 1)
    sets = (held for size in sizes for held in combinations(conditions, size))
    groups = (Group(kind, held, stratum=stratum) for stratum, held in product(strata, sets))
    return [
        Cell("cells", NOWHERE, "n_persons", group, 0, policy.threshold, None) for group in groups if group not in listed
    ]


def _groups(table: pl.DataFrame, people: str, result: Result) -> Iterator[Group]:
    by = [name for name in sorted(result.by) if name in table.columns]
    top = result.settings.get("top")
    for record in table.iter_rows(named=True):
        stratum = tuple((name, str(record[name])) for name in by)
        if people == "everybody":
            yield Group("set", stratum=stratum)
        elif people == "condition":
            yield Group("set", (record["condition"],), stratum=stratum)
        elif people == "pair":
            yield Group("set", tuple(sorted((record["source"], record["target"]))), stratum=stratum)
        elif people in ("set", "exact"):
            yield Group(people, tuple(sorted(record["combination"])), stratum=stratum)
        elif people == "split":
            kind = "exact" if result.settings.get("kind") == "exact" else "set"
            yield Group(kind, tuple(sorted(record["combination"])), stratum=stratum)
        elif people == "number":
            k = record["n_conditions"]
            yield Group("number", number=k, top=top is not None and k == top, stratum=stratum)
        elif people == "further":
            k = record["n_others"]
            yield Group("further", (record["condition"],), number=k, top=k == top, stratum=stratum)
        elif people == "order":
            yield Group("order", (record["first"], record["second"]), stratum=stratum)
        else:
            yield Group("own", stratum=stratum)


_PARTS = {
    "n_first": "first", "n_second": "second", "n_same_day": "same day", "n_alone": "alone",
    "n_compared": "compared", "n_left_out": "left out",
}  # fmt: skip
# by what settings people are divided into those parts
_DIVIDED_BY = ("adjust", "value", "birth_years", "joined", "washout_days")


def _of_column(group: Group, column: str, table: str, row: int, people: str, settings: Mapping[str, Any]) -> Group:
    """Return whom one of several columns counts."""
    if not people or column == "n_fewest":  # people of another whole
        return Group("own", part=f"{table} {row} {column}", stratum=group.stratum)
    part = _PARTS.get(column, "")
    how = ", ".join(f"{name} {settings[name]}" for name in _DIVIDED_BY if settings.get(name))
    division = how if part or people == "order" else ""
    return replace(group, part=part, division=division, side=column[-1] if column.endswith(("_a", "_b")) else "")


def _steps(result: Result, tables: Mapping[str, pl.DataFrame]) -> Iterator[tuple[Stratum, float, float]]:
    """Return the running counts of a curve, by stratum and kind."""
    for name, rule in result.counts.items():
        if rule.cumulative is None or name not in tables:
            continue
        groups = [*result.by, *rule.within]
        running: dict[Stratum, float] = {}
        for record in tables[name].sort([*groups, rule.cumulative]).iter_rows(named=True):
            key: Stratum = tuple((column, str(record[column])) for column in groups)
            running[key] = running.get(key, 0) + record[rule.columns[0]]
            yield key, float(record[rule.cumulative]), running[key]


def _followed(
    result: Result, tables: Mapping[str, pl.DataFrame]
) -> Iterator[tuple[Stratum, float | None, float | None]]:
    """Return how many are followed in every stratum of a curve."""
    if "followed" not in tables:
        return
    for names in result.settings.get("left_out") or ():
        yield _stratum_of(names, result.by), None, None
    for record in tables["followed"].sort("time").iter_rows(named=True):
        yield _stratum_of(record, result.by), float(record["time"]), record["n_at_risk"]


def _stratum_of(names: Mapping[str, Any], by: tuple[str, ...]) -> Stratum:
    return tuple((column, str(names[column])) for column in sorted(by))
