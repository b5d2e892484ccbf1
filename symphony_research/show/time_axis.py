"""Where the ticks of an axis of time stand, and what they are called."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import DAYS_A_MONTH

__all__ = ["grid_ticks", "time_ticks"]


def time_ticks(
    unit: str, limit: float, times: Sequence[float] | None, columns: int
) -> tuple[list[float], list[str], str]:
    """Return ticks, their labels and the unit in words: months or years for a long count of days."""
    if times is not None:
        chosen = sorted({float(t) for t in times if t <= limit})
        months = [t / DAYS_A_MONTH for t in chosen]
        if unit == "days" and limit > 122 and all(abs(m - round(m)) < 0.1 for m in months):
            return chosen, [str(round(m)) for m in months], "Months"
        return chosen, [f"{t:g}" for t in chosen], capital(unit) or "Time"
    if unit == "days" and limit > 122:
        months_long = limit / DAYS_A_MONTH
        whole = int(months_long * 1.005 + 1e-9)  # 365 days are twelve months to a reader
        step = next(
            (
                s
                for s in (1, 3, 6, 12, 24, 60, 120)
                if months_long / s <= min(columns, 9) and (s > 1 or months_long < 5)
            ),
            240,
        )
        marks = range(0, whole + 1, step)
        places = [min(m * DAYS_A_MONTH, limit) for m in marks]
        if step >= 24 or (step == 12 and months_long > 48):
            return places, [str(m // 12) for m in marks], "Years"
        return places, [str(m) for m in marks], "Months"
    from matplotlib.ticker import MaxNLocator

    steps = [1, 2, 5, 10]
    places = [float(t) for t in MaxNLocator(max(2, min(columns, 8)), steps=steps).tick_values(0, limit)]
    places = [t for t in places if 0 <= t <= limit * 1.0001]
    return places, [f"{t:g}" for t in places], capital(unit) or "Time"


def grid_ticks(grid: Sequence[float], limit: float, columns: int) -> list[float]:
    """Return as many times of a grid as have room, evenly spaced: 0, 90, 180, 270, 365 of the first year by months.

    Parameters
    ----------
    grid : sequence of float
        The times at which a released curve stands, from 0.
    limit : float
        Where the axis ends.
    columns : int
        How many have room, two or more.
    """
    times = [t for t in grid if t <= limit]
    if len(times) <= 2:
        return times
    least = times[-1] / max(1, min(columns, 9) - 1)  # apart
    for first in times[1:]:
        if first < 0.95 * least:
            continue
        # the grid's own months differ by some days, so the nearest time is taken
        chosen = sorted({min(times, key=lambda t: abs(t - k * first)) for k in range(round(times[-1] / first) + 1)})
        # the last time has a tick, and takes the place of the one before it where there is no room for both
        if times[-1] - chosen[-1] < 0.6 * first:
            chosen[-1] = times[-1]
        else:
            chosen.append(times[-1])
        if len(chosen) > 2 and chosen[-1] - chosen[-2] < 0.6 * first:
            del chosen[-2]
        even = all(0.85 < (b - a) / first < 1.15 for a, b in pairwise(chosen[:-1]))
        if even and len(chosen) <= columns and (chosen[-1] - chosen[-2]) / first < 1.6:
            return chosen
    return [times[0], times[-1]]
