"""Means, variances and standardised differences of two groups; arrays in, arrays out.

References
----------
Austin, P. C. (2009). Balance diagnostics for comparing the distribution of baseline covariates between treatment groups in
propensity-score matched samples. Statistics in Medicine 28, 3083-3107.
Ho, D. E., Imai, K., King, G. and Stuart, E. A. (2011). MatchIt: nonparametric preprocessing for parametric causal inference.
Journal of Statistical Software 42 (8).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symphony_research.inference import Array

__all__ = ["Moments", "is_binary", "moments", "standardised_differences"]


@dataclass(frozen=True)
class Moments:
    """Means and variances of columns."""

    mean: Array
    variance: Array


def is_binary(x: Array) -> Array:
    """Return which columns hold nothing but 0 and 1."""
    found: Array = ((x == 0) | (x == 1)).all(axis=0)
    return found


def moments(x: Array, weights: Array, binary: Array) -> Moments:
    """Return weighted means and variances of the rows of a group.

    With weights w that add up to 1 and mean m the variance is the sum of w (x - m)^2 over 1 less the sum of w^2, which of
    equal weights is that with n - 1; of a share m it is m (1 - m).

    Examples
    --------
    >>> found = moments(np.array([[1.0], [2], [6]]), np.ones(3), np.array([False]))
    >>> found.mean.round(6).tolist(), found.variance.round(6).tolist()
    ([3.0], [7.0])
    """
    w = weights / weights.sum()
    mean = w @ x
    left = 1 - float((w**2).sum())
    spread = np.array([w @ (x[:, k] - mean[k]) ** 2 for k in range(x.shape[1])])  # column by column: many rows
    free = spread / left if left > 1e-12 else np.full(len(mean), np.nan)
    return Moments(mean, np.where(binary, mean * (1 - mean), free))


def standardised_differences(one: Moments, other: Moments, variance: Array) -> Array:
    """Return differences of means in standard deviations; nothing where all are equal, and none where the difference is."""
    difference = one.mean - other.mean
    variance = np.where(variance > 1e-16 * one.mean**2, variance, 0.0)  # of equal values, but for rounding
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Array = np.where(np.abs(difference) < 1e-12, 0.0, difference / np.sqrt(variance))
    return np.where(np.isfinite(found), found, np.nan)
