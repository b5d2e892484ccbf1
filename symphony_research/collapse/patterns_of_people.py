"""Who has several rows of a collapsed table: people counted by the rows that they have, which is all that a variance by person needs."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

__all__ = ["PATTERN", "PEOPLE", "ROWS", "people_by_rows"]

PATTERN, ROWS, PEOPLE = "__pattern", "__rows", "__people"


def people_by_rows(rows: pl.DataFrame, keys: Sequence[str], *, person: str = "person_id") -> pl.DataFrame:
    """Count people by the rows that they have.

    Parameters
    ----------
    rows : polars.DataFrame
        One row an index date or a discharge, with the person's id and what the table is collapsed by.
    keys : sequence of str
        What it is collapsed by.
    person : str, default "person_id"

    Returns
    -------
    polars.DataFrame
        `keys`; `__pattern`, a number that all people with the same rows share; `__rows`, how often each of them has the row; and
        `__people`, how many they are. Ids are not in it.

    Examples
    --------
    >>> rows = pl.DataFrame({"person_id": [7, 7, 8, 8, 9], "time": [1, 3, 3, 1, 3]})
    >>> people_by_rows(rows, ["time"]).rows()
    [(1, 0, 1, 2), (3, 0, 1, 2), (3, 1, 1, 1)]
    """
    cells = rows.select(keys).unique(maintain_order=True).with_row_index("__cell")
    own = rows.select(person, *keys).join(cells, on=list(keys), how="left", nulls_equal=True)
    own = own.group_by(person, "__cell").agg(pl.len().alias(ROWS))
    told = own.sort(person, "__cell").group_by(person, maintain_order=True)
    signed = told.agg(pl.concat_str("__cell", ROWS, separator="x").str.join(" ").alias("__sign"))
    counted = (
        signed.group_by("__sign").agg(pl.len().cast(pl.Int64).alias(PEOPLE), pl.col(person).first()).sort("__sign")
    )
    counted = counted.with_row_index(PATTERN).with_columns(pl.col(PATTERN).cast(pl.Int64))
    found = own.join(counted, on=person, how="inner").join(cells, on="__cell", how="left")
    return found.sort(PATTERN, "__cell").select(*keys, PATTERN, pl.col(ROWS).cast(pl.Int64), PEOPLE)
