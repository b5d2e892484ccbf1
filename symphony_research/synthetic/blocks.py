"""People in blocks of fixed size: each block has its own seed, so blocks can be made in any order.

A block's tables depend on the seed, its number and its size alone. More people
or more threads leave the earlier full blocks as they were, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research import schema
from symphony_research.errors import ArgumentError
from symphony_research.synthetic import parameters
from symphony_research.synthetic.activity import (
    Contacts,
    Utilisation,
    draw_activity,
    drop_overlaps,
    stays,
    with_streams,
)
from symphony_research.synthetic.calendar import END, START, YEAR_ENDS, YEARS, date_series
from symphony_research.synthetic.conditions import Onsets, draw_onsets
from symphony_research.synthetic.contacts import CONTACTS, PROVIDERS, SPECIALTIES, STAFF_ROLES
from symphony_research.synthetic.departures import Departures, Years, draw_departures, observed_years
from symphony_research.synthetic.outcomes import MEASURES, Outcomes, draw_outcomes
from symphony_research.synthetic.people import People, draw_people
from symphony_research.synthetic.population import population_table
from symphony_research.synthetic.programmes import (
    HUB_NAMES,
    PRACTICE_IDS,
    PROGRAMMES,
    Enrolments,
    apply_hub_effect,
    draw_enrolments,
    practice_programmes_table,
    practices_table,
)

__all__ = ["BLOCK_SIZE", "Block", "block_sizes", "draw_block", "generate_tables", "study_tables"]

BLOCK_SIZE = 16_384
LARGEST_STUDY = 900_000_000
LIST_SIZE_DAY = START + (END - START) // 2
_AREAS = tuple(
    f"{practice.practice_id}-{number + 1}"
    for practice in parameters.PRACTICES
    for number in range(parameters.AREAS_PER_PRACTICE)
)
_MISSING = 255


@dataclass(frozen=True)
class Block:
    """The tables of one block, and its people registered with each practice."""

    tables: dict[str, pl.DataFrame]
    list_sizes: NDArray[np.int64]


def block_sizes(people: int) -> list[int]:
    """Return the number of people in each block."""
    if isinstance(people, bool) or not isinstance(people, int) or not 1 <= people <= LARGEST_STUDY:
        raise ArgumentError(f"people={people!r} must be a whole number from 1 to {LARGEST_STUDY:,}.")
    full, rest = divmod(people, BLOCK_SIZE)
    return [BLOCK_SIZE] * full + [rest] * bool(rest)


def _words(name: str, words: tuple[str, ...], codes: NDArray[np.uint8]) -> pl.Series:
    """Return words by their code as an Enum; a code of 255 is empty."""
    series = pl.Series(name, codes)
    if (codes == _MISSING).any():
        series = series.replace({_MISSING: None})
    return series.cat.to(pl.Enum(words)).alias(name)


def _person_ids(people: People, who: NDArray[np.int64]) -> pl.Series:
    return pl.Series("person_id", who + people.first_id)


def _persons(people: People, departures: Departures, utilisation: Utilisation) -> pl.DataFrame:
    decile = pl.Series("deprivation_decile", people.decile)
    known = pl.Series(people.decile_known)
    return pl.DataFrame(
        [
            _person_ids(people, np.arange(len(people))),
            _words("sex", schema.SEXES, people.male.astype(np.uint8)),
            date_series("birth_date", people.born),
            date_series("death_date", departures.last, ~departures.died),
            pl.select(pl.when(known).then(decile).alias("deprivation_decile")).to_series(),
            _words("area", _AREAS, people.area.astype(np.uint8)),
            _words("residence", schema.RESIDENCES, utilisation.care_home.astype(np.uint8)),
        ]
    )


def _registrations(people: People, departures: Departures) -> pl.DataFrame:
    """One spell a person, two where the person changed practice while observed."""
    changes = np.flatnonzero(people.changes_practice <= departures.last)
    who = np.concatenate([np.arange(len(people)), changes])
    start = np.concatenate([people.registered, people.changes_practice[changes]])
    practice = np.concatenate([people.practice, people.second_practice[changes]])
    end = np.concatenate([departures.last, departures.last[changes]])
    open_ended = ~np.concatenate([departures.died | departures.left] * 2)[: len(who)]
    open_ended[len(people) :] = ~(departures.died | departures.left)[changes]
    end[changes] = people.changes_practice[changes] - 1
    open_ended[changes] = False
    order = np.argsort(who, kind="stable")
    return pl.DataFrame(
        [
            _person_ids(people, who[order]),
            _words("practice_id", PRACTICE_IDS, practice[order].astype(np.uint8)),
            date_series("start_date", start[order]),
            date_series("end_date", end[order], open_ended[order]),
        ]
    )


def _conditions(people: People, onsets: Onsets) -> pl.DataFrame:
    return pl.DataFrame(
        [
            _person_ids(people, onsets.person),
            _words("condition", parameters.CONDITION_NAMES, onsets.condition),
            date_series("onset_date", onsets.day),
        ]
    )


def _codes_of(words: tuple[str, ...], values: list[str | None]) -> NDArray[np.uint8]:
    return np.array([_MISSING if value is None else words.index(value) for value in values], np.uint8)


def _activity(people: People, utilisation: Utilisation) -> pl.DataFrame:
    """Lay the streams one after another: rows of a block are ordered by stream, then person and day."""
    streams = [stream for stream in parameters.STREAMS if len(utilisation.streams[stream.name])]
    parts = [utilisation.streams[stream.name] for stream in streams]
    if not parts:
        streams, parts = [parameters.STREAMS[0]], [utilisation.streams[parameters.STREAMS[0].name]]
    person = np.concatenate([part.person for part in parts])
    day = np.concatenate([part.day for part in parts])
    lengths = [len(part) for part in parts]
    columns: dict[str, list[NDArray[np.uint8]]] = {name: [] for name in ("provider", "staff_role", "specialty", "mode")}
    costs, ends = [], []
    for stream, part in zip(streams, parts, strict=True):
        kinds = CONTACTS[stream.name]
        own = part.person[:0] if kinds[0].provider else people.practice_on(part.person, part.day)
        providers = _codes_of(PROVIDERS, [kind.provider for kind in kinds])
        columns["provider"].append(own.astype(np.uint8) if kinds[0].provider is None else providers[part.code])
        columns["staff_role"].append(_codes_of(STAFF_ROLES, [kind.staff_role for kind in kinds])[part.code])
        columns["specialty"].append(_codes_of(SPECIALTIES, [kind.specialty for kind in kinds])[part.code])
        columns["mode"].append(_codes_of(schema.MODES, [kind.mode for kind in kinds])[part.code])
        costs.append(np.array([kind.cost for kind in kinds])[part.code] if part.cost is None else part.cost)
        ends.append(np.zeros(len(part), np.int32) if part.end is None else part.end)
    setting = np.repeat(np.array([schema.SETTINGS.index(stream.setting) for stream in streams], np.uint8), lengths)
    kind = np.repeat(_codes_of(schema.KINDS, [stream.kind for stream in streams]), lengths)
    return pl.DataFrame(
        [
            _person_ids(people, person),
            date_series("date", day),
            _words("setting", schema.SETTINGS, setting),
            date_series("end_date", np.concatenate(ends), kind == _MISSING),
            _words("kind", schema.KINDS, kind),
            pl.Series("cost", np.concatenate(costs)),
            _words("provider", PROVIDERS, np.concatenate(columns["provider"])),
            _words("staff_role", STAFF_ROLES, np.concatenate(columns["staff_role"])),
            _words("specialty", SPECIALTIES, np.concatenate(columns["specialty"])),
            _words("mode", schema.MODES, np.concatenate(columns["mode"])),
        ]
    )


def _enrolments(people: People, enrolments: Enrolments, departures: Departures) -> pl.DataFrame:
    last = departures.last[enrolments.person]
    lasting = ~(departures.died | departures.left)[enrolments.person]
    return pl.DataFrame(
        [
            _person_ids(people, enrolments.person),
            _words("programme", PROGRAMMES, np.zeros(len(last), np.uint8)),
            _words("hub", HUB_NAMES, enrolments.hub.astype(np.uint8)),
            date_series("start_date", enrolments.day),
            date_series("end_date", last, lasting),
        ]
    )


def _outcomes(people: People, outcomes: Outcomes) -> pl.DataFrame:
    return pl.DataFrame(
        [
            _person_ids(people, outcomes.person),
            date_series("date", outcomes.day),
            _words("measure", MEASURES, outcomes.measure),
            pl.Series("value", outcomes.value),
        ]
    )


def _with_programme(
    random: np.random.Generator, people: People, onsets: Onsets, departures: Departures, years: Years, use: Utilisation
) -> tuple[Utilisation, Enrolments]:
    """Enrol people, let the programme act, and tidy stays: no two at a time, most emergencies through A&E."""
    emergency, attendance = use.streams["emergency"], use.streams["attendance"]
    enrolments = draw_enrolments(random, people, onsets, departures, emergency, attendance)

    def new_stays(person: NDArray[np.int64], day: NDArray[np.int32]) -> Contacts:
        held = years.conditions[person, np.clip(np.searchsorted(YEAR_ENDS, day), 0, YEARS - 1)]
        return stays(random, "emergency", person, day, people, held, departures.last)

    emergency = apply_hub_effect(random, emergency, enrolments, len(people), departures.last, new_stays)
    kinds = ("emergency", "elective", "maternity")
    kept = drop_overlaps([emergency, use.streams["elective"], use.streams["maternity"]])
    emergency = kept[0]
    through = np.flatnonzero(random.random(len(emergency)) < parameters.VIA_ATTENDANCE_SHARE)
    attendance = Contacts(
        np.concatenate([attendance.person, emergency.person[through]]),
        np.concatenate([attendance.day, emergency.day[through]]),
        # The costlier kind of attendance, which is the second.
        np.concatenate([attendance.code, np.ones(len(through), np.uint8)]),
    )
    return with_streams(use, attendance=attendance, **dict(zip(kinds, kept, strict=True))), enrolments


def draw_block(seed: int, number: int, people: int) -> Block:
    """Draw one block: `people` people with their whole histories."""
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, number))))
    persons = draw_people(random, people, first_id=number * BLOCK_SIZE + 1)
    onsets = draw_onsets(random, persons)
    departures = draw_departures(random, persons, onsets)
    onsets = onsets.kept(onsets.day <= departures.last[onsets.person])
    years = observed_years(persons, onsets, departures)
    utilisation = draw_activity(random, persons, onsets, departures, years)
    utilisation, enrolments = _with_programme(random, persons, onsets, departures, years, utilisation)
    outcomes = draw_outcomes(random, persons, departures, years, enrolments)
    tables = {
        "persons": _persons(persons, departures, utilisation),
        "registrations": _registrations(persons, departures),
        "conditions": _conditions(persons, onsets),
        "activity": _activity(persons, utilisation),
        "enrolments": _enrolments(persons, enrolments, departures),
        "outcomes": _outcomes(persons, outcomes),
    }
    who = np.flatnonzero((persons.registered <= LIST_SIZE_DAY) & (departures.last >= LIST_SIZE_DAY))
    at = persons.practice_on(who, np.full(len(who), LIST_SIZE_DAY, np.int32))
    return Block(tables, np.bincount(at, minlength=len(PRACTICE_IDS)))


def study_tables(list_sizes: NDArray[np.int64]) -> dict[str, pl.DataFrame]:
    """Return the tables that are not about people: practices, practice programmes and population."""
    return {
        "practices": practices_table(list_sizes),
        "practice_programmes": practice_programmes_table(),
        "population": population_table(),
    }


def generate_tables(people: int, *, seed: int = 2013) -> dict[str, pl.DataFrame]:
    """Generate a study in memory: every table of the schema, by name.

    Parameters
    ----------
    people : int
        Number of people.
    seed : int, default 2013
        The same seed gives the same tables.

    Returns
    -------
    dict of str to polars.DataFrame
        Costs in pounds of 2012-13; dates from before the period (past onsets and registrations) to its end.

    Raises
    ------
    ArgumentError
        If `people` is not a whole number of at least 1, or `seed` not a whole number of at least 0.

    Examples
    --------
    >>> from symphony_research.synthetic import generate_tables
    >>> tables = generate_tables(200, seed=2013)
    >>> tables["persons"].height
    200
    """
    check_seed(seed)
    blocks = [draw_block(seed, number, size) for number, size in enumerate(block_sizes(people))]
    tables = {name: pl.concat([block.tables[name] for block in blocks]) for name in blocks[0].tables}
    return {**tables, **study_tables(np.sum([block.list_sizes for block in blocks], axis=0))}


def check_seed(seed: int) -> None:
    """Raise ArgumentError unless `seed` can seed the generator."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ArgumentError(f"seed={seed!r} must be a whole number of at least 0.")
