"""What may happen to a person: each event with its words, the rule by which it is found, and what is counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import polars as pl

from symphony_research.cohort.stays import stays_of
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.schema import GP
from symphony_research.study import Study

__all__ = ["EVENTS", "Event", "events_of", "first_recorded", "require_filled", "require_recorded", "why_not_recorded"]

_EMERGENCY = (pl.col("setting") == "inpatient") & (pl.col("kind") == "emergency")


# nobody is readmitted, or spends a day, where nobody is admitted
_SHOWN_BY = {"readmission": "emergency_admission", "bed_day": "admission"}


@dataclass(frozen=True, eq=False)
class Event:
    """Something that may happen to a person.

    Attributes
    ----------
    name : str
        As `follow_up(event=)` takes it.
    words : str
        What it is, as a noun.
    unit : {"stay", "contact", "discharge", "day", "person"}
        What one event is: a hospital stay (spells that touch are one), a row of activity, a
        discharge that somebody was readmitted after, a day in hospital at its end, or the person, who dies once.
    rule : polars.Expr or None
        Which rows of activity show it; None where it is not read from activity.
    kind : str or None
        Which kind of stay, for stays.
    """

    name: str
    words: str
    unit: str
    rule: pl.Expr | None = field(default=None, repr=False)
    kind: str | None = None

    @property
    def plural(self) -> str:
        """Several of them, in words."""
        return f"{self.words}s"

    @property
    def reads_kind(self) -> bool:
        """Whether it depends on how an admission came about."""
        return self.kind is not None


def _listed(*events: Event) -> Mapping[str, Event]:
    return MappingProxyType({event.name: event for event in events})


EVENTS: Mapping[str, Event] = _listed(
    Event("emergency_admission", "emergency admission", "stay", _EMERGENCY, "emergency"),
    Event("admission", "hospital admission", "stay", pl.col("setting") == "inpatient"),
    Event("accident_and_emergency", "A&E attendance", "contact", pl.col("setting") == "accident_and_emergency"),
    Event("outpatient", "outpatient appointment", "contact", pl.col("setting") == "outpatient"),
    Event(
        "gp_contact",
        "GP contact",
        "contact",
        (pl.col("setting") == "primary_care") & (pl.col("staff_role") == GP),
    ),
    Event("readmission", "emergency readmission", "discharge", _EMERGENCY, "emergency"),
    Event("bed_day", "bed-day", "day", pl.col("setting") == "inpatient"),
    Event("death", "death", "person"),
)


def events_of(
    study: Study,
    name: str,
    *,
    washout_days: int = 0,
    among: pl.LazyFrame | None = None,
    activity: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Return every event of every person.

    Parameters
    ----------
    study : Study
    name : str
        One of `EVENTS`; of a readmission, the emergency admissions that may be one.
    washout_days : int, default 0
        An event within so many days of the person's event before it belongs to the
        same episode, and is omitted.
    among : polars.LazyFrame, optional
        Take the people of this frame alone, by its `person_id`.
    activity : polars.LazyFrame, optional
        The study's activity of these people and perhaps others, where it has been read already.

    Returns
    -------
    polars.LazyFrame
        `person_id`, `event_date`; sorted. Contacts of one day are one event; so are
        inpatient spells that touch (see `stays_of`), on the day of admission. Each day of a stay but the last is a
        bed-day, so a stay that ends on its first day has none.

    Raises
    ------
    ArgumentError
        If the event is unknown or the study does not record it.

    Examples
    --------
    >>> import symphony_research as sr
    >>> events_of(sr.example_study(), "outpatient").collect_schema().names()
    ['person_id', 'event_date']
    """
    require_one_of(name, EVENTS, argument="event")
    event = EVENTS[name]
    if type(washout_days) is not int or washout_days < 0:
        raise ArgumentError(f"washout_days={washout_days} must be an integer number of days, 0 for none.")
    if event.unit == "person":
        found = study.persons.filter(pl.col("death_date").is_not_null()).select(
            "person_id", pl.col("death_date").alias("event_date")
        )
        return found.sort("person_id", "event_date")
    require_recorded(study, event)
    activity = study.activity if activity is None else activity
    if among is not None:
        activity = activity.join(among.select("person_id").unique(), on="person_id", how="semi")
    if event.unit in ("stay", "discharge"):
        stays = stays_of(activity, study.persons)
        wanted = stays if event.kind is None else stays.filter(pl.col("kind") == event.kind)
        found = wanted.select("person_id", pl.col("admission_date").alias("event_date"))
    elif event.unit == "day":
        require_filled(study, "end_date", event.name)
        days = pl.date_ranges("admission_date", "discharge_date", closed="left").alias("event_date")
        stays = stays_of(activity, study.persons).filter(pl.col("discharge_date") > pl.col("admission_date"))
        found = stays.select("person_id", days).explode("event_date")
    else:
        assert event.rule is not None
        found = activity.filter(event.rule).select("person_id", pl.col("date").alias("event_date")).unique()
    found = found.sort("person_id", "event_date")
    if not washout_days:
        return found
    since = (pl.col("event_date") - pl.col("event_date").shift(1).over("person_id")).dt.total_days()
    return found.filter(since.is_null() | (since > washout_days))


def require_recorded(study: Study, event: Event) -> None:
    """Refuse to count what the study does not record: it would look as if it never happened.

    Raises
    ------
    ArgumentError
        If the study has no activity, or does not say how admissions came about.
    """
    if event.unit == "person":
        return
    if not study.has("activity"):
        raise ArgumentError(f"The study has no activity table, so '{event.name}' cannot be analysed. Only 'death' can.")
    if event.reads_kind:
        require_filled(study, "kind", event.name)


def why_not_recorded(study: Study, name: str) -> str:
    """Return why a study cannot show an event, as the start of a sentence; nothing where it can.

    An event that nobody of the study ever had is not one that never happened: its setting is not in the study.
    """
    event = EVENTS[name]
    if event.unit == "person":
        return ""
    if not study.has("activity"):
        return "The study has no table of activity"
    assert event.rule is not None
    recorded = study.recorded
    if event.unit == "day" and "inpatient" in recorded["setting"] and not recorded["ended"].any():
        return "The study does not say when stays in hospital ended"
    if event.reads_kind and "inpatient" not in recorded["setting"]:
        return "The study has no hospital admissions"
    if event.reads_kind and not recorded["kind"].is_not_null().any():
        return "The study does not say which hospital admissions were emergencies"
    if recorded.filter(event.rule).is_empty():
        return f"The study has no {EVENTS[_SHOWN_BY.get(name, name)].plural}"
    return ""


def first_recorded(study: Study) -> str:
    """Return the event that is studied where none is named: an emergency admission, or death where none is recorded."""
    return "death" if why_not_recorded(study, "emergency_admission") else "emergency_admission"


def require_filled(study: Study, column: str, wanted: str) -> None:
    """Refuse to count what a column of activity tells where the column is empty.

    Raises
    ------
    ArgumentError
        Naming the column.
    """
    filled = {"kind": study.recorded["kind"].is_not_null(), "end_date": study.recorded["ended"]}
    if not filled[column].any():
        raise ArgumentError(f"'{wanted}' is read from the column {column} of activity, which is empty in this study.")
