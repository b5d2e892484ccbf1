"""The public study against the published figures: measured by the definitions, and near them over a few seeds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import numpy as np
import polars as pl
import pytest

from symphony_research.synthetic import generate_tables, parameters
from symphony_research.synthetic.calibration.__main__ import measured
from symphony_research.synthetic.calibration.bound import largest_possible_person_year
from symphony_research.synthetic.calibration.measure import added, figures, tally
from symphony_research.synthetic.calibration.table_page import calibration_page, held
from symphony_research.synthetic.calibration.targets import TARGETS
from symphony_research.synthetic.history import draw_history
from symphony_research.synthetic.plan import Plan

FIRST, LAST = date(2012, 4, 1), date(2013, 3, 31)


@pytest.fixture(scope="module")
def people() -> pl.DataFrame:
    """Everyone registered in 2012-13, from the tables: the definitions of the figures, written a second time."""
    tables = generate_tables(16_384, seed=11)
    spells = tables["registrations"].with_columns(pl.col("end_date").fill_null(parameters.PERIOD_END))
    there = spells.filter((pl.col("start_date") <= LAST) & (pl.col("end_date") >= FIRST))["person_id"].unique()
    held = (
        tables["conditions"]
        .filter(pl.col("onset_date") <= LAST)
        .group_by("person_id")
        .agg(pl.len().alias("held"), pl.col("condition").is_in(parameters.PRIORITY_CONDITIONS).sum().alias("priority"))
    )
    year = tables["activity"].filter(pl.col("date").is_between(FIRST, LAST))
    cost = year.group_by("person_id").agg(
        pl.col("cost").sum(), pl.col("cost").filter(pl.col("setting") == "inpatient").sum().alias("inpatient")
    )
    return (
        tables["persons"]
        .filter(pl.col("person_id").is_in(there.implode()))
        .join(held, on="person_id", how="left")
        .join(cost, on="person_id", how="left")
        .with_columns(pl.col("held", "priority", "cost", "inpatient").fill_null(0))
        .with_columns(band=pl.col("held").clip(upper_bound=7))
    )


@pytest.fixture(scope="module")
def found() -> dict[str, float]:
    return figures(tally(draw_history(Plan(11), 0, 16_384)))


def test_headline_figures_are_those_of_the_tables(people, found):
    cost = people["cost"].to_numpy()
    assert found["people_registered"] == people.height
    assert found["mean_cost"] == pytest.approx(cost.mean())
    for band, name in ((1, "mean_cost_one"), (7, "mean_cost_seven")):
        assert found[name] == pytest.approx(cost[people["band"] == band].mean())
    # Least squares on indicators, by numpy: R-squared = 1 - residual / total.
    design = np.eye(8)[people["band"].to_numpy()]
    fitted = design @ np.linalg.lstsq(design, cost, rcond=None)[0]
    wanted = 100 * (1 - ((cost - fitted) ** 2).sum() / ((cost - cost.mean()) ** 2).sum())
    assert found["variance_by_conditions"] == pytest.approx(wanted)
    line = np.corrcoef(people["band"].to_numpy(), cost)[0, 1] ** 2
    assert found["variance_by_conditions_line"] == pytest.approx(100 * line)
    three = people["priority"].to_numpy() >= 3
    assert found["share_three_of_eight"] == pytest.approx(100 * three.mean())
    assert found["cost_share_three_of_eight"] == pytest.approx(100 * cost[three].sum() / cost.sum())
    rise = [people.filter(pl.col("band") == band).select("cost", "inpatient").mean() for band in (1, 7)]
    assert found["inpatient_share_of_gradient"] == pytest.approx(
        100 * (rise[1]["inpatient"] - rise[0]["inpatient"])[0] / (rise[1]["cost"] - rise[0]["cost"])[0]
    )


def test_blocks_add_up(found):
    parts = [tally(draw_history(Plan(11), number, 4_000)) for number in range(2)]
    both = added(parts)
    assert both["band n"].sum() == sum(part["band n"].sum() for part in parts)
    assert both["largest"][0] == max(part["largest"][0] for part in parts)


def test_inpatient_cost_is_stays_times_their_costs(found):
    # Noise and the dearness of a kind are unrelated to the length of a stay, so the identity holds on the mean.
    assert found["inpatient_cost"] == pytest.approx(found["inpatient_cost_by_identity"], rel=0.1)
    assert found["bed_days"] == pytest.approx(found["admissions"] * found["mean_stay"])
    # 242 beds = bed-days a person-year x 114,874 / (365 x 0.85).
    assert found["beds"] == pytest.approx(found["bed_days"] * 114_874 / 310.25)


def test_no_person_year_costs_more_than_the_bound():
    # One seed's dearest person-year against the bound of the parameters.
    dearest = max(tally(draw_history(Plan(5), number, 16_384))["largest"][0] for number in range(4))
    assert 50_000 < dearest < largest_possible_person_year()


def test_cost_rises_with_every_further_condition():
    total = added([tally(draw_history(Plan(3), number, 16_384)) for number in range(7)])
    assert (np.diff(total["band cost"] / total["band n"]) > 0).all()


def test_eight_seeds_are_near_the_published_figures():
    count = 8
    with ThreadPoolExecutor(2) as pool:
        by_seed = [measured(seed, 114_874, pool) for seed in range(count)]
    # Symphony: the number of conditions explains cost far better than age.
    assert all(found["variance_by_conditions"] > 2 * found["variance_by_age"] for found in by_seed)
    for target in TARGETS:
        if target.low is None or target.high is None:
            continue
        values = np.array([found[target.name] for found in by_seed])
        # The range, and four Monte Carlo errors of the mean of so few.
        error = 4 * values.std(ddof=1) / np.sqrt(count)
        assert target.low - error <= values.mean() <= target.high + error, target.name


def test_the_page_marks_what_is_off_and_what_is_assumed(found):
    page, good = calibration_page(
        [found, found | {"mean_cost": 1.0}], found | {"mean_cost": 2.0}, people=16_384, seed=1
    )
    assert not good
    assert "| NO |" in page
    assert page.count("assumed") > 5
    assert "Nobody's" in page
    target = next(target for target in TARGETS if target.name == "mean_cost")
    assert [held(target, value) for value in (869, 870, 920, 921)] == [False, True, True, False]
