"""Where circles and their names stand: related ones near each other, none upon another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symphony_research.show.style import text_height, text_width

__all__ = ["Places", "by_distance", "placed"]

_SIDES = ("below", "above", "right", "left")
_AIR = 4.0  # between a circle and its name, and round both


@dataclass(frozen=True)
class Places:
    """Circles and names in points, one row each.

    Attributes
    ----------
    circles : ndarray, shape (n, 2)
    sides : list of str
        Where each name stands beside its circle.
    shrink : float
        How far all had to shrink to have room.
    """

    circles: np.ndarray
    sides: list[str]
    shrink: float


def by_distance(
    nodes: Sequence[str], edges: Sequence[tuple[str, str]], strength: Sequence[float], seed: int
) -> np.ndarray:
    """Return places in a unit square, strongly joined nodes near each other; one seed, one layout."""
    import networkx as nx

    graph = nx.Graph()
    graph.add_nodes_from(nodes)
    for (source, target), weight in zip(edges, strength, strict=True):
        graph.add_edge(source, target, length=1.6 - 0.8 * float(weight))
    far = dict(nx.all_pairs_dijkstra_path_length(graph, weight="length"))
    longest = max((d for row in far.values() for d in row.values()), default=1.0) or 1.0
    # parts without a line between them stand some way apart, not at the ends of the earth
    distance = {a: {b: far[a].get(b, 0.6 * longest + 0.5) for b in nodes} for a in nodes}
    order = np.random.default_rng(seed).permutation(len(nodes))
    angle = 2 * np.pi * order / len(nodes)
    start = {n: np.array([np.cos(a), np.sin(a)]) for n, a in zip(nodes, angle, strict=True)}
    if len(nodes) > 2:
        start = nx.kamada_kawai_layout(graph, dist=distance, pos=start)
    points = np.array([start[n] for n in nodes], dtype=float)
    # lie along the wide side
    centred = points - points.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    axes *= np.where(axes[:, :1].sum(axis=1) < 0, -1.0, 1.0)[:, None]
    points = centred @ axes.T
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    unit = (points - low) / np.where(span > 1e-9, span, 1.0)
    # half by rank: the crowded middle opens, and empty corners fill
    rank = unit.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable") / max(len(nodes) - 1, 1)
    return np.asarray((unit + rank) / 2)


def placed(
    wish: np.ndarray,
    labels: Mapping[float, Sequence[str]],
    radii: np.ndarray,
    size: float,
    edges: np.ndarray,
    width: float,
    height: float,
) -> Places:
    """Return places in points where no circle or name meets another, with names away from lines.

    Parameters
    ----------
    wish : ndarray, shape (n, 2)
        Where the circles would stand in a unit square.
    labels : mapping of float to sequence of str
        The names as they are broken into lines at each size; sizes are tried
        from the largest.
    radii : ndarray, shape (n,)
        Of the circles, in points.
    size : float
        Of the type, in points.
    edges : ndarray of int, shape (m, 2)
        Which nodes are joined.
    width, height : float
        Of the room, in points.
    """
    best: Places | None = None
    for shrink in sorted(labels, reverse=True):
        text, radius = labels[shrink], radii * shrink
        wide = np.array([text_width(t, size * shrink) for t in text])
        high = np.array([text_height(t, size * shrink) for t in text])
        sides = np.zeros(len(wish), dtype=int)
        least = np.inf
        middle = None
        for _ in range(4):
            boxes, offset = _boxes(sides, radius, wide, high)
            begin = wish * (np.array([width, height]) - boxes) + boxes / 2 if middle is None else middle - offset
            boxed, clear = _apart(begin, boxes, width, height)
            middle = boxed + offset
            if best is None:
                best = Places(middle, [_SIDES[k] for k in sides], shrink)
            crossed = _crossed(middle, radius, wide, high, edges)
            cost = crossed[np.arange(len(sides)), sides].sum()
            if clear and cost < least:
                best, least = Places(middle, [_SIDES[k] for k in sides], shrink), cost
            # a name below its circle reads best: another side must be clearly freer
            sides = np.argmin(crossed + np.array([0.0, 0.15, 0.3, 0.3]), axis=1)
        if np.isfinite(least):
            break
    if best is None:  # nothing to place
        return Places(np.zeros((0, 2)), [], 1.0)
    return best


def _boxes(sides: np.ndarray, radius: np.ndarray, wide: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the box of each circle with its name, and where the circle stands from the middle of the box."""
    beside = sides >= 2
    w = np.where(beside, 2 * radius + _AIR + wide, np.maximum(2 * radius, wide)) + 2 * _AIR
    h = np.where(beside, np.maximum(2 * radius, high), 2 * radius + 2 + high) + 2 * _AIR
    x = np.where(beside, (wide + _AIR) / 2, 0.0) * np.where(sides == 2, -1.0, 1.0)
    y = np.where(beside, 0.0, (high + 2) / 2) * np.where(sides == 1, -1.0, 1.0)
    return np.column_stack([w, h]), np.column_stack([x, y])


def _crossed(
    circles: np.ndarray, radius: np.ndarray, wide: np.ndarray, high: np.ndarray, edges: np.ndarray
) -> np.ndarray:
    """Return the length of lines, in heights of a line of text, under a name on each side of each circle."""
    steps = np.linspace(0, 1, 60)[:, None, None]
    points = circles[edges[:, 0]] * (1 - steps) + circles[edges[:, 1]] * steps
    lengths = np.linalg.norm(circles[edges[:, 0]] - circles[edges[:, 1]], axis=1) / 60 / 10
    under = np.zeros((len(circles), len(_SIDES)))
    for side in range(len(_SIDES)):
        if side < 2:
            x, y = np.zeros(len(circles)), (radius + 2 + high / 2) * (-1 if side == 0 else 1)
        else:
            x, y = (radius + _AIR + wide / 2) * (1 if side == 2 else -1), np.zeros(len(circles))
        middle = circles + np.column_stack([x, y])
        for k in range(len(circles)):
            inside = (np.abs(points - middle[k]) < np.array([wide[k], high[k]]) / 2 + 2).all(axis=2)
            under[k, side] = (inside.sum(axis=0) * lengths).sum()
    return under


def _apart(wish: np.ndarray, boxes: np.ndarray, width: float, height: float) -> tuple[np.ndarray, bool]:
    """Push boxes apart, each pair along the shorter way, until none meet or patience ends."""
    room = np.array([width, height])
    low, high = boxes / 2, np.maximum(room - boxes / 2, boxes / 2)
    middle = np.clip(wish, low, high)
    n = len(middle)
    need = (boxes[:, None] + boxes[None, :]) / 2
    # those in one place part by their order
    sign = np.sign(np.arange(n)[:, None] - np.arange(n)[None, :]).astype(float)
    for _ in range(1200):
        gap = middle[:, None] - middle[None, :]
        lack = need - np.abs(gap)
        meets = (lack > 0.01).all(axis=2) & ~np.eye(n, dtype=bool)
        if not meets.any():
            return middle, True
        along = np.argmin(lack / room, axis=2)
        for k in (0, 1):
            way = np.where(np.abs(gap[:, :, k]) > 1e-9, np.sign(gap[:, :, k]), sign)
            push = np.where(meets & (along == k), lack[:, :, k] * way, 0.0)
            middle[:, k] += 0.3 * push.sum(axis=1)
        middle = np.clip(middle, low, high)
    return middle, False
