"""The register of releases: every report that was given out, what it disclosed, and whether it was withdrawn.

A chained file (`chained`): its first line holds the register's secret key, each further one an entry or a withdrawal. It is
for its owner alone.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from symphony_research.chained import ChainedFile
from symphony_research.errors import ReportError

__all__ = ["Entry", "Register", "Withdrawal", "default_register"]

FORMAT = 1


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
        self._file = ChainedFile(
            self.path,
            "The register of releases",
            "Name another with --register, or in study.toml under [report] as register.",
            "name a new one with --register and release again what is out",
            private=True,
        )
        with self._file.held() as stream:
            lines = self._file.read(stream)
            if not lines:
                lines = [{"format": FORMAT, "key": secrets.token_hex(32)}]
                self._file.append(stream, lines)
            self.key = bytes.fromhex(lines[0]["key"])

    @property
    def known_by(self) -> str:
        """Digest of the key, by which it is known whether something was made beside this register."""
        return hashlib.sha256(self.key).hexdigest()

    def entries(self) -> tuple[Entry, ...]:
        """Return every entry in order, withdrawn ones with their withdrawal."""
        with self._file.held() as stream:
            return self._read(stream)

    def add(self, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        """Enter reports, all or none, and return them with their numbers; one that is there already is left as it is."""
        with self._file.held() as stream:
            known = {(one.report, one.digest): one for one in self._read(stream)}
            number, new = len(known), []
            for entry in entries:
                if (entry.report, entry.digest) not in known:
                    number += 1
                    known[entry.report, entry.digest] = replace(entry, number=number, withdrawn=None)
                    new.append({"entry": _plain(entry)})
            self._file.append(stream, new)
            return tuple(known[entry.report, entry.digest] for entry in entries)

    def withdraw(self, number: int, *, by: str, reason: str, date: str) -> Entry:
        """Declare an entry withdrawn; it stays in the register, and is compared with nothing from now on.

        Raises
        ------
        ReportError
            If there is no such entry, or it is withdrawn.
        """
        with self._file.held() as stream:
            there = self._read(stream)
            if not 1 <= number <= len(there):
                raise ReportError(
                    f"The register has no entry {number}: it has {len(there)}. See symphony release --list."
                )
            entry = there[number - 1]
            if entry.withdrawn is not None:
                raise ReportError(f"{entry.label} was withdrawn on {entry.withdrawn.date[:10]} already.")
            told = Withdrawal(by, date, reason)
            self._file.append(stream, [{"withdrawn": number, **asdict(told)}])
            return replace(entry, withdrawn=told)

    def _read(self, stream: IO[bytes]) -> tuple[Entry, ...]:
        entries: list[Entry] = []
        for line in self._file.read(stream)[1:]:
            if "entry" in line:
                told = line["entry"]
                entries.append(Entry(**{**told, "number": len(entries) + 1}))
            else:
                at = line["withdrawn"] - 1
                told = Withdrawal(line["by"], line["date"], line["reason"])
                entries[at] = replace(entries[at], withdrawn=told)
        return tuple(entries)


def _plain(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in vars(entry).items() if name not in ("number", "withdrawn")}
