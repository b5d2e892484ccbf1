"""Whether hazards are proportional: a score test of each covariate times a function of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import provenance_of
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import Array
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.roles import Internal, Key, Known, Level, TableRoles
from symphony_research.survival.cox import TIES
from symphony_research.survival.effect_tables import model_cells, tests_table
from symphony_research.survival.model_rows import ModelRows, model_rows
from symphony_research.survival.partial_likelihood import fitted
from symphony_research.survival.released_effects import FEWEST_FREE, Tables
from symphony_research.words.lexicon import NOT_ESTIMABLE, SUPPRESSED, capital, in_words
from symphony_research.words.numbers import number
from symphony_research.words.phrases import joined

__all__ = ["TRANSFORMS", "ProportionalHazardsTest", "proportional_hazards_test"]

TRANSFORMS = ("km", "identity", "rank", "log")
GLOBAL = "all covariates"


class ProportionalHazardsTest(Result):
    """Tests of proportional hazards, of each covariate and of all together; released, the level of each p value."""

    figure: ClassVar[str | None] = None
    title: ClassVar[str] = "Test of proportional hazards"
    own_settings: ClassVar[frozenset[str]] = frozenset({"covariates", "strata", "ties", "cause", "transform"})
    shown: ClassVar[tuple[str, ...]] = ("covariate", "statistic", "degrees_of_freedom", "p_value")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType({"covariate": "Covariate", "statistic": "Chi-squared"})

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the roles: the statistic stays behind, the p value is a level."""
        return {
            "tests": TableRoles(
                {
                    "covariate": Key(), "statistic": Internal(), "degrees_of_freedom": Known(), "p_value": Level(),
                    "smallest_cell": Internal(),
                }
            )
        }  # fmt: skip

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """The tests as they are."""
        return tables["tests"].drop("smallest_cell")

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Leave out the p values of covariates with few people or events at a level, and with them the test of all."""
        if policy.changes_nothing or "released" in settings:
            return tables
        p = pl.when(pl.col("smallest_cell") > policy.threshold).then("p_value")
        return {"tests": tables["tests"].with_columns(p.alias("p_value"))}

    def small_counts(self, threshold: int = 7) -> int:
        """Number of covariates with a cell of 1 to `threshold` people or events."""
        return int(self.count_tables["tests"]["smallest_cell"].is_between(1, threshold).sum())

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is not released."""
        return NOT_ESTIMABLE if self.disclosure is None or self.disclosure.policy.changes_nothing else SUPPRESSED

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return the words of a released level."""
        if "released" in self.settings and column == "p_value" and record[column] is not None:
            return "> 0.05" if record[column] > 0.05 else f"≤ {record[column]:g}"
        return super().format_cell(record, column)

    def sentence(self) -> str:
        """Return which covariates clearly depart from proportional hazards."""
        frame = self.estimates.filter(pl.col("covariate") != GLOBAL)
        if not frame["p_value"].drop_nulls().len():
            return "Too few people or events to test whether hazards are proportional."
        level = 0.05 if "released" in self.settings else np.nextafter(0.05, 0)
        found = frame.filter(pl.col("p_value") <= level)["covariate"].to_list()
        if not found:
            return "No covariate clearly departs from proportional hazards."
        whole = self.estimates.filter(pl.col("covariate") == GLOBAL).row(0, named=True)
        exact = "" if whole["statistic"] is None else (
            f" (all covariates: chi-squared {number(whole['statistic'])} on {whole['degrees_of_freedom']} degrees of freedom)"
        )  # fmt: skip
        return f"The hazard ratio of {joined(in_words(name) for name in found)} changes with time{exact}."


def proportional_hazards_test(
    frame: Any,
    *,
    time: str,
    event: str,
    covariates: str | Sequence[str],
    entry: str | None = None,
    strata: str | Sequence[str] = (),
    weights: str | None = None,
    ties: str = "efron",
    cause: int | None = None,
    reference: Mapping[str, Any] | None = None,
    transform: str = "km",
) -> ProportionalHazardsTest:
    """Test whether hazard ratios are the same at all times.

    Parameters
    ----------
    frame : frame
        As in `cox_regression`.
    time, event : str
        Columns with the time at which follow-up ends, and whether the event ended it.
    covariates : str or sequence of str
        Of the model; the levels of text are tested together.
    entry : str, optional
        Column with the time from which each row was observed.
    strata : str or sequence of str
        Columns whose groups have a baseline hazard of their own.
    weights : str, optional
        Integer numbers of people a row stands for.
    ties : {"efron", "breslow"}
        As in `cox_regression`.
    cause : int, optional
        Of several causes the one that is modelled.
    reference : mapping of str to level, optional
        Reference levels of text.
    transform : {"km", "identity", "rank", "log"}
        Function of time with which a log hazard ratio may change: 1 less the
        Kaplan-Meier estimate just before, time itself, its rank or its logarithm.

    Returns
    -------
    ProportionalHazardsTest
        One row per covariate, and a last one for all: `covariate`, `statistic`
        (chi-squared), `degrees_of_freedom`, `p_value`. Released: no statistic, the p
        value as the first of 0.001, 0.01, 0.05 and 1 that it does not exceed.

    Raises
    ------
    ArgumentError
        As `cox_regression`.

    Notes
    -----
    The score test of covariates times g(t), with the exact information of those and of
    the covariates themselves, as `cox.zph` of R's survival 3 has it.

    References
    ----------
    Grambsch, P. M. and Therneau, T. M. (1994). Proportional hazards tests and
    diagnostics based on weighted residuals. Biometrika 81, 515-526.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 3, 4, 5, 6], "event": [1, 1, 1, 1, 0, 1], "older": [1, 0, 1, 0, 0, 1]})
    >>> test = sr.survival.proportional_hazards_test(people, time="time", event="event", covariates="older")
    >>> test.estimates["covariate"].to_list()
    ['older', 'all covariates']
    """
    require_one_of(ties, TIES, argument="ties")
    require_one_of(transform, TRANSFORMS, argument="transform")
    own, names, strata_names, _ = model_rows(
        frame, time=time, event=event, covariates=covariates, entry=entry, cluster=None, strata=strata, weights=weights,
        sampling_weights=None, cause=cause, reference=reference,
    )  # fmt: skip
    of = own.likelihood(ties)
    _, at = fitted(of, own.covariates.names)
    g = _function_of_time(own, transform)
    g = g - float(of.deaths @ g) / of.deaths.sum()
    score, main = of.score(at, g), of.information(at)
    mixed, squared = of.information(at, g), of.information(at, g**2)
    # what is left of the information of the new terms, given the covariates themselves
    left = squared - mixed.T @ np.linalg.solve(main, mixed)
    p, behind = len(score), own.covariates.names
    rows = []
    for name in names:
        at_term = [k for k in range(p) if behind[k] == name]
        # of one covariate's terms alone
        part = left[np.ix_(at_term, at_term)]
        rows.append((name, float(score[at_term] @ np.linalg.solve(part, score[at_term])), len(at_term)))
    rows.append((GLOBAL, float(score @ np.linalg.solve(left, score)), p))
    cells = model_cells(own.rows, own.covariates.columns, own.pattern, pl.col("kind") == (cause or 1))
    smallest = [cells[name] for name in names]
    few = int(of.deaths.sum()) - p < FEWEST_FREE
    tests = tests_table(rows).rename({"test": "covariate"})
    tests = tests.with_columns(
        pl.Series("smallest_cell", [0 if few else n for n in [*smallest, min(smallest)]], dtype=pl.Int64)
    )
    settings = {
        "method": f"score test of covariates times time ({transform}), {capital(ties)} ties",
        "reference": "Grambsch and Therneau 1994", "time": time, "event": event, "entry": entry, "weights": weights,
        "covariates": list(names), "strata": list(strata_names), "ties": ties, "cause": cause, "transform": transform,
        **provenance_of(frame).as_settings(),
    }  # fmt: skip
    return ProportionalHazardsTest({"tests": tests}, settings)


def _function_of_time(own: ModelRows, transform: str) -> Array:
    """Return the function of time at each event time, over everybody whatever their stratum."""
    times, moments = own.rows["time"].to_numpy(), own.sets.times
    if transform == "identity":
        return moments
    if transform == "log":
        if (moments <= 0).any():
            raise ArgumentError(f"{int((moments <= 0).sum())} event times are not above 0, and have no logarithm.")
        return np.asarray(np.log(moments))
    if transform == "rank":
        values, at = np.unique(times, return_inverse=True)
        tied = np.bincount(at, own.people)
        rank = np.cumsum(tied) - (tied - 1) / 2
        return np.asarray(rank[np.searchsorted(values, moments)])
    values = np.unique(times[own.sets.event])
    order = np.sort(times)
    after = np.append(np.cumsum(own.people[np.argsort(times)][::-1])[::-1], 0)
    there = after[np.searchsorted(order, values, side="left")]
    if "entry" in own.rows.columns:
        entry = own.rows["entry"].to_numpy()
        late = np.append(np.cumsum(own.people[np.argsort(entry)][::-1])[::-1], 0)
        there = there - late[np.searchsorted(np.sort(entry), values, side="left")]
    had = np.bincount(np.searchsorted(values, times[own.sets.event]), own.people[own.sets.event], len(values))
    survival = np.concatenate([[1.0], np.cumprod(1 - had / there)])
    return np.asarray(1 - survival[np.searchsorted(values, moments, side="left")])
