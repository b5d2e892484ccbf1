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
from symphony_research.evaluation.effect_tables import arms_of, effective_people
from symphony_research.evaluation.effect_words import DIFFERENCE
from symphony_research.evaluation.estimated import require_integers, require_matched, with_intervals
from symphony_research.evaluation.period_tables import EFFECT, effect_roles, effects_frame
from symphony_research.evaluation.release import ARMS, arm_cells, released_estimates
from symphony_research.evaluation.weighted import Arms, mean_counts
from symphony_research.inference import Array, normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.cells import CellDefinition, Nested
from symphony_research.result.not_available import NotAvailable
from symphony_research.result.roles import Count, Internal, Key, ModelEstimate, TableRoles
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
        counts = dict.fromkeys(_counted(settings), Count())
        return {
            "arms": TableRoles({"arm": Key(), **counts, "mean_cost": ModelEstimate(), "spread": Internal()}, _cells),
            "effects": effect_roles(measure=Key()),
        }

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Any]:
        """Yield that those with a cost, and with the event, are among the people of their arm; arms may share people."""
        for row in tables["arms"].iter_rows(named=True):
            for column in _counted(settings)[1:]:
                yield Nested(_cells(row, column, settings), _cells(row, "n_persons", settings))

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
        return _shown({"arms": arms.with_columns(pl.col("mean_cost").round_sig_figs(3)), "effects": effects}, shown)

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out every figure where a count of people of an arm is suppressed."""
        return _shown(tables, not any(tables["arms"][c].null_count() for c in _counted(settings)))

    def sentence(self) -> str:
        """Return the difference in cost per person, and with the programme's cost, at which prices."""
        rows = {row["measure"]: row for row in self.estimates.iter_rows(named=True)}
        care = rows[CARE]
        if care["estimate"] is None:
            return "Too few people are matched for a difference in cost to be shown."
        year = self.settings.get("price_year")
        days, prices = number(int(self.settings["horizon"])), f", at prices of {year}" if year else ""
        apart = _difference(care, confidence_of(self.settings))
        said = (
            f"In the {days} days after enrolling, care cost about {pounds(care['enrolled'])} per enrolled person, "
            f"{apart} {'as' if apart.startswith('as ') else 'than'} per comparable person{prices}."
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


def _counted(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the counts of an arm: people, those with a cost, and with the event where an effect on one is given."""
    return ("n_persons", COSTED, *(("n_with_event",) if settings.get("outcome") else ()))


def _cells(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return whom a count of an arm is of; a cost has no event."""
    return arm_cells(record, column, {**settings, "outcome": "cost"} if column == COSTED else settings)


def _shown(tables: Tables, shown: bool) -> Tables:
    """Return tables with their figures, or with none."""
    kept = pl.lit(shown)
    figures = {"arms": ("mean_cost",), "effects": ("estimate", "standard_error")}
    return {
        name: tables[name].with_columns(pl.when(kept).then(c).alias(c) for c in own) for name, own in figures.items()
    }


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else ''}{pounds(abs(value))}"


def _difference(row: Mapping[str, Any], label: str = "") -> str:
    """Return a difference in pounds in words: "£120 less (95% CI £300 less to £60 more)"."""
    side = {True: "more", False: "less"}
    ends = (
        f"{pounds(abs(row['lower']))} {side[row['lower'] > 0]} to {pounds(abs(row['upper']))} {side[row['upper'] > 0]}"
    )
    size = pounds(abs(row["estimate"]))
    said = "as much" if size == pounds(0) else f"{size} {side[row['estimate'] > 0]}"
    return f"{said} ({f'{label} ' if label else ''}{ends})"


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
        If an argument is out of range, the effect is of other people or days, or released already, or the study records no cost.

    Notes
    -----
    The mean is that of cost with death as terminal event, so that people whom the data do not reach to the end of the horizon
    count for as long as they are observed. The interval is normal with the standard error of bootstrap resamples of people,
    with all the rows that each stands in; weights are not estimated again in each. Released, figures are as exact as the
    counts of people behind them, and none where one or two people make up most of the cost (the policy's rules of dominance).

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
    require_matched(matched, "cost_effect")
    require_integers(horizon=(horizon, 1), resamples=(resamples, 2))
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
    table = _arms(arms, mean, place, spent)
    cell = min(int(table[COSTED].min()), effective_people(arms))  # type: ignore[arg-type]
    free = int(table["n_persons"].min()) - 2  # type: ignore[arg-type]
    rows: list[tuple[Any, ...]] = [(CARE, "linear", mean[0] - mean[1], again.std(ddof=1), cell, max(mean), free)]
    outcome = None
    if isinstance(effect, EnrolmentEffect):
        asked = {"matching": dict(matched.settings), "horizon": horizon}
        if effect.disclosure is not None or any(effect.settings[name] != value for name, value in asked.items()):
            raise ArgumentError(
                "cost_effect takes an effect of the same matched people and days, before it is released."
            )
        outcome = effect.settings["outcome"]
        given = effect.count_tables["effects"].filter((pl.col("measure") == DIFFERENCE) & ~pl.col("few"))
        rows += [(AVOIDED, *one) for one in given.select(list(EFFECT)).iter_rows()]
        table = table.join(effect.count_tables["arms"].select("arm", "n_with_event"), on="arm", how="left")
    effects = effects_frame(rows, measure=pl.String)
    settings = {
        "method": "mean cost with death as terminal event; bootstrap over people", "reference": "Lin et al. 1997",
        "matching": dict(matched.settings), "horizon": horizon, "programme_cost": programme_cost, "confidence": confidence,
        "resamples": resamples, "seed": seed, "price_year": study.price_year or None, "outcome": outcome, **matched.provenance.as_settings(),
    }  # fmt: skip
    return CostEffect({"arms": table, "effects": effects}, settings)


def _arms(arms: Arms, mean: Array, place: Any, spent: Array) -> pl.DataFrame:
    """Return people, those with a cost, mean cost, and how unequal costs are, of each arm."""
    each = np.bincount(place, spent, minlength=len(arms.person)) * arms.weight
    rows = []
    for k, (arm, own) in enumerate(zip(ARMS, (arms.treated, ~arms.treated), strict=True)):
        people, index = np.unique(arms.person[own], return_inverse=True)
        by_person = np.bincount(index, each[own], minlength=len(people))
        total = by_person.sum()
        spread = float((by_person**2).sum() / total**2) if total else None
        rows.append((arm, len(people), int((by_person > 0).sum()), float(mean[k]), spread))
    schema = {"arm": pl.String, "n_persons": pl.Int64, COSTED: pl.Int64, "mean_cost": pl.Float64, "spread": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")
