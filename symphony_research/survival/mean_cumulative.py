"""The mean cumulative count of recurrent events with death as a terminal event; it reads people, and keeps counts alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.cohort import RecurrentEvents
from symphony_research.collapse import column_names, event_table, names_of, provenance_of
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import KeyFigure, passed_on
from symphony_research.result.cells import Relation
from symphony_research.result.roles import Internal, Key, Known, Level, ModelEstimate, TableRoles
from symphony_research.survival.actuarial_hazard import hazard_interval
from symphony_research.survival.base import Tables, _Curve
from symphony_research.survival.figures import figures_of, sentence_of
from symphony_research.survival.grid import AT_RISK, checked_grid, strata_of
from symphony_research.survival.grid_cells import relations_of
from symphony_research.survival.group_test import compared, independent
from symphony_research.survival.hazard import HAZARD_INTERVALS
from symphony_research.survival.mean_release import RELEASED_MEANS, coarse_means, means_on_grid
from symphony_research.survival.recurrent_events import group_scores
from symphony_research.survival.recurrent_people import checked_people, daily_means, follow_up_of
from symphony_research.words.lexicon import capital, plural

__all__ = ["MeanCumulativeCount", "mean_cumulative_count"]

_COUNTS = ("n_at_risk", "n_events", "n_deaths", "n_censored")
_FIGURES = ("estimate", "standard_error", "lower", "upper")


class MeanCumulativeCount(_Curve):
    """Mean number of events a person up to each time, those after death being none.

    Released, the people at the grid's times are counted as a curve of survival counts them. The mean is rounded to a step
    that stands for more events than the rule's threshold of people, and not shown where so few people had an event or
    one or two of them had most.
    """

    figure: ClassVar[str | None] = "symphony_research.show.curve_plots:plot_survival"
    title: ClassVar[str] = "Mean cumulative count of recurrent events"
    shown: ClassVar[tuple[str, ...]] = ("time", "n_at_risk", "n_events", "n_deaths", "estimate", "lower", "upper")
    own_words: ClassVar[Mapping[str, str]] = MappingProxyType({"estimate": "Events a person", "n_deaths": "Deaths"})
    is_share: ClassVar[bool] = False
    actuarial: ClassVar[bool] = False
    grid_words: ClassVar[str] = "Means and their limits at the times marked, rounded; the limits outwards."

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the roles of the daily tables, which are never released, of the grid's counts, the means and the test."""
        daily = (*_COUNTS, "time", "estimate", "variance", "n_with_event", "spread")
        means = {"time": Key(), **dict.fromkeys(RELEASED_MEANS, ModelEstimate())}
        return {
            **_Curve.roles_of(settings),
            "recurrent": TableRoles(dict.fromkeys(daily, Internal())),
            "means": TableRoles(means),
            "test": TableRoles({"chi_squared": Internal(), "degrees_of_freedom": Known(), "p_value": Level()}),
        }

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterable[Relation]:
        """Yield how the people on the grid relate, as those of a curve of survival do."""
        return relations_of(tables, settings)

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """The mean with its variance by person; released, the means beside the counts on the grid."""
        if "grid" in tables:
            return means_on_grid(tables, settings, by)
        frame = tables["recurrent"]
        mean, error = frame["estimate"].to_numpy(), np.sqrt(frame["variance"].to_numpy())
        lower, upper = hazard_interval(mean, error, settings["confidence"], settings["interval"])
        figures = [
            pl.Series(name, values).fill_nan(None)
            for name, values in zip(_FIGURES, (mean, error, lower, upper), strict=True)
        ]
        return frame.select(*by, "time", *_COUNTS).with_columns(figures)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return people on the grid, means to a coarse step, and the p value."""
        if policy.changes_nothing or "grid" in tables:
            return tables
        found = dict(_Curve.release_form({"events": tables["events"]}, settings, by, policy))
        daily = MeanCumulativeCount.derive(tables, settings, by)
        found["means"] = coarse_means(daily, tables, settings, by, policy)
        if "test" in tables:
            found["test"] = tables["test"].drop("chi_squared")
        return found

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out the means of a stratum whose number of people is suppressed, and then the p value."""
        if "grid" not in tables:
            return tables
        start = tables["grid"].filter((pl.col("time") == 0) & (pl.col("state") == AT_RISK))
        if not start["n_persons"].null_count():
            return tables
        known = start.filter(pl.col("n_persons").is_not_null())
        figures = [c for c in tables["means"].columns if c not in (*by, "time")]
        shown = pl.struct(by).is_in(known.select(pl.struct(by)).to_series().implode()) if by else pl.lit(False)
        found = {
            **tables,
            "means": tables["means"].with_columns(pl.when(shown).then(pl.col(c)).alias(c) for c in figures),
        }
        if "test" in tables:
            found["test"] = tables["test"].with_columns(pl.lit(None, dtype=pl.Float64).alias("p_value"))
        return found

    @property
    def test(self) -> pl.DataFrame:
        """The test that all groups have one mean: `statistic` (null once released), `degrees_of_freedom`, `p_value`.

        Raises
        ------
        ArgumentError
            Unless there are two groups or more.
        """
        self._refuse_undisclosed("The test of")
        if "test" not in self.count_tables:
            raise ArgumentError("The test compares groups: give `by` a column of two levels or more.")
        table = self.count_tables["test"]
        exact = "chi_squared" in table.columns
        statistic = pl.col("chi_squared") if exact else pl.lit(None, dtype=pl.Float64)
        return table.select(statistic.alias("statistic"), "degrees_of_freedom", "p_value")

    def sentence(self) -> str:
        """Return the mean number of events at the headline time, of each group."""
        return sentence_of(self, self.quantity)

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the mean number of events at the headline time."""
        return figures_of(self, self.quantity)

    def heading(self) -> str:
        """Return the event and the people as a title."""
        return f"{capital(self.quantity)}{self.after_joining()}"

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return what stands for a figure that is not there."""
        return "[c]" if self.on_grid and column in ("estimate", "n_events") else super().missing_marker(record, column)

    @property
    def quantity(self) -> str:
        """What is estimated, in words."""
        event = self.settings["recurrent_name"]
        return f"mean number of {plural(event)} a person"

    @staticmethod
    def clauses_of(settings: Mapping[str, Any]) -> list[tuple[int | None, str]]:
        """Return what is estimated, in words."""
        return [(None, "events a person")]

    own_settings: ClassVar[frozenset[str]] = _Curve.own_settings | {"person", "died", "recurrent_name"}


def mean_cumulative_count(
    events: Any,
    persons: Any = None,
    *,
    time: str = "time",
    person: str = "person_id",
    end: str = "end",
    died: str = "died",
    entry: str | None = None,
    by: str | Sequence[str] = (),
    confidence: float = 0.95,
    interval: str = "log",
    time_unit: str | None = None,
    event_name: str | None = None,
    grid: Sequence[float] | None = None,
) -> MeanCumulativeCount:
    """Estimate the mean number of events a person up to each time, death ending them.

    It reads people, one row each and one row an event: a variance by person follows from no table of counts.

    Parameters
    ----------
    events : frame or RecurrentEvents
        One row an event: `person` and `time`. Several of one person at one time count as many. What
        `Cohort.recurrent_events` returns holds the persons too, and knows its columns, strata and event.
    persons : frame
        One row a person: `person`, `end`, `died`, and where given `entry` and `by`.
    time : str, default "time"
        Column of `events` with the time of the event.
    person : str, default "person_id"
        Column of both frames that says whose the row is.
    end, died : str
        Columns of `persons`: the time at which follow-up ends, and whether death ended it (1 or True).
    entry : str, optional
        Column of `persons` with the time from which each was observed.
    by : str or sequence of str, optional
        Columns of `persons`: one mean each, which `.test` compares.
    confidence : float, default 0.95
        Of the pointwise intervals.
    interval : {"log", "plain"}
        Scale on which the interval is symmetric.
    time_unit, event_name : str, optional
        Unit of time, such as "days", and the recurrent event in words.
    grid : sequence of float, optional
        As in `kaplan_meier`.

    Returns
    -------
    MeanCumulativeCount
        `time`, `n_at_risk`, `n_events` (recurrent), `n_deaths`, `n_censored`, `estimate` (events a
        person), `standard_error`, `lower`, `upper`; a row for every time at which something
        happened. Released: on the grid, with deaths up to each time and no number of events.

    Raises
    ------
    ArgumentError
        On missing columns, missing values, people who stand twice, and events of unknown people or outside
        their follow-up; with counts of rows.

    Notes
    -----
    The mean is the sum over times u of S(u-) times events over people at risk, S being the Kaplan-Meier
    estimate of survival; one less Kaplan-Meier of the first event, or a mean that censors at death,
    would count the dead as able to have more. At one time events come before deaths, and both before
    censoring: whoever dies at u is at risk of an event at u. Programs that order ties otherwise give a third
    digit that differs. The variance sums over people the square of each one's influence, and so allows
    for events that come in clusters. The test weighs times by Y1 Y2 / (Y1 + Y2); of more than two groups it is the
    quadratic form of the scores, the sums of Y_k times a group's mean less that of all, in their covariance by person.

    References
    ----------
    Ghosh, D. and Lin, D. Y. (2000). Nonparametric analysis of recurrent events and death. Biometrics 56, 554-562.
    Cook, R. J. and Lawless, J. F. (1997). Marginal analysis of recurrent events and a terminating event.
    Statistics in Medicine 16, 911-924.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> persons = pl.DataFrame({"person_id": [1, 2], "end": [4, 5], "died": [1, 0]})
    >>> events = pl.DataFrame({"person_id": [1, 1, 2], "time": [1, 2, 5]})
    >>> sr.survival.mean_cumulative_count(events, persons).estimates["estimate"].to_list()
    [0.5, 1.0, 1.0, 1.5]
    """
    if (gone := passed_on(events)) is not None:
        return gone
    provenance = provenance_of(persons if persons is not None else events)
    if isinstance(events, RecurrentEvents):
        if persons is not None:
            raise ArgumentError("What recurrent_events returns holds its people: leave persons out.")
        time, person, end, died, entry = "time", "person_id", "time", "event", events.entry
        by, event_name = by or events.by, event_name or events.event
        events, persons = events.events, events.persons
    elif persons is None:
        raise ArgumentError("persons is missing: one row a person, with the end of their follow-up.")
    require_one_of(interval, HAZARD_INTERVALS, argument="interval")
    normal_quantile(confidence)
    by = names_of(by, column_names(persons))
    own = [c for c in (person, "n_events", "n_deaths", "time") if c in by]
    if own:
        raise ArgumentError(f"A stratum may not be called {', '.join(own)}: rename the column.")
    people, happened = checked_people(events, persons, time, person, end, died, entry, by)
    daily = event_table(people, time="__end", event="__died", entry="__entry" if entry else None, by=by, weights=None)
    if (daily["kind"] > 1).any():
        raise ArgumentError(f"Column '{died}' holds more than 0 and 1.")
    groups = strata_of(daily, by)
    followed = [follow_up_of(people, happened, names) for names in groups]
    tables = {"events": daily, "recurrent": daily_means(daily, followed, groups)}
    if len(groups) > 1:
        score, covariance = group_scores(followed)
        statistic, freedom, p = compared(score, covariance, independent(covariance))
        tables["test"] = pl.DataFrame(
            {"chi_squared": [statistic], "degrees_of_freedom": [freedom], "p_value": [p]},
            schema={"chi_squared": pl.Float64, "degrees_of_freedom": pl.Int64, "p_value": pl.Float64},
        )
    unit = time_unit or provenance.population.get("time_unit")
    settings = {
        "method": f"mean cumulative count with death as terminal event, variance by person, {interval} interval",
        "reference": "Ghosh and Lin 2000",
        "time": end,
        "event": died,
        "person": person,
        "died": died,
        "entry": entry,
        "confidence": confidence,
        "interval": interval,
        "time_unit": unit,
        "grid": checked_grid(grid, unit),
        "event_name": "death",
        "recurrent_name": event_name,
        **provenance.as_settings(),
    }
    return MeanCumulativeCount(tables, settings, by)
