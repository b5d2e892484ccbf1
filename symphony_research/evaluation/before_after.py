"""The rate after enrolling over the rate before: what is seen without controls, and how much of it controls show too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.cohort import EVENTS, Cohort
from symphony_research.cohort.matched import Matched, period_rows
from symphony_research.cohort.periods import PeriodRows
from symphony_research.errors import ArgumentError, NotEstimableError
from symphony_research.evaluation.estimated import with_intervals
from symphony_research.evaluation.panel import rate_change
from symphony_research.evaluation.period_tables import (
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
from symphony_research.result import Result
from symphony_research.result.roles import Key, TableRoles
from symphony_research.words.lexicon import NOT_ESTIMABLE, SUPPRESSED, capital
from symphony_research.words.numbers import number, percentage, roughly
from symphony_research.words.phrases import confidence_of

__all__ = ["PERIODS", "BeforeAfter", "before_after"]

Tables = Mapping[str, pl.DataFrame]
PERIODS = ("before", "after")
CAUTION = (
    "Without controls a fall is no effect: people are enrolled after a crisis, after which rates fall without "
    "enrolling too (regression to the mean)."
)


class BeforeAfter(Result):
    """The rate of people after they enrolled over that before, and the same of controls where there are any."""

    title: ClassVar[str] = "Before and after enrolling"
    figure: ClassVar[str | None] = "symphony_research.show.before_after:plot_before_after"
    own_settings: ClassVar[frozenset[str]] = frozenset({"matching", "outcome", "window"})
    shown: ClassVar[tuple[str, ...]] = ("arm", "rate_before", "rate_after", "estimate", "lower", "upper")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """People of each arm, those with the event before and after, and rates and ratios of a model."""
        return {**period_roles(), "effects": effect_roles(arm=Key())}

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Any]:
        """Yield that those with the event are among the people of their arm, and those of days among those of the year."""
        yield from window_relations(tables["periods"], settings)

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return rates per 100 person-years before and after, and their ratio with its interval."""
        limits = with_intervals(tables["effects"], ["arm"], settings)
        rates = [
            tables["periods"].filter(pl.col("period") == name).select("arm", pl.col("rate").alias(f"rate_{name}"))
            for name in PERIODS
        ]
        for rate in rates:
            limits = limits.join(rate, on="arm", how="left", maintain_order="left")
        return limits.select("arm", "rate_before", "rate_after", "estimate", "lower", "upper", "p_value")

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return ratios as exact as the counts behind them, and none of few people."""
        if policy.changes_nothing or "released" in settings:
            return tables
        return {**tables, "effects": released_estimates(tables["effects"], settings["confidence"], policy)}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out the ratio of an arm of which a count is suppressed."""
        frame = tables["effects"]
        kept = pl.Series([shown_cells(tables, PERIODS, [arm]) for arm in frame["arm"]], dtype=pl.Boolean)
        return {
            **tables,
            "effects": frame.with_columns(pl.when(kept).then(c).alias(c) for c in ("estimate", "standard_error")),
        }

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

    def row(self, arm: str) -> dict[str, Any] | None:
        """Return the row of an arm; None where there is none, or it is not estimable or suppressed."""
        rows = self.estimates.filter((pl.col("arm") == arm) & pl.col("estimate").is_not_null())
        return rows.row(0, named=True) if rows.height else None

    def sentence(self) -> str:
        """Return the ratio of the enrolled, that of controls, and what it does not say."""
        what, own, other = EVENTS[self.settings["outcome"]].plural, self.row(ARMS[0]), self.row(ARMS[1])
        if own is None:
            return f"Too few people have {what} for the rate before and after enrolling to be shown."
        people = self.arms["n_persons"][0]
        how = confidence_of(self.settings)
        days = self.settings["window"]
        found = (
            f"In the {days} days after enrolling, the rate of {what} of about {roughly(people)} people was "
            f"{number(own['estimate'])} ({how} {number(own['lower'])} to {number(own['upper'])}) times that of the {days} days before."
        )
        if "matching" not in self.settings:
            return f"{found} {CAUTION}"
        if other is None:
            return f"{found} That of controls is not shown. {CAUTION}"
        ends = f"{number(other['estimate'])} ({how} {number(other['lower'])} to {number(other['upper'])})"
        if other["estimate"] < 1:
            share = percentage(1 - other["estimate"])
            guard = (
                f"a fall of {share} came to people who had not enrolled by that day (regression to the mean), so before and after "
                "alone do not show what enrolling did."
            )
        else:
            guard = "without enrolling the rate did not fall."
        return f"{found} Of comparable controls it was {ends}: {guard}"

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings."""
        how = confidence_of(self.settings)
        return MappingProxyType(
            {
                "arm": "People", "rate_before": "Rate before, per 100 person-years", "rate_after": "Rate after",
                "estimate": "Ratio", "lower": f"{how}, lower", "upper": f"{how}, upper",
            }
        )  # fmt: skip

    def notes(self, columns: Any) -> list[str]:
        """Return what a change without controls does not say."""
        return [CAUTION, *super().notes(columns)]

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return the name of an arm with a capital."""
        return capital(record[column]) if column == "arm" else super().format_cell(record, column)

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is not released, or cannot be estimated."""
        done = self.disclosure
        return NOT_ESTIMABLE if done is None or done.policy.changes_nothing else SUPPRESSED


def before_after(
    people: Matched | Cohort,
    *,
    outcome: str = "emergency_admission",
    window: int = 365,
    confidence: float = 0.95,
) -> BeforeAfter:
    """Compare the rate of people after they enrolled with their own rate before.

    Parameters
    ----------
    people : Matched or Cohort
        What `match_controls` returns: the same is then shown of controls; or a cohort of enrolment, without controls.
    outcome : str, default "emergency_admission"
        An event of `cohort.EVENTS`, but for "readmission" and "death".
    window : int, default 365
        Days -`window` to -1 are before, days 1 to `window` after; the day of enrolling is in neither.
    confidence : float, default 0.95

    Returns
    -------
    BeforeAfter
        `arm`, `rate_before` and `rate_after` (per 100 person-years), `estimate` (their ratio), `lower`, `upper`, `p_value`.
        `.periods` counts people with the event.

    Raises
    ------
    ArgumentError
        If the outcome is unknown or not recorded, the cohort is not one of enrolment, or nobody who enrolled has the outcome.

    Notes
    -----
    This is no estimate of an effect. People are enrolled when their rate is high, after a crisis, and it falls whatever is
    done: regression to the mean. How far controls fall, who are matched on the same history and did not enrol that day,
    is how far the enrolled would have fallen. Rates are events over time alive, registered and recorded; the variance of
    the log ratio is the sum over people of squares of what both periods add. Weights of controls are taken as known.

    References
    ----------
    Barnett, A. G., van der Pols, J. C. and Dobson, A. J. (2005). Regression to the mean: what it is and how to deal with it.
    International Journal of Epidemiology 34, 215-220.

    Examples
    --------
    >>> import symphony_research as sr
    >>> cohort = sr.define_cohort(sr.example_study(12_000), programme="complex_care")
    >>> sr.evaluation.before_after(cohort).estimates["arm"].to_list()
    ['enrolled']
    """
    require_days("window", window)
    normal_quantile(confidence)
    spans = [(-window, -1), (1, window)]
    settings: dict[str, Any] = {
        "method": "events over person-time after, over the same before; variance by person", "reference": "Barnett and others 2005",
        "outcome": outcome, "window": window, "confidence": confidence,
    }  # fmt: skip
    if isinstance(people, Matched):
        found, source = period_rows(people, outcome, spans), people.provenance
        settings["matching"] = dict(people.settings)
    elif isinstance(people, Cohort):
        found, source = people.period_rows(event=outcome, periods=spans)
    else:
        raise ArgumentError(
            f"before_after takes what match_controls or define_cohort returns, not {type(people).__name__}."
        )
    tables = periods_table(found, [(name, *span) for name, span in zip(PERIODS, spans, strict=True)])
    own = found.treated
    if not found.events[own].any():
        raise NotEstimableError(
            f"None of the {len(np.unique(found.person[own])):,} enrolled people has '{outcome.replace('_', ' ')}' in the "
            f"{window} days before or after: there is no rate to compare."
        )
    return BeforeAfter({**tables, "effects": _effects(found, tables["periods"])}, {**settings, **source.as_settings()})


def _effects(found: PeriodRows, table: pl.DataFrame) -> pl.DataFrame:
    rows = []
    for arm in table["arm"].unique(maintain_order=True):
        own = found.kept(found.treated if arm == ARMS[0] else ~found.treated)
        estimate, influence = rate_change(own.events, own.days, own.weight, own.person)
        cell = fewest_people(found, table, PERIODS, [arm])
        rows.append((arm, "log", estimate, float(np.sqrt((influence**2).sum())), cell, 1.0, int(own.events.sum()) - 2))
    return effects_frame(rows, arm=pl.String)
