"""Reports are set against each other, and against those in the folder, before any is put in place."""

import json

import nbformat
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.report import list_notebooks, run_reports
from symphony_research.report import plan as planning

# 400 people, of whom 398 are women: a table of women beside one of everybody tells of two men at most four
PEOPLE, MEN = 400, 2
EVERYBODY = (
    "found = sr.suppress(sr.multimorbidity.prevalence(sr.define_cohort(people).patterns()), rule)\nsr.table(found)"
)
WOMEN = EVERYBODY.replace("define_cohort(people)", "define_cohort(people, sex='F')")
START = "import symphony_research as sr\npeople = sr.read_study(study)\nrule = people.rule(policy)"


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "confidential"
    folder.mkdir()
    ids = [f"p{k}" for k in range(PEOPLE)]
    pl.DataFrame(
        {"person_id": ids, "sex": ["M"] * MEN + ["F"] * (PEOPLE - MEN), "birth_date": ["1950-01-01"] * PEOPLE}
    ).write_csv(folder / "persons.csv")
    pl.DataFrame({"person_id": ids[:200], "condition": "asthma", "onset_date": "2010-01-01"}).write_csv(
        folder / "conditions.csv"
    )
    (folder / "study.toml").write_text(
        'name = "Confidential"\nconditions = ["asthma"]\n'
        '[period]\nstart = 2012-04-01\nend = 2013-03-31\n[disclosure]\npolicy = "nhs_england"\n'
    )
    return folder


def write(folder, name, *sources):
    parameters = nbformat.v4.new_code_cell('study = "x"\npolicy: str | None = None', metadata={"tags": ["parameters"]})
    cells = [nbformat.v4.new_markdown_cell(f"# {name}\n\nWhat?"), parameters]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")


def run(tmp_path, monkeypatch, study, **cells):
    folder = tmp_path / "notebooks"
    for name, source in cells.items():
        write(folder, name, START, source)
    monkeypatch.setattr(planning, "list_notebooks", lambda: list_notebooks(folder))
    return run_reports(study, sorted(cells), out=tmp_path / "out", progress=False, jobs=1)


def test_reports_that_tell_a_small_count_together_are_refused_and_named(tmp_path, monkeypatch, study):
    made = run(tmp_path, monkeypatch, study, a_everybody=EVERYBODY, b_women=WOMEN)
    assert [one.status for one in made.runs] == ["failed", "failed"]
    for one in made.runs:
        assert all(word in one.error for word in ("Refused", "a_everybody", "b_women"))
    assert not list((tmp_path / "out").glob("*/report.*"))


def test_a_report_is_set_against_those_that_stand_in_the_folder(tmp_path, monkeypatch, study):
    first = run(tmp_path, monkeypatch, study, a_everybody=EVERYBODY)
    assert first.ok
    record = json.loads((tmp_path / "out" / "a_everybody" / "release.json").read_text())
    assert [output["family"] for output in record["outputs"]] == ["Prevalence"]
    page = (tmp_path / "out" / "a_everybody" / "release.html").read_text()
    assert "Counts of 1 to 7 people were hidden" in page
    later = run(tmp_path, monkeypatch, study, b_women=WOMEN)
    assert [one.status for one in later.runs] == ["failed"]
    assert "a_everybody (made earlier)" in later.runs[0].error
    assert (tmp_path / "out" / "a_everybody" / "report.html").exists()
    # made again, it takes its own place
    assert run(tmp_path, monkeypatch, study, a_everybody=EVERYBODY).ok


def test_two_populations_in_one_report_are_set_against_each_other_too(tmp_path, monkeypatch, study):
    made = run(tmp_path, monkeypatch, study, both=f"{EVERYBODY}\n{WOMEN}")
    assert [one.status for one in made.runs] == ["failed"]


def test_the_record_of_generated_data_says_that_nothing_was_done() -> None:
    from symphony_research.disclosure.release import what_was_done

    patterns = sr.define_cohort(sr.example_study()).patterns()
    free = sr.suppress(sr.multimorbidity.prevalence(patterns), sr.Policy.synthetic())
    assert what_was_done(free) == ["Nothing: the data are generated, and describe no real person."]
