"""Limits of a share by its standard error, and the table that holds them."""

from __future__ import annotations

import numpy as np
import polars as pl

from symphony_research.inference import Array, normal_quantile

__all__ = ["INTERVALS", "limits_of", "with_limits"]

INTERVALS = ("log", "log_log", "plain")


def with_limits(
    frame: pl.DataFrame, by: tuple[str, ...], estimate: Array, error: Array, lower: Array, upper: Array
) -> pl.DataFrame:
    """Return counts by time with an estimate, its standard error and its limits; what is not estimable is null."""
    columns = {"estimate": estimate, "standard_error": error, "lower": lower, "upper": upper}
    return frame.with_columns([pl.Series(k, v).fill_nan(None) for k, v in columns.items()]).select(
        [*by, "time", "n_at_risk", "n_events", "n_censored", *columns]
    )


def limits_of(estimate: Array, error: Array, confidence: float, kind: str) -> tuple[Array, Array]:
    """Return the lower and upper limits of a share, on the scale asked for (one of `INTERVALS`), within 0 and 1."""
    z = normal_quantile(confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        if kind == "plain":
            lower, upper = estimate - z * error, estimate + z * error
        elif kind == "log":
            lower, upper = estimate * np.exp(-z * error / estimate), estimate * np.exp(z * error / estimate)
        else:
            turned = np.log(-np.log(estimate))
            width = z * error / (estimate * np.log(estimate))
            lower, upper = np.exp(-np.exp(turned - width)), np.exp(-np.exp(turned + width))
            sure = (estimate == 1) & (error == 0)
            lower, upper = np.where(sure, 1.0, lower), np.where(sure, 1.0, upper)
    return np.maximum(lower, 0), np.minimum(upper, 1)
