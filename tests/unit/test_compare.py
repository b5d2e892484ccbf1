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
    """Each pair's difference of log (both + 1/2) / (expected + 1/2) over its standard error, person by person.

    The variance of a group's logarithm is that of the sum of its people's influences [both] / C - ([i] b + [j] a) / E,
    a and b the shares of their stratum with i and with j; half a person added to C is one half over C squared.
    """
    found = []
    for i, j in itertools.combinations(range(people.shape[1]), 2):
        logs, variances = [], []
        for group in (in_a, ~in_a):
            both, expected = 0.5, 0.5
            for s in np.unique(strata):
                x, y = people[group & (strata == s)][:, [i, j]].T
                both += (x * y).sum()
                expected += x.sum() * y.sum() / len(x) if len(x) else 0
            variance = 0.5 / both**2
            for s in np.unique(strata):
                x, y = people[group & (strata == s)][:, [i, j]].T
                if len(x):
                    influence = x * y / both - (x * y.mean() + y * x.mean()) / expected
                    variance += ((influence - influence.mean()) ** 2).sum()
            logs.append(log(both / expected))
            variances.append(max(variance, 1e-6))
        found.append((logs[0] - logs[1]) / sqrt(sum(variances)))
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
    for division in divisions[3::11]:
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
    assert "times as often as chance would give in calm" in found.sentence()
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
    # where a condition's people are hidden its pairs have no p value, even those shown as nobody
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
