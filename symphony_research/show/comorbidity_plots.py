"""Comorbidities of an index condition, and what combinations cost beyond additivity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.errors import ArgumentError
from symphony_research.inference import FOUND
from symphony_research.result import Result
from symphony_research.show.bars import begin_bars, divided_bars, percent_axis, row_step
from symphony_research.show.frame import axes_points, begin, finish, nothing_to_draw
from symphony_research.show.gate import (
    expected_note,
    one_stratum,
    require_family,
    unlisted_note,
)
from symphony_research.show.overlaps import overlap_note
from symphony_research.show.style import (
    INK,
    LABEL,
    MAIN,
    PALETTE,
    QUIET,
    SMALL,
    drawing,
    key_above,
    plain_axes,
    wrapped,
)
from symphony_research.show.titles import commonest_title, costs_title, few_title, further_title
from symphony_research.words.lexicon import capital, in_words
from symphony_research.words.numbers import number, percentage, pounds, times
from symphony_research.words.phrases import adjusted_for, between, confidence_of, cost_period, joined, money

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_comorbidity_count", "plot_comorbidity_profile", "plot_cost_interaction"]

_NAMES = 250.0  # points for the names at the left


def _several(result: Result, most: str | None) -> list[str]:
    return [most] if most else unlisted_note(result, "drawn")


def plot_comorbidity_count(
    result: Result,
    *,
    ax: Axes | None = None,
    top: int = 20,
    stratum: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw, of people with each condition, how many have no other, one, two, or more.

    Parameters
    ----------
    result : ComorbidityCount
        What `multimorbidity.comorbidity_count` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    top : int, default 20
        The most conditions drawn, the commonest kept.
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
    >>> found = sr.suppress(sr.multimorbidity.comorbidity_count(patterns), sr.Policy.synthetic())
    >>> len(sr.plot_comorbidity_count(found, top=5).get_yticks())
    5
    """
    require_family(result, ("ComorbidityCount",), "plot_comorbidity_count", "multimorbidity.comorbidity_count", title)
    if top < 1:
        raise ArgumentError(f"top={top} must be at least 1.")
    every = one_stratum(result, result.estimates, stratum)
    last = result.settings["top"]
    people = every.group_by("condition").agg(
        pl.col("n_persons").sum(), pl.col("estimate").filter(pl.col("n_others") == 0).first().alias("alone")
    )
    seen = people.filter(pl.col("n_persons") > 0)
    drawn = (
        seen.sort(["n_persons", "condition"], descending=[True, False])
        .head(top)
        .sort(["alone", "condition"], nulls_last=True)
    )
    notes = [f"The {drawn.height} commonest of {seen.height} conditions."] if seen.height > drawn.height else []
    suppressed = every.filter(pl.col("condition").is_in(drawn["condition"].to_list()))["n_persons"].null_count()
    if suppressed and result.disclosure is not None:
        are = "part is" if suppressed == 1 else "parts are"
        notes.append(
            f"{number(suppressed)} {are} suppressed and not drawn; shares are of all people with the condition."
        )
    with drawing():
        labels = [wrapped(capital(in_words(name)), _NAMES, LABEL) for name in drawn["condition"].to_list()]
        if title is None:
            title = further_title(drawn, every, stratum) if drawn.height else few_title("condition")
        ax, own = begin_bars(ax, result, title, notes, labels)
        if not drawn.height:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        names = drawn["condition"].to_list()
        share_of = {(r["condition"], r["n_others"]): r["estimate"] for r in every.iter_rows(named=True)}
        words = {n: "none" if n == 0 else str(n) if n < last else f"{last} or more" for n in range(last + 1)}
        parts = {word: [share_of.get((name, n)) for name in names] for n, word in words.items()}
        divided_bars(ax, labels, parts, row_step(ax, own, len(names)), "Number of other long-term conditions")
        ax.set_xlabel("Share of people with the condition", fontsize=LABEL, color=INK)
        none = [
            f"{in_words(name)} {percentage(share_of[name, 0])}" for name in names if share_of.get((name, 0)) is not None
        ]
        told = [f"with no other condition: {', '.join(dict.fromkeys([*none[:2], *none[-2:]]))}"] if none else []
        kind = f"Stacked bar chart, one bar for each of {len(names)} conditions, divided by number of other conditions"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


def plot_comorbidity_profile(
    result: Result,
    *,
    ax: Axes | None = None,
    top: int = 15,
    stratum: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the comorbidities of an index condition, with what is expected if conditions were independent.

    Parameters
    ----------
    result : ComorbidityProfile
        What `multimorbidity.comorbidity_profile` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    top : int, default 15
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
    >>> found = sr.suppress(sr.multimorbidity.comorbidity_profile(patterns, condition="diabetes"), sr.Policy.synthetic())
    >>> len(sr.plot_comorbidity_profile(found, top=5).patches)
    5
    """
    require_family(
        result, ("ComorbidityProfile",), "plot_comorbidity_profile", "multimorbidity.comorbidity_profile", title
    )
    if top < 1:
        raise ArgumentError(f"top={top} must be at least 1.")
    every = one_stratum(result, result.estimates, stratum)
    seen = every.filter(pl.col("estimate").is_not_null(), pl.col("n_persons") > 0)
    drawn = seen.sort(["n_persons", "condition"], descending=[True, False]).head(top)
    left = f"The {drawn.height} commonest of {number(seen.height)}." if seen.height > drawn.height else None
    notes = _several(result, left)
    notes += ["Number: observed/expected ratio.", *expected_note(result)]
    notes += overlap_note(result, [result.settings["condition"], *drawn["condition"].to_list()])
    own_name = in_words(result.settings["condition"])
    with drawing():
        ax, own = begin(ax, 8.0, 2.5 + 0.29 * max(drawn.height, 1))
        if title is None:
            what = f"comorbidity of {own_name}"
            few = few_title("comorbidity")
            title = commonest_title(drawn, result.settings, stratum, what) if drawn.height else few
        if not drawn.height:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        rows = list(range(drawn.height))
        shares = [100 * share for share in drawn["estimate"]]
        expected_ends = [None if share is None else 100 * share for share in drawn["expected_share"]]
        size = min(LABEL, row_step(ax, own, drawn.height) * 0.62)
        ax.barh(rows, shares, height=0.66, color=MAIN, label="Observed")
        known = [(c, row) for c, row in zip(expected_ends, rows, strict=True) if c is not None]
        ax.scatter([c for c, _ in known], [row for _, row in known], marker="D", s=34, color=PALETTE[4], edgecolor=INK,
                   linewidth=0.9, zorder=5, label="Expected if conditions were independent")  # fmt: skip
        ax.set_yticks(rows, [capital(in_words(c)) for c in drawn["condition"].to_list()])
        ax.set_ylim(drawn.height - 0.4, -0.6)
        ax.set_xlim(0, max([*shares, *[c for c, _ in known], 0.001]) * 1.02)
        percent_axis(ax, "x")
        plain_axes(ax, grid="x", hide=("top", "right", "left"))
        ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK)
        ax.set_xlabel(f"Share of people with {own_name} who also have it", fontsize=LABEL, color=INK)
        for row, share, expected_end, ratio in zip(
            rows, shares, expected_ends, drawn["observed_expected"], strict=True
        ):
            text = f"{times(ratio)} ×" if ratio is not None else ""
            ax.annotate(text, (max(share, expected_end or 0.0), row), (7, 0), textcoords="offset points", va="center",
                        ha="left", fontsize=min(size, SMALL), annotation_clip=False, gid="value")  # fmt: skip
        key_above(ax, *ax.get_legend_handles_labels(), axes_points(ax)[0])
        told = [f"{in_words(c)} {percentage(s)}" for c, s in drawn.head(5).select("condition", "estimate").iter_rows()]
        kind = f"Bar chart of {drawn.height} comorbidities, with the expected share of each as a diamond"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


def plot_cost_interaction(
    result: Result,
    *,
    ax: Axes | None = None,
    top: int = 12,
    stratum: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw what each combination costs beyond additivity, with its interval: a forest plot.

    Parameters
    ----------
    result : CostInteraction
        What `multimorbidity.cost_interaction` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    top : int, default 12
        The most combinations drawn: those that clearly differ, then those of the largest total.
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
    >>> patterns = sr.define_cohort(sr.example_study()).patterns(values="cost")
    >>> costs = sr.multimorbidity.cost_interaction(patterns, max_size=2, min_persons=5)
    >>> ax = sr.plot_cost_interaction(sr.suppress(costs, sr.Policy.synthetic()), top=5)
    """
    require_family(result, ("CostInteraction",), "plot_cost_interaction", "multimorbidity.cost_interaction", title)
    if top < 1:
        raise ArgumentError(f"top={top} must be at least 1.")
    every = one_stratum(result, result.estimates, stratum)
    seen = every.filter(
        pl.col("n_persons").is_not_null(), pl.col("excess").is_not_null(), pl.col("total").is_not_null()
    )
    clear = (pl.col("q_value") <= FOUND) & ((pl.col("excess_lower") > 0) | (pl.col("excess_upper") < 0))
    seen = seen.with_columns(clear.fill_null(False).alias("__clear"))
    order = ["__clear", "total", "size", pl.col("combination").list.join(" ")]
    drawn = seen.sort(order, descending=[True, True, False, False]).head(top)
    amount = pounds if result.settings["value"] == "cost" else number
    more = seen.height > drawn.height
    left = f"{drawn.height} of {number(seen.height)} combinations: those that clearly differ, then the largest totals."
    notes = _several(result, left if more else None)
    notes.append(f"Expected if additive{adjusted_for(result.settings)}: the sum of what each condition adds.")
    notes += [f"Costs {period}." for period in [cost_period(result.settings)] if period and amount is pounds]
    notes += overlap_note(result, {name for held in drawn["combination"] for name in held})
    with drawing():
        names = [wrapped(capital(joined(c)), _NAMES, LABEL) for c in drawn["combination"].to_list()]
        lines = max([name.count("\n") + 1 for name in names], default=1)
        tall = 0.08 + 0.2 * max(lines, 1.3)
        ax, own = begin(ax, 8.8, 2.7 + tall * max(drawn.height, 1))
        if not drawn.height:
            title = (
                "No combination has enough people, together and apart, to estimate an excess"
                if title is None
                else title
            )
            return nothing_to_draw(ax, result, own=own, title=title)
        title = costs_title(drawn, result.settings, stratum, amount) if title is None else title
        step = tall * 72 if own else axes_points(ax)[1] / drawn.height
        _forest(ax, drawn, names, min(LABEL, 0.6 * step / lines), amount, confidence_of(result.settings), own)
        value = in_words(result.settings["value"] or "cost")
        unit = "£ per person" if amount is pounds else f"{value} per person"
        ax.set_xlabel(f"Excess over additivity, {unit}", fontsize=LABEL, color=INK)
        first = drawn.head(3).select("combination", "excess").iter_rows()
        told = [f"{joined(held)} {money(excess, amount)}" for held, excess in first]
        kind = f"Forest plot of the excess cost of {drawn.height} combinations with its interval, and a line at 0"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


# colour and mark of an excess: in greyscale the marks tell them apart
_EXCESS = {"more": (PALETTE[1], "o"), "less": (MAIN, "s"), "unclear": (QUIET, "o")}


def _forest(
    ax: Axes, drawn: pl.DataFrame, names: Sequence[str], size: float, amount: Any, interval: str, own: bool
) -> None:
    """Draw each excess as a mark with its interval, beside a line at 0."""
    from matplotlib.lines import Line2D

    used, ends = [], [0.0]
    columns = ("excess", "excess_lower", "excess_upper", "__clear")
    for row, (excess, low, high, clear) in enumerate(drawn.select(columns).iter_rows()):
        way = "unclear" if not clear else "more" if excess > 0 else "less"
        used.append(way)
        colour, mark = _EXCESS[way]
        known = low is not None and high is not None
        if known:
            ax.plot([low, high], [row, row], color=colour, linewidth=1.6, zorder=2)
        ax.plot([excess], [row], marker=mark, markersize=6.5, linestyle="none", color=colour, zorder=3,
                markerfacecolor="white" if way == "unclear" else colour, markeredgewidth=1.4)  # fmt: skip
        ends += [low, excess, high] if known else [excess]
        said = money(excess, amount) + (f" ({between(low, high, lambda v: money(v, amount))})" if known else "")
        # beside the axes there is room only in a figure of its own
        ax.annotate(said if own else "", (1, row), (6, 0), xycoords=("axes fraction", "data"), va="center", ha="left",
                    textcoords="offset points", fontsize=min(size, SMALL), annotation_clip=False, gid="value")  # fmt: skip
    ax.axvline(0, color=INK, linewidth=1, zorder=1)
    span = (max(ends) - min(ends)) or 1.0
    ax.set_xlim(min(ends) - 0.04 * span, max(ends) + 0.04 * span)
    ax.set_yticks(range(drawn.height), names)
    ax.set_ylim(drawn.height - 0.4, -0.6)
    ax.locator_params(axis="x", nbins=5)
    ax.xaxis.set_major_formatter(lambda value, _: money(value, amount) if value else "0")
    plain_axes(ax, grid="x", hide=("top", "right", "left"))
    ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK)
    words = {
        "more": "Clearly more than additive", "less": "Clearly less than additive", "unclear": "Not clearly different",
    }  # fmt: skip
    shown = [way for way in _EXCESS if way in used]
    handles = [
        Line2D([], [], color=_EXCESS[way][0], marker=_EXCESS[way][1], markersize=6.5, linewidth=1.6,
               markerfacecolor="white" if way == "unclear" else _EXCESS[way][0])
        for way in shown
    ]  # fmt: skip
    key_above(ax, handles, [f"{words[way]} ({interval})" for way in shown], axes_points(ax)[0])
