"""What is to be generated: seed, profile, what the programmes do, and which of them act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

import numpy as np

from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.synthetic import parameters
from symphony_research.synthetic.effects import PROGRAMMES, Effects

__all__ = ["PROFILES", "Plan", "Profile", "Selection", "check_seed", "profile_named"]

STEPS = ("people", "conditions", "departures", "activity", "effects", "enrolments", "outcomes", "faults")


@dataclass(frozen=True)
class Profile:
    """Which mechanisms make conditions go together.

    Attributes
    ----------
    frailty : bool
        Whether people differ in a lasting frailty and in latent class, and conditions raise the hazard of death.
    links : bool
        Whether conditions raise the hazard of others, or bring them on after an interval.
    """

    name: str
    words: str
    frailty: bool
    links: bool


PROFILES = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(
                "calibrated",
                "everything: frailty, latent classes, planted links, deaths that conditions bring",
                True,
                True,
            ),
            Profile("planted", "planted links alone: no frailty, no classes, deaths by age and sex alone", False, True),
            Profile("null", "conditions independent of one another within age, sex and deprivation", False, False),
        )
    }
)


@dataclass(frozen=True)
class Selection:
    """How people come to be enrolled on complex care.

    Attributes
    ----------
    after_crisis : float
        Probability that an emergency admission soon after another leads to enrolment.
    within_days : int
        How soon that is.
    delay_days : (int, int)
        After the fewest and the most days.
    background : float
        Probability a year of enrolling without one.
    """

    after_crisis: float = parameters.ENROLMENT_AFTER_CRISIS
    within_days: int = parameters.CRISIS_WITHIN_DAYS
    delay_days: tuple[int, int] = parameters.ENROLMENT_DELAY_DAYS
    background: float = parameters.ENROLMENT_BACKGROUND_PER_YEAR

    @classmethod
    def of(cls, asked: Mapping[str, Any] | None) -> Selection:
        """Check a selection as asked for; what is not named is the default.

        Raises
        ------
        ArgumentError
            On an unknown name, or a value out of range.
        """
        named = [one.name for one in fields(cls)]
        for name in asked or {}:
            require_one_of(name, named, argument="selection")
        made = cls(**(asked or {}))
        shortest, longest = made.delay_days
        whole = all(type(day) is int for day in (shortest, longest, made.within_days))
        if not (whole and 0 <= shortest <= longest and made.within_days >= 0):
            raise ArgumentError("selection takes days as integers: within_days from 0, delay_days as (fewest, most).")
        if not all(0 <= share <= 1 for share in (made.after_crisis, made.background)):
            raise ArgumentError("selection takes after_crisis and background as probabilities, from 0 to 1.")
        return made


@dataclass(frozen=True)
class Plan:
    """Everything that a block of people follows from, beside its number and size.

    `acting` names the programmes whose effects are on. Two plans that differ in it alone draw the same people, with
    and without the effect: their potential outcomes. `settled_from` is the first financial year in which nobody moves
    away any more (None: people always may), for estimands of a world without loss to follow-up; from 2013 on the people
    drawn are the same, as who is registered in 2012-13 is.
    """

    seed: int
    profile: Profile = PROFILES["calibrated"]
    effects: Effects = field(default_factory=Effects)
    acting: tuple[str, ...] = PROGRAMMES
    settled_from: int | None = None
    selection: Selection = field(default_factory=Selection)

    def generators(self, block: int) -> dict[str, np.random.Generator]:
        """Return one random generator for each step, so that a change in one leaves the others as they were."""
        children = np.random.SeedSequence((self.seed, block)).spawn(len(STEPS))
        return {step: np.random.Generator(np.random.PCG64(child)) for step, child in zip(STEPS, children, strict=True)}


def profile_named(name: Any) -> Profile:
    """Return a profile by its name, or say which there are."""
    require_one_of(name, tuple(PROFILES), argument="profile")
    return PROFILES[name]


def check_seed(seed: int) -> None:
    """Raise ArgumentError unless `seed` can seed the generator."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ArgumentError(f"seed={seed!r} must be an integer, at least 0.")
