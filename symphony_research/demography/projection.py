"""The cohort-component projection: people by sex and single year of age, a year at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse import column_names, names_of
from symphony_research.collapse.frames import refuse_names
from symphony_research.demography.engine import Flows, run
from symphony_research.demography.inputs import (
    Inputs,
    laid_out,
    read_base,
    read_fertility,
    read_migration,
    read_mortality,
)
from symphony_research.demography.published import EXPECTED, Tables, _OfPublished, refuse_study
from symphony_research.demography.read import SEXES, with_keys
from symphony_research.errors import ArgumentError
from symphony_research.result import KeyFigure
from symphony_research.words.numbers import number, percentage

__all__ = ["Projection", "cohort_component_projection", "flows_of", "frame_of"]

Array = NDArray[np.float64]
OWN = ("year", "age", "persons", "rate", "net", "births", "deaths", "net_migration")
OLD, VERY_OLD = 65, 85
NOTHING = 1e-9  # people: what is less is the rounding of sums
MANY = 500_000  # rows, above which a frame stays in parts, one a year


class Projection(_OfPublished):
    """People by year, sex and age from a base population, rates of fertility and mortality, and migration."""

    title: ClassVar[str] = "Population projection"
    figure: ClassVar[str | None] = "symphony_research.show.pyramid:plot_population_pyramid"
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {"start", "end", "mortality_kind", "sex_ratio", "published", "basis", "variant", "area_name"}
    )
    keys: ClassVar[frozenset[str]] = frozenset({"year", "age"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {
            "base": ("age", "persons"),
            "fertility": ("year", "age", "rate"),
            "mortality": ("year", "age", "rate"),
            "migration": ("year", "age", "net", "in_rate", "out_rate", "in_persons", "out_persons"),
            "held": ("age", "persons"),
        }
    )
    shown: ClassVar[tuple[str, ...]] = ("year", "age", "persons")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"persons": "People expected", "year": "Mid-year", "age": "Age"}
    )

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Project the base by the rates, and refuse a population below zero."""
        inputs, flows = flows_of(tables, settings, by)
        _refuse_negative(flows.persons, settings["start"])
        persons = inputs.collapsed(flows.persons)
        if inputs.held.any():
            persons = persons + inputs.held
        years = range(settings["start"], settings["end"] + 1)
        return frame_of({"persons": persons}, inputs.areas, tuple(n for n in by if n != "sex"), years)

    @property
    def components(self) -> pl.DataFrame:
        """Births, deaths and net migration by year, sex and age at the end of the year.

        People at an age are those a year younger the year before, plus births, less deaths, plus net migration;
        at the open age, those of it and of the age before.
        """
        self._refuse_undisclosed("The components of")
        inputs, flows = flows_of(self.count_tables, self.settings, self.by)
        births = np.zeros((*flows.births.shape, inputs.ages))
        births[..., 0] = flows.births
        parts = {
            "births": births,
            "deaths": inputs.collapsed(flows.deaths),
            "net_migration": inputs.collapsed(flows.net_migration),
        }
        years = range(self.settings["start"] + 1, self.settings["end"] + 1)
        return frame_of(parts, inputs.areas, self.areas_by, years)

    @property
    def areas_by(self) -> tuple[str, ...]:
        """Strata that are projected side by side, such as areas."""
        return tuple(name for name in self.by if name != "sex")

    def people(self, year: int, ages: tuple[int, int | None] = (0, None)) -> float:
        """Return the people expected in a year at some ages, of both sexes and all areas."""
        low, high = ages
        rows = self._derived.filter((pl.col("year") == year) & (pl.col("age") >= low))
        if high is not None:
            rows = rows.filter(pl.col("age") <= high)
        return float(rows["persons"].sum())

    def sentence(self) -> str:
        """Return the change in people, those over 65 and over 85."""
        start, end = self.settings["start"], self.settings["end"]
        where = f" of {self.settings['area_name']}" if self.settings.get("area_name") else ""
        parts = []
        for low, who in ((0, f"The population{where}"), (OLD, f"people aged {OLD} and over"), (VERY_OLD, f"people aged {VERY_OLD} and over")):  # fmt: skip
            before, after = self.people(start, (low, None)), self.people(end, (low, None))
            if before <= 0 or (low and not int(self._derived["age"].max()) >= low):  # type: ignore[arg-type]
                continue
            change = after / before - 1
            moved = f"{'+' if change >= 0 else '−'}{percentage(abs(change))}"
            verb = " is projected" if not low else ""
            parts.append(f"{who}{verb} from {number(round(before))} to {number(round(after))} ({moved})")
        return f"{'; '.join(parts)} between mid-{start} and mid-{end}. {EXPECTED}"

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the people at the end, all and over 65."""
        end = self.settings["end"]
        return tuple(
            KeyFigure(f"people expected{who} at mid-{end}", number(round(self.people(end, (low, None)))))
            for low, who in ((0, ""), (OLD, f", aged {OLD} and over"))
        )

    def notes(self, columns: Iterable[str]) -> list[str]:
        """Return what stands under a table."""
        held = self.count_tables.get("held")
        groups = "none" if held is None else number(round(float(held["persons"].sum())))
        return [
            *super().notes(columns),
            EXPECTED,
            f"People held constant, who do not age with the rest (armed forces, boarding schools): {groups}.",
        ]


def flows_of(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> tuple[Inputs, Flows]:
    """Return the arrays of a projection, and what comes of them."""
    start, end = settings["start"], settings["end"]
    areas_by = tuple(name for name in by if name != "sex")
    inputs = laid_out(tables, by=areas_by, start=start, end=end, kind=settings["mortality_kind"])
    flows = run(
        inputs.base,
        fertility=inputs.fertility,
        survival=inputs.survival,
        net=inputs.net,
        rate=inputs.rate,
        years=end - start,
        sex_ratio=settings["sex_ratio"],
    )
    return inputs, flows


def frame_of(
    arrays: Mapping[str, Array], areas: Sequence[tuple[Any, ...]], by: Sequence[str], years: Iterable[int]
) -> pl.DataFrame:
    """Return arrays [year, (area,) sex, age] as a tidy frame."""
    years = list(years)
    first = next(iter(arrays.values()))
    n_ages, n_areas = first.shape[-1], len(areas) if by else 1
    # keys of one year; every year has the same ones, and shares their memory
    keys = {
        name: pl.Series(name, [area[k] for area in areas]).gather(np.repeat(np.arange(n_areas), 2 * n_ages))
        for k, name in enumerate(by)
    }
    sexes = pl.Series("sex", list(SEXES)).gather(np.tile(np.repeat(np.arange(2), n_ages), n_areas))
    ages = pl.Series("age", np.tile(np.arange(n_ages, dtype=np.int64), n_areas * 2))
    parts = []
    for k, year in enumerate(years):
        found = {name: array[k].reshape(-1) for name, array in arrays.items()}
        parts.append(
            pl.DataFrame(
                [
                    *keys.values(),
                    pl.repeat(year, len(ages), dtype=pl.Int64, eager=True).alias("year"),
                    sexes,
                    ages,
                    *(pl.Series(name, own) for name, own in found.items()),
                ]
            )
        )
    return pl.concat(parts, rechunk=len(years) * len(ages) < MANY)


def _refuse_negative(persons: Array, start: int) -> None:
    if persons.min() >= -NOTHING:
        return
    below = persons < -NOTHING
    year = start + int(np.argmax(below.reshape(len(persons), -1).any(axis=1)))
    raise ArgumentError(
        f"The projection drives the population below zero in {int(below.sum())} cells by year, sex and age, first at "
        f"mid-{year}: more people leave than are there. Give out-migration as rates (in_rate, out_rate), or smooth net "
        "migration over ages."
    )


def cohort_component_projection(
    base: Any,
    *,
    fertility: Any,
    mortality: Any,
    migration: Any = None,
    start: int,
    end: int,
    mortality_kind: str,
    by: str | Sequence[str] = (),
    held: Any = None,
    sex_ratio: float = 1.05,
    published: str | None = None,
    area_name: str | None = None,
    variant: str | None = None,
) -> Projection:
    """Project a population by sex and single year of age, one year at a time.

    Parameters
    ----------
    base : frame
        `sex` (F, M), `age` (0, 1, ..., the last one open), `persons`; with a column `year`, its rows of the
        start year. A column `basis` (census, mid-year estimate) must hold one basis alone.
    fertility : frame
        `age`, `rate`: births a woman a year; other ages have none.
    mortality : frame
        `sex`, `age`, `rate` per person, up to the open age of the base or beyond: the base's open age is then
        divided as in a stationary population, and its people are survived by single year.
    migration : frame, optional
        `sex`, `age` at the end of the year, and `net` (persons), `in_persons` and `out_persons`, or `in_rate` and
        `out_rate` (per member of the cohort at the start of the year).
    start, end : int
        Mid-years of the base and of the last population projected.
    mortality_kind : {"probability", "central_rate"}
        "probability": of dying between two mid-years, by age at the first, with age -1 from birth to the
        first mid-year. "central_rate": deaths per person-year by age at last birthday; rows of age -1, where there
        are any, remain probabilities from birth to the first mid-year.
    by : str or sequence of str, optional
        Strata projected side by side, such as areas; a table without the column holds for all of them.
    held : frame, optional
        `sex`, `age`, `persons`: part of the base that neither ages, dies nor moves (armed forces, boarding schools).
    sex_ratio : float, default 1.05
        Boys per girl born.
    published : str, optional
        The published source of all four tables; needed before the result may be released.
    area_name, variant : str, optional
        In words.

    Returns
    -------
    Projection
        `year`, `sex`, `age`, `persons`, expected numbers; `.components` has births, deaths and net migration.

    Raises
    ------
    ArgumentError
        On a missing age, sex or year, ages as text, rates per 1,000, fertility of men, two bases in one table, or a
        population driven below zero; with counts of rows.

    Notes
    -----
    fertility, mortality and migration may have a column `year`, which is that of the mid-year at the end. Of
    those at age x + 1 a year on, M are net migrants: ``P(x + 1) = (P(x) + M / 2) S(x) + M / 2``. Births are rates
    times the mean of women at the start and at the end of the year.

    References
    ----------
    Preston, S. H., Heuveline, P. and Guillot, M. (2001). Demography: measuring and modeling population
    processes, chapter 6. Blackwell.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> sexes, ages = ["F"] * 3 + ["M"] * 3, [0, 1, 2] * 2
    >>> base = pl.DataFrame({"sex": sexes, "age": ages, "persons": [100.0] * 6})
    >>> dying = pl.DataFrame({"sex": ["F"] * 4 + ["M"] * 4, "age": [-1, 0, 1, 2] * 2, "rate": [0.1, 0.1, 0.2, 0.5] * 2})
    >>> projected = sr.demography.cohort_component_projection(
    ...     base, fertility=pl.DataFrame({"age": [1], "rate": [1.0]}), mortality=dying, start=2011, end=2012,
    ...     mortality_kind="probability",
    ... ).estimates
    >>> projected.filter(pl.col("year") == 2012)["persons"].round(2).to_list()
    [41.71, 90.0, 130.0, 43.79, 90.0, 130.0]
    """
    refuse_study(published, base, fertility, mortality, migration, held)
    strata = names_of(by, column_names(base))
    refuse_names(strata, (*OWN, "sex", "basis"), what="by")
    if not end > start:
        raise ArgumentError(f"end={end} must be after start={start}.")
    if not 0.9 < sex_ratio < 1.3:
        raise ArgumentError(f"sex_ratio={sex_ratio} is boys per girl born, such as 1.05.")
    table, basis = read_base(base, strata, start)
    tables = {
        "base": table,
        "fertility": read_fertility(fertility, strata),
        "mortality": read_mortality(mortality, strata, mortality_kind),
    }
    moves, _ = read_migration(migration, strata)
    if moves is not None:
        tables["migration"] = moves
    if held is not None:
        own = with_keys(held, ["sex", "age", "persons"], what="held", optional=strata)
        if own.height:
            tables["held"] = own
    settings = {
        "method": "cohort component; migrants exposed for half a year; births on mid-period women",
        "reference": "Preston, Heuveline and Guillot 2001",
        "start": start,
        "end": end,
        "mortality_kind": mortality_kind,
        "sex_ratio": sex_ratio,
        "published": published,
        "basis": basis,
        "area_name": area_name,
        "variant": variant,
    }
    return Projection(tables, settings, (*strata, "sex"))
