"""Who is there, who comes, who leaves and who dies."""

from __future__ import annotations

__all__ = [
    "AREAS_PER_PRACTICE",
    "CHANGE_OF_PRACTICE_SHARE",
    "DECILE_MISSING_SHARE",
    "ENTRY_SHARES",
    "FINAL_YEAR_RATE_RATIO",
    "LARGEST_TRAIT",
    "MORTALITY_AGES",
    "MORTALITY_DIVISOR",
    "MORTALITY_FRAILTY",
    "MOVING_AGES",
    "MOVING_IN_RELATIVE",
    "MOVING_OUT_PER_YEAR",
    "OPEN_AGE_MEAN_YEARS",
    "REGISTERED_BEFORE_MEAN_YEARS",
]

# Shares of everyone ever registered in the seven years (not only in 2012-13): there on the first day, born later, moved in later.
ENTRY_SHARES = {"present": 0.7015, "born": 0.0527, "moved_in": 0.2458}
# Moves in, relative to the people of that age, and out, a person-year. Out is the same from 60 on, so that leaving
# says nothing about the health of older people and survival curves of them are not biased by it.
MOVING_AGES = (0, 5, 10, 17, 19, 22, 26, 30, 36, 45, 60, 110)
MOVING_IN_RELATIVE = (1.25, 0.95, 0.7, 0.8, 1.6, 2.3, 2.6, 2.2, 1.4, 0.85, 0.62, 0.5)
MOVING_OUT_PER_YEAR = (0.053, 0.036, 0.03, 0.053, 0.196, 0.138, 0.101, 0.08, 0.053, 0.034, 0.021, 0.021)
OPEN_AGE_MEAN_YEARS = 2.6
REGISTERED_BEFORE_MEAN_YEARS = 14.0
CHANGE_OF_PRACTICE_SHARE = 0.05
DECILE_MISSING_SHARE = 0.01
AREAS_PER_PRACTICE = 5

# Deaths: the national probability of 2012 times exp(sum of Condition.mortality), brought back to its level
# at each age by the divisor below. Where the profile has no such excess, the national probability alone.
MORTALITY_AGES = (0, 30, 45, 60, 75, 85, 95)
MORTALITY_DIVISOR = (1.05, 1.15, 1.35, 1.68, 2.32, 3.17, 4.0)
MORTALITY_FRAILTY = 0.15
FINAL_YEAR_RATE_RATIO = 2.2
# The two normal traits, frailty and habit, are cut at this many standard deviations, so that every rate is bounded.
LARGEST_TRAIT = 3.0
