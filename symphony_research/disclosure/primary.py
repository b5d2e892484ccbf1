"""Primary suppression and rounding: each column of a table by its role, and nothing without one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.disclosure.outputs import Position
from symphony_research.errors import DisclosureError
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.roles import Adjustment, Internal, Key, Level, Mean, ModelEstimate, Quantile, TableRoles

__all__ = ["blank", "drafted", "figures_of_mean", "require_plain_keys", "suppressed_strata"]

Tables = Mapping[str, pl.DataFrame]

# of a mean beside a rounded count: too few to find the exact total, fewer where a total may be of a few contacts
FIGURES, FIGURES_OF_SMALL = 3, 2
SMALL_MEAN = 100
TIE = 1e-9


def drafted(table: pl.DataFrame, roles: TableRoles, policy: Policy) -> pl.DataFrame:
    """Suppress the small counts of a table, round the others, and release what describes people beside their counts."""
    if policy.changes_nothing:
        return table
    columns = [policy.rounded(column) for column in roles.people]
    all_shown = pl.all_horizontal([pl.lit(True), *[~policy.hides(c) & pl.col(c).is_not_null() for c in roles.people]])
    # what describes nobody tells of the counts behind it alone
    somebody = all_shown & pl.any_horizontal([pl.lit(not roles.people), *[pl.col(c) > 0 for c in roles.people]])
    for name, role in roles.columns.items():
        if name not in table.columns:
            continue
        own = pl.col(name)
        if isinstance(role, Internal):
            columns.append(pl.lit(None, dtype=table.schema[name]).alias(name))
        elif isinstance(role, Mean):
            columns.append(
                pl.when(all_shown & _may_be_shown(own, role, policy, roles)).then(_rounded_mean(own)).alias(name)
            )
        elif isinstance(role, Adjustment):
            columns.append(pl.when(somebody).then(own.round_sig_figs(FIGURES)).alias(name))
        elif isinstance(role, ModelEstimate):
            columns.append(pl.when(somebody).then(own.round_sig_figs(FIGURES_OF_SMALL)).alias(name))
        elif isinstance(role, Level):
            columns.append(pl.when(all_shown).then(_level(own, role.levels)).alias(name))
        elif isinstance(role, Quantile):
            below = (pl.col(role.people) * role.share).floor()
            enough = pl.min_horizontal(below, pl.col(role.people) - below) > policy.threshold
            columns.append(pl.when(all_shown & enough.fill_null(False)).then(own.round(0)).alias(name))
    return table.with_columns(columns)


def _may_be_shown(mean: pl.Expr, role: Mean, policy: Policy, roles: TableRoles) -> pl.Expr:
    """Where a mean is not dominated by one or two people, nor of a total so small that it counts a few contacts."""
    people = pl.col(role.people or roles.people[0]) if (role.people or roles.people) else pl.lit(1)
    few = (mean.abs() * people).is_between(TIE, policy.threshold).fill_null(False)
    return ~few & (policy.spread_wide_enough(role.spread) if role.spread else pl.lit(True))


def figures_of_mean(means: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return to how many significant figures each mean is shown."""
    return np.where(np.abs(means) < SMALL_MEAN, FIGURES_OF_SMALL, FIGURES)


def _rounded_mean(mean: pl.Expr) -> pl.Expr:
    small = mean.abs() < SMALL_MEAN
    return pl.when(small).then(mean.round_sig_figs(FIGURES_OF_SMALL)).otherwise(mean.round_sig_figs(FIGURES))


def _level(p: pl.Expr, levels: tuple[float, ...]) -> pl.Expr:
    level = pl.lit(None, dtype=pl.Float64)
    for limit in reversed(levels):
        level = pl.when(p <= limit + TIE).then(limit).otherwise(level)
    return level


def blank(tables: Tables, result: Result, places: frozenset[Position]) -> dict[str, pl.DataFrame]:
    """Suppress further counts, and what describes their people."""
    found = dict(tables)
    for name in {place[0] for place in places}:
        roles, table = result.roles[name], found[name]
        for column in roles.people:
            rows = [row for table_name, row, c in places if (table_name, c) == (name, column)]
            if rows:
                gone = pl.Series(np.isin(np.arange(table.height), rows))
                table = table.with_columns(pl.when(~gone).then(column).alias(column))
        shown = pl.all_horizontal([pl.lit(True), *[pl.col(c).is_not_null() for c in roles.people]])
        described = [c for c in roles.of_role(Mean, Adjustment, ModelEstimate, Level, Quantile) if c in table.columns]
        found[name] = table.with_columns([pl.when(shown).then(c).alias(c) for c in described])
    return found


def suppressed_strata(tables: Tables, result: Result) -> frozenset[Position]:
    """Return every count of a stratum whose people are suppressed: suppressed counts beside zeros would tell who is in it."""
    by = list(result.by)
    if not by:
        return frozenset()
    name, small = _small_strata(tables, result)
    if small is None or not small.height:
        return frozenset()
    found: set[Position] = set()
    marked = small.with_columns(pl.lit(True).alias("__small"))
    for other, table in tables.items():
        if other == name or not set(by) <= set(table.columns):
            continue
        rows = table.with_row_index("__row").join(marked, on=by, how="semi", nulls_equal=True)
        for column in result.roles[other].people:
            found |= {(other, int(row), column) for row in rows.filter(pl.col(column).is_not_null())["__row"]}
    return frozenset(found)


def _small_strata(tables: Tables, result: Result) -> tuple[str, pl.DataFrame | None]:
    """Return the strata whose people are suppressed, and which table counts nothing else."""
    by = list(result.by)
    there = {
        name: roles
        for name, roles in result.roles.items()
        if roles.people and name in tables and set(by) <= set(tables[name].columns)
    }
    for name, roles in there.items():
        if not roles.of_role(Key):
            small = tables[name].filter(pl.any_horizontal([pl.col(c).is_null() for c in roles.people]))
            return name, small.select(by).unique()
    # a table of several things, of which everybody is one, such as those at risk at the start
    for name, roles in there.items():
        counted = [
            [roles.counts(record, column, result.settings).is_everybody for column in roles.people]
            for record in tables[name].iter_rows(named=True)
        ]
        if any(map(any, counted)):
            own = [
                any(is_whole and value is None for is_whole, value in zip(row, values, strict=True))
                for row, values in zip(counted, tables[name].select(roles.people).iter_rows(), strict=True)
            ]
            return "", tables[name].filter(pl.Series(own, dtype=pl.Boolean)).select(by).unique()
    return "", None


_LOOKS_LIKE_AN_ID = r"^\s*\d{6,}\s*$|^[0-9a-fA-F-]{16,}$"
_LOOKS_LIKE_A_DATE = r"^\s*\d{4}[-/]\d{1,2}[-/]\d{1,2}|^\s*\d{1,2}[-/]\d{1,2}[-/]\d{4}"
_LISTED = frozenset(
    {"sex", "age_band", "n_conditions_band", "deprivation_decile", "deprivation_quintile", "residence", "programme", "hub", "practice", "practice_id", "area", "setting", "kind"}
)  # fmt: skip
_FEWEST_LEVELS = 5  # a key of so few levels names nobody, however few the people


def require_plain_keys(result: Result) -> None:
    """Raise DisclosureError where a stratum has as many levels as it would have if it named people.

    Raises
    ------
    DisclosureError
        If a stratum that is on no list known beforehand has more levels than a tenth of the people, or
        levels that look like ids or dates; without the levels themselves.
    """
    columns = [c for c in result.by if c not in _LISTED]
    columns += [
        name
        for roles in result.roles.values()
        for name, role in roles.columns.items()
        if isinstance(role, Key) and role.vocabulary == "records"
    ]
    for column in dict.fromkeys(columns):
        tables = [(name, table) for name, table in result.count_tables.items() if column in table.columns]
        for name, table in tables:
            levels = table[column].drop_nulls().unique()
            counts = [int(table[c].fill_null(0).sum()) for c in result.roles[name].people]
            people = max(counts, default=0)
            text = levels.cast(pl.String)
            dated = levels.dtype.is_temporal() or bool(text.str.contains(_LOOKS_LIKE_A_DATE).any())
            named = bool(text.str.contains(_LOOKS_LIKE_AN_ID).any())
            many = len(levels) > _FEWEST_LEVELS and counts and len(levels) > people / 10
            if dated or named or many:
                why = (
                    "look like dates" if dated else "look like ids" if named else "are more than a tenth of the people"
                )
                raise DisclosureError(
                    f"'{column}' cannot be a stratum of a released {type(result).__name__}: its {len(levels):,} levels {why}. "
                    "Group it into a few named levels first."
                )
