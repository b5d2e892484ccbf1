"""Interrupted time series: how the monthly rate of a population changed in level and trend from a month on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.cohort.monthly import monthly_counts, population_by_month, practices_of
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.evaluation.estimated import with_intervals
from symphony_research.evaluation.interrupted_tables import (
    CONTROL,
    DIFFERENCE,
    MEASURES,
    POPULATION,
    drawn_lines,
    series_tables,
)
from symphony_research.evaluation.period_tables import effect_roles
from symphony_research.evaluation.release import released_estimates
from symphony_research.evaluation.segmented import ERRORS
from symphony_research.inference import normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import KeyFigure, Result
from symphony_research.result.cells import CellDefinition, Nested, everybody, unrelated
from symphony_research.result.roles import Count, Internal, Key, Known, ModelEstimate, Role, TableRoles
from symphony_research.study import Study
from symphony_research.words.lexicon import NOT_ESTIMABLE, SUPPRESSED
from symphony_research.words.numbers import number
from symphony_research.words.phrases import confidence_of

__all__ = ["InterruptedTimeSeries", "interrupted_time_series"]

Tables = Mapping[str, pl.DataFrame]
MOST_HARMONICS = 4
OTHERS = "other hubs"
COUNTS = ("n_persons", "n_with_event", "n_events")


def counted_in_month(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return whom a count of a month is of; events are no people, of whom one may have several."""
    series, month = record["series"], record["month"]
    what = {"n_persons": "registered", "n_with_event": f"with {settings['outcome']}"}.get(column)
    if what is None:
        return unrelated(f"number of {settings['outcome']}: {series}, {month}")
    if series == CONTROL:
        return unrelated(f"control, {what} in {month}")
    registered = everybody().in_state(f"registered in {month}", "yes")
    return registered if column == "n_persons" else registered.in_state(f"{what} in {month}", "yes")


class InterruptedTimeSeries(Result):
    """Changes of level and trend of a monthly rate, and how much more they are than those of a control series."""

    title: ClassVar[str] = "Interrupted time series"
    figure: ClassVar[str | None] = "symphony_research.show.series:plot_interrupted_time_series"
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {"outcome", "start", "hub", "practices", "control", "harmonics", "errors", "lags"}
    )
    shown: ClassVar[tuple[str, ...]] = ("series", "measure", "estimate", "lower", "upper")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """People registered, with the event, and events by month; estimates of a model, its lines and its checks."""
        few: dict[str, Role] = {"fewest": Internal()}
        effects, lines = effect_roles(series=Key(), measure=Key()), effect_roles(series=Key(), term=Key())
        return {
            "months": TableRoles(
                {
                    "series": Key(), "month": Key(), "days": Known(), "after": Known(), **dict.fromkeys(COUNTS, Count()),
                },
                counted_in_month,
            ),
            "effects": TableRoles({**effects.columns, **few}),
            "lines": TableRoles({**lines.columns, **few}),
            "checks": TableRoles({"series": Key(), "dispersion": ModelEstimate(), "autocorrelation": ModelEstimate()}),
        }  # fmt: skip

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Any]:
        """Yield that people with the event are among those registered; who is in one month may not be in the next."""
        for row in tables["months"].iter_rows(named=True):
            yield Nested(*(counted_in_month(row, column, settings) for column in ("n_with_event", "n_persons")))

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return changes as ratios with their intervals."""
        return with_intervals(tables["effects"], ["series", "measure"], settings)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return estimates as exact as the counts behind them, none with a month of few people, and no events of few."""
        if policy.changes_nothing or "released" in settings:
            return tables
        # several events of a few people would tell of them: their number is then that of the people, and suppressed
        few = pl.col("n_with_event") <= policy.threshold
        months = tables["months"].with_columns(
            pl.when(few).then("n_with_event").otherwise("n_events").alias("n_events")
        )
        if settings["control"] is not None:
            # both may make up a whole that is published elsewhere: beside it the one would tell a small count of the other
            told = months.filter(few)["month"].unique().to_list()
            months = months.filter(~pl.col("month").is_in(told))
        released = {
            name: _kept(
                released_estimates(tables[name], settings["confidence"], policy), pl.col("fewest") > policy.threshold
            )
            for name in ("effects", "lines")
        }
        known = tables["months"].group_by("series").agg(pl.col("n_with_event").min().alias("__least"))
        checks = tables["checks"].join(known, on="series", how="left", maintain_order="left")
        return {
            **tables,
            **released,
            "months": months,
            "checks": _checked(checks, pl.col("__least") > policy.threshold),
        }

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out the estimates of a series of which a count is suppressed, and of its difference from another."""
        gone = pl.any_horizontal(pl.col(c).is_null() for c in COUNTS)
        suppressed = tables["months"].filter(gone)["series"].unique().to_list()
        out = [*suppressed, *([DIFFERENCE] if suppressed else [])]
        kept = ~pl.col("series").is_in(out)
        return {
            **tables, "effects": _kept(tables["effects"], kept), "lines": _kept(tables["lines"], kept),
            "checks": _checked(tables["checks"], kept),
        }  # fmt: skip

    @property
    def months(self) -> pl.DataFrame:
        """By series and month: people registered on the first day, those of them with the event, and their events."""
        self._refuse_undisclosed("The months of")
        return self.count_tables["months"]

    @property
    def checks(self) -> pl.DataFrame:
        """Of each series the dispersion (1 of Poisson's events), and the correlation of residuals with the month before."""
        self._refuse_undisclosed("The checks of")
        return self.count_tables["checks"]

    @property
    def lines(self) -> pl.DataFrame:
        """By series and month: the rate per 100 person-years as counted, as fitted, and as fitted without a change."""
        self._refuse_undisclosed("The lines of")
        return drawn_lines(self.count_tables, self.start, self.settings["harmonics"])

    @property
    def start(self) -> date:
        """The first day of the change."""
        return date.fromisoformat(self.settings["start"])

    def row(self, series: str, measure: str) -> dict[str, Any]:
        """Return one row of the estimates."""
        return self.estimates.filter((pl.col("series") == series) & (pl.col("measure") == measure)).row(0, named=True)

    def with_interval(self, row: Mapping[str, Any]) -> str:
        """Return a ratio with its interval."""
        ends = f"{number(row['lower'])} to {number(row['upper'])}"
        return f"{number(row['estimate'])} ({confidence_of(self.settings)} {ends})"

    def sentence(self) -> str:
        """Return the changes of level and trend, and how much more they are than the control's."""
        what, month = EVENTS[self.settings["outcome"]].plural, f"{self.start:%B %Y}"
        controlled = self.settings["control"] is not None
        series = DIFFERENCE if controlled else POPULATION
        level, trend = (self.row(series, MEASURES[term]) for term in ("level change", "trend change"))
        if level["estimate"] is None or trend["estimate"] is None:
            return f"Too few people have {what} in a month for changes in {month} to be shown."
        clear = level["lower"] > 1 or level["upper"] < 1
        said = f"{self.with_interval(level)} times in level and {self.with_interval(trend)} times a year in trend"
        none = "" if clear else ": no clear change of level"
        if controlled:
            return f"In {month} the rate of {what} changed by {said}, compared with that of the control{none}."
        return (
            f"In {month} the rate of {what} changed by {said}{none}. Without a control series, whatever else changed that month "
            "is in it."
        )

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the change of level, compared with the control's where there is one."""
        row = self.row(DIFFERENCE if self.settings["control"] is not None else POPULATION, MEASURES["level change"])
        value = SUPPRESSED
        if row["estimate"] is not None:
            value = f"{number(row['estimate'])} ({number(row['lower'])} to {number(row['upper'])})"
        what = f"Level change: {EVENTS[self.settings['outcome']].plural}"
        return (KeyFigure(what, value, what),)

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings."""
        how = confidence_of(self.settings)
        return MappingProxyType(
            {
                "series": "Series", "measure": "Measure", "estimate": "Ratio", "lower": f"{how}, lower",
                "upper": f"{how}, upper",
            }
        )  # fmt: skip

    def notes(self, columns: Any) -> list[str]:
        """Return how errors allow for autocorrelation, and what rates are of."""
        how = {
            "autoregressive": "Standard errors: Poisson with an autoregressive process, AR(1).",
            "newey_west": f"Standard errors: Newey-West, {self.settings['lags']} months.",
        }.get(self.settings["errors"], "Standard errors: quasi-Poisson, without autocorrelation.")
        season = "Adjusted for season." if self.settings["harmonics"] else "Not adjusted for season."
        return [f"Rates: events per 100 person-years of people registered. {season} {how}", *super().notes(columns)]

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is not released, or cannot be estimated."""
        done = self.disclosure
        return NOT_ESTIMABLE if done is None or done.policy.changes_nothing else SUPPRESSED


def _kept(frame: pl.DataFrame, kept: pl.Expr) -> pl.DataFrame:
    return frame.with_columns(pl.when(kept).then(c).alias(c) for c in ("estimate", "standard_error"))


def _checked(frame: pl.DataFrame, kept: pl.Expr) -> pl.DataFrame:
    names = ("dispersion", "autocorrelation")
    return frame.with_columns(pl.when(kept).then(c).alias(c) for c in names).select("series", *names)


def interrupted_time_series(
    study: Study,
    *,
    start: date | str,
    outcome: str = "emergency_admission",
    hub: str | None = None,
    practices: Sequence[Any] | None = None,
    control: str | Sequence[Any] | None = None,
    harmonics: int = 2,
    errors: str = "autoregressive",
    lags: int | None = None,
    confidence: float = 0.95,
) -> InterruptedTimeSeries:
    """Estimate how the monthly rate of a population changed in level and trend.

    Parameters
    ----------
    study : Study
    start : date or str
        When the change came, such as "2015-04-01". The month that holds it, and all later ones, are after it.
    outcome : str, default "emergency_admission"
        An event of `cohort.EVENTS`, but for "readmission".
    hub : str, optional
        The people registered with practices of this hub; by default everybody registered.
    practices : sequence, optional
        In place of a hub, those registered with one of these practices.
    control : "other hubs" or sequence, optional
        A control series: of practices of all other hubs, or of these practices.
    harmonics : int, default 2
        Pairs of sine and cosine of the year, for season; 0 for none.
    errors : {"autoregressive", "newey_west", "quasi_poisson"}
        Standard errors that allow for autocorrelation and overdispersion, by an AR(1) process or by Newey and West's estimator
        (too small in short series), or for overdispersion alone.
    lags : int, optional
        Months up to which Newey and West's errors take months as correlated; by default 4 (months / 100)^(2/9).
    confidence : float, default 0.95

    Returns
    -------
    InterruptedTimeSeries
        `series`, `measure` ("level change", "trend change a year", "trend before a year"), `estimate` (rate ratio), `lower`,
        `upper`, `p_value`. With a control, "population less control" is the ratio of the two series' ratios. `.months`
        holds the counts, `.lines` rates as fitted and without a change, `.checks` dispersion and autocorrelation.

    Raises
    ------
    ArgumentError
        If there are fewer than 8 months before or after, nobody has the outcome, or a hub or practice is unknown.

    Notes
    -----
    Segmented Poisson regression of events by month, with the logarithm of person-time: level and trend before, their changes,
    and season. The population of a month is whoever is registered on its first day, for all its days.
    Events are Poisson's around a rate that an AR(1) process moves (Zeger 1988), its variance and autocorrelation by moments of the
    residuals that allow for the coefficients fitted; the correlation is never taken as negative. In generated series of 24 to 96
    months with an autocorrelation of 0 to 0.6 standard errors are 0.97 to 1.15 of the empirical (docs/proof-interrupted.md),
    where Newey and West's (no prewhitening, no correction for small samples) are up to half too small. With a control both
    series have all terms of their own; the errors of a difference are those of the log ratio of the two rates, so that what moves
    both cancels.

    References
    ----------
    Bernal, J. L., Cummins, S. and Gasparrini, A. (2017). Interrupted time series regression for the evaluation of public health
    interventions: a tutorial. International Journal of Epidemiology 46, 348-355.
    Lopez Bernal, J., Cummins, S. and Gasparrini, A. (2018). The use of controls in interrupted time series studies of public
    health interventions. International Journal of Epidemiology 47, 2082-2093.
    Zeger, S. L. (1988). A regression model for time series of counts. Biometrika 75, 621-629.

    Examples
    --------
    >>> import symphony_research as sr
    >>> found = sr.evaluation.interrupted_time_series(sr.example_study(12_000), start="2015-04-01")
    >>> found.estimates["measure"].to_list()
    ['level change', 'trend change a year', 'trend before a year']
    """
    if not isinstance(study, Study):
        raise ArgumentError(f"interrupted_time_series takes a Study, not {type(study).__name__}.")
    day = _day(start)
    require_one_of(errors, ERRORS, argument="errors")
    normal_quantile(confidence)
    for name, value, most in (("harmonics", harmonics, MOST_HARMONICS), ("lags", lags, None)):
        if value is None and name == "lags":
            continue
        if type(value) is not int or value < 0 or (most is not None and value > most):
            raise ArgumentError(f"{name}={value!r} must be an integer from 0{f' to {most}' if most else ' on'}.")
    own, other = _compared(study, hub, practices, control)
    counts = {POPULATION: monthly_counts(study, outcome, own)}
    if other is not None:
        counts[CONTROL] = monthly_counts(study, outcome, other)
    what = outcome.replace("_", " ")
    tables, lagged = series_tables(counts, day, harmonics=harmonics, errors=errors, lags=lags, what=what)
    settings = {
        "method": "segmented Poisson regression of a monthly series", "reference": "Bernal and others 2017, 2018",
        "outcome": outcome, "start": day.isoformat(), "hub": hub, "practices": None if practices is None else [str(p) for p in practices],
        "control": control if control is None or isinstance(control, str) else [str(p) for p in control],
        "harmonics": harmonics, "errors": errors, "lags": lagged, "confidence": confidence,
        **population_by_month(study, outcome, hub, practices).as_settings(),
    }  # fmt: skip
    return InterruptedTimeSeries(tables, settings)


def _day(start: date | str) -> date:
    try:
        return start if isinstance(start, date) else date.fromisoformat(start)
    except (TypeError, ValueError):
        raise ArgumentError(f"start={start!r} is not a date. Write it as 2015-04-01.") from None


def _compared(
    study: Study, hub: str | None, practices: Sequence[Any] | None, control: str | Sequence[Any] | None
) -> tuple[Sequence[Any] | None, Sequence[Any] | None]:
    """Return the practices of the population, None for all, and those of the control, None for none."""
    if hub is not None and practices is not None:
        raise ArgumentError("hub and practices both say whom the series is of: leave one out.")
    own = practices_of(study, hub) if hub is not None else practices
    if control is None:
        return own, None
    if own is None:
        raise ArgumentError("A control needs a population beside it: name a hub, or practices.")
    if isinstance(control, str):
        if control != OTHERS or hub is None:
            raise ArgumentError(f"control={control!r} must be practices, or with a hub '{OTHERS}'.")
        other: Sequence[Any] = practices_of(study, hub, others=True)
    else:
        other = control
    if both := len({str(one) for one in own} & {str(one) for one in other}):
        raise ArgumentError(f"{both} practices are in the population and in its control: leave them out of one.")
    return own, other
