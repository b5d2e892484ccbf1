"""Parametric survival: how much longer or shorter the time to an event is, under the distribution that fits best."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import provenance_of
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import Array, normal_quantile
from symphony_research.result.roles import Internal, Key, Known, TableRoles
from symphony_research.survival.cox import CoxRegression
from symphony_research.survival.effect_tables import counts_by_level, effects_table, tests_table
from symphony_research.survival.grid import checked_grid
from symphony_research.survival.location_scale import LocationScale, fitted_location_scale
from symphony_research.survival.model_rows import ModelRows, model_rows

__all__ = ["DISTRIBUTIONS", "ParametricSurvival", "parametric_survival"]

DISTRIBUTIONS = ("weibull", "log_normal", "log_logistic", "generalised_gamma")
_PARAMETERS = {"generalised_gamma": 3}  # beside the coefficients; the others have an intercept and a scale


class ParametricSurvival(CoxRegression):
    """Time ratios of an accelerated failure time model: above 1, the event comes later."""

    title: ClassVar[str] = "Time ratios (accelerated failure time)"
    ratio: ClassVar[str] = "time_ratio"
    ratio_words: ClassVar[str] = "time ratio"
    own_settings: ClassVar[frozenset[str]] = CoxRegression.own_settings | {"distributions"}
    shown: ClassVar[tuple[str, ...]] = ("covariate", "n_persons", "n_events", "time_ratio", "lower", "upper", "p_value")
    own_tables: ClassVar[Mapping[str, TableRoles]] = MappingProxyType(
        {
            "distributions": TableRoles(
                {"distribution": Key(), "parameters": Known(), **dict.fromkeys(("log_likelihood", "aic", "intercept", "scale", "shape"), Internal())}
            )
        }
    )  # fmt: skip

    @property
    def comparison(self) -> pl.DataFrame:
        """One row per distribution, the best first: AIC and parameters; not released, since likelihoods tell of single people."""
        self._refuse_undisclosed("The comparison of")
        schema = dict.fromkeys(("log_likelihood", "aic", "intercept", "scale", "shape"), pl.Float64)
        empty = pl.DataFrame(schema={"distribution": pl.String, "parameters": pl.Int64, **schema})
        return self.count_tables.get("distributions", empty)


def parametric_survival(
    frame: Any,
    *,
    time: str,
    event: str,
    covariates: str | Sequence[str],
    entry: str | None = None,
    weights: str | None = None,
    distributions: str | Sequence[str] = DISTRIBUTIONS,
    reference: Mapping[str, Any] | None = None,
    confidence: float = 0.95,
    time_unit: str | None = None,
    event_name: str | None = None,
    grid: Sequence[float] | None = None,
) -> ParametricSurvival:
    """Fit accelerated failure time models, and return that with the smallest AIC.

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    time, event : str
        Column with the time at which follow-up ends, above 0, and whether the event ended it.
    covariates : str or sequence of str
        Numbers, yes and no, or text.
    entry : str, optional
        Column with the time from which each person was observed.
    weights : str, optional
        Integer numbers of people a row stands for.
    distributions : sequence of {"weibull", "log_normal", "log_logistic", "generalised_gamma"}
        Of time; by default all are compared.
    reference : mapping of str to level, optional
        Reference levels of text; by default the level most people have.
    confidence : float, default 0.95
        Of the intervals.
    time_unit, event_name : str, optional
        Unit of time, such as "days", and the event in words.
    grid : sequence of float, optional
        As in `cox_regression`.

    Returns
    -------
    ParametricSurvival
        As `CoxRegression`, with `estimate` the log time ratio and `time_ratio` instead: how many times
        as long the time to the event is. `.comparison` has each distribution's AIC and parameters.

    Raises
    ------
    ArgumentError
        As `cox_regression`, and if a time is not above 0.

    Notes
    -----
    Whoever enters late is given that they were free of the event until then: the likelihood is divided by their survival to
    their entry.
    Weibull, log-normal and log-logistic models are those of `survreg` of R, to its last digits, by Newton's method.
    The generalised gamma is fitted by lifelines, started from the log-normal, to four to six figures.

    References
    ----------
    Kalbfleisch, J. D. and Prentice, R. L. (2002). The Statistical Analysis of Failure Time Data, second
    edition, chapter 3. Wiley.
    Davidson-Pilon, C. (2019). lifelines: survival analysis in Python. Journal of Open Source Software 4, 1317.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 3, 4, 5, 6], "event": [1, 1, 1, 1, 0, 1], "older": [1, 0, 1, 0, 0, 1]})
    >>> model = sr.survival.parametric_survival(
    ...     people, time="time", event="event", covariates="older", distributions=["weibull", "log_normal"]
    ... )
    >>> model.comparison["distribution"].to_list()
    ['log_normal', 'weibull']
    """
    wanted = [distributions] if isinstance(distributions, str) else list(dict.fromkeys(distributions))
    for name in wanted:
        require_one_of(name, DISTRIBUTIONS, argument="distributions")
    if not wanted:
        raise ArgumentError(f"distributions is empty. Choose from: {', '.join(DISTRIBUTIONS)}.")
    normal_quantile(confidence)
    own, names, _, _ = model_rows(
        frame, time=time, event=event, covariates=covariates, entry=entry, cluster=None, strata=(), weights=weights,
        sampling_weights=None, cause=None, reference=reference,
    )  # fmt: skip
    times = own.rows["time"].to_numpy()
    if (times <= 0).any():
        raise ArgumentError(
            f"{int(own.people[times <= 0].sum()):,} rows have no time above 0 in column '{time}', and no logarithm."
        )
    design = own.covariates.matrix[own.pattern]
    fits = {name: _fitted(name, design, times, own) for name in wanted}
    p = design.shape[1]
    parameters = {name: p + _PARAMETERS.get(name, 2) for name in wanted}
    order = sorted(wanted, key=lambda name: 2 * parameters[name] - 2 * fits[name].log_likelihood)
    best = fits[order[0]]
    scale = own.covariates.scale
    happened = pl.col("kind") == 1
    counted: dict[str, Any] = counts_by_level(
        own.rows, own.covariates.columns, pattern=own.pattern, events=pl.when(happened).then("n_persons").otherwise(0),
        cluster=None, by_day=True,
    )  # fmt: skip
    counts = {**counted, "centre": own.covariates.centre, "scale": scale}
    tables = effects_table(
        own.covariates.columns, best.estimate / scale, best.covariance / np.outer(scale, scale), counts
    )
    null = _fitted(order[0], design[:, :0], times, own)
    wald = float(best.estimate @ np.linalg.solve(best.covariance, best.estimate))
    tables["tests"] = tests_table(
        [("likelihood ratio", 2 * (best.log_likelihood - null.log_likelihood), p), ("Wald", wald, p)]
    )
    tables["distributions"] = pl.DataFrame(
        [
            (n, parameters[n], fits[n].log_likelihood, 2 * parameters[n] - 2 * fits[n].log_likelihood,
             fits[n].intercept - float((own.covariates.centre / scale) @ fits[n].estimate), fits[n].scale, fits[n].shape)
            for n in order
        ],
        schema={
            "distribution": pl.String, "parameters": pl.Int64,
            **dict.fromkeys(("log_likelihood", "aic", "intercept", "scale", "shape"), pl.Float64),
        },
        orient="row",
    )  # fmt: skip
    unit = time_unit or provenance_of(frame).population.get("time_unit")
    settings = {
        "method": "accelerated failure time, the distribution with the smallest AIC" if len(wanted) > 1 else f"accelerated failure time, {wanted[0].replace('_', '-')}",
        "reference": "Kalbfleisch and Prentice 2002", "time": time, "event": event, "entry": entry, "covariates": list(names),
        "weights": weights, "distributions": wanted, "confidence": confidence, "time_unit": unit,
        "event_name": event_name or provenance_of(frame).population.get("event"), "grid": checked_grid(grid, unit),
        **provenance_of(frame).as_settings(),
    }  # fmt: skip
    return ParametricSurvival(tables, settings)


def _fitted(distribution: str, design: Array, times: Array, own: ModelRows) -> LocationScale:
    event, people = own.sets.event.astype(float), own.people
    entry = own.rows["entry"].to_numpy() if "entry" in own.rows.columns else np.zeros(len(times))
    if distribution == "generalised_gamma":
        return _generalised_gamma(design, times, event, people, entry)
    return _located(distribution, design, times, event, people, entry)


def _located(
    distribution: str, design: Array, times: Array, event: Array, people: Array, entry: Array
) -> LocationScale:
    """Return a fit in which whoever enters late is taken off again as censored at their entry."""
    late = entry > 0
    return fitted_location_scale(
        distribution, np.vstack([design, design[late]]), np.concatenate([times, entry[late]]),
        np.concatenate([event, np.zeros(int(late.sum()))]), np.concatenate([people, -people[late]]),
    )  # fmt: skip


def _generalised_gamma(design: Array, times: Array, event: Array, people: Array, entry: Array) -> LocationScale:
    """Return the generalised gamma's fit by lifelines, from the log-normal, which it holds, on times of unit scale."""
    import pandas as pd
    from lifelines import GeneralizedGammaRegressionFitter
    from lifelines.exceptions import ConvergenceError

    near = _located("log_normal", design, times, event, people, entry)
    names = [f"x{k}" for k in range(design.shape[1])]
    frame = pd.DataFrame(design, columns=names)
    # log times less what the log-normal explains on average, in its own scale, are of unit size
    frame["time"], frame["event"], frame["people"] = times / np.exp(near.intercept), event, people
    late: dict[str, Any] = {}
    if (entry > 0).any():
        frame["entry"], late = np.maximum(entry, 0.0) / np.exp(near.intercept), {"entry_col": "entry"}
    fitter = GeneralizedGammaRegressionFitter()
    terms = " + ".join(["1", *names])
    start = {"mu_": np.append(0.0, near.estimate), "sigma_": np.array([np.log(near.scale)]), "lambda_": np.array([0.1])}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fitter.fit(
                frame, "time", "event", weights_col="people", regressors={"mu_": terms, "sigma_": "1", "lambda_": "1"},
                initial_point=start, **late,
            )  # fmt: skip
        except ConvergenceError:
            raise ArgumentError(
                "The generalised gamma did not converge. Leave it out: distributions=['weibull', 'log_normal', 'log_logistic']."
            ) from None
    at = [("mu_", name) for name in names]
    found, spread = fitter.params_, fitter.variance_matrix_
    moved = float(people @ event) * near.intercept  # the density of times, not of times in another unit
    return LocationScale(
        found.loc[at].to_numpy() if names else np.zeros(0), spread.loc[at, at].to_numpy() if names else np.zeros((0, 0)),
        float(found[("mu_", "Intercept")]) + near.intercept, float(np.exp(found[("sigma_", "Intercept")])),
        float(fitter.log_likelihood_) - moved, float(found[("lambda_", "Intercept")]),
    )  # fmt: skip
