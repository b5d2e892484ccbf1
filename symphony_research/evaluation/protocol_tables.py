"""What a report shows of its protocol: the target trial beside its emulation, departures from it, its authors' statements, and
where each item of the TARGET statement is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.errors import ArgumentError
from symphony_research.evaluation.protocol import Protocol
from symphony_research.evaluation.protocol_fixing import changed_keys, timing_of
from symphony_research.evaluation.protocol_words import components, value_in_words
from symphony_research.reference import reference_table
from symphony_research.result.published import Tables, _OfPublished
from symphony_research.words.phrases import day_in_words, joined

__all__ = [
    "Departures",
    "Statements",
    "TargetItems",
    "TargetTrial",
    "departures",
    "statements",
    "target_items",
    "target_trial",
]

ITEMS = "target_items"
STATEMENTS: Mapping[str, str] = MappingProxyType(
    {
        "background": "Background",
        "rationale": "Why a trial is emulated",
        "ethics": "Ethics approval",
        "registration": "Registration",
        "sharing": "Access to data and code",
        "funding": "Funding",
        "interests": "Conflicts of interest",
    }
)
NOT_STATED = "Not stated by the authors"


class _OfProtocol(_OfPublished):
    """A table of words: no figure of the study's people is in it."""

    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"published", "timing", "protocol"})

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return the words as they are."""
        return next(iter(tables.values()))

    def display(self) -> pl.DataFrame | None:
        """Return all rows with their headings."""
        shown = self._derived.select(self.shown)
        return shown.rename({name: self.column_words[name] for name in self.shown}) if shown.height else None


class TargetTrial(_OfProtocol):
    """The seven components of the target trial, and of its emulation."""

    title: ClassVar[str] = "The target trial and its emulation"
    keys: ClassVar[frozenset[str]] = frozenset({"component"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"components": ("component", "target_trial", "emulation")}
    )
    shown: ClassVar[tuple[str, ...]] = ("component", "target_trial", "emulation")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"component": "Component", "target_trial": "Target trial", "emulation": "Emulation here"}
    )

    def facts(self) -> Mapping[str, str]:
        """Return when the protocol was fixed, which a reader needs to know beside a verdict."""
        return {"Protocol": str(self.settings["timing"])}

    def sentence(self) -> str:
        """Return when the protocol was fixed, and whether before its outcomes were read."""
        return f"{self.settings['timing']} Its fingerprint is {self.settings['protocol'][:12]}."


class Departures(_OfProtocol):
    """What differs from the protocol as it was fixed, and what its authors say they did otherwise."""

    title: ClassVar[str] = "Departures from the protocol"
    keys: ClassVar[frozenset[str]] = frozenset({"kind", "what"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"departures": ("kind", "what", "before", "now", "why")}
    )
    shown: ClassVar[tuple[str, ...]] = ("what", "before", "now", "why")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"what": "What", "before": "As fixed", "now": "Now", "why": "Why"}
    )

    @property
    def n_changed(self) -> int:
        """How many keys have another value than the fixed one."""
        return int((self._derived["kind"] == "key").sum())

    @property
    def n_stated(self) -> int:
        """How many departures the authors state."""
        return self._derived.height - self.n_changed

    def instead_of_table(self) -> str | None:
        """Return the sentence where there is none."""
        return None if self._derived.height else self.sentence()

    def sentence(self) -> str:
        """Return how many keys differ from the fixed ones, and how many departures the authors state."""
        stated = "the authors state no other departure"
        if self.n_stated:
            stated = f"the authors state {self.n_stated} departure{'s' if self.n_stated > 1 else ''}"
        if not self.settings["protocol"]:
            return f"No protocol was fixed, so that nothing can be compared with it; {stated}."
        if not self.n_changed:
            return f"No key of the protocol differs from the fixed one; {stated}."
        differ = (
            "1 key of the protocol differs" if self.n_changed == 1 else f"{self.n_changed} keys of the protocol differ"
        )
        return f"{differ} from the fixed one; {stated}."


class Statements(_OfProtocol):
    """What the authors state of the study beside its figures."""

    title: ClassVar[str] = "Statements of the authors"
    keys: ClassVar[frozenset[str]] = frozenset({"subject"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({"statements": ("subject", "statement")})
    shown: ClassVar[tuple[str, ...]] = ("subject", "statement")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType({"subject": "Of", "statement": "Statement"})

    @property
    def missing(self) -> tuple[str, ...]:
        """What the authors do not state."""
        return tuple(self._derived.filter(pl.col("statement") == NOT_STATED)["subject"])

    def sentence(self) -> str:
        """Return what is not stated."""
        if not self.missing:
            return "The authors state all that a reader needs to know beside the figures."
        names = joined([name[:1].lower() + name[1:] for name in self.missing])
        return f"Not stated by the authors: {names}. They belong under [statements] of protocol.toml."


class TargetItems(_OfProtocol):
    """Where the report answers each item of the TARGET statement."""

    title: ClassVar[str] = "Where each item of the TARGET statement is answered"
    keys: ClassVar[frozenset[str]] = frozenset({"number"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"items": ("number", "section", "item", "place", "stated")}
    )
    shown: ClassVar[tuple[str, ...]] = ("number", "section", "item", "place")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"number": "Item", "section": "Part", "item": "In our words", "place": "Section of this report"}
    )

    @property
    def places(self) -> tuple[str, ...]:
        """The headings named, each once, in the order of the items."""
        return tuple(dict.fromkeys(self._derived["place"]))

    def display(self) -> pl.DataFrame:
        """Return the items with their headings; of one that the authors have to answer, whether they did."""
        place = pl.when("stated").then("place").otherwise(pl.format("{} (not stated)", "place"))
        return self._derived.select(
            pl.col("number").cast(pl.String).alias("Item"),
            pl.col("section").alias("Part"),
            pl.col("item").alias("In our words"),
            place.alias("Section of this report"),
        )

    def sentence(self) -> str:
        """Return how many items are answered, and which the authors have not."""
        open_ = self._derived.filter(~pl.col("stated"))["number"].to_list()
        n = self._derived.height
        if not open_:
            return f"All {n} items of the TARGET statement are answered in this report."
        named = f"item{'s' if len(open_) > 1 else ''} {joined(open_)}"
        return f"{n - len(open_)} of {n} items of the TARGET statement are answered in this report; {named} the authors have not stated."


def _settings(protocol: Protocol, method: str, reference: str) -> dict[str, Any]:
    name = "the default protocol of symphony_research" if protocol.file is None else protocol.file.name
    by = f", by {joined(protocol.authors)}" if protocol.authors and not protocol.is_default else ""
    return {
        "method": method, "reference": reference, "published": f"{name}{by}", "timing": timing_of(protocol),
        "protocol": protocol.fingerprint,
    }  # fmt: skip


def target_trial(protocol: Protocol) -> TargetTrial:
    """Return the target trial beside its emulation, by its seven components.

    Parameters
    ----------
    protocol : Protocol
        Of `read_protocol` or `default_protocol`, best after `open_outcomes`.

    Returns
    -------
    TargetTrial
        `component`, `target_trial`, `emulation`; its sentence says when the protocol was fixed.

    References
    ----------
    Hernan, M. A. and Robins, J. M. (2016). Using big data to emulate a target trial when a randomized trial is not
    available. American Journal of Epidemiology 183, 758-764.

    Examples
    --------
    >>> import symphony_research as sr
    >>> sr.evaluation.target_trial(sr.evaluation.default_protocol(sr.example_study(3_000))).estimates.height
    7
    """
    rows = pl.DataFrame(components(protocol), schema=list(TargetTrial.layout["components"]), orient="row")
    return TargetTrial(
        {"components": rows}, _settings(protocol, "protocol of a target trial", "Hernan and Robins 2016")
    )


def departures(protocol: Protocol) -> Departures:
    """Return what differs from the protocol as fixed, key by key, and the departures that its authors state.

    Parameters
    ----------
    protocol : Protocol

    Returns
    -------
    Departures
        `kind` ("key" or "stated"), `what`, `before`, `now`, `why`.

    References
    ----------
    Cashin, A. G. et al. (2025). Transparent reporting of observational studies emulating a target trial: the TARGET
    statement. JAMA 334, 1084; BMJ 390, e087179.

    Examples
    --------
    >>> import symphony_research as sr
    >>> sr.evaluation.departures(sr.evaluation.default_protocol(sr.example_study(3_000))).estimates.height
    0
    """
    rows = [("key", place, value_in_words(old), value_in_words(new), "") for place, old, new in changed_keys(protocol)]
    rows += [("stated", one.what, "", day_in_words(one.date.isoformat()), one.why) for one in protocol.departures]
    table = pl.DataFrame(rows, schema=dict.fromkeys(Departures.layout["departures"], pl.String), orient="row")
    fixed = protocol.record.fixing
    settings = _settings(protocol, "protocol as fixed against the one used", "Cashin et al. 2025")
    return Departures({"departures": table}, {**settings, "protocol": fixed.fingerprint if fixed else ""})


def statements(protocol: Protocol) -> Statements:
    """Return what the authors state of ethics, funding and the like; and what they do not state.

    Parameters
    ----------
    protocol : Protocol

    Returns
    -------
    Statements
        `subject`, `statement`.

    References
    ----------
    Cashin, A. G. et al. (2025). Transparent reporting of observational studies emulating a target trial: the TARGET
    statement. JAMA 334, 1084; BMJ 390, e087179.

    Examples
    --------
    >>> import symphony_research as sr
    >>> len(sr.evaluation.statements(sr.evaluation.default_protocol(sr.example_study(3_000))).missing)
    7
    """
    rows = [(words, getattr(protocol, name) or NOT_STATED) for name, words in STATEMENTS.items()]
    table = pl.DataFrame(rows, schema=list(Statements.layout["statements"]), orient="row")
    return Statements({"statements": table}, _settings(protocol, "statements of the authors", "Cashin et al. 2025"))


def target_items(protocol: Protocol, *, answers: Mapping[int, str] | None = None) -> TargetItems:
    """Return where the report answers each of the 21 items of the TARGET statement.

    Parameters
    ----------
    protocol : Protocol
        Of items that its authors have to answer it is said whether they did.
    answers : mapping of int to str, optional
        The heading of the section that answers an item, where it is another than the report on care hubs has.

    Returns
    -------
    TargetItems
        `number`, `section`, `item` (our own words), `place` (a heading), `stated`.

    Raises
    ------
    ArgumentError
        If an answer is to no item, or names no heading.

    References
    ----------
    Cashin, A. G. et al. (2025). Transparent reporting of observational studies emulating a target trial: the TARGET
    statement. JAMA 334, 1084; BMJ 390, e087179.

    Examples
    --------
    >>> import symphony_research as sr
    >>> items = sr.evaluation.target_items(sr.evaluation.default_protocol(sr.example_study(3_000)), answers={8: "People"})
    >>> items.estimates["number"].to_list() == list(range(1, 22)), "People" in items.places
    (True, True)
    """
    table = reference_table(ITEMS)
    own = dict(answers or {})
    known = table.frame["number"].to_list()
    wrong = [number for number, place in own.items() if number not in known or not str(place).strip()]
    if wrong:
        raise ArgumentError(
            f"answers to {joined(wrong)} cannot be taken: each is the number of an item, 1 to {len(known)}, with a heading."
        )
    rows = [
        (row["number"], row["section"], row["item"], own.get(row["number"], row["place"]),
         not row["statement"] or bool(getattr(protocol, row["statement"])))
        for row in table.frame.iter_rows(named=True)
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema=list(TargetItems.layout["items"]), orient="row")
    settings = _settings(protocol, "items of the TARGET statement, in our words", "Cashin et al. 2025")
    return TargetItems({"items": frame}, {**settings, "published": f"{table.source} ({table.licence})"})
