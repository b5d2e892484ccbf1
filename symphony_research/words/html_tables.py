"""HTML tables: a data frame with words for names and formatted numbers."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from symphony_research.words.lexicon import COLUMN_WORDS, INTERVALS, NOT_ESTIMABLE, capital, in_words
from symphony_research.words.numbers import number, p_value, percentage, pounds, times
from symphony_research.words.phrases import joined

__all__ = ["html_table"]


def _cell(value: Any, column: str) -> str:
    if isinstance(value, (list, pl.Series)):
        return joined(value) if len(value) else "no conditions"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if column in ("p_value", "q_value", "family_wise_p", "p_value_half"):
        return p_value(value)
    if column == "time":
        return f"{value:,g}"
    if column in ("oe_lower", "oe_upper") or column.startswith("observed_expected"):
        return times(value)
    if isinstance(value, float):
        return pounds(value) if column.startswith(("mean_cost", "total_cost")) else number(value)
    if isinstance(value, int):
        return number(value)
    return in_words(value)


_NUMBER = ' class="number"'
_FIGURE = re.compile(r"\[|[<>£−-]*\d")


def html_table(
    frame: pl.DataFrame,
    *,
    columns: Sequence[str] | None = None,
    words: Mapping[str, str] | None = None,
    rows: int = 20,
    percentages: Sequence[str] = (),
    format_cell: Callable[[Mapping[str, Any], str], str | None] | None = None,
    interval: str = "95% CI",
    as_text: bool = False,
) -> str:
    """Return a frame as a small HTML table with words for names and rounded numbers.

    `format_cell` may give a cell's words, from the row and the column; by default a
    missing value is marked as not applicable. An estimate and its limits share one cell. At most `rows` rows are given; the rest
    are counted. A frame `as_text` has headings for names and words for values already.
    """
    words = {**COLUMN_WORDS, **(words or {})}
    columns = [c for c in (columns or frame.columns) if c in frame.columns]
    limits = {c: both for c, both in INTERVALS.items() if c in columns and set(both) <= set(columns)}
    columns = [c for c in columns if not any(c in both for both in limits.values())]

    def text_of(record: Mapping[str, Any], c: str) -> str:
        if as_text:
            return str(record[c])
        text = format_cell(record, c) if format_cell else None
        if text is None and record[c] is None:
            return NOT_ESTIMABLE
        if text is None:
            return percentage(record[c]) if c in percentages else _cell(record[c], c)
        return text

    def with_interval(record: Mapping[str, Any], c: str) -> str:
        if c not in limits or record[c] is None or all(record[end] is None for end in limits[c]):
            return text_of(record, c)
        low, high = (text_of(record, end).rstrip("%") for end in limits[c])
        return f"{text_of(record, c)} ({low} to {high})"

    def heading(c: str) -> str:
        if as_text:
            return c
        said = words.get(c, capital(in_words(c)))
        return f"{said} ({interval})" if c in limits else said

    numeric = {c: (_figures(frame, c) if at else "") if as_text else _numeric(frame, c) for at, c in enumerate(columns)}
    head = "".join(f'<th scope="col"{numeric[c]}>{html.escape(heading(c))}</th>' for c in columns)
    body = []
    for record in frame.head(rows).iter_rows(named=True):
        cells = [f"<td{numeric[c]}>{html.escape(with_interval(record, c))}</td>" for c in columns]
        body.append(f"<tr>{''.join(cells)}</tr>")
    more = frame.height - rows
    foot = f'<p class="more">and {more:,} more rows</p>' if more > 0 else ""
    return f'<table class="symphony"><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table>{foot}'


def _figures(frame: pl.DataFrame, column: str) -> str:
    """Return the class of a column of words where each begins with a figure, or is the mark of one that is missing."""
    said = [value for value in frame[column].to_list() if value]
    return _NUMBER if all(_FIGURE.match(value) for value in said) else ""


def _numeric(frame: pl.DataFrame, column: str) -> str:
    return _NUMBER if frame.schema[column].is_numeric() else ""
