"""Make the cells of an executed notebook into the parts of a page."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from symphony_research.report.sanitise import TABLE_LABEL, safe_html
from symphony_research.words.lexicon import ROLE
from symphony_research.words.phrases import joined

__all__ = ["LIMITS", "TABLE", "Finding", "Page", "markdown_html", "read_page"]

LIMITS = "limits"  # tag of the cells that say what a report cannot show
ANNEX = "annex"  # tag of the cell of prose with which a notebook's annex begins
TABLE = "table-"  # how the names of files with tables begin

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# What Python writes of an object that has no words of its own.
_BARE_OBJECT = re.compile(r"^\[?<[^<>\n]*(<[^<>\n]*>[^<>\n]*)*>(,\s*<[^<>]*>)*\]?$")
_IMAGES = ("image/png", "image/jpeg")
_PLACE = "<!-- not shown {} -->"  # where a section has nothing to show, until all of it is read


@dataclass
class Page:
    """What a notebook gives for its page.

    Attributes
    ----------
    title : str
        As a released result gave it; empty where the notebook's own stands.
    findings : list of Finding
        Key findings, in order.
    facts : str
        Who, where and when, as HTML.
    limits : str
        What the report cannot show, as HTML: the cells of prose tagged "limits", and each reason why something is not shown.
    parts : list of dict
        Each with `kind` ("prose", "finding" or "result") and its `html`; `annex` is set for those that stand in the annex.
    code : str
        All code of the notebook, as HTML.
    files : dict of str to str
        Tables that stand beside the page, and what each of them holds.
    unshown : list of int
        Findings of the section being read that have no figure after them yet.
    absences : list
        Of each section and reason, what it does not show.
    said_here : dict of str to list of str
        Those of the section being read, by the reason.
    """

    title: str = ""
    findings: list[Finding] = field(default_factory=list)
    facts: str = ""
    limits: str = ""
    parts: list[dict[str, str]] = field(default_factory=list)
    code: str = ""
    files: dict[str, str] = field(default_factory=dict)
    unshown: list[int] = field(default_factory=list, repr=False)
    absences: list[tuple[str, list[str]]] = field(default_factory=list, repr=False)
    said_here: dict[str, list[str]] = field(default_factory=dict, repr=False)

    def add_finding(self, text: str, role: dict[str, Any]) -> None:
        """Add a key finding, in an item of its own or behind the one that it names; the item leads to its first figure."""
        figures = list(role.get("figures", []))
        before = role.get("after")
        for at, found in enumerate(self.findings):
            if before and found.text.startswith(before):
                whole = f"{found.text} {text}"
                self.findings[at] = replace(
                    found, text=whole, html=html.escape(whole), figures=[*found.figures, *figures]
                )
                if not found.at:
                    self.unshown.append(at)
                return
        self.findings.append(Finding(text, html.escape(text), figures))
        self.unshown.append(len(self.findings) - 1)

    def add_absence(self, why: str, what: str) -> str:
        """Note what is not shown; return the mark of its place, or nothing where the section gives that reason already."""
        if why in self.said_here:
            self.said_here[why] += [what] if what not in self.said_here[why] else []
            return ""
        self.said_here[why] = [what]
        self.absences.append((why, self.said_here[why]))
        return _PLACE.format(len(self.absences) - 1)

    def close_section(self) -> None:
        """Let the findings before this place lead to no figure after it."""
        self.unshown.clear()


@dataclass(frozen=True)
class Finding:
    """A key finding: its sentence, as text and as HTML, the figures by which hubs are compared, and the picture that shows it."""

    text: str
    html: str
    figures: list[list[str]]
    at: str = ""
    where: str = ""


def read_page(cells: list[Any]) -> Page:
    """Return what a page is made of; the tables of more rows than a page has room for are taken out of the cells."""
    page = Page()
    code: list[str] = []
    figures, main = iter(range(1, 10_000)), True
    for cell in _without_title(cells):
        if cell["cell_type"] == "markdown":
            prose = markdown_html(cell["source"], cell.get("attachments") or {})
            main = main and ANNEX not in _tags(cell)
            if LIMITS in _tags(cell):
                page.limits += prose
            elif prose.strip():
                if re.search(r"<h[23]>", prose):
                    page.close_section()
                    page.said_here.clear()
                page.parts.append({"kind": "prose", "html": prose, "annex": "" if main else ANNEX})
        elif cell["cell_type"] == "code":
            if cell["source"].strip():
                code.append(cell["source"])
            shown = "".join(_shown(output, page, figures) for output in cell["outputs"])
            if shown.strip():
                kind = (
                    "finding" if all(_role(output).get("role") == "finding" for output in cell["outputs"]) else "result"
                )
                page.parts.append({"kind": kind, "html": shown, "annex": "" if main else ANNEX})
    page.code = _highlighted("\n\n".join(code)) if code else ""
    tables = count(1)
    page.parts = _without_repeats(page.parts)
    _say_absences(page)
    for part in page.parts:  # a list of regions has to tell them apart
        part["html"] = re.sub(re.escape(TABLE_LABEL), lambda _: f'aria-label="Table {next(tables)}"', part["html"])
    return page


def _tags(cell: Any) -> list[str]:
    return list(cell.get("metadata", {}).get("tags", []))


def _without_repeats(parts: list[dict[str, str]]) -> list[dict[str, str]]:
    """Leave key findings out of the body, as page one says them and leads to their figures; the only words of a section stay."""
    sections: list[list[dict[str, str]]] = [[]]
    for part in parts:
        if _heads(part):
            sections.append([])
        sections[-1].append(part)
    before, *headed = sections
    kept = [part for part in before if part["kind"] != "finding"]
    for section in headed:
        others = [part for part in section if part["kind"] != "finding"]
        kept += section if len(others) == 1 else others  # the heading is one
    return kept


def _say_absences(page: Page) -> None:
    """Say what is not shown: on page one all of it by the reason, and in each section, the reason where it first comes, its own."""
    by_reason: dict[str, list[str]] = {}
    for at, (why, whats) in enumerate(page.absences):
        first = why not in by_reason
        by_reason.setdefault(why, []).extend(whats)
        for part in page.parts:
            part["html"] = part["html"].replace(_PLACE.format(at), _in_place(why, whats, first))
    page.limits += "".join(_absence(why, list(dict.fromkeys(whats))) for why, whats in by_reason.items())


def _absence(why: str, whats: list[str]) -> str:
    """Return a reason with all that is not shown for it."""
    said = f"so {whats[0]} is not shown" if len(whats) == 1 else f"so these are not shown: {joined(whats)}"
    return f"<p>{html.escape(f'{why}, {said}.')}</p>"


def _in_place(why: str, whats: list[str], first: bool) -> str:
    """Return, where results would stand, that they do not: the reason once a page, and once a section what is meant."""
    if first:
        return _absence(why, whats)
    return f'<p class="note">{html.escape(f"Not shown, for the reason given above: {joined(whats)}.")}</p>'


def _heads(part: dict[str, str]) -> bool:
    return part["kind"] == "prose" and part["html"].lstrip().startswith("<h")


def _role(output: Any) -> dict[str, Any]:
    """Return what a page takes an output for, and what it says of itself."""
    told: dict[str, Any] = output.get("metadata", {}).get(ROLE, {})
    return told


def _shown(output: Any, page: Page, figures: Iterator[int]) -> str:
    """Return what of an output stands in its place; page one takes the rest."""
    role = _role(output)
    shown = _output_html(output, figures)
    if role.get("role") == "title":
        page.title = _text(output["data"].get("text/plain", ""))
        return ""
    if role.get("role") == "facts":
        page.facts += shown
        return ""
    if role.get("role") == "limit":
        if role.get("finding") and not page.findings:  # page one never passes in silence over what it is about
            page.add_finding(_text(output["data"].get("text/plain", "")), {})
        return page.add_absence(role["why"], role["what"])
    if role.get("role") == "finding":
        page.add_finding(_text(output["data"].get("text/plain", "")), role)
        return f'<div class="key">{shown}</div>'
    if match := re.search(r'<figure id="(figure-(\d+))">', shown):
        for at in page.unshown:
            page.findings[at] = replace(page.findings[at], at=match[1], where=f"Figure {match[2]}")
        page.close_section()
    if "text/csv" in output.get("data", {}):
        shown += _beside_page(output, page)
    return shown


def _beside_page(output: Any, page: Page) -> str:
    """Put a table's rows in a file of its own, with its rule beside it, and return the link."""
    rows = _text(output["data"].pop("text/csv"))
    about = output["metadata"].pop("text/csv", {})
    caption = str(about.get("caption", "table"))
    plain = re.sub(r"[^a-z0-9]+", "-", caption.lower()).strip("-")[:50].strip("-")
    name = f"{TABLE}{sum(n.endswith('.csv') for n in page.files) + 1:02d}-{plain or 'table'}"
    page.files[f"{name}.csv"] = rows
    page.files[f"{name}.txt"] = f"{caption}\n\n{about.get('rule', '')}\n"
    many = max(rows.count("\n") - 1, 0)
    return (
        f'<p class="more"><a href="{name}.csv">All {many:,} rows of this table (CSV)</a>, '
        f'<a href="{name}.txt">what its marks mean (text)</a></p>'
    )


def _without_title(cells: list[Any]) -> Iterator[Any]:
    """Return the cells, less the first heading and its question: the head of the page has them."""
    found = False
    for cell in cells:
        if cell["cell_type"] == "markdown" and not found:
            match = re.search(r"^#{1,2}\s+.+$", cell["source"], re.MULTILINE)
            if match:
                found = True
                under = cell["source"][match.end() :].lstrip()
                question, _, rest = under.partition("\n\n")
                cell = {**cell, "source": cell["source"][: match.start()] + (under if question[:1] == "#" else rest)}
        yield cell


def _highlighted(source: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    made = str(highlight(source, PythonLexer(), HtmlFormatter(cssclass="code")))
    return made.replace("<pre>", '<pre tabindex="0">')  # long lines scroll, by keyboard too


def markdown_html(text: str, attachments: dict[str, Any] | None = None) -> str:
    """Return Markdown as HTML that fetches nothing; an address is shown as text."""
    import mistune

    class Renderer(mistune.HTMLRenderer):
        def heading(self, text: str, level: int, **attributes: Any) -> str:
            level = max(level, 2)  # the page's own title is its only h1
            return f"<h{level}>{text}</h{level}>\n"

        def link(self, text: str, url: str, title: str | None = None) -> str:
            if url.startswith("#") or html.unescape(re.sub(r"<[^>]+>", "", text)) == url:
                return text
            return f'{text} <span class="address">({html.escape(url)})</span>'

        def image(self, text: str, url: str, title: str | None = None) -> str:
            words = re.sub(r"<[^>]+>", "", text)
            for kind, content in (attachments or {}).get(url.removeprefix("attachment:"), {}).items():
                if kind in _IMAGES:
                    return _figure(f"data:{kind};base64,{_one_line(content)}", words, words)
            if url.startswith("data:image/"):
                return _figure(url, words, words)
            return f"<em>{words}</em>" if words else ""

    render = mistune.create_markdown(renderer=Renderer(escape=True), plugins=["table", "strikethrough", "footnotes"])
    return safe_html(str(render(text)))


def _output_html(output: Any, figures: Iterator[int]) -> str:
    kind = output["output_type"]
    if kind == "stream":
        return _plain(output["text"]) if output.get("name") == "stdout" else ""
    if kind not in ("display_data", "execute_result"):
        return ""
    data = output["data"]
    plain = _text(data.get("text/plain", ""))
    for mime in _IMAGES:
        if mime in data:
            source = f"data:{mime};base64,{_one_line(data[mime])}"
            own = output.get("metadata", {}).get(mime, {})
            # a picture that bears its finding as a title is not told again below it, but what it shows is
            caption = str(own.get("caption") or "") if own.get("titled") else None
            return _numbered_figure(source, _alt(output, mime, plain), figures, caption)
    if "image/svg+xml" in data:
        encoded = base64.b64encode(_text(data["image/svg+xml"]).encode()).decode()
        alt = _alt(output, "image/svg+xml", plain)
        return _numbered_figure(f"data:image/svg+xml;base64,{encoded}", alt, figures)
    if "text/markdown" in data:
        return markdown_html(_text(data["text/markdown"]))
    if "text/html" in data:
        cleaned = safe_html(_text(data["text/html"]))
        if re.sub(r"<(?!img|svg|hr)[^>]*>|\s+", "", cleaned):
            return f'<div class="shown">{cleaned}</div>'
    if "application/vnd.jupyter.widget-view+json" in data:
        return '<p class="note">An interactive view stands here in the notebook; open it there.</p>'
    if "application/json" in data and not plain:
        return _plain(json.dumps(data["application/json"], indent=2, ensure_ascii=False))
    return "" if _BARE_OBJECT.match(plain.strip()) else _plain(plain)


def _alt(output: Any, mime: str, plain: str) -> str:
    metadata = output.get("metadata", {})
    described = metadata.get(mime, {}).get("alt") or metadata.get("alt")
    if described:
        return str(described)
    words = plain.strip()
    return "" if words.startswith("<") else re.sub(r"\s+", " ", words)


def _numbered_figure(source: str, words: str, figures: Iterator[int], below: str | None = None) -> str:
    number = next(figures)
    told = words if below is None else below and f"{below.rstrip('.')}."
    caption = f"<strong>Figure {number}{'.' if told else ''}</strong> {html.escape(told)}".rstrip()
    return _figure(source, f"Figure {number}. {words}".strip(), caption, f' id="figure-{number}"')


def _figure(source: str, alt: str, caption: str, name: str = "") -> str:
    # The caption repeats the description, so a screen reader is given it once.
    below = f'<figcaption aria-hidden="true">{caption}</figcaption>' if caption else ""
    picture = f'<img src="{html.escape(source)}" alt="{html.escape(html.unescape(alt))}">'
    label = html.escape(html.unescape(alt).split(".")[0]) or "Picture"
    frame = f'<div class="scroll picture" tabindex="0" role="region" aria-label="{label}">{picture}</div>'
    return f"<figure{name}>{frame}{below}</figure>"


def _plain(text: Any) -> str:
    words = _ANSI.sub("", _text(text)).rstrip()
    return f'<pre class="plain">{html.escape(words)}</pre>' if words.strip() else ""


def _text(content: Any) -> str:
    return "".join(content) if isinstance(content, list) else str(content)


def _one_line(content: Any) -> str:
    return re.sub(r"\s+", "", _text(content))
