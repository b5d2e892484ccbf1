"""Shared by all tests: where real data lie, and no silent skip in the full check."""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import HealthCheck, settings

# the same examples on every machine, and no clock: a slow runner is not a fault of the code
settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

# stamps of studies that were checked are the tests' own, and go with them
CACHE = tempfile.TemporaryDirectory(prefix="symphony-cache-")
os.environ["SYMPHONY_CACHE"] = CACHE.name
# and so is the register of releases
for place in ("XDG_DATA_HOME", "LOCALAPPDATA"):
    os.environ[place] = CACHE.name

# real data are not part of a checkout: where they lie beside it, the tests that read them run
REAL_DATA = (
    "survival data sets are not beside the checkout",
    "survey file is not on this machine",
    "population tables are not beside the checkout",
    "data of rollmatch are not beside the checkout",
    "NHEFS is not beside the checkout",
)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In the full check a skipped test is a failed one: something that had to be there is missing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("SYMPHONY_NO_SKIP") != "1" or reporter is None or hasattr(session.config, "workerinput"):
        return
    missed = [str(report.longrepr) for report in reporter.stats.get("skipped", [])]
    skipped = sum(not any(words in reason for words in REAL_DATA) for reason in missed)
    if skipped and session.exitstatus == 0:
        reporter.write_line(f"{skipped} tests were skipped, and the full check allows none", red=True)
        session.exitstatus = 1
