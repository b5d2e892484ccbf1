"""When each long-term condition begins: hazards by age, frailty, latent classes, planted links and sequences.

Each condition has a cumulative hazard by age. A person's onset is the age at
which it, times the person's own multiplier, passes a unit exponential number.
A link multiplies the hazard after other conditions have begun; a sequence
brings a condition on, in some people, a while after another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from symphony_research.synthetic import parameters
from symphony_research.synthetic.calendar import DAYS_IN_YEAR, END, START
from symphony_research.synthetic.parameters import (
    CLASSES,
    CONDITION_NAMES,
    CONDITIONS,
    LINKS,
    PRIORITY_CONDITIONS,
    SEQUENCES,
)
from symphony_research.synthetic.plan import Profile
from symphony_research.synthetic.population import OLDEST_AGE
from symphony_research.synthetic.residents import People

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

    @staticmethod
    def joined(parts: Sequence[Onsets], sizes: Sequence[int]) -> Onsets:
        """Return onsets of several rounds, of so many people each, as one block's."""
        before = np.cumsum([0, *sizes[:-1]])
        return Onsets(
            np.concatenate([part.person + first for part, first in zip(parts, before, strict=True)]),
            np.concatenate([part.condition for part in parts]),
            np.concatenate([part.day for part in parts]),
        )

    def kept(self, keep: NDArray[np.bool_]) -> Onsets:
        """Return the onsets where `keep`."""
        return Onsets(self.person[keep], self.condition[keep], self.day[keep])


@dataclass(frozen=True)
class _Tables:
    """What onsets are drawn from, by condition.

    `hazards` are cumulative, by age; `by_sex` and `by_class` log multipliers; `separated` and `ages` a table that
    inverts the hazards of all conditions at once.
    """

    hazards: NDArray[np.float32]
    by_sex: NDArray[np.float32]
    by_class: NDArray[np.float32]
    separated: NDArray[np.float64]
    ages: NDArray[np.int64]


@lru_cache(maxsize=2)
def _tables(frail: bool) -> _Tables:
    """Find the hazards that give the prevalences wanted, once averaged over frailty and latent class."""
    ages = np.arange(OLDEST_AGE + 1)
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(21)
    node_weights = node_weights / node_weights.sum()
    nodes = np.clip(nodes, -parameters.LARGEST_TRAIT, parameters.LARGEST_TRAIT)
    shares = np.array([latent.share for latent in CLASSES])
    shares = shares / shares.sum()
    grid = np.exp(np.linspace(-14, 6, 400))
    hazards = np.empty((len(CONDITIONS), len(ages)))
    by_sex = np.empty((len(CONDITIONS), 2))
    by_class = np.zeros((len(CONDITIONS), len(CLASSES)))
    for row, condition in enumerate(CONDITIONS):
        if frail:
            by_class[row] = np.log([latent.ratio(condition) for latent in CLASSES])
        spread = condition.frailty * parameters.FRAILTY_SCALE * frail
        # The prevalence that a hazard gives once averaged over the traits, read backwards.
        multipliers = np.exp(by_class[row][:, None] + spread * nodes).ravel()
        prevalence = 1 - np.exp(-grid[:, None] * multipliers) @ np.outer(shares, node_weights).ravel()
        scale = parameters.PREVALENCE_SCALE["priority" if condition.name in PRIORITY_CONDITIONS else "other"]
        wanted = np.array(condition.prevalence) / 100 * scale
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
    return _Tables(
        hazards.astype(np.float32),
        by_sex.astype(np.float32),
        by_class.astype(np.float32),
        separated.ravel(),
        np.tile(ages, len(CONDITIONS)),
    )


def _ages_at(tables: _Tables, condition: NDArray[np.int64], hazard: NDArray[np.float32]) -> NDArray[np.float32]:
    """Age at which the cumulative hazard of each condition passes `hazard`."""
    found: NDArray[np.float32] = np.interp(condition * _SEPARATION + hazard, tables.separated, tables.ages).astype(
        np.float32
    )
    return found


def _settle(
    profile: Profile,
    tables: _Tables,
    thresholds: NDArray[np.float32],
    limits: NDArray[np.float32],
    at_start: NDArray[np.float32],
) -> None:
    """Shorten thresholds where the hazard is raised: in the period, and once other conditions have begun.

    With hazard ratio r from cumulative hazard h on, the multiplied hazard passes u where the plain one passes
    h + (u - h) / r. Several rises are undone from the last to the first, which holds in whatever order they begin.
    """
    replacement = [
        # Who dies does not depend on conditions where there is no frailty, so nobody need be replaced.
        math.exp(parameters.REPLACEMENT_FOR_ALL + parameters.REPLACEMENT_BY_MORTALITY * condition.mortality)
        if profile.frailty
        else 1.0
        for condition in CONDITIONS
    ]
    links = LINKS if profile.links else ()
    onset_ages: dict[str, NDArray[np.float32]] = {}

    def onset_age(name: str) -> NDArray[np.float32]:
        if name not in onset_ages:
            row = CONDITION_NAMES.index(name)
            age = np.full(thresholds.shape[1], NEVER, np.float32)
            begun = np.flatnonzero(thresholds[row] < limits[row])
            age[begun] = _ages_at(tables, np.full(len(begun), row), thresholds[row, begun])
            onset_ages[name] = age
        return onset_ages[name]

    linked = dict.fromkeys(link.condition for link in links)
    for row, name in enumerate(CONDITION_NAMES):
        if name not in linked:
            thresholds[row] = _undone(thresholds[row], at_start[row], replacement[row])
    for name in linked:
        row = CONDITION_NAMES.index(name)
        ladder = [(at_start[row], replacement[row])]
        for link in (link for link in links if link.condition == name):
            age = np.max([onset_age(parent) for parent in link.after], axis=0)
            begins = np.where(age < OLDEST_AGE, np.interp(age, np.arange(OLDEST_AGE + 1), tables.hazards[row]), NEVER)
            for earlier, ratio in ladder:
                begins = np.where(begins > earlier, earlier + (begins - earlier) * ratio, begins)
            ladder.append((begins.astype(np.float32), link.hazard_ratio))
        for begins, ratio in reversed(ladder):
            thresholds[row] = _undone(thresholds[row], begins, ratio)


def _undone(threshold: NDArray[np.float32], begins: NDArray[np.float32], ratio: float) -> NDArray[np.float32]:
    shortened = begins + (threshold - begins) / np.float32(ratio)
    return np.where(threshold > begins, shortened, threshold).astype(np.float32)


def _in_sequence(random: np.random.Generator, ages: NDArray[np.float32]) -> None:
    """Bring the second condition of each sequence on, where it would have begun later or never."""
    for sequence in SEQUENCES:
        first, then = CONDITION_NAMES.index(sequence.first), CONDITION_NAMES.index(sequence.then)
        # Drawn for everyone, so that the numbers of one person never depend on another's history.
        brought = random.random(ages.shape[1], dtype=np.float32) < sequence.share
        gap = np.exp(np.float32(sequence.spread) * random.standard_normal(ages.shape[1], dtype=np.float32))
        at = ages[first] + gap * np.float32(sequence.median_gap / DAYS_IN_YEAR)
        ages[then] = np.where(brought & (at < ages[then]), at, ages[then])


def draw_onsets(random: np.random.Generator, people: People, profile: Profile) -> Onsets:
    """Draw every onset before the end of the period, as if nobody died or left."""
    tables = _tables(profile.frailty)
    thresholds = random.standard_exponential((len(CONDITIONS), len(people)), dtype=np.float32)
    deprivation = (5.5 - people.decile.astype(np.float32)) / 9
    ages_at_end = np.minimum(np.ceil((END - people.born) / DAYS_IN_YEAR).astype(np.int64), OLDEST_AGE)
    limits = np.take(tables.hazards, ages_at_end, axis=1)
    for row, condition in enumerate(CONDITIONS):
        log_hazard = people.frailty * np.float32(condition.frailty * parameters.FRAILTY_SCALE)
        log_hazard += tables.by_class[row, people.latent_class]
        log_hazard += deprivation * np.float32(np.log(condition.deprivation))
        log_hazard += tables.by_sex[row, people.male]
        thresholds[row] *= np.exp(-log_hazard)
    ages_at_start = np.clip((START - people.born) // int(DAYS_IN_YEAR), 0, OLDEST_AGE)
    _settle(profile, tables, thresholds, limits, np.take(tables.hazards, ages_at_start, axis=1))

    which, person = np.nonzero(thresholds < limits)
    ages = np.full(thresholds.shape, NEVER, np.float32)
    ages[which, person] = _ages_at(tables, which, thresholds[which, person])
    if profile.links:
        _in_sequence(random, ages)
        which, person = np.nonzero(ages < NEVER)
    day = people.born[person] + (ages[which, person] * np.float32(DAYS_IN_YEAR)).astype(np.int32)
    order = np.flatnonzero(day <= END)
    order = order[np.argsort(person[order], kind="stable")]
    return Onsets(person[order], which[order].astype(np.uint8), day[order])
