"""The one grid of times on which every released curve stands, and the counts of people at its times.

Curves of different reports that step on days of their own give single people
away when they are compared. A released curve therefore says only
how the people of each stratum are divided at the grid's times: those with an
event of each cause, those censored, those at risk. These counts are suppressed
and rounded as any others are, and the estimate is computed from them.

At a grid time t the people are divided into those with an event up to and
including t, those censored before t, and those at risk: censored at t or later,
or with an event after t. Whoever is censored at t was seen to be free of the
event up to t, as in Kaplan and Meier's convention for ties, so a curve that
ends at a horizon of 365 days still says how many are at risk then.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count, pairwise, product, takewhile
from typing import Any

import numpy as np
import polars as pl

from symphony_research.collapse.margins import same_stratum
from symphony_research.collapse.ties import at_known_times, tie_width
from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.result.cells import CellDefinition, Nested, Partition, Relation, Same, everybody
from symphony_research.result.roles import Count, Internal, Key, TableRoles

__all__ = [
    "AT_RISK",
    "CENSORED",
    "NOT_ENTERED",
    "UNITS",
    "checked_grid",
    "curve_roles",
    "event_state",
    "followed",
    "grid_of",
    "grid_table",
    "grid_until",
    "people_in",
    "relations_of",
    "require_grid_time",
    "same_without_names",
    "strata_of",
]

AT_RISK, CENSORED, NOT_ENTERED = "at risk", "censored", "not yet entered"
DEATH = "death"  # as `follow_up` names it
MOST_TIMES = 40  # of a grid that a study states itself

# the times of the first year, and the length of a year; after the first year comes every half-year, rounded up
_FIRST_YEAR: Mapping[str, tuple[float, ...]] = {
    "days": (*range(0, 331, 30), 365),
    "weeks": (*range(0, 49, 4), 52),
    "months": tuple(range(13)),
    "years": (0, 0.5, 1),
}
_YEAR = {"days": 365, "weeks": 52, "months": 12, "years": 1}
UNITS = tuple(_YEAR)

Tables = Mapping[str, pl.DataFrame]


def grid_of(unit: str | None, until: float, grid: Sequence[float] | None = None) -> list[float]:
    """Return the grid's times up to and including a time.

    Parameters
    ----------
    unit : str or None
        Unit in which a curve counts time.
    until : float
        In that unit.
    grid : sequence of float, optional
        The study's own grid, for a unit that has none here.

    Returns
    -------
    list of float
        Days: 0, 30, 60, ..., 330, 365, then every half-year of 365 days,
        rounded up: 548, 730, 913, 1095, ... Weeks: 0, 4, ..., 48, 52, 78, ...
        Months: 0, 1, ..., 12, 18, 24, ... Years: every half-year.

    Raises
    ------
    DisclosureError
        If there is no grid for the unit.

    References
    ----------
    Cutler, S. J. and Ederer, F. (1958). Maximum utilization of the life table method
    in analyzing survival. Journal of Chronic Diseases 8, 699-712: the life table on
    fixed intervals.

    Examples
    --------
    >>> grid_of("days", 1000)[-4:]
    [365.0, 548.0, 730.0, 913.0]
    """
    return [float(t) for t in takewhile(lambda t: t <= until, _times(unit, grid))]


def _times(unit: str | None, grid: Sequence[float] | None) -> Iterator[float]:
    known = _known(unit)
    if known is not None:
        yield from _FIRST_YEAR[known]
        for halves in count(3):
            half = _YEAR[known] * halves / 2
            yield half if known == "years" else math.ceil(half)
    elif grid is None:
        raise DisclosureError(
            f"A curve counted in {unit or 'an unknown unit of time'} has no grid of times on which it could be released. "
            f"Give the estimator time_unit= ({', '.join(UNITS)}), or for another unit grid=, the times from 0 at which "
            "all curves of the study are released."
        )
    else:
        yield from grid


def _known(unit: str | None) -> str | None:
    name = (unit or "").strip().lower()
    return next((known for known in UNITS if name in (known, known[:-1])), None)


def checked_grid(grid: Sequence[float] | None, unit: str | None) -> list[float] | None:
    """Return a study's own grid, if it may be one.

    Raises
    ------
    ArgumentError
        If the unit has a grid of its own, or the times do not rise from 0.
    """
    if grid is None:
        return None
    if _known(unit) is not None:
        raise ArgumentError(
            f"Curves in {_known(unit)} are released on one grid of times in all reports, so that reports cannot be "
            "compared day by day. Leave grid= out; it is for other units."
        )
    times = [float(t) for t in grid]
    rising = len(times) > 1 and times[0] == 0 and all(a < b < math.inf for a, b in pairwise(times))
    if not rising or len(times) > MOST_TIMES:
        raise ArgumentError(f"grid must rise from 0 and have 2 to {MOST_TIMES} times.")
    return times


def require_grid_time(
    time: float, unit: str | None, grid: Sequence[float] | None = None, *, what: str = "horizon"
) -> None:
    """Raise ArgumentError unless a time is one of the grid, with the next one that is.

    Raises
    ------
    ArgumentError
        Naming the grid's next time, or its last where none follows.

    Examples
    --------
    >>> require_grid_time(365, "days")
    >>> require_grid_time(100, "days")
    Traceback (most recent call last):
    symphony_research.errors.ArgumentError: horizon=100 is no time at which curves are released. The next one is 120 days.
    """
    before = None
    for moment in _times(unit, grid):
        before = moment
        if moment >= time or math.isclose(moment, time):
            break
    if before is not None and not math.isclose(before, time):
        word = "next" if before > time else "last"
        raise ArgumentError(
            f"{what}={time:g} is no time at which curves are released. The {word} one is {before:g} {unit or ''}".rstrip()
            + "."
        )


def event_state(cause: int) -> str:
    """Return the name of those with an event of a cause."""
    return f"event {cause}"


def grid_until(events: pl.DataFrame, settings: Mapping[str, Any]) -> list[float]:
    """Return the grid's times up to the last one at which anybody is at risk."""
    times = events.filter(pl.col("kind") >= 0)["time"]
    longest = float(times.max() or 0.0) + tie_width(times)  # type: ignore[arg-type]
    return grid_of(settings.get("time_unit"), longest, settings.get("grid"))


def grid_table(events: pl.DataFrame, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
    """Count the people of each stratum by state at each time of the grid.

    Parameters
    ----------
    events : polars.DataFrame
        Strata, `kind` (-1 entered, 0 censored, 1, 2, ... cause), `time`, `n_persons`.
    settings : mapping
        Of the curve: unit, grid, causes, entry.
    by : tuple of str

    Returns
    -------
    polars.DataFrame
        Strata, `time`, `state`, `n_persons`. All strata have the same times: up to
        the last one at which anybody is at risk. At 0 everybody is at risk (or not
        yet entered); what happens on day 0 belongs to the first interval.

    Raises
    ------
    DisclosureError
        Without a grid for the unit, or with people who enter before time 0.
    """
    late = settings.get("entry") is not None
    if late and (events["time"] < 0).any():
        raise DisclosureError(
            "A curve with times below 0 cannot be released: count time from a start that nobody precedes."
        )
    grid, width = np.array(grid_until(events, settings)), tie_width(events["time"])
    states = [event_state(cause) for cause in settings.get("causes", (1,))]
    schema = {"time": pl.Float64, "state": pl.String, "n_persons": pl.Int64}
    parts = [pl.DataFrame(schema={**{c: events.schema[c] for c in by}, **schema})]
    for names in strata_of(events, by):
        own = same_stratum(events, names) if by else events
        kinds, people = (own[c].to_numpy() for c in ("kind", "n_persons"))
        times = at_known_times(own["time"], grid, width)

        def by_time(which: np.ndarray, at: np.ndarray, people: np.ndarray = people) -> np.ndarray:
            """Return cumulative people, each from the index of the grid `at` on."""
            return np.cumsum(np.bincount(at[which], people[which], len(grid) + 1)[: len(grid)]).astype(int)

        up_to = np.maximum(np.searchsorted(grid, times, side="left"), 1)
        before = np.searchsorted(grid, times, side="right")
        everyone = int(people[kinds >= 0].sum())
        counts = {
            state: by_time(kinds == cause, up_to)
            for state, cause in zip(states, settings.get("causes", (1,)), strict=True)
        }
        counts[CENSORED] = by_time(kinds == 0, before)
        if late:
            counts[NOT_ENTERED] = everyone - by_time(kinds < 0, np.searchsorted(grid, times, side="left"))
        counts[AT_RISK] = everyone - np.sum(list(counts.values()), axis=0)
        rows = [
            (t, state, int(n[k]))
            for k, t in enumerate(grid)
            for state, n in counts.items()
            if k or state in (AT_RISK, NOT_ENTERED)
        ]
        table = pl.DataFrame(rows, schema=schema, orient="row")
        own_columns = [pl.lit(value, dtype=events.schema[c]).alias(c) for c, value in names.items()]
        parts.append(table.select([*own_columns, pl.all()]))
    return pl.concat(parts)


def strata_of(table: pl.DataFrame, by: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the strata of a table, in its order."""
    return table.select(by).unique(maintain_order=True).to_dicts() if by else [{}]


def _clock(settings: Mapping[str, Any]) -> str:
    """Return how time is counted: equal where, and only where, two curves follow the same people from the same start."""
    known = {
        "from": _start(settings),
        "until": (settings.get("population") or {}).get("until"),
        **{name: settings.get(name) for name in ("time", "entry", "time_unit")},
    }
    return "; ".join(f"{name} {value}" for name, value in known.items() if value is not None)


def _start(settings: Mapping[str, Any]) -> str | None:
    """Return at what time starts where that is not the index date, which everybody has."""
    return "first discharge" if (settings.get("population") or {}).get("event") == "readmission" else None


def _waited_for(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what is waited for, by state; what has no name is the event of its column's code."""
    population, names = settings.get("population") or {}, settings.get("cause_names") or {}
    first = population.get("event") or settings.get("event_name") or names.get(1)
    usual = {1: first, 2: DEATH if population.get("event") else None}
    unnamed = _unnamed(settings)
    return {state: str(usual.get(cause) or names.get(cause) or unnamed[state]) for cause, state in _causes(settings)}


def _causes(settings: Mapping[str, Any]) -> list[tuple[int, str]]:
    return [(cause, event_state(cause)) for cause in settings.get("causes") or (1,)]


def _unnamed(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what is waited for as one knows it who is given no names: by column and code."""
    return {state: f"{settings.get('event')} {cause}" for cause, state in _causes(settings)}


def followed(settings: Mapping[str, Any]) -> CellDefinition:
    """Return the people whom a curve follows: everybody, or those for whom time starts at all."""
    start = _start(settings)
    return everybody() if start is None else everybody().in_state(start, "followed")


def people_in(settings: Mapping[str, Any], time: float, state: str) -> CellDefinition:
    """Return the people in a state at a time; without late entry all of them are at risk at 0.

    Whoever has an event first is named by what might have come before. Nothing
    comes after death, so those with the event are the same people whether deaths
    compete or are censored.
    """
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

    def cell(time: float, state: str) -> CellDefinition:
        return people_in(settings, time, state)

    # the states at each time are all who are followed, and who has left has left for good
    for time in times if late else times[1:]:
        there = [state for state in states if time or state in (AT_RISK, NOT_ENTERED)]
        yield Partition(followed(settings), tuple(cell(time, state) for state in there))
    for first, second in pairwise(times):
        for state in states:
            if state == NOT_ENTERED or (state == AT_RISK and first and not late):
                yield Nested(cell(second, state), cell(first, state))
            elif state != AT_RISK and first:
                yield Nested(cell(first, state), cell(second, state))
    yield from _beside_one_cause(settings, times)
    yield from same_without_names(settings, times if late else times[1:], states)


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


def _beside_one_cause(settings: Mapping[str, Any], times: Sequence[float]) -> Iterator[Relation]:
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
                # with death its only competitor, whoever had died before a time was censored before it
                dead = everybody().in_state(f"{clock}; at {time:.12g}", f"{DEATH} before")
                yield Partition(outer, (inner, dead))
                yield Nested(dead, _people_in(clock, waited, time, states[DEATH]))
                if before:
                    yield Nested(_people_in(clock, waited, before, states[DEATH]), dead)
