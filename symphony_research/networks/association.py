"""Every measure of association of a pair, from the people with both conditions, with each, and of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from symphony_research.collapse.margins import (
    as_float,
    nan_to_null,
    possible_table,
)
from symphony_research.collapse.set_roles import LOG_P, LOG_P_NEARER
from symphony_research.inference import (
    Array,
    hypergeometric_mid_p,
    log_interval,
    p_of_log,
    stratified_log_mid_p,
)
from symphony_research.inference.bands import TESTED, interval_of_spread, on_side
from symphony_research.inference.ends import ends_of
from symphony_research.inference.figures import ends_of_figure
from symphony_research.inference.released import (
    largest_mid_p,
    smallest_ic_lower,
    union_interval_odds,
    union_interval_ratio,
)
from symphony_research.inference.strata import StratifiedPairs, stratified_pairs
from symphony_research.inference.stratified import one_nearer

__all__ = ["FACTORS", "LEVEL", "SPREADS", "associations", "within_strata"]

# what adjustment multiplies: expected people, and the odds ratio
FACTORS = ("expected_factor", "odds_factor")
# and variances of the logarithms of observed/expected and of the odds ratio, over that of a Poisson count
SPREADS = ("spread", "odds_spread")
LEVEL = "spread_level"  # the first of these, coarse, where by itself it would tell of a small count by stratum


def associations(table: pl.DataFrame, settings: Mapping[str, Any]) -> pl.DataFrame:
    """Return every measure of association that follows from the four counts of a pair.

    Of released counts intervals and p values hold for all that they stand for.
    """
    confidence, adjusted = settings["confidence"], bool(settings["adjust"])
    shown = tuple(as_float(table[name]) for name in ("n_both", "n_source", "n_target", "n_persons"))
    # rounding a count must not make a table that cannot exist
    c, a, b, n = possible_table(*shown)
    sums = stratified_pairs(c[None, :], a[None, :], b[None, :], n[None, :])
    if adjusted:
        sums = _scaled(sums, table)
    expected = sums.expected
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = c / expected
        phi = (c * n - a * b) / np.sqrt(a * b * (n - a) * (n - b))
        jaccard = c / (a + b - c)
        cosine = c / np.sqrt(a * b)
        overlap = c / np.minimum(a, b)
        information = np.where(expected > 0, np.log2((c + 0.5) / (expected + 0.5)), np.nan)
    tested = settings.get("tested", True)
    if "released" not in settings:
        found = _exact((c, a, b, n), sums, confidence)
        p_value = as_float(table[LOG_P]) if LOG_P in table.columns else np.full(len(c), np.nan)
        p_value = p_of_log(p_value) if adjusted else found.p_value
        p_value = np.where((a > 0) & (b > 0) & ~np.isnan(c + expected) & tested, p_value, np.nan)
    else:
        ends = tuple(ends_of(count, settings["released"]) for count in shown)
        found = _within_box(ends, ratio, table, confidence) if adjusted else _of_box(ends, confidence)
        # of a suppressed count nothing is found
        p_value = np.where(np.isnan(c + a + b + n + expected), 1.0, found.p_value)
        p_value = np.where((a > 0) & (b > 0) & tested | (np.isnan(a + b) & tested), p_value, np.nan)
    if found.ratio is not None:  # the figures of a row agree
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio, expected = found.ratio, np.where(found.ratio == ratio, expected, c / found.ratio)
    estimates = {
        "expected": expected,
        "observed_expected": ratio,
        "lower": found.lower,
        "upper": found.upper,
        "phi": phi,
        "odds_ratio": sums.odds_ratio,
        "odds_ratio_lower": found.odds_lower,
        "odds_ratio_upper": found.odds_upper,
        "jaccard": jaccard,
        "cosine": cosine,
        "overlap": overlap,
        "information_component": information,
        "ic_lower": np.where(np.isnan(information), np.nan, found.ic_lower),
        "p_value": p_value,
    }
    suppressed = np.isnan(c)
    columns = [
        pl.Series(name, np.where((suppressed & (name != "p_value")) | np.isinf(values), np.nan, values))
        for name, values in estimates.items()
    ]
    counts = ["source", "target", "n_both", "n_source", "n_target", "n_persons"]
    inside = (*counts, *FACTORS, *SPREADS, LEVEL, "figures", LOG_P, LOG_P_NEARER, *TESTED)
    ordered = [k for k in table.columns if k not in inside]
    return nan_to_null(table.select([*ordered, *counts]).with_columns(columns))


class _Inferred(NamedTuple):
    """Intervals of observed/expected and of the odds ratio, the lower limit of the information component, p, and the ratio if it is another."""

    lower: Array
    upper: Array
    odds_lower: Array
    odds_upper: Array
    ic_lower: Array
    p_value: Array
    ratio: Array | None = None


def _exact(counts: tuple[Array, ...], sums: StratifiedPairs, confidence: float) -> _Inferred:
    """Return what exact counts tell; p of one stratum."""
    c, a, b, n = counts
    p_value = np.full(len(c), np.nan)
    known = ~np.isnan(c + sums.expected) & (a > 0) & (b > 0)
    if known.any():
        p_value[known] = hypergeometric_mid_p(c[known], a[known], b[known], n[known])
    return _Inferred(
        *log_interval(
            sums.observed / np.where(sums.expected > 0, sums.expected, np.nan), sums.log_ratio_variance, confidence
        ),
        *log_interval(sums.odds_ratio, sums.log_odds_variance, confidence),
        _ic_lower(c, sums.expected, confidence),
        p_value,
    )


def _of_box(ends: tuple[tuple[Array, Array], ...], confidence: float) -> _Inferred:
    """Return what holds for every table that released counts allow."""
    box = [end for count in ends for end in count]
    return _Inferred(
        *union_interval_ratio(*box, confidence=confidence),
        *union_interval_odds(*box, confidence=confidence),
        smallest_ic_lower(*box, confidence=confidence),
        largest_mid_p(*box),
    )


def _within_box(
    ends: tuple[tuple[Array, Array], ...], ratio: Array, table: pl.DataFrame, confidence: float
) -> _Inferred:
    """Return what holds within strata for all counts, factors and spreads that the released ones stand for; p in bands."""
    (c0, c1), (a0, a1), (b0, b1), (n0, n1) = ends
    figures = (
        table["figures"].fill_null(0).to_numpy() if "figures" in table.columns else np.zeros(table.height, np.int64)
    )
    factor, odds = (
        ends_of_figure(as_float(table[name]), np.maximum(figures - less, 0)) for less, name in enumerate(FACTORS)
    )
    spread, odds_spread, level = (as_float(table[name]) for name in (*SPREADS, LEVEL))
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = a0 * b0 / n1 * factor[0], a1 * b1 / n0 * factor[1]
        # without both and with neither, at least half a person each
        least = c0 * np.maximum(n0 - a1 - b1 + c0, 0) / (np.maximum(a1 - c0, 0.5) * np.maximum(b1 - c0, 0.5))
        most = c1 * np.maximum(n1 - a0 - b0 + c1, 0.5) / (np.maximum(a0 - c1, 0) * np.maximum(b0 - c1, 0))
    there = TESTED[0] in table.columns
    p_value, side = (as_float(table[name]) if there else np.ones(table.height) for name in (TESTED[0], TESTED[2]))
    lower, upper = interval_of_spread((c0, c1), expected, np.fmin(spread, level), confidence)
    lower, ratio, upper = on_side(lower, ratio, upper, side if there else 0 * side, 1.0)
    return _Inferred(
        lower,
        upper,
        _log_ends(least * odds[0], odds_spread, c0, confidence)[0],
        _log_ends(most * odds[1], odds_spread, c0, confidence)[1],
        _ic_lower(c0, expected[1], confidence),
        np.where(np.isnan(p_value), 1.0, p_value),
        ratio,
    )


def _log_ends(estimate: Array, spread: Array, count: Array, confidence: float) -> tuple[Array, Array]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return log_interval(np.where(np.isfinite(estimate), estimate, np.nan), spread / count, confidence)


def _ic_lower(c: Array, expected: Array, confidence: float) -> Array:
    """Return the lower limit of the posterior of observed/expected, a gamma distribution (Norén 2013)."""
    from scipy.special import gammaincinv

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.log2(gammaincinv(c + 0.5, (1 - confidence) / 2) / (expected + 0.5)))


def _scaled(crude: StratifiedPairs, table: pl.DataFrame) -> StratifiedPairs:
    """Return what is summed over strata: crude figures times the factors by which the strata change them, and their variances."""
    (expected, odds), (spread, odds_spread) = (
        [as_float(table[name]) for name in names] for names in (FACTORS, SPREADS)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return replace(
            crude,
            expected=crude.expected * expected,
            log_ratio_variance=spread / crude.observed,
            odds_ratio=crude.odds_ratio * odds,
            log_odds_variance=odds_spread / crude.observed,
        )


def within_strata(both: Array, first: Array, second: Array, people: Array, *, tested: bool) -> dict[str, Array]:
    """Return by what the strata change each figure of the pooled people, 1 where there is nothing to change; and the exact log p.

    The log p is also given of the count one person nearer to what is expected.
    """
    within = stratified_pairs(both, first, second, people)
    whole = [x.sum(axis=0, keepdims=True) for x in (both, first, second, people)]
    crude = stratified_pairs(*whole)
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = (
            np.where(crude.expected > 0, within.expected / crude.expected, 1.0),
            # nobody has both: an odds ratio of 0 either way
            np.where((within.odds_ratio == 0) & (crude.odds_ratio == 0), 1.0, within.odds_ratio / crude.odds_ratio),
            within.log_ratio_variance * within.observed,
            within.log_odds_variance * within.observed,
        )
    named = {name: np.where(np.isfinite(x), x, np.nan) for name, x in zip((*FACTORS, *SPREADS), figures, strict=True)}
    named[LEVEL] = named[SPREADS[0]]
    if not tested:
        return named
    varies = within.score_variance > 1e-12 * within.expected
    nearer = one_nearer(
        both, np.maximum(0, first + second - people[:, None]), np.minimum(first, second), within.expected
    )
    log_p = {LOG_P: both, LOG_P_NEARER: nearer}
    return named | {
        name: np.where(varies, stratified_log_mid_p(counts, first, second, people), np.nan)
        for name, counts in log_p.items()
    }
