"""What every analysis returns, and what each number in it is: the floor that estimators and disclosure control share."""

from symphony_research.result.core import (
    Disclosure,
    KeyFigure,
    Result,
    Source,
    confidential_report,
    inside_report,
    library_version,
)

__all__ = [
    "Disclosure",
    "KeyFigure",
    "Result",
    "Source",
    "confidential_report",
    "inside_report",
    "library_version",
]
