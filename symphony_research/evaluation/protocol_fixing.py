"""Fixing a protocol before its outcomes are read, and what of it was departed from since."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from symphony_research.door.protocol_record import Fixing, Reading, add_to_record, read_record_of, utc_now
from symphony_research.errors import ArgumentError, ReportError
from symphony_research.evaluation.protocol import Protocol, content_as_mapping
from symphony_research.evaluation.protocol_reading import read_protocol
from symphony_research.result import library_version
from symphony_research.study import Study
from symphony_research.words.phrases import day_in_words

__all__ = ["changed_keys", "fix_protocol", "open_outcomes", "timing_of"]


def fix_protocol(study: Study | str | Path, *, file: str | Path | None = None, by: str | None = None) -> Protocol:
    """Record a study's protocol as fixed: its fingerprint, a copy, the time and who did it.

    Parameters
    ----------
    study : Study or path
    file : path, optional
        By default protocol.toml in the study folder.
    by : str, optional
        Who fixes it; by default its authors, else the user.

    Returns
    -------
    Protocol
        With its record, in `protocol.fixed.jsonl` beside the file: lines are added to it, and none is changed.

    Raises
    ------
    ArgumentError
        If the study has no protocol of its own yet.
    SchemaError
        If the protocol has a fault.
    ReportError
        If the record cannot be written, or is not whole.

    Notes
    -----
    A protocol may be fixed again: before outcomes are read the last one holds, afterwards the one that was fixed before stays
    the one that departures are listed against.

    Examples
    --------
    >>> import tempfile
    >>> import symphony_research as sr
    >>> study = sr.example_study(3_000)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = sr.evaluation.write_protocol(study, file=folder + "/protocol.toml")
    ...     sr.evaluation.fix_protocol(study, file=path, by="A. Analyst").record.fixing.by
    'A. Analyst'
    """
    protocol = read_protocol(study, file=file)
    if protocol.file is None:
        raise ArgumentError(
            "The study has no protocol.toml, so there is nothing to fix. Write one with: symphony protocol STUDY, change what is "
            "not meant, and fix it then."
        )
    who = by or ", ".join(protocol.authors) or getpass.getuser()
    fixing = Fixing(protocol.fingerprint, utc_now(), who, library_version(), protocol.content)
    return replace(protocol, record=add_to_record(protocol.file, fixing))


def open_outcomes(protocol: Protocol, *, report: str) -> Protocol:
    """Record that outcomes are about to be read under a protocol, once; call it before the first of them is.

    Parameters
    ----------
    protocol : Protocol
    report : str
        Which report reads them.

    Returns
    -------
    Protocol
        With its record, which says whether it was fixed before. Where nothing can be recorded (a study in memory, a folder for
        reading alone), `recorded` is false and reports say so. Of generated people nothing is recorded unless a protocol was
        fixed: the generator overwrites no folder with files of others.

    Raises
    ------
    ReportError
        If the record is not whole.

    Examples
    --------
    >>> import symphony_research as sr
    >>> protocol = sr.evaluation.default_protocol(sr.example_study(3_000))
    >>> sr.evaluation.open_outcomes(protocol, report="06").recorded
    False
    """
    if protocol.beside is None:
        return replace(protocol, recorded=False)
    if protocol.generated and not protocol.record.events:
        return protocol
    reading = Reading(protocol.fingerprint, utc_now(), report)
    before = read_record_of(protocol.beside)  # one that is not whole is an error, one that cannot be written is not
    try:
        return replace(protocol, record=add_to_record(protocol.beside, reading))
    except ReportError:
        return replace(protocol, record=before.with_event(reading), recorded=False)


def timing_of(protocol: Protocol) -> str:
    """Return in one or two sentences when a protocol was fixed, and whether its outcomes had been read by then.

    What it can know is in the record: whether anybody looked at outcomes in another way, it cannot.
    """
    record, fixing = protocol.record, protocol.record.fixing
    first = record.first_reading
    if fixing is None:
        whose = "The study states no protocol, so this is the default one" if protocol.is_default else "This protocol"
        read = "" if first is None else f" (first on {day_in_words(first.date[:10])})"
        joint = ", and it was not fixed" if protocol.is_default else " was not fixed"
        return f"{whose}{joint} before outcomes were read{read}.{_unrecorded(protocol)}"
    fixed = f"The protocol was fixed on {day_in_words(fixing.date[:10])} by {fixing.by}"
    if first is None:
        return f"{fixed}, and no report on its outcomes is recorded yet.{_unrecorded(protocol)}"
    when = day_in_words(first.date[:10])
    if not record.fixings_before:
        return f"{fixed}, after outcomes were first read by a report on {when}: it is no plan made before.{_unrecorded(protocol)}"
    versions = len(record.fixings_before)
    earlier = f" It replaced {versions - 1} earlier version{'s' if versions > 2 else ''}." if versions > 1 else ""
    return f"{fixed}, before a report first read its outcomes on {when}.{earlier}{_unrecorded(protocol)}"


def _unrecorded(protocol: Protocol) -> str:
    return "" if protocol.recorded else " Nothing could be recorded beside the study, so earlier reports are not known."


def changed_keys(protocol: Protocol) -> Iterator[tuple[str, Any, Any]]:
    """Yield each key whose value is another than the fixed one, with both; none where nothing was fixed.

    A key that the fixed copy does not know, of an earlier version of the library, counts where the file now states it.
    """
    fixing = protocol.record.fixing
    if fixing is None:
        return
    fixed = {
        f"{section}.{key}" if section else key: value
        for section, keys in fixing.content.items()
        for key, value in keys.items()
    }
    for place, now in content_as_mapping(protocol).items():
        if place not in fixed:
            if place in protocol.given:
                yield place, None, now
        elif fixed[place] != now:
            yield place, fixed[place], now
