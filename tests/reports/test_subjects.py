"""Reports of practices and of a quarter, made from a small study as a user makes them, after everybody's was released."""

from __future__ import annotations

import csv
import html
import re
import sys
from datetime import date
from pathlib import Path

import pytest

from symphony_research.report import ReportSet, run_reports
from symphony_research.report.releasing import release_reports

sys.path.insert(0, str(Path(__file__).parents[1] / "proof"))
from made_studies import write_study

pytestmark = pytest.mark.slow
FIRST = date(2011, 4, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("subjects") / "study"
    write_study(folder, name="Two practices", people=900, conditions=4, practices=2)
    return folder


@pytest.fixture(scope="module")
def made(folder: Path) -> ReportSet:
    """Everybody's report is released, then those of both practices and of a quarter are made."""
    out, register = folder.parent / "out", folder.parent / "register.jsonl"
    rules = {"out": out, "register": register, "policy": "nhs_england", "progress": False}
    whole = run_reports(folder, ["02"], **rules)
    assert whole.ok, whole.failed
    release_reports([out / "02_multimorbidity_combinations"], register=register, by="a test")
    return run_reports(folder, ["02", "04"], practices=["P01", "P02"], quarters=["2016-Q4"], **rules)


def rows(folder: Path, table: str) -> list[dict[str, str]]:
    with (folder / f"{table}.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def page(made: ReportSet, folder: str) -> str:
    text = (made.index.parent / folder / "report.html").read_text(encoding="utf-8")
    text = re.sub(r"(?s)<(style|script|svg).*?</\1>", " ", text)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))


def test_every_report_is_made_beside_what_was_released_and_has_a_folder_of_its_own(made: ReportSet) -> None:
    assert made.ok, [run.error for run in made.failed]
    assert [next(iter(run.paths.values())).parent.name.partition("_")[0] + run.label.partition(",")[2] for run in made.runs] == [
        "02 practice P01", "02 practice P02", "04 practice P01", "04 practice P02", "04 2016-Q4",
    ]  # fmt: skip
    # what was released is no draft that others would have to be made beside
    assert made.warnings == ()
    for name in ("02_multimorbidity_combinations--practice-p01", "04_utilisation_survival--quarter-2016-q4"):
        assert (made.index.parent / name / "report.html").exists()


def test_the_people_of_a_practice_are_those_registered_with_it(made: ReportSet, folder: Path) -> None:
    """Counted again from the files: registered with it, born and alive on the first day; shown to the nearest five."""
    of = {row["person_id"]: row["practice_id"] for row in rows(folder, "registrations")}
    alive = [
        row["person_id"]
        for row in rows(folder, "persons")
        if date.fromisoformat(row["birth_date"]) <= FIRST
        and (not row["death_date"] or date.fromisoformat(row["death_date"]) >= FIRST)
    ]
    for practice in ("P01", "P02"):
        n = sum(of[person] == practice for person in alive)
        text = page(made, f"02_multimorbidity_combinations--practice-{practice.lower()}")
        assert f"About {(n + 2) // 5 * 5} people registered with practice {practice} on 1 April 2011" in text
        assert f"Combinations of long-term conditions: practice {practice}" in text
        assert f"People registered with practice {practice}:" in text
        assert "another practice" not in text


def test_the_people_of_a_quarter_are_those_who_joined_in_it(made: ReportSet, folder: Path) -> None:
    """Counted again from the files: the first day of joining between October and December 2016."""
    first: dict[str, str] = {}
    for row in rows(folder, "enrolments"):
        if row["programme"] == "complex_care":
            first[row["person_id"]] = min(row["start_date"], first.get(row["person_id"], "9999"))
    n = sum("2016-10-01" <= day <= "2016-12-31" for day in first.values())
    text = page(made, "04_utilisation_survival--quarter-2016-q4")
    assert "complex care, joined October to December 2016" in text
    assert n > 7
    assert f"About {(n + 2) // 5 * 5} people enrolled on complex care from October to December 2016" in text


def test_the_index_names_each_subject(made: ReportSet) -> None:
    text = made.index.read_text(encoding="utf-8")
    assert text.index(">Everybody</a>") < text.index(">Practice P01</a>") < text.index(">Practice P02</a>")
    assert ">Joined October to December 2016</a>" in text
