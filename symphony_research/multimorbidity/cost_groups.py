"""What people of a combination cost, and what its parts would: the count tables, and the comparison made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse import Patterns
from symphony_research.collapse.bits import pack, unpack
from symphony_research.collapse.margins import nan_to_null
from symphony_research.collapse.patterns import HUNDRED, combination_names
from symphony_research.collapse.sums import herfindahl
from symphony_research.collapse.within_strata import Row
from symphony_research.inference import Array
from symphony_research.multimorbidity.expectation import cells_by_stratum
from symphony_research.multimorbidity.sets import as_tuples, exact_sums, sets_of
from symphony_research.policy import mining_threshold

__all__ = ["FEWEST", "against_parts", "cost_tables"]

FEWEST = 2  # people of a part in a stratum, from whom a variance can be told
OF_ALL = ("n_persons", "mean", "mean_error", "herfindahl")
GROUPS = ("n", "sum", "sum_squares")
COUNTED = ("n_compared", "n_left_out", "n_fewest")
COMPARED = (*COUNTED, "expected", "excess", "excess_error", "herfindahl_of_parts")


def cost_tables(patterns: Patterns, row: Row, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    """Return the count tables of what combinations and their parts cost, of one row.

    `groups` stands row by row beside `cells` and is never released: of each set, the people, sum and sum of
    squares of those with no part, with each part alone and with all, stratum after stratum.
    """
    k, exact, value = len(patterns.conditions), settings["kind"] == "exact", settings["value"]
    if value is None:
        row = Row(row.names, row.words[:0], row.people[:0], row.starts[:0], _without_value(patterns.frame))
        value = "value"
    sums = row.frame[f"{value}__sum"].cast(pl.Float64).to_numpy() / HUNDRED
    squares = row.frame[f"{value}__sum_squares"].cast(pl.Float64).to_numpy() / HUNDRED**2
    weights = np.column_stack([row.people.astype(float), sums, squares])
    words, _ = sets_of(
        row, k, exact=exact, min_size=settings["min_size"], max_size=settings["max_size"],
        min_persons=mining_threshold(settings["min_persons"]),
    )  # fmt: skip
    bits = unpack(words, k).astype(bool)
    size = bits.sum(axis=1)
    schema: dict[str, Any] = {"combination": pl.List(pl.String), "size": pl.Int64}
    schema |= dict.fromkeys(OF_ALL, pl.Float64) | dict.fromkeys(GROUPS, pl.List(pl.Float64))
    made = [pl.DataFrame(schema=schema)]
    for of_size in np.unique(size):
        chosen = bits[size == of_size]
        parts = _parts(row, chosen, int(of_size), weights, exact=exact)
        # of each set, its strata one after the other
        flat = parts.transpose(3, 1, 0, 2).reshape(len(GROUPS), len(chosen), -1)
        columns = {
            "combination": combination_names(chosen, patterns.conditions),
            "size": np.full(len(chosen), of_size, np.int64),
            **dict(zip(OF_ALL, _of_all(parts[:, :, -1]), strict=True)),
            **{name: pl.Series(values).arr.to_list() for name, values in zip(GROUPS, flat, strict=True)},
        }
        made.append(pl.DataFrame(columns, schema=schema))
    frame = pl.concat(made).with_columns(pl.col("n_persons").cast(pl.Int64))
    frame = frame.sort(["size", pl.col("combination").list.join(" ")])
    people = int(row.people.sum())
    tables = {
        "cells": frame.select("combination", "size", *OF_ALL),
        "groups": frame.select("size", *GROUPS),
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


def against_parts(groups: pl.DataFrame, *, fewest: int = FEWEST, averaged: int = 0) -> pl.DataFrame:
    """Set sets against the sum of their parts, row by row beside the table `groups` of `cost_tables`.

    Parameters
    ----------
    groups : polars.DataFrame
    fewest : int
        Parts are added up in strata where each of them has so many people.
    averaged : int
        People of the set in another stratum, up to so many, are not excluded: what their parts add up to is
        taken to be what it is on average for the others.

    Returns
    -------
    polars.DataFrame
        `n_compared` (people of the set where parts are added up), `n_left_out`, `n_fewest` (the fewest people of
        a part there), `expected`, `excess`, `excess_error`, and `herfindahl_of_parts`: of the most concentrated
        of the weighted sums that the comparison is made of.
    """
    found = np.full((groups.height, len(COMPARED)), np.nan)
    alike = groups.select("size", pl.col("n").list.len().alias("long")).with_row_index("row")
    for (size, long), rows in alike.partition_by("size", "long", as_dict=True).items():
        at = rows["row"].to_numpy()
        shape = (len(at), long // (size + 2), size + 2)
        arrays = (groups[name].gather(at).explode().to_numpy().reshape(shape) for name in GROUPS)
        found[at] = _against_parts(
            *(np.ascontiguousarray(a.transpose(1, 0, 2)) for a in arrays), fewest=fewest, averaged=averaged
        )
    frame = pl.DataFrame({name: found[:, v] for v, name in enumerate(COMPARED)})
    return nan_to_null(frame.with_columns(pl.col(COUNTED).cast(pl.Int64)))


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


def _of_all(parts: NDArray[np.float64]) -> tuple[Array, ...]:
    """Return, of each set: people, mean, its error, and how concentrated the values are."""
    n, total, squares = (parts[..., v].sum(axis=0) for v in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / n
        error = np.sqrt(np.maximum(squares - n * mean**2, 0) / (n - 1) / n)
    return n, mean, error, herfindahl(squares, total)


def _against_parts(n: Array, total: Array, squares: Array, *, fewest: int, averaged: int) -> NDArray[np.float64]:
    """Return `COMPARED` of each set, from what its parts and it are in each stratum, (S, F, k + 2)."""
    k = n.shape[2] - 2
    with np.errstate(divide="ignore", invalid="ignore"):
        usable = (n[:, :, :-1] >= fewest).all(axis=2) & (n[:, :, -1] > 0)
        part_mean = total[:, :, :-1] / n[:, :, :-1]
        spread = np.maximum(squares[:, :, :-1] - n[:, :, :-1] * part_mean**2, 0) / (n[:, :, :-1] - 1) / n[:, :, :-1]
        added = part_mean[:, :, 1:].sum(axis=2) - (k - 1) * part_mean[:, :, 0]
        error = spread[:, :, 1:].sum(axis=2) + (k - 1) ** 2 * spread[:, :, 0]
        error = np.where(usable, error, 0.0)
        weight = np.where(usable, n[:, :, -1], 0.0)
        compared = weight.sum(axis=0)
        expected = (weight * np.where(usable, added, 0.0)).sum(axis=0) / compared
        kept = usable | (n[:, :, -1] <= averaged)
        added = np.where(usable, added, np.where(kept, expected, 0.0))
        own_n, own_total, own_squares = (np.where(kept, x[:, :, -1], 0.0) for x in (n, total, squares))
        people = own_n.sum(axis=0)
        excess = own_total.sum(axis=0) / people - expected
        # of the combination's people: how far each is from what the parts of their stratum add up to
        own = (own_squares - 2 * added * own_total + own_n * added**2).sum(axis=0) - people * excess**2
        variance = np.maximum(own, 0) / (people - 1) / people + (weight**2 * error).sum(axis=0) / compared**2
        least = np.where(usable[:, :, None], n[:, :, :-1], 0.0).sum(axis=0).min(axis=1)
        # each person of a part counts as often as the combination's people of their stratum do
        times = np.where(usable[:, :, None], weight[:, :, None] / n[:, :, :-1], 0.0)
        of_parts = herfindahl((times**2 * squares[:, :, :-1]).sum(axis=0), (times * total[:, :, :-1]).sum(axis=0))
        of_own = herfindahl(own_squares.sum(axis=0), own_total.sum(axis=0))
        concentrated = np.nan_to_num(np.column_stack([of_parts, of_own])).max(axis=1)
    blank = np.where(compared >= FEWEST, 1.0, np.nan)
    return np.column_stack(
        [
            compared,
            n[:, :, -1].sum(axis=0) - people,
            least,
            expected * blank,
            excess * blank,
            np.sqrt(variance) * blank,
            concentrated,
        ]
    )
