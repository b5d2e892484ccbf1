"""The frame round a picture: its title, its warning band, its footnote, and room for all of them.

Everything outside the axes hangs on them by a distance in points, so nothing
meets at any size of figure. A figure made here is filled to its edges; axes a
caller passes in keep their place.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from symphony_research.result import Result, confidential_report
from symphony_research.show.gate import band, provenance, require_showable, said_of
from symphony_research.show.style import (
    DPI,
    INK,
    LABEL,
    LINE_SPACING,
    MARGIN,
    QUIET,
    SMALL,
    TITLE,
    WARNING,
    drawing,
    renderer,
    text_height,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "DESCRIBED",
    "DRAWN",
    "NOTHING",
    "alt_text",
    "axes_points",
    "bare_figures",
    "begin",
    "bounds",
    "finish",
    "foot_height",
    "head_height",
    "nothing_to_draw",
    "pixels_of",
]

NOTHING = "nothing to draw"
_KEY_OF_DRAWING = ("Bars:", "Dashed:", "Shading:")  # notes that say what is drawn how
DRAWN = "_symphony_drawn"
DESCRIBED = "_symphony_described"
_GAP = 10.0
_BARE: ContextVar[bool] = ContextVar("bare", default=False)


@contextmanager
def bare_figures() -> Iterator[None]:
    """Make figures that no notebook displays by itself, for a picture that is displayed once."""
    token = _BARE.set(True)
    try:
        yield
    finally:
        _BARE.reset(token)


def begin(ax: Axes | None, width: float, height: float) -> tuple[Axes, bool]:
    """Return the axes to draw in, and whether their figure, of so many inches, was made here."""
    if ax is not None:
        return ax, False
    if _BARE.get():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure: Figure = Figure(figsize=(width, height), dpi=DPI)
        FigureCanvasAgg(figure)
    else:
        from matplotlib import pyplot

        figure = pyplot.figure(figsize=(width, height))
    return figure.add_axes((0.12, 0.15, 0.8, 0.7)), True


def pixels_of(figure: Any) -> tuple[int, int, bytes]:
    """Return the width and height of a drawn figure, and its pixels as red, green, blue and opacity."""
    store = io.BytesIO()
    with drawing():
        figure.savefig(store, format="rgba", dpi=DPI)
    pixels = store.getvalue()
    wide = int(figure.get_figwidth() * DPI)
    return wide, len(pixels) // (4 * wide), pixels


def measured_by(figure: Any) -> Any:
    """Return a renderer of the figure's own resolution, whatever it will be saved as."""
    return renderer(figure.dpi)


def axes_points(ax: Axes) -> tuple[float, float]:
    """Return the width and height of axes in points."""
    box, scale = ax.get_window_extent(measured_by(ax.figure)), 72 / ax.figure.dpi
    return float(box.width * scale), float(box.height * scale)


def bounds(axes: Sequence[Axes]) -> Any:
    """Return what the axes and all their labels take up, in pixels."""
    from matplotlib.transforms import Bbox

    boxes = [a.get_tightbbox(measured_by(a.figure)) for a in axes]
    return Bbox.union([b for b in boxes if b is not None])


def _notes(result: Result, notes: Sequence[str]) -> str:
    return " ".join([*notes, *provenance(result)])


def head_height(result: Result, title: str, width: float) -> float:
    """Return the points that the title and the band take above the axes, in a picture so many points wide."""
    above = (LABEL * LINE_SPACING + _GAP + 6) if band(result) else 0.0
    return above + text_height(*_heading(title, width)) + (_GAP if title else 0)


def _heading(title: str, width: float) -> tuple[str, float]:
    """Return a title in lines and its size, which is smaller over narrow axes."""
    size = TITLE if width >= 420 else TITLE - 2
    return wrapped(title, width, size, "bold", even=True), size


def foot_height(result: Result, notes: Sequence[str], width: float) -> float:
    """Return the points that the footnote takes below the axes."""
    text = wrapped(_notes(result, notes), width, SMALL)
    return text_height(text, SMALL) + (_GAP if text else 0)


def finish(
    ax: Axes,
    result: Result,
    *,
    own: bool,
    title: str | None,
    notes: Sequence[str] = (),
    others: Sequence[Axes] = (),
    settle: Callable[[], None] | None = None,
    area: tuple[float, float] | None = None,
    kind: str = "Figure",
    axes: str | None = None,
    told: Sequence[str] = (),
) -> Axes:
    """Add title, band and footnote; fit axes made here into their figure, and describe it for a reader who does not see it.

    `settle` is called once the axes have their place, and may add what depends
    on it. `area` is the left edge (fraction of the figure) and width (points)
    of a picture whose parts were placed already. `kind` is the kind of chart,
    `axes` what its axes are (by default as they are labelled), and `told` its
    main figures as drawn: they and the title are the alt text.
    """
    require_showable(result, "A plot")
    title = said_of(result) if title is None else title
    figure = ax.figure
    scale = 72 / figure.dpi
    across = figure.bbox.width * scale
    width = area[1] if area else across - 2 * MARGIN if own else axes_points(ax)[0]
    if own and area is None:
        head, foot = head_height(result, title, width), foot_height(result, notes, width)
        for step in range(3):
            _fit(ax, head, foot)
            if step == 1 and settle:
                settle()
    elif settle:
        settle()
    left = area[0] if area else MARGIN / across if own else None
    taken = bounds([ax, *others])
    box = ax.get_window_extent(measured_by(figure))
    # a label hangs on the fraction of the figure where the picture begins, or on the axes' own edge
    where = "axes fraction" if left is None else "subfigure fraction"
    x = 0.0 if left is None else left
    high = max(0.0, (taken.y1 - box.y1) * scale) + _GAP
    words, size = _heading(title, width)
    start = 0.0 if left is None else (left * figure.bbox.width + figure.bbox.x0 - box.x0) / box.width
    heading = ax.set_title(
        words,
        loc="left",
        x=start,
        y=1.0,
        pad=high,
        fontsize=size,
        fontweight="bold",
        color=INK,
        linespacing=LINE_SPACING,
    )
    heading.set_in_layout(True)
    warning = band(result)
    if warning:
        ax.annotate(
            warning, (x, 1), (3, high + text_height(words, size) + _GAP), xycoords=(where, "axes fraction"),
            textcoords="offset points", ha="left", va="bottom", color="white", fontsize=LABEL, fontweight="bold",
            bbox={"boxstyle": "square,pad=0.3", "facecolor": WARNING, "edgecolor": WARNING}, gid="band",
            annotation_clip=False,
        )  # fmt: skip
    text = wrapped(_notes(result, notes), width, SMALL)
    if text:
        ax.annotate(
            text, (x, 0), (0, -max(0.0, (box.y0 - taken.y0) * scale) - _GAP), xycoords=(where, "axes fraction"),
            textcoords="offset points", ha="left", va="top", color=QUIET, fontsize=SMALL, linespacing=LINE_SPACING,
            gid="footnote", annotation_clip=False,
        )  # fmt: skip
    setattr(figure, DESCRIBED, alt_text(kind, _axes_words(ax) if axes is None else axes, title, told))
    if own and confidential_report() and not _BARE.get():
        setattr(figure, DRAWN, (result, pixels_of(figure)))  # a report shows it if nobody has drawn on it since
    return ax


def alt_text(kind: str, axes: str, title: str, told: Sequence[str]) -> str:
    """Return the description of a figure: kind of chart, axes, finding, and main figures."""
    main = f"Main figures: {'; '.join(told)}" if told else ""
    return " ".join(f"{part.rstrip('.')}." for part in (kind, axes, title, main) if part)


def _axes_words(ax: Axes) -> str:
    """Return what the axes show, from where to where."""
    parts = []
    for name, axis, label in (("Horizontal", ax.xaxis, ax.get_xlabel()), ("Vertical", ax.yaxis, ax.get_ylabel())):
        low, high = sorted(axis.get_view_interval())
        places = [float(place) for place in axis.get_majorticklocs()]
        shown = [
            text
            for place, text in zip(places, axis.get_major_formatter().format_ticks(places), strict=True)
            if low - 1e-9 <= place <= high + 1e-9 and text.strip()
        ]
        said = " ".join(label.split())
        if said:
            ends = f", {shown[0]} to {shown[-1]}" if len(shown) > 1 else ""
            parts.append(f"{name} axis: {said}{ends}")
        elif len(shown) > 1:
            parts.append(
                f"{name} axis: {len(shown)} rows, {' '.join(shown[0].split())} to {' '.join(shown[-1].split())}"
            )
    return ". ".join(parts)


def _fit(ax: Axes, head: float, foot: float) -> None:
    """Place axes so that they and their labels fill the figure between head and foot."""
    figure = ax.figure
    unit = figure.dpi / 72
    taken, box = bounds([ax]), ax.get_window_extent(measured_by(figure))
    across, up = figure.bbox.width, figure.bbox.height
    x0 = MARGIN * unit + (box.x0 - taken.x0)
    x1 = across - MARGIN * unit - (taken.x1 - box.x1)
    y0 = (MARGIN + foot) * unit + (box.y0 - taken.y0)
    y1 = up - (MARGIN + head) * unit - (taken.y1 - box.y1)
    ax.set_position((x0 / across, y0 / up, max(x1 - x0, 40) / across, max(y1 - y0, 40) / up))


def nothing_to_draw(ax: Axes, result: Result, *, own: bool, title: str | None, notes: Sequence[str] = ()) -> Axes:
    """Say so where every group is too small to show; a page then has the words alone (see `pictures`)."""
    notes = [note for note in notes if not note.startswith(_KEY_OF_DRAWING)]
    ax.set_axis_off()
    ax.set_gid(NOTHING)
    ax.set_label(" ".join(notes))
    return finish(ax, result, own=own, title=title, notes=notes, kind="Nothing is drawn", axes="")
