"""Coefficients as exact as the rounded counts behind them: the smallest cell of each, and the step that it is rounded to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from symphony_research.inference import Array
from symphony_research.inference.coefficients import FEWEST_FREE, as_exact_as_counts, nice_step

__all__ = ["FEWEST_FREE", "Tables", "as_exact_as_counts", "nice_step", "smallest_cells"]

Tables = Mapping[str, pl.DataFrame]


def smallest_cells(tables: Tables) -> Array:
    """Return the smallest of the people and events of each level and of the one that it is compared with."""
    cell = pl.min_horizontal("n_persons", "n_events")
    against = tables["references"].select("variable", cell.alias("__cell"))
    frame = tables["coefficients"].join(against, on="variable", how="left", maintain_order="left")
    return np.asarray(frame.select(pl.min_horizontal(cell, "__cell")).to_series().cast(pl.Float64).to_numpy())
