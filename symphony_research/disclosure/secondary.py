"""Choose cells for secondary suppression, until each suppressed count keeps enough possible numbers.

Whoever attacks is given which suppressed counts are small ones, all that is
shown, every relation, and this algorithm. Where a suppressed count keeps too few
possible numbers, the shown counts that pin it down are found by the cheapest
relaxation of their bounds (an elastic programme) and suppressed, by their
released sizes alone. A block that is not decided within its limit is withheld.
Last, what need not be suppressed beside all the others is shown again.

References
----------
Hundepool, A. et al. (2012). Statistical Disclosure Control, chapter 4. Wiley.
Fischetti, M. and Salazar, J. J. (2001). Solving the cell suppression problem on
tabular data with linear constraints. Management Science 47, 1008-1027.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.decomposition import TOLERANCE, Block, blocks_of
from symphony_research.disclosure.elastic import Elastic
from symphony_research.disclosure.outputs import UNBOUNDED, ReleasedOutput
from symphony_research.disclosure.programme import UndecidedError
from symphony_research.disclosure.relations import related
from symphony_research.disclosure.search import MOST_WORK as MOST_OF_BLOCK
from symphony_research.disclosure.search import NEAR, InferableCell, Search, Target
from symphony_research.disclosure.system import System, bounds_of, system_of
from symphony_research.disclosure.targets import aims_of, cost_of, targets_of
from symphony_research.disclosure.triples import triples_of, with_triples
from symphony_research.policy import Policy
from symphony_research.result.cells import CellDefinition

__all__ = ["MOST_WORK", "Protection", "inferable_cells", "protect"]

Array = NDArray[np.float64]
MOST_ROUNDS = 200  # of searching and suppressing
LARGEST_BLOCK = 60_000  # unknowns: one larger is withheld without being searched
# as `Programme.work`: of one population, whatever has to be asked again; and of that, to ask what can be shown again
MOST_WORK = 2_000_000_000
MOST_TO_RESTORE = 100_000_000


@dataclass(frozen=True)
class Protection:
    """What secondary suppression does.

    Attributes
    ----------
    secondary : frozenset of CellDefinition
        Cells to be suppressed in addition, wherever they stand.
    withheld : frozenset of CellDefinition
        Cells of blocks that were not decided within the limit: withheld altogether.
    inferable : frozenset of CellDefinition
        Suppressed cells that earlier outputs narrow down already, whatever is suppressed here.
    method : str
        "integers", "bounds", or "" where nothing is suppressed.
    work : int
        What was spent on it, as `Programme.work`.
    """

    secondary: frozenset[CellDefinition] = field(default_factory=frozenset)
    withheld: frozenset[CellDefinition] = field(default_factory=frozenset)
    inferable: frozenset[CellDefinition] = field(default_factory=frozenset)
    method: str = ""
    work: int = 0


def protect(
    own: Sequence[ReleasedOutput],
    policy: Policy,
    earlier: Sequence[ReleasedOutput] = (),
    forced: frozenset[CellDefinition] = frozenset(),
    most_work: int = MOST_WORK,
) -> Protection:
    """Return which cells are to be suppressed in addition, or withheld.

    Parameters
    ----------
    own : sequence of ReleasedOutput
        Results of one population that are released together, their small counts suppressed.
    policy : Policy
    earlier : sequence of ReleasedOutput
        What is published of the same population already: it is not changed.
    forced : frozenset of CellDefinition
        Cells that are suppressed whatever they tell here, because of what is published of other populations.
    most_work : int
        What may be spent on it, as `Programme.work`; what is not decided then is withheld.
    """
    own, earlier = sorted(own, key=_by_content), sorted(earlier, key=_by_content)
    every = [*own, *earlier]
    if policy.level == "rule_text" or not (forced or any(cell.suppressed for one in every for cell in one.cells)):
        return Protection(secondary=forced)
    selection = _Selection(system_of(every), own, earlier, policy, most_work)
    found = selection.protection(forced)
    return replace(found, secondary=found.secondary | forced, work=selection.work)


def _by_content(one: ReleasedOutput) -> tuple[object, ...]:
    """Order outputs by what they tell, so that the order in which they are given changes nothing."""
    cells = tuple((cell.of, cell.suppressed, cell.shown or 0) for cell in one.cells)
    return one.family, one.by, one.predicates, len(cells), cells


def inferable_cells(published: Sequence[ReleasedOutput], policy: Policy) -> frozenset[CellDefinition]:
    """Return the suppressed cells of which several outputs together leave too few possible numbers."""
    if not any(cell.suppressed for one in published for cell in one.cells):
        return frozenset()
    selection = _Selection(system_of(published), (), published, policy)
    return frozenset(selection.system.cells[one.unknown] for _, found, _ in selection.search() for one in found)


class _Selection:
    """One population's outputs, and what has been found of them so far."""

    def __init__(
        self,
        system: System,
        own: Sequence[ReleasedOutput],
        earlier: Sequence[ReleasedOutput],
        policy: Policy,
        most_work: int = MOST_WORK,
    ) -> None:
        self.system, self.policy = system, policy
        self.most_work, self.work = most_work, 0
        is_related = related([*own, *earlier])
        cells = [cell for one in (*own, *earlier) for cell in one.cells if is_related(cell.of)]
        self.lower, self.upper = bounds_of(system, cells)
        self.targets = targets_of(system, cells, policy)
        for rest in system.rests:
            at = system.index[rest.of]
            self.upper[at] = min(self.upper[at], self.targets[at].high)
        fixed = {cell.of for one in earlier for cell in one.cells if not cell.suppressed}
        self.open = {
            system.index[cell.of]: cost_of(cell)
            for one in own
            for cell in one.cells
            if not cell.suppressed and is_related(cell.of) and cell.shown and cell.of not in fixed
        }
        self.triples = triples_of(system)
        self.proven: set[int] = set()
        self.secondary: set[int] = set()
        self.before: dict[int, tuple[float, float, float]] = {}  # of what was shown: its bounds and its cost
        self.withheld: set[int] = set()
        self.inferable: set[int] = set()
        self.coarser = False  # whether the last search withheld anything

    def protection(self, forced: frozenset[CellDefinition] = frozenset()) -> Protection:
        for of in forced:
            if (at := self.system.index.get(of)) in self.open:
                self._suppress(at)
        rounds, found = 0, list(self.search())
        # a block that was withheld is searched again: its small counts have marks still, beside what is shown of the whole
        while found or self.coarser:
            for block, narrowed, whole in found:
                if rounds < MOST_ROUNDS:
                    self._repair(block, narrowed, whole)
                else:
                    self._withhold_block(block)
            rounds += 1
            found = list(self.search())
        self._restore()
        cells = self.system.cells
        return Protection(
            frozenset(cells[k] for k in self.secondary),
            frozenset(cells[k] for k in self.withheld),
            frozenset(cells[k] for k in self.inferable),
            "integers" if self.system.integers else "bounds",
        )

    def search(self) -> Iterable[tuple[Block, list[InferableCell], list[Array]]]:
        """Return the blocks with suppressed counts that keep too few possible numbers, and solutions in integers that were seen."""
        self.coarser = False
        wanted = np.zeros(self.system.n_unknowns, bool)
        wanted[[k for k in self.targets if k not in self.proven]] = True
        if not wanted.any():
            return
        in_a_block: set[int] = set()
        for block in self._blocks(wanted):
            own = {
                at: self.targets[int(k)]
                for at, k in enumerate(block.unknowns)
                if int(k) in self.targets and int(k) not in self.proven
            }
            in_a_block |= {int(block.unknowns[at]) for at in own}
            if len(block.unknowns) > LARGEST_BLOCK:
                self._withhold_block(block)
                continue
            search, found = self._searched(block, self.lower[block.unknowns], self.upper[block.unknowns], own)
            if search.undecided:
                self._withhold_block(block)
                continue
            found = self._beyond_marks(block, own, found) if found else found
            few = {one.unknown for one in found}
            self.proven |= {int(block.unknowns[at]) for at in own if at not in few}
            if found:
                yield block, [replace(one, unknown=int(block.unknowns[one.unknown])) for one in found], search.whole
        # what no relation speaks of is as free as its own mark
        self.proven |= {int(k) for k in np.flatnonzero(wanted)} - in_a_block

    def _blocks(self, wanted: NDArray[np.bool_]) -> list[Block]:
        suppressed = np.zeros(self.system.n_unknowns, bool)
        suppressed[list(self.targets)] = True
        system = with_triples(self.system, self.triples, self.lower, self.upper, suppressed)
        return list(blocks_of(system, self.lower, self.upper, wanted))

    def _searched(
        self,
        block: Block,
        lower: Array,
        upper: Array,
        targets: Mapping[int, Target],
        *,
        exact: bool = False,
        most_work: int = MOST_OF_BLOCK,
    ) -> tuple[Search, list[InferableCell]]:
        """Return a search that was made within what may still be spent, and the counts that it found to keep too few numbers."""
        most = min(most_work, self.most_work - self.work)
        integers, first_atom = self.system.integers, len(self.system.cells)
        search = Search(block, lower, upper, targets, integers, first_atom, most, exact)
        found = search.inferable()
        self.work += search.work
        return search, found

    def _beyond_marks(
        self, block: Block, own: Mapping[int, Target], found: Sequence[InferableCell]
    ) -> list[InferableCell]:
        """Return the inferable counts that keep fewer numbers than the marks by themselves leave: no suppression cures those.

        Whoever is given which counts are small knows of every other one, shown or suppressed, that it is above the
        threshold; and that a zero is one.
        """
        marked = np.array([int(k) in self.targets for k in block.unknowns])
        low, high = self.lower[block.unknowns], self.upper[block.unknowns]
        lower = np.where(marked, low, np.minimum(low, self.policy.threshold + 1))
        upper = np.where(marked | (high <= 0), high, np.inf)
        search, few = self._searched(block, lower, upper, {one.unknown: own[one.unknown] for one in found}, exact=True)
        by_marks = {one.unknown: one for one in few}
        if search.undecided:
            return list(found)
        # how many numbers are left beside all, where that is to be compared with how many the marks leave
        asked = {one.unknown: own[one.unknown] for one in found if not one.exact and one.unknown in by_marks}
        if asked:
            low, high = self.lower[block.unknowns], self.upper[block.unknowns]
            search, few = self._searched(block, low, high, asked, exact=True)
            if search.undecided:
                return list(found)
            exactly = {one.unknown: one for one in few}
            found = [exactly.get(one.unknown, one) for one in found]
        beyond = []
        for one in found:
            at, marks = int(block.unknowns[one.unknown]), by_marks.get(one.unknown)
            if marks is not None:
                target = self.targets[at]
                self.targets[at] = replace(target, need=min(target.need, marks.at_most))
            if marks is None or one.many < marks.at_most:
                beyond.append(one)
        return beyond

    def _suppress(self, k: int) -> None:
        """Show a count no longer: it is above the threshold, and is to be protected itself."""
        self.before[k] = self.lower[k], self.upper[k], self.open.pop(k)
        self.lower[k], self.upper[k] = self.policy.threshold + 1, UNBOUNDED
        self.targets[k] = Target(self.lower[k], UNBOUNDED, self.policy.rounding)

    def _repair(self, block: Block, narrowed: Sequence[InferableCell], whole: Sequence[Array]) -> None:
        """Suppress what makes counts inferable, one after the other: curing one often cures others.

        By linear programmes; in integers only if those say that nothing need give, and only until something does.
        """
        before = len(self.secondary)
        for bases in ((), whole[: -NEAR - 1 : -1]) if whole else ((),):
            elastic = self._elastic(block, integers=bool(bases))
            for one in narrowed:
                try:
                    chosen = self._cheapest(block, one, elastic, bases) if self.work < self.most_work else None
                except UndecidedError:
                    chosen = None
                if chosen is None:
                    self._withhold_block(block)
                    return
                for k in chosen:
                    self.secondary.add(k)
                    self._suppress(k)
                if bases and chosen:
                    return
            if len(self.secondary) > before:
                return
        self._withhold_block(block)

    def _elastic(self, block: Block, *, integers: bool = False) -> tuple[Elastic, NDArray[np.int64]]:
        """Return the block with the bounds of its shown cells giving, and those cells."""
        places = np.array([at for at, k in enumerate(block.unknowns) if int(k) in self.open], int)
        first = len(self.system.cells) if integers else None
        # a suppressed count that is not small is above the threshold
        return Elastic(block, places, first_atom=first, lowest=self.policy.threshold + 1), block.unknowns[places]

    def _cheapest(
        self, block: Block, one: InferableCell, elastic: tuple[Elastic, NDArray[np.int64]], bases: Sequence[Array]
    ) -> list[int] | None:
        """Return the cheapest cells by which a count can be more numbers; None where nothing suppressed here can cure it.

        What pins a count down mostly stands beside it: relations near it are asked first, then all of the block.
        """
        aims = aims_of(one, self.targets[one.unknown], integers=bool(bases))
        chosen: list[int] | None = None
        near = block.near(one.unknown)
        for own, gives in ((block, elastic),) if bases else ((near, self._elastic(near)), (block, elastic)):
            options = [self._towards(own, one, aim, gives, bases) for aim in aims]
            possible = [option for option in options if option is not None]
            chosen = min(possible, key=lambda option: option[0])[1] if possible else None
            if chosen:
                return chosen
        return chosen

    def _towards(
        self,
        block: Block,
        one: InferableCell,
        aim: float,
        elastic: tuple[Elastic, NDArray[np.int64]],
        bases: Sequence[Array],
    ) -> tuple[float, list[int]] | None:
        """Return what gives where a count is to be a number, or if it cannot be, the nearest to it that it can."""
        values = [aim]
        if aim < one.low <= one.high:
            values = [float(value) for value in range(int(aim), int(np.ceil(one.low - TOLERANCE)))]
        elif one.low <= one.high < aim:
            values = [float(value) for value in range(int(aim), int(np.floor(one.high + TOLERANCE)), -1)]
        gives, cells = elastic
        at = int(np.flatnonzero(block.unknowns == one.unknown)[0])
        price = np.array([self.open.get(int(k), np.inf) if k != one.unknown else np.inf for k in cells])
        for value in values:
            lower, upper = self.lower[block.unknowns].copy(), self.upper[block.unknowns].copy()
            lower[at] = upper[at] = value
            spent = gives.work
            try:
                found = gives.cheapest(lower, upper, price, bases)
            finally:
                self.work += gives.work - spent
            if found is not None:
                cost, given = found
                return cost, [int(k) for k, far in zip(cells, given, strict=True) if far > TOLERANCE]
        return None

    def _restore(self) -> None:
        """Show again, the largest by released size first, what all suppressed counts keep enough possible numbers beside.

        What was suppressed later may protect what an earlier cell was suppressed for. By linear bounds alone.
        """
        wanted = np.zeros(self.system.n_unknowns, bool)
        wanted[list(self.secondary)] = not self.system.integers
        around = {int(k): block for block in self._blocks(wanted) for k in block.unknowns} if wanted.any() else {}
        before = self.work
        for k in sorted(self.secondary & around.keys(), key=lambda k: (-self.before[k][2], k)):
            block = around[k]
            if (
                self.work - before > MOST_TO_RESTORE
                or len(block.unknowns) > LARGEST_BLOCK
                or self.inferable & set(block.unknowns)
            ):
                continue
            lower, upper = self.lower.copy(), self.upper.copy()
            lower[k], upper[k], cost = self.before[k]
            for own in (block.near(k), block):  # most are needed by what stands beside them
                targets = {
                    at: self.targets[int(j)] for at, j in enumerate(own.unknowns) if j != k and int(j) in self.targets
                }
                most = MOST_TO_RESTORE + before - self.work
                search, few = self._searched(
                    own, lower[own.unknowns], upper[own.unknowns], targets, most_work=max(most, 0)
                )
                if few or search.undecided:
                    break
            else:
                self.lower, self.upper, self.open[k] = lower, upper, cost
                self.secondary.discard(k)
                del self.targets[k]

    def _withhold_block(self, block: Block) -> None:
        """Publish an undecided block coarser: without its strata, or where it has none, not at all."""
        there = [int(k) for k in block.unknowns if int(k) in self.open]
        in_strata = [k for k in there if self.system.cells[k].stratum]
        for k in in_strata or there:
            self.withheld.add(k)
            self._suppress(k)
        self.coarser |= bool(there)
        if not there:
            left = {int(k) for k in block.unknowns if int(k) in self.targets and int(k) not in self.proven}
            self.inferable |= left
            self.proven |= left
