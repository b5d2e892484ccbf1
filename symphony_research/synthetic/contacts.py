"""What a contact can be in each setting: who gave it, how, and its unit cost.

Unit costs are round, invented numbers of the order of the published unit costs
of health and social care in England, in pounds of 2012-13.
"""

from __future__ import annotations

from dataclasses import dataclass

from symphony_research.synthetic.parameters import PRACTICES

__all__ = ["CONTACTS", "PROVIDERS", "SPECIALTIES", "STAFF_ROLES", "Contact"]


@dataclass(frozen=True)
class Contact:
    """One kind of contact: its share of its stream in 256ths, and what is recorded about it.

    A `provider` of None stands for the person's own practice; `cost` is in pounds a contact, or, for
    hospital stays, a factor on the cost that follows from the length of stay.
    """

    share: int
    cost: float
    provider: str | None
    staff_role: str
    specialty: str | None = None
    mode: str = "in_person"


_ACUTE, _COMMUNITY, _MENTAL, _COUNCIL = "district_hospital", "community_trust", "mental_health_trust", "county_council"

CONTACTS: dict[str, tuple[Contact, ...]] = {
    "primary_care": (
        Contact(112, 36.0, None, "general_practitioner"),
        Contact(34, 21.5, None, "general_practitioner", mode="remote"),
        Contact(4, 92.0, None, "general_practitioner", "home_visit"),
        Contact(72, 13.4, None, "practice_nurse"),
        Contact(8, 8.2, None, "practice_nurse", mode="remote"),
        Contact(20, 9.6, None, "healthcare_assistant"),
        Contact(6, 18.0, None, "pharmacist", mode="remote"),
        # Never drawn: what some contacts with a general practitioner become where there is health coaching.
        Contact(0, 14.0, None, "health_coach"),
    ),
    "outpatient": (
        Contact(40, 152.0, _ACUTE, "consultant", "general_medicine"),
        Contact(36, 131.0, _ACUTE, "consultant", "general_surgery"),
        Contact(40, 108.0, _ACUTE, "consultant", "trauma_and_orthopaedics"),
        Contact(34, 88.0, _ACUTE, "consultant", "ophthalmology"),
        Contact(20, 139.0, _ACUTE, "consultant", "cardiology"),
        Contact(16, 147.0, _ACUTE, "consultant", "respiratory_medicine"),
        Contact(14, 128.0, _ACUTE, "consultant", "oncology"),
        Contact(14, 165.0, _ACUTE, "consultant", "geriatric_medicine"),
        Contact(18, 74.0, _ACUTE, "specialist_nurse", "diabetes"),
        Contact(16, 42.0, _ACUTE, "specialist_nurse", "general_medicine", "remote"),
        Contact(8, 51.0, _ACUTE, "consultant", "dermatology", "virtual"),
    ),
    "attendance": (
        Contact(96, 118.0, _ACUTE, "doctor", "emergency_medicine"),
        Contact(64, 164.0, _ACUTE, "doctor", "emergency_medicine"),
        Contact(96, 62.0, _COMMUNITY, "nurse", "minor_injuries"),
    ),
    "emergency": (
        Contact(84, 1.0, _ACUTE, "consultant", "general_medicine"),
        Contact(40, 1.15, _ACUTE, "consultant", "general_surgery"),
        Contact(44, 0.95, _ACUTE, "consultant", "geriatric_medicine"),
        Contact(28, 1.1, _ACUTE, "consultant", "respiratory_medicine"),
        Contact(28, 1.2, _ACUTE, "consultant", "cardiology"),
        Contact(32, 1.35, _ACUTE, "consultant", "trauma_and_orthopaedics"),
    ),
    "elective": (
        Contact(70, 0.85, _ACUTE, "consultant", "general_surgery"),
        Contact(50, 1.6, _ACUTE, "consultant", "trauma_and_orthopaedics"),
        Contact(44, 0.75, _ACUTE, "consultant", "ophthalmology"),
        Contact(36, 0.7, _ACUTE, "consultant", "oncology"),
        Contact(56, 0.65, _ACUTE, "consultant", "gastroenterology"),
    ),
    "maternity": (
        Contact(200, 1.0, _ACUTE, "midwife", "obstetrics"),
        Contact(56, 1.3, _ACUTE, "consultant", "obstetrics"),
    ),
    "community": (
        Contact(120, 38.0, _COMMUNITY, "district_nurse"),
        Contact(56, 46.0, _COMMUNITY, "physiotherapist"),
        Contact(28, 67.0, _COMMUNITY, "occupational_therapist"),
        Contact(28, 42.0, _COMMUNITY, "podiatrist"),
        Contact(16, 84.0, _COMMUNITY, "community_matron"),
        Contact(8, 24.0, _COMMUNITY, "district_nurse", mode="remote"),
    ),
    "mental_health": (
        Contact(120, 96.0, _MENTAL, "community_psychiatric_nurse"),
        Contact(40, 205.0, _MENTAL, "psychiatrist"),
        Contact(64, 88.0, _MENTAL, "therapist"),
        Contact(32, 41.0, _MENTAL, "therapist", mode="remote"),
    ),
    # The needs of a package rise from the last row to the first.
    "social_care": (
        Contact(80, 1500.0, _COUNCIL, "care_home_staff", "residential_care"),
        Contact(88, 560.0, _COUNCIL, "home_carer", "home_care"),
        Contact(48, 240.0, _COUNCIL, "home_carer", "home_care"),
        Contact(40, 120.0, _COUNCIL, "social_worker", "day_care"),
    ),
    "continuing_care": (
        Contact(128, 3600.0, _COUNCIL, "care_home_staff", "nursing_home"),
        Contact(128, 2300.0, _COUNCIL, "home_carer", "home_care"),
    ),
}


def _distinct(values: list[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value is not None))


_ALL = [contact for contacts in CONTACTS.values() for contact in contacts]
STAFF_ROLES = _distinct([contact.staff_role for contact in _ALL])
SPECIALTIES = _distinct([contact.specialty for contact in _ALL])
PROVIDERS = (*(practice.practice_id for practice in PRACTICES), *_distinct([contact.provider for contact in _ALL]))
