"""The cohort-component recursion on arrays: any number of areas or stochastic runs at once.

Every array ends in [sex, age], with sex in the order F, M and the last age open;
what stands before are areas, runs or nothing. Ages of deaths and migrants are
those at the end of the year.

References
----------
Preston, S. H., Heuveline, P. and Guillot, M. (2001). Demography, chapter 6. Blackwell.
Office for National Statistics (2013). Methodology of the subnational population projections.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Flows", "advance", "run", "survival_from_central_rates", "survival_from_probabilities"]

Array = NDArray[np.float64]
INFANT_YEARS_LIVED = 0.1  # of a year, by those who die in their first: Chiang 1968


@dataclass(frozen=True)
class Flows:
    """A projection as arrays.

    Attributes
    ----------
    persons : (T + 1, ..., 2, A) array
        At the start and at each mid-year.
    births : (T, ..., 2) array
    deaths, net_migration : (T, ..., 2, A) array
        By age at the end of the year; the people who died or moved between two mid-years.
    """

    persons: Array
    births: Array
    deaths: Array
    net_migration: Array


def survival_from_probabilities(probability: Array) -> Array:
    """Return survival ratios from probabilities of dying between two mid-years, birth to first mid-year first."""
    return 1.0 - probability


def survival_from_central_rates(rate: Array, birth: Array | None = None) -> Array:
    """Return survival ratios between mid-years from central rates by single year of age, the last age open.

    Parameters
    ----------
    rate : (..., A) array
        Deaths per person-year of those aged x at last birthday; the last for that age and over.
    birth : (...) array, optional
        Probability of dying between birth and the first mid-year; by default from the rate at age 0.

    Returns
    -------
    (..., A + 1) array
        Birth to age 0, then L(x + 1) / L(x) of the life table; within the open age the hazard is constant.
    """
    lived = np.full(rate.shape[-1], 0.5)
    lived[0] = INFANT_YEARS_LIVED
    q = np.clip(rate / (1 + (1 - lived) * rate), 0.0, 1.0)
    alive = np.concatenate([np.ones_like(q[..., :1]), np.cumprod(1 - q[..., :-1], axis=-1)], axis=-1)
    years = alive * (1 - (1 - lived) * q)
    last = rate[..., -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        open_years = np.where(last > 0, alive[..., -1] * -np.expm1(-last) / last, alive[..., -1])
        years[..., -1] = open_years
        within = np.where(years[..., :-1] > 0, years[..., 1:] / years[..., :-1], 0.0)
    first = years[..., :1] if birth is None else 1 - birth[..., None]
    return np.concatenate([first, within, np.exp(-last)[..., None]], axis=-1)


def advance(
    persons: Array,
    *,
    fertility: Array,
    survival: Array,
    net: Array,
    rate: Array | None = None,
    sex_ratio: float = 1.05,
    rng: np.random.Generator | None = None,
) -> tuple[Array, Array, Array, Array]:
    """Return the population a year on, births by sex, deaths and net migrants by age at the end of the year.

    Parameters
    ----------
    persons : (..., 2, A) array
    fertility : (..., A) array
        Births a woman a year by age, on the mean of women at the start and the end of the year.
    survival : (..., 2, A + 1) array
        From birth to the first mid-year, then between mid-years by age at the first.
    net : (..., 2, A) array
        Net migrants by age at the end of the year; they are exposed to mortality for half of it.
    rate : (..., 2, A) array, optional
        Net migrants per member of the cohort at the start of the year, added to `net`.
    sex_ratio : float
        Boys per girl born.
    rng : Generator, optional
        Draw births and deaths as Poisson numbers around what is expected.
    """
    start = np.empty(np.broadcast_shapes(persons.shape, net.shape, survival[..., 1:].shape))
    start[..., 1:] = persons[..., :-1]
    start[..., 0] = 0.0
    stay = np.empty(np.broadcast_shapes((*survival.shape[:-1], persons.shape[-1]), start.shape))
    stay[..., :] = survival[..., :-1]
    oldest, before = persons[..., -1], persons[..., -2]
    # the open age takes survivors of two ages; its migrants and newcomers survive as those there do on average
    both = oldest + before
    with np.errstate(invalid="ignore", divide="ignore"):
        mixed = (before * survival[..., -2] + oldest * survival[..., -1]) / both
    stay[..., -1] = np.where(both > 0, mixed, survival[..., -1])
    start[..., -1] = both
    moved = np.broadcast_to(net, start.shape) if rate is None else net + rate * start
    exposed = start + 0.5 * moved
    deaths = exposed * (1.0 - stay)
    if rng is not None:
        deaths = np.minimum(rng.poisson(np.maximum(deaths, 0.0)), np.maximum(exposed, 0.0))
    end = start + moved - deaths
    women = 0.5 * (persons[..., 0, 1:] + end[..., 0, 1:])
    born = np.einsum("...a,...a->...", np.broadcast_to(fertility[..., 1:], women.shape), women)
    if rng is not None:
        born = rng.poisson(np.maximum(born, 0.0)).astype(float)
    births = np.stack([born / (1 + sex_ratio), born * (sex_ratio / (1 + sex_ratio))], axis=-1)
    infants = net[..., 0] + (0.0 if rate is None else rate[..., 0] * births)
    lost = (births + 0.5 * infants) * (1.0 - stay[..., 0])
    if rng is not None:
        lost = np.minimum(rng.poisson(np.maximum(lost, 0.0)), births)
    deaths[..., 0] = lost
    end[..., 0] = births + infants - lost
    if rate is not None:
        moved = np.array(moved)
        moved[..., 0] = infants
    return end, births, deaths, moved


def run(
    base: Array,
    *,
    fertility: Array,
    survival: Array,
    net: Array,
    rate: Array | None = None,
    years: int,
    sex_ratio: float = 1.05,
    rng: np.random.Generator | None = None,
) -> Flows:
    """Project a population year by year; inputs have the years first, or one entry that holds in every year."""
    shape = np.broadcast_shapes(base.shape, net.shape[1:], survival[0, ..., 1:].shape, (*fertility.shape[1:-1], 1, 1))
    persons = np.empty((years + 1, *shape))
    persons[0] = base
    births, deaths, moves = np.empty((years, *shape[:-1])), np.empty((years, *shape)), np.empty((years, *shape))

    def of(given: Array, year: int) -> Array:
        return np.asarray(given[year if given.shape[0] > 1 else 0])

    for year in range(years):
        persons[year + 1], births[year], deaths[year], moves[year] = advance(
            persons[year],
            fertility=of(fertility, year),
            survival=of(survival, year),
            net=of(net, year),
            rate=None if rate is None else of(rate, year),
            sex_ratio=sex_ratio,
            rng=rng,
        )
    return Flows(persons, births, deaths, moves)
