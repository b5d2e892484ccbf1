"""Errors of a regression whose months are correlated with those before them (AR(1)); arrays in, arrays out.

References
----------
Zeger, S. L. (1988). A regression model for time series of counts. Biometrika 75, 621-629.
Park, R. E. and Mitchell, B. M. (1980). Estimating the autocorrelated error model with trended data. Journal of Econometrics 13,
185-201.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symphony_research.inference import Array

__all__ = ["LARGEST", "AutoregressiveErrors", "autoregressive_errors"]

LARGEST = 0.95  # autocorrelation; nearer 1 a level cannot be told from a trend
HALVINGS = 40
NONE = 1e-9  # autocorrelation that is none


@dataclass(frozen=True)
class AutoregressiveErrors:
    """Covariance of coefficients whose errors are noise of each month and a process that is carried on to the next.

    Attributes
    ----------
    covariance : (p, p) array
    autocorrelation : float
        Of the process with that of the month before, from 0 to `LARGEST`.
    variance : float
        Of the process.
    """

    covariance: Array
    autocorrelation: float
    variance: float


def autoregressive_errors(design: Array, residuals: Array, *, noise: float = 1.0) -> AutoregressiveErrors:
    """Return the covariance of least squares coefficients under noise and an AR(1) process, its parameters by moments.

    Parameters
    ----------
    design : (months, p) array
        Of the standardised errors: each row times the root of its weight.
    residuals : (months,) array
        Standardised; of counts Pearson's.
    noise : float, default 1
        Variance that is each month's own: 1 of Poisson's events, 0 of a series that is measured without.

    Notes
    -----
    Zeger's model of counts: events are Poisson's around a rate that an AR(1) process moves, so that errors have the variance
    V = noise I + s R, R being the correlation of the process, and coefficients (X'X)^-1 X'V X (X'X)^-1.

    A trend and its change take up what is slow in the errors, so residuals of short series vary less than errors do, and are less
    correlated. With residuals r = M e, M = I - X (X'X)^-1 X', their sum of squares is expected to be tr(M V), and that of products
    with the month before tr(M L M V), L shifting by a month. The variance s and the autocorrelation are those of which both are as
    observed. Where residuals vary no more than noise does there is no process; where products are below what
    independence would give, it is not correlated.

    Examples
    --------
    >>> import numpy as np
    >>> found = autoregressive_errors(np.ones((4, 1)), np.array([2.0, -2, 2, -2]))
    >>> found.autocorrelation, round(found.variance, 6)  # 16 over 3 degrees of freedom, of which 1 is noise
    (0.0, 4.333333)
    """
    n = len(residuals)
    basis = np.linalg.qr(design)[0]
    left = np.eye(n) - basis @ basis.T
    shifted = left[:, :-1] @ left[1:]  # M L M
    apart = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    squares = float(residuals @ residuals) - noise * float(np.trace(left))
    products = float(residuals[1:] @ residuals[:-1]) - noise * float(np.trace(shifted))
    a = np.linalg.solve(design.T @ design, design.T)
    if squares <= 0:
        return AutoregressiveErrors(noise * a @ a.T, 0.0, 0.0)

    def expected(autocorrelation: float) -> tuple[float, float]:
        """Return the expected squares and products of the process, in units of its variance."""
        correlation = autocorrelation**apart
        return float((left * correlation).sum()), float((shifted * correlation).sum())

    low, high = 0.0, LARGEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        of_squares, of_products = expected(middle)
        low, high = (middle, high) if of_products * squares < products * of_squares else (low, middle)
    found = low if high > NONE else 0.0
    variance = squares / expected(found)[0]
    covariance: Array = a @ (noise * np.eye(n) + variance * found**apart) @ a.T
    return AutoregressiveErrors(covariance, found, variance)
