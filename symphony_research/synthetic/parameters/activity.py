"""How often people use each setting, how long they stay and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CARE_AGES",
    "LARGEST_LOG_WEIGHT",
    "LARGEST_STAY_NOISE",
    "LONGEST_STAY",
    "MOST_CONTACTS",
    "OCCUPANCY",
    "PACKAGES",
    "PACKAGE_CONTACTS_PER_YEAR",
    "PACKAGE_LARGEST_CHANCE",
    "READMISSIONS_IN_A_ROW",
    "READMISSION_CHANCE",
    "READMISSION_MEAN_DAYS",
    "STAY_COST_PER_DAY",
    "STAY_COST_SPREAD",
    "STAY_FIXED_COST",
    "STAY_MEDIAN",
    "STAY_PER_DECADE_OVER_50",
    "STAY_SPREAD",
    "STREAMS",
    "VIA_ATTENDANCE_SHARE",
    "Stream",
]

CARE_AGES = (0, 5, 15, 20, 30, 45, 60, 75, 90)


@dataclass(frozen=True)
class Stream:
    """One stream of contacts: events a person-year, relative by age and by number of conditions (0, 1, ..., 7 or more).

    `weights` names the field of `Condition` that adds to the log rate, times `weight_scale`, `frailty` and `spread` the effects of the
    shared frailty and of a lasting habit of use, `winter` the relative excess in mid-January.
    """

    name: str
    setting: str
    rate: float
    by_age: tuple[float, ...]
    by_count: tuple[float, ...]
    men_to_women: float = 0.9
    weights: str | None = None
    weight_scale: float = 1.0
    frailty: float = 0.1
    spread: float = 0.4
    winter: float = 0.0
    kind: str | None = None


STREAMS = (
    Stream(
        "primary_care",
        "primary_care",
        rate=3.222,
        by_age=(1.7, 0.9, 0.8, 0.9, 1.0, 0.95, 1.0, 1.15, 1.2),
        by_count=(0.646, 1.9, 2.6, 3.3, 4.0, 4.7, 5.4, 6.5),
        men_to_women=0.7,
        spread=0.5,
    ),
    Stream(
        "outpatient",
        "outpatient",
        rate=0.4728,
        by_age=(0.8, 0.6, 0.6, 0.7, 0.9, 0.9, 1.1, 1.2, 0.9),
        by_count=(0.6847, 2.0, 2.9, 3.8, 4.7, 5.7, 6.8, 8.5),
        men_to_women=0.85,
        spread=0.6,
    ),
    Stream(
        "attendance",
        "accident_and_emergency",
        rate=0.413,
        by_age=(1.6, 1.1, 1.1, 1.3, 1.0, 0.75, 0.65, 0.8, 1.0),
        by_count=(0.646, 1.2, 1.5, 1.8, 2.2, 2.7, 3.3, 4.5),
        men_to_women=1.05,
        spread=0.6,
        winter=0.05,
    ),
    Stream(
        "emergency",
        "inpatient",
        rate=0.0087,
        by_age=(2.0, 0.8, 0.7, 1.0, 1.0, 0.9, 0.8, 0.998, 1.24),
        by_count=(0.5843, 2.5, 3.373, 4.399, 5.897, 8.551, 11.19, 29.4),
        men_to_women=1.0,
        weights="admission",
        frailty=0.1,
        spread=0.3,
        winter=0.22,
        kind="emergency",
    ),
    Stream(
        "elective",
        "inpatient",
        rate=0.0181,
        by_age=(0.4, 0.5, 0.5, 0.6, 0.8, 1.0, 1.2, 1.2, 0.6),
        by_count=(0.6847, 3.5, 4.1, 4.9, 5.5, 6.1, 6.7, 7.5),
        men_to_women=0.95,
        spread=0.5,
        kind="elective",
    ),
    Stream(
        "maternity",
        "inpatient",
        rate=0.085,
        by_age=(0.0, 0.0, 0.0, 0.6, 1.0, 0.0, 0.0, 0.0, 0.0),
        by_count=(1.0,) * 8,
        men_to_women=0.0,
        frailty=0.0,
        spread=0.1,
        kind="maternity",
    ),
    Stream(
        "community",
        "community",
        rate=0.28,
        by_age=(1.6, 0.4, 0.3, 0.4, 0.6, 0.7, 0.9, 1.4, 2.2),
        by_count=(0.646, 2.2, 3.4, 5.0, 7.0, 9.5, 12.5, 18.0),
        men_to_women=0.85,
        weights="social",
        weight_scale=0.4,
        frailty=0.2,
        spread=0.8,
    ),
    Stream(
        "mental_health",
        "mental_health",
        rate=0.09,
        by_age=(0.1, 0.4, 1.0, 1.2, 1.0, 0.9, 0.7, 0.8, 0.9),
        by_count=(0.646, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8),
        men_to_women=0.9,
        weights="mental",
        spread=0.9,
    ),
    Stream(
        "social_care",
        "social_care",
        rate=0.004311,
        by_age=(0.3, 0.4, 0.7, 0.8, 0.9, 1.0, 1.1, 1.52, 2.76),
        by_count=(0.646, 1.659, 2.019, 2.351, 2.749, 3.201, 3.774, 4.977),
        men_to_women=0.85,
        weights="social",
        weight_scale=0.6,
    ),
    Stream(
        "continuing_care",
        "continuing_care",
        rate=0.0003449,
        by_age=(0.5, 0.5, 0.7, 0.7, 0.8, 1.0, 1.2, 1.52, 2.25),
        by_count=(0.646, 1.319, 1.605, 1.97, 2.397, 2.917, 3.588, 5.138),
        men_to_women=0.95,
        weights="social",
        weight_scale=0.6,
    ),
)
LARGEST_LOG_WEIGHT = 2.5
# Events of a stream in one person-year beyond these are omitted, so that a person-year of cost is bounded.
MOST_CONTACTS = {
    "primary_care": 100,
    "outpatient": 60,
    "attendance": 40,
    "emergency": 12,
    "elective": 12,
    "maternity": 3,
    "community": 150,
    "mental_health": 100,
    "social_care": 24,
    "continuing_care": 24,
}

# Social and continuing care come as packages: `rate` above is the probability of having one, with contacts by the month.
PACKAGES = ("social_care", "continuing_care")
PACKAGE_CONTACTS_PER_YEAR = 12.0
PACKAGE_LARGEST_CHANCE = 0.7

# Emergency admissions come in runs: the probability that one is followed by another, so many days after discharge on average.
READMISSION_CHANCE = 0.42
READMISSION_MEAN_DAYS = 12.0
READMISSIONS_IN_A_ROW = 4
VIA_ATTENDANCE_SHARE = 0.68

# Length of stay in whole days: the integer part of a log-normal number.
STAY_MEDIAN = {"emergency": 0.445, "elective": 0.68, "maternity": 1.8}
STAY_SPREAD = {"emergency": 1.4, "elective": 1.2, "maternity": 0.6}
STAY_PER_DECADE_OVER_50 = {"emergency": 0.73, "elective": 0.25, "maternity": 0.0}
LONGEST_STAY = 180
# Share of the hospital's beds that is filled on a mean day: assumed, and what turns bed-days into beds.
OCCUPANCY = 0.85
STAY_FIXED_COST = {"emergency": 1660.0, "elective": 5900.0, "maternity": 1380.0}
STAY_COST_PER_DAY = {"emergency": 87.0, "elective": 90.82, "maternity": 115.6}
STAY_COST_SPREAD = {"emergency": 0.95, "elective": 1.635, "maternity": 0.4}
# The noise of a stay's cost is log-normal; its normal number is cut here, so that no stay costs more than is stated.
LARGEST_STAY_NOISE = 2.5
