"""Tables that keep their margins and differ by one number, their shift: how likely each is, where most of them lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from symphony_research.inference.circle import Window, moments_of, radius, stride_of
from symphony_research.inference.exact import _deviance, _log_hypergeometric, _stirling_error
from symphony_research.inference.intervals import Array

__all__ = ["EDGE", "SIZES", "Shifts", "TwoByTwo", "points_of"]

Integers = NDArray[np.int64]

EDGE = 30.0  # what lies beyond a window is smaller than exp(-30) of its largest point
SIZES = np.array([2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096])


class Shifts:
    """The counts in the last cells of tables whose smaller margins are all fixed, tables of 2**k cells.

    A table shifted by d has d more in the cells with an even number of
    conditions omitted and d fewer in the others, and the probability
    1 / product(cell!). Shifts are counted from the observed tables.

    Parameters
    ----------
    cells : (2**k, S, F) array
        Integers, the last cell that of all conditions, of S strata of F sums.
    """

    def __init__(self, cells: Array) -> None:
        n_cells, _, self.n_items = cells.shape
        self.sign = np.array([(-1.0) ** ((n_cells - 1).bit_count() - c.bit_count()) for c in range(n_cells)])
        low, high = -cells[self.sign > 0].min(axis=0), cells[self.sign < 0].min(axis=0)
        # where a zero leaves no room the count is known
        self.item, stratum = np.nonzero(((high > low) & (cells >= 0).all(axis=0)).T)
        self.cells = cells[:, stratum, self.item]
        self.low, self.high = low[stratum, self.item], high[stratum, self.item]
        self.prepare()

    def prepare(self) -> None:
        """Find what all probabilities of a table add up to, and the mean and variance of its shift."""
        every = np.arange(len(self.item))
        alone = np.zeros(len(self.item))
        self.constant = alone
        _, centre, variance = self._fitted(every, len(self.item), None)
        self.fit = np.maximum(self.cells + self.sign[:, None] * centre, 1e-12)
        windows, scale = self.windows(every, alone, centre, variance)
        moments = moments_of(windows, len(self.item))
        self.constant = scale + moments.log_sum
        self.mean, self.variance = moments.mean, moments.variance

    def log_probability(self, rows: Integers, shift: Array) -> Array:
        """Return the log probabilities of shifts (R, W); first but for the constant."""
        total = np.zeros_like(shift)
        contrast = np.zeros(len(rows))
        for cells, fit, sign in zip(self.cells[:, rows], self.fit[:, rows], self.sign, strict=True):
            moved = np.maximum(cells[:, None] + sign * shift, 0.0)
            with np.errstate(divide="ignore"):
                own = np.where(moved > 0, 0.5 * np.log(2 * np.pi * moved) + _stirling_error(moved), 0.0)
            total -= _deviance(moved, fit[:, None]) + own
            contrast += sign * np.log(fit)
        return total - contrast[:, None] * shift - self.constant[rows, None]

    def start(self, target: Array) -> tuple[Array, Array, Array]:
        """Tilt as Cornfield does: the fitted cells of each table have the same log odds contrast."""
        return self._fitted(self.item, self.n_items, target)

    def _fitted(self, item: Integers, n_items: int, target: Array | None) -> tuple[Array, Array, Array]:
        """Newton's steps towards fitted tables whose shifts add up to the target, or, without one, that have the contrast 0."""
        shift = np.clip(0.0, self.low + 0.25, self.high - 0.25)
        theta = np.zeros(n_items)
        signs = self.sign[:, None]
        for _ in range(60):
            moved = self.cells + signs * shift
            contrast, steepness = (signs * np.log(moved)).sum(axis=0), (1 / moved).sum(axis=0)
            if target is not None:
                wanted = np.bincount(item, weights=contrast / steepness - shift, minlength=n_items) + target
                theta = wanted / np.maximum(np.bincount(item, weights=1 / steepness, minlength=n_items), 1e-300)
            step = (theta[item] - contrast) / steepness
            step = np.clip(step, -0.9 * (shift - self.low), 0.9 * (self.high - shift))
            shift = shift + step
            if not (np.abs(step) * np.sqrt(steepness) > 0.01).any():
                break
        return theta, shift, 1 / steepness

    def windows(self, rows: Integers, theta: Array, centre: Array, variance: Array) -> tuple[list[Window], Array]:
        """Return the tilted probabilities about the centres."""
        windows: list[Window] = []
        scale = np.zeros(len(self.item))
        wider = 1.0
        while len(rows):
            reach = wider * radius(1.5 * variance[rows] + 0.05)
            first, stride, size = points_of(self.low[rows], self.high[rows], centre[rows], reach, 0.8 * variance[rows])
            narrow = []
            for width in np.unique(size):
                for step in (False, True):
                    at = np.flatnonzero((size == width) & ((stride > 1) == step))
                    if not len(at):
                        continue
                    own, begin, skip = rows[at], first[at], stride[at]
                    shift = begin[:, None] + skip[:, None] * np.arange(width)
                    there = shift <= self.high[own, None]
                    log_probability = (
                        self.log_probability(own, shift) if step else self._by_ratios(own, shift, centre[own])
                    )
                    log_probability = np.where(there, log_probability + theta[own, None] * shift, -np.inf)
                    largest = log_probability.max(axis=1)
                    log_probability -= largest[:, None]
                    scale[own] = largest + np.log(skip)
                    beyond = (log_probability[:, 0] > -EDGE) & (begin > self.low[own])
                    beyond |= (log_probability[:, -1] > -EDGE) & (shift[:, -1] < self.high[own])
                    narrow.append(own[beyond])
                    windows.append(Window(own[~beyond], begin[~beyond], skip[~beyond], log_probability[~beyond]))
            rows, wider = np.sort(np.concatenate(narrow)), 2 * wider
        return windows, scale

    def _by_ratios(self, rows: Integers, shift: Array, centre: Array) -> Array:
        """Return the log probabilities of neighbouring shifts, by the ratio of each to the one before."""
        log_ratio = np.zeros_like(shift)
        sets = np.arange(len(self.sign))
        with np.errstate(divide="ignore", invalid="ignore"):
            for group in np.array_split(sets, len(sets) // 4):
                ratio = np.ones_like(shift[:, 1:])
                for cell in group:
                    before = self.cells[cell, rows, None]
                    if self.sign[cell] > 0:
                        ratio /= before + shift[:, 1:]
                    else:
                        ratio *= before - shift[:, :-1]
                log_ratio[:, 1:] += np.log(ratio)
            relative = np.cumsum(log_ratio, axis=1)
        # anchored where it is likely, and possible
        last = np.minimum(self.high[rows], shift[:, -1])
        anchor = np.clip(np.rint(centre), shift[:, 0], last)
        at = (anchor - shift[:, 0]).astype(np.int64)
        known = self.log_probability(rows, anchor[:, None])[:, 0]
        return relative + (known - relative[np.arange(len(rows)), at])[:, None]


class TwoByTwo(Shifts):
    """Two conditions: hypergeometric counts, whose probabilities are known without adding them up."""

    def prepare(self) -> None:
        """Nothing is to be found."""

    def log_probability(self, rows: Integers, shift: Array) -> Array:
        """Return the log probabilities of shifts (R, W)."""
        neither, first, second, both = self.cells[:, rows, None]
        return _log_hypergeometric(
            np.maximum(both + shift, 0), first + both, second + both, neither + first + second + both
        )


def points_of(
    low: Array, high: Array, centre: Array, reach: Array, variance: Array
) -> tuple[Array, Integers, Integers]:
    """Return first point, stride and number of points of windows about centres, few different numbers of them."""
    stride = stride_of(variance)
    first = np.maximum(low, np.floor(centre - reach))
    last = np.minimum(high, np.ceil(centre + reach))
    size = ((last - first) // stride).astype(np.int64) + 1
    fit = np.searchsorted(SIZES, size)
    return first, stride, np.where(fit < len(SIZES), SIZES[np.minimum(fit, len(SIZES) - 1)], size)
