"""Every decision says when it was made and whether it still holds, and the list of them is whole."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "decisions"
DECISIONS = sorted(FOLDER.glob("[0-9]*.md"))


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_carries_its_date_and_status(path: Path) -> None:
    title, blank, status, after = path.read_text(encoding="utf-8").splitlines()[:4]
    assert re.fullmatch(rf"# {int(path.name[:4])}\. .+", title)
    assert blank == after == ""
    told = re.fullmatch(
        r"(\d{4}-\d\d-\d\d), (accepted|superseded by \[decision \d+\]\(\d{4}-[a-z-]+\.md\))(?:; revised (\d{4}-\d\d-\d\d))?\.",
        status,
    )
    assert told, status
    first, last = (date.fromisoformat(day) for day in (told[1], told[3] or told[1]))
    assert first <= last


def test_the_list_names_every_decision_by_its_title() -> None:
    listed = re.findall(r"^(\d+)\. \[(.+)\]\((.+)\)$", (FOLDER / "README.md").read_text(encoding="utf-8"), re.M)
    titles = [path.read_text(encoding="utf-8").splitlines()[0] for path in DECISIONS]
    assert [(f"# {n}. {title}", name) for n, title, name in listed] == [
        (title, path.name) for title, path in zip(titles, DECISIONS, strict=True)
    ]
    assert [int(n) for n, _, _ in listed] == list(range(1, len(DECISIONS) + 1))


def test_every_link_between_documents_leads_somewhere() -> None:
    root = FOLDER.parents[1]
    documents = [
        *root.glob("*.md"),
        *root.glob("docs/**/*.md"),
        *root.glob("synthetic/*.md"),
        *root.glob("reports/README.md"),
    ]
    broken = [
        f"{path.relative_to(root)}: {target}"
        for path in documents
        for target in re.findall(
            r"\]\(([^)#:]+)(?:#[^)]*)?\)",
            re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S),
        )
        if not (path.parent / target).exists()
    ]
    assert not broken
