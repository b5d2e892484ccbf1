"""Shares of people as the shown counts behind them allow: neither they nor their errors tell the exact counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.inference import Array
from symphony_research.policy import Policy

__all__ = ["as_counts_allow", "upwards"]

_PREFERRED = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0, 10.0)


def as_counts_allow(curves: pl.DataFrame, z: float, policy: Policy) -> tuple[pl.DataFrame, Array]:
    """Return shares and errors as rounded counts allow them, and how far each share may be from the exact one.

    A share is that of the shown counts: times shown over exact people with the event, times exact over shown people, of
    controls as many as their effective number; and then a multiple of what `rounding` of the shown people make. So without
    censoring it is one shown count over the other, and whoever is censored moves it by so many people at once. The error of its
    logarithm is widened by how far the exact share may be, by what is shown alone, so that the interval holds the exact one.

    Parameters
    ----------
    curves : polars.DataFrame
        `arm`, `n_with_event`, `estimate`, `standard_error` (of the logarithm), `effective`; by arm in order of time.
    z : float
        Normal quantile of the interval.
    policy : Policy
    """
    n = curves["n_with_event"].to_numpy().astype(float)
    shown = np.array([policy.shown(int(k)) or 0 for k in n], dtype=float)
    value, error, effective = (
        curves[c].fill_null(float("nan")).to_numpy().astype(float) for c in ("estimate", "standard_error", "effective")
    )
    base = policy.rounding
    people = np.maximum(np.floor(effective / base + 0.5), 1) * base
    few = (value * effective <= policy.threshold) | (shown == 0) | ~(error > 0) | (people <= base)
    scaled = value * np.divide(shown, n, out=np.ones(len(n)), where=n > 0) * effective / people
    step = base / people
    rounded = np.minimum(pl.Series(np.round(scaled / step) * step).round_sig_figs(2).to_numpy(), 1.0)
    few |= ~(rounded > 0)
    made = curves.with_columns(pl.Series("estimate", np.where(few, np.nan, rounded)).fill_nan(None))
    # a share does not fall: steps may let it
    made = made.with_columns(
        pl.when(pl.col("estimate").is_not_null()).then(pl.col("estimate").cum_max().over("arm")).alias("estimate")
    )
    share = made["estimate"].fill_null(float("nan")).to_numpy()
    moved = _furthest(share, shown, people, step, base)
    with np.errstate(invalid="ignore", divide="ignore"):
        # the lower end is the further one on the scale of logarithms
        wide = error - np.log(np.maximum(1 - moved / share, 0)) / z
    few |= ~np.isfinite(wide)
    made = made.with_columns(
        pl.Series("standard_error", np.where(few, np.nan, upwards(wide, n))).fill_nan(None),
        pl.Series("estimate", np.where(few, np.nan, share)).fill_nan(None),
    )
    return made, np.where(few, np.nan, moved)


def _furthest(share: Array, shown: Array, people: Array, step: Array, base: int) -> Array:
    """Return how far the exact share may be from a released one, by shown counts alone."""
    figures = 10.0 ** (np.floor(np.log10(np.maximum(share, 1e-9))) - 1)
    off = step / 2 + figures / 2
    more = (1 + (base // 2) / np.maximum(shown, 1.0)) * people / (people - base / 2)
    found: Array = (share + off) * (more - 1) + off
    return found


def upwards(error: Array, people: NDArray[Any]) -> Array:
    """Return errors upwards to ten values a decade, to two figures where there are a hundred people (decision 11).

    The ten are the preferred numbers R10 of ISO 3: as few as the figures from 1 to 9, and no two 30% apart.

    Examples
    --------
    >>> upwards(np.array([0.101, 0.101, 0.08]), np.array([20, 200, 20])).round(6).tolist()
    [0.125, 0.11, 0.08]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        power = 10.0 ** np.floor(np.log10(error))
        tenths = np.ceil(10 * error / power - 1e-9) / 10
        at = np.searchsorted(_PREFERRED, np.nan_to_num(error / power) - 1e-9)
    few = np.asarray(people) < 100
    found: Array = np.where(few, np.asarray(_PREFERRED)[np.minimum(at, len(_PREFERRED) - 1)], tenths) * power
    return np.where(np.isfinite(error), found, np.nan)
