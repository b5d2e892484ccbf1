"""When each programme acts on whom, and by how much it changes the rate of each stream of contacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from symphony_research.synthetic import parameters
from symphony_research.synthetic.activity import Contacts
from symphony_research.synthetic.calendar import DAYS_IN_YEAR, YEAR_ENDS, YEARS, day_number
from symphony_research.synthetic.contacts import CONTACTS
from symphony_research.synthetic.effects import PROGRAMMES
from symphony_research.synthetic.parameters import HUBS, PRACTICES
from symphony_research.synthetic.plan import Plan
from symphony_research.synthetic.residents import People

__all__ = [
    "COACH",
    "NEVER",
    "STREAM_OUTCOMES",
    "Happening",
    "ceilings",
    "happening",
    "is_of_practitioner",
    "practice_starts",
]

# The outcome of `Effects` that each stream is counted in; of primary care, the general practitioners' contacts alone.
STREAM_OUTCOMES = {
    "emergency": "emergency_admissions",
    "elective": "elective_admissions",
    "outpatient": "outpatient",
    "attendance": "accident_and_emergency",
    "primary_care": "general_practitioner",
    "community": "community",
}
NEVER = np.iinfo(np.int32).max
COACH = [contact.staff_role for contact in CONTACTS["primary_care"]].index("health_coach")
_OF_PRACTITIONER = np.array([contact.staff_role == "general_practitioner" for contact in CONTACTS["primary_care"]])


@lru_cache(maxsize=1)
def practice_starts() -> Mapping[str, NDArray[np.int32]]:
    """Return the day each programme of whole practices reached each practice, by programme."""

    def days(field: str) -> NDArray[np.int32]:
        starts = [getattr(practice, field) for practice in PRACTICES]
        return np.array([NEVER if start is None else day_number(start) for start in starts], np.int32)

    return {"enhanced_primary_care": days("enhanced_from"), "health_coaching": days("coaching_from")}


def is_of_practitioner(code: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which contacts of primary care are with a general practitioner."""
    return _OF_PRACTITIONER[code]


def _ratios(plan: Plan, programme: str, stream: str) -> NDArray[np.float64]:
    planned = parameters.PLANNED_COST_PER_PERSON_YEAR[plan.profile.name]
    return np.array(plan.effects.ratios(programme, STREAM_OUTCOMES[stream], planned))


def ceilings(plan: Plan, people: People, eligible: NDArray[np.int32]) -> dict[str, NDArray[np.float32]]:
    """Return the largest ratio of the rate in each person-year, for the streams that some programme changes.

    The same whichever programmes act, so that the candidates are the same in every world.
    """
    first_hub = min(day_number(hub.opens) for hub in HUBS)
    made = {}
    for stream in STREAM_OUTCOMES:
        ratios = {programme: _ratios(plan, programme, stream) for programme in PROGRAMMES}
        if all((ratio == 1).all() for ratio in ratios.values()):
            continue
        ceiling = np.ones((len(people), YEARS), np.float32)
        for programme, ratio in ratios.items():
            if ratio.max() <= 1:
                continue
            if programme == "complex_care":
                begins = np.maximum(eligible, first_hub)
            else:
                starts = practice_starts()[programme]
                begins = np.minimum(starts[people.practice], starts[people.second_practice])
            ceiling[begins[:, None] <= YEAR_ENDS] *= np.float32(ratio.max())
        made[stream] = ceiling
    return made


@dataclass(frozen=True)
class Happening:
    """Which candidates of a stream happen, and which contacts with a practitioner become one with a coach."""

    happens: NDArray[np.bool_]
    with_coach: NDArray[np.bool_] | None = None


def happening(
    plan: Plan,
    people: People,
    stream: str,
    contacts: Contacts,
    enrolled: NDArray[np.int32] | None,
) -> Happening:
    """Keep the candidates of a stream that are marked under the ratio of their day; `enrolled` is the day of enrolment of each person.

    Without `enrolled`, as if nobody were: what would have happened up to enrolment.
    """
    assert contacts.mark is not None
    practice = people.practice_on(contacts.person, contacts.day)
    ratio = np.ones(len(contacts))
    without_coaching = np.ones(len(contacts))
    for programme in plan.acting:
        values = _ratios(plan, programme, stream)
        if (values == 1).all():
            continue
        if programme == "complex_care":
            if enrolled is None:
                continue
            # The first day on the programme is a day before it acts.
            starts = np.where(enrolled < NEVER, enrolled + 1, NEVER)[contacts.person]
        else:
            starts = practice_starts()[programme][practice]
        since = contacts.day - starts.astype(np.int64)
        year = np.minimum((np.maximum(since, 0) / DAYS_IN_YEAR).astype(np.int64), len(values) - 1)
        of_programme = np.where(since >= 0, values[year], 1.0)
        if programme != "health_coaching":
            without_coaching *= of_programme
        ratio *= of_programme
    if stream != "primary_care":
        return Happening(contacts.mark < ratio)
    practitioner = is_of_practitioner(contacts.code)
    # Other contacts of primary care happen as often as without any programme.
    happens = contacts.mark < np.where(practitioner, ratio, 1.0)
    return Happening(happens, practitioner & ~happens & (contacts.mark < without_coaching))
