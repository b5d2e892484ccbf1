"""Directly standardised rates: by hand, against a plain loop, by single year and by band, released, and refused."""

from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.demography.standardised import byar_limits
from symphony_research.errors import ArgumentError, DisclosureError

Z = 1.959963984540054
# European Standard Population 2013, typed in from Eurostat's table
ESP = dict(
    zip(
        [0, 1, *range(5, 100, 5)],
        [1000, 4000, 5500, 5500, 5500, 6000, 6000, 6500, 7000, 7000, 7000, 7000, 6500, 6000, 5500, 5000, 4000, 2500, 1500, 800, 200],
        strict=True,
    )
)  # fmt: skip


def rate(frame, **more):
    return sr.demography.standardised_rate(frame, **{"events": "deaths", "person_years": "years", "per": 1000, **more})


def test_two_ages_by_hand():
    # under 65: 20 in 10,000, weight 80,500; over: 80 in 2,000, weight 19,500
    # rate 0.805 x 2 + 0.195 x 40 = 9.41 per 1,000
    # variance 0.805^2 x 20 / 10,000^2 + 0.195^2 x 80 / 2,000^2 = 8.901e-7; Byar's limits of 100: 81.36 and 121.63
    made = rate(pl.DataFrame({"age": [0, 65], "deaths": [20, 80], "years": [10_000.0, 2_000.0]})).estimates.row(
        0, named=True
    )
    assert made["estimate"] == pytest.approx(9.41)
    assert made["crude"] == pytest.approx(1000 * 100 / 12_000)
    error = 1000 * math.sqrt(8.901005e-7 / 100)
    assert made["lower"] == pytest.approx(9.41 - error * (100 - 81.3622), abs=1e-4)
    assert made["upper"] == pytest.approx(9.41 + error * (121.6275 - 100), abs=1e-4)


def test_byar_s_limits_are_near_the_exact_ones():
    # Authority: exact Poisson limits of 10 events, 4.7954 and 18.3904 (Garwood 1936); Breslow and Day find Byar's within 0.5%
    lower, upper = byar_limits(10, 0.95)
    assert lower == pytest.approx(4.7954, rel=0.005)
    assert upper == pytest.approx(18.3904, rel=0.005)


def test_the_standard_population_is_eurostat_s():
    from symphony_research.reference import reference_table

    table = reference_table("european_standard_population_2013").frame
    assert dict(table.iter_rows()) == ESP


def cells() -> pl.DataFrame:
    rng = np.random.default_rng(7)
    ages = list(ESP)
    frame = pl.DataFrame(
        {"sex": [s for s in "FM" for _ in ages], "age": ages * 2, "years": rng.uniform(2000, 9000, 42)}
    )
    return frame.with_columns(
        deaths=pl.Series(rng.poisson(frame["years"].to_numpy() * 0.001 * np.exp(frame["age"].to_numpy() / 20)))
    )


def test_strata_agree_with_a_plain_loop():
    made = rate(cells(), by="sex")
    for sex, ours in zip("FM", made.estimates.iter_rows(named=True), strict=True):
        top = variance = events = 0.0
        for _, age, years, deaths in cells().filter(pl.col("sex") == sex).iter_rows():
            top += ESP[age] * deaths / years
            variance += ESP[age] ** 2 * deaths / years**2
            events += deaths
        top, variance = top / 1e5, variance / 1e10
        lower = events * (1 - 1 / (9 * events) - Z / (3 * math.sqrt(events))) ** 3
        assert ours["estimate"] == pytest.approx(1000 * top)
        assert ours["lower"] == pytest.approx(1000 * (top + math.sqrt(variance / events) * (lower - events)))
    assert "highest in" in made.sentence()


def test_single_years_and_bands_are_one_rate():
    rng = np.random.default_rng(3)
    single = pl.DataFrame(
        {"age": list(range(100)), "deaths": rng.poisson(20, 100), "years": rng.uniform(500, 900, 100)}
    )
    starts = np.array(list(ESP))
    grouped = single.with_columns(age=pl.Series(starts[np.searchsorted(starts, np.arange(100), side="right") - 1]))
    grouped = grouped.group_by("age", maintain_order=True).agg(pl.all().sum())
    text = [f"{a:02d}-{b - 1:02d}" for a, b in itertools.pairwise(starts)] + ["95+"]
    banded = grouped.with_columns(age_band=pl.Series(text)).drop("age")
    expected = rate(grouped).estimates
    for frame in (single, banded):
        assert rate(frame).estimates["estimate"][0] == pytest.approx(expected["estimate"][0])


def test_weights_of_wider_groups_add_up():
    # one group of everybody: the crude rate
    made = rate(pl.DataFrame({"age": [0], "deaths": [50], "years": [1000.0]})).estimates
    assert made["estimate"][0] == pytest.approx(made["crude"][0])
    mine = pl.DataFrame({"age": [0, 50], "persons": [3, 1]})
    two = pl.DataFrame({"age": [0, 50], "deaths": [50, 100], "years": [1000.0, 1000.0]})
    assert rate(two, standard_population=mine).estimates["estimate"][0] == pytest.approx(0.75 * 50 + 0.25 * 100)


def test_no_rate_on_fewer_than_ten_events():
    made = rate(pl.DataFrame({"age": [0, 65], "deaths": [4, 5], "years": [100.0, 100.0]}))
    assert made.estimates["estimate"][0] is None
    assert "fewer than 10 events" in made.sentence()


def test_of_a_study_it_follows_from_released_rates_and_is_released_with_them():
    counted = pl.DataFrame(
        {
            "sex": [*"FFMM"], "age_band": ["00-64", "65+"] * 2, "deaths": [40, 123, 31, 98], "years": [9000.0, 2000, 9100, 1700],
            "people": [9100, 2200, 9300, 1900],
        }
    )  # fmt: skip
    rates = sr.survival.event_rate(
        counted, events="deaths", person_years="years", n_persons="people", by=("sex", "age_band"), event_name="death"
    )
    exact = sr.demography.standardised_rate(rates, by="sex", per=1000)
    plain = rate(counted, by="sex").estimates
    assert exact.estimates["estimate"].to_list() == pytest.approx(plain["estimate"].to_list())
    with pytest.raises(DisclosureError, match="passed"):
        sr.suppress(exact, sr.Policy.nhs_england())
    gate = sr.suppress(rates, sr.Policy.nhs_england())
    released = sr.demography.standardised_rate(gate, by="sex", per=1000)
    assert released.disclosure == gate.disclosure
    # by hand from what is shown: the released rates per 1,000 of the two ages, weights 80,500 and 19,500
    for sex, found in released.estimates.select("sex", "estimate").iter_rows():
        young, old = gate.estimates.filter(pl.col("sex") == sex).sort("age_band")["estimate"]
        assert found == pytest.approx(0.805 * young + 0.195 * old)
    few = counted.with_columns(deaths=pl.Series([3, 123, 31, 98]))
    hidden = sr.suppress(
        sr.survival.event_rate(few, events="deaths", person_years="years", n_persons="people", by=("sex", "age_band")),
        sr.Policy.nhs_england(),
    )
    with pytest.raises(ArgumentError, match="such as suppressed ones"):
        sr.demography.standardised_rate(hidden, by="sex")


def test_published_counts_stay_as_they_are():
    made = rate(cells(), by="sex", published="Office for National Statistics")
    assert sr.suppress(made, sr.Policy.nhs_england()).estimates.equals(made.estimates)


def test_a_study_s_counts_are_no_published_figures():
    counts = sr.define_cohort(sr.example_study()).rates(event="death", by="age_band")
    with pytest.raises(ArgumentError, match="published is the source of figures in a frame"):
        rate(counts, events="n_events", person_years="person_years", published="a source")


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ({"age": [0, 63], "deaths": [1, 2], "years": [1.0, 2.0]}, "1 age groups of frame do not begin"),
        ({"age": [5, 65], "deaths": [1, 2], "years": [1.0, 2.0]}, "the first is not 0"),
        ({"age": [0, 65], "deaths": [1, 2], "years": [1.0, 0.0]}, "1 age groups have no person-years"),
        ({"age": ["0", "65"], "deaths": [1, 2], "years": [1.0, 1.0]}, "ages as text"),
        ({"age_band": ["00-04", "old"], "deaths": [1, 2], "years": [1.0, 1.0]}, "1 age bands that are neither"),
        ({"age_band": ["00-04", "10+"], "deaths": [1, 2], "years": [1.0, 1.0]}, "1 age bands of frame do not end"),
        ({"age": [0, 65], "deaths": [1, None], "years": [1.0, 1.0]}, "1 of 2 rows have no deaths or years"),
        ({"age": [0, 65], "deaths": [1, -2], "years": [1.0, 1.0]}, "below zero"),
        ({"deaths": [1, 2], "years": [1.0, 1.0]}, "no column 'age' or 'age_band'"),
    ],
)
def test_each_fault_is_named(frame, said):
    with pytest.raises(ArgumentError, match=said):
        rate(pl.DataFrame(frame))


def test_strata_must_have_the_same_ages():
    with pytest.raises(ArgumentError, match="1 strata lack age groups"):
        rate(cells().slice(0, 40), by="sex")
