"""Tables of a regression model: its effects with the people and events of every level, and its tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from symphony_research.inference import Array
from symphony_research.survival.design import Column

__all__ = ["counts_by_level", "effects_table", "model_cells", "tests_table"]


def effects_table(
    columns: tuple[Column, ...], estimate: Array, covariance: Array, counts: Mapping[str, Any]
) -> dict[str, pl.DataFrame]:
    """Return the tables of a model's effects from its estimates and the counts of `counts_by_level`."""
    levels: pl.DataFrame = counts["levels"]
    whole: pl.DataFrame = counts["population"]
    frame = pl.DataFrame(
        {
            "covariate": [c.name for c in columns],
            "variable": [c.covariate for c in columns],
            "category": pl.Series([c.level for c in columns], dtype=pl.String),
            "compared_with": pl.Series([c.reference for c in columns], dtype=pl.String),
            "estimate": estimate,
            "standard_error": np.sqrt(np.diag(covariance)),
            "covariance": pl.Series(covariance.tolist(), dtype=pl.List(pl.Float64)),
            "centre": counts["centre"],
            # a number is rounded as a change of one standard deviation is
            "scale": [1.0 if c.level else sd for c, sd in zip(columns, counts["scale"], strict=True)],
        }
    )
    frame = frame.join(levels, on=["variable", "category"], how="left", nulls_equal=True, maintain_order="left")
    pairs = dict.fromkeys((c.covariate, c.reference) for c in columns if c.reference is not None)
    base = pl.DataFrame(list(pairs), schema={"variable": pl.String, "category": pl.String}, orient="row")
    references = base.join(
        levels.select("variable", "category", "n_persons", "n_events", "n_clusters"),
        on=["variable", "category"],
        how="left",
        maintain_order="left",
    )
    return {"coefficients": frame, "references": references, "population": whole, "by_day": counts["by_day"]}


def counts_by_level(
    rows: pl.DataFrame,
    columns: tuple[Column, ...],
    *,
    pattern: Any,
    events: pl.Expr,
    cluster: str | None,
    by_day: bool,
    person: str | None = None,
) -> dict[str, pl.DataFrame]:
    """Count the people and events of every level, the whole, and the people off the commonest value of a number.

    Parameters
    ----------
    rows : polars.DataFrame
        Collapsed, with `n_persons`, and `kind` and `time` where `by_day`.
    columns : tuple of Column
    pattern : (R,) array
        Which distinct pattern of covariates each row is of.
    events : polars.Expr
        How many events a row counts.
    cluster : str or None
        Of which distinct ones are counted (else -1).
    by_day : bool
        Whether events are kept by day, to be counted on the grid of times at release.
    person : str, optional
        Whose row each is, where several are of one: people are then the distinct ones, who may be at several levels one
        after the other, and clusters are no more than the people with an event.
    """
    people = pl.col("n_persons")
    variables = list(dict.fromkeys(c.covariate for c in columns))
    distinct = pl.col(cluster).n_unique() if cluster else pl.lit(-1)
    number = people.sum()
    if person:
        number = pl.col(person).n_unique().cast(pl.Int64).alias("n_persons")
        distinct = pl.min_horizontal(distinct, pl.col(person).filter(pl.col("n_events") > 0).n_unique())
    counted = [number, pl.col("n_events").sum(), distinct.cast(pl.Int64).alias("n_clusters")]
    held = rows.select(
        *variables,
        *(c for c in dict.fromkeys((cluster, person)) if c and c not in variables),
        "n_persons",
        events.cast(pl.Int64).alias("n_events"),
    )
    if not cluster:  # first by pattern, of which there are few
        sums = [np.bincount(pattern, held[c].to_numpy()).astype(np.int64) for c in ("n_persons", "n_events")]
        first = np.zeros(len(sums[0]), dtype=np.int64)
        first[pattern[::-1]] = np.arange(rows.height - 1, -1, -1)
        held = held[first].with_columns(pl.Series("n_persons", sums[0]), pl.Series("n_events", sums[1]))
    whole = held.select(counted)
    schema = {"variable": pl.String, "category": pl.String, "kind": pl.Int32, "time": pl.Float64, "n_persons": pl.Int64}
    parts, daily = [], [pl.DataFrame(schema=schema)]
    had = rows.filter(events > 0) if by_day else None
    for variable in variables:
        levels = next(c.level for c in columns if c.covariate == variable)
        named = pl.lit(variable).alias("variable")
        text = (_text(variable, held) if levels is not None else pl.lit(None, dtype=pl.String)).alias("category")
        part = held.with_columns(named, text).group_by("variable", "category", maintain_order=True).agg(counted)
        off = people
        if levels is None:
            off = people - held.group_by(variable).agg(people.sum())["n_persons"].max()
        parts.append(
            part.select("variable", "category", "n_persons", "n_events", off.alias("n_off_mode"), "n_clusters")
        )
        if had is not None and levels is not None:
            own = had.group_by(variable, "kind", "time").agg(people.sum())
            daily.append(own.select(named, _text(variable, own).alias("category"), "kind", "time", "n_persons"))
    if had is not None:
        none = [pl.lit(None, dtype=pl.String).alias(c) for c in ("variable", "category")]
        everyone = had.group_by("kind", "time").agg(people.sum())
        end = pl.DataFrame({"kind": [0], "time": [rows["time"].max()], "n_persons": [0]})
        daily += [frame.select(*none, "kind", "time", "n_persons") for frame in (everyone, end)]
    by = pl.concat([d.cast(schema) for d in daily])  # type: ignore[arg-type]
    return {"levels": pl.concat(parts), "population": whole.select("n_persons", "n_events"), "by_day": by}


def model_cells(rows: pl.DataFrame, columns: tuple[Column, ...], pattern: Any, happened: pl.Expr) -> dict[str, int]:
    """Return the smallest number of people or events at a level of each covariate; of a number, off its commonest value."""
    events = pl.when(happened).then("n_persons").otherwise(0)
    counts = counts_by_level(rows, columns, pattern=pattern, events=events, cluster=None, by_day=False)
    cell = pl.min_horizontal("n_persons", "n_events", "n_off_mode").min()
    return dict(counts["levels"].group_by("variable").agg(cell.alias("cell")).iter_rows())


def _text(name: str, rows: pl.DataFrame) -> pl.Expr:
    values = rows[name].unique()
    if isinstance(rows.schema[name], (pl.String, pl.Categorical, pl.Enum)):
        return pl.col(name).cast(pl.String)
    return pl.col(name).replace_strict(values.to_list(), [str(v) for v in values], return_dtype=pl.String)


def tests_table(rows: list[tuple[str, float, int]]) -> pl.DataFrame:
    """Return tests of a model: name, chi-squared statistic, degrees of freedom and p value."""
    from scipy.special import chdtrc

    return pl.DataFrame(
        [(name, statistic, freedom, float(chdtrc(freedom, max(statistic, 0.0)))) for name, statistic, freedom in rows],
        schema={"test": pl.String, "statistic": pl.Float64, "degrees_of_freedom": pl.Int64, "p_value": pl.Float64},
        orient="row",
    )
