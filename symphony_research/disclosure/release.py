"""The release record: of each output, which rule it passed, what was changed and why, for whoever checks outputs.

The record names no hidden row and tells of no star whether a small count or a
protecting one stands under it. What stands beside the report holds the released
counts alone, those behind its figures among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple
from typing import Any

from symphony_research.disclosure.gate import published_of
from symphony_research.disclosure.published import ANY, ASKED, Cell, Group, Published, Stratum
from symphony_research.errors import DisclosureError
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.wording import in_words

__all__ = ["FORMAT", "as_output", "for_release", "published_from", "said_of", "what_was_done"]

FORMAT = 2


def said_of(result: Result) -> dict[str, Any]:
    """Return what the record says of one disclosed result in words.

    Raises
    ------
    DisclosureError
        If it has not passed `suppress`.
    """
    done = result.disclosure
    if done is None:
        raise DisclosureError("A release record is of disclosed results. Use sr.suppress(result, policy) first.")
    return {
        "title": result.title,
        "family": type(result).__name__,
        "rule": done.policy.title,
        "population": {k: v for k, v in (result.settings.get("population") or {}).items() if v is not None},
        "of_whom": _of_whom(result.settings.get("population") or {}),
        "by": list(result.by),
        "method": result.settings.get("method"),
        "hidden": done.hidden,
        "further": done.further,
        "made_sure_by": done.method,
        "done": what_was_done(result),
        "look_at": _look_at(result),
    }


def as_output(result: Result) -> dict[str, Any]:
    """Return what the record says of one disclosed result, every count of it included."""
    told = said_of(result)
    if result.disclosure is not None and not result.disclosure.policy.changes_nothing:
        one = published_of(result)
        head = asdict(one)
        told["published"] = {
            **{k: head[k] for k in ("by", "policy", "population", "predicates", "study", "fingerprint", "conditions")},
            "cells": [[*cell.place, *astuple(cell.group), *_apart(cell), cell.shown] for cell in one.cells],
            "steps": [list(step) for step in one.steps],
            "followed": [list(row) for row in one.followed],
            "how": list(one.how),
            "ended": [list(stratum) for stratum in one.ended],
        }
    return told


def for_release(output: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of an output's record may stand beside the report: no hidden count is named in it."""
    # whether more was hidden, and not how much: rows that are not named would be counted
    kept = {**output, "further": bool(output["further"])}
    if "published" in kept:
        cells = [cell for cell in kept["published"]["cells"] if cell[-1] is not None]
        kept["published"] = {**kept["published"], "cells": cells, "ended": []}
    return kept


def published_from(output: Mapping[str, Any]) -> Published | None:
    """Return what a recorded output tells, to set it against others; None where nothing need be hidden."""
    told = output.get("published")
    if told is None:
        return None
    cells = []
    for table, row, column, kind, conditions, number, top, part, division, stratum, side, low, high, shown in told[
        "cells"
    ]:
        group = Group(kind, tuple(conditions), number, top, part, division, _stratum(stratum), side)
        from_what = shown or 0
        cells.append(Cell(table, row, column, group, from_what + low, ANY if high is None else from_what + high, shown))
    steps = tuple((_stratum(key), time, count) for key, time, count in told["steps"])
    followed = tuple((_stratum(key), time, count) for key, time, count in told["followed"])
    return Published(
        output["family"], output["title"], tuple(told["by"]), told["policy"], told["population"], _stratum(told["predicates"]), told["study"],
        told["fingerprint"], tuple(told["conditions"]), tuple(cells), steps, followed,
        tuple(told["how"]), tuple(_stratum(stratum) for stratum in told["ended"]),
    )  # fmt: skip


def what_was_done(result: Result) -> list[str]:
    """Say in words what disclosure control did to a result, and why."""
    done = result.disclosure
    if done is None:
        return []
    policy = done.policy
    if policy.changes_nothing:
        return ["Nothing: the data are generated, and describe no real person."]
    told = [_counts_in_words(policy)]
    if any(rule.cumulative for rule in result.counts.values()):
        told.append(
            "Running counts of the curve were rounded and the curve made again from them; it ends before few are left."
        )
    if done.further:
        told.append(
            "Further counts were hidden, because what is shown would have given hidden ones back; a star does not say which."
        )
    if done.ended:
        told.append(
            "Curves were ended early: beside others they would have told how few are followed in one that ended."
        )
    if done.exposed:
        told.append(
            "Earlier outputs leave too little room: beside them some hidden counts are narrowed down all the same."
        )
    if done.method == "rounding alone":
        told.append(
            "The table is too large to search what its counts tell together: every count is rounded, and that is all."
        )
    elif done.method.startswith(("whole", "bounds")):
        how = "in whole numbers" if done.method.startswith("whole") else "by linear bounds"
        told.append(f"What all counts tell together was searched {how}.")
    if "apart" in done.method:
        told.append("Other outputs contradict its counts, or are too many: it was searched apart from them.")
    if any(rule.measures for rule in result.counts.values()):
        n, share = policy.dominance
        told.append(
            f"Means were rounded, and hidden where {n} people might have {100 * share:g} % of the sum or more, or the others "
            f"less than {100 * policy.p_percent:g} % of the largest value."
        )
    told.append("Every other figure was made again from the counts that are left.")
    return told


def _counts_in_words(policy: Policy) -> str:
    what = "Noughts and counts" if policy.hide_zeros else "Counts"
    return f"{what} of 1 to {policy.threshold} people were hidden, and others rounded to the nearest {policy.rounding}."


def _of_whom(population: Mapping[str, Any]) -> list[str]:
    """Return the predicates and dates in words."""
    told = []
    for key, value in population.items():
        if value is None or key in ASKED or key in ("conditions", "on"):
            continue
        if key == "age":
            low, high = value
            value = f"{low or 0} and over" if high is None else f"{low or 0} to {high}"
        told.append(f"{in_words(key)}: {value}")
    return told


def _look_at(result: Result) -> list[str]:
    """Name what a rule does not decide: shares of nought and of everybody say something of each person."""
    frame = result.named if result.disclosure is not None else result.estimates
    told = []
    for column in result.percentages:
        if column not in frame.columns or column in ("lower", "upper"):
            continue
        ends = int(frame[column].is_in([0.0, 1.0]).sum())
        if ends:
            told.append(f"Shares of 0 or 100 %: {ends}. Such a share says the same of everybody in its group.")
    return told


def _apart(cell: Cell) -> tuple[float, float | None]:
    """Return how far below and above what is shown a count may be."""
    from_what = cell.shown or 0
    return cell.low - from_what, None if cell.high == ANY else cell.high - from_what


def _stratum(pairs: Sequence[Sequence[str]]) -> Stratum:
    return tuple((column, value) for column, value in pairs)
