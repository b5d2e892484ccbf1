"""Event study: how the rates of enrolled people and of their controls differ in each period before and after enrolling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.cohort.matched import Matched, period_rows
from symphony_research.errors import ArgumentError, NotEstimableError, require_one_of
from symphony_research.evaluation.estimated import require_matched, with_intervals
from symphony_research.evaluation.panel import METHODS, PeriodEffects, between_groups
from symphony_research.evaluation.period_tables import (
    DAYS_A_YEAR,
    HUNDRED_YEARS,
    effect_roles,
    effects_frame,
    fewest_people,
    period_roles,
    periods_table,
    require_days,
    shown_cells,
)
from symphony_research.evaluation.pretrend import POWER, trend_tests
from symphony_research.evaluation.release import ARMS, released_estimates, window_relations
from symphony_research.inference import normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.roles import Internal, Key, Known, Level, ModelEstimate, TableRoles
from symphony_research.words.lexicon import NOT_ESTIMABLE, SUPPRESSED
from symphony_research.words.numbers import number, p_value, percentage
from symphony_research.words.phrases import confidence_of

__all__ = ["EventStudy", "event_study", "spans_of"]

Tables = Mapping[str, pl.DataFrame]
PLACE = {
    "period": pl.Int64, "first_day": pl.Int64, "last_day": pl.Int64, "matched_on": pl.Boolean, "is_reference": pl.Boolean,
}  # fmt: skip
PRETREND = {
    "test": pl.String, "degrees_of_freedom": pl.Int64, "statistic": pl.Float64, "p_value": pl.Float64,
    "slope": pl.Float64, "detectable": pl.Float64,
}  # fmt: skip
JOINT, SLOPE = "differences between leads", "linear drift"
LEADS, LAGS = 730, 365  # days that leads and lags cover, unless others are asked for


class EventStudy(Result):
    """Differences between enrolled people and controls by period, compared with those in the reference period."""

    title: ClassVar[str] = "Event study of enrolling"
    figure: ClassVar[str | None] = "symphony_research.show.event_study:plot_event_study"
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {"matching", "outcome", "period_days", "leads", "lags", "reference_period", "model", "matched_days"}
    )
    shown: ClassVar[tuple[str, ...]] = ("first_day", "last_day", "estimate", "lower", "upper", "matched_on")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """People of each arm, those with the event by period, estimates of a model, and the test of leads."""
        known = Known()
        return {
            **period_roles(),
            "effects": effect_roles(period=Key(), first_day=known, last_day=known, matched_on=known, is_reference=known),
            "pretrend": TableRoles(
                {
                    "test": Key(), "degrees_of_freedom": known, "statistic": Internal(), "p_value": Level(),
                    "slope": Internal(), "detectable": ModelEstimate(),
                }
            ),
        }  # fmt: skip

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Any]:
        """Yield that those with the event are among the people of their arm, and those of periods among those of the year."""
        yield from window_relations(tables["periods"], settings)

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return the estimates with their intervals; in the reference period there is no difference, by definition."""
        frame = tables["effects"]
        none = 1.0 if settings["model"] == "poisson" else 0.0
        made = with_intervals(frame, list(PLACE), settings)
        figures = [pl.when(~pl.col("is_reference")).then(c).alias(c) for c in ("lower", "upper", "p_value")]
        own = pl.when("is_reference").then(none).otherwise("estimate").alias("estimate")
        return made.with_columns(own, *figures).select(
            "period", "first_day", "last_day", "estimate", "lower", "upper", "p_value", "matched_on", "is_reference"
        )

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return estimates as exact as the counts behind them, none of few people, and no test of what is not shown."""
        if policy.changes_nothing or "released" in settings:
            return tables
        effects = released_estimates(tables["effects"], settings["confidence"], policy)
        leads = effects.filter(_tested() & ~pl.col("is_reference"))
        kept = not leads["estimate"].null_count()
        return {**tables, "effects": effects, "pretrend": _shown(tables["pretrend"], kept)}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out estimates of periods of which a count is suppressed, and the test where one of its leads is."""
        effects, reference = tables["effects"], settings["reference_period"]
        shown = {name: shown_cells(tables, [name, reference]) for name in effects["period"]}
        kept = pl.Series([shown[name] for name in effects["period"]], dtype=pl.Boolean)
        figures = [pl.when(kept).then(c).alias(c) for c in ("estimate", "standard_error")]
        leads = all(shown[name] for name in effects.filter(_tested())["period"])
        return {**tables, "effects": effects.with_columns(figures), "pretrend": _shown(tables["pretrend"], leads)}

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
    def pretrend(self) -> pl.DataFrame:
        """Tests of the leads that were not matched on, and the drift a year that each finds with a power of 80%."""
        self._refuse_undisclosed("The test of leads of")
        return self.count_tables["pretrend"].select("test", "degrees_of_freedom", "p_value", "detectable")

    def days(self, row: Mapping[str, Any]) -> str:
        """Return the days of a period in words: "days 1 to 30 after", "days 30 to 1 before"."""
        first, last = row["first_day"], row["last_day"]
        return f"days {first} to {last} after" if first > 0 else f"days {-first} to {-last} before"

    def pretrend_words(self) -> str:
        """Return what the leads say, and how large a drift they would have shown."""
        found = self.pretrend.filter(pl.col("test") == SLOPE)
        if not found.height:
            return (
                "Fewer than two leads lie before the days that were matched on, so that no drift before can be tested."
            )
        row = found.row(0, named=True)
        if row["p_value"] is None or row["detectable"] is None:
            return "Too few people have the event in the leads that were not matched on for drifts before to be tested."
        size = (
            number(float(np.exp(row["detectable"])))
            if self.settings["model"] == "poisson"
            else number(row["detectable"])
        )
        power = percentage(POWER)
        detectable = f"a drift of {size}{' times' if self.settings['model'] == 'poisson' else ''} a year is what they would show with a power of {power}"
        exact, largest = "released" not in self.settings, row["p_value"]
        said = f" (p {p_value(largest)})" if exact else f" (p at most {largest:g})" if largest < 1 else ""
        if row["p_value"] <= 1 - self.settings["confidence"] + 1e-9:
            return f"Rates drifted apart before{said}, so that differences after are no effect; {detectable}."
        return f"The leads that were not matched on show no clear drift{said}; {detectable}."

    def sentence(self) -> str:
        """Return the first and last difference after enrolling, against which period, and what the leads say."""
        what = EVENTS[self.settings["outcome"]].plural
        rows = self.estimates.filter(
            (pl.col("period") > 0) & pl.col("estimate").is_not_null() & ~pl.col("is_reference")
        )
        against = self.days(self.estimates.filter(pl.col("is_reference")).row(0, named=True))
        if not rows.height:
            return f"Too few people have {what} for differences by period to be estimated or shown. {self.pretrend_words()}"
        ends = [rows.row(0, named=True), *([rows.row(-1, named=True)] if rows.height > 1 else [])]
        said = [
            f"{number(row['estimate'])} ({confidence_of(self.settings)} {number(row['lower'])} to {number(row['upper'])}) in {self.days(row)}"
            for row in ends
        ]
        which = "the ratio" if self.settings["model"] == "poisson" else "the difference"
        return (
            f"Compared with {against} enrolling, {which} of rates of {what} of enrolled people and controls is "
            f"{' and '.join(said)}. {self.pretrend_words()}"
        )

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings."""
        how = confidence_of(self.settings)
        what = "Ratio of rate ratios" if self.settings["model"] == "poisson" else "Difference, per 100 person-years"
        return MappingProxyType(
            {
                "period": "Period", "first_day": "From day", "last_day": "To day", "estimate": what, "lower": f"{how}, lower",
                "upper": f"{how}, upper", "matched_on": "Matched on", "is_reference": "Reference",
            }
        )  # fmt: skip

    def notes(self, columns: Any) -> list[str]:
        """Return the reference period, and what the leads say."""
        against = self.days(self.estimates.filter(pl.col("is_reference")).row(0, named=True))
        told = [f"Reference: {against} enrolling.", self.pretrend_words()]
        return [*told, *super().notes(columns)]

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return yes and no in words."""
        if column in ("matched_on", "is_reference"):
            return "yes" if record[column] else "no"
        return super().format_cell(record, column)

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is not released, or cannot be estimated."""
        done = self.disclosure
        return (
            NOT_ESTIMABLE if done is None or done.policy.changes_nothing or record.get("is_reference") else SUPPRESSED
        )


def _tested() -> pl.Expr:
    """Return which periods are leads that were not matched on."""
    return (pl.col("period") < 0) & ~pl.col("matched_on")


def _shown(pretrend: pl.DataFrame, kept: bool) -> pl.DataFrame:
    return pretrend.with_columns(pl.when(kept).then(c).alias(c) for c in ("p_value", "detectable"))


def spans_of(period: int | str, leads: int | None, lags: int | None) -> list[tuple[int, int, int]]:
    """Return periods before and after time zero with their first and last day; those of days -1 and 1 are -1 and 1.

    Examples
    --------
    >>> spans_of(30, 2, 1)
    [(-2, -60, -31), (-1, -30, -1), (1, 1, 30)]
    >>> spans_of("month", 1, 2)
    [(-1, -30, -1), (1, 1, 30), (2, 31, 61)]
    """
    if period != "month":
        require_days("period", period)
    size = DAYS_A_YEAR / 12 if period == "month" else float(period)
    numbers = []
    for name, value, default in (("leads", leads, LEADS), ("lags", lags, LAGS)):
        if value is None:
            value = max(int(default / size + 1e-9), 2 if name == "leads" else 1)
        elif type(value) is not int or value < 1:
            raise ArgumentError(f"{name}={value!r} must be an integer number of periods, at least 1.")
        numbers.append(value)
    ends = [round(k * size) for k in range(max(numbers) + 1)]
    before = [(-k, -ends[k], -ends[k - 1] - 1) for k in range(numbers[0], 0, -1)]
    return [*before, *((k, ends[k - 1] + 1, ends[k]) for k in range(1, numbers[1] + 1))]


def event_study(
    matched: Matched,
    *,
    outcome: str = "emergency_admission",
    period: int | str = 30,
    leads: int | None = None,
    lags: int | None = None,
    reference: int | None = None,
    method: str = "poisson",
    confidence: float = 0.95,
) -> EventStudy:
    """Estimate how the rates of enrolled people and controls differ in each period before and after enrolling.

    Parameters
    ----------
    matched : Matched
        What `match_controls` returns.
    outcome : str, default "emergency_admission"
        An event of `cohort.EVENTS`, but for "readmission" and "death".
    period : int or "month", default 30
        Days of a period; a month is a twelfth of a year. Period 1 begins on day 1 after enrolling, period -1 ends on day 1
        before.
    leads, lags : int, optional
        Number of periods before and after; by default those of two years before and of one after.
    reference : int, optional
        The period that others are compared with, such as -1. By default the last one that was not matched on, if there is
        one, else -1.
    method : {"poisson", "linear"}
        As in `difference_in_differences`.
    confidence : float, default 0.95

    Returns
    -------
    EventStudy
        `period`, `first_day`, `last_day`, `estimate` (ratio of rate ratios, or difference of changes per 100 person-years),
        `lower`, `upper`, `p_value`, `matched_on`, `is_reference`. `.pretrend` tests the leads, `.periods` counts people.

    Raises
    ------
    ArgumentError
        If the outcome is unknown or not recorded, the reference is no period, or an arm has nobody with the outcome in it.

    Notes
    -----
    The model is that of `difference_in_differences`, with an effect of each period in each arm. A lead is `matched_on` where
    it holds days whose events or cost were counted by window when people were matched: there enrolled people and controls are
    equal by choice, and it says nothing of parallel trends. What came before the windows was matched on as one total, which
    leaves its course free. The test of leads takes the others alone: a Wald test that they are equal, and one of a linear
    drift, neither of which depends on the reference. `detectable` is the drift a year (of a log ratio, or per 100
    person-years) that the test finds with a power of 80%: a test that finds nothing rules out no smaller one.

    References
    ----------
    Roth, J. (2022). Pretest with caution: event-study estimates after testing for parallel trends. American Economic Review:
    Insights 4, 305-322.
    Freyaldenhoven, S., Hansen, C. and Shapiro, J. M. (2019). Pre-event trends in the panel event-study design. American
    Economic Review 109, 3307-3338.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study(12_000)
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), ratio=5, seed=1)
    >>> found = sr.evaluation.event_study(matched, period=182)
    >>> found.estimates.select("period", "matched_on", "is_reference").rows()[0]
    (-4, False, True)
    """
    require_matched(matched, "event_study")
    require_one_of(method, METHODS, argument="method")
    normal_quantile(confidence)
    spans = spans_of(period, leads, lags)
    names = [name for name, _, _ in spans]
    on = [name < 0 and -last <= matched.matched_days for name, _, last in spans]
    free = [name for name, matched_on in zip(names, on, strict=True) if name < 0 and not matched_on]
    if reference is None:
        reference = free[-1] if free else -1
    if reference not in names:
        raise ArgumentError(
            f"reference={reference!r} is none of the periods, which are {names[0]} to -1 and 1 to {names[-1]}."
        )
    found = period_rows(matched, outcome, [(first, last) for _, first, last in spans])
    tables = periods_table(found, spans)
    at = names.index(reference)
    words = outcome.replace("_", " ")
    for arm, own in zip(ARMS, (found.treated, ~found.treated), strict=True):
        who = "enrolled people" if arm == ARMS[0] else "controls"
        many = f"None of the {len(np.unique(found.person[own])):,} {who} has '{words}' in"
        if not found.events[own].any():
            raise NotEstimableError(f"{many} days {spans[0][1]} to {spans[-1][2]}: there is no rate to compare.")
        if method == "poisson" and not found.events[own, at].any():
            raise NotEstimableError(
                f"{many} the reference period, days {spans[at][1]} to {spans[at][2]}: choose another by reference=, or "
                "longer periods."
            )
    fit = between_groups(
        found.events, found.days, found.weight, found.treated, found.person, reference=at, method=method
    )
    scale = 1.0 if method == "poisson" else HUNDRED_YEARS
    unit = 1.0 if method == "poisson" else float(tables["periods"]["rate"].max() or 1.0)  # type: ignore[arg-type]
    left = int(found.events.sum()) - 2 * (len(names) - 1)
    rows = [
        (
            *span, matched_on, k == at, "log" if method == "poisson" else "linear", fit.estimate[k] * scale, fit.error[k] * scale,
            fewest_people(found, tables["periods"], [span[0], reference]), unit, left,
        )
        for k, (span, matched_on) in enumerate(zip(spans, on, strict=True))
    ]  # fmt: skip
    settings = {
        "method": f"{method} regression with effects of rows, and of periods by arm, weighted; variance by person",
        "reference": "Roth 2022", "matching": dict(matched.settings), "outcome": outcome, "period_days": period,
        "leads": -names[0], "lags": names[-1], "reference_period": reference, "model": method,
        "matched_days": matched.matched_days, "confidence": confidence, **matched.provenance.as_settings(),
    }  # fmt: skip
    effects = effects_frame(rows, **PLACE)
    return EventStudy(
        {**tables, "effects": effects, "pretrend": _pretrend(fit, spans, on, scale, confidence)}, settings
    )


def _pretrend(
    fit: PeriodEffects, spans: list[tuple[int, int, int]], on: list[bool], scale: float, confidence: float
) -> pl.DataFrame:
    """Return the tests of the leads that were not matched on; no row where there are none to compare."""
    own = [k for k, (name, _, _) in enumerate(spans) if name < 0 and not on[k]]
    if len(own) < 2:
        return pl.DataFrame(schema=PRETREND)
    time = np.array([(spans[k][1] + spans[k][2]) / 2 / DAYS_A_YEAR for k in own])
    estimate, covariance = fit.estimate[own] * scale, fit.covariance[np.ix_(own, own)] * scale**2
    rows: list[tuple[Any, ...]] = [(JOINT, len(own) - 1, *[None] * 4), (SLOPE, 1, *[None] * 4)]
    if np.isfinite(estimate).all():
        try:
            tests = trend_tests(estimate, covariance, time, confidence=confidence)
        except ArgumentError:  # too few people for the differences to vary
            tests = ()  # type: ignore[assignment]
        rows = [
            (row[0], one.degrees_of_freedom, one.statistic, one.p_value, one.slope, one.detectable)
            for row, one in zip(rows, tests, strict=False)
        ] or rows
    return pl.DataFrame(rows, schema=PRETREND, orient="row")
