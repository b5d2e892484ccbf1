"""What a value may become, by the type it has in the file and the type the schema asks for.

A value that would become empty, or another value, keeps its place empty and is
counted: Parquet is no laxer than CSV.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time

import polars as pl

from symphony_research.schema import Column

__all__ = ["Lost", "Reading", "family", "reading", "schema_type"]

_EXACT = 2**53  # beyond this a floating-point number skips integers
_WORDS = {
    "identifier": "an identifier (text or an integer)",
    "text": "text",
    "date": "a date (YYYY-MM-DD)",
    "integer": "an integer",
    "number": "a number",
}
_TYPES = {
    "identifier": pl.String(), "text": pl.String(), "date": pl.Date(), "integer": pl.Int64(), "number": pl.Float64(),
}  # fmt: skip
_PLURALS = {
    "text": "text", "whole": "integers", "number": "numbers", "date": "dates", "moment": "dates with a time",
    "none": "nothing",
}  # fmt: skip
_STRANGE: tuple[tuple[type[pl.DataType], str], ...] = (
    (pl.Boolean, "true and false"), (pl.Time, "times of day"), (pl.Duration, "lengths of time"), (pl.Binary, "bytes"),
    (pl.List, "lists"), (pl.Array, "lists"), (pl.Struct, "several values in one"),
)  # fmt: skip
_DAY = r"^([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})(?:[ T]0?0:00(?::00(?:\.0*)?)?)?$"
_MONTH = r"^([0-9]{4}-[0-9]{1,2})([ T].*)?$"
_MOMENT = r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[ T][0-9]{1,2}:[0-9]{2}"
_WHOLE = r"^([+-]?[0-9]+)(?:\.0*)?$"
_KEEP_THE_DAY = "Keep the day alone, in the time of the place itself (in SQL: CAST(... AS date))."
_EXCEL_DAY = "In Excel, format the column as yyyy-mm-dd before saving it as CSV."


@dataclass(frozen=True)
class Lost:
    """Rows whose value would be lost or changed: why, how many, and what to do."""

    message: str
    rows: pl.Expr
    advice: str = ""


@dataclass(frozen=True)
class Reading:
    """How one column is read: its values, and what would be lost in them."""

    value: pl.Expr
    lost: tuple[Lost, ...] = ()


def schema_type(column: Column) -> pl.DataType:
    """Return the type of a column that holds nothing."""
    return _TYPES[column.type]


def family(found: pl.DataType) -> str:
    """Return what a column of the file holds, in a word: types of one family may differ between parts."""
    if isinstance(found, pl.String | pl.Categorical | pl.Enum):
        return "text"
    if found.is_integer():
        return "whole"
    if found.is_float() or found.is_decimal():
        return "number"
    if isinstance(found, pl.Date):
        return "date"
    if isinstance(found, pl.Datetime):
        return "moment"
    return "none" if isinstance(found, pl.Null) else "strange"


def plural(found: pl.DataType) -> str:
    """Return what a column of the file holds, in words."""
    return next((words for kind, words in _STRANGE if isinstance(found, kind)), None) or _PLURALS.get(
        family(found), "values of a type of its own"
    )


def filled(source: pl.Expr, found: pl.DataType) -> pl.Expr:
    """Return whether something is there: not nothing, and not blanks alone."""
    if family(found) == "text":
        return (source.cast(pl.String).str.strip_chars() != "").fill_null(False)
    return source.is_not_null()


def reading(source: pl.Expr, column: Column, found: pl.DataType, words: Mapping[str, str] | None = None) -> Reading:
    """Return how a column is read.

    Parameters
    ----------
    source : polars.Expr
        The column of the file.
    column : Column
        What it should be.
    found : polars.DataType
        Its type in the file.
    words : mapping, optional
        Value of the file to the schema's, from study.toml; for text alone.
    """
    kind = family(found)
    if kind == "none":
        return Reading(pl.lit(None, dtype=_TYPES[column.type]))
    if kind == "text":
        text = source.cast(pl.String)
        if not (isinstance(found, pl.Enum) and all(name and name == name.strip() for name in found.categories)):
            bare = text.str.strip_chars()
            text = pl.when(bare != "").then(bare)
        return _of_text(text, column, words)
    if column.type in ("text", "identifier") and kind in ("whole", "number"):
        return _named_by_number(source, column, found, words)
    if column.type == "date" and kind in ("date", "moment"):
        return Reading(source) if kind == "date" else _of_moment(source, found)
    if column.type in ("integer", "number") and kind in ("whole", "number"):
        return _of_number(source, column, found)
    never = Lost(
        f"cannot be read as {_WORDS[column.type]}",
        source.is_not_null().sum(),
        f"The column holds {plural(found)}: write it as {_WORDS[column.type]}.",
    )
    return Reading(pl.lit(None, dtype=_TYPES[column.type]), (never,))


def _of_text(text: pl.Expr, column: Column, words: Mapping[str, str] | None) -> Reading:
    if column.type in ("text", "identifier"):
        return Reading(text.replace(dict(words)) if words else text)
    if column.type == "date":
        # most dates are plain ones: patterns see the few others alone
        plain = text.str.to_date("%Y-%m-%d", strict=False)
        odd = text.filter(text.is_not_null() & plain.is_null())
        unread = odd.filter(_odd_day(odd).is_null())
        timed = unread.str.contains(_MOMENT)
        return Reading(
            pl.coalesce(plain, _odd_day(pl.when(plain.is_null()).then(text))),
            (
                Lost("has a time of day or a time zone", timed.sum(), _KEEP_THE_DAY),
                Lost(f"cannot be read as {_WORDS['date']}", (~timed).sum(), _EXCEL_DAY),
            ),
        )
    value = (
        text.str.extract(_WHOLE, 1).cast(pl.Int64, strict=False)
        if column.type == "integer"
        else text.cast(pl.Float64, strict=False)
    )
    return Reading(
        value, (Lost(f"cannot be read as {_WORDS[column.type]}", (text.is_not_null() & value.is_null()).sum()),)
    )


def _odd_day(text: pl.Expr) -> pl.Expr:
    """Dates that are no plain YYYY-MM-DD: a month alone, or a midnight."""
    whole = text.str.replace(_MONTH, "$1-01$2").str.extract(_DAY, 1)
    return whole.str.to_date("%Y-%m-%d", strict=False)


def _of_moment(source: pl.Expr, found: pl.DataType) -> Reading:
    """Take a midnight for a day, in the column's own time zone; another time of day is not."""
    local = source.dt.replace_time_zone(None) if isinstance(found, pl.Datetime) and found.time_zone else source
    midnight = local.dt.time() == time(0)
    return Reading(
        pl.when(midnight).then(local.dt.date()),
        (Lost("has a time of day or a time zone", (~midnight).sum(), _KEEP_THE_DAY),),
    )


def _of_number(source: pl.Expr, column: Column, found: pl.DataType) -> Reading:
    whole = column.type == "integer"
    value = source.cast(_TYPES[column.type], strict=False)
    if family(found) == "whole" or whole:
        # what comes back otherwise was cut off, rounded or too large
        same = (value.cast(found, strict=False) == source).fill_null(False)
        value = pl.when(same).then(value)
        lost = source.is_not_null() & ~same
    else:
        lost = source.is_not_null() & value.is_null()
    return Reading(value, (Lost(f"cannot be read as {_WORDS[column.type]}", lost.sum()),))


def _named_by_number(source: pl.Expr, column: Column, found: pl.DataType, words: Mapping[str, str] | None) -> Reading:
    """Identifiers and codes that the file holds as numbers: whole ones, and no longer than can be distinguished."""
    lost: tuple[Lost, ...] = ()
    whole = source
    if family(found) == "number":
        there = source.is_not_null() & (~source.is_nan() if found.is_float() else pl.lit(True))
        whole = source.cast(pl.Int64, strict=False)
        same = (whole.cast(found, strict=False) == source).fill_null(False)
        if found.is_float():
            same = same & (source.abs() < _EXACT)
        whole = pl.when(same).then(whole)
        lost = (
            Lost(
                f"cannot be read as {_WORDS[column.type]}",
                (there & ~same).sum(),
                "It holds numbers with a fraction, or too long to be exact: write it as text.",
            ),
        )
    if column.type == "identifier":
        wide = isinstance(found, pl.UInt64 | pl.UInt128 | pl.Int128)
        return Reading(whole.cast(pl.String) if wide else whole.cast(pl.Int64), lost)
    text = whole.cast(pl.String)
    return Reading(text.replace(dict(words)) if words else text, lost)
