"""One block of people with their whole histories, as arrays: what every table, truth and calibration is made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from symphony_research.synthetic import parameters
from symphony_research.synthetic.activity import Contacts, Utilisation, draw_activity
from symphony_research.synthetic.conditions import Onsets
from symphony_research.synthetic.departures import Departures, Years, observed_years
from symphony_research.synthetic.exposure import COACH, NEVER, Happening, ceilings, happening
from symphony_research.synthetic.lives import draw_lives
from symphony_research.synthetic.outcomes import Outcomes, draw_outcomes
from symphony_research.synthetic.plan import Plan
from symphony_research.synthetic.programmes import Enrolments, draw_enrolments, eligible_from
from symphony_research.synthetic.residents import People

__all__ = ["BLOCK_SIZE", "History", "Potential", "draw_history", "draw_potential", "enrolments_of", "history_of"]

BLOCK_SIZE = 16_384  # people registered at some time in 2012-13


@dataclass(frozen=True)
class History:
    """The people of a block and all that happens to them; `eligible` is the day each may first be enrolled."""

    people: People
    onsets: Onsets
    departures: Departures
    years: Years
    use: Utilisation
    eligible: NDArray[np.int32]
    enrolments: Enrolments
    outcomes: Outcomes

    @property
    def enrolled(self) -> NDArray[np.int32]:
        """Day each person was enrolled, or never."""
        return _enrolled(self.enrolments, len(self.people))


@dataclass(frozen=True)
class Potential:
    """A block before anybody is enrolled: its people, and every contact that may happen to them.

    It is the same in every world whose rates have the same ceilings, whatever the programmes do and whoever is enrolled.
    """

    number: int
    people: People
    onsets: Onsets
    departures: Departures
    years: Years
    use: Utilisation
    eligible: NDArray[np.int32]
    through: NDArray[np.bool_]

    def of(self, who: NDArray[np.bool_]) -> Potential:
        """Return the onsets and contacts of some people alone; everybody keeps their place."""
        streams = {name: contacts.kept(who[contacts.person]) for name, contacts in self.use.streams.items()}
        through = self.through[who[self.use.streams["emergency"].person]]
        onsets = self.onsets.kept(who[self.onsets.person])
        return replace(self, onsets=onsets, use=replace(self.use, streams=streams), through=through)


def _enrolled(enrolments: Enrolments, people: int) -> NDArray[np.int32]:
    enrolled = np.full(people, NEVER, np.int32)
    enrolled[enrolments.person] = enrolments.day
    return enrolled


def draw_history(plan: Plan, number: int, registered: int) -> History:
    """Draw block `number` of a plan: people of whom `registered` are in 2012-13, the same in every world of the plan."""
    potential = draw_potential(plan, number, registered)
    return history_of(plan, potential, enrolments_of(plan, potential))


def draw_potential(plan: Plan, number: int, registered: int) -> Potential:
    """Draw the people of a block, and every contact that may happen to them."""
    random = plan.generators(number)
    people, onsets, departures = draw_lives(random, plan, number, registered)
    onsets = onsets.kept(onsets.day <= departures.last[onsets.person])
    years = observed_years(people, onsets, departures)
    eligible = eligible_from(onsets, len(people))
    use = draw_activity(random["activity"], people, onsets, departures, years, ceilings(plan, people, eligible))
    # Emergencies that come by way of A&E, drawn for every candidate.
    through = random["effects"].random(len(use.streams["emergency"])) < parameters.VIA_ATTENDANCE_SHARE
    return Potential(number, people, onsets, departures, years, use, eligible, through)


def _happen(plan: Plan, potential: Potential, stream: str, enrolled: NDArray[np.int32] | None) -> Happening:
    contacts = potential.use.streams[stream]
    if contacts.mark is None:
        return Happening(np.ones(len(contacts), bool))
    return happening(plan, potential.people, stream, contacts, enrolled)


def enrolments_of(plan: Plan, potential: Potential) -> Enrolments:
    """Enrol people of a whole block, by the plan's selection and by what happened to them before."""
    return draw_enrolments(
        plan.generators(potential.number)["enrolments"],
        potential.people,
        potential.eligible,
        potential.departures,
        potential.use.streams["emergency"],
        _happen(plan, potential, "emergency", None).happens,
        plan.selection,
    )


def history_of(plan: Plan, potential: Potential, enrolments: Enrolments) -> History:
    """Let what may happen happen, as often as the programmes of a plan have it."""
    people, through = potential.people, potential.through
    enrolled = _enrolled(enrolments, len(people))
    streams = dict(potential.use.streams)
    for name, contacts in potential.use.streams.items():
        if contacts.mark is None:
            continue
        found = _happen(plan, potential, name, enrolled)
        kept = found.happens
        if found.with_coach is not None and found.with_coach.any():
            contacts = replace(contacts, code=np.where(found.with_coach, np.uint8(COACH), contacts.code))
            kept = kept | found.with_coach
        streams[name] = contacts.kept(kept)
        if name == "emergency":
            through = through[kept]
    streams["attendance"] = _joined(streams["attendance"], streams["emergency"].kept(through))
    random = plan.generators(potential.number)["outcomes"]
    outcomes = draw_outcomes(random, people, potential.departures, potential.years, enrolments, plan)
    use = Utilisation(streams, potential.use.care_home)
    return History(
        people, potential.onsets, potential.departures, potential.years, use, potential.eligible, enrolments, outcomes
    )


def _joined(attendances: Contacts, admissions: Contacts) -> Contacts:
    """Add an attendance on the day of each admission, of the costlier kind, which is the second."""
    return Contacts(
        np.concatenate([attendances.person, admissions.person]),
        np.concatenate([attendances.day, admissions.day]),
        np.concatenate([attendances.code, np.ones(len(admissions), np.uint8)]),
    )
