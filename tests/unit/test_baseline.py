"""The baseline table of a cohort: three people drawn as a table, and every number by hand; then a naive count of everybody."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError
from symphony_research.schema import STUDY_TABLES
from symphony_research.study import empty

# person  sex  born        decile  registered    conditions                           care
# 1       F    1940-06-15  1       2000-01-01    asthma 1990, stroke 2012, diabetes   A&E 2012-03-31, 2012-04-01, 2013-04-01;
#                                                2012                                 admitted 2012-05-01, 2013-03-31 as an emergency
# 2       M    1950-01-01  10      2012-10-01    asthma (no date), stroke 2013-06     admitted 2013-02-01, planned
# 3       F    2012-08-01  -       2012-08-01    -                                    -
# index date 2013-04-01: the look-back is 2012-04-01 to 2013-03-31
NHS, INDEX, FIRST, LAST = sr.Policy.nhs_england(), date(2013, 4, 1), date(2011, 4, 1), date(2015, 3, 31)
CARE = ("emergency_admissions", "accident_and_emergency_attendances")


def d(*days: str | None) -> list[date | None]:
    return [date.fromisoformat(day) if day else None for day in days]


def study(**changed: pl.DataFrame | None) -> sr.Study:
    persons = {"person_id": [1, 2, 3], "sex": ["F", "M", "F"], "birth_date": d("1940-06-15", "1950-01-01", "2012-08-01"),
               "death_date": pl.Series([None] * 3, dtype=pl.Date), "deprivation_decile": [1, 10, None],
               "area": ["a"] * 3, "residence": ["own_home"] * 3}  # fmt: skip
    registrations = {"person_id": [1, 2, 3], "practice_id": ["x"] * 3, "start_date": d("2000-01-01", "2012-10-01", "2012-08-01"),
                     "end_date": pl.Series([None] * 3, dtype=pl.Date)}  # fmt: skip
    conditions = {"person_id": [1, 1, 1, 2, 2], "condition": ["asthma", "stroke", "diabetes", "asthma", "stroke"],
                  "onset_date": d("1990-01-01", "2012-01-01", "2012-06-01", None, "2013-06-01")}  # fmt: skip
    activity = {"person_id": [1, 1, 1, 1, 1, 2],
                "date": d("2012-03-31", "2012-04-01", "2013-04-01", "2012-05-01", "2013-03-31", "2013-02-01"),
                "setting": ["accident_and_emergency"] * 3 + ["inpatient"] * 3,
                "end_date": d(None, None, None, "2012-05-03", "2013-04-02", "2013-02-02"),
                "kind": [None, None, None, "emergency", "emergency", "elective"],
                "cost": [99.0, 100.10, 99.0, 1000.20, 50.0, 700.0]}  # fmt: skip
    tables: dict[str, pl.DataFrame | None] = {
        "persons": pl.DataFrame(persons), "registrations": pl.DataFrame(registrations),
        "conditions": pl.DataFrame(conditions), "activity": pl.DataFrame(activity), **changed,
    }  # fmt: skip
    there = {name: table for name, table in tables.items() if table is not None}
    lazy = {n: there[n].lazy() if n in there else empty(t) for n, t in STUDY_TABLES.items()}
    return sr.Study("Three people", (FIRST, LAST), lazy, given=frozenset(there))


def counts(result: sr.Result) -> dict[tuple[str, str], int]:
    return {(r["characteristic"], r["category"]): r["n_persons"] for r in result.estimates.iter_rows(named=True)}


def row(result: sr.Result, characteristic: str, category: str) -> dict[str, Any]:
    wanted = (pl.col("characteristic") == characteristic) & (pl.col("category") == category)
    return result.estimates.filter(wanted).row(0, named=True)


def baseline(of: sr.Study, **options: Any) -> sr.Result:
    return sr.define_cohort(of, index=INDEX).baseline(**options)


# -- three people -----------------------------------------------------------------------------------------------


def test_three_people_by_hand() -> None:
    # ages 72, 63 and 0; of the three listed conditions person 1 has all, person 2 asthma (the stroke comes later)
    ages = {"00-04": 1, "55-64": 1, "65-74": 1}
    names = ["00-04", *[f"{a:02d}-{a + 9:02d}" for a in range(5, 85, 10)], "85+"]
    fifths = {"1": 1, "5": 1, "not recorded": 1}
    expected = {
        ("people", "all"): 3,
        ("sex", "F"): 2, ("sex", "M"): 1,
        **{("ten_year_age_band", name): ages.get(name, 0) for name in names},
        **{("deprivation_quintile", name): fifths.get(name, 0) for name in [*"12345", "not recorded"]},
        ("n_conditions", "0"): 1, ("n_conditions", "1"): 1, ("n_conditions", "2"): 0, ("n_conditions", "3"): 1,
        ("condition", "asthma"): 2, ("condition", "diabetes"): 1, ("condition", "stroke"): 1,
        # the attendance on the first day counts, that of the day before and that of the index day do not
        **{(CARE[0], k): n for k, n in {"0": 2, "1": 0, "2": 1, "3+": 0}.items()},
        **{(CARE[1], k): n for k, n in {"0": 2, "1": 1, "2": 0, "3+": 0}.items()},
        # person 2 registered in October, person 3 was born in August
        ("look_back", "whole"): 1, ("look_back", "part"): 2,
        ("cost", "mean"): 3,
    }  # fmt: skip
    made = baseline(study())
    assert list(counts(made).items()) == list(expected.items())
    assert row(made, "sex", "F")["estimate"] == pytest.approx(2 / 3)
    # costs 100.10 + 1000.20 + 50 = 1150.30, 700 and 0: mean 616.7667; squares of 533.5333, 83.2333 and 616.7667
    # from it are 671,986.73 together, over 2 335,993.36, root 579.6494
    cost = row(made, "cost", "mean")
    assert cost["mean_cost"] == pytest.approx(616.7667, abs=1e-4)
    assert cost["standard_deviation"] == pytest.approx(579.6494, abs=1e-4)


def test_as_journals_print_it() -> None:
    lines = [line.split("  |  ") for line in repr(sr.table(baseline(study()))).splitlines()]
    shown = [[cell.strip() for cell in line] for line in lines]
    first = shown.index(["Characteristic", "All"])
    assert shown[first + 1 : first + 6] == [
        ["People, n", "3"], ["Sex, n (%)", ""], ["Sex: Women", "2 (67%)"], ["Sex: Men", "1 (33%)"], ["Age, years, n (%)", ""],
    ]  # fmt: skip
    assert ["Age: 0–4", "1 (33%)"] in shown
    assert ["Age: 85 or older", "0 (0%)"] not in shown  # of nobody
    assert ["Deprivation: 1 (most deprived)", "1 (33%)"] in shown
    assert ["Observed for under 12 months before, n (%)", "2 (67%)"] in shown
    assert ["Cost, 12 months before, £, mean (SD)", "617 (580)"] in shown
    headings = [line[0] for line in shown if line[0].endswith("n (%)")]
    assert len(headings) == len(set(headings))  # each characteristic is named once


def test_asked_for_by_column_it_is_a_plain_table() -> None:
    html = sr.table(baseline(study()), columns=["category", "n_persons"], rows=3).html
    assert html.count("<tr>") == 4


def test_groups_are_columns_and_what_divides_them_is_no_row() -> None:
    made = baseline(study(), by="sex")
    assert "sex" not in made.estimates["characteristic"].to_list()
    printed = made.display()
    assert printed.columns == ["Characteristic", "women", "men"]
    assert printed.row(0) == ("People, n", "2", "1")
    whole = counts(baseline(study()))
    added = made.estimates.group_by("characteristic", "category").agg(pl.col("n_persons").sum())
    assert {(c, k): n for c, k, n in added.rows()} == {key: n for key, n in whole.items() if key[0] != "sex"}


def test_what_a_rule_of_the_cohort_says_is_no_row() -> None:
    made = sr.define_cohort(study(), index=INDEX, sex="F", age=(60, None)).baseline()
    names = made.estimates.filter(pl.col("characteristic") == "ten_year_age_band")["category"].to_list()
    assert names == ["55-64", "65-74", "75-84", "85+"]
    assert "sex" not in made.estimates["characteristic"].to_list()


# -- what a study does not have ---------------------------------------------------------------------------------


def without(table: str, *columns: str) -> sr.Study:
    made = study()
    frame = made.tables[table].collect()
    gaps = [pl.lit(None, dtype=frame.schema[c]).alias(c) for c in columns]
    return replace(made, tables={**made.tables, table: frame.with_columns(gaps).lazy()})


@pytest.mark.parametrize(
    ("made", "gone", "said"),
    [
        (study(activity=None), {*CARE, "look_back", "cost"}, "no activity"),
        (study(conditions=None), {"n_conditions", "condition"}, "no conditions"),
        (without("persons", "deprivation_decile"), {"deprivation_quintile"}, "Deprivation is not recorded"),
        (without("activity", "cost"), {"cost"}, "Not recorded in the study: cost"),
        (without("activity", "kind"), {CARE[0]}, "Not recorded in the study: emergency admissions"),
    ],
    ids=["activity", "conditions", "deprivation", "cost", "kind"],
)
def test_what_is_not_recorded_is_left_out_and_said(made: sr.Study, gone: set[str], said: str) -> None:
    every = set(baseline(study()).estimates["characteristic"])
    found = baseline(made)
    assert set(found.estimates["characteristic"]) == every - gone
    assert said in found.settings["note"]
    assert said in sr.table(found).html
    assert found.sentence().endswith(".")


def test_conditions_without_dates_are_those_ever_recorded() -> None:
    found = baseline(without("conditions", "onset_date"))
    assert counts(found)["condition", "stroke"] == 2
    assert "no dates of onset" in found.settings["note"]


def test_a_look_back_that_nobody_has_is_left_out() -> None:
    found = sr.define_cohort(study(), index=date(2012, 3, 31)).baseline()
    assert not {*CARE, "look_back", "cost"} & set(found.estimates["characteristic"])
    assert "known from 1 April 2011" in found.settings["note"]
    # one day later the look-back begins with the study
    assert "look_back" in sr.define_cohort(study(), index=date(2012, 4, 1)).baseline().estimates["characteristic"]


@pytest.mark.parametrize(
    "options", [{"months": 0}, {"months": 1.5}, {"commonest": -1}, {"by": "hubs"}, {"conditions": ["gout"]}]
)
def test_wrong_arguments_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        baseline(study(), **options)


# -- everybody of the example, counted one by one ---------------------------------------------------------------


def naive(of: sr.Study, index: date) -> tuple[Counter[tuple[str, str]], list[float]]:
    """Count people one by one, from the study's rows: no code of the cohort."""
    tables = {name: frame.collect().rows(named=True) for name, frame in of.tables.items()}
    start = date(index.year - 1, index.month, index.day)
    found: Counter[tuple[str, str]] = Counter()
    costs = []
    for p in tables["persons"]:
        who = p["person_id"]
        spells = [s for s in tables["registrations"] if s["person_id"] == who]
        here = [s for s in spells if s["start_date"] <= index and (s["end_date"] is None or s["end_date"] >= index)]
        if not here or p["birth_date"] > index or (p["death_date"] and p["death_date"] < index):
            continue
        born = p["birth_date"]
        age = index.year - born.year - ((index.month, index.day) < (born.month, born.day))
        found["sex", p["sex"]] += 1
        low = 85 if age >= 85 else 0 if age < 5 else (age - 5) // 10 * 10 + 5
        found["ten_year_age_band", "85+" if low == 85 else "00-04" if low == 0 else f"{low:02d}-{low + 9:02d}"] += 1
        decile = p["deprivation_decile"]
        found["deprivation_quintile", "not recorded" if decile is None else str((decile + 1) // 2)] += 1
        own = {
            c["condition"]
            for c in tables["conditions"]
            if c["person_id"] == who and (c["onset_date"] is None or c["onset_date"] <= index)
        }
        found["n_conditions", str(len(own)) if len(own) < 4 else "4+"] += 1
        for name in own:
            found["condition", name] += 1
        care = [a for a in tables["activity"] if a["person_id"] == who and start <= a["date"] < index]
        emergencies = sum(a["setting"] == "inpatient" and a["kind"] == "emergency" for a in care)
        attendances = sum(a["setting"] == "accident_and_emergency" for a in care)
        for name, n in zip(CARE, (emergencies, attendances), strict=True):
            found[name, str(n) if n < 3 else "3+"] += 1
        since = min(s["start_date"] for s in here)
        while before := [s for s in spells if s["start_date"] < since and (since - s["end_date"]).days <= 1]:
            since = min(s["start_date"] for s in before)
        found["look_back", "whole" if max(since, born, of.period[0]) <= start else "part"] += 1
        costs.append(sum(a["cost"] for a in care))
    return found, costs


def test_the_example_study_agrees_with_a_naive_count() -> None:
    expected, costs = naive(sr.example_study(), INDEX)
    made = baseline(sr.example_study(), commonest=100)
    found = counts(made)
    assert found.pop(("people", "all")) == found.pop(("cost", "mean")) == len(costs)
    assert {key: n for key, n in found.items() if n} == dict(expected)
    cost = row(made, "cost", "mean")
    assert cost["mean_cost"] == pytest.approx(statistics.fmean(costs), rel=1e-9)
    assert cost["standard_deviation"] == pytest.approx(statistics.stdev(costs), rel=1e-9)


# -- what may be shown ------------------------------------------------------------------------------------------


def test_one_group_of_people_has_one_released_value() -> None:
    cohort = sr.define_cohort(sr.example_study(), index=INDEX)
    curve = sr.survival.kaplan_meier(cohort.follow_up(event="death", by="sex"), time="time", event="event", by="sex", weights="n_persons", time_unit="days")  # fmt: skip
    table, steps, by_sex = sr.suppress([cohort.baseline(), cohort.attrition, curve], NHS)
    start = by_sex.count_tables["grid"].filter((pl.col("time") == 0) & (pl.col("state") == "at risk"))
    assert dict(start.select("sex", "n_persons").rows()) == {s: counts(table)["sex", s] for s in "FM"}
    assert steps.estimates["n_persons"][-1] == counts(table)["people", "all"] == 190


def test_conditions_are_chosen_and_ordered_by_what_is_shown() -> None:
    exact = baseline(sr.example_study(), commonest=3)
    released = sr.suppress(exact, NHS)
    shown = [r for r in released.estimates.iter_rows(named=True) if r["characteristic"] == "condition"]
    # by hand from the exact table: 30, 17 and 12 people; 12 and 11 are both shown as 10, and then go by the alphabet
    assert [(r["category"], r["n_persons"]) for r in shown] == [
        ("hypertension", 30),
        ("asthma", 15),
        ("depression", 10),
    ]
    assert counts(sr.suppress(baseline(sr.example_study()), NHS)).get(("condition", "cancer")) is None


def test_a_released_share_is_of_released_counts() -> None:
    released = sr.suppress(baseline(sr.example_study()), NHS)
    for r in released.estimates.iter_rows(named=True):
        if r["estimate"] is not None:
            assert r["estimate"] == r["n_persons"] / 190
        elif r["characteristic"] not in ("people", "cost"):
            assert r["n_persons"] is None


def test_a_deviation_goes_where_the_mean_of_another_stratum_is_suppressed() -> None:
    made = baseline(sr.example_study(), by="deprivation_quintile")
    population = made.count_tables["population"]
    assert population["standard_deviation"].null_count() == 0
    gone = population.with_columns(pl.when(pl.col("deprivation_quintile") != 1).then("mean_cost").alias("mean_cost"))
    left = made.trim({**made.count_tables, "population": gone}, made.settings, made.by)["population"]
    assert left["standard_deviation"].null_count() == left.height


def test_the_sentence_is_of_released_figures() -> None:
    # by hand: 99 of 190 are shown as 100 of 190; 65 and over are 17, 12 and 1, so that 85 and over is suppressed and
    # the others, 15, 35, 10, 15, 30, 35 and 25 of 190, leave 25; conditions: 15 and 10
    said = sr.suppress(baseline(sr.example_study()), NHS).sentence()
    assert said == (
        "About 190 people were studied; about 53% were women, about 13% were 65 or older and about 13% had three or more conditions."
    )


def test_everybody_is_said_where_nobody_else_is_there_alone() -> None:
    # 20 of 22 women are shown as 20 of 20: not all, and of the two men nothing is said
    from symphony_research.cohort.baseline import _about

    rows = pl.DataFrame({"category": ["F", "M"], "estimate": [1.0, None]}, schema_overrides={"estimate": pl.Float64})
    assert _about(rows, ["F"]) == "nearly all"
    assert _about(rows.with_columns(estimate=pl.Series([1.0, 0.0])), ["F"]) == "all"
    assert _about(rows, ["M"]) == "few"
    assert _about(rows.with_columns(estimate=pl.Series([None, None], dtype=pl.Float64)), ["F"]) == ""


def test_too_few_people_leave_no_number() -> None:
    released = sr.suppress(baseline(study()), NHS)
    assert released.sentence() == "Too few people for anything to be shown."
    assert (
        released.estimates["n_persons"].drop_nulls().to_list()
        == [0] * released.estimates["n_persons"].is_not_null().sum()
    )


def test_the_number_of_conditions_is_that_of_the_list_whatever_a_rule_counts() -> None:
    # 1 and 2 have asthma, the rule's one condition; of three listed 1 has three and 2 one
    found = counts(sr.define_cohort(study(), index=INDEX, min_conditions=1, conditions=["asthma"]).baseline())
    assert [found["n_conditions", n] for n in ("0", "1", "2", "3")] == [0, 1, 0, 1]
