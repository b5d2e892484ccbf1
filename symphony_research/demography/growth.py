"""People at a later mid-year against an earlier one, with intervals, beside the growth that was forecast in 2013."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.demography.projection import OLD, VERY_OLD, Projection
from symphony_research.demography.published import EXPECTED, Tables, _OfPublished
from symphony_research.demography.uncertainty import GROUPS, StochasticProjection
from symphony_research.errors import ArgumentError
from symphony_research.reference import reference_table
from symphony_research.result import KeyFigure, passed_on
from symphony_research.words.lexicon import NOT_ESTIMABLE, in_words
from symphony_research.words.numbers import percentage, roughly

__all__ = ["Growth", "growth"]

YOUNGER = f"under {OLD}"
FORECAST = "forecast_of_2013"
LITTLE = 1.0  # percent of the people, that is hardly a change


class Growth(_OfPublished):
    """People of some ages at two mid-years, the change, and what was forecast of it in 2013."""

    title: ClassVar[str] = "People then and now"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"start", "end", "base", "published", "area_name", "variant"})
    keys: ClassVar[frozenset[str]] = frozenset({"ages"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {
            "growth": (
                "ages",
                "persons_before",
                "persons_after",
                "lower_80",
                "upper_80",
                "lower_95",
                "upper_95",
                "forecast_percent",
            )
        }
    )
    shown: ClassVar[tuple[str, ...]] = (
        "ages",
        "persons_before",
        "persons_after",
        "interval",
        "wider",
        "percent_change",
        "forecast_percent",
    )

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings, with the years."""
        start, end = self.settings["start"], self.settings["end"]
        return MappingProxyType(
            {
                "ages": "Ages", "persons_before": f"Mid-{start}", "persons_after": f"Mid-{end}", "interval": "80% interval", "wider": "95% interval",
                "percent_change": "Change, %", "forecast_percent": "Forecast in 2013, %",
            }
        )  # fmt: skip

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Change in percent of the people before."""
        change = pl.when(pl.col("persons_before") > 0).then(
            100 * (pl.col("persons_after") / pl.col("persons_before") - 1)
        )
        return tables["growth"].with_columns(
            change.alias("percent_change"), pl.lit("").alias("interval"), pl.lit("").alias("wider")
        )

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return expected people to three figures, and changes with their sign."""
        if column in ("interval", "wider"):
            level = "80" if column == "interval" else "95"
            both = (record[f"lower_{level}"], record[f"upper_{level}"])
            return NOT_ESTIMABLE if None in both else " to ".join(roughly(value) for value in both)
        if column in ("persons_before", "persons_after") and record[column] is not None:
            return roughly(record[column])
        if column in ("percent_change", "forecast_percent"):
            return NOT_ESTIMABLE if record[column] is None else _signed(record[column])
        return super().format_cell(record, column)

    def heading(self) -> str:
        """Return the question of the report, and of which area."""
        return f"{self.settings['area_name']}: how many people, with what needs, and how many beds, by {self.settings['end']}?"

    def facts(self) -> Mapping[str, str]:
        """Return which people, from when to when, and from which base."""
        start, end = self.settings["start"], self.settings["end"]
        first = self.settings["published"].split("; ")[0]
        return {
            "People projected": f"{self.settings['area_name']}, everybody",
            "Base": first,
            "Compared": f"mid-{start} and mid-{end}, both expected"
            if start > self.settings["base"]
            else f"mid-{start} and mid-{end}",
            "Assumptions": in_words(self.settings["variant"]),
        }

    def sentence(self) -> str:
        """Return people, those over 65 and over 85, beside the forecast of 2013; and those under 65, who change little."""
        start, end = self.settings["start"], self.settings["end"]
        rows = {row["ages"]: row for row in self._derived.iter_rows(named=True)}
        parts = []
        for ages in (f"{OLD} and over", f"{VERY_OLD} and over"):
            row = rows[ages]
            told = (
                [f"80% interval {roughly(row['lower_80'])} to {roughly(row['upper_80'])}"]
                if row["lower_80"] is not None
                else []
            )
            told += (
                [f"the programme's forecast in 2013: {_signed(row['forecast_percent'])}"]
                if row["forecast_percent"] is not None
                else []
            )
            more = f" ({'; '.join(told)})" if told else ""
            parts.append(f"{roughly(row['persons_after'])} aged {ages}, {_signed(row['percent_change'])}{more}")
        every, younger = rows["all ages"], rows[YOUNGER]["percent_change"]
        little = younger is None or abs(younger) < LITTLE
        moves = "hardly changes" if little else "grows" if younger > 0 else "falls"
        return (
            f"{self.settings['area_name']} is expected to have about {roughly(every['persons_after'])} people at mid-{end}, "
            f"{_signed(every['percent_change'])} on mid-{start}; {'; '.join(parts)}. The number under {OLD} {moves} ({_signed(younger)})."
        )

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the people at the end, by age."""
        end = self.settings["end"]
        return tuple(
            KeyFigure(f"people expected at mid-{end}, {row['ages']}", roughly(row["persons_after"]))
            for row in self._derived.iter_rows(named=True)
            if row["ages"] != YOUNGER
        )

    def notes(self, columns: Any) -> list[str]:
        """Return what stands under a table."""
        return [
            EXPECTED,
            "An 80% interval holds four in five of the random runs of the projection, a 95% interval nineteen in twenty.",
            "The forecast of 2013 was given for people over 65 and over 85 alone.",
            *super().notes(columns),
        ]


def _signed(percent: float | None) -> str:
    return NOT_ESTIMABLE if percent is None else f"{'+' if percent >= 0 else '−'}{percentage(abs(percent) / 100)}"


def growth(projection: Projection, *, intervals: StochasticProjection | None = None, start: int = 2013) -> Growth:
    """Compare the people of two mid-years, beside the growth that was forecast in 2013.

    Parameters
    ----------
    projection : Projection
        Of one area.
    intervals : StochasticProjection, optional
        Of the same: adds the intervals of the last year.
    start : int, default 2013
        The mid-year that the last one is compared with.

    Returns
    -------
    Growth, or NotAvailable where that was given
        `ages` (all ages, under 65, 65 and over, 85 and over), `persons_before`, `persons_after`, `lower_80`, `upper_80`, `lower_95`, `upper_95`,
        `percent_change`, `forecast_percent` where those years were forecast. Released as the projection was.

    Raises
    ------
    ArgumentError
        On a year that was not projected.

    References
    ----------
    Alho, J. M. and Spencer, B. D. (2005). Statistical Demography and Forecasting. Springer.

    Examples
    --------
    >>> import symphony_research as sr
    >>> grown = sr.demography.growth(sr.demography.project_south_somerset(end=2021))
    >>> grown.estimates["forecast_percent"].to_list()
    [None, None, 20, 30]
    """
    for given in (projection, intervals):
        if (gone := passed_on(given)) is not None:
            return gone
    first, end = projection.settings["start"], projection.settings["end"]
    if not first <= start < end:
        raise ArgumentError(f"start={start} is none of the mid-years {first} to {end - 1} that were projected.")
    forecast = reference_table(FORECAST).frame.filter((pl.col("start") == start) & (pl.col("end") == end))
    expected = dict(forecast.select("group", "percent_change").iter_rows())
    limits = _limits(intervals, end)
    rows = []
    for ages, (low, high) in {
        "all ages": (0, None),
        YOUNGER: (0, OLD - 1),
        **{g: (a, None) for g, a in GROUPS.items() if a},
    }.items():
        before, after = (projection.people(year, (low, high)) for year in (start, end))
        rows.append((ages, before, after, *limits.get(ages, (None,) * 4), expected.get(ages)))
    names = [name for name in Growth.layout["growth"] if name not in ("ages", "forecast_percent")]
    schema: dict[str, Any] = {"ages": pl.String, **dict.fromkeys(names, pl.Float64), "forecast_percent": pl.Int64}
    settings = {
        "method": "people of two mid-years of one projection",
        "reference": projection.settings["reference"],
        "start": start,
        "end": end,
        "base": first,
        **{name: projection.settings.get(name) for name in ("published", "area_name", "variant")},
    }
    return Growth({"growth": pl.DataFrame(rows, schema=schema, orient="row")}, settings, (), projection.disclosure)


def _limits(intervals: StochasticProjection | None, end: int) -> dict[str, tuple[float, ...]]:
    if intervals is None:
        return {}
    last = intervals.count_tables["groups"].filter(pl.col("year") == end)
    columns = ("lower_80", "upper_80", "lower_95", "upper_95")
    return {row["group"]: tuple(row[c] for c in columns) for row in last.iter_rows(named=True)}
