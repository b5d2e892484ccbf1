"""Files to which lines are added, and of which none is changed: each line bears the digest of all before it.

A second file beside it holds the last digest, so that a file that was cut short is known too. Whoever can write both can
make both again: this stands against a slip and a quiet edit, not against a forger.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from symphony_research.errors import ReportError
from symphony_research.files import write_in_place

__all__ = ["ChainedFile"]

_PATIENCE = 10.0  # seconds to wait for another process


@dataclass(frozen=True)
class ChainedFile:
    """A file of JSON lines, each with the digest of all before it.

    Attributes
    ----------
    path : pathlib.Path
    called : str
        What messages call it: "The register of releases".
    elsewhere : str
        What to do where it cannot be opened, as a sentence.
    mended : str
        What to do where it is not whole and there is no copy, as the end of a sentence.
    private : bool
        Whether it is for its owner alone.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     record = ChainedFile(Path(folder) / "record.jsonl", "The record", "Name another.", "start another")
    ...     with record.held() as stream:
    ...         record.append(stream, [{"said": "first"}])
    ...     record.lines()
    [{'said': 'first'}]
    """

    path: Path
    called: str
    elsewhere: str
    mended: str
    private: bool = False

    @property
    def head(self) -> Path:
        """The file that holds the last digest."""
        return self.path.with_name(f"{self.path.name}.head")

    @contextmanager
    def held(self) -> Iterator[IO[bytes]]:
        """Hold the file for this process alone; it is made if it is not there.

        Raises
        ------
        ReportError
            If it cannot be opened, or another process holds it.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if self.private else 0o777)
            mode = 0o600 if self.private else 0o666
            place = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), mode)
            if self.private and os.name != "nt":
                # a register of several people has another owner, who says who may read it
                with suppress(PermissionError):
                    os.fchmod(place, 0o600)
            stream = os.fdopen(place, "r+b")
        except OSError as fault:
            raise self._unopened(fault) from None
        with stream, self._held(stream):
            yield stream

    def lines(self) -> list[dict[str, Any]]:
        """Return every line; none where there is no file. Nothing is written, so the folder may be for reading alone.

        Raises
        ------
        ReportError
            As `open` and `read` do.
        """
        if not self.path.is_file():
            return []
        try:
            stream = self.path.open("rb")
        except OSError as fault:
            raise self._unopened(fault) from None
        with stream, self._held(stream, shared=True):
            return self.read(stream)

    def read(self, stream: IO[bytes]) -> list[dict[str, Any]]:
        """Read every line; refuse a file that is not whole.

        Raises
        ------
        ReportError
            If a line was changed, cut or taken away.
        """
        stream.seek(0)
        raw = stream.read()
        last = self.head.read_text(encoding="ascii").strip() if self.head.exists() else ""
        lines: list[dict[str, Any]] = []
        digests = [""]
        for line in raw.splitlines(keepends=True):
            try:
                told = json.loads(line) if line.endswith(b"\n") else None
                digest = told.pop("digest") if told is not None else None
            except (ValueError, KeyError, AttributeError):
                told, digest = None, None
            if told is None or digest != _digest(digests[-1], told):
                raise self._broken(f"line {len(lines) + 1} of it is not whole or was changed")
            lines.append(told)
            digests.append(digest)
        # the last digest is written after the line: a file may be one write ahead of it, and never behind
        if last not in digests:
            raise self._broken("lines at its end are missing")
        return lines

    def append(self, stream: IO[bytes], lines: Sequence[Mapping[str, Any]]) -> None:
        """Add lines, all or none: where the disk is full the file is cut back to what it was.

        Raises
        ------
        ReportError
            If they could not be written.
        """
        if not lines:
            return
        stream.seek(0)
        raw = stream.read()
        digest = json.loads(raw.splitlines()[-1])["digest"] if raw else ""
        text = b""
        for told in lines:
            line = json.loads(json.dumps(told, default=str))  # as it will be read
            digest = _digest(digest, line)
            text += json.dumps({**line, "digest": digest}, separators=(",", ":")).encode() + b"\n"
        try:
            stream.seek(0, os.SEEK_END)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
            write_in_place(self.head, digest)
            if self.private and os.name != "nt":
                self.head.chmod(0o600)
        except OSError as fault:
            stream.seek(len(raw))
            stream.truncate(len(raw))
            reason = fault.strerror or type(fault).__name__
            raise ReportError(
                f"{self.called} '{self.path}' could not be written: {reason}. Nothing was entered, and what was there is as it was."
            ) from None

    def _unopened(self, fault: OSError) -> ReportError:
        reason = fault.strerror or type(fault).__name__
        return ReportError(f"{self.called} '{self.path}' cannot be opened: {reason}. {self.elsewhere}")

    def _broken(self, what: str) -> ReportError:
        return ReportError(
            f"{self.called} '{self.path}' cannot be used: {what}. Nothing was changed. Put back a copy of it and of "
            f"'{self.head.name}', or if there is none {self.mended}."
        )

    @contextmanager
    def _held(self, stream: IO[bytes], *, shared: bool = False) -> Iterator[None]:
        """Hold the file while it is read or written, waiting a while for another process."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                _lock(stream, shared=shared)
                break
            except OSError:
                if time.monotonic() > until:
                    raise ReportError(
                        f"{self.called} '{self.path}' is in use by another process. Nothing was changed: try again when it "
                        "has ended."
                    ) from None
                time.sleep(0.1)
        try:
            yield
        finally:
            _unlock(stream)


def _digest(before: str, told: Mapping[str, Any]) -> str:
    text = json.dumps(told, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(f"{before}{text}".encode()).hexdigest()


def _lock(stream: IO[bytes], *, shared: bool = False) -> None:
    if os.name == "nt":
        import msvcrt

        stream.seek(2**30)  # a byte that nobody reads: on Windows what is locked cannot be read
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(stream, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def _unlock(stream: IO[bytes]) -> None:
    if os.name == "nt":
        import msvcrt

        stream.seek(2**30)
        msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_UN)
