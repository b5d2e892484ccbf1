"""What a run leaves and says, when it fails midway and when it does not: the reports folder, both streams, and the scratch folder.

The study's people, and those with each condition, are numbers that stand for nothing else. None may be
found, in no notation, and no count of few; a report that failed leaves no notebook and no page.
"""

from __future__ import annotations

import re
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import polars as pl
import pytest
from _pytest.capture import FDCapture, MultiCapture

from symphony_research import cli
from symphony_research.report import list_notebooks
from symphony_research.report import run_plan as planning

pytestmark = pytest.mark.slow
PEOPLE, ASTHMA, WOMEN, FEW = 4177, 1303, 2089, 3
EXACT = re.compile(r"(?<!\d)(?:4[,. \u202f]?177|1[,. \u202f]?303|2[,. \u202f]?089|2[,. \u202f]?088)(?!\d)")
IN_HEX_OR_BASE64 = re.compile(r"[A-Za-z0-9+/=]{48,}")
# the rule itself speaks of 1 to 7 people
OF_FEW = re.compile(r"(?<!1 to )\b(?:[1-7]|three)\s+(?:people|persons?|women|men|patients?|rows?)\b")
# the progress that a run may tell, and the end of each run
STEP = re.compile(r"\d\d_\w+: (?:computing|suppressing|drawing|waiting for its turn)")
END = re.compile(r"\d/\d \d\d_\w+: (?:done in \d+ s|failed in \d+ s: .*)")

START = """
import os, sys, warnings
import symphony_research as sr
study = sr.read_study(study)
cohort = sr.define_cohort(study)
found = sr.multimorbidity.prevalence(cohort.patterns(by="sex"))
n = study.persons.collect().height
few = study.conditions.collect().filter(pl.col("condition") == "stroke").height
released = sr.suppress({"found": found}, study.disclosure_policy(policy), session=session)["found"]
""".replace("import symphony", "import polars as pl\nimport symphony", 1)
SAY = """
print(n, few, "women", found.count_tables)
print(n, few, file=sys.stderr)
os.write(1, f"{n} {few} people".encode())
os.write(2, f"{n} {few} people".encode())
os.system(f"echo {n} {few} people; echo {n} {few} people >&2")
warnings.warn(f"{n} {few} people")
open("left.txt", "w").write(f"{n} {few} people")
released
"""
# how a notebook may fail after it has said and shown all that
FAILS = {
    "raises": "raise ValueError(f'{n} people, {few} people')",
    "own_error": "raise sr.errors.ArgumentError(f'{n} people of {few:,} rows')",
    "shows_exact": "found",
    "dies": "os._exit(few)",
    "exits": "raise SystemExit(n)",
}


@dataclass(frozen=True)
class Run:
    """One call of the command: how it ended, what it said, and what there is afterwards."""

    code: int
    out: str
    err: str
    reports: Path
    scratch: Path

    def files(self, *of: str) -> dict[str, str]:
        """Return every file of the reports folder, or of some reports, as text."""
        paths = [p for p in self.reports.rglob("*") if p.is_file() and (not of or p.parent.name in of)]
        return {str(p.relative_to(self.reports)): p.read_text(encoding="utf-8") for p in paths}


def _write_study(folder: Path) -> None:
    folder.mkdir()
    ids = list(range(1, PEOPLE + 1))
    sex = ["F" if i % 2 else "M" for i in ids]
    ill = [*ids[:ASTHMA], *ids[-FEW:]]
    pl.DataFrame({"person_id": ids, "sex": sex, "birth_date": "1960-01-01"}).write_csv(folder / "persons.csv")
    pl.DataFrame({"person_id": ill, "condition": ["asthma"] * ASTHMA + ["stroke"] * FEW, "onset_date": "2001-01-01"}).write_csv(folder / "conditions.csv")  # fmt: skip
    (folder / "study.toml").write_text('name = "Ours"\nconditions = ["asthma", "stroke"]\n[period]\nstart = 2011-04-01\nend = 2015-03-31\n')  # fmt: skip


def _write_notebook(shelf: Path, name: str, *sources: str) -> None:
    given = 'study = "x"\npolicy: str | None = None\nsession: str | None = None'
    cells = [nbformat.v4.new_markdown_cell(f"# {name}\n\nWhat?"), nbformat.v4.new_code_cell(given, metadata={"tags": ["parameters"]})]  # fmt: skip
    # what a notebook has shown when it was saved is of whoever saved it
    shown = nbformat.v4.new_output("stream", text=f"{PEOPLE} people")
    cells += [nbformat.v4.new_code_cell(textwrap.dedent(s).strip(), outputs=[shown]) for s in sources]
    shelf.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), shelf / f"{name}.ipynb")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    root = tmp_path_factory.mktemp("runs")
    _write_study(root / "ours")
    _write_notebook(root / "shelf", "01_good", START, SAY)
    for at, (name, source) in enumerate(FAILS.items()):
        _write_notebook(root / "shelf", f"{at + 2:02}_{name}", START, SAY, source, "released")
    scratch = root / "scratch"
    scratch.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "list_notebooks", lambda: list_notebooks(root / "shelf"))
        patch.setattr(tempfile, "tempdir", str(scratch))
        patch.setenv("TMPDIR", str(scratch))
        # of the files behind the streams, for what a worker or a kernel might write there
        capture = MultiCapture(in_=None, out=FDCapture(1), err=FDCapture(2))
        capture.start_capturing()
        try:
            code = cli.main(["report", str(root / "ours"), "--out", str(root / "reports"), "--jobs", "2"])
        finally:
            said = capture.readouterr()
            capture.stop_capturing()
        yield Run(code, said.out, said.err, root / "reports", scratch)


def test_one_report_is_made_and_the_others_fail(run: Run) -> None:
    assert run.code == 1
    assert f"1 report made, {len(FAILS)} failed" in run.out
    assert "01_good/report.html" in run.files()


def test_no_exact_number_is_in_any_file(run: Run) -> None:
    for name, text in run.files().items():
        # pictures, fingerprints and seals are long runs of letters and figures, in which any number may stand
        readable = IN_HEX_OR_BASE64.sub("", text)
        assert not EXACT.search(readable), (name, EXACT.search(readable))
        assert not OF_FEW.search(readable), (name, OF_FEW.search(readable))


def test_the_notebook_saved_in_the_shelf_lends_no_output(run: Run) -> None:
    assert not any("4177 people" in text for text in run.files().values())


def test_a_failed_report_leaves_a_record_and_nothing_that_shows_a_result(run: Run) -> None:
    for at, name in enumerate(FAILS):
        assert [Path(file).name for file in run.files(f"{at + 2:02}_{name}")] == ["provenance.json"], name
    assert [name for name in run.files() if name.endswith(".ipynb")] == ["01_good/report.ipynb"]


def test_nothing_is_left_in_the_scratch_folder(run: Run) -> None:
    assert not [p for p in run.scratch.rglob("*") if p.is_file() and "matplotlib" not in str(p)]


@pytest.mark.parametrize("stream", ["out", "err"])
def test_no_exact_number_is_said_on_either_stream(run: Run, stream: str) -> None:
    said = getattr(run, stream)
    assert said
    assert not EXACT.search(said), EXACT.search(said)
    assert not OF_FEW.search(said), OF_FEW.search(said)


def test_progress_names_the_step_and_the_end_of_each_run_and_nothing_else(run: Run) -> None:
    lines = run.err.splitlines()
    assert {line for line in lines if not (STEP.fullmatch(line) or END.fullmatch(line))} == set()
    assert sum(bool(END.fullmatch(line)) for line in lines) == len(FAILS) + 1
    # why a run failed holds no number but of its code cell
    why = [line.split(" s: ", 1)[1] for line in lines if " failed in " in line]
    assert {n for text in why for n in re.findall(r"\d+", re.sub(r"code cell \d+|0?\d_\w+", "", text))} == set()
