"""Which conditions go together: four counts of a pair, and every measure by hand or from R."""

from __future__ import annotations

import io
from math import exp, log2, sqrt

import networkx
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError

Z = 1.959963984540054  # R: qnorm(0.975)


def pair(both: int, a: int, b: int, neither: int, **arguments) -> dict:
    """The row of a and b, given people with both, with a only, with b only, and with neither."""
    rows = [(1, 1)] * both + [(1, 0)] * a + [(0, 1)] * b + [(0, 0)] * neither
    frame = pl.DataFrame(rows, schema=["a", "b"], orient="row")
    patterns = sr.Patterns.from_wide(frame, conditions=["a", "b"])
    return sr.networks.cooccurrence(patterns, **arguments).estimates.row(0, named=True)


def test_every_measure_of_a_pair():
    #             b   not b
    #      a     12       8     20
    #  not a      5      75     80
    #            17      83    100
    row = pair(12, 8, 5, 75)
    assert (row["source"], row["target"]) == ("a", "b")
    assert (row["n_both"], row["n_source"], row["n_target"], row["n_persons"]) == (12, 20, 17, 100)
    assert row["expected"] == pytest.approx(20 * 17 / 100)
    assert row["observed_expected"] == pytest.approx(12 / 3.4)
    error = sqrt(1 / 12 - 1 / 20 - 1 / 17 + 2 * 12 / (20 * 17) - 1 / 100)
    assert row["lower"] == pytest.approx(12 / 3.4 * exp(-Z * error), rel=1e-12)
    assert row["upper"] == pytest.approx(12 / 3.4 * exp(Z * error), rel=1e-12)
    assert row["phi"] == pytest.approx((12 * 100 - 20 * 17) / sqrt(20 * 17 * 80 * 83))
    assert row["odds_ratio"] == pytest.approx(12 * 75 / (8 * 5))
    assert row["jaccard"] == pytest.approx(12 / 25)
    assert row["cosine"] == pytest.approx(12 / sqrt(20 * 17))
    assert row["overlap"] == pytest.approx(12 / 17)
    assert row["information_component"] == pytest.approx(log2(12.5 / 3.9))
    # R: log2(qgamma(0.025, 12.5, 3.9))
    assert row["ic_lower"] == pytest.approx(0.75019090405874644, rel=1e-12)
    # R: k <- phyper(12, 20, 80, 17, lower.tail = FALSE); 2 * (k + dhyper(12, 20, 80, 17) / 2)
    assert row["p_value"] == pytest.approx(4.9322259583455637e-07, rel=1e-10)
    assert row["q_value"] == row["p_value"]


def test_phi_squared_is_pearsons_chi_squared_over_the_people():
    # R: chisq.test(matrix(c(12, 8, 5, 75), 2), correct = FALSE)$statistic
    assert 100 * pair(12, 8, 5, 75)["phi"] ** 2 == pytest.approx(32.760453579021963, rel=1e-12)


def test_limits_follow_the_confidence():
    # R: log2(qgamma(0.05, 12.5, 3.9))
    assert pair(12, 8, 5, 75, confidence=0.9)["ic_lower"] == pytest.approx(0.90554914266627995, rel=1e-12)
    with pytest.raises(ArgumentError, match="between 0 and 1"):
        pair(12, 8, 5, 75, confidence=95)


def test_independent_conditions_are_as_frequent_as_chance():
    row = pair(2, 8, 18, 72)
    assert row["observed_expected"] == pytest.approx(1)
    assert row["phi"] == pytest.approx(0, abs=1e-15)
    assert row["odds_ratio"] == pytest.approx(1)
    assert row["lower"] < 1 < row["upper"]


def test_a_pair_that_nobody_has():
    row = pair(0, 8, 5, 87)
    assert row["observed_expected"] == 0
    assert (row["lower"], row["upper"]) == (None, None)
    assert row["odds_ratio"] == 0
    assert row["information_component"] == pytest.approx(log2(0.5 / 0.9))


@pytest.mark.parametrize("cells", [(0, 0, 0, 9), (0, 9, 0, 0), (9, 0, 0, 0), (0, 3, 0, 6), (1, 0, 0, 0), (0, 0, 0, 1)])
def test_a_measure_that_does_not_exist_is_missing(cells):
    both, a, b, _ = cells
    row = pair(*cells)
    n = sum(cells)
    margins = (both + a, both + b)
    assert (row["phi"] is None) == (0 in margins or n in margins)
    assert (row["observed_expected"] is None) == (0 in margins)
    # without a condition there is nothing to test
    assert (row["p_value"] is None) == (0 in margins)
    for name in ("jaccard", "cosine", "overlap"):
        assert row[name] is None or 0 <= row[name] <= 1


def test_strata_become_rows_and_a_missing_one_is_its_own():
    frame = pl.DataFrame({"a": [1, 1, 0, 1], "b": [1, 0, 0, 1], "sex": ["F", "F", None, None]})
    network = sr.networks.cooccurrence(sr.Patterns.from_wide(frame, conditions=["a", "b"], by="sex"))
    assert network.estimates.select("sex", "n_both", "n_persons").rows() == [("F", 1, 2), (None, 1, 2)]
    assert network.to_networkx(stratum={"sex": "F"}).edges["a", "b"]["n_both"] == 1
    with pytest.raises(ArgumentError, match="pass stratum= with a value for each of sex"):
        network.to_networkx()


def test_the_network_has_a_node_a_condition_and_an_edge_a_pair_that_somebody_has():
    frame = pl.DataFrame({"a": [1, 1], "b": [1, 0], "c": [0, 0]})
    graph = sr.networks.cooccurrence(sr.Patterns.from_wide(frame, conditions=["a", "b", "c"])).to_networkx()
    assert dict(graph.nodes(data="n_persons")) == {"a": 2, "b": 1, "c": 0}
    assert list(graph.edges) == [("a", "b")]


def test_q_values_are_over_every_pair_and_stratum():
    # R: p.adjust(p, "BH") sorts p and multiplies each by the number of tests over its rank, from the largest down
    frame = pl.DataFrame({"a": [1, 1, 1, 0, 0, 0, 0, 0] * 5, "b": [1, 1, 0, 0, 0, 0, 0, 1] * 5, "c": [0, 1] * 20})
    frame = frame.with_columns((pl.int_range(40) < 20).alias("first"))
    rows = sr.networks.cooccurrence(sr.Patterns.from_wide(frame, conditions=["a", "b", "c"], by="first")).estimates
    ordered = rows.sort("p_value")
    p, m = ordered["p_value"].to_list(), ordered.height
    assert m == 6
    wanted = [min(min(1.0, p[j] * m / (j + 1)) for j in range(i, m)) for i in range(m)]
    assert ordered["q_value"].to_list() == pytest.approx(wanted, rel=1e-14)


def test_one_condition_has_no_pair():
    patterns = sr.Patterns.from_wide(pl.DataFrame({"a": [1, 0]}), conditions=["a"])
    network = sr.networks.cooccurrence(patterns)
    assert network.estimates.height == 0
    assert network.sentence() == "No pair of conditions is held by enough people to show."


def test_the_finding_says_on_how_many_people_it_rests():
    rows = [(1, 1)] * 10 + [(1, 0)] * 5 + [(0, 1)] * 5 + [(0, 0)] * 180
    patterns = sr.Patterns.from_wide(
        pl.DataFrame(rows, schema=["copd", "gout"], orient="row"), conditions=["copd", "gout"]
    )
    said = sr.networks.cooccurrence(patterns).sentence()
    # 10 / (15 x 15 / 200) = 8.89
    assert said.startswith(
        "COPD and gout go together most: about 10 people have both, 8.89 times as many as expected if conditions were "
        "independent (95% CI "
    )


def test_a_network_is_written_by_networkx_itself():
    patterns = sr.define_cohort(sr.example_study()).patterns()
    exact = sr.networks.cooccurrence(patterns)
    sequences = sr.networks.sequences(sr.define_cohort(sr.example_study()).onsets(birth_years=10), min_persons=1)
    for made in (exact, sr.suppress(exact, sr.Policy.nhs_england()), sequences):
        for write in (networkx.write_graphml, networkx.write_gexf):
            write(made.to_networkx(), io.BytesIO())
