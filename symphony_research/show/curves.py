"""Curves of time until an event, over the numbers at risk: steps by day, or a released curve on the grid of times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from symphony_research.collapse.margins import same_stratum
from symphony_research.collapse.ties import at_known_times, tie_width
from symphony_research.errors import ArgumentError
from symphony_research.result import Result
from symphony_research.show.curve_names import legend_columns, name_curves
from symphony_research.show.frame import (
    axes_points,
    begin,
    finish,
    foot_height,
    head_height,
    nothing_to_draw,
)
from symphony_research.show.gate import require_family
from symphony_research.show.style import (
    INK,
    LABEL,
    MARGIN,
    QUIET,
    SMALL,
    colours,
    darker,
    drawing,
    plain_axes,
    text_height,
    text_width,
    wrapped,
)
from symphony_research.show.time_axis import grid_ticks, time_ticks
from symphony_research.wording import happened, number, strata_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_survival"]

_ROW = 13.0  # height of a row of the table under the axes
_STEPS: dict[float, float] = {
    5: 1,
    10: 2,
    20: 5,
    40: 10,
    60: 20,
    100: 20,
}  # top of the axis of percentages: between its lines
_STYLES = ("-", (0, (5, 2)))
_NAMES = 140.0  # width of the names of rows, in points
_TABLE = 40.0  # from the axes to the table, over ticks and label of the axis
_WIDTH, _TALL = 8.5, 240.0  # of a figure made here, in inches, and of its axes, in points


@dataclass(frozen=True)
class _Curve:
    """One line: what it is called, how it looks, and its estimates."""

    words: str
    colour: str
    style: Any
    cause: int | None
    steps: pl.DataFrame
    on_grid: bool  # straight between the grid's times, where it is known; else it steps on the days of events
    begins: float = 0.0  # the time from which anybody is at risk

    @property
    def suppressed(self) -> bool:
        """Whether a released curve has no estimate after its start."""
        return self.on_grid and not self.steps.filter(pl.col("time") > 0)["estimate"].count()


def plot_survival(
    result: Result,
    *,
    ax: Axes | None = None,
    times: Sequence[float] | None = None,
    horizon: float | None = None,
    highest: float | None = None,
    title: str | None = None,
) -> Axes:
    """Draw curves of time until an event, with the number at risk below.

    Parameters
    ----------
    result : SurvivalCurve or CumulativeIncidence
        The curves: one a stratum and, for cumulative incidence, one each for
        the first two causes (a full and a dashed line).
    ax : matplotlib.axes.Axes, optional
        Where to draw; the table hangs below. By default a new figure.
    times : sequence of float, optional
        Ticks, and columns of the table, in the curve's unit of time; of a
        released curve, times of its grid.
    horizon : float, optional
        Where the axis ends, in the curve's unit; by default with the longest
        curve. For a released curve a time of its grid.
    highest : float, optional
        Top of the axis, in percent; it begins at 0. By default 100, or less
        where a cumulative incidence stays low.
    title : str, optional
        By default the finding, `result.sentence()`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If the result is not a curve, the horizon or a time is not positive, or a
        released curve is to be drawn at a time that is not its grid's.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Notes
    -----
    The table gives the number at risk of any event. Censoring is not marked: a
    mark may stand for one person. A released curve has a point at each time of the
    grid, joined by straight lines as the actuarial estimate has it, and a band that
    holds the exact estimate and its interval; where a count is suppressed there is
    no point, and the table says [c].

    References
    ----------
    Cutler, S. J. and Ederer, F. (1958). Maximum utilization of the life table method
    in analyzing survival. Journal of Chronic Diseases 8, 699-712.

    Examples
    --------
    >>> import symphony_research as sr
    >>> people = sr.define_cohort(sr.example_study()).follow_up(event="death")
    >>> curve = sr.survival.kaplan_meier(people, time="time", event="event", weights="n_persons")
    >>> ax = sr.plot_survival(sr.suppress(curve, sr.Policy.synthetic()), horizon=365)
    >>> ax.get_xlabel()
    'Months since the start of follow-up'
    """
    require_family(result, ("SurvivalCurve", "CumulativeIncidence"), "plot_survival",
                   "kaplan_meier or cumulative_incidence", title)  # fmt: skip
    if (horizon is not None and not horizon > 0) or any(not t >= 0 for t in times or ()):
        raise ArgumentError("horizon must be above 0, and times 0 or more, in the curve's own unit.")
    estimates, released = result.estimates, bool(result.on_grid)  # type: ignore[attr-defined]
    if released and horizon is not None:
        from symphony_research.survival.grid import require_grid_time

        require_grid_time(horizon, result.time_unit, result.settings.get("grid"))  # type: ignore[attr-defined]
    title = result.sentence() if title is None else title
    with drawing():
        if not estimates.height:
            ax, own = begin(ax, _WIDTH, 2.0)
            return nothing_to_draw(ax, result, own=own, title=title)
        strata = estimates.select(result.by).unique(maintain_order=True).to_dicts() if result.by else [{}]
        given, width = estimates["time"], tie_width(estimates["time"])
        times = None if times is None else at_known_times(times, given, width).tolist()
        limit = float(at_known_times(horizon, given, width)) if horizon else max([*given.to_list(), *(times or ())])
        every = _curves(result, strata, limit)
        curves = [c for c in every if not c.suppressed]
        if not curves:
            ax, own = begin(ax, _WIDTH, 2.0)
            return nothing_to_draw(ax, result, own=own, title=title, notes=_not_drawn(every))
        wide = _WIDTH * 72 * 0.75 if ax is None else axes_points(ax)[0]
        table = _Table(result, strata, colours(len(strata)))
        counted_in = str(result.time_unit)  # type: ignore[attr-defined]
        columns = table.columns_in(wide)
        if released and times is None:
            times = grid_ticks(estimates["time"].unique().sort().to_list(), limit, columns)
        ticks, labels, unit = time_ticks(counted_in, limit, times, columns)
        read = table.read(ticks)
        top = _top(result, limit) if highest is None else highest
        notes = [*_not_drawn(every), *_notes(result, curves, read, top)]
        across = _WIDTH * 72 - 2 * MARGIN
        legend = (
            text_height("x", SMALL) * 1.3 * -(-len(curves) // legend_columns([c.words for c in curves], wide))
            if len(curves) > 1
            else 0
        )
        around = head_height(result, title, across) + foot_height(result, notes, across) + legend + 2 * MARGIN
        ax, own = begin(ax, _WIDTH, (_TALL + around + _TABLE + _ROW + sum(table.heights)) / 72)
        for curve in curves:
            _draw(ax, curve, limit)
        ax.set_xlim(0, limit)
        ax.set_ylim(0, top)
        if top in _STEPS:
            ax.set_yticks([k * _STEPS[top] for k in range(int(top / _STEPS[top]) + 1)])
        ax.set_xticks(ticks, labels)
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}%")
        plain_axes(ax, grid="y")
        ax.set_xlabel(f"{unit} since the start of follow-up", fontsize=LABEL, color=INK)
        tall = _TALL if own else axes_points(ax)[1]
        whom = wrapped(_share_of_whom(result, curves), tall, LABEL, even=True)
        ax.set_ylabel(whom, fontsize=LABEL, color=INK)
        table.draw(ax, read)
        _say_suppressed(ax, [c for c in every if c.suppressed], "cause" in estimates.columns)

        def settle() -> None:
            if len(every) > 1:
                name_curves(ax, [(c.words, c.colour, _end(c, limit)) for c in curves], own)

        return finish(ax, result, own=own, title=title, notes=notes, settle=settle)


def _not_drawn(curves: Sequence[_Curve]) -> list[str]:
    """Say which curves are suppressed altogether."""
    gone = [c for c in curves if c.suppressed]
    names = f": {'; '.join(c.words for c in gone)}" if any(c.words for c in gone) else ""
    return [f"Suppressed by disclosure control and not drawn{names}."] if gone else []


def _notes(result: Result, curves: Sequence[_Curve], read: pl.DataFrame, top: float) -> list[str]:
    notes = []
    share = f"{100 * result.settings['confidence']:g}% CI"
    if any(curve.on_grid for curve in curves):
        notes.append(
            "Life-table (actuarial) estimates at the times marked. "
            f"Shading: {share}, widened to hold whatever the grid of times and the rounding hide."
        )
    elif any(curve.steps["lower"].is_not_null().any() for curve in curves):
        notes.append(f"Shading: {share}.")
    if top < 100:
        notes.append(f"The scale ends at {top:g}%.")
    left_out = len(result.settings.get("causes", ())) - len(_causes(result))
    if left_out > 0:
        notes.append(f"{left_out} more competing cause{'s' if left_out > 1 else ''} not drawn.")
    marks = {_mark(result, row) for row in read.iter_rows(named=True) if row["n_at_risk"] is None}
    words = {"[c]": "suppressed by disclosure control", "[x]": "beyond the end of follow-up"}
    return notes + [f"{mark} {words.get(mark, words['[x]'])}." for mark in sorted(marks)]


def _mark(result: Result, record: dict[str, Any]) -> str:
    """Return what stands for a number at risk that is not there; of an exact curve only its end is not."""
    return result.gap(record, "n_at_risk") if result.on_grid else "[x]"  # type: ignore[attr-defined]


def _causes(result: Result) -> list[int | None]:
    """Return the causes drawn, one line each."""
    return list(result.settings["causes"])[:2] if "cause" in result.estimates.columns else [None]


def _top(result: Result, limit: float) -> float:
    """Return where the axis ends: a curve of something rare would lie flat under a whole hundred."""
    if "cause" not in result.estimates.columns:
        return 100.0
    seen = result.estimates.filter((pl.col("time") <= limit) & pl.col("cause").is_in(result.settings["causes"][:2]))
    reached = 100 * max(v for c in ("estimate", "upper") for v in [*seen[c].drop_nulls().to_list(), 0.0])
    return float(next((t for t in _STEPS if reached <= 0.95 * t), 100))


def _curves(result: Result, strata: Sequence[dict[str, Any]], limit: float) -> list[_Curve]:
    from symphony_research.survival.risk import starts_at

    frame, events = result.estimates, result.count_tables.get("events")
    causes = _causes(result)
    on_grid = bool(result.on_grid)  # type: ignore[attr-defined]
    found = []
    for names, colour in zip(strata, colours(len(strata)), strict=True):
        begins = 0.0 if events is None else starts_at(same_stratum(events, names) if names else events)
        for cause, style in zip(causes, _STYLES, strict=False):
            part = same_stratum(frame, names) if names else frame
            if cause is not None:
                part = part.filter(pl.col("cause") == cause)
            named = [strata_words(names)] if names else []
            if len(causes) > 1:
                named.append(result.cause_words(cause))  # type: ignore[attr-defined]
            # causes of one population are told apart by colour as well
            own = colour if names else colours(2)[0 if cause is None else causes.index(cause)]
            found.append(_Curve(": ".join(named), own, style, cause, part, on_grid, begins))
    return found


def _corners(curve: _Curve, limit: float) -> dict[str, Any]:
    """Return the points of a curve up to the limit, in percent; by day it begins where nobody has had the event."""
    known = curve.steps.drop_nulls("estimate") if curve.on_grid else curve.steps
    steps = known.filter(pl.col("time") <= limit)
    first = [] if curve.on_grid else [100.0 if curve.cause is None else 0.0]
    time = [*([] if curve.on_grid else [curve.begins]), *steps["time"].to_list()]
    values = {c: [*first, *(100 * steps[c].cast(pl.Float64)).to_list()] for c in ("estimate", "lower", "upper")}
    if not curve.on_grid and known.height > steps.height:  # it goes on beyond the picture
        time.append(limit)
        for value in values.values():
            value.append(value[-1])
    as_array = {c: np.array([np.nan if v is None else v for v in value], dtype=float) for c, value in values.items()}
    return {"time": np.array(time, dtype=float), **as_array}


def _end(curve: _Curve, limit: float) -> tuple[float, float]:
    at = _corners(curve, limit)
    return float(at["time"][-1]), float(at["estimate"][-1])


def _say_suppressed(ax: Axes, curves: Sequence[_Curve], rising: bool) -> None:
    """Name the curves that are not drawn, in the corner that lines leave free."""
    if curves:
        words = wrapped(f"Suppressed: {'; '.join(c.words for c in curves)}", 0.55 * axes_points(ax)[0], SMALL)
        ax.annotate(words, (0, 1 if rising else 0), (6, -6 if rising else 6), xycoords="axes fraction",
                    textcoords="offset points", va="top" if rising else "bottom", fontsize=SMALL, color=QUIET,
                    fontstyle="italic", gid="suppressed", zorder=4,
                    bbox={"boxstyle": "square,pad=0.2", "facecolor": "white", "edgecolor": "none"})  # fmt: skip


def _draw(ax: Axes, curve: _Curve, limit: float) -> None:
    at = _corners(curve, limit)
    step: Literal["post"] | None = None if curve.on_grid else "post"
    ax.fill_between(
        at["time"], at["lower"], at["upper"], step=step, color=curve.colour, alpha=0.16, linewidth=0, zorder=1
    )
    ax.plot(
        at["time"], at["estimate"], drawstyle="default" if curve.on_grid else "steps-post", color=curve.colour,
        linestyle=curve.style, linewidth=1.8, marker="o" if curve.on_grid else None, markersize=3.5,
        label=curve.words or None, solid_joinstyle="miter", zorder=3,
    )  # fmt: skip


def _share_of_whom(result: Result, curves: Sequence[_Curve]) -> str:
    causes = {c.cause for c in curves}
    if causes == {None}:
        return f"Share of people who {happened(result.settings.get('event_name'), yet=False)}"
    if len(causes) == 1:
        cause = causes.pop()
        names = result.settings.get("cause_names") or {}
        return f"Share of people who {happened(names.get(cause, f'cause {cause}'))}"
    return "Cumulative incidence"


@dataclass(frozen=True)
class _Table:
    """The numbers at risk, one row a stratum."""

    result: Result
    strata: Sequence[dict[str, Any]]
    colours: Sequence[str]

    @property
    def words(self) -> list[str]:
        """The names of the rows, broken into lines; none without strata."""
        return [wrapped(strata_words(names), _NAMES, SMALL, "bold") if names else "" for names in self.strata]

    @property
    def heights(self) -> list[float]:
        """Heights of the rows, in points."""
        return [max(_ROW, text_height(words, SMALL) + 5) for words in self.words]

    def columns_in(self, width: float) -> int:
        """How many columns of numbers stand side by side in so many points."""
        most = self.result.estimates["n_at_risk"].max()
        return max(2, int(width / (text_width(number(most), SMALL) + 8)))  # type: ignore[arg-type]

    def read(self, times: Sequence[float]) -> pl.DataFrame:
        """Return the number at risk at each time; null where it is suppressed, or a curve has ended."""
        from symphony_research.survival import at

        read = at(self.result, times).estimates
        if "cause" in read.columns:  # at risk of any: every cause's rows say the same
            read = read.filter(pl.col("cause") == self.result.settings["causes"][0])
        return read

    def draw(self, ax: Axes, read: pl.DataFrame) -> None:
        """Write the rows under the axes."""
        top = _TABLE
        beside = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top"}
        first = number(self.result.estimates["n_at_risk"].max())  # type: ignore[arg-type]
        edge = text_width(first, SMALL) / 2
        ax.annotate("Number at risk", (0, 0), (-edge, -top), ha="left", fontsize=SMALL, fontweight="bold",
                    annotation_clip=False, gid="at risk title", **beside)  # type: ignore[arg-type]  # fmt: skip
        down = -top - _ROW
        for names, words, height, colour in zip(self.strata, self.words, self.heights, self.colours, strict=True):
            part = same_stratum(read, names) if names else read
            if names:
                ax.annotate(words, (0, 0), (-edge - 8, down), ha="right", fontsize=SMALL,
                            color=darker(colour), fontweight="bold", annotation_clip=False, gid="at risk row",
                            **beside)  # type: ignore[arg-type]  # fmt: skip
            for record in part.iter_rows(named=True):
                people, time = record["n_at_risk"], record["time"]
                ax.annotate(_mark(self.result, record) if people is None else number(people), (time, 0), (0, down), ha="center", fontsize=SMALL, annotation_clip=False,
                            gid="at risk", **beside)  # type: ignore[arg-type]  # fmt: skip
            down -= height
