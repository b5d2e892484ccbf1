"""Rows as CSV in which no spreadsheet finds a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from symphony_research.result import Result
from symphony_research.words.lexicon import NOT_RECORDED, SUPPRESSED

__all__ = ["as_csv", "csv_of"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute what begins so


def as_csv(result: Result, frame: pl.DataFrame, columns: Sequence[str]) -> str:
    """Return rows of a disclosed result as CSV, safe to open in a spreadsheet."""
    lines = [
        [
            NOT_RECORDED
            if c in result.by and record[c] is None
            else _csv_cell(record[c], result.missing_marker(record, c) == SUPPRESSED)
            for c in columns
        ]
        for record in frame.iter_rows(named=True)
    ]
    return csv_of(columns, lines)


def csv_of(heads: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """Return rows as CSV in which no spreadsheet finds a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_no_formula(head) for head in heads])
    writer.writerows([[_no_formula(cell) for cell in line] for line in lines])
    return out.getvalue()


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _csv_cell(value: Any, suppressed: bool) -> Any:
    if value is None:
        return SUPPRESSED if suppressed else ""
    if isinstance(value, (list, tuple, pl.Series)):
        return " + ".join(str(v) for v in value)
    return value
