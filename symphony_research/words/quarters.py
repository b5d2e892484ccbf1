"""Calendar quarters: their names, their first and last days, and the words for a window of days."""

from __future__ import annotations

import re
from datetime import date, timedelta

from symphony_research.errors import ArgumentError

__all__ = ["quarter_days", "quarter_named", "window_in_words"]

_NAME = re.compile(r"([12]\d{3})-?Q([1-4])", re.IGNORECASE)


def quarter_days(name: str) -> tuple[date, date]:
    """Return the first and last day of a calendar quarter.

    Raises
    ------
    ArgumentError
        If the name is not one such as 2016-Q3.

    Examples
    --------
    >>> first, last = quarter_days("2016-Q3")
    >>> first.isoformat(), last.isoformat()
    ('2016-07-01', '2016-09-30')
    """
    found = _NAME.fullmatch(name.strip())
    if found is None:
        raise ArgumentError(f"'{name}' is no calendar quarter. Write year and quarter, such as 2016-Q3.")
    year, quarter = int(found[1]), int(found[2])
    following = date(year + quarter // 4, 3 * (quarter % 4) + 1, 1)
    return date(year, 3 * quarter - 2, 1), following - timedelta(days=1)


def quarter_named(first: str, last: str) -> str | None:
    """Return the name of the calendar quarter between two days, both included; None where they are not one.

    Examples
    --------
    >>> quarter_named("2016-07-01", "2016-09-30"), quarter_named("2016-07-01", "2016-09-29")
    ('2016-Q3', None)
    """
    day = date.fromisoformat(first)
    name = f"{day.year}-Q{(day.month + 2) // 3}"
    return name if quarter_days(name) == (day, date.fromisoformat(last)) else None


def window_in_words(first: str, last: str) -> str:
    """Return a window of days in words; a calendar quarter is named by its months.

    Examples
    --------
    >>> window_in_words("2016-07-01", "2016-09-30"), window_in_words("2016-07-01", "2016-07-31")
    ('July to September 2016', '1 July 2016 to 31 July 2016')
    """
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    if quarter_named(first, last):
        return f"{start:%B} to {end:%B %Y}"
    return f"{start.day} {start:%B %Y} to {end.day} {end:%B %Y}"
