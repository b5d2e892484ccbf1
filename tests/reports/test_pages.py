"""Page one is the answer: every page that the library makes keeps the promises its readers rely on."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, Tag

pytestmark = pytest.mark.slow

MARK = re.compile(r"\[[a-z]\]")
MARKS = {"[c]", "[x]", "[z]"}
PERCENTAGE = re.compile(r"[<>]?\d+(?:\.\d+)?%(?: \([^)]*\))?")


def pages(folder: Path) -> list[tuple[str, BeautifulSoup]]:
    found = [
        (path.parent.name, BeautifulSoup(path.read_text(), "html.parser")) for path in folder.glob("*/report.html")
    ]
    assert len(found) >= 5
    return sorted(found, key=lambda one: one[0])


def text_of(tag: Tag | BeautifulSoup) -> str:
    return re.sub(r"\s+", " ", tag.get_text(" ")).strip()


def test_key_findings_come_first_and_settings_in_the_annex(reports: Path) -> None:
    for name, page in pages(reports):
        headings = [text_of(h) for h in page.find_all(["h1", "h2", "h3"])]
        assert headings[1:4] == ["What this report cannot show", "Key findings", "Who, where and when"], name
        annex = headings.index("Annex")
        for words in ("Settings", "Methods", "Disclosure control", "Data and provenance", "Glossary"):
            assert headings.index(words) > annex, (name, words)
        first = text_of(page)
        assert first.index("What this report cannot show") < first.index("Key findings"), name
        findings = page.select(".findings li")
        # of a hub's few people little can be estimated
        least, most = (1 if name.startswith("06") else 3), 5
        assert least <= len(findings) <= most, (name, [text_of(f) for f in findings])


def test_who_where_and_when_is_complete(reports: Path) -> None:
    for name, page in pages(reports):
        told = {text_of(dt): text_of(dt.find_next("dd")) for dt in page.select("main dl.facts dt")}
        people = "People in the study" if name.startswith("05") else "People"  # of whom the projected are others
        wanted = {people, "Study", "Author", "Contact", "Date", "Status"}
        if name.startswith("04"):
            wanted |= {"Population", "Joined", "Data to", "Follow-up", "Deaths", "Median follow-up"}
        elif name.startswith("06"):
            wanted = wanted - {"People"} | {
                "Population",
                "Joined",
                "Data to",
            }  # of few people their number is suppressed
        elif name.startswith("09"):
            wanted |= {"Population", "Joined", "Data to", "Follow-up"}
        else:
            wanted |= {"As of"}
        assert wanted <= set(told), (name, wanted - set(told))
        assert told["Status"] in ("draft", "approved")


def test_each_percentage_of_a_finding_stands_in_a_table(reports: Path) -> None:
    for name, page in pages(reports):
        cells = {re.sub(r"95% CI ", "", text_of(td)) for td in page.select("td, tbody th")}
        cells |= {part for cell in cells for part in PERCENTAGE.findall(cell)}
        shares = {cell.split("% (")[0] + "%" for cell in cells if "% (" in cell}
        shares |= _apart(cells) if name.startswith("06") else set()
        for item in page.select(".findings li"):
            # a level of confidence or of occupancy is no finding
            words = re.sub(r"95% CI|(?:80|95)% interval|80% power|less than 10%|\d+% occupancy", "", text_of(item))
            # stands in the release record alone
            words = re.sub(r"Some controls enrolled later: for [\d.]+%", "", words)
            for share in re.findall(r"[<>]?\d+(?:\.\d+)?%", words):
                assert share in cells | shares, (name, share, text_of(item))


def _apart(cells: set[str]) -> set[str]:
    """Percentages by which the ratios of a table lie above or below 1, to whole percent; as the table rounds them, or one more."""
    found = set()
    for figure in {part for cell in cells for part in re.findall(r"\d+\.\d+|\d+", cell)}:
        for apart in (100 * abs(float(figure) - 1), 100 - 100 * float(figure)):
            found |= {f"{n}%" for n in (round(apart), math.ceil(apart), math.ceil(apart) + 1)} | {f"{apart:.1f}%"}
    return found


def test_marks_are_of_three_and_explained_under_their_table(reports: Path) -> None:
    seen = set()
    for name, page in pages(reports):
        for table in page.select("div.symphony-result"):
            cells = " ".join(text_of(td) for td in table.select("td"))
            note = " ".join(text_of(p) for p in table.select("p.note"))
            for mark in set(MARK.findall(cells)):
                seen.add(mark)
                assert mark in MARKS, (name, mark)
                assert f"{mark} " in note, (name, mark, text_of(table)[:200])
    assert "[c]" in seen


def test_a_missing_figure_says_why_and_truly(reports: Path) -> None:
    """Beyond follow-up nobody is at risk; suppressed is a figure only where people are followed to that day."""
    for name, page in pages(reports):
        for table in page.find_all("table"):
            heads = [text_of(th) for th in table.select("thead th")]
            if "Number at risk" not in heads:
                continue
            at = heads.index("Number at risk")
            for row in table.select("tbody tr"):
                cells = [text_of(cell) for cell in row.find_all(["th", "td"])]
                if "[x]" in cells:
                    assert cells[at] in ("0", "[x]"), (name, cells)
                if cells[at] not in ("0", "[x]", "[c]"):
                    assert "[x]" not in cells, (name, cells)


def test_tables_are_no_walls(reports: Path) -> None:
    for name, page in pages(reports):
        for table in page.select("main table"):
            if "Baseline characteristics" in text_of(table.caption or table):
                continue  # as journals print it, whole
            assert len(table.select("tbody tr")) <= 20, (name, text_of(table)[:80])
        for link in page.select("main a[href$='.csv']"):
            rows = (reports / name / str(link["href"])).read_text().splitlines()
            assert len(rows) > 21, (name, link["href"])
            rule = reports / name / str(link["href"]).replace(".csv", ".txt")
            assert "suppressed" in rule.read_text(), rule
            for row in rows:
                assert not re.search(r'(^|,)"?[=+@\t\r]', row), row


def test_hubs_are_compared_at_one_time(reports: Path) -> None:
    index = BeautifulSoup((reports / "index.html").read_text(), "html.parser")
    hubs = [name for name, _ in pages(reports) if name.startswith("04")]
    (table,) = [t for t in index.find_all("table") if "side by side" in text_of(t) and "Rate ratio" not in text_of(t)]
    # outcomes are rows, hubs go beside each other
    first, *heads = [text_of(th) for th in table.select("thead th")]
    assert first == "Outcome"
    assert len(heads) == len(hubs)
    rows = {text_of(row.th): [text_of(td) for td in row.find_all("td")] for row in table.select("tbody tr")}
    people = rows.pop("People")
    assert rows
    # an outcome and its groups are read at one time
    times = {}
    for name in rows:
        outcome, day = re.fullmatch(r"(.*?) (?:within|at|by) (\d+) days(?:: .*)?", name).groups()
        times.setdefault(outcome, set()).add(day)
        assert not outcome.startswith("Died without"), "whom death came first to is no outcome to compare hubs by"
    assert all(len(days) == 1 for days in times.values()), rows
    for at, head in enumerate(heads):
        cells = [row[at] for row in rows.values()]
        assert re.fullmatch(r"\[c\]|[\d,]+", people[at])
        # shares of people or discharges, and a mean number of events
        assert all(re.fullmatch(r"\[[cxz]\]|[<>]?[\d.]+%? \([<>]?[\d.]+ to [<>]?[\d.]+\)", c) for c in cells), cells
        # and each of them is the page's own
        record = json.loads((reports / _folder(hubs, head) / "provenance.json").read_text())
        own = {measure: value for found in record["findings"] for measure, value, *_ in found["figures"]}
        assert people[at] == own["People"]
        assert cells == [own.get(name, "[x]") for name in rows]


def _folder(hubs: list[str], hub: str) -> str:
    return next(name for name in hubs if name.endswith(re.sub(r"[^a-z]+", "-", hub.lower())))


def test_the_index_shows_the_first_finding_of_each_report(reports: Path) -> None:
    index = text_of(BeautifulSoup((reports / "index.html").read_text(), "html.parser"))
    for name, page in pages(reports):
        first = json.loads((reports / name / "provenance.json").read_text())["findings"][0]["text"]
        assert first in index, name
        assert text_of(page.select_one(".findings li")).startswith(first[:40])


def test_curves_of_a_release_record_are_named_by_their_event_and_groups(reports: Path) -> None:
    for path in sorted(reports.glob("04*/release.html")):
        record = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        heads = [text_of(head).partition(". ")[2] for head in record.select("article h2")]
        assert heads, path
        assert len(set(heads)) == len(heads), (path.parent.name, heads)
