"""Cumulative incidence of causes that compete, stacked: with those free of any event they make up everybody at every time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from symphony_research.collapse.ties import at_known_times, tie_width
from symphony_research.errors import ArgumentError
from symphony_research.result import Result
from symphony_research.show.bars import percent_axis
from symphony_research.show.frame import axes_points, begin, finish, foot_height, head_height, nothing_to_draw
from symphony_research.show.gate import one_stratum, require_family
from symphony_research.show.numbers_at_risk import NumbersAtRisk, mark_of
from symphony_research.show.style import INK, LABEL, MARGIN, SMALL, colours, drawing, key_above, plain_axes, text_height
from symphony_research.show.time_axis import grid_ticks, time_ticks
from symphony_research.show.titles import few_title, in_group
from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import percentage
from symphony_research.words.phrases import fitting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_stacked_incidence"]

_FREE, _FREE_WORDS = "#e9edf2", "No event"
_HATCHES = ("", "///", "...", "\\\\\\", "xxx")  # areas are told apart without colour too
_WIDTH, _TALL = 8.5, 240.0


def plot_stacked_incidence(
    result: Result,
    *,
    ax: Axes | None = None,
    stratum: Mapping[str, Any] | None = None,
    horizon: float | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the share of people with an event of each cause as areas that add up, with those free of any, to 100%.

    Parameters
    ----------
    result : CumulativeIncidence
        What `survival.cumulative_incidence` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; the number at risk hangs below. By default a new figure.
    stratum : mapping, optional
        Which stratum, such as `{"sex": "F"}`; needed where there are several.
    horizon : float, optional
        Where the axis ends, in the curve's unit; of a released curve a time of its grid.
    title : str, optional
        By default the finding, in at most 15 words.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        On another family, a horizon that is not above 0 or no time of the grid, or a stratum that is not there.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Notes
    -----
    Causes are stacked in the order of their codes. There are no intervals: those of a sum are not the sums of
    intervals; `plot_survival` draws each cause with its own. A released curve is drawn at the times at which every cause has
    an estimate.

    References
    ----------
    Putter, H., Fiocco, M. and Geskus, R. B. (2007). Tutorial in biostatistics: competing risks and multi-state models.
    Statistics in Medicine 26, 2389-2430.

    Examples
    --------
    >>> import symphony_research as sr
    >>> people = sr.define_cohort(sr.example_study()).follow_up(event="admission")
    >>> curve = sr.survival.cumulative_incidence(people)
    >>> ax = sr.plot_stacked_incidence(sr.suppress(curve, sr.Policy.synthetic()))
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['Admission', 'Death first', 'No event']
    """
    require_family(result, ("CumulativeIncidence",), "plot_stacked_incidence", "survival.cumulative_incidence", title)
    if horizon is not None and not horizon > 0:
        raise ArgumentError("horizon must be above 0, in the curve's own unit.")
    released, causes = bool(result.on_grid), list(result.settings["causes"])  # type: ignore[attr-defined]
    if released and horizon is not None:
        from symphony_research.survival.grid import landmark_of, require_grid_time

        unit, since = result.time_unit, landmark_of(result.settings)  # type: ignore[attr-defined]
        require_grid_time(horizon, unit, result.settings.get("grid"), since=since)
    own_rows = one_stratum(result, result.estimates, stratum) if result.by else result.estimates
    with drawing():
        known = _stack(own_rows, causes)
        if known.height < 2 - (not released) or not own_rows.height:
            ax, own = begin(ax, _WIDTH, 2.0)
            return nothing_to_draw(ax, result, own=own, title=title or few_title("group"))
        given = own_rows["time"]
        limit = float(at_known_times(horizon, given, tie_width(given))) if horizon else float(known["time"].max())  # type: ignore[arg-type]
        known = known.filter(pl.col("time") <= limit)
        names = [_cause_words(result, cause) for cause in causes]
        title = _title(known, names, limit, result, stratum) if title is None else title
        group = {c: own_rows[c][0] for c in result.by}
        table = NumbersAtRisk(result, [group], [INK])
        wide = _WIDTH * 72 * 0.75 if ax is None else axes_points(ax)[0]
        columns, counted_in = table.columns_in(wide), str(result.time_unit)  # type: ignore[attr-defined]
        times = grid_ticks(given.unique().sort().to_list(), limit, columns) if released else None
        ticks, labels, unit = time_ticks(counted_in, limit, times, columns)
        read = table.read(ticks)
        notes = _notes(result, own_rows, known, limit, read)
        across = _WIDTH * 72 - 2 * MARGIN
        around = head_height(result, title, across) + foot_height(result, notes, across) + text_height("x", SMALL) * 2
        ax, own = begin(ax, _WIDTH, (_TALL + around + 2 * MARGIN + table.height) / 72)
        handles = _areas(ax, known, causes, limit, released=released)
        ax.set_xlim(0, limit)
        ax.set_xticks(ticks, labels)
        ax.set_ylim(0, 100)
        percent_axis(ax, "y")
        plain_axes(ax)
        ax.set_xlabel(f"{unit} since {result.time_origin}", fontsize=LABEL, color=INK)  # type: ignore[attr-defined]
        ax.set_ylabel("Share of people", fontsize=LABEL, color=INK)
        key_above(ax, handles, [*names, _FREE_WORDS], axes_points(ax)[0])
        table.draw(ax, read)
        last = known.row(-1, named=True)
        told = [f"{name}: {percentage(last[str(cause)])}" for name, cause in zip(names, causes, strict=True)]
        kind = f"Stacked areas of {len(causes)} cause{'s' * (len(causes) > 1)} and those free of any, with a table of numbers at risk"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


def _cause_words(result: Result, cause: int) -> str:
    return capital(result.cause_words(cause))  # type: ignore[attr-defined]


def _stack(rows: pl.DataFrame, causes: Sequence[int]) -> pl.DataFrame:
    """Return one row a time at which every cause has an estimate, and a column a cause."""
    wide = rows.pivot("cause", index="time", values="estimate", maintain_order=True).sort("time")
    columns = [str(cause) for cause in causes if str(cause) in wide.columns]
    return wide.select("time", *columns).drop_nulls()


def _areas(ax: Axes, known: pl.DataFrame, causes: Sequence[int], limit: float, *, released: bool) -> list[Any]:
    """Fill the area of each cause over those before it, and the rest; return what the key shows."""
    times = known["time"].cast(pl.Float64).to_list()
    shares = {cause: [100 * v for v in known[str(cause)]] for cause in causes}
    if not times or times[0] > 0:
        times = [0.0, *times]
        shares = {cause: [0.0, *values] for cause, values in shares.items()}
    if not released and times[-1] < limit:
        times = [*times, limit]
        shares = {cause: [*values, values[-1]] for cause, values in shares.items()}
    step: Literal["post"] | None = None if released else "post"
    below, handles = np.zeros(len(times)), []
    for k, (cause, colour) in enumerate(zip(causes, colours(len(causes)), strict=True)):
        top = np.minimum(below + np.array(shares[cause]), 100.0)
        area = ax.fill_between(times, below, top, step=step, facecolor=colour, edgecolor="white", linewidth=0.8,
                               hatch=_HATCHES[k % len(_HATCHES)], zorder=2)  # fmt: skip
        area.set_gid("cause")
        handles.append(area)
        below = top
    rest = ax.fill_between(times, below, 100.0, step=step, facecolor=_FREE, edgecolor="white", linewidth=0.8, zorder=1)
    rest.set_gid("no event")
    return [*handles, rest]


def _notes(result: Result, rows: pl.DataFrame, known: pl.DataFrame, limit: float, read: pl.DataFrame) -> list[str]:
    notes = ["First events alone are counted, so that the areas add up to everybody."]
    if result.on_grid:  # type: ignore[attr-defined]
        notes.append(str(result.grid_words).split(";")[0] + ".")  # type: ignore[attr-defined]
        within = rows.filter(pl.col("time") <= limit)["time"].n_unique()
        if known.height < within:
            notes.append("Suppressed at some times: joined by a straight line.")
    marks = {mark_of(result, row) for row in read.iter_rows(named=True) if row["n_at_risk"] is None}
    words = {"[c]": "suppressed by disclosure control", "[x]": "beyond the end of follow-up"}
    return notes + [f"{mark} {words.get(mark, words['[x]'])}." for mark in sorted(marks)]


def _title(
    known: pl.DataFrame, names: Sequence[str], limit: float, result: Result, stratum: Mapping[str, Any] | None
) -> str:
    """Say what share had an event of each cause at the last time drawn."""
    if not known.height:
        return few_title("group")
    row = known.row(-1)
    unit = str(result.time_unit)  # type: ignore[attr-defined]
    when = f"{row[0] if result.on_grid else limit:g} {unit}" if unit else f"time {limit:g}"  # type: ignore[attr-defined]
    when += " after the landmark" if result.after_landmark else ""  # type: ignore[attr-defined]
    shares = [f"{percentage(v)} {name[0].lower()}{name[1:]}" for v, name in zip(row[1:], names, strict=True)]
    free = f"{percentage(max(1 - sum(row[1:]), 0.0))} no event"
    whom = stratum if result.by else None
    return fitting(
        *in_group(
            whom, f"by {when}: {', '.join([*shares, free])}", f"by {when}: {', '.join(shares)}", f"by {when}: {free}"
        )
    )
