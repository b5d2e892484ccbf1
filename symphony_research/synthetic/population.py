"""The published tables the generator starts from: who lived in South Somerset, and how often people died."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.schema import SEXES

__all__ = [
    "OLDEST_AGE",
    "SEXES_GENERATED",
    "mortality_2012",
    "north_west_london_2011",
    "population_2011",
    "population_table",
]

OLDEST_AGE = 110
OPEN_AGE = 90
SEXES_GENERATED = ("F", "M")


def _read(name: str) -> pl.DataFrame:
    return pl.read_csv((resources.files(__package__) / "data" / name).read_bytes())


@lru_cache(maxsize=1)
def population_2011() -> NDArray[np.float64]:
    """Return people by sex (women, men) and age 0 to 90 and over, mid-2011."""
    table = _read("population_2011.csv")
    return np.stack([table.filter(pl.col("sex") == sex)["persons"].to_numpy() for sex in SEXES_GENERATED]).astype(float)


@lru_cache(maxsize=1)
def mortality_2012() -> NDArray[np.float64]:
    """Return the probability of dying within a year by sex (women, men) and age 0 to 110."""
    table = _read("mortality_2012.csv")
    rows = [table.filter(pl.col("sex") == sex)["deaths_per_100000"].to_numpy() for sex in SEXES_GENERATED]
    return np.stack(rows) / 100_000


def population_table() -> pl.DataFrame:
    """Return the study's `population` table: South Somerset at mid-2011."""
    table = _read("population_2011.csv")
    return table.select(
        pl.lit(2011, pl.Int32).alias("year"),
        pl.col("sex").cast(pl.Enum(SEXES)),
        pl.col("age").cast(pl.Int32),
        "persons",
    )


@lru_cache(maxsize=1)
def north_west_london_2011() -> NDArray[np.float64]:
    """Return people of the eight boroughs of north-west London by five-year age band, 90 and over last, mid-2011."""
    return _read("north_west_london_2011.csv")["persons"].to_numpy().astype(float)
