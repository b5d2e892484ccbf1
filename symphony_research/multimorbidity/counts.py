"""How many conditions people have, and which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import Patterns
from symphony_research.collapse.bits import unpack
from symphony_research.collapse.margins import (
    as_float,
    beside,
    nan_to_null,
    pattern_settings,
    same_stratum,
    split,
    strata_margins,
    stratum_schema,
)
from symphony_research.collapse.set_roles import MARGINS, POPULATION, of_number
from symphony_research.errors import ArgumentError
from symphony_research.inference import (
    normal_quantile,
    poisson_binomial,
)
from symphony_research.inference.ends import ends_of
from symphony_research.inference.released_shares import interval_of_ends, interval_of_share
from symphony_research.result import Result
from symphony_research.result.cells import Partition, Relation, feature_list, of_size
from symphony_research.result.roles import Count, Key, TableRoles
from symphony_research.words.lexicon import in_words
from symphony_research.words.numbers import percentage, roughly, times
from symphony_research.words.phrases import as_of, confidence_of, share_with_interval, strata_words

__all__ = ["ConditionCount", "Prevalence", "condition_count", "prevalence"]

Tables = Mapping[str, pl.DataFrame]


class ConditionCount(Result):
    """People by their number of conditions, against independence of all conditions."""

    figure: ClassVar[str | None] = "symphony_research.show.bars:plot_condition_count"
    title: ClassVar[str] = "Number of long-term conditions"
    shown: ClassVar[tuple[str, ...]] = ("n_conditions", "n_persons", "estimate", "expected", "observed_expected")
    percentages: ClassVar[tuple[str, ...]] = ("estimate", "lower", "upper")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType({"estimate": "Share of people"})

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the people by number of conditions, with each condition, and all."""
        cells = TableRoles({"n_conditions": Key(), "n_persons": Count()}, of_number)
        return {"cells": cells, "margins": MARGINS, "population": POPULATION}

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Relation]:
        """Yield that nobody has more conditions than the last row says."""
        last = max(tables["cells"]["n_conditions"].to_list(), default=None)
        if settings["top"] is not None or last is None or last >= len(settings["conditions"]):
            return
        yield Partition(of_size(last + 1, feature_list(settings["conditions"]), or_more=True), ())

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Share, interval and expected people of each number of conditions."""
        parts = []
        for population, cells, margins in split(by, tables["population"], tables["cells"], tables["margins"]):
            n = as_float(cells["n_persons"])
            # of everybody, as they are shown: the sum of the cells shown would lack those suppressed
            people = as_float(population["n_persons"])
            total = max(people[0], np.nanmax(n, initial=0.0)) if len(people) and np.isfinite(people[0]) else np.nan
            # a suppressed margin is of a handful of people: taken as none, which moves no expectation noticeably
            p = np.nan_to_num(as_float(margins["n_persons"])) / (max(total, 1) if np.isfinite(total) else 1)
            chances = poisson_binomial(np.minimum(p, 1))
            expected = np.zeros(len(n))
            numbers = cells["n_conditions"].to_numpy()
            expected[:] = chances[numbers] * total
            if settings["top"] is not None and len(n):
                expected[-1] = chances[numbers[-1] :].sum() * total
            lower, upper = interval_of_share(
                n, people[0] if len(people) else np.nan, settings["confidence"], settings.get("released")
            )
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

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return "7 or more" for a last row that holds everybody above."""
        if column == "n_conditions" and record[column] == self.settings["top"]:
            return f"{record[column]} or more"
        return super().format_cell(record, column)

    def sentence(self) -> str:
        """Return how many people have two or more conditions, and how many of three or more were expected."""
        if self.by:
            return self._sentence_by_stratum()
        row = self.several()[0]
        total = int(self.count_tables["population"]["n_persons"].sum())
        if not row["estimate"]:
            return "No group with two or more conditions is large enough to show."
        label = confidence_of(self.settings)
        said = (
            f"At least {percentage(row['estimate'])}"
            if row["at_least"]
            else share_with_interval(row["estimate"], row["lower"], row["upper"], label=label)
        )
        text = (
            f"{said} of about {roughly(total)} people live with two or more of these conditions{as_of(self.settings)}"
        )
        most = self.estimates.filter(pl.col("n_conditions") >= 3)
        three, expected = int(most["n_persons"].sum()), float(most["expected"].sum())
        if three and expected and not most["n_persons"].null_count():
            text += f"; three or more are {times(three / expected)} times as common as expected if conditions were independent"
        return text + "."

    def several(self) -> list[dict[str, Any]]:
        """Return the share of people with two or more conditions and its Wilson interval, one row a stratum.

        It is the sum of the larger numbers where none is suppressed, and else what those with none and with one leave,
        where that is many times what rounding changes; where neither is, `at_least` says that the sum lacks something.
        Of released counts the interval holds for all that they stand for.
        """
        rows: list[dict[str, Any]] = []
        released = self.settings.get("released") or {"threshold": 0, "rounding": 1}
        people = self.count_tables["population"]
        for names in people.select(self.by).to_dicts() if self.by else [{}]:
            cells, total = same_stratum(self.estimates, names), int(same_stratum(people, names)["n_persons"].sum())
            few, more = (
                cells.filter(pl.col("n_conditions") >= 2 if two else pl.col("n_conditions") < 2) for two in (0, 1)
            )
            held, partial = int(more["n_persons"].sum()), bool(more["n_persons"].null_count())
            if partial and few.height == 2 and not few["n_persons"].null_count():
                rest = total - int(few["n_persons"].sum())
                if rest >= 20 * released["rounding"]:
                    held, partial = rest, False
            if not total:
                rows.append({**names, "estimate": None, "lower": None, "upper": None, "at_least": partial})
                continue
            held = min(held, total)
            lower, upper = interval_of_ends(*_ends_of_several(few, more, total, released), self.settings["confidence"])
            ends = {"lower": float(lower), "upper": float(upper)}
            rows.append({**names, "estimate": held / total, **ends, "at_least": partial})
        return rows

    def _sentence_by_stratum(self) -> str:
        """Set the group with the largest share of people with two or more conditions against the smallest."""
        known = [row for row in self.several() if row["estimate"] is not None and not row["at_least"]]
        known.sort(key=lambda row: float(row["estimate"]))
        if len(known) < 2:
            return "No two groups are large enough to compare."
        low, high = known[0], known[-1]
        least, most = (strata_words({c: row[c] for c in self.by}) for row in (low, high))
        shares = [share_with_interval(row["estimate"], row["lower"], row["upper"]) for row in (high, low)]
        return (
            f"Two or more of these conditions{as_of(self.settings)}: {shares[0]} of people in the group {most}, "
            f"{shares[1]} in the group {least} ({confidence_of(self.settings)} in brackets)."
        )


def _ends_of_several(
    few: pl.DataFrame, more: pl.DataFrame, total: int, released: Mapping[str, Any]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return between which numbers those with two or more lie, by themselves and as what the others leave, and all people."""
    (few_low, few_high), (more_low, more_high) = (
        [float(end.sum()) for end in ends_of(as_float(part["n_persons"]), released)] for part in (few, more)
    )
    least, most = (float(end) for end in ends_of(float(total), released))
    # the sum is unknown (NaN) where a part of it is suppressed
    low = np.nanmax([more_low, least - few_high, 0.0])
    high = np.nanmin([more_high, most - few_low, most])
    return (float(low), float(max(low, high))), (least, most)


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
    margins, population = strata_margins(patterns)
    return ConditionCount(
        {"cells": pl.DataFrame(rows, schema=schema, orient="row"), "margins": margins, "population": population},
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

    figure: ClassVar[str | None] = "symphony_research.show.bars:plot_prevalence"
    names_what_is_suppressed: ClassVar[bool] = True
    title: ClassVar[str] = "Prevalence of long-term conditions"
    shown: ClassVar[tuple[str, ...]] = ("condition", "n_persons", "estimate", "lower", "upper")
    percentages: ClassVar[tuple[str, ...]] = ("estimate", "lower", "upper")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType({"estimate": "Share of people"})

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the people with each condition, and all."""
        return {"cells": MARGINS, "population": POPULATION}

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return the share of people with each condition, with its interval."""
        cells, population = tables["cells"], tables["population"].rename({"n_persons": "__total"})
        joined_up = beside(cells, population, by)
        n, total = as_float(joined_up["n_persons"]), as_float(joined_up["__total"])
        with np.errstate(divide="ignore", invalid="ignore"):
            share = n / total
        lower, upper = interval_of_share(n, total, settings["confidence"], settings.get("released"))
        return nan_to_null(
            cells.with_columns(pl.Series("estimate", share), pl.Series("lower", lower), pl.Series("upper", upper))
        )

    def sentence(self) -> str:
        """Name the commonest condition."""
        frame = self.estimates.filter(pl.col("estimate") > 0)
        if not frame.height:
            return "No condition is held by enough people to show."
        first = frame.sort("estimate", descending=True).row(0, named=True)
        where = strata_words({c: first[c] for c in self.by})
        group = f" among {where}" if where else ""
        said = share_with_interval(
            first["estimate"], first["lower"], first["upper"], label=confidence_of(self.settings)
        )
        return f"The commonest condition{group} is {in_words(first['condition'])}, in {said} of people{as_of(self.settings)}."


def prevalence(patterns: Patterns, *, confidence: float = 0.95) -> Prevalence:
    """Return the share of people with each condition.

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
