"""By what published outputs divide people without remainder: tables by strata, and reports of every part."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from symphony_research.disclosure.outputs import ReleasedOutput
from symphony_research.result.cells import Stratum

__all__ = ["Divisions"]

Pairs = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Divisions:
    """What is known of strata that add up to a whole.

    Attributes
    ----------
    tables : frozenset of (columns, predicates)
        By which columns together tables show everybody, and of whom.
    parts : mapping of (predicate, other predicates) to int
        Into how many parts, such as practices, outputs say that people are divided, and whom; each is reported by itself.
    """

    tables: frozenset[tuple[frozenset[str], Pairs]]
    parts: Mapping[tuple[str, Pairs], int]

    @classmethod
    def of(cls, published: Sequence[ReleasedOutput]) -> Self:
        """Return what outputs say."""
        parts = {
            (name, frozenset(pair for pair in one.predicates if pair[0] != name)): number
            for one in published
            for name, number in one.divided
        }
        return cls(frozenset((frozenset(one.by), frozenset(one.predicates)) for one in published if one.by), parts)

    def by_tables(self, names: Sequence[str], whole: Stratum) -> bool:
        """Whether a table of just these strata of a whole says that there are no more of them; one of hubs says nothing of women's hubs."""
        columns = {*names, *(name for name, _ in whole)}
        return any(
            set(names) <= by and of <= set(whole) and {*by, *(name for name, _ in of)} == columns
            for by, of in self.tables
        )

    def by_parts(self, names: Sequence[str], whole: Stratum, number: int) -> bool:
        """Whether so many parts of a whole, each reported by itself, are all that there are."""
        return any((name,) == tuple(names) and of <= set(whole) and number >= n for (name, of), n in self.parts.items())

    def are_all(self, name: str, values: Collection[str], everywhere: Pairs) -> bool:
        """Whether the values of a column that are published are all that it has among the people of all outputs."""
        if any(name in by and of <= everywhere for by, of in self.tables):
            return True
        return self.by_parts((name,), tuple(everywhere), len(values))
