"""What changed where something began, at different times in different places, against places where it had not; arrays in, arrays out.

References
----------
Sun, L. and Abraham, S. (2021). Estimating dynamic treatment effects in event studies with heterogeneous treatment effects.
Journal of Econometrics 225, 175-199.
MacKinnon, J. G., Nielsen, M. O. and Webb, M. D. (2023). Cluster-robust inference: a guide to empirical practice. Journal of
Econometrics 232, 272-299.
Welch, B. L. (1947). The generalization of 'Student's' problem when several different population variances are involved.
Biometrika 34, 28-35.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symphony_research.errors import NotEstimableError
from symphony_research.evaluation.panel import between_groups
from symphony_research.inference import Array

__all__ = ["StaggeredEffects", "compared_with", "interaction_weighted", "staggered_effects"]

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class StaggeredEffects:
    """Effects by period relative to the start, and linear combinations of them.

    Attributes
    ----------
    estimate : (k,) array
        Log rate ratios, or differences of rates; nothing where no place is observed.
    error : (k,) array
    degrees : (k,) array
        Welch's degrees of freedom, rounded down.
    used : list of list of (start, period)
        The starts, and their periods, that each effect is a mean of; of combinations nothing.
    """

    estimate: Array
    error: Array
    degrees: Array
    used: list[list[tuple[int, int]]]


def compared_with(start: Whole, periods: int) -> NDArray[np.bool_]:
    """Return the places that others are compared with: where it did not begin, or if there are none, where it began last."""
    never = start >= periods
    return never if never.any() else start == start.max()


def interaction_weighted(
    events: Array, time: Array, start: Whole, relative: Whole, *, method: str
) -> tuple[Array, list[list[tuple[int, int]]]]:
    """Return the effect in each period relative to the start, as the mean over places that began at the same time.

    Parameters
    ----------
    events, time : (places, periods) arrays
        Of each place, in periods that follow one another.
    start : (places,) array
        The period in which it began; as many as there are periods, or more, where it did not. None is 0.
    relative : (k,) array
        Periods since the start, -1 being the reference.
    method : {"poisson", "linear"}

    Returns
    -------
    estimate : (k,) array
    used : list of list of (start, period)
        The starts, and their periods, that each is a mean of.

    Notes
    -----
    Places that began together are compared, by `panel.between_groups`, with those where it did not begin at all; where there are
    none, with those that began last, before they did. Each effect is how much more their rate changed from the period before the
    start than that of the others, with an effect of each place. Effects are averaged over starts by their time observed in the
    period before. No place where it has begun stands for one where it has not, as it does in regression with effects of
    places and periods alone.

    Examples
    --------
    >>> events = np.array([[2.0, 4, 4], [3, 3, 6], [5, 5, 5]])
    >>> found, _ = interaction_weighted(events, np.ones((3, 3)), np.array([1, 2, 3]), np.array([0, 1]), method="linear")
    >>> found.round(6).tolist()  # 2 and 3 in the period of the start; 2 of the first place alone in the next
    [2.5, 2.0]
    """
    without = compared_with(start, events.shape[1])
    periods = min(events.shape[1], int(start[without].min()))  # of the last to begin, those before they did
    total, weight = np.zeros(len(relative)), np.zeros(len(relative))
    used: list[list[tuple[int, int]]] = [[] for _ in relative]
    for began in np.unique(start[~without]):
        own = start == began
        rows = own | without
        found = between_groups(
            events[rows, :periods], time[rows, :periods], np.ones(rows.sum()), own[rows], np.arange(rows.sum()),
            reference=int(began) - 1, method=method,
        )  # fmt: skip
        at = began + relative
        there = (at >= 0) & (at < periods)
        share = float(time[own, began - 1].sum())
        total[there] += share * found.estimate[at[there]]
        weight[there] += share
        for k in np.flatnonzero(there):
            used[k].append((int(began), int(at[k])))
    with np.errstate(invalid="ignore", divide="ignore"):
        return total / weight, used


def staggered_effects(
    events: Array, time: Array, start: Whole, relative: Whole, combined: Array, *, method: str
) -> StaggeredEffects:
    """Return effects by period relative to the start, then combinations of them, with errors by place.

    Parameters
    ----------
    events, time, start, relative, method
        As in `interaction_weighted`.
    combined : (m, k) array
        Weights of linear combinations of the k effects; one of weight 0 does not count.

    Raises
    ------
    NotEstimableError
        If it began in fewer than two places, or fewer than two are compared with them.

    Notes
    -----
    Errors are a jackknife that omits each place in turn, stratified by whether it began there, with Welch's degrees of freedom: of
    means of places these are the two-sample t test that allows for unequal variances. A start of one place alone has no
    variance of its own in a sandwich by place; here it adds how much its effect differs from those of others.

    Examples
    --------
    >>> events = np.array([[2.0, 4], [2, 6], [5, 5], [5, 7]])
    >>> found = staggered_effects(events, np.ones((4, 2)), np.array([1, 1, 2, 2]), np.array([0]), np.ones((1, 1)), method="linear")
    >>> found.estimate.tolist(), found.error.round(6).tolist()  # changes 2 and 4, against 0 and 2: root of 2 / 2 + 2 / 2
    ([2.0, 2.0], [1.414214, 1.414214])
    """
    without = compared_with(start, events.shape[1])
    if min(without.sum(), (~without).sum()) < 2:
        raise NotEstimableError(
            "Fewer than two practices began it, or fewer than two had not, so that there is no comparison."
        )

    def path(kept: NDArray[np.bool_]) -> tuple[Array, list[list[tuple[int, int]]]]:
        found, used = interaction_weighted(events[kept], time[kept], start[kept], relative, method=method)
        both = [np.where(row != 0, found * row, 0.0).sum() for row in combined]
        return np.concatenate([found, both]), used

    estimate, used = path(np.ones(len(start), bool))
    parts = []
    for arm in (without, ~without):
        size = int(arm.sum())
        left = np.array([path(np.arange(len(start)) != place)[0] for place in np.flatnonzero(arm)])
        parts.append((((left - estimate) ** 2).sum(axis=0) * (size - 1) / size, size - 1))
    variance = sum(part for part, _ in parts)
    with np.errstate(invalid="ignore", divide="ignore"):
        degrees = variance**2 / sum(part**2 / free for part, free in parts)
    return StaggeredEffects(estimate, np.sqrt(variance), np.floor(degrees), used)
