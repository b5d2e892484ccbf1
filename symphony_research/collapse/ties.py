"""One tolerance for times: those that differ by rounding alone, such as 0.1 + 0.2 and 0.3, are one time.

References
----------
Therneau, T. (2024). survival: `timefix`, which compares times so in R.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from symphony_research.errors import ArgumentError

__all__ = ["at_known_times", "tie_width", "with_ties"]

Array = NDArray[np.float64]
# R's for doubles; a 32-bit float keeps seven digits, and sums of some lose the last
_TIES: dict[type[pl.DataType], float] = {
    pl.Float64: float(np.sqrt(np.finfo(np.float64).eps)),
    pl.Float32: float(16 * np.finfo(np.float32).eps),
}


def tie_width(times: pl.Series) -> float:
    """Return how far apart two times of a column may be and still be one, by its precision and its mean."""
    tie = _TIES.get(times.dtype.base_type(), _TIES[pl.Float64])
    return max(tie, tie * float(times.cast(pl.Float64).abs().mean() or 0.0))  # type: ignore[arg-type]


def at_known_times(wanted: ArrayLike, known: ArrayLike, width: float) -> Array:
    """Return times, each that is a known one but for rounding as the known one.

    Parameters
    ----------
    wanted, known : array_like
        Times asked for, such as 0.3, and those that there are, such as 0.1 + 0.2.
    width : float
        As `tie_width` gives it.

    Examples
    --------
    >>> at_known_times([0.3, 0.4], [0.1 + 0.2, 1.0], 1e-8).tolist()
    [0.30000000000000004, 0.4]
    """
    asked, there = np.asarray(wanted, dtype=float), np.unique(np.asarray(known, dtype=float))
    if not len(there):
        return asked
    above = np.searchsorted(there, asked).clip(max=len(there) - 1)
    below = np.maximum(above - 1, 0)
    nearest = np.where(np.abs(there[below] - asked) <= np.abs(there[above] - asked), there[below], there[above])
    return np.where(np.abs(nearest - asked) <= width, nearest, asked)


def with_ties(people: pl.LazyFrame, columns: Sequence[str]) -> pl.LazyFrame:
    """Make times equal that differ by rounding alone.

    Parameters
    ----------
    people : polars.LazyFrame
    columns : sequence of str
        The time at which each person's follow-up ends, and if there is one that from which it began.

    Raises
    ------
    ArgumentError
        If a time is after entry by a rounding error alone; with the count of rows.
    """
    schema = people.collect_schema()
    if not any(schema[column].is_float() for column in columns):
        return people
    coarse = pl.Float32 if any(schema[column] == pl.Float32 for column in columns) else pl.Float64
    every = pl.concat([people.select(pl.col(c).cast(pl.Float64).alias("t")) for c in columns]).unique()
    times = np.sort(every.collect(engine="streaming")["t"].to_numpy())
    tied = np.diff(times) <= tie_width(pl.Series(times).cast(coarse))
    if not tied.any():
        return people
    starts = times[np.concatenate([[True], ~tied])]
    same = starts[np.searchsorted(starts, times, side="right") - 1]
    moved = times != same
    kept = {c: schema[c] if schema[c].is_float() else pl.Float64 for c in columns}
    people = people.with_columns(
        pl.col(c).cast(pl.Float64).replace(times[moved], same[moved]).cast(kind).alias(c) for c, kind in kept.items()
    )
    if len(columns) > 1:
        none = people.filter(pl.col(columns[0]) <= pl.col(columns[1])).select(pl.len()).collect().item()
        if none:
            raise ArgumentError(f"{none:,} rows have a time that is after entry by a rounding error alone.")
    return people
