"""What page one of a report is made of: its title, its key findings, and of whom they are.

A notebook marks them where they are computed; the page gathers them. All of it
is made from released results, as a table or a figure is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from symphony_research.errors import ArgumentError
from symphony_research.result import KeyFigure, Result
from symphony_research.show.gate import release, require_showable, said_of
from symphony_research.show.sentences import Sentence, limit
from symphony_research.words.lexicon import ROLE

__all__ = ["Facts", "Finding", "Heading", "facts", "finding", "heading"]


@dataclass(frozen=True)
class Finding(Sentence):
    """A key finding: a sentence that page one repeats, and the figures by which reports of other hubs are compared."""

    figures: tuple[KeyFigure, ...] = ()
    after: str = ""  # the sentence behind which it stands, in one item of the list

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        data, _ = super()._repr_mimebundle_()
        figures = [[f.measure, f.value, f.outcome or f.measure, f.time] for f in self.figures]
        behind = {"after": self.after} if self.after else {}
        return data, {ROLE: {"role": "finding", "figures": figures, **behind}}


@dataclass(frozen=True)
class Heading(Sentence):
    """The title of a report: what was measured, and of whom."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        data = {"text/markdown": f"**{self._repr_markdown_()}**", "text/plain": self.text}
        return data, {ROLE: {"role": "title"}}


@dataclass(frozen=True)
class Facts:
    """Who was studied, where and when, as a list of terms."""

    entries: tuple[tuple[str, str], ...] = field(default=())

    @property
    def html(self) -> str:
        """The list as HTML."""
        rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(words)}</dd>" for name, words in self.entries)
        return f'<dl class="facts">{rows}</dl>'

    def _repr_html_(self) -> str:
        return self.html

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        return {"text/html": self.html, "text/plain": repr(self)}, {ROLE: {"role": "facts"}}

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {words}" for name, words in self.entries)


def finding(result: Result, *, after: Result | None = None) -> Finding | Sentence:
    """Return the finding of a result, marked for page one of the report.

    Parameters
    ----------
    result : Result
    after : Result, optional
        Behind whose finding, in the same item of the list, it is to stand on page
        one, where three to five items are read and ten are not; by default in an item of its own.

    Returns
    -------
    Finding, or Limit where the study does not allow the result
        Its sentence, and its `key_figures`, by which the index of reports compares hubs.

    Raises
    ------
    DisclosureError
        Inside a report, at once, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.suppress(sr.multimorbidity.prevalence(patterns), sr.Policy.synthetic())
    >>> str(sr.finding(found)) == found.sentence()
    True
    """
    require_showable(result, "finding")
    if result.holds_nothing:
        return limit(result, is_finding=True)
    if after is not None:
        require_showable(after, "finding")
    behind = "" if after is None or after.holds_nothing else said_of(after)
    return release(Finding(said_of(result), result.key_figures(), behind), result)


def heading(result: Result) -> Heading:
    """Return the title of a report: the outcome or measure of a result, and whom it is about.

    Parameters
    ----------
    result : Result

    Returns
    -------
    Heading

    Raises
    ------
    DisclosureError
        Inside a report, at once, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.suppress(sr.multimorbidity.prevalence(patterns), sr.Policy.synthetic())
    >>> print(sr.heading(found))
    Prevalence of long-term conditions
    """
    require_showable(result, "heading")
    return release(Heading(result.heading()), result)


def facts(*results: Result, people: str = "People") -> Facts:
    """Return who was studied, where and when, from what results say of it.

    Parameters
    ----------
    *results : Result
        Of the same people; a fact that several tell is taken from the first.
    people : str, default "People"
        Heading of the number of people, where others are in the report too.

    Returns
    -------
    Facts

    Raises
    ------
    ArgumentError
        Without a result.
    DisclosureError
        Inside a report, at once, if a result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.suppress(sr.multimorbidity.prevalence(patterns), sr.Policy.synthetic())
    >>> dict(sr.facts(found).entries)["People"]
    '191'
    """
    if not results:
        raise ArgumentError("facts takes one result or more, such as facts(released['survival']).")
    told: dict[str, str] = {}
    for result in results:
        require_showable(result, "facts")
        for name, words in _facts_of(result).items():
            told.setdefault(people if name == "People" else name, words)
    released = [result for result in results if result.disclosure is not None]
    made = Facts(tuple(told.items()))
    return release(made, results[0]) if len(released) == len(results) else made


def _facts_of(result: Result) -> Mapping[str, str]:
    return result.facts()
