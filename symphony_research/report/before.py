"""What was released before of a study's people: what a report is made beside, and what it is entered with."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from symphony_research.errors import ArgumentError
from symphony_research.policy import Policy
from symphony_research.report.register import Entry, Register, default_register
from symphony_research.report.release import keyed, with_fingerprint
from symphony_research.report.sketch import SAME_PEOPLE, overlap, sketch_of
from symphony_research.study import Study

__all__ = [
    "FOR_REGISTER",
    "ReleasedBefore",
    "as_of_study",
    "of_same_people",
    "register_of",
    "released_before",
    "require_one_rule",
]

FOR_REGISTER = "for_register.json"  # beside the file for the output checker: what `symphony release` enters


@dataclass(frozen=True)
class ReleasedBefore:
    """Releases of a study's people that are in use, and by what the study is known in the register.

    Attributes
    ----------
    entries : tuple of Entry
        Not withdrawn, of extracts that share people with the study; in order.
    register : pathlib.Path or None
        None where nothing need be registered.
    fingerprint : str
        The study's, under the register's key.
    sketch : str
        Of its people.
    run : str
        Names the run; reports of one run are protected beside each other.
    known_by : str
        Digest of the register's key: fingerprint and sketch are of use in that register alone, wherever it is moved.
    """

    entries: tuple[Entry, ...] = ()
    register: Path | None = None
    fingerprint: str = ""
    sketch: str = field(default="", repr=False)
    run: str = ""
    known_by: str = ""

    def outputs_of(self, entry: Entry, study: Study) -> list[dict[str, Any]]:
        """Return what an entry disclosed, as of this study's people: counts of the same records carry the study's own fingerprint."""
        return as_of_study(with_fingerprint(entry.outputs, {self.fingerprint: study.fingerprint}), study.name)

    def to_be_entered(self, outputs: Sequence[Mapping[str, Any]], study: Study) -> dict[str, Any]:
        """Return what the register is to hold of a new report, beside what `symphony release` adds."""
        known = {study.fingerprint: self.fingerprint}
        return {
            "run": self.run,
            "register": None if self.register is None else str(self.register),
            "known_by": self.known_by,
            "fingerprint": self.fingerprint,
            "sketch": self.sketch,
            "beside": [entry.number for entry in self.entries],
            "outputs": with_fingerprint(list(outputs), known),
        }


def as_of_study(outputs: Iterable[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    """Return outputs as of the people of a study, whatever the study was called that they were made of."""
    return [
        {**output, "published": {**output["published"], "study": name}} if "published" in output else dict(output)
        for output in outputs
    ]


def of_same_people(entries: Iterable[Entry], fingerprint: str, sketch: str) -> tuple[Entry, ...]:
    """Return the entries in use that are of the same records, or of extracts that share people."""
    return tuple(
        entry
        for entry in entries
        if entry.withdrawn is None
        and (entry.fingerprint == fingerprint or overlap(entry.sketch, sketch) >= SAME_PEOPLE)
    )


def register_of(asked: str | Path | None, study: Study | None) -> Path:
    """Return where the register stands: as asked, else as study.toml says, else the user's own."""
    own = None if study is None else study.signed.get("register")
    if asked is not None:
        return Path(asked).absolute()
    if own and study is not None and study.folder is not None:
        return (Path(study.folder) / Path(os.path.expandvars(own)).expanduser()).absolute()
    return default_register()


def released_before(study: Study, policies: Sequence[Policy], register: str | Path | None) -> ReleasedBefore:
    """Return the releases that reports of a study are made beside; none where no policy changes anything.

    Raises
    ------
    ReportError
        If the register cannot be used.
    """
    run = uuid.uuid4().hex
    if all(policy.changes_nothing for policy in policies):
        return ReleasedBefore(run=run)
    book = Register(register_of(register, study))
    fingerprint, sketch = keyed(study.fingerprint, book.key), sketch_of(study, book.key)
    entries = of_same_people(book.entries(), fingerprint, sketch)
    return ReleasedBefore(entries, book.path, fingerprint, sketch, run, book.known_by)


def require_one_rule(before: ReleasedBefore, policy: Policy) -> None:
    """Refuse a second rule on records of which something was released under another: the two can be compared by differencing.

    Raises
    ------
    ArgumentError
        Naming both, and what to do.
    """
    for entry in before.entries:
        if entry.fingerprint == before.fingerprint and entry.policy != policy.title:
            raise ArgumentError(
                f"{entry.label} is of the same records, and was released under {entry.policy}: under {policy.title} the two could be "
                "compared by differencing. Make these reports under the same rule (--policy, and [disclosure] in study.toml), or if "
                f"that report is out of use: symphony release --withdraw {entry.number} --reason '...' --register '{before.register}'"
            )
