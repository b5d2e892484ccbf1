"""What curves say in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from symphony_research.collapse.margins import same_stratum
from symphony_research.survival.base import _Curve
from symphony_research.survival.risk import over
from symphony_research.wording import DAYS_A_MONTH, duration, percentage, strata_words

__all__ = ["curve_sentence"]


def curve_sentence(result: _Curve, clauses: Sequence[tuple[int | None, str]]) -> str:
    """Return what share had what happen by the end, one clause a cause; groups side by side, at one time."""
    frame = result.estimates
    # of a released curve: what is shown after its start
    frame = frame.filter(pl.col("estimate").is_not_null() & (pl.col("time") > 0)) if result.on_grid else frame
    first = frame if clauses[0][0] is None else frame.filter(pl.col("cause") == clauses[0][0])
    end = _common_grid_time(first) if result.on_grid else _common_day(first, result)
    if end is None:
        return "No group is large enough to show a curve."
    groups = result.estimates.select(result.by).unique(maintain_order=True).to_dicts() if result.by else [{}]
    said = []
    for number_of_clause, (cause, words) in enumerate(clauses):
        part = frame if cause is None else frame.filter(pl.col("cause") == cause)
        part = part.filter(pl.col("time") == end if result.on_grid else pl.col("time") <= end)
        shares, gone = [], []
        for names in groups:
            own, group = same_stratum(part, names), strata_words(names)
            if not own.height and result.on_grid:
                gone.append(group)
                continue
            # a group without a row by then is a group all the same
            share = own["estimate"][-1] if own.height else 1.0 if cause is None else 0.0
            shares.append(f"{percentage(share)} of {group}" if group else percentage(share))
        if number_of_clause and (result.by or gone or not part["n_events"].sum()):
            continue
        suppressed = f" (suppressed: {', '.join(gone)})" if gone else ""
        of_whom = shares[0] if len(shares) == 1 else f"{', '.join(shares[:-1])} and {shares[-1]}"
        said.append(f"{of_whom} {words}{suppressed}")
    return f"By {duration(end, result.time_unit)} {' and '.join(said)}."


def _common_grid_time(frame: pl.DataFrame) -> float | None:
    """Return the last grid time at which most curves have an estimate."""
    found = frame.group_by("time").len().sort("len", "time")
    return float(found["time"][-1]) if found.height else None


def _common_day(frame: pl.DataFrame, result: _Curve) -> float | None:
    """Return the last time at which every curve still runs; a group without an event does not cut the others short."""
    had = (pl.col("n_events") > 0).any()
    running = frame.filter(had.over(over(result.by))) if (frame["n_events"] > 0).any() else frame
    ends = running.select(pl.col("time").max().over(over(result.by)))["time"]
    return _whole_months(float(ends.min()), result.time_unit) if len(ends) else None  # type: ignore[arg-type]


def _whole_months(end: float, unit: str) -> float:
    """Return the time at which a sentence reads curves: of days beyond two months, the last whole month."""
    if unit != "days" or end < 2 * DAYS_A_MONTH:
        return end
    return min(end, (end + 2) // DAYS_A_MONTH * DAYS_A_MONTH)
