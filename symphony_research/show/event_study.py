"""Differences between enrolled people and controls by period: an event study plot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.result import Result
from symphony_research.show.frame import axes_points, begin, finish, nothing_to_draw
from symphony_research.show.gate import require_family
from symphony_research.show.style import INK, LABEL, LINE, MAIN, QUIET, drawing, key_above, plain_axes
from symphony_research.show.titles import few_title
from symphony_research.words.numbers import DAYS_A_MONTH, number
from symphony_research.words.phrases import confidence_of, fitting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["effect_axes", "plot_event_study"]

_WIDTH, _HEIGHT = 8.4, 4.8
_TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
_BETWEEN = (0.7, 0.8, 0.9, 1.1, 1.25, 1.5)


def plot_event_study(result: Result, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the difference between enrolled people and controls in each period, with its interval.

    Leads that were matched on are hollow: there people are equal by choice. The reference period is a diamond.

    Parameters
    ----------
    result : EventStudy
        What `evaluation.event_study` returns.
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
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), ratio=5, seed=1)
    >>> ax = sr.plot_event_study(sr.evaluation.event_study(matched, period=182))
    >>> ax.get_xlabel()
    'Months from enrolling'
    """
    require_family(result, ("EventStudy",), "plot_event_study", "evaluation.event_study", title)
    every = result.estimates.with_columns(
        ((pl.col("first_day") + pl.col("last_day")) / 2 / DAYS_A_MONTH).alias("months")
    )
    ratio = result.settings["model"] == "poisson"
    fit = pl.all_horizontal(pl.col("estimate", "lower", "upper").is_not_null())
    if ratio:
        fit = fit & (pl.col("lower") > 1e-3) & (pl.col("upper") < 1e3)
    drawn = every.filter(fit & ~pl.col("is_reference"))
    gone = every.height - 1 - drawn.height
    notes = [f"Bars: {confidence_of(result.settings)}. Dashed: no difference.", *result.notes(())]
    if gone:
        notes.append("Periods that are suppressed, or not estimable, are not drawn.")
    if title is None:
        title = _title(drawn, ratio) if drawn.height else few_title("period")
    with drawing():
        ax, own = begin(ax, _WIDTH, _HEIGHT)
        if not drawn.height:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        _marks(ax, drawn, every.filter(pl.col("is_reference")))
        effect_axes(ax, drawn, "Months from enrolling", start=0, ratio=ratio)
        after = drawn.filter(pl.col("period") > 0)
        told = [f"{result.days(row)}: {number(row['estimate'])}" for row in after.head(4).iter_rows(named=True)]  # type: ignore[attr-defined]
        kind = "Event study plot of periods before and after enrolling, with intervals"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


def _marks(ax: Axes, drawn: pl.DataFrame, reference: pl.DataFrame) -> None:
    ax.vlines(drawn["months"], drawn["lower"], drawn["upper"], color=INK, linewidth=1.2, zorder=2)
    handles: list[Any] = []
    names: list[str] = []
    for name, which, face in (
        ("After enrolling", pl.col("period") > 0, MAIN),
        ("Before, not matched on", (pl.col("period") < 0) & ~pl.col("matched_on"), QUIET),
        ("Before, matched on", pl.col("matched_on"), "white"),
    ):
        rows = drawn.filter(which)
        if rows.height:
            edge = QUIET if face != MAIN else MAIN
            mark = ax.scatter(
                rows["months"], rows["estimate"], s=42, color=face, edgecolor=edge, linewidth=1.4, zorder=3
            )
            handles, names = [*handles, mark], [*names, name]
    mark = ax.scatter(reference["months"], reference["estimate"], s=46, marker="D", color=INK, linewidth=0, zorder=3)
    key_above(ax, [*handles, mark], [*names, "Reference"], axes_points(ax)[0])


def effect_axes(ax: Axes, drawn: pl.DataFrame, across: str, *, start: float, ratio: bool) -> None:
    """Draw the axes of effects by time, a line where it starts, and one where there is no difference."""
    if ratio:
        _ratio_axis(ax, drawn)
    ax.axvline(start, color=LINE, linewidth=1.2, zorder=0)
    ax.axhline(1 if ratio else 0, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    plain_axes(ax, grid="y")
    ax.set_xlabel(across, fontsize=LABEL, color=INK)
    what = "Ratio of rate ratios (log scale)" if ratio else "Difference per 100 person-years"
    ax.set_ylabel(what, fontsize=LABEL, color=INK)


def _ratio_axis(ax: Axes, drawn: pl.DataFrame) -> None:
    """Make the axis of ratios logarithmic, and as long as their intervals."""
    low, high = min(*drawn["lower"], 0.9) / 1.1, max(*drawn["upper"], 1.1) * 1.1
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    ticks = sorted((*_TICKS, *(_BETWEEN if high / low < 4 else ())))
    there = [tick for tick in ticks if low <= tick <= high]
    ax.set_yticks(there, [f"{tick:g}" for tick in there])
    ax.set_yticks([], minor=True)


def _title(drawn: pl.DataFrame, ratio: bool) -> str:
    """Say whether the rates clearly differ in any period after enrolling."""
    after, none = drawn.filter(pl.col("period") > 0), 1 if ratio else 0
    if not after.height:
        return "No period after enrolling has enough people to show"
    lower, higher = (after.filter(clear).height for clear in (pl.col("upper") < none, pl.col("lower") > none))
    if not lower and not higher:
        return "No clear difference from controls in any period after enrolling"
    how = " and ".join([*(["lower"] if lower else []), *(["higher"] if higher else [])])
    which = "all periods" if max(lower, higher) == after.height else "some periods"
    return fitting(
        f"Rates compared with controls clearly {how} in {which} after enrolling", f"Clearly {how} in {which}"
    )
