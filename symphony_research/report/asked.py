"""The subjects asked for, checked against the study and the notebooks before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from symphony_research.errors import ArgumentError, suggestion
from symphony_research.report.notebooks import Notebook
from symphony_research.report.subject import EVERYBODY, PARTS, PLURALS, PROGRAMME, Subject
from symphony_research.words.quarters import quarter_days, quarter_named

__all__ = ["Asked", "ask", "wrong_defaults", "wrong_notebooks"]


@dataclass(frozen=True)
class Asked:
    """The subjects asked for.

    Attributes
    ----------
    subjects : tuple of Subject
        In the order in which they are released.
    all_of : frozenset of str
        The kinds of which every one was asked for.
    known : mapping of str to list of str
        Every name that the study has, of the kinds asked for.
    faults : tuple of str
        What is wrong with what was asked, one sentence each.
    """

    subjects: tuple[Subject, ...]
    all_of: frozenset[str]
    known: Mapping[str, Sequence[str]] = field(repr=False)
    faults: tuple[str, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds asked for."""
        return tuple(kind for kind in PARTS if kind in self.known)

    def of(self, notebook: Notebook, *, named: bool) -> list[Subject]:
        """Return the subjects of one notebook: those it takes, or if none was asked for whom it is about by default.

        Where no notebook is named, one that is about everybody is not divided by hubs.
        """
        takes = [kind for kind in notebook.takes if named or notebook.about_hubs or kind != "hub"]
        own = [one for one in self.subjects if one.kind in takes]
        if own and notebook.has_protocol and "hub" in self.all_of:
            return [PROGRAMME, *own]  # a protocol is of a whole programme
        return own or [_default(notebook)]

    def notebooks(self, available: Sequence[Notebook], study: Any) -> list[Notebook]:
        """Return the notebooks that are run where none is named."""
        others = {*self.kinds} - {"hub"}
        if others:
            kinds = set(self.kinds)
            return [one for one in available if others & {*one.takes} or (one.about_hubs and kinds & {*one.takes})]
        # a notebook about the people of hubs has nothing to say of a study without any
        about_hubs = bool(self.kinds or study.hubs())
        # and who asks for some hubs gets no comparison of all: it would release the others' figures before their reports
        some = bool(self.kinds) and not self.all_of
        return [one for one in available if (about_hubs or not one.about_hubs) and not (some and one.compares_hubs)]

    def folder(self, subject: Subject, notebook: Notebook) -> str:
        """Return the name of a report's folder."""
        return subject.folder(notebook.name, self.known.get(subject.kind, ()))


def ask(study: Any, names: Mapping[str, Iterable[str]], all_of: Iterable[str]) -> Asked:
    """Return the subjects asked for, by kind, and what is wrong with them."""
    every = frozenset(all_of)
    given = {kind: [own] if isinstance(own, str) else list(dict.fromkeys(own)) for kind, own in names.items()}
    known = {kind: _names(study, kind) for kind in PARTS if given.get(kind) or kind in every}
    subjects, faults = [], []
    for kind, there in known.items():
        own = given.get(kind, [])
        if own and kind in every:
            faults.append(f"Ask for {PLURALS[kind]} by name, or for all of them, but not both.")
        if kind == "quarter":
            own, wrong = _quarters(own, study)
        else:
            wrong = _not_known(kind, own, there, study.name)
        faults += wrong
        subjects += [Subject(kind, name) for name in (there if kind in every else dict.fromkeys(own))]
    return Asked(tuple(sorted(subjects, key=lambda one: one.order)), every, known, tuple(faults))


def _default(notebook: Notebook) -> Subject:
    """Return whom a notebook is about where nothing is asked: as its parameters say, a programme, or everybody."""
    for kind in notebook.takes:
        parameter = notebook.parameter(kind)
        if parameter is not None and parameter.default is not None:
            return Subject(kind, str(parameter.default))
    return PROGRAMME if notebook.about_hubs else EVERYBODY


def wrong_notebooks(asked: Asked, chosen: Sequence[Notebook], available: Sequence[Notebook]) -> list[str]:
    """Return which kinds asked for no notebook chosen takes, and which notebooks do."""
    found = []
    for kind in asked.kinds:
        if not any(kind in notebook.takes for notebook in chosen):
            article = "an" if kind == "area" else "a"
            others = [notebook.name for notebook in available if kind in notebook.takes]
            ways = f" Notebooks that do: {', '.join(others)}." if others else ""
            those = f": {', '.join(notebook.name for notebook in chosen)}" if chosen else ""
            found.append(f"No notebook chosen takes {article} {kind}{those}.{ways}")
    return found


def wrong_defaults(study: Any, notebooks: Iterable[Notebook]) -> list[str]:
    """Return what is wrong with the hubs that notebooks name by default."""
    hubs = [one.name for one in map(_default, notebooks) if one.kind == "hub"]
    return _not_known("hub", hubs, _names(study, "hub"), study.name) if hubs else []


def _names(study: Any, kind: str) -> list[str]:
    """Return every name of a kind that the study has; of quarters none, as they are a matter of the calendar."""
    if kind == "quarter":
        return []
    if kind == "hub":
        return sorted(map(str, study.hubs()))
    table, column = {"practice": ("registrations", "practice_id"), "area": ("persons", "area")}[kind]
    if not study.has(table):
        return []
    import polars as pl

    names = pl.col(column).cast(pl.String).drop_nulls().unique().sort()
    return list(study.tables[table].select(names).collect()[column])


def _not_known(kind: str, wanted: Sequence[str], there: Sequence[str], study: str) -> list[str]:
    if not there:
        return [f"The study '{study}' names no {kind}."]
    # practices and areas come from persons' own rows: they are counted, not listed
    listed = f"Hubs: {', '.join(there)}." if kind == "hub" else f"It has {len(there):,}."
    return [
        f"The study '{study}' has no {kind} '{name}'. {listed}{suggestion(name, there)}"
        for name in wanted
        if name not in there
    ]


def _anybody_joined(study: Any, first: date, last: date) -> bool:
    import polars as pl

    joined = study.enrolments.filter(pl.col("start_date").cast(pl.Date).is_between(first, last))
    return not joined.select("start_date").head(1).collect().is_empty()


def _quarters(wanted: Sequence[str], study: Any) -> tuple[list[str], list[str]]:
    """Return quarters as they are named, and what is wrong with those that are none, outside the study, or in which nobody joined."""
    named, faults = [], []
    for name in wanted:
        try:
            first, last = quarter_days(name)
        except ArgumentError as fault:
            faults.append(str(fault))
            continue
        start, end = study.period
        if last < start or end < first:
            faults.append(
                f"The quarter {name} is outside the study '{study.name}', {start:%Y-%m-%d} to {end:%Y-%m-%d}."
            )
        elif not _anybody_joined(study, first, last):
            faults.append(f"Nobody of the study '{study.name}' joined a programme in the quarter {name}.")
        named.append(quarter_named(first.isoformat(), last.isoformat()) or name)
    return named, faults
