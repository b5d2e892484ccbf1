"""A count laid out over two strata: rows by columns, one panel for each value of a third."""

from __future__ import annotations

from html import escape
from typing import Any

import polars as pl

from symphony_research.errors import require_columns
from symphony_research.result import Result
from symphony_research.show.csv_text import csv_of
from symphony_research.show.gate import absent_words, mark_words, provenance, release, require_showable
from symphony_research.show.sentences import Limit, limit
from symphony_research.show.tables import MOST_ROWS, Table
from symphony_research.words.lexicon import COLUMN_WORDS, MARKS, NOT_ESTIMABLE, SUPPRESSED, capital, in_words
from symphony_research.words.numbers import number
from symphony_research.words.phrases import joined

__all__ = ["cross_table"]


def cross_table(
    result: Result,
    *,
    rows: str,
    columns: str,
    panels: str | None = None,
    value: str = "n_persons",
    most: int = MOST_ROWS,
    among: Result | None = None,
) -> Table | Limit:
    """Lay one column of a result out over its strata.

    Parameters
    ----------
    result : Result
        Any result whose estimates have the columns named.
    rows, columns : str
        Columns of the estimates whose values become rows and columns.
    panels : str, optional
        Column whose values become tables of their own, each folded away under
        its name.
    value : str, default "n_persons"
        What fills the cells.
    most : int, default 20
        The most rows, those with the largest sums first; the others are
        counted, and inside a report stand in a CSV beside the page. Where there are
        more, rows without a cell that may be shown are omitted.
    among : Result, optional
        A disclosed result that says which combinations may be named: those it
        shows. By default, or where that is not available, those with a cell that may be shown.

    Returns
    -------
    Table, or Limit where there is no result to tabulate
        A suppressed cell reads "[c]"; one that nobody is in reads 0, or "[c]" where
        the policy suppresses zeros.

    Raises
    ------
    ArgumentError
        On a column the result does not have.
    DisclosureError
        Inside a report, at once, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns(by=("age_band", "sex"))
    >>> held = sr.suppress(sr.multimorbidity.prevalence(patterns), sr.Policy.synthetic())
    >>> print(sr.cross_table(held, rows="condition", columns="age_band", panels="sex").caption)
    People, by condition and age
    """
    require_showable(result, "cross_table")
    if result.holds_nothing:
        return limit(result)
    frame = result.estimates
    require_columns(frame.columns, [c for c in (rows, columns, panels, value) if c], what="The result")
    done = result.disclosure
    if done is not None and result.rows_from_records:
        named = (result if among is None or among.holds_nothing else among).named.select(rows).unique()
        frame = frame.join(named, on=rows, how="semi", maintain_order="left")
    # a cell that is not there has nobody in it, or few: a zero would tell which of the others have somebody
    absent = "0" if result.settings.get("min_persons", 1) == 1 else NOT_ESTIMABLE
    if done is not None and not done.policy.changes_nothing and (result.rows_from_records or done.policy.hide_zeros):
        absent = SUPPRESSED
    heading = COLUMN_WORDS.get(value, capital(in_words(value)))
    names = [COLUMN_WORDS.get(c, in_words(c)).lower() for c in (rows, columns)]
    caption = f"{heading}, by {' and '.join(names)}"
    parts = []
    for panel in frame[panels].unique(maintain_order=True).sort() if panels else [None]:
        part = frame if panels is None else frame.filter(pl.col(panels).eq_missing(pl.lit(panel)))
        body = _grid(part, rows, columns, value, most, caption, absent)
        name = "" if panel is None else capital(in_words(panel))
        parts.append(
            f'<details class="panel"><summary>{escape(name)}: {escape(caption.lower())}</summary>{body}</details>'
            if name
            else body
        )
    notes = provenance(result)
    if done is not None:
        notes = [
            f"{SUPPRESSED} {MARKS[SUPPRESSED]}: {mark_words(absent_words(result, done.policy), done.policy)}.",
            *notes,
        ]
    note = f'<p class="note">{escape(" ".join(notes))}</p>' if notes else ""
    every = _every_cell(frame, rows, columns, panels, value, absent)
    html = f'<div class="symphony-result">{"".join(parts)}{note}</div>'
    return release(Table(html, caption, every if frame[rows].n_unique() > most else "", " ".join(notes)), result)


def _every_cell(frame: pl.DataFrame, rows: str, columns: str, panels: str | None, value: str, absent: str) -> str:
    """Return every row that may be named as CSV: one line for each row of each panel."""
    across = frame[columns].unique().sort().to_list()
    own = [c for c in (panels, rows) if c]
    lines: dict[tuple[str, ...], dict[Any, str]] = {}
    for record in frame.iter_rows(named=True):
        key = tuple(" + ".join(record[c]) if isinstance(record[c], list) else str(record[c]) for c in own)
        cell = SUPPRESSED if record[value] is None else str(record[value])
        lines.setdefault(key, {})[record[columns]] = cell
    kept = [
        [*key, *(cells.get(c, absent) for c in across)]
        for key, cells in lines.items()
        if any(cell not in (SUPPRESSED, "0") for cell in cells.values())
    ]
    return csv_of([*own, *map(str, across)], kept)


def _grid(frame: pl.DataFrame, rows: str, columns: str, value: str, most: int, caption: str, absent: str) -> str:
    across = frame[columns].unique().sort().to_list()
    key = pl.col(rows).list.join(" + ") if frame.schema[rows] == pl.List(pl.String) else pl.col(rows).cast(pl.String)
    keyed = frame.with_columns(key.alias("__key"))
    # the order of rows is made from what may be shown alone
    order = keyed.group_by("__key", maintain_order=True).agg(pl.col(rows).first(), pl.col(value).sum().alias("__all"))
    order = order.sort(["__all", "__key"], descending=[True, False])
    every = order.height
    if every > most:  # the sum of nothing but suppressed cells is 0
        order = order.filter(pl.col("__all") > 0)
    cells: dict[tuple[Any, Any], Any] = {(k, c): v for k, c, v in keyed.select("__key", columns, value).iter_rows()}
    head = "".join(f'<th scope="col">{escape(in_words(c))}</th>' for c in across)
    corner = escape(capital(COLUMN_WORDS.get(rows, in_words(rows))))
    lines = []
    for name, held, _ in order.head(most).iter_rows():
        said = (
            capital(joined(held))
            if isinstance(held, list) and held
            else "No conditions"
            if isinstance(held, list)
            else capital(in_words(held))
        )
        texts = [
            SUPPRESSED
            if (name, c) in cells and cells[name, c] is None
            else number(cells[name, c])
            if (name, c) in cells
            else absent
            for c in across
        ]
        lines.append(
            f'<tr><th scope="row">{escape(said)}</th>'
            + "".join(f'<td class="number">{t}</td>' for t in texts)
            + "</tr>"
        )
    rest, starred = max(order.height - most, 0), every - order.height
    unlisted = [f"{rest:,} more row{'s' * (rest != 1)}"] * (rest > 0)
    unlisted += [f"{starred:,} row{'s' * (starred != 1)} without a cell that may be shown"] * (starred > 0)
    more = f'<p class="more">and {", ".join(unlisted)}</p>' if unlisted else ""
    return (
        f'<div class="wide"><table class="symphony"><caption>{escape(caption)}</caption><thead><tr><th scope="col">{corner}</th>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>{more}"
    )
