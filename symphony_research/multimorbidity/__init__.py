"""How many conditions people have, which ones, which combinations and their observed/expected ratios, and at what cost.

All take `Patterns` and return a Result with one row per stratum and point.
"""

from symphony_research.multimorbidity.combinations import Combinations, combinations
from symphony_research.multimorbidity.comorbidity import Companions, FurtherConditions, companions, further_conditions
from symphony_research.multimorbidity.costs import CombinationCosts, combination_costs
from symphony_research.multimorbidity.counts import ConditionCount, Prevalence, condition_count, prevalence

__all__ = [
    "CombinationCosts",
    "Combinations",
    "Companions",
    "ConditionCount",
    "FurtherConditions",
    "Prevalence",
    "combination_costs",
    "combinations",
    "companions",
    "condition_count",
    "further_conditions",
    "prevalence",
]
