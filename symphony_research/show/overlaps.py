"""Conditions whose definitions overlap: what goes together because it is counted twice is no finding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import polars as pl

from symphony_research.result import Result
from symphony_research.words.lexicon import in_words

__all__ = ["overlap_note", "overlapping_pairs"]

MOSTLY = (
    0.9  # of the people with the rarer condition, how many also have the other where one is nearly part of the other
)
FEWEST = 20  # people with the rarer condition: of one or two all may have another by accident
NAMED = 6  # pairs that a note names
# of one disease under several names, or each counted among the other
_ALIKE: tuple[frozenset[str], ...] = (
    frozenset(
        {
            "angina", "heart_attack", "myocardial_infarction", "coronary_heart_disease", "ischaemic_heart_disease",
            "coronary_artery_disease", "chd",
        }
    ),
    frozenset({"asthma", "copd", "chronic_obstructive_pulmonary_disease", "emphysema", "chronic_bronchitis"}),
    frozenset({"stroke", "tia", "transient_ischaemic_attack", "cerebrovascular_disease", "stroke_or_tia"}),
    frozenset({"chronic_kidney_disease", "ckd", "renal_failure", "kidney_failure", "end_stage_renal_disease"}),
    frozenset({"dementia", "alzheimers_disease", "vascular_dementia"}),
)  # fmt: skip
_SMALL = frozenset(
    {"or", "and", "of", "the", "a", "disease", "disorder", "syndrome", "problems", "other", "unspecified"}
)


def overlapping_pairs(result: Result, conditions: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of conditions that overlap by name, or of which the one is nearly contained in the other.

    Parameters
    ----------
    result : Result
        A result whose released counts of pairs, where it has them, are read too.
    conditions : iterable of str
        The conditions that are drawn or listed.
    """
    names = sorted(set(conditions))
    found = {pair for pair in combinations(names, 2) if _by_name(*pair)}
    found |= {pair for pair in _by_counts(result) if set(pair) <= set(names)}
    return sorted(found)


def overlap_note(result: Result, conditions: Iterable[str]) -> list[str]:
    """Return a note that names overlapping definitions among conditions, or nothing."""
    pairs = overlapping_pairs(result, conditions)
    if not pairs:
        return []
    said = ["/".join(in_words(name) for name in group) for group in _groups(pairs)]
    rest = len(said) - NAMED
    more = f"; and {rest} more" if rest > 0 else ""
    return [f"Definitions overlap, so these are expected together: {'; '.join(said[:NAMED])}{more}."]


def _groups(pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Return pairs joined where all members of a group overlap with each other."""
    groups: list[list[str]] = []
    every = set(pairs)
    for pair in pairs:
        for group in groups:
            new = [name for name in pair if name not in group]
            if all(tuple(sorted((name, other))) in every for name in new for other in group):
                group += new
                break
        else:
            groups.append(list(pair))
    return groups


def _by_name(first: str, second: str) -> bool:
    if any({first.lower(), second.lower()} <= alike for alike in _ALIKE):
        return True
    parts = [frozenset(name.lower().split("_")) - _SMALL for name in (first, second)]
    shorter, longer = sorted(parts, key=len)
    # "diabetes" is part of "type_2_diabetes"; a name and its number alone ("condition_1") are no words
    telling = [part for part in shorter if len(part) > 2 and part.isalpha() and part not in ("chronic", "acute")]
    return bool(telling) and shorter < longer


def _by_counts(result: Result) -> set[tuple[str, str]]:
    frame = result.estimates
    if {"source", "target", "n_both", "n_source", "n_target"} <= set(frame.columns):
        fewest = pl.min_horizontal("n_source", "n_target")
        known = pl.all_horizontal(pl.col("n_both", "n_source", "n_target").is_not_null())
        near = frame.filter(known & (pl.col("n_both") > MOSTLY * fewest) & (fewest >= FEWEST))
        return {(min(pair), max(pair)) for pair in near.select("source", "target").iter_rows()}
    if {"combination", "size", "n_persons"} <= set(frame.columns) and result.settings.get("kind") == "at_least":
        return _of_sets(result, frame)
    return set()


def _of_sets(result: Result, frame: pl.DataFrame) -> set[tuple[str, str]]:
    margins = result.count_tables.get("margins")
    if margins is None or result.by:
        return set()
    held = dict(margins.select("condition", "n_persons").iter_rows())
    found = set()
    for names, people in frame.filter(pl.col("size") == 2).select("combination", "n_persons").iter_rows():
        ends = [held.get(name) for name in names]
        rarer = min((end for end in ends if end), default=0)
        if people and all(ends) and rarer >= FEWEST and people > MOSTLY * rarer:
            found.add((min(names), max(names)))
    return found
