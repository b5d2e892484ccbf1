"""The fingerprint of a study folder, which proves that the generator wrote it and nobody changed it since."""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from symphony_research.schema import STUDY_TABLES

__all__ = ["GENERATOR_NAME", "carries_own_fingerprint", "fingerprint", "generator_record"]

GENERATOR_NAME = "symphony_research.synthetic"
_DOMAIN = b"symphony_research.synthetic study folder v1"


def _file_digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def fingerprint(folder: str | os.PathLike[str]) -> str:
    """Return the fingerprint of a study folder's tables.

    It is the SHA-256 of a domain string and, for each table in order of name and each of its files, the
    file's path within the folder and the SHA-256 of its bytes.

    Parameters
    ----------
    folder : path
        A study folder.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> import tempfile
    >>> from symphony_research.synthetic import fingerprint, synthesise
    >>> with tempfile.TemporaryDirectory() as home:
    ...     study = synthesise(f"{home}/study", people=50, progress=False)
    ...     len(fingerprint(study))
    64
    """
    folder = Path(folder)
    total = hashlib.sha256(_DOMAIN)
    for path in sorted(_table_files(folder), key=lambda path: path.relative_to(folder).as_posix()):
        name = path.relative_to(folder).as_posix().encode()
        total.update(len(name).to_bytes(8, "big") + name + _file_digest(path))
    return total.hexdigest()


def _table_files(folder: Path) -> Iterator[Path]:
    """Return every file that could be read as a table, so that none can be added unseen."""
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name in STUDY_TABLES:
            yield from (path for path in entry.rglob("*") if path.is_file())
        elif entry.is_file() and entry.stem in STUDY_TABLES:
            yield entry


def generator_record(folder: Path) -> dict[str, Any] | None:
    """Return the [generator] table of a folder's study.toml, if it says that this generator wrote it."""
    try:
        with (folder / "study.toml").open("rb") as file:
            record = tomllib.load(file).get("generator")
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None
    return record if isinstance(record, dict) and record.get("name") == GENERATOR_NAME else None


def carries_own_fingerprint(folder: str | os.PathLike[str]) -> bool:
    """Return whether a study folder is this generator's own, unchanged since it was written.

    Parameters
    ----------
    folder : path
        A study folder.

    Returns
    -------
    bool
        Whether study.toml names this generator and its fingerprint equals that of the tables there now.

    Examples
    --------
    >>> import tempfile
    >>> from symphony_research.synthetic import carries_own_fingerprint, synthesise
    >>> with tempfile.TemporaryDirectory() as home:
    ...     carries_own_fingerprint(synthesise(f"{home}/study", people=50, progress=False))
    True
    """
    folder = Path(folder)
    record = generator_record(folder)
    return record is not None and record.get("fingerprint") == fingerprint(folder)
