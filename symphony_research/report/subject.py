"""Whom a report is about: everybody, a programme, or one of the parts that people divide into."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symphony_research.words.quarters import quarter_days, window_in_words

__all__ = ["EVERYBODY", "PARTS", "PLURALS", "PROGRAMME", "Subject", "slug", "subject_of"]

# each is the name of a notebook's parameter and of an option; in the order in which they are released
PLURALS = {"hub": "hubs", "practice": "practices", "area": "areas", "quarter": "quarters"}
PARTS = tuple(PLURALS)


@dataclass(frozen=True)
class Subject:
    """Whom a report is about.

    Attributes
    ----------
    kind : str
        "everybody", "programme", "hub", "practice", "area" or "quarter".
    name : str
        Which of that kind; nothing of the first two.

    Examples
    --------
    >>> practice, quarter = Subject("practice", "P01"), Subject("quarter", "2016-Q3")
    >>> practice.words, quarter.words
    ('practice P01', 'joined July to September 2016')
    >>> practice.folder("02_combinations")
    '02_combinations--practice-p01'
    >>> sorted([quarter, practice, Subject()], key=lambda one: one.order) == [Subject(), practice, quarter]
    True
    """

    kind: str = "everybody"
    name: str = ""

    @property
    def is_part(self) -> bool:
        """Whether it is a part of a wider population, which is released before it."""
        return self.kind in PARTS

    @property
    def order(self) -> tuple[int, str]:
        """Its place among the subjects of one notebook: the whole before its parts, and these by name."""
        return (PARTS.index(self.kind) + 1 if self.is_part else 0), self.name

    @property
    def words(self) -> str:
        """Whom the report is about, for a reader."""
        if self.kind == "quarter":
            first, last = quarter_days(self.name)
            return f"joined {window_in_words(first.isoformat(), last.isoformat())}"
        whole = {"everybody": "everybody", "programme": "the whole programme", "hub": self.name}
        return whole.get(self.kind) or f"{self.kind} {self.name}"

    @property
    def people(self) -> str:
        """The people of a part, as the beginning of what is found of them."""
        how = {"hub": "who joined", "practice": "registered with practice", "area": "living in", "quarter": "who"}
        return f"People {how[self.kind]} {self.words if self.kind == 'quarter' else self.name}" if self.is_part else ""

    @property
    def short(self) -> str:
        """The same for a line of progress; nothing of the whole."""
        return "" if not self.is_part else self.name if self.kind in ("hub", "quarter") else self.words

    def label(self, notebook: str) -> str:
        """Return the notebook and the subject, for a line of progress."""
        return f"{notebook}, {self.short}" if self.short else notebook

    def folder(self, notebook: str, names: Sequence[str] = ()) -> str:
        """Return the name of the report's folder, different for different subjects.

        Parameters
        ----------
        notebook : str
        names : sequence of str
            All of its kind in the study.
        """
        if not self.is_part:
            return notebook
        if self.kind != "hub":
            return f"{notebook}--{self.kind}-{slug(self.name, names)}"
        # a hub may be named like the folder of a practice
        like_another = _plain(self.name).startswith(tuple(f"{kind}-" for kind in PARTS if kind != "hub"))
        return f"{notebook}--{_with_digest(self.name) if like_another else slug(self.name, names)}"

    def parameters(self, takes: Sequence[str]) -> dict[str, str | None]:
        """Return the notebook's parameters of subjects: its own, and nothing for the others."""
        return {kind: self.name if kind == self.kind else None for kind in takes}

    def as_record(self) -> dict[str, str]:
        """Return the subject as records hold it."""
        return {"kind": self.kind, "name": self.name}


EVERYBODY, PROGRAMME = Subject(), Subject("programme")


def subject_of(record: Mapping[str, Any]) -> Subject | None:
    """Return whom a report's record says that it is about; None where the notebook takes no subject.

    Earlier records name a hub alone.
    """
    if told := record.get("subject"):
        return Subject(**told)
    if record.get("hub"):
        return Subject("hub", str(record["hub"]))
    return PROGRAMME if record.get("takes_hub") else None


def slug(name: str, names: Sequence[str] = ()) -> str:
    """Return a name as part of a folder's name, different for different names."""
    plain = _plain(name)
    clash = sum(_plain(other) == plain for other in names) > 1
    return plain if plain and not clash else _with_digest(name)


def _with_digest(name: str) -> str:
    return "-".join(filter(None, (_plain(name), hashlib.sha256(name.encode()).hexdigest()[:6])))


def _plain(name: str) -> str:
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_name.lower()).strip("-")[:60]
