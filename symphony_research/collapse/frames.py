"""The entry point of frame arguments: anything narwhals can read becomes a Polars frame."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import polars as pl

from symphony_research.collapse.collapsed import Collapsed
from symphony_research.errors import ArgumentError, require_columns

__all__ = [
    "as_frame",
    "as_lazy",
    "column_names",
    "names_of",
    "native_frame",
    "refuse_names",
    "refuse_no_frame",
    "runs",
]


def as_lazy(
    frame: Any, *, columns: Iterable[str] | None = None, optional: Iterable[str] = (), what: str = "frame"
) -> pl.LazyFrame:
    """Return any frame that narwhals can read as a Polars LazyFrame.

    Parameters
    ----------
    frame : frame
        Polars (eager or lazy), pandas, Arrow, DuckDB, PySpark, ...
    columns : iterable of str, optional
        Take these alone; only they are brought out of another engine.
    optional : iterable of str, optional
        Take these too where they are there.
    what : str
        Name of the argument, for messages.

    Raises
    ------
    ArgumentError
        If it is not a frame, lacks a column, or holds one that Polars cannot read.
    """
    wanted = None if columns is None else list(dict.fromkeys(columns))
    native = native_frame(frame, columns=wanted, optional=optional, what=what)
    if isinstance(native, pl.LazyFrame):
        return native
    import narwhals as nw

    try:
        eager = native.collect(backend="polars") if isinstance(native, nw.LazyFrame) else native
        made = eager.to_polars()
    except ImportError:
        # pandas text columns reach Polars through pyarrow where it is there, and by hand where it is not
        made = pl.DataFrame({name: _by_hand(eager[name]) for name in eager.columns})
    except Exception as fault:
        _refuse_columns(native, wanted, what, fault)
    return _in_order(made, frame).lazy()


def native_frame(
    frame: Any, *, columns: Iterable[str] | None, optional: Iterable[str] = (), what: str = "frame"
) -> Any:
    """Return a frame as a Polars LazyFrame where it is Polars', else as narwhals has it, with the columns asked for.

    Raises
    ------
    ArgumentError
        If it is not a frame or lacks a column; with the columns that it has.
    """
    wanted = None if columns is None else list(dict.fromkeys(columns))
    if isinstance(frame, Collapsed):
        frame = frame.to_frame()
    if isinstance(frame, pl.DataFrame | pl.LazyFrame):
        lazy = frame.lazy()
        if wanted is not None:
            require_columns(lazy.collect_schema().names(), wanted, what=what)
        return lazy
    if _is_pandas(frame):
        frame = _plain_pandas(frame, wanted, optional, what)
    # narwhals takes 70 ms to import, so only those who need it pay
    import narwhals as nw

    try:
        native = nw.from_native(frame)
    except TypeError:
        refuse_no_frame(frame)
    if wanted is None:
        return native
    return native.select(_chosen(native.collect_schema().names(), wanted, optional, what))


def _chosen(present: list[str], wanted: list[str], optional: Iterable[str], what: str) -> list[str]:
    """Return the columns wanted, which must be there, and those of the optional ones that are."""
    require_columns(present, wanted, what=what)
    return [*wanted, *(name for name in optional if name in present and name not in wanted)]


def refuse_no_frame(frame: Any) -> NoReturn:
    """Say that a frame was needed."""
    raise ArgumentError(
        f"A frame is needed (Polars, pandas, Arrow, DuckDB or PySpark), not {type(frame).__name__}."
    ) from None


def _refuse_columns(native: Any, wanted: Iterable[str] | None, what: str, fault: Exception) -> NoReturn:
    """Say which columns could not be read, by their types; what another library says of them may hold values."""
    schema = native.collect_schema()
    kinds = ", ".join(f"'{name}' is {schema[name]}" for name in (wanted or schema.names()) if name in schema.names())
    raise ArgumentError(
        f"{what} could not be read ({type(fault).__name__}): {kinds}. Make each of them a number, text, a date, or yes and no."
    ) from None


def _is_pandas(frame: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(frame, pandas.DataFrame)


def _plain_pandas(frame: Any, wanted: list[str] | None, optional: Iterable[str], what: str) -> Any:
    """Return a pandas frame with text for names, and columns of the plain kinds that every engine has."""
    import pandas

    names = [str(name) for name in frame.columns]
    chosen = names if wanted is None else _chosen(names, wanted, optional, what)
    twice = sorted({name for name in chosen if names.count(name) > 1})
    if twice:
        raise ArgumentError(
            f"{what} has more than one column called {', '.join(map(repr, twice))}: rename all but one."
        )
    taken = {name: _plain_series(frame.iloc[:, names.index(name)], name, what) for name in chosen}
    return pandas.DataFrame(taken, index=frame.index)


def _plain_series(series: Any, name: str, what: str) -> Any:
    import pandas

    kind = series.dtype
    if isinstance(kind, pandas.SparseDtype):
        return series.sparse.to_dense()
    if isinstance(kind, pandas.CategoricalDtype):
        return series if pandas.api.types.infer_dtype(kind.categories) == "string" else _as_text(series)
    if isinstance(kind, pandas.IntervalDtype | pandas.PeriodDtype):
        return _as_text(series)
    if pandas.api.types.is_object_dtype(kind):
        held = str(pandas.api.types.infer_dtype(series, skipna=True))
        if held in ("interval", "period"):
            return _as_text(series)
        if held.startswith("mixed"):
            raise ArgumentError(
                f"Column '{name}' of {what} holds values of several kinds ({held}): make them one kind."
            )
    return series


def _as_text(series: Any) -> Any:
    """Return the text of each value, a missing value where there is none; of categories in their order."""
    import pandas

    if isinstance(series.dtype, pandas.CategoricalDtype):
        return series.cat.rename_categories([str(value) for value in series.cat.categories])
    return series.map(str, na_action="ignore").astype(object).where(series.notna(), None)


def _in_order(made: pl.DataFrame, frame: Any) -> pl.DataFrame:
    """Return ordered categories of pandas as what Polars sorts in that order, and others as text."""
    kinds = [pl.col(name).cast(pl.String) for name, kind in made.schema.items() if kind == pl.Categorical]
    made = made.with_columns(kinds) if kinds else made
    if not _is_pandas(frame):
        return made
    import pandas

    listed = {
        str(name): [str(value) for value in kind.categories]
        for name, kind in zip(frame.columns, frame.dtypes, strict=True)
        if isinstance(kind, pandas.CategoricalDtype) and kind.ordered
    }
    return made.with_columns(pl.col(name).cast(pl.Enum(listed[name])) for name in made.columns if name in listed)


def _by_hand(series: Any) -> Any:
    """Return a column as an array, or as a list with None in its missing values."""
    gaps = series.is_null()
    if series.dtype.is_numeric() and not gaps.any():
        return series.to_numpy()
    return [None if gap else value for gap, value in zip(gaps.to_list(), series.to_list(), strict=True)]


def as_frame(frame: Any) -> pl.DataFrame:
    """Return any frame that narwhals can read as an eager Polars DataFrame."""
    return frame if isinstance(frame, pl.DataFrame) else as_lazy(frame).collect()


def names_of(names: str | Iterable[str] | None, known: Iterable[str] = ()) -> tuple[str, ...]:
    """Return a name, names between commas, or a sequence of names as a tuple; a name that is known may hold a comma itself."""
    if names is None:
        return ()
    if isinstance(names, str):
        if "," in names and names in known:
            return (names,)
        return tuple(name for part in names.split(",") if (name := part.strip()))
    return tuple(names)


def column_names(frame: Any) -> list[str]:
    """Return the names of a frame's columns, of any engine; none of what is no frame."""
    if isinstance(frame, pl.DataFrame | pl.LazyFrame):
        return frame.collect_schema().names()
    columns = getattr(frame, "column_names", None) or getattr(frame, "columns", None)
    return [] if columns is None or callable(columns) else [str(name) for name in columns]


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
