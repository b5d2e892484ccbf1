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

__all__ = ["BLOCK_SIZE", "History", "draw_history"]

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


def _enrolled(enrolments: Enrolments, people: int) -> NDArray[np.int32]:
    enrolled = np.full(people, NEVER, np.int32)
    enrolled[enrolments.person] = enrolments.day
    return enrolled


def draw_history(plan: Plan, number: int, registered: int) -> History:
    """Draw block `number` of a plan: people of whom `registered` are in 2012-13, the same in every world of the plan."""
    random = plan.generators(number)
    people, onsets, departures = draw_lives(random, plan, number, registered)
    onsets = onsets.kept(onsets.day <= departures.last[onsets.person])
    years = observed_years(people, onsets, departures)
    eligible = eligible_from(onsets, len(people))
    candidates = draw_activity(random["activity"], people, onsets, departures, years, ceilings(plan, people, eligible))
    # Emergencies that come by way of A&E, drawn for every candidate.
    through = random["effects"].random(len(candidates.streams["emergency"])) < parameters.VIA_ATTENDANCE_SHARE

    def happen(stream: str, enrolled: NDArray[np.int32] | None) -> Happening:
        contacts = candidates.streams[stream]
        if contacts.mark is None:
            return Happening(np.ones(len(contacts), bool))
        return happening(plan, people, stream, contacts, enrolled)

    admissions, so_far = candidates.streams["emergency"], happen("emergency", None).happens
    enrolments = draw_enrolments(random["enrolments"], people, eligible, departures, admissions, so_far, plan.selection)
    enrolled = _enrolled(enrolments, len(people))
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
    outcomes = draw_outcomes(random["outcomes"], people, departures, years, enrolments, plan)
    use = Utilisation(streams, candidates.care_home)
    return History(people, onsets, departures, years, use, eligible, enrolments, outcomes)


def _joined(attendances: Contacts, admissions: Contacts) -> Contacts:
    """Add an attendance on the day of each admission, of the costlier kind, which is the second."""
    return Contacts(
        np.concatenate([attendances.person, admissions.person]),
        np.concatenate([attendances.day, admissions.day]),
        np.concatenate([attendances.code, np.ones(len(admissions), np.uint8)]),
    )
