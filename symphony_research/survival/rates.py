"""Rates of events with exposure: Poisson and negative binomial regression on collapsed rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import provenance_of
from symphony_research.collapse.frames import as_lazy
from symphony_research.collapse.tidy import MOST_PEOPLE, Collapsed
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import normal_quantile
from symphony_research.result.cells import CellDefinition, Relation, unrelated
from symphony_research.result.roles import Internal, TableRoles
from symphony_research.survival.count_models import fitted_negative_binomial, fitted_poisson
from symphony_research.survival.design import covariate_names, refuse_gaps, with_covariates
from symphony_research.survival.distinct import patterns_of
from symphony_research.survival.effect_tables import counts_by_level, effects_table, tests_table
from symphony_research.survival.effects import _Effects
from symphony_research.survival.model_rows import RESERVED
from symphony_research.survival.released_effects import Tables
from symphony_research.survival.risk_sets import summed_by
from symphony_research.words.lexicon import in_words

__all__ = ["FAMILIES", "RateRegression", "rate_regression"]

FAMILIES = ("poisson", "negative_binomial")


class RateRegression(_Effects):
    """Rate ratios, each with the people and events behind it."""

    figure: ClassVar[str | None] = "symphony_research.show.forest:plot_effects"
    title: ClassVar[str] = "Rate ratios"
    ratio: ClassVar[str] = "rate_ratio"
    ratio_words: ClassVar[str] = "rate ratio"
    shown: ClassVar[tuple[str, ...]] = ("covariate", "n_persons", "n_events", "rate_ratio", "lower", "upper", "p_value")
    own_tables: ClassVar[Mapping[str, TableRoles]] = MappingProxyType(
        {"dispersion": TableRoles({"theta": Internal(), "standard_error": Internal()})}
    )

    @classmethod
    def cell(cls, row: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
        """Return whom a count is of; events are no people, of whom one may have several."""
        if column == "n_persons":
            return super().cell(row, column, settings)
        where = f"{row['variable']} {row.get('category')}" if row.get("category") is not None else "all"
        return unrelated(f"number of {settings['event']}: {where}")

    @classmethod
    def relations(cls, tables: Tables, settings: Mapping[str, Any]) -> Iterable[Relation]:
        """Yield that levels make up all people, and all events."""
        return cls.partitions(tables, settings)

    @property
    def dispersion(self) -> pl.DataFrame:
        """Of a negative binomial model theta, the variance being m + m^2 / theta, with its standard error; not released."""
        self._refuse_undisclosed("The dispersion of")
        return self.count_tables.get(
            "dispersion", pl.DataFrame(schema={"theta": pl.Float64, "standard_error": pl.Float64})
        )

    def of_what(self) -> str:
        """Return what the rate is of."""
        return f" of {in_words(self.settings.get('event_name') or self.settings['event'])}"


def rate_regression(
    frame: Any,
    *,
    events: str,
    person_years: str,
    covariates: str | Sequence[str],
    weights: str | None = None,
    family: str = "poisson",
    reference: Mapping[str, Any] | None = None,
    confidence: float = 0.95,
    event_name: str | None = None,
) -> RateRegression:
    """Fit a model of the rate of events for each person-year.

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    events : str
        Column with the number of events of a person, 0, 1, 2, ...
    person_years : str
        Column with the time each person was observed, above 0.
    covariates : str or sequence of str
        Numbers, yes and no, or text.
    weights : str, optional
        Integer numbers of people a row stands for.
    family : {"poisson", "negative_binomial"}
        Whether the variance is the mean m, or m + m^2 / theta with theta estimated.
    reference : mapping of str to level, optional
        Reference levels of text; by default the level most people have.
    confidence : float, default 0.95
        Of the intervals.
    event_name : str, optional
        The events in words.

    Returns
    -------
    RateRegression
        One row per covariate, or level of text: `covariate`, `estimate` (log rate ratio), `rate_ratio`
        with `lower`, `upper`, `p_value` (Wald), `standard_error`, `n_persons`, `n_events`,
        `smallest_cell`, `degrees_of_freedom` (events less coefficients). `.dispersion` holds theta.

    Raises
    ------
    ArgumentError
        On missing columns or values, no events, collinear covariates, a level without events, or counts that vary
        no more than Poisson's in a negative binomial model; with counts of rows.

    Notes
    -----
    Poisson's likelihood needs the events and person-years of each pattern of covariates alone; the negative
    binomial's each distinct number of events and time too. Standard errors are those of `glm` and `MASS::glm.nb` of R:
    with theta as estimated. Disclosure is as in `cox_regression`.

    References
    ----------
    McCullagh, P. and Nelder, J. A. (1989). Generalized Linear Models, second edition. Chapman and Hall.
    Venables, W. N. and Ripley, B. D. (2002). Modern Applied Statistics with S, fourth edition, chapter 7. Springer.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"admissions": [0, 2, 1, 3], "years": [1.0, 1.0, 0.5, 1.5], "older": [0, 0, 1, 1]})
    >>> model = sr.survival.rate_regression(people, events="admissions", person_years="years", covariates="older")
    >>> round(model.estimates["rate_ratio"].item(), 6)  # (4 / 2) over (2 / 2)
    2.0
    """
    require_one_of(family, FAMILIES, argument="family")
    normal_quantile(confidence)
    others = [n for n in (events, person_years, weights) if n is not None]
    names = covariate_names(frame, covariates, (*RESERVED, "rate_ratio"), others)
    if weights is None and isinstance(frame, Collapsed) and "n_persons" in frame.columns:
        raise ArgumentError(
            "This table is collapsed: each row stands for the people in its column n_persons. Pass weights='n_persons'."
        )
    rows = _collapsed(frame, events, person_years, names, weights, family)
    n, count, years = (rows[c].cast(pl.Float64).to_numpy() for c in ("n_persons", "__events", "__years"))
    if not (n * count).sum() > 0:
        raise ArgumentError(f"Nobody has an event: 0 of {int(n.sum()):,} people, so there is nothing to model.")
    pattern, patterns = patterns_of(rows, names)
    people = summed_by(pattern, n, patterns.height)
    design = with_covariates(patterns.with_columns(pl.Series("n_persons", people)), names, reference, people)
    if family == "poisson":
        fit = fitted_poisson(design.matrix[pattern], n * count, n * years, design.names)
    else:
        fit = fitted_negative_binomial(design.matrix[pattern], count, years, n, design.names)
    counted: dict[str, Any] = counts_by_level(
        rows,
        design.columns,
        pattern=pattern,
        events=pl.col("n_persons") * pl.col("__events"),
        cluster=None,
        by_day=False,
    )
    estimate, covariance = fit.estimate / design.scale, fit.covariance / np.outer(design.scale, design.scale)
    tables = effects_table(
        design.columns, estimate, covariance, {**counted, "centre": design.centre, "scale": design.scale}
    )
    p = len(estimate)
    wald = float(fit.estimate @ np.linalg.solve(fit.covariance, fit.estimate))
    tests = [("likelihood ratio", 2 * (fit.log_likelihood - fit.log_likelihood_null), p), ("Wald", wald, p)]
    tables["tests"] = tests_table(tests)
    if fit.theta is not None:
        tables["dispersion"] = pl.DataFrame({"theta": [fit.theta], "standard_error": [fit.theta_error]})
    settings = {
        "method": f"{family.replace('_', ' ')} regression of rates, log link, person-years as exposure",
        "reference": "McCullagh and Nelder 1989", "event": events, "person_years": person_years, "covariates": list(names),
        "weights": weights, "family": family, "confidence": confidence, "event_name": event_name, **provenance_of(frame).as_settings(),
    }  # fmt: skip
    return RateRegression(tables, settings)


def _collapsed(
    frame: Any, events: str, person_years: str, names: tuple[str, ...], weights: str | None, family: str
) -> pl.DataFrame:
    """Collapse people to patterns: of Poisson a row's mean events and years, else every distinct number and time."""
    people = as_lazy(frame, columns=[n for n in (events, person_years, weights, *names) if n is not None])
    schema = people.collect_schema()
    for name in (events, person_years, weights):
        if name is not None and not schema[name].is_numeric():
            raise ArgumentError(f"Column '{name}' is {schema[name]}; a number is needed.")
    refuse_gaps(people, [*names, events, person_years, *([weights] if weights else [])], numbers=names)
    y, t = pl.col(events).cast(pl.Float64), pl.col(person_years).cast(pl.Float64)
    w = pl.col(weights).cast(pl.Float64) if weights else pl.lit(1.0)
    faults = {
        f"a number in column '{events}' that is not 0, 1, 2, ...": (y < 0) | (y != y.floor()) | (y > MOST_PEOPLE),
        f"no time above 0 in column '{person_years}'": t <= 0,
        f"a weight in column '{weights}' that is not an integer number of people": (w < 0)
        | (w != w.floor())
        | (w > MOST_PEOPLE),
    }
    n_faults = people.select([fault.sum().alias(str(k)) for k, fault in enumerate(faults.values())]).collect(
        engine="streaming"
    )
    found = [f"{n_faults[str(k)][0]:,} rows have {what}" for k, what in enumerate(faults) if n_faults[str(k)][0]]
    if found:
        raise ArgumentError("; ".join(found) + ".")
    own = people.select(*names, y.alias("__y"), t.alias("__t"), w.cast(pl.Int64).alias("__w"))
    if family == "poisson":
        sums = [(pl.col(c) * pl.col("__w")).sum().alias(to) for c, to in (("__y", "__events"), ("__t", "__years"))]
        rows = own.group_by(names, maintain_order=True).agg(pl.col("__w").sum().alias("n_persons"), *sums).collect()
        rows = rows.filter(pl.col("n_persons") > 0)
        return rows.with_columns(pl.col("__events", "__years") / pl.col("n_persons"))
    rows = (
        own.group_by([*names, "__y", "__t"], maintain_order=True).agg(pl.col("__w").sum().alias("n_persons")).collect()
    )
    return rows.filter(pl.col("n_persons") > 0).rename({"__y": "__events", "__t": "__years"})
