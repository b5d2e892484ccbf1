"""Standardised risks as exactly as the counts behind them are disclosed: a move from the crude risk, and a margin of its limits.

A released standardised risk is the crude one of the group's released curve, made of rounded counts, plus the *move* that
standardising makes, rounded to a step. With one stratum the move is zero and discloses nothing. Its limits are the curve's,
moved, and wider by a *margin* of whole steps; a curve's released limits hold its exact ones, so these hold the exact ones.

The step (1, 2 or 5 times a power of ten) is at least by how much as many people as the rounding base would move the risk, if
they were of the stratum in which one person moves it most: never less than the base over the group's people. It is
coarser until move and margin are the same whichever number a stratum's suppressed number of events is, so that somebody who
knows all other numbers exactly, or one of them as rounded, learns nothing of it; then how coarse the step is does not depend
on it either. The level of the p value is made coarser in the same way. One such stratum is varied at a time, by itself and with
each of the others, and its variance as a binomial's, so with censoring that is near, not exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from symphony_research.inference import Array
from symphony_research.inference.ends import ends_of_count
from symphony_research.policy import Policy
from symphony_research.survival.released_effects import nice_step
from symphony_research.survival.standardising import wald_p

__all__ = ["as_released", "moved", "with_level"]

COARSEST = 0.2  # step of a released risk, which groups of some hundred need: a coarser one would say nothing
LEVELS = (0.001, 0.01, 0.05, 1.0)  # of a p value, from fine to coarse: the first are left out where they say too much
FEWEST_LEVELS = 2  # up to 0.05, or over it
SLACK = 1e-9


def as_released(
    found: pl.DataFrame, cells: pl.DataFrame, by: tuple[str, ...], policy: Policy, z: float
) -> pl.DataFrame:
    """Return the move and the margin of every group's risk at each time, null where none is disclosed, and the share covered.

    Parameters
    ----------
    found : polars.DataFrame
        What `standardising.standardised` returns, with `n_persons`, `n_events`, `crude` and `crude_error`.
    cells : polars.DataFrame
        What `standardising.weighted` returns.
    by : tuple of str
    policy : Policy
    z : float
        Standard errors to a limit.
    """
    own = _strata_of_groups(found, cells, by)
    found_moves = [
        _disclosed(row, strata, policy, z)
        for row, strata in zip(found.iter_rows(named=True), own.iter_rows(named=True), strict=True)
    ]
    return found.with_columns(
        pl.Series("move", [move for move, _ in found_moves], dtype=pl.Float64),
        pl.Series("margin", [margin for _, margin in found_moves], dtype=pl.Float64),
        _released_share(found, policy),
    )


def with_level(
    tests: pl.DataFrame, found: pl.DataFrame, cells: pl.DataFrame, by: tuple[str, ...], policy: Policy
) -> pl.DataFrame:
    """Return tests with p as the finest level that is the same whichever number a stratum's suppressed number of events is.

    Parameters
    ----------
    tests : polars.DataFrame
        What `standardising.wald_tests` returns.
    found, cells, by, policy
        As of `as_released`.

    Returns
    -------
    polars.DataFrame
        With `p_adjusted` one of `LEVELS`; null where even 0.05 would say something of a suppressed number.
    """
    own = _strata_of_groups(found, cells, by)
    levels: list[float | None] = []
    n_times = found["time"].n_unique()
    for time, p in tests.select("time", "p_value").iter_rows():
        at = (found["time"] == time).to_list()
        rows, strata = found.filter(at).to_dicts(), own.filter(at).to_dicts()
        levels.append(None if p is None else _level(p, rows, strata, policy, n_times))
    return tests.with_columns(pl.Series("p_adjusted", levels, dtype=pl.Float64))


def _level(
    p: float, rows: Sequence[Mapping[str, Any]], strata: Sequence[Mapping[str, Any]], policy: Policy, n_times: int
) -> float | None:
    """Return the level of one p value times the number of times; None where none is the same whichever number of events it is."""
    estimates, errors = (np.array([row[c] for row in rows], float) for c in ("estimate", "standard_error"))
    possible = [np.array([p])]
    for at, (row, own) in enumerate(zip(rows, strata, strict=True)):
        estimate, error, _, _ = _variants(row, own, policy)
        f, e = (np.tile(values, (len(estimate), 1)) for values in (estimates, errors))
        f[:, at], e[:, at] = estimate, error
        possible.append(wald_p(f, e))
    every = np.minimum(n_times * np.concatenate(possible), 1.0)
    for first in range(len(LEVELS) - FEWEST_LEVELS + 1):
        levels = np.array(LEVELS[first:])
        found = np.searchsorted(levels, np.nan_to_num(every, nan=2.0))  # where there is no test, past the last
        if (found == found[0]).all():
            return float(levels[found[0]])
    return None


def _strata_of_groups(found: pl.DataFrame, cells: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """Return, for each group and time, the counts and risks of its strata that have a weight, as lists."""
    columns = ["n_persons", "n_events", "estimate", "error", "weight"]
    own = cells.filter(pl.col("weight").is_not_null()).group_by([*by, "time"], maintain_order=True).agg(columns)
    return found.select(*by, "time").join(own, on=[*by, "time"], how="left", nulls_equal=True, maintain_order="left")


def moved(curve: pl.DataFrame) -> pl.DataFrame:
    """Return released risks: those of the group's curve, moved, with limits wider by the margin."""
    made = curve.with_columns(
        (pl.col("crude") + pl.col("move")).clip(0, 1).alias("estimate"),
        (pl.col("crude_lower") + pl.col("move") - pl.col("margin")).clip(0, 1).alias("lower"),
        (pl.col("crude_upper") + pl.col("move") + pl.col("margin")).clip(0, 1).alias("upper"),
    )
    return made.with_columns([pl.when(pl.col("estimate").is_not_null()).then(c).alias(c) for c in ("lower", "upper")])


def _disclosed(
    row: Mapping[str, Any], strata: Mapping[str, Any], policy: Policy, z: float
) -> tuple[float | None, float | None]:
    """Return the move and margin of one risk; None where it is not disclosed."""
    if row["estimate"] is None or row["crude"] is None:
        return None, None
    few = row["covered_events"] <= policy.threshold and row["n_events"] > 0
    if few or row["covered_persons"] <= policy.threshold:
        return None, None
    exact, variants = _exactly(row), _variants(row, strata, policy)
    step = float(nice_step(np.array([policy.rounding * max(row["influence"], 1 / row["n_persons"])]))[0])
    move = abs(row["estimate"] - row["crude"])
    if move > 0:  # to two figures, as any estimate of a model
        step = max(step, 10.0 ** (np.floor(np.log10(move)) - 1))
    while step <= COARSEST + SLACK:
        if _same_whichever(variants, step, z):
            steps, margin = _figures(exact, step, z)
            return float(steps[0] * step), float(margin[0] * step)
        step = float(nice_step(np.array([step * 1.5]))[0])
    return None, None


Risks = tuple[Array, ...]  # standardised risk and standard error, crude risk and standard error


def _exactly(row: Mapping[str, Any]) -> Risks:
    """Return the risks of a group as they are."""
    return tuple(np.array([row[c]], float) for c in ("estimate", "standard_error", "crude", "crude_error"))


def _variants(row: Mapping[str, Any], strata: Mapping[str, Any], policy: Policy) -> Risks:
    """Return the group's risks for each number that a stratum's suppressed number of events may be, and each that a rounded one beside it stands for."""
    exact, n_persons = _exactly(row), row["n_persons"]
    columns = (np.asarray(strata[c], float) for c in ("n_persons", "n_events", "estimate", "error", "weight"))
    every = [tuple(float(value) for value in stratum) for stratum in zip(*columns, strict=True)]
    found = [exact]
    for at, own in enumerate(every):
        others = _possible_events(own[0], own[1], policy)
        if not len(others):
            continue
        alone = _with_events(exact, n_persons, own, others)
        found.append(alone)
        column = tuple(risk[:, None] for risk in alone)
        for k, beside in enumerate(every):
            as_rounded = _rounded_so(beside[0], beside[1], policy)
            if k != at and len(as_rounded) > 1:
                both = _with_events(column, n_persons, beside, as_rounded)
                found.append(tuple(risk.ravel() for risk in both))
    return tuple(np.concatenate(risks) for risks in zip(*found, strict=True))


def _rounded_so(people: float, events: float, policy: Policy) -> Array:
    """Return the numbers of events that are rounded as a stratum's; empty where it is suppressed."""
    if len(_possible_events(people, events, policy)):
        return np.zeros(0)
    shown = policy.shown(int(events)) or 0
    low, high = ends_of_count(shown, {"threshold": policy.threshold, "rounding": policy.rounding})
    return np.arange(low, min(high, people) + 1, dtype=float)


def _possible_events(people: float, events: float, policy: Policy) -> Array:
    """Return what a stratum's number of events may be by its mark; empty where the number is not suppressed."""
    t, least = policy.threshold, 0 if policy.hide_zeros else 1
    if people <= t:
        return np.arange(people + 1, dtype=float)
    if least <= events <= t:
        return np.arange(least, t + 1, dtype=float)
    if least <= people - events <= t:  # those without it are as few
        return np.asarray(people - np.arange(least, t + 1, dtype=float))
    return np.zeros(0)


def _with_events(exact: Risks, n_persons: int, stratum: tuple[float, ...], others: Array) -> Risks:
    """Return the risks if a stratum had other numbers of events, as the binomial moves them."""
    n, k, f, e, w = stratum
    estimate, error, crude, crude_error = exact
    g = np.clip(f + (others - k) / n, 0, 1)
    changed = np.maximum(e**2 + (g * (1 - g) - f * (1 - f)) / n, 0)
    by_all = np.clip(crude + (others - k) / n_persons, 0, 1)
    crude_variance = crude_error**2 + (by_all * (1 - by_all) - crude * (1 - crude)) / n_persons
    return (
        np.clip(estimate + w * (g - f), 0, 1),
        np.sqrt(np.maximum(error**2 + w**2 * (changed - e**2), 0)),
        by_all,
        np.sqrt(np.maximum(crude_variance, 0)),
    )


def _figures(risks: Risks, step: float, z: float) -> tuple[Array, Array]:
    """Return move and margin in steps: the margin is the first of 1, 2, 5, 10, ... with which the limits hold the exact ones."""
    estimate, error, crude, crude_error = risks
    steps = np.round((estimate - crude) / step)
    (low, high), (crude_low, crude_high) = _limits(estimate, error, z), _limits(crude, crude_error, z)
    lacks = np.maximum(crude_low + steps * step - low, high - crude_high - steps * step) / step
    return steps, nice_step(np.maximum(lacks - SLACK, 1.0))


def _limits(share: Array, error: Array, z: float) -> tuple[Array, Array]:
    """Return limits on the log scale, at zero zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(share > 0, error / share, 0.0)
    return share * np.exp(-z * relative), np.minimum(share * np.exp(z * relative), 1.0)


def _same_whichever(risks: Risks, step: float, z: float) -> bool:
    """Return whether move and margin are the same whichever number of events it is."""
    return all(bool((figure == figure[0]).all()) for figure in _figures(risks, step, z))


def _released_share(found: pl.DataFrame, policy: Policy) -> pl.Series:
    """Return the share of the standard population that is covered: of few people who are not, nothing is said.

    That some are not says that a group has nobody in a stratum; under a rule that suppresses zeros it is never shown.
    """
    uncovered, total = (found[c].to_numpy().astype(float) for c in ("n_uncovered", "n_standard"))
    step = np.maximum(nice_step(policy.rounding / np.maximum(total, 1)), 0.01)
    share = np.where(uncovered <= policy.threshold, 1.0, np.round((1 - uncovered / total) / step) * step)
    return pl.Series("share_of_standard", np.full(len(share), np.nan) if policy.hide_zeros else share).fill_nan(None)
