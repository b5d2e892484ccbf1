"""What one report has released so far, so that the next output is judged beside it.

Only inside a report is anything kept: a notebook there is one process, and its
outputs are read together. Anywhere else `suppress` is given `beside=`.
"""

from __future__ import annotations

import os

from symphony_research.result import Result, inside_report

__all__ = ["RELEASES", "released", "remember"]

RELEASES = "SYMPHONY_RELEASES"  # where a report's process writes its release record
_RELEASED: list[Result] = []


def remember(result: Result) -> None:
    """Keep a disclosed result of this report, and write the record of all so far where it is asked for."""
    if not inside_report():
        return
    _RELEASED.append(result)
    path = os.environ.get(RELEASES)
    if path:
        from symphony_research.disclosure.release import write_outputs

        write_outputs(_RELEASED, path)


def released() -> tuple[Result, ...]:
    """Return what this report has released."""
    return tuple(_RELEASED) if inside_report() else ()
