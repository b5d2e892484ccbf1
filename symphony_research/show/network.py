"""The conditions that go together more than chance would give, as circles and lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.result import Result
from symphony_research.show.frame import axes_points, begin, finish, nothing_to_draw
from symphony_research.show.gate import chance_note, one_stratum, require_family, require_showable
from symphony_research.show.placing import by_distance, placed
from symphony_research.show.style import (
    MAIN,
    MARGIN,
    PALETTE,
    QUIET,
    SMALL,
    drawing,
    wrapped,
)
from symphony_research.wording import COLUMN_WORDS, capital, in_words, number, strata_words, times

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MEASURES", "plot_network"]

MEASURES = (
    "observed_expected", "phi", "odds_ratio", "jaccard", "cosine", "overlap", "information_component", "n_both",
)  # fmt: skip

_SMALLEST, _LARGEST = 4.0, 24.0  # radius of a circle, points
_BESIDE = {
    "below": ((0, -1), "center", "top"),
    "above": ((0, 1), "center", "bottom"),
    "right": ((1, 0), "left", "center"),
    "left": ((-1, 0), "right", "center"),
}
_NAME = 92.0  # width of a name under its circle, points


def plot_network(
    result: Result,
    *,
    ax: Axes | None = None,
    measure: str = "observed_expected",
    min_measure: float | None = None,
    top_edges: int = 40,
    communities: Result | None = None,
    seed: int = 1,
    stratum: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw conditions as circles, joined where more people have both than chance would give.

    Parameters
    ----------
    result : Cooccurrence
        What `networks.cooccurrence` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    measure : str, default "observed_expected"
        What makes a line thick, one of `MEASURES`.
    min_measure : float, optional
        Leave out weaker lines.
    top_edges : int, default 40
        The most lines drawn, strongest first.
    communities : Communities, optional
        What `networks.communities` found in this network, disclosed under the
        same rule: circles of one community then have one colour.
    seed : int, default 1
        Of the layout: one seed, one picture.
    stratum : mapping, optional
        Which stratum, such as `{"sex": "F"}`; needed where there are several.
    title : str, optional
        By default the finding, `result.sentence()`.

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
    A line is drawn only where the interval of observed/expected lies above 1.
    Conditions without a line are left out, and counted in the footnote.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> network = sr.suppress(sr.networks.cooccurrence(patterns), sr.Policy.synthetic())
    >>> ax = sr.plot_network(network, top_edges=10)
    """
    require_family(result, ("Cooccurrence",), "plot_network", "networks.cooccurrence", title)
    require_one_of(measure, MEASURES, argument="measure")
    if top_edges < 1:
        raise ArgumentError(f"top_edges={top_edges} must be at least 1.")
    colour_of = _colours(result, communities, stratum)
    every = one_stratum(result, result.estimates, stratum)
    able = every.filter((pl.col("lower") > 1) & pl.col(measure).is_not_null() & (pl.col("n_both") > 0))
    if min_measure is not None:
        able = able.filter(pl.col(measure) >= min_measure)
    edges = able.sort([measure, "source", "target"], descending=[True, False, False]).head(top_edges)
    if title is None and stratum:
        title = f"{capital(strata_words(stratum))}: {_finding(every)}"
    people = _people(every)
    nodes = sorted({*edges["source"], *edges["target"]})
    notes = [*_notes(measure, able.height, edges.height, len(people) - len(nodes)), *chance_note(result, measure)]
    if communities is not None:
        notes.insert(
            0, "Circles of one colour are a community: they go together more with one another than with the rest."
        )
    with drawing():
        # a square of some 115 points a side for each name and circle
        area = max(len(nodes), 6) * 115**2
        ax, own = begin(
            ax, min(max((1.5 * area) ** 0.5 / 72, 8.0), 12.5), min(max((area / 1.5) ** 0.5 / 72 + 1.4, 6.0), 9.5)
        )
        if not edges.height:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        if own:
            _fill(ax)
        ax.set_xticks([])
        ax.set_yticks([])
        for spine in ax.spines.values():
            spine.set_visible(False)

        _key(ax, edges[measure].to_numpy().astype(float), measure)

        def draw() -> None:
            _draw(ax, edges, nodes, people, measure, seed, colour_of)

        return finish(ax, result, own=own, title=title, notes=notes, settle=draw)


def _colours(result: Result, communities: Result | None, stratum: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the colour of each condition's community; those past the palette are grey, as are those without one."""
    if communities is None:
        return {}
    require_family(communities, ("Communities",), "plot_network(communities=)", "networks.communities")
    require_showable(communities, "plot_network")
    rules = [r.disclosure.policy if r.disclosure else None for r in (result, communities)]
    if rules[0] != rules[1]:
        raise ArgumentError("The network and its communities are disclosed under different rules: suppress both alike.")
    found = one_stratum(communities, communities.estimates, stratum).drop_nulls("community")
    return {
        name: PALETTE[number_of - 1]
        for name, number_of in found.select("condition", "community").iter_rows()
        if number_of <= len(PALETTE) - 1
    }


def _fill(ax: Axes) -> None:
    """Begin with the whole figure: the frame then takes what it needs."""
    figure = ax.figure
    edge = MARGIN * figure.dpi / 72
    across, up = figure.bbox.width, figure.bbox.height
    ax.set_position((edge / across, edge / up, 1 - 2 * edge / across, 1 - 2 * edge / up))


def _finding(every: pl.DataFrame) -> str:
    frame = every.filter(pl.col("lower").is_not_null())
    if not frame.height:
        return "no pair of conditions is held by enough people to show."
    first = frame.sort("lower", descending=True).row(0, named=True)
    ratio = times(first["observed_expected"])
    pair = f"{in_words(first['source'])} and {in_words(first['target'])}"
    return f"{pair} go together most, {ratio} times as often as chance would give."


def _people(every: pl.DataFrame) -> dict[str, int | None]:
    """Return the people with each condition; None where hidden."""
    pairs = [("source", "n_source"), ("target", "n_target")]
    return {row[0]: row[1] for name, count in pairs for row in every.select(name, count).iter_rows()}


def _notes(measure: str, able: int, drawn: int, alone: int) -> list[str]:
    thick = {
        "observed_expected": "Thicker line: more people have both than chance would give.",
        "n_both": "Thicker line: more people have both.",
    }.get(measure, f"Thicker line: higher {COLUMN_WORDS.get(measure, in_words(measure)).lower()}.")
    notes = [
        f"Number and size of a circle: people with the condition. {thick} Lines only where the 95 % interval is above chance."
    ]
    if able > drawn:
        notes.append(f"The {drawn} strongest of {number(able)} lines.")
    if alone:
        notes.append(f"{alone} condition{' has no line and is' if alone == 1 else 's have no line and are'} left out.")
    return notes


def _draw(
    ax: Axes,
    edges: pl.DataFrame,
    nodes: Sequence[str],
    people: Mapping[str, int | None],
    measure: str,
    seed: int,
    colour_of: Mapping[str, str],
) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Circle

    width, height = axes_points(ax)
    ax.set_xlim(0, width)
    ax.set_ylim(0, height)
    strength = _strength(edges[measure].to_numpy().astype(float), measure)
    index = {name: k for k, name in enumerate(nodes)}
    pairs = list(edges.select("source", "target").iter_rows())
    joined = np.array([(index[s], index[t]) for s, t in pairs])
    radii = _radii(nodes, people)
    labels = {k: [_label(n, people[n], SMALL * k) for n in nodes] for k in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)}
    places = placed(by_distance(nodes, pairs, list(strength), seed), labels, radii, SMALL, joined, width, height)
    at, shrink, radii = places.circles, places.shrink, radii * places.shrink
    shade = [_shade(w) for w in strength]
    lines = LineCollection(
        [(at[i], at[j]) for i, j in joined], linewidths=_thick(strength) * shrink, colors=shade, zorder=1,
        capstyle="round",
    )  # fmt: skip
    ax.add_collection(lines)
    # a name covers the lines that run under it
    box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
    for k, name in enumerate(nodes):
        hidden = people[name] is None
        circle = Circle(
            tuple(at[k]), radii[k], facecolor="white" if hidden else colour_of.get(name, QUIET if colour_of else MAIN), edgecolor=QUIET if hidden else "white",
            linewidth=1.2, zorder=2,
        )  # fmt: skip
        ax.add_patch(circle)
        (x, y), ha, va = _BESIDE[places.sides[k]]
        ax.annotate(
            labels[shrink][k], tuple(at[k]), ((radii[k] + 2 + 2 * abs(x)) * x, (radii[k] + 2) * y), ha=ha, va=va,
            textcoords="offset points", fontsize=SMALL * shrink, linespacing=1.15, zorder=3, bbox=box,
            gid="node", annotation_clip=False,
        )  # fmt: skip


def _key(ax: Axes, values: np.ndarray, measure: str) -> None:
    """Say above the picture what the thickest, a middle and the thinnest line stand for."""
    from matplotlib.lines import Line2D

    order = np.argsort(values, kind="stable")
    picked = dict.fromkeys(order[[0, len(order) // 2, -1]].tolist())
    strength = _strength(values, measure)
    say = times if measure in ("observed_expected", "odds_ratio") else number
    lines = {say(values[k]): Line2D([], [], color=_shade(strength[k]), linewidth=_thick(strength[k])) for k in picked}
    title = {"observed_expected": "Times as many people with both as chance would give", "n_both": "People with both"}
    ax.legend(
        list(lines.values()), list(lines), loc="lower right", bbox_to_anchor=(1, 1), ncols=len(lines), fontsize=SMALL,
        title=title.get(measure, COLUMN_WORDS.get(measure, in_words(measure))), title_fontsize=SMALL, borderaxespad=0.2,
        handlelength=2.6, columnspacing=1.4,
    )  # fmt: skip


def _thick(strength: Any) -> Any:
    return 0.8 + 4.2 * strength


def _shade(w: float) -> tuple[float, float, float, float]:
    return (0.45 - 0.3 * w, 0.52 - 0.3 * w, 0.6 - 0.3 * w, 0.35 + 0.3 * w)


def _label(name: str, people: int | None, size: float) -> str:
    words = wrapped(in_words(name), _NAME * size / SMALL, size)
    return words if people is None else f"{words}\n{number(people)}"


def _strength(values: np.ndarray, measure: str) -> np.ndarray:
    """Return the measure between 0 and 1; ratios by their logarithm, where twice is twice anywhere."""
    scaled = np.log(values) if measure in ("observed_expected", "odds_ratio", "n_both") else values
    span = scaled.max() - scaled.min()
    return np.asarray((scaled - scaled.min()) / span if span > 0 else np.full(len(values), 0.5))


def _radii(nodes: Sequence[str], people: Mapping[str, int | None]) -> np.ndarray:
    """Circles whose area goes with people; the smallest for a hidden count."""
    counts = np.array([people[n] or 0 for n in nodes], dtype=float)
    return np.asarray(np.maximum(_LARGEST * np.sqrt(counts / max(counts.max(), 1)), _SMALLEST))
