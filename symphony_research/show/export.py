"""A disclosed network as a file for other programs: GraphML, GEXF or JSON, the same bytes for the same result."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.errors import ArgumentError
from symphony_research.result import Result
from symphony_research.show.gate import one_stratum, require_disclosed, require_family, said_of
from symphony_research.show.writing import beside, suffix_of
from symphony_research.words.lexicon import in_words

if TYPE_CHECKING:
    import networkx

__all__ = ["write_network"]

_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
KINDS = ("graphml", "gexf", "json")
_OTHERS = "is of other people or strata than the network: make both of one network."
_OF_A_CONDITION = {
    "communities": ("Communities", ("community", "stability")),
    "centrality": ("Centrality", ("degree", "strength", "betweenness", "eigenvector", "pagerank")),
}


def write_network(
    network: Result,
    path: str | os.PathLike[str],
    *,
    communities: Result | None = None,
    centrality: Result | None = None,
    stratum: Mapping[str, Any] | None = None,
) -> Path:
    """Write a disclosed network for Gephi, Cytoscape, networkx or a page of one's own.

    Parameters
    ----------
    network : Cooccurrence
        What `networks.cooccurrence` or `networks.backbone` returns, after
        `suppress`. Each pair that somebody has, and whose people may be shown,
        is a link; write a backbone for those that stand out.
    path : path
        Its ending says the kind: .graphml, .gexf or .json. An older file is
        replaced once the new one is whole.
    communities, centrality : Result, optional
        What `networks.communities` and `networks.centrality` found in a network
        of the same people, disclosed under the same rule.
    stratum : mapping, optional
        Which stratum, such as `{"sex": "F"}`; needed where there are several.

    Returns
    -------
    pathlib.Path
        Where it was written.

    Raises
    ------
    DisclosureError
        If a result has not passed `suppress`, inside a report or not.
    ArgumentError
        On another family or ending, strata of which none is picked, results of
        other people or under another rule, or a folder that does not exist.

    Notes
    -----
    A node is a condition, with a name in words (`label`), `n_persons` and what
    communities and centrality say of it. A link has the columns of
    `network.estimates`. The graph has the title, the finding, the disclosure
    rule, the stratum, the study (a generated one with its fingerprint), the library's version and
    a fingerprint of the settings, equal in two files made the same way; in GEXF, which
    has no place for them, they are its description. A figure that is suppressed or
    does not exist is omitted. JSON is in node-link form with "nodes" and
    "edges"; networkx reads it by `node_link_graph(data, edges="edges")`.

    Examples
    --------
    >>> import tempfile
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> network = sr.suppress(sr.networks.cooccurrence(patterns), sr.Policy.synthetic())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sr.write_network(network, folder + "/network.graphml").name
    'network.graphml'
    """
    require_disclosed(network, "write_network")
    require_family(network, ("Cooccurrence",), "write_network", "networks.cooccurrence or networks.backbone")
    kind = suffix_of(path, KINDS)
    graph = _graph(network, {"communities": communities, "centrality": centrality}, stratum)
    text = {"graphml": _graphml, "gexf": _gexf, "json": _json}[kind](graph)
    with beside(path) as draft:
        draft.write_bytes(text.encode("utf-8"))
    return Path(path)


def _graph(network: Result, others: Mapping[str, Result | None], stratum: Mapping[str, Any] | None) -> networkx.Graph:
    """Return the graph with its attributes, nodes and links in the order of their names, and no missing value."""
    import networkx

    pairs = one_stratum(network, network.estimates, stratum)
    nodes = _nodes(pairs)
    for argument, other in others.items():
        if other is not None:
            _add(nodes, network, other, argument, stratum)
    graph = networkx.Graph(**_about(network, stratum))
    for name in sorted(nodes):
        graph.add_node(name, label=in_words(name), **_without_gaps(nodes[name]))
    able = pairs.filter((pl.col("n_both") > 0).fill_null(False)).sort("source", "target")
    for record in able.iter_rows(named=True):
        ends = (record.pop("source"), record.pop("target"))
        graph.add_edge(*ends, **_without_gaps({k: v for k, v in record.items() if k not in network.by}))
    return graph


def _nodes(pairs: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the people with each condition that stands in a row: of a backbone, those it keeps."""
    ends = [
        pairs.select(pl.col(end).alias("condition"), pl.col(f"n_{end}").alias("n_persons"))
        for end in ("source", "target")
    ]
    return {name: {"n_persons": people} for name, people in pl.concat(ends).unique().iter_rows()}


def _add(
    nodes: dict[str, dict[str, Any]],
    network: Result,
    other: Result,
    argument: str,
    stratum: Mapping[str, Any] | None,
) -> None:
    """Add what another result says of each condition."""
    family, columns = _OF_A_CONDITION[argument]
    require_disclosed(other, "write_network")
    require_family(other, (family,), f"write_network({argument}=)", f"networks.{argument}")
    same = all(other.settings.get(k) == network.settings.get(k) for k in ("fingerprint", "population", "conditions"))
    if not same or other.by != network.by:
        raise ArgumentError(f"{argument}= {_OTHERS}")
    if _rule(other) != _rule(network):
        raise ArgumentError(f"{argument}= and the network are disclosed under different rules: use one for both.")
    told = {
        record["condition"]: record for record in one_stratum(other, other.estimates, stratum).iter_rows(named=True)
    }
    # counts of the same people are rounded alike
    if any(name not in told or told[name]["n_persons"] != held["n_persons"] for name, held in nodes.items()):
        raise ArgumentError(f"{argument}= {_OTHERS}")
    for name, held in nodes.items():
        held.update({c: told[name][c] for c in columns})


def _rule(result: Result) -> Any:
    return result.disclosure.policy if result.disclosure is not None else None


def _about(network: Result, stratum: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the graph is, in words a reader of the file needs."""
    settings = dict(network.settings)
    if not settings.get("generated"):
        del settings["fingerprint"]  # whoever has candidate records could try them against it
    alike = json.dumps(settings, sort_keys=True, default=str, ensure_ascii=False)
    told = {
        "title": network.title,
        "disclosure_rule": _rule(network).title,
        "counts_suppressed": network.disclosure.suppressed if network.disclosure is not None else None,
        "stratum": "; ".join(f"{name}: {value}" for name, value in (stratum or {}).items()) or None,
        "study": settings.get("study"),
        "study_fingerprint": settings.get("fingerprint"),
        "generated": settings.get("generated"),
        "note": settings.get("note"),
        "method": settings.get("method"),
        "reference": settings.get("reference"),
        "library_version": settings.get("library_version"),
        "settings_fingerprint": hashlib.sha256(alike.encode("utf-8")).hexdigest(),
    }
    if not network.by:
        told["finding"] = said_of(network)
    return _without_gaps(told)


def _without_gaps(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is suppressed or does not exist: the formats have no word for it."""
    return {k: v for k, v in attributes.items() if v is not None and v == v}


def _graphml(graph: networkx.Graph) -> str:
    from networkx.readwrite.graphml import GraphMLWriter

    # the writer of the standard library: lxml's, taken where it is installed, gives other bytes
    return _xml(GraphMLWriter(graph=graph, encoding="utf-8", prettyprint=True))


def _gexf(graph: networkx.Graph) -> str:
    from xml.etree.ElementTree import SubElement

    from networkx.readwrite.gexf import GEXFWriter

    about = dict(graph.graph)
    plain = graph.copy()
    plain.graph.clear()
    writer = GEXFWriter(encoding="utf-8", prettyprint=True, version="1.2draft")
    # today's date and the writer's version would make other bytes of the same result
    meta = next(child for child in writer.xml if child.tag.endswith("meta"))
    meta.attrib.clear()
    for child in list(meta):
        meta.remove(child)
    SubElement(meta, "creator").text = f"symphony_research {about.get('library_version', '')}".strip()
    SubElement(meta, "description").text = "\n".join(f"{name}: {value}" for name, value in about.items())
    writer.add_graph(plain)
    return _xml(writer)


def _xml(writer: object) -> str:
    """Return what a writer holds, in ASCII with character references, so that no program reads a name wrongly."""
    text = str(writer)
    if _NOT_XML.search(text):
        raise ArgumentError("A name holds a control character, for which XML has no place: rename it, or write .json.")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text.rstrip()}\n'


def _json(graph: networkx.Graph) -> str:
    data = {
        "directed": False,
        "multigraph": False,
        "graph": dict(graph.graph),
        "nodes": [{"id": name, **held} for name, held in graph.nodes(data=True)],
        "edges": [{"source": a, "target": b, **held} for a, b, held in graph.edges(data=True)],
    }
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
