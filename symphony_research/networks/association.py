"""Every measure of association of a pair, from the people with both conditions, with each, and of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from symphony_research.collapse.margins import (
    as_float,
    nan_to_null,
    possible_table,
)
from symphony_research.collapse.set_roles import LOG_P
from symphony_research.inference import (
    Array,
    hypergeometric_mid_p,
    log_interval,
    log_mid_p_of_moments,
    p_of_log,
    stratified_log_mid_p,
)
from symphony_research.inference.ends import ends_of
from symphony_research.inference.figures import ends_of_figure
from symphony_research.inference.released import (
    largest_mid_p,
    smallest_ic_lower,
    union_interval_odds,
    union_interval_ratio,
)
from symphony_research.inference.strata import StratifiedPairs, stratified_pairs

__all__ = ["FACTORS", "associations", "expected_between", "within_strata"]

# what adjustment multiplies: expected people, variances, odds ratio and its variance
FACTORS = ("expected_factor", "spread_factor", "score_factor", "odds_factor", "odds_spread_factor")


def associations(table: pl.DataFrame, settings: Mapping[str, Any]) -> pl.DataFrame:
    """Return every measure of association that follows from the four counts of a pair."""
    from scipy.special import gammaincinv

    confidence = settings["confidence"]
    c, a, b, n = shown = tuple(as_float(table[name]) for name in ("n_both", "n_source", "n_target", "n_persons"))
    # rounding a count must not make a table that cannot exist
    c, a, b, n = possible_table(c, a, b, n)
    sums = stratified_pairs(c[None, :], a[None, :], b[None, :], n[None, :])
    crude = sums.expected
    if settings["adjust"]:
        sums = _scaled(sums, *(as_float(table[name]) for name in FACTORS))
        if "figures" in table.columns:
            sums = _at_most(sums)
    expected = sums.expected
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = c / expected
        lower, upper = log_interval(ratio, sums.log_ratio_variance, confidence)
        odds_lower, odds_upper = log_interval(sums.odds_ratio, sums.log_odds_variance, confidence)
        phi = (c * n - a * b) / np.sqrt(a * b * (n - a) * (n - b))
        jaccard = c / (a + b - c)
        cosine = c / np.sqrt(a * b)
        overlap = c / np.minimum(a, b)
        information = np.log2((c + 0.5) / (expected + 0.5))
        # the posterior of observed/expected is a gamma distribution (Norén 2013)
        ic_lower = np.log2(gammaincinv(c + 0.5, (1 - confidence) / 2) / (expected + 0.5))
        information, ic_lower = (np.where(expected > 0, x, np.nan) for x in (information, ic_lower))
    p_value = np.full(len(c), np.nan)
    known = ~(np.isnan(c) | np.isnan(expected)) & (a > 0) & (b > 0) & settings.get("tested", True)
    if settings["adjust"]:
        p_value[known] = _within_strata(table, (c, a, b, n), sums)[known]
    elif known.any():
        p_value[known] = hypergeometric_mid_p(c[known], a[known], b[known], n[known])
    if "released" in settings:
        ends = [ends_of(count, settings["released"]) for count in shown]
        if settings["adjust"]:
            between = expected_between(table, crude, expected)
            lower, upper, ic_lower, p_value = _at_ends((c, a, b, n), ends[0], between, sums, ic_lower, settings)
        else:
            box = [end for count in ends for end in count]
            lower, upper = union_interval_ratio(*box, confidence=confidence)
            odds_lower, odds_upper = union_interval_odds(*box, confidence=confidence)
            ic_lower = smallest_ic_lower(*box, confidence=confidence)
            p_value = largest_mid_p(*box)
        # of a suppressed count nothing is found
        p_value = np.where(np.isnan(c + a + b + n + (expected if settings["adjust"] else 0)), 1.0, p_value)
        p_value = np.where((a > 0) & (b > 0) & settings.get("tested", True) | np.isnan(a + b), p_value, np.nan)
    estimates = {
        "expected": expected,
        "observed_expected": ratio,
        "lower": lower,
        "upper": upper,
        "phi": phi,
        "odds_ratio": sums.odds_ratio,
        "odds_ratio_lower": odds_lower,
        "odds_ratio_upper": odds_upper,
        "jaccard": jaccard,
        "cosine": cosine,
        "overlap": overlap,
        "information_component": information,
        "ic_lower": ic_lower,
        "p_value": p_value,
    }
    suppressed = np.isnan(c)
    columns = [
        pl.Series(name, np.where((suppressed & (name != "p_value")) | np.isinf(values), np.nan, values))
        for name, values in estimates.items()
    ]
    counts = ["source", "target", "n_both", "n_source", "n_target", "n_persons"]
    ordered = [k for k in table.columns if k not in (*counts, *FACTORS, "figures", LOG_P)]
    return nan_to_null(table.select([*ordered, *counts]).with_columns(columns))


def expected_between(table: pl.DataFrame, crude: Array, expected: Array) -> tuple[Array, Array]:
    """Return between which numbers expected people lie whose factor is shown to few figures."""
    if "figures" not in table.columns:
        return expected, expected
    low, high = ends_of_figure(as_float(table["expected_factor"]), table["figures"].fill_null(0).to_numpy())
    return crude * low, crude * high


def _within_strata(table: pl.DataFrame, counts: tuple[Array, ...], sums: StratifiedPairs) -> Array:
    """Return the exact p values where they are known, else those of mean and variance."""
    exact = as_float(table[LOG_P]) if LOG_P in table.columns else np.full(len(counts[0]), np.nan)
    exact = np.where(sums.score_variance > 1e-12 * sums.expected, exact, np.nan)
    unknown = np.isnan(exact)
    exact[unknown] = log_mid_p_of_moments(*(x[unknown] for x in (*counts, sums.expected, sums.score_variance)))
    return p_of_log(exact)


def _at_ends(
    counts: tuple[Array, ...], ends: tuple[Array, Array], between: tuple[Array, Array], sums: StratifiedPairs,
    ic_lower: Array, settings: Mapping[str, Any],
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """Return interval, credible limit and p value over every count, and every expected number, that those shown allow.

    The interval is the union, the p value that of the count and the expected number nearest each other.
    """
    from scipy.special import gammaincinv

    confidence = settings["confidence"]
    c, (low, high), (least, most) = counts[0], ends, between
    with np.errstate(divide="ignore", invalid="ignore"):
        # the variance falls with the count about as its reciprocal
        lower, _ = log_interval(low / most, sums.log_ratio_variance * c / low, confidence)
        _, upper = log_interval(high / least, sums.log_ratio_variance * c / high, confidence)
        ic = np.log2(gammaincinv(low + 0.5, (1 - confidence) / 2) / (most + 0.5))
        within = (most >= low) & (least <= high)
        count, mean = np.where(least > high, high, low), np.where(least > high, least, most)
        nearest = possible_table(count, *counts[1:])
        p_value = p_of_log(log_mid_p_of_moments(*nearest, mean, sums.score_variance * mean / sums.expected))
    return lower, upper, np.where(np.isnan(ic_lower), np.nan, ic), np.where(within, 1.0, p_value)


def _scaled(
    crude: StratifiedPairs, expected: Array, spread: Array, score: Array, odds: Array, odds_spread: Array
) -> StratifiedPairs:
    """Return what is summed over strata: each crude figure times the factor by which the strata change it."""
    return StratifiedPairs(
        crude.observed,
        crude.expected * expected,
        crude.score_variance * score,
        crude.log_ratio_variance * spread,
        crude.odds_ratio * odds,
        crude.log_odds_variance * odds_spread,
    )


def _at_most(sums: StratifiedPairs) -> StratifiedPairs:
    """Put a Poisson count's variance of the logarithm, which is larger, where that of the strata is not released."""
    none = np.isnan(sums.log_ratio_variance) & ~np.isnan(sums.expected)
    with np.errstate(divide="ignore"):
        return replace(sums, log_ratio_variance=np.where(none, 1 / sums.observed, sums.log_ratio_variance))


def within_strata(both: Array, first: Array, second: Array, people: Array, *, tested: bool) -> dict[str, Array]:
    """Return by what the strata change each figure of the pooled people, 1 where there is nothing to change; and the exact log p."""
    within = stratified_pairs(both, first, second, people)
    whole = [x.sum(axis=0, keepdims=True) for x in (both, first, second, people)]
    crude = stratified_pairs(*whole)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (
            np.where(crude.expected > 0, within.expected / crude.expected, 1.0),
            within.log_ratio_variance / crude.log_ratio_variance,
            np.where(crude.score_variance > 0, within.score_variance / crude.score_variance, 1.0),
            # nobody has both: an odds ratio of 0 either way
            np.where((within.odds_ratio == 0) & (crude.odds_ratio == 0), 1.0, within.odds_ratio / crude.odds_ratio),
            within.log_odds_variance / crude.log_odds_variance,
        )
    factors = {name: np.where(np.isfinite(r), r, np.nan) for name, r in zip(FACTORS, ratios, strict=True)}
    return {**factors, LOG_P: stratified_log_mid_p(both, first, second, people)} if tested else factors
