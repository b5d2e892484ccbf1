"""What one report has released so far, so that the next output is judged beside it.

Only inside a report is anything kept: a notebook there is one process, and its
outputs are read together. Anywhere else `suppress` is given `beside=`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from symphony_research.files import write_in_place
from symphony_research.result import REPORT_POLICY, Result, inside_report

__all__ = ["RELEASES", "released", "remember"]

RELEASES = "SYMPHONY_RELEASES"  # where a report's process writes its release record
_RELEASED: list[Result] = []
_OUTPUTS: list[dict[str, Any]] = []


def remember(result: Result) -> None:
    """Keep a disclosed result of this report, and write the record of all so far where it is asked for."""
    wanted = os.environ.get(REPORT_POLICY)
    if not inside_report() or (wanted and result.disclosure and result.disclosure.policy.title != wanted):
        return  # under another rule than the report's nothing can be shown
    _RELEASED.append(result)
    path = os.environ.get(RELEASES)
    if path:
        from symphony_research.disclosure.release import as_output

        _OUTPUTS.append(as_output(result))
        write_in_place(Path(path), json.dumps(_OUTPUTS, default=str))


def released() -> tuple[Result, ...]:
    """Return what this report has released."""
    return tuple(_RELEASED) if inside_report() else ()
