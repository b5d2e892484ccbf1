"""Mean days at home, alive and out of hospital, over a fixed horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import Collapsed, as_lazy, event_table, follow_up_columns, provenance_of
from symphony_research.collapse.margins import same_stratum
from symphony_research.errors import ArgumentError, require_columns
from symphony_research.inference import normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import KeyFigure, passed_on
from symphony_research.result.roles import Count, Internal, Mean, TableRoles
from symphony_research.survival.base import Tables, _Curve
from symphony_research.survival.figures import number_with_interval
from symphony_research.survival.grid import AT_RISK, checked_grid, require_grid_time, strata_of
from symphony_research.survival.grid_cells import followed
from symphony_research.survival.named import strata_names
from symphony_research.survival.weighted_mean import weighted_mean
from symphony_research.words.lexicon import NOT_AVAILABLE, SUPPRESSED
from symphony_research.words.numbers import number
from symphony_research.words.phrases import confidence_of, strata_words

__all__ = ["DaysAtHome", "days_at_home"]

_FIGURES = ("estimate", "standard_error", "lower", "upper")
_RELEASED = ("mean_days", "mean_days_lower", "mean_days_upper")


class DaysAtHome(_Curve):
    """Mean days at home of each group, over a horizon.

    Released, people are counted as a curve of deaths counts them. The mean has three figures, and is not shown where
    one or two people have most of the days at home, or most of the days that are missing to the horizon.
    """

    title: ClassVar[str] = "Days at home"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = _Curve.own_settings | {"horizon", "days"}
    shown: ClassVar[tuple[str, ...]] = ("n_persons", "estimate", "lower", "upper")
    is_share: ClassVar[bool] = False

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the roles of the sums by day, which are never released, of the grid's counts, and of the means."""
        value = f"days at home of {settings.get('horizon')}"
        means = {c: Mean("n_persons", "herfindahl_days", value if c == _RELEASED[0] else "") for c in _RELEASED}
        sums = dict.fromkeys(("time", "kind", "n_persons", "sum", "squares"), Internal())
        return {
            **_Curve.roles_of(settings),
            "days": TableRoles(sums),
            "home": TableRoles(
                {"n_persons": Count(), **means, "herfindahl_days": Internal()},
                counts=lambda row, column, settings: followed(settings),
            ),
        }

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Weighted means and their intervals; released, as they are."""
        if "home" in tables:
            named = dict(zip(_RELEASED, ("estimate", "lower", "upper"), strict=True))
            home = tables["home"].rename(named).with_columns(pl.lit(None, dtype=pl.Float64).alias("standard_error"))
            return home.select(*by, "n_persons", *_FIGURES)
        return _exact(tables["days"], settings, by).select(*by, "n_persons", *_FIGURES)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return people on the grid, of whose times the horizon must be one, and means with limits rounded outwards."""
        if policy.changes_nothing or "home" in tables:
            return tables
        require_grid_time(settings["horizon"], settings.get("time_unit"), settings.get("grid"))
        exact = _exact(tables["days"], settings, by)
        outer = [
            pl.Series(name, [None if v is None else _outwards(v, up=up) for v in exact[c]], dtype=pl.Float64)
            for c, name, up in (("lower", _RELEASED[1], False), ("upper", _RELEASED[2], True))
        ]
        home = exact.with_columns(*outer).rename({"estimate": _RELEASED[0]})
        home = home.select(*by, "n_persons", *_RELEASED, "herfindahl_days")
        return {**_Curve.release_form({"events": tables["events"]}, settings, by, policy), "home": home}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out the limits of a mean that is not shown, and means of people whose number is suppressed on the grid."""
        if "home" not in tables:
            return tables
        start = tables["grid"].filter((pl.col("time") == 0) & (pl.col("state") == AT_RISK))
        start = start.select(*by, pl.col("n_persons").is_not_null().alias("__shown"))
        home = tables["home"]
        beside = (
            home.join(start, on=by, how="left", nulls_equal=True, maintain_order="left") if by else home.hstack(start)
        )
        there = pl.col("__shown").fill_null(False) & pl.all_horizontal(pl.col("n_persons", _RELEASED[0]).is_not_null())
        return {**tables, "home": beside.with_columns(pl.when(there).then(pl.col(*_RELEASED))).drop("__shown")}

    @staticmethod
    def clauses_of(settings: Mapping[str, Any]) -> list[tuple[int | None, str]]:
        """Return what is estimated, in words."""
        return [(None, "days at home")]

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings, the interval among them."""
        how = confidence_of(self.settings)
        return MappingProxyType(
            {
                "n_persons": "People", "estimate": f"Mean days at home of {self.settings['horizon']:g}",
                "lower": f"{how}, lower", "upper": f"{how}, upper", "standard_error": "Standard error",
            }
        )  # fmt: skip

    def with_interval(self, row: Mapping[str, Any], label: str = "") -> str:
        """Return a mean with its interval: "331 (329 to 334)", or what stands for it."""
        if row["estimate"] is None:
            return self.missing_marker(row, "estimate")
        return number_with_interval(row["estimate"], row["lower"], row["upper"], label=label)

    def of_groups(self) -> list[tuple[str, dict[str, Any]]]:
        """Return each group in words with its row."""
        return [(strata_words({c: row[c] for c in self.by}), row) for row in self.estimates.iter_rows(named=True)]

    def sentence(self) -> str:
        """Return the mean days at home of each group; of many the most and the fewest."""
        horizon = f"{self.settings['horizon']:g} days{self.after_landmark}"
        known = [(group, row) for group, row in self.of_groups() if row["estimate"] is not None]
        if not known:
            short = all(self.missing_marker(row, "estimate") == NOT_AVAILABLE for _, row in self.of_groups())
            why = "follow-up is too short" if short else "they are suppressed by disclosure control"
            return f"The mean days at home over {horizon} cannot be given: {why}."
        label, ranked = confidence_of(self.settings), sorted(known, key=lambda pair: -pair[1]["estimate"])
        gone = [
            f"{group} {self.missing_marker(row, 'estimate')}"
            for group, row in self.of_groups()
            if row["estimate"] is None
        ]
        without = f" ({', '.join(gone)})" if gone else ""
        if len(known) > 3:
            low, high = ranked[-1], ranked[0]
            each = f"from {self.with_interval(low[1], label)} days at home ({low[0]}) to {self.with_interval(high[1])} ({high[0]})"
        else:
            said = []
            for k, (group, row) in enumerate(known):
                figure = f"{self.with_interval(row)}" if k else f"{self.with_interval(row, label)} days at home"
                said.append(f"{figure} ({group})" if group else figure)
            each = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
        return f"Over {horizon}, people spent on average {each}{without}, alive and out of hospital."

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the mean days at home of each group."""
        what, when = "Mean days at home", f"within {self.settings['horizon']:g} days"
        return tuple(
            KeyFigure(f"{what} {when}{f': {group}' if group else ''}", self.with_interval(row), what, when)
            for group, row in self.of_groups()
        )

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return what stands for a mean that is not there: follow-up ends before the horizon, or it is suppressed."""
        if not self.on_grid or column == "standard_error":
            return NOT_AVAILABLE
        grid, end = self.count_tables["grid"], self.settings["horizon"]
        names = {**{c: record[c] for c in self.by}, "time": end, "state": AT_RISK}
        nobody = same_stratum(grid, names)["n_persons"].to_list() == [0]
        return NOT_AVAILABLE if nobody or end > (grid["time"].max() or 0) else SUPPRESSED

    def notes(self, columns: Any) -> list[str]:
        """Return what stands under its table."""
        return [f"Days alive and out of hospital, of the first {number(int(self.settings['horizon']))} days."]

    def heading(self) -> str:
        """Return what was measured, and of whom, as a title."""
        return f"Days at home{self.after_joining()}"


def _outwards(value: float, *, up: bool) -> float:
    """Round a limit outwards to three figures, which a mean of days is released to, or two under a hundred."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (np.floor(np.log10(value)) - (2 if value >= 100 else 1))
    return float(np.ceil(value / unit - 1e-9) * unit if up else np.floor(value / unit + 1e-9) * unit)


def _exact(days: pl.DataFrame, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
    """Return the mean of each group with its interval, and the larger spread of days at home and of days that are missing."""
    horizon, z = settings["horizon"], normal_quantile(settings["confidence"])
    rows = []
    for names in strata_of(days, by):
        own = same_stratum(days, names) if by else days
        cells = own.with_columns(((pl.col("kind") > 0) | (pl.col("time") >= horizon)).alias("complete"))
        n, found = int(own["n_persons"].sum()), weighted_mean(cells)
        row = {**names, "n_persons": n, **dict.fromkeys((*_FIGURES, "herfindahl_days"))}
        if found.estimate is not None:
            row["estimate"] = found.estimate
            row["herfindahl_days"] = max(found.herfindahl(), found.herfindahl(below=horizon))
        if found.estimate is not None and found.variance is not None:
            error = float(np.sqrt(found.variance))
            row["standard_error"] = error
            row["lower"], row["upper"] = max(found.estimate - z * error, 0.0), min(found.estimate + z * error, horizon)
        rows.append(row)
    schema: dict[str, Any] = {
        **{c: days.schema[c] for c in by}, "n_persons": pl.Int64,
        **dict.fromkeys((*_FIGURES, "herfindahl_days"), pl.Float64),
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema)


def days_at_home(
    frame: Any,
    *,
    horizon: float | None = None,
    time: str | None = None,
    event: str | None = None,
    days: str = "days_at_home",
    by: str | Sequence[str] = (),
    confidence: float = 0.95,
    time_unit: str | None = "days",
    grid: Sequence[float] | None = None,
) -> DaysAtHome:
    """Estimate the mean days at home, alive and out of hospital, over a horizon.

    Parameters
    ----------
    frame : frame
        What `Cohort.days_at_home` returns, or one row per person.
    horizon : float, optional
        Days over which they are counted; what `Cohort.days_at_home` returns has its own. To be released, a time of
        the grid of curves.
    time, event : str, optional
        Column with the time at which observation ended, and whether death ended it (1 or True). Whoever is
        observed to the horizon has a time of at least that.
    days : str, default "days_at_home"
        Column with each person's days at home within the horizon.
    by : str or sequence of str, optional
        Groups.
    confidence : float, default 0.95
        Of the intervals.
    time_unit : str, default "days"
        Unit of time.
    grid : sequence of float, optional
        As in `kaplan_meier`.

    Returns
    -------
    DaysAtHome
        One row a group: `n_persons`, `estimate`, `standard_error`, `lower`, `upper`, in days. Null where
        the last to be observed is censored before the horizon.

    Raises
    ------
    ArgumentError
        On missing columns or values, a horizon that is not above 0, or days below 0 or above the horizon; with counts of rows.

    Notes
    -----
    Days at home are those that a person is alive and not in hospital (Groff and others 2016; Burke and others 2020 leave out
    emergency, skilled nursing and other care too, which is not done here). Whoever dies has no more of them, so that
    fewer deaths and fewer hospital days both count. The days of whoever is censored before the horizon are not known as
    a whole. They are not used: those who are complete stand for them, with one over the share uncensored as their weight
    (Bang and Tsiatis 2000), which holds where censoring does not depend on health; people with complete follow-up
    alone would be too many who died early. The variance is by person, the normal interval ends at 0 and the horizon.

    References
    ----------
    Groff, A. C., Colla, C. H. and Lee, T. H. (2016). Days spent at home: a patient-centered goal and outcome. New
    England Journal of Medicine 375, 1610-1612.
    Burke, L. G., Orav, E. J., Zheng, J. and Jha, A. K. (2020). Healthy days at home: a novel population-based outcome
    measure. Healthcare 8, 100378.
    Bang, H. and Tsiatis, A. A. (2000). Estimating medical costs with censored data. Biometrika 87, 329-343.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [30, 10, 30], "died": [0, 1, 0], "days_at_home": [30, 4, 26]})
    >>> sr.survival.days_at_home(people, time="time", event="died", horizon=30).estimates["estimate"].item()
    20.0
    """
    if (gone := passed_on(frame)) is not None:
        return gone
    normal_quantile(confidence)
    by, provenance = strata_names(by, frame), provenance_of(frame)
    horizon = provenance.population.get("horizon") if horizon is None else horizon
    if isinstance(horizon, bool) or not isinstance(horizon, (int, float)) or not 0 < horizon < np.inf:
        raise ArgumentError(f"horizon={horizon!r} must be a number of days above 0.")
    if provenance.population.get("horizon") not in (None, horizon):
        raise ArgumentError(f"The days were counted over {provenance.population['horizon']} days: leave horizon out.")
    time, event, entry, weights = follow_up_columns(frame, time=time, event=event, entry=None, weights=None)
    if entry is not None:
        raise ArgumentError(
            "Days at home are counted from the start of time: people who enter late have none that are known."
        )
    events = event_table(frame, time=time, event=event, by=by, weights=weights)
    if (events["kind"] > 1).any():
        raise ArgumentError(f"Column '{event}' holds more than 0 and 1, which say whether death ended observation.")
    settings = {
        "method": "mean days alive and out of hospital, complete cases weighted by the inverse share uncensored, variance by person",
        "reference": "Groff and others 2016; Bang and Tsiatis 2000", "time": time, "event": event, "entry": None,
        "weights": weights, "days": days, "horizon": float(horizon), "confidence": confidence, "interval": "plain",
        "time_unit": provenance.population.get("time_unit") or time_unit, "event_name": "death",
        "grid": checked_grid(grid, provenance.population.get("time_unit") or time_unit), **provenance.as_settings(),
    }  # fmt: skip
    return DaysAtHome({"events": events, "days": _sums(frame, time, event, days, by, horizon)}, settings, by)


def _sums(frame: Any, time: str, event: str, days: str, by: tuple[str, ...], horizon: float) -> pl.DataFrame:
    """Return people, their days and squared days by when and how observation ended.

    Raises
    ------
    ArgumentError
        With counts of rows.
    """
    keys: list[Any] = [*by, pl.col(event).cast(pl.Int32).alias("kind"), pl.col(time).cast(pl.Float64).alias("time")]
    if isinstance(frame, Collapsed):
        table = frame.to_frame()
        require_columns(table.columns, [days, f"{days}_squared", "n_persons"], what="The collapsed table")
        own = table.select(
            *keys, "n_persons", sum=pl.col(days).cast(pl.Float64), squares=pl.col(f"{days}_squared").cast(pl.Float64)
        )
    else:
        people = as_lazy(frame, columns=(time, event, days, *by)).collect()
        value = pl.col(days).cast(pl.Float64)
        wrong = people.select((~value.is_between(0, horizon)).fill_null(True).sum()).item()
        if wrong:
            raise ArgumentError(f"{wrong:,} rows have no days between 0 and {horizon:g} in column '{days}'.")
        own = people.select(*keys, n_persons=pl.lit(1, dtype=pl.Int64), sum=value, squares=value**2)
    counted = own.group_by([*by, "kind", "time"]).agg(pl.col("n_persons", "sum", "squares").sum())
    return counted.sort([*by, "kind", "time"], nulls_last=True)
