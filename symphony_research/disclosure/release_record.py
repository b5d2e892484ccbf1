"""The release record: of each output, which rule it passed, what was changed and why, for the output checker.

What stands beside a report holds the released counts alone, those behind its
figures among them, in the order of whom they count: it names no suppressed row,
no place in a table, and does not tell small counts from those that protect them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from symphony_research.disclosure.outputs import NOWHERE, UNBOUNDED, CellBounds, ReleasedOutput, released_output
from symphony_research.errors import DisclosureError
from symphony_research.policy import Policy
from symphony_research.population import Population
from symphony_research.result import Result
from symphony_research.result.cells import CellDefinition, Covered, Nested, Partition, Relation, Same, Stratum
from symphony_research.result.roles import Adjustment, Mean, Quantile

__all__ = ["FORMAT", "as_output", "for_release", "output_from_record", "said_of", "what_was_done"]

FORMAT = 3


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
    population = Population.of(result.settings)
    return {
        "title": result.title,
        "family": type(result).__name__,
        "rule": done.policy.title,
        "level": done.policy.level,
        "population": population.as_mapping(),
        "of_whom": _of_whom(population),
        "by": list(result.by),
        "method": result.settings.get("method"),
        "reference": result.settings.get("reference"),
        "suppressed": done.suppressed,
        "made_sure_by": done.method,
        "done": what_was_done(result),
        "for_review": _for_review(result),
    }


def as_output(result: Result) -> dict[str, Any]:
    """Return what is recorded of one disclosed result: every count of it, and for the output checker how it was suppressed."""
    told = said_of(result)
    done = result.disclosure
    if done is not None and not done.policy.changes_nothing:
        told["for_output_checker"] = {
            "secondary": len(done.secondary),
            "withheld": len(done.withheld),
            "n_inferable": done.n_inferable,
        }
        told["published"] = _as_plain(released_output(result))
    return told


def for_release(output: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of an output's record may stand beside the report: no suppressed count is in it."""
    kept = {k: v for k, v in output.items() if k != "for_output_checker"}
    if "published" in kept:
        told = kept["published"]
        cells = [cell for cell in told["cells"] if cell[-3] is not None]
        shown = sorted({cell[1] for cell in cells})
        at = {old: new for new, old in enumerate(shown)}
        kept["published"] = {
            **told,
            "of": [told["of"][k] for k in shown],
            "cells": [[cell[0], at[cell[1]], *cell[2:-2], False, True] for cell in cells],
            "relations": [
                [
                    whole if whole is None else at[whole],
                    [at[k] for k in parts if k in at],
                    [at[k] for k in complete] if isinstance(complete, list) else complete and set(parts) <= set(at),
                ]
                for whole, parts, complete in told["relations"]
                if whole in at
                and ({*parts, *complete} <= set(at) if isinstance(complete, list) else set(parts) & set(at))
            ],
        }
    return kept


def _as_plain(one: ReleasedOutput) -> dict[str, Any]:
    """Return what an output tells as plain values: each definition once, and nothing of where a count stands."""
    of: dict[CellDefinition, int] = {}
    lists: dict[str, int] = {"": 0}
    for cell in sorted(one.cells, key=lambda cell: (cell.of, cell.table, cell.column)):
        of.setdefault(cell.of, len(of))
    relations = []
    for relation in one.relations:
        whole, parts, complete = _relation_as_plain(relation)
        twice = relation.twice if isinstance(relation, Covered) else ()
        for definition in (whole, *parts, *twice):
            of.setdefault(definition, len(of))
        how = [of[cell] for cell in twice] if isinstance(relation, Covered) else complete
        relations.append([of[whole], [of[part] for part in parts], how])
    for definition in of:
        lists.setdefault(definition.among, len(lists))
    plain = [[d.having, d.least, d.most, lists[d.among], d.state, d.stratum, d.side, d.isolated] for d in of]
    return {
        "by": list(one.by),
        "policy": dict(one.policy),
        "population": one.population.as_mapping(),
        "predicates": one.predicates,
        "study": one.study,
        "fingerprint": one.fingerprint,
        "lists": list(lists),
        "of": plain,
        "cells": sorted(
            ([cell.table, of[cell.of], *_offsets(cell), cell.shown, cell.primary, cell.named] for cell in one.cells),
            key=lambda cell: (cell[1], cell[0]),
        ),
        "relations": relations,
    }


def _relation_as_plain(relation: Relation) -> tuple[CellDefinition, tuple[CellDefinition, ...], bool | None]:
    """Return a whole, its parts, and whether they add up to it; None where the one part is the whole by another name."""
    if isinstance(relation, Partition):
        return relation.whole, relation.parts, relation.complete
    if isinstance(relation, Covered):  # in its place in the record stand those who are in several parts
        return relation.whole, relation.parts, False
    if isinstance(relation, Nested):
        return relation.outer, (relation.inner,), False
    return relation.one, (relation.other,), None


def output_from_record(output: Mapping[str, Any]) -> ReleasedOutput | None:
    """Return what a recorded output tells, to protect others beside it; None where nothing need be suppressed."""
    told = output.get("published")
    if told is None:
        return None
    of = [
        CellDefinition(tuple(having), least, most, told["lists"][among], _pairs(state), _pairs(stratum), side, apart)
        for having, least, most, among, state, stratum, side, apart in told["of"]
    ]
    cells = []
    for table, at, low, high, shown, primary, named in told["cells"]:
        from_what = shown or 0
        high = UNBOUNDED if high is None else from_what + high
        cells.append(CellBounds(table, NOWHERE, "", of[at], from_what + low, high, shown, primary, named))
    relations: Iterator[Relation] = (
        Same(of[whole], of[parts[0]])
        if complete is None
        else Covered(of[whole], tuple(of[k] for k in parts), tuple(of[k] for k in complete))
        if isinstance(complete, list)
        else Partition(of[whole], tuple(of[k] for k in parts), complete)
        for whole, parts, complete in told["relations"]
    )
    population = Population.read(told["population"])
    return ReleasedOutput(
        output["family"], output["title"], tuple(told["by"]), told["policy"], population, _pairs(told["predicates"]),
        told["study"], told["fingerprint"], tuple(cells), tuple(relations), tuple((population.divided or {}).items()),
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
    if policy.level != "rule_text":
        told.append(
            "Further counts were suppressed where those shown would have given suppressed ones away; a mark does not say which."
        )
    if done.method == "integers":
        told.append("What all counts tell together was searched in integers.")
    elif done.method == "bounds":
        told.append("What all counts tell together was searched by linear bounds.")
    if done.withheld:
        told.append(
            "Some tables were withheld: it was not decided within the limit of the search what their counts tell together."
        )
    if done.n_inferable:
        told.append(
            "Earlier outputs, or which counts are small, leave too little room: some suppressed counts remain inferable."
        )
    roles = [role for table in result.roles.values() for role in table.columns.values()]
    if any(isinstance(role, Mean) for role in roles):
        n, share = policy.dominance
        told.append(
            f"Means were rounded, and suppressed where {n} people might have {100 * share:g}% of the sum or more, or the others "
            f"less than {100 * policy.p_percent:g}% of the largest value."
        )
        told.append("Further means were suppressed where sums shown would have given a suppressed one away.")
    if any(isinstance(role, Adjustment) for role in roles):
        told.append(
            "Adjusted figures were shown to three, two or one significant figures, or suppressed, by what they tell of "
            "the counts by stratum behind them."
        )
    if any(isinstance(role, Quantile) for role in roles):
        told.append(f"Medians were rounded, and suppressed unless over {policy.threshold} people are on each side.")
    told.append("Every other figure was computed again from the counts that are left.")
    return told


def _counts_in_words(policy: Policy) -> str:
    what = "Zeros and counts" if policy.hide_zeros else "Counts"
    return f"{what} of 1 to {policy.threshold} people were suppressed, and others rounded to the nearest {policy.rounding}."


def _of_whom(population: Population) -> list[str]:
    """Return the predicates and dates in words, of each of two groups."""
    groups = population.groups or {"": population}
    return [
        f"{group}: {name}: {words}" if group else f"{name}: {words}"
        for group, one in groups.items()
        for name, words in one.described().items()
    ]


def _for_review(result: Result) -> list[str]:
    """Name what a rule does not decide: shares of zero and of everybody say something of each person."""
    frame = result.named if result.disclosure is not None else result.estimates
    told = []
    for column in result.percentages:
        if column not in frame.columns or column in ("lower", "upper"):
            continue
        ends = int(frame[column].is_in([0.0, 1.0]).sum())
        if ends:
            told.append(f"Shares of 0% or 100%: {ends}. Such a share says the same of everybody in its group.")
    return told


def _offsets(cell: CellBounds) -> tuple[float, float | None]:
    """Return how far below and above what is shown a count may be."""
    from_what = cell.shown or 0
    return cell.low - from_what, None if cell.high == UNBOUNDED else cell.high - from_what


def _pairs(pairs: Sequence[Sequence[str]]) -> Stratum:
    return tuple((name, value) for name, value in pairs)
