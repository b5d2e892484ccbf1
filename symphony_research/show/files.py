"""Write a file whole or not at all: beside its place first, then moved into it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from symphony_research.errors import ArgumentError

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
    draft = place.with_name(f".{place.stem}-{uuid.uuid4().hex}{place.suffix}")
    try:
        yield draft
        os.replace(draft, place)
    finally:
        draft.unlink(missing_ok=True)
