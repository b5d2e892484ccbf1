"""Who was at risk when, by day: what the exact estimates and tests of this room are computed from.

`events` holds people by `kind`: -1 entered late, 0 censored, 1, 2, ... the
cause (see `collapse.event_table`). People are at risk after their entry and up
to their own time, so a tie between an event and a censoring counts the censored
person as at risk. Without late entry everybody is at risk from the start.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from symphony_research.inference import Array

__all__ = ["at_risk", "causes_of", "over", "risk_table", "starts_at"]


def causes_of(events: pl.DataFrame) -> list[int]:
    """Return the causes, in order."""
    return sorted(events.filter(pl.col("kind") > 0)["kind"].unique().to_list())


def risk_table(events: pl.DataFrame, by: tuple[str, ...], causes: Sequence[int]) -> pl.DataFrame:
    """Return one row per stratum and time at which somebody had an event or was censored.

    Columns `by`, `time`, `n_at_risk`, `n_censored`, `n_events` (any cause) and
    `n_1`, `n_2`, ... for each of the causes.
    """
    people, kind = pl.col("n_persons"), pl.col("kind")
    came, left = pl.col("__came"), pl.col("n_events") + pl.col("n_censored")
    table = (
        events.group_by([*by, "time"])
        .agg(
            people.filter(kind == -1).sum().alias("__came"),
            people.filter(kind == 0).sum().alias("n_censored"),
            people.filter(kind > 0).sum().alias("n_events"),
            *[people.filter(kind == cause).sum().alias(f"n_{cause}") for cause in causes],
        )
        .sort([*by, "time"], nulls_last=True)
    )
    still = (left - came).cum_sum(reverse=True).over(over(by))
    return table.with_columns(still.alias("n_at_risk")).filter(left > 0).drop("__came")


def at_risk(events: pl.DataFrame, times: Array) -> Array:
    """Return the people of one stratum at risk at each time."""
    kinds, moments, people = (events[c].to_numpy() for c in ("kind", "time", "n_persons"))
    found: Array = np.zeros(len(times))
    # those who leave at the time or later, less those who enter at it or later
    for which, sign in ((kinds >= 0, 1), (kinds < 0, -1)):
        order = np.argsort(moments[which])
        later = np.append(np.cumsum(people[which][order][::-1])[::-1], 0)
        found = found + sign * later[np.searchsorted(moments[which][order], times, side="left")]
    return found


def starts_at(events: pl.DataFrame) -> float:
    """Return the time from which anybody of a stratum is at risk: 0, or with late entry the first entry."""
    entries = events.filter(pl.col("kind") < 0)["time"]
    return float(entries.min()) if len(entries) else 0.0  # type: ignore[arg-type]


def over(by: tuple[str, ...]) -> list[str | pl.Expr]:
    """Return what a window goes over: the strata, or everybody."""
    return list(by) or [pl.lit(0)]
