"""What every analysis returns, and what each number in it is: the floor that estimators and disclosure control share."""

from symphony_research.result.core import (
    Disclosure,
    KeyFigure,
    Provenance,
    Result,
    confidential_report,
    inside_report,
    library_version,
)
from symphony_research.result.not_available import NotAvailable, not_available, passed_on, title_within

__all__ = [
    "Disclosure",
    "KeyFigure",
    "NotAvailable",
    "Provenance",
    "Result",
    "confidential_report",
    "inside_report",
    "library_version",
    "not_available",
    "passed_on",
    "title_within",
]
