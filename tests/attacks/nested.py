"""Two reports beside each other: of a few more people, or of the same people under two rules."""

from __future__ import annotations

import dataclasses

import attacker
import numpy as np
import produce
import worlds
from attacker import Cell, Codebook, System
from scipy.optimize import Bounds, LinearConstraint, milp

import symphony_research as sr

KINDS = ("prevalence", "condition_count", "exact", "at_least", "cooccurrence")


def _cells(world: worlds.World, policy: sr.Policy) -> tuple[list[Cell], Codebook]:
    released = produce.release_all(produce.of_patterns(world, (), KINDS), policy)
    book = Codebook(world.conditions, ())
    with produce.temporary() as name:
        from pathlib import Path

        produce.write_tables(released, Path(name))
        return attacker.published(attacker.read_tables(Path(name)), book), book


def _whole(world: worlds.World) -> worlds.World:
    return dataclasses.replace(world, by=(), levels=())


def certain_differences(world: worlds.World, policy: sr.Policy, *, more: int) -> list[str]:
    """Return the numbers of people by which a programme exceeds its hub that are certain to be small, and not nought.

    The hub is everybody but the last few. Unknown are the hub's cells and the
    few others', each a whole number.
    """
    rule = attacker.RULES[policy.name]
    hub = _whole(dataclasses.replace(world, people=world.people.head(world.people.height - more)))
    programme = _whole(world)
    (own, book), (all_, _) = _cells(hub, policy), _cells(programme, policy)
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
        if ends[0] >= 1 and ends[1] <= rule.high:
            found.append(f"the difference of {sorted(cells)} is {ends[0]} to {ends[1]}")
    return found


def two_rules(world: worlds.World, one: sr.Policy, other: sr.Policy) -> list[str]:
    """Return the small counts that the same tables under a second rule narrow down beyond the first."""
    rule = attacker.RULES[one.name]
    bare = _whole(world)
    (first, _), (second, _) = _cells(bare, one), _cells(bare, other)
    alone = System.of(first, bare.cells, rule)
    both = System.of(first, bare.cells, rule)
    for cells, (low, high) in System.of(second, bare.cells, attacker.RULES[other.name]).bounds.items():
        before = both.bounds.get(cells, (0, np.inf))
        both.bounds[cells] = max(low, before[0]), min(high, before[1])
    if not alone.targets:
        return []
    told, now = alone.possible(bare.cells), both.possible(bare.cells)
    return [f"{alone.targets[c].what}: {sorted(told[c])} became {sorted(now[c])}" for c in told if now[c] != told[c]]
