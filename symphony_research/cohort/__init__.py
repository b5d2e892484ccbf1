"""Who is studied, from when and until when, and how many people each rule excluded.

`define` says who; `strata` and `measures` what they are and use; `stays` and `events` what
happens to them; `at_risk` from when and until when it can be seen to; `follow_up`, `discharges`,
`onsets` and `characteristics` collapse that. Person rows stand in `rows`, which nothing outside reads.
"""

from symphony_research.cohort.attrition import Attrition
from symphony_research.cohort.baseline import Baseline
from symphony_research.cohort.care_use import CareUse
from symphony_research.cohort.define import define_cohort
from symphony_research.cohort.events import EVENTS, Event
from symphony_research.cohort.people import Cohort
from symphony_research.cohort.readmission import ReadmissionRate
from symphony_research.cohort.recurrent import RecurrentEvents
from symphony_research.cohort.strata import STRATA
from symphony_research.cohort.uptake import Uptake

__all__ = [
    "EVENTS",
    "STRATA",
    "Attrition",
    "Baseline",
    "CareUse",
    "Cohort",
    "Event",
    "ReadmissionRate",
    "RecurrentEvents",
    "Uptake",
    "define_cohort",
]
