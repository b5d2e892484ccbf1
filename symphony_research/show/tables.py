"""A result as a table or a sentence, on a page or in a file."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import polars as pl

from symphony_research.errors import ArgumentError, require_columns
from symphony_research.result import Result
from symphony_research.result.roles import Mean
from symphony_research.show.files import beside, suffix_of
from symphony_research.show.gate import (
    band,
    hidden_words,
    mark_words,
    provenance,
    release,
    require_disclosed,
    require_plain_words,
    require_showable,
    unlisted_note,
)
from symphony_research.wording import (
    COLUMN_WORDS,
    COUNT_COLUMNS,
    HIDDEN,
    NOT_RECORDED,
    UNDEFINED,
    html_table,
    in_words,
    number,
)

__all__ = ["Sentence", "Table", "sentence", "table", "write_table"]

# of a released curve, as its marks stand in a table
_MARKS = {
    "[c]": "suppressed by disclosure control",
    "[x]": "not available: beyond the end of follow-up",
    "[z]": "not applicable, or cannot be estimated",
}


@dataclass(frozen=True)
class Table:
    """A table of a result, as HTML and as plain text.

    Attributes
    ----------
    html : str
        With a caption, a heading to each column and row, and notes.
    caption : str
    """

    html: str = field(repr=False)
    caption: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return _as_text(self.html)


@dataclass(frozen=True)
class Sentence:
    """A finding in words."""

    text: str

    def _repr_markdown_(self) -> str:
        # what a name holds is text, not mark-up
        return re.sub(r"([\\`*_\[\]<>$|#~])", r"\\\1", self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def sentence(result: Result) -> Sentence:
    """Return the finding of a result in one sentence, to stand as a paragraph.

    Parameters
    ----------
    result : Result

    Returns
    -------
    Sentence

    Raises
    ------
    DisclosureError
        Inside a report, at once, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> from symphony_research.show import sentence
    >>> cohort = sr.define_cohort(sr.example_study())
    >>> str(sentence(cohort.attrition)).endswith(".")
    True
    """
    require_showable(result, "sentence")
    return release(Sentence(result.sentence()), result)


def table(
    result: Result,
    *,
    columns: Sequence[str] | None = None,
    rows: int = 20,
    sort: str | Sequence[str] | None = None,
    words: Mapping[str, str] | None = None,
    caption: str | None = None,
    folded: bool = False,
) -> Table:
    """Return the estimates of a result as a table for a page.

    Parameters
    ----------
    result : Result
    columns : sequence of str, optional
        Columns of `result.estimates`; by default the strata and those the family shows.
    rows : int, default 20
        The most rows; the others are counted.
    sort : str or sequence of str, optional
        Columns to sort by: numbers largest first, words in the alphabet, gaps last.
    words : mapping, optional
        Headings of columns, over the family's own.
    caption : str, optional
        By default what the table holds, `result.title`.
    folded : bool, default False
        Fold the table away under its caption; a click opens it.

    Returns
    -------
    Table

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
    for own in (caption, *(words or {}).values()):
        require_plain_words(own, "caption or heading")
    frame = result.named
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
    body = _html(result, frame, columns, rows, words, caption, by)
    if folded:
        body = f'<details class="panel"><summary>{escape(caption)}</summary>{body}</details>'
    return release(Table(body, caption), result)


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
    In the CSV a hidden figure is "*", one that does not exist is empty, and the
    conditions of a combination are joined by " + ".

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
        with beside(path) as draft, draft.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(chosen)
            for record in frame.iter_rows(named=True):
                writer.writerow(
                    [
                        NOT_RECORDED
                        if c in result.by and record[c] is None
                        else _csv_cell(record[c], result.gap(record, c) == HIDDEN)
                        for c in chosen
                    ]
                )
        return Path(path)
    words = result.sentence()
    body = _html(result, frame, _columns(result, columns), max(frame.height, 1), None, words)
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(words)}</title></head>\n'
        f"<body>{body}</body></html>\n"
    )
    with beside(path) as draft:
        draft.write_text(page, encoding="utf-8")
    return Path(path)


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
) -> str:
    share = f"{100 * result.settings.get('confidence', 0.95):g} %"
    limits = {"lower": f"{share} from", "upper": f"{share} to"}
    headings = {**COLUMN_WORDS, **limits, **result.column_words, **(words or {})}
    text = html_table(
        frame.head(rows), columns=columns, words={**limits, **result.column_words, **(words or {})}, rows=rows,
        percentages=result.percentages, say=result.say,
    )  # fmt: skip
    text = text.replace('<table class="symphony">', f'<table class="symphony"><caption>{escape(caption)}</caption>', 1)
    # the first cell of a row is its heading
    text = re.sub(r"<tr><td( class=\"number\")?>(.*?)</td>", r'<tr><th scope="row"\1>\2</th>', text)
    warning = band(result)
    above = f'<p class="undisclosed">{escape(warning)}</p>' if warning else ""
    notes = []
    text += _more(result, frame.slice(rows))
    if sort:
        order = [
            f"{headings.get(c, in_words(c))}{', largest first' if frame.schema[c].is_numeric() else ''}" for c in sort
        ]
        notes.append(f"In the order of: {'; '.join(order)}.")
    if result.disclosure is not None and f">{HIDDEN}<" in text:
        policy = result.disclosure.policy
        mark = mark_words(hidden_words(policy), policy)
        means = any(roles.of_role(Mean) for roles in result.roles.values())
        mostly = ", or a mean of which one or two people may be most" if means else ""
        notes.append(f"{HIDDEN} {mark}, or a figure made from such a count{mostly}.")
    if f">{UNDEFINED}<" in text:
        notes.append(f"{UNDEFINED} does not exist.")
    notes += [f"{mark} {words}." for mark, words in _MARKS.items() if f">{mark}<" in text]
    notes += unlisted_note(result, "listed")
    notes += provenance(result)
    below = f'<p class="note">{escape(" ".join(notes))}</p>' if notes else ""
    return f'<div class="symphony-result">{above}{text}{below}</div>'


def _more(result: Result, rest: pl.DataFrame) -> str:
    """Count the rows that are not listed: those with figures, those hidden, and those that nobody is in."""
    counts = [c for c in COUNT_COLUMNS if c in rest.columns]
    if not rest.height:
        return ""
    gone = pl.any_horizontal([pl.col(c).is_null() for c in counts]) if counts else pl.lit(False)
    hidden = rest.filter(gone).height if result.disclosure is not None else 0
    # whom the row itself counts
    own = next((c for roles in result.roles.values() for c in roles.people if c in counts), None)
    nobody = rest.filter(~gone & (pl.col(own) == 0)).height if own else 0
    parts = [(rest.height - hidden - nobody, "more row"), (hidden, "hidden"), (nobody, "of nobody")]
    said = [f"{number(n)} {what}{'s' if what == 'more row' and n != 1 else ''}" for n, what in parts if n]
    if said and "row" not in said[0]:
        said[0] += " row" if rest.height == 1 else " rows"
    return f'<p class="more">and {", ".join(said)}</p>'


def _csv_cell(value: Any, hidden: bool) -> Any:
    if value is None:
        return HIDDEN if hidden else ""
    if isinstance(value, (list, tuple, pl.Series)):
        return " + ".join(str(v) for v in value)
    return value


def _as_text(text: str) -> str:
    """Return the table as plain text, one line a row."""
    text = re.sub(r"</(th|td)><(th|td)[^>]*>", "  |  ", text)
    text = re.sub(r"</(tr|caption|p)>", "\n", text)
    import html

    lines = html.unescape(re.sub(r"<[^>]+>", "", text)).splitlines()
    return "\n".join(line for line in lines if line.strip())
