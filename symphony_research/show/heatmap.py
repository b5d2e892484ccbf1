"""Each pair of conditions, observed and expected, as a coloured triangle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.result import Result
from symphony_research.show.frame import axes_points, begin, finish, foot_height, head_height, nothing_to_draw
from symphony_research.show.gate import expected_note, one_stratum, require_family
from symphony_research.show.network import MEASURES
from symphony_research.show.overlaps import overlap_note
from symphony_research.show.style import INK, LINE, MARGIN, QUIET, SMALL, SOFT, drawing, text_width, wrapped
from symphony_research.show.titles import few_title, pair_title
from symphony_research.words.lexicon import COLUMN_WORDS, SUPPRESSED, in_words
from symphony_research.words.numbers import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_cooccurrence_matrix"]

_RATIOS = ("observed_expected", "odds_ratio")
_WORDS = {"observed_expected": "Observed/expected ratio"}
_NUMBERED = 15  # conditions up to which cells hold numbers


def plot_cooccurrence_matrix(
    result: Result,
    *,
    ax: Axes | None = None,
    measure: str = "observed_expected",
    top: int = 25,
    stratum: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw each pair of conditions as a cell: orange above expected, blue below it.

    Parameters
    ----------
    result : Cooccurrence
        What `networks.cooccurrence` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    measure : str, default "observed_expected"
        What the colour tells. Ratios are coloured by their logarithm.
    top : int, default 25
        The most conditions drawn, commonest first.
    stratum : mapping, optional
        Which stratum, such as `{"sex": "F"}`; needed where there are several.
    title : str, optional
        By default the finding, in at most 15 words.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        On another family or measure, or strata of which none is picked.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Notes
    -----
    Conditions with similar associations stand together (average linkage).
    Suppressed cells bear a mark, and a pair that nobody has is grey: with few
    expected, none says little. White is as expected. Where cells hold no
    numbers, those below expected bear a minus sign, which greyscale keeps.

    Examples
    --------
    >>> import symphony_research as sr
    >>> from symphony_research.show import plot_cooccurrence_matrix
    >>> patterns = sr.define_cohort(sr.example_study()).patterns(conditions=["diabetes", "stroke", "asthma"])
    >>> network = sr.suppress(sr.networks.cooccurrence(patterns), sr.Policy.synthetic())
    >>> ax = plot_cooccurrence_matrix(network)
    """
    require_family(result, ("Cooccurrence",), "plot_cooccurrence_matrix", "networks.cooccurrence", title)
    require_one_of(measure, MEASURES, argument="measure")
    if top < 2:
        raise ArgumentError(f"top={top} must be at least 2: a cell is a pair of conditions.")
    frame, held = _commonest(one_stratum(result, result.estimates, stratum), top)
    conditions = sorted({*frame["source"], *frame["target"]})
    values = _square(frame, conditions, measure)
    notes = []
    disclosed = result.disclosure is not None
    if disclosed and frame["n_both"].null_count():
        notes.append(f"{SUPPRESSED} suppressed by disclosure control.")
    two_sided = measure in (*_RATIOS, "phi", "information_component")
    if two_sided:
        minus = "; a minus sign marks those below" if len(conditions) > _NUMBERED else ""
        notes.append(f"Orange: above expected; blue: below{minus}.")
    if (frame["n_both"] == 0).any():
        notes.append("Grey: nobody has both.")
    if held > len(conditions):
        notes.append(f"The {len(conditions)} commonest of {held} conditions.")
    notes += expected_note(result, measure)
    notes += overlap_note(result, conditions)
    if title is None:
        title = pair_title(frame, result.settings, stratum)
    with drawing():
        side = min(max(0.42 * len(conditions), 3.6), 8.6) if len(conditions) <= _NUMBERED else 8.6
        # the figure grows by its names, so that they take nothing from the cells
        widths = [text_width(in_words(c), min(SMALL, 0.62 * side * 72 / len(conditions))) for c in conditions]
        names = max(widths, default=0) + 8
        wide = max(side * 72 + names + 2 * MARGIN, 7.0 * 72)
        around = head_height(result, title, wide - 2 * MARGIN)
        around += foot_height(result, notes, wide - 2 * MARGIN) + 2 * MARGIN
        ax, own = begin(ax, wide / 72, (side * 72 + names + around) / 72)
        if np.isnan(values).all():
            title = few_title("pair of conditions")
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        nobody = _square(frame, conditions, "n_both") == 0
        values = np.where(nobody, np.nan, values)
        order = _clustered(_scaled(values, measure))
        conditions = [conditions[k] for k in order]
        values, nobody = values[np.ix_(order, order)], nobody[np.ix_(order, order)]
        gone = pl.any_horizontal(pl.col("n_both", "n_source", "n_target").is_null()).cast(pl.Float64)
        suppressed = _square(frame.with_columns(gone.alias("gone")), conditions, "gone") == 1
        _cells(ax, values, (suppressed & disclosed, nobody), conditions, measure, own, side)
        kind = (
            f"Heat map of all pairs of {len(conditions)} conditions, a triangle of cells coloured by {_said(measure)}"
        )
        rows = f"Both axes: conditions, from {in_words(conditions[0])} to {in_words(conditions[-1])}, similar ones together"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, axes=rows, told=_told(frame, measure))


def _said(measure: str) -> str:
    return _WORDS.get(measure, COLUMN_WORDS.get(measure, in_words(measure))).lower()


def _told(frame: pl.DataFrame, measure: str) -> list[str]:
    """Return the pairs furthest above expected, as drawn."""
    known = frame.filter(pl.col("lower").is_not_null(), pl.col(measure).is_not_null())
    first = known.sort("lower", descending=True, maintain_order=True).head(3)
    return [
        f"{in_words(s)} and {in_words(t)} {number(v)}"
        for s, t, v in first.select("source", "target", measure).iter_rows()
    ]


def _commonest(frame: pl.DataFrame, top: int) -> tuple[pl.DataFrame, int]:
    """Return the pairs of the commonest conditions, and how many conditions there are."""
    ends = [frame.select(pl.col(c).alias("condition"), pl.col(f"n_{c}").alias("people")) for c in ("source", "target")]
    held = pl.concat(ends).unique("condition").sort(["people", "condition"], descending=[True, False], nulls_last=True)
    kept = held.head(top)["condition"].to_list()
    return frame.filter(pl.col("source").is_in(kept) & pl.col("target").is_in(kept)), held.height


def _square(frame: pl.DataFrame, conditions: Sequence[str], measure: str) -> np.ndarray:
    position = {c: k for k, c in enumerate(conditions)}
    square = np.full((len(conditions), len(conditions)), np.nan)
    for source, target, value in frame.select("source", "target", measure).iter_rows():
        if value is not None:
            i, j = position[source], position[target]
            square[i, j] = square[j, i] = value
    return square


def _scaled(values: np.ndarray, measure: str) -> np.ndarray:
    """Return values as colours see them: a ratio by its logarithm."""
    return np.asarray(np.log2(values)) if measure in _RATIOS else values


def _clustered(values: np.ndarray) -> list[int]:
    """Return an order of conditions in which similar ones stand together."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(values) < 3:
        return list(range(len(values)))
    near = np.nan_to_num(values)
    apart = (near.max() - near)[np.triu_indices(len(near), 1)]
    return [int(k) for k in leaves_list(linkage(apart, "average", optimal_ordering=True))]


def _cells(
    ax: Axes,
    values: np.ndarray,
    gaps: tuple[np.ndarray, np.ndarray],
    conditions: Sequence[str],
    measure: str,
    own: bool,
    side: float,
) -> None:
    import seaborn as sns
    from matplotlib.patches import Rectangle

    n, (suppressed, nobody) = len(conditions), gaps
    # the first row and the last column of a lower triangle are empty
    shown = _scaled(values, measure)[1:, :-1]
    blank = np.triu(np.ones((n - 1, n - 1), dtype=bool), 1) | np.isnan(shown)
    colour, low, high = _colouring(shown[~blank], measure)
    step = (side * 72 if own else min(axes_points(ax))) / max(n - 1, 1)
    size = min(SMALL, 0.62 * step)
    texts: Any = False
    if n <= _NUMBERED:
        texts = np.array([[number(v, 2) if v == v else "" for v in row] for row in values[1:, :-1]])
    sns.heatmap(
        shown, mask=blank, ax=ax, cmap=colour, vmin=low, vmax=high, cbar=False, square=True, annot=texts, fmt="",
        linewidths=0.5 if n <= 30 else 0.2, linecolor="white", annot_kws={"fontsize": min(size, 0.34 * step)},
        xticklabels=False, yticklabels=False,
    )  # fmt: skip
    for i, j in zip(*np.nonzero(np.tril(suppressed[1:, :-1])), strict=True):
        ax.add_patch(
            Rectangle(
                (j, i), 1, 1, facecolor=SOFT, edgecolor=LINE, hatch="////" if n <= _NUMBERED else None, linewidth=0
            )
        )
        ax.text(j + 0.5, i + 0.5, SUPPRESSED, ha="center", va="center", fontsize=size, color=QUIET, gid="suppressed")
    for i, j in zip(*np.nonzero(np.tril((nobody & ~suppressed)[1:, :-1])), strict=True):
        ax.add_patch(Rectangle((j, i), 1, 1, facecolor=LINE, edgecolor="white", linewidth=0.5, gid="nobody"))
    if n > _NUMBERED and low < 0:
        for i, j in zip(*np.nonzero((shown < 0) & ~blank), strict=True):
            ax.text(j + 0.5, i + 0.5, "−", ha="center", va="center", fontsize=min(size, 0.5 * step), gid="below",
                    color="white" if shown[i, j] < 0.6 * low else INK)  # fmt: skip
    places = np.arange(n - 1) + 0.5
    names = [in_words(c) for c in conditions]
    ax.set_xticks(places, names[:-1], rotation=90)
    ax.set_yticks(places, names[1:], rotation=0)
    ax.tick_params(length=0, labelsize=size, labelcolor=INK)
    if n >= 5:
        _scale(ax, colour, low, high, measure)


def _colouring(shown: np.ndarray, measure: str) -> tuple[Any, float, float]:
    """Return colours and their ends; white is as expected where that is known, and both sides are as deep."""
    import matplotlib as mpl
    from matplotlib.colors import LinearSegmentedColormap

    if measure in (*_RATIOS, "phi", "information_component"):
        most = max(float(np.abs(shown).max(initial=0.0)), 0.05 if measure == "phi" else 0.5)
        colours = LinearSegmentedColormap.from_list("ratio", ["#00457a", "#0072B2", "#ffffff", "#E57A1F", "#8a3b00"])
        return colours, -most, most
    return mpl.colormaps["Blues"], 0.0, float(shown.max(initial=0.0)) or 1.0


def _scale(ax: Axes, colour: Any, low: float, high: float, measure: str) -> None:
    """Draw the scale of colours in the empty half."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    inset = ax.inset_axes((0.55, 0.84, 0.4, 0.03))
    bar = ax.figure.colorbar(ScalarMappable(Normalize(low, high), colour), cax=inset, orientation="horizontal")
    bar.outline.set_visible(False)
    inset.tick_params(labelsize=SMALL, length=2, colors=QUIET)
    if measure in _RATIOS:
        most = int(high) if high >= 1 else 1
        marks = [k for k in range(-most, most + 1, max(1, most // 2)) if low <= k <= high]
        marks = sorted({*(-k for k in marks if -k >= low), 0, *marks})
        bar.set_ticks(marks, labels=[f"{2.0**k:g}" if k >= 0 else f"1/{2**-k}" for k in marks])
    words = _WORDS.get(measure, COLUMN_WORDS.get(measure, in_words(measure)))
    wide = 0.45 * axes_points(ax)[0]
    inset.set_title(wrapped(words, wide, SMALL), fontsize=SMALL, loc="left", pad=4, color=INK, fontweight="normal")
