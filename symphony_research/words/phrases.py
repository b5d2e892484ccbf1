"""Phrases: names and strata joined, a share with its interval, a ratio against what was expected, what was adjusted for.

A sentence, a title and an alt text are made of them, so that one finding is worded in one way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from symphony_research.words.lexicon import COLUMN_WORDS, NOT_RECORDED, capital, in_words
from symphony_research.words.numbers import percentage, times
from symphony_research.words.quarters import window_in_words

__all__ = [
    "TITLE_WORDS",
    "adjusted_for",
    "as_of",
    "between",
    "confidence_of",
    "cost_period",
    "day_in_words",
    "expectation",
    "expected_headings",
    "expected_words",
    "fitting",
    "joined",
    "money",
    "of_whom",
    "overlap",
    "pair_words",
    "ratio_words",
    "share_with_interval",
    "strata_phrase",
    "strata_words",
    "stratum_words",
    "tested_words",
]


def joined(names: Iterable[object], *, last: str = "and") -> str:
    """Return names as a phrase: "asthma, stroke and heart failure"."""
    words = [in_words(name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else "nothing"


def strata_phrase(columns: Sequence[str]) -> str:
    """Return stratum columns in words: "age and sex"."""
    return joined([COLUMN_WORDS.get(name, in_words(name)).lower() for name in columns])


def strata_words(names: Mapping[str, Any]) -> str:
    """Return a stratum in words: "women, 65-69"; numbers and missing values carry their column's name."""
    parts = []
    for column, value in names.items():
        name = COLUMN_WORDS.get(column, in_words(column)).lower()
        if value is None:
            parts.append(f"{name} {NOT_RECORDED}")
        elif isinstance(value, bool):
            parts.append(f"{name}: {'yes' if value else 'no'}")
        elif column != "age_band" and str(value).rstrip("+").replace(".", "").isdigit():
            said = f"{value:g}" if isinstance(value, float) else str(value)
            parts.append(f"{said} {name}" if name.endswith("s") else f"{name} {said}")
        else:
            parts.append(in_words(value))
    return ", ".join(parts)


def stratum_words(record: Mapping[str, Any], by: Sequence[str]) -> str:
    """Return a row's stratum in brackets after a space, or nothing: " (women, 65-69)"."""
    return f" ({strata_words({c: record[c] for c in by})})" if by else ""


def expected_headings(adjust: Sequence[str]) -> dict[str, str]:
    """Return the headings of expected numbers and their ratios: adjusted or crude."""
    how = "adjusted" if adjust else "crude"
    return {"expected": f"Expected, {how}", "observed_expected": f"Observed/expected ratio, {how}"}


def expected_words(settings: Mapping[str, Any]) -> list[str]:
    """Say what the expected number of a table is, and what it is adjusted for."""
    adjust = settings.get("adjust")
    if adjust is None:
        return []
    whence = (
        "if conditions were independent"
        if settings.get("against", "independence") == "independence"
        else "from the lower-order margins of the combination"
    )
    how = f"adjusted for {strata_phrase(adjust)}" if adjust else "crude, not adjusted for anything"
    return [f"Expected: the number of people {whence}; {how}."]


def tested_words(correction: str, n_tested: int) -> str:
    """Say what q values are, and over how many tests."""
    how = {"benjamini_hochberg": "Benjamini-Hochberg"}.get(correction, capital(correction))
    return f"q value: the p value corrected for {n_tested:,} tests ({how})."


def cost_period(settings: Mapping[str, Any]) -> str:
    """Return the time over which costs were summed: "in the 12 months from 1 April 2011"."""
    population = settings.get("population") or {}
    months, start = population.get("months"), str(population.get("index", ""))
    if not months:
        return ""
    length = "month" if months == 1 else f"{months} months"
    if start == "enrolment":
        return f"in the {length} from joining"
    try:
        day = date.fromisoformat(start)
    except ValueError:
        return f"in the {length} from the index date"
    return f"in the {length} from {day.day} {day:%B %Y}"


TITLE_WORDS = 15  # the most words of a figure's title

_INDEPENDENT = "expected if conditions were independent"


def share_with_interval(value: float | None, lower: float | None, upper: float | None, *, label: str = "") -> str:
    """Return a proportion and its interval: "82% (77 to 87)", or with a label "82% (95% CI 77 to 87)"."""
    if lower is None or upper is None or lower != lower or upper != upper or lower == upper:
        return percentage(value)
    ends = between(lower, upper, lambda end: percentage(end).rstrip("%"))
    return f"{percentage(value)} ({f'{label} ' if label else ''}{ends})"


def between(lower: float, upper: float, format_number: Callable[[float], str]) -> str:
    """Return the ends of an interval: "2.8 to 3.4"."""
    return f"{format_number(lower)} to {format_number(upper)}"


def confidence_of(settings: Mapping[str, Any]) -> str:
    """Return the name of the intervals: "95% CI"."""
    return f"{100 * settings.get('confidence', 0.95):g}% CI"


def overlap(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Return whether two intervals meet, or one of them is not known: a difference is then not clear."""
    ends = [record[end] for record in (first, second) for end in ("lower", "upper")]
    if any(end is None or end != end for end in ends):
        return True
    return bool(first["lower"] <= second["upper"] and second["lower"] <= first["upper"])


def ratio_words(ratio: float) -> str:
    """Return an observed/expected ratio with its name: "observed/expected ratio 3.10"."""
    return f"observed/expected ratio {times(ratio)}"


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
        how = "on" if programme else "with"
        whom = f"People enrolled {how} {', '.join(in_words(part) for part in (programme, hub) if part)}"
    elif population.get("index"):
        whom = "People in the study"
    if population.get("sex"):
        whom = f"{whom or 'People'}, {in_words(str(population['sex']).lower())}"
    named = {"practice": "practice", "area": "area"}
    whom += "".join(f", {words} {in_words(population[name])}" for name, words in named.items() if population.get(name))
    if population.get("joined"):
        whom += f", joined {window_in_words(*population['joined'])}"
    if age and (age[0] or age[1] is not None):
        low, high = age[0] or 0, age[1]
        whom = f"{whom or 'People'}, aged {f'{low}–{high}' if high is not None else f'{low} and over'}"
    day = day_in_words(population.get("index", ""))
    if not day:
        return whom
    return f"{whom} from {day}" if population.get("event") else f"{whom}, as of {day}"


def money(value: float, format_number: Callable[[float], str]) -> str:
    """Return an amount with its sign, which a plain price has not: "−£310"."""
    return f"−{format_number(-value)}" if value < 0 else format_number(value)


def fitting(*candidates: str | None, most: int = TITLE_WORDS) -> str:
    """Return the first of several titles that has at most so many words; the last has to."""
    given = [text for text in candidates if text]
    return next((text for text in given if len(text.split()) <= most), given[-1])


def pair_words(record: Mapping[str, Any]) -> str:
    """Return the two conditions of a row: "heart failure and stroke"."""
    return joined([record["source"], record["target"]])
