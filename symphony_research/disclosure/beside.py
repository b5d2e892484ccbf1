"""Protect results beside earlier releases, and withhold whole what those leave no room for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from symphony_research.disclosure.nested_populations import of_one_study, shown_counts, telling_beside
from symphony_research.disclosure.outputs import ReleasedOutput, whose
from symphony_research.disclosure.secondary import MOST_WORK, Protection, protect
from symphony_research.policy import Policy
from symphony_research.result.cells import CellDefinition

__all__ = ["protect_or_withhold"]

MOST_ONE_BY_ONE = 2  # results that are withheld one after the other, each time searching what is left


def protect_or_withhold(
    own: Mapping[int, ReleasedOutput],
    policy: Policy,
    earlier: Sequence[ReleasedOutput] = (),
) -> tuple[dict[int, ReleasedOutput], Protection]:
    """Protect results of one population beside earlier releases; return those that are released, and what is suppressed of them.

    Counts of the same records are one system, and what was suppressed in it stays so. What was released of others is looked at
    again once counts are suppressed, beside what is then left, until nothing tells: what contradicted itself before may tell then.
    """
    whom = next(iter(own.values()))
    of_study = [one for one in earlier if of_one_study(one, whom)]
    same = [one for one in of_study if whose(one) == whose(whom)]
    forced = telling_beside(list(own.values()), of_study) | _suppressed_before(own.values(), same)
    while True:
        kept, found = _with_room(own, policy, same, forced)
        left = [one.without(found.secondary | found.withheld) for one in kept.values()]
        more = telling_beside(left, of_study) if left else frozenset()
        if not more:
            return kept, found
        forced |= more


def _suppressed_before(own: Iterable[ReleasedOutput], same: Sequence[ReleasedOutput]) -> frozenset[CellDefinition]:
    """Return the counts that earlier outputs of the same records suppressed, and none showed: shown now, they would undo that."""
    suppressed = {cell.of for one in same for cell in one.cells if cell.suppressed}
    shown = {of for one in same for of in shown_counts(one)}
    return frozenset(of for one in own for of in shown_counts(one) if of in suppressed and of not in shown)


def _with_room(
    own: Mapping[int, ReleasedOutput],
    policy: Policy,
    earlier: Sequence[ReleasedOutput],
    forced: frozenset[CellDefinition],
) -> tuple[dict[int, ReleasedOutput], Protection]:
    """Protect results beside earlier ones of the same records, without those that leave no room.

    A result by whose marks alone earlier releases would disclose a small count is withheld whole: of those that hold such
    counts, or if none does of all, the one that shows least; and after a few, all of them. Once the limit of work is reached
    nothing more is asked: what is left is withheld.
    """
    kept, left = dict(own), MOST_WORK
    while True:
        found = protect(list(kept.values()), policy, earlier, forced, left)
        left -= found.work
        small = {cell.of for one in (*kept.values(), *earlier) for cell in one.cells if cell.primary} & found.inferable
        if not (small and earlier and kept):
            return kept, found
        holding = {at: one for at, one in kept.items() if any(cell.of in small for cell in one.cells)} or kept
        if left <= 0:
            kept.clear()
            continue
        least = sorted(holding, key=lambda at: (sum(not cell.suppressed for cell in holding[at].cells), at))
        for at in least[: 1 if len(own) - len(kept) < MOST_ONE_BY_ONE else None]:
            del kept[at]
