"""Number formats: counts, ratios, percentages, p values, money and durations as a reader sees them."""

from __future__ import annotations

from symphony_research.words.lexicon import NOT_ESTIMABLE

__all__ = ["DAYS_A_MONTH", "about", "duration", "number", "p_value", "percentage", "pounds", "roughly", "times"]


DAYS_A_MONTH = 365.25 / 12


def number(value: float | None, digits: int = 3) -> str:
    """Return a number for reading: whole ones with commas, others to `digits` significant figures."""
    if value is None or value != value:
        return NOT_ESTIMABLE
    if isinstance(value, int) or (abs(value) >= 10**digits and abs(value) < 1e15):
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    if abs(value) < 1e-3:
        return "<0.001" if value > 0 else ">−0.001"
    decimals = max(0, digits - len(str(int(abs(value)))) + (abs(value) < 1))
    return f"{value:,.{decimals}f}"


def about(count: float) -> str:
    """Return a count for prose: as it is, since a table or figure beside it shows it so."""
    return f"{count:,.0f}"


def roughly(count: float) -> str:
    """Return a total for prose, to three figures: an exact one may be a multiple of five, and would then stand as it is."""
    scale = 10 ** max(0, len(str(int(abs(count)))) - 3)
    return f"{int(count / scale + 0.5) * scale:,}"


def times(ratio: float | None) -> str:
    """Return observed/expected for reading: three figures, over a hundred two, for it then rests on next to nobody."""
    if ratio is not None and ratio > 1000:
        return "over 1,000"
    if ratio is not None and ratio >= 100:
        return f"{round(ratio, -1):.0f}"
    return number(ratio)


def percentage(share: float | None) -> str:
    """Return a proportion as a percentage: a whole one from 10% on, of smaller shares two figures."""
    if share is None or share != share:
        return NOT_ESTIMABLE
    value = 100 * share
    if value == 0:
        return "0%"
    if 0 < value < 0.01:
        return "<0.01%"
    if 99.5 <= value < 100:
        return f"{value:.1f}%" if value < 99.95 else ">99.9%"
    return f"{int(value + 0.5)}%" if value >= 9.95 else f"{value:.1f}%" if value >= 0.995 else f"{value:.2f}%"


def pounds(value: float | None) -> str:
    """Return money to three significant figures."""
    if value is None:
        return NOT_ESTIMABLE
    return f"£{roughly(value)}"


def millions(value: float | None) -> str:
    """Return money of a whole area to three significant figures: "£131 million"."""
    if value is None or abs(value) < 999_500:
        return pounds(value)
    return f"£{number(value / 1e6)} million"


def p_value(value: float) -> str:
    """Return a p value for reading: "<0.001", three decimals below 0.1, two from there on, ">0.99"."""
    if value < 0.001:
        return "<0.001"
    if value > 0.995:
        return ">0.99"
    return f"{value:.3f}" if value < 0.0995 else f"{value:.2f}"


def duration(time: float, unit: str | None) -> str:
    """Return a time in words: 730 days becomes "2 years", 90 days "3 months"."""
    if unit == "days" and time >= 28:
        months = round(time / DAYS_A_MONTH)
        if abs(time - months * DAYS_A_MONTH) > 2:
            return f"{time:g} days"
        if months % 12 == 0:
            return f"{months // 12} year{'s' if months > 12 else ''}"
        return f"{months} month{'s' if months > 1 else ''}"
    if unit == "days" and time == 1:
        return "1 day"
    said = number(int(time) if float(time).is_integer() else time)
    return f"{said} {unit}" if unit else f"time {said}"
