"""What curves are called: each at its end, or all in a legend where the names would meet anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from symphony_research.show.frame import axes_points, measured_by
from symphony_research.show.style import INK, SMALL, darker, text_height, text_width, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["End", "legend_columns", "name_curves"]

End = tuple[str, str, tuple[float, float]]  # the words of a curve, its colour, and where it ends


def name_curves(ax: Axes, ends: Sequence[End], own: bool, keys: Mapping[str, Any]) -> None:
    """Name each curve at its end, or in the legend where the names would meet anything; other keys stand in the legend."""
    named = bool(ends) and _named_at_ends(ax, ends, own)
    shown = {} if named or not ends else {line.get_label(): line for line in _curves(ax)}
    shown |= keys
    if shown:
        ax.legend(
            list(shown.values()), list(shown), loc="lower left", bbox_to_anchor=(0, 1.0),
            ncols=legend_columns(list(shown), axes_points(ax)[0]), borderaxespad=0.2, handlelength=3.0,
            fontsize=SMALL, labelcolor=INK, columnspacing=1.4,
        )  # fmt: skip


def _curves(ax: Axes) -> list[Any]:
    return [line for line in ax.get_lines() if line.get_gid() == "curve"]


def _named_at_ends(ax: Axes, ends: Sequence[End], own: bool) -> bool:
    """Name each curve at its end, and return whether there is room."""
    labels, unit = [], ax.figure.dpi / 72
    places = [place for _, _, place in ends]
    up = [float(ax.transData.transform((0, y))[1]) / unit for _, y in places]
    words = [wrapped(name, 110, SMALL) for name, _, _ in ends]
    sizes = [text_height(w, SMALL) + 1 for w in words]
    # a curve that ends at the bottom has its name above the ticks
    bottom = float(ax.bbox.y0) / unit
    raised = [max(at, bottom + size / 2) for at, size in zip(up, sizes, strict=True)]
    shifts = _spread(raised, sizes)
    if shifts is not None:
        shifts = [shift + above - at for shift, above, at in zip(shifts, raised, up, strict=True)]
        for (_, colour, place), text, shift in zip(ends, words, shifts, strict=True):
            labels.append(
                ax.annotate(
                    text,
                    place,
                    (5, shift),
                    textcoords="offset points",
                    ha="left",
                    va="center",
                    fontsize=SMALL,
                    fontweight="bold",
                    color=darker(colour),
                    annotation_clip=False,
                    gid="curve name",
                )
            )
        if not _meet_something(ax, labels, own):
            return True
        for label in labels:
            label.remove()
    return False


def legend_columns(names: Sequence[str], width: float) -> int:
    """Return how many names of curves stand side by side in a legend so many points wide."""
    longest = max(text_width(name, SMALL) for name in names) + 44
    return max(1, min(len(names), int(width / longest)))


def _spread(heights: Sequence[float], sizes: Sequence[float], most: float = 9.0) -> list[float] | None:
    """Return small shifts, in points, that keep labels apart; None where small ones do not."""
    order = sorted(range(len(heights)), key=lambda k: heights[k])
    shifted = list(heights)
    for _ in range(60):
        for low, high in pairwise(order):
            short = (sizes[low] + sizes[high]) / 2 - (shifted[high] - shifted[low])
            if short > 0:
                shifted[low] -= short / 2
                shifted[high] += short / 2
    shifts = [s - h for s, h in zip(shifted, heights, strict=True)]
    return shifts if max(map(abs, shifts)) <= most else None


def _meet_something(ax: Axes, labels: Sequence[Any], own: bool) -> bool:
    figure = ax.figure
    measure = measured_by(figure)
    boxes = [label.get_window_extent(measure) for label in labels]
    # axes that a caller placed leave perhaps no room at their right; those made here are fitted again
    others = [a.get_window_extent(measure) for a in figure.axes if a is not ax]
    drawn = [
        _corners(path) if line.get_drawstyle() == "steps-post" else path
        for line in _curves(ax)
        for path in [line.get_path().transformed(line.get_transform())]
    ]
    for k, box in enumerate(boxes):
        if any(box.overlaps(b) for b in [*boxes[:k], *others]):
            return True
        if any(path.intersects_bbox(box, filled=False) for j, path in enumerate(drawn) if j != k):
            return True
        if not own and box.x1 > figure.bbox.x1:
            return True
    return False


def _corners(path: Any) -> Any:
    """Return the stairs of a stepped line; its own path cuts the corners."""
    from matplotlib.path import Path

    points = path.vertices
    x, y = np.repeat(points[:, 0], 2)[1:], np.repeat(points[:, 1], 2)[:-1]
    return Path(np.column_stack([x, y]))
