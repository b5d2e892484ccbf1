"""Reports of ordinary studies, made once for all tests that read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from symphony_research.report import run_reports

SMALL = Path(__file__).parents[2] / "synthetic" / "small"


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every notebook, every hub, of the small study under the policy of most users."""
    out = tmp_path_factory.mktemp("reports of the small study")
    made = run_reports(SMALL, all_hubs=True, policy="nhs_england", out=out, jobs=2, progress=False)
    assert made.ok, [run.error for run in made.failed]
    return out
