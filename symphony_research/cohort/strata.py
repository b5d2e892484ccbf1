"""Strata of people at the index date."""

from __future__ import annotations

import polars as pl

from symphony_research.cohort.bands import CONDITION_BANDS
from symphony_research.cohort.index_dates import LABEL
from symphony_research.cohort.rows import PersonRows, conditions_on
from symphony_research.errors import ArgumentError, require_one_of

__all__ = ["STRATA", "with_strata"]

STRATA = (
    "age_band",
    "sex",
    "deprivation_decile",
    "deprivation_quintile",
    "area",
    "residence",
    "practice_id",
    "programme",
    "hub",
    "n_conditions_band",
)


def with_strata(rows: PersonRows, by: tuple[str, ...]) -> pl.DataFrame:
    """Return the people with the strata asked for.

    Raises
    ------
    ArgumentError
        If a stratum is unknown or named twice.
    """
    known = (*STRATA, *([LABEL] if LABEL in rows.people.columns else []))
    for name in by:
        require_one_of(name, known, argument="by")
    if len(set(by)) < len(by):
        raise ArgumentError("by names a stratum twice.")
    people = rows.people
    if "n_conditions_band" in by:
        held = conditions_on(rows, pl.col("index_date"), rows.study.condition_names())
        number = held.unique().group_by("person_id", "index_date").len().collect(engine="streaming")
        band = pl.col("len").fill_null(0).clip(0, 7).cast(pl.Int64)
        names = pl.Series(CONDITION_BANDS)
        people = people.join(number, on=["person_id", "index_date"], how="left").with_columns(
            band.replace_strict(list(range(8)), names, return_dtype=pl.String).alias("n_conditions_band")
        )
    # many share one text, so people hold it as a number
    texts = [name for name in by if people.schema[name] == pl.Categorical]
    return people.with_columns(pl.col(texts).cast(pl.String))
