"""South Somerset from what could be known in 2013: the built-in inputs of decision 14, as tidy tables.

Every assumption stands with its reason in docs/decisions/0014-projection-of-south-somerset.md, and in the constants here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.demography.engine import run
from symphony_research.demography.inputs import laid_out
from symphony_research.demography.migration_model import (
    FLOWS,
    RETIREMENT,
    fundamental_schedule,
    rogers_castro,
    student_leavers,
)
from symphony_research.demography.mortality_model import improved, relational
from symphony_research.demography.projection import Projection, cohort_component_projection
from symphony_research.demography.read import SEXES
from symphony_research.demography.uncertainty import StochasticProjection, Variances, stochastic_projection
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.reference import reference_table

__all__ = [
    "PUBLISHED",
    "START",
    "VARIANTS",
    "Variant",
    "project_south_somerset",
    "project_south_somerset_at_random",
    "south_somerset_inputs",
]

Array = NDArray[np.float64]
START, LAUNCH, LAST = 2011, 2012, 2029  # students who leave after 2029 are not born in 2011
CALIBRATED_ON = (2011, 2012)  # mid-years at the end of the years whose births and deaths set the level
IMPROVEMENT = 0.012
RETIRING = 0.03  # of internal in-migrants
INTERVAL_80 = 1.2815515655446004
PUBLISHED = (
    "Office for National Statistics: mid-2011 population estimates, components of change to mid-2012, 2012-based fertility "
    "assumptions, shape of mortality of a 2014-based vintage; Rogers and Castro 1981; assumptions of decision 14"
)


@dataclass(frozen=True)
class Variant:
    """What a variant changes.

    Attributes
    ----------
    fertility : str
        Column of the national assumptions: principal, low or high.
    improvement : float
        Of mortality, a year.
    window : int
        Mid-years whose mean is the level of each migration flow.
    shift : float
        Of net migration, in standard errors of the five-year mean.
    """

    fertility: str = "principal"
    improvement: float = IMPROVEMENT
    window: int = 5
    shift: float = 0.0


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "principal": Variant(),
        "low": Variant("low", 0.0, shift=-INTERVAL_80),
        "high": Variant("high", 2 * IMPROVEMENT, shift=INTERVAL_80),
        "low_fertility": Variant("low"),
        "high_fertility": Variant("high"),
        "no_improvement": Variant(improvement=0.0),
        "double_improvement": Variant(improvement=2 * IMPROVEMENT),
        "migration_six_years": Variant(window=6),
        "migration_eleven_years": Variant(window=11),
        "low_migration": Variant(shift=-INTERVAL_80),
        "high_migration": Variant(shift=INTERVAL_80),
    }
)


@dataclass(frozen=True)
class SouthSomersetInputs:
    """The tables that `cohort_component_projection` is given."""

    base: pl.DataFrame = field(repr=False)
    fertility: pl.DataFrame = field(repr=False)
    mortality: pl.DataFrame = field(repr=False)
    migration: pl.DataFrame = field(repr=False)
    fertility_factor: float
    mortality_shift: float


def project_south_somerset(*, end: int = 2021, variant: str = "principal") -> Projection:
    """Project South Somerset from mid-2011 with the built-in inputs and the assumptions of decision 14.

    Parameters
    ----------
    end : int, default 2021
        Last mid-year, up to 2043.
    variant : str
        "principal", "low", "high", or one that changes one component: "low_fertility", "high_fertility",
        "no_improvement", "double_improvement", "migration_six_years", "migration_eleven_years", "low_migration",
        "high_migration".

    Returns
    -------
    Projection
        `year`, `sex`, `age` (90 is 90 and over), `persons`; `.components`.

    Raises
    ------
    ArgumentError
        On an unknown variant, or a year that the inputs do not reach.

    Notes
    -----
    Births and deaths of mid-2010 to mid-2012 set the levels of fertility and mortality; migration is four gross flows at
    the mean of five mid-years, with model ages. What is assumed, and why, was written down before it was first run.

    References
    ----------
    Brass, W. (1971). On the scale of mortality. In: Biological aspects of demography, 69-110.
    Rogers, A. and Castro, L. J. (1981). Model Migration Schedules. IIASA Research Report RR-81-30.

    Examples
    --------
    >>> import symphony_research as sr
    >>> sr.demography.project_south_somerset(end=2012).people(2011)
    162113.0
    """
    inputs = south_somerset_inputs(end=end, variant=variant)
    return cohort_component_projection(
        inputs.base,
        fertility=inputs.fertility,
        mortality=inputs.mortality,
        migration=inputs.migration,
        start=START,
        end=end,
        mortality_kind="probability",
        published=PUBLISHED,
        area_name="South Somerset",
        variant=variant,
    )


def project_south_somerset_at_random(
    *, end: int = 2021, variant: str = "principal", runs: int = 1000, seed: int, variances: Variances | None = None
) -> StochasticProjection:
    """Draw the built-in projection of South Somerset many times, with the variances of decision 14.

    Parameters
    ----------
    end, variant : int, str
        As in `project_south_somerset`.
    runs : int, default 1000
    seed : int
    variances : Variances, optional
        Others than those of decision 14.

    Returns
    -------
    StochasticProjection
        Quantiles by `year`, `sex`, `age`; `.groups` of all, 65 and over, 85 and over.

    Raises
    ------
    ArgumentError
        As `project_south_somerset` and `stochastic_projection` do.

    References
    ----------
    Alho, J. M. and Spencer, B. D. (2005). Statistical Demography and Forecasting. Springer.

    Examples
    --------
    >>> import symphony_research as sr
    >>> drawn = sr.demography.project_south_somerset_at_random(end=2012, runs=50, seed=1)
    >>> drawn.settings["runs"]
    50
    """
    return stochastic_projection(
        project_south_somerset(end=end, variant=variant),
        gross_migration=gross_frame(range(START + 1, end + 1), VARIANTS[variant]),
        runs=runs,
        seed=seed,
        variances=variances,
    )


def south_somerset_inputs(*, end: int = 2021, variant: str = "principal") -> SouthSomersetInputs:
    """Return the built-in inputs of a variant: base, fertility and mortality set to local births and deaths, migration by age.

    Raises
    ------
    ArgumentError
        On an unknown variant, or a year that the inputs do not reach.
    """
    require_one_of(variant, VARIANTS, argument="variant")
    if not START < end <= 2043:
        raise ArgumentError(f"end={end}: the built-in inputs reach from mid-{START + 1} to mid-2043.")
    chosen = VARIANTS[variant]
    years = range(START + 1, end + 1)
    base = reference_table("south_somerset_population_2011").frame
    factor, shift = calibration()
    rates = reference_table("national_fertility").frame.filter(pl.col("year").is_in(list(years)))
    fertility = rates.select("year", "age", (pl.col(chosen.fertility) * factor).alias("rate"))
    local = relational(national_probabilities(), shift)
    by_year = improved(local[None], np.full((1, 2), chosen.improvement), np.array([[y - LAUNCH] for y in years]))
    mortality = _frame(by_year, years, "rate", first_age=-1)
    migration = net_migration(years, chosen)
    return SouthSomersetInputs(base, fertility, mortality, _frame(migration, years, "net"), factor, shift)


def national_probabilities() -> Array:
    """Return the national probabilities of dying by sex and age from -1."""
    table = reference_table("national_mortality_shape").frame.sort("sex", "age")
    return table["rate"].to_numpy().reshape(2, -1)


def base_array() -> Array:
    """Return the base population by sex and age."""
    return reference_table("south_somerset_population_2011").frame.sort("sex", "age")["persons"].to_numpy().reshape(2, -1).astype(float)  # fmt: skip


def net_migration(years: range, chosen: Variant) -> Array:
    """Return net migrants [year, sex, age at the end of the year]."""
    return np.stack([np.subtract(*gross_migration(year, chosen)) for year in years])


def gross_migration(year: int, chosen: Variant) -> tuple[Array, Array]:
    """Return all in-migrants and all out-migrants of the year to a mid-year, by sex and age at its end."""
    base = base_array()
    n_ages = base.shape[-1]
    level = migration_levels(year, chosen)
    schedule, retiring = fundamental_schedule(n_ages), rogers_castro(n_ages, RETIREMENT)
    # later cohorts of students are taken as large as the last that was born by mid-2011
    students = student_leavers(base, START, min(year, LAST))
    ages_in = (1 - RETIRING) * schedule + RETIRING * retiring
    inward = level["internal_in"] * ages_in + level["international_in"] * schedule
    others = level["internal_out"] - students.sum() + level["international_out"]
    return np.tile(inward / 2, (2, 1)), students + np.tile(others * schedule / 2, (2, 1))


def gross_frame(years: range, chosen: Variant) -> pl.DataFrame:
    """Return in- and out-migrants by year, sex and age at its end."""
    inward, outward = (np.stack(flows) for flows in zip(*(gross_migration(y, chosen) for y in years), strict=True))
    return _frame(inward, years, "in_persons").with_columns(_frame(outward, years, "out_persons")["out_persons"])


def migration_levels(year: int, chosen: Variant) -> dict[str, float]:
    """Return the persons of each gross flow in the year to a mid-year: its own where it is published, else a mean."""
    table = components()
    if year <= LAUNCH:
        own = table.filter(pl.col("year") == year)
        return {name: float(own[name].item()) for name in FLOWS}
    last = table.filter(pl.col("year") > LAUNCH - chosen.window)
    level = {name: float(last[name].mean()) for name in FLOWS}  # type: ignore[arg-type]
    level["internal_in"] += chosen.shift * net_spread()[0]
    return level


def net_spread() -> tuple[float, float]:
    """Return the standard error of the five-year mean of net migration, and the standard deviation between years."""
    last = components().filter(pl.col("year") > LAUNCH - 5)
    net = (last["internal_in"] - last["internal_out"] + last["international_in"] - last["international_out"]).to_numpy()
    between = float(net.std(ddof=1))
    return between / 5**0.5, between


def components() -> pl.DataFrame:
    """Return the published components of change, the years that have them."""
    return reference_table("south_somerset_components").frame.drop_nulls()


@cache
def calibration() -> tuple[float, float]:
    """Return the local factor of fertility and the shift of mortality that give the mean births and deaths of two years.

    Both in the year to mid-2012, whose migration is published.
    """
    from scipy.optimize import brentq

    known = components().filter(pl.col("year").is_in(CALIBRATED_ON))
    births, deaths = (float(known[name].mean()) for name in ("births", "deaths"))  # type: ignore[arg-type]
    years = range(LAUNCH, LAUNCH + 1)
    national = reference_table("national_fertility").frame.filter(pl.col("year") == LAUNCH)
    tables = {
        "base": reference_table("south_somerset_population_2011").frame.select("sex", "age", "persons"),
        "fertility": national.select("age", pl.col("principal").alias("rate")),
        "migration": _frame(net_migration(years, Variant()), years, "net"),
    }

    def made(factor: float, shift: float) -> tuple[float, float]:
        local = _frame(relational(national_probabilities(), shift)[None], years, "rate", first_age=-1)
        scaled = tables["fertility"].with_columns(pl.col("rate") * factor)
        given = {**tables, "mortality": local, "fertility": scaled}
        inputs = laid_out(given, by=(), start=START, end=LAUNCH, kind="probability")
        flows = run(inputs.base, fertility=inputs.fertility, survival=inputs.survival, net=inputs.net, years=1)
        return float(flows.births.sum()), float(flows.deaths.sum())

    factor, shift = 1.0, 0.0
    for _ in range(4):  # births hardly depend on mortality, nor deaths on births
        factor *= births / made(factor, shift)[0]
        shift = float(brentq(lambda s, f=factor: made(f, s)[1] - deaths, -1.0, 1.0, xtol=1e-12))
    return factor, shift


def _frame(array: Array, years: range, value: str, first_age: int = 0) -> pl.DataFrame:
    """Return an array [year, sex, age] as a tidy frame."""
    n_ages = array.shape[-1]
    return pl.DataFrame(
        {
            "year": np.repeat(np.array(years), 2 * n_ages),
            "sex": [s for _ in years for s in SEXES for _ in range(n_ages)],
            "age": np.tile(np.arange(first_age, first_age + n_ages), len(years) * 2),
            value: array.reshape(-1),
        }
    )
