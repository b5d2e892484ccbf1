"""Event study of a programme of practices: how their rates changed after it began, at different times, against practices without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.cohort import EVENTS
from symphony_research.cohort.monthly import population_by_month, practice_counts
from symphony_research.errors import ArgumentError, NotEstimableError, require_one_of
from symphony_research.evaluation.estimated import require_integers, with_intervals
from symphony_research.evaluation.panel import METHODS
from symphony_research.evaluation.period_tables import DAYS_A_YEAR, EFFECT, effect_roles
from symphony_research.evaluation.release import released_estimates
from symphony_research.evaluation.staggered import StaggeredEffects, compared_with, staggered_effects
from symphony_research.inference import Array, normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import KeyFigure, Result
from symphony_research.result.cells import CellDefinition, Partition, everybody
from symphony_research.result.roles import Count, Key, Known, ModelEstimate, TableRoles
from symphony_research.study import Study
from symphony_research.words.lexicon import NOT_ESTIMABLE, SUPPRESSED, capital, in_words
from symphony_research.words.numbers import number
from symphony_research.words.phrases import confidence_of

__all__ = ["AFTER", "BEFORE", "ProgrammeEventStudy", "programme_event_study"]

Tables = Mapping[str, pl.DataFrame]
WITH, WITHOUT, OMITTED = "with the programme", "without it", "omitted"
AFTER, BEFORE = "mean after", "mean before"
NEVER = np.iinfo(np.int64).max
DEGREES = {"degrees": ModelEstimate()}


def _arm(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return that people of an arm are those of its practices, of everybody registered in the first month."""
    return _registered(record).in_state(f"practices by {settings['programme']}", record["arm"])


def _registered(record: Mapping[str, Any]) -> CellDefinition:
    return everybody().in_state(f"registered in {record['month']}", "yes")  # as of a monthly series


class ProgrammeEventStudy(Result):
    """How rates of practices changed by period from the start of a programme, against practices without it."""

    title: ClassVar[str] = "Event study of a programme of practices"
    figure: ClassVar[str | None] = "symphony_research.show.programme_study:plot_programme_event_study"
    own_settings: ClassVar[frozenset[str]] = frozenset({"programme", "outcome", "months", "leads", "lags", "model"})
    shown: ClassVar[tuple[str, ...]] = ("period", "n_practices", "estimate", "lower", "upper")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """People registered with the practices of each arm, and estimates of a model."""
        known = Known()
        periods, means = effect_roles(period=Key(), n_practices=known), effect_roles(measure=Key())
        return {
            "arms": TableRoles({"arm": Key(), "month": known, "n_practices": known, "n_persons": Count()}, _arm),
            "effects": TableRoles({**periods.columns, **DEGREES}),
            "means": TableRoles({**means.columns, **DEGREES}),
        }

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Any]:
        """Yield that the people of all practices are everybody registered in the month."""
        rows = list(tables["arms"].iter_rows(named=True))
        yield Partition(_registered(rows[0]), tuple(_arm(row, "n_persons", settings) for row in rows))

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return the estimates of periods with their intervals."""
        return with_intervals(tables["effects"], ["period", "n_practices"], settings)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return estimates as exact as the counts behind them, and none of few people."""
        if policy.changes_nothing or "released" in settings:
            return tables
        shown = {
            name: released_estimates(tables[name], settings["confidence"], policy) for name in ("effects", "means")
        }
        return {**tables, **shown}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out every estimate where the people of an arm are suppressed."""
        compared = tables["arms"].filter(pl.col("arm") != OMITTED)["n_persons"]
        there = pl.lit(not compared.null_count())
        figures = [pl.when(there).then(c).alias(c) for c in ("estimate", "standard_error")]
        return {**tables, **{name: tables[name].with_columns(figures) for name in ("effects", "means")}}

    @property
    def arms(self) -> pl.DataFrame:
        """Practices with the programme, without it and omitted, and people registered with them on the study's first day."""
        self._refuse_undisclosed("The arms of")
        return self.count_tables["arms"]

    @property
    def means(self) -> pl.DataFrame:
        """Means of the periods after that in which the programme began, and of those before the reference."""
        self._refuse_undisclosed("The means of")
        return with_intervals(self.count_tables["means"], ["measure"], self.settings)

    def mean(self, measure: str) -> dict[str, Any]:
        """Return one row of the means."""
        return self.means.filter(pl.col("measure") == measure).row(0, named=True)

    @property
    def period_words(self) -> str:
        """What a period is: "quarter", "month", or so many months."""
        months = self.settings["months"]
        return {1: "month", 3: "quarter", 12: "year"}.get(months, f"period of {number(months)} months")

    def with_interval(self, row: Mapping[str, Any]) -> str:
        """Return an estimate with its interval."""
        ends = f"{number(row['lower'])} to {number(row['upper'])}"
        return f"{number(row['estimate'])} ({confidence_of(self.settings)} {ends})"

    def sentence(self) -> str:
        """Return the mean effect after the start, whether it is clear, and what was there before."""
        what, programme = EVENTS[self.settings["outcome"]].plural, in_words(self.settings["programme"])
        arms = dict(self.count_tables["arms"].select("arm", "n_practices").iter_rows())
        after, before = self.mean(AFTER), self.mean(BEFORE)
        if after["estimate"] is None or after["lower"] is None:
            return f"Too few practices or people for the effect of {programme} on {what} to be estimated or shown."
        ratio, lags = self.settings["model"] == "poisson", self.settings["lags"]
        none = 1 if ratio else 0
        clear = after["lower"] > none or after["upper"] < none
        which = f"{self.period_words}s 1 to {lags}" if lags > 1 else f"the {self.period_words}"
        size = f"{self.with_interval(after)} {'times' if ratio else 'more per 100 person-years than'}"
        said = (
            f"In {which} after that in which {programme} began at {number(arms[WITH])} practices, the rate of {what} was {size} "
            f"what it would have been, had it changed as at {number(arms[WITHOUT])} practices without it"
            f"{'' if clear else ': no clear difference'}."
        )
        if before["estimate"] is None or before["lower"] is None:
            return said
        drifted = before["lower"] > none or before["upper"] < none
        how = "their rates differed already, so that this is no effect" if drifted else "no clear difference"
        return f"{said} Before, against the {self.period_words} before the start: {self.with_interval(before)}, {how}."

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the mean effect after the start."""
        row = self.mean(AFTER)
        value = self.missing_marker(row, "estimate")
        if row["estimate"] is not None and row["lower"] is not None:
            value = f"{number(row['estimate'])} ({number(row['lower'])} to {number(row['upper'])})"
        what = f"Practices with {in_words(self.settings['programme'])}: {EVENTS[self.settings['outcome']].plural}"
        return (KeyFigure(what, value, what),)

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings."""
        how = confidence_of(self.settings)
        what = "Ratio of rate ratios" if self.settings["model"] == "poisson" else "Difference, per 100 person-years"
        return MappingProxyType(
            {
                "period": f"{capital(self.period_words)} from the start", "n_practices": "Practices", "estimate": what,
                "lower": f"{how}, lower", "upper": f"{how}, upper",
            }
        )  # fmt: skip

    def notes(self, columns: Any) -> list[str]:
        """Return what is compared with what, and how errors are estimated."""
        return [
            f"Period 0: the {self.period_words} in which the programme began at a practice. Reference: the one before.",
            "Sun and Abraham's estimator: practices without the programme alone are compared with. Intervals: jackknife by practice.",
            *super().notes(columns),
        ]

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is not released, or cannot be estimated."""
        done = self.disclosure
        return NOT_ESTIMABLE if done is None or done.policy.changes_nothing else SUPPRESSED


def programme_event_study(
    study: Study,
    *,
    programme: str,
    outcome: str = "emergency_admission",
    months: int = 3,
    leads: int = 4,
    lags: int = 3,
    method: str = "poisson",
    confidence: float = 0.95,
) -> ProgrammeEventStudy:
    """Estimate what a programme changed that began at different practices at different times, such as health coaching.

    Parameters
    ----------
    study : Study
        With `practice_programmes`, which says when each programme reached each practice.
    programme : str
    outcome : str, default "emergency_admission"
        An event of `cohort.EVENTS`, but for "readmission".
    months : int, default 3
        Months of a period; the first begins with the study.
    leads, lags : int, default 4 and 3
        Periods before that in which the programme began, and after it.
    method : {"poisson", "linear"}
        Ratios of rate ratios, or differences of changes per 100 person-years.
    confidence : float, default 0.95

    Returns
    -------
    ProgrammeEventStudy
        `period` (0 is that in which it began, -1 the reference, which has no row), `n_practices`, `estimate`, `lower`, `upper`,
        `p_value`. `.means` are of periods 1 to `lags`, and of those before the reference.

    Raises
    ------
    ArgumentError
        If the study has no such programme, the outcome is unknown or not recorded, or there are too few periods.
    NotEstimableError
        If it began at fewer than two practices, or there are fewer than two to compare with.

    Notes
    -----
    Sun and Abraham's interaction-weighted estimator. Practices at which it began in one period are compared with those at which it
    has not begun by the end of the data (if there are none, with those at which it began last, before they did), by regression with
    effects of practices and periods and the logarithm of person-time; effects are then averaged over starts by the time of
    people registered. Regression with effects of practices and periods alone would compare later starts with practices that
    have the programme already, and is biased where its effect grows or differs between practices. Errors are a jackknife over
    practices with Welch's degrees of freedom, so that few practices give wide intervals. A programme that ends is taken to
    go on. Practices that had it in the first period, or have nobody registered in some month, are omitted, and counted.

    References
    ----------
    Sun, L. and Abraham, S. (2021). Estimating dynamic treatment effects in event studies with heterogeneous treatment effects.
    Journal of Econometrics 225, 175-199.
    MacKinnon, J. G., Nielsen, M. O. and Webb, M. D. (2023). Cluster-robust inference: a guide to empirical practice. Journal of
    Econometrics 232, 272-299.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study(12_000)
    >>> found = sr.evaluation.programme_event_study(study, programme="health_coaching")
    >>> found.estimates["period"].to_list()
    [-4, -3, -2, 0, 1, 2, 3]
    """
    if not isinstance(study, Study):
        raise ArgumentError(f"programme_event_study takes a Study, not {type(study).__name__}.")
    require_one_of(method, METHODS, argument="method")
    require_integers(months=(months, 1), leads=(leads, 1), lags=(lags, 1))
    normal_quantile(confidence)
    began = _starts(study, programme)
    counts = practice_counts(study, outcome, months=months)
    days = counts.unique("period").sort("period")["first_day"].to_list()
    if len(days) <= leads + lags:
        raise ArgumentError(f"leads={leads} and lags={lags} are more periods of {months} months than the study has.")
    whole = counts.filter(pl.len().over("practice_id") == len(days))
    practices = whole["practice_id"].unique(maintain_order=True).to_list()
    after = pl.Series(days[-1:]).dt.offset_by(f"{months}mo").to_list()
    start = np.array([_period_of(began.get(one), [*days, *after]) for one in practices], dtype=np.int64)
    used = start > 0
    events, persons, time = (
        whole[c].cast(pl.Float64).to_numpy().reshape(len(practices), len(days))[used]
        for c in ("n_events", "n_with_event", "days")
    )
    if not events.sum():
        raise NotEstimableError(f"Nobody registered has '{in_words(outcome)}': there is no rate to compare.")
    relative = np.array([k for k in range(-leads, lags + 1) if k != -1])
    spans = {AFTER: relative > 0, BEFORE: relative < 0}
    combined = np.array([own / max(own.sum(), 1) for own in spans.values()])
    fit = staggered_effects(events, time / DAYS_A_YEAR, start[used], relative, combined, method=method)
    settings = {
        "method": "interaction-weighted event study of practices; jackknife by practice", "reference": "Sun and Abraham 2021",
        "programme": programme, "outcome": outcome, "months": months, "leads": leads, "lags": lags, "model": method,
        "confidence": confidence, **population_by_month(study, outcome).as_settings(),
    }  # fmt: skip
    arms = _arms(counts, dict(zip(practices, start, strict=True)), days)
    cells = [_fewest(persons, start[used], own) for own in fit.used]
    number_of = [int(np.isin(start[used], [began for began, _ in own]).sum()) for own in fit.used]
    return ProgrammeEventStudy(
        {"arms": arms, **_estimates(fit, relative, spans, cells, number_of, events, time, method)}, settings
    )


def _starts(study: Study, programme: str) -> dict[str, Any]:
    """Return the first day of the programme at each practice."""
    if not study.has("practice_programmes"):
        raise ArgumentError("The study has no table practice_programmes, so that no programme of practices is known.")
    table = study.practice_programmes.select(pl.col("practice_id", "programme").cast(pl.String), "start_date").collect()
    require_one_of(programme, table["programme"].unique().sort().to_list(), argument="programme")
    own = table.filter(pl.col("programme") == programme).group_by("practice_id").agg(pl.col("start_date").min())
    return dict(own.iter_rows())


def _period_of(day: Any, bounds: list[Any]) -> int:
    """Return the period that holds a day by the first days of periods and of what follows the last; before them 0, after them never."""
    if day is None or day >= bounds[-1]:
        return NEVER
    return max(sum(first <= day for first in bounds) - 1, 0)


def _arms(counts: pl.DataFrame, start: Mapping[str, int], days: list[Any]) -> pl.DataFrame:
    """Return practices and people of each arm on the first day."""
    first = counts.filter(pl.col("period") == 0).select("practice_id", "n_persons")
    every = counts.select("practice_id").unique(maintain_order=True)
    rows = every.join(first, on="practice_id", how="left", maintain_order="left").with_columns(
        pl.col("n_persons").fill_null(0)
    )
    found: dict[str, list[int]] = {WITH: [], WITHOUT: [], OMITTED: []}
    for practice, people in rows.iter_rows():
        began = start.get(practice, 0)
        found[OMITTED if began == 0 else WITHOUT if began == NEVER else WITH].append(people)
    kept = [(arm, f"{days[0]:%Y-%m}", len(own), sum(own)) for arm, own in found.items() if own or arm != OMITTED]
    schema = {"arm": pl.String, "month": pl.String, "n_practices": pl.Int64, "n_persons": pl.Int64}
    return pl.DataFrame(kept, schema=schema, orient="row")


def _fewest(persons: Array, start: NDArray[np.int64], used: list[tuple[int, int]]) -> int:
    """Return the smallest number of people with the event behind an effect, of a start or of the practices without it."""
    without = compared_with(start, persons.shape[1])
    cells = [
        persons[arm, period].sum()
        for began, at in used
        for arm in (start == began, without)
        for period in (began - 1, at)
    ]
    return int(min(cells, default=0))


def _estimates(
    fit: StaggeredEffects, relative: NDArray[Any], spans: Mapping[str, NDArray[np.bool_]], cells: list[int], practices: list[int],
    events: Array, time: Array, method: str,
) -> dict[str, pl.DataFrame]:  # fmt: skip
    """Return the tables of effects by period, and of their means."""
    log = method == "poisson"
    scale = 1.0 if log else 100.0
    unit = 1.0 if log else float((events.sum(axis=1) / time.sum(axis=1)).max() * DAYS_A_YEAR * 100)
    free = int(events.sum()) - 2 * events.shape[1]
    of_means = [min(np.array(cells)[own], default=0) for own in spans.values()]
    rows = [
        ("log" if log else "linear", float(value) * scale, float(error) * scale, int(cell), unit, free, float(degrees))
        for value, error, cell, degrees in zip(fit.estimate, fit.error, (*cells, *of_means), fit.degrees, strict=True)
    ]
    schema = {**EFFECT, "degrees": pl.Float64}
    made = pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        pl.col("estimate", "standard_error", "degrees").fill_nan(None)
    )
    k = len(relative)
    return {
        "effects": made.head(k).with_columns(
            pl.Series("period", relative, dtype=pl.Int64), pl.Series("n_practices", practices, dtype=pl.Int64)
        ),
        "means": made.tail(len(spans)).with_columns(pl.Series("measure", list(spans))),
    }
