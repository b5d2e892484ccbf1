"""Sets of conditions as rows of 64-bit words, and the three things done to many of them.

A set is a row of W unsigned words; condition number k is bit k % 64 of word
k // 64. Arrays here are (n, W) words with (n, V) integer weights beside them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.errors import ArgumentError

__all__ = ["FrequentSets", "frequent_sets", "n_words", "pack", "pair_sums", "renumber", "single_sums", "unpack"]

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]

CHUNK = 131_072
MANY = 65_536  # rows from which tallying pairs of bytes is quicker than a matrix product
MOST_SETS = 5_000_000
MOST_CELLS = 64 * MOST_SETS  # sets times conditions: a long list of conditions bears fewer
FEW = 256  # rows under which unpacking every bit is quicker than tallying bytes
TALLIED = 11  # conditions whose every set is tallied at once
ALL = np.array([2**64 - 1], dtype=np.uint64)
WORTH_MERGING = 64  # rows under which sorting costs more than it saves
PEEL = 6  # conditions peeled off between two merges of equal remainders


def n_words(n_conditions: int) -> int:
    """Return the number of 64-bit words that hold this many conditions, at least one."""
    return max(1, -(-n_conditions // 64))


def unpack(words: Words, n_conditions: int) -> NDArray[np.uint8]:
    """Return sets as a matrix of 0 and 1, one column a condition."""
    bits = np.unpackbits(_as_bytes(words), axis=1, bitorder="little")
    return bits[:, :n_conditions]


def pack(bits: NDArray[np.uint8]) -> Words:
    """Return a matrix of 0 and 1 as sets of words."""
    width = 64 * n_words(bits.shape[1])
    padded = np.zeros((bits.shape[0], width), dtype=np.uint8)
    padded[:, : bits.shape[1]] = bits
    return np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def renumber(words: Words, places: Sequence[int | None], n_conditions: int) -> Words:
    """Return sets whose condition k is now condition places[k] of `n_conditions`, or is omitted."""
    kept = [k for k, place in enumerate(places) if place is not None]
    moved = [place for place in places if place is not None]
    parts = [pack(np.zeros((0, n_conditions), dtype=np.uint8))]
    for start in range(0, len(words), CHUNK):
        held = unpack(words[start : start + CHUNK], len(places))
        bits = np.zeros((len(held), n_conditions), dtype=np.uint8)
        bits[:, moved] = held[:, kept]
        parts.append(pack(bits))
    return np.concatenate(parts)


def _as_bytes(words: Words) -> NDArray[np.uint8]:
    return np.ascontiguousarray(words, dtype="<u8").view(np.uint8)


# every byte and its eight bits: what turns a tally of bytes into a tally of conditions
_BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").astype(np.float64)

_SIZE_OF_BYTE = _BITS_OF_BYTE.sum(axis=1).astype(np.uint8)


def single_sums(words: Words, weights: Integers, n_conditions: int) -> Integers:
    """Return the people with each condition.

    Sums run in double precision, exact below 2**53 people (or pence).
    """
    if len(words) < FEW:
        return np.rint(weights.astype(float) @ unpack(words, n_conditions).astype(float)).astype(np.int64)
    found = np.zeros(64 * words.shape[1])
    columns = _as_bytes(words)
    for b in range(-(-n_conditions // 8)):
        found[8 * b : 8 * b + 8] = np.bincount(columns[:, b], weights=weights, minlength=256) @ _BITS_OF_BYTE
    return np.rint(found[:n_conditions]).astype(np.int64)


def pair_sums(words: Words, weights: Integers, n_conditions: int) -> Integers:
    """Return the K x K matrix of people with both conditions; its diagonal holds the people with each.

    Eight conditions at a time are tallied against eight others through the
    65,536 values of two bytes, so a set is read K/8 squared times and not K
    squared. Sums run in double precision, exact below 2**53 people.
    """
    if len(words) < MANY:
        bits = unpack(words, n_conditions).astype(np.float64)
        return np.rint(bits.T @ (bits * weights[:, None])).astype(np.int64)
    n_bytes = -(-n_conditions // 8)
    columns = [np.ascontiguousarray(column).astype(np.intp) for column in _as_bytes(words)[:, :n_bytes].T]
    total = np.zeros((8 * n_bytes, 8 * n_bytes))
    for a in range(n_bytes):
        shifted = columns[a] << 8
        for b in range(a, n_bytes):
            tally = np.bincount(shifted | columns[b], weights=weights, minlength=65_536).reshape(256, 256)
            block = _BITS_OF_BYTE.T @ tally @ _BITS_OF_BYTE
            total[8 * a : 8 * a + 8, 8 * b : 8 * b + 8] = block
            total[8 * b : 8 * b + 8, 8 * a : 8 * a + 8] = block.T
    return np.rint(total[:n_conditions, :n_conditions]).astype(np.int64)


@dataclass(frozen=True)
class FrequentSets:
    """Sets held by enough people (perhaps with other conditions), and their summed weights."""

    words: Words
    sums: Integers


class TooManySetsError(ArgumentError):
    """More sets than can be listed."""


def frequent_sets(  # noqa: C901  (one search: its steps share what has been found)
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
        If more than five million sets are frequent, or fewer where there are
        more than 64 conditions: raise `min_persons` or set `max_size`.
    """
    least = max(min_persons, 1)
    largest = n_conditions if max_size is None else min(max_size, n_conditions)
    most = min(MOST_SETS, MOST_CELLS // max(n_conditions, 1))
    # every subset of a set that enough people have is frequent itself
    sizes = _SIZE_OF_BYTE[_as_bytes(words[weights[:, 0] >= least])].sum(axis=1, dtype=np.int64)
    widest = int(sizes.max(initial=0))
    _refuse_many(sum(math.comb(widest, k) for k in range(max(min_size, 1), min(largest, widest) + 1)), most, least)
    singles = single_sums(words, weights[:, 0], n_conditions)
    kept = np.flatnonzero(singles >= least)
    order = kept[np.argsort(singles[kept], kind="stable")]
    width = len(order)
    if not width or largest < 1:
        return FrequentSets(
            pack(np.zeros((0, n_conditions), dtype=np.uint8)), np.zeros((0, weights.shape[1]), np.int64)
        )
    above = _masks_above(width)
    found: list[tuple[tuple[int, ...], Integers, Integers]] = []
    count = 0

    tallied: list[tuple[tuple[int, ...], int, NDArray[np.uint8], Integers]] = []

    def record(prefix: tuple[int, ...], items: Integers, totals: list[Integers]) -> None:
        if len(prefix) + 1 < min_size or not len(items):
            return
        found.append((prefix, items, np.rint(np.column_stack(totals)).astype(np.int64)))
        noted(len(items))

    def noted(more: int) -> None:
        nonlocal count
        count += more
        _refuse_many(count, most, least)

    def tally(keys: Words, sums: Integers, prefix: tuple[int, ...], start: int, fewest: int) -> None:
        # few conditions are left: count every set of them at once, then add each set to its subsets
        n_left = width - start
        codes = (keys[:, 0] >> np.uint64(start)).astype(np.intp)
        totals = [np.bincount(codes, weights=sums[:, v], minlength=1 << n_left) for v in range(sums.shape[1])]
        for total in totals:
            for bit in range(n_left):
                halves = total.reshape(-1, 2, 1 << bit)
                halves[:, 0] += halves[:, 1]
        enough = np.flatnonzero(totals[0] >= least - 0.5)
        held = unpack(enough.astype(np.uint64)[:, None], n_left)
        size = held.sum(axis=1)
        fit = (size >= max(fewest, min_size - len(prefix))) & (size <= largest - len(prefix))
        if fit.any():
            sums_found = np.rint(np.column_stack([t[enough[fit]] for t in totals])).astype(np.int64)
            tallied.append((prefix, start, held[fit], sums_found))
            noted(int(fit.sum()))

    def grow(keys: Words, sums: Integers, prefix: tuple[int, ...], start: int) -> None:
        # one matrix of pairs gives every set that is one or two conditions larger than the prefix
        if len(keys) < MANY:
            bits = unpack(keys, width)[:, start:].astype(np.float64)
            pairs: list[NDArray[Any]] = [bits.T @ (bits * sums[:, v, None]) for v in range(sums.shape[1])]
        else:
            pairs = [pair_sums(keys, sums[:, v], width)[start:, start:] for v in range(sums.shape[1])]
        enough = pairs[0] >= least - 0.5
        items = np.flatnonzero(enough.diagonal())
        record(prefix, items + start, [p.diagonal()[items] for p in pairs])
        if len(prefix) + 2 > largest or len(items) < 2:
            return
        for step, item in enumerate(items[:-1]):
            name = int(item) + start
            if keys.shape[1] == 1 and width - name <= TALLIED:
                tally(keys & (above[name - 1] if name else ALL), sums, prefix, name, 2)
                return
            partners = item + 1 + np.flatnonzero(enough[item, item + 1 :])
            record((*prefix, name), partners + start, [p[item, partners] for p in pairs])
            if len(prefix) + 3 > largest or len(partners) < 2:
                continue
            with_item = _with(keys, name)
            smaller, people = _merge(keys[with_item] & above[name], sums[with_item])
            for position, partner in enumerate(partners[:-1]):
                # a third condition must be frequent with either of the two
                if not enough[partner, partners[position + 1 :]].any():
                    continue
                other = int(partner) + start
                both = _with(smaller, other)
                rest, prefixed = smaller[both] & above[other], (*prefix, name, other)
                if keys.shape[1] == 1 and width - other - 1 <= TALLIED:
                    tally(rest, people[both], prefixed, other + 1, 1)
                else:
                    grow(rest, people[both], prefixed, other + 1)
            if step % PEEL == PEEL - 1 and len(keys) >= FEW:
                keys, sums = _merge(keys & above[name], sums)

    places: list[int | None] = [None] * n_conditions
    for place, condition in enumerate(order.tolist()):
        places[condition] = place
    ranked = renumber(words, places, width)
    # distinct sets stay distinct unless a condition was omitted
    grow(*(_merge(ranked, weights) if width < n_conditions else (ranked, weights)), (), 0)
    return _assemble(found, tallied, order, n_conditions, weights.shape[1])


def _refuse_many(count: int, most: int, least: int) -> None:
    if count > most:
        raise TooManySetsError(
            f"More than {most:,} sets are held by {least:,} people or more. Raise min_persons, or set max_size."
        )


def _with(keys: Words, item: int) -> NDArray[np.intp]:
    """Return the rows that hold a condition."""
    return np.flatnonzero(keys[:, item // 64] & np.uint64(1 << int(item % 64)))


def _masks_above(width: int) -> Words:
    """Row k holds every bit from k + 1 to width - 1."""
    return pack(np.triu(np.ones((width, width), dtype=np.uint8), k=1))


def _merge(keys: Words, sums: Integers) -> tuple[Words, Integers]:
    """Add up the sums of equal sets."""
    if len(keys) < WORTH_MERGING:
        return keys, sums
    order = np.argsort(keys[:, 0]) if keys.shape[1] == 1 else np.lexsort(keys.T)
    ordered = keys[order]
    first = np.empty(len(ordered), dtype=bool)
    first[0] = True
    np.any(ordered[1:] != ordered[:-1], axis=1, out=first[1:])
    starts = np.flatnonzero(first)
    if len(starts) == len(keys):
        return keys, sums
    return ordered[starts], np.add.reduceat(sums[order], starts, axis=0)


def _assemble(
    found: list[tuple[tuple[int, ...], Integers, Integers]],
    tallied: list[tuple[tuple[int, ...], int, NDArray[np.uint8], Integers]],
    order: Integers,
    n_conditions: int,
    n_sums: int,
) -> FrequentSets:
    n_sets = sum(len(items) for _, items, _ in found) + sum(len(held) for _, _, held, _ in tallied)
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
    for prefix, start, held, totals in tallied:
        stop = at + len(held)
        bits[at:stop, order[start:]] = held
        if prefix:
            bits[at:stop, order[list(prefix)]] = 1
        sums[at:stop] = totals
        at = stop
    return FrequentSets(pack(bits), sums)
