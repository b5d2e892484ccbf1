"""Run notebooks on a study, and put each finished report in its place."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from symphony_research.errors import ArgumentError, ReportError
from symphony_research.files import move, write_in_place
from symphony_research.policy import Policy
from symphony_research.report.before import FOR_REGISTER, ReleasedBefore, released_before, require_one_rule
from symphony_research.report.index import write_index
from symphony_research.report.page_cells import TABLE
from symphony_research.report.pool import MOST_WORKERS, outcomes_of, worker_pool
from symphony_research.report.printing import PDF, find_browser, print_page
from symphony_research.report.progress import Progress
from symphony_research.report.provenance import RECORD, as_text, start_record
from symphony_research.report.release import (
    CHECKER_FILE,
    CHECKER_FOLDER,
    draft_findings,
    findings_between,
    keyed,
    release_key,
)
from symphony_research.report.releasing import digest_of
from symphony_research.report.run_plan import LEVELS, Run, open_study, plan_runs
from symphony_research.report.subject import Subject
from symphony_research.report.worker import Job, Outcome
from symphony_research.result.session import ReleaseSession

__all__ = ["ReportRun", "ReportSet", "run_reports"]

_MOST_TOLD = 3
_WAYS_ON = (
    "Ways on: omit what is named (--without NAME), coarser groups, or, if what was released is out of use, symphony release "
    "--withdraw (with --register where study.toml names one)."
)


@dataclass(frozen=True)
class ReportRun:
    """What became of one run.

    Attributes
    ----------
    notebook : str
        Name of the notebook.
    subject : Subject
        Whom it is about.
    status : str
        "done", or "failed", also where it was refused beside a report of other data.
    seconds : float
        How long it took.
    error : str or None
        Why it failed, in one line.
    paths : mapping of str to pathlib.Path
        The files it left, by their names.
    not_printed : str or None
        Why a PDF that was asked for is not there.
    """

    notebook: str
    subject: Subject
    status: str
    seconds: float
    error: str | None
    paths: Mapping[str, Path] = field(repr=False)
    not_printed: str | None = None

    @property
    def hub(self) -> str | None:
        """The hub it is about, if it is one."""
        return self.subject.name if self.subject.kind == "hub" else None

    @property
    def label(self) -> str:
        """Notebook and subject."""
        return self.subject.label(self.notebook)


@dataclass(frozen=True)
class ReportSet:
    """Every run of one call, in the order asked for, and the index of the folder."""

    runs: tuple[ReportRun, ...]
    index: Path
    warnings: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[ReportRun, ...]:
        """The runs that failed."""
        return tuple(run for run in self.runs if run.status != "done")

    @property
    def ok(self) -> bool:
        """Whether every report was made, and printed where that was asked for."""
        return not self.failed and not any(run.not_printed for run in self.runs)


def run_reports(
    study: Any,
    notebooks: Sequence[str] | None = None,
    *,
    hubs: Iterable[str] = (),
    all_hubs: bool = False,
    practices: Iterable[str] = (),
    all_practices: bool = False,
    areas: Iterable[str] = (),
    all_areas: bool = False,
    quarters: Iterable[str] = (),
    parameters: Mapping[str, Any] | None = None,
    policy: str | Policy | None = None,
    level: str = LEVELS[0],
    out: str | Path = "reports",
    jobs: int | None = None,
    progress: bool = True,
    pdf: bool = False,
    register: str | Path | None = None,
    without: Iterable[str] = (),
) -> ReportSet:
    """Make a report from each notebook, for each subject asked for.

    Everything asked for is checked before anything runs. A run that fails does
    not stop the others. Notebooks are computed at the same time, but reports
    are protected one after the other in the order of the plan, each beside those
    before it and what was released before of the same people (`symphony release`); so `jobs`
    changes no report. One that would still disclose a small count beside a release is
    refused, and both are named; what it tells beside other drafts in the folder is a warning.

    Parameters
    ----------
    study : str, path or Study
        The study folder.
    notebooks : sequence of str, optional
        Names, numbers or beginnings of names; every notebook by default.
    hubs : sequence of str, optional
        A report for each of these, from the notebooks that take a hub.
    all_hubs : bool
        A report for every hub of the study.
    practices, areas, quarters : sequence of str, optional
        A report for each of these, from the notebooks that take one; a quarter, such as "2016-Q3", is of the people who joined in it.
    all_practices, all_areas : bool
        A report for every practice, or area, of the study.
    parameters : mapping, optional
        Values for the notebooks' own parameters; text is converted to the type declared.
    policy : str, optional
        Disclosure policy by name; the study's own by default.
    level : str
        How much is protected: "default", "strict", or "rule_text" (what the text of NHS England's rule asks for, and no more).
    out : str or path
        Folder for the reports; made if it is not there.
    jobs : int, optional
        How many notebooks run at once; the number of processors by default.
    progress : bool
        Whether to show progress on standard error.
    pdf : bool
        Print each report to `report.pdf` too, by Edge, Chrome or Chromium.
    register : path, optional
        The register of releases; by default as study.toml says, else the user's own.
    without : iterable of str
        Results that are omitted from the reports, by their names in the notebooks.

    Returns
    -------
    ReportSet

    Raises
    ------
    ArgumentError
        If anything asked for does not exist or does not fit, or no browser is there to print; nothing has run then.

    Examples
    --------
    >>> from symphony_research.report import run_reports
    >>> run_reports("no_such_study")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    symphony_research.errors.ArgumentError: There is no study folder 'no_such_study'...
    """
    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1):
        raise ArgumentError(f"jobs is an integer number of notebooks to run at once, not {jobs!r}.")
    browser = find_browser() if pdf else None
    left_out = tuple(dict.fromkeys(without))
    opened = open_study(study)
    runs = plan_runs(
        opened,
        notebooks,
        hubs=hubs,
        all_hubs=all_hubs,
        practices=practices,
        all_practices=all_practices,
        areas=areas,
        all_areas=all_areas,
        quarters=quarters,
        parameters=parameters,
        policy=policy,
        level=level,
        without=left_out,
    )
    folder = _writable(Path(out))
    processors = os.cpu_count() or 1
    workers = max(1, min(jobs or processors, len(runs), MOST_WORKERS))
    held: dict[int, Outcome] = {}
    finished: dict[int, ReportRun] = {}
    threads = max(2, processors // workers)
    with (
        tempfile.TemporaryDirectory(prefix="symphony-", ignore_cleanup_errors=True) as scratch,
        worker_pool(workers, threads, scratch) as pool,
    ):
        before = released_before(opened, [run.policy for run in runs], register)
        require_one_rule(before, runs[0].policy)
        work = _jobs(runs, opened, folder, Path(scratch), before, left_out)
        steps = Progress([run.label for run in runs], [_steps_of(job) for job in work], shown=progress)
        try:
            outcomes = outcomes_of(work, pool, threads, scratch, steps.look)
            with closing(outcomes), steps:
                for i, outcome in outcomes:
                    held[i] = outcome
                    steps.done(_became(runs[i], outcome, folder))
        finally:
            for i, outcome in _released(runs, held, opened, before).items():
                finished[i] = _publish(runs[i], outcome, folder, before, opened)
            index = write_index(folder)
    # only now: whatever comes of it, the reports are in their places
    warnings = _beside_drafts(runs, held, opened, folder, before)
    if browser is not None:
        made = sum(run.status == "done" for run in finished.values())
        if progress and made:
            print(f"Printing {made} report{'s' if made > 1 else ''}", file=sys.stderr, flush=True)
        finished = {i: _printed(run, browser) for i, run in finished.items()}
        index = write_index(folder)
    return ReportSet(tuple(finished[i] for i in sorted(finished)), index, warnings)


def _writable(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as fault:
        reason = fault.strerror or type(fault).__name__
        raise ArgumentError(f"Reports cannot be written to '{out}': {reason}. Choose another --out.") from None
    return out


def _jobs(
    runs: Sequence[Run], study: Any, out: Path, scratch: Path, before: ReleasedBefore, without: tuple[str, ...]
) -> list[Job]:
    """Return the runs as jobs, each with its release session: beside what was released before, and the runs before it."""
    folder = Path(study.folder).absolute()
    shown_as = {
        str(folder): folder.name,
        str(out.absolute()): out.name,
        str(Path(__file__).resolve().parents[2]): "symphony_research",
    }
    key = release_key(out)
    fingerprint = keyed(study.fingerprint, key)
    records = scratch / "records"
    records.mkdir()
    earlier = []
    for entry in before.entries:
        earlier.append(records / f"entry-{entry.number}.json")
        told = {"outputs": before.outputs_of(entry, study)}
        earlier[-1].write_text(json.dumps(told, default=str), encoding="utf-8")
    jobs = []
    for at, run in enumerate(runs):
        own, steps = records / f"run-{at}.json", records / f"run-{at}.txt"
        session = ReleaseSession(run.folder, run.policy.title, tuple(earlier), own, steps, without)
        record = start_record(run, study, fingerprint)
        record["beside"] = [entry.label for entry in before.entries]
        jobs.append(
            Job(
                str(run.notebook.path.absolute()), dict(run.given), record, str(scratch / f"run-{at}"), shown_as, session,
                not run.policy.changes_nothing, key,
            )
        )  # fmt: skip
        earlier.append(own)
    return jobs


def _steps_of(job: Job) -> Path:
    assert job.session.steps is not None
    return job.session.steps


def _publish(run: Run, outcome: Outcome, out: Path, before: ReleasedBefore, study: Any) -> ReportRun:
    """Put a run's files in place, each whole. An earlier good report is kept, under a name that says so."""
    folder = out / run.folder
    folder.mkdir(parents=True, exist_ok=True)
    earlier = {name: folder / f"earlier-{name}" for name in ("report.html", PDF, "report.ipynb", RECORD)}
    if outcome.status != "done" and (folder / "report.html").exists():
        for name, kept in earlier.items():
            if (folder / name).exists():
                move(folder / name, kept)
    # The record comes last: while it is absent or old, the index knows that the report is not complete.
    for name in sorted(outcome.files, key=lambda name: name == RECORD):
        write_in_place(folder / name, outcome.files[name])
    superseded = list(earlier.values()) if outcome.status == "done" else []
    superseded += [path for path in folder.glob(f"{TABLE}*") if path.name not in outcome.files]
    # what was printed before is of another report
    superseded += [folder / PDF] if outcome.status == "done" else []
    superseded += [folder / "partial.ipynb"] if "partial.ipynb" not in outcome.files else []
    for path in superseded:
        path.unlink(missing_ok=True)
    if outcome.checker:
        checker = out / CHECKER_FOLDER / run.folder
        checker.mkdir(parents=True, exist_ok=True)
        write_in_place(checker / CHECKER_FILE, outcome.checker)
        entering = {**before.to_be_entered(outcome.outputs, study), "digest": digest_of(folder)}
        write_in_place(checker / FOR_REGISTER, json.dumps(entering, default=str))
    return _became(run, outcome, out)


def _printed(run: ReportRun, browser: Path) -> ReportRun:
    """Print a report that was made; what could not be printed is said, and the report stays."""
    if run.status != "done":
        return run
    page = run.paths["report.html"]
    try:
        print_page(page, page.with_name(PDF), browser)
    except (ReportError, OSError) as fault:
        return replace(run, not_printed=str(fault))
    return replace(run, paths={**run.paths, PDF: page.with_name(PDF)})


def _became(run: Run, outcome: Outcome, out: Path) -> ReportRun:
    paths = {name: out / run.folder / name for name in outcome.files}
    return ReportRun(run.notebook.name, run.subject, outcome.status, outcome.seconds, outcome.error, paths)


def _released(
    runs: Sequence[Run], held: Mapping[int, Outcome], study: Any, before: ReleasedBefore
) -> dict[int, Outcome]:
    """Return the outcomes as they may be put in place: refused where they would disclose a count beside what was released."""
    new = {runs[i].folder: outcome.outputs for i, outcome in sorted(held.items()) if outcome.status == "done"}
    found = findings_between(new, [(entry.label, before.outputs_of(entry, study)) for entry in before.entries])
    released = {}
    for i, outcome in sorted(held.items()):
        findings = found.get(runs[i].folder, []) if outcome.status == "done" else []
        released[i] = _refused(outcome, [str(one) for one in findings]) if findings else outcome
    return released


def _beside_drafts(
    runs: Sequence[Run], held: Mapping[int, Outcome], study: Any, out: Path, before: ReleasedBefore
) -> tuple[str, ...]:
    """Say what new reports tell together with drafts in the folder that this run did not make; a released report is no draft."""
    released = {one.report for one in before.entries if digest_of(out / one.report) == one.digest}
    new = {
        runs[i].folder: outcome.outputs
        for i, outcome in sorted(held.items())
        if outcome.status == "done" and not runs[i].policy.changes_nothing
    }
    found = draft_findings(new, out, fingerprint=study.fingerprint, key=release_key(out), but=released) if new else ()
    if not found:
        return ()
    return (
        f"Beside drafts of the same records in this folder, {', '.join(found)} would disclose small counts, as they were not protected "
        "beside each other. Before several are passed on, make them in one run, or release one (symphony release) and make the "
        "others again.",
    )


def _refused(outcome: Outcome, findings: Sequence[str]) -> Outcome:
    told = " ".join(findings[:_MOST_TOLD])
    more = f" And {len(findings) - _MOST_TOLD} more." if len(findings) > _MOST_TOLD else ""
    error = f"Refused: beside what was released before it would disclose a small count. {told}{more} {_WAYS_ON}"
    record = {**json.loads(outcome.files[RECORD]), "status": "failed", "error": error}
    return Outcome("failed", outcome.seconds, error, {RECORD: as_text(record)})
