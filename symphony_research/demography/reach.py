"""How many people a care hub would reach, of those with several conditions: a number of people, and no effect."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.demography.projected_need import Z_95, ProjectedNeed, held
from symphony_research.demography.published import Tables, _OfPublished
from symphony_research.errors import ArgumentError
from symphony_research.result import not_available, passed_on
from symphony_research.words.lexicon import in_words
from symphony_research.words.numbers import percentage, roughly

__all__ = ["PeopleReached", "people_reached"]

_OF_A_STUDY = r"\d+ or more conditions"  # as need_rates names them
_CARRIED = ("area_name", "variant", "study", "fingerprint", "generated", "note", "period", "published")


class PeopleReached(_OfPublished):
    """People whom a care hub would reach at two mid-years, one row a share reached."""

    title: ClassVar[str] = "People whom a care hub would reach"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {"start", "end", "reach", "quantity", "published", "area_name", "variant"}
    )
    keys: ClassVar[frozenset[str]] = frozenset({"reach"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"people": ("people_before", "people_after", "standard_error", "of_rates", "of_people")}
    )
    shown: ClassVar[tuple[str, ...]] = ("reach", "before", "after", "change")
    percentages: ClassVar[tuple[str, ...]] = ("reach",)

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings, with the years."""
        start, end = self.settings["start"], self.settings["end"]
        return MappingProxyType(
            {
                "reach": "Share reached",
                "before": f"People at mid-{start}",
                "after": f"People at mid-{end}",
                "change": "Change",
            }
        )

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Take shares of the people."""
        shares = pl.DataFrame({"reach": list(settings["reach"])}, schema={"reach": pl.Float64})
        of_all, error = pl.col("reach"), Z_95 * pl.col("standard_error")
        return shares.join(tables["people"], how="cross").select(
            "reach",
            (of_all * pl.col("people_before")).alias("before"),
            (of_all * pl.col("people_after")).alias("after"),
            (of_all * (pl.col("people_after") - error)).clip(0).alias("lower"),
            (of_all * (pl.col("people_after") + error)).alias("upper"),
            (of_all * (pl.col("people_after") - pl.col("people_before"))).alias("change"),
        )

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return people to three figures, with the interval of the last year."""
        if column == "after":
            return f"{roughly(record['after'])}{self._interval(record)}"
        if column == "before":
            return roughly(record["before"])
        if column == "change":
            return f"{'+' if record['change'] >= 0 else '−'}{roughly(abs(record['change']))}"
        return super().format_cell(record, column)

    def sentence(self) -> str:
        """Return the people of the first share."""
        row, who = self._derived.row(0, named=True), in_words(self.settings["quantity"])
        start, end = self.settings["start"], self.settings["end"]
        more = f"{roughly(abs(row['change']))} {'more' if row['change'] >= 0 else 'fewer'} than"
        return (
            f"If a care hub reached {percentage(row['reach'])} of people with {who}, that would be {roughly(row['after'])} people "
            f"at mid-{end}{self._interval(row, '95% interval ')}, {more} at mid-{start}. That is a number of people, not an effect."
        )

    def notes(self, columns: Any) -> list[str]:
        """Return what stands under a table."""
        known = not self.count_tables["people"]["standard_error"].null_count()
        errors = [f"In brackets: 95% interval, {held(self.count_tables['people'])}."] if known else []
        return ["Shares are assumed. Expected numbers, not counts.", *errors, *super().notes(columns)]

    def _interval(self, row: Mapping[str, Any], label: str = "") -> str:
        return "" if row["lower"] is None else f" ({label}{roughly(row['lower'])} to {roughly(row['upper'])})"


def people_reached(
    need: ProjectedNeed, *, quantity: str = "3 or more conditions", reach: float | Sequence[float] = (0.1, 0.25, 0.5)
) -> PeopleReached:
    """Return how many people a care hub would reach, were it to reach a share of those with several conditions.

    Parameters
    ----------
    need : ProjectedNeed
        People by number of conditions, carried forward: of rates that `need_rates` makes of a `ConditionCount`.
    quantity : str, default "3 or more conditions"
        Which people: one of the quantities of `need`.
    reach : float or sequence of float, default (0.1, 0.25, 0.5)
        Shares reached, each assumed.

    Returns
    -------
    PeopleReached, or NotAvailable where that was given
        `reach`, `before`, `after`, `lower`, `upper` (95%, of the last year), `change`. Released as the need was. It says nothing of what
        a hub would do for them.

    Raises
    ------
    ArgumentError
        On a share outside [0, 1], or a quantity that was not projected.

    References
    ----------
    Kasteridis, P. et al. (2015). The importance of multimorbidity in explaining utilisation and costs across health and
    social care settings. CHE RP 96.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = sr.demography.project_south_somerset(end=2012)
    >>> rates = pl.DataFrame({"age_band": ["00-64", "65+"], "rate": [0.05, 0.4]})
    >>> need = sr.demography.project_need(people, rates, quantity="3 or more conditions", published="invented rates")
    >>> sr.demography.people_reached(need, reach=0.25).estimates["before"].round(1).to_list()
    [5111.8]
    """
    gone: Any
    if (gone := passed_on(need)) is not None:
        return gone
    if quantity not in need.quantities and re.fullmatch(_OF_A_STUDY, quantity) and need.settings.get("study"):
        why = f"The study has too few people with {in_words(quantity)} for their rates by age"
        source = {name: need.settings[name] for name in _CARRIED[2:-1] if name in need.settings}
        gone = not_available(why, "how many of them a care hub would reach", source, disclosure=need.disclosure)
        return gone
    if quantity not in need.quantities:
        raise ArgumentError(f"quantity='{quantity}' was not projected. Projected: {', '.join(need.quantities)}.")
    shares = [float(reach)] if isinstance(reach, (int, float)) else [float(share) for share in reach]
    if not shares or any(not 0 <= share <= 1 for share in shares):
        raise ArgumentError(f"reach={reach} must be one or more shares between 0 and 1, such as 0.25.")
    row = need._then_and_now.filter(pl.col("quantity") == quantity)
    people = row.select(pl.col("before").alias("people_before"), pl.col("after").alias("people_after"))
    errors = need.count_tables.get("errors")
    kept = ("standard_error", "of_rates", "of_people")
    if errors is None:
        people = people.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in kept)
    else:
        last = errors.filter((pl.col("quantity") == quantity) & (pl.col("year") == need.settings["end"]))
        people = pl.concat([people, last.select(kept)], how="horizontal")
    settings = {
        "method": "people projected by number of conditions, times an assumed share",
        "reference": "Kasteridis et al. 2015",
        "start": need.settings["start"],
        "end": need.settings["end"],
        "reach": shares,
        "quantity": quantity,
        **{name: need.settings[name] for name in _CARRIED if name in need.settings},
    }
    return PeopleReached({"people": people}, settings, (), need.disclosure)
