"""What each person adds to the error of coefficients, as the estimate would move without them.

References
----------
Mancl, L. A. and DeRouen, T. A. (2001). A covariance estimator for GEE with improved small-sample properties. Biometrics 57,
126-134.
Bell, R. M. and McCaffrey, D. F. (2002). Bias reduction in standard errors for linear regression with multi-stage samples.
Survey Methodology 28, 169-181.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.inference import Array

__all__ = ["Groups", "without_each"]

NEAR = 1e-8  # of the largest, after which nothing changes


class Groups:
    """Sums of rows over groups, which are numbered from 0 to n - 1."""

    def __init__(self, number: NDArray[Any], n: int) -> None:
        self.n, self.order = n, np.argsort(number, kind="stable")
        self.of = number[self.order]
        self.there = np.flatnonzero(np.bincount(number, minlength=n) > 0)
        self.starts = np.searchsorted(self.of, self.there)

    def sum(self, ordered: Array) -> Array:
        """Return sums by group of columns whose rows stand in `order`."""
        found = np.zeros((self.n, ordered.shape[1]))
        if len(ordered):
            found[self.there] = np.add.reduceat(ordered, self.starts, axis=0)
        return found


def without_each(scores: Array, information: Array, own: Callable[[Array], Array]) -> Array:
    """Return how far coefficients move, to one step, when each person is omitted.

    Of information I, of which a person with score s adds M, that is s over I - M (a one-step jackknife, CR3); without
    leverage it would be s over I, which is too little where few people weigh much. Solved of all people at once by conjugate
    gradients, which take as many steps as a person has rows, or coefficients, at most.

    Parameters
    ----------
    scores : (n, p) array
        Of each person.
    information : (p, p) array
    own : callable
        Of a vector a person, M times the vector.

    Returns
    -------
    (n, p) array
        The sum of its crossproducts is their variance.

    Examples
    --------
    >>> # a mean of 1, 2 and 6: without each it would be 4, 3.5 and 1.5, where the scores are -2, -1 and 3
    >>> without_each(np.array([[-2.0], [-1], [3]]), np.array([[3.0]]), lambda moved: moved).round(4).ravel().tolist()
    [-1.0, -0.5, 1.5]
    """
    inverse = np.linalg.inv(information)
    moved = scores @ inverse
    left = own(moved)
    towards = along = left @ inverse
    size = _dot(left, towards)
    for _ in range(len(information)):
        pulled = along @ information - own(along)
        step = _over(size, _dot(along, pulled))
        moved = moved + step[:, None] * along
        left = left - step[:, None] * pulled
        towards = left @ inverse
        before, size = size, _dot(left, towards)
        if np.sqrt(size.max(initial=0.0)) <= NEAR * np.sqrt(_dot(scores, moved).max(initial=0.0)):
            break
        along = towards + _over(size, before)[:, None] * along
    return moved


def _dot(one: Array, other: Array) -> Array:
    return np.asarray(np.einsum("ij,ij->i", one, other), dtype=np.float64)


def _over(one: Array, other: Array) -> Array:
    there = other > np.finfo(float).tiny
    return np.asarray(np.divide(one, other, out=np.zeros(len(one)), where=there), dtype=np.float64)
