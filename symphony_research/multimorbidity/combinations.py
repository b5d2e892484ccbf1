"""Combinations of conditions: observed and expected numbers of people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations as subsets
from typing import Any, ClassVar

import polars as pl

from symphony_research.collapse import Patterns
from symphony_research.collapse.margins import as_float, nan_to_null, pattern_settings, split
from symphony_research.collapse.set_roles import of_set
from symphony_research.collapse.strata_counts import forms_of_sets
from symphony_research.collapse.within_strata import split_strata, tables_of_rows
from symphony_research.errors import ArgumentError, DisclosureError, require_one_of
from symphony_research.inference import (
    CORRECTIONS,
    FOUND,
    adjusted_p,
    normal_quantile,
)
from symphony_research.multimorbidity.set_counts import possible_sets, roles_of_sets, set_tables
from symphony_research.multimorbidity.set_tests import against_expected, band_of, with_bands
from symphony_research.multimorbidity.sets import WHICH, as_bits
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.cells import CellDefinition
from symphony_research.result.forms import AdjustedForms
from symphony_research.result.roles import TableRoles
from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import about, times
from symphony_research.words.phrases import (
    adjusted_for,
    as_of,
    between,
    confidence_of,
    cost_period,
    expectation,
    expected_headings,
    joined,
    stratum_words,
)

__all__ = ["Combinations", "combinations"]

Tables = Mapping[str, pl.DataFrame]

AGAINST = ("independence", "no_higher_order_interaction")
MOST_PARTS = 8  # conditions of a set whose every subset is counted


class Combinations(Result):
    """Sets of conditions that people have, observed and expected if conditions were independent."""

    figure: ClassVar[str | None] = "symphony_research.show.upset:plot_upset"
    rows_from_records: ClassVar[bool] = True
    minimum_size_tables: ClassVar[tuple[str, ...]] = ("cells",)
    title: ClassVar[str] = "Combinations of long-term conditions"
    percentages: ClassVar[tuple[str, ...]] = ("estimate", "lower", "upper")
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
        """Headings, with the time over which costs were summed."""
        cost = f"Mean cost per person {cost_period(self.settings)}".rstrip()
        parts = {"expected": "Expected from lower-order margins"} if self.settings["against"] != "independence" else {}
        return {
            "estimate": "Share of people",
            "mean_cost": cost,
            **expected_headings(self.settings["adjust"]),
            **parts,
        }

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return a released p value within strata as the band that it is in."""
        return band_of(record, column, self.settings) or super().format_cell(record, column)

    @property
    def n_tested(self) -> int:
        """How many sets of these sizes there could be: what `q_value` is adjusted for.

        A set is listed because people have it, so those that nobody has were looked at too.
        """
        return possible_sets(self.settings) * max(self.count_tables["population"].height, 1)

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the people with each set, with each condition and pair behind it, and all."""
        return roles_of_sets(settings)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Release no pairs of each stratum: they stand behind variances alone, and nobody asked for them.

        Nor sets of which those that are closed alone were found: which are closed is determined by the counts that are shown.
        """
        if settings["which"] != "all" and tables["cells"]["thinned"].any() and not policy.changes_nothing:
            raise DisclosureError(
                f"There are too many sets for the {settings['which']} ones to be determined by released counts. Raise "
                "min_persons, or set max_size, and release that result."
            )
        if policy.changes_nothing:
            return tables
        tables = {**tables, "pairs": tables["pairs"].clear()} if by else tables
        return with_bands(tables, settings, policy, possible_sets(settings) * max(tables["population"].height, 1))

    @staticmethod
    def adjusted_forms(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Iterable[AdjustedForms]:
        """Return what the expected people of sets are of the people with each condition by stratum.

        What the smaller sets imply is of no such form.
        """
        if "strata" not in tables:
            return ()
        inside = as_bits(tables["cells"]["combination"], settings["conditions"])
        return forms_of_sets(
            tables["strata"], tables["cells"], inside, ("cells", "expected_factor"), by, settings,
            exact=settings["kind"] == "exact", linear=settings["against"] == "independence",
        )  # fmt: skip

    @staticmethod
    def listable(settings: Mapping[str, Any], most: int) -> Iterable[CellDefinition]:
        """Return every set that would be listed if anybody had it; none where there are more than `most`."""
        every = settings["min_persons"] == 1 and settings["which"] == "all"
        if not every or possible_sets(settings) > most:
            return ()
        conditions, largest = settings["conditions"], settings["max_size"]
        sizes = range(settings["min_size"], min(len(conditions), largest or len(conditions)) + 1)
        sets = ({"combination": held} for size in sizes for held in subsets(conditions, size))
        return (of_set(record, "n_persons", settings) for record in sets)

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Expected people, observed/expected with interval, and test, of every set.

        The floor is laid on the counts that are shown: laid on exact ones, the
        rows that are there would tell what rounding conceals.
        """
        floor = settings["min_persons"]
        large_enough = (pl.col("n_persons") >= floor).fill_null(floor == 1)
        parts = [
            # the largest first, by the counts there are: rounded ones tie, suppressed ones come last by name
            against_expected(
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
        tests = possible_sets(settings) * max(tables["population"].height, 1)
        q_value = adjusted_p(as_float(frame["p_value"]), settings["correction"], tests=tests)
        # within strata that of a released set was made before, of p values that are not in bands
        found = pl.col("__banded") if "__banded" in frame.columns else pl.Series("q_value", q_value)
        frame = frame.with_columns(found.alias("q_value"))
        totals = [(pl.col(f"mean_{v}") * pl.col("n_persons")).alias(f"total_{v}") for v in settings["values"]]
        measures = [c for v in settings["values"] for c in (f"mean_{v}", f"total_{v}")]
        ordered = [
            *by, "combination", "size", "n_persons", "estimate", "lower", "upper", "expected",
            "observed_expected", "oe_lower", "oe_upper", "statistic", "p_value", "q_value",
        ]  # fmt: skip
        return nan_to_null(frame.with_columns(totals)).select([*ordered, *measures])

    def sentence(self) -> str:
        """Name the commonest set, and what its test supports of its observed/expected ratio."""
        frame = self.estimates.filter(pl.col("observed_expected").is_not_null() & (pl.col("size") >= 2))
        if not frame.height:
            return "No combination of conditions is held by enough people to show."
        if self.settings["against"] != "independence":
            return self._sentence_against_parts(frame)
        first = frame.sort("n_persons", descending=True).row(0, named=True)
        exact = self.settings["kind"] == "exact"
        exactly = "exactly " if exact else ""
        others = " and no other of these conditions" if exact else ", whatever else they have"
        where = stratum_words(first, self.by)
        return (
            f"The commonest combination{where} is {exactly}{joined(first['combination'])}{others}: about "
            f"{about(first['n_persons'])} people{as_of(self.settings)}, {self._against_expected(first)}."
        )

    def _against_expected(self, row: Mapping[str, Any]) -> str:
        """Say what its interval and its q value support of a set's observed/expected ratio."""
        lower, upper, q = row["oe_lower"], row["oe_upper"], row["q_value"]
        known = lower is not None and upper is not None
        ends = f", {confidence_of(self.settings)} {between(lower, upper, times)}" if known else ""
        ratio = f"(observed/expected ratio {times(row['observed_expected'])}{ends})"
        found = known and q is not None and q <= FOUND
        way = "more" if found and lower > 1 else "fewer" if found and upper < 1 else "not clearly more or fewer"
        return f"{way} than {expectation(self.settings)} {ratio}"

    def _sentence_against_parts(self, frame: pl.DataFrame) -> str:
        """Name the set furthest above what its smaller sets imply, by its lower limit."""
        above = frame.filter((pl.col("oe_lower") > 1) & (pl.col("q_value") <= FOUND))
        alike = adjusted_for(self.settings)
        if not above.height:
            return f"No combination is clearly commoner than its smaller sets imply{alike}."
        first = above.sort("oe_lower", descending=True, maintain_order=True).row(0, named=True)
        where = stratum_words(first, self.by)
        return (
            f"{capital(joined(first['combination']))} are together{where} "
            f"{times(first['observed_expected'])} times as often as their pairs and smaller sets imply{alike} (about "
            f"{about(first['n_persons'])} people; {confidence_of(self.settings)} "
            f"{between(first['oe_lower'], first['oe_upper'], times)})."
        )


def combinations(
    patterns: Patterns,
    *,
    kind: str = "exact",
    adjust: str | Sequence[str] = (),
    against: str = "independence",
    which: str = "all",
    min_size: int = 2,
    max_size: int | None = None,
    min_persons: int = 1,
    correction: str = "benjamini_hochberg",
    confidence: float = 0.95,
) -> Combinations:
    """Count sets of conditions and compare each with its expected count.

    Parameters
    ----------
    patterns : Patterns
        Collapsed people; their strata become rows, unless named in `adjust`;
        their values are summarised.
    kind : {"exact", "at_least"}
        People with these conditions and no others, or with these and perhaps more.
    adjust : str or sequence of str
        Strata of the patterns, such as age band and sex, within which expected counts are
        computed: expected counts are summed over them.
    against : {"independence", "no_higher_order_interaction"}
        What is expected: that all conditions are independent; or, of at-least
        sets of three conditions or more, just what all their smaller sets imply,
        so that a set made of pairs that go together is not informative by itself.
    which : {"all", "closed", "maximal"}
        Of at-least sets: all; those that no larger set listed has as many
        people as; those that no larger set listed contains. By the counts that
        are shown. With `max_size` the larger ones are not looked for. Where all
        sets are too many to list these are found directly, and are not released.
    min_size, max_size : int
        Conditions in a set, from and to; at least sets begin at one. By default
        from two to all; against no higher-order interaction from three, and
        `max_size`, of at most eight, must be given.
    min_persons : int, default 1
        Leave out sets that fewer people have, by the counts that are shown: of
        a disclosed result, the rounded ones.
    correction : {"benjamini_hochberg", "holm", "bonferroni"}
        How p values are adjusted for the number of sets tested.
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    Combinations
        One row per stratum and set: `combination` (list of str), `size`,
        `n_persons`, `estimate` (share of people, with Wilson's `lower`,
        `upper`), `expected` (people, were conditions independent with these
        prevalences in each stratum; for an exact set the absence of all others
        is part of it), `observed_expected` with `oe_lower`, `oe_upper`,
        `statistic` (standardised count), `p_value`,
        `q_value` (adjusted over all sets of these sizes that could be, since a set
        is listed for the people who have it; `.n_tested` says how many: set
        `max_size` to ask of fewer) and
        `mean_` and `total_` of each value.

    Raises
    ------
    ArgumentError
        On an unknown word, strata the patterns do not carry, sizes the wrong
        way round, or more than five million sets.

    Notes
    -----
    The interval is on the log scale by the delta method with every margin
    estimated. The p value is the two-sided mid-p of the count's
    distribution, all margins of each stratum given and conditions independent: for an
    at-least pair the hypergeometric one, summed over strata (the exact form of the
    Cochran-Mantel-Haenszel test); for larger and for exact sets that of how many
    people random sets of these sizes have in common. It is exact however small, and
    0 below 1e-300; of larger sets whose count has a variance above 100, within
    0.5%. `statistic` is (observed - mean) over the standard deviation of that
    distribution. Of a disclosed result intervals and p values hold for all counts that the released ones stand for; p
    within strata is that of the exact strata and of the count, among those, that is
    nearest to what is expected, in bands (<0.001, <0.01, <0.05, ≥0.05); there is no statistic. Against no higher-order interaction the expected counts are those of the
    log-linear model with every smaller interaction, fitted in each stratum; in
    strata of a few hundred people or fewer they are somewhat too low, which the
    test does not suffer from, as it goes through every table there could be.

    Whenever any conditions are associated nearly every exact set differs from
    1, and people with one condition alone are fewer than expected: that is not
    protection.

    References
    ----------
    Hidalgo, C. A. et al. (2009). A dynamic network approach for the study of
    human phenotypes. PLoS Computational Biology 5, e1000353.
    Mantel, N. and Haenszel, W. (1959). Journal of the National Cancer Institute 22, 719-748.
    Bartlett, M. S. (1935). Contingency table interactions. Supplement to the
    Journal of the Royal Statistical Society 2, 248-252.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns(by=("age_band", "sex"))
    >>> found = sr.multimorbidity.combinations(
    ...     patterns, kind="at_least", adjust=("age_band", "sex"), max_size=2, min_persons=5
    ... )
    >>> bool((found.estimates["size"] == 2).all())
    True
    """
    _check(kind, against, which, min_size, max_size, min_persons, correction, confidence)
    by, adjust = split_strata(patterns, adjust)
    settings: dict[str, Any] = {
        "kind": kind,
        "adjust": list(adjust),
        "against": against,
        "which": which,
        "min_size": max(min_size, 3) if against != "independence" else min_size,
        "max_size": max_size,
        "min_persons": min_persons,
        "correction": correction,
        "confidence": confidence,
    }
    return Combinations(
        tables_of_rows(patterns, by, adjust, lambda row: set_tables(patterns, row, settings)),
        pattern_settings(patterns, *_method(settings), **settings),
        by,
    )


def _check(
    kind: str, against: str, which: str, min_size: int, max_size: int | None, min_persons: int,
    correction: str, confidence: float,
) -> None:  # fmt: skip
    require_one_of(kind, ("exact", "at_least"), argument="kind")
    require_one_of(against, AGAINST, argument="against")
    require_one_of(which, WHICH, argument="which")
    require_one_of(correction, CORRECTIONS, argument="correction")
    normal_quantile(confidence)
    if min_size < 0 or min_persons < 1 or (max_size is not None and max_size < min_size):
        raise ArgumentError("min_size and max_size must be a range of sizes, and min_persons at least 1.")
    if kind == "exact" and (which != "all" or against != "independence"):
        raise ArgumentError(
            "Closed and maximal sets, and sets against no higher-order interaction, are at-least sets: "
            "pass kind='at_least'."
        )
    if against != "independence" and not (max_size and 3 <= max_size <= MOST_PARTS):
        raise ArgumentError(
            f"Against no higher-order interaction every subset of a set is counted: pass max_size, from 3 to {MOST_PARTS}."
        )


def _method(settings: Mapping[str, Any]) -> tuple[str, str]:
    kind = "exact sets" if settings["kind"] == "exact" else "at-least sets"
    adjust = settings["adjust"]
    model = "independence" if settings["against"] == "independence" else "no higher-order interaction"
    where = f"within {', '.join(adjust)}, summed" if adjust else "in the whole population"
    return (
        f"{kind} against {model} {where}; delta-method interval; exact conditional test, two-sided mid-p; "
        f"{CORRECTIONS[settings['correction']]}",
        "Hidalgo 2009; Mantel and Haenszel 1959; Bartlett 1935",
    )
