"""Reports of ordinary studies, made once for all tests that read them, whichever process runs them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from symphony_research.report import run_reports

SMALL = Path(__file__).parents[2] / "synthetic" / "small"
LONGEST = 1_800  # seconds to wait for another process


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Every notebook, every hub, of the small study under the policy of most users."""
    own = tmp_path_factory.getbasetemp()
    shared = (own if worker_id == "master" else own.parent) / "reports of the small study"
    out, done = shared / "reports", shared / "done"
    try:
        shared.mkdir()
    except FileExistsError:
        until = time.monotonic() + LONGEST
        while not done.exists():
            assert time.monotonic() < until, "another process has not made the reports"
            time.sleep(1)
    else:
        try:
            made = run_reports(SMALL, all_hubs=True, policy="nhs_england", out=out, jobs=2, progress=False)
            failed = "\n".join(f"{run.label}: {run.error}" for run in made.failed)
        except Exception as fault:
            failed = repr(fault)
        part = done.with_suffix(".part")
        part.write_text(failed, encoding="utf-8")
        part.rename(done)
    failed = done.read_text(encoding="utf-8")
    assert not failed, failed
    return out
