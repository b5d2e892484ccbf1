"""Releases of one people, one after the other: what a reader of all of them counts by taking one from the other.

The attacker is given two releases of which the people of the first are all among those of the second (a refreshed extract, a
hub and its programme, ages), and takes each count of the first from the same count of the second. A difference is at risk where
it may be small, and fewer numbers are possible than the level asks of a suppressed count: the rounding base, or every number
up to the threshold. Nothing here is taken from the library but the releases themselves.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from attacker import RULES, Rule

import symphony_research as sr
from symphony_research.disclosure import beside
from symphony_research.policy import Policy
from symphony_research.result import Provenance
from symphony_research.result.session import ReleaseSession

CONDITIONS = ("asthma", "copd", "stroke")
# how the first people are among the second: predicates and fingerprint of each
NESTED: dict[str, tuple[dict[str, Any], str, dict[str, Any], str]] = {
    "refreshed": ({"until": "2017-12-31"}, "first", {"until": "2018-03-31"}, "second"),
    "refreshed, later hub": (
        {"programme": "hubs", "hub": "Yeovil", "until": "2017-12-31"}, "first", {"programme": "hubs", "until": "2018-03-31"}, "second",
    ),
    "ages": ({"age": [24, None]}, "one", {"age": [18, None]}, "one"),
    "conditions": ({"min_conditions": 3}, "one", {"min_conditions": 2}, "one"),
    "practice": ({"practice": "P1"}, "one", {}, "one"),
    "quarter": ({"programme": "hubs", "joined": ["2016-07-01", "2016-09-30"]}, "one", {"programme": "hubs"}, "one"),
    "first half of a year": (
        {"programme": "hubs", "joined": ["2016-01-01", "2016-06-30"]}, "one", {"programme": "hubs", "joined": ["2016-01-01", "2016-12-31"]}, "one",
    ),
}  # fmt: skip
POLICIES = {
    "nhs_england strict": Policy.nhs_england(level="strict"),
    "nhs_england": Policy.nhs_england(),
    "sacro strict": Policy.sacro(level="strict"),
}
SEEDS = range(8)


def _released(
    folder: Path, at: int, frame: pl.DataFrame, population: dict[str, Any], fingerprint: str, policy: Policy
) -> list[Any]:
    """Release results of some people beside everything that the folder records."""
    source = Provenance("Somerset", fingerprint, population=population)
    patterns = sr.Patterns.from_wide(frame, conditions=list(CONDITIONS), provenance=source)
    made = {"prevalence": sr.multimorbidity.prevalence(patterns), "number": sr.multimorbidity.condition_count(patterns)}
    earlier = tuple(sorted(folder.glob("*.json")))
    session = ReleaseSession(f"report {at}", policy.title, earlier, folder / f"{at}.json")
    return list(sr.suppress(made, policy, session=session).values())


def _counts(results: list[Any]) -> dict[tuple[str, ...], int | None]:
    """Return every count that is published, None where it is suppressed, by what it counts."""
    found: dict[tuple[str, ...], int | None] = {}
    for result in results:
        if result.holds_nothing:
            continue
        frame = result.estimates
        key = "condition" if "condition" in frame.columns else "n_conditions"
        found |= {(key, str(row[key])): row["n_persons"] for row in frame.iter_rows(named=True)}
    return found


def _at_risk(inner: list[Any], outer: list[Any], rule: Rule, need: int) -> list[tuple[str, ...]]:
    """Return the counts of which the difference tells how few people are in the outer population alone."""
    own, others = _counts(inner), _counts(outer)
    found = []
    for key in own.keys() & others.keys():
        one, other = own[key], others[key]
        if one is None or other is None:
            continue
        (low, high), (least, most) = rule.bounds(one), rule.bounds(other)
        possible = range(max(least - high, 0), most - low + 1)
        few = [number for number in possible if 1 <= number <= rule.high]
        if few and len(possible) < need:
            found.append(key)
    return found


def _people(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw some people, and those of them who are in the inner population: most."""
    r = np.random.default_rng(seed)
    whole = pl.DataFrame({c: (r.random(r.integers(150, 400)) < 0.3).astype(np.int8) for c in CONDITIONS[:1]})
    whole = whole.with_columns(
        **{
            c: pl.Series((r.random(whole.height) < p).astype(np.int8))
            for c, p in zip(CONDITIONS[1:], (0.1, 0.5), strict=True)
        }
    )
    return whole.filter(pl.Series(r.random(whole.height) < 0.98)), whole


def _attack(folder: Path, seed: int, nested: str, policy: str, *, reverse: bool = False) -> list[tuple[str, ...]]:
    few, whole = _people(seed)
    inner_is, first, outer_is, second = NESTED[nested]
    asked = [(few, inner_is, first), (whole, outer_is, second)]
    made = [_released(folder, at, *one, POLICIES[policy]) for at, one in enumerate(asked[::-1] if reverse else asked)]
    inner, outer = made[::-1] if reverse else made
    rule = RULES[policy.split()[0]]
    return _at_risk(inner, outer, rule, rule.high if "strict" in policy else rule.base)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("nested", NESTED)
def test_no_difference_from_an_earlier_release_tells_how_few(
    nested: str, policy: str, seed: int, tmp_path: Path
) -> None:
    assert _attack(tmp_path, seed, nested, policy) == []


@pytest.mark.parametrize("nested", NESTED)
def test_nor_does_it_where_the_wider_people_came_first(nested: str, tmp_path: Path) -> None:
    assert _attack(tmp_path, 0, nested, "nhs_england strict", reverse=True) == []


@pytest.mark.parametrize("nested", ["refreshed", "practice", "quarter"])
def test_without_the_comparison_differences_tell(nested: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "telling_beside", lambda own, others: frozenset())
    found = [
        _attack(tmp_path / str(seed), seed, nested, "nhs_england strict")
        for seed in SEEDS
        if not (tmp_path / str(seed)).mkdir()
    ]
    assert any(found)


def test_two_rounding_bases_on_refreshed_records_narrow_no_difference(tmp_path: Path) -> None:
    # this quarter to the nearest 5, next to the nearest 10: a difference has at least as many numbers as under either alone
    few, whole = _people(3)
    first = _released(tmp_path, 0, few, {"until": "2017-12-31"}, "first", Policy.nhs_england())
    second = _released(tmp_path, 1, whole, {"until": "2018-03-31"}, "second", Policy.nhs_england(rounding=10))
    own, others = _counts(first), _counts(second)
    fine, coarse = Rule("fine", 1, 7), Rule("coarse", 1, 7, base=10)
    for key in own.keys() & others.keys():
        if own[key] is not None and others[key] is not None:
            (low, high), (least, most) = fine.bounds(own[key]), coarse.bounds(others[key])
            assert most - low - max(least - high, 0) + 1 >= 5 or most - low < 1


def test_a_released_record_holds_no_exact_count(tmp_path: Path) -> None:
    few, _ = _people(1)
    _released(tmp_path, 0, few, {}, "first", Policy.nhs_england())
    exact = {int(few[c].sum()) for c in CONDITIONS}
    cells = [
        cell for one in json.loads((tmp_path / "0.json").read_text())["outputs"] for cell in one["published"]["cells"]
    ]
    shown = {cell[4] for cell in cells if cell[4] is not None}
    assert shown
    assert all(value % 5 == 0 for value in shown)
    assert not {value for value in exact if value % 5} & {abs(part) for cell in cells for part in cell[2:4] if part}
