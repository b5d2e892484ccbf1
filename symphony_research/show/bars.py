"""Shares of people as bars: by condition, and by number of conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.errors import ArgumentError
from symphony_research.result import Result
from symphony_research.show.frame import axes_points, begin, finish, foot_height, head_height, nothing_to_draw
from symphony_research.show.gate import one_stratum, require_family, said_of
from symphony_research.show.overlaps import overlap_note
from symphony_research.show.style import (
    INK,
    LABEL,
    MAIN,
    MARGIN,
    PALETTE,
    QUIET,
    SMALL,
    drawing,
    key_above,
    plain_axes,
    text_height,
    text_width,
    wrapped,
)
from symphony_research.show.titles import commonest_title, count_title, few_title
from symphony_research.words.lexicon import SUPPRESSED, in_words
from symphony_research.words.numbers import number, percentage, times
from symphony_research.words.phrases import as_of, confidence_of, strata_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["divided_bars", "percent_axis", "plot_condition_count", "plot_prevalence", "row_step"]


def plot_prevalence(
    result: Result,
    *,
    ax: Axes | None = None,
    top: int = 20,
    stratum: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the share of people with each condition, commonest first.

    Parameters
    ----------
    result : Prevalence
        What `multimorbidity.prevalence` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
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
        On another family, or strata of which none is picked.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.suppress(sr.multimorbidity.prevalence(patterns), sr.Policy.synthetic())
    >>> len(sr.plot_prevalence(found, top=10).patches)
    10
    """
    require_family(result, ("Prevalence",), "plot_prevalence", "multimorbidity.prevalence", title)
    if top < 1:
        raise ArgumentError(f"top={top} must be at least 1.")
    every = one_stratum(result, result.estimates, stratum)
    seen = every.filter(pl.col("n_persons") > 0, pl.col("estimate").is_not_null())
    drawn = seen.sort(["estimate", "condition"], descending=[True, False]).head(top)
    if title is None:
        few = few_title("condition")
        title = commonest_title(drawn, result.settings, stratum, "condition") if drawn.height else few
    notes = [f"The {drawn.height} commonest of {seen.height} conditions."] if seen.height > drawn.height else []
    gone = every["n_persons"].null_count()
    if gone and result.disclosure is not None:
        are = "condition is" if gone == 1 else "conditions are"
        notes.append(f"{gone} {are} suppressed and not drawn.")
    if drawn.height and as_of(result.settings):
        notes.append(f"Conditions as recorded{as_of(result.settings)}.")
    notes += overlap_note(result, drawn["condition"].to_list())
    with drawing():
        ax, own = begin(ax, 8.0, 2.1 + 0.27 * max(drawn.height, 1))
        if not drawn.height:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        rows = list(range(drawn.height))
        shares, lower, upper = (100 * drawn[c] for c in ("estimate", "lower", "upper"))
        size = min(LABEL, row_step(ax, own, drawn.height) * 0.62)
        bars = ax.barh(rows, shares, height=0.66, color=MAIN)
        lines = ax.hlines(rows, lower, upper, color=INK, linewidth=1.4)
        key_above(ax, [bars, lines], ["Share of people", confidence_of(result.settings)], axes_points(ax)[0])
        ax.set_yticks(rows, [in_words(c) for c in drawn["condition"].to_list()])
        ax.set_ylim(drawn.height - 0.4, -0.6)
        ax.set_xlim(0, max([*upper.to_list(), 0.001]))
        percent_axis(ax, "x")
        plain_axes(ax, grid="x", hide=("top", "right", "left"))
        ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK)
        ax.set_xlabel("Share of people", fontsize=LABEL, color=INK)
        for row, edge, share in zip(rows, upper, drawn["estimate"], strict=True):
            ax.annotate(percentage(share), (edge, row), (5, 0), textcoords="offset points", va="center", ha="left",
                        fontsize=min(size, SMALL), annotation_clip=False, gid="value")  # fmt: skip
        told = [f"{in_words(c)} {percentage(s)}" for c, s in drawn.head(5).select("condition", "estimate").iter_rows()]
        kind = f"Bar chart of {drawn.height} conditions, the commonest first"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


def plot_condition_count(result: Result, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the share of people by their number of conditions, with that expected if conditions were independent.

    With strata, one bar a stratum is divided by the number of conditions.

    Parameters
    ----------
    result : ConditionCount
        What `multimorbidity.condition_count` returns.
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

    Notes
    -----
    A suppressed count has a mark in place of its bar.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> count = sr.multimorbidity.condition_count(patterns, top=4)
    >>> ax = sr.plot_condition_count(sr.suppress(count, sr.Policy.synthetic()))
    >>> [tick.get_text() for tick in ax.get_xticklabels()][-1]
    '4 or more'
    """
    require_family(result, ("ConditionCount",), "plot_condition_count", "multimorbidity.condition_count", title)
    frame = result.estimates
    notes = []
    if result.disclosure is not None and frame["n_persons"].null_count():
        suppressed = frame["n_persons"].null_count()
        are = "group is" if suppressed == 1 else "groups are"
        mark = f"{SUPPRESSED} suppressed by disclosure control."
        notes.append(f"{number(suppressed)} {are} suppressed and not drawn." if result.by else mark)
    if as_of(result.settings):
        notes.append(f"Conditions as recorded{as_of(result.settings)}.")
    if not result.by:
        notes.append("Crude: not adjusted for age or anything else.")
    title = count_title(result) if title is None else title
    with drawing():
        if result.by:
            strata = frame.select(result.by).unique(maintain_order=True).to_dicts()
            labels = [wrapped(strata_words(names), _NAMES, LABEL) for names in strata]
            ax, own = begin_bars(ax, result, title, notes, labels)
            if not frame["estimate"].sum():
                return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
            _divided(ax, result, strata, labels, row_step(ax, own, len(strata)))
            kind = f"Stacked bar chart, one bar for each of {len(strata)} groups, divided by number of conditions"
        else:
            ax, own = begin(ax, 8.0, 5.4)
            if not frame["estimate"].sum():
                return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
            _counted(ax, result, own)
            kind = "Bar chart of the number of conditions, with the expected share of each as a diamond"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=_told(result))


def _told(result: Result) -> list[str]:
    """Return the main figures of a count as drawn."""
    frame = result.estimates.drop_nulls("estimate")
    if result.by:
        return []
    last = int(result.estimates["n_conditions"][-1])
    return [
        f"{_number_words(result, n, last)}: {percentage(share)}"
        for n, share in frame.select("n_conditions", "estimate").head(8).iter_rows()
    ]


_WIDTH = 8.5  # of a figure of divided bars, in inches
_NAMES = 170.0  # width of the names of bars, in points
_AROUND_BARS = 90.0  # points that the legend above and the axis below them take
_TALL = 200.0  # of the axes of a figure made here, in points, near enough to set a label clear of a diamond


def begin_bars(
    ax: Axes | None, result: Result, title: str | None, notes: Sequence[str], labels: Sequence[str]
) -> tuple[Axes, bool]:
    """Return the axes for divided bars, and whether their figure was made here, with room for the lines of their names."""
    across = _WIDTH * 72 - 2 * MARGIN
    bar = max([0.3 * 72, *(text_height(label, LABEL) + 5 for label in labels)])
    around = head_height(result, said_of(result) if title is None else title, across) + 2 * MARGIN
    around += foot_height(result, notes, across)
    return begin(ax, _WIDTH, (around + _AROUND_BARS + bar * max(len(labels), 1)) / 72)


def row_step(ax: Axes, own: bool, rows: int) -> float:
    """Return the height of a row of bars, in points."""
    return 0.27 * 72 if own else axes_points(ax)[1] / max(rows, 1)


def percent_axis(ax: Axes, which: str) -> None:
    """Write a scale in percent."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_formatter(lambda value, _: f"{value:g}%")


def _number_words(result: Result, n: int, last: int) -> str:
    return f"{n} or more" if result.settings["top"] is not None and n == last else str(n)


def _counted(ax: Axes, result: Result, own: bool) -> None:
    frame = result.estimates
    numbers = frame["n_conditions"].to_list()
    # of everybody, as the shares are: the counts shown would lack those suppressed
    everybody = result.count_tables["population"]["n_persons"][0]
    total = max(everybody, frame["n_persons"].max())
    expected = [None if e is None else 100 * e / total for e in frame["expected"].to_list()]
    shares = [None if s is None else 100 * s for s in frame["estimate"].to_list()]
    shown = [(n, s) for n, s in zip(numbers, shares, strict=True) if s is not None]
    ax.bar([n for n, _ in shown], [s for _, s in shown], width=0.68, color=MAIN, label="Observed")
    drawn_expected = [(n, e) for n, e in zip(numbers, expected, strict=True) if e is not None]
    ax.scatter(
        [n for n, _ in drawn_expected], [e for _, e in drawn_expected], marker="D", s=46, color=PALETTE[4], edgecolor=INK,
        linewidth=0.9,
        zorder=5,
        clip_on=False, label="Expected if conditions were independent",
    )  # fmt: skip
    highest = 1.12 * max(v for v in [*shares, *expected] if v is not None)
    point = highest / (_TALL if own else axes_points(ax)[1])
    for n, share, expected_share in zip(numbers, shares, expected, strict=True):
        bar = share or 0.0
        # over the bar it tells of, but over the diamond too where that stands in the way
        meets = expected_share is not None and -5 * point < expected_share - bar < 19 * point
        text = SUPPRESSED if share is None else percentage(share / 100)
        ax.annotate(text, (n, max(bar, expected_share or 0.0) if meets else bar), (0, 7 if meets else 3), va="bottom",
                    ha="center", textcoords="offset points", fontsize=SMALL, annotation_clip=False,
                    gid="value")  # fmt: skip
    ax.set_xticks(numbers, [_number_words(result, n, numbers[-1]) for n in numbers])
    ax.set_xlim(numbers[0] - 0.6, numbers[-1] + 0.6)
    ax.set_ylim(0, highest)
    percent_axis(ax, "y")
    plain_axes(ax, grid="y")
    ax.set_xlabel("Number of long-term conditions", fontsize=LABEL, color=INK)
    ax.set_ylabel("Share of people", fontsize=LABEL, color=INK)
    handles, words = ax.get_legend_handles_labels()
    legend = ax.legend(handles[::-1], words[::-1], loc="upper right", fontsize=SMALL, frameon=True, framealpha=1)
    legend.get_frame().set(facecolor="white", edgecolor="none")  # no line of the grid runs through it
    _observed_expected(ax, frame)


def _observed_expected(ax: Axes, frame: pl.DataFrame) -> None:
    """Write observed against expected under the bars, where small ones still can be read."""
    down = 18 + LABEL * 1.4 + 14
    common: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top"}
    left = ax.get_xlim()[0]
    ax.annotate("Observed/expected ratio", (left, 0), (0, -down), fontsize=SMALL, fontweight="bold", ha="left",
                annotation_clip=False, gid="times title", **common)  # fmt: skip
    for n, ratio in frame.select("n_conditions", "observed_expected").iter_rows():
        ax.annotate(SUPPRESSED if ratio is None else times(ratio), (n, 0), (0, -down - 14), fontsize=SMALL, ha="center",
                    annotation_clip=False, gid="times", **common)  # fmt: skip


def _divided(ax: Axes, result: Result, strata: Sequence[dict[str, Any]], labels: Sequence[str], step: float) -> None:
    """Draw one bar a stratum, divided by the number of conditions."""
    frame = result.estimates
    numbers = frame["n_conditions"].unique().sort().to_list()
    share_of = {
        (tuple(record[c] for c in result.by), record["n_conditions"]): record["estimate"]
        for record in frame.iter_rows(named=True)
    }
    parts = {
        _number_words(result, n, numbers[-1]): [share_of.get((tuple(names.values()), n)) for names in strata]
        for n in numbers
    }
    divided_bars(ax, labels, parts, step, "Number of long-term conditions")


def divided_bars(
    ax: Axes,
    names: Sequence[str],
    parts: Mapping[str, Sequence[float | None]],
    step: float,
    title: str,
) -> None:
    """Draw one bar a name, as it is broken into lines, divided into parts from pale to dark; a part that may not be shown is omitted."""
    import matplotlib as mpl
    from matplotlib.colors import to_hex, to_rgb

    scale = mpl.colormaps["Blues"]
    shades = [to_hex(scale(0.12 + 0.85 * k / max(len(parts) - 1, 1))) for k in range(len(parts))]
    size = min(LABEL, step * 0.62)
    wide = axes_points(ax)[0]
    reached = [0.0] * len(names)
    for (words, shares), shade in zip(parts.items(), shades, strict=True):
        rows = [row for row, share in enumerate(shares) if share is not None]
        lengths = [100 * share for share in shares if share is not None]
        starts = [reached[row] for row in rows]
        for row, length in zip(rows, lengths, strict=True):
            reached[row] += length
        ax.barh(rows, lengths, left=starts, height=0.74, color=shade, edgecolor="white", linewidth=0.6, label=words)
        light = sum(c * w for c, w in zip(to_rgb(shade), (0.2126, 0.7152, 0.0722), strict=True))
        for row, start, length in zip(rows, starts, lengths, strict=True):
            text = percentage(length / 100)
            if text_width(text, SMALL) + 6 < length / 100 * wide * 0.9:
                ax.text(start + length / 2, row, text, ha="center", va="center", fontsize=min(size, SMALL),
                        color="white" if light < 0.55 else INK, gid="value")  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.45, -0.55)
    ax.set_xlim(0, 100)
    percent_axis(ax, "x")
    plain_axes(ax, hide=("top", "right", "left", "bottom"))
    ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK)
    ax.set_xlabel("Share of people", fontsize=LABEL, color=INK)
    legend = ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(len(parts), max(3, int(wide / 46))), borderaxespad=0.2,
        fontsize=SMALL, handlelength=1.1, handletextpad=0.4, columnspacing=1.0, title=title,
        title_fontsize=SMALL, alignment="left",
    )  # fmt: skip
    legend.get_title().set_color(QUIET)
