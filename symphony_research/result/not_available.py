"""What stands in a report where a study does not allow a result: a result without a number, that says so in one sentence.

A notebook has no branches, so what one study records and another does not is asked for in both. With
`optional=True` a cohort's method or an estimator returns a `NotAvailable` in place of raising an error; every estimator that
takes a follow-up passes it on unchanged; it is suppressed and shown as any result is: as its sentence, and no figure or table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import polars as pl

from symphony_research.result.core import Disclosure, Result
from symphony_research.result.facts import of_whom
from symphony_research.result.roles import TableRoles
from symphony_research.words.lexicon import capital

__all__ = ["NotAvailable", "not_available", "passed_on", "title_within"]


class NotAvailable(Result):
    """A result that a study does not allow, and why.

    Examples
    --------
    >>> not_available("The study has no A&E attendances", "time to the first A&E attendance").sentence()
    'The study has no A&E attendances, so time to the first A&E attendance is not shown.'
    """

    title: ClassVar[str] = "Not available"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"why", "what"})
    holds_nothing: ClassVar[bool] = True

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return no role: it has no table."""
        return {}

    @staticmethod
    def derive(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return a table without rows."""
        return pl.DataFrame()

    def sentence(self) -> str:
        """Return what is not shown, and why."""
        return f"{self.settings['why']}, so {self.settings['what']} is not shown."

    def heading(self) -> str:
        """Return what would have been shown, and of whom."""
        what, whom = capital(self.settings["what"].rstrip(",")), of_whom(self.settings)
        return f"{what}: {whom}" if whom else what

    def facts(self) -> Mapping[str, str]:
        """Return nothing: it is about nobody."""
        return {}


def not_available(
    why: str, what: str, source: Mapping[str, Any] | None = None, *, disclosure: Disclosure | None = None
) -> NotAvailable:
    """Return what stands for a result that there cannot be.

    Parameters
    ----------
    why : str
        Why not, as the start of a sentence: "The study has no A&E attendances".
    what : str
        What is not shown, one thing, within a sentence: "time to the first A&E attendance".
    source : mapping, optional
        The source as settings: the study and the population.
    disclosure : Disclosure, optional
        That of the released results which it was found in, so that it is released with them.
    """
    return NotAvailable({}, {"why": why, "what": what, **(source or {})}, (), disclosure)


def title_within(result: Result) -> str:
    """Return what a result is called within a sentence."""
    return f"{result.title[:1].lower()}{result.title[1:]}"


def passed_on(given: object) -> Any:
    """Return what an estimator passes on unchanged, or None where it was given people to work on."""
    return given if isinstance(given, NotAvailable) else None
