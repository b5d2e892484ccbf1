"""Curves beside each other: where a stratum's has ended, the others' taken from the whole's tell how few are followed.

A curve cannot have a gap, so what protects is to end another one early: that
of the smallest stratum still followed, or else the whole's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import polars as pl

from symphony_research.disclosure.published import ANY, Stratum, interval_of
from symphony_research.policy import Policy
from symphony_research.result import Result

__all__ = ["Curve", "curve_of", "end_early", "ends_of"]

Ends = dict[tuple[int, Stratum], float]


@dataclass(frozen=True)
class Curve:
    """How many are followed at what times, as it is published.

    Attributes
    ----------
    number : int
        Which of the curves to be released; -1 if it is out already.
    by : tuple of str
    strata : tuple of Stratum
        Every one, those that have no curve too.
    steps : mapping of Stratum to (times, counts)
        A count holds up to its time, from the one before.
    """

    number: int
    by: tuple[str, ...]
    strata: tuple[Stratum, ...]
    steps: Mapping[Stratum, tuple[np.ndarray, np.ndarray]]

    def at(self, stratum: Stratum, time: float) -> float | None:
        """How many are followed; None where the curve has ended."""
        times, counts = self.steps.get(stratum, (np.empty(0), np.empty(0)))
        place = int(np.searchsorted(times, time, side="left"))
        return float(counts[place]) if place < len(times) and np.isfinite(counts[place]) else None


def curve_of(result: Result, number: int = -1) -> Curve | None:
    """Return what a disclosed result tells of the people followed; None where it is no curve."""
    followed = result.count_tables.get("followed")
    if followed is None or not any(rule.cumulative for rule in result.counts.values()):
        return None
    every = {_stratum(names, result.by) for names in result.settings.get("left_out") or ()}
    every |= {
        _stratum(names, result.by) for names in result.count_tables["followed"].select(result.by).unique().to_dicts()
    }
    rows: dict[Stratum, list[tuple[float, float | None]]] = {}
    for row in followed.sort("time").iter_rows(named=True):
        rows.setdefault(_stratum(row, result.by), []).append((row["time"], row["n_at_risk"]))
    steps = {stratum: tuple(np.array(own, dtype=float).T) for stratum, own in rows.items()}
    return Curve(number, result.by, tuple(sorted(every or {()})), steps)


def ends_of(curves: Sequence[Curve], policy: Policy) -> Ends:
    """Return which curves that are to be released must end, and from when.

    Parameters
    ----------
    curves : sequence of Curve
        Of one population and one way of following it.
    policy : Policy
    """
    ends: Ends = {}
    for whole, parts in permutations(curves, 2):
        if not set(whole.by) < set(parts.by):
            continue
        for of in whole.strata:
            inside = [stratum for stratum in parts.strata if set(of) <= set(stratum)]
            for time in _times([(whole, of), *((parts, stratum) for stratum in inside)]):
                while (found := _to_end(whole, of, parts, inside, time, ends, policy)) is not None:
                    ends[found] = min(time, ends.get(found, ANY))
    return ends


def end_early(tables: Mapping[str, pl.DataFrame], ends: Mapping[Stratum, float]) -> dict[str, pl.DataFrame]:
    """Return a curve's tables with nobody shown from the given times on."""
    followed = tables["followed"]
    for stratum, time in ends.items():
        own = [pl.col(column).cast(pl.String).fill_null("None") == value for column, value in stratum]
        late = pl.all_horizontal([pl.col("time") >= time, *own])
        followed = followed.with_columns([pl.when(~late).then(c).alias(c) for c in ("n_at_risk", "n_kept")])
    return {**tables, "followed": followed}


def _stratum(names: Mapping[str, Any], by: Sequence[str]) -> Stratum:
    return tuple((column, str(names[column])) for column in sorted(by))


def _times(curves: Sequence[tuple[Curve, Stratum]]) -> Iterator[float]:
    return iter(
        sorted({float(t) for curve, stratum in curves if stratum in curve.steps for t in curve.steps[stratum][0]})
    )


def _to_end(
    whole: Curve, of: Stratum, parts: Curve, inside: Sequence[Stratum], time: float, ends: Ends, policy: Policy
) -> tuple[int, Stratum] | None:
    """Return the curve that must end at a time; None where every number of the few is possible, or nothing helps."""
    everybody = whole.at(of, time) if time < ends.get((whole.number, of), ANY) else None
    if everybody is None:
        return None
    shown = {stratum: n for stratum in inside if (n := parts.at(stratum, time)) is not None}
    early = [stratum for stratum in shown if time >= ends.get((parts.number, stratum), ANY)]
    few = len(inside) - len(shown)
    low, high = interval_of(policy, everybody)
    for stratum in shown.keys() - set(early):
        least, most = interval_of(policy, shown[stratum])
        low, high = low - most, high - least
    if not few or _all_possible(low, high, few, bool(early), policy):
        return None
    still = {stratum: n for stratum, n in shown.items() if stratum not in early}
    if parts.number >= 0 and still:
        return parts.number, min(still, key=lambda stratum: (still[stratum], stratum))
    return (whole.number, of) if whole.number >= 0 else None


def _all_possible(low: float, high: float, few: int, early: bool, policy: Policy) -> bool:
    """Whether one of the few may be any number up to the threshold, the others being so too."""
    least, most = int(policy.hide_zeros is False), policy.threshold
    others = (few - 1) * least, ANY if early else (few - 1) * most
    return high >= most + others[0] and low <= least + others[1]
