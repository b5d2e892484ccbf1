"""The backbone of a network: what is kept and why, by hand, and the same before and after disclosure control."""

from __future__ import annotations

from itertools import combinations as choose

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research.errors import ArgumentError

NHS = sr.Policy.nhs_england()


def patterns(sets: dict[str, int], conditions: str, **strata: str) -> sr.Patterns:
    """People with exactly these conditions, one letter each."""
    rows = [{c: c in held for c in conditions} | strata for held, n in sets.items() for _ in range(n)]
    return sr.Patterns.from_wide(pl.DataFrame(rows), conditions=list(conditions), by=list(strata))


def kept(network: sr.Result) -> list[str]:
    return sorted(a + b for a, b in network.estimates.select("source", "target").iter_rows())


# a with b, c and d; people with both 60, 20, 20. Of 2,000 people a has 100 and b, c, d as many as they share with a.
STAR = patterns({"ab": 60, "ac": 20, "ad": 20, "": 1900}, "abcd")


def test_disparity_filter_by_hand():
    # observed/expected of each is 2000 / 100 = 20: weights are equal, so weigh by people with both, 60, 20 and 20.
    # At a: shares 0.6, 0.2, 0.2 of k = 3: (1 - 0.6)**2 = 0.16, (1 - 0.2)**2 = 0.64. At b, c, d: k = 1, so 1.
    network = sr.networks.cooccurrence(STAR)
    for level, wanted in [(0.15, []), (0.17, ["ab"]), (0.63, ["ab"]), (0.65, ["ab", "ac", "ad"])]:
        assert kept(sr.networks.backbone(network, method="disparity", measure="n_both", level=level)) == wanted
    # equal weights: (1 - 1/3)**2 = 0.444 for each
    assert kept(sr.networks.backbone(network, method="disparity", level=0.44)) == []
    assert kept(sr.networks.backbone(network, method="disparity", level=0.45)) == ["ab", "ac", "ad"]


def test_a_pair_that_stands_out_at_either_end_is_kept():
    # people: ab 40, ac 40, ad 40, ae 40, de 160 of 4,000.
    # at d: 40 and 160 of 200, k = 2: 1 - 0.8 = 0.2 for de. At a: 40 of 160 each, k = 4: (1 - 0.25)**3 = 0.42.
    # ad: at d 1 - 0.2 = 0.8, at a 0.42
    network = sr.networks.cooccurrence(patterns({"ab": 40, "ac": 40, "ad": 40, "ae": 40, "de": 160, "": 3680}, "abcde"))
    found = sr.networks.backbone(network, method="disparity", measure="n_both", level=0.21)
    assert kept(found) == ["de"]
    wider = sr.networks.backbone(network, method="disparity", measure="n_both", level=0.43)
    assert kept(wider) == ["ab", "ac", "ad", "ae", "de"]


def test_significance_keeps_what_is_above_chance_and_tests_so():
    # a and b are together in all 30 who have either, far above expected; a and c never, far below it
    network = sr.networks.cooccurrence(patterns({"ab": 300, "c": 300, "": 300}, "abc"))
    assert (network.estimates["q_value"] < 1e-6).all()
    assert kept(sr.networks.backbone(network)) == ["ab"]
    # independent: 25 of 100 have both, as 50 x 50 / 100 would
    assert (
        kept(sr.networks.backbone(sr.networks.cooccurrence(patterns({"ab": 25, "a": 25, "b": 25, "": 25}, "ab")))) == []
    )


def test_top_keeps_the_strongest_of_either_end_and_equals_together():
    # by people with both: a: ab 60, ac 20, ad 20; each of b, c, d has one pair, its strongest
    network = sr.networks.cooccurrence(patterns({"ab": 60, "ac": 20, "ad": 20, "cd": 50, "": 1850}, "abcd"))
    assert kept(sr.networks.backbone(network, method="top", each=1, measure="n_both")) == ["ab", "cd"]
    # ac and ad are equals at a: both are second there
    assert kept(sr.networks.backbone(network, method="top", each=2, measure="n_both")) == ["ab", "ac", "ad", "cd"]


@pytest.mark.parametrize(
    "measure", ["observed_expected", "phi", "odds_ratio", "jaccard", "cosine", "overlap", "n_both"]
)
def test_every_measure_weighs(measure):
    rng = np.random.default_rng(1)
    people = pl.DataFrame(
        (rng.random((800, 6)) < np.outer(rng.random(800), np.ones(6))).astype(int), schema=list("abcdef")
    )
    network = sr.networks.cooccurrence(sr.Patterns.from_wide(people, conditions=list("abcdef")))
    rows = network.estimates.filter(pl.col("lower") > 1)
    # naive: of each condition, the pairs whose measure is the largest
    best = set()
    for c in "abcdef":
        own = rows.filter((pl.col("source") == c) | (pl.col("target") == c))
        best |= {a + b for a, b, m in own.select("source", "target", measure).iter_rows() if m == own[measure].max()}
    assert kept(sr.networks.backbone(network, method="top", each=1, measure=measure)) == sorted(best)


@pytest.fixture(scope="module")
def random_network() -> sr.Result:
    rng = np.random.default_rng(5)
    ill = 1.6 * rng.random(4000) ** 2
    bits = rng.random((4000, 8)) < np.outer(ill, np.linspace(0.02, 0.5, 8))
    people = pl.DataFrame(bits.astype(int), schema=list("abcdefgh")).with_columns(
        pl.Series("sex", np.where(rng.random(4000) < 0.5, "F", "M"))
    )
    return sr.networks.cooccurrence(sr.Patterns.from_wide(people, conditions=list("abcdefgh"), by="sex"))


@pytest.mark.parametrize("policy", [NHS, sr.Policy.opensafely(), sr.Policy.sacro()], ids=lambda p: p.name)
@pytest.mark.parametrize("arguments", [
    {"method": "significance"}, {"method": "disparity", "level": 0.5}, {"method": "top", "each": 2, "measure": "jaccard"},
], ids=lambda a: a["method"])  # fmt: skip
def test_filtering_before_and_after_suppress_is_the_same(random_network, policy, arguments):
    after = sr.networks.backbone(sr.suppress(random_network, policy), **arguments)
    before = sr.suppress(sr.networks.backbone(random_network, **arguments), policy)
    assert before.estimates.height > 0
    assert_frame_equal(before.estimates, after.estimates)
    assert before.disclosure == after.disclosure
    assert dict(before.settings) == dict(after.settings)
    assert_frame_equal(sr.suppress(before, policy).estimates, before.estimates)
    # nothing is kept that is not in the whole released network, figure for figure
    whole = sr.suppress(random_network, policy).estimates
    assert_frame_equal(whole.join(before.estimates, on=["sex", "source", "target"], how="semi"), before.estimates)
    assert before.estimates["n_both"].null_count() == 0


def test_strata_are_filtered_each_on_its_own(random_network):
    # q values are over all strata, so significance is compared by the other two
    for arguments in ({"method": "disparity", "level": 0.5}, {"method": "top", "each": 2}):
        found = sr.networks.backbone(random_network, **arguments).estimates
        for sex in "FM":
            tables = {k: t.filter(pl.col("sex") == sex) for k, t in random_network.count_tables.items()}
            alone = sr.networks.Cooccurrence(tables, random_network.settings, ("sex",))
            want = sr.networks.backbone(alone, **arguments).estimates
            assert_frame_equal(found.filter(pl.col("sex") == sex).drop("q_value"), want.drop("q_value"))


def test_a_backbone_is_a_network_and_may_be_filtered_again(random_network):
    significant = sr.networks.backbone(random_network, level=0.01)
    both = sr.networks.backbone(significant, method="top", each=1)
    assert set(kept(both)) < set(kept(significant))
    assert [step["method"] for step in both.settings["backbone"]] == ["significance", "top"]
    graph = both.to_networkx(stratum={"sex": "F"})
    assert graph.number_of_edges() == both.estimates.filter(pl.col("sex") == "F").height
    ax = sr.plot_network(sr.suppress(both, NHS), stratum={"sex": "F"})
    assert ax.collections
    assert "<caption>Pairs of conditions in the backbone of the network</caption>" in sr.table(both).html
    import pickle

    assert_frame_equal(pickle.loads(pickle.dumps(both)).estimates, both.estimates)


def test_what_it_says():
    found = sr.networks.backbone(sr.networks.cooccurrence(STAR), method="top", measure="n_both", each=1)
    # of six pairs ab is the strongest of a and of b, ac of c and ad of d; 60 / (100 x 60 / 2000) = 20
    assert found.sentence().startswith(
        "3 of 6 pairs of conditions are kept (the 1 strongest of each condition by people with both); "
    )
    assert "20.0 times as many people have both" in found.sentence()
    none = sr.networks.backbone(sr.networks.cooccurrence(patterns({"a": 5, "b": 5}, "ab")))
    assert none.sentence().startswith("None of 1 pairs of conditions is kept (above expected")


@pytest.mark.parametrize("conditions", ["a", "ab"])
@pytest.mark.parametrize("method", ["significance", "disparity", "top"])
def test_networks_with_nothing_to_keep(conditions, method):
    network = sr.networks.cooccurrence(patterns({"a": 20, "": 30}, conditions))
    found = sr.networks.backbone(network, method=method)
    assert found.estimates.height == 0
    assert found.estimates.schema == network.estimates.schema
    assert found.to_networkx().number_of_edges() == 0
    # everything suppressed
    few = sr.suppress(sr.networks.cooccurrence(patterns({"ab": 3, "a": 2, "": 2}, "ab")), NHS)
    assert sr.networks.backbone(few, method=method).estimates.height == 0


def test_two_conditions_have_one_pair():
    network = sr.networks.cooccurrence(patterns({"ab": 40, "a": 10, "b": 10, "": 400}, "ab"))
    assert kept(sr.networks.backbone(network)) == ["ab"]
    assert kept(sr.networks.backbone(network, method="top", each=1)) == ["ab"]
    # one pair has all of the weight at both ends: it cannot stand out
    assert kept(sr.networks.backbone(network, method="disparity", level=0.99)) == []


@pytest.mark.parametrize(("arguments", "words"), [
    ({"method": "best"}, "significance, disparity, top"), ({"measure": "lift"}, "observed_expected"),
    ({"level": 5}, "between 0 and 1"), ({"level": 0}, "between 0 and 1"), ({"each": 0}, "at least 1"),
    ({"each": 1.5}, "integer"), ({"each": True}, "integer"),
])  # fmt: skip
def test_what_it_refuses(arguments, words):
    with pytest.raises(ArgumentError, match=words):
        sr.networks.backbone(sr.networks.cooccurrence(STAR), **arguments)


def test_it_takes_networks_alone():
    with pytest.raises(ArgumentError, match=r"networks\.cooccurrence"):
        sr.networks.backbone(sr.multimorbidity.prevalence(STAR))


def test_ranks_and_shares_do_not_depend_on_the_order_of_pairs(random_network):
    tables = dict(random_network.count_tables)
    tables["pairs"] = tables["pairs"].sample(fraction=1, shuffle=True, seed=4).sort("sex", maintain_order=True)
    other = sr.networks.Cooccurrence(tables, random_network.settings, random_network.by)
    for method in ("significance", "disparity", "top"):
        arguments = {"method": method, "level": 0.5}
        assert kept(sr.networks.backbone(other, **arguments)) == kept(sr.networks.backbone(random_network, **arguments))
    assert len(list(choose("abcdefgh", 2))) * 2 == tables["pairs"].height
