"""What people had used before a day, counted in days back from it; nothing dated on that day or after it enters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.cohort.events import events_of, why_not_recorded
from symphony_research.study import Study

__all__ = ["DAYS_BACK", "RUN_DAYS", "Counter", "Measured", "closed_days", "measured_before", "pence_by_day"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

# first and last day back of each window; the last goes back to the first day of the records
DAYS_BACK = ((1, 5), (6, 15), (16, 30), (31, 60), (61, 365), (366, None))
RUN_DAYS = 60  # an emergency admission so soon after another is counted apart too
_APART = 1 << 22  # days, more than between any two
_STREAMS = (("emergency admissions", "emergency_admission"), ("A&E attendances", "accident_and_emergency"))
MOST_PEOPLE = 500_000  # whose records are held at once


@dataclass(frozen=True, eq=False, repr=False)
class Measured:
    """Covariates of rows, one column each: their names, and which of them are before a day rather than of the person."""

    names: tuple[str, ...]
    values: Array
    missing: tuple[str, ...]  # what the study does not record


class Counter:
    """Numbers, or sums, of what is dated, by person and day: how many fall in a window of days.

    Examples
    --------
    >>> one = Counter(np.array([0, 0, 1]), np.array([10, 20, 15]))
    >>> one.between(np.array([0, 1]), np.array([5, 5]), np.array([15, 15])).tolist()
    [1.0, 1.0]
    """

    def __init__(self, person: Whole, day: Whole, value: Array | None = None) -> None:
        key = person.astype(np.int64) * _APART + day
        order = np.argsort(key, kind="stable")
        self.key, self.order = key[order], order
        # whole sums in whole numbers, so that differences are exact
        self.sums = None if value is None else np.concatenate([[0], np.cumsum(value[order].astype(np.int64))])

    def between(self, person: Whole, first: Whole, last: Whole) -> Array:
        """Return how many, or how much, each person has from the first to the last day, both included."""
        since, until = self._ends(person, first, last)
        return (
            (until - since).astype(float) if self.sums is None else (self.sums[until] - self.sums[since]).astype(float)
        )

    def listed(self, person: Whole, first: Whole, last: Whole) -> tuple[Whole, Whole]:
        """Return what each has from the first to the last day, in order of the days: the place of the row, and of what is dated."""
        since, until = self._ends(person, first, last)
        many = until - since
        place = np.repeat(np.arange(len(many)), many)
        return place, self.order[np.arange(len(place)) - np.repeat(np.cumsum(many) - many - since, many)]

    def _ends(self, person: Whole, first: Whole, last: Whole) -> tuple[Whole, Whole]:
        base = person.astype(np.int64) * _APART
        since = np.searchsorted(self.key, base + np.maximum(first, -(_APART // 2) + 1))
        return since, np.maximum(np.searchsorted(self.key, base + last, side="right"), since)


def closed_days(measured: Measured) -> int:
    """Return the last day back of the windows that have an end, of those in which anything was counted; 0 if nothing was.

    Examples
    --------
    >>> closed_days(Measured(("age", "cost, 31 to 60 days before"), np.zeros((1, 2)), ()))
    60
    """
    closed = [(far, f"{near} to {far} days before") for near, far in DAYS_BACK if far is not None]
    return max((far for far, words in closed if any(name.endswith(words) for name in measured.names)), default=0)


def measured_before(study: Study, people: pl.DataFrame, person: Whole, day: Whole, since: Whole | None) -> Measured:
    """Return the covariates of persons on days.

    Parameters
    ----------
    study : Study
    people : polars.DataFrame
        `__person`, `person_id`, `birth_date`, `deprivation_decile`.
    person, day : arrays
        One row each: place of the person in `people`, and the day.
    since : array, optional
        Day on which each became eligible; None where nothing makes people eligible.

    Returns
    -------
    Measured
        Of numbers n the logarithm log2(1 + n), as one more matters less the more there are; cost in pounds likewise.
    """
    names: list[str] = []
    columns: list[Array] = []
    missing: list[str] = []

    def add(name: str, values: Array) -> None:
        if len(values) and values.min() < values.max():  # what is the same for all says nothing
            names.append(name)
            columns.append(values)

    # in order of the records, among which each row is sought
    order = np.lexsort((day, person))
    person, day, since = person[order], day[order], None if since is None else since[order]
    born = people["birth_date"].cast(pl.Int32).cast(pl.Int64).to_numpy()[person]
    age = (day - born) / 365.25
    add("age", age)
    add("age, squared", (age - 70) ** 2 / 100)
    decile = people["deprivation_decile"].cast(pl.Float64).fill_null(float("nan")).to_numpy()[person]
    known = np.isfinite(decile)
    add("deprivation decile", np.where(known, decile, 5.5))
    add("deprivation not recorded", (~known).astype(float))
    if since is not None:
        add("log of days since eligible", np.log1p(np.clip(day - since, 0, 365 * 20)))
    # parts of people, so that the records of all are never held at once
    for part in _parts(people, person):
        of_part = _records(study, people, part, person, day, missing)
        if not columns or len(part.rows) == len(person):
            for name, values in of_part:
                add(name, values)
        else:
            columns, names = _filled(columns, names, part.rows, of_part)
    values = np.zeros((len(person), len(columns)), order="F")
    for k, column in enumerate(columns):
        values[order, k] = column
    return Measured(tuple(names), values, tuple(dict.fromkeys(missing)))


@dataclass(frozen=True, eq=False, repr=False)
class _Part:
    people: pl.DataFrame
    rows: Whole


def _parts(people: pl.DataFrame, person: Whole) -> Iterator[_Part]:
    wanted = people[np.unique(person).tolist()] if people.height else people
    if wanted.height <= MOST_PEOPLE:
        yield _Part(wanted, np.arange(len(person)))
        return
    for some in wanted.iter_slices(MOST_PEOPLE):
        low, high = some["__person"][0], some["__person"][-1]
        yield _Part(some, np.flatnonzero((person >= low) & (person <= high)))


def _filled(
    columns: list[Array], names: list[str], rows: Whole, found: list[tuple[str, Array]]
) -> tuple[list[Array], list[str]]:
    """Put the values of some rows into columns of all."""
    size = len(columns[0])
    for name, values in found:
        if name not in names:
            names.append(name)
            columns.append(np.zeros(size))
        columns[names.index(name)][rows] = values
    return columns, names


def _records(
    study: Study, people: pl.DataFrame, part: _Part, person: Whole, day: Whole, missing: list[str]
) -> list[tuple[str, Array]]:
    """Return the number of conditions, events and costs of the rows of some people, by name."""
    among = part.people.lazy().select("person_id", pl.col("__person").cast(pl.Int64))
    person, day = person[part.rows], day[part.rows]
    found: list[tuple[str, Array]] = []
    if study.has("conditions"):
        held = study.conditions.join(among, on="person_id", how="inner").group_by("__person", "condition")
        first = held.agg(pl.col("onset_date").min().cast(pl.Int32).cast(pl.Int64).fill_null(-(_APART // 4)))
        known = first.collect(engine="streaming")
        counter = Counter(known["__person"].to_numpy(), known["onset_date"].to_numpy())
        found.append(("conditions", counter.between(person, np.full(len(day), -(_APART // 2)), day - 1)))
    for words, event in _STREAMS:
        if why_not_recorded(study, event):
            missing.append(words)
            continue
        table = events_of(study, event, among=among).join(among, on="person_id", how="inner")
        dated = table.select("__person", pl.col("event_date").cast(pl.Int32).cast(pl.Int64)).collect(engine="streaming")
        who, when = dated["__person"].to_numpy(), dated["event_date"].to_numpy()
        found += _in_windows(words, Counter(who, when), person, day)
        if event == "emergency_admission":
            order = np.lexsort((when, who))
            who, when = who[order], when[order]
            again = (
                np.append(False, (np.diff(who) == 0) & (np.diff(when) <= RUN_DAYS)) if len(who) else np.zeros(0, bool)
            )
            runs = Counter(who[again], when[again])
            found += _in_windows(f"emergency admissions within {RUN_DAYS} days of another", runs, person, day)
            lately = runs.between(person, day - RUN_DAYS, day - 1)
            found.append(
                (
                    f"an emergency admission within {RUN_DAYS} days of another, in the {RUN_DAYS} days before",
                    (lately > 0).astype(float),
                )
            )
    if why := ("" if study.has("activity") and study.recorded["costed"].any() else "cost"):
        missing.append(why)
        return found
    spent = pence_by_day(study, among)
    cost = Counter(spent["__person"].to_numpy(), spent["date"].to_numpy(), spent["pence"].to_numpy())
    found += _in_windows("cost", cost, person, day, scale=100.0)
    return found


def pence_by_day(study: Study, among: pl.LazyFrame) -> pl.DataFrame:
    """Return what people cost by day: `__person`, `date` in days from 1 January 1970, `pence`, whole so that any order gives one sum."""
    pence = (pl.col("cost").fill_null(0) * 100).round().cast(pl.Int64)
    return (
        study.activity.join(among, on="person_id", how="inner")
        .group_by("__person", pl.col("date").cast(pl.Int32).cast(pl.Int64))
        .agg(pence.sum().alias("pence"))
        .collect(engine="streaming")
    )


def _in_windows(words: str, counter: Counter, person: Whole, day: Whole, scale: float = 1.0) -> list[tuple[str, Array]]:
    made = []
    for near, far in DAYS_BACK:
        first = np.full(len(day), -(_APART // 2)) if far is None else day - far
        number = counter.between(person, first, day - near) / scale
        back = f"{near} to {far} days before" if far is not None else f"{near} days before or earlier"
        made.append((f"{words}, {back}", np.log2(1 + np.maximum(number, 0))))
    return made
