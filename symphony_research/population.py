"""Who is counted: predicates and dates of a population, and the outcome that was looked for, as one type.

Cohorts make one, results carry it, and whoever protects, compares or describes results reads it: what its parts mean
stands here alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from symphony_research.errors import ArgumentError, suggestion
from symphony_research.words.lexicon import in_words
from symphony_research.words.phrases import day_in_words
from symphony_research.words.quarters import quarter_named, window_in_words

__all__ = ["DISJOINT", "OUTCOME", "Population"]

# by these people can be known not to be among others, where they are not equal
DISJOINT = ("programme", "hub", "practice", "area", "sex", "residence")
# what was looked for says nothing of who the people are
OUTCOME = ("event", "time_unit", "values", "months", "horizon")
_ENROLMENT = "enrolment"
_NOT_DESCRIBED = ("conditions", "counted", "on", "index_dates", "matching", "divided")
_DESCRIBED = {
    "min_conditions": "conditions",
    "index": "as of",
    "until": "data to",
    "comparison": "compared",
    "entry": "at risk from",
}


@dataclass(frozen=True, kw_only=True)
class Population:
    """The people that a result is about, from when until when, and for which outcome.

    Attributes
    ----------
    programme, hub, practice, area, sex, residence : str or None
        Whom it is restricted to; None for no restriction.
    joined : (str, str), optional
        First and last day between which they joined, both included.
    age : (int or None, int or None), optional
        Youngest and oldest in whole years, both included.
    min_conditions : int, optional
        At least so many of `counted`.
    counted : tuple of str, optional
        The conditions among which `min_conditions` are counted.
    strata : mapping of str to sequence of str, optional
        Strata of a collapsed table that were kept.
    index : str, optional
        Day on which people are looked at, or "enrolment".
    index_dates : str, optional
        Digest of index dates given for each person.
    until, entry, enrolment, leave_programme
        How follow-up ends and begins; see `Cohort.follow_up`.
    on : str, optional
        Day as of which conditions count.
    event, horizon, unit, time_unit, washout, first, episode_days, months, values, conditions
        The outcome, or the measure, that was looked for.
    comparison, matching : str, optional
        With whom they are compared, where that is not a population of its own, and the digest of how those were chosen.
    controls : str, optional
        Of matched people those "with comparable controls" or "without comparable controls".
    divided : mapping of str to int, optional
        Into how many parts everybody else's predicates leave is divided, by practice, area or quarter of joining: where all of
        them are reported, they add up.
    groups : mapping of str to Population, optional
        Two populations that are compared, by their names; nothing else is given then.

    Examples
    --------
    >>> hub, programme = Population(programme="complex_care", hub="Yeovil"), Population(programme="complex_care")
    >>> hub.may_be_nested_in(programme), programme.may_be_nested_in(Population(programme="complex_care", hub="Chard"))
    (True, True)
    >>> hub.is_disjoint_from(Population(hub="Wincanton"))
    True
    >>> Population(programme="complex_care", age=(65, None)).words()
    'complex care, aged 65 and over'
    """

    programme: str | None = None
    hub: str | None = None
    practice: str | None = None
    area: str | None = None
    sex: str | None = None
    residence: str | None = None
    joined: tuple[str, str] | None = None
    age: tuple[int | None, int | None] | None = None
    min_conditions: int | None = None
    counted: tuple[str, ...] | None = None
    strata: Mapping[str, Any] | None = None
    index: str | None = None
    index_dates: str | None = None
    until: str | None = None
    entry: str | None = None
    enrolment: str | None = None
    leave_programme: bool | None = None
    on: str | None = None
    event: str | None = None
    horizon: float | None = None
    unit: str | None = None
    time_unit: str | None = None
    washout: int | None = None
    first: bool | None = None
    episode_days: int | None = None
    months: int | None = None
    values: Any = None
    conditions: Any = None
    comparison: str | None = None
    matching: str | None = None
    controls: str | None = None
    divided: Mapping[str, int] | None = None
    groups: Mapping[str, Population] | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return the population of a result's settings; everybody where none is known."""
        return cls.read(settings.get("population") or {})

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        """Return a population from its mapping, as results and release records hold it.

        Raises
        ------
        ArgumentError
            If a predicate is unknown: what cannot be compared is not taken for everybody.
        """
        known = cls.__dataclass_fields__
        if told and all(isinstance(value, Mapping) for value in told.values()) and not known.keys() & told.keys():
            return cls(groups={name: cls.read(one) for name, one in told.items()})
        for name in told:
            if name not in known:
                raise ArgumentError(f"A population has no predicate '{name}'.{suggestion(name, sorted(known))}")
        pairs = {name: tuple(told[name]) for name in ("joined", "age", "counted") if told.get(name) is not None}
        return cls(**{**told, **pairs})

    def as_mapping(self) -> dict[str, Any]:
        """Return the population as plain values, without what is not restricted."""
        if self.groups is not None:
            return {name: one.as_mapping() for name, one in self.groups.items()}
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in told.items()
            if value is not None
        }

    def replace(self, **changed: Any) -> Self:
        """Return the population with other predicates, dates or outcome."""
        return replace(self, **changed)

    @property
    def by_enrolment(self) -> bool:
        """Whether time runs from each person's enrolment."""
        return self.index == _ENROLMENT

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """The predicates by which it is a part of a wider population that divides into such parts."""
        named = tuple((name, str(value)) for name in DISJOINT if (value := getattr(self, name)) is not None)
        return (*named, ("joined", self._quarter)) if self._quarter else named

    @property
    def _quarter(self) -> str | None:
        """The calendar quarter in which they joined a programme, which quarters divide; other windows may overlap.

        Whoever joined a hub in one quarter may have joined the programme, at another hub, in an earlier one.
        """
        return quarter_named(*self.joined) if self.joined and self.hub is None else None

    def without_parts(self) -> Self:
        """Return the population without the predicates of its parts."""
        return replace(self, **dict.fromkeys(("divided", *(name for name, _ in self.parts))))

    @property
    def whole(self) -> tuple[tuple[str, str], ...]:
        """What is left of it without its parts and its outcome: equal for parts of one population."""
        parts = {name for name, _ in self.parts}
        told = self.as_mapping().items()
        return tuple(sorted((name, repr(value)) for name, value in told if name not in {*parts, "divided", *OUTCOME}))

    def may_be_nested_in(self, outer: Population) -> bool:
        """Whether it cannot be excluded that its people are all among those of another.

        Somebody of a hub is on its programme, and of a practice in its area, whether or not that is said. Those enrolled until
        a later day are not all among those until an earlier one: whoever enrolled since is not.
        """
        if self._apart(outer):
            return False
        own, wide = self._last_joining, outer._last_joining
        if own and wide and own > wide:
            return False
        if self.min_conditions is not None and outer.min_conditions is not None:
            # of so many conditions of one list, at least those that the other list has too
            lost = len(set(self.counted) - set(outer.counted)) if self.counted and outer.counted else 0
            if self.min_conditions - lost < outer.min_conditions:
                return False
        return self.age is None or outer.age is None or _within(self.age, outer.age)

    def is_disjoint_from(self, other: Population) -> bool:
        """Whether a predicate says that nobody is in both."""
        if self.matching == other.matching and self.controls and other.controls and self.controls != other.controls:
            return True
        return self._apart(other)

    @property
    def _last_joining(self) -> str | None:
        """The last day on which any of them may have joined a programme; None where that is not who they are."""
        days = [day for day in (self.joined and self.joined[1], self.until) if day]
        return min(days, default=None) if self.by_enrolment else None

    def _apart(self, other: Population) -> bool:
        """Whether one of the predicates that divide people says that nobody is in both."""
        both = [(getattr(self, name), getattr(other, name)) for name in DISJOINT]
        if any(one is not None and two is not None and one != two for one, two in both):
            return True
        # of one joining alone: whoever joined a hub this quarter may have joined the programme in an earlier one
        if self.joined is None or other.joined is None or (self.programme, self.hub) != (other.programme, other.hub):
            return False
        return self.joined[1] < other.joined[0] or other.joined[1] < self.joined[0]

    def words(self) -> str:
        """Return whom it is about, as the end of a title; nothing for everybody."""
        told = [in_words(value) for value in (self.programme, self.hub) if value]
        told += [f"{name} {value}" for name in ("practice", "area") if (value := getattr(self, name))]
        told += [f"joined {window_in_words(*self.joined)}"] if self.joined else []
        told += [in_words(self.sex)] if self.sex else []
        told += [_ages(*self.age)] if self.age and any(self.age) else []
        return ", ".join(told)

    def described(self) -> dict[str, str]:
        """Return every predicate and date in words; not the outcome, the list of conditions counted, nor any digest."""
        told = {name: value for name, value in self.as_mapping().items() if name not in (*OUTCOME, *_NOT_DESCRIBED)}
        if self.age is not None:
            told["age"] = _ages(*self.age).removeprefix("aged ")
        if self.joined is not None:
            told["joined"] = window_in_words(*self.joined)
        return {_DESCRIBED.get(name, in_words(name)): _described(name, value) for name, value in told.items()}


def _described(name: str, value: Any) -> str:
    """Return a predicate's value in words; the names of hubs, practices and areas are the study's own."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{in_words(of)} {', '.join(map(str, kept))}" for of, kept in value.items())
    if name == "min_conditions":
        return f"at least {value}"
    if name in ("hub", "practice", "area", "joined"):
        return str(value)
    return day_in_words(value) or in_words(value)


def _ages(low: int | None, high: int | None) -> str:
    return f"aged {low or 0} and over" if high is None else f"aged {low or 0} to {high}"


def _within(inner: tuple[int | None, int | None], outer: tuple[int | None, int | None]) -> bool:
    above = (inner[0] or 0) >= (outer[0] or 0)
    return above and (outer[1] is None or (inner[1] is not None and inner[1] <= outer[1]))
