"""Exact tests of sets of conditions, of what is released of them, and of networks: by hand and by exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import comb, log

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.inference import hypergeometric_mid_p, stratified_log_mid_p
from symphony_research.inference import intersections as module
from symphony_research.inference.bands import p_at_nearest
from symphony_research.inference.chains import set_by_set
from symphony_research.inference.ends import ends_of_count
from symphony_research.inference.intersections import sets_log_mid_p
from symphony_research.inference.laplace import LargeSets
from symphony_research.inference.stratified import one_nearer

Stratum = tuple[int, list[int]]  # people, and how many have each condition


def common(sizes: list[int], people: int) -> dict[int, Fraction]:
    """Chances of the people whom random sets have in common, drawn one set after another."""
    found = {sizes[0]: Fraction(1)}
    for size in sizes[1:]:
        drawn: dict[int, Fraction] = {}
        for y, p in found.items():
            for x in range(max(0, y + size - people), min(size, y) + 1):
                chance = Fraction(comb(size, x) * comb(people - size, y - x), comb(people, y))
                drawn[x] = drawn.get(x, Fraction(0)) + p * chance
        found = drawn
    return found


def naive(strata: list[Stratum], inside: list[bool], at: int, *, exact: bool) -> Fraction:
    total = {0: Fraction(1)}
    for people, held in strata:
        sizes = [h if i else people - h for h, i in zip(held, inside, strict=True) if i or exact]
        own, made = common(sorted(sizes), people), {}
        for x, p in own.items():
            for y, q in total.items():
                made[x + y] = made.get(x + y, Fraction(0)) + p * q
        total = made
    upper = sum(p for x, p in total.items() if x > at) + total[at] / 2
    return min(Fraction(1), 2 * min(upper, 1 - upper))


def ours(strata: list[Stratum], inside: list[bool], at: list[int], *, exact: bool) -> float:
    people, held = (np.array(x, dtype=float) for x in zip(*strata, strict=True))
    observed = np.array(at, dtype=float)[:, None]
    return float(sets_log_mid_p(np.array([inside]), observed, people, held, exact=exact)[0])


def test_sets_of_a_few_people_are_those_of_every_arrangement():
    # of five people all ways in which 3, 2 and 4 of them have the three conditions, one by one
    from itertools import combinations

    counted = [0] * 6
    for a in combinations(range(5), 3):
        for b in combinations(range(5), 2):
            for c in combinations(range(5), 4):
                counted[len({*a} & {*b} & {*c})] += 1
    every = sum(counted)
    for at in (0, 1, 2):
        upper = Fraction(sum(counted[at + 1 :]), every) + Fraction(counted[at], 2 * every)
        wanted = min(Fraction(1), 2 * min(upper, 1 - upper))
        assert ours([(5, [3, 2, 4])], [True] * 3, [at], exact=False) == pytest.approx(log(wanted), abs=1e-12)
    # all with the first two and the rest without the third: 1 of C(6, 3)^2 ways that three sets of three can lie
    assert ours([(6, [3, 3, 3])], [True, True, False], [3], exact=True) == pytest.approx(log(1 / 400), rel=1e-12)


@st.composite
def strata_of_sets(draw):
    k, exact = draw(st.integers(3, 5)), draw(st.booleans())
    inside = draw(st.lists(st.booleans(), min_size=k, max_size=k)) if exact else [True] * k
    strata, at = [], []
    for _ in range(draw(st.integers(1, 3))):
        people = draw(st.integers(1, 40))
        held = draw(st.lists(st.integers(0, people), min_size=k, max_size=k))
        sizes = [h if i else people - h for h, i in zip(held, inside, strict=True)]
        strata.append((people, held))
        at.append(draw(st.integers(max(0, sum(sizes) - (k - 1) * people), min(sizes))))
    return strata, inside, at, exact


@given(strata_of_sets())
@settings(max_examples=100, deadline=None)
def test_sets_are_those_of_exact_fractions(drawn):
    strata, inside, at, exact = drawn
    wanted = naive(strata, inside, sum(at), exact=exact)
    found = ours(strata, inside, at, exact=exact)
    assert found == pytest.approx(log(wanted.numerator) - log(wanted.denominator), abs=1e-9)


def test_a_set_of_two_is_the_pair():
    random = np.random.default_rng(3)
    n = random.integers(5, 400, 6).astype(float)
    held = random.binomial(n.astype(int)[:, None], 0.3, (6, 2)).astype(float)
    both = np.minimum(held.min(axis=1), np.rint(held.prod(axis=1) / n) + 2)
    wanted = stratified_log_mid_p(both[:, None], held[:, :1], held[:, 1:], n)
    found = sets_log_mid_p(np.ones((1, 2), dtype=bool), both[:, None], n, held, exact=False)
    assert found == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("times", [0.1, 0.5, 0.9, 1.0, 1.1, 1.5, 2.5])
def test_large_strata_are_close_to_the_exact_test(times, monkeypatch):
    # thousands of people a stratum: approximated, and then with every set drawn one after another
    random = np.random.default_rng(8)
    n = random.integers(800, 4_000, 5).astype(float)
    held = np.rint(n[:, None] * random.uniform(0.15, 0.6, (5, 4)))
    inside = np.array([[True, True, True, False]])
    expected = n * np.where(inside, held / n[:, None], 1 - held / n[:, None]).prod(axis=1)
    observed = np.rint(times * expected)[:, None]
    rough = sets_log_mid_p(inside, observed, n, held, exact=True)
    monkeypatch.setattr(module, "LARGE", np.inf)
    assert rough == pytest.approx(sets_log_mid_p(inside, observed, n, held, exact=True), abs=0.005)


def test_large_sets_have_the_chances_of_sets_drawn_one_by_one():
    sizes, n = np.array([[600.0, 900.0, 1_500.0]]), np.array([2_000.0])
    low, high = np.array([0.0]), np.array([600.0])
    wanted = set_by_set(sizes, n, low, high, np.stack([low, high], axis=1))[0]
    mean = 202.5
    variance = np.exp(wanted) @ (np.arange(601) - mean) ** 2
    large = LargeSets(sizes, n, np.array([202.0]), low, high, np.array([mean]), np.array([variance]))
    x = np.arange(50, 400)
    assert large.log_probability(np.array([0]), (x - 202.0)[None])[0] == pytest.approx(wanted[x], abs=1e-3)


# of released counts within strata


@given(st.integers(0, 10_000), st.sampled_from([5, 10]))
@settings(max_examples=60, deadline=None)
def test_p_of_the_nearest_count_is_at_most_too_large(seed, rounding):
    # the exact p of every count that the released one stands for, all margins given, is no larger
    random = np.random.default_rng(seed)
    n = random.integers(20, 300, 5)
    a, b = random.binomial(n, random.uniform(0.1, 0.6)), random.binomial(n, random.uniform(0.1, 0.6))
    low, high = np.maximum(0, a + b - n), np.minimum(a, b)
    c = np.clip(random.binomial(high, random.uniform(0.1, 1)), low, high)
    rule = {"threshold": 7, "rounding": rounding}
    if c.sum() <= 7 or not (high > low).any():
        return
    observed, first, second, people, mean = c[:, None], a[:, None], b[:, None], n, np.array([(a * b / n).sum()])
    moved = one_nearer(observed.astype(float), low[:, None], high[:, None], mean)
    logs = [stratified_log_mid_p(x, first, second, people) for x in (observed, moved)]
    shown = np.array([float((c.sum() + rounding // 2) // rounding * rounding)])
    found = p_at_nearest(np.array([float(c.sum())]), mean, *logs, shown, rule)[0]
    for total in range(*(int(end) + step for end, step in zip(ends_of_count(shown[0], rule), (0, 1), strict=True))):
        if not low.sum() <= total <= high.sum():
            continue
        spread = low.copy()
        for s in range(len(n)):
            spread[s] += min(high[s] - low[s], total - spread.sum())
        assert np.exp(stratified_log_mid_p(spread[:, None], first, second, people)[0]) <= found * (1 + 1e-9)


# through the estimators


def two_conditions(both: int, first: int, second: int, people: int) -> sr.Patterns:
    rows = [(1, 1)] * both + [(1, 0)] * (first - both) + [(0, 1)] * (second - both)
    rows += [(0, 0)] * (people - len(rows))
    frame = pl.DataFrame(rows, schema=["u", "v"], orient="row").with_columns(pl.lit("all").alias("s"))
    return sr.Patterns.from_wide(frame, conditions=["u", "v"], by="s")


@pytest.mark.parametrize(
    ("counts", "wanted"),
    # both tables are the furthest of their margins: p is its chance, C(7, 7) C(8, 1) / C(15, 8) and 1 / C(20, 10)
    [((7, 7, 8, 15), 8 / 6435), ((10, 10, 10, 20), 1 / 184756)],
)
def test_one_stratum_of_few_people_has_the_p_of_the_whole_population(counts, wanted):
    patterns = two_conditions(*counts)
    network = sr.networks.cooccurrence(patterns, adjust="s")
    assert network.estimates["p_value"].to_list() == pytest.approx([wanted], rel=1e-10)
    sets = sr.multimorbidity.combinations(patterns, kind="at_least", adjust="s").estimates
    assert sets["p_value"].to_list() == pytest.approx([wanted], rel=1e-10)
    whole = sr.networks.cooccurrence(sr.Patterns(("u", "v"), patterns.frame.drop("s"))).estimates
    assert whole["p_value"].to_list() == pytest.approx([wanted], rel=1e-10)


def test_an_exact_set_of_the_whole_population_has_its_exact_p():
    # exactly u and v of the two conditions: the at-least pair
    found = sr.multimorbidity.combinations(two_conditions(7, 7, 8, 15), adjust="s", min_size=2).estimates
    assert found["p_value"].to_list() == pytest.approx([8 / 6435], rel=1e-10)


def test_exact_p_values_never_leave():
    patterns = two_conditions(40, 70, 80, 150)
    policy = sr.Policy.nhs_england()
    for name, result in {
        "pairs": sr.networks.cooccurrence(patterns, adjust="s"),
        "cells": sr.multimorbidity.combinations(patterns, kind="at_least", adjust="s"),
        "sets": sr.multimorbidity.combinations(patterns),
    }.items():
        table = "pairs" if name == "pairs" else "cells"
        assert result.count_tables[table]["log_p"].null_count() == 0
        safe = sr.suppress({name: result}, policy)[name]
        assert safe.count_tables[table]["log_p"].null_count() == safe.count_tables[table].height
        assert "log_p" not in safe.estimates.columns


def test_released_p_within_strata_is_a_band_of_the_count_nearest_to_what_is_expected():
    # of 70 and 80 of 150 people 37.3 are expected to have both. Shown as 45, 45 people may be 43: p = 0.055 (mid-p of
    # the hypergeometric), though that of 45 is below 0.05
    of_45, of_43 = hypergeometric_mid_p([45, 43], 70, 80, 150)
    assert of_45 < 0.05 < of_43
    for both, band in ((45, 1.0), (60, 0.001)):
        network = sr.networks.cooccurrence(two_conditions(both, 70, 80, 150), adjust="s")
        safe = sr.suppress({"pairs": network}, sr.Policy.nhs_england())["pairs"]
        row = safe.estimates.row(0, named=True)
        assert (row["p_value"], row["q_value"]) == (band, band)
        assert safe.format_cell(row, "p_value") == {1.0: "≥0.05", 0.001: "<0.001"}[band]
