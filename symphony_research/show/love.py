"""Balance of enrolled people and controls: a love plot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from symphony_research.result import Result
from symphony_research.show.bars import row_step
from symphony_research.show.frame import axes_points, begin, finish, nothing_to_draw
from symphony_research.show.gate import require_family
from symphony_research.show.ranked import _rows, _tall
from symphony_research.show.style import INK, LABEL, LINE, MAIN, QUIET, drawing, key_above, plain_axes
from symphony_research.show.titles import few_title
from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import number
from symphony_research.words.phrases import fitting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_balance"]

BALANCED = 0.1
WIDE = 1.5  # standard deviations, from which the axis is logarithmic beyond 0.2


def plot_balance(result: Result, *, ax: Axes | None = None, title: str | None = None, top: int | None = None) -> Axes:
    """Draw how far enrolled people differ from all candidates and from their controls, covariate by covariate.

    Parameters
    ----------
    result : Balance
        What `evaluation.balance` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    title : str, optional
        By default the verdict, in at most 15 words.
    top : int, optional
        Draw so many covariates alone: those in which enrolled people and controls differ most, then those in which candidates
        did. The title and the table are of all.

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
    >>> study = sr.example_study(12_000)
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), seed=1)
    >>> ax = sr.plot_balance(sr.evaluation.balance(matched))
    >>> ax.get_xlabel()
    'Standardised difference, absolute'
    """
    require_family(result, ("Balance",), "plot_balance", "evaluation.balance", title)
    every = result.estimates
    shown = every.filter(pl.all_horizontal(pl.col("smd_before", "smd_after").is_not_null()))
    drawn = shown.with_columns(pl.col("smd_before", "smd_after").abs()).sort(
        "smd_before", descending=True, maintain_order=True
    )
    gone = every.height - drawn.height
    notes = ["Dashed: a tenth of a standard deviation, under which groups are usually taken as balanced."]
    if gone:
        are = "covariate is" if gone == 1 else "covariates are"
        notes.append(f"{number(gone)} {are} not shown: of few people, or the same for all.")
    if title is None:
        title = _title(drawn) if drawn.height else few_title("covariate")
    if top is not None and top < drawn.height:
        apart = pl.col("smd_after") >= BALANCED
        notes.append(f"The {number(top)} of {number(drawn.height)} covariates that differ most; the table has all.")
        drawn = drawn.sort(apart, "smd_before", descending=True, maintain_order=True).head(top)
        drawn = drawn.sort("smd_before", descending=True, maintain_order=True)
    with drawing():
        rows = list(drawn.iter_rows(named=True))
        names = [capital(row["covariate"]) for row in rows]
        ax, own = begin(ax, 8.8, 2.2 + _tall(names) * max(len(rows), 1))
        if not rows:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        size = _rows(ax, names, _tall(names) * 72 if own else row_step(ax, own, len(rows)))
        places = range(len(rows))
        for at, row in enumerate(rows):
            ax.plot([row["smd_before"], row["smd_after"]], [at, at], color=LINE, linewidth=1.2, zorder=1)
        before = ax.scatter(drawn["smd_before"], places, s=34, color="white", edgecolor=QUIET, linewidth=1.4, zorder=2)
        after = ax.scatter(
            drawn["smd_after"], places, s=34, color=MAIN, edgecolor="white", linewidth=0.6, zorder=3, clip_on=False
        )
        furthest = max(*drawn["smd_before"], *drawn["smd_after"], 2 * BALANCED)
        if furthest > WIDE:  # what matching took away would hide what is left
            ax.set_xscale("symlog", linthresh=0.2, linscale=0.7)
            there = [tick for tick in (0, 0.1, 0.25, 0.5, 1, 2, 5) if tick <= furthest]
            ax.set_xticks(there, [f"{tick:g}" for tick in there])
            ax.set_xticks([], minor=True)
        ax.set_xlim(-0.01, 1.05 * furthest)
        ax.axvline(BALANCED, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        plain_axes(ax, grid="x", hide=("top", "right", "left"))
        ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK)
        ax.set_xlabel("Standardised difference, absolute", fontsize=LABEL, color=INK)
        key_above(ax, [before, after], ["From all candidates", "From controls"], axes_points(ax)[0])
        told = [
            f"{name}: {row['smd_before']:.2f} and {row['smd_after']:.2f}"
            for name, row in zip(names[:5], rows[:5], strict=True)
        ]
        kind = f"Love plot of {len(rows)} covariates, before and after matching"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


def _title(drawn: pl.DataFrame) -> str:
    apart = drawn.filter(pl.col("smd_after") >= BALANCED)
    if not apart.height:
        return f"Enrolled people and controls are balanced in all {number(drawn.height)} covariates"
    worst = apart.sort("smd_after", descending=True, maintain_order=True).row(0, named=True)
    return fitting(
        f"Not balanced in {number(apart.height)} of {number(drawn.height)} covariates: most in {worst['covariate']}",
        f"Not balanced in {number(apart.height)} of {number(drawn.height)} covariates",
    )
