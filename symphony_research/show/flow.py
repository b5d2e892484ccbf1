"""How many people each rule excluded: a flow of boxes, as trials report theirs."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from symphony_research.result import Result
from symphony_research.show.frame import axes_points, begin, finish, foot_height, head_height
from symphony_research.show.gate import require_family
from symphony_research.show.style import (
    INK,
    LABEL,
    MARGIN,
    QUIET,
    SOFT,
    drawing,
    text_height,
    wrapped,
)
from symphony_research.show.titles import attrition_title
from symphony_research.words.lexicon import NOT_ESTIMABLE, SUPPRESSED
from symphony_research.words.numbers import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_attrition"]

_WIDTH, _PAD, _BETWEEN = 7.5, 8.0, 16.0


def plot_attrition(result: Result, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw how many people each rule excluded, from all people in the study to those who met the inclusion criteria.

    Parameters
    ----------
    result : Attrition
        `Cohort.attrition`.
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
    >>> from symphony_research.show import plot_attrition
    >>> cohort = sr.define_cohort(sr.example_study(), age=(65, None))
    >>> ax = plot_attrition(sr.suppress(cohort.attrition, sr.Policy.synthetic()))
    """
    require_family(result, ("Attrition",), "plot_attrition", "define_cohort(...).attrition", title)
    steps = result.estimates.to_dicts()
    notes = []
    if result.disclosure is not None and any(s["n_excluded"] is None or s["n_persons"] is None for s in steps):
        notes.append(f"{SUPPRESSED} suppressed by disclosure control.")
    gap = SUPPRESSED if result.disclosure is not None else NOT_ESTIMABLE
    words = attrition_title(result) if title is None else title
    with drawing():
        width = _WIDTH * 72 - 2 * MARGIN
        around = head_height(result, words, width) + foot_height(result, notes, width) + 2 * MARGIN + 14
        ax, own = begin(ax, _WIDTH, (_boxes(steps, gap, width, LABEL)[1] + around) / 72)
        wide, tall = (width, 1e9) if own else axes_points(ax)
        size = LABEL
        boxes, height = _boxes(steps, gap, wide, size)
        while height > tall and size > 5:
            size -= 0.5
            boxes, height = _boxes(steps, gap, wide, size)
        ax.set_axis_off()
        ax.set_xlim(0, wide)
        ax.set_ylim(-max(height + 6, tall if not own else 0), 6)
        _draw(ax, boxes, size)
        told = [box["text"].replace("\n", " ") for box in boxes]
        kind, rows = (
            "Flow chart of exclusions, from the top",
            f"It has no axes; {len(boxes)} boxes, those excluded at the right",
        )
        return finish(ax, result, own=own, title=words, notes=notes, kind=kind, axes=rows, told=told)


def _boxes(steps: list[dict[str, Any]], gap: str, width: float, size: float) -> tuple[list[dict[str, Any]], float]:
    """Return boxes in points from the upper left, those who remain at the left and those excluded at the right."""
    left, right = 0.40 * width, 0.52 * width
    boxes: list[dict[str, Any]] = []
    down = 0.0
    for k, step in enumerate(steps):
        if k:
            text = wrapped(f"{_people(step['n_excluded'], gap)} {step['step']}", right - 2 * _PAD, size)
            tall = text_height(text, size) + _PAD
            boxes.append(
                {"x": width - right, "y": down + _BETWEEN / 2, "w": right, "h": tall, "text": text, "out": True}
            )
            down += tall + _BETWEEN
        first, last = k == 0, k == len(steps) - 1
        name = str(step["step"]) if first else "met the inclusion criteria" if last else "remained"
        text = wrapped(f"{_people(step['n_persons'], gap)} {name}", left - 2 * _PAD, size, "bold")
        tall = text_height(text, size) + 1.5 * _PAD
        boxes.append({"x": 0.0, "y": down, "w": left, "h": tall, "text": text, "out": False})
        down += tall
    return boxes, down


def _people(n: int | None, gap: str) -> str:
    return f"{gap if n is None else number(n)} {'person' if n == 1 else 'people'}"


def _draw(ax: Axes, boxes: list[dict[str, Any]], size: float) -> None:
    from matplotlib.patches import Rectangle

    kept = [b for b in boxes if not b["out"]]
    arrow = {"arrowstyle": "-|>", "color": QUIET, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0}
    for above, below in pairwise(kept):
        x = above["w"] / 2
        ax.annotate("", (x, -below["y"]), (x, -above["y"] - above["h"]), arrowprops=arrow, annotation_clip=False)
    for box in boxes:
        last = box is kept[-1]
        ax.add_patch(
            Rectangle(
                (box["x"], -box["y"] - box["h"]),
                box["w"],
                box["h"],
                linewidth=1.0,
                clip_on=False,
                facecolor=INK if last else "white" if box["out"] else SOFT,
                edgecolor=INK if last else QUIET,
            )
        )
        ax.text(
            box["x"] + _PAD, -box["y"] - box["h"] / 2, box["text"], va="center", ha="left", fontsize=size,
            color="white" if last else INK, fontweight="normal" if box["out"] else "bold", gid="box",
        )  # fmt: skip
        if box["out"]:
            middle = -box["y"] - box["h"] / 2
            ax.annotate("", (box["x"], middle), (kept[0]["w"] / 2, middle), arrowprops=arrow, annotation_clip=False)
