"""Need and beds: by hand, by scenario, and only from rates that were published or have passed disclosure control."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError, DisclosureError

NHS = sr.Policy.nhs_england()
PEOPLE = sr.demography.project_south_somerset(end=2016)
DAYS = pl.DataFrame({"age_band": ["00-64", "65-79", "80+"], "rate": [0.3, 2.0, 6.0]})


def need(rates=DAYS, **more):
    return sr.demography.project_need(PEOPLE, rates, **{"quantity": "bed_days", "published": "invented rates", **more})


def test_the_first_year_by_hand():
    # mid-2011, typed off the base: 126,852 under 65, 24,792 of 65-79, 10,469 of 80 and over
    # 0.3 x 126,852 + 2 x 24,792 + 6 x 10,469 = 150,453.6
    assert need().estimates["need"][0] == pytest.approx(150_453.6)
    assert need().by_age.filter(pl.col("year") == 2011)["need"].sum() == pytest.approx(150_453.6)
    per = need(DAYS.with_columns(pl.col("rate") * 1000), per=1000)
    assert per.estimates["need"].to_list() == pytest.approx(need().estimates["need"].to_list())


def test_constant_rates_follow_the_people():
    last = need().estimates.row(-1, named=True)
    people = PEOPLE.estimates.filter(pl.col("year") == 2016)
    by_hand = sum(
        r * people.filter(pl.col("age").is_between(a, b))["persons"].sum()
        for r, a, b in ((0.3, 0, 64), (2, 65, 79), (6, 80, 90))
    )
    assert last["need"] == pytest.approx(by_hand)
    assert last["percent_change"] == pytest.approx(100 * (by_hand / 150_453.6 - 1))


def test_a_trend_and_postponed_need():
    flat, falling = need().estimates["need"].to_numpy(), need(trend=-0.02).estimates["need"].to_numpy()
    assert falling == pytest.approx(flat * 0.98 ** np.arange(6))
    # by single year of age: five years on at 0.2 a year, people of 65 need what those of 64 did
    single = pl.DataFrame({"age": list(range(91)), "rate": [float(a) for a in range(91)]})
    compressed = need(single, healthy_ageing=0.2).by_age.filter((pl.col("year") == 2016) & (pl.col("sex") == "F"))
    assert compressed["rate"].to_list() == pytest.approx([0.0, *(a - 1.0 for a in range(1, 91))])
    assert need(single, healthy_ageing=-0.2).estimates["need"][-1] > need(single).estimates["need"][-1]


def test_several_quantities_and_both_sexes():
    rates = pl.concat(
        [
            DAYS.with_columns(quantity=pl.lit("bed_days"), sex=pl.lit(s), rate=pl.col("rate") * k)
            for s, k in (("F", 1.0), ("M", 0.0))
        ]
        + [DAYS.with_columns(quantity=pl.lit("diabetes"), sex=pl.lit(s), rate=pl.lit(0.05)) for s in "FM"]
    )
    made = need(rates, trend={"diabetes": 0.1})
    assert made.quantities == ("bed_days", "diabetes")
    first = made.estimates.filter(pl.col("year") == 2011)
    women = PEOPLE.estimates.filter((pl.col("year") == 2011) & (pl.col("sex") == "F"))
    days = sum(
        r * women.filter(pl.col("age").is_between(a, b))["persons"].sum()
        for r, a, b in ((0.3, 0, 64), (2, 65, 79), (6, 80, 90))
    )
    assert first["need"].to_list() == pytest.approx([days, 0.05 * 162_113])
    assert "diabetes +" in made.sentence()


def test_need_by_number_of_conditions_adds_up():
    # of people of 80 and over half have three or more conditions and need 10 days, the others 2: 5 + 1 = 6 days a person
    bands = ["00-64", "65-79", "80+"]
    by_number = pl.DataFrame(
        {"n_conditions": ["0-2"] * 3 + ["3+"] * 3, "age_band": bands * 2, "rate": [0.2, 1.5, 1.0, 0.1, 0.5, 5.0]}
    )
    made = need(by_number, by="n_conditions")
    whole = need().estimates
    added = made.estimates.group_by("year", maintain_order=True).agg(pl.col("need").sum())
    assert added["need"].to_list() == pytest.approx(whole["need"].to_list())
    old = made.estimates.filter((pl.col("year") == 2011) & (pl.col("n_conditions") == "3+"))["need"][0]
    assert old == pytest.approx(0.1 * 126_852 + 0.5 * 24_792 + 5 * 10_469)
    rates = [one.cells(2016).sort("sex", "age")["rate"].to_list() for one in (made, need())]
    assert rates[0] == pytest.approx(rates[1])
    assert sr.demography.beds_required(made).estimates["beds"].to_list() == pytest.approx(
        sr.demography.beds_required(need()).estimates["beds"].to_list()
    )
    assert made.sentence() == need().sentence()


def test_the_change_of_need_decomposes_exactly():
    made = need(trend=-0.01)
    parts = sr.demography.decompose(made.cells(2011), made.cells(2016))
    assert parts.estimates.equals(made.decomposition(2011, 2016).estimates)
    yearly = made.estimates["need"]
    assert parts.estimates["estimate"][3] == pytest.approx(yearly[-1] - yearly[0])
    assert abs(parts.estimates["estimate"][:3].sum() - (yearly[-1] - yearly[0])) < 1e-9 * yearly[0]


def test_need_from_a_study_s_rates_is_shown_only_once_they_are_released():
    bands = {"age_band": ["00-64", "65-79", "80+"]}
    counted = pl.DataFrame(
        {**bands, "n_events": [300, 500, 700], "person_years": [1e3, 400.0, 150.0], "n_persons": [1000, 410, 160]}
    )
    rates = sr.survival.event_rate(counted, by="age_band", per=1, event_name="bed days")
    exact = sr.demography.project_need(PEOPLE, rates, quantity="bed_days")
    with pytest.raises(DisclosureError, match="passed"):
        sr.suppress(exact, NHS)
    released = sr.demography.project_need(PEOPLE, sr.suppress(rates, NHS), quantity="bed_days")
    assert released.disclosure is not None
    assert released.disclosure.policy == NHS
    # what is shown follows from the released rates alone
    shown = sr.suppress(rates, NHS).estimates
    again = need(shown.select("age_band", pl.col("estimate").alias("rate")))
    assert released.estimates["need"].to_list() == pytest.approx(again.estimates["need"].to_list())
    assert sr.suppress(released, NHS) is released or sr.suppress(released, NHS).estimates.equals(released.estimates)
    beds = sr.demography.beds_required(released)
    assert beds.disclosure == released.disclosure
    assert released.decomposition(2011, 2016).disclosure == released.disclosure
    # naming a source does not make a study's rates published ones
    for made in (
        lambda: sr.demography.project_need(PEOPLE, rates, published="somebody"),
        lambda: sr.demography.beds_required(exact, published="somebody"),
        lambda: sr.demography.standardised_rate(rates, published="somebody"),
    ):
        with pytest.raises(ArgumentError, match="published is the source"):
            made()
    with pytest.raises(DisclosureError, match="passed"):
        sr.suppress(exact.decomposition(2011, 2016), NHS)


def test_rates_without_a_source_are_not_released():
    with pytest.raises(DisclosureError, match="published="):
        sr.suppress(need(published=None), NHS)
    assert sr.suppress(need(), NHS).estimates.equals(need().estimates)


@pytest.mark.parametrize(
    ("rates", "more", "said"),
    [
        (DAYS.with_columns(rate=pl.Series([0.1, None, 1.0])), {}, "1 of 3 rows without a rate, such as suppressed"),
        (DAYS.with_columns(-pl.col("rate")), {}, "3 rows below zero"),
        (DAYS.tail(2), {}, "one row for each age group"),
        (pl.concat([DAYS, DAYS]), {}, "two for one group"),
        (DAYS, {"trend": {"beds": 0.1}}, "1 quantities that rates do not have. Quantities: bed_days"),
        (DAYS, {"per": 0}, "per=0"),
        # 300, 2,000 and 6,000 bed-days per 1,000: two of them are more days than a year has
        (DAYS.with_columns(pl.col("rate") * 1000), {}, "2 of 3 rates above 366 days a person a year: they look like rates per 1,000. Pass per=1000"),
        (DAYS.with_columns(age=pl.col("age_band")), {}, "ages as text"),
    ],
)  # fmt: skip
def test_faults_of_need_are_named(rates, more, said):
    with pytest.raises(ArgumentError, match=said):
        need(rates, **more)


def test_beds_by_hand():
    # 100,000 days / 365.25 = 273.785 occupied; / 0.85 = 322.100 beds; / 28 = 11.50 wards
    made = sr.demography.beds_required(100_000).estimates.row(0, named=True)
    assert made["occupied"] == pytest.approx(273.785, abs=1e-3)
    assert made["beds"] == pytest.approx(322.100, abs=1e-3)
    assert made["wards"] == pytest.approx(11.5036, abs=1e-3)
    # more than 323 of a Poisson number of mean 273.785: term by term
    mean = 100_000 / 365.25
    below = sum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(324))
    assert made["probability_of_shortage"] == pytest.approx(1 - below, rel=1e-6)


def test_days_in_waves_run_short_more_often():
    # negative binomial with mean 20 and variance 40: size 20, p 1/2; more than 24 beds, term by term
    made = sr.demography.beds_required(20 * 365.25, dispersion=2).estimates.row(0, named=True)
    below = sum(
        math.exp(math.lgamma(20 + k) - math.lgamma(20) - math.lgamma(k + 1) - (20 + k) * math.log(2)) for k in range(25)
    )
    assert math.ceil(made["beds"]) == 24
    assert made["probability_of_shortage"] == pytest.approx(1 - below, rel=1e-9)
    assert (
        made["probability_of_shortage"]
        > sr.demography.beds_required(20 * 365.25).estimates["probability_of_shortage"][0]
    )


def test_days_cared_for_elsewhere_are_those_of_the_old():
    beds = sr.demography.beds_required(need(), share_elsewhere=0.25).estimates
    # 10,469 people of 80 and over at mid-2011, 6 days each, a quarter of them
    assert beds["days_elsewhere"][0] == pytest.approx(0.25 * 6 * 10_469)
    assert beds["beds"][0] == pytest.approx((150_453.6 - 15_703.5) / 365.25 / 0.85)
    assert "beds are required in 2016" in sr.demography.beds_required(need()).sentence()


@pytest.mark.parametrize(
    ("given", "more", "said"),
    [
        (100.0, {"occupancy": 85}, "occupancy=85 is a share"),
        (100.0, {"share_elsewhere": 0.2}, "needs bed-days by age"),
        (-1.0, {}, "1 rows that are missing or below zero"),
        (pl.DataFrame({"year": [2011], "days": [3]}), {}, "no column 'bed_days'"),
        (100.0, {"dispersion": 0.5}, "dispersion is at least 1"),
    ],
)  # fmt: skip
def test_faults_of_beds_are_named(given, more, said):
    with pytest.raises(ArgumentError, match=said):
        sr.demography.beds_required(given, **more)
