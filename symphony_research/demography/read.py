"""The entry point of demographic tables: tidy frames by sex, age and year become arrays, or an error says what to mend.

Messages name tables, columns, sexes and ages, which are keys of published tables, and counts of rows; never a value.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse import as_frame
from symphony_research.errors import ArgumentError, require_columns

__all__ = ["SEXES", "Axes", "band_starts", "of_one_basis", "to_array", "whole_ages", "with_keys"]

Array = NDArray[np.float64]
SEXES = ("F", "M")
MOST_NAMED = 8  # ages that a message names one by one


@dataclass(frozen=True)
class Axes:
    """The keys of an array, in the order of its axes: each a column and its levels."""

    levels: tuple[tuple[str, tuple[Any, ...]], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, one an axis."""
        return tuple(name for name, _ in self.levels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(len(levels) for _, levels in self.levels)


def with_keys(frame: Any, columns: Sequence[str], *, what: str, optional: Sequence[str] = ()) -> pl.DataFrame:
    """Return the columns of a frame that are asked for, with sexes as F and M and ages as integers.

    Raises
    ------
    ArgumentError
        On a missing column, ages as text or fractions, sexes other than F and M, or missing values.
    """
    table = as_frame(frame)
    require_columns(table.columns, columns, what=what)
    table = table.select([*columns, *[name for name in optional if name in table.columns and name not in columns]])
    missing = {name: table[name].null_count() for name in table.columns if table[name].null_count()}
    if missing:
        rows = ", ".join(f"{count} rows without {name}" for name, count in missing.items())
        raise ArgumentError(f"{what} has {rows}. Leave out the rows, or fill them in: nothing is guessed.")
    if "age" in table.columns:
        table = table.with_columns(whole_ages(table["age"], what=what))
    if "sex" in table.columns:
        others = int((~table["sex"].cast(pl.String).is_in(SEXES)).sum())
        if others:
            raise ArgumentError(
                f"{what} has {others} rows whose sex is neither 'F' nor 'M'. Name the two sexes F and M; rows of both "
                "sexes together, or of people whose sex is not known, must be divided or excluded first."
            )
        table = table.with_columns(pl.col("sex").cast(pl.String))
    if "year" in table.columns and not table["year"].dtype.is_integer():
        raise ArgumentError(f"{what} has years that are not integers: a year is that of the mid-year at its end.")
    return table


def whole_ages(ages: pl.Series, *, what: str) -> pl.Series:
    """Return ages as integers; refuse age bands in words."""
    if ages.dtype.is_integer():
        return ages.cast(pl.Int64)
    if ages.dtype.is_float() and bool((ages == ages.round(0)).all()):
        return ages.cast(pl.Int64)
    if ages.dtype.is_float():
        raise ArgumentError(f"{what} has ages that are not integers: give age at last birthday in completed years.")
    bands = ages.n_unique()
    raise ArgumentError(
        f"{what} has ages as text ({bands} distinct ones), such as bands: a projection needs single years of age as "
        "integers 0, 1, 2, ..., where the last stands for that age and over (90 for '90+'). Divide bands into single "
        "years first, or ask the publisher for single years."
    )


def band_starts(bands: pl.Series, *, what: str) -> pl.Series:
    """Return the lower ends of age bands in words ("05-09", "90+"), each of which ends where the next one begins.

    Raises
    ------
    ArgumentError
        On bands that cannot be read, or between which ages are missing.
    """
    text = bands.cast(pl.String)
    read = {band: re.fullmatch(r"\s*(\d+)\s*(?:[-–]\s*(\d+)|\+)?\s*", band or "") for band in text.unique().to_list()}
    wrong = sum(found is None for found in read.values())
    if wrong:
        raise ArgumentError(f"{what} has {wrong} age bands that are neither like '05-09' nor like '90+'.")
    low = {band: int(found.group(1)) for band, found in read.items() if found}
    high = {int(found.group(1)): int(found.group(2)) for found in read.values() if found and found.group(2)}
    apart = [a for a, b in pairwise(sorted(set(low.values()))) if high.get(a, b - 1) != b - 1]
    if apart:
        raise ArgumentError(f"{len(apart)} age bands of {what} do not end where the next one begins.")
    return text.replace_strict(low, return_dtype=pl.Int64)


def of_one_basis(table: pl.DataFrame, *, what: str) -> str | None:
    """Return the basis of a population (census, or mid-year estimate) where a column names it; refuse two.

    Raises
    ------
    ArgumentError
        If rows of two bases stand in one table.
    """
    if "basis" not in table.columns:
        return None
    found = sorted(table["basis"].cast(pl.String).unique().to_list())
    if len(found) > 1:
        raise ArgumentError(
            f"{what} mixes {len(found)} bases ({', '.join(found)}): a census counts other people, on another day, than a "
            "mid-year estimate does. Keep the rows of one basis alone."
        )
    return str(found[0])


def to_array(table: pl.DataFrame, axes: Axes, values: Sequence[str], *, what: str, fill: float | None = None) -> Array:
    """Return columns of a tidy table as an array [axes..., values].

    Parameters
    ----------
    table : polars.DataFrame
        Of `with_keys`; rows whose keys are not among the levels are passed over.
    axes : Axes
    values : sequence of str
    what : str
        Name of the argument, for messages.
    fill : float, optional
        What stands where there is no row; by default that is an error.

    Raises
    ------
    ArgumentError
        On two rows of one cell, or missing cells; with the missing ages.
    """
    at = np.zeros(table.height, dtype=np.int64)
    kept = np.ones(table.height, dtype=bool)
    for name, levels in axes.levels:
        own = _places(table[name], levels)
        kept &= own >= 0
        at = at * len(levels) + own
    at, size = at[kept], int(np.prod(axes.shape))
    times = np.bincount(at, minlength=size)
    twice = int((times > 1).sum())
    if twice:
        raise ArgumentError(
            f"{what} has more than one row for {twice} of {size} cells by {', '.join(axes.columns)}. Two bases may be mixed "
            "(a census and an estimate), or several areas or years: keep one row a cell."
        )
    if fill is None and not times.all():
        raise ArgumentError(_missing(times.reshape(axes.shape) == 0, axes, what))
    out = np.full((size, len(values)), np.nan if fill is None else fill)
    out[at] = table.select([pl.col(v).cast(pl.Float64) for v in values]).to_numpy()[kept]
    if not np.isfinite(out).all():
        raise ArgumentError(f"{what} has {int((~np.isfinite(out)).any(axis=1).sum())} rows that hold no finite number.")
    return out.reshape(*axes.shape, len(values))


def _places(column: pl.Series, levels: tuple[Any, ...]) -> NDArray[np.int64]:
    """Return the place of each row's value among the levels, -1 where it is none of them."""
    if column.dtype.is_integer() and levels == tuple(range(int(levels[0]), int(levels[0]) + len(levels))):
        own = column.to_numpy() - levels[0]
        return np.where((own >= 0) & (own < len(levels)), own, -1)
    # tables mostly come in order: each run of a value is looked up once
    runs = column.rle().struct.unnest()
    found = runs["value"].replace_strict(list(levels), list(range(len(levels))), default=-1, return_dtype=pl.Int64)
    return np.repeat(found.to_numpy(), runs["len"].to_numpy())


def _missing(absent: NDArray[np.bool_], axes: Axes, what: str) -> str:
    parts = []
    for k, (name, levels) in enumerate(axes.levels):
        others = tuple(i for i in range(absent.ndim) if i != k)
        gone = [
            str(level)
            for level, missing in zip(levels, np.asarray(absent.any(axis=others)).tolist(), strict=True)
            if missing
        ]
        if len(gone) == len(levels) and len(levels) > 1:
            continue
        shown = ", ".join(gone[:MOST_NAMED]) + (f" and {len(gone) - MOST_NAMED} more" if len(gone) > MOST_NAMED else "")
        parts.append(f"{name} {shown}")
    return (
        f"{what} has no row for {int(absent.sum())} of {absent.size} cells by {', '.join(axes.columns)} "
        f"({'; '.join(parts) or 'none at all'}). Give every single year of age of both sexes: none is filled in."
    )
