"""What enrolled people cost in the year after, against comparable people: per person, death ending it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.cohort.matched import Matched, cost_times, outcome_rows
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.effect import EnrolmentEffect
from symphony_research.evaluation.effect_tables import arms_of
from symphony_research.evaluation.effect_words import DIFFERENCE
from symphony_research.evaluation.estimated import with_intervals
from symphony_research.evaluation.release import ARMS, arm_cells, released_estimates
from symphony_research.evaluation.weighted import mean_counts
from symphony_research.inference import Array, normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.cells import Nested
from symphony_research.result.not_available import NotAvailable
from symphony_research.result.roles import Count, Internal, Key, Known, ModelEstimate, TableRoles
from symphony_research.words.lexicon import NOT_ESTIMABLE, SUPPRESSED
from symphony_research.words.numbers import number, pounds
from symphony_research.words.phrases import confidence_of

__all__ = ["CostEffect", "cost_effect"]

Tables = Mapping[str, pl.DataFrame]
CARE, NET, AVOIDED = "cost of care", "with the programme's cost", "events avoided"
COSTED = "n_with_cost"


class CostEffect(Result):
    """Mean cost per person of enrolled people and controls, and the difference with its interval."""

    title: ClassVar[str] = "Cost of care after enrolling"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {"matching", "horizon", "resamples", "programme_cost", "price_year", "outcome"}
    )
    shown: ClassVar[tuple[str, ...]] = ("measure", "enrolled", "controls", "estimate", "lower", "upper")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """People and those with a cost in each arm; means and differences are of weighted people, death ending them."""
        return {
            "arms": TableRoles(
                {
                    "arm": Key(), "n_persons": Count(), COSTED: Count(), "mean_cost": ModelEstimate(),
                    "spread": Internal(),
                },
                arm_cells,
            ),
            "effects": TableRoles(
                {
                    "measure": Key(), "scale": Known(), "estimate": ModelEstimate(), "standard_error": ModelEstimate(),
                    "cell": Internal(), "unit": Internal(), "free": Internal(),
                }
            ),
        }  # fmt: skip

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Any]:
        """Yield that those with a cost are among the people of their arm; arms may share people."""
        for row in tables["arms"].iter_rows(named=True):
            yield Nested(arm_cells(row, COSTED, settings), arm_cells(row, "n_persons", settings))

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return the difference, and with the programme's cost where that is known, with normal intervals."""
        z, means = normal_quantile(settings["confidence"]), tables["arms"]["mean_cost"].to_list()
        row = tables["effects"].filter(pl.col("measure") == CARE).row(0, named=True)
        value, error = row["estimate"], row["standard_error"]
        extra = settings.get("programme_cost")
        added = [(CARE, 0.0), *([(NET, float(extra))] if extra is not None else [])]
        rows = []
        for name, more in added:
            known = value is not None and error is not None
            ends = [value + more + k * error for k in (0.0, -z, z)] if known else [None] * 3
            own = means[0] + more if means[0] is not None else None
            rows.append((name, own, means[1], *ends))
        schema = {
            "measure": pl.String,
            **dict.fromkeys(("enrolled", "controls", "estimate", "lower", "upper"), pl.Float64),
        }
        made = pl.DataFrame(rows, schema=schema, orient="row")
        return made.with_columns(pl.exclude("measure").round_sig_figs(3)) if "released" in settings else made

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return figures as exact as the counts behind them; none of few people, or where one or two make most of the cost."""
        if policy.changes_nothing or "released" in settings:
            return tables
        arms = tables["arms"]
        spread_wide = bool(arms.select(policy.spread_wide_enough("spread").all()).item())
        shown = spread_wide and int(arms[COSTED].min()) > policy.threshold  # type: ignore[arg-type]
        effects = released_estimates(tables["effects"], settings["confidence"], policy)
        known = pl.lit(shown)
        return {
            "arms": arms.with_columns(pl.when(known).then(pl.col("mean_cost").round_sig_figs(3)).alias("mean_cost")),
            "effects": effects.with_columns(pl.when(known).then(c).alias(c) for c in ("estimate", "standard_error")),
        }

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out every figure where a count of people of an arm is suppressed."""
        arms = tables["arms"]
        shown = pl.lit(not any(arms[c].null_count() for c in ("n_persons", COSTED)))
        effects = tables["effects"].with_columns(
            pl.when(shown).then(c).alias(c) for c in ("estimate", "standard_error")
        )
        return {"arms": arms.with_columns(pl.when(shown).then("mean_cost").alias("mean_cost")), "effects": effects}

    def sentence(self) -> str:
        """Return the difference in cost per person, and with the programme's cost, at which prices."""
        rows = {row["measure"]: row for row in self.estimates.iter_rows(named=True)}
        care = rows[CARE]
        if care["estimate"] is None:
            return "Too few people are matched for a difference in cost to be shown."
        year = self.settings.get("price_year")
        days, prices = number(int(self.settings["horizon"])), f", at prices of {year}" if year else ""
        said = (
            f"In the {days} days after enrolling, care cost about {pounds(care['enrolled'])} per enrolled person, "
            f"{_difference(care, confidence_of(self.settings))} than per comparable person{prices}."
        )
        net = rows.get(NET)
        if net is None:
            said += " What the programme itself costs is not among these."
        else:
            said += f" With the {pounds(self.settings['programme_cost'])} that the programme costs per person it is {_difference(net)}."
        return f"{said} {self.per_event_avoided()}".strip()

    def per_event_avoided(self) -> str:
        """Return what an event avoided cost, where the interval of events avoided excludes none; else that it is not estimable.

        A ratio of two differences has no interval where the one below may be zero (Fieller 1954), and no meaning where events
        were added. Nothing where no effect was given.
        """
        avoided = self.count_tables["effects"].filter(pl.col("measure") == AVOIDED)
        if not avoided.height:
            return ""
        event = EVENTS[self.settings["outcome"]].words
        row, net = (
            with_intervals(avoided, ["measure"], self.settings).row(0, named=True),
            self.estimates.row(-1, named=True),
        )
        what = f"Cost per {event} avoided: not estimable"
        if row["upper"] is None or net["estimate"] is None:
            return f"{what}, as too few people are matched."
        if row["upper"] >= 0:
            return f"{what}, as it is not known whether any were avoided."
        if net["estimate"] <= 0:
            return f"Fewer events and no higher cost: there is no cost per {event} avoided to give."
        per = float(f"{net['estimate'] / (-row['estimate'] / 100):.2g}")
        return f"Cost per {event} avoided (the difference in cost over events avoided): about {pounds(per)}."

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return pounds."""
        if column != "measure" and record[column] is not None:
            return _signed(record[column]) if column in ("estimate", "lower", "upper") else pounds(record[column])
        if column == "measure":
            return {CARE: "Care", NET: "Care and programme"}[record[column]]
        return super().format_cell(record, column)

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings."""
        how = confidence_of(self.settings)
        return MappingProxyType(
            {
                "measure": "Cost per person", "enrolled": "Enrolled", "controls": "Controls", "estimate": "Difference",
                "lower": f"{how}, lower", "upper": f"{how}, upper",
            }
        )  # fmt: skip

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is not released, or cannot be estimated."""
        done = self.disclosure
        return NOT_ESTIMABLE if done is None or done.policy.changes_nothing else SUPPRESSED


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else ''}{pounds(abs(value))}"


def _difference(row: Mapping[str, Any], label: str = "") -> str:
    """Return a difference in pounds in words: "£120 less (95% CI £300 less to £60 more)"."""
    side = {True: "more", False: "less"}
    ends = (
        f"{pounds(abs(row['lower']))} {side[row['lower'] > 0]} to {pounds(abs(row['upper']))} {side[row['upper'] > 0]}"
    )
    return f"{pounds(abs(row['estimate']))} {side[row['estimate'] > 0]} ({f'{label} ' if label else ''}{ends})"


def cost_effect(
    matched: Matched,
    *,
    horizon: int = 365,
    programme_cost: float | None = None,
    effect: EnrolmentEffect | NotAvailable | None = None,
    confidence: float = 0.95,
    resamples: int = 500,
    seed: int = 2013,
) -> CostEffect:
    """Estimate the difference in the cost of care per person after enrolling, against comparable people.

    Parameters
    ----------
    matched : Matched
        What `match_controls` returns.
    horizon : int, default 365
        Cost of days 1 to this one after time zero, while alive and registered.
    programme_cost : float, optional
        What the programme costs per person enrolled over these days, in pounds: the difference is given with it too.
    effect : EnrolmentEffect, optional
        On an event of the same people and days, not released yet: the sentence then says what an event avoided cost.
    confidence : float, default 0.95
    resamples : int, default 500
        Bootstrap resamples of people, for the interval.
    seed : int, default 2013

    Returns
    -------
    CostEffect
        `measure`, `enrolled`, `controls` (pounds per person), `estimate`, `lower`, `upper` (the difference).

    Raises
    ------
    ArgumentError
        If an argument is out of range, or the study records no cost.

    Notes
    -----
    The mean is that of cost with death as terminal event, so that people whom the data do not
    reach to the end of the horizon count for as long as they are observed. The interval is normal with the standard error of bootstrap resamples of people, with all the rows that
    each stands in; weights are not estimated again in each. Released, figures are as exact as the counts of people
    behind them, and none where one or two people make up most of the cost (the policy's rules of dominance).

    References
    ----------
    Lin, D. Y., Feuer, E. J., Etzioni, R. and Wax, Y. (1997). Estimating medical costs from incomplete follow-up data.
    Biometrics 53, 419-434.
    Ghosh, D. and Lin, D. Y. (2000). Nonparametric analysis of recurrent events and death. Biometrics 56, 554-562.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study(12_000)
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), seed=1)
    >>> sr.evaluation.cost_effect(matched, resamples=20).estimates["measure"].to_list()
    ['cost of care']
    """
    if not isinstance(matched, Matched):
        raise ArgumentError(f"cost_effect takes what match_controls returns, not {type(matched).__name__}.")
    for name, value, least in (("horizon", horizon, 1), ("resamples", resamples, 2)):
        if type(value) is not int or value < least:
            raise ArgumentError(f"{name}={value!r} must be an integer, at least {least}.")
    if programme_cost is not None and not (isinstance(programme_cost, (int, float)) and programme_cost >= 0):
        raise ArgumentError(
            f"programme_cost={programme_cost!r} must be pounds per person enrolled, at least 0, or None."
        )
    normal_quantile(confidence)
    study = matched._sets.rows.study
    arms, found = arms_of(matched, outcome_rows(matched, "death", last=horizon))
    place, time, spent = cost_times(matched, found, last=horizon)
    mean, drawn = mean_counts(
        arms.treated, arms.weight, arms.person, arms.days, arms.events > 0, place, time, resamples=resamples, seed=seed,
        amount=spent,
    )  # fmt: skip
    again = drawn[:, 0] - drawn[:, 1]
    table, effective = _arms(arms, mean, place, spent)
    cell = min(int(table[COSTED].min()), effective)  # type: ignore[arg-type]
    row = (CARE, "linear", float(mean[0] - mean[1]), float(again.std(ddof=1)), cell, float(max(mean)),
           int(table["n_persons"].min()) - 2)  # type: ignore[arg-type]  # fmt: skip
    rows, outcome = [row], None
    if isinstance(effect, EnrolmentEffect):
        outcome = effect.settings["outcome"]
        given = effect.count_tables["effects"].filter((pl.col("measure") == DIFFERENCE) & ~pl.col("few"))
        columns = ("scale", "estimate", "standard_error", "cell", "unit", "free")
        rows += [(AVOIDED, *one) for one in given.select(columns).iter_rows()]
    effects = pl.DataFrame(
        rows,
        schema={"measure": pl.String, "scale": pl.String, "estimate": pl.Float64, "standard_error": pl.Float64,
                "cell": pl.Int64, "unit": pl.Float64, "free": pl.Int64},
        orient="row",
    )  # fmt: skip
    settings = {
        "method": "mean cost with death as terminal event; bootstrap over people", "reference": "Lin et al. 1997",
        "matching": dict(matched.settings), "horizon": horizon, "programme_cost": programme_cost, "confidence": confidence,
        "resamples": resamples, "seed": seed, "price_year": study.price_year or None, "outcome": outcome, **matched.provenance.as_settings(),
    }  # fmt: skip
    return CostEffect({"arms": table, "effects": effects}, settings)


def _arms(arms: Any, mean: Array, place: Any, spent: Array) -> tuple[pl.DataFrame, int]:
    """Return the table of arms, and how many controls with equal weights would tell as much (Kish's effective number)."""
    each = np.bincount(place, spent, minlength=len(arms.person)) * arms.weight
    rows = []
    for k, arm in enumerate(ARMS):
        own = arms.treated if k == 0 else ~arms.treated
        people, index = np.unique(arms.person[own], return_inverse=True)
        by_person = np.bincount(index, each[own], minlength=len(people))
        total = by_person.sum()
        spread = float((by_person**2).sum() / total**2) if total else None
        rows.append((arm, len(people), int((by_person > 0).sum()), float(mean[k]), spread))
    weight = np.bincount(np.unique(arms.person[~arms.treated], return_inverse=True)[1], arms.weight[~arms.treated])
    schema = {"arm": pl.String, "n_persons": pl.Int64, COSTED: pl.Int64, "mean_cost": pl.Float64, "spread": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row"), int(weight.sum() ** 2 / (weight**2).sum())
