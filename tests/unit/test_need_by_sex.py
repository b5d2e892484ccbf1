"""Rates by age and sex where counts allow, contacts and cost carried forward, and people whom a hub would reach: by hand."""

from __future__ import annotations

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError

d = sr.demography
NHS = sr.Policy.nhs_england()
BANDS = ["00-44", "45-64", "65-79", "80+"]
PEOPLE = d.project_south_somerset(end=2013)


def events(women, men, *, persons=(2000, 1000, 500, 400), policy=None):
    """Rates of an event, by age and sex, by age, and of all; each sex has so many people, a person-year each."""
    by_sex = pl.DataFrame(
        {
            "age_band": BANDS * 2,
            "sex": ["F"] * 4 + ["M"] * 4,
            "n_events": [*women, *men],
            "n_persons": [*persons] * 2,
            "person_years": [float(n) for n in persons] * 2,
        }
    )
    summed = by_sex.group_by("age_band", maintain_order=True).agg(pl.col("n_events", "n_persons", "person_years").sum())
    made = {
        "by_sex": sr.survival.event_rate(by_sex, by=("age_band", "sex"), per=1),
        "by_age": sr.survival.event_rate(summed, by="age_band", per=1),
        "overall": sr.survival.event_rate(summed, per=1),
    }
    return sr.suppress(made, policy) if policy else made


def test_women_and_men_have_their_own_rates_by_hand():
    made = events([20, 40, 60, 80], [40, 20, 100, 120])
    rates = d.need_rates(made["by_age"], overall=made["overall"], by_sex=made["by_sex"])
    old = rates.estimates.filter(pl.col("age") == 80)
    assert old["estimate"].to_list() == pytest.approx([80 / 400, 120 / 400])
    assert old["standard_error"].to_list() == pytest.approx([80**0.5 / 400, 120**0.5 / 400])
    assert rates.estimates["by_sex"].all()
    assert rates.sentence() == "Women and men of an age have rates of their own."
    need = d.project_need(PEOPLE, rates, start=2011)
    # typed off the base of mid-2011: women and men of 80 and over
    women, men = (PEOPLE.estimates.filter((pl.col("year") == 2011) & (pl.col("age") >= 80) & (pl.col("sex") == s))["persons"].sum() for s in "FM")  # fmt: skip
    here = need.by_age.filter((pl.col("year") == 2011) & (pl.col("age") >= 80))["need"].sum()
    assert here == pytest.approx(0.2 * women + 0.3 * men)


def test_where_a_sex_has_too_few_both_have_the_rate_of_their_age():
    made = events([3, 40, 60, 80], [40, 20, 100, 120], policy=NHS)
    rates = d.need_rates(made["by_age"], overall=made["overall"], by_sex=made["by_sex"]).estimates
    told = made["by_sex"].estimates.filter(pl.col("estimate").is_not_null()).group_by("age_band").len()
    whole = set(told.filter(pl.col("len") == 2)["age_band"].to_list())
    apart = {f"{band}" for band in BANDS if band in whole}
    found = rates.group_by("age", maintain_order=True).agg("estimate", pl.col("by_sex").all(), pl.col("own_rate").all())
    assert "00-44" not in apart
    for band, row in zip(BANDS, found.iter_rows(named=True), strict=True):
        assert row["by_sex"] == (band in apart and row["own_rate"])
        if not row["by_sex"]:
            assert row["estimate"][0] == row["estimate"][1]
    sentence = d.need_rates(made["by_age"], overall=made["overall"], by_sex=made["by_sex"]).sentence()
    assert "with too few people, where they share that of their age" in sentence


def test_cost_and_contacts_are_carried_forward_at_the_study_s_prices():
    cohort = sr.define_cohort(sr.example_study())
    made = {
        name: cohort.care_use(by=by)
        for name, by in (("by_age", "age_band"), ("overall", ()), ("by_sex", ("age_band", "sex")))
    }
    cost = d.need_rates(made["by_age"], overall=made["overall"], quantity="cost")
    need = d.project_need(PEOPLE, cost, start=2011)
    rates = dict(
        made["by_age"].estimates.filter(pl.col("quantity") == "cost").select("age_band", "estimate").iter_rows()
    )
    by_hand = 0.0
    for row in PEOPLE.estimates.filter(pl.col("year") == 2013).iter_rows(named=True):
        low = min(row["age"] // 5 * 5, 85)
        by_hand += row["persons"] * rates.get(f"{low:02d}-{low + 4:02d}" if low < 85 else "85+", 0.0)
    assert need.estimates["need"][-1] == pytest.approx(by_hand, rel=1e-9)
    assert need.quantities == ("cost",)
    assert "£" in need.sentence()
    assert "at 2012-13 prices in both years" in need.sentence()
    assert "Cost is at 2012-13 prices in both years." in need.notes(())
    with pytest.raises(ArgumentError, match="there is no prices"):
        d.need_rates(made["by_age"], overall=made["overall"], quantity="prices")


def test_people_reached_by_hand():
    # mid-2011: 126,852 people under 65 and 35,261 of 65 and over: 0.05 x 126,852 + 0.4 x 35,261 = 20,447 with three or more
    rates = pl.DataFrame({"age_band": ["00-64", "65+"], "rate": [0.05, 0.4]})
    need = d.project_need(PEOPLE, rates, quantity="3 or more conditions", published="invented")
    made = d.people_reached(need, reach=[0.1, 0.5])
    assert made.estimates["before"].to_list() == pytest.approx([2044.7, 10_223.5])
    assert "If a care hub reached 10% of people with 3 or more conditions, that would be 2," in made.sentence()
    assert "not an effect" in made.sentence()
    # with errors: a share of the interval
    drawn = d.project_south_somerset_at_random(end=2013, runs=50, seed=1)
    wide = d.people_reached(
        d.project_need(PEOPLE, rates, quantity="3 or more conditions", published="invented", intervals=drawn),
        reach=0.25,
    ).estimates.row(0, named=True)
    error = statistics_of(drawn)
    assert wide["upper"] - wide["after"] == pytest.approx(0.25 * 1.96 * error, rel=0.02)
    for wrong in (1.5, [], -0.1):
        with pytest.raises(ArgumentError, match="shares between 0 and 1"):
            d.people_reached(need, reach=wrong)
    with pytest.raises(ArgumentError, match="was not projected"):
        d.people_reached(need, quantity="frail")


def statistics_of(drawn):
    """The standard deviation over runs of 0.05 of the people under 65 and 0.4 of the others."""
    last = drawn.runs.filter(pl.col("year") == 2013)
    sums = [0.0] * 50
    for row in last.iter_rows(named=True):
        for k, persons in enumerate(row["runs"]):
            sums[k] += persons * (0.4 if row["age"] >= 65 else 0.05)
    mean = sum(sums) / 50
    return (sum((s - mean) ** 2 for s in sums) / 49) ** 0.5
