"""Names in patterns: sets of conditions in words, and the columns that are ours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from symphony_research.collapse.frames import refuse_names
from symphony_research.collapse.sums import STATISTICS

__all__ = ["combination_names", "refuse_our_names"]

_RESERVED = (
    "combination", "condition", "cosine", "estimate", "expected", "ic_lower", "information_component", "jaccard",
    "lower", "n_both", "n_conditions", "n_persons", "n_source", "n_target", "observed_expected", "odds_ratio",
    "oe_lower", "oe_upper", "overlap", "p_value", "person", "phi", "q_value", "size", "source", "target", "upper",
)  # fmt: skip


def combination_names(bits: np.ndarray, conditions: Sequence[str]) -> pl.Series:
    """Return rows of 0 and 1 as lists of condition names."""
    rows, columns = np.nonzero(bits)
    names = pl.Series("combination", list(conditions), dtype=pl.String).gather(columns)
    held = pl.DataFrame(
        {"row": rows, "combination": names},
        schema={"row": pl.Int64, "combination": pl.String},
    )
    lists = held.group_by("row", maintain_order=True).agg("combination")
    every = pl.DataFrame({"row": np.arange(len(bits))}, schema={"row": pl.Int64}).join(
        lists, on="row", how="left", maintain_order="left"
    )
    return every["combination"].fill_null(pl.Series([[]], dtype=pl.List(pl.String)))


def refuse_our_names(by: tuple[str, ...], values: tuple[str, ...]) -> None:
    """Refuse strata and values that are called as columns of results are."""
    made = [f"{value}_{name}" for value in values for name in (*STATISTICS, *(f"_{name}" for name in STATISTICS))]
    made += [f"{word}_{value}" for value in values for word in ("mean", "total")]
    masks = [name for name in (*by, *values) if name.startswith("mask_")]
    refuse_names(by, (*_RESERVED, *masks, *made), what="by")
    refuse_names(values, (*_RESERVED, *masks), what="values")
