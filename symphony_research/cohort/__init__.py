"""Who is studied, from when and until when, and how many people each rule left out."""

from symphony_research.cohort.attrition import Attrition
from symphony_research.cohort.define import define_cohort
from symphony_research.cohort.people import EVENTS, STRATA, Cohort

__all__ = ["EVENTS", "STRATA", "Attrition", "Cohort", "define_cohort"]
