"""Ratios of a regression model with their intervals: a forest plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.result import Result
from symphony_research.show.bars import row_step
from symphony_research.show.frame import begin, finish, nothing_to_draw
from symphony_research.show.gate import require_family
from symphony_research.show.ranked import _rows, _tall
from symphony_research.show.style import INK, LABEL, MAIN, QUIET, SMALL, drawing, plain_axes
from symphony_research.show.titles import few_title
from symphony_research.survival.effects import covariate_words
from symphony_research.words.lexicon import capital, in_words
from symphony_research.words.numbers import number
from symphony_research.words.phrases import confidence_of, fitting, joined

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_effects", "ratio_rows"]

_FAMILIES = ("CoxRegression", "FineGrayRegression", "ParametricSurvival", "RateRegression")
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
_BETWEEN = (0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.3, 1.5)


def plot_effects(result: Result, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the ratios of a regression model with their intervals, on a log scale.

    Parameters
    ----------
    result : CoxRegression, FineGrayRegression, ParametricSurvival or RateRegression
        What `survival.cox_regression`, `fine_gray`, `parametric_survival` or `rate_regression` returns.
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

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 3, 4, 5, 6], "event": [1, 1, 1, 1, 0, 1], "older": [1, 0, 1, 0, 0, 1]})
    >>> ax = sr.plot_effects(sr.survival.cox_regression(people, time="time", event="event", covariates="older"))
    >>> ax.get_xscale()
    'log'
    """
    require_family(result, _FAMILIES, "plot_effects", "survival.cox_regression", title)
    ratio, words = result.ratio, result.ratio_words  # type: ignore[attr-defined]
    every = result.estimates
    drawn = every.filter(pl.col(ratio).is_not_null() & (pl.col("upper") < 1e6) & (pl.col("lower") > 1e-6))
    n_omitted = every.height - drawn.height
    notes = (
        [f"{number(n_omitted)} of {number(every.height)} covariates are suppressed, or not estimable, and not drawn."]
        if n_omitted
        else []
    )
    notes.append(
        f"Bars: {confidence_of(result.settings)}. Dashed: no difference. Covariates are adjusted for each other."
    )
    if title is None:
        title = _title(drawn, ratio, words) if drawn.height else few_title("covariate")
    with drawing():
        rows = list(drawn.iter_rows(named=True))
        names = [capital(covariate_words(row)) for row in rows]
        ax, own = begin(ax, 8.8, 2.2 + _tall(names) * max(len(rows), 1))
        if not rows:
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        size = _tall(names) * 72 if own else row_step(ax, own, len(rows))
        said = [result.with_interval(row) if own else "" for row in rows]  # type: ignore[attr-defined]
        low, high = min(*drawn["lower"], 1.0) / 1.1, max(*drawn["upper"], 1.0) * 1.1
        ratio_rows(ax, rows, ratio, names, said, size, (low, high), f"{capital(words)} (log scale)")
        told = [f"{name}: {number(row[ratio])}" for name, row in zip(names[:3], rows[:3], strict=True)]
        kind = f"Forest plot of {len(rows)} {words}s with intervals"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


def ratio_rows(
    ax: Axes, rows: Sequence[Mapping[str, Any]], ratio: str, names: Sequence[str], said: Sequence[str], size: float,
    ends: tuple[float, float], label: str,
) -> None:  # fmt: skip
    """Draw ratios with `lower` and `upper`, one a row, on a log scale; filled where the interval does not hold 1.

    A row that is `quiet` is drawn in grey: it is no effect.
    """
    ax.set_xscale("log")
    size = _rows(ax, names, size)
    for at, row in enumerate(rows):
        clear = row["lower"] > 1 or row["upper"] < 1
        line, mark = (QUIET, QUIET) if row.get("quiet") else (INK, MAIN)
        ax.plot([row["lower"], row["upper"]], [at, at], color=line, linewidth=1.4, zorder=2)
        ax.scatter([row[ratio]], [at], s=46, color=mark if clear else "white", edgecolor=mark, linewidth=1.6, zorder=3)
        ax.annotate(said[at], (1, at), (6, 0), xycoords=("axes fraction", "data"), va="center", ha="left", gid="value",
                    textcoords="offset points", fontsize=min(size, SMALL), annotation_clip=False)  # fmt: skip
    # between those of a wide scale there is room on a narrow one alone
    ticks = (*_TICKS, *(_BETWEEN if ends[1] / ends[0] < 4 else ()))
    there = [tick for tick in ticks if ends[0] <= tick <= ends[1]]
    ax.set_xlim(*ends)
    ax.set_xticks(there, [f"{tick:g}" for tick in there])
    ax.set_xticks([], minor=True)
    ax.axvline(1, color=QUIET, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    plain_axes(ax, grid="x", hide=("top", "right", "left"))
    ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK)
    ax.set_xlabel(label, fontsize=LABEL, color=INK)


def _title(drawn: pl.DataFrame, ratio: str, words: str) -> str:
    """Name the covariates that clearly matter, the clearest first, or say that none does."""
    clear = drawn.filter((pl.col("lower") > 1) | (pl.col("upper") < 1))
    if not clear.height:
        return f"No covariate clearly changes the {words.removesuffix(' ratio')}"
    size = (pl.col("estimate") / pl.col("standard_error")).abs()
    row = clear.sort(size, descending=True, maintain_order=True).row(0, named=True)
    named = list(dict.fromkeys(clear["variable"]))
    return fitting(
        f"{capital(covariate_words(row))}: {words} {number(row[ratio])}",
        f"{capital(in_words(row['variable']))}: {words} {number(row[ratio])}",
        f"Covariates that clearly matter: {joined(named)}",
        f"Covariates that clearly matter: {number(len(named))}",
    )
