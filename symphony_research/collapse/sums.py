"""Exact sums of values over people, the same to the last digit in every engine.

A value is its integer number of hundredths (a half goes up). Everything that is
summed is an integer made from it by additions, multiplications, divisions
and comparisons of doubles alone, which every engine rounds the same way. That is why
the logarithm is written out here: engines' own differ in the last digit. Sums
run in 64 bits over high and low parts, and are put together in 128 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse.engines import apart, collected
from symphony_research.errors import ArgumentError

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["HUNDRED", "LARGEST", "LOG_UNIT", "STATISTICS", "grouped_sums", "herfindahl", "in_units"]

# Sums are kept as integers, so that parts of a file, a cluster or a country
# add up to the same bytes in any order: values in hundredths (pence), their
# squares in hundredths squared (128 bits: national sums overflow 64), logarithms
# in 2**-32.
HUNDRED = 100
LOG_UNIT = 2**32
STATISTICS = {
    "n": 1,
    "sum": HUNDRED,
    "sum_squares": HUNDRED**2,
    "sum_log": LOG_UNIT,
    "sum_squared_log": LOG_UNIT,
}
LARGEST = 2**53 // HUNDRED  # above it a double no longer tells hundredths apart

HALF = 2**27  # hundredths are high * HALF + low, with low from -HALF / 2 to HALF / 2, so that products fit a double
PART = 2**26  # what is summed is split once more, so that 2**36 people fit 64 bits
LOG_TWO, LOG_HUNDRED = 0.6931471805599453, 4.605170185988092
SQUARE_ROOT_OF_TWO = 1.4142135623730951
POWERS = (32, 16, 8, 4, 2, 1)  # of two, taken out of a number below 2**64 one after the other
TERMS = (17, 15, 13, 11, 9, 7, 5, 3, 1)  # the next, of 19, is below 3e-16
QUANTITIES = ("high", "low", "high_squared", "high_low", "low_squared", "log", "squared_log")


def grouped_sums(
    parts: Sequence[nw.LazyFrame],
    *,
    by: Sequence[str],
    masks: Sequence[str],
    values: Sequence[str],
) -> pl.DataFrame:
    """Count people and sum their values by stratum and set, in the engine that holds them.

    Parameters
    ----------
    parts : sequence of narwhals.LazyFrame
        People, in one or more parts. One row per person: `__by_0`, ... the strata, `__mask_0`, ... the words
        of the set, `__value_0`, ... the values, and perhaps `__here`, which is
        null for somebody who is in the records alone.
    by, masks, values : sequence of str
        Names of the strata, words and values in the result, in that order.

    Returns
    -------
    polars.DataFrame
        `by`, `masks` as the engine holds them, `n_persons`, `__unmatched`
        (people in the records alone), and the sums of each value in units of
        `STATISTICS`; unsorted.

    Raises
    ------
    ArgumentError
        If a value is missing, negative, not a number or too large.
    """
    import narwhals as nw

    schema = parts[0].collect_schema()
    for i, value in enumerate(values):
        kind = schema[f"__value_{i}"]
        if not kind.is_numeric():
            raise ArgumentError(f"Value column '{value}' is {_named(kind)}; a number is needed.")
    keys = [f"__by_{i}" for i in range(len(by))] + [f"__mask_{i}" for i in range(len(masks))]
    # whoever is in the records alone is a row too, and no person
    summed = ["__here"] if "__here" in schema else []
    for i in range(len(values)):
        summed += [f"__bad_{i}", f"__n_{i}"]
        summed += [f"__{name}_{part}_{i}" for name in QUANTITIES for part in ("upper", "lower")]
    tables = []
    for part in parts:
        people = apart(part) if values else part
        for i in range(len(values)):
            people = _with_parts(people, i)
        groups = people.group_by(*keys).agg(nw.len().alias("__rows"), *[nw.col(c).sum() for c in summed])
        # some engines widen a sum of 64 bits to a type that does not travel
        tables.append(collected(groups.select(*keys, *[nw.col(c).cast(nw.Int64) for c in ("__rows", *summed)])))
    table = pl.concat(tables).group_by(keys).agg(pl.all().sum()) if len(tables) > 1 else tables[0]
    counted = pl.col("__here").fill_null(0) if "__here" in schema else pl.col("__rows")
    for i, value in enumerate(values):
        bad = int(table[f"__bad_{i}"].sum())
        if bad:
            raise ArgumentError(
                f"Value column '{value}' is missing, negative, not a number or above {LARGEST:,} in {bad:,} rows. "
                "A sum of logarithms needs every value at zero or above."
            )
    return table.select(
        *[pl.col(key).alias(name) for key, name in zip(keys, (*by, *masks), strict=True)],
        counted.alias("n_persons"),
        (pl.col("__rows") - counted).alias("__unmatched"),
        *[sums for i, value in enumerate(values) for sums in _put_together(i, value)],
    )


def _named(kind: object) -> str:
    """Return the name of a type without its detail."""
    return str(kind).split("(")[0]


def _with_parts(people: nw.LazyFrame, i: int) -> nw.LazyFrame:
    """Add the integers that are summed for one value: 1 or 0 for each, and high and low parts."""
    import narwhals as nw

    one, zero = nw.lit(1, dtype=nw.Int64), nw.lit(0, dtype=nw.Int64)
    col = nw.col
    x, whole, e = col("__x"), col("__whole"), col("__e")
    # not-a-number compares as the largest of all, so it is above the limit
    given = col(f"__value_{i}").cast(nw.Float64)
    good = given.is_between(0, LARGEST)
    fit = good | col("__here").is_null() if "__here" in people.collect_schema() else good
    people = people.with_columns(
        nw.when(fit).then(zero).otherwise(one).alias(f"__bad_{i}"),
        nw.when(good).then(given * float(HUNDRED)).otherwise(nw.lit(0.0)).alias("__x"),
        nw.when(good & (given > 0.0)).then(one).otherwise(zero).alias(f"__n_{i}"),
    )
    people = people.with_columns(x.floor().cast(nw.Float64).alias("__whole"))
    people = people.with_columns((whole + _one_if(x - whole >= 0.5)).alias("__whole"))
    people = people.with_columns(
        # what rounds to nothing has the logarithm of a hundredth, nothing has none
        nw.when(whole > 0.5).then(whole).otherwise(nw.lit(1.0)).alias("__x"),
        nw.lit(0.0).alias("__e"),
    )
    # the logarithm of whole / 100: x is brought between 0.71 and 1.42 first
    for power in POWERS:
        large = x >= float(2**power)
        people = people.with_columns(
            nw.when(large).then(x * 2.0**-power).otherwise(x).alias("__x"),
            nw.when(large).then(e + float(power)).otherwise(e).alias("__e"),
        )
    large = x > SQUARE_ROOT_OF_TWO
    people = people.with_columns(
        nw.when(large).then(x * 0.5).otherwise(x).alias("__x"), nw.when(large).then(e + 1.0).otherwise(e).alias("__e")
    )
    people = people.with_columns(((x - 1.0) / (x + 1.0)).alias("__x"))
    people = people.with_columns((x * x).alias("__z"))
    series = col("__z") * (1.0 / TERMS[0])
    for term in TERMS[1:-1]:
        series = (series + 1.0 / term) * col("__z")
    people = people.with_columns(
        (e * LOG_TWO + (x * 2.0 + x * 2.0 * series) - LOG_HUNDRED).alias("__e"),
        ((whole + float(HALF // 2)) * (1.0 / HALF)).floor().cast(nw.Float64).alias("__high"),
    )
    people = people.with_columns(
        nw.when(col(f"__n_{i}") == 1).then(e).otherwise(nw.lit(0.0)).alias("__e"),
        (whole - col("__high") * float(HALF)).alias("__low"),
    )
    high, low = col("__high"), col("__low")
    people = people.with_columns(
        (high * high).alias("__high_squared"),
        (high * low).alias("__high_low"),
        (low * low).alias("__low_squared"),
        (e * float(LOG_UNIT) + 0.5).floor().cast(nw.Float64).alias("__log"),
        (e * e * float(LOG_UNIT) + 0.5).floor().cast(nw.Float64).alias("__squared_log"),
    )
    people = people.with_columns(
        *[(col(f"__{name}") * (1.0 / PART)).floor().cast(nw.Int64).alias(f"__{name}_upper_{i}") for name in QUANTITIES]
    )
    return people.with_columns(
        *[
            (col(f"__{name}").cast(nw.Int64) - col(f"__{name}_upper_{i}") * PART).alias(f"__{name}_lower_{i}")
            for name in QUANTITIES
        ]
    )


def _one_if(condition: nw.Expr) -> nw.Expr:
    import narwhals as nw

    return nw.when(condition).then(nw.lit(1.0)).otherwise(nw.lit(0.0))


def _put_together(i: int, value: str) -> list[pl.Expr]:
    """Return the sums of a value, exactly, from those of its parts."""
    wide = {
        name: pl.col(f"__{name}_upper_{i}").cast(pl.Int128) * PART + pl.col(f"__{name}_lower_{i}").cast(pl.Int128)
        for name in QUANTITIES
    }
    half = pl.lit(HALF, dtype=pl.Int128)
    squares = wide["high_squared"] * half * half + wide["high_low"] * (half * 2) + wide["low_squared"]
    return [
        pl.col(f"__n_{i}").alias(f"{value}__n"),
        (wide["high"] * half + wide["low"]).alias(f"{value}__sum"),
        squares.alias(f"{value}__sum_squares"),
        wide["log"].alias(f"{value}__sum_log"),
        wide["squared_log"].alias(f"{value}__sum_squared_log"),
    ]


def herfindahl(squares: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of squares over the squared sum: one over the people, were they equal; NaN where nothing is summed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(total > 0, squares / total**2, np.nan))


def in_units(values: Sequence[str]) -> list[pl.Expr]:
    """Return the sums of each value in its own unit: they are kept in integers of a smaller one."""
    return [
        (pl.col(f"{value}__{name}").cast(pl.Float64) / unit if unit > 1 else pl.col(f"{value}__{name}")).alias(
            f"{value}_{name}"
        )
        for value in values
        for name, unit in STATISTICS.items()
    ]
