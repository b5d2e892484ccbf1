"""The levels of strata: what names one, and how those of several sites are brought together."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from symphony_research.errors import ArgumentError

__all__ = ["level", "with_common_levels", "without_nan"]


def without_nan(name: str, kind: pl.DataType) -> pl.Expr:
    """Return a column in which what is no number is a missing value, as it is of other kinds."""
    return pl.col(name).fill_nan(None) if kind.is_float() else pl.col(name)


def level(name: str, kind: pl.DataType) -> pl.Expr:
    """Return a column of strata in which what is no number is a missing value.

    Raises
    ------
    ArgumentError
        If the column is of a kind that names no stratum.
    """
    if kind.is_nested() or kind in (pl.Binary, pl.Object, pl.Duration) or str(kind).startswith("Extension"):
        raise ArgumentError(f"Column '{name}' is {kind}; strata are text, numbers, dates, or yes and no.")
    return without_nan(name, kind)


def with_common_levels(frames: Sequence[pl.DataFrame], by: Sequence[str]) -> list[pl.DataFrame]:
    """Return frames of several sites whose strata are of the same kinds, matched by label.

    Ordered levels keep their order; those that one site alone has come after.

    Raises
    ------
    ArgumentError
        If a stratum is text at one site and no text at another.
    """
    made = list(frames)
    for name in by:
        kinds = list(dict.fromkeys(frame.schema[name] for frame in made))
        if len(kinds) == 1:
            continue
        texts = [kind in (pl.String, pl.Categorical, pl.Enum) for kind in kinds]
        if any(texts) and not all(texts):
            raise ArgumentError(
                f"Sites differ: '{name}' is {' at one site and '.join(map(str, kinds))} at another. Code it the same way first."
            )
        if all(texts):
            ordered = [kind.categories.to_list() for kind in kinds if isinstance(kind, pl.Enum)]
            levels = list(dict.fromkeys(level for own in ordered for level in own))
            common = pl.Enum(levels) if len(ordered) == len(kinds) else pl.String()
            made = [frame.with_columns(pl.col(name).cast(pl.String).cast(common)) for frame in made]
    return made
