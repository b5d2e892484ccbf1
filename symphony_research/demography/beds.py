"""Beds from bed-days: at an occupancy target, with the probability that a day needs more than there are.

References
----------
Bagust, A., Place, M. and Posnett, J. W. (1999). Dynamics of bed use in accommodating emergency admissions. BMJ 319, 155-158.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse import as_frame
from symphony_research.demography.need_errors import ERRORS
from symphony_research.demography.projected_need import NEED, Z_95, ProjectedNeed, held
from symphony_research.demography.published import Tables, _OfPublished, refuse_study
from symphony_research.errors import ArgumentError, require_columns
from symphony_research.result import passed_on
from symphony_research.words.numbers import number, percentage, roughly

__all__ = ["BedsRequired", "beds_required"]

Array = NDArray[np.float64]
DAYS_A_YEAR = 365.25


class BedsRequired(_OfPublished):
    """Beds and wards by year at an occupancy target, and the share of days on which they would not be enough."""

    title: ClassVar[str] = "Beds required"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {
            "occupancy",
            "ward_size",
            "dispersion",
            "share_elsewhere",
            "elsewhere_age",
            "published",
            "area_name",
            "variant",
            "start",
        }
    )
    keys: ClassVar[frozenset[str]] = frozenset({"year"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"days": ("year", "bed_days", "days_elsewhere", *ERRORS)}
    )
    shown: ClassVar[tuple[str, ...]] = ("year", "bed_days", "occupied", "beds", "wards", "probability_of_shortage")
    percentages: ClassVar[tuple[str, ...]] = ("probability_of_shortage",)
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "year": "Mid-year", "bed_days": "Bed-days a year", "days_elsewhere": "Of them cared for elsewhere",
            "occupied": "Beds occupied on an average day", "beds": "Beds required", "wards": "Wards",
            "probability_of_shortage": "Days that need more beds",
        }
    )  # fmt: skip

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Divide bed-days by days and occupancy; the shortage is the tail of the number in hospital on a day."""
        table = tables["days"]
        occupied = (table["bed_days"] - table["days_elsewhere"]).to_numpy().astype(float) / DAYS_A_YEAR
        beds = occupied / settings["occupancy"]
        if "standard_error" in table.columns:
            # days elsewhere are a share of days at old ages; the error of what is left shrinks as all days do
            left = 1 - (table["days_elsewhere"] / table["bed_days"]).fill_nan(0.0)
            half = {c: Z_95 * table[c] * left / DAYS_A_YEAR / settings["occupancy"] for c in ERRORS}
            table = table.with_columns(
                (pl.Series("beds_lower", beds) - half["standard_error"]).clip(0),
                pl.Series("beds_upper", beds) + half["standard_error"],
                *(half[c].alias(f"half_{c}") for c in ERRORS[1:]),
            )
        return table.with_columns(
            pl.Series("occupied", occupied),
            pl.Series("beds", beds),
            pl.Series("wards", beds / settings["ward_size"]),
            pl.Series("probability_of_shortage", _shortage(occupied, np.ceil(beds - 1e-9), settings["dispersion"])),
        )

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return expected bed-days to three figures, whole beds, and wards to a tenth."""
        value = record[column]
        if column == "beds" and record.get("beds_lower") is not None:
            return f"{value:,.0f} ({record['beds_lower']:,.0f} to {record['beds_upper']:,.0f})"
        if value is None or column not in ("bed_days", "days_elsewhere", "occupied", "beds", "wards"):
            return super().format_cell(record, column)
        return roughly(value) if "days" in column else f"{value:,.1f}" if column == "wards" else f"{value:,.0f}"

    def notes(self, columns: Any) -> list[str]:
        """Return what stands under a table."""
        last, steady = self._derived.row(-1, named=True), self.settings["dispersion"] == 1
        known = (
            [f"In brackets: 95% interval, {held(self.count_tables['days'])}."]
            if last.get("beds_lower") is not None
            else []
        )
        independent = (
            ["Days that need more beds: if people come and go independently; in waves there are more."]
            if steady
            else []
        )
        return ["Expected numbers, not counts.", *known, *independent, *super().notes(columns)]

    def sentence(self) -> str:
        """Return the beds, and their change where there are several years, each with its interval, and which errors it holds."""
        first, last = self._derived.row(0, named=True), self._derived.row(-1, named=True)
        target = f"at {percentage(self.settings['occupancy'])} occupancy"
        known = last.get("beds_lower") is not None
        between = f" (95% interval {last['beds_lower']:,.0f} to {last['beds_upper']:,.0f})" if known else ""
        errors = f" {self._both_errors(last)}" if known else ""
        if first["year"] is None or first["year"] == last["year"]:
            return f"{number(round(last['beds']))} beds are required {target}{between}.{errors}"
        more = round(last["beds"]) - round(first["beds"])  # as both are shown
        sign = 1 if more >= 0 else -1
        half = last.get("half_of_change") if first["year"] == self.settings.get("start") else None
        ends = [round(sign * more + k * half) for k in (-1, 1)] if half is not None else []
        change = f"95% interval {' to '.join(number(end) for end in ends)}; " if ends else ""
        wards = f"{abs(last['beds'] - first['beds']) / self.settings['ward_size']:.1f}"
        return (
            f"{target[:1].upper()}{target[1:]}, {number(round(last['beds']))} beds are required in {last['year']}{between}, "
            f"{number(abs(more))} {'more' if sign > 0 else 'fewer'} than in {first['year']} ({change}{wards} wards of "
            f"{self.settings['ward_size']}), if nothing but the people changes.{errors}"
        )

    def _both_errors(self, last: Mapping[str, Any]) -> str:
        """Say which errors the interval holds, and how wide each would be alone."""
        rates, people = last["half_of_rates"], last["half_of_people"]
        if rates is not None and people is not None:
            return f"The interval holds both errors: of the study's rates (alone ±{rates:,.0f} beds) and of the people projected (alone ±{people:,.0f})."
        return f"The interval is {held(self.count_tables['days'])}."


def _shortage(mean: Array, beds: Array, dispersion: float) -> Array:
    """Return the probability that more people are in hospital on a day than there are beds."""
    from scipy.special import betainc, pdtrc

    if dispersion == 1:
        return np.asarray(np.where(mean > 0, pdtrc(beds, mean), 0.0))
    size = mean / (dispersion - 1)
    with np.errstate(invalid="ignore"):
        tail = betainc(beds + 1, np.maximum(size, 1e-12), 1 - 1 / dispersion)
    return np.asarray(np.where(mean > 0, tail, 0.0))


def beds_required(
    bed_days: Any,
    *,
    occupancy: float = 0.85,
    ward_size: int = 28,
    dispersion: float = 1.0,
    share_elsewhere: float = 0.0,
    elsewhere_age: int = 80,
    quantity: str = "bed_days",
    years: Sequence[int] | None = None,
    published: str | None = None,
) -> BedsRequired:
    """Compute the beds that bed-days require at an occupancy target.

    Parameters
    ----------
    bed_days : ProjectedNeed, frame or float
        Bed-days a year: those of `project_need`, a frame with `year` and `bed_days`, or one number.
    occupancy : float, default 0.85
        Share of beds occupied on an average day.
    ward_size : int, default 28
        Beds a ward.
    dispersion : float, default 1
        Variance over mean of the number in hospital on a day: 1 if people come and go independently, above 1 in waves.
    share_elsewhere : float, default 0
        Share of the days of people of `elsewhere_age` and over that would be cared for elsewhere; of a `ProjectedNeed` alone.
    elsewhere_age : int, default 80
    quantity : str
        Which quantity of a `ProjectedNeed` is bed-days, where it has several.
    years : sequence of int, optional
        Mid-years that are kept, such as the first and the last; by default all.
    published : str, optional
        The published source of a frame or number; needed before the result may be released.

    Returns
    -------
    BedsRequired, or NotAvailable where that was given
        `year`, `bed_days`, `days_elsewhere`, `occupied`, `beds`, `wards`, `probability_of_shortage`; of a need with errors
        `beds_lower` and `beds_upper` (95%, of rates and people together) and half the width of a 95% interval of the rates alone
        (`half_of_rates`), of the people alone (`half_of_people`), and of the change since the start (`half_of_change`).

    Raises
    ------
    ArgumentError
        On an occupancy outside (0, 1], a share outside [0, 1], bed-days below zero, a share elsewhere without ages, or years that are not there.

    Notes
    -----
    The number in hospital on a day is Poisson where stays are independent (an infinite-server queue), negative binomial
    with a dispersion above 1. Beds are counted whole for the shortage. A year has 365.25 days.

    References
    ----------
    Bagust, A., Place, M. and Posnett, J. W. (1999). Dynamics of bed use in accommodating emergency admissions. BMJ
    319, 155-158.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> beds = sr.demography.beds_required(107_000, occupancy=0.85).estimates
    >>> beds.select(pl.col("occupied", "beds").round(1)).row(0)
    (293.0, 344.6)
    """
    if (gone := passed_on(bed_days)) is not None:
        return gone
    if not 0 < occupancy <= 1:
        raise ArgumentError(f"occupancy={occupancy} is a share of beds, above 0 and at most 1, such as 0.85.")
    if not 0 <= share_elsewhere <= 1:
        raise ArgumentError(f"share_elsewhere={share_elsewhere} is a share between 0 and 1.")
    if dispersion < 1 or ward_size < 1:
        raise ArgumentError("dispersion is at least 1 and ward_size at least one bed.")
    refuse_study(published, bed_days)
    source: dict[str, Any] = {}
    disclosure = None
    if isinstance(bed_days, ProjectedNeed):
        known = bed_days.quantities
        chosen = quantity if quantity in known else known[0] if len(known) == 1 else None
        if chosen is None:
            raise ArgumentError(f"quantity='{quantity}' is none of: {', '.join(known)}. Name the one that is bed-days.")
        rows = bed_days.count_tables["rates"].filter(pl.col("quantity") == chosen)
        each = (pl.col("people") * pl.col("rate")).alias(NEED)
        old = pl.when(pl.col("age") >= elsewhere_age).then(NEED).otherwise(0.0)
        days = rows.with_columns(each).group_by("year", maintain_order=True).agg(
            pl.col(NEED).sum().alias("bed_days"), (old.sum() * share_elsewhere).alias("days_elsewhere")
        )  # fmt: skip
        if "errors" in bed_days.count_tables:
            errors = bed_days.count_tables["errors"].filter(pl.col("quantity") == chosen).drop("quantity")
            days = days.join(errors, on="year", how="left", maintain_order="left")
        disclosure, published = bed_days.disclosure, bed_days.settings.get("published")
        carried = ("start", "area_name", "variant", "study", "fingerprint", "generated", "note", "period")
        source = {name: bed_days.settings[name] for name in carried if name in bed_days.settings}
    else:
        days = _days(bed_days)
        if share_elsewhere:
            raise ArgumentError("share_elsewhere needs bed-days by age: give what project_need returns.")
    if years is not None:
        if lacking := sorted(set(years) - set(days["year"].to_list())):
            raise ArgumentError(f"years: bed_days has none of {', '.join(map(str, lacking))}.")
        days = days.filter(pl.col("year").is_in(list(years)))
    settings = {
        "method": "bed-days over days and occupancy; Poisson or negative binomial number in hospital",
        "reference": "Bagust, Place and Posnett 1999",
        "occupancy": occupancy,
        "ward_size": ward_size,
        "dispersion": dispersion,
        "share_elsewhere": share_elsewhere,
        "elsewhere_age": elsewhere_age,
        "published": published,
        **source,
    }
    return BedsRequired({"days": days}, settings, (), disclosure)


def _days(given: Any) -> pl.DataFrame:
    if isinstance(given, (int, float)):
        days = pl.DataFrame(
            {"year": [None], "bed_days": [float(given)]}, schema={"year": pl.Int64, "bed_days": pl.Float64}
        )
    else:
        table = as_frame(given)
        require_columns(table.columns, ["year", "bed_days"], what="bed_days")
        days = table.select("year", pl.col("bed_days").cast(pl.Float64)).sort("year")
    below = int((days["bed_days"].is_null() | (days["bed_days"] < 0)).sum())
    if below:
        raise ArgumentError(f"bed_days has {below} rows that are missing or below zero.")
    return days.with_columns(pl.lit(0.0).alias("days_elsewhere"))
