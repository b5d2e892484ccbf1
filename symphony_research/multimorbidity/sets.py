"""Which sets of conditions there are: found, named, counted within strata, and thinned to closed or maximal ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse.bits import Integers, Words, frequent_sets, pack, unpack
from symphony_research.collapse.closed import closed_sets
from symphony_research.collapse.within_strata import Row, pooled, subset_sums

__all__ = ["WHICH", "as_bits", "as_tuples", "closed_of", "counts_by_stratum", "exact_sums", "kept_of", "sets_of"]

WHICH = ("all", "closed", "maximal")


def sets_of(
    row: Row,
    n_conditions: int,
    *,
    exact: bool,
    min_size: int,
    max_size: int | None,
    min_persons: int,
    sums: Sequence[Integers] = (),
) -> tuple[Words, Integers]:
    """Return the sets that enough people of a row have, and their people and other sums, (F, 1 + V)."""
    words, weights = pooled(row, sums)
    if not exact:
        found = frequent_sets(
            words, weights, n_conditions, min_persons=min_persons, min_size=max(min_size, 1), max_size=max_size
        )
        return found.words, found.sums
    size = unpack(words, n_conditions).sum(axis=1, dtype=np.int64)
    most = n_conditions if max_size is None else max_size
    kept = (size >= min_size) & (size <= most) & (weights[:, 0] >= min_persons)
    return words[kept], weights[kept]


def closed_of(
    row: Row, n_conditions: int, *, which: str, min_size: int, min_persons: int, sums: Sequence[Integers] = ()
) -> tuple[Words, Integers]:
    """Return the closed or maximal sets alone, found directly: there may be few where there are too many sets to list."""
    words, weights = pooled(row, sums)
    maximal = which == "maximal"
    found = closed_sets(words, weights, n_conditions, min_persons=min_persons, min_size=min_size, maximal=maximal)
    return found.words, found.sums


def as_bits(combinations: pl.Series, conditions: Sequence[str]) -> NDArray[np.bool_]:
    """Return lists of condition names as a matrix of sets by conditions."""
    position = {name: k for k, name in enumerate(conditions)}
    inside = np.zeros((len(combinations), len(conditions)), dtype=bool)
    lists = pl.DataFrame({"combination": combinations})
    flat = lists.select(pl.col("combination").list.explode(keep_nulls=False, empty_as_null=False))["combination"]
    rows = np.repeat(np.arange(len(combinations)), combinations.list.len().to_numpy())
    inside[rows, [position[name] for name in flat]] = True
    return inside


def as_tuples(bits: NDArray[np.bool_] | NDArray[np.uint8]) -> list[tuple[int, ...]]:
    """Return sets as tuples of ascending condition numbers."""
    rows, columns = np.nonzero(bits)
    ends = np.cumsum(np.bincount(rows, minlength=len(bits)))
    return [tuple(part.tolist()) for part in np.split(columns, ends[:-1])] if len(bits) else []


def counts_by_stratum(row: Row, words: Words, n_conditions: int, *, exact: bool) -> NDArray[np.float64]:
    """Return the people of each stratum who have each set, (S, F)."""
    if exact:
        return exact_sums(row, words, row.people[:, None].astype(float))[:, :, 0]
    return subset_sums(row, as_tuples(unpack(words, n_conditions)), n_conditions)[:, :, 0]


def exact_sums(row: Row, words: Words, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums of each stratum over those who have exactly each set, (S, F, V)."""
    found = np.zeros((len(row.starts), len(words), weights.shape[1]))
    names = [f"k{w}" for w in range(words.shape[1])]
    stratum = np.repeat(np.arange(len(row.starts)), np.diff([*row.starts, len(row.people)]))
    people = pl.DataFrame(
        {**{k: row.words[:, w] for w, k in enumerate(names)}, "s": stratum, "at": np.arange(len(stratum))}
    )
    sets = pl.DataFrame({**{k: words[:, w] for w, k in enumerate(names)}, "f": np.arange(len(words))})
    met = people.join(sets, on=names)
    found[met["s"].to_numpy(), met["f"].to_numpy()] = weights[met["at"].to_numpy()]
    return found


def kept_of(inside: NDArray[np.bool_], people: pl.Series, which: str) -> NDArray[np.bool_]:
    """Return which sets are closed (no larger set has as many people) or maximal (no larger set is there at all).

    People never grow with the set, so it is enough to look at sets one condition larger.
    """
    kept = np.ones(len(inside), dtype=bool)
    if which == "all" or not len(inside):
        return kept
    words = pack(inside.astype(np.uint8))
    names = [f"k{w}" for w in range(words.shape[1])]
    sets = pl.DataFrame({**{k: words[:, w] for w, k in enumerate(names)}, "f": np.arange(len(words)), "n": people})
    for condition in np.flatnonzero(inside.any(axis=0)):
        held = inside[:, condition]
        smaller = words[held].copy()
        smaller[:, condition // 64] &= np.uint64(~(1 << int(condition % 64)) & (2**64 - 1))
        larger = pl.DataFrame({**{k: smaller[:, w] for w, k in enumerate(names)}, "m": people.filter(pl.Series(held))})
        met = sets.join(larger, on=names)
        if which == "closed":
            met = met.filter(pl.col("n").eq_missing(pl.col("m")))
        kept[met["f"].to_numpy()] = False
    return kept
