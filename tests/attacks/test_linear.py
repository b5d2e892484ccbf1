"""Studies of many conditions: everything published of conditions, pairs and numbers of conditions is bounded together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attacker
import lattice
import linear
import numpy as np
import pytest
from study import POLICIES

import symphony_research as sr
from symphony_research.disclosure import control, relations
from symphony_research.disclosure.secondary import Protection

OF_20, OF_49 = range(20), range(2)
# blocks that are not decided within the limit: their strata are withheld, and what is left is searched again
UNDECIDED = (11, 21, 51)


def _at_risk(frame: Any, policy: str, *, split: bool = True) -> list[str]:
    released = sr.suppress(linear.results(frame, split=split), POLICIES[policy])
    findings, n_suppressed = linear.at_risk(frame, released, attacker.RULES[policy.split()[0]], strict="strict" in policy)  # fmt: skip
    assert n_suppressed > 50
    return [str(finding) for finding in findings]


def _people(conditions: int, seed: int) -> Any:
    """Draw 300 to 2,000 people."""
    return lattice.people(int(np.random.default_rng(seed).integers(300, 2001)), conditions, seed)


@pytest.mark.parametrize(
    ("seed", "policy"),
    [
        pytest.param(seed, policy, marks=() if (seed, policy) == (0, "nhs_england") else (pytest.mark.slow, *exhaustive), id=f"{seed}-{policy.replace(' ', '-')}")
        for k, policy in enumerate(POLICIES)
        for seed in (*OF_20, *(UNDECIDED if policy == "nhs_england strict" else ()))
        for exhaustive in [() if (seed % len(POLICIES) == k and seed < 10) or seed in UNDECIDED[1:] else (pytest.mark.exhaustive,)]
    ],
)  # fmt: skip
def test_twenty_conditions_by_sex(seed: int, policy: str) -> None:
    assert _at_risk(_people(20, seed), policy) == []


def test_forty_nine_conditions() -> None:
    assert _at_risk(_people(49, 0), "nhs_england", split=False) == []


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("policy", ["nhs_england", "sacro", "nhs_england strict", "sacro strict"])
@pytest.mark.parametrize("seed", OF_49)
def test_forty_nine_conditions_of_the_whole_under_each_rule(seed: int, policy: str) -> None:
    assert _at_risk(_people(49, seed), policy, split=False) == []


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", OF_49)
def test_forty_nine_conditions_by_sex(seed: int) -> None:
    assert _at_risk(_people(49, seed), "nhs_england") == []


WITHOUT: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "secondary suppression": lambda patch: patch.setattr(
        control, "protect_or_withhold", lambda own, *a: (own, Protection())
    ),
    "strata": lambda patch: patch.setattr(relations, "_strata", lambda *a: iter(())),
}


@pytest.mark.parametrize("name", WITHOUT)
def test_the_linear_attacker_finds_what_is_not_protected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    WITHOUT[name](monkeypatch)
    assert _at_risk(_people(20, 0), "nhs_england") != []


@pytest.mark.parametrize("policy", ["nhs_england strict", "sacro strict"])
def test_what_is_withheld_undecided_leaves_no_small_count_beside_its_whole(policy: str, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    # 15 people of whom so many women and so many men are told to be few: six or seven each
    monkeypatch.setattr("symphony_research.disclosure.search.MOST_PROGRAMMES", 2)
    assert _at_risk(_people(12, 0), policy) == []
