"""Whatever the counts: a released interval holds the exact one, and a released p or q value is no smaller.

Each of these fails where a figure is made of rounded counts as if they were exact. The authority is the exact result of
the same people, and for sets the naive enumeration of all tables that the released counts allow.
"""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.inference import wilson_interval
from symphony_research.inference.ends import ends_of_count
from symphony_research.inference.figures import outwards
from symphony_research.inference.released_sets import SetBox, expected_ends, largest_p_of_sets
from symphony_research.inference.released_shares import interval_of_share
from symphony_research.policy import Policy

POLICIES = (Policy.nhs_england(), Policy.opensafely(), Policy.sacro(), Policy.nhs_england(threshold=9, rounding=10))
CONDITIONS = ["a", "b", "c", "d"]
NEAR = 1e-9


@st.composite
def people(draw: st.DrawFn) -> pl.DataFrame:
    """Some hundred people with conditions that go together more or less, with a cost, in two groups."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(120, 1_500))
    group = random.random(n) < draw(st.sampled_from([0.3, 0.5]))
    shared = random.random(n) < 0.3
    held = {
        name: (random.random(n) < random.uniform(0.05, 0.4) + 0.2 * group * random.random())
        | (shared & (random.random(n) < random.uniform(0, 0.6)))
        for name in CONDITIONS
    }
    cost = random.gamma(2, 200, n) * (1 + sum(held.values()) * random.uniform(0, 1))
    return pl.DataFrame({"group": np.where(group, "x", "y"), **held, "cost": cost.round(2)})


def results(frame: pl.DataFrame) -> dict[str, tuple[sr.Result, list[str], list[tuple[str, str]]]]:
    """Every family of conditions: the result, what names a row, and its intervals."""
    m, n = sr.multimorbidity, sr.networks
    whole = sr.Patterns.from_wide(frame, conditions=CONDITIONS, values="cost")
    by = sr.Patterns.from_wide(frame, conditions=CONDITIONS, by="group")
    groups = [sr.Patterns.from_wide(frame.filter(pl.col("group") == g), conditions=CONDITIONS) for g in ("x", "y")]
    share, ratio, odds = ("lower", "upper"), ("oe_lower", "oe_upper"), ("odds_ratio_lower", "odds_ratio_upper")
    sets, pairs = ["combination"], ["source", "target"]
    return {
        "prevalence": (m.prevalence(by), ["condition"], [share]),
        "condition_count": (m.condition_count(by), ["n_conditions"], [share]),
        "comorbidity_count": (m.comorbidity_count(whole), ["condition", "n_others"], [share]),
        "exact": (m.combinations(whole, kind="exact"), sets, [share, ratio]),
        "exact by group": (m.combinations(by, kind="exact"), sets, [share, ratio]),
        "exact within": (m.combinations(by, kind="exact", adjust="group"), sets, [share, ratio]),
        "at least": (m.combinations(whole, kind="at_least"), sets, [share, ratio]),
        "at least by group": (m.combinations(by, kind="at_least"), sets, [share, ratio]),
        "at least within": (m.combinations(by, kind="at_least", adjust="group"), sets, [share, ratio]),
        "profile within": (m.comorbidity_profile(by, adjust="group"), ["condition"], [share, ratio]),
        "parts": (
            m.combinations(by, kind="at_least", adjust="group", against="no_higher_order_interaction", max_size=4),
            sets, [share, ratio],
        ),
        "pairs": (n.cooccurrence(whole), pairs, [share, odds]),
        "pairs within": (n.cooccurrence(by, adjust="group"), pairs, [share, odds]),
        "compare": (n.compare(*groups, permutations=19), pairs, [share]),
        "costs": (
            m.cost_interaction(whole, kind="at_least", max_size=2), sets,
            [share, ("excess_lower", "excess_upper")],
        ),
    }  # fmt: skip


@given(people(), st.sampled_from(POLICIES))
@settings(max_examples=12, deadline=None)
def test_no_released_interval_or_p_value_says_more_than_the_exact_one(frame, policy):
    made = results(frame)
    safe = sr.suppress({name: one for name, (one, _, _) in made.items()}, policy)
    for name, (exact, keys, intervals) in made.items():
        names = [*exact.by, *keys]
        both = exact.estimates.join(safe[name].estimates, on=names, suffix="__safe")
        for low, high in intervals:
            rows = both.drop_nulls([low, high, f"{low}__safe", f"{high}__safe"])
            slack = NEAR * (1 + rows[high].abs())
            assert (rows[f"{low}__safe"] <= rows[low] + slack).all(), (name, low)
            assert (rows[f"{high}__safe"] >= rows[high] - slack).all(), (name, high)
        for column in ("p_value", "q_value"):
            if column in both.columns:
                rows = both.drop_nulls([column, f"{column}__safe"])
                assert (rows[f"{column}__safe"] >= rows[column] * (1 - 1e-6)).all(), (name, column)


@given(people(), st.sampled_from(POLICIES))
@settings(max_examples=15, deadline=None)
def test_how_many_were_tested_does_not_depend_on_suppression(frame, policy):
    for result, _, _ in (
        one for name, one in results(frame).items() if name in ("exact", "at least", "pairs", "pairs within", "costs")
    ):
        assert sr.suppress(result, policy).n_tested == result.n_tested


@given(st.integers(0, 3_000), st.integers(1, 3_000), st.sampled_from([0.5, 0.95, 0.999]), st.sampled_from(POLICIES))
@settings(max_examples=300, deadline=None)
def test_the_interval_of_a_share_is_the_union_over_the_counts_that_are_shown_so(k, n, confidence, policy):
    k = min(k, n)
    shown = policy.shown(k), policy.shown(n)
    if None in shown:
        return
    rule = policy.as_released()
    lower, upper = interval_of_share([float(shown[0])], [float(shown[1])], confidence, rule)
    ends = [ends_of_count(x, rule) for x in shown]
    every = [
        wilson_interval(a, b, confidence)
        for a, b in product(*(range(int(low), int(high) + 1) for low, high in ends))
        if a <= b
    ]
    assert lower[0] == pytest.approx(min(low for low, _ in every), rel=1e-9, abs=1e-12)
    assert upper[0] == pytest.approx(max(high for _, high in every), rel=1e-9)


def naive_mid_p(c: int, sizes: list[int], n: int) -> float:
    """Two-sided mid-p of how many people random sets of these sizes have in common, by drawing one set after another."""
    chances = {sizes[0]: 1.0}
    for size in sizes[1:]:
        drawn: dict[int, float] = {}
        for have, chance in chances.items():
            for x in range(max(0, have + size - n), min(have, size) + 1):
                drawn[x] = drawn.get(x, 0.0) + chance * comb(have, x) * comb(n - have, size - x) / comb(n, size)
        chances = drawn
    above = sum(p for x, p in chances.items() if x > c) + chances.get(c, 0.0) / 2
    return min(1.0, 2 * min(above, 1 - above))


# of exact sets in which p is largest for a total between the two ends
@example(60341, True)
@example(60469, True)
@example(60825, True)
@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=40, deadline=None)
def test_p_of_a_set_is_the_largest_over_all_counts_and_what_is_expected_is_between_its_ends(seed, exact):
    random = np.random.default_rng(seed)
    n, k = int(random.integers(12, 40)), 3
    members = 2 if exact else 3
    held = random.integers(2, n - 2, k)
    inside = np.arange(k) < members
    sizes = np.where(inside, held, n - held)
    c = int(np.clip(random.poisson(n * np.prod(sizes / n) * random.choice([0.4, 1, 2.5])), 0, sizes.min()))
    wide = random.integers(0, 2, 5)
    ranges = [range(max(0, x - w), x + w + 1) for x, w in zip([c, *held, n], wide, strict=True)]
    ends = [(float(r[0]), float(r[-1])) for r in ranges]
    box = SetBox(
        inside[None], (np.array([ends[0][0]]), np.array([ends[0][1]])),
        (np.array([e[0] for e in ends[1:4]]), np.array([e[1] for e in ends[1:4]])), ends[4], exact,
    )  # fmt: skip
    found, (low, high) = largest_p_of_sets(box)[0], expected_ends(box)
    for count, *own, people_ in product(*ranges):
        drawn = [x if has else people_ - x for x, has in zip(own, inside, strict=True)]
        if min(drawn) < max(count, 1) or max(own) > people_ or count < sum(drawn) - (k - 1) * people_:
            continue
        assert naive_mid_p(count, sorted(drawn), people_) <= found * (1 + 1e-8) + 1e-12
        expected = people_ * np.prod(np.array(drawn) / people_)
        assert low[0] * (1 - NEAR) <= expected <= high[0] * (1 + NEAR)


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_limits_rounded_outwards_hold_what_they_held(one, other, figures):
    low, high = sorted((one, other))
    down, up = outwards(low, high, figures)
    assert down <= low * (1 + 1e-8)
    assert up >= high * (1 - 1e-8)
    assert up <= high * 1.11 ** (1 if figures > 1 else 8)
