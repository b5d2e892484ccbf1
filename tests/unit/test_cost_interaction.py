"""What combinations cost beyond the sum of their parts, and what people with one condition have besides."""

from __future__ import annotations

import dataclasses
from math import floor, log10, sqrt

import numpy as np
import polars as pl
import pytest
from scipy.stats import t

import symphony_research as sr
from symphony_research.disclosure.outputs import released_output
from symphony_research.errors import ArgumentError

Z = 1.959963984540054  # R: qnorm(0.975)


def by_hand() -> pl.DataFrame:
    #               a     b     a and b   neither
    #  young     10, 30  20, 20  90, 110    0, 10     parts add up to 20 + 20 - 5 = 35, and they cost 100
    #  old       50, 70  40, 60   300      10, 30     parts add up to 60 + 50 - 20 = 90, and she costs 300
    rows = [
        *[("young", 1, 0, c) for c in (10, 30)], *[("young", 0, 1, c) for c in (20, 20)],
        *[("young", 1, 1, c) for c in (90, 110)], *[("young", 0, 0, c) for c in (0, 10)],
        *[("old", 1, 0, c) for c in (50, 70)], *[("old", 0, 1, c) for c in (40, 60)],
        ("old", 1, 1, 300), *[("old", 0, 0, c) for c in (10, 30)],
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=["age_band", "a", "b", "cost"], orient="row")


@pytest.mark.parametrize("kind", ["exact", "at_least"])
def test_what_lies_beyond_the_sum_of_the_parts(kind):
    patterns = sr.Patterns.from_wide(by_hand(), conditions=["a", "b"], by="age_band", values="cost")
    found = sr.multimorbidity.cost_interaction(patterns, kind=kind, adjust="age_band", min_persons=1)
    assert found.n_tested == 1
    row = found.estimates.row(0, named=True)
    assert (row["n_persons"], row["n_compared"], row["total"]) == (3, 3, 500)
    assert row["share_of_total"] == pytest.approx(500 / 850)
    assert row["estimate"] == pytest.approx(500 / 3)
    # two young people at 35 and one old at 90
    assert row["expected"] == pytest.approx((2 * 35 + 90) / 3)
    assert row["excess"] == pytest.approx(340 / 3)
    # people: 55, 75 and 210 above what their parts add up to; variance of their mean
    own = ((55 - 340 / 3) ** 2 + (75 - 340 / 3) ** 2 + (210 - 340 / 3) ** 2) / 2 / 3
    # parts: variances of the means of two people each: young 200/2, 0, 50/2; old 200/2, 200/2, 200/2
    parts = ((2 / 3) ** 2 * (100 + 0 + 25)) + ((1 / 3) ** 2 * (100 + 100 + 100))
    # three people compared, and four with each part in all: two degrees of freedom; R: qt(0.975, 2)
    assert row["excess_lower"] == pytest.approx(340 / 3 - 4.302652729749464 * sqrt(own + parts))
    assert row["p_value"] == pytest.approx(2 * t.sf(340 / 3 / sqrt(own + parts), 2), rel=1e-9)
    deviation = sqrt(((90 - 500 / 3) ** 2 + (110 - 500 / 3) ** 2 + (300 - 500 / 3) ** 2) / 2 / 3)
    assert row["upper"] == pytest.approx(500 / 3 + Z * deviation)
    assert row["lower"] == pytest.approx(max(0, 500 / 3 - Z * deviation))


def test_a_stratum_without_every_part_is_left_out_and_said():
    frame = pl.concat(
        [by_hand(), pl.DataFrame({"age_band": ["oldest"] * 2, "a": [1, 1], "b": [1, 1], "cost": [500, 700]})]
    )
    patterns = sr.Patterns.from_wide(frame, conditions=["a", "b"], by="age_band", values="cost")
    row = sr.multimorbidity.cost_interaction(patterns, adjust="age_band", min_persons=1).estimates.row(0, named=True)
    assert (row["n_persons"], row["n_compared"]) == (5, 3)
    assert row["excess"] == pytest.approx(340 / 3)
    alone = sr.Patterns.from_wide(frame.filter(pl.col("age_band") == "oldest"), conditions=["a", "b"], values="cost")
    row = sr.multimorbidity.cost_interaction(alone, min_persons=1).estimates.row(0, named=True)
    assert (row["n_compared"], row["excess"], row["expected"], row["p_value"]) == (0, None, None, None)


def test_triads_are_those_of_naive_people():
    rng = np.random.default_rng(4)
    held = rng.random((900, 4)) < [0.4, 0.35, 0.3, 0.5]
    cost = rng.gamma(1, 100, 900) * (1 + held.sum(axis=1))
    frame = pl.DataFrame({**{f"c{k}": held[:, k] for k in range(4)}, "cost": cost.round(2)})
    patterns = sr.Patterns.from_wide(frame, conditions=["c0", "c1", "c2", "c3"], values="cost")
    cost = frame["cost"].to_numpy()
    for kind in ("exact", "at_least"):
        found = sr.multimorbidity.cost_interaction(patterns, kind=kind, min_size=3, max_size=3, min_persons=2)
        for row in found.estimates.iter_rows(named=True):
            own = [int(name[1]) for name in row["combination"]]
            others = [k for k in range(4) if k not in own]
            rest = ~held[:, others].any(axis=1) if kind == "exact" else np.ones(900, bool)

            def mean(pattern: tuple[int, ...], own=own, rest=rest) -> float:
                return cost[(held[:, own] == np.array(pattern, bool)).all(axis=1) & rest].mean()

            added = mean((1, 0, 0)) + mean((0, 1, 0)) + mean((0, 0, 1)) - 2 * mean((0, 0, 0))
            assert row["expected"] == pytest.approx(added, rel=1e-9)
            assert row["excess"] == pytest.approx(mean((1, 1, 1)) - added, rel=1e-9)


def test_intervals_hold_the_true_excess_95_times_in_100():
    # a, b and both multiply costs, so both cost 100 x (3 x 2 - 3 - 2 + 1) = 200 more than they add up to, in all strata
    rng = np.random.default_rng(11)
    inside = 0
    for _ in range(400):
        n = 1_200
        old = rng.random(n) < 0.4
        a, b = rng.random(n) < 0.3 + 0.2 * old, rng.random(n) < 0.25 + 0.2 * old
        cost = rng.gamma(2, 50, n) * np.where(a, 3, 1) * np.where(b, 2, 1)
        frame = pl.DataFrame({"old": old, "a": a, "b": b, "cost": cost})
        patterns = sr.Patterns.from_wide(frame, conditions=["a", "b"], by="old", values="cost")
        row = sr.multimorbidity.cost_interaction(patterns, adjust="old").estimates.row(0, named=True)
        inside += row["excess_lower"] <= 200 <= row["excess_upper"]
    assert 0.92 < inside / 400 < 0.98  # Monte Carlo error 1.1 points


def test_what_may_not_be_shown_takes_its_cost_with_it():
    rng = np.random.default_rng(2)
    held = rng.random((600, 4)) < [0.4, 0.3, 0.1, 0.05]
    frame = pl.DataFrame({**{f"c{k}": held[:, k] for k in range(4)}, "cost": rng.gamma(1, 500, 600).round(2)})
    patterns = sr.Patterns.from_wide(frame, conditions=["c0", "c1", "c2", "c3"], values="cost")
    safe = sr.suppress(
        sr.multimorbidity.cost_interaction(patterns, kind="at_least", min_persons=1), sr.Policy.nhs_england()
    )
    hidden = safe.estimates.filter(pl.col("n_persons").is_null())
    assert hidden.height > 0
    assert hidden.select(pl.col("estimate", "total", "share_of_total").is_not_null().sum()).row(0) == (0, 0, 0)
    for row in safe.estimates.iter_rows(named=True):
        if row["n_compared"] is None or row["n_left_out"] is None:
            assert row["expected"] is row["excess"] is row["p_value"] is None
    assert set(safe.count_tables) == {"cells", "population"}
    cells = safe.count_tables["cells"]
    for column in ("expected", "excess_margin"):
        assert 0 < cells[column].null_count() < cells.height
        assert cells.filter(pl.any_horizontal(pl.col("n_persons", "mean").is_null()))[column].is_null().all()
    assert cells.filter(pl.col("expected").is_null() != pl.col("excess_margin").is_null()).height == 0
    # no mean is shown where one or two people might have a thousandth of the sum
    rule = dataclasses.replace(sr.Policy.sacro(), dominance=(2, 0.001))
    strict = sr.suppress(sr.multimorbidity.cost_interaction(patterns, min_persons=1), rule).estimates
    assert strict.select(pl.col("estimate", "total", "excess").is_not_null().sum()).row(0) == (0, 0, 0)


def test_whom_the_parts_leave_out_is_a_count_too():
    # 20 people with both, of whom one is in a stratum without parts: beside the mean of all, that of 19 would tell her cost
    rows = [("many", a, b, 100.0) for a in (0, 1) for b in (0, 1) for _ in range(19)] + [("one", 1, 1, 9_999.0)]
    frame = pl.DataFrame(rows, schema=["group", "a", "b", "cost"], orient="row")
    patterns = sr.Patterns.from_wide(frame, conditions=["a", "b"], by="group", values="cost")
    exact = sr.multimorbidity.cost_interaction(patterns, adjust="group", min_persons=8)
    assert exact.estimates.row(0, named=True)["n_left_out"] == 1
    row = sr.suppress(exact, sr.Policy.nhs_england()).estimates.row(0, named=True)
    assert (row["n_persons"], row["n_left_out"], row["expected"], row["excess"]) == (20, None, None, None)


def with_few(**others: int) -> pl.DataFrame:
    """Ten and more young people with neither, one and both; of the old so many with a alone, and with both."""
    held = {("young", 0, 0): 30, ("young", 1, 0): 12, ("young", 0, 1): 15, ("young", 1, 1): 30, ("old", 0, 0): 40,
            ("old", 1, 0): others["alone"], ("old", 0, 1): 20, ("old", 1, 1): others["both"]}  # fmt: skip
    base = {"young": 100, "old": 300}
    rows = [
        (age, a, b, base[age] + 200 * a + 400 * b + 250 * a * b + 10 * (i % 7))
        for (age, a, b), n in held.items()
        for i in range(n)
    ]
    return pl.DataFrame(rows, schema=["age_band", "a", "b", "cost"], orient="row")


def costs_of(frame: pl.DataFrame, **arguments) -> sr.Result:
    patterns = sr.Patterns.from_wide(frame, conditions=["a", "b"], by="age_band", values="cost")
    return sr.multimorbidity.cost_interaction(patterns, **{"adjust": "age_band", "min_persons": 1, **arguments})


def cost(frame: pl.DataFrame, age: str, a: int, b: int) -> np.ndarray:
    return frame.filter(pl.col("age_band") == age, pl.col("a") == a, pl.col("b") == b)["cost"].to_numpy()


def figures(value: float, n: int) -> float:
    return float(f"{value:.{n - 1}e}")


@pytest.mark.parametrize("kind", ["exact", "at_least"])
def test_released_parts_are_added_up_where_each_has_more_than_the_threshold(kind):
    # of old people three have a alone, and five have both: those take what the parts of the young add up to
    frame = with_few(alone=3, both=5)
    found = costs_of(frame, kind=kind)
    assert found.estimates.select("n_compared", "n_left_out").row(0) == (35, 0)
    row = sr.suppress(found, sr.Policy.nhs_england()).estimates.row(0, named=True)
    young = {(a, b): cost(frame, "young", a, b) for a in (0, 1) for b in (0, 1)}
    added = young[1, 0].mean() + young[0, 1].mean() - young[0, 0].mean()
    own = np.concatenate([cost(frame, age, 1, 1) for age in ("young", "old")])
    assert row["expected"] == figures(added, 3)
    assert row["estimate"] == figures(own.mean(), 3)
    assert row["excess"] == row["estimate"] - row["expected"]
    # all 35 are set against the same sum; the fewest of a part are twelve: R qt(0.975, 11)
    of_parts = sum(young[one].var(ddof=1) / len(young[one]) for one in ((0, 0), (1, 0), (0, 1)))
    margin = figures(2.200985160082949 * sqrt(own.var(ddof=1) / 35 + of_parts), 2)
    # and by what the two means (to three figures) and the margin (to two) may have been rounded, half a step each
    steps = sum(10 ** (floor(log10(x)) - 2) for x in (row["estimate"], row["expected"])) + 10 ** (
        floor(log10(margin)) - 1
    )
    assert row["excess_upper"] - row["excess"] == pytest.approx(margin + steps / 2)
    assert row["excess"] - row["excess_lower"] == pytest.approx(margin + steps / 2)
    assert (row["n_persons"], row["n_compared"], row["n_left_out"]) == (35, 35, 0)


def test_of_both_strata_each_counts_as_its_people_of_the_combination():
    frame = with_few(alone=16, both=20)
    row = sr.suppress(costs_of(frame), sr.Policy.nhs_england()).estimates.row(0, named=True)
    added = {
        age: cost(frame, age, 1, 0).mean() + cost(frame, age, 0, 1).mean() - cost(frame, age, 0, 0).mean()
        for age in ("young", "old")
    }
    assert row["expected"] == figures((30 * added["young"] + 20 * added["old"]) / 50, 3)


@pytest.mark.parametrize(
    ("others", "arguments", "policy"),
    [
        # three old people have a alone, and more have both than may be averaged
        ({"alone": 3, "both": 8}, {}, sr.Policy.nhs_england()),
        ({"alone": 3, "both": 10}, {}, sr.Policy.sacro()),
        # twelve young people have a alone: ten as shown, and under the threshold of a stricter rule
        ({"alone": 3, "both": 5}, {"min_persons": 11}, sr.Policy.nhs_england()),
        ({"alone": 3, "both": 5}, {}, sr.Policy.nhs_england(threshold=12)),
    ],
)
def test_what_is_not_compared_looks_like_what_is_suppressed(others, arguments, policy):
    found = costs_of(with_few(**others), **arguments)
    released = sr.suppress(found, policy)
    row = released.estimates.row(0, named=True)
    beyond = ("n_compared", "n_left_out", "expected", "excess", "excess_lower", "excess_upper", "p_value", "q_value")
    assert row["estimate"] is not None
    assert [row[c] for c in beyond] == [None] * 8
    assert {released.format_cell(row, c) for c in beyond} == {"[c]"}


def test_where_most_people_would_be_averaged_nothing_is_compared():
    # ten young people have both, and six in each of two strata where nobody has a alone
    many = {("young", 0, 0): 30, ("young", 1, 0): 12, ("young", 0, 1): 15, ("young", 1, 1): 10}
    few = {(age, 0, 0): 30 for age in ("old", "oldest")} | {(age, 1, 1): 6 for age in ("old", "oldest")}
    rows = [(*held, 100.0 + i) for held, n in (many | few).items() for i in range(n)]
    frame = pl.DataFrame(rows, schema=["age_band", "a", "b", "cost"], orient="row")
    assert sr.suppress(costs_of(frame), sr.Policy.nhs_england()).estimates["excess"].null_count() == 1
    fewer = frame.filter((pl.col("age_band") != "oldest") | (pl.col("a") == 0))
    assert sr.suppress(costs_of(fewer), sr.Policy.nhs_england()).estimates["excess"].null_count() == 0


def test_a_part_that_is_mostly_one_person_is_not_added_up():
    # of eight old people with a alone one costs nearly all; the old have both far more often than the young
    frame = with_few(alone=8, both=300)
    dear = (pl.col("age_band") == "old") & (pl.col("a") == 1) & (pl.col("b") == 0)
    one = frame.with_columns(pl.when(dear & (dear.cum_sum() == 1)).then(90_000).otherwise("cost").alias("cost"))
    assert sr.suppress(costs_of(frame), sr.Policy.nhs_england()).estimates["excess"].null_count() == 0
    assert sr.suppress(costs_of(one), sr.Policy.nhs_england()).estimates["excess"].null_count() == 1


def test_a_released_p_value_is_small_just_where_the_interval_excludes_nought():
    rng = np.random.default_rng(3)
    held = rng.random((3_000, 6)) < [0.4, 0.35, 0.3, 0.25, 0.2, 0.3]
    spent = rng.gamma(1, 300, 3_000) * (1 + held.sum(axis=1)) * np.where(held[:, 0] & held[:, 1], 1.4, 1)
    frame = pl.DataFrame({**{f"c{k}": held[:, k] for k in range(6)}, "cost": spent.round(2)})
    patterns = sr.Patterns.from_wide(frame, conditions=[f"c{k}" for k in range(6)], values="cost")
    for confidence in (0.8, 0.95):
        found = sr.multimorbidity.cost_interaction(patterns, kind="at_least", confidence=confidence)
        for result in (found, sr.suppress(found, sr.Policy.nhs_england()), sr.suppress(found, sr.Policy.sacro())):
            shown = result.estimates.drop_nulls("p_value")
            outside = (shown["excess_lower"] > 0) | (shown["excess_upper"] < 0)
            if result is found:
                assert (outside == (shown["p_value"] < 1 - confidence)).all()
            elif confidence == 0.95:  # in bands, of which that interval's level is one
                assert (outside == (shown["p_value"] <= 0.05)).all()
            else:
                assert (outside | (shown["p_value"] == 1)).all()
            assert 0 < outside.sum() < shown.height


def test_costs_say_what_is_wrong():
    patterns = sr.define_cohort(sr.example_study()).patterns(values="cost")
    with pytest.raises(ArgumentError, match=r"value='bed_days' is not summed in these patterns\. Values: cost"):
        sr.multimorbidity.cost_interaction(patterns, value="bed_days")
    with pytest.raises(ArgumentError, match="within 2 to 8"):
        sr.multimorbidity.cost_interaction(patterns, max_size=9)


def further() -> sr.Patterns:
    held = {"abc": 4, "ab": 3, "a": 2, "b": 5, "c": 6, "": 10}
    rows = [(*(name in cell for name in "abc"), 10 * len(cell)) for cell, n in held.items() for _ in range(n)]
    return sr.Patterns.from_wide(
        pl.DataFrame(rows, schema=["a", "b", "c", "cost"], orient="row"), conditions=list("abc"), values="cost"
    )


def test_of_people_with_a_condition_how_many_others_they_have():
    found = sr.multimorbidity.comorbidity_count(further(), top=2)
    # of nine people with a: two have no other, three one, four two
    own = found.estimates.filter(pl.col("condition") == "a")
    assert own["n_persons"].to_list() == [2, 3, 4]
    assert own["estimate"].to_list() == pytest.approx([2 / 9, 3 / 9, 4 / 9])
    assert own["mean_cost"].to_list() == [10, 20, 30]
    assert found.format_cell(own.row(2, named=True), "n_others") == "2 or more others"
    # everybody with two others or more together; one is the last then
    one = sr.multimorbidity.comorbidity_count(further(), conditions="a", top=1).estimates
    assert one["n_persons"].to_list() == [2, 7]
    assert one["mean_cost"].to_list() == pytest.approx([10, (3 * 20 + 4 * 30) / 7])
    assert "have none of the other conditions" in found.sentence()
    with pytest.raises(ArgumentError, match="conditions='gout' is not known"):
        sr.multimorbidity.comorbidity_count(further(), conditions="gout")
    with pytest.raises(ArgumentError, match="at least 1"):
        sr.multimorbidity.comorbidity_count(further(), top=0)


def test_of_people_with_a_condition_which_others_they_have():
    found = sr.multimorbidity.comorbidity_profile(further(), condition="a")
    #  b: 7 of the 9 with a; 12 of 30 people have b, so 9 x 12 / 30 = 3.6 by chance.  c: 4 of 9, 9 x 10 / 30 = 3
    assert found.estimates["condition"].to_list() == ["b", "c"]
    assert found.estimates["n_persons"].to_list() == [7, 4]
    assert found.estimates["estimate"].to_list() == pytest.approx([7 / 9, 4 / 9])
    assert found.estimates["expected"].to_list() == pytest.approx([3.6, 3.0])
    assert found.estimates["expected_share"].to_list() == pytest.approx([0.4, 1 / 3])
    assert found.estimates["mean_cost"].to_list() == pytest.approx([(3 * 20 + 4 * 30) / 7, 30])
    assert found.n_tested == 2  # other conditions listed
    assert found.sentence().startswith(
        "B is the commonest comorbidity of a: 78% (95% CI 45 to 94) of them (about 7 people)"  # 7 of 9, Wilson
    )
    safe = sr.suppress(found, sr.Policy.nhs_england())
    assert (safe.named.height, safe.estimates.height) == (0, 2)
    # nothing is said of people with b and c, whose number was not asked: not even that there are few
    assert {cell.of.having for cell in released_output(safe).cells if len(cell.of.having) == 2} == {
        ("a", "b"),
        ("a", "c"),
    }
    with pytest.raises(ArgumentError, match="condition='gout' is not known"):
        sr.multimorbidity.comorbidity_profile(further(), condition="gout")
