"""Protect sums of values with the counts: means that, with their people, would give a suppressed one's sum away.

The sum of a value over people obeys every relation that their number does. A
released mean, to its figures, times the released count is an interval of the
sum; a suppressed mean's sum must be left at least twice the share p of itself
wide, else other means are suppressed, the cheapest relaxation first. A mean
of integers is shown to a step at which several pairs of people and sum fit.

References
----------
Hundepool, A. et al. (2012). Statistical Disclosure Control, chapter 4. Wiley.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.disclosure.decomposition import Block, blocks_of, ranges_of_one_row
from symphony_research.disclosure.elastic import Elastic
from symphony_research.disclosure.outputs import UNBOUNDED, Position, ReleasedOutput
from symphony_research.disclosure.primary import figures_of_mean
from symphony_research.disclosure.programme import UndecidedError
from symphony_research.disclosure.relations import relations_between
from symphony_research.disclosure.system import System, made_of
from symphony_research.inference.figures import unit_of
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.cells import CellDefinition
from symphony_research.result.roles import Mean

__all__ = ["stepped", "steps_of_integers", "with_sums"]

Array = NDArray[np.float64]
Tables = Mapping[str, pl.DataFrame]
Bounds = Mapping[CellDefinition, tuple[float, float, int]]
FEWEST_PAIRS = 5  # of people and sum, that a mean of integers must leave
MOST_ROUNDS = 50  # of searching and suppressing
MOST_PUSHED = 12  # programmes that push all undecided sums at once
WHOLE = 1e-6  # how near an integer an exact sum must be
LARGEST = 1e4  # to which sums are scaled, for the linear programmes
LITTLE = 1e-6  # of a scaled sum: what is less is rounding
BEYOND = 1e-3  # by how much a sum is to be wider than it must


def stepped(means: Array, steps: Array) -> Array:
    """Round means half up to multiples of their steps.

    Examples
    --------
    >>> stepped(np.array([0.13, 1.27]), np.array([0.1, 0.5])).tolist()
    [0.1, 1.5]
    """
    with np.errstate(invalid="ignore"):
        nearest = np.floor(means / steps + 0.5 + 1e-9)
        return np.where(steps < 1, nearest / np.maximum(np.round(1 / steps, 9), 1e-300), nearest * steps)


def steps_of_integers(means: Array, finest: Array, low: Array, high: Array) -> Array:
    """Return the finest step, of 1, 2 and 5 times powers of ten, at which enough pairs of people and sum fit a mean of integers.

    Parameters
    ----------
    means, finest : arrays
        Exact means, and the step to which each is rounded in any case.
    low, high : arrays
        Between which numbers the released people lie.

    Examples
    --------
    >>> float(steps_of_integers(np.array([0.8]), np.array([0.01]), np.array([8.0]), np.array([12.0]))[0])
    0.1
    """
    found = np.array(finest, float)
    for k, (mean, least, most) in enumerate(zip(means, low, high, strict=True)):
        if not np.isfinite(mean + least + most):
            continue
        people = np.arange(max(least, 1), most + 1)
        for step in _coarser(float(finest[k])):
            found[k] = step
            shown = float(stepped(np.array(mean), np.array(step)))
            first = np.ceil((shown - step / 2) * people - 1e-9)
            last = np.ceil((shown + step / 2) * people - 1e-9) - 1
            if np.maximum(last - np.maximum(first, 0) + 1, 0).sum() >= FEWEST_PAIRS:
                break
    return found


def _coarser(finest: float) -> Iterator[float]:
    yield finest
    power = int(np.floor(np.log10(finest) + 1e-9))
    for exponent in range(power, power + 8):
        for factor in (1, 2, 5):
            step = factor * 10.0**exponent if exponent >= 0 else factor / 10.0**-exponent
            if step > finest * (1 + 1e-9):
                yield step


@dataclass(frozen=True)
class _Sum:
    """A value summed over the people of a cell: where its mean stands, and between which numbers the sum lies."""

    at: tuple[int, Position]
    of: CellDefinition
    shown: bool
    low: float
    high: float


@dataclass
class _Value:
    """One value's sums over all cells of one population."""

    sums: list[_Sum] = field(default_factory=list)


def with_sums(
    released: Mapping[int, tuple[Result, Tables, Tables]],
    outputs: Mapping[int, ReleasedOutput],
    earlier: Sequence[ReleasedOutput],
    bounds: Bounds,
    policy: Policy,
) -> dict[int, dict[str, pl.DataFrame]]:
    """Return the tables of results that are released together, their means of integers coarser, and other means suppressed.

    Parameters
    ----------
    released : mapping
        Of each result by its number: the result, its exact tables, and those with counts suppressed and rounded.
    outputs : mapping
        Of each result, its counts.
    earlier : sequence of ReleasedOutput
        What is released of the same people already.
    bounds : mapping of CellDefinition to (low, high, state)
        Between which numbers each count lies.
    policy : Policy
    """
    tables = {number: dict(own) for number, (_, _, own) in released.items()}
    values: dict[str, _Value] = {}
    for number, (result, exact, _) in released.items():
        of = {cell.position: cell.of for cell in outputs[number].cells if cell.listed and cell.named}
        for name in tables[number]:
            for column, role in result.roles[name].columns.items():
                if isinstance(role, Mean) and role.value and column in tables[number][name].columns:
                    tables[number][name], steps = _rounded(
                        tables[number][name], exact[name], column, role, of, name, bounds
                    )
                    sums = _sums(number, name, column, role, tables[number][name], steps, of, bounds)
                    values.setdefault(role.value, _Value()).sums.extend(sums)
    if policy.level != "rule_text":
        everywhere = [*outputs.values(), *earlier]
        secondary = {at for value in values.values() for at in _secondary_means(value, everywhere, policy)}
        for number, place in sorted(secondary):
            name, row, column = place
            tables[number][name] = _without(tables[number][name], released[number][0], name, row, column)
    return {
        number: dict(result.trim(tables[number], result.settings, result.by)) if values else tables[number]
        for number, (result, _, _) in released.items()
    }


def _rounded(
    table: pl.DataFrame,
    exact: pl.DataFrame,
    column: str,
    role: Mean,
    of: Mapping[Position, CellDefinition],
    name: str,
    bounds: Bounds,
) -> tuple[pl.DataFrame, Array]:
    """Return the table with a mean of integers to its steps, and the steps of any mean."""
    means, people = (exact[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in (column, role.people))
    there = table[column].is_not_null().to_numpy()
    with np.errstate(invalid="ignore"):
        steps = np.where(means == 0, 0.0, unit_of(means, 1) * 10.0 ** (1 - figures_of_mean(means)))
        sums = means * people
        known = ~np.isnan(sums)
        integers = bool(known.any()) and bool((np.abs(sums - np.round(sums))[known] < WHOLE).all())
    if not integers or not there.any():
        return table, steps
    unknown = (np.nan, np.nan, 0)
    places = [(name, row, role.people) for row in range(table.height)]
    ends = [bounds.get(of[place], unknown) if place in of else unknown for place in places]
    low, high = (np.array([end[k] for end in ends], float) for k in (0, 1))
    chosen = np.flatnonzero(there & (means > 0) & np.isfinite(low + high))
    steps[chosen] = steps_of_integers(means[chosen], steps[chosen], low[chosen], high[chosen])
    shown = table[column].cast(pl.Float64).fill_null(np.nan).to_numpy().copy()
    shown[chosen] = stepped(means[chosen], steps[chosen])
    return table.with_columns(pl.Series(column, shown).fill_nan(None)), steps


def _sums(
    number: int,
    name: str,
    column: str,
    role: Mean,
    table: pl.DataFrame,
    steps: Array,
    of: Mapping[Position, CellDefinition],
    bounds: Bounds,
) -> Iterator[_Sum]:
    for row, mean in enumerate(table[column].to_list()):
        cell = of.get((name, row, role.people))
        if cell is None or cell.isolated:
            continue
        at = (number, (name, row, column))
        if mean is None:
            none = table[role.people][row] == 0
            yield _Sum(at, cell, none, 0.0, 0.0 if none else UNBOUNDED)
        else:
            low, high, _ = bounds[cell]
            yield _Sum(at, cell, True, max(mean - steps[row] / 2, 0.0) * low, (mean + steps[row] / 2) * high)


def _without(table: pl.DataFrame, result: Result, name: str, row: int, column: str) -> pl.DataFrame:
    """Return a table without a mean, and what else describes the same people's values in its row."""
    people = result.roles[name].columns[column].people  # type: ignore[attr-defined]
    value = result.roles[name].columns[column].value  # type: ignore[attr-defined]
    own = [
        c for c, role in result.roles[name].columns.items()
        if isinstance(role, Mean) and role.people == people and role.value in ("", value) and c in table.columns
    ]  # fmt: skip
    at = pl.int_range(pl.len()) == row
    return table.with_columns(pl.when(~at).then(pl.col(c)).alias(c) for c in own)


def _secondary_means(value: _Value, published: Sequence[ReleasedOutput], policy: Policy) -> list[tuple[int, Position]]:
    """Return where other means are to be suppressed, until each suppressed one's sum is wide enough."""
    shown = {one.of for one in value.sums if one.shown}
    hidden = {one.of for one in value.sums} - shown
    if not hidden:
        return []
    everybody = {cell.of for one in published for cell in one.cells if cell.of.is_everybody}
    cells = sorted({one.of for one in value.sums} | everybody)
    system = made_of(cells, relations_between(cells, published), len(cells), integers=False)
    lower, upper = np.zeros(len(cells)), np.full(len(cells), UNBOUNDED)
    for one in value.sums:
        k = system.index[one.of]
        lower[k], upper[k] = max(lower[k], one.low), min(upper[k], one.high)
    largest = max(float(upper[np.isfinite(upper)].max(initial=0.0)), 1.0)
    lower, upper = lower * LARGEST / largest, upper * LARGEST / largest
    selection = _MeanSelection(system, lower, upper, {system.index[one] for one in shown}, policy)
    gone = selection.suppressed({system.index[one] for one in hidden})
    return [one.at for one in value.sums if one.shown and system.index[one.of] in gone]


class _MeanSelection:
    """The sums of one value, and which are suppressed so far."""

    def __init__(self, system: System, lower: Array, upper: Array, shown: set[int], policy: Policy) -> None:
        self.system, self.lower, self.upper = system, lower, upper
        self.open = {k for k in shown if upper[k] > 0}
        # a sum may be anything from this share of its highest number
        self.share = 1 - 2 * policy.p_percent

    def suppressed(self, targets: set[int]) -> set[int]:
        gone: set[int] = set()
        left = set(targets)
        for _ in range(MOST_ROUNDS):
            found = list(self._narrow(left))
            if not found:
                break
            left = {t for _, own in found for t in own}
            for block, own in found:
                for t, (low, high) in own.items():
                    chosen = self._relaxed(block, t, low, high)
                    if not chosen:
                        left.discard(t)  # no mean here can cure it
                    for k in chosen:
                        gone.add(k)
                        self.open.discard(k)
                        self.lower[k], self.upper[k] = 0.0, UNBOUNDED
        return gone

    def _narrow(self, targets: set[int]) -> Iterator[tuple[Block, dict[int, tuple[float, float]]]]:
        """Return the blocks with suppressed sums that are known too closely, and between which numbers."""
        wanted = np.zeros(len(self.lower), bool)
        wanted[list(targets)] = True
        if not wanted.any():
            return
        for block in list(blocks_of(self.system, self.lower, self.upper, wanted)):
            own = [at for at, k in enumerate(block.unknowns) if int(k) in targets]
            lower, upper = self.lower[block.unknowns], self.upper[block.unknowns]
            low, high = self._ranges(block, lower, upper, own)
            few = {
                int(block.unknowns[at]): (float(low[at]), float(high[at]))
                for at in own
                if not low[at] <= self.share * high[at] + LITTLE
            }
            if few:
                yield block, few

    def _ranges(self, block: Block, lower: Array, upper: Array, own: Sequence[int]) -> tuple[Array, Array]:
        """Return between which numbers sums lie: as far as is needed to see that they are wide enough."""
        if block.matrix.shape[0] == 1:
            return ranges_of_one_row(block, lower, upper)
        low, high = np.full(len(lower), np.inf), np.zeros(len(lower))
        ceiling = np.minimum(upper, 10 * LARGEST)

        def ask(cost: Array) -> bool:
            try:
                x = block.solve(lower, ceiling, cost)
            except UndecidedError:
                x = None  # then the sum is taken to be known as closely as has been seen
            if x is not None:
                np.minimum(low, x, out=low)
                np.maximum(high, x, out=high)
            return x is not None

        for push in range(MOST_PUSHED):
            left = [at for at in own if not low[at] <= self.share * high[at]]
            cost = np.zeros(len(lower))
            half = (np.arange(len(left)) >> (push - 2) // 2) & 1 if push >= 2 else np.zeros(len(left), int)
            cost[left] = np.where(half == push % 2, 1.0, -1.0)
            if not left or not ask(cost):
                break
        for at in own:
            for sign in (1.0, -1.0):
                if not low[at] <= self.share * high[at]:
                    cost = np.zeros(len(lower))
                    cost[at] = sign
                    ask(cost)
        return low, high

    def _relaxed(self, block: Block, target: int, low: float, high: float) -> list[int]:
        """Return the shown means whose bounds give most cheaply where a sum is to be lower, or higher."""
        places = [at for at, k in enumerate(block.unknowns) if int(k) in self.open]
        t = int(np.flatnonzero(block.unknowns == target)[0])
        lower, upper = self.lower[block.unknowns].copy(), self.upper[block.unknowns].copy()
        smaller_first = np.log(3 + upper[places])
        elastic = Elastic(block, places)
        best: tuple[float, list[int]] | None = None
        for aim in (high * self.share * (1 - BEYOND), low / max(self.share, LITTLE) * (1 + BEYOND)):
            lower[t] = upper[t] = aim
            try:
                found = elastic.cheapest(lower, upper, smaller_first)
            except UndecidedError:
                return [int(block.unknowns[at]) for at in places]  # what is not decided is not shown
            if found is not None:
                cost, given = found
                chosen = [int(block.unknowns[at]) for at, far in zip(places, given, strict=True) if far > LITTLE]
                if chosen and (best is None or cost < best[0]):
                    best = cost, chosen
        return best[1] if best else []
