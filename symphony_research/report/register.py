"""The register of releases: every report that was given out, what it disclosed, and whether it was withdrawn.

A file to which lines are added, and of which none is changed: the first holds the register's secret key, each further one an
entry or a withdrawal, with the digest of all before it. A second file beside it holds the last digest, so that a register
that was cut short is known. Both are for their owner alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from symphony_research.errors import ReportError
from symphony_research.files import write_in_place

__all__ = ["Entry", "Register", "Withdrawal", "default_register"]

FORMAT = 1
_LOCKED = (
    "The register of releases '{}' is in use by another process. Nothing was changed: try again when it has ended."
)
_PATIENCE = 10.0  # seconds to wait for another process


@dataclass(frozen=True)
class Withdrawal:
    """That a released report is out of use: who said so, when and why."""

    by: str
    date: str
    reason: str


@dataclass(frozen=True)
class Entry:
    """A report that was released.

    Attributes
    ----------
    report : str
        Name of its folder.
    title : str
    study : str
    policy : str
        Title of its disclosure policy.
    by, date : str
        Who released it, and when.
    digest : str
        Of the page that was released.
    run : str
        By which it is known what it was protected beside.
    fingerprint : str
        Of the study, under the register's key.
    sketch : str
        Of the study's people; see `report.sketch`.
    outputs : list
        All its counts, suppressed ones too.
    number : int
        Place in the register, from 1.
    withdrawn : Withdrawal or None
    """

    report: str
    title: str
    study: str
    policy: str
    by: str
    date: str
    digest: str
    run: str
    fingerprint: str
    sketch: str = field(repr=False)
    outputs: list[dict[str, Any]] = field(repr=False)
    number: int = 0
    withdrawn: Withdrawal | None = None

    @property
    def label(self) -> str:
        """The entry in words, as messages name it; of a report that is yet to be entered its own name."""
        if not self.number:
            return self.report
        return f"{self.report} (entry {self.number}, released {self.date[:10]})"


def default_register() -> Path:
    """Return where a user's register stands if nothing else is said: in the folder for programs' data, outside every study."""
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    else:
        base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "symphony_research" / "register.jsonl"


class Register:
    """A register of releases in a file.

    Parameters
    ----------
    path : path
        Made, with a new key, if it is not there.

    Raises
    ------
    ReportError
        If it cannot be read or made, was cut short or changed, or is held by another process.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     register = Register(Path(folder) / "register.jsonl")
    ...     len(register.key), register.entries()
    (32, ())
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._head = self.path.with_name(f"{self.path.name}.head")
        with self._open() as stream:
            lines = self._lines(stream)
            if not lines:
                lines = [{"format": FORMAT, "key": secrets.token_hex(32)}]
                self._append(stream, lines)
            self.key = bytes.fromhex(lines[0]["key"])

    def entries(self) -> tuple[Entry, ...]:
        """Return every entry in order, withdrawn ones with their withdrawal."""
        with self._open() as stream:
            return self._read(stream)

    def add(self, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        """Enter reports, all or none, and return them with their numbers; one that is there already is left as it is."""
        with self._open() as stream:
            known = {(one.report, one.digest): one for one in self._read(stream)}
            number, new = len(known), []
            for entry in entries:
                if (entry.report, entry.digest) not in known:
                    number += 1
                    known[entry.report, entry.digest] = replace(entry, number=number, withdrawn=None)
                    new.append({"entry": _plain(entry)})
            self._append(stream, new)
            return tuple(known[entry.report, entry.digest] for entry in entries)

    def withdraw(self, number: int, *, by: str, reason: str, date: str) -> Entry:
        """Declare an entry withdrawn; it stays in the register, and is compared with nothing from now on.

        Raises
        ------
        ReportError
            If there is no such entry, or it is withdrawn.
        """
        with self._open() as stream:
            there = self._read(stream)
            if not 1 <= number <= len(there):
                raise ReportError(
                    f"The register has no entry {number}: it has {len(there)}. See symphony release --list."
                )
            entry = there[number - 1]
            if entry.withdrawn is not None:
                raise ReportError(f"{entry.label} was withdrawn on {entry.withdrawn.date[:10]} already.")
            told = Withdrawal(by, date, reason)
            self._append(stream, [{"withdrawn": number, **asdict(told)}])
            return replace(entry, withdrawn=told)

    def _read(self, stream: IO[bytes]) -> tuple[Entry, ...]:
        entries: list[Entry] = []
        for line in self._lines(stream)[1:]:
            if "entry" in line:
                told = line["entry"]
                entries.append(Entry(**{**told, "number": len(entries) + 1}))
            else:
                at = line["withdrawn"] - 1
                told = Withdrawal(line["by"], line["date"], line["reason"])
                entries[at] = replace(entries[at], withdrawn=told)
        return tuple(entries)

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            place = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            if os.name != "nt":
                os.fchmod(place, 0o600)
            stream = os.fdopen(place, "r+b")
        except OSError as fault:
            raise ReportError(
                f"The register of releases '{self.path}' cannot be opened: {fault.strerror or type(fault).__name__}. Name "
                "another with --register, or in study.toml under [report] as register."
            ) from None
        with stream:
            _lock(stream, self.path)
            try:
                yield stream
            finally:
                _unlock(stream)

    def _lines(self, stream: IO[bytes]) -> list[dict[str, Any]]:
        """Read every line; refuse a register that is not whole."""
        stream.seek(0)
        raw = stream.read()
        last = self._head.read_text(encoding="ascii").strip() if self._head.exists() else ""
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
        # the last digest is written after the line: a register may be one write ahead of it, and never behind
        if last not in digests:
            raise self._broken("lines at its end are missing")
        return lines

    def _broken(self, what: str) -> ReportError:
        return ReportError(
            f"The register of releases '{self.path}' cannot be used: {what}. Nothing was changed. Put back a copy of it and of "
            f"'{self._head.name}', or if there is none name a new one with --register and release again what is out."
        )

    def _append(self, stream: IO[bytes], lines: Sequence[Mapping[str, Any]]) -> None:
        """Add lines, all or none: where the disk is full the file is cut back to what it was."""
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
            write_in_place(self._head, digest)
            if os.name != "nt":
                self._head.chmod(0o600)
        except OSError as fault:
            stream.seek(len(raw))
            stream.truncate(len(raw))
            reason = fault.strerror or type(fault).__name__
            raise ReportError(
                f"The register of releases '{self.path}' could not be written: {reason}. Nothing was entered, and what was there is "
                "as it was."
            ) from None


def _plain(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in vars(entry).items() if name not in ("number", "withdrawn")}


def _digest(before: str, told: Mapping[str, Any]) -> str:
    text = json.dumps(told, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(f"{before}{text}".encode()).hexdigest()


def _lock(stream: IO[bytes], path: Path) -> None:
    """Hold the file for this process alone, waiting a while for another."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            if os.name == "nt":
                import msvcrt

                stream.seek(2**30)  # a byte that nobody reads: on Windows what is locked cannot be read
                msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            else:
                import fcntl

                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            if time.monotonic() > until:
                raise ReportError(_LOCKED.format(path)) from None
            time.sleep(0.1)


def _unlock(stream: IO[bytes]) -> None:
    if os.name == "nt":
        import msvcrt

        stream.seek(2**30)
        msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_UN)
