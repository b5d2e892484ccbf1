"""How many conditions people have, which ones, and which combinations, against chance.

All three take `Patterns` and return a Result with one row per stratum and point.
"""

from symphony_research.multimorbidity.combinations import Combinations, combinations
from symphony_research.multimorbidity.counts import ConditionCount, Prevalence, condition_count, prevalence

__all__ = ["Combinations", "ConditionCount", "Prevalence", "combinations", "condition_count", "prevalence"]
