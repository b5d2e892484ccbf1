"""Hubs, enrolments and what complex care does; the steps in which programmes reach practices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.synthetic import parameters
from symphony_research.synthetic.activity import Contacts
from symphony_research.synthetic.calendar import DAYS_IN_YEAR, END, YEAR_STARTS, YEARS, day_number
from symphony_research.synthetic.conditions import Onsets
from symphony_research.synthetic.departures import Departures
from symphony_research.synthetic.effects import PROGRAMMES
from symphony_research.synthetic.parameters import CONDITION_NAMES, HUBS, PRACTICES, PRIORITY_CONDITIONS
from symphony_research.synthetic.plan import Selection
from symphony_research.synthetic.residents import People

__all__ = [
    "HUB_NAMES",
    "PRACTICE_IDS",
    "Enrolments",
    "draw_enrolments",
    "eligible_from",
    "practice_programmes_table",
    "practices_table",
]

HUB_NAMES = tuple(hub.name for hub in HUBS)
PRACTICE_IDS = tuple(practice.practice_id for practice in PRACTICES)
_NEVER = np.iinfo(np.int32).max
_HUB_OF_PRACTICE = np.array([HUB_NAMES.index(practice.hub) for practice in PRACTICES])
_HUB_OPENS = np.array([day_number(hub.opens) for hub in HUBS])


@dataclass(frozen=True)
class Enrolments:
    """People on the complex care programme: their hub and first day."""

    person: NDArray[np.int64]
    hub: NDArray[np.int64]
    day: NDArray[np.int32]


def eligible_from(onsets: Onsets, people: int) -> NDArray[np.int32]:
    """Day on which each person has enough priority conditions, or never."""
    priority = np.isin(np.array(CONDITION_NAMES), PRIORITY_CONDITIONS)[onsets.condition]
    person, day = onsets.person[priority], onsets.day[priority]
    order = np.lexsort((day, person))
    person, day = person[order], day[order]
    needed = parameters.ELIGIBLE_PRIORITY_CONDITIONS
    firsts = np.searchsorted(person, np.arange(people))
    enough = np.flatnonzero(np.bincount(person, minlength=people) >= needed)
    eligible = np.full(people, _NEVER, np.int32)
    eligible[enough] = day[firsts[enough] + needed - 1]
    return eligible


def _again_within(contacts: Contacts, happens: NDArray[np.bool_], days: int) -> NDArray[np.bool_]:
    """Return which events that happen follow another of the same person by at most so many days."""
    rows = np.flatnonzero(happens)
    rows = rows[np.lexsort((contacts.day[rows], contacts.person[rows]))]
    same = np.diff(contacts.person[rows], prepend=-1) == 0
    soon = np.diff(contacts.day[rows].astype(np.int64), prepend=-(10**9)) <= days
    found = np.zeros(len(contacts), bool)
    found[rows] = same & soon
    return found


def draw_enrolments(
    random: np.random.Generator,
    people: People,
    eligible: NDArray[np.int32],
    departures: Departures,
    admissions: Contacts,
    happens: NDArray[np.bool_],
    selection: Selection,
) -> Enrolments:
    """Enrol eligible people soon after a crisis, and a few without one, at the hub of their practice.

    A crisis is an emergency admission soon after another. `admissions` are the candidates, of which those that `happens`
    marks do; every candidate takes its own random numbers, so that one that does not happen changes nobody else's.
    """
    shortest, longest = selection.delay_days
    crisis = _again_within(admissions, happens, selection.within_days)
    crisis_day = admissions.day + random.integers(shortest, longest + 1, len(admissions))
    leads = random.random(len(admissions)) < selection.after_crisis
    leads &= crisis & (eligible[admissions.person] <= admissions.day)

    # Enrolment without a crisis: at most one draw a person in each year.
    others = np.flatnonzero(eligible < END)
    grid = np.repeat(others, YEARS)
    starts = np.tile(YEAR_STARTS[:-1], len(others))
    quiet_day = starts + (random.random(len(grid)) * DAYS_IN_YEAR).astype(np.int32)
    quiet = (random.random(len(grid)) < selection.background) & (eligible[grid] <= quiet_day)

    person = np.concatenate([admissions.person[leads], grid[quiet]])
    day = np.concatenate([crisis_day[leads], quiet_day[quiet]]).astype(np.int32)
    hub = _HUB_OF_PRACTICE[people.practice_on(person, day)]
    possible = (day >= _HUB_OPENS[hub]) & (day >= people.entered[person]) & (day <= departures.last[person])
    person, day, hub = person[possible], day[possible], hub[possible]
    order = np.lexsort((day, person))
    person, day, hub = person[order], day[order], hub[order]
    first = np.diff(person, prepend=-1) > 0
    return Enrolments(person[first], hub[first], day[first])


def practices_table(list_sizes: NDArray[np.int64]) -> pl.DataFrame:
    """Return the `practices` table, given the people registered with each."""
    return pl.DataFrame(
        {
            "practice_id": pl.Series(PRACTICE_IDS, dtype=pl.Enum(PRACTICE_IDS)),
            "name": [practice.name for practice in PRACTICES],
            "hub": pl.Series([practice.hub for practice in PRACTICES], dtype=pl.Enum(HUB_NAMES)),
            "list_size": pl.Series(list_sizes.astype(np.int64)),
        }
    )


def practice_programmes_table() -> pl.DataFrame:
    """Return the `practice_programmes` table: health coaching and enhanced primary care, in steps."""
    rows = [
        {
            "practice_id": practice.practice_id,
            "programme": programme,
            "start_date": start,
            "end_date": None,
            "whole_time_staff": practice.whole_time_staff if programme == "health_coaching" else None,
        }
        for programme in ("enhanced_primary_care", "health_coaching")
        for practice in PRACTICES
        if (start := practice.coaching_from if programme == "health_coaching" else practice.enhanced_from) is not None
    ]
    types = {"practice_id": pl.Enum(PRACTICE_IDS), "programme": pl.Enum(PROGRAMMES)}
    dates = {"start_date": pl.Date, "end_date": pl.Date}
    return pl.DataFrame(rows, schema={**types, **dates, "whole_time_staff": pl.Float64})
