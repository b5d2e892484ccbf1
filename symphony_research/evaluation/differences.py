"""Difference in differences: how much more the rate of enrolled people changed than that of their controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.cohort.matched import Matched, period_rows
from symphony_research.errors import ArgumentError, NotEstimableError, require_one_of
from symphony_research.evaluation.before_after import PERIODS
from symphony_research.evaluation.estimated import require_matched, with_intervals
from symphony_research.evaluation.panel import METHODS, between_groups
from symphony_research.evaluation.period_tables import (
    HUNDRED_YEARS,
    effect_roles,
    effects_frame,
    fewest_people,
    period_roles,
    periods_table,
    require_days,
    shown_cells,
)
from symphony_research.evaluation.release import ARMS, released_estimates, window_relations
from symphony_research.inference import normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import KeyFigure, Result
from symphony_research.result.roles import Key, TableRoles
from symphony_research.words.lexicon import NOT_ESTIMABLE, SUPPRESSED, capital
from symphony_research.words.numbers import number, roughly
from symphony_research.words.phrases import confidence_of

__all__ = ["MEASURES", "DifferenceInDifferences", "difference_in_differences"]

Tables = Mapping[str, pl.DataFrame]
MEASURES = {
    "poisson": "ratio of rate ratios",
    "linear": "difference in differences per 100 person-years",
}


class DifferenceInDifferences(Result):
    """How much more the rate of enrolled people changed than that of controls, with counts by arm and period."""

    title: ClassVar[str] = "Difference in differences"
    figure: ClassVar[str | None] = "symphony_research.show.before_after:plot_before_after"
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {"matching", "outcome", "before", "after", "model", "matched_on"}
    )
    shown: ClassVar[tuple[str, ...]] = ("measure", "estimate", "lower", "upper")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """People of each arm, those with the event before and after, and an estimate of a model."""
        return {**period_roles(), "effects": effect_roles(measure=Key())}

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Any]:
        """Yield that those with the event are among the people of their arm, and those of days among those of the year."""
        yield from window_relations(tables["periods"], settings)

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return the estimate with its interval."""
        return with_intervals(tables["effects"], ["measure"], settings)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return the estimate as exact as the counts behind it, and none of few people."""
        if policy.changes_nothing or "released" in settings:
            return tables
        return {**tables, "effects": released_estimates(tables["effects"], settings["confidence"], policy)}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out the estimate where a count of people is suppressed."""
        kept = shown_cells(tables, PERIODS)
        figures = [pl.when(kept).then(c).alias(c) for c in ("estimate", "standard_error")]
        return {**tables, "effects": tables["effects"].with_columns(figures)}

    @property
    def periods(self) -> pl.DataFrame:
        """By arm and period: people with the event, the share of its days that people were observed, events per 100 person-years."""
        self._refuse_undisclosed("The periods of")
        return self.count_tables["periods"]

    @property
    def arms(self) -> pl.DataFrame:
        """People who enrolled, and people who are controls."""
        self._refuse_undisclosed("The arms of")
        return self.count_tables["arms"]

    @property
    def warning(self) -> str:
        """What is wrong with differences over days that were matched on; nothing where none of them was."""
        if not self.settings["matched_on"]:
            return ""
        return (
            "The period before was matched on: differences over it bring back the regression to the mean that matching took "
            "out. Choose an earlier one, or compare the period after alone (enrolment_effect)."
        )

    def sentence(self) -> str:
        """Return the estimate with its interval, and what is wrong with the period before."""
        row, what = self.estimates.row(0, named=True), EVENTS[self.settings["outcome"]].plural
        if row["estimate"] is None:
            few = f"Too few people have {what} for a difference in differences to be estimated or shown."
            return f"{few} {self.warning}".strip()
        figure = f"{number(row['estimate'])} ({confidence_of(self.settings)} {number(row['lower'])} to {number(row['upper'])})"
        people = f"about {roughly(self.arms['n_persons'][0])} people who enrolled"
        if self.settings["model"] == "poisson":
            clear = row["lower"] > 1 or row["upper"] < 1
            found = f"The rate of {what} of {people} changed by {figure} times as much as that of comparable controls"
        else:
            clear = row["lower"] > 0 or row["upper"] < 0
            found = f"The rate of {what} per 100 person-years of {people} changed by {figure} more than that of comparable controls"
        return f"{found}{'' if clear else ': no clear difference'}. {self.warning}".strip()

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the estimate."""
        row, value = self.estimates.row(0, named=True), SUPPRESSED
        if row["estimate"] is not None:
            value = f"{number(row['estimate'])} ({number(row['lower'])} to {number(row['upper'])})"
        what = f"{capital(MEASURES[self.settings['model']])}: {EVENTS[self.settings['outcome']].plural}"
        return (KeyFigure(what, value, what),)

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings."""
        how = confidence_of(self.settings)
        return MappingProxyType(
            {"measure": "Measure", "estimate": "Estimate", "lower": f"{how}, lower", "upper": f"{how}, upper"}
        )

    def notes(self, columns: Any) -> list[str]:
        """Return what is wrong with the period before."""
        return [*([self.warning] if self.warning else []), *super().notes(columns)]

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is not released, or cannot be estimated."""
        done = self.disclosure
        return NOT_ESTIMABLE if done is None or done.policy.changes_nothing else SUPPRESSED


def difference_in_differences(
    matched: Matched,
    *,
    outcome: str = "emergency_admission",
    before: tuple[int, int] = (1, 365),
    after: tuple[int, int] = (1, 365),
    method: str = "poisson",
    confidence: float = 0.95,
) -> DifferenceInDifferences:
    """Compare how the rate of enrolled people changed with how that of controls did.

    Parameters
    ----------
    matched : Matched
        What `match_controls` returns.
    outcome : str, default "emergency_admission"
        An event of `cohort.EVENTS`, but for "readmission" and "death".
    before, after : (int, int), default (1, 365)
        First and last day before time zero, and after it: (366, 730) before is the year before the last.
    method : {"poisson", "linear"}
        The ratio of rate ratios, by Poisson regression with the logarithm of days at risk; or the difference of changes in
        events per 100 person-years, by least squares weighted by days at risk.
    confidence : float, default 0.95

    Returns
    -------
    DifferenceInDifferences
        `measure`, `estimate`, `lower`, `upper`, `p_value`; `.periods` counts people with the event by arm and period.

    Raises
    ------
    ArgumentError
        If the outcome is unknown or not recorded, a period is none, or an arm has nobody with the outcome.

    Notes
    -----
    Both models have an effect of each row (an enrolled person, or a control of them) and of the period; controls have
    their weights, taken as known. Effects of rows are profiled out, which is the regression with an indicator for each
    (of Poisson the conditional likelihood). The variance is a sum over people of squares of what all their rows add, without
    correction for small samples (HC0). Rows observed in one period alone, and in Poisson's model rows without an event, add nothing.

    It fails where the period before was matched on, which is the default: rates before are then equal by choice, not
    because people are similar, and controls chosen for a high rate fall back to their own mean. The result says so. Take a
    period before the days that were matched on by window, `before=(366, 730)`, or compare the period after alone.

    References
    ----------
    Daw, J. R. and Hatfield, L. A. (2018). Matching and regression to the mean in difference-in-differences analysis. Health
    Services Research 53, 4138-4156.
    Wooldridge, J. M. (1999). Distribution-free estimation of some nonlinear panel data models. Journal of Econometrics 90, 77-97.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study(12_000)
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), ratio=5, seed=1)
    >>> found = sr.evaluation.difference_in_differences(matched, before=(366, 730))
    >>> found.estimates["measure"].item(), found.settings["matched_on"]
    ('ratio of rate ratios', False)
    """
    require_matched(matched, "difference_in_differences")
    require_one_of(method, METHODS, argument="method")
    normal_quantile(confidence)
    for name, value in (("before", before), ("after", after)):
        if not (isinstance(value, (tuple, list)) and len(value) == 2):
            raise ArgumentError(f"{name}={value!r} must be the first and the last day, such as (1, 365).")
        for day in value:
            require_days(name, day)
        if value[0] > value[1]:
            raise ArgumentError(f"{name}={tuple(value)!r} begins after it ends: write the nearer day first.")
    spans = [(-before[1], -before[0]), (after[0], after[1])]
    found = period_rows(matched, outcome, spans)
    tables = periods_table(found, [(name, *span) for name, span in zip(PERIODS, spans, strict=True)])
    for arm, own in zip(ARMS, (found.treated, ~found.treated), strict=True):
        if not found.events[own].any():
            who = "enrolled people" if arm == ARMS[0] else "controls"
            raise NotEstimableError(
                f"None of the {len(np.unique(found.person[own])):,} {who} has '{outcome.replace('_', ' ')}' before or after: "
                "there is no rate to compare."
            )
    fit = between_groups(
        found.events, found.days, found.weight, found.treated, found.person, reference=0, method=method
    )
    # of least squares, what one person would change is in proportion to the rate
    scale = 1.0 if method == "poisson" else HUNDRED_YEARS
    unit = 1.0 if method == "poisson" else float(tables["periods"]["rate"].max() or 1.0)  # type: ignore[arg-type]
    cell = fewest_people(found, tables["periods"], PERIODS)
    row = (
        MEASURES[method], "log" if method == "poisson" else "linear", fit.estimate[1] * scale, fit.error[1] * scale, cell, unit,
        int(found.events.sum()) - 4,
    )  # fmt: skip
    settings = {
        "method": f"{method} regression with effects of rows and periods, weighted; variance by person",
        "reference": "Daw and Hatfield 2018; Wooldridge 1999", "matching": dict(matched.settings), "outcome": outcome,
        "before": list(before), "after": list(after), "model": method, "matched_on": before[0] <= matched.matched_days,
        "confidence": confidence, **matched.provenance.as_settings(),
    }  # fmt: skip
    return DifferenceInDifferences({**tables, "effects": effects_frame([row], measure=pl.String)}, settings)
