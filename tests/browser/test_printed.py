"""`symphony report --pdf`: the report printed by a real browser; an older print does not outlive its report."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError
from symphony_research.report.printing import find_browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def report(study: Path, out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "symphony_research", "report", str(study), "02", "--out", str(out), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_a_report_is_printed_and_an_older_print_goes_with_its_report(tmp_path: Path) -> None:
    try:
        find_browser()
    except ArgumentError:
        pytest.skip("no browser to print with")
    study, out = tmp_path / "study", tmp_path / "all reports"
    sr.synthesise(study, people=2_000, progress=False)
    done = report(study, out, "--pdf")
    assert done.returncode == 0, done.stderr
    (printed,) = out.glob("*/report.pdf")
    # A4 in points, as Chromium rounds it: 210 x 297 mm = 595.3 x 841.9
    data = printed.read_bytes()
    assert data.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", data)) > 2
    assert re.search(rb"/MediaBox \[0 0 59[45][\d.]* 84[12][\d.]*\]", data)
    assert 'href="02_multimorbidity_combinations/report.pdf"' in (out / "index.html").read_text(encoding="utf-8")

    assert report(study, out).returncode == 0
    assert not printed.exists()
    assert "report.pdf" not in (out / "index.html").read_text(encoding="utf-8")
