"""Whom a cohort is about before any criterion: a programme, who joined it when, a practice or an area."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from symphony_research.cohort.rows import as_date
from symphony_research.errors import ArgumentError
from symphony_research.population import Population
from symphony_research.words.lexicon import in_words
from symphony_research.words.quarters import quarter_days, window_in_words

__all__ = ["About", "about", "joining_window"]

# what divides people into parts, each of which may have a report, as a column
_DIVIDING = {
    "practice": pl.col("practice_id").cast(pl.String),
    "area": pl.col("area").cast(pl.String),
    "joined": 4 * pl.col("index_date").dt.year() + pl.col("index_date").dt.quarter(),
}


@dataclass(frozen=True)
class About:
    """Whom a cohort is about.

    Attributes
    ----------
    words : str
        As the beginning of its attrition.
    rules : mapping of str to polars.Expr
        Who belongs to it, by the predicate of its population.
    """

    words: str
    rules: dict[str, pl.Expr]
    _seen: dict[str, set[Any]] = field(default_factory=dict, repr=False)

    def people(self, rows: pl.DataFrame, criteria: Sequence[pl.Expr]) -> pl.DataFrame:
        """Return the people it is about, and look into how many such parts those who meet the criteria are divided."""
        if not self.rules:
            return rows
        met = rows.filter(*(rule.fill_null(False) for rule in criteria))
        for name in self.rules:
            others = met.filter(*(rule for other, rule in self.rules.items() if other != name))
            self._seen.setdefault(name, set()).update(others.select(_DIVIDING[name].unique()).to_series())
        return rows.filter(*self.rules.values())

    def divided(self, population: Population) -> dict[str, int] | None:
        """Return the number of parts by each predicate that makes parts; whoever is recorded in none is one more."""
        parts = dict(population.parts)
        return {name: len(seen) for name, seen in self._seen.items() if name in parts} or None


def about(
    *,
    programme: str | None,
    hub: str | None,
    practice: str | None,
    area: str | None,
    window: tuple[date, date] | None,
    when: str,
) -> About:
    """Return whom a cohort is about; `when` is its index date in words."""
    rules, told = {}, []
    if programme is not None or hub is not None:
        told.append(f"enrolled on {' with '.join(in_words(one) for one in (programme or 'any programme', hub) if one)}")
    if window is not None:
        rules["joined"] = pl.col("index_date").is_between(*window)
        told[-1] += f" from {window_in_words(*map(date.isoformat, window))}"
    if practice is not None:
        rules["practice"] = _DIVIDING["practice"] == str(practice)
        told.append(f"registered with practice {practice} {when}")
    if area is not None:
        rules["area"] = _DIVIDING["area"] == str(area)
        told.append(f"living in {area}")
    return About(" and ".join(told), rules)


def joining_window(joined: tuple[Any, Any] | str) -> tuple[date, date]:
    """Return the first and last day of a window of joining, which may be named as a calendar quarter.

    Raises
    ------
    ArgumentError
        If it is neither, or ends before it begins.
    """
    if isinstance(joined, str):
        return quarter_days(joined)
    if not isinstance(joined, (tuple, list)) or len(joined) != 2:
        raise ArgumentError(f"joined={joined!r} must be (first day, last day), or a quarter such as '2016-Q3'.")
    first, last = (as_date(day, "joined") for day in joined)
    if last < first:
        raise ArgumentError(f"joined ends on {last.isoformat()}, before it begins on {first.isoformat()}.")
    return first, last
