"""Tests of whether curves differ: the log-rank family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import event_table, names_of, source_of
from symphony_research.collapse.margins import same_stratum
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.result import CountTable, Result
from symphony_research.survival.risk import CURVE_COUNTS, at_risk_of, curve_tables, end_curves, risk_table
from symphony_research.wording import joined, number

__all__ = ["WEIGHTINGS", "LogRankTest", "logrank_test"]

WEIGHTINGS = ("gehan_breslow", "tarone_ware", "peto_peto")


class LogRankTest(Result):
    """One test of the hypothesis that the event comes at the same rate in every group."""

    title: ClassVar[str] = "Log-rank test"
    counts: ClassVar[Mapping[str, CountTable]] = CURVE_COUNTS
    shown: ClassVar[tuple[str, ...]] = ("statistic", "degrees_of_freedom", "p_value")

    @staticmethod
    def derive(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Weighted observed less expected events, with the hypergeometric covariance."""
        at_risk, happened = _by_time(tables, by)
        statistic, freedom, p_value = _logrank(at_risk, happened, settings["weighting"])
        row = {"statistic": [statistic], "degrees_of_freedom": [freedom], "p_value": [p_value]}
        schema = {"statistic": pl.Float64, "degrees_of_freedom": pl.Int64, "p_value": pl.Float64}
        return pl.DataFrame(row, schema=schema)

    @staticmethod
    def trim(tables: Mapping[str, pl.DataFrame], threshold: int, by: tuple[str, ...]) -> Mapping[str, pl.DataFrame]:
        """Leave out what stands for too few people."""
        return end_curves(tables, threshold, by)

    @property
    def groups(self) -> pl.DataFrame:
        """People, observed and expected events of each group."""
        self._refuse_undisclosed("The groups of")
        groups = _groups(self.count_tables, self.by)
        if self.disclosure is None:
            return groups
        # a curve may step by a class of one to six; as a count by itself that is hidden
        few = pl.col("observed").is_between(1, self.disclosure.policy.threshold)
        return groups.with_columns([pl.when(~few).then(pl.col(c)).alias(c) for c in ("observed", "expected")])

    def sentence(self) -> str:
        """Return whether the groups differ more than chance."""
        row = self.estimates.row(0, named=True)
        if row["p_value"] is None:
            return f"Groups by {joined(self.by)} are too small to compare."
        differ = "differ" if row["p_value"] < 0.05 else "do not clearly differ"
        return (
            f"Groups by {joined(self.by)} {differ} (log-rank statistic {number(row['statistic'])} on "
            f"{row['degrees_of_freedom']} degrees of freedom, p {_p_words(row['p_value'])})."
        )


def _p_words(p: float) -> str:
    return "under 0.001" if p < 0.001 else f"= {p:.3f}"


def _by_time(tables: Mapping[str, pl.DataFrame], by: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return people at risk and events as (times, groups) arrays at every time of an event."""
    table = risk_table(tables, by, [])
    groups = tables["followed"].select(by).unique(maintain_order=True)
    times = table.filter(pl.col("n_events") > 0)["time"].unique().sort()
    at_risk = np.zeros((len(times), groups.height))
    happened = np.zeros_like(at_risk)
    moments = times.to_numpy()
    for g, names in enumerate(groups.to_dicts()):
        part, followed, events = (same_stratum(t, names) for t in (table, tables["followed"], tables["events"]))
        at_risk[:, g] = at_risk_of(followed, events, moments)
        steps = part.filter(pl.col("n_events") > 0)
        happened[np.searchsorted(moments, steps["time"].to_numpy()), g] = steps["n_events"].to_numpy()
    return np.maximum(at_risk, happened), happened


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


def _groups(tables: Mapping[str, pl.DataFrame], by: tuple[str, ...]) -> pl.DataFrame:
    at_risk, happened = _by_time(tables, by)
    share = at_risk / np.maximum(at_risk.sum(axis=1), 1)[:, None]
    # without late entry everybody is followed at first
    late = tables["events"].filter(pl.col("kind") < 0)
    people = tables["followed"].group_by(by, maintain_order=True).agg(pl.col("n_at_risk").first().alias("n_persons"))
    if late.height:
        came = late.group_by(by).agg(pl.col("n_persons").sum())
        people = people.drop("n_persons").join(came, on=by, how="left", nulls_equal=True, maintain_order="left")
    return people.with_columns(
        pl.Series("observed", happened.sum(axis=0)),
        pl.Series("expected", (happened.sum(axis=1)[:, None] * share).sum(axis=0)),
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
) -> LogRankTest:
    """Test whether an event comes at the same rate in every group.

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    time, event : str
        Column with the time at which follow-up ended, and whether the event
        ended it (1 or True) or not (0 or False).
    by : str or sequence of str
        Columns that form the groups, two or more.
    entry : str, optional
        Column with the time from which each person was followed.
    weights : str, optional
        Whole numbers of people a row stands for.
    weighting : {None, "gehan_breslow", "tarone_ware", "peto_peto"}
        Weight of each time: 1, the number at risk, its square root, or the
        pooled Kaplan-Meier estimate just before.

    Returns
    -------
    LogRankTest
        One row: `statistic` (chi-squared), `degrees_of_freedom`, `p_value`.
        `.groups` holds people, observed and expected events of each group.

    Raises
    ------
    ArgumentError
        On missing columns, gaps, or fewer than two groups; with counts of rows.

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
    by = names_of(by)
    if not by:
        raise ArgumentError("by names the columns that form the groups; at least one is needed.")
    events = event_table(frame, time=time, event=event, entry=entry, by=by, weights=weights)
    if (events["kind"] > 1).any():
        raise ArgumentError(
            f"Event column '{event}' holds causes above 1. Count the other causes as censored "
            "(0) to compare cause-specific rates."
        )
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
        **source_of(frame).as_settings(),
    }
    return LogRankTest(curve_tables(events, by), settings, by)
