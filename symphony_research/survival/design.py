"""Covariates of collapsed rows as columns of numbers, and the people and events behind each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from symphony_research.collapse import names_of
from symphony_research.collapse.frames import column_names, refuse_names
from symphony_research.errors import ArgumentError, require_columns
from symphony_research.inference import Array

__all__ = ["Column", "Covariates", "covariate_names", "levels_of", "refuse_gaps", "with_covariates"]

TEXT = (pl.String, pl.Categorical, pl.Enum)
MOST_LEVELS = 100


@dataclass(frozen=True)
class Column:
    """One column of the design.

    Attributes
    ----------
    name : str
        "age", or of a level "sex: M".
    covariate : str
        The covariate that it is of.
    level, reference : str or None
        The level and that it is compared with; of a number with more than two values None.
    """

    name: str
    covariate: str
    level: str | None = None
    reference: str | None = None


@dataclass(frozen=True)
class Covariates:
    """The design of a model.

    Attributes
    ----------
    columns : tuple of Column
    matrix : (R, p) array
        Column-major; each column less its mean over people, over its standard deviation.
    centre, scale : (p,) arrays
        The means and standard deviations.
    """

    columns: tuple[Column, ...]
    matrix: Array
    centre: Array
    scale: Array

    @property
    def names(self) -> list[str]:
        """The covariate behind each column."""
        return [column.covariate for column in self.columns]


def covariate_names(
    frame: Any, covariates: str | Sequence[str], reserved: Sequence[str], others: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the names of the covariates.

    Raises
    ------
    ArgumentError
        If there is none, one is named twice or as a column of results, or is no column.
    """
    known = column_names(frame)
    names = names_of(covariates, known)
    if not names:
        raise ArgumentError("covariates names the columns that the model is of; at least one is needed.")
    refuse_names(names, reserved, what="covariates")
    require_columns(known, (*names, *others), what="frame")
    return names


def refuse_gaps(people: pl.LazyFrame, columns: Sequence[str], *, numbers: Sequence[str] = ()) -> None:
    """Raise ArgumentError where a covariate, stratum or cluster has missing values, or is of a kind that a model cannot use.

    With counts of rows, never a value.
    """
    schema = people.collect_schema()
    for name in columns:
        kind = schema[name]
        if not (kind == pl.Boolean or kind.is_numeric() or isinstance(kind, TEXT) or kind.is_temporal()):
            raise ArgumentError(f"Column '{name}' is {kind}; a covariate is a number, text, or yes and no.")
        if name in numbers and kind.is_temporal():
            raise ArgumentError(f"Covariate '{name}' is {kind}: make it a number, such as years.")

    def without(name: str) -> pl.Expr:
        none = pl.col(name).is_null()
        if schema[name].is_float():
            none = none | pl.col(name).is_nan().fill_null(False) | pl.col(name).is_infinite().fill_null(False)
        return none.sum().alias(name)

    counts = people.select([without(name) for name in dict.fromkeys(columns)]).collect(engine="streaming")
    missing = [
        f"{counts[name][0]:,} rows have no value in column '{name}'" for name in counts.columns if counts[name][0]
    ]
    if missing:
        raise ArgumentError(
            "; ".join(missing) + ". Fill them, exclude the rows, or make missing values a level of their own."
        )


def levels_of(rows: pl.DataFrame, name: str) -> list[Any] | None:
    """Return the levels of a covariate in order; None of a number of more than two values."""
    kind = rows.schema[name]
    if isinstance(kind, pl.Enum):
        there = set(rows[name].unique().to_list())
        return [level for level in kind.categories.to_list() if level in there]
    if isinstance(kind, TEXT):
        return sorted(rows[name].cast(pl.String).unique().to_list())
    values = rows[name].unique().sort()
    return values.to_list() if kind == pl.Boolean or len(values) == 2 else None


def with_covariates(
    rows: pl.DataFrame, names: Sequence[str], reference: Mapping[str, Any] | None, weight: Array
) -> Covariates:
    """Return the design of collapsed rows.

    Parameters
    ----------
    rows : polars.DataFrame
        Column `n_persons` beside the covariates.
    names : sequence of str
        Text becomes one indicator a level but the reference's.
    reference : mapping of str to level, optional
        Reference levels; by default the one most people have.
    weight : (R,) array
        By which means and standard deviations are taken.

    Raises
    ------
    ArgumentError
        On a reference that is no level, or a covariate with one value alone.
    """
    given = dict(reference or {})
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise ArgumentError(f"reference names {', '.join(unknown)}, which is no covariate.")
    columns: list[Column] = []
    parts: list[Array] = []
    for name in names:
        levels, kind = levels_of(rows, name), rows.schema[name]
        if levels is not None and len(levels) < 2:
            raise ArgumentError(f"Covariate '{name}' has one value alone: it says nothing. Leave it out.")
        if levels is None or not isinstance(kind, TEXT):
            if name in given and (levels is None or kind != pl.Boolean or given[name] is not False):
                raise ArgumentError(f"Covariate '{name}' has no reference level: it is a number, or yes and no.")
            low, high = (str(levels[0]), str(levels[1])) if levels else (None, None)
            columns.append(Column(name, name, high, low))
            parts.append(rows[name].cast(pl.Float64).to_numpy())
            continue
        if len(levels) > MOST_LEVELS:
            raise ArgumentError(
                f"Covariate '{name}' has {len(levels):,} levels, more than {MOST_LEVELS}: group them first."
            )
        text = rows[name].cast(pl.String)
        held = dict(rows.select(text.alias("level"), "n_persons").group_by("level").sum().iter_rows())
        base = given.get(name, max(levels, key=lambda level: (held[level], -levels.index(level))))
        if base not in levels:
            raise ArgumentError(f"The reference of covariate '{name}' is none of its {len(levels)} levels.")
        for level in levels:
            if level != base:
                columns.append(Column(f"{name}: {level}", name, str(level), str(base)))
                parts.append((text == level).cast(pl.Float64).to_numpy())
    matrix = np.asfortranarray(np.column_stack(parts))
    centre = weight @ matrix / weight.sum()
    matrix -= centre
    scale = np.sqrt(weight @ matrix**2 / weight.sum())
    flat = [column.covariate for column, s in zip(columns, scale, strict=True) if not s > 0]
    if flat:
        raise ArgumentError(f"Covariate '{flat[0]}' has one value alone: it says nothing. Leave it out.")
    matrix /= scale
    return Covariates(tuple(columns), matrix, centre, scale)
