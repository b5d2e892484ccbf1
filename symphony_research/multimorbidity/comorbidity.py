"""Comorbidities of an index condition: how many others people with it have, and which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import Patterns
from symphony_research.collapse.margins import as_float, beside, nan_to_null, pattern_settings, strata_margins
from symphony_research.collapse.set_roles import MARGINS, POPULATION, mean_roles, of_others
from symphony_research.collapse.within_strata import tables_of_rows
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import FOUND, adjusted_p, normal_quantile
from symphony_research.inference.released_shares import interval_of_share
from symphony_research.multimorbidity.combinations import Combinations, combinations
from symphony_research.multimorbidity.others import others_of
from symphony_research.multimorbidity.set_counts import is_scaled, roles_of_sets
from symphony_research.multimorbidity.set_tests import band_of, with_bands
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.roles import Count, Key, TableRoles
from symphony_research.words.lexicon import capital, in_words
from symphony_research.words.numbers import about, percentage, pounds, times
from symphony_research.words.phrases import (
    as_of,
    between,
    confidence_of,
    cost_period,
    expectation,
    expected_headings,
    share_with_interval,
    stratum_words,
)

__all__ = ["ComorbidityCount", "ComorbidityProfile", "comorbidity_count", "comorbidity_profile"]

Tables = Mapping[str, pl.DataFrame]


class ComorbidityCount(Result):
    """Of people with each condition: how many have no other, one, two, or more."""

    figure: ClassVar[str | None] = "symphony_research.show.comorbidity_plots:plot_comorbidity_count"
    names_what_is_suppressed: ClassVar[bool] = True
    title: ClassVar[str] = "Comorbidity count by index condition"
    percentages: ClassVar[tuple[str, ...]] = ("estimate", "lower", "upper")
    shown: ClassVar[tuple[str, ...]] = ("condition", "n_others", "n_persons", "estimate", "mean_cost")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the people by condition and number of other ones, with what they cost."""
        columns = {"condition": Key(), "n_others": Key(), "n_persons": Count(), **mean_roles(settings["values"])}
        return {"cells": TableRoles(columns, of_others), "margins": MARGINS, "population": POPULATION}

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings, with the time over which costs were summed."""
        return {
            "condition": "People with",
            "n_others": "Other conditions",
            "estimate": "Share of people with it",
            "mean_cost": f"Mean cost of a person {cost_period(self.settings)}".rstrip(),
        }

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return the share of each number of others among those with the condition."""
        cells = tables["cells"]
        # of everybody with the condition, as it is shown: the sum of the cells shown would lack those suppressed
        held = tables["margins"].rename({"n_persons": "__held"})
        total = as_float(
            cells.join(held, on=[*by, "condition"], how="left", nulls_equal=True, maintain_order="left")["__held"]
        )
        n = as_float(cells["n_persons"])
        lower, upper = interval_of_share(n, total, settings["confidence"], settings.get("released"))
        total = np.fmax(total, n)  # rounding must not make a share of more than all
        with np.errstate(divide="ignore", invalid="ignore"):
            share = n / total
        means = [f"mean_{value}" for value in settings["values"]]
        counted = cells.with_columns(pl.Series("estimate", share), pl.Series("lower", lower), pl.Series("upper", upper))
        return nan_to_null(
            counted.select([*by, "condition", "n_others", "n_persons", "estimate", "lower", "upper", *means])
        )

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return the number of others in words."""
        if column == "n_others":
            return _others(record[column], self.settings["top"])
        return super().format_cell(record, column)

    def sentence(self) -> str:
        """Name the conditions that people have alone most often, and most seldom."""
        alone = self.estimates.filter((pl.col("n_others") == 0) & pl.col("estimate").is_not_null())
        if not alone.height:
            return "No condition is held by enough people to show."
        ordered = alone.sort("estimate", maintain_order=True)
        low, high = ordered.row(0, named=True), ordered.row(-1, named=True)

        def group(record: Mapping[str, Any]) -> str:
            where = stratum_words(record, self.by)
            return f"{in_words(record['condition'])}{where}"

        label = confidence_of(self.settings)
        said = [share_with_interval(row["estimate"], row["lower"], row["upper"], label=label) for row in (low, high)]
        text = f"{said[0]} of people with {group(low)} have none of the other conditions{as_of(self.settings)}"
        if alone.height > 1:
            text += f", compared with {said[1]} of those with {group(high)}"
        most = self.estimates.filter(
            (pl.col("condition") == low["condition"])
            & (pl.col("n_others") == self.settings["top"])
            & pl.col("estimate").is_not_null()
        )
        if not self.by and most.height:
            text += f"; {percentage(most['estimate'][0])} of people with {in_words(low['condition'])} have {_others(self.settings['top'], self.settings['top'])}"
        return text + "."


def _others(number: int, top: int) -> str:
    if number == top:
        return f"{number} or more others"
    return "no other" if number == 0 else f"{number} other" if number == 1 else f"{number} others"


def comorbidity_count(
    patterns: Patterns,
    *,
    conditions: str | Sequence[str] | None = None,
    top: int = 3,
    confidence: float = 0.95,
) -> ComorbidityCount:
    """Count, of people with each condition, how many others they have.

    Parameters
    ----------
    patterns : Patterns
        Collapsed people; their strata become rows, their values are averaged.
    conditions : str or sequence of str, optional
        Which conditions to begin from; by default each.
    top : int, default 3
        Put everybody with this many others or more together.
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    ComorbidityCount
        One row per stratum, `condition` and number of others `n_others` (0 to
        `top`, the last standing for all above): `n_persons`, `estimate` (share
        of people with the condition, Wilson's `lower`, `upper`), and `mean_` of
        each value.

    Raises
    ------
    ArgumentError
        If `top` is below one, or a condition is not listed in the patterns.

    References
    ----------
    Barnett, K. et al. (2012). Epidemiology of multimorbidity and implications
    for health care, research, and medical education. Lancet 380, 37-43.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns(values="cost")
    >>> found = sr.multimorbidity.comorbidity_count(patterns, conditions="diabetes")
    >>> found.estimates["n_others"].to_list()
    [0, 1, 2, 3]
    """
    normal_quantile(confidence)
    if top < 1:
        raise ArgumentError(f"top={top} must be at least 1.")
    chosen = patterns.conditions if conditions is None else (conditions,) if isinstance(conditions, str) else conditions
    for name in chosen:
        require_one_of(name, patterns.conditions, argument="conditions")
    tables = tables_of_rows(
        patterns, patterns.by, (), lambda row: {"cells": others_of(patterns, row, tuple(chosen), top)}
    )
    margins, people = strata_margins(patterns)
    margins = margins.filter(pl.col("condition").is_in(list(chosen)))
    return ComorbidityCount(
        {**tables, "margins": margins, "population": people},
        pattern_settings(
            patterns, "number of other conditions of people with each; Wilson interval", "Barnett 2012; Wilson 1927",
            top=top, confidence=confidence,
        ),
        patterns.by,
    )  # fmt: skip


class ComorbidityProfile(Result):
    """Comorbidities of an index condition, observed and expected."""

    figure: ClassVar[str | None] = "symphony_research.show.comorbidity_plots:plot_comorbidity_profile"
    rows_from_records: ClassVar[bool] = True
    rows_are: ClassVar[str] = "Conditions"
    minimum_size_tables: ClassVar[tuple[str, ...]] = ("cells",)
    title: ClassVar[str] = "Comorbidities of an index condition"
    shown: ClassVar[tuple[str, ...]] = (
        "condition", "n_persons", "estimate", "expected_share", "observed_expected", "oe_lower", "oe_upper", "q_value",
        "mean_cost",
    )  # fmt: skip
    percentages: ClassVar[tuple[str, ...]] = ("estimate", "lower", "upper", "expected_share")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the people with the index condition and each other one."""
        return roles_of_sets(settings)

    adjusted_forms = staticmethod(Combinations.adjusted_forms)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return with each condition within strata its p and q values, for all that the rounded count may stand for."""
        if policy.changes_nothing:
            return tables
        return with_bands(tables, settings, policy, _others_listed(settings) * max(tables["population"].height, 1))

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return a released p value within strata as the band that it is in."""
        return band_of(record, column, self.settings) or super().format_cell(record, column)

    @property
    def n_tested(self) -> int:
        """How many other conditions there are in all strata: what `q_value` is adjusted for."""
        return _others_listed(self.settings) * max(self.count_tables["population"].height, 1)

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings that name the condition begun from."""
        having = f"people with {in_words(self.settings['condition'])}"
        return {
            "mean_cost": f"Mean cost per person with both {cost_period(self.settings)}".rstrip(),
            "condition": "Other condition",
            "estimate": f"Share of {having}",
            "expected_share": f"Expected share, {'adjusted' if self.settings['adjust'] else 'crude'}",
            **expected_headings(self.settings["adjust"]),
        }

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return each pair that holds the condition, as a share of the people who have it."""
        name = settings["condition"]
        pairs = Combinations.derive(tables, settings, by).filter(pl.col("combination").list.contains(name))
        other = pl.col("combination").list.set_difference([name]).list.first()
        people = tables["margins"].filter(pl.col("condition") == name).select([*by, pl.col("n_persons").alias("__of")])
        frame = beside(pairs.with_columns(other.alias("condition")), people, by)
        n, of = as_float(frame["n_persons"]), as_float(frame["__of"])
        lower, upper = interval_of_share(n, of, settings["confidence"], settings.get("released"))
        with np.errstate(divide="ignore", invalid="ignore"):
            share, expected = np.minimum(n / of, 1), as_float(frame["expected"]) / of
        measures = [c for v in settings["values"] for c in (f"mean_{v}", f"total_{v}")]
        tests = _others_listed(settings) * max(tables["population"].height, 1)
        q_value = adjusted_p(as_float(frame["p_value"]), settings["correction"], tests=tests)
        if "released" in settings and is_scaled(settings):
            q_value = as_float(frame["q_value"])
        frame = frame.with_columns(
            pl.Series("estimate", share),
            pl.Series("lower", lower),
            pl.Series("upper", upper),
            pl.Series("expected_share", expected),
            pl.Series("q_value", q_value),
        )
        return nan_to_null(frame).select(
            [
                *by, "condition", "n_persons", "estimate", "lower", "upper", "expected", "expected_share",
                "observed_expected", "oe_lower", "oe_upper", "statistic", "p_value", "q_value", *measures,
            ]
        )  # fmt: skip

    def sentence(self) -> str:
        """Name the commonest comorbidity, and the one furthest above what was expected."""
        name = in_words(self.settings["condition"])
        frame = self.estimates.filter(pl.col("estimate").is_not_null())
        if not frame.height:
            return f"No other condition is held by enough people with {name} to show."
        first = frame.sort("n_persons", descending=True, maintain_order=True).row(0, named=True)
        where = stratum_words(first, self.by)
        text = (
            f"{capital(in_words(first['condition']))} is the commonest comorbidity of {name}{where}: "
            f"{share_with_interval(first['estimate'], first['lower'], first['upper'], label=confidence_of(self.settings))} "
            f"of them (about {about(first['n_persons'])} people{as_of(self.settings)})"
        )
        if first.get("mean_cost") is not None:
            text += f", at a mean cost of {pounds(first['mean_cost'])}"
        above = frame.filter((pl.col("oe_lower") > 1) & (pl.col("q_value") <= FOUND)).sort(
            "oe_lower", descending=True, maintain_order=True
        )
        if above.height:
            top = above.row(0, named=True)
            text += (
                f". Furthest above {expectation(self.settings)}: {in_words(top['condition'])} (observed/expected ratio "
                f"{times(top['observed_expected'])}, {between(top['oe_lower'], top['oe_upper'], times)})"
            )
        return text + "."


def _others_listed(settings: Mapping[str, Any]) -> int:
    return len(settings["conditions"]) - 1


def _commonest(patterns: Patterns) -> str:
    margins, _ = strata_margins(patterns)
    if not margins.height:
        raise ArgumentError(
            "The patterns list no condition, so there is no index condition. Give patterns with conditions."
        )
    people = (
        margins.group_by("condition")
        .agg(pl.col("n_persons").sum())
        .sort(["n_persons", "condition"], descending=[True, False])
    )
    return str(people["condition"][0])


def comorbidity_profile(
    patterns: Patterns,
    *,
    condition: str | None = None,
    adjust: str | Sequence[str] = (),
    min_persons: int = 1,
    correction: str = "benjamini_hochberg",
    confidence: float = 0.95,
) -> ComorbidityProfile:
    """Count the comorbidities of an index condition, and compare each with its expected count.

    Parameters
    ----------
    patterns : Patterns
        Collapsed people; their strata become rows, unless named in `adjust`; their values are averaged.
    condition : str, optional
        The index condition; by default the commonest, the first by name of several.
    adjust : str or sequence of str
        Strata of the patterns within which expected counts are computed.
    min_persons : int, default 1
        Leave out conditions that fewer people have in addition, by the counts shown.
    correction : {"benjamini_hochberg", "holm", "bonferroni"}
        How p values are adjusted for the number of conditions tested.
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    ComorbidityProfile
        One row per stratum and other `condition`, the commonest first:
        `n_persons` with both, `estimate` (share of those with the condition
        begun from; Wilson's `lower`, `upper`), `expected` people and
        `expected_share` were the two independent, `observed_expected` with
        `oe_lower`, `oe_upper`, `statistic`, `p_value`, `q_value` (adjusted over
        the rows here), and `mean_` and `total_` of each value.

    Raises
    ------
    ArgumentError
        If the condition is not listed in the patterns, and as of `combinations`.

    References
    ----------
    Barnett, K. et al. (2012). Lancet 380, 37-43.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns(values="cost")
    >>> found = sr.multimorbidity.comorbidity_profile(patterns, condition="diabetes", min_persons=3)
    >>> "diabetes" in found.estimates["condition"]
    False
    """
    if condition is None:
        condition = _commonest(patterns)
    require_one_of(condition, patterns.conditions, argument="condition")
    pairs = combinations(
        patterns, kind="at_least", adjust=adjust, max_size=2, min_persons=min_persons,
        correction=correction, confidence=confidence,
    )  # fmt: skip
    # only pairs that hold the condition are kept, so no other pair travels with the result
    tables = dict(pairs.count_tables)
    tables["cells"] = tables["cells"].filter(pl.col("combination").list.contains(condition))
    tables["pairs"] = tables["pairs"].filter((pl.col("source") == condition) | (pl.col("target") == condition))
    return ComorbidityProfile(tables, {**pairs.settings, "condition": condition}, pairs.by)
