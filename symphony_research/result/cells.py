"""Who a released number counts, and how numbers relate: the words in which every family says it.

A family says of each count which people it is of (a `CellDefinition`), and
what holds between its counts beyond that (a `Partition`, a `Nested`, a `Covered`, a `Same`). The
search of disclosure control is built from these alone, so counts of different
families that are of the same people are one number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from symphony_research.errors import ArgumentError

__all__ = [
    "BETWEEN",
    "UNLIMITED",
    "CellDefinition",
    "Covered",
    "Nested",
    "Partition",
    "Relation",
    "Same",
    "Stratum",
    "at_least",
    "everybody",
    "exactly",
    "feature_list",
    "features_of",
    "of_size",
    "unrelated",
]

UNLIMITED = 1_000_000
Stratum = tuple[tuple[str, str], ...]
BETWEEN = "\x1f"  # in no name


@dataclass(frozen=True, order=True)
class CellDefinition:
    """The people that one number counts.

    Attributes
    ----------
    having : tuple of str
        Features (conditions) that each of them has, in order of their names.
    least, most : int
        Between which the number of features of each lies, of those in `among`.
    among : str
        Which list of features `least` and `most` count; empty where they say nothing.
    state : tuple of (partition, category)
        Further parts of these people, by the name of how they are divided.
    stratum : tuple of (column, value)
        In order of the columns.
    side : str
        Which of two populations that are compared.
    isolated : str
        A name where no other number is known to count any of these people, but those that relations name.

    Examples
    --------
    >>> among = feature_list(["copd", "diabetes", "stroke"])
    >>> exactly(["stroke", "copd"], among) == at_least(["copd", "stroke"]).of_size(2, among)
    True
    """

    having: tuple[str, ...] = ()
    least: int = 0
    most: int = UNLIMITED
    among: str = ""
    state: tuple[tuple[str, str], ...] = ()
    stratum: Stratum = ()
    side: str = ""
    isolated: str = ""

    @property
    def is_everybody(self) -> bool:
        """Whether it is all people of a stratum."""
        return not (self.having or self.among or self.state or self.isolated)

    @property
    def sized(self) -> bool:
        """Whether the number of features counts."""
        return bool(self.among)

    @property
    def is_exact(self) -> bool:
        """Whether they have these features and no others."""
        return self.sized and self.least == self.most == len(self.having)

    def of_size(self, number: int, among: str, *, or_more: bool = False) -> CellDefinition:
        """Return those of them who have a number of features in all."""
        return replace(self, least=number, most=UNLIMITED if or_more else number, among=among)

    def within(self, stratum: Iterable[tuple[str, object]]) -> CellDefinition:
        """Return those of them in a stratum."""
        merged = {**dict(self.stratum), **{name: str(value) for name, value in stratum}}
        return self.in_stratum(tuple(sorted(merged.items())))

    def in_stratum(self, stratum: Stratum) -> CellDefinition:
        """Return the like of another stratum, given whole."""
        return self._placed(self.state, stratum, self.side)

    def in_state(self, partition: str, category: str) -> CellDefinition:
        """Return one category of them, by a way of dividing them."""
        state = tuple(sorted({**dict(self.state), partition: category}.items()))
        return self._placed(state, self.stratum, self.side)

    def on_side(self, side: str) -> CellDefinition:
        """Return the like of one of two populations that are compared."""
        return self._placed(self.state, self.stratum, side)

    def _placed(self, state: tuple[tuple[str, str], ...], stratum: Stratum, side: str) -> CellDefinition:
        # not by replace, which takes several times as long: this is asked for each count and each stratum it is in
        return CellDefinition(self.having, self.least, self.most, self.among, state, stratum, side, self.isolated)


def feature_list(features: Iterable[str]) -> str:
    """Return the name of a list of features, by which numbers of features are compared: the list itself."""
    return BETWEEN.join(sorted(features))


def features_of(among: str) -> tuple[str, ...]:
    """Return the features of a list by its name."""
    return tuple(among.split(BETWEEN)) if among else ()


def everybody() -> CellDefinition:
    """Return all people of the population."""
    return CellDefinition()


def at_least(features: Iterable[str]) -> CellDefinition:
    """Return the people with these features, whatever else they have."""
    return CellDefinition(tuple(sorted(features)))


def exactly(features: Iterable[str], among: str) -> CellDefinition:
    """Return the people with these features and no others of a list."""
    held = tuple(sorted(features))
    return CellDefinition(held, len(held), len(held), among)


def of_size(number: int, among: str, *, or_more: bool = False) -> CellDefinition:
    """Return the people with a number of features of a list."""
    return CellDefinition().of_size(number, among, or_more=or_more)


def unrelated(name: str) -> CellDefinition:
    """Return people of whom nothing else is counted; the name must be one of its kind in the result."""
    return CellDefinition(isolated=name)


@dataclass(frozen=True)
class Partition:
    """Disjoint parts that add up to a whole: exactly, or (`complete=False`) to at most it; without a part nobody is in it.

    Raises
    ------
    ArgumentError
        If a part stands in it twice.

    Examples
    --------
    >>> arms = [everybody().in_state("arm of the trial", arm) for arm in ("usual care", "hub")]
    >>> len(Partition(everybody(), tuple(arms)).parts)
    2
    """

    whole: CellDefinition
    parts: tuple[CellDefinition, ...]
    complete: bool = True

    def __post_init__(self) -> None:
        twice = len(self.parts) - len(set(self.parts))
        if twice:
            raise ArgumentError(f"{twice} of {len(self.parts)} parts stand twice in a Partition: parts share nobody.")


@dataclass(frozen=True)
class Nested:
    """People who are all among others."""

    inner: CellDefinition
    outer: CellDefinition


@dataclass(frozen=True)
class Covered:
    """People each of whom is in one part at least, where all are published; the parts may share people.

    Whoever is in `twice` is in one part more than they are in cells of it: of a year, of an age, and of that age in
    that year. Less those, the parts still add up to all.

    Examples
    --------
    >>> years = [everybody().in_state(f"observed in year {year}", "yes") for year in (2015, 2016)]
    >>> len(Covered(everybody(), tuple(years)).parts)
    2
    """

    whole: CellDefinition
    parts: tuple[CellDefinition, ...]
    twice: tuple[CellDefinition, ...] = ()


@dataclass(frozen=True)
class Same:
    """Two definitions of the same people, where both are published: a reader takes them for one."""

    one: CellDefinition
    other: CellDefinition


Relation = Partition | Nested | Covered | Same
