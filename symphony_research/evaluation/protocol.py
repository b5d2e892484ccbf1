"""The protocol of a controlled evaluation: the target trial, how it is emulated, and how the effect is estimated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from symphony_research.door.protocol_record import Record
from symphony_research.errors import require_one_of
from symphony_research.evaluation.protocol_keys import KEYS, NONE, SENSITIVITY, ProtocolKey

__all__ = ["Departure", "Protocol", "content_as_mapping", "field_value", "plain_value"]


@dataclass(frozen=True)
class Departure:
    """Something done otherwise than the protocol says: on which day, what, and why, in its authors' words."""

    date: date
    what: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What an evaluation is to be, key by key as protocol.toml states it, defaults filled in.

    Read one with `read_protocol`, or take `default_protocol`. Notebooks take arguments from it (`as_cohort_arguments` and
    the like) and interpret no key themselves. The keys are those of `docs/protocol.md`.

    Attributes
    ----------
    given : frozenset of str
        The keys that the file states itself.
    file : pathlib.Path or None
        Where it was read from; None of the default protocol.
    beside : pathlib.Path or None
        Where its record stands beside; None of a study in memory.
    record : Record
        When it was fixed and its outcomes were first read.
    generated : bool
        Whether the study's people are invented.
    recorded : bool
        Whether what is known of fixing and reading is recorded: not of a study in memory, nor where a folder is for reading alone.
    """

    title: str
    authors: tuple[str, ...]
    programme: str
    sex: str | None
    min_age: int | None
    max_age: int | None
    residence: str | None
    area: str | None
    practice: str | None
    min_conditions: int | None
    conditions: tuple[str, ...] | None
    enrolling: str
    not_enrolling: str
    score: str
    exact: tuple[str, ...]
    caliper: float | None
    ratio: int
    replacement: bool
    practices: str
    candidates: int
    seed: int
    time_zero: str
    days: int
    primary: str
    secondary: tuple[str, ...]
    negative_control: str | None
    negative_control_reason: str
    contrast: str
    assumptions: tuple[str, ...]
    estimator: str
    adjust: bool
    later_enrolment: str
    confidence: float
    multiple_testing: str
    sensitivity: tuple[str, ...]
    subgroups: tuple[str, ...]
    background: str = ""
    rationale: str = ""
    ethics: str = ""
    registration: str = ""
    sharing: str = ""
    funding: str = ""
    interests: str = ""
    departures: tuple[Departure, ...] = ()
    given: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    file: Path | None = field(default=None, compare=False, repr=False)
    beside: Path | None = field(default=None, compare=False, repr=False)
    record: Record = field(default_factory=Record, compare=False, repr=False)
    generated: bool = field(default=False, compare=False, repr=False)
    recorded: bool = field(default=True, compare=False, repr=False)

    @property
    def content(self) -> dict[str, dict[str, Any]]:
        """All keys but the departures, section by section, as plain values; lists whose order says nothing are sorted."""
        found: dict[str, dict[str, Any]] = {}
        for key in KEYS:
            found.setdefault(key.section, {})[key.key] = plain_value(key, getattr(self, key.field))
        return found

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content: the same whatever the order of keys, the comments and the departures."""
        text = json.dumps(self.content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()

    @property
    def is_default(self) -> bool:
        """Whether no file states it."""
        return self.file is None

    @property
    def roles(self) -> dict[str, str]:
        """The outcomes with the role of each, as `outcome_effects` takes them."""
        control = {} if self.negative_control is None else {self.negative_control: "negative control"}
        return {self.primary: "primary", **dict.fromkeys(self.secondary, "secondary"), **control}

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The primary outcome, the secondary ones, and the negative control."""
        return tuple(self.roles)

    def as_cohort_arguments(self, hub: str | None = None) -> dict[str, Any]:
        """Return the arguments of `define_cohort`, for the people of one hub if it is named."""
        age = None if self.min_age is None and self.max_age is None else (self.min_age, self.max_age)
        asked = {
            "programme": self.programme, "hub": hub, "practice": self.practice, "area": self.area, "sex": self.sex, "age": age,
            "residence": self.residence, "min_conditions": self.min_conditions,
            "conditions": None if self.conditions is None else list(self.conditions),
        }  # fmt: skip
        return {name: value for name, value in asked.items() if value is not None}

    def as_matching_arguments(self) -> dict[str, Any]:
        """Return the arguments of `match_controls`."""
        names = ("score", "caliper", "ratio", "replacement", "practices", "candidates", "seed")
        return {"exact": list(self.exact), **{name: getattr(self, name) for name in names}}

    def as_balance_arguments(self) -> dict[str, Any]:
        """Return the arguments of `balance`, whose prognostic score is of the primary outcome."""
        return {"outcome": self.primary, "horizon": self.days}

    def as_effect_arguments(self, outcome: str | None = None) -> dict[str, Any]:
        """Return the arguments of `enrolment_effect`, for the primary outcome or another of the protocol's.

        Raises
        ------
        ArgumentError
            If the protocol does not name the outcome.
        """
        if outcome is not None:
            require_one_of(outcome, self.outcomes, argument="outcome")
        return {
            "outcome": outcome or self.primary, "horizon": self.days, "adjust": self.adjust,
            "later_enrolment": self.later_enrolment, "confidence": self.confidence,
            "seed": self.seed,
        }  # fmt: skip

    def varied(self, name: str) -> Protocol:
        """Return the protocol with the choices of one of its sensitivity analyses, which takes the same arguments.

        Raises
        ------
        ArgumentError
            If the protocol does not name the analysis.
        """
        require_one_of(name, self.sensitivity, argument="sensitivity")
        return replace(self, **SENSITIVITY[name][1])


def plain_value(key: ProtocolKey, value: Any) -> Any:
    """Return a value as protocol.toml and the record hold it."""
    if isinstance(value, tuple):
        return list(value) if key.ordered else sorted(value)
    if value is None and key.field in ("caliper", "negative_control"):
        return NONE
    if value is None and key.field == "min_conditions":
        return 0
    return value


def field_value(key: ProtocolKey, value: Any) -> Any:
    """Return a value of protocol.toml as a protocol holds it: the inverse of `plain_value`."""
    if isinstance(value, list):
        kept = tuple(one.strip() for one in value)
        return kept if key.ordered else tuple(sorted(kept))
    if value == NONE and key.field in ("caliper", "negative_control"):
        return None
    if key.field == "min_conditions" and value == 0:
        return None
    if key.field == "caliper":
        return float(value)
    return value.strip() if isinstance(value, str) else value


def content_as_mapping(protocol: Protocol) -> Mapping[str, Any]:
    """Return every key by its place ("assignment.caliper") with its plain value."""
    return {key.place: plain_value(key, getattr(protocol, key.field)) for key in KEYS}
