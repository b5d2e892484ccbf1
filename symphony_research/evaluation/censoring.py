"""Controls censored when they enrol, and those who have not weighted for them: the inverse probability of censoring.

References
----------
Robins, J. M. and Finkelstein, D. M. (2000). Correcting for noncompliance and dependent censoring in an AIDS clinical trial
with inverse probability of censoring weighted (IPCW) log-rank tests. Biometrics 56, 779-788.
Laird, N. and Olivier, D. (1981). Covariance analysis of censored survival data using log-linear analysis techniques. JASA 76,
231-240.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.cohort.later import EnrolmentSteps, enrolment_steps
from symphony_research.cohort.matched import Matched, OutcomeRows, event_times
from symphony_research.evaluation.counts import fitted_counts, independent_columns
from symphony_research.evaluation.scores import PRIOR_DEVIATION
from symphony_research.inference import Array

__all__ = ["TRUNCATED_AT", "CensoringWeights", "censored_at_enrolment", "censoring_weights"]

Whole = NDArray[np.int64]
TRUNCATED_AT = 99.0  # per cent of the weights that controls end with
_APART = 1e4  # more than any cumulative hazard


@dataclass(frozen=True, eq=False, repr=False)
class CensoringWeights:
    """One over the probability that a control has not enrolled by a day, by what they had used until then.

    The hazard is constant within a step, so that the cumulative hazard is linear in it and its exponential has an integral.

    Attributes
    ----------
    steps : EnrolmentSteps
    hazard : (n,) array
        A day, of each step.
    before : (n,) array
        Cumulative hazard of the stay at the start of each step.
    area : (n,) array
        Integral of its exponential, from the start of the stay.
    largest : float
        Weights above it are set to it.
    """

    steps: EnrolmentSteps
    hazard: Array
    before: Array
    area: Array
    largest: float = np.inf

    def _at(self, stay: Whole, day: Whole) -> tuple[Whole, Array]:
        """Return the step that each day is in, and the days of it gone at the end of that day; none before the first step."""
        base = np.int64(1) << 32
        key = self.steps.stay * base + self.steps.first
        start = np.searchsorted(self.steps.stay, stay)
        step = np.maximum(np.searchsorted(key, stay * base + day, side="right") - 1, start)
        step = np.minimum(step, len(key) - 1)
        return step, np.maximum(day - self.steps.first[step] + 1, 0).astype(float)

    def cumulative(self, stay: Whole, day: Whole) -> Array:
        """Return the cumulative hazard of a stay at the end of each day."""
        step, gone = self._at(stay, day)
        return np.asarray(self.before[step] + self.hazard[step] * gone)

    def weight(self, stay: Whole, zero: Whole, day: Whole) -> Array:
        """Return the weight of controls on a day, who were not enrolled at the end of `zero`."""
        found = np.exp(self.cumulative(stay, day) - self.cumulative(stay, zero))
        return np.asarray(np.minimum(found, self.largest))

    def days(self, stay: Whole, zero: Whole, end: Whole) -> Array:
        """Return the weighted days of controls after `zero`, up to and including `end`: the integral of their weight."""
        start = self.cumulative(stay, zero)
        cut = end.astype(float)
        if np.isfinite(self.largest):  # the day from which the weight is the largest
            last = np.searchsorted(self.steps.stay, stay, side="right") - 1
            key = self.steps.stay * _APART + self.before
            step = np.searchsorted(key, stay * _APART + start + np.log(self.largest), side="right") - 1
            step = np.clip(step, np.searchsorted(self.steps.stay, stay), last)
            left = start + np.log(self.largest) - self.before[step]
            rate = self.hazard[step]
            into = np.divide(left, rate, out=np.full(len(left), np.inf), where=rate > 0)
            length = (self.steps.last - self.steps.first + 1)[step]
            reached = np.where(into <= length, self.steps.first[step] - 1 + into, np.inf)
            cut = np.minimum(cut, np.maximum(reached, zero))
        whole = self._area_to(stay, cut) - self._area_to(stay, zero.astype(float))
        return np.asarray(np.exp(-start) * whole + np.where(end > cut, (end - cut) * self.largest, 0.0))

    def _area_to(self, stay: Whole, day: Array) -> Array:
        """Return the integral of the exponential of the cumulative hazard from the start of a stay to a point in time."""
        step, _ = self._at(stay, np.ceil(day).astype(np.int64))
        gone = np.maximum(day - self.steps.first[step] + 1, 0.0)
        return np.asarray(self.area[step] + _integral(self.before[step], self.hazard[step], gone))


def _integral(before: Array, hazard: Array, length: Array) -> Array:
    """Return the integral of exp(before + hazard t) over t from 0 to a length."""
    small = hazard * length < 1e-9
    rate = np.where(small, 1.0, hazard)
    return np.asarray(np.exp(before) * np.where(small, length, np.expm1(rate * length) / rate))


def censoring_weights(matched: Matched, horizon: int) -> CensoringWeights | None:
    """Return the weights of controls who have not enrolled; None where none of them does.

    Parameters
    ----------
    matched : Matched
    horizon : int
        Days after time zero.

    Notes
    -----
    The hazard of enrolling is constant within steps of at most `later.STEP_DAYS` days and log-linear in what the person had used
    before the step, age, sex, conditions and the half-year (Poisson regression with the logarithm of days, of each person once,
    of however many sets they are a control); where nobody had enrolled with the hub of their practice yet it is 0. A normal prior
    of standard deviation 3 on the log hazard ratio for one standard deviation keeps it finite, as of the score. Weights are not
    stabilised: rates are of the whole window, in which a numerator that falls with time would give the first months of controls
    more weight than those of enrolled people. They are truncated at the 99th percentile of those that controls end with.
    """
    steps = enrolment_steps(matched, horizon)
    open_ = steps.exposure > 0
    if not steps.enrolled[open_].sum():
        return None
    x = steps.covariates[open_]
    middle, spread = x.mean(axis=0), x.std(axis=0)
    there = spread > 0
    z = np.column_stack([np.ones(len(x)), (x[:, there] - middle[there]) / spread[there]])
    z = z[:, independent_columns(z, np.ones(len(z)), keep=1)]
    prior = np.append(0.0, np.full(z.shape[1] - 1, 1 / PRIOR_DEVIATION**2))
    fit = fitted_counts(z, steps.enrolled[open_], steps.exposure[open_], np.ones(len(z)), what="enrolment", prior=prior)
    expected = np.zeros(len(steps.stay))
    expected[open_] = fit.mean
    length = (steps.last - steps.first + 1).astype(float)
    hazard = expected / length
    before = _sum_before(expected, steps.stay)
    area = _sum_before(_integral(before, hazard, length), steps.stay)
    made = CensoringWeights(steps, hazard, before, area)
    sets = matched._sets
    row = np.flatnonzero(steps.of_row >= 0)
    stay, zero = steps.of_row[row], sets.day[row]
    ends = np.minimum(np.minimum(zero + horizon, sets.until[row]), sets.enrols[row])
    return replace(made, largest=float(np.percentile(made.weight(stay, zero, ends), TRUNCATED_AT)))


def _sum_before(values: Array, groups: NDArray[Any]) -> Array:
    """Return the sum of the values of a group that stand before each."""
    before = np.cumsum(values) - values
    start = np.searchsorted(groups, groups)
    return np.asarray(before - before[start])


def censored_at_enrolment(
    matched: Matched, found: OutcomeRows, event: str, horizon: int, weights: CensoringWeights | None
) -> tuple[OutcomeRows, Array]:
    """Return the rows with controls censored on the day they enrol, and the days at risk that are left of each.

    Events and days of controls are weighted by `weights`; without any, as they are.

    Parameters
    ----------
    matched : Matched
    found : OutcomeRows
        Rows with time at risk, of days 1 to `horizon`.
    event : str
    horizon : int
    weights : CensoringWeights or None
    """
    seen = found.days - found.enrolled_days
    place, time = event_times(matched, event, found, last=horizon)
    kept = time <= seen[place]
    place, time = place[kept], time[kept]
    control = ~found.treated
    each, days = np.ones(len(place)), seen.copy()
    if weights is not None:
        of_row, zero = weights.steps.of_row[found.row], matched._sets.day[found.row]
        own = control[place]
        at = place[own]
        each[own] = weights.weight(of_row[at], zero[at], zero[at] + time[own].astype(np.int64))
        days[control] = weights.days(of_row[control], zero[control], zero[control] + seen[control].astype(np.int64))
    there = seen > 0
    events = np.bincount(place, each, len(found.row)).astype(np.float64)
    return replace(found, days=days, events=events).kept(there), seen[there]
