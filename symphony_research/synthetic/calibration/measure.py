"""Figures of a generated study, by the definitions of the published ones.

The headline figures are of the financial year 2012-13: people registered for
any of it, no annualisation, zeros included, least squares on pounds. Blocks are
tallied into sums that add up; figures follow from the sums.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from symphony_research.synthetic import parameters
from symphony_research.synthetic.activity import Contacts
from symphony_research.synthetic.calendar import (
    DAYS_IN_YEAR,
    END,
    START,
    SYMPHONY_YEAR,
    YEAR_ENDS,
    YEAR_STARTS,
    YEARS,
    day_number,
)
from symphony_research.synthetic.contacts import CONTACTS
from symphony_research.synthetic.exposure import NEVER, is_of_practitioner
from symphony_research.synthetic.history import History
from symphony_research.synthetic.parameters import CONDITION_NAMES, PRIORITY_CONDITIONS
from symphony_research.synthetic.population import north_west_london_2011

__all__ = ["CONDITION_BANDS", "MONTHS", "Tallies", "costs_of", "figures", "tally"]

Tallies = dict[str, NDArray[np.float64]]

CONDITION_BANDS = 8  # 0, 1, ..., 6, 7 or more
AGE_BANDS = 19  # five years each, 90 and over last
INPATIENT = ("emergency", "elective", "maternity")
SECONDARY = (*INPATIENT, "outpatient", "attendance")
# First day of each month from January 2015, when hubs are near: where eligible people are counted.
MONTHS = np.array(
    [(np.datetime64("2015-01", "M") + k).astype("datetime64[D]").astype(np.int64) for k in range(3 * 12 + 3)]
)


def _sums(group: NDArray[np.int64], size: int, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return people, or sums of weights, by group."""
    return np.bincount(group, weights, minlength=size).astype(np.float64)


def costs_of(stream: str, contacts: Contacts) -> NDArray[np.float64]:
    """Return the cost of each contact, in pounds."""
    if contacts.cost is not None:
        return contacts.cost
    return np.array([kind.cost for kind in CONTACTS[stream]])[contacts.code]


def _nights(stays: Contacts) -> NDArray[np.int32]:
    assert stays.end is not None
    return stays.end - stays.day


def tally(history: History) -> Tallies:
    """Return the sums of one block."""
    people, years = history.people, history.years
    there = years.days[:, SYMPHONY_YEAR] > 0
    band = np.minimum(_held(history, CONDITION_NAMES), CONDITION_BANDS - 1)
    priority = np.minimum(_held(history, PRIORITY_CONDITIONS), 5)
    age = np.minimum(years.age[:, SYMPHONY_YEAR] // 5, AGE_BANDS - 1)
    total, inpatient = np.zeros(len(people)), np.zeros(len(people))
    made: Tallies = {}
    for name, contacts in history.use.streams.items():
        within = (contacts.day >= YEAR_STARTS[SYMPHONY_YEAR]) & (contacts.day <= YEAR_ENDS[SYMPHONY_YEAR])
        cost = _sums(contacts.person[within], len(people), costs_of(name, contacts)[within])
        total += cost
        if name in INPATIENT:
            inpatient += cost
            nights = _nights(contacts)[within]
            ages = years.age[contacts.person[within], SYMPHONY_YEAR]
            made[f"stays {name}"] = np.array([within.sum(), nights.sum(), nights[ages >= 80].sum(), cost.sum()], float)
        counted = within & is_of_practitioner(contacts.code) if name == "primary_care" else within
        made[f"contacts {name}"] = _sums(age[contacts.person[counted]], AGE_BANDS)
        made[f"cost {name}"] = _sums(band[there], CONDITION_BANDS, cost[there])
    made["person_years"] = _sums(age, AGE_BANDS, years.days[:, SYMPHONY_YEAR] / DAYS_IN_YEAR)
    for name, group, size in (("band", band, CONDITION_BANDS), ("age", age, AGE_BANDS), ("priority", priority, 6)):
        made[f"{name} n"] = _sums(group[there], size)
        made[f"{name} cost"] = _sums(group[there], size, total[there])
    squares = [
        total[there] ** 2,
        band[there] ** 2,
        band[there] * total[there],
        age[there] ** 2,
        age[there] * total[there],
    ]
    made["squares"] = np.array([part.sum() for part in squares])
    made["band inpatient"] = _sums(band[there], CONDITION_BANDS, inpatient[there])
    made["largest"] = np.array([_largest_person_year(history)])
    made["two or more"] = np.array([(there & (people.male == sex) & (band >= 2)).sum() for sex in (0, 1)], float)
    made["by sex"] = np.array([(there & (people.male == sex)).sum() for sex in (0, 1)], float)
    return made | _flows(history) | _programme(history)


def _held(history: History, names: tuple[str, ...]) -> NDArray[np.int64]:
    """Conditions of these that each person has by the end of the year."""
    listed = np.isin(np.array(CONDITION_NAMES), names)[history.onsets.condition]
    begun = listed & (history.onsets.day <= YEAR_ENDS[SYMPHONY_YEAR])
    return np.bincount(history.onsets.person[begun], minlength=len(history.people))


def _largest_person_year(history: History) -> float:
    total = np.zeros(len(history.people) * YEARS)
    for name, contacts in history.use.streams.items():
        cell = contacts.person * YEARS + np.searchsorted(YEAR_ENDS, contacts.day)
        total += np.bincount(cell, costs_of(name, contacts), minlength=len(total))
    return float(total.max(initial=0.0))


def _flows(history: History) -> Tallies:
    """Births, deaths, moves in and out over the whole period, and person-years."""
    people, departures = history.people, history.departures
    later = people.entered > START
    newborn = later & (people.registered == people.born)
    return {
        "flows": np.array(
            [newborn.sum(), departures.died.sum(), (later & ~newborn).sum(), departures.left.sum()], float
        ),
        "all person_years": np.array([history.years.days.sum() / DAYS_IN_YEAR]),
        "persons": np.array([float(len(people))]),
        "monthly": np.bincount(
            (
                history.use.streams["emergency"].day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
                - (2011 - 1970) * 12
            )
            % 12,
            minlength=12,
        ).astype(float),
    }


def _programme(history: History) -> Tallies:
    enrolled, last = history.enrolled, history.departures.last
    july_2016 = day_number(parameters.PERIOD_START.replace(2016, 8, 1))
    on_programme = [((enrolled <= month) & (last >= month)).sum() for month in MONTHS]
    not_yet = [
        ((history.eligible <= month) & (enrolled > month) & (last >= month) & (history.people.entered <= month)).sum()
        for month in MONTHS
    ]
    admissions = history.use.streams["emergency"]
    since = admissions.day - enrolled[admissions.person].astype(np.int64)
    # People followed for a year on either side, so that both years are whole.
    whole = (
        (enrolled < NEVER) & (history.people.entered <= enrolled - 365) & (last >= enrolled + 365) & (enrolled <= END)
    )
    counted = whole[admissions.person]
    return {
        "enrolled by July 2016": np.array([float((enrolled < july_2016).sum())]),
        "enrolled": np.array([float((enrolled < NEVER).sum())]),
        "on programme": np.array(on_programme, float),
        "eligible not enrolled": np.array(not_yet, float),
        "before and after": np.array(
            [
                (counted & (since >= -365) & (since < 0)).sum(),
                (counted & (since > 0) & (since <= 365)).sum(),
                whole.sum(),
            ],
            float,
        ),
    }


def added(parts: list[Tallies]) -> Tallies:
    """Add up the sums of blocks; of the largest person-year, take the largest."""
    total = {name: np.sum([part[name] for part in parts], axis=0) for name in parts[0]}
    total["largest"] = np.max([part["largest"] for part in parts], axis=0)
    return total


def _explained(n: NDArray[np.float64], cost: NDArray[np.float64], squares: float) -> float:
    """R-squared of least squares on the indicators of a grouping, in per cent."""
    people = n > 0
    mean = cost.sum() / n.sum()
    between = (cost[people] ** 2 / n[people]).sum() - n.sum() * mean**2
    return float(100 * between / (squares - n.sum() * mean**2))


def _explained_by_line(
    n: NDArray[np.float64], cost: NDArray[np.float64], squares: float, own: float, cross: float
) -> float:
    """R-squared of a straight line in the number of the band, in per cent."""
    people, values = n.sum(), np.arange(len(n))
    mean, centre = cost.sum() / people, (n * values).sum() / people
    covariance = cross / people - mean * centre
    return float(100 * covariance**2 / ((own / people - centre**2) * (squares / people - mean**2)))


def figures(t: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return the figures that follow from the sums of a study."""
    n, cost = t["band n"], t["band cost"]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = cost / n
        inpatient = t["band inpatient"] / n
    people = n.sum()
    k = t["priority n"]
    any_priority = k[1:].sum()
    squares = t["squares"]
    made = {
        "people_registered": people,
        "variance_by_conditions": _explained(n, cost, squares[0]),
        "variance_by_age": _explained(t["age n"], t["age cost"], squares[0]),
        "variance_by_conditions_line": _explained_by_line(n, cost, squares[0], squares[1], squares[2]),
        "variance_by_age_line": _explained_by_line(t["age n"], t["age cost"], squares[0], squares[3], squares[4]),
        "mean_cost": cost.sum() / people,
        "mean_cost_one": means[1],
        "mean_cost_seven": means[7],
        "ratio_seven_to_one": means[7] / means[1],
        "inpatient_share_of_gradient": 100 * (inpatient[7] - inpatient[1]) / (means[7] - means[1]),
        "share_three_of_eight": 100 * k[3:].sum() / people,
        "cost_share_three_of_eight": 100 * t["priority cost"][3:].sum() / cost.sum(),
        "one_of_any": 100 * k[1] / any_priority,
        "two_of_any": 100 * k[2] / any_priority,
        "three_of_any": 100 * k[3] / any_priority,
        "four_of_any": 100 * k[4] / any_priority,
        "five_of_any": 100 * k[5] / any_priority,
        "two_or_more": 100 * n[2:].sum() / people,
        "two_or_more_women": 100 * t["two or more"][0] / t["by sex"][0],
        "two_or_more_men": 100 * t["two or more"][1] / t["by sex"][1],
        "largest_person_year": t["largest"][0],
    }
    london = north_west_london_2011()
    for name in ("primary_care", "outpatient", "attendance", "elective", "emergency"):
        rate = t[f"contacts {name}"] / t["person_years"]
        made[f"{name}_in_london"] = float((rate * london).sum() / london.sum())
        made[f"{name}_here"] = t[f"contacts {name}"].sum() / t["person_years"].sum()
    made |= _beds(t)
    years = t["all person_years"][0]
    for name, flow in zip(("births", "deaths", "moves_in", "moves_out"), t["flows"], strict=True):
        made[name] = 1000 * flow / years
    made["ever_registered"] = t["persons"][0]
    scale = 114_874 / people
    made["enrolled_by_july_2016"] = t["enrolled by July 2016"][0] * scale
    made["enrolled_by_end"] = t["enrolled"][0] * scale
    on, off = t["on programme"], t["eligible not enrolled"]
    made["fewest_controls"] = float((off[on > 0] / on[on > 0]).min()) if (on > 0).any() else float("nan")
    before, after, _ = t["before and after"]
    made["before_after_change"] = 100 * (after / before - 1) if before else float("nan")
    made["winter_to_summer"] = t["monthly"][[11, 0, 1]].sum() / t["monthly"][[5, 6, 7]].sum()
    return {name: float(value) for name, value in made.items()}


def _beds(t: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    stays = np.array([t[f"stays {name}"] for name in INPATIENT])
    years = t["person_years"].sum()
    number, nights, older, cost = stays.sum(axis=0)
    made = {
        "bed_days": nights / years,
        # Beds that as many people as Symphony's would fill were they there all year, at the stated occupancy.
        "beds": nights / years * 114_874 / (365 * parameters.OCCUPANCY),
        "bed_days_at_80": 100 * older / nights,
        "admissions": number / years,
        "mean_stay": nights / number,
        "inpatient_cost": cost / years,
    }
    expected = 0.0
    for name, (own, own_nights, _, _) in zip(INPATIENT, stays, strict=True):
        made[f"{name}_stay"] = own_nights / own
        factors = np.array([[kind.share, kind.cost] for kind in CONTACTS[name]])
        factor = (factors[:, 0] * factors[:, 1]).sum() / factors[:, 0].sum()
        fixed, a_day = parameters.STAY_FIXED_COST[name], parameters.STAY_COST_PER_DAY[name]
        expected += factor * own * (fixed + a_day * own_nights / own) / years
    made["inpatient_cost_by_identity"] = expected
    return made
