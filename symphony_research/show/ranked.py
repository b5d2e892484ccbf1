"""Networks as ranked rows: centrality, temporal precedence, and where two groups differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import FOUND
from symphony_research.result import Result
from symphony_research.show.bars import percent_axis, row_step
from symphony_research.show.frame import axes_points, begin, finish, nothing_to_draw
from symphony_research.show.gate import one_stratum, require_family
from symphony_research.show.overlaps import overlap_note
from symphony_research.show.style import (
    INK,
    LABEL,
    LINE,
    MAIN,
    PALETTE,
    QUIET,
    SMALL,
    drawing,
    key_above,
    plain_axes,
    wrapped,
)
from symphony_research.show.titles import centrality_title, comparison_title, few_title, sequence_title
from symphony_research.words.lexicon import COLUMN_WORDS, capital, in_words
from symphony_research.words.numbers import number, percentage, times
from symphony_research.words.phrases import confidence_of, strata_phrase, strata_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_centrality", "plot_comparison", "plot_sequences"]

CENTRALITIES = ("strength", "degree", "betweenness", "eigenvector", "pagerank")
_NAMES = 260.0  # points for the names at the left


def _tall(names: Sequence[str]) -> float:
    """Return the height of a row in inches, for names in so many lines."""
    lines = max([wrapped(name, _NAMES, LABEL).count("\n") + 1 for name in names], default=1)
    return 0.12 + 0.2 * max(lines, 1.1)


def _rows(ax: Axes, names: Sequence[str], step: float) -> float:
    """Name the rows from the top, and return the size of type that fits them."""
    lines = max(wrapped(name, _NAMES, LABEL).count("\n") + 1 for name in names)
    size = min(LABEL, step * 0.6 / lines)
    ax.set_yticks(range(len(names)), [wrapped(name, _NAMES * size / LABEL, size) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK)
    return size


def _hidden_note(result: Result, frame: pl.DataFrame, column: str, what: str) -> list[str]:
    suppressed = frame[column].null_count()
    if not suppressed or result.disclosure is None or result.rows_from_records:
        return []  # how many sets are suppressed would name them
    are = f"{what} is" if suppressed == 1 else f"{what}s are"
    return [f"{number(suppressed)} {are} suppressed and not drawn."]


def plot_centrality(
    result: Result,
    *,
    ax: Axes | None = None,
    measure: str = "strength",
    top: int = 20,
    stratum: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the most central conditions of a network.

    Parameters
    ----------
    result : Centrality
        What `networks.centrality` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    measure : {"strength", "degree", "betweenness", "eigenvector", "pagerank"}
        Which centrality.
    top : int, default 20
        The most conditions drawn.
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

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> network = sr.suppress(sr.networks.cooccurrence(patterns), sr.Policy.synthetic())
    >>> ax = sr.plot_centrality(sr.networks.centrality(network), top=5)
    """
    require_family(result, ("Centrality",), "plot_centrality", "networks.centrality", title)
    require_one_of(measure, CENTRALITIES, argument="measure")
    if top < 1:
        raise ArgumentError(f"top={top} must be at least 1.")
    every = one_stratum(result, result.estimates, stratum)
    seen = every.filter(pl.col(measure).is_not_null() & (pl.col(measure) > 0))
    drawn = seen.sort([measure, "condition"], descending=[True, False]).head(top)
    notes = [f"The {drawn.height} most central of {seen.height} conditions with an edge."] if seen.height > top else []
    notes += _hidden_note(result, every, "n_persons", "condition")
    if title is None:
        few = "No pair of conditions is clearly commoner than expected, so none is central"
        title = centrality_title(drawn, measure, stratum) if drawn.height else few
    notes += overlap_note(result, drawn["condition"].to_list())
    with drawing():
        ax, own = begin(ax, 8.0, 2.2 + 0.27 * max(drawn.height, 1))
        if not drawn.height:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        size = _rows(ax, [capital(in_words(c)) for c in drawn["condition"]], row_step(ax, own, drawn.height) * 1.1)
        values = drawn[measure].to_list()
        bars = ax.barh(range(drawn.height), values, height=0.66, color=MAIN)
        label = COLUMN_WORDS.get(measure, capital(in_words(measure)))
        key_above(ax, [bars], [label], axes_points(ax)[0])
        ax.set_xlim(0, max(values) * 1.02)
        plain_axes(ax, grid="x", hide=("top", "right", "left"))
        ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK)
        ax.set_xlabel(label, fontsize=LABEL, color=INK)
        for row, value in enumerate(values):
            ax.annotate(number(value), (value, row), (5, 0), textcoords="offset points", va="center", ha="left",
                        fontsize=min(size, SMALL), annotation_clip=False, gid="value")  # fmt: skip
        told = [f"{in_words(c)} {number(v)}" for c, v in drawn.head(5).select("condition", measure).iter_rows()]
        kind = f"Bar chart of {drawn.height} conditions, the most central first"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


def plot_sequences(result: Result, *, ax: Axes | None = None, top: int = 12, title: str | None = None) -> Axes:
    """Draw how often one condition came before another, with the share expected.

    Parameters
    ----------
    result : Sequences
        What `networks.sequences` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    top : int, default 12
        The most pairs drawn, those with the smallest p value first.
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
    >>> cohort = sr.define_cohort(sr.example_study())
    >>> found = sr.networks.sequences(cohort.onsets(birth_years=10), min_persons=2)
    >>> ax = sr.plot_sequences(sr.suppress(found, sr.Policy.synthetic()), top=5)
    """
    require_family(result, ("Sequences",), "plot_sequences", "networks.sequences", title)
    if top < 1:
        raise ArgumentError(f"top={top} must be at least 1.")
    every = result.estimates
    seen = every.filter(pl.col("estimate").is_not_null() & pl.col("expected").is_not_null())
    drawn = seen.sort(["p_value", "source", "target"], nulls_last=True).head(top)
    notes = [f"The {drawn.height} of {number(seen.height)} pairs whose order is clearest."] if seen.height > top else []
    notes += _hidden_note(result, every, "n_both", "pair")
    alike = strata_phrase(result.settings["adjust"])
    method = (
        f"Expected: from the onsets of others with the same {alike} who have both. Clear: q value at most {FOUND:g} over all "
        f"pairs tested. Dashed: 50%."
    )
    notes += overlap_note(result, {*drawn["source"], *drawn["target"]})
    if title is None:
        title = sequence_title(drawn, result.settings) if drawn.height else few_title("pair of conditions with dates")
    with drawing():
        pairs = drawn.select("source", "target").iter_rows()
        names = [f"{capital(in_words(source))} before {in_words(target)}" for source, target in pairs]
        ax, own = begin(ax, 8.8, 2.6 + _tall(names) * max(drawn.height, 1))
        if not drawn.height:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        size = _rows(ax, names, _tall(names) * 72 if own else row_step(ax, own, drawn.height))
        columns, orders = ("estimate", "lower", "upper", "expected", "q_value"), []
        for row, (share, lower, upper, expected_share, q) in enumerate(drawn.select(columns).iter_rows()):
            sure = q is not None and q <= FOUND
            orders.append(sure)
            ax.plot(
                [100 * expected_share, 100 * share],
                [row, row],
                color=LINE,
                linewidth=3,
                zorder=1,
                solid_capstyle="butt",
            )
            ax.plot([100 * lower, 100 * upper], [row, row], color=INK, linewidth=1.2, zorder=2)
            ax.scatter(
                [100 * expected_share], [row], marker="D", s=34, color="white", edgecolor=INK, linewidth=1, zorder=3
            )
            ax.scatter([100 * share], [row], s=46, facecolor=PALETTE[1] if sure else "white", linewidth=1.4,
                       edgecolor=PALETTE[1] if sure else QUIET, zorder=4)  # fmt: skip
            # beside the axes there is room only in a figure of its own
            ax.annotate(percentage(share) if own else "", (1, row), (6, 0), xycoords=("axes fraction", "data"), va="center", ha="left",
                        textcoords="offset points", fontsize=min(size, SMALL), annotation_clip=False, gid="value")  # fmt: skip
        ax.axvline(50, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        low = min(100 * value for column in ("lower", "expected") for value in drawn[column])
        ax.set_xlim(min(low - 3, 47), 101)
        percent_axis(ax, "x")
        plain_axes(ax, grid="x", hide=("top", "right", "left"))
        ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK)
        ax.set_xlabel("Share of people with both in whom the first came first", fontsize=LABEL, color=INK)
        keys = _order_keys(orders, confidence_of(result.settings))
        key_above(ax, list(keys.values()), list(keys), axes_points(ax)[0])
        first = drawn.head(3).select("source", "target", "estimate", "expected").iter_rows()
        told = [f"{in_words(s)} before {in_words(t)} {percentage(e)}, expected {percentage(x)}" for s, t, e, x in first]
        kind = f"Dot plot of {drawn.height} pairs: observed share with interval, and expected share as a diamond"
        return finish(ax, result, own=own, title=title, notes=[*notes, method], kind=kind, told=told)


def _order_keys(clear: Sequence[bool], interval: str) -> dict[str, Any]:
    """Return what each mark stands for: filled where an order is clear, open where it is not."""
    from matplotlib.lines import Line2D

    keys: dict[str, Any] = {}
    if any(clear):
        keys["Observed, clear"] = Line2D([], [], color=PALETTE[1], marker="o", markersize=6.5, linestyle="none")
    if not all(clear):
        keys["Observed, not clear"] = Line2D([], [], color=QUIET, marker="o", markersize=6.5, linestyle="none",
                                             markerfacecolor="white", markeredgewidth=1.4)  # fmt: skip
    keys["Expected"] = Line2D([], [], color=INK, marker="D", markersize=5.5, linestyle="none", markerfacecolor="white")
    keys[interval] = Line2D([], [], color=INK, linewidth=1.2)
    return keys


def plot_comparison(
    result: Result,
    *,
    ax: Axes | None = None,
    top: int = 15,
    stratum: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the pairs of conditions that differ most clearly between two groups.

    Parameters
    ----------
    result : NetworkComparison
        What `networks.compare` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    top : int, default 15
        The most pairs drawn, those with the smallest p value first.
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
        On another family, or strata of which none is picked.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study(), sex="F").patterns()
    >>> others = sr.define_cohort(sr.example_study(), sex="M").patterns(conditions=patterns.conditions)
    >>> found = sr.networks.compare(patterns, others, names=("women", "men"), permutations=19)
    >>> ax = sr.plot_comparison(sr.suppress(found, sr.Policy.synthetic()), top=5)
    """
    require_family(result, ("NetworkComparison",), "plot_comparison", "networks.compare", title)
    if top < 1:
        raise ArgumentError(f"top={top} must be at least 1.")
    every = one_stratum(result, result.estimates, stratum)
    sides = ("observed_expected_a", "observed_expected_b")
    seen = every.filter(pl.all_horizontal([(pl.col(c) > 0).fill_null(False) for c in (*sides, "ratio")]))
    order = [pl.col("p_value"), (-pl.col("ratio").log().abs()).round(12), pl.col("source"), pl.col("target")]
    drawn = seen.sort(order, nulls_last=True).head(top)
    one, other = (in_words(name) for name in result.settings["names"])
    notes = (
        [f"The {drawn.height} of {number(seen.height)} pairs that differ most clearly."] if seen.height > top else []
    )
    suppressed = every.height - seen.height
    if suppressed and result.disclosure is not None:
        notes.append(f"{number(suppressed)} pairs have too few people in one of the groups and are not drawn.")
    notes.append(f"Clear: corrected p value at most {FOUND:g} over all pairs tested. Dashed: as expected.")
    if result.settings["adjust"]:
        notes.append(f"Adjusted for {strata_phrase(result.settings['adjust'])}.")
    if stratum:
        notes.append(f"{capital(strata_words(stratum))}.")
    notes += overlap_note(result, {*drawn["source"], *drawn["target"]})
    if title is None:
        title = comparison_title(drawn, (one, other), stratum) if drawn.height else few_title("pair of conditions")
    with drawing():
        names = [f"{capital(in_words(s))} and {in_words(t)}" for s, t in drawn.select("source", "target").iter_rows()]
        ax, own = begin(ax, 8.8, 2.6 + _tall(names) * max(drawn.height, 1))
        if not drawn.height:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        ax.set_xscale("log")
        size = _rows(ax, names, _tall(names) * 72 if own else row_step(ax, own, drawn.height))
        sure = drawn.select(pl.coalesce("family_wise_p", "q_value") <= 0.05).to_series().fill_null(False)
        for row, (a, b) in enumerate(drawn.select(sides).iter_rows()):
            ax.plot([a, b], [row, row], color=PALETTE[1] if sure[row] else LINE, linewidth=3, zorder=1,
                    linestyle="-" if sure[row] else (0, (1, 1)))  # fmt: skip
            ax.scatter([a], [row], s=46, color=MAIN, zorder=3)
            ax.scatter([b], [row], s=46, marker="s", color="white", edgecolor=MAIN, linewidth=1.6, zorder=3)
            ax.annotate(f"{times(a)} and {times(b)}" if own else "", (1, row), (6, 0), xycoords=("axes fraction", "data"), va="center",
                        ha="left", textcoords="offset points", fontsize=min(size, SMALL), annotation_clip=False,
                        gid="value")  # fmt: skip
        values = [value for column in sides for value in drawn[column]]
        low, high = min([*values, 1.0]) / 1.15, max([*values, 1.0]) * 1.15
        ax.set_xlim(low, high)
        ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 50, 100) if low <= t <= high]
        ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
        ax.set_xticks([], minor=True)
        ax.axvline(1, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        plain_axes(ax, grid="x", hide=("top", "right", "left"))
        ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK)
        ax.set_xlabel("Observed/expected ratio of people with both", fontsize=LABEL, color=INK)
        keys = _comparison_keys(capital(one), capital(other), sure.to_list())
        key_above(ax, list(keys.values()), list(keys), axes_points(ax)[0])
        first = drawn.head(3).select("source", "target", *sides).iter_rows()
        told = [f"{in_words(s)} and {in_words(t)} {times(a)} and {times(b)}" for s, t, a, b in first]
        kind = f"Dot plot of {drawn.height} pairs of conditions, a round mark for {one} and a square one for {other}"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


def _comparison_keys(one: str, other: str, clear: Sequence[bool]) -> dict[str, Any]:
    """Return what each mark and line stands for: whole where the groups clearly differ, dotted where they do not."""
    from matplotlib.lines import Line2D

    keys: dict[str, Any] = {
        one: Line2D([], [], color=MAIN, marker="o", markersize=6.5, linestyle="none"),
        other: Line2D([], [], color=MAIN, marker="s", markersize=6.5, linestyle="none", markerfacecolor="white",
                      markeredgewidth=1.6),
    }  # fmt: skip
    if any(clear):
        keys["Clearly different"] = Line2D([], [], color=PALETTE[1], linewidth=3)
    if not all(clear):
        keys["Not clearly different"] = Line2D([], [], color=LINE, linewidth=3, linestyle=(0, (1, 1)))
    return keys
