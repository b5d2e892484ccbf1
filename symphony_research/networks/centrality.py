"""How central each condition is in the network of pairs that go together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse.bits import Integers
from symphony_research.collapse.margins import split
from symphony_research.errors import require_one_of
from symphony_research.inference import Array
from symphony_research.networks.backbone import linked_pairs
from symphony_research.networks.cooccurrence import Cooccurrence, roles_of_pairs
from symphony_research.networks.edges import (
    MEASURES,
    in_stratum,
    measure_words,
    require_network,
    require_own_names,
    weight_matrix,
)
from symphony_research.result import Result, passed_on
from symphony_research.result.roles import TableRoles
from symphony_research.words.lexicon import capital, in_words
from symphony_research.words.numbers import number
from symphony_research.words.phrases import stratum_words

__all__ = ["Centrality", "centrality", "largest_component", "leading_eigenvector"]

Tables = Mapping[str, pl.DataFrame]

FOLLOWED = 0.85  # share of steps along a link, in PageRank
_OWN = ("degree", "strength", "betweenness", "eigenvector", "pagerank")
NO_LINK = "No pair of conditions is clearly found together more often than expected."


class Centrality(Result):
    """How central each condition is in a network of co-occurrence."""

    figure: ClassVar[str | None] = "symphony_research.show.ranked:plot_centrality"
    own_settings: ClassVar[frozenset[str]] = frozenset({"backbone", "tested"})
    title: ClassVar[str] = "Centrality of conditions"
    shown: ClassVar[tuple[str, ...]] = ("condition", "n_persons", *_OWN)

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings, the measure that is added up among them."""
        return {"strength": f"Strength (sum of edge weights, {measure_words(self.settings['measure'])})"}

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return those of the network that it is made from."""
        return roles_of_pairs(settings)

    trim = staticmethod(Cooccurrence.trim)
    release_form = staticmethod(Cooccurrence.release_form)
    adjusted_forms = staticmethod(Cooccurrence.adjusted_forms)

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Make the network of each stratum again from its counts, and measure it."""
        pairs = linked_pairs(tables, settings, by)
        parts = []
        for margins, links in split(by, tables["margins"].select([*by, "condition", "n_persons"]), pairs):
            weights = weight_matrix(margins["condition"], links, settings["measure"])
            suppressed = margins["n_persons"].is_null()
            columns = [
                pl.Series(name, values).set(suppressed, None) for name, values in _measured(weights).items()
            ]  # of a condition whose people are suppressed it is not known what it is linked with
            parts.append(margins.with_columns(columns))
        return pl.concat(parts)

    def sentence(self) -> str:
        """Name the condition that is linked most strongly."""
        frame = self.estimates
        linked = frame.filter(pl.col("degree") > 0)
        if not linked.height:
            return NO_LINK
        first = linked.sort(["strength", "condition"], descending=[True, False]).row(0, named=True)
        others = in_stratum(frame, first, self.by).height - 1
        return (
            f"{capital(in_words(first['condition']))} is the most strongly linked condition"
            f"{stratum_words(first, self.by)}: it is found with {number(first['degree'])} of {number(others)} "
            "others clearly more often than expected."
        )


def centrality(network: Cooccurrence, *, measure: str = "observed_expected") -> Centrality:
    """Measure how central each condition is in a network.

    Parameters
    ----------
    network : Cooccurrence
        What `cooccurrence` or `backbone` returns, disclosed or not; strata are
        networks of their own.
    measure : str, default "observed_expected"
        The weight of a link: `observed_expected`, `phi`, `odds_ratio`,
        `jaccard`, `cosine`, `overlap` or `n_both`.

    Returns
    -------
    Centrality
        One row per stratum and condition: `condition`, `n_persons`, and

        * `degree`: conditions it is linked with,
        * `strength`: sum of the weights of its links,
        * `betweenness`: share of the shortest ways between two other conditions
          that lead through it, from 0 to 1,
        * `eigenvector`: high where it is linked strongly with conditions that
          are themselves central; the squares of a stratum add up to 1,
        * `pagerank`: share of time that a walk along the links, starting again
          at any linked condition in 15% of steps, spends on it; adds up to 1.

    Raises
    ------
    ArgumentError
        On another family or measure, or a stratum called as one of these columns.

    Notes
    -----
    Links are all pairs of a backbone; of a whole network, the pairs whose
    interval of observed/expected lies above 1, which are the lines of
    `plot_network`. A suppressed count makes no link, nor does a pair without a
    finite measure (an infinite odds ratio).

    Betweenness needs lengths, and a strong link must be a short one: the length
    of a link is 1 / weight, so two links of weight 4 are as long as one of 2.

    A condition without a link is 0 everywhere and changes nothing for the
    others, so that a code list may be long: shares are of the linked conditions.
    Of a condition whose people are suppressed nothing is known.

    Where the network falls apart, the eigenvector of the whole may rest on one
    strong pair. It is therefore that of the largest part (most conditions, then
    most weight, then first in the alphabet), and 0 elsewhere.

    References
    ----------
    Freeman, L. C. (1978). Centrality in social networks: conceptual clarification. Social Networks 1, 215-239.
    Bonacich, P. (1987). Power and centrality: a family of measures. American Journal of Sociology 92, 1170-1182.
    Brandes, U. (2001). A faster algorithm for betweenness centrality. Journal of Mathematical Sociology 25, 163-177.
    Brin, S. and Page, L. (1998). The anatomy of a large-scale hypertextual web search engine.
    Computer Networks 30, 107-117.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.networks.centrality(sr.networks.cooccurrence(patterns))
    >>> found.estimates.columns[2:]
    ['degree', 'strength', 'betweenness', 'eigenvector', 'pagerank']
    """
    if (gone := passed_on(network)) is not None:
        return gone
    require_network(network, "centrality")
    require_one_of(measure, MEASURES, argument="measure")
    require_own_names(network.by, _OWN, "centrality")
    settings = {
        **network.settings,
        "method": "degree, strength, betweenness on 1 / weight, eigenvector of the largest part, PageRank with 0.85; of "
        + str(network.settings["method"]),
        "reference": "Freeman 1978; Bonacich 1987; Brandes 2001; Brin and Page 1998",
        "measure": measure,
    }
    return Centrality(network.count_tables, settings, network.by, network.disclosure)


def _measured(weights: Array) -> dict[str, Array]:
    """Return every measure of every condition; those without a link are no part of the network, and 0."""
    on = np.flatnonzero(weights.any(axis=1))
    linked = weights[np.ix_(on, on)]
    values = {
        "strength": linked.sum(axis=1),
        "betweenness": _betweenness(linked),
        "eigenvector": _eigenvector(linked),
        "pagerank": _pagerank(linked),
    }
    full: dict[str, Array] = {"degree": (weights > 0).sum(axis=1).astype(np.int64)}
    for name, found in values.items():
        full[name] = np.zeros(len(weights))
        full[name][on] = found
    return full


def _betweenness(weights: Array) -> Array:
    import networkx

    graph = networkx.Graph()
    graph.add_nodes_from(range(len(weights)))
    for i, j in zip(*np.nonzero(np.triu(weights)), strict=True):
        graph.add_edge(int(i), int(j), length=1 / weights[i, j])
    found = networkx.betweenness_centrality(graph, weight="length")
    return np.array([found[k] for k in range(len(weights))], dtype=float)


def _eigenvector(weights: Array) -> Array:
    found = np.zeros(len(weights))
    part = largest_component(weights)
    if len(part):
        found[part] = leading_eigenvector(weights[np.ix_(part, part)])
    return found


def largest_component(weights: Array) -> Integers:
    """Return the members of the part of a network with most members, then most weight, then the first of all."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    n, part = connected_components(csr_array(weights), directed=False)
    if not n:
        return np.zeros(0, dtype=np.int64)
    members, weight = np.bincount(part, minlength=n), np.bincount(part, weights=weights.sum(axis=1), minlength=n)
    firsts = np.array([np.argmax(part == k) for k in range(n)])
    return np.flatnonzero(part == np.lexsort((firsts, -weight, -members))[0])


def leading_eigenvector(matrix: Array) -> Array:
    """Return the eigenvector of the largest eigenvalue of a symmetric, connected matrix: above zero, of length 1."""
    # connected and not negative, so the largest eigenvalue is simple and its vector has one sign (Perron, Frobenius)
    vector = np.abs(np.linalg.eigh(matrix)[1][:, -1])
    return np.asarray(vector / np.linalg.norm(vector))


def _pagerank(weights: Array) -> Array:
    """Solve for the shares directly, which always ends: every condition here has a link, so nothing dangles."""
    n = len(weights)
    if not n:
        return np.zeros(0)
    steps = weights / weights.sum(axis=1, keepdims=True)
    shares = np.linalg.solve(np.eye(n) - FOLLOWED * steps.T, np.full(n, (1 - FOLLOWED) / n))
    return np.asarray(shares / shares.sum())
