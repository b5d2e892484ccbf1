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
from symphony_research.evaluation.leverage import Groups, influence_of_each
from symphony_research.evaluation.scores import PRIOR_DEVIATION
from symphony_research.inference import Array

__all__ = ["Arms", "RateRatio", "effective_events", "mean_counts", "moved_by_score", "rate_ratio", "ratios_of_groups"]

FEWEST_EVENTS = 5  # for each coefficient, by their effective number


@dataclass(frozen=True)
class Arms:
    """Rows of enrolled people and controls.

    Attributes
    ----------
    treated, weight, person : arrays
        Persons by their places, from 0.
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
    in, allows for the leverage of each of them, and for the score behind odds weights being estimated.
    Covariates are adjusted for where there are five `effective_events` for each coefficient, else none is. A normal prior of
    standard deviation 3 on the log rate ratio of one standard deviation keeps those finite that only people without events
    have, as of the score.
    """
    size = int(arms.person.max(initial=-1)) + 1 if arms.scored is None else len(arms.scored)
    return ratios_of_groups(arms, np.zeros(len(arms.events), int), 1, size, adjust=adjust, what=what)[0]


def ratios_of_groups(
    arms: Arms, group: NDArray[Any], k: int, size: int, *, adjust: bool, what: str
) -> list[RateRatio]:  # fmt: skip
    """Return the ratio of each of k groups, numbered from 0, as `rate_ratio` does that of one: covariates have one coefficient.

    Of each influence the entries are people, `size` in number. Both arms of each group have events.
    """
    own_group = group[:, None] == np.arange(k)
    x = np.column_stack([np.ones(len(group)), own_group[:, 1:], own_group & arms.treated[:, None]]).astype(np.float64)
    if adjust and effective_events(arms) >= FEWEST_EVENTS * (arms.covariates.shape[1] + 2 * k):
        middle, spread = arms.covariates.mean(axis=0), arms.covariates.std(axis=0)
        there = spread > 0
        x = np.column_stack([x, (arms.covariates[:, there] - middle[there]) / spread[there]])
        x = x[:, independent_columns(x, arms.weight, keep=2 * k)]
    prior = np.where(np.arange(x.shape[1]) < 2 * k, 0.0, 1 / PRIOR_DEVIATION**2)
    fit = fitted_counts(x, arms.events, arms.days, arms.weight, what=what, prior=prior)
    people, number = np.unique(arms.person, return_inverse=True)
    by_person = Groups(number, len(people))
    z, known = x[by_person.order], (arms.weight * fit.mean)[by_person.order]

    def own_information(moved: Array) -> Array:
        return by_person.sum(z * (known * np.einsum("ij,ij->i", z, moved[by_person.of]))[:, None])

    information: Array = np.asarray(np.linalg.inv(fit.inverse), dtype=np.float64)
    ratios = slice(k, 2 * k)
    influence = np.zeros((size, k))
    moved = influence_of_each(by_person.sum(fit.scores[by_person.order]), information, own_information)
    influence[people] = moved[:, ratios]
    if arms.scored is not None:
        influence += arms.scored @ (moved_by_score(arms, fit.scores).T @ fit.inverse[:, ratios])
    return [
        _with_difference(arms, arms.treated & (group == g), float(fit.coefficients[k + g]), influence[:, g], x.shape[1] - 2 * k)
        for g in range(k)
    ]  # fmt: skip


def _with_difference(arms: Arms, own: NDArray[np.bool_], estimate: float, influence: Array, adjusted: int) -> RateRatio:
    """Return a log ratio with the difference that it makes to the rate of its own enrolled rows."""
    # the score of the regression sets expected events of the enrolled to those observed
    events, days = float(arms.events[own].sum()), float(arms.days[own].sum())
    rate, saved = events / days, 1 - np.exp(-estimate)
    of_rate = np.bincount(arms.person[own], (arms.events[own] - rate * arms.days[own]) / days, len(influence))
    of_difference = of_rate * saved + rate * np.exp(-estimate) * influence
    return RateRatio(estimate, influence, rate * saved, of_difference, adjusted)


def effective_events(arms: Arms) -> float:
    """Return twice the events of the arm that has fewer, by which a regression may have coefficients.

    Arms weigh about the same, so that coefficients are no surer than the smaller lets them be, however many events the other
    has. Of events that weigh unequally the effective number is (sum of w)^2 over the sum of w^2 (Kish 1965). An event of one
    person in several rows is one, with the sum of its weights.

    References
    ----------
    Peduzzi, P., Concato, J., Kemper, E., Holford, T. R. and Feinstein, A. R. (1996). A simulation study of the number of events
    per variable in logistic regression analysis. Journal of Clinical Epidemiology 49, 1373-1379.
    Vittinghoff, E. and McCulloch, C. E. (2007). Relaxing the rule of ten events per variable in logistic and Cox regression.
    American Journal of Epidemiology 165, 710-718: five to nine suffice where the coefficient of one is what is asked for.
    Kish, L. (1965). Survey Sampling. Wiley.
    """
    fewer = np.inf
    for own in (arms.treated, ~arms.treated):
        person, events = arms.person[own], arms.events[own]
        total, most = np.bincount(person, arms.weight[own] * events), np.zeros(int(person.max(initial=-1)) + 1)
        np.maximum.at(most, person, events)
        had = total > 0
        fewer = min(fewer, float(total.sum() ** 2 / (total[had] ** 2 / most[had]).sum()) if had.any() else 0.0)
    return 2 * fewer


def moved_by_score(arms: Arms, scores: Array) -> Array:
    """Return how a sum over rows, of what each adds at its weight, moves with the coefficients of the score behind the weights."""
    controls = np.flatnonzero(~arms.treated)
    number = np.unique(arms.set[controls], return_inverse=True)[1]
    sets = Groups(number, int(number.max(initial=-1)) + 1)
    ordered = controls[sets.order]
    w, z, own = arms.weight[ordered], arms.measured[ordered], scores[ordered]
    mean = sets.sum(z * w[:, None]) / sets.sum(w[:, None])
    found: Array = own.T @ z - sets.sum(own).T @ mean
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
