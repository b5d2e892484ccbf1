"""Communities by modularity: Louvain's method on a matrix of weights, and how well two partitions agree.

networkx's own compares gains without a tolerance and may move a node for ever
between two equal places (its issue 8739); here every move must gain something.
"""

from __future__ import annotations

import numpy as np

from symphony_research.collapse.bits import Integers
from symphony_research.inference import Array

__all__ = ["adjusted_rand_index", "best_partition", "modularity"]

STARTS = 5  # orders in which the nodes are gone through; the best partition of all is taken
TOLERANCE = 1e-9  # of modularity: below it a gain is rounding


def best_partition(weights: Array, *, resolution: float, random: np.random.Generator) -> Integers:
    """Return the community of each node of a network, of several runs the one with the highest modularity.

    Parameters
    ----------
    weights : (n, n) array
        Symmetric, not negative, nothing on the diagonal.
    resolution : float
        Above 1 for more and smaller communities.
    random : numpy.random.Generator
        Of the orders in which nodes are gone through.

    Returns
    -------
    (n,) array of int
        Numbered by the first node of each.
    """
    best, most = np.arange(len(weights)), -np.inf
    if not weights.any():
        return best
    for _ in range(STARTS):
        found = _louvain(weights, resolution, random)
        value = modularity(weights, found, resolution=resolution)
        if value > most + TOLERANCE:
            best, most = found, value
    return best


def modularity(weights: Array, community: Integers, *, resolution: float = 1.0) -> float:
    """Return the share of weight within communities, less what a random network of the same strengths would have."""
    total = weights.sum()
    if not total:
        return float("nan")
    same = community[:, None] == community[None, :]
    strength = weights.sum(axis=1)
    return float((weights[same].sum() - resolution * np.outer(strength, strength)[same].sum() / total) / total)


def adjusted_rand_index(first: Integers, second: Integers) -> float:
    """Return the agreement of two partitions of the same nodes: 1 the same, 0 as expected at random (Hubert, Arabie)."""
    n = len(first)
    cells = np.zeros((int(first.max(initial=-1)) + 1, int(second.max(initial=-1)) + 1))
    np.add.at(cells, (first, second), 1)

    def pairs(counts: Array) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, one, other = pairs(cells), pairs(cells.sum(axis=1)), pairs(cells.sum(axis=0))
    every = n * (n - 1) / 2
    expected = one * other / every if every else 0.0
    most = (one + other) / 2
    # two partitions that join everything, or nothing, are the same one
    return 1.0 if most == expected else (both - expected) / (most - expected)


def _louvain(weights: Array, resolution: float, random: np.random.Generator) -> Integers:
    member = np.arange(len(weights))
    level = weights / weights.sum()
    while True:
        moved = _move_nodes(level, resolution, random)
        n = int(moved.max()) + 1
        member = moved[member]
        if n == len(level):
            return _by_first(member)
        # the communities are the nodes of the next level; what lies within one is a loop of it
        belongs = np.zeros((len(level), n))
        belongs[np.arange(len(level)), moved] = 1
        level = belongs.T @ level @ belongs


def _move_nodes(level: Array, resolution: float, random: np.random.Generator) -> Integers:
    """Move one node after another to the community where it adds most, until none gains by moving."""
    n = len(level)
    strength = level.sum(axis=1)
    community, held = np.arange(n), strength.copy()
    settled = False
    while not settled:
        settled = True
        for node in random.permutation(n):
            own = community[node]
            held[own] -= strength[node]
            links = level[node].copy()
            links[node] = 0
            gain = np.bincount(community, weights=links, minlength=n) - resolution * strength[node] * held
            # where two are as good, the first, whatever rounding says
            best = int(np.flatnonzero(gain >= gain.max() - TOLERANCE)[0])
            if gain[best] <= gain[own] + TOLERANCE:
                best = int(own)
            else:
                settled = False
            community[node] = best
            held[best] += strength[node]
    return _by_first(community)


def _by_first(community: Integers) -> Integers:
    """Number communities in the order of their first nodes."""
    _, firsts, inverse = np.unique(community, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(firsts))[inverse]
