"""Standardised risks of groups with their intervals, crude ones pale beside them: a forest plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.errors import ArgumentError
from symphony_research.result import Result
from symphony_research.show.bars import percent_axis, row_step
from symphony_research.show.frame import axes_points, begin, finish, nothing_to_draw
from symphony_research.show.gate import require_family
from symphony_research.show.ranked import _rows, _tall
from symphony_research.show.style import INK, LABEL, MAIN, QUIET, SMALL, drawing, key_above, plain_axes
from symphony_research.show.titles import few_title
from symphony_research.words.lexicon import capital, outcome
from symphony_research.words.numbers import number, percentage
from symphony_research.words.phrases import confidence_of, fitting, strata_phrase, strata_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_standardised_risk"]

_PALE = "#a9c8de"  # of crude risks: there to compare with, not to read first
_BELOW = 0.22  # of the row, so that neither mark hides the other


def plot_standardised_risk(
    result: Result, *, ax: Axes | None = None, time: float | None = None, title: str | None = None
) -> Axes:
    """Draw the standardised risk of each group with its interval, and the crude risk as a pale mark.

    Parameters
    ----------
    result : StandardisedRisk
        What `survival.standardised_risk` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    time : float, optional
        Which of its times; by default the last at which most groups have a risk, of these one with a p value.
    title : str, optional
        By default the finding, in at most 15 words.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        On another family, or a time that is none of the result's.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"hub": [*"aaabbb"], "age": [*"oyyooy"], "time": [1, 2, 9, 1, 9, 9], "event": [1, 1, 0, 1, 0, 1]})
    >>> risk = sr.survival.standardised_risk(people, time="time", event="event", by="hub", standardise="age", times=5)
    >>> ax = sr.plot_standardised_risk(risk)
    >>> [tick.get_text() for tick in ax.get_yticklabels()]
    ['A', 'B']
    """
    require_family(result, ("StandardisedRisk",), "plot_standardised_risk", "survival.standardised_risk", title)
    there = result.estimates["time"].unique().to_list()
    if time is not None and float(time) not in there:
        raise ArgumentError(f"time={time:g} is none of the times of the result: {', '.join(f'{t:g}' for t in sorted(there))}.")  # fmt: skip
    at = result.headline_time if time is None else float(time)  # type: ignore[attr-defined]
    every = result.estimates.filter(pl.col("time") == at) if at is not None else result.estimates.clear()
    drawn = every.filter(pl.col("estimate").is_not_null())
    notes = _notes(result, every, drawn)
    if title is None:
        title = _title(result, at, drawn) if drawn.height else few_title("group")
    with drawing():
        rows = list(drawn.iter_rows(named=True))
        names = [capital(strata_words({c: row[c] for c in result.by})) for row in rows]
        ax, own = begin(ax, 8.8, 2.4 + _tall(names) * max(len(rows), 1))
        if not rows:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        size = _rows(ax, names, _tall(names) * 72 if own else row_step(ax, own, len(rows)))
        _marks(ax, result, rows, min(size, SMALL) if own else 0.0)
        plain_axes(ax, grid="x", hide=("top", "right", "left"))
        ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK)
        ax.set_xlabel(f"Share of people {result.time_words(at)}", fontsize=LABEL, color=INK)  # type: ignore[attr-defined]
        told = [f"{name}: {percentage(row['estimate'])}" for name, row in zip(names[:5], rows[:5], strict=True)]
        kind = f"Forest plot of the standardised risk of {len(rows)} groups, with the crude risk of each"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


def _marks(ax: Axes, result: Result, rows: Sequence[dict[str, Any]], size: float) -> None:
    """Draw crude and standardised risks by row, with their figures at the right where there is room (a size of type)."""
    handles: list[Any] = []
    for at, row in enumerate(rows):
        ends = [row["estimate"] if row[c] is None else row[c] for c in ("lower", "upper")]
        (line,) = ax.plot([100 * e for e in ends], [at, at], color=QUIET, linewidth=1.4, zorder=2)
        if row["crude"] is not None:
            crude = ax.scatter([100 * row["crude"]], [at + _BELOW], s=40, marker="D", color=_PALE, edgecolor="white", linewidth=0.6, zorder=3)  # fmt: skip
        point = ax.scatter([100 * row["estimate"]], [at], s=40, color=MAIN, edgecolor="white", linewidth=0.8, zorder=4)
        handles = [point, line, crude]
        if size:
            said = result.with_interval(row)  # type: ignore[attr-defined]
            ax.annotate(said, (1, at), (6, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
                        ha="left", fontsize=size, annotation_clip=False, gid="value")  # fmt: skip
    highest = max(v for row in rows for v in (row["upper"], row["estimate"], row["crude"]) if v is not None)
    ax.set_xlim(0, max(100 * highest * 1.05, 0.001))
    percent_axis(ax, "x")
    key_above(ax, handles, ["Standardised", confidence_of(result.settings), "Crude"], axes_points(ax)[0])


def _notes(result: Result, every: pl.DataFrame, drawn: pl.DataFrame) -> list[str]:
    notes = [f"Standardised directly for {result.standardised_for}, to all groups together; crude: not adjusted."]  # type: ignore[attr-defined]
    gone = every.height - drawn.height
    if gone:
        are = "group is" if gone == 1 else "groups are"
        notes.append(f"{number(gone)} {are} {'suppressed' if result.disclosure is not None else 'without a risk'} and not drawn.")  # fmt: skip
    share = every["share_of_standard"].min() if every.height else None
    if share is not None and share < 0.995:  # type: ignore[operator]
        notes.append(f"Strata that all groups have: {percentage(share)} of the standard population.")  # type: ignore[arg-type]
    return notes


def _title(result: Result, at: float | None, drawn: pl.DataFrame) -> str:
    """Name the lowest and the highest standardised risk."""
    what = capital(outcome(result.event))  # type: ignore[attr-defined]
    within, groups = result.time_words(at), strata_phrase(result.by)  # type: ignore[attr-defined]
    if drawn.height == 1:
        row = drawn.row(0, named=True)
        only = f"{percentage(row['estimate'])} of {strata_words({c: row[c] for c in result.by})}"
        return fitting(
            f"{what} {within}: {only}, standardised", f"{what}: {only}, standardised", f"Standardised risk: {only}"
        )
    ends = f"{percentage(drawn['estimate'].min())} to {percentage(drawn['estimate'].max())}"  # type: ignore[arg-type]
    return fitting(
        f"{what} {within}: {ends} by {groups}, standardised for {result.standardised_for}",  # type: ignore[attr-defined]
        f"{what} {within}: {ends} by {groups}, standardised",
        f"{what}: {ends} by {groups}, standardised",
        f"Standardised risk by {groups}: {ends}",
        f"Standardised risks: {ends}",
    )
