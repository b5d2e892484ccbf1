"""A projection with its intervals, wider year by year: a fan chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from symphony_research.errors import require_one_of
from symphony_research.reference import reference_table
from symphony_research.result import Result
from symphony_research.show.frame import axes_points, begin, finish
from symphony_research.show.gate import require_family
from symphony_research.show.style import INK, LABEL, MAIN, drawing, key_above, plain_axes
from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import roughly
from symphony_research.words.phrases import fitting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_fan_chart"]

_WIDTH, _HEIGHT = 8.0, 3.3
_FORECAST_AREA = "South Somerset"
_BANDS = (("lower_95", "upper_95", 0.18, "95% interval"), ("lower_80", "upper_80", 0.35, "80% interval"))


def plot_fan_chart(
    result: Result, *, ax: Axes | None = None, group: str = "all ages", title: str | None = None
) -> Axes:
    """Draw the people expected by year, with 80% and 95% intervals of the random runs.

    Of South Somerset from 2013 to 2021, the growth that was forecast in 2013 is a dashed line beside it.

    Parameters
    ----------
    result : StochasticProjection
        What `demography.stochastic_projection` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    group : {"all ages", "65 and over", "85 and over"}
        Which people.
    title : str, optional
        By default the finding, in at most 15 words.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        On another family, or a group that the result does not have.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> drawn = sr.demography.project_south_somerset_at_random(end=2015, runs=50, seed=1)
    >>> ax = sr.plot_fan_chart(drawn, group="85 and over")
    >>> ax.get_xlabel()
    'Mid-year'
    """
    require_family(result, ("StochasticProjection",), "plot_fan_chart", "demography.stochastic_projection", title)
    every = result.groups  # type: ignore[attr-defined]
    require_one_of(group, every["group"].unique(maintain_order=True).to_list(), argument="group")
    rows = every.filter(pl.col("group") == group).sort("year")
    years = rows["year"].to_list()
    last = rows.row(-1, named=True)
    low, high = (roughly(last[c]) for c in ("lower_80", "upper_80"))
    who = "people" if group == "all ages" else f"people aged {group}"
    where = f"{result.settings['area_name']}: " if result.settings.get("area_name") else ""
    said = title if title is not None else fitting(
        f"{where}{low} to {high} {who} at mid-{last['year']} (80% interval)",
        f"{low} to {high} {who} at mid-{last['year']}",
        f"{capital(who)} by mid-{last['year']}",
    )  # fmt: skip
    with drawing():
        ax, own = begin(ax, _WIDTH, _HEIGHT)
        bands = [
            ax.fill_between(years, rows[below].to_list(), rows[above].to_list(), color=MAIN, alpha=shade, linewidth=0)
            for below, above, shade, _ in _BANDS
        ]
        (line,) = ax.plot(years, rows["median"].to_list(), color=MAIN, linewidth=1.8)
        forecast = _forecast(result, rows, group)
        dashes = [ax.plot(x, y, color=INK, linewidth=1.4, linestyle=(0, (4, 2)))[0] for _, x, y in forecast]
        _label_axes(ax, years)
        plain_axes(ax, grid="y", hide=("top", "right"))
        names = ["Median", *[name for *_, name in _BANDS], *[name for name, *_ in forecast]]
        key_above(ax, [line, *bands, *dashes], names, axes_points(ax)[0])
        first = rows.row(0, named=True)
        told = [f"mid-{row['year']}: median {roughly(row['median'])}" for row in (first, last)]
        told += [f"{name} from mid-{x[0]}, {roughly(y[1])} at mid-{x[1]}" for name, x, y in forecast]
        kind = f"Fan chart of {who} by year, with 80% and 95% intervals of {result.settings['runs']:,} random runs"
        notes = ["The axis does not start at zero.", *result.notes(())]
        return finish(ax, result, own=own, title=said, notes=notes, kind=kind, told=told)


def _forecast(result: Result, rows: pl.DataFrame, group: str) -> list[tuple[str, list[int], list[float]]]:
    """Return the growth forecast in 2013, in words, with its years and people, where it is of these people and years."""
    if result.settings.get("area_name") != _FORECAST_AREA:
        return []
    found = []
    for row in reference_table("forecast_of_2013").frame.filter(pl.col("group") == group).iter_rows(named=True):
        ends = rows.filter(pl.col("year").is_in([row["start"], row["end"]]))
        if ends.height == 2:
            people = float(ends["median"][0])
            name = f"Forecast in 2013: +{row['percent_change']}%"
            found.append((name, [row["start"], row["end"]], [people, people * (1 + row["percent_change"] / 100)]))
    return found


def _label_axes(ax: Axes, years: list[int]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.set_xlim(years[0], years[-1])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.set_xlabel("Mid-year", fontsize=LABEL, color=INK)
    ax.set_ylabel("People expected", fontsize=LABEL, color=INK)
