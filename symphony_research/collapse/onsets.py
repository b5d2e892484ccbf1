"""`Onsets`: when each of a person's conditions began. Person rows, which cannot be collapsed, held privately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse.frames import as_lazy, column_names, names_of, refuse_names
from symphony_research.collapse.levels import level, without_nan
from symphony_research.errors import ArgumentError, require_columns
from symphony_research.result import Provenance

__all__ = ["NEVER", "UNKNOWN", "Onsets"]

NEVER = np.int32(2**31 - 1)  # a person without the condition
UNKNOWN = np.int32(2**31 - 2)  # a person with it, on an unknown day
MONTH = r"^\d{4}-\d{2}$"
_OWN = ("person", "condition", "__first", "__last", "birth_year")


@dataclass(frozen=True, eq=False, repr=False)
class Onsets:
    """The day on which each condition of each person began, and the stratum of each person.

    Make one with `Onsets.from_long` or `Cohort.onsets`. It holds person rows,
    shows none of them, and gives them to `networks.sequences` alone: the order
    of two dates in one person is in no table of counts that adds up
    (decision 8).

    Attributes
    ----------
    conditions : tuple of str
        The conditions, in alphabetical order.
    adjust : tuple of str
        The strata within which orders are compared.
    n_persons : int
        People, those without any condition included.
    settings : mapping
        How the onsets were read: `washout_days`, `birth_years`, `adjust`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> onsets = sr.define_cohort(sr.example_study()).onsets()
    >>> onsets.adjust
    ('sex', 'birth_year')
    """

    conditions: tuple[str, ...]
    adjust: tuple[str, ...]
    n_persons: int
    settings: Mapping[str, Any]
    provenance: Provenance
    _stratum: NDArray[np.int32] = field(repr=False)  # of each person, in rising order
    _people: tuple[NDArray[np.int32], ...] = field(repr=False)  # of each condition, in rising order
    _days: tuple[NDArray[np.int32], ...] = field(repr=False)

    @classmethod
    def from_long(
        cls,
        records: Any,
        persons: Any,
        *,
        person: str = "person_id",
        condition: str = "condition",
        onset: str = "onset_date",
        adjust: str | Sequence[str] = ("sex", "birth_year"),
        birth_years: int = 5,
        joined: Any = None,
        washout_days: int = 90,
        conditions: Sequence[str] | None = None,
        provenance: Provenance | None = None,
    ) -> Onsets:
        """Read when conditions began.

        Parameters
        ----------
        records : frame
            One row per person and condition; of repeated ones the first onset counts.
        persons : frame
            One row per person, with the columns of `adjust`.
        person, condition, onset : str
            Names of the columns. `onset` is a date, or text such as 2012-05-31 or
            2012-05; where it is missing the person has the condition, on an unknown day.
        adjust : str or sequence of str, default ("sex", "birth_year")
            Columns of `persons` within which orders are compared. "birth_year" is
            made from the column `birth_date` unless `persons` has it.
        birth_years : int, default 5
            Years of birth put together to one cohort: 10 for a few thousand people, 1
            where there are many millions.
        joined : str or frame, optional
            When people joined their practice: a date column of `persons`, or a
            frame of spells with the person and `start_date`. Omitted, no onset is
            taken as left-truncated.
        washout_days : int, default 90
            An onset from the day of joining to this many days later was entered on
            joining, and not when it began: its day is taken as unknown. A month
            that overlaps those days counts as within them.
        conditions : sequence of str, optional
            Take these conditions alone; by default those recorded.
        provenance : Provenance, optional
            Where the people came from.

        Raises
        ------
        ArgumentError
            On a missing column, an onset that is no date, a person listed twice, or
            records of people who are not in `persons`; with counts of rows.
        """
        adjust = names_of(adjust, column_names(persons))
        refuse_names(adjust, _OWN[:-1], what="adjust")
        for name, value, least in (("birth_years", birth_years, 1), ("washout_days", washout_days, 0)):
            if type(value) is not int or value < least:
                raise ArgumentError(f"{name}={value!r} must be an integer, at least {least}.")
        people = _people(persons, person, adjust, birth_years, joined if isinstance(joined, str) else None)
        long = _first_onsets(records, person, condition, onset, conditions)
        long = _with_row(long, people)
        if joined is not None:
            spells = people.select("person", "__joined") if isinstance(joined, str) else _spells(joined, person)
            long = _without_truncated(long, spells, washout_days)
        listed = sorted(set(conditions)) if conditions is not None else sorted(long["condition"].unique().to_list())
        code = {name: k for k, name in enumerate(listed)}
        long = long.select(
            pl.col("condition").replace_strict(code, return_dtype=pl.Int32).alias("code"),
            pl.col("row").cast(pl.Int32),
            pl.col("__first").cast(pl.Int32).fill_null(int(UNKNOWN)).alias("day"),
        ).sort("code", "row")
        ends = np.searchsorted(long["code"].to_numpy(), np.arange(len(listed) + 1))
        row, day = long["row"].to_numpy(), long["day"].to_numpy()
        cut = [slice(start, end) for start, end in pairwise(ends)]
        settings = {
            "adjust": list(adjust),
            "birth_years": birth_years,
            "washout_days": washout_days if joined is not None else None,
            "dated": bool((day < UNKNOWN).any()),
        }
        return cls(
            tuple(listed),
            adjust,
            people.height,
            MappingProxyType(settings),
            provenance or Provenance(),
            people["__stratum"].to_numpy(),
            tuple(row[s] for s in cut),
            tuple(day[s] for s in cut),
        )

    def __repr__(self) -> str:
        return f"Onsets of {len(self.conditions)} conditions by {', '.join(self.adjust) or 'nothing'} (confidential: person rows)"


def _people(persons: Any, person: str, strata: tuple[str, ...], birth_years: int, joined: str | None) -> pl.DataFrame:
    """Return one row a person in the order of the strata, with the number of the stratum."""
    asked = [name for name in strata if name != "birth_year"]
    frame = as_lazy(
        persons,
        columns=(person, *asked, *([joined] if joined else [])),
        optional=("birth_year", "birth_date"),
        what="persons",
    )
    have = frame.collect_schema()
    made = "birth_year" in strata and "birth_year" not in have
    if made:
        require_columns(have.names(), ("birth_date",), what="persons")
    year = _as_date(frame, "birth_date", "persons").dt.year() if made else pl.col("birth_year")
    chosen = [level(name, have[name]) for name in asked]
    if "birth_year" in strata:
        chosen.append((year.cast(pl.Int32) // birth_years * birth_years).alias("birth_year"))
    if joined is not None:
        chosen.append(_as_date(frame, joined, "persons").alias("__joined"))
    people = frame.select(without_nan(person, have[person]).alias("person"), *chosen).collect(engine="streaming")
    if people["person"].null_count():
        raise ArgumentError(f"persons has {people['person'].null_count():,} rows without a person.")
    extra = people.height - people["person"].n_unique()
    if extra:
        raise ArgumentError(f"persons counts {extra:,} rows twice: one row per person is needed.")
    people = people.sort([*strata, "person"], nulls_last=True)
    number = people.select(pl.struct(strata).rle_id()).to_series() if strata else pl.zeros(people.height, eager=True)
    return people.with_columns(number.cast(pl.Int32).alias("__stratum")).with_row_index("row")


def _as_date(frame: pl.LazyFrame, column: str, what: str) -> pl.Expr:
    """Return a column of dates, refusing what is none; a month stands for its first day."""
    kind = frame.collect_schema()[column]
    if kind == pl.Date:
        return pl.col(column)
    if kind == pl.Datetime:
        return pl.col(column).dt.date()
    if kind != pl.String:
        raise ArgumentError(f"Column '{column}' of {what} is {kind}; a date is needed, or text such as 2012-05.")
    text = pl.col(column).str.strip_chars()
    day = pl.when(text.str.contains(MONTH)).then(text + "-01").otherwise(text).str.to_date("%Y-%m-%d", strict=False)
    rows = frame.select((day.is_null() & (text != "")).sum()).collect(engine="streaming").item()
    if rows:
        raise ArgumentError(f"Column '{column}' of {what} is no date in {rows:,} rows. Write 2012-05-31 or 2012-05.")
    return day


def _first_onsets(
    records: Any, person: str, condition: str, onset: str, conditions: Sequence[str] | None
) -> pl.DataFrame:
    """Return the first onset of each person and condition: the first and the last day it may have been."""
    frame = as_lazy(records, columns=(person, condition, onset), what="records")
    schema = frame.collect_schema()
    frame = frame.with_columns(without_nan(person, schema[person]))
    if conditions is not None:
        frame = frame.filter(pl.col(condition).cast(pl.String).is_in(list(conditions)))
    day = _as_date(frame, onset, "records")
    months = pl.col(onset).str.strip_chars().str.contains(MONTH) if schema[onset] == pl.String else pl.lit(False)
    long = (
        frame.select(
            pl.col(person).alias("person"),
            pl.col(condition).cast(pl.String).alias("condition"),
            day.alias("__first"),
            pl.when(months).then(day.dt.month_end()).otherwise(day).alias("__last"),
        )
        .group_by("person", "condition")
        .agg(pl.col("__first").min(), pl.col("__last").sort_by("__first", nulls_last=True).first())
        .collect(engine="streaming")
    )
    for name in ("person", "condition"):
        if long[name].null_count():
            rows = frame.select(pl.col({"person": person, "condition": condition}[name]).null_count()).collect().item()
            raise ArgumentError(f"records has {rows:,} rows without a {name}.")
    return long


def _with_row(long: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    kind, other = people.schema["person"], long.schema["person"]
    if kind != other:
        if long.height and not (kind.is_integer() and other.is_integer()):
            raise ArgumentError(f"Person ids are {other} in records and {kind} in persons: make them the same type.")
        long, people = (frame.with_columns(pl.col("person").cast(pl.Int128)) for frame in (long, people))
    known = long.join(people.select("person", "row"), on="person", how="left")
    unmatched = known.filter(pl.col("row").is_null())["person"].n_unique()
    if unmatched:
        raise ArgumentError(f"records holds {unmatched:,} people who are not in persons.")
    return known


def _spells(joined: Any, person: str) -> pl.DataFrame:
    frame = as_lazy(joined, columns=(person, "start_date"), what="joined")
    day = _as_date(frame, "start_date", "joined")
    return frame.select(pl.col(person).alias("person"), day.alias("__joined")).unique().collect(engine="streaming")


def _without_truncated(long: pl.DataFrame, spells: pl.DataFrame, washout_days: int) -> pl.DataFrame:
    """Take the day of an onset as unknown where it was entered within the washout of any joining."""
    if spells.schema["person"] != long.schema["person"]:
        if not (spells.schema["person"].is_integer() and long.schema["person"].is_integer()):
            raise ArgumentError(
                f"Person ids are {spells.schema['person']} in joined and {long.schema['person']} in persons: make them the same type."
            )
        spells, long = (frame.with_columns(pl.col("person").cast(pl.Int128)) for frame in (spells, long))
    near = (pl.col("__last") >= pl.col("__joined")) & (
        pl.col("__first") <= pl.col("__joined").dt.offset_by(f"{washout_days}d")
    )
    truncated = (
        long.join(spells.drop_nulls(), on="person", how="inner")
        .filter(near)
        .select("person", "condition", pl.lit(True).alias("__near"))
        .unique()
    )
    marked = long.join(truncated, on=["person", "condition"], how="left")
    return marked.with_columns(pl.when(pl.col("__near").is_null()).then(pl.col("__first")).alias("__first"))
