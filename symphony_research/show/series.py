"""A monthly rate with its fitted lines, and what it would have been without a change: an interrupted time series."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.result import Result
from symphony_research.show.frame import axes_points, begin, finish, nothing_to_draw
from symphony_research.show.gate import require_family
from symphony_research.show.style import INK, LABEL, LINE, MAIN, PALETTE, QUIET, drawing, key_above, plain_axes
from symphony_research.show.titles import few_title
from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import number
from symphony_research.words.phrases import fitting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_interrupted_time_series"]

_WIDTH, _HEIGHT = 8.6, 4.8
_LOOK = {"population": ("Population", MAIN), "control": ("Control", PALETTE[1])}


def plot_interrupted_time_series(result: Result, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the rate by month, as fitted, and as it would have been without a change.

    Parameters
    ----------
    result : InterruptedTimeSeries
        What `evaluation.interrupted_time_series` returns.
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
    >>> found = sr.evaluation.interrupted_time_series(sr.example_study(12_000), start="2015-04-01")
    >>> ax = sr.plot_interrupted_time_series(found)
    >>> ax.get_xlabel()
    'Year'
    """
    require_family(
        result, ("InterruptedTimeSeries",), "plot_interrupted_time_series", "evaluation.interrupted_time_series", title
    )
    start = result.start  # type: ignore[attr-defined]
    lines = result.lines.with_columns((start.year + (start.month - 1) / 12 + pl.col("time")).alias("year"))  # type: ignore[attr-defined]
    names = [name for name in _LOOK if lines.filter((pl.col("series") == name) & pl.col("rate").is_not_null()).height]
    notes = ["Dashed: as fitted without a change. The axis does not start at zero.", *result.notes(())]
    if lines["rate"].null_count():
        notes.append("Months that are suppressed are not drawn.")
    if title is None:
        title = _title(result) if names else few_title("month")
    with drawing():
        ax, own = begin(ax, _WIDTH, _HEIGHT)
        if not names:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        handles: list[Any] = []
        for name in names:
            frame, colour = lines.filter(pl.col("series") == name), _LOOK[name][1]
            shown = frame.drop_nulls("rate")
            handles.append(ax.scatter(shown["year"], shown["rate"], s=15, color=colour, alpha=0.55, linewidth=0))
            for side in (pl.col("time") < 0, pl.col("time") >= 0):
                fitted = frame.filter(side).drop_nulls("fitted")
                ax.plot(fitted["year"], fitted["fitted"], color=colour, linewidth=1.8)
            expected = frame.drop_nulls("expected")
            ax.plot(expected["year"], expected["expected"], color=colour, linewidth=1.3, linestyle=(0, (4, 2)))
        ax.axvline(start.year + (start.month - 1) / 12, color=QUIET, linewidth=1.0, zorder=0)
        every = [v for c in ("rate", "fitted", "expected") for v in lines[c].drop_nulls()]
        ax.set_ylim(0.92 * min(every), 1.05 * max(every))
        _years(ax)
        plain_axes(ax, grid="y")
        ax.grid(axis="x", color=LINE, linewidth=0.3)
        ax.set_xlabel("Year", fontsize=LABEL, color=INK)
        ax.set_ylabel("Events per 100 person-years", fontsize=LABEL, color=INK)
        key_above(ax, handles, [_LOOK[name][0] for name in names], axes_points(ax)[0])
        found = result.estimates.drop_nulls("estimate")
        told = [
            f"{row['series']}, {row['measure']}: {number(row['estimate'])}"
            for row in found.head(4).iter_rows(named=True)
        ]
        kind = f"Monthly rates with fitted lines before and after {start:%B %Y}"
        axes = "Horizontal axis: year. Vertical axis: events per 100 person-years"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, axes=axes, told=told)


def _years(ax: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))


def _title(result: Result) -> str:
    series = "population" if result.settings["control"] is None else "population less control"
    row = result.row(series, "level change")  # type: ignore[attr-defined]
    month = f"{result.start:%B %Y}"  # type: ignore[attr-defined]
    if row["estimate"] is None:
        return "Monthly rates: too few people for a change to be estimated"
    said = f"{number(row['estimate'])} times ({number(row['lower'])} to {number(row['upper'])})"
    against = " against the control" if result.settings["control"] is not None else ""
    what = capital(EVENTS[result.settings["outcome"]].plural)
    return fitting(
        f"{what}, level change in {month}: {said}{against}", f"Level change in {month}: {said}{against}"
    )  # fmt: skip
