"""What a combination of conditions costs, and what it costs above additivity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import Patterns
from symphony_research.collapse.margins import as_float, beside, nan_to_null, pattern_settings
from symphony_research.collapse.set_roles import SET_KEYS, of_everybody, of_set
from symphony_research.collapse.within_strata import split_strata, tables_of_rows
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import CORRECTIONS, FOUND, adjusted_p, normal_quantile
from symphony_research.inference.bands import BANDS, SIDES, TESTED, band_words, clear_side, on_side
from symphony_research.multimorbidity.cost_groups import against_parts, cost_tables
from symphony_research.multimorbidity.set_counts import possible_sets
from symphony_research.policy import Policy
from symphony_research.result import Disclosure, Result
from symphony_research.result.roles import Count, Internal, Level, Mean, Role, TableRoles
from symphony_research.words.lexicon import in_words
from symphony_research.words.numbers import about, pounds
from symphony_research.words.phrases import adjusted_for, between, confidence_of, cost_period, joined, stratum_words

__all__ = ["CostInteraction", "cost_interaction"]

Tables = Mapping[str, pl.DataFrame]

COARSER = 1.5  # events, of a mean of integers
_MONEY = ("estimate", "lower", "upper", "total", "expected", "excess", "excess_lower", "excess_upper")


class CostInteraction(Result):
    """Mean and total of a value for each combination, and what lies above additivity."""

    figure: ClassVar[str | None] = "symphony_research.show.comorbidity_plots:plot_cost_interaction"
    rows_from_records: ClassVar[bool] = True
    minimum_size_tables: ClassVar[tuple[str, ...]] = ("cells",)
    title: ClassVar[str] = "Cost interaction of combinations of conditions"
    led_by: ClassVar[tuple[str, ...]] = ("excess_lower",)
    shown: ClassVar[tuple[str, ...]] = (
        "combination", "n_persons", "estimate", "total", "share_of_total", "expected", "excess", "excess_lower",
        "excess_upper", "q_value",
    )  # fmt: skip
    percentages: ClassVar[tuple[str, ...]] = ("share_of_total",)

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings, with the time over which costs were summed."""
        value = in_words(self.settings["value"] or "cost")
        period = f" {cost_period(self.settings)}".rstrip() if self.settings["value"] == "cost" else ""
        return {
            "estimate": f"Mean {value} of a person{period}",
            "lower": f"Mean {value}, lower",
            "upper": f"Mean {value}, upper",
            "total": f"Total {value}",
            "share_of_total": f"Share of total {value}",
            "expected": f"Expected {value} if additive",
            "excess": "Excess over additivity",
            "excess_lower": "Excess, lower",
            "excess_upper": "Excess, upper",
            "n_compared": "People compared",
            "n_left_out": "Excluded",
        }

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the people of each combination with their mean and what their parts add up to, and all; `groups` stay inside.

        Whom a combination is compared within is no count that is released: it would be that of the strata where
        its parts are not suppressed.
        """
        mean = Mean("n_persons", "herfindahl", settings["value"] or "")
        cells: dict[str, Role] = {
            **SET_KEYS,
            "n_persons": Count(),
            "mean": mean,
            "mean_error": Mean("n_persons", "herfindahl"),
            "herfindahl": Internal(),
            # released in place of the groups
            **dict.fromkeys(("expected", "excess_margin"), Mean("n_persons", "herfindahl_of_parts")),
            **dict.fromkeys(TESTED[:2], Level(BANDS)),
            TESTED[2]: Level(SIDES),
            "herfindahl_of_parts": Internal(),
        }
        groups = dict.fromkeys(("size", "n", "sum", "sum_squares"), Internal())
        population: dict[str, Role] = {"n_persons": Count(), "mean": mean, "herfindahl": Internal()}
        return {
            "cells": TableRoles(cells, of_set),
            "groups": TableRoles(groups),
            "population": TableRoles(population, of_everybody),
        }

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return what the parts add up to, made again so that whether it is there follows from what the policy shows.

        Parts are added up in strata where each of them has more than the threshold of people. A stratum with more
        people of the combination and fewer of a part takes the whole row away; in one with fewer people of both,
        they take the average of the others: nobody is excluded, so no mean of some of them can be compared with that
        of all, and a stratum of nobody looks like one of few.
        """
        if policy.changes_nothing or "groups" not in tables:
            return tables
        few = policy.threshold
        cells = pl.concat(
            [tables["cells"], against_parts(tables["groups"], fewest=few + 1, averaged=few)], how="horizontal"
        )
        # the floor is laid on counts as they would be shown, as it is on the rows
        enough = [(policy.rounded(c) >= settings["min_persons"]).fill_null(False) for c in ("n_compared", "n_fewest")]
        shown = pl.all_horizontal(*enough, pl.col("n_left_out") == 0, pl.col("n_compared") * 2 >= pl.col("n_persons"))
        cells = _with_margin(cells, settings["confidence"]).with_columns(
            pl.when(shown).then(c).alias(c) for c in ("expected", "excess_margin")
        )
        cells = cells.with_columns(_tested(cells, settings, max(tables["population"].height, 1)))
        columns = CostInteraction.roles_of(settings)["cells"].columns
        return {"cells": cells.select(*by, *columns), "population": tables["population"]}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Release what the parts add up to with the mean and the margin alone: what is not there tells nothing of why."""
        columns = ("expected", "excess_margin", *TESTED)
        shown = pl.all_horizontal(pl.col("mean", *columns[:2]).is_not_null())
        return {**tables, "cells": tables["cells"].with_columns(pl.when(shown).then(c).alias(c) for c in columns)}

    def disclosed(self, tables: Tables, record: Disclosure, **settings: Any) -> Result:
        """Return the released result, which says where its parts were added up."""
        if "groups" not in tables:
            few = record.policy.threshold
            where = f"; parts of more than {few} people{' in each stratum' if self.settings['adjust'] else ''}"
            settings = {**settings, "method": f"{self.settings['method']}{where}"}
        return super().disclosed(tables, record, **settings)

    @property
    def n_tested(self) -> int:
        """How many combinations of these sizes there could be, each in every stratum: what `q_value` is adjusted for."""
        return possible_sets(self.settings) * max(self.count_tables["population"].height, 1)

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Mean, total and share of each combination, and its excess with interval and test.

        The p value is that of the distance from 0 in margins; released, that of exact means in bands, and intervals
        hold for all means that the rounded ones stand for.
        """
        floor, confidence = settings["min_persons"], settings["confidence"]
        cells = _exact(tables, settings) if "groups" in tables else _released(tables)
        if "groups" in tables:
            cells = cells.with_columns(_tested(cells, settings, max(tables["population"].height, 1)))
        whole = tables["population"].select([*by, (pl.col("n_persons") * pl.col("mean")).alias("__all")])
        frame = beside(cells, whole, by)
        z = normal_quantile(confidence)
        frame = frame.filter((pl.col("n_persons") >= floor).fill_null(floor == 1)).with_columns(
            pl.col("mean").alias("estimate"),
            (pl.col("mean") - pl.col("mean_slack") - z * pl.col("most_error")).clip(lower_bound=0).alias("lower"),
            (pl.col("mean") + pl.col("mean_slack") + z * pl.col("most_error")).alias("upper"),
            (pl.col("mean") * pl.col("n_persons")).alias("total"),
            (pl.col("excess") - pl.col("excess_margin")).alias("excess_lower"),
            (pl.col("excess") + pl.col("excess_margin")).alias("excess_upper"),
        )
        frame = frame.with_columns(
            pl.when(pl.col("__all") > 0).then(pl.col("total") / pl.col("__all")).alias("share_of_total")
        )
        if "groups" not in tables:
            names = ("excess_lower", "excess", "excess_upper")
            lower, excess, upper = (as_float(frame[c]) for c in names)
            own = on_side(lower, excess, upper, as_float(frame["side"]), 0.0)
            frame = frame.with_columns(pl.Series(c, x).fill_nan(None) for c, x in zip(names, own, strict=True))
        frame = frame.sort([*by, "total"], descending=[False] * len(by) + [True], nulls_last=True, maintain_order=True)
        return nan_to_null(frame).select(
            [
                *by, "combination", "size", "n_persons", "estimate", "lower", "upper", "total", "share_of_total",
                "n_compared", "n_left_out", "expected", "excess", "excess_lower", "excess_upper", "p_value", "q_value",
            ]
        )  # fmt: skip

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return money as money."""
        value = record[column]
        if value is not None and column in TESTED[:2] and "released" in self.settings:
            return band_words(value)
        if value is not None and column in _MONEY and self.settings["value"] == "cost":
            return f"−{pounds(-value)}" if value < 0 else pounds(value)
        return super().format_cell(record, column)

    def sentence(self) -> str:
        """Name the combination that costs most above additivity, by its lower limit."""
        if self.settings["value"] is None:
            return "No costs are recorded in these data."
        frame = self.estimates.filter(pl.col("excess_lower").is_not_null())
        if not frame.height:
            return "No combination has enough people, together and apart, to estimate an excess over additivity."
        value = in_words(self.settings["value"])
        found = frame.filter((pl.col("excess_lower") > 0) & (pl.col("q_value") <= FOUND))
        if not found.height:
            return f"No combination clearly has a higher mean {value} than expected if additive."
        first = found.sort("excess_lower", descending=True, maintain_order=True).row(0, named=True)
        where = stratum_words(first, self.by)
        amount = pounds if self.settings["value"] == "cost" else about
        exact = self.settings["kind"] == "exact"
        others = " and nothing else" if exact else ", whatever else they have"
        besides = "" if exact else ", what their other conditions cost included"
        return (
            f"People with {joined(first['combination'])}{others}{where}: their mean {value} is {amount(first['excess'])} "
            f"more than expected if additive{besides}{adjusted_for(self.settings)} ({confidence_of(self.settings)} "
            f"{between(first['excess_lower'], first['excess_upper'], amount)}), the clearest excess."
        )


def _with_margin(compared: pl.DataFrame, confidence: float) -> pl.DataFrame:
    """Add half the width of the interval of the excess, and its degrees of freedom.

    They are the smaller of the two that Welch's lie between: costs are skewed, and groups small.
    """
    from scipy.special import stdtrit

    fewest = as_float(compared.select(pl.min_horizontal("n_compared", "n_fewest")).to_series())
    degrees = np.maximum(fewest - 1, 1)
    quantile = pl.Series("__t", stdtrit(degrees, (1 + confidence) / 2)).fill_nan(None)
    return compared.with_columns(
        (quantile * compared["excess_error"]).alias("excess_margin"), pl.Series("degrees", degrees)
    )


def _tested(cells: pl.DataFrame, settings: Mapping[str, Any], strata: int) -> list[pl.Series]:
    """Return p and q values of what lies above additivity, of exact means."""
    from scipy.special import stdtr, stdtrit

    excess, margin, degrees = (as_float(cells[c]) for c in ("excess", "excess_margin", "degrees"))
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.abs(excess) / margin * stdtrit(degrees, (1 + settings["confidence"]) / 2)
        p_value = np.where(margin > 0, 2 * stdtr(degrees, -distance), np.nan)
    q_value = adjusted_p(p_value, settings["correction"], tests=possible_sets(settings) * strata)
    side = clear_side(excess - margin, excess + margin, 0.0)
    return [pl.Series(name, x).fill_nan(None) for name, x in zip(TESTED, (p_value, q_value, side), strict=True)]


def _slack(column: str) -> pl.Expr:
    """Return by how much a released mean may have been rounded."""
    size = pl.col(column).abs()
    unit = 10.0 ** (size.log10() + 1e-9).floor()
    # three figures from a hundred on, else two; a mean of integers coarser by an event and a half of the fewest people
    figures = pl.when(size >= 100).then(unit / 200).otherwise(unit / 20)
    return pl.when(size > 0).then(pl.max_horizontal(figures, COARSER / pl.col("n_persons"))).otherwise(0.0)


def _exact(tables: Tables, settings: Mapping[str, Any]) -> pl.DataFrame:
    """Return the sets beside their parts, added up wherever a variance can be estimated, with the floor on exact counts."""
    cells = pl.concat([tables["cells"], against_parts(tables["groups"])], how="horizontal")
    floor = settings["min_persons"]
    enough = pl.all_horizontal((pl.col(c) >= floor).fill_null(False) for c in ("n_compared", "n_fewest"))
    return _with_margin(cells, settings["confidence"]).with_columns(
        *[pl.when(enough).then(c).alias(c) for c in ("expected", "excess", "excess_margin")],
        pl.lit(0.0).alias("mean_slack"),
        pl.col("mean_error").alias("most_error"),
    )


def _released(tables: Tables) -> pl.DataFrame:
    """Return the sets beside what their parts add up to, as released: all people of a set are compared, or nobody."""
    compared = pl.col("expected").is_not_null()
    return tables["cells"].with_columns(
        (pl.col("mean") - pl.col("expected")).alias("excess"),
        pl.when(compared).then("n_persons").alias("n_compared"),
        pl.when(compared).then(0).alias("n_left_out"),
        _slack("mean").alias("mean_slack"),
        (pl.col("mean_error") + _slack("mean_error")).alias("most_error"),
        # what the margin, both means and it itself may have been rounded by
        pl.sum_horizontal(
            "excess_margin", _slack("excess_margin"), _slack("mean"), _slack("expected"), ignore_nulls=False
        ).alias("excess_margin"),
        *[pl.col(c) if c in tables["cells"].columns else pl.lit(None, dtype=pl.Float64).alias(c) for c in TESTED],
    )


def cost_interaction(
    patterns: Patterns,
    *,
    value: str | None = None,
    kind: str = "exact",
    adjust: str | Sequence[str] = (),
    min_size: int = 2,
    max_size: int = 3,
    min_persons: int = 20,
    correction: str = "benjamini_hochberg",
    confidence: float = 0.95,
) -> CostInteraction:
    """Set what people with a combination cost against the sum of its parts.

    Parameters
    ----------
    patterns : Patterns
        Collapsed people with `values=` the value; their strata become rows, unless named in `adjust`.
    value : str, optional
        Which value, in its own units a person; by default the first one the
        patterns carry. Where they carry none the result has no rows and says so.
    kind : {"exact", "at_least"}
        People with these conditions and no others, or with these and perhaps
        more. The parts are judged in the same way: people who have just that one condition,
        or none at all; or who of the set's conditions have one, or none, whatever
        else. Of at-least sets, people with all also have more other conditions
        than people with one, and what those cost is part of what lies beyond.
    adjust : str or sequence of str
        Strata within which parts are added up.
    min_size, max_size : int, default 2 and 3
        Conditions in a combination, from and to; at most eight.
    min_persons : int, default 20
        Leave out combinations that fewer people have, by the counts shown; and
        say nothing of what lies above additivity where fewer can be
        compared, or have one of the parts.
    correction : {"benjamini_hochberg", "holm", "bonferroni"}
        How p values are adjusted for the number of combinations tested.
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    CostInteraction
        One row per stratum and combination, the largest total first:
        `combination`, `size`, `n_persons`, `estimate` (mean of a person, with
        `lower`, `upper`), `total`, `share_of_total`, `n_compared` (people with
        it in strata where every part has at least two people), `n_left_out` (the
        others; released, nobody), `expected` (the mean of those compared, did
        the parts add up), `excess` (how far above that their mean is) with
        `excess_lower`, `excess_upper`, `p_value`, `q_value`.

    Raises
    ------
    ArgumentError
        If the patterns carry no such value, on an unknown word, or sizes
        outside 2 to 8.

    Notes
    -----
    With c the mean of those with no part and c_i of those with part i alone,
    in one stratum, k conditions that add up cost c + sum(c_i - c). That is
    averaged over the strata as the combination's people are spread, in strata
    where every part has at least two people. Intervals and tests are Student's,
    with as many degrees of freedom as the smallest group allows. Costs are
    skewed: with a coefficient of variation of 3, and 50 people compared, a test
    at 5% errs in 9%.

    Released, parts are added up in strata where each has more people than the
    rule's threshold. Whoever has the combination in another stratum is counted
    at the average of the others, if no more than the threshold are there with
    it; else, or if they are more than half, the row says nothing of its parts,
    as where a count is suppressed. `excess` is of the rounded means,
    intervals hold for all means that these stand for, and p is that of the exact means in bands.

    References
    ----------
    Kasteridis, P. et al. (2015). The importance of multimorbidity in explaining
    utilisation and costs across health and social care settings. CHE RP 96.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns(values="cost")
    >>> costs = sr.multimorbidity.cost_interaction(patterns, max_size=2, min_persons=5)
    >>> bool((costs.estimates["total"] > 0).all())
    True
    """
    require_one_of(kind, ("exact", "at_least"), argument="kind")
    require_one_of(correction, CORRECTIONS, argument="correction")
    normal_quantile(confidence)
    value = value or next(iter(patterns.values), None)
    if value is not None and value not in patterns.values:
        carried = ", ".join(patterns.values) or "none"
        raise ArgumentError(
            f"value='{value}' is not summed in these patterns. Values: {carried}. Collapse with values=."
        )
    if not 2 <= min_size <= max_size <= 8 or min_persons < 1:
        raise ArgumentError("min_size and max_size must be a range of sizes within 2 to 8, and min_persons at least 1.")
    by, adjust = split_strata(patterns, adjust)
    settings: dict[str, Any] = {
        "value": value,
        "kind": kind,
        "adjust": list(adjust),
        "min_size": min_size,
        "max_size": max_size,
        "min_persons": min_persons,
        "correction": correction,
        "confidence": confidence,
    }
    where = f"within {', '.join(adjust)}" if adjust else "in the whole population"
    return CostInteraction(
        tables_of_rows(patterns, by, adjust, lambda row: cost_tables(patterns, row, settings)),
        pattern_settings(
            patterns,
            f"mean of combinations against the sum of their parts {where}; Student's intervals; {CORRECTIONS[correction]}",
            "Kasteridis 2015",
            **settings,
        ),
        by,
    )
