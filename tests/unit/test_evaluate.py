"""The whole evaluation in one call: every study gets its results or a sentence for each, and figures are those of the single calls."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.reference import reference_table

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "06_hub_evaluation.ipynb"
ON_THE_PAGE = {"Key findings", "What this report cannot show", "Data and provenance"}  # headings that every report has
SHOWN = ("effect", "outcomes", "incidence", "before_after", "events", "others", "robustness", "cost", "hubs")


@pytest.fixture(scope="module")
def study():
    return sr.example_study(12_000)


def with_tables(study, name, **tables):
    return replace(study, tables={**study.tables, **tables}, fingerprint=name)


def evaluated(study, **asked):
    found = sr.evaluation.evaluate(study, protocol=sr.evaluation.default_protocol(study), **asked)
    released = sr.suppress(found.results, sr.Policy.nhs_england())
    said = {name: one.sentence() for name, one in released.items()}
    assert all(said.values()), [name for name, words in said.items() if not words]
    return found, said


def test_figures_are_those_of_the_single_calls(study):
    protocol = sr.evaluation.default_protocol(study)
    found = sr.evaluation.evaluate(study, protocol=protocol, planned=50, programme_cost=100)
    cohort = sr.define_cohort(study, **protocol.as_cohort_arguments())
    matched = sr.evaluation.match_controls(study, cohort, **protocol.as_matching_arguments())
    effect = sr.evaluation.enrolment_effect(matched, **protocol.as_effect_arguments())
    assert found.effect.estimates.equals(effect.estimates)
    assert found.uptake.estimates.equals(cohort.uptake(planned=50).estimates)
    assert found.cost.settings["programme_cost"] == 100
    assert found.attrition.estimates.equals(matched.attrition.estimates)
    people = found.included.estimates.filter(pl.col("characteristic") == "people")["n_persons"][0]
    assert people == found.effect.arms["n_persons"][0]


def test_of_twelve_people_it_says_what_cannot_be_estimated(study):
    few = study.enrolments.collect().filter(pl.col("programme") == "complex_care")["person_id"].unique().sort()[:12]
    enrolments = study.enrolments.filter(pl.col("person_id").is_in(few.implode()))
    found, said = evaluated(with_tables(study, "twelve people", enrolments=enrolments))
    assert found.effect.holds_nothing or found.effect.few
    assert not re.search(r"\b(?:[1-7]|12) (?:people|enrolled)", " ".join(said.values()))


def test_of_people_enrolled_in_one_month(study):
    enrolments = study.enrolments.with_columns(
        start_date=pl.lit(date(2016, 2, 1)), end_date=pl.lit(None, dtype=pl.Date)
    )
    evaluated(with_tables(study, "one month", enrolments=enrolments))


def test_of_people_enrolled_on_the_last_day_of_the_data(study):
    enrolments = study.enrolments.with_columns(start_date=pl.lit(study.period[1]), end_date=pl.lit(None, dtype=pl.Date))
    found, said = evaluated(with_tables(study, "the last day", enrolments=enrolments))
    assert all(getattr(found, name).holds_nothing for name in SHOWN)
    assert said["effect"] == (
        "Nobody is observed after the day they enrolled, so the effect on emergency admissions is not shown."
    )


def test_of_an_outcome_that_nobody_has(study):
    # of enrolled people's activity, no admission after they enrolled
    dated = study.enrolments.select("person_id", first="start_date")
    activity = study.activity.join(dated, on="person_id", how="left")
    gone = (pl.col("setting") == "inpatient") & (pl.col("date") > pl.col("first")).fill_null(False)
    found, said = evaluated(with_tables(study, "no admission", activity=activity.filter(~gone).drop("first")))
    assert found.effect.holds_nothing
    assert said["effect"].endswith("so the effect on emergency admissions is not shown.")
    assert not found.cost.holds_nothing


def test_where_nobody_is_comparable(study):
    # some thirty women enrolled, all on one day, of a study in which everybody else is a man
    programme = study.enrolments.filter(pl.col("programme") == "complex_care")
    enrolments = programme.with_columns(start_date=pl.lit(date(2016, 2, 1)), end_date=pl.lit(None, dtype=pl.Date))
    own = enrolments.collect()["person_id"].unique()
    sex = pl.when(pl.col("person_id").is_in(own.implode())).then(pl.lit("F")).otherwise(pl.lit("M"))
    persons = study.persons.with_columns(sex=sex.cast(study.persons.collect_schema()["sex"]))
    found, said = evaluated(with_tables(study, "nobody comparable", persons=persons, enrolments=enrolments))
    assert found.effect.holds_nothing
    assert "comparable" in said["effect"] or "similar" in said["effect"]


def test_one_hub_is_compared_with_no_other(study):
    _, said = evaluated(study, hub=study.hubs()[0])
    assert said["hubs"] == "This is of one hub, so a comparison of hubs is not shown."


def test_each_item_of_target_is_answered_in_a_section_that_is_there():
    book = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    prose = "\n".join("".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "markdown")
    headings = set(re.findall(r"^#+ (.+)$", prose, re.MULTILINE)) | ON_THE_PAGE
    items = reference_table("target_items").frame
    assert items["number"].cast(pl.Int64).to_list() == list(range(1, 22))
    assert set(items["place"]) <= headings, set(items["place"]) - headings


def test_what_is_made_of_an_effect_is_not_shown_where_its_counts_are_suppressed(study):
    protocol = sr.evaluation.default_protocol(study)
    cohort = sr.define_cohort(study, **protocol.as_cohort_arguments())
    matched = sr.evaluation.match_controls(study, cohort, **protocol.as_matching_arguments())
    effect = sr.evaluation.enrolment_effect(matched, fewest_events=0, fewest_people=0, resamples=2)
    made = {
        "others": sr.evaluation.other_analyses(effect),
        "cost": sr.evaluation.cost_effect(matched, effect=effect, resamples=2),
    }
    for name, one in made.items():
        # of people with the event a few, while the estimate's own count is taken to be large
        arms = one.count_tables["arms"].with_columns(n_persons=pl.lit(200), n_with_event=pl.lit(3))
        effects = one.count_tables["effects"].with_columns(cell=pl.lit(200), free=pl.lit(500))
        if name == "cost":
            arms = arms.with_columns(n_with_cost=pl.lit(150), spread=pl.lit(0.001))
        few = type(one)({"arms": arms, "effects": effects}, dict(one.settings), ())
        released = sr.suppress(few, sr.Policy.nhs_england())
        assert released.count_tables["arms"]["n_with_event"].null_count() == 2
        assert released.count_tables["effects"]["estimate"].null_count() == effects.height, name


def test_cost_takes_the_effect_of_its_own_people_and_days(study):
    protocol = sr.evaluation.default_protocol(study)
    cohort = sr.define_cohort(study, **protocol.as_cohort_arguments())
    matched = sr.evaluation.match_controls(study, cohort, **protocol.as_matching_arguments())
    effect = sr.evaluation.enrolment_effect(matched, resamples=2)
    with pytest.raises(sr.errors.ArgumentError, match="same matched people and days"):
        sr.evaluation.cost_effect(matched, effect=effect, horizon=90, resamples=2)
