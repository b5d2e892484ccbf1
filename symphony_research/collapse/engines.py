"""What an engine is asked for: distinct, and group-by-sum. All else is done on the small table that comes back.

The engine is whatever narwhals can drive lazily: Polars, DuckDB, Spark. People
in pandas or Arrow are in this process already and are handed to Polars.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.collapse.frames import as_lazy, native_frame
from symphony_research.errors import ArgumentError
from symphony_research.words.lexicon import capital

if TYPE_CHECKING:
    import narwhals as nw

__all__ = [
    "WORD",
    "apart",
    "collected",
    "engine_frame",
    "level_of",
    "n_engine_words",
    "no_id",
    "of_one_kind",
    "person_words",
    "share",
    "with_persons",
    "words_of",
]

WORD = 63  # conditions to an engine's word: engines have signed integers of 64 bits, and the sign stays clear


def engine_frame(frame: Any, *, columns: Iterable[str], what: str) -> nw.LazyFrame:
    """Return any frame as a narwhals LazyFrame of the engine that holds it, or of Polars.

    Raises
    ------
    ArgumentError
        If it is not a frame, lacks a column, or holds one that cannot be read.
    """
    import narwhals as nw

    columns = list(columns)
    native = native_frame(frame, columns=columns, what=what)
    return native if isinstance(native, nw.LazyFrame) else nw.from_native(as_lazy(frame, columns=columns, what=what))


def no_id(frame: nw.LazyFrame, column: str) -> nw.Expr:
    """Return where a column of ids names nobody: a missing value, or not a number."""
    import narwhals as nw

    gap = nw.col(column).is_null()
    return gap | nw.col(column).is_nan() if frame.collect_schema()[column].is_float() else gap


def level_of(frame: nw.LazyFrame, column: str) -> nw.Expr:
    """Return a column of strata in which what is no number is a missing value, as it is of other kinds.

    Raises
    ------
    ArgumentError
        If the column is of a kind that names no stratum.
    """
    import narwhals as nw

    kind = frame.collect_schema()[column]
    if kind.is_nested() or kind in (nw.Binary, nw.Object, nw.Duration, nw.Unknown):
        raise ArgumentError(f"Column '{column}' is {kind}; strata are text, numbers, dates, or yes and no.")
    held = nw.col(column)
    return nw.when(~held.is_nan()).then(held) if kind.is_float() else held


def collected(frame: nw.LazyFrame) -> pl.DataFrame:
    """Bring a small table out of its engine."""
    native = frame.to_native()
    if isinstance(native, pl.LazyFrame):
        return native.collect(engine="streaming")
    table: pl.DataFrame = frame.collect(backend="polars").to_native()
    return table


def apart(frame: nw.LazyFrame) -> nw.LazyFrame:
    """Return the same rows, so that the engine does not mix what is asked of them with what they are made from.

    DuckDB moves sums below a join and writes every step of a value into the
    next as it does, until the plan alone fills the memory. Nothing moves past a
    filter that it cannot foretell.
    """
    import narwhals as nw

    if not frame.implementation.is_duckdb():
        return frame
    return nw.from_native(frame.to_native().filter("random() >= 0"))


def n_engine_words(n_conditions: int) -> int:
    """Return the number of an engine's words that hold this many conditions, at least one."""
    return max(1, -(-n_conditions // WORD))


def words_of(bits: Sequence[nw.Expr]) -> list[nw.Expr]:
    """Return the words `__mask_0`, ... of expressions that are 1 or 0, in the order of the conditions."""
    import narwhals as nw

    words: list[Any] = [nw.lit(0, dtype=nw.Int64)] * n_engine_words(len(bits))
    for k, held in enumerate(bits):
        words[k // WORD] = words[k // WORD] + held * (1 << k % WORD)
    return [word.alias(f"__mask_{w}") for w, word in enumerate(words)]


def person_words(records: nw.LazyFrame, listed: Sequence[str]) -> nw.LazyFrame:
    """Return one row per person with a condition, lazily: `__person` and the words of the set.

    Parameters
    ----------
    records : narwhals.LazyFrame
        `__person` and `__condition`; repeated rows count once.
    listed : sequence of str
        Every condition there is, in the order of the bits.
    """
    import narwhals as nw

    n_words = n_engine_words(len(listed))
    native = records.to_native()
    if isinstance(native, pl.LazyFrame):
        return nw.from_native(_person_words_in_polars(native, listed, n_words))
    distinct = records.group_by("__person", "__condition").agg(nw.len().alias("__rows"))
    words = []
    for w in range(n_words):
        word: Any = nw.lit(0, dtype=nw.Int64)
        for k, name in reversed(list(enumerate(listed[w * WORD : (w + 1) * WORD]))):
            word = nw.when(nw.col("__condition") == name).then(nw.lit(1 << k, dtype=nw.Int64)).otherwise(word)
        words.append(word.alias(f"__mask_{w}"))
    names = [f"__mask_{w}" for w in range(n_words)]
    sums = distinct.select("__person", *words).group_by("__person").agg(*[nw.col(name).sum() for name in names])
    return sums.select("__person", *[nw.col(name).cast(nw.Int64) for name in names])


def _person_words_in_polars(records: pl.LazyFrame, listed: Sequence[str], n_words: int) -> pl.LazyFrame:
    # a bitwise or needs no distinct rows first: five times as fast as the sum (decision 7)
    names = [f"__mask_{w}" for w in range(n_words)]
    bits = {name: [1 << k % WORD if k // WORD == w else 0 for k in range(len(listed))] for w, name in enumerate(names)}
    table = pl.LazyFrame(
        {"__condition": list(listed), **bits}, schema={"__condition": pl.String, **dict.fromkeys(names, pl.Int64)}
    )
    held = records.join(table, on="__condition", how="left").group_by("__person")
    return held.agg([pl.col(name).bitwise_or() for name in names])


def of_one_kind(records: nw.LazyFrame, persons: nw.LazyFrame, *, no_records: bool) -> tuple[nw.LazyFrame, nw.LazyFrame]:
    """Return records and persons whose ids, `__person`, can be compared."""
    import narwhals as nw

    if records.implementation != persons.implementation:
        raise ArgumentError(
            f"The records are in {_engine(records)} and the persons in {_engine(persons)}: hold both in one, so that no "
            "person has to leave it."
        )
    kind, other = persons.collect_schema()["__person"], records.collect_schema()["__person"]
    if kind == other:
        return records, persons
    if no_records:
        return records.with_columns(nw.col("__person").cast(kind)), persons
    if not (kind.is_integer() and other.is_integer()):
        raise ArgumentError(f"Person ids are {other} in records and {kind} in persons: make them the same type.")
    # a type that holds both, so that no id is changed by the cast
    wide = nw.Int128() if nw.UInt64() in (kind, other) else nw.Int64()
    return tuple(frame.with_columns(nw.col("__person").cast(wide)) for frame in (records, persons))  # type: ignore[return-value]


def share(frame: nw.LazyFrame, part: int, n_parts: int) -> nw.LazyFrame:
    """Return the rows of the people of one part of so many; everything about a person is in one part."""
    import narwhals as nw

    if n_parts == 1:
        return frame
    native: pl.LazyFrame = frame.to_native()
    return nw.from_native(native.filter(pl.col("__person").hash(seed=57) % n_parts == part))


def with_persons(words: nw.LazyFrame, persons: nw.LazyFrame, n_words: int) -> nw.LazyFrame:
    """Return everybody in `persons`, with the words of their set, and whoever is in the records alone.

    The latter have no `__here`.
    """
    import narwhals as nw

    persons = persons.with_columns(nw.lit(1, dtype=nw.Int64).alias("__here"))
    everybody = persons.join(words, on="__person", how="full", suffix="__in_records")
    names = [f"__mask_{w}" for w in range(n_words)]
    return everybody.with_columns(*[nw.col(name).fill_null(0) for name in names])


def _engine(frame: nw.LazyFrame) -> str:
    return capital(str(frame.implementation.value))
