"""Of two populations the one among the other: which differences of their counts tell how few the others are."""

from __future__ import annotations

from collections.abc import Sequence

from symphony_research.disclosure.comparison import comparison_of, of_own_people, tells
from symphony_research.disclosure.differences import telling_of, to_be_suppressed
from symphony_research.disclosure.outputs import CellBounds, ReleasedOutput
from symphony_research.disclosure.targets import cost_of
from symphony_research.result.cells import CellDefinition, Stratum

__all__ = ["may_be_nested", "of_one_study", "shown_counts", "telling_beside", "telling_by_all", "telling_differences"]

_Shown = tuple[ReleasedOutput, dict[CellDefinition, CellBounds]]


def may_be_nested(inner: ReleasedOutput, outer: ReleasedOutput) -> bool:
    """Whether it cannot be excluded that the people of one output are all among those of another."""
    return inner.population.may_be_nested_in(outer.population)


def of_one_study(one: ReleasedOutput, other: ReleasedOutput) -> bool:
    """Whether two outputs may be of the same people: studies of different names are taken to be of others."""
    return one.study is None or other.study is None or one.study == other.study


def shown_counts(one: ReleasedOutput) -> dict[CellDefinition, CellBounds]:
    """Return the counts that an output shows, by whom they count."""
    return {cell.of: cell for cell in one.cells if not cell.suppressed and not cell.of.isolated}


def telling_differences(inner: ReleasedOutput, outer: ReleasedOutput) -> frozenset[CellDefinition]:
    """Return the counts of two outputs, each shown in both, of which the difference tells too much; without the predicates.

    Empty where the people of the one are surely not among those of the other.
    """
    return _telling((inner, _of_own_population(inner)), (outer, _of_own_population(outer)))


def _telling(one: _Shown, other: _Shown) -> frozenset[CellDefinition]:
    """Return `telling_differences`, what each output shows of its own people being known."""
    (inner, own), (outer, others) = one, other
    if not may_be_nested(inner, outer):
        return frozenset()
    same_event = inner.population.event == outer.population.event
    return frozenset(
        of
        for of in own.keys() & others.keys()
        if (same_event or not of.state)
        and tells(others[of].low - own[of].high, others[of].high - own[of].low, outer.policy)
    )


def telling_by_all(inner: Sequence[ReleasedOutput], outer: Sequence[ReleasedOutput]) -> frozenset[CellDefinition]:
    """Return the counts of which everything together tells that few are in the outer population alone; without the predicates."""
    comparison = comparison_of(inner, outer)
    return frozenset() if comparison is None else frozenset(one.of for one in telling_of(comparison) if one.of)


def telling_beside(own: Sequence[ReleasedOutput], other: Sequence[ReleasedOutput]) -> frozenset[CellDefinition]:
    """Return the counts of outputs that are to be suppressed, so that no difference from outputs released before tells anything.

    Parameters
    ----------
    own : sequence of ReleasedOutput
        Drafts of one population.
    other : sequence of ReleasedOutput
        What was released of others, of the same records or of an earlier extract.

    Notes
    -----
    Each count is compared with the same one, then all of them together: parts of a whole that each differ by up to four, and
    the whole too, differ by less; and a suppressed count of the one is no more than what is shown of the other. Groups that
    were released one by one, as hubs are, are compared together with what they are part of. The cheapest counts by which
    everything keeps enough numbers are suppressed. Of another extract that holds as far as no record was revised, which
    whoever attacks may take for granted; where the counts contradict that, it tells nothing.
    """
    found: set[CellDefinition] = set()
    released_before = [(before, _of_own_population(before)) for before in other]
    for one in own:
        shown = one, _of_own_population(one)
        for earlier in released_before:
            if _of_same_people(one, earlier[0]):
                continue
            few = _telling(shown, earlier) | _telling(earlier, shown)
            found |= {cell.of for of, cell in shown[1].items() if of in few}
    wholes: dict[str, list[ReleasedOutput]] = {}
    for before in other:
        wholes.setdefault(repr(before.people), []).append(before)
    for released in wholes.values():
        for drafts in _by_predicates(own):
            others = [one for one in released if not _of_same_people(one, drafts[0])]
            left = [one.without(found) for one in drafts]
            inner = [one for one in others if may_be_nested(one, drafts[0])]
            found |= _beside_all(left, inner, left) if inner else set()
            for outer in _by_predicates([one for one in others if may_be_nested(drafts[0], one)]):
                left = [one.without(found) for one in drafts]
                found |= _beside_all(left, [*left, *_siblings(drafts[0], outer[0], other)], outer)
    return frozenset(found)


def _siblings(draft: ReleasedOutput, outer: ReleasedOutput, other: Sequence[ReleasedOutput]) -> list[ReleasedOutput]:
    """Return what was released of other groups of a draft's people, which another population has too."""
    if draft.people == outer.people:
        return []
    return [
        one
        for one in other
        if one.people == draft.people and one.predicates != draft.predicates and may_be_nested(one, outer)
    ]


def _beside_all(
    drafts: Sequence[ReleasedOutput], inner: Sequence[ReleasedOutput], outer: Sequence[ReleasedOutput]
) -> set[CellDefinition]:
    """Return the counts of drafts, which are one of two populations or part of it, that are to be suppressed beside all others."""
    comparison = comparison_of(inner, outer)
    if comparison is None:
        return set()
    own_is_inner = outer is not drafts
    places = [
        (at, cell, one.policy["threshold"] + 1.0)
        for one in drafts
        for cell in one.cells
        if (at := comparison.place(one, cell.of, inner=own_is_inner)) is not None
    ]
    shown = {at: (cell, above) for at, cell, above in places if cell.shown and not cell.of.isolated}
    prices = {at: (cost_of(cell), above) for at, (cell, above) in shown.items()}
    chosen = to_be_suppressed(comparison, prices, {at for at, _, _ in places})
    return {shown[at][0].of for at in chosen}


def _of_same_people(one: ReleasedOutput, other: ReleasedOutput) -> bool:
    return (one.people, one.predicates) == (other.people, other.predicates)


def _by_predicates(own: Sequence[ReleasedOutput]) -> list[list[ReleasedOutput]]:
    parts: dict[Stratum, list[ReleasedOutput]] = {}
    for one in own:
        parts.setdefault(one.predicates, []).append(one)
    return list(parts.values())


def _of_own_population(one: ReleasedOutput) -> dict[CellDefinition, CellBounds]:
    """Return what is shown by who is counted of the output's own people."""
    return {of_own_people(one, of): cell for of, cell in shown_counts(one).items()}
