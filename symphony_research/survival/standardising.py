"""Direct standardisation of cumulative incidence: risks of strata, their weighted sum, and its test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from symphony_research.collapse.ties import at_known_times, tie_width
from symphony_research.inference import Array
from symphony_research.survival.curves import CumulativeIncidence
from symphony_research.survival.limits import limits_of

__all__ = ["LEAST_SHARE", "risks_at", "standardised", "wald_p", "wald_tests", "weighted"]

LEAST_SHARE = 0.5  # of the standard population that the strata which all groups have must make up

p = pl.col


def risks_at(
    events: pl.DataFrame, strata: tuple[str, ...], cause: int, times: Sequence[float], settings: Mapping[str, Any]
) -> pl.DataFrame:
    """Return the Aalen-Johansen estimate of every stratum at each time.

    Parameters
    ----------
    events : polars.DataFrame
        Strata, `kind`, `time`, `n_persons`, as `collapse.event_table` counts them.
    strata : tuple of str
    cause : int
    times : sequence of float
    settings : mapping
        `confidence` and `interval`.

    Returns
    -------
    polars.DataFrame
        Strata, `time`, `n_persons`, `n_events` (with the cause's event by then), `estimate`, `error`, `lower`, `upper`.
        The last four are null where nobody has been observed to the time; where the last person left by an event
        the estimate stays as it is from then on.
    """
    own = events.select(strata).unique().sort(strata, nulls_last=True).with_row_index("__at")
    events = events.join(own, on=strata, nulls_equal=True).drop(strata)
    curve = CumulativeIncidence.derive({"events": events}, {**settings, "causes": [cause]}, ("__at",))
    people = (
        events.group_by("__at")
        .agg(
            p("n_persons").filter(p("kind") >= 0).sum(),
            p("time").filter(p("kind") < 0).min().cast(pl.Float64).alias("__from"),
        )
        .with_columns(p("__from").fill_null(0.0))
    )
    ends = curve.group_by("__at").agg(p("time").max().alias("__end"), (p("n_censored").last() == 0).alias("__all_left"))
    curve = curve.with_columns(p("n_events").cum_sum().over("__at")).select(
        "__at", p("time").cast(pl.Float64), "n_events", "estimate", p("standard_error").alias("error"), "lower", "upper"
    )
    known = at_known_times(times, events["time"], tie_width(events["time"]))
    wanted = pl.DataFrame({"__moment": np.asarray(known, float), "__asked": np.asarray(times, float)})
    figures = own.join(wanted, how="cross").join(people, on="__at").join(ends, on="__at").sort("__moment", "__at")
    figures = figures.join_asof(
        curve.sort("time", "__at"), left_on="__moment", right_on="time", by="__at", strategy="backward",
        check_sortedness=False,
    )  # fmt: skip
    followed = (p("__moment") >= p("__from")) & ((p("__moment") <= p("__end")) | p("__all_left"))
    return figures.select(
        *strata,
        p("__asked").alias("time"),
        "n_persons",
        p("n_events").fill_null(0).cast(pl.Int64),
        *[pl.when(followed).then(p(c).fill_null(0.0)).alias(c) for c in ("estimate", "error")],
        *[pl.when(followed).then(p(c)).alias(c) for c in ("lower", "upper")],
    ).sort([*strata, "time"], nulls_last=True)


def weighted(cells: pl.DataFrame, by: tuple[str, ...], standardise: tuple[str, ...]) -> pl.DataFrame:
    """Return the strata of every group with their weight: their share of all people in strata that all groups have.

    Parameters
    ----------
    cells : polars.DataFrame
        What `risks_at` returns for groups and strata.
    by, standardise : tuple of str
        What forms groups, and strata.

    Returns
    -------
    polars.DataFrame
        With `weight`, null where a group has nobody, or nobody observed to the time; `n_standard`, all people, and
        `n_uncovered`, those of strata without a weight.
    """
    n_groups = cells.select(by).unique().height
    own = [*standardise, "time"]
    covered = p("estimate").is_not_null().sum() == n_groups
    strata = cells.group_by(own, maintain_order=True).agg(
        p("n_persons").sum().alias("__people"), covered.alias("__covered")
    )
    inside = p("__people").filter(p("__covered")).sum().over("time")
    strata = strata.select(
        *own,
        pl.when("__covered").then(p("__people") / inside).alias("weight"),
        p("__people").sum().over("time").alias("n_standard"),
        (p("__people").sum().over("time") - inside).alias("n_uncovered"),
    )
    return cells.join(strata, on=own, nulls_equal=True, maintain_order="left")


def standardised(cells: pl.DataFrame, by: tuple[str, ...], settings: Mapping[str, Any]) -> pl.DataFrame:
    """Return the directly standardised risk of every group at each time.

    Parameters
    ----------
    cells : polars.DataFrame
        What `weighted` returns.
    by : tuple of str
        What forms groups.
    settings : mapping
        `confidence` and `interval`.

    Returns
    -------
    polars.DataFrame
        Groups, `time`, `estimate`, `lower`, `upper`, `standard_error`, `share_of_standard`; and for disclosure control
        `influence` (by how much one person of the group moves the estimate at most), `covered_persons` and
        `covered_events` of the group, and `n_standard`, `n_uncovered` of the standard population.
    """
    weight, inside = p("weight"), p("weight").is_not_null()

    def over_strata(value: pl.Expr) -> pl.Expr:
        return value.filter(inside).sum()

    found = cells.group_by([*by, "time"], maintain_order=True).agg(
        over_strata(weight * p("estimate")).alias("estimate"),
        over_strata((weight * p("error")) ** 2).sqrt().alias("standard_error"),
        (1 - p("n_uncovered") / p("n_standard")).first().alias("share_of_standard"),
        (weight / p("n_persons")).filter(inside).max().alias("influence"),
        over_strata(p("n_persons")).alias("covered_persons"),
        over_strata(p("n_events")).alias("covered_events"),
        p("n_standard").first(),
        p("n_uncovered").first(),
    )
    enough = p("share_of_standard") >= LEAST_SHARE
    # weights that sum to one but for rounding may lift a sum of ones over one
    found = found.with_columns(
        pl.when(enough).then(p("estimate").clip(0, 1)).alias("estimate"),
        pl.when(enough).then("standard_error").alias("standard_error"),
    )
    f, error = (found[c].cast(pl.Float64).fill_null(float("nan")).to_numpy() for c in ("estimate", "standard_error"))
    lower, upper = limits_of(f, error, settings["confidence"], settings["interval"])
    return found.with_columns(pl.Series("lower", lower).fill_nan(None), pl.Series("upper", upper).fill_nan(None)).sort(
        [*by, "time"], nulls_last=True
    )


def wald_tests(found: pl.DataFrame) -> pl.DataFrame:
    """Return, for each time, the Wald test that all groups have one risk.

    Groups share nobody and the weights are given, so the estimates are independent, and the statistic is the sum of
    squared deviations from their mean, each weighed by the inverse of its variance. Where a risk is not known, or is
    known without error (nobody or everybody had the event), there is none. `p_adjusted` is p times the number of times
    (Bonferroni), as one of several tests is the likelier to find a difference that is none.
    """
    rows: list[tuple[Any, float | None, int, float | None, float | None]] = []
    n_times = found["time"].n_unique()
    for (time,), own in found.group_by("time", maintain_order=True):
        freedom, spread = own.height - 1, own["standard_error"]
        if own["estimate"].null_count() or not (spread > 0).all():
            rows.append((time, None, freedom, None, None))
            continue
        f, error = own["estimate"].to_numpy()[None], spread.to_numpy()[None]
        p = float(wald_p(f, error)[0])
        rows.append((time, float(_wald(f, error)[0]), freedom, p, min(n_times * p, 1.0)))
    figures = {"statistic": pl.Float64, "degrees_of_freedom": pl.Int64, "p_value": pl.Float64, "p_adjusted": pl.Float64}
    schema = {"time": pl.Float64, **figures}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("time")


def wald_p(estimates: Array, errors: Array) -> Array:
    """Return the p values of tests that all groups have one risk: a row a test, a column a group; NaN where one has no error."""
    from scipy.special import chdtrc

    return np.where((errors > 0).all(axis=1), chdtrc(estimates.shape[1] - 1, _wald(estimates, errors)), np.nan)


def _wald(estimates: Array, errors: Array) -> Array:
    """Return the sum of squared deviations from the mean, each weighed by the inverse of its variance, row by row."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1 / errors**2
        mean = (inverse * estimates).sum(axis=1, keepdims=True) / inverse.sum(axis=1, keepdims=True)
        return np.asarray((inverse * (estimates - mean) ** 2).sum(axis=1))
