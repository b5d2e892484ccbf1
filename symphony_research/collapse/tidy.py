"""Follow-up collapsed to counts of what happened when."""

from __future__ import annotations

from typing import Any

import polars as pl

from symphony_research.collapse.collapsed import Collapsed, follow_up_columns
from symphony_research.collapse.frames import as_lazy, refuse_names
from symphony_research.collapse.levels import level
from symphony_research.collapse.tally import tallied
from symphony_research.collapse.ties import with_ties
from symphony_research.errors import ArgumentError

__all__ = ["event_table"]

MOST_PEOPLE = 10**10  # a row standing for more is not a count of people, and sums of counts must fit 64 bits
MOST_CAUSES = 2**31 - 1
_RESERVED = (
    "kind", "time", "n_persons", "n_at_risk", "n_events", "n_censored", "estimate", "standard_error", "lower", "upper",
    "observed", "expected",
)  # fmt: skip


def event_table(
    frame: Any,
    *,
    time: str | None = None,
    event: str | None = None,
    entry: str | None = None,
    by: tuple[str, ...],
    weights: str | None = None,
    clustered: bool = False,
) -> pl.DataFrame:
    """Collapse follow-up to counts of what happened when.

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    time, event : str, optional
        Time at which follow-up ends, and how: 0 (or False) = censored,
        otherwise the cause, 1, 2, ...; a `Collapsed` names its own.
    entry : str or None
        Time from which the person was observed; they are at risk after it.
    by : tuple of str
        Strata.
    weights : str or None
        Integer numbers of people.
    clustered : bool, default False
        Whether whoever asks allows for several rows of one person; if not, a collapsed table of such rows is refused.

    Returns
    -------
    polars.DataFrame
        Times that differ by rounding alone (0.1 + 0.2 and 0.3) are one time.
        Columns `by`, `kind` (-1 = entered late, 0 = censored, 1, 2, ... = cause),
        `time`, `n_persons`; sorted.

    Raises
    ------
    ArgumentError
        On missing columns, missing values, unknown codes, times that are not numbers or
        not after entry, weights that are not whole; with counts of rows.
    """
    time, event, entry, weights = follow_up_columns(frame, time=time, event=event, entry=entry, weights=weights)
    if weights is None and isinstance(frame, Collapsed) and "n_persons" in frame.columns:
        raise ArgumentError(
            "This table is collapsed: each row stands for the people in its column n_persons. Pass weights='n_persons'."
        )
    if isinstance(frame, Collapsed):
        frame.require_distinct(by)
        if not clustered:
            frame.require_independent()
    wanted = tuple(name for name in (time, event, entry, weights, *by) if name is not None)
    people = as_lazy(frame, columns=wanted)
    schema = people.collect_schema()
    for name in (time, entry, weights):
        if name is not None and not schema[name].is_numeric():
            raise ArgumentError(f"Column '{name}' is {schema[name]}; a number is needed.")
    if not (schema[event] == pl.Boolean or schema[event].is_numeric()):
        raise ArgumentError(f"Event column '{event}' is {schema[event]}; it must be Boolean, or 0, 1, 2, ...")
    counts_by_cause = [name for name in by if name.startswith("n_") and name[2:].isdigit()]
    refuse_names(by, (*_RESERVED, *counts_by_cause), what="by")
    counted = None
    if weights is None and not isinstance(frame, pl.LazyFrame):  # in memory: many people share a day
        counted = tallied(people.select(list(dict.fromkeys(wanted))).collect(), "__weight")
        people = people if counted is None else counted.lazy()
    people = people.select(
        *[level(name, schema[name]) for name in by],
        pl.col(time).alias("__time"),
        pl.col(event).cast(pl.Float64).alias("__event"),
        (pl.col(entry) if entry else pl.lit(None, dtype=pl.Float64)).alias("__entry"),
        (pl.col(weights) if weights else pl.col("__weight") if counted is not None else pl.lit(1, dtype=pl.Int64))
        .alias("__weight"),
    )  # fmt: skip
    if weights is None and counted is None:  # faults and ties are looked for in what is left
        keys = [*by, "__time", "__event", "__entry"]
        people = people.group_by(keys).agg(pl.len().cast(pl.Int64).alias("__weight")).collect(engine="streaming").lazy()
    _refuse_faults(people, time, event, entry, weights)
    people = with_ties(people, ["__time", "__entry"] if entry else ["__time"])
    summed = pl.col("__weight").cast(pl.Int64).sum().alias("n_persons")
    left = people.group_by([*by, "__event", "__time"]).agg(summed)
    tables = [
        left.select(
            [
                *by,
                pl.col("__event").cast(pl.Int32).alias("kind"),
                pl.col("__time").alias("time"),
                "n_persons",
            ]
        )
    ]
    if entry:
        came = people.group_by([*by, "__entry"]).agg(summed)
        kind = schema[time] if schema[time] == schema[entry] else pl.Float64
        tables = [tables[0].with_columns(pl.col("time").cast(kind))]
        tables.append(
            came.select(
                [
                    *by,
                    pl.lit(-1, dtype=pl.Int32).alias("kind"),
                    pl.col("__entry").cast(kind).alias("time"),
                    "n_persons",
                ]
            )
        )
    table = pl.concat(tables).filter(pl.col("n_persons") > 0).collect(engine="streaming")
    return table.sort([*by, "kind", "time"], nulls_last=True)


def _refuse_faults(people: pl.LazyFrame, time: str, event: str, entry: str | None, weights: str | None) -> None:
    t, e, w = pl.col("__time"), pl.col("__event"), pl.col("__weight").cast(pl.Float64)
    came = pl.col("__entry")
    # not-a-number counts as the largest of all where Polars compares, so every limit is asked of finite numbers
    faults = {
        f"no finite number in time column '{time}'": _no_number(t),
        f"a time below zero in column '{time}'": ~_no_number(t) & (t < 0) if entry is None else pl.lit(False),
        f"no code in event column '{event}'": e.is_null() | e.is_nan(),
        f"a code in event column '{event}' that is not 0, 1, 2, ...": (
            e.is_not_nan() & ((e < 0) | (e > MOST_CAUSES) | (e != e.floor()))
        ),
        f"a weight in column '{weights}' that is not an integer number of people": (
            (_no_number(w) | (w < 0) | (w > MOST_PEOPLE) | (w != w.floor())) if weights else pl.lit(False)
        ),
        f"no finite number in entry column '{entry}'": _no_number(came) if entry else pl.lit(False),
        "a time that is not after entry": (
            ~_no_number(t) & ~_no_number(came) & (t <= came) if entry else pl.lit(False)
        ),
    }
    rows = pl.lit(1, dtype=pl.Int64) if weights else pl.col("__weight")
    counts = people.select(
        [(condition.fill_null(False) * rows).sum().alias(str(i)) for i, condition in enumerate(faults.values())]
    ).collect(engine="streaming")
    found = [f"{counts[str(i)][0]:,} rows have {what}" for i, what in enumerate(faults) if counts[str(i)][0]]
    if found:
        raise ArgumentError("; ".join(found) + ".")


def _no_number(column: pl.Expr) -> pl.Expr:
    value = column.cast(pl.Float64)
    return value.is_null() | value.is_nan() | value.is_infinite()
