"""Who was at risk when: the one table that every estimator of this room is computed from.

An event table (see `collapse.event_table`) holds people by `kind`: -1 entered
late, 0 censored, 1, 2, ... the cause. People are at risk after their entry and
up to their own time, so a tie between an event and a censoring counts the
censored person as at risk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from symphony_research.result import CountTable

__all__ = ["EVENT_COUNTS", "causes_of", "risk_table", "trim_events"]

EVENT_COUNTS: Mapping[str, CountTable] = {
    "events": CountTable(("n_persons",), cumulative="time", within=("kind",)),
}


def causes_of(events: pl.DataFrame) -> list[int]:
    """Return the causes, in order."""
    return sorted(events.filter(pl.col("kind") > 0)["kind"].unique().to_list())


def risk_table(events: pl.DataFrame, by: tuple[str, ...], causes: list[int]) -> pl.DataFrame:
    """Return one row per stratum and time at which somebody left.

    Columns `by`, `time`, `n_at_risk`, `n_censored`, `n_events` (any cause) and
    `n_1`, `n_2`, ... for each of the causes.
    """
    people, kind = pl.col("n_persons"), pl.col("kind")
    wide = (
        events.group_by([*by, "time"])
        .agg(
            people.filter(kind == -1).sum().alias("__entered"),
            people.filter(kind == 0).sum().alias("n_censored"),
            people.filter(kind > 0).sum().alias("n_events"),
            *[people.filter(kind == cause).sum().alias(f"n_{cause}") for cause in causes],
        )
        .sort([*by, "time"], nulls_last=True)
    )
    change = pl.col("n_events") + pl.col("n_censored") - pl.col("__entered")
    over: list[Any] = list(by) or [pl.lit(0)]
    at_risk = change.cum_sum(reverse=True).over(over)
    return (
        # rounding entries and exits apart may leave fewer at risk than had an event; never so with exact counts
        wide.with_columns(pl.max_horizontal(at_risk, "n_events").alias("n_at_risk"))
        .filter(pl.col("n_events") + pl.col("n_censored") > 0)
        .drop("__entered")
    )


def trim_events(events: pl.DataFrame, threshold: int, by: tuple[str, ...]) -> pl.DataFrame:
    """End each curve before the number at risk falls to the threshold.

    Whoever was still followed is counted as leaving at the last time shown. A
    stratum that starts at or below the threshold is left out altogether.
    """
    causes = causes_of(events)
    table = risk_table(events, by, causes)
    few = table.filter(pl.col("n_at_risk") <= threshold)
    cut = (
        few.group_by(by).agg(pl.col("time").min().alias("__cut"))
        if by
        else few.select(pl.col("time").min().alias("__cut"))
    )
    if not few.height:
        return events

    def with_cut(frame: pl.DataFrame) -> pl.DataFrame:
        if by:
            return frame.join(cut, on=list(by), how="left", nulls_equal=True)
        return frame.join(cut, how="cross")

    early = pl.col("__cut").is_null() | (pl.col("time") < pl.col("__cut"))
    kept = with_cut(events).filter(early).drop("__cut")
    shown = with_cut(table)
    last = (
        shown.filter(early).group_by(by).agg(pl.col("time").max())
        if by
        else shown.filter(early).select(pl.col("time").max())
    )
    remaining = shown.filter(pl.col("time") == pl.col("__cut")).select([*by, "n_at_risk"])
    if by:
        rest = remaining.join(last, on=list(by), how="inner", nulls_equal=True)
        # a stratum without one shown time keeps nothing, its late entries included
        kept = kept.join(last.select(by), on=list(by), how="semi", nulls_equal=True)
    else:
        rest = remaining.join(last.drop_nulls(), how="cross")
        kept = kept if last["time"][0] is not None else kept.clear()
    moved = rest.select(
        [
            *[pl.col(c) for c in by],
            pl.lit(0, dtype=pl.Int32).alias("kind"),
            pl.col("time"),
            pl.col("n_at_risk").alias("n_persons"),
        ]
    )
    return (
        pl.concat([kept, moved.cast(kept.schema)])
        .group_by([*by, "kind", "time"])
        .agg(pl.col("n_persons").sum())
        .filter(pl.col("n_persons") > 0)
        .sort([*by, "kind", "time"], nulls_last=True)
    )
