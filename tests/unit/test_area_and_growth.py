"""The area of a study projected, people then and now beside the forecast of 2013, and beds under assumptions."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.reference import reference_table
from symphony_research.result import NotAvailable

BASE = reference_table("south_somerset_population_2011").frame


def study_with(population):
    study = sr.example_study()
    given = study.given | {"population"}
    return replace(study, tables={**study.tables, "population": population.lazy()}, given=given)


@pytest.mark.parametrize("study", [replace(sr.example_study(), given=frozenset({"persons"})), study_with(BASE.clear())])
def test_without_a_table_nobody_is_projected(study):
    # whatever place the study is of, it is not to be given the people of another
    made = sr.demography.project_area(study, end=2012, start=2011)
    assert isinstance(made, NotAvailable)
    assert made.sentence().startswith("The study has no table of population, so it is not known whose need to project")


def test_a_table_of_south_somerset_is_the_base():
    # one more girl of no age, in two areas within the study's: areas are added up
    more = pl.DataFrame({"year": [2011], "sex": ["F"], "age": [0], "persons": [1]}, schema=BASE.schema)
    made = sr.demography.project_area(study_with(pl.concat([BASE, more])), end=2012, start=2011)
    assert made.people(2011) == 162_114
    assert "table of population, mid-2011" in made.settings["published"]
    later = sr.demography.project_south_somerset(end=2013).estimates.filter(pl.col("year") == 2013)
    own = later.with_columns(pl.col("persons") * 1.01)
    made = sr.demography.project_area(
        study_with(pl.concat([own, BASE.select(own.columns).cast({"persons": pl.Float64})])), start=2013, end=2014
    )
    assert made.settings["start"] == 2013, "the latest year up to the one that is compared with"
    assert made.people(2013) == pytest.approx(1.01 * later["persons"].sum())


@pytest.mark.parametrize(
    "population",
    [BASE.with_columns(pl.col("persons") * 2), BASE.with_columns(pl.lit(1999).alias("year"))],
    ids=["larger", "of no year that is known"],
)
def test_another_area_has_one_sentence(population):
    study = study_with(population)
    for made in (sr.demography.project_area(study), sr.demography.project_area_at_random(study, seed=1)):
        assert isinstance(made, NotAvailable)
        assert made.sentence().startswith("The population of this study is not that of South Somerset")
        assert made.sentence().count(".") == 1
        assert made.heading() == "How many people there will be by 2021, with what needs and how many beds"


def test_a_table_by_five_years_of_age_leaves_the_built_in_base():
    banded = BASE.with_columns(pl.col("age") // 5 * 5).group_by("year", "sex", "age").agg(pl.col("persons").sum())
    assert sr.demography.project_area(study_with(banded), end=2014).settings["published"].startswith("built-in")


def test_years_that_are_not_reached_are_refused():
    for years in ({"start": 2010}, {"end": 2044}, {"start": 2021, "end": 2021}):
        with pytest.raises(sr.ArgumentError, match="reach from mid-2011 to mid-2043"):
            sr.demography.project_area(sr.example_study(), **years)


def test_people_then_and_now_by_hand():
    people = sr.demography.project_south_somerset(end=2021)
    drawn = sr.demography.project_south_somerset_at_random(end=2021, runs=60, seed=4)
    made = sr.demography.growth(people, intervals=drawn).estimates
    frame = people.estimates
    for row in made.iter_rows(named=True):
        low, high = {"all ages": (0, 90), "under 65": (0, 64), "65 and over": (65, 90), "85 and over": (85, 90)}[
            row["ages"]
        ]
        before, after = (
            frame.filter((pl.col("year") == y) & pl.col("age").is_between(low, high))["persons"].sum()
            for y in (2013, 2021)
        )
        assert row["persons_before"] == pytest.approx(before)
        assert row["percent_change"] == pytest.approx(100 * (after / before - 1))
    # quoted when the programme began, of these ages and years alone
    assert made["forecast_percent"].to_list() == [None, None, 20, 30]
    assert sr.demography.growth(people, start=2012).estimates["forecast_percent"].null_count() == 4
    ends = drawn.groups.filter((pl.col("year") == 2021) & (pl.col("group") == "85 and over"))
    assert made.row(3, named=True)["upper_80"] == ends["upper_80"].item()


def test_years_have_no_separator_and_people_three_figures():
    made = sr.suppress(sr.demography.growth(sr.demography.project_south_somerset(end=2021)), sr.Policy.nhs_england())
    page = sr.table(made).html
    assert "Mid-2013" in page
    assert "2,013" not in page
    assert "2,021" not in page
    assert ">164,000<" in page
    assert "the programme's forecast in 2013: +20%" in made.sentence()


def rates(days_young, days_old):
    """Bed-days a person: of those under 80, and of 80 and over; made of two rates of a plain frame."""
    frame = pl.DataFrame(
        {
            "age_band": ["00-79", "80+"],
            "n_events": [days_young, days_old],
            "n_persons": [1000, 1000],
            "person_years": [1000.0, 1000.0],
        }
    )
    by_age, overall = (sr.survival.event_rate(frame, by=by, event_name="bed_day") for by in ("age_band", ()))
    return sr.demography.need_rates(by_age, overall=overall)


def test_beds_under_assumptions_by_hand():
    people = sr.demography.project_south_somerset(end=2021)
    made = sr.demography.bed_scenarios(
        people, rates=rates(300, 900), share_elsewhere=0.25, trend=-0.01, healthy_ageing=0, hub_reach=0.4, hub_avoided=0.1,
        coaching_reach=0.5, coaching_avoided=0.02,
    ).estimates  # fmt: skip
    young, old = people.people(2021, (0, 79)), people.people(2021, (80, None))
    beds = (0.3 * young + 0.9 * old) / 365.25 / 0.85
    expected = [
        beds,
        beds * 0.99**8,
        (0.3 * young + 0.9 * 0.75 * old) / 365.25 / 0.85,  # a quarter of the days of those of 80 and over
        beds * (1 - 0.4 * 0.1),
        beds * (1 - 0.5 * 0.02),
    ]
    assert made["beds"].to_list() == pytest.approx(expected)
    then = (0.3 * people.people(2013, (0, 79)) + 0.9 * people.people(2013, (80, None))) / 365.25 / 0.85
    assert made["beds_before"].to_list() == pytest.approx([then] * 5)
    assert made["change"].to_list() == pytest.approx([b - then for b in expected])


def test_healthier_ageing_needs_fewer_beds_and_the_opposite_more():
    made = sr.demography.bed_scenarios(
        sr.demography.project_south_somerset(end=2021), rates=rates(300, 900), trend=0, share_elsewhere=0
    )
    same, later, earlier = made.estimates["beds"].to_list()
    assert later < same < earlier
    assert made.estimates["scenario"].to_list()[1] == "healthier ageing: need 0.2 years later each year"
    assert "assumed, not an effect found" in made.sentence()
    with pytest.raises(sr.ArgumentError, match="hub_reach: a share is between 0 and 1"):
        sr.demography.bed_scenarios(
            sr.demography.project_south_somerset(end=2021), rates=rates(300, 900), hub_reach=1.2
        )


def test_need_of_a_start_year_is_that_year_s():
    people = sr.demography.project_south_somerset(end=2021)
    need = sr.demography.project_need(people, rates(300, 900), start=2013)
    assert need.estimates["year"].unique().sort().to_list() == list(range(2013, 2022))
    row = need.then_and_now.row(0, named=True)
    assert row["before"] == pytest.approx(0.3 * people.people(2013, (0, 79)) + 0.9 * people.people(2013, (80, None)))
    with pytest.raises(sr.ArgumentError, match="start=2010"):
        sr.demography.project_need(people, rates(300, 900), start=2010)
