"""Whom the counts of a grid are of, and how they relate: to everybody, to earlier times, and to the counts of other curves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, product
from typing import Any

import polars as pl

from symphony_research.population import Population
from symphony_research.result.cells import CellDefinition, Nested, Partition, Relation, Same, everybody
from symphony_research.result.roles import Count, Internal, Key, TableRoles
from symphony_research.survival.grid import AT_RISK, CENSORED, NOT_ENTERED, event_state, landmark_of

__all__ = [
    "beside_one_cause",
    "curve_roles",
    "followed",
    "people_in",
    "relations_of",
    "same_without_names",
]

DEATH = "death"  # as `follow_up` names it

Tables = Mapping[str, pl.DataFrame]


def _before_landmark(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the same follow-up counted from its start."""
    return {**settings, "landmark": None}


def _clock(settings: Mapping[str, Any]) -> str:
    """Return how time is counted: equal where, and only where, two curves follow the same people from the same start."""
    known = {
        "from": _start(settings),
        "until": Population.of(settings).until,
        "landmark": landmark_of(settings) or None,
        **{name: settings.get(name) for name in ("time", "entry", "time_unit")},
    }
    return "; ".join(f"{name} {value}" for name, value in known.items() if value is not None)


def _start(settings: Mapping[str, Any]) -> str | None:
    """Return at what time starts where that is not the index date, which everybody has."""
    return "first discharge" if Population.of(settings).event == "readmission" else None


def _waited_for(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what is waited for, by state; what has no name is the event of its column's code."""
    population, names = Population.of(settings), settings.get("cause_names") or {}
    first = population.event or settings.get("event_name") or names.get(1)
    usual = {1: first, 2: DEATH if population.event else None}
    unnamed = _unnamed(settings)
    return {state: str(usual.get(cause) or names.get(cause) or unnamed[state]) for cause, state in _causes(settings)}


def _causes(settings: Mapping[str, Any]) -> list[tuple[int, str]]:
    return [(cause, event_state(cause)) for cause in settings.get("causes") or (1,)]


def _unnamed(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what is waited for as one knows it who is given no names: by column and code."""
    return {state: f"{settings.get('event')} {cause}" for cause, state in _causes(settings)}


def followed(settings: Mapping[str, Any]) -> CellDefinition:
    """Return the people whom a curve follows: everybody, or those for whom time starts at all."""
    if landmark_of(settings):
        return people_in(_before_landmark(settings), landmark_of(settings), AT_RISK)
    start = _start(settings)
    return everybody() if start is None else everybody().in_state(start, "followed")


def people_in(settings: Mapping[str, Any], time: float, state: str) -> CellDefinition:
    """Return the people in a state at a time; without late entry all of them are at risk at 0.

    Whoever has an event first is named by what might have come before. Nothing
    comes after death, so those with the event are the same people whether deaths
    compete or are censored.
    """
    if state == AT_RISK and landmark_of(settings):  # whoever is still at risk after it
        return people_in(_before_landmark(settings), landmark_of(settings) + time, AT_RISK)
    if time == 0 and state == AT_RISK and settings.get("entry") is None:
        return followed(settings)
    return _people_in(_clock(settings), _waited_for(settings), time, state)


def _people_in(clock: str, waited: Mapping[str, str], time: float, state: str) -> CellDefinition:
    own = waited.get(state, "")
    before = [] if state == NOT_ENTERED else [name for name in waited.values() if own in ("", DEATH) or name != DEATH]
    how = f"{clock}; first of {', '.join(sorted(before))}; at {time:.12g}"
    return everybody().in_state(how, own or state)


def curve_roles() -> dict[str, TableRoles]:
    """Return the roles of a curve's tables: of the daily one, which is never released, and of the grid's."""
    return {
        "events": TableRoles({"kind": Internal(), "time": Internal(), "n_persons": Internal()}),
        "clustered": TableRoles(dict.fromkeys(("cause", "time", "standard_error"), Internal())),
        "grid": TableRoles(
            {"time": Key(), "state": Key(), "n_persons": Count()},
            counts=lambda row, column, settings: people_in(settings, row["time"], row["state"]),
        ),
    }


def relations_of(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Relation]:
    """Yield how the counts of a grid relate: to all who are at risk, to earlier times, and to other curves' counts."""
    if "grid" not in tables:
        return
    grid = tables["grid"]
    states = grid["state"].unique(maintain_order=True).to_list()
    times = grid["time"].unique().sort().to_list()
    late = NOT_ENTERED in states

    cells = {(time, state): people_in(settings, time, state) for time, state in product(times, states)}

    # the states at each time are all who are followed, and who has left has left for good
    for time in times if late else times[1:]:
        there = [state for state in states if time or state in (AT_RISK, NOT_ENTERED)]
        yield Partition(followed(settings), tuple(cells[time, state] for state in there))
    for first, second in pairwise(times):
        for state in states:
            if state == NOT_ENTERED or (state == AT_RISK and first and not late):
                yield Nested(cells[second, state], cells[first, state])
            elif state != AT_RISK and first:
                yield Nested(cells[first, state], cells[second, state])
    if landmark_of(settings):
        yield from _after_landmark(settings, times[1:], states)
    yield from beside_one_cause(settings, times)
    yield from same_without_names(settings, times if late else times[1:], states)


def _after_landmark(settings: Mapping[str, Any], times: Sequence[float], states: Sequence[str]) -> Iterator[Relation]:
    """Yield that whoever left by a time had left by the landmark or did so since."""
    whole, since = _before_landmark(settings), landmark_of(settings)
    for time, state in product(times, states):
        if state != AT_RISK:
            parts = people_in(whole, since, state), people_in(settings, time, state)
            yield Partition(people_in(whole, since + time, state), parts)
    yield from same_without_names(whole, [since, *(since + time for time in times)], states)


def same_without_names(
    settings: Mapping[str, Any], times: Iterable[float], states: Iterable[str]
) -> Iterator[Relation]:
    """Yield that events with names are those of their column's codes in a result that gives no names.

    Nothing says so but that both count time the same way; should they be others after all, more is suppressed than need be.
    """
    return _same(_clock(settings), _waited_for(settings), _unnamed(settings), times, states)


def _same(
    clock: str, waited: Mapping[str, str], unnamed: Mapping[str, str], times: Iterable[float], states: Iterable[str]
) -> Iterator[Relation]:
    for time, state in product(times, states) if waited != unnamed else ():
        yield Same(_people_in(clock, waited, time, state), _people_in(clock, unnamed, time, state))


def beside_one_cause(settings: Mapping[str, Any], times: Sequence[float]) -> Iterator[Relation]:
    """Yield who of those in a state where one cause alone is waited for is in it where causes compete."""
    clock, waited, unnamed = _clock(settings), _waited_for(settings), _unnamed(settings)
    if len(waited) < 2:
        return
    states = {name: state for state, name in waited.items()}
    for state, name in waited.items():
        if name == unnamed[state]:  # without a name nobody knows what it is
            continue
        alone = {event_state(1): name}
        if state == event_state(1):  # which a curve that gives no name may count by the same code
            yield from _same(clock, alone, {state: unnamed[state]}, times[1:], (AT_RISK, CENSORED, state))
        dies = len(waited) == 2 and name != DEATH and DEATH in states
        for before, time in pairwise(times):
            for mine, theirs in ((AT_RISK, AT_RISK), (CENSORED, CENSORED), (state, event_state(1))):
                outer, inner = _people_in(clock, alone, time, theirs), _people_in(clock, waited, time, mine)
                if not (dies and mine == CENSORED):
                    if outer != inner:
                        yield Nested(inner, outer)
                    continue
                # with death its only competitor, whoever had died without it before a time was censored before it
                dead = everybody().in_state(f"{clock}; without {name}; at {time:.12g}", f"{DEATH} before")
                yield Partition(outer, (inner, dead))
                yield Nested(dead, _people_in(clock, waited, time, states[DEATH]))
                if before:
                    yield Nested(_people_in(clock, waited, before, states[DEATH]), dead)
