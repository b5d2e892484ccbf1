"""From confidential data a report shows what has passed disclosure control, and no other number by any way round.

The study has 4,177 people, asthma in 1,303 and stroke in 3 of them: rounded to
4,175 and 1,305 and suppressed. No exact count may be found in any file of a run.
"""

import json
import re
import textwrap

import nbformat
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.report import guard, list_notebooks, run_reports
from symphony_research.report import run_plan as planning
from symphony_research.report.failure import plain_reason
from symphony_research.report.guard import PRINTED
from symphony_research.report.worker import tidy
from symphony_research.result import not_available
from symphony_research.result.mode import report_mode

PEOPLE, ASTHMA, STROKE = 4177, 1303, 3
SECRET = re.compile(r"4,?177|1,?303")
START = """
import symphony_research as sr
from symphony_research.errors import ArgumentError, DisclosureError

study = sr.read_study(study)
policy = study.disclosure_policy(policy)
cohort = sr.define_cohort(study)
exact = sr.multimorbidity.prevalence(cohort.patterns())
by_sex = sr.multimorbidity.prevalence(cohort.patterns(by="sex"))
released = sr.suppress({"found": exact, "by_sex": by_sex}, policy, session=session)
found = released["found"]
frame = study.persons.collect()
n = len(frame)
few = study.conditions.collect().filter(pl.col("condition") == "stroke").height
""".replace("import symphony", "import polars as pl\nimport symphony", 1)

# what a report may show, and what is omitted from one without a word of complaint
GOOD = [
    "found",
    "sr.table(found)",
    "sr.sentence(found)",
    "sr.picture(found)",
    "sr.plot(found)",
    "display(found)\ndisplay(sr.table(found, caption='Everybody'))",
    "sr.cross_table(released['by_sex'], rows='condition', columns='sex')",
]
WIDGET = """
from comm import create_comm

class IntSlider:  # as ipywidgets makes one: its state goes to whoever saves the notebook
    _view_name = "IntSliderView"
    def __init__(self, value):
        self.value = value
        state = {"value": value, "_model_name": "IntSliderModel", "_model_module": "@jupyter-widgets/controls"}
        self.comm = create_comm(target_name="jupyter.widget", data={"state": state})
    def __repr__(self):
        return f"IntSlider(value={self.value})"
    def _repr_mimebundle_(self, **options):
        view = {"model_id": self.comm.comm_id}
        return {"text/plain": repr(self), "application/vnd.jupyter.widget-view+json": view}

IntSlider(n)
"""
SILENT = {
    "print": "print(n, few, exact.count_tables)",
    "stdout": "import sys\nprint(n)\nsys.stdout.write(f'{n}\\n');",
    "subprocess": "import subprocess\nsubprocess.run(['echo', str(n)]);\nget_ipython().system(f'echo {n}')",
    "warning": "import warnings\nfor k in range(few):\n    warnings.warn(f'row {n}', stacklevel=1)\n"
    "warnings.warn('x', type(f'N{n}Warning', (UserWarning,), {}))",
    "logging": "import logging\nlogging.getLogger('x').error('%s people', n)",
    "metadata": "display(sr.table(found), metadata={'note': n}, display_id=f'd{n}');",
    "number": "get_ipython().execution_count = n",
    "widget": WIDGET,
}
# each in a notebook of its own: what a cell ends with, or what the run fails with
FAILS = {
    "estimates": "found.estimates",
    "exact_estimates": "exact.estimates",
    "exact_result": "exact",
    "f_string": "f'{n} people'",
    "figure": "import matplotlib.pyplot as plt\nplt.title(f'{n} people');",
    "drawn_on": "ax = sr.plot(found)\nax.set_title(f'{n} people');",
    "html_magic": "get_ipython().run_cell_magic('html', '', f'<b>{n}</b>')",
    "exception": "raise ValueError(f'{n} people')",
    "name_error": "raise NameError(f'{n} people')",
    "named_error": "raise type(f'N{n}Error', (Exception,), {})(n)",
    "own_error": "raise ArgumentError(f'persons.sex: is missing ({n:,} rows); {n} rows; {few} rows')",
    "exit": "raise SystemExit(n)",
    "unknown_polars": "frame.select(str(n))",
    "past_the_guard": "k = get_ipython().kernel\n"
    "k.send_response(k.iopub_socket, 'display_data', {'data': {'text/plain': str(n)}, 'metadata': {}})",
}
# each raises DisclosureError; they share a notebook
REFUSED = """
import dataclasses
import matplotlib.pyplot as plt
from symphony_research.result.mode import begin_report
from IPython.display import HTML, Markdown, publish_display_data, update_display
from IPython.utils.capture import capture_output

class Own:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": f"<b>{n}</b>"}

class Draws:
    def _ipython_display_(self):
        publish_display_data({"text/plain": str(n)})

def own_plot(result, **options):
    fig, ax = plt.subplots()
    ax.set_title(str(n))
    return ax

def captured():
    with capture_output() as held:
        publish_display_data({"text/plain": str(n)})
    held.show()

def drawn_into_mine():
    fig, ax = plt.subplots()
    ax.set_title(str(n))
    sr.plot(found, ax=ax)
    plt.close(fig)
    return fig

def drawn_on():
    ax = sr.plot(found)
    ax.figure.text(0.5, 0.5, str(n))
    plt.close(ax.figure)
    return ax

other = sr.suppress(exact, sr.Policy.sacro())
alone = sr.suppress(exact, policy)
said, tabled, drawn = sr.sentence(found), sr.table(found), sr.picture(found)
ways = {
    "number": lambda: display(n),
    "text": lambda: display(f"{n}"),
    "frame": lambda: display(frame),
    "pandas": lambda: display(frame.to_pandas().describe()),
    "series": lambda: display(frame["sex"].value_counts()["count"]),
    "estimates": lambda: display(found.named),
    "tables": lambda: display(found.count_tables),
    "study": lambda: display(study),
    "html": lambda: display(HTML(f"{n}")),
    "markdown": lambda: display(Markdown(f"{n}")),
    "bundle": lambda: display(Own()),
    "draws": lambda: display(Draws()),
    "raw": lambda: display({"text/plain": str(n)}, raw=True),
    "published": lambda: publish_display_data({"text/html": str(n)}),
    "updated": lambda: (display(said, display_id="a"), update_display(f"{n}", display_id="a")),
    "captured": captured,
    "alt": lambda: display(drawn, metadata={"image/png": {"alt": str(n)}}),
    "sentence made up": lambda: display(type(said)(f"{n} people")),
    "table made up": lambda: display(type(tabled)(f"<p>{n}</p>", "x")),
    "table changed": lambda: display(dataclasses.replace(tabled, html=f"<p>{n}</p>")),
    "picture changed": lambda: display(dataclasses.replace(drawn, sentence=f"{n}")),
    "caption": lambda: sr.table(found, caption=f"{n} people"),
    "heading": lambda: sr.table(found, words={"n_persons": f"of {n}"}),
    "title": lambda: sr.picture(found, title=f"{n} people"),
    "title of a plot": lambda: sr.plot_prevalence(found, title=f"{n} people"),
    "plot of one's own": lambda: sr.picture(found, own_plot),
    "picture in axes of one's own": lambda: sr.picture(found, ax=own_plot(found)),
    "axes of one's own": lambda: display(drawn_into_mine()),
    "drawn on": lambda: display(drawn_on()),
    "undisclosed": lambda: sr.sentence(exact),
    "under another rule": lambda: sr.sentence(other),
    "plot under another rule": lambda: sr.plot(other),
    "of no release session": lambda: sr.table(alone),
    "result of no release session": lambda: display(alone),
    "in a second call": lambda: sr.suppress({"again": exact}, policy, session=session),
    "in a report begun again": lambda: begin_report("", False, ""),
}
for name, way in ways.items():
    try:
        way()
    except DisclosureError:
        plt.close("all")
    else:
        raise ArgumentError(f"it was shown: {name}")
"""


def write(folder, name, *sources):
    parameters = nbformat.v4.new_code_cell(
        'study = "x"\npolicy: str | None = None\nsession: str | None = None', metadata={"tags": ["parameters"]}
    )
    cells = [nbformat.v4.new_markdown_cell(f"# {name}\n\nWhat?"), parameters]
    cells += [nbformat.v4.new_code_cell(textwrap.dedent(source).strip()) for source in sources]
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")


def write_study(folder):
    folder.mkdir()
    ids = list(range(1, PEOPLE + 1))
    persons = {"person_id": ids, "sex": ["F" if i % 2 else "M" for i in ids], "birth_date": "1960-01-01"}
    ill = ids[:ASTHMA] + ids[-STROKE:]
    conditions = {"person_id": ill, "condition": ["asthma"] * ASTHMA + ["stroke"] * STROKE, "onset_date": "2001-01-01"}
    pl.DataFrame(persons).write_csv(folder / "persons.csv")
    pl.DataFrame(conditions).write_csv(folder / "conditions.csv")
    period = "[period]\nstart = 2011-04-01\nend = 2015-03-31\n"
    (folder / "study.toml").write_text(f'name = "Ours"\nconditions = ["asthma", "stroke"]\n{period}')
    return sr.read_study(folder)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Every notebook run once, under the rule that the study has by default, NHS England's."""
    root = tmp_path_factory.mktemp("guard")
    write(root / "shelf", "good", START, *GOOD)
    write(root / "shelf", "silent", START, *SILENT.values(), "found")
    write(root / "shelf", "refused", START, REFUSED)
    for name, source in FAILS.items():
        write(root / "shelf", f"fails_{name}", START, "found", source, "found")
    before = planning.list_notebooks
    planning.list_notebooks = lambda: list_notebooks(root / "shelf")
    try:
        reports = run_reports(write_study(root / "ours"), out=root / "out", jobs=3, progress=False)
        yield {run.notebook: run for run in reports.runs}, root / "out"
    finally:
        planning.list_notebooks = before


def outputs(out, name):
    cells = nbformat.read(out / name / "report.ipynb", 4).cells
    return [cell.outputs for cell in cells if cell.cell_type == "code"][3:]  # parameters, injected ones, START


def test_no_exact_count_is_in_any_file_of_any_run(made):
    runs, out = made
    files = [path for path in out.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {
        "index.html", "report.html", "report.ipynb", "provenance.json", "release.json", "release.html",
        "for_output_checker.json", "for_register.json", "README.txt", "key",
    }  # fmt: skip
    for path in files:
        # pictures and fingerprints are long runs of letters and figures, in which any number may stand
        text = re.sub(r"[A-Za-z0-9+/=]{64,}", "", path.read_text(encoding="utf-8"))
        assert not SECRET.search(text), (path.relative_to(out), SECRET.search(text))
        assert not re.search(r"IntSlider\(value=\d", text)
        assert "widget-state" not in text
    assert not any(SECRET.search(run.error or "") for run in runs.values())


def test_what_has_passed_comes_through(made):
    runs, out = made
    assert runs["good"].status == "done", runs["good"].error
    kinds = [[sorted(output.data) for output in shown] for shown in outputs(out, "good")]
    as_table, as_picture = ["text/html", "text/plain"], ["image/png", "text/plain"]
    as_words = ["text/markdown", "text/plain"]
    assert kinds == [[as_table], [as_table], [as_words], [as_picture], [as_picture], [as_table] * 2, [as_table]]
    shown = outputs(out, "good")
    assert "1,305" in shown[0][0].data["text/html"]
    assert "<caption>Everybody</caption>" in shown[5][1].data["text/html"]
    # 1,305 of 4,175
    assert "asthma, in 31% (95% CI 30 to 33) of people" in shown[2][0].data["text/plain"]
    # the figure that a plot function leaves open is described as the picture of the same result
    assert shown[3][0].metadata == shown[4][0].metadata
    described = shown[3][0].metadata["image/png"]
    assert described["alt"].startswith("Bar chart of ")
    assert "Asthma is the commonest condition: 31% (95% CI 30 to 33)." in described["alt"]
    assert described["caption"].startswith("Prevalence of long-term conditions. People in the study, as of ")
    assert described["titled"] is True
    page = (out / "good" / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 2
    assert "1,305" in page
    assert "Printed text" not in page


def test_nothing_but_what_describes_a_picture_stays_beside_an_output(made):
    _, out = made
    for name in ("good", "silent"):
        metadata = [o.metadata for shown in outputs(out, name) for o in shown if o.output_type != "stream"]
        assert metadata
        assert all(set(held.get("image/png", {})) <= {"alt", "caption", "titled"} for held in metadata)
        assert all(set(held) <= {"image/png"} for held in metadata)


def test_printed_text_and_widgets_are_left_out_and_it_is_said_once_a_cell(made):
    runs, out = made
    assert runs["silent"].status == "done", runs["silent"].error
    shown = dict(zip([*SILENT, "after"], outputs(out, "silent"), strict=True))
    for name in ("print", "stdout", "subprocess"):
        assert [output.text for output in shown[name]] == [PRINTED], name
    assert shown["warning"] == shown["logging"] == shown["number"] == []
    assert "interactive control is omitted" in shown["widget"][0].data["text/markdown"]
    assert "1,305" in shown["after"][0].data["text/html"]
    assert PRINTED.strip() in (out / "silent" / "report.html").read_text(encoding="utf-8")
    cells = nbformat.read(out / "silent" / "report.ipynb", 4).cells
    assert max(cell.execution_count for cell in cells if cell.cell_type == "code") < 20


def test_of_warnings_only_the_kinds_are_told_that_python_has(made):
    _, out = made
    record = json.loads((out / "silent" / "provenance.json").read_text(encoding="utf-8"))
    assert record["warnings"] == {"UserWarning": 1}  # not how often: that may be once a person


def test_every_other_display_is_refused(made):
    runs, _ = made
    assert runs["refused"].status == "done", runs["refused"].error


@pytest.mark.parametrize("name", FAILS)
def test_a_cell_that_would_show_something_else_fails_and_ends_the_report(made, name):
    runs, out = made
    run = runs[f"fails_{name}"]
    assert run.status == "failed"
    # nobody has released what it drew before: no notebook is left, and the index says how to see it
    assert [path.name for path in (out / f"fails_{name}").iterdir()] == list(run.paths) == ["provenance.json"]
    page = (out / "index.html").read_text(encoding="utf-8")
    assert f"open the notebook fails_{name} in Jupyter" in page


def test_what_is_refused_is_named_by_its_type_and_what_to_do_is_said(made):
    runs, _ = made
    said = {name: runs[f"fails_{name}"].error for name in FAILS}
    for name, kind in {"estimates": "DataFrame", "f_string": "str", "figure": "Figure", "drawn_on": "Figure"}.items():
        assert f"has not passed disclosure control: {kind}. A report" in said[name], name
        assert "Markdown cell" in said[name]
    assert "Use sr.suppress" in said["exact_result"] or "Show sr.suppress" in said["exact_result"]
    assert "shown that has not passed disclosure control" in said["past_the_guard"]


def test_only_the_librarys_errors_keep_words_and_no_number_among_them(made):
    runs, _ = made
    said = {name: runs[f"fails_{name}"].error for name in FAILS}
    own = "persons.sex: is missing (… rows); … rows; … rows (… stands for a number that is omitted.)"
    assert said["own_error"] == own
    for name, kind in {"exception": "ValueError", "name_error": "NameError", "named_error": "Error", "exit": "SystemExit", "unknown_polars": "ColumnNotFoundError"}.items():  # fmt: skip
        assert said[name].startswith(f"{kind} in code cell 4. Its message is omitted"), name


def test_a_kernel_that_died_is_still_told_of():
    said = plain_reason("DeadKernelError", "Kernel died", step=None, clean=str, confidential=True)
    assert "ended without a word" in said


@pytest.mark.parametrize("show", [sr.sentence, sr.table, sr.picture])
def test_what_was_released_under_another_policy_is_refused_before_it_is_looked_at(monkeypatch, show):
    made = sr.multimorbidity.prevalence(sr.define_cohort(sr.example_study()).patterns())
    other = sr.suppress(made, sr.Policy.sacro())
    monkeypatch.setattr(type(other), "sentence", lambda self: "not reached")
    monkeypatch.setattr(type(other), "estimates", None)
    monkeypatch.setattr(type(other), "named", None)
    with (
        report_mode(sr.Policy.nhs_england().title),
        pytest.raises(sr.DisclosureError, match="this report is made under"),
    ):
        show(other)
    with (
        report_mode(other.disclosure.policy.title, session_name="ours"),
        pytest.raises(sr.DisclosureError, match="this report has not released"),
    ):
        show(other)


def test_without_a_key_errors_speak_as_before():
    words = "persons has 3 rows"
    assert plain_reason("SchemaError", words, step=1, clean=str) == words
    assert plain_reason("NameError", "name 'x1'", step=1, clean=str) == "NameError in code cell 1: name 'x1'"


def test_an_output_that_bears_no_seal_or_anothers_is_not_kept():
    for metadata in ({}, {"symphony_seal": "key"}, {"symphony_seal": "0" * 64}):
        output = nbformat.v4.new_output("display_data", {"text/plain": "4177"}, metadata=metadata)
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=[output])])
        assert "not passed disclosure control" in tidy(notebook, str, key="key")
        assert "4177" not in nbformat.writes(notebook)


def test_of_generated_data_everything_is_shown_as_it_is(tmp_path, monkeypatch):
    study = write_study(tmp_path / "ours")
    object.__setattr__(study, "generated", True)
    write(
        tmp_path / "shelf",
        "free",
        "n = 4100 + 77\nprint(n)",
        "n",
        WIDGET,
        "import matplotlib.pyplot as plt\nplt.plot([n])",
    )
    monkeypatch.setattr(planning, "list_notebooks", lambda: list_notebooks(tmp_path / "shelf"))
    (run,) = run_reports(study, policy="synthetic", out=tmp_path / "out", progress=False).runs
    assert run.status == "done"
    code = [cell.outputs for cell in nbformat.read(run.paths["report.ipynb"], 4).cells if cell.cell_type == "code"]
    assert code[2][0].text == "4177\n"
    assert code[3][0].data["text/plain"] == "4177"
    assert code[4][0].data["text/plain"] == "IntSlider(value=4177)"
    assert "image/png" in code[5][1].data


def test_a_seal_does_not_make_an_unknown_kind_of_output_known():
    for kind, kept in {"text/plain": True, "application/vnd.jupyter.widget-view+json": False}.items():
        data = {kind: "x"}
        assert guard.is_sealed(data, {"symphony_seal": guard._seal(data, {}, "key")}, "key") is kept


def test_what_a_page_needs_of_a_shown_object_is_kept():
    patterns = sr.define_cohort(sr.example_study()).patterns()
    released = sr.suppress(sr.multimorbidity.prevalence(patterns), sr.Policy.nhs_england())
    gone = sr.suppress(not_available("The study has no beds", "their number"), sr.Policy.nhs_england())
    shown = [show(released) for show in (sr.finding, sr.heading, sr.facts, sr.sentence)] + [
        sr.finding(gone),
        sr.sentence(gone),
    ]
    for one in shown:
        metadata = one._repr_mimebundle_()[1]
        assert guard.kept_metadata(metadata) == metadata, type(one).__name__
