"""Stochastic projection: fertility, mortality and migration drawn at random, many runs at once.

References
----------
Alho, J. M. and Spencer, B. D. (2005). Statistical Demography and Forecasting. Springer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.demography.engine import run
from symphony_research.demography.inputs import Inputs
from symphony_research.demography.mortality_model import IMPROVING_UP_TO, NO_IMPROVEMENT_FROM
from symphony_research.demography.projection import OLD, VERY_OLD, Projection, flows_of, frame_of
from symphony_research.demography.published import EXPECTED, Tables, _OfPublished
from symphony_research.demography.read import SEXES, Axes, to_array, with_keys
from symphony_research.errors import ArgumentError
from symphony_research.words.numbers import number

__all__ = ["GROUPS", "StochasticProjection", "Variances", "simulate", "stochastic_projection"]

Array = NDArray[np.float64]
LIMITS = {"lower_95": 0.025, "lower_80": 0.1, "median": 0.5, "upper_80": 0.9, "upper_95": 0.975}
GROUPS: Mapping[str, int] = MappingProxyType({"all ages": 0, "65 and over": OLD, "85 and over": VERY_OLD})
FIVE = 5  # ages whose migration is wrong together, and that are kept together of each run


@dataclass(frozen=True)
class Variances:
    """Standard deviations of what is not known; the defaults are those of decision 14, with their sources.

    Attributes
    ----------
    fertility : float
        Of a year's step of the logarithm of fertility, a random walk.
    improvement : float
        Of the rate at which mortality improves a year, one for all years.
    mortality_of_year : float
        Of the logarithm of a year's mortality around its trend.
    migration_level : float
        Of net migration a year, one for all years; persons.
    migration_of_year : float
        Of net migration of a single year; persons.
    migration_ages : float
        Of the logarithm of each gross flow in each five-year age group and sex, one for all years.
    poisson : bool
        Whether births, deaths and moves vary by themselves.
    """

    fertility: float = 0.027
    improvement: float = 0.006
    mortality_of_year: float = 0.02
    migration_level: float = 176.0
    migration_of_year: float = 394.0
    migration_ages: float = 0.10
    poisson: bool = True

    def __post_init__(self) -> None:
        below = [name for name, value in asdict(self).items() if value < 0]
        if below:
            raise ArgumentError(f"A standard deviation is not below zero: {', '.join(below)}.")


class StochasticProjection(_OfPublished):
    """Quantiles of the people of each year, sex and age over many runs, and of all, those over 65 and over 85."""

    title: ClassVar[str] = "Stochastic population projection"
    figure: ClassVar[str | None] = "symphony_research.show.fan:plot_fan_chart"
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {"start", "end", "runs", "variances", "published", "area_name", "variant", "basis"}
    )
    keys: ClassVar[frozenset[str]] = frozenset({"year", "age", "group"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {
            "cells": ("year", "age", "persons", *LIMITS),
            "groups": ("year", "group", "persons", *LIMITS),
            "runs": ("year", "age", "runs"),
        }
    )
    shown: ClassVar[tuple[str, ...]] = ("year", "age", "persons", "lower_80", "upper_80")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "persons": "People expected (mean of runs)", "year": "Mid-year", "age": "Age", "group": "Ages", "median": "Median",
            "lower_80": "80% interval, lower", "upper_80": "80% interval, upper", "lower_95": "95% interval, lower",
            "upper_95": "95% interval, upper",
        }
    )  # fmt: skip

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Quantiles over runs, cell by cell."""
        return tables["cells"]

    @property
    def shown_by(self) -> tuple[str, ...]:
        """No strata: its figure adds them up."""
        return ()

    @property
    def groups(self) -> pl.DataFrame:
        """Quantiles of all people, those of 65 and over, and those of 85 and over, by year: for a fan chart."""
        self._refuse_undisclosed("The groups of")
        return self.count_tables["groups"]

    @property
    def runs(self) -> pl.DataFrame:
        """People of each run by year, sex and five-year age (`age` is the lowest): a list of as many numbers as there were runs."""
        self._refuse_undisclosed("The runs of")
        return self.count_tables["runs"]

    def sentence(self) -> str:
        """Return the 80% intervals at the end."""
        end = self.settings["end"]
        rows = self.count_tables["groups"].filter(pl.col("year") == end)
        parts = [
            f"{row['group']} {number(round(row['lower_80']))} to {number(round(row['upper_80']))}"
            for row in rows.iter_rows(named=True)
        ]
        return f"At mid-{end}, 80% intervals of people expected: {'; '.join(parts)}. {EXPECTED}"


def simulate(
    projection: Projection, *, runs: int, seed: int, variances: Variances, gross: Array
) -> tuple[Inputs, Array]:
    """Return the inputs, and people [year, run, sex, age] up to the base's open age.

    Parameters
    ----------
    gross : (2, years, 2, A) array
        In- and out-migrants by year, sex and age at its end.
    """
    inputs, _ = flows_of(projection.count_tables, projection.settings, projection.by)
    if inputs.rate is not None:
        raise ArgumentError("A stochastic projection needs migration as persons, not as rates.")
    if projection.areas_by:
        raise ArgumentError("A stochastic projection is of one area: project each by itself.")
    rng = np.random.default_rng(seed)
    years = projection.settings["end"] - projection.settings["start"]
    v = variances
    walk = np.cumsum(rng.normal(0, v.fertility, (years, runs)), axis=0)
    fertility = inputs.fertility[:, None, :] * np.exp(walk)[..., None]
    last = inputs.survival.shape[-1]
    ages = np.arange(-1, last - 1)
    faded = np.clip((NO_IMPROVEMENT_FROM - ages) / (NO_IMPROVEMENT_FROM - IMPROVING_UP_TO), 0, 1)
    slope = -rng.normal(0, v.improvement, runs)
    trend = slope[None, :] * np.arange(years)[:, None] + rng.normal(0, v.mortality_of_year, (years, runs))
    hazard = np.exp(trend[..., None] * faded)[:, :, None, :]  # of both sexes alike
    dying = np.minimum((1 - inputs.survival)[:, None] * hazard, 1.0)
    net = _moved(inputs, gross, rng, v, years, runs)
    start = np.broadcast_to(inputs.base, (runs, *inputs.base.shape))
    flows = run(
        start,
        fertility=fertility,
        survival=1 - dying,
        net=net,
        years=years,
        sex_ratio=projection.settings["sex_ratio"],
        rng=rng if v.poisson else None,
    )
    return inputs, np.maximum(inputs.collapsed(flows.persons), 0.0) + inputs.held


def _moved(inputs: Inputs, gross: Array, rng: np.random.Generator, v: Variances, years: int, runs: int) -> Array:
    """Return net migrants [year, run, sex, age] around those expected."""
    n_ages = gross.shape[-1]
    bands = np.arange(n_ages) // FIVE
    total = gross.sum(axis=0)
    # errors of level are spread as gross flows are; errors of ages sum to none over ages, so that the level stays
    share = total / total.sum(axis=(-2, -1), keepdims=True)
    wrong = np.exp(rng.normal(0, v.migration_ages, (2, 1, runs, 2, bands.max() + 1)))[..., bands]
    flows = gross[:, :, None] * wrong
    flows *= gross.sum(axis=(-2, -1))[:, :, None, None, None] / flows.sum(axis=(-2, -1), keepdims=True)
    change = (flows[0] - flows[1]) - (gross[0] - gross[1])[:, None]
    level = rng.normal(0, v.migration_level, runs)[None, :] + rng.normal(0, v.migration_of_year, (years, runs))
    change = change + level[..., None, None] * share[:, None]
    if v.poisson:
        change = change + rng.normal(0, 1, (years, runs, 2, n_ages)) * np.sqrt(total)[:, None]
    net = np.broadcast_to(inputs.net, (years, *inputs.net.shape[1:]))
    out = np.repeat(net[:, None], runs, axis=1)
    out[..., : n_ages - 1] += change[..., :-1]
    older = inputs.base[..., n_ages - 1 :]
    out[..., n_ages - 1 :] += change[..., -1:] * (older / older.sum(axis=-1, keepdims=True))
    return np.asarray(out)


def stochastic_projection(
    projection: Projection,
    *,
    gross_migration: Any,
    runs: int = 1000,
    seed: int,
    variances: Variances | None = None,
) -> StochasticProjection:
    """Draw a projection many times, and return quantiles of its people.

    Parameters
    ----------
    projection : Projection
        Of one area, with migration as persons.
    gross_migration : frame
        `year`, `sex`, `age` at the end of the year, `in_persons` and `out_persons`: what net migration is made of, by
        which its errors are spread.
    runs : int, default 1000
    seed : int
        The same seed gives the same runs.
    variances : Variances, optional
        By default those of decision 14.

    Returns
    -------
    StochasticProjection
        `year`, `sex`, `age`, `persons` (mean of the runs), `median`, and the limits of 80% and 95% intervals;
        `.groups` has them of all ages, 65 and over and 85 and over; `.runs` the people of each run by five-year age.

    Raises
    ------
    ArgumentError
        On migration by rates, several areas, missing cells of gross migration, or too few runs.

    Notes
    -----
    Fertility is a random walk in logarithms. Mortality improves at a rate that is drawn once a run, and departs from
    its trend year by year; both fade from age 90 to none at 110. Net migration has a lasting error and one of each
    year, in proportion to gross flows by age, and the ages of each flow are wrong by five-year group for all years.
    Births and deaths are Poisson numbers, moves normal with the variance of a Poisson number.

    References
    ----------
    Alho, J. M. and Spencer, B. D. (2005). Statistical Demography and Forecasting. Springer.

    Examples
    --------
    >>> import symphony_research as sr
    >>> drawn = sr.demography.project_south_somerset_at_random(end=2013, runs=50, seed=1)
    >>> drawn.groups.columns[:4]
    ['year', 'group', 'persons', 'lower_95']
    """
    if runs < 20:
        raise ArgumentError(f"runs={runs}: intervals of 95% need at least 20 runs, and 1,000 to be steady.")
    chosen = variances or Variances()
    start, end = projection.settings["start"], projection.settings["end"]
    years = tuple(range(start + 1, end + 1))
    ages = tuple(range(int(projection.count_tables["base"]["age"].max()) + 1))  # type: ignore[arg-type]
    table = with_keys(gross_migration, ["year", "sex", "age", "in_persons", "out_persons"], what="gross_migration")
    axes = Axes((("year", years), ("sex", SEXES), ("age", ages)))
    gross = np.moveaxis(to_array(table, axes, ["in_persons", "out_persons"], what="gross_migration"), -1, 0)
    _, people = simulate(projection, runs=runs, seed=seed, variances=chosen, gross=gross)
    cells = frame_of(_quantiles(people), ((),), (), range(start, end + 1))
    parts = []
    for group, low in GROUPS.items():
        found = _quantiles(people[..., low:].sum(axis=(-2, -1))) if low < people.shape[-1] else {}
        if found:
            parts.append(
                pl.DataFrame({"year": list(range(start, end + 1)), "group": [group] * (end - start + 1), **found})
            )
    settings = {
        "method": "cohort component, drawn at random",
        "reference": "Alho and Spencer 2005",
        "start": start,
        "end": end,
        "runs": runs,
        "seed": seed,
        "variances": asdict(chosen),
        **{name: projection.settings.get(name) for name in ("published", "area_name", "variant", "basis")},
    }
    tables = {"cells": cells, "groups": pl.concat(parts), "runs": _by_run(people, range(start, end + 1))}
    return StochasticProjection(tables, settings, ("sex",))


def _by_run(people: Array, years: range) -> pl.DataFrame:
    """Return people [year, run, sex, age] by five-year age, the runs of each in one list."""
    lows = np.arange(0, people.shape[-1], FIVE)
    summed = np.moveaxis(np.add.reduceat(people, lows, axis=-1), 1, -1)
    n_years, n_ages = len(years), len(lows)
    return pl.DataFrame(
        {
            "year": np.repeat(np.array(years), 2 * n_ages),
            "sex": [sex for _ in years for sex in SEXES for _ in range(n_ages)],
            "age": np.tile(lows, 2 * n_years),
            "runs": pl.Series(summed.reshape(-1, summed.shape[-1])).arr.to_list(),
        }
    )


def _quantiles(people: Array) -> dict[str, Array]:
    """Return mean and quantiles over runs, the second axis."""
    limits = np.quantile(people, list(LIMITS.values()), axis=1)
    return {"persons": people.mean(axis=1), **dict(zip(LIMITS, limits, strict=True))}
