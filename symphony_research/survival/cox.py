"""Cox regression on grouped days: hazard ratios from the distinct patterns of entry, time, event and covariates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import provenance_of
from symphony_research.errors import DisclosureError, require_one_of
from symphony_research.inference import Array, normal_quantile
from symphony_research.result.cells import CellDefinition, everybody
from symphony_research.result.roles import Internal, TableRoles
from symphony_research.survival.effect_tables import counts_by_level, effects_table, tests_table
from symphony_research.survival.effects import _Effects
from symphony_research.survival.grid import after_landmark, checked_grid, event_state, grid_until
from symphony_research.survival.grid_cells import followed, people_in
from symphony_research.survival.model_rows import ModelRows, model_rows
from symphony_research.survival.partial_likelihood import At, Fit, PartialLikelihood, fitted
from symphony_research.survival.released_effects import Tables
from symphony_research.survival.risk_sets import summed_by
from symphony_research.words.lexicon import capital, outcome

__all__ = ["TIES", "CoxRegression", "cox_regression"]

TIES = ("efron", "breslow")
_HAZARD: dict[str, Any] = {
    "time": pl.Float64,
    "hazard": pl.Float64,
    "variance": pl.Float64,
    "means": pl.List(pl.Float64),
}


class CoxRegression(_Effects):
    """Hazard ratios, each with the people and events behind it."""

    figure: ClassVar[str | None] = "symphony_research.show.forest:plot_effects"
    title: ClassVar[str] = "Hazard ratios (Cox regression)"
    shown: ClassVar[tuple[str, ...]] = (
        "covariate",
        "n_persons",
        "n_events",
        "hazard_ratio",
        "lower",
        "upper",
        "p_value",
    )

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the roles of the effects, and of the baseline hazard by day, which is never released."""
        internal = dict.fromkeys([*_HAZARD, *settings.get("strata", ())], Internal())
        return {**super().roles_of(settings), "hazard": TableRoles(MappingProxyType(internal))}

    @classmethod
    def people(cls, settings: Mapping[str, Any]) -> CellDefinition:
        """Return the people who are at risk, as curves count them."""
        return followed(settings)

    @classmethod
    def with_event(cls, row: Mapping[str, Any], settings: Mapping[str, Any]) -> CellDefinition:
        """Return those with the event by the last grid time, as curves count them; without a grid, ever."""
        if row.get("time") is None:
            return everybody().in_state(f"{settings.get('time')} ever", f"event {settings.get('cause') or 1}")
        return people_in(settings, row["time"], event_state(settings.get("cause") or 1))

    @classmethod
    def counted_for_release(cls, tables: Tables, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
        """Count events up to the last grid time at which anybody is at risk, as curves and the log-rank test do."""
        found = super().counted_for_release(tables, settings)
        try:
            until = grid_until(tables["by_day"], settings)[-1]
        except DisclosureError:  # a unit without a grid: no curve of these people is released either
            return found
        days = tables["by_day"].filter(pl.col("time") <= until)
        events = days.group_by("variable", "category").agg(pl.col("n_persons").sum().alias("__events"))
        last = pl.lit(until, dtype=pl.Float64).alias("time")
        for name in ("coefficients", "references"):
            joined = found[name].join(
                events, on=["variable", "category"], how="left", nulls_equal=True, maintain_order="left"
            )
            whole = days.filter(pl.col("variable").is_null())["n_persons"].sum()
            none = pl.when(pl.col("category").is_null()).then(whole).otherwise(0)
            own = pl.coalesce(pl.when(pl.col("category").is_not_null()).then("__events"), none).cast(pl.Int64)
            found[name] = joined.with_columns(own.alias("n_events"), last).drop("__events")
        every = int(days.filter(pl.col("variable").is_null())["n_persons"].sum())
        found["population"] = found["population"].with_columns(pl.lit(every, dtype=pl.Int64).alias("n_events"), last)
        return found

    def of_what(self) -> str:
        """Return what the hazard is of."""
        name = self.settings.get("event_name")
        return (f" of {outcome(name)}" if name else "") + after_landmark(self.settings)


def robust_covariance(of: PartialLikelihood, at: At, naive: Array, cluster: pl.Series | None) -> Array:
    """Return the sandwich covariance: scores summed over people, or over the clusters that they are in."""
    scores = of.residuals(at) * of.sampling[:, None]
    if cluster is None:
        meat = scores.T @ (scores * of.people[:, None])
    else:
        codes = cluster.rank("dense").to_numpy().astype(np.int64) - 1
        size = int(codes.max()) + 1
        summed = np.column_stack([summed_by(codes, column * of.people, size) for column in scores.T])
        meat = summed.T @ summed
    return np.asarray(naive @ meat @ naive)


def modelled(
    own: ModelRows,
    of: PartialLikelihood,
    at: At,
    fit: Fit,
    *,
    robust: bool,
    cluster: str | None,
    cause: int,
    person: str | None = None,
) -> dict[str, pl.DataFrame]:
    """Return the tables of a fitted model: its effects with their counts, its tests, and its baseline hazard."""
    scale, centre = own.covariates.scale, own.covariates.centre
    covariance = fit.covariance
    if robust:
        codes = None
        if cluster:
            held = own.rows[cluster]
            codes = held.to_physical() if isinstance(held.dtype, (pl.Categorical, pl.Enum)) else held
        covariance = robust_covariance(of, at, fit.covariance, codes)
    wald = float(fit.estimate @ np.linalg.solve(covariance, fit.estimate))
    estimate, spread = fit.estimate / scale, covariance / np.outer(scale, scale)
    p = len(estimate)
    happened = pl.col("kind") == cause
    counts: dict[str, Any] = counts_by_level(
        own.rows, own.covariates.columns, pattern=own.pattern, events=pl.when(happened).then("n_persons").otherwise(0),
        cluster=cluster, by_day=True, person=person,
    )  # fmt: skip
    tables = effects_table(own.covariates.columns, estimate, spread, {**counts, "centre": centre, "scale": scale})
    ratio = 2 * (fit.log_likelihood - fit.log_likelihood_null)
    tests = [("likelihood ratio", ratio, p), ("Wald", wald, p), ("score", fit.score_statistic, p)]
    strata = own.strata_levels[own.sets.stratum].select(own.strata)
    # of people at the means of the covariates; variances and means as survfit needs them
    means = of.hazard_of_means(at) * scale + centre * at.a[:, None]
    hazard = pl.DataFrame(
        {
            "time": own.sets.times,
            "hazard": at.a,
            "variance": at.c0,
            "means": pl.Series(means.tolist(), dtype=pl.List(pl.Float64)),
        },
        schema=_HAZARD,
    )
    return {**tables, "tests": tests_table(tests), "hazard": pl.concat([strata, hazard], how="horizontal")}


def cox_regression(
    frame: Any,
    *,
    time: str,
    event: str,
    covariates: str | Sequence[str],
    entry: str | None = None,
    person: str | None = None,
    cluster: str | None = None,
    strata: str | Sequence[str] = (),
    weights: str | None = None,
    sampling_weights: str | None = None,
    ties: str = "efron",
    cause: int | None = None,
    reference: Mapping[str, Any] | None = None,
    confidence: float = 0.95,
    time_unit: str | None = None,
    event_name: str | None = None,
    grid: Sequence[float] | None = None,
) -> CoxRegression:
    """Fit Cox's proportional hazards model.

    Parameters
    ----------
    frame : frame
        One row per person (or per interval of follow-up of a person, with `entry`
        and `person`: covariates may change from one to the next), or per group of equal people with `weights`.
    time, event : str
        Column with the time at which follow-up ends, and whether the event
        ended it (1 or True) or not (0 or False); with `cause`, 0, 1, 2, ...
    covariates : str or sequence of str
        Numbers, yes and no, or text; text becomes an indicator for every level
        but the reference.
    entry : str, optional
        Column with the time from which each row was observed.
    person : str, optional
        Column that says whose row each is, where a person has several. People are then
        counted once, and the variance is robust to dependence within them.
    cluster : str, optional
        Column of a practice's, pair's or, of people with several index dates, person's id: the variance
        is then robust to dependence within clusters. By default those of `person`.
    strata : str or sequence of str
        Columns whose groups have a baseline hazard of their own.
    weights : str, optional
        Integer numbers of people a row stands for: as if it were repeated.
    sampling_weights : str, optional
        Weights of a survey or of matching, with robust variance.
    ties : {"efron", "breslow"}
        How events on one day are approximated.
    cause : int, optional
        Of several causes the one that is modelled, the others censored: the
        cause-specific hazard.
    reference : mapping of str to level, optional
        Reference levels of text; by default the level most people have.
    confidence : float, default 0.95
        Of the intervals.
    time_unit, event_name : str, optional
        Unit of time, such as "days", and the event in words.
    grid : sequence of float, optional
        Times to the last of which the released events are counted, as in `kaplan_meier`.

    Returns
    -------
    CoxRegression
        One row per covariate, or level of text: `covariate`, `estimate` (log hazard
        ratio), `hazard_ratio` with its limits `lower` and `upper`, `p_value` (Wald), `standard_error`,
        `n_persons` and `n_events` (of the level; of a number all), `smallest_cell` (of
        those and the reference's) and `degrees_of_freedom` (events less coefficients).
        `.overall` has the likelihood ratio, Wald and score tests.

    Raises
    ------
    ArgumentError
        On missing columns or values, no events, collinear covariates, rows of one person that overlap, or a likelihood
        without a maximum (separation); with counts of rows.

    Notes
    -----
    Rows are collapsed to the distinct patterns of entry, time, event, covariates,
    strata and cluster first, so days and age bands make a large population small.
    A covariate that changes (on a programme, admitted before) is one row for each stretch in which it is constant: entered
    as if it had been known from the start, it would count time before the change as time after it. `n_persons` of a level
    are the people who ever are at it, so that levels do not add up.
    With `weights` ties are those of repeated rows; R's `weights=` are `sampling_weights` here.

    Disclosure: coefficients are rounded to a step of at least the rounding base over their smallest
    cell and to two figures, standard errors upwards, so that the released interval holds the
    exact one; both are suppressed where the smallest cell is small, or under ten degrees of
    freedom. Events are counted to the last time of the grid. No baseline hazard is released.

    References
    ----------
    Cox, D. R. (1972). Regression models and life-tables. Journal of the Royal
    Statistical Society B 34, 187-220.
    Efron, B. (1977). The efficiency of Cox's likelihood function for censored data.
    Journal of the American Statistical Association 72, 557-565.
    Lin, D. Y. and Wei, L. J. (1989). The robust inference for the Cox proportional
    hazards model. Journal of the American Statistical Association 84, 1074-1078.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 3, 4, 5, 6], "event": [1, 1, 1, 1, 0, 1], "older": [1, 0, 1, 0, 0, 1]})
    >>> model = sr.survival.cox_regression(people, time="time", event="event", covariates="older")
    >>> round(model.estimates["hazard_ratio"].item(), 2)
    1.32
    """
    require_one_of(ties, TIES, argument="ties")
    normal_quantile(confidence)
    cluster = cluster or person
    own, names, strata, causes = model_rows(
        frame, time=time, event=event, covariates=covariates, entry=entry, cluster=cluster, strata=strata, weights=weights,
        sampling_weights=sampling_weights, cause=cause, reference=reference, person=person,
    )  # fmt: skip
    of = own.likelihood(ties)
    fit, at = fitted(of, own.covariates.names)
    robust = cluster is not None or sampling_weights is not None
    tables = modelled(own, of, at, fit, robust=robust, cluster=cluster, cause=cause or 1, person=person)
    unit = time_unit or provenance_of(frame).population.get("time_unit")
    settings = {
        "method": f"Cox proportional hazards, {capital(ties)} ties"
        + (", robust variance" if robust else "")
        + (f", cause-specific hazard of cause {cause}" if cause else ""),
        "reference": "Cox 1972; Efron 1977" if ties == "efron" else "Cox 1972; Breslow 1974",
        "time": time, "event": event, "entry": entry, "covariates": list(names), "person": person, "cluster": cluster, "strata": list(strata),
        "weights": weights, "sampling_weights": sampling_weights, "ties": ties, "robust": robust, "cause": cause,
        "confidence": confidence, "time_unit": unit, "event_name": event_name or provenance_of(frame).population.get("event"),
        "grid": checked_grid(grid, unit), **({"causes": causes} if cause else {}), **provenance_of(frame).as_settings(),
    }  # fmt: skip
    return CoxRegression(tables, settings)
