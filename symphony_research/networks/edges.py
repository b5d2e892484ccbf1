"""The links of a network: pairs above expected, weighed by a measure, as a matrix for each stratum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from symphony_research.collapse.margins import same_stratum
from symphony_research.errors import ArgumentError
from symphony_research.inference import Array
from symphony_research.networks.cooccurrence import Cooccurrence
from symphony_research.words.lexicon import COLUMN_WORDS, in_words

__all__ = [
    "MEASURES",
    "in_stratum",
    "measure_words",
    "require_network",
    "require_own_names",
    "weighable",
    "weight_matrix",
]

MEASURES = ("observed_expected", "phi", "odds_ratio", "jaccard", "cosine", "overlap", "n_both")


def weighable(measure: str) -> pl.Expr:
    """Where a pair can be weighed: its people are shown, and it has a finite measure above zero."""
    return (pl.col("n_both") > 0).fill_null(False) & (pl.col(measure).cast(pl.Float64) > 0).fill_null(False)


def weight_matrix(conditions: pl.Series, pairs: pl.DataFrame, measure: str) -> Array:
    """Return the symmetric matrix of weights of one stratum's pairs; 0 where there is no link.

    Parameters
    ----------
    conditions : (n,) series of str
        Rows and columns of the matrix.
    pairs : polars.DataFrame
        `source`, `target` and the measure.
    measure : str
        One of `MEASURES`.
    """
    place = {name: k for k, name in enumerate(conditions)}
    matrix = np.zeros((len(place), len(place)))
    for source, target, weight in pairs.filter(weighable(measure)).select("source", "target", measure).iter_rows():
        i, j = place[source], place[target]
        matrix[i, j] = matrix[j, i] = float(weight)
    return matrix


def measure_words(measure: str) -> str:
    """Return a measure within a phrase: "observed/expected ratio"."""
    words = COLUMN_WORDS.get(measure, in_words(measure))
    return words if words.startswith("Jaccard") else words[0].lower() + words[1:]


def require_network(network: object, function: str) -> None:
    """Raise ArgumentError unless it is a network of co-occurrence."""
    if not isinstance(network, Cooccurrence):
        raise ArgumentError(
            f"{function} takes what networks.cooccurrence or networks.backbone returns, not {type(network).__name__}."
        )


def require_own_names(by: tuple[str, ...], columns: tuple[str, ...], function: str) -> None:
    """Raise ArgumentError where a stratum is called as a column the result has itself."""
    taken = [name for name in by if name in columns]
    if taken:
        raise ArgumentError(
            f"The result of {function} has a column {', '.join(taken)} of its own: rename the stratum before collapsing."
        )


def in_stratum(frame: pl.DataFrame, record: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
    """Return the rows of the stratum of a row."""
    return same_stratum(frame, {name: record[name] for name in by})
