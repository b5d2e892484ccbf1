"""Frames in which each row is a set of conditions: columns of 64 bits, read as words, renumbered, and added up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from symphony_research.collapse.bits import Words, n_words, renumber
from symphony_research.collapse.levels import with_common_levels

__all__ = ["mask_columns", "pooled", "renumbered", "words_of"]


def mask_columns(n_conditions: int) -> list[str]:
    """Return the names of the columns that hold sets of so many conditions."""
    return [f"mask_{w}" for w in range(n_words(n_conditions))]


def words_of(frame: pl.DataFrame, n_conditions: int) -> Words:
    """Return the sets of a frame as an (n, W) array of words."""
    return frame.select(mask_columns(n_conditions)).to_numpy().astype(np.uint64, copy=False)


def renumbered(
    frame: pl.DataFrame, by: Sequence[str], conditions: Sequence[str], listed: Sequence[str]
) -> pl.DataFrame:
    """Return a frame whose sets are of another list of conditions; those that it leaves out nobody may have."""
    if tuple(listed) == tuple(conditions):
        return frame
    place = {name: at for at, name in enumerate(listed)}
    words = renumber(words_of(frame, len(conditions)), [place.get(name) for name in conditions], len(listed))
    masks = [pl.Series(f"mask_{w}", words[:, w]) for w in range(words.shape[1])]
    rest = frame.drop([c for c in frame.columns if c.startswith("mask_")])
    return rest.select(pl.col(by), *masks, pl.all().exclude(by))


def pooled(frames: Sequence[pl.DataFrame], by: Sequence[str], n_conditions: int) -> pl.DataFrame:
    """Add up frames of one list of conditions: one row for each stratum and set."""
    keys = [*by, *mask_columns(n_conditions)]
    sums = [c for c in frames[0].columns if c not in keys]
    return (
        pl.concat(with_common_levels(frames, by), how="vertical_relaxed")
        .group_by(keys)
        .agg(pl.col(sums).sum())
        .sort(keys, nulls_last=True)
    )
