"""What the programmes do, from potential outcomes: the same people with and without each programme.

The rates are those of people and days that a programme reaches; a world
without it differs in nothing else, down to the random numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from symphony_research.synthetic.calendar import DAYS_IN_YEAR, END
from symphony_research.synthetic.calibration.measure import SECONDARY, costs_of
from symphony_research.synthetic.exposure import NEVER, is_of_practitioner, practice_starts
from symphony_research.synthetic.history import History

__all__ = ["programmes_found", "tally_programmes"]

Sums = dict[str, NDArray[np.float64]]
YEARS_AFTER = 3  # the first, the second, the third and later years since enrolment
WORLDS = ("all", "without complex_care", "without enhanced_primary_care", "without health_coaching")
PLANNED = ("elective", "outpatient")


def tally_programmes(worlds: Mapping[str, History]) -> Sums:
    """Return the sums of one block, drawn in each of `WORLDS`."""
    history = worlds["all"]
    enrolled = history.enrolled
    sums: Sums = {"enrolled": np.array([float((enrolled < NEVER).sum())])}
    on = np.flatnonzero(enrolled < NEVER)
    days = np.maximum(history.departures.last[on] - enrolled[on], 0)
    sums["enrolled person_years"] = np.array(
        [
            np.clip(days - DAYS_IN_YEAR * year, 0, DAYS_IN_YEAR if year < YEARS_AFTER - 1 else np.inf).sum()
            / DAYS_IN_YEAR
            for year in range(YEARS_AFTER)
        ]
    )
    for name in ("all", "without complex_care"):
        admissions = worlds[name].use.streams["emergency"]
        since = admissions.day - enrolled[admissions.person].astype(np.int64)
        year = np.minimum(((since - 1) / DAYS_IN_YEAR).astype(np.int64), YEARS_AFTER - 1)
        sums[f"admissions {name}"] = np.bincount(year[since > 0], minlength=YEARS_AFTER).astype(float)
        sums[f"around {name}"] = _around(worlds[name], enrolled)
        cost = 0.0
        for stream, contacts in worlds[name].use.streams.items():
            after = contacts.day > enrolled[contacts.person]
            cost += costs_of(stream, contacts)[after].sum()
        sums[f"enrolled cost {name}"] = np.array([cost])
    for programme, streams in (("enhanced_primary_care", SECONDARY), ("health_coaching", ("primary_care",))):
        sums[f"reached person_years {programme}"] = np.array([_reached_days(history, programme) / DAYS_IN_YEAR])
        for name in ("all", f"without {programme}"):
            cost = contacts_of_practitioner = planned = 0.0
            for stream in streams:
                contacts = worlds[name].use.streams[stream]
                practice = history.people.practice_on(contacts.person, contacts.day)
                reached = contacts.day >= practice_starts()[programme][practice]
                of_stream = costs_of(stream, contacts)[reached].sum()
                cost += of_stream
                planned += of_stream if stream in PLANNED else 0.0
                if stream == "primary_care":
                    contacts_of_practitioner += (reached & is_of_practitioner(contacts.code)).sum()
            sums[f"reached {programme} {name}"] = np.array([cost, planned, contacts_of_practitioner], float)
    return sums


def _around(history: History, enrolled: NDArray[np.int32]) -> NDArray[np.float64]:
    """Emergency admissions in the year before and the year after enrolment, of people followed through both."""
    whole = (
        (enrolled < NEVER)
        & (history.people.entered <= enrolled - 365)
        & (history.departures.last >= np.minimum(enrolled, END) + 365)
    )
    admissions = history.use.streams["emergency"]
    since = admissions.day - enrolled[admissions.person].astype(np.int64)
    counted = whole[admissions.person]
    before, after = counted & (since >= -365) & (since < 0), counted & (since > 0) & (since <= 365)
    return np.array([before.sum(), after.sum()], float)


def _reached_days(history: History, programme: str) -> float:
    """Days that people are registered with a practice which the programme has reached."""
    people, last = history.people, history.departures.last.astype(np.int64)
    starts = practice_starts()[programme].astype(np.int64)
    change = people.changes_practice.astype(np.int64)
    entered = people.entered.astype(np.int64)
    first = np.minimum(last, change - 1) - np.maximum(entered, starts[people.practice]) + 1
    second = last - np.maximum(change, starts[people.second_practice]) + 1
    second[change > last] = 0
    return float(np.maximum(first, 0).sum() + np.maximum(second, 0).sum())


def programmes_found(sums: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return the values that follow from the sums, by name."""
    years = sums["enrolled person_years"]
    found: dict[str, float] = {}
    with_, without = sums["admissions all"], sums["admissions without complex_care"]
    for year in range(YEARS_AFTER):
        label = f"year_{year + 1}"
        found[f"rate/complex_care/emergency_admissions/{label}/with"] = with_[year] / years[year]
        found[f"rate/complex_care/emergency_admissions/{label}/without"] = without[year] / years[year]
        found[f"rate_ratio/complex_care/emergency_admissions/{label}"] = with_[year] / without[year]
    found["cost/complex_care"] = float(
        (sums["enrolled cost all"] - sums["enrolled cost without complex_care"])[0] / years.sum()
    )
    for name, label in (("all", "with"), ("without complex_care", "without")):
        before, after = sums[f"around {name}"]
        found[f"before_after_ratio/complex_care/emergency_admissions/{label}"] = after / before
    with_, without = (
        sums[f"reached enhanced_primary_care {name}"] for name in ("all", "without enhanced_primary_care")
    )
    person_years = sums["reached person_years enhanced_primary_care"][0]
    found["cost/enhanced_primary_care/secondary_care"] = (with_[0] - without[0]) / person_years
    found["planned_cost_without/enhanced_primary_care"] = without[1] / person_years
    with_, without = (sums[f"reached health_coaching {name}"] for name in ("all", "without health_coaching"))
    found["rate_ratio/health_coaching/general_practitioner"] = with_[2] / without[2]
    return {name: float(value) for name, value in found.items()}
