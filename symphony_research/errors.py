"""The errors a user meets. Each says what was wrong, what there is, and what to do.

Messages carry names of tables and columns and counts of rows, never a value of
a row: logs and notebooks travel further than the data they were made from.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

__all__ = [
    "ArgumentError",
    "DisclosureError",
    "NotEstimableError",
    "ReportError",
    "SchemaError",
    "SymphonyError",
    "require_columns",
    "require_one_of",
    "suggestion",
]


class SymphonyError(Exception):
    """Any fault the workbench can explain."""


class SchemaError(SymphonyError):
    """A table does not have the shape or the contents that the study folder promises."""


class ArgumentError(SymphonyError, ValueError):
    """A function or command was asked for something it cannot do."""


class NotEstimableError(ArgumentError):
    """Nothing can be estimated from these people, whatever the settings.

    Attributes
    ----------
    why : str
        Why not, as the start of a sentence and without a count of anybody, so that a report may say it.
    """

    def __init__(self, message: str, why: str = "Too few people, or too few with the event, can be compared") -> None:
        super().__init__(message)
        self.why = why


class DisclosureError(SymphonyError):
    """A number would have left the workbench without passing disclosure control."""


class ReportError(SymphonyError):
    """A report could not be made."""


def suggestion(name: str, available: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the closest available name, or nothing."""
    close = difflib.get_close_matches(name.lower(), {a.lower(): a for a in available}, n=1, cutoff=0.6)
    original = {a.lower(): a for a in available}
    return f" Did you mean '{original[close[0]]}'?" if close else ""


def require_columns(available: Sequence[str], wanted: Iterable[str], *, what: str) -> None:
    """Raise ArgumentError naming each wanted column that is not available."""
    missing = [name for name in wanted if name not in available]
    if missing:
        hints = "".join(suggestion(name, available) for name in missing)
        names = ", ".join(f"'{name}'" for name in missing)
        raise ArgumentError(f"{what} has no column {names}. Columns: {', '.join(available) or 'none'}.{hints}")


def require_one_of(value: object, allowed: Iterable[str], *, argument: str) -> None:
    """Raise ArgumentError unless `value` is one of the allowed words."""
    allowed = list(allowed)
    if value not in allowed:
        hint = suggestion(value, allowed) if isinstance(value, str) else ""
        raise ArgumentError(f"{argument}={value!r} is not known. Choose one of: {', '.join(allowed)}.{hint}")
