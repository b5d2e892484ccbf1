"""Means give back no suppressed one's sum, nor a small number of contacts: attacks, by enumeration."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linprog

import symphony_research as sr
from symphony_research.disclosure.magnitudes import stepped, steps_of_integers
from symphony_research.disclosure.outputs import interval_of
from symphony_research.policy import Policy

NHS = Policy.nhs_england()


def study(seed: int = 0, women: int = 60) -> pl.DataFrame:
    """Women and men with and without a; of the women with a one costs nearly all."""
    random = np.random.default_rng(seed)
    rows = [("F", True, 90_000.0 + 1_000 * random.random())] + [("F", True, 5.0)] * (women - 1)
    rows += [("M", True, float(x)) for x in random.gamma(4, 30, 2_000)]
    rows += [(sex, False, float(x)) for sex in "FM" for x in random.gamma(4, 40, 600)]
    return pl.DataFrame(rows, schema=["sex", "a", "cost"], orient="row")


def results(frame: pl.DataFrame) -> list[sr.Result]:
    """Everybody, and by sex."""
    tables = [sr.Patterns.from_wide(frame, conditions=["a"], by=by, values="cost") for by in ((), "sex")]
    return [sr.multimorbidity.combinations(one, kind="at_least", min_size=1) for one in tables]


def interval_of_sum(mean: float | None, people: int) -> tuple[float, float]:
    if mean is None:
        return 0.0, np.inf
    figures = 2 if mean < 100 else 3
    half = 10.0 ** (np.floor(np.log10(mean)) - figures + 1) / 2
    low, high = interval_of(NHS, people)
    return (mean - half) * low, (mean + half) * high


def sums_of(released: list[sr.Result]) -> dict[tuple[str, str], tuple[float, float]]:
    """Return between which sums each mean shown says that its people's costs lie: of everybody, and of those with a."""
    found = {}
    for result in released:
        for name, what in (("population", "all"), ("cells", "a")):
            for row in result.count_tables[name].iter_rows(named=True):
                found[row.get("sex", "both"), what] = interval_of_sum(row["mean_cost"], row["n_persons"])
    return found


def ends(found: dict[tuple[str, str], tuple[float, float]], wanted: tuple[str, str]) -> tuple[float, float]:
    """Return the least and most of one sum, by linear programmes over all: strata add up, and those with a are some of all."""
    keys = [(sex, what) for sex in ("F", "M", "both") for what in ("a", "all")]
    at = {key: k for k, key in enumerate(keys)}
    equal, less = np.zeros((2, 6)), np.zeros((3, 6))
    for k, what in enumerate(("a", "all")):
        equal[k, [at["F", what], at["M", what], at["both", what]]] = 1, 1, -1
    for k, sex in enumerate(("F", "M", "both")):
        less[k, [at[sex, "a"], at[sex, "all"]]] = 1, -1
    bounds = [tuple(None if np.isinf(x) else x for x in found[key]) for key in keys]
    told = []
    for sign in (1, -1):
        cost = np.zeros(6)
        cost[at[wanted]] = sign
        solved = linprog(cost, A_ub=less, b_ub=np.zeros(3), A_eq=equal, b_eq=np.zeros(2), bounds=bounds)
        told.append(np.inf if solved.status == 3 else sign * solved.fun)
    return told[0], told[1]


def test_unsearched_sums_would_give_it_back() -> None:
    found = sums_of(list(sr.suppress(results(study()), Policy.nhs_england(level="rule_text"))))
    low, high = ends(found, ("F", "a"))
    assert 85_000 < low < 90_000 < high < 95_000


@pytest.mark.parametrize("seed", range(10))
def test_a_total_less_its_parts_gives_no_dominated_sum_back(seed: int) -> None:
    released = list(sr.suppress(results(study(seed)), NHS))
    women = released[1].count_tables["cells"].filter(pl.col("sex") == "F").row(0, named=True)
    # the count is shown, the mean is that of one woman
    assert (women["n_persons"], women["mean_cost"]) == (60, None)
    found = sums_of(released)
    for key, (_, high) in found.items():
        if np.isinf(high):
            low, high = ends(found, key)
            assert high - low >= 2 * NHS.p_percent * high * 0.999 or np.isinf(high), key


def test_by_hand() -> None:
    # 60 women with a: 90,000 and a little; 2,000 men some 240,000; both together: the difference is known to some 4%
    released = sr.suppress(results(study()), NHS)
    shown = {key for key, (_, high) in sums_of(list(released)).items() if np.isfinite(high)}
    # each line that would give the women back lacks a mean, and the smaller one where either would do
    assert ("F", "a") not in shown
    assert not {("M", "a"), ("both", "a")} <= shown
    assert ("both", "all") in shown
    # counts are as they were
    for result in released:
        assert result.count_tables["cells"]["n_persons"].null_count() == 0


def test_sums_that_nothing_gives_back_stay() -> None:
    frame = study().with_columns(cost=pl.col("cost").clip(upper_bound=500))
    for result in sr.suppress(results(frame), NHS):
        for table in ("cells", "population"):
            assert result.count_tables[table]["mean_cost"].null_count() == 0


def test_the_letter_of_the_rule_searches_no_sums() -> None:
    released = sr.suppress(results(study()), Policy.nhs_england(level="rule_text"))
    assert sum(r.count_tables["cells"]["mean_cost"].null_count() for r in released) == 1


@pytest.mark.parametrize("seed", range(6))
def test_a_mean_of_integers_leaves_several_pairs_of_people_and_sum(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = [(sex, bool(random.random() < 0.2), int(x)) for sex in "FM" for x in random.poisson(1.1, 70)]
    frame = pl.DataFrame(rows, schema=["sex", "a", "admissions"], orient="row")
    table = sr.Patterns.from_wide(frame, conditions=["a"], by="sex", values="admissions")
    exact = sr.multimorbidity.combinations(table, kind="at_least", min_size=1)
    safe = sr.suppress(exact, NHS)
    seen = 0
    for name in ("cells", "population"):
        for row, own in zip(
            safe.count_tables[name].iter_rows(named=True), exact.count_tables[name].iter_rows(named=True), strict=True
        ):
            mean = row["mean_admissions"]
            if mean is None:
                continue
            low, high = interval_of(NHS, row["n_persons"])
            unit = 10.0 ** (np.floor(np.log10(own["mean_admissions"])) - 1)
            step = steps_of_integers(
                np.array([own["mean_admissions"]]), np.array([unit]), np.array([low]), np.array([high])
            )
            pairs = [
                (n, total)
                for n in range(int(low), int(high) + 1)
                for total in range(3 * n)
                if stepped(np.array(total / n), step)[0] == pytest.approx(mean)
            ]
            assert len(pairs) >= 5
            assert (own["n_persons"], round(own["mean_admissions"] * own["n_persons"])) in pairs
            seen += 1
    assert seen >= 2


def test_eight_admissions_of_ten_people_by_hand() -> None:
    # 8 to 12 people, mean 0.80 to two figures: of five pairs 8 of 10 alone; to tenths 0.8 is 6 of 8, 7 of 9, 8 of 10, 9 of 11 and more
    assert steps_of_integers(np.array([0.8]), np.array([0.01]), np.array([8.0]), np.array([12.0])) == pytest.approx(0.1)


def test_no_expected_mean_and_excess_stand_where_they_would_add_up_to_a_suppressed_mean() -> None:
    random = np.random.default_rng(1)
    rows = [(True, True, 80_000.0)] + [(True, True, 1.0)] * 49
    rows += [
        (a, b, float(x)) for a, b in ((True, False), (False, True), (False, False)) for x in random.gamma(4, 50, 100)
    ]
    frame = pl.DataFrame(rows, schema=["a", "b", "cost"], orient="row")
    costs = sr.multimorbidity.cost_interaction(sr.Patterns.from_wide(frame, conditions=["a", "b"], values="cost"))
    safe = sr.suppress(costs, NHS)
    row = safe.estimates.row(0, named=True)
    assert (row["n_persons"], row["estimate"], row["expected"], row["excess"]) == (50, None, None, None)
