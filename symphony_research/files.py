"""Files and folders are written beside their place and moved into it, so nobody meets half of one."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["file_in_place", "folder_in_place", "write_in_place"]


@contextmanager
def file_in_place(path: Path) -> Iterator[Path]:
    """Give a name in the same folder to write to; move it to `path` if nothing failed."""
    draft = path.with_name(f".{path.stem}-{uuid.uuid4().hex}{path.suffix}")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_in_place(path: Path, text: str) -> None:
    """Write a text whole or not at all, and to the disk before it takes the old one's place."""
    with file_in_place(path) as draft, draft.open("wb") as stream:
        stream.write(text.encode("utf-8"))
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def folder_in_place(out: Path) -> Iterator[Path]:
    """Give an empty folder beside `out` to fill; move it there if nothing failed.

    An older folder is kept until the new one stands in its place.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    old = temporary.with_name(f"{temporary.name}-replaced")
    try:
        folder = temporary / "new"  # made as any folder is: the temporary one is its owner's alone
        folder.mkdir()
        yield folder
        if out.exists():
            out.rename(old)
        try:
            folder.rename(out)
        except BaseException:
            if old.exists():
                old.rename(out)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
