"""Beds under several assumptions side by side: each is said to be assumed, and none is estimated from anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.demography.beds import DAYS_A_YEAR, beds_required
from symphony_research.demography.need import project_need
from symphony_research.demography.need_rates import NeedRates
from symphony_research.demography.projected_need import Z_95
from symphony_research.demography.projection import Projection
from symphony_research.demography.published import Tables, _OfPublished
from symphony_research.demography.uncertainty import StochasticProjection
from symphony_research.errors import ArgumentError
from symphony_research.result import passed_on
from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import percentage

__all__ = ["AS_THEY_ARE", "BedScenarios", "bed_scenarios"]

AS_THEY_ARE = "rates as they are"
_CARRIED = ("area_name", "variant", "study", "fingerprint", "generated", "note", "period", "published")


class BedScenarios(_OfPublished):
    """Beds required at two mid-years, one row an assumption; the first is that rates by age stay as they are."""

    title: ClassVar[str] = "Beds under different assumptions"
    figure: ClassVar[str | None] = "symphony_research.show.need_plots:plot_bed_scenarios"
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {
            "start", "end", "occupancy", "ward_size", "share_elsewhere", "elsewhere_age", "trend", "healthy_ageing", "hub_reach",
            "hub_avoided", "coaching_reach", "coaching_avoided", "published", "area_name", "variant",
        }
    )  # fmt: skip
    keys: ClassVar[frozenset[str]] = frozenset({"scenario"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"scenarios": ("scenario", "days_before", "days_after", "standard_error")}
    )
    shown: ClassVar[tuple[str, ...]] = ("scenario", "beds", "change", "wards")

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings, with the years."""
        start, end = self.settings["start"], self.settings["end"]
        return MappingProxyType(
            {
                "scenario": "Assumption", "beds": f"Beds in {end}", "change": f"Change on {start}",
                "wards": f"In wards of {self.settings['ward_size']}",
            }
        )  # fmt: skip

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Divide bed-days by days and occupancy."""
        per = DAYS_A_YEAR * settings["occupancy"]
        before, beds = pl.col("days_before") / per, pl.col("days_after") / per
        half = Z_95 * pl.col("standard_error") / per
        made = tables["scenarios"].with_columns(
            before.alias("beds_before"),
            beds.alias("beds"),
            (beds - half).clip(0).alias("beds_lower"),
            (beds + half).alias("beds_upper"),
            (beds - before).alias("change"),
        )
        return made.with_columns((pl.col("change") / settings["ward_size"]).alias("wards"))

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return whole beds, and changes with their sign."""
        if column == "beds" and record["beds_lower"] is not None:
            return f"{record['beds']:,.0f} ({record['beds_lower']:,.0f} to {record['beds_upper']:,.0f})"
        if column in ("beds", "beds_before"):
            return f"{record[column]:,.0f}"
        if column == "change":
            return _signed(_shown_change(record), 0)
        if column == "wards":
            return _signed(record[column], 1)
        return super().format_cell(record, column)

    def sentence(self) -> str:
        """Return the beds if days of the old were elsewhere, or under the assumption that gives fewest, beside those with rates as they are."""
        rows = list(self._derived.iter_rows(named=True))
        first, least = rows[0], min(rows, key=lambda row: float(row["beds"]))
        end = self.settings["end"]
        if least is first:
            return (
                f"With {AS_THEY_ARE}, {first['beds']:,.0f} beds are required in {end}; no assumption here needs fewer."
            )
        # the assumption that was asked for by name, else the one with fewest
        told = next((row for row in rows if row["scenario"].endswith("cared for elsewhere")), least)
        fewer = round(first["beds"]) - round(told["beds"])  # as both are shown
        return (
            f"With {told['scenario']} (assumed, not an effect found), {told['beds']:,.0f} beds are required in {end}{self._between(told)}: "
            f"{abs(fewer):,.0f} {'fewer' if fewer >= 0 else 'more'} than with {AS_THEY_ARE}, {_more(_shown_change(told))} in {self.settings['start']}."
        )

    def _between(self, row: Mapping[str, Any]) -> str:
        return (
            "" if row["beds_lower"] is None else f" (95% interval {row['beds_lower']:,.0f} to {row['beds_upper']:,.0f})"
        )

    def notes(self, columns: Any) -> list[str]:
        """Return what stands under a table."""
        return [
            f"At {percentage(self.settings['occupancy'])} occupancy; in brackets the 95% interval if the assumption holds. Each assumption is applied by itself; none is an effect that was found.",
            *super().notes(columns),
        ]


def _shown_change(row: Mapping[str, Any]) -> int:
    """Return the change between the whole beds that are shown, so that a reader who subtracts finds the same."""
    return round(row["beds"]) - round(row["beds_before"])


def _more(change: float) -> str:
    return f"{abs(change):,.0f} {'more' if change >= 0 else 'fewer'} than"


def _signed(value: float, digits: int) -> str:
    said = f"{abs(value):,.{digits}f}"
    return f"{'+' if value >= 0 else '−'}{said}" if float(said.replace(",", "")) else said


def bed_scenarios(
    projection: Projection,
    *,
    rates: NeedRates,
    start: int = 2013,
    occupancy: float = 0.85,
    ward_size: int = 28,
    share_elsewhere: float = 0.25,
    elsewhere_age: int = 80,
    trend: float = -0.01,
    healthy_ageing: float = 0.2,
    intervals: StochasticProjection | None = None,
    hub_reach: float = 0.0,
    hub_avoided: float = 0.0,
    coaching_reach: float = 0.0,
    coaching_avoided: float = 0.0,
) -> BedScenarios:
    """Compute the beds required under several assumptions, each by itself.

    Parameters
    ----------
    projection : Projection
    rates : NeedRates
        Bed-days a person a year by age: what `need_rates` makes of released rates.
    start : int, default 2013
        The mid-year that the last one is compared with, and in which rates are as given.
    occupancy, ward_size : float, int
        As in `beds_required`.
    share_elsewhere, elsewhere_age : float, int
        Share of the days of people of that age and over that would be cared for elsewhere in the last year.
    trend : float, default -0.01
        Change of all rates a year.
    healthy_ageing : float, default 0.2
        Years by which need is postponed each year; the opposite is computed, too. 0 for neither.
    intervals : StochasticProjection, optional
        As in `project_need`: intervals hold the error of the people projected, too. That an assumption comes true is in none.
    hub_reach, coaching_reach : float, default 0
        Share of bed-days of the people whom care hubs, or health coaches, reach.
    hub_avoided, coaching_avoided : float, default 0
        Share of admissions, and so of bed-days, avoided among those reached. Assumed: nothing here estimates it.

    Returns
    -------
    BedScenarios, or NotAvailable where that was given
        `scenario`, `days_before`, `days_after`, `standard_error` (of these), `beds_before`, `beds`, `beds_lower` and `beds_upper`
        (95%), `change`, `wards`. Released as the rates were.

    Raises
    ------
    ArgumentError
        On a share outside [0, 1].

    References
    ----------
    Fries, J. F. (1980). Aging, natural death, and the compression of morbidity. New England Journal of Medicine
    303, 130-135.

    Examples
    --------
    >>> import symphony_research as sr
    >>> cohort = sr.define_cohort(sr.example_study())
    >>> days = [sr.survival.event_rate(cohort.rates(event="bed_day", by=by, horizon=365)) for by in ("age_band", ())]
    >>> people = sr.demography.project_south_somerset(end=2021)
    >>> made = sr.demography.bed_scenarios(people, rates=sr.demography.need_rates(days[0], overall=days[1]))
    >>> made.estimates["scenario"][0]
    'rates as they are'
    """
    for given in (projection, rates, intervals):
        if (gone := passed_on(given)) is not None:
            return gone
    shares = {
        "share_elsewhere": share_elsewhere, "hub_reach": hub_reach, "hub_avoided": hub_avoided,
        "coaching_reach": coaching_reach, "coaching_avoided": coaching_avoided,
    }  # fmt: skip
    if wrong := [name for name, share in shares.items() if not 0 <= share <= 1]:
        raise ArgumentError(f"{', '.join(wrong)}: a share is between 0 and 1.")
    asked = {"start": start, "occupancy": occupancy, "ward_size": ward_size, "elsewhere_age": elsewhere_age}
    rows, last = [], None
    for name, how, elsewhere, avoided in _each(trend, healthy_ageing, elsewhere_age, shares):
        need = project_need(projection, rates, start=start, intervals=intervals, **how)
        last = beds_required(
            need, occupancy=occupancy, ward_size=ward_size, share_elsewhere=elsewhere, elsewhere_age=elsewhere_age
        )
        days = last._derived.with_columns((pl.col("bed_days") - pl.col("days_elsewhere")).alias("left"))
        row = days.row(-1, named=True)
        left = row["left"] * (1 - avoided)
        error = row["standard_error"]
        error = None if error is None else error * left / max(row["bed_days"], 1e-9)
        rows.append((name, float(days["bed_days"][0]), left, error))
    assert last is not None
    settings = {
        "method": "bed-days over days and occupancy, under each assumption by itself",
        "reference": "Fries 1980",
        **asked,
        "end": projection.settings["end"],
        "trend": trend,
        "healthy_ageing": healthy_ageing,
        **shares,
        **{name: last.settings[name] for name in _CARRIED if name in last.settings},
    }
    columns = BedScenarios.layout["scenarios"][1:]
    schema = {"scenario": pl.String, **dict.fromkeys(columns, pl.Float64)}
    return BedScenarios({"scenarios": pl.DataFrame(rows, schema=schema, orient="row")}, settings, (), last.disclosure)


def _each(
    trend: float, healthy: float, old: int, shares: Mapping[str, float]
) -> Iterator[tuple[str, dict[str, Any], float, float]]:
    """Yield each assumption in words, what it does to rates, the share of old people's days elsewhere, and of days avoided."""
    yield AS_THEY_ARE, {}, 0.0, 0.0
    if trend:
        yield (
            f"rates {'falling' if trend < 0 else 'rising'} by {100 * abs(trend):g}% a year",
            {"trend": trend},
            0.0,
            0.0,
        )
    if healthy:
        late = f"{abs(healthy):g}"
        yield f"healthier ageing: need {late} years later each year", {"healthy_ageing": abs(healthy)}, 0.0, 0.0
        yield f"less healthy ageing: need {late} years earlier each year", {"healthy_ageing": -abs(healthy)}, 0.0, 0.0
    if shares["share_elsewhere"]:
        share = shares["share_elsewhere"]
        yield f"{percentage(share)} of days at {old} and over cared for elsewhere", {}, share, 0.0
    for what, who in (("hub", "care hubs"), ("coaching", "health coaches")):
        reach, avoided = shares[f"{what}_reach"], shares[f"{what}_avoided"]
        if reach and avoided:
            said = f"{capital(who)} reach {percentage(reach)} and avoid {percentage(avoided)} of their admissions"
            yield said, {}, 0.0, reach * avoided
