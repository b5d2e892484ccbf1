"""How many conditions people have, which ones, which combinations and their observed/expected ratios, and at what cost.

All take `Patterns` and return a Result with one row per stratum and point.
"""

from symphony_research.multimorbidity.combinations import Combinations, combinations
from symphony_research.multimorbidity.comorbidity import (
    ComorbidityCount,
    ComorbidityProfile,
    comorbidity_count,
    comorbidity_profile,
)
from symphony_research.multimorbidity.costs import CostInteraction, cost_interaction
from symphony_research.multimorbidity.counts import ConditionCount, Prevalence, condition_count, prevalence

__all__ = [
    "Combinations",
    "ComorbidityCount",
    "ComorbidityProfile",
    "ConditionCount",
    "CostInteraction",
    "Prevalence",
    "combinations",
    "comorbidity_count",
    "comorbidity_profile",
    "condition_count",
    "cost_interaction",
    "prevalence",
]
