"""Adjusted figures are shown only as finely as the suppressed counts of their strata allow: attacks, by enumeration."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.disclosure.outputs import interval_of
from symphony_research.inference.bands import SPREAD_LEVELS
from symphony_research.inference.figures import ends_of_figure, to_figures
from symphony_research.inference.strata import stratified_pairs
from symphony_research.networks.association import FACTORS, LEVEL, SPREADS
from symphony_research.policy import Policy

NHS = Policy.nhs_england()
LINEAR = FACTORS[:1]


def world(seed: int, people: int = 1_200) -> tuple[pl.DataFrame, list[str]]:
    """People by sex: two conditions that hardly any woman has, and three that both sexes have."""
    random = np.random.default_rng(seed)
    sex = np.where(random.random(people) < 0.5, "F", "M")
    of_men, others = ["p", "q"], ["x", "y", "z"]
    frame = {"sex": sex}
    for name in of_men:
        has = (sex == "M") & (random.random(people) < random.uniform(0.1, 0.4))
        has[random.choice(np.flatnonzero(sex == "F"), random.integers(1, 8), replace=False)] = True
        frame[name] = has
    for name in others:
        frame[name] = random.random(people) < np.where(sex == "F", *random.uniform(0.15, 0.5, 2))
    return pl.DataFrame(frame), of_men + others


def possible(
    frame: pl.DataFrame,
    conditions: list[str],
    released: sr.Result,
    told: tuple[str, ...],
    policy: Policy,
    *,
    rounded: bool = True,
) -> dict[tuple[str, str], set[int]]:
    """Enumerate what each suppressed count by sex may be, by everything shown of its condition; all other counts are known.

    The condition's own larger counts by sex are given rounded, or (`rounded=False`) not at all.
    """
    strata = frame["sex"].unique().sort().to_list()
    n = np.array([frame.filter(pl.col("sex") == s).height for s in strata], float)
    held = {c: np.array([frame.filter(pl.col("sex") == s)[c].sum() for s in strata]) for c in conditions}
    pairs = {frozenset((r["source"], r["target"])): r for r in released.count_tables["pairs"].iter_rows(named=True)}
    margins = dict(released.count_tables["margins"].select("condition", "n_persons").rows())
    found = {}
    for name in conditions:
        ranges = []
        for count, people in zip(held[name], n, strict=True):
            hidden = 1 <= count <= policy.threshold
            nearest = (count + policy.rounding // 2) // policy.rounding * policy.rounding
            shown = interval_of(policy, None if hidden else nearest)
            ranges.append(shown if rounded or count <= policy.threshold else (0, int(people)))
        if not any(1 <= count <= policy.threshold for count in held[name]):
            continue
        low, high = interval_of(policy, margins[name])
        grid = np.stack(np.meshgrid(*[np.arange(first, last + 1) for first, last in ranges], indexing="ij"), -1)
        grid = grid.reshape(-1, len(strata))
        grid = grid[(grid.sum(axis=1) >= low) & (grid.sum(axis=1) <= high)]
        others = [other for other in conditions if other != name]
        kept = [a for a in grid if all(fits(a, held[o], n, pairs[frozenset((name, o))], told, policy) for o in others)]
        for k, sex in enumerate(strata):
            if 1 <= held[name][k] <= policy.threshold:
                found[name, sex] = {int(a[k]) for a in kept}
    return found


def fits(a: np.ndarray, b: np.ndarray, n: np.ndarray, row: dict, told: tuple[str, ...], policy: Policy) -> bool:
    """Whether people with both can be so spread that every figure told is the one shown."""
    shown = [name for name in told if row[name] is not None]
    if not shown or row["n_both"] is None:
        return True
    if shown == list(LINEAR):
        crude = a.sum() * b.sum() / n.sum()
        return shows((a * b / n).sum() / crude, row, LINEAR[0])
    low, high = interval_of(policy, row["n_both"])
    grid = (
        np.stack(np.meshgrid(*[np.arange(min(x, y) + 1) for x, y in zip(a, b, strict=True)], indexing="ij"), -1)
        .reshape(-1, 2)
        .T
    )
    grid = grid[:, (grid.sum(axis=0) >= low) & (grid.sum(axis=0) <= high)]
    many = np.ones(grid.shape[1])
    within = stratified_pairs(grid, a[:, None] * many, b[:, None] * many, n)
    whole = stratified_pairs(grid.sum(axis=0)[None], a.sum() * many[None], b.sum() * many[None], np.array([n.sum()]))
    ok = many > 0
    with np.errstate(all="ignore"):
        for name, field in zip(FACTORS, ("expected", "odds_ratio"), strict=True):
            if name in shown:
                ok &= shows(getattr(within, field) / getattr(whole, field), row, name)
        for name, field in zip(SPREADS, ("log_ratio_variance", "log_odds_variance"), strict=True):
            if name in shown:
                ok &= shows(getattr(within, field) * within.observed, row, name)
        if LEVEL in shown:
            spread = within.log_ratio_variance * within.observed
            ok &= np.array([min((x for x in SPREAD_LEVELS if s <= x + 1e-9), default=0) for s in spread]) == row[LEVEL]
    return bool(ok.any())


def shows(exact: np.ndarray, row: dict, name: str) -> np.ndarray:
    """Whether a figure would be shown so; of tables that do not tell to how many figures, to three."""
    if "figures" not in row:
        shown = np.array([float(f"{x:.2e}") for x in np.atleast_1d(exact)])
    else:
        fewer = row["figures"] if name in LINEAR else max(row["figures"] - 1, 0)
        shown = to_figures(exact, fewer, upwards=name in SPREADS)
    return np.abs(shown - row[name]) < 1e-9 * max(1, row[name])


def released(frame: pl.DataFrame, conditions: list[str], policy: Policy = NHS) -> sr.Result:
    patterns = sr.Patterns.from_wide(frame, conditions=conditions, by="sex")
    return sr.suppress(sr.networks.cooccurrence(patterns, adjust="sex"), policy)


def narrowed(frame: pl.DataFrame, conditions: list[str], result: sr.Result, told: tuple[str, ...]) -> int:
    """Count the suppressed counts by sex that figures leave with fewer possible numbers than five, or than the counts alone do."""
    by_counts = possible(frame, conditions, result, (), NHS)
    found = possible(frame, conditions, result, told, NHS)
    assert all(len(numbers) > 0 for numbers in found.values())
    return sum(len(found[key]) < min(5, len(by_counts[key])) for key in found)


@pytest.mark.parametrize("seed", range(12))
def test_expected_people_give_back_no_count_by_sex(seed: int) -> None:
    # of a condition that hardly any woman has, expected people with another, sex given, are the share of men with it
    frame, conditions = world(seed)
    assert narrowed(frame, conditions, released(frame, conditions), LINEAR) == 0


@pytest.mark.parametrize("seed", range(12))
def test_nor_of_three_strata(seed: int) -> None:
    frame, conditions = world(seed)
    random = np.random.default_rng(seed)
    older = (frame["sex"] == "F").to_numpy() & (random.random(frame.height) < 0.5)
    frame = frame.with_columns(sex=pl.Series(np.where(older, "F, older", frame["sex"])))
    assert narrowed(frame, conditions, released(frame, conditions), LINEAR) == 0


@pytest.mark.parametrize("seed", range(100, 108))
def test_all_adjusted_figures_together_give_back_no_count_by_sex(seed: int) -> None:
    # variances and odds ratios told as well: enumerated with every spread of the people with both
    frame, conditions = world(seed)
    result = released(frame, conditions)
    assert narrowed(frame, conditions, result, (*FACTORS, *SPREADS, LEVEL)) == 0
    # who is not given the men's rounded counts, which no table here shows, is left five numbers of each
    numbers = possible(frame, conditions, result, (*FACTORS, *SPREADS, LEVEL), NHS, rounded=False)
    assert min(len(own) for own in numbers.values()) >= 5


def test_figures_to_three_would_give_them_back() -> None:
    frame, conditions = world(0)
    result = released(frame, conditions)
    exact = sr.networks.cooccurrence(sr.Patterns.from_wide(frame, conditions=conditions, by="sex"), adjust="sex")
    pairs = result.count_tables["pairs"]
    three = pl.Series("expected_factor", to_figures(exact.count_tables["pairs"]["expected_factor"].to_numpy(), 3))
    fine = pairs.with_columns(three, pl.lit(3).alias("figures"))
    told = result.disclosed({**result.count_tables, "pairs": fine}, result.disclosure)
    assert narrowed(frame, conditions, told, LINEAR) > 0


def test_by_hand() -> None:
    # 3 women and 96 men with p, of 500 each; x in 150 women and 350 men: expected 96 x 0.7 + 3 x 0.3 = 68.1, crude 49.5
    rows = [("F", k < 3, k >= 350) for k in range(500)] + [("M", k < 96, k < 350) for k in range(500)]
    frame = pl.DataFrame(rows, schema=["sex", "p", "x"], orient="row")
    patterns = sr.Patterns.from_wide(frame, conditions=["p", "x"], by="sex")
    exact = sr.networks.cooccurrence(patterns, adjust="sex")
    assert exact.count_tables["pairs"]["expected_factor"].to_list() == pytest.approx([68.1 / 49.5])
    safe = sr.suppress(exact, NHS)
    row = safe.count_tables["pairs"].row(0, named=True)
    assert row["spread"] is None
    # the figure is 1.4 - 0.8 of the share of women: to three, 1.38, it leaves two or three women of 98 to 102 people
    assert (row["figures"], row["expected_factor"]) == (2, 1.4)
    numbers = possible(frame, ["p", "x"], safe, LINEAR, NHS)["p", "F"]
    assert numbers == set(range(1, 8))
    strict = sr.suppress(exact, Policy.nhs_england(level="strict"))
    numbers = possible(frame, ["p", "x"], strict, LINEAR, NHS)["p", "F"]
    assert numbers == set(range(1, 8))


def test_one_figure_is_told_alike_by_every_result_of_a_call() -> None:
    frame, conditions = world(3)
    patterns = sr.Patterns.from_wide(frame, conditions=conditions, by="sex")
    pairs, sets, others = sr.suppress(
        [
            sr.networks.cooccurrence(patterns, adjust="sex"),
            sr.multimorbidity.combinations(patterns, kind="at_least", adjust="sex", max_size=3),
            sr.multimorbidity.comorbidity_profile(patterns, condition="p", adjust="sex"),
        ],
        NHS,
    )
    told = {
        frozenset(r[:2]): r[2:]
        for r in pairs.count_tables["pairs"].select("source", "target", "expected_factor", "figures").rows()
    }
    found = 0
    for result in (sets, others):
        rows = result.count_tables["cells"].filter(pl.col("size") == 2, pl.col("figures") > 0)
        for row in rows.iter_rows(named=True):
            assert (row["expected_factor"], row["figures"]) == pytest.approx(told[frozenset(row["combination"])])
            found += 1
    assert found > 5


def test_where_no_figure_can_be_told_counts_stay() -> None:
    rows = [("F", k < 5, k < 450) for k in range(500)] + [("M", k < 9, k >= 495) for k in range(500)]
    frame = pl.DataFrame(rows, schema=["sex", "p", "x"], orient="row")
    patterns = sr.Patterns.from_wide(frame, conditions=["p", "x"], by="sex")
    safe = sr.suppress(sr.networks.cooccurrence(patterns, adjust="sex"), Policy.nhs_england(level="strict"))
    row = safe.estimates.row(0, named=True)
    if safe.count_tables["pairs"]["figures"][0] == 0:
        assert row["n_source"] is not None
        assert (row["expected"], row["observed_expected"], row["lower"]) == (None, None, None)
        assert row["p_value"] == 1.0
    again = sr.suppress(safe, safe.disclosure.policy)
    assert again.estimates.equals(safe.estimates)


def test_an_interval_holds_every_expected_number_that_a_coarse_one_stands_for() -> None:
    frame, conditions = world(5)
    patterns = sr.Patterns.from_wide(frame, conditions=conditions, by="sex")
    for exact in (
        sr.networks.cooccurrence(patterns, adjust="sex"),
        sr.multimorbidity.combinations(patterns, kind="at_least", adjust="sex", max_size=2),
    ):
        lower = "lower" if "n_both" in exact.estimates.columns else "oe_lower"
        key = ["source", "target"] if "n_both" in exact.estimates.columns else ["combination"]
        safe = sr.suppress(exact, NHS)
        both = safe.estimates.join(exact.estimates, on=key, suffix="_exact").filter(
            pl.col(lower).is_not_null(), pl.col("observed_expected").is_not_null()
        )
        assert both.height
        # a true ratio of which the exact estimate is well inside is not omitted
        assert (both[lower] <= both["observed_expected_exact"] * 1.001).all()
        # nothing is surer of what the exact figures do not show
        assert (both["p_value"] >= both["p_value_exact"] * 0.2 - 1e-12).all()


@pytest.mark.parametrize("figures", [1, 2, 3])
def test_ends_hold_all_that_is_shown_so_and_nothing_else(figures: int) -> None:
    exact = np.random.default_rng(figures).lognormal(0, 2, 20_000)
    shown = to_figures(exact, figures)
    low, high = ends_of_figure(shown, figures)
    assert ((exact >= low) & (exact <= high)).all()
    for end, inwards in ((low, 1 + 1e-6), (high, 1 - 1e-6)):
        assert to_figures(end * inwards, figures) == pytest.approx(shown)
        assert (np.abs(to_figures(end * (2 - inwards), figures) - shown) > 0).all()
    finer = ends_of_figure(to_figures(exact, min(figures + 1, 3)), min(figures + 1, 3))
    assert (finer[0] >= low - 1e-9).all()
    assert (finer[1] <= high + 1e-9).all()
