"""The look of every figure, in one place: colours, type, and how text is measured and wrapped.

The colours are Okabe and Ito's, which people who do not see red or green can
tell apart. Sizes are in points throughout.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.backends.backend_agg import RendererAgg

__all__ = [
    "DPI",
    "INK",
    "LABEL",
    "LINE",
    "MAIN",
    "MARGIN",
    "PALETTE",
    "QUIET",
    "SMALL",
    "SOFT",
    "TITLE",
    "WARNING",
    "colours",
    "darker",
    "drawing",
    "key_above",
    "plain_axes",
    "renderer",
    "text_height",
    "text_width",
    "wrapped",
]

INK = "#1d2733"
QUIET = "#4a5766"
LINE = "#c9d1da"
SOFT = "#f3f6f9"
WARNING = "#a61b0f"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MAIN = PALETTE[0]

FONT = "DejaVu Sans"
TITLE, LABEL, SMALL = 13.0, 10.0, 9.0
LINE_SPACING = 1.25
_LETTER = 0.53  # how wide a letter is on average, in sizes of type
MARGIN = 14.0
DPI = 144

_RC: dict[str, Any] = {
    "font.family": [FONT],
    "font.size": LABEL,
    "text.color": INK,
    "text.parse_math": False,  # a price in dollars is not a formula
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.labelsize": LABEL,
    "axes.linewidth": 0.8,
    "axes.facecolor": "white",
    "axes.titlesize": TITLE,
    "axes.titleweight": "bold",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "hatch.linewidth": 0.5,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "path.simplify": True,
    "svg.hashsalt": "symphony_research",  # or the names inside an SVG would be random
}


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in the house style, whatever the reader's own settings are; they are put back after."""
    import matplotlib as mpl

    with mpl.rc_context():
        dict.update(mpl.rcParams, _house_style())  # type: ignore[misc]
        yield


@cache
def _house_style() -> dict[str, Any]:
    """Return the settings of the house style, validated once: matplotlib does so at each change, for all of them."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)  # type: ignore[arg-type]
        # where and how windows open stays the reader's
        return {
            name: value for name, value in mpl.rcParams.items() if name not in ("backend", "interactive", "toolbar")
        }


def colours(n: int) -> list[str]:
    """Return `n` colours: distinct ones for a few groups, an ordered scale for many."""
    if n <= len(PALETTE):
        return list(PALETTE[:n])
    import matplotlib as mpl
    from matplotlib.colors import to_hex

    scale = mpl.colormaps["viridis"]
    return [to_hex(scale(0.85 * k / (n - 1))) for k in range(n)]


def darker(colour: str) -> str:
    """Return a colour dark enough to read text in."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = to_rgb(colour)
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    keep = min(1.0, 0.33 / light) if light else 1.0
    return to_hex((red * keep, green * keep, blue * keep))


@cache
def renderer(dpi: float = 288) -> RendererAgg:
    """Return something to measure text with, by default four pixels a point: fewer would round letters.

    One for each resolution, as matplotlib remembers by it what it has measured.
    """
    from matplotlib.backends.backend_agg import RendererAgg

    return RendererAgg(8, 8, dpi)


@cache
def text_width(text: str, size: float = LABEL, weight: str = "normal") -> float:
    """Return the width of the widest line, in points."""
    from matplotlib.font_manager import FontProperties

    font = FontProperties(family=[FONT], size=size, weight=weight)
    lines = (text or " ").split("\n")
    widest = max(float(renderer().get_text_width_height_descent(line, font, False)[0]) for line in lines) / 4
    # letters are fitted to whole pixels, which differs by some percent between resolutions
    return 1.03 * widest


def text_height(text: str, size: float = LABEL) -> float:
    """Return the height of the lines, in points."""
    return (text.count("\n") + 1) * size * LINE_SPACING if text else 0.0


def wrapped(text: str, width: float, size: float = LABEL, weight: str = "normal", *, even: bool = False) -> str:
    """Break text between words so that no line is wider than `width` points, if its words allow.

    `even` makes the lines about as long as each other, with no word left alone in the last.
    """
    if even:
        lines = wrapped(text, width, size, weight).count("\n")
        narrow, wide = 0.0, width
        while lines and wide - narrow > 6:
            middle = (narrow + wide) / 2
            if wrapped(text, middle, size, weight).count("\n") > lines:
                narrow = middle
            else:
                wide = middle
        width = wide
    # a number stays with what it counts: "95% CI", "1 April"
    kept = re.sub(r"(?<=\d) (?=[\w%])|(?<=%) (?=CI)", "\u00a0", text)
    left = kept.split(" ")
    broken: list[str] = []
    while left:
        n = _fitting(left, width, size, weight)
        broken.append(" ".join(left[:n]))
        left = left[n:]
    return "\n".join(broken).replace("\u00a0", " ")


def _fitting(words: Sequence[str], width: float, size: float, weight: str) -> int:
    """Return how many of the words a line holds, one at least: guessed by their letters, as to measure is slow, then measured."""
    ends = accumulate(len(word) + 1 for word in words)
    n = max(1, sum(end * size * _LETTER <= width for end in ends))

    def fits(n: int) -> bool:
        return text_width(" ".join(words[:n]), size, weight) <= width

    while n < len(words) and fits(n + 1):
        n += 1
    while n > 1 and not fits(n):
        n -= 1
    return n


def key_above(ax: Any, handles: Sequence[Any], names: Sequence[str], width: float) -> Any:
    """Say above the axes what each colour, line and mark stands for, in as many columns as so many points hold."""
    longest = max(text_width(name, SMALL) for name in names) + 46
    return ax.legend(
        handles, names, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=max(1, min(len(names), int(width / longest))),
        fontsize=SMALL, borderaxespad=0.2, labelcolor=INK, handlelength=2.2, columnspacing=1.4,
    )  # fmt: skip


def plain_axes(ax: Any, *, grid: str | None = None, hide: Sequence[str] = ("top", "right")) -> None:
    """Leave only the lines that carry meaning."""
    for side in hide:
        ax.spines[side].set_visible(False)
    ax.tick_params(length=3, width=0.8, labelsize=SMALL, colors=QUIET, labelfontfamily=FONT)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(axis=grid, color=LINE, linewidth=0.6)
