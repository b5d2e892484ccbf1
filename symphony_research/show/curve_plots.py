"""Curves of time until an event, over the numbers at risk: steps by day, or a released curve on the grid of times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
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
from symphony_research.show.gate import is_family, require_family
from symphony_research.show.numbers_at_risk import NumbersAtRisk, mark_of
from symphony_research.show.style import (
    INK,
    LABEL,
    MARGIN,
    QUIET,
    SMALL,
    colours,
    drawing,
    plain_axes,
    text_height,
    wrapped,
)
from symphony_research.show.time_axis import grid_ticks, time_ticks
from symphony_research.show.titles import curve_title, few_title
from symphony_research.words.lexicon import capital, in_words
from symphony_research.words.numbers import duration, number
from symphony_research.words.phrases import confidence_of, strata_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_survival"]

_STEPS: dict[float, float] = {
    5: 1,
    10: 2,
    20: 5,
    40: 10,
    60: 20,
    100: 20,
}  # top of the axis of percentages: between its lines
# lines and marks by which groups are told apart without colour; dotted is left for what is suppressed
_STYLES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (7, 2, 1.5, 2)), (0, (3, 1.2)), (0, (9, 3)))
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_GAP_STYLE: Any = (0, (1, 1.6))
_ESTIMATES = {
    "SurvivalCurve": "Kaplan-Meier estimate",
    "CumulativeIncidence": "Cumulative incidence",
    "NelsonAalen": "Nelson-Aalen estimate",
    "MeanCumulativeCount": "Mean cumulative count",
}
_CALLS = "kaplan_meier, cumulative_incidence, nelson_aalen or mean_cumulative_count"
_WIDTH, _TALL = 8.5, 240.0  # of a figure made here, in inches, and of its axes, in points


@dataclass(frozen=True)
class _Curve:
    """One line: what it is called, how it looks, and its estimates."""

    words: str
    colour: str
    style: Any
    cause: int | None
    steps: pl.DataFrame
    mark: str
    on_grid: bool  # straight between the grid's times, where it is known; else it steps on the days of events
    begins: float = 0.0  # the time from which anybody is at risk
    competing: bool = False  # a second cause of a group: thin, with open marks
    begins_at: float = 0.0  # its value before anything has happened
    scale: float = 100.0  # a share is drawn as a percentage

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
    mortality: bool = False,
    title: str | None = None,
) -> Axes:
    """Draw curves of time until an event, with the number at risk below.

    Parameters
    ----------
    result : SurvivalCurve, CumulativeIncidence, NelsonAalen or MeanCumulativeCount
        The curves: one a stratum and, for cumulative incidence, one each for
        the first two causes (the second thin, with open marks).
    ax : matplotlib.axes.Axes, optional
        Where to draw; the table hangs below. By default a new figure.
    times : sequence of float, optional
        Ticks, and columns of the table, in the curve's unit of time; of a
        released curve, times of its grid.
    horizon : float, optional
        Where the axis ends, in the curve's unit; by default with the longest
        curve. For a released curve a time of its grid.
    highest : float, optional
        Top of the axis, in percent of a share; it begins at 0. By default 100, or less
        where a cumulative incidence stays low.
    mortality : bool, default False
        Draw one less survival, of a Kaplan-Meier curve of death.
    title : str, optional
        By default the finding, in at most 15 words.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If one less survival is asked for where anything competes with the event; if the result is not a curve, the horizon or a time is not positive, or a
        released curve is to be drawn at a time that is not its grid's.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Notes
    -----
    The table gives the number at risk of any event. Censoring is not marked: a
    mark may stand for one person. A released curve has a point at each time of the
    grid, joined by straight lines as the actuarial estimate has it, and a band that
    holds the exact estimate and its interval; where a count is suppressed there is
    no point, the line is dotted to the next one, and the table says [c].

    References
    ----------
    Cutler, S. J. and Ederer, F. (1958). Maximum utilization of the life table method
    in analyzing survival. Journal of Chronic Diseases 8, 699-712.

    Examples
    --------
    >>> import symphony_research as sr
    >>> people = sr.define_cohort(sr.example_study()).follow_up(event="death")
    >>> curve = sr.survival.kaplan_meier(people)
    >>> ax = sr.plot_survival(sr.suppress(curve, sr.Policy.synthetic()), horizon=365)
    >>> ax.get_xlabel()
    'Months since the start of follow-up'
    """
    require_family(result, tuple(_ESTIMATES), "plot_survival", _CALLS, title)
    if (horizon is not None and not horizon > 0) or any(not t >= 0 for t in times or ()):
        raise ArgumentError("horizon must be above 0, and times 0 or more, in the curve's own unit.")
    if mortality:
        _require_death(result)
    estimates, released = result.estimates, bool(result.on_grid)  # type: ignore[attr-defined]
    if released and horizon is not None:
        from symphony_research.survival.grid import landmark_of, require_grid_time

        unit, since = result.time_unit, landmark_of(result.settings)  # type: ignore[attr-defined]
        require_grid_time(horizon, unit, result.settings.get("grid"), since=since)
    with drawing():
        if not estimates.height:
            ax, own = begin(ax, _WIDTH, 2.0)
            return nothing_to_draw(ax, result, own=own, title=title or few_title("group"))
        strata = estimates.select(result.by).unique(maintain_order=True).to_dicts() if result.by else [{}]
        given, width = estimates["time"], tie_width(estimates["time"])
        times = None if times is None else at_known_times(times, given, width).tolist()
        limit = float(at_known_times(horizon, given, width)) if horizon else max([*given.to_list(), *(times or ())])
        every = _curves(result, strata, limit)
        every = [_turned(curve) for curve in every] if mortality else every
        curves = [c for c in every if not c.suppressed]
        if not curves:
            ax, own = begin(ax, _WIDTH, 2.0)
            return nothing_to_draw(ax, result, own=own, title=title or few_title("group"), notes=_not_drawn(every))
        title = curve_title(result, limit) if title is None else title
        wide = _WIDTH * 72 * 0.75 if ax is None else axes_points(ax)[0]
        table = NumbersAtRisk(result, strata, colours(len(strata)))
        counted_in = str(result.time_unit)  # type: ignore[attr-defined]
        columns = table.columns_in(wide)
        if released and times is None:
            times = grid_ticks(estimates["time"].unique().sort().to_list(), limit, columns)
        ticks, labels, unit = time_ticks(counted_in, limit, times, columns)
        read = table.read(ticks)
        top = _top(result, limit) if highest is None else highest
        notes = [*_not_drawn(every), *_notes(result, curves, read, top)]
        across = _WIDTH * 72 - 2 * MARGIN
        keys = _keys(result, curves, limit)
        names = [*(c.words for c in every if len(every) > 1), *keys]
        legend = text_height("x", SMALL) * 1.3 * -(-len(names) // legend_columns(names, wide)) if names else 0
        around = head_height(result, title, across) + foot_height(result, notes, across) + legend + 2 * MARGIN
        ax, own = begin(ax, _WIDTH, (_TALL + around + table.height) / 72)
        for curve in curves:
            _draw(ax, curve, limit, 0.0 if curve.competing else 0.16 if len(strata) <= 2 else 0.08)
        ax.set_xlim(0, limit)
        ax.set_ylim(0, top)
        if top in _STEPS:
            ax.set_yticks([k * _STEPS[top] for k in range(int(top / _STEPS[top]) + 1)])
        ax.set_xticks(ticks, labels)
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}{_percent(result)}")
        plain_axes(ax, grid="y")
        ax.set_xlabel(f"{unit} since {result.time_origin}", fontsize=LABEL, color=INK)  # type: ignore[attr-defined]
        tall = _TALL if own else axes_points(ax)[1]
        whom = "Mortality (1 − Kaplan-Meier)" if mortality else _share_of_whom(result, curves)
        whom = wrapped(whom, tall, LABEL, even=True)
        ax.set_ylabel(whom, fontsize=LABEL, color=INK)
        table.draw(ax, read)
        _say_suppressed(ax, [c for c in every if c.suppressed], mortality or "cause" in estimates.columns)

        def settle() -> None:
            named = [(c.words, c.colour, _end(c, limit)) for c in curves] if len(every) > 1 else []
            name_curves(ax, named, own, keys)

        kind = f"Line chart of {len(curves)} curve{'s' * (len(curves) > 1)} over time, with a table of numbers at risk"
        return finish(ax, result, own=own, title=title, notes=notes, settle=settle, kind=kind,
                      told=_told(result, curves, limit))  # fmt: skip


def _require_death(result: Result) -> None:
    """Refuse one less survival of an event that something competes with.

    Raises
    ------
    ArgumentError
        Unless it is a Kaplan-Meier curve of death.
    """
    event = result.settings.get("event_name")
    if not is_family(result, ("SurvivalCurve",)) or event != "death":
        what = "an event without a name" if event is None else in_words(event)
        raise ArgumentError(
            f"One less Kaplan-Meier is the share with the event only where nothing else can end the risk of it, as with death. Of {what} "
            "it counts whoever died first as still able to have the event, and overstates it: use cumulative_incidence."
        )


def _turned(curve: _Curve) -> _Curve:
    """Return a curve of survival as one of what it lacks of everybody."""
    ends = {"estimate": "estimate", "lower": "upper", "upper": "lower"}
    steps = curve.steps.with_columns((1 - pl.col(other)).alias(own) for own, other in ends.items())
    return replace(curve, steps=steps, begins_at=0.0)


def _told(result: Result, curves: Sequence[_Curve], limit: float) -> list[str]:
    """Return where each curve begins and ends, as drawn."""
    said = []
    for curve in curves[:4]:
        at = _corners(curve, limit)
        when = duration(float(at["time"][-1]), str(result.time_unit))  # type: ignore[attr-defined]
        name = f"{curve.words}: " if curve.words else ""
        first, last = ((f"{v:.0f}%" if _percent(result) else number(float(v))) for v in at["estimate"][[0, -1]])
        said.append(f"{name}{first} at the start, {last} at {when}")
    return said


def _keys(result: Result, curves: Sequence[_Curve], limit: float) -> dict[str, Any]:
    """Return what the line of a single curve, the shading, and a dotted stretch stand for."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    keys: dict[str, Any] = {}
    only = curves[0]
    if len(curves) == 1:
        mark: dict[str, Any] = {"marker": "o", "markersize": 3.5} if only.on_grid else {}
        name = next(words for kind, words in _ESTIMATES.items() if is_family(result, (kind,)))
        name = "Life-table estimate" if only.on_grid and only.cause is None else name
        keys[name] = Line2D([], [], color=only.colour, linewidth=1.8, linestyle=only.style, **mark)
    if any(c.steps["lower"].is_not_null().any() for c in curves):
        colour = only.colour if len(curves) == 1 else QUIET
        keys[f"Shading: {confidence_of(result.settings)}"] = Patch(facecolor=colour, alpha=0.16)
    if any(_gaps(c, limit) for c in curves):
        colour = only.colour if len(curves) == 1 else QUIET
        keys["Dotted: suppressed in between"] = Line2D([], [], color=colour, linewidth=1.4, linestyle=_GAP_STYLE)
    return keys


def _not_drawn(curves: Sequence[_Curve]) -> list[str]:
    """Say which curves are suppressed altogether."""
    gone = [c for c in curves if c.suppressed]
    names = f": {'; '.join(c.words for c in gone)}" if any(c.words for c in gone) else ""
    return [f"Suppressed by disclosure control and not drawn{names}."] if gone else []


def _notes(result: Result, curves: Sequence[_Curve], read: pl.DataFrame, top: float) -> list[str]:
    notes = []
    if any(curve.on_grid for curve in curves):
        notes.append(str(result.grid_words))  # type: ignore[attr-defined]
    if any(curve.competing for curve in curves):
        notes.append("Competing event: thin, open marks, no interval.")
    if result.by and len(curves) > 1:
        notes.append("Groups clearly differ where their intervals at one time do not overlap.")
    if top < 100 and _percent(result):
        notes.append(f"The scale ends at {top:g}%.")
    left_out = len(result.settings.get("causes", ())) - len(_causes(result))
    if left_out > 0:
        notes.append(f"{left_out} more competing cause{'s' if left_out > 1 else ''} not drawn.")
    marks = {mark_of(result, row) for row in read.iter_rows(named=True) if row["n_at_risk"] is None}
    words = {"[c]": "suppressed by disclosure control", "[x]": "beyond the end of follow-up"}
    return notes + [f"{mark} {words.get(mark, words['[x]'])}." for mark in sorted(marks)]


def _causes(result: Result) -> list[int | None]:
    """Return the causes drawn, one line each: the first and one that competes, of many groups the first alone."""
    if "cause" not in result.estimates.columns:
        return [None]
    crowded = bool(result.by) and result.estimates.select(result.by).n_unique() > 2
    return list(result.settings["causes"])[: 1 if crowded else 2]


def _top(result: Result, limit: float) -> float:
    """Return where the axis ends: a curve of something rare would lie flat under a whole hundred."""
    if "cause" not in result.estimates.columns:
        return 100.0 if _percent(result) else _top_of_number(result, limit)
    seen = result.estimates.filter((pl.col("time") <= limit) & pl.col("cause").is_in(result.settings["causes"][:2]))
    reached = 100 * max(v for c in ("estimate", "upper") for v in [*seen[c].drop_nulls().to_list(), 0.0])
    return float(next((t for t in _STEPS if reached <= 0.95 * t), 100))


def _percent(result: Result) -> str:
    """Return the mark of a curve of shares, nothing for one of numbers."""
    return "%" if result.is_share else ""  # type: ignore[attr-defined]


def _top_of_number(result: Result, limit: float) -> float:
    """Return a round number above the curves and, up to twice their height, their intervals."""
    seen = result.estimates.filter(pl.col("time") <= limit)
    highest = max([*seen["estimate"].drop_nulls().to_list(), 0.0])
    reached = 1.05 * min(max([*seen["upper"].drop_nulls().to_list(), highest]), 2 * highest) or 1.0
    power = 10.0 ** np.floor(np.log10(reached))
    return float(next(k * power for k in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if reached <= k * power))


def _curves(result: Result, strata: Sequence[dict[str, Any]], limit: float) -> list[_Curve]:
    from symphony_research.survival.risk import starts_at

    frame, events = result.estimates, result.count_tables.get("events")
    causes = _causes(result)
    on_grid = bool(result.on_grid)  # type: ignore[attr-defined]
    found = []
    for k, (names, colour) in enumerate(zip(strata, colours(len(strata)), strict=True)):
        begins = 0.0 if events is None else starts_at(same_stratum(events, names) if names else events)
        for place, cause in enumerate(causes):
            # lines and marks by group, and of the competing cause thin and open; by cause where there are no groups
            k_or_cause = k if names else place
            style, mark = _STYLES[k_or_cause % len(_STYLES)], _MARKS[k_or_cause % len(_MARKS)]
            part = same_stratum(frame, names) if names else frame
            if cause is not None:
                part = part.filter(pl.col("cause") == cause)
            named = [strata_words(names)] if names else []
            if len(causes) > 1:
                named.append(result.cause_words(cause))  # type: ignore[attr-defined]
            # causes of one population are told apart by colour as well
            own = colour if names else colours(2)[0 if cause is None else causes.index(cause)]
            found.append(
                _Curve(": ".join(named), own, style, cause, part, mark, on_grid, begins, bool(names) and place > 0,
                       float(result.begins_at), 100.0 if _percent(result) else 1.0)  # type: ignore[attr-defined]
            )  # fmt: skip
    return found


def _corners(curve: _Curve, limit: float) -> dict[str, Any]:
    """Return the points of a curve up to the limit, of a share in percent; it begins where nobody has had the event."""
    known = curve.steps.drop_nulls("estimate") if curve.on_grid else curve.steps
    steps = known.filter(pl.col("time") <= limit)
    begun = curve.on_grid and bool((steps["time"] <= 0).any())
    first = [] if begun else [curve.scale * curve.begins_at]
    time = [*([] if begun else [curve.begins]), *steps["time"].to_list()]
    values = {c: [*first, *(curve.scale * steps[c].cast(pl.Float64)).to_list()] for c in ("estimate", "lower", "upper")}
    if not curve.on_grid and known.height > steps.height:  # it goes on beyond the picture
        time.append(limit)
        for value in values.values():
            value.append(value[-1])
    as_array = {c: np.array([np.nan if v is None else v for v in value], dtype=float) for c, value in values.items()}
    return {"time": np.array(time, dtype=float), **as_array}


def _gaps(curve: _Curve, limit: float) -> list[tuple[int, int]]:
    """Return the stretches of a released curve, by their corners, between which a time of the grid has no estimate."""
    if not curve.on_grid:
        return []
    at, grid = _corners(curve, limit)["time"], curve.steps["time"].to_list()
    known = set(curve.steps.drop_nulls("estimate")["time"].to_list())
    missing = [t for t in grid if t not in known]
    return [
        (k, k + 1)
        for k, (a, b) in enumerate(pairwise(at))
        if any(a < t < b for t in missing) or (a not in known and b in known)
    ]


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


def _draw(ax: Axes, curve: _Curve, limit: float, shading: float) -> None:
    at = _corners(curve, limit)
    step: Literal["post"] | None = None if curve.on_grid else "post"
    gaps = _gaps(curve, limit)
    ends = [b for _, b in gaps]
    # the line and its shading break where there is no estimate
    line = {name: np.insert(values, ends, np.nan) if ends else values for name, values in at.items()}
    if shading:
        ax.fill_between(
            line["time"], line["lower"], line["upper"], step=step, color=curve.colour, alpha=shading, linewidth=0,
            zorder=1,
        )  # fmt: skip
    few = max(1, len(at["time"]) // 6)
    (drawn,) = ax.plot(
        line["time"], line["estimate"], drawstyle="default" if curve.on_grid else "steps-post", color=curve.colour,
        linestyle=curve.style, linewidth=1.1 if curve.competing else 1.8, marker=curve.mark if curve.on_grid or curve.words else None,
        markersize=5 if curve.words else 3.5, markerfacecolor="white" if curve.competing else curve.colour, markevery=None if curve.on_grid else (few // 2, few),
        label=curve.words or None, solid_joinstyle="miter", zorder=3,
    )  # fmt: skip
    drawn.set_gid("curve")
    for a, b in gaps:
        ax.plot(at["time"][[a, b]], at["estimate"][[a, b]], color=curve.colour, linewidth=1.4, linestyle=_GAP_STYLE,
                zorder=2, gid="suppressed stretch")  # fmt: skip


def _share_of_whom(result: Result, curves: Sequence[_Curve]) -> str:
    causes = {c.cause for c in curves}
    if not _percent(result):
        return capital(result.quantity)  # type: ignore[attr-defined]
    if causes == {None}:
        event = result.settings.get("event_name")
        method = "life table" if curves[0].on_grid else "Kaplan-Meier"
        return f"Survival ({method})" if event in (None, "death") else f"Free of {in_words(event)} ({method})"
    if len(causes) == 1:
        return f"Cumulative incidence of {result.cause_words(causes.pop())}"  # type: ignore[attr-defined]
    return "Cumulative incidence"
