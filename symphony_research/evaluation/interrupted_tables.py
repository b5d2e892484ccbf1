"""The tables of an interrupted time series: counts by month, changes of level and trend, and the lines they are of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from symphony_research.errors import ArgumentError
from symphony_research.evaluation.period_tables import DAYS_A_YEAR, EFFECT
from symphony_research.evaluation.segmented import (
    SeriesFit,
    default_lags,
    errors_of,
    errors_of_difference,
    fitted_series,
    newey_west,
    segments,
    terms_of,
)
from symphony_research.inference import Array

__all__ = ["CONTROL", "DIFFERENCE", "FEWEST", "MEASURES", "POPULATION", "drawn_lines", "series_tables", "time_of"]

POPULATION, CONTROL, DIFFERENCE = "population", "control", "population less control"
FEWEST = 8  # months before and after (Penfold and Zhang 2013)
MEASURES = {"level change": "level change", "trend change": "trend change a year", "trend": "trend before a year"}


def time_of(month: pl.Series, start: date) -> Array:
    """Return the years from the month of `start` to each month, such as "2012-04".

    Examples
    --------
    >>> time_of(pl.Series(["2012-01", "2012-04"]), date(2012, 4, 1)).tolist()
    [-0.25, 0.0]
    """
    year, number = month.str.slice(0, 4).cast(pl.Int64), month.str.slice(5, 2).cast(pl.Int64)
    found: Array = (12 * (year - start.year) + number - start.month).to_numpy() / 12
    return found


def _design(month: pl.Series, start: date, harmonics: int) -> Array:
    return segments(time_of(month, start), month.str.slice(5, 2).cast(pl.Int64).to_numpy(), harmonics)


def exposure_of(frame: pl.DataFrame) -> Array:
    """Return the person-years of each month: people registered on the first day, for all days."""
    found: Array = (frame["n_persons"] * frame["days"]).cast(pl.Float64).to_numpy() / DAYS_A_YEAR
    return found


def series_tables(
    counts: Mapping[str, pl.DataFrame], start: date, *, harmonics: int, errors: str, lags: int | None, what: str
) -> tuple[dict[str, pl.DataFrame], int]:
    """Return the tables of one or two series, and the lags that errors allow for.

    Raises
    ------
    ArgumentError
        If there are too few months, nobody registered, or no events.
    """
    months, effects, lines, checks = [], [], [], []
    moved: dict[str, tuple[SeriesFit, int, int, int]] = {}
    for name, frame in counts.items():
        time = time_of(frame["month"], start)
        before, after = int((time < 0).sum()), int((time >= 0).sum())
        if min(before, after) < FEWEST:
            raise ArgumentError(
                f"start={start.isoformat()} leaves {before} months before and {after} after: {FEWEST} are needed on each side."
            )
        if empty := int((frame["n_persons"] == 0).sum()):
            raise ArgumentError(f"In {empty} of {frame.height} months of the {name} nobody is registered.")
        if not frame["n_events"].sum():
            raise ArgumentError(
                f"Nobody of the {name} has '{what}' in {frame.height} months: there is no rate to compare."
            )
        design, exposure = _design(frame["month"], start, harmonics), exposure_of(frame)
        if frame.height <= design.shape[1]:
            raise ArgumentError(
                f"{frame.height} months are too few for {design.shape[1]} coefficients: fewer harmonics."
            )
        fit = fitted_series(design, frame["n_events"].cast(pl.Float64).to_numpy(), exposure, what=what)
        lags = default_lags(frame.height) if lags is None else lags
        # of people by month with the event, on the side that has fewer of them
        cell = min(int(frame["n_with_event"].filter(pl.Series(side)).sum()) for side in (time < 0, time >= 0))
        fewest, free = int(frame["n_with_event"].min()), frame.height - design.shape[1]  # type: ignore[arg-type]
        moved[name] = fit, cell, fewest, free
        error = np.sqrt(np.diag(_covariance(fit, design, errors, lags)))
        crude = np.log(float(frame["n_events"].sum()) / exposure.sum())
        for at, term in enumerate(terms_of(harmonics)):
            own = (float(fit.coefficients[at]), float(error[at]), cell, 1.0, free, fewest)
            # a level is told from the rate of all months, so that it is no finer than other terms
            lines.append((name, term, "log", own[0] - (crude if term == "level" else 0.0), *own[1:]))
        found = {row[1]: row[2:] for row in lines if row[0] == name}
        effects += [(name, words, *found[term]) for term, words in MEASURES.items()]
        checks.append((name, fit.dispersion, fit.autocorrelation))
        months.append(
            frame.select(
                pl.lit(name).alias("series"), "month", "days", pl.Series("after", time >= 0), "n_persons", "n_with_event",
                "n_events",
            )
        )  # fmt: skip
    if len(moved) == 2:
        effects += _differences(moved, design, errors, lags or 0)
    schema = {"series": pl.String, "measure": pl.String, **EFFECT, "fewest": pl.Int64}
    tables = {
        "months": pl.concat(months),
        "effects": pl.DataFrame(effects, schema=schema, orient="row"),
        "lines": pl.DataFrame(
            lines, schema={"series": pl.String, "term": pl.String, **EFFECT, "fewest": pl.Int64}, orient="row"
        ),
        "checks": pl.DataFrame(
            checks, schema={"series": pl.String, "dispersion": pl.Float64, "autocorrelation": pl.Float64}, orient="row"
        ).with_columns(pl.col("dispersion", "autocorrelation").fill_nan(None)),
    }
    return tables, lags or 0


def _covariance(fit: SeriesFit, design: Array, errors: str, lags: int) -> Array:
    if errors == "autoregressive":
        return errors_of(fit, design).covariance
    if errors == "newey_west":
        return newey_west(fit.influence, lags)
    found: Array = fit.inverse * fit.dispersion
    return found


def _differences(
    moved: Mapping[str, tuple[SeriesFit, int, int, int]], design: Array, errors: str, lags: int
) -> list[tuple[Any, ...]]:
    """Return how much more the population's level and trend changed than the control's."""
    (one, *of_one), (other, *of_other) = (moved[name] for name in (POPULATION, CONTROL))
    cell, fewest, free = (min(pair) for pair in zip(of_one, of_other, strict=True))
    if errors == "autoregressive":
        covariance = errors_of_difference(one, other, design).covariance
    elif errors == "newey_west":  # what moves both in one month cancels
        covariance = newey_west(one.influence - other.influence, lags)
    else:
        covariance = one.inverse * one.dispersion + other.inverse * other.dispersion
    error, found = np.sqrt(np.diag(covariance)), one.coefficients - other.coefficients
    names = terms_of(0)
    return [
        (DIFFERENCE, words, "log", float(found[names.index(term)]), float(error[names.index(term)]), cell, 1.0, free, fewest)
        for term, words in MEASURES.items()
    ]  # fmt: skip


def drawn_lines(tables: Mapping[str, pl.DataFrame], start: date, harmonics: int) -> pl.DataFrame:
    """Return rates per 100 person-years by month as counted, as fitted, and as fitted without a change.

    Returns
    -------
    polars.DataFrame
        `series`, `month`, `time` (years from the change), `rate`, `fitted`, `expected` (after the change alone).
    """
    made = []
    for name in tables["months"]["series"].unique(maintain_order=True):
        frame = tables["months"].filter(pl.col("series") == name)
        time, exposure = time_of(frame["month"], start), exposure_of(frame.fill_null(0))
        events = frame["n_events"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        hidden = frame.select(pl.any_horizontal(pl.col("n_persons", "n_with_event", "n_events").is_null())).to_series()
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = np.where(hidden.to_numpy(), np.nan, 100 * events / exposure)
        b = tables["lines"].filter(pl.col("series") == name)["estimate"].cast(pl.Float64).fill_null(float("nan"))
        design = _design(frame["month"], start, harmonics)
        crude = 100 * float(events.sum()) / float(exposure.sum()) if exposure.sum() else float("nan")
        coefficients = b.to_numpy()
        without = design.copy()
        without[:, 2:4] = 0.0
        expected = np.where(time >= 0, crude * np.exp(without @ coefficients), np.nan)
        made.append(
            pl.DataFrame(
                {
                    "series": [name] * frame.height, "month": frame["month"], "time": time, "rate": rate,
                    "fitted": crude * np.exp(design @ coefficients), "expected": expected,
                }
            )
        )  # fmt: skip
    return pl.concat(made).with_columns(pl.col("rate", "fitted", "expected").fill_nan(None))
