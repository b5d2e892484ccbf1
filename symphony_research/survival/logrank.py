"""Tests of whether curves differ: the log-rank family, stratified and for trend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import column_names, event_table, follow_up_columns, names_of, provenance_of
from symphony_research.collapse.margins import same_stratum
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.result import passed_on
from symphony_research.survival.grid import checked_grid, strata_of
from symphony_research.survival.group_test import Compared, Tables, _GroupTest, compared, released_row, row_of_test
from symphony_research.survival.risk import at_risk

__all__ = ["WEIGHTINGS", "LogRankTest", "logrank_test"]

WEIGHTINGS = ("gehan_breslow", "tarone_ware", "peto_peto", "fleming_harrington")


class LogRankTest(_GroupTest):
    """One test of the hypothesis that the event comes at the same rate in every group.

    Released, the statistic stays behind: it would tell the days of the events. What is released is the p value as a
    level, and of each group its people, its events up to the last time of the grid, and those expected by then.
    """

    title: ClassVar[str] = "Log-rank test"
    name: ClassVar[str] = "log-rank"

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Weighted observed less expected events, with the hypergeometric covariance."""
        row = released_row(tables)
        return row_of_test(LogRankTest.tested(tables["events"], settings, by)) if row is None else row

    @classmethod
    def tested(cls, events: pl.DataFrame, settings: Mapping[str, Any], by: tuple[str, ...]) -> Compared:
        """Return statistic, degrees of freedom and p value of the daily table."""
        weighting, powers = settings["weighting"], settings.get("powers")
        parts = _by_time(events, settings, by)
        weights = [_scores(there, had, weighting, powers) for there, had in parts]
        there, had = (np.concatenate(column) for column in zip(*parts, strict=True))
        return _logrank(there, had, np.concatenate(weights), settings.get("trend"))

    @classmethod
    def counted_groups(
        cls, events: pl.DataFrame, settings: Mapping[str, Any], by: tuple[str, ...], until: float | None = None
    ) -> pl.DataFrame:
        """Return people, observed and expected events of each group; up to a time, which is then a column."""
        parts = _by_time(events, settings, by, np.inf if until is None else until)
        there, had = (np.concatenate(column) for column in zip(*parts, strict=True))
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


def _by_time(
    events: pl.DataFrame, settings: Mapping[str, Any], by: tuple[str, ...], until: float = np.inf
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return people at risk and events as (times, groups) arrays, at the times of an event; of each stratum."""
    groups = strata_of(events, by)
    found = []
    for stratum in strata_of(events, tuple(settings.get("strata") or ())):
        inside = same_stratum(events, stratum) if stratum else events
        happened = inside.filter((pl.col("kind") > 0) & (pl.col("time") <= until))
        moments = happened["time"].unique().sort().to_numpy()
        there, had = (np.zeros((len(moments), len(groups))) for _ in range(2))
        for g, names in enumerate(groups):
            # with strata a group has several rows of one kind and time, in one stratum one
            there[:, g] = at_risk(same_stratum(inside, names), moments)
            own = same_stratum(happened, names)
            np.add.at(had[:, g], np.searchsorted(moments, own["time"].to_numpy()), own["n_persons"].to_numpy())
        found.append((there, had))
    return found


def _scores(
    at_risk: np.ndarray, happened: np.ndarray, weighting: str | None, powers: Sequence[float] | None
) -> np.ndarray:
    n, d = at_risk.sum(axis=1), happened.sum(axis=1)
    if weighting == "gehan_breslow":
        return np.asarray(n)
    if weighting == "tarone_ware":
        return np.asarray(np.sqrt(n))
    if weighting is None:
        return np.ones(len(n))
    # the pooled curve just before each time: itself as in R's survdiff(rho = 1), or powers of it and of what it lacks of 1
    before = np.concatenate([[1.0], np.cumprod(1 - d / n)[:-1]]) if len(n) else np.ones(0)
    p, q = (1.0, 0.0) if weighting == "peto_peto" else powers or (0.0, 0.0)
    return np.asarray(before**p * (1 - before) ** q)


def _logrank(at_risk: np.ndarray, happened: np.ndarray, w: np.ndarray, trend: Sequence[float] | None) -> Compared:
    n, d = at_risk.sum(axis=1), happened.sum(axis=1)
    share = at_risk / np.maximum(n, 1)[:, None]
    difference = (w[:, None] * (happened - d[:, None] * share)).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(n > 1, w**2 * d * (n - d) / (n - 1), 0.0)
    covariance = np.diag((spread[:, None] * share).sum(axis=0)) - np.einsum("t,tg,th->gh", spread, share, share)
    use = _compared(spread[:, None] * share)
    if trend is None:
        return compared(difference, covariance, use)
    scores = np.asarray(trend, dtype=float)
    total, variance = scores @ difference, float(scores @ covariance @ scores)
    # nothing is compared where all groups that ever meet have one score
    if variance <= 1e-12 * float(scores**2 @ np.diag(covariance)):
        return None, 0, None
    return compared(np.array([total]), np.array([[variance]]), [0])


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


def logrank_test(
    frame: Any,
    *,
    time: str | None = None,
    event: str | None = None,
    by: str | Sequence[str],
    entry: str | None = None,
    weights: str | None = None,
    weighting: str | None = None,
    powers: tuple[float, float] | None = None,
    strata: str | Sequence[str] = (),
    trend: bool | Mapping[Any, float] = False,
    time_unit: str | None = None,
    event_name: str | None = None,
    grid: Sequence[float] | None = None,
) -> LogRankTest:
    """Test whether an event comes at the same rate in every group.

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    time, event : str, optional
        Column with the time at which follow-up ends, and whether the event
        ended it (1 or True) or not (0 or False). What `Cohort.follow_up` returns names
        them itself, as it does `entry` and `weights`.
    by : str or sequence of str
        Columns that form the groups, two or more.
    entry : str, optional
        Column with the time from which each person was observed.
    weights : str, optional
        Integer numbers of people a row stands for.
    weighting : {None, "gehan_breslow", "tarone_ware", "peto_peto", "fleming_harrington"}
        Weight of each time: 1, the number at risk, its square root, the pooled
        Kaplan-Meier estimate S just before, or S^p (1 - S)^q.
    powers : (float, float), optional
        p and q of the Fleming-Harrington weights, 0 or more: (1, 0) weighs early
        differences, (0, 1) late ones.
    strata : str or sequence of str, optional
        Columns within whose levels groups are compared: observed less expected events
        and their covariances are summed over them. In each the pooled curve is its own.
    trend : bool or mapping, default False
        Test for a trend over the groups instead of any difference. True scores the groups 1, 2, ...
        in their order; a mapping gives each level of the one column `by` its score.
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
        On missing columns, missing values, fewer than two groups, powers without their weighting, or
        scores that do not fit the groups; with counts of rows.

    References
    ----------
    Fleming, T. R. and Harrington, D. P. (1991). Counting Processes and Survival Analysis, chapter 7. Wiley.
    Tarone, R. E. (1975). Tests for trend in life table analysis. Biometrika 62, 679-682.
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
    if (gone := passed_on(frame)) is not None:
        return gone
    if weighting is not None:
        require_one_of(weighting, WEIGHTINGS, argument="weighting")
    given = _checked_powers(weighting, powers)
    columns = column_names(frame)
    by, within = names_of(by, columns), names_of(strata, columns)
    if not by:
        raise ArgumentError("by names the columns that form the groups; at least one is needed.")
    if set(by) & set(within):
        raise ArgumentError(f"{', '.join(sorted(set(by) & set(within)))}: a column forms groups or strata, not both.")
    time, event, entry, weights = follow_up_columns(frame, time=time, event=event, entry=entry, weights=weights)
    events = event_table(frame, time=time, event=event, entry=entry, by=(*by, *within), weights=weights)
    if (events["kind"] > 1).any():
        raise ArgumentError(
            f"Event column '{event}' holds causes above 1. Count the other causes as censored "
            "(0) to compare cause-specific rates, or use gray_test to compare cumulative incidences."
        )
    unit = time_unit or provenance_of(frame).population.get("time_unit")
    groups = events.select(by).unique().height
    if groups < 2:
        raise ArgumentError(f"There is {groups} group by {', '.join(by)}; a test needs two or more.")
    settings = {
        "method": _method(weighting, given, within, bool(trend)),
        "reference": "Mantel 1966",
        "time": time,
        "event": event,
        "entry": entry,
        "weights": weights,
        "weighting": weighting,
        "powers": given,
        "strata": list(within),
        "trend": _checked_scores(trend, events, by),
        "time_unit": unit,
        "event_name": event_name or provenance_of(frame).population.get("event"),
        "grid": checked_grid(grid, unit),
        **provenance_of(frame).as_settings(),
    }
    return LogRankTest({"events": events}, settings, by)


def _method(weighting: str | None, powers: list[float] | None, strata: Sequence[str], trend: bool) -> str:
    of = f" ({powers[0]:g}, {powers[1]:g})" if powers else ""
    weights = "" if weighting is None else f", {weighting.replace('_', '-')}{of} weights"
    return f"log-rank{' for trend' if trend else ''}{weights}{', stratified' if strata else ''}"


def _checked_powers(weighting: str | None, powers: Sequence[float] | None) -> list[float] | None:
    if (powers is not None) != (weighting == "fleming_harrington"):
        raise ArgumentError('weighting="fleming_harrington" needs powers=(p, q), and no other weighting takes powers.')
    if powers is None:
        return None
    given = [float(p) for p in powers]
    if len(given) != 2 or not all(0 <= p < np.inf for p in given):
        raise ArgumentError(f"powers={tuple(powers)} must be two numbers, 0 or more: p and q of S^p (1 - S)^q.")
    return given


def _checked_scores(trend: bool | Mapping[Any, float], events: pl.DataFrame, by: tuple[str, ...]) -> list[float] | None:
    """Return the score of each group in order; None where no trend is tested."""
    if trend is False:
        return None
    groups = strata_of(events, by)
    if trend is True:
        unknown = sum(any(level is None for level in names.values()) for names in groups)
        if unknown:
            raise ArgumentError(
                f"{unknown} group has no level of {', '.join(by)}, so no place in an order: leave it out, or give scores."
            )
        return [float(k + 1) for k in range(len(groups))]
    if len(by) != 1:
        raise ArgumentError(f"Scores are of the levels of one column; by names {len(by)}.")
    levels = [names[by[0]] for names in groups]
    without = sum(level not in trend for level in levels)
    if without:
        raise ArgumentError(f"{without} of {len(levels)} levels of '{by[0]}' have no score in trend.")
    scores = [float(trend[level]) for level in levels]
    if not np.isfinite(scores).all() or len(set(scores)) < 2:
        raise ArgumentError("The scores of a trend must be finite numbers, and not all the same.")
    return scores
