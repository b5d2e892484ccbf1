"""The comparison of hubs is made at the first try, also where there is little to compare: one plain sentence then says so."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest
from bs4 import BeautifulSoup

from symphony_research.errors import ArgumentError
from symphony_research.report import run_reports

sys.path.insert(0, str(Path(__file__).parents[1] / "proof"))
from made_studies import write_study

pytestmark = pytest.mark.slow
ONE_HUB = "There is one hub here, so the risk by hub is not shown."
FEW_SHARED = (
    "Too few people have the same age, sex and number of conditions in each hub, so the risk by hub is not shown."
)


def texts_of(out: Path) -> tuple[str, str]:
    """What the page cannot show, and its main part."""
    page = BeautifulSoup((out / "09_hub_comparison" / "report.html").read_text(encoding="utf-8"), "html.parser")
    limits, main = (" ".join(page.select_one(part).get_text(" ").split()) for part in (".limits", "main"))
    return limits, main


def with_hubs(folder: Path, hub: pl.Expr) -> None:
    """Write other hubs into a study's enrolments."""
    path = folder / "enrolments.csv"
    pl.read_csv(path).with_row_index("at").with_columns(hub=hub).drop("at").write_csv(path)


def made_study(folder: Path, people: int = 300, **more: str) -> Path:
    write_study(folder, name=folder.name, people=people, conditions=4, **more)
    return folder


def make(folder: Path, out: Path, *notebooks: str) -> None:
    made = run_reports(folder, list(notebooks) or ["09"], policy="nhs_england", out=out, progress=False)
    assert made.ok, [run.error for run in made.failed]


def test_of_one_hub(tmp_path: Path) -> None:
    folder = made_study(tmp_path / "one hub")
    with_hubs(folder, pl.lit("East"))
    make(folder, tmp_path / "reports")
    limits, main = texts_of(tmp_path / "reports")
    assert ONE_HUB in limits
    assert main.count(ONE_HUB) == 3, "page one says it, as its first finding too, and so does its place"


def test_of_no_hub(tmp_path: Path) -> None:
    """Nobody was enrolled, so by default there is no report about hubs; asked for, it is refused in words before anything runs."""
    folder = made_study(tmp_path / "no hub")
    (folder / "enrolments.csv").unlink()
    made = run_reports(folder, policy="nhs_england", out=tmp_path / "reports", progress=False)
    assert made.ok, [run.error for run in made.failed]
    assert {run.notebook[:2] for run in made.runs} == {"02", "03", "05"}
    with pytest.raises(ArgumentError, match="names no hub, so 09_hub_comparison has none to compare"):
        make(folder, tmp_path / "asked for")


@pytest.mark.parametrize("people", [40, 120])
def test_of_hubs_of_few_people(people: int, tmp_path: Path) -> None:
    folder = made_study(tmp_path / "few", people=people)
    with_hubs(folder, pl.format("Hub {}", pl.col("at") % 9))
    make(folder, tmp_path / "reports")
    limits, main = texts_of(tmp_path / "reports")
    assert FEW_SHARED in limits or "Too few people or events stand behind every risk" in main
    assert "Traceback" not in main


def test_of_no_activity_death_is_compared(tmp_path: Path) -> None:
    folder = made_study(tmp_path / "no activity", people=600, lacking="activity")
    make(folder, tmp_path / "reports")
    _, main = texts_of(tmp_path / "reports")
    assert "admission" not in main.split("Key findings")[1].split("Who, where and when")[0]
    assert "died" in main


@pytest.mark.parametrize("event", ["accident_and_emergency", "readmission", "death"])
def test_of_other_events(event: str, tmp_path: Path) -> None:
    small = Path(__file__).parents[2] / "synthetic" / "small"
    made = run_reports(small, ["09"], parameters={"event": event}, policy="nhs_england", out=tmp_path, progress=False)
    assert made.ok, [run.error for run in made.failed]
