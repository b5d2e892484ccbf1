"""Hospital stays: the inpatient spells of a person that touch or overlap, joined to one stay."""

from __future__ import annotations

import polars as pl

from symphony_research.cohort.spells import joined_spells
from symphony_research.schema import KINDS

__all__ = ["stays_of"]

# of spells that start on one day, the kind that names the stay: an emergency before all
_FIRST = ("emergency", "maternity", "elective", "other")
assert set(_FIRST) == set(KINDS)


def stays_of(activity: pl.LazyFrame, persons: pl.LazyFrame) -> pl.LazyFrame:
    """Join inpatient spells to hospital stays.

    Parameters
    ----------
    activity : polars.LazyFrame
        A study's activity: `person_id`, `date`, `end_date`, `setting`, `kind`.
    persons : polars.LazyFrame
        `person_id`, `death_date`.

    Returns
    -------
    polars.LazyFrame
        `person_id`, `admission_date`, `discharge_date`, `kind`, `died` (in the stay);
        one row a stay, sorted by person and admission.

    Notes
    -----
    A spell belongs to a stay if it starts on or before the day on which the spells
    before it end, whoever provides it: a transfer on the day of discharge is the same
    stay, an admission on the next day is another. The stay is of the kind of its first
    spell; of several on its first day, an emergency comes before maternity, planned
    and other care. A spell without a day of discharge is taken to be of one day. A stay
    ended by death if the person died on or before its last day.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study()
    >>> stays_of(study.activity, study.persons).collect_schema().names()
    ['person_id', 'admission_date', 'discharge_date', 'kind', 'died']
    """
    spells = activity.filter(pl.col("setting") == "inpatient").select(
        "person_id", "date", pl.coalesce("end_date", "date").alias("end_date"), "kind"
    )
    rank = pl.col("kind").replace_strict(list(_FIRST), list(range(len(_FIRST))), default=len(_FIRST))
    runs = joined_spells(
        spells.with_columns(rank.cast(pl.Int8).alias("__rank")), start="date", end="end_date", order=("__rank",)
    )
    merged = runs.group_by("person_id", "run").agg(
        pl.col("date").min().alias("admission_date"),
        pl.col("end_date").max().alias("discharge_date"),
        pl.col("kind").sort_by("date", "__rank").first(),
    )
    return (
        merged.join(persons.select("person_id", "death_date"), on="person_id", how="left")
        .with_columns((pl.col("death_date") <= pl.col("discharge_date")).fill_null(False).alias("died"))
        .select("person_id", "admission_date", "discharge_date", "kind", "died")
        .sort("person_id", "admission_date")
    )
