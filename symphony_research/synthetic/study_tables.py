"""Histories as tables of the study folder: one function a table."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research import schema
from symphony_research.synthetic import parameters
from symphony_research.synthetic.activity import Utilisation
from symphony_research.synthetic.calendar import END, START, date_series
from symphony_research.synthetic.conditions import Onsets
from symphony_research.synthetic.contacts import CONTACTS, PROVIDERS, SPECIALTIES, STAFF_ROLES
from symphony_research.synthetic.departures import Departures
from symphony_research.synthetic.effects import PROGRAMMES
from symphony_research.synthetic.history import History
from symphony_research.synthetic.outcomes import MEASURES, Outcomes
from symphony_research.synthetic.population import population_table
from symphony_research.synthetic.programmes import (
    HUB_NAMES,
    PRACTICE_IDS,
    Enrolments,
    practice_programmes_table,
    practices_table,
)
from symphony_research.synthetic.residents import People

__all__ = ["list_sizes", "people_tables", "study_tables"]

LIST_SIZE_DAY = START + (END - START) // 2
_AREAS = tuple(
    f"{practice.practice_id}-{number + 1}"
    for practice in parameters.PRACTICES
    for number in range(parameters.AREAS_PER_PRACTICE)
)
_MISSING = 255


def people_tables(history: History) -> dict[str, pl.DataFrame]:
    """Return the tables that are about people."""
    people, departures = history.people, history.departures
    return {
        "persons": _persons(people, departures, history.use),
        "registrations": _registrations(people, departures),
        "conditions": _conditions(people, history.onsets),
        "activity": _activity(people, history.use),
        "enrolments": _enrolments(people, history.enrolments, departures),
        "outcomes": _outcomes(people, history.outcomes),
    }


def list_sizes(history: History) -> NDArray[np.int64]:
    """Return the people registered with each practice in the middle of the period."""
    who = np.flatnonzero((history.people.registered <= LIST_SIZE_DAY) & (history.departures.last >= LIST_SIZE_DAY))
    at = history.people.practice_on(who, np.full(len(who), LIST_SIZE_DAY, np.int32))
    return np.bincount(at, minlength=len(PRACTICE_IDS))


def study_tables(list_sizes: NDArray[np.int64]) -> dict[str, pl.DataFrame]:
    """Return the tables that are not about people: practices, practice programmes and population."""
    return {
        "practices": practices_table(list_sizes),
        "practice_programmes": practice_programmes_table(),
        "population": population_table(),
    }


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
    """Return one spell a person, two where the person changed practice while observed."""
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
