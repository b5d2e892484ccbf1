"""Hubs, practices and programmes: where, from when, for whom, and what complex care does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

__all__ = [
    "CRISIS_WITHIN_DAYS",
    "EFFECTS",
    "ELIGIBLE_PRIORITY_CONDITIONS",
    "ENROLMENT_AFTER_CRISIS",
    "ENROLMENT_BACKGROUND_PER_YEAR",
    "ENROLMENT_DELAY_DAYS",
    "HUBS",
    "HUBS_DESIGNED_FOR",
    "PLANNED_COST_PER_PERSON_YEAR",
    "PLANNED_COST_STANDARD_ERROR",
    "PRACTICES",
    "Hub",
    "Practice",
]


@dataclass(frozen=True)
class Hub:
    """A complex care hub: the day it opens."""

    name: str
    opens: date


@dataclass(frozen=True)
class Practice:
    """A practice: its share of the people, its hub, the mean tenth of deprivation of its areas.

    `coaching_from`, `whole_time_staff` and `enhanced_from` say when health coaching and enhanced primary care
    reached it, if they did.
    """

    practice_id: str
    name: str
    hub: str
    share: float
    decile: int
    coaching_from: date | None = None
    whole_time_staff: float = 0.0
    enhanced_from: date | None = None


HUBS = (
    Hub("Yeovil", date(2015, 4, 13)),
    Hub("South Petherton", date(2015, 11, 2)),
    Hub("Wincanton", date(2016, 4, 4)),
    Hub("Chard", date(2016, 6, 6)),
)

PRACTICES = (
    Practice("GP01", "Abbotswell Surgery", "Yeovil", 0.094, 4, date(2015, 10, 1), 5.0, date(2015, 10, 1)),
    Practice("GP02", "Brook Lane Surgery", "Yeovil", 0.082, 3, date(2015, 10, 1), 4.0, date(2015, 10, 1)),
    Practice("GP03", "Cedar House", "Yeovil", 0.071, 5, date(2016, 1, 4), 4.0, date(2016, 4, 1)),
    Practice("GP04", "Downfield Medical Centre", "Yeovil", 0.066, 2, date(2016, 1, 4), 4.0, date(2016, 4, 1)),
    Practice("GP05", "Eastmead Surgery", "Yeovil", 0.058, 6, date(2016, 4, 1), 3.0, date(2016, 4, 1)),
    Practice("GP06", "Ferndale Practice", "Yeovil", 0.047, 7, date(2016, 10, 3), 2.0, date(2016, 10, 3)),
    Practice("GP07", "Greenbank Surgery", "Yeovil", 0.035, 5),
    Practice("GP08", "Hamstone Surgery", "South Petherton", 0.064, 7, date(2016, 1, 4), 4.0, date(2016, 1, 4)),
    Practice("GP09", "Ivy Cottage Surgery", "South Petherton", 0.049, 8, date(2016, 4, 1), 3.0, date(2016, 4, 1)),
    Practice("GP10", "Jubilee Practice", "South Petherton", 0.043, 6, date(2016, 4, 1), 3.0, date(2016, 10, 3)),
    Practice("GP11", "Kingfisher Surgery", "South Petherton", 0.032, 7, date(2016, 10, 3), 2.0, date(2016, 10, 3)),
    Practice("GP12", "Larkhill Medical Centre", "Wincanton", 0.061, 7, date(2016, 4, 1), 3.0, date(2016, 4, 1)),
    Practice("GP13", "Millstream Surgery", "Wincanton", 0.052, 8, date(2016, 7, 1), 3.0, date(2016, 10, 3)),
    Practice("GP14", "Northfield Practice", "Wincanton", 0.044, 6, date(2016, 10, 3), 2.0, date(2017, 4, 3)),
    Practice("GP15", "Orchard House", "Wincanton", 0.030, 9),
    Practice("GP16", "Parkway Surgery", "Chard", 0.059, 4, date(2017, 1, 3), 4.0, date(2017, 4, 3)),
    Practice("GP17", "Quarry Road Surgery", "Chard", 0.048, 5, date(2017, 1, 3), 3.0, date(2017, 4, 3)),
    Practice("GP18", "Riverside Practice", "Chard", 0.040, 6, date(2017, 1, 3), 3.0, date(2017, 4, 3)),
    Practice("GP19", "Springfield Surgery", "Chard", 0.025, 7),
)

ELIGIBLE_PRIORITY_CONDITIONS = 3
# What the first hub was planned for (published). At the pace of its first fifteen months it is not reached by 2018.
HUBS_DESIGNED_FOR = 1500
# A crisis is an emergency admission within so many days of another. Probability that a crisis of an eligible person leads to
# enrolment, and enrolments a year without any: fitted to the 230 people enrolled by July 2016, and to at least three
# eligible people left for each enrolled.
CRISIS_WITHIN_DAYS = 60
ENROLMENT_AFTER_CRISIS = 0.185
ENROLMENT_BACKGROUND_PER_YEAR = 0.003
ENROLMENT_DELAY_DAYS = (5, 60)

# What the programmes do, by year since their start; the last value holds from then on. Complex care: assumed, after the
# small early rise and late fall found in the published evaluations. Enhanced primary care: GBP 45 a registered person a
# year, as the controlled study found (Stokes et al. 2021). Health coaching: assumed; each general practitioner's contact
# saved is one with a coach.
EFFECTS = MappingProxyType(
    {
        "complex_care": MappingProxyType({"emergency_admissions": (1.05, 1.02, 1.00)}),
        "enhanced_primary_care": MappingProxyType({"secondary_care_cost": (45.0,)}),
        "health_coaching": MappingProxyType({"general_practitioner": (0.92,)}),
    }
)

# What elective admissions and outpatient contacts cost a registered person a year at the practices and from the days that
# enhanced primary care reached, without it; by profile, simulated from six million people (standard error GBP 1).
PLANNED_COST_PER_PERSON_YEAR = MappingProxyType({"calibrated": 369.0, "planted": 362.0, "null": 360.0})
PLANNED_COST_STANDARD_ERROR = 1.2
