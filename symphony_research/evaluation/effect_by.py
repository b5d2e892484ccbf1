"""Whether an effect differs between groups: each group's own, beside that of all, and one test."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.cohort.matched import Matched, groups_of, outcome_rows
from symphony_research.evaluation.effect_tables import ESTIMATED, arms_of
from symphony_research.evaluation.effect_words import DIFFERENCE, RATIO
from symphony_research.evaluation.estimated import (
    ESTIMATE_ROLES,
    as_estimated,
    as_released,
    require_integers,
    require_matched,
    shown_where,
    with_intervals,
)
from symphony_research.evaluation.rate_rows import rates_by_group, rates_of
from symphony_research.evaluation.release import ARMS, arm_cells
from symphony_research.evaluation.verdicts import COMPARABLE, FEWEST_EVENTS, FEWEST_PEOPLE, few_rule, with_ratio
from symphony_research.inference import normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.cells import CellDefinition
from symphony_research.result.roles import Count, Internal, Key, Known, Level, TableRoles
from symphony_research.words.lexicon import COLUMN_WORDS, NOT_ESTIMABLE, SUPPRESSED, capital, in_words
from symphony_research.words.numbers import number, p_value
from symphony_research.words.phrases import confidence_of, strata_phrase, strata_words

__all__ = ["EffectBy", "effect_by", "wald"]

Tables = Mapping[str, pl.DataFrame]
ALL = "All"
_TEST = {"statistic": pl.Float64, "degrees_of_freedom": pl.Int64, "p_value": pl.Float64}


class EffectBy(Result):
    """The rate ratio of each group of enrolled people and of their controls, in order of the groups' names, and one test."""

    title: ClassVar[str] = "Effect of enrolling, by group"
    figure: ClassVar[str | None] = "symphony_research.show.effect_forests:plot_effect_by"
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {"matching", "outcome", "horizon", "adjusted", "fewest_events", "fewest_people"}
    )
    shown: ClassVar[tuple[str, ...]] = ("n_persons", "n_with_event", "estimate", "lower", "upper")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Enrolled people of each group, and those with the event; of controls, whom groups may share, no count is given."""
        effects = TableRoles({"measure": Key(), **ESTIMATE_ROLES})
        return {
            "population": TableRoles({"n_persons": Count()}, _enrolled),
            "events": TableRoles({"n_with_event": Count()}, _enrolled),
            "effects": effects,
            "all": TableRoles({"n_persons": Count(), "n_with_event": Count()}, _enrolled),
            "effects_of_all": effects,
            "covariance": TableRoles(dict.fromkeys(("first", "second", "value"), Internal())),
            "test": TableRoles({"degrees_of_freedom": Known(), "p_value": Level()}),
        }

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return each group's people and rate ratio with its interval."""
        ratio = pl.col("measure") == RATIO
        found = with_intervals(tables["effects"].filter(ratio), list(by), settings)
        for name in ("events", "population"):
            found = tables[name].join(found, on=by, how="left", nulls_equal=True, maintain_order="left")
        return found.select(*by, "n_persons", "n_with_event", "estimate", "lower", "upper", "p_value")

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return estimates as exact as the counts behind them, and the p value of the test as a level."""
        if policy.changes_nothing or "test" in tables:
            return tables
        effects = as_released(tables["effects"], settings, policy)
        return {
            **tables,
            "effects": effects,
            "effects_of_all": as_released(tables["effects_of_all"], settings, policy),
            # of the groups that are shown, so that it tells nothing of others
            "test": _no_clearer_than_shown(
                _tested({**tables, "effects": _exact_where(tables["effects"], effects)}, by), effects, by
            ).drop("statistic"),
        }

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out a group's estimate where a count of it is suppressed, and then the test if that took it in."""
        if "test" not in tables:
            return tables
        counts = tables["population"].join(tables["events"], on=by, how="left", nulls_equal=True, maintain_order="left")
        there = counts.with_columns(
            pl.all_horizontal(pl.col("n_persons", "n_with_event").is_not_null()).alias("__there")
        ).select(*by, "__there")
        effects = tables["effects"].join(there, on=by, how="left", nulls_equal=True, maintain_order="left")
        taken = effects.filter((pl.col("measure") == RATIO) & pl.col("estimate").is_not_null())
        p = "p_value" if taken["__there"].all() else pl.lit(None, dtype=pl.Float64).alias("p_value")
        everybody = not tables["all"].null_count().sum_horizontal().sum()
        return {
            **tables,
            "effects": shown_where(effects, pl.col("__there")).drop("__there"),
            "effects_of_all": shown_where(tables["effects_of_all"], everybody),
            "test": tables["test"].with_columns(p),
        }

    @property
    def test(self) -> pl.DataFrame:
        """Wald's test that all groups have one rate ratio; released, the level of the p value alone."""
        self._refuse_undisclosed("The test of")
        if "test" in self.count_tables:
            return self.count_tables["test"]
        return _tested(self.count_tables, self.by)

    @property
    def whole(self) -> dict[str, Any]:
        """The rate ratio of all groups together, with its interval, people and those with the event."""
        self._refuse_undisclosed("The whole of")
        return self._of_all(RATIO) | self.count_tables["all"].row(0, named=True)

    @property
    def differences(self) -> pl.DataFrame:
        """Of each group, the difference of rates per 100 person-years of enrolled people, with its interval."""
        self._refuse_undisclosed("The differences of")
        frame = self.count_tables["effects"].filter(pl.col("measure") == DIFFERENCE)
        return with_intervals(frame, list(self.by), self.settings)

    @property
    def whole_difference(self) -> dict[str, Any]:
        """The difference of rates per 100 person-years of all groups together, with its interval."""
        self._refuse_undisclosed("The whole of")
        return self._of_all(DIFFERENCE)

    def _of_all(self, measure: str) -> dict[str, Any]:
        frame = self.count_tables["effects_of_all"].filter(pl.col("measure") == measure)
        return with_intervals(frame, ["measure"], self.settings).drop("measure").row(0, named=True)

    def sentence(self) -> str:
        """Return whether the groups differ, and the effect of all; which group has the largest is not said."""
        by, what = strata_phrase(self.by), EVENTS[self.settings["outcome"]].plural
        row, known = self.whole, self.estimates.filter(pl.col("estimate").is_not_null()).height
        test = self.test.row(0, named=True)
        said = f"No ratio of {what} of all enrolled people is given"
        if row["estimate"] is not None:
            said = f"Of all enrolled people the rate of {what} was {with_ratio(row, confidence_of(self.settings))} times that of the others"
        if test["p_value"] is None:
            return f"{said}. Too few groups by {by} can be compared."
        released = "test" in self.count_tables
        clear = test["p_value"] <= 0.05
        p = self._p_words(test["p_value"], released)
        freedom = test["degrees_of_freedom"]
        how = (
            p
            if released
            else f"chi-squared {number(test['statistic'])}, {freedom} degree{'s' * (freedom != 1)} of freedom, {p}"
        )
        differ = (
            f"differ between the {number(known)} groups"
            if clear
            else f"do not clearly differ between the {number(known)} groups"
        )
        return f"{said}. Ratios {differ} by {by} that can be compared ({how}), {COMPARABLE} in each."

    @staticmethod
    def _p_words(p: float, released: bool) -> str:
        if released:
            return "p > 0.05" if p > 0.05 else f"p ≤ {p:g}"
        said = p_value(p)
        return f"p {said}" if said[0] in "<>" else f"p = {said}"

    def display(self) -> pl.DataFrame:
        """Return one row a group, all together first: enrolled people, those with the event, ratio and difference with intervals."""
        how, heading = confidence_of(self.settings), COLUMN_WORDS.get(self.by[0], capital(in_words(self.by[0])))
        lines = [(ALL, self.whole, self.whole_difference)]
        for row, difference in zip(
            self.estimates.iter_rows(named=True), self.differences.iter_rows(named=True), strict=True
        ):
            lines.append((self.group_words(row), row, difference))
        return pl.DataFrame(
            [
                {
                    heading: name, "Enrolled": self._count(row["n_persons"]), "With event": self._count(row["n_with_event"]),
                    f"Rate ratio ({how})": self._figure(row, row), f"Difference per 100 person-years ({how})": self._figure(row, difference),
                }
                for name, row, difference in lines
            ]
        )  # fmt: skip

    def group_words(self, row: Mapping[str, Any]) -> str:
        """Return the name of a row's group."""
        return capital(strata_words({c: row[c] for c in self.by}))

    @staticmethod
    def _count(value: int | None) -> str:
        return SUPPRESSED if value is None else number(value)

    def _figure(self, record: Mapping[str, Any], row: Mapping[str, Any]) -> str:
        return self.missing_marker(record, "estimate") if row["estimate"] is None else with_ratio(row)

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is suppressed, or of too few events or people for a ratio."""
        done = self.disclosure
        if done is None or done.policy.changes_nothing:
            return NOT_ESTIMABLE
        if column.startswith("n_"):
            return SUPPRESSED
        of_group = all(c in record for c in self.by)
        frame = self.count_tables["effects" if of_group else "effects_of_all"].filter(pl.col("measure") == RATIO)
        for name in self.by if of_group else ():
            frame = frame.filter(pl.col(name).eq_missing(pl.lit(record[name])))
        return NOT_ESTIMABLE if frame["few"].any() else SUPPRESSED

    def notes(self, columns: Any) -> list[str]:
        """Return the test, the rule by which no ratio is given, and that groups are not ranked."""
        test = self.test.row(0, named=True)
        told = ["Groups in order of their names. Each is compared with its own controls."]
        if test["p_value"] is not None:
            told.append(
                f"All groups with one ratio: {self._p_words(test['p_value'], 'test' in self.count_tables)} (Wald's test)."
            )
        few = self.count_tables["effects"]["few"].any()
        return [*told, *([few_rule(self.settings)] if few else []), *super().notes(columns)]

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings."""
        how = confidence_of(self.settings)
        return MappingProxyType(
            {"n_persons": "Enrolled", "n_with_event": "With event", "estimate": "Rate ratio", "lower": f"{how}, lower", "upper": f"{how}, upper"}
        )  # fmt: skip


def _enrolled(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    return arm_cells({"arm": ARMS[0]}, column, settings)


def _exact_where(exact: pl.DataFrame, released: pl.DataFrame) -> pl.DataFrame:
    """Return exact estimates of what has a released one."""
    gone = released["estimate"].is_null()
    return exact.with_columns(few=gone)


def _tested(tables: Tables, by: tuple[str, ...]) -> pl.DataFrame:
    """Return Wald's test over the groups with an estimate, of those whose group is recorded."""
    frame = tables["effects"].filter(pl.col("measure") == RATIO).with_row_index("__at")
    frame = frame.filter(~pl.col("few") & pl.col("estimate").is_not_null() & pl.col(by[0]).is_not_null())
    at = frame["__at"].to_numpy().astype(int)
    value = tables["covariance"].sort("first", "second")["value"].to_numpy()
    size = int(np.sqrt(len(value)))
    found = wald(frame["estimate"].to_numpy(), value.reshape(size, size)[np.ix_(at, at)])
    return pl.DataFrame({name: [one] for name, one in zip(_TEST, found, strict=True)}, schema=_TEST)


def _no_clearer_than_shown(test: pl.DataFrame, effects: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """Return a test with the p value of the released ratios where that is larger: a page does not call different what it shows as similar."""
    shown = effects.filter(
        (pl.col("measure") == RATIO) & pl.col("estimate").is_not_null() & pl.col(by[0]).is_not_null()
    )
    _, _, p = wald(shown["estimate"].to_numpy(), np.diag(shown["standard_error"].to_numpy() ** 2))
    return test.with_columns(
        pl.when(pl.col("p_value").is_not_null()).then(pl.max_horizontal("p_value", pl.lit(p))).alias("p_value")
    )


def wald(estimate: np.ndarray, covariance: np.ndarray) -> tuple[float | None, int, float | None]:
    """Return Wald's test that all of several estimates are one: chi-squared, degrees of freedom, p value; none of fewer than two.

    Examples
    --------
    >>> found = wald(np.array([0.0, 1.0]), np.diag([0.09, 0.16]))  # 1 over sqrt(0.25), squared
    >>> round(found[0], 6), found[1], round(found[2], 4)
    (4.0, 1, 0.0455)
    """
    from scipy.special import chdtrc

    freedom = len(estimate) - 1
    if freedom < 1:
        return None, 0, None
    contrast = np.column_stack([-np.ones(freedom), np.eye(freedom)])
    apart, spread = contrast @ estimate, contrast @ covariance @ contrast.T
    if np.linalg.matrix_rank(spread, hermitian=True) < freedom:
        return None, freedom, None
    statistic = float(apart @ np.linalg.solve(spread, apart))
    return statistic, freedom, float(chdtrc(freedom, statistic))


def effect_by(
    matched: Matched,
    *,
    by: str,
    outcome: str = "emergency_admission",
    horizon: int = 365,
    adjust: bool = True,
    confidence: float = 0.95,
    fewest_events: int = FEWEST_EVENTS,
    fewest_people: int = FEWEST_PEOPLE,
) -> EffectBy:
    """Estimate the effect in each group of enrolled people, and test whether groups differ.

    Enrolled people of a group are compared with their own controls, at the weights that these have. Groups stand in order of
    their names: with so few people the order of their effects says little.

    Parameters
    ----------
    matched : Matched
        What `match_controls` returns.
    by : {"hub", "sex", "age_band", "n_conditions_band", "deprivation_quintile"}
        As of the day on which people enrolled.
    outcome : str, default "emergency_admission"
    horizon : int, default 365
    adjust : bool, default True
        Whether one regression of all groups takes in the covariates, with one coefficient for all, so that groups and the
        whole are adjusted the same way. With too few events for the coefficients, two of each group among them, it does not.
    confidence : float, default 0.95
    fewest_events, fewest_people : int, default 20 and 15
        No ratio is given of a group where an arm has fewer, and the test leaves it out.

    Returns
    -------
    EffectBy
        `n_persons` and `n_with_event` (of enrolled people), `estimate` (rate ratio), `lower`, `upper`, `p_value` of each
        group. `.whole` is the ratio of all, `.test` Wald's test, `.differences` those per 100 person-years.

    Raises
    ------
    ArgumentError
        If there is no such group or outcome, or the study does not record it.

    Notes
    -----
    Estimates and their variance are as those of `enrolment_effect`. Groups may share controls, and with odds weights the score,
    so their log ratios are correlated: the covariance is the sum over people of products of what each adds to both. People
    whose group is not recorded are no group that is tested.

    References
    ----------
    Wang, R., Lagakos, S. W., Ware, J. H., Hunter, D. J. and Drazen, J. M. (2007). Statistics in medicine: reporting of
    subgroup analyses in clinical trials. New England Journal of Medicine 357, 2189-2194.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study(12_000)
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), seed=1)
    >>> sr.evaluation.effect_by(matched, by="sex").estimates["sex"].to_list()
    ['F', 'M']
    """
    require_matched(matched, "effect_by")
    require_integers(horizon=(horizon, 1), fewest_events=(fewest_events, 0), fewest_people=(fewest_people, 0))
    normal_quantile(confidence)
    names, group = groups_of(matched, by)
    arms, _ = arms_of(matched, outcome_rows(matched, outcome, last=horizon))
    words = outcome.replace("_", " ")
    everybody = rates_of(matched, arms, words, adjust=adjust)
    parts = rates_by_group(matched, arms, group[arms.set], len(names), words, adjust=adjust)
    settings = {
        "method": "Poisson regression with a rate and a ratio of each group, weighted; Wald's test, covariance by person",
        "reference": "Wang and others 2007", "matching": dict(matched.settings), "outcome": outcome, "horizon": horizon,
        "adjusted": adjust, "confidence": confidence, "fewest_events": fewest_events, "fewest_people": fewest_people,
        **matched.provenance.as_settings(),
    }  # fmt: skip
    return EffectBy(_tables(names, everybody, parts, settings), settings, (by,))


def _tables(names: pl.Series, everybody: Any, parts: list[Any], settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
    schema = {"measure": pl.String, "scale": pl.String, **ESTIMATED}

    def estimates(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
        frame = pl.DataFrame(rows, schema=schema, orient="row").with_columns(
            pl.col("estimate", "standard_error").fill_nan(None)
        )
        return as_estimated(frame, settings)

    of_groups = estimates([row for part in parts for row in part.rows])
    repeated = pl.Series(names.name, [name for name in names.to_list() for _ in (RATIO, DIFFERENCE)], dtype=names.dtype)
    counts = {
        name: pl.DataFrame([names, pl.Series(column, values, dtype=pl.Int64)])
        for name, column, values in (
            ("population", "n_persons", [part.people[0] for part in parts]),
            ("events", "n_with_event", [part.with_event[0] for part in parts]),
        )
    }
    influence = np.array([part.influence for part in parts])
    covariance = influence @ influence.T
    first, second = np.indices(covariance.shape).reshape(2, -1)
    return {
        **counts,
        "effects": of_groups.insert_column(0, repeated),
        "all": pl.DataFrame({"n_persons": [everybody.people[0]], "n_with_event": [everybody.with_event[0]]}),
        "effects_of_all": estimates(everybody.rows),
        "covariance": pl.DataFrame({"first": first, "second": second, "value": covariance.ravel()}),
    }
