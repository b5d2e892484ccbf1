"""Integers found near known ones, and bounds that give, against all integers there are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from symphony_research.disclosure.decomposition import Block
from symphony_research.disclosure.elastic import Elastic
from symphony_research.disclosure.nearest import Nearest

MOST = 4


def drawn(seed: int) -> tuple[Block, np.ndarray, np.ndarray]:
    """Four numbers of people, and sums of some of them that lie between two ends; and one solution."""
    rng = np.random.default_rng((3, seed))
    rows = (rng.random((3, 4)) < 0.6).astype(float)
    x = rng.integers(0, MOST + 1, 4).astype(float)
    off = rng.integers(0, 2, (2, 3))
    block = Block(np.arange(4), csr_matrix(rows), rows @ x - off[0], rows @ x + off[1])
    every = np.array(list(itertools.product(range(MOST + 1), repeat=4)), float)
    sums = every @ rows.T
    return block, x, every[((sums >= block.low) & (sums <= block.high)).all(axis=1)]


@pytest.mark.parametrize("seed", range(20))
def test_integers_are_found_near_known_ones_where_there_are_any(seed: int) -> None:
    block, x, possible = drawn(seed)
    nearest = Nearest(block, np.arange(4))
    for k, value in itertools.product(range(4), range(MOST + 1)):
        lower, upper = np.zeros(4), np.full(4, float(MOST))
        lower[k] = upper[k] = value
        found = nearest.find([x], lower, upper, steps=20)
        there = possible[possible[:, k] == value]
        if found is None:
            assert not len(there)
        elif (found == np.round(found)).all():
            assert (there == found).all(axis=1).any()
        else:
            assert not len(there)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("integers", [False, True])
def test_bounds_give_at_the_least_cost(seed: int, integers: bool) -> None:
    block, x, _ = drawn(seed)
    lower, upper = np.maximum(x - 1, 0), x + 1
    lower[0] = upper[0] = x[0] + 3
    price = np.array([1.0, 2.0, 5.0])
    rows = block.matrix.toarray()
    # by hand: what gives upwards and downwards are unknowns themselves
    full = np.hstack([rows, rows[:, 1:], -rows[:, 1:]])
    ends = [*zip(lower, upper, strict=True), *[(0, None)] * 3, *[(0, low) for low in lower[1:]]]
    cost = np.concatenate([np.zeros(4), price, price])
    least = linprog(
        cost, A_ub=np.vstack([full, -full]), b_ub=np.concatenate([block.high, -block.low]), bounds=ends, method="highs",
        integrality=np.ones(len(cost)) if integers else None,
    )  # fmt: skip
    found = Elastic(block, [1, 2, 3], first_atom=0 if integers else None).cheapest(
        lower, upper, price, [x] if integers else ()
    )
    assert (found is None) == (least.status != 0)
    if found is None:
        return
    if integers:
        assert found[0] >= least.fun - 1e-6  # near a base, and not the least of all
    else:
        assert found[0] == pytest.approx(least.fun)
