"""Kaplan-Meier and cumulative incidence, with the intervals R's survival package gives; released on one grid of times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import event_table, follow_up_columns, provenance_of
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import normal_quantile
from symphony_research.result import KeyFigure, passed_on
from symphony_research.survival.base import Tables, _Curve
from symphony_research.survival.clustered import cluster_of, clustered_tables, errors_of
from symphony_research.survival.grid import checked_grid
from symphony_research.survival.limits import INTERVALS, limits_of, with_limits
from symphony_research.survival.named import names_of_causes, strata_names
from symphony_research.survival.released_curves import estimates_on_grid
from symphony_research.survival.risk import causes_of, over, risk_table
from symphony_research.survival.sentences import curve_figures, curve_sentence
from symphony_research.words.lexicon import happened, in_words, outcome
from symphony_research.words.phrases import strata_phrase

__all__ = ["INTERVALS", "CumulativeIncidence", "SurvivalCurve", "cumulative_incidence", "kaplan_meier"]


class SurvivalCurve(_Curve):
    """Share of people free of the event."""

    figure: ClassVar[str | None] = "symphony_research.show.curve_plots:plot_survival"
    title: ClassVar[str] = "Survival (Kaplan-Meier)"
    shown: ClassVar[tuple[str, ...]] = ("time", "n_at_risk", "n_events", "n_censored", "estimate", "lower", "upper")
    percentages: ClassVar[tuple[str, ...]] = ("estimate", "lower", "upper")
    own_words: ClassVar[Mapping[str, str]] = MappingProxyType({"estimate": "Event-free"})
    begins_at: ClassVar[float] = 1.0

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Product-limit estimate with Greenwood's variance; on the grid the actuarial one."""
        if "grid" in tables:
            return estimates_on_grid(tables["grid"], settings, by, [])
        table = risk_table(tables["events"], by, [])
        n, d = pl.col("n_at_risk").cast(pl.Float64), pl.col("n_events").cast(pl.Float64)
        steps = table.with_columns(
            (1 - d / n).cum_prod().over(over(by)).alias("estimate"),
            pl.when(d > 0).then(d / (n * (n - d))).otherwise(0.0).cum_sum().over(over(by)).alias("__greenwood"),
        )
        estimate = steps["estimate"].to_numpy()
        with np.errstate(invalid="ignore"):
            error = np.where(estimate > 0, estimate * np.sqrt(steps["__greenwood"].to_numpy()), np.nan)
        error = errors_of(tables, steps, [*by, "time"], None, error)
        lower, upper = limits_of(estimate, error, settings["confidence"], settings["interval"])
        return with_limits(steps, by, estimate, error, lower, upper)

    def sentence(self) -> str:
        """Return the share event-free at the end of each curve."""
        return curve_sentence(self, self.clauses_of(self.settings))

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the share event-free at the headline time."""
        return curve_figures(self, self.clauses_of(self.settings))

    def heading(self) -> str:
        """Return the event and the people as a title."""
        event = self.settings["event_name"]
        return f"{'Survival' if event == 'death' else f'Time to {outcome(event)}'}{self.after_joining()}"

    @staticmethod
    def clauses_of(settings: Mapping[str, Any]) -> list[tuple[int | None, str]]:
        """Return what had not happened, in words."""
        return [(None, happened(settings["event_name"], yet=False))]


class CumulativeIncidence(_Curve):
    """Share of people with an event of each cause, the other causes competing."""

    figure: ClassVar[str | None] = "symphony_research.show.curve_plots:plot_survival"
    title: ClassVar[str] = "Cumulative incidence (competing risks)"
    shown: ClassVar[tuple[str, ...]] = ("cause", *SurvivalCurve.shown)
    percentages: ClassVar[tuple[str, ...]] = ("estimate", "lower", "upper")
    own_words: ClassVar[Mapping[str, str]] = MappingProxyType({"estimate": "Cumulative incidence"})

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Aalen-Johansen estimate with its multinomial (Greenwood-type) variance; on the grid the actuarial one."""
        causes = list(settings["causes"])
        if "grid" in tables:
            return estimates_on_grid(tables["grid"], settings, by, causes)
        table = risk_table(tables["events"], by, causes)
        n, d = pl.col("n_at_risk").cast(pl.Float64), pl.col("n_events").cast(pl.Float64)
        table = table.with_columns(
            (1 - d / n).cum_prod().over(over(by)).alias("__after"),
            # Greenwood's sum; after everybody at risk has had an event nothing moves any more
            pl.when(d < n).then(d / (n * (n - d))).otherwise(0.0).cum_sum().over(over(by)).alias("__greenwood"),
        )
        table = table.with_columns(
            pl.col("__after").shift(1, fill_value=1.0).over(over(by)).alias("__before"),
            pl.col("__greenwood").shift(1, fill_value=0.0).over(over(by)).alias("__greenwood"),
        )
        before, greenwood = pl.col("__before"), pl.col("__greenwood")
        parts = []
        for cause in causes:
            # At each time F gains S h, where h is the hazard of this cause. So the variance of F and its covariance
            # with S (here divided by S) grow by running sums in which nothing is ever divided by S.
            h = pl.col(f"n_{cause}").cast(pl.Float64) / n
            gained = before * h
            curve = table.with_columns(
                gained.cum_sum().over(over(by)).alias("estimate"),
                (gained * (greenwood - 1 / n)).cum_sum().over(over(by)).alias("__joint"),
            )
            joint = pl.col("__joint").shift(1, fill_value=0.0).over(over(by))
            variance = (
                (2 * gained * joint + gained**2 * greenwood + before * gained * (1 - h) / n).cum_sum().over(over(by))
            )
            curve = curve.with_columns(variance.alias("__variance"))
            f = curve["estimate"].to_numpy()
            error = np.sqrt(np.maximum(curve["__variance"].to_numpy(), 0.0))
            error = errors_of(tables, curve, [*by, "time"], cause, error)
            lower, upper = limits_of(f, error, settings["confidence"], settings["interval"])
            curve = curve.with_columns(
                pl.col(f"n_{cause}").alias("n_events"), pl.lit(cause, dtype=pl.Int64).alias("cause")
            )
            parts.append(with_limits(curve, (*by, "cause"), f, error, lower, upper))
        return pl.concat(parts).sort([*by, "cause", "time"], nulls_last=True)

    def cause_words(self, cause: int) -> str:
        """Name of a cause in words."""
        names = self.settings.get("cause_names") or {}
        said = in_words(names.get(cause, names.get(str(cause), f"cause {cause}")))
        # a competing event is counted only where it came before the first cause
        return said if cause == self.settings["causes"][0] else f"{said} first"

    def sentence(self) -> str:
        """Return the share to whom each cause had happened at the headline time."""
        return curve_sentence(self, self.clauses_of(self.settings))

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the cumulative incidence of each cause at the headline time."""
        return curve_figures(self, self.clauses_of(self.settings))

    def heading(self) -> str:
        """Return the first cause and the people as a title."""
        cause = self.settings["causes"][0]
        event = self.settings["cause_names"].get(cause, f"cause {cause}")
        by = f", by {strata_phrase(self.by)}" if self.by else ""
        return f"Time to {outcome(event)}{self.after_joining()}{by}"

    @staticmethod
    def clauses_of(settings: Mapping[str, Any]) -> list[tuple[int | None, str]]:
        """Return each cause with what happened, in words."""
        causes = settings["causes"]
        names = settings["cause_names"]
        clauses: list[tuple[int | None, str]] = [(causes[0], happened(names.get(causes[0], f"cause {causes[0]}")))]
        # whatever competes with the first cause came before it
        first = outcome(names.get(causes[0], f"cause {causes[0]}")).removeprefix("first ")
        clauses += [(c, f"{happened(names.get(c, f'cause {c}'))} without {first}") for c in causes[1:]]
        return clauses


def kaplan_meier(
    frame: Any,
    *,
    time: str | None = None,
    event: str | None = None,
    entry: str | None = None,
    by: str | Sequence[str] = (),
    weights: str | None = None,
    cluster: str | None = None,
    confidence: float = 0.95,
    interval: str = "log",
    time_unit: str | None = None,
    event_name: str | None = None,
    grid: Sequence[float] | None = None,
) -> SurvivalCurve:
    """Estimate the share of people to whom an event does not occur (survival).

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    time, event : str, optional
        Column with the time at which follow-up ends, and whether the event
        ended it (1 or True) or not (0 or False). What `Cohort.follow_up` returns names
        them itself, as it does `entry` and `weights`.
    entry : str, optional
        Column with the time from which each person was observed. They are at
        risk after it, up to and including `time`.
    by : str or sequence of str, optional
        Strata: one curve each.
    weights : str, optional
        Integer numbers of people a row stands for.
    cluster : str, optional
        Column with the id of the person (or the practice, the pair) whose row each is, where one has several. The
        variance is then by person, and the curve is not released. What `Cohort.follow_up` returns of several index dates
        or discharges a person has it so without being asked.
    confidence : float, default 0.95
        Of the pointwise intervals.
    interval : {"log", "log_log", "plain"}
        Scale on which the interval is symmetric; "log-log" may be written for "log_log".
    time_unit, event_name : str, optional
        Unit of time, such as "days", and the event in words.
    grid : sequence of float, optional
        Times at which the curve is released, from 0, where its unit is not days,
        weeks, months or years: those have one grid for all reports.

    Returns
    -------
    SurvivalCurve
        `time`, `n_at_risk`, `n_events`, `n_censored`, `estimate` (proportion
        event-free), `standard_error` (Greenwood), `lower`, `upper`; a row for
        every time at which somebody left. At zero the interval does not exist.

    Notes
    -----
    A released curve has a row for each time of the grid (0, 30, 60, ..., 330, 365
    days, then half-years): `n_events` and `n_censored` up to then, and `n_at_risk`
    after the events of that time, as released; the actuarial estimate from these
    counts; and limits that hold the exact estimate and its interval for any order
    of events within the grid's intervals and any numbers that round so.

    Raises
    ------
    ArgumentError
        On missing columns, missing values, or causes other than 0 and 1; with counts of rows.

    References
    ----------
    Kaplan, E. L. and Meier, P. (1958). Nonparametric estimation from incomplete
    observations. Journal of the American Statistical Association 53, 457-481.
    Cutler, S. J. and Ederer, F. (1958). Maximum utilization of the life table method
    in analyzing survival. Journal of Chronic Diseases 8, 699-712.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 2, 3], "event": [1, 1, 0, 0]})
    >>> sr.survival.kaplan_meier(people, time="time", event="event").estimates["estimate"].to_list()
    [0.75, 0.5, 0.5]
    """
    if (gone := passed_on(frame)) is not None:
        return gone
    interval = interval.replace("-", "_") if isinstance(interval, str) else interval  # R writes "log-log"
    require_one_of(interval, INTERVALS, argument="interval")
    normal_quantile(confidence)
    by = strata_names(by, frame)
    unit = time_unit or provenance_of(frame).population.get("time_unit")
    time, event, entry, weights = follow_up_columns(frame, time=time, event=event, entry=entry, weights=weights)
    cluster = cluster_of(frame, cluster)
    events = event_table(frame, time=time, event=event, entry=entry, by=by, weights=weights, clustered=True)
    if (events["kind"] > 1).any():
        raise ArgumentError(
            f"Event column '{event}' holds causes above 1, which compete: Kaplan-Meier would count whoever died as still able to have "
            "the event, and one less it overstates how many have it. Use cumulative_incidence, where causes compete, or for the "
            "cause-specific curve say which is the event with a column of 0 and 1."
        )
    settings = {
        "method": f"Kaplan-Meier, {f'variance by {cluster}' if cluster else 'Greenwood variance'}, {interval.replace('_', '-')} interval",
        "reference": f"Kaplan and Meier 1958{'; Ying and Wei 1994' if cluster else ''}",
        "time": time,
        "event": event,
        "entry": entry,
        "weights": weights,
        **({"cluster": cluster} if cluster else {}),
        "confidence": confidence,
        "interval": interval,
        "time_unit": unit,
        "grid": checked_grid(grid, unit),
        "event_name": event_name or provenance_of(frame).population.get("event"),
        **provenance_of(frame).as_settings(),
    }
    columns = {"time": time, "event": event, "entry": entry, "by": by, "weights": weights}
    return SurvivalCurve({"events": events, **clustered_tables(frame, events, cluster, columns)}, settings, by)


def cumulative_incidence(
    frame: Any,
    *,
    time: str | None = None,
    event: str | None = None,
    entry: str | None = None,
    by: str | Sequence[str] = (),
    weights: str | None = None,
    cluster: str | None = None,
    confidence: float = 0.95,
    interval: str = "log",
    time_unit: str | None = None,
    cause_names: Mapping[int, str] | None = None,
    grid: Sequence[float] | None = None,
) -> CumulativeIncidence:
    """Estimate the share of people with an event of each cause (cumulative incidence), the others competing.

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    time, event : str, optional
        Column with the time at which follow-up ends, and how: 0 = censored, 1, 2, ... = cause. What
        `Cohort.follow_up` returns names them itself, as it does `entry` and `weights`.
    entry : str, optional
        Column with the time from which each person was observed.
    by : str or sequence of str, optional
        Strata.
    weights : str, optional
        Integer numbers of people a row stands for.
    cluster : str, optional
        As in `kaplan_meier`.
    confidence : float, default 0.95
        Of the pointwise intervals.
    interval : {"log", "log_log", "plain"}
        Scale on which the interval is symmetric; "log-log" may be written for "log_log".
    time_unit : str, optional
        Unit of time, such as "days".
    cause_names : mapping, optional
        Words for the causes, such as `{1: "emergency admission", 2: "death"}`; 0 is no cause.
    grid : sequence of float, optional
        As in `kaplan_meier`, which says too what a released curve holds.

    Returns
    -------
    CumulativeIncidence
        `cause`, `time`, `n_at_risk`, `n_events` (of that cause), `n_censored`,
        `estimate`, `standard_error`, `lower`, `upper`.

    Raises
    ------
    ArgumentError
        On missing columns, missing values, or nobody with an event; with counts of rows.

    Notes
    -----
    One minus Kaplan-Meier would count people who died of something else as
    still able to have the event, and overstates it.

    References
    ----------
    Aalen, O. O. and Johansen, S. (1978). An empirical transition matrix for
    non-homogeneous Markov chains. Scandinavian Journal of Statistics 5, 141-150.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 3, 4], "event": [1, 2, 1, 0]})
    >>> curve = sr.survival.cumulative_incidence(people, time="time", event="event").estimates
    >>> curve.filter(pl.col("cause") == 1)["estimate"].to_list()
    [0.25, 0.25, 0.5, 0.5]
    """
    if (gone := passed_on(frame)) is not None:
        return gone
    interval = interval.replace("-", "_") if isinstance(interval, str) else interval  # R writes "log-log"
    require_one_of(interval, INTERVALS, argument="interval")
    normal_quantile(confidence)
    by = strata_names(by, frame)
    unit = time_unit or provenance_of(frame).population.get("time_unit")
    time, event, entry, weights = follow_up_columns(frame, time=time, event=event, entry=entry, weights=weights)
    cluster = cluster_of(frame, cluster)
    events = event_table(frame, time=time, event=event, entry=entry, by=by, weights=weights, clustered=True)
    names = names_of_causes(frame, cause_names)
    causes = sorted({*causes_of(events), *(int(c) for c in names)}) or [1]
    settings = {
        "method": f"Aalen-Johansen, {f'variance by {cluster}' if cluster else 'multinomial variance'}, {interval.replace('_', '-')} interval",
        "reference": f"Aalen and Johansen 1978{'; Chen and others 2008' if cluster else ''}",
        "time": time,
        "event": event,
        "entry": entry,
        "weights": weights,
        **({"cluster": cluster} if cluster else {}),
        "confidence": confidence,
        "interval": interval,
        "time_unit": unit,
        "grid": checked_grid(grid, unit),
        "causes": causes,
        "cause_names": names,
        **provenance_of(frame).as_settings(),
    }
    columns = {"time": time, "event": event, "entry": entry, "by": by, "weights": weights}
    own = clustered_tables(frame, events, cluster, columns, causes)
    return CumulativeIncidence({"events": events, **own}, settings, by)
