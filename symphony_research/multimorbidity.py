"""How many conditions people have, which ones, and which combinations, against chance.

All three take `Patterns` and return a Result with one row per stratum and point.
"""

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
    stratum_schema,
)
from symphony_research.collapse.patterns import HUNDRED, combination_names
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import (
    benjamini_hochberg,
    hypergeometric_mid_p,
    normal_quantile,
    poisson_binomial,
    two_sided_normal_p,
    wilson_interval,
)
from symphony_research.result import CountTable, Result
from symphony_research.wording import about, in_words, joined, number, percentage

__all__ = ["Combinations", "ConditionCount", "Prevalence", "combinations", "condition_count", "prevalence"]

Tables = Mapping[str, pl.DataFrame]


class ConditionCount(Result):
    """People by their number of conditions, against independence of all conditions."""

    title: ClassVar[str] = "People by number of conditions"
    counts: ClassVar[Mapping[str, CountTable]] = MappingProxyType(
        {"cells": CountTable(("n_persons",)), "margins": CountTable(("n_persons",))}
    )
    shown: ClassVar[tuple[str, ...]] = ("n_conditions", "n_persons", "estimate", "expected", "observed_expected")
    percentages: ClassVar[tuple[str, ...]] = ("estimate", "lower", "upper")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType({"estimate": "Share of people"})

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Share, interval and expected people of each number of conditions."""
        parts = []
        for cells, margins in split(by, tables["cells"], tables["margins"]):
            n = as_float(cells["n_persons"])
            # the total is the sum of the cells shown, so it gives no hidden cell away
            total = np.nansum(n)
            # a hidden margin is of a handful of people: taken as none, which moves no chance noticeably
            p = np.nan_to_num(as_float(margins["n_persons"])) / max(total, 1)
            chances = poisson_binomial(np.minimum(p, 1))
            expected = np.zeros(len(n))
            numbers = cells["n_conditions"].to_numpy()
            expected[:] = chances[numbers] * total
            if settings["top"] is not None and len(n):
                expected[-1] = chances[numbers[-1] :].sum() * total
            lower, upper = wilson_interval(n, total, settings["confidence"])
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio, share = n / expected, n / total
            expected = np.where(np.isnan(n), np.nan, expected)
            parts.append(
                cells.with_columns(
                    pl.Series("estimate", share),
                    pl.Series("lower", lower),
                    pl.Series("upper", upper),
                    pl.Series("expected", expected),
                    pl.Series("observed_expected", np.where(np.isinf(ratio), np.nan, ratio)),
                )
            )
        return nan_to_null(pl.concat(parts))

    def sentence(self) -> str:
        """Return how many people have two or more conditions, against chance."""
        if self.by:
            return self._sentence_by_stratum()
        known = self.estimates.filter(pl.col("n_persons").is_not_null())
        total, several, three = (
            int(known.filter(pl.col("n_conditions") >= least)["n_persons"].sum()) for least in (0, 2, 3)
        )
        if not several:
            return "No group with two or more conditions is large enough to show."
        text = f"{percentage(several / total)} of about {about(total)} people live with two or more of these conditions"
        expected = float(known.filter(pl.col("n_conditions") >= 3)["expected"].sum())
        if three and expected:
            text += (
                f"; three or more are {number(three / expected, 2)} times as common as if conditions fell independently"
            )
        return text + "."

    def _sentence_by_stratum(self) -> str:
        """Set the group with the largest share of people with two or more conditions against the smallest."""
        several = pl.col("n_persons").filter(pl.col("n_conditions") >= 2).sum()
        shares = (
            self.estimates.filter(pl.col("n_persons").is_not_null())
            .group_by(self.by, maintain_order=True)
            .agg((several / pl.col("n_persons").sum()).alias("__share"))
            .sort("__share", maintain_order=True)
        )
        if shares.height < 2:
            return "No two groups are large enough to compare."
        low, high = shares.row(0, named=True), shares.row(-1, named=True)
        least, most = (", ".join(in_words(row[c]) for c in self.by) for row in (low, high))
        return (
            f"Two or more of these conditions: {percentage(high['__share'])} of people in the group {most}, "
            f"{percentage(low['__share'])} in the group {least}."
        )


def condition_count(patterns: Patterns, *, top: int | None = None, confidence: float = 0.95) -> ConditionCount:
    """Count people by their number of conditions, beside what independence would give.

    Parameters
    ----------
    patterns : Patterns
        Collapsed people; their strata become rows.
    top : int, optional
        Put everybody with this many conditions or more into the last row.
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    ConditionCount
        `n_conditions` (from 0 to the largest found, or `top` and over),
        `n_persons`, `estimate` (share of people) with Wilson's `lower` and
        `upper`, `expected` (people, were all conditions independent: the
        Poisson-binomial distribution of the prevalences) and
        `observed_expected`.

    Raises
    ------
    ArgumentError
        If `top` is below one.

    References
    ----------
    Kasteridis, P. et al. (2015). The importance of multimorbidity in explaining
    utilisation and costs across health and social care settings. CHE RP 96.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> int(sr.multimorbidity.condition_count(patterns).estimates["n_persons"].sum()) == patterns.n_persons
    True
    """
    normal_quantile(confidence)
    if top is not None and top < 1:
        raise ArgumentError(f"top={top} must be at least 1.")
    if top is not None and top >= len(patterns.conditions):
        top = None  # nobody can have more conditions than there are, so there is nothing to put together
    most = 0
    counted = []
    for names, words, people in patterns.parts():
        sizes = unpack(words, len(patterns.conditions)).sum(axis=1, dtype=np.int64)
        counts = np.bincount(sizes, weights=people).astype(np.int64)
        most = max(most, len(counts) - 1)
        counted.append((names, counts))
    last = most if top is None else min(top, len(patterns.conditions))
    rows = []
    for names, counts in counted:
        padded = np.zeros(max(most, last) + 1, dtype=np.int64)
        padded[: len(counts)] = counts
        cells = [*padded[:last], padded[last:].sum()]
        rows += [(*names.values(), k, int(n)) for k, n in enumerate(cells)]
    schema = {**stratum_schema(patterns), "n_conditions": pl.Int64, "n_persons": pl.Int64}
    margins, _ = strata_margins(patterns)
    return ConditionCount(
        {"cells": pl.DataFrame(rows, schema=schema, orient="row"), "margins": margins},
        pattern_settings(
            patterns,
            "number of conditions against independence (Poisson-binomial); Wilson interval",
            "Wilson 1927",
            top=top,
            confidence=confidence,
        ),
        patterns.by,
    )


class Prevalence(Result):
    """People with each condition."""

    title: ClassVar[str] = "People with each condition"
    counts: ClassVar[Mapping[str, CountTable]] = MappingProxyType(
        {"cells": CountTable(("n_persons",)), "population": CountTable(("n_persons",))}
    )
    shown: ClassVar[tuple[str, ...]] = ("condition", "n_persons", "estimate", "lower", "upper")
    percentages: ClassVar[tuple[str, ...]] = ("estimate", "lower", "upper")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType({"estimate": "Share of people"})

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Share of people with each condition, with its interval."""
        cells, population = tables["cells"], tables["population"].rename({"n_persons": "__total"})
        joined_up = (
            cells.join(population, on=by, how="left", nulls_equal=True, maintain_order="left")
            if by
            else cells.join(population, how="cross")
        )
        n, total = as_float(joined_up["n_persons"]), as_float(joined_up["__total"])
        with np.errstate(divide="ignore", invalid="ignore"):
            share = n / total
        lower, upper = wilson_interval(n, total, settings["confidence"])
        return nan_to_null(
            cells.with_columns(pl.Series("estimate", share), pl.Series("lower", lower), pl.Series("upper", upper))
        )

    def sentence(self) -> str:
        """Name the commonest condition."""
        frame = self.estimates.filter(pl.col("estimate").is_not_null())
        if not frame.height:
            return "No condition is held by enough people to show."
        first = frame.sort("estimate", descending=True).row(0, named=True)
        where = ", ".join(in_words(first[c]) for c in self.by)
        group = f" among {where}" if where else ""
        return f"The commonest condition{group} is {in_words(first['condition'])}, in {percentage(first['estimate'])} of people."


def prevalence(patterns: Patterns, *, confidence: float = 0.95) -> Prevalence:
    """Share of people with each condition.

    Parameters
    ----------
    patterns : Patterns
        Collapsed people; their strata become rows.
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    Prevalence
        `condition`, `n_persons` with it, `estimate` (share of people in the
        stratum) and Wilson's `lower` and `upper`.

    References
    ----------
    Wilson, E. B. (1927). Journal of the American Statistical Association 22, 209-212.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> sr.multimorbidity.prevalence(patterns).estimates.columns
    ['condition', 'n_persons', 'estimate', 'lower', 'upper']
    """
    normal_quantile(confidence)
    cells, population = strata_margins(patterns)
    return Prevalence(
        {"cells": cells, "population": population},
        pattern_settings(patterns, "prevalence with Wilson interval", "Wilson 1927", confidence=confidence),
        patterns.by,
    )


class Combinations(Result):
    """Sets of conditions that people have, observed against expected by chance."""

    title: ClassVar[str] = "Combinations of conditions, against chance"
    percentages: ClassVar[tuple[str, ...]] = ("estimate", "lower", "upper")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType({"estimate": "Share of people"})
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
    )

    def __post_init__(self) -> None:
        means = tuple(f"mean_{value}" for value in self.settings["values"])
        rules = dict(type(self).counts)
        rules["cells"] = CountTable(("n_persons",), measures=means)
        object.__setattr__(self, "counts", MappingProxyType(rules))
        super().__post_init__()

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Expected people, observed/expected with interval, and test, of every set."""
        parts = [
            # the largest first, by the counts there are: rounded ones tie, hidden ones come last by name
            _against_chance(
                cells.sort("n_persons", descending=True, nulls_last=True, maintain_order=True),
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
        exactly = "exactly " if self.settings["kind"] == "exact" else ""
        others = (
            " and no other of these conditions" if self.settings["kind"] == "exact" else ", whatever else they have"
        )
        where = f" ({', '.join(in_words(first[c]) for c in self.by)})" if self.by else ""
        return (
            f"The commonest combination{where} is {exactly}{joined(first['combination'])}{others}: about "
            f"{about(first['n_persons'])} people, {number(first['observed_expected'], 2)} times as many as if "
            "conditions fell independently."
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
        Conditions in a set, from and to. By default from two to all.
    min_persons : int, default 1
        Leave out sets that fewer people have.
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
        return _sets(patterns, names, words, people, rows, kind, min_size, max_size, min_persons)

    cells = by_stratum(patterns, sets)
    pairs = by_stratum(patterns, lambda names, words, people, _: pair_frame(patterns, names, words, people))
    margins, population = strata_margins(patterns)
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


def _summed(part: pl.DataFrame, value: str) -> Integers:
    """Return the sums of a value in hundredths, refusing what could not be added up exactly in double precision."""
    hundredths = part[f"{value}__sum"]
    if (hundredths.sum() or 0) > 2**53:
        raise ArgumentError(f"The sum of '{value}' over all people exceeds {2**53 // HUNDRED:,}: use a larger unit.")
    return hundredths.cast(pl.Int64).to_numpy()
