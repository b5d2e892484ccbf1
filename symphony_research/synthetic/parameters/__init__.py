"""Every number the public study is made from, in one place, so that it can be refitted.

Prevalences and rates were fitted by hand to published aggregates; where no
figure was published the value is assumed. No person's record went in.

References
----------
Kasteridis P, Street A, Dolman M, Gallier L, Hudson K, Martin J, Wyer I. The
importance of multimorbidity in explaining utilisation and costs across health
and social care settings. CHE Research Paper 96, University of York, 2014.
Cassell A, Edwards D, Harshfield A, et al. The epidemiology of multimorbidity in
primary care. Br J Gen Pract 2018;68:e245-e251.
Morciano M, Checkland K, Billings J, et al. New integrated care models in
England associated with small reduction in hospital admissions in longer-term.
Health Policy 2020;124:826-833.
"""

from __future__ import annotations

from datetime import date

from symphony_research.synthetic.parameters.activity import (
    CARE_AGES,
    LARGEST_LOG_WEIGHT,
    LARGEST_STAY_NOISE,
    LONGEST_STAY,
    MOST_CONTACTS,
    OCCUPANCY,
    PACKAGE_CONTACTS_PER_YEAR,
    PACKAGE_LARGEST_CHANCE,
    PACKAGES,
    READMISSION_CHANCE,
    READMISSION_MEAN_DAYS,
    READMISSIONS_IN_A_ROW,
    STAY_COST_PER_DAY,
    STAY_COST_SPREAD,
    STAY_FIXED_COST,
    STAY_MEDIAN,
    STAY_PER_DECADE_OVER_50,
    STAY_SPREAD,
    STREAMS,
    VIA_ATTENDANCE_SHARE,
    Stream,
)
from symphony_research.synthetic.parameters.conditions import (
    AGE_KNOTS,
    CLASSES,
    CLUSTERS,
    CONDITION_NAMES,
    CONDITIONS,
    FRAILTY_SCALE,
    LINKS,
    PREVALENCE_SCALE,
    PRIORITY_CONDITIONS,
    REPLACEMENT_BY_MORTALITY,
    REPLACEMENT_FOR_ALL,
    SEQUENCES,
    Condition,
    LatentClass,
    Link,
    Sequence,
)
from symphony_research.synthetic.parameters.people import (
    AREAS_PER_PRACTICE,
    CHANGE_OF_PRACTICE_SHARE,
    DECILE_MISSING_SHARE,
    ENTRY_SHARES,
    FINAL_YEAR_RATE_RATIO,
    LARGEST_TRAIT,
    MORTALITY_AGES,
    MORTALITY_DIVISOR,
    MORTALITY_FRAILTY,
    MOVING_AGES,
    MOVING_IN_RELATIVE,
    MOVING_OUT_PER_YEAR,
    OPEN_AGE_MEAN_YEARS,
    REGISTERED_BEFORE_MEAN_YEARS,
)
from symphony_research.synthetic.parameters.programmes import (
    CRISIS_WITHIN_DAYS,
    EFFECTS,
    ELIGIBLE_PRIORITY_CONDITIONS,
    ENROLMENT_AFTER_CRISIS,
    ENROLMENT_BACKGROUND_PER_YEAR,
    ENROLMENT_DELAY_DAYS,
    HUBS,
    HUBS_DESIGNED_FOR,
    PLANNED_COST_PER_PERSON_YEAR,
    PLANNED_COST_STANDARD_ERROR,
    PRACTICES,
    Hub,
    Practice,
)

__all__ = [
    "AGE_KNOTS",
    "AREAS_PER_PRACTICE",
    "CARE_AGES",
    "CHANGE_OF_PRACTICE_SHARE",
    "CLASSES",
    "CLUSTERS",
    "CONDITIONS",
    "CONDITION_NAMES",
    "CRISIS_WITHIN_DAYS",
    "DECILE_MISSING_SHARE",
    "EFFECTS",
    "ELIGIBLE_PRIORITY_CONDITIONS",
    "ENROLMENT_AFTER_CRISIS",
    "ENROLMENT_BACKGROUND_PER_YEAR",
    "ENROLMENT_DELAY_DAYS",
    "ENTRY_SHARES",
    "FINAL_YEAR_RATE_RATIO",
    "FRAILTY_SCALE",
    "HUBS",
    "HUBS_DESIGNED_FOR",
    "LARGEST_LOG_WEIGHT",
    "LARGEST_STAY_NOISE",
    "LARGEST_TRAIT",
    "LINKS",
    "LONGEST_STAY",
    "MORTALITY_AGES",
    "MORTALITY_DIVISOR",
    "MORTALITY_FRAILTY",
    "MOST_CONTACTS",
    "MOVING_AGES",
    "MOVING_IN_RELATIVE",
    "MOVING_OUT_PER_YEAR",
    "OCCUPANCY",
    "OPEN_AGE_MEAN_YEARS",
    "PACKAGES",
    "PACKAGE_CONTACTS_PER_YEAR",
    "PACKAGE_LARGEST_CHANCE",
    "PERIOD_END",
    "PERIOD_START",
    "PLANNED_COST_PER_PERSON_YEAR",
    "PLANNED_COST_STANDARD_ERROR",
    "PRACTICES",
    "PREVALENCE_SCALE",
    "PRICE_YEAR",
    "PRIORITY_CONDITIONS",
    "READMISSIONS_IN_A_ROW",
    "READMISSION_CHANCE",
    "READMISSION_MEAN_DAYS",
    "REGISTERED_BEFORE_MEAN_YEARS",
    "REPLACEMENT_BY_MORTALITY",
    "REPLACEMENT_FOR_ALL",
    "SEQUENCES",
    "STAY_COST_PER_DAY",
    "STAY_COST_SPREAD",
    "STAY_FIXED_COST",
    "STAY_MEDIAN",
    "STAY_PER_DECADE_OVER_50",
    "STAY_SPREAD",
    "STREAMS",
    "VIA_ATTENDANCE_SHARE",
    "Condition",
    "Hub",
    "LatentClass",
    "Link",
    "Practice",
    "Sequence",
    "Stream",
]

PERIOD_START = date(2011, 4, 1)
PERIOD_END = date(2018, 3, 31)
PRICE_YEAR = "2012-13"
