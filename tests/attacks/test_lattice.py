"""Studies of many conditions: what is published of a few of them is solved in integers."""

from __future__ import annotations

import attacker
import lattice
import pytest

import symphony_research as sr

NHS = sr.Policy.nhs_england()
RULE = attacker.RULES["nhs_england"]


@pytest.mark.parametrize("name", sorted(lattice.AWKWARD))
def test_pairs_that_bound_one_another_are_suppressed_too(name: str) -> None:
    frame = lattice.AWKWARD[name]()
    released = sr.suppress(lattice.results(frame, ()), NHS)
    every = tuple(c for c in frame.columns if c != "sex")
    assert [str(f) for f in lattice.at_risk(frame, released, RULE, every)] == []


@pytest.mark.parametrize(
    ("n", "conditions", "by"),
    [
        pytest.param(1500, 20, (), id="20"),
        pytest.param(400, 20, ("sex",), id="20-by-sex", marks=pytest.mark.slow),
        pytest.param(2000, 49, ("sex",), id="49-by-sex", marks=pytest.mark.slow),
        pytest.param(4000, 49, ("sex",), id="49-large", marks=(pytest.mark.slow, pytest.mark.exhaustive)),
    ],
)
def test_suppressed_counts_of_many_conditions_keep_enough_possible_numbers(n: int, conditions: int, by: tuple[str, ...]) -> None:  # fmt: skip
    frame = lattice.people(n, conditions, 1)
    released = sr.suppress(lattice.results(frame, by), NHS)
    chosen = lattice.awkward(released, 5, 10)
    assert chosen
    assert [str(f) for own in chosen for f in lattice.at_risk(frame, released, RULE, own)] == []
