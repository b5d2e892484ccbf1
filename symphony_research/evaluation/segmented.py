"""Segmented Poisson regression of a monthly series, with errors that allow for autocorrelation; arrays in, arrays out.

References
----------
Bernal, J. L., Cummins, S. and Gasparrini, A. (2017). Interrupted time series regression for the evaluation of public health
interventions: a tutorial. International Journal of Epidemiology 46, 348-355.
Newey, W. K. and West, K. D. (1987). A simple, positive semi-definite, heteroskedasticity and autocorrelation consistent
covariance matrix. Econometrica 55, 703-708.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symphony_research.evaluation.autoregressive import AutoregressiveErrors, autoregressive_errors
from symphony_research.evaluation.counts import fitted_counts
from symphony_research.inference import Array

__all__ = [
    "ERRORS", "SeriesFit", "default_lags", "errors_of", "errors_of_difference", "fitted_series", "newey_west", "segments",
    "terms_of",
]  # fmt: skip

ERRORS = ("autoregressive", "newey_west", "quasi_poisson")
MONTHS = 12


@dataclass(frozen=True)
class SeriesFit:
    """A fitted series.

    Attributes
    ----------
    coefficients : (p,) array
        Log rates of the columns of the design.
    mean : (months,) array
        Expected events.
    working : (months,) array
        Events over those expected, less 1: residuals of the logarithm of the rate.
    influence : (months, p) array
        What each month adds to the error of the coefficients.
    inverse : (p, p) array
        Inverse of Poisson's information.
    dispersion : float
        Pearson's chi-squared over months less coefficients: 1 if events were Poisson's.
    autocorrelation : float
        Of Pearson's residuals with those of the month before.
    """

    coefficients: Array
    mean: Array
    working: Array
    influence: Array
    inverse: Array
    dispersion: float
    autocorrelation: float


def terms_of(harmonics: int) -> list[str]:
    """Return the names of the columns of the design."""
    season = [f"{name} {k}" for k in range(1, harmonics + 1) for name in ("sine", "cosine")]
    return ["level", "trend", "level change", "trend change", *season]


def segments(time: Array, month: NDArray[np.int64], harmonics: int) -> Array:
    """Return the design: level and trend, their changes at time 0, and harmonics of the calendar month.

    Parameters
    ----------
    time : (months,) array
        Years since the change, of which months from 0 on are after it.
    month : (months,) array
        1 to 12.
    harmonics : int
        Pairs of sine and cosine of the year.

    Examples
    --------
    >>> segments(np.array([-1.0, 0, 1]), np.array([1, 1, 1]), 0).tolist()
    [[1.0, -1.0, 0.0, -0.0], [1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0]]
    """
    after = (time >= 0).astype(float)
    columns = [np.ones(len(time)), time, after, after * time]
    for k in range(1, harmonics + 1):
        angle = 2 * np.pi * k * month / MONTHS
        columns += [np.sin(angle), np.cos(angle)]
    return np.column_stack(columns)


def fitted_series(design: Array, events: Array, exposure: Array, *, what: str = "events") -> SeriesFit:
    """Return Poisson's maximum of monthly events with the logarithm of person-time.

    Examples
    --------
    >>> time = np.array([-2.0, -1, 0, 1])
    >>> fit = fitted_series(segments(time, np.ones(4, int), 0), np.array([8.0, 16, 16, 16]), np.ones(4))
    >>> np.exp(fit.coefficients).round(6).tolist()  # would have been 32 at time 0, and doubled
    [32.0, 2.0, 0.5, 0.5]
    """
    fit = fitted_counts(design, events, exposure, np.ones(len(events)), what=what)
    pearson = (events - fit.mean) / np.sqrt(fit.mean)
    free = len(events) - design.shape[1]
    dispersion = float((pearson**2).sum() / free) if free > 0 else float("nan")
    with np.errstate(invalid="ignore", divide="ignore"):
        lagged = float((pearson[1:] * pearson[:-1]).sum() / (pearson**2).sum())
    working = events / fit.mean - 1
    return SeriesFit(fit.coefficients, fit.mean, working, fit.scores @ fit.inverse, fit.inverse, dispersion, lagged)


def errors_of(fit: SeriesFit, design: Array) -> AutoregressiveErrors:
    """Return the errors of a series of which events are Poisson's around a rate that an AR(1) process moves."""
    root = np.sqrt(fit.mean)
    return autoregressive_errors(design * root[:, None], fit.working * root)


def errors_of_difference(one: SeriesFit, other: SeriesFit, design: Array) -> AutoregressiveErrors:
    """Return the errors of the difference of two series: those of the log ratio of their rates, month by month.

    What moves both rates in a month is not in their ratio, of which Poisson's variance is 1 / mean + 1 / mean of the other.
    """
    root = 1 / np.sqrt(1 / one.mean + 1 / other.mean)
    x, ratio = design * root[:, None], (one.working - other.working) * root
    basis = np.linalg.qr(x)[0]
    return autoregressive_errors(x, ratio - basis @ (basis.T @ ratio))


def default_lags(months: int) -> int:
    """Return the lags up to which months are taken as correlated: 4 (months / 100)^(2/9), as Newey and West (1994) suggest.

    Examples
    --------
    >>> default_lags(84), default_lags(192)
    (3, 4)
    """
    return int(4 * (months / 100) ** (2 / 9))


def newey_west(influence: Array, lags: int) -> Array:
    """Return the covariance of sums over months that are correlated up to some lags, with Bartlett's weights.

    Examples
    --------
    >>> newey_west(np.array([[1.0], [2], [-3]]), 1).tolist()  # 14, and half of twice 2 - 6
    [[10.0]]
    """
    found: Array = influence.T @ influence
    for lag in range(1, min(lags, len(influence) - 1) + 1):
        both = influence[lag:].T @ influence[:-lag]
        found = found + (1 - lag / (lags + 1)) * (both + both.T)
    return found
