"""Millions of people drawn with and without each mechanism, tallied, and each value with its standard error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from symphony_research.synthetic.effects import PROGRAMMES
from symphony_research.synthetic.history import BLOCK_SIZE, draw_history
from symphony_research.synthetic.plan import Plan
from symphony_research.synthetic.truth.index_day import (
    conditions_found,
    survival_found,
    tally_conditions,
    tally_survival,
)
from symphony_research.synthetic.truth.programme_effects import WORLDS, programmes_found, tally_programmes

__all__ = ["SEED", "Found", "people_drawn", "simulate_all", "simulate_programmes"]

SEED = 20_130_401  # far from the seeds of studies
BATCHES = 32

Sums = dict[str, NDArray[np.float64]]
Found = dict[str, tuple[float, float]]  # value and standard error, by name


def _programmes(plan: Plan, number: int) -> Sums:
    """Return one block in every world; the programme not acting is the one a world is without."""
    worlds = {
        name: draw_history(
            replace(plan, acting=tuple(p for p in PROGRAMMES if name != f"without {p}")), number, BLOCK_SIZE
        )
        for name in WORLDS
    }
    return tally_programmes(worlds)


def _index_day(plan: Plan, number: int) -> Sums:
    """Return one block without programmes in which nobody moves away after the index day."""
    history = draw_history(replace(plan, acting=(), settled_from=2014), number, BLOCK_SIZE)
    return tally_conditions(history) | tally_survival(history)


def people_drawn(people: int) -> int:
    """Return how many people whole blocks make of about so many."""
    return max(2, -(-people // BLOCK_SIZE)) * BLOCK_SIZE


def simulate_programmes(
    plan: Plan, people: int, *, seed: int = SEED, jobs: int = 2, made: Callable[[int], object] = int
) -> Found:
    """Return what follows from the programmes' effects alone, from about `people` people."""
    return _simulate(replace(plan, seed=seed), people, _programmes, programmes_found, jobs, made)


def simulate_all(
    plan: Plan, people: int, *, seed: int = SEED, jobs: int = 2, made: Callable[[int], object] = int
) -> Found:
    """Return every simulated value, from about `people` people."""

    def values(sums: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
        return conditions_found(sums) | survival_found(sums)

    found = _simulate(replace(plan, seed=seed), people, _index_day, values, jobs, made)
    return found | simulate_programmes(plan, people, seed=seed, jobs=jobs, made=made)


def _simulate(
    plan: Plan,
    people: int,
    tally: Callable[[Plan, int], Sums],
    values: Callable[[Mapping[str, NDArray[np.float64]]], dict[str, float]],
    jobs: int,
    made: Callable[[int], object],
) -> Found:
    """Add up blocks in batches; the standard error is that of the jackknife which leaves out one batch at a time."""
    blocks = people_drawn(people) // BLOCK_SIZE
    batches: list[Sums | None] = [None] * min(BATCHES, blocks)

    def one(number: int) -> tuple[int, Sums]:
        return number, tally(plan, number)

    with ThreadPoolExecutor(jobs) as pool:
        for number, sums in pool.map(one, range(blocks)):
            held = batches[number % len(batches)]
            batches[number % len(batches)] = sums if held is None else {k: held[k] + sums[k] for k in sums}
            made(BLOCK_SIZE)
    parts = [batch for batch in batches if batch is not None]
    total = {name: np.sum([part[name] for part in parts], axis=0) for name in parts[0]}
    with np.errstate(invalid="ignore", divide="ignore"):
        value = values(total)
        without = [values({name: total[name] - part[name] for name in total}) for part in parts]
    count = len(parts)
    errors = {}
    for name in value:
        left_out = np.array([other[name] for other in without])
        errors[name] = float(np.sqrt((count - 1) / count * ((left_out - left_out.mean()) ** 2).sum()))
    return {name: (float(value[name]), errors[name]) for name in value}
