"""Restricted mean survival time, and its difference between groups; released from counts on the grid of times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import event_table, follow_up_columns, provenance_of
from symphony_research.collapse.margins import same_stratum
from symphony_research.collapse.ties import tie_width
from symphony_research.errors import ArgumentError
from symphony_research.inference import normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import passed_on
from symphony_research.survival.actuarial import restricted_mean_on_grid
from symphony_research.survival.base import Tables, _Curve
from symphony_research.survival.figures import number_with_interval
from symphony_research.survival.grid import checked_grid, landmark_of, require_grid_time, strata_of
from symphony_research.survival.named import strata_names
from symphony_research.survival.released_curves import counts_on_grid
from symphony_research.survival.risk import risk_table
from symphony_research.words.lexicon import NOT_AVAILABLE, SUPPRESSED, capital, outcome
from symphony_research.words.phrases import strata_words

__all__ = ["RestrictedMeanSurvivalTime", "restricted_mean_survival_time"]

_FIGURES = ("estimate", "standard_error", "lower", "upper")


class RestrictedMeanSurvivalTime(_Curve):
    """Mean time free of the event up to a horizon: the area under the Kaplan-Meier curve until then."""

    figure: ClassVar[str | None] = None
    title: ClassVar[str] = "Restricted mean survival time"
    own_settings: ClassVar[frozenset[str]] = _Curve.own_settings | {"horizon"}
    shown: ClassVar[tuple[str, ...]] = ("horizon", "estimate", "lower", "upper")
    own_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"horizon": "Horizon", "estimate": "Mean time event-free"}
    )
    is_share: ClassVar[bool] = False

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Area under the curve with Greenwood's variance; on the grid the life table's, with outer limits."""
        source = tables["grid"] if "grid" in tables else tables["events"]
        horizon, z = settings["horizon"], normal_quantile(settings["confidence"])
        schema: dict[str, Any] = {
            **{c: source.schema[c] for c in by},
            "horizon": pl.Float64,
            **dict.fromkeys(_FIGURES, pl.Float64),
        }
        rows = []
        for names in strata_of(source, by):
            own = same_stratum(source, names) if by else source
            found = _of_grid(own, settings, z) if "grid" in tables else _of_days(own, horizon, z)
            rows.append({**names, "horizon": horizon, **dict(zip(_FIGURES, found, strict=True))})
        return pl.DataFrame(rows, schema=schema)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return the counts on the grid; the horizon must be among its times."""
        if not policy.changes_nothing:
            since = landmark_of(settings)
            require_grid_time(settings["horizon"], settings.get("time_unit"), settings.get("grid"), since=since)
        return _Curve.release_form(tables, settings, by, policy)

    @property
    def differences(self) -> pl.DataFrame:
        """Each group less the first: its strata, those of the first as `reference_...`, and in exact results a p value.

        Of a released result the limits hold the exact difference and its interval.
        """
        self._refuse_undisclosed("The differences of")
        frame, z = self._derived, normal_quantile(self.settings["confidence"])
        if not self.by or frame.height < 2:
            raise ArgumentError(f"A difference needs two groups or more: by is {list(self.by)}.")
        first, others = frame.head(1), frame.tail(-1)
        told = [pl.lit(first[c][0], dtype=frame.schema[c]).alias(f"reference_{c}") for c in self.by]
        one = first.row(0, named=True)
        value = pl.col("estimate") - one["estimate"]
        if self.on_grid:
            return others.select(
                *self.by, *told, "horizon", value.alias("estimate"), pl.lit(None, dtype=pl.Float64).alias("standard_error"),
                (pl.col("lower") - one["upper"]).alias("lower"), (pl.col("upper") - one["lower"]).alias("upper"),
                pl.lit(None, dtype=pl.Float64).alias("p_value"),
            )  # fmt: skip
        error = (pl.col("standard_error") ** 2 + (one["standard_error"] or 0.0) ** 2).sqrt()
        found = others.select(*self.by, *told, "horizon", value.alias("estimate"), error.alias("standard_error"))
        found = found.with_columns(
            (pl.col("estimate") - z * pl.col("standard_error")).alias("lower"),
            (pl.col("estimate") + z * pl.col("standard_error")).alias("upper"),
        )
        return found.with_columns(pl.Series("p_value", _two_sided(found["estimate"], found["standard_error"])))

    def sentence(self) -> str:
        """Return the mean time event-free of each group, and the difference between two."""
        rows = self.estimates.to_dicts()
        known = [row for row in rows if row["estimate"] is not None]
        horizon, unit = f"{self.settings['horizon']:g} {self.time_unit}".rstrip() + self.after_landmark, self.time_unit
        event = self.settings.get("event_name")
        free = "alive" if event == "death" else f"free of {outcome(event)}" if event else "event-free"
        if not known:
            return f"The mean time {free} over {horizon} cannot be given: follow-up is too short, or counts are suppressed."
        label = f"{100 * self.settings.get('confidence', 0.95):g}% CI"
        said = []
        for k, row in enumerate(known):
            group = strata_words({c: row[c] for c in self.by})
            figure = number_with_interval(row["estimate"], row["lower"], row["upper"], label=label if k == 0 else "")
            said.append(f"{figure}{f' for {group}' if group else ''}")
        each = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
        told = f"Over {horizon}, the mean time {free}{f' in {unit}' if unit else ''} was {each}."
        if len(rows) != 2 or len(known) != 2:
            return told
        row = self.differences.row(0, named=True)
        clear = row["lower"] is not None and (row["lower"] > 0 or row["upper"] < 0)
        ends = number_with_interval(row["estimate"], row["lower"], row["upper"])
        return f"{told} {'They differ by' if clear else 'There is no clear difference:'} {ends}."

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return what stands for a time that is not there: follow-up ends before the horizon, or counts are suppressed."""
        if not self.on_grid:
            return NOT_AVAILABLE
        beyond = record["horizon"] > (self.count_tables["grid"]["time"].max() or 0)
        return NOT_AVAILABLE if beyond or column == "standard_error" else SUPPRESSED

    def heading(self) -> str:
        """Return the event and the people as a title."""
        return f"Mean time to {outcome(self.settings.get('event_name'))}{self.after_joining()}"

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings, the unit of time among them."""
        unit = self.time_unit
        return {**super().column_words, "horizon": capital(f"{unit}, up to") if unit else "Up to"}


def _two_sided(value: pl.Series, error: pl.Series) -> list[float | None]:
    from scipy.special import ndtr

    pairs = zip(value.to_list(), error.to_list(), strict=True)
    return [None if v is None or not e else float(2 * ndtr(-abs(v / e))) for v, e in pairs]


def _of_days(events: pl.DataFrame, horizon: float, z: float) -> tuple[float | None, ...]:
    """Return the area under the exact curve up to the horizon, its standard error and limits; none beyond follow-up."""
    table = risk_table(events, (), [])
    times, n, d = (table[c].to_numpy().astype(float) for c in ("time", "n_at_risk", "n_events"))
    survival = np.cumprod(1 - d / n)
    if not len(times) or (times[-1] < horizon - tie_width(table["time"]) and survival[-1] > 0):
        return None, None, None, None
    inside = times < horizon
    starts = np.concatenate([[0.0], times[inside], [horizon]])
    areas = np.concatenate([[1.0], survival[inside]]) * np.diff(starts)
    after = np.cumsum(areas[::-1])[::-1][1:]  # area from each time to the horizon
    n, d = n[inside], d[inside]
    spread = np.where(n > d, d / np.maximum(n * (n - d), 1), 0.0)  # nothing comes after all have had the event
    estimate, error = float(areas.sum()), float(np.sqrt((after**2 * spread).sum()))
    return estimate, error, max(estimate - z * error, 0.0), min(estimate + z * error, horizon)


def _of_grid(grid: pl.DataFrame, settings: Mapping[str, Any], z: float) -> tuple[float | None, ...]:
    """Return the area under the life table's curve up to the horizon and limits that hold the exact one and its interval."""
    times, counts = counts_on_grid(grid, settings)
    estimate, lower, upper = restricted_mean_on_grid(times, counts, settings.get("released"), settings["horizon"], z)
    return estimate, None, lower, upper


def restricted_mean_survival_time(
    frame: Any,
    *,
    time: str | None = None,
    event: str | None = None,
    horizon: float,
    entry: str | None = None,
    by: str | Sequence[str] = (),
    weights: str | None = None,
    confidence: float = 0.95,
    time_unit: str | None = None,
    event_name: str | None = None,
    grid: Sequence[float] | None = None,
) -> RestrictedMeanSurvivalTime:
    """Estimate the mean time free of an event up to a horizon.

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    time, event : str, optional
        Column with the time at which follow-up ends, and whether the event
        ended it (1 or True) or not (0 or False). What
        `Cohort.follow_up` returns names them itself.
    horizon : float
        Up to which time the mean is taken, in the unit of `time`; to be released, a
        time of the grid.
    entry : str, optional
        Column with the time from which each person was observed.
    by : str or sequence of str, optional
        Groups: one mean each, and their differences from the first.
    weights : str, optional
        Integer numbers of people a row stands for.
    confidence : float, default 0.95
        Of the intervals.
    time_unit, event_name : str, optional
        Unit of time, such as "days", and the event in words.
    grid : sequence of float, optional
        As in `kaplan_meier`.

    Returns
    -------
    RestrictedMeanSurvivalTime
        One row a group: `horizon`, `estimate`, `standard_error`, `lower`, `upper`, in the unit of
        `time`. Null where follow-up ends before the horizon with somebody still free of the
        event: the curve is not drawn on. `.differences` has each group less the first.

    Raises
    ------
    ArgumentError
        On missing columns, missing values, causes other than 0 and 1, or a horizon that is not above 0.

    Notes
    -----
    The area under the Kaplan-Meier curve; its variance is the sum over times t of an event of
    A(t)^2 d / (n (n - d)), A(t) being the area from t to the horizon, as R's `print(survfit,
    rmean = horizon)`. A released estimate is the area under the life table's curve on the grid; its
    limits hold the exact estimate and its interval, and no standard error is given.

    References
    ----------
    Irwin, J. O. (1949). The standard error of an estimate of expectation of life. Journal of Hygiene 47, 188-189.
    Royston, P. and Parmar, M. K. B. (2013). Restricted mean survival time: an alternative to the hazard
    ratio. BMC Medical Research Methodology 13, 152.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 3, 4], "event": [1, 1, 1, 0]})
    >>> mean = sr.survival.restricted_mean_survival_time(people, time="time", event="event", horizon=4)
    >>> mean.estimates["estimate"].item()
    2.5
    """
    if (gone := passed_on(frame)) is not None:
        return gone
    if isinstance(horizon, bool) or not isinstance(horizon, (int, float)) or not 0 < horizon < np.inf:
        raise ArgumentError(f"horizon={horizon!r} must be a time above 0, in the unit of '{time}'.")
    normal_quantile(confidence)
    by = strata_names(by, frame)
    provenance = provenance_of(frame)
    unit = time_unit or provenance.population.get("time_unit")
    time, event, entry, weights = follow_up_columns(frame, time=time, event=event, entry=entry, weights=weights)
    events = event_table(frame, time=time, event=event, entry=entry, by=by, weights=weights)
    if (events["kind"] > 1).any():
        raise ArgumentError(
            f"Event column '{event}' holds causes above 1. Say which is the event with a column of 0 and 1."
        )
    settings = {
        "method": "area under the Kaplan-Meier curve, Greenwood variance",
        "reference": "Royston and Parmar 2013",
        "time": time,
        "event": event,
        "entry": entry,
        "weights": weights,
        "confidence": confidence,
        "interval": "plain",
        "horizon": float(horizon),
        "time_unit": unit,
        "grid": checked_grid(grid, unit),
        "event_name": event_name or provenance.population.get("event"),
        **provenance.as_settings(),
    }
    return RestrictedMeanSurvivalTime({"events": events}, settings, by)
