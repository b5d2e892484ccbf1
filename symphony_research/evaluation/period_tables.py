"""What before and after have in common: counts by period and arm, how they are released, and estimates with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from symphony_research.cohort.periods import PeriodRows
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.release import ARMS, arm_cells
from symphony_research.result.roles import Count, Internal, Key, Known, ModelEstimate, Role, TableRoles

__all__ = [
    "DAYS_A_YEAR",
    "HUNDRED_YEARS",
    "effect_roles",
    "effects_frame",
    "fewest_people",
    "period_roles",
    "periods_table",
    "require_days",
    "shown_cells",
]

Tables = Mapping[str, pl.DataFrame]
DAYS_A_YEAR = 365.25
HUNDRED_YEARS = 100 * DAYS_A_YEAR
EFFECT = {
    "scale": pl.String, "estimate": pl.Float64, "standard_error": pl.Float64, "cell": pl.Int64, "unit": pl.Float64,
    "free": pl.Int64,
}  # fmt: skip


def require_days(name: str, value: object) -> None:
    """Raise ArgumentError unless it is an integer number of days."""
    if type(value) is not int or value < 1:
        raise ArgumentError(f"{name}={value!r} must be an integer number of days, at least 1.")


def period_roles() -> dict[str, TableRoles]:
    """Return the roles of people by arm, and of those with the event by period and arm."""
    return {
        "arms": TableRoles({"arm": Key(), "n_persons": Count()}, arm_cells),
        "periods": TableRoles(
            {
                "arm": Key(), "period": Key(), "first_day": Known(), "last_day": Known(), "n_with_event": Count(),
                "share_observed": ModelEstimate(), "rate": ModelEstimate(),
            },
            arm_cells,
        ),
    }  # fmt: skip


def effect_roles(**keys: Role) -> TableRoles:
    """Return the roles of estimates by these keys."""
    return TableRoles(
        {
            **keys, "scale": Known(), "estimate": ModelEstimate(), "standard_error": ModelEstimate(), "cell": Internal(),
            "unit": Internal(), "free": Internal(),
        }
    )  # fmt: skip


def effects_frame(rows: Sequence[tuple[Any, ...]], **keys: Any) -> pl.DataFrame:
    """Return estimates as a frame: the keys, then scale, estimate, standard error, cell, unit and free."""
    frame = pl.DataFrame(rows, schema={**keys, **EFFECT}, orient="row")
    return frame.with_columns(pl.col("estimate", "standard_error").fill_nan(None))


def periods_table(found: PeriodRows, periods: Sequence[tuple[Any, int, int]]) -> dict[str, pl.DataFrame]:
    """Return people by arm, and those with the event by period and arm, with rates per 100 person-years.

    Parameters
    ----------
    found : PeriodRows
    periods : sequence of (name, first day, last day)
    """
    arms, rows = [], []
    for arm, own in zip(ARMS, (found.treated, ~found.treated), strict=True):
        if not own.any():
            continue
        w, person = found.weight[own], found.person[own]
        arms.append((arm, len(np.unique(person))))
        for k, (name, first, last) in enumerate(periods):
            events, days = found.events[own, k], found.days[own, k]
            time = float(w @ days)
            rows.append(
                (
                    arm, name, first, last, len(np.unique(person[events > 0])), time / (w.sum() * (last - first + 1)),
                    float(w @ events) / time * HUNDRED_YEARS if time else None,
                )
            )  # fmt: skip
    kind = pl.String if isinstance(periods[0][0], str) else pl.Int64
    schema = {
        "arm": pl.String, "period": kind, "first_day": pl.Int64, "last_day": pl.Int64, "n_with_event": pl.Int64,
        "share_observed": pl.Float64, "rate": pl.Float64,
    }  # fmt: skip
    return {
        "arms": pl.DataFrame(arms, schema={"arm": pl.String, "n_persons": pl.Int64}, orient="row"),
        "periods": pl.DataFrame(rows, schema=schema, orient="row"),
    }


def fewest_people(found: PeriodRows, table: pl.DataFrame, periods: Sequence[Any], arms: Sequence[str] = ARMS) -> int:
    """Return the smallest number of people with the event in some periods, of controls no more than tell by their weights."""
    counts = table.filter(pl.col("period").is_in(list(periods)) & pl.col("arm").is_in(list(arms)))["n_with_event"]
    least = int(counts.min() or 0)  # type: ignore[arg-type]
    controls = ~found.treated
    if ARMS[1] in arms and controls.any():
        by_person = np.bincount(found.person[controls], found.weight[controls])
        least = min(least, int(by_person.sum() ** 2 / (by_person**2).sum()))
    return least


def shown_cells(tables: Tables, periods: Sequence[Any], arms: Sequence[str] = ARMS) -> bool:
    """Whether the people of arms, and those with the event in some periods, are shown."""
    people = tables["arms"].filter(pl.col("arm").is_in(list(arms)))["n_persons"]
    own = pl.col("period").is_in(list(periods)) & pl.col("arm").is_in(list(arms))
    return not (people.null_count() or tables["periods"].filter(own)["n_with_event"].null_count())
