"""Communities: cliques and planted groups are found, chance is not, and what is released is made again."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations as choose

import networkx
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.networks.louvain import adjusted_rand_index, best_partition, modularity
from symphony_research.result.mode import report_mode

NHS = sr.Policy.nhs_england()


def patterns(sets: dict[str, int], conditions: str) -> sr.Patterns:
    """People with exactly these conditions, one letter each."""
    rows = [{c: c in held for c in conditions} for held, n in sets.items() for _ in range(n)]
    return sr.Patterns.from_wide(pl.DataFrame(rows), conditions=list(conditions))


def planted(seed: int, *, n: int = 8000, groups: int = 3, size: int = 4, within: float = 0.3, strata: int = 1):
    """People of classes, each with a group of conditions that are common in it; and as many of no class."""
    rng = np.random.default_rng(seed)
    of = rng.integers(0, 2 * groups, n)
    bits = rng.random((n, groups * size)) < 0.08
    for g in range(groups):
        own = np.flatnonzero(of == g)
        bits[np.ix_(own, range(g * size, (g + 1) * size))] |= rng.random((len(own), size)) < within
    names = [f"{'abcdefgh'[k // size]}{k % size}" for k in range(groups * size)]
    frame = pl.DataFrame(bits.astype(int), schema=names).with_columns(pl.Series("area", np.arange(n) % strata))
    return sr.Patterns.from_wide(frame, conditions=names, by="area" if strata > 1 else ())


def groups_of(result: sr.Result) -> set[frozenset[str]]:
    own = result.estimates.filter(pl.col("community").is_not_null())
    return {frozenset(part["condition"]) for part in own.partition_by("community")}


# two cliques of four, a..d and e..h, in pairs of 30 people, and one pair of 30 between them
CLIQUES = {"".join(p): 30 for own in ("abcd", "efgh") for p in choose(own, 2)} | {"de": 30, "": 6000}


def test_two_cliques_joined_by_one_link():
    network = sr.networks.cooccurrence(patterns(CLIQUES, "abcdefgh"))
    found = sr.networks.communities(network, seed=1, measure="n_both")
    assert groups_of(found) == {frozenset("abcd"), frozenset("efgh")}
    # 13 equal links, 6 in each clique; strengths of a clique add up to 13 of 26: 12/13 - 2 (13/26)**2
    assert found.quality.row(0, named=True) == {
        "n_communities": 2, "modularity": pytest.approx(12 / 13 - 1 / 2), "adjusted_rand_index": None,
    }  # fmt: skip
    assert found.estimates["stability"].null_count() == 8
    # authority: networkx
    graph = networkx.Graph([(a, b) for a, b in map(tuple, [p for p in CLIQUES if p])])
    assert networkx.community.modularity(graph, ["abcd", "efgh"]) == pytest.approx(12 / 13 - 1 / 2)
    # resolution: none to tell apart what hangs together, much to leave each alone
    assert len(groups_of(sr.networks.communities(network, seed=1, measure="n_both", resolution=0.01))) == 1
    assert len(groups_of(sr.networks.communities(network, seed=1, measure="n_both", resolution=20))) == 8


@pytest.mark.parametrize("seed", range(5))
def test_planted_groups_are_found_and_stay(seed):
    people = planted(seed)
    found = sr.networks.communities(sr.networks.cooccurrence(people), seed=seed, patterns=people, resamples=40)
    assert groups_of(found) == {frozenset(f"{g}{k}" for k in range(4)) for g in "abc"}
    assert found.estimates["stability"].min() >= 0.95
    assert found.quality["adjusted_rand_index"][0] >= 0.95
    released = sr.suppress(found, NHS)
    assert groups_of(released) == groups_of(found)
    assert "in resamples of the people two of them stay together 100% of the time" in released.sentence()


@pytest.mark.parametrize("seed", range(5))
def test_groups_expected_share_do_not_stay(seed):
    # no pair is planted: of 435 some 11 have an interval above 1, and look like a network
    people = planted(seed, n=2000, groups=5, size=6, within=0.0)
    found = sr.networks.communities(sr.networks.cooccurrence(people), seed=seed, patterns=people, resamples=40)
    assert found.quality["n_communities"][0] >= 2
    assert found.estimates["stability"].mean() < 0.7
    assert found.sentence().endswith(" of the time, so who belongs together is uncertain.")
    assert found.quality["adjusted_rand_index"][0] < 0.5


def test_stability_is_how_often_two_are_together_by_hand():
    # every one of 300 people has a and b or nothing of 3,000: in every resample the pair is one community
    certain = patterns({"ab": 300, "": 2700}, "abc")
    found = sr.networks.communities(sr.networks.cooccurrence(certain), seed=1, patterns=certain, resamples=7)
    rows = {r["condition"]: r for r in found.estimates.iter_rows(named=True)}
    assert (rows["a"]["community"], rows["a"]["stability"], rows["b"]["stability"]) == (1, 1, 1)
    assert (rows["c"]["community"], rows["c"]["stability"]) == (None, None)
    assert rows["a"]["adjusted_rand_index"] == 1
    # 16 people have both where 10 are expected: its interval lies just above 1, and in some resamples it does not
    doubtful = patterns({"ab": 16, "a": 24, "b": 84, "": 276}, "ab")
    network = sr.networks.cooccurrence(doubtful)
    assert network.estimates["lower"][0] > 1
    share = sr.networks.communities(network, seed=1, patterns=doubtful, resamples=100).estimates["stability"][0]
    # authority: a bootstrap of single people
    rng, n = np.random.default_rng(2), 400
    cells = np.repeat([0, 1, 2, 3], [16, 24, 84, 276])
    above = 0
    for _ in range(400):
        both, a, b, _ = np.bincount(rng.choice(cells, n), minlength=4)
        first, second = both + a, both + b
        spread = 1 / both - 1 / first - 1 / second + 2 * both / (first * second) - 1 / n
        above += both * n / (first * second) * np.exp(-1.959963984540054 * np.sqrt(spread)) > 1
    # both shares are of some 0.5 to 0.9: standard error at most 0.05 and 0.025
    assert share == pytest.approx(above / 400, abs=0.17)
    assert 0.2 < share < 0.98


def test_numbers_go_by_conditions_then_people_then_name():
    sets = {"ab": 30, "ac": 30, "bc": 30, "fg": 80, "hi": 40, "de": 40, "": 9000}
    found = sr.networks.communities(sr.networks.cooccurrence(patterns(sets, "abcdefghij")), seed=1).estimates
    numbers = dict(found.select("condition", "community").iter_rows())
    assert "".join(str(numbers[c]) for c in "abcfgdehi") == "111223344"
    assert numbers["j"] is None
    assert found["condition"].to_list() == list("abcfgdehij")


def test_one_seed_one_answer_in_any_process():
    people = planted(3, n=1500, within=0.15)
    network = sr.networks.cooccurrence(people)
    first = sr.networks.communities(network, seed=4, patterns=people, resamples=10)
    again = sr.networks.communities(network, seed=4, patterns=people, resamples=10)
    assert_frame_equal(first.estimates, again.estimates)
    other = sr.networks.communities(network, seed=5, patterns=people, resamples=10)
    assert not first.count_tables["pairs"].equals(other.count_tables["pairs"])
    script = (
        "import numpy as np, polars as pl, symphony_research as sr\n"
        "x = np.random.default_rng(1).random((900, 9)) < np.random.default_rng(2).random((900, 1)) / 2\n"
        "p = sr.Patterns.from_wide(pl.DataFrame(x.astype(int), schema=list('abcdefghi')), conditions=list('abcdefghi'))\n"
        "found = sr.networks.communities(sr.networks.cooccurrence(p), seed=1, patterns=p, resamples=5)\n"
        "print(found.estimates.write_json())\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": str(k)},
        ).stdout
        for k in (0, 1)
    }  # fmt: skip
    assert len(said) == 1


def test_a_stratum_is_found_as_it_is_on_its_own():
    people = planted(1, strata=2)
    found = sr.networks.communities(sr.networks.cooccurrence(people), seed=2).estimates
    for area in (0, 1):
        own = sr.Patterns(people.conditions, people.frame.filter(pl.col("area") == area), ("area",))
        alone = sr.networks.communities(sr.networks.cooccurrence(own), seed=2).estimates
        assert_frame_equal(found.filter(pl.col("area") == area), alone)


def test_resampling_keeps_the_people_of_each_stratum():
    from symphony_research.networks.communities import _drawn

    people = planted(1, n=3000, strata=3)
    drawn = _drawn(people, np.random.default_rng(1))
    assert_frame_equal(drawn.strata, people.strata)
    assert not drawn.frame["n_persons"].equals(people.frame["n_persons"])


@pytest.mark.parametrize("policy", [NHS, sr.Policy.sacro()], ids=lambda p: p.name)
def test_released_communities_are_those_of_the_released_network(policy):
    people = planted(2, n=1200, within=0.2, strata=2)
    network = sr.networks.cooccurrence(people)
    before = sr.suppress(sr.networks.communities(network, seed=1), policy)
    after = sr.networks.communities(sr.suppress(network, policy), seed=1)
    assert_frame_equal(before.estimates, after.estimates)
    found = sr.networks.communities(network, seed=1, patterns=people, resamples=30)
    released = sr.suppress(found, policy)
    assert_frame_equal(
        released.estimates.drop("stability", "adjusted_rand_index"),
        after.estimates.drop("stability", "adjusted_rand_index"),
    )
    assert_frame_equal(sr.suppress(released, policy).estimates, released.estimates)
    # what resampling found of a suppressed pair is suppressed with it, and of others given to two decimals
    exact, pairs = found.count_tables["pairs"], released.count_tables["pairs"]
    hidden = pairs["n_both"].is_null()
    assert hidden.any()
    assert pairs.filter(hidden)["together"].null_count() == hidden.sum()
    shown = pairs.filter(~hidden)["together"]
    assert shown.null_count() == 0
    assert (shown == shown.round(2)).all()
    assert exact["together"].null_count() == 0
    # and stability is the mean over the shown pairs of the released communities
    for area in (0, 1):
        rows = released.estimates.filter(pl.col("area") == area)
        of = dict(rows.select("condition", "community").iter_rows())
        for row in rows.iter_rows(named=True):
            own = [
                t for a, b, t in pairs.filter(pl.col("area") == area).select("source", "target", "together").iter_rows()
                if row["condition"] in (a, b) and of[a] is not None and of[a] == of[b] and t is not None
            ]  # fmt: skip
            assert row["stability"] == (pytest.approx(sum(own) / len(own)) if own else None)


def test_resamples_are_not_made_beside_released_numbers():
    people = planted(1, n=1000)
    released = sr.suppress(sr.networks.cooccurrence(people), NHS)
    with pytest.raises(DisclosureError, match="suppress what they return"):
        sr.networks.communities(released, seed=1, patterns=people)


def test_inside_a_report_communities_are_made_and_shown_only_disclosed():
    people = planted(1, n=1000)
    with report_mode():
        found = sr.networks.communities(sr.networks.cooccurrence(people), seed=1, patterns=people, resamples=2)
        with pytest.raises(DisclosureError):
            found.quality  # noqa: B018
        assert sr.suppress(found, NHS).quality.height == 1


@pytest.mark.parametrize(("sets", "conditions"), [
    ({"a": 5, "": 5}, "a"), ({"a": 9, "b": 9}, "ab"), ({"": 9}, "abc"), ({"ab": 3, "": 2}, "ab"),
])  # fmt: skip
def test_networks_without_a_link_have_no_community(sets, conditions):
    people = patterns(sets, conditions)
    network = sr.networks.cooccurrence(people)
    found = sr.networks.communities(network, seed=1, patterns=people, resamples=3)
    for result in (found, sr.suppress(found, NHS), sr.networks.communities(sr.suppress(network, NHS), seed=1)):
        assert result.estimates["community"].null_count() == result.estimates.height == len(conditions)
        assert result.quality.row(0) == (0, None, None)
        assert result.sentence().endswith("so there is no community.")


def test_what_it_says():
    network = sr.networks.cooccurrence(patterns(CLIQUES, "abcdefgh"))
    # both have four; d and e have one link more, so the people are as many, and a is first in the alphabet
    assert sr.networks.communities(network, seed=1).sentence() == (
        "Conditions that go together form 2 communities; the largest: d, a, b and c."
    )


def test_results_travel():
    import pickle

    people = planted(1, n=1000)
    network = sr.networks.cooccurrence(people)
    for result in (
        sr.networks.communities(network, seed=1, patterns=people, resamples=2), sr.networks.centrality(network),
        sr.networks.set_centrality(people),
    ):  # fmt: skip
        for made in (result, sr.suppress(result, NHS)):
            again = pickle.loads(pickle.dumps(made))
            assert_frame_equal(again.estimates, made.estimates)
            assert {k: v.columns for k, v in again.roles.items()} == {k: v.columns for k, v in made.roles.items()}


def test_what_it_refuses():
    people = patterns(CLIQUES, "abcdefgh")
    network = sr.networks.cooccurrence(people)
    for arguments, words in [
        ({"seed": -1}, "seed=-1"), ({"seed": 1.5}, "seed=1.5"), ({"seed": 1, "resolution": 0}, "above 0"),
        ({"seed": 1, "measure": "lift"}, "measure='lift'"), ({"seed": 1, "resamples": 0}, "at least 1"),
        ({"seed": 1, "patterns": "people"}, "takes Patterns"), ({"seed": 1, "patterns": planted(1)}, "pairs of this network"),
        ({"seed": 1, "patterns": patterns({**CLIQUES, "": 5999, "ab": 31}, "abcdefgh")}, "pairs of this network"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            sr.networks.communities(network, **arguments)
    with pytest.raises(TypeError, match="seed"):
        sr.networks.communities(network)
    frame = pl.DataFrame({"a": [1, 0], "b": [1, 0], "community": ["x", "y"]})
    clash = sr.networks.cooccurrence(sr.Patterns.from_wide(frame, conditions=["a", "b"], by="community"))
    with pytest.raises(ArgumentError, match="column community of its own"):
        sr.networks.communities(clash, seed=1)


def test_adjusted_rand_index_by_hand():
    # of 6 pairs, {01 23} joins 2 and {01 2 3} joins 1, which is common: expected 2 x 1 / 6 = 1/3, at most 3/2:
    # (1 - 1/3) / (3/2 - 1/3) = 4/7
    assert adjusted_rand_index(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])) == pytest.approx(4 / 7)
    # {01 23} and {02 13} have no pair in common: (0 - 2/3) / (2 - 2/3) = -1/2
    assert adjusted_rand_index(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])) == pytest.approx(-1 / 2)
    assert adjusted_rand_index(np.array([3, 3, 1]), np.array([0, 0, 2])) == 1
    assert adjusted_rand_index(np.array([0, 1, 2]), np.array([0, 1, 2])) == 1
    assert adjusted_rand_index(np.zeros(0, dtype=int), np.zeros(0, dtype=int)) == 1


@st.composite
def weights(draw):
    n = draw(st.integers(1, 9))
    matrix = np.zeros((n, n))
    for i, j in choose(range(n), 2):
        # many ties, which is where moving for ever begins
        matrix[i, j] = matrix[j, i] = draw(st.sampled_from([0, 0, 1 / 3, 1, 1, 7.3]))
    return matrix


@settings(max_examples=100)
@given(weights(), st.integers(0, 5), st.sampled_from([0.5, 1.0, 2.0]))
def test_louvain_ends_at_a_partition_no_single_move_improves(matrix, seed, resolution):
    found = best_partition(matrix, resolution=resolution, random=np.random.default_rng(seed))
    assert found.min() == 0
    assert set(found) == set(range(found.max() + 1))
    if not matrix.any():
        return
    graph = networkx.from_numpy_array(matrix)
    ours = modularity(matrix, found, resolution=resolution)

    def theirs(labels):
        parts = [{k for k, c in enumerate(labels) if c == name} for name in set(labels)]
        return networkx.community.modularity(graph, parts, resolution=resolution)

    # authority: networkx's modularity
    assert ours == pytest.approx(theirs(found.tolist()), abs=1e-12)
    assert ours >= theirs(range(len(matrix))) - 1e-12
    assert ours >= theirs([0] * len(matrix)) - 1e-7


@pytest.mark.parametrize("seed", range(4))
def test_louvain_is_as_good_as_networkx_on_random_networks(seed):
    rng = np.random.default_rng(seed)
    same = np.arange(24)[:, None] // 6 == np.arange(24)[None, :] // 6
    matrix = np.triu((rng.random((24, 24)) < np.where(same, 0.7, 0.2)) * rng.random((24, 24)), 1)
    matrix += matrix.T
    ours = modularity(matrix, best_partition(matrix, resolution=1, random=np.random.default_rng(seed)))
    graph = networkx.from_numpy_array(matrix)
    parts = [networkx.community.louvain_communities(graph, seed=k) for k in range(5)]
    assert ours >= max(networkx.community.modularity(graph, p) for p in parts) - 0.01
