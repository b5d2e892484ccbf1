"""Events and days at risk by period before and after time zero: held, and shown to nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.cohort.events import EVENTS, events_of, require_recorded
from symphony_research.cohort.follow_up import governing_day, provenance_of_period
from symphony_research.cohort.history import Counter
from symphony_research.cohort.rows import PersonRows
from symphony_research.errors import ArgumentError, NotEstimableError, require_one_of
from symphony_research.result import Provenance
from symphony_research.study import Study

__all__ = [
    "EPOCH",
    "PeriodRows",
    "counted_by_period",
    "dated_events",
    "people_among",
    "period_rows_of",
    "require_recurrent",
]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, eq=False, repr=False)
class PeriodRows:
    """What happened to people by period: one row each of somebody who enrolled, or of a control.

    Attributes
    ----------
    treated, weight, person : (n,) arrays
    days, events : (n, periods) arrays
        Days at risk, and events in them.
    """

    treated: NDArray[np.bool_] = field(repr=False)
    weight: Array = field(repr=False)
    person: Whole = field(repr=False)
    days: Array = field(repr=False)
    events: Array = field(repr=False)

    def kept(self, which: NDArray[np.bool_]) -> PeriodRows:
        """Return some of the rows."""
        return PeriodRows(*(getattr(self, one.name)[which] for one in fields(self)))


def require_recurrent(study: Study, event: str) -> None:
    """Refuse an outcome that nobody can have before they enrol, or that is not recorded.

    Raises
    ------
    ArgumentError
        Saying why.
    """
    if event == "death":
        raise NotEstimableError(
            "Nobody who enrols died before, so that deaths have no rate before to compare with: use enrolment_effect.",
            "Nobody who enrols died before, so deaths have no rate before",
        )
    require_one_of(event, [name for name in EVENTS if name not in ("readmission", "death")], argument="outcome")
    require_recorded(study, EVENTS[event])


def people_among(people: pl.DataFrame, person: Whole) -> pl.LazyFrame:
    """Return some of the people by their places: `person_id`, `__person`."""
    return people[np.unique(person).tolist()].lazy().select("person_id", pl.col("__person").cast(pl.Int64))


def dated_events(study: Study, event: str, people: pl.DataFrame, person: Whole) -> pl.DataFrame:
    """Return the days of an event of some of the people: `__person`, `event_date` in days from 1 January 1970."""
    among = people_among(people, person)
    return (
        events_of(study, event, among=among)
        .join(among, on="person_id", how="inner")
        .select("__person", pl.col("event_date").cast(pl.Int32).cast(pl.Int64))
        .collect(engine="streaming")
    )


def counted_by_period(
    dated: pl.DataFrame, person: Whole, day: Whole, since: Whole, until: Whole, periods: Sequence[tuple[int, int]]
) -> tuple[Array, Array]:
    """Return days at risk and events of rows in periods of days from time zero, both ends included.

    Parameters
    ----------
    dated : polars.DataFrame
        As `dated_events` returns it.
    person, day, since, until : arrays
        Of each row the person, time zero, and the first and last day on which they are observed.
    periods : sequence of (first, last)

    Examples
    --------
    >>> one = pl.DataFrame({"__person": [0, 0], "event_date": [95, 103]})
    >>> zero, of = np.array([100]), np.array([0])
    >>> days, events = counted_by_period(one, of, zero, np.array([94]), np.array([104]), [(-10, -1), (1, 10)])
    >>> days.tolist(), events.tolist()
    ([[6.0, 4.0]], [[1.0, 1.0]])
    """
    counter = Counter(dated["__person"].to_numpy(), dated["event_date"].to_numpy())
    days, events = (np.zeros((len(person), len(periods))) for _ in range(2))
    for k, (first, last) in enumerate(periods):
        start, end = np.maximum(day + first, since), np.minimum(day + last, until)
        days[:, k] = np.maximum(end - start + 1, 0)
        events[:, k] = np.where(days[:, k] > 0, counter.between(person, start, end), 0.0)
    return days, events


def period_rows_of(rows: PersonRows, event: str, periods: Sequence[tuple[int, int]]) -> tuple[PeriodRows, Provenance]:
    """Return what happened to the people of a cohort of enrolment by period, and where they come from.

    Raises
    ------
    ArgumentError
        If the cohort is not one of enrolment, or nobody is observed after the day they enrolled.
    """
    if rows.rules.get("index") != "enrolment":
        raise ArgumentError(
            "Before and after are those of the day people enrolled: define the cohort by a programme, such as "
            "sr.define_cohort(study, programme='complex_care')."
        )
    require_recurrent(rows.study, event)
    last = governing_day(rows.study, "activity", "enrolments", until=None)
    first = (rows.study.period[0] - EPOCH).days
    people = rows.people.with_columns(pl.min_horizontal("exit_date", pl.lit(last)).alias("__until"))
    people = people.filter(pl.col("__until") > pl.col("index_date"))
    if not people.height:
        raise ArgumentError(
            f"None of {rows.people.height:,} people of the cohort is observed after the day they enrolled."
        )
    people = people.sort("person_id").with_row_index("__person")
    person = np.arange(people.height)
    day, since, until = (
        people[c].cast(pl.Int32).cast(pl.Int64).fill_null(first).to_numpy()
        for c in ("index_date", "registered_since", "__until")
    )
    dated = dated_events(rows.study, event, people, person)
    days, events = counted_by_period(dated, person, day, np.maximum(since, first), until, periods)
    found = PeriodRows(np.ones(len(person), dtype=bool), np.ones(len(person)), person, days, events)
    return found, provenance_of_period(rows, "activity", "enrolments", last=last, event=event)
