"""Rows that a model of times reads: people collapsed to distinct patterns, with their risk sets and design."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from symphony_research.collapse import names_of
from symphony_research.collapse.frames import as_lazy, column_names, refuse_names
from symphony_research.collapse.tidy import Collapsed, _refuse_faults
from symphony_research.collapse.ties import with_ties
from symphony_research.errors import ArgumentError
from symphony_research.inference import Array
from symphony_research.survival.design import Covariates, covariate_names, refuse_gaps, with_covariates
from symphony_research.survival.distinct import distinct_rows, patterns_of
from symphony_research.survival.partial_likelihood import PartialLikelihood
from symphony_research.survival.risk_sets import Index, RiskSets, summed_by

__all__ = ["RESERVED", "ModelRows", "collapsed_rows", "model_rows", "with_risk_sets"]

RESERVED = (
    "covariate", "variable", "level", "reference", "estimate", "hazard_ratio", "lower", "upper", "p_value", "standard_error",
    "n_persons", "n_events", "smallest_cell", "degrees_of_freedom", "kind", "time", "entry",
)  # fmt: skip


@dataclass(frozen=True)
class ModelRows:
    """Collapsed rows of follow-up, with their risk sets and design."""

    rows: pl.DataFrame
    sets: RiskSets
    covariates: Covariates
    pattern: Index
    strata: tuple[str, ...]
    strata_levels: pl.DataFrame
    people: Array
    sampling: Array

    def likelihood(self, ties: str) -> PartialLikelihood:
        """Return the partial likelihood."""
        return PartialLikelihood(self.sets, self.covariates.matrix, self.pattern, self.people, self.sampling, ties)


def collapsed_rows(
    frame: Any,
    *,
    time: str,
    event: str,
    entry: str | None,
    covariates: tuple[str, ...],
    strata: tuple[str, ...],
    cluster: str | None,
    weights: str | None,
    sampling_weights: str | None,
    person: str | None = None,
) -> pl.DataFrame:
    """Collapse people to the distinct patterns of what a model reads of them.

    Returns
    -------
    polars.DataFrame
        `time`, `entry` (if any), `kind` (0 or the cause), `sampling`, the covariates, strata and cluster; `n_persons`.

    Raises
    ------
    ArgumentError
        On missing columns, missing values, unknown codes, times that are not after entry; with counts of rows.
    """
    if weights is None and isinstance(frame, Collapsed) and "n_persons" in frame.columns:
        raise ArgumentError(
            "This table is collapsed: each row stands for the people in its column n_persons. Pass weights='n_persons'."
        )
    if isinstance(frame, Collapsed):
        frame.require_independent()
    if isinstance(frame, Collapsed) and frame.entry is not None and entry is None:
        raise ArgumentError(
            f"People of this table enter late. Pass entry='{frame.entry}': without it they would count as at risk before they were "
            "observed."
        )
    keys = tuple(dict.fromkeys((*covariates, *strata, *(c for c in (cluster, person) if c))))
    wanted = tuple(n for n in (time, event, entry, weights, sampling_weights, *keys) if n is not None)
    people = as_lazy(frame, columns=wanted)
    schema = people.collect_schema()
    for name in (time, entry, weights, sampling_weights):
        if name is not None and not schema[name].is_numeric():
            raise ArgumentError(f"Column '{name}' is {schema[name]}; a number is needed.")
    if not (schema[event] == pl.Boolean or schema[event].is_numeric()):
        raise ArgumentError(f"Event column '{event}' is {schema[event]}; it must be Boolean, or 0, 1, 2, ...")
    refuse_gaps(people, keys, numbers=covariates)
    people = people.select(
        *[pl.col(k) for k in keys],
        pl.col(time).alias("__time"),
        pl.col(event).cast(pl.Float64).alias("__event"),
        (pl.col(entry) if entry else pl.lit(None, dtype=pl.Float64)).alias("__entry"),
        (pl.col(weights) if weights else pl.lit(1, dtype=pl.Int64)).alias("__weight"),
        (pl.col(sampling_weights).cast(pl.Float64) if sampling_weights else pl.lit(1.0)).alias("__sampling"),
    )
    _refuse_faults(people, time, event, entry, weights)
    if sampling_weights:
        w = pl.col("__sampling")
        bad = people.select((w.is_null() | ~w.is_finite() | (w <= 0)).sum()).collect().item()
        if bad:
            raise ArgumentError(f"{bad:,} rows have no sampling weight above 0 in column '{sampling_weights}'.")
    moments = ["__time", "__event", *(["__entry"] if entry else []), *(["__sampling"] if sampling_weights else [])]
    rows = distinct_rows(people, keys, moments, "__weight")
    if rows is None:
        people = with_ties(people, ["__time", "__entry"] if entry else ["__time"])
        counted = pl.col("__weight").cast(pl.Int64).sum().alias("n_persons")
        rows = people.group_by([*keys, *moments]).agg(counted).collect(engine="streaming")
    rows = rows.filter(pl.col("n_persons") > 0)
    named: list[Any] = [
        pl.col("__time").cast(pl.Float64).alias("time"), pl.col("__event").cast(pl.Int32).alias("kind"),
        *([pl.col("__entry").cast(pl.Float64).alias("entry")] if entry else []),
        (pl.col("__sampling") if sampling_weights else pl.lit(1.0)).alias("sampling"), "n_persons",
    ]  # fmt: skip
    rows = rows.select(*keys, *named)
    if person is not None:
        _refuse_overlaps(rows, person, strata)
    return rows


def _refuse_overlaps(rows: pl.DataFrame, person: str, strata: tuple[str, ...]) -> None:
    """Refuse a person who is at risk twice at one time.

    Raises
    ------
    ArgumentError
        With the count of rows.
    """
    start = pl.col("entry") if "entry" in rows.columns else pl.lit(-np.inf)
    ordered = rows.sort(person, *strata, start, "time")
    same = pl.all_horizontal(pl.col(c).eq_missing(pl.col(c).shift(1)) for c in (person, *strata))
    again = (same & (start < pl.col("time").shift(1))).fill_null(False)
    twice = ordered.select(again.sum() + (pl.col("n_persons") - 1).sum()).item()
    if twice:
        raise ArgumentError(
            f"{twice:,} rows overlap another row of the same '{person}'{' and stratum' if strata else ''}. Rows of one person follow one "
            "another: each from its entry to its time."
        )


def with_risk_sets(
    rows: pl.DataFrame,
    covariates: tuple[str, ...],
    strata: tuple[str, ...],
    reference: Mapping[str, Any] | None,
    cause: int,
) -> ModelRows:
    """Return collapsed rows with their risk sets and design, sorted by stratum and time."""
    if not (rows["kind"] == cause).any():
        raise ArgumentError(
            f"Nobody has the event: 0 of {int(rows['n_persons'].sum()):,} people, so there is nothing to model."
        )
    if strata:
        levels = rows.select(strata).unique().sort(strata)
        code = levels.with_row_index("__stratum")
        rows = rows.join(code, on=list(strata), how="left").sort("__stratum", "time")
        stratum = rows["__stratum"].cast(pl.Int64).to_numpy()
    else:
        levels, rows = pl.DataFrame({"__all": [0]}), rows.sort("time")
        stratum = np.zeros(rows.height, dtype=np.int64)
    entry = rows["entry"].to_numpy() if "entry" in rows.columns else None
    event = (rows["kind"] == cause).to_numpy()
    sets = RiskSets.of(rows["time"].to_numpy(), entry, event, stratum, levels.height)
    people, sampling = rows["n_persons"].cast(pl.Float64).to_numpy(), rows["sampling"].to_numpy()
    pattern, patterns = patterns_of(rows, covariates)
    weight = summed_by(pattern, people * sampling, patterns.height)
    patterns = patterns.with_columns(pl.Series("n_persons", summed_by(pattern, people, patterns.height)))
    design = with_covariates(patterns, covariates, reference, weight)
    return ModelRows(rows, sets, design, pattern, strata, levels, people, sampling)


def model_rows(
    frame: Any,
    *,
    time: str,
    event: str,
    covariates: str | Sequence[str],
    entry: str | None,
    cluster: str | None,
    strata: str | Sequence[str],
    weights: str | None,
    sampling_weights: str | None,
    cause: int | None,
    reference: Mapping[str, Any] | None,
    person: str | None = None,
) -> tuple[ModelRows, tuple[str, ...], tuple[str, ...], list[int]]:
    """Return people collapsed for a model, the names of its covariates and strata, and the causes there are."""
    strata = names_of(strata, column_names(frame))
    refuse_names(strata, RESERVED, what="strata")
    others = [n for n in (time, event, entry, cluster, person, weights, sampling_weights, *strata) if n is not None]
    if person is not None and weights is not None:
        raise ArgumentError("weights counts people of whom a row stands for several; with person each row is of one.")
    names = covariate_names(frame, covariates, RESERVED, others)
    rows = collapsed_rows(
        frame, time=time, event=event, entry=entry, covariates=names, strata=strata, cluster=cluster, weights=weights,
        sampling_weights=sampling_weights, person=person,
    )  # fmt: skip
    causes = _causes(rows, event, cause)
    return with_risk_sets(rows, names, strata, reference, cause or 1), names, strata, causes


def _causes(rows: pl.DataFrame, event: str, cause: int | None) -> list[int]:
    """Return the causes there are.

    Raises
    ------
    ArgumentError
        If there are several and none is chosen, or the chosen one is no cause.
    """
    found = sorted(rows.filter(pl.col("kind") > 0)["kind"].unique().to_list())
    if cause is None and found and found[-1] > 1:
        raise ArgumentError(
            f"Event column '{event}' holds causes above 1. Pass cause=, the one to model; the others are then censored."
        )
    if cause is not None and (type(cause) is not int or cause < 1):
        raise ArgumentError(f"cause={cause!r} must be an integer from 1.")
    return found or [1]
