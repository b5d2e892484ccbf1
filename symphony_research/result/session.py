"""A release session: what one report is released beside, and the one call in which all of it is protected.

It is passed to `suppress`; nothing is found behind the caller's back. A report
protects all its results in one call: outputs protected one by one give each
other away, or lose more than is needed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from symphony_research.errors import DisclosureError
from symphony_research.files import write_in_place

__all__ = ["COMPUTING", "DRAWING", "SUPPRESSING", "WAITING", "ReleaseSession"]

COMPUTING, WAITING, SUPPRESSING, DRAWING = "computing", "waiting for its turn", "suppressing", "drawing"

_TURN = 0.05  # seconds between two looks at whether it is this report's turn; no result depends on it
_READ: dict[Path, ReleaseSession] = {}  # a file is one session, however often this process reads it


@dataclass
class ReleaseSession:
    """One report's release.

    Attributes
    ----------
    name : str
        Which report; a disclosed result carries it, so that a report shows only its own.
    policy : str
        Title of the report's policy; results under another are refused.
    earlier : tuple of pathlib.Path
        Records of the reports released before this one, in order. Those of the same run may not be there
        yet: they are waited for.
    record : pathlib.Path or None
        Where the record of this release is written.
    steps : pathlib.Path or None
        Where the steps of the work are written, a line each, for whoever waits.
    without : tuple of str
        Names of results that are omitted from the report, whatever the notebook asks for.
    """

    name: str = ""
    policy: str = ""
    earlier: tuple[Path, ...] = ()
    record: Path | None = None
    steps: Path | None = None
    without: tuple[str, ...] = ()
    _names: list[str] = field(default_factory=list, repr=False)

    @classmethod
    def of(cls, given: str | Path | ReleaseSession | None) -> ReleaseSession | None:
        """Return the session that is meant by `suppress`'s argument: none, a session, or the file of one."""
        return given if given is None or isinstance(given, ReleaseSession) else cls.read(given)

    @classmethod
    def read(cls, path: str | Path) -> ReleaseSession:
        """Read a session as the runner of reports writes it; the same one whenever this process reads it again.

        Raises
        ------
        DisclosureError
            If the file is not there or is not one.
        """
        path = Path(path).absolute()
        if path not in _READ:
            try:
                told = json.loads(path.read_text(encoding="utf-8"))
                earlier = tuple(Path(one) for one in told["earlier"])
                record, steps = (None if told[key] is None else Path(told[key]) for key in ("record", "steps"))
                _READ[path] = cls(told["name"], told["policy"], earlier, record, steps, tuple(told["without"]))
            except (OSError, ValueError, KeyError, TypeError):
                raise DisclosureError(
                    "The release session cannot be read: symphony report writes one for each report it makes. "
                    "In Jupyter leave session=None."
                ) from None
        return _READ[path]

    def write(self, path: str | Path) -> None:
        """Write the session for the notebook's process to read."""
        told = {key: value for key, value in asdict(self).items() if not key.startswith("_")}
        write_in_place(Path(path), json.dumps(told, default=str))

    def claim(self, names: Sequence[str], policy: str) -> None:
        """Take the one call of this report.

        Raises
        ------
        DisclosureError
            On a second call, with the line that merges both, or under another policy than the report's.
        """
        if self.policy and policy != self.policy:
            raise DisclosureError(
                f"These results would be released under '{policy}', and this report is made under '{self.policy}'. "
                "Suppress under the report's policy."
            )
        if self._names:
            merged = ", ".join(f'"{name}": {name}' for name in (*self._names, *names))
            raise DisclosureError(
                "A report protects all its results in one call, before anything is shown, so that none gives another "
                f"away. Merge the calls: released = sr.suppress({{{merged}}}, policy, session=session)"
            )
        self._names = list(names)

    def outputs_before(self) -> list[Mapping[str, Any]]:
        """Return what the reports before this one released, waiting until each has done so or ended."""
        if not all(path.exists() for path in self.earlier):
            self.step(WAITING)
        found: list[Mapping[str, Any]] = []
        for path in self.earlier:
            while not path.exists():
                time.sleep(_TURN)
            found += json.loads(path.read_text(encoding="utf-8"))["outputs"]
        self.step(SUPPRESSING)
        return found

    def write_record(self, outputs: Sequence[Mapping[str, Any]]) -> None:
        """Write what this report releases; from now on the reports after it may be released."""
        if self.record is not None:
            write_in_place(self.record, json.dumps({"outputs": list(outputs)}, default=str))
        self.step(DRAWING)

    def end(self) -> None:
        """Leave a record even where nothing was released, so that no report after this one waits for ever."""
        if self.record is not None and not self.record.exists():
            write_in_place(self.record, json.dumps({"outputs": []}))

    def released(self) -> list[dict[str, Any]]:
        """Return what this report has released, from its record."""
        if self.record is None or not self.record.exists():
            return []
        return list(json.loads(self.record.read_text(encoding="utf-8"))["outputs"])

    def step(self, words: str) -> None:
        """Say which step of the work begins, to whoever waits for the report."""
        if self.steps is not None:
            with self.steps.open("a", encoding="utf-8") as stream:
                stream.write(f"{words}\n")
