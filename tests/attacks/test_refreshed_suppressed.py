"""A suppressed small count of one release, beside what another shows of more, or of fewer, of the same people.

The attacker takes for granted that whoever was counted in the first is counted in the second, band by band, and that hubs are
parts of their programme; is told which suppressed counts are small ones; and asks of each, by integer programmes, between which
numbers it lies. At risk is one that keeps fewer numbers than the level asks, and fewer than the marks alone would leave it.
Nothing here is taken from the library but the releases themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from attacker import RULES
from scipy.optimize import Bounds, LinearConstraint, milp

import symphony_research as sr
from symphony_research.disclosure import comparison
from symphony_research.policy import Policy
from symphony_research.result import Provenance
from symphony_research.result.session import ReleaseSession

POLICIES = {
    "nhs_england": Policy.nhs_england(),
    "nhs_england strict": Policy.nhs_england(level="strict"),
    "sacro": Policy.sacro(),
}
FAR = 400  # more people than any count is of
Counts = dict[str, int]
Seen = dict[tuple[str, str], int | None]  # release and band; "" for everybody

# how the first release is among the second: population and extract of each
WAYS: dict[str, tuple[dict[str, Any], str, dict[str, Any], str]] = {
    "refreshed": ({"until": "2017-12-31"}, "first", {"until": "2018-03-31"}, "second"),
    "ages": ({"age": [65, None]}, "one", {"age": [60, None]}, "one"),
}
# one that was found by hand: a, b of 12 are 10, so of 45 people at least 43 - 36 have d; c of 12 in the second bounds c in the first
KNOWN = ({"a": 12, "b": 12, "c": 12, "d": 7}, {"a": 12, "b": 12, "c": 12, "d": 40})


def _patterns(counts: Counts, population: dict[str, Any], extract: str, by: tuple[str, ...], others: int) -> Any:
    rows = [(held, band) for band, n in counts.items() for held in [1] * n + [0] * others]
    frame = pl.DataFrame(rows, schema={"copd": pl.Int8, "band": pl.String}, orient="row")
    source = Provenance("Somerset", extract, population=population)
    return sr.Patterns.from_wide(frame, conditions=["copd"], by=by, provenance=source)


def _release(
    folder: Path, name: str, counts: Counts, population: dict[str, Any], extract: str, policy: Policy, others: int = 300
) -> Seen:
    """Release how many have the condition, of everybody and where there are several by band, beside all released before."""
    made = {"all": sr.multimorbidity.prevalence(_patterns(counts, population, extract, (), others))}
    if len(counts) > 1:
        made["bands"] = sr.multimorbidity.prevalence(_patterns(counts, population, extract, ("band",), others))
    folder.mkdir(exist_ok=True)
    session = ReleaseSession(name, policy.title, tuple(sorted(folder.glob("*.json"))), folder / f"{name}.json")
    shown = sr.suppress(made, policy, session=session)
    found: Seen = {(name, band): None for band in (*counts, "")}
    for result in shown.values():
        if not result.holds_nothing:
            for row in result.estimates.iter_rows(named=True):
                found[name, row.get("band", "")] = row["n_persons"]
    if len(counts) == 1:
        del found[name, next(iter(counts))]
    return found


def _at_risk(
    seen: Seen,
    exact: Mapping[tuple[str, str], int],
    sums: list[tuple[tuple[str, str], list[tuple[str, str]], bool]],
    policy: str,
) -> list[tuple[str, str]]:
    """Return the suppressed small counts that keep too few numbers; `sums` are wholes, their parts, and whether those are all."""
    rule = RULES[policy.split()[0]]
    need = rule.high if "strict" in policy else rule.base
    names = list(seen)
    low, high, marked_low, marked_high = (np.zeros(len(names)) for _ in range(4))
    for k, name in enumerate(names):
        shown, small = seen[name], exact[name] <= rule.high
        marks = (rule.low, rule.high) if small else (rule.high + 1, FAR)
        marked_low[k], marked_high[k] = (0, 0) if shown == 0 else marks
        low[k], high[k] = marks if shown is None else rule.bounds(shown)
    matrix = np.zeros((len(sums), len(names)))
    ends = np.zeros(len(sums))
    for row, (whole, parts, complete) in enumerate(sums):
        matrix[row, names.index(whole)] = 1
        matrix[row, [names.index(part) for part in parts]] = -1
        ends[row] = 0 if complete else np.inf

    def many(k: int, lower: np.ndarray, upper: np.ndarray) -> int:
        found = []
        for sign in (1.0, -1.0):
            cost = np.zeros(len(names))
            cost[k] = sign
            solved = milp(
                cost, integrality=1, bounds=Bounds(lower, upper), constraints=LinearConstraint(matrix, 0, ends)
            )
            assert solved.success, "the truth fits what is shown"
            found.append(round(sign * solved.fun))
        return found[1] - found[0] + 1

    return [
        name
        for k, name in enumerate(names)
        if seen[name] is None
        and exact[name] <= rule.high
        and (left := many(k, low, high)) < need
        and left < many(k, marked_low, marked_high)
    ]


def _worlds(seed: int) -> tuple[Counts, Counts]:
    """Draw counts by band of a first and of a second release, with few in some bands and few who joined."""
    r = np.random.default_rng(seed)
    bands = "abcd"[: int(r.integers(2, 5))]
    first = {band: int(r.choice([r.integers(1, 8), r.integers(8, 30)])) for band in bands}
    return first, {band: n + int(r.choice([0, r.integers(0, 4), r.integers(10, 40)])) for band, n in first.items()}


def _attack(
    folder: Path, counts: tuple[Counts, Counts], way: str, policy: str, *, backwards: bool
) -> list[tuple[str, str]]:
    first_is, one, second_is, two = WAYS[way]
    made = {"first": (counts[0], first_is, one), "second": (counts[1], second_is, two)}
    seen: Seen = {}
    for name in reversed(made) if backwards else made:
        seen |= _release(folder, name, *made[name], POLICIES[policy])
    exact = {(name, band): n for name in made for band, n in {**made[name][0], "": sum(made[name][0].values())}.items()}
    sums = [((name, ""), [(name, band) for band in counts[0]], True) for name in made]
    sums += [(("second", band), [("first", band)], False) for band in (*counts[0], "")]
    return _at_risk(seen, exact, sums, policy)


@pytest.mark.parametrize("backwards", [False, True], ids=["first before second", "second before first"])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("way", WAYS)
def test_a_suppressed_count_keeps_its_numbers_beside_another_extract(
    way: str, policy: str, backwards: bool, tmp_path: Path
) -> None:
    for seed, counts in enumerate([KNOWN, ({"f": 6, "m": 12}, {"f": 20, "m": 12}), *map(_worlds, range(12))]):
        assert _attack(tmp_path / str(seed), counts, way, policy, backwards=backwards) == [], seed


def test_without_looking_at_suppressed_counts_it_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "_suppressed", lambda outputs, system: {})
    assert _attack(tmp_path, KNOWN, "refreshed", "nhs_england", backwards=False) == [("first", "d")]


def _hubs(folder: Path, hubs: Counts, programme: int, extract: str, policy: str) -> list[tuple[str, str]]:
    """Release hubs one by one, then their programme alone, of an extract of the same day or of a later one."""
    seen: Seen = {}
    for hub, n in hubs.items():
        population = {"programme": "hubs", "hub": hub, "until": "2017-12-31"}
        seen |= _release(folder, hub, {"all": n}, population, "first", POLICIES[policy])
    until = "2017-12-31" if extract == "first" else "2018-03-31"
    seen |= _release(
        folder,
        "programme",
        {"all": programme},
        {"programme": "hubs", "until": until},
        extract,
        POLICIES[policy],
        others=1_000,
    )
    exact = {**{(hub, ""): n for hub, n in hubs.items()}, ("programme", ""): programme}
    return _at_risk(seen, exact, [(("programme", ""), [(hub, "") for hub in hubs], False)], policy)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("extract", ["first", "second"])
def test_hubs_that_were_released_are_added_up_beside_a_later_programme(
    extract: str, policy: str, tmp_path: Path
) -> None:
    # 8 and 8 are 10 each, at least 8; of 17, which would be 15 and at most 17, the third hub would have exactly one
    assert _hubs(tmp_path / "known", {"A": 8, "B": 8, "C": 1}, 17, extract, policy) == []
    r = np.random.default_rng(5)
    for at in range(8):
        hubs = {hub: int(r.integers(1, 20)) for hub in "ABC"}
        more = 0 if extract == "first" else int(r.integers(0, 4))
        assert _hubs(tmp_path / str(at), hubs, sum(hubs.values()) + more, extract, policy) == [], at
