"""The count tables of sets: how many people have each, the margins behind it, and by what factor strata change the expected."""

from __future__ import annotations

from collections.abc import Mapping
from math import comb
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from symphony_research.collapse import Patterns
from symphony_research.collapse.bits import Integers, TooManySetsError, unpack
from symphony_research.collapse.patterns import HUNDRED, combination_names
from symphony_research.collapse.set_roles import (
    LOG_P,
    LOG_P_NEARER,
    MARGINS,
    PAIRS,
    SET_KEYS,
    mean_roles,
    of_everybody,
    of_set,
)
from symphony_research.collapse.strata_counts import factor_role, roles_of_strata, strata_table
from symphony_research.collapse.sums import herfindahl
from symphony_research.collapse.within_strata import Row, strata_pairs
from symphony_research.errors import ArgumentError
from symphony_research.inference import Array
from symphony_research.inference.bands import BANDS, SIDES, SPREAD_LEVELS, TESTED
from symphony_research.inference.intersections import sets_log_mid_p
from symphony_research.multimorbidity.expectation import against_parts, independence
from symphony_research.multimorbidity.sets import as_tuples, closed_of, counts_by_stratum, sets_of
from symphony_research.policy import mining_threshold
from symphony_research.result.roles import Count, Internal, Known, Level, Role, TableRoles

__all__ = ["MOMENTS", "RATIO", "is_scaled", "possible_sets", "roles_of_sets", "set_tables"]

ZERO_BELOW = 1e-13
# mean and variance of the count that is tested, where strata, or the smaller sets, make them others than of independence
MOMENTS = ("null_mean", "score_variance")
RATIO = "ratio"  # observed/expected, exact


def is_scaled(settings: Mapping[str, Any]) -> bool:
    """Return whether the expectation is another than independence in the whole population."""
    return bool(settings["adjust"]) or settings["against"] != "independence"


def set_tables(patterns: Patterns, row: Row, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    """Return the count tables of one row."""
    conditions, k, exact = patterns.conditions, len(patterns.conditions), settings["kind"] == "exact"
    sums = [_summed(row.frame, value) for value in patterns.values]
    squares = [_squares(row.frame, value) for value in patterns.values]
    m = len(sums)
    asked: dict[str, Any] = {
        "sums": [*sums, *squares], "min_size": settings["min_size"], "min_persons": mining_threshold(settings["min_persons"]),
    }  # fmt: skip
    thinned = False
    try:
        words, weights = sets_of(row, k, exact=exact, max_size=settings["max_size"], **asked)
    except TooManySetsError:
        if settings["which"] == "all" or settings["max_size"] is not None:
            raise
        words, weights = closed_of(row, k, which=settings["which"], **asked)
        thinned = True
    bits = unpack(words, k)
    singles, both = strata_pairs(row, k)
    cells = {"size": bits.sum(axis=1, dtype=np.int64), "n_persons": weights[:, 0].astype(np.int64)}
    cells |= {
        f"mean_{v}": weights[:, 1 + at] / HUNDRED / np.maximum(weights[:, 0], 1) for at, v in enumerate(patterns.values)
    }
    cells |= {
        f"herfindahl_{v}": herfindahl(weights[:, 1 + m + at].astype(float), weights[:, 1 + at] / HUNDRED)
        for at, v in enumerate(patterns.values)
    }
    if settings["which"] != "all":
        cells["thinned"] = np.full(len(words), thinned)
    cells |= _against_chance(row, words, weights[:, 0], singles, both, settings)
    named = pl.DataFrame(cells).insert_column(0, combination_names(bits, conditions))
    listed = pl.Series("c", conditions, dtype=pl.String)
    i, j = np.triu_indices(k, k=1)
    people = int(row.people.sum())
    means = {
        f"mean_{v}": [float(total.sum()) / HUNDRED / max(people, 1)]
        for v, total in zip(patterns.values, sums, strict=True)
    }
    means |= {
        f"herfindahl_{v}": herfindahl(np.array([float(squared.sum())]), np.array([total.sum() / HUNDRED])).tolist()
        for v, squared, total in zip(patterns.values, squares, sums, strict=True)
    }
    strata = {"strata": strata_table(row, settings["adjust"], conditions, singles)} if is_scaled(settings) else {}
    return {
        **strata,
        # an order that says nothing of the counts, so that what is suppressed cannot be ranked
        "cells": named.sort(["size", pl.col("combination").list.join(" ")]),
        "margins": pl.DataFrame({"condition": listed, "n_persons": singles.sum(axis=0)}),
        "pairs": pl.DataFrame(
            {"source": listed.gather(i), "target": listed.gather(j), "n_both": both.sum(axis=0)[i, j]},
            schema={"source": pl.String, "target": pl.String, "n_both": pl.Int64},
        ),
        "population": pl.DataFrame({"n_persons": [people], **means}, schema_overrides={"n_persons": pl.Int64}),
    }


def _against_chance(
    row: Row, words: Any, total: Integers, singles: Integers, both: Integers, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return by what the strata, or the smaller sets, change the people expected, how wide the interval is, and the exact log p."""
    k, exact = singles.shape[1], settings["kind"] == "exact"
    inside = unpack(words, k).astype(bool)
    held, pairs, people = singles.astype(float), both.astype(float), row.stratum_people.astype(float)
    whole = (x.sum(axis=0, keepdims=True) for x in (people, held, pairs))
    if settings["against"] == "independence":
        observed = counts_by_stratum(row, words, k, exact=exact)
        log_p: Array | None = sets_log_mid_p(inside, observed, people, held, exact=exact)
        if not is_scaled(settings):
            return {LOG_P: log_p}
        within = independence(inside, observed, people, held, pairs, exact=exact)
        nearer: Array | None = sets_log_mid_p(inside, observed, people, held, exact=exact, nearer=True)
    else:
        within = against_parts(row, as_tuples(inside), k)
        log_p, nearer = within.log_p, within.log_p_nearer
    crude = independence(inside, total[None].astype(float), *whole, exact=exact).expected
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(crude > 0, within.expected / crude, np.where(within.expected == 0, 1.0, np.nan))
        variance = np.where(np.abs(within.log_ratio_variance) < ZERO_BELOW, 0.0, within.log_ratio_variance)
        figures = {"expected_factor": factor, "spread": variance * total, "spread_level": variance * total}
    figures[RATIO] = total / np.where(within.expected > 0, within.expected, np.nan)
    figures |= {name: getattr(within, name) for name in MOMENTS}
    found = {name: np.where(np.isfinite(x), x, np.nan) for name, x in figures.items()}
    return {**found, LOG_P: log_p, LOG_P_NEARER: nearer}


def _squares(part: pl.DataFrame, value: str) -> Integers:
    """Return the sums of squares of a value in whole units squared, rounded up: a bound is drawn from them."""
    whole = (part[f"{value}__sum_squares"].cast(pl.Float64) / HUNDRED**2).ceil()
    if (whole.sum() or 0) > 2**62:
        raise ArgumentError(f"The squares of '{value}' over all people exceed 64 bits: use a larger unit.")
    return whole.cast(pl.Int64).to_numpy()


def _summed(part: pl.DataFrame, value: str) -> Integers:
    """Return the sums of a value in hundredths, refusing what could not be added up exactly in double precision."""
    hundredths = part[f"{value}__sum"]
    if (hundredths.sum() or 0) > 2**53:
        raise ArgumentError(f"The sum of '{value}' over all people exceeds {2**53 // HUNDRED:,}: use a larger unit.")
    return hundredths.cast(pl.Int64).to_numpy()


def possible_sets(settings: Mapping[str, Any]) -> int:
    """Return the number of sets of the sizes asked for; at-least sets of one are not tested."""
    k = len(settings["conditions"])
    smallest = settings["min_size"] if settings["kind"] == "exact" else max(settings["min_size"], 2)
    largest = k if settings["max_size"] is None else min(settings["max_size"], k)
    return sum(comb(k, size) for size in range(smallest, largest + 1))


def roles_of_sets(settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
    """Return the roles of the tables of sets, and of what describes their people."""
    means = mean_roles(settings["values"])
    strata = {"strata": roles_of_strata(settings["adjust"])} if is_scaled(settings) else {}
    factors: dict[str, Role] = {}
    if is_scaled(settings):
        factors = {name: factor_role(name) for name in ("expected_factor", "spread")}
        factors |= {"figures": Known(), "spread_level": Level(SPREAD_LEVELS)}
        factors |= (
            dict.fromkeys(TESTED[:2], Level(BANDS))
            | {TESTED[2]: Level(SIDES)}
            | dict.fromkeys((*MOMENTS, RATIO, LOG_P_NEARER), Internal())
        )
    cells: dict[str, Role] = {
        **SET_KEYS,
        "n_persons": Count(),
        "thinned": Internal(),
        **means,
        **factors,
        LOG_P: Internal(),
    }
    return MappingProxyType(
        {
            "cells": TableRoles(cells, of_set),
            "margins": MARGINS,
            "pairs": PAIRS,
            "population": TableRoles({"n_persons": Count(), **means}, of_everybody),
            **strata,
        }
    )
