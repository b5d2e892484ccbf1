"""Weighted Kaplan-Meier and Aalen-Johansen estimates in plain loops, for tests that change the weights."""

from __future__ import annotations

import numpy as np
import polars as pl


def survival(rows: pl.DataFrame, weights: np.ndarray, at: float, cause: int = 0) -> float:
    """The share free of any event at a time."""
    return _both(rows, weights, at, cause)[0]


def incidence(rows: pl.DataFrame, weights: np.ndarray, at: float, cause: int) -> float:
    """The share with the event of a cause by a time."""
    return _both(rows, weights, at, cause)[1]


def _both(rows: pl.DataFrame, weights: np.ndarray, at: float, cause: int) -> tuple[float, float]:
    people = list(zip(rows["entry"], rows["time"], rows["event"], np.broadcast_to(weights, rows.height), strict=True))
    free, had = 1.0, 0.0
    for t in sorted({time for _, time, event, _ in people if event and time <= at}):
        at_risk = sum(w for entry, time, _, w in people if entry < t <= time)
        had += free * sum(w for _, time, event, w in people if time == t and event == cause) / at_risk
        free *= 1 - sum(w for _, time, event, w in people if time == t and event) / at_risk
    return free, had
