"""Combinations of conditions: how many people have each, how many were expected, and at what cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.errors import ArgumentError
from symphony_research.inference import FOUND
from symphony_research.result import Result
from symphony_research.show.frame import axes_points, begin, finish, foot_height, head_height, nothing_to_draw
from symphony_research.show.gate import expected_note, one_stratum, require_family, unlisted_note
from symphony_research.show.overlaps import overlap_note
from symphony_research.show.style import (
    INK,
    LABEL,
    LINE,
    MAIN,
    MARGIN,
    PALETTE,
    QUIET,
    SMALL,
    SOFT,
    drawing,
    plain_axes,
    text_height,
    text_width,
    wrapped,
)
from symphony_research.show.titles import combination_title, few_title
from symphony_research.words.lexicon import in_words
from symphony_research.words.numbers import number, percentage, pounds, roughly, times
from symphony_research.words.phrases import as_of, confidence_of, cost_period, joined

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["EXACT_SET_CAUTION", "plot_upset"]

EXACT_SET_CAUTION = (
    "Whenever any conditions are associated, nearly every exact set of conditions differs from 1, and people with one "
    "condition alone are fewer than expected: that is not protection."
)

_ROW, _BARS, _RATIO, _COST, _GAP = 19.0, 150.0, 104.0, 76.0, 14.0
_WIDTH, _COLUMN = 10.5, 62.0
_TICKS = 26.0  # room for the numbers on the scale of ratios


@dataclass(frozen=True)
class _Panels:
    """Where the parts of the picture stand, in points from the lower left of the figure."""

    left: float
    width: float
    rows: Mapping[str, tuple[float, float]]  # name -> bottom, height


def plot_upset(
    result: Result,
    *,
    ax: Axes | None = None,
    top: int = 15,
    stratum: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the commonest combinations of conditions: people, which conditions, observed/expected ratios, and cost.

    A column is a combination. Bars give its people; the dots below say which
    conditions are in it; the scale below shows the observed/expected ratio; and where the
    result holds `mean_cost`, bars at the foot give the cost of a person.

    Parameters
    ----------
    result : Combinations
        What `multimorbidity.combinations` returns.
    ax : matplotlib.axes.Axes, optional
        Whose area the whole picture takes; it becomes the axes of the bars.
    top : int, default 15
        The most combinations drawn.
    stratum : mapping, optional
        Which stratum, such as `{"sex": "F"}`; needed where there are several.
    title : str, optional
        By default the finding, in at most 15 words.

    Returns
    -------
    matplotlib.axes.Axes
        Of the bars.

    Raises
    ------
    ArgumentError
        On another family, or strata of which none is picked.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Notes
    -----
    A suppressed count is not drawn at all, and not counted: of few sets the number would name one.
    Percentages are of everybody in the stratum, with and without conditions.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.multimorbidity.combinations(patterns, kind="at_least", max_size=2)
    >>> ax = sr.plot_upset(sr.suppress(found, sr.Policy.synthetic()), top=5)
    >>> len(ax.patches)
    5
    """
    require_family(result, ("Combinations",), "plot_upset", "multimorbidity.combinations", title)
    if top < 1:
        raise ArgumentError(f"top={top} must be at least 1.")
    every = one_stratum(result, result.estimates, stratum)
    seen = every.filter(pl.col("n_persons") > 0)
    # ties in the alphabet: the order they had before rounding would tell more than the counts do
    drawn = seen.sort(
        ["n_persons", "size", pl.col("combination").list.join(" ")], descending=[True, False, False]
    ).head(top)
    notes = _notes(result, seen.height, drawn.height, stratum)
    with drawing():
        conditions = _conditions(drawn)
        notes += overlap_note(result, conditions)
        if title is None:
            title = combination_title(drawn, result.settings, stratum) if conditions else few_title("combination")
        if not conditions:
            ax, own = begin(ax, _WIDTH, 2.0)
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        names = [in_words(c) for c in conditions]
        label = (
            max(text_width("Observed/expected", LABEL, "bold") + _TICKS, *(text_width(n, LABEL) for n in names)) + 12
        )
        full = {"ratio": _RATIO, "matrix": _ROW * len(names), "bars": _BARS}
        if "mean_cost" in drawn.columns and drawn["mean_cost"].is_not_null().any():
            full = {"cost": _COST, **full}
        width = min(max(label + _COLUMN * drawn.height, 500), _WIDTH * 72 - 2 * MARGIN)
        around = head_height(result, title, width) + foot_height(result, notes, width) + 12 + _KEY
        tall = sum(full.values()) + _GAP * len(full) + around
        ax, own = begin(ax, (width + 2 * MARGIN) / 72, (tall + 2 * MARGIN) / 72)
        x, y, width, height = (MARGIN, MARGIN, width, tall) if own else _area(ax)
        head, foot = head_height(result, title, width), foot_height(result, notes, width)
        heights = _fitted(full, len(names), height - head - foot - 12 - _KEY)
        panels = _place(x + label, y + foot + 6, min(width - label, _COLUMN * drawn.height), heights)
        size = max(min(LABEL, 0.7 * heights["matrix"] / len(names)), 4.0)
        others = [_matrix(_panel(ax, panels, "matrix"), drawn, conditions, names, size)]
        keys = {"People": (MAIN, "s")}
        if "ratio" in heights:
            panel, clear = _panel(ax, panels, "ratio"), confidence_of(result.settings)
            others.append(_ratio(panel, drawn, label, min(max(size + 1, SMALL), LABEL), clear))
            ways = [_way(row) for row in drawn.select("oe_lower", "oe_upper", "q_value").iter_rows()]
            keys |= {_WAYS[way][0]: _WAYS[way][1:] for way in _WAYS if way in ways}
        if "cost" in heights:
            people = one_stratum(result, result.count_tables["population"], stratum)
            everybody = people["mean_cost"][0] if "mean_cost" in people.columns else None
            over = cost_period(result.settings)
            keys["Mean cost"] = (PALETTE[2], "s")
            others.append(_cost(_panel(ax, panels, "cost"), drawn, label, SMALL, over, everybody))
        _put(ax, panels, "bars")
        _bars(ax, drawn, label, str(result.settings["kind"]), min(max(size + 1, SMALL), LABEL))
        _key(ax, keys, label, width)
        across = ax.figure.bbox.width * 72 / ax.figure.dpi
        first = drawn.head(3).select("combination", "n_persons", "observed_expected").iter_rows()
        told = [
            f"{joined(held)} {number(n)} people" + ("" if r is None else f", observed/expected {times(r)}")
            for held, n, r in first
        ]
        several = drawn.height > 1
        kind = f"UpSet plot of {drawn.height} combination{'s' * several}, one a column{', the largest first' * several}"
        rows = "From the top: bars of people; a matrix of which conditions each combination has"
        rows += "; observed/expected ratios with intervals, on a logarithmic scale" * ("ratio" in heights)
        rows += "; bars of mean cost per person" * ("cost" in heights)
        return finish(ax, result, own=own, title=title, notes=notes, others=others, area=(x / across, width), kind=kind,
                      axes=rows, told=told)  # fmt: skip


# what an observed/expected ratio is said to be, with its colour and its mark, which greyscale keeps apart
_WAYS = {
    "above": ("Clearly above expected", PALETTE[1], "o"),
    "below": ("Clearly below expected", PALETTE[5], "v"),
    "unclear": ("Not clearly different", QUIET, "o"),
}
_KEY, _OVER_BARS = 46.0, 30.0  # points above the bars for the key, over their values


def _way(row: tuple[float | None, ...]) -> str:
    """Return whether a ratio is clearly above or below 1, by its interval and its q value."""
    lower, upper, q = row
    if lower is None or upper is None or q is None or q > FOUND:
        return "unclear"
    return "above" if lower > 1 else "below" if upper < 1 else "unclear"


def _key(ax: Axes, keys: Mapping[str, tuple[str, str]], label: float, width: float) -> None:
    """Say above the bars what each colour and mark stands for."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    open_mark = _WAYS["unclear"][0]
    handles = [
        Patch(facecolor=colour) if mark == "s" else
        Line2D([], [], color=colour, marker=mark, markersize=5.5, linewidth=1.6,
               markerfacecolor="white" if name == open_mark else colour)
        for name, (colour, mark) in keys.items()
    ]  # fmt: skip
    across, up = axes_points(ax)
    ax.legend(
        handles, list(keys), loc="lower left", bbox_to_anchor=((12 - label) / across, 1.0 + _OVER_BARS / up, 1, 0.1), borderaxespad=0.0,
        ncols=len(keys) if sum(text_width(name, SMALL) + 52 for name in keys) < width else 2, fontsize=SMALL,
        labelcolor=INK, handlelength=1.8, columnspacing=1.2,
    )  # fmt: skip


def _fitted(full: Mapping[str, float], rows: int, room: float) -> dict[str, float]:
    """Return heights of the panels in so much room; where there is little, cost and then the ratios go."""
    least = {"cost": 34.0, "ratio": 64.0, "matrix": 11.0 * rows, "bars": 62.0}
    names = list(full)
    for name in ("cost", "ratio"):
        if name in names and sum(least[n] for n in names) + _GAP * len(names) > room:
            names.remove(name)
    spare = room - _GAP * len(names) - sum(least[n] for n in names)
    if spare < 0:
        shrink = max(room - _GAP * len(names), 40) / sum(least[n] for n in names)
        return {n: least[n] * shrink for n in names}
    more = min(1.0, spare / sum(full[n] - least[n] for n in names))
    return {n: least[n] + more * (full[n] - least[n]) for n in names}


def _notes(result: Result, n_seen: int, n_drawn: int, stratum: Mapping[str, Any] | None) -> list[str]:
    people = one_stratum(result, result.count_tables["population"], stratum)["n_persons"][0]
    notes = [f"The {n_drawn} largest of {number(n_seen)} combinations."] if n_seen > n_drawn else []
    if people is not None:
        notes.append(f"Of about {roughly(people)} people, with and without conditions{as_of(result.settings)}.")
    if n_seen == n_drawn:
        notes += unlisted_note(result, "drawn")
    notes += expected_note(result)
    if result.settings["kind"] == "exact":
        notes.append(EXACT_SET_CAUTION)
    return notes


def _conditions(drawn: pl.DataFrame) -> list[str]:
    """Return the conditions of the sets drawn, those in most people's sets first."""
    held = drawn.select("combination", "n_persons").explode("combination", empty_as_null=False, keep_nulls=False)
    order = held.group_by("combination").agg(pl.col("n_persons").sum())
    return order.sort(["n_persons", "combination"], descending=[True, False])["combination"].to_list()


def _area(ax: Axes) -> tuple[float, float, float, float]:
    """Return the area of axes in points: left, bottom, width, height."""
    place, across = ax.get_position(), ax.figure.bbox.width * 72 / ax.figure.dpi
    up = ax.figure.bbox.height * 72 / ax.figure.dpi
    return place.x0 * across, place.y0 * up, place.width * across, place.height * up


def _place(left: float, bottom: float, width: float, heights: Mapping[str, float]) -> _Panels:
    rows = {}
    for name, height in heights.items():
        rows[name] = (bottom, height)
        bottom += height + _GAP
    return _Panels(left, width, rows)


def _rectangle(figure: Any, panels: _Panels, name: str) -> tuple[float, float, float, float]:
    across, up = figure.bbox.width * 72 / figure.dpi, figure.bbox.height * 72 / figure.dpi
    bottom, height = panels.rows[name]
    return panels.left / across, bottom / up, panels.width / across, height / up


def _panel(ax: Axes, panels: _Panels, name: str) -> Axes:
    return ax.figure.add_axes(_rectangle(ax.figure, panels, name), label=name)


def _put(ax: Axes, panels: _Panels, name: str) -> None:
    ax.set_position(_rectangle(ax.figure, panels, name))


def _columns(ax: Axes, n: int) -> None:
    ax.set_xlim(-0.5, n - 0.5)
    ax.set_xticks([])
    plain_axes(ax, hide=("top", "right", "bottom", "left"))


def _name(ax: Axes, label: float, bold: str, rest: str, size: float, ticks: float = 0.0) -> None:
    """Write what a panel shows at its left, in two weights."""
    width = label - 12 - ticks
    strong, light = wrapped(bold, width, size, "bold"), wrapped(rest, width, SMALL)
    common: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "right", "va": "top"}
    ax.annotate(strong, (0, 1), (-8 - ticks, 0), fontsize=size, fontweight="bold", gid="panel", **common)
    if light:
        ax.annotate(light, (0, 1), (-8 - ticks, -text_height(strong, size) - 2), fontsize=SMALL, color=QUIET,
                    gid="panel", **common)  # fmt: skip


def _bars(ax: Axes, drawn: pl.DataFrame, label: float, kind: str, size: float) -> None:
    people = drawn["n_persons"].to_list()
    ax.bar(range(len(people)), people, width=0.62, color=MAIN)
    _columns(ax, len(people))
    ax.set_yticks([])
    ax.set_ylim(0, max(people))
    ax.axhline(0, color=QUIET, linewidth=0.8)
    texts = [f"{number(n)}\n{percentage(share)}" for n, share in zip(people, drawn["estimate"].to_list(), strict=True)]
    _above(ax, range(len(people)), people, texts)
    rest = "with exactly these conditions" if kind == "exact" else "with these conditions, perhaps with others"
    _name(ax, label, "People", rest, size)


def _above(ax: Axes, places: Sequence[float], heights: Sequence[float], texts: Sequence[str]) -> None:
    """Write texts over bars, as large as the columns let them be: the first line alone where two are too wide."""
    width = ax.get_window_extent().width * 72 / ax.figure.dpi / (ax.get_xlim()[1] - ax.get_xlim()[0]) - 3
    size, turned = 0.0, False
    for shown in (list(texts), [t.split("\n")[0] for t in texts]):
        size = min(SMALL, SMALL * width / max(text_width(t, SMALL) for t in shown))
        if size >= 7:
            break
    if size < 5.5:
        size, turned = min(SMALL, 0.8 * width), True
    for x, height, text in zip(places, heights, shown, strict=True):
        ax.annotate(
            text,
            (x, height),
            (0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=size,
            rotation=90 if turned else 0,
            linespacing=1.1,
            gid="value",
            annotation_clip=False,
        )


def _matrix(ax: Axes, drawn: pl.DataFrame, conditions: Sequence[str], names: Sequence[str], size: float) -> Axes:
    n, dot = len(conditions), (size / LABEL) ** 2
    position = {c: n - 1 - k for k, c in enumerate(conditions)}
    for row in range(0, n, 2):
        ax.axhspan(row - 0.5, row + 0.5, color=SOFT, linewidth=0, zorder=0)
    columns = range(drawn.height)
    ax.scatter(
        [x for x in columns for _ in range(n)], [y for _ in columns for y in range(n)], s=14 * dot, color=LINE, zorder=1
    )
    for x, combination in enumerate(drawn["combination"].to_list()):
        rows = sorted(position[c] for c in combination)
        if rows:
            ax.plot([x, x], [rows[0], rows[-1]], color=INK, linewidth=1.6, zorder=2)
            ax.scatter([x] * len(rows), rows, s=38 * dot, color=INK, zorder=3)
    _columns(ax, drawn.height)
    ax.set_ylim(-0.5, n - 0.5)
    ax.set_yticks(range(n), list(reversed(names)))
    ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK, pad=8)
    return ax


def _ratio(ax: Axes, drawn: pl.DataFrame, label: float, size: float, interval: str) -> Axes:
    """Draw observed/expected ratios on a scale of proportions, where half and twice are as far from one."""
    ax.set_yscale("log")
    _columns(ax, drawn.height)
    ends = [1.0]
    column = ax.get_window_extent().width * 72 / ax.figure.dpi / drawn.height
    size_of_values = min(
        SMALL,
        SMALL
        * (column - 3)
        / max(text_width(times(r), SMALL) for r in [1.0, *drawn["observed_expected"].drop_nulls()]),
    )
    columns = ("observed_expected", "oe_lower", "oe_upper", "q_value")
    for x, (ratio, lower, upper, q) in enumerate(drawn.select(columns).iter_rows()):
        if ratio is None or ratio <= 0:
            continue
        sure = lower is not None and upper is not None
        way = _way((lower, upper, q))
        _, colour, mark = _WAYS[way]
        if sure and lower > 0:
            ax.plot([x, x], [lower, upper], color=colour, linewidth=1.6, zorder=2)
            ends += [lower, upper]
        ax.scatter([x], [ratio], s=30, marker=mark, edgecolor=colour, zorder=3, linewidth=1.4,
                   facecolor="white" if way == "unclear" else colour)  # fmt: skip
        ends.append(ratio)
        if size_of_values >= 6:  # a row of numbers over the scale
            ax.annotate(times(ratio), (x, 1), xycoords=("data", "axes fraction"), ha="center", va="top",
                        fontsize=size_of_values, gid="value")  # fmt: skip
    low, high = min(min(ends) / 1.25, 0.8), max(max(ends) * 1.25, 1.25)
    # room above the highest for the numbers, with no line or tick of the scale beside them
    ax.set_ylim(low, high * (high / low) ** 0.22)
    ticks = [t for t in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if low <= t <= high]
    ax.set_yticks(ticks[:: 1 + len(ticks) // 9], [f"{t:g}" for t in ticks][:: 1 + len(ticks) // 9])
    ax.set_yticks([], minor=True)
    ax.grid(axis="y", color=LINE, linewidth=0.6)
    ax.axhline(1, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    _name(ax, label, "Observed/expected ratio", f"line: {interval}; dashed: as expected", size, _TICKS)
    return ax


def _cost(ax: Axes, drawn: pl.DataFrame, label: float, size: float, over: str, everybody: float | None) -> Axes:
    costs = [(x, c) for x, c in enumerate(drawn["mean_cost"].to_list()) if c is not None]
    places, heights = [x for x, _ in costs], [c for _, c in costs]
    ax.bar(places, heights, width=0.62, color=PALETTE[2])
    _columns(ax, drawn.height)
    ax.set_yticks([])
    # the numbers stand inside the panel, under the scale above
    ax.set_ylim(0, max([*heights, everybody or 0, 1]) * 1.3)
    ax.axhline(0, color=QUIET, linewidth=0.8)
    _above(ax, places, heights, [pounds(c) for c in heights])
    for text in ax.texts:  # the line of everybody may pass a value
        text.set_bbox({"boxstyle": "square,pad=0.05", "facecolor": "white", "edgecolor": "none"})
        text.set_zorder(4)
    rest = f"£ per person {over}".strip()
    if everybody is not None:
        ax.axhline(everybody, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=3)
        rest += f"; dashed: everybody, {pounds(everybody)}"
    _name(ax, label, "Mean cost", rest, size)
    return ax
