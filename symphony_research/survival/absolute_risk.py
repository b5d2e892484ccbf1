"""Absolute risk of somebody with given covariates by a time, from a Cox or Fine-Gray model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.inference import Array, normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.cells import CellDefinition, Covered, Nested, Relation
from symphony_research.result.roles import Count, Internal, Key, ModelEstimate, TableRoles
from symphony_research.survival.cox import CoxRegression
from symphony_research.survival.fine_gray import FineGrayRegression
from symphony_research.survival.grid import AT_RISK, event_state, grid_of, require_grid_time
from symphony_research.survival.grid_cells import followed, people_in
from symphony_research.survival.released_effects import FEWEST_FREE, Tables, nice_step, smallest_cells
from symphony_research.words.lexicon import NOT_ESTIMABLE, SUPPRESSED, capital, happened, in_words
from symphony_research.words.numbers import number
from symphony_research.words.phrases import confidence_of, share_with_interval

__all__ = ["AbsoluteRisk", "absolute_risk"]


def _counted(row: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return whom a count of a row is of: everybody at risk, or those with the event by the time, as curves count them."""
    return (
        people_in(settings, row["time"], event_state(settings.get("cause") or 1))
        if column == "n_events"
        else followed(settings)
    )


class AbsoluteRisk(Result):
    """Risk of one profile of covariates by time, with its interval."""

    figure: ClassVar[str | None] = None
    title: ClassVar[str] = "Absolute risk"
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {"covariates", "strata", "ties", "cause", "profile", "times", "grid"}
    )
    shown: ClassVar[tuple[str, ...]] = ("time", "n_persons", "n_events", "estimate", "lower", "upper")
    percentages: ClassVar[tuple[str, ...]] = ("estimate", "lower", "upper")
    column_words: ClassVar[Mapping[str, str]] = {
        "estimate": "Risk",
        "n_events": "Events so far",
        "n_persons": "People in the model",
    }

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the roles: risks are model estimates beside the people and events by their time."""
        columns = {
            "time": Key(), "n_persons": Count(), "n_events": Count(), "estimate": ModelEstimate(), "standard_error": Internal(),
            "low": ModelEstimate(), "high": ModelEstimate(), "smallest_cell": Internal(),
        }  # fmt: skip
        return {"risk": TableRoles(columns, _counted)}

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> list[Relation]:
        """Return that whoever had the event by a time is among the people, and had it by a later one.

        A curve of the same people ends with the last time at which anybody is at risk, and a risk may be asked for
        after it: who has the event by then and had not when the curve ended was at risk then.
        """
        asked = tables["risk"]["time"].to_list()
        grid = grid_of(settings.get("time_unit"), max(asked), settings.get("grid"))[1:]
        times = sorted({*grid, *asked})
        had = [people_in(settings, time, event_state(settings.get("cause") or 1)) for time in times]
        found: list[Relation] = [Nested(had[-1], followed(settings)), *(Nested(a, b) for a, b in pairwise(had))]
        still = [people_in(settings, time, AT_RISK) for time in times]
        return found + [
            Covered(b, (had[k], still[k])) for j, b in enumerate(had) if times[j] in asked for k in range(j)
        ]

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """The risks as they are."""
        return tables["risk"].drop("smallest_cell").rename({"low": "lower", "high": "upper"})

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return risks at times of the grid, as exact as the rounded events behind them, their limits outwards."""
        if policy.changes_nothing or "released" in settings:
            return tables
        for time in settings["times"]:
            require_grid_time(time, settings.get("time_unit"), settings.get("grid"), what="time")
        frame = tables["risk"]
        cell = frame.select(pl.min_horizontal("n_events", "smallest_cell")).to_series().cast(pl.Float64).to_numpy()
        estimate, lower, upper = (frame[c].to_numpy() for c in ("estimate", "low", "high"))
        with np.errstate(divide="ignore", invalid="ignore"):
            step = nice_step(np.maximum(estimate, 1e-12) * policy.rounding / np.maximum(cell, 1))
            step = np.maximum(step, 10.0 ** (np.floor(np.log10(np.maximum(upper, 1e-12))) - 1))
            drawn = {
                "estimate": np.round(estimate / step) * step,
                "low": np.maximum(np.floor(lower / step + 1e-9) * step, 0.0),
                "high": np.minimum(np.ceil(upper / step - 1e-9) * step, 1.0),
            }
        few = cell <= policy.threshold
        return {
            "risk": frame.with_columns(
                [pl.Series(name, np.where(few, np.nan, values)).fill_nan(None) for name, values in drawn.items()]
            )
        }

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is not released."""
        return NOT_ESTIMABLE if self.disclosure is None or self.disclosure.policy.changes_nothing else SUPPRESSED

    def sentence(self) -> str:
        """Return the risk at the last time."""
        frame = self.estimates.filter(pl.col("estimate").is_not_null())
        whom = ", ".join(
            f"{in_words(name)} {in_words(value) if isinstance(value, str) else value}"
            for name, value in self.settings["profile"].items()
        )
        if not frame.height:
            return f"Too few people or events stand behind the risk of somebody with {whom} to show it."
        row = frame.row(-1, named=True)
        share = share_with_interval(row["estimate"], row["lower"], row["upper"], label=confidence_of(self.settings))
        unit = self.settings.get("time_unit") or ""
        by = f"{number(row['time'])} {unit}".strip() if unit else f"time {number(row['time'])}"
        return f"{capital(f'within {by}' if unit else f'by {by}')}, {share} of people with {whom} {happened(self.settings.get('event_name'))}."


def absolute_risk(
    model: CoxRegression, profile: Mapping[str, Any], times: float | Sequence[float], *, confidence: float | None = None
) -> AbsoluteRisk:
    """Compute the risk of somebody with given covariates by given times.

    Parameters
    ----------
    model : CoxRegression or FineGrayRegression
        Not disclosed: its baseline hazard is never released.
    profile : mapping of str to value
        A value of every covariate, and of every column of strata.
    times : float or sequence of float
        In the model's unit; to be released, times of the grid.
    confidence : float, optional
        Of the intervals; by default the model's.

    Returns
    -------
    AbsoluteRisk
        One row per time: `time`, `n_persons` and `n_events` (of the model, by then), `estimate` (risk, a
        share), `lower`, `upper`, `standard_error`.

    Raises
    ------
    ArgumentError
        If the profile lacks a covariate or has no such level, a time is not finite, or the model is of one of
        several causes whose hazard alone gives no risk.
    DisclosureError
        If the model has been disclosed.

    Notes
    -----
    Survival is exp(-H exp(x'b)) with the baseline hazard H of Breslow's or Efron's ties; its interval is on the
    log scale, with the delta method's variance of `survfit(coxph)` of R. With a robust variance the
    coefficients' part is robust. The limits are those of the survival, turned round.

    References
    ----------
    Tsiatis, A. A. (1981). A large sample study of Cox's regression model. Annals of Statistics 9, 93-108.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 3, 4, 5, 6], "event": [1, 1, 1, 1, 0, 1], "older": [1, 0, 1, 0, 0, 1]})
    >>> model = sr.survival.cox_regression(people, time="time", event="event", covariates="older")
    >>> risk = sr.survival.absolute_risk(model, {"older": 1}, [2, 4])
    >>> [round(share, 2) for share in risk.estimates["estimate"]]
    [0.34, 0.67]
    """
    if not isinstance(model, CoxRegression):
        raise ArgumentError("A model is needed: the result of cox_regression or fine_gray.")
    if model.disclosure is not None and not model.disclosure.policy.changes_nothing:
        raise DisclosureError(
            "The baseline hazard of a disclosed model is not released: compute risks first, and disclose them with it."
        )
    settings = model.settings
    if settings["cause"] and not isinstance(model, FineGrayRegression) and len(settings["causes"]) > 1:
        raise ArgumentError("The hazard of one cause among several gives no risk by itself: use fine_gray.")
    wanted = np.sort(np.asarray([times] if isinstance(times, int | float) else list(times), dtype=float))
    if not len(wanted) or not np.isfinite(wanted).all():
        raise ArgumentError(
            f"{int((~np.isfinite(wanted)).sum())} of {len(wanted)} times are no finite number; at least one is needed."
        )
    level = settings["confidence"] if confidence is None else confidence
    z = normal_quantile(level)
    tables = model.count_tables
    frame = tables["coefficients"]
    x = _values(frame, profile, settings)
    estimate = frame["estimate"].to_numpy()
    covariance, centre = np.array(frame["covariance"].to_list()), frame["centre"].to_numpy()
    hazard = _of_stratum(tables["hazard"], profile, settings["strata"])
    steps, moments = hazard["hazard"].to_numpy(), hazard["time"].to_numpy()
    means = np.array(hazard["means"].to_list()).reshape(len(moments), len(x))
    ratio = float(np.exp((x - centre) @ estimate))
    zero = np.zeros((1, len(x)))
    until = np.searchsorted(moments, wanted, side="right")
    cumulative = np.append(0.0, np.cumsum(steps))[until] * ratio
    apart = np.concatenate([zero, np.cumsum(means - x * steps[:, None], axis=0)])[until]
    spread = np.append(0.0, np.cumsum(hazard["variance"].to_numpy()))[until] + np.einsum(
        "ti,ij,tj->t", apart, covariance, apart
    )
    error: Array = ratio * np.sqrt(spread)
    events = tables["by_day"].filter(pl.col("variable").is_null())
    happened_by = [int(events.filter(pl.col("time") <= t)["n_persons"].sum()) for t in wanted]
    cells = smallest_cells(tables)
    free = int(tables["population"]["n_events"][0]) - frame.height
    clusters = frame["n_clusters"].to_numpy()
    off = frame["n_off_mode"].to_numpy()
    least = int(np.concatenate([cells, off, clusters[clusters >= 0]]).min())
    table = pl.DataFrame(
        {
            "time": wanted,
            "n_persons": [int(tables["population"]["n_persons"][0])] * len(wanted),
            "n_events": happened_by,
            "estimate": -np.expm1(-cumulative),
            "standard_error": np.exp(-cumulative) * error,
            "low": -np.expm1(np.minimum(-cumulative + z * error, 0.0)),
            "high": -np.expm1(-cumulative - z * error),
            "smallest_cell": [0 if free < FEWEST_FREE else least] * len(wanted),
        }
    )
    kept = (
        "reference", "time", "event", "entry", "weights", "covariates", "strata", "ties", "cause", "causes", "time_unit", "event_name",
        "grid", "study", "fingerprint", "generated", "population", "note", "period",
    )  # fmt: skip
    own = {name: settings[name] for name in kept if name in settings}
    method = f"{settings['method']}; absolute risk with the delta method's variance"
    entries = {**own, "method": method, "confidence": level, "profile": dict(profile), "times": wanted.tolist()}
    return AbsoluteRisk({"risk": table}, entries)


def _values(frame: pl.DataFrame, profile: Mapping[str, Any], settings: Mapping[str, Any]) -> Array:
    """Return the profile's value in each column of the design."""
    wanted = [*settings["covariates"], *settings["strata"]]
    missing, unknown = [n for n in wanted if n not in profile], [n for n in profile if n not in wanted]
    if missing or unknown:
        lacks = f"lacks {', '.join(missing)}" if missing else f"names {', '.join(unknown)}, which the model has not"
        raise ArgumentError(f"profile {lacks}. It gives a value to each of: {', '.join(wanted)}.")
    found = []
    for row in frame.iter_rows(named=True):
        value = profile[row["variable"]]
        if row["covariate"] == row["variable"]:
            if isinstance(value, str) or not np.isfinite(float(value)):
                raise ArgumentError(f"The profile's {row['variable']} must be a number, or yes or no.")
            found.append(float(value))
            continue
        own = frame.filter(pl.col("variable") == row["variable"])
        levels = {*own["category"], *own["compared_with"]}
        if str(value) not in levels:
            raise ArgumentError(f"The profile's {row['variable']} is none of the {len(levels)} levels of the model.")
        found.append(float(str(value) == row["category"]))
    return np.array(found)


def _of_stratum(hazard: pl.DataFrame, profile: Mapping[str, Any], strata: Sequence[str]) -> pl.DataFrame:
    for name in strata:
        hazard = hazard.filter(pl.col(name) == profile[name])
    if not hazard.height:
        raise ArgumentError("Nobody in the profile's stratum has the event, or it is none of the model's.")
    return hazard.sort("time")
