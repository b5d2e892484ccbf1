"""Tidy tables of published figures, read with what stands at their head: title, source, licence, notes.

They are CSV files beside this module, small enough to be read whole. Rows that start with ``#`` are the head.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from symphony_research.errors import require_one_of

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ReferenceTable", "reference_table", "reference_tables"]

_FOLDER = Path(__file__).parent / "data"


@dataclass(frozen=True)
class ReferenceTable:
    """One published table.

    Attributes
    ----------
    name : str
    title : str
        What one row is, and of whom.
    source : str
        Who published it, and where.
    licence : str
    notes : tuple of str
        What a user of the figures must know.
    frame : polars.DataFrame
    """

    name: str
    title: str
    source: str
    licence: str
    notes: tuple[str, ...]
    frame: pl.DataFrame = field(repr=False)


def reference_tables() -> tuple[str, ...]:
    """Return the names of the tables that ship.

    Examples
    --------
    >>> "european_standard_population_2013" in reference_tables()
    True
    """
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.csv")))


@cache
def reference_table(name: str) -> ReferenceTable:
    """Read a table by its name.

    Parameters
    ----------
    name : str
        One of `reference_tables()`.

    Returns
    -------
    ReferenceTable

    Raises
    ------
    ArgumentError
        If there is no such table.

    Examples
    --------
    >>> reference_table("european_standard_population_2013").frame["persons"].sum()
    100000
    """
    import polars as pl

    require_one_of(name, reference_tables(), argument="name")
    path = _FOLDER / f"{name}.csv"
    head = [line[2:] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
    fields: dict[str, list[str]] = {"Source": [], "Licence": [], "Note": []}
    for line in head[1:]:
        key, _, text = line.partition(": ")
        fields[key].append(text)
    (source,), (licence,) = fields["Source"], fields["Licence"]
    return ReferenceTable(
        name, head[0], source, licence, tuple(fields["Note"]), pl.read_csv(path, comment_prefix="#", encoding="utf8")
    )
