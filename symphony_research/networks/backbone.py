"""The backbone of a network: the pairs that stand out, by their test, by their weight, or by rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse.margins import split
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import Array
from symphony_research.networks.cooccurrence import Cooccurrence
from symphony_research.networks.edges import MEASURES, measure_words, require_network, weighable
from symphony_research.result import passed_on
from symphony_research.words.lexicon import in_words
from symphony_research.words.numbers import about, number, times
from symphony_research.words.phrases import stratum_words

__all__ = ["METHODS", "Backbone", "backbone", "linked_pairs", "links_among"]

Tables = Mapping[str, pl.DataFrame]

METHODS = ("significance", "disparity", "top")


class Backbone(Cooccurrence):
    """The pairs of a network that a filter keeps, derived from the counts of all of them."""

    title: ClassVar[str] = "Pairs of conditions in the backbone of the network"

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return every measure of each pair from the counts there are, then the filters one after another."""
        return links_among(Cooccurrence.derive(tables, settings, by), settings, by)

    def sentence(self) -> str:
        """Say how many pairs are kept and why, and name the strongest."""
        frame = self.estimates
        of = self.count_tables["pairs"].height
        why = ", then ".join(_in_words(step) for step in self.settings["backbone"])
        if not frame.height:
            return f"None of {number(of)} pairs of conditions is kept ({why})."
        known = frame.filter(pl.col("lower").is_not_null())
        first = (known if known.height else frame).sort("lower", descending=True, nulls_last=True).row(0, named=True)
        pair = f"{in_words(first['source'])} and {in_words(first['target'])}{stratum_words(first, self.by)}"
        return (
            f"{number(frame.height)} of {number(of)} pairs of conditions {'is' if frame.height == 1 else 'are'} kept "
            f"({why}); {pair} go together most: {times(first['observed_expected'])} times as many people have both "
            f"(about {about(first['n_both'])} people) as expected."
        )


def backbone(
    network: Cooccurrence,
    *,
    method: str = "significance",
    level: float = 0.05,
    measure: str = "observed_expected",
    each: int = 3,
) -> Backbone:
    """Keep the pairs of a network that stand out.

    Parameters
    ----------
    network : Cooccurrence
        What `cooccurrence` returns, disclosed or not; strata are filtered each
        on its own. A backbone may be filtered again.
    method : {"significance", "disparity", "top"}
        "significance": pairs above expected whose `q_value` is at most `level`.
        "disparity": pairs that take up more of the weight of one of their two
        conditions than a random share would, at `level`.
        "top": the `each` strongest pairs of every condition; a pair is kept if
        it is among those of either end, and equals are kept together.
    level : float, default 0.05
        Of the test, between 0 and 1; "top" has no use for it.
    measure : str, default "observed_expected"
        What "disparity" and "top" weigh pairs by, one of `observed_expected`,
        `phi`, `odds_ratio`, `jaccard`, `cosine`, `overlap`, `n_both`.
    each : int, default 3
        Pairs of a condition that "top" keeps.

    Returns
    -------
    Backbone
        A co-occurrence network of the same people with the rows that are kept
        and the columns of `cooccurrence`; `.to_networkx()`, `plot_network` and
        `table` take it.

    Raises
    ------
    ArgumentError
        On another family, an unknown method or measure, a level that is not
        between 0 and 1, or `each` below one.

    Notes
    -----
    The filter works on the counts there are. `suppress(backbone(network))`
    filters again on rounded counts and equals `backbone(suppress(network))`.

    "disparity" and "top" weigh the pairs whose interval of observed/expected
    lies above 1, the lines of `plot_network`. A pair without a finite measure
    above zero (an infinite odds ratio) cannot be weighed and is not kept.

    Disparity filter: were the strength of a condition with k pairs broken at
    random into k shares, a share would be at least p with probability
    (1 - p)**(k - 1). A pair is kept if that is below `level` at either end. The
    one pair of a condition with no other never stands out at that end (k = 1
    gives probability 1). Conditions with few pairs, or with pairs of even
    weights, keep none of their own.

    References
    ----------
    Serrano, M. Á., Boguñá, M. and Vespignani, A. (2009). Extracting the
    multiscale backbone of complex weighted networks. PNAS 106, 6483-6488.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> network = sr.networks.cooccurrence(patterns)
    >>> strongest = sr.networks.backbone(network, method="top", each=1)
    >>> 0 < strongest.estimates.height < network.estimates.height
    True
    """
    if (gone := passed_on(network)) is not None:
        return gone
    require_network(network, "backbone")
    require_one_of(method, METHODS, argument="method")
    require_one_of(measure, MEASURES, argument="measure")
    if not 0 < level < 1:
        raise ArgumentError(f"level={level} must be between 0 and 1, such as 0.05.")
    if isinstance(each, bool) or not isinstance(each, int) or each < 1:
        raise ArgumentError(f"each={each!r} must be an integer number of pairs, at least 1.")
    step = {
        "significance": {"method": method, "level": level},
        "disparity": {"method": method, "level": level, "measure": measure},
        "top": {"method": method, "measure": measure, "each": each},
    }[method]
    settings = {**network.settings, "backbone": [*network.settings.get("backbone", ()), step]}
    return Backbone(network.count_tables, settings, network.by, network.disclosure)


def linked_pairs(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
    """Return the pairs that are edges: all of a backbone, else those whose interval lies above 1."""
    return links_among(Cooccurrence.derive(tables, settings, by), settings, by)


def links_among(frame: pl.DataFrame, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
    """Return the edges among pairs that have an expected count."""
    if not settings.get("backbone"):
        return frame.filter(_above_chance())
    for step in settings["backbone"]:
        frame = pl.concat([_kept(part, step) for (part,) in split(by, frame)])
    return frame


def _above_chance() -> pl.Expr:
    return (pl.col("lower") > 1).fill_null(False) & (pl.col("n_both") > 0).fill_null(False)


def _kept(pairs: pl.DataFrame, step: Mapping[str, Any]) -> pl.DataFrame:
    """Return the pairs of one stratum that a filter keeps."""
    if step["method"] == "significance":
        above = (pl.col("observed_expected") > 1) & (pl.col("q_value") <= step["level"])
        return pairs.filter(above.fill_null(False))
    able = pairs.filter(_above_chance() & weighable(step["measure"]))
    weight = able[step["measure"]].cast(pl.Float64).to_numpy()
    names = pl.concat([able["source"], able["target"]]).rank("dense").cast(pl.Int64).to_numpy() - 1
    source, target = names[: able.height], names[able.height :]
    if step["method"] == "top":
        kept = _rank(source, target, weight) <= step["each"]
    else:
        kept = _disparity(source, target, weight) < step["level"]
    return able.filter(pl.Series(kept, dtype=pl.Boolean))


def _disparity(source: Array, target: Array, weight: Array) -> Array:
    """Return the probability that a random share of a condition's strength is as large as the pair's, at the end where it is smaller."""
    n = int(max(source.max(), target.max())) + 1 if len(weight) else 0
    ends = np.concatenate([source, target])
    twice = np.concatenate([weight, weight])
    strength = np.bincount(ends, weights=twice, minlength=n)
    pairs_of = np.bincount(ends, minlength=n)
    probability = [(1 - weight / strength[end]) ** (pairs_of[end] - 1) for end in (source, target)]
    return np.minimum(*probability)


def _rank(source: Array, target: Array, weight: Array) -> Array:
    """Rank of a pair among those of a condition, at the end where it ranks higher; equals share the best rank."""
    rows = np.arange(len(weight))
    long = pl.DataFrame(
        {"pair": np.concatenate([rows, rows]), "end": np.concatenate([source, target]), "w": np.tile(weight, 2)}
    )
    ranked = long.with_columns(pl.col("w").rank("min", descending=True).over("end").alias("rank"))
    best = ranked.group_by("pair").agg(pl.col("rank").min()).sort("pair")
    return best["rank"].cast(pl.Float64).to_numpy()


def _in_words(step: Mapping[str, Any]) -> str:
    if step["method"] == "significance":
        return f"above expected, p value adjusted for all tested at most {step['level']:g}"
    by = measure_words(step["measure"])
    if step["method"] == "top":
        return f"the {step['each']} strongest of each condition by {by}"
    return f"a larger share of a condition's links than a random one, by {by}, at the level {step['level']:g}"
