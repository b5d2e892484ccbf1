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
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, pairwise, takewhile
from typing import Any

import numpy as np
import polars as pl

from symphony_research.collapse.margins import same_stratum
from symphony_research.collapse.ties import at_known_times, tie_width
from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.population import Population

__all__ = [
    "AT_RISK",
    "CENSORED",
    "NOT_ENTERED",
    "UNITS",
    "after_landmark",
    "checked_grid",
    "event_state",
    "grid_of",
    "grid_table",
    "grid_until",
    "known_while_at_risk",
    "landmark_of",
    "require_grid_time",
    "strata_of",
]

AT_RISK, CENSORED, NOT_ENTERED = "at risk", "censored", "not yet entered"
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
    time: float, unit: str | None, grid: Sequence[float] | None = None, *, what: str = "horizon", since: float = 0.0
) -> None:
    """Raise ArgumentError unless a time is one of the grid, with the next one that is.

    Time is counted from `since`, a landmark: the grid stays that of everybody.

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
        if moment < since and not math.isclose(moment, since):
            continue
        before = moment - since
        if before >= time or math.isclose(before, time):
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
    """Return the grid's times up to the last one at which anybody is at risk; refuse what does not count people."""
    unit: str | None = Population.of(settings).unit or "person"
    if unit != "person":
        how = (
            "Give each person one index date"
            if unit == "index date"
            else "Follow people: cohort.follow_up(event=..., unit='person')"
        )
        raise DisclosureError(
            f"This counts each {unit}, of which one person may have many, so that its counts protect nobody. {how}."
        )
    if settings.get("cluster"):
        raise DisclosureError(
            "This counts rows of which one person may have several, so that its counts protect nobody. Give each person one row."
        )
    times = events.filter(pl.col("kind") >= 0)["time"]
    since, longest = landmark_of(settings), float(times.max() or 0.0) + tie_width(times)  # type: ignore[arg-type]
    unit, grid = settings.get("time_unit"), settings.get("grid")
    if since:
        require_grid_time(since, unit, grid, what="at")
    return [t - since for t in grid_of(unit, longest + since, grid) if t >= since or math.isclose(t, since)]


def landmark_of(settings: Mapping[str, Any]) -> float:
    """Return the landmark from which time is counted, 0 where there is none."""
    return float(settings.get("landmark") or 0.0)


def after_landmark(settings: Mapping[str, Any]) -> str:
    """Return what stands after a time counted from a landmark: " after the landmark (90 days)"; nothing without one.

    Examples
    --------
    >>> after_landmark({"landmark": 90.0, "time_unit": "days"})
    ' after the landmark (90 days)'
    """
    since, unit = landmark_of(settings), settings.get("time_unit") or ""
    return f" after the landmark ({f'{since:g} {unit}'.rstrip()})" if since else ""


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
    broad = [name for name in by if name in ("broad_age_band", "broad_n_conditions")]
    if broad:
        raise DisclosureError(
            f"{', '.join(broad)} is for standardising: by it nothing is released, as it does not say how it relates to the "
            "bands of other tables. Use age_band or n_conditions_band."
        )
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


def known_while_at_risk(
    table: pl.DataFrame, grid: pl.DataFrame, by: Sequence[str], columns: Sequence[str]
) -> pl.DataFrame:
    """Return a table by stratum and time without its figures where the number at risk is suppressed or zero: the curve has ended there."""
    there = grid.filter((pl.col("state") == AT_RISK) & (pl.col("n_persons") > 0)).select(*by, "time")
    there = there.with_columns(pl.lit(True).alias("__there"))
    found = table.join(there, on=[*by, "time"], how="left", nulls_equal=True, maintain_order="left")
    return found.with_columns(pl.when("__there").then(pl.col(*columns))).drop("__there")
