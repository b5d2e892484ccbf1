"""What must hold of any network: no people break it, and what is released is made of what is released."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research.networks.backbone import METHODS
from symphony_research.networks.edges import MEASURES


@st.composite
def populations(draw, max_conditions: int = 6):
    """Distinct sets of conditions with people of up to thousands, in strata perhaps missing."""
    width = draw(st.integers(1, max_conditions))
    names = [f"c{k}" for k in range(width)]
    sets = draw(
        st.dictionaries(
            st.tuples(st.integers(0, 2**width - 1), st.sampled_from(["east", None])),
            st.one_of(st.integers(1, 12), st.integers(1, 3000)), min_size=1, max_size=14,
        )
    )  # fmt: skip
    rows = [[mask >> k & 1 for k in range(width)] + [area] for (mask, area), n in sets.items() for _ in range(n)]
    schema = {**dict.fromkeys(names, pl.Int8), "area": pl.String}
    return sr.Patterns.from_wide(pl.DataFrame(rows, schema=schema, orient="row"), conditions=names, by="area")


policies = st.sampled_from([sr.Policy.nhs_england(), sr.Policy.opensafely(), sr.Policy.sacro()])


@given(populations(), policies, st.sampled_from(METHODS), st.sampled_from(MEASURES))
def test_a_backbone_is_the_same_before_and_after_disclosure_control(patterns, policy, method, measure):
    network = sr.networks.cooccurrence(patterns)
    arguments = {"method": method, "measure": measure, "level": 0.4, "each": 1}
    before = sr.suppress(sr.networks.backbone(network, **arguments), policy)
    after = sr.networks.backbone(sr.suppress(network, policy), **arguments)
    assert_frame_equal(before.estimates, after.estimates)
    kept = sr.networks.backbone(network, **arguments).estimates
    assert (kept["observed_expected"] > 1).all()
    # every condition that has a weighed link keeps its strongest
    if method == "top":
        able = network.estimates.filter((pl.col("lower") > 1) & (pl.col(measure) > 0))
        ends = {(a, c) for a, s, t in able.select("area", "source", "target").iter_rows() for c in (s, t)}
        assert ends == {(a, c) for a, s, t in kept.select("area", "source", "target").iter_rows() for c in (s, t)}


@given(populations(), policies, st.sampled_from(MEASURES))
def test_centrality_of_any_network_exists_and_adds_up(patterns, policy, measure):
    network = sr.networks.cooccurrence(patterns)
    for result in (sr.networks.centrality(network, measure=measure),
                   sr.suppress(sr.networks.centrality(network, measure=measure), policy)):  # fmt: skip
        for part in result.estimates.partition_by("area"):
            linked = part.filter(pl.col("degree") > 0)
            assert linked["degree"].sum() % 2 == 0
            if linked.height:
                assert linked["pagerank"].sum() == pytest.approx(1)
                assert (linked["eigenvector"] ** 2).sum() == pytest.approx(1)
                assert (linked["strength"] > 0).all()
            assert part["betweenness"].drop_nulls().is_between(0, 1 + 1e-12).all()
            assert (part.filter(pl.col("degree") == 0)["pagerank"] == 0).all()
            assert (part["n_persons"].is_null() == part["degree"].is_null()).all()
        assert result.sentence().endswith(".")


@settings(max_examples=30)
@given(populations(), policies, st.sampled_from(MEASURES), st.integers(0, 3))
def test_communities_of_any_network_are_numbered_from_one(patterns, policy, measure, seed):
    network = sr.networks.cooccurrence(patterns)
    found = sr.networks.communities(network, seed=seed, measure=measure, patterns=patterns, resamples=3)
    links = sr.networks.centrality(network, measure=measure).estimates
    for result in (found, sr.suppress(found, policy)):
        for part in result.estimates.partition_by("area"):
            numbers = part["community"].drop_nulls().to_list()
            assert set(numbers) == set(range(1, max(numbers, default=0) + 1))
            sizes = [numbers.count(k) for k in sorted(set(numbers))]
            assert sizes == sorted(sizes, reverse=True)
            assert part["stability"].drop_nulls().is_between(0, 1).all()
            assert part["modularity"].drop_nulls().is_between(-0.5, 1).all()
        assert_frame_equal(
            sr.suppress(result, policy).estimates if result.disclosure else result.estimates, result.estimates
        )
    both = found.estimates.join(links, on=["area", "condition"], nulls_equal=True)
    assert (both["community"].is_null() == (both["degree"] == 0)).all()


@settings(max_examples=40)
@given(populations(), policies, st.sampled_from(["conditions", "sets", "both"]), st.booleans())
def test_set_centrality_of_any_people_settles(patterns, policy, form, own):
    found = sr.networks.set_centrality(patterns, form=form, own_weights=own, min_persons=1)
    for result in (found, sr.suppress(found, policy)):
        frame = result.estimates
        assert frame.filter(pl.col("n_persons").is_not_null())["centrality"].null_count() == 0
        assert frame["weight"].drop_nulls().is_between(0, 1).all()
        for part in frame.partition_by("area"):
            squares = float((part["centrality"] ** 2).sum())
            assert squares == pytest.approx(1) or squares == 0
            values = part.filter(pl.col("kind") == "set")["centrality"].to_numpy()
            assert (np.diff(values) <= 1e-8).all()
        assert frame.filter(pl.col("kind") == "set")["n_persons"].null_count() == 0
