"""What is recorded of a protocol, in order: when it was fixed, by whom and as what; and when its outcomes were first read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from symphony_research.chained import ChainedFile

__all__ = ["Fixing", "Reading", "Record", "add_to_record", "read_record_of", "record_path", "utc_now"]

FORMAT = 1


@dataclass(frozen=True)
class Fixing:
    """That a protocol was fixed.

    Attributes
    ----------
    fingerprint : str
        Of its content.
    date : str
        In UTC.
    by : str
    version : str
        Of this library.
    content : mapping
        A copy, section by section.
    """

    fingerprint: str
    date: str
    by: str
    version: str
    content: Mapping[str, Mapping[str, Any]] = field(repr=False)


@dataclass(frozen=True)
class Reading:
    """That a report read the outcomes, under the protocol of that fingerprint."""

    fingerprint: str
    date: str
    report: str


@dataclass(frozen=True)
class Record:
    """Fixings and readings in the order in which they were recorded; that order decides, not the clock of a machine."""

    events: tuple[Fixing | Reading, ...] = ()

    @property
    def first_reading(self) -> Reading | None:
        """The first time that outcomes were read."""
        return next((event for event in self.events if isinstance(event, Reading)), None)

    @property
    def fixings_before(self) -> tuple[Fixing, ...]:
        """Fixings that no reading of outcomes came before."""
        found: list[Fixing] = []
        for event in self.events:
            if isinstance(event, Reading):
                break
            found.append(event)
        return tuple(found)

    @property
    def fixing(self) -> Fixing | None:
        """The fixing that binds: the last before outcomes were read; if there is none, the first after."""
        if self.fixings_before:
            return self.fixings_before[-1]
        return next((event for event in self.events if isinstance(event, Fixing)), None)

    def with_event(self, event: Fixing | Reading) -> Record:
        """Return the record with one more event."""
        return Record((*self.events, event))


def record_path(protocol: Path) -> Path:
    """Return where the record of a protocol stands: protocol.fixed.jsonl beside protocol.toml."""
    return protocol.with_name(f"{protocol.stem}.fixed.jsonl")


def read_record_of(protocol: Path) -> Record:
    """Return what is recorded of a protocol; nothing is written.

    Raises
    ------
    ReportError
        If the record is not whole.
    """
    return Record(tuple(_events(_file(protocol).lines())))


def add_to_record(protocol: Path, event: Fixing | Reading) -> Record:
    """Record that a protocol was fixed, or its outcomes read; return the whole record.

    A fixing of what is fixed already, and a reading under a protocol whose outcomes were read, add nothing.

    Raises
    ------
    ReportError
        If the record cannot be written, or is not whole.
    """
    file = _file(protocol)
    with file.held() as stream:
        lines = file.read(stream)
        record = Record(tuple(_events(lines)))
        if _known(record, event):
            return record
        head = [] if lines else [{"format": FORMAT, "of": protocol.name}]
        kind = "fixed" if isinstance(event, Fixing) else "outcomes_read"
        file.append(stream, [*head, {kind: asdict(event)}])
    return record.with_event(event)


def utc_now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _known(record: Record, event: Fixing | Reading) -> bool:
    of_kind = [one.fingerprint for one in record.events if type(one) is type(event)]
    if isinstance(event, Reading):
        return event.fingerprint in of_kind
    return bool(of_kind) and of_kind[-1] == event.fingerprint


def _events(lines: Iterable[Mapping[str, Any]]) -> Iterable[Fixing | Reading]:
    for line in lines:
        if "fixed" in line:
            yield Fixing(**line["fixed"])
        elif "outcomes_read" in line:
            yield Reading(**line["outcomes_read"])


def _file(protocol: Path) -> ChainedFile:
    return ChainedFile(
        record_path(protocol),
        "The record of the protocol",
        "Ask for permission to write in its folder, or keep the protocol in another: --file FILE.",
        "move both away and fix the protocol again: reports then say that it was fixed on that day",
    )
