"""The mean cumulative count and its variance by person, from one row an event and one a person; arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from symphony_research.inference import Array

__all__ = ["FollowUp", "MeanCount", "group_scores", "mean_count"]

_AT_ONCE = 20_000_000  # people times moments held in memory at once


@dataclass(frozen=True)
class FollowUp:
    """One group: each person's entry, end and whether they died, and each event's person (their place) and time."""

    entry: Array
    end: Array
    died: Array
    person: Array
    time: Array


@dataclass(frozen=True)
class MeanCount:
    """At each time that somebody had an event, died or was censored.

    Attributes
    ----------
    times, at_risk, events, deaths, censored, mean, variance : array
    with_event : array
        People with an event up to then.
    spread : array
        Herfindahl index of the events of people up to then.
    """

    times: Array
    at_risk: Array
    events: Array
    deaths: Array
    censored: Array
    mean: Array
    variance: Array
    with_event: Array
    spread: Array


def mean_count(group: FollowUp) -> MeanCount:
    """Estimate the mean number of events a person up to each time, death ending them, and its variance."""
    steps = _Steps(group, np.unique(np.concatenate([group.end, group.time])))
    variance = sum(((own**2).sum(axis=0) for own in steps.influences()), np.zeros(len(steps.times)))
    order = np.argsort(group.time, kind="stable")
    held = np.zeros(len(group.end))
    people, squares, total = (np.zeros(len(steps.times)) for _ in range(3))
    at = np.searchsorted(steps.times, group.time[order])
    for person, moment in zip(group.person[order], at, strict=True):
        people[moment] += held[person] == 0
        squares[moment] += 2 * held[person] + 1
        total[moment] += 1
        held[person] += 1
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.cumsum(squares) / np.cumsum(total) ** 2
    return MeanCount(
        steps.times, steps.at_risk, steps.events, steps.deaths, steps.censored, steps.mean, variance,
        np.cumsum(people), spread,
    )  # fmt: skip


def group_scores(groups: Sequence[FollowUp]) -> tuple[Array, Array]:
    """Return the score of each group and their covariance by person: the log-rank weights of Ghosh and Lin.

    With Y_k people at risk, the score of group k sums Y_k (dm_k - dm), m being the mean of all groups weighted by who is
    at risk; of two groups that is Y1 Y2 / (Y1 + Y2) times the difference of their means.
    """
    times = np.unique(np.concatenate([x for g in groups for x in (g.end, g.time)]))
    steps = [_Steps(group, times) for group in groups]
    there = np.array([one.at_risk for one in steps])
    total = there.sum(axis=0)
    share = np.divide(there, total, out=np.zeros_like(there), where=total > 0)
    score, covariance = np.zeros(len(groups)), np.zeros((len(groups), len(groups)))
    for k, one in enumerate(steps):
        weight = there * ((np.arange(len(groups)) == k)[:, None] - share[k][None, :])
        score += weight @ one.gained
        for own in one.influences():
            moved = np.diff(own, axis=1, prepend=0.0) @ weight.T
            covariance += moved.T @ moved
    return score, covariance


class _Steps:
    """What happens at each time: events before deaths, and both before censoring."""

    def __init__(self, group: FollowUp, times: Array) -> None:
        self.group, self.times = group, times
        size = len(times)
        self.last = np.searchsorted(times, group.end)
        # the first time at which each is at risk: after the entry
        self.first = np.searchsorted(times, group.entry, side="right")
        died = group.died.astype(bool)
        self.events, self.deaths, self.censored = (
            np.bincount(at, minlength=size).astype(float)
            for at in (np.searchsorted(times, group.time), self.last[died], self.last[~died])
        )
        came = np.bincount(np.minimum(self.first, size), minlength=size + 1)[:size]
        self.at_risk = np.cumsum(came) - np.append(0.0, np.cumsum(self.deaths + self.censored)[:-1])
        n, d = self.at_risk, self.deaths
        with np.errstate(divide="ignore", invalid="ignore"):
            survival = np.cumprod(np.where(n > 0, 1 - d / n, 1.0))
            before = np.append(1.0, survival[:-1])
            self.each = np.where(n > 0, before / n, 0.0)  # what one event adds to the mean
            self.gained = self.each * self.events
            self.mean = np.cumsum(self.gained)
            self.lost = np.where(n > 0, 1 / n, 0.0)  # of survival, by one death, as Ghosh and Lin have it
            compensator = np.cumsum(np.where(n > 0, self.gained / n, 0.0))
            hazard = np.where(n > 0, d / n, 0.0) * self.lost
        self.compensator, self.hazard, self.dead = (
            np.append(0.0, x) for x in (compensator, np.cumsum(hazard), np.cumsum(hazard * self.mean))
        )

    def influences(self) -> Iterator[Array]:
        """Yield by some people at a time what each contributes to the error of the mean at each time.

        Of person i at t: what i's events add less what was expected of i while at risk, and less what i's death, above
        what was expected of it, takes from the events after it.
        """
        group, size = self.group, len(self.times)
        some = max(1, _AT_ONCE // max(size, 1))
        at = np.searchsorted(self.times, group.time)
        order = np.argsort(group.person, kind="stable")
        starts = np.searchsorted(group.person[order], np.arange(len(group.end) + 1))
        k = np.arange(size)
        for begin in range(0, len(group.end), some):
            people = np.arange(begin, min(begin + some, len(group.end)))
            own = np.zeros((len(people), size))
            mine = order[starts[people[0]] : starts[people[-1] + 1]]
            place = (group.person[mine] - begin) * size + at[mine]
            own += np.bincount(place, self.each[at[mine]], own.size).reshape(own.shape)
            own = np.cumsum(own, axis=1)
            # up to the earlier of t and the end; from the first time at risk
            until = np.maximum(np.minimum(k[None, :], self.last[people][:, None]) + 1, self.first[people][:, None])
            since = self.first[people][:, None]
            own -= self.compensator[until] - self.compensator[since]
            own += self.mean[None, :] * (self.hazard[until] - self.hazard[since]) - (
                self.dead[until] - self.dead[since]
            )
            last = self.last[people][:, None]
            gone = group.died[people].astype(bool)[:, None] & (k[None, :] >= last)
            own -= np.where(gone, (self.mean[None, :] - self.mean[last]) * self.lost[last], 0.0)
            yield own
