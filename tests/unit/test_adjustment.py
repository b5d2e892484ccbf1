"""Expected counts computed within strata: by hand, against naive people, and through the gate."""

from __future__ import annotations

from itertools import combinations
from math import exp, log, sqrt

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError
from symphony_research.inference.interaction import set_against_its_parts

Z = 1.959963984540054  # R: qnorm(0.975)


def two_groups(**arguments) -> sr.Patterns:
    #               both  a only  b only  neither
    #  young  100     1      9       9      81      10 x 10 / 100 = 1 expected
    #  old    100    25     25      25      25      50 x 50 / 100 = 25 expected
    cells = {("young", 3): 1, ("young", 1): 9, ("young", 2): 9, ("young", 0): 81}
    cells |= {("old", mask): 25 for mask in range(4)}
    rows = [(age, mask & 1, mask >> 1) for (age, mask), n in cells.items() for _ in range(n)]
    frame = pl.DataFrame(rows, schema=["age_band", "a", "b"], orient="row")
    return sr.Patterns.from_wide(frame, conditions=["a", "b"], by="age_band", **arguments)


def test_what_age_alone_brings_together_is_no_more_than_chance_given_age():
    crude = sr.networks.cooccurrence(sr.Patterns.merge(without_strata(two_groups()))).estimates.row(0, named=True)
    assert crude["expected"] == pytest.approx(60 * 60 / 200)
    assert crude["observed_expected"] == pytest.approx(26 / 18)
    row = sr.networks.cooccurrence(two_groups(), adjust="age_band").estimates.row(0, named=True)
    assert (row["n_both"], row["n_source"], row["n_target"], row["n_persons"]) == (26, 60, 60, 200)
    assert row["expected"] == pytest.approx(26)
    assert row["observed_expected"] == pytest.approx(1)
    assert row["odds_ratio"] == pytest.approx(1)
    # what describes the people as they are stays as it was
    for name in ("phi", "jaccard", "cosine", "overlap"):
        assert row[name] == pytest.approx(crude[name])
    # the square of each person's share in log(O/E), summed by hand; both, a only, b only, neither
    young = [1 / 26 - 0.19 / 26, -0.09 / 26, -0.09 / 26, 0.01 / 26]
    old = [1 / 26 - 0.75 / 26, -0.25 / 26, -0.25 / 26, 0.25 / 26]
    variance = sum(n * x**2 for n, x in zip((1, 9, 9, 81), young, strict=True)) + sum(25 * x**2 for x in old)
    assert row["lower"] == pytest.approx(exp(-Z * sqrt(variance)), rel=1e-12)
    assert row["upper"] == pytest.approx(exp(Z * sqrt(variance)), rel=1e-12)


def without_strata(patterns: sr.Patterns) -> sr.Patterns:
    frame = patterns.frame.group_by("mask_0").agg(pl.col("n_persons").sum()).sort("mask_0")
    return sr.Patterns(patterns.conditions, frame)


def random_patterns(seed: int, n_conditions: int = 4, people: int = 600) -> tuple[pl.DataFrame, sr.Patterns]:
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 7, people)  # a seventh group below is empty of some conditions
    frail = rng.gamma(1, 1, people) * (0.2 + group / 4)
    held = rng.random((people, n_conditions)) < np.clip(frail[:, None] * rng.uniform(0.05, 0.4, n_conditions), 0, 0.95)
    held[group == 0, 0] = False
    names = [f"c{k}" for k in range(n_conditions)]
    frame = pl.DataFrame(
        {"group": group, "sex": rng.choice(["F", "M"], people), **dict(zip(names, held.T, strict=True))}
    )
    return frame, sr.Patterns.from_wide(frame, conditions=names, by=("group", "sex"))


def naive(
    frame: pl.DataFrame, names: tuple[str, ...], every: list[str], *, exact: bool
) -> tuple[float, float, float, float]:
    """Observed, expected, variance of log(O/E), and variance of O given all margins, one person at a time."""
    influence, observed, expected, score = [], 0, 0.0, 0.0
    strata = []
    for _, part in frame.group_by("group", "sex"):
        x = part.select(every).to_numpy().astype(float)
        inside = np.array([name in names for name in every])
        agree = np.where(inside, x, 1 - x) if exact else x[:, inside]
        m, n = agree.mean(axis=0), len(x)
        strata.append((agree, m, n))
        observed += int(agree.prod(axis=1).sum())
        expected += n * m.prod()
        score += permuted_variance(agree)
    for agree, m, _ in strata:
        for person in agree:
            # the derivative of n x product(m), this person's weight raised
            moved = m.prod() + sum((person[i] - m[i]) * np.delete(m, i).prod() for i in range(len(m)))
            influence.append(person.prod() / observed - moved / expected)
    return observed, expected, float(np.square(influence).sum()), score


def permuted_variance(agree: np.ndarray) -> float:
    """Of the count who agree in all, each column shuffled by itself: from the probability that one, and that two, people do."""
    n = len(agree)
    if n < 2:
        return 0.0
    m = agree.sum(axis=0)
    two = n * (n - 1) * np.prod(m * (m - 1) / (n * (n - 1)))
    mean = n * np.prod(m / n)
    return float(two + mean - mean**2)


@pytest.mark.parametrize("kind", ["exact", "at_least"])
@pytest.mark.parametrize("seed", [1, 2])
def test_sums_over_strata_are_those_of_naive_people(kind, seed):
    frame, patterns = random_patterns(seed)
    every = list(patterns.conditions)
    found = sr.multimorbidity.combinations(patterns, kind=kind, adjust=("group", "sex"), min_size=1)
    assert found.estimates.height >= 10
    assert found.by == ()
    for row in found.estimates.iter_rows(named=True):
        observed, expected, variance, score = naive(frame, tuple(row["combination"]), every, exact=kind == "exact")
        assert row["n_persons"] == observed
        assert row["expected"] == pytest.approx(expected, rel=1e-10)
        assert log(row["oe_upper"] / row["oe_lower"]) == pytest.approx(2 * Z * sqrt(variance), rel=1e-8, abs=1e-6)
        if kind == "exact" or row["size"] > 1:
            assert row["statistic"] == pytest.approx((observed - expected) / sqrt(score), rel=1e-8)


def test_strata_not_adjusted_for_become_rows():
    _, patterns = random_patterns(3)
    found = sr.multimorbidity.combinations(patterns, kind="at_least", adjust="group")
    assert found.by == ("sex",)
    women = sr.Patterns(patterns.conditions, patterns.frame.filter(pl.col("sex") == "F").drop("sex"), ("group",))
    alone = sr.multimorbidity.combinations(women, kind="at_least", adjust="group").estimates
    together = found.estimates.filter(pl.col("sex") == "F").drop("sex")
    for column in ("combination", "n_persons", "expected", "oe_lower", "p_value"):
        assert together[column].to_list() == pytest.approx(alone[column].to_list()) if column != "combination" else True
    network = sr.networks.cooccurrence(patterns, adjust="group").estimates.filter(pl.col("sex") == "F")
    pairs = alone.filter(pl.col("size") == 2).sort(pl.col("combination").list.join(" "))
    both = network.filter(pl.col("n_both") > 0).sort("source", "target")
    for ours, theirs in {"expected": "expected", "oe_upper": "upper", "p_value": "p_value"}.items():
        assert pairs[ours].to_list() == pytest.approx(both[theirs].to_list(), rel=1e-9)


def test_one_stratum_is_no_adjustment():
    _, patterns = random_patterns(4)
    whole = without_strata(patterns)
    constant = sr.Patterns(whole.conditions, whole.frame.with_columns(pl.lit("all").alias("area")), ("area",))
    for kind in ("exact", "at_least"):
        crude = sr.multimorbidity.combinations(whole, kind=kind).estimates
        adjusted = sr.multimorbidity.combinations(constant, kind=kind, adjust="area").estimates
        for column in ("expected", "oe_lower", "oe_upper", "statistic"):
            assert adjusted[column].to_list() == pytest.approx(crude[column].to_list(), rel=1e-12)
    crude_network = sr.networks.cooccurrence(whole).estimates
    network = sr.networks.cooccurrence(constant, adjust="area").estimates
    for column in ("expected", "lower", "upper", "odds_ratio", "odds_ratio_lower", "odds_ratio_upper"):
        assert network[column].to_list() == pytest.approx(crude_network[column].to_list(), rel=1e-12)


def test_strata_the_patterns_do_not_carry_are_named():
    with pytest.raises(ArgumentError, match=r"adjust names ward, which the patterns do not carry\. Strata: group, sex"):
        sr.networks.cooccurrence(random_patterns(1)[1], adjust="ward")


def test_released_figures_are_made_of_rounded_counts_and_three_figures_of_a_factor():
    _, patterns = random_patterns(5, people=3_000)
    policy = sr.Policy.nhs_england()
    exact = sr.networks.cooccurrence(patterns, adjust=("group", "sex"))
    safe = sr.suppress(exact, policy)
    for row, own in zip(safe.estimates.iter_rows(named=True), exact.estimates.iter_rows(named=True), strict=True):
        assert row["n_both"] % 5 == 0
        crude = row["n_source"] * row["n_target"] / row["n_persons"]
        factor = own["expected"] / (own["n_source"] * own["n_target"] / own["n_persons"])
        assert row["expected"] / crude == pytest.approx(float(f"{factor:.2e}"), rel=1e-12)
        # five people of rounding in each of four counts, and a two-hundredth in the factor
        assert row["observed_expected"] == pytest.approx(
            own["observed_expected"], rel=0.005 + 2.5 / own["n_both"] + 0.03
        )
    # the tables hold no exact figure either
    released = safe.count_tables["pairs"]
    for name in ("expected_factor", "odds_factor"):
        assert all(value == float(f"{value:.2e}") for value in released[name].drop_nulls())
    for kind in ("exact", "at_least"):
        sets = sr.suppress(sr.multimorbidity.combinations(patterns, kind=kind, adjust=("group", "sex")), policy)
        hidden = sets.estimates.filter(pl.col("n_persons").is_null())
        assert (
            hidden.select(pl.col("expected", "observed_expected", "statistic", "p_value").is_not_null().sum()).row(0)
            == (0,) * 4
        )
        assert (
            sets.count_tables["cells"].filter(pl.col("n_persons").is_null())["expected_factor"].null_count()
            == hidden.height
        )


def test_closed_and_maximal_sets_by_brute_force():
    frame, patterns = random_patterns(6, n_conditions=6, people=150)
    every = list(patterns.conditions)
    people = [frozenset(np.array(every)[row]) for row in frame.select(every).to_numpy().astype(bool)]
    subsets = [frozenset(s) for k in range(1, 7) for s in combinations(every, k)]
    count = {s: sum(s <= person for person in people) for s in subsets}
    frequent = {s: n for s, n in count.items() if n >= 4}
    closed = {s for s, n in frequent.items() if not any(s < other and m == n for other, m in frequent.items())}
    maximal = {s for s in frequent if not any(s < other for other in frequent)}
    assert maximal < closed < set(frequent)
    for which, wanted in {"all": set(frequent), "closed": closed, "maximal": maximal}.items():
        found = sr.multimorbidity.combinations(
            without_strata(patterns), kind="at_least", min_size=1, min_persons=4, which=which
        ).estimates
        assert {frozenset(s) for s in found["combination"]} == wanted
        assert all(count[frozenset(s)] == n for s, n in found.select("combination", "n_persons").iter_rows())


def test_a_triad_of_linked_pairs_is_no_news():
    # a makes b likelier, b makes c likelier, and that is all: independent given the pairs by construction
    chance_c = np.array([[0.1, 0.3], [0.1, 0.3]])  # of c, by a and b: b alone matters
    cells = np.array([
        [0.7 * 0.9, 0.7 * 0.1], [0.3 * 0.5, 0.3 * 0.5],
    ])  # by a, b  # fmt: skip
    shares = [
        (a, b, c, cells[a, b] * (chance_c[a, b] if c else 1 - chance_c[a, b]))
        for a in (0, 1)
        for b in (0, 1)
        for c in (0, 1)
    ]
    frame = pl.DataFrame(
        {"mask_0": [a + 2 * b + 4 * c for a, b, c, _ in shares], "n_persons": [round(100_000 * p) for *_, p in shares]},
        schema={"mask_0": pl.UInt64, "n_persons": pl.Int64},
    ).sort("mask_0")
    patterns = sr.Patterns(("a", "b", "c"), frame)
    alone = sr.multimorbidity.combinations(patterns, kind="at_least", min_size=3).estimates.row(0, named=True)
    assert alone["observed_expected"] > 2
    given = sr.multimorbidity.combinations(
        patterns, kind="at_least", max_size=3, against="no_higher_order_interaction"
    ).estimates.row(0, named=True)
    assert given["expected"] == pytest.approx(given["n_persons"], rel=1e-6)
    assert given["p_value"] > 0.9


def test_sets_against_their_parts_have_the_interval_of_naive_people():
    # the variance is that of log(O/E) when each person's weight is moved a little, by finite differences
    frame, patterns = random_patterns(8, n_conditions=3, people=400)
    cells = np.zeros((14, 1, 8))
    strata = {key: at for at, key in enumerate(sorted(frame.select("group", "sex").unique().rows()))}
    for row in frame.iter_rows(named=True):
        cells[strata[row["group"], row["sex"]], 0, row["c0"] + 2 * row["c1"] + 4 * row["c2"]] += 1

    def log_ratio(c: np.ndarray) -> float:
        return log(c[..., -1].sum() / set_against_its_parts(c).expected.item())

    total = 0.0
    for s, _, k in zip(*np.nonzero(cells), strict=True):
        up, down = cells.copy(), cells.copy()
        up[s, 0, k] += 1e-4
        down[s, 0, k] -= 1e-4
        total += cells[s, 0, k] * ((log_ratio(up) - log_ratio(down)) / 2e-4) ** 2
    row = sr.multimorbidity.combinations(
        patterns, kind="at_least", adjust=("group", "sex"), max_size=3, against="no_higher_order_interaction"
    ).estimates.row(0, named=True)
    assert log(row["oe_upper"] / row["oe_lower"]) == pytest.approx(2 * Z * sqrt(total), rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"which": "closed"}, "at-least sets"),
        ({"against": "no_higher_order_interaction"}, "at-least sets"),
        ({"kind": "at_least", "against": "no_higher_order_interaction"}, "pass max_size, from 3 to 8"),
        ({"kind": "at_least", "against": "no_higher_order_interaction", "max_size": 9}, "pass max_size, from 3 to 8"),
        ({"correction": "sidak"}, "correction='sidak' is not known"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        sr.multimorbidity.combinations(random_patterns(1)[1], **arguments)


def test_a_sets_count_given_its_parts_has_the_moments_of_every_table_there_is():
    # brute force: all 2 x 2 x 2 tables with these smaller margins, each with the weight 1 / product(cell!)
    from math import lgamma

    sign = np.array([(-1) ** (3 - bin(c).count("1")) for c in range(8)])
    rng = np.random.default_rng(9)
    cells = rng.poisson(rng.gamma(0.5, 6, (40, 1, 8))).astype(float)
    moments = np.zeros(2)
    for table in cells[:, 0]:
        moved = [table + sign * d for d in range(-200, 200) if ((table + sign * d) >= 0).all()]
        logs = np.array([-sum(lgamma(x + 1) for x in t) for t in moved])
        weight = np.exp(logs - logs.max())
        weight /= weight.sum()
        count = np.array([t[7] for t in moved])
        mean = (weight * count).sum()
        moments += [mean, (weight * (count - mean) ** 2).sum()]
    found = set_against_its_parts(cells)
    assert [found.null_mean.item(), found.score_variance.item()] == pytest.approx(moments, rel=1e-9)


def test_triads_of_many_small_strata_are_not_called_found():
    # conditions that go together in pairs alone, a hundred strata of a hundred people: the fit's expected counts are a
    # tenth too low there, so a test that rested on them called half of all studies
    rng = np.random.default_rng(31)
    a, b = rng.random((2, 200, 10_000)) < 0.2
    b = b | (a & (rng.random((200, 10_000)) < 0.2))
    c = rng.random((200, 10_000)) < np.where(b, 0.4, 0.15)
    stratum = np.tile(np.arange(10_000) // 100, (200, 1))
    masks = a + 2 * b + 4 * c
    frame = pl.DataFrame(
        {
            "study": np.repeat(np.arange(200), 10_000),
            "stratum": stratum.ravel(),
            "mask_0": masks.ravel().astype(np.uint64),
        }
    )
    counted = frame.group_by("study", "stratum", "mask_0").agg(pl.len().cast(pl.Int64).alias("n_persons"))
    patterns = sr.Patterns(("a", "b", "c"), counted.sort("study", "stratum", "mask_0"), ("study", "stratum"))
    found = sr.multimorbidity.combinations(
        patterns, kind="at_least", adjust="stratum", against="no_higher_order_interaction", max_size=3
    ).estimates
    assert found.height == 200
    assert 0.01 < (found["p_value"] < 0.05).mean() < 0.1


def test_a_mantel_haenszel_odds_ratio_of_nobody_with_both_is_zero():
    """By hand: the sum of c d / n over strata is 0, and that of those with one alone is not."""
    frame = pl.DataFrame({"a": [1] * 30 + [0] * 70, "b": [0] * 30 + [1] * 40 + [0] * 30, "s": ["x", "y"] * 50})
    patterns = sr.Patterns.from_wide(frame, conditions=["a", "b"], by="s")
    assert sr.networks.cooccurrence(patterns, adjust="s").estimates["odds_ratio"].to_list() == [0.0]


def test_communities_of_an_adjusted_network_are_resampled():
    patterns = sr.define_cohort(sr.example_study()).patterns(by="sex")
    pairs = sr.networks.cooccurrence(patterns, adjust="sex")
    assert sr.networks.communities(pairs, seed=1, patterns=patterns, resamples=3).estimates.height
