"""Whose money a mean is: one or two people's, if they have nearly all of it.

ACRO's defaults: the two largest have less than nine tenths of the sum, and all
others than those two at least a tenth of the largest (so that the second
cannot tell the first's within a tenth).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from attacker import Row
from readers import base_of, names_of, number
from worlds import World

LARGEST, SHARE, P_PERCENT = 2, 0.9, 0.1
OF_COST = ("mean_cost", "total_cost", "estimate", "total", "expected", "excess")
KINDS = {"exact": True, "at_least": False, "closed": False, "maximal": False, "comorbidity_profile": False, "costs": True, "costs_at_least": False, "baseline": False}  # fmt: skip


def dominated(values: np.ndarray) -> bool:
    """Whether the largest two, or the largest as the second sees it, are nearly told by the sum."""
    ranked = np.sort(values)[::-1]
    total = ranked.sum()
    if total <= 0:
        return False
    rest = total - ranked[:LARGEST].sum()
    return bool(ranked[:LARGEST].sum() >= SHARE * total or rest < P_PERCENT * ranked[0])


def shown(tables: Mapping[str, list[Row]], world: World) -> list[str]:
    """Means and totals of a group whose cost is nearly one or two people's."""
    found = []
    for kind, rows in tables.items():
        exact = KINDS.get(base_of(kind))
        for r in rows if exact is not None else ():
            told = [c for c in OF_COST if _is_cost(kind, c) and number(r.get(c)) is not None]
            if told and dominated(_costs(world, _conditions(kind, r, world), r.get("sex"), exact=bool(exact) and r.get("kind") != "condition")):  # fmt: skip
                found.append(f"{kind}: {told[0]} of {_conditions(kind, r, world)} {r.get('sex') or ''}")
    return found


def _is_cost(kind: str, column: str) -> bool:
    return kind.startswith("costs") or column.endswith("_cost")


def _conditions(kind: str, row: Row, world: World) -> list[str]:
    if base_of(kind) == "baseline":
        return []  # its one mean is of everybody
    return [world.conditions[0], row["condition"]] if base_of(kind) == "comorbidity_profile" else names_of(row)


def _costs(world: World, names: Sequence[str], stratum: str | None, *, exact: bool) -> np.ndarray:
    people = world.people if stratum is None else world.people.filter(world.people["sex"] == stratum)
    kept = np.ones(people.height, dtype=bool)
    for condition in world.conditions:
        has = people[condition].to_numpy() == 1
        kept &= has if condition in names else (~has if exact else True)
    return people["cost"].to_numpy()[kept]
