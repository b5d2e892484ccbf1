"""Central sets of conditions: three people by hand, any people by brute force, and the authors' own package."""

from __future__ import annotations

from itertools import combinations as choose
from math import sqrt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research.errors import ArgumentError

NHS = sr.Policy.nhs_england()


def patterns(sets: dict[str, int], conditions: str) -> sr.Patterns:
    """People with exactly these conditions, one letter each."""
    rows = [{c: c in held for c in conditions} for held, n in sets.items() for _ in range(n)]
    return sr.Patterns.from_wide(pl.DataFrame(rows), conditions=list(conditions))


def told(result: sr.Result, column: str = "centrality") -> dict[str, float]:
    return {"".join(names): value for names, value in result.estimates.select("combination", column).iter_rows()}


# Three people:   a b .    people with a 3, b 2, c 2      prevalence 1, 2/3, 2/3
#                 a . c    with ab 2, ac 2, bc 1, abc 1   overlap 2/2, 2/2, 1/2, 1/2
#                 a b c
THREE = patterns({"ab": 1, "ac": 1, "abc": 1}, "abc")


def test_weights_of_three_people():
    found = sr.networks.set_centrality(THREE, min_persons=1)
    assert told(found, "weight") == {"a": 1, "b": 2 / 3, "c": 2 / 3, "ab": 1, "ac": 1, "bc": 0.5, "abc": 0.5}
    assert told(found, "n_persons") == {"a": 3, "b": 2, "c": 2, "ab": 2, "ac": 2, "bc": 1, "abc": 1}


def scaled(middle: float, other: float, squares: float = 1.0) -> list[float]:
    """One and two equal others, so that their squares add up to this."""
    length = sqrt((middle**2 + 2 * other**2) / squares)
    return pytest.approx([middle / length, other / length, other / length], rel=1e-9)


def test_centrality_of_three_people():
    arguments = {"min_persons": 1, "max_size": 2}
    # conditions: a-b and a-c joined by 1, b-c by 1/2. With a = y and b = c = x: L y = 2 x, L x = y + x/2,
    # so L**2 - L/2 - 2 = 0, L = (1/2 + sqrt(8.25)) / 2, and y/x = 2/L
    values = told(sr.networks.set_centrality(THREE, form="conditions", own_weights=False, **arguments))
    assert [values[c] for c in "abc"] == scaled(2 / ((0.5 + sqrt(8.25)) / 2), 1)
    # with the set of all three, each pair is joined by 1/2 more: L y = 3 x, L x = 3/2 y + x
    values = told(sr.networks.set_centrality(THREE, form="conditions", own_weights=False, min_persons=1))
    assert [values[c] for c in "abc"] == scaled(3 / ((1 + sqrt(19)) / 2), 1)
    # and by its own weights: a-b by 3/2 sqrt(2/3), b-c by 2/3
    values = told(sr.networks.set_centrality(THREE, form="conditions", min_persons=1))
    largest = (2 / 3 + sqrt(4 / 9 + 8 * 1.5)) / 2  # L y = 2 (3/2) sqrt(2/3) x, L x = 3/2 sqrt(2/3) y + 2/3 x
    assert [values[c] for c in "abc"] == scaled(3 * sqrt(2 / 3) / largest, 1)
    # sets: ab and ac share a, 1; ab and bc share b, 2/3; ac and bc share c. ab = ac = x, bc = y: L y = 4/3 x
    values = told(sr.networks.set_centrality(THREE, form="sets", own_weights=False, **arguments))
    assert [values[s] for s in ("bc", "ab", "ac")] == scaled(4 / 3 / ((1 + sqrt(1 + 32 / 9)) / 2), 1)
    # by its own weights: bc, of overlap 1/2, is joined by 2/3 sqrt(1/2): L**2 - L - 2 (2/3)**2 / 2 = 0
    values = told(sr.networks.set_centrality(THREE, form="sets", **arguments))
    assert [values[s] for s in ("bc", "ab", "ac")] == scaled(4 / 3 * sqrt(0.5) / ((1 + sqrt(1 + 16 / 9)) / 2), 1)
    # both: L is the largest of [[2, 1, 1], [1, 5/4, 1/4], [1, 1/4, 5/4]]: L y = 2 y + 2 x, L x = y + 3/2 x;
    # conditions and sets have half of the squares each; a set is 1, 1 or 1/2 times the sum of its two conditions
    values = told(sr.networks.set_centrality(THREE, form="both", **arguments))
    a = 2 / ((3.5 + sqrt(8.25)) / 2 - 2)
    assert [values[c] for c in "abc"] == scaled(a, 1, squares=0.5)
    assert [values[s] for s in ("bc", "ab", "ac")] == scaled(1, a + 1, squares=0.5)


# What the authors' package gives for these people. In an environment of its own:
#   pip install multimorbidity-hypergraphs==0.3.5     (numba 0.68.1, numpy 2.4.6)
#   X = np.array([[c in s for c in "abcd"] for s, n in PEER.items() for _ in range(n)], dtype=int)
#   class Frame: to_numpy = lambda self: X; keys = lambda self: np.array(list("abcd"))
#   h = Hypergraph(verbose=False); h.compute_hypergraph(Frame())
#   v = h.eigenvector_centrality(rep=..., weighted_resultant=..., tolerance=1e-14, max_iterations=9999)
#   v / np.linalg.norm(v)
# It leaves out the set of all conditions. Printed to eight decimals:
PEER = {"": 50, "a": 20, "b": 15, "c": 9, "d": 4, "ab": 12, "ac": 6, "bc": 5, "bd": 3, "abc": 4, "acd": 2, "abcd": 1}
PRINTED = {
    ("conditions", True): {"a": 0.58968008, "b": 0.51160387, "c": 0.53406748, "d": 0.32451626},
    ("conditions", False): {"a": 0.53583605, "b": 0.46274774, "c": 0.52779831, "d": 0.46922618},
    ("sets", True): {
        "ab": 0.41934429, "ac": 0.39932516, "ad": 0.27392578, "bc": 0.30452116, "bd": 0.22879939,
        "cd": 0.16432096, "abc": 0.40457031, "abd": 0.27229818, "acd": 0.37177593, "bcd": 0.2037891,
    },
    ("sets", False): {
        "ab": 0.36464845, "ac": 0.30850265, "ad": 0.24667743, "bc": 0.2822429, "bd": 0.21871482,
        "cd": 0.15360144, "abc": 0.44320295, "abd": 0.39112403, "acd": 0.33688208, "bcd": 0.3114817,
    },
    ("both", True): {
        "a": 0.42663426, "b": 0.30249669, "c": 0.39517298, "d": 0.26517405, "ab": 0.27781451, "ac": 0.35473988,
        "ad": 0.1860662, "bc": 0.23165759, "bd": 0.20357149, "cd": 0.17760449, "abc": 0.18665964, "abd": 0.08914153,
        "acd": 0.29235046, "bcd": 0.08632096,
    },
}  # fmt: skip


@pytest.mark.parametrize(("form", "own_weights"), PRINTED)
def test_the_authors_package_gives_the_same(form, own_weights):
    found = sr.networks.set_centrality(
        patterns(PEER, "abcd"), form=form, own_weights=own_weights, max_size=3, min_persons=1
    )
    assert told(found) == pytest.approx(PRINTED[form, own_weights], abs=6e-9)


def test_both_has_no_use_for_own_weights():
    people = patterns(PEER, "abcd")
    one, other = (sr.networks.set_centrality(people, own_weights=w, min_persons=1) for w in (True, False))
    assert_frame_equal(one.estimates, other.estimates)


def naive(people: list[frozenset[str]], conditions: str, form: str, own: bool, sizes: tuple[int, int], floor: int):
    """Weights by sets of people, and the leading eigenvector of the dense matrix of the largest part."""
    who = {c: {i for i, held in enumerate(people) if c in held} for c in conditions}
    sets = {}
    for size in range(sizes[0], sizes[1] + 1):
        for members in choose(conditions, size):
            have = set.intersection(*(who[c] for c in members))
            if len(have) >= floor:
                sets["".join(members)] = len(have) / min(len(who[c]) for c in members)
    # parts: join what a set joins
    part = {c: {c} for c in conditions}
    for members in sets:
        union = set().union(*(part[c] for c in members))
        for c in union:
            part[c] = union
    ranked = sorted(
        {frozenset(p) for p in part.values()},
        key=lambda p: (-len(p), -sum(set(s) <= p for s in sets), min(p)),
    )
    inside = ranked[0]
    nodes = [c for c in conditions if c in inside]
    edges = [s for s in sets if set(s) <= inside]
    v = {c: len(who[c]) / len(people) for c in nodes}
    if not edges:
        return {}
    if form == "conditions":
        names = nodes
        matrix = [[sum(sets[s] for s in edges if p in s and q in s) if p != q else 0 for q in names] for p in names]
        scale = [sqrt(v[c]) if own else 1 for c in names]
    elif form == "sets":
        names = edges
        matrix = [[sum(v[c] for c in set(p) & set(q)) if p != q else 0 for q in names] for p in names]
        scale = [sqrt(sets[s]) if own else 1 for s in names]
    else:
        names = nodes + edges
        matrix = np.zeros((len(names), len(names)))
        for i, p in enumerate(nodes):
            for j, s in enumerate(edges, start=len(nodes)):
                matrix[i, j] = matrix[j, i] = sets[s] if p in s else 0
        scale = [1] * len(names)
    matrix = np.array(matrix) * np.outer(scale, scale)
    return dict(zip(names, np.abs(np.linalg.eigh(matrix)[1][:, -1]), strict=True))


@settings(max_examples=120)
@given(
    st.lists(st.frozensets(st.sampled_from("abcde"), max_size=5), min_size=1, max_size=25),
    st.sampled_from(["conditions", "sets", "both"]),
    st.booleans(),
    st.integers(2, 3),
    st.integers(0, 3),
    st.integers(1, 3),
)
def test_any_people_against_brute_force(people, form, own, least, more, floor):
    rows = pl.DataFrame([{c: c in held for c in "abcde"} for held in people])
    found = sr.networks.set_centrality(
        sr.Patterns.from_wide(rows, conditions=list("abcde")), form=form, own_weights=own, min_size=least,
        max_size=least + more, min_persons=floor,
    )  # fmt: skip
    wanted = naive(people, "abcde", form, own, (least, min(least + more, 5)), floor)
    values = told(found)
    # dense and sparse settle where the two largest eigenvalues are apart; else each vector of their plane is right
    assert values == pytest.approx({name: wanted.get(name, 0) for name in values}, abs=1e-6)
    assert set(wanted) <= set(values)
    squares = sum(x * x for x in values.values())
    assert squares == pytest.approx(1 if wanted else 0)


def random_patterns(by: str | tuple[str, ...] = ()) -> sr.Patterns:
    rng = np.random.default_rng(8)
    bits = rng.random((900, 7)) < np.outer(1.4 * rng.random(900) ** 2, np.linspace(0.1, 0.7, 7))
    frame = pl.DataFrame(bits.astype(int), schema=list("abcdefg")).with_columns(
        pl.Series("sex", np.where(rng.random(900) < 0.5, "F", None).tolist(), dtype=pl.String)
    )
    return sr.Patterns.from_wide(frame, conditions=list("abcdefg"), by=by)


@pytest.mark.parametrize("form", ["conditions", "sets", "both"])
def test_strata_are_hypergraphs_of_their_own(form):
    people = random_patterns("sex")
    found = sr.networks.set_centrality(people, form=form).estimates
    for sex in ("F", None):
        own = people.frame.filter(pl.col("sex").eq_missing(pl.lit(sex, dtype=pl.String)))
        alone = sr.networks.set_centrality(sr.Patterns(people.conditions, own, ("sex",)), form=form).estimates
        assert_frame_equal(found.filter(pl.col("sex").eq_missing(pl.lit(sex, dtype=pl.String))), alone)
        assert (alone["centrality"] ** 2).sum() == pytest.approx(1)


@pytest.mark.parametrize("policy", [NHS, sr.Policy.opensafely(), sr.Policy.sacro()], ids=lambda p: p.name)
@pytest.mark.parametrize("form", ["conditions", "sets", "both"])
def test_released_centrality_is_made_of_released_counts(policy, form):
    found = sr.networks.set_centrality(random_patterns("sex"), form=form, min_persons=12)
    released = sr.suppress(found, policy)
    assert_frame_equal(sr.suppress(released, policy).estimates, released.estimates)
    shown = released.estimates["n_persons"].drop_nulls()
    assert not shown.is_between(1, policy.threshold).any()
    assert (shown % 5 == 0).all()
    sets = released.estimates.filter(pl.col("kind") == "set")
    # a suppressed set is not named; the floor is laid on rounded counts: 13 people are 15, 12 are 10
    assert sets["n_persons"].null_count() == 0
    assert (sets["n_persons"] >= 15).all()
    if form != "conditions":
        exact = found.estimates.filter(pl.col("kind") == "set")
        assert 0 < sets.height < exact.height
    # authority: brute force on the released counts
    for sex in ("F", None):
        rows = {
            k: t.filter(pl.col("sex").eq_missing(pl.lit(sex, dtype=pl.String)))
            for k, t in released.count_tables.items()
        }
        held = dict(rows["margins"].select("condition", "n_persons").iter_rows())
        total = rows["population"]["n_persons"][0]
        for row in released.estimates.filter(pl.col("sex").eq_missing(pl.lit(sex, dtype=pl.String))).iter_rows(
            named=True
        ):
            members = [held[c] for c in row["combination"]]
            if None in members:
                assert (row["kind"], row["weight"], row["centrality"]) == ("condition", None, None)
            else:
                of = total if row["kind"] == "condition" else min(members)
                assert row["weight"] == pytest.approx(row["n_persons"] / of)


def test_parts_that_are_not_the_largest_are_nought():
    # a, b, c hang together; d and e by one set that all of theirs have
    found = sr.networks.set_centrality(patterns({"ab": 20, "bc": 20, "de": 50, "": 9}, "abcdef"), min_persons=5)
    values = told(found)
    assert [values[n] for n in ("d", "e", "f", "de")] == [0] * 4
    assert min(values[n] for n in ("a", "b", "c", "ab", "bc")) > 0.2
    # in the sets' form ab and bc share b and nothing else joins them: equal
    sets = told(
        sr.networks.set_centrality(patterns({"ab": 20, "bc": 20, "de": 50}, "abcde"), form="sets", min_persons=5)
    )
    assert sets == pytest.approx({"ab": 1 / sqrt(2), "bc": 1 / sqrt(2), "de": 0})


def test_of_parts_as_large_the_one_with_more_sets():
    found = sr.networks.set_centrality(patterns({"ab": 20, "bc": 20, "de": 20, "ef": 20, "df": 20}, "abcdef"))
    values = told(found)
    assert [values[c] for c in "abc"] == [0, 0, 0]
    assert values["d"] == pytest.approx(values["e"]) == pytest.approx(1 / sqrt(6))


def test_the_floor_is_laid_on_the_counts_that_are_shown():
    # 8 and 12 people are both shown as 10: if only one of them were there, it would be known to be 10 or more
    found = sr.networks.set_centrality(patterns({"ab": 8, "bc": 12, "ac": 7, "a": 20, "c": 20}, "abc"), form="sets")
    assert told(found, "n_persons") == {"bc": 12}
    assert told(sr.suppress(found, NHS), "n_persons") == {"ab": 10, "bc": 10}


@pytest.mark.parametrize("form", ["conditions", "sets", "both"])
@pytest.mark.parametrize(("sets", "conditions"), [({"a": 30, "": 5}, "a"), ({"a": 30, "b": 30}, "ab"), ({"": 30}, "abc"),
                                                  ({"ab": 3}, "ab")])  # fmt: skip
def test_nothing_to_join(form, sets, conditions):
    found = sr.networks.set_centrality(patterns(sets, conditions), form=form)
    for result in (found, sr.suppress(found, NHS)):
        assert result.estimates.height == (0 if form == "sets" else len(conditions))
        assert result.estimates["centrality"].fill_null(0).sum() == 0
        assert result.sentence() == (
            "There are no sets of 2 conditions or more that at least 10 people have, so nothing is central."
        )


def test_one_set():
    for form, wanted in [
        ("sets", {"ab": 1}), ("conditions", {"a": 1 / sqrt(2), "b": 1 / sqrt(2)}),
        ("both", {"a": 1 / 2, "b": 1 / 2, "ab": 1 / sqrt(2)}),
    ]:  # fmt: skip
        assert told(sr.networks.set_centrality(patterns({"ab": 30, "": 5}, "ab"), form=form)) == pytest.approx(wanted)


def test_an_iteration_that_does_not_settle_says_nothing(monkeypatch):
    from symphony_research.networks import hypergraph

    monkeypatch.setattr(hypergraph, "MOST_ITERATIONS", 2)
    found = sr.networks.set_centrality(random_patterns(), form="sets")
    assert found.settings["most_iterations"] == 2
    assert found.estimates["centrality"].null_count() == found.estimates.height > 0
    assert found.sentence() == (
        "Among sets of 2 conditions or more that at least 10 people have, the centrality did not settle."
    )


def test_the_limits_are_said():
    found = sr.networks.set_centrality(random_patterns(), max_size=3, min_persons=20)
    assert found.sentence().startswith(
        "Among sets of 2 to 3 conditions that at least 20 people have, the most central set is "
    )
    assert found.settings["max_size"] == 3
    assert found.settings["tolerance"] == 1e-12
    pairs = sr.networks.set_centrality(random_patterns("sex"), form="sets", max_size=2)
    assert "sets of 2 conditions that at least 10 people have, the most central set (" in pairs.sentence()
    assert pairs.estimates["size"].to_list() == [2] * pairs.estimates.height


def test_many_conditions_and_words():
    # conditions in two machine words, sets across them
    rng = np.random.default_rng(2)
    bits = rng.random((400, 70)) < 0.06
    names = [f"c{k:02}" for k in range(70)]
    people = sr.Patterns.from_wide(pl.DataFrame(bits.astype(int), schema=names), conditions=names)
    found = sr.networks.set_centrality(people, form="sets", own_weights=False, max_size=3, min_persons=2)
    who = {n: set(np.flatnonzero(bits[:, k])) for k, n in enumerate(names)}
    sets = [frozenset(s) for s in found.estimates["combination"]]
    assert len(sets) == sum(len(set.intersection(*(who[c] for c in s))) >= 2 for k in (2, 3) for s in choose(names, k))
    member = np.array([[n in s for n in names] for s in sets], dtype=float)
    matrix = member @ np.diag(bits.mean(axis=0)) @ member.T
    np.fill_diagonal(matrix, 0)
    vector = np.abs(np.linalg.eigh(matrix)[1][:, -1])
    assert found.estimates["centrality"].to_numpy() == pytest.approx(vector, abs=1e-8)


def test_what_it_refuses():
    for arguments, words in [
        ({"form": "dual"}, "conditions, sets, both"), ({"min_size": 1}, "from two on"), ({"min_persons": 0}, "at least 1"),
        ({"min_size": 3, "max_size": 2}, "range of sizes"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            sr.networks.set_centrality(THREE, **arguments)
    frame = pl.DataFrame({"a": [1, 0], "b": [1, 0], "kind": ["x", "y"]})
    with pytest.raises(ArgumentError, match="column kind of its own"):
        sr.networks.set_centrality(sr.Patterns.from_wide(frame, conditions=["a", "b"], by="kind"))
