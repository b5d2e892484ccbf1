"""What tests of groups share: released, the p value is a level and the statistic stays behind, which would tell days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.cells import CellDefinition, Relation
from symphony_research.result.roles import Count, Internal, Key, Known, Level, ModelEstimate, TableRoles
from symphony_research.survival.grid import after_landmark, event_state, grid_until
from symphony_research.survival.grid_cells import followed, people_in, same_without_names
from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import number
from symphony_research.words.phrases import joined

__all__ = ["Compared", "compared", "independent", "released_row", "row_of_test"]

Tables = Mapping[str, pl.DataFrame]
Compared = tuple[float | None, int, float | None]  # statistic, degrees of freedom, p value
_SCHEMA = {"statistic": pl.Float64, "degrees_of_freedom": pl.Int64, "p_value": pl.Float64}


class _GroupTest(Result):
    """One test of the hypothesis that an event comes at the same rate in every group.

    Released, of each group its people and its events up to the last time of the grid are given too.
    """

    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {"weighting", "powers", "strata", "trend", "cause", "rho", "grid"}
    )
    shown: ClassVar[tuple[str, ...]] = ("statistic", "degrees_of_freedom", "p_value")
    name: ClassVar[str] = "test"

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the roles of the daily table, which is never released, of the groups and of the test."""
        daily = dict.fromkeys(("kind", "time", "n_persons", *(settings.get("strata") or ())), Internal())
        return {
            "events": TableRoles(daily),
            "groups": TableRoles(
                {"time": Key(), "n_persons": Count(), "observed": Count(), "expected": ModelEstimate()}, counts=_counted
            ),
            "test": TableRoles({"degrees_of_freedom": Known(), "p_value": Level()}),
        }

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterable[Relation]:
        """Yield that the events of each group are those of a curve that gives them no name, or that does."""
        times = tables["groups"]["time"].unique() if "groups" in tables else ()
        return same_without_names(settings, times, (event_state(settings.get("cause") or 1),))

    @classmethod
    def tested(cls, events: pl.DataFrame, settings: Mapping[str, Any], by: tuple[str, ...]) -> Compared:
        """Return statistic, degrees of freedom and p value of the daily table."""
        raise NotImplementedError

    @classmethod
    def counted_groups(
        cls, events: pl.DataFrame, settings: Mapping[str, Any], by: tuple[str, ...], until: float | None = None
    ) -> pl.DataFrame:
        """Return people and events of each group, and those expected; up to a time, which is then a column."""
        raise NotImplementedError

    @classmethod
    def release_form(cls, tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return the p value of all days, and each group's events up to the last grid time at which anybody is at risk."""
        if policy.changes_nothing or "test" in tables:
            return tables
        events = tables["events"]
        groups = cls.counted_groups(events, settings, by, grid_until(events, settings)[-1])
        rounded = [pl.col(c).round_sig_figs(2) for c in ("expected",) if c in groups.columns]
        return {"groups": groups.with_columns(rounded), "test": cls.derive(tables, settings, by).drop("statistic")}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out what was expected, and the p value, where a group is suppressed: with the others they would tell of it."""
        if (
            "test" not in tables
            or not tables["groups"].select("n_persons", "observed").null_count().sum_horizontal().sum()
        ):
            return tables
        told = [pl.lit(None, dtype=pl.Float64).alias(c) for c in ("expected",) if c in tables["groups"].columns]
        return {
            "groups": tables["groups"].with_columns(told),
            "test": tables["test"].with_columns(pl.lit(None, dtype=pl.Float64).alias("p_value")),
        }

    @property
    def released_by_level(self) -> bool:
        """Whether the p value is a level that it does not exceed."""
        return "test" in self.count_tables

    @property
    def groups(self) -> pl.DataFrame:
        """People, observed events and, where they are defined, expected events of each group; released, up to `time`."""
        self._refuse_undisclosed("The groups of")
        if self.released_by_level:
            return self.count_tables["groups"]
        return self.counted_groups(self.count_tables["events"], self.settings, self.by)

    def small_counts(self, threshold: int = 7) -> int:
        """Return the number of counts of 1 to `threshold` people in the result, those by day among them."""
        counts = [
            c
            for table in self.count_tables.values()
            for c in table.iter_columns()
            if c.name in ("n_persons", "observed")
        ]
        return sum(int(column.is_between(1, threshold).sum()) for column in counts)

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return the words of a level, and the mark of what is not released."""
        if not self.released_by_level or column not in ("statistic", "p_value"):
            return super().format_cell(record, column)
        return "[c]" if record[column] is None else _level_words(record[column])

    def sentence(self) -> str:
        """Return whether the groups differ more than expected if the event came at one rate."""
        row = self.estimates.row(0, named=True)
        since, by = after_landmark(self.settings).lstrip(), joined(self.by)
        whom, test = f"{capital(since)}, groups by {by}" if since else f"Groups by {by}", self.test_words
        if row["p_value"] is None:
            return f"{whom} are too small to compare."
        if self.released_by_level:
            differ = "differ" if row["p_value"] <= 0.05 else "do not clearly differ"
            return f"{whom} {differ} ({test} test, p {_level_words(row['p_value'])})."
        differ = "differ" if row["p_value"] < 0.05 else "do not clearly differ"
        freedom = row["degrees_of_freedom"]
        return (
            f"{whom} {differ} ({test} statistic {number(row['statistic'])} on {freedom} degree{'s' * (freedom != 1)} "
            f"of freedom, p {_p_words(row['p_value'])})."
        )

    @property
    def test_words(self) -> str:
        """What was tested by, in words."""
        strata = self.settings.get("strata")
        return f"{self.name}, stratified by {joined(strata)}," if strata else self.name


def row_of_test(found: Compared) -> pl.DataFrame:
    """Return the one row of a test."""
    return pl.DataFrame({name: [value] for name, value in zip(_SCHEMA, found, strict=True)}, schema=_SCHEMA)


def released_row(tables: Tables) -> pl.DataFrame | None:
    """Return the row of a released test, which has no statistic; None of an exact one."""
    if "test" not in tables:
        return None
    return tables["test"].select(pl.lit(None).alias("statistic"), "degrees_of_freedom", "p_value").cast(_SCHEMA)  # type: ignore[arg-type]


def compared(difference: np.ndarray, covariance: np.ndarray, use: list[int]) -> Compared:
    """Return the quadratic form of the differences of some groups in the inverse of their covariance, and its p value."""
    from scipy.special import chdtrc

    freedom = len(use)
    if freedom < 1:
        return None, 0, None
    statistic = float(difference[use] @ np.linalg.solve(covariance[np.ix_(use, use)], difference[use]))
    return statistic, freedom, float(chdtrc(freedom, statistic))


def independent(covariance: np.ndarray) -> list[int]:
    """Return groups whose scores are not determined by others': all but one, where each is compared with every other."""
    scale = float(np.abs(covariance).max(initial=0.0))
    chosen: list[int] = []
    for g in range(len(covariance) - 1):
        trial = [*chosen, g]
        if np.linalg.matrix_rank(covariance[np.ix_(trial, trial)], tol=1e-9 * scale, hermitian=True) == len(trial):
            chosen = trial
    return chosen if scale > 0 else []


def _counted(row: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return whom a count of a group is of: all of it, or those with the event by the grid time, as a curve counts them."""
    state = event_state(settings.get("cause") or 1)
    return people_in(settings, row["time"], state) if column == "observed" else followed(settings)


def _level_words(level: float) -> str:
    return "> 0.05" if level > 0.05 else f"≤ {level:g}"


def _p_words(p: float) -> str:
    return "<0.001" if p < 0.001 else f"= {p:.3f}"
