"""Enrolled people and controls that are matched within risk sets: held, and shown to nobody."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.cohort.attrition import Attrition, attrition_of
from symphony_research.cohort.events import EVENTS, require_recorded, why_not_recorded
from symphony_research.cohort.history import Counter, closed_days, pence_by_day
from symphony_research.cohort.people import Cohort
from symphony_research.cohort.periods import (
    PeriodRows,
    counted_by_period,
    dated_events,
    people_among,
    require_recurrent,
)
from symphony_research.cohort.risk_sets import RiskSets
from symphony_research.cohort.strata import BROAD, with_strata
from symphony_research.errors import NotEstimableError, require_one_of
from symphony_research.result import Provenance

__all__ = [
    "GROUPS",
    "Matched",
    "OutcomeRows",
    "cost_times",
    "event_times",
    "groups_of",
    "matched_of",
    "outcome_rows",
    "period_rows",
    "why_absent",
]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
GROUPS = (
    "hub",
    "sex",
    "age_band",
    "n_conditions_band",
    "deprivation_quintile",
    *BROAD,
)  # by which effects are compared


@dataclass(frozen=True, eq=False, repr=False)
class Matched:
    """Enrolled people and controls comparable with them on the day they enrolled. Make one with `evaluation.match_controls`.

    It holds person rows and shows none of them: estimators of `evaluation` read it (decision 8).

    Attributes
    ----------
    attrition : Attrition
        How many of the enrolled have no controls, and why.
    settings : mapping
        How they were matched.
    """

    attrition: Attrition
    settings: MappingProxyType[str, Any]
    _sets: RiskSets = field(repr=False)
    _weight: Array = field(
        repr=False
    )  # of each row: enrolled people 1 where they have controls, whose weights then add up to 1
    _score: Array = field(repr=False)  # by which they were matched, on the logit scale
    _scored: tuple[Array, Array] | None = field(
        repr=False, default=None
    )  # people's influence on the score, and how the weights move

    @property
    def provenance(self) -> Provenance:
        """Where the people come from."""
        return self._sets.provenance

    @property
    def matched_days(self) -> int:
        """How many days before time zero were counted by window and matched on; what came earlier, as one total."""
        return closed_days(self._sets.measured)

    def without_controls(self) -> Cohort:
        """Return the enrolled people without comparable controls, to be described: no effect is said of them."""
        return self._part(self._weight[: self._sets.n_sets] == 0, "without comparable controls")

    def with_controls(self) -> Cohort:
        """Return the enrolled people with comparable controls: those whom an effect is of."""
        return self._part(self._weight[: self._sets.n_sets] > 0, "with comparable controls")

    def _part(self, which: NDArray[np.bool_], words: str) -> Cohort:
        sets = self._sets
        people = sets.rows.people.join(
            sets.enrolled.filter(pl.Series(which)).select("person_id"), on="person_id", how="semi"
        )
        rules = MappingProxyType({**sets.provenance.population, "controls": words})
        rows = replace(sets.rows, people=people, rules=rules)
        provenance = replace(sets.provenance, population=dict(rules))
        attrition = attrition_of([], people.height, start=f"enrolled, {words}", criteria=[], **provenance.as_settings())
        return Cohort(attrition, rows)

    def __repr__(self) -> str:
        return f"Matched by {self.settings['score']} (confidential: person rows)"


@dataclass(frozen=True, eq=False, repr=False)
class OutcomeRows:
    """What happened to matched people: one row each of an enrolled person or a control with a weight.

    Attributes
    ----------
    row : array
        The row of the risk sets.
    treated, weight, person, set : arrays
    days : array
        Days at risk in the window.
    events : array
        Events in it, while at risk.
    enrolled_days : array
        Days of a control's window after they enrolled themselves.
    """

    row: Whole = field(repr=False)
    treated: NDArray[np.bool_] = field(repr=False)
    weight: Array = field(repr=False)
    person: Whole = field(repr=False)
    set: Whole = field(repr=False)
    days: Array = field(repr=False)
    events: Array = field(repr=False)
    enrolled_days: Array = field(repr=False)

    def kept(self, which: NDArray[np.bool_]) -> OutcomeRows:
        """Return some of the rows."""
        return OutcomeRows(*(getattr(self, one.name)[which] for one in fields(self)))

    def kept_rows(self, row: Whole) -> OutcomeRows:
        """Return the rows with these numbers, which are in order."""
        return self.kept(np.isin(self.row, row))


def matched_of(
    sets: RiskSets,
    weight: Array,
    score: Array,
    settings: dict[str, Any],
    scored: tuple[Array, Array] | None,
) -> Matched:
    """Hold the rows with their weights, and say of how many enrolled people there are no controls, and why."""
    alone = np.bincount(sets.set, minlength=sets.n_sets) == 1
    none = weight[: sets.n_sets] == 0
    steps = list(sets.steps)
    for words, count in (
        ("of whom no candidate agreed on what is matched exactly", int((none & alone).sum())),
        ("without a control within the caliper", int((none & ~alone).sum())),
    ):
        if count:
            steps.append((words, count))
    digest = hashlib.sha256(repr(sorted({**sets.asked, **settings}.items())).encode()).hexdigest()[:16]
    population = {**sets.provenance.population, "matching": digest}
    provenance = replace(sets.provenance, population=population)
    sets = replace(sets, provenance=provenance)
    attrition = attrition_of(
        steps, int((~none).sum()), start="enrolled", criteria=[words for words, _ in steps], **provenance.as_settings()
    )
    return Matched(attrition, MappingProxyType({**sets.asked, **settings}), sets, weight, score, scored)


def groups_of(matched: Matched, by: str) -> tuple[pl.Series, Whole]:
    """Return the groups of enrolled people with controls, in order of their names, and the place in it of each risk set's, or -1.

    People are in the group that they were in on the day they enrolled; None is the last group, where that is not recorded.

    Raises
    ------
    ArgumentError
        If there is no such group.
    """
    require_one_of(by, GROUPS, argument="by")
    sets = matched._sets
    strata = with_strata(sets.rows, (by,), broad=True).select("person_id", by)
    own = sets.enrolled.select("person_id").join(strata, on="person_id", how="left", maintain_order="left")[by]
    used = matched._weight[: sets.n_sets] > 0
    # "under 18" is younger than "18-64"
    young = (
        own.cast(pl.String).str.starts_with("under ")
        if by.endswith("age_band")
        else pl.repeat(False, len(own), eager=True)
    )
    ordered = pl.DataFrame({"group": own, "young": young}).filter(pl.Series(used)).unique()
    names = ordered.sort(["young", "group"], descending=[True, False], nulls_last=True)["group"]
    codes = {name: k for k, name in enumerate(names.to_list())}
    return names.alias(by), np.array(
        [codes[name] if there else -1 for name, there in zip(own.to_list(), used, strict=True)]
    )


def why_absent(matched: Matched, event: str) -> str:
    """Return why the study of matched people cannot show an event, as the start of a sentence; nothing where it can."""
    return why_not_recorded(matched._sets.rows.study, event)


def outcome_rows(
    matched: Matched, event: str, *, first: int = 1, last: int = 365, candidates: bool = False
) -> OutcomeRows:
    """Return the events and days at risk of matched people from day `first` to day `last` of time zero, both included.

    Days before time zero have numbers below 0. With `candidates`, everybody of the risk sets.
    """
    sets = matched._sets
    require_one_of(event, [name for name in EVENTS if name != "readmission"], argument="outcome")
    study = sets.rows.study
    require_recorded(study, EVENTS[event])
    row = np.arange(len(sets.set)) if candidates else np.flatnonzero(matched._weight > 0)
    person, day = sets.person[row], sets.day[row]
    start, end = day + first, np.minimum(day + last, sets.until[row])
    if first < 0:
        start = np.maximum(start, sets.since[row])
    dated = dated_events(study, event, sets.eligible.people, person)
    counter = Counter(dated["__person"].to_numpy(), dated["event_date"].to_numpy())
    days = np.maximum(end - start + 1, 0)
    events = np.where(days > 0, counter.between(person, start, end), 0.0)
    after = np.clip(end - np.maximum(sets.enrols[row], start) + 1, 0, None)
    return OutcomeRows(
        row,
        sets.treated[row],
        matched._weight[row],
        person,
        sets.set[row],
        days.astype(float),
        events,
        after.astype(float),
    )


def event_times(matched: Matched, event: str, found: OutcomeRows, *, last: int) -> tuple[Whole, Array]:
    """Return every event of matched people in days 1 to `last`, while at risk: the place of its row in `found`, and the day."""
    sets = matched._sets
    dated = dated_events(sets.rows.study, event, sets.eligible.people, found.person)
    place, time, _ = _within_window(sets, found, dated["__person"].to_numpy(), dated["event_date"].to_numpy(), last)
    return place, time


def cost_times(matched: Matched, found: OutcomeRows, *, last: int) -> tuple[Whole, Array, Array]:
    """Return what matched people cost in days 1 to `last`, while at risk, by day: the place of the row, the day, and pounds.

    Raises
    ------
    NotEstimableError
        If the study records no cost.
    """
    sets = matched._sets
    study = sets.rows.study
    if not (study.has("activity") and study.recorded["costed"].any()):
        raise NotEstimableError(
            "The study records no cost of activity, so that costs cannot be compared.",
            "The study records no cost of activity",
        )
    spent = pence_by_day(study, people_among(sets.eligible.people, found.person)).filter(pl.col("pence") > 0)
    place, time, which = _within_window(sets, found, spent["__person"].to_numpy(), spent["date"].to_numpy(), last)
    return place, time, spent["pence"].to_numpy()[which] / 100


def _within_window(
    sets: RiskSets, found: OutcomeRows, person: Whole, when: Whole, last: int
) -> tuple[Whole, Array, Whole]:
    """Return what is dated in days 1 to `last` of rows, while at risk: the place of the row, the day of it, and which it is."""
    day = sets.day[found.row]
    place, which = Counter(person, when).listed(
        found.person, day + 1, day + np.minimum(found.days, last).astype(np.int64)
    )
    return place, (when[which] - day[place]).astype(float), which


def period_rows(matched: Matched, event: str, periods: Sequence[tuple[int, int]]) -> PeriodRows:
    """Return the events and days at risk of matched people by period, in days of time zero, both ends included.

    Only days on which they are registered count, before time zero as after it.
    """
    sets = matched._sets
    require_recurrent(sets.rows.study, event)
    row = np.flatnonzero(matched._weight > 0)
    person = sets.person[row]
    dated = dated_events(sets.rows.study, event, sets.eligible.people, person)
    days, events = counted_by_period(dated, person, sets.day[row], sets.since[row], sets.until[row], periods)
    return PeriodRows(sets.treated[row], matched._weight[row], person, days, events)
