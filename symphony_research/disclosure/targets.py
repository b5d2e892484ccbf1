"""How many numbers each suppressed count must keep possible, and what it costs to suppress another."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from symphony_research.disclosure.outputs import UNBOUNDED, CellBounds
from symphony_research.disclosure.search import Target
from symphony_research.disclosure.system import System
from symphony_research.policy import Policy

__all__ = ["cost_of", "targets_of"]


def _target_of(cell: CellBounds, policy: Policy) -> Target | None:
    """Return how many numbers a suppressed cell must keep possible; None of one that is shown."""
    if not cell.suppressed:
        return None
    need = policy.rounding
    if cell.primary:
        values = int(cell.high - cell.low) + 1
        need = values if policy.level == "strict" else min(need, values)
    return Target(cell.low, cell.high, need)


def targets_of(system: System, cells: Iterable[CellBounds], policy: Policy) -> dict[int, Target]:
    """Return what each suppressed cell must keep possible; one that is shown elsewhere is no secret."""
    shown = {cell.of for cell in cells if not cell.suppressed}
    found: dict[int, Target] = {}
    for cell in cells:
        target = _target_of(cell, policy)
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
