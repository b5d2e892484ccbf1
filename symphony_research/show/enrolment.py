"""The effect of enrolling at that time: ratios with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.result import Result
from symphony_research.show.bars import row_step
from symphony_research.show.forest import ratio_rows
from symphony_research.show.frame import begin, finish, nothing_to_draw
from symphony_research.show.gate import require_family
from symphony_research.show.ranked import _tall
from symphony_research.show.style import drawing
from symphony_research.show.titles import few_title
from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import number
from symphony_research.words.phrases import confidence_of, fitting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_enrolment_effect"]


def plot_enrolment_effect(result: Result, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the ratios of enrolled people and controls with their intervals, on a log scale.

    Parameters
    ----------
    result : EnrolmentEffect
        What `evaluation.enrolment_effect` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    title : str, optional
        By default the finding, in at most 15 words.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        On another family.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study(12_000)
    >>> cohort = sr.define_cohort(study, programme="complex_care")
    >>> matched = sr.evaluation.match_controls(study, cohort, score="odds_weights", seed=1)
    >>> ax = sr.plot_enrolment_effect(sr.evaluation.enrolment_effect(matched))
    >>> ax.get_xscale()
    'log'
    """
    require_family(result, ("EnrolmentEffect",), "plot_enrolment_effect", "evaluation.enrolment_effect", title)
    every = result.estimates.filter(pl.col("measure").str.contains("ratio"))
    there = pl.all_horizontal(pl.col("estimate", "lower", "upper").is_not_null())
    drawn = every.filter(there & (pl.col("lower") > 1e-3) & (pl.col("upper") < 1e3))
    notes = [f"Bars: {confidence_of(result.settings)}. Dashed: no difference.", *result.notes(())]
    gone = every.height - drawn.height
    if gone:
        notes.append(
            f"{number(gone)} of {number(every.height)} ratios are suppressed, or cannot be estimated, and not drawn."
        )
    if title is None:
        title = _title(result, drawn) if drawn.height else few_title("ratio")
    with drawing():
        rows = list(drawn.iter_rows(named=True))
        names = [capital(row["measure"]) for row in rows]
        ax, own = begin(ax, 8.8, 2.6 + _tall(names) * max(len(rows), 1))
        if not rows:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        size = _tall(names) * 72 if own else row_step(ax, own, len(rows))
        said = [_said(row) if own else "" for row in rows]
        ends = min(*drawn["lower"], 0.9) / 1.05, max(*drawn["upper"], 1.1) * 1.05
        ratio_rows(ax, rows, "estimate", names, said, size, ends, "Enrolled people over controls (log scale)")
        told = [f"{name}: {number(row['estimate'])}" for name, row in zip(names, rows, strict=True)]
        return finish(
            ax,
            result,
            own=own,
            title=title,
            notes=notes,
            kind=f"Forest plot of {len(rows)} ratios with intervals",
            told=told,
        )


def _said(row: Mapping[str, Any]) -> str:
    return f"{number(row['estimate'])} ({number(row['lower'])} to {number(row['upper'])})"


def _title(result: Result, drawn: pl.DataFrame) -> str:
    row = drawn.row(0, named=True)
    figure = f"{row['measure']} {_said(row)}"
    return fitting(f"Enrolled people against comparable others: {figure}", capital(figure))
