"""Networks as files: what other programs read is the released table, and nothing undisclosed is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import networkx
import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError, DisclosureError

NHS = sr.Policy.nhs_england()
KINDS = ["graphml", "gexf", "json"]
READERS = {
    "graphml": networkx.read_graphml,
    "gexf": networkx.read_gexf,
    "json": lambda path: networkx.node_link_graph(json.loads(Path(path).read_text(encoding="utf-8")), edges="edges"),
}
NAMES = ["asthma", "copd", "gout", "heart_failure", 'ménière\'s <disease> & "vertigo"']


def people(by: str | tuple[str, ...] = (), n: int = 2000, seed: int = 1) -> sr.Patterns:
    rng = np.random.default_rng(seed)
    bits = rng.random((n, 5)) < np.outer(1.5 * rng.random(n) ** 2, [0.6, 0.4, 0.3, 0.2, 0.02])
    frame = pl.DataFrame(bits.astype(int), schema=NAMES).with_columns(
        pl.Series("sex", np.where(rng.random(n) < 0.5, "F", "M").tolist())
    )
    return sr.Patterns.from_wide(frame, conditions=NAMES, by=by)


def results(by: str | tuple[str, ...] = (), policy: sr.Policy = NHS):
    network = sr.networks.cooccurrence(people(by))
    made = (
        network,
        sr.networks.communities(network, seed=1, patterns=people(by), resamples=5),
        sr.networks.centrality(network),
    )
    return [sr.suppress(result, policy) for result in made]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_back_is_the_released_table(kind, tmp_path):
    network, communities, centrality = results()
    path = sr.write_network(network, tmp_path / f"n.{kind}", communities=communities, centrality=centrality)
    graph = READERS[kind](path)
    assert not graph.is_directed()
    assert sorted(graph.nodes) == NAMES
    frame = network.estimates
    assert frame["n_both"].null_count() > 0
    # each pair that may be shown, figure for figure, and no other
    shown = frame.filter(pl.col("n_both") > 0)
    assert graph.number_of_edges() == shown.height > 0
    for row in shown.iter_rows(named=True):
        held = dict(graph.edges[row.pop("source"), row.pop("target")])
        for own in ("id", "label"):
            held.pop(own, None)
        assert held == {k: v for k, v in row.items() if v is not None}
    people_with = dict(frame.select("target", "n_target").iter_rows()) | dict(
        frame.select("source", "n_source").iter_rows()
    )
    for name, held in graph.nodes(data=True):
        wanted = {"n_persons": people_with[name], "label": name.replace("_", " ").replace("copd", "COPD")}
        for result, columns in [
            (communities, ["community", "stability"]),
            (centrality, ["degree", "strength", "betweenness", "eigenvector", "pagerank"]),
        ]:
            row = result.estimates.filter(pl.col("condition") == name).row(0, named=True)
            wanted |= {c: row[c] for c in columns}
        assert held == {k: v for k, v in wanted.items() if v is not None}


def about(path: Path) -> dict[str, str]:
    """What a file says of itself, as words."""
    if path.suffix == ".gexf":
        root = ElementTree.parse(path).getroot()
        text = root.find("{http://www.gexf.net/1.2draft}meta/{http://www.gexf.net/1.2draft}description").text
        return dict(line.split(": ", 1) for line in text.splitlines())
    return {k: str(v) for k, v in READERS[path.suffix[1:]](path).graph.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_says_what_it_is_and_under_which_rule(kind, tmp_path):
    network = results()[0]
    told = about(sr.write_network(network, tmp_path / f"n.{kind}"))
    assert told["title"] == "Co-occurrence of long-term conditions"
    assert told["disclosure_rule"] == NHS.title
    assert told["counts_suppressed"] == str(network.disclosure.suppressed)
    assert told["finding"] == network.sentence()
    assert told["library_version"] == network.settings["library_version"]
    # no study: omitted, not written as a word
    assert "study" not in told
    assert "None" not in told.values()
    example = sr.networks.cooccurrence(sr.define_cohort(sr.example_study()).patterns())
    told_of_study = about(sr.write_network(sr.suppress(example, NHS), tmp_path / f"e.{kind}"))
    assert told_of_study["study_fingerprint"] == example.settings["fingerprint"]
    assert len(told_of_study["settings_fingerprint"]) == 64
    # made the same way, or not
    again = about(sr.write_network(network, tmp_path / f"again.{kind}"))
    assert again["settings_fingerprint"] == told["settings_fingerprint"]
    other = sr.suppress(sr.networks.cooccurrence(people(), confidence=0.9), NHS)
    assert (
        about(sr.write_network(other, tmp_path / f"o.{kind}"))["settings_fingerprint"] != told["settings_fingerprint"]
    )


def test_the_same_result_gives_the_same_bytes_in_any_process_on_any_day(tmp_path):
    script = (
        "import sys, time, polars as pl, symphony_research as sr\n"
        "time.strftime = lambda *a: sys.argv[2]\n"
        "n = sr.networks.cooccurrence(sr.define_cohort(sr.example_study()).patterns())\n"
        "p = sr.Policy.synthetic()\n"
        "c, m = sr.networks.communities(n, seed=1), sr.networks.centrality(n)\n"
        "for kind in ('graphml', 'gexf', 'json'):\n"
        "    sr.write_network(sr.suppress(n, p), f'{sys.argv[1]}/n.{kind}', communities=sr.suppress(c, p), "
        "centrality=sr.suppress(m, p))\n"
    )
    found = []
    for k, day in enumerate(("2001-01-01", "2031-12-31")):
        folder = tmp_path / str(k)
        folder.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": str(k)}
        subprocess.run([sys.executable, "-c", script, str(folder), day], check=True, env=environment)
        found.append({kind: (folder / f"n.{kind}").read_bytes() for kind in KINDS})
        assert sorted(path.name for path in folder.iterdir()) == ["n.gexf", "n.graphml", "n.json"]
    assert found[0] == found[1]
    assert not any(day in text for text in found[0].values() for day in (b"2001-01-01", b"2031-12-31"))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_undisclosed_is_written(kind, tmp_path):
    exact = sr.networks.cooccurrence(people())
    safe, communities, centrality = results()
    path = tmp_path / f"n.{kind}"
    with pytest.raises(DisclosureError, match="write_network writes a file that others may open"):
        sr.write_network(exact, path)
    with pytest.raises(DisclosureError, match="Centrality has not passed"):
        sr.write_network(safe, path, communities=communities, centrality=sr.networks.centrality(exact))
    with pytest.raises(DisclosureError, match="Communities has not passed"):
        sr.write_network(safe, path, communities=sr.networks.communities(exact, seed=1), centrality=centrality)
    assert not list(tmp_path.iterdir())
    # no count of the people as they are is in the file: every one there is a multiple of five, eight or more
    graph = READERS[kind](sr.write_network(safe, path))
    for _, _, held in graph.edges(data=True):
        assert all(held[n] % 5 == 0 and held[n] > 7 for n in ("n_both", "n_source", "n_target", "n_persons"))


@pytest.mark.parametrize("kind", KINDS)
def test_one_stratum_is_written(kind, tmp_path):
    network, communities, centrality = results("sex")
    with pytest.raises(ArgumentError, match="pick it with stratum="):
        sr.write_network(network, tmp_path / f"n.{kind}")
    path = sr.write_network(
        network, tmp_path / f"n.{kind}", stratum={"sex": "F"}, communities=communities, centrality=centrality
    )
    graph = READERS[kind](path)
    women = network.estimates.filter((pl.col("sex") == "F") & (pl.col("n_both") > 0))
    assert graph.number_of_edges() == women.height
    row = women.row(0, named=True)
    held = graph.edges[row["source"], row["target"]]
    assert held["n_both"] == row["n_both"]
    assert "sex" not in held
    assert about(path)["stratum"] == "sex: F"
    own = centrality.estimates.filter((pl.col("sex") == "F") & (pl.col("condition") == "asthma"))
    assert graph.nodes["asthma"]["strength"] == own["strength"][0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_backbone_is_written_with_its_own_pairs(kind, tmp_path):
    backbone = sr.networks.backbone(results()[0], method="top", each=1)
    graph = READERS[kind](sr.write_network(backbone, tmp_path / f"n.{kind}"))
    assert {frozenset(e) for e in graph.edges} == {
        frozenset(r) for r in backbone.estimates.select("source", "target").iter_rows()
    }
    empty = sr.networks.backbone(results()[0], method="disparity", level=1e-9)
    assert READERS[kind](sr.write_network(empty, tmp_path / f"e.{kind}")).number_of_nodes() == 0


def test_results_of_other_people_or_rules_are_refused(tmp_path):
    network, communities, centrality = results()
    path = tmp_path / "n.json"
    with pytest.raises(ArgumentError, match="different rules"):
        sr.write_network(network, path, centrality=results(policy=sr.Policy.opensafely())[2])
    with pytest.raises(ArgumentError, match="other people or strata"):
        sr.write_network(network, path, communities=results("sex")[1])
    with pytest.raises(ArgumentError, match=r"networks\.centrality, not Communities"):
        sr.write_network(network, path, centrality=communities)
    with pytest.raises(ArgumentError, match=r"networks\.backbone, not Centrality"):
        sr.write_network(centrality, path)
    with pytest.raises(ArgumentError, match=r"ends in '\.txt'; it should end in \.graphml or \.gexf or \.json"):
        sr.write_network(network, tmp_path / "n.txt")
    with pytest.raises(ArgumentError, match="There is no folder"):
        sr.write_network(network, tmp_path / "no" / "n.json")
    assert not list(tmp_path.iterdir())


def test_counts_of_other_people_are_refused(tmp_path):
    # no study tells them apart, but the people with a condition are others
    network = results()[0]
    others = sr.networks.centrality(sr.networks.cooccurrence(people(seed=7)))
    with pytest.raises(ArgumentError, match="other people or strata"):
        sr.write_network(network, tmp_path / "n.json", centrality=sr.suppress(others, NHS))


def test_a_name_xml_cannot_hold_is_refused_and_an_old_file_stays(tmp_path):
    frame = pl.DataFrame({"a\x01": [1] * 20 + [0] * 20, "b": [1] * 30 + [0] * 10})
    network = sr.suppress(sr.networks.cooccurrence(sr.Patterns.from_wide(frame, conditions=frame.columns)), NHS)
    for kind in ("graphml", "gexf"):
        path = tmp_path / f"n.{kind}"
        path.write_text("older")
        with pytest.raises(ArgumentError, match="control character"):
            sr.write_network(network, path)
        assert path.read_text() == "older"
    assert "a\x01" in READERS["json"](sr.write_network(network, tmp_path / "n.json"))
