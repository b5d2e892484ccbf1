"""Estimates with their intervals as families of effects hold them: their columns, how they are shown, and how released."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl
from scipy.special import stdtr, stdtrit

from symphony_research.cohort.matched import Matched
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.release import released_estimates
from symphony_research.evaluation.verdicts import is_few
from symphony_research.inference import Array, normal_quantile, two_sided_normal_p
from symphony_research.policy import Policy
from symphony_research.result.roles import Internal, Known, ModelEstimate, Role

__all__ = [
    "ESTIMATE_ROLES", "INTERVAL", "as_estimated", "as_released", "require_integers", "require_matched", "shown_where", "with_intervals",
]  # fmt: skip

INTERVAL = ("estimate", "lower", "upper", "p_value")
FIGURES = ("estimate", "standard_error")
# `few`: an arm has too few events or people for a ratio to be given
ESTIMATE_ROLES: Mapping[str, Role] = MappingProxyType(
    {
        "scale": Known(), "estimate": ModelEstimate(), "standard_error": ModelEstimate(), "few": Known(),
        **dict.fromkeys(("cell", "unit", "free", "least_events", "least_people"), Internal()),
    }
)  # fmt: skip


def require_matched(matched: object, what: str) -> None:
    """Raise ArgumentError unless it is what match_controls returns."""
    if not isinstance(matched, Matched):
        raise ArgumentError(f"{what} takes what match_controls returns, not {type(matched).__name__}.")


def require_integers(**asked: tuple[Any, int]) -> None:
    """Raise ArgumentError unless each argument is an integer, and at least so large."""
    for name, (value, least) in asked.items():
        if type(value) is not int or value < least:
            raise ArgumentError(f"{name}={value!r} must be an integer, at least {least}.")


def as_estimated(frame: pl.DataFrame, settings: Mapping[str, Any]) -> pl.DataFrame:
    """Return exact estimates, and where an arm has too few events or people for them to be given."""
    return frame.with_columns(is_few(frame, settings))


def with_intervals(frame: pl.DataFrame, keys: list[str], settings: Mapping[str, Any]) -> pl.DataFrame:
    """Return estimates with intervals and p values, of ratios made on the log scale; none where there are few.

    They are normal, or Student's t where `degrees` of freedom stand in the table.
    """
    z: float | Array = normal_quantile(settings["confidence"])
    degrees = frame["degrees"].fill_null(float("nan")).to_numpy() if "degrees" in frame.columns else None
    if degrees is not None:
        z = stdtrit(degrees, (1 + settings["confidence"]) / 2)
    if "few" in frame.columns:
        frame = frame.with_columns(pl.when(~pl.col("few")).then(c).alias(c) for c in FIGURES)
    value, error = (frame[c].cast(pl.Float64).fill_null(float("nan")).to_numpy() for c in FIGURES)
    log = (frame["scale"] == "log").to_numpy()
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        ends = [np.where(log, np.exp(value + k * error), value + k * error) for k in (0.0, -z, z)]
        p = two_sided_normal_p(value / error) if degrees is None else 2 * stdtr(degrees, -np.abs(value / error))
    made = frame.select(keys).with_columns(
        pl.Series(name, values, dtype=pl.Float64).fill_nan(None)
        for name, values in zip(INTERVAL, (*ends, p), strict=True)
    )
    if "released" in settings:
        made = made.with_columns(pl.col(INTERVAL[:3]).round_sig_figs(3), pl.col("p_value").round_sig_figs(2))
    return made


def as_released(frame: pl.DataFrame, settings: Mapping[str, Any], policy: Policy) -> pl.DataFrame:
    """Return estimates as exact as the counts behind them; none of few people, nor where shown counts are too few for a ratio."""
    few = is_few(frame, settings, policy)
    found = released_estimates(frame, settings["confidence"], policy).with_columns(few)
    return found.with_columns(pl.when(~pl.col("few")).then(c).alias(c) for c in FIGURES)


def shown_where(frame: pl.DataFrame, shown: pl.Expr | bool) -> pl.DataFrame:
    """Return estimates where the counts behind them are shown, and nothing of the others."""
    there = pl.lit(shown) if isinstance(shown, bool) else shown
    return frame.with_columns(pl.when(there).then(c).alias(c) for c in (*FIGURES, "few"))
