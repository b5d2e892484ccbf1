"""Who is there, who comes, who leaves and who dies."""

from __future__ import annotations

__all__ = [
    "AREAS_PER_PRACTICE",
    "CHANGE_OF_PRACTICE_SHARE",
    "DECILE_MISSING_SHARE",
    "ENTRY_SHARES",
    "FINAL_YEAR_RATE_RATIO",
    "MORTALITY_AGES",
    "MORTALITY_DIVISOR",
    "MORTALITY_FRAILTY",
    "MOVING_AGES",
    "MOVING_IN_RELATIVE",
    "MOVING_OUT_PER_YEAR",
    "OPEN_AGE_MEAN_YEARS",
    "REGISTERED_BEFORE_MEAN_YEARS",
]

ENTRY_SHARES = {"present": 0.823, "born": 0.0617, "moved_in": 0.1153}
MOVING_AGES = (0, 5, 10, 18, 25, 35, 45, 60, 75, 90, 110)
MOVING_IN_RELATIVE = (1.3, 1.2, 0.8, 1.4, 2.4, 1.9, 1.1, 0.9, 0.6, 0.6, 0.5)
MOVING_OUT_PER_YEAR = (0.019, 0.014, 0.012, 0.06, 0.04, 0.024, 0.013, 0.008, 0.006, 0.008, 0.008)
OPEN_AGE_MEAN_YEARS = 2.6
REGISTERED_BEFORE_MEAN_YEARS = 14.0
CHANGE_OF_PRACTICE_SHARE = 0.05
DECILE_MISSING_SHARE = 0.01
AREAS_PER_PRACTICE = 5

# Deaths: the national probability of 2012 times exp(sum of Condition.mortality), brought back to its level
# at each age by the divisor below.
MORTALITY_AGES = (0, 30, 45, 60, 75, 85, 95)
MORTALITY_DIVISOR = (1.05, 1.15, 1.3, 1.6, 2.2, 3.0, 3.8)
MORTALITY_FRAILTY = 0.15
FINAL_YEAR_RATE_RATIO = 2.2
