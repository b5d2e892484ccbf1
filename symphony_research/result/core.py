"""What every analysis returns: one frozen value of tidy estimates that knows how it was made.

A family of results makes three declarations: `roles_of`, what every column of
its tables is and whom its counts count; `relations`, how they relate beyond
that; and `derive`, the pure function from those tables to the estimates. The
estimator and disclosure control both use `derive`, so a disclosed result is
made from released numbers and can hold no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.errors import DisclosureError
from symphony_research.inference.multiplicity import FOUND
from symphony_research.policy import Policy
from symphony_research.result.cells import CellDefinition, Relation
from symphony_research.result.facts import KeyFigure, facts_of, of_whom
from symphony_research.result.forms import AdjustedForms
from symphony_research.result.mode import confidential_report, inside_report, report_policy, report_session
from symphony_research.result.roles import TableRoles, require_roles
from symphony_research.result.settings import require_known_settings
from symphony_research.words.html_tables import html_table
from symphony_research.words.lexicon import COUNT_COLUMNS, NOT_ESTIMABLE, NOT_RECORDED, SUPPRESSED
from symphony_research.words.numbers import number
from symphony_research.words.phrases import expected_words, tested_words

__all__ = [
    "Disclosure",
    "KeyFigure",
    "Provenance",
    "Result",
    "confidential_report",
    "inside_report",
    "library_version",
]


@cache
def library_version() -> str:
    """Version of this library."""
    try:
        return version("symphony_research")
    except PackageNotFoundError:
        return "not installed"


@dataclass(frozen=True)
class Provenance:
    """Where numbers came from: the study, and the population as predicates and dates."""

    study: str | None = None
    fingerprint: str | None = None
    generated: bool = False
    population: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    period: tuple[str, str] | None = None  # first and last day of the study
    landmark: float = 0.0  # the time of follow-up from which time is counted: of those still at risk at it

    def as_settings(self) -> dict[str, Any]:
        """Return the provenance as entries of `Result.settings`."""
        return {
            "study": self.study,
            "fingerprint": self.fingerprint,
            "generated": self.generated,
            "population": dict(self.population),
            **({"note": self.note} if self.note else {}),
            **({"period": list(self.period)} if self.period else {}),
            **({"landmark": self.landmark} if self.landmark else {}),
        }


@dataclass(frozen=True)
class Disclosure:
    """What disclosure control did to a result.

    Attributes
    ----------
    policy : Policy
    suppressed : int
        Counts that are suppressed, for whatever reason; not of rows that are
        there only because somebody is in them, whose number would tell how many
        sets have few.
    secondary : frozenset of (table, row, column)
        Those that are no small count, but keep others from being inferred.
    of_small : frozenset of (table, row, column)
        Those of strata whose people are few.
    withheld : frozenset of (table, row, column)
        Those of which it was not decided what they tell with others.
    method : str
        How it was made sure: "integers", "bounds", "withheld", or "" where nothing needed to be.
    n_inferable : int
        Suppressed counts, small or not, that keep too few possible numbers whatever
        else is suppressed here: earlier outputs, or which counts are small, tell too much.
    session : str
        The report that released it; empty outside a report.
    """

    policy: Policy
    suppressed: int
    secondary: frozenset[tuple[str, int, str]] = frozenset()
    of_small: frozenset[tuple[str, int, str]] = frozenset()
    withheld: frozenset[tuple[str, int, str]] = frozenset()
    method: str = ""
    n_inferable: int = 0
    session: str = ""


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
    # whether it stands where a study does not allow a result, and has a sentence alone
    holds_nothing: ClassVar[bool] = False
    # the function that draws it, as "module:function", so that none is loaded before it is asked for; None if there is none
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset()
    shown: ClassVar[tuple[str, ...]] = ()
    percentages: ClassVar[tuple[str, ...]] = ()
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType({})
    # whether which rows there are comes from the records: a suppressed one would still say that somebody is in it
    rows_from_records: ClassVar[bool] = False
    # what its rows are, in words, where they come from the records
    rows_are: ClassVar[str] = "Combinations"
    # whether its figure names each group that is suppressed: a number of counts beside it would seem to differ
    names_what_is_suppressed: ClassVar[bool] = False
    # columns by which a table's findings are led, largest first; where rows have q values, findings stand before the rest
    led_by: ClassVar[tuple[str, ...]] = ()
    # tables whose rows end at `min_persons`, the first by its own count
    minimum_size_tables: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        settings = {
            "library_version": library_version(),
            **self.settings,
            "by": list(self.by),
        }
        object.__setattr__(self, "settings", MappingProxyType(settings))
        object.__setattr__(self, "count_tables", MappingProxyType(dict(self.count_tables)))
        roles = self.roles_of(self.settings)
        require_roles(type(self).__name__, self.count_tables, roles, self.by)
        require_known_settings(type(self).__name__, self.settings, self.own_settings)
        object.__setattr__(self, "roles", MappingProxyType(dict(roles)))
        object.__setattr__(self, "_derived", self.derive(self.count_tables, self.settings, self.by))

    @staticmethod
    def derive(
        tables: Mapping[str, pl.DataFrame],
        settings: Mapping[str, Any],
        by: tuple[str, ...],
    ) -> pl.DataFrame:
        """Return the estimates that follow from the count tables alone."""
        raise NotImplementedError

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the role of every column of every table, and whom its counts count."""
        return {}

    @staticmethod
    def relations(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Iterable[Relation]:
        """Return which rows add up to which total (`Partition`) or cover it (`Covered`), which people are among others (`Nested`), or the same (`Same`).

        Of one stratum: the tables have its rows alone and no column of strata, and what is returned is
        placed in it. What the definitions of cells say by themselves (sets of conditions, numbers of
        conditions, strata) need not be declared.
        """
        return ()

    @staticmethod
    def adjusted_forms(
        tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any], by: tuple[str, ...]
    ) -> Iterable[AdjustedForms]:
        """Return what the adjusted figures are of the counts by stratum behind them, from exact tables."""
        return ()

    @staticmethod
    def listable(settings: Mapping[str, Any], most: int) -> Iterable[CellDefinition]:
        """Return the cells that would have a row if anybody were in them, where rows come from the records.

        Without strata; none where there are more than `most`.
        """
        return ()

    @staticmethod
    def release_form(
        tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy
    ) -> Mapping[str, pl.DataFrame]:
        """Return the exact tables in the form in which they are released, such as a curve on the grid of times."""
        return tables

    @staticmethod
    def trim(
        tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any], by: tuple[str, ...]
    ) -> Mapping[str, pl.DataFrame]:
        """Return released tables without what rests on a suppressed count of another table."""
        return tables

    roles: ClassVar[Mapping[str, TableRoles]]
    _derived: ClassVar[pl.DataFrame]

    @property
    def estimates(self) -> pl.DataFrame:
        """The tidy table of estimates; inside a report only once disclosed."""
        self._refuse_undisclosed("The estimates of")
        return self._derived

    @property
    def shown_by(self) -> tuple[str, ...]:
        """Strata that its figure tells apart, as a caption says; by default all."""
        return self.by

    @property
    def named(self) -> pl.DataFrame:
        """The rows of `estimates` that may be named to others, in the order of a table: findings before the rest.

        Where the rows come from the records, a row that only says "*" would
        still say that somebody is in it, such as with exactly these conditions.
        """
        self._refuse_undisclosed("The estimates of")
        return self._named

    @property
    def _named(self) -> pl.DataFrame:
        frame = self._findings_first(self._derived)
        if self.disclosure is None or not self.rows_from_records:
            return frame
        return frame.filter(pl.col("n_persons").is_not_null())

    def _findings_first(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return findings by q value before the rest; in both, and where there is no test, the family's order."""
        tests = [c for c in ("family_wise_p", "q_value") if c in frame.columns]
        if not tests:
            return frame
        found = (pl.coalesce(tests) <= FOUND).fill_null(False)
        led = [pl.when(found).then(pl.col(c)) for c in self.led_by]
        return frame.sort([found, *led], descending=True, nulls_last=True, maintain_order=True)

    def disclosed(self, tables: Mapping[str, pl.DataFrame], record: Disclosure, **settings: Any) -> Result:
        """Return this result made again from released counts. Only `suppress` calls it."""
        return replace(self, count_tables=tables, disclosure=record, settings={**self.settings, **settings})

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self.count_tables), dict(self.settings), self.by, self.disclosure)

    def sentence(self) -> str:
        """Return the finding in one plain sentence made from the numbers."""
        raise NotImplementedError

    def heading(self) -> str:
        """Return what was measured and of whom, as the title of a report."""
        whom = of_whom(self.settings)
        return f"{self.title}: {whom}" if whom else self.title

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the figures by which reports on different people are compared; by default none."""
        return ()

    def facts(self) -> Mapping[str, str]:
        """Return who was studied, where and when, in words by their terms."""
        people = self.count_tables.get("population")
        known = people is not None and "n_persons" in people.columns and not people["n_persons"].null_count()
        return facts_of(self.settings, int(people["n_persons"].sum()) if known and people is not None else None)

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return what stands for a figure of a row that is not there: "[c]" if suppressed, "[x]" or "[z]" if it does not exist."""
        done = self.disclosure
        if done is None or done.policy.changes_nothing:
            return NOT_ESTIMABLE
        if column.startswith(("mean_", "total_")) and record.get("n_persons"):
            return SUPPRESSED  # of a few contacts, or mostly of one or two people
        # an adjusted figure that its strata do not allow to be shown
        told = self.settings.get("adjust") and any(
            record.get(c, 0) is None for c in ("expected", "expected_a", "expected_b", "ratio", "odds_ratio")
        )
        return SUPPRESSED if told or any(c in record and record[c] is None for c in COUNT_COLUMNS) else NOT_ESTIMABLE

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return the words of a cell that its value alone does not tell, or None."""
        if record[column] is not None:
            return None
        return NOT_RECORDED if column in self.by else self.missing_marker(record, column)

    def notes(self, columns: Iterable[str]) -> list[str]:
        """Return what stands under a table with these columns: what is expected, and what q values are corrected for."""
        shown, told = set(columns), []
        if {"expected", "observed_expected"} & shown:
            told += expected_words(self.settings)
        if "q_value" in shown and "correction" in self.settings:
            told.append(tested_words(self.settings["correction"], self.n_tested))  # type: ignore[attr-defined]
        return told

    def display(self) -> pl.DataFrame | None:
        """Return the table as journals print it, headings for names and words for values; None where the rows will do."""
        return None

    def instead_of_table(self) -> str | None:
        """Return what to say where a table would say nothing."""
        return None

    def small_counts(self, threshold: int = 7) -> int:
        """Return the number of counts of 1 to `threshold` people in the result."""
        return sum(
            int(table[column].is_between(1, threshold).sum())
            for name, table in self.count_tables.items()
            for column in self.roles[name].people
        )

    def _refuse_undisclosed(self, what: str) -> None:
        if not inside_report():
            return
        if self.disclosure is None:
            raise DisclosureError(
                f"{what} {type(self).__name__} would show numbers that have not passed disclosure control. "
                "Show sr.suppress(result, policy) instead."
            )
        wanted, session = report_policy(), report_session()
        if wanted and wanted != self.disclosure.policy.title:
            raise DisclosureError(
                f"{what} {type(self).__name__} would show numbers released under '{self.disclosure.policy.title}', and "
                f"this report is made under '{wanted}'. Suppress with study.disclosure_policy(policy)."
            )
        if session and session != self.disclosure.session:
            raise DisclosureError(
                f"{what} {type(self).__name__} would show numbers that this report has not released. Suppress all its "
                "results in one call: released = sr.suppress({...}, policy, session=session)"
            )

    def _band(self) -> str:
        if self.disclosure is None:
            return f"not for release: {number(self.small_counts())} small counts"
        done = self.disclosure
        return (
            f"{done.policy.title}; {number(done.suppressed)} counts suppressed"
            if not self.minimum_size_tables
            else done.policy.title
        )

    def __repr__(self) -> str:
        self._refuse_undisclosed("Printing")
        return f"{type(self).__name__} ({self._band()})\n{self._named}"

    def _repr_html_(self) -> str:
        self._refuse_undisclosed("Showing")
        table = html_table(
            self._named,
            columns=(*self.by, *self.shown) if self.shown else None,
            words=self.column_words,
            format_cell=self.format_cell,
            percentages=self.percentages,
        )
        style = "undisclosed" if self.disclosure is None else "disclosed"
        return f'<div class="symphony-result"><p class="{style}">{self._band()}</p>{table}</div>'
