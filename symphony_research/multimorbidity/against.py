"""Sets of conditions against what independence, or their smaller sets, would give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from symphony_research.collapse.margins import as_float, possible_table
from symphony_research.inference import (
    hypergeometric_mid_p,
    log_interval,
    matched_mid_p,
    wilson_interval,
)
from symphony_research.inference.figures import ends_of_figure
from symphony_research.multimorbidity.counted import FACTORS, factor_names, is_scaled
from symphony_research.multimorbidity.expectation import independence
from symphony_research.multimorbidity.sets import as_bits, kept_of

__all__ = ["against_expected"]


def against_expected(
    cells: pl.DataFrame, margins: pl.DataFrame, pairs: pl.DataFrame, people: pl.Series, settings: Mapping[str, Any]
) -> pl.DataFrame:
    """Return the sets of one stratum with what is expected of each, its interval and its test."""
    conditions, exact = settings["conditions"], settings["kind"] == "exact"
    inside = as_bits(cells["combination"], conditions)
    kept = kept_of(inside, cells["n_persons"], settings["which"])
    cells, inside = cells.filter(pl.Series(kept, dtype=pl.Boolean)), inside[kept]
    observed = as_float(cells["n_persons"])
    held = as_float(margins["n_persons"]) if margins.height else np.full(len(conditions), np.nan)
    n = float(as_float(people)[0]) if len(people) else np.nan
    both = np.zeros((len(conditions), len(conditions)))
    if pairs.height:
        i, j = np.triu_indices(len(conditions), k=1)
        both[i, j] = both[j, i] = as_float(pairs["n_both"])
    crude = independence(inside, observed[None], np.array([n]), held[None], both[None], exact=exact)
    expected, score, spread = crude.expected, crude.score_variance, crude.log_ratio_variance
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, lopsided = expected, np.where(score > 0, crude.third / score, 0.0)
    if is_scaled(settings):
        factors = (as_float(cells[name]) for name in FACTORS)
        before = expected
        expected, score, spread = (x * f for x, f in zip((expected, score, spread), factors, strict=True))
        mean = expected
    if settings["against"] != "independence":
        mean, lopsided = expected * as_float(cells["mean_factor"]), as_float(cells["third_share"])
    least = most = expected
    if "figures" in cells.columns:
        least, most = (
            before * end
            for end in ends_of_figure(as_float(cells["expected_factor"]), cells["figures"].fill_null(0).to_numpy())
        )
        # a Poisson count's variances, which are larger, where those of the strata are not released
        none = np.isnan(score) & ~np.isnan(expected)
        score, lopsided = np.where(none, expected, score), np.where(none | np.isnan(lopsided), 1.0, lopsided)
        with np.errstate(divide="ignore"):
            spread = np.where(np.isnan(spread) & ~np.isnan(expected), 1 / observed, spread)
    known = ~np.isnan(observed)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(known & (expected > 0), observed / expected, np.nan)
        possible = known & (score > 1e-12 * expected)
        # of the expected numbers that a shown one stands for, the nearest to the count
        mean = (
            mean * np.where(expected > 0, np.clip(observed, least, most) / expected, 1.0)
            if "figures" in cells.columns
            else mean
        )
        statistic = np.where(possible, (observed - mean) / np.sqrt(np.where(possible, score, 1)), np.nan)
    p_value = matched_mid_p(observed, mean, score, lopsided * score)
    size = inside.sum(axis=1)
    if not exact:
        two = np.flatnonzero((size == 2) & known & ~np.isnan(expected))
        if len(two) and not is_scaled(settings):
            first, second = np.nonzero(inside[two])[1].reshape(-1, 2).T
            p_value[two] = hypergeometric_mid_p(*possible_table(observed[two], held[first], held[second], n))
        for tested in (statistic, p_value):
            tested[size < 2] = np.nan
    share_lower, share_upper = wilson_interval(observed, n, settings["confidence"])
    with np.errstate(divide="ignore", invalid="ignore"):
        oe_lower, _ = log_interval(observed / most, spread, settings["confidence"])
        _, oe_upper = log_interval(observed / least, spread, settings["confidence"])
    oe_lower, oe_upper = (np.where(np.isnan(ratio), np.nan, end) for end in (oe_lower, oe_upper))
    unused = [name for name in (*factor_names(settings), "figures", "thinned") if name in cells.columns]
    return cells.drop(*unused, *[f"herfindahl_{value}" for value in settings["values"]]).with_columns(
        pl.Series("estimate", observed / n),
        pl.Series("lower", share_lower),
        pl.Series("upper", share_upper),
        pl.Series("expected", np.where(known, expected, np.nan)),
        pl.Series("observed_expected", ratio),
        pl.Series("oe_lower", oe_lower),
        pl.Series("oe_upper", oe_upper),
        pl.Series("statistic", statistic),
        pl.Series("p_value", np.where(known, p_value, np.nan)),
    )
