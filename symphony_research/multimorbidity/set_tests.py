"""Sets of conditions against what independence, or their smaller sets, would give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse.margins import as_float, possible_table
from symphony_research.collapse.set_roles import LOG_P
from symphony_research.inference import (
    Array,
    hypergeometric_mid_p,
    log_interval,
    log_mid_p_of_moments,
    p_of_log,
    wilson_interval,
)
from symphony_research.inference.figures import ends_of_figure
from symphony_research.inference.intersections import sets_log_mid_p
from symphony_research.multimorbidity.expectation import independence
from symphony_research.multimorbidity.set_counts import FACTORS, factor_names, is_scaled
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
        both[~np.eye(len(conditions), dtype=bool)] = np.nan
        i, j = (np.array([conditions.index(name) for name in pairs[end]]) for end in ("source", "target"))
        both[i, j] = both[j, i] = as_float(pairs["n_both"])
    crude = independence(inside, observed[None], np.array([n]), held[None], both[None], exact=exact)
    expected, score, spread = crude.expected, crude.score_variance, crude.log_ratio_variance
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = expected
    if is_scaled(settings):
        factors = (as_float(cells[name]) for name in FACTORS)
        before = expected
        expected, score, spread = (x * f for x, f in zip((expected, score, spread), factors, strict=True))
        mean = expected
    if settings["against"] != "independence":
        mean = expected * as_float(cells["mean_factor"])
    least = most = expected
    if "figures" in cells.columns:
        least, most = (
            before * end
            for end in ends_of_figure(as_float(cells["expected_factor"]), cells["figures"].fill_null(0).to_numpy())
        )
        # a Poisson count's variance of the logarithm, which is larger, where that of the strata is not released
        with np.errstate(divide="ignore"):
            spread = np.where(np.isnan(spread) & ~np.isnan(expected), 1 / observed, spread)
    known = ~np.isnan(observed)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(known & (expected > 0), observed / expected, np.nan)
        # of a count that cannot vary nothing is tested; a Poisson count's variance where that of the strata is not released
        possible = known & ~(score <= 1e-12 * expected) & (expected > 0)
        deviation = np.sqrt(np.where(possible, np.where(np.isnan(score), expected, score), 1))
        # of the expected numbers that a shown one stands for, the nearest to the count
        mean = (
            mean * np.where(expected > 0, np.clip(observed, least, most) / expected, 1.0)
            if "figures" in cells.columns
            else mean
        )
        statistic = np.where(possible, (observed - mean) / deviation, np.nan)
    exactly = as_float(cells[LOG_P]) if LOG_P in cells.columns else np.full(len(observed), np.nan)
    p_value = np.where(possible, p_of_log(exactly), np.nan)
    at = np.flatnonzero(possible & np.isnan(exactly))
    if len(at):
        margins_of = (inside[at], observed[at], n, np.nan_to_num(held))
        p_value[at] = p_of_log(
            _about(*margins_of, mean[at], score[at], crude.expected[at], exact=exact)
            if is_scaled(settings)
            else _of_margins(*margins_of, mean[at], score[at], exact=exact)
        )
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
    unused = [name for name in (*factor_names(settings), "figures", "thinned", LOG_P) if name in cells.columns]
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


def _sizes(inside: NDArray[np.bool_], n: float, held: Array, *, exact: bool) -> tuple[Array, Array]:
    """Return the smallest of the sets whose common people are counted, and how many people all of them surely have."""
    has, lacks = np.where(inside, held, np.inf), np.where(inside | (not exact), np.inf, n - held)
    sizes = np.minimum(has, lacks)
    surely = n - np.where(np.isfinite(sizes), n - sizes, 0.0).sum(axis=1)
    return sizes.min(axis=1, initial=np.inf), np.maximum(surely, 0)


def _of_margins(
    inside: NDArray[np.bool_], observed: Array, n: float, held: Array, mean: Array, variance: Array, *, exact: bool
) -> Array:
    """Return the log p values from the margins that are shown, which rounding may have made too small."""
    smallest, surely = _sizes(inside, n, held, exact=exact)
    fits = (observed <= smallest) & (observed >= surely)
    found = np.full(len(observed), np.nan)
    at = np.flatnonzero(fits)
    if len(at):
        found[at] = sets_log_mid_p(inside[at], observed[None, at], np.array([n]), held[None], exact=exact)
    at = np.flatnonzero(~fits)
    if len(at):
        found[at] = _about(inside[at], observed[at], n, held, mean[at], variance[at], mean[at], exact=exact)
    return found


def _about(
    inside: NDArray[np.bool_], observed: Array, n: float, held: Array, mean: Array, variance: Array, crude: Array,
    *, exact: bool,
) -> Array:  # fmt: skip
    """Return the log p values from mean and variance, the other sets taken as one of the size that they have in common if independent."""
    smallest, surely = _sizes(inside, n, held, exact=exact)
    smallest = np.maximum(smallest, observed)
    rest = np.maximum(np.rint(n * crude / smallest), observed)
    people = np.maximum(n, smallest + rest - np.minimum(surely, observed))
    return log_mid_p_of_moments(observed, smallest, rest, people, mean, variance)
