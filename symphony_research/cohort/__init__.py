"""Who is studied, from when and until when, and how many people each rule excluded."""

from symphony_research.cohort.attrition import Attrition
from symphony_research.cohort.baseline import Baseline
from symphony_research.cohort.define import define_cohort
from symphony_research.cohort.events import EVENTS
from symphony_research.cohort.people import STRATA, Cohort

__all__ = ["EVENTS", "STRATA", "Attrition", "Baseline", "Cohort", "define_cohort"]
