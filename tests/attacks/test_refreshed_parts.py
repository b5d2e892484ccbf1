"""Two extracts of one people, each released by age band and by sex: what their differences tell together.

The attacker takes each count of the first from the same count of the second, of everybody, of each band and of each of two
arms, and takes for granted that nobody left and no record was revised. No difference is then below zero, and those of the
bands, and of the arms, add up to that of everybody. A difference is at risk where it may be small, and fewer numbers are
possible than the level asks of a suppressed count. Nothing here is taken from the library but the releases themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from attacker import RULES, Rule

import symphony_research as sr
from symphony_research.disclosure import comparison, nested_populations
from symphony_research.policy import Policy
from symphony_research.result import Provenance
from symphony_research.result.session import ReleaseSession

CONDITIONS = ("asthma", "copd", "stroke")
BANDS = ("18-39", "40-64", "65+")
ARMS = ("F", "M")
POLICIES = {
    "nhs_england": Policy.nhs_england(),
    "nhs_england strict": Policy.nhs_england(level="strict"),
    "sacro": Policy.sacro(),
}
# how the first people are among the second, as population and fingerprint of each
NESTED: dict[str, tuple[dict[str, Any], str, dict[str, Any], str]] = {
    "refreshed": ({"until": "2017-12-31"}, "first", {"until": "2018-03-31"}, "second"),
    "ages": ({"age": [24, None]}, "one", {"age": [18, None]}, "one"),
}
# a hub beside its programme, of one extract; and where counts are rounded to more than small ones are
HUB: tuple[dict[str, Any], str, dict[str, Any], str] = (
    {"programme": "hubs", "hub": "Yeovil", "until": "2018-03-31"}, "one", {"programme": "hubs", "until": "2018-03-31"}, "one",
)  # fmt: skip
TO_TEN = Policy.opensafely(rounding=10)
SEEDS = range(8)
Group = tuple[str, str, str]  # condition or number of them, band, arm; "" for everybody
Ends = tuple[int, int]
FAR = 10**6


def _people(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw some people, and the most of them, who are in the first extract."""
    r = np.random.default_rng(seed)
    n = int(r.integers(300, 900))
    held = {c: (r.random(n) < p).astype(np.int8) for c, p in zip(CONDITIONS, (0.3, 0.1, 0.5), strict=True)}
    whole = pl.DataFrame({**held, "band": r.choice(BANDS, n), "sex": r.choice(ARMS, n)})
    return whole.filter(pl.Series(r.random(n) < 0.98)), whole


def _patterns(frame: pl.DataFrame, population: dict[str, Any], fingerprint: str, by: tuple[str, ...] = ()) -> Any:
    source = Provenance("Somerset", fingerprint, population=population)
    return sr.Patterns.from_wide(frame, conditions=list(CONDITIONS), by=by, provenance=source)


def _released(
    folder: Path, at: int, frame: pl.DataFrame, population: dict[str, Any], fingerprint: str, policy: Policy
) -> dict[str, Any]:
    """Release counts of everybody, by band and of two arms, beside everything that the folder records."""
    women, men = (
        _patterns(frame.filter(pl.col("sex") == sex), {**population, "sex": sex}, fingerprint) for sex in ARMS
    )
    made = {
        "everybody": sr.multimorbidity.prevalence(_patterns(frame, population, fingerprint)),
        "bands": sr.multimorbidity.prevalence(_patterns(frame, population, fingerprint, ("band",))),
        "number": sr.multimorbidity.condition_count(_patterns(frame, population, fingerprint, ("band",))),
        "arms": sr.networks.compare(women, men, names=("women", "men"), permutations=19),
    }
    session = ReleaseSession(f"report {at}", policy.title, tuple(sorted(folder.glob("*.json"))), folder / f"{at}.json")
    return dict(sr.suppress(made, policy, session=session))


def _counts(released: dict[str, Any]) -> dict[Group, int | None]:
    """Return every count that stands in a release, None where it is suppressed, by what it counts."""
    found: dict[Group, int | None] = {}
    for name, result in released.items():
        if result.holds_nothing:
            continue
        if name == "arms":
            for row in result.count_tables["margins"].iter_rows(named=True):
                found |= {(row["condition"], "", arm): row[f"n_persons_{side}"] for arm, side in zip(ARMS, "ab", strict=True)}  # fmt: skip
            continue
        key = "condition" if "condition" in result.estimates.columns else "n_conditions"
        for row in result.estimates.iter_rows(named=True):
            found[str(row[key]), row.get("band", ""), ""] = row["n_persons"]
    return found


def _differences(inner: dict[Group, int | None], outer: dict[Group, int | None], rule: Rule) -> dict[Group, Ends]:
    """Return between which numbers each difference lies, by its own two counts alone."""
    found = {}
    for group in inner.keys() & outer.keys():
        one, other = inner[group], outer[group]
        if one is None or other is None:
            found[group] = (0, FAR)
            continue
        (low, high), (least, most) = rule.bounds(one), rule.bounds(other)
        found[group] = (max(least - high, 0), max(most - low, 0))
    return found


def _together(each: dict[Group, Ends]) -> dict[Group, Ends]:
    """Narrow every difference by the others: what bands, or arms, add up to is everybody, again and again until nothing changes."""
    found = dict(each)
    while True:
        before = dict(found)
        for what in {group[0] for group in found}:
            whole = (what, "", "")
            for parts in ([(what, band, "") for band in BANDS], [(what, "", arm) for arm in ARMS]):
                if whole not in found or not found.keys() >= set(parts):
                    continue
                low, high = found[whole]
                ends = [found[part] for part in parts]
                low, high = max(low, sum(end[0] for end in ends)), min(high, sum(end[1] for end in ends))
                found[whole] = low, high
                for part in parts:
                    others = [found[other] for other in parts if other != part]
                    least, most = low - sum(end[1] for end in others), high - sum(end[0] for end in others)
                    found[part] = max(found[part][0], least), min(found[part][1], most)
        if found == before:
            return found


def _at_risk(ends: dict[Group, Ends], rule: Rule, need: int) -> list[Group]:
    """Return the differences that may be small and keep too few numbers."""
    return [
        group
        for group, (low, high) in sorted(ends.items())
        if low <= high and high >= 1 and low <= rule.high and high - low + 1 < need
    ]


def _attack(folder: Path, seed: int, nested: str, policy: str) -> tuple[list[Group], list[Group]]:
    """Return the differences at risk one by one, and those at risk together."""
    rule = RULES[policy.split()[0]]
    need = rule.high if "strict" in policy else rule.base
    return _attacked(folder, seed, NESTED[nested], POLICIES[policy], rule, need)


def _attacked(
    folder: Path,
    seed: int,
    nested: tuple[dict[str, Any], str, dict[str, Any], str],
    policy: Policy,
    rule: Rule,
    need: int,
) -> tuple[list[Group], list[Group]]:
    few, whole = _people(seed)
    inner_is, first, outer_is, second = nested
    folder.mkdir(exist_ok=True)
    inner = _counts(_released(folder, 0, few, inner_is, first, policy))
    outer = _counts(_released(folder, 1, whole, outer_is, second, policy))
    assert any(count is not None for count in (*inner.values(), *outer.values()))
    each = _differences(inner, outer, rule)
    return _at_risk(each, rule, need), _at_risk(_together(each), rule, need)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("nested", NESTED)
def test_differences_by_band_and_by_arm_tell_no_few(nested: str, policy: str, seed: int, tmp_path: Path) -> None:
    assert _attack(tmp_path, seed, nested, policy) == ([], [])


@pytest.mark.parametrize("nested", NESTED)
def test_without_the_comparison_of_all_counts_they_do(
    nested: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nested_populations, "to_be_suppressed", lambda *given: frozenset())
    found = [_attack(tmp_path / str(seed), seed, nested, "nhs_england") for seed in SEEDS]
    assert not any(each for each, _ in found)
    assert any(together for _, together in found)


@pytest.mark.parametrize("limit", ["unknowns", "work"])
def test_what_is_not_compared_within_the_limit_is_not_shown(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, {"unknowns": "MOST_COMPARED", "work": "MOST_WORK"}[limit], 0)
    for seed in SEEDS:
        assert _attack(tmp_path / str(seed), seed, "refreshed", "nhs_england") == ([], [])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("policy", ["nhs_england", "opensafely to ten"])
def test_differences_of_a_hub_from_its_programme_tell_no_few(policy: str, seed: int, tmp_path: Path) -> None:
    # of one extract: hub and programme are one system, and their differences are looked at all the same; to the nearest ten they
    # keep as many numbers as a small count has, seven
    nhs = policy == "nhs_england"
    rule, need = (RULES[policy], 5) if nhs else (Rule("opensafely", 1, 7, base=10), 7)
    assert _attacked(tmp_path, seed, HUB, POLICIES[policy] if nhs else TO_TEN, rule, need) == ([], [])


def test_a_hubs_count_that_one_report_suppressed_no_later_one_shows(tmp_path: Path) -> None:
    # a difference between two extracts needs the total of a hub suppressed; the table of hubs of the same extract holds it too
    policy = Policy.nhs_england(level="strict")
    frames = {"first": 398, "second": 400}
    for at, (fingerprint, people) in enumerate(frames.items()):
        frame = pl.DataFrame({c: [1] * 100 + [0] * (people - 100) for c in CONDITIONS})
        population = {"programme": "hubs", "hub": "Yeovil", "until": "2018-03-31"}
        made = {"hub": sr.multimorbidity.condition_count(_patterns(frame, population, fingerprint))}
        session = ReleaseSession(
            f"hub {at}", policy.title, tuple(sorted(tmp_path.glob("*.json"))), tmp_path / f"{at}.json"
        )
        hub = sr.suppress(made, policy, session=session)["hub"]
    assert None in hub.estimates["n_persons"].to_list()
    both = pl.concat([frame.with_columns(hub=pl.lit("Yeovil")), frame.with_columns(hub=pl.lit("Wincanton"))])
    hubs = {
        "hubs": sr.multimorbidity.condition_count(
            _patterns(both, {"programme": "hubs", "until": "2018-03-31"}, "second", ("hub",))
        )
    }
    session = ReleaseSession("hubs", policy.title, tuple(sorted(tmp_path.glob("*.json"))), tmp_path / "2.json")
    table = sr.suppress(hubs, policy, session=session)["hubs"]
    own = hub.estimates.select("n_conditions", one="n_persons")
    there = table.estimates.filter(pl.col("hub") == "Yeovil").join(own, on="n_conditions")
    assert there.height
    assert there.filter(pl.col("one").is_null(), pl.col("n_persons").is_not_null()).is_empty()
