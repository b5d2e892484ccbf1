"""Names that a curve is asked for by: its strata, and its causes in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symphony_research.collapse import column_names, names_of, provenance_of
from symphony_research.errors import ArgumentError
from symphony_research.survival.grid_cells import DEATH

__all__ = ["names_of_causes", "strata_names"]


def strata_names(by: str | Sequence[str], frame: Any) -> tuple[str, ...]:
    """Return the columns that form strata.

    Raises
    ------
    ArgumentError
        If one is missing, or has a name that curves use themselves.
    """
    names = names_of(by, column_names(frame))
    for own in ("cause", "state"):
        if own in names:
            raise ArgumentError(f"A stratum may not be called {own}: rename the column.")
    return names


def names_of_causes(frame: Any, given: Mapping[int, str] | None) -> dict[int, str]:
    """Return the words for causes by their codes: those given, else those of what `Cohort.follow_up` made.

    Raises
    ------
    ArgumentError
        If a key is no code of a cause.
    """
    names = dict(given or {})
    wrong = [key for key in names if isinstance(key, bool) or not isinstance(key, (int, np.integer)) or key < 1]
    if wrong:
        zero = " 0 is censoring, which is no cause." if 0 in wrong else ""
        raise ArgumentError(
            f"cause_names: {', '.join(map(repr, wrong))} is no cause; its keys are the codes of the event column from 1 on, "
            f'as in {{1: "admission", 2: "death"}}.{zero}'
        )
    if names:
        return {int(key): str(name) for key, name in names.items()}
    event = provenance_of(frame).population.get("event")
    return {1: event} if event == DEATH else {1: event, 2: DEATH} if event else {}
