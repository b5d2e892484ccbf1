"""Rates by period of two groups with fixed effects of each row, and how they differ; arrays in, arrays out.

With an effect of its own for each row, and for each period in each group, the groups share no coefficient: each is fitted by
itself, and effects of rows are profiled out. That gives the coefficients, and the variance by person, of the regression with
an indicator for each row.

References
----------
Hausman, J., Hall, B. H. and Griliches, Z. (1984). Econometric models for count data with an application to the patents-R&D
relationship. Econometrica 52, 909-938.
Wooldridge, J. M. (1999). Distribution-free estimation of some nonlinear panel data models. Journal of Econometrics 90, 77-97.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.errors import NotEstimableError
from symphony_research.evaluation.counts import summed_by
from symphony_research.inference import Array

__all__ = ["METHODS", "PeriodEffects", "between_groups", "rate_change"]

METHODS = ("poisson", "linear")
MOST_STEPS = 100
NEAR = 1e-11
FLAT = 1e-11  # of a scaled eigenvalue: periods that no row links


@dataclass(frozen=True)
class PeriodEffects:
    """Differences between groups in each period, compared with those in the reference period.

    Attributes
    ----------
    estimate : (periods,) array
        Log rate ratios, or differences of events a day; 0 in the reference period, nothing where it is not estimable.
    influence : (people, periods) array
        What each person adds to the error.
    """

    estimate: Array
    influence: Array

    @property
    def covariance(self) -> Array:
        """Covariance by person, without correction for small samples (HC0)."""
        found: Array = self.influence.T @ self.influence
        return found

    @property
    def error(self) -> Array:
        """Standard errors."""
        found: Array = np.where(np.isfinite(self.estimate), np.sqrt((self.influence**2).sum(axis=0)), np.nan)
        return found


def between_groups(
    events: Array, days: Array, weight: Array, treated: NDArray[np.bool_], person: NDArray[Any], *, reference: int, method: str
) -> PeriodEffects:  # fmt: skip
    """Return how much more the rate of the treated changed from the reference period to each other than that of the others.

    Parameters
    ----------
    events, days : (n, periods) arrays
        Of each row; periods without days do not count.
    weight, treated, person : (n,) arrays
    reference : int
        The place of the period that all others are compared with.
    method : {"poisson", "linear"}
        Log rate ratios by Poisson regression with the logarithm of days; or differences of events a day by least
        squares, weighted by days.

    Raises
    ------
    ArgumentError
        If no row links the periods.

    Examples
    --------
    >>> events = np.array([[2.0, 1], [2, 1], [1, 2], [3, 2]])
    >>> group = np.array([True, True, False, False])
    >>> found = between_groups(events, np.full((4, 2), 10.0), np.ones(4), group, np.arange(4), reference=0, method="poisson")
    >>> np.exp(found.estimate).round(6).tolist()  # from 4 to 2, and 4 to 4
    [1.0, 0.5]
    """
    fit = _poisson if method == "poisson" else _linear
    periods = events.shape[1]
    estimate, influence = np.zeros(periods), np.zeros((len(weight), periods))
    for sign, own in ((1, treated), (-1, ~treated)):
        found, moved = fit(events[own], days[own], weight[own], reference)
        estimate += sign * found
        influence[own] = sign * moved
    by_person = summed_by(person, influence)
    by_person[:, ~np.isfinite(estimate)] = 0.0
    return PeriodEffects(estimate, by_person)


def _poisson(events: Array, days: Array, weight: Array, reference: int) -> tuple[Array, Array]:
    """Return log rates of periods less that of the reference, and what each row adds to their error."""
    periods = events.shape[1]
    estimate, influence = np.full(periods, np.nan), np.zeros(events.shape)
    happened = weight @ events
    there = np.flatnonzero(happened > 0)  # in others the maximum has no rate at all
    if not happened[reference] > 0:
        return estimate, influence
    # who has no event, or one period, tells nothing of how rates change
    rows = np.flatnonzero((events.sum(axis=1) > 0) & ((days > 0).sum(axis=1) > 1) & (weight > 0))
    y, e, w = events[np.ix_(rows, there)], days[np.ix_(rows, there)], weight[rows]
    total, own = y.sum(axis=1), np.searchsorted(there, reference)
    free = np.delete(np.arange(len(there)), own)
    with np.errstate(divide="ignore"):
        g = np.log(happened[there] / (weight @ days)[there])
    g -= g[own]

    def shares(g: Array) -> tuple[Array, float]:
        part = e * np.exp(g)
        p = part / part.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            return p, float((w[:, None] * np.where(y > 0, y * np.log(p), 0.0)).sum())

    p, likelihood = shares(g)
    for _ in range(MOST_STEPS):
        score = w[:, None] * (y - total[:, None] * p)
        information = _information(p, w * total)[np.ix_(free, free)]
        step = np.zeros(len(there))
        step[free] = _solved(information, score.sum(axis=0)[free])
        for _half in range(40):
            tried, found = shares(g + step)
            if np.isfinite(found) and found >= likelihood - 1e-10 * (1 + abs(likelihood)):
                break
            step = step / 2
        g, p, likelihood = g + step, tried, found
        if np.abs(step).max(initial=0.0) < NEAR:
            break
    else:
        raise NotEstimableError("The rates by period do not converge: some period has events of next to nobody.")
    score = w[:, None] * (y - total[:, None] * p)
    information = _information(p, w * total)[np.ix_(free, free)]
    estimate[there] = g
    influence[np.ix_(rows, there[free])] = _solved(information, score[:, free].T).T
    return estimate, influence


def _linear(events: Array, days: Array, weight: Array, reference: int) -> tuple[Array, Array]:
    """Return mean events a day of periods less that of the reference, and what each row adds to their error."""
    periods = events.shape[1]
    estimate, influence = np.full(periods, np.nan), np.zeros(events.shape)
    there = np.flatnonzero(weight @ days > 0)
    if reference not in there:
        return estimate, influence
    y, e, total = events[:, there], days[:, there], days.sum(axis=1)
    p = np.divide(e, total[:, None], out=np.zeros_like(e), where=total[:, None] > 0)
    own = np.searchsorted(there, reference)
    free = np.delete(np.arange(len(there)), own)
    information = _information(p, weight * total)[np.ix_(free, free)]
    within = weight[:, None] * (y - p * y.sum(axis=1, keepdims=True))
    g = np.zeros(len(there))
    g[free] = _solved(information, within.sum(axis=0)[free])
    score = within - weight[:, None] * (e * g - p * (e @ g)[:, None])
    estimate[there] = g
    influence[np.ix_(np.arange(len(events)), there[free])] = _solved(information, score[:, free].T).T
    return estimate, influence


def _information(p: Array, size: Array) -> Array:
    """Return the information of periods with effects of rows profiled out: the sum of size (diag(p) - p p')."""
    scaled = p * size[:, None]
    found: Array = np.diag(scaled.sum(axis=0)) - scaled.T @ p
    return found


def _solved(information: Array, right: Array) -> Array:
    if not len(information):
        return np.zeros_like(right)
    size = np.sqrt(np.maximum(np.diag(information), 0.0))
    if not (size > 0).all() or np.linalg.eigvalsh(information / np.outer(size, size)).min() < FLAT:
        raise NotEstimableError(
            "Nobody with the outcome is observed both in the reference period and in some other: choose another "
            "reference period, or longer ones."
        )
    found: Array = np.asarray(np.linalg.solve(information, right), dtype=np.float64)
    return found


def rate_change(events: Array, days: Array, weight: Array, person: NDArray[Any]) -> tuple[float, Array]:
    """Return the log of the second period's rate over the first's, and what each person adds to its error.

    Examples
    --------
    >>> found, moved = rate_change(np.array([[1.0, 1], [1, 0]]), np.full((2, 2), 10.0), np.ones(2), np.arange(2))
    >>> float(np.exp(found).round(6)), moved.round(6).tolist()  # 1 / 2; half an event over and under the mean of 1, of 1
    (0.5, [0.5, -0.5])
    """
    happened, time = weight @ events, weight @ days
    if not (happened > 0).all():
        return float("nan"), np.zeros(len(np.unique(person)))
    off = weight[:, None] * (events - happened / time * days) / happened
    return float(np.log(happened / time) @ [-1, 1]), summed_by(person, off @ np.array([[-1.0], [1.0]]))[:, 0]
