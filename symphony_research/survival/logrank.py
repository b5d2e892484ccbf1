"""Tests of whether curves differ: the log-rank family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import column_names, event_table, names_of, source_of
from symphony_research.collapse.margins import same_stratum
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.cells import CellDefinition, Relation
from symphony_research.result.roles import Count, Internal, Key, Known, Level, ModelEstimate, TableRoles
from symphony_research.survival.grid import (
    checked_grid,
    event_state,
    followed,
    grid_until,
    people_in,
    same_without_names,
    strata_of,
)
from symphony_research.survival.risk import at_risk
from symphony_research.words.numbers import number
from symphony_research.words.phrases import joined

__all__ = ["WEIGHTINGS", "LogRankTest", "logrank_test"]

WEIGHTINGS = ("gehan_breslow", "tarone_ware", "peto_peto")


class LogRankTest(Result):
    """One test of the hypothesis that the event comes at the same rate in every group.

    Released, the statistic stays behind: it would tell the days of the events. What is released is the p value as a
    level, and of each group its people, its events up to the last time of the grid, and those expected by then.
    """

    figure: ClassVar[str | None] = None
    title: ClassVar[str] = "Log-rank test"
    own_settings: ClassVar[frozenset[str]] = frozenset({"weighting", "grid"})
    shown: ClassVar[tuple[str, ...]] = ("statistic", "degrees_of_freedom", "p_value")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the roles of the daily table, which is never released, of the groups and of the test."""
        return {
            "events": TableRoles({"kind": Internal(), "time": Internal(), "n_persons": Internal()}),
            "groups": TableRoles(
                {"time": Key(), "n_persons": Count(), "observed": Count(), "expected": ModelEstimate()}, counts=_counted
            ),
            "test": TableRoles({"degrees_of_freedom": Known(), "p_value": Level()}),
        }

    @staticmethod
    def relations(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Iterable[Relation]:
        """Yield that the events of each group are those of a curve that gives them no name, or that does."""
        times = tables["groups"]["time"].unique() if "groups" in tables else ()
        return same_without_names(settings, times, (event_state(1),))

    @staticmethod
    def derive(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Weighted observed less expected events, with the hypergeometric covariance."""
        schema = {"statistic": pl.Float64, "degrees_of_freedom": pl.Int64, "p_value": pl.Float64}
        if "test" in tables:
            return tables["test"].select(pl.lit(None).alias("statistic"), "degrees_of_freedom", "p_value").cast(schema)  # type: ignore[arg-type]
        statistic, freedom, p_value = _logrank(*_by_time(tables["events"], by)[1:], settings["weighting"])
        row = {"statistic": [statistic], "degrees_of_freedom": [freedom], "p_value": [p_value]}
        return pl.DataFrame(row, schema=schema)

    @staticmethod
    def release_form(
        tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy
    ) -> Mapping[str, pl.DataFrame]:
        """Return the p value of all days, and each group's events up to the last grid time at which anybody is at risk."""
        if policy.changes_nothing or "test" in tables:
            return tables
        events = tables["events"]
        groups = _groups(events, by, until=grid_until(events, settings)[-1])
        test = LogRankTest.derive(tables, settings, by).drop("statistic")
        return {"groups": groups.with_columns(pl.col("expected").round_sig_figs(2)), "test": test}

    @staticmethod
    def trim(
        tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any], by: tuple[str, ...]
    ) -> Mapping[str, pl.DataFrame]:
        """Leave out what was expected, and the p value, where a group is suppressed: with the others they would tell of it."""
        if (
            "test" not in tables
            or not tables["groups"].select("n_persons", "observed").null_count().sum_horizontal().sum()
        ):
            return tables
        return {
            "groups": tables["groups"].with_columns(pl.lit(None, dtype=pl.Float64).alias("expected")),
            "test": tables["test"].with_columns(pl.lit(None, dtype=pl.Float64).alias("p_value")),
        }

    @property
    def released_by_level(self) -> bool:
        """Whether the p value is a level that it does not exceed."""
        return "test" in self.count_tables

    @property
    def groups(self) -> pl.DataFrame:
        """People, observed and expected events of each group; released, up to `time`."""
        self._refuse_undisclosed("The groups of")
        return self.count_tables["groups"] if self.released_by_level else _groups(self.count_tables["events"], self.by)

    def small_counts(self, threshold: int = 7) -> int:
        """Return the number of counts of 1 to `threshold` people in the result, those by day among them."""
        counts = [
            c
            for table in self.count_tables.values()
            for c in table.iter_columns()
            if c.name in ("n_persons", "observed")
        ]
        return sum(int(column.is_between(1, threshold).sum()) for column in counts)

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return the words of a level, and the mark of what is not released."""
        if not self.released_by_level or column not in ("statistic", "p_value"):
            return super().format_cell(record, column)
        return "[c]" if record[column] is None else _level_words(record[column])

    def sentence(self) -> str:
        """Return whether the groups differ more than expected if the event came at one rate."""
        row = self.estimates.row(0, named=True)
        if row["p_value"] is None:
            return f"Groups by {joined(self.by)} are too small to compare."
        if self.released_by_level:
            differ = "differ" if row["p_value"] <= 0.05 else "do not clearly differ"
            return f"Groups by {joined(self.by)} {differ} (log-rank test, p {_level_words(row['p_value'])})."
        differ = "differ" if row["p_value"] < 0.05 else "do not clearly differ"
        return (
            f"Groups by {joined(self.by)} {differ} (log-rank statistic {number(row['statistic'])} on "
            f"{row['degrees_of_freedom']} degrees of freedom, p {_p_words(row['p_value'])})."
        )


def _counted(row: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return whom a count of a group is of: all of it, or those with the event by the grid time, as a curve counts them."""
    return people_in(settings, row["time"], event_state(1)) if column == "observed" else followed(settings)


def _level_words(level: float) -> str:
    return "> 0.05" if level > 0.05 else f"≤ {level:g}"


def _p_words(p: float) -> str:
    return "<0.001" if p < 0.001 else f"= {p:.3f}"


def _by_time(
    events: pl.DataFrame, by: tuple[str, ...], until: float = np.inf
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the times of an event, and people at risk and events as (times, groups) arrays."""
    happened = events.filter((pl.col("kind") > 0) & (pl.col("time") <= until))
    moments = happened["time"].unique().sort().to_numpy()
    groups = strata_of(events, by)
    there, had = (np.zeros((len(moments), len(groups))) for _ in range(2))
    for g, names in enumerate(groups):
        there[:, g] = at_risk(same_stratum(events, names), moments)
        own = same_stratum(happened, names)
        np.add.at(had[:, g], np.searchsorted(moments, own["time"].to_numpy()), own["n_persons"].to_numpy())
    return moments, there, had


def _scores(at_risk: np.ndarray, happened: np.ndarray, weighting: str | None) -> np.ndarray:
    n, d = at_risk.sum(axis=1), happened.sum(axis=1)
    if weighting == "gehan_breslow":
        return np.asarray(n)
    if weighting == "tarone_ware":
        return np.asarray(np.sqrt(n))
    if weighting == "peto_peto":
        # the pooled curve just before each time, as R's survdiff(rho = 1)
        return np.concatenate([[1.0], np.cumprod(1 - d / n)[:-1]]) if len(n) else np.ones(0)
    return np.ones(len(n))


def _logrank(
    at_risk: np.ndarray, happened: np.ndarray, weighting: str | None
) -> tuple[float | None, int, float | None]:
    from scipy.special import chdtrc

    n, d = at_risk.sum(axis=1), happened.sum(axis=1)
    w = _scores(at_risk, happened, weighting)
    share = at_risk / np.maximum(n, 1)[:, None]
    difference = (w[:, None] * (happened - d[:, None] * share)).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(n > 1, w**2 * d * (n - d) / (n - 1), 0.0)
    covariance = np.diag((spread[:, None] * share).sum(axis=0)) - np.einsum("t,tg,th->gh", spread, share, share)
    use = _compared(spread[:, None] * share)
    freedom = len(use)
    if freedom < 1:
        return None, 0, None
    statistic = float(difference[use] @ np.linalg.solve(covariance[np.ix_(use, use)], difference[use]))
    return statistic, freedom, float(chdtrc(freedom, statistic))


def _compared(weight: np.ndarray) -> list[int]:
    """Return all groups but one of each set of groups that are compared with each other.

    Two groups are compared if both are at risk at a time that can tell them
    apart; late entry may leave groups that never meet, each set with a degree
    of freedom of its own less one. A group that meets no other says nothing.
    """
    from scipy.sparse.csgraph import connected_components

    present = (weight > 0).astype(float)
    _, sets = connected_components(present.T @ present, directed=False)
    return [g for g in range(len(sets)) if (sets[g + 1 :] == sets[g]).any()]


def _groups(events: pl.DataFrame, by: tuple[str, ...], until: float | None = None) -> pl.DataFrame:
    """Return people, observed and expected events of each group; up to a time, which is then a column."""
    _, there, had = _by_time(events, by, np.inf if until is None else until)
    share = there / np.maximum(there.sum(axis=1), 1)[:, None]
    everyone = events.filter(pl.col("kind") >= 0).group_by(by).agg(pl.col("n_persons").sum())
    people = (
        events.select(by)
        .unique(maintain_order=True)
        .join(everyone, on=by, how="left", nulls_equal=True, maintain_order="left")
    )
    counted = had.sum(axis=0)
    return people.with_columns(
        pl.Series("observed", counted) if until is None else pl.Series("observed", counted.astype(np.int64)),
        pl.Series("expected", (had.sum(axis=1)[:, None] * share).sum(axis=0)),
        *([] if until is None else [pl.lit(until, dtype=pl.Float64).alias("time")]),
    )


def logrank_test(
    frame: Any,
    *,
    time: str,
    event: str,
    by: str | Sequence[str],
    entry: str | None = None,
    weights: str | None = None,
    weighting: str | None = None,
    time_unit: str | None = None,
    event_name: str | None = None,
    grid: Sequence[float] | None = None,
) -> LogRankTest:
    """Test whether an event comes at the same rate in every group.

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    time, event : str
        Column with the time at which follow-up ends, and whether the event
        ended it (1 or True) or not (0 or False).
    by : str or sequence of str
        Columns that form the groups, two or more.
    entry : str, optional
        Column with the time from which each person was observed.
    weights : str, optional
        Integer numbers of people a row stands for.
    weighting : {None, "gehan_breslow", "tarone_ware", "peto_peto"}
        Weight of each time: 1, the number at risk, its square root, or the
        pooled Kaplan-Meier estimate just before.
    time_unit, event_name : str, optional
        Unit of time, such as "days", and the event in words.
    grid : sequence of float, optional
        Times to the last of which the released events are counted, as in `kaplan_meier`.

    Returns
    -------
    LogRankTest
        One row: `statistic` (chi-squared), `degrees_of_freedom`, `p_value`.
        `.groups` holds people, observed and expected events of each group.
        Released: no statistic, the p value as the first of 0.001, 0.01, 0.05 and
        1 that it does not exceed, and observed and expected events up to the last
        time of the grid.

    Raises
    ------
    ArgumentError
        On missing columns, missing values, or fewer than two groups; with counts of rows.

    References
    ----------
    Mantel, N. (1966). Evaluation of survival data and two new rank order
    statistics arising in its consideration. Cancer Chemotherapy Reports 50, 163-170.
    Tarone, R. E. and Ware, J. (1977). Biometrika 64, 156-160.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 3, 4], "event": [1, 1, 1, 1], "arm": ["a", "a", "b", "b"]})
    >>> test = sr.survival.logrank_test(people, time="time", event="event", by="arm")
    >>> test.estimates["degrees_of_freedom"].item()
    1
    """
    if weighting is not None:
        require_one_of(weighting, WEIGHTINGS, argument="weighting")
    by = names_of(by, column_names(frame))
    if not by:
        raise ArgumentError("by names the columns that form the groups; at least one is needed.")
    events = event_table(frame, time=time, event=event, entry=entry, by=by, weights=weights)
    if (events["kind"] > 1).any():
        raise ArgumentError(
            f"Event column '{event}' holds causes above 1. Count the other causes as censored "
            "(0) to compare cause-specific rates."
        )
    unit = time_unit or source_of(frame).population.get("time_unit")
    groups = events.select(by).unique().height
    if groups < 2:
        raise ArgumentError(f"There is {groups} group by {', '.join(by)}; a test needs two or more.")
    settings = {
        "method": "log-rank" if weighting is None else f"log-rank, {weighting.replace('_', '-')} weights",
        "reference": "Mantel 1966",
        "time": time,
        "event": event,
        "entry": entry,
        "weights": weights,
        "weighting": weighting,
        "time_unit": unit,
        "event_name": event_name or source_of(frame).population.get("event"),
        "grid": checked_grid(grid, unit),
        **source_of(frame).as_settings(),
    }
    return LogRankTest({"events": events}, settings, by)
