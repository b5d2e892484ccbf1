"""What is central in a network: stars, triangles and paths by hand, any other by networkx."""

from __future__ import annotations

from math import sqrt

import networkx
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research.errors import ArgumentError

NHS = sr.Policy.nhs_england()
MEASURES = ["degree", "strength", "betweenness", "eigenvector", "pagerank"]


def patterns(sets: dict[str, int], conditions: str) -> sr.Patterns:
    """People with exactly these conditions, one letter each."""
    rows = [{c: c in held for c in conditions} for held, n in sets.items() for _ in range(n)]
    return sr.Patterns.from_wide(pl.DataFrame(rows), conditions=list(conditions))


def measured(sets: dict[str, int], conditions: str, **arguments) -> dict[str, dict]:
    found = sr.networks.centrality(sr.networks.cooccurrence(patterns(sets, conditions)), **arguments)
    return {row["condition"]: row for row in found.estimates.iter_rows(named=True)}


def test_a_star():
    # a with each of b, c, d: 20 people have both, 20 have the leaf, 60 have a, of 1,200: 20 / (60 x 20 / 1200) = 20
    rows = measured({"ab": 20, "ac": 20, "ad": 20, "": 1140}, "abcd")
    a, b = rows["a"], rows["b"]
    assert (a["n_persons"], a["degree"], b["degree"]) == (60, 3, 1)
    assert a["strength"] == pytest.approx(60)
    assert b["strength"] == pytest.approx(20)
    # every way between two leaves leads through the middle
    assert (a["betweenness"], b["betweenness"]) == (1, 0)
    # the matrix has 1 between a and each leaf: its leading vector is (sqrt 3, 1, 1, 1) / sqrt 6
    assert a["eigenvector"] == pytest.approx(1 / sqrt(2))
    assert b["eigenvector"] == pytest.approx(1 / sqrt(6))
    # shares of a walk: a = 0.15/4 + 0.85 x 3 leaf, leaf = 0.15/4 + 0.85 a/3: a = 0.133125 / 0.2775
    assert a["pagerank"] == pytest.approx(0.133125 / 0.2775)
    assert b["pagerank"] == pytest.approx((1 - 0.133125 / 0.2775) / 3)
    for name in MEASURES:
        assert rows["b"][name] == pytest.approx(rows["c"][name]) == pytest.approx(rows["d"][name])


def test_a_triangle():
    rows = measured({"ab": 20, "ac": 20, "bc": 20, "": 1140}, "abc")
    for row in rows.values():
        # 20 / (40 x 40 / 1200) = 15
        assert row["strength"] == pytest.approx(30)
        assert (row["degree"], row["betweenness"]) == (2, 0)
        assert row["eigenvector"] == pytest.approx(1 / sqrt(3))
        assert row["pagerank"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(("across", "through_b"), [(20, 1.0), (40, 0.5), (60, 0.0)])
def test_a_strong_link_is_a_short_one(across, through_b):
    # a-b and b-c weigh 80, so the way from a to c through b is 1/80 + 1/80 = 1/40 long; the link a-c is 1/across
    rows = measured({"ab": 80, "bc": 80, "ac": across, "": 2000}, "abc", measure="n_both")
    assert rows["b"]["betweenness"] == through_b
    assert (rows["a"]["betweenness"], rows["c"]["betweenness"]) == (0, 0)


def test_the_eigenvector_of_a_network_in_parts_is_of_the_largest():
    # d and e are together far more strongly than any of a, b, c: the eigenvector of the whole would be theirs alone
    rows = measured({"ab": 20, "ac": 20, "bc": 20, "de": 9, "": 2931}, "abcde")
    assert rows["d"]["strength"] > 4 * rows["a"]["strength"]
    assert [rows[c]["eigenvector"] for c in "abcde"] == pytest.approx([1 / sqrt(3)] * 3 + [0, 0])
    # of two pairs the heavier: observed/expected of a and b is 3000/30, of c and d 3000/20
    rows = measured({"ab": 30, "cd": 20, "": 2950}, "abcd")
    assert [rows[c]["eigenvector"] for c in "abcd"] == pytest.approx([0, 0] + [1 / sqrt(2)] * 2)
    # of two equal pairs the first in the alphabet
    rows = measured({"ad": 20, "bc": 20, "": 2960}, "abcd")
    assert [rows[c]["eigenvector"] for c in "abcd"] == pytest.approx([1 / sqrt(2), 0, 0, 1 / sqrt(2)])


def test_what_has_no_link_is_nought_and_changes_nothing():
    sets = {"ab": 20, "ac": 20, "bc": 25, "": 1135}
    few = measured(sets, "abc")
    # d: nobody has it; e: as often with a as chance would give (45 of 1,200 have a, 80 e, 3 both)
    more = measured({"ab": 20, "ac": 17, "ace": 3, "bc": 25, "e": 77, "": 1058}, "abcde")
    for condition in "abc":
        assert few[condition] == {**more[condition], "n_persons": few[condition]["n_persons"]}
    for condition in "de":
        assert [more[condition][m] for m in MEASURES] == [0] * 5


def random_patterns(by: tuple[str, ...] = ()) -> sr.Patterns:
    rng = np.random.default_rng(11)
    ill = 1.5 * rng.random(3000) ** 2
    bits = rng.random((3000, 12)) < np.outer(ill, np.linspace(0.05, 0.5, 12))
    names = [f"c{k:02}" for k in range(12)]
    people = pl.DataFrame(bits.astype(int), schema=names).with_columns(
        pl.Series("sex", np.where(rng.random(3000) < 0.5, "F", None).tolist(), dtype=pl.String)
    )
    return sr.Patterns.from_wide(people, conditions=names, by=by)


@pytest.mark.parametrize(
    "measure", ["observed_expected", "phi", "odds_ratio", "jaccard", "cosine", "overlap", "n_both"]
)
def test_any_network_against_networkx(measure):
    network = sr.networks.cooccurrence(random_patterns())
    found = sr.networks.centrality(network, measure=measure).estimates
    graph = networkx.Graph()
    for row in network.estimates.filter(pl.col("lower") > 1).iter_rows(named=True):
        graph.add_edge(row["source"], row["target"], weight=row[measure], length=1 / row[measure])
    assert networkx.is_connected(graph)
    assert graph.number_of_edges() > 15
    wanted = {
        "degree": dict(graph.degree),
        "strength": dict(graph.degree(weight="weight")),
        "betweenness": networkx.betweenness_centrality(graph, weight="length"),
        "eigenvector": networkx.eigenvector_centrality_numpy(graph, weight="weight"),
        "pagerank": networkx.pagerank(graph, tol=1e-14, max_iter=1000),
    }
    for row in found.iter_rows(named=True):
        for name, values in wanted.items():
            assert row[name] == pytest.approx(abs(values.get(row["condition"], 0)), abs=1e-10), name


def test_strata_are_networks_of_their_own_and_a_missing_one_too():
    people = random_patterns(("sex",))
    found = sr.networks.centrality(sr.networks.cooccurrence(people)).estimates
    for sex in ("F", None):
        own = people.frame.filter(pl.col("sex").eq_missing(pl.lit(sex, dtype=pl.String)))
        alone = sr.networks.centrality(
            sr.networks.cooccurrence(sr.Patterns(people.conditions, own, ("sex",)))
        ).estimates
        assert_frame_equal(found.filter(pl.col("sex").eq_missing(pl.lit(sex, dtype=pl.String))), alone)
    assert found.height == 24


@pytest.mark.parametrize("policy", [NHS, sr.Policy.sacro()], ids=lambda p: p.name)
@pytest.mark.parametrize("filtered", [False, True])
def test_released_centrality_is_that_of_the_released_network(policy, filtered):
    network = sr.networks.cooccurrence(random_patterns(("sex",)))
    network = sr.networks.backbone(network, method="top", each=2) if filtered else network
    before = sr.suppress(sr.networks.centrality(network, measure="jaccard"), policy)
    after = sr.networks.centrality(sr.suppress(network, policy), measure="jaccard")
    assert_frame_equal(before.estimates, after.estimates)
    assert before.disclosure == after.disclosure
    assert_frame_equal(sr.suppress(before, policy).estimates, before.estimates)
    assert set(before.roles) == set(network.roles)
    for name, roles in network.roles.items():
        assert before.roles[name].columns == roles.columns


def test_a_hidden_pair_is_no_link_and_of_a_hidden_condition_nothing_is_known():
    # ab is held by 40, ac by 5, and d by 3 people
    network = sr.networks.cooccurrence(patterns({"ab": 40, "ac": 5, "c": 20, "d": 3, "": 2000}, "abcd"))
    rows = {
        r["condition"]: r for r in sr.networks.centrality(sr.suppress(network, NHS)).estimates.iter_rows(named=True)
    }
    assert {c: rows[c]["degree"] for c in "abcd"} == {"a": 1, "b": 1, "c": 0, "d": None}
    assert [rows["d"][m] for m in ["n_persons", *MEASURES]] == [None] * 6
    assert [rows["c"][m] for m in MEASURES] == [0] * 5
    assert sr.networks.centrality(network).estimates["degree"].to_list() == [2, 1, 1, 0]


def test_every_pair_of_a_backbone_is_a_link():
    # hardly above expected: 27 people against 51 x 51 / 102 = 25.5, kept by a filter that asks for next to nothing
    network = sr.networks.cooccurrence(patterns({"ab": 27, "a": 24, "b": 24, "": 27}, "ab"))
    assert network.estimates["lower"][0] < 1 < network.estimates["observed_expected"][0]
    assert sr.networks.centrality(network).estimates["degree"].to_list() == [0, 0]
    kept = sr.networks.backbone(network, level=0.99)
    assert sr.networks.centrality(kept).estimates["degree"].to_list() == [1, 1]


@pytest.mark.parametrize(("sets", "conditions"), [
    ({"a": 5, "": 5}, "a"), ({"a": 9, "b": 9}, "ab"), ({"": 9}, "abc"), ({"ab": 9}, "ab"), ({"ab": 3, "": 2}, "ab"),
])  # fmt: skip
def test_networks_without_a_link(sets, conditions):
    network = sr.networks.cooccurrence(patterns(sets, conditions))
    for result in (sr.networks.centrality(network), sr.suppress(sr.networks.centrality(network), NHS)):
        assert result.estimates["condition"].to_list() == list(conditions)
        assert result.estimates.select(MEASURES).fill_null(0).sum_horizontal().to_list() == [0] * len(conditions)
        assert result.sentence() == ("No pair of conditions is clearly found together more often than expected.")


def test_no_strata_at_all():
    empty = random_patterns(("sex",)).frame.clear()
    found = sr.networks.centrality(sr.networks.cooccurrence(sr.Patterns(random_patterns().conditions, empty, ("sex",))))
    assert found.estimates.height == 0
    assert found.estimates.columns == ["sex", "condition", "n_persons", *MEASURES]


def test_what_it_says():
    network = sr.networks.cooccurrence(patterns({"ab": 20, "ac": 20, "ad": 20, "": 1140}, "abcde"))
    assert sr.networks.centrality(network).sentence() == (
        "A is the most strongly linked condition: it is found with 3 of 4 others clearly more often than expected."
    )
    html = sr.table(sr.networks.centrality(network, measure="jaccard")).html
    assert "Strength (sum of edge weights, Jaccard)" in html


def test_what_it_refuses():
    network = sr.networks.cooccurrence(random_patterns())
    with pytest.raises(ArgumentError, match="measure='lift'"):
        sr.networks.centrality(network, measure="lift")
    with pytest.raises(ArgumentError, match=r"networks\.backbone"):
        sr.networks.centrality(sr.multimorbidity.prevalence(random_patterns()))
    frame = pl.DataFrame({"a": [1, 0], "b": [1, 0], "degree": ["x", "y"]})
    with pytest.raises(ArgumentError, match="column degree of its own"):
        sr.networks.centrality(
            sr.networks.cooccurrence(sr.Patterns.from_wide(frame, conditions=["a", "b"], by="degree"))
        )
