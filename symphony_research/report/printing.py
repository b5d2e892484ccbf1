"""Reports as PDF, printed by a browser that the machine has: Edge is part of Windows, Chrome or Chromium elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from symphony_research.errors import ArgumentError, ReportError
from symphony_research.files import file_in_place

__all__ = ["BROWSER", "PDF", "find_browser", "print_page"]

PDF = "report.pdf"
BROWSER = "SYMPHONY_BROWSER"
SECONDS = 120  # a page takes two; a browser that hangs must not hold the others up
_NAMES = ("msedge", "google-chrome", "google-chrome-stable", "chrome", "chromium", "chromium-browser", "microsoft-edge")
_PLACES = (
    "{ProgramFiles(x86)}/Microsoft/Edge/Application/msedge.exe",
    "{ProgramFiles}/Microsoft/Edge/Application/msedge.exe",
    "{ProgramFiles}/Google/Chrome/Application/chrome.exe",
    "{LOCALAPPDATA}/Google/Chrome/Application/chrome.exe",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


def find_browser() -> Path:
    """Return the program that prints: the one named in SYMPHONY_BROWSER, else Edge, Chrome or Chromium.

    Raises
    ------
    ArgumentError
        If there is none, or the one named is not there.
    """
    named = os.environ.get(BROWSER)
    if named:
        found = shutil.which(named)
        if found is None:
            raise ArgumentError(
                f"{BROWSER} names a program that is not there. Give the full path of Edge, Chrome or Chromium."
            )
        return Path(found)
    places = [place.format_map(_Folders(os.environ)) for place in _PLACES]
    for found in (*map(shutil.which, _NAMES), *places):
        if found and Path(found).is_file():
            return Path(found)
    raise ArgumentError(
        f"A PDF is printed by Edge, Chrome or Chromium, and none was found. Install one, or set {BROWSER} to the full path of its "
        "program; or leave out --pdf, open report.html in any browser and print it."
    )


def print_page(page: Path, target: Path, browser: Path) -> None:
    """Print an HTML page to a PDF, with a profile of its own.

    A PDF holds the time at which it was printed, so it is not the same byte for byte when made again.

    Raises
    ------
    ReportError
        If the browser leaves no file; an older one stays.
    """
    with (
        file_in_place(target) as draft,
        tempfile.TemporaryDirectory(prefix="symphony-", ignore_cleanup_errors=True) as profile,
    ):
        command = [
            str(browser), "--headless=new", "--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-background-networking",
            f"--user-data-dir={profile}", "--no-pdf-header-footer", f"--print-to-pdf={draft.absolute()}",
            # the sandbox of Chromium does not start for root, as in a container
            *(["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []),
            page.absolute().as_uri(),
        ]  # fmt: skip
        try:
            ended = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False).returncode
        except subprocess.TimeoutExpired:
            raise ReportError(f"the browser took more than {SECONDS} seconds") from None
        except OSError as fault:
            raise ReportError(f"the browser did not start: {fault.strerror or type(fault).__name__}") from None
        if not draft.exists() or not draft.stat().st_size:
            raise ReportError(f"the browser wrote nothing, and ended with {ended}")


class _Folders(dict[str, str]):
    """Folders of the system by name; one that this system does not have gives a path that is nowhere."""

    def __missing__(self, name: str) -> str:
        return "/nowhere"
