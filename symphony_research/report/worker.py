"""What happens inside a worker process: one notebook run, cleaned, and made into a page."""

from __future__ import annotations

import builtins
import json
import logging
import os
import re
import secrets
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from symphony_research.errors import ReportError
from symphony_research.report.failure import known_name, plain_reason
from symphony_research.report.guard import PRINTED, GuardSettings, is_sealed, kept_metadata
from symphony_research.report.provenance import RECORD, as_text, methods_of, path_remover, utc_text
from symphony_research.report.release import checker_file, release_files
from symphony_research.result.session import COMPUTING, ReleaseSession

__all__ = ["Job", "Outcome", "make_report", "prepare_process"]

KERNEL = "symphony"
_UNSEALED = "Something was shown that has not passed disclosure control."
_ATTEMPTS = 3
# Loaded by papermill and nbformat where they are installed, and used by nothing here: a grammar of addresses, which
# takes two seconds to build in each process, and file systems of clusters.
_UNUSED = ("rfc3987_syntax", "pyarrow")
_ALGEBRA = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
_CONFIGURATION = """\
c = get_config()
c.HistoryManager.enabled = False
c.HistoryManager.hist_file = ":memory:"
c.InteractiveShellApp.extensions = ["symphony_research.report.guard"]
c.ReportGuard.settings = {settings!r}
"""


@dataclass(frozen=True)
class Job:
    """A run as plain values, so that it can be sent to a process.

    Attributes
    ----------
    notebook : str
        Path of the notebook.
    given : dict
        Values of its parameters.
    record : dict
        What is known of the run before it starts.
    scratch : str
        Folder for the run, deleted at its end.
    shown_as : dict of str to str
        Paths, and what stands in their place in a report.
    session : ReleaseSession
        What the report is released beside.
    confidential : bool
        Whether its data are.
    key : bytes
        Secret under which fingerprints are named.
    """

    notebook: str
    given: dict[str, Any]
    record: dict[str, Any]
    scratch: str
    shown_as: dict[str, str]
    session: ReleaseSession
    confidential: bool = True
    key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes
    ----------
    status, seconds, error
        As in `ReportRun`.
    files : dict of str to str
        The content of each file of the report, by its name.
    outputs : list of dict
        What it released.
    checker : str
        Content of the file for the output checker; empty where nothing was released.
    """

    status: str
    seconds: float
    error: str | None
    files: dict[str, str] = field(repr=False)
    outputs: list[dict[str, Any]] = field(default_factory=list, repr=False)
    checker: str = field(default="", repr=False)


def prepare_process(scratch: str, threads: int) -> None:
    """Make this process and its kernels independent of the user's Jupyter and home.

    The kernel is this very interpreter, whatever kernels are installed; it reads
    no start-up file, writes no history, and needs no writable home.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides, and ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    home = Path(scratch, f"process-{os.getpid()}")
    kernel = home / "kernels" / KERNEL
    profile = home / "ipython" / "profile_default"
    for folder in (kernel, profile, home / "runtime", home / "config", home / "data"):
        folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    specification = {
        "argv": command,
        "display_name": "Python 3",
        "language": "python",
        "metadata": {"supported_encryption": ["curve"]},  # others on this machine may not listen in
    }
    (kernel / "kernel.json").write_text(json.dumps(specification), encoding="utf-8")
    package_parent = Path(__file__).resolve().parents[2]
    os.environ.update(
        {
            "JUPYTER_PATH": str(home),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_DATA_DIR": str(home / "data"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTER_NO_CONFIG": "1",
            "JUPYTER_PLATFORM_DIRS": "1",
            "IPYTHONDIR": str(home / "ipython"),
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "PYTHONIOENCODING": "utf-8",
        }
    )
    os.environ.setdefault("POLARS_MAX_THREADS", str(threads))
    # threads that wait for each other on busy cores take several times as long, and sum in another order
    for library in _ALGEBRA:
        os.environ.setdefault(library, "1")
    if not os.access(Path.home(), os.W_OK):  # else each kernel would list the fonts again
        os.environ.setdefault("MPLCONFIGDIR", str(Path(scratch, "matplotlib")))
    for unwanted in ("PYTHONSTARTUP", "PYTHONINSPECT", "JPY_PARENT_PID"):
        os.environ.pop(unwanted, None)
    if not (package_parent / "polars").exists():  # run from a checkout: the kernel must find the same library
        paths = [str(package_parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    for noisy in ("papermill", "traitlets"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # a kernel writes its own affairs here; what a notebook says comes another way
        os.dup2(nowhere, stream)


def load_papermill() -> None:
    """Load papermill and nbformat, less what they would load for uses that a report has not."""
    unused = [name for name in _UNUSED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(unused))  # type: ignore[arg-type]  # None says "not installed" to an import
    try:
        import papermill  # noqa: F401
    finally:
        for name in unused:
            del sys.modules[name]


def _end_with_parent() -> None:
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def make_report(job: Job) -> Outcome:
    """Run one notebook and return the files of its report, or of its failure."""
    scratch = Path(job.scratch)
    work = scratch / "work"
    started, clock = datetime.now(UTC), time.perf_counter()
    seal = secrets.token_hex(16) if job.confidential else None
    clean = path_remover({**job.shown_as, str(work): ".", str(scratch): "."})
    try:
        work.mkdir(parents=True)
        job.session.step(COMPUTING)
        load_papermill()
        notebook, error = _execute(job, scratch, work, seal)
        seconds = time.perf_counter() - clock
        failed = tidy(notebook, clean, error, seal)
        raw = {
            **job.record,
            "started": utc_text(started),
            "finished": utc_text(datetime.now(UTC)),
            "seconds": round(seconds, 1),
            "status": "failed" if failed else "done",
            "error": failed,
            "warnings": notebook.metadata.pop("symphony_warnings", {}),
        }
        record = json.loads(clean(as_text(raw)))
        import nbformat

        text = nbformat.writes(notebook) + "\n"
        if failed:
            # what a failed run has drawn is released by nobody; its notebook is opened in Jupyter instead
            files = {} if job.confidential else {"partial.ipynb": text}
            return Outcome("failed", seconds, failed, {**files, RECORD: as_text(record)})
        from symphony_research.report.page import report_page
        from symphony_research.report.page_cells import read_page

        outputs = job.session.released()
        page = read_page(notebook.cells)  # tables that stand beside the page are taken out of the notebook
        record["title"] = page.title
        record["findings"] = [{"text": found.text, "figures": found.figures} for found in page.findings]
        record["methods"] = methods_of(outputs)
        text = nbformat.writes(notebook) + "\n"
        files = {"report.ipynb": text, "report.html": report_page(page, record), **page.files}
        files |= release_files(outputs, record, job.key)
        checker = checker_file(outputs, record)
        return Outcome("done", seconds, None, {**files, RECORD: as_text(record)}, outputs, checker)
    finally:
        job.session.end()
        os.chdir(scratch.parent)
        shutil.rmtree(scratch, ignore_errors=True)


def _execute(job: Job, scratch: Path, work: Path, seal: str | None) -> tuple[Any, tuple[str, str] | None]:
    """Execute the notebook; return it, with the name and message of an error outside any cell."""
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    shutil.copyfile(job.notebook, scratch / "notebook.ipynb")
    session = scratch / "session.json"
    job.session.write(session)
    guard = GuardSettings(job.record["policy"]["title"], job.session.name, seal or "")
    configuration = Path(os.environ["IPYTHONDIR"], "profile_default", "ipython_kernel_config.py")
    configuration.write_text(_CONFIGURATION.format(settings=str(scratch / "guard.json")), encoding="utf-8")
    os.chdir(scratch)  # relative names: papermill would read braces in a path as a pattern
    error = None
    for attempt in range(_ATTEMPTS):
        guard.write(scratch / "guard.json")  # the kernel deletes it
        try:
            papermill.execute_notebook(
                "notebook.ipynb",
                "executed.ipynb",
                parameters={**job.given, "session": str(session)},
                kernel_name=KERNEL,
                language="python",
                progress_bar=False,
                request_save_on_cell_execute=False,
                cwd=str(work),  # an empty folder: no stray module there can be imported
                config=_kernel_settings(),
                shutdown_kernel="immediate",  # a polite end may take three seconds, and nothing is left to save
            )
        except PapermillExecutionError:
            pass
        except Exception as fault:
            # Two kernels that start at once may choose the same port: then nothing has run, and it is tried again.
            if type(fault) is RuntimeError and "Kernel" in str(fault) and attempt + 1 < _ATTEMPTS:
                continue
            error = (type(fault).__name__, str(fault))
        break
    executed = scratch / "executed.ipynb"
    source = executed if executed.exists() else scratch / "notebook.ipynb"
    if source is not executed and error is None:
        error = (ReportError.__name__, "The notebook left no result.")
    notebook = nbformat.read(source, as_version=4)
    if source is not executed:
        for cell in notebook.cells:  # what was stored in the source did not come from this run
            if cell.cell_type == "code":
                cell.outputs = []
    return notebook, error


def _kernel_settings() -> Any:
    """Encrypt what passes between this process and its kernel, where the libraries can."""
    import zmq
    from traitlets.config import Config

    settings = Config()
    if zmq.has("curve"):
        settings.KernelManager.transport_encryption = "auto"
    return settings


def tidy(notebook: Any, clean: Any, error: tuple[str, str] | None = None, key: str | None = None) -> str | None:
    """Make an executed notebook fit to travel, in place; return why it failed, or None.

    Paths, timings, widget state and messages on standard error are taken out.
    After the first error nothing is kept, and of the error only its plain reason.
    With the key of a guard (see `report.guard`), an output that the guard did
    not seal is an error, and printed text is omitted.
    """
    reason = partial(plain_reason, clean=clean, confidential=key is not None)
    notebook.cells = [c for c in notebook.cells if "papermill-error-cell-tag" not in c.metadata.get("tags", [])]
    notebook.metadata = type(notebook.metadata)(
        {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
        }
    )
    failed = None
    warnings: Counter[str] = Counter()
    step = 0
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = type(cell.metadata)({"tags": tags} if tags else {})
        cell.source = clean(cell.source)
        if "injected-parameters" in tags:
            cell.id = "injected-parameters"
            cell.source = re.sub(r"^session = .*$", "session = None", cell.source, flags=re.MULTILINE)
        if cell.cell_type != "code":
            continue
        step += "injected-parameters" not in tags  # counted as in the notebook that the author knows
        cell.execution_count = step if cell.execution_count and not failed else None
        kept: list[Any] = []
        for output in cell.outputs if not failed else ():
            if output.output_type == "stream" and output.name == "stderr":
                warnings.update(re.findall(r"\b([A-Z]\w*Warning)\b: ", output.text))
                continue
            if output.output_type == "error":
                if output.ename == "SystemExit" and output.evalue in ("", "0"):
                    continue
                failed = reason(output.ename, output.evalue, step=step)
                kept.append(_error(output.ename if key is None else known_name(output.ename), failed))
                break
            if key is not None and not _guarded(output, key):
                failed = reason("DisclosureError", _UNSEALED, step=step)
                kept.append(_error("DisclosureError", failed))
                break
            if key is None or output.output_type != "stream" or output not in kept:  # omitted is said once a cell
                kept.append(_clean_output(output, clean, step))
        cell.outputs = kept
    if failed is None and error is not None:
        failed = reason(*error, step=None)
    if key is not None:  # any word might have been written, and as often as there are people
        warnings = Counter({name for name in warnings if name in vars(builtins)})
    notebook.metadata["symphony_warnings"] = dict(warnings)
    return failed


def _guarded(output: Any, key: str) -> bool:
    """Leave of an output what may stay in a report on confidential data; say whether the guard let it through."""
    if output.output_type == "stream":
        output.text = PRINTED
        return True
    sealed = is_sealed(output.data, output.metadata, key)
    output.metadata = type(output.metadata)(kept_metadata(output.metadata))
    return sealed


def _error(name: str, words: str) -> Any:
    from nbformat.v4 import new_output

    return new_output("error", ename=name, evalue=words, traceback=[words])


def _clean_output(output: Any, clean: Any, step: int) -> Any:
    if output.output_type == "stream":
        output.text = clean(output.text)
        return output
    if "execution_count" in output:
        output.execution_count = step
    for kind, content in output.data.items():
        if isinstance(content, str) and (kind.startswith("text/") or kind == "image/svg+xml"):
            output.data[kind] = clean(content)
    return output
