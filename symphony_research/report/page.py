"""A report as one HTML page that opens anywhere, with no network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from symphony_research.report.glossary import glossary_of
from symphony_research.report.page_cells import Page
from symphony_research.report.provenance import policy_in_words
from symphony_research.report.subject import PARTS, subject_of
from symphony_research.words.lexicon import COLUMN_WORDS, MARKS, capital, in_words

__all__ = ["about_whom", "report_page", "template", "when"]


def report_page(page: Page, record: Mapping[str, Any]) -> str:
    """Return the page of an executed notebook.

    Parameters
    ----------
    page : Page
        What its cells give.
    record : mapping
        Its provenance.

    Returns
    -------
    str
        HTML; it names no address that a browser would fetch.
    """
    whom = "" if page.title else about_whom(record)
    subject = subject_of(record)
    title = page.title or record["notebook"]["title"]
    limits, parts = page.limits, page.parts
    words = " ".join([title, page.facts, limits, *(f.html for f in page.findings), *(p["html"] for p in parts)])
    return str(
        template("report.html.j2").render(
            title=title,
            question=record["notebook"]["question"],
            whom=whom,
            people=subject.people if subject else "",
            page_title=" – ".join(filter(None, (title, whom, record["study"]["name"]))),
            record=record,
            made=when(record["finished"]),
            day=when(record["finished"]).split(",")[0],
            policy=policy_in_words(record["policy"]),
            rounded=record["policy"].get("name") != "synthetic"
            and any("% CI" in found.text for found in page.findings),
            parameters=_parameters(record),
            page=page,
            marks=MARKS,
            methods=record.get("methods", []),
            glossary=glossary_of(words),
            n_warnings=sum(record.get("warnings", {}).values()),
        )
    )


def about_whom(record: Mapping[str, Any]) -> str:
    """Return whom a report is about, in words; nothing where the notebook takes no subject."""
    subject = subject_of(record)
    return subject.words if subject else ""


def when(moment: str) -> str:
    """Return a record's moment for a reader: "5 May 2026, 14:02 UTC"."""
    then = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")
    return f"{then.day} {then:%B %Y, %H:%M} UTC"


@cache
def template(name: str) -> Any:
    """Return a template of this package."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "template", encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _parameters(record: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the parameters in words; what the head of the page says already is omitted."""
    helps = record.get("parameter_help", {})
    return [
        {"name": name, "value": _in_words(value), "help": capital(helps.get(name, ""))}
        for name, value in record["parameters"].items()
        if name not in ("study", "policy", "level", "author", "contact", "status")
        and not (name in PARTS and value is None)
    ]


def _in_words(value: Any) -> str:
    if value is None:
        return "by default"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_in_words(item) for item in value) or "none"
    return COLUMN_WORDS[value].lower() if value in COLUMN_WORDS else in_words(value)
