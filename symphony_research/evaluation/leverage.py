"""What each person adds to the error of coefficients, allowed for leverage: a fit follows those who weigh much in it.

References
----------
Mancl, L. A. and DeRouen, T. A. (2001). A covariance estimator for GEE with improved small-sample properties. Biometrics 57,
126-134.
Bell, R. M. and McCaffrey, D. F. (2002). Bias reduction in standard errors for linear regression with multi-stage samples.
Survey Methodology 28, 169-181.
Ford, W. P. and Westgate, P. M. (2017). Improved standard error estimator for maintaining the validity of inference in cluster
randomized trials with a small number of clusters. Biometrical Journal 59, 478-495: on averaging estimates that are too small and
too large.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.inference import Array

__all__ = ["Groups", "influence_of_each"]

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


def influence_of_each(scores: Array, information: Array, own: Callable[[Array], Array]) -> Array:
    """Return what each person adds to the error of coefficients: the sum of its crossproducts is their variance.

    Of information I, of which a person with score s adds M, the sandwich has s over I, which is too little where few people
    weigh much, and the one-step jackknife (CR3) s over I - M, which is too much. This is half of both: to the second order of
    leverage s over the root of I (I - M), which is CR2 and unbiased where the model holds, and for people of high leverage more,
    which is the safe side. Solved of all people at once by conjugate gradients, in as many steps as a person has rows, or
    coefficients, at most.

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

    Examples
    --------
    >>> # of a mean of 1, 2 and 6 the scores are -2, -1 and 3: a third by the sandwich, a half by the jackknife
    >>> influence_of_each(np.array([[-2.0], [-1], [3]]), np.array([[3.0]]), lambda moved: moved).round(4).ravel().tolist()
    [-0.8333, -0.4167, 1.25]
    """
    inverse = np.linalg.inv(information)
    moved = start = scores @ inverse
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
    return (start + moved) / 2


def _dot(one: Array, other: Array) -> Array:
    return np.asarray(np.einsum("ij,ij->i", one, other), dtype=np.float64)


def _over(one: Array, other: Array) -> Array:
    there = other > np.finfo(float).tiny
    return np.asarray(np.divide(one, other, out=np.zeros(len(one)), where=there), dtype=np.float64)
