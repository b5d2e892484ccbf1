"""Figures shown to few significant figures, and between which numbers each lies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symphony_research.inference.intervals import Array

__all__ = ["FINEST", "ends_of_figure", "outwards", "to_figures", "unit_of"]

FINEST = 3  # significant figures
HALF = 1e-9  # so that what is a half but for the last digits is rounded up
TINY = 1e-8  # of a figure: `HALF` and the last digits of double precision


def to_figures(values: Array, figures: int | NDArray[np.int64], *, upwards: bool = False) -> Array:
    """Round half up, or up, to three significant figures, then on to two and to one; NaN where none is left.

    Going through the finer roundings, each figure's interval holds the finer one's.

    Examples
    --------
    >>> to_figures(np.array([0.12449, 0.12451, 99.6]), 2).tolist()
    [0.12, 0.13, 100.0]
    """
    x = np.array(values, float)
    wanted = np.broadcast_to(np.asarray(figures), x.shape)
    for step in range(FINEST, 0, -1):
        x = np.where(wanted <= step, _rounded(x, step, upwards), x)
    return np.where(wanted < 1, np.nan, x)


def _rounded(x: Array, figures: int, upwards: bool) -> Array:
    unit = unit_of(x, figures)
    steps = np.abs(x) / unit
    steps = np.ceil(steps - HALF) if upwards else np.floor(steps + 0.5 + HALF)
    # divided by a power of ten, a decimal fraction is the double nearest to it
    nearest: Array = np.sign(x) * np.where(unit < 1, steps / np.round(1 / np.minimum(unit, 1)), steps * unit)
    return nearest


def unit_of(x: Array, figures: int) -> Array:
    """Return the place value of the last of so many significant figures."""
    size = np.abs(np.asarray(x, float))
    exponent = np.floor(np.log10(np.where(size > 0, size, 1.0)) + 1e-12)
    unit: Array = 10.0 ** (exponent - figures + 1)
    return unit


def ends_of_figure(shown: Array, figures: int | NDArray[np.int64]) -> tuple[Array, Array]:
    """Return between which numbers a figure lies that is shown so by `to_figures`.

    Examples
    --------
    >>> [round(float(x), 6) for x in ends_of_figure(np.array(1.25), 3)]
    [1.245, 1.255]
    >>> [round(float(x), 6) for x in ends_of_figure(np.array(1.0), 3)]
    [0.9995, 1.005]
    """
    low, high = np.array(shown, float), np.array(shown, float)
    zero = low == 0
    wanted = np.broadcast_to(np.asarray(figures), low.shape)
    for step in range(1, FINEST + 1):
        own = (wanted <= step) & ~zero
        down = unit_of(low, step) / 2
        # below a power of ten the numbers stand ten times closer
        size = np.where(low > 0, low, 1.0)
        power = np.isclose(size, 10.0 ** np.round(np.log10(size)), rtol=1e-9)
        down = np.where(power, down / 10, down)
        up = unit_of(high, step) / 2
        up = up if step == FINEST else up - unit_of(high, step + 1)
        low, high = np.where(own, low - down, low), np.where(own, high + up, high)
    return low * (1 - TINY), high * (1 + TINY)


def outwards(lower: ArrayLike, upper: ArrayLike, figures: int) -> tuple[Array, Array]:
    """Round limits to so many significant figures, the lower one down and the upper one up, so that they hold what they held.

    Examples
    --------
    >>> [float(x) for x in outwards(0.1239, 1.202, 2)]
    [0.12, 1.3]
    """
    return _towards(np.asarray(lower, float), figures, np.floor), _towards(np.asarray(upper, float), figures, np.ceil)


def _towards(x: Array, figures: int, rounding: Any) -> Array:
    unit = unit_of(x, figures)
    # what is whole but for the last digits stays so
    steps = np.where(np.abs(x / unit - np.rint(x / unit)) < HALF, np.rint(x / unit), rounding(x / unit))
    nearest: Array = np.where(unit < 1, steps / np.round(1 / np.minimum(unit, 1)), steps * unit)
    return nearest
