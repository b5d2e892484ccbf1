"""Subjects of reports: which notebooks take which, what each is called, where it stands, and in which order they are released."""

from __future__ import annotations

import itertools
import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import symphony_research as sr
from symphony_research import cli
from symphony_research.errors import ArgumentError
from symphony_research.report import run_plan as planning
from symphony_research.report.index import write_index
from symphony_research.report.notebooks import list_notebooks
from symphony_research.report.run_plan import plan_runs
from symphony_research.report.subject import EVERYBODY, PROGRAMME, Subject, subject_of
from symphony_research.words.phrases import of_whom

HEAD = "study = 'x'\npolicy = None  # type: str\nsession = None  # type: str\n"
HUB, PRACTICE, AREA, QUARTER = (f"{kind} = None  # type: str\n" for kind in ("hub", "practice", "area", "quarter"))
NOTEBOOKS = {
    "02_combinations": HEAD + HUB + PRACTICE + AREA,
    "04_survival": HEAD + "programme = 'care'\n" + HUB + PRACTICE + QUARTER,
    "05_projection": HEAD,
    "06_evaluation": HEAD + "programme = None  # type: str\nprotocol = None  # type: str\n" + HUB,
    "09_comparison": HEAD + "programme = 'care'\n",
}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name, source in NOTEBOOKS.items():
        cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": source}
        (folder / f"{name}.ipynb").write_text(json.dumps({"cells": [cell]}))
    monkeypatch.setattr(planning, "list_notebooks", lambda: list_notebooks(folder))
    return folder


@pytest.fixture
def study(tmp_path: Path) -> sr.Study:
    """Two people of two practices and areas, who joined two hubs."""
    folder = tmp_path / "study"
    folder.mkdir()
    pl.DataFrame(
        {"person_id": ["a", "b"], "sex": "F", "birth_date": "1950-01-01", "area": ["North End", "South"]}
    ).write_csv(folder / "persons.csv")
    pl.DataFrame({"person_id": ["a", "b"], "practice_id": ["P2", "P10"], "start_date": "2000-01-01"}).write_csv(
        folder / "registrations.csv"
    )
    pl.DataFrame(
        {
            "person_id": ["a", "b"],
            "programme": "care",
            "hub": ["Yeovil", "Chard"],
            "start_date": ["2015-02-01", "2014-11-01"],
        }
    ).write_csv(folder / "enrolments.csv")
    (folder / "conditions.csv").write_text("person_id,condition,onset_date\na,asthma,2001-01-01\n")
    (folder / "study.toml").write_text('name = "Two"\n[period]\nstart = 2014-01-01\nend = 2016-12-31\n')
    return sr.read_study(folder)


def planned(study: sr.Study, *notebooks: str, **asked: Any) -> list[tuple[str, str]]:
    """Return notebook number and folder's last part of every run."""
    return [(run.folder[:2], run.folder.partition("--")[2]) for run in plan_runs(study, notebooks or None, **asked)]


def test_a_notebook_runs_once_for_each_subject_that_it_takes_the_whole_before_its_parts(
    shelf: Path, study: sr.Study
) -> None:
    assert planned(study, "02", "04", "05", practices=["P10", "P2"]) == [
        ("02", "practice-p10"), ("02", "practice-p2"), ("04", "practice-p10"), ("04", "practice-p2"), ("05", ""),
    ]  # fmt: skip
    assert planned(study, "02", all_areas=True) == [("02", "area-north-end"), ("02", "area-south")]
    assert planned(study, "04", quarters=["2015-q1", "2014-Q4"]) == [
        ("04", "quarter-2014-q4"),
        ("04", "quarter-2015-q1"),
    ]
    # of several kinds hubs come first, as before, and a whole programme before its hubs
    assert planned(study, "04", quarters=["2015-Q1"], hubs=["Yeovil"]) == [("04", "yeovil"), ("04", "quarter-2015-q1")]
    assert planned(study, "06", all_hubs=True) == [("06", ""), ("06", "chard"), ("06", "yeovil")]


def test_a_report_of_everybody_is_made_of_hubs_only_where_its_notebook_is_named(shelf: Path, study: sr.Study) -> None:
    assert planned(study, all_hubs=True) == [
        ("02", ""), ("04", "chard"), ("04", "yeovil"), ("05", ""), ("06", ""), ("06", "chard"), ("06", "yeovil"), ("09", ""),
    ]  # fmt: skip
    assert planned(study, "02", hubs=["Yeovil"]) == [("02", "yeovil")]
    # of other subjects nobody asks for what takes none
    assert planned(study, practices=["P2"]) == [("02", "practice-p2"), ("04", "practice-p2")]
    assert planned(study, quarters=["2015-Q1"]) == [("04", "quarter-2015-q1")]


def test_a_run_is_given_its_subject_and_nothing_of_other_kinds(shelf: Path, study: sr.Study) -> None:
    (run,) = plan_runs(study, ["04"], practices=["P2"])
    assert {kind: run.given[kind] for kind in ("hub", "practice", "quarter")} == {
        "hub": None, "practice": "P2", "quarter": None,
    }  # fmt: skip
    assert run.subject == Subject("practice", "P2")
    assert run.hub is None
    assert run.label == "04_survival, practice P2"
    assert plan_runs(study, ["04"])[0].subject == PROGRAMME
    assert plan_runs(study, ["02"])[0].subject == EVERYBODY


@pytest.mark.parametrize(
    ("notebooks", "asked", "said"),
    [
        (["02"], {"practices": ["P100"]}, "The study 'Two' has no practice 'P100'. It has 2. Did you mean 'P10'?"),
        (["02"], {"areas": ["Suoth"]}, "no area 'Suoth'. It has 2. Did you mean 'South'?"),
        (["05"], {"practices": ["P2"]}, "No notebook chosen takes a practice: 05_projection. Notebooks that do: 02_combinations, 04_survival."),
        (["02", "06"], {"quarters": ["2015-Q1"]}, "takes a quarter: 02_combinations, 06_evaluation. Notebooks that do: 04_survival."),
        (["04"], {"areas": ["South"]}, "No notebook chosen takes an area"),
        (["04"], {"quarters": ["2015-Q5"]}, "'2015-Q5' is no calendar quarter. Write year and quarter, such as 2016-Q3."),
        (["04"], {"quarters": ["2013-Q4"]}, "The quarter 2013-Q4 is outside the study 'Two', 2014-01-01 to 2016-12-31."),
        (["04"], {"quarters": ["2016-Q4"]}, "Nobody of the study 'Two' joined a programme in the quarter 2016-Q4."),
        (["02"], {"practices": ["P2"], "all_practices": True}, "Ask for practices by name, or for all of them, but not both."),
        (["02"], {"parameters": {"practice": "P2"}}, "'practice' is not set with -p: name practices with --practice, or ask for --all-practices."),
        (["04"], {"parameters": {"quarter": "2015-Q1"}}, "'quarter' is not set with -p: name quarters with --quarter."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_before_anything_runs(
    shelf: Path, study: sr.Study, notebooks: list[str], asked: dict[str, Any], said: str
) -> None:
    with pytest.raises(ArgumentError) as raised:
        plan_runs(study, notebooks, **asked)
    assert said in str(raised.value)


def test_a_study_without_practices_is_not_asked_for_them(shelf: Path, study: sr.Study) -> None:
    (Path(str(study.folder)) / "registrations.csv").unlink()
    with pytest.raises(ArgumentError, match="The study 'Two' names no practice"):
        plan_runs(sr.read_study(str(study.folder)), ["02"], all_practices=True)


def test_the_command_passes_subjects_on_and_ends_with_2_where_they_are_wrong(
    shelf: Path, study: sr.Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["report", str(study.folder), "02", "--out", str(tmp_path / "out")]
    assert cli.main([*words, "--practice", "P3", "--practice", "P4", "--area", "Suoth"]) == 2
    told = capsys.readouterr().err
    assert all(name in told for name in ("'P3'", "'P4'", "Did you mean 'South'?"))
    assert not (tmp_path / "out").exists()


# -- names ---------------------------------------------------------------------------------------------------------


def test_different_subjects_never_share_a_folder() -> None:
    names = {
        "hub": ["A & B", "A-B", "practice P1", "Practice-p1"], "practice": ["P1", "p1", "北"], "area": ["P1"],
        "quarter": ["2016-Q3"],
    }  # fmt: skip
    folders = [Subject(kind, name).folder("04_x", own) for kind, own in names.items() for name in own]
    assert len({folder.lower() for folder in folders}) == len(folders) == 9
    assert all(folder.isascii() and folder.startswith("04_x--") for folder in folders)
    # asked for alone or with others, a report stands in one place
    assert Subject("hub", "practice P1").folder("04_x", ["practice P1"]) in folders
    assert Subject().folder("04_x") == PROGRAMME.folder("04_x") == "04_x"


def test_a_subject_is_read_back_from_a_record_and_those_of_before_named_a_hub() -> None:
    for kind, name in (("everybody", ""), ("programme", ""), ("area", "South"), ("quarter", "2016-Q3")):
        assert subject_of({"subject": Subject(kind, name).as_record()}) == Subject(kind, name)
    assert subject_of({"hub": "Yeovil", "takes_hub": True}) == Subject("hub", "Yeovil")
    assert subject_of({"hub": None, "takes_hub": True}) == PROGRAMME
    assert subject_of({"hub": None, "takes_hub": False}) is None


def test_the_index_puts_the_whole_first_and_names_the_kind(tmp_path: Path) -> None:
    found = [{"text": "f", "figures": [["Admission", "12%", "Admission", "at 365 days"]]}]
    subjects = [Subject("practice", "P10"), Subject("practice", "P2"), EVERYBODY]
    for at, subject in enumerate(subjects):
        folder = tmp_path / f"02_x--{at}"
        folder.mkdir()
        record = {
            "format": 1, "notebook": {"name": "02_x", "title": "X", "question": "Y?"}, "subject": subject.as_record(),
            "study": {"name": "Two", "generated": False}, "status": "done", "policy": {"title": "SACRO"},
            "finished": "2026-11-30T10:00:00Z", "findings": found,
        }  # fmt: skip
        (folder / "provenance.json").write_text(json.dumps(record))
        for name in ("report.html", "report.ipynb"):
            (folder / name).write_text("")
    page = write_index(tmp_path).read_text(encoding="utf-8")
    assert page.index(">Everybody</a>") < page.index(">Practice P10</a>") < page.index(">Practice P2</a>")
    assert "Practices side by side, each figure" in page
    assert "Hubs" not in page


# -- the people of a quarter ---------------------------------------------------------------------------------------


def test_quarters_of_joining_divide_a_programme(tmp_path: Path) -> None:
    """Of everybody who joined in the study each is in the cohort of one quarter, by the day that a plain reading gives."""
    people = sr.example_study(400)
    rows = people.enrolments.filter(pl.col("programme") == "complex_care").collect()
    first = rows.group_by("person_id").agg(pl.col("start_date").min())
    whole = sr.define_cohort(people, programme="complex_care")
    total = whole.attrition.count_tables["steps"]["n_persons"][-1]
    found = {}
    for year, quarter in itertools.product(range(people.period[0].year, people.period[1].year + 1), range(1, 5)):
        cohort = sr.define_cohort(people, programme="complex_care", joined=f"{year}-Q{quarter}")
        found[year, quarter] = cohort.attrition.count_tables["steps"]["n_persons"][-1]
        own = first.filter((pl.col("start_date").dt.year() == year) & (pl.col("start_date").dt.month().is_between(3 * quarter - 2, 3 * quarter)))  # fmt: skip
        assert found[year, quarter] <= own.height
    assert sum(found.values()) == total
    assert total > 0
    one = next(key for key, n in found.items() if n)
    population = sr.define_cohort(people, programme="complex_care", joined="{}-Q{}".format(*one)).attrition.settings[
        "population"
    ]
    # so many quarters have somebody, which the reports of all of them show
    assert population["divided"] == {"joined": sum(n > 0 for n in found.values())}


def test_a_window_of_joining_begins_the_attrition_and_is_refused_where_it_means_nothing() -> None:
    people = sr.example_study(400)
    window = (date(2015, 1, 1), "2016-12-31")
    cohort = sr.define_cohort(people, programme="complex_care", joined=window)
    assert cohort.attrition.settings["start"] == "enrolled on complex care from 1 January 2015 to 31 December 2016"
    for wrong, said in (
        (("2016-01-02", "2016-01-01"), "before it begins"), ("2016-Q7", "no calendar quarter"), (2016, "must be"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=said):
            sr.define_cohort(people, programme="complex_care", joined=wrong)
    with pytest.raises(ArgumentError, match="name the programme or hub"):
        sr.define_cohort(people, joined="2016-Q1")


def test_practices_divide_everybody_and_no_complement_is_told() -> None:
    people = sr.example_study(400)
    whole = sr.define_cohort(people).attrition.count_tables["steps"]
    names = people.registrations.select(pl.col("practice_id").cast(pl.String).unique()).collect().to_series().to_list()
    parts = [sr.define_cohort(people, practice=name).attrition for name in names]
    sizes = [part.count_tables["steps"]["n_persons"][-1] for part in parts]
    assert sum(sizes) == whole["n_persons"][-1]
    assert all(part.settings["population"]["divided"] == {"practice": sum(n > 0 for n in sizes)} for part in parts)
    # "registered with another practice" would be everybody less the practice's own
    assert not any("another" in step for part in parts for step in part.count_tables["steps"]["step"])


def test_captions_name_the_window_of_joining() -> None:
    told = {"programme": "complex_care", "joined": ["2016-07-01", "2016-09-30"], "index": "enrolment", "event": "death"}
    assert (
        of_whom({"population": told})
        == "People enrolled on complex care, joined July to September 2016 from the day of joining"
    )
    assert (
        of_whom({"population": {"hub": "East", "index": "enrolment"}})
        == "People enrolled with East, as of the day of joining"
    )
