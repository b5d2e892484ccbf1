"""Life tables: England's practice against a published answer, by hand, and the faults of rates."""

from __future__ import annotations

import math

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError

life_table = sr.demography.life_table

# Public Health England's life expectancy calculator: the example of its R package PHEindicatormethods
# (phe_life_expectancy) and the answer in the package's own tests (tests/testthat/testLifeExpectancy.R, "answer1")
PHE = pl.DataFrame(
    {
        "age": [0, 1, *range(5, 95, 5)],
        "people": [7060, 35059, 46974, 48489, 43219, 38561, 46009, 57208, 61435, 55601, 50209, 56416, 46411, 39820, 37978,
                   37039, 33288, 23306, 11936, 11936],
        "deaths": [17, 9, 4, 8, 20, 15, 24, 33, 50, 71, 100, 163, 263, 304, 536, 872, 1390, 1605, 1936, 1937],
        "expectation": [80.16960813, 79.36245674, 75.44193645, 70.47299936, 65.52909542, 60.67510088, 55.78835987,
                        50.92752727, 46.06740425, 41.24505636, 36.49322717, 31.83343842, 27.26027992, 22.9719144,
                        18.76856852, 14.95858336, 11.51684445, 8.618849241, 6.163942934, 6.16210635],
        "lower": [79.88268548, 79.0898816, 75.17407307, 70.20675732, 65.26548673, 60.41876577, 55.53801579, 50.68279939,
                  45.82666794, 41.00842831, 36.26223216, 31.60996318, 27.04337271, 22.76653134, 18.57570352, 14.77985004,
                  11.34831778, 8.451134045, 5.978358351, 5.887683386],
        "upper": [80.45653078, 79.63503188, 75.70979983, 70.7392414, 65.79270412, 60.931436, 56.03870395, 51.17225516,
                  46.30814055, 41.48168441, 36.72422219, 32.05691365, 27.47718713, 23.17729746, 18.96143352, 15.13731667,
                  11.68537112, 8.786564437, 6.349527517, 6.436529314],
    }
)  # fmt: skip
RATES = PHE.select(pl.lit("F").alias("sex"), "age", (pl.col("deaths") / pl.col("people")).alias("rate"), "deaths")


def test_life_expectancy_and_its_limits_are_those_of_public_health_england() -> None:
    made = life_table(RATES, kind="central_rate").estimates
    assert made["life_expectancy"].to_list() == pytest.approx(PHE["expectation"].to_list(), abs=5e-8)
    # the calculator's limits are 1.96 standard errors away
    error = ((PHE["upper"] - PHE["lower"]) / 2 / 1.96).to_list()
    assert made["standard_error"].to_list() == pytest.approx(error, abs=5e-8)
    for limit in ("lower", "upper"):
        assert made[limit].to_list() == pytest.approx(PHE[limit].to_list(), abs=1e-5)


def test_chiang_s_own_variance_has_no_part_of_the_open_age() -> None:
    with_open, without = (
        life_table(RATES, kind="central_rate", open_interval=o).estimates for o in ("silcocks", "chiang")
    )
    assert without["standard_error"][-1] == 0
    # l(90)/l(0) of the variance 1 / (D m^2) of the last life expectancy is the difference at birth
    share = without["survivors"][-1] / without["survivors"][0]
    m = 1937 / 11936
    last = share**2 / (1937 * m**2)
    assert with_open["standard_error"][0] ** 2 - without["standard_error"][0] ** 2 == pytest.approx(last, rel=1e-9)


def test_three_ages_by_hand() -> None:
    # q: 0.2, 0.5, 1; l: 1, 0.8, 0.4; L with a = 1/2: 0.9, 0.6, 0.2; e: 1.7, 0.8/0.8 = 1, 0.5
    # here the last age is closed after a year, as probability 1 says
    rates = pl.DataFrame({"sex": ["M"] * 3, "age": [5, 6, 7], "rate": [0.2, 0.5, 1.0], "deaths": [20.0, 40.0, 40.0]})
    made = life_table(rates, kind="probability", open_interval="chiang").estimates
    assert made["survivors"].to_list() == pytest.approx([100_000, 80_000, 40_000])
    assert made["person_years"].to_list() == pytest.approx([90_000, 60_000, 20_000])
    assert made["life_expectancy"].to_list() == pytest.approx([1.7, 1.0, 0.5])
    # variances of q: 0.04 x 0.8 / 20 = 0.0016; 0.25 x 0.5 / 40 = 0.003125
    # of e(5): 1 x (0.5 + 1.0)^2 x 0.0016 + 0.64 x (0.5 + 0.5)^2 x 0.003125 = 0.0036 + 0.002
    assert made["standard_error"].to_list() == pytest.approx([math.sqrt(0.0056), math.sqrt(0.003125), 0.0])
    # m: 0.2 / 0.9, 0.5 / 0.75, and 1 over the half year lived
    assert made["central_rate"].to_list() == pytest.approx([0.2 / 0.9, 0.5 / 0.75, 2.0])


def test_rates_and_the_probabilities_they_give_make_one_table() -> None:
    by_rate = life_table(RATES, kind="central_rate").estimates
    again = by_rate.select("sex", "age", pl.col("probability_of_death").alias("rate"))
    # an open probability is of a year: of a constant hazard m it is 1 - exp(-m)
    m = 1937 / 11936
    again = again.with_columns(pl.when(pl.col("age") == 90).then(1 - math.exp(-m)).otherwise("rate").alias("rate"))
    by_probability = life_table(again, kind="probability").estimates
    assert by_probability["life_expectancy"].to_list() == pytest.approx(by_rate["life_expectancy"].to_list())
    assert by_probability["central_rate"].to_list() == pytest.approx(by_rate["central_rate"].to_list())
    assert by_probability["standard_error"].null_count() == by_probability.height


def test_probabilities_between_mid_years_start_with_half_a_year() -> None:
    # a hazard of 0.1 a year at all ages: half a year to the first mid-year, then years
    hazard = 0.1
    rates = pl.DataFrame(
        {
            "sex": ["F"] * 202,
            "age": list(range(-1, 201)),
            "rate": [1 - math.exp(-hazard / 2)] + [1 - math.exp(-hazard)] * 201,
        }
    )
    made = life_table(rates, kind="probability").estimates
    # constant hazard: life expectancy 1 / 0.1 at every age, but for deaths taken half way through (0.1^2 / 12 of it)
    assert made["life_expectancy"][0] == pytest.approx(10, rel=1e-3)
    assert made["survivors"][1] == pytest.approx(100_000 * math.exp(-0.05))
    assert "at birth" in life_table(rates, kind="probability").sentence()


def test_the_national_shape_has_a_plausible_life_expectancy() -> None:
    # Authority: ONS, national life tables, United Kingdom 2012-2014: 79.1 years for men and 82.8 for women
    from symphony_research.reference import reference_table

    made = life_table(reference_table("national_mortality_shape").frame, kind="probability").estimates
    at_birth = made.filter(pl.col("age") == -1).sort("sex")["life_expectancy"].to_list()
    assert at_birth == pytest.approx([82.8, 79.1], abs=0.2)


@pytest.mark.parametrize(
    ("frame", "kind", "said"),
    [
        (RATES, "rate", "kind='rate' is not known"),
        (RATES.with_columns(pl.col("rate") * 1000), "central_rate", "per 1,000 or per 100,000"),
        (RATES.with_columns(pl.col("rate") * 1000), "probability", "per 1,000 or per 100,000"),
        (RATES.with_columns(pl.col("age").cast(pl.String)), "central_rate", "ages as text"),
        (pl.concat([RATES, RATES.with_columns(sex=pl.lit("M")).filter(pl.col("age") != 40)]), "central_rate", "1 ages missing"),
        (RATES.with_columns(pl.when(pl.col("age") < 90).then("rate").otherwise(0.0).alias("rate")), "central_rate", "open age 90 is zero"),
        (pl.DataFrame({"sex": ["F"] * 4, "age": [0, 1, 2, 4], "rate": [0.1] * 4}), "central_rate", "lacks 1 of them \\(first 3\\)"),
    ],
)  # fmt: skip
def test_each_fault_is_named(frame: pl.DataFrame, kind: str, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        life_table(frame, kind=kind)


def test_the_kind_must_be_said() -> None:
    with pytest.raises(TypeError):
        life_table(RATES)
