"""Need that was carried forward, as a result: by year, then and now, and what its change comes from."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.demography.decomposition import Decomposition, decomposed
from symphony_research.demography.need_errors import ERRORS
from symphony_research.demography.published import Tables, _OfPublished
from symphony_research.errors import ArgumentError
from symphony_research.words.lexicon import NOT_ESTIMABLE, capital, in_words
from symphony_research.words.numbers import millions, percentage, roughly

__all__ = ["NEED", "Z_95", "ProjectedNeed", "held"]

NEED = "need"
MOST_LISTED = 20  # rows of a table
COST = "cost"
Z_95 = 1.959963984540054


class ProjectedNeed(_OfPublished):
    """Expected need by year: people projected times rates that were published or have passed disclosure control."""

    title: ClassVar[str] = "Projected need"
    figure: ClassVar[str | None] = "symphony_research.show.need_plots:plot_need"
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {"start", "end", "trend", "healthy_ageing", "published", "area_name", "variant", "quantity"}
    )
    keys: ClassVar[frozenset[str]] = frozenset({"quantity", "year", "age"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"rates": ("quantity", "year", "age", "people", "rate"), "errors": ("quantity", "year", *ERRORS)}
    )
    shown: ClassVar[tuple[str, ...]] = ("quantity", "year", NEED, "percent_change")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"quantity": "Need", "year": "Mid-year", NEED: "Expected a year", "percent_change": "Change since the start, %"}
    )

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Sum people times rates over sex and age, and compare with the start."""
        each = (pl.col("people") * pl.col("rate")).sum().alias(NEED)
        groups = ["quantity", *(name for name in by if name != "sex")]
        total = tables["rates"].group_by(*groups, "year", maintain_order=True).agg(each)
        first = pl.col(NEED).first().over(groups)
        return total.with_columns(pl.when(first > 0).then(100 * (pl.col(NEED) / first - 1)).alias("percent_change"))

    @property
    def shown_by(self) -> tuple[str, ...]:
        """No strata: its figure adds them up."""
        return ()

    @property
    def by_age(self) -> pl.DataFrame:
        """Need by quantity, year, sex and single year of age, with the people and the rate that it comes of."""
        self._refuse_undisclosed("The need by age of")
        table = self.count_tables["rates"]
        return table.with_columns((pl.col("people") * pl.col("rate")).alias(NEED))

    def cells(self, year: int, quantity: str | None = None) -> pl.DataFrame:
        """Return `sex`, `age`, `persons` and `rate` of a year, as `decompose` takes them."""
        rows = self.by_age.filter((pl.col("year") == year) & (pl.col("quantity") == (quantity or self.quantities[0])))
        if not rows.height:
            raise ArgumentError(
                f"No need was projected for {year}, or none of that name. Quantities: {', '.join(self.quantities)}; years "
                f"{self.settings['start']} to {self.settings['end']}."
            )
        # rates are per person of the population, so those of its strata add up
        return rows.group_by("sex", "age", maintain_order=True).agg(
            pl.col("people").first().alias("persons"), pl.col("rate").sum()
        )

    def decomposition(self, before: int, after: int, quantity: str | None = None) -> Decomposition:
        """Return how much of the change between two years comes of population size, age-sex structure and rates.

        Released with the rates that the need comes of.
        """
        name = quantity or self.quantities[0]
        return decomposed(
            self.cells(before, name), self.cells(after, name), by=("sex", "age"), quantity=f"{in_words(name)} from mid-{before} to mid-{after}",
            published=self.settings["published"], disclosure=self.disclosure,
        )  # fmt: skip

    @property
    def errors(self) -> pl.DataFrame | None:
        """Standard errors by quantity and year: `standard_error` of rates and people together, `of_rates`, `of_people`, `of_change` (since the start).

        None where neither rates nor people were given with their errors.
        """
        self._refuse_undisclosed("The errors of")
        return self.count_tables.get("errors")

    @property
    def quantities(self) -> tuple[str, ...]:
        """What is projected, in order."""
        return tuple(self.count_tables["rates"]["quantity"].unique(maintain_order=True).to_list())

    @property
    def then_and_now(self) -> pl.DataFrame:
        """Need of the first and the last year of each quantity, strata added up: `quantity`, `before`, `after`, `percent_change`, `standard_error` (of the last)."""
        self._refuse_undisclosed("The need of")
        return self._then_and_now

    @property
    def _then_and_now(self) -> pl.DataFrame:
        yearly = self._derived.group_by("quantity", "year", maintain_order=True).agg(pl.col(NEED).sum())
        then, now = (
            yearly.filter(pl.col("year") == self.settings[when]).select("quantity", pl.col(NEED).alias(name))
            for when, name in (("start", "before"), ("end", "after"))
        )
        both = then.join(now, on="quantity", maintain_order="left")
        change = pl.when(pl.col("before") > 0).then(100 * (pl.col("after") / pl.col("before") - 1))
        both = both.with_columns(change.alias("percent_change"))
        if "errors" not in self.count_tables:
            return both.with_columns(pl.lit(None, dtype=pl.Float64).alias("standard_error"))
        last = self.count_tables["errors"].filter(pl.col("year") == self.settings["end"])
        return both.join(last.select("quantity", "standard_error"), on="quantity", how="left", maintain_order="left")

    def display(self) -> pl.DataFrame:
        """Return the need of the first and the last year side by side, to three figures; of many, the largest changes and the least."""
        rows = self._then_and_now
        if rows.height > MOST_LISTED:
            rows = rows.sort("percent_change", descending=True, nulls_last=True, maintain_order=True)
            rows = pl.concat([rows.head(MOST_LISTED - 1), rows.filter(pl.col("percent_change").is_not_null()).tail(1)])
        names = rows["quantity"].to_list()
        intervals = [_interval(*row) for row in rows.select("quantity", "after", "standard_error").iter_rows()]
        before, after = (
            [_amount(*row) for row in rows.select("quantity", when).iter_rows()] for when in ("before", "after")
        )
        told = {
            "Need": [capital(in_words(name)) for name in names],
            f"Mid-{self.settings['start']}": before,
            f"Mid-{self.settings['end']}": after,
            **({"95% interval": intervals} if rows["standard_error"].null_count() < rows.height else {}),
            "Change": [NOT_ESTIMABLE if c is None else _signed(c) for c in rows["percent_change"].to_list()],
        }
        return pl.DataFrame(told)

    def sentence(self) -> str:
        """Return the change of each quantity, the largest first, and the smallest."""
        start, end = self.settings["start"], self.settings["end"]
        if self.quantities == (COST,):
            return self._cost()
        ranked = self._then_and_now.filter(pl.col("percent_change").is_not_null()).sort(
            "percent_change", descending=True, maintain_order=True
        )
        said = [
            f"{in_words(row['quantity'])} {_signed(row['percent_change'])} (about {_amount(row['quantity'], row['before'])} to {_amount(row['quantity'], row['after'])})"
            for row in ranked.head(3).iter_rows(named=True)
        ]
        held = not (self.settings["trend"] or self.settings["healthy_ageing"])
        how = "with rates by age as they are" if held else "as assumed"
        if ranked.height > 3:
            last = ranked.row(-1, named=True)
            said.append(f"least {in_words(last['quantity'])}, {_signed(last['percent_change'])}")
        many = "the largest changes in expected need are" if ranked.height > 1 else "expected need changes:"
        return f"From mid-{start} to mid-{end}, {how}, {many} {'; '.join(said)}."

    def _cost(self) -> str:
        """Return what care costs, at which prices."""
        row = self._then_and_now.row(0, named=True)
        start, end = self.settings["start"], self.settings["end"]
        held_is = (
            ""
            if row["standard_error"] is None
            else f" (95% interval {_interval(COST, row['after'], row['standard_error'])})"
        )
        change = (
            ""
            if row["percent_change"] is None
            else f", {millions(row['after'] - row['before'])} more ({_signed(row['percent_change'])}) than at mid-{start}"
            if row["after"] >= row["before"]
            else f", {millions(row['before'] - row['after'])} less ({_signed(row['percent_change'])}) than at mid-{start}"
        )
        kept = not (self.settings["trend"] or self.settings["healthy_ageing"])
        how = "with use by age and sex as it is" if kept else "with use as assumed"
        return (
            f"{capital(how)}, care costs {millions(row['after'])} a year at mid-{end}{held_is}{change}, {self._prices}."
        )

    @property
    def _prices(self) -> str:
        year = self.settings.get("price_year")
        return f"at {year} prices in both years" if year else "at prices of a year that the study does not state"

    def notes(self, columns: Any) -> list[str]:
        """Return what stands under a table."""
        many = len(self.quantities)
        left = [f"The {MOST_LISTED - 1} largest changes and the least, of {many}."] if many > MOST_LISTED else []
        money = [f"Cost is {self._prices}."] if COST in self.quantities else []
        return [*left, *money, *self._of_which, "Expected numbers, not counts.", *super().notes(columns)]

    @property
    def _of_which(self) -> list[str]:
        """Say which errors the interval holds."""
        errors = self.count_tables.get("errors")
        return [] if errors is None else [f"95% interval: {held(errors)}."]


def held(errors: pl.DataFrame) -> str:
    """Return which errors an interval holds, in words: of the rates, of the people projected, or of both."""
    known = [
        words
        for column, words in (
            ("of_rates", "the sampling of the study's rates"),
            ("of_people", "the people projected"),
        )
        if errors[column].null_count() < errors.height
    ]
    return f"of {' and of '.join(known)}{', both together' if len(known) == 2 else ' alone'}"


def _amount(name: str, value: float) -> str:
    return millions(value) if name == COST else roughly(value)


def _interval(name: str, value: float, error: float | None) -> str:
    if error is None:
        return NOT_ESTIMABLE
    return f"{_amount(name, max(value - Z_95 * error, 0.0))} to {_amount(name, value + Z_95 * error)}"


def _signed(percent: float) -> str:
    return f"{'+' if percent >= 0 else '−'}{percentage(abs(percent) / 100)}"
