"""Whoever knows the algorithm runs it himself on every study that might be behind a release, and keeps those that release the same.

Of each small count some studies with other numbers are drawn, all else that is shown and the marks as they are, and
released again. What is promised: the algorithm alone settles no count, so two numbers at least release the same.
How many of those that the arithmetic allows do so is not promised, and a draw finds only some.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import attacker
import numpy as np
import produce
import pytest
import study
import worlds
from attacker import Sum
from study import POLICIES, world_of

KINDS = ("prevalence", "condition_count", "exact", "at_least", "cooccurrence")
TRIES = 6  # studies that are drawn for one number
FEWEST = 2  # numbers that release the same


def _counts(world: worlds.World) -> dict[str, study.sr.Result]:
    made = produce.of_patterns(world, (), KINDS)
    return made | (produce.of_patterns(world, world.by, KINDS) if world.by else {})


def _told(world: worlds.World, policy: str) -> tuple[study.Attacked, str]:
    world = dataclasses.replace(world, values=())  # costs are of each person: nothing is said of them
    made = study.attack(world, POLICIES[policy], _counts(world), files=False)
    said = [f"{kind} {name} {t.rows()}" for kind, r in made.released.items() for name, t in r.count_tables.items()]
    return made, "\n".join([*said, *(r.estimates.write_csv() if "combination" not in r.estimates.columns else str(r.estimates.rows()) for r in made.released.values())])  # fmt: skip


def _others(made: study.Attacked, of: Sum, value: int) -> Iterator[np.ndarray]:
    """Draw people of whom everything shown and every mark is the same, and one count is another number.

    First those of whom the suppressed counts above the threshold would be rounded alike too: the algorithm chose
    these by their rounded numbers. Then any.
    """
    rng = np.random.default_rng(value)
    for attempt in range(TRIES):
        system = attacker.System.of(made.cells, made.truth, made.rule, strict=made.strict)
        for own, target in system.targets.items():
            if not target.primary and attempt < TRIES // 2:
                system.bound(own, *made.rule.bounds(made.rule.rounded(attacker.value_of(own, made.truth))))
        found = system.solve(rng.normal(size=system.size), of, value)
        if found is not None:
            yield found


def _reproduced(name: str, policy: str) -> dict[str, set[int]]:
    """Return of each small count the numbers of which another study releases the same."""
    world = world_of(name)
    made, told = _told(world, policy)
    assert _told(worlds.twin_of(world, world.cells), policy)[1] == told
    system = attacker.System.of(made.cells, made.truth, made.rule, strict=made.strict)
    found = {}
    for of, target in system.targets.items():
        if not target.primary:
            continue
        same = set()
        for value in range(target.low, target.high + 1):
            for cells in _others(made, of, value):
                twin = worlds.twin_of(world, cells.reshape(world.cells.shape).astype(int))
                if _told(twin, policy)[1] == told:
                    same.add(value)
                    break
        found[f"{target.cell.kind} {target.cell.what}"] = same
    return found


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("squeezed", "nhs_england"),
        pytest.param("squeezed", "nhs_england strict", marks=pytest.mark.slow),
        pytest.param("squeezed", "sacro", marks=pytest.mark.slow),
        pytest.param("one_hidden_cell", "nhs_england", marks=pytest.mark.slow),
    ],
)
def test_running_the_algorithm_on_candidates_settles_no_count(name: str, policy: str) -> None:
    found = _reproduced(name, policy)
    assert found
    assert {what: same for what, same in found.items() if len(same) < FEWEST} == {}


def test_running_the_algorithm_leaves_as_many_numbers_as_the_arithmetic() -> None:
    # two people, and for them 18 of an exact set suppressed, whose 20 would have left 1 to 4. With five or six people
    # that set would be rounded to 15, and nothing suppressed for them: that it is suppressed says 20, and so 1 to 4
    assert all(len(same) >= 5 for same in _reproduced("squeezed", "nhs_england").values())
