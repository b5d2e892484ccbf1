"""What released curves tell: steps, people at risk, and one curve beside another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from attacker import Row, Rule, number, stratum_of
from figures import Files, Z, alike
from scipy import stats


def _strata(rows: Sequence[Row]) -> dict[tuple[str | None, str | None], list[Row]]:
    found: dict[tuple[str | None, str | None], list[Row]] = {}
    for r in rows:
        found.setdefault((stratum_of(r), r.get("cause")), []).append(r)
    return found


def running_total_wrong(total: float, rule: Rule) -> bool:
    """Whether a running count is one that the rule does not show."""
    if total == 0:
        return False
    if rule.name == "opensafely":  # midpoint-6
        return total % 6 != 3
    return bool(total % 5) or rule.small(int(total))


def _counts(rows: Sequence[Row], rule: Rule) -> list[str]:
    wrong, total = [], 0.0
    for r in rows:
        at_risk, events = number(r["n_at_risk"]), number(r["n_events"]) or 0
        total += events
        if running_total_wrong(total, rule):
            wrong.append(f"{total} events are counted by {r['time']}")
        if at_risk is not None and at_risk <= rule.high:
            wrong.append(f"a curve goes on where {at_risk} are at risk")
        censored = number(r["n_censored"])
        if at_risk is None or censored is None:
            wrong.append("a row has no number at risk")
    return wrong


def kaplan_meier(kind: str, rows: list[Row], files: Files) -> list[str]:
    """The product-limit estimate and Greenwood's interval, from the people and events of each row."""
    wrong: list[str] = []
    for own in _strata(rows).values():
        wrong += _counts(own, files.rule)
        share, greenwood = 1.0, 0.0
        for r in own:
            n, d = number(r["n_at_risk"]) or 0, number(r["n_events"]) or 0
            if not n:
                continue
            share *= 1 - d / n
            greenwood = math.inf if d >= n else greenwood + d / (n * (n - d))
            if not alike(number(r["estimate"]), share) and abs(share - (number(r["estimate"]) or 0)) > 1e-9:
                wrong.append(f"{r['estimate']} event-free at {r['time']} is not {share}")
            if share > 0:
                error = share * math.sqrt(greenwood)
                low = share * math.exp(-Z * error / share)
                if abs((number(r["lower"]) or 0) - low) > 1e-8:
                    wrong.append(f"the lower limit {r['lower']} is not {low}")
    return wrong


def incidence(kind: str, rows: list[Row], files: Files) -> list[str]:
    """Aalen and Johansen's estimate from the events of every cause."""
    wrong: list[str] = []
    strata = _strata(rows)
    for stratum in {s for s, _ in strata}:
        causes = {c: own for (s, c), own in strata.items() if s == stratum}
        for own in causes.values():
            wrong += _counts(own, files.rule)
        every: dict[float, float] = {}
        for own in causes.values():
            for r in own:
                every[float(r["time"])] = every.get(float(r["time"]), 0) + (number(r["n_events"]) or 0)
        for own in causes.values():
            free, happened = 1.0, 0.0
            for r in own:
                n = number(r["n_at_risk"]) or 0
                if not n:
                    continue
                happened += free * (number(r["n_events"]) or 0) / n
                free *= 1 - every[float(r["time"])] / n
                if abs(happened - (number(r["estimate"]) or 0)) > 1e-9:
                    wrong.append(f"{r['estimate']} at {r['time']} is not {happened}")
    return wrong


def points(kind: str, rows: list[Row], files: Files) -> list[str]:
    """A curve read at a few times: people rounded, none where few are left, shares those of the curve."""
    wrong = []
    curve = files.tables.get(kind.replace("points", "kaplan_meier"))
    for r in rows:
        n, share = number(r["n_at_risk"]), number(r["estimate"])
        if n is not None and (n % 5 or n <= files.rule.high):
            wrong.append(f"{n} people are followed at {r['time']}")
        if share is not None and n is None:
            wrong.append("a curve is read where nobody is shown")
        if curve is not None and share not in (None, 1.0):
            before = [c for c in curve if stratum_of(c) == stratum_of(r) and float(c["time"]) <= float(r["time"])]
            if not before or not alike(share, number(before[-1]["estimate"])):
                wrong.append(f"{share} at {r['time']} is not on the curve")
    if len({r["time"] for r in rows}) > 40:
        wrong.append("a curve is read from day to day")
    return wrong


def logrank(kind: str, rows: list[Row], files: Files) -> list[str]:
    """A p value is that of its statistic, and the statistic that of the released curves."""
    wrong = []
    for r in rows:
        statistic, freedom, p = (number(r[c]) for c in ("statistic", "degrees_of_freedom", "p_value"))
        if statistic is not None and freedom and abs(stats.chi2.sf(statistic, freedom) - (p or 0)) > 1e-9:
            wrong.append(f"p {p} is not that of {statistic} on {freedom}")
    return wrong


# -- one curve beside another -----------------------------------------------------------------------------------


def beside_each_other(tables: Mapping[str, list[Row]], people: pl.DataFrame, levels: Sequence[str], rule: Rule) -> tuple[list[str], int]:  # fmt: skip
    """The people followed of a small stratum, from the whole curve's less the others', time by time.

    Returns what was found out, and how many small numbers there were to find.
    """
    whole, split = tables.get("points"), tables.get("points__by_sex")
    if whole is None or split is None:
        return [], 0
    wrong, sought = [], 0
    for r in whole:
        time, n = float(r["time"]), number(r["n_at_risk"])
        # at risk at a time: everybody whose own time is not before it
        at_risk = {s: int(((people["sex"] == s) & (people["time"] >= time)).sum()) for s in levels}
        shown = {stratum_of(o): number(o["n_at_risk"]) for o in split if float(o["time"]) == time}
        small = [s for s in levels if shown.get(s) is None and rule.small(at_risk[s])]
        others = [s for s in levels if shown.get(s) is not None]
        sought += len(small)
        if n is None or len(small) + len(others) < len(levels) or not small:
            continue
        low, high = rule.bounds(int(n))
        for s in others:
            least, most = rule.bounds(int(shown[s] or 0))
            low, high = low - most, high - least
        # with one hidden stratum its number is bounded; with two, their sum
        possible = _possible(low, high, len(small), rule)
        if len(possible) < len(_possible(0, 10**6, len(small), rule)):
            wrong.append(f"at {time:g}: {' and '.join(small)} followed, one is of {possible}")
    return wrong, sought


def _possible(low: int, high: int, hidden: int, rule: Rule) -> list[int]:
    values = range(rule.low, rule.high + 1)
    if hidden == 1:
        return [v for v in values if low <= v <= high]
    return [v for v in values if any(low <= v + rest <= high for rest in range((hidden - 1) * rule.low, (hidden - 1) * rule.high + 1))]  # fmt: skip


def when_each_left(rows: Sequence[Row], people: pl.DataFrame) -> int:
    """Number of times at which a curve has a step though nobody left then: it is drawn at round times, not at theirs."""
    times = set(people["time"].to_list())
    return int(np.sum([float(r["time"]) not in times for r in rows]))
