"""Who could have been a control on the day that somebody enrolled: when each person was eligible, and who was on a day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.cohort.rows import PersonRows
from symphony_research.cohort.spells import joined_spells
from symphony_research.errors import ArgumentError, NotEstimableError, require_one_of
from symphony_research.study import Study

__all__ = [
    "DATED",
    "OF_PERSONS",
    "SAME_PRACTICES",
    "Drawn",
    "Eligible",
    "draw_candidates",
    "eligible_people",
    "exact_names",
    "first_enrolments",
    "other_programmes",
]

Whole = NDArray[np.int64]
FAR = date(9999, 1, 1)
DATED = ("age_band",)  # what changes with the day
OF_PERSONS = ("sex", "deprivation_decile", "deprivation_quintile", "area", "residence", "practice_id")
# of the practice that a control is registered with on the day, against the hub of whom they are compared with
SAME_PRACTICES = ("any", "of the hub", "of other hubs")


@dataclass(frozen=True, eq=False, repr=False)
class Eligible:
    """Spells in which people were registered, alive, eligible and not enrolled; sorted by person and first day.

    `person` is the place of the person in `people`; days are counted from 1 January 1970.
    """

    people: pl.DataFrame
    person: Whole
    first: Whole
    last: Whole
    practice: Whole
    since: Whole  # day on which they first had enough conditions; that of birth where none are asked for
    observed: Whole  # first day of unbroken registration
    until: Whole  # last day of it
    practices: tuple[Any, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Drawn:
    """Rows of risk sets: which enrolled person each is for, and which spell of `Eligible` it is; those drawn of a set.

    `share` is, of each set, the candidates drawn over those there were.
    """

    set: Whole
    spell: Whole
    there: Whole
    share: NDArray[np.float64]


def first_enrolments(rows: PersonRows) -> pl.DataFrame:
    """Return when each person of the study first enrolled on the cohort's programme, or on any: `person_id`, `enrolled_on`."""
    programme, spells = rows.rules.get("programme"), rows.study.enrolments
    if programme is not None:
        spells = spells.filter(pl.col("programme") == programme)
    return spells.group_by("person_id").agg(pl.col("start_date").min().alias("enrolled_on")).collect(engine="streaming")


def exact_names(rows: PersonRows, exact: Sequence[str] | None) -> tuple[str, ...]:
    """Return what enrolled people and controls must agree on: sex, and which other programmes had reached the practice.

    Raises
    ------
    ArgumentError
        If something else than a stratum or a programme of practices is named.
    """
    reached = other_programmes(rows.study, rows.rules.get("programme"))
    if exact is None:
        return ("sex", *reached)
    for name in exact:
        require_one_of(name, (*OF_PERSONS, *DATED, *reached), argument="exact")
    if len(set(exact)) < len(exact):
        raise ArgumentError("exact names something twice.")
    return tuple(exact)


def other_programmes(study: Study, programme: str | None) -> list[str]:
    """Return the programmes of practices other than the one studied, by name."""
    if not study.has("practice_programmes") or not study.has("registrations"):
        return []
    table = study.practice_programmes.select(pl.col("programme").cast(pl.String).unique().sort()).collect()
    return [name for name in table["programme"].to_list() if name != programme]


def eligible_people(rows: PersonRows, first_enrolled: pl.DataFrame) -> Eligible:
    """Return who was eligible when, by the rules of the cohort; `first_enrolled` is each person's first day on the programme."""
    study, rules = rows.study, rows.rules
    people = study.persons
    for rule in ("sex", "area", "residence"):
        if rules.get(rule) is not None:
            people = people.filter(pl.col(rule).cast(pl.String) == str(rules[rule]))
    spells = people.select("person_id", "birth_date", "death_date").with_columns(since=pl.col("birth_date"))
    if rules.get("min_conditions"):
        held = study.conditions.filter(pl.col("condition").is_in(list(rows.listed or ())))
        enough = (
            held.with_columns(pl.col("onset_date").fill_null(date(1, 1, 1)))  # of an unknown day: before all others
            .group_by("person_id", "condition")
            .agg(pl.col("onset_date").min())
            .group_by("person_id")
            .agg(pl.col("onset_date").sort().get(rules["min_conditions"] - 1, null_on_oob=True).alias("since"))
            .drop_nulls()
        )
        spells = spells.drop("since").join(enough, on="person_id", how="inner")
    spells = _registered(rows, spells)
    spells = spells.join(first_enrolled.lazy(), on="person_id", how="left")
    begins: list[str | pl.Expr] = ["start_date", "birth_date", "since", pl.lit(study.period[0])]
    ends: list[str | pl.Expr] = ["end_date", "death_date"]
    low, high = rules.get("age") or (None, None)
    if low:
        begins.append(_turns(low))
    if high is not None:
        ends.append(_turns(high + 1).dt.offset_by("-1d"))
    found = spells.with_columns(
        pl.max_horizontal(begins).alias("first"),
        pl.min_horizontal(*ends, pl.col("enrolled_on").dt.offset_by("-1d"), pl.lit(study.period[1])).alias("last"),
        pl.min_horizontal("registered_until", "death_date", pl.lit(study.period[1])).alias("until"),
    ).filter(pl.col("first") <= pl.col("last"))
    table = (
        found.select("person_id", "practice_id", "first", "last", "since", "registered_since", "until")
        .sort("person_id", "first", "practice_id")
        .collect(engine="streaming")
    )
    own = rows.people.select("person_id").lazy()
    everybody = pl.concat([table.lazy().select("person_id"), own]).unique()
    persons = study.persons.join(everybody, on="person_id", how="semi").sort("person_id").collect(engine="streaming")
    persons = persons.with_row_index("__person")
    practices = table["practice_id"].unique().drop_nulls().sort()
    place = persons.select("person_id", pl.col("__person").cast(pl.Int64))
    codes = pl.DataFrame({"practice_id": practices, "__practice": pl.int_range(len(practices), eager=True)})
    table = table.join(place, on="person_id", how="left", maintain_order="left")
    table = table.join(codes, on="practice_id", how="left", maintain_order="left")
    days = {c: _day(table[c]) for c in ("first", "last", "since", "registered_since", "until")}
    return Eligible(
        persons, table["__person"].to_numpy(), days["first"], days["last"],
        table["__practice"].fill_null(-1).cast(pl.Int64).to_numpy(), days["since"], days["registered_since"],
        days["until"], tuple(practices.to_list()),
    )  # fmt: skip


def _registered(rows: PersonRows, people: pl.LazyFrame) -> pl.LazyFrame:
    """Add the spells with a practice, and the first and last day of unbroken registration around each."""
    study = rows.study
    if not study.has("registrations"):
        first, last = (pl.lit(day) for day in study.period)
        return people.with_columns(
            pl.lit(None, dtype=pl.String).alias("practice_id"), first.alias("start_date"), last.alias("end_date"),
            first.alias("registered_since"), last.alias("registered_until"),
        )  # fmt: skip
    named = study.registrations.join(people.select("person_id"), on="person_id", how="semi").select(
        "person_id", "practice_id", "start_date", pl.col("end_date").fill_null(FAR)
    )
    spells = joined_spells(named, start="start_date", end="end_date", touch_days=1)
    runs = spells.group_by("person_id", "run").agg(
        pl.col("start_date").min().alias("registered_since"), pl.col("end_date").max().alias("registered_until")
    )
    if rows.rules.get("practice") is not None:
        spells = spells.filter(pl.col("practice_id").cast(pl.String) == str(rows.rules["practice"]))
    return people.join(spells.join(runs, on=["person_id", "run"], how="inner"), on="person_id", how="inner")


def _turns(years: int) -> pl.Expr:
    """Return the day on which so many years are completed; of who was born on 29 February, in other years 1 March."""
    day = pl.col("birth_date").dt.offset_by(f"{years}y")
    moved = (pl.col("birth_date").dt.day() == 29) & (day.dt.day() == 28)
    return pl.when(moved).then(day.dt.offset_by("1d")).otherwise(day)


def _day(dates: pl.Series) -> Whole:
    return dates.cast(pl.Int32).cast(pl.Int64).to_numpy()


def draw_candidates(
    rows: PersonRows,
    eligible: Eligible,
    enrolled: pl.DataFrame,
    *,
    exact: tuple[str, ...],
    practices: str,
    most: int,
    random: np.random.Generator,
) -> Drawn:
    """Return the candidates of each enrolled person on the day they enrolled, of whom at most so many are drawn.

    Parameters
    ----------
    enrolled : polars.DataFrame
        `day`, `person` (place in `eligible.people`), `practice_id` and `hub`; in order of the day and the person.
    exact : tuple of str
        What they must agree on, as of that day.
    practices : str
        One of `SAME_PRACTICES`.
    most : int
    random : numpy.random.Generator
        Used set by set, in order.
    """
    levels = _Levels(rows, eligible, exact)
    hubs = _hubs(rows, eligible, enrolled["hub"]) if practices != "any" else None
    days, own = enrolled["day"].to_numpy(), enrolled["person"].to_numpy()
    codes = {name: k for k, name in enumerate(eligible.practices)}
    at = np.array([codes.get(name, -1) for name in enrolled["practice_id"].to_list()], dtype=np.int64)
    sets: list[Whole] = []
    spells: list[Whole] = []
    there, share = np.zeros(len(days), dtype=np.int64), np.ones(len(days))
    # every day all spells are gone through: whole days in half the bytes, and people by the few cells that they are in
    first, last = eligible.first.astype(np.int32), eligible.last.astype(np.int32)
    cell = levels.cell(eligible.person, eligible.practice)
    of_one = np.diff(eligible.person) == 0
    overlap = bool((of_one & (first[1:] <= last[:-1])).any())
    for day, cases in _by_day(days):
        there_then = (first <= day) & (last >= day)
        if overlap:  # of two spells that overlap, that which began last
            here = np.flatnonzero(there_then)
            there_then[here[:-1][np.diff(eligible.person[here]) == 0]] = False
        stratum = levels.of_cells(day)
        mine = stratum[levels.cell(own[cases], at[cases])]
        # few strata have somebody who enrolled that day
        pools = {level: np.flatnonzero(there_then & (stratum == level)[cell]) for level in np.unique(mine)}
        for case, level in zip(cases, mine, strict=True):
            pool = levels.of_one_age(pools[level], eligible.person, own[case], day)
            if hubs is not None:
                of_hub = hubs[0][eligible.practice[pool]] == hubs[1][case]
                pool = pool[of_hub if practices == "of the hub" else ~of_hub]
            there[case] = len(pool)
            if len(pool) > most:
                pool = np.sort(random.choice(pool, most, replace=False))
            share[case] = len(pool) / max(there[case], 1)
            sets.append(np.full(len(pool), case, dtype=np.int64))
            spells.append(pool)
    nobody = np.zeros(0, dtype=np.int64)
    return Drawn(np.concatenate([nobody, *sets]), np.concatenate([nobody, *spells]), there, share)


def _by_day(days: Whole) -> Iterator[tuple[int, Whole]]:
    starts = np.flatnonzero(np.diff(days, prepend=days[:1] - 1))
    for start, end in zip(starts, [*starts[1:], len(days)], strict=True):
        yield int(days[start]), np.arange(start, end)


class _Levels:
    """The stratum in which people are on a day: that of their cell, which is what of them does not change and their practice."""

    def __init__(self, rows: PersonRows, eligible: Eligible, exact: tuple[str, ...]) -> None:
        people = eligible.people
        if "deprivation_quintile" in exact:
            people = people.with_columns(((pl.col("deprivation_decile") + 1) // 2).alias("deprivation_quintile"))
        fixed = [name for name in exact if name in OF_PERSONS and name != "practice_id"]
        self.fixed = np.zeros(people.height, dtype=np.int32)
        if fixed:
            self.fixed = people.select(pl.struct(fixed).rank("dense").cast(pl.Int32)).to_series().to_numpy()
        self.places = len(eligible.practices) + 1  # the last is of no practice
        self.cells = np.arange(self.places * (int(self.fixed.max(initial=0)) + 1))
        self.reached = [_reached(rows, eligible, name) for name in exact if name not in (*OF_PERSONS, *DATED)]
        self.by_practice = "practice_id" in exact
        self.lowest = np.array(rows.study.age_bands if "age_band" in exact else (), dtype=np.int64)
        born = people["birth_date"]
        self.born = [born.dt.year().to_numpy(), (born.dt.month().cast(pl.Int64) * 100 + born.dt.day()).to_numpy()]

    def cell(self, person: Whole, practice: Whole) -> NDArray[Any]:
        """Return the cells of people registered with practices."""
        return np.asarray(self.fixed[person] * self.places + np.where(practice < 0, self.places - 1, practice)).astype(
            np.int32
        )

    def of_cells(self, day: int) -> Whole:
        """Return the stratum of each cell on a day, age apart."""
        if self.by_practice:
            return self.cells
        level, practice = self.cells // self.places, self.cells % self.places
        for starts, ends in self.reached:
            on = np.asarray(((starts <= day) & (ends >= day)).any(axis=0))
            level = 2 * level + on[practice]
        return level

    def of_one_age(self, pool: Whole, persons: Whole, person: int, day: int) -> Whole:
        """Return those of the pool who are in the age band of a person, where that is asked for."""
        if not len(self.lowest):
            return pool
        return pool[self._age_band(persons[pool], day) == self._age_band(np.array([person]), day)]

    def _age_band(self, person: Whole, day: int) -> Whole:
        now = date.fromordinal(day + date(1970, 1, 1).toordinal())
        age = now.year - self.born[0][person] - (100 * now.month + now.day < self.born[1][person])
        return np.asarray(np.searchsorted(self.lowest, age, side="right"), dtype=np.int64)


def _reached(rows: PersonRows, eligible: Eligible, programme: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the first and last days of a programme at each practice, one row a spell; the last column is of no practice."""
    table = rows.study.practice_programmes.filter(pl.col("programme").cast(pl.String) == programme)
    spells = table.select("practice_id", "start_date", pl.col("end_date").fill_null(FAR)).collect()
    codes = {name: k for k, name in enumerate(eligible.practices)}
    spells = spells.filter(pl.col("practice_id").is_in(list(codes)))
    starts = np.full((max(spells.height, 1), len(codes) + 1), np.iinfo(np.int64).max)
    ends = np.full(starts.shape, np.iinfo(np.int64).min)
    for k, (practice, first, last) in enumerate(zip(spells["practice_id"], _day(spells["start_date"]), _day(spells["end_date"]), strict=True)):  # fmt: skip
        starts[k, codes[practice]], ends[k, codes[practice]] = first, last
    return starts, ends


def _hubs(rows: PersonRows, eligible: Eligible, hub: pl.Series) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the number of the hub of each practice, and of each enrolled person's.

    Raises
    ------
    ArgumentError
        If the study does not say which practice is of which hub.
    """
    study = rows.study
    table = study.practices.select("practice_id", pl.col("hub").cast(pl.String)).collect()
    if not table["hub"].is_not_null().any() or not study.has("registrations"):
        raise NotEstimableError(
            "The study's practices have no hub, so that controls cannot be chosen by it. Leave practices='any'.",
            "The study does not say which practice is of which hub",
        )
    names = dict(table.iter_rows())
    known = sorted({*table["hub"].drop_nulls().to_list(), *hub.cast(pl.String).drop_nulls().to_list()})
    code = {name: k for k, name in enumerate(known)}
    of_practice = np.array([code.get(names.get(p), -1) for p in eligible.practices] + [-1])
    return of_practice, np.array([code.get(name, -2) for name in hub.cast(pl.String).to_list()])
