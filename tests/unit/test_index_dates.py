"""Several index dates a person: three people drawn as a table, counted by hand."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest
from five_people import DAY, on, study

import symphony_research as sr
from symphony_research.errors import ArgumentError, DisclosureError

# the study of five_people: 1 is admitted as an emergency on days 10 and 40, 2 on days -20 and 5, 3 leaves on day 60,
# 4 dies on day 30; the data end on day 274
#
# person  index dates  label           until the first emergency admission from each
# 1       0            a case          10
#         20           a control       40: 20 days later
# 2       0            a control       5
# 4       0            a control       none: dies on day 30
#         25           a control       dies 5 days later
GIVEN = pl.DataFrame(
    [(1, on(0), "case"), (1, on(20), "control"), (2, on(0), "control"), (4, on(0), "control"), (4, on(25), "control")],
    schema={"person_id": pl.Int64, "index_date": pl.Date, "label": pl.String},
    orient="row",
)


def cohort(frame: pl.DataFrame = GIVEN, **rules: object) -> sr.Cohort:
    return sr.define_cohort(study(), index=frame, **rules)  # type: ignore[arg-type]


def test_each_index_date_is_followed_and_people_are_counted_once():
    ours = cohort()
    assert ours.attrition.estimates["n_persons"].to_list()[-1] == 3
    table = ours.follow_up(event="emergency_admission")
    assert table.columns == ["time", "event", "entry", "n_persons", "n_index_dates"]
    assert table.to_frame().rows() == [
        (5.0, 1, 0.0, 1, 1), (5.0, 2, 0.0, 1, 1), (10.0, 1, 0.0, 1, 1), (20.0, 1, 0.0, 1, 1), (30.0, 2, 0.0, 1, 1),
    ]  # fmt: skip
    assert (table.weights, table.cluster, table.sums) == ("n_index_dates", "person", ("n_index_dates",))
    assert table.attrition.estimates.rows() == [("in the cohort", 0, 3)]
    curve = sr.survival.cumulative_incidence(table).estimates
    # of five index dates one has the event on day 5, and one dies
    assert curve.filter(pl.col("cause") == 1)["estimate"].to_list()[:2] == pytest.approx([1 / 5, 2 / 5])


def test_one_row_of_two_index_dates_of_one_person_counts_the_person_once():
    twice = pl.DataFrame({"person_id": [3, 3, 5], "index_date": [on(0), on(30), on(0)]})
    # 3 leaves on day 60: observed for 60 days and for 30; with a horizon of 20 days both are censored alike
    rows = cohort(twice).follow_up(event="death", horizon=20).to_frame().rows()
    assert rows == [(20.5, 0, 0.0, 2, 3)]


def test_labels_are_strata():
    table = cohort().follow_up(event="emergency_admission", by="label")
    found = table.to_frame().group_by("label").agg(pl.col("n_index_dates").sum()).sort("label").rows()
    assert found == [("case", 1), ("control", 4)]
    with pytest.raises(ArgumentError, match="by"):
        sr.define_cohort(study(), index=DAY).follow_up(event="death", by="label")


def test_washout_entry_and_rules_are_of_each_index_date():
    # 1 was admitted on day 10, within 15 days before day 20, but not before day 0; 2 on day -20, within 30 days before day 0
    washed = cohort().follow_up(event="emergency_admission", washout=15)
    assert washed.to_frame()["n_index_dates"].sum() == 4
    # 1 still has another index date, so that nobody is excluded
    assert washed.attrition.estimates.rows() == [("in the cohort", 0, 3)]
    longer = cohort().follow_up(event="emergency_admission", washout=30)
    assert longer.attrition.estimates.rows()[1:] == [("with emergency admission in the 30 days before", 1, 2)]
    # 4 is no longer alive on day 40: with that index date alone nobody is left of the person
    dead = pl.DataFrame({"person_id": [4, 1], "index_date": [on(40), on(40)]})
    steps = cohort(dead).attrition.estimates
    assert steps["n_persons"].to_list() == [2, 1]
    again = pl.concat([dead, pl.DataFrame({"person_id": [4], "index_date": [on(0)]})])
    assert cohort(again).attrition.estimates["n_persons"].to_list()[-1] == 2


def test_before_and_after_joining_from_each_index_date():
    # 2 joins the programme on day 8 and leaves on 100; from day 0 that is after 8 days, from day 50 they are enrolled at once
    two = pl.DataFrame({"person_id": [2, 2], "index_date": [on(0), on(50)]})
    rows = cohort(two).follow_up(event="death", enrolment="complex_care").to_frame()
    assert rows.select("enrolled", "entry", "time", "n_persons", "n_index_dates").sort("enrolled", "entry", "time").rows() == [
        ("no", 0.0, 7.5, 1, 1), ("yes", 0.0, 224.0, 1, 1), ("yes", 7.5, 274.0, 1, 1),
    ]  # fmt: skip


def test_one_date_each_is_a_plain_cohort_of_its_own_dates():
    one = GIVEN.filter(pl.col("index_date") == on(0)).with_columns(pl.col("index_date").cast(pl.Datetime))
    table = cohort(one).follow_up(event="emergency_admission")
    plain = sr.define_cohort(study(), index=DAY).follow_up(event="emergency_admission").to_frame()
    assert table.columns == plain.columns
    assert table.cluster is None
    assert set(table.to_frame().rows()) <= set(plain.rows())
    assert table.provenance.population["index"] == "dates given for each person"
    # other dates are another population
    assert table.provenance.population["index_dates"] != cohort().rules["index_dates"]
    assert cohort(one.to_pandas()).rules["index_dates"] == table.provenance.population["index_dates"]


def test_it_is_not_released_and_nothing_else_counts_people_twice():
    table = cohort().follow_up(event="emergency_admission")
    curve = sr.survival.cumulative_incidence(table)
    with pytest.raises(DisclosureError, match=r"counts each index date.*Give each person one index date"):
        sr.suppress(curve, sr.Policy.nhs_england())
    ours = cohort()
    for call in (
        ours.patterns, ours.baseline, ours.onsets, ours.rates, ours.readmissions, ours.days_at_home, ours.recurrent_events,
        lambda: ours.follow_up(event="readmission"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match="several index dates, and would be counted more than once"):
            call()
    assert "2012" not in repr(ours)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(1, on(0)), (1, on(0))], "1 rows of index stand there before"),
        ([(99, on(0))], "1 rows of index are of nobody in the study"),
        ([(1, date(2020, 1, 1))], "1 rows of index have a date outside the study"),
        ([(1, None)], "1 rows of index have no person or no date"),
        ([], "index has no rows"),
    ],
)
def test_faults_are_counted(rows, said):
    frame = pl.DataFrame(rows, schema={"person_id": pl.Int64, "index_date": pl.Date}, orient="row")
    with pytest.raises(ArgumentError, match=said):
        cohort(frame)


def test_what_is_no_frame_of_dates_is_refused():
    with pytest.raises(ArgumentError, match="index_date"):
        cohort(pl.DataFrame({"person_id": [1]}))
    with pytest.raises(ArgumentError, match="dates are needed"):
        cohort(pl.DataFrame({"person_id": [1], "index_date": ["2012-04-01"]}))
    with pytest.raises(ArgumentError, match="in the study"):
        cohort(pl.DataFrame({"person_id": ["1"], "index_date": [DAY]}))
    with pytest.raises(ArgumentError, match="A frame is needed"):
        cohort(7)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="index is for everybody"):
        cohort(programme="complex_care")
    assert cohort(pl.DataFrame({"person_id": [1], "index_date": [datetime(2012, 4, 1)]})).attrition.estimates.height


@pytest.mark.parametrize("by", ["age_band", "n_conditions_band", "practice_id", ()])
@pytest.mark.parametrize(
    "options",
    [{"event": "emergency_admission", "washout": 200}, {"event": "death", "horizon": 300, "lost": True},
     {"event": "admission", "entry": date(2012, 6, 1)}, {"event": "outpatient", "until": date(2014, 1, 1)}],
    ids=lambda o: o["event"],
)  # fmt: skip
def test_several_dates_are_the_cohorts_of_each_date_added_up(by, options):
    # authority: the cohort of one index date for everybody, whose tables are tested by hand
    whole = sr.example_study()
    days, rules = (date(2011, 9, 1), date(2012, 3, 15), date(2013, 1, 1)), {"min_conditions": 1, "age": (30, None)}
    people = whole.persons.select("person_id").collect()
    every = pl.concat([people.with_columns(pl.lit(day).alias("index_date")) for day in days])
    ours = sr.define_cohort(whole, index=every, **rules).follow_up(by=by, **options).to_frame()
    apart = pl.concat(
        [sr.define_cohort(whole, index=day, **rules).follow_up(by=by, **options).to_frame() for day in days]
    )
    keys = [c for c in apart.columns if c != "n_persons"]
    added = apart.group_by(keys).agg(pl.col("n_persons").sum()).sort(keys, nulls_last=True)
    assert added.height > 5
    assert ours.drop("n_persons").sort(keys, nulls_last=True).rows() == added.rows()
    assert (ours["n_persons"] <= ours["n_index_dates"]).all()
