"""How many conditions, which, and which combinations: a few people, one call, the answer by hand."""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError
from symphony_research.result import Provenance

Z = 1.959963984540054  # R: qnorm(0.975)


def counted(cells: dict[str, int], conditions: str) -> sr.Patterns:
    """Patterns of people drawn as a table: "ab": 3 means three people with a and b and no other."""
    rows = [[int(c in held) for c in conditions] for held, n in cells.items() for _ in range(n)]
    return sr.Patterns.from_wide(pl.DataFrame(rows, schema=list(conditions), orient="row"), conditions=list(conditions))


#                a, b, both, neither: 20 people; a 8, b 6
TWO = {"a": 5, "b": 3, "ab": 3, "": 9}


def test_number_of_conditions_of_twenty_people():
    count = sr.multimorbidity.condition_count(counted(TWO, "ab")).estimates
    assert count["n_conditions"].to_list() == [0, 1, 2]
    assert count["n_persons"].to_list() == [9, 8, 3]
    assert count["estimate"].to_list() == pytest.approx([0.45, 0.4, 0.15])
    # probability of a 0.4, of b 0.3: neither 0.6 x 0.7 = 0.42, both 0.12, one 0.46; of 20 people 8.4, 9.2, 2.4
    assert count["expected"].to_list() == pytest.approx([8.4, 9.2, 2.4])
    assert count["observed_expected"].to_list() == pytest.approx([9 / 8.4, 8 / 9.2, 3 / 2.4])


def test_number_of_three_conditions():
    # 10 people; a 5, b 2, c 1: chances 0.5, 0.2, 0.1, so 0.36, 0.49, 0.14, 0.01 of none, one, two, three
    patterns = counted({"abc": 1, "ab": 1, "a": 3, "": 5}, "abc")
    count = sr.multimorbidity.condition_count(patterns).estimates
    assert count["n_persons"].to_list() == [5, 3, 1, 1]
    assert count["expected"].to_list() == pytest.approx([3.6, 4.9, 1.4, 0.1])
    # two or more in one row: 0.14 + 0.01
    top = sr.multimorbidity.condition_count(patterns, top=2).estimates
    assert top["n_persons"].to_list() == [5, 3, 2]
    assert top["expected"].to_list() == pytest.approx([3.6, 4.9, 1.5])
    with pytest.raises(ArgumentError, match="top=0"):
        sr.multimorbidity.condition_count(patterns, top=0)


def test_the_last_row_holds_everybody_with_more_although_nobody_has_exactly_that():
    count = sr.multimorbidity.condition_count(counted({"abc": 2, "": 2}, "abc"), top=2).estimates
    assert count["n_persons"].to_list() == [2, 0, 2]


def test_prevalence_with_wilsons_interval():
    held = sr.multimorbidity.prevalence(counted({"a": 1, "": 3}, "ab")).estimates
    assert held["n_persons"].to_list() == [1, 0]
    assert held["estimate"].to_list() == [0.25, 0.0]
    # R: prop.test(1, 4, correct = FALSE)$conf.int
    assert held["lower"][0] == pytest.approx(0.045587260809700589, rel=1e-12)
    assert held["upper"][0] == pytest.approx(0.69935815741759798, rel=1e-12)
    # nobody of four: from 0 to z^2 / (4 + z^2)
    assert held["lower"][1] == 0
    assert held["upper"][1] == pytest.approx(Z**2 / (4 + Z**2))


def by_name(result, name: str) -> dict:
    rows = result.estimates.filter(pl.col("combination").list.join("") == name)
    return rows.row(0, named=True)


def test_exact_and_at_least_sets_are_two_things():
    patterns = counted({"ab": 3, "abc": 2, "a": 5, "": 10}, "abc")
    exact = sr.multimorbidity.combinations(patterns, kind="exact", min_size=1)
    at_least = sr.multimorbidity.combinations(patterns, kind="at_least", min_size=1)
    assert by_name(exact, "ab")["n_persons"] == 3
    assert by_name(at_least, "ab")["n_persons"] == 5
    # a 10, b 5, c 2 of 20. At least a and b: 20 x 1/2 x 1/4 = 2.5; exactly: times 18/20 without c = 2.25
    assert by_name(at_least, "ab")["expected"] == pytest.approx(2.5)
    assert by_name(exact, "ab")["expected"] == pytest.approx(2.25)
    assert by_name(at_least, "ab")["observed_expected"] == pytest.approx(2)
    assert by_name(exact, "ab")["observed_expected"] == pytest.approx(3 / 2.25)
    # a single condition is as frequent as it is
    assert by_name(at_least, "a")["observed_expected"] == 1
    assert by_name(at_least, "a")["p_value"] is None
    # a and no other: 20 x 1/2 x 3/4 x 9/10 = 6.75
    assert by_name(exact, "a")["expected"] == pytest.approx(6.75)


def test_interval_of_a_pair():
    # both 3, a 8, b 6 of 20: variance of the log 1/3 - 1/8 - 1/6 + 2 x 3/(8 x 6) - 1/20
    pair = by_name(sr.multimorbidity.combinations(counted(TWO, "ab"), kind="at_least"), "ab")
    ratio, error = 3 / (8 * 6 / 20), sqrt(1 / 3 - 1 / 8 - 1 / 6 + 6 / 48 - 1 / 20)
    assert pair["observed_expected"] == pytest.approx(ratio, rel=1e-14)
    assert pair["oe_lower"] == pytest.approx(ratio * exp(-Z * error), rel=1e-12)
    assert pair["oe_upper"] == pytest.approx(ratio * exp(Z * error), rel=1e-12)


@pytest.mark.parametrize("cells", [(12, 8, 5, 75), (3, 17, 22, 158)])
def test_score_statistic_squared_is_mantel_and_haenszels(cells):
    # with two conditions, the exact set of both is the at-least pair
    both, a, b, neither = cells
    n = sum(cells)
    found = sr.multimorbidity.combinations(counted({"ab": both, "a": a, "b": b, "": neither}, "ab"), min_size=0)
    # by hand: (N - 1) (both x neither - a x b)^2 / product of the margins; R: mantelhaen.test() without continuity
    # correction gives the same of one stratum, and Pearson's chi-squared is N / (N - 1) times as much
    chi = (n - 1) * (both * neither - a * b) ** 2 / ((both + a) * (both + b) * (n - both - a) * (n - both - b))
    # knowing one cell of four tells the others: all have one statistic, but for its sign
    assert [z**2 for z in found.estimates["statistic"]] == pytest.approx([chi] * 4, rel=1e-10)


# shares of the eight sets of three associated conditions, for the simulations
SETS = ("", "a", "b", "c", "ab", "ac", "bc", "abc")
SHARES = np.array([0.46, 0.14, 0.12, 0.1, 0.06, 0.04, 0.03, 0.05])
MASKS = np.array([sum(1 << "abc".index(c) for c in held) for held in SETS])
ASKED = {"at_least": ("ab", "abc"), "exact": ("ab", "abc", "a")}


def log_ratio(cells: np.ndarray, kind: str, held: str) -> np.ndarray:
    """Log of observed/expected of draws of the eight cells, by its definition."""
    n = cells.sum(axis=-1)
    mask = sum(1 << "abc".index(c) for c in held)
    inside = (MASKS & mask) == mask if kind == "at_least" else mask == MASKS
    chance = 1.0
    for k in range(3):
        p = cells[..., (MASKS >> k & 1) == 1].sum(axis=-1) / n
        chance = chance * (p if mask >> k & 1 else (1 - p if kind == "exact" else 1.0))
    return np.log(cells[..., inside].sum(axis=-1) / n) - np.log(chance)


def drawn(cells: np.ndarray) -> sr.Patterns:
    """One stratum a draw of the eight cells, without listing their people."""
    draws, sets = np.nonzero(cells)
    frame = pl.DataFrame({"draw": draws, "mask_0": MASKS[sets].astype(np.uint64), "n_persons": cells[draws, sets]})
    return sr.Patterns(("a", "b", "c"), frame.sort("draw", "mask_0"), ("draw",), (), Provenance())


@pytest.mark.parametrize(("kind", "held"), [(kind, held) for kind, sets in ASKED.items() for held in sets])
def test_interval_is_as_wide_as_the_bootstrap_says(kind, held):
    # 20,000 bootstrap samples of 3,000 people: their standard deviation is known to about 0.5%, so 3% is six of these
    people = np.round(SHARES * 3_000).astype(np.int64)
    samples = np.random.default_rng(11).multinomial(people.sum(), people / people.sum(), size=20_000)
    wanted = log_ratio(samples, kind, held).std()
    row = by_name(sr.multimorbidity.combinations(drawn(people[None, :]), kind=kind, min_size=1), held)
    width = (log(row["oe_upper"]) - log(row["oe_lower"])) / (2 * Z)
    assert width == pytest.approx(wanted, rel=0.03)
    # the middle of the interval is the ratio itself, on the log scale
    assert log(row["observed_expected"]) == pytest.approx(float(log_ratio(people, kind, held)), abs=1e-12)


def test_intervals_hold_the_truth_95_times_in_100():
    # 2,000 samples of 1,500 people: a coverage of 95% would be seen between 94 and 96% nearly always
    samples = np.random.default_rng(20).multinomial(1_500, SHARES, size=2_000)
    patterns = drawn(samples)
    for kind, sets in ASKED.items():
        frame = sr.multimorbidity.combinations(patterns, kind=kind, min_size=1).estimates
        for held in sets:
            rows = frame.filter(pl.col("combination").list.join("") == held)
            assert rows.height == 2_000
            truth = exp(float(log_ratio(SHARES, kind, held)))
            inside = rows.select(((pl.col("oe_lower") <= truth) & (truth <= pl.col("oe_upper"))).mean()).item()
            assert 0.935 < inside < 0.965, (kind, held, inside)


def test_score_test_rejects_independence_5_times_in_100():
    # three independent conditions of 0.3, 0.25 and 0.2
    p = np.array([0.3, 0.25, 0.2])
    shares = np.array([np.prod([p[k] if m >> k & 1 else 1 - p[k] for k in range(3)]) for m in MASKS])
    patterns = drawn(np.random.default_rng(21).multinomial(2_000, shares, size=1_000))
    for kind, sets in {"at_least": ("ab", "abc"), "exact": ("ab",)}.items():
        frame = sr.multimorbidity.combinations(patterns, kind=kind).estimates
        for held in sets:
            rows = frame.filter(pl.col("combination").list.join("") == held)
            assert 0.03 < rows.select((pl.col("p_value") < 0.05).mean()).item() < 0.07, (kind, held)


def test_q_values_are_over_all_rows():
    found = sr.multimorbidity.combinations(counted(TWO, "ab"), min_size=0)
    p = found.estimates["p_value"].to_numpy()
    # naive: of each p, the smallest of p' x 4 / rank of p' over all p' no smaller
    ranked = sorted(p)
    naive = [min(other * 4 / sum(p <= other) for other in ranked if other >= own) for own in p]
    assert found.estimates["q_value"].to_list() == pytest.approx(naive, rel=1e-12)
    assert found.n_tested == 4
    bonferroni = sr.multimorbidity.combinations(counted(TWO, "ab"), min_size=0, correction="bonferroni").estimates
    assert bonferroni["q_value"].to_list() == pytest.approx([min(1, 4 * own) for own in p])


def test_mean_and_total_of_a_value():
    drawn_people = pl.DataFrame({"a": [1, 1, 0], "b": [1, 1, 1], "cost": [10.0, 0.5, 99.0]})
    patterns = sr.Patterns.from_wide(drawn_people, conditions=["a", "b"], values="cost")
    row = by_name(sr.multimorbidity.combinations(patterns), "ab")
    assert (row["n_persons"], row["mean_cost"], row["total_cost"]) == (2, 5.25, 10.5)


def test_sizes_and_least_people():
    patterns = counted({"abc": 2, "ab": 1, "c": 4}, "abc")
    sizes = sr.multimorbidity.combinations(patterns, kind="at_least", min_size=1, max_size=2).estimates["size"]
    assert sorted(sizes) == [1, 1, 1, 2, 2, 2]
    frequent = sr.multimorbidity.combinations(patterns, kind="at_least", min_persons=3).estimates
    assert frequent.select("combination", "n_persons").rows() == [(["a", "b"], 3)]
    assert sr.multimorbidity.combinations(patterns, kind="at_least", min_size=0, max_size=0).estimates.height == 0
    for arguments in ({"min_size": 3, "max_size": 2}, {"min_size": -1}, {"min_persons": 0}):
        with pytest.raises(ArgumentError, match="range of sizes"):
            sr.multimorbidity.combinations(patterns, **arguments)
    with pytest.raises(ArgumentError, match=r"kind='atleast' is not known.*Did you mean 'at_least'\?"):
        sr.multimorbidity.combinations(patterns, kind="atleast")


@pytest.mark.parametrize(
    "cells",
    [{"": 1}, {"ab": 1}, {"": 30}, {"ab": 30}, {"a": 30}, {"a": 15, "": 15}],
    ids=["one healthy", "one with both", "nobody has any", "all have both", "all have one", "one that nobody has"],
)
def test_degenerate_populations(cells):
    patterns = counted(cells, "ab")
    n = sum(cells.values())
    assert sr.multimorbidity.condition_count(patterns).estimates["n_persons"].sum() == n
    assert sr.multimorbidity.prevalence(patterns).estimates["estimate"].is_between(0, 1).all()
    for kind in ("exact", "at_least"):
        result = sr.multimorbidity.combinations(patterns, kind=kind, min_size=0)
        for row in result.estimates.iter_rows(named=True):
            # margins of 0 and 1 make every set as frequent as expected, for certain, and there is nothing to test
            assert row["observed_expected"] == pytest.approx(1)
            assert row["oe_lower"] == pytest.approx(1)
            assert row["p_value"] is None or row["p_value"] == 1
        assert sr.suppress(result, sr.Policy.nhs_england()).disclosure.policy.name == "nhs_england"
        assert isinstance(result.sentence(), str)


def test_rounding_may_make_a_condition_universal_without_breaking_anything():
    # to the nearest 20, 49 people are 40 and 39 with a are 40: "everybody" has a, and b without a cannot be expected
    result = sr.multimorbidity.combinations(counted({"ab": 30, "a": 9, "b": 10}, "ab"), min_size=0)
    safe = sr.suppress(result, sr.Policy.nhs_england(rounding=20)).estimates
    alone = safe.filter(pl.col("combination").list.join("") == "b").row(0, named=True)
    assert alone["n_persons"] == 20
    assert alone["expected"] == 0
    assert alone["observed_expected"] is None
