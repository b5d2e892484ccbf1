"""Atomic writes: files and folders are written beside their place and moved into it, so nobody meets half of one."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["file_in_place", "folder_in_place", "move", "write_in_place"]

# On Windows a file that a virus scanner or an indexer is looking at cannot be moved or replaced for a moment.
_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8)


@contextmanager
def file_in_place(path: Path) -> Iterator[Path]:
    """Give a name in the same folder to write to; move it to `path` if nothing failed.

    Raises
    ------
    PermissionError
        If the file there is open in another program, such as Excel, and stays so.
    """
    # short, as Windows takes paths of 260 characters
    draft = path.with_name(f".{_token()}{path.suffix}")
    try:
        yield draft
        move(draft, path)
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

    Raises
    ------
    PermissionError
        If a file of the older folder is open in another program, and stays so.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    # Not by tempfile: its folders are their owner's alone, and on Windows what is moved keeps its permissions.
    folder = out.with_name(f".{_token()}")
    old = out.with_name(f"{folder.name}-replaced")
    folder.mkdir()
    try:
        yield folder
        if out.exists():
            move(out, old)
        try:
            move(folder, out)
        except BaseException:
            if old.exists():
                old.rename(out)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _token() -> str:
    return f"symphony-{uuid.uuid4().hex[:8]}"


def move(draft: Path, path: Path) -> None:
    """Move a file or folder, waiting a little where another program holds it or what it replaces."""
    for wait in _WAITS:
        try:
            os.replace(draft, path)
        except PermissionError:
            time.sleep(wait)
        else:
            return
    try:
        os.replace(draft, path)
    except PermissionError as fault:
        name = path.name if path.exists() else draft.name
        told = f"'{name}' may not be replaced; close it where it is open (Excel, a browser, a notebook), and try again"
        raise PermissionError(fault.errno, told) from None
