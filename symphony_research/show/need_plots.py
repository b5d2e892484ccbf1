"""Need then and now, and beds under different assumptions: dots on rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from symphony_research.errors import ArgumentError
from symphony_research.result import Result
from symphony_research.show.frame import axes_points, begin, finish
from symphony_research.show.gate import require_family
from symphony_research.show.style import INK, LABEL, LINE, MAIN, QUIET, SMALL, drawing, key_above, plain_axes
from symphony_research.words.lexicon import capital, in_words
from symphony_research.words.numbers import percentage, roughly
from symphony_research.words.phrases import fitting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_bed_scenarios", "plot_need"]

_WIDTH, _ROW = 8.4, 0.29
_THEN, _NOW = QUIET, MAIN


def plot_need(
    result: Result, *, ax: Axes | None = None, top: int = 12, ranked: bool = True, title: str | None = None
) -> Axes:
    """Draw the need of the first and the last year, the largest first, with the change of each.

    Parameters
    ----------
    result : ProjectedNeed
        What `demography.project_need` returns; strata are added up.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    top : int, default 12
        The most quantities drawn.
    ranked : bool, default True
        Whether the largest stand first; else in the order of the rates.
    title : str, optional
        By default the finding, in at most 15 words.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        On another family, or `top` below one.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> rates = pl.DataFrame({"age_band": ["00-64", "65+"], "rate": [0.3, 3.0]})
    >>> need = sr.demography.project_need(sr.demography.project_south_somerset(end=2021), rates, quantity="bed_days")
    >>> [tick.get_text() for tick in sr.plot_need(need).get_yticklabels()]
    ['bed-days']
    """
    require_family(result, ("ProjectedNeed",), "plot_need", "demography.project_need", title)
    if top < 1:
        raise ArgumentError(f"top={top} must be at least 1.")
    start, end = result.settings["start"], result.settings["end"]
    both = result.then_and_now  # type: ignore[attr-defined]
    drawn = (both.sort("after", descending=True, maintain_order=True) if ranked else both).head(top)
    names = [in_words(name) for name in drawn["quantity"].to_list()]
    if title is None:
        first = both.sort("percent_change", descending=True, nulls_last=True, maintain_order=True).row(0, named=True)
        most = f"{in_words(first['quantity'])} {_signed(first['percent_change'])}"
        title = fitting(
            f"Need at mid-{end} against mid-{start}: the largest change is {most}",
            f"Largest change in need by mid-{end}: {most}",
            f"Need at mid-{end} against mid-{start}",
        )
    notes = (
        [f"The {drawn.height} {'largest' if ranked else 'first'} of {both.height}."]
        if both.height > drawn.height
        else []
    )
    notes += ["Expected numbers, not counts.", *_source(result)]
    with drawing():
        ax, own = begin(ax, _WIDTH, 2.3 + _ROW * drawn.height)
        then, now = drawn["before"].to_list(), drawn["after"].to_list()
        handles = _dots(ax, then, now, names)
        ax.set_xlim(0, 1.02 * max(*then, *now, 1e-9))
        if own:
            _beside(ax, [_signed(change) for change in drawn["percent_change"].to_list()])
        _thousands(ax)
        ax.set_xlabel("Expected number", fontsize=LABEL, color=INK)
        key_above(ax, handles, [f"Mid-{start}", f"Mid-{end}"], axes_points(ax)[0])
        told = [
            f"{name}: {roughly(before)} to {roughly(after)}"
            for name, before, after in zip(names[:5], then, now, strict=False)
        ]
        kind = f"Dot plot of need at mid-{start} and mid-{end}, {drawn.height} rows, the change of each in %"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


def plot_bed_scenarios(result: Result, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the beds of the last year under each assumption, and those of the first year as a line.

    Parameters
    ----------
    result : BedScenarios
        What `demography.bed_scenarios` returns.
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
    >>> import symphony_research as sr
    >>> cohort = sr.define_cohort(sr.example_study())
    >>> days = [sr.survival.event_rate(cohort.rates(event="bed_day", by=by, horizon=365)) for by in ("age_band", ())]
    >>> people = sr.demography.project_south_somerset(end=2021)
    >>> rates = sr.demography.need_rates(days[0], overall=days[1])
    >>> ax = sr.plot_bed_scenarios(sr.demography.bed_scenarios(people, rates=rates))
    >>> ax.get_xlabel()
    'Beds required at 85% occupancy'
    """
    require_family(result, ("BedScenarios",), "plot_bed_scenarios", "demography.bed_scenarios", title)
    rows = result.estimates
    start, end = result.settings["start"], result.settings["end"]
    before, beds = float(rows["beds_before"][0]), [float(value) for value in rows["beds"].to_list()]
    if title is None:
        title = fitting(
            f"{beds[0]:,.0f} beds in {end} with rates as they are, {before:,.0f} in {start}",
            f"Beds in {end}: {min(beds):,.0f} to {max(beds):,.0f}",
        )
    names = [capital(name) for name in rows["scenario"].to_list()]
    with drawing():
        ax, own = begin(ax, _WIDTH, 1.8 + 0.36 * rows.height)
        at = list(range(rows.height))
        bars = ax.barh(at, beds, height=0.6, color=[MAIN, *["#a9c8de"] * (rows.height - 1)])
        line = ax.axvline(before, color=INK, linewidth=1.3, linestyle=(0, (4, 2)))
        ax.set_yticks(at, [_in_lines(name) for name in names])
        ax.set_ylim(rows.height - 0.4, -0.6)
        ax.set_xlim(0, 1.04 * max(*beds, before))
        _thousands(ax)
        plain_axes(ax, grid="x", hide=("top", "right", "left"))
        ax.tick_params(axis="y", length=0, labelsize=SMALL, labelcolor=INK)
        if own:
            _beside(ax, [f"{value:,.0f}" for value in beds])
        ax.set_xlabel(
            f"Beds required at {percentage(result.settings['occupancy'])} occupancy", fontsize=LABEL, color=INK
        )
        key_above(ax, [bars[0], line], [f"Mid-{end}", f"Mid-{start}: {before:,.0f} beds"], axes_points(ax)[0])
        told = [f"{name}: {value:,.0f} beds" for name, value in zip(names, beds, strict=True)]
        kind = f"Bar chart of the beds required at mid-{end} under {rows.height} assumptions, those of mid-{start} as a line"
        notes = ["Assumptions, each by itself: none is an effect that was found.", *_source(result)]
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


def _dots(ax: Axes, then: Sequence[float], now: Sequence[float], names: Sequence[str]) -> list[Any]:
    at = list(range(len(names)))
    ax.hlines(at, then, now, color=LINE, linewidth=3, zorder=1)
    handles = [
        ax.scatter(values, at, s=44, color=colour, marker=marker, edgecolor="white", linewidth=0.7, zorder=z)
        for values, colour, marker, z in ((then, _THEN, "D", 2), (now, _NOW, "o", 3))
    ]
    ax.set_yticks(at, list(names))
    ax.set_ylim(len(names) - 0.4, -0.6)
    plain_axes(ax, grid="x", hide=("top", "right", "left"))
    ax.tick_params(axis="y", length=0, labelsize=LABEL, labelcolor=INK)
    return handles


def _beside(ax: Axes, words: Sequence[str]) -> None:
    """Write a figure at the right of each row."""
    for row, text in enumerate(words):
        ax.annotate(text, (1, row), (6, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
                    ha="left", fontsize=SMALL, annotation_clip=False, gid="value")  # fmt: skip


def _in_lines(name: str) -> str:
    """Break a long name once, between words and near its middle."""
    if len(name) < 34:
        return name
    spaces = [k for k, letter in enumerate(name) if letter == " "]
    cut = min(spaces, key=lambda k: abs(k - len(name) / 2))
    return f"{name[:cut]}\n{name[cut + 1 :]}"


def _thousands(ax: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _source(result: Result) -> list[str]:
    return (
        [f"People: {result.settings['area_name']}, projected; rates: of the study, released."]
        if result.settings.get("area_name") and result.settings.get("study")
        else []
    )


def _signed(percent: float | None) -> str:
    return "" if percent is None else f"{'+' if percent >= 0 else '−'}{percentage(abs(percent) / 100)}"
