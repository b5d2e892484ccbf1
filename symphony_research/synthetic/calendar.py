"""Days counted from 1 January 1970, and the financial years of the study."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.synthetic.parameters import PERIOD_END, PERIOD_START

__all__ = [
    "DAYS_IN_YEAR",
    "END",
    "START",
    "SYMPHONY_YEAR",
    "YEARS",
    "YEAR_ENDS",
    "YEAR_STARTS",
    "date_series",
    "day_number",
    "month_start",
]

DAYS_IN_YEAR = 365.25


def day_number(day: date) -> int:
    """Return the days from 1 January 1970 to `day`."""
    return (day - date(1970, 1, 1)).days


START = day_number(PERIOD_START)
END = day_number(PERIOD_END)
YEARS = PERIOD_END.year - PERIOD_START.year
# First day of each financial year, and of the one after the last.
YEAR_STARTS = np.array(
    [day_number(PERIOD_START.replace(year=PERIOD_START.year + k)) for k in range(YEARS + 1)], np.int32
)
YEAR_ENDS = YEAR_STARTS[1:] - 1
# 2012-13, the year of the Symphony data set, is the second of the study's.
SYMPHONY_YEAR = 1


def month_start(days: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the first day of each day's month."""
    months = days.astype("datetime64[D]").astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int32)


def date_series(name: str, days: NDArray[np.int32], missing: NDArray[np.bool_] | None = None) -> pl.Series:
    """Return days as a series of dates, empty where `missing`."""
    series = pl.Series(name, days.astype(np.int32, copy=False)).cast(pl.Date)
    if missing is None:
        return series
    return pl.select(pl.when(pl.Series(~missing)).then(series).alias(name)).to_series()
