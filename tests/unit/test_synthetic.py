"""The public study: its shape, what may not happen in it, and the published figures it is near."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from symphony_research.errors import ArgumentError
from symphony_research.schema import STUDY_TABLES
from symphony_research.synthetic import generate_tables, lives, parameters
from symphony_research.synthetic.calendar import YEAR_STARTS
from symphony_research.synthetic.conditions import _settle, _tables, _undone, draw_onsets
from symphony_research.synthetic.departures import draw_departures
from symphony_research.synthetic.history import draw_history
from symphony_research.synthetic.lives import draw_lives
from symphony_research.synthetic.outcomes import draw_outcomes
from symphony_research.synthetic.plan import PROFILES, Plan
from symphony_research.synthetic.residents import draw_people

YEAR = (date(2012, 4, 1), date(2013, 3, 31))


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return generate_tables(20_000, seed=7)


@pytest.fixture(scope="module")
def spans(tables) -> pl.DataFrame:
    """First and last day registered of each person, with death."""
    spells = tables["registrations"].with_columns(pl.col("end_date").fill_null(date(2018, 3, 31)))
    first_and_last = spells.group_by("person_id").agg(
        pl.col("start_date").min().alias("first"), pl.col("end_date").max().alias("last")
    )
    return first_and_last.join(tables["persons"].select("person_id", "birth_date", "death_date"), on="person_id")


@pytest.fixture(scope="module")
def year_2012(tables, spans) -> pl.DataFrame:
    """People registered in any of 2012-13: cost, conditions by its end, age in five-year bands."""
    people = spans.filter((pl.col("first") <= YEAR[1]) & (pl.col("last") >= YEAR[0]))
    held = (
        tables["conditions"]
        .filter(pl.col("onset_date") <= YEAR[1])
        .group_by("person_id")
        .agg(pl.len().alias("held"), pl.col("condition").is_in(parameters.PRIORITY_CONDITIONS).sum().alias("priority"))
    )
    cost = tables["activity"].filter(pl.col("date").is_between(*YEAR)).group_by("person_id").agg(pl.col("cost").sum())
    return (
        people.join(held, on="person_id", how="left")
        .join(cost, on="person_id", how="left")
        .with_columns(pl.col("held", "priority", "cost").fill_null(0))
        .with_columns(
            pl.col("held").clip(upper_bound=7).alias("band"),
            ((date(2012, 9, 30) - pl.col("birth_date")).dt.total_days() / 365.25 / 5).floor().clip(0, 18).alias("age"),
        )
    )


# ------------------------------------------------------------------ shape: the schema is the authority


@pytest.mark.parametrize("people", [1, 200, 20_000])
def test_every_table_of_the_schema_is_there_with_its_columns_and_types(people, tables):
    made = tables if people == 20_000 else generate_tables(people, seed=3)
    assert list(made) != []
    assert set(made) == set(STUDY_TABLES)
    kinds = {
        "identifier": lambda t: t.is_integer() or t in (pl.String, pl.Enum),
        "text": lambda t: t in (pl.String, pl.Enum),
        "date": lambda t: t == pl.Date,
        "integer": lambda t: t.is_integer(),
        "number": lambda t: t.is_numeric(),
    }
    for name, rule in STUDY_TABLES.items():
        table = made[name]
        known = [column.name for column in rule.columns]
        assert set(table.columns) <= set(known), name
        for column in rule.columns:
            if column.name not in table.columns:
                assert not column.required
                continue
            values = table[column.name]
            assert kinds[column.type](values.dtype), (name, column.name)
            if not column.nullable:
                assert values.null_count() == 0, (name, column.name)
            if column.allowed:
                assert set(values.drop_nulls().cast(pl.String).unique()) <= set(column.allowed), (name, column.name)
            if column.minimum is not None:
                assert values.is_null().all() or values.min() >= column.minimum, (name, column.name)
            if column.maximum is not None:
                assert values.is_null().all() or values.max() <= column.maximum, (name, column.name)
        key = [column for column in rule.key if column in table.columns]
        if key:
            assert table.select(key).is_duplicated().sum() == 0, name


def registered_in_2012_13(tables: dict[str, pl.DataFrame]) -> int:
    """How many people are, from the registrations: the definition of the published 114,874, written a second time."""
    begins, ends = pl.col("start_date"), pl.col("end_date").fill_null(parameters.PERIOD_END)
    return tables["registrations"].filter((begins <= YEAR[1]) & (ends >= YEAR[0]))["person_id"].n_unique()


@pytest.mark.parametrize("profile", list(PROFILES))
@pytest.mark.parametrize(("people", "seeds"), [(1, 9), (2, 3), (60, 3), (200, 3), (600, 2), (2_000, 1)])
def test_exactly_as_many_as_asked_for_are_registered_in_2012_13(people, seeds, profile):
    for seed in range(seeds):
        assert registered_in_2012_13(generate_tables(people, seed=seed, profile=profile)) == people


@pytest.mark.parametrize("people", [16_384, 16_385, 40_000])
def test_blocks_add_up_to_the_people_asked_for(people):
    made = generate_tables(people, seed=4)
    assert registered_in_2012_13(made) == people
    # Others come later or left before; a person is a row, in whatever block.
    assert made["persons"].height > people
    assert made["persons"]["person_id"].is_unique().all()


def test_drawing_until_enough_are_registered_favours_nobody():
    # Wald's identity: sums over the people drawn until 2 are registered are, in the mean, their number times the mean of
    # one person, from a sample of fixed size. To keep those who follow the last one too would add 17% of people.
    plan, blocks = Plan(5), 300
    random = plan.generators(10**6)
    people = draw_people(random["people"], 20_000, 1, frail=True)
    departures = draw_departures(random["departures"], people, draw_onsets(random["conditions"], people, PROFILES["calibrated"]), plan)  # fmt: skip
    there = (people.registered <= YEAR_STARTS[2] - 1) & (departures.last >= YEAR_STARTS[1])
    drawn = [draw_lives(plan.generators(number), plan, number, 2) for number in range(blocks)]
    for of in (
        lambda lived, until: np.ones(len(lived)),
        lambda lived, until: lived.registered > YEAR_STARTS[2],
        lambda lived, until: until.died,
        lambda lived, until: (YEAR_STARTS[0] - lived.born) / 365.25,
    ):
        sums = np.array([of(lived, until).sum() for lived, _, until in drawn])
        wanted = of(people, departures).mean() * 2 / there.mean()
        assert abs(sums.mean() - wanted) < 4 * sums.std(ddof=1) / np.sqrt(blocks)


def test_who_is_drawn_does_not_hang_on_what_happens_after_2012_13():
    moving, settled = (draw_history(Plan(6, settled_from=year), 0, 2_000) for year in (None, 2013))
    assert (moving.people.born == settled.people.born).all()
    assert (moving.people.registered == settled.people.registered).all()
    early = moving.departures.last < YEAR_STARTS[2]
    assert (early == (settled.departures.last < YEAR_STARTS[2])).all()
    assert (moving.departures.last[early] == settled.departures.last[early]).all()
    assert moving.departures.left.sum() > 2 * settled.departures.left.sum()


def test_a_block_ends_where_hardly_anybody_is_registered(monkeypatch):
    monkeypatch.setattr(lives, "_in_symphony_year", lambda people, departures: np.zeros(len(people), bool))
    with pytest.raises(RuntimeError, match="fewer than 8,000 registered"):
        draw_history(Plan(1), 0, 8_000)


def test_one_row_a_person_and_no_orphans(tables):
    persons = tables["persons"]["person_id"]
    assert registered_in_2012_13(tables) == 20_000
    assert persons.is_sorted()
    assert persons.min() == 1
    assert persons.is_unique().all()
    for name in ("registrations", "conditions", "activity", "enrolments", "outcomes"):
        assert tables[name]["person_id"].is_in(persons.implode()).all(), name
    assert set(tables["registrations"]["person_id"]) == set(persons)
    practices = tables["practices"]
    assert set(tables["registrations"]["practice_id"].unique()) == set(practices["practice_id"])
    assert set(tables["enrolments"]["hub"].unique()) == set(practices["hub"].unique())


def test_no_identifier_can_pass_for_an_nhs_number(tables):
    # An NHS number has ten digits, the last of which is a modulus-11 check (NHS Data Dictionary).
    assert tables["persons"]["person_id"].max() < 10**9
    with pytest.raises(ArgumentError, match="integer from 1"):
        generate_tables(10**9)


def test_every_setting_mode_and_kind_of_stay_occurs(tables):
    activity = tables["activity"]
    for column in ("setting", "mode"):
        allowed = STUDY_TABLES["activity"].column(column).allowed
        assert set(activity[column].unique()) == set(allowed)
    stays = activity.filter(pl.col("setting") == "inpatient")
    assert set(stays["kind"].unique()) == {"elective", "emergency", "maternity"}
    assert stays["end_date"].null_count() == 0
    assert activity.filter(pl.col("setting") != "inpatient")["end_date"].is_null().all()


# ------------------------------------------------------------------ order of events


def test_nothing_happens_after_death_or_outside_registration(tables, spans):
    for name, column in (("activity", "date"), ("enrolments", "start_date"), ("outcomes", "date")):
        joined = tables[name].join(spans, on="person_id")
        assert (joined[column] >= joined["first"]).all(), name
        assert (joined[column] <= joined["last"]).all(), name
        assert joined[column].min() >= parameters.PERIOD_START, name
        assert joined[column].max() <= parameters.PERIOD_END, name
    stays = tables["activity"].drop_nulls("end_date").join(spans, on="person_id")
    assert (stays["end_date"] >= stays["date"]).all()
    assert (stays["end_date"] <= stays["last"]).all()
    died = spans.drop_nulls("death_date")
    assert (died["death_date"] == died["last"]).all()
    onsets = tables["conditions"].join(spans, on="person_id")
    assert (onsets["onset_date"] >= onsets["birth_date"]).all()
    assert (onsets["onset_date"] <= onsets["last"]).all()
    assert (spans["first"] >= spans["birth_date"]).all()
    assert (spans["last"] >= spans["first"]).all()


def test_spells_with_practices_follow_each_other(tables):
    spells = tables["registrations"].sort("person_id", "start_date")
    ends = pl.col("end_date").shift(1).over("person_id")
    later = spells.with_columns(ends.alias("before")).filter(pl.col("person_id").is_duplicated())
    second = later.filter(pl.col("person_id").cum_count().over("person_id") == 2)
    assert second.height > 100
    assert ((second["start_date"] - second["before"]).dt.total_days() == 1).all()


def test_nobody_lies_in_two_beds(tables):
    stays = tables["activity"].drop_nulls("end_date").sort("person_id", "date", "end_date")
    overlapping = stays.with_columns(pl.col("end_date").shift(1).over("person_id").alias("before"))
    assert overlapping.filter(pl.col("date") <= pl.col("before")).is_empty()


# ------------------------------------------------------------------ near the published figures


def test_conditions_are_about_as_common_as_published(tables, year_2012):
    held = tables["conditions"].filter(pl.col("onset_date") <= YEAR[1])
    held = held.join(year_2012.select("person_id"), on="person_id")
    prevalence = dict(held.group_by(pl.col("condition").cast(pl.String)).agg(pl.len() / year_2012.height).iter_rows())
    assert len(prevalence) == 49
    # Cassell 2018: hypertension 18.2%, depression or anxiety 10.3%. The others: of the order of the registers of
    # English general practice (Quality and Outcomes Framework 2012-13), in an older population.
    published = {
        "hypertension": 0.182,
        "depression": 0.09,
        "diabetes": 0.058,
        "coronary_heart_disease": 0.042,
        "stroke": 0.024,
        "copd": 0.025,
        "cancer": 0.034,
        "dementia": 0.012,
        "chronic_kidney_disease": 0.045,
    }
    for condition, share in published.items():
        assert prevalence[condition] == pytest.approx(share, rel=0.3), condition
    # Cassell 2018: two or more conditions 27.2%, women more than men.
    assert (year_2012["held"] >= 2).mean() == pytest.approx(0.272, abs=0.03)


def test_emergencies_are_more_frequent_in_winter(tables):
    admissions = tables["activity"].filter(pl.col("kind") == "emergency")["date"].dt.month()
    winter, summer = admissions.is_in([12, 1, 2]).sum(), admissions.is_in([6, 7, 8]).sum()
    assert 1.15 < winter / summer < 1.6


def test_population_is_south_somerset_at_mid_2011(tables):
    population = tables["population"]
    # ONS mid-2011 population estimates, E07000189: 162,113 people, 35,261 aged 65 and over, 5,165 aged 85 and over.
    assert population["persons"].sum() == 162_113
    assert population.filter(pl.col("age") >= 65)["persons"].sum() == 35_261
    assert population.filter(pl.col("age") >= 85)["persons"].sum() == 5_165


# ------------------------------------------------------------------ programmes


def test_people_are_enrolled_with_three_priority_conditions_after_their_hub_opened(tables):
    enrolments = tables["enrolments"]
    held = tables["conditions"].filter(pl.col("condition").is_in(parameters.PRIORITY_CONDITIONS))
    third = held.sort("onset_date").group_by("person_id").agg(pl.col("onset_date").sort().get(2, null_on_oob=True))
    joined = enrolments.join(third, on="person_id", how="left")
    assert (joined["onset_date"] <= joined["start_date"]).all()
    for hub in parameters.HUBS:
        of_hub = enrolments.filter(pl.col("hub") == hub.name)
        assert of_hub["start_date"].min() >= hub.opens


def test_enrolment_follows_a_crisis(tables):
    enrolments = tables["enrolments"].select("person_id", pl.col("start_date").alias("enrolled"))
    admissions = tables["activity"].filter(pl.col("kind") == "emergency").join(enrolments, on="person_id")
    day = (admissions["date"] - admissions["enrolled"]).dt.total_days()
    # The trap of the published before-after report: the quarter before is the worst, whatever the hub does.
    assert day.is_between(-90, -1).sum() > 1.5 * day.is_between(1, 90).sum()


def test_quality_of_life_knows_nothing_of_conditions_to_come():
    # The same people and random numbers, with five more conditions in the last year: only its measures are lower.
    plan = Plan(1)
    history = draw_history(plan, 0, 16_384)
    more = history.years.conditions.copy()
    more[:, -1] += 5
    worse = replace(history.years, conditions=more)
    drawn = [
        draw_outcomes(np.random.default_rng(1), history.people, history.departures, years, history.enrolments, plan)
        for years in (history.years, worse)
    ]
    early = drawn[0].day < YEAR_STARTS[-2]
    assert (drawn[0].value[early] == drawn[1].value[early]).all()
    assert (drawn[0].value[~early] > drawn[1].value[~early]).mean() > 0.9


def test_health_coaching_reaches_sixteen_practices_with_52_coaches(tables):
    coaching = tables["practice_programmes"].filter(pl.col("programme") == "health_coaching")
    assert coaching.height == 16
    assert coaching["whole_time_staff"].sum() == 52
    assert coaching["start_date"].n_unique() > 3


def test_a_raised_hazard_shortens_the_wait():
    # Hazard 1 until 2, then 4: the cumulative hazard passes 6 at 2 + (6 - 2) / 4 = 3; before 2 nothing changes.
    settled = _undone(np.array([1.5, 6.0], np.float32), np.array([2.0, 2.0], np.float32), 4.0)
    assert settled.tolist() == [1.5, 3.0]


def test_planted_links_and_the_triad():
    # Four people drawn by the conditions they have from birth (a threshold of nearly 0):
    #   nobody | diabetes | diabetes and kidney disease | coronary heart disease
    # and a threshold of 1 for the condition asked about, outside the period. By hand: 1 / hazard ratio (5 and 4).
    rows = {name: row for row, name in enumerate(parameters.CONDITION_NAMES)}
    thresholds = np.full((49, 4), 50.0, np.float32)
    thresholds[rows["coronary_heart_disease"], :3] = 1.0
    thresholds[rows["heart_failure"], 3] = 1.0
    thresholds[rows["diabetes"], 1:3] = 1e-12
    thresholds[rows["chronic_kidney_disease"], 2] = 1e-12
    thresholds[rows["coronary_heart_disease"], 3] = 1e-12
    never = np.full_like(thresholds, 1e9)
    _settle(PROFILES["planted"], _tables(False), thresholds, np.full_like(thresholds, 2.0), never)
    heart = thresholds[rows["coronary_heart_disease"]]
    assert heart[:3] == pytest.approx([1.0, 1.0, 1 / 5.0], rel=1e-3)
    assert thresholds[rows["heart_failure"], 3] == pytest.approx(1 / 4.0, rel=1e-3)


def test_no_link_in_the_null_profile():
    rows = {name: row for row, name in enumerate(parameters.CONDITION_NAMES)}
    thresholds = np.full((49, 1), 50.0, np.float32)
    thresholds[rows["coronary_heart_disease"]] = 1e-12
    thresholds[rows["heart_failure"]] = 1.0
    _settle(PROFILES["null"], _tables(False), thresholds, np.full_like(thresholds, 2.0), np.full_like(thresholds, 1e9))
    assert thresholds[rows["heart_failure"], 0] == 1.0
