"""Which conditions go together: co-occurrence of every pair, and the network they form."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import Patterns
from symphony_research.collapse.margins import (
    as_float,
    by_stratum,
    nan_to_null,
    pair_frame,
    pattern_settings,
    possible_table,
    same_stratum,
    strata_margins,
)
from symphony_research.errors import ArgumentError
from symphony_research.inference import (
    benjamini_hochberg,
    hypergeometric_mid_p,
    normal_quantile,
)
from symphony_research.result import CountTable, Result
from symphony_research.wording import about, capital, in_words, times

if TYPE_CHECKING:
    import networkx

Tables = Mapping[str, pl.DataFrame]

__all__ = ["Cooccurrence", "cooccurrence"]


class Cooccurrence(Result):
    """Every pair of conditions: how many people have both, against chance."""

    title: ClassVar[str] = "Pairs of conditions, against chance"
    counts: ClassVar[Mapping[str, CountTable]] = MappingProxyType(
        {
            "pairs": CountTable(("n_both",)),
            "margins": CountTable(("n_persons",)),
            "population": CountTable(("n_persons",)),
        }
    )
    shown: ClassVar[tuple[str, ...]] = (
        "source",
        "target",
        "n_both",
        "expected",
        "observed_expected",
        "lower",
        "upper",
        "q_value",
    )

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Every measure of association that follows from the four counts of a pair."""
        held = tables["margins"].select([*by, "condition", "n_persons"])
        table = tables["pairs"]
        for end in ("source", "target"):
            own = held.rename({"condition": end, "n_persons": f"n_{end}"})
            table = table.join(own, on=[*by, end], how="left", nulls_equal=True, maintain_order="left")
        people = tables["population"].select([*by, "n_persons"])
        if by:
            table = table.join(people, on=by, how="left", nulls_equal=True, maintain_order="left")
        else:
            table = table.join(people, how="cross")
        frame = _associations(table, settings["confidence"])
        return frame.with_columns(pl.Series("q_value", benjamini_hochberg(as_float(frame["p_value"]))).fill_nan(None))

    def to_networkx(self, *, stratum: Mapping[str, Any] | None = None) -> networkx.Graph:
        """Return the network: a node a condition, an edge a pair whose people may be shown.

        Parameters
        ----------
        stratum : mapping, optional
            Which stratum, such as `{"sex": "F"}`; needed where there are several.

        Returns
        -------
        networkx.Graph
            Node attribute `n_persons`; edge attributes: the columns of `estimates`.
        """
        import networkx

        frame = self.estimates
        if self.by and (stratum is None or set(stratum) != set(self.by)):
            raise ArgumentError(f"The network has strata: pass stratum= with a value for each of {', '.join(self.by)}.")
        frame = same_stratum(frame, stratum or {})
        graph = networkx.Graph()
        ends = [("source", "n_source"), ("target", "n_target")]
        for record in frame.iter_rows(named=True):
            for name, people in ends:
                graph.add_node(record[name], n_persons=record[people])
            if record["n_both"] is not None and record["n_both"] > 0:
                rest = {k: v for k, v in record.items() if k not in ("source", "target", *self.by)}
                graph.add_edge(record["source"], record["target"], **rest)
        return graph

    def sentence(self) -> str:
        """Name the pair most above chance, by its lower limit."""
        frame = self.estimates.filter(pl.col("lower").is_not_null())
        if not frame.height:
            return "No pair of conditions is held by enough people to show."
        first = frame.sort("lower", descending=True).row(0, named=True)
        where = f" ({', '.join(in_words(first[c]) for c in self.by)})" if self.by else ""
        if first["lower"] <= 1:
            return "No pair of conditions is clearly found together more often than chance would give."
        return (
            f"{capital(in_words(first['source']))} and {in_words(first['target'])} go together most"
            f"{where}: {times(first['observed_expected'])} times as many people have both (about {about(first['n_both'])} people) as "
            f"chance would give ({100 * self.settings['confidence']:g} % interval {times(first['lower'])} to "
            f"{times(first['upper'])})."
        )


def _associations(table: pl.DataFrame, confidence: float) -> pl.DataFrame:
    from scipy.special import gammaincinv

    c, a, b, n = (as_float(table[name]) for name in ("n_both", "n_source", "n_target", "n_persons"))
    # rounding a count must not make a table that cannot exist
    c, a, b, n = possible_table(c, a, b, n)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = a * b / n
        ratio = c / expected
        spread = np.sqrt(np.maximum(1 / c - 1 / a - 1 / b + 2 * c / (a * b) - 1 / n, 0))
        width = normal_quantile(confidence) * spread
        lower, upper = ratio * np.exp(-width), ratio * np.exp(width)
        phi = (c * n - a * b) / np.sqrt(a * b * (n - a) * (n - b))
        odds_ratio = c * (n - a - b + c) / ((a - c) * (b - c))
        jaccard = c / (a + b - c)
        cosine = c / np.sqrt(a * b)
        overlap = c / np.minimum(a, b)
        information = np.log2((c + 0.5) / (expected + 0.5))
        # the posterior of observed/expected is a gamma distribution (Norén 2013)
        ic_lower = np.log2(gammaincinv(c + 0.5, (1 - confidence) / 2) / (expected + 0.5))
    p_value = np.full(len(c), np.nan)
    known = ~(np.isnan(c) | np.isnan(expected)) & (a > 0) & (b > 0)
    if known.any():
        p_value[known] = hypergeometric_mid_p(c[known], a[known], b[known], n[known])
    estimates = {
        "expected": expected,
        "observed_expected": ratio,
        "lower": np.where(c > 0, lower, np.nan),
        "upper": np.where(c > 0, upper, np.nan),
        "phi": phi,
        "odds_ratio": odds_ratio,
        "jaccard": jaccard,
        "cosine": cosine,
        "overlap": overlap,
        "information_component": information,
        "ic_lower": ic_lower,
        "p_value": p_value,
    }
    hidden = np.isnan(c)
    columns = [
        pl.Series(name, np.where(hidden | np.isinf(values), np.nan, values)) for name, values in estimates.items()
    ]
    ordered = [k for k in table.columns if k not in ("n_both", "n_source", "n_target", "n_persons", "source", "target")]
    counts = ["source", "target", "n_both", "n_source", "n_target", "n_persons"]
    return nan_to_null(table.select([*ordered, *counts]).with_columns(columns))


def cooccurrence(patterns: Patterns, *, confidence: float = 0.95) -> Cooccurrence:
    """Set every pair of conditions against chance.

    Parameters
    ----------
    patterns : Patterns
        Collapsed people; their strata become rows.
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    Cooccurrence
        One row per stratum and pair (`source` before `target` in the alphabet):
        `n_both`, `n_source`, `n_target`, `n_persons`, `expected` (people with
        both, were the two independent), `observed_expected` with `lower` and
        `upper`, `phi`, `odds_ratio`, `jaccard`, `cosine`, `overlap`,
        `information_component` and its lower credible limit `ic_lower`, the
        hypergeometric mid-p `p_value`, and `q_value` (Benjamini-Hochberg over
        every pair and stratum). `.to_networkx()` gives the network.

    Notes
    -----
    Observed/expected (Hidalgo's "relative risk", lift in data mining) favours
    pairs of rare conditions and joint prevalence pairs of common ones; phi,
    Jaccard and cosine lie between.

    References
    ----------
    Hidalgo, C. A. et al. (2009). PLoS Computational Biology 5, e1000353.
    Norén, G. N. et al. (2013). Statistical Methods in Medical Research 22, 57-69.
    Monchka, B. A. et al. (2022). BMC Medical Research Methodology 22, 258.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> network = sr.networks.cooccurrence(patterns)
    >>> network.to_networkx().number_of_nodes() == len(patterns.conditions)
    True
    """
    normal_quantile(confidence)
    pairs = by_stratum(patterns, lambda names, words, people, _: pair_frame(patterns, names, words, people))
    margins, population = strata_margins(patterns)
    return Cooccurrence(
        {"pairs": pairs, "margins": margins, "population": population},
        pattern_settings(
            patterns,
            "observed/expected with delta-method interval; hypergeometric mid-p; Benjamini-Hochberg",
            "Hidalgo 2009; Norén 2013",
            confidence=confidence,
        ),
        patterns.by,
    )
