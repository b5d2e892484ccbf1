"""Risk sets: everybody who enrolled, and who could have been a control of theirs on the day they did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.cohort.candidates import (
    SAME_PRACTICES,
    Eligible,
    draw_candidates,
    eligible_people,
    exact_names,
    first_enrolments,
)
from symphony_research.cohort.follow_up import Steps, governing_day, provenance_of_period
from symphony_research.cohort.history import Measured, measured_before
from symphony_research.cohort.periods import EPOCH
from symphony_research.cohort.rows import PersonRows
from symphony_research.errors import ArgumentError, NotEstimableError, require_one_of
from symphony_research.result import Provenance
from symphony_research.study import Study
from symphony_research.words.phrases import joined

__all__ = ["EPOCH", "RiskSets", "risk_sets_of"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]
MOST_ROWS = 1_000_000  # of all risk sets together: some 4 GB with what is measured of each
NEVER = 2**31


@dataclass(frozen=True, eq=False, repr=False)
class RiskSets:
    """Everybody who enrolled, and the candidates on the day they did; one row each, the enrolled first in order of sets.

    Attributes
    ----------
    n_sets : int
        Enrolled people; set k is that of the person in row k.
    set, person, day : arrays
        Of each row: its set, the place of the person in `eligible.people`, time zero in days from 1 January 1970.
    since, until : arrays
        First and last day on which each is alive, registered, and recorded.
    enrols : array
        Day on which a candidate enrols later, or `NEVER`.
    share : array
        Of each row, the part of its set's candidates that was drawn.
    measured : Measured
        The covariates, of days before time zero.
    """

    rows: PersonRows = field(repr=False)
    eligible: Eligible = field(repr=False)
    n_sets: int
    set: Whole = field(repr=False)
    person: Whole = field(repr=False)
    day: Whole = field(repr=False)
    since: Whole = field(repr=False)
    until: Whole = field(repr=False)
    enrols: Whole = field(repr=False)
    share: Array = field(repr=False)
    measured: Measured = field(repr=False)
    steps: tuple[tuple[str, int], ...]
    asked: MappingProxyType[str, Any]
    provenance: Provenance
    enrolled: pl.DataFrame = field(repr=False)

    @property
    def treated(self) -> NDArray[np.bool_]:
        """Which rows are of enrolled people."""
        return np.arange(len(self.set)) < self.n_sets

    def __repr__(self) -> str:
        return "RiskSets (person rows are not shown)"


def risk_sets_of(
    rows: PersonRows,
    *,
    exact: Sequence[str] | None,
    practices: str,
    candidates: int,
    seed: int,
) -> RiskSets:
    """Return the candidates of each enrolled person on the day they enrolled; the arguments are those of `match_controls`.

    Raises
    ------
    ArgumentError
        If the cohort is not one of enrolment, or nobody is observed after the day they enrolled.
    """
    study = rows.study
    if rows.rules.get("index") != "enrolment":
        raise ArgumentError(
            "Controls are matched on the day people enrolled: define the cohort by a programme, such as "
            "sr.define_cohort(study, programme='complex_care')."
        )
    require_one_of(practices, SAME_PRACTICES, argument="practices")
    if type(candidates) is not int or candidates < 1:
        raise ArgumentError(f"candidates={candidates!r} must be an integer number of people a risk set, at least 1.")
    names = exact_names(rows, exact)
    first = first_enrolments(rows)
    last = governing_day(study, "activity", "enrolments", until=None)
    steps = Steps()
    people = rows.people.join(first, on="person_id", how="left")
    people = steps.keep(
        people, pl.col("index_date") == pl.col("enrolled_on"), "on the programme before, with another hub"
    )
    people = people.with_columns(pl.min_horizontal("exit_date", pl.lit(last)).alias("__until"))
    people = steps.keep(people, pl.col("__until") > pl.col("index_date"), "not observed after the day they enrolled")
    if not people.height:
        raise NotEstimableError(
            "Nobody of the cohort is observed after the day they enrolled, so that there is nobody to match.",
            "Nobody is observed after the day they enrolled",
        )
    eligible = eligible_people(rows, first)
    place = eligible.people.select("person_id", pl.col("__person").cast(pl.Int64).alias("person"))
    enrolled = (
        people.join(place, on="person_id", how="left")
        .with_columns(pl.col("index_date").cast(pl.Int32).cast(pl.Int64).alias("day"))
        .sort("day", "person")
    )
    random = np.random.default_rng(seed)
    # in a programme of thousands each set needs fewer, and a study of millions would not fit
    most = min(candidates, max(1, MOST_ROWS // enrolled.height))
    drawn = draw_candidates(rows, eligible, enrolled, exact=names, practices=practices, most=most, random=random)
    until = np.minimum(eligible.until[drawn.spell], (last - EPOCH).days)
    day = enrolled["day"].to_numpy()
    seen = until > day[drawn.set]  # as is asked of the enrolled
    set_, spell = drawn.set[seen], drawn.spell[seen]
    n = enrolled.height
    later = eligible.people.join(first, on="person_id", how="left")["enrolled_on"]
    enrols = later.cast(pl.Int32).cast(pl.Int64).fill_null(NEVER).to_numpy()
    person = np.concatenate([enrolled["person"].to_numpy(), eligible.person[spell]])
    days = np.concatenate([day, day[set_]])
    met = None
    if rows.rules.get("min_conditions"):
        met = np.concatenate([_eligible_since(eligible, enrolled, day), eligible.since[spell]])
    measured = measured_before(study, eligible.people, person, days, met)
    asked = {"exact": list(names), "practices": practices, "candidates": candidates, "seed": seed}
    provenance = _provenance(rows, study, last, enrolled, measured)
    return RiskSets(
        rows, eligible, n, np.concatenate([np.arange(n), set_]), person, days, _observed_since(study, eligible, enrolled, spell),
        np.concatenate([enrolled["__until"].cast(pl.Int32).cast(pl.Int64).to_numpy(), until[seen]]),
        np.concatenate([np.full(n, NEVER), enrols[eligible.person[spell]]]),
        np.concatenate([np.ones(n), drawn.share[set_]]), measured, tuple(steps.rows), MappingProxyType(asked),
        provenance, enrolled.select("person_id", "person", "day", "hub"),
    )  # fmt: skip


def _eligible_since(eligible: Eligible, enrolled: pl.DataFrame, day: Whole) -> Whole:
    """Return since when the enrolled were eligible; on the day itself where nothing was known the day before."""
    since = np.full(eligible.people.height, np.iinfo(np.int64).max)
    np.minimum.at(since, eligible.person, eligible.since)
    return np.minimum(since[enrolled["person"].to_numpy()], day)


def _observed_since(study: Study, eligible: Eligible, enrolled: pl.DataFrame, spell: Whole) -> Whole:
    """Return the first day of unbroken registration of each row, or that of the records if it is later."""
    start = (study.period[0] - EPOCH).days
    own = enrolled["registered_since"].cast(pl.Int32).cast(pl.Int64).fill_null(start).to_numpy()
    return np.maximum(np.concatenate([own, eligible.observed[spell]]), start)


def _provenance(rows: PersonRows, study: Study, last: Any, enrolled: pl.DataFrame, measured: Measured) -> Provenance:
    provenance = provenance_of_period(rows, "activity", "enrolments", last=last, comparison="with matched controls")
    said = [provenance.note] if provenance.note else []
    if study.enrolments.select((pl.col("start_date").dt.day() == 1).all()).collect().item():
        said.append("Enrolment is known by month: the first of the month stands for the day.")
    if measured.missing:
        said.append(f"Not recorded, and not matched on: {joined(list(measured.missing))}.")
    return replace(provenance, note=" ".join(said))
