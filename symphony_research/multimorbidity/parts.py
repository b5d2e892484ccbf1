"""What people of a combination cost, and what its parts would: the count tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse import Patterns
from symphony_research.collapse.bits import pack, unpack
from symphony_research.collapse.margins import nan_to_null
from symphony_research.collapse.nested import Row
from symphony_research.collapse.patterns import HUNDRED, combination_names
from symphony_research.collapse.sums import herfindahl
from symphony_research.inference import Array
from symphony_research.multimorbidity.expectation import cells_by_stratum
from symphony_research.multimorbidity.sets import as_tuples, exact_sums, sets_of
from symphony_research.policy import looked_for

__all__ = ["COMPARED", "FEWEST", "cost_tables"]

COMPARED = ("n_compared", "n_left_out", "n_fewest", "expected", "excess", "excess_error")
FEWEST = 2  # people of a part in a stratum, from whom a variance can be told


def cost_tables(patterns: Patterns, row: Row, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    """Return the count tables of what combinations and their parts cost, of one row."""
    k, exact, value = len(patterns.conditions), settings["kind"] == "exact", settings["value"]
    if value is None:
        row = Row(row.names, row.words[:0], row.people[:0], row.starts[:0], _without_value(patterns.frame))
        value = "value"
    sums = row.frame[f"{value}__sum"].cast(pl.Float64).to_numpy() / HUNDRED
    squares = row.frame[f"{value}__sum_squares"].cast(pl.Float64).to_numpy() / HUNDRED**2
    weights = np.column_stack([row.people.astype(float), sums, squares])
    words, _ = sets_of(
        row, k, exact=exact, min_size=settings["min_size"], max_size=settings["max_size"],
        min_persons=looked_for(settings["min_persons"]),
    )  # fmt: skip
    bits = unpack(words, k).astype(bool)
    size = bits.sum(axis=1)
    found = np.full((len(words), 11), np.nan)
    for of_size in np.unique(size):
        chosen = np.flatnonzero(size == of_size)
        parts = _parts(row, bits[chosen], int(of_size), weights, exact=exact)
        found[chosen] = _against_parts(parts)
    # as `_against_parts` gives them, by the table that they stand in
    of_cells, of_parts = ("n_persons", "mean", "mean_error", "herfindahl"), (*COMPARED, "herfindahl_of_parts")
    names = ("n_persons", "mean", "mean_error", *COMPARED, "herfindahl", "herfindahl_of_parts")
    columns = {name: found[:, at] for at, name in enumerate(names)}
    frame = (
        pl.DataFrame({"size": size.astype(np.int64), **columns})
        .insert_column(0, combination_names(bits, patterns.conditions))
        .with_columns(pl.col("n_persons", "n_compared", "n_left_out", "n_fewest").cast(pl.Int64))
        .sort(["size", pl.col("combination").list.join(" ")])
    )
    people = int(row.people.sum())
    tables = {
        "cells": frame.select("combination", "size", *of_cells),
        "parts": frame.select("combination", "size", *of_parts),
        "population": pl.DataFrame(
            {
                "n_persons": [people],
                "mean": [float(sums.sum()) / max(people, 1)],
                "herfindahl": herfindahl(np.array([squares.sum()]), np.array([sums.sum()])),
            },
            schema_overrides={"n_persons": pl.Int64},
        ),
    }
    return {name: nan_to_null(table) for name, table in tables.items()}


def _without_value(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.clear().with_columns(pl.lit(0).alias(f"value__{name}") for name in ("sum", "sum_squares"))


def _parts(row: Row, bits: NDArray[np.bool_], k: int, weights: Array, *, exact: bool) -> NDArray[np.float64]:
    """Return people, sum and sum of squares of those with no part, with each part alone, and with all, (S, F, k + 2, 3)."""
    sets = as_tuples(bits)
    if not exact:
        cells = cells_by_stratum(row, sets, bits.shape[1], k, weights)
        return cells[:, :, [0, *(1 << i for i in range(k)), (1 << k) - 1]]
    wanted = np.zeros((len(sets), k + 2, bits.shape[1]), np.uint8)
    for f, one in enumerate(sets):
        wanted[f, np.arange(1, k + 1), list(one)] = 1
        wanted[f, -1, list(one)] = 1
    flat, place = np.unique(wanted.reshape(-1, bits.shape[1]), axis=0, return_inverse=True)
    return exact_sums(row, pack(flat), weights)[:, place.reshape(len(sets), k + 2)]


def _against_parts(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, of each set: people, mean, its error; people compared, left out, fewest of a part; expected, excess, its error."""
    n, total, squares = (parts[..., v] for v in range(3))
    k = parts.shape[2] - 2
    with np.errstate(divide="ignore", invalid="ignore"):
        all_n, all_total, all_squares = (x[:, :, -1].sum(axis=0) for x in (n, total, squares))
        mean = all_total / all_n
        mean_error = np.sqrt(np.maximum(all_squares - all_n * mean**2, 0) / (all_n - 1) / all_n)
        usable = (n[:, :, :-1] >= FEWEST).all(axis=2) & (n[:, :, -1] > 0)
        part_mean = total[:, :, :-1] / n[:, :, :-1]
        spread = np.maximum(squares[:, :, :-1] - n[:, :, :-1] * part_mean**2, 0) / (n[:, :, :-1] - 1) / n[:, :, :-1]
        added = part_mean[:, :, 1:].sum(axis=2) - (k - 1) * part_mean[:, :, 0]
        error = spread[:, :, 1:].sum(axis=2) + (k - 1) ** 2 * spread[:, :, 0]
        own_n, own_total, own_squares = (np.where(usable, x[:, :, -1], 0.0) for x in (n, total, squares))
        added, error = np.where(usable, added, 0.0), np.where(usable, error, 0.0)
        compared = own_n.sum(axis=0)
        expected = (own_n * added).sum(axis=0) / compared
        excess = own_total.sum(axis=0) / compared - expected
        # of the combination's people: how far each is from what the parts of their stratum add up to
        own = (own_squares - 2 * added * own_total + own_n * added**2).sum(axis=0) - compared * excess**2
        variance = np.maximum(own, 0) / (compared - 1) / compared + (own_n**2 * error).sum(axis=0) / compared**2
        fewest = np.where(usable[:, :, None], n[:, :, :-1], 0.0).sum(axis=0).min(axis=1)
        # of those with all, and the most concentrated of the groups that are compared
        compared_only = usable[:, :, None]
        shares = herfindahl(*(np.where(compared_only, x, 0.0).sum(axis=0) for x in (squares, total)))
        concentrated = np.nanmax(np.nan_to_num(shares), axis=1)
    some = compared >= FEWEST
    blank = np.where(some, 1.0, np.nan)
    return np.column_stack(
        [
            all_n,
            mean,
            mean_error,
            compared,
            all_n - compared,
            fewest,
            expected * blank,
            excess * blank,
            np.sqrt(variance) * blank,
            herfindahl(all_squares, all_total),
            concentrated,
        ]
    )
