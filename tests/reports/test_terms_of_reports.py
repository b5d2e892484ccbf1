"""Reports use the field's terms, on every page and in every file beside it that a reader opens."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

sys.path.insert(0, str(Path(__file__).parents[1] / "documents"))
from terms import findings

pytestmark = pytest.mark.slow


def test_pages_use_the_terms(reports: Path) -> None:
    pages = sorted(reports.rglob("*.html"))
    assert len(pages) >= 6
    found = []
    for path in pages:
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for code in page(["script", "style", "pre", "code"]):
            code.decompose()
        texts = [page.get_text(" "), *(str(image.get("alt", "")) for image in page.find_all("img"))]
        found += [f"{path.relative_to(reports)}: {one}" for text in texts for one in findings(text)]
    assert not found, "\n".join(sorted(set(found)))


def test_files_beside_the_pages_use_the_terms(reports: Path) -> None:
    files = sorted([*reports.rglob("*.txt"), *reports.rglob("*.csv")])
    assert files
    found = [
        f"{path.relative_to(reports)}: {one}" for path in files for one in findings(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(sorted(set(found)))
