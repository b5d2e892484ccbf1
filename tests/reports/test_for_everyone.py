"""Every page can be read by everybody: axe finds nothing, nothing scrolls sideways, and what is printed is short."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDTHS = (1280, 400)
PAGES_OF_MAIN_PART = 4  # A4, of a hub's report: findings, baseline table, curves; and of people, need and beds


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing_and_no_page_scrolls_sideways(browser: Any, reports: Path, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    found = []
    pages = sorted(reports.rglob("*.html"))
    assert len(pages) > 6
    for path in pages:
        page = browser.new_page(viewport={"width": width, "height": 900})
        requests: list[str] = []
        page.on("request", lambda request, seen=requests: seen.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_load_state("networkidle")
        # what is folded is read too, once it is opened
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        where = f"{path.relative_to(reports)} at {width}"
        for one in Axe().run(page).response["violations"]:
            found.append(f"{where}: {one['id']}: {[node['html'][:120] for node in one['nodes']][:3]}")
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            found.append(f"{where}: scrolls sideways")
        if len([url for url in requests if not url.startswith("data:")]) != 1:
            found.append(f"{where}: more than one request")
        page.close()
    assert not found, "\n".join(found)


def test_the_main_part_prints_on_four_pages(browser: Any, reports: Path, tmp_path: Path) -> None:
    for path in [*sorted(reports.glob("04_*/report.html")), *reports.glob("05_*/report.html")]:
        page = browser.new_page()
        page.goto(path.as_uri())
        whole = _pages(page, tmp_path)
        page.evaluate("document.querySelector('.annex').remove()")
        assert _pages(page, tmp_path) <= PAGES_OF_MAIN_PART
        assert whole > PAGES_OF_MAIN_PART - 2, "the annex prints too"
        page.close()


def _pages(page: Any, folder: Path) -> int:
    """Return the number of A4 pages."""
    made = folder / "page.pdf"
    page.pdf(path=made, format="A4", prefer_css_page_size=True)
    return len(re.findall(rb"/Type\s*/Page\b", made.read_bytes()))
