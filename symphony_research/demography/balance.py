"""The demographic balancing equation of published estimates: what births, deaths and migration leave unexplained."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.demography.published import Tables, _OfPublished, refuse_study
from symphony_research.demography.read import SEXES, Axes, of_one_basis, to_array, with_keys
from symphony_research.errors import ArgumentError
from symphony_research.words.numbers import number

__all__ = ["PopulationBalance", "population_balance"]

PARTS = ("births", "deaths", "net_migration")


class PopulationBalance(_OfPublished):
    """People at each mid-year by what became of those a year younger the year before, with other change as the remainder."""

    title: ClassVar[str] = "Components of change"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"published", "area_name"})
    keys: ClassVar[frozenset[str]] = frozenset({"year", "age"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"balance": ("year", "age", "cohort", *PARTS, "persons")}
    )
    shown: ClassVar[tuple[str, ...]] = ("year", "age", "cohort", *PARTS, "other_change", "persons")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "year": "Mid-year", "age": "Age", "cohort": "A year younger the year before", "births": "Births",
            "deaths": "Deaths", "net_migration": "Net migration", "other_change": "Other change", "persons": "People",
        }
    )  # fmt: skip

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Other change is what people are more than their cohort with births, deaths and migration."""
        table = tables["balance"]
        explained = pl.col("cohort") + pl.col("births") - pl.col("deaths") + pl.col("net_migration")
        order = [*[c for c in table.columns if c != "persons"], "other_change", "persons"]
        return table.with_columns((pl.col("persons") - explained).alias("other_change")).select(order)

    def sentence(self) -> str:
        """Return the range of other change by year."""
        yearly = self._derived.group_by("year", maintain_order=True).agg(pl.col("other_change").sum())
        low, high = yearly.sort("other_change").row(0), yearly.sort("other_change").row(-1)
        return (
            f"Births, deaths and migration leave between {number(round(low[1]))} (year to mid-{low[0]}) and "
            f"{number(round(high[1]))} people (year to mid-{high[0]}) unexplained: other change."
        )


def population_balance(
    population: Any, *, births: Any, deaths: Any, migration: Any, published: str | None = None
) -> PopulationBalance:
    """Account for the change of a population by age, and show what is left over as other change.

    Parameters
    ----------
    population : frame
        `year`, `sex`, `age` (the last one open), `persons`, of consecutive mid-years.
    births : frame
        `year` (of the mid-year at the end), `sex`, `births`.
    deaths, migration : frame
        `year`, `sex`, `age` at the end of the year, and `deaths`, `net`.
    published : str, optional
        The source; needed before the result may be released.

    Returns
    -------
    PopulationBalance
        `year`, `sex`, `age`, `cohort` (people a year younger the year before), `births`, `deaths`, `net_migration`,
        `other_change`, `persons`: cohort + births - deaths + net_migration + other_change = persons in every cell.

    Raises
    ------
    ArgumentError
        On missing cells, fewer than two years, or two bases (a column `basis`: census, mid-year estimate).

    References
    ----------
    Preston, S. H., Heuveline, P. and Guillot, M. (2001). Demography, section 1.2. Blackwell.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> keys = {"sex": ["F", "F", "M", "M"], "age": [0, 1, 0, 1]}
    >>> people = pl.concat([pl.DataFrame({"year": [y] * 4, **keys, "persons": [10, n, 10, n]}) for y, n in ((2011, 90), (2012, 97))])
    >>> flows = pl.DataFrame({"year": [2012] * 4, **keys, "deaths": [0, 5, 0, 5], "net": [0, 1, 0, 1]})
    >>> born = pl.DataFrame({"year": [2012] * 2, "sex": ["F", "M"], "births": [10, 10]})
    >>> sr.demography.population_balance(people, births=born, deaths=flows, migration=flows).estimates["other_change"].to_list()
    [0.0, 1.0, 0.0, 1.0]
    """
    refuse_study(published, population, births, deaths, migration)
    people = with_keys(population, ["year", "sex", "age", "persons"], what="population", optional=("basis",))
    of_one_basis(people, what="population")
    years = tuple(sorted(people["year"].unique().to_list()))
    if len(years) < 2 or years[-1] - years[0] + 1 != len(years):
        raise ArgumentError("population needs at least two consecutive mid-years.")
    ages = tuple(range(int(people["age"].max()) + 1))  # type: ignore[arg-type]

    def array(frame: Any, value: str, what: str, of: tuple[int, ...], *, by_age: bool = True) -> np.ndarray:
        columns = ["year", "sex", *(["age"] if by_age else []), value]
        axes = Axes((("year", of), ("sex", SEXES), *((("age", ages),) if by_age else ())))
        return to_array(with_keys(frame, columns, what=what), axes, [value], what=what)[..., 0]

    count = array(people, "persons", "population", years)
    shape = (len(years) - 1, 2, len(ages))
    cohort, born = np.zeros(shape), np.zeros(shape)
    cohort[..., 1:] = count[:-1, :, :-1]
    cohort[..., -1] += count[:-1, :, -1]
    born[..., 0] = array(births, "births", "births", years[1:], by_age=False)
    table = pl.DataFrame(
        {
            "year": np.repeat(np.array(years[1:]), 2 * len(ages)),
            "sex": [s for _ in years[1:] for s in SEXES for _ in ages],
            "age": np.tile(np.array(ages), 2 * (len(years) - 1)),
            "cohort": cohort.reshape(-1),
            "births": born.reshape(-1),
            "deaths": array(deaths, "deaths", "deaths", years[1:]).reshape(-1),
            "net_migration": array(migration, "net", "migration", years[1:]).reshape(-1),
            "persons": count[1:].reshape(-1),
        }
    )
    settings = {
        "method": "demographic balancing equation by cohort",
        "reference": "Preston, Heuveline and Guillot 2001",
        "published": published,
    }
    return PopulationBalance({"balance": table}, settings, ("sex",))
