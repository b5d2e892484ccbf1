"""Rate ratios of groups from one regression, in which covariates have one coefficient for all of them; arrays in, arrays out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.evaluation.weighted import Arms, RateRatio, ratios_of_groups

__all__ = ["part_of", "rate_ratios"]


def part_of(arms: Arms, which: NDArray[np.bool_]) -> Arms:
    """Return some of the rows; whom a score was estimated from stays."""
    return replace(
        arms, treated=arms.treated[which], weight=arms.weight[which], person=arms.person[which], events=arms.events[which],
        days=arms.days[which], covariates=arms.covariates[which], set=arms.set[which], measured=arms.measured[which],
    )  # fmt: skip


def rate_ratios(
    arms: Arms, group: NDArray[Any], number: int, size: int, *, adjust: bool = True, what: str = "events"
) -> list[RateRatio | None]:
    """Return the rate of enrolled people over that of weighted controls in each group.

    Each group has a rate and a ratio of its own; covariates have one coefficient for all, so that groups and the whole are
    adjusted the same way. Without covariates the groups are estimated as if alone.

    Parameters
    ----------
    arms : Arms
    group : array
        Of each row, from 0 to `number` less 1.
    number, size : int
        Of groups, and of people; persons are places among them.

    Returns
    -------
    list of RateRatio or None
        None where an arm of the group has no events. Each influence has one entry a person.
    """
    had = arms.weight * arms.events
    events = np.array([np.bincount(group[own], had[own], number) for own in (arms.treated, ~arms.treated)])
    able = np.flatnonzero((events > 0).all(axis=0))
    whole: list[RateRatio | None] = [None] * number
    if len(able):
        rows = np.isin(group, able)
        at = np.searchsorted(able, group[rows])
        found = ratios_of_groups(part_of(arms, rows), at, len(able), size, adjust=adjust, what=what)
        for place, one in zip(able, found, strict=True):
            whole[place] = one
    return whole
