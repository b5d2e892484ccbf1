"""People and their recurrent events, checked, and what is estimated from them by day; the one part that reads people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from symphony_research.collapse.frames import as_lazy
from symphony_research.collapse.margins import same_stratum
from symphony_research.errors import ArgumentError
from symphony_research.inference import Array
from symphony_research.survival.recurrent_events import FollowUp, mean_count

__all__ = ["checked_people", "daily_means", "follow_up_of"]


def checked_people(
    events: Any, persons: Any, time: str, person: str, end: str, died: str, entry: str | None, by: tuple[str, ...]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return people with their number, and events with that number.

    Raises
    ------
    ArgumentError
        With counts of rows.
    """
    chosen = tuple(c for c in (person, end, died, entry, *by) if c is not None)
    people = as_lazy(persons, columns=chosen).collect().select(
        pl.col(person).alias("__person"), pl.col(end).alias("__end"), pl.col(died).alias("__died"),
        *([pl.col(entry).alias("__entry")] if entry else []), *by,
    )  # fmt: skip
    happened = as_lazy(events, columns=(person, time)).collect().select(
        pl.col(person).alias("__person"), pl.col(time).alias("__time")
    )  # fmt: skip
    for name, column in ((end, people["__end"]), (time, happened["__time"])):
        if not column.dtype.is_numeric():
            raise ArgumentError(f"Column '{name}' is {column.dtype}; a number is needed.")
    joined = happened.join(people.with_row_index("__place"), on="__person", how="left", maintain_order="left")
    t = pl.col("__time").cast(pl.Float64)
    faults = {
        "people have no id": people["__person"].null_count(),
        "rows of people are of somebody who stands there before": people.height - people["__person"].n_unique(),
        "events are of nobody among the people": joined["__place"].null_count(),
        "events have no finite time": int(happened.select((~t.is_finite()).fill_null(True).sum()).item()),
        "events are after the end of follow-up": int(
            joined.select((t > pl.col("__end")).fill_null(False).sum()).item()
        ),
        "events are before the start of follow-up": int(
            joined.select((t <= pl.col("__entry") if entry else t < 0).fill_null(False).sum()).item()
        ),
    }
    found = [f"{n:,} {what}" for what, n in faults.items() if n]
    if found:
        raise ArgumentError("; ".join(found) + ".")
    return people, joined


def follow_up_of(people: pl.DataFrame, happened: pl.DataFrame, names: Mapping[str, Any]) -> FollowUp:
    """Return the follow-up and the events of one group, as arrays."""
    own = same_stratum(people.with_row_index("__place"), dict(names)) if names else people.with_row_index("__place")
    mine = same_stratum(happened, dict(names)) if names else happened
    number = np.zeros(people.height, dtype=np.int64)
    number[own["__place"].to_numpy()] = np.arange(own.height)
    late = "__entry" in own.columns
    return FollowUp(
        entry=own["__entry"].cast(pl.Float64).to_numpy() if late else np.full(own.height, -np.inf),
        end=own["__end"].cast(pl.Float64).to_numpy(),
        died=own["__died"].cast(pl.Int64).to_numpy(),
        person=number[mine["__place"].to_numpy()],
        time=mine["__time"].cast(pl.Float64).to_numpy(),
    )


def daily_means(daily: pl.DataFrame, followed: Sequence[FollowUp], groups: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return the daily means and counts of each group."""
    parts = []
    for group, names in zip(followed, groups, strict=True):
        found = mean_count(group)
        counts: dict[str, Array] = {
            "n_at_risk": found.at_risk, "n_events": found.events, "n_deaths": found.deaths, "n_censored": found.censored,
            "n_with_event": found.with_event,
        }  # fmt: skip
        table = pl.DataFrame(
            {"time": found.times, **{k: v.astype(np.int64) for k, v in counts.items()}, "estimate": found.mean,
             "variance": found.variance, "spread": found.spread}
        )  # fmt: skip
        own = [pl.lit(value, dtype=daily.schema[c]).alias(c) for c, value in names.items()]
        parts.append(table.with_columns(pl.col("spread").fill_nan(None)).select(*own, pl.all()))
    return pl.concat(parts)
