"""A curve read at chosen times: for tables, and for the numbers under a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse.margins import same_stratum
from symphony_research.collapse.ties import at_known_times, tie_width
from symphony_research.errors import ArgumentError
from symphony_research.policy import Policy
from symphony_research.result import Result, passed_on
from symphony_research.result.roles import TableRoles
from symphony_research.survival.base import Tables, _Curve
from symphony_research.survival.curves import CumulativeIncidence, SurvivalCurve
from symphony_research.survival.figures import number_with_interval
from symphony_research.survival.grid import landmark_of, require_grid_time
from symphony_research.survival.hazard import NelsonAalen
from symphony_research.survival.mean_cumulative import MeanCumulativeCount
from symphony_research.survival.risk import at_risk, starts_at
from symphony_research.words.lexicon import COLUMN_WORDS, capital, in_words
from symphony_research.words.numbers import number
from symphony_research.words.phrases import share_with_interval, strata_phrase, strata_words

__all__ = ["CurvePoints", "at", "read_curve"]

_FAMILIES: dict[str, type[_Curve]] = {
    f.__name__: f for f in (SurvivalCurve, CumulativeIncidence, NelsonAalen, MeanCumulativeCount)
}


class CurvePoints(_Curve):
    """A curve at chosen times."""

    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = MeanCumulativeCount.own_settings | {"curve", "times"}
    shown: ClassVar[tuple[str, ...]] = ("what", "time", "n_at_risk", "estimate", "lower", "upper")
    own_words: ClassVar[Mapping[str, str]] = {"what": "", "estimate": "Estimate"}

    @property
    def percentages(self) -> tuple[str, ...]:  # type: ignore[override]
        """Columns that are shares of people."""
        return ("estimate", "lower", "upper") if _FAMILIES[self.settings["curve"]].is_share else ()

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings, of a share that it is one."""
        return {**super().column_words, **({"estimate": "Share of people"} if self.percentages else {})}

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return the curve, derived again and read at the times."""
        curve = _FAMILIES[settings["curve"]].derive(tables, settings, by)
        begins_at = _FAMILIES[settings["curve"]].begins_at
        points = _read(curve, tables.get("events"), by, settings["times"], begins_at)
        curve_of = _FAMILIES[settings["curve"]]
        words = {cause: capital(said.removeprefix("were ")) for cause, said in curve_of.clauses_of(settings)}
        if "cause" in points.columns:
            what = pl.col("cause").replace_strict(list(words), list(words.values()), return_dtype=pl.String)
        else:
            what = pl.lit(words[None])
        return points.with_columns(what.alias("what"))

    def display(self) -> pl.DataFrame | None:
        """Return one row a time, of each stratum, and a column for each outcome."""
        said = share_with_interval if self.percentages else number_with_interval
        rows: dict[tuple[Any, ...], dict[str, str]] = {}
        for row in self.estimates.sort("time", maintain_order=True).iter_rows(named=True):
            line = rows.setdefault((*(row[c] for c in self.by), row["time"]), {})
            line |= {COLUMN_WORDS.get(c, capital(in_words(c))): capital(strata_words({c: row[c]})) for c in self.by}
            line[self.column_words["time"]] = f"{row['time']:g}"
            line["Number at risk"] = (
                self.missing_marker(row, "n_at_risk") if row["n_at_risk"] is None else number(row["n_at_risk"])
            )
            line[f"{row['what']} ({self.interval_words})"] = (
                self.missing_marker(row, "estimate")
                if row["estimate"] is None
                else said(row["estimate"], row["lower"], row["upper"])
            )
        # strata stand in the order of the estimates, each with its times
        order = list(dict.fromkeys(key[:-1] for key in self.estimates.select(*self.by, "time").iter_rows()))
        return pl.DataFrame([rows[key] for key in sorted(rows, key=lambda key: (order.index(key[:-1]), key[-1]))])

    @property
    def title(self) -> str:  # type: ignore[override]
        """What the table holds: which curve, and by what."""
        by = f", by {strata_phrase(self.by)}" if self.by else ""
        return f"{_FAMILIES[self.settings['curve']].title} at fixed times{by}"

    @property
    def interval_words(self) -> str:
        """The interval in words: "95% CI"."""
        return f"{100 * self.settings.get('confidence', 0.95):g}% CI"

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return the counts on the grid; the times must be among its own."""
        if not policy.changes_nothing:
            _require_on_grid(settings)
        return _FAMILIES[settings["curve"]].release_form(tables, settings, by, policy)

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out what the curve leaves out."""
        return _FAMILIES[settings["curve"]].trim(tables, settings, by)

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the roles of the curve's tables."""
        return _FAMILIES[settings["curve"]].roles_of(settings)

    def sentence(self) -> str:
        """Return what the curve says at its end."""
        settings = {name: value for name, value in self.settings.items() if name not in ("curve", "times")}
        return _FAMILIES[self.settings["curve"]](self.count_tables, settings, self.by, self.disclosure).sentence()


def _require_on_grid(settings: Mapping[str, Any]) -> None:
    for time in settings["times"]:
        require_grid_time(
            time, settings.get("time_unit"), settings.get("grid"), what="time", since=landmark_of(settings)
        )


def at(result: Result, times: float | Sequence[float]) -> CurvePoints:
    """Read a curve at given times.

    Parameters
    ----------
    result : SurvivalCurve, CumulativeIncidence, NelsonAalen or MeanCumulativeCount
        The curve; what was disclosed stays so.
    times : float or sequence of float
        In the curve's own unit; of a released curve, times of its grid.

    Returns
    -------
    CurvePoints
        The strata, `time`, `n_at_risk`, `estimate`, `lower`, `upper`, and in words
        `what` they are the share of. Past the end of a curve they are null, and so
        are shares before anybody is at risk. Of a
        released curve the number at risk is that after the events of the time.

    Raises
    ------
    ArgumentError
        If the result is not a curve, a time is no number, or a released curve is
        read between the times of its grid; with the next time that is one.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 2, 3], "event": [1, 1, 0, 0]})
    >>> curve = sr.survival.kaplan_meier(people, time="time", event="event")
    >>> sr.survival.at(curve, [0, 2, 2.5]).estimates["n_at_risk"].to_list()
    [4, 3, 1]
    """
    if (gone := passed_on(result)) is not None:
        return gone
    return CurvePoints(result.count_tables, _read_at(result, times), result.by, result.disclosure)


def read_curve(result: Result, times: float | Sequence[float]) -> pl.DataFrame:
    """Return the strata, cause, `time`, `n_at_risk`, `estimate`, `lower` and `upper` of a curve at given times.

    The figures of `at`, read from the estimates that the curve has already.
    """
    wanted = _read_at(result, times)["times"]
    assert isinstance(result, _Curve)
    return _read(result.estimates, result.count_tables.get("events"), result.by, wanted, result.begins_at)


def _read_at(result: Result, times: float | Sequence[float]) -> dict[str, Any]:
    """Return the settings of a curve read at times, which must be such that it can be."""
    if not isinstance(result, _Curve) or type(result).__name__ not in _FAMILIES:
        raise ArgumentError("A curve is needed: the result of kaplan_meier, cumulative_incidence or nelson_aalen.")
    wanted = [float(t) for t in ([times] if isinstance(times, (int, float)) else times)]
    if not np.isfinite(wanted).all():
        raise ArgumentError(f"{np.sum(~np.isfinite(wanted))} of {len(wanted)} times are no finite number.")
    settings = {**result.settings, "curve": type(result).__name__, "times": wanted}
    if result.on_grid:
        _require_on_grid(settings)
    return settings


def _read(
    frame: pl.DataFrame, events: pl.DataFrame | None, by: tuple[str, ...], times: Sequence[float], begins_at: float
) -> pl.DataFrame:
    """Return the estimates of a curve at the times, for each stratum and cause."""
    strata = [*by, *(["cause"] if "cause" in frame.columns else [])]
    figures = ("estimate", "lower", "upper")
    known = (frame if events is None else events)["time"]
    wanted = at_known_times(times, known, tie_width(known))
    parts = []
    for names in frame.select(strata).unique(maintain_order=True).to_dicts() if strata else [{}]:
        part = same_stratum(frame, names)
        if not part.height:
            continue
        moments = part["time"].to_numpy()
        done = np.searchsorted(moments, wanted, side="right") - 1
        past = wanted > moments[-1]
        values = {column: part[column].to_list() for column in ("n_at_risk", *figures)}
        # the time itself where it is the grid's, and the last step before it where a curve goes by day
        columns: dict[str, Any] = {
            column: [
                None if past[k] else begins_at if done[k] < 0 else values[column][done[k]] for k in range(len(wanted))
            ]
            for column in ("n_at_risk", *figures)
        }
        if events is not None:
            own_events = same_stratum(events, {c: names[c] for c in by})
            columns["n_at_risk"] = _still_at_risk(own_events, wanted, past)
            early = wanted < starts_at(own_events)  # nobody is at risk yet, of whom a share could be told
            for column in figures:
                columns[column] = [None if none else v for none, v in zip(early, columns[column], strict=True)]
        schema = {"n_at_risk": pl.Int64, **dict.fromkeys(figures, pl.Float64)}
        own = [pl.lit(value, dtype=frame.schema[c]).alias(c) for c, value in names.items()]
        parts.append(pl.DataFrame({"time": wanted, **columns}, schema_overrides=schema).select([*own, pl.all()]))
    return pl.concat(parts) if parts else frame.select([*strata, "time", "n_at_risk", *figures])


def _still_at_risk(events: pl.DataFrame, times: np.ndarray, past: np.ndarray) -> list[int | None]:
    """Return the people of one stratum at risk at each time; None past the end."""
    entries = events.filter(pl.col("kind") < 0)
    if entries.height:  # whoever enters at the very beginning is at risk from it on
        times = np.where(times == entries["time"].min(), np.nextafter(times, np.inf), times)
    return [None if gone else int(n) for gone, n in zip(past, at_risk(events, times), strict=True)]
