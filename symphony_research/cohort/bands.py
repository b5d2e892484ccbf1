"""Bands of age and of the number of conditions: their names, and which fine ones a wide one is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import polars as pl

__all__ = ["CONDITION_BANDS", "age_band", "age_band_names", "ages_of", "wide_age_bands", "within_wide"]

CONDITION_BANDS = ("0", "1", "2", "3", "4", "5", "6", "7+")
MOST_BANDS = 10  # of age, that a table lists as they are
OLDEST = 1000


def ages_of(lowest: Sequence[int]) -> dict[str, tuple[int, int]]:
    """Return the name of each age band, in order, with its youngest and oldest age.

    Examples
    --------
    >>> ages_of([18, 65])
    {'under 18': (0, 17), '18-64': (18, 64), '65+': (65, 1000)}
    """
    found = {f"under {lowest[0]}": (0, lowest[0] - 1)} if lowest[0] > 0 else {}
    found |= {f"{a:02d}-{b - 1:02d}": (a, b - 1) for a, b in pairwise(lowest)}
    return {**found, f"{lowest[-1]}+": (lowest[-1], OLDEST)}


def age_band_names(lowest: Sequence[int]) -> list[str]:
    """Return the names of age bands: "under 18" where the first does not begin at birth, "65-69", the last "85+"."""
    return list(ages_of(lowest))


def age_band(age: pl.Expr, lowest: Sequence[int]) -> pl.Expr:
    """Return the name of the band that an age is in."""
    names = age_band_names(lowest)
    band: pl.Expr = pl.lit(names[-1])
    uppers = lowest if lowest[0] > 0 else lowest[1:]
    for name, upper in reversed(list(zip(names, uppers, strict=False))):
        band = pl.when(age < upper).then(pl.lit(name)).otherwise(band)
    return band


def wide_age_bands(lowest: Sequence[int]) -> tuple[int, ...]:
    """Return the lowest ages of bands of ten years, 65-74 and 75-84 among them; as they are where they are few.

    Examples
    --------
    >>> wide_age_bands(range(0, 90, 5))
    (0, 5, 15, 25, 35, 45, 55, 65, 75, 85)
    """
    if len(lowest) <= MOST_BANDS:
        return tuple(lowest)
    return tuple(age for k, age in enumerate(lowest) if k == 0 or age % 10 == 5)


def within_wide(lowest: Sequence[int]) -> Mapping[str, list[str]]:
    """Return the names of the fine bands that each wide one is made of.

    Examples
    --------
    >>> within_wide(range(0, 90, 5))["65-74"]
    ['65-69', '70-74']
    """
    fine = ages_of(lowest)
    wide = ages_of(wide_age_bands(lowest))
    return {name: [f for f, (a, _) in fine.items() if low <= a <= high] for name, (low, high) in wide.items()}
