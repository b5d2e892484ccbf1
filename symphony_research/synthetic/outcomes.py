"""Outcome measures: yearly surveys of registered adults, and half-yearly measures of people on the programme."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symphony_research.synthetic.calendar import DAYS_IN_YEAR, YEAR_ENDS, YEARS
from symphony_research.synthetic.departures import Departures, Years
from symphony_research.synthetic.plan import Plan
from symphony_research.synthetic.programmes import Enrolments
from symphony_research.synthetic.residents import People

__all__ = ["MEASURES", "Outcomes", "draw_outcomes"]

MEASURES = ("quality_of_life", "patient_activation")
SURVEYED_SHARE = 0.04
YOUNGEST_SURVEYED = 18
HALF_YEARS_MEASURED = 4
PER_CONDITION = {"quality_of_life": 0.045, "patient_activation": 1.6}
# Both measures rise a little after enrolment whatever the programme does: people are enrolled at their worst.
RECOVERY = {"quality_of_life": 0.03, "patient_activation": 2.0}


@dataclass(frozen=True)
class Outcomes:
    """Measures of a block; `measure` is the row of `MEASURES`."""

    person: NDArray[np.int64]
    day: NDArray[np.int32]
    measure: NDArray[np.uint8]
    value: NDArray[np.float64]


def draw_outcomes(
    random: np.random.Generator,
    people: People,
    departures: Departures,
    years: Years,
    enrolments: Enrolments,
    plan: Plan,
) -> Outcomes:
    """Draw quality of life (EQ-5D index, at most 1) and patient activation (0 to 100)."""
    cells = np.flatnonzero(
        (random.random(years.days.shape, dtype=np.float32) < SURVEYED_SHARE).ravel()
        & (years.days.ravel() > 0)
        & (years.age.ravel() >= YOUNGEST_SURVEYED)
    )
    surveyed = cells // YEARS
    survey_day = years.starts.ravel()[cells] + (random.random(len(cells)) * years.days.ravel()[cells]).astype(np.int32)
    waves = np.arange(HALF_YEARS_MEASURED + 1)
    enrolled = np.repeat(enrolments.person, len(waves))
    wave_day = (enrolments.day[:, None] + (waves * DAYS_IN_YEAR / 2).astype(np.int32)).ravel()
    held = wave_day <= departures.last[enrolled]
    after = np.tile(waves > 0, len(enrolments.person))[held]

    person = np.concatenate([surveyed, enrolled[held]])
    day = np.concatenate([survey_day, wave_day[held]]).astype(np.int32)
    recovered = np.concatenate([np.zeros(len(surveyed), bool), after])
    conditions = years.conditions[person, np.clip(np.searchsorted(YEAR_ENDS, day), 0, YEARS - 1)]
    quality = 0.93 - PER_CONDITION["quality_of_life"] * conditions + RECOVERY["quality_of_life"] * recovered
    quality += -0.03 * people.frailty[person] + 0.11 * random.standard_normal(len(person))
    activation = 66 - PER_CONDITION["patient_activation"] * conditions + RECOVERY["patient_activation"] * recovered
    activation += -1.5 * people.frailty[person] + 12 * random.standard_normal(len(person))
    if "complex_care" in plan.acting:
        # Years since enrolment of each value: half a year after it is the first with the programme.
        year = (np.tile(waves, len(enrolments.person))[held] - 1) // 2
        for name, target in (("quality_of_life", quality), ("patient_activation", activation)):
            points = np.array(plan.effects.by_year("complex_care", name))
            target[len(surveyed) :] += np.where(year >= 0, points[np.clip(year, 0, len(points) - 1)], 0.0)
    values = np.concatenate([np.clip(quality, -0.28, 1).round(3), np.clip(activation, 0, 100).round(1)])
    measure = np.repeat(np.arange(len(MEASURES), dtype=np.uint8), len(person))
    return Outcomes(np.tile(person, 2), np.tile(day, 2), measure, values)
