"""Rates before and after enrolling, of enrolled people and of controls: dots joined by a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.result import Result
from symphony_research.show.frame import axes_points, begin, finish, nothing_to_draw
from symphony_research.show.gate import require_family
from symphony_research.show.style import INK, LABEL, MAIN, QUIET, SMALL, drawing, key_above, plain_axes
from symphony_research.show.titles import few_title
from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import number
from symphony_research.words.phrases import fitting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_before_after"]

_WIDTH, _HEIGHT = 7.2, 4.8
_APART = 0.06  # of the axis, under which two values would be written over each other
_ENDS = ("before", "after")
_LOOK = {"enrolled": ("Enrolled people", MAIN, "o"), "controls": ("Controls", QUIET, "s")}


def plot_before_after(result: Result, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the rates before and after enrolling, of enrolled people and of controls where there are any.

    Parameters
    ----------
    result : BeforeAfter or DifferenceInDifferences
        What `evaluation.before_after` or `difference_in_differences` returns.
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
    >>> cohort = sr.define_cohort(sr.example_study(12_000), programme="complex_care")
    >>> ax = sr.plot_before_after(sr.evaluation.before_after(cohort))
    >>> [tick.get_text() for tick in ax.get_xticklabels()]
    ['Before', 'After']
    """
    families = ("BeforeAfter", "DifferenceInDifferences")
    require_family(result, families, "plot_before_after", "evaluation.before_after", title)
    rates = {
        arm: {row["period"]: row["rate"] for row in own.iter_rows(named=True) if row["rate"] is not None}
        for (arm,), own in result.periods.partition_by("arm", as_dict=True, maintain_order=True).items()  # type: ignore[attr-defined]
    }
    drawn = {arm: own for arm, own in rates.items() if len(own) == len(_ENDS)}
    notes = list(result.notes(()))
    gone = [arm for arm in rates if arm not in drawn]
    if gone:
        names = " and ".join(_LOOK[arm][0].lower() for arm in gone)
        notes.append(f"Rates of {names} are suppressed, or nobody has the event, and not drawn.")
    if title is None:
        title = _title(result) if drawn else few_title("group")
    with drawing():
        ax, own = begin(ax, _WIDTH, _HEIGHT)
        if not drawn:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        handles: list[Any] = []
        top = 1.15 * max(rate for ends in drawn.values() for rate in ends.values())
        for arm, ends in drawn.items():
            _, colour, marker = _LOOK[arm]
            heights = [ends[end] for end in _ENDS]
            (line,) = ax.plot([0, 1], heights, color=colour, marker=marker, markersize=7, linewidth=1.8)
            handles.append(line)
            for at, end in enumerate(_ENDS):
                others = [other[end] for name, other in drawn.items() if name != arm]
                near = [heights[at] - one for one in others if abs(one - heights[at]) < _APART * top]
                # two values side by side give way up and down
                up = 0 if not near else 6 if near[0] > 0 or (near[0] == 0 and arm == "enrolled") else -6
                ax.annotate(number(heights[at]), (at, heights[at]), (8 * (2 * at - 1), up), textcoords="offset points", va="center",
                            ha="left" if at else "right", fontsize=SMALL, annotation_clip=False, gid="value")  # fmt: skip
        ax.set_xticks([0, 1], [capital(end) for end in _ENDS])
        ax.set_xlim(-0.3, 1.3)
        ax.set_ylim(0, top)
        plain_axes(ax, grid="y")
        ax.tick_params(axis="x", length=0, labelsize=LABEL, labelcolor=INK)
        ax.set_ylabel("Events per 100 person-years", fontsize=LABEL, color=INK)
        key_above(ax, handles, [_LOOK[arm][0] for arm in drawn], axes_points(ax)[0])
        told = [
            f"{_LOOK[arm][0]}: {number(ends['before'])} before and {number(ends['after'])} after"
            for arm, ends in drawn.items()
        ]
        kind = "Rates before and after enrolling, joined by a line for each group"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, axes="Vertical axis: rates", told=told)


def _title(result: Result) -> str:
    rows = result.estimates.filter(pl.col("estimate").is_not_null())
    what = capital(EVENTS[result.settings["outcome"]].plural)
    if type(result).__name__ == "DifferenceInDifferences":
        if not rows.height:
            return "Before and after: too few people for a difference in differences"
        row = rows.row(0, named=True)
        ends = f"({number(row['lower'])} to {number(row['upper'])})"
        return fitting(
            f"{what}, {row['measure']}: {number(row['estimate'])} {ends}",
            f"{capital(row['measure'])}: {number(row['estimate'])} {ends}",
        )
    found = {row["arm"]: row["estimate"] for row in rows.iter_rows(named=True)}
    if "enrolled" not in found:
        return "Before and after: too few people for a ratio"
    own = f"{number(found['enrolled'])} times the rate before"
    if "controls" in found:
        return fitting(f"{what}: {own}, of controls {number(found['controls'])} times", f"Enrolled people: {own}")
    return fitting(f"{what}: {own}, without controls no effect", f"Without controls: {own}")
