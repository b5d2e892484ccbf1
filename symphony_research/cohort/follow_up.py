"""Time from the index date to the first event, collapsed to counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl

from symphony_research.cohort.at_risk import Window, at_risk, split_at, with_event
from symphony_research.cohort.attrition import Attrition, attrition_of
from symphony_research.cohort.discharges import discharges_of
from symphony_research.cohort.events import EVENTS, events_of, first_recorded, why_not_recorded
from symphony_research.cohort.rows import PersonRows, as_date
from symphony_research.cohort.spells import joined_spells
from symphony_research.cohort.strata import with_strata
from symphony_research.collapse import Collapsed
from symphony_research.collapse.patterns_of_people import people_by_rows
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.result import NotAvailable, Provenance, not_available
from symphony_research.study import Study
from symphony_research.words.lexicon import outcome

__all__ = [
    "ENROLLED",
    "Steps",
    "follow_up_of",
    "followed",
    "governing_day",
    "provenance_of_period",
    "window_of",
    "with_enrolment",
    "with_first",
]

ENROLLED = "enrolled"
UNITS = ("person", "discharge")


class Steps:
    """People excluded, step by step."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int]] = []

    def keep(self, frame: pl.DataFrame, rule: pl.Expr, words: str) -> pl.DataFrame:
        """Return the rows that meet a rule, and count the people of whom no row does."""
        kept = frame.filter(rule.fill_null(False))
        # rows of the same people, some of which are kept, exclude nobody
        out = frame.height - kept.height
        gone = frame["person_id"].n_unique() - kept["person_id"].n_unique() if out else 0
        if gone:
            self.rows.append((words, gone))
        return kept

    def attrition(self, people: int, provenance: Provenance) -> Attrition:
        """Return the steps as a result."""
        return attrition_of(self.rows, people, start="in the cohort", **provenance.as_settings())


def governing_day(study: Study, *tables: str, until: date | str | None) -> date:
    """Return the last day of follow-up: that asked for, or an earlier one after which a table it needs holds nothing."""
    last = study.last_day("persons", "registrations", *tables)
    return last if until is None else min(as_date(until, "until"), last)


def provenance_of_period(rows: PersonRows, *tables: str, last: date, **asked: Any) -> Provenance:
    """Return the provenance of numbers about the cohort; where a table ends before the study does, its note says so."""
    provenance = rows.study.provenance(**{**rows.rules, **{k: v for k, v in asked.items() if v is not None}})
    ended = [
        f"{table} on {day.day} {day:%B %Y}"
        for table, day in rows.study.data_end.items()
        if table in ("persons", "registrations", *tables) and day == last and day < rows.study.period[1]
    ]
    if not ended:
        return provenance
    said = f"Follow-up ends with the data: {', '.join(ended)}."
    return replace(provenance, note=f"{provenance.note} {said}".strip())


def window_of(
    last: date, *, horizon: int | None, entry: date | str | None, leave_programme: bool, rows: PersonRows
) -> Window:
    """Return the window of follow-up, if it may be one.

    Raises
    ------
    ArgumentError
        If the horizon is no number of days, or people are on no programme.
    """
    if horizon is not None and (type(horizon) is not int or horizon < 1):
        raise ArgumentError(f"horizon={horizon} must be an integer number of days, at least one.")
    if leave_programme and not rows.study.has("enrolments"):
        raise ArgumentError("The study has no table enrolments, so nobody leaves a programme.")
    return Window(last, horizon, None if entry in (None, "index") else as_date(entry, "entry"), leave_programme)


def followed(people: pl.DataFrame, window: Window, steps: Steps) -> pl.DataFrame:
    """Return the intervals of the people who are observed at all."""
    intervals = at_risk(people, window)
    return steps.keep(intervals, pl.col("exit") > pl.col("entry"), "with no observed time")


def follow_up_of(
    rows: PersonRows,
    *,
    event: str | None,
    until: date | str | None,
    horizon: int | None,
    by: tuple[str, ...],
    washout: int | None,
    entry: date | str | None,
    leave_programme: bool,
    enrolment: str | None,
    unit: str | None,
    lost: bool = False,
    optional: bool = False,
) -> Collapsed | NotAvailable:
    """Collapse follow-up; the arguments are those of `Cohort.follow_up`."""
    study = rows.study
    event = first_recorded(study) if event is None else event
    require_one_of(event, EVENTS, argument="event")
    if optional and (why := why_not_recorded(study, event)):
        return not_available(why, f"time to the {outcome(event)}", study.provenance(**rows.rules).as_settings())
    by_discharge = _by_discharge(event, unit)
    if event == "readmission":
        rows.require_one_index("readmissions")
    tables = [*(["activity"] if event != "death" else []), *(["enrolments"] if enrolment or leave_programme else [])]
    last = governing_day(study, *tables, until=until)
    if leave_programme and enrolment is None and rows.rules.get("index") != "enrolment":
        raise ArgumentError(
            "leave_programme is for people on a programme: define the cohort by one, or pass enrolment."
        )
    window = window_of(last, horizon=horizon, entry=entry, leave_programme=leave_programme, rows=rows)
    people, steps = with_strata(rows, by, broad=True), Steps()
    if enrolment is not None:
        people = with_enrolment(rows, people, enrolment, leave_programme)
    people = _washed_out(rows, people, event, washout, steps)
    if event == "readmission":
        if window.entry is not None or enrolment is not None:
            raise ArgumentError("Readmission is counted from each discharge: entry and enrolment do not go with it.")
        intervals = _after_discharge(rows, people, window, steps, first=not by_discharge)
    else:
        intervals = followed(people, window, steps)
        if event == "death":
            intervals = intervals.with_columns(pl.lit(None, dtype=pl.Date).alias("event_date"))
        else:
            intervals = with_first(rows, intervals, event)
        intervals = with_event(intervals)
        # whoever had the event before they were observed is not waited for
        intervals = steps.keep(intervals, pl.col("exit") > pl.col("entry"), "with the event before they were observed")
    if enrolment is not None:
        intervals, by = split_at(intervals, "enrolled_on", ENROLLED), (*by, ENROLLED)
    asked = {
        "event": event, "until": last.isoformat(), "time_unit": "days", "horizon": horizon, "washout": washout or None,
        "entry": window.entry.isoformat() if window.entry else None, "leave_programme": leave_programme or None,
        "enrolment": enrolment, "unit": "discharge" if by_discharge else "index date" if rows.several else None,
    }  # fmt: skip
    provenance = provenance_of_period(rows, *tables, last=last, **asked)
    attrition = steps.attrition(intervals["person_id"].n_unique(), provenance)
    return _collapsed(
        intervals,
        event,
        by,
        provenance,
        attrition,
        by_discharge=by_discharge,
        state=enrolment is not None,
        lost=lost,
        several=rows.several,
    )


def _collapsed(
    intervals: pl.DataFrame, event: str, by: tuple[str, ...], provenance: Provenance, attrition: Attrition,
    *, by_discharge: bool, state: bool, lost: bool, several: bool,
) -> Collapsed:  # fmt: skip
    died = 1 if event == "death" else 2
    code = pl.when(pl.col("reason") == "event").then(1).when(pl.col("reason") == "death").then(died).otherwise(0)
    keys = [
        (pl.col("exit") / 2).alias("time"),
        code.cast(pl.Int32).alias("event"),
        (pl.col("entry") / 2).alias("entry"),
        *([(pl.col("reason") == "left_registration").cast(pl.Int64).alias("lost")] if lost else []),
    ]
    names = ["time", "event", "entry", *(["lost"] if lost else [])]
    counts = [pl.len().cast(pl.Int64).alias("n_persons")]
    unit = "n_discharges" if by_discharge else "n_index_dates" if several else "n_persons"
    if unit != "n_persons":  # of which one person may have several
        counts = [pl.col("person_id").n_unique().cast(pl.Int64).alias("n_persons"), counts[0].alias(unit)]
    rows = intervals.select(*keys, *by, "person_id")
    table = rows.group_by([*names, *by]).agg(counts).sort([*by, *names], nulls_last=True)
    return Collapsed(
        table,
        provenance,
        by,
        sums=(unit,),
        time="time",
        event="event",
        entry="entry" if (table["entry"] > 0).any() else None,
        weights=unit,
        cluster=None if unit == "n_persons" else "person",
        people=None if unit == "n_persons" else people_by_rows(rows, [*names, *by]),
        distinct_by=(ENROLLED,) if state else (),
        attrition=attrition,
    )


def _by_discharge(event: str, unit: str | None) -> bool:
    if unit is not None:
        require_one_of(unit, UNITS, argument="unit")
    if unit == "discharge" and event != "readmission":
        raise ArgumentError(f"'{event}' is followed by person; unit='discharge' is for 'readmission'.")
    return event == "readmission" and unit != "person"


def with_first(rows: PersonRows, intervals: pl.DataFrame, event: str) -> pl.DataFrame:
    """Add the day of the first event from the index date on."""
    dated = intervals.lazy().select("person_id", "index_date").unique()
    first = (
        events_of(rows.study, event, among=dated, activity=rows.activity)
        .join(dated, on="person_id", how="inner")
        .filter(pl.col("event_date") >= pl.col("index_date"))
        .group_by("person_id", "index_date")
        .agg(pl.col("event_date").min())
        .collect(engine="streaming")
    )
    return intervals.join(first, on=["person_id", "index_date"], how="left")


def _washed_out(rows: PersonRows, people: pl.DataFrame, event: str, washout: int | None, steps: Steps) -> pl.DataFrame:
    """Leave out the people with the event in the days before the index date."""
    if not washout:
        return people
    if type(washout) is not int or washout < 0:
        raise ArgumentError(f"washout={washout!r} must be an integer number of days, 0 for none.")
    if event in ("death", "readmission"):
        raise ArgumentError(f"washout is for events that people may have had before the index date, not '{event}'.")
    dated = people.lazy().select("person_id", "index_date").unique()
    since = (pl.col("index_date") - pl.col("event_date")).dt.total_days()
    had = (
        events_of(rows.study, event, among=dated, activity=rows.activity)
        .join(dated, on="person_id", how="inner")
        .filter(since.is_between(1, washout))
        .select("person_id", "index_date", pl.lit(True).alias("__had"))
        .unique()
        .collect(engine="streaming")
    )
    words = f"with {EVENTS[event].words} in the {washout} days before"
    people = people.join(had, on=["person_id", "index_date"], how="left", maintain_order="left")
    return steps.keep(people, pl.col("__had").is_null(), words).drop("__had")


def _after_discharge(
    rows: PersonRows, people: pl.DataFrame, window: Window, steps: Steps, *, first: bool
) -> pl.DataFrame:
    """Return one interval a live discharge, or of each person's first: from the discharge to an emergency admission."""
    # whether somebody is observed is a matter of the index date; how long a discharge is, of the discharge
    whole = followed(people, replace(window, horizon=None), steps)
    found = discharges_of(rows, whole)
    steps.keep(whole, pl.col("person_id").is_in(found["person_id"].implode()), "never discharged alive")
    if first:
        found = found.sort("person_id", "discharge_date").unique("person_id", keep="first", maintain_order=True)
    origins = found.drop("entry", "exit", "exit_date", "reason").with_columns(
        pl.col("discharge_date").alias("index_date")
    )
    return with_event(at_risk(origins, window))


def with_enrolment(rows: PersonRows, people: pl.DataFrame, programme: str, leave_programme: bool) -> pl.DataFrame:
    """Add the first day on a programme, and the last of it where follow-up ends with it.

    Raises
    ------
    ArgumentError
        If there is no such programme, or everybody is on it from the index date on.
    """
    if rows.rules.get("index") == "enrolment":
        raise ArgumentError(
            "Everybody of this cohort is enrolled from their index date on. Define it by an index date to follow people "
            "before and after they join."
        )
    if not rows.study.has("enrolments"):
        raise ArgumentError("The study has no table enrolments, so that nobody is known to be on a programme.")
    require_one_of(programme, rows.study.programmes(), argument="enrolment")
    far = pl.lit(date(9999, 1, 1))
    spells = rows.study.enrolments.filter(pl.col("programme") == programme).select(
        "person_id", "start_date", pl.col("end_date").fill_null(far)
    )
    dated = people.lazy().select("person_id", "index_date").unique()
    runs = (
        joined_spells(spells.join(dated, on="person_id", how="inner"), start="start_date", end="end_date", touch_days=1)
        .group_by("person_id", "run", "index_date")
        .agg(pl.col("start_date").min().alias("enrolled_on"), pl.col("end_date").max().alias("programme_until"))
    )
    if leave_programme:  # a time on the programme that was over by then is over
        runs = runs.filter(pl.col("programme_until") >= pl.col("index_date"))
    first = (
        runs.sort("enrolled_on")
        .group_by("person_id", "index_date", maintain_order=True)
        .agg(pl.col("enrolled_on", "programme_until").first())
        .collect(engine="streaming")
    )
    return people.drop("programme_until").join(first, on=["person_id", "index_date"], how="left")
