"""The hub reports of the demo beside papermill running as many empty notebooks with the same imports.

    python tests/bench/reports.py docs/bench-reports.md [people]

The same notebook for each hub, two workers, on the public study, checked before as `make demo` leaves it. Each run is
a process of its own, and the two sides take turns; processor seconds are those of the run with all its kernels.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import symphony_research as sr

NOTEBOOK, WORKERS, REPEATS, PEOPLE = "04", 2, 5, 114_874
ALLOWED = 1.5  # seconds a report above papermill's empty time
STAGES = ("kernel", "reading", "compute", "figures", "page")
MEANING = {
    "kernel": "started, its libraries of the shell loaded, the notebook handed over, and ended",
    "reading": "the cell of `import symphony_research` and `read_study`",
    "compute": "cohort, curves, and disclosure control",
    "figures": "pictures and tables, from the libraries for drawing on",
    "page": "tidied, made into HTML, and its release record",
}
# what the kernel of a hub report has loaded when it ends, by the modules that bring the rest with them
IMPORTS = """\
import highspy, matplotlib.backends.backend_agg, matplotlib.figure, numpy, polars, scipy.sparse, scipy.special
import symphony_research as sr
sr.read_study, sr.define_cohort, sr.survival.kaplan_meier, sr.suppress, sr.sentence, sr.table, sr.picture
"""

REMAINS = """
What is left is processor time, and the workers keep every core busy. Much of it is libraries being loaded into the
report's own kernel: most of `kernel` (IPython, Polars, numpy), part of `compute` (scipy) and of `figures` (matplotlib); the empty notebook
loads them too. A kernel that several reports share would save that, and is not used: what one notebook did to its process could
then reach another's report. A kernel forked from one with everything loaded is no way out: Polars' threads do not survive a fork, and
Windows, where most reports are made, has none.
""".splitlines()


def our_run(study: str, out: str) -> None:
    """Make the reports as the command makes them."""
    from symphony_research.report.run import run_reports

    made = run_reports(study, [NOTEBOOK], all_hubs=True, out=out, jobs=WORKERS, progress=False)
    assert made.ok, made.failed


def empty_run(notebooks: str, home: str, imports: str) -> None:
    """Let papermill run empty notebooks in as many processes, each of which loads papermill once."""
    source = Path(home, "empty.ipynb")
    source.write_text(json.dumps(_notebook(imports)), encoding="utf-8")
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        targets = [f"{home}/ran-{k}.ipynb" for k in range(int(notebooks))]
        list(pool.map(_papermill, [str(source)] * len(targets), targets))


def _papermill(source: str, target: str) -> None:
    import papermill

    papermill.execute_notebook(source, target, kernel_name="python3", progress_bar=False)


def _notebook(source: str) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "only",
        "metadata": {},
        "outputs": [],
        "source": source,
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def split_run(study: str, out: str, answer: str) -> None:
    """Make the reports one after the other in this process, and write the seconds of each stage, of each report."""
    import papermill

    from symphony_research.report import run, worker
    from symphony_research.report.before import ReleasedBefore

    opened = run.open_study(study)
    runs = run.plan_runs(opened, [NOTEBOOK], all_hubs=True)
    execute, tidy, found = papermill.execute_notebook, worker.tidy, []
    stages: dict[str, float] = {}

    def timed(*given: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return execute(*given, **options)
        finally:
            stages["run"] = time.perf_counter() - start

    def looked_at(notebook: Any, *given: Any) -> Any:
        stages.update(_by_cell(notebook.cells))
        return tidy(notebook, *given)

    papermill.execute_notebook, worker.tidy = timed, looked_at  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as scratch:
        Path(out).mkdir()
        jobs = run._jobs(runs, opened, Path(out), Path(scratch), ReleasedBefore(()), ())
        worker.prepare_process(scratch, os.cpu_count() or 1)
        for job in jobs:
            stages.clear()
            start = time.perf_counter()
            outcome = worker.make_report(job)
            whole = time.perf_counter() - start
            assert outcome.status == "done", outcome.error
            stages["page"] = whole - stages["run"]
            stages["kernel"] = stages.pop("run") - sum(stages[name] for name in ("reading", "compute", "figures"))
            found.append(dict(stages))
    Path(answer).write_text(json.dumps(found), encoding="utf-8")


def _by_cell(cells: Any) -> dict[str, float]:
    """Seconds of the cells, by what they are for: until the study is read, until it is suppressed, and after."""
    seconds = dict.fromkeys(("reading", "compute", "figures"), 0.0)
    stage = "reading"
    for cell in cells:
        if cell.cell_type == "code":
            seconds[stage] += cell.metadata["papermill"]["duration"] or 0.0
            stage = "compute" if "read_study" in cell.source else "figures" if "sr.suppress" in cell.source else stage
    return seconds


def alone(*arguments: str) -> tuple[float, float]:
    """Seconds and processor seconds of a run of this file in a process of its own."""
    # modules are compiled once, as they are where anything is installed
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, env=env)
    if done.returncode:
        raise RuntimeError(done.stderr)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measured(home: Path, study: str, reports: int) -> dict[str, tuple[float, float]]:
    """The best of several runs of each side, taken in turns so that a busy machine slows them alike."""
    best: dict[str, tuple[float, float]] = {}
    for k in range(REPEATS):
        work: dict[str, Callable[[Path], tuple[float, float]]] = {
            "ours": lambda own: alone("ours", study, str(own / "out")),
            "imports": lambda own: alone("empty", str(reports), str(own), IMPORTS),
            "nothing": lambda own: alone("empty", str(reports), str(own), "pass"),
        }
        for name, run in work.items():
            own = home / f"{name}-{k}"
            own.mkdir()
            found = run(own)
            best[name] = tuple(map(min, best.get(name, found), found))  # type: ignore[assignment]
    return best


def page(people: int, reports: int, best: dict[str, tuple[float, float]], split: list[dict[str, float]]) -> str:
    ours, empty, bare = best["ours"], best["imports"], best["nothing"]
    above, ratio = (ours[0] - empty[0]) / reports, ours[0] / empty[0]
    lines = [
        "# Time that a report takes",
        "",
        f"`make bench`: notebook {NOTEBOOK} for each of {reports} hubs with {WORKERS} workers, public study of {people:,} people, checked "
        f"before. {os.cpu_count()} cores, Python {platform.python_version()}. Each side is a process of its own; best of {REPEATS}, in turns.",
        "",
        "| work | seconds | processor seconds |",
        "|---|---:|---:|",
        f"| {reports} hub reports, with page, index and release records | {ours[0]:.1f} | {ours[1]:.1f} |",
        f"| papermill, {reports} empty notebooks with the same imports | {empty[0]:.1f} | {empty[1]:.1f} |",
        f"| papermill, {reports} empty notebooks that import nothing | {bare[0]:.1f} | {bare[1]:.1f} |",
        "",
        f"A report takes {above:.1f} s more than papermill's empty notebook with the same imports (aimed at: {ALLOWED}); in all "
        f"{ratio:.2f} times as long, and {ours[1] / empty[1]:.2f} times the processor time. Above one that imports nothing it is "
        f"{(ours[0] - bare[0]) / reports:.1f} s.",
        "",
        "Where the time of a report passes, made one at a time (the first is slower: its process loads the libraries):",
        "",
        "| stage | seconds, first | median of the others | what it is |",
        "|---|---:|---:|---|",
    ]
    for name in STAGES:
        others = sorted(one[name] for one in split[1:])
        lines.append(f"| {name} | {split[0][name]:.2f} | {others[len(others) // 2]:.2f} | {MEANING[name]} |")
    return "\n".join([*lines, *REMAINS, ""])


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("target", type=Path, help="file to write")
    reader.add_argument("people", type=int, nargs="?", default=PEOPLE, help="people of the study")
    given = reader.parse_args()
    target, people = given.target, given.people
    with tempfile.TemporaryDirectory() as home:
        study = f"{home}/study"
        sr.synthesise(study, people=people, progress=False)
        reports = len(sr.read_study(study).hubs())
        best = measured(Path(home), study, reports)
        alone("split", study, f"{home}/split", f"{home}/split.json")
        split = json.loads(Path(home, "split.json").read_text(encoding="utf-8"))
    text = page(people, reports, best, split)
    print(text)
    target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    tasks: dict[str, Callable[..., None]] = {"ours": our_run, "empty": empty_run, "split": split_run}
    if sys.argv[1:] and sys.argv[1] in tasks:
        tasks[sys.argv[1]](*sys.argv[2:])
    else:
        main()
