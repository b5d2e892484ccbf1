"""People with every event of theirs, for the one estimator that cannot do with counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import polars as pl

from symphony_research.cohort.at_risk import when_of
from symphony_research.cohort.attrition import Attrition
from symphony_research.cohort.events import EVENTS, events_of, why_not_recorded
from symphony_research.cohort.follow_up import Steps, followed, governing_day, provenance_of_period, window_of
from symphony_research.cohort.rows import PersonRows
from symphony_research.cohort.strata import with_strata
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.result import NotAvailable, Provenance, not_available

__all__ = ["RecurrentEvents", "recurrent_events_of"]

ONCE = {"death": "People die once", "readmission": "Readmissions are counted by discharge"}


@dataclass(frozen=True, eq=False, repr=False)
class RecurrentEvents:
    """Follow-up of each person to death or censoring, and the time of every event: people as they are, never shown.

    Attributes
    ----------
    persons : polars.DataFrame
        `person_id`, `time` (at which follow-up ends), `event` (1 = death), `entry` and the strata.
    events : polars.DataFrame
        `person_id`, `time`.
    provenance : Provenance
    event : str
        Which event it is, as `EVENTS` names it.
    by : tuple of str
        The strata.
    entry : str or None
        "entry" where some people are observed later than time 0.
    attrition : Attrition
        Who of the cohort is not in it.
    """

    persons: pl.DataFrame = field(repr=False)
    events: pl.DataFrame = field(repr=False)
    provenance: Provenance
    event: str
    by: tuple[str, ...]
    entry: str | None
    attrition: Attrition

    def __repr__(self) -> str:
        return f"RecurrentEvents of '{self.event}' (people are not shown)"


def recurrent_events_of(
    rows: PersonRows,
    *,
    event: str | None,
    by: tuple[str, ...],
    until: date | str | None,
    horizon: int | None,
    entry: date | str | None,
    leave_programme: bool,
    episode_days: int,
    optional: bool,
) -> RecurrentEvents | NotAvailable:
    """Follow people to death and list their events; the arguments are those of `Cohort.recurrent_events`."""
    rows.require_one_index("recurrent events")
    study = rows.study
    event = "emergency_admission" if event is None else event
    require_one_of(event, EVENTS, argument="event")
    once = ONCE.get(event, "")
    if once and not optional:
        raise ArgumentError(f"{once}: there are no recurrent events of '{event}'.")
    if optional and (why := once or why_not_recorded(study, event)):
        what = "events" if once else EVENTS[event].plural
        return not_available(why, f"the number of {what} a person", study.provenance(**rows.rules).as_settings())
    if leave_programme and rows.rules.get("index") != "enrolment":
        raise ArgumentError("leave_programme is for people on a programme: define the cohort by one.")
    tables = ["activity", *(["enrolments"] if leave_programme else [])]
    last = governing_day(study, *tables, until=until)
    window = window_of(last, horizon=horizon, entry=entry, leave_programme=leave_programme, rows=rows)
    steps = Steps()
    people = followed(with_strata(rows, by), window, steps)
    found = events_of(
        study, event, washout_days=episode_days, among=people.lazy().select("person_id"), activity=rows.activity
    )
    at = when_of("event_date")
    happened = (
        found.join(people.lazy().select("person_id", "index_date", "entry", "exit"), on="person_id", how="inner")
        .filter((pl.col("event_date") >= pl.col("index_date")) & (at > pl.col("entry")) & (at <= pl.col("exit")))
        .select("person_id", (at / 2).alias("time"))
        .sort("person_id", "time")
        .collect(engine="streaming")
    )
    persons = people.select(
        "person_id", (pl.col("exit") / 2).alias("time"), (pl.col("reason") == "death").cast(pl.Int32).alias("event"),
        (pl.col("entry") / 2).alias("entry"), *by,
    )  # fmt: skip
    # what people are followed for is death, which ends the events: these are counted beside it
    asked = {
        "event": "death", "until": last.isoformat(), "time_unit": "days", "horizon": horizon,
        "entry": window.entry.isoformat() if window.entry else None, "leave_programme": leave_programme or None,
        "episode_days": episode_days or None,
    }  # fmt: skip
    provenance = provenance_of_period(rows, *tables, last=last, **asked)
    attrition = steps.attrition(persons.height, provenance)
    late = "entry" if (persons["entry"] > 0).any() else None
    return RecurrentEvents(persons, happened, provenance, event, by, late, attrition)
