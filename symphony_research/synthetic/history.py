"""One block of people with their whole histories, as arrays: what every table, truth and calibration is made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from symphony_research.synthetic import parameters
from symphony_research.synthetic.activity import Contacts, Utilisation, draw_activity
from symphony_research.synthetic.conditions import Onsets, draw_onsets
from symphony_research.synthetic.departures import Departures, Years, draw_departures, observed_years
from symphony_research.synthetic.exposure import COACH, NEVER, Happening, ceilings, happening
from symphony_research.synthetic.outcomes import Outcomes, draw_outcomes
from symphony_research.synthetic.people import People, draw_people
from symphony_research.synthetic.plan import Plan
from symphony_research.synthetic.programmes import Enrolments, draw_enrolments, eligible_from

__all__ = ["BLOCK_SIZE", "History", "draw_history"]

BLOCK_SIZE = 16_384


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


def _enrolled(enrolments: Enrolments, people: int) -> NDArray[np.int32]:
    enrolled = np.full(people, NEVER, np.int32)
    enrolled[enrolments.person] = enrolments.day
    return enrolled


def draw_history(plan: Plan, number: int, people: int) -> History:
    """Draw block `number` of a plan: `people` people, the same in every world of the plan."""
    random = plan.generators(number)
    persons = draw_people(random["people"], people, first_id=number * BLOCK_SIZE + 1, frail=plan.profile.frailty)
    onsets = draw_onsets(random["conditions"], persons, plan.profile)
    departures = draw_departures(random["departures"], persons, onsets, plan)
    onsets = onsets.kept(onsets.day <= departures.last[onsets.person])
    years = observed_years(persons, onsets, departures)
    eligible = eligible_from(onsets, people)
    candidates = draw_activity(
        random["activity"], persons, onsets, departures, years, ceilings(plan, persons, eligible)
    )
    # Emergencies that come by way of A&E, drawn for every candidate.
    through = random["effects"].random(len(candidates.streams["emergency"])) < parameters.VIA_ATTENDANCE_SHARE

    def happen(stream: str, enrolled: NDArray[np.int32] | None) -> Happening:
        contacts = candidates.streams[stream]
        if contacts.mark is None:
            return Happening(np.ones(len(contacts), bool))
        return happening(plan, persons, stream, contacts, enrolled)

    admissions, so_far = candidates.streams["emergency"], happen("emergency", None).happens
    enrolments = draw_enrolments(random["enrolments"], persons, eligible, departures, admissions, so_far)
    enrolled = _enrolled(enrolments, people)
    streams = dict(candidates.streams)
    for name, contacts in candidates.streams.items():
        if contacts.mark is None:
            continue
        found = happen(name, enrolled)
        kept = found.happens
        if found.with_coach is not None and found.with_coach.any():
            contacts = replace(contacts, code=np.where(found.with_coach, np.uint8(COACH), contacts.code))
            kept = kept | found.with_coach
        streams[name] = contacts.kept(kept)
        if name == "emergency":
            through = through[kept]
    streams["attendance"] = _joined(streams["attendance"], streams["emergency"].kept(through))
    outcomes = draw_outcomes(random["outcomes"], persons, departures, years, enrolments, plan)
    use = Utilisation(streams, candidates.care_home)
    return History(persons, onsets, departures, years, use, eligible, enrolments, outcomes)


def _joined(attendances: Contacts, admissions: Contacts) -> Contacts:
    """Add an attendance on the day of each admission, of the costlier kind, which is the second."""
    return Contacts(
        np.concatenate([attendances.person, admissions.person]),
        np.concatenate([attendances.day, admissions.day]),
        np.concatenate([attendances.code, np.ones(len(admissions), np.uint8)]),
    )
