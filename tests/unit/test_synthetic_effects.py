"""What programmes do in the generator: set by the caller, exact in the rates, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from symphony_research.errors import ArgumentError
from symphony_research.synthetic import generate_tables, parameters
from symphony_research.synthetic.effects import OUTCOMES, PROGRAMMES, Effects
from symphony_research.synthetic.exposure import COACH, STREAM_OUTCOMES, practice_starts
from symphony_research.synthetic.history import draw_history
from symphony_research.synthetic.plan import PROFILES, Plan

STRONG = Effects.of(
    {
        "complex_care": {"emergency_admissions": [0.5, 1.5], "community": [1.5], "quality_of_life": [0.1]},
        "enhanced_primary_care": {"outpatient": [1.2], "secondary_care_cost": [0.0]},
        "health_coaching": {"general_practitioner": [0.7]},
    }
)


@pytest.fixture(scope="module")
def worlds():
    """The same people with every programme acting, with none, and with complex care alone."""
    plan = Plan(4, PROFILES["calibrated"], STRONG)
    acting = {"all": PROGRAMMES, "none": (), "care": ("complex_care",)}
    return {name: [draw_history(replace(plan, acting=of), k, 16_384) for k in range(6)] for name, of in acting.items()}


# ------------------------------------------------------------------ asking for effects


def test_effects_named_replace_the_defaults_and_leave_the_others():
    effects = Effects.of({"complex_care": {"emergency_admissions": 0.9}})
    assert effects.by_year("complex_care", "emergency_admissions") == (0.9,)
    assert effects.by_year("enhanced_primary_care", "secondary_care_cost") == (45.0,)
    assert effects.by_year("complex_care", "outpatient") == (1.0,)
    assert effects.by_year("complex_care", "quality_of_life") == (0.0,)
    assert not effects.are_default
    assert Effects.of({"complex_care": {"emergency_admissions": (1.05, 1.02, 1.0)}}).are_default


def test_pounds_are_a_ratio_of_planned_care():
    # GBP 45 on planned care of GBP 180 a person-year: 45 / 180 = 0.25, beside the outcome's own ratio of 1.2 or of 1.
    effects = Effects.of({"enhanced_primary_care": {"secondary_care_cost": [45.0], "outpatient": [1.2]}})
    assert effects.ratios("enhanced_primary_care", "outpatient", 180.0) == (1.45,)
    assert effects.ratios("enhanced_primary_care", "elective_admissions", 180.0) == (1.25,)
    assert effects.ratios("enhanced_primary_care", "emergency_admissions", 180.0) == (1.0,)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"complex_car": {}}, "Did you mean 'complex_care'"),
        ({"complex_care": {"emergency_admission": [1.0]}}, "Did you mean 'emergency_admissions'"),
        ({"complex_care": {"outpatient": [-0.1]}}, "from 0 to 1.5"),
        ({"complex_care": {"outpatient": [float("nan")]}}, "from 0 to 1.5"),
        ({"complex_care": {"outpatient": []}}, "nothing given"),
        ({"complex_care": {"outpatient": ["a"]}}, "from 0 to 1.5"),
        ({"complex_care": {"outpatient": None}}, "None given"),
        ({"complex_care": {"outpatient": "0.9"}}, "from 0 to 1.5"),
        ({"complex_care": {"outpatient": [1.0] * 8}}, "at most 7"),
        ({"complex_care": {"quality_of_life": [3.0]}}, "from -1 to 1"),
        ({"complex_care": {"secondary_care_cost": [45.0]}}, "takes no secondary_care_cost"),
        ({"enhanced_primary_care": {"secondary_care_cost": [-400.0]}}, "from -300 to 500"),
        ({"complex_care": [1.0]}, "must map outcomes"),
        (["complex_care"], "must map programmes"),
        ({"health_coaching": {"quality_of_life": [0.1]}}, "cannot change quality_of_life"),
    ],
)
def test_wrong_effects_are_refused(asked, said):
    with pytest.raises(ArgumentError, match=said):
        Effects.of(asked)


# ------------------------------------------------------------------ what they do


def of_stream(histories, stream):
    return [(h, h.use.streams[stream]) for h in histories]


def count(histories, stream, chosen):
    return sum(int(chosen(h, c).sum()) for h, c in of_stream(histories, stream))


def test_the_same_people_live_in_every_world(worlds):
    for with_, without in zip(worlds["all"], worlds["none"], strict=True):
        assert (with_.departures.last == without.departures.last).all()
        assert (with_.onsets.day == without.onsets.day).all()
        for stream in set(with_.use.streams) - set(STREAM_OUTCOMES):
            assert (with_.use.streams[stream].day == without.use.streams[stream].day).all(), stream


def test_the_rate_ratio_is_the_one_set_in_each_year_since_enrolment(worlds):
    def year(history, contacts):
        since = contacts.day - history.enrolled[contacts.person].astype(np.int64)
        return np.where(since > 0, np.ceil(since / 365.25), 0)

    for number, ratio in ((0, 1.0), (1, 0.5), (2, 1.5)):
        # Complex care alone, against none: enrolment is then the same in both worlds.
        with_ = count(worlds["care"], "emergency", lambda h, c, n=number: year(h, c) == n)
        without = count(worlds["none"], "emergency", lambda h, c, n=number: year(h, c) == n)
        if number == 0:
            assert with_ == without
        else:
            # Kept or added one by one: the difference is binomial; five standard errors of it.
            error = 5 * np.sqrt(without * (abs(ratio - 1) if ratio > 1 else ratio * (1 - ratio)))
            assert abs(with_ - ratio * without) <= error
            assert without > 100


def test_practices_reached_see_the_ratio_from_the_day_they_are(worlds):
    def reached(history, contacts):
        practice = history.people.practice_on(contacts.person, contacts.day)
        return contacts.day >= practice_starts()["enhanced_primary_care"][practice]

    with_ = count(worlds["all"], "outpatient", reached)
    without = count(worlds["none"], "outpatient", reached)
    assert with_ == pytest.approx(1.2 * without, abs=5 * np.sqrt(0.2 * 0.8 * without))
    unreached = [count(worlds[w], "outpatient", lambda h, c: ~reached(h, c)) for w in ("all", "none")]
    assert unreached[0] == unreached[1]


def test_contacts_saved_become_contacts_with_a_coach(worlds):
    total = [count(worlds[w], "primary_care", lambda h, c: c.code >= 0) for w in ("all", "none")]
    coached = count(worlds["all"], "primary_care", lambda h, c: c.code == COACH)
    practitioner = [count(worlds[w], "primary_care", lambda h, c: c.code <= 2) for w in ("all", "none")]
    # One coach for each practitioner's contact saved, so all contacts stay as many.
    assert total[0] == total[1]
    assert practitioner[1] - practitioner[0] == coached > 1000
    assert count(worlds["none"], "primary_care", lambda h, c: c.code == COACH) == 0


def test_all_contacts_saved_become_contacts_with_a_coach():
    plan = Plan(4, PROFILES["calibrated"], Effects.of({"health_coaching": {"general_practitioner": 0}}))
    with_, without = (draw_history(replace(plan, acting=acting), 0, 16_384) for acting in (PROGRAMMES, ()))
    assert len(with_.use.streams["primary_care"]) == len(without.use.streams["primary_care"])


def test_points_are_added_to_measures_after_enrolment(worlds):
    for with_, without in zip(worlds["care"], worlds["none"], strict=True):
        assert (with_.outcomes.day == without.outcomes.day).all()
        half = len(with_.outcomes.value) // 2  # quality of life first, then patient activation
        change = with_.outcomes.value - without.outcomes.value
        after = with_.outcomes.day > with_.enrolled[with_.outcomes.person]
        # At most 0.1, where the index is cut at 1; surveys of the people enrolled are not the programme's.
        assert change[:half].max() == pytest.approx(0.1, abs=0.0011)
        assert (change[:half][~after[:half]] == 0).all()
        assert (change[half:] == 0).all()


def test_enrolment_does_not_hang_on_the_programme_it_leads_to(worlds):
    for with_, without in zip(worlds["care"], worlds["none"], strict=True):
        assert (with_.enrolled == without.enrolled).all()


def test_three_eligible_people_are_left_for_each_enrolled():
    # By hand from the tables, at the first of each month: eligible, registered, never enrolled by then.
    tables = generate_tables(114_874, seed=3)
    held = tables["conditions"].filter(pl.col("condition").is_in(parameters.PRIORITY_CONDITIONS))
    third = held.group_by("person_id").agg(pl.col("onset_date").sort().get(2, null_on_oob=True)).drop_nulls()
    spells = (
        tables["registrations"]
        .group_by("person_id")
        .agg(pl.col("start_date").min(), pl.col("end_date").fill_null(parameters.PERIOD_END).max())
    )
    people = third.join(spells, on="person_id").join(
        tables["enrolments"].select("person_id", pl.col("start_date").alias("enrolled")), on="person_id", how="left"
    )
    months = [date(year, month, 1) for year in (2015, 2016, 2017) for month in range(1, 13)]
    for month in months:
        there = people.filter(
            (pl.col("start_date") <= month) & (pl.col("end_date") >= month) & (pl.col("onset_date") <= month)
        )
        on = (there["enrolled"] <= month).sum()
        assert there.height - on >= 3 * on, month
    # Enough people at every hub to report on.
    assert tables["enrolments"]["hub"].value_counts()["count"].min() >= 20
    by_july = tables["enrolments"].filter(pl.col("start_date") < date(2016, 8, 1)).height
    # Published: 230 by July 2016; a Poisson number within five standard deviations.
    assert abs(by_july - 230) <= 5 * np.sqrt(230)


def test_every_outcome_can_be_set():
    measures = {"secondary_care_cost", "quality_of_life", "patient_activation"}
    assert set(STREAM_OUTCOMES.values()) | measures == set(OUTCOMES)
