"""Whom a programme reached: counted by hand of six people, and what is released."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from small_study import study

import symphony_research as sr
from symphony_research.errors import ArgumentError

# who is eligible has asthma; period 1 April 2011 to 31 March 2015
#   1  decile 1, asthma from 2009, enrols 1 May 2011 (30 days), dies on 1 December 2011
#   2  decile 2, asthma from 1 January 2012, enrols 1 June 2013 (517 days), leaves the programme on 1 August 2013
#   3  decile 9, asthma from 1 January 2012, enrols 1 October 2014 (1,004 days): the data end before a year
#   4  no decile, asthma from 2009, never enrols
#   5  decile 10, no asthma
#   6  decile 3, asthma from 2009, enrols 1 January 2013 (641 days), still there a year later
PERSONS = pl.DataFrame(
    {
        "person_id": [1, 2, 3, 4, 5, 6],
        "sex": ["F", "M", "F", "M", "F", "M"],
        "birth_date": [date(1940, 2, 1)] * 6,
        "death_date": [date(2011, 12, 1), None, None, None, None, None],
        "deprivation_decile": [1, 2, 9, None, 10, 3],
    }
)
CONDITIONS = pl.DataFrame(
    {
        "person_id": [1, 2, 3, 4, 6],
        "condition": ["asthma"] * 5,
        "onset_date": [date(2009, 1, 1), date(2012, 1, 1), date(2012, 1, 1), date(2009, 1, 1), date(2009, 1, 1)],
    }
)
ENROLMENTS = pl.DataFrame(
    {
        "person_id": [1, 2, 3, 6],
        "programme": ["complex_care"] * 4,
        "hub": ["North"] * 4,
        "start_date": [date(2011, 5, 1), date(2013, 6, 1), date(2014, 10, 1), date(2013, 1, 1)],
        "end_date": [None, date(2013, 8, 1), None, None],
    }
)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = study(
        tmp_path_factory.mktemp("uptake") / "study",
        persons=PERSONS,
        conditions=CONDITIONS,
        enrolments=ENROLMENTS,
        activity=None,
    )
    return sr.define_cohort(sr.read_study(folder), programme="complex_care", min_conditions=1)


def test_by_hand(cohort):
    found = cohort.uptake().estimates
    rows = {(r["question"], r["category"]): (r["n_persons"], r["n_eligible"]) for r in found.iter_rows(named=True)}
    told = {key: value for key, value in rows.items() if value[0] or value[1]}
    assert told == {
        ("people", ""): (4, 5),
        ("deprivation", "1"): (2, 2),
        ("deprivation", "2"): (1, 1),
        ("deprivation", "5"): (1, 1),
        ("deprivation", "not recorded"): (0, 1),
        ("enrolled in", "2011"): (1, None),
        ("enrolled in", "2012"): (1, None),
        ("enrolled in", "2013"): (1, None),
        ("enrolled in", "2014"): (1, None),
        ("waited", "within three months"): (1, None),
        ("waited", "one to three years"): (3, None),
        ("after a year", "still enrolled"): (1, None),
        ("after a year", "had left the programme"): (1, None),
        ("after a year", "had died"): (1, None),
        ("after a year", "not yet observed for a year"): (1, None),
    }


def test_words(cohort):
    assert cohort.uptake(planned=10).sentence() == (
        "About 4 of about 5 people who were ever eligible enrolled (80%): 100% in the most deprived fifth of areas and 100% in the "
        "least deprived; 10 were planned. Of those who enrolled, 25% enrolled within three months of becoming eligible and 25% were "
        "still enrolled a year later."
    )
    table = cohort.uptake().display()
    assert table["Characteristic"].to_list()[:3] == ["People", "Deprivation, national fifths", "  1 (most deprived)"]


def test_a_table_with_few_people_shows_none_of_them(cohort):
    released = sr.suppress(cohort.uptake(), sr.Policy.nhs_england())
    assert released.estimates["n_persons"].drop_nulls().to_list() == [0] * (
        released.estimates["n_persons"].len() - released.estimates["n_persons"].null_count()
    )
    assert released.sentence() == "Too few people enrolled for anything to be shown."


def test_what_is_asked_of_it(cohort):
    with pytest.raises(ArgumentError, match="planned=0 must be an integer number of people"):
        cohort.uptake(planned=0)
    with pytest.raises(ArgumentError, match="define the cohort by one"):
        sr.define_cohort(cohort.study).uptake()


def test_counts_of_the_generated_study_add_up_and_agree_with_a_loop():
    whole = sr.example_study(12_000)
    cohort = sr.define_cohort(whole, programme="complex_care")
    found = cohort.uptake().estimates
    for question in ("deprivation", "enrolled in", "waited", "after a year"):
        assert (
            found.filter(pl.col("question") == question)["n_persons"].sum()
            == cohort.attrition.estimates["n_persons"][-1]
        )
    # a year after enrolling, by a loop over enrolments of one programme
    first: dict[object, list[date]] = {}
    for row in whole.enrolments.collect().filter(pl.col("programme") == "complex_care").iter_rows(named=True):
        first.setdefault(row["person_id"], []).append(row["start_date"])
    died = dict(whole.persons.select("person_id", "death_date").collect().iter_rows())
    within = sum(1 for p, days in first.items() if died[p] and (died[p] - min(days)).days < 365)
    assert found.filter(pl.col("category") == "had died")["n_persons"][0] == within
