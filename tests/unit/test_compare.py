"""Do two networks differ: every division of eight people, the level of the test, and what may be released."""

from __future__ import annotations

import itertools
from math import exp, log, sqrt

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research.networks.compare import LEVELS

Z = 1.959963984540054  # R: qnorm(0.975)


def patterns_of(rows: list[tuple[int, ...]] | np.ndarray, strata: list[object] | None = None) -> sr.Patterns:
    names = [f"c{k}" for k in range(np.shape(rows)[1])]
    frame = pl.DataFrame(np.asarray(rows, dtype=np.int64), schema=names)
    if strata is None:
        return sr.Patterns.from_wide(frame, conditions=names)
    return sr.Patterns.from_wide(frame.with_columns(pl.Series("age", strata)), conditions=names, by="age")


def naive_statistics(people: np.ndarray, strata: np.ndarray, in_a: np.ndarray) -> np.ndarray:
    """Each pair's statistic, person by person, as written on paper.

    X = sum of C_a E_b / (E_a + E_b), Y = sum of C_b E_a / (E_a + E_b); with k = (share of X + Y's expectation that leans
    to b, to a) / 2 and Z = what X and Y both are at a ratio of one, log (X + k_a) / (Z + k_a) - log (Y + k_b) / (Z + k_b),
    over the root of the summed squares of every person's influence and of the halves'.
    """
    found = []
    for i, j in itertools.combinations(range(people.shape[1]), 2):
        members = [[people[g & (strata == s)][:, [i, j]] for g in (in_a, ~in_a)] for s in np.unique(strata)]
        c = np.array([[(m[:, 0] * m[:, 1]).sum() for m in pair] for pair in members], dtype=float)
        e = np.array([[m[:, 0].sum() * m[:, 1].mean() if len(m) else 0.0 for m in pair] for pair in members])
        use = e.prod(axis=1) > 0  # elsewhere nobody of one of the groups can have both
        c, e, members = c[use], e[use], [pair for pair, kept in zip(members, use, strict=True) if kept]
        w = e.sum(axis=1)
        level = (c.sum(axis=1) / w * e.prod(axis=1) / w).sum()  # either sum, had both groups the O/E of both together
        if not level:
            found.append(0.0)
            continue
        k_a = (c.sum(axis=1) / w * e.prod(axis=1) / w * e[:, 1] / w).sum() / level / 2
        k_b = 0.5 - k_a
        x, y = (c[:, 0] * e[:, 1] / w).sum(), (c[:, 1] * e[:, 0] / w).sum()
        z = 2 * (k_b * x + k_a * y)
        variance = 2 * (k_a / (x + k_a)) ** 2 + 2 * (k_b / (y + k_b)) ** 2
        for own in (0, 1):
            moved = [np.zeros(int((~in_a if own else in_a).sum()))]
            for s, pair in enumerate(members):
                m = pair[own]
                p, q = m.mean(axis=0)
                gain = m[:, 0] * q + m[:, 1] * p - p * q
                other = e[s, 1 - own]
                of_own = m.prod(axis=1) * other / w[s] - c[s, own] * other / w[s] ** 2 * gain
                of_other = c[s, 1 - own] * other / w[s] ** 2 * gain
                sums = (x + k_a, y + k_b) if own == 0 else (y + k_b, x + k_a)
                moved.append(of_own / sums[0] - of_other / sums[1])
            everyone = np.concatenate(moved[1:])
            variance += (everyone**2).sum() - everyone.sum() ** 2 / len(moved[0])
        found.append((log((x + k_a) / (z + k_a)) - log((y + k_b) / (z + k_b))) / sqrt(variance))
    return np.array(found)


EIGHT = np.array([[1, 1, 0], [1, 1, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]])


def every_division(strata: np.ndarray) -> list[np.ndarray]:
    """Every way to put half of each stratum into the first group."""
    groups = [np.flatnonzero(strata == s) for s in np.unique(strata)]
    chosen = itertools.product(*[itertools.combinations(g, len(g) // 2) for g in groups])
    return [np.isin(np.arange(len(strata)), np.concatenate(parts)) for parts in chosen]


@pytest.mark.parametrize("strata", [np.zeros(8, int), np.array([0, 1, 0, 0, 1, 1, 0, 1])], ids=["one", "two"])
def test_p_values_are_those_of_every_division_of_eight_people(strata):
    # Authority: all 70 (or 36) divisions, the statistic person by person, Westfall and Young's step-down written out
    divisions = every_division(strata)
    assert len(divisions) == (70 if not strata.any() else 36)
    every = np.abs([naive_statistics(EIGHT, strata, division) for division in divisions])
    compared = 0
    for division in divisions[3::7]:
        observed = np.abs(naive_statistics(EIGHT, strata, division))
        single = (every >= observed - 1e-9).mean(axis=0)
        order = np.argsort(-observed, kind="stable")
        family, largest = np.zeros(3), 0.0
        for step, pair in enumerate(order):
            below = every[:, order[step:]].max(axis=1)
            largest = max(largest, (below >= observed[pair] - 1e-9).mean())
            family[pair] = largest
        total = ((every**2).sum(axis=1) >= (observed**2).sum() - 1e-9).mean()
        a, b = (patterns_of(EIGHT[side], list(strata[side])) for side in (division, ~division))
        found = sr.networks.compare(a, b, adjust="age", permutations=5_000, seed=3)
        tested = found.estimates["p_value"].is_not_null().to_numpy()
        if not tested.all():
            continue  # then the family is a smaller one
        compared += 1
        margin = 4 * 0.5 / np.sqrt(5_000)
        np.testing.assert_allclose(found.estimates["p_value"].to_numpy(), single, atol=margin)
        np.testing.assert_allclose(found.estimates["family_wise_p"].to_numpy(), family, atol=margin)
        assert found.overall["p_value"][0] == pytest.approx(total, abs=margin)
    assert compared >= 3


def test_ratio_and_interval_by_hand():
    # a: 12 with both, 20 and 17 with each, of 100: 12 / 3.4; b: 6 with both, 15 and 20 with each, of 60: 6 / 5
    cells = {"a": (12, 8, 5, 75), "b": (6, 9, 14, 31)}
    groups = [
        patterns_of([(1, 1)] * n + [(1, 0)] * x + [(0, 1)] * y + [(0, 0)] * rest)
        for n, x, y, rest in cells.values()
    ]  # fmt: skip
    row = sr.networks.compare(*groups, permutations=9).estimates.row(0, named=True)
    assert (row["n_both_a"], row["n_both_b"]) == (12, 6)
    assert (row["expected_a"], row["expected_b"]) == (pytest.approx(3.4), pytest.approx(5))
    ratio = (12 / 3.4) / (6 / 5)
    error = sqrt(
        1 / 12 - 1 / 20 - 1 / 17 + 2 * 12 / (20 * 17) - 1 / 100 + 1 / 6 - 1 / 15 - 1 / 20 + 2 * 6 / (15 * 20) - 1 / 60
    )
    assert row["ratio"] == pytest.approx(ratio)
    assert row["lower"] == pytest.approx(ratio * exp(-Z * error), rel=1e-12)
    assert row["upper"] == pytest.approx(ratio * exp(Z * error), rel=1e-12)


def test_expected_people_are_summed_over_what_is_adjusted_for():
    # young: 2 of 10 with c0, 5 with c1, 1 with both: 2 x 5 / 10 = 1 expected; old: 6, 5, 4 of 10: 3 expected; 5 / 4
    young = [(1, 1)] + [(1, 0)] + [(0, 1)] * 4 + [(0, 0)] * 4
    old = [(1, 1)] * 4 + [(1, 0)] * 2 + [(0, 1)] * 1 + [(0, 0)] * 3
    a = patterns_of(young + old, ["young"] * 10 + ["old"] * 10)
    row = sr.networks.compare(a, a, adjust="age", permutations=9).estimates.row(0, named=True)
    assert row["expected_a"] == pytest.approx(4)
    assert row["observed_expected_a"] == pytest.approx(5 / 4)
    # and without adjusting, a row a stratum
    rows = sr.networks.compare(a, a, permutations=9).estimates
    assert rows.select("age", "n_both_a", "expected_a").rows() == [("old", 4, pytest.approx(3)), ("young", 1, pytest.approx(1))]  # fmt: skip


def patterns_of_cells(*strata: tuple[float, ...]) -> sr.Patterns:
    """Collapsed people of two conditions: of each stratum those with both, the first alone, the second alone, neither."""
    rows = [
        (age, mask, round(people))
        for age, cells in enumerate(strata)
        for mask, people in zip((3, 1, 2, 0), cells, strict=True)
        if round(people)
    ]
    schema = {"age": pl.Int64, "mask_0": pl.UInt64, "n_persons": pl.Int64}
    frame = pl.DataFrame(rows, schema=schema, orient="row").sort("age", "mask_0")
    return sr.Patterns(("c0", "c1"), frame, ("age",))


def cells_of(people: float, first: float, second: float, ratio: float) -> tuple[float, ...]:
    """People with both, one alone, the other alone, neither: shares `first` and `second`, observed/expected `ratio`."""
    both = ratio * first * second
    return tuple(people * share for share in (both, first - both, second - both, 1 - first - second + both))


OF_YOUNG, OF_OLD = (0.05, 0.05, 5.0), (0.3, 0.3, 1.2)  # shares with each, and observed/expected


@pytest.mark.parametrize(
    ("a", "b", "ratio"),
    [
        # the same people in each age, but a is young and b is old
        ([(8000, *OF_YOUNG), (1000, *OF_OLD)], [(1600, *OF_YOUNG), (8000, *OF_OLD)], 1.0),
        # the same observed/expected and ages, but both conditions 2.5 times as common in the young of a
        ([(5000, 0.1, 0.1, 5.0), (5000, *OF_OLD)], [(5000, 0.04, 0.04, 5.0), (5000, *OF_OLD)], 1.0),
        # b has a quarter more at every age: without regard to it, a has 1.36 times as much
        ([(8000, *OF_YOUNG), (1000, *OF_OLD)], [(1600, 0.05, 0.05, 6.25), (8000, 0.3, 0.3, 1.5)], 0.8),
    ],
    ids=["other ages", "other shares", "a quarter more in b"],
)
def test_groups_of_other_ages_are_compared_age_by_age(a, b, ratio):
    # Authority: the ratio is the same number in every stratum, so that is what any mean of them must be
    groups = [patterns_of_cells(*[cells_of(*stratum) for stratum in group]) for group in (a, b)]
    found = sr.networks.compare(*groups, adjust="age", permutations=199)
    row = found.estimates.row(0, named=True)
    assert row["ratio"] == pytest.approx(ratio, rel=1e-9)
    # each group's own figure stays what it is: the people with both over those expected at its own ages
    for side, strata in zip("ab", (a, b), strict=True):
        both, expected = sum(n * x * y * r for n, x, y, r in strata), sum(n * x * y for n, x, y, _ in strata)
        assert row[f"observed_expected_{side}"] == pytest.approx(both / expected)
    if ratio == 1:
        assert row["lower"] < 1 < row["upper"]
        assert row["p_value"] == pytest.approx(1)
    else:
        assert row["upper"] < 1
        assert row["p_value"] <= 0.05
        assert "the observed/expected ratio, adjusted for age, is 0.800 times as high in a" in found.sentence()


@pytest.mark.slow
def test_the_level_is_kept_where_ages_and_shares_differ():
    rng = np.random.default_rng(1959)
    p, held = [], []
    for seed in range(300):
        drawn = []
        for people, scale in (((1800, 200), 1.0), ((200, 1800), 0.7)):
            shares = [cells_of(1, scale * x, scale * y, r) for x, y, r in (OF_YOUNG, OF_OLD)]
            drawn.append(patterns_of_cells(*[rng.multinomial(n, s) for n, s in zip(people, shares, strict=True)]))
        row = sr.networks.compare(*drawn, adjust="age", permutations=199, seed=seed).estimates.row(0, named=True)
        p.append(row["p_value"])
        held.append(row["lower"] <= 1 <= row["upper"])
    assert abs(np.mean(np.array(p) <= 0.05) - 0.05) < 3.5 * sqrt(0.05 * 0.95 / 300)
    assert abs(np.mean(held) - 0.95) < 3.5 * sqrt(0.05 * 0.95 / 300)


def mantel_haenszel(weights: np.ndarray) -> float:
    """Log ratio of people weighted: (group, stratum, both or one or the other or neither)."""
    both = weights[:, :, 0]
    expected = (both + weights[:, :, 1]) * (both + weights[:, :, 2]) / weights.sum(axis=2)
    total = expected.sum(axis=0)
    return log((both[0] * expected[1] / total).sum() / (both[1] * expected[0] / total).sum())


def test_the_interval_is_what_one_person_more_moves_the_ratio_by():
    # Authority: the variance over people drawn at random is the sum of squares of what each one's weight moves the log
    # ratio by (finite differences, h = 1e-4), less what that is on average; ratios, sizes and shares differ by stratum
    people = np.array([[[25, 5, 5, 400], [40, 160, 120, 190]], [[6, 75, 82, 150], [90, 10, 30, 300]]], dtype=float)
    variance, step = 0.0, 1e-4
    for group in range(2):
        moved = np.zeros((2, 4))
        for place in np.ndindex(2, 4):
            more, less = people.copy(), people.copy()
            more[(group, *place)] += step
            less[(group, *place)] -= step
            moved[place] = (mantel_haenszel(more) - mantel_haenszel(less)) / (2 * step)
        own = people[group]
        variance += (own * moved**2).sum() - (own * moved).sum() ** 2 / own.sum()
        assert abs((own * moved).sum()) > 0.1  # so that the average is seen to be taken off
    row = sr.networks.compare(*[patterns_of_cells(*own) for own in people], adjust="age", permutations=9).estimates.row(
        0, named=True
    )
    assert row["ratio"] == pytest.approx(exp(mantel_haenszel(people)), rel=1e-12)
    assert log(row["upper"] / row["ratio"]) == pytest.approx(Z * sqrt(variance), rel=1e-6)
    assert log(row["ratio"] / row["lower"]) == pytest.approx(Z * sqrt(variance), rel=1e-6)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((50_000, 0.002, 0.002, 20), (50_000, 0.02, 0.02, 20)),  # 4 against 0.2 expected, 400 against 20
        ((10_000, 0.01, 0.01, 6), (5_000, 0.1, 0.1, 6)),  # 6 against 1, 300 against 50
    ],
)
def test_half_a_person_does_not_part_groups_with_the_same_observed_expected(a, b):
    # Authority: observed/expected is exactly the same in both, so nothing is more alike than what was observed
    groups = [patterns_of_cells(cells_of(*own)) for own in (a, b)]
    for found in (
        sr.networks.compare(*groups, permutations=199),
        sr.networks.compare(*groups, adjust="age", permutations=199),
        sr.networks.compare(*[sr.networks.cooccurrence(own) for own in groups], permutations=199),
    ):
        assert found.estimates["ratio"][0] == pytest.approx(1)
        assert found.estimates["p_value"][0] == pytest.approx(1)


@pytest.mark.parametrize("people", [4_000, 4_000_000, 40_000_000])
def test_intervals_narrow_with_any_number_of_people(people):
    # Authority: of one group against itself the variance is twice that of log observed/expected (`cooccurrence`, whose
    # variance another module writes); and a hundred times the people have a tenth of the error
    group = patterns_of_cells(cells_of(people, 0.1, 0.1, 1), cells_of(people, 0.95, 0.95, 1))
    row = sr.networks.compare(group, group, adjust="age", permutations=9).estimates.row(0, named=True)
    alone = sr.networks.cooccurrence(group, adjust="age").estimates.row(0, named=True)
    assert log(row["upper"] / row["lower"]) == pytest.approx(sqrt(2) * log(alone["upper"] / alone["lower"]), rel=1e-9)
    assert log(row["upper"] / row["lower"]) * sqrt(people) == pytest.approx(2 * Z * 0.157717, rel=1e-3)


def test_strata_in_which_one_group_has_nobody_say_nothing():
    # a's only people with both are young, and no young of b has c1: nothing is left to compare
    a = patterns_of_cells((20, 30, 10, 140), (0, 10, 10, 80))
    b = patterns_of_cells((0, 40, 0, 160), (25, 30, 20, 125))
    row = sr.networks.compare(a, b, adjust="age", permutations=99).estimates.row(0, named=True)
    assert (row["n_both_a"], row["n_both_b"]) == (20, 25)
    assert row["ratio"] is row["lower"] is row["upper"] is None
    assert row["p_value"] is not None  # none where 25 x 45 / 200 go with nobody in the old of the other
    # and what is compared is the stratum that both have
    a = patterns_of_cells((20, 30, 10, 140), (6, 10, 10, 74))
    adjusted = sr.networks.compare(a, b, adjust="age", permutations=99).estimates.row(0, named=True)
    old = sr.networks.compare(a, b, permutations=99).estimates.filter(age=1).row(0, named=True)
    assert adjusted["ratio"] == pytest.approx(old["ratio"], rel=1e-12)
    # nobody with both where both groups could have them: not tested
    a, b = patterns_of_cells((20, 30, 10, 140), (0, 9, 9, 82)), patterns_of_cells((0, 40, 0, 160), (0, 9, 9, 82))
    row = sr.networks.compare(a, b, adjust="age", permutations=99).estimates.row(0, named=True)
    assert row["p_value"] is None


def test_a_released_ratio_is_made_of_rounded_counts_and_a_factor_of_three_figures():
    a = patterns_of_cells((63, 110, 88, 1739), (41, 57, 60, 300))
    b = patterns_of_cells((22, 60, 71, 847), (133, 220, 190, 1200))
    exact = sr.networks.compare(a, b, adjust="age", permutations=19)
    safe = sr.suppress(exact, sr.Policy.nhs_england())
    row, pair = safe.estimates.row(0, named=True), safe.count_tables["pairs"].row(0, named=True)
    margins = safe.count_tables["margins"].sort("condition")
    people = safe.count_tables["population"].row(0, named=True)
    crude = 1.0
    for side, sign in (("a", 1), ("b", -1)):
        first, second = margins[f"n_persons_{side}"]
        assert all(count % 5 == 0 for count in (pair[f"n_both_{side}"], first, second, people[f"n_persons_{side}"]))
        crude *= (pair[f"n_both_{side}"] * people[f"n_persons_{side}"] / (first * second)) ** sign
    assert float(f"{pair['ratio_factor']:.3g}") == pair["ratio_factor"]
    assert row["ratio"] == pytest.approx(crude * pair["ratio_factor"], rel=1e-12)
    # which is near to the exact one, and no factor is anything but 1 where nothing is adjusted for
    assert row["ratio"] == pytest.approx(exact.estimates["ratio"][0], rel=0.05)
    rows = sr.networks.compare(a, b, permutations=19).count_tables["pairs"]
    assert (
        (rows.select("expected_factor_a", "expected_factor_b", "ratio_factor", "variance_factor") == 1).to_numpy().all()
    )


def random_patterns(seed: int, people: int, prevalence: list[float], frailty: float = 0.0, by: str = "") -> sr.Patterns:
    rng = np.random.default_rng((2014, seed, people))
    frail = rng.gamma(1 / frailty, frailty, people) if frailty else np.ones(people)
    held = rng.random((people, len(prevalence))) < 1 - np.exp(-np.array(prevalence) * frail[:, None])
    return patterns_of(held, list(rng.integers(0, 3, people)) if by else None)


COMMON, OTHER = [0.3, 0.2, 0.12, 0.08, 0.05], [0.15, 0.1, 0.2, 0.16, 0.1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prevalence", "sizes"), [((COMMON, COMMON), (900, 400)), ((COMMON, OTHER), (900, 400)), ((COMMON, OTHER), (400, 1500))]
)  # fmt: skip
def test_the_level_is_kept_where_observed_over_expected_are_equal(prevalence, sizes):
    # Independent conditions: observed/expected is 1 in both groups, though conditions are not equally common there.
    p, family = [], []
    for seed in range(300):
        a, b = (random_patterns(2 * seed + k, n, own) for k, (n, own) in enumerate(zip(sizes, prevalence, strict=True)))
        found = sr.networks.compare(a, b, permutations=199, seed=seed).estimates
        p.append(found["p_value"].drop_nulls().to_numpy())
        family.append(found["family_wise_p"].min())
    shares = np.array([(own <= 0.05).mean() for own in p])
    assert abs(shares.mean() - 0.05) < 3.5 * shares.std(ddof=1) / np.sqrt(300) + 0.003
    assert abs(np.mean(np.array(family) <= 0.05) - 0.05) < 3.5 * sqrt(0.05 * 0.95 / 300)


def test_a_planted_difference_is_found():
    # Conditions of frail people cluster in the second group; in the first they are independent.
    found = sr.networks.compare(
        random_patterns(1, 3000, COMMON), random_patterns(2, 3000, COMMON, frailty=1.5), names=("calm", "frail")
    )
    assert found.overall["p_value"][0] == pytest.approx(0.001)
    assert (found.estimates["family_wise_p"] <= 0.05).sum() >= 8
    assert (found.estimates["ratio"] < 1).all()
    assert "times as often as expected in calm" in found.sentence()
    assert found.estimates["family_wise_p"].to_list() == [
        max(a, b) for a, b in found.estimates.select("family_wise_p", "p_value").iter_rows()
    ]


def test_identical_groups_do_not_differ():
    a = random_patterns(1, 300, COMMON, frailty=1.0)
    found = sr.networks.compare(a, a, permutations=99)
    assert set(found.estimates["p_value"]) == set(found.estimates["family_wise_p"]) == {1.0}
    assert found.overall["p_value"].to_list() == [1.0]
    assert (found.estimates["ratio"] == 1).all()
    assert found.sentence() == (
        "No pair of conditions goes together clearly more in a than in b, or the other way round."
    )


def test_a_condition_nobody_has_in_one_group_is_not_tested():
    rng = np.random.default_rng(1)
    one, other = (rng.random((200, 3)) < 0.3 for _ in "ab")
    one[:, 2] = False
    found = sr.networks.compare(patterns_of(one), patterns_of(other), permutations=99).estimates
    tested = dict(zip(found.select("source", "target").rows(), found["p_value"].is_not_null(), strict=True))
    assert tested == {("c0", "c1"): True, ("c0", "c2"): False, ("c1", "c2"): False}
    assert found["ratio"].is_not_null().to_list() == [True, False, False]


def test_the_same_seed_gives_the_same_and_another_another():
    a, b = random_patterns(1, 300, COMMON, by="age"), random_patterns(2, 300, COMMON, by="age")
    found = sr.networks.compare(a, b, adjust="age", permutations=99, seed=5)
    again = sr.networks.compare(a, b, adjust="age", permutations=99, seed=5)
    assert_frame_equal(found.estimates, again.estimates, check_exact=True)
    other = sr.networks.compare(a, b, adjust="age", permutations=99, seed=6)
    assert not found.estimates["p_value"].equals(other.estimates["p_value"])
    # exchanging the groups turns the ratio over
    turned = sr.networks.compare(b, a, adjust="age", permutations=99, seed=5)
    np.testing.assert_allclose(
        turned.estimates["ratio"].to_numpy(), 1 / found.estimates["ratio"].to_numpy(), rtol=1e-12
    )


def test_networks_are_compared_pair_by_pair_from_their_own_counts():
    # The division of all people leaves that of a pair's four cells: the two p values differ by Monte Carlo error alone.
    a, b = random_patterns(1, 700, COMMON), random_patterns(2, 500, COMMON, frailty=0.7)
    people = sr.networks.compare(a, b, permutations=3_999).estimates
    pairs = sr.networks.compare(
        sr.networks.cooccurrence(a), sr.networks.cooccurrence(b), permutations=3_999, seed=2
    ).estimates
    same = [c for c in people.columns if c not in ("p_value", "q_value", "family_wise_p")]
    assert_frame_equal(pairs.select(same), people.select(same))
    p, q = (frame["p_value"].to_numpy() for frame in (people, pairs))
    error = np.sqrt((p * (1 - p) + q * (1 - q)) / 4_000)
    assert (np.abs(p - q) < 4 * error + 1e-3).all()
    assert pairs["family_wise_p"].null_count() == pairs.height


def test_networks_with_strata_are_compared_stratum_by_stratum():
    a, b = (random_patterns(k, 600, COMMON, by="age") for k in (1, 2))
    people = sr.networks.compare(a, b, permutations=99).estimates
    pairs = sr.networks.compare(sr.networks.cooccurrence(a), sr.networks.cooccurrence(b), permutations=99).estimates
    same = [c for c in people.columns if c not in ("p_value", "q_value", "family_wise_p")]
    assert people.height == 3 * 10
    assert_frame_equal(pairs.select(same), people.select(same))


def test_disclosed_networks_tell_nothing_that_they_did_not():
    # 98 to 102 people all read 100: comparisons of disclosed networks are equal, to the p value
    def network(extra: int) -> sr.Result:
        rows = [(1, 1)] * (40 + extra) + [(1, 0)] * 30 + [(0, 1)] * 40 + [(0, 0)] * (190 - extra)
        return sr.suppress(sr.networks.cooccurrence(patterns_of(rows)), sr.Policy.nhs_england())

    other = sr.suppress(sr.networks.cooccurrence(random_patterns(1, 900, [0.3, 0.3])), sr.Policy.nhs_england())
    found = [sr.networks.compare(network(extra), other, permutations=199).estimates for extra in (-2, 0, 2)]
    assert_frame_equal(found[0], found[1])
    assert_frame_equal(found[1], found[2])
    with pytest.raises(sr.ArgumentError, match="One network is disclosed"):
        sr.networks.compare(network(0), sr.networks.cooccurrence(random_patterns(1, 900, [0.3, 0.3])))


@pytest.mark.parametrize("policy", [sr.Policy.nhs_england(), sr.Policy.opensafely(), sr.Policy.sacro()], ids=lambda p: p.name)  # fmt: skip
@pytest.mark.parametrize("adjust", [(), "age"], ids=["rows", "adjusted"])
def test_a_released_comparison_gives_no_exact_p_value(policy, adjust):
    a, b = (random_patterns(k, 260, [0.3, 0.2, 0.12, 0.06, 0.02], by="age") for k in (1, 2))
    exact = sr.networks.compare(a, b, adjust=adjust, permutations=199)
    safe = sr.suppress(exact, policy)
    frame = safe.estimates
    for side in "ab":
        shown = frame[f"n_both_{side}"].drop_nulls()
        assert (shown % 5 == 0).all()
        assert not shown.is_between(1, policy.threshold).any()
        hidden = frame.filter(pl.col("n_both_a").is_null() | pl.col("n_both_b").is_null())
        for name in ("ratio", "lower", "upper", "p_value", "q_value", "family_wise_p", f"observed_expected_{side}"):
            assert hidden[name].null_count() == hidden.height, name
    for p in (frame["p_value"], frame["family_wise_p"], safe.overall["p_value"]):
        assert set(p.drop_nulls()) <= set(LEVELS)
    assert "at most 0." in safe._repr_html_() or frame["p_value"].null_count() == frame.height
    # a level is never under the exact value
    both = pl.DataFrame({"shown": frame["p_value"], "exact": exact.estimates["p_value"]}).drop_nulls()
    assert (both["shown"] >= both["exact"] - 1e-9).all()
    # where a condition's people are suppressed its pairs have no p value, even those shown as nobody
    margins = safe.count_tables["margins"]
    few = margins.filter(pl.any_horizontal(pl.col("n_persons_a", "n_persons_b").is_null()))
    for row in few.iter_rows(named=True):
        own = frame.filter((pl.col("source") == row["condition"]) | (pl.col("target") == row["condition"]))
        if safe.by:
            own = own.filter(pl.col("age") == row["age"])
        assert own["p_value"].null_count() == own.height
    again = sr.suppress(type(safe)(safe.count_tables, safe.settings, safe.by), policy)
    assert_frame_equal(again.estimates, safe.estimates)


def test_what_cannot_be_compared_is_refused():
    a, b = random_patterns(1, 50, COMMON), random_patterns(2, 50, COMMON[:3])
    staged = random_patterns(1, 50, COMMON, by="age")
    nobody = patterns_of(np.zeros((0, 5), dtype=int))
    network, fewer = sr.networks.cooccurrence(a), sr.networks.cooccurrence(b)
    cases = [
        ((a, b), {}, "2 are in 'a' alone and 0 in 'b' alone"),
        ((network, fewer), {"names": ("north", "south")}, "2 are in 'north' alone and 0 in 'south' alone"),
        ((a, nobody), {}, "Group 'b' has no people"),
        ((a, staged), {}, "different strata"),
        ((a, a), {"adjust": "age"}, "adjust names age"),
        ((network, network), {"adjust": "age"}, "pass the patterns"),
        ((network, a), {}, "two Patterns, or two Cooccurrence"),
        ((a, a), {"names": ("one", "one")}, "two different names"),
        ((a, a), {"permutations": 0}, "permutations=0"),
        ((a, a), {"seed": -1}, "seed=-1"),
        ((a, a), {"confidence": 95}, "between 0 and 1"),
    ]
    for groups, arguments, message in cases:
        with pytest.raises(sr.ArgumentError, match=message):
            sr.networks.compare(*groups, **arguments)
    apart = [patterns_of([(1, 1)] * 3, [age] * 3) for age in ("young", "old")]
    for pair in (apart, [sr.networks.cooccurrence(p) for p in apart]):
        with pytest.raises(sr.ArgumentError, match="No stratum has people of both groups"):
            sr.networks.compare(*pair)


def test_one_condition_has_no_pair():
    found = sr.networks.compare(patterns_of([(1,), (0,)]), patterns_of([(1,), (1,)]))
    assert found.estimates.height == 0
    assert found.sentence() == "No pair of conditions is held by enough people in both a and b to compare them."


def test_both_populations_are_told():
    women, men = (sr.define_cohort(sr.example_study(), sex=sex).patterns() for sex in ("F", "M"))
    found = sr.networks.compare(women, men, names=("women", "men"), permutations=9)
    assert found.settings["generated"]
    assert found.settings["population"]["women"]["sex"] == "F"
    assert found.settings["population"]["men"]["sex"] == "M"
    assert found.overall.select("n_persons_a", "n_persons_b").row(0) == (women.n_persons, men.n_persons)
    assert sr.suppress(found, sr.Policy.synthetic()).estimates.equals(found.estimates)
    assert "With both: women" in found._repr_html_()
