"""The shapes that people come in, checked where they are: records, a column for each condition, masks.

Each reader returns one row per person, lazily, in the engine that holds them:
`__by_0`, ..., `__value_0`, ... and the words of the set. Faults are counted in
the engine too, and only the counts come out of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from symphony_research.collapse.bits import n_words, pack, unpack
from symphony_research.collapse.engines import (
    WORD,
    collected,
    engine_frame,
    level_of,
    n_engine_words,
    no_id,
    of_one_kind,
    person_words,
    share,
    with_persons,
    words_of,
)
from symphony_research.errors import ArgumentError

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["checked_masks", "of_64_bits", "of_masks", "of_records", "of_wide"]

# what Polars is given to hold at a time: four to five gigabytes with ids of 16 letters
MOST_RECORDS, MOST_PERSONS = 40_000_000, 16_000_000


def of_records(
    records: Any,
    persons: Any,
    *,
    person: str,
    condition: str,
    conditions: Sequence[str] | None,
    by: tuple[str, ...],
    values: tuple[str, ...],
) -> tuple[list[nw.LazyFrame], list[str]]:
    """Return people made of rows of (person, condition), in parts, and the list of conditions."""
    import narwhals as nw

    long = engine_frame(records, columns=(person, condition), what="records")
    if persons is None and (by or values):
        raise ArgumentError("by and values are columns of persons: pass persons=, one row per person.")
    long = long.select(_known(long, person).alias("__person"), nw.col(condition).cast(nw.String).alias("__condition"))
    found = collected(
        long.with_columns(_one_where(no_id(long, "__person")).alias("__gap"))
        .group_by("__condition")
        .agg(nw.len().alias("rows"), nw.col("__gap").sum().alias("gaps"))
    )
    listed = _condition_list(found, conditions)
    if persons is None:
        n_parts = _n_parts(long, int(found["rows"].sum()), 0)
        return [person_words(share(long, part, n_parts), listed) for part in range(n_parts)], listed
    held = engine_frame(persons, columns=(person, *by, *values), what="persons")
    people = held.select(_known(held, person).alias("__person"), *_renamed(held, by, values))
    long, people = of_one_kind(long, people, no_records=not found.height)
    rows = int(collected(people.select(nw.len().alias("rows"))).item())
    n_parts = _n_parts(long, int(found["rows"].sum()), rows)
    _refuse_faults_of_persons(people, rows, n_parts)
    n_words = n_engine_words(len(listed))
    shares = [(share(long, part, n_parts), share(people, part, n_parts)) for part in range(n_parts)]
    return [with_persons(person_words(own, listed), those, n_words) for own, those in shares], listed


def _n_parts(frame: nw.LazyFrame, n_records: int, n_persons: int) -> int:
    """Return in how many parts people are collapsed, one after the other, so that each fits in memory.

    Patterns add up, so it makes no other difference. Other engines put aside on
    disk what does not fit; Polars holds everybody it groups or joins.
    """
    if not frame.implementation.is_polars():
        return 1
    return max(1, -(-n_records // MOST_RECORDS), -(-n_persons // MOST_PERSONS))


def _known(frame: nw.LazyFrame, column: str) -> nw.Expr:
    """Return a column; one that holds nothing but missing values has no type, and is taken as text."""
    import narwhals as nw

    expression = nw.col(column)
    return expression.cast(nw.String) if frame.collect_schema()[column] == nw.Unknown else expression


def _one_where(condition: nw.Expr) -> nw.Expr:
    import narwhals as nw

    return nw.when(condition).then(nw.lit(1, dtype=nw.Int64)).otherwise(nw.lit(0, dtype=nw.Int64))


def _renamed(frame: nw.LazyFrame, by: tuple[str, ...], values: tuple[str, ...]) -> list[nw.Expr]:
    """Return the strata and values under names that no engine can take amiss."""
    import narwhals as nw

    strata = [level_of(frame, name).alias(f"__by_{i}") for i, name in enumerate(by)]
    return strata + [nw.col(name).alias(f"__value_{i}") for i, name in enumerate(values)]


def _condition_list(found: pl.DataFrame, conditions: Sequence[str] | None) -> list[str]:
    """Return the conditions in order, from the rows there are of each."""
    nameless = int(found.filter(pl.col("__condition").is_null())["rows"].sum())
    if nameless:
        raise ArgumentError(f"records has {nameless:,} rows without a condition.")
    listed = sorted(found["__condition"].to_list() if conditions is None else set(conditions))
    unknown = found.filter(~pl.col("__condition").is_in(listed))
    if unknown.height:
        raise ArgumentError(
            f"records has {int(unknown['rows'].sum()):,} rows of {unknown.height} conditions that are not in the list of "
            f"{len(listed)}. Add them to the list, or leave their rows out."
        )
    gaps = int(found["gaps"].sum())
    if gaps:
        raise ArgumentError(f"records has {gaps:,} rows without a person.")
    return listed


def _refuse_faults_of_persons(people: nw.LazyFrame, rows: int, n_parts: int) -> None:
    import narwhals as nw

    asked = (_one_where(no_id(people, "__person")).sum().alias("gaps"), nw.col("__person").n_unique().alias("distinct"))
    # no person's part can be told from a missing value, so gaps are counted over all
    gaps = int(collected(people.select(asked[0])).item() or 0) if n_parts > 1 else 0
    distinct = 0
    for part in range(n_parts if not gaps else 0):
        counted = collected(share(people, part, n_parts).select(*asked)).row(0, named=True)
        gaps += counted["gaps"] or 0
        distinct += counted["distinct"] or 0
    if gaps:
        raise ArgumentError(f"persons has {gaps:,} rows without a person.")
    if rows > distinct:
        raise ArgumentError(f"persons counts {rows - distinct:,} rows twice: one row per person is needed.")


def of_wide(
    frame: Any, *, conditions: tuple[str, ...], by: tuple[str, ...], values: tuple[str, ...]
) -> tuple[nw.LazyFrame, list[str]]:
    """Return people made of a column for each condition, and the list of conditions."""
    import narwhals as nw

    listed = _distinct(conditions)
    people = engine_frame(frame, columns=(*listed, *by, *values), what="frame")
    schema = people.collect_schema()
    yes_no = {name for name in listed if schema[name] == nw.Boolean}
    for name in listed:
        if name not in yes_no and not schema[name].is_numeric():
            raise ArgumentError(f"Condition column '{name}' is {schema[name]}; it must be Boolean, or 0 and 1.")
    held = people.select(
        *[(nw.col(c) if c in yes_no else nw.col(c).cast(nw.Float64)).alias(f"__c_{k}") for k, c in enumerate(listed)],
        *_renamed(people, by, values),
    )
    columns = [nw.col(f"__c_{k}") for k in range(len(listed))]
    ones = [_one_where(c if name in yes_no else c == 1.0) for c, name in zip(columns, listed, strict=True)]
    gaps = [_one_where(c.is_null()).sum().alias(f"missing {k}") for k, c in enumerate(columns)]
    others = [
        _one_where(~c.is_null() & ~((c == 0.0) | (c == 1.0))).sum().alias(f"other {k}")
        for k, (c, name) in enumerate(zip(columns, listed, strict=True))
        if name not in yes_no
    ]
    faults = collected(held.select(*gaps, *others)).row(0, named=True)
    for k, name in enumerate(listed):
        for word, what in (("missing", "a missing value"), ("other", "something other than 0 and 1")):
            rows = faults.get(f"{word} {k}")
            if rows:
                raise ArgumentError(
                    f"Condition column '{name}' has {what} in {int(rows):,} rows. Say yes or no for every person first."
                )
    kept = [nw.col(name) for name in held.collect_schema().names() if not name.startswith("__c_")]
    return held.select(*words_of(ones), *kept), listed


def _distinct(conditions: tuple[str, ...]) -> list[str]:
    listed = sorted(set(conditions))
    if len(listed) < len(conditions):
        raise ArgumentError("conditions names a column twice.")
    if not listed:
        raise ArgumentError("conditions names no column; at least one is needed.")
    return listed


def of_masks(
    frame: Any, *, conditions: tuple[str, ...], masks: tuple[str, ...], by: tuple[str, ...], values: tuple[str, ...]
) -> nw.LazyFrame:
    """Return people as they come, a set in the bits of one or more columns."""
    import narwhals as nw

    _distinct(conditions)
    people = engine_frame(frame, columns=(*masks, *by, *values), what="frame")
    schema = people.collect_schema()
    if len(masks) != n_words(len(conditions)):
        raise ArgumentError(
            f"{len(conditions)} conditions are the bits of {n_words(len(conditions))} mask columns, 64 to a column; "
            f"mask names {len(masks)}."
        )
    for name in masks:
        if not schema[name].is_integer() or schema[name] in (nw.Int128(), nw.UInt128()):
            raise ArgumentError(f"Mask column '{name}' is {schema[name]}; an integer of up to 64 bits is needed.")
    return people.select(
        *[nw.col(name).alias(f"__mask_{w}") for w, name in enumerate(masks)], *_renamed(people, by, values)
    )


def checked_masks(
    table: pl.DataFrame, words: Sequence[str], conditions: Sequence[str], masks: Sequence[str]
) -> pl.DataFrame:
    """Return collapsed people with their masks as unsigned words; refuse missing values and bits that stand for no condition."""
    for w, (word, name) in enumerate(zip(words, masks, strict=True)):
        gaps = int(table.filter(pl.col(word).is_null())["n_persons"].sum())
        if gaps:
            raise ArgumentError(
                f"Mask column '{name}' has a missing value in {gaps:,} rows: 0 is a person without a condition."
            )
        held = table[word]
        unsigned = held.cast(pl.Int64).reinterpret(signed=False) if held.dtype.is_signed_integer() else held
        table = table.with_columns(unsigned.cast(pl.UInt64).alias(word))
        spare = 64 - min(64, len(conditions) - 64 * w)
        beyond = table[word].to_numpy() >> np.uint64(64 - spare) if spare else np.zeros(table.height)
        rows = int(table.filter(pl.Series(beyond != 0))["n_persons"].sum())
        if rows:
            raise ArgumentError(
                f"Mask column '{name}' has a bit that stands for none of the {len(conditions)} conditions in {rows:,} rows."
            )
    return table


def of_64_bits(table: pl.DataFrame, words: Sequence[str], n_conditions: int) -> pl.DataFrame:
    """Return collapsed people whose engine's words are turned into words of 64 conditions."""
    if len(words) == 1:
        return table.with_columns(pl.col(words[0]).cast(pl.UInt64))
    # each engine's word is 64 bits whose last is empty
    bits = unpack(table.select(words).to_numpy().astype(np.uint64), 64 * len(words))
    full = pack(bits.reshape(-1, len(words), 64)[:, :, :WORD].reshape(-1, len(words) * WORD)[:, :n_conditions])
    return table.drop(words).with_columns([pl.Series(f"mask_{w}", full[:, w]) for w in range(full.shape[1])])
