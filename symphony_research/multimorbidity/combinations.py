"""Which sets of conditions people have, each set against chance."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import Patterns
from symphony_research.collapse.bits import Integers, frequent_sets, unpack
from symphony_research.collapse.margins import (
    as_float,
    by_stratum,
    nan_to_null,
    pair_frame,
    pattern_settings,
    possible_table,
    split,
    strata_margins,
)
from symphony_research.collapse.patterns import HUNDRED, combination_names
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import (
    benjamini_hochberg,
    hypergeometric_mid_p,
    normal_quantile,
    two_sided_normal_p,
    wilson_interval,
)
from symphony_research.result import CountTable, Result
from symphony_research.wording import about, against_chance, cost_period, in_words, joined

__all__ = ["Combinations", "combinations"]

Tables = Mapping[str, pl.DataFrame]

SLACK = 25  # people by which rounding may lift a count over the floor


class Combinations(Result):
    """Sets of conditions that people have, observed against expected by chance."""

    title: ClassVar[str] = "Combinations of conditions, against chance"
    percentages: ClassVar[tuple[str, ...]] = ("estimate", "lower", "upper")
    counts: ClassVar[Mapping[str, CountTable]] = MappingProxyType(
        {
            "cells": CountTable(("n_persons",)),
            "margins": CountTable(("n_persons",)),
            "pairs": CountTable(("n_both",)),
            "population": CountTable(("n_persons",)),
        }
    )
    shown: ClassVar[tuple[str, ...]] = (
        "combination",
        "n_persons",
        "expected",
        "observed_expected",
        "oe_lower",
        "oe_upper",
        "q_value",
        "mean_cost",
    )

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings, the time over which costs were summed among them."""
        cost = f"Mean cost of a person {cost_period(self.settings)}".rstrip()
        return {"estimate": "Share of people", "mean_cost": cost}

    def __post_init__(self) -> None:
        means = tuple(f"mean_{value}" for value in self.settings["values"])
        rules = dict(type(self).counts)
        rules["cells"] = rules["population"] = CountTable(("n_persons",), measures=means)
        object.__setattr__(self, "counts", MappingProxyType(rules))
        super().__post_init__()

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Expected people, observed/expected with interval, and test, of every set.

        The floor is laid on the counts that are shown: laid on exact ones, the
        rows that are there would tell what rounding hides.
        """
        floor = settings["min_persons"]
        large_enough = (pl.col("n_persons") >= floor).fill_null(floor == 1)
        parts = [
            # the largest first, by the counts there are: rounded ones tie, hidden ones come last by name
            _against_chance(
                cells.filter(large_enough).sort("n_persons", descending=True, nulls_last=True, maintain_order=True),
                margins,
                pairs,
                population["n_persons"],
                settings,
            )
            for population, cells, margins, pairs in split(
                by, tables["population"], tables["cells"], tables["margins"], tables["pairs"]
            )
        ]
        frame = pl.concat(parts)
        frame = frame.with_columns(pl.Series("q_value", benjamini_hochberg(as_float(frame["p_value"]))))
        totals = [(pl.col(f"mean_{v}") * pl.col("n_persons")).alias(f"total_{v}") for v in settings["values"]]
        measures = [c for v in settings["values"] for c in (f"mean_{v}", f"total_{v}")]
        ordered = [
            *by, "combination", "size", "n_persons", "estimate", "lower", "upper", "expected",
            "observed_expected", "oe_lower", "oe_upper", "p_value", "q_value",
        ]  # fmt: skip
        return nan_to_null(frame.with_columns(totals)).select([*ordered, *measures])

    def sentence(self) -> str:
        """Name the set furthest above chance among those large enough to show."""
        frame = self.estimates.filter(pl.col("observed_expected").is_not_null() & (pl.col("size") >= 2))
        if not frame.height:
            return "No combination of conditions is held by enough people to show."
        first = frame.sort("n_persons", descending=True).row(0, named=True)
        exact = self.settings["kind"] == "exact"
        exactly = "exactly " if exact else ""
        others = " and no other of these conditions" if exact else ", whatever else they have"
        where = f" ({', '.join(in_words(first[c]) for c in self.by)})" if self.by else ""
        return (
            f"The commonest combination{where} is {exactly}{joined(first['combination'])}{others}: about "
            f"{about(first['n_persons'])} people, {against_chance(first['observed_expected'])}."
        )


def _against_chance(
    cells: pl.DataFrame, margins: pl.DataFrame, pairs: pl.DataFrame, people: pl.Series, settings: Mapping[str, Any]
) -> pl.DataFrame:
    conditions = settings["conditions"]
    position = {c: k for k, c in enumerate(conditions)}
    n_conditions, n_sets = len(conditions), cells.height
    observed = as_float(cells["n_persons"])
    n = float(as_float(people)[0]) if len(people) else np.nan
    # a hidden margin is of a handful of people: as part of a set it hides the set, outside it it is taken as none
    held = as_float(margins["n_persons"])
    p = held / n if n > 0 else np.full(n_conditions, np.nan)
    p_out = np.nan_to_num(p)
    inside = np.zeros((n_sets, n_conditions), dtype=bool)
    flat = cells.select(pl.col("combination").list.explode(keep_nulls=False, empty_as_null=False))["combination"]
    rows = np.repeat(np.arange(n_sets), cells["combination"].list.len().to_numpy())
    inside[rows, [position[c] for c in flat]] = True
    exact = settings["kind"] == "exact"
    matched = np.where(inside, p, 1 - p_out if exact else 1.0)
    covariance = np.zeros((n_conditions, n_conditions))
    if pairs.height:
        i = np.array([position[c] for c in pairs["source"]])
        j = np.array([position[c] for c in pairs["target"]])
        both = as_float(pairs["n_both"])
        # a hidden pair is taken as independent: only the interval feels it
        c = np.nan_to_num(both / n - p[i] * p[j] if n > 0 else both)
        covariance[i, j] = covariance[j, i] = c
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = np.prod(matched, axis=1)
        expected = n * chance
        sign = np.where(inside, 1.0, -1.0 if exact else 0.0)
        loading = sign / matched
        spread = np.where(sign != 0, 1 / matched - 1, 0.0).sum(axis=1)
        cross = np.einsum("si,ij,sj->s", np.nan_to_num(loading), covariance, np.nan_to_num(loading), optimize=True)
        # delta method with every margin estimated; for a pair it is 1/C - 1/A - 1/B + 2C/(AB) - 1/N
        variance = (n / observed - 1 - spread + cross) / n
        ratio = observed / expected
        width = normal_quantile(settings["confidence"]) * np.sqrt(np.maximum(variance, 0))
        oe_lower, oe_upper = ratio * np.exp(-width), ratio * np.exp(width)
        # score test under mutual independence, margins estimated; for a pair its square is Pearson's chi-squared
        null_variance = n * (chance * (1 - chance) - chance**2 * spread)
        z = (observed - expected) / np.sqrt(null_variance)
        p_value = np.where(null_variance > 1e-12 * expected, two_sided_normal_p(z), np.nan)
    if not exact:
        size = inside.sum(axis=1)
        two = np.flatnonzero((size == 2) & ~np.isnan(observed) & ~np.isnan(expected))
        if len(two):
            first, second = np.nonzero(inside[two])[1].reshape(-1, 2).T
            p_value[two] = hypergeometric_mid_p(*possible_table(observed[two], held[first], held[second], n))
        single = size < 2
        p_value[single] = np.nan
    share_lower, share_upper = wilson_interval(observed, n, settings["confidence"])
    usable = ~np.isnan(expected) & (expected > 0) & (observed > 0)
    blank = ~np.isnan(observed)
    return cells.with_columns(
        pl.Series("estimate", observed / n),
        pl.Series("lower", share_lower),
        pl.Series("upper", share_upper),
        pl.Series("expected", np.where(blank, expected, np.nan)),
        pl.Series("observed_expected", np.where(blank & (expected > 0), ratio, np.nan)),
        pl.Series("oe_lower", np.where(usable, oe_lower, np.nan)),
        pl.Series("oe_upper", np.where(usable, oe_upper, np.nan)),
        pl.Series("p_value", np.where(blank, p_value, np.nan)),
    )


def combinations(
    patterns: Patterns,
    *,
    kind: str = "exact",
    min_size: int = 2,
    max_size: int | None = None,
    min_persons: int = 1,
    confidence: float = 0.95,
) -> Combinations:
    """Count sets of conditions, and set each against chance.

    Parameters
    ----------
    patterns : Patterns
        Collapsed people; their strata become rows, their values are summarised.
    kind : {"exact", "at_least"}
        People with these conditions and no others, or with these and perhaps more.
    min_size, max_size : int
        Conditions in a set, from and to; at least sets begin at one. By default from two to all.
    min_persons : int, default 1
        Leave out sets that fewer people have, by the counts that are shown: of
        a disclosed result, the rounded ones.
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    Combinations
        One row per stratum and set: `combination` (list of str), `size`,
        `n_persons`, `estimate` (share of people, with Wilson's `lower`,
        `upper`), `expected` (people, were conditions independent with these
        prevalences; for an exact set the absence of all others is part of it),
        `observed_expected` with `oe_lower`, `oe_upper`, `p_value`, `q_value`
        (Benjamini-Hochberg over all rows) and `mean_` and `total_` of each value.

    Raises
    ------
    ArgumentError
        On an unknown kind, sizes the wrong way round, or more than five million sets.

    Notes
    -----
    The interval is on the log scale by the delta method with every margin
    estimated. The test of an at-least pair is the two-sided hypergeometric
    mid-p; of any other set the score test of mutual independence, a normal
    approximation that is rough where fewer than about five people are expected.
    Whenever any conditions are associated nearly every exact set differs from
    1, and people with one condition alone are fewer than expected: that is not
    protection.

    References
    ----------
    Hidalgo, C. A. et al. (2009). A dynamic network approach for the study of
    human phenotypes. PLoS Computational Biology 5, e1000353.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.multimorbidity.combinations(patterns, kind="at_least", max_size=2, min_persons=5)
    >>> bool((found.estimates["size"] == 2).all())
    True
    """
    require_one_of(kind, ("exact", "at_least"), argument="kind")
    normal_quantile(confidence)
    if min_size < 0 or min_persons < 1 or (max_size is not None and max_size < min_size):
        raise ArgumentError("min_size and max_size must be a range of sizes, and min_persons at least 1.")

    def sets(names: Mapping[str, Any], words: Any, people: Integers, rows: pl.DataFrame) -> pl.DataFrame:
        # the floor itself is laid on the counts that are shown (see derive); a little below it is enough here
        return _sets(patterns, names, words, people, rows, kind, min_size, max_size, max(1, min_persons - SLACK))

    cells = by_stratum(patterns, sets)
    pairs = by_stratum(patterns, lambda names, words, people, _: pair_frame(patterns, names, words, people))
    margins, population = strata_margins(patterns)
    population = _with_means(patterns, population)
    method = (
        "exact sets" if kind == "exact" else "at-least sets"
    ) + " against independence; delta-method interval; score test, mid-p for at-least pairs; Benjamini-Hochberg"
    return Combinations(
        {"cells": cells, "margins": margins, "pairs": pairs, "population": population},
        pattern_settings(
            patterns,
            method,
            "Hidalgo 2009; Benjamini and Hochberg 1995",
            kind=kind,
            min_size=min_size,
            max_size=max_size,
            min_persons=min_persons,
            confidence=confidence,
        ),
        patterns.by,
    )


def _sets(
    patterns: Patterns,
    names: Mapping[str, Any],
    words: Any,
    people: Integers,
    rows: pl.DataFrame,
    kind: str,
    min_size: int,
    max_size: int | None,
    min_persons: int,
) -> pl.DataFrame:
    n_conditions = len(patterns.conditions)
    sums = [_summed(rows, v) for v in patterns.values]
    weights = np.column_stack([people, *sums]) if sums else people[:, None]
    if kind == "exact":
        size = unpack(words, n_conditions).sum(axis=1, dtype=np.int64)
        most = n_conditions if max_size is None else max_size
        kept = (size >= min_size) & (size <= most) & (people >= min_persons)
        words, weights = words[kept], weights[kept]
    else:
        found = frequent_sets(
            words, weights, n_conditions, min_persons=min_persons, min_size=max(min_size, 1), max_size=max_size
        )
        words, weights = found.words, found.sums
    bits = unpack(words, n_conditions)
    means = {
        f"mean_{v}": weights[:, 1 + k] / HUNDRED / np.maximum(weights[:, 0], 1) for k, v in enumerate(patterns.values)
    }
    frame = pl.DataFrame(
        {"size": bits.sum(axis=1, dtype=np.int64), "n_persons": weights[:, 0].astype(np.int64), **means}
    ).insert_column(0, combination_names(bits, patterns.conditions))
    # an order that says nothing of the counts, so that what is hidden cannot be ranked
    frame = frame.sort(["size", pl.col("combination").list.join(" ")])
    return frame.select(
        [pl.lit(value, dtype=patterns.frame.schema[name]).alias(name) for name, value in names.items()] + [pl.all()]
    )


def _with_means(patterns: Patterns, population: pl.DataFrame) -> pl.DataFrame:
    """Add everybody's mean of each value, against which a combination's is read."""
    sums = [pl.col(f"{v}__sum").sum().cast(pl.Float64).alias(f"mean_{v}") for v in patterns.values]
    if patterns.by:
        totals = patterns.frame.group_by(patterns.by).agg(sums)
        on = list(patterns.by)
        population = population.join(totals, on=on, how="left", nulls_equal=True, maintain_order="left")
    else:
        population = population.with_columns(patterns.frame.select(sums))
    people = pl.col("n_persons").clip(lower_bound=1)
    return population.with_columns([pl.col(f"mean_{v}") / HUNDRED / people for v in patterns.values])


def _summed(part: pl.DataFrame, value: str) -> Integers:
    """Return the sums of a value in hundredths, refusing what could not be added up exactly in double precision."""
    hundredths = part[f"{value}__sum"]
    if (hundredths.sum() or 0) > 2**53:
        raise ArgumentError(f"The sum of '{value}' over all people exceeds {2**53 // HUNDRED:,}: use a larger unit.")
    return hundredths.cast(pl.Int64).to_numpy()
