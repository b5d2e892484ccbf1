"""The cumulative hazard from released counts on the grid, with limits that hold the exact Nelson-Aalen estimate and its interval.

Notes
-----
What stands in `actuarial` of events and of who is at risk holds here too. The
exact estimate adds d/Y at each time of an event, and its variance d/Y^2, Y
being at risk just before. Taken one after the other, d tied events would add
1/Y + 1/(Y - 1) + ..., which is no less: so the highest sum has as many events
as there may be, each with the least Y of the intervals that it may fall in,
and nobody has an event alone who is not at risk, so no term is above 1. The
lowest sum has as few events as there may be, all of an interval tied at its
start, where at most as many are at risk as at the grid time before and entered
since.

References
----------
Cutler, S. J. and Ederer, F. (1958). Maximum utilization of the life table method
in analyzing survival. Journal of Chronic Diseases 8, 699-712.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from symphony_research.inference import Array, normal_quantile
from symphony_research.survival.actuarial import (
    Estimate,
    Released,
    _blocks,
    _Bounds,
    _given,
    _life_table,
    _nobody_known,
    _Stratum,
)

__all__ = ["hazard_interval", "hazard_on_grid"]


def hazard_interval(hazard: Array, error: Array, confidence: float, kind: str) -> tuple[Array, Array]:
    """Return the limits of a cumulative hazard, on its logarithm ("log") or as it is ("plain"); not below 0."""
    z = normal_quantile(confidence)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if kind == "plain":
            return np.maximum(hazard - z * error, 0.0), hazard + z * error
        return hazard * np.exp(-z * error / hazard), hazard * np.exp(z * error / hazard)


def hazard_on_grid(counts: Mapping[str, Array], released: Released, confidence: float, interval: str) -> Estimate:
    """Estimate the cumulative hazard of the one event at each grid time.

    Parameters
    ----------
    counts : mapping of str to array
        Released people by state at each grid time, NaN where suppressed; see `survival_on_grid`.
    released : mapping or None
        `threshold` and `rounding` of the counts; None for exact ones.
    confidence : float
    interval : {"log", "plain"}

    Returns
    -------
    Estimate
        In each interval its events over those exposed less half its events.
    """
    if _nobody_known(counts):
        return Estimate(*np.full((3, len(counts["at risk"])), np.nan))
    people = _Stratum(counts, ["event 1"], released)
    hazard, error = _bounds(people, people.every, people.censored)
    lower, low_upper = hazard_interval(hazard.low, error, confidence, interval)
    _, high_upper = hazard_interval(hazard.high, error, confidence, interval)
    # h exp(a / h) falls and then rises with h; where there may be no event, an event more may have any interval
    upper = np.where(hazard.low > 0, np.fmax(low_upper, high_upper), np.inf if interval == "log" else high_upper)
    lower = np.where(hazard.low > 0, lower, 0.0)
    none = (hazard.high == 0) & (np.arange(len(lower)) > 0)  # nobody had it: then the interval does not exist
    if interval == "log":
        lower, upper = np.where(none, np.nan, lower), np.where(none, np.nan, upper)
        lower[0] = upper[0] = 0.0
    upper = np.where(np.isinf(upper), np.nan, upper)
    given = _given(_hazard(people), lower, upper)
    return Estimate(given.estimate, given.lower, given.upper)


def _bounds(people: _Stratum, leaving: _Bounds, others: _Bounds) -> tuple[_Bounds, Array]:
    """Bound the Nelson-Aalen estimate at each time, and its standard error from above."""
    least, most = people.ends_at_risk(leaving, others)
    # at the start of an interval, those who left before no longer among them
    most = np.minimum(
        most - np.append(0.0, leaving.low[:-1]), np.append(np.inf, people.at_risk.high[:-1]) + people.entered
    )
    low, high, variance = np.zeros((3, len(least)))
    for at in range(1, len(least)):
        y = people.least_until(least, leaving, at)
        for a, b, own in _blocks(leaving, at, leaving.high[at]):
            first, squared = _sums(y[own].min() - a, b - a)
            high[at] += first
            variance[at] += squared
        for a, b, own in _blocks(leaving, at, leaving.low[at]):
            low[at] += (b - a) / max(most[own].max(), 1.0)
    return _Bounds(low, high), np.sqrt(variance)


def _sums(at_risk: float, events: float) -> tuple[float, float]:
    """Return the sums of 1/Y and of 1/Y^2 over events one after the other from a number at risk, no Y below 1."""
    from scipy.special import digamma, polygamma

    last = max(at_risk - events + 1, 1.0)
    below = min(events, max(events - at_risk, 0.0))  # of which Y would be below 1
    if at_risk < 1:
        return events, events
    first = digamma(at_risk + 1) - digamma(last)
    squared = polygamma(1, last) - polygamma(1, at_risk + 1)
    return float(first + below), float(squared + below)


def _hazard(people: _Stratum) -> Array:
    """Return the actuarial cumulative hazard at each time: with q the probability of an event in an interval, q / (1 - q/2)."""
    free = _life_table(people, 0)[0]
    known = np.flatnonzero(~np.isnan(free))
    found = np.full(len(free), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        probability = 1 - free[known[1:]] / free[known[:-1]]
    found[known] = np.append(0.0, np.cumsum(probability / (1 - probability / 2)))[: len(known)]
    return found
