"""How many numbers each suppressed count must keep possible, and what it costs to suppress another."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from symphony_research.disclosure.outputs import UNBOUNDED, CellBounds
from symphony_research.disclosure.search import InferableCell, Target
from symphony_research.disclosure.system import System
from symphony_research.policy import Policy

__all__ = ["aims_of", "cost_of", "target_of", "targets_of"]


def target_of(cell: CellBounds, rounding: int, level: str) -> Target | None:
    """Return how many numbers a suppressed cell must keep possible under a rule; None of one that is shown."""
    if not cell.suppressed:
        return None
    need = rounding
    if cell.primary:
        values = int(cell.high - cell.low) + 1
        need = values if level == "strict" else min(need, values)
    return Target(cell.low, cell.high, need)


def targets_of(system: System, cells: Iterable[CellBounds], policy: Policy) -> dict[int, Target]:
    """Return what each suppressed cell must keep possible; one that is shown elsewhere is no secret."""
    shown = {cell.of for cell in cells if not cell.suppressed}
    found: dict[int, Target] = {}
    for cell in cells:
        target = target_of(cell, policy.rounding, policy.level)
        if target is not None and cell.of not in shown:
            at = system.index.get(cell.of)
            known = found.get(at) if at is not None else None
            if at is not None and (known is None or (target.low, -target.high) > (known.low, -known.high)):
                found[at] = target
    for rest in system.rests:
        high = float(policy.threshold * rest.cells) if rest.cells else UNBOUNDED
        values = policy.threshold + 1
        need = values if policy.level == "strict" else min(policy.rounding, values)
        found[system.index[rest.of]] = Target(0.0, high, need)
    return dict(sorted(found.items()))


def cost_of(cell: CellBounds) -> float:
    """Return the cost of suppressing a cell, by its released size and what rests on it: parts go before their wholes."""
    of = cell.of
    rests = 1.0
    if of.state or of.isolated:
        rests = 0.1
    elif not of.sized and len(of.having) < 2:
        rests = 5.0 if of.having else 1_000.0
    return rests * float(np.log(3 + cell.high))


def aims_of(one: InferableCell, target: Target, *, integers: bool = False) -> list[float]:
    """Return the numbers that a count should be able to be: upwards or downwards from those it can."""
    width = target.need - 1
    aims = []
    if integers and one.seen:
        # there may be holes among them: the nearest numbers that have not been seen
        around = range(int(max(target.low, min(one.seen) - width)), int(min(target.high, max(one.seen) + width)) + 1)
        unseen = [value for value in around if value not in one.seen]
        aims = sorted(map(float, unseen), key=lambda value: min(abs(value - seen) for seen in one.seen or ()))[:2]
    elif np.isfinite(one.low):
        if one.high < target.high and one.low <= one.high:
            aims.append(min(one.low + width, target.high))
        if one.low > target.low and one.low <= one.high:
            aims.append(max(one.high - width, target.low))
    if not aims:
        aims = [target.high if np.isfinite(target.high) else target.low + width, target.low]
    return [float(np.round(aim)) for aim in aims]
