"""Variance of curves where rows are not independent, as those of one person with several index dates or discharges.

Each row moves an estimate by its influence: the derivative by the weight of the row. The variance is the sum over people
of the square of what their rows add up to, the infinitesimal jackknife. Where every person has one row and nobody enters late it
is Greenwood's, and of competing causes the delta method's.

References
----------
Ying, Z. and Wei, L. J. (1994). The Kaplan-Meier estimate for dependent failure time observations. Journal of Multivariate
Analysis 50, 17-29.
Chen, B. E., Kramer, J. L., Greene, M. H. and Rosenberg, P. S. (2008). Competing risks analysis of correlated failure time
data. Biometrics 64, 172-179.
Therneau, T. (2024). survival: `survfit(cluster=)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from symphony_research.collapse import Collapsed, as_lazy
from symphony_research.collapse.levels import level
from symphony_research.collapse.margins import same_stratum
from symphony_research.collapse.patterns_of_people import PATTERN, PEOPLE, ROWS
from symphony_research.collapse.ties import at_known_times, tie_width
from symphony_research.errors import ArgumentError, require_columns
from symphony_research.inference import Array
from symphony_research.survival.grid import strata_of
from symphony_research.survival.risk import risk_table

__all__ = ["cluster_of", "clustered_tables", "errors_of"]

MOST_CELLS = 4_000_000  # influences held at once: rows times the times of the curve


def cluster_of(frame: Any, cluster: str | None) -> str | None:
    """Return what several rows may be of: the column named, or what a collapsed table says itself."""
    return frame.cluster if isinstance(frame, Collapsed) else cluster


def clustered_tables(
    frame: Any, events: pl.DataFrame, cluster: str | None, columns: Mapping[str, Any], causes: Sequence[int] = ()
) -> dict[str, pl.DataFrame]:
    """Compute the standard errors of a curve by person, as the table "clustered"; no table where rows are independent.

    Parameters
    ----------
    frame : Collapsed or frame
        Of people who may have several rows; a frame has the column `cluster` with their ids.
    events : polars.DataFrame
        What `event_table` makes of it.
    cluster : str or None
    columns : mapping
        `time`, `event`, `entry`, `by` and `weights`, as `event_table` takes them.
    causes : sequence of int, optional
        Those that compete; without any, the error of Kaplan-Meier's estimate.

    Returns
    -------
    dict of str to polars.DataFrame
        Strata, `cause` where there are some, `time`, `standard_error`, a row for each of the curve.

    Raises
    ------
    ArgumentError
        With weights, where ids are missing, or where a table was collapsed without its patterns of people.
    """
    if cluster is None:
        return {}
    by = columns["by"]
    rows = _rows(frame, cluster, **columns)
    known, width = events["time"], tie_width(events["time"])
    rows = rows.with_columns(
        pl.Series(name, at_known_times(rows[name].to_numpy(), known, width)) for name in rows.columns if name in ("__time", "__entry")
    )  # fmt: skip
    table = risk_table(events, by, causes)
    parts = []
    for names in strata_of(table, by):
        own, people = (same_stratum(t, names) if by else t for t in (table, rows))
        kept = [pl.lit(value, dtype=table.schema[c]).alias(c) for c, value in names.items()]
        for cause in causes or (None,):
            error = np.sqrt(_variance(own, people, cause))
            told = [] if cause is None else [pl.lit(cause, dtype=pl.Int64).alias("cause")]
            parts.append(own.select(*kept, *told, "time", pl.Series("standard_error", error)))
    return {"clustered": pl.concat(parts)}


def errors_of(tables: Any, frame: pl.DataFrame, on: Sequence[str], cause: int | None, independent: Array) -> Array:
    """Return a curve's standard errors: those by person where the tables have them, else those of independent rows."""
    if "clustered" not in tables:
        return independent
    found = tables["clustered"]
    found = found if cause is None else found.filter(pl.col("cause") == cause)
    joined = frame.select(on).join(found, on=list(on), how="left", nulls_equal=True, maintain_order="left")
    return np.where(np.isnan(independent), np.nan, joined["standard_error"].to_numpy())


def _rows(
    frame: Any, cluster: str, *, time: str, event: str, entry: str | None, by: tuple[str, ...], weights: str | None
) -> pl.DataFrame:
    """Return rows by pattern of person: strata, time, cause and entry, how many of them one person has, and of how many people."""
    if isinstance(frame, Collapsed):
        people = frame.people
        if people is None or weights != frame.weights:
            raise ArgumentError(
                f"This table does not say which rows are of one {cluster}, so that the variance would not be by {cluster}: take what "
                "Cohort.follow_up returned, and leave weights out."
            )
        schema = people.schema
        counted = [pl.col(PATTERN, ROWS, PEOPLE)]
        lazy = people.lazy()
    else:
        if weights is not None:
            raise ArgumentError(
                "weights counts people of whom a row stands for several; with cluster each row is of one."
            )
        names = [time, event, *([entry] if entry else []), *by, cluster]
        lazy = as_lazy(frame, columns=tuple(dict.fromkeys(names)))
        schema = lazy.collect_schema()
        require_columns(list(schema), [cluster], what="frame")
        missing = lazy.select(pl.col(cluster).null_count()).collect().item()
        if missing:
            raise ArgumentError(f"{missing:,} rows have no value in column '{cluster}', which says whose they are.")
        one = pl.lit(1, dtype=pl.Int64)
        counted = [pl.col(cluster).rank("dense").cast(pl.Int64).alias(PATTERN), one.alias(ROWS), one.alias(PEOPLE)]
    return lazy.select(
        *[level(name, schema[name]) for name in by],
        pl.col(time).cast(pl.Float64).alias("__time"),
        pl.col(event).cast(pl.Int64).alias("__kind"),
        *([pl.col(entry).cast(pl.Float64).alias("__entry")] if entry else []),
        *counted,
    ).collect()


def _variance(table: pl.DataFrame, rows: pl.DataFrame, cause: int | None) -> Array:
    """Return the variance of one stratum's estimate at each time of its table."""
    times = table["time"].cast(pl.Float64).to_numpy()
    n, d = (table[c].cast(pl.Float64).to_numpy() for c in ("n_at_risk", "n_events"))
    after = np.cumprod(1 - d / n)
    total = np.zeros(len(times))
    for part in _parts(rows, len(times)):
        survived = _of_survival(part, times, n, d, after)
        if cause is not None:
            before, d_cause = np.append(1.0, after[:-1]), table[f"n_{cause}"].cast(pl.Float64).to_numpy()
            at_risk, had = _at_risk(part, times), _events(part, times, cause)
            gained = (had - at_risk * (d_cause / n)) * (before / n)
            gained[:, 1:] += survived[:, :-1] * (d_cause / n)[1:]
            survived = np.cumsum(gained, axis=1)
        people, weights = part["__person"].to_numpy(), part[ROWS].to_numpy()[:, None]
        starts = np.flatnonzero(np.append(True, np.diff(people) != 0))
        own = np.add.reduceat(survived * weights, starts, axis=0)
        total += part[PEOPLE].to_numpy()[starts] @ own**2
    return total


def _of_survival(part: pl.DataFrame, times: Array, n: Array, d: Array, after: Array) -> Array:
    """Return by how much each row moves the share free of any event, at each time.

    The derivative of log(1 - d/n) by the weight of a row at risk is d/n less one if it has the event, over n - d.
    """
    left = np.where(n > d, n - d, np.inf)  # once everybody has had it the share is zero whatever one of them weighs
    steps = (_at_risk(part, times) * (d / n) - _events(part, times, None)) / left
    return np.asarray(np.cumsum(steps, axis=1) * after)


def _at_risk(part: pl.DataFrame, times: Array) -> Array:
    """Return 1 where a row is at risk at a time: after its entry, up to its own time."""
    there = part["__time"].to_numpy()[:, None] >= times
    if "__entry" in part.columns:
        there &= part["__entry"].to_numpy()[:, None] < times
    return there.astype(float)


def _events(part: pl.DataFrame, times: Array, cause: int | None) -> Array:
    """Return 1 where a row has the event of a cause, or of any."""
    kind = part["__kind"].to_numpy()
    had = kind > 0 if cause is None else kind == cause
    return ((part["__time"].to_numpy()[:, None] == times) & had[:, None]).astype(float)


def _parts(rows: pl.DataFrame, n_times: int) -> Iterator[pl.DataFrame]:
    """Yield the rows, whole people at a time, few enough to hold their influence at all times."""
    ordered = rows.sort(PATTERN).with_columns(pl.col(PATTERN).rle_id().alias("__person"))
    size = max(MOST_CELLS // max(n_times, 1), 1)
    first = ordered["__person"].to_numpy()
    start = 0
    while start < len(first):
        stop = min(start + size, len(first))
        if stop < len(first):  # to the end of the last person
            stop = int(np.searchsorted(first, first[stop - 1], side="right"))
        yield ordered[start:stop]
        start = stop
