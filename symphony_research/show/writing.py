"""Where a figure or a table is written: the folder must be there, and the name says the kind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from symphony_research.errors import ArgumentError
from symphony_research.files import file_in_place

__all__ = ["beside", "suffix_of"]


def suffix_of(path: str | os.PathLike[str], allowed: tuple[str, ...]) -> str:
    """Return the ending of a file name, which says its kind."""
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in allowed:
        raise ArgumentError(
            f"The name of the file ends in '.{suffix}'; it should end in {' or '.join('.' + a for a in allowed)}."
        )
    return suffix


@contextmanager
def beside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a name in the same folder to write to; move it to `path` if nothing failed.

    Raises
    ------
    ArgumentError
        If the folder does not exist.
    """
    place = Path(path)
    if not place.parent.is_dir():
        raise ArgumentError(f"There is no folder '{place.parent}' to write '{place.name}' into. Make it first.")
    with file_in_place(place) as draft:
        yield draft
