"""Follow-up: a few people drawn as a table, one call, the answer by hand; then what holds of any people."""

from __future__ import annotations

import dataclasses
import random
from datetime import date, timedelta

import polars as pl
import pytest
from five_people import DAY, LAST, on, study
from hypothesis import given, settings
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.cohort.at_risk import Window, at_risk, split_at


def cohort(**options: object) -> sr.Cohort:
    return sr.define_cohort(study(**options), index=DAY)  # type: ignore[arg-type]


def test_follow_up_until_the_first_emergency_admission() -> None:
    # 2 at day 5, 1 at 10, 5 at 20, 4 dies at 30, 3 leaves at 60
    table = cohort().follow_up(event="emergency_admission")
    assert table.to_frame().rows() == [
        (5.0, 1, 0.0, 1), (10.0, 1, 0.0, 1), (20.0, 1, 0.0, 1), (30.0, 2, 0.0, 1), (60.0, 0, 0.0, 1),
    ]  # fmt: skip
    assert table.attrition.estimates.rows() == [("in the cohort", 0, 5)]


def test_a_washout_leaves_out_people_with_a_recent_event() -> None:
    # 2 was admitted 20 days before
    table = cohort().follow_up(event="emergency_admission", washout=30)
    assert table.to_frame()["time"].to_list() == [10.0, 20.0, 30.0, 60.0]
    assert table.attrition.estimates.rows() == [
        ("in the cohort", 0, 5),
        ("with emergency admission in the 30 days before", 1, 4),
    ]
    assert cohort().follow_up(event="emergency_admission", washout=19).to_frame()["n_persons"].sum() == 5
    assert table.provenance.population["washout"] == 30
    with pytest.raises(sr.ArgumentError, match="not 'death'"):
        cohort().follow_up(event="death", washout=30)


def test_people_observed_from_a_later_day_enter_late() -> None:
    # from day 10 on: 2 had the event on day 5; 1 has it on day 10 itself, half a day after entry
    table = cohort().follow_up(event="emergency_admission", entry=DAY + timedelta(10))
    assert table.entry == "entry"
    assert table.to_frame().rows() == [(10.0, 1, 9.5, 1), (20.0, 1, 9.5, 1), (30.0, 2, 9.5, 1), (60.0, 0, 9.5, 1)]
    assert table.attrition.estimates.rows()[1:] == [("with the event before they were observed", 1, 4)]
    curve = sr.survival.cumulative_incidence(table)
    assert curve.estimates.filter(pl.col("cause") == 1)["estimate"][0] == pytest.approx(1 / 4)
    # whoever has left before is not observed at all
    late = cohort().follow_up(event="death", entry=DAY + timedelta(61))
    assert late.attrition.estimates.rows()[1:] == [("with no observed time", 2, 3)]


def test_nobody_is_enrolled_before_they_are() -> None:
    # before joining: 1, 3, 4 for all their time, 2 to the start of day 8 and 5 to the start of day 20;
    # enrolled: 2 from then to day 274; 5 is admitted on the day of joining, which counts as enrolled
    table = cohort().follow_up(event="emergency_admission", enrolment="complex_care")
    rows = table.to_frame().select("enrolled", "entry", "time", "event", "n_persons").sort("enrolled", "time").rows()
    assert rows == [
        ("no", 0.0, 5.0, 1, 1),  # 2, whose admission comes before joining
        ("no", 0.0, 10.0, 1, 1),
        ("no", 0.0, 19.5, 0, 1),
        ("no", 0.0, 30.0, 2, 1),
        ("no", 0.0, 60.0, 0, 1),
        ("yes", 19.5, 20.0, 1, 1),
    ]
    deaths = cohort().follow_up(event="death", enrolment="complex_care").to_frame().filter(pl.col("enrolled") == "yes")
    assert deaths.select("entry", "time").sort("entry").rows() == [(7.5, 274.0), (19.5, 274.0)]
    left = cohort().follow_up(event="death", enrolment="complex_care", leave_programme=True).to_frame()
    assert left.filter(pl.col("enrolled") == "yes").select("entry", "time").sort("entry").rows() == [
        (7.5, 100.0),
        (19.5, 274.0),
    ]
    # the two states of one person are not two people
    with pytest.raises(sr.ArgumentError, match=r"by=\['enrolled'\]"):
        sr.survival.cumulative_incidence(table)
    assert sr.survival.cumulative_incidence(table, by="enrolled").estimates.height
    with pytest.raises(sr.ArgumentError, match="is enrolled from their index date on"):
        sr.define_cohort(study(), programme="complex_care").follow_up(enrolment="complex_care")
    with pytest.raises(sr.ArgumentError, match="complex_care"):
        cohort().follow_up(enrolment="complex_car")


def test_follow_up_may_end_with_the_programme() -> None:
    # 2 is on it from day 8 to 100, 92 days; 5 from day 20 to the end, 254 days
    enrolled = sr.define_cohort(study(), programme="complex_care")
    assert enrolled.follow_up(event="death").to_frame()["time"].to_list() == [254.0, 266.0]
    left = enrolled.follow_up(event="death", leave_programme=True)
    assert left.to_frame().rows() == [(92.0, 0, 0.0, 1), (254.0, 0, 0.0, 1)]
    with pytest.raises(sr.ArgumentError, match="for people on a programme"):
        cohort().follow_up(leave_programme=True)


def test_follow_up_ends_with_the_data_that_it_needs() -> None:
    # activity ends on day 24: nothing is known of admissions after it, but deaths are
    ours = sr.define_cohort(study(data_end={"activity": DAY + timedelta(24)}), index=DAY)
    admissions = ours.follow_up(event="emergency_admission")
    assert admissions.to_frame().rows() == [(5.0, 1, 0.0, 1), (10.0, 1, 0.0, 1), (20.0, 1, 0.0, 1), (24.0, 0, 0.0, 2)]
    assert admissions.provenance.population["until"] == "2012-04-25"
    assert admissions.provenance.note == "Follow-up ends with the data: activity on 25 April 2012."
    deaths = ours.follow_up(event="death")
    assert deaths.to_frame()["time"].max() == 274.0
    assert deaths.provenance.note == ""


def test_readmission_is_counted_from_each_live_discharge() -> None:
    # 1: discharged on day 15 (two spells, one stay), back on 40: 25 days; on 41, never again: 233 days to the end
    # 2: discharged on day 6: 268 days; 4 dies in hospital; 5: on day 22: 252 days
    table = cohort().follow_up(event="readmission")
    assert table.to_frame().rows() == [
        (25.0, 1, 0.0, 1, 1), (233.0, 0, 0.0, 1, 1), (252.0, 0, 0.0, 1, 1), (268.0, 0, 0.0, 1, 1),
    ]  # fmt: skip
    assert (table.weights, table.cluster) == ("n_discharges", "person")
    assert table.attrition.estimates.rows()[1:] == [("never discharged alive", 2, 3)]
    month = cohort().follow_up(event="readmission", horizon=30).to_frame()
    assert month.rows() == [(25.0, 1, 0.0, 1, 1), (30.5, 0, 0.0, 3, 3)]
    assert cohort().follow_up(event="readmission", unit="person").to_frame()["n_persons"].sum() == 3
    with pytest.raises(sr.ArgumentError, match="is followed by person"):
        cohort().follow_up(event="death", unit="discharge")


# -- what holds of any people -------------------------------------------------------------------------------------

SPELL = st.tuples(
    st.integers(1, 5), st.integers(-60, 250), st.integers(0, 12), st.sampled_from(["emergency", "elective"])
)
DRAWN = st.lists(SPELL, min_size=1, max_size=15).map(lambda rows: [(p, a, a + n, kind) for p, a, n, kind in rows])


@settings(max_examples=25, deadline=None)
@given(DRAWN, st.randoms(), st.sampled_from(["emergency_admission", "admission", "readmission"]))
def test_order_of_rows_and_splitting_of_spells_change_nothing(rows: list, rng: random.Random, event: str) -> None:
    pieces = []
    for person, start, end, kind in rows:
        cut = rng.randint(start, end)
        pieces += [(person, start, cut, kind), (person, cut, end, kind)]
    rng.shuffle(pieces)
    kinds = [(1, 255, 256, "emergency")]  # so that the column is never empty
    one, other = (cohort(spells=own + kinds).follow_up(event=event, washout=None) for own in (rows, pieces))
    assert one.equals(other)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 50), st.one_of(st.none(), st.integers(0, 400)), st.integers(0, 400),
            st.one_of(st.none(), st.integers(-20, 420)),
        ),
        min_size=1, max_size=20,
    ),
    st.one_of(st.none(), st.integers(1, 400)),
)  # fmt: skip
def test_person_time_before_and_after_a_change_of_state_adds_up(drawn: list, horizon: int | None) -> None:
    people = pl.DataFrame(
        {
            "person_id": range(len(drawn)),
            "index_date": [on(a) for a, _, _, _ in drawn],
            "death_date": pl.Series([on(a + d) if d is not None else None for a, d, _, _ in drawn], dtype=pl.Date),
            "registered_until": [on(a + r) for a, _, r, _ in drawn],
            "programme_until": pl.Series([None] * len(drawn), dtype=pl.Date),
            "joined": pl.Series([on(a + j) if j is not None else None for a, _, _, j in drawn], dtype=pl.Date),
        }
    )
    whole = at_risk(people, Window(LAST, horizon))
    whole = whole.filter(pl.col("exit") > pl.col("entry"))
    split = split_at(whole, "joined", "enrolled")
    time = pl.col("exit") - pl.col("entry")
    sums = split.group_by("person_id").agg(time.sum().alias("time")).sort("person_id")
    assert sums.equals(whole.select("person_id", time.alias("time")).sort("person_id"))
    assert (split["exit"] > split["entry"]).all()
    # by a loop over the days: half a day counts as enrolled from the start of the day of joining
    for row in split.iter_rows(named=True):
        at = None if row["joined"] is None else max(2 * (row["joined"] - row["index_date"]).days - 1, 0)
        inside = [at is not None and moment >= at for moment in range(row["entry"], row["exit"])]
        assert all(one is (row["enrolled"] == "yes") for one in inside)


def test_a_table_that_ends_early_is_named_in_study_toml(tmp_path) -> None:
    sr.synthesise(tmp_path / "study", people=300)
    settings_file = tmp_path / "study" / "study.toml"
    text = settings_file.read_text(encoding="utf-8")
    head, _, rest = text.partition("[period]\n")
    given = 'data_end = { activity = "2013-12-31" }\n'
    settings_file.write_text(f"{head}[period]\n{given}{rest}", encoding="utf-8")
    ours = sr.read_study(tmp_path / "study")
    assert dict(ours.data_end) == {"activity": date(2013, 12, 31)}
    assert ours.last_day("persons") == ours.period[1]
    assert ours.last_day("persons", "activity") == date(2013, 12, 31)
    for wrong, told in (
        ('{ activty = "2013-12-31" }', "Did you mean 'activity'"),
        ('{ activity = "soon" }', "must be a date"),
        ('{ activity = "1999-12-31" }', "is outside the study"),
        ('"2013-12-31"', "must be tables"),
    ):
        settings_file.write_text(f"{head}[period]\ndata_end = {wrong}\n{rest}", encoding="utf-8")
        with pytest.raises(sr.SchemaError, match=told):
            sr.read_study(tmp_path / "study")


def test_check_proposes_where_activity_ends() -> None:
    from symphony_research.completeness import completeness_by_month

    # ten rows a month from January to April, two in May, none in June
    days = [date(2012, m, 1 + k) for m in (1, 2, 3, 4) for k in range(10)] + [date(2012, 5, 1)] * 2
    lines = completeness_by_month(pl.LazyFrame({"date": days}), (date(2012, 1, 1), date(2012, 6, 30)))
    assert lines[-1].endswith('[period] data_end = { activity = "2012-04-30" }')
    assert [line for line in lines if "perhaps incomplete" in line] == [
        "  May 2012 holds 20% of the median month: perhaps incomplete.",
        "  June 2012 holds 0% of the median month: perhaps incomplete.",
    ]
    stated = completeness_by_month(
        pl.LazyFrame({"date": days}), (date(2012, 1, 1), date(2012, 6, 30)), stated=date(2012, 4, 30)
    )
    assert stated[0] == "Activity after its last day by study.toml, 2012-04-30: 2 rows."
    assert not any("data_end" in line for line in stated)


def test_arguments_that_make_no_sense_are_refused() -> None:
    ours = cohort()
    for options, told in (
        ({"washout": -1}, "washout=-1"),
        ({"washout": 1.5}, "washout=1.5"),
        ({"entry": "later"}, "entry='later' is not a date"),
        ({"unit": "stay"}, "person"),
        ({"event": "readmission", "entry": DAY}, "do not go with it"),
    ):
        with pytest.raises(sr.ArgumentError, match=told):
            ours.follow_up(**options)  # type: ignore[arg-type]
    bare = dataclasses.replace(study(), given=frozenset({"persons", "activity"}))
    with pytest.raises(sr.ArgumentError, match="no table enrolments"):
        sr.define_cohort(bare, index=DAY).follow_up(enrolment="complex_care")


def test_the_words_of_a_curve_say_that_time_runs_from_discharge() -> None:
    cohort = sr.define_cohort(study(), programme="complex_care")
    curve = sr.survival.cumulative_incidence(cohort.follow_up(event="readmission", horizon=365, unit="person"))
    assert curve.column_words["time"] == "Days since discharge"
    assert "joining" not in curve.heading()
    assert curve.facts()["Joined"].endswith("time runs from discharge")
    death = sr.survival.kaplan_meier(cohort.follow_up(event="death", horizon=365))
    assert death.column_words["time"] == "Days since joining"
    assert death.facts()["Joined"].endswith("time runs from each person's day of joining")
