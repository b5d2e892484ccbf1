"""Spells of one person that touch or overlap, joined to one."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

__all__ = ["joined_spells"]

_APART = 10_000_000  # days: more than between any two dates


def joined_spells(
    spells: pl.LazyFrame, *, start: str, end: str, touch_days: int = 0, order: Sequence[str] = ()
) -> pl.LazyFrame:
    """Number the spells of each person by the unbroken run that they belong to.

    Parameters
    ----------
    spells : polars.LazyFrame
        `person_id`, `start`, `end`: dates, none of them missing.
    start, end : str
        Columns of the first and last day.
    touch_days : int, default 0
        Days that a spell may start after the latest day of those before and still belong to them: 0 where it must start
        by that day, 1 where the day after will do.
    order : sequence of str
        Columns by which spells that start on one day are sorted.

    Returns
    -------
    polars.LazyFrame
        The same rows, sorted by person and start, and `run`: 1, 2, ... within each person.

    Examples
    --------
    >>> from datetime import date
    >>> days = {"start": [date(2012, 1, 1), date(2012, 1, 4)], "end": [date(2012, 1, 4), date(2012, 1, 9)]}
    >>> frame = pl.LazyFrame({"person_id": [1, 1], **days})
    >>> joined_spells(frame, start="start", end="end").collect()["run"].to_list()
    [1, 1]
    """
    ordered = spells.sort("person_id", start, *order, end)
    # without windows over millions of people: rows of a person follow one another, and ends of later people are larger
    fresh = (pl.col("person_id") != pl.col("person_id").shift(1)).fill_null(True)
    numbered = ordered.with_columns(fresh.alias("__first"), fresh.cast(pl.Int64).cum_sum().alias("__number"))
    day = pl.col(end).dt.epoch("d").cast(pl.Int64)
    latest = (pl.col("__number") * _APART + day).cum_max().shift(1) - pl.col("__number") * _APART
    since = pl.col(start).dt.epoch("d").cast(pl.Int64)
    breaks = (pl.col("__first") | (since > latest + touch_days)).cast(pl.Int64).cum_sum()
    return (
        numbered.with_columns(breaks.alias("__run"))
        .with_columns((pl.col("__run") - pl.when("__first").then("__run").forward_fill() + 1).alias("run"))
        .drop("__first", "__number", "__run")
    )
