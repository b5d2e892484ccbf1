"""Cohorts: who, from when, until when; every expected table worked out by hand."""

from __future__ import annotations

import shutil
from datetime import date

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.collapse.onsets import UNKNOWN
from symphony_research.schema import STUDY_TABLES
from symphony_research.study import empty

# person  sex  born         died         registered                        conditions
# 1       F    1940-06-15   -            2000-01-01 to -                   asthma 1990, stroke 2012-01-01, diabetes 2013
# 2       M    1950-01-01   2013-03-01   2000-01-01 to -                   asthma (no date)
# 3       F    1990-04-01   -            2000-01-01 to 2012-06-30,         -
#                                        2012-07-01 to - (another practice)
# 4       M    2012-08-01   -            2012-08-01 to -                   -
# 5       F    1970-01-01   2010-01-01   2000-01-01 to -                   stroke 2005
# 6       M    1980-01-01   -            2000-01-01 to 2012-09-30          asthma 2000


def d(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def study() -> sr.Study:
    tables = {
        "persons": pl.DataFrame(
            {
                "person_id": [1, 2, 3, 4, 5, 6],
                "sex": ["F", "M", "F", "M", "F", "M"],
                "birth_date": [d(x) for x in ("1940-06-15", "1950-01-01", "1990-04-01", "2012-08-01", "1970-01-01", "1980-01-01")],
                "death_date": [d(x) for x in (None, "2013-03-01", None, None, "2010-01-01", None)],
                "deprivation_decile": [1, 2, None, 10, 5, 6],
                "area": ["a", "a", "b", "b", "a", "b"],
                "residence": ["own_home"] * 6,
            }
        ),
        "registrations": pl.DataFrame(
            {
                "person_id": [1, 2, 3, 3, 4, 5, 6],
                "practice_id": ["x", "x", "x", "y", "y", "x", "y"],
                "start_date": [d(x) for x in ("2000-01-01", "2000-01-01", "2000-01-01", "2012-07-01", "2012-08-01", "2000-01-01", "2000-01-01")],
                "end_date": [d(x) for x in (None, None, "2012-06-30", None, None, None, "2012-09-30")],
            }
        ),
        "conditions": pl.DataFrame(
            {
                "person_id": [1, 1, 1, 2, 5, 6],
                "condition": ["asthma", "stroke", "diabetes", "asthma", "stroke", "asthma"],
                "onset_date": [d(x) for x in ("1990-01-01", "2012-01-01", "2013-01-01", None, "2005-01-01", "2000-01-01")],
            }
        ),
        "activity": pl.DataFrame(
            {
                "person_id": [1, 1, 1, 2, 3],
                "date": [d(x) for x in ("2012-04-01", "2012-05-01", "2013-06-01", "2013-02-01", "2012-04-11")],
                "setting": ["accident_and_emergency", "inpatient", "inpatient", "inpatient", "primary_care"],
                "kind": [None, "emergency", "emergency", "elective", None],
                "end_date": [d(x) for x in (None, "2012-05-04", "2013-06-02", "2013-02-03", None)],
                "cost": [100.10, 1000.20, 50.0, 700.0, 30.30],
            }
        ),
        "enrolments": pl.DataFrame(
            {
                "person_id": [1, 2, 1],
                "programme": ["complex_care"] * 3,
                "hub": ["North", "South", "South"],
                "start_date": [d(x) for x in ("2012-05-01", "2013-01-15", "2014-01-01")],
                "end_date": pl.Series([None, None, None], dtype=pl.Date),
            }
        ),
    }  # fmt: skip
    return sr.Study(
        "Six people",
        (date(2011, 4, 1), date(2014, 3, 31)),
        {n: tables[n].lazy() if n in tables else empty(t) for n, t in STUDY_TABLES.items()},
        given=frozenset(tables),
    )


INDEX = date(2012, 4, 1)


def test_attrition_counts_each_rule_in_turn() -> None:
    # on 2012-04-01: 4 is not born, 5 is dead, the rest are registered; women: 1, 3; 30 and over: 1
    cohort = sr.define_cohort(study(), index=INDEX, sex="F", age=(30, None))
    assert cohort.attrition.estimates.rows() == [
        ("in the study", 0, 6),
        ("not yet born, or no longer alive, on 1 April 2012", 2, 4),
        ("of another sex", 2, 2),
        ("younger than 30", 1, 1),
    ]
    assert cohort.attrition.sentence() == "Of about 6 people in the study, about 1 met the inclusion criteria."


def test_conditions_are_those_recorded_by_the_index_date() -> None:
    # 1: asthma, stroke (diabetes comes later); 2: asthma, undated so always there; 3: none; 6: asthma
    table = sr.define_cohort(study(), index=INDEX).patterns().to_frame().sort("n_persons", "combination")
    assert [(sorted(c), n) for c, n in table.rows()] == [([], 1), (["asthma", "stroke"], 1), (["asthma"], 2)]


def test_a_condition_nobody_has_still_belongs_to_the_list() -> None:
    patterns = sr.define_cohort(study(), index=INDEX).patterns()
    assert patterns.conditions == ("asthma", "diabetes", "stroke")


def test_cost_is_summed_over_twelve_months_from_the_index_date() -> None:
    # 1: 100.10 + 1000.20 (June 2013 is outside); 2: 700; 3: 30.30; 6: nothing, and counts as zero
    table = (
        sr.define_cohort(study(), index=INDEX).patterns(values=("cost", "bed_days", "contacts_primary_care")).to_frame()
    )
    assert table["cost_sum"].sum() == pytest.approx(100.10 + 1000.20 + 700 + 30.30, abs=1e-9)
    assert table["cost_n"].sum() == 3
    assert table["bed_days_sum"].sum() == 3 + 2
    assert table["contacts_primary_care_sum"].sum() == 1


def test_strata_are_as_of_the_index_date() -> None:
    # ages on 2012-04-01: 1 is 71 (birthday in June), 2 is 62, 3 is 22 that very day, 6 is 32
    table = sr.define_cohort(study(), index=INDEX).patterns(by=("age_band", "practice_id")).strata
    assert table.rows() == [("20-24", "x", 1), ("30-34", "y", 1), ("60-64", "x", 1), ("70-74", "x", 1)]


def test_follow_up_of_everybody_until_the_first_emergency_admission() -> None:
    # 1: admitted on 2012-05-01, day 30; 2: died 2013-03-01, day 334 (the admission was elective)
    # 3: moved practice without a missing value, so to the study's end, day 729; 6: left on 2012-09-30, day 182
    table = sr.define_cohort(study(), index=INDEX).follow_up(event="emergency_admission")
    assert table.to_frame().rows() == [(30.0, 1, 0.0, 1), (182.0, 0, 0.0, 1), (334.0, 2, 0.0, 1), (729.0, 0, 0.0, 1)]


def test_an_event_on_the_index_day_is_half_a_day_after_it() -> None:
    table = sr.define_cohort(study(), index=INDEX, sex="F", age=(60, None)).follow_up(event="accident_and_emergency")
    assert table.to_frame().rows() == [(0.5, 1, 0.0, 1)]


def test_death_is_the_event_and_not_its_competitor() -> None:
    table = sr.define_cohort(study(), index=INDEX, sex="M").follow_up(event="death")
    assert table.to_frame().rows() == [(182.0, 0, 0.0, 1), (334.0, 1, 0.0, 1)]


def test_readmission_runs_from_each_discharge() -> None:
    # 1: discharged 2012-05-04, back on 2013-06-01: 393 days, and again 2013-06-02, 302 days to the last; 2: discharged
    # 2013-02-03 from planned care, died 26 days later
    cohort = sr.define_cohort(study(), index=INDEX)
    table = cohort.follow_up(event="readmission")
    assert table.columns == ["time", "event", "entry", "n_persons", "n_discharges"]
    assert table.to_frame().rows() == [(26.0, 2, 0.0, 1, 1), (302.0, 0, 0.0, 1, 1), (393.0, 1, 0.0, 1, 1)]
    first = cohort.follow_up(event="readmission", unit="person")
    assert first.to_frame().rows() == [(26.0, 2, 0.0, 1), (393.0, 1, 0.0, 1)]


def test_a_horizon_ends_follow_up() -> None:
    # the last day is inside, so whoever has no event on it is censored half a day later
    cohort = sr.define_cohort(study(), index=INDEX)
    table = cohort.follow_up(event="emergency_admission", horizon=100)
    assert table.to_frame().rows() == [(30.0, 1, 0.0, 1), (100.5, 0, 0.0, 3)]
    on_the_day = cohort.follow_up(event="emergency_admission", horizon=30)
    assert on_the_day.to_frame().rows() == [(30.0, 1, 0.0, 1), (30.5, 0, 0.0, 3)]
    # leaving on the last day itself is leaving
    gone = cohort.follow_up(event="death", horizon=182)
    assert gone.to_frame().rows() == [(182.0, 0, 0.0, 1), (182.5, 0, 0.0, 3)]


def test_people_on_a_programme_start_on_the_day_they_joined() -> None:
    # 1 joined North on 2012-05-01 (the later enrolment is not the first), 2 joined South on 2013-01-15
    every = sr.define_cohort(study(), programme="complex_care").follow_up(event="death", by="hub")
    assert every.to_frame().rows() == [(699.0, 0, 0.0, "North", 1), (45.0, 1, 0.0, "South", 1)]
    north = sr.define_cohort(study(), hub="North")
    assert north.follow_up(event="emergency_admission").to_frame().rows() == [(0.5, 1, 0.0, 1)]
    # it starts from those who could be included
    assert north.attrition.estimates.rows() == [("enrolled on any programme with North", 0, 1)]


def test_onsets_are_those_of_the_cohort_and_left_truncated_ones_are_unknown() -> None:
    # On 2012-04-01 there are 1, 2, 3 and 6. Asthma: 1 in 1990, ten years before joining a practice; 2 on no date; 6 on
    # 2000-01-01, the day of joining, so unknown. Diabetes of 1 comes in 2013, after the index date.
    onsets = sr.define_cohort(study(), index=INDEX).onsets()
    assert (onsets.n_persons, onsets.conditions) == (4, ("asthma", "diabetes", "stroke"))
    known = [int((days != UNKNOWN).sum()) for days in onsets._days]
    assert [len(days) for days in onsets._days] == [3, 0, 1]
    assert known == [1, 0, 1]
    assert onsets._days[0].min() == (date(1990, 1, 1) - date(1970, 1, 1)).days
    # a washout of nothing leaves out the day of joining itself, no more
    assert sr.define_cohort(study(), index=INDEX).onsets(washout_days=0).settings["washout_days"] == 0
    found = sr.networks.sequences(onsets, min_persons=1)
    assert found.settings["population"]["on"] == "index"
    # a year later the diabetes is there, and 6, who left in September 2012, is not
    later = sr.define_cohort(study(), index=INDEX).onsets(on="2013-02-01")
    assert later.n_persons == 3
    assert [len(days) for days in later._days] == [2, 1, 1]
    # asthma and stroke are of one person alone, who has nobody to be compared with
    assert found.estimates.height == 0


def test_unknown_names_are_refused_with_the_choices() -> None:
    with pytest.raises(sr.ArgumentError, match=r"no hub 'Nroth'. There is: North, South. Did you mean 'North'\?"):
        sr.define_cohort(study(), hub="Nroth")
    with pytest.raises(sr.ArgumentError, match="There are 2"):
        sr.define_cohort(study(), practice="z")
    with pytest.raises(sr.ArgumentError, match="age_band"):
        sr.define_cohort(study()).patterns(by="age_bands")
    with pytest.raises(sr.ArgumentError, match="cost_inpatient"):
        sr.define_cohort(study()).patterns(values="cost_impatient")
    with pytest.raises(sr.ArgumentError, match="emergency_admission"):
        sr.define_cohort(study()).follow_up(event="admitted")


def test_the_source_is_carried_to_the_result() -> None:
    cohort = sr.define_cohort(study(), hub="North")
    curve = sr.survival.kaplan_meier(cohort.follow_up(event="death"), time="time", event="event", weights="n_persons")
    assert curve.settings["population"]["hub"] == "North"
    assert curve.settings["population"]["until"] == "2014-03-31"
    assert curve.settings["study"] == "Six people"
    assert curve.settings["time_unit"] == "days"


def test_a_cohort_shows_no_person() -> None:
    assert "1940" not in repr(sr.define_cohort(study()))


def test_the_example_study_is_always_the_same() -> None:
    from symphony_research.example import example_study

    first = example_study().persons.collect()
    spells = example_study().registrations.filter(
        pl.col("start_date") <= date(2013, 3, 31), pl.col("end_date").fill_null(date.max) >= date(2012, 4, 1)
    )
    assert spells.collect()["person_id"].n_unique() == 200
    example_study.cache_clear()
    assert first.equals(example_study().persons.collect())


def test_nonsense_is_refused_and_not_taken_for_nobody() -> None:
    with pytest.raises(sr.ArgumentError, match="pass min_conditions too"):
        sr.define_cohort(study(), conditions=["asthma"])
    with pytest.raises(sr.ArgumentError, match="outside the study"):
        sr.define_cohort(study(), index="2030-01-01")
    for age in ((80, 65), 65, (65,)):
        with pytest.raises(sr.ArgumentError, match="youngest, oldest"):
            sr.define_cohort(study(), age=age)
    with pytest.raises(sr.ArgumentError, match="own_home"):
        sr.define_cohort(study(), residence="carehome")
    with pytest.raises(sr.ArgumentError, match="integer number of days"):
        sr.define_cohort(study()).follow_up(event="death", horizon=30.5)
    with pytest.raises(sr.ArgumentError, match="twice"):
        sr.define_cohort(study()).patterns(by=("sex", "sex"))


def test_what_an_empty_column_would_tell_is_refused() -> None:
    import dataclasses

    ours = study()
    bare = ours.activity.with_columns(pl.lit(None, dtype=pl.String).alias("kind"))
    blank = dataclasses.replace(ours, tables={**ours.tables, "activity": bare})
    with pytest.raises(sr.ArgumentError, match="column kind of activity, which is empty"):
        sr.define_cohort(blank).follow_up(event="emergency_admission")


def test_people_who_joined_before_the_first_day_are_left_out() -> None:
    import dataclasses

    ours = study()
    late = dataclasses.replace(ours, period=(date(2012, 6, 1), date(2014, 3, 31)))
    # person 1 joined North on 2012-05-01, a month before anything is recorded
    steps = sr.define_cohort(late, programme="complex_care").attrition.estimates.rows()
    assert ("joined before the study's first day", 1, 1) in steps


def test_a_cohort_of_few_does_not_say_nobody() -> None:
    cohort = sr.define_cohort(study(), hub="North")
    shown = sr.suppress(cohort.attrition, sr.Policy.nhs_england()).estimates
    assert shown["n_persons"][-1] is None


def test_without_activity_the_event_followed_is_death(tmp_path):
    folder = tmp_path / "study"
    sr.synthesise(folder, people=300)
    shutil.rmtree(folder / "activity")
    cohort = sr.define_cohort(sr.read_study(folder))
    assert cohort.follow_up().equals(cohort.follow_up(event="death"))
    assert cohort.follow_up().provenance.population["event"] == "death"
    with pytest.raises(sr.ArgumentError, match="no activity table"):
        cohort.follow_up(event="admission")


def test_what_the_study_has_no_table_for_is_named(tmp_path):
    pl.DataFrame({"person_id": [1, 2], "sex": ["F", "M"], "birth_date": [date(1950, 1, 1)] * 2}).write_parquet(
        tmp_path / "persons.parquet"
    )
    pl.DataFrame({"person_id": [1], "condition": ["asthma"], "onset_date": [date(1990, 1, 1)]}).write_parquet(
        tmp_path / "conditions.parquet"
    )
    (tmp_path / "study.toml").write_text('name = "Two"\n[period]\nstart = 2012-01-01\nend = 2012-12-31\n')
    study = sr.read_study(tmp_path)
    for argument, table in (("programme", "enrolments"), ("hub", "enrolments"), ("practice", "registrations")):
        with pytest.raises(
            sr.errors.ArgumentError, match=f"The study has no table {table}, so that no {argument} is known"
        ):
            sr.define_cohort(study, **{argument: "somewhere"})
