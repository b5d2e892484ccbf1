"""Curves of time until an event, over the numbers at risk: steps by day, or a released curve on the grid of times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.collapse.ties import at_known_times, tie_width
from symphony_research.errors import ArgumentError
from symphony_research.result import Result
from symphony_research.show.curve_names import legend_columns, name_curves
from symphony_research.show.drawn_curves import (
    GAP_STYLE,
    STEPS,
    DrawnCurve,
    causes_drawn,
    corners_of,
    curves_of,
    draw_curve,
    draw_interval,
    end_of,
    gaps_of,
    percent_sign,
    top_of,
    turned,
)
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
from symphony_research.words.phrases import confidence_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_survival"]

_ESTIMATES = {
    "SurvivalCurve": "Kaplan-Meier estimate",
    "CumulativeIncidence": "Cumulative incidence",
    "NelsonAalen": "Nelson-Aalen estimate",
    "MeanCumulativeCount": "Mean cumulative count",
}
_CALLS = "kaplan_meier, cumulative_incidence, nelson_aalen or mean_cumulative_count"
_WIDTH, _TALL = 8.5, 240.0  # of a figure made here, in inches, and of its axes, in points
# groups whose bands can be told apart where they overlap, in grey too; of more the interval is a bar at the end
_SHADED = 2
_BESIDE = 5.0  # points from bar to bar


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
        every = curves_of(result, strata, limit)
        every = [turned(curve) for curve in every] if mortality else every
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
        top = top_of(result, limit) if highest is None else highest
        notes = [*_not_drawn(every), *_notes(result, curves, read, top)]
        across = _WIDTH * 72 - 2 * MARGIN
        keys = _keys(result, curves, len(strata), limit)
        names = [*(c.words for c in every if len(every) > 1), *keys]
        legend = text_height("x", SMALL) * 1.3 * -(-len(names) // legend_columns(names, wide)) if names else 0
        around = head_height(result, title, across) + foot_height(result, notes, across) + legend + 2 * MARGIN
        ax, own = begin(ax, _WIDTH, (_TALL + around + table.height) / 72)
        crowded = len(strata) > _SHADED
        for curve in curves:
            draw_curve(ax, curve, limit, 0.0 if curve.competing or crowded else 0.16)
        for place, curve in enumerate(reversed([c for c in curves if crowded and not c.competing])):
            draw_interval(ax, curve, limit, _BESIDE * (place + 1))
        ax.set_xlim(0, limit)
        ax.set_ylim(0, top)
        if top in STEPS:
            ax.set_yticks([k * STEPS[top] for k in range(int(top / STEPS[top]) + 1)])
        ax.set_xticks(ticks, labels)
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}{percent_sign(result)}")
        plain_axes(ax, grid="y")
        ax.set_xlabel(f"{unit} since {result.time_origin}", fontsize=LABEL, color=INK)  # type: ignore[attr-defined]
        tall = _TALL if own else axes_points(ax)[1]
        whom = "Mortality (1 − Kaplan-Meier)" if mortality else _share_of_whom(result, curves)
        whom = wrapped(whom, tall, LABEL, even=True)
        ax.set_ylabel(whom, fontsize=LABEL, color=INK)
        table.draw(ax, read)
        _say_suppressed(ax, [c for c in every if c.suppressed], mortality or "cause" in estimates.columns)

        def settle() -> None:
            named = [(c.words, c.colour, end_of(c, limit)) for c in curves] if len(every) > 1 else []
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


def _told(result: Result, curves: Sequence[DrawnCurve], limit: float) -> list[str]:
    """Return where each curve begins and ends, as drawn."""
    said = []
    for curve in curves[:4]:
        at = corners_of(curve, limit)
        when = duration(float(at["time"][-1]), str(result.time_unit))  # type: ignore[attr-defined]
        name = f"{curve.words}: " if curve.words else ""
        first, last = ((f"{v:.0f}%" if percent_sign(result) else number(float(v))) for v in at["estimate"][[0, -1]])
        said.append(f"{name}{first} at the start, {last} at {when}")
    return said


def _keys(result: Result, curves: Sequence[DrawnCurve], groups: int, limit: float) -> dict[str, Any]:
    """Return what the line of a single curve, the shading or the bars, and a dotted stretch stand for."""
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
        interval = confidence_of(result.settings)
        if groups > _SHADED:
            bar = Line2D([], [], color=colour, linewidth=0, marker="|", markersize=9)
            keys[f"Bars: {interval} where a curve ends"] = bar
        else:
            keys[f"Shading: {interval}"] = Patch(facecolor=colour, alpha=0.16)
    if any(gaps_of(c, limit) for c in curves):
        colour = only.colour if len(curves) == 1 else QUIET
        keys["Dotted: suppressed in between"] = Line2D([], [], color=colour, linewidth=1.4, linestyle=GAP_STYLE)
    return keys


def _not_drawn(curves: Sequence[DrawnCurve]) -> list[str]:
    """Say which curves are suppressed altogether."""
    gone = [c for c in curves if c.suppressed]
    names = f": {'; '.join(c.words for c in gone)}" if any(c.words for c in gone) else ""
    return [f"Suppressed by disclosure control and not drawn{names}."] if gone else []


def _notes(result: Result, curves: Sequence[DrawnCurve], read: pl.DataFrame, top: float) -> list[str]:
    notes = []
    if any(curve.on_grid for curve in curves):
        notes.append(str(result.grid_words))  # type: ignore[attr-defined]
    if any(curve.competing for curve in curves):
        notes.append("Competing event: thin, open marks, no interval.")
    if result.by and len(curves) > 1:
        notes.append("Groups clearly differ where their intervals at one time do not overlap.")
    if top < 100 and percent_sign(result):
        notes.append(f"The scale ends at {top:g}%.")
    left_out = len(result.settings.get("causes", ())) - len(causes_drawn(result))
    if left_out > 0:
        notes.append(f"{left_out} more competing cause{'s' if left_out > 1 else ''} not drawn.")
    marks = {mark_of(result, row) for row in read.iter_rows(named=True) if row["n_at_risk"] is None}
    words = {"[c]": "suppressed by disclosure control", "[x]": "beyond the end of follow-up"}
    return notes + [f"{mark} {words.get(mark, words['[x]'])}." for mark in sorted(marks)]


def _say_suppressed(ax: Axes, curves: Sequence[DrawnCurve], rising: bool) -> None:
    """Name the curves that are not drawn, in the corner that lines leave free."""
    if curves:
        words = wrapped(f"Suppressed: {'; '.join(c.words for c in curves)}", 0.55 * axes_points(ax)[0], SMALL)
        ax.annotate(words, (0, 1 if rising else 0), (6, -6 if rising else 6), xycoords="axes fraction",
                    textcoords="offset points", va="top" if rising else "bottom", fontsize=SMALL, color=QUIET,
                    fontstyle="italic", gid="suppressed", zorder=4,
                    bbox={"boxstyle": "square,pad=0.2", "facecolor": "white", "edgecolor": "none"})  # fmt: skip


def _share_of_whom(result: Result, curves: Sequence[DrawnCurve]) -> str:
    causes = {c.cause for c in curves}
    if not percent_sign(result):
        return capital(result.quantity)  # type: ignore[attr-defined]
    if causes == {None}:
        event = result.settings.get("event_name")
        method = "life table" if curves[0].on_grid else "Kaplan-Meier"
        return f"Survival ({method})" if event in (None, "death") else f"Free of {in_words(event)} ({method})"
    if len(causes) == 1:
        return f"Cumulative incidence of {result.cause_words(causes.pop())}"  # type: ignore[attr-defined]
    return "Cumulative incidence"
