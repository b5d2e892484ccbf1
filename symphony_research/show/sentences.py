"""A result as one sentence: what was found, or what the study does not allow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from symphony_research.result import Result
from symphony_research.show.gate import release, require_showable, said_of
from symphony_research.words.lexicon import ROLE

__all__ = ["Limit", "Sentence", "limit", "sentence"]


@dataclass(frozen=True)
class Sentence:
    """A finding in words."""

    text: str

    def _repr_markdown_(self) -> str:
        # what a name holds is text, not mark-up
        return re.sub(r"([\\`*_\[\]<>$|#~])", r"\\\1", self.text)

    def __str__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        return {"text/markdown": self._repr_markdown_(), "text/plain": self.text}, {}

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Limit(Sentence):
    """What the study does not allow a report to show: page one says it beside what no such report can, once for each reason."""

    why: str = ""
    what: str = ""
    is_finding: bool = False  # asked for as a key finding

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        data, _ = super()._repr_mimebundle_()
        asked = {"finding": True} if self.is_finding else {}
        return data, {ROLE: {"role": "limit", "why": self.why, "what": self.what, **asked}}


def sentence(result: Result) -> Sentence:
    """Return the finding of a result in one sentence, to stand as a paragraph.

    Parameters
    ----------
    result : Result

    Returns
    -------
    Sentence, or Limit where the study does not allow the result

    Raises
    ------
    DisclosureError
        Inside a report, at once, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> from symphony_research.show import sentence
    >>> cohort = sr.define_cohort(sr.example_study())
    >>> str(sentence(cohort.attrition)).endswith(".")
    True
    """
    require_showable(result, "sentence")
    return limit(result) if result.holds_nothing else release(Sentence(said_of(result)), result)


def limit(result: Result, *, is_finding: bool = False) -> Limit:
    """Return what stands where a table, a picture or a sentence of a result would, of one that holds nothing."""
    return release(Limit(result.sentence(), result.settings["why"], result.settings["what"], is_finding), result)
