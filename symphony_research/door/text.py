"""Delimited text as it comes: compressed or not, in four encodings and with four delimiters, every value as text.

What is plain UTF-8 is read lazily from the disk; anything else is put into
UTF-8 once, in memory.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import polars as pl

__all__ = ["DELIMITERS", "TextFile", "UnreadableError", "decoded", "look_at", "scan", "uneven_rows"]

DELIMITERS = (",", ";", "\t", "|")
NULLS = ["", "NULL"]  # SQL Server's exports write the word
_PIECE = 1 << 22
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class UnreadableError(Exception):
    """A file that cannot be read, and why; for a finding, never for a user."""


@dataclass(frozen=True)
class TextFile:
    """How a file of delimited text is to be read.

    `encoding` is "" where Polars reads the file itself; `skip` lines come
    before the heading; `data` holds the bytes of a file that was packed.
    """

    path: Path
    encoding: str
    delimiter: str
    skip: int
    headings: tuple[str, ...]
    data: bytes | None = field(default=None, repr=False, compare=False)

    @property
    def manner(self) -> tuple[object, ...]:
        """What two files must share to be read as one."""
        alone = self.path if self.encoding else None
        return (self.encoding, self.delimiter, self.skip, self.headings, alone)


def _open(path: Path, data: bytes | None = None) -> BinaryIO:
    if data is not None:
        return io.BytesIO(data)
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb")


def _pieces(path: Path, data: bytes | None = None) -> Iterator[bytes]:
    try:
        with _open(path, data) as file:
            while piece := file.read(_PIECE):
                yield piece
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UnreadableError("the file is compressed, and breaks off or is damaged: make it again.") from None


def look_at(path: Path, known: Callable[[list[str]], int], *, data: bytes | None = None) -> TextFile:
    """Find out how a file is to be read.

    Parameters
    ----------
    path : Path
        The file.
    known : callable
        How many of a list of headings are known; the delimiter that gives most is taken.
    data : bytes, optional
        What the file holds, where it was packed.

    Raises
    ------
    UnreadableError
        With the reason.
    """
    head, encoding = _head_and_encoding(path, data)
    if not head.strip():
        raise UnreadableError("the file is empty: not even a heading.")
    lines = head.lstrip("\ufeff")
    skip, rest = 0, lines
    while True:
        first, end, after = rest.partition("\n")
        if end and (not first.strip() or first.strip().lower().startswith("sep=")):
            skip, rest = skip + 1, after
        else:
            break
    best = max(DELIMITERS, key=lambda d: (known(_first_row(rest, d)), len(_first_row(rest, d))))
    headings = tuple(" ".join(name.split()) for name in _first_row(rest, best))
    return TextFile(path, encoding, best, skip, headings, data)


def _first_row(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error:
        return []


def _head_and_encoding(path: Path, data: bytes | None) -> tuple[str, str]:
    """Return the beginning of the text and its encoding, "" for UTF-8, after a look at every byte."""
    pieces = _pieces(path, data)
    first = next(pieces, b"")
    encoding = next((name for mark, name in _BOMS if first.startswith(mark)), "")
    if not encoding and b"\x00" in first[:64]:
        # SQL Server's wide text without a mark: every other byte of plain letters is empty
        encoding = "utf-16-le" if first[1:2] == b"\x00" else "utf-16-be" if first[:1] == b"\x00" else ""
        if not encoding:
            raise UnreadableError("the file holds bytes that are not text.")
    if encoding.startswith("utf-16"):
        return first[: 1 << 16].decode(encoding, errors="ignore").replace("\r\n", "\n").replace("\r", "\n"), encoding
    decoder = codecs.getincrementaldecoder("utf-8")()
    head = first[: 1 << 16]
    plain = True
    try:
        decoder.decode(first)
        for piece in pieces:
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        plain = False
    if not plain:
        return head.decode("cp1252", errors="replace").replace("\r\n", "\n").replace("\r", "\n"), "cp1252"
    text = head.decode("utf-8", errors="ignore")
    # an old Macintosh ends its lines with a character that Polars does not take for an end
    return text.replace("\r\n", "\n").replace("\r", "\n"), "utf-8" if "\r" in text and "\n" not in text else ""


def decoded(data: bytes, encoding: str) -> str:
    """Return bytes as text with the line ends of Unix.

    Raises
    ------
    UnreadableError
        If they are not in that encoding.
    """
    try:
        text = data.decode(encoding or "utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableError(
            "its encoding is neither UTF-8, UTF-16 nor Windows-1252: save it as 'CSV UTF-8' (Excel) or with "
            "'Unicode (UTF-8)' (SQL Server)."
        ) from None
    return text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _source(file: TextFile) -> Any:
    if not file.encoding:
        return file.path.absolute() if file.data is None else file.data
    return decoded(b"".join(_pieces(file.path, file.data)), file.encoding).encode("utf-8")


def scan(files: list[TextFile]) -> pl.LazyFrame:
    """Read files of one manner, every value as text; columns are named by their place, "0", "1" and so on."""
    one = files[0]
    return pl.scan_csv(
        [_source(file) for file in files],
        separator=one.delimiter,
        skip_lines=one.skip,
        infer_schema=False,
        null_values=NULLS,
        new_columns=[str(k) for k in range(len(one.headings))],
        truncate_ragged_lines=True,
        glob=False,
    )


def uneven_rows(file: TextFile) -> tuple[int, int]:
    """Count the rows with fewer values than the heading, and those with more.

    Polars fills the first with nothing and cuts the others off. Delimiters are
    counted line by line; only where a quoted value may run over lines are the
    rows read one by one.
    """
    n = len(file.headings)
    if n < 2:
        return 0, 0
    quoted = pl.col("line").str.replace_all(r'"[^"]*"', "")
    count = quoted.str.count_matches(file.delimiter, literal=True)
    lines = pl.scan_csv(
        [_source(file)],
        separator="\x1f",
        quote_char=None,
        has_header=False,
        skip_lines=file.skip + 1,
        infer_schema=False,
        new_columns=["line"],
        glob=False,
        raise_if_empty=False,
    )
    if not lines.collect_schema():
        return 0, 0
    there = pl.col("line").str.strip_chars().fill_null("") != ""
    counted = lines.select(
        (there & (count < n - 1)).sum().alias("short"),
        (there & (count > n - 1)).sum().alias("long"),
        quoted.str.contains('"', literal=True).sum().alias("open"),
    ).collect(engine="streaming")
    short, long, open_ = (int(counted[name][0] or 0) for name in ("short", "long", "open"))
    if not open_:
        return short, long
    return _uneven_one_by_one(file, n)


def _uneven_one_by_one(file: TextFile, n: int) -> tuple[int, int]:
    short = long = 0
    with io.TextIOWrapper(_open(file.path, file.data), encoding=file.encoding or "utf-8-sig", newline="") as text:
        rows = csv.reader(text, delimiter=file.delimiter)
        try:
            for _ in range(file.skip + 1):
                next(rows, None)
            for row in rows:
                if any(value.strip() for value in row):
                    short += len(row) < n
                    long += len(row) > n
        except csv.Error:
            return short, long
    return short, long
