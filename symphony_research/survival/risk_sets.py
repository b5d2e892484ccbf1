"""Who is at risk at each time of an event, as sums over a table of collapsed rows.

A row is at risk at the event times of its own stratum after its entry and up to its own time: a run of consecutive
indices. So a sum over everybody at risk is a reverse cumulative sum by time, and what a row collects over all the
times at which it is at risk is a difference of two cumulative sums: nothing here costs more than one pass over the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from symphony_research.inference import Array

__all__ = ["Index", "PatternSums", "RiskSets", "RowSums", "Tail", "summed_by", "sums_of"]

Index = NDArray[np.int64]


def summed_by(at: Index, values: Array, size: int) -> Array:
    """Sum values by an index from 0: (size,)."""
    return np.asarray(np.bincount(at, values, size), dtype=np.float64)


@dataclass(frozen=True)
class Tail:
    """Rows that stay at risk after their own time with a weight that falls, as Fine and Gray keep competing events.

    Attributes
    ----------
    rows : (T,) array
        Which rows.
    inverse : (T,) array
        One over the share uncensored just before the row's own time.
    share : (K,) array
        The share uncensored just before each event time.
    """

    rows: Index
    inverse: Array
    share: Array


@dataclass(frozen=True)
class RiskSets:
    """Rows by the event times at which they are at risk.

    Attributes
    ----------
    start, stop : (R,) arrays
        A row is at risk at event times start, start + 1, ..., stop - 1.
    event : (R,) Boolean array
        Whether the row's people had the event, at event time stop - 1.
    times, stratum : (K,) arrays
        Of each event time of each stratum, in order.
    ends : (S + 1,) array
        Where the event times of each stratum begin, and the end of the last.
    tail : Tail, optional
    """

    start: Index
    stop: Index
    event: NDArray[np.bool_]
    times: Array
    stratum: Index
    ends: Index
    tail: Tail | None = None

    @classmethod
    def of(cls, time: Array, entry: Array | None, event: NDArray[np.bool_], stratum: Index, n_strata: int) -> RiskSets:
        """Return the risk sets of rows by their entry (None: all from the start), time, event and stratum."""
        moments = np.unique(time[event])
        width = len(moments) + 1
        own = np.searchsorted(moments, time, side="right")
        keys = np.unique(stratum[event] * width + own[event] - 1)
        base = stratum * width
        from_time = np.zeros(len(time), dtype=np.int64) if entry is None else np.searchsorted(moments, entry, "right")
        start, stop = (np.searchsorted(keys, base + at) for at in (from_time, own))
        ends = np.searchsorted(keys, np.arange(n_strata + 1) * width)
        return cls(start, np.maximum(stop, start), event, moments[keys % width], keys // width, ends)

    @property
    def n_times(self) -> int:
        """Number of event times."""
        return len(self.times)

    @cached_property
    def _last(self) -> Index:
        """Last event time at which a row is at risk; one past all of them if it never is."""
        return np.where(self.stop > self.start, self.stop - 1, self.n_times)

    @cached_property
    def _before(self) -> Index | None:
        """Last event time before a row's entry; one past all of them if there is none."""
        first = self.ends[np.searchsorted(self.ends, self.start, side="right") - 1]
        late = (self.stop > self.start) & (self.start > first)
        return np.where(late, self.start - 1, self.n_times) if late.any() else None

    @cached_property
    def happened(self) -> Index:
        """Rows whose people had the event."""
        return np.flatnonzero(self.event)

    @cached_property
    def when(self) -> Index:
        """Event time of each row in `happened`."""
        return self.stop[self.happened] - 1

    def of_events(self, values: Array) -> Array:
        """Sum the values of the rows with the event by event time: (R,) or (R, p) to (K,) or (K, p)."""
        return _columns(values, lambda column: summed_by(self.when, column[self.happened], self.n_times))

    def at_risk(self, values: Array) -> Array:
        """Sum the values of the rows at risk at each event time: (R,) or (R, p) to (K,) or (K, p)."""
        return _columns(values, self._at_risk)

    def _at_risk(self, column: Array) -> Array:
        k = self.n_times
        found = summed_by(self._last, column, k + 1)[:k]
        if self._before is not None:
            found = found - summed_by(self._before, column, k + 1)[:k]
        found = self._within_strata(found[::-1], reverse=True)[::-1]
        if self.tail is not None:
            rows = self.tail.rows
            came = summed_by(self.stop[rows], column[rows] * self.tail.inverse, k + 1)[:k]
            found = found + self.tail.share * np.cumsum(came)
        return np.asarray(found)

    def _within_strata(self, steps: Array, *, reverse: bool) -> Array:
        if len(self.ends) == 2:
            return np.asarray(np.cumsum(steps))
        ends = self.n_times - self.ends[::-1] if reverse else self.ends
        return np.concatenate([np.cumsum(steps[a:b]) for a, b in pairwise(ends)])

    def table(self, pattern: Index, n_patterns: int, weight: Array) -> Array:
        """Return the people at risk by event time and pattern (K, P)."""
        k, shape = self.n_times, (self.n_times + 1, n_patterns)
        found = _table(self._last, pattern, shape, weight)[:k]
        if self._before is not None:
            found -= _table(self._before, pattern, shape, weight)[:k]
        for a, b in pairwise(self.ends):
            found[a:b] = np.cumsum(found[a:b][::-1], axis=0)[::-1]
        if self.tail is not None:
            rows = self.tail.rows
            came = _table(self.stop[rows], pattern[rows], shape, weight[rows] * self.tail.inverse)[:k]
            found += self.tail.share[:, None] * np.cumsum(came, axis=0)
        return found

    def while_at_risk(self, values: Array) -> Array:
        """Sum over the event times at which each row is at risk: (K,) or (K, p) to (R,) or (R, p)."""
        return _columns(values, self._while_at_risk)

    def _while_at_risk(self, column: Array) -> Array:
        up_to = np.concatenate([[0.0], np.cumsum(column)])
        found = up_to[self.stop] - up_to[self.start]
        if self.tail is not None:
            weighed = np.concatenate([[0.0], np.cumsum(column * self.tail.share)])
            rows = self.tail.rows
            found[rows] += (weighed[-1] - weighed[self.stop[rows]]) * self.tail.inverse
        return np.asarray(found)

    def at_own_event(self, values: Array) -> Array:
        """Return the value at its own event time for each row with the event, and 0 for the others."""
        found = np.zeros((len(self.start), *values.shape[1:]))
        found[self.happened] = values[self.when]
        return found


@dataclass(frozen=True)
class RowSums:
    """Sums over the people at risk, and with an event, of values that each row has; and back again."""

    sets: RiskSets
    weight: Array

    def at_risk(self, values: Array) -> Array:
        """Sum over the people at risk at each event time."""
        return self.sets.at_risk(self._weighed(values))

    def of_events(self, values: Array) -> Array:
        """Sum over the people with the event."""
        return self.sets.of_events(self._weighed(values))

    def back_from_risk(self, values: Array) -> Array:
        """Sum values by event time over the times at which each row's people are at risk."""
        return self.weight * self.sets.while_at_risk(values)

    def back_from_events(self, values: Array) -> Array:
        """Sum values by event time over each row's events."""
        return self.weight * self.sets.at_own_event(values)

    def _weighed(self, values: Array) -> Array:
        return values * (self.weight if values.ndim == 1 else self.weight[:, None])


@dataclass(frozen=True)
class PatternSums:
    """The same of values that each pattern of covariates has: products with people at risk by event time and pattern.

    Attributes
    ----------
    there : (K, P) array
        People at risk.
    at, pattern : (E,) arrays
        Event time and pattern of each group of people with the event.
    had : (E,) array
        How many they are.
    """

    there: Array
    at: Index
    pattern: Index
    had: Array

    def at_risk(self, values: Array) -> Array:
        """Sum over the people at risk at each event time."""
        return np.asarray(self.there @ values)

    def of_events(self, values: Array) -> Array:
        """Sum over the people with the event."""
        k = len(self.there)
        return _columns(values, lambda column: summed_by(self.at, self.had * column[self.pattern], k))

    def back_from_risk(self, values: Array) -> Array:
        """Sum values by event time over the times at which each pattern's people are at risk."""
        return np.asarray(values @ self.there)

    def back_from_events(self, values: Array) -> Array:
        """Sum values by event time over each pattern's events."""
        return summed_by(self.pattern, self.had * values[self.at], self.there.shape[1])


MOST_CELLS = 50_000_000  # of a table of event times by patterns, 400 MB


def sums_of(sets: RiskSets, pattern: Index, n_patterns: int, weight: Array) -> RowSums | PatternSums:
    """Return sums by pattern where a table of event times by patterns is not much larger than the rows; else by row."""
    k, p = sets.n_times, n_patterns
    if k * p > min(MOST_CELLS, max(1_000_000, 4 * len(weight))):
        return RowSums(sets, weight)
    return PatternSums(sets.table(pattern, p, weight), sets.when, pattern[sets.happened], weight[sets.happened])


def _table(at: Index, pattern: Index, shape: tuple[int, int], weight: Array) -> Array:
    return summed_by(at * shape[1] + pattern, weight, shape[0] * shape[1]).reshape(shape)


def _columns(values: Array, what: Callable[[Array], Array]) -> Array:
    if values.ndim == 1:
        return np.asarray(what(values))
    return np.column_stack([what(column) for column in values.T])
