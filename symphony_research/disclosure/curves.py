"""Curves beside each other: where a stratum's has ended, the others' taken from the whole's tell how few are followed.

A curve cannot have a gap, so what protects is to end another one early: that
of the smallest stratum still followed, or else the whole's. Where the whole's is out
already and all strata have ended, one of them ends before it has to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import polars as pl

from symphony_research.disclosure.published import ANY, Published, Stratum, interval_of
from symphony_research.policy import Policy

__all__ = ["Curve", "alike", "end_early", "ends_of"]

Ends = dict[tuple[int, Stratum], float]


@dataclass(frozen=True)
class Curve:
    """How many are followed at what times, as it is published.

    Attributes
    ----------
    number : int
        Which of the curves to be released; below nought if it is out already.
    by : tuple of str
    strata : tuple of Stratum
        Every one, those that have no curve too.
    steps : mapping of Stratum to (times, counts)
        A count holds up to its time, from the one before.
    ended : frozenset of Stratum
        Those that end early already, with any number of people.
    """

    number: int
    by: tuple[str, ...]
    strata: tuple[Stratum, ...]
    steps: Mapping[Stratum, tuple[np.ndarray, np.ndarray]]
    ended: frozenset[Stratum]

    def at(self, stratum: Stratum, time: float) -> float | None:
        """How many are followed; None where the curve has ended."""
        times, counts = self.steps.get(stratum, (np.empty(0), np.empty(0)))
        place = int(np.searchsorted(times, time, side="left"))
        return float(counts[place]) if place < len(times) and np.isfinite(counts[place]) else None


def _curve_of(one: Published, number: int) -> Curve | None:
    """Return what an output tells of the people followed; None where it is no curve."""
    if not one.followed:
        return None
    rows: dict[Stratum, list[tuple[float, float]]] = {}
    for stratum, time, count in one.followed:
        own = rows.setdefault(stratum, [])
        if time is not None:
            own.append((time, np.nan if count is None else count))
    steps = {stratum: (np.array([t for t, _ in own]), np.array([n for _, n in own])) for stratum, own in rows.items()}
    return Curve(number, tuple(sorted(one.by)), tuple(sorted(rows)), steps, frozenset(one.ended))


def alike(published: Mapping[int, Published]) -> list[list[Curve]]:
    """Return the curves that are of one population, followed in one way."""
    found: dict[str, list[Curve]] = {}
    for number, one in published.items():
        curve = _curve_of(one, number)
        if curve is not None:
            key = repr((one.study, one.fingerprint, one.population, one.predicates, one.how))
            found.setdefault(key, []).append(curve)
    return list(found.values())


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
                    ends[found[:2]] = min(found[2], ends.get(found[:2], ANY))
    return ends


def end_early(tables: Mapping[str, pl.DataFrame], ends: Mapping[Stratum, float]) -> dict[str, pl.DataFrame]:
    """Return a curve's tables with nobody shown from the given times on."""
    followed = tables["followed"]
    for stratum, time in ends.items():
        own = [pl.col(column).cast(pl.String).fill_null("None") == value for column, value in stratum]
        late = pl.all_horizontal([pl.col("time") >= time, *own])
        followed = followed.with_columns([pl.when(~late).then(c).alias(c) for c in ("n_at_risk", "n_kept")])
    return {**tables, "followed": followed}


def _times(curves: Sequence[tuple[Curve, Stratum]]) -> list[float]:
    return sorted({float(t) for curve, stratum in curves if stratum in curve.steps for t in curve.steps[stratum][0]})


def _to_end(
    whole: Curve, of: Stratum, parts: Curve, inside: Sequence[Stratum], time: float, ends: Ends, policy: Policy
) -> tuple[int, Stratum, float] | None:
    """Return the curve that must end, and from when; None where every number of the few is possible, or nothing helps."""
    everybody = whole.at(of, time) if time < ends.get((whole.number, of), ANY) else None
    if everybody is None:
        return None
    shown = {stratum: n for stratum in inside if (n := parts.at(stratum, time)) is not None}
    early = [stratum for stratum in shown if time >= ends.get((parts.number, stratum), ANY)]
    ended = [stratum for stratum in inside if stratum not in shown and stratum in parts.ended]
    few = len(inside) - len(shown) - len(ended)
    low, high = interval_of(policy, everybody)
    for stratum in shown.keys() - set(early):
        least, most = interval_of(policy, shown[stratum])
        low, high = low - most, high - least
    if not few or _all_possible(low, high, few, bool(early or ended), policy):
        return None
    still = {stratum: n for stratum, n in shown.items() if stratum not in early}
    if parts.number >= 0 and still:
        return parts.number, min(still, key=lambda stratum: (still[stratum], stratum)), time
    if whole.number >= 0:
        return whole.number, of, time
    # all have ended, each because few were left: where one ends before that, nobody knows how many it has then
    last = {stratum: float(parts.steps[stratum][0][-1]) for stratum in inside if len(parts.steps[stratum][0])}
    uncut = {stratum: end for stratum, end in last.items() if (parts.number, stratum) not in ends}
    if parts.number < 0 or not uncut:
        return None
    longest = max(uncut, key=lambda stratum: (uncut[stratum], stratum))
    return parts.number, longest, uncut[longest]


def _all_possible(low: float, high: float, few: int, early: bool, policy: Policy) -> bool:
    """Whether one of the few may be any number up to the threshold, the others being so too."""
    least, most = int(policy.hide_zeros is False), policy.threshold
    others = (few - 1) * least, ANY if early else (few - 1) * most
    return high >= most + others[0] and low <= least + others[1]
