"""Poisson regression with weights, its variance by person; arrays in, arrays out.

References
----------
White, H. (1982). Maximum likelihood estimation of misspecified models. Econometrica 50, 1-25.
Liang, K.-Y. and Zeger, S. L. (1986). Longitudinal data analysis using generalized linear models. Biometrika 73, 13-22.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.errors import NotEstimableError
from symphony_research.inference import Array

__all__ = ["PoissonFit", "fitted_counts", "independent_columns", "summed_by"]

MOST_STEPS = 100
NEAR = 1e-8  # of a step, after which the next would be its square

SAME = 1e-10  # of a column's square that others leave: none of its own


@dataclass(frozen=True)
class PoissonFit:
    """A maximum.

    Attributes
    ----------
    coefficients : (p,) array
    mean : (n,) array
        Expected events of each row.
    inverse : (p, p) array
        Inverse of the information.
    scores : (n, p) array
        What each row, with its weight, adds to the score.
    """

    coefficients: Array
    mean: Array
    inverse: Array
    scores: Array

    def influence(self, groups: NDArray[Any]) -> Array:
        """Return what the rows of each group add to the error of the coefficients; the crossproduct is their variance (HC0)."""
        found: Array = summed_by(groups, self.scores) @ self.inverse
        return found


def summed_by(groups: NDArray[Any], values: Array) -> Array:
    """Return the sums of columns over the rows of each group, groups in order of their numbers."""
    number = np.unique(groups, return_inverse=True)[1]
    size = int(number.max()) + 1 if len(number) else 0
    return np.column_stack([np.bincount(number, column, size) for column in values.T])


def fitted_counts(
    x: Array, events: Array, exposure: Array, weights: Array, *, what: str = "events", prior: Array | None = None
) -> PoissonFit:
    """Return Poisson's maximum of events on columns of `x`, an intercept among them, with the logarithm of exposure.

    `prior` gives the inverse variance of a normal prior on each coefficient, around 0; by default there is none.

    Raises
    ------
    ArgumentError
        If there are no events, or it does not converge.

    Examples
    --------
    >>> x = np.array([[1.0, 0], [1, 0], [1, 1], [1, 1]])
    >>> fit = fitted_counts(x, np.array([1.0, 3, 2, 6]), np.ones(4), np.ones(4))
    >>> np.exp(fit.coefficients).round(6).tolist()  # 2 a row, and twice that
    [2.0, 2.0]
    """
    if not (weights * events).sum() > 0:
        raise NotEstimableError(f"Nobody had {what}: there is no rate to compare.")
    offset = np.log(exposure)
    b = np.zeros(x.shape[1])
    b[0] = np.log((weights * events).sum() / (weights * exposure).sum())
    held = np.zeros(len(b)) if prior is None else prior
    start = _deviance(x, events, offset, weights, b) + held @ b**2 / 2
    for _ in range(MOST_STEPS):
        mean = np.exp(offset + x @ b)
        information = x.T @ (x * (weights * mean)[:, None]) + np.diag(held)
        try:
            step = np.linalg.solve(information, x.T @ (weights * (events - mean)) - held * b)
        except np.linalg.LinAlgError:
            raise NotEstimableError("The covariates are combinations of one another: leave some out.") from None
        for _half in range(40):
            tried = _deviance(x, events, offset, weights, b + step) + held @ (b + step) ** 2 / 2
            if np.isfinite(tried) and tried <= start + 1e-10 * (1 + abs(start)):
                break
            step = step / 2
        else:
            raise NotEstimableError(
                f"The rates of {what} do not converge: covariates are nearly combinations of one another."
            )
        b, start = b + step, tried
        if np.abs(step).max() < NEAR * (1 + np.abs(b).max()):
            break
    else:
        raise NotEstimableError(f"The rates of {what} do not converge: a level of a covariate has none.")
    mean = np.exp(offset + x @ b)
    information = x.T @ (x * (weights * mean)[:, None]) + np.diag(held)
    inverse: Array = np.asarray(np.linalg.inv(information), dtype=np.float64)
    return PoissonFit(b, mean, inverse, x * (weights * (events - mean))[:, None])


def _deviance(x: Array, events: Array, offset: Array, weights: Array, b: Array) -> float:
    linear = offset + x @ b
    with np.errstate(over="ignore", invalid="ignore"):
        return float((weights * (np.exp(linear) - events * linear)).sum())


def independent_columns(x: Array, weights: Array, *, keep: int = 0) -> NDArray[Any]:
    """Return the places of columns that are no combination of those before them; the first `keep` are taken for granted."""
    gram = x.T @ (x * weights[:, None])
    size = np.sqrt(np.diag(gram))
    size = np.where(size > 0, size, 1.0)
    left = gram / np.outer(size, size)
    kept: list[int] = []
    for k in range(len(left)):
        if k < keep or left[k, k] > SAME:
            kept.append(k)
            if left[k, k] > SAME:
                left = left - np.outer(left[:, k], left[k]) / left[k, k]
    return np.array(kept)
