"""Whom a result is about, in words for page one of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symphony_research.population import Population
from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import number
from symphony_research.words.phrases import day_in_words
from symphony_research.words.quarters import window_in_words

__all__ = ["KeyFigure", "facts_of", "of_whom"]


@dataclass(frozen=True)
class KeyFigure:
    """One figure by which reports on different people are compared.

    Attributes
    ----------
    measure : str
        What it is, in words that are the same in each report.
    value : str
        The figure with its unit and interval, or a mark where there is none.
    outcome, time : str
        What the measure is of, without group and time, and the time at which it was
        read: an outcome is compared at one time for all reports and groups.
    """

    measure: str
    value: str
    outcome: str = ""
    time: str = ""


def of_whom(settings: Mapping[str, Any]) -> str:
    """Return whom a result is about as the end of a title: "complex care, Yeovil"; nothing for everybody.

    Examples
    --------
    >>> of_whom({"population": {"programme": "complex_care", "hub": "Yeovil", "index": "enrolment"}})
    'complex care, Yeovil'
    """
    return Population.of(settings).words()


def facts_of(settings: Mapping[str, Any], n_persons: int | None = None, *, rounded: bool = False) -> dict[str, str]:
    """Return who, where and when: from the predicates and dates of the population alone, but for the number of people."""
    population = Population.of(settings)
    enrolled = population.by_enrolment
    told = {}
    if n_persons is not None:
        told["People"] = f"about {number(n_persons)}" if rounded else number(n_persons)
    whom = of_whom(settings)
    if whom:
        told["Population"] = capital(whom)
    if population.min_conditions:
        told["Conditions"] = f"at least {population.min_conditions}"
    period = settings.get("period") or (None, None)
    until = population.until or period[1]
    if enrolled and period[0]:
        origin = "discharge" if population.event == "readmission" else "each person's day of joining"
        when = window_in_words(*population.joined) if population.joined else f"from {day_in_words(period[0])}"
        told["Joined"] = f"{when}; time runs from {origin}"
    elif population.index and not enrolled:
        told["As of"] = day_in_words(population.index) or population.index
    if enrolled and until:
        told["Data to"] = day_in_words(until) or str(until)
    if settings.get("study"):
        told["Study"] = str(settings["study"])
    return told
