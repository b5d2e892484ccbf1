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

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Flows", "run", "survival_from_central_rates", "survival_from_probabilities"]

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
    """

    persons: Array
    births: Array
    _net: Array = field(repr=False)
    _rate: Array | None = field(repr=False)
    _drawn: Array | None = field(repr=False, default=None)

    @property
    def cohorts(self) -> Array:
        """People a year younger the year before, or born since, by age at the end of the year: (T, ..., 2, A)."""
        out = np.empty_like(self.persons[1:])
        out[..., 1:] = self.persons[:-1, ..., :-1]
        out[..., -1] += self.persons[:-1, ..., -1]
        out[..., 0] = self.births
        return out

    @property
    def net_migration(self) -> Array:
        """Net migrants by age at the end of the year: (T, ..., 2, A)."""
        own = self._net if self._rate is None else self._net + self._rate * self.cohorts
        return np.broadcast_to(own, self.persons[1:].shape)

    @property
    def deaths(self) -> Array:
        """Deaths by age at the end of the year: (T, ..., 2, A), of the cohort and its migrants those who are not there at its end."""
        return self.cohorts + self.net_migration - self.persons[1:] if self._drawn is None else self._drawn


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
    """Project a population year by year.

    Parameters
    ----------
    base : (..., 2, A) array
    fertility : (T or 1, ..., A) array
        Births a woman a year by age, on the mean of women at the start and the end of the year.
    survival : (T or 1, ..., 2, A + 1) array
        From birth to the first mid-year, then between mid-years by age at the first.
    net : (T or 1, ..., 2, A) array
        Net migrants by age at the end of the year; they are exposed to mortality for half of it.
    rate : (T or 1, ..., 2, A) array, optional
        Net migrants per member of the cohort at the start of the year, added to `net`.
    years : int
    sex_ratio : float
        Boys per girl born.
    rng : Generator, optional
        Draw births and deaths as Poisson numbers around what is expected; not with `rate`.
    """
    shape = np.broadcast_shapes(base.shape, net.shape[1:], survival[0, ..., 1:].shape, (*fertility.shape[1:-1], 1, 1))
    persons, births = np.empty((years + 1, *shape)), np.empty((years, *shape[:-1]))
    persons[0], persons[1:, ..., :1, 0] = base, 0.0
    drawn = np.empty((years, *shape)) if rng is not None else None
    bearing = np.flatnonzero(fertility.reshape(-1, fertility.shape[-1]).any(axis=0))
    ages = slice(int(bearing[0]), int(bearing[-1]) + 1) if len(bearing) else slice(1, 2)
    split = np.array([1.0, sex_ratio]) / (1 + sex_ratio)
    # P(x + 1) = (P(x) + M / 2) S + M / 2 = P(x) S + M (1 + S) / 2; what does not change by year is computed once
    stay, gain, filled = np.empty(shape), np.empty(shape), False
    for year in range(years):
        s, m, f = (a[year if a.shape[0] > 1 else 0] for a in (survival, net, fertility))
        r = None if rate is None else rate[year if rate.shape[0] > 1 else 0]
        if not filled:
            stay[...] = s[..., 1:]
            if r is not None:
                stay[..., :-1] += 0.5 * r[..., 1:] * (1 + s[..., 1:-1])
            np.multiply(0.5 * m, 1 + s[..., :-1], out=gain)
            filled = all(a is None or a.shape[0] == 1 for a in (survival, net, rate))
        now, end = persons[year], persons[year + 1]
        # everybody moves up by one place in memory; what crosses from one sex to the next is overwritten at ages 0 and last
        onto = end.reshape(-1)
        np.multiply(now.reshape(-1)[:-1], stay.reshape(-1)[:-1], out=onto[1:])
        onto += gain.reshape(-1)
        end[..., -1] = _open(now, s, m[..., -1], None if r is None else r[..., -1])
        if rng is not None and drawn is not None:
            _draw_deaths(rng, now, end, m, drawn[year])
        rates = f[..., ages]
        born = np.einsum("...a,...a->...", now[..., 0, ages], rates)
        born = 0.5 * (born + np.einsum("...a,...a->...", end[..., 0, ages], rates))
        if rng is not None:
            born = rng.poisson(np.maximum(born, 0.0)).astype(float)
        births[year] = born[..., None] * split
        infants = s[..., 0] if r is None else s[..., 0] + 0.5 * r[..., 0] * (1 + s[..., 0])
        end[..., 0] = births[year] * infants + gain[..., 0]
        if rng is not None and drawn is not None:
            lost = births[year] + m[..., 0] - end[..., 0]
            drawn[year, ..., 0] = np.minimum(rng.poisson(np.maximum(lost, 0.0)), births[year])
            end[..., 0] += lost - drawn[year, ..., 0]
    return Flows(persons, births, net, rate, drawn)


def _open(now: Array, s: Array, m: Array, r: Array | None) -> Array:
    """Return the open age: survivors of it and of the age before; its migrants survive as those there do on average."""
    before, oldest = now[..., -2], now[..., -1]
    both, alive = before + oldest, before * s[..., -2] + oldest * s[..., -1]
    mixed = np.divide(alive, both, out=np.broadcast_to(s[..., -1], alive.shape).copy(), where=both > 0)
    moved = m if r is None else m + r * both
    return np.asarray(alive + 0.5 * moved * (1 + mixed))


def _draw_deaths(rng: np.random.Generator, now: Array, end: Array, m: Array, drawn: Array) -> None:
    """Replace expected deaths from age 1 on by drawn ones, of no more people than there are."""
    cohort = now[..., :-1].copy()
    cohort[..., -1] += now[..., -1]
    there = np.maximum(cohort + m[..., 1:], 0.0)
    expected = cohort + m[..., 1:] - end[..., 1:]
    drawn[..., 1:] = np.minimum(rng.poisson(np.maximum(expected, 0.0)), there)
    end[..., 1:] += expected - drawn[..., 1:]
