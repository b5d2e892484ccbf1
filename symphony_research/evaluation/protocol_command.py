"""`symphony protocol`: write a study's protocol, say what it says, or fix it."""

from __future__ import annotations

from pathlib import Path

from symphony_research.door.protocol_record import Fixing
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.protocol import Protocol
from symphony_research.evaluation.protocol_fixing import changed_keys, fix_protocol, timing_of
from symphony_research.evaluation.protocol_reading import read_protocol
from symphony_research.evaluation.protocol_tables import departures
from symphony_research.evaluation.protocol_template import write_protocol
from symphony_research.evaluation.protocol_words import value_in_words
from symphony_research.study import read_study
from symphony_research.words.lexicon import in_words
from symphony_research.words.phrases import joined

__all__ = ["protocol_in_words"]


def protocol_in_words(
    study: str, *, check: bool, fix: bool, by: str | None, file: str | None, programme: str | None
) -> str:
    """Write a protocol, look it over or fix it, and say what was done.

    Raises
    ------
    ArgumentError
        If two are asked for at once, or there is no such folder.
    """
    if check and fix:
        raise ArgumentError("Give --check or --fix, not both: what is fixed is looked over too.")
    if by is not None and not fix:
        raise ArgumentError("--by names who fixes a protocol: add --fix.")
    if not Path(study).is_dir():
        raise ArgumentError(f"There is no study folder '{study}'.")
    opened = read_study(study)
    if check:
        return summary(read_protocol(opened, file=file, programme=programme))
    if not fix:
        path = write_protocol(opened, file=file, programme=programme)
        return (
            f"The protocol is in {path}. Change what is not meant, look it over with --check, and fix it with --fix before outcomes "
            "are read."
        )
    read_protocol(opened, file=file, programme=programme)  # one of another programme is not fixed
    protocol = fix_protocol(opened, file=file, by=by)
    fixings = [one for one in protocol.record.events if isinstance(one, Fixing)]
    last = fixings[-1]
    told = f"Recorded as fixed on {last.date[:10]} by {last.by}, fingerprint {last.fingerprint[:12]}."
    if (first := protocol.record.first_reading) is not None:
        told += f" A report read its outcomes on {first.date[:10]} already: reports say so."
    return f"{told}\n{summary(protocol)}"


def summary(protocol: Protocol) -> str:
    """Return what a protocol says in a few lines."""
    name = "No protocol.toml: reports use the default protocol" if protocol.is_default else "The protocol can be read"
    outcomes = [in_words(name) for name in protocol.outcomes]
    matching = f"{in_words(protocol.score)}, exact on {joined(protocol.exact)}"
    lines = [
        f"{name}. Fingerprint {protocol.fingerprint[:12]}.",
        f"  {protocol.title}",
        f"  Programme: {in_words(protocol.programme)}; assignment: {matching}",
        f"  Primary outcome: {outcomes[0]}, {protocol.days:,} days; others: {', '.join(outcomes[1:]) or 'none'}",
        f"  {timing_of(protocol)}",
        f"  {departures(protocol).sentence()}",
    ]
    lines += [
        f"    {place}: {value_in_words(old)} -> {value_in_words(new)}" for place, old, new in changed_keys(protocol)
    ]
    return "\n".join(lines)
