"""When controls could have enrolled themselves: their days at risk of it in short steps, and what they had used before each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.cohort.candidates import Eligible
from symphony_research.cohort.history import measured_before
from symphony_research.cohort.matched import Matched
from symphony_research.cohort.risk_sets import EPOCH, RiskSets
from symphony_research.study import Study

__all__ = ["STEP_DAYS", "EnrolmentSteps", "enrolment_steps"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
STEP_DAYS = 30
_APART = 1 << 22  # days, more than between any two
HALF_YEAR = 182.625


@dataclass(frozen=True, eq=False, repr=False)
class EnrolmentSteps:
    """Controls' time at risk of enrolling, in steps of at most `STEP_DAYS` days; sorted by stay and day.

    A stay is unbroken registration of a control from their first time zero in it. Days are counted from 1 January 1970.

    Attributes
    ----------
    stay, person : arrays
        Of each step.
    first, last : arrays
        First and last day of the step.
    exposure : array
        Its days on which somebody could enrol: with a hub that had begun to.
    enrolled : array
        Whether the person enrolled on its last day.
    covariates : (n, p) array
        Of days before the first, and the half-year.
    of_row : array
        The stay of each row of the risk sets; -1 of rows that are no control.
    """

    stay: Whole = field(repr=False)
    person: Whole = field(repr=False)
    first: Whole = field(repr=False)
    last: Whole = field(repr=False)
    exposure: Array = field(repr=False)
    enrolled: Array = field(repr=False)
    covariates: Array = field(repr=False)
    of_row: Whole = field(repr=False)

    def __repr__(self) -> str:
        return "EnrolmentSteps (person rows are not shown)"


def enrolment_steps(matched: Matched, horizon: int) -> EnrolmentSteps:
    """Return the steps of the controls, from their first time zero to `horizon` days after their last, death or leaving."""
    sets = matched._sets
    row = np.flatnonzero((matched._weight > 0) & ~sets.treated)
    person, day, until, enrols = sets.person[row], sets.day[row], sets.until[row], sets.enrols[row]
    key, stay = np.unique(person * _APART + until, return_inverse=True)
    size = len(key)
    entry, end, own = np.full(size, np.iinfo(np.int64).max), np.zeros(size, np.int64), np.zeros(size, np.int64)
    np.minimum.at(entry, stay, day)
    np.maximum.at(end, stay, day + horizon)
    own[stay] = enrols
    end = np.minimum(np.minimum(end, key % _APART), own)
    of_row = np.full(len(sets.set), -1)
    of_row[row] = stay
    number = np.maximum(-(-(end - entry) // STEP_DAYS), 0)
    of = np.repeat(np.arange(size), number)
    k = np.arange(len(of)) - np.repeat(np.cumsum(number) - number, number)
    first = entry[of] + 1 + STEP_DAYS * k
    last = np.minimum(first + STEP_DAYS - 1, end[of])
    who = key[of] // _APART
    opened = _opened(matched, who, first)
    since = None
    if sets.rows.rules.get("min_conditions"):
        since = np.full(sets.eligible.people.height, np.iinfo(np.int64).max)
        np.minimum.at(since, sets.eligible.person, sets.eligible.since)
        since = since[who]
    measured = measured_before(sets.rows.study, sets.eligible.people, who, first, since)
    return EnrolmentSteps(
        of, who, first, last,
        np.clip(last - np.maximum(first, opened) + 1, 0, None).astype(float),
        (own[of] == last).astype(float),
        np.column_stack([measured.values, _sex(sets.eligible, who), *_half_years(first)]),
        of_row,
    )  # fmt: skip


def _opened(matched: Matched, person: Whole, day: Whole) -> Whole:
    """Return the first day on which somebody enrolled with the hub of each person's practice, or with any where that is not known."""
    sets = matched._sets
    study, programme = sets.rows.study, sets.rows.rules.get("programme")
    spells = study.enrolments if programme is None else study.enrolments.filter(pl.col("programme") == programme)
    begun = spells.group_by(pl.col("hub").cast(pl.String)).agg(pl.col("start_date").min()).collect(engine="streaming")
    first = {hub: (start - EPOCH).days for hub, start in begun.iter_rows()}
    anywhere = min(first.values())
    of_practice = np.array([first.get(hub, anywhere) for hub in _hub_of_practices(study, sets.eligible)] + [anywhere])
    return of_practice[_practice_on(sets, person, day)]


def _hub_of_practices(study: Study, eligible: Eligible) -> list[Any]:
    hubs: dict[Any, Any] = {}
    if study.has("practices"):
        hubs = dict(study.practices.select("practice_id", pl.col("hub").cast(pl.String)).collect().iter_rows())
    return [hubs.get(practice) for practice in eligible.practices]


def _practice_on(sets: RiskSets, person: Whole, day: Whole) -> Whole:
    """Return the number of the practice of each person in the spell that began last by a day; -1 where none is known."""
    eligible = sets.eligible
    key = eligible.person * _APART + eligible.first
    at = np.maximum(np.searchsorted(key, person * _APART + day, side="right") - 1, 0)
    return np.where(eligible.person[at] == person, eligible.practice[at], -1)


def _sex(eligible: Eligible, person: Whole) -> Array:
    return (eligible.people["sex"].cast(pl.String) == "M").to_numpy()[person].astype(float)


def _half_years(day: Whole) -> list[Array]:
    """Return whether a day is in each half-year but the first."""
    half = np.floor((day - day.min(initial=np.iinfo(np.int64).max)) / HALF_YEAR).astype(int) if len(day) else day
    return [(half == k).astype(float) for k in range(1, int(half.max(initial=0)) + 1)]
