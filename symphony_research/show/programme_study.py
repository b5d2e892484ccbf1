"""Effects of a programme of practices by period from its start: an event study plot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.result import Result
from symphony_research.show.event_study import effect_axes
from symphony_research.show.frame import axes_points, begin, finish, nothing_to_draw
from symphony_research.show.gate import require_family
from symphony_research.show.style import INK, MAIN, QUIET, drawing, key_above
from symphony_research.show.titles import few_title
from symphony_research.words.lexicon import capital, in_words
from symphony_research.words.numbers import number
from symphony_research.words.phrases import confidence_of, fitting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_programme_event_study"]

_WIDTH, _HEIGHT = 8.4, 4.8


def plot_programme_event_study(result: Result, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw how rates changed at practices with a programme against those without, by period from its start, with intervals.

    Parameters
    ----------
    result : ProgrammeEventStudy
        What `evaluation.programme_event_study` returns.
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
    >>> ax = sr.plot_programme_event_study(sr.evaluation.programme_event_study(study, programme="health_coaching"))
    >>> ax.get_xlabel()
    'Quarters from the start of the programme'
    """
    require_family(
        result, ("ProgrammeEventStudy",), "plot_programme_event_study", "evaluation.programme_event_study", title
    )
    ratio, unit = result.settings["model"] == "poisson", result.period_words  # type: ignore[attr-defined]
    drawn = result.estimates.drop_nulls(["estimate", "lower", "upper"])
    if ratio:
        drawn = drawn.filter((pl.col("lower") > 1e-3) & (pl.col("upper") < 1e3))
    notes = [f"Bars: {confidence_of(result.settings)}. Dashed: no difference.", *result.notes(())]
    if drawn.height < result.estimates.height:
        notes.append("Periods that are suppressed, or not estimable, are not drawn.")
    if title is None:
        title = _title(result, ratio) if drawn.height else few_title("period")
    with drawing():
        ax, own = begin(ax, _WIDTH, _HEIGHT)
        if not drawn.height:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        none = 1 if ratio else 0
        ax.vlines(drawn["period"], drawn["lower"], drawn["upper"], color=INK, linewidth=1.2, zorder=2)
        handles, names = [], []
        for name, which, colour in (
            ("From the start on", pl.col("period") >= 0, MAIN),
            ("Before", pl.col("period") < 0, QUIET),
        ):
            rows = drawn.filter(which)
            if rows.height:
                handles.append(ax.scatter(rows["period"], rows["estimate"], s=42, color=colour, linewidth=0, zorder=3))
                names.append(name)
        handles.append(ax.scatter([-1], [none], s=46, marker="D", color=INK, linewidth=0, zorder=3))
        key_above(ax, handles, [*names, "Reference"], axes_points(ax)[0])
        effect_axes(ax, drawn, f"{capital(unit)}s from the start of the programme", start=-0.5, ratio=ratio)
        ax.set_xticks(range(-result.settings["leads"], result.settings["lags"] + 1))
        after = drawn.filter(pl.col("period") >= 0)
        told = [f"{unit} {row['period']}: {number(row['estimate'])}" for row in after.head(4).iter_rows(named=True)]
        kind = "Event study plot of periods before and after a programme began, with intervals"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


def _title(result: Result, ratio: bool) -> str:
    """Say the mean effect after the start."""
    row = result.mean("mean after")  # type: ignore[attr-defined]
    what, programme = capital(EVENTS[result.settings["outcome"]].plural), in_words(result.settings["programme"])
    if row["estimate"] is None or row["lower"] is None:
        return fitting(f"{what} after the start of {programme}", what)
    said = f"{number(row['estimate'])}{' times' if ratio else ''} ({number(row['lower'])} to {number(row['upper'])})"
    return fitting(f"{what} after the start of {programme}: {said}", f"{what}: {said}", said)
