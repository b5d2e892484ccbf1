"""Gray's test of whether a cause's cumulative incidence is the same in every group, other causes competing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import column_names, event_table, follow_up_columns, names_of, provenance_of
from symphony_research.collapse.margins import same_stratum
from symphony_research.errors import ArgumentError
from symphony_research.inference import Array
from symphony_research.result import passed_on
from symphony_research.result.cells import Relation
from symphony_research.survival.grid import checked_grid, strata_of
from symphony_research.survival.grid_cells import beside_one_cause
from symphony_research.survival.group_test import (
    Compared,
    Tables,
    _GroupTest,
    compared,
    independent,
    released_row,
    row_of_test,
)
from symphony_research.survival.named import names_of_causes
from symphony_research.survival.risk import at_risk, causes_of

__all__ = ["GrayTest", "gray_test"]


class GrayTest(_GroupTest):
    """One test of the hypothesis that a cause's cumulative incidence is the same in every group."""

    figure: ClassVar[str | None] = None
    title: ClassVar[str] = "Gray's test"
    name: ClassVar[str] = "Gray's"

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterable[Relation]:
        """Yield that the events of each group are those of curves of one cause and of several, with or without names."""
        yield from _GroupTest.relations(tables, settings)
        for time in tables["groups"]["time"].unique() if "groups" in tables else ():
            yield from beside_one_cause(settings, [0.0, time])

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Gray's scores, with his variance."""
        row = released_row(tables)
        return row_of_test(GrayTest.tested(tables["events"], settings, by)) if row is None else row

    @classmethod
    def tested(cls, events: pl.DataFrame, settings: Mapping[str, Any], by: tuple[str, ...]) -> Compared:
        """Return statistic, degrees of freedom and p value of the daily table."""
        groups = strata_of(events, by)
        score, covariance = np.zeros(len(groups)), np.zeros((len(groups), len(groups)))
        for stratum in strata_of(events, tuple(settings["strata"])):
            own = same_stratum(events, stratum) if stratum else events
            found = _gray(*_counts(own, groups, settings["cause"]), settings["rho"])
            score, covariance = score + found[0], covariance + found[1]
        return compared(score, covariance, independent(covariance))

    @classmethod
    def counted_groups(
        cls, events: pl.DataFrame, settings: Mapping[str, Any], by: tuple[str, ...], until: float | None = None
    ) -> pl.DataFrame:
        """Return people of each group and those with the cause's event; up to a time, which is then a column."""
        people, kind = pl.col("n_persons"), pl.col("kind")
        had = (kind == settings["cause"]) & (pl.col("time") <= (np.inf if until is None else until))
        groups = events.group_by(by, maintain_order=True).agg(people.sum(), people.filter(had).sum().alias("observed"))
        return groups if until is None else groups.with_columns(pl.lit(until, dtype=pl.Float64).alias("time"))


def _counts(events: pl.DataFrame, groups: Sequence[Mapping[str, Any]], cause: int) -> tuple[Array, Array, Array]:
    """Return people at risk, events of the cause and of others as (times, groups) arrays, at the times of any event."""
    happened = events.filter(pl.col("kind") > 0)
    moments = happened["time"].unique().sort().to_numpy()
    there, own, other = (np.zeros((len(moments), len(groups))) for _ in range(3))
    for g, names in enumerate(groups):
        there[:, g] = at_risk(same_stratum(events, dict(names)), moments)
        for had, which in ((own, pl.col("kind") == cause), (other, pl.col("kind") != cause)):
            rows = same_stratum(happened.filter(which), dict(names))
            np.add.at(had[:, g], np.searchsorted(moments, rows["time"].to_numpy()), rows["n_persons"].to_numpy())
    return there, own, other


def _gray(n: Array, own: Array, other: Array, rho: float) -> tuple[Array, Array]:
    """Return the score of each group and their covariance in one stratum.

    With S and F a group's survival and cumulative incidence and R = n (1 - F(t-)) / S(t-), the score of
    group k sums K (d_k - d R_k / R) over the events of the cause. Its variance is that of sums over
    people: an event of the cause in group k at t moves the score of group i by a_ik(t) + (1 - (1 - F0(t)) / S_k(t))
    times (C_ik - c_ik(t)), one of another cause by (1 - F0(t)) / S_k(t) times as much, where F0 is the pooled
    incidence, a_ik = K n_i / S_i(t-) ([i = k] - share of k) and c_ik sums a_ik dF0 / (1 - F0) up to t.
    """
    groups = n.shape[1]
    if not len(n):
        return np.zeros(groups), np.zeros((groups, groups))
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.where(n > 0, 1 - (own + other) / n, 1.0)
        after = np.cumprod(steps, axis=0)
        before = np.vstack([np.ones(groups), after[:-1]])
        incidence = np.cumsum(np.where(n > 0, before * own / n, 0.0), axis=0)
        incidence_before = np.vstack([np.zeros(groups), incidence[:-1]])
        size = np.where(n > 0, n / before, 0.0)
        weighted = size * (1 - incidence_before)
        total, d = size.sum(axis=1), own.sum(axis=1)
        pooled = np.cumsum(d / total)
        pooled_before = np.append(0.0, pooled[:-1])
        weight = (1 - pooled_before) ** rho
        score = (weight[:, None] * (own - (d / weighted.sum(axis=1))[:, None] * weighted)).sum(axis=0)
        share = size / total[:, None]
        a = weight[:, None, None] * size[:, :, None] * (np.eye(groups)[None] - share[:, None, :])
        c = np.cumsum(a * (d / (total * (1 - pooled_before)))[:, None, None], axis=0)
        later = c[-1] - c
        free = np.where(after > 0, (1 - pooled)[:, None] / after, 1.0)
        # the variance of each group's hazard of the cause under the hypothesis, and of the others, ties counted together
        tied = np.where(d[:, None] > 1, 1 - (d[:, None] - 1) / (total[:, None] * before - 1), 1.0)
        of_own = np.where(n > 0, tied * before * d[:, None] / (total[:, None] * n), 0.0)
        lone = np.where(other > 1, 1 - (other - 1) / (n - 1), 1.0)
        of_other = np.where((n > 0) & (after > 0), lone * before**2 * other / n**2, 0.0)
    here = np.where((d > 0)[:, None, None], a + (1 - np.where(after > 0, free, 0.0))[:, None, :] * later, 0.0)
    there = free[:, None, :] * later
    covariance = np.einsum("tik,tjk,tk->ij", here, here, of_own) + np.einsum("tik,tjk,tk->ij", there, there, of_other)
    return score, covariance


def gray_test(
    frame: Any,
    *,
    time: str | None = None,
    event: str | None = None,
    by: str | Sequence[str],
    entry: str | None = None,
    cause: int = 1,
    strata: str | Sequence[str] | None = None,
    rho: float = 0,
    weights: str | None = None,
    time_unit: str | None = None,
    cause_names: Mapping[int, str] | None = None,
    grid: Sequence[float] | None = None,
) -> GrayTest:
    """Test whether a cause's cumulative incidence is the same in every group.

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    time, event : str, optional
        Column with the time at which follow-up ends, and how: 0 = censored, 1, 2, ... = cause. What
        `Cohort.follow_up` returns names them itself.
    by : str or sequence of str
        Columns that form the groups, two or more.
    entry : str, optional
        Refused: see the notes.
    cause : int, default 1
        The cause whose incidence is compared; all others compete with it.
    strata : str or sequence of str, optional
        Columns within whose levels groups are compared; scores and variances are summed over them.
    rho : float, default 0
        Power of one less the pooled incidence by which times are weighted.
    weights : str, optional
        Integer numbers of people a row stands for.
    time_unit : str, optional
        Unit of time, such as "days".
    cause_names : mapping, optional
        Words for the causes, as in `cumulative_incidence`.
    grid : sequence of float, optional
        As in `kaplan_meier`.

    Returns
    -------
    GrayTest
        One row: `statistic` (chi-squared), `degrees_of_freedom`, `p_value`. `.groups` holds the
        people of each group and those with the cause's event. Released: no statistic, and
        the p value as the first of 0.001, 0.01, 0.05 and 1 that it does not exceed.

    Raises
    ------
    ArgumentError
        On missing columns, missing values, fewer than two groups, or nobody with the cause; with counts of rows.
        With late entry.

    Notes
    -----
    The variance is the one of Gray's own program, as in R's `cmprsk::cuminc`. It rests on everybody being at risk
    from the start. With late entry risk sets must be weighted by the share that had entered (Geskus 2011), an estimate
    whose own variance Gray's formula lacks; `fine_gray(entry=, covariates=)` on the groups has a robust test instead. A log-rank test that
    takes other causes for censoring compares rates, this one the incidences that result.

    References
    ----------
    Gray, R. J. (1988). A class of K-sample tests for comparing the cumulative incidence of a
    competing risk. Annals of Statistics 16, 1141-1154.
    Geskus, R. B. (2011). Cause-specific cumulative incidence estimation and the Fine and
    Gray model under both left truncation and right censoring. Biometrics 67, 39-49.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 3, 4, 5, 6], "event": [1, 2, 1, 0, 1, 2], "arm": list("aababb")})
    >>> test = sr.survival.gray_test(people, time="time", event="event", by="arm")
    >>> test.estimates["degrees_of_freedom"].item()
    1
    """
    if (gone := passed_on(frame)) is not None:
        return gone
    columns = column_names(frame)
    by, within = names_of(by, columns), names_of(strata or (), columns)
    if not by:
        raise ArgumentError("by names the columns that form the groups; at least one is needed.")
    if set(by) & set(within):
        raise ArgumentError(f"{', '.join(sorted(set(by) & set(within)))}: a column forms groups or strata, not both.")
    if isinstance(rho, bool) or not isinstance(rho, (int, float)) or not np.isfinite(rho):
        raise ArgumentError(f"rho={rho!r} must be a finite number.")
    time, event, entry, weights = follow_up_columns(frame, time=time, event=event, entry=entry, weights=weights)
    if entry is not None:
        raise ArgumentError(
            f"People enter late (column '{entry}'), and Gray's test has everybody at risk from the start. Fit "
            "fine_gray(entry=..., covariates=...) on the groups and read its test, or follow people from one time on."
        )
    events = event_table(frame, time=time, event=event, entry=None, by=(*by, *within), weights=weights)
    names = names_of_causes(frame, cause_names)
    causes = sorted({*causes_of(events), *(int(given) for given in cause_names or ())})
    if cause not in causes:
        raise ArgumentError(f"cause={cause!r} happened to nobody. Causes: {', '.join(map(str, causes)) or 'none'}.")
    groups = events.select(by).unique().height
    if groups < 2:
        raise ArgumentError(f"There is {groups} group by {', '.join(by)}; a test needs two or more.")
    provenance = provenance_of(frame)
    unit = time_unit or provenance.population.get("time_unit")
    settings = {
        "method": f"Gray's test{f', rho = {rho:g}' if rho else ''}{', stratified' if within else ''}",
        "reference": "Gray 1988",
        "time": time,
        "event": event,
        "entry": None,
        "weights": weights,
        "cause": int(cause),
        "causes": causes,
        "cause_names": names,
        "strata": list(within),
        "rho": float(rho),
        "time_unit": unit,
        "grid": checked_grid(grid, unit),
        **provenance.as_settings(),
    }
    return GrayTest({"events": events}, settings, by)
