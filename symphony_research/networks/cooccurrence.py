"""Which conditions go together: co-occurrence of each pair, and the network they form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import Patterns
from symphony_research.collapse.margins import (
    as_float,
    attributes_of,
    beside,
    pattern_settings,
    same_stratum,
)
from symphony_research.collapse.set_roles import LOG_P, LOG_P_NEARER, MARGINS, PAIRS, POPULATION
from symphony_research.collapse.strata_counts import factor_role, forms_of_sets, roles_of_strata, strata_table
from symphony_research.collapse.within_strata import Row, split_strata, strata_pairs, tables_of_rows
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import (
    CORRECTIONS,
    FOUND,
    adjusted_p,
    normal_quantile,
)
from symphony_research.inference.bands import (
    BANDS,
    SIDES,
    SPREAD_LEVELS,
    TESTED,
    band_words,
    clear_side,
    interval_of_spread,
    p_at_nearest,
)
from symphony_research.inference.ends import ends_of
from symphony_research.networks.association import FACTORS, LEVEL, SPREADS, associations, within_strata
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.forms import AdjustedForms
from symphony_research.result.roles import Internal, Known, Level, Role, TableRoles
from symphony_research.words.lexicon import capital, in_words
from symphony_research.words.numbers import about, times
from symphony_research.words.phrases import between, confidence_of, expectation, expected_headings, stratum_words

if TYPE_CHECKING:
    import networkx

Tables = Mapping[str, pl.DataFrame]

__all__ = ["Cooccurrence", "cooccurrence", "roles_of_pairs"]


class Cooccurrence(Result):
    """Pairs of conditions: people with both, observed and expected."""

    figure: ClassVar[str | None] = "symphony_research.show.network:plot_network"
    own_settings: ClassVar[frozenset[str]] = frozenset({"tested", "backbone"})
    title: ClassVar[str] = "Co-occurrence of long-term conditions"
    led_by: ClassVar[tuple[str, ...]] = ("lower",)
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

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the people with both conditions of each pair, with each condition, and all."""
        return roles_of_pairs(settings)

    @staticmethod
    def adjusted_forms(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Iterable[AdjustedForms]:
        """Return what the expected people with both conditions of a pair are of the people with each by stratum."""
        if "strata" not in tables:
            return ()
        conditions = pl.Series("c", settings["conditions"], dtype=pl.String)
        ends = [tables["pairs"][end].to_numpy()[:, None] == conditions.to_numpy() for end in ("source", "target")]
        place = ("pairs", "expected_factor")
        return forms_of_sets(tables["strata"], tables["pairs"], ends[0] | ends[1], place, by, settings)

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Release what strata change only where somebody has both, and both conditions' people are shown: it would tell of those suppressed."""
        table = with_ends(tables["pairs"], tables["margins"], by)
        shown = table["n_source"].is_not_null() & table["n_target"].is_not_null() & (table["n_both"] > 0)
        factors = [name for name in (*FACTORS, *SPREADS, LEVEL, *TESTED) if name in table.columns]
        pairs = tables["pairs"].with_columns([pl.when(shown).then(pl.col(name)).alias(name) for name in factors])
        return {**tables, "pairs": pairs}

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return with each pair within strata its p value, and its q value, for all that the rounded count may stand for."""
        if policy.changes_nothing or LOG_P not in tables["pairs"].columns or TESTED[0] in tables["pairs"].columns:
            return tables
        table = beside(
            with_ends(tables["pairs"], tables["margins"], by), tables["population"].select([*by, "n_persons"]), by
        )
        both, first, second, n = (as_float(table[name]) for name in ("n_both", "n_source", "n_target", "n_persons"))
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = first * second / n * as_float(table["expected_factor"])
        shown = as_float(tables["pairs"].select(policy.rounded("n_both"))["n_both"])
        log_p, nearer = (as_float(table[name]) for name in (LOG_P, LOG_P_NEARER))
        p_value = p_at_nearest(both, mean, log_p, nearer, shown, policy.as_released())
        q_value = adjusted_p(p_value, settings["correction"], tests=table.height)
        ends = interval_of_spread(
            ends_of(shown, policy.as_released()), (mean, mean), as_float(table[SPREADS[0]]), settings["confidence"]
        )
        tested = zip(TESTED, (p_value, q_value, clear_side(*ends, 1.0)), strict=True)
        found = [pl.Series(name, x).fill_nan(None) for name, x in tested]
        return {**tables, "pairs": tables["pairs"].with_columns(found)}

    @property
    def n_tested(self) -> int:
        """How many pairs could be tested, each in every stratum: what `q_value` is adjusted for."""
        return int(self.count_tables["pairs"].height) if self.settings.get("tested", True) else 0

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return a released p value within strata as the band that it is in."""
        if column in TESTED[:2] and self.in_bands and record[column] is not None:
            return band_words(record[column])
        return super().format_cell(record, column)

    @property
    def in_bands(self) -> bool:
        """Whether p values are bands: those of a released result within strata."""
        return bool(self.settings["adjust"]) and "released" in self.settings

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings that tell adjusted figures from crude ones."""
        return expected_headings(self.settings["adjust"])

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return every measure of association that follows from the four counts of a pair."""
        table = with_ends(tables["pairs"], tables["margins"], by)
        table = beside(table, tables["population"].select([*by, "n_persons"]), by)
        frame = associations(table, settings)
        p_value = as_float(frame["p_value"])
        q_value = adjusted_p(p_value, settings["correction"], tests=frame.height)
        if settings["adjust"] and "released" in settings:  # made before, of p values that are not in bands
            q_value = as_float(table["q_value"]) if "q_value" in table.columns else np.ones(table.height)
            q_value = np.where(np.isnan(p_value), np.nan, np.where(np.isnan(q_value), 1.0, q_value))
        return frame.with_columns(pl.Series("q_value", q_value).fill_nan(None))

    def to_networkx(self, *, stratum: Mapping[str, Any] | None = None) -> networkx.Graph:
        """Return the network: a node a condition, an edge a pair whose people may be shown.

        Parameters
        ----------
        stratum : mapping, optional
            Which stratum, such as `{"sex": "F"}`; needed where there are several.

        Returns
        -------
        networkx.Graph
            Node attribute `n_persons`; edge attributes: the columns of `estimates`. What is
            suppressed or does not exist is omitted, so that networkx can write every format.
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
                graph.add_node(record[name], **attributes_of({"n_persons": record[people]}))
            if record["n_both"] is not None and record["n_both"] > 0:
                rest = attributes_of(record, but=("source", "target", *self.by))
                graph.add_edge(record["source"], record["target"], **rest)
        return graph

    def sentence(self) -> str:
        """Name the pair most above what was expected, by its lower limit."""
        frame = self.estimates.filter(pl.col("lower").is_not_null())
        if not frame.height:
            return "No pair of conditions is held by enough people to show."
        found = frame.filter((pl.col("lower") > 1) & (pl.col("q_value") <= FOUND))
        if not found.height:
            return f"No pair of conditions is clearly found together more often than {expectation(self.settings)}."
        first = found.sort("lower", descending=True, maintain_order=True).row(0, named=True)
        where = stratum_words(first, self.by)
        return (
            f"{capital(in_words(first['source']))} and {in_words(first['target'])} go together most{where}: "
            f"{pair_against_chance(first, self.settings)}"
        )


def roles_of_pairs(settings: Mapping[str, Any]) -> dict[str, TableRoles]:
    """Return the roles of the tables of pairs; what strata change stands beside the people with both."""
    if not settings["adjust"]:
        return {"pairs": PAIRS, "margins": MARGINS, "population": POPULATION}
    factors: dict[str, Role] = {name: factor_role(name) for name in (*FACTORS, *SPREADS)}
    factors |= {LEVEL: Level(SPREAD_LEVELS)} | dict.fromkeys(TESTED[:2], Level(BANDS)) | {TESTED[2]: Level(SIDES)}
    factors |= {"figures": Known(), LOG_P: Internal(), LOG_P_NEARER: Internal()}
    pairs = replace(PAIRS, columns={**PAIRS.columns, **factors})
    strata = roles_of_strata(settings["adjust"])
    return {"pairs": pairs, "margins": MARGINS, "population": POPULATION, "strata": strata}


def with_ends(pairs: pl.DataFrame, margins: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """Return pairs with the people who have each of the two conditions, of one group or of several."""
    counts = [name for name in margins.columns if name.startswith("n_persons")]
    for end in ("source", "target"):
        held = [pl.col(name).alias(name.replace("n_persons", f"n_{end}")) for name in counts]
        own = margins.select([*by, pl.col("condition").alias(end), *held])
        pairs = pairs.join(own, on=[*by, end], how="left", nulls_equal=True, maintain_order="left")
    return pairs


def pair_against_chance(pair: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Say of one pair how many people have both, against how many were expected."""
    return (
        f"about {about(pair['n_both'])} people have both, {times(pair['observed_expected'])} times as many as "
        f"{expectation(settings)} ({confidence_of(settings)} {between(pair['lower'], pair['upper'], times)})."
    )


def _pairs_of(row: Row, conditions: tuple[str, ...], adjust: tuple[str, ...], tested: bool) -> dict[str, pl.DataFrame]:
    """Return the pairs, the people with each condition, and the people, of one row."""
    singles, pairs = strata_pairs(row, len(conditions))
    i, j = np.triu_indices(len(conditions), k=1)
    listed = pl.Series("c", conditions, dtype=pl.String)
    people = row.stratum_people
    pair = {"source": listed.gather(i), "target": listed.gather(j), "n_both": pairs.sum(axis=0)[i, j]}
    if adjust:
        both, held = pairs[:, i, j].astype(float), singles.astype(float)
        pair |= within_strata(both, held[:, i], held[:, j], people.astype(float), tested=tested)
    tables = {
        "pairs": pl.DataFrame(pair, schema_overrides={"n_both": pl.Int64}),
        "margins": pl.DataFrame({"condition": listed, "n_persons": singles.sum(axis=0)}),
        "population": pl.DataFrame({"n_persons": [int(people.sum())]}, schema={"n_persons": pl.Int64}),
    }
    return {**tables, "strata": strata_table(row, adjust, conditions, singles)} if adjust else tables


def cooccurrence(
    patterns: Patterns,
    *,
    adjust: str | Sequence[str] = (),
    correction: str = "benjamini_hochberg",
    confidence: float = 0.95,
) -> Cooccurrence:
    """Compare each pair of conditions with its expected count.

    Parameters
    ----------
    patterns : Patterns
        Collapsed people; their strata become rows, unless named in `adjust`.
    adjust : str or sequence of str
        Strata of the patterns, such as age band and sex, within which expected counts are
        computed: expected counts are summed over them.
    correction : {"benjamini_hochberg", "holm", "bonferroni"}
        How p values are adjusted for the number of pairs tested.
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    Cooccurrence
        One row per stratum and pair (`source` before `target` in the alphabet):
        `n_both`, `n_source`, `n_target`, `n_persons`, `expected` (people with
        both, were the two independent within each stratum), `observed_expected`
        with `lower` and `upper`, `phi`, `odds_ratio` (Mantel and Haenszel's if
        adjusted) with `odds_ratio_lower` and `odds_ratio_upper` (Robins, Breslow
        and Greenland's; Woolf's if not adjusted), `jaccard`, `cosine`,
        `overlap`, `information_component` and its lower credible limit
        `ic_lower`, `p_value`, and `q_value` (adjusted over each pair and
        stratum; `.n_tested` says how many). phi, Jaccard, cosine and
        overlap describe the people as they are and are never adjusted.
        `.to_networkx()` gives the network.

    Raises
    ------
    ArgumentError
        On an unknown correction, or strata the patterns do not carry.

    Notes
    -----
    The interval of observed/expected is on the log scale by the delta method
    with every margin estimated; where fewer than some ten people have both it
    is rough, and leans towards more than expected. Many strata of few people pull
    observed/expected towards 1, as whoever has both is a part of what is
    expected there: of a true 5, strata of 20 people give 4.2, of 50 people 4.6.
    The odds ratio, and the test, do not suffer from that. The p value of a pair
    is the hypergeometric mid-p; if adjusted, that of the sum over strata, all
    margins of each given (the exact form of the Cochran-Mantel-Haenszel test). It
    is exact however small, and 0 below 1e-300. Of a disclosed result all is made
    from rounded counts, times the ratios by which the strata change what the whole
    population would give, to as many figures as those strata allow; its p value, if
    adjusted, is that of the exact strata and of the count, among those that
    the released one stands for, that is nearest to what is expected, shown in bands (<0.001,
    <0.01, <0.05, ≥0.05). Intervals hold for every count that a released one stands for.

    Observed/expected (Hidalgo's "relative risk", lift in data mining) favours
    pairs of rare conditions and joint prevalence pairs of common ones; phi,
    Jaccard and cosine lie between.

    References
    ----------
    Hidalgo, C. A. et al. (2009). PLoS Computational Biology 5, e1000353.
    Mantel, N. and Haenszel, W. (1959). Journal of the National Cancer Institute 22, 719-748.
    Mehta, C. R., Patel, N. R. and Gray, R. (1985). Journal of the American Statistical Association 80, 969-973.
    Robins, J., Breslow, N. and Greenland, S. (1986). Biometrics 42, 311-323.
    Norén, G. N. et al. (2013). Statistical Methods in Medical Research 22, 57-69.
    Monchka, B. A. et al. (2022). BMC Medical Research Methodology 22, 258.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns(by=("age_band", "sex"))
    >>> network = sr.networks.cooccurrence(patterns, adjust=("age_band", "sex"))
    >>> network.to_networkx().number_of_nodes() == len(patterns.conditions)
    True
    """
    return build(patterns, adjust=adjust, correction=correction, confidence=confidence)


def build(
    patterns: Patterns, *, adjust: str | Sequence[str], correction: str, confidence: float, tested: bool = True
) -> Cooccurrence:
    """Make the network; without p values where only its weights are wanted, since those take the longest."""
    normal_quantile(confidence)
    require_one_of(correction, CORRECTIONS, argument="correction")
    by, adjust = split_strata(patterns, adjust)
    tables = tables_of_rows(patterns, by, adjust, lambda row: _pairs_of(row, patterns.conditions, adjust, tested))
    expectation = f"expected within {', '.join(adjust)}, summed" if adjust else "expected in the whole population"
    test = "hypergeometric mid-p" + (", summed over strata" if adjust else "")
    return Cooccurrence(
        tables,
        pattern_settings(
            patterns,
            f"observed/{expectation}; delta-method interval; {test}; {CORRECTIONS[correction]}",
            "Hidalgo 2009; Norén 2013"
            + ("; Mantel and Haenszel 1959; Robins, Breslow and Greenland 1986" if adjust else ""),
            adjust=list(adjust),
            correction=correction,
            confidence=confidence,
            **({} if tested else {"tested": False}),
        ),
        by,
    )
