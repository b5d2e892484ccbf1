"""A report and its index open from a file, ask the network for nothing, and can be read by everybody."""

import importlib.util
import json
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from symphony_research.report.index import write_index
from symphony_research.report.page import report_page

pytestmark = pytest.mark.browser

_SAMPLES = Path(__file__).parents[1] / "unit" / "test_report_page.py"


def samples():
    """The page of the unit tests, so that both look at the same one."""
    specification = importlib.util.spec_from_file_location("report_page_samples", _SAMPLES)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    out = tmp_path_factory.mktemp("reports of a study")
    made = samples()
    for hub, folder in (("Yeovil", "04_survival--yeovil"), ("Chard", "04_survival--chard")):
        (out / folder).mkdir()
        record = made.record(hub=hub)
        (out / folder / "report.html").write_text(
            report_page(made.read_page(made.FULL.cells), record), encoding="utf-8"
        )
        (out / folder / "report.ipynb").write_text("{}")
        (out / folder / "provenance.json").write_text(json.dumps(record), encoding="utf-8")
    return write_index(out), out / "04_survival--yeovil" / "report.html"


@pytest.mark.parametrize("which", [0, 1], ids=["index", "report"])
@pytest.mark.parametrize("width", [1200, 360])
def test_a_page_opens_from_a_file_with_no_network_and_no_complaint(browser, pages, which, width):
    requests, complaints = [], []
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    address = pages[which].as_uri()
    page.goto(address)
    page.wait_for_load_state("networkidle")
    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "the page scrolls sideways"
    page.close()


@pytest.mark.parametrize("which", [0, 1], ids=["index", "report"])
def test_a_page_can_be_read_by_everybody(browser, pages, which):
    page = browser.new_page()
    page.goto(pages[which].as_uri())
    assert page.get_attribute("html", "lang") == "en-GB"
    assert page.locator("h1").count() == 1
    assert page.title()
    assert page.locator("img:not([alt])").count() == 0
    assert page.locator("img[alt='']").count() == 0
    assert page.locator("th:not([scope])").count() == 0
    assert page.locator("a:not([href])").count() == 0
    assert page.locator("main").count() == page.locator("header").count() == page.locator("footer").count() == 1
    levels = page.eval_on_selector_all("h1,h2,h3,h4", "all => all.map(h => Number(h.tagName[1]))")
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert page.evaluate(CONTRASTS) == []
    page.close()


def test_pictures_are_in_the_page_and_code_is_one_click_away(browser, pages):
    page = browser.new_page()
    page.goto(pages[1].as_uri())
    assert page.eval_on_selector_all("img", "all => all.every(i => i.complete && i.naturalWidth > 0)")
    code = page.locator("details").first
    assert not code.locator("pre").is_visible()
    code.locator("summary").click()
    assert code.locator("pre").is_visible()
    page.close()


def test_the_index_leads_to_each_report_and_back(browser, pages):
    page = browser.new_page()
    page.goto(pages[0].as_uri())
    page.get_by_role("link", name="Chard", exact=True).click()
    assert page.url.endswith("/04_survival--chard/report.html")
    page.get_by_text("All reports").click()
    assert page.url == pages[0].as_uri()
    page.close()


# Contrast of every piece of text with what lies behind it, by the formula of WCAG 2.2; AA asks for 4.5.
CONTRASTS = """() => {
  const part = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = c => 0.2126 * part(c[0]) + 0.7152 * part(c[1]) + 0.0722 * part(c[2]);
  const behind = e => { for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  document.querySelectorAll("details").forEach(d => d.open = true);
  return [...document.querySelectorAll("body *")]
    .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()))
    .map(e => { const a = light(rgb(getComputedStyle(e).color)), b = light(behind(e));
      return [e.tagName + "." + e.className, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]; })
    .filter(found => found[1] < 4.5);
}"""
