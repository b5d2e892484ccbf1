"""Choose to how many significant figures an adjusted figure may be shown: 3, 2, 1, or not at all.

A figure that is summed over strata is linear in the counts by stratum of each
cell behind it, all others given. Whoever attacks is given those others, the
people of every stratum, every released count, and to how many figures each
figure is shown. Each suppressed count of a stratum must keep as many possible
numbers beside all figures as the policy's level asks; else all figures that rest
on the cell are shown more coarsely.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.disclosure.decomposition import TOLERANCE, Block
from symphony_research.disclosure.outputs import UNBOUNDED, Position, ReleasedOutput, interval_of, widening
from symphony_research.disclosure.search import Search, Target
from symphony_research.disclosure.secondary import Protection
from symphony_research.inference.figures import FINEST, ends_of_figure, to_figures
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.cells import CellDefinition
from symphony_research.result.forms import AdjustedForms
from symphony_research.result.roles import Adjustment, TableRoles

__all__ = ["bounds_of_counts", "levels_of_figures", "show_figures", "with_adjusted"]

Array = NDArray[np.float64]
Bound = tuple[float, float, int]
Bounds = Mapping[CellDefinition, Bound]
SHOWN, SMALL, OTHER = range(3)  # a count that is shown; suppressed since it is small; for another reason
OF_OTHERS = 2  # of figures that are not linear in counts
MOST_TRIED = 200_000  # arrangements of a cell's people over strata that are gone through one by one
FEW_STRATA = 12  # with which ranges must have a number to spare
Level = tuple[int, bool]
Figure = tuple[int, Position]  # which result of those released together, and where in it


def bounds_of_counts(
    own: Sequence[ReleasedOutput], earlier: Sequence[ReleasedOutput], found: Protection
) -> dict[CellDefinition, Bound]:
    """Return what is released of every count once those that protect others are suppressed."""
    bounds: dict[CellDefinition, Bound] = {}
    for one in (*own, *earlier):
        for cell in one.cells:
            low, high, state = cell.low, cell.high, SHOWN if not cell.suppressed else SMALL if cell.primary else OTHER
            if cell.of in found.secondary or cell.of in found.withheld:
                low, high, state = one.policy["threshold"] + 1.0, UNBOUNDED, OTHER
            before = bounds.get(cell.of, (low, high, state))
            bounds[cell.of] = max(low, before[0]), min(high, before[1]), min(state, before[2])
    return bounds


def with_adjusted(
    released: Mapping[int, tuple[Result, Mapping[str, pl.DataFrame], Mapping[str, pl.DataFrame]]],
    bounds: Bounds,
    policy: Policy,
) -> dict[int, dict[str, pl.DataFrame]]:
    """Return the tables of results that are released together, each adjusted figure as finely as the strata behind it allow.

    Parameters
    ----------
    released : mapping
        Of each result by its number: the result, its exact tables, and those with counts suppressed and rounded.
    bounds : mapping
        Of `bounds_of_counts`.
    policy : Policy
    """
    forms, values = [], {}
    for number, (result, exact, tables) in released.items():
        inside = {**result.count_tables, **exact}
        widen = widening(result.settings)
        for one in result.adjusted_forms(inside, result.settings, result.by):
            forms.append((number, replace(one, whole=widen(one.whole), cells=tuple(map(widen, one.cells)))))
        values[number] = {
            (name, column): np.where(
                table[column].is_not_null().to_numpy(),
                exact[name][column].cast(pl.Float64).fill_null(np.nan).to_numpy(),
                np.nan,
            )
            for name, table in tables.items()
            for column in result.roles[name].of_role(Adjustment)
            if column in table.columns
        }
    levels = levels_of_figures(forms, values, bounds, policy)
    return {
        number: show_figures(
            tables, exact, result.roles, {place: level for (n, place), level in levels.items() if n == number}
        )
        for number, (result, exact, tables) in released.items()
    }


@dataclass
class _Subject:
    """One cell whose people by stratum are unknown, with every figure that rests on them."""

    whole: CellDefinition
    forms: list[tuple[int, AdjustedForms]] = field(default_factory=list)


def levels_of_figures(
    forms: Iterable[tuple[int, AdjustedForms]],
    values: Mapping[int, Mapping[tuple[str, str], Array]],
    bounds: Bounds,
    policy: Policy,
) -> dict[Figure, Level]:
    """Return to how many significant figures each figure may be shown, 0 for not at all, and whether a count behind it is small.

    Parameters
    ----------
    forms : iterable of (result, AdjustedForms)
        Of all results that are released together, by the number of the result.
    values : mapping
        Of each result, by table and column, the exact figures; NaN where none is shown in any case.
    bounds : mapping of CellDefinition to (low, high, state)
        What is released of counts: between which numbers each lies, and whether it is shown.
    policy : Policy
    """
    subjects: dict[CellDefinition, _Subject] = {}
    for number, one in forms:
        subjects.setdefault(one.whole, _Subject(one.whole)).forms.append((number, one))
    found: dict[Figure, Level] = {}
    for subject in subjects.values():
        level, few = _level_of(subject, values, bounds, policy)
        for number, one in subject.forms:
            own = level if one.ratios is not None else min(level, OF_OTHERS - few)
            for place in one.figures:
                figure = (number, place)
                before = found.get(figure, (FINEST, False))
                found[figure] = min(before[0], own), before[1] or few
    return found


def _level_of(
    subject: _Subject, values: Mapping[int, Mapping[tuple[str, str], Array]], bounds: Bounds, policy: Policy
) -> tuple[int, bool]:
    """Return the finest level at which all suppressed counts of a cell's strata keep enough possible numbers, and whether there are any."""
    counts: dict[CellDefinition, tuple[int, int]] = {}
    for _, one in subject.forms:
        counts |= dict(zip(one.cells, zip(one.counts.tolist(), one.people.tolist(), strict=True), strict=True))
    lower, upper, targets = _unknowns(counts, bounds, policy)
    if not targets or policy.level == "rule_text":
        return FINEST, bool(targets)
    known = _Known(subject, list(counts), bounds, policy)
    shown = known.shown_figures(values)
    if not len(shown[0]):
        return FINEST, True
    worlds = [_World(known, lower, upper, dict(targets))]
    by_counts = worlds[0].possible(known.partitions, targets)
    if any(by_counts[t] < target.need for t, target in targets.items()):
        # counts by stratum that narrow one another are not all shown: as they would be with secondary suppression too
        free = [k for k, cell in enumerate(counts) if cell not in bounds and lower[k] > policy.threshold]
        worlds[0].targets.update(
            {t: Target(one.low, one.high, min(one.need, by_counts[t])) for t, one in targets.items()}
        )
        wider = upper.copy()
        wider[free] = [list(counts.values())[k][1] for k in free]
        below = lower.copy()
        below[free] = policy.threshold + 1
        other = _World(known, below, wider, dict(targets))
        by_counts = other.possible(known.partitions, targets)
        other.targets.update({t: Target(one.low, one.high, min(one.need, by_counts[t])) for t, one in targets.items()})
        worlds.append(other)
    for level in range(FINEST, 0, -1):
        block = known.block(*shown, level)
        if all(world.keeps(block) for world in worlds):
            return level, True
    return 0, True


def _unknowns(
    counts: Mapping[CellDefinition, tuple[int, int]], bounds: Bounds, policy: Policy
) -> tuple[Array, Array, dict[int, Target]]:
    """Return the bounds of each count, and how many numbers each suppressed one must keep possible.

    A count that is not released is taken as suppressed or rounded by the rule.
    """
    lower, upper = np.zeros(len(counts)), np.zeros(len(counts))
    targets = {}
    for k, (cell, (count, people)) in enumerate(counts.items()):
        hidden = policy.shown(count) is None
        if cell in bounds:
            low, high, state = bounds[cell]
            hidden = state == SMALL or (state == OTHER and low > 0)
        else:
            low, high = interval_of(policy, policy.shown(count))
        lower[k], upper[k] = low, min(high, people)
        if hidden and upper[k] > low:
            values = int(min(high, low + 1_000)) - int(low) + 1
            strict = policy.level == "strict" and high <= policy.threshold
            need = values if strict else min(policy.rounding, values)
            targets[k] = Target(low, high, need)
    return lower, upper, targets


class _Known:
    """What whoever attacks knows of one cell's people by stratum: what they add up to, and the figures."""

    def __init__(self, subject: _Subject, cells: Sequence[CellDefinition], bounds: Bounds, policy: Policy) -> None:
        self.subject, self.cells = subject, list(cells)
        self.at = {cell: k for k, cell in enumerate(self.cells)}
        rows, low, high = [], [], []
        divided: dict[frozenset[str], list[int]] = {}
        for cell, k in self.at.items():
            divided.setdefault(frozenset(name for name, _ in cell.stratum), []).append(k)
        least, most = _whole_bounds(subject, bounds, policy)
        for places in divided.values():
            row = np.zeros(len(self.cells))
            row[places] = 1.0
            rows.append(row)
            low.append(least)
            high.append(most)
        for coarse in divided:
            for fine in divided:
                if coarse < fine:
                    for k in divided[coarse]:
                        row = np.zeros(len(self.cells))
                        inside = set(self.cells[k].stratum)
                        row[[j for j in divided[fine] if inside <= set(self.cells[j].stratum)]] = 1.0
                        row[k] = -1.0
                        rows.append(row)
                        low.append(0.0)
                        high.append(0.0)
        self.partitions = self._made(np.array(rows), np.array(low), np.array(high))

    def _made(self, matrix: Array, low: Array, high: Array) -> Block:
        from scipy.sparse import csr_matrix

        return Block(np.arange(len(self.cells)), csr_matrix(matrix), low, high)

    def shown_figures(self, values: Mapping[int, Mapping[tuple[str, str], Array]]) -> tuple[Array, Array, Array]:
        """Return the figures that are shown, with numerators and denominators over all unknowns, the constants last."""
        figures: list[Array] = []
        tops: list[Array] = []
        bottoms: list[Array] = []
        for number, one in self.subject.forms:
            if one.ratios is None or not one.figures:
                continue
            table, _, column = one.figures[0]
            exact = values[number][table, column][[row for _, row, _ in one.figures]]
            there = np.flatnonzero(~np.isnan(exact))
            if not len(there):
                continue
            made = one.ratios()
            places = [self.at[cell] for cell in one.cells]
            for constant, coefficients, target in (
                (made.top_constant, made.top, tops),
                (made.bottom_constant, made.bottom, bottoms),
            ):
                full = np.zeros((len(there), len(self.cells) + 1))
                full[:, places] = coefficients[there]
                full[:, -1] = constant[there]
                target.append(full)
            figures.append(exact[there])
        if not figures:
            return np.zeros(0), np.zeros((0, 0)), np.zeros((0, 0))
        return np.concatenate(figures), np.vstack(tops), np.vstack(bottoms)

    def block(self, figures: Array, top: Array, bottom: Array, level: int) -> Block:
        """Return everything known where figures are shown at a level: each lies between two ends."""
        low, high = ends_of_figure(to_figures(figures, level), level)
        rows = np.vstack([top - low[:, None] * bottom, high[:, None] * bottom - top])
        rows = np.unique(rows / np.maximum(np.abs(rows[:, :-1]).max(axis=1, keepdims=True), 1e-300), axis=0)
        least = -rows[:, -1] - TOLERANCE * 1e-3
        before = self.partitions
        return self._made(
            np.vstack([before.matrix.toarray(), rows[:, :-1]]),
            np.concatenate([before.low, least]),
            np.concatenate([before.high, np.full(len(rows), np.inf)]),
        )


def _whole_bounds(subject: _Subject, bounds: Bounds, policy: Policy) -> tuple[float, float]:
    if subject.whole in bounds:
        return bounds[subject.whole][:2]
    one = subject.forms[0][1]
    return interval_of(policy, policy.shown(int(one.counts.sum())))


@dataclass
class _World:
    """Bounds of the unknowns, and what must be kept."""

    known: _Known
    lower: Array
    upper: Array
    targets: dict[int, Target]
    failed: list[int] = field(default_factory=list)

    def keeps(self, block: Block) -> bool:
        """Whether every suppressed count keeps enough possible numbers; those that did not at a finer level come first."""
        for targets in ({t: self.targets[t] for t in self.failed}, self.targets):
            found = self.possible(block, targets)
            self.failed = [t for t, one in targets.items() if found[t] < one.need]
            if self.failed:
                return False
        return True

    def possible(self, block: Block, targets: Mapping[int, Target]) -> dict[int, int]:
        """Return how many numbers each suppressed count may be; no more than it needs are looked for."""
        if not targets:
            return {}
        block = block.speaking(self.lower, self.upper)
        sizes = self.upper - self.lower + 1
        if np.prod(np.minimum(sizes, 1e3)) <= MOST_TRIED:
            return self._tried(block, sizes.astype(int), targets)
        need = {t: one.need for t, one in targets.items()}
        if not block.matrix.shape[0]:
            return need
        # in integers a range may have holes: with few strata it must have a number to spare
        spare = int((sizes > 1).sum() <= FEW_STRATA)
        wanted = {t: replace(one, need=min(one.need + spare, one.room)) for t, one in targets.items()}
        search = Search(block, self.lower, self.upper, wanted, exact=True)
        for one in search.inferable():
            need[one.unknown] = min(one.many, need[one.unknown] - spare)
        return need if not search.undecided else dict.fromkeys(need, 0)

    def _tried(self, block: Block, sizes: NDArray[np.int64], targets: Mapping[int, Target]) -> dict[int, int]:
        free = np.flatnonzero(sizes > 1)
        x = np.stack(
            [grid.ravel() for grid in np.meshgrid(*[np.arange(sizes[k]) for k in free], indexing="ij")], axis=1
        )
        matrix = block.matrix.toarray()
        fixed = matrix @ self.lower
        for row, low, high in zip(matrix[:, free], block.low - fixed, block.high - fixed, strict=True):
            sums = x @ row
            x = x[(sums >= low - TOLERANCE) & (sums <= high + TOLERANCE)]
        at = {int(k): column for column, k in enumerate(free)}
        return {t: len(np.unique(x[:, at[t]])) for t in targets}


def show_figures(
    tables: Mapping[str, pl.DataFrame],
    exact: Mapping[str, pl.DataFrame],
    roles: Mapping[str, TableRoles],
    levels: Mapping[Position, Level],
) -> dict[str, pl.DataFrame]:
    """Return tables with each adjusted figure to as many significant figures as it may have.

    A figure that no form is declared of has two at most; one that is not linear has
    one fewer than those it stands beside, and is not shown where it tells too much of small counts.
    """
    made = dict(tables)
    for name, table in tables.items():
        own = {
            c: role for c, role in roles[name].columns.items() if isinstance(role, Adjustment) and c in table.columns
        }
        if not own:
            continue
        level, few = {}, {}
        for column in [c for c, role in own.items() if not role.beside]:
            # a released table tells its figures itself
            told = (
                table[own[column].told].to_list() if own[column].told in table.columns else [OF_OTHERS] * table.height
            )
            of = [levels.get((name, row, column), (told[row], False)) for row in range(table.height)]
            level[column], few[column] = np.array(of, int).reshape(-1, 2).T
        columns = []
        for column, role in own.items():
            figures = level.get(column)
            if figures is None:
                figures = np.maximum(np.minimum.reduce([level[c] for c in role.beside]) - 1, 0)
                if role.of_few:
                    figures = np.where(np.logical_or.reduce([few[c] for c in role.beside]), 0, figures)
            there = table[column].is_not_null().to_numpy()
            values = exact[name][column].cast(pl.Float64).fill_null(np.nan).to_numpy()
            shown = to_figures(values, figures, upwards=role.upwards)
            columns.append(pl.Series(column, np.where(there, shown, np.nan)).fill_nan(None))
            if role.told:
                columns.append(pl.Series(role.told, np.where(there, figures, 0), dtype=pl.Int64))
        made[name] = table.with_columns(columns)
    return made
