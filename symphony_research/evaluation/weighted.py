"""Rates of enrolled people and weighted controls: their ratio, its variance by person, and means with death as terminal event.

Arrays in, arrays out; `Arms` holds the rows of both.

References
----------
Robins, J. M., Rotnitzky, A. and Zhao, L. P. (1994). Estimation of regression coefficients when some regressors are not always
observed. JASA 89, 846-866.
Ghosh, D. and Lin, D. Y. (2000). Nonparametric analysis of recurrent events and death. Biometrics 56, 554-562.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.evaluation.counts import fitted_counts, independent_columns
from symphony_research.inference import Array

__all__ = ["FEWEST_EVENTS", "Arms", "RateRatio", "mean_counts", "rate_ratio"]

FEWEST_EVENTS = 5  # of enrolled people and controls, for each coefficient


@dataclass(frozen=True)
class Arms:
    """Rows of enrolled people and controls.

    Attributes
    ----------
    treated, weight, person : arrays
    events, days : arrays
        Days above 0.
    covariates : (n, p) array
    set : array
        The number of the risk set.
    scored : (people, q) array or None
        Where weights follow from an estimated score: each person's influence on its coefficients, which are of `measured`.
    measured : (n, q) array
    """

    treated: NDArray[np.bool_]
    weight: Array
    person: NDArray[Any]
    events: Array
    days: Array
    covariates: Array
    set: NDArray[Any]
    scored: Array | None
    measured: Array


@dataclass(frozen=True)
class RateRatio:
    """The log rate ratio with what each person adds to its error, and the number of covariates adjusted for.

    `difference` is that of events a day of enrolled people, at their own covariates.
    """

    estimate: float
    influence: Array
    difference: float
    difference_influence: Array
    n_adjusted: int

    @property
    def error(self) -> float:
        """Standard error of the log rate ratio."""
        return float(np.sqrt((self.influence**2).sum()))

    @property
    def difference_error(self) -> float:
        """Standard error of the difference."""
        return float(np.sqrt((self.difference_influence**2).sum()))


def rate_ratio(arms: Arms, *, adjust: bool = True, what: str = "events") -> RateRatio:
    """Return the rate of enrolled people over that of weighted controls, by Poisson regression on the covariates.

    The ratio is right if either the weights or the regression is. Its variance is by person, whichever rows somebody stands
    in, and allows for the score behind odds weights being estimated. Covariates are adjusted for as far as there are five
    events for each coefficient; with fewer events, for none.
    """
    people, number = np.unique(arms.person, return_inverse=True)
    x = np.column_stack([np.ones(len(arms.events)), arms.treated])
    if adjust and arms.events.sum() >= FEWEST_EVENTS * (arms.covariates.shape[1] + 2):
        middle, spread = arms.covariates.mean(axis=0), arms.covariates.std(axis=0)
        there = spread > 0
        x = np.column_stack([x, (arms.covariates[:, there] - middle[there]) / spread[there]])
        x = x[:, independent_columns(x, arms.weight, keep=2)]
    fit = fitted_counts(x, arms.events, arms.days, arms.weight, what=what)
    scores = np.column_stack([np.bincount(number, column, len(people)) for column in fit.scores.T])
    influence = (scores @ fit.inverse)[:, 1]
    if arms.scored is not None:
        moved = _moved(arms, fit.scores)
        everybody = np.zeros(len(arms.scored))
        everybody[people] = influence
        influence = everybody + (arms.scored @ moved.T @ fit.inverse)[:, 1]
        place = people[number]
    else:
        place = number
    estimate = float(fit.coefficients[1])
    # the score of the regression sets expected events of the enrolled to those observed
    own = arms.treated
    size, events, days = len(influence), float(arms.events[own].sum()), float(arms.days[own].sum())
    rate, saved = events / days, 1 - np.exp(-estimate)
    of_rate = np.bincount(place[own], (arms.events[own] - rate * arms.days[own]) / days, size)
    return RateRatio(
        estimate, influence, rate * saved, of_rate * saved + rate * np.exp(-estimate) * influence, x.shape[1] - 2
    )


def _moved(arms: Arms, scores: Array) -> Array:
    """Return how the regression's score moves with the coefficients of the score behind the weights."""
    controls = ~arms.treated
    number = np.unique(arms.set, return_inverse=True)[1]
    w, z = arms.weight[controls], arms.measured[controls]
    size = int(number.max()) + 1
    mean: Array = np.column_stack([np.bincount(number[controls], w * column, size) for column in z.T]).astype(
        np.float64
    )
    total = np.bincount(number[controls], w, size)
    mean = mean / np.where(total > 0, total, 1.0)[:, None]
    found: Array = scores[controls].T @ (z - mean[number[controls]])
    return found


def mean_counts(
    treated: NDArray[np.bool_], weight: Array, person: NDArray[Any], end: Array, died: NDArray[np.bool_],
    row: NDArray[Any], time: Array, *, resamples: int, seed: int, amount: Array | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """Return the mean number of events a person of each arm, death ending them, and those of bootstrap resamples of people.

    Parameters
    ----------
    treated, weight, person, end, died : arrays
        One row each; days to death or censoring.
    row, time : arrays
        Of each event the row and the day.
    amount : array, optional
        What each event adds, such as its cost; by default one.
    resamples : int
        People are drawn with replacement so often, with all their rows.

    Returns
    -------
    (2,) array and (resamples, 2) array
        Of enrolled people and of controls.

    Examples
    --------
    >>> one = np.array([True, True, False, False])
    >>> found, _ = mean_counts(one, np.ones(4), np.arange(4), np.array([9.0, 9, 9, 4]), np.array([0, 0, 0, 1], bool),
    ...                        np.array([0, 2, 2]), np.array([3.0, 2, 7]), resamples=0, seed=1)
    >>> found.tolist()  # 1 event of 2 people; half an event, and after the death half of one
    [0.5, 1.0]
    """
    from scipy.sparse import csr_array

    number = np.unique(person, return_inverse=True)[1]
    n, days = int(number.max()) + 1, np.unique(np.concatenate([end, time]))
    random = np.random.default_rng(seed)
    again = np.array([np.bincount(random.integers(n, size=n), minlength=n) for _ in range(resamples)]).reshape(
        resamples, n
    )
    times = np.vstack([np.ones((1, n)), again])
    at_end, at_time = np.searchsorted(days, end), np.searchsorted(days, time)

    def by_day(own: Array, who: NDArray[Any], at: NDArray[Any]) -> Array:
        """Return sums by day of everybody, and of each bootstrap resample."""
        there = own > 0
        table = csr_array((own[there], (who[there], at[there])), shape=(n, len(days)))
        return np.asarray(times @ table, dtype=np.float64)

    means = []
    for arm in (treated, ~treated):
        w = weight * arm
        left, deaths = by_day(w, number, at_end), by_day(w * died, number, at_end)
        happened = by_day(w[row] * (1.0 if amount is None else amount), number[row], at_time)
        there = left.sum(axis=1, keepdims=True) - np.cumsum(left, axis=1) + left
        there = np.where(there > 1e-9, there, np.inf)  # nobody is left
        survival = np.cumprod(1 - deaths / there, axis=1)
        alive = np.column_stack([np.ones(len(survival)), survival[:, :-1]])  # up to the day before
        means.append((alive * happened / there).sum(axis=1))
    found = np.column_stack(means)
    return found[0], found[1:]
