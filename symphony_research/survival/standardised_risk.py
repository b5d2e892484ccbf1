"""Directly standardised absolute risk of groups by fixed times, with death as a competing event: hub against hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from symphony_research.collapse import column_names, event_table, follow_up_columns, names_of, provenance_of
from symphony_research.errors import ArgumentError
from symphony_research.inference import normal_quantile
from symphony_research.result import not_available, passed_on
from symphony_research.survival.grid import checked_grid
from symphony_research.survival.named import names_of_causes
from symphony_research.survival.risk import causes_of
from symphony_research.survival.standardised_result import TAKEN, StandardisedRisk
from symphony_research.survival.standardising import LEAST_SHARE
from symphony_research.words.phrases import strata_phrase

__all__ = ["standardised_risk"]


def standardised_risk(
    frame: Any,
    *,
    time: str | None = None,
    event: str | None = None,
    by: str | Sequence[str],
    standardise: str | Sequence[str],
    times: float | Sequence[float] = (30, 90, 180, 365),
    cause: int = 1,
    entry: str | None = None,
    weights: str | None = None,
    confidence: float = 0.95,
    time_unit: str | None = None,
    event_name: str | None = None,
    cause_names: Mapping[int, str] | None = None,
    grid: Sequence[float] | None = None,
    optional: bool = False,
) -> StandardisedRisk:
    """Compute the risk of groups by fixed times as it would be if all had the same ages, sexes or other strata.

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    time, event : str
        Column with the time at which follow-up ends, and how: 0 = censored, 1, 2, ... = cause.
    by : str or sequence of str
        Columns that form the groups, such as hubs; two groups or more.
    standardise : str or sequence of str
        Columns that form the strata within which groups are compared, such as age band, sex and number of conditions.
    times : float or sequence of float, default (30, 90, 180, 365)
        In the unit of `time`; to be released, times of the grid.
    cause : int, default 1
        The event of interest; the other causes compete with it.
    entry : str, optional
        Column with the time from which each person was observed.
    weights : str, optional
        Integer numbers of people a row stands for.
    confidence : float, default 0.95
        Of the intervals.
    time_unit : str, optional
        Unit of time, such as "days".
    event_name : str, optional
        The event of interest in words.
    cause_names : mapping, optional
        Words for the causes, such as `{1: "emergency admission", 2: "death"}`.
    grid : sequence of float, optional
        As in `kaplan_meier`.
    optional : bool, default False
        Return a `NotAvailable`, which stands in a report as one sentence, where there are fewer than two groups or
        they share too few strata.

    Returns
    -------
    StandardisedRisk
        One row per group and time: `n_persons`, `n_events` (people of the group, and those with the event by then),
        `crude`, `crude_lower`, `crude_upper`, `estimate` (standardised), `lower`, `upper`, `standard_error`,
        `share_of_standard`. `.test` has the Wald test of each time that all groups have one standardised risk:
        `statistic`, `degrees_of_freedom`, `p_value`, and `p_adjusted`, which is p times the number of times (Bonferroni).

    Raises
    ------
    ArgumentError
        On missing columns or values, fewer than two groups, a cause that nobody has, or strata that all groups have
        making up under half of the people; with counts.

    Notes
    -----
    The risk of a group is the sum over strata of w F(t), with F the Aalen-Johansen estimate of the group's people in the
    stratum, and w the share of the stratum among the people of all groups together. Its variance is the sum of w² times
    the variance of F, the weights being taken as given; its interval is symmetric on the log scale, as a curve's is by
    default, and ends at 0 and 1. A stratum in which some group has nobody, or nobody observed to the time, says nothing of
    the difference between groups: it is omitted for all groups, the other weights are scaled up, and
    `share_of_standard` says what share of all people is left. Where that is under half there is no estimate. Strata of a
    handful of people make the standard error too small: choose them so that each group has some ten in most.

    Released, counts and crude risks are those of the groups' cumulative incidence curves on the grid of times. What
    standardising adds to a crude risk is rounded to a step of at least the rounding base over the group's people, coarser
    where few people stand for a large share of the standard; limits hold the exact ones; there is no standard error. Of
    p values the adjusted alone is released, as a level, where no suppressed number of events would change it.

    References
    ----------
    Aalen, O. O. and Johansen, S. (1978). An empirical transition matrix for non-homogeneous Markov chains. Scandinavian
    Journal of Statistics 5, 141-150.
    Breslow, N. E. and Day, N. E. (1987). Statistical Methods in Cancer Research II: The Design and Analysis of Cohort
    Studies. IARC, Lyon: direct standardisation.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"hub": [*"aaaabbbb"], "age": ["old", "old", "old", "young"] + ["old", "young", "young", "young"],
    ...                        "time": [1, 1, 9, 9, 1, 1, 9, 9], "event": [1, 1, 0, 0, 1, 1, 0, 0]})
    >>> risk = sr.survival.standardised_risk(people, time="time", event="event", by="hub", standardise="age", times=5)
    >>> risk.estimates.select("hub", "crude", pl.col("estimate").round(3)).rows()
    [('a', 0.5, 0.333), ('b', 0.5, 0.667)]
    """
    if (gone := passed_on(frame)) is not None:
        return gone
    normal_quantile(confidence)
    columns = column_names(frame)
    by, strata = names_of(by, columns), names_of(standardise, columns)
    for argument, given in (("by", by), ("standardise", strata)):
        if not given:
            raise ArgumentError(f"{argument} names no column; at least one is needed.")
    both, taken = [n for n in strata if n in by], [n for n in (*by, *strata) if n in TAKEN]
    if both:
        raise ArgumentError(f"{', '.join(both)} cannot both form groups and be standardised for: leave it out of one.")
    if taken:
        raise ArgumentError(f"No column of groups or strata may be called {', '.join(taken)}: rename it.")
    wanted = np.unique(np.asarray([times] if isinstance(times, int | float) else list(times), dtype=float))
    wrong = int((~(np.isfinite(wanted) & (wanted > 0))).sum())
    if wrong or not len(wanted):
        raise ArgumentError(f"{wrong} of {len(wanted)} times are no finite number above 0; at least one is needed.")
    unit = time_unit or provenance_of(frame).population.get("time_unit")
    time, event, entry, weights = follow_up_columns(frame, time=time, event=event, entry=entry, weights=weights)
    events = event_table(frame, time=time, event=event, entry=entry, by=(*by, *strata), weights=weights)
    names = names_of_causes(frame, cause_names) | ({cause: event_name} if event_name else {})
    causes = sorted({*causes_of(events), *names}) or [1]
    if cause not in causes:
        raise ArgumentError(f"cause={cause} is none of the causes of column '{event}': {', '.join(map(str, causes))}.")
    settings = {
        "method": "direct standardisation of Aalen-Johansen estimates to all groups together, log interval",
        "reference": "Aalen and Johansen 1978; Breslow and Day 1987",
        "time": time,
        "event": event,
        "entry": entry,
        "weights": weights,
        "standardise": list(strata),
        "times": wanted.tolist(),
        "cause": int(cause),
        "causes": causes,
        "cause_names": names,
        "confidence": confidence,
        "interval": "log",
        "time_unit": unit,
        "grid": checked_grid(grid, unit),
        **provenance_of(frame).as_settings(),
    }
    why = _why_not_compared(events, by, strata)
    if why and optional:
        return not_available(why[0], f"the risk by {strata_phrase(by)}", provenance_of(frame).as_settings())  # type: ignore[return-value]
    if why:
        raise ArgumentError(why[1])
    return StandardisedRisk({"events": events}, settings, by)


def _why_not_compared(events: pl.DataFrame, by: tuple[str, ...], strata: tuple[str, ...]) -> tuple[str, str] | None:
    """Return why groups cannot be compared, in short and in full; None if there are two, and the strata that all have make up half of the people."""
    people = events.filter(pl.col("kind") >= 0).group_by([*by, *strata]).agg(pl.col("n_persons").sum())
    people = people.filter(pl.col("n_persons") > 0)
    n_groups = people.select(by).unique().height
    if n_groups < 2:
        return (
            f"There is {'one' if n_groups else 'no'} {strata_phrase(by)} here",
            f"There is {n_groups} group by {', '.join(by)}; a comparison needs two or more.",
        )
    own = people.group_by(strata).agg(pl.col("n_persons").sum(), pl.len().alias("__groups"))
    inside = own.filter(pl.col("__groups") == n_groups)
    share = int(inside["n_persons"].sum()) / int(own["n_persons"].sum())
    if share < LEAST_SHARE:
        return (
            f"Too few people have the same {strata_phrase(strata)} in each {strata_phrase(by)}",
            f"All {n_groups} groups have people in {inside.height} of {own.height} strata by {', '.join(strata)}, which make up "
            f"{100 * share:.0f}% of everybody: under half of the standard population would stand for all of it. Use coarser strata "
            "(wider age bands, fewer columns), or leave out the smallest groups.",
        )
    return None
