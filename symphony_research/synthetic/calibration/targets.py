"""The figures the public study is held to: what was published, the range that is near enough, and where it is from."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TARGETS", "Target"]

SYMPHONY = "Kasteridis et al. 2014 (CHE Research Paper 96)"
SOMERSET = "Somerset 2013/14, eight priority conditions (Symphony project)"
LONDON = "north-west London segmentation, 378,309 people"
CASSELL = "Cassell et al. 2018, England"
ONS = "ONS, South Somerset, components of change, mid-2011 to mid-2012"
HOSPITAL = "Yeovil District Hospital: 345 beds for 164,006 people"


@dataclass(frozen=True)
class Target:
    """A figure, and the range its mean over seeds should lie in.

    `status` is "published", "derived" (arithmetic on published figures) or "assumed" (our reading or choice);
    a figure without `low` and `high` is shown and not held to anything.
    """

    name: str
    words: str
    wanted: str
    status: str
    source: str
    low: float | None = None
    high: float | None = None
    digits: int = 2


TARGETS = (
    Target("people_registered", "People registered in any of 2012-13", "114,874", "published", SYMPHONY + "; exactly, as asked for",
           114_874, 114_874, 0),
    Target("ever_registered", "People ever registered, April 2011 to March 2018", "", "shown", "", digits=0),
    Target("variance_by_conditions", "Variance of individual cost explained by number of conditions (bands 0-7+), %",
           "11.45", "published", SYMPHONY, 11.25, 11.65),
    Target("variance_by_age", "Variance of individual cost explained by age (five-year bands), %",
           "3.35", "published", SYMPHONY, 3.15, 3.55),
    Target("variance_by_conditions_line", "The same by a straight line in the number of conditions, %", "", "shown", ""),
    Target("variance_by_age_line", "The same by a straight line in the age band, %", "", "shown", ""),
    Target("mean_cost_seven", "Mean annual cost with 7 or more conditions, GBP", "10,741", "published", SYMPHONY,
           10_741 * 0.99, 10_741 * 1.01, 0),
    Target("mean_cost_one", "Mean annual cost with exactly one condition, GBP", "826", "derived", SYMPHONY, 826 * 0.98,
           826 * 1.02, 0),
    Target("ratio_seven_to_one", "The one over the other", "13", "published", SYMPHONY, 12.8, 13.2),
    Target("mean_cost", "Mean annual cost, GBP", "870-920", "derived", SYMPHONY, 870, 920, 0),
    Target("inpatient_share_of_gradient", "Share of the rise from one condition to seven or more that is inpatient cost, %",
           "over half", "published", SYMPHONY + ": the gradient is driven by acute inpatient cost", 50, 100, 1),
    Target("share_three_of_eight", "People with three or more of the eight priority conditions, %", "2 (1.8-2.2)",
           "assumed", "our reading of: 2% of people account for GBP 17m of GBP 100m (" + SYMPHONY + ")", 1.8, 2.2),
    Target("cost_share_three_of_eight", "Their share of all cost, %", "17 (16-18)", "assumed", "the same reading", 16, 18),
    Target("one_of_any", "Of people with any of the eight: one, %", "76.3 within a tenth", "derived", SOMERSET,
           76.31 * 0.9, 76.31 * 1.1),
    Target("two_of_any", "Of people with any of the eight: two, %", "18.3 within a tenth", "derived", SOMERSET,
           18.32 * 0.9, 18.32 * 1.1),
    Target("three_of_any", "Of people with any of the eight: three, %", "4.3", "shown",
           SOMERSET + "; here 2% must have three or more, against 1.0% in the county"),
    Target("four_of_any", "Of people with any of the eight: four, %", "0.9", "shown", "the same"),
    Target("five_of_any", "Of people with any of the eight: five or more, %", "0.1", "shown", "the same"),
    Target("two_or_more", "People with two or more conditions, %", "27.2", "assumed",
           CASSELL + " (36 conditions, adults); here 49, all ages", 26.2, 28.2),
    Target("two_or_more_women", "The same, women, %", "30.0", "shown", CASSELL),
    Target("two_or_more_men", "The same, men, %", "24.4", "shown", CASSELL),
    Target("primary_care_in_london", "Contacts with a general practitioner a person-year, at north-west London's ages",
           "2.78", "assumed", LONDON + "; re-weighted to its boroughs' ages at mid-2011 (ONS)", 2.78 * 0.97, 2.78 * 1.03),
    Target("primary_care_here", "The same, at the study's own ages", "", "shown", ""),
    Target("outpatient_in_london", "Outpatient contacts a person-year, at north-west London's ages", "0.71", "assumed",
           "the same", 0.71 * 0.97, 0.71 * 1.03),
    Target("outpatient_here", "The same, at the study's own ages", "", "shown", ""),
    Target("attendance_in_london", "A&E attendances a person-year, at north-west London's ages", "0.42", "assumed",
           "the same", 0.42 * 0.97, 0.42 * 1.03),
    Target("attendance_here", "The same, at the study's own ages", "", "shown", ""),
    Target("emergency_in_london", "Emergency admissions a person-year, at north-west London's ages", "0.04", "shown",
           LONDON + "; not met: the beds below could then be filled only by stays twice as long as any hospital's"),
    Target("elective_in_london", "Elective admissions a person-year, at north-west London's ages", "0.04", "shown", "the same"),
    Target("beds", "Hospital beds filled per 114,874 person-years, at 85% occupancy (assumed)", "242", "derived", HOSPITAL, 237, 247, 1),
    Target("bed_days_at_80", "Bed-days of people of 80 and over, %", "50-55", "published",
           "over half of the 345 beds are occupied by people over 80", 50, 55, 1),
    Target("births", "Births, per 1,000 person-years", "10.7", "published", ONS, 10.7 * 0.93, 10.7 * 1.07, 1),
    Target("deaths", "Deaths, per 1,000 person-years", "10.0", "published", ONS, 10.0 * 0.93, 10.0 * 1.07, 1),
    Target("moves_in", "Moves in, per 1,000 person-years", "49.5", "published", ONS, 49.5 * 0.93, 49.5 * 1.07, 1),
    Target("moves_out", "Moves out, per 1,000 person-years", "44.8", "published", ONS, 44.8 * 0.93, 44.8 * 1.07, 1),
    Target("enrolled_by_july_2016", "Enrolled in complex care by July 2016", "230", "published",
           "South Somerset's first hub; here of all four, per 114,874 people of 2012-13", 215, 245, 0),
    Target("enrolled_by_end", "Enrolled by March 2018", "", "shown",
           "designed for 1,500 (published); not reached at the pace of the first fifteen months", digits=0),
    Target("fewest_controls", "Eligible people not enrolled for each enrolled, in the worst month of 2015-18", "at least 3",
           "assumed", "so that controls can be matched", 3.0, 1e9, 1),
    Target("before_after_change", "Emergency admissions, year after enrolment against year before, %", "-42", "shown",
           "programme's report, February 2016 (no controls); here from selection at a crisis, against a true effect of +5%", digits=1),
    Target("winter_to_summer", "Emergency admissions, December to February over June to August", "over 1", "assumed",
           "seasonality", 1.05, 1.6),
    Target("largest_person_year", "Largest cost of a person in a year, in the most expensive of the seeds, GBP", "", "shown", "", digits=0),
)  # fmt: skip
