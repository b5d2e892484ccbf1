"""Mortality of an area from a national shape and its own deaths: Brass's relational logit, and improvement by year.

References
----------
Brass, W. (1971). On the scale of mortality. In: Biological aspects of demography, 69-110. Taylor and Francis.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["IMPROVING_UP_TO", "NO_IMPROVEMENT_FROM", "improved", "relational"]

Array = NDArray[np.float64]
IMPROVING_UP_TO, NO_IMPROVEMENT_FROM = 90, 110


def relational(probability: Array, shift: float) -> Array:
    """Return probabilities of dying whose logit of survivorship is that of a standard plus a shift.

    Parameters
    ----------
    probability : (..., A) array
        Of dying from birth to the first mid-year, then between mid-years by age; it ends at 1 where nobody survives.
    shift : float
        Negative for lower mortality. The ratio of hazards is exp(2 shift) at birth and goes to 1 as survivorship goes to 0.
    """
    alive = np.cumprod(1 - probability, axis=-1)
    # odds of having died: (1 - l) / l times exp(2 shift), without the logarithm, which a survivorship of 0 or 1 has not
    moved = alive / (alive + np.exp(2 * shift) * (1 - alive))
    before = np.concatenate([np.ones_like(moved[..., :1]), moved[..., :-1]], axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(before > 0, 1 - moved / before, 1.0)


def improved(probability: Array, rate: Array | float, years: Array | float) -> Array:
    """Return probabilities after years of improvement at a rate a year, which fades from 90 to none at 110.

    Ages are -1, 0, 1, ... along the last axis; `rate` and `years` broadcast before it.
    """
    ages = np.arange(-1, probability.shape[-1] - 1)
    faded = np.clip((NO_IMPROVEMENT_FROM - ages) / (NO_IMPROVEMENT_FROM - IMPROVING_UP_TO), 0, 1)
    slower = 1 - np.asarray(rate)[..., None] * faded
    return np.asarray(probability * slower ** np.asarray(years)[..., None])
