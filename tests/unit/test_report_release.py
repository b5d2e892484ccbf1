"""The release record beside a report, the output checker's own file, and what a report tells beside drafts and releases."""

import json
import stat
import sys
import types

import nbformat
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.disclosure import differencing
from symphony_research.policy import Policy
from symphony_research.report import list_notebooks, run_reports
from symphony_research.report import release as releasing
from symphony_research.report import run_plan as planning
from symphony_research.report.release import (
    checker_file,
    draft_findings,
    findings_between,
    keyed,
    release_files,
    release_key,
)
from symphony_research.result.session import ReleaseSession

OURS, OTHER = "a" * 64, "b" * 64
RECORD = {
    "versions": {"symphony_research": "9.9"}, "title": "Time to the event, Chard", "approval": "draft", "beside": ["A earlier report (entry 3)"],
    "notebook": {"name": "02_x", "title": "X"}, "hub": None, "takes_hub": False, "finished": "2026-05-05T14:02:09Z",
    "policy": {"name": "sacro", "title": "SACRO"}, "study": {"name": "S", "fingerprint": "keyed"},
}  # fmt: skip
OUTPUT = {
    "title": "Prevalence of long-term conditions", "family": "Prevalence", "of_whom": ["sex: F"], "by": [], "suppressed": 5,
    "secondary": 2, "withheld": 0, "n_inferable": 0, "done": ["Suppressed."], "for_review": [], "published": {"fingerprint": OURS, "cells": []},
    "for_output_checker": {"n_primary": 3, "n_secondary": 2},
}  # fmt: skip


@pytest.fixture
def room(monkeypatch):
    """Stand-ins for disclosure control: an output is what it is published as, and all outputs together are a finding."""

    def find(named, before):
        return [types.SimpleNamespace(outputs=[name for name, _ in named])]

    monkeypatch.setattr(releasing, "FORMAT", 3)
    monkeypatch.setattr(releasing, "for_release", dict)
    monkeypatch.setattr(releasing, "output_from_record", lambda output: types.SimpleNamespace(**output))
    monkeypatch.setattr(differencing, "find", find)


def stand(out, folder, fingerprint, *titles):
    (out / folder).mkdir(parents=True)
    outputs = [{"title": title, "published": {"fingerprint": fingerprint}} for title in titles]
    data = {"format": 3, "study": {"fingerprint": fingerprint}, "outputs": outputs}
    (out / folder / "release.json").write_text(json.dumps(data))


def test_beside_a_report_nothing_tells_primary_from_secondary_suppression(room):
    files = release_files([OUTPUT], RECORD, b"key")
    (output,) = json.loads(files["release.json"])["outputs"]
    assert output["suppressed"] == 5
    text = "".join(files.values())
    page = files["release.html"]
    assert "Time to the event, Chard, draft, made by symphony_research 9.9" in page
    assert "Release record: Time to the event, Chard" in page
    assert "Protected beside what was released before of the same people: A earlier report (entry 3)." in page
    for word in ("further", "exposed", "primary", "secondary", "for_output_checker"):
        assert word not in text
    assert OURS not in text
    assert output["published"]["fingerprint"] == keyed(OURS, b"key")


def test_the_output_checker_has_them_apart(room):
    (output,) = json.loads(checker_file([OUTPUT], RECORD))["outputs"]
    assert (output["n_primary"], output["n_secondary"], output["title"]) == (3, 2, "Prevalence of long-term conditions")


def test_a_folder_of_reports_has_one_secret_that_others_cannot_read(tmp_path):
    key = release_key(tmp_path)
    assert release_key(tmp_path) == key
    assert len(key) == 32
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "output_checker" / "key").stat().st_mode) == 0o600
    assert keyed(OURS, key) != keyed(OTHER, key)
    assert keyed(OURS, key) != keyed(OURS, b"other")


def test_new_reports_are_set_against_drafts_of_the_same_data_that_they_do_not_replace(tmp_path, room):
    ours = keyed(OURS, b"key")
    new = {"a_new": [{"title": "new"}], "b_new": []}

    def found():
        told = draft_findings(new, tmp_path, fingerprint=OURS, key=b"key")
        return [one.outputs for one in told.get("a_new", [])]

    stand(tmp_path, "a_new", ours, "replaced")
    stand(tmp_path, "e_other", keyed(OTHER, b"key"), "other")
    (tmp_path / "f_broken").mkdir()
    (tmp_path / "f_broken" / "release.json").write_text("{")
    assert found() == []
    stand(tmp_path, "c_same", ours, "same")
    assert found() == [["same in c_same [0]", "new in a_new [1]"]]


def test_findings_are_those_of_new_reports_with_others(room):
    new = {"a_new": [{"title": "new"}], "b_new": [{"title": "newer"}]}
    assert findings_between(new, []) == {}  # among themselves they were protected together
    found = findings_between(new, [("02_x (entry 1)", [{"title": "old"}])])
    assert sorted(found) == ["a_new", "b_new"]


def test_twenty_drafts_of_one_report_clash_with_nothing(tmp_path):
    # 300 people of whom every third has asthma, every twentieth COPD, and five stroke
    held = {"asthma": 3, "copd": 20, "stroke": 60}
    frame = pl.DataFrame({name: [k % every == 0 for k in range(300)] for name, every in held.items()})
    source = sr.result.Provenance("S", OURS, population={"age": [18, None]})
    patterns = sr.Patterns.from_wide(frame, conditions=list(held), provenance=source)
    made = {
        "prevalence": sr.multimorbidity.prevalence(patterns),
        "number": sr.multimorbidity.condition_count(patterns),
        "pairs": sr.networks.cooccurrence(patterns),
    }
    policy, drafts = Policy.nhs_england(level="strict"), []
    for k in range(20):
        session = ReleaseSession(f"draft {k}", policy.title, (), tmp_path / f"{k}.json")
        sr.suppress(made, policy, session=session)
        drafts.append((f"draft {k}", session.released()))
    assert all(outputs == drafts[0][1] for _, outputs in drafts)
    assert any(output["suppressed"] for output in drafts[0][1])
    assert findings_between(dict(drafts[-1:]), drafts[:-1]) == {}


# 400 people, of whom 398 are women: a table of women beside one of everybody is a difference of two men
PEOPLE, MEN = 400, 2
START = "import symphony_research as sr\nstudy = sr.read_study(study)\npolicy = study.disclosure_policy(policy)"
EVERYBODY = (
    "cohort = sr.define_cohort(study)\n"
    "released = sr.suppress({'found': sr.multimorbidity.prevalence(cohort.patterns())}, policy, session=session)\n"
    "sr.table(released['found'])"
)
WOMEN = EVERYBODY.replace("define_cohort(study)", "define_cohort(study, sex='F')")


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "confidential"
    folder.mkdir()
    ids = [f"p{k}" for k in range(PEOPLE)]
    write_people(folder, ids)
    pl.DataFrame({"person_id": ids[:200], "condition": "asthma", "onset_date": "2010-01-01"}).write_csv(
        folder / "conditions.csv"
    )
    (folder / "study.toml").write_text(
        'name = "Confidential"\nconditions = ["asthma"]\n'
        '[period]\nstart = 2012-04-01\nend = 2013-03-31\n[disclosure]\npolicy = "nhs_england"\n'
    )
    return folder


def write_people(folder, ids, birth_date="1950-01-01"):
    sexes = ["M"] * MEN + ["F"] * (len(ids) - MEN)
    pl.DataFrame({"person_id": ids, "sex": sexes, "birth_date": birth_date}).write_csv(folder / "persons.csv")


def write(folder, name, *sources):
    parameters = 'study = "x"\npolicy: str | None = None\nsession: str | None = None'
    cells = [nbformat.v4.new_markdown_cell(f"# {name}\n\nWhat?")]
    cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")


def run(tmp_path, monkeypatch, study, **cells):
    folder = tmp_path / "notebooks"
    for name, source in cells.items():
        write(folder, name, START, source)
    monkeypatch.setattr(planning, "list_notebooks", lambda: list_notebooks(folder))
    return run_reports(study, sorted(cells), out=tmp_path / "out", progress=False, jobs=1)


def test_a_run_never_refuses_its_own_reports(tmp_path, monkeypatch, study):
    made = run(tmp_path, monkeypatch, study, a_everybody=EVERYBODY, b_women=WOMEN)
    assert made.runs[0].status == "done", made.runs[0].error
    assert not any("Refused" in (one.error or "") for one in made.runs)


def test_no_page_leads_to_the_output_checkers_folder(tmp_path, monkeypatch, study):
    assert run(tmp_path, monkeypatch, study, a_everybody=EVERYBODY).ok
    out = tmp_path / "out"
    assert (out / "output_checker" / "a_everybody" / "for_output_checker.json").exists()
    for path in out.rglob("*.html"):
        assert "output_checker" not in path.read_text(encoding="utf-8"), path.name


def test_the_record_of_generated_data_says_that_nothing_was_done() -> None:
    from symphony_research.disclosure.release_record import what_was_done

    patterns = sr.define_cohort(sr.example_study()).patterns()
    free = sr.suppress(sr.multimorbidity.prevalence(patterns), Policy.synthetic())
    assert what_was_done(free) == ["Nothing: the data are generated, and describe no real person."]
