"""Hubs, enrolments and what complex care does; the steps in which programmes reach practices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.synthetic import parameters
from symphony_research.synthetic.activity import Contacts, joined
from symphony_research.synthetic.calendar import DAYS_IN_YEAR, END, YEAR_STARTS, YEARS, day_number
from symphony_research.synthetic.conditions import Onsets
from symphony_research.synthetic.departures import Departures
from symphony_research.synthetic.parameters import CONDITION_NAMES, HUBS, PRACTICES, PRIORITY_CONDITIONS
from symphony_research.synthetic.people import People

__all__ = [
    "HUB_NAMES",
    "PRACTICE_IDS",
    "PROGRAMMES",
    "Enrolments",
    "apply_hub_effect",
    "draw_enrolments",
    "practice_programmes_table",
    "practices_table",
]

HUB_NAMES = tuple(hub.name for hub in HUBS)
PRACTICE_IDS = tuple(practice.practice_id for practice in PRACTICES)
PROGRAMMES = ("complex_care", "enhanced_primary_care", "health_coaching")
_NEVER = np.iinfo(np.int32).max
_HUB_OF_PRACTICE = np.array([HUB_NAMES.index(practice.hub) for practice in PRACTICES])
_HUB_OPENS = np.array([day_number(hub.opens) for hub in HUBS])


@dataclass(frozen=True)
class Enrolments:
    """People on the complex care programme: their hub and first day."""

    person: NDArray[np.int64]
    hub: NDArray[np.int64]
    day: NDArray[np.int32]


def _eligible_from(onsets: Onsets, people: int) -> NDArray[np.int32]:
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


def draw_enrolments(
    random: np.random.Generator,
    people: People,
    onsets: Onsets,
    departures: Departures,
    admissions: Contacts,
    attendances: Contacts,
) -> Enrolments:
    """Enrol eligible people soon after a crisis, and a few without one, at the hub of their practice."""
    eligible = _eligible_from(onsets, len(people))
    step = day_number(parameters.ENROLMENT_STEP)
    shortest, longest = parameters.ENROLMENT_DELAY_DAYS

    person = np.concatenate([admissions.person, attendances.person])
    crisis_day = np.concatenate([admissions.day, attendances.day])
    admitted = np.arange(len(person)) < len(admissions)
    keep = eligible[person] <= crisis_day
    person, crisis_day, admitted = person[keep], crisis_day[keep], admitted[keep]
    chances = np.array([parameters.ENROLMENT_AFTER_ATTENDANCE, parameters.ENROLMENT_AFTER_ADMISSION])
    chance = chances[admitted.astype(int), (crisis_day >= step).astype(int)]
    day = crisis_day + random.integers(shortest, longest + 1, len(person))
    leads = random.random(len(person)) < chance

    # Enrolment without a crisis: at most one draw a person in each year, in a hub's catchment alone.
    others = np.flatnonzero(eligible < END)
    grid = np.repeat(others, YEARS)
    starts = np.tile(YEAR_STARTS[:-1], len(others))
    quiet_day = starts + (random.random(len(grid)) * DAYS_IN_YEAR).astype(np.int32)
    quiet_chance = np.array(parameters.ENROLMENT_BACKGROUND_PER_YEAR)[(quiet_day >= step).astype(int)]
    quiet = (random.random(len(grid)) < quiet_chance) & (eligible[grid] <= quiet_day)

    person = np.concatenate([person[leads], grid[quiet]])
    day = np.concatenate([day[leads], quiet_day[quiet]]).astype(np.int32)
    hub = _HUB_OF_PRACTICE[people.practice_on(person, day)]
    possible = (day >= _HUB_OPENS[hub]) & (day >= people.entered[person]) & (day <= departures.last[person])
    person, day, hub = person[possible], day[possible], hub[possible]
    order = np.lexsort((day, person))
    person, day, hub = person[order], day[order], hub[order]
    first = np.diff(person, prepend=-1) > 0
    return Enrolments(person[first], hub[first], day[first])


def apply_hub_effect(
    random: np.random.Generator,
    admissions: Contacts,
    enrolments: Enrolments,
    people: int,
    last: NDArray[np.int32],
    new_stays: Callable[[NDArray[np.int64], NDArray[np.int32]], Contacts],
) -> Contacts:
    """Multiply the rate of emergency admission after enrolment by the planted ratio of each year.

    A ratio below 1 removes admissions at random; one above 1 adds some, each on a random day of the same
    year since enrolment as an admission that happened.
    """
    enrolled = np.full(people, _NEVER, np.int64)
    enrolled[enrolments.person] = enrolments.day
    ratios = np.array(parameters.HUB_EFFECT_ON_EMERGENCY_ADMISSIONS)
    since = admissions.day - enrolled[admissions.person]
    year = np.clip(((since - 1) / DAYS_IN_YEAR).astype(np.int64), 0, len(ratios) - 1)
    ratio = np.where(since > 0, ratios[year], 1.0)
    draw = random.random(len(admissions))
    kept = admissions.kept(draw < ratio)
    again = np.flatnonzero(draw < ratio - 1)
    person = admissions.person[again]
    begins = enrolled[person] + 1 + ((since[again] - 1) / DAYS_IN_YEAR).astype(np.int64) * DAYS_IN_YEAR
    # The year is cut short where observation ends in it, so the added day is drawn from the part observed.
    observed = np.minimum(DAYS_IN_YEAR, last[person] - begins + 1)
    day = (begins + random.random(len(again)) * observed).astype(np.int32)
    day = np.minimum(day, last[person]).astype(np.int32)
    added = new_stays(person, day)
    return joined([kept, added])


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
