"""Counts of one and two conditions by stratum, and the small steps every pattern family shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from symphony_research.collapse.bits import single_sums
from symphony_research.collapse.leaving import is_suppressed
from symphony_research.collapse.patterns import Patterns
from symphony_research.inference import Array

__all__ = [
    "as_float",
    "attributes_of",
    "beside",
    "nan_to_null",
    "pattern_settings",
    "possible_table",
    "same_stratum",
    "split",
    "strata_margins",
    "stratum_schema",
]


def strata_margins(patterns: Patterns) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return people with each condition, and people, by stratum; every condition listed in every stratum."""
    rows = []
    for names, words, people in patterns.parts():
        held = single_sums(words, people, len(patterns.conditions))
        for condition, n in zip(patterns.conditions, held, strict=True):
            rows.append((*names.values(), condition, int(n)))
    schema = {**stratum_schema(patterns), "condition": pl.String, "n_persons": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row"), patterns.strata


def stratum_schema(patterns: Patterns) -> dict[str, Any]:
    """Return the strata's columns with their types."""
    return {name: patterns.frame.schema[name] for name in patterns.by}


def same_stratum(frame: pl.DataFrame, names: Mapping[str, Any]) -> pl.DataFrame:
    """Return the rows of one stratum; a missing value is a stratum of its own."""
    for column, value in names.items():
        frame = frame.filter(pl.col(column).eq_missing(pl.lit(value, dtype=frame.schema[column])))
    return frame


def split(by: tuple[str, ...], first: pl.DataFrame, *others: pl.DataFrame) -> Iterator[list[pl.DataFrame]]:
    """Go through the strata of the first frame with the rows of each frame; once, even where there is no stratum."""
    if not by or not first.height:
        yield [first, *others]
        return
    parts = [
        {tuple(map(repr, key)): part for key, part in frame.partition_by(by, as_dict=True).items()}
        for frame in (first, *others)
    ]
    for key in parts[0]:
        yield [own[key] if key in own else frame.clear() for own, frame in zip(parts, (first, *others), strict=True)]


def beside(table: pl.DataFrame, of_strata: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Return a table with the columns that each of its strata has; all rows have the same where there are none."""
    if not by:
        return table.join(of_strata, how="cross")
    return table.join(of_strata, on=by, how="left", nulls_equal=True, maintain_order="left")


def nan_to_null(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with "does not exist" as null, the only missing value readers meet."""
    floats = [c for c, t in frame.schema.items() if t.is_float()]
    return frame.with_columns([pl.col(c).fill_nan(None) for c in floats])


def as_float(column: pl.Series) -> Array:
    """Return counts as floats, a suppressed one as NaN."""
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def pattern_settings(patterns: Patterns, method: str, reference: str, **arguments: Any) -> dict[str, Any]:
    """Return the settings of a result made from patterns."""
    return {
        "method": method,
        "reference": reference,
        "conditions": list(patterns.conditions),
        "values": list(patterns.values),
        **arguments,
        **patterns.provenance.as_settings(),
        **_handling(patterns),
    }


def _handling(patterns: Patterns) -> dict[str, Any]:
    """Return what a site file said of the patterns, and a warning where people are missing."""
    if not patterns.handling:
        return {}
    said: dict[str, Any] = {"handling": list(patterns.handling)}
    if is_suppressed(patterns.handling):
        missing = "Made from suppressed patterns: people whose set of conditions too few share are missing."
        said["note"] = f"{patterns.provenance.note} {missing}".strip()
    return said


def possible_table(both: Array, first: Array, second: Array, n: float | Array) -> tuple[Array, Array, Array, Array]:
    """Return rounded counts as a table that can exist: nobody has both without having each."""
    first, second = np.minimum(first, n), np.minimum(second, n)
    return (
        np.clip(both, np.maximum(0, first + second - n), np.minimum(first, second)),
        first,
        second,
        np.full_like(both, n),
    )


def attributes_of(record: Mapping[str, Any], *, but: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a node or edge of a graph carries: what there is, since formats of graphs have no word for a missing value."""
    return {name: value for name, value in record.items() if name not in but and value is not None}
