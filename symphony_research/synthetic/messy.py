"""The public study made as untidy as extracts are: what is incomplete or late in it, and what is wrong.

Imperfections are life, and `symphony check` reads over them. Faults are planted in rows of their own, so that the check
finds each kind in as many rows as were planted, and nothing beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from symphony_research.errors import ArgumentError
from symphony_research.schema import KINDS, MODES, RESIDENCES, SETTINGS, SEXES
from symphony_research.synthetic.parameters import PERIOD_END, PERIOD_START, PRACTICES, PRIORITY_CONDITIONS
from symphony_research.synthetic.parameters.conditions import CONDITION_NAMES

__all__ = ["FAULTS", "IMPERFECTIONS", "LEAST_PEOPLE", "PEOPLE_PER_FAULT", "Fault", "faults_of_block", "mess_up"]

# Share of a month's activity that has not arrived, the same in every setting.
ACTIVITY_MISSING = MappingProxyType({date(2018, 1, 1): 0.1, date(2018, 2, 1): 0.3, date(2018, 3, 1): 0.6})
# Share of deaths whose date is late, and the mean of the delay: exponential, rounded up to whole days.
LATE_DEATH_SHARE = 0.2
LATE_DEATH_MEAN_DAYS = 60.0
# Every fifth practice, from the third, leaves out this share of its people's conditions other than the priority ones,
# for which practices are paid to keep registers.
UNEVEN_PRACTICES = tuple(practice.practice_id for practice in PRACTICES[2::5])
CODES_MISSING_SHARE = 0.3

IMPERFECTIONS: Mapping[str, Any] = MappingProxyType(
    {
        "incomplete_last_months": {
            "words": "activity that began in these months and has not arrived, in every setting",
            "missing_share": {f"{month:%Y-%m}": share for month, share in ACTIVITY_MISSING.items()},
        },
        "late_deaths": {
            "words": "deaths, and the ends of registration and enrolment they bring, dated an exponential number of days "
            "late, rounded up; those that then fall after the last day are not there yet",
            "late_share": LATE_DEATH_SHARE,
            "mean_delay_days": LATE_DEATH_MEAN_DAYS,
        },
        "uneven_coding": {
            "words": "conditions that these practices, where the person first registered, did not record",
            "practices": list(UNEVEN_PRACTICES),
            "missing_share": CODES_MISSING_SHARE,
            "recorded_in_full": list(PRIORITY_CONDITIONS),
        },
    }
)

# People a block should have for each row of every kind of fault, and at the least, since deaths are few.
PEOPLE_PER_FAULT = 100
LEAST_PEOPLE = 500

_EARLIEST = date(1880, 1, 1)
_LONGEST_DAYS = 28
# Added to a person's id: beyond the largest study, and never ten digits that an NHS number could begin with.
_STRANGERS_FROM = 900_000_000
# Invented enrolments begin in the last year, when every hub is open, with people who are adults then.
_ENROLLED_FROM = date(2017, 4, 1)
_ADULT_BORN_BEFORE = date(1999, 4, 1)
# Columns in which a word outside the list is planted; their type is the same in every block, with faults or without.
_FREE_TEXT = {
    "persons": ("sex", "area", "residence"),
    "registrations": ("practice_id",),
    "conditions": ("condition",),
    "activity": ("setting", "kind", "provider", "mode"),
}


@dataclass(frozen=True)
class Fault:
    """One kind of fault: its table, its column ("" for a key of several) and `symphony check`'s words for it."""

    table: str
    column: str
    words: str


@dataclass(frozen=True)
class _Kind:
    """A fault, what is set in a row that bears it (nothing: the row comes twice), and which rows can.

    `_died` is the person's recorded death, `_days` a number of days drawn for the row.
    """

    fault: Fault
    change: Mapping[str, pl.Expr]
    bearer: pl.Expr


_DAYS = pl.duration(days=pl.col("_days"))
_ANY = pl.lit(True)
_ALIVE = pl.col("_died").is_null()
# Two months before the end, so that something can still come after the death and within the study.
_DEAD = pl.col("_died") < pl.lit(PERIOD_END) - pl.duration(days=62)
_BEFORE_1880 = pl.lit(_EARLIEST) - _DAYS
_AFTER_END = pl.lit(PERIOD_END) + _DAYS
_AFTER_DEATH = pl.col("_died") + _DAYS
_MONTHS_AFTER_DEATH = (pl.col("_died") + pl.duration(days=62)).dt.month_start()
_AFTER_LAST_DAY = f"is after the study's last day, {PERIOD_END.isoformat()}"
_IS_EARLY = f"is before {_EARLIEST.year}"
_OUTSIDE = f"is outside the study, {PERIOD_START.isoformat()} to {PERIOD_END.isoformat()}"
_NOT_LISTED = f"is not among the {len(CONDITION_NAMES)} conditions of study.toml"
_IS_POSTCODE = "looks like a full postcode: remove it"
_POSTCODE = pl.lit("ZZ99 3VZ")  # the pseudo-postcode of people of no fixed abode


def _kind(table: str, column: str, words: str, value: pl.Expr, bearer: pl.Expr = _ANY) -> _Kind:
    return _Kind(Fault(table, column, words), {column: value}, bearer)


def _unlisted(table: str, column: str, allowed: tuple[str, ...], word: str) -> _Kind:
    return _kind(table, column, f"is none of {', '.join(allowed)}", pl.lit(word))


def _empty(table: str, *columns: str, bearer: pl.Expr = _ANY) -> tuple[_Kind, ...]:
    return tuple(_kind(table, column, "is empty", pl.lit(None), bearer) for column in columns)


def _stranger(table: str) -> _Kind:
    return _kind(table, "person_id", "is not in persons", pl.col("person_id") + _STRANGERS_FROM, _ALIVE)


def _repeated(table: str, *key: str) -> _Kind:
    words = f"the same {' and '.join(key)} comes more than once"
    return _Kind(Fault(table, key[0] if len(key) == 1 else "", words), {}, _ANY)


# Within a table, rows that come twice are drawn first, while all are sound; then the kinds whose bearers are scarcest.
_KINDS = (
    _repeated("persons", "person_id"),
    # The birth is moved past the death: were the death moved, all that happened to the person would come after it.
    _Kind(Fault("persons", "death_date", "is before birth_date"), {"birth_date": _MONTHS_AFTER_DEATH}, _DEAD),
    _kind("persons", "death_date", _AFTER_LAST_DAY, _AFTER_END, _ALIVE),
    _kind("persons", "birth_date", _AFTER_LAST_DAY, _AFTER_END, _ALIVE),
    _unlisted("persons", "sex", SEXES, "female"),
    *_empty("persons", "sex", "birth_date"),
    _kind("persons", "birth_date", _IS_EARLY, _BEFORE_1880),
    _kind("persons", "deprivation_decile", "is over 10", pl.lit(11)),
    _kind("persons", "deprivation_decile", "is under 1", pl.lit(0)),
    _kind("persons", "area", _IS_POSTCODE, _POSTCODE),
    _unlisted("persons", "residence", RESIDENCES, "nursing_home"),
    _repeated("registrations", "person_id", "start_date"),
    _kind("registrations", "start_date", _AFTER_LAST_DAY, _AFTER_END, pl.col("end_date").is_null()),
    _kind("registrations", "end_date", "is before start_date", pl.col("start_date") - _DAYS),
    _kind("registrations", "start_date", _IS_EARLY, _BEFORE_1880),
    *_empty("registrations", "start_date", "practice_id"),
    _kind("registrations", "practice_id", "is not in practices", pl.lit("GP99")),
    _stranger("registrations"),
    _repeated("conditions", "person_id", "condition"),
    _kind("conditions", "onset_date", "is after the person's death", _AFTER_DEATH, _DEAD),
    _kind("conditions", "onset_date", _AFTER_LAST_DAY, _AFTER_END, _ALIVE),
    _kind("conditions", "onset_date", _IS_EARLY, _BEFORE_1880),
    _kind("conditions", "condition", _NOT_LISTED, pl.lit("unspecified")),
    *_empty("conditions", "condition"),
    _stranger("conditions"),
    _kind("activity", "date", "is after the person's death", _AFTER_DEATH, _DEAD & pl.col("end_date").is_null()),
    _kind("activity", "end_date", "is before date", pl.col("date") - _DAYS, pl.col("end_date").is_not_null()),
    _kind("activity", "date", _OUTSIDE, pl.lit(PERIOD_START) - _DAYS),
    _unlisted("activity", "setting", SETTINGS, "ward"),
    _unlisted("activity", "kind", KINDS, "urgent"),
    _unlisted("activity", "mode", MODES, "letter"),
    _kind("activity", "cost", "is under 0", -pl.col("_days").cast(pl.Float64)),
    _kind("activity", "cost", "is not a finite number", pl.lit(float("nan"))),
    _kind("activity", "provider", _IS_POSTCODE, _POSTCODE),
    *_empty("activity", "person_id", "date", "setting", "cost"),
    _stranger("activity"),
    _repeated("enrolments", "person_id", "programme", "start_date"),
    _kind("enrolments", "start_date", "is after the person's death", _AFTER_DEATH, _DEAD),
    _kind("enrolments", "start_date", _AFTER_LAST_DAY, _AFTER_END, _ALIVE),
    _kind("enrolments", "start_date", _IS_EARLY, _BEFORE_1880, _ALIVE),
    _kind("enrolments", "end_date", "is before start_date", pl.col("start_date") - _DAYS, _ALIVE),
    *_empty("enrolments", "programme", "hub", "start_date", bearer=_ALIVE),
    _stranger("enrolments"),
    _kind("outcomes", "value", "is not a finite number", pl.lit(float("inf"))),
    _kind("outcomes", "date", _IS_EARLY, _BEFORE_1880),
    *_empty("outcomes", "person_id", "date", "measure", "value"),
    _stranger("outcomes"),
)

FAULTS: tuple[Fault, ...] = tuple(kind.fault for kind in _KINDS)


def faults_of_block(faults: int, number: int, blocks: int) -> int:
    """Return how many rows of each kind of fault a block bears.

    All blocks but the last, which may be small, share the `faults` of the study evenly, and the first of them bear the
    remainder; a study of one block bears them there. `number` counts from 0.

    Examples
    --------
    >>> [faults_of_block(20, number, 8) for number in range(8)]
    [3, 3, 3, 3, 3, 3, 2, 0]
    """
    bearing = max(blocks - 1, 1)
    return faults // bearing + (number < faults % bearing) if number < bearing else 0


def mess_up(tables: dict[str, pl.DataFrame], random: np.random.Generator, *, faults: int) -> dict[str, pl.DataFrame]:
    """Make one block's tables about people untidy.

    Faults change rows that were sound, each fault of a table those of another person; who is at fault in `persons` bears
    no change elsewhere. Two sorts add rows instead: keys that come twice, and faulty enrolments, which are invented for
    people who never were enrolled, as there are too few to spare.

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        What `people_tables` made.
    random : numpy.random.Generator
        What is drawn, faults last: the imperfections are the same with faults and without.
    faults : int
        Rows of each kind of `FAULTS`; with 0 the tables have imperfections alone.

    Returns
    -------
    dict of str to polars.DataFrame
        New tables; columns that may bear a word outside their list are text.

    Raises
    ------
    ArgumentError
        If the block has too few rows that could bear the faults.
    """
    messy = _date_deaths_late(tables, random)
    for name, columns in _FREE_TEXT.items():
        messy[name] = messy[name].with_columns(pl.col(columns).cast(pl.String))
    messy["activity"] = _lose_activity(messy["activity"], random)
    messy["conditions"] = _leave_codes_out(messy["conditions"], _first_practices(messy["registrations"]), random)
    return _plant_all(messy, random, faults) if faults else messy


def _date_deaths_late(tables: Mapping[str, pl.DataFrame], random: np.random.Generator) -> dict[str, pl.DataFrame]:
    persons = tables["persons"]
    late = pl.Series(random.random(persons.height) < LATE_DEATH_SHARE)
    days = pl.Series(np.ceil(random.exponential(LATE_DEATH_MEAN_DAYS, persons.height)).astype(np.int64))
    deaths = (
        persons.select("person_id", _died="death_date", _late=late, _days=days)
        .filter("_late", pl.col("_died").is_not_null())
        .with_columns(_dated=pl.when(_AFTER_DEATH <= PERIOD_END).then(_AFTER_DEATH))
    )
    messy = dict(tables)
    for name, column in (("persons", "death_date"), ("registrations", "end_date"), ("enrolments", "end_date")):
        joined = tables[name].join(
            deaths, left_on=["person_id", column], right_on=["person_id", "_died"], how="left", maintain_order="left"
        )
        now = pl.when("_late").then("_dated").otherwise(column).alias(column)
        messy[name] = joined.with_columns(now).select(tables[name].columns)
    return messy


def _lose_activity(activity: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    share = pl.col("date").dt.truncate("1mo").replace_strict(dict(ACTIVITY_MISSING), default=0.0)
    return activity.filter(pl.Series(random.random(activity.height)) >= share)


def _first_practices(registrations: pl.DataFrame) -> pl.DataFrame:
    """Return each person's first practice, and whether the person is registered still."""
    practice = pl.col("practice_id").sort_by("start_date").first()
    return registrations.group_by("person_id").agg(practice, pl.col("end_date").is_null().any().alias("_registered"))


def _leave_codes_out(conditions: pl.DataFrame, practices: pl.DataFrame, random: np.random.Generator) -> pl.DataFrame:
    uneven = practices.filter(pl.col("practice_id").is_in(UNEVEN_PRACTICES))["person_id"].to_list()
    unpaid = ~pl.col("condition").is_in(PRIORITY_CONDITIONS)
    drawn = pl.Series(random.random(conditions.height)) < CODES_MISSING_SHARE
    return conditions.filter(~(pl.col("person_id").is_in(uneven) & unpaid & drawn))


def _plant_all(tables: dict[str, pl.DataFrame], random: np.random.Generator, faults: int) -> dict[str, pl.DataFrame]:
    died = tables["persons"].select("person_id", pl.col("death_date").alias("_died"))
    planted: dict[str, pl.DataFrame] = {}
    at_fault: set[int] = set()
    for name, table in tables.items():
        rows = table.with_row_index("_row").join(died, on="person_id", how="left", maintain_order="left")
        invents = name == "enrolments"
        bearers = _invented_enrolments(tables, random).select(rows.columns) if invents else rows
        if invents and rows.is_empty():
            rows = bearers.filter(_ALIVE).head(1)  # a sound one, so that it can come again
        taken, changed = set(at_fault), list[int]()
        parts: list[pl.DataFrame] = []
        for kind in (kind for kind in _KINDS if kind.fault.table == name):
            picked = _pick(bearers if kind.change else rows, kind, random, taken, faults, people=died.height)
            values = [value.cast(table.schema[column]).alias(column) for column, value in kind.change.items()]
            parts.append(picked.with_columns(values).select(rows.columns))
            changed += picked["_row"].to_list() if kind.change and not invents else []
        if name == "persons":
            at_fault = taken
        # A row at fault stands where the sound one stood, a second copy behind the first.
        sound = rows.filter(~pl.col("_row").is_in(changed))
        planted[name] = pl.concat([sound, *parts]).sort("_row", maintain_order=True).select(table.columns)
    return planted


def _pick(
    bearers: pl.DataFrame, kind: _Kind, random: np.random.Generator, taken: set[int], faults: int, *, people: int
) -> pl.DataFrame:
    """Draw rows that can bear a fault, of people not in `taken` unless rows only come again, and add the people to it."""
    able = bearers.with_row_index("_at").filter(kind.bearer)["_at"].to_numpy()
    persons = bearers["person_id"].to_numpy()
    chosen: list[int] = []
    for row in random.permutation(able):
        if len(chosen) == faults:
            break
        if persons[row] not in taken or not kind.change:
            taken.add(int(persons[row]))
            chosen.append(int(row))
    if chosen and not kind.change:
        chosen = np.resize(chosen, faults).tolist()  # where rows are few, one comes more than twice
    if len(chosen) < faults:
        where = ".".join(filter(None, (kind.fault.table, kind.fault.column)))
        raise ArgumentError(
            f"A block of {people:,} people ever registered has too few rows for {faults:,} of each kind of fault: {len(chosen):,} can bear "
            f"'{where} {kind.fault.words}'. Make at least {max(LEAST_PEOPLE, PEOPLE_PER_FAULT * faults):,} people, or ask "
            "for fewer faults; with 0 the study has imperfections alone."
        )
    return bearers[chosen].with_columns(pl.Series("_days", random.integers(1, _LONGEST_DAYS + 1, faults)))


def _invented_enrolments(tables: Mapping[str, pl.DataFrame], random: np.random.Generator) -> pl.DataFrame:
    """Return an enrolment for each adult who has none and is registered or died; `_row` is behind all there are."""
    hubs = {practice.practice_id: practice.hub for practice in PRACTICES}
    enrolments = tables["enrolments"]
    first = _first_practices(tables["registrations"])
    people = (
        tables["persons"]
        .join(first, on="person_id", how="left", maintain_order="left")
        .filter(
            pl.col("_registered") | pl.col("death_date").is_not_null(),
            pl.col("birth_date") < _ADULT_BORN_BEFORE,
            ~pl.col("person_id").is_in(enrolments["person_id"].to_list()),
        )
    )
    days = random.integers(0, (PERIOD_END - _ENROLLED_FROM).days, people.height)
    return people.with_columns(pl.Series("_days", days)).select(
        pl.lit(enrolments.height, pl.UInt32).alias("_row"),
        "person_id",
        pl.lit("complex_care").cast(enrolments.schema["programme"]).alias("programme"),
        pl.col("practice_id").replace_strict(hubs).cast(enrolments.schema["hub"]).alias("hub"),
        (pl.lit(_ENROLLED_FROM) + _DAYS).alias("start_date"),
        pl.lit(None, pl.Date).alias("end_date"),
        pl.col("death_date").alias("_died"),
    )
