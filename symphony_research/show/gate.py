"""What may be drawn: the right family, disclosed where it must be, one stratum where there is room for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import polars as pl

from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.policy import Policy
from symphony_research.result import Result, confidential_report, inside_report, not_available, title_within
from symphony_research.words.numbers import number
from symphony_research.words.phrases import strata_phrase

__all__ = [
    "band",
    "expected_note",
    "hidden_words",
    "is_family",
    "is_released",
    "mark_words",
    "one_stratum",
    "provenance",
    "release",
    "require_disclosed",
    "require_family",
    "require_plain_words",
    "require_showable",
    "said_of",
]

Shown = TypeVar("Shown")
UNDECIDED = "What these counts tell together with others could not be decided within the limit of the search"
_ADJUSTED = ("observed_expected", "odds_ratio", "information_component")


def said_of(result: Result) -> str:
    """Return the sentence of a result; of one withheld whole but for everybody, that it is not shown and why.

    To a family suppressed counts are small ones, and its own sentence would say that few people are in all of them.
    """
    withheld = result.disclosure is not None and result.disclosure.withheld
    if withheld and not any(
        result.count_tables[name][column].max()  # zeros may be left
        for name, table in result.roles.items()
        for column in table.people
        if name in result.count_tables and name != "population"
    ):
        said = not_available(UNDECIDED, title_within(result)).sentence()
        return f"{said} Fewer strata, or fewer results at once, may be."
    return result.sentence()


def is_family(result: object, names: Sequence[str]) -> bool:
    """Return whether a result belongs to a family; by name, so that no estimator is loaded to draw another's."""
    return isinstance(result, Result) and any(c.__name__ in names for c in type(result).__mro__)


def require_family(result: object, names: Sequence[str], function: str, makers: str, title: str | None = None) -> None:
    """Raise ArgumentError unless the result is of one of the families; a title of the author's own is looked at too."""
    if not is_family(result, names):
        raise ArgumentError(f"{function} draws the result of {makers}, not {type(result).__name__}.")
    require_plain_words(title, "title")


def require_plain_words(words: str | None, what: str) -> None:
    """Raise DisclosureError where the author's own words hold a number that a report on confidential data cannot vouch for."""
    if words is not None and confidential_report() and any(letter.isnumeric() for letter in words):
        raise DisclosureError(
            f"This {what} holds a number, which has not passed disclosure control. In a report on confidential data "
            f"give a {what} without one; sr.sentence(result) tells the numbers."
        )


def release(shown: Shown, result: Result) -> Shown:
    """Mark what was made of a result as fit for a report, if the result has passed `suppress`."""
    object.__setattr__(shown, "_released", result.disclosure is not None)
    return shown


def is_released(shown: object) -> bool:
    """Return whether it was made of a disclosed result by this library, and is no copy with other contents."""
    return getattr(shown, "_released", False) is True


def require_showable(result: object, what: str) -> None:
    """Raise DisclosureError for an undisclosed result inside a report, ArgumentError for no result."""
    if not isinstance(result, Result):
        raise ArgumentError(f"{what} takes a Result, such as sr.multimorbidity.prevalence(...) returns, "
                            f"not {type(result).__name__}.")  # fmt: skip
    if inside_report() and result.disclosure is None:
        raise DisclosureError(
            f"{what} would show numbers of a {type(result).__name__} that have not passed disclosure control. "
            "Use sr.suppress(result, policy) first."
        )
    result._refuse_undisclosed(f"{what} of")  # nor one disclosed under another rule than the report's


def require_disclosed(result: object, what: str) -> None:
    """Raise DisclosureError for an undisclosed result, wherever it is."""
    require_showable(result, what)
    if isinstance(result, Result) and result.disclosure is None:
        raise DisclosureError(
            f"{what} writes a file that others may open, and this {type(result).__name__} has not passed disclosure "
            f"control ({number(result.small_counts())} small counts). Use sr.suppress(result, policy) first."
        )


def band(result: Result) -> str | None:
    """Return the warning over an undisclosed result."""
    if result.disclosure is not None:
        return None
    few = result.small_counts()
    return f"not for release: {number(few)} small count{'' if few == 1 else 's'}"


def hidden_words(policy: Policy) -> str:
    """Return the size of a suppressed small count: "1–7 people"."""
    return f"{'0' if policy.hide_zeros else '1'}–{policy.threshold} people"


def mark_words(few: str, policy: Policy) -> str:
    """Return what a suppressed count may be: few people, or any number where it protects another; a mark does not say which."""
    return few if policy.level == "rule_text" else f"{few}, or suppressed so that another cannot be inferred"


def absent_words(result: Result, policy: Policy) -> str:
    """Return how many may be in a set that has no number: "nobody, 1–7 people"; of other families the size of a small count."""
    few = hidden_words(policy)
    return f"nobody, {few}" if result.rows_from_records and not policy.hide_zeros else few


def unlisted_note(result: Result, done: str) -> list[str]:
    """Say what is not listed, or drawn, and not how many: of the few sets there are, the number would name the last."""
    if result.disclosure is None or result.disclosure.policy.changes_nothing or not result.rows_from_records:
        return []
    what = result.rows_are
    policy, floor = result.disclosure.policy, result.settings.get("min_persons") or 1
    held = f"fewer than {number(floor)} people" if floor > policy.threshold else absent_words(result, policy)
    return [f"{what} that are not {done}: {held}, or suppressed so that another cannot be inferred."]


def expected_note(result: Result, measure: str = "observed_expected") -> list[str]:
    """Return what an expected number is in a figure: crude, or adjusted."""
    adjust = result.settings.get("adjust")
    if adjust is None:
        return []
    if adjust and measure not in _ADJUSTED:
        return ["This measure is crude: not adjusted."]
    adjusted = f"Adjusted for {strata_phrase(adjust)}." if adjust else "Crude: not adjusted for age or anything else."
    if result.settings.get("against", "independence") != "independence":
        return [f"Expected: from the smaller sets of conditions. {adjusted}"]
    return [f"Expected if conditions were independent. {adjusted}"]


def provenance(result: Result) -> list[str]:
    """Return the rule a disclosed result was made under, and where its numbers come from."""
    notes = []
    if result.disclosure is not None:
        done = result.disclosure
        notes.append(f"Disclosure rule: {done.policy.title}.")
        if done.withheld:
            notes.append(
                "Some counts are withheld: what they tell together could not be decided within the limit of the search."
            )
    study = result.settings.get("study")
    if study:
        invented = " (invented people)" if result.settings.get("generated") and "invented" not in str(study) else ""
        notes.append(f"Source: {study}{invented}.")
    if result.settings.get("note"):
        notes.append(str(result.settings["note"]))
    return notes


def one_stratum(result: Result, frame: pl.DataFrame, stratum: Mapping[str, Any] | None) -> pl.DataFrame:
    """Return the rows of one stratum of a table of a result.

    Raises
    ------
    ArgumentError
        If the result has strata and none is named, or there is no such stratum.
    """
    given = dict(stratum or {})
    if set(given) != set(result.by):
        if not result.by:
            raise ArgumentError("The result has no strata, so stratum= names none.")
        raise ArgumentError(
            f"The result has strata and this figure has room for one: pick it with stratum=, a value for each of "
            f"{', '.join(result.by)}."
        )
    # a stratum may hold people and yet none of what is drawn
    for table in (result.count_tables.get("population", frame), frame):
        rows = table
        for column, value in given.items():
            text = pl.col(column).cast(pl.String)
            rows = rows.filter(text.is_null() if value is None else text.eq_missing(pl.lit(str(_plain(value)))))
        if given and not rows.height and table is not frame:
            raise ArgumentError(f"The result has no such stratum of {', '.join(result.by)}; see result.estimates.")
    return rows


def _plain(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
