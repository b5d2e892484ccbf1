"""When people die or leave, and which conditions they had in each year until then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symphony_research.synthetic import parameters
from symphony_research.synthetic.calendar import DAYS_IN_YEAR, END, YEAR_STARTS, YEARS
from symphony_research.synthetic.conditions import Onsets
from symphony_research.synthetic.parameters import CONDITIONS, PERIOD_START
from symphony_research.synthetic.plan import Plan
from symphony_research.synthetic.population import OLDEST_AGE, mortality_2012
from symphony_research.synthetic.residents import People

__all__ = ["Departures", "Years", "draw_departures", "observed_years", "sums_by_year"]

MIDDLES = (YEAR_STARTS[:-1] + YEAR_STARTS[1:]) // 2


@dataclass(frozen=True)
class Departures:
    """Last day observed, and whether the person died or left then."""

    last: NDArray[np.int32]
    died: NDArray[np.bool_]
    left: NDArray[np.bool_]

    @staticmethod
    def joined(parts: Sequence[Departures]) -> Departures:
        """Return departures of several rounds as one block's."""
        return Departures(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("last", "died", "left")))


@dataclass(frozen=True)
class Years:
    """People by financial years, as person x year arrays.

    `starts` and `days` are the first day observed in the year and the number of them (0 where none),
    `age` is in completed years at mid-year, `final` marks the year of death.
    """

    starts: NDArray[np.int32]
    days: NDArray[np.int32]
    age: NDArray[np.int64]
    final: NDArray[np.bool_]
    conditions: NDArray[np.int64]


def sums_by_year(onsets: Onsets, people: int, weights: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
    """Sum, over the conditions a person has by the middle of each year, of `weights` (by condition; 1 if None)."""
    year = np.searchsorted(MIDDLES, onsets.day, side="left")
    cell = onsets.person * (YEARS + 1) + year
    values = None if weights is None else weights[onsets.condition]
    # Of no conditions at all, bincount makes integers whatever the weights.
    begun = np.bincount(cell, weights=values, minlength=people * (YEARS + 1)).astype(np.float64, copy=False)
    begun = begun.reshape(people, YEARS + 1)
    return np.cumsum(begun[:, :YEARS], axis=1)


def _ages(people: People) -> NDArray[np.int64]:
    return np.clip(((MIDDLES - people.born[:, None]) / DAYS_IN_YEAR).astype(np.int64), 0, OLDEST_AGE)


def draw_departures(random: np.random.Generator, people: People, onsets: Onsets, plan: Plan) -> Departures:
    """Draw deaths and moves out of the area as competing causes, with hazards that are constant within a year."""
    every_age = np.arange(OLDEST_AGE + 1)
    age = _ages(people)
    death = -np.log1p(-mortality_2012())[people.male[:, None], age]
    if plan.profile.frailty:
        weights = np.array([condition.mortality for condition in CONDITIONS], np.float32)
        burden = sums_by_year(onsets, len(people), weights)
        burden += parameters.MORTALITY_FRAILTY * people.frailty[:, None]
        divisor = np.interp(every_age, parameters.MORTALITY_AGES, parameters.MORTALITY_DIVISOR)
        death *= np.exp(burden) / divisor[age]
    leaving = np.interp(every_age, parameters.MOVING_AGES, parameters.MOVING_OUT_PER_YEAR)[age]
    if plan.settled_from is not None:
        leaving[:, np.arange(YEARS) + PERIOD_START.year >= plan.settled_from] = 0.0

    first = np.maximum(YEAR_STARTS[:-1], people.entered[:, None])
    exposed = np.maximum(YEAR_STARTS[1:] - first, 0) / DAYS_IN_YEAR
    reached = np.cumsum((death + leaving) * exposed, axis=1)
    wanted = random.standard_exponential(len(people))
    ends = wanted < reached[:, -1]
    year = np.minimum((reached <= wanted[:, None]).sum(axis=1), YEARS - 1)
    rows = np.arange(len(people))
    hazard = death[rows, year] + leaving[rows, year]
    into = (wanted - (reached[rows, year] - hazard * exposed[rows, year])) / hazard
    day = first[rows, year] + (into * DAYS_IN_YEAR).astype(np.int64)
    last = np.where(ends, np.minimum(day, END), END).astype(np.int32)
    dies = random.random(len(people)) * hazard < death[rows, year]
    return Departures(last, ends & dies, ends & ~dies)


def observed_years(people: People, onsets: Onsets, departures: Departures) -> Years:
    """Return when each person was observed in each year, and with how many conditions."""
    starts = np.maximum(YEAR_STARTS[:-1], people.entered[:, None])
    ends = np.minimum(YEAR_STARTS[1:] - 1, departures.last[:, None])
    days = np.maximum(ends - starts + 1, 0).astype(np.int32)
    final = (
        departures.died[:, None]
        & (departures.last[:, None] >= YEAR_STARTS[:-1])
        & (departures.last[:, None] < YEAR_STARTS[1:])
    )
    counts = sums_by_year(onsets, len(people)).astype(np.int64)
    return Years(starts.astype(np.int32), days, _ages(people), final, counts)
