"""A result as a table, on a page or in a file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import polars as pl

from symphony_research.errors import ArgumentError, require_columns
from symphony_research.result import Result, inside_report
from symphony_research.result.roles import Mean
from symphony_research.show.csv_text import as_csv
from symphony_research.show.gate import (
    band,
    hidden_words,
    mark_words,
    provenance,
    release,
    require_disclosed,
    require_plain_words,
    require_showable,
    said_of,
    unlisted_note,
)
from symphony_research.show.sentences import Limit, limit
from symphony_research.show.writing import beside, suffix_of
from symphony_research.words.html_tables import html_table
from symphony_research.words.lexicon import COLUMN_WORDS, COUNT_COLUMNS, MARKS, SUPPRESSED, in_words
from symphony_research.words.numbers import number

__all__ = ["MOST_ROWS", "Table", "table", "write_table"]

_SET_IN = "\u2003"  # before the name of a row that stands under another
MOST_ROWS = 20  # of a table on a page; the others stand in its CSV


@dataclass(frozen=True)
class Table:
    """A table of a result, as HTML and as plain text.

    Attributes
    ----------
    html : str
        With a caption, a heading to each column and row, and notes.
    caption : str
    csv : str
        All rows, where the page shows some of them; inside a report it stands beside the page.
    rule : str
        What the marks of the CSV mean, and under which rule it is released.
    """

    html: str = field(repr=False)
    caption: str
    csv: str = field(default="", repr=False)
    rule: str = field(default="", repr=False)

    def _repr_html_(self) -> str:
        return self.html

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        data = {"text/html": self.html, "text/plain": repr(self)}
        if not self.csv or not inside_report():
            return data, {}
        return {**data, "text/csv": self.csv}, {"text/csv": {"caption": self.caption, "rule": self.rule}}

    def __repr__(self) -> str:
        return _as_text(self.html)


def table(
    result: Result,
    *,
    columns: Sequence[str] | None = None,
    rows: int = MOST_ROWS,
    sort: str | Sequence[str] | None = None,
    words: Mapping[str, str] | None = None,
    caption: str | None = None,
    folded: bool = False,
) -> Table | Limit:
    """Return the estimates of a result as a table for a page.

    Parameters
    ----------
    result : Result
    columns : sequence of str, optional
        Columns of `result.estimates`; by default the strata and those the family shows.
    rows : int, default 20
        The most rows, 20 or fewer on a page of a report; where there are more, all of them
        stand in a CSV beside it.
        A family that prints its table as journals do (`result.display()`) prints all
        of it, unless `columns` or `sort` are given.
    sort : str or sequence of str, optional
        Columns to sort by: numbers largest first, words in the alphabet, missing values last.
    words : mapping, optional
        Headings of columns, over the family's own.
    caption : str, optional
        By default what the table holds, `result.title`.
    folded : bool, default False
        Fold the table away under its caption; a click opens it.

    Returns
    -------
    Table, or Limit where there is no result to tabulate

    Raises
    ------
    ArgumentError
        On a column the result does not have, or rows below one.
    DisclosureError
        Inside a report, at once, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> from symphony_research.show import table
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.suppress(sr.multimorbidity.prevalence(patterns), sr.Policy.synthetic())
    >>> table(found, columns=["condition", "estimate"], sort="estimate", rows=3).html.count("<tr>")
    4
    """
    require_showable(result, "table")
    if rows < 1:
        raise ArgumentError(f"rows={rows} must be at least 1.")
    if result.holds_nothing:
        return limit(result)
    for own in (caption, *(words or {}).values()):
        require_plain_words(own, "caption or heading")
    frame = result.named
    printed = result.display() if columns is None and sort is None else None
    rows = min(rows, MOST_ROWS) if inside_report() else rows
    if (instead := result.instead_of_table()) is not None:
        return release(Table(f'<p class="note">{escape(instead)}</p>', instead), result)
    columns = _columns(result, columns)
    by = [sort] if isinstance(sort, str) else list(sort or ())
    require_columns(frame.columns, by, what="The result")
    if by:
        frame = frame.sort(
            by, descending=[frame.schema[c].is_numeric() for c in by], nulls_last=True, maintain_order=True
        )
    caption = result.title if caption is None else caption
    body, notes = _html(result, frame, columns, rows, words, caption, by, printed)
    if folded:
        body = f'<details class="panel"><summary>{escape(caption)}</summary>{body}</details>'
    every = as_csv(result, frame, columns) if printed is None and frame.height > rows else ""
    return release(Table(body, caption, every, notes), result)


def write_table(result: Result, path: str | os.PathLike[str], *, columns: Sequence[str] | None = None) -> Path:
    """Write the estimates of a disclosed result as CSV or HTML, all rows.

    Parameters
    ----------
    result : Result
        A result that has passed `suppress`.
    path : path
        Its ending says the kind: .csv or .html. An older file is replaced once
        the new one is whole.
    columns : sequence of str, optional
        By default all, in a CSV; in HTML those the family shows.

    Returns
    -------
    pathlib.Path
        Where it was written.

    Raises
    ------
    DisclosureError
        If the result has not passed `suppress`, inside a report or not.
    ArgumentError
        On another ending, a column the result does not have, or a folder that does not exist.

    Notes
    -----
    In the CSV a suppressed figure is "[c]", one that does not exist is empty, and the
    conditions of a combination are joined by " + ". What a spreadsheet would take for
    a formula has an apostrophe before it.

    Examples
    --------
    >>> import tempfile
    >>> import symphony_research as sr
    >>> from symphony_research.show import write_table
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.suppress(sr.multimorbidity.prevalence(patterns), sr.Policy.synthetic())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table(found, folder + "/prevalence.csv").name
    'prevalence.csv'
    """
    require_disclosed(result, "write_table")
    kind = suffix_of(path, ("csv", "html"))
    frame = result.named
    if kind == "csv":
        chosen = list(columns) if columns is not None else frame.columns
        require_columns(frame.columns, chosen, what="The result")
        with beside(path) as draft:
            draft.write_bytes(as_csv(result, frame, chosen).encode())
        return Path(path)
    words = said_of(result)
    printed = result.display() if columns is None else None
    body, _ = _html(result, frame, _columns(result, columns), max(frame.height, 1), None, words, (), printed)
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(words)}</title></head>\n'
        f"<body>{body}</body></html>\n"
    )
    with beside(path) as draft:
        draft.write_text(page, encoding="utf-8")
    return Path(path)


def _with_groups(text: str) -> str:
    """Say before the name of each row that is set in what it is set in under: by ear rows of several groups have one name."""
    group = ""

    def row(found: re.Match[str]) -> str:
        nonlocal group
        name = found["name"]
        if not name.startswith(_SET_IN):
            group = name.split(",")[0]
            return found[0]
        return f'<th scope="row" class="sub"><span class="unseen">{group}: </span>{name.removeprefix(_SET_IN)}</th>'

    return re.sub(r'<th scope="row"[^>]*>(?P<name>.*?)</th>', row, text)


def _columns(result: Result, columns: Sequence[str] | None) -> list[str]:
    available = result.estimates.columns
    if columns is None:
        return [c for c in (*result.by, *result.shown) if c in available] if result.shown else available
    if isinstance(columns, str):
        columns = [columns]
    require_columns(available, columns, what="The result")
    return list(columns)


def _html(
    result: Result,
    frame: pl.DataFrame,
    columns: Sequence[str],
    rows: int,
    words: Mapping[str, str] | None,
    caption: str,
    sort: Sequence[str] = (),
    printed: pl.DataFrame | None = None,
) -> tuple[str, str]:
    interval = f"{100 * result.settings.get('confidence', 0.95):g}% CI"
    headings = {**COLUMN_WORDS, **result.column_words, **(words or {})}
    if printed is None:
        text = html_table(
            frame.head(rows), columns=columns, words={**result.column_words, **(words or {})}, rows=rows,
            percentages=result.percentages, format_cell=result.format_cell, interval=interval,
        )  # fmt: skip
    else:
        text = html_table(printed, rows=max(printed.height, 1), as_text=True)
        rows, frame = max(printed.height, 1), printed
    # a long narrow table is printed in two columns
    kind = "symphony long" if printed is not None and printed.height > MOST_ROWS and printed.width < 3 else "symphony"
    text = text.replace('<table class="symphony">', f'<table class="{kind}"><caption>{escape(caption)}</caption>', 1)
    # the first cell of a row is its heading; one that is set in stands under another
    text = re.sub(r"<tr><td( class=\"number\")?>(.*?)</td>", r'<tr><th scope="row"\1>\2</th>', text)
    if printed is not None:
        text = _with_groups(text)
    warning = band(result)
    above = f'<p class="undisclosed">{escape(warning)}</p>' if warning else ""
    notes = []
    text += _more(result, frame.slice(rows))
    if sort:
        order = [
            f"{headings.get(c, in_words(c))}{', largest first' if frame.schema[c].is_numeric() else ''}" for c in sort
        ]
        notes.append(f"Sorted by {'; '.join(order)}.")
    notes += mark_notes(result, text)
    notes += result.notes(columns)
    notes += unlisted_note(result, "listed")
    notes += provenance(result)
    below = f'<p class="note">{escape(" ".join(notes))}</p>' if notes else ""
    return f'<div class="symphony-result">{above}{text}{below}</div>', " ".join(notes)


def mark_notes(result: Result, text: str) -> list[str]:
    """Explain each mark that a table holds."""
    notes = []
    for mark, words in MARKS.items():
        if not re.search(rf"[> (]{re.escape(mark)}[<) ]", text):
            continue
        if mark == SUPPRESSED and result.disclosure is not None and not result.disclosure.policy.changes_nothing:
            policy = result.disclosure.policy
            words += f": {mark_words(hidden_words(policy), policy)}, or a figure made from such a count"
            if any(roles.of_role(Mean) for roles in result.roles.values()):
                words += ", or a mean that one or two people dominate"
        notes.append(f"{mark} {words}.")
    return notes


def _more(result: Result, rest: pl.DataFrame) -> str:
    """Count the rows that are not listed: those with figures, those suppressed, and those that nobody is in."""
    counts = [c for c in COUNT_COLUMNS if c in rest.columns]
    if not rest.height:
        return ""
    gone = pl.any_horizontal([pl.col(c).is_null() for c in counts]) if counts else pl.lit(False)
    suppressed = rest.filter(gone).height if result.disclosure is not None else 0
    # whom the row itself counts
    own = next((c for roles in result.roles.values() for c in roles.people if c in counts), None)
    nobody = rest.filter(~gone & (pl.col(own) == 0)).height if own else 0
    parts = [(rest.height - suppressed - nobody, "more row"), (suppressed, "suppressed"), (nobody, "of nobody")]
    said = [f"{number(n)} {what}{'s' if what == 'more row' and n != 1 else ''}" for n, what in parts if n]
    if said and "row" not in said[0]:
        said[0] += " row" if rest.height == 1 else " rows"
    return f'<p class="more">and {", ".join(said)}</p>'


def _as_text(text: str) -> str:
    """Return the table as plain text, one line a row."""
    text = re.sub(r"</(th|td)><(th|td)[^>]*>", "  |  ", text)
    text = re.sub(r"</(tr|caption|p)>", "\n", text)
    import html

    lines = html.unescape(re.sub(r"<[^>]+>", "", text)).splitlines()
    return "\n".join(line for line in lines if line.strip())
