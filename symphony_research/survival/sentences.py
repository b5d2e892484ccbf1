"""What curves say in one sentence, and the times at which they are read: the same for every group and every report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from symphony_research.collapse.margins import same_stratum
from symphony_research.population import Population
from symphony_research.result import KeyFigure
from symphony_research.survival.base import _Curve
from symphony_research.survival.risk import over
from symphony_research.words.lexicon import SUPPRESSED, capital
from symphony_research.words.numbers import DAYS_A_MONTH, number
from symphony_research.words.phrases import share_with_interval, strata_words

__all__ = ["curve_figures", "curve_sentence", "headline_time", "read_at", "shares_at"]

# days, and multiples of a year after the first
_FIXED = (30, 90, 180, 365, *(365 * years for years in range(2, 31)))

Clause = tuple[int | None, str]  # a cause, and what had happened


def headline_time(result: _Curve) -> float | None:
    """Return the time at which a curve is read: the last of 30, 90, 180, 365 days, 2 years, ... within the horizon.

    The horizon is the one asked for, so that reports of different hubs are read at one time whatever their
    data; without one it is the last time at which all groups are at risk. Other units are read there too.
    """
    asked = Population.of(result.settings).horizon
    if result.time_unit == "days" and asked:
        return float(max((t for t in _FIXED if t <= asked), default=asked))
    last = _common_grid_time(result) if result.on_grid else _common_day(result)
    if last is None or result.time_unit != "days":
        return last
    return float(max((t for t in _FIXED if t <= last), default=last))


def curve_sentence(result: _Curve, clauses: Sequence[Clause]) -> str:
    """Return what share had what happen by the headline time, with intervals; groups side by side.

    The first clause is the outcome; of one group the others follow it.
    """
    end = headline_time(result)
    read = {} if end is None else {cause: read_at(result, end, cause) for cause, _ in clauses}
    if end is None or not any(row["estimate"] is not None for _, row in read[clauses[0][0]]):
        return _earlier(result, clauses, end)
    said: list[str] = []
    for k, (cause, words) in enumerate(clauses):
        if k and (result.by or all(row["estimate"] is None for _, row in read[cause])):
            continue
        shares: list[str] = []
        gone: list[str] = []
        for group, row in read[cause]:
            if row["estimate"] is None:
                gone.append(f"{group} {result.missing_marker(row, 'estimate')}")
                continue
            first = not said and not shares
            share = share_with_interval(
                row["estimate"], row["lower"], row["upper"], label=_level(result) if first else ""
            )
            shares.append(f"{share} of {group or 'people'}" if group or first else share)
        of_whom = shares[0] if len(shares) == 1 else f"{', '.join(shares[:-1])} and {shares[-1]}"
        without = f" ({', '.join(gone)})" if gone else ""
        said.append(f"{of_whom} {words}{without}")
    return f"{capital(_by(end, result, clauses))}, {' and '.join(said)}.{_compared(read[clauses[0][0]])}"


def curve_figures(result: _Curve, clauses: Sequence[Clause]) -> tuple[KeyFigure, ...]:
    """Return the share of the first clause, of each group, at the headline time and the fixed times before it; and of how many.

    Whom death spared the event is no outcome to compare hubs by, so competing causes are omitted.
    """
    end = headline_time(result)
    if end is None:
        return ()
    found = []
    if result.on_grid and not result.by:
        people = read_at(result, 0.0, clauses[0][0])[0][1]["n_at_risk"]
        found.append(KeyFigure("People", SUPPRESSED if people is None else number(people)))
    times = [t for t in _FIXED if t < end] if result.time_unit == "days" else []
    for cause, words in clauses[:1]:
        what = capital(words.removeprefix("were "))
        for time in (end, *map(float, reversed(times))):
            for group, row in read_at(result, time, cause):
                value = (
                    result.missing_marker(row, "estimate")
                    if row["estimate"] is None
                    else share_with_interval(row["estimate"], row["lower"], row["upper"])
                )
                when = _by(time, result, clauses)
                found.append(KeyFigure(f"{what} {when}{f': {group}' if group else ''}", value, what, when))
    return tuple(found)


def shares_at(result: Any, cause: int | None, limit: float | None) -> tuple[str | None, list[dict[str, Any]]]:
    """Return the time in words at which a figure is titled, and one row a group: its strata, estimate and limits.

    It is the headline time, or the last fixed time before it at which any group has an estimate, no later than the limit.
    """
    end = headline_time(result)
    if end is None:
        return None, []
    times = [end, *sorted((float(t) for t in _FIXED if t < end), reverse=True)] if result.time_unit == "days" else [end]
    for time in times:
        if limit is not None and time > limit:
            continue
        rows = [row for _, row in read_at(result, time, cause)]
        if any(row["estimate"] is not None for row in rows):
            when = f"{time:g} {result.time_unit}" if result.time_unit else f"time {time:g}"
            return f"{when} after the landmark" if result.after_landmark else when, rows
    return None, []


def _level(result: _Curve) -> str:
    return f"{100 * result.settings.get('confidence', 0.95):g}% CI"


def _by(time: float, result: _Curve, clauses: Sequence[Clause]) -> str:
    """Return "within 365 days", or of survival "at 365 days"; where time runs from a landmark, that it does."""
    unit, since = result.time_unit, result.after_landmark
    said = number(int(time) if float(time).is_integer() else time)
    one = unit[:-1] if unit.endswith("s") and time == 1 else unit
    survival = clauses[0][0] is None
    when = f"{'at' if survival else 'within'} {said} {one}" if unit else f"{'at' if survival else 'by'} time {said}"
    return when + since


def _compared(read: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Say of two groups whether their intervals keep apart; overlapping ones are no proof that nothing differs."""
    known = [row for _, row in read if None not in (row["lower"], row["upper"])]
    if len(read) != 2 or len(known) != 2:
        return ""
    first, second = sorted(known, key=lambda row: row["lower"])
    if first["upper"] < second["lower"]:
        return " Their intervals do not overlap."
    return " Their intervals overlap, which shows neither that they differ nor that they are the same."


def _earlier(result: _Curve, clauses: Sequence[Clause], end: float | None) -> str:
    """Say why there is no figure at the headline time."""
    if end is None:
        return "No group is large enough to show a curve."
    why = [result.missing_marker(row, "estimate") for _, row in read_at(result, end, clauses[0][0])]
    before = _last_given(result, clauses, end)
    if SUPPRESSED in why:
        none = f"The figures {_by(end, result, clauses)} are suppressed by disclosure control."
    else:
        when = f"{number(int(end))} {result.time_unit}{result.after_landmark}"
        none = f"Follow-up ends before {when}, so there is no figure for that time."
    return f"{before} {none}".lstrip()


def _last_given(result: _Curve, clauses: Sequence[Clause], end: float) -> str:
    """Say what is known at the last fixed time before the headline time; nothing where no figure is given."""
    if result.by or result.time_unit != "days":
        return ""
    cause, words = clauses[0]
    for time in sorted((t for t in _FIXED if t < end), reverse=True):
        for _, row in read_at(result, float(time), cause):
            if row["estimate"] is not None:
                share = share_with_interval(row["estimate"], row["lower"], row["upper"], label=_level(result))
                return f"{capital(_by(time, result, clauses))}, {share} of people {words}."
    return ""


def read_at(result: _Curve, time: float, cause: int | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Return the row of each group at a time, of one cause if it is given, with the group in words."""
    from symphony_research.survival.points import read_curve

    frame = read_curve(result, time)
    if cause is not None:
        frame = frame.filter(pl.col("cause") == cause)
    groups = frame.select(result.by).unique(maintain_order=True).to_dicts() if result.by else [{}]
    rows = [(strata_words(names), same_stratum(frame, names) if names else frame) for names in groups]
    return [(words, own.row(0, named=True)) for words, own in rows if own.height]


def _common_grid_time(result: _Curve) -> float | None:
    """Return the last grid time at which most curves have an estimate."""
    frame = result.estimates.filter(pl.col("estimate").is_not_null() & (pl.col("time") > 0))
    found = frame.group_by("time").len().sort("len", "time")
    return float(found["time"][-1]) if found.height else None


def _common_day(result: _Curve) -> float | None:
    """Return the last time at which every curve still runs; a group without an event does not cut the others short."""
    frame = result.estimates
    had = (pl.col("n_events") > 0).any()
    running = frame.filter(had.over(over(result.by))) if (frame["n_events"] > 0).any() else frame
    ends = running.select(pl.col("time").max().over(over(result.by)))["time"]
    return _whole_months(float(ends.min()), result.time_unit) if len(ends) else None  # type: ignore[arg-type]


def _whole_months(end: float, unit: str) -> float:
    """Return the time at which a sentence reads curves: of days beyond two months, the last whole month."""
    if unit != "days" or end < 2 * DAYS_A_MONTH:
        return end
    return min(end, (end + 2) // DAYS_A_MONTH * DAYS_A_MONTH)
