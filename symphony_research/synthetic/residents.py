"""Who lives in the study: age, sex, place, practice, and two traits that no table shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from symphony_research.synthetic import parameters
from symphony_research.synthetic.calendar import DAYS_IN_YEAR, END, START, month_start
from symphony_research.synthetic.population import OPEN_AGE, population_2011

__all__ = ["People", "draw_people"]

Days = NDArray[np.int32]
Small = NDArray[np.int8]
Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class People:
    """The people of one block, one entry a person; days count from 1970.

    `frailty` is shared by all conditions and, a little, by use and death; `habit` moves use alone;
    `latent_class` is the row of `CLASSES`. Where the profile knows no frailty, all are of the first class with none.
    `entered` is the first day observed: the later of registration and the start of the period.
    """

    first_id: int
    male: Small
    born: Days
    registered: Days
    entered: Days
    practice: Small
    second_practice: Small
    changes_practice: Days
    area: Small
    decile: Small
    decile_known: NDArray[np.bool_]
    latent_class: Small
    frailty: Numbers
    habit: Numbers
    need: Numbers

    def __len__(self) -> int:
        return len(self.born)

    @staticmethod
    def joined(parts: Sequence[People]) -> People:
        """Return people of several rounds as one block's; the first part has its first identifier."""
        columns = [field.name for field in fields(People) if field.name != "first_id"]
        return People(parts[0].first_id, *(np.concatenate([getattr(part, name) for part in parts]) for name in columns))

    def practice_on(self, who: NDArray[np.int64], day: Days) -> Small:
        """Return the practice of each person named, on each day."""
        before = day < self.changes_practice[who]
        return np.where(before, self.practice[who], self.second_practice[who])


@lru_cache(maxsize=1)
def _age_weights() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return cumulative shares of (sex, age) among people present, and among those who move in."""
    present = population_2011()
    ages = np.arange(present.shape[1])
    moving = present * np.interp(ages, parameters.MOVING_AGES, parameters.MOVING_IN_RELATIVE)
    return np.cumsum(present.ravel()) / present.sum(), np.cumsum(moving.ravel()) / moving.sum()


@lru_cache(maxsize=1)
def area_deciles() -> Small:
    """Tenth of deprivation of each area: those of a practice lie around its mean."""
    spread = np.linspace(-2, 2, parameters.AREAS_PER_PRACTICE).round().astype(int)
    means = np.array([practice.decile for practice in parameters.PRACTICES])
    deciles: Small = np.clip(means[:, None] + spread, 1, 10).ravel().astype(np.int8)
    return deciles


def _trait(random: np.random.Generator, people: int) -> Numbers:
    """Draw a standard normal trait, cut so that every rate that depends on it is bounded."""
    largest = np.float32(parameters.LARGEST_TRAIT)
    return np.clip(random.standard_normal(people, dtype=np.float32), -largest, largest)


def draw_people(random: np.random.Generator, people: int, first_id: int, *, frail: bool) -> People:
    """Draw so many people; `frail` says whether they differ in frailty and latent class."""
    groups = len(population_2011()[0])
    entry = random.random(people)
    born_here = entry < parameters.ENTRY_SHARES["born"]
    moved_in = ~born_here & (entry < parameters.ENTRY_SHARES["born"] + parameters.ENTRY_SHARES["moved_in"])

    present_weights, moving_weights = _age_weights()
    draw = random.random(people)
    cell = np.searchsorted(present_weights, draw, side="right")
    cell[moved_in] = np.searchsorted(moving_weights, draw[moved_in], side="right")
    male = (cell >= groups).astype(np.int8)
    whole_age = cell % groups
    age = whole_age + random.random(people)
    oldest = whole_age == OPEN_AGE
    age[oldest] = np.minimum(
        OPEN_AGE + random.standard_exponential(int(oldest.sum())) * parameters.OPEN_AGE_MEAN_YEARS, 104
    )

    arrived = START + (random.random(people) * (END - START)).astype(np.int32)
    observed_from = np.where(moved_in | born_here, arrived, START).astype(np.int32)
    born = month_start((observed_from - np.where(born_here, 0.0, age * DAYS_IN_YEAR)).astype(np.int32))
    before = (random.standard_exponential(people) * parameters.REGISTERED_BEFORE_MEAN_YEARS * DAYS_IN_YEAR).astype(
        np.int32
    )
    registered = np.where(moved_in, arrived, np.where(born_here, born, np.maximum(START - before, born)))
    registered = registered.astype(np.int32)

    practice_weights = np.cumsum([practice.share for practice in parameters.PRACTICES])
    draw = random.random(people)
    practice = np.searchsorted(practice_weights / practice_weights[-1], draw, side="right").astype(np.int8)
    area = practice * np.int8(parameters.AREAS_PER_PRACTICE) + random.integers(
        0, parameters.AREAS_PER_PRACTICE, people, dtype=np.int8
    )
    moves = random.random(people)
    changing = moves < parameters.CHANGE_OF_PRACTICE_SHARE
    # The next practice of the list, which is near, except from the last.
    second = np.where(changing, (practice + 1) % len(parameters.PRACTICES), practice).astype(np.int8)
    change = START + (moves / parameters.CHANGE_OF_PRACTICE_SHARE * (END - START)).astype(np.int32)
    changing &= change > registered + 30
    change = np.where(changing, change, np.iinfo(np.int32).max).astype(np.int32)

    frailty = _trait(random, people)
    shares = np.cumsum([latent.share for latent in parameters.CLASSES])
    latent_class = np.searchsorted(shares / shares[-1], random.random(people), side="right").astype(np.int8)
    if not frail:
        frailty, latent_class = np.zeros_like(frailty), np.zeros_like(latent_class)

    return People(
        first_id=first_id,
        male=male,
        born=born,
        registered=registered,
        entered=np.maximum(registered, START).astype(np.int32),
        practice=practice,
        second_practice=second,
        changes_practice=change,
        area=area,
        decile=area_deciles()[area],
        decile_known=random.random(people) >= parameters.DECILE_MISSING_SHARE,
        latent_class=latent_class,
        frailty=frailty,
        habit=_trait(random, people),
        need=random.random(people, dtype=np.float32),
    )
