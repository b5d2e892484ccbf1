"""The command line: what it prints, and how it ends."""

import subprocess
import sys
import types
from pathlib import Path

import pytest

from symphony_research import cli
from symphony_research.errors import ArgumentError, SchemaError
from symphony_research.report.notebooks import Notebook, Parameter


@pytest.fixture
def fake(monkeypatch):
    """Put a stand-in where a command imports its room from."""

    def put(module, **names):
        stand_in = types.ModuleType(module)
        for name, value in names.items():
            setattr(stand_in, name, value)
        monkeypatch.setitem(sys.modules, module, stand_in)

    return put


def reports(tmp_path, *errors):
    runs = tuple(
        types.SimpleNamespace(label=f"0{i}_nb", error=error, not_printed=None) for i, error in enumerate(errors)
    )
    failed = tuple(run for run in runs if run.error)
    return types.SimpleNamespace(runs=runs, failed=failed, ok=not failed, index=tmp_path / "index.html", warnings=())


def test_without_words_it_helps(capsys):
    assert cli.main([]) == 0
    out = capsys.readouterr().out
    for command in ("demo", "synthesise", "check", "import", "notebooks", "report"):
        assert command in out
    assert cli.main(["import"]) == 0
    assert "survey" in capsys.readouterr().out


def test_version_and_wrong_words(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("symphony_research ")
    assert cli.main(["nonsense"]) == 2
    assert cli.main(["synthesise", "x", "--people", "-3"]) == 2
    assert cli.main(["report", "x", "--level", "none"]) == 2
    assert "not an integer above 0" in capsys.readouterr().err


def test_help_is_quick_because_nothing_heavy_is_imported():
    code = (
        "import sys; from symphony_research.cli import main; main(['report', '--help']); "
        "heavy = {'polars', 'numpy', 'papermill', 'matplotlib', 'nbformat', 'jinja2'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--all-hubs" in done.stdout


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "symphony_research", "report", "no_such_study"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("There is no study folder 'no_such_study'.")
    assert "Traceback" not in done.stderr


def test_report_passes_on_what_was_asked_and_ends_with_the_address(tmp_path, fake, capsys):
    asked = {}

    def run_reports(study, notebooks, **more):
        asked.update(study=study, notebooks=notebooks, **more)
        return reports(tmp_path, None)

    fake("symphony_research.report.run", run_reports=run_reports)
    words = [
        "report",
        "st",
        "02",
        "net",
        "--hub",
        "A",
        "--hub",
        "B",
        "--practice",
        "P1",
        "--all-areas",
        "--quarter",
        "2016-Q3",
        "-p",
        "x=1",
        "--policy",
        "sacro",
        "--level",
        "strict",
    ]
    words += ["--jobs", "2", "--pdf"]
    assert cli.main([*words, "--out", str(tmp_path)]) == 0
    assert asked == {
        "study": Path("st"), "notebooks": ["02", "net"], "hubs": ["A", "B"], "all_hubs": False,
        "practices": ["P1"], "all_practices": False, "areas": [], "all_areas": True, "quarters": ["2016-Q3"],
        "parameters": {"x": "1"}, "policy": "sacro", "level": "strict", "out": tmp_path, "jobs": 2, "pdf": True, "register": None, "without": [],
    }  # fmt: skip
    assert capsys.readouterr().out.splitlines() == ["1 report made.", (tmp_path / "index.html").as_uri()]


def test_a_failed_report_is_exit_1_with_its_reason(tmp_path, fake, capsys):
    fake("symphony_research.report.run", run_reports=lambda *_, **__: reports(tmp_path, None, "no rows"))
    assert cli.main(["report", "st"]) == 1
    assert capsys.readouterr().out.splitlines()[:2] == ["1 report made, 1 failed:", "  01_nb: no rows"]


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (ArgumentError("no hub 'x'"), 2, "no hub 'x'\n"),
        (SchemaError("persons: no column"), 1, "persons: no column\n"),
        (KeyboardInterrupt(), 130, "Stopped. Reports already finished are kept; nothing is half written.\n"),
    ],
)
def test_faults_are_one_message_without_a_traceback(fault, code, said, fake, capsys):
    def fail(*_, **__):
        raise fault

    fake("symphony_research.report.run", run_reports=fail)
    assert cli.main(["report", "st"]) == code
    assert capsys.readouterr().err == said


def test_an_unexpected_fault_names_its_type_and_no_value(fake, capsys):
    def fail(*_, **__):
        raise ValueError("person 943476")

    fake("symphony_research.report.run", run_reports=fail)
    assert cli.main(["report", "st"]) == 1
    err = capsys.readouterr().err
    assert "(ValueError)" in err
    assert "943476" not in err
    assert err.count("\n") == 1
    for words in (["report", "st", "--debug"], ["--debug", "report", "st"]):
        with pytest.raises(ValueError, match="943476"):
            cli.main(words)


def test_check_prints_every_finding(tmp_path, fake, capsys):
    findings = types.SimpleNamespace(ok=False, text=lambda: "persons.sex: 3 rows")
    fake("symphony_research.study", check_study=lambda path: findings)
    assert cli.main(["check", str(tmp_path)]) == 1
    assert capsys.readouterr().out == "persons.sex: 3 rows\n"
    findings.ok = True
    assert cli.main(["check", str(tmp_path)]) == 0
    assert cli.main(["check", str(tmp_path / "none")]) == 2


def test_synthesise_passes_on_effects_profile_and_mess(tmp_path, fake):
    asked = []
    fake("symphony_research.synthetic", synthesise=lambda out, **more: asked.append(more))
    words = ["--profile", "planted", "--messy", "--faults", "3"]
    words += ["--effect", "complex_care.emergency_admissions=0.9,0.8", "--effect", "complex_care.outpatient=1.1"]
    assert cli.main(["synthesise", str(tmp_path / "s"), *words]) == 0
    assert asked[0]["profile"] == "planted"
    assert (asked[0]["messy"], asked[0]["faults"]) == (True, 3)
    assert asked[0]["effects"] == {"complex_care": {"emergency_admissions": [0.9, 0.8], "outpatient": [1.1]}}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--effect", "complex_care.emergency_admissions"], "is not PROGRAMME.OUTCOME=VALUE"),
        (["--effect", "complex_care.emergency_admissions=a"], "is not PROGRAMME.OUTCOME=VALUE"),
        (["--effect", "coaching.outpatient=1.1"], "Choose one of: complex_care"),
        (["--profile", "plantd"], "Did you mean 'planted'"),
        (["--faults", "3"], "add --messy"),
        (["--messy", "--people", "300"], "ask for at least 2,000 people"),
    ],
)
def test_wrong_settings_of_a_study_are_refused(tmp_path, capsys, words, said):
    assert cli.main(["synthesise", str(tmp_path / "s"), *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_synthesise_passes_on_only_what_was_asked(tmp_path, fake, capsys):
    asked = []
    fake("symphony_research.synthetic", synthesise=lambda out, **more: asked.append((out, more)))
    assert cli.main(["synthesise", str(tmp_path / "s"), "--people", "2,000", "--seed", "7"]) == 0
    assert asked == [(tmp_path / "s", {"people": 2000, "seed": 7, "progress": True})]


def test_demo_makes_the_study_beside_the_reports_and_every_report(tmp_path, fake, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []
    fake("symphony_research.synthetic", synthesise=lambda out, **more: asked.append((out, more)))
    fake(
        "symphony_research.report.run",
        run_reports=lambda study, notebooks, **more: asked.append((study, notebooks, more)) or reports(tmp_path, None),
    )
    assert cli.main(["demo", "--people", "500"]) == 0
    study = tmp_path / "synthetic" / "south_somerset"
    assert asked[0] == (study, {"people": 500, "progress": True})
    assert asked[1] == (study, None, {"all_hubs": True, "out": Path("reports"), "jobs": None})
    assert capsys.readouterr().out.splitlines()[-1] == (tmp_path / "index.html").as_uri()


def test_import_survey(tmp_path, fake, capsys):
    asked = []
    fake("symphony_research.survey", import_survey=lambda file, out, config: asked.append((file, out, config)))
    assert cli.main(["import", "survey", "a.csv", "out", "--config", "brfss2020"]) == 0
    assert asked == [(Path("a.csv"), Path("out"), "brfss2020")]
    assert cli.main(["import", "survey", "a.csv", "out"]) == 2


def test_notebooks_are_listed_with_their_questions_and_parameters(fake, capsys):
    parameters = (
        Parameter("study", ("str",), "s"),
        Parameter("hub", ("str", "None"), None),
        Parameter("event", ("str",), "death", "what is followed", ("death", "admission")),
        Parameter("by", ("str", "None"), None),
    )
    listed = [Notebook("04_survival", "Survival", "How long?", parameters, Path("x"))]
    fake("symphony_research.report.notebooks", list_notebooks=lambda: listed)
    assert cli.main(["notebooks"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "04_survival",
        "    How long?",
        "    may be asked for one hub: --hub NAME, or --all-hubs",
        "    -p event=death  (text)  what is followed",
        "        one of: death, admission",
        "    -p by=none  (text or nothing)",
        "",
    ]


def test_a_console_that_lacks_a_character_does_not_end_the_command():
    code = "from symphony_research import cli; cli._parser = lambda: print('北') or cli.argparse.ArgumentParser(); cli.main(['x'])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, env={"PYTHONIOENCODING": "cp1252", "PATH": ""}
    )
    assert b"UnicodeEncodeError" not in done.stderr
    assert done.stdout.startswith(b"?")


@pytest.mark.parametrize(
    "words",
    [
        ["report", "s", "--policy", "sacro", "02", "03"],
        ["report", "--policy", "sacro", "s", "02", "03"],
        ["report", "s", "02", "--policy", "sacro", "03"],
    ],
)
def test_options_may_stand_anywhere(words, monkeypatch):
    asked = []
    monkeypatch.setattr(
        cli, "_make_reports", lambda study, notebooks, **more: asked.append((notebooks, more["policy"])) or 0
    )
    assert cli.main(words) == 0
    assert asked == [(["02", "03"], "sacro")]
    assert cli.main([*words, "--nosuch"]) == 2


@pytest.mark.parametrize(
    ("notebook", "given", "said"),
    [
        ("02", "condition=diabtes", "Did you mean 'diabetes'"),
        ("02", "adjust=sex, agebnad", "adjust='agebnad' is not known. Choose any of"),
        ("02", "min_persons=0", "min_persons=0 is too small: it must be 1 or more"),
        ("02", "top=-3", "top=-3 is too small"),
        ("02", "oldest=-1", "oldest=-1 is too small"),
        ("04", "programme=complex", "programme='complex' is no programme of"),
        ("04", "horizon=100", "The next one is 120 days"),
    ],
)
def test_a_value_that_the_study_does_not_know_is_refused_before_anything_runs(tmp_path, capsys, notebook, given, said):
    study = tmp_path / "study"
    assert cli.main(["synthesise", str(study), "--people", "300"]) == 0
    earlier = tmp_path / "reports" / "index.html"
    earlier.parent.mkdir()
    earlier.write_text("an earlier report")
    words = ["report", str(study), notebook, "-p", given, "--policy", "nhs_england", "--out", str(earlier.parent)]
    assert cli.main(words) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in earlier.parent.iterdir()] == ["index.html"]


def test_a_report_without_its_pdf_is_exit_1_with_the_reason(tmp_path, fake, capsys):
    def run_reports(study, notebooks, **more):
        run = types.SimpleNamespace(label="02_nb", error=None, not_printed="the browser took more than 120 seconds")
        return types.SimpleNamespace(runs=(run,), failed=(), ok=False, index=tmp_path / "index.html")

    fake("symphony_research.report.run", run_reports=run_reports)
    assert cli.main(["report", "st", "--pdf", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "1 report made.",
        "  02_nb: no PDF, as the browser took more than 120 seconds. The report itself is made: open it and print it.",
    ]
