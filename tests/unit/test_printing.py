"""Reports as PDF: by a browser that is there, and a plain word where there is none or it fails."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from symphony_research.errors import ArgumentError, ReportError
from symphony_research.report import printing

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the browsers here are scripts with a first line for Unix")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "folder with spaces" / "report.html"
    path.parent.mkdir()
    path.write_text("<h1>People</h1>", encoding="utf-8")
    return path


def browser(folder: Path, does: str) -> Path:
    """Return a program that is called as a browser is."""
    path = folder / "browser"
    told = "out = [w.split('=', 1)[1] for w in sys.argv if w.startswith('--print-to-pdf=')][0]"
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{told}\n{does}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_what_the_browser_writes_stands_beside_the_page(tmp_path: Path, page: Path) -> None:
    target = page.with_name(printing.PDF)
    printing.print_page(page, target, browser(tmp_path, "open(out, 'w').write(sys.argv[-1])"))
    assert target.read_text(encoding="utf-8") == page.as_uri()
    assert sorted(p.name for p in page.parent.iterdir()) == ["report.html", "report.pdf"]


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("sys.exit(7)", "wrote nothing, and ended with 7"),
        ("open(out, 'w'); sys.exit(3)", "wrote nothing, and ended with 3"),
        ("time.sleep(60)", "more than 1 seconds"),
    ],
)
def test_a_browser_that_fails_is_said_and_leaves_what_was_there(
    tmp_path: Path, page: Path, monkeypatch: pytest.MonkeyPatch, does: str, said: str
) -> None:
    monkeypatch.setattr(printing, "SECONDS", 1)
    target = page.with_name(printing.PDF)
    target.write_text("of before", encoding="utf-8")
    with pytest.raises(ReportError, match=said):
        printing.print_page(page, target, browser(tmp_path, does))
    assert target.read_text(encoding="utf-8") == "of before"
    assert sorted(p.name for p in page.parent.iterdir()) == ["report.html", "report.pdf"]


def test_a_browser_that_does_not_start_is_said(tmp_path: Path, page: Path) -> None:
    with pytest.raises(ReportError, match="did not start"):
        printing.print_page(page, page.with_name(printing.PDF), tmp_path / "nothing")


def test_the_browser_is_the_one_named_or_one_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = browser(tmp_path, "")
    monkeypatch.setenv(printing.BROWSER, str(own))
    assert printing.find_browser() == own
    monkeypatch.setenv(printing.BROWSER, str(tmp_path / "gone"))
    with pytest.raises(ArgumentError, match=f"{printing.BROWSER} names a program that is not there"):
        printing.find_browser()
    monkeypatch.delenv(printing.BROWSER)
    monkeypatch.setattr(shutil, "which", lambda name: str(own) if name == "chromium" else None)
    assert printing.find_browser() == own


def test_no_browser_is_said_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from symphony_research.report import run_reports

    monkeypatch.delenv(printing.BROWSER, raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(printing, "_PLACES", ("{ProgramFiles(x86)}/msedge.exe",))
    with pytest.raises(ArgumentError, match=r"none was found\. Install one, or set SYMPHONY_BROWSER"):
        run_reports(tmp_path / "no study", pdf=True, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_edge_stands_where_windows_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edge = tmp_path / "Microsoft" / "Edge" / "Application" / "msedge.exe"
    edge.parent.mkdir(parents=True)
    edge.write_text("", encoding="utf-8")
    monkeypatch.delenv(printing.BROWSER, raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setenv("ProgramFiles(x86)", str(tmp_path))
    assert printing.find_browser() == edge
