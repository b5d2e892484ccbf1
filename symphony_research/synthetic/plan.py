"""What is to be generated: seed, profile, what the programmes do, and which of them act."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.synthetic.effects import PROGRAMMES, Effects

__all__ = ["PROFILES", "Plan", "Profile", "check_seed", "profile_named"]

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
