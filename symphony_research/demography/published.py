"""Results that rest on published statistics or on released rates: shown as they are, once it is said what was published."""

from __future__ import annotations

from typing import Any

from symphony_research.collapse import Collapsed
from symphony_research.errors import ArgumentError
from symphony_research.result import Result
from symphony_research.result.published import Tables, _OfPublished

__all__ = ["EXPECTED", "Tables", "_OfPublished", "refuse_study"]

EXPECTED = "People projected are expected numbers, not counts of persons."


def refuse_study(published: str | None, *frames: Any) -> None:
    """Raise ArgumentError where a source is named for counts of a study's people, or for a result that knows its own.

    Raises
    ------
    ArgumentError
    """
    if published and any(isinstance(frame, (Collapsed, Result)) for frame in frames):
        raise ArgumentError(
            "published is the source of figures in a frame. A study's counts are no published figures: pass its rates through "
            "sr.suppress and give the result, which says itself where it is from."
        )
