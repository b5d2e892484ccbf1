"""protocol.toml: what a study's evaluation is to be, as its authors wrote it; here it is read, and nothing of it is judged."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from symphony_research.door.study_settings import toml_text
from symphony_research.door.text import UnreadableError
from symphony_research.errors import ArgumentError, SchemaError

__all__ = ["PROTOCOL", "protocol_path", "read_protocol_file"]

PROTOCOL = "protocol.toml"


def protocol_path(folder: Path | None, file: str | Path | None) -> Path | None:
    """Return where a protocol stands, or would: as asked, from here or from the study's folder; else in that folder.

    None of a study in memory.
    """
    if file is None:
        return None if folder is None else folder / PROTOCOL
    asked = Path(file)
    beside = asked if folder is None or asked.is_absolute() else folder / asked
    return beside if beside.is_file() and not asked.is_file() else asked


def read_protocol_file(path: Path) -> dict[str, Any]:
    """Return what a protocol holds, section by section.

    Raises
    ------
    ArgumentError
        If there is no such file.
    SchemaError
        If it is not TOML.
    """
    if not path.is_file():
        raise ArgumentError(f"There is no protocol '{path}'. Write one with: symphony protocol STUDY")
    try:
        return tomllib.loads(toml_text(path))
    except (tomllib.TOMLDecodeError, UnreadableError, OSError) as error:
        where = str(error).rpartition("(")[2].rstrip(")") if "(at " in str(error) else "somewhere"
        raise SchemaError(
            f"{path.name} cannot be read as TOML ({where}). Words stand in quotation marks, lists in square brackets; "
            "docs/protocol.md has an example."
        ) from None
