"""Cumulative incidence of enrolled people and their controls, on the grid of times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from symphony_research.result import Result
from symphony_research.show.curve_names import name_curves
from symphony_research.show.drawn_curves import STEPS, DrawnCurve, draw_curve, end_of
from symphony_research.show.frame import axes_points, begin, finish, foot_height, head_height, nothing_to_draw
from symphony_research.show.gate import require_family
from symphony_research.show.numbers_at_risk import NumbersAtRisk, mark_of
from symphony_research.show.style import INK, LABEL, MARGIN, SMALL, colours, drawing, plain_axes, text_height
from symphony_research.show.time_axis import grid_ticks, time_ticks
from symphony_research.show.titles import few_title
from symphony_research.words.lexicon import capital, happened, outcome
from symphony_research.words.numbers import percentage
from symphony_research.words.phrases import confidence_of, fitting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_matched_incidence"]

_WIDTH, _TALL = 8.5, 240.0  # of a figure made here, in inches, and of its axes, in points
_ROWS = ("Enrolled", "Controls, weighted")


def plot_matched_incidence(result: Result, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the share of enrolled people and of controls with the event, by time, with intervals and numbers at risk.

    The number at risk of controls is the sum of their weights.

    Parameters
    ----------
    result : MatchedIncidence
        What `evaluation.matched_incidence` returns.
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
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), seed=1)
    >>> ax = sr.plot_matched_incidence(sr.evaluation.matched_incidence(matched))
    >>> ax.get_xlabel()
    'Days since time zero'
    """
    require_family(result, ("MatchedIncidence",), "plot_matched_incidence", "evaluation.matched_incidence", title)
    frame, limit = result.estimates, float(result.settings["horizon"])
    arms = frame["arm"].unique(maintain_order=True).to_list()
    every = [
        DrawnCurve(capital(arm), colour, style, None, _from_nobody(frame.filter(pl.col("arm") == arm)), mark, True)
        for arm, colour, style, mark in zip(arms, colours(2), ("-", (0, (5, 2))), ("o", "s"), strict=True)
    ]
    curves = [curve for curve in every if not curve.suppressed]
    notes = [f"Shading: {confidence_of(result.settings)}.", *result.notes(())]
    notes += [f"{curve.words}: suppressed, and not drawn." for curve in every if curve.suppressed]
    if title is None:
        title = _title(result)
    with drawing():
        if not curves:
            ax, own = begin(ax, _WIDTH, 2.0)
            return nothing_to_draw(ax, result, own=own, title=few_title("group"), notes=notes)
        table = _table_of(result)
        wide = _WIDTH * 72 * 0.75 if ax is None else axes_points(ax)[0]
        times = grid_ticks([0.0, *frame["time"].unique().sort().to_list()], limit, table.columns_in(wide))
        ticks, labels, unit = time_ticks("days", limit, times, len(times))
        read = table.read(ticks)
        if read["n_at_risk"].null_count():
            marks = {mark_of(result, row) for row in read.filter(pl.col("n_at_risk").is_null()).iter_rows(named=True)}
            notes += [f"{mark} suppressed by disclosure control." for mark in sorted(marks)]
        across = _WIDTH * 72 - 2 * MARGIN
        names = text_height("x", SMALL) * 1.3
        around = head_height(result, title, across) + foot_height(result, notes, across) + names + 2 * MARGIN
        ax, own = begin(ax, _WIDTH, (_TALL + around + table.height) / 72)
        for curve in curves:
            draw_curve(ax, curve, limit, 0.16)
        seen = frame.filter(pl.col("estimate").is_not_null())
        reached = 100 * max([0.0, *seen["estimate"], *seen["upper"].drop_nulls()])
        top = float(next((t for t in STEPS if reached <= 0.95 * t), 100))
        ax.set_xlim(0, limit)
        ax.set_ylim(0, top)
        ax.set_yticks([k * STEPS[top] for k in range(int(top / STEPS[top]) + 1)])
        ax.set_xticks(ticks, labels)
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}%")
        plain_axes(ax, grid="y")
        ax.set_xlabel(f"{unit} since time zero", fontsize=LABEL, color=INK)
        ax.set_ylabel("Cumulative incidence", fontsize=LABEL, color=INK)
        table.draw(ax, read)
        name_curves(ax, [(c.words, c.colour, end_of(c, limit)) for c in curves], own, {})
        told = [f"{curve.words}: {percentage(end_of(curve, limit)[1] / 100)}" for curve in curves]
        kind = "Curves of the share of enrolled people and of controls with the event, with intervals and a table of numbers at risk"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


def _table_of(result: Result) -> NumbersAtRisk:
    """Return the numbers at risk of both arms, under the names of their rows."""
    known = result.at_risk  # type: ignore[attr-defined]
    arms = known["arm"].unique(maintain_order=True).to_list()
    named = known.with_columns(pl.col("arm").replace_strict(arms, _ROWS))
    return NumbersAtRisk(result, [{"arm": name} for name in _ROWS], colours(2), named)


def _from_nobody(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a curve with its start, where nobody has had the event."""
    start = pl.DataFrame({"time": [0.0], "estimate": [0.0], "lower": [0.0], "upper": [0.0]})
    own = frame.select("time", "estimate", "lower", "upper")
    # of nobody there is no interval: it has no width
    shut = [pl.when(pl.col("estimate") == 0).then(0.0).otherwise(c).alias(c) for c in ("lower", "upper")]
    return pl.concat([start, own.with_columns(shut)])


def _title(result: Result) -> str:
    horizon = result.settings["horizon"]
    shares = [row["estimate"] for row in result.estimates.filter(pl.col("time") == horizon).iter_rows(named=True)]
    if None in shares:
        return fitting(f"Time to {outcome(result.settings['outcome'])}, enrolled people and controls")
    own, others = (percentage(share) for share in shares)
    event = happened(result.settings["outcome"])
    return fitting(
        f"{own} of the enrolled and {others} of others {event} by day {horizon}",
        f"{own} of the enrolled and {others} of others {event}",
        f"Time to {outcome(result.settings['outcome'])}: {own} against {others}",
    )
