"""Sets of conditions against what independence, or their smaller sets, would give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse.margins import as_float
from symphony_research.collapse.set_roles import LOG_P, LOG_P_NEARER
from symphony_research.inference import (
    Array,
    adjusted_p,
    hypergeometric_mid_p,
    largest_mid_p,
    log_interval,
    p_of_log,
    union_interval_ratio,
)
from symphony_research.inference.bands import TESTED, band_words, clear_side, interval_of_spread, on_side, p_at_nearest
from symphony_research.inference.ends import ends_of
from symphony_research.inference.figures import ends_of_figure
from symphony_research.inference.released_sets import (
    SetBox,
    expected_ends,
    largest_p_of_sets,
    largest_variance,
    union_interval,
)
from symphony_research.inference.released_shares import interval_of_share
from symphony_research.multimorbidity.expectation import independence
from symphony_research.multimorbidity.set_counts import MOMENTS, RATIO, is_scaled
from symphony_research.multimorbidity.sets import as_bits, kept_of
from symphony_research.policy import Policy

__all__ = ["against_expected", "band_of", "with_bands"]

Figures = dict[str, Array]


def against_expected(
    cells: pl.DataFrame, margins: pl.DataFrame, pairs: pl.DataFrame, people: pl.Series, settings: Mapping[str, Any]
) -> pl.DataFrame:
    """Return the sets of one stratum with what is expected of each, its interval and its test.

    Of released counts intervals and p values hold for all that they stand for, and there is no statistic.
    """
    conditions, exact = settings["conditions"], settings["kind"] == "exact"
    inside = as_bits(cells["combination"], conditions)
    kept = kept_of(inside, cells["n_persons"], settings["which"])
    cells, inside = cells.filter(pl.Series(kept, dtype=pl.Boolean)), inside[kept]
    observed = as_float(cells["n_persons"])
    held = as_float(margins["n_persons"]) if margins.height else np.full(len(conditions), np.nan)
    n = float(as_float(people)[0]) if len(people) else np.nan
    both = _of_pairs(pairs, conditions)
    crude = independence(inside, observed[None], np.array([n]), held[None], both[None], exact=exact)
    scaled, released = is_scaled(settings), settings.get("released")
    expected = crude.expected * as_float(cells["expected_factor"]) if scaled else crude.expected
    known = ~np.isnan(observed)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(known & (expected > 0), observed / expected, np.nan)
    if released is None:
        moments = [as_float(cells[name]) for name in MOMENTS] if scaled else [expected, crude.score_variance]
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = as_float(cells["spread"]) / observed if scaled else crude.log_ratio_variance
        found = _exact(cells, inside, (observed, held, n), expected, moments, settings)
        ends = log_interval(ratio, spread, settings["confidence"])
    else:
        counts = ends_of(observed, released), ends_of(held, released), ends_of(n, released)
        found, ends = _of_box(cells, inside, counts, pairs, settings)
    if "side" in found:
        lower, turned, upper = on_side(ends[0], ratio, ends[1], found.pop("side"), 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):  # the figures of a row agree
            expected = np.where(turned == ratio, expected, observed / turned)
        ratio, ends = turned, (lower, upper)
    size = inside.sum(axis=1)
    if not exact:
        for tested in found.values():
            tested[size < 2] = np.nan
    share_lower, share_upper = interval_of_share(observed, n, settings["confidence"], released)
    oe_lower, oe_upper = (np.where(np.isnan(ratio), np.nan, end) for end in ends)
    unused = (
        "expected_factor",
        "spread",
        "spread_level",
        *MOMENTS,
        RATIO,
        "figures",
        "thinned",
        LOG_P,
        LOG_P_NEARER,
        *TESTED,
    )
    spreads = [f"herfindahl_{value}" for value in settings["values"]]
    banded = [pl.Series("__banded", found.pop("q_value"))] if "q_value" in found else []
    return cells.drop(*[name for name in (*unused, *spreads) if name in cells.columns]).with_columns(
        pl.Series("estimate", observed / n),
        pl.Series("lower", share_lower),
        pl.Series("upper", share_upper),
        pl.Series("expected", np.where(known, expected, np.nan)),
        pl.Series("observed_expected", ratio),
        pl.Series("oe_lower", oe_lower),
        pl.Series("oe_upper", oe_upper),
        *[pl.Series(name, np.where(known, values, np.nan)) for name, values in found.items()],
        *banded,
    )


def with_bands(
    tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any], policy: Policy, tests: int
) -> Mapping[str, pl.DataFrame]:
    """Return the tables with p and q values of sets within strata, for all that the rounded count may stand for."""
    cells = tables["cells"]
    if not is_scaled(settings) or TESTED[0] in cells.columns:
        return tables
    count, mean, log_p, nearer = (as_float(cells[name]) for name in ("n_persons", MOMENTS[0], LOG_P, LOG_P_NEARER))
    shown = as_float(cells.select(policy.rounded("n_persons"))["n_persons"])
    p_value = p_at_nearest(count, mean, log_p, nearer, shown, policy.as_released())
    q_value = adjusted_p(p_value, settings["correction"], tests=tests)
    with np.errstate(divide="ignore", invalid="ignore"):
        # of a model against smaller sets the mean of the test is not quite what is expected
        expected = count / as_float(cells[RATIO])
    low, high = interval_of_spread(
        ends_of(shown, policy.as_released()), (expected, expected), as_float(cells["spread"]), settings["confidence"]
    )
    tested = zip(TESTED, (p_value, q_value, clear_side(low, high, 1.0)), strict=True)
    found = [pl.Series(name, x).fill_nan(None) for name, x in tested]
    return {**tables, "cells": cells.with_columns(found)}


def band_of(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> str | None:
    """Return the words of a released p or q value within strata; None of any other cell."""
    banded = column in TESTED[:2] and "released" in settings and is_scaled(settings)
    return band_words(record[column]) if banded and record[column] is not None else None


def _of_pairs(pairs: pl.DataFrame, conditions: list[str], missing: float = np.nan) -> Array:
    """Return the people with both conditions of each pair as a matrix; zero where there is no table of pairs."""
    both = np.zeros((len(conditions), len(conditions)))
    if pairs.height:
        both[~np.eye(len(conditions), dtype=bool)] = missing
        i, j = (np.array([conditions.index(name) for name in pairs[end]]) for end in ("source", "target"))
        both[i, j] = both[j, i] = as_float(pairs["n_both"])
    return both


def _exact(
    cells: pl.DataFrame,
    inside: NDArray[np.bool_],
    counts: tuple[Array, Array, float],
    expected: Array,
    moments: list[Array],
    settings: Mapping[str, Any],
) -> Figures:
    """Return the standardised count and the p value of exact counts."""
    (observed, held, n), (mean, score) = counts, moments
    with np.errstate(invalid="ignore"):
        # of a count that cannot vary nothing is tested
        possible = ~np.isnan(observed) & ~(score <= 1e-12 * expected) & (expected > 0) & ~np.isnan(score)
    statistic = np.where(possible, (observed - mean) / np.sqrt(np.where(possible, score, 1)), np.nan)
    p_value = np.where(possible, p_of_log(as_float(cells[LOG_P])), np.nan)
    if settings["kind"] != "exact" and not is_scaled(settings):
        two = np.flatnonzero((inside.sum(axis=1) == 2) & ~np.isnan(observed + expected))
        if len(two):
            first, second = np.nonzero(inside[two])[1].reshape(-1, 2).T
            p_value[two] = hypergeometric_mid_p(observed[two], held[first], held[second], np.full(len(two), n))
    return {"statistic": statistic, "p_value": p_value}


def _of_box(
    cells: pl.DataFrame,
    inside: NDArray[np.bool_],
    counts: tuple[tuple[Array, Array], ...],
    pairs: pl.DataFrame,
    settings: Mapping[str, Any],
) -> tuple[Figures, tuple[Array, Array]]:
    """Return p and the ends of the interval of observed/expected that hold for all that released counts stand for."""
    count, held, (n0, n1) = counts
    confidence, exact = settings["confidence"], settings["kind"] == "exact"
    found = {"statistic": np.full(len(inside), np.nan), "p_value": np.full(len(inside), np.nan)}
    nothing = np.full((2, len(inside)), np.nan)
    if not len(inside) or np.isnan(n0):
        return found | ({"q_value": np.full(len(inside), np.nan)} if is_scaled(settings) else {}), (
            nothing[0],
            nothing[1],
        )
    unknown = np.isnan(held[0])
    # those without a number may be anybody
    ends = (
        np.where(unknown, 0.0, held[0]),
        np.minimum(np.where(unknown, _most_suppressed(settings, float(n1)), held[1]), n1),
    )
    box = SetBox(inside, count, ends, (float(n0), float(n1)), exact)
    gone = (inside & unknown).any(axis=1)
    low, high = (np.where(gone, np.nan, end) for end in expected_ends(box))
    if is_scaled(settings):
        factor = ends_of_figure(as_float(cells["expected_factor"]), cells["figures"].fill_null(0).to_numpy())
        spread = np.fmin(as_float(cells["spread"]), as_float(cells["spread_level"]))
        interval = interval_of_spread(count, (low * factor[0], high * factor[1]), spread, confidence)
        for name in TESTED[:2]:
            band = as_float(cells[name]) if name in cells.columns else np.ones(len(inside))
            found[name] = np.where(np.isnan(band) & ~np.isnan(count[0] + low), 1.0, band)
        found["side"] = as_float(cells["side"]) if "side" in cells.columns else np.zeros(len(inside))
        return found, interval
    found["p_value"] = np.where(gone, np.nan, largest_p_of_sets(box))
    shown = _of_pairs(pairs, settings["conditions"])
    two = ends_of(shown, settings["released"]) if pairs.height else (shown, np.full_like(shown, np.inf))
    two = np.nan_to_num(two[0]), np.nan_to_num(two[1], nan=np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = largest_variance(box, count[0], two) - 1 / count[0]
    interval = union_interval(count, (low, high), rest, confidence)
    size = inside.sum(axis=1)
    if exact:
        return found, interval
    pair = np.flatnonzero((size == 2) & ~np.isnan(low))
    if len(pair):  # as the network of pairs has them, which is exact
        first, second = np.nonzero(inside[pair])[1].reshape(-1, 2).T
        table = [x[pair] for x in count], [x[first] for x in ends], [x[second] for x in ends]
        corners = [end for own in table for end in own] + [np.full(len(pair), end) for end in (n0, n1)]
        found["p_value"][pair] = np.where(np.isnan(count[0][pair]), np.nan, largest_mid_p(*corners))
        interval[0][pair], interval[1][pair] = union_interval_ratio(*corners, confidence=confidence)
    # people with one condition are those expected of it
    for end in interval:
        end[(size == 1) & ~np.isnan(count[0] + low)] = 1.0
    return found, interval


def _most_suppressed(settings: Mapping[str, Any], people: float) -> float:
    """Return how many people a suppressed count of one condition may be."""
    small = "margins" in settings["released"].get("all_small", ())
    return float(settings["released"]["threshold"]) if small else people
