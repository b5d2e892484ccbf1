"""Scores by which people are comparable: of enrolling, in all rows or within risk sets, and of the outcome; arrays in, arrays out.

References
----------
Rosenbaum, P. R. and Rubin, D. B. (1983). The central role of the propensity score in observational studies for causal
effects. Biometrika 70, 41-55.
Lu, B. (2005). Propensity score matching with time-dependent covariates. Biometrics 61, 721-728.
Hansen, B. B. (2008). The prognostic analogue of the propensity score. Biometrika 95, 481-488.
Lin, D. Y. and Wei, L. J. (1989). The robust inference for the Cox proportional hazards model. JASA 84, 1074-1078.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.errors import ArgumentError
from symphony_research.evaluation.leverage import Groups, influence_of_each
from symphony_research.inference import Array

__all__ = ["Score", "fitted_logistic", "fitted_within_sets", "mahalanobis"]

MOST_STEPS = 60
NEAR = 1e-10
# of the log ratio for one standard deviation: tells nothing where there are data, and keeps few people's score finite
PRIOR_DEVIATION = 3.0


@dataclass(frozen=True)
class Score:
    """A fitted score.

    Attributes
    ----------
    coefficients : (p,) array
        On the scale of the covariates; of `fitted_logistic` the first is the intercept.
    linear : (n,) array
        The linear predictor of each row: of `fitted_logistic` the logit.
    influence : array or None
        What each row, or each person, adds to the error of the coefficients, whose variance is the sum of crossproducts.
    """

    coefficients: Array
    linear: Array
    influence: Array | None


def fitted_logistic(x: Array, treated: NDArray[np.bool_], weights: Array | None = None) -> Score:
    """Return the logistic regression of being treated on covariates, with an intercept.

    Parameters
    ----------
    x : (n, p) array
    treated : (n,) array of bool
    weights : (n,) array, optional

    Raises
    ------
    ArgumentError
        If a covariate is a combination of others, or tells exactly who is treated.

    Examples
    --------
    >>> one = fitted_logistic(np.array([[0.0], [0], [0], [1], [1], [1]]), np.array([1, 0, 0, 1, 1, 0], bool))
    >>> np.exp(one.coefficients).round(6).tolist()  # odds of 1 to 2, and four times them
    [0.5, 4.0]
    """
    y, w = treated.astype(float), np.ones(len(x)) if weights is None else weights
    middle, spread = x.mean(axis=0), x.std(axis=0)
    if not (spread > 0).all():
        raise ArgumentError(f"{int((spread == 0).sum())} covariates are the same for all people: leave them out.")
    z = np.column_stack([np.ones(len(x)), (x - middle) / spread])
    b = np.zeros(z.shape[1])
    for _ in range(MOST_STEPS):
        p = 1 / (1 + np.exp(-z @ b))
        information = z.T @ (z * (w * p * (1 - p))[:, None])
        if np.linalg.cond(information) > 1e12:
            raise ArgumentError(
                "Covariates are combinations of one another, or tell exactly who is treated: leave some out."
            )
        step = np.linalg.solve(information, z.T @ (w * (y - p)))
        b += step
        if np.abs(step).max() < NEAR:
            break
    p = 1 / (1 + np.exp(-z @ b))
    information = z.T @ (z * (w * p * (1 - p))[:, None])
    back = np.diag(np.append(1.0, 1 / spread))
    back[0, 1:] = -middle / spread
    influence = (z * (w * (y - p))[:, None]) @ np.linalg.inv(information) @ back.T
    return Score(back @ b, z @ b, influence)


def fitted_within_sets(
    x: Array, set_: NDArray[Any], treated: NDArray[np.bool_], weights: Array, *, person: NDArray[Any] | None = None
) -> Score:
    """Return the hazard of enrolling on covariates: of each set one row is treated (Cox's partial likelihood).

    Parameters
    ----------
    x : (n, p) array
    set_ : (n,) array
        The number of the set of each row, from 0.
    treated : (n,) array of bool
        One row of each set.
    weights : (n,) array
        How many people a row stands for: where candidates were drawn, the inverse of the part that was.
    person : (n,) array, optional
        The number of the person of each row, from 0, if what each adds to the error is asked for.

    Notes
    -----
    With risk sets, calendar time and whatever people agree on exactly drop out. A normal prior with standard deviation 3 on
    the log hazard ratio for one standard deviation keeps the score of a few people finite.

    Examples
    --------
    >>> x = np.array([[1.0], [0], [0], [1], [0], [1]])
    >>> one = fitted_within_sets(x, np.array([0, 1, 0, 0, 1, 1]), np.array([1, 1, 0, 0, 0, 0], bool), np.ones(6))
    >>> one.linear.shape
    (6,)
    """
    n_sets = int(treated.sum())
    spread = x.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    # set by set, so that sums over a set are sums over neighbours
    order = np.argsort(set_, kind="stable")
    z = np.ascontiguousarray((x[order] - x.mean(axis=0)) / spread)
    of, own, stands = set_[order], treated[order], weights[order]
    starts = np.searchsorted(of, np.arange(n_sets))
    b = np.zeros(x.shape[1])
    case = z[own]
    prior = np.eye(len(b)) / PRIOR_DEVIATION**2

    def shares(b: Array) -> tuple[Array, float]:
        linear = z @ b
        most = np.maximum.reduceat(linear, starts)
        e = stands * np.exp(linear - most[of])
        total = np.add.reduceat(e, starts)
        own = float((case @ b - most - np.log(total)).sum())
        return e / total[of], own - float(b @ prior @ b) / 2

    def slope(p: Array) -> tuple[Array, Array]:
        weighted = z * p[:, None]
        mean = np.add.reduceat(weighted, starts, axis=0)
        return mean, weighted.T @ z - mean.T @ mean + prior

    p, likelihood = shares(b)
    for _ in range(MOST_STEPS):
        mean, information = slope(p)
        step = np.linalg.solve(information, (case - mean).sum(axis=0) - prior @ b)
        for _half in range(30):
            tried, found = shares(b + step)
            if found >= likelihood - 1e-12 * abs(likelihood):
                break
            step = step / 2
        b, p, likelihood = b + step, tried, found
        if np.abs(step).max() < NEAR:
            break
    linear = np.empty(len(z))
    linear[order] = z @ b
    if person is None:
        return Score(b / spread, linear, None)
    mean, information = slope(p)
    z -= mean[of]
    who = person[order]
    people = Groups(who, int(person.max()) + 1)
    enrolled = who[own]

    def each(moved: Array) -> Array:
        """Return the information that each person adds, as a candidate or with the whole of their own set, times a vector."""
        as_candidate = z * np.where(own, 0.0, p * np.einsum("ij,ij->i", z, moved[who]))[:, None]
        found = people.sum(as_candidate[people.order])
        whole = z * (p * np.einsum("ij,ij->i", z, moved[enrolled][of]))[:, None]
        np.add.at(found, enrolled, np.add.reduceat(whole, starts, axis=0))
        return found

    residual = z * (own - p)[:, None]
    return Score(b / spread, linear, influence_of_each(people.sum(residual[people.order]), information, each) / spread)


def mahalanobis(x: Array, set_: NDArray[Any], treated: NDArray[np.bool_]) -> Array:
    """Return the distance of each row from the enrolled person of its set, by the covariance within the two groups."""
    n_sets = int(treated.sum())
    case = np.empty((n_sets, x.shape[1]))
    case[set_[treated]] = x[treated]
    within = np.zeros((x.shape[1], x.shape[1]))
    for group in (treated, ~treated):
        if group.sum() > 1:
            within += np.cov(x[group], rowvar=False, ddof=1).reshape(within.shape) * (group.sum() - 1)
    within /= max(len(x) - 2, 1)
    difference = x - case[set_]
    found: Array = np.sqrt(np.maximum(((difference @ np.linalg.pinv(within)) * difference).sum(axis=1), 0.0))
    return found
