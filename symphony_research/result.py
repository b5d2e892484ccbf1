"""What every analysis returns: one frozen value of tidy estimates that knows how it was made.

A family of results makes two declarations: `counts`, which columns of its
count tables count people, and `derive`, the pure function from those tables to
the estimates. The estimator and disclosure control both use `derive`, so a
disclosed result is made from rounded counts and can hold no other number.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.errors import DisclosureError
from symphony_research.policy import Policy
from symphony_research.wording import COUNT_COLUMNS, HIDDEN, UNDEFINED, html_table, number

__all__ = [
    "INSIDE_REPORT",
    "REPORT_POLICY",
    "CountTable",
    "Disclosure",
    "Result",
    "Source",
    "confidential_report",
    "inside_report",
    "library_version",
]

INSIDE_REPORT = "SYMPHONY_INSIDE_REPORT"
REPORT_POLICY = "SYMPHONY_REPORT_POLICY"


def inside_report() -> bool:
    """Whether this process is making a report, where nothing undisclosed may be shown."""
    return os.environ.get(INSIDE_REPORT) == "1"


def confidential_report() -> bool:
    """Whether this process is making a report under a policy that hides something."""
    return inside_report() and os.environ.get(REPORT_POLICY) != Policy.synthetic().title


def library_version() -> str:
    """Version of this library."""
    try:
        return version("symphony_research")
    except PackageNotFoundError:
        return "not installed"


@dataclass(frozen=True)
class CountTable:
    """How one count table may be released.

    Attributes
    ----------
    columns : tuple of str
        Columns that count people.
    cumulative : str or None
        The time column, where the counts add up along it and it is the
        cumulative counts that are rounded.
    within : tuple of str
        Columns that separate one running count from another.
    measures : tuple of str
        Columns that describe the counted people (a mean cost): hidden with the count.
    factors : tuple of str
        Ratios without a unit by which a figure made from these counts is
        multiplied: hidden with the count, else released to three figures.
    people : str
        Whom a row counts, so that counts can be set against each other:
        "everybody"; "condition", "pair", "set" (with at least these) or "exact"
        by the row's conditions; "number" of conditions; "further" ones; people
        with two conditions in known "order"; "split", parts of a row of
        `cells`; or "" where nothing else counts such people.
    concentration : mapping of str to str
        For each measure the column with the Herfindahl index of the values that
        it sums (sum of squares over squared sum): whether one or two people are
        most of it. Never released.
    """

    columns: tuple[str, ...]
    cumulative: str | None = None
    within: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()
    people: str = ""
    concentration: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """Where numbers came from: the study, and the population as predicates and dates."""

    study: str | None = None
    fingerprint: str | None = None
    generated: bool = False
    population: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def as_settings(self) -> dict[str, Any]:
        """The source as entries of `Result.settings`."""
        return {
            "study": self.study,
            "fingerprint": self.fingerprint,
            "generated": self.generated,
            "population": dict(self.population),
            **({"note": self.note} if self.note else {}),
        }


@dataclass(frozen=True)
class Disclosure:
    """What disclosure control did to a result.

    Attributes
    ----------
    policy : Policy
    hidden : int
        Counts with a star; not of rows that are there only because somebody is
        in them, whose number would tell how many sets have few.
    protected : frozenset of (table, row, column)
        Stars that stand for no small count, but keep others from being reckoned.
    further : int
        How many of them there are for that reason.
    method : str
        How it was made sure: "whole numbers", "bounds" or "rounding alone".
    exposed : int
        Hidden counts that this and earlier outputs narrow down together, which
        hiding more here cannot cure: the earlier ones tell too much.
    ended : frozenset of ((column, value), ...)
        The strata whose curves end early, because beside others they would have
        told how few are followed in one that has ended.
    """

    policy: Policy
    hidden: int
    protected: frozenset[tuple[str, int, str]] = frozenset()
    further: int = 0
    method: str = ""
    exposed: int = 0
    ended: frozenset[tuple[tuple[str, str], ...]] = frozenset()


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A frozen table of estimates, with the counts and settings it came from.

    Attributes
    ----------
    estimates : polars.DataFrame
        One row per stratum and point; the strata are real columns.
    by : tuple of str
        The stratum columns.
    settings : mapping
        Every argument, the method and its citation, the library's version, the
        study's fingerprint and the population as predicates and dates.
    disclosure : Disclosure or None
        None until the result has passed `suppress`.
    """

    count_tables: Mapping[str, pl.DataFrame]
    settings: Mapping[str, Any]
    by: tuple[str, ...] = ()
    disclosure: Disclosure | None = None

    title: ClassVar[str] = "Result"
    counts: ClassVar[Mapping[str, CountTable]] = MappingProxyType({})
    shown: ClassVar[tuple[str, ...]] = ()
    percentages: ClassVar[tuple[str, ...]] = ()
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType({})
    # whether which rows there are comes from the records: a hidden one would still say that somebody is in it
    rows_from_records: ClassVar[bool] = False
    # tables whose rows end at `min_persons`, the first by its own count
    floored: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        settings = {
            "library_version": library_version(),
            **self.settings,
            "by": list(self.by),
        }
        object.__setattr__(self, "settings", MappingProxyType(settings))
        object.__setattr__(self, "count_tables", MappingProxyType(dict(self.count_tables)))
        object.__setattr__(self, "_derived", self.derive(self.count_tables, self.settings, self.by))

    @staticmethod
    def derive(
        tables: Mapping[str, pl.DataFrame],
        settings: Mapping[str, Any],
        by: tuple[str, ...],
    ) -> pl.DataFrame:
        """Return the estimates that follow from the count tables alone."""
        raise NotImplementedError

    @staticmethod
    def trim(tables: Mapping[str, pl.DataFrame], threshold: int, by: tuple[str, ...]) -> Mapping[str, pl.DataFrame]:
        """Return released tables without the parts that stand for too few people, such as a curve's end."""
        return tables

    _derived: ClassVar[pl.DataFrame]

    @property
    def estimates(self) -> pl.DataFrame:
        """The tidy table of estimates; inside a report only once disclosed."""
        self._refuse_undisclosed("The estimates of")
        return self._derived

    @property
    def named(self) -> pl.DataFrame:
        """The rows of `estimates` that may be named to others.

        Where the rows come from the records, a row that only says "*" would
        still say that somebody is in it, such as with exactly these conditions.
        """
        self._refuse_undisclosed("The estimates of")
        return self._named

    @property
    def _named(self) -> pl.DataFrame:
        if self.disclosure is None or not self.rows_from_records:
            return self._derived
        return self._derived.filter(pl.col("n_persons").is_not_null())

    def disclosed(self, tables: Mapping[str, pl.DataFrame], record: Disclosure, **settings: Any) -> Result:
        """Return this result made anew from released counts. Only `suppress` calls it."""
        return replace(self, count_tables=tables, disclosure=record, settings={**self.settings, **settings})

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self.count_tables), dict(self.settings), self.by, self.disclosure)

    def sentence(self) -> str:
        """Return the finding in one plain sentence made from the numbers."""
        raise NotImplementedError

    def gap(self, record: Mapping[str, Any], column: str) -> str:
        """Return what stands for a figure of a row that is not there: "*" if hidden, a dash if it does not exist."""
        done = self.disclosure
        if done is None or done.policy.changes_nothing:
            return UNDEFINED
        if column.startswith(("mean_", "total_")) and record.get("n_persons"):
            return HIDDEN  # of a few contacts, or mostly of one or two people
        return HIDDEN if any(c in record and record[c] is None for c in COUNT_COLUMNS) else UNDEFINED

    def say(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return the words of a cell that its value alone does not tell, or None."""
        return self.gap(record, column) if record[column] is None else None

    def small_counts(self, threshold: int = 7) -> int:
        """Number of counts of 1 to `threshold` people in the result."""
        total = 0
        for name, rule in self.counts.items():
            table = self.count_tables[name]
            for column in rule.columns:
                total += int(table[column].is_between(1, threshold).sum())
        return total

    def _refuse_undisclosed(self, what: str) -> None:
        if not inside_report():
            return
        if self.disclosure is None:
            raise DisclosureError(
                f"{what} {type(self).__name__} would show numbers that have not passed disclosure control. "
                "Show sr.suppress(result, policy) instead."
            )
        wanted = os.environ.get(REPORT_POLICY)
        if wanted and wanted != self.disclosure.policy.title:
            raise DisclosureError(
                f"{what} {type(self).__name__} would show numbers made safe under '{self.disclosure.policy.title}', and "
                f"this report is made under '{wanted}'. Suppress with study.rule(policy)."
            )

    def _band(self) -> str:
        if self.disclosure is None:
            return f"not for release: {number(self.small_counts())} small counts"
        done = self.disclosure
        return f"{done.policy.title}; {number(done.hidden)} counts hidden" if not self.floored else done.policy.title

    def __repr__(self) -> str:
        self._refuse_undisclosed("Printing")
        return f"{type(self).__name__} ({self._band()})\n{self._named}"

    def _repr_html_(self) -> str:
        self._refuse_undisclosed("Showing")
        table = html_table(
            self._named,
            columns=(*self.by, *self.shown) if self.shown else None,
            words=self.column_words,
            say=self.say,
            percentages=self.percentages,
        )
        style = "undisclosed" if self.disclosure is None else "disclosed"
        return f'<div class="symphony-result"><p class="{style}">{self._band()}</p>{table}</div>'
