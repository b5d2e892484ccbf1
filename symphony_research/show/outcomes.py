"""Several outcomes of the same people on little room: small panels side by side, and one table with an outcome a column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.collapse.margins import same_stratum
from symphony_research.errors import ArgumentError
from symphony_research.result import Result
from symphony_research.show.drawn_curves import curves_of, draw_curve, top_of
from symphony_research.show.frame import alt_text, pixels_of
from symphony_research.show.gate import is_family, provenance, release, require_showable
from symphony_research.show.numbers_at_risk import NumbersAtRisk
from symphony_research.show.pictures import Picture, caption_of, paletted
from symphony_research.show.sentences import Sentence
from symphony_research.show.style import (
    DPI,
    INK,
    LABEL,
    MAIN,
    MARGIN,
    QUIET,
    SMALL,
    drawing,
    plain_axes,
    text_height,
    wrapped,
)
from symphony_research.show.tables import Table, mark_notes
from symphony_research.show.time_axis import grid_ticks, time_ticks
from symphony_research.show.titles import curve_title
from symphony_research.survival import at
from symphony_research.survival.figures import number_with_interval
from symphony_research.words.html_tables import html_table
from symphony_research.words.lexicon import capital
from symphony_research.words.phrases import confidence_of, share_with_interval, strata_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["outcome_picture", "outcome_table"]

_CURVES = ("SurvivalCurve", "CumulativeIncidence", "NelsonAalen", "MeanCumulativeCount")
_FIXED = (30, 90, 180, 365)
_WIDTH, _TALL, _BETWEEN, _LEFT, _OVER = 8.5 * 72, 130.0, 58.0, 34.0, 12.0  # points
MOST_PANELS = 3


def outcome_table(*results: Result, times: Sequence[float] = _FIXED, caption: str = "Outcomes at fixed times") -> Table:
    """Return curves of the same people at fixed times: one row a time, one column an outcome, or a group of one.

    Parameters
    ----------
    *results : Result
        Curves; of a cumulative incidence the first cause. What the study does not allow (`NotAvailable`) has no column.
    times : sequence of float, default (30, 90, 180, 365)
        In the unit of the curves; of released curves, times of the grid.
    caption : str, optional

    Returns
    -------
    Table

    Raises
    ------
    ArgumentError
        If a result is no curve, or curves count time differently.
    DisclosureError
        Inside a report, at once, if a result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> cohort = sr.define_cohort(sr.example_study())
    >>> alive = sr.survival.kaplan_meier(cohort.follow_up(event="death"))
    >>> seen = sr.survival.cumulative_incidence(cohort.follow_up(event="outpatient"))
    >>> found = sr.suppress([alive, seen], sr.Policy.synthetic())
    >>> sr.outcome_table(*found).html.count("<tr>")
    5
    """
    curves = _checked(results, "outcome_table")
    if not curves:
        return release(Table("", ""), results[0])
    heading = curves[0].column_words["time"]
    rows: dict[float, dict[str, str]] = {float(t): {heading: f"{t:g}"} for t in times}
    for curve in curves:
        said = share_with_interval if curve.is_share else number_with_interval
        read = at(curve, times)
        for words, own in _columns(curve, read.estimates):
            for row in own.iter_rows(named=True):
                there = row["estimate"] is not None
                value = said(row["estimate"], row["lower"], row["upper"]) if there else read.missing_marker(row, "estimate")  # fmt: skip
                rows[float(row["time"])][f"{words} ({confidence_of(curve.settings)})"] = value
    text = html_table(pl.DataFrame(list(rows.values())), rows=len(rows), as_text=True)
    text = text.replace('<table class="symphony">', f'<table class="symphony"><caption>{escape(caption)}</caption>', 1)
    text = re.sub(r"<tr><td( class=\"number\")?>(.*?)</td>", r'<tr><th scope="row"\1>\2</th>', text)
    notes = [note for curve in curves for note in (*mark_notes(curve, text), *provenance(curve))]
    below = " ".join(dict.fromkeys(notes))
    body = f'<div class="symphony-result">{text}<p class="note">{escape(below)}</p></div>'
    return _released(Table(body, caption), results)


def outcome_picture(*results: Result, horizon: float | None = None) -> Picture | Sentence:
    """Draw curves of the same people in small panels side by side, with the numbers at risk below.

    Parameters
    ----------
    *results : Result
        Up to three curves without strata; of a cumulative incidence the first cause is drawn. What the study does not
        allow (`NotAvailable`), and a curve that is suppressed altogether, has no panel.
    horizon : float, optional
        Where the axes end; by default with each curve.

    Returns
    -------
    Picture or Sentence
        Nothing where no curve can be drawn.

    Raises
    ------
    ArgumentError
        If a result is no curve, has strata, or curves count time differently.
    DisclosureError
        Inside a report, at once, if a result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> cohort = sr.define_cohort(sr.example_study())
    >>> alive = sr.survival.kaplan_meier(cohort.follow_up(event="death"))
    >>> sr.outcome_picture(sr.suppress(alive, sr.Policy.synthetic())).png[1:4]
    b'PNG'
    """
    curves = _checked(results, "outcome_picture")
    if any(curve.by for curve in curves) or len(curves) > MOST_PANELS:
        raise ArgumentError(
            f"outcome_picture draws up to {MOST_PANELS} curves without strata; sr.picture draws groups."
        )
    panels = [_Panel(curve, horizon) for curve in curves]
    drawn = [panel for panel in panels if not panel.suppressed]
    if not drawn:
        return release(Sentence(""), results[0])
    with drawing():
        figure, described = _figure(drawn, [panel.name for panel in panels if panel.suppressed])
        pixels = pixels_of(figure)
    captions = [caption_of(panel.result) for panel in drawn]
    whom = captions[0].split(". ", 1)[1:]
    first, *rest = (panel.name for panel in drawn)
    names = "; ".join([first, *(name[:1].lower() + name[1:] for name in rest)])
    found = " ".join(f"{panel.title.rstrip('.')}." for panel in drawn)
    made = Picture(found, paletted(*pixels), ". ".join([names, *whom]), described)
    return _released(made, results)


class _Panel:
    """One curve, and where its axes end."""

    def __init__(self, result: Result, horizon: float | None) -> None:
        self.result = result
        known: float = result.estimates["time"].max() or 0  # type: ignore[assignment]
        self.limit = float(min(horizon, known) if horizon else known)
        self.curve = replace(curves_of(result, [{}], self.limit)[0], words="")
        self.name = _names(result)
        self.title = curve_title(result, self.limit)

    @property
    def suppressed(self) -> bool:
        return self.curve.suppressed or not self.limit

    def draw(self, figure: Figure, box: tuple[float, float, float, float], width: float) -> None:
        result, curve = self.result, self.curve
        ax = figure.add_axes(box)
        table = NumbersAtRisk(result, [{}], [MAIN])
        columns = min(table.columns_in(width), 5)
        times = None
        if result.on_grid:  # type: ignore[attr-defined]
            times = grid_ticks(result.estimates["time"].unique().sort().to_list(), self.limit, columns)
        ticks, labels, unit = time_ticks(str(result.time_unit), self.limit, times, columns)  # type: ignore[attr-defined]
        draw_curve(ax, curve, self.limit, 0.16)
        ax.set_xlim(0, self.limit)
        ax.set_ylim(0, 100 if result.is_share else top_of(result, self.limit))  # type: ignore[attr-defined]
        ax.set_xticks(ticks, labels)
        mark = "%" if result.is_share else ""  # type: ignore[attr-defined]
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}{mark}")
        plain_axes(ax, grid="y")
        ax.set_xlabel(f"{unit} since {result.time_origin}", fontsize=LABEL, color=INK)  # type: ignore[attr-defined]
        ax.set_title(
            wrapped(self.title, width, SMALL, "bold"), loc="left", fontsize=SMALL, fontweight="bold", color=INK
        )
        table.draw(ax, table.read(ticks))


def _figure(panels: Sequence[_Panel], gone: Sequence[str]) -> tuple[Figure, str]:
    """Return the panels side by side over one note, and their description."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    first = panels[0].result
    width = (_WIDTH - 2 * MARGIN - _LEFT - _OVER - _BETWEEN * (MOST_PANELS - 1)) / MOST_PANELS
    notes = list(dict.fromkeys(str(p.result.grid_words) for p in panels if p.result.on_grid))  # type: ignore[attr-defined]
    notes += [f"Shading: {confidence_of(first.settings)}."]
    notes += [f"Suppressed by disclosure control and not drawn: {'; '.join(gone)}."] if gone else []
    marks = any(p.result.on_grid and p.result.estimates["n_at_risk"].null_count() for p in panels)  # type: ignore[attr-defined]
    notes += ["[c] suppressed by disclosure control."] if marks else []
    text = wrapped(" ".join([*notes, *provenance(first)]), _WIDTH - 2 * MARGIN, SMALL)
    head = max(text_height(wrapped(p.title, width + _OVER, SMALL, "bold"), SMALL) for p in panels) + 10
    table = NumbersAtRisk(first, [{}], [MAIN]).height + 6
    tall = MARGIN + head + _TALL + table + text_height(text, SMALL) + MARGIN
    figure = Figure(figsize=(_WIDTH / 72, tall / 72), dpi=DPI)
    FigureCanvasAgg(figure)
    bottom = (MARGIN + text_height(text, SMALL) + table) / tall
    for k, panel in enumerate(panels):
        left = (MARGIN + _LEFT + k * (width + _BETWEEN)) / _WIDTH
        panel.draw(figure, (left, bottom, width / _WIDTH, _TALL / tall), width + _OVER)
    figure.text(MARGIN / _WIDTH, MARGIN / tall, text, fontsize=SMALL, color=QUIET, va="bottom", linespacing=1.25)
    kind = f"{len(panels)} small line charts side by side, with numbers at risk" if len(panels) > 1 else "Line chart"
    titles = ". ".join(panel.title.rstrip(".") for panel in panels)
    axes = f"Horizontal axes: {first.time_unit or 'time'}, vertical axes: what each title says"  # type: ignore[attr-defined]
    return figure, alt_text(kind, axes, titles, [])


def _checked(results: Sequence[Result], what: str) -> list[Any]:
    """Return the curves among results, without what the study does not allow."""
    if not results:
        raise ArgumentError(f"{what} takes one result or more, such as {what}(released['survival']).")
    for result in results:
        require_showable(result, what)
    curves = [result for result in results if not result.holds_nothing]
    strange = [type(result).__name__ for result in curves if not is_family(result, _CURVES)]
    if strange:
        raise ArgumentError(f"{what} takes curves, not {', '.join(strange)}.")
    if len({curve.column_words["time"] for curve in curves}) > 1:
        raise ArgumentError(f"{what} takes curves that count time in one unit from one start.")
    return curves


def _columns(curve: Any, frame: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Return the columns of a curve: its name, or those of its groups, and the rows of each."""
    if "cause" in frame.columns:
        frame = frame.filter(pl.col("cause") == curve.settings["causes"][0])
    if not curve.by:
        return [(_names(curve), frame)]
    groups = frame.select(curve.by).unique(maintain_order=True).to_dicts()
    return [(capital(strata_words(names)), same_stratum(frame, names)) for names in groups]


def _names(curve: Any) -> str:
    """Return what a column is of, in words."""
    words = curve.quantity if not curve.is_share else curve.clauses_of(curve.settings)[0][1].removeprefix("were ")
    return capital(words)


def _released(shown: Any, results: Sequence[Result]) -> Any:
    """Mark what was made of several results as fit for a report, if all of them have passed `suppress`."""
    last = next((result for result in results if result.disclosure is None), results[0])
    return release(shown, last)
