"""Panels of an UpSet picture: where each stands, and what is drawn in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.inference import FOUND
from symphony_research.show.frame import axes_points
from symphony_research.show.style import (
    INK,
    LABEL,
    LINE,
    MAIN,
    PALETTE,
    QUIET,
    SMALL,
    SOFT,
    plain_axes,
    text_height,
    text_width,
    wrapped,
)
from symphony_research.words.numbers import number, percentage, pounds, times

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 14.0
TICKS = 26.0  # room for the numbers on the scale of ratios
UNBOUNDED_RATIO = 1e9  # to where a line is drawn that ends nowhere


@dataclass(frozen=True)
class Panels:
    """Where the parts of the picture stand, in points from the lower left of the figure."""

    left: float
    width: float
    rows: Mapping[str, tuple[float, float]]  # name -> bottom, height


# what an observed/expected ratio is said to be, with its colour and its mark, which greyscale keeps apart
WAYS = {
    "above": ("Clearly above expected", PALETTE[1], "o"),
    "below": ("Clearly below expected", PALETTE[5], "v"),
    "unclear": ("Not clearly different", QUIET, "o"),
}
KEY, _OVER_BARS = 46.0, 30.0  # points above the bars for the key, over their values


def way_of(row: tuple[float | None, ...]) -> str:
    """Return whether a ratio is clearly above or below 1, by its interval and its q value."""
    lower, upper, q = row
    if lower is None or upper is None or q is None or q > FOUND:
        return "unclear"
    return "above" if lower > 1 else "below" if upper < 1 else "unclear"


def draw_key(ax: Axes, keys: Mapping[str, tuple[str, str]], label: float, width: float) -> None:
    """Say above the bars what each colour and mark stands for."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    open_mark = WAYS["unclear"][0]
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


def fitted(full: Mapping[str, float], rows: int, room: float) -> dict[str, float]:
    """Return heights of the panels in so much room; where there is little, cost and then the ratios go."""
    least = {"cost": 34.0, "ratio": 64.0, "matrix": 11.0 * rows, "bars": 62.0}
    names = list(full)
    for name in ("cost", "ratio"):
        if name in names and sum(least[n] for n in names) + GAP * len(names) > room:
            names.remove(name)
    spare = room - GAP * len(names) - sum(least[n] for n in names)
    if spare < 0:
        shrink = max(room - GAP * len(names), 40) / sum(least[n] for n in names)
        return {n: least[n] * shrink for n in names}
    more = min(1.0, spare / sum(full[n] - least[n] for n in names))
    return {n: least[n] + more * (full[n] - least[n]) for n in names}


def area_of(ax: Axes) -> tuple[float, float, float, float]:
    """Return the area of axes in points: left, bottom, width, height."""
    place, across = ax.get_position(), ax.figure.bbox.width * 72 / ax.figure.dpi
    up = ax.figure.bbox.height * 72 / ax.figure.dpi
    return place.x0 * across, place.y0 * up, place.width * across, place.height * up


def place(left: float, bottom: float, width: float, heights: Mapping[str, float]) -> Panels:
    """Stack panels of these heights from the bottom up, all of one width in points."""
    rows = {}
    for name, height in heights.items():
        rows[name] = (bottom, height)
        bottom += height + GAP
    return Panels(left, width, rows)


def _rectangle(figure: Any, panels: Panels, name: str) -> tuple[float, float, float, float]:
    across, up = figure.bbox.width * 72 / figure.dpi, figure.bbox.height * 72 / figure.dpi
    bottom, height = panels.rows[name]
    return panels.left / across, bottom / up, panels.width / across, height / up


def add_panel(ax: Axes, panels: Panels, name: str) -> Axes:
    """Add the axes of a panel to the figure that the axes given stand in."""
    return ax.figure.add_axes(_rectangle(ax.figure, panels, name), label=name)


def put(ax: Axes, panels: Panels, name: str) -> None:
    """Move axes to where a panel stands."""
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


def draw_bars(ax: Axes, drawn: pl.DataFrame, label: float, kind: str, size: float) -> None:
    """Draw the people of each combination as bars, with number and percentage over them."""
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


def draw_matrix(ax: Axes, drawn: pl.DataFrame, conditions: Sequence[str], names: Sequence[str], size: float) -> Axes:
    """Draw dots that say which conditions each combination holds, joined by a line."""
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


def draw_ratios(ax: Axes, drawn: pl.DataFrame, label: float, size: float, interval: str) -> Axes:
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
        way = way_of((lower, upper, q))
        _, colour, mark = WAYS[way]
        if sure and lower > 0:
            # of a limit that is not bounded the line leaves the axes
            top = upper if math.isfinite(upper) else UNBOUNDED_RATIO
            ax.plot([x, x], [lower, top], color=colour, linewidth=1.6, zorder=2)
            ends += [lower, *([upper] if top == upper else [])]
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
    _name(ax, label, "Observed/expected ratio", f"line: {interval}; dashed: as expected", size, TICKS)
    return ax


def draw_costs(ax: Axes, drawn: pl.DataFrame, label: float, size: float, over: str, everybody: float | None) -> Axes:
    """Draw the mean cost of a person as bars in pounds, and everybody's as a dashed line."""
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
