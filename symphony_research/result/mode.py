"""Whether this process makes a report, and what the report may show.

The guard of a report's kernel says so once, when the kernel starts (`begin_report`). No environment variable decides it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from symphony_research.errors import DisclosureError

__all__ = [
    "begin_report",
    "confidential_report",
    "inside_report",
    "report_mode",
    "report_policy",
    "report_session",
]


@dataclass(frozen=True)
class _Mode:
    policy: str
    confidential: bool
    session: str


_mode: _Mode | None = None


def begin_report(policy_title: str, confidential: bool, session_name: str) -> None:
    """Make this process one that makes a report; it stays so until it ends.

    Parameters
    ----------
    policy_title : str
        Title of the report's policy: results released under another are refused.
    confidential : bool
        Whether the data are confidential; False for generated data alone.
    session_name : str
        Name of the release session whose results alone may be shown.

    Raises
    ------
    DisclosureError
        If the process makes a report already.
    """
    global _mode
    if _mode is not None:
        raise DisclosureError("This process makes a report already; what the report may show cannot be changed.")
    _mode = _Mode(policy_title, confidential, session_name)


def inside_report() -> bool:
    """Return whether this process makes a report, where nothing undisclosed may be shown."""
    return _mode is not None


def confidential_report() -> bool:
    """Return whether this process makes a report of confidential data."""
    return _mode is not None and _mode.confidential


def report_policy() -> str:
    """Return the title of the report's policy; empty outside a report, or where any policy will do."""
    return "" if _mode is None else _mode.policy


def report_session() -> str:
    """Return the name of the report's release session; empty outside a report, or where any will do."""
    return "" if _mode is None else _mode.session


@contextmanager
def report_mode(policy_title: str = "", *, confidential: bool = True, session_name: str = "") -> Iterator[None]:
    """Make a report for the length of a block, as a test does; the mode before it returns at its end.

    Examples
    --------
    >>> with report_mode():
    ...     inside_report()
    True
    >>> inside_report()
    False
    """
    global _mode
    before = _mode
    _mode = _Mode(policy_title, confidential, session_name)
    try:
        yield
    finally:
        _mode = before
