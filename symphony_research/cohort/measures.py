"""Measures of people over a window from the index date: cost, contacts, admissions, bed-days."""

from __future__ import annotations

import polars as pl

from symphony_research.cohort.events import require_filled
from symphony_research.cohort.rows import PersonRows
from symphony_research.errors import ArgumentError, suggestion
from symphony_research.schema import SETTINGS
from symphony_research.words.phrases import joined

__all__ = ["measured"]


def measured(rows: PersonRows, values: tuple[str, ...], months: int) -> pl.DataFrame:
    """Sum values over the months from each person's index date; who has no activity has no row.

    Raises
    ------
    ArgumentError
        If a value is unknown or not recorded, or `months` is below one.
    """
    study = rows.study
    if not study.has("activity"):
        raise ArgumentError(f"The study has no activity table, so {joined(values)} cannot be summed. Leave values out.")
    if type(months) is not int or months < 1:
        raise ArgumentError(f"months={months} must be an integer number of months, at least one.")
    if "emergency_admissions" in values:
        require_filled(study, "kind", "emergency_admissions")
    if "bed_days" in values:
        require_filled(study, "end_date", "bed_days")
    people = rows.people.lazy().select("person_id", "index_date")
    last = pl.col("index_date").dt.offset_by(f"{months}mo")
    within = rows.activity.join(people, on="person_id", how="inner").filter(
        (pl.col("date") >= pl.col("index_date")) & (pl.col("date") < last)
    )
    sums = [_value(name).cast(pl.Float64).alias(name) for name in values]
    return within.group_by("person_id").agg(sums).collect(engine="streaming")


def _value(name: str) -> pl.Expr:
    """Return the sum over a person's rows of activity that a value stands for."""
    pence = (pl.col("cost") * 100).round().cast(pl.Int64)  # whole pence, so that the sum is the same in any order
    if name == "cost":
        return pence.sum() / 100
    if name == "emergency_admissions":
        return ((pl.col("setting") == "inpatient") & (pl.col("kind") == "emergency")).sum()
    if name == "bed_days":
        stay = (pl.coalesce("end_date", "date") - pl.col("date")).dt.total_days()
        return stay.filter(pl.col("setting") == "inpatient").sum()
    for prefix in ("cost", "contacts"):
        setting = name.removeprefix(f"{prefix}_")
        if name.startswith(f"{prefix}_") and setting in SETTINGS:
            here = pl.col("setting") == setting
            return pence.filter(here).sum() / 100 if prefix == "cost" else here.sum()
    known = ["cost", "emergency_admissions", "bed_days", *[f"{p}_{s}" for p in ("cost", "contacts") for s in SETTINGS]]
    raise ArgumentError(f"There is no value '{name}'. Values: {', '.join(known)}.{suggestion(name, known)}")
