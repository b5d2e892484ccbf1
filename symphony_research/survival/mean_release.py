"""The form in which mean cumulative counts are released: people on the grid, means to coarse steps, limits outwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from symphony_research.collapse.margins import same_stratum
from symphony_research.policy import Policy
from symphony_research.survival.base import Tables
from symphony_research.survival.grid import AT_RISK, grid_until, strata_of
from symphony_research.survival.released_curves import counts_on_grid

__all__ = ["RELEASED_MEANS", "coarse_means", "means_on_grid", "stepped"]

RELEASED_MEANS = ("estimate", "lower_limit", "upper_limit")


def coarse_means(
    daily: pl.DataFrame, tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy
) -> pl.DataFrame:
    """Return the means at the grid's times, to steps of more events than a suppressed count may be of people."""
    daily = daily.hstack(tables["recurrent"].select("n_with_event", "spread"))
    grid = grid_until(tables["events"], settings)
    schema: dict[str, Any] = {
        **{c: daily.schema[c] for c in by},
        "time": pl.Float64,
        **dict.fromkeys(RELEASED_MEANS, pl.Float64),
    }
    rows = []
    for names in strata_of(daily, by):
        own, events = (same_stratum(t, names) if by else t for t in (daily, tables["events"]))
        people = int(events.filter(pl.col("kind") >= 0)["n_persons"].sum())
        base = max(policy.rounding, 1)
        few = (policy.threshold + 1) / max(round(people / base) * base, 1)
        wide = own.with_columns(policy.spread_wide_enough("spread").fill_null(True).alias("__wide"))
        times = wide["time"].to_numpy()
        for moment in grid:
            at = int(np.searchsorted(times, moment, side="right")) - 1
            row = wide.row(at, named=True) if at >= 0 else None
            if row is None or row["n_with_event"] == 0:
                rows.append({**names, "time": moment, "estimate": 0.0, "lower_limit": None, "upper_limit": None})
                continue
            shown = row["n_with_event"] > policy.threshold and row["__wide"]
            values = stepped(row["estimate"], row["lower"], row["upper"], few) if shown else (None, None, None)
            rows.append({**names, "time": moment, **dict(zip(RELEASED_MEANS, values, strict=True))})
    return pl.DataFrame(rows, schema=schema)


def stepped(value: float, lower: float, upper: float, least: float) -> tuple[float, float, float]:
    """Round a mean to a step of 1, 2 or 5 times a power of ten, no finer than two figures or `least`; its limits outwards."""

    def step_of(figure: float) -> float:
        finest = max(least, 10.0 ** (np.floor(np.log10(figure)) - 1) if figure > 0 else 0.0)
        power = 10.0 ** np.floor(np.log10(finest) + 1e-9)
        return float(next(k * power for k in (1, 2, 5, 10) if k * power >= finest * (1 - 1e-9)))

    down, up = step_of(lower), step_of(upper)
    nearest = step_of(value)
    return (
        float(round(round(value / nearest) * nearest, 12)),
        float(round(np.floor(lower / down + 1e-9) * down, 12)),
        float(round(np.ceil(upper / up - 1e-9) * up, 12)),
    )


def means_on_grid(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
    """Return the released means beside the counts of people at the grid's times."""
    grid, means = tables["grid"], tables["means"]
    parts = []
    for names in strata_of(grid, by):
        times, counts = counts_on_grid(same_stratum(grid, names) if by else grid, settings)
        columns = {"n_at_risk": counts[AT_RISK], "n_deaths": counts["event 1"], "n_censored": counts["censored"]}
        own = pl.DataFrame({"time": times, **columns}).with_columns(
            pl.col(c).fill_nan(None).cast(pl.Int64) for c in columns
        )
        shown = same_stratum(means, names) if by else means
        own = own.join(
            shown.select("time", "estimate", lower="lower_limit", upper="upper_limit"),
            on="time",
            how="left",
            maintain_order="left",
        )
        told = [pl.lit(value, dtype=grid.schema[c]).alias(c) for c, value in names.items()]
        parts.append(own.select(
            *told, "time", "n_at_risk", pl.lit(None, dtype=pl.Int64).alias("n_events"), "n_deaths", "n_censored", "estimate",
            pl.lit(None, dtype=pl.Float64).alias("standard_error"), "lower", "upper",
        ))  # fmt: skip
    return pl.concat(parts)
