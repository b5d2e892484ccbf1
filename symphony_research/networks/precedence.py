"""The order of two onsets against every permutation of one of them: exact moments from ranks, no permutation drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.inference import Array

__all__ = ["TemporalPrecedence", "pearson_p", "sizes", "temporal_precedence"]

Days = NDArray[np.int32]


def pearson_p(z: Array, skewness: Array) -> Array:
    """Two-sided p of a standardised statistic from its skewness: Pearson's type III, a shifted gamma distribution."""
    from scipy.special import gammainc, gammaincc, ndtr

    flat = np.abs(skewness) < 1e-4  # nearer to normal than a gamma distribution of so large a shape is accurate
    bend = np.where(flat, 1.0, np.abs(skewness))
    shape = 4 / bend**2
    at = np.maximum(shape + np.sign(skewness) * z * np.sqrt(shape), 0)
    tail = np.minimum(gammainc(shape, at), gammaincc(shape, at))
    return np.minimum(1, 2 * np.where(flat, ndtr(-np.abs(z)), tail))


@dataclass(frozen=True)
class TemporalPrecedence:
    """The order of two conditions in people, and its distribution were the two unrelated within strata.

    Attributes
    ----------
    n_both, n_first, n_second, n_alone : int
        People compared, those in whom the first began first, the second first,
        and people alone in their stratum, who are not compared.
    expected : float
        Share with the first first, each onset of the one compared with every onset of the other but a person's own.
    variance, skewness : float
        Of (observed share - expected) x sqrt(n) over all permutations, and its
        skewness x sqrt(n); NaN where every permutation gives the same.
    """

    n_both: int
    n_first: int
    n_second: int
    n_alone: int
    expected: float
    variance: float
    skewness: float


def temporal_precedence(first: Days, second: Days, stratum: NDArray[Any]) -> TemporalPrecedence:
    """Set the order of two onsets in each person against every permutation within the stratum, in closed form.

    With h_ij = 1 if onset i of the first is before onset j of the second, and
    1/2 on the same day, the people in the order are T = sum of h_ii, and a
    permutation gives sum of h_i,pi(i). Setting nobody against themselves, the
    expected T of n people is (sum of all h_ij - T) / (n - 1); and T less that
    is n / (n - 1) times T less its mean over all permutations. So the statistic
    that leaves self-pairs out has the moments of the one that does not:
    Hoeffding's (1951) second, and the third, are sums of powers of the doubly
    centred h, which ranks alone give.

    Parameters
    ----------
    first, second : (n,) arrays
        Onsets of the people with both.
    stratum : (n,) array
        Number of the stratum, in rising order.
    """
    size = sizes(stratum)
    several = np.repeat(size > 1, size)
    alone = int((size == 1).sum())
    first, second, size = first[several], second[several], size[size > 1]
    n_both, n_first, n_second = len(first), int((first < second).sum()), int((second < first).sum())
    if not n_both:
        return TemporalPrecedence(0, 0, 0, alone, np.nan, np.nan, np.nan)
    sums = _Ranks(first.astype(np.int64), second.astype(np.int64), size)
    own = sums.total((first < second) + (first == second) / 2)
    people = size.astype(float)
    everything = sums.total(sums.row)
    expected = ((everything - own) / (people - 1)).sum() / n_both
    squares, cubes = sums.centred_powers(everything)
    weight = people / (people - 1)
    variance = (weight**2 * squares / (people - 1)).sum()
    # a permutation of two has no third moment
    third = np.where(people > 2, people * cubes / ((people - 1) * np.maximum(people - 2, 1)), 0.0)
    if variance <= 1e-9 * n_both:
        return TemporalPrecedence(n_both, n_first, n_second, alone, float(expected), np.nan, np.nan)
    skewness = (weight**3 * third).sum() / variance**1.5
    return TemporalPrecedence(
        n_both, n_first, n_second, alone, float(expected), variance / n_both, float(skewness * np.sqrt(n_both))
    )


def sizes(stratum: NDArray[Any]) -> NDArray[np.int64]:
    """Return the people of each stratum, in its order."""
    changes = np.flatnonzero(stratum[1:] != stratum[:-1]) + 1
    return np.diff(np.concatenate([[0], changes, [len(stratum)]])) if len(stratum) else np.zeros(0, np.int64)


class _Ranks:
    """Sums over the matrix h of every stratum without the matrix: rows and columns are ranks."""

    def __init__(self, first: NDArray[np.int64], second: NDArray[np.int64], size: NDArray[np.int64]) -> None:
        self.size = size
        self.starts = np.cumsum(size) - size
        where = np.repeat(np.arange(len(size)), size)
        self.people = size[where].astype(float)
        low = min(first.min(), second.min())
        span = max(first.max(), second.max()) - low + 2
        # one sorted line holds all strata, one after another
        self.a, self.b = where * span + (first - low), where * span + (second - low)
        self.order_b = np.argsort(self.b, kind="stable")
        line_a, line_b = np.sort(self.a), self.b[self.order_b]
        end = (self.starts + size)[where]
        self.left, self.right = np.searchsorted(line_b, self.a, "left"), np.searchsorted(line_b, self.a, "right")
        left, right = np.searchsorted(line_a, self.b, "left"), np.searchsorted(line_a, self.b, "right")
        self.end = end
        self.later, self.tied = (end - self.right).astype(float), (self.right - self.left).astype(float)
        self.earlier, self.tied_b = (left - self.starts[where]).astype(float), (right - left).astype(float)
        self.row, self.column = self.later + self.tied / 2, self.earlier + self.tied_b / 2

    def total(self, values: NDArray[Any]) -> Array:
        """Sum over the people of each stratum."""
        return np.add.reduceat(np.asarray(values, dtype=float), self.starts)

    def centred_powers(self, everything: Array) -> tuple[Array, Array]:
        """Sums of squares and of cubes of d_ij = h_ij - mean of row - mean of column + mean of all."""
        n = self.size.astype(float)
        mean = np.repeat(everything / n**2, self.size)
        alpha, beta = self.row / self.people - mean, self.column / self.people
        squared_row, squared_column = self.later + self.tied / 4, self.earlier + self.tied_b / 4
        # d = h - (alpha_i + beta_j); alpha adds up to nothing within a stratum
        a2, a3 = self.total(alpha**2), self.total(alpha**3)
        b1, b2, b3 = self.total(beta), self.total(beta**2), self.total(beta**3)
        h2 = self.total(squared_row)
        linear = self.total(alpha * self.row) + self.total(beta * self.column)
        squares = h2 - 2 * linear + n * (a2 + b2)
        cross = self.total(alpha * self._after(beta))
        h3 = self.total(self.later + self.tied / 8)
        h2_linear = self.total(alpha * squared_row) + self.total(beta * squared_column)
        h_square = self.total(alpha**2 * self.row) + self.total(beta**2 * self.column) + 2 * cross
        cubes = h3 - 3 * h2_linear + 3 * h_square - n * (a3 + b3) - 3 * a2 * b1
        return squares, cubes

    def _after(self, beta: Array) -> Array:
        """Sum of h_ij beta_j over j, for every i."""
        running = np.concatenate([[0.0], np.cumsum(beta[self.order_b])])
        return running[self.end] - (running[self.right] + running[self.left]) / 2
