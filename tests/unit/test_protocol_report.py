"""A report on confidential data shows its protocol, and says whether it was fixed before its outcomes were read."""

from __future__ import annotations

import html
import re
from pathlib import Path

import nbformat
import pytest
from small_evaluation import evaluated_study

import symphony_research as sr
from symphony_research.door.protocol_record import read_record_of
from symphony_research.report import list_notebooks, run_reports
from symphony_research.report import run_plan as planning

PARAMETERS = """\
study = "somewhere"  # folder of the study
policy = None  # type: str
level = "default"
session = None  # type: str
programme = "complex_care"
protocol = None  # type: str
"""
CELLS = (
    "import symphony_research as sr\n\nstudy = sr.read_study(study)\npolicy = study.disclosure_policy(policy, level=level)",
    "protocol = sr.evaluation.read_protocol(study, file=protocol, programme=programme)",
    'protocol = sr.evaluation.open_outcomes(protocol, report="06_hub_evaluation")',
    "trial = sr.evaluation.target_trial(protocol)\ndepartures = sr.evaluation.departures(protocol)\n"
    "statements = sr.evaluation.statements(protocol)\nitems = sr.evaluation.target_items(protocol)",
    'released = sr.suppress({"trial": trial, "departures": departures, "statements": statements, "items": items}, policy, session=session)',
    'sr.sentence(released["trial"])',
    'sr.table(released["trial"])',
    'sr.sentence(released["departures"])',
    'sr.table(released["departures"])',
    'sr.table(released["statements"])',
    'sr.sentence(released["items"])',
    'sr.table(released["items"])',
)


def page_of(study: Path, root: Path) -> str:
    made = run_reports(study, out=root / "out", progress=False, register=root / "register.jsonl")
    assert made.ok, made.runs[0].error
    text = (root / "out" / "06_hub_evaluation" / "report.html").read_text(encoding="utf-8")
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)))


def test_it_says_when_it_was_fixed_and_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    cells = [nbformat.v4.new_markdown_cell("# Did the hub change anything?")]
    cells.append(nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}))
    cells += [nbformat.v4.new_code_cell(source) for source in CELLS]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), shelf / "06_hub_evaluation.ipynb")
    monkeypatch.setattr(planning, "list_notebooks", lambda: list_notebooks(shelf))
    study = evaluated_study(tmp_path / "study")
    path = sr.evaluation.write_protocol(study)
    fixed = sr.evaluation.fix_protocol(study, by="B. Boss")

    page = page_of(study, tmp_path)
    assert re.search(
        r"The protocol was fixed on \d+ \w+ 20\d\d by B\. Boss, before a report first read its outcomes on", page
    )
    assert f"Its fingerprint is {fixed.fingerprint[:12]}." in page
    assert "No key of the protocol differs from the fixed one; the authors state no other departure." in page
    assert "Target trial Emulation here" in page
    assert "14 of 21 items of the TARGET statement are answered" in page
    assert "Conflicts of interest Statements (not stated)" in page  # the last of them: all 21 are on the page
    record = read_record_of(path)
    assert record.first_reading is not None
    assert (record.first_reading.report, record.first_reading.fingerprint) == ("06_hub_evaluation", fixed.fingerprint)

    path.write_text(path.read_text(encoding="utf-8").replace("days = 365", "days = 180"), encoding="utf-8")
    sr.evaluation.fix_protocol(study, by="B. Boss")  # too late to change what it is compared with
    page = page_of(study, tmp_path)
    assert "1 key of the protocol differs from the fixed one" in page
    assert "follow_up.days 365 180" in page
