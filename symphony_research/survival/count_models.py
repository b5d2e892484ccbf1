"""Poisson and negative binomial likelihoods of numbers of events with exposure, by Newton and Fisher's scoring.

References
----------
McCullagh, P. and Nelder, J. A. (1989). Generalized Linear Models, second edition. Chapman and Hall.
Venables, W. N. and Ripley, B. D. (2002). Modern Applied Statistics with S, fourth edition, chapter 7. Springer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symphony_research.errors import ArgumentError
from symphony_research.inference import Array
from symphony_research.survival.partial_likelihood import FLAT, refuse_separation, require_independent

__all__ = ["CountFit", "fitted_negative_binomial", "fitted_poisson"]

MOST_STEPS = 100
NEAR = 1e-11
LARGEST_THETA = 1e7


@dataclass(frozen=True)
class CountFit:
    """The maximum, its covariates scaled as they were given.

    Attributes
    ----------
    estimate, covariance : (p,) and (p, p) arrays
        Without the intercept.
    log_likelihood, log_likelihood_null : float
        Up to one constant.
    theta, theta_error : float or None
        Of the negative binomial.
    """

    estimate: Array
    covariance: Array
    log_likelihood: float
    log_likelihood_null: float
    theta: float | None = None
    theta_error: float | None = None


def fitted_poisson(design: Array, events: Array, years: Array, names: list[str]) -> CountFit:
    """Return Poisson's maximum of total events by total exposure in rows of equal covariates."""
    x = np.column_stack([np.ones(len(events)), design])
    rate = np.log(events.sum() / years.sum())
    b, mean = _scored(x, events, years, np.ones(len(events)), None, np.append(rate, np.zeros(design.shape[1])), names)
    null = years * np.exp(rate)
    covariance: Array = np.asarray(np.linalg.inv(x.T @ (x * mean[:, None])), dtype=np.float64)
    return CountFit(b[1:], covariance[1:, 1:], _poisson(events, mean), _poisson(events, null))


def _poisson(events: Array, mean: Array) -> float:
    return float((events * np.log(mean) - mean).sum())


def fitted_negative_binomial(design: Array, events: Array, years: Array, people: Array, names: list[str]) -> CountFit:
    """Return the negative binomial's maximum, coefficients and theta in turn.

    Raises
    ------
    ArgumentError
        If the events vary no more than Poisson's.
    """
    x = np.column_stack([np.ones(len(events)), design])
    null_theta, null_mean, _ = _in_turn(x[:, :1], events, years, people, [])
    theta, mean, b = _in_turn(x, events, years, people, names)
    weight = people * mean / (1 + mean / theta)
    covariance: Array = np.asarray(np.linalg.inv(x.T @ (x * weight[:, None])), dtype=np.float64)
    slope = _theta_slopes(theta, events, mean, people)[1]
    return CountFit(
        b[1:], covariance[1:, 1:], _negative_binomial(events, mean, people, theta),
        _negative_binomial(events, null_mean, people, null_theta), theta, float(1 / np.sqrt(-slope)),
    )  # fmt: skip


def _in_turn(x: Array, events: Array, years: Array, people: Array, names: list[str]) -> tuple[float, Array, Array]:
    start = np.append(np.log((people * events).sum() / (people * years).sum()), np.zeros(x.shape[1] - 1))
    b, mean = _scored(x, events, years, people, None, start, names)
    spread = float((people * ((events / mean - 1) ** 2 - 1 / mean)).sum() / people.sum())
    theta = 1 / spread if spread > 1e-3 else 100.0
    for _ in range(MOST_STEPS):
        before, held = theta, b
        theta = _theta(theta, events, mean, people)
        b, mean = _scored(x, events, years, people, theta, b, names)
        if abs(theta / before - 1) < 1e-12 and np.abs(b - held).max() < NEAR:
            break
    return theta, mean, b


def _theta(theta: float, events: Array, mean: Array, people: Array) -> float:
    """Return theta's maximum for given means, by Newton on its logarithm with step limits."""
    for _ in range(200):
        slope, curve = _theta_slopes(theta, events, mean, people)
        on_log, bend = theta * slope, theta * slope + theta**2 * curve
        step = -on_log / bend if bend < 0 else np.sign(on_log)
        theta *= float(np.exp(np.clip(step, -2, 2)))
        if theta > LARGEST_THETA:
            raise ArgumentError("The numbers of events vary no more than Poisson's: use family='poisson'.")
        if abs(step) < 1e-13:
            break
    return theta


def _theta_slopes(theta: float, y: Array, m: Array, n: Array) -> tuple[float, float]:
    """Return the first and second derivative of the log likelihood in theta."""
    from scipy.special import polygamma, psi

    first = psi(y + theta) - psi(theta) + np.log(theta) + 1 - np.log(theta + m) - (y + theta) / (m + theta)
    second = (
        polygamma(1, y + theta) - polygamma(1, theta) + 1 / theta - 2 / (m + theta) + (y + theta) / (m + theta) ** 2
    )
    return float((n * first).sum()), float((n * second).sum())


def _negative_binomial(y: Array, m: Array, n: Array, theta: float) -> float:
    from scipy.special import gammaln

    one = (
        gammaln(y + theta)
        - gammaln(theta)
        - gammaln(y + 1)
        + theta * np.log(theta)
        + y * np.log(m)
        - (theta + y) * np.log(theta + m)
    )
    return float((n * one).sum())


def _scored(
    x: Array, events: Array, years: Array, people: Array, theta: float | None, b: Array, names: list[str]
) -> tuple[Array, Array]:
    """Return coefficients and means by Fisher's scoring with step halving; `theta` None is Poisson's."""

    def mean_of(b: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.asarray(years * np.exp(x @ b))

    def value(mean: Array) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            kernel = events * np.log(mean) - (mean if theta is None else (theta + events) * np.log(theta + mean))
        return float((people * kernel).sum())

    mean = mean_of(b)
    now, scale = value(mean), None
    for _ in range(MOST_STEPS):
        weight = people * (mean if theta is None else mean / (1 + mean / theta))
        information = x.T @ (x * weight[:, None])
        if scale is None:
            scale = np.sqrt(np.diag(information))
            require_independent(information, scale, ["the intercept", *names])
        values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
        if values.min() < FLAT:
            refuse_separation((vectors[:, 0] / scale)[1:], names)
        slope = x.T @ (people * (events - mean) / (1 if theta is None else 1 + mean / theta))
        step = vectors @ ((vectors.T @ (slope / scale)) / values) / scale
        size, new = 1.0, mean_of(b + step)
        while not (np.isfinite(value(new)) and value(new) >= now - 1e-12 * abs(now)) and size > 1e-6:
            size /= 2
            new = mean_of(b + size * step)
        b, mean, now = b + size * step, new, value(new)
        if np.abs(step).max() < NEAR:
            return b, mean
    refuse_separation(step[1:], names)
    return b, mean
