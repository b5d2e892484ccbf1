"""People by sex and age, now against then: a population pyramid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from symphony_research.errors import ArgumentError
from symphony_research.result import Result
from symphony_research.show.frame import axes_points, begin, finish
from symphony_research.show.gate import require_family
from symphony_research.show.style import INK, LABEL, PALETTE, QUIET, drawing, key_above, plain_axes
from symphony_research.words.numbers import number
from symphony_research.words.phrases import fitting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_population_pyramid"]

_WIDTH, _HEIGHT = 8.0, 6.2
_WOMEN, _MEN = PALETTE[1], PALETTE[0]
_OLD = 65
_NAMES = 0.95  # how far up the sides are named: below the last bar, which holds all older people too


def plot_population_pyramid(
    result: Result,
    *,
    ax: Axes | None = None,
    year: int | None = None,
    start: int | None = None,
    title: str | None = None,
) -> Axes:
    """Draw people by sex and single year of age in a year, with those of an earlier year as an outline.

    Parameters
    ----------
    result : Projection or StochasticProjection
        Of one area; of several, all are added up.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    year : int, optional
        Which mid-year; by default the last.
    start : int, optional
        The mid-year of the outline; by default the base's.
    title : str, optional
        By default the finding, in at most 15 words.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        On another family, or a year that was not projected.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> ax = sr.plot_population_pyramid(sr.demography.project_south_somerset(end=2021))
    >>> ax.get_ylabel()
    'Age'
    """
    families = ("Projection", "StochasticProjection")
    require_family(result, families, "plot_population_pyramid", "demography.cohort_component_projection", title)
    first, end = result.settings["start"], result.settings["end"]
    at = end if year is None else year
    start = first if start is None else start
    for argument, asked in (("year", at), ("start", start)):
        if not first <= asked <= end:
            raise ArgumentError(f"{argument}={asked} was not projected: mid-{first} to mid-{end} were.")
    then, now = (_by_age(result.estimates, when) for when in (start, at))
    with drawing():
        ax, own = begin(ax, _WIDTH, _HEIGHT)
        ages = np.arange(now.shape[1])
        for k, (side, colour) in enumerate(((1, _WOMEN), (-1, _MEN))):
            ax.barh(ages, side * now[k], height=1.0, color=colour, alpha=0.75, linewidth=0)
            edges = np.repeat(np.append(ages - 0.5, ages[-1] + 0.5), 2)[1:-1]
            (line,) = ax.plot(side * np.repeat(then[k], 2), edges, color=INK, linewidth=1.1)
        ax.axvline(0, color="white", linewidth=1.2)
        widest = max(float(now.max()), float(then.max()))
        ax.set_xlim(-1.08 * widest, 1.08 * widest)
        ax.set_ylim(-0.5, ages[-1] + 0.5)
        _label_axes(ax, int(ages[-1]))
        plain_axes(ax, grid="x", hide=("top", "right"))
        # each side is named where it stands: in greyscale the two colours are one
        for at_side, align, who, colour in ((0.01, "left", "Men", _MEN), (0.99, "right", "Women", _WOMEN)):
            ax.text(at_side, _NAMES, f"{who}, mid-{at}", transform=ax.transAxes, ha=align, va="top", fontsize=LABEL,
                    color=colour, fontweight="bold")  # fmt: skip
        key_above(ax, [line], [f"Mid-{start}"], axes_points(ax)[0])
        told = [
            f"{who}: {number(round(before))} to {number(round(after))}" for who, before, after in _totals(then, now)
        ]
        kind = f"Population pyramid of mid-{at} by single year of age, mid-{start} as an outline"
        said = _title(result, then, now, start, at) if title is None else title
        notes = [f"{int(ages[-1])}+: {int(ages[-1])} and over together.", *result.notes(())]
        return finish(ax, result, own=own, title=said, notes=notes, kind=kind, told=told)


def _by_age(estimates: pl.DataFrame, year: int) -> np.ndarray:
    """Return people of a year by sex (women first) and age."""
    rows = estimates.filter(pl.col("year") == year).group_by("sex", "age").agg(pl.col("persons").sum())
    return rows.sort("sex", "age")["persons"].to_numpy().reshape(2, -1)


def _label_axes(ax: Axes, oldest: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ticks = [age for age in range(0, oldest, 10) if oldest - age > 4]
    ax.set_yticks([*ticks, oldest], [*map(str, ticks), f"{oldest}+"])
    ax.xaxis.set_major_locator(MaxNLocator(6, symmetric=True, integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):,.0f}"))
    ax.set_xlabel("People at each single year of age", fontsize=LABEL, color=INK)
    ax.set_ylabel("Age", fontsize=LABEL, color=INK)
    ax.tick_params(axis="y", colors=QUIET)


def _totals(then: np.ndarray, now: np.ndarray) -> list[tuple[str, float, float]]:
    rows = [("all people", float(then.sum()), float(now.sum()))]
    if now.shape[1] > _OLD:
        rows.append((f"aged {_OLD} and over", float(then[:, _OLD:].sum()), float(now[:, _OLD:].sum())))
    return rows


def _title(result: Result, then: np.ndarray, now: np.ndarray, start: int, at: int) -> str:
    """Say how many more people of 65 and over there are, or how many people."""
    where = result.settings.get("area_name") or ""
    who, before, after = _totals(then, now)[-1]
    change = 100 * (after / before - 1) if before else 0.0
    more = f"{abs(change):.0f}% {'more' if change >= 0 else 'fewer'}"
    subject = f"{more} people {who}" if who != "all people" else f"{more} people"
    return fitting(
        f"{where + ': ' if where else ''}{subject} at mid-{at} than at mid-{start}",
        f"{subject} at mid-{at} than at mid-{start}",
        f"Population at mid-{at}",
    )
