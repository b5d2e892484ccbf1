"""Three pairs of three features bound one another: whoever has a with b, and a with c, has a; so n(ab) + n(ac) - n(bc) <= n(a).

There is one such relation for every ordered three of the features, so only those that say anything, given between which
numbers each count lies, are written out; after more is suppressed, others may.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from symphony_research.disclosure.system import System
from symphony_research.result.cells import CellDefinition

__all__ = ["Triples", "triples_of", "with_triples"]

Array = NDArray[np.float64]
# where everybody, each feature and each pair of them stand among the unknowns; -1 where they do not
Triples = tuple[int, NDArray[np.int64], NDArray[np.int64]]


def triples_of(system: System) -> list[Triples]:
    """Return the features and pairs of every stratum of a system whose unknowns are cells alone."""
    if system.integers:
        return []  # of sets of features every relation holds by itself
    places: dict[object, list[CellDefinition]] = defaultdict(list)
    for cell in system.cells:
        if len(cell.having) == 2 and not (cell.sized or cell.state or cell.isolated):
            places[(cell.stratum, cell.side)].append(cell)
    found = []
    for pairs in places.values():
        alone = sorted({replace(pair, having=(feature,)) for pair in pairs for feature in pair.having})
        alone = [cell for cell in alone if cell in system.index]
        at = {cell.having[0]: k for k, cell in enumerate(alone)}
        both = np.full((len(at), len(at)), -1)
        for pair in pairs:
            if set(pair.having) <= at.keys():
                a, b = (at[feature] for feature in pair.having)
                both[a, b] = both[b, a] = system.index[pair]
        everybody = system.index.get(replace(pairs[0], having=()), -1)
        found.append((everybody, np.array([system.index[cell] for cell in alone], int), both))
    return found


def with_triples(
    system: System, triples: Sequence[Triples], lower: Array, upper: Array, suppressed: NDArray[np.bool_]
) -> System:
    """Return the system with the relations of three pairs that say anything of suppressed counts within these bounds."""
    unknowns: list[NDArray[np.int64]] = []
    signs: list[NDArray[np.float64]] = []
    for everybody, alone, both in triples:
        there = both >= 0
        most = np.minimum(np.where(there, upper[both], np.inf), np.minimum.outer(upper[alone], upper[alone]))
        least = np.where(there, lower[both], 0.0)
        b, c = np.triu_indices(len(alone), k=1)
        kept = there[b, c]
        b, c = b[kept], c[kept]
        gone, gone_alone = there & suppressed[both], suppressed[alone]
        for a, of in enumerate(alone):
            own = there[a, b] & there[a, c] & (gone_alone[a] | gone[a, b] | gone[a, c] | gone[b, c])
            say = own & (most[a, b] + most[a, c] - least[b, c] > lower[of])
            if say.any():
                n = int(say.sum())
                rows = np.column_stack([np.full(n, of), both[a, b[say]], both[a, c[say]], both[b[say], c[say]]])
                unknowns += list(rows)
                signs += [np.array([1.0, -1.0, -1.0, 1.0])] * n
            if everybody >= 0:
                later = own & (b > a)
                somebody = upper[of] + upper[alone[b]] + upper[alone[c]] - least[a, b] - least[a, c] - least[b, c]
                later &= somebody > lower[everybody]
                for x, y in zip(b[later], c[later], strict=True):
                    unknowns.append(np.array([everybody, of, alone[x], alone[y], both[a, x], both[a, y], both[x, y]]))
                    signs.append(np.array([1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0]))
    if not unknowns:
        return system
    first = len(system.low)
    return replace(
        system,
        rows=np.concatenate([system.rows, np.repeat(np.arange(first, first + len(signs)), [len(s) for s in signs])]),
        columns=np.concatenate([system.columns, *unknowns]),
        values=np.concatenate([system.values, *signs]),
        low=np.concatenate([system.low, np.zeros(len(signs))]),
        high=np.concatenate([system.high, np.full(len(signs), np.inf)]),
    )
