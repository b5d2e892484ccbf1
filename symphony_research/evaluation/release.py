"""How figures of enrolled people and their controls are released: whom their counts count, and how fine they are.

Enrolled people and controls are two populations that may share people: who is a control on one day may enrol on a later
one. So no relation is declared between them, and what is of both is shown where both are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from symphony_research.cohort.matched import Matched
from symphony_research.inference.coefficients import FEWEST_FREE, as_exact_as_counts
from symphony_research.policy import Policy
from symphony_research.result.cells import CellDefinition, Covered, Nested, Relation, everybody, unrelated

__all__ = [
    "ARMS",
    "arm_cells",
    "arms_table",
    "one_side_shown",
    "released_estimates",
    "stepped_to",
    "where_counted",
    "window_relations",
    "with_event_among",
]

ARMS = ("enrolled", "controls")
YEAR = 365


def arm_cells(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return whom a count of an arm is of: the enrolled with controls are everybody, of controls nothing else is known."""
    arm = record["arm"]
    if column == "n_persons":
        if arm != ARMS[0]:
            return unrelated("controls")
        # of a cohort that is not matched others are counted too, who are not observed after
        return everybody() if "matching" in settings else everybody().in_state("observed after enrolling", "yes")
    first, last = record.get("first_day", 1), record.get("last_day", settings.get("horizon"))
    window = f"{column} {settings.get('outcome')}, days {first} to {last}"
    return everybody().in_state(window, "yes") if arm == ARMS[0] else unrelated(f"controls: {window}")


def with_event_among(arms: pl.DataFrame, settings: Mapping[str, Any], columns: Sequence[str]) -> Iterator[Relation]:
    """Yield that whoever is counted in a column is one of the people of the arm."""
    for row in arms.iter_rows(named=True):
        for column in columns:
            yield Nested(arm_cells(row, column, settings), arm_cells(row, "n_persons", settings))


def where_counted(effects: pl.DataFrame, arms: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Return estimates where these counts of both arms are shown, and none where one is suppressed."""
    shown = pl.lit(not any(arms[column].null_count() for column in columns))
    return effects.with_columns(pl.when(shown).then(c).alias(c) for c in ("estimate", "standard_error"))


def window_relations(periods: pl.DataFrame, settings: Mapping[str, Any]) -> Iterator[Relation]:
    """Yield that who has the event in a period is one of the arm, and has it in the year, of which the periods are parts.

    A year before or after may be published beside them, by another result of the same people.
    """
    for arm in periods["arm"].unique(maintain_order=True):
        own = periods.filter(pl.col("arm") == arm)
        whole = arm_cells({"arm": arm}, "n_persons", settings)
        for after in (True, False):
            rows = [row for row in own.iter_rows(named=True) if (row["first_day"] > 0) == after]
            rows.sort(key=lambda row: abs(row["first_day"] + row["last_day"]))
            ends = (1, YEAR) if after else (-YEAR, -1)
            year = arm_cells({"arm": arm, "first_day": ends[0], "last_day": ends[1]}, "n_with_event", settings)
            parts: list[CellDefinition] = []
            reached = 0
            for row in rows:
                cell = arm_cells(row, "n_with_event", settings)
                yield Nested(cell, whole)
                far = max(abs(row["first_day"]), abs(row["last_day"]))
                if far <= YEAR and cell != year:
                    yield Nested(cell, year)
                # parts that follow one another from time zero on, up to the year's end or beyond it
                if reached < YEAR and min(abs(row["first_day"]), abs(row["last_day"])) == reached + 1:
                    parts, reached = [*parts, cell], far
            if reached >= YEAR and len(parts) > 1:
                yield Covered(year, tuple(parts))


def arms_table(matched: Matched) -> pl.DataFrame:
    """Return the number of people who are enrolled, and who are controls; each counted once, however often a control."""
    sets = matched._sets
    used, treated = matched._weight > 0, sets.treated
    people = [len(np.unique(sets.person[used & group])) for group in (treated, ~treated)]
    return pl.DataFrame({"arm": ARMS, "n_persons": people}, schema={"arm": pl.String, "n_persons": pl.Int64})


def one_side_shown(arms: pl.DataFrame) -> bool:
    """Whether the people of both arms are shown."""
    return not arms["n_persons"].null_count()


def stepped_to(figure: pl.Expr, base: int, people: Any) -> pl.Expr:
    """Return a figure to a step of 1, 2 or 5 times a power of ten, no finer than a hundredth or `base` people make it."""
    least = max(base / max(int(people or 1), 1), 0.01)
    power = 10.0 ** np.floor(np.log10(least) + 1e-12)
    step = float(next(k * power for k in (1, 2, 5, 10) if k * power >= least * (1 - 1e-9)))
    return (figure / step).round() * step


def released_estimates(frame: pl.DataFrame, confidence: float, policy: Policy) -> pl.DataFrame:
    """Return estimates and standard errors as exact as the rounded counts behind them, and none of few people (decision 11).

    `cell` is the smallest count of people behind each, `unit` what one would be in proportion to, `free` events less coefficients.
    """
    cell, unit, free = (frame[c].cast(pl.Float64).to_numpy() for c in ("cell", "unit", "free"))
    value, error = (frame[c].fill_null(float("nan")).to_numpy() for c in ("estimate", "standard_error"))
    few = (cell <= policy.threshold) | (free < FEWEST_FREE) | ~np.isfinite(value) | ~(error > 0)
    there = np.where(few, 1.0, value), np.where(few, 1.0, error)
    rounded, wide = as_exact_as_counts(
        *there, np.maximum(cell, 1.0), 1 / np.maximum(unit, 1e-12), confidence, policy.rounding
    )
    return frame.with_columns(
        pl.Series("estimate", np.where(few, np.nan, rounded)).fill_nan(None),
        pl.Series("standard_error", np.where(few, np.nan, wide)).fill_nan(None),
    )
