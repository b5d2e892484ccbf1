"""A report on people, need and beds is made at the first try: of small studies, of other areas, and for other years."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest
from bs4 import BeautifulSoup

from symphony_research.reference import reference_table
from symphony_research.report import run_reports

sys.path.insert(0, str(Path(__file__).parents[1] / "proof"))
from made_studies import write_study

pytestmark = pytest.mark.slow
SMALL = Path(__file__).parents[2] / "synthetic" / "small"
ELSEWHERE = "The population of this study is not that of South Somerset, and rates of birth, death and migration are built in for no other area"
NO_ACTIVITY = "The study has no table of activity, so "


def report_of(folder: Path, out: Path, **parameters: object) -> tuple[str, str, str]:
    """Title, what it cannot show, and the main part of the one report made."""
    made = run_reports(folder, ["05"], policy="nhs_england", parameters=parameters, out=out, progress=False)
    assert made.ok, [run.error for run in made.failed]
    (path,) = out.glob("05_*/report.html")
    page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    page.select_one(".annex").decompose()
    texts = [" ".join(page.select_one(part).get_text(" ").split()) for part in ("h1", ".limits", "main")]
    return texts[0], texts[1], texts[2]


@pytest.mark.parametrize("people", [60, 300])
def test_of_a_small_study_without_activity(people: int, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    write_study(folder, name="small", people=people, conditions=4, lacking="activity")
    reference_table("south_somerset_population_2011").frame.write_csv(folder / "population.csv")
    title, limits, main = report_of(folder, tmp_path / "reports")
    assert title == "South Somerset: how many people, with what needs, and how many beds, by 2021?"
    assert "the study's table of population, mid-2011" in main
    assert limits.count(NO_ACTIVITY) == 1
    assert "the rate of bed-days" in limits.split(NO_ACTIVITY)[1]
    body = main.replace(limits, "")
    assert body.count(f"{NO_ACTIVITY}the rate of bed-days is not shown.") == 1, (
        "in its place; elsewhere that it is said above"
    )
    assert "Not shown, for the reason given above: " in main


def test_without_a_table_of_population(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    write_study(folder, name="small", people=300, conditions=4, lacking="")
    title, limits, main = report_of(folder, tmp_path / "reports")
    assert title == "How many people there will be by 2021, with what needs and how many beds"
    assert limits.count("The study has no table of population") == 1
    assert "South Somerset:" not in main


def test_of_another_area(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    write_study(folder, name="elsewhere", people=300, conditions=4, lacking="")
    rows = [(2013, sex, age, 1000) for sex in "FM" for age in range(91)]
    pl.DataFrame(rows, schema=["year", "sex", "age", "persons"], orient="row").write_csv(folder / "population.csv")
    title, limits, main = report_of(folder, tmp_path / "reports")
    assert title == "How many people there will be by 2021, with what needs and how many beds"
    assert limits.count(ELSEWHERE) == 1
    assert main.count(ELSEWHERE) == 3, "page one says it, as its first finding too, and so does its place"
    assert "Key findings" not in main or "Figure" not in main


def test_of_other_years_a_variant_and_assumptions(tmp_path: Path) -> None:
    asked = {
        "base_year": 2011, "horizon_year": 2030, "variant": "high", "occupancy": 0.9, "share_elsewhere": 0.0,
        "hub_reach": 0.4, "hub_avoided": 0.1, "coaching_reach": 0.2, "coaching_avoided": 0.05,
    }  # fmt: skip
    title, _, main = report_of(SMALL, tmp_path / "reports", **asked)
    assert title.endswith("by 2030?")
    assert "At 90% occupancy" in main
    assert "care hubs reach 40% and avoid 10% of their admissions" in main.lower().replace("Care", "care")
    assert "health coaches reach 20% and avoid 5.0% of their admissions" in main.lower()
    # a forecast was made of 2013 to 2021 alone
    assert "forecast in 2013: +" not in main
    assert "2,030" not in main
    assert "2,011" not in main
