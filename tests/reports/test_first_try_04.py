"""A hub's report is made at the first try: for each event that may be asked for, and of studies that lack what it would show."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import polars as pl
import pytest
from bs4 import BeautifulSoup

from symphony_research.report import run_reports

sys.path.insert(0, str(Path(__file__).parents[1] / "proof"))
from made_studies import write_study

pytestmark = pytest.mark.slow
SMALL = Path(__file__).parents[2] / "synthetic" / "small"


def texts_of(folder: Path) -> list[tuple[str, str]]:
    """What each page cannot show, and its main part."""
    found = []
    for path in sorted(folder.glob("04_*/report.html")):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        found.append(tuple(" ".join(page.select_one(part).get_text(" ").split()) for part in (".limits", "main")))
    return found


@pytest.mark.parametrize("event", ["admission", "accident_and_emergency", "outpatient", "readmission", "death"])
def test_of_every_event(event: str, tmp_path: Path) -> None:
    made = run_reports(SMALL, ["04"], hubs=["Yeovil"], parameters={"event": event}, policy="nhs_england", out=tmp_path, progress=False)  # fmt: skip
    assert made.ok, [run.error for run in made.failed]
    ((limits, _),) = texts_of(tmp_path)
    once = {"death": "People die once", "readmission": "Readmissions are counted by discharge"}
    assert all((why in limits) == (name == event) for name, why in once.items())


def without(folder: Path, *settings: str) -> None:
    """Leave settings of care out of a study's activity."""
    activity = pl.read_csv(folder / "activity.csv")
    activity.filter(~pl.col("setting").is_in(settings)).write_csv(folder / "activity.csv")


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        ("activity", ["The study has no table of activity, so time to the first A&E attendance is not shown.",
                      "The study has no table of activity, so the mean days at home is not shown."]),
        ("A&E", ["The study has no A&E attendances, so time to the first A&E attendance is not shown."]),
        ("inpatients", ["The study has no hospital admissions, so the mean days at home is not shown.",
                        "The study has no hospital admissions, so the number of emergency admissions a person is not shown.",
                        "The study has no hospital admissions, so the share of discharges followed by an emergency readmission is not shown."]),
    ],
)  # fmt: skip
def test_of_a_study_that_lacks_what_it_would_show(lacks: str, said: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "study"
    write_study(folder, name=f"no {lacks}", people=300, conditions=4, lacking="activity" if lacks == "activity" else "")
    if lacks in ("A&E", "inpatients"):
        without(folder, {"A&E": "accident_and_emergency", "inpatients": "inpatient"}[lacks])
    made = run_reports(folder, ["04"], policy="nhs_england", out=tmp_path / "reports", progress=False)
    assert made.ok, [run.error for run in made.failed]
    ((limits, main),) = texts_of(tmp_path / "reports")
    for sentence in said:
        why, what = sentence.removesuffix(" is not shown.").split(", so ")
        assert limits.count(why) == 1, "page one says so, once"
        assert what in limits.split(why)[1]
        body = main.replace(limits, "")
        # its place says it too, with whatever else of its section is not shown for that reason
        assert re.search(
            rf"{re.escape(why)}, so [^.]*{re.escape(what)}|reason given above: [^.]*{re.escape(what)}", body
        )
