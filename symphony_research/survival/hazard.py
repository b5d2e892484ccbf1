"""The Nelson-Aalen estimate of the cumulative hazard; released on the grid of times, as curves of survival are."""

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
from symphony_research.survival.actuarial_hazard import hazard_interval, hazard_on_grid
from symphony_research.survival.base import Tables, _Curve
from symphony_research.survival.figures import figures_of, sentence_of
from symphony_research.survival.grid import checked_grid
from symphony_research.survival.limits import with_limits
from symphony_research.survival.named import strata_names
from symphony_research.survival.released_curves import estimates_on_grid
from symphony_research.survival.risk import over, risk_table
from symphony_research.words.lexicon import capital, outcome

__all__ = ["HAZARD_INTERVALS", "NelsonAalen", "nelson_aalen"]

HAZARD_INTERVALS = ("log", "plain")


class NelsonAalen(_Curve):
    """Cumulative hazard of an event: how many events one person always at risk would expect."""

    figure: ClassVar[str | None] = "symphony_research.show.curve_plots:plot_survival"
    title: ClassVar[str] = "Cumulative hazard (Nelson-Aalen)"
    shown: ClassVar[tuple[str, ...]] = ("time", "n_at_risk", "n_events", "n_censored", "estimate", "lower", "upper")
    own_words: ClassVar[Mapping[str, str]] = MappingProxyType({"estimate": "Cumulative hazard"})
    is_share: ClassVar[bool] = False

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Sum of events over those at risk, with the sum of events over their square as its variance."""
        if "grid" in tables:
            return estimates_on_grid(tables["grid"], settings, by, [], of_one_event=hazard_on_grid)
        n, d = pl.col("n_at_risk").cast(pl.Float64), pl.col("n_events").cast(pl.Float64)
        steps = risk_table(tables["events"], by, []).with_columns(
            (d / n).cum_sum().over(over(by)).alias("estimate"),
            (d / n**2).cum_sum().over(over(by)).alias("__variance"),
        )
        hazard, error = steps["estimate"].to_numpy(), np.sqrt(steps["__variance"].to_numpy())
        lower, upper = hazard_interval(hazard, error, settings["confidence"], settings["interval"])
        return with_limits(steps, by, hazard, error, lower, upper)

    def sentence(self) -> str:
        """Return the cumulative hazard at the headline time, of each group."""
        return sentence_of(self, self.quantity)

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the cumulative hazard at the headline time."""
        return figures_of(self, self.quantity)

    def heading(self) -> str:
        """Return the event and the people as a title."""
        return f"{capital(self.quantity)}{self.after_joining()}"

    @property
    def quantity(self) -> str:
        """What is estimated, in words."""
        event = self.settings["event_name"]
        return f"cumulative hazard of {outcome(event)}" if event else "cumulative hazard"

    @staticmethod
    def clauses_of(settings: Mapping[str, Any]) -> list[tuple[int | None, str]]:
        """Return what is estimated, in words."""
        return [(None, "cumulative hazard")]


def nelson_aalen(
    frame: Any,
    *,
    time: str | None = None,
    event: str | None = None,
    entry: str | None = None,
    by: str | Sequence[str] = (),
    weights: str | None = None,
    confidence: float = 0.95,
    interval: str = "log",
    time_unit: str | None = None,
    event_name: str | None = None,
    grid: Sequence[float] | None = None,
) -> NelsonAalen:
    """Estimate the cumulative hazard of an event.

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    time, event : str, optional
        Column with the time at which follow-up ends, and whether the event
        ended it (1 or True) or not (0 or False). What
        `Cohort.follow_up` returns names them itself.
    entry : str, optional
        Column with the time from which each person was observed.
    by : str or sequence of str, optional
        Strata: one curve each.
    weights : str, optional
        Integer numbers of people a row stands for.
    confidence : float, default 0.95
        Of the pointwise intervals.
    interval : {"log", "plain"}
        Scale on which the interval is symmetric. On the survival scale these are
        the "log-log" and the "log" intervals of exp(-estimate).
    time_unit, event_name : str, optional
        Unit of time, such as "days", and the event in words.
    grid : sequence of float, optional
        As in `kaplan_meier`.

    Returns
    -------
    NelsonAalen
        `time`, `n_at_risk`, `n_events`, `n_censored`, `estimate` (cumulative hazard,
        in expected events a person), `standard_error`, `lower`, `upper`; a row for
        every time at which somebody left. The log interval of zero does not exist.

    Raises
    ------
    ArgumentError
        On missing columns, missing values, or causes other than 0 and 1; with counts of rows.

    Notes
    -----
    Tied events count together: d of n at risk add d/n, and d/n^2 to the variance
    (Poisson form), as R's `survfit(ctype = 1)`. A released estimate stands on the
    grid of times, is the life table's, and has no standard error; its limits hold
    the exact estimate and its interval.

    References
    ----------
    Nelson, W. (1972). Theory and applications of hazard plotting for censored failure
    data. Technometrics 14, 945-966.
    Aalen, O. O. (1978). Nonparametric inference for a family of counting processes.
    Annals of Statistics 6, 701-726.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 2, 3], "event": [1, 1, 0, 1]})
    >>> sr.survival.nelson_aalen(people, time="time", event="event").estimates["estimate"].round(3).to_list()
    [0.25, 0.583, 1.583]
    """
    if (gone := passed_on(frame)) is not None:
        return gone
    require_one_of(interval, HAZARD_INTERVALS, argument="interval")
    normal_quantile(confidence)
    by = strata_names(by, frame)
    provenance = provenance_of(frame)
    unit = time_unit or provenance.population.get("time_unit")
    time, event, entry, weights = follow_up_columns(frame, time=time, event=event, entry=entry, weights=weights)
    events = event_table(frame, time=time, event=event, entry=entry, by=by, weights=weights)
    if (events["kind"] > 1).any():
        raise ArgumentError(
            f"Event column '{event}' holds causes above 1. Count the other causes as censored (0): "
            "the estimate is then the cumulative hazard of the one cause."
        )
    settings = {
        "method": f"Nelson-Aalen, Poisson variance, {interval} interval",
        "reference": "Aalen 1978",
        "time": time,
        "event": event,
        "entry": entry,
        "weights": weights,
        "confidence": confidence,
        "interval": interval,
        "time_unit": unit,
        "grid": checked_grid(grid, unit),
        "event_name": event_name or provenance.population.get("event"),
        **provenance.as_settings(),
    }
    return NelsonAalen({"events": events}, settings, by)
