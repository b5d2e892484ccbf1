"""The conditions that go together more often than expected, as circles and edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import FOUND
from symphony_research.result import Result, passed_on
from symphony_research.show.frame import axes_points, begin, finish, nothing_to_draw
from symphony_research.show.gate import expected_note, one_stratum, require_family, require_showable
from symphony_research.show.overlaps import overlap_note
from symphony_research.show.placing import by_distance, placed
from symphony_research.show.style import (
    MAIN,
    MARGIN,
    QUIET,
    SMALL,
    drawing,
    text_width,
    wrapped,
)
from symphony_research.show.titles import few_title, pair_title
from symphony_research.words.lexicon import COLUMN_WORDS, in_words
from symphony_research.words.numbers import number, times
from symphony_research.words.phrases import confidence_of

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
# a community has a letter as well as a colour; from the second colour on, for the first is that of conditions without one
_COMMUNITIES = "ABCDE"
_COLOUR_OF = dict(zip(_COMMUNITIES, ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"), strict=True))
STABLE = 0.75  # mean stability from which a community is coloured (Hennig 2007 calls a cluster valid from there)
_LISTED = 12  # conditions that a footnote names
_UNCLEAR: Any = (0, (3, 2))
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
    """Draw conditions as circles, joined where more people have both than expected if conditions were independent.

    Parameters
    ----------
    result : Cooccurrence
        What `networks.cooccurrence` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    measure : str, default "observed_expected"
        What makes an edge thick, one of `MEASURES`.
    min_measure : float, optional
        Leave out weaker edges.
    top_edges : int, default 40
        The most edges drawn, strongest first.
    communities : Communities, optional
        What `networks.communities` found in this network, disclosed under the
        same rule: circles of one community then have one colour and
        letter, where its members stayed together in resamples of the people.
    seed : int, default 1
        Of the layout: one seed, one picture.
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
    An edge is drawn only where the interval of observed/expected lies above 1,
    dashed where it is not clear once corrected for the number of pairs tested.
    Conditions without an edge are omitted, and named in the footnote.

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
    if passed_on(communities) is not None:
        communities = None
    letters = _letters(result, communities, stratum)
    every = one_stratum(result, result.estimates, stratum)
    able = every.filter((pl.col("lower") > 1) & pl.col(measure).is_not_null() & (pl.col("n_both") > 0))
    if min_measure is not None:
        able = able.filter(pl.col(measure) >= min_measure)
    edges = able.sort([measure, "source", "target"], descending=[True, False, False]).head(top_edges)
    if title is None:
        known = every["lower"].is_not_null().any()
        title = pair_title(edges, result.settings, stratum) if known else few_title("pair of conditions")
    people = _people(every)
    nodes = sorted({*edges["source"], *edges["target"]})
    notes = [*_notes(result, measure, able.height, edges, people), *expected_note(result, measure)]
    notes += overlap_note(result, nodes)
    if communities is not None:
        notes.append(
            f"Communities: coloured and lettered where stability over bootstrap resamples is at least {STABLE:.0%}."
            if letters
            else "Communities not coloured: none is known to be stable over bootstrap resamples."
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

        _key(
            ax,
            edges,
            measure,
            sorted({letters[n] for n in nodes if n in letters}),
            any(n not in letters for n in nodes),
        )

        def draw() -> None:
            _draw(ax, edges, nodes, people, measure, seed, letters)

        first = edges.head(3).select("source", "target", measure).iter_rows()
        told = [f"{in_words(s)} and {in_words(t)} {_say(measure)(v)}" for s, t, v in first]
        kind = f"Network of {len(nodes)} conditions joined by {edges.height} edge{'s' * (edges.height != 1)}"
        axes = f"It has no axes; an edge's thickness shows {_measured(measure).lower()}, a circle's size people"
        return finish(ax, result, own=own, title=title, notes=notes, settle=draw, kind=kind, axes=axes, told=told)


def _letters(result: Result, communities: Result | None, stratum: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the letter of each condition's community, of those that are stable in resamples alone."""
    if communities is None:
        return {}
    require_family(communities, ("Communities",), "plot_network(communities=)", "networks.communities")
    require_showable(communities, "plot_network")
    rules = [r.disclosure.policy if r.disclosure else None for r in (result, communities)]
    if rules[0] != rules[1]:
        raise ArgumentError(
            "The network and its communities are disclosed under different rules: suppress both the same way."
        )
    found = one_stratum(communities, communities.estimates, stratum).drop_nulls("community")
    stable = found.group_by("community").agg(pl.col("stability").mean()).filter(pl.col("stability") >= STABLE)
    found = found.filter(pl.col("community").is_in(stable["community"].to_list()))
    return {
        name: _COMMUNITIES[number_of - 1]
        for name, number_of in found.select("condition", "community").iter_rows()
        if number_of <= len(_COMMUNITIES)
    }


def _fill(ax: Axes) -> None:
    """Begin with the whole figure: the frame then takes what it needs."""
    figure = ax.figure
    edge = MARGIN * figure.dpi / 72
    across, up = figure.bbox.width, figure.bbox.height
    ax.set_position((edge / across, edge / up, 1 - 2 * edge / across, 1 - 2 * edge / up))


def _people(every: pl.DataFrame) -> dict[str, int | None]:
    """Return the people with each condition; None where suppressed."""
    pairs = [("source", "n_source"), ("target", "n_target")]
    return {row[0]: row[1] for name, count in pairs for row in every.select(name, count).iter_rows()}


def _notes(result: Result, measure: str, able: int, edges: pl.DataFrame, people: Mapping[str, int | None]) -> list[str]:
    """Say what the marks stand for, and name what is missing from the picture."""
    thick = {
        "observed_expected": "the further above expected",
        "n_both": "the more people have both",
    }.get(measure, f"the higher the {COLUMN_WORDS.get(measure, in_words(measure)).lower()}")
    interval = confidence_of(result.settings)
    notes = [f"Number and size of a circle: people with the condition. The thicker an edge, {thick}; edges only where "
             f"the {interval} lies above 1."]  # fmt: skip
    if able > edges.height:
        notes.append(f"The {edges.height} strongest of {number(able)} edges.")
    drawn = {*edges["source"], *edges["target"]}
    suppressed = [name for name, n in people.items() if n is None and name not in drawn]
    alone = [name for name in people if name not in drawn and name not in suppressed]
    for names, why in (
        (alone, "No edge drawn, so not in the picture"),
        (suppressed, "Suppressed, so not in the picture"),
    ):
        if names:
            rest = len(names) - _LISTED
            more = f" and {rest} more" if rest > 0 else ""
            notes.append(f"{why}: {', '.join(in_words(name) for name in sorted(names)[:_LISTED])}{more}.")
    return notes


def _draw(
    ax: Axes,
    edges: pl.DataFrame,
    nodes: Sequence[str],
    people: Mapping[str, int | None],
    measure: str,
    seed: int,
    letters: Mapping[str, str],
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
    labels = {
        k: [_label(n, people[n], SMALL * k, letters.get(n)) for n in nodes]
        for k in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
    }
    places = placed(by_distance(nodes, pairs, list(strength), seed), labels, radii, SMALL, joined, width, height)
    at, shrink, radii = places.circles, places.shrink, radii * places.shrink
    shade = [_shade(w) for w in strength]
    lines = LineCollection(
        [(at[i], at[j]) for i, j in joined], linewidths=_thick(strength) * shrink, colors=shade, zorder=1,
        linestyles=["-" if clear else _UNCLEAR for clear in _clear(edges)], capstyle="butt",
    )  # fmt: skip
    ax.add_collection(lines)
    # a name covers the lines that run under it
    box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"}
    for k, name in enumerate(nodes):
        suppressed = people[name] is None
        circle = Circle(
            tuple(at[k]), radii[k], facecolor="white" if suppressed else _COLOUR_OF[letters[name]] if name in letters else MAIN, edgecolor=QUIET if suppressed else "white",
            linewidth=1.2, zorder=2,
        )  # fmt: skip
        ax.add_patch(circle)
        (x, y), ha, va = _BESIDE[places.sides[k]]
        ax.annotate(
            labels[shrink][k], tuple(at[k]), ((radii[k] + 2 + 2 * abs(x)) * x, (radii[k] + 2) * y), ha=ha, va=va,
            textcoords="offset points", fontsize=SMALL * shrink, linespacing=1.15, zorder=3, bbox=box,
            gid="node", annotation_clip=False,
        )  # fmt: skip


def _clear(edges: pl.DataFrame) -> list[bool]:
    """Return whether each edge is clear once corrected for the number of pairs tested."""
    return (edges["q_value"] <= FOUND).fill_null(False).to_list()


def _measured(measure: str) -> str:
    words = {"observed_expected": "Observed/expected ratio", "n_both": "People with both"}
    return words.get(measure, COLUMN_WORDS.get(measure, in_words(measure)))


def _say(measure: str) -> Any:
    return times if measure in ("observed_expected", "odds_ratio") else number


def _key(ax: Axes, edges: pl.DataFrame, measure: str, communities: Sequence[str], others: bool) -> None:
    """Say above the picture what the thickest, a middle and the thinnest edge stand for, and the circles."""
    from matplotlib.lines import Line2D

    values = edges[measure].to_numpy().astype(float)
    order = np.argsort(values, kind="stable")
    picked = dict.fromkeys(order[[0, len(order) // 2, -1]].tolist())
    strength, say = _strength(values, measure), _say(measure)
    lines = {say(values[k]): Line2D([], [], color=_shade(strength[k]), linewidth=_thick(strength[k])) for k in picked}
    if not all(_clear(edges)):
        lines["Dashed: q value above 0.05"] = Line2D(
            [], [], color=_shade(0.5), linewidth=_thick(0.3), linestyle=_UNCLEAR
        )

    def circle(colour: str) -> Any:
        return Line2D([], [], marker="o", markersize=8, linestyle="none", color=colour)

    lines |= {f"Community {letter}": circle(_COLOUR_OF[letter]) for letter in communities}
    if others:
        lines["Other conditions" if communities else "Condition"] = circle(MAIN)
    wide = sum(text_width(name, SMALL) + 44 for name in lines)
    ax.legend(
        list(lines.values()), list(lines), loc="lower right", bbox_to_anchor=(1, 1), fontsize=SMALL,
        ncols=len(lines) if wide < 0.95 * axes_points(ax)[0] else (len(lines) + 1) // 2,
        title=_measured(measure), title_fontsize=SMALL, borderaxespad=0.2, handlelength=2.6, columnspacing=1.4,
    )  # fmt: skip


def _thick(strength: Any) -> Any:
    return 0.8 + 4.2 * strength


def _shade(w: float) -> tuple[float, float, float, float]:
    return (0.45 - 0.3 * w, 0.52 - 0.3 * w, 0.6 - 0.3 * w, 0.55 + 0.3 * w)


def _label(name: str, people: int | None, size: float, letter: str | None = None) -> str:
    words = wrapped(in_words(name), _NAME * size / SMALL, size)
    below = " · ".join(part for part in ("" if people is None else number(people), letter or "") if part)
    return f"{words}\n{below}" if below else words


def _strength(values: np.ndarray, measure: str) -> np.ndarray:
    """Return the measure between 0 and 1; ratios by their logarithm, where twice is twice anywhere."""
    scaled = np.log(values) if measure in ("observed_expected", "odds_ratio", "n_both") else values
    span = scaled.max() - scaled.min()
    return np.asarray((scaled - scaled.min()) / span if span > 0 else np.full(len(values), 0.5))


def _radii(nodes: Sequence[str], people: Mapping[str, int | None]) -> np.ndarray:
    """Circles whose area goes with people; the smallest for a suppressed count."""
    counts = np.array([people[n] or 0 for n in nodes], dtype=float)
    return np.asarray(np.maximum(_LARGEST * np.sqrt(counts / max(counts.max(), 1)), _SMALLEST))
