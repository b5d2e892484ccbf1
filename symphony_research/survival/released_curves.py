"""The rows of a released curve: its counts on the grid as they were released, and the actuarial estimates from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from symphony_research.collapse.margins import same_stratum
from symphony_research.inference import Array
from symphony_research.survival.actuarial import Estimate, cumulative_incidence_on_grid, survival_on_grid
from symphony_research.survival.grid import AT_RISK, CENSORED, event_state, strata_of

__all__ = ["counts_on_grid", "estimates_on_grid"]


def estimates_on_grid(
    grid: pl.DataFrame,
    settings: Mapping[str, Any],
    by: tuple[str, ...],
    causes: Sequence[int],
    of_one_event: Callable[..., Estimate] = survival_on_grid,
) -> pl.DataFrame:
    """Return the actuarial estimates of every stratum, and the cumulative counts as they were released.

    Where no causes compete `of_one_event` estimates: by default the share free of the event.
    """
    released, kind = settings.get("released"), (settings["confidence"], settings["interval"])
    states = [event_state(cause) for cause in causes or [1]]
    numbers = ("n_at_risk", "n_events", "n_censored")
    columns = ("estimate", "standard_error", "lower", "upper")
    schema: dict[str, Any] = {
        **{c: grid.schema[c] for c in by},
        **({"cause": pl.Int64} if causes else {}),
        "time": pl.Float64, **dict.fromkeys(numbers, pl.Int64), **dict.fromkeys(columns, pl.Float64),
    }  # fmt: skip
    parts = [pl.DataFrame(schema=schema)]
    for names in strata_of(grid, by):
        own = same_stratum(grid, names) if by else grid
        wide, counts = _wide(own, states)
        found = (
            cumulative_incidence_on_grid(counts, states, released, *kind)
            if causes
            else [of_one_event(counts, released, *kind)]
        )
        for k, one in enumerate(found):
            parts.append(
                _grid_rows(wide, states[k], one, {**names, **({"cause": causes[k]} if causes else {})}, schema)
            )
    return pl.concat(parts).sort([*by, *(["cause"] if causes else []), "time"], nulls_last=True)


def _wide(own: pl.DataFrame, states: Sequence[str]) -> tuple[pl.DataFrame, dict[str, Array]]:
    """Return the counts of one stratum, a column a state, as a frame and as arrays with NaN where suppressed."""
    times = own["time"].unique().sort()
    wide = times.to_frame().join(own.pivot("state", index="time", values="n_persons"), on="time", how="left")
    # at 0 nobody has left
    left = [
        pl.when(pl.col("time") > 0).then(pl.col(s) if s in wide.columns else None).otherwise(0).alias(s)
        for s in (*states, CENSORED)
    ]
    wide = wide.with_columns(left).with_columns(pl.exclude("time").cast(pl.Int64))
    return wide, {s: wide[s].cast(pl.Float64).fill_null(float("nan")).to_numpy() for s in wide.columns if s != "time"}


def counts_on_grid(grid: pl.DataFrame, settings: Mapping[str, Any]) -> tuple[Array, dict[str, Array]]:
    """Return the times of one stratum's grid, and its counts by state with NaN where suppressed."""
    wide, counts = _wide(grid, [event_state(cause) for cause in settings.get("causes") or [1]])
    return wide["time"].to_numpy(), counts


def _grid_rows(
    wide: pl.DataFrame, state: str, one: Estimate, names: Mapping[str, Any], schema: Mapping[str, Any]
) -> pl.DataFrame:
    figures = {"estimate": one.estimate, "lower": one.lower, "upper": one.upper}
    return wide.select(
        [pl.lit(value, dtype=schema[c]).alias(c) for c, value in names.items()]
        + [
            "time",
            pl.col(AT_RISK).alias("n_at_risk"),
            pl.col(state).alias("n_events"),
            pl.col(CENSORED).alias("n_censored"),
        ]
        + [pl.lit(None, dtype=pl.Float64).alias("standard_error")]
        + [pl.Series(name, values).fill_nan(None) for name, values in figures.items()]
    ).select(list(schema))
