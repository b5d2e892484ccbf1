"""Landmark analysis: the clock starts again for those who are still at risk and free of any event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from symphony_research.collapse import Collapsed, column_names, event_table, follow_up_columns, names_of, provenance_of
from symphony_research.collapse.frames import as_lazy
from symphony_research.collapse.ties import tie_width
from symphony_research.errors import ArgumentError
from symphony_research.result import passed_on

__all__ = ["landmark"]


def landmark(
    frame: Any,
    *,
    time: str | None = None,
    event: str | None = None,
    at: float,
    entry: str | None = None,
    by: str | Sequence[str] = (),
    weights: str | None = None,
) -> Collapsed:
    """Collapse follow-up after a landmark, time counted from it, of those still at risk at it.

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    time, event : str, optional
        Column with the time at which follow-up ends, and how: 0 = censored, 1, 2, ... = cause. What
        `Cohort.follow_up` returns names them itself.
    at : float
        The landmark, in the unit of `time`. A curve after it can be released only if it is a time of the
        grid; its own grid is then everybody's, counted from the landmark.
    entry : str, optional
        Column with the time from which each person was observed. Whoever enters after the landmark is excluded.
    by : str or sequence of str, optional
        Columns that are kept: strata or groups, known at the landmark.
    weights : str, optional
        Integer numbers of people a row stands for.

    Returns
    -------
    Collapsed
        `time` and `event` under their own names, the columns `by`, and `n_persons`: for any
        estimator of time with `weights="n_persons"`. Whoever had any event up to and
        including the landmark is excluded; whoever is censored at it is in, with time 0.

    Raises
    ------
    ArgumentError
        On missing columns, missing values, a landmark below 0, or nobody at risk at it; with counts of rows.

    Notes
    -----
    Groups that form during follow-up (a response, a further prescription) must be compared from a landmark: whoever
    has the event early has no time to join a group, and is "immortal" in it until then.

    References
    ----------
    Anderson, J. R., Cain, K. C. and Gelber, R. D. (1983). Analysis of survival by tumor response.
    Journal of Clinical Oncology 1, 710-719.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 3, 4], "event": [1, 1, 0, 1]})
    >>> later = sr.survival.landmark(people, time="time", event="event", at=2)
    >>> curve = sr.survival.kaplan_meier(later, time="time", event="event", weights="n_persons")
    >>> curve.estimates.select("time", "n_at_risk").rows()
    [(1, 2), (2, 1)]
    """
    if (gone := passed_on(frame)) is not None:
        return gone
    if isinstance(at, bool) or not isinstance(at, (int, float)) or not 0 <= at < float("inf"):
        raise ArgumentError(f"at={at!r} must be a time of 0 or more, in the unit of '{time}'.")
    by = names_of(by, column_names(frame))
    # which refuses what is no follow-up, with counts of rows
    time, event, entry, weights = follow_up_columns(frame, time=time, event=event, entry=entry, weights=weights)
    events = event_table(frame, time=time, event=event, entry=entry, by=by, weights=weights)
    width = tie_width(events["time"])
    people = as_lazy(frame, columns=tuple(c for c in (time, event, entry, weights, *by) if c is not None))
    after, happened = pl.col(time) - at, pl.col(event).cast(pl.Int64) > 0
    there = (after > width) | ((after.abs() <= width) & ~happened)
    if entry is not None:
        there = there & (pl.col(entry) <= at + width)
    counted = pl.col(weights).cast(pl.Int64).sum() if weights else pl.len().cast(pl.Int64)
    kept = (
        people.filter(there)
        .with_columns(pl.when(after.abs() <= width).then(0).otherwise(after).alias(time))
        .group_by([*by, event, time])
        .agg(counted.alias("n_persons"))
        .filter(pl.col("n_persons") > 0)
        .sort([*by, event, time], nulls_last=True)
        .collect()
    )
    if not kept.height:
        raise ArgumentError(f"Nobody is at risk at {at:g}: all had an event or were censored before, or entered after.")
    provenance = provenance_of(frame)
    return Collapsed(
        kept,
        replace(provenance, landmark=provenance.landmark + float(at)),
        tuple(by),
        time=time,
        event=event,
        weights="n_persons",
    )
