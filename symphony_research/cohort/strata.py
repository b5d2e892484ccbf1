"""Strata of people at the index date."""

from __future__ import annotations

import polars as pl

from symphony_research.cohort.bands import CONDITION_BANDS, age_band
from symphony_research.cohort.index_dates import LABEL
from symphony_research.cohort.rows import PersonRows, conditions_on
from symphony_research.errors import ArgumentError, require_one_of

__all__ = ["BROAD", "STRATA", "with_strata"]

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


# to standardise by: so few that each hub has people in most. What is released by them would stand beside finer bands of the
# same people, and nothing says how they relate, so follow-up alone takes them
BROAD = ("broad_age_band", "broad_n_conditions")
_AGES, _NUMBERS = (75,), ["0-3"] * 4 + ["4-6"] * 3 + ["7+"]


def with_strata(rows: PersonRows, by: tuple[str, ...], *, broad: bool = False) -> pl.DataFrame:
    """Return the people with the strata asked for.

    Raises
    ------
    ArgumentError
        If a stratum is unknown or named twice.
    """
    known = (*STRATA, *([LABEL] if LABEL in rows.people.columns else []))
    for name in by:
        require_one_of(name, (*known, *(BROAD if broad else ())), argument="by")
    if len(set(by)) < len(by):
        raise ArgumentError("by names a stratum twice.")
    people = rows.people
    if "broad_age_band" in by:
        people = people.with_columns(age_band(pl.col("age"), _AGES).alias("broad_age_band"))
    if {"n_conditions_band", "broad_n_conditions"} & set(by):
        held = conditions_on(rows, pl.col("index_date"), rows.study.condition_names())
        number = held.unique().group_by("person_id", "index_date").len().collect(engine="streaming")
        band = pl.col("len").fill_null(0).clip(0, 7).cast(pl.Int64)
        names = pl.Series(CONDITION_BANDS)
        people = people.join(number, on=["person_id", "index_date"], how="left").with_columns(
            band.replace_strict(list(range(8)), names, return_dtype=pl.String).alias("n_conditions_band"),
            band.replace_strict(list(range(8)), _NUMBERS, return_dtype=pl.String).alias("broad_n_conditions"),
        )
    # many share one text, so people hold it as a number
    texts = [name for name in by if people.schema[name] == pl.Categorical]
    return people.with_columns(pl.col(texts).cast(pl.String))
