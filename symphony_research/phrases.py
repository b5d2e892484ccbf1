"""Phrases of a finding: a share with its interval, a ratio against what was expected, and what was adjusted for.

A sentence, a title and an alt text are made of them, so that one finding is said in one way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from symphony_research.wording import in_words, joined, strata_phrase, times
from symphony_research.wording import percentage as share

__all__ = [
    "TITLE_WORDS",
    "adjusted_for",
    "as_of",
    "between",
    "confidence_of",
    "day_in_words",
    "expectation",
    "fitting",
    "money",
    "of_whom",
    "overlap",
    "pair_words",
    "share",
    "share_with_interval",
    "times_expected",
]

TITLE_WORDS = 15  # the most words of a figure's title
_INDEPENDENT = "expected if conditions were independent"


def share_with_interval(value: float | None, lower: float | None, upper: float | None, *, label: str = "") -> str:
    """Return a proportion and its interval: "82% (77 to 87)", or with a label "82% (95% CI 77 to 87)"."""
    if lower is None or upper is None or lower != lower or upper != upper or lower == upper:
        return share(value)
    ends = between(lower, upper, lambda end: share(end).rstrip("%"))
    return f"{share(value)} ({f'{label} ' if label else ''}{ends})"


def between(lower: float, upper: float, say: Callable[[float], str]) -> str:
    """Return the ends of an interval: "2.8 to 3.4"."""
    return f"{say(lower)} to {say(upper)}"


def confidence_of(settings: Mapping[str, Any]) -> str:
    """Return the name of the intervals: "95% CI"."""
    return f"{100 * settings.get('confidence', 0.95):g}% CI"


def overlap(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two intervals meet, or one of them is not known: a difference is then not clear."""
    ends = [record[end] for record in (first, second) for end in ("lower", "upper")]
    if any(end is None or end != end for end in ends):
        return True
    return bool(first["lower"] <= second["upper"] and second["lower"] <= first["upper"])


def times_expected(ratio: float) -> str:
    """Return an observed/expected ratio in words: "3.1 times expected"."""
    return f"{times(ratio)} times expected"


def expectation(settings: Mapping[str, Any]) -> str:
    """Return what an expected number is: "expected if conditions were independent, adjusted for age and sex"."""
    parts = settings.get("against", "independence") != "independence"
    return ("expected from their smaller sets" if parts else _INDEPENDENT) + adjusted_for(settings)


def adjusted_for(settings: Mapping[str, Any]) -> str:
    """Return what was adjusted for, after a comma, or nothing."""
    adjust = settings.get("adjust")
    return f", adjusted for {strata_phrase(adjust)}" if adjust else ""


def day_in_words(text: object) -> str:
    """Return an ISO date as it is read: "1 April 2011"; the day of joining where people were enrolled; else nothing."""
    if text == "enrolment":
        return "the day of joining"
    try:
        day = date.fromisoformat(str(text))
    except ValueError:
        return ""
    return f"{day.day} {day:%B %Y}"


def as_of(settings: Mapping[str, Any]) -> str:
    """Return as of which day conditions were counted, after a space: " on 1 April 2011"; nothing where it is not known."""
    day = day_in_words((settings.get("population") or {}).get("index", ""))
    return f" on {day}" if day else ""


def of_whom(settings: Mapping[str, Any]) -> str:
    """Return who is shown and as of when: "People enrolled on complex care, Yeovil; as of the day of joining"."""
    population = settings.get("population") or {}
    programme, hub, age = (population.get(name) for name in ("programme", "hub", "age"))
    whom = ""
    if programme or hub:
        whom = f"People enrolled on {', '.join(in_words(part) for part in (programme, hub) if part)}"
    elif population.get("index"):
        whom = "People in the study"
    if population.get("sex"):
        whom = f"{whom or 'People'}, {in_words(str(population['sex']).lower())}"
    named = {"practice": "practice", "area": "area"}
    whom += "".join(f", {words} {in_words(population[name])}" for name, words in named.items() if population.get(name))
    if age and (age[0] or age[1] is not None):
        low, high = age[0] or 0, age[1]
        whom = f"{whom or 'People'}, aged {f'{low}–{high}' if high is not None else f'{low} and over'}"
    day = day_in_words(population.get("index", ""))
    if not day:
        return whom
    return f"{whom} from {day}" if population.get("event") else f"{whom}, as of {day}"


def money(value: float, say: Callable[[float], str]) -> str:
    """Return an amount with its sign, which a plain price has not: "−£310"."""
    return f"−{say(-value)}" if value < 0 else say(value)


def fitting(*candidates: str | None, most: int = TITLE_WORDS) -> str:
    """Return the first of several titles that has at most so many words; the last has to."""
    given = [text for text in candidates if text]
    return next((text for text in given if len(text.split()) <= most), given[-1])


def pair_words(record: Mapping[str, Any]) -> str:
    """Return the two conditions of a row: "heart failure and stroke"."""
    return joined([record["source"], record["target"]])
