"""Sets of conditions as rows of 64-bit words, and the three things done to many of them.

A set is a row of W unsigned words; condition number k is bit k % 64 of word
k // 64. Arrays here are (n, W) words with (n, V) integer weights beside them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symphony_research.errors import ArgumentError

__all__ = ["FrequentSets", "frequent_sets", "n_words", "pack", "pair_sums", "unpack"]

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]

CHUNK = 131_072
MOST_SETS = 5_000_000


def n_words(n_conditions: int) -> int:
    """Number of 64-bit words that hold this many conditions, at least one."""
    return max(1, -(-n_conditions // 64))


def unpack(words: Words, n_conditions: int) -> NDArray[np.uint8]:
    """Return sets as a matrix of 0 and 1, one column a condition."""
    little = np.ascontiguousarray(words, dtype="<u8")
    bits = np.unpackbits(little.view(np.uint8), axis=1, bitorder="little")
    return bits[:, :n_conditions]


def pack(bits: NDArray[np.uint8]) -> Words:
    """Return a matrix of 0 and 1 as sets of words."""
    width = 64 * n_words(bits.shape[1])
    padded = np.zeros((bits.shape[0], width), dtype=np.uint8)
    padded[:, : bits.shape[1]] = bits
    return np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def pair_sums(words: Words, weights: Integers, n_conditions: int) -> Integers:
    """Return the K x K matrix of people with both conditions; its diagonal holds the people with each.

    The products run in double precision, exact below 2**53 people.
    """
    total = np.zeros((n_conditions, n_conditions))
    for start in range(0, len(words), CHUNK):
        bits = unpack(words[start : start + CHUNK], n_conditions).astype(np.float64)
        total += bits.T @ (bits * weights[start : start + CHUNK, None])
    return np.rint(total).astype(np.int64)


@dataclass(frozen=True)
class FrequentSets:
    """Sets held by enough people (perhaps with other conditions), and their summed weights."""

    words: Words
    sums: Integers


def frequent_sets(
    words: Words,
    weights: Integers,
    n_conditions: int,
    *,
    min_persons: int,
    min_size: int,
    max_size: int | None,
) -> FrequentSets:
    """Find every set that at least `min_persons` people have, whatever else they have.

    Conditions are renumbered from the rarest to the commonest. The people with
    the rarest condition of a set are taken aside, that condition is peeled off
    and equal remainders are merged, so each step works on fewer, smaller
    patterns (the idea of FP-growth, on distinct weighted masks).

    Parameters
    ----------
    words : (n, W) array
        Distinct sets.
    weights : (n, 1 + V) array
        People with exactly that set, then any sums carried along.
    n_conditions : int
        Number of conditions K.
    min_persons, min_size, max_size : int
        Which sets to return.

    Raises
    ------
    ArgumentError
        If more than five million sets are frequent: raise `min_persons` or set `max_size`.
    """
    largest = n_conditions if max_size is None else min(max_size, n_conditions)
    singles = np.zeros(n_conditions)
    for start in range(0, len(words), CHUNK):
        singles += weights[start : start + CHUNK, 0] @ unpack(words[start : start + CHUNK], n_conditions)
    kept = np.flatnonzero(singles >= max(min_persons, 1))
    order = kept[np.argsort(singles[kept], kind="stable")]
    width = len(order)
    found: list[tuple[tuple[int, ...], Integers, Integers]] = []
    count = 0

    def grow(
        bits: NDArray[np.uint8],
        sums: Integers,
        prefix: tuple[int, ...],
        items: Integers,
    ) -> None:
        nonlocal count
        # bits has one column for each of `items`, which are ordered from rare to common
        totals = np.rint(bits.T.astype(np.float64) @ sums[:, :1].astype(np.float64)).astype(np.int64)[:, 0]
        frequent = np.flatnonzero(totals >= max(min_persons, 1))
        if not len(frequent):
            return
        size = len(prefix) + 1
        if size >= min_size:
            exact = bits[:, frequent].T.astype(np.int64) @ sums if sums.shape[1] > 1 else totals[frequent, None]
            found.append((prefix, items[frequent], exact))
            count += len(frequent)
            if count > MOST_SETS:
                raise ArgumentError(
                    f"More than {MOST_SETS:,} sets are held by at least {min_persons} people. "
                    "Raise min_persons, or set max_size."
                )
        if size >= largest:
            return
        bits, items = bits[:, frequent], items[frequent]
        for position in range(len(items) - 1):
            chosen = bits[:, position] == 1
            rest = bits[chosen, position + 1 :]
            some = rest.any(axis=1)
            if some.any():
                merged, merged_sums = _merge(rest[some], sums[chosen][some])
                grow(
                    merged,
                    merged_sums,
                    (*prefix, int(items[position])),
                    items[position + 1 :],
                )

    if width:
        bits = np.concatenate(
            [unpack(words[s : s + CHUNK], n_conditions)[:, order] for s in range(0, len(words), CHUNK)]
        )
        grow(*_merge(bits, weights), (), np.arange(width))
    return _assemble(found, order, n_conditions, weights.shape[1])


def _merge(bits: NDArray[np.uint8], sums: Integers) -> tuple[NDArray[np.uint8], Integers]:
    """Add up the sums of equal rows."""
    if len(bits) < 64:
        return bits, sums
    words = pack(bits)
    order = np.lexsort(words.T)
    ordered = words[order]
    first = np.empty(len(ordered), dtype=bool)
    first[0] = True
    np.any(ordered[1:] != ordered[:-1], axis=1, out=first[1:])
    starts = np.flatnonzero(first)
    return bits[order[starts]], np.add.reduceat(sums[order], starts, axis=0)


def _assemble(
    found: list[tuple[tuple[int, ...], Integers, Integers]],
    order: Integers,
    n_conditions: int,
    n_sums: int,
) -> FrequentSets:
    n_sets = sum(len(items) for _, items, _ in found)
    bits = np.zeros((n_sets, n_conditions), dtype=np.uint8)
    sums = np.zeros((n_sets, n_sums), dtype=np.int64)
    at = 0
    for prefix, items, totals in found:
        stop = at + len(items)
        if prefix:
            bits[at:stop, order[list(prefix)]] = 1
        bits[np.arange(at, stop), order[items]] = 1
        sums[at:stop] = totals
        at = stop
    return FrequentSets(pack(bits), sums)
