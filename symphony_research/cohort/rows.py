"""The one private seam to person rows: the other rooms of the cohort read people through it, and nobody else does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import polars as pl

from symphony_research.errors import ArgumentError, suggestion
from symphony_research.study import Study

__all__ = ["PersonRows", "as_date", "conditions_on", "listed_conditions"]

MOST_PEOPLE = 50_000  # whose activity is read once and held, as every outcome asks for it again


@dataclass(frozen=True, eq=False, repr=False)
class PersonRows:
    """The people of a cohort, one row each or one an index date; nothing of it is shown or given out.

    Attributes
    ----------
    study : Study
    rules : mapping
        The population as predicates and dates.
    people : polars.DataFrame
        `person_id`, `index_date`, `exit_date`, the first and last day of unbroken
        registration, `programme_until`, dates of birth and death, and the strata.
    several : bool
        Whether somebody has several index dates, and so several rows.
    listed : tuple of str or None
        The conditions that a least number of them is asked of.
    """

    study: Study
    rules: Mapping[str, Any]
    people: pl.DataFrame = field(repr=False)
    several: bool = False
    listed: tuple[str, ...] | None = None

    def require_one_index(self, what: str) -> None:
        """Refuse what would count somebody with several index dates more than once.

        Raises
        ------
        ArgumentError
            Saying what.
        """
        if self.several:
            raise ArgumentError(
                f"Somebody of this cohort has several index dates, and would be counted more than once in {what}. Follow them with "
                "follow_up, or give each person one index date."
            )

    @cached_property
    def activity(self) -> pl.LazyFrame:
        """The activity of these people; of few read once, of many each time."""
        whole, ids = self.study.activity, self.people["person_id"].unique()
        if not self.study.has("activity"):
            return whole
        if len(ids) > MOST_PEOPLE:
            return whole.join(ids.to_frame().lazy(), on="person_id", how="semi")
        # a list of ids is asked of the file itself, so that the rows of others are never made
        return whole.filter(pl.col("person_id").is_in(ids.implode())).collect(engine="streaming").lazy()

    def __repr__(self) -> str:
        return "PersonRows (not shown)"


def conditions_on(rows: PersonRows, day: pl.Expr, listed: Sequence[str]) -> pl.LazyFrame:
    """Return person, index date and condition, of those recorded by a day."""
    people = rows.people.lazy().select("person_id", "index_date").unique()
    known = pl.col("onset_date").is_null() | (pl.col("onset_date") <= day)
    return (
        rows.study.conditions.filter(pl.col("condition").is_in(list(listed)))
        .join(people, on="person_id", how="inner")
        .filter(known)
        .select("person_id", "index_date", "condition")
    )


def listed_conditions(study: Study, conditions: Sequence[str] | None) -> tuple[str, ...]:
    """Return the conditions asked for, or all of the study's, in alphabetical order; refuse unknown ones."""
    known = study.condition_names()
    if conditions is None:
        return known
    for name in conditions:
        if name not in known:
            raise ArgumentError(
                f"The study has no condition '{name}'. Conditions: {', '.join(known)}.{suggestion(name, known)}"
            )
    return tuple(sorted(set(conditions)))


def as_date(value: Any, argument: str) -> date:
    """Return a date, or the date a text like 2015-04-01 stands for."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ArgumentError(f"{argument}={value!r} is not a date. Write it as 2015-04-01.") from None
    if not isinstance(value, date):
        raise ArgumentError(f"{argument} must be a date, such as 2015-04-01.")
    return value
