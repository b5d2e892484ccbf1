"""The area of a study, projected: its own base population where it has one, with the components that ship.

Components (fertility, mortality, migration) are built in for South Somerset alone, so any other area has no projection, and its
report says so in one sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl

from symphony_research.demography.projection import Projection, cohort_component_projection
from symphony_research.demography.read import SEXES
from symphony_research.demography.south_somerset import (
    START,
    VARIANTS,
    gross_frame,
    project_south_somerset,
    south_somerset_inputs,
)
from symphony_research.demography.uncertainty import StochasticProjection, Variances, stochastic_projection
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.result import not_available, passed_on
from symphony_research.study import Study

__all__ = ["project_area", "project_area_at_random"]

AREA = "South Somerset"
OPEN = 90  # the last age of the components that ship, and those older
LAST = 2043
COMPONENTS = "births, deaths and migration to mid-2012 (Office for National Statistics)"
ALIKE = 0.02  # by how much a population of one area may differ from another estimate of it
NO_TABLE = f"The study has no table of population, so it is not known whose need to project (rates of birth, death and migration are built in for {AREA})"
WHY = f"The population of this study is not that of {AREA}, and rates of birth, death and migration are built in for no other area"


@dataclass(frozen=True)
class _Base:
    """A base population, its mid-year, and where it is from in words."""

    frame: pl.DataFrame
    start: int
    source: str


def project_area(study: Study, *, start: int = 2013, end: int = 2021, variant: str = "principal") -> Projection:
    """Project the population of a study's area by sex and single year of age.

    Parameters
    ----------
    study : Study
        With a table `population` of South Somerset by sex and single year of age. Where the table holds no year and ages that
        can be the base, the built-in estimates of mid-2011 are.
    start : int, default 2013
        The mid-year from which changes will be counted. The base is the study's population of that year, else of its latest year
        before, else the built-in one; the projection begins with the base.
    end : int, default 2021
        Last mid-year, up to 2043.
    variant : str
        As in `project_south_somerset`.

    Returns
    -------
    Projection, or NotAvailable,
        one sentence, where the study has no table of population, or one of another area: there are no components for it.
        `project_south_somerset` needs no study.

    Raises
    ------
    ArgumentError
        On years that the inputs do not reach, or an unknown variant.

    References
    ----------
    Preston, S. H., Heuveline, P. and Guillot, M. (2001). Demography: measuring and modeling population
    processes, chapter 6. Blackwell.

    Examples
    --------
    >>> import symphony_research as sr
    >>> projection = sr.demography.project_area(sr.example_study(), end=2021)
    >>> projection.settings["area_name"], projection.settings["start"]
    ('South Somerset', 2011)
    """
    require_one_of(variant, VARIANTS, argument="variant")
    if not START <= start < end <= LAST:
        raise ArgumentError(
            f"start={start} and end={end}: the built-in inputs reach from mid-{START} to mid-{LAST}, and the end comes after the start."
        )
    base = _base_of(study, start)
    if isinstance(base, str):
        gone: Any = not_available(base, _what(end))
        return gone
    inputs = south_somerset_inputs(end=end, variant=variant)
    return cohort_component_projection(
        base.frame,
        fertility=inputs.fertility,
        mortality=inputs.mortality,
        migration=inputs.migration,
        start=base.start,
        end=end,
        mortality_kind="probability",
        published=f"{base.source}; {COMPONENTS}",
        area_name=AREA,
        variant=variant,
    )


def project_area_at_random(
    study: Study,
    *,
    start: int = 2013,
    end: int = 2021,
    variant: str = "principal",
    runs: int = 1000,
    seed: int,
    variances: Variances | None = None,
) -> StochasticProjection:
    """Draw the projection of a study's area many times, for intervals.

    Parameters
    ----------
    study, start, end, variant : Study, int, int, str
        As in `project_area`.
    runs : int, default 1000
    seed : int
    variances : Variances, optional
        By default those of decision 14.

    Returns
    -------
    StochasticProjection, or NotAvailable as `project_area`

    Raises
    ------
    ArgumentError
        As `project_area` and `stochastic_projection` do.

    References
    ----------
    Alho, J. M. and Spencer, B. D. (2005). Statistical Demography and Forecasting. Springer.

    Examples
    --------
    >>> import symphony_research as sr
    >>> drawn = sr.demography.project_area_at_random(sr.example_study(), start=2011, end=2012, runs=50, seed=1)
    >>> drawn.settings["runs"]
    50
    """
    projection = project_area(study, start=start, end=end, variant=variant)
    if (gone := passed_on(projection)) is not None:
        return gone
    years = range(projection.settings["start"] + 1, end + 1)
    gross = gross_frame(years, VARIANTS[variant])
    return stochastic_projection(projection, gross_migration=gross, runs=runs, seed=seed, variances=variances)


def _what(end: int) -> str:
    return f"how many people there will be by {end}, with what needs and how many beds,"


def _base_of(study: Study, start: int) -> _Base | str:
    """Return the base population, or why there is none."""
    built_in = _Base(south_somerset_inputs(end=START + 1).base, START, "built-in estimates of mid-2011")
    table = study.population
    if not study.has("population"):
        return NO_TABLE
    # areas within the study's are added up
    people = table.group_by("year", "sex", "age").agg(pl.col("persons").cast(pl.Float64).sum()).collect()
    years = sorted(people["year"].drop_nulls().unique().to_list())
    if not years:
        return NO_TABLE
    known = _built_in_totals()
    common = [year for year in years if year in known]
    totals = {year: float(people.filter(pl.col("year") == year)["persons"].sum()) for year in common}
    if not common or any(abs(total / known[year] - 1) > ALIKE for year, total in totals.items()):
        return WHY
    for year in reversed([year for year in common if START <= year <= start]):
        own = people.filter(pl.col("year") == year).with_columns(pl.col("age").clip(0, OPEN))
        own = own.group_by("year", "sex", "age").agg(pl.col("persons").sum()).sort("sex", "age")
        if own.height == 2 * (OPEN + 1) and set(own["sex"].cast(pl.String).unique()) == set(SEXES):
            return _Base(own, year, f"the study's table of population, mid-{year}")
    return built_in


@cache
def _built_in_totals() -> dict[int, float]:
    """Return the people of South Somerset by mid-year, as the built-in projection has them."""
    projection = project_south_somerset(end=LAST)
    return {year: projection.people(year) for year in range(START, LAST + 1)}
