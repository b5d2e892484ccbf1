"""Coefficients as exact as the rounded counts behind them (decision 11)."""

from __future__ import annotations

import numpy as np

from symphony_research.inference.ends import Array
from symphony_research.inference.intervals import normal_quantile

__all__ = ["FEWEST_FREE", "as_exact_as_counts", "nice_step"]

FEWEST_FREE = 10  # degrees of freedom under which nothing of a model is released (SACRO's rule)


def nice_step(least: Array) -> Array:
    """Return the smallest of 1, 2 and 5 times a power of ten that is at least so large."""
    power = 10.0 ** np.floor(np.log10(least))
    return np.select(
        [least <= power, least <= 2 * power, least <= 5 * power], [power, 2 * power, 5 * power], 10 * power
    )


def as_exact_as_counts(
    estimate: Array, error: Array, cell: Array, scale: Array, confidence: float, base: int
) -> tuple[Array, Array]:
    """Return coefficients and standard errors as exact as counts rounded to a base: their interval holds the exact one."""
    least = base / np.maximum(cell, 1.0) / scale
    nice = nice_step(least)
    ulp = 10.0 ** (np.floor(np.log10(np.maximum(np.abs(estimate), 1e-12))) - 1)
    step = np.maximum(nice, ulp)
    rounded = np.round(estimate / step) * step
    wide = error + step / 2 / normal_quantile(confidence)
    # of few events a standard error to two figures would tell their number
    figures = np.where(cell < 100, 0, 1)
    unit = 10.0 ** (np.floor(np.log10(wide)) - figures)
    return rounded, np.ceil(wide / unit - 1e-9) * unit
