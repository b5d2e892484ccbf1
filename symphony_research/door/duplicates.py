"""One thing counted as two: names that differ only in how they are written, and rows that come twice."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import polars as pl

from symphony_research.door.finding import Finding
from symphony_research.door.folder import shown_suffix
from symphony_research.door.text import UnreadableError, look_at, scan
from symphony_research.schema import STUDY_TABLES

__all__ = ["near_names", "repeated_rows", "same_parts", "squashed"]

# tables without a key, and the columns of which most differing rows differ in one
_KEYLESS = {"activity": ("person_id", "date", "cost"), "outcomes": ("person_id", "date", "value")}
_TOO_MANY = 1 / 3
_DIFFER = "differs from another name only in capitals, spaces or punctuation"


def squashed(name: str) -> str:
    """Return a name without capitals, and with one blank for any spaces, dashes and underscores."""
    return re.sub(r"[\s_\-\u2010-\u2015]+", " ", unicodedata.normalize("NFKC", name).casefold()).strip()


def near_names(tables: Mapping[str, pl.LazyFrame], listed: Sequence[str] | None) -> list[Finding]:
    """Count the rows whose name is written otherwise than the same name in most rows, or in the study's list.

    Names in columns of one name, such as hub, are held against each other in
    all tables.

    Parameters
    ----------
    tables : mapping
        The study's tables.
    listed : sequence of str or None
        The conditions of study.toml.
    """
    counted: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for table, frame in tables.items():
        have = frame.collect_schema()
        names = [c.name for c in STUDY_TABLES[table].columns if c.type == "text" and not c.allowed and c.name in have]
        # one pass for all columns of a table
        asked = [frame.select(pl.col(name).drop_nulls()).group_by(name).len() for name in names]
        for name, rows in zip(names, pl.collect_all(asked, engine="streaming"), strict=True):
            counted[name] |= {(table, word): n for word, n in rows.iter_rows()}
    found = []
    for column_name, rows_of in counted.items():
        usual = _usual(rows_of, (listed or ()) if column_name == "condition" else ())
        odd: dict[str, int] = defaultdict(int)
        for (table, name), n in rows_of.items():
            if usual[squashed(name)] != name:
                odd[table] += n
        for table, n in odd.items():
            advice = f"Write it the same way everywhere, or map it in study.toml under [values.{table}.{column_name}]."
            found.append(Finding(table, column_name, n, _DIFFER, advice))
    if listed is not None and len({squashed(name) for name in listed}) < len(listed):
        found.append(
            Finding(
                "study.toml",
                "conditions",
                0,
                "lists a condition twice, or two that differ only in how they are written.",
            )
        )
    return found


def _usual(rows_of: Mapping[tuple[str, str], int], listed: Iterable[str]) -> dict[str, str]:
    """Return the way a name is written in most rows; the study's own list comes first."""
    rows: dict[str, int] = defaultdict(int)
    for (_, name), n in rows_of.items():
        rows[name] += n
    usual = {squashed(name): name for name in sorted(rows, key=lambda name: (rows[name], name))}
    return usual | {squashed(name): name for name in listed}


def repeated_rows(
    tables: Mapping[str, pl.LazyFrame], real: Collection[str], *, exactly: bool
) -> tuple[list[Finding], list[str]]:
    """Count the rows that are the same as another in every column, where a table has no key to tell by.

    So many that the table was probably loaded twice are a fault; fewer are a note.

    Parameters
    ----------
    tables : mapping
        The study's tables.
    real : collection of str
        Tables in which equal rows are different contacts.
    exactly : bool
        Whether to count them where they are few as well; it takes three times as long.
    """
    found, notes = [], []
    for name, near in _KEYLESS.items():
        if name not in tables:
            continue
        frame = tables[name]
        have = frame.collect_schema().names()
        rows, extra = _rows_and_repeats(frame, [column for column in near if column in have])
        likely = extra > rows * _TOO_MANY and rows >= 6
        if extra and (likely or exactly):
            rows, extra = _rows_and_repeats(frame, have)
        elif not likely:
            continue
        if not extra:
            continue
        if extra > rows * _TOO_MANY and rows >= 6 and name not in real:
            advice = (
                "Perhaps the table was loaded twice. If they are different contacts, say so in study.toml: "
                f'repeated_rows = ["{name}"].'
            )
            found.append(Finding(name, "", extra, "the same row comes more than once", advice))
        else:
            share = 100 * extra / rows
            notes.append(
                f"{name}: {extra:,} rows ({share:.1f}%) are the same as another in every column, and are kept."
            )
    return found, notes


def same_parts(files: Mapping[str, Sequence[Path]], digests: Mapping[Path, bytes]) -> list[Finding]:
    """Name the parts of a table that are the same to the last byte."""
    found = []
    for table, paths in files.items():
        first: dict[bytes, Path] = {}
        for path in paths:
            other = first.setdefault(digests[path], path)
            if other is not path and _has_rows(path):
                told = f"the same file is there twice: {other.name} and {path.name}"
                found.append(Finding(table, "", 0, told, "Take one out."))
    return found


def _has_rows(path: Path) -> bool:
    """Return whether a part holds more than a heading: empty parts are all the same, and Spark leaves many."""
    try:
        if shown_suffix(path) == "parquet":
            rows = (
                pl.scan_parquet(path.absolute(), glob=False, hive_partitioning=False).select(pl.len()).collect().item()
            )
            return int(rows) > 0
        return scan([look_at(path, lambda headings: 0)]).head(1).collect().height > 0
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, UnreadableError):
        return False


def _rows_and_repeats(frame: pl.LazyFrame, columns: Sequence[str]) -> tuple[int, int]:
    counted = frame.select(
        pl.len().alias("rows"), pl.struct(list(columns)).hash().n_unique().alias("different")
    ).collect(engine="streaming")
    rows = int(counted["rows"][0])
    return rows, rows - int(counted["different"][0])
