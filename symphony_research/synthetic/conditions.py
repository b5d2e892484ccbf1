"""When each long-term condition begins: hazards by age, shared frailty, clusters and planted links.

Each condition has a cumulative hazard by age. A person's onset is the age at
which it, times the person's own multiplier, passes a unit exponential number.
A link multiplies the hazard after other conditions have begun.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from symphony_research.synthetic import parameters
from symphony_research.synthetic.calendar import DAYS_IN_YEAR, END, START
from symphony_research.synthetic.parameters import CLUSTERS, CONDITION_NAMES, CONDITIONS, LINKS
from symphony_research.synthetic.people import People
from symphony_research.synthetic.population import OLDEST_AGE

__all__ = ["Onsets", "draw_onsets"]

NEVER = 1e9
# Keeps the tabulated hazards strictly rising, so that they can be inverted, and tells conditions apart in one table.
_RISE = 1e-9
_SEPARATION = 1e3


@dataclass(frozen=True)
class Onsets:
    """Onsets of the people of a block, ordered by person, then condition; `person` counts from 0 within the block."""

    person: NDArray[np.int64]
    condition: NDArray[np.uint8]
    day: NDArray[np.int32]

    def kept(self, keep: NDArray[np.bool_]) -> Onsets:
        """Return the onsets where `keep`."""
        return Onsets(self.person[keep], self.condition[keep], self.day[keep])


@lru_cache(maxsize=1)
def _tables() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """Cumulative hazards (condition x age), log multipliers (condition x sex), and the table that inverts hazards."""
    ages = np.arange(OLDEST_AGE + 1)
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(21)
    node_weights = node_weights / node_weights.sum()
    grid = np.exp(np.linspace(-14, 6, 400))
    hazards = np.empty((len(CONDITIONS), len(ages)))
    by_sex = np.empty((len(CONDITIONS), 2))
    for row, condition in enumerate(CONDITIONS):
        spread = np.hypot(condition.frailty * parameters.FRAILTY_SCALE, parameters.CLUSTER_LOADING)
        # The prevalence that a hazard gives once averaged over frailty, read backwards.
        prevalence = 1 - np.exp(-grid[:, None] * np.exp(spread * nodes)) @ node_weights
        wanted = np.array(condition.prevalence) / 100 * parameters.PREVALENCE_SCALE
        at_knots = np.where(wanted > 0, np.interp(wanted, prevalence, grid), 0.0)
        knots = parameters.AGE_KNOTS[1:]
        slope = (at_knots[-1] - at_knots[-2]) / (knots[-1] - knots[-2])
        last = at_knots[-1] + slope * (OLDEST_AGE - knots[-1])
        hazards[row] = np.interp(ages, (0, *knots, OLDEST_AGE), (0.0, *at_knots, last))
        ratio = condition.men_to_women
        women, men = (0.0, 2.0) if np.isinf(ratio) else (2 / (1 + ratio), 2 * ratio / (1 + ratio))
        by_sex[row] = np.log(np.maximum((women, men), 1e-12))
    hazards += _RISE * ages
    separated = hazards + _SEPARATION * np.arange(len(CONDITIONS))[:, None]
    return hazards.astype(np.float32), by_sex.astype(np.float32), separated.ravel(), np.tile(ages, len(CONDITIONS))


def _ages_at(condition: NDArray[np.int64], hazard: NDArray[np.float32]) -> NDArray[np.float32]:
    """Age at which the cumulative hazard of each condition passes `hazard`."""
    _, _, separated, ages = _tables()
    found: NDArray[np.float32] = np.interp(condition * _SEPARATION + hazard, separated, ages).astype(np.float32)
    return found


def _settle(thresholds: NDArray[np.float32], limits: NDArray[np.float32], at_start: NDArray[np.float32]) -> None:
    """Shorten thresholds where the hazard is raised: in the period, and once other conditions have begun.

    With hazard ratio r from cumulative hazard h on, the multiplied hazard passes u where the plain one passes
    h + (u - h) / r. Several rises are undone from the last to the first, which holds in whatever order they begin.
    """
    hazards = _tables()[0]
    replacement = [
        math.exp(parameters.REPLACEMENT_FOR_ALL + parameters.REPLACEMENT_BY_MORTALITY * condition.mortality)
        for condition in CONDITIONS
    ]
    onset_ages: dict[str, NDArray[np.float32]] = {}

    def onset_age(name: str) -> NDArray[np.float32]:
        if name not in onset_ages:
            row = CONDITION_NAMES.index(name)
            age = np.full(thresholds.shape[1], NEVER, np.float32)
            begun = np.flatnonzero(thresholds[row] < limits[row])
            age[begun] = _ages_at(np.full(len(begun), row), thresholds[row, begun])
            onset_ages[name] = age
        return onset_ages[name]

    linked = dict.fromkeys(link.condition for link in LINKS)
    for row, name in enumerate(CONDITION_NAMES):
        if name not in linked:
            thresholds[row] = _undone(thresholds[row], at_start[row], replacement[row])
    for name in linked:
        row = CONDITION_NAMES.index(name)
        ladder = [(at_start[row], replacement[row])]
        for link in (link for link in LINKS if link.condition == name):
            age = np.max([onset_age(parent) for parent in link.after], axis=0)
            begins = np.where(age < OLDEST_AGE, np.interp(age, np.arange(OLDEST_AGE + 1), hazards[row]), NEVER)
            for earlier, ratio in ladder:
                begins = np.where(begins > earlier, earlier + (begins - earlier) * ratio, begins)
            ladder.append((begins.astype(np.float32), link.hazard_ratio))
        for begins, ratio in reversed(ladder):
            thresholds[row] = _undone(thresholds[row], begins, ratio)


def _undone(threshold: NDArray[np.float32], begins: NDArray[np.float32], ratio: float) -> NDArray[np.float32]:
    shortened = begins + (threshold - begins) / np.float32(ratio)
    return np.where(threshold > begins, shortened, threshold).astype(np.float32)


def draw_onsets(random: np.random.Generator, people: People) -> Onsets:
    """Draw every onset before the end of the period, as if nobody died or left."""
    hazards, by_sex, _, _ = _tables()
    clusters = random.standard_normal((len(CLUSTERS), len(people)), dtype=np.float32)
    thresholds = random.standard_exponential((len(CONDITIONS), len(people)), dtype=np.float32)
    deprivation = (5.5 - people.decile.astype(np.float32)) / 9
    ages_at_end = np.minimum(np.ceil((END - people.born) / DAYS_IN_YEAR).astype(np.int64), OLDEST_AGE)
    limits = np.take(hazards, ages_at_end, axis=1)
    for row, condition in enumerate(CONDITIONS):
        log_hazard = people.frailty * np.float32(condition.frailty * parameters.FRAILTY_SCALE)
        log_hazard += clusters[CLUSTERS.index(condition.cluster)] * np.float32(parameters.CLUSTER_LOADING)
        log_hazard += deprivation * np.float32(np.log(condition.deprivation))
        log_hazard += by_sex[row, people.male]
        thresholds[row] *= np.exp(-log_hazard)
    ages_at_start = np.clip((START - people.born) // int(DAYS_IN_YEAR), 0, OLDEST_AGE)
    _settle(thresholds, limits, np.take(hazards, ages_at_start, axis=1))

    which, person = np.nonzero(thresholds < limits)
    age = _ages_at(which, thresholds[which, person])
    day = people.born[person] + (age * np.float32(DAYS_IN_YEAR)).astype(np.int32)
    order = np.flatnonzero(day <= END)
    order = order[np.argsort(person[order], kind="stable")]
    return Onsets(person[order], which[order].astype(np.uint8), day[order])
