"""How many people large random sets have in common, where many are expected: Laplace's approximation, made to fit.

References
----------
Skovgaard, I. M. (1987). Saddlepoint expansions for conditional distributions.
Journal of Applied Probability 24, 875-887.
"""

from __future__ import annotations

import numpy as np

from symphony_research.inference.chains import everybody_lacks
from symphony_research.inference.circle import moments_of
from symphony_research.inference.intervals import Array
from symphony_research.inference.shifts import Integers, Shifts

__all__ = ["LargeSets"]

CHUNK = 2**20


class LargeSets(Shifts):
    """People common to random sets of known sizes, one entry a stratum of a sum; counted from what was observed.

    Given that x people have all, everybody else lacks one of the sets at least, and who lacks what is as
    if each set were drawn by itself and those who lack nothing omitted: the probability of the sets' sizes follows
    by Laplace's approximation, whose relative error is some 1 / (12 cell), hardly depends on x, and vanishes where
    the probabilities are made to add up to 1 and to have the mean and variance that are known.
    """

    def __init__(
        self, sizes: Array, people: Array, observed: Array, low: Array, high: Array, mean: Array, variance: Array
    ) -> None:
        self.sizes, self.people, self.observed = sizes, people, observed
        self.low, self.high = low - observed, high - observed
        self.item, self.n_items = np.arange(len(people)), len(people)
        self.lean, self.bend = np.zeros((2, len(people)))
        self.constant = np.zeros(len(people))
        self.centre = mean - observed
        wanted, every, flat = variance.copy(), self.item, np.zeros(len(people))
        for _ in range(4):
            windows, scale = self.windows(every, flat, self.centre, variance)
            moments = moments_of(windows, len(people))
            self.constant = self.constant + scale + moments.log_sum
            # a normal factor moves the mean and changes the variance
            bend = 1 / np.maximum(moments.variance, 1e-12) - 1 / np.maximum(wanted, 1e-12)
            self.bend = self.bend + bend / 2
            self.lean = self.lean + (self.centre - moments.mean) / np.maximum(wanted, 1e-12)
        windows, scale = self.windows(every, flat, self.centre, variance)
        self.constant = self.constant + scale + moments_of(windows, len(people)).log_sum

    def log_probability(self, rows: Integers, shift: Array) -> Array:
        """Return the log probabilities of shifts (R, W)."""
        found = np.empty_like(shift)
        step = max(1, CHUNK // (shift.shape[1] * self.sizes.shape[1]))
        for at in range(0, len(rows), step):
            part = rows[at : at + step]
            found[at : at + step] = self._log_probability(part, shift[at : at + step])
        away = shift - self.centre[rows, None]
        return found + self.lean[rows, None] * away + self.bend[rows, None] * away**2 - self.constant[rows, None]

    def _log_probability(self, rows: Integers, shift: Array) -> Array:
        from scipy.special import gammaln, xlogy

        n, a = self.people[rows, None], self.sizes[rows, None, :]
        x = np.clip(shift, self.low[rows, None], self.high[rows, None]) + self.observed[rows, None]
        lacking = n - x
        absent = (n[..., None] - a) / lacking[..., None]
        z = everybody_lacks(absent)
        q = np.maximum(1 - z[..., None] * absent, 1e-300)
        entropy = -(xlogy(a - x[..., None], q) + xlogy(n[..., None] - a, 1 - q)).sum(axis=-1) + xlogy(lacking, z)
        # as 0! is 1, nobody counts as 1 / (2 pi) of a person to Stirling's formula
        least = 1 / (2 * np.pi * lacking[..., None])
        spread = np.log(np.maximum(q, least) * np.maximum(1 - q, 1e-300)).sum(axis=-1)
        # those who lack nothing are omitted
        left = 1 - (1 - z) / z * ((1 - q) / q).sum(axis=-1)
        k = a.shape[-1]
        determinant = spread - k * np.log(z) + np.log(np.maximum(left, 1e-12)) + k * np.log(lacking)
        choose = gammaln(n + 1) - gammaln(x + 1) - gammaln(lacking + 1)
        return choose + entropy - determinant / 2

    def _by_ratios(self, rows: Integers, shift: Array, centre: Array) -> Array:
        return self.log_probability(rows, shift)
