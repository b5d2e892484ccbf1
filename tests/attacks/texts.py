"""Every number that a file holds anywhere: text, hover titles, comments, metadata, names of attributes."""

from __future__ import annotations

import html
import json
import re
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
from attacker import Rule

NUMBER = re.compile(r"(?<![\w.#-])(?<!\d,)[−-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])")
# numbers that count no people: rows, settings, ages, dates, months
LABELS = re.compile(
    r"and [\d,]+ (?:more rows?|suppressed|of nobody)[^.\n]*|(?:[Bb]y|[Aa]t|[Ww]ithin) \d[\d.]* (?:days?|months?|years?)|\b\d+ people have been counted"
    r"|(?:younger|older) than \d+|\d+ [A-Z][a-z]+ \d{4}|[01]\s+to\s+\d+\s+people|\d+\s+people\s+or\s+fewer|where \d+ people might have"
    r"|\d+ (?:combinations |groups |conditions |pairs )?are of|\d+ parts of|\d+ counts? suppressed|\d+ pairs(?: tested)?|\d+ of \d+ (?:pairs|others|covariates)|counts_hidden[: ]+\d+|library_version \S+|(?<![\w.])[0-9a-f]{16,}(?!\w)"
    r"|(?<![\d.,–-])\d{1,2}[–-]\d{1,2}(?![\d.,%–-])|\d+ months before|\d+\s+(?:to\s+\d+\s+)?days(?:\s+or\s+more)?(?:\s+before)?"  # bands of age, and a look-back
)
# a tick and its label, where that is a bare number
TICK = re.compile(r'<g id="[xy]tick_\d+">(?:(?!<g id="[xy]tick_|<!--).)*<!-- [£−-]?[\d,.]+(?: ?%)? -->', re.S)
FEW = re.compile(r"(?<![\d.,])(\d+) (?:people|person|women|men|of them)\b")


def text_of(path: Path) -> str:
    """Return what a reader, or a program, finds in a file in words."""
    data = path.read_bytes()
    kind = path.suffix
    if kind == ".svg":
        return "\n".join([*_svg(data.decode("utf-8"))])
    if kind == ".png":
        return "\n".join(_png(data))
    if kind == ".pdf":
        return "\n".join(_pdf(data))
    text = data.decode("utf-8")
    if kind in (".graphml", ".gexf"):
        return "\n".join(_xml(text))
    if kind == ".json":
        return "\n".join(_json(json.loads(text)))
    if kind == ".html":
        attributes = re.findall(r'(?:title|alt|aria-label|content)="([^"]*)"', text)
        return html.unescape(re.sub(r"<[^>]+>", "\n", text) + "\n".join(attributes))
    return re.sub(r"^shape: .*$", "", text, flags=re.M)


def _svg(text: str) -> Iterable[str]:
    """Comments hold the text of glyphs drawn as paths; ticks are scales and not counts."""
    yield from (html.unescape(x) for x in re.findall(r'aria-label="([^"]*)"', text))
    yield from (html.unescape(x) for x in re.findall(r"<(?:title|desc)>(.*?)</", text, re.S))
    without_ticks = TICK.sub("", text)
    yield from (html.unescape(x.strip()) for x in re.findall(r"<!--(.*?)-->", without_ticks, re.S))
    yield from (html.unescape(x) for x in re.findall(r"<text[^>]*>(.*?)</text>", without_ticks, re.S))


def _png(data: bytes) -> Iterable[str]:
    at = 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        if kind == b"tEXt":
            yield body.decode("latin-1").replace("\0", ": ")
        elif kind in (b"zTXt", b"iTXt"):
            yield kind.decode() + body.split(b"\0")[-1].decode("utf-8", "replace")
        elif kind == b"eXIf":
            yield body.decode("latin-1")
        at += 12 + size


def _pdf(data: bytes) -> Iterable[str]:
    info = re.findall(rb"/(?:Title|Author|Subject|Keywords|Creator|Producer) \((.*?)\)", data, re.S)
    yield from (x.decode("latin-1") for x in info)
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", data, re.S):
        try:
            body = zlib.decompress(stream)
        except zlib.error:
            continue
        for shown in re.findall(rb"\[([^\]]*)\] TJ|\(((?:\\.|[^()])*)\) Tj", body):
            line = b"".join(re.findall(rb"\((.*?)\)", shown[0]) or [shown[1]]).decode("latin-1")
            # a bare number is a tick or a bar's own, which the same figure as SVG tells apart
            yield "" if re.fullmatch(r"[\d,.]+", line) else line


def _xml(text: str) -> Iterable[str]:
    keys: dict[str, str] = {}
    for element in ElementTree.fromstring(text).iter():
        tag = element.tag.split("}")[-1]
        if tag == "key" or tag == "attribute":
            keys[element.get("id", "")] = element.get("attr.name") or element.get("title") or ""
        elif tag in ("data", "attvalue"):
            yield f"{keys.get(element.get('key') or element.get('for') or '', '')} {element.text or element.get('value') or ''}"
        elif element.text and element.text.strip():
            yield element.text


def _json(data: object) -> Iterable[str]:
    if isinstance(data, Mapping):
        for name, value in data.items():
            if isinstance(value, (Mapping, list)):
                yield from _json(value)
            else:
                yield f"{name} {value}"
    elif isinstance(data, list):
        for value in data:
            yield from _json(value)


def numbers_in(text: str) -> list[tuple[str, float]]:
    """Every number, as it is written and as a value."""
    found = []
    for token in NUMBER.findall(text):
        plain = token.replace(",", "").replace("−", "-")
        try:
            found.append((token, float(plain)))
        except ValueError:
            continue
    return found


def numbers_of(frames: Iterable[pl.DataFrame]) -> set[float]:
    """Every number of some tables."""
    found: set[float] = set()
    for frame in frames:
        for column in frame.columns:
            if frame.schema[column].is_numeric():
                found |= {float(v) for v in frame[column].drop_nulls()}
    return found


def _written(token: str, value: float) -> bool:
    """Whether a value, or its percentage, reads so."""
    plain = token.replace(",", "").replace("−", "-")
    digits = len(plain.split("e")[0].partition(".")[2])
    shown = float(plain)
    close = 0.5000001 * 10.0**-digits
    return any(abs(v - shown) <= close for v in (value, 100 * value, 100 * (1 - value), -value))


def unexplained(text: str, released: set[float], exact: set[float], rule: Rule) -> list[str]:
    """Return numbers of a text that are exact figures and that no released one explains."""
    wrong = []
    text = LABELS.sub("", text)
    for token, value in numbers_in(text):
        # small whole numbers and multiples of five are labels, scales and rounded counts
        if float(value).is_integer() and (abs(value) <= rule.high or value % 5 == 0):
            continue
        digits = len(token.replace(",", "").partition(".")[2])
        if not float(value).is_integer() and digits + len(str(int(abs(value)))) < 4:
            continue  # two figures are shared by too many
        if any(_written(token, r) for r in released):
            continue
        if any(_written(token, e) for e in exact):
            wrong.append(token)
    for count in FEW.findall(text):
        if rule.small(int(count)) and int(count) > 0:
            wrong.append(f"{count} people")
    return wrong
