"""Communities: groups of conditions that go together more with one another than with the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import Patterns
from symphony_research.collapse.bits import Integers
from symphony_research.collapse.margins import nan_to_null, split
from symphony_research.errors import ArgumentError, DisclosureError, require_one_of
from symphony_research.inference import Array
from symphony_research.networks.backbone import linked_pairs, links_among
from symphony_research.networks.cooccurrence import Cooccurrence, build, roles_of_pairs
from symphony_research.networks.edges import (
    MEASURES,
    in_stratum,
    require_network,
    require_own_names,
    weight_matrix,
)
from symphony_research.networks.louvain import adjusted_rand_index, best_partition, modularity
from symphony_research.result import Result, passed_on
from symphony_research.result.roles import ModelEstimate, TableRoles
from symphony_research.words.numbers import number, percentage
from symphony_research.words.phrases import joined, stratum_words

__all__ = ["Communities", "communities"]

Tables = Mapping[str, pl.DataFrame]

_OWN = ("community", "stability", "modularity", "adjusted_rand_index", "together")
# what resampling finds stands beside the count it belongs to, and is suppressed with it
_FOUND = {"pairs": "together", "population": "adjusted_rand_index"}
NAMED = 5  # conditions of a community that a sentence names
CLEAR = 0.75  # stability below which a community is said to be uncertain (Hennig 2007 calls a cluster valid from there)


class Communities(Result):
    """Groups of conditions that go together, and how surely each belongs to its own."""

    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"backbone", "resamples", "resolution", "tested"})
    title: ClassVar[str] = "Communities of co-occurring conditions"
    shown: ClassVar[tuple[str, ...]] = ("community", "condition", "n_persons", "stability")
    percentages: ClassVar[tuple[str, ...]] = ("stability",)

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return those of the network, and what resampling finds beside the count it belongs to."""
        roles = roles_of_pairs(settings)
        for table, column in _FOUND.items():
            roles[table] = replace(roles[table], columns={**roles[table].columns, column: ModelEstimate()})
        return roles

    trim = staticmethod(Cooccurrence.trim)
    release_form = staticmethod(Cooccurrence.release_form)
    adjusted_forms = staticmethod(Cooccurrence.adjusted_forms)

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Find the communities of each stratum again from its counts; stability is that of the communities found."""
        parts = []
        for margins, links, pairs, population in split(
            by,
            tables["margins"].select([*by, "condition", "n_persons"]),
            linked_pairs(_network_tables(tables), settings, by),
            tables["pairs"].select([*by, "source", "target", "together"]),
            tables["population"].select([*by, "adjusted_rand_index"]),
        ):
            weights = weight_matrix(margins["condition"], links, settings["measure"])
            found = _partition(weights, settings)
            number_of = _numbered(found, margins["n_persons"].fill_null(0).to_numpy())
            agreement = population["adjusted_rand_index"].to_list()
            parts.append(
                margins.with_columns(
                    pl.Series("community", number_of, dtype=pl.Int64),
                    pl.Series("stability", _stability(found, _shares(margins["condition"], pairs))),
                    pl.lit(modularity(weights, found, resolution=settings["resolution"])).alias("modularity"),
                    pl.lit(agreement[0] if agreement else None, dtype=pl.Float64).alias("adjusted_rand_index"),
                ).sort("community", "condition", nulls_last=True)
            )
        ordered = [*by, "condition", "community", "n_persons", "stability", "modularity", "adjusted_rand_index"]
        return nan_to_null(pl.concat(parts)).select(ordered)

    @property
    def quality(self) -> pl.DataFrame:
        """How clear the communities are: one row per stratum.

        `n_communities`, `modularity` (share of weight within communities less
        that of a random network) and `adjusted_rand_index` (mean agreement of
        the resamples with the communities of the people as they are; 1 the
        same, 0 as expected at random).
        """
        told = [pl.col("community").max().fill_null(0).alias("n_communities")]
        told += [pl.col(name).first() for name in ("modularity", "adjusted_rand_index")]
        frame = self.estimates
        return frame.group_by(self.by, maintain_order=True).agg(told) if self.by else frame.select(told)

    def sentence(self) -> str:
        """Name the largest community, and how surely its conditions belong together."""
        frame = self.estimates.filter(pl.col("community") == 1)
        if not frame.height:
            return "No pair of conditions is clearly found together more often than expected, so there is no community."
        sizes = [in_stratum(frame, row, self.by).height for row in frame.iter_rows(named=True)]
        first = frame.row(int(np.argmax(sizes)), named=True)
        own = in_stratum(frame, first, self.by).sort("n_persons", descending=True, maintain_order=True)
        names = own["condition"].head(NAMED).to_list()
        rest = own.height - len(names)
        people = f"{', '.join(joined([n]) for n in names)} and {number(rest)} more" if rest else joined(names)
        n = int(in_stratum(self.estimates, first, self.by)["community"].max() or 0)  # type: ignore[arg-type]
        groups = "one community" if n == 1 else f"{number(n)} communities"
        known = own["stability"].drop_nulls().to_list()
        mean = sum(known) / len(known) if known else None
        sure = (
            f"; in resamples of the people two of them stay together {percentage(mean)} of the time"
            if mean is not None
            else ""
        )
        if mean is not None and mean < CLEAR:
            sure += ", so who belongs together is uncertain"
        largest = ": " if groups == "one community" else "; the largest: "
        return f"Conditions that go together form {groups}{stratum_words(first, self.by)}{largest}{people}{sure}."


def communities(
    network: Cooccurrence,
    *,
    seed: int,
    measure: str = "observed_expected",
    resolution: float = 1.0,
    patterns: Patterns | None = None,
    resamples: int = 200,
) -> Communities:
    """Find the groups of conditions that go together.

    Parameters
    ----------
    network : Cooccurrence
        What `cooccurrence` or `backbone` returns; strata are networks of their own.
    seed : int
        One seed, one answer.
    measure : str, default "observed_expected"
        The weight of a link: `observed_expected`, `phi`, `odds_ratio`,
        `jaccard`, `cosine`, `overlap` or `n_both`.
    resolution : float, default 1.0
        Above 1 for more and smaller communities.
    patterns : Patterns, optional
        The collapsed people the network was made from; with them the
        communities are found again in resamples of the people.
    resamples : int, default 200
        How many.

    Returns
    -------
    Communities
        One row per stratum and condition, by community: `condition`,
        `community` (1 has the most conditions, then the most people; missing
        where a condition has no link), `n_persons`, `stability` (share of
        resamples in which it is in one community with another of its own, on
        average over those; missing without `patterns`, or if it is alone),
        `modularity` and `adjusted_rand_index` of the stratum. `.quality` has
        those two once a stratum.

    Raises
    ------
    ArgumentError
        On another family or measure, arguments out of range, or patterns that
        are not those of the network.
    DisclosureError
        If patterns are given with a network that is disclosed already.

    Notes
    -----
    Louvain's method on the links of the network: all pairs of a backbone, else
    the pairs whose interval of observed/expected lies above 1. Of five orders
    of the conditions the best is kept. Modularity has a limit of resolution:
    small groups in a large network may be joined; raise `resolution` to see.

    Resamples are multinomial draws of the people over the collapsed patterns
    within each stratum, which is the bootstrap of people. Each is compared with
    the expected again, so links come and go too; communities of few people or random ones
    links fall apart. Shares are kept to two decimals. A resample takes as long
    as `cooccurrence` itself; the people need not be read again.

    Released communities are found again from rounded counts, and stability is
    made again for them from the shares of pairs that may be shown. Resampling
    reads exact counts: pass `patterns` first, then suppress. The adjusted Rand
    index is of the communities in the exact counts, a condition without a link
    being a group of its own.

    References
    ----------
    Blondel, V. D. et al. (2008). Fast unfolding of communities in large networks. Journal of Statistical Mechanics P10008.
    Newman, M. E. J. and Girvan, M. (2004). Finding and evaluating community structure in networks. Physical Review E 69, 026113.
    Hubert, L. and Arabie, P. (1985). Comparing partitions. Journal of Classification 2, 193-218.
    Hennig, C. (2007). Cluster-wise assessment of cluster stability. Computational Statistics and Data Analysis 52, 258-271.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.networks.communities(sr.networks.cooccurrence(patterns), seed=1)
    >>> found.quality.columns
    ['n_communities', 'modularity', 'adjusted_rand_index']
    """
    if (gone := passed_on(network)) is not None:
        return gone
    require_network(network, "communities")
    require_one_of(measure, MEASURES, argument="measure")
    require_own_names(network.by, _OWN, "communities")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ArgumentError(f"seed={seed!r} must be an integer, zero or more.")
    if not 0 < resolution < float("inf"):
        raise ArgumentError(f"resolution={resolution} must be above 0.")
    if isinstance(resamples, bool) or not isinstance(resamples, int) or resamples < 1:
        raise ArgumentError(f"resamples={resamples!r} must be an integer, at least 1.")
    settings = {
        **network.settings,
        "method": "Louvain's method, best of five orders; multinomial resamples of people; of "
        + str(network.settings["method"]),
        "reference": "Blondel 2008; Newman and Girvan 2004; Hubert and Arabie 1985; Hennig 2007",
        "measure": measure,
        "resolution": float(resolution),
        "seed": seed,
        "resamples": resamples if patterns is not None else None,
    }
    none = [pl.lit(None, dtype=pl.Float64).alias(column) for column in _FOUND.values()]
    tables = dict(network.count_tables)
    for table, column in zip(_FOUND, none, strict=True):
        tables[table] = tables[table].with_columns(column)
    if patterns is not None:
        _require_same_people(network, patterns)
        tables.update(_resampled(network, patterns, settings))
    return Communities(tables, settings, network.by, network.disclosure)


def _network_tables(tables: Tables) -> dict[str, pl.DataFrame]:
    """Return the count tables as the network had them."""
    return {name: table.drop(_FOUND[name]) if name in _FOUND else table for name, table in tables.items()}


def _partition(weights: Array, settings: Mapping[str, Any], random: np.random.Generator | None = None) -> Integers:
    """Return the community of each condition, -1 where it has no link."""
    random = np.random.default_rng(settings["seed"]) if random is None else random
    on = np.flatnonzero(weights.any(axis=1))
    found = np.full(len(weights), -1)
    found[on] = best_partition(weights[np.ix_(on, on)], resolution=settings["resolution"], random=random)
    return found


def _alone(found: Integers) -> Integers:
    """Return a partition of all conditions: one without a link is a community of its own."""
    return np.where(found < 0, len(found) + np.arange(len(found)), found)


def _numbered(found: Integers, people: Integers) -> list[int | None]:
    """Number communities by conditions, then by people, then by their first condition."""
    order = []
    for community in range(int(found.max(initial=-1)) + 1):
        own = np.flatnonzero(found == community)
        order.append((-len(own), -int(people[own].sum()), int(own[0]), community))
    place = {community: k for k, (*_, community) in enumerate(sorted(order), start=1)}
    return [place.get(int(community)) for community in found]


def _shares(conditions: pl.Series, pairs: pl.DataFrame) -> Array:
    """Return the share of resamples in which two conditions are together; not a number where it is not shown."""
    place = {name: k for k, name in enumerate(conditions)}
    shares = np.full((len(place), len(place)), np.nan)
    for source, target, held in pairs.drop_nulls("together").select("source", "target", "together").iter_rows():
        shares[place[source], place[target]] = shares[place[target], place[source]] = held
    return shares


def _stability(found: Integers, shares: Array) -> Array:
    same = (found[:, None] == found[None, :]) & (found >= 0)[:, None] & ~np.isnan(shares)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(same, shares, 0).sum(axis=1) / same.sum(axis=1))


def _require_same_people(network: Cooccurrence, patterns: Patterns) -> None:
    if network.disclosure is not None:
        raise DisclosureError(
            "Resampling reads exact counts, and this network is disclosed. Find the communities of the network as it "
            "is, with patterns=, and suppress what they return."
        )
    if not isinstance(patterns, Patterns):
        raise ArgumentError(f"patterns= takes Patterns, not {type(patterns).__name__}.")
    try:
        made = _again(network, patterns).count_tables["pairs"]  # perhaps untested, without the column of that
        same = made.equals(network.count_tables["pairs"].select(made.columns))
    except ArgumentError:
        same = False
    if not same:
        raise ArgumentError(
            "The patterns do not give the pairs of this network: pass those that networks.cooccurrence was given."
        )


def _again(network: Cooccurrence, patterns: Patterns) -> Cooccurrence:
    """Return the network of other people, made as this one was; tested only where its links are those of a test."""
    steps = network.settings.get("backbone", ())
    return build(
        patterns,
        adjust=network.settings["adjust"],
        correction=network.settings["correction"],
        confidence=network.settings["confidence"],
        tested=any(step["method"] == "significance" for step in steps),
    )


def _drawn(patterns: Patterns, random: np.random.Generator) -> Patterns:
    """Return as many people again in every stratum, drawn from those there are."""
    people = [random.multinomial(n.sum(), n / n.sum()) if n.sum() else np.zeros_like(n) for _, _, n in patterns.parts()]
    drawn = pl.Series("n_persons", np.concatenate(people) if people else [], dtype=pl.Int64)
    masks = [c for c in patterns.frame.columns if c.startswith("mask_")]
    return replace(patterns, frame=patterns.frame.select([*patterns.by, *masks, drawn]), values=())


def _strata(network: Cooccurrence, links: pl.DataFrame, measure: str) -> Iterator[Array]:
    for margins, own in split(network.by, network.count_tables["margins"], links):
        yield weight_matrix(margins["condition"], own, measure)


def _resampled(network: Cooccurrence, patterns: Patterns, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    """Return the pairs with the share of resamples they are together in, and the strata with their agreement."""
    by, measure = network.by, settings["measure"]
    random = np.random.default_rng([settings["seed"], 1])
    tables = network.count_tables
    exact = [_partition(w, settings) for w in _strata(network, linked_pairs(tables, settings, by), measure)]
    together = [np.zeros((len(found), len(found))) for found in exact]
    agreement = np.zeros(len(exact))
    for _ in range(settings["resamples"]):
        other = _again(network, _drawn(patterns, random))
        for k, weights in enumerate(_strata(network, links_among(other._derived, settings, by), measure)):
            found = _partition(weights, settings, random)
            together[k] += (found[:, None] == found[None, :]) & (found >= 0)[:, None]
            agreement[k] += adjusted_rand_index(_alone(exact[k]), _alone(found))
    rows = []
    for k, (margins, pairs) in enumerate(split(by, tables["margins"], tables["pairs"])):
        place = {name: i for i, name in enumerate(margins["condition"])}
        ends = [[place[name] for name in pairs[end]] for end in ("source", "target")]
        share = together[k][ends[0], ends[1]] / settings["resamples"]
        rows.append(pairs.with_columns(pl.Series("together", share, dtype=pl.Float64).round(2)))
    known = [
        round(float(a) / settings["resamples"], 2) if (e >= 0).any() else None
        for a, e in zip(agreement, exact, strict=True)
    ]
    strata = tables["population"]
    of = [margins.head(1) for (margins,) in split(by, tables["margins"])]
    if by:
        found_in = pl.concat(of).select(by).with_columns(pl.Series("adjusted_rand_index", known, dtype=pl.Float64))
        strata = strata.join(found_in, on=by, how="left", nulls_equal=True, maintain_order="left")
    else:
        strata = strata.with_columns(pl.lit(known[0], dtype=pl.Float64).alias("adjusted_rand_index"))
    return {"pairs": pl.concat(rows), "population": strata}
