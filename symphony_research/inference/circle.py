"""Tails of a sum of independent counts: each tilted to what was observed, and the sum inverted from its characteristic function.

References
----------
Daniels, H. E. (1954). Saddlepoint approximations in statistics. Annals of
Mathematical Statistics 25, 631-650 (tilting to the observed count).
Bennett, G. (1962). Probability inequalities for the sum of independent random
variables. Journal of the American Statistical Association 57, 33-45.
Abate, J. and Whitt, W. (1992). Numerical inversion of probability generating
functions. Operations Research Letters 12, 245-251.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symphony_research.inference.intervals import Array

__all__ = ["SMALLEST", "Moments", "Window", "log_mid_tail", "moments_of", "radius", "stride_of"]

Integers = NDArray[np.int64]

SMALLEST = 34.0  # parts smaller than exp(-34), 2e-15, of what is summed are omitted
CHUNK = 2**22  # numbers worked on at once


@dataclass(frozen=True)
class Window:
    """Some counts with as many points of their distributions each.

    Attributes
    ----------
    row : (R,) array
        Which counts, of all.
    first, stride : (R,) arrays
        Points are first, first + stride, first + 2 stride, ...
    log_probability : (R, W) array
        Log probability of each point times its stride, tilted, less its largest; -inf where there is none.
    """

    row: Integers
    first: Array
    stride: Integers
    log_probability: Array

    def points(self) -> Array:
        """Return the points, (R, W)."""
        return self.first[:, None] + self.stride[:, None] * np.arange(self.log_probability.shape[1])


@dataclass(frozen=True)
class Moments:
    """Log of what the points of each count add up to, their mean and variance."""

    log_sum: Array
    mean: Array
    variance: Array


def _bennett() -> tuple[Array, Array]:
    """Return the log variances, and how far from the mean a sum of yes-or-no counts of that variance lies with probability exp(-SMALLEST)."""
    variance = np.exp(np.linspace(np.log(1e-8), np.log(1e12), 600))
    low, high = np.zeros_like(variance), 40 + 40 * np.sqrt(variance)
    for _ in range(80):
        at = (low + high) / 2
        u = at / variance
        with np.errstate(invalid="ignore"):
            # (1 + u) log(1 + u) - u loses its digits where u is small
            h = np.where(u < 1e-3, u * u / 2 - u**3 / 6, (1 + u) * np.log1p(u) - u)
        beyond = variance * h > SMALLEST
        low, high = np.where(beyond, low, at), np.where(beyond, at, high)
    return np.log(variance), high


_LOG_VARIANCE, _RADIUS = _bennett()


def radius(variance: Array) -> Array:
    """Return how far from its mean a sum of independent yes-or-no counts practically never is, by Bennett's inequality."""
    return np.interp(np.log(np.clip(variance, 1e-8, 1e12)), _LOG_VARIANCE, _RADIUS)


def stride_of(variance: Array) -> Integers:
    """Return how many counts may be skipped: a sum over every d-th is the whole sum to the last digits.

    By Poisson's summation it differs by the characteristic function at 2 pi / d,
    and that of a sum of yes-or-no counts is at most exp(-2 variance sin(t / 2)^2).
    """
    most = np.maximum(0.34 * np.sqrt(variance), 1.0)
    # few different strides, so that many counts share their sines
    power = np.floor(np.log2(most))
    step = 2**power
    return np.where(most >= 1.5 * step, np.where(power > 0, 1.5 * step, 1), step).astype(np.int64)


def moments_of(windows: list[Window], n_rows: int) -> Moments:
    """Return the moments of each count from its points."""
    log_sum, mean, variance = np.zeros((3, n_rows))
    for window in windows:
        probability = np.exp(window.log_probability)
        total = probability.sum(axis=1)
        at = window.stride[:, None] * np.arange(probability.shape[1])
        centre = (probability * at).sum(axis=1) / total
        log_sum[window.row] = np.log(total)
        mean[window.row] = window.first + centre
        variance[window.row] = (probability * (at - centre[:, None]) ** 2).sum(axis=1) / total
    return Moments(log_sum, mean, variance)


def log_mid_tail(
    windows: list[Window], item: Integers, variance: Array, theta: Array, wanted: NDArray[np.bool_]
) -> Array:
    """Return the log of the mid-tail at 0 of sums of tilted counts, tilted back but for the constant.

    Parameters
    ----------
    windows : list of Window
        The counts, their points counted from what was observed.
    item : array
        Which sum each count belongs to, in rising order.
    variance : array
        Of each sum, tilted.
    theta : array
        How each sum is tilted: upper tails where it is not negative, else lower tails.
    wanted : array
        Which sums to look at; NaN for the others.

    Notes
    -----
    With P the probability of the tilted sum, and x counted away from the observed
    count to the side of the tail, it is the log of
    P(0) / 2 + sum over x > 0 of exp(-|theta| x) P(x). P is the inverse
    transform of the product of the counts' characteristic functions at M
    frequencies, M more than the sum can practically reach; summed over x first,
    each frequency t adds its product times a geometric series in
    exp(-|theta| - it). All terms are positive and P is largest near 0, so no
    digits are lost. Frequencies at which a sum of yes-or-no counts of this
    variance has no characteristic function left, and points of probability zero, are omitted.
    """
    reach = radius(variance) + 0.5 * np.sqrt(variance) + 2
    # sums of about the same reach share their frequencies
    steps = np.ceil(np.log(np.maximum(reach, 4) / 4) / np.log(1.25)).astype(np.int64)
    found = np.full(len(variance), np.nan)
    for step in np.unique(steps[wanted]):
        chosen = np.flatnonzero((steps == step) & wanted)
        half = int(np.ceil(4 * 1.25**step)) + 1
        n = 2 * half + 1
        least = variance[chosen].min()
        share = np.sqrt(SMALLEST / 2 / least) if least > 0 else 2.0
        most = half if share >= 1 else min(half, int(np.ceil(n * np.arcsin(share) / np.pi)) + 1)
        frequency = (np.arange(most + 1) * (2 * np.pi / n)).astype(float)
        for part in np.array_split(chosen, max(1, len(chosen) * (most + 1) // CHUNK + 1)):
            if len(part):
                place = np.full(len(variance), -1)
                place[part] = np.arange(len(part))
                product = _characteristic(windows, item, place, len(part), frequency)
                found[part] = _inverted(product, theta[part], frequency, n, half + 1)
    return found


def _inverted(product: NDArray[np.complex128], theta: Array, frequency: Array, n: int, terms: int) -> Array:
    """Return the log of the mid-tail from the characteristic function at each frequency."""
    product = np.where(theta[:, None] < 0, product.conj(), product)
    exponent = np.abs(theta)[:, None] + 1j * frequency
    with np.errstate(divide="ignore", invalid="ignore"):
        series = -np.expm1(-exponent * terms) / -np.expm1(-exponent)
    series[exponent == 0] = terms
    values = (product * (series - 0.5)).real
    total = (values[:, 0] + 2 * values[:, 1:].sum(axis=1)) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(np.maximum(total, 0))


def _characteristic(
    windows: list[Window], item: Integers, place: Integers, n_items: int, frequency: Array
) -> NDArray[np.complex128]:
    """Return the product of the characteristic functions of each sum's counts."""
    product = np.ones((n_items, len(frequency)), dtype=complex)
    start = np.zeros(n_items)
    for window in windows:
        own = place[item[window.row]]
        for stride, rows in _by_stride(window, own):
            width = window.log_probability.shape[1]
            angle = np.outer(stride * np.arange(width), frequency)
            cosine, sine = np.cos(angle), np.sin(angle)
            for part in np.array_split(rows, len(rows) * len(frequency) // CHUNK + 1):
                probability = np.exp(window.log_probability[part])
                probability /= probability.sum(axis=1, keepdims=True)
                values = probability @ cosine + 1j * (probability @ sine)
                places, at = np.unique(own[part], return_index=True)
                product[places] *= np.multiply.reduceat(values, at, axis=0)
                start += np.bincount(own[part], weights=window.first[part], minlength=n_items)
    return product * np.exp(1j * start[:, None] * frequency)


def _by_stride(window: Window, own: Integers) -> Iterator[tuple[int, Integers]]:
    for stride in np.unique(window.stride):
        rows = np.flatnonzero((window.stride == stride) & (own >= 0))
        if len(rows):
            # in the order of the sums, so that each is one run
            yield int(stride), rows[np.argsort(own[rows], kind="stable")]
