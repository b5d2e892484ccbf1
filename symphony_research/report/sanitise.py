"""Sanitise the HTML of an output: nothing in it runs, and nothing in it is fetched.

The parser and the allow-lists are nh3's. Ours is what it cannot know: which addresses stay inside the page, and what a
page's tables, headings and images must have for a reader with a screen reader.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import nh3

__all__ = ["TABLE_LABEL", "safe_html"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SHAPES = _words(
    """
    svg g path circle ellipse line polyline polygon rect text tspan title desc defs clipPath use linearGradient stop
    """
)
_TAGS = _SHAPES | _words(
    """
    a abbr b blockquote br caption cite code col colgroup dd del details dfn div dl dt em figcaption figure h1 h2 h3 h4
    h5 h6 hr i img ins kbd li mark ol p pre q s samp section small span strong sub summary sup table tbody td tfoot
    th thead tr u ul var
    """
)
_DROPPED_WITH_CONTENT = _words("script style iframe object embed noscript template head textarea select")
_ATTRIBUTES = {
    "*": _words("class dir hidden id lang role style tabindex title"),
    "a": _words("href"),
    "img": _words("src alt width height"),
    "details": _words("open"),
    "ol": _words("start reversed type"),
    "li": _words("value"),
    "col": _words("span"),
    "colgroup": _words("span"),
    "table": _words("border"),
    "td": _words("colspan rowspan headers align valign"),
    "th": _words("colspan rowspan headers scope abbr align valign"),
} | dict.fromkeys(
    _SHAPES,
    _words(
        """
        clip-path clip-rule clipPathUnits cx cy d dominant-baseline dx dy fill fill-opacity fill-rule font-family
        font-size font-style font-weight gradientTransform gradientUnits height href offset opacity points
        preserveAspectRatio r rotate rx ry stop-color stop-opacity stroke stroke-dasharray stroke-dashoffset
        stroke-linecap stroke-linejoin stroke-miterlimit stroke-opacity stroke-width text-anchor textLength transform
        vector-effect version viewBox width x x1 x2 xmlns y y1 y2
        """
    ),
)
_PREFIXES = _words("aria- data-")
_SAID = _words("alt title aria-label aria-description abbr")
_DATA_IMAGE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml)[;,]", re.IGNORECASE)
# A style or a presentation attribute may refer to a part of the same drawing, and to nothing else.
_FETCHES = re.compile(r"url\s*\(\s*['\"]?(?!#)|image-set|@import|expression\s*\(|\\|/\*", re.IGNORECASE)
# A tag as nh3 writes it: every value in double quotes, and no double quote in a value.
_TAG = re.compile(r'<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9]*)(?P<rest>(?: [^\s="<>]+="[^"]*")*)>')


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
    return _for_readers(_cleaner().clean(text))


@cache
def _cleaner() -> nh3.Cleaner:
    import nh3

    return nh3.Cleaner(
        tags=_TAGS,
        clean_content_tags=_DROPPED_WITH_CONTENT,
        attributes=_ATTRIBUTES,
        generic_attribute_prefixes=_PREFIXES,
        attribute_filter=_harmless,
        url_schemes={"data"},
        link_rel=None,
    )


def _harmless(tag: str, name: str, value: str) -> str | None:
    """Return the value of an attribute if it stays inside the page, and None otherwise; nh3 then drops it."""
    if name in ("href", "src"):
        inside = _DATA_IMAGE.match(value) if name == "src" else value.startswith("#")
        return value if inside else None
    return value if name in _SAID or not _FETCHES.search(value) else None


def _for_readers(cleaned: str) -> str:
    """Give tables a frame, headings of cells their scope and images a description; the page has the only h1."""
    tables, in_head = 0, False

    def tag(found: re.Match[str]) -> str:
        nonlocal tables, in_head
        end, name, rest = found["end"], found["name"], found["rest"]
        if name == "table":
            tables += -1 if end else 1
            outermost = tables == (0 if end else 1)
            if outermost:
                return f"{found[0]}</div>" if end else f"{_FRAME}{found[0]}"
        elif name == "thead":
            in_head = not end
        elif name == "h1":
            return f"<{end}h2{rest}>"
        elif name == "th" and not end and ' scope="' not in rest:
            return f'<th{rest} scope="{"col" if in_head else "row"}">'
        elif name == "img":
            if ' src="' not in rest:
                return ""
            return found[0] if ' alt="' in rest else f'<img{rest} alt="">'
        return found[0]

    return _TAG.sub(tag, cleaned)


TABLE_LABEL = 'aria-label="Table"'
_FRAME = f'<div class="scroll" tabindex="0" role="region" {TABLE_LABEL}>'
