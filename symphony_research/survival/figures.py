"""Sentences and key figures of curves that are no share of people: a cumulative hazard, a mean number of events."""

from __future__ import annotations

from symphony_research.result import KeyFigure
from symphony_research.survival.base import _Curve
from symphony_research.survival.sentences import headline_time, read_at
from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import number

__all__ = ["figures_of", "number_with_interval", "read_at", "sentence_of", "titles_of"]


def number_with_interval(value: float | None, lower: float | None, upper: float | None, *, label: str = "") -> str:
    """Return a figure and its interval: "0.31 (0.25 to 0.38)", or with a label "0.31 (95% CI 0.25 to 0.38)".

    A zero that ends all three says nothing, as they are then known to no more figures: 3.20 (2.90 to 3.60) is 3.2 (2.9 to 3.6).
    """
    if lower is None or upper is None:
        return number(value)
    said = [number(value), number(lower), number(upper)]
    while all("." in text and text.endswith("0") for text in said):
        said = [text.removesuffix("0").removesuffix(".") for text in said]
    return f"{said[0]} ({f'{label} ' if label else ''}{said[1]} to {said[2]})"


def _when(result: _Curve, time: float) -> str:
    unit = result.time_unit
    when = f"by {number(int(time) if float(time).is_integer() else time)} {unit}" if unit else f"by time {time:g}"
    return when + result.after_landmark


def sentence_of(result: _Curve, quantity: str) -> str:
    """Return what a curve is at the headline time, with its interval; groups side by side."""
    end = headline_time(result)
    rows = [] if end is None else read_at(result, end)
    known = [(group, row) for group, row in rows if row["estimate"] is not None]
    if end is None or not known:
        return f"No group is large enough to show the {quantity}."
    label = f"{100 * result.settings.get('confidence', 0.95):g}% CI"
    said = [
        f"{number_with_interval(row['estimate'], row['lower'], row['upper'], label=label if k == 0 else '')}{f' for {group}' if group else ''}"
        for k, (group, row) in enumerate(known)
    ]
    each = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    gone = [f"{group} {result.missing_marker(row, 'estimate')}" for group, row in rows if row["estimate"] is None]
    without = f" ({', '.join(gone)})" if gone else ""
    return f"{capital(_when(result, end))}, the {quantity} was {each}{without}."


def figures_of(result: _Curve, quantity: str) -> tuple[KeyFigure, ...]:
    """Return what a curve is at the headline time, of each group."""
    end = headline_time(result)
    found = []
    for group, row in read_at(result, end) if end is not None else []:
        missing = row["estimate"] is None
        value = (
            result.missing_marker(row, "estimate")
            if missing
            else number_with_interval(row["estimate"], row["lower"], row["upper"])
        )
        when = _when(result, end or 0.0)
        measure = f"{capital(quantity)} {when}{f': {group}' if group else ''}"
        found.append(KeyFigure(measure, value, capital(quantity), when))
    return tuple(found)


def titles_of(result: _Curve, limit: float) -> tuple[str, ...]:
    """Return the figure of each group at the headline time as a title, in fewer and fewer words; empty where there is none."""
    end = headline_time(result)
    end = end if end is None else min(end, limit)
    rows = [] if end is None else [(g, r) for g, r in read_at(result, end) if r["estimate"] is not None]
    if end is None or not rows:
        return ()
    label = f"{100 * result.settings.get('confidence', 0.95):g}% CI"
    quantity, short = capital(str(result.quantity)), capital(str(result.quantity).split(" of ")[0])  # type: ignore[attr-defined]
    when = _when(result, end)
    if len(rows) == 1:
        group, row = rows[0]
        figure = number_with_interval(row["estimate"], row["lower"], row["upper"], label=label)
        of_whom = f" ({group})" if group else ""
        return tuple(f"{what} {when}: {figure}{of_whom}" for what in (quantity, short))
    ordered = sorted(rows, key=lambda pair: pair[1]["estimate"])
    low, high = ((number(row["estimate"]), group) for group, row in (ordered[0], ordered[-1]))
    ends = f"{low[0]} ({low[1]}) to {high[0]} ({high[1]})"
    return f"{quantity} {when}: {ends}", f"{short} {when}: {ends}", f"{short} {when}: {low[0]} to {high[0]}"
