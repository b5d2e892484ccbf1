"""From one condition outwards, and what combinations cost: bars that a GP reads without help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.errors import ArgumentError
from symphony_research.result import Result
from symphony_research.show.bars import begin_bars, divided_bars, percent_axis, row_step
from symphony_research.show.frame import axes_points, begin, finish, nothing_to_draw
from symphony_research.show.gate import (
    chance_note,
    one_stratum,
    require_family,
    unlisted_note,
)
from symphony_research.show.style import (
    INK,
    LABEL,
    MAIN,
    PALETTE,
    QUIET,
    SMALL,
    drawing,
    plain_axes,
    text_width,
    wrapped,
)
from symphony_research.wording import capital, in_words, joined, number, pounds, strata_phrase, strata_words, times

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_combination_costs", "plot_companions", "plot_further_conditions"]

_NAMES = 250.0  # points for the names at the left
_PARTS, _BEYOND, _LESS = "#56B4E9", PALETTE[1], "#c9d1da"


def _several(result: Result, most: str | None) -> list[str]:
    return [most] if most else unlisted_note(result, "drawn")


def _titled(result: Result, stratum: Mapping[str, Any] | None, title: str | None, words: str) -> str | None:
    return f"{capital(strata_words(stratum))}: {words}" if title is None and stratum else title


def plot_further_conditions(
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
    result : FurtherConditions
        What `multimorbidity.further_conditions` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    top : int, default 20
        The most conditions drawn, the commonest kept.
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
        On another family, or strata of which none is picked.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.suppress(sr.multimorbidity.further_conditions(patterns), sr.Policy.synthetic())
    >>> len(sr.plot_further_conditions(found, top=5).get_yticks())
    5
    """
    require_family(
        result, ("FurtherConditions",), "plot_further_conditions", "multimorbidity.further_conditions", title
    )
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
    hidden = every.filter(pl.col("condition").is_in(drawn["condition"].to_list()))["n_persons"].null_count()
    if hidden and result.disclosure is not None:
        are = "part is" if hidden == 1 else "parts are"
        notes.append(f"{number(hidden)} {are} suppressed and not drawn; shares are of all people with the condition.")
    with drawing():
        labels = [wrapped(capital(in_words(name)), _NAMES, LABEL) for name in drawn["condition"].to_list()]
        title = _titled(result, stratum, title, "how many other conditions people with each condition have.")
        ax, own = begin_bars(ax, result, title, notes, labels)
        if not drawn.height:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        names = drawn["condition"].to_list()
        share_of = {(r["condition"], r["n_others"]): r["estimate"] for r in every.iter_rows(named=True)}
        words = {n: "none" if n == 0 else str(n) if n < last else f"{last} or more" for n in range(last + 1)}
        parts = {word: [share_of.get((name, n)) for name in names] for n, word in words.items()}
        divided_bars(ax, labels, parts, row_step(ax, own, len(names)), "Other long-term conditions besides")
        ax.set_xlabel("Share of people with the condition", fontsize=LABEL, color=INK)
        return finish(ax, result, own=own, title=title, notes=notes)


def plot_companions(
    result: Result,
    *,
    ax: Axes | None = None,
    top: int = 15,
    stratum: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw which other conditions people with one condition have, beside what chance would give.

    Parameters
    ----------
    result : Companions
        What `multimorbidity.companions` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    top : int, default 15
        The most conditions drawn.
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
        On another family, or strata of which none is picked.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.suppress(sr.multimorbidity.companions(patterns, condition="diabetes"), sr.Policy.synthetic())
    >>> len(sr.plot_companions(found, top=5).patches)
    5
    """
    require_family(result, ("Companions",), "plot_companions", "multimorbidity.companions", title)
    if top < 1:
        raise ArgumentError(f"top={top} must be at least 1.")
    every = one_stratum(result, result.estimates, stratum)
    seen = every.filter(pl.col("estimate").is_not_null(), pl.col("n_persons") > 0)
    drawn = seen.sort(["n_persons", "condition"], descending=[True, False]).head(top)
    left = f"The {drawn.height} commonest of {number(seen.height)}." if seen.height > drawn.height else None
    notes = _several(result, left)
    notes += ["The number: how many times as likely as chance.", *chance_note(result)]
    own_name = in_words(result.settings["condition"])
    with drawing():
        ax, own = begin(ax, 8.0, 2.5 + 0.29 * max(drawn.height, 1))
        title = _titled(result, stratum, title, f"what people with {own_name} have besides.")
        if not drawn.height:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        rows = list(range(drawn.height))
        shares = [100 * share for share in drawn["estimate"]]
        chance = [None if share is None else 100 * share for share in drawn["expected_share"]]
        size = min(LABEL, row_step(ax, own, drawn.height) * 0.62)
        ax.barh(rows, shares, height=0.66, color=MAIN, label="As found")
        known = [(c, row) for c, row in zip(chance, rows, strict=True) if c is not None]
        ax.scatter([c for c, _ in known], [row for _, row in known], marker="D", s=34, color=PALETTE[4], edgecolor=INK,
                   linewidth=0.9, zorder=5, label="Expected by chance")  # fmt: skip
        ax.set_yticks(rows, [capital(in_words(c)) for c in drawn["condition"].to_list()])
        ax.set_ylim(drawn.height - 0.4, -0.6)
        ax.set_xlim(0, max([*shares, *[c for c, _ in known], 0.001]) * 1.02)
        percent_axis(ax, "x")
        plain_axes(ax, grid="x", hide=("top", "right", "left"))
        ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK)
        ax.set_xlabel(f"Share of people with {own_name} who have it too", fontsize=LABEL, color=INK)
        for row, share, by_chance, ratio in zip(rows, shares, chance, drawn["observed_expected"], strict=True):
            text = f"{times(ratio)} ×" if ratio is not None else ""
            ax.annotate(text, (max(share, by_chance or 0.0), row), (7, 0), textcoords="offset points", va="center",
                        ha="left", fontsize=min(size, SMALL), annotation_clip=False, gid="value")  # fmt: skip
        ax.legend(
            loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=SMALL, borderaxespad=0.2, labelcolor=QUIET
        )
        return finish(ax, result, own=own, title=title, notes=notes)


def plot_combination_costs(
    result: Result,
    *,
    ax: Axes | None = None,
    top: int = 12,
    stratum: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw what a person with each combination costs: the sum of its parts, and what lies beyond.

    Parameters
    ----------
    result : CombinationCosts
        What `multimorbidity.combination_costs` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    top : int, default 12
        The most combinations drawn, those of the largest total first.
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
        On another family, or strata of which none is picked.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns(values="cost")
    >>> costs = sr.multimorbidity.combination_costs(patterns, max_size=2, min_persons=5)
    >>> ax = sr.plot_combination_costs(sr.suppress(costs, sr.Policy.synthetic()), top=5)
    """
    require_family(result, ("CombinationCosts",), "plot_combination_costs", "multimorbidity.combination_costs", title)
    if top < 1:
        raise ArgumentError(f"top={top} must be at least 1.")
    every = one_stratum(result, result.estimates, stratum)
    seen = every.filter(
        pl.col("n_persons").is_not_null(), pl.col("excess").is_not_null(), pl.col("total").is_not_null()
    )
    drawn = seen.sort(["total", "size", pl.col("combination").list.join(" ")], descending=[True, False, False]).head(
        top
    )
    money = result.settings["value"] == "cost"
    amount = pounds if money else number
    more = seen.height > drawn.height
    left = f"The {drawn.height} of {number(seen.height)} combinations with the largest total." if more else None
    notes = _several(result, left)
    adjusted = result.settings["adjust"]
    if adjusted:
        notes.append(f"Parts are added up among people alike in {strata_phrase(adjusted)}.")
    notes.append(f"Line: {100 * result.settings['confidence']:g} % interval of what lies beyond the sum of the parts.")
    with drawing():
        names = [wrapped(capital(joined(c)), _NAMES, LABEL) for c in drawn["combination"].to_list()]
        lines = max([name.count("\n") + 1 for name in names], default=1)
        tall = 0.08 + 0.2 * max(lines, 1.3)
        ax, own = begin(ax, 8.8, 2.3 + tall * max(drawn.height, 1))
        title = _titled(result, stratum, title, "what combinations cost, against the sum of their parts.")
        if not drawn.height:
            return nothing_to_draw(ax, result, own=own, title=title)
        step = tall * 72 if own else axes_points(ax)[1] / drawn.height
        _costs(ax, drawn, names, min(LABEL, 0.6 * step / lines), amount)
        value = in_words(result.settings["value"] or "cost")
        ax.set_xlabel(f"Mean {value} of a person", fontsize=LABEL, color=INK)
        return finish(ax, result, own=own, title=title, notes=notes)


def _costs(ax: Axes, drawn: pl.DataFrame, names: Sequence[str], size: float, amount: Any) -> None:
    rows = list(range(drawn.height))
    parts, beyond = drawn["expected"].to_list(), drawn["excess"].to_list()
    together = [part + more for part, more in zip(parts, beyond, strict=True)]
    ax.barh(rows, [min(p, t) for p, t in zip(parts, together, strict=True)], height=0.62, color=_PARTS,
            label="Sum of its parts")  # fmt: skip
    ax.barh(
        rows, [max(m, 0) for m in beyond], left=parts, height=0.62, color=_BEYOND, label="Beyond the sum of its parts"
    )
    if any(m < 0 for m in beyond):
        ax.barh(rows, [max(-m, 0) for m in beyond], left=together, height=0.62, color=_LESS, hatch="////",
                edgecolor="white", label="Less than the sum of its parts")  # fmt: skip
    low, high = (
        [p + limit if limit is not None else None for p, limit in zip(parts, drawn[c], strict=True)]
        for c in ("excess_lower", "excess_upper")
    )
    ends = [max(t, p) for t, p in zip(together, parts, strict=True)]
    for row, a, b in zip(rows, low, high, strict=True):
        if a is not None and b is not None:
            ax.plot([max(a, 0), b], [row, row], color=INK, linewidth=1.4, zorder=4)
            ends[row] = max(ends[row], b)
    ax.set_yticks(rows, names)
    ax.set_ylim(drawn.height - 0.4, -0.6)
    ax.set_xlim(0, max(ends) * 1.02)
    ax.locator_params(axis="x", nbins=5)
    ax.xaxis.set_major_formatter(lambda value, _: amount(value) if value else "0")
    plain_axes(ax, grid="x", hide=("top", "right", "left"))
    ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK)
    for row, end, more in zip(rows, ends, beyond, strict=True):
        sign = "+" if more >= 0 else "−"
        ax.annotate(f"{sign}{amount(abs(more))}", (end, row), (5, 0), textcoords="offset points", va="center",
                    ha="left", fontsize=min(size, SMALL), annotation_clip=False, gid="value")  # fmt: skip
    wide = max(3 if text_width("Less than the sum of its parts", SMALL) * 3 + 120 < axes_points(ax)[0] else 2, 2)
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=wide, fontsize=SMALL, borderaxespad=0.2, labelcolor=QUIET
    )
