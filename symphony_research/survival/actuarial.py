"""Life-table estimates from released counts on the grid, with limits that hold whatever the grid and the rounding conceal.

The estimate is actuarial: whoever is censored in an interval is at risk for
half of it. Its limits hold the exact Kaplan-Meier or Aalen-Johansen estimate
and its exact interval for every order of events and censorings within the
intervals, and for every number that the released counts may stand for.

Notes
-----
Number the events of a stratum in order of time, ties in any order. The exact
estimate is the product of 1 - 1/Y over them, Greenwood's sum that of
1/(Y (Y - 1)), where Y is the number at risk less the events before at the same
time: both are the textbook's, telescoped. Before event number m

    Y = entered before - censored before - (m - 1)

and if it falls in the interval from grid time i to j, both numbers lie between
their values at i and j. So Y lies between G - m + 1 and H - m + 1, where

    G = entered by i - censored by j,  and no less than  at risk at j + events by j - entered in between,
    H = entered by j - censored by i,  and no more than  at risk at i + events by i + entered in between.

Which intervals an event may fall in follows from the bounds of the cumulative
events. The product falls, and the sum grows, with every event more and with
every Y smaller; so the lowest product has as many events as there may be, each
with the least Y of the intervals that it may fall in. (G rises with the number
of events by j, but the product of (G - m)/(G - m + 1) over an interval's events
up to m = e, with G = at risk + e, still falls with e.) The highest product
likewise. Rounded counts err once, not once an interval.

References
----------
Cutler, S. J. and Ederer, F. (1958). Maximum utilization of the life table method
in analyzing survival. Journal of Chronic Diseases 8, 699-712.
Robins, J. M. and Finkelstein, D. M. (2000). Correcting for noncompliance and
dependent censoring in an AIDS clinical trial. Biometrics 56, 779-788: an event
adds one over the number of people and over the censoring's own survival.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from symphony_research.inference import Array, normal_quantile
from symphony_research.inference.ends import ends_of_count

__all__ = ["Estimate", "cumulative_incidence_on_grid", "restricted_mean_on_grid", "survival_on_grid"]

Released = Mapping[str, Any] | None
EXACT = {"threshold": 0, "rounding": 1}


@dataclass(frozen=True)
class Estimate:
    """An actuarial estimate at each grid time, NaN where it is not given, and its limits."""

    estimate: Array
    lower: Array
    upper: Array


@dataclass(frozen=True)
class _Bounds:
    """Lowest and highest value at each grid time."""

    low: Array
    high: Array


class _Stratum:
    """Bounds of what is counted in one stratum; NaN stands for a suppressed count."""

    def __init__(self, counts: Mapping[str, Array], events: Sequence[str], released: Released) -> None:
        self.shown, self.events = counts, events
        self.late = "not yet entered" in counts
        boxes = {state: _box(values, released) for state, values in counts.items()}
        for state in ("censored", *events):  # at 0 nobody has left
            boxes[state].low[0] = boxes[state].high[0] = 0
        start = [boxes[state] for state in ("at risk", "not yet entered") if state in counts]
        self.least, self.most = sum(b.low[0] for b in start), sum(b.high[0] for b in start)
        for _ in range(2):  # everybody is in one state; and who has left, or entered, has done so for good
            boxes = {state: _within(state, boxes, self.least, self.most) for state in boxes}
            boxes = {
                state: b if self.late and state == "at risk" else _monotone(b, state in ("censored", *events))
                for state, b in boxes.items()
            }
        self.at_risk, self.censored = boxes["at risk"], boxes["censored"]
        nobody = np.zeros_like(self.at_risk.low)
        self.waiting = boxes.get("not yet entered", _Bounds(nobody, nobody))
        self.of_cause = [boxes[state] for state in events]
        every = _Bounds(sum((b.low for b in self.of_cause), nobody), sum((b.high for b in self.of_cause), nobody))
        inside = _within("", {"": every, "at risk": self.at_risk, "censored": self.censored, "w": self.waiting},
                         self.least, self.most)  # fmt: skip
        self.every = _monotone(inside, True)
        # at most so many enter in the interval that ends at each time
        self.entered = np.append(0.0, np.maximum(self.waiting.high[:-1] - self.waiting.low[1:], 0))

    def ends_at_risk(self, leaving: _Bounds, others: _Bounds) -> tuple[Array, Array]:
        """Bound the number at risk and those who left before: G and H of each interval, by the time at which it ends."""
        w, r = self.entered, self.at_risk
        least = self.least - np.append(self.most, self.waiting.high[:-1]) - others.high
        least = np.maximum(least, r.low + leaving.low - w)
        most = self.most - self.waiting.low - np.append(0, others.low[:-1])
        return least, np.minimum(most, np.append(np.inf, r.high[:-1] + leaving.high[:-1]) + w)

    def least_until(self, least: Array, leaving: _Bounds, at: int) -> Array:
        """Return the least G of each interval where as many leave up to a time as may."""
        y = least.copy()
        y[at] = max(y[at], self.at_risk.low[at] + leaving.high[at] - self.entered[at])
        return y

    def survival(self, leaving: _Bounds, others: _Bounds) -> tuple[_Bounds, Array]:
        """Bound the product-limit estimate of one way to leave at each time, and Greenwood's sum from above.

        `others` leave otherwise. Of censoring the same holds as of events: at a grid time neither is over.
        """
        least, most = self.ends_at_risk(leaving, others)
        size = len(least)
        low, high, greenwood = np.ones(size), np.ones(size), np.zeros(size)
        for at in range(1, size):
            y = self.least_until(least, leaving, at)
            for a, b, own in _blocks(leaving, at, leaving.high[at]):
                y_of_last, y_of_first = y[own].min() - b, y[own].min() - a
                certain = y_of_last > 0
                low[at] *= y_of_last / y_of_first if certain else 0.0
                greenwood[at] += 1 / y_of_last - 1 / y_of_first if certain else np.inf
            for a, b, own in _blocks(leaving, at, leaving.low[at]):
                high[at] *= max(most[own].max() - b, 0) / max(most[own].max() - a, 1)
        return _Bounds(low, high), greenwood


def survival_on_grid(counts: Mapping[str, Array], released: Released, confidence: float, interval: str) -> Estimate:
    """Estimate the share free of the one event at each grid time.

    Parameters
    ----------
    counts : mapping of str to array
        Released people by state ("event 1", "censored", "at risk", with late entry "not yet entered") at each grid
        time, NaN where suppressed.
    released : mapping or None
        `threshold` and `rounding` of the counts; None for exact ones.
    confidence : float
    interval : {"log", "log_log", "plain"}

    Returns
    -------
    Estimate
        With limits for the exact estimate and its interval.
    """
    if _nobody_known(counts):
        return Estimate(*np.full((3, len(counts["at risk"])), np.nan))
    people = _Stratum(counts, ["event 1"], released)
    survival, greenwood = people.survival(people.every, people.censored)
    ratio = np.sqrt(greenwood)
    lower, upper = _outer(survival, ratio, ratio, confidence, interval)
    return _given(_life_table(people, 0)[0], lower, upper)


def cumulative_incidence_on_grid(
    counts: Mapping[str, Array], states: Sequence[str], released: Released, confidence: float, interval: str
) -> list[Estimate]:
    """Estimate the share with an event of each cause at each grid time, the causes competing; see `survival_on_grid`."""
    if _nobody_known(counts):
        return [Estimate(*np.full((3, len(counts["at risk"])), np.nan)) for _ in states]
    people = _Stratum(counts, states, released)
    survival, _ = people.survival(people.every, people.censored)
    mass = _mass(people, survival)
    found = []
    for k, own in enumerate(people.of_cause):
        others = _Bounds(
            np.maximum(people.every.low - own.high, sum((b.low for b in people.of_cause if b is not own), 0 * own.low)),
            np.minimum(
                people.every.high - own.low, sum((b.high for b in people.of_cause if b is not own), 0 * own.low)
            ),
        )
        reached, error = _incidence(own, _monotone(others, True), survival, mass)
        with np.errstate(divide="ignore", invalid="ignore"):
            at_low, at_high = (np.where(error == 0, 0.0, error / share) for share in (reached.low, reached.high))
        lower, upper = _outer(reached, at_low, at_high, confidence, interval)
        none = (reached.high == 0) & (np.arange(len(lower)) > 0)  # nobody had it: then the interval does not exist
        lower, upper = np.where(none, np.nan, lower), np.where(none, np.nan, upper)
        found.append(_given(_life_table(people, k)[1], lower, upper))
    return found


def restricted_mean_on_grid(
    times: Array, counts: Mapping[str, Array], released: Released, horizon: float, z: float
) -> tuple[float | None, float | None, float | None]:
    """Estimate the area under the survival curve up to a grid time, with limits for the exact one and its interval.

    Between two grid times the exact curve lies between its values at them, as it never rises. Its variance is the sum
    over events of A^2 / (Y (Y - 1)), A being the area from the event to the horizon: no more than the highest area from
    the grid time before, times what Greenwood's sum grows by; at most that from the start times all of it.
    """
    none = (None, None, None)
    if _nobody_known(counts) or not np.isclose(times, horizon).any():
        return none
    end = int(np.flatnonzero(np.isclose(times, horizon))[0])
    people = _Stratum(counts, ["event 1"], released)
    free = _life_table(people, 0)[0][: end + 1]
    if np.isnan(free[[0, end]]).any():
        return none
    survival, greenwood = people.survival(people.every, people.censored)
    at, low, high, wide = times[: end + 1], survival.low[: end + 1], survival.high[: end + 1], np.diff(times[: end + 1])
    known = ~np.isnan(free)
    shown, when = free[known], at[known]
    estimate = float((np.diff(when) * (shown[1:] + shown[:-1]) / 2).sum())
    least, most = float((wide * low[1:]).sum()), wide * high[:-1]
    after = np.append(np.cumsum(most[::-1])[::-1], 0.0)  # highest area from each grid time to the horizon
    # an event m at most adds what it adds to Greenwood's sum at its latest; by parts, since areas fall and the sum grows
    sums = greenwood[: end + 1]
    with np.errstate(invalid="ignore"):
        variance = float((sums[1:] * (after[:-1] ** 2 - after[1:] ** 2)).sum())
    error = np.sqrt(variance) if np.isfinite(variance) else np.inf
    top = float(most.sum())
    lower, upper = max(least - z * error, 0.0), min(top + z * error, horizon)
    return estimate, min(lower, estimate), max(upper, estimate)


def _nobody_known(counts: Mapping[str, Array]) -> bool:
    """Return whether the size of the stratum itself is suppressed."""
    return bool(np.isnan([counts[state][0] for state in ("at risk", "not yet entered") if state in counts]).any())


def _given(estimate: Array, lower: Array, upper: Array) -> Estimate:
    gone = np.isnan(estimate)
    lower, upper = np.minimum(lower, estimate), np.maximum(upper, estimate)
    return Estimate(estimate, np.where(gone, np.nan, lower), np.where(gone, np.nan, upper))


def _box(values: Array, released: Released) -> _Bounds:
    pairs = [(0.0, np.inf) if np.isnan(v) else ends_of_count(v, released or EXACT) for v in values]
    return _Bounds(*np.array(pairs, dtype=float).reshape(-1, 2).T)


def _within(state: str, boxes: Mapping[str, _Bounds], least: float, most: float) -> _Bounds:
    """Bound one state by the others: together they are everybody."""
    others = [box for name, box in boxes.items() if name != state]
    low = np.maximum(boxes[state].low, least - sum((b.high for b in others), np.zeros(1)))
    high = np.minimum(boxes[state].high, most - sum((b.low for b in others), np.zeros(1)))
    return _Bounds(low, high)


def _monotone(box: _Bounds, rising: bool) -> _Bounds:
    turn = slice(None, None, 1 if rising else -1)
    back = slice(None, None, -1 if rising else 1)
    return _Bounds(np.maximum.accumulate(box.low[turn])[turn], np.minimum.accumulate(box.high[back])[back])


def _blocks(leaving: _Bounds, at: int, until: float) -> Iterator[tuple[float, float, slice]]:
    """Yield (a, b, intervals): those who leave as number a + 1 to b up to a time do so in one of these intervals.

    An interval goes by the index of the time at which it ends.
    """
    low, high = leaving.low[: at + 1].tolist(), leaving.high[: at + 1].tolist()
    for a, b in pairwise(sorted({n for n in (0.0, until, *low, *high) if 0 <= n <= until})):
        yield a, b, slice(bisect_left(high, b, lo=1), min(at, bisect_right(low, a)) + 1)


def _mass(people: _Stratum, survival: _Bounds) -> _Bounds:
    """Bound what one event adds to the incidence, survival before it over the number at risk, in each interval.

    Without late entry that is one over the number of people and over the survival of the censoring before it.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if not people.late:
            censoring, _ = people.survival(people.censored, people.every)
            low = 1 / (people.most * np.append(1.0, censoring.high[:-1]))
            return _Bounds(low, 1 / (people.least * censoring.low))
        before = np.append(np.inf, people.at_risk.high[:-1]) + people.entered
        after = np.maximum(people.at_risk.low + 1 - people.entered, 1)
        least = np.where(before > 0, survival.low / before, 0.0)  # with nobody there is no event
        return _Bounds(least, np.append(1.0, survival.high[:-1]) / after)


def _incidence(own: _Bounds, others: _Bounds, survival: _Bounds, mass: _Bounds) -> tuple[_Bounds, Array]:
    """Bound the cumulative incidence of a cause, and its standard error from above.

    With s the mass of an event at u, and p the probability to have the cause's event between u and t for those free of
    any at u, the variance is at most the sum of s^2 (1 - p)^2 over the cause's events and of s^2 p^2 over the others
    (the delta method over multinomial steps, less squares that only make it smaller).
    """
    size = len(own.low)

    def summed(of: _Bounds, at: int, until: float, weight: Array, choose: Callable[[Array], Any]) -> float:
        return float(sum((b - a) * choose(weight[mine]) for a, b, mine in _blocks(of, at, until)))

    low = np.array([summed(own, at, own.low[at], mass.low, np.min) for at in range(size)])
    high = np.array([summed(own, at, own.high[at], mass.high, np.max) for at in range(size)])
    high = np.minimum(high, 1 - survival.low)
    error = np.zeros(size)
    before_low, before_high = np.append(0.0, low[:-1]), np.append(1.0, survival.high[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        for at in range(size):
            least = np.clip(np.nan_to_num((low[at] - high) / before_high), 0, 1)
            most = np.clip(np.nan_to_num((high[at] - before_low) / survival.low, nan=1.0), 0, 1)
            variance = summed(own, at, own.high[at], (mass.high * (1 - least)) ** 2, np.max)
            variance += summed(others, at, others.high[at], np.where(most > 0, mass.high * most, 0) ** 2, np.max)
            error[at] = np.inf if np.isnan(variance) else np.sqrt(variance)
    return _Bounds(low, high), error


def _outer(share: _Bounds, at_low: Array, at_high: Array, confidence: float, kind: str) -> tuple[Array, Array]:
    """Bound an interval from outside, given the share's bounds and the highest relative error at each of them.

    On the log scale share x exp(error / share) falls and then rises with the share, so its highest value stands at
    an end; -log of the log-log limits, h exp(-+ a / h) with h = -log share, likewise.
    """
    z = normal_quantile(confidence)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if kind == "plain":
            lower, upper = share.low * (1 - z * at_low), share.high * (1 + z * at_high)
        elif kind == "log":
            lower = share.low * np.exp(-z * at_low)
            upper = np.fmax(share.low * np.exp(z * at_low), share.high * np.exp(z * at_high))
            upper = np.where(np.isinf(at_low), 1.0, upper)
        else:
            small, large, width = -np.log(share.high), -np.log(share.low), z * at_low
            lower = np.exp(-np.fmax(small * np.exp(width / small), large * np.exp(width / large)))
            lower = np.where((share.high == 1) & (width > 0), 0.0, np.where(large == 0, 1.0, lower))
            upper = np.where(small == 0, 1.0, np.exp(-small * np.exp(-width / small)))
        lower = np.where(np.isinf(at_low) | np.isnan(lower), 0.0, lower)
        upper = np.where(np.isnan(upper), 1.0, upper)
    return np.clip(lower, 0, 1), np.clip(upper, 0, 1)


def _life_table(people: _Stratum, cause: int) -> tuple[Array, Array]:
    """Return the actuarial share free of any event, and that with a cause's event, at each time, NaN where not given.

    A time at which a count that is needed is suppressed is passed over: the interval then goes on to the next.
    """
    shown = people.shown
    at_risk, censored = shown["at risk"], shown["censored"]
    waiting = shown.get("not yet entered", np.zeros_like(at_risk))
    events = np.array([shown[state] for state in people.events])
    # other counts that are suppressed are what the shown ones leave over, in equal parts
    unknown = np.isnan([censored, waiting, *events])
    left = at_risk[0] + waiting[0] - at_risk - np.nansum([censored, waiting, *events], axis=0)
    part = np.maximum(left, 0) / np.maximum(unknown.sum(axis=0), 1)
    waiting, events = np.where(unknown[1], part, waiting), np.where(unknown[2:], part, events)
    events[cause] = shown[people.events[cause]]
    usable = ~np.isnan(at_risk + waiting + events.sum(axis=0)) & (at_risk > 0)
    free, reached = np.full((2, len(at_risk)), np.nan)
    free[0], reached[0], last = 1.0, 0.0, 0
    for at in (np.flatnonzero(usable[1:]) + 1).tolist():
        had = np.maximum(events[:, at] - events[:, last], 0)
        came = max(waiting[last] - waiting[at], 0)
        gone = max(at_risk[last] + came - had.sum() - at_risk[at], 0)
        exposed = at_risk[last] + (came - gone) / 2
        if exposed <= 0:
            break
        hazard = had / max(exposed, had.sum())
        reached[at] = reached[last] + free[last] * hazard[cause]
        free[at] = free[last] * (1 - hazard.sum())
        last = at
    # before anybody is at risk there is nobody of whom a share could be told
    begun = np.logical_or.accumulate(np.isnan(at_risk) | (at_risk > 0))
    return np.where(begun, free, np.nan), np.where(begun, reached, np.nan)
