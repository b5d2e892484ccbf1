"""Strata within rows: patterns kept apart for adjustment, and sums of given sets in each stratum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse.bits import Integers, Words, n_words, pair_sums, unpack
from symphony_research.collapse.frames import names_of, runs
from symphony_research.collapse.patterns import Patterns
from symphony_research.errors import ArgumentError

__all__ = ["Row", "pooled", "rows_of", "split_strata", "strata_pairs", "subset_sums", "tables_of_rows"]

MOST_CELLS = 2**22  # sets x conditions unpacked at once


@dataclass(frozen=True)
class Row:
    """The patterns of one row of a result, in order of the strata that are adjusted for.

    Attributes
    ----------
    names : mapping
        The row's strata.
    words, people : arrays
        Sets (n, W) and people (n,).
    starts : array
        Where each of the S strata begins.
    frame : polars.DataFrame
        The same rows of `Patterns.frame`.
    """

    names: Mapping[str, Any]
    words: Words
    people: Integers
    starts: Integers
    frame: pl.DataFrame

    @property
    def stratum_people(self) -> Integers:
        """People of each stratum."""
        return np.add.reduceat(self.people, self.starts) if len(self.starts) else np.zeros(0, np.int64)

    def strata(self) -> Iterator[slice]:
        """Go through the strata."""
        stops = [*self.starts[1:], len(self.people)] if len(self.starts) else []
        yield from (slice(int(start), int(stop)) for start, stop in zip(self.starts, stops, strict=True))


def split_strata(patterns: Patterns, adjust: str | Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the strata that become rows, and those that are summed over.

    Raises
    ------
    ArgumentError
        If the patterns carry no such stratum.
    """
    adjust = names_of(adjust, patterns.by)
    if len(set(adjust)) < len(adjust):
        raise ArgumentError(f"adjust names a stratum twice: {', '.join(adjust)}.")
    unknown = [name for name in adjust if name not in patterns.by]
    if unknown:
        carried = ", ".join(patterns.by) or "none"
        raise ArgumentError(
            f"adjust names {', '.join(unknown)}, which the patterns do not carry. Strata: {carried}. "
            "Collapse with by= these columns first."
        )
    return tuple(name for name in patterns.by if name not in adjust), adjust


def rows_of(patterns: Patterns, by: Sequence[str], adjust: Sequence[str]) -> Iterator[Row]:
    """Go through the rows of a result; one empty row where there are no people and no strata."""
    order = [*by, *adjust]
    frame = patterns.frame if order == list(patterns.by) else patterns.frame.sort(order, nulls_last=True)
    masks = [f"mask_{w}" for w in range(n_words(len(patterns.conditions)))]
    words = frame.select(masks).to_numpy().astype(np.uint64, copy=False)
    people = frame["n_persons"].to_numpy()
    for names, start, stop in runs(frame, by):
        part = frame.slice(start, stop - start)
        yield Row(names, words[start:stop], people[start:stop], _starts(part, adjust), part)


def _starts(frame: pl.DataFrame, adjust: Sequence[str]) -> Integers:
    return np.array([start for _, start, stop in runs(frame, adjust) if stop > start], dtype=np.int64)


def tables_of_rows(
    patterns: Patterns,
    by: Sequence[str],
    adjust: Sequence[str],
    build: Callable[[Row], Mapping[str, pl.DataFrame]],
) -> dict[str, pl.DataFrame]:
    """Stack the tables that `build` makes of each row, its strata in front; without rows where nobody is in any stratum."""

    def named(row: Row) -> dict[str, pl.DataFrame]:
        strata = [pl.lit(level, dtype=patterns.frame.schema[name]).alias(name) for name, level in row.names.items()]
        return {name: table.select([*strata, pl.all()]) for name, table in build(row).items()}

    made = [named(row) for row in rows_of(patterns, by, adjust)]
    if made:
        return {name: pl.concat([tables[name] for tables in made]) for name in made[0]}
    none = np.zeros(0, dtype=np.int64)
    nobody = Row(dict.fromkeys(by), patterns.words[:0], none, none, patterns.frame.clear())
    return {name: table.clear() for name, table in named(nobody).items()}


def pooled(row: Row, sums: Sequence[Integers] = ()) -> tuple[Words, Integers]:
    """Return the row's distinct sets over all its strata, with their people and any other sums, (n, 1 + V)."""
    weights = np.column_stack([row.people, *sums])
    if len(row.starts) < 2:
        return row.words, weights
    keys = {f"k{w}": row.words[:, w] for w in range(row.words.shape[1])}
    values = {f"v{v}": weights[:, v] for v in range(weights.shape[1])}
    merged = pl.DataFrame({**keys, **values}).group_by(list(keys)).agg(pl.col(list(values)).sum()).sort(list(keys))
    return merged.select(list(keys)).to_numpy(), merged.select(list(values)).to_numpy()


def strata_pairs(row: Row, n_conditions: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return people with each condition (S, K), and with both of each pair (S, K, K), of every stratum."""
    pairs = np.zeros((len(row.starts), n_conditions, n_conditions), np.int64)
    for s, stratum in enumerate(row.strata()):
        pairs[s] = pair_sums(row.words[stratum], row.people[stratum], n_conditions)
    return np.diagonal(pairs, axis1=1, axis2=2), pairs


def subset_sums(
    row: Row, sets: Sequence[tuple[int, ...]], n_conditions: int, weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the sums of each stratum over those who have at least each given set, (S, sets, V).

    Sets are taken in order of their conditions, so that those with a common
    beginning are counted among the people who have it: each step looks at fewer.

    Parameters
    ----------
    row : Row
    sets : sequence of tuple of int
        Condition numbers in ascending order; the empty set is everybody.
    n_conditions : int
        Number of conditions K.
    weights : (n, V) array, optional
        What to sum; by default people.
    """
    weights = row.people[:, None].astype(float) if weights is None else weights
    n_strata = len(row.starts)
    found = np.zeros((n_strata, len(sets), weights.shape[1]))
    if not n_strata:
        return found
    stratum_of = np.repeat(np.arange(n_strata), np.diff([*row.starts, len(row.people)]))
    bits = unpack(row.words, n_conditions).astype(bool)
    order = sorted(range(len(sets)), key=lambda at: sets[at])
    every = np.arange(len(row.people))
    # the people who have each beginning of the set at hand
    path: list[tuple[int, NDArray[np.intp]]] = []
    for at in order:
        wanted = sets[at]
        common = 0
        while common < min(len(path), len(wanted)) and path[common][0] == wanted[common]:
            common += 1
        del path[common:]
        for condition in wanted[common:]:
            among = path[-1][1] if path else every
            path.append((condition, among[bits[among, condition]]))
        held = path[-1][1] if path else every
        for v in range(weights.shape[1]):
            found[:, at, v] = np.bincount(stratum_of[held], weights=weights[held, v], minlength=n_strata)
    return found
