"""A study that was checked once is known again by its content: every byte of its tables and of study.toml.

The stamp says no more than that this content had no fault, and what a reader
needs beside the tables. It lies in the user's cache directory under a name made
from the content, this library's own code and its version, so a changed byte, a
changed file name or a changed check has no stamp. Dates of files do not count.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import polars as pl

from symphony_research.door.folder import OWN
from symphony_research.door.text import TextFile
from symphony_research.files import write_in_place

__all__ = ["Content", "Stamp", "content_of", "read_stamp", "write_stamp"]

# SHA-256: 1.8 GB a second and core where the processor helps, and BLAKE2b 0.9; without that help 0.4
_HASH = "sha256"
_PIECE = 1 << 25
_MOST_KEPT = 1000
_YES_OR_NO = ("ended", "costed")
_CODE = ("checks.py", "files.py", "policy.py", "schema.py", "study.py")


@dataclass(frozen=True)
class Content:
    """What a study folder holds.

    Attributes
    ----------
    key : str
        Of the content as this version of the library sees it.
    fingerprint : str
        Of the files read alone, whatever the version.
    digests : mapping
        Each file that is read to the digest of its bytes.
    """

    key: str
    fingerprint: str
    digests: Mapping[Path, bytes]


@dataclass(frozen=True)
class Stamp:
    """What was found out when the content was checked."""

    generated: bool
    recorded: pl.DataFrame  # the kinds of activity: to find them is to read all of it
    texts: Mapping[Path, TextFile] = field(default_factory=dict)


def content_of(folder: Path, files: Iterable[Path]) -> Content:
    """Read every byte of a study's files, in parallel.

    Parameters
    ----------
    folder : Path
        The study folder.
    files : iterable of Path
        The files that are read as tables; study.toml is added.
    """
    settings = folder / "study.toml"
    # by the names as they are written: paths of Windows sort without regard to capitals, and a fingerprint is of no system
    read = sorted(
        {*files, *([settings] if settings.is_file() else [])}, key=lambda path: path.relative_to(folder).parts
    )
    pieces = [(path, at) for path in read for at in range(0, max(1, _size(path)), _PIECE)]
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as workers:
        hashed = list(workers.map(_piece_digest, pieces))
    joined: dict[Path, bytes] = {path: b"" for path in read}
    for (path, _), one in zip(pieces, hashed, strict=True):
        joined[path] += one
    digests = {path: hashlib.new(_HASH, whole).digest() for path, whole in joined.items()}
    whole = hashlib.new(_HASH, b"symphony_research study folder v1")
    for path, one in digests.items():
        whole.update(_framed(path.relative_to(folder).as_posix()) + one)
    fingerprint = whole.hexdigest()
    # what is beside the tables is named in findings, but for files of settings and of records
    own = {folder / name for name in OWN}
    names = sorted(path.relative_to(folder).as_posix() for path in _entries(folder) if path not in own)
    key = hashlib.new(_HASH, _made_by() + b"".join(map(_framed, names)) + fingerprint.encode()).hexdigest()
    return Content(key, fingerprint, digests)


def _entries(folder: Path) -> Iterable[Path]:
    for path in folder.iterdir():
        yield path
        if path.is_dir():
            yield from path.iterdir()


def _framed(name: str) -> bytes:
    data = name.encode("utf-8", "surrogateescape")
    return len(data).to_bytes(8, "big") + data


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _piece_digest(piece: tuple[Path, int]) -> bytes:
    path, at = piece
    digest = hashlib.new(_HASH)
    left = _PIECE
    try:
        with path.open("rb") as file:
            file.seek(at)
            while left and (data := file.read(min(left, 1 << 20))):
                digest.update(data)
                left -= len(data)
    except OSError:  # reading the table says so, and nothing is stamped
        digest.update(path.name.encode("utf-8", "surrogateescape"))
    return digest.digest()


@cache
def _made_by() -> bytes:
    """Return the library, its checks and Polars: any of them may see the same bytes otherwise."""
    try:
        ours = version("symphony_research")
    except PackageNotFoundError:
        ours = ""
    digest = hashlib.new(_HASH, f"{ours} {pl.__version__} {sys.version_info[:2]}".encode())
    here = Path(__file__).parent
    for path in [*sorted(here.glob("*.py")), *(here.parent / name for name in _CODE)]:
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.digest()


def _cache() -> Path | None:
    if told := os.environ.get("SYMPHONY_CACHE"):
        return Path(told) / "checked"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "symphony_research" / "checked"


def read_stamp(content: Content, folder: Path) -> Stamp | None:
    """Return the stamp of this content, or None where there is none or it is not whole."""
    place = _cache()
    if place is None:
        return None
    try:
        told = json.loads((place / f"{content.key}.json").read_text(encoding="utf-8"))
        texts = {folder / name: _text_file(folder / name, how) for name, how in told["texts"].items()}
        stamp = Stamp(told["generated"] is True, _recorded(told["recorded"]), texts)
        return stamp if told["key"] == content.key else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _recorded(told: Mapping[str, list[Any]]) -> pl.DataFrame:
    return pl.DataFrame(told, {name: pl.Boolean if name in _YES_OR_NO else pl.String for name in told})


def _text_file(path: Path, how: Mapping[str, Any]) -> TextFile:
    return TextFile(path, str(how["encoding"]), str(how["delimiter"]), int(how["skip"]), tuple(how["headings"]))


def write_stamp(content: Content, folder: Path, stamp: Stamp) -> None:
    """Keep the stamp of a study without a fault; a cache that cannot be written is no fault."""
    place = _cache()
    if place is None:
        return
    told = {
        "key": content.key,
        "generated": stamp.generated,
        "recorded": stamp.recorded.to_dict(as_series=False),
        "texts": {
            path.relative_to(folder).as_posix(): {
                "encoding": how.encoding, "delimiter": how.delimiter, "skip": how.skip, "headings": list(how.headings),
            }
            for path, how in stamp.texts.items()
        },
    }  # fmt: skip
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_in_place(place / f"{content.key}.json", json.dumps(told))
        kept = sorted(place.glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-_MOST_KEPT]:
            path.unlink(missing_ok=True)
    except OSError:
        return
