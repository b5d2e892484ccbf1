"""The effect with controls censored when they enrol, released beside that with controls kept: who enrolled later is not told.

The worlds: controls of weight one, of whom so many enrol so many days after time zero. The attacker knows the rules and that nobody
is enrolled for longer than the window.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from study import POLICIES

import symphony_research as sr
from symphony_research.cohort.matched import Matched
from symphony_research.cohort.risk_sets import NEVER

HORIZON = 365
NAMES = ("nhs_england", "sacro", "opensafely")


@pytest.fixture(scope="module")
def matched() -> Matched:
    """Enrolled people, each with one control of their own."""
    example = sr.example_study(20_000)
    cohort = sr.define_cohort(example, programme="complex_care")
    return sr.evaluation.match_controls(example, cohort, ratio=1, replacement=False, caliper=None, seed=1)


def world(matched: Matched, people: int, day: int) -> Matched:
    """The same people, of whom so many controls enrol on a day after time zero."""
    sets = matched._sets
    controls = np.flatnonzero((matched._weight > 0) & ~sets.treated & (sets.until - sets.day >= HORIZON))
    enrols = np.full(len(sets.enrols), NEVER)
    enrols[controls[:people]] = sets.day[controls[:people]] + day
    return replace(matched, _sets=replace(sets, enrols=enrols))


def results_of(matched: Matched) -> dict[str, sr.Result]:
    return {
        how: sr.evaluation.enrolment_effect(matched, later_enrolment=how, resamples=2) for how in ("kept", "censored")
    }


def fewest_by_days(kept: pl.DataFrame, censored: pl.DataFrame) -> int:
    """How many enrolled later at least, by the days that controls lose when they are censored; days are shown to three figures."""
    days = [frame.filter(pl.col("arm") == "controls")["mean_days"].item() for frame in (kept, censored)]
    if None in days:
        return 0
    controls = kept.filter(pl.col("arm") == "controls")["n_persons"].item() - 2
    return int(np.ceil((days[0] - days[1] - 1) * controls / HORIZON))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("people", [1, 4, 7])
def test_a_suppressed_number_who_enrol_later_keeps_its_possible_values(
    matched: Matched, people: int, name: str
) -> None:
    policy = POLICIES[name]
    if people > policy.threshold:
        pytest.skip("shown under this rule")
    released = sr.suppress(results_of(world(matched, people, 2)), policy)
    tables = {how: one.count_tables for how, one in released.items()}
    assert all(own["later"]["n_persons"].item() is None for own in tables.values())
    assert all(own["later"].select("share_enrolled", "median_days").row(0) == (None, None) for own in tables.values())
    least = max(1, fewest_by_days(tables["kept"]["arms"], tables["censored"]["arms"]))
    assert policy.threshold - least + 1 >= min(policy.rounding, policy.threshold)
    assert tables["kept"]["arms"]["mean_days"].null_count() == 0
    # figures of the enrolled, and the counts, are the same in both
    assert tables["kept"]["arms"].row(0) == tables["censored"]["arms"].row(0)
    counts = ["n_persons", "n_with_event", "n_deaths"]
    assert tables["kept"]["arms"].select(counts).equals(tables["censored"]["arms"].select(counts))


def test_the_attack_finds_them_by_days_that_are_not_suppressed(matched: Matched) -> None:
    exact = results_of(world(matched, 7, 2))
    assert fewest_by_days(exact["kept"].count_tables["arms"], exact["censored"].count_tables["arms"]) >= 6


def test_where_the_number_is_shown_or_nobody_enrols_days_are_shown(matched: Matched) -> None:
    for people, shown in ((20, 20), (0, 0)):
        released = sr.suppress(results_of(world(matched, people, 100)), POLICIES["nhs_england"])
        later = released["censored"].count_tables["later"]["n_persons"].item()
        assert later == shown
        assert released["censored"].arms["mean_days"].null_count() == 0
        assert released["censored"].sentence()


def test_words_of_one_suppressed_number_are_those_of_another(matched: Matched) -> None:
    """Whoever reads the sentence learns nothing of how many enrolled later: it is that of any other suppressed number."""
    said = {
        tuple(
            released.sentence().split(". ")[-1]
            for released in sr.suppress(results_of(world(matched, k, 364)), POLICIES["nhs_england"]).values()
        )
        for k in (1, 3, 7)
    }
    assert len(said) == 1
