"""`Collapsed`: a small table of counts that knows of whom it is and what its columns are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import polars as pl

from symphony_research.errors import ArgumentError, DisclosureError, require_columns
from symphony_research.result import Provenance, Result, inside_report

__all__ = ["Collapsed", "FollowUpColumns", "follow_up_columns", "provenance_of"]

# predicates by which the people of a stratum are those of a narrower population
_PREDICATES = ("programme", "hub", "area", "sex", "residence")


@dataclass(frozen=True, eq=False, repr=False)
class Collapsed:
    """A table of counts made from people, with its provenance and the meaning of its columns.

    It holds a data frame and is none, so that nothing computed from it can pass for
    numbers of a known population: `filter`, `group` and `add` keep the provenance, and
    `to_frame` gives the plain frame, whose population is unknown.

    Attributes
    ----------
    provenance : Provenance
        The study, and the population as predicates and dates.
    by : tuple of str
        The strata.
    sums : tuple of str
        Columns that add up over rows: people, events, person-years.
    time, event, entry, weights : str or None
        Columns that estimators of survival take where no others are named.
        `entry` is None where everybody is observed from the start.
    cluster : str or None
        What several counted units may be of, such as "person" where each is a
        discharge; counts of people then do not add up over rows.
    distinct_by : tuple of str
        Strata that a person may be in several of, one after the other, such as
        enrolled and not: people are counted once within each, never over them.
    people : polars.DataFrame or None
        Where there is a `cluster`, people by the rows that they have (`people_by_rows`), for variances by person.
    attrition : Result or None
        How many people of the cohort are not in it, and why.

    Examples
    --------
    >>> import symphony_research as sr
    >>> deaths = sr.define_cohort(sr.example_study()).follow_up(event="death", by="sex")
    >>> deaths.time, deaths.event, deaths.weights
    ('time', 'event', 'n_persons')
    >>> curve = sr.survival.kaplan_meier(deaths.filter(sex="F"))
    >>> curve.settings["population"]["sex"]
    'F'
    """

    _frame: pl.DataFrame = field(repr=False)
    provenance: Provenance = field(default_factory=Provenance)
    by: tuple[str, ...] = ()
    sums: tuple[str, ...] = ("n_persons",)
    time: str | None = None
    event: str | None = None
    entry: str | None = None
    weights: str | None = None
    cluster: str | None = None
    distinct_by: tuple[str, ...] = ()
    people: pl.DataFrame | None = field(default=None, repr=False)
    attrition: Result | None = None

    def __post_init__(self) -> None:
        named = (*self.by, *self.sums, self.time, self.event, self.entry, self.weights)
        require_columns(self._frame.columns, [name for name in named if name is not None], what="The collapsed table")

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return self._frame.columns

    @property
    def height(self) -> int:
        """Number of rows."""
        self._refuse()
        return self._frame.height

    @property
    def schema(self) -> Mapping[str, Any]:
        """Types of the columns."""
        return self._frame.schema

    def to_frame(self) -> pl.DataFrame:
        """Return the plain Polars frame: of a population unknown, so nothing made from it is shown in a report."""
        return self._frame.clone()

    def equals(self, other: Collapsed) -> bool:
        """Return whether another table has the same rows and columns."""
        return isinstance(other, Collapsed) and self._frame.equals(other._frame)

    def filter(self, **strata: Any) -> Collapsed:
        """Return the rows of some strata, whose population is then the narrower one.

        Parameters
        ----------
        **strata
            A stratum and its value, or a list of values: `sex="F"`,
            `age_band=["65-69", "70-74"]`.

        Raises
        ------
        ArgumentError
            If a column is no stratum: what happened to people says nothing of who they are.
        """
        frame, people, population = self._frame, self.people, dict(self.provenance.population)
        for name, wanted in strata.items():
            if name not in self.by:
                raise ArgumentError(
                    f"'{name}' is no stratum of this table. Strata: {', '.join(self.by) or 'none'}. Collapse by it first."
                )
            values = list(wanted) if isinstance(wanted, (list, tuple, set, frozenset)) else [wanted]
            known = frame[name].unique().to_list()
            strange = [value for value in values if value not in known]
            if strange:
                raise ArgumentError(f"{name} has no value {', '.join(map(repr, strange))}.")
            kept_rows = pl.col(name).is_in(values, nulls_equal=True)
            frame, people = frame.filter(kept_rows), None if people is None else people.filter(kept_rows)
            if len(values) == 1 and name in _PREDICATES:
                population[name] = values[0]
            else:
                kept = population.get("strata") or {}
                population["strata"] = {**kept, name: sorted(map(str, values))}
        provenance = replace(self.provenance, population=population)
        return replace(self, _frame=frame, people=people, provenance=provenance, attrition=None)

    def group(self, by: str | Sequence[str] = ()) -> Collapsed:
        """Add up rows over all strata but some.

        Parameters
        ----------
        by : str or sequence of str
            The strata to keep.

        Raises
        ------
        ArgumentError
            If one is no stratum, or the counts do not add up.
        """
        names = (by,) if isinstance(by, str) else tuple(by)
        strange = [name for name in names if name not in self.by]
        if strange:
            raise ArgumentError(
                f"{', '.join(strange)} is no stratum of this table. Strata: {', '.join(self.by) or 'none'}."
            )
        self._require_sums("grouped")
        self.require_distinct(names)
        dropped = [name for name in self.by if name not in names]
        return replace(self, _frame=self._summed(self._frame.drop(dropped), names), by=names)

    def add(self, *others: Collapsed) -> Collapsed:
        """Add up tables of sites that share no people.

        Parameters
        ----------
        *others : Collapsed
            With the same columns and strata.

        Raises
        ------
        ArgumentError
            If columns, strata or what was asked of the people differ.
        """
        self._require_sums("added up")
        for other in others:
            if not isinstance(other, Collapsed):
                raise ArgumentError(f"Only collapsed tables can be added, not {type(other).__name__}.")
            mine, theirs = ((one.by, one.sums, one.columns) for one in (self, other))
            if mine != theirs:
                raise ArgumentError(
                    f"Sites differ: strata {list(self.by)} and {list(other.by)}, columns {self.columns} and {other.columns}. "
                    "Collapse them the same way first."
                )
            for what in ("event", "time_unit", "horizon"):
                one, two = (s.population.get(what) for s in (self.provenance, other.provenance))
                if one != two:
                    raise ArgumentError(f"Sites differ in {what}: {one!r} and {two!r}.")
        every = (self, *others)
        entry = next((one.entry for one in every if one.entry is not None), None)
        frame = self._summed(pl.concat([one._frame for one in every], how="vertical_relaxed"), self.by)
        provenance = _pooled_provenance([one.provenance for one in every])
        return replace(self, _frame=frame, provenance=provenance, entry=entry, attrition=None)

    def require_distinct(self, by: Sequence[str]) -> None:
        """Refuse to count somebody twice, who is in several strata one after the other.

        Raises
        ------
        ArgumentError
            If such a stratum is not among `by`.
        """
        lacking = [name for name in self.distinct_by if name not in by]
        if lacking:
            raise ArgumentError(
                f"People are in several of the strata {', '.join(lacking)} one after the other, and would be counted more than "
                f"once. Pass by={[*by, *lacking]}, or collapse the cohort without."
            )

    def require_independent(self) -> None:
        """Refuse rows of which one person may have several, where they would be taken for rows of different people.

        Raises
        ------
        ArgumentError
            Saying what has a variance by person.
        """
        if self.cluster is not None:
            raise ArgumentError(
                f"One {self.cluster} may have several of the {self.weights} that this table counts, so that they are not independent, which "
                "is assumed here. kaplan_meier and cumulative_incidence have a variance by person, and cox_regression takes rows with "
                "cluster=; or follow each person once (one index date, unit='person')."
            )

    def _require_sums(self, done: str) -> None:
        if self.cluster is not None:
            raise ArgumentError(
                f"People with several rows cannot be {done} to distinct people. Collapse the cohort again with other strata."
            )

    def _summed(self, frame: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
        keys = [name for name in frame.columns if name not in self.sums]
        order = [*by, *(name for name in keys if name not in by)]
        summed = frame.group_by(keys).agg(pl.col(self.sums).sum()) if keys else frame.select(pl.col(self.sums).sum())
        return (summed.sort(order, nulls_last=True) if keys else summed).select(frame.columns)

    def _refuse(self) -> None:
        if inside_report():
            raise DisclosureError(
                "A collapsed table counts people as they are. Show the disclosed result made from it."
            )

    def __len__(self) -> int:
        return self.height

    def __repr__(self) -> str:
        self._refuse()
        return f"Collapsed (confidential: counts as they are)\n{self._frame}"

    def _repr_html_(self) -> str:
        self._refuse()
        return str(self._frame._repr_html_())


def _pooled_provenance(provenances: Sequence[Provenance]) -> Provenance:
    """Return the provenance of people of several: every study, and the predicates that all share."""
    first = provenances[0]
    shared = {k: v for k, v in first.population.items() if all(one.population.get(k) == v for one in provenances)}
    studies = list(dict.fromkeys(one.study for one in provenances if one.study))
    prints = sorted({one.fingerprint for one in provenances if one.fingerprint})
    known = len(prints) == 1 and all(one.fingerprint for one in provenances)
    pooled = hashlib.sha256("".join(prints).encode()).hexdigest()[: len(prints[0])] if prints else None
    periods = {one.period for one in provenances}
    return Provenance(
        " and ".join(studies) or None,
        prints[0] if known else pooled,
        all(one.generated for one in provenances),
        shared,
        " ".join(dict.fromkeys(one.note for one in provenances if one.note)),
        first.period if len(periods) == 1 else None,
    )


def provenance_of(frame: Any) -> Provenance:
    """Return the provenance a frame carries, or an unknown one."""
    return getattr(frame, "provenance", None) or Provenance()


class FollowUpColumns(NamedTuple):
    """Which columns of a frame hold the time, the event, the entry and the weights."""

    time: str
    event: str
    entry: str | None
    weights: str | None


def follow_up_columns(
    frame: Any, *, time: str | None, event: str | None, entry: str | None, weights: str | None
) -> FollowUpColumns:
    """Return the columns that an estimator reads: those named, or failing that those a collapsed table names itself.

    Raises
    ------
    ArgumentError
        If a frame that is not collapsed comes without `time` or `event`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> deaths = sr.define_cohort(sr.example_study()).follow_up(event="death")
    >>> follow_up_columns(deaths, time=None, event=None, entry=None, weights=None)
    FollowUpColumns(time='time', event='event', entry=None, weights='n_persons')
    """
    if isinstance(frame, Collapsed):
        time, event = time or frame.time, event or frame.event
        entry, weights = entry or frame.entry, weights or frame.weights
    if time is None or event is None:
        missing = " and ".join(f"{name}=" for name, given in (("time", time), ("event", event)) if given is None)
        raise ArgumentError(
            f"Name the columns with {missing}, such as time='time', event='event'. Only what Cohort.follow_up returns "
            "knows its own."
        )
    return FollowUpColumns(time, event, entry, weights)
