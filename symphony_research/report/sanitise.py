"""Keep of an output's HTML only what can neither fetch, run nor break anything."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

__all__ = ["safe_html"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ALLOWED = _words(
    """
    a abbr b blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption figure h2 h3 h4
    h5 h6 hr i img ins kbd li mark ol p pre q s samp section small span strong sub summary sup table tbody td tfoot
    th thead tr u ul var
    svg g path circle ellipse line polyline polygon rect text tspan title desc defs clippath use lineargradient stop
    """
)
_DROPPED_WITH_CONTENT = _words("script style iframe object embed noscript template head textarea select")
_VOID = _words("br col hr img")
_ADDRESSES = _words("href src xlink:href")
_FORBIDDEN = _words("srcset action formaction poster background data ping longdesc cite srcdoc target manifest")
_DATA_IMAGE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml)[;,]")


def safe_html(text: str) -> str:
    """Return HTML without scripts, forms, style sheets and addresses, its elements all closed.

    Wide tables are put in a frame that scrolls and can be reached by keyboard.

    Parameters
    ----------
    text : str
        HTML of an output.

    Returns
    -------
    str
    """
    cleaner = _Cleaner()
    cleaner.feed(text)
    cleaner.close()
    return cleaner.finished()


class _Cleaner(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._open: list[str] = []
        self._dropping: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED_WITH_CONTENT:
            self._dropping.append(tag)
        if self._dropping:
            return
        tag = "h2" if tag == "h1" else tag
        if tag not in _ALLOWED:
            return
        kept = [(name, value or "") for name, value in attributes if _harmless(name, value or "")]
        if tag == "img":
            if not any(name == "src" for name, _ in kept):
                return
            if not any(name == "alt" for name, _ in kept):
                kept.append(("alt", ""))
        if tag == "table" and "table" not in self._open:
            self._parts.append('<div class="scroll" tabindex="0" role="region" aria-label="Table">')
        if tag == "th" and not any(name == "scope" for name, _ in kept):
            kept.append(("scope", "col" if "thead" in self._open else "row"))
        self._parts.append(f"<{tag}{''.join(f' {name}={_quoted(value)}' for name, value in kept)}>")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in _DROPPED_WITH_CONTENT:
            return
        self.handle_starttag(tag, attributes)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._dropping:
            if tag == self._dropping[-1]:
                self._dropping.pop()
            return
        tag = "h2" if tag == "h1" else tag
        if tag not in self._open:
            return
        while True:
            last = self._open.pop()
            self._close(last)
            if last == tag:
                return

    def _close(self, tag: str) -> None:
        self._parts.append(f"</{tag}>")
        if tag == "table" and "table" not in self._open:
            self._parts.append("</div>")

    def handle_data(self, data: str) -> None:
        if not self._dropping:
            self._parts.append(html.escape(data, quote=False))

    def finished(self) -> str:
        while self._open:
            self._close(self._open.pop())
        return "".join(self._parts)


def _quoted(value: str) -> str:
    return f'"{html.escape(value)}"'


def _harmless(name: str, value: str) -> bool:
    if name.startswith("on") or name in _FORBIDDEN or not re.fullmatch(r"[a-z][a-z0-9:_-]*", name):
        return False
    if name in _ADDRESSES:
        return value.startswith("#") or (name == "src" and bool(_DATA_IMAGE.match(value)))
    # A style or a presentation attribute may refer to a part of the same drawing, and to nothing else.
    return not re.search(r"url\s*\(\s*['\"]?(?!#)|@import|expression\s*\(|\\", value, re.IGNORECASE) or name in (
        "alt",
        "title",
        "aria-label",
    )
