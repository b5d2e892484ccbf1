"""Accelerated failure times: log times as a location, a scale, and an error of known distribution; by Newton's method.

References
----------
Kalbfleisch, J. D. and Prentice, R. L. (2002). The Statistical Analysis of Failure Time Data, second edition, chapter 3. Wiley.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symphony_research.errors import ArgumentError
from symphony_research.inference import Array

__all__ = ["LocationScale", "fitted_location_scale"]

MOST_STEPS = 200
NEAR = 1e-10


@dataclass(frozen=True)
class LocationScale:
    """The maximum of one distribution.

    Attributes
    ----------
    estimate, covariance : (p,) and (p, p) arrays
        Of the covariates.
    intercept, scale : float
        Of log time; a generalised gamma's scale where its error has unit scale.
    log_likelihood : float
        Of times, not of their logarithms.
    shape : float or None
        Of a generalised gamma.
    """

    estimate: Array
    covariance: Array
    intercept: float
    scale: float
    log_likelihood: float
    shape: float | None = None


def _error(distribution: str, z: Array, event: Array) -> tuple[Array, Array, Array]:
    """Return the log density (of events) or log survival (of others) of standard errors, and two derivatives in z."""
    from scipy.special import expit, log_ndtr

    if distribution == "weibull":
        e = np.exp(z)
        return event * z - e, event - e, -e
    if distribution == "log_logistic":
        p = expit(z)
        return event * z - (1 + event) * np.logaddexp(0, z), event - (1 + event) * p, -(1 + event) * p * (1 - p)
    tail = log_ndtr(-z)
    mills = np.exp(-(z**2) / 2 - np.log(2 * np.pi) / 2 - tail)
    value = np.where(event > 0, -(z**2) / 2 - np.log(2 * np.pi) / 2, tail)
    return value, np.where(event > 0, -z, -mills), np.where(event > 0, -1.0, -mills * (mills - z))


def fitted_location_scale(distribution: str, design: Array, time: Array, event: Array, people: Array) -> LocationScale:
    """Return the maximum likelihood fit of log time on covariates.

    Parameters
    ----------
    distribution : {"weibull", "log_normal", "log_logistic"}
        Of time.
    design : (R, p) array
        Without an intercept.
    time, event, people : (R,) arrays
        Times above 0; 1 where the event ended follow-up, else 0; people a row stands for, below 0 for people taken
        off: who enters late is given that they were free of the event until then, so that their survival to it is divided out.

    Raises
    ------
    ArgumentError
        If there is no maximum.
    """
    x, y = np.column_stack([np.ones(len(time)), design]), np.log(time)
    p = x.shape[1]

    def value(b: Array) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            z = (y - x @ b[:p]) / np.exp(b[p])
            return float((people * (_error(distribution, z, event)[0] - event * (b[p] + y))).sum())

    there = np.maximum(people, 0.0)
    mean = there @ y / there.sum()
    b = np.zeros(p + 1)
    b[0], b[p] = mean, np.log(max(float(np.sqrt(there @ (y - mean) ** 2 / there.sum())), 1e-3))
    now = value(b)
    for _ in range(MOST_STEPS):
        z, sigma = (y - x @ b[:p]) / np.exp(b[p]), np.exp(b[p])
        _, one, two = _error(distribution, z, event)
        one, two = people * one, people * two
        slope = np.append(-(x.T @ one) / sigma, -(one @ z) - people @ event)
        mixed = x.T @ (two * z + one) / sigma
        bend = np.block([[x.T @ (x * two[:, None]) / sigma**2, mixed[:, None]], [mixed[None, :], (two * z + one) @ z]])
        least = -np.linalg.eigvalsh(bend).max()
        damped = -bend + (max(0.0, -least) * 1.1 + 1e-9 * np.abs(bend).max() if least <= 0 else 0.0) * np.eye(p + 1)
        step = np.linalg.solve(damped, slope)
        size = 1.0
        while not value(b + size * step) >= now - 1e-12 * abs(now) and size > 1e-8:
            size /= 2
        b = b + size * step
        now = value(b)
        if np.abs(step).max() < NEAR:
            break
    else:
        raise ArgumentError(
            f"The likelihood of the {distribution.replace('_', '-')} model has no maximum: a level has no events, or covariates "
            "separate those with the event. Join levels, or leave one out."
        )
    covariance = np.linalg.inv(-bend)
    return LocationScale(b[1:p], covariance[1:p, 1:p], float(b[0]), float(np.exp(b[p])), now)
