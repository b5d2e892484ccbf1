"""Notebooks are really run, in processes of their own; what they leave is whole and carries no path."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import nbformat
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError
from symphony_research.policy import Policy
from symphony_research.report import list_notebooks, run_reports
from symphony_research.report import run_plan as planning
from symphony_research.report.release import keyed, release_key
from symphony_research.report.worker import tidy

PARAMETERS = 'study = "somewhere"\npolicy: str | None = None\nsession: str | None = None\n'
GOOD = """
import os, sys, warnings
import matplotlib.pyplot as plt
from symphony_research.result import confidential_report, inside_report
print("hub", hub, "inside", inside_report(), confidential_report(), "files", os.listdir("."))
print("settings", [name for name in os.environ if name.startswith("SYMPHONY") and name not in ("SYMPHONY_NO_SKIP", "SYMPHONY_CACHE", "SYMPHONY_SHARED_DATA", "SYMPHONY_BROWSER")])
print("same python", sys.executable == PYTHON)
print("study at", study)
warnings.warn("about row 943476", UserWarning)
plt.plot([1, 2])
"""
UNDISCLOSED = """
import polars as pl
from symphony_research.result import Result
from symphony_research.result.cells import everybody
from symphony_research.result.roles import Count, TableRoles

roles = {"t": TableRoles({"n_persons": Count()}, lambda record, column, settings: everybody())}
own = {"derive": staticmethod(lambda tables, settings, by: tables["t"]), "roles_of": classmethod(lambda cls, settings: roles)}
R = type("R", (Result,), own)
R({"t": pl.DataFrame({"n_persons": [987654]})}, {})
"""


def write(folder, name, *sources, parameters=PARAMETERS):
    cells = [nbformat.v4.new_markdown_cell(f"# Title of {name}\n\nWhat?")]
    cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    cells += [nbformat.v4.new_code_cell(textwrap.dedent(source)) for source in sources]
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")


class Study:
    """Of generated data: what a report on confidential data may show is tested in test_report_guard."""

    name, fingerprint, generated = "South Somerset", "f" * 64, True
    policy = Policy.synthetic()

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def hubs(self):
        return ["Chard & Ilminster", "Yeovil"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three notebooks run once for all tests: one good, one that breaks, one that shows too much."""
    root = tmp_path_factory.mktemp("made")
    shelf = root / "note{books}"  # braces must not be taken for a pattern
    hub = f"{PARAMETERS}hub: str | None = None\nPYTHON = {sys.executable!r}"
    write(shelf, "01_good", GOOD, parameters=hub)
    write(shelf, "02_breaks", "print('kept')", "{}['person 943476']", "print('never')")
    write(shelf, "03_undisclosed", UNDISCLOSED, "print('after')")
    before = planning.list_notebooks
    planning.list_notebooks = lambda: list_notebooks(shelf)
    stale = root / "out" / "02_breaks"
    stale.mkdir(parents=True)
    for name in ("report.html", "report.ipynb", "provenance.json"):
        (stale / name).write_text("{}")
    try:
        study = Study(root / "a study")
        yield run_reports(study, hubs=["Yeovil"], out=root / "out", jobs=2, progress=False), root / "out"
    finally:
        planning.list_notebooks = before


def text_of(path):
    return Path(path).read_text(encoding="utf-8")


def test_each_run_says_what_became_of_it(made):
    reports, out = made
    assert [(run.notebook, run.hub, run.status) for run in reports.runs] == [
        ("01_good", "Yeovil", "done"),
        ("02_breaks", None, "failed"),
        ("03_undisclosed", None, "failed"),
    ]
    assert not reports.ok
    assert reports.index == out / "index.html"


def test_a_good_run_leaves_its_five_files_and_nothing_half_written(made):
    _, out = made
    assert sorted(p.name for p in (out / "01_good--yeovil").iterdir()) == [
        "provenance.json",
        "release.html",
        "release.json",
        "report.html",
        "report.ipynb",
    ]
    assert not [p for p in out.rglob(".*")]


def test_the_kernel_is_this_interpreter_in_an_empty_folder_and_knows_it_makes_a_report(made):
    _, out = made
    page = text_of(out / "01_good--yeovil" / "report.html")
    assert "hub Yeovil inside True False files []" in page
    assert "settings []" in page  # no environment variable decides anything
    assert "same python True" in page
    assert "data:image/png;base64," in page


def test_nothing_left_carries_a_path_of_this_machine(made):
    _, out = made
    for path in out.rglob("*"):
        if path.is_file():
            for place in (str(out.parent), sys.prefix, str(Path.home()), sys.executable):
                assert place not in text_of(path), (path.name, place)
    assert "study at a study" in text_of(out / "01_good--yeovil" / "report.html")


def test_messages_on_standard_error_are_counted_but_not_kept(made):
    _, out = made
    folder = out / "01_good--yeovil"
    assert json.loads(text_of(folder / "provenance.json"))["warnings"] == {"UserWarning": 1}
    assert (
        "943476"
        not in text_of(folder / "report.html").replace("about row 943476&quot;", "").split("<details class=")[0]
    )
    outputs = [o for c in nbformat.read(folder / "report.ipynb", 4).cells for o in c.get("outputs", [])]
    assert not [o for o in outputs if o.get("name") == "stderr"]


def test_the_record_tells_where_a_report_came_from(made):
    _, out = made
    record = json.loads(text_of(out / "01_good--yeovil" / "provenance.json"))
    key = release_key(out)
    assert record["study"] == {"name": "South Somerset", "fingerprint": keyed("f" * 64, key), "generated": True}
    assert "f" * 12 not in text_of(out / "01_good--yeovil" / "report.html")
    assert "session" not in record["parameters"]
    assert "session = None" in text_of(out / "01_good--yeovil" / "report.ipynb")
    assert record["parameters"]["study"] == "a study"
    assert record["parameters"]["policy"] == "synthetic"
    assert record["policy"]["threshold"] == 0
    assert len(record["notebook"]["sha256"]) == 64
    assert {"symphony_research", "python", "polars"} <= set(record["versions"])
    assert record["status"] == "done"
    assert record["finished"].endswith("Z")


def test_a_run_that_breaks_keeps_what_came_before_and_not_the_message(made):
    reports, out = made
    folder = out / "02_breaks"
    notebook = nbformat.read(folder / "partial.ipynb", 4)
    assert notebook.cells[3].outputs[0].text == "kept\n"
    error = notebook.cells[4].outputs[-1]
    assert error.output_type == "error"
    assert error.traceback == [reports.runs[1].error]
    assert "KeyError in code cell 3" in reports.runs[1].error
    assert notebook.cells[5].outputs == []
    assert "943476" not in text_of(folder / "provenance.json") + text_of(out / "index.html")
    # the report made before is kept, under a name that does not pass for the current one
    assert {p.name for p in folder.iterdir()} >= {"earlier-report.html", "earlier-provenance.json"}
    assert not (folder / "report.html").exists()


def test_showing_an_undisclosed_result_makes_the_run_fail(made):
    reports, out = made
    assert "have not passed disclosure control" in reports.runs[2].error
    notebook = nbformat.read(out / "03_undisclosed" / "partial.ipynb", 4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output.output_type for output in outputs] == ["error"]  # no number, and nothing after it
    assert "987654" not in str(outputs)
    page = text_of(reports.index)
    assert page.index("have not passed disclosure control") < page.index("01_good--yeovil/report.html")


def test_a_good_run_takes_the_place_of_a_failed_one(tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "list_notebooks", lambda: list_notebooks(tmp_path / "shelf"))
    study, out = Study(tmp_path / "study"), tmp_path / "out"
    write(tmp_path / "shelf", "01_one", "import os; os._exit(3)")
    first = run_reports(study, out=out, progress=False)
    assert "ended without a word" in first.runs[0].error
    (out / "01_one" / "earlier-report.html").write_text("old")
    write(tmp_path / "shelf", "01_one", "print('fine')")
    assert run_reports(study, out=out, progress=False).ok
    assert sorted(p.name for p in (out / "01_one").iterdir()) == [
        "provenance.json", "release.html", "release.json", "report.html", "report.ipynb",
    ]  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
def test_a_worker_that_is_killed_fails_alone(tmp_path, monkeypatch):
    shelf = tmp_path / "shelf"
    write(shelf, "01_kills", "import os, signal; os.kill(os.getppid(), signal.SIGKILL)")
    write(shelf, "02_fine", "print('fine')")
    monkeypatch.setattr(planning, "list_notebooks", lambda: list_notebooks(shelf))
    reports = run_reports(Study(tmp_path / "study"), out=tmp_path / "out", jobs=1, progress=False)
    assert [run.status for run in reports.runs] == ["failed", "done"]
    assert "ended from outside" in reports.runs[0].error


RELEASES = """
import time
import symphony_research as sr
from symphony_research.result.session import ReleaseSession
time.sleep({pause})
print([output["title"] for output in ReleaseSession.of(session).outputs_before()])
cohort = sr.define_cohort(sr.example_study())
results = {{"attrition": cohort.attrition, "prevalence": sr.multimorbidity.prevalence(cohort.patterns())}}
released = sr.suppress({what}, sr.Policy.synthetic(), session=session)
"""


def releases(shelf, name, what, pause=0.0):
    write(shelf, name, RELEASES.format(what=f"{{'a': results['{what}']}}", pause=pause))


def printed(out, name):
    (shown,) = [o for c in nbformat.read(out / name / "report.ipynb", 4).cells for o in c.get("outputs", [])]
    return shown.text.strip()


def test_reports_are_released_in_order_each_beside_those_before_and_jobs_change_nothing(tmp_path, monkeypatch):
    shelf = tmp_path / "shelf"
    releases(shelf, "01_slow", "attrition", pause=3)
    write(shelf, "02_breaks", "1 / 0")
    write(shelf, "03_silent", "1;")
    releases(shelf, "04_quick", "prevalence")
    releases(shelf, "05_last", "attrition")
    monkeypatch.setattr(planning, "list_notebooks", lambda: list_notebooks(shelf))
    for jobs in (1, 3):
        out = tmp_path / f"jobs{jobs}"
        reports = run_reports(Study(tmp_path / "study"), out=out, jobs=jobs, progress=False)
        assert [run.status for run in reports.runs] == ["done", "failed", "done", "done", "done"]
        first, second = sr.define_cohort(sr.example_study()).attrition.title, "Prevalence of long-term conditions"
        assert printed(out, "01_slow") == "[]"
        assert printed(out, "04_quick") == f"[{first!r}]"
        assert printed(out, "05_last") == f"[{first!r}, {second!r}]"
    for name in ("01_slow", "04_quick", "05_last"):
        assert text_of(tmp_path / "jobs1" / name / "report.ipynb") == text_of(
            tmp_path / "jobs3" / name / "report.ipynb"
        )


def test_drafts_that_stand_in_the_folder_change_no_later_report(tmp_path, monkeypatch):
    shelf, out, study = tmp_path / "shelf", tmp_path / "out", Study(tmp_path / "study")
    monkeypatch.setattr(planning, "list_notebooks", lambda: list_notebooks(shelf))
    releases(shelf, "01_one", "attrition")
    releases(shelf, "02_two", "prevalence")
    assert run_reports(study, ["01"], out=out, progress=False).ok
    assert run_reports(study, ["02"], out=out, progress=False).ok
    assert printed(out, "02_two") == "[]"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
def test_nobody_waits_for_a_worker_that_was_killed(tmp_path, monkeypatch):
    shelf = tmp_path / "shelf"
    write(shelf, "01_kills", "import os, signal, time; time.sleep(2); os.kill(os.getppid(), signal.SIGKILL)")
    releases(shelf, "02_after", "attrition")
    monkeypatch.setattr(planning, "list_notebooks", lambda: list_notebooks(shelf))
    reports = run_reports(Study(tmp_path / "study"), out=tmp_path / "out", jobs=2, progress=False)
    assert [run.status for run in reports.runs] == ["failed", "done"]


def test_linear_algebra_takes_one_processor_unless_the_user_says_otherwise(tmp_path, monkeypatch):
    write(tmp_path / "shelf", "01_one", "import os; print('threads', os.environ['OPENBLAS_NUM_THREADS'])")
    monkeypatch.setattr(planning, "list_notebooks", lambda: list_notebooks(tmp_path / "shelf"))
    for given, used in ((None, "1"), ("3", "3")):
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
        if given:
            monkeypatch.setenv("OPENBLAS_NUM_THREADS", given)
        run_reports(Study(tmp_path / "study"), out=tmp_path / "out", jobs=1, progress=False)
        assert f"threads {used}" in text_of(tmp_path / "out" / "01_one" / "report.ipynb")


def test_each_step_is_a_line_where_there_is_no_terminal(tmp_path, monkeypatch, capsys):
    releases(tmp_path / "shelf", "01_one", "attrition")
    monkeypatch.setattr(planning, "list_notebooks", lambda: list_notebooks(tmp_path / "shelf"))
    run_reports(Study(tmp_path / "study"), out=tmp_path / "out", jobs=1)
    lines = capsys.readouterr().err.splitlines()
    steps = ["01_one: computing", "01_one: suppressing", "01_one: drawing"]
    assert [line for line in lines if line in steps] == steps
    assert lines[-1].startswith("1/1 01_one: done in")


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_report_run import Study, planning, list_notebooks, run_reports
if __name__ == "__main__":
    root = Path({root!r})
    planning.list_notebooks = lambda: list_notebooks(root / "shelf")
    try:
        run_reports(Study(root / "study"), out=root / "out", jobs=2)
    except KeyboardInterrupt:
        print("stopped")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of another kind")
def test_ctrl_c_ends_the_workers_and_their_kernels_and_leaves_nothing_half_written(tmp_path):
    write(tmp_path / "shelf", "01_fine", "print('fine')")
    write(tmp_path / "shelf", "02_waits", f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))",
          "time.sleep(600)")  # fmt: skip
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent), root=str(tmp_path)))
    said = tmp_path / "stderr.txt"
    with said.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=stream, text=True, start_new_session=True
        )
        try:
            # the line comes after the files: a signal between the two would find it not yet said
            wait_for(lambda: "1/2 01_fine: done in" in said.read_text() and (tmp_path / "pid").exists())
            os.killpg(process.pid, signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    err = said.read_text()
    assert out == "stopped\n"
    assert (tmp_path / "out" / "01_fine" / "provenance.json").exists()
    assert "Traceback" not in err
    wait_for(lambda: not alive(int((tmp_path / "pid").read_text())))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["01_fine", "index.html", "output_checker"]
    assert "1 report" in text_of(tmp_path / "out" / "index.html")


def wait_for(condition, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.05)


def alive(pid):
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_wrong_arguments_are_found_before_anything_runs(tmp_path):
    with pytest.raises(ArgumentError, match="There is no study folder"):
        run_reports(tmp_path / "none", out=tmp_path / "out")
    with pytest.raises(ArgumentError, match="jobs is an integer"):
        run_reports(Study(tmp_path / "s"), out=tmp_path / "out", jobs=0)
    memory = Study(tmp_path / "s")
    memory.folder = None
    with pytest.raises(ArgumentError, match="only in memory"):
        run_reports(memory, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_said_before_anything_runs(tmp_path, monkeypatch):
    write(tmp_path / "shelf", "01_one", "1")
    monkeypatch.setattr(planning, "list_notebooks", lambda: list_notebooks(tmp_path / "shelf"))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArgumentError, match="Reports cannot be written to"):
        run_reports(Study(tmp_path / "s"), out=tmp_path / "file", progress=False)


def test_a_notebook_is_made_fit_to_travel():
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(
                "1",
                metadata={"papermill": {"x": "/secret"}, "execution": {}, "tags": ["kept"]},
                outputs=[nbformat.v4.new_output("execute_result", {"text/plain": "/secret/a", "image/png": "/secret"})],
            )
        ],
        metadata={"papermill": {"environment_variables": {"A": "B"}, "input_path": "/secret"}, "widgets": {"s": 1}},
    )
    assert tidy(notebook, lambda text: text.replace("/secret", "study")) is None
    assert notebook.cells[0].metadata == {"tags": ["kept"]}
    assert notebook.cells[0].outputs[0].data["text/plain"] == "study/a"
    assert set(notebook.metadata) == {"kernelspec", "language_info", "symphony_warnings"}


def test_a_worker_loads_papermill_without_what_no_report_uses():
    # the grammar of addresses is built when it is loaded, which took 2.5 s of each worker
    code = """
        import sys
        from symphony_research.report.worker import _UNUSED, load_papermill
        load_papermill()
        print([name for name in _UNUSED if name in sys.modules])
        import nbformat, papermill, pyarrow
        print(nbformat.validate(nbformat.v4.new_notebook()), pyarrow.__name__, papermill.execute_notebook.__name__)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == ["[]", "None pyarrow execute_notebook"], done.stderr


def test_a_script_need_not_guard_its_call(tmp_path):
    study = tmp_path / "study"
    sr.synthesise(study, people=300, seed=1)
    script = tmp_path / "make.py"
    script.write_text(
        "from symphony_research.report import run_reports\n"
        f"made = run_reports({str(study)!r}, ['03'], out={str(tmp_path / 'out')!r}, progress=False)\n"
        "print('made', made.ok)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.stderr) == ("made True\n", "")
