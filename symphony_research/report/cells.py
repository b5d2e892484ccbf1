"""Make the cells of an executed notebook into the parts of a page."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from typing import Any

from symphony_research.report.sanitise import safe_html

__all__ = ["page_parts"]

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# What Python writes of an object that has no words of its own.
_BARE_OBJECT = re.compile(r"^\[?<[^<>\n]*(<[^<>\n]*>[^<>\n]*)*>(,\s*<[^<>]*>)*\]?$")
_IMAGES = ("image/png", "image/jpeg")


def page_parts(cells: list[Any]) -> list[dict[str, str]]:
    """Return the parts of a page, in order.

    Parameters
    ----------
    cells : list of notebook cells

    Returns
    -------
    list of dict
        Each with `kind` ("prose", "result" or "code") and its `html`. Code comes after what it
        showed; code that showed nothing is kept with the next.
    """
    parts: list[dict[str, str]] = []
    silent: list[str] = []
    figures = iter(range(1, 10_000))
    for cell in _without_title(cells):
        if cell["cell_type"] == "markdown":
            parts += _code_part(silent)
            prose = markdown_html(cell["source"], cell.get("attachments") or {})
            if prose.strip():
                parts.append({"kind": "prose", "html": prose})
        elif cell["cell_type"] == "code":
            if cell["source"].strip():
                silent.append(cell["source"])
            shown = "".join(_output_html(output, figures) for output in cell["outputs"])
            if shown.strip():
                parts.append({"kind": "result", "html": shown})
                parts += _code_part(silent)
    return parts + _code_part(silent)


def _without_title(cells: list[Any]) -> Iterator[Any]:
    """The cells, less the first heading and its question: the head of the page has them."""
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


def _code_part(silent: list[str]) -> list[dict[str, str]]:
    if not silent:
        return []
    source = "\n\n".join(silent)
    silent.clear()
    return [{"kind": "code", "html": _highlighted(source)}]


def _highlighted(source: str) -> str:
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return str(highlight(source, PythonLexer(), HtmlFormatter(cssclass="code")))


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
    return _figure(source, f"Figure {number}. {words}".strip(), caption)


def _figure(source: str, alt: str, caption: str) -> str:
    # The caption repeats the description, so a screen reader is given it once.
    below = f'<figcaption aria-hidden="true">{caption}</figcaption>' if caption else ""
    return f'<figure><img src="{html.escape(source)}" alt="{html.escape(html.unescape(alt))}">{below}</figure>'


def _plain(text: Any) -> str:
    words = _ANSI.sub("", _text(text)).rstrip()
    return f'<pre class="plain">{html.escape(words)}</pre>' if words.strip() else ""


def _text(content: Any) -> str:
    return "".join(content) if isinstance(content, list) else str(content)


def _one_line(content: Any) -> str:
    return re.sub(r"\s+", "", _text(content))
