"""Cumulative incidence of weighted rows with a competing event, and what each person adds to its error; arrays in, arrays out.

References
----------
Aalen, O. O. and Johansen, S. (1978). An empirical transition matrix for non-homogeneous Markov chains based on censored
observations. Scandinavian Journal of Statistics 5, 141-150.
Andersen, P. K., Borgan, O., Gill, R. D. and Keiding, N. (1993). Statistical models based on counting processes. Springer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.inference import Array

__all__ = ["CENSORED", "COMPETING", "EVENT", "Incidence", "grid_days", "weighted_incidence"]

CENSORED, EVENT, COMPETING = 0, 1, 2
FIRST_YEAR = (*range(30, 331, 30), 365)


@dataclass(frozen=True)
class Incidence:
    """Share of people with the event by each time, and what each row, with its weight, adds to the error of it.

    Attributes
    ----------
    estimate : (times,) array
    influence : (rows, times) array
    """

    estimate: Array
    influence: Array


def grid_days(horizon: int) -> list[int]:
    """Return the times up to a horizon at which curves of days are released: every 30 days, 365, then every half-year.

    Examples
    --------
    >>> grid_days(400)[-3:]
    [300, 330, 365]
    """
    later = [-(-365 * halves // 2) for halves in range(3, 3 + 2 * horizon // 365)]
    return [day for day in (*FIRST_YEAR, *later) if day <= horizon]


def weighted_incidence(time: NDArray[Any], cause: NDArray[Any], weight: Array, times: list[int]) -> Incidence:
    """Return the Aalen-Johansen estimate of weighted rows, an event that competes ending the risk.

    Parameters
    ----------
    time : (rows,) array of int
        Days to the event, to that which competes, or to censoring, from 1 on.
    cause : (rows,) array
        `EVENT`, `COMPETING` or `CENSORED`; who is censored on a day is at risk on it.
    weight : (rows,) array
    times : list of int
        In order.

    Notes
    -----
    With hazards h of the event and g of either on day u, and S the share without either before it, the estimate F(t) is the
    sum of S h up to t. A hazard of u moves it by S(u) (of the event) and by -(F(t) - F(u)) / (1 - g(u)) (of either), and a
    row moves hazards by its weight times what it has less what is expected of it, over the weight at risk.

    Examples
    --------
    >>> found = weighted_incidence(np.array([1, 2, 2, 3]), np.array([1, 2, 1, 0]), np.ones(4), [1, 2, 3])
    >>> found.estimate.round(6).tolist()  # a quarter, and of three quarters a third more
    [0.25, 0.5, 0.5]
    """
    last = int(max(time.max(initial=1), times[-1]))
    left = np.bincount(time, weight, last + 1)
    there = left[::-1].cumsum()[::-1]
    had, other = (np.bincount(time, weight * (cause == kind), last + 1) for kind in (EVENT, COMPETING))
    some = there > 1e-12 * max(there[0], 1.0)
    at_risk = np.where(some, there, 1.0)
    h, g = np.where(some, had / at_risk, 0.0), np.where(some, (had + other) / at_risk, 0.0)
    after = np.cumprod(np.maximum(1 - g, 0.0))
    before = np.concatenate([[1.0], after[:-1]])
    share = np.cumsum(before * h)
    # after everybody has had one or the other nothing moves any more
    lost = np.where(1 - g > 1e-12, 1 / np.maximum(1 - g, 1e-12), 0.0) / at_risk
    own, any_, moved = (np.cumsum(x) for x in (before * h / at_risk, g * lost, share * g * lost))
    influence = np.empty((len(time), len(times)))
    for k, t in enumerate(times):
        until = np.minimum(time, t)
        expected = own[until] - share[t] * any_[until] + moved[until]
        happened = (time <= t) & (cause != CENSORED)
        of_event = np.where(cause == EVENT, before[time] / at_risk[time], 0.0)
        found = np.where(happened, of_event - (share[t] - share[time]) * lost[time], 0.0)
        influence[:, k] = weight * (found - expected)
    return Incidence(share[times], influence)
