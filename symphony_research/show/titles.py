"""Titles of figures: the finding in at most fifteen words, of what is drawn alone, and only where its test supports it.

Each function takes the rows that are drawn. A name in a title is a name in the
figure; a ratio or an excess is named where its interval and its q value are
clear, and where none is, the title says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from symphony_research.inference import FOUND
from symphony_research.result import Result
from symphony_research.survival.figures import titles_of
from symphony_research.survival.sentences import shares_at
from symphony_research.words.lexicon import capital, happened, in_words
from symphony_research.words.numbers import number, percentage, roughly, times
from symphony_research.words.phrases import (
    between,
    confidence_of,
    fitting,
    joined,
    overlap,
    pair_words,
    ratio_words,
    share_with_interval,
    strata_words,
)

__all__ = [
    "above",
    "attrition_title",
    "centrality_title",
    "combination_title",
    "commonest_title",
    "comparison_title",
    "costs_title",
    "count_title",
    "curve_title",
    "few_title",
    "further_title",
    "in_group",
    "pair_title",
    "sequence_title",
]

Rows = Sequence[Mapping[str, Any]]


def in_group(stratum: Mapping[str, Any] | None, *candidates: str) -> list[str]:
    """Return titles with the group they are of in front: "Women: asthma is the commonest condition"."""
    if not stratum:
        return [capital(text) for text in candidates]
    group = capital(strata_words(stratum))
    # a group whose name leaves no room is named in the figure's notes
    return [*(f"{group}: {text}" for text in candidates), *(capital(text) for text in candidates)]


def few_title(what: str) -> str:
    """Return the title where nothing may be drawn."""
    return f"No {what} has enough people to show"


def above(frame: pl.DataFrame, lower: str, null: float = 1.0) -> pl.DataFrame:
    """Return the rows whose interval lies above the null and whose q value is small."""
    return frame.filter((pl.col(lower) > null) & (pl.col("q_value") <= FOUND))


def commonest_title(
    drawn: pl.DataFrame, settings: Mapping[str, Any], stratum: Mapping[str, Any] | None, what: str
) -> str:
    """Name the commonest condition, and the next where their intervals meet; `what` is "condition" or "comorbidity of ..."."""
    first, *rest = drawn.head(3).iter_rows(named=True)
    name, said = in_words(first["condition"]), share_with_interval(*_estimate(first), label=confidence_of(settings))
    plain = percentage(first["estimate"])
    several = what.replace("comorbidity", "comorbidities") if "comorbidity" in what else f"{what}s"
    kind, kinds = what.split(" ")[0], several.split(" ")[0]
    if not rest or not overlap(first, rest[0]):
        return fitting(
            *in_group(
                stratum,
                f"{name} is the commonest {what}: {said}",
                f"{name} is the commonest {what}: {plain}",
                f"{name} is the commonest {kind}: {plain}",
                f"the commonest {kind}: {said} of people",
            )
        )
    if len(rest) > 1 and overlap(first, rest[1]):
        return fitting(
            *in_group(stratum, f"no one {what} is clearly the commonest", f"no one {kind} is clearly the commonest")
        )
    other = in_words(rest[0]["condition"])
    both = f"{plain} and {percentage(rest[0]['estimate'])}"
    return fitting(
        *in_group(
            stratum,
            f"{name} and {other} are the commonest {several}: {both}",
            f"{name} and {other} are the commonest {kinds}: {both}",
            f"the two commonest {kinds}: {both} of people",
        )
    )


def _estimate(record: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return record["estimate"], record["lower"], record["upper"]


def count_title(result: Result) -> str:
    """Say what share of people have two or more conditions, or which groups differ in it."""
    shares = result.several()  # type: ignore[attr-defined]
    known = [row for row in shares if row["estimate"] is not None]
    if not known:
        return few_title("group with two or more conditions")
    label = confidence_of(result.settings)
    if not result.by:
        row = known[0]
        if row["at_least"]:
            least = f"At least {percentage(row['estimate'])} of people have two or more long-term conditions"
            return least if row["estimate"] else few_title("group with two or more conditions")
        return f"{share_with_interval(*_estimate(row), label=label)} of people have two or more long-term conditions"
    rows = sorted((row for row in known if not row["at_least"]), key=lambda row: row["estimate"])
    if len(rows) < 2:
        return "No two groups are large enough to compare"
    low, high = rows[0], rows[-1]
    words = [strata_words({c: row[c] for c in result.by}) for row in (low, high)]
    if overlap(low, high):
        return "No group has clearly more people with two or more conditions than another"
    least, most = percentage(low["estimate"]), percentage(high["estimate"])
    return fitting(
        f"Two or more conditions: {most} ({words[1]}), {least} ({words[0]})",
        f"Two or more conditions: from {least} to {most} of the groups' people",
    )


def combination_title(drawn: pl.DataFrame, settings: Mapping[str, Any], stratum: Mapping[str, Any] | None) -> str:
    """Name the combination most clearly above what was expected."""
    found = above(drawn.filter(pl.col("size") >= 2), "oe_lower").sort("oe_lower", descending=True, maintain_order=True)
    if not found.height:
        return fitting(
            *in_group(
                stratum, "no combination drawn is clearly commoner than expected", "none is clearly above expected"
            )
        )
    first = found.row(0, named=True)
    name, ratio = joined(first["combination"]), ratio_words(first["observed_expected"])
    ends = between(first["oe_lower"], first["oe_upper"], times)
    return fitting(
        *in_group(
            stratum,
            f"{name}: {ratio} ({confidence_of(settings)} {ends})",
            f"{name}: {ratio}",
            f"the clearest combination: {ratio} ({confidence_of(settings)} {ends})",
        )
    )


def pair_title(drawn: pl.DataFrame, settings: Mapping[str, Any], stratum: Mapping[str, Any] | None) -> str:
    """Name the pair of conditions most clearly above what was expected."""
    found = above(drawn, "lower").sort("lower", descending=True, maintain_order=True)
    if not found.height:
        return fitting(
            *in_group(
                stratum,
                "no pair of conditions drawn is clearly commoner than expected",
                "none is clearly above expected",
            )
        )
    first = found.row(0, named=True)
    ratio, ends = ratio_words(first["observed_expected"]), between(first["lower"], first["upper"], times)
    return fitting(
        *in_group(
            stratum,
            f"{pair_words(first)}: {ratio} ({confidence_of(settings)} {ends})",
            f"{pair_words(first)}: {ratio}",
            f"the clearest pair: {ratio} ({confidence_of(settings)} {ends})",
        )
    )


def further_title(drawn: pl.DataFrame, every: pl.DataFrame, stratum: Mapping[str, Any] | None) -> str:
    """Say how many people with each condition have no other: the least and the most of those drawn."""
    names = drawn["condition"].to_list()
    alone = every.filter(
        (pl.col("n_others") == 0) & pl.col("condition").is_in(names) & pl.col("estimate").is_not_null()
    )
    if alone.height < 2:
        return fitting(*in_group(stratum, "too few people to compare how many have no other condition"))
    rows = alone.sort("estimate", "condition").to_dicts()
    low, high = rows[0], rows[-1]
    if overlap(low, high):
        return fitting(
            *in_group(
                stratum,
                "people with no other condition: no condition clearly differs from another",
                "none clearly differs",
            )
        )
    shares = [percentage(row["estimate"]) for row in (low, high)]
    words = [in_words(row["condition"]) for row in (low, high)]
    return fitting(
        *in_group(
            stratum,
            f"no other condition: {shares[0]} of people with {words[0]}, {shares[1]} with {words[1]}",
            f"no other condition: {words[0]} {shares[0]}, {words[1]} {shares[1]}",
            f"no other condition: from {shares[0]} to {shares[1]} of people",
        )
    )


def costs_title(
    drawn: pl.DataFrame, settings: Mapping[str, Any], stratum: Mapping[str, Any] | None, amount: Callable[[float], str]
) -> str:
    """Name the combination that most clearly costs more, or less, than additivity implies."""
    value = in_words(settings["value"] or "cost")
    more = above(drawn, "excess_lower", 0.0).sort("excess_lower", descending=True, maintain_order=True)
    less = drawn.filter((pl.col("excess_upper") < 0) & (pl.col("q_value") <= FOUND)).sort(
        "excess_upper", maintain_order=True
    )
    if not more.height and not less.height:
        return fitting(
            *in_group(
                stratum,
                f"no combination's {value} clearly differs from the sum of its conditions",
                "none clearly differs",
            )
        )
    first = (more if more.height else less).row(0, named=True)
    name, by = joined(first["combination"]), amount(abs(first["excess"]))
    ends = sorted((first["excess_lower"], first["excess_upper"]), key=abs)
    told = f"({confidence_of(settings)} {between(abs(ends[0]), abs(ends[1]), amount)})"
    way = "more" if more.height else "less"
    return fitting(
        *in_group(
            stratum,
            f"{name}: {by} {way} than additive {told}",
            f"{name}: {by} {way} than additive",
            f"the clearest combination: {by} {way} than additive {told}",
        )
    )


def centrality_title(drawn: pl.DataFrame, measure: str, stratum: Mapping[str, Any] | None) -> str:
    """Name the most central condition by a measure, with its number of edges."""
    first = drawn.row(0, named=True)
    edges = f"{number(first['degree'])} edge{'' if first['degree'] == 1 else 's'}"
    kind = "PageRank" if measure == "pagerank" else in_words(measure)
    tied = drawn.height > 1 and drawn[measure][1] >= 0.999 * first[measure]
    if tied:
        return fitting(*in_group(stratum, f"no one condition has the highest {kind}"))
    name = in_words(first["condition"])
    return fitting(
        *in_group(
            stratum,
            f"{name} has the highest {kind} ({edges})",
            f"the most central condition has {edges}",
        )
    )


def sequence_title(drawn: pl.DataFrame, settings: Mapping[str, Any]) -> str:
    """Name the order most clearly more frequent than expected."""
    found = drawn.filter(pl.col("q_value") <= FOUND)
    if not found.height:
        return "No order of two conditions is clearly more frequent than expected"
    first = found.sort(pl.col("estimate") - pl.col("expected"), descending=True, maintain_order=True).row(0, named=True)
    name = f"{in_words(first['source'])} precedes {in_words(first['target'])}"
    said, expected = share_with_interval(*_estimate(first)), percentage(first["expected"])
    return fitting(
        capital(f"{name} in {said}, {expected} expected"),
        capital(f"{name} in {percentage(first['estimate'])}, {expected} expected"),
        f"The clearest order: {said}, where {expected} is expected",
    )


def comparison_title(drawn: pl.DataFrame, names: tuple[str, str], stratum: Mapping[str, Any] | None) -> str:
    """Name the pair of conditions that most clearly differs between two groups."""
    one, other = names
    found = drawn.filter(pl.coalesce("family_wise_p", "q_value") <= FOUND)
    if not found.height:
        return fitting(
            *in_group(
                stratum,
                f"no pair of conditions clearly differs between {one} and {other}",
                "no pair of conditions clearly differs between the two groups",
                "no pair clearly differs",
            )
        )
    first = found.sort(pl.col("ratio").log().abs(), descending=True, maintain_order=True).row(0, named=True)
    pair, ratios = pair_words(first), [times(first[f"observed_expected_{side}"]) for side in "ab"]
    return fitting(
        *in_group(
            stratum,
            f"{pair}: observed/expected ratio {ratios[0]} in {one}, {ratios[1]} in {other}",
            f"{pair}: observed/expected ratios {ratios[0]} and {ratios[1]}",
            f"pairs drawn that clearly differ between the groups: {number(found.height)}",
        )
    )


def curve_title(result: Result, limit: float) -> str:
    """Say what share had the event at one time that is drawn, and whether groups clearly differ in it."""
    if not result.is_share:  # type: ignore[attr-defined]
        titles = titles_of(result, limit)  # type: ignore[arg-type]
        return fitting(*titles) if titles else few_title("group")
    causes = result.settings.get("causes")
    cause = causes[0] if causes else None
    names = result.settings.get("cause_names") or {}
    had = (
        happened(result.settings.get("event_name"), yet=False)
        if cause is None
        else happened(names.get(cause, names.get(str(cause), f"cause {cause}")))
    )
    own = result.settings.get("event_name") if cause is None else names.get(cause, names.get(str(cause)))
    event = (
        in_words(own or "the event")
        if cause is not None
        else "survival"
        if own in (None, "death")
        else "event-free survival"
    )
    when, every = shares_at(result, cause, limit)
    known = [row for row in every if row["estimate"] is not None]
    if when is None or not known:
        return few_title("group")
    label = confidence_of(result.settings)
    by = "By" if cause is not None else "At"  # an event comes by a day, and people are alive at it
    if not result.by:
        said = share_with_interval(*_estimate(known[0]), label=label)
        return fitting(f"{by} {when}, {said} {had}", f"{by} {when}: {said}")
    if len(known) == 1:
        group = strata_words({c: known[0][c] for c in result.by})
        said = share_with_interval(*_estimate(known[0]))
        return fitting(
            f"{capital(group)}: {by.lower()} {when}, {said} {had}",
            f"{capital(group)}: {said} {by.lower()} {when}",
            f"{by} {when}: {said} of the one group drawn",
        )
    rows = sorted(known, key=lambda row: row["estimate"])
    apart = not overlap(rows[0], rows[-1])
    groups = [strata_words({c: row[c] for c in result.by}) for row in known]
    shares = [percentage(row["estimate"]) for row in known]
    if len(known) == 2:
        each = f"{shares[0]} ({groups[0]}), {shares[1]} ({groups[1]})"
        if apart:
            return fitting(
                f"{by} {when}, {each} {had}", f"{by} {when}: {each}", f"{by} {when}: {shares[0]} and {shares[1]}"
            )
        return fitting(
            f"No clear difference in {event} {by.lower()} {when}: {each}",
            f"No clear difference {by.lower()} {when}: {each}",
            f"No clear difference between the groups {by.lower()} {when}",
        )
    low, high = percentage(rows[0]["estimate"]), percentage(rows[-1]["estimate"])
    which = f"the {len(known)}" if len(known) == len(every) else f"{len(known)} of the {len(every)}"
    if not apart:
        return fitting(
            f"No clear difference in {event} between {which} groups {by.lower()} {when}: {low}–{high}",
            f"No clear difference between {which} groups {by.lower()} {when}: {low}–{high}",
        )
    ends = [strata_words({c: row[c] for c in result.by}) for row in (rows[0], rows[-1])]
    return fitting(
        f"{by} {when}, from {low} ({ends[0]}) to {high} ({ends[1]}) {had}",
        f"{by} {when}: from {low} ({ends[0]}) to {high} ({ends[1]})",
        f"{by} {when}: from {low} to {high} of the groups",
    )


def attrition_title(result: Result) -> str:
    """Say how many people met the inclusion criteria, of how many."""
    frame = result.estimates
    start, end = frame["n_persons"][0], frame["n_persons"][-1]
    if not end:
        return "Too few people met the inclusion criteria for anything to be shown"
    if frame.height == 1 or not start:
        return f"About {roughly(end)} people met the inclusion criteria"
    return f"About {roughly(end)} of {roughly(start)} people met the inclusion criteria"
