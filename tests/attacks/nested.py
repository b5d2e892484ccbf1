"""Two reports beside each other: of a few more people, or of the same people under two rules."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import attacker
import numpy as np
import produce
import worlds
from attacker import Cell, Codebook, Rule, System
from scipy.optimize import Bounds, LinearConstraint, milp

import symphony_research as sr
from symphony_research.result import Source

KINDS = ("prevalence", "condition_count", "exact", "at_least", "cooccurrence")


def _released(world: worlds.World, policy: sr.Policy) -> dict[str, sr.Result]:
    return produce.release_all(produce.of_patterns(world, (), KINDS), policy)


def _cells(world: worlds.World, released: dict[str, sr.Result]) -> tuple[list[Cell], Codebook]:
    book = Codebook(world.conditions, ())
    with produce.temporary() as name:
        produce.write_tables(released, Path(name))
        return attacker.published(attacker.read_tables(Path(name)), book), book


def _whole(world: worlds.World) -> worlds.World:
    return dataclasses.replace(world, by=(), levels=())


def two_reports(world: worlds.World, policy: sr.Policy, *, more: int) -> tuple[list[str], bool]:
    """Return what two reports tell that are of a hub and of its programme, and whether they may be released together.

    The hub is everybody but the last few; of two reports that may not be
    released together nothing is told.
    """
    people = world.people.head(world.people.height - more)
    hub = _whole(dataclasses.replace(world, people=people, source=Source(population={"hub": "A"})))
    programme = _whole(dataclasses.replace(world, source=Source(population={"area": "South"})))
    one, other = _released(hub, policy), _released(programme, policy)
    if sr.check_differencing([*one.values(), *other.values()]):
        return [], False
    return certain_differences(hub, one, programme, other, attacker.RULES[policy.name]), True


def certain_differences(
    hub: worlds.World, one: dict[str, sr.Result], programme: worlds.World, other: dict[str, sr.Result], rule: Rule
) -> list[str]:
    """Return the numbers of people by which a programme exceeds its hub that are certain to be small, and not nought.

    That a number is any from one to the threshold is what a star says of it. Unknown are the hub's cells and the few others', each a whole number.
    """
    (own, book), (all_, _) = _cells(hub, one), _cells(programme, other)
    size = book.size
    first, second = System.of(own, hub.cells, rule).bounds, System.of(all_, programme.cells, rule).bounds
    rows, low, high = [], [], []
    for bounds, both in ((first, False), (second, True)):
        for cells, (least, most) in bounds.items():
            row = np.zeros(2 * size)
            row[list(cells)] = 1
            if both:
                row[[size + c for c in cells]] = 1
            rows.append(row)
            low.append(least)
            high.append(most)
    limits = LinearConstraint(np.array(rows), low, high)
    found = []
    for cells in sorted(first.keys() & second.keys(), key=sorted):
        cost = np.zeros(2 * size)
        cost[[size + c for c in cells]] = 1
        ends = []
        for sign in (1, -1):
            x = milp(sign * cost, constraints=limits, integrality=np.ones(2 * size), bounds=Bounds(0, 1000)).x
            ends.append(round(float(cost @ x)))
        if ends[0] >= 1 and ends[1] <= rule.high and ends != [1, rule.high]:
            found.append(f"the difference of {sorted(cells)} is {ends[0]} to {ends[1]}")
    return found


def two_rules(world: worlds.World, one: sr.Policy, other: sr.Policy) -> list[str]:
    """Return the small counts that the same tables under a second rule narrow down beyond the first."""
    rule = attacker.RULES[one.name]
    bare = _whole(world)
    (first, _), (second, _) = (_cells(bare, _released(bare, policy)) for policy in (one, other))
    alone = System.of(first, bare.cells, rule)
    both = System.of(first, bare.cells, rule)
    for cells, (low, high) in System.of(second, bare.cells, attacker.RULES[other.name]).bounds.items():
        before = both.bounds.get(cells, (0, np.inf))
        both.bounds[cells] = max(low, before[0]), min(high, before[1])
    if not alone.targets:
        return []
    told, now = alone.possible(bare.cells), both.possible(bare.cells)
    return [f"{alone.targets[c].what}: {sorted(told[c])} became {sorted(now[c])}" for c in told if now[c] != told[c]]
