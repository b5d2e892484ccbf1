"""One interval for both errors, of the people and of the rates: by hand, and against a naive simulation."""

from __future__ import annotations

import random
import re
import statistics

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.demography.need_errors import needs_errors
from symphony_research.errors import ArgumentError

d = sr.demography
BANDS = ["00-44", "45-64", "65-79", "80+"]
PEOPLE = d.project_south_somerset(end=2021)
DRAWN = d.project_south_somerset_at_random(end=2021, runs=400, seed=7)


def rates_of():
    """Bed-days a person-year by age, each person with an event at most; by hand, sqrt(n) / years is their error."""
    frame = pl.DataFrame(
        {
            "age_band": BANDS, "n_events": [200, 400, 600, 800], "n_persons": [2000, 1000, 500, 200],
            "person_years": [2000.0, 1000.0, 500.0, 200.0],
        }
    )  # fmt: skip
    return d.need_rates(
        sr.survival.event_rate(frame, by="age_band", per=100), overall=sr.survival.event_rate(frame, per=100)
    )


def test_two_ages_two_years_and_two_runs_by_hand():
    # ages 0-4 and 5-9 of women alone: 100 and 50 people, then 100 and 60; rates 1 and 4, errors 0.1 and 0.5
    people = np.zeros((2, 2, 10))
    people[:, 0, 0], people[:, 0, 5] = 100, [50, 60]
    rate = np.broadcast_to(np.repeat([1.0, 4.0], 5), (2, 2, 10))
    table = pl.DataFrame({"quantity": ["days"] * 2, "age": [0, 5], "standard_error": [0.1, 0.5]})
    # in the second year the older are 54 in one run and 66 in the other, all else as expected
    runs = np.ones((2, 2, 2, 2))
    runs[1, :, 0, 1] = [0.9, 1.1]
    found = needs_errors({"days": rate}, table, people, runs, {"days": np.ones(2)}).rows(named=True)
    # first year: sqrt((100 x 0.1)^2 + (50 x 0.5)^2) = sqrt(100 + 625) = 26.93, and nothing of the people
    assert found[0]["of_rates"] == pytest.approx(725**0.5)
    assert found[0]["of_people"] == found[0]["of_change"] == 0
    # second: need of the runs 100 + 4 x 54 = 316 and 100 + 4 x 66 = 364, variance 24^2 x 2 = 1152
    assert found[1]["of_people"] == pytest.approx(1152**0.5)
    # of the rates: 100 + 0.25 x (54^2 + 66^2) / 2 = 100 + 0.25 x 3636 = 1009
    assert found[1]["of_rates"] == pytest.approx(1009**0.5)
    assert found[1]["standard_error"] == pytest.approx((1152 + 1009) ** 0.5)
    # the change: people 4 and 16 more, 0.25 x (16 + 256) / 2 = 34 of the rates; the young do not change
    assert found[1]["of_change"] == pytest.approx((1152 + 34) ** 0.5)


def test_a_rate_that_both_sexes_share_is_one_error():
    people = np.full((1, 2, 5), 10.0)  # 50 women, 50 men
    rate = {"days": np.ones((1, 2, 5))}
    one = {"quantity": ["days"] * 2, "age": [0, 0], "sex": ["F", "M"], "standard_error": [0.1, 0.1]}
    found = [
        needs_errors(rate, pl.DataFrame({**one, "by_sex": [own] * 2}), people, None, {"days": np.ones(1)})["of_rates"][
            0
        ]
        for own in (False, True)
    ]
    # shared: 100 people x 0.1; of their own: sqrt(2) x 50 x 0.1
    assert found == pytest.approx([10.0, 50**0.5])


def test_against_a_naive_simulation():
    rates = rates_of()
    need = d.project_need(PEOPLE, rates, start=2013, intervals=DRAWN)
    by_run = DRAWN.runs.filter(pl.col("year").is_in([2013, 2021]))
    at = {(row["year"], row["sex"], row["age"]): row["runs"] for row in by_run.iter_rows(named=True)}
    known = dict(rates.estimates.select("age", pl.struct("estimate", "standard_error")).iter_rows())
    drawing, days = random.Random(1), {2013: [], 2021: []}
    for _ in range(40_000):
        run = drawing.randrange(400)
        rate = {low: drawing.gauss(own["estimate"], own["standard_error"]) for low, own in known.items()}
        for year in days:
            days[year].append(0.0)
        for (year, _, age), runs in at.items():
            days[year][-1] += runs[run] * rate[max(low for low in rate if low <= age)]
    last = need.errors.row(-1, named=True)
    change = [after - before for before, after in zip(days[2013], days[2021], strict=True)]
    # a standard deviation of 40,000 draws is known to a third of a percent
    assert last["standard_error"] == pytest.approx(statistics.stdev(days[2021]), rel=0.02)
    assert last["of_change"] == pytest.approx(statistics.stdev(change), rel=0.02)
    assert last["standard_error"] ** 2 == pytest.approx(last["of_rates"] ** 2 + last["of_people"] ** 2)
    # and the page says the quantiles of the simulation
    beds = d.beds_required(need, years=[2013, 2021])
    per = 365.25 * 0.85
    ordered, changes = sorted(days[2021]), sorted(change)
    row = beds.estimates.row(-1, named=True)
    assert row["beds_lower"] == pytest.approx(ordered[1000] / per, rel=0.01)
    assert row["beds_upper"] == pytest.approx(ordered[-1000] / per, rel=0.01)
    said = re.search(r"more than in 2013 \(95% interval (\d+) to (\d+)", beds.sentence())
    assert [int(said[1]), int(said[2])] == pytest.approx([changes[1000] / per, changes[-1000] / per], abs=1.5)


def test_what_an_interval_holds_is_said():
    rates = rates_of()
    said = {
        which: d.beds_required(d.project_need(PEOPLE, rates, start=2013, intervals=drawn)).sentence()
        for which, drawn in (("both", DRAWN), ("rates", None))
    }
    assert re.search(
        r"both errors: of the study's rates \(alone ±\d+ beds\) and of the people projected \(alone ±\d+\)",
        said["both"],
    )
    assert "The interval is of the sampling of the study's rates alone." in said["rates"]
    single = pl.DataFrame({"age": list(range(91)), "rate": [1.0] * 91})
    people = d.project_need(PEOPLE, single, intervals=DRAWN, published="invented")
    assert "The interval is of the people projected alone." in d.beds_required(people).sentence()
    # a day a person: the error is that of all people
    everybody = DRAWN.runs.filter(pl.col("year") == 2021)["runs"].to_list()
    assert people.errors["standard_error"][-1] == pytest.approx(
        statistics.stdev(map(sum, zip(*everybody, strict=True))), rel=0.005
    )


def test_both_errors_make_a_wider_interval_than_either():
    need = d.project_need(PEOPLE, rates_of(), start=2013, intervals=DRAWN)
    errors = need.errors.filter(pl.col("year") > 2011)
    assert (errors["standard_error"] > errors["of_rates"]).all()
    assert (errors["standard_error"] > errors["of_people"]).all()
    scenarios = d.bed_scenarios(PEOPLE, rates=rates_of(), intervals=DRAWN, share_elsewhere=0.25).estimates
    first = d.beds_required(need).estimates.row(-1, named=True)
    assert scenarios["beds_lower"][0] == pytest.approx(first["beds_lower"])
    assert (scenarios["beds_upper"] > scenarios["beds"]).all()


def test_intervals_of_another_projection_are_refused():
    other = d.project_south_somerset_at_random(end=2021, variant="low", runs=20, seed=1)
    with pytest.raises(ArgumentError, match="of another projection: variant"):
        d.project_need(PEOPLE, rates_of(), intervals=other)
