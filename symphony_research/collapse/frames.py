"""The door for frame arguments: anything narwhals can read becomes a Polars frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import polars as pl

from symphony_research.errors import ArgumentError

__all__ = ["as_frame", "as_lazy", "names_of", "refuse_names", "refuse_no_frame", "runs"]


def as_lazy(frame: Any, *, columns: Iterable[str] | None = None) -> pl.LazyFrame:
    """Return any frame that narwhals can read as a Polars LazyFrame.

    Parameters
    ----------
    frame : frame
        Polars (eager or lazy), pandas, Arrow, DuckDB, PySpark, ...
    columns : iterable of str, optional
        Take these alone; only they are brought out of another engine.

    Raises
    ------
    ArgumentError
        If it is not a frame.
    """
    if isinstance(frame, pl.LazyFrame):
        return frame
    if isinstance(frame, pl.DataFrame):
        return frame.lazy()
    # narwhals takes 70 ms to import, so only those who need it pay
    import narwhals as nw

    try:
        native = nw.from_native(frame)
    except TypeError:
        refuse_no_frame(frame)
    if columns is not None:
        present = set(native.collect_schema().names())
        native = native.select([name for name in columns if name in present])
    eager = native.collect(backend="polars") if isinstance(native, nw.LazyFrame) else native
    try:
        return eager.to_polars().lazy()
    except ImportError:
        # pandas text columns reach Polars through pyarrow where it is there, and by hand where it is not
        return pl.LazyFrame({name: _by_hand(eager[name]) for name in eager.columns})


def refuse_no_frame(frame: Any) -> NoReturn:
    """Say that a frame was needed."""
    raise ArgumentError(
        f"A frame is needed (Polars, pandas, Arrow, DuckDB or PySpark), not {type(frame).__name__}."
    ) from None


def _by_hand(series: Any) -> Any:
    """Return a column as an array, or as a list with None in its gaps."""
    gaps = series.is_null()
    if series.dtype.is_numeric() and not gaps.any():
        return series.to_numpy()
    return [None if gap else value for gap, value in zip(gaps.to_list(), series.to_list(), strict=True)]


def as_frame(frame: Any) -> pl.DataFrame:
    """Return any frame that narwhals can read as an eager Polars DataFrame."""
    return frame if isinstance(frame, pl.DataFrame) else as_lazy(frame).collect()


def names_of(names: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return a name, names between commas, or a sequence of names as a tuple."""
    if names is None:
        return ()
    if isinstance(names, str):
        return tuple(name for part in names.split(",") if (name := part.strip()))
    return tuple(names)


def runs(frame: pl.DataFrame, columns: Iterable[str]) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Go through the strata of a sorted frame: their names, and the rows from and to; once, all of it, without columns."""
    columns = list(columns)
    if not columns:
        yield {}, 0, frame.height
        return
    start = 0
    for record in frame.group_by(columns, maintain_order=True).len(name="__len").iter_rows(named=True):
        stop = start + record.pop("__len")
        yield record, start, stop
        start = stop


def refuse_names(names: Iterable[str], reserved: Iterable[str], *, what: str) -> None:
    """Raise ArgumentError for a column named twice, or named as a column of ours (or with two underscores)."""
    names = list(names)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ArgumentError(f"{what} names {', '.join(twice)} twice.")
    taken = [name for name in names if name in set(reserved) or name.startswith("__")]
    if taken:
        raise ArgumentError(
            f"{what} may not hold a column called {', '.join(taken)}, which results use themselves: rename the column."
        )
