"""Run notebooks in worker processes; one that is lost takes no other with it."""

from __future__ import annotations

import multiprocessing
import shutil
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from symphony_research.report.provenance import RECORD, as_text, utc_text
from symphony_research.report.worker import Job, Outcome, make_report, prepare_process

__all__ = ["MOST_WORKERS", "outcomes_of", "worker_pool"]

_LOST = "The process that made this report was ended from outside; often the machine had run out of memory."
MOST_WORKERS = 61  # Windows waits for no more processes at once


def outcomes_of(
    work: Sequence[Job], pool: ProcessPoolExecutor, threads: int, scratch: str, look: Callable[[], None]
) -> Generator[tuple[int, Outcome], None, None]:
    """Yield each run's outcome as it ends.

    A worker that dies takes the whole pool with it. The runs it cut short are
    then tried again in order, each alone, so that only the culprit is counted
    as failed. Runs start in order and each leaves a record in the end, so none
    waits for ever for one before it.
    """
    cut_short = []
    for i, outcome in _in_one_pool(work, range(len(work)), pool, look):
        if outcome is None:
            cut_short.append(i)
        else:
            work[i].session.end()
            yield i, outcome
    for i in sorted(cut_short):
        with worker_pool(1, threads, scratch) as alone:
            for _, outcome in _in_one_pool(work, [i], alone, look):
                work[i].session.end()
                yield i, outcome or _lost(work[i])


def _in_one_pool(
    work: Sequence[Job], chosen: Sequence[int], pool: ProcessPoolExecutor, look: Callable[[], None]
) -> Iterator[tuple[int, Outcome | None]]:
    with _without_main():
        waiting: dict[Future[Outcome], int] = {pool.submit(make_report, work[i]): i for i in chosen}
    processes = dict(getattr(pool, "_processes", None) or {})
    while waiting:
        # Waiting in short turns: Ctrl-C is not seen during an endless wait, on Windows for one.
        ended, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
        look()
        if any(not process.is_alive() for process in processes.values()):
            # the pool does not watch a worker that started while it waited; of those it watches one always remains
            for process in processes.values():
                process.kill()
        for future in sorted(ended, key=waiting.__getitem__):
            i = waiting.pop(future)
            fault = future.exception()
            if isinstance(fault, BrokenProcessPool):
                # another may wait for the record of the run that was lost, and a request to end is not enough then
                for process in processes.values():
                    process.kill()
                shutil.rmtree(work[i].scratch, ignore_errors=True)
                yield i, None
            elif fault is not None:
                reason = f"The report could not be written: {type(fault).__name__}."
                yield i, _lost(work[i], reason)
            else:
                yield i, future.result()


@contextmanager
def _without_main() -> Iterator[None]:
    """Start processes that do not run the caller's script again: it need not guard its call of `run_reports`."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def worker_pool(workers: int, threads: int, scratch: str) -> Iterator[ProcessPoolExecutor]:
    """Start processes, which load what a report needs while the caller goes on."""
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=prepare_process,
        initargs=(scratch, threads),
    )
    processes: Mapping[int, Any] = {}
    try:
        with _without_main():
            for _ in range(workers):
                pool.submit(_nothing)
        yield pool
        processes = dict(getattr(pool, "_processes", None) or {})
        pool.shutdown(wait=True)
    except BaseException:
        # Stopped by the user: end the workers at once; each kernel ends with its worker.
        processes = dict(getattr(pool, "_processes", None) or processes)
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.join(5)
            process.kill()
        raise


def _nothing() -> None:
    """Keep a process busy until it has started."""


def _lost(job: Job, reason: str = _LOST) -> Outcome:
    now = utc_text(datetime.now(UTC))
    record = {**job.record, "started": now, "finished": now, "seconds": 0.0, "status": "failed", "error": reason}
    return Outcome("failed", 0.0, reason, {RECORD: as_text(record)})
