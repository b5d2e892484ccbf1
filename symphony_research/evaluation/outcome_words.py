"""Effects on several outcomes in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.evaluation.verdicts import with_ratio
from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import p_value
from symphony_research.words.phrases import joined

if TYPE_CHECKING:
    from symphony_research.evaluation.outcome_effects import OutcomeEffects

__all__ = ["CONTROL", "PRIMARY", "SECONDARY", "outcomes_sentence", "plural_of"]

PRIMARY, SECONDARY, CONTROL = "primary", "secondary", "negative control"


def plural_of(row: Mapping[str, Any]) -> str:
    """Return the events of a row, as a plural."""
    return EVENTS[row["outcome"]].plural


def outcomes_sentence(result: OutcomeEffects) -> str:
    """Return what changed and what did not beside the primary outcome, and what the negative control says."""
    people = dict(result.count_tables["arms"].iter_rows())
    if None in people.values():
        return "Too few people are matched for an effect on other outcomes to be shown."
    told = _others(result)
    absent = list(dict.fromkeys(result.settings["not_recorded"].values()))
    told += [f"{why}." for why in absent]
    if not told:
        few = "no other outcome has events enough" if result.estimates.height > 1 else "no other outcome was named"
        return f"Beside {plural_of(result.primary)}, {few}."
    return " ".join(told)


def _others(result: OutcomeEffects) -> list[str]:
    """Return which secondary outcomes changed and which did not, and what the negative controls say."""
    level = 1 - result.settings["confidence"]
    rows = list(result.estimates.slice(1).filter(pl.col("estimate").is_not_null()).iter_rows(named=True))
    secondary = [row for row in rows if row["role"] == SECONDARY]
    told = [
        f"{capital(plural_of(row))}: {with_ratio(row)} times the rate (p {_p_words(row['p_holm'])} by Holm's method)."
        for row in secondary
        if row["p_holm"] <= level
    ]
    same = [plural_of(row) for row in secondary if row["p_holm"] > level]
    if same:
        told.append(f"No clear change in {joined(same)}.")
    return told + [_control_words(row) for row in rows if row["role"] == CONTROL]


def _p_words(p: float) -> str:
    said = p_value(p)
    return said if said[0] in "<>" else f"= {said}"


def _control_words(row: Mapping[str, Any]) -> str:
    what, ratio = plural_of(row), with_ratio(row)
    if row["lower"] > 1 or row["upper"] < 1:
        return f"The negative control, {what}, differs: {ratio} times the rate, so that the groups may differ in more than enrolling."
    return f"The negative control, {what}, does not clearly differ: {ratio} times the rate."
