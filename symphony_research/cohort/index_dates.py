"""Index dates given by the caller: one or several of each person, such as a control's in several risk sets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from symphony_research.collapse.frames import as_frame
from symphony_research.errors import ArgumentError, require_columns
from symphony_research.study import Study

__all__ = ["GIVEN", "LABEL", "IndexDates", "index_dates_of"]

LABEL = "label"
GIVEN = "dates given for each person"


@dataclass(frozen=True, eq=False, repr=False)
class IndexDates:
    """Who has which index dates; it is shown to nobody.

    Attributes
    ----------
    rows : polars.DataFrame
        `person_id`, `index_date`, and `label` where there is one.
    several : bool
        Whether anybody has more than one.
    digest : str
        By which two populations with different index dates are known to differ.
    """

    rows: pl.DataFrame = field(repr=False)
    several: bool
    digest: str

    def __repr__(self) -> str:
        return "IndexDates (not shown)"


def index_dates_of(study: Study, frame: Any) -> IndexDates:
    """Return index dates from a frame, if they may be some.

    Parameters
    ----------
    study : Study
    frame : frame
        `person_id`, `index_date` and, if it is there, `label`.

    Raises
    ------
    ArgumentError
        On missing columns or values, people who are not in the study, dates outside it, and rows that stand twice; with
        counts of rows.
    """
    given = as_frame(frame)
    require_columns(given.columns, ["person_id", "index_date"], what="index")
    given = given.select("person_id", "index_date", *([LABEL] if LABEL in given.columns else []))
    if given.schema["index_date"] == pl.Datetime:
        given = given.with_columns(pl.col("index_date").cast(pl.Date))
    if given.schema["index_date"] != pl.Date:
        raise ArgumentError(f"Column 'index_date' of index is {given.schema['index_date']}; dates are needed.")
    kind = study.persons.collect_schema()["person_id"]
    if given.schema["person_id"] != kind:
        if not (kind.is_integer() and given.schema["person_id"].is_integer()):
            raise ArgumentError(f"Column 'person_id' of index is {given.schema['person_id']}, and {kind} in the study.")
        given = given.with_columns(pl.col("person_id").cast(kind, strict=False))
    if LABEL in given.columns:
        given = given.with_columns(pl.col(LABEL).cast(pl.String))
    first, last = study.period
    there = study.persons.select("person_id").collect(engine="streaming")
    known = given.join(there, on="person_id", how="semi").height
    faults = {
        "have no person or no date": given.select(pl.any_horizontal(pl.all().is_null()).sum()).item(),
        "are of nobody in the study": given.height - known - given["person_id"].null_count(),
        f"have a date outside the study, {first.isoformat()} to {last.isoformat()}": given.select(
            (~pl.col("index_date").is_between(first, last)).sum()
        ).item(),
        "stand there before": given.height - given.unique().height,
    }
    found = [f"{n:,} rows of index {what}" for what, n in faults.items() if n > 0]
    if found or not given.height:
        raise ArgumentError("; ".join(found or ["index has no rows"]) + ".")
    ordered = given.sort(given.columns)
    text = ordered.with_columns(pl.all().cast(pl.String)).write_csv()
    several = given["person_id"].n_unique() < given.height
    return IndexDates(ordered, several, hashlib.sha256(text.encode()).hexdigest()[:16])
