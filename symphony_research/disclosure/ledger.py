"""What one report has released so far, so that the next output is judged beside it.

Only inside a report is anything kept: a notebook there is one process, and its
outputs are read together. Anywhere else `suppress` is given `beside=`.
"""

from __future__ import annotations

from symphony_research.result import Result, inside_report

__all__ = ["released", "remember"]

_RELEASED: list[Result] = []


def remember(result: Result) -> None:
    """Keep a disclosed result of this report."""
    if inside_report():
        _RELEASED.append(result)


def released() -> tuple[Result, ...]:
    """Return what this report has released."""
    return tuple(_RELEASED) if inside_report() else ()
