"""Ages of migrants where no flows by age are published: model schedules, students who leave, people who retire to an area.

References
----------
Rogers, A. and Castro, L. J. (1981). Model Migration Schedules. IIASA Research Report RR-81-30.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from symphony_research.errors import ArgumentError
from symphony_research.reference import reference_table

__all__ = ["FLOWS", "RETIREMENT", "STUDENT_AGES", "fundamental_schedule", "rogers_castro", "student_leavers"]

Array = NDArray[np.float64]
FLOWS = ("internal_in", "internal_out", "international_in", "international_out")
STUDENT_AGES = (18, 19, 20)  # at the end of the year in which they leave
# post-labour curve alone; assumed (decision 14)
RETIREMENT = {"a3": 1.0, "alpha3": 0.25, "mu3": 60.0, "lambda3": 0.25}
_PARTS = (("a1", "alpha1"), ("a2", "alpha2", "mu2", "lambda2"), ("a3", "alpha3", "mu3", "lambda3"), ("c",))


def rogers_castro(ages: int, parameters: Mapping[str, float]) -> Array:
    """Return shares of migrants by single year of age 0, 1, ..., that sum to one.

    Parameters
    ----------
    ages : int
        Number of ages.
    parameters : mapping
        `a1 alpha1` (children), `a2 alpha2 mu2 lambda2` (labour force), `a3 alpha3 mu3 lambda3` (retirement) and
        `c`; each part whole or absent.

    Raises
    ------
    ArgumentError
        On a part of which some parameters are missing, or names that are none.
    """
    known = {name for part in _PARTS for name in part}
    halves = [part for part in _PARTS if 0 < len(set(part) & set(parameters)) < len(part)]
    if halves or not set(parameters) <= known or not parameters:
        raise ArgumentError(
            "A model migration schedule needs whole parts of: a1 alpha1; a2 alpha2 mu2 lambda2; a3 alpha3 mu3 lambda3; c."
        )
    x, p = np.arange(ages, dtype=float), parameters
    total = np.zeros(ages)
    if "a1" in p:
        total += p["a1"] * np.exp(-p["alpha1"] * x)
    for k in ("2", "3"):
        if f"a{k}" in p:
            since = x - p[f"mu{k}"]
            total += p[f"a{k}"] * np.exp(-p[f"alpha{k}"] * since - np.exp(-p[f"lambda{k}"] * since))
    total += p.get("c", 0.0)
    return total / total.sum()


def fundamental_schedule(ages: int) -> Array:
    """Return the shares of Rogers and Castro's basic standard schedule."""
    table = reference_table("rogers_castro").frame
    return rogers_castro(ages, dict(zip(table["parameter"].to_list(), table["value"].to_list(), strict=True)))


def student_leavers(base: Array, start: int, year: int) -> Array:
    """Return people who leave to study in the year to a mid-year, by sex and age at its end.

    Parameters
    ----------
    base : (2, A) array
        Population of the start year. The share that leaves at an age is that by which its people are fewer than
        those a year younger.
    start, year : int

    Returns
    -------
    (2, A) array
        Each share of the cohort that reaches the age, from its number in the base, less those of it who left before.
    """
    out = np.zeros_like(base)
    stay = {a: np.minimum(base[:, a] / base[:, a - 1], 1.0) for a in STUDENT_AGES}
    for age in STUDENT_AGES:
        then = age - 1 - (year - 1 - start)  # age of the cohort in the base
        if then < 0:
            raise ArgumentError(
                "Cohorts not yet born at the start are of no size: give the out-flow of students by hand."
            )
        left = base[:, then].copy()
        for reached in STUDENT_AGES:
            if max(then + 1, STUDENT_AGES[0]) <= reached < age:
                left = left * stay[reached]
        out[:, age] = left * (1 - stay[age])
    return out
