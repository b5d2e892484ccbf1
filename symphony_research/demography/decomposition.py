"""A change in a total divided into population size, age-sex structure and rates, exactly.

References
----------
Das Gupta, P. (1993). Standardization and Decomposition of Rates: A User's Manual. US Bureau of the Census, P23-186.
Kitagawa, E. M. (1955). Components of a difference between two rates. Journal of the American Statistical Association
50, 1168-1194.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import as_frame, names_of
from symphony_research.collapse.frames import refuse_names
from symphony_research.demography.published import Tables, _OfPublished, refuse_study
from symphony_research.errors import ArgumentError, require_columns
from symphony_research.result import Disclosure
from symphony_research.words.numbers import number, roughly
from symphony_research.words.phrases import joined

__all__ = ["Decomposition", "decompose", "decomposed", "effects_of"]

CELLS = ("persons_before", "persons_after", "rate_before", "rate_after")
NOTHING = 1e-9  # percent: what is less is the rounding of sums
COMPONENTS = ("population size", "age-sex structure", "rates")
_SAID = {
    "population size": "how many people there are",
    "age-sex structure": "how old people are, not from how many there are",
    "rates": "rates, not from people",
}


class Decomposition(_OfPublished):
    """How much of a change comes from more people, from their ages and sexes, and from rates."""

    title: ClassVar[str] = "What a change comes from"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"published", "quantity"})
    keys: ClassVar[frozenset[str]] = frozenset({"age"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({"change": ("age", *CELLS)})
    shown: ClassVar[tuple[str, ...]] = ("component", "estimate", "percent_of_before")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"component": "Component", "estimate": "Change", "percent_of_before": "Of the total before"}
    )

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Sum the effects over cells; the last row is the whole change."""
        effects, before, after = effects_of(tables["change"])
        totals = [*(float(e.sum()) for e in effects), after - before]
        share = [100 * t / before if before else None for t in totals]
        return pl.DataFrame({"component": [*COMPONENTS, "all"], "estimate": totals, "percent_of_before": share})

    @property
    def by_cell(self) -> pl.DataFrame:
        """Effects of each cell; they add up to the components."""
        self._refuse_undisclosed("The cells of")
        effects, _, _ = effects_of(self.count_tables["change"])
        keys = [c for c in self.count_tables["change"].columns if c not in CELLS]
        named = [pl.Series(name, e) for name, e in zip(COMPONENTS, effects, strict=True)]
        return self.count_tables["change"].select(keys).with_columns(named)

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return expected numbers to three figures, with their sign."""
        if column == "estimate" and abs(record[column]) >= 1:
            return f"{'+' if record[column] >= 0 else '−'}{roughly(abs(record[column]))}"
        if column == "percent_of_before" and record[column] is not None:
            return _signed(record[column])
        return super().format_cell(record, column)

    def sentence(self) -> str:
        """Return the change and its three parts."""
        rows = {row["component"]: row for row in self._derived.iter_rows(named=True)}
        what = self.settings["quantity"]
        whole = rows["all"]["percent_of_before"]
        if whole is None:
            return f"There was no {what} before, so that no change can be divided."
        moved = [name for name in COMPONENTS if abs(rows[name]["percent_of_before"]) > NOTHING]
        parts = "; ".join(f"{name} {_signed(rows[name]['percent_of_before'])}" for name in moved)
        most = max(COMPONENTS, key=lambda name: abs(rows[name]["percent_of_before"]))
        told = f" Most of it comes from {_SAID[most]}." if abs(whole) > NOTHING else ""
        if not moved:
            return f"{what[:1].upper()}{what[1:]} did not change."
        still = [name for name in COMPONENTS if name not in moved]
        kept = f"; {joined(still)} as before" if still else ""
        return f"{what[:1].upper()}{what[1:]} changed by {_signed(whole)}: {parts}{kept}.{told}"


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else '−'}{number(abs(value))}%" if abs(value) > NOTHING else "none"


def effects_of(table: pl.DataFrame) -> tuple[tuple[np.ndarray, ...], float, float]:
    """Return the effects of size, structure and rates by cell, and the totals before and after.

    Three factors, total people N, shares c and rates r: an effect is the change of one with the others averaged
    over all orders in which the factors may change.
    """
    p1, p2, r1, r2 = (table[c].to_numpy().astype(float) for c in CELLS)
    n1, n2 = p1.sum(), p2.sum()
    c1, c2 = p1 / n1, p2 / n2

    def averaged(a1: Any, a2: Any, b1: Any, b2: Any) -> Any:
        return (a1 * b1 + a2 * b2) / 3 + (a1 * b2 + a2 * b1) / 6

    size = (n2 - n1) * averaged(c1, c2, r1, r2)
    structure = (c2 - c1) * averaged(n1, n2, r1, r2)
    rates = (r2 - r1) * averaged(n1, n2, c1, c2)
    return (size, structure, rates), float((p1 * r1).sum()), float((p2 * r2).sum())


def decompose(
    before: Any,
    after: Any,
    *,
    by: str | Sequence[str] = ("sex", "age"),
    quantity: str = "the total",
    published: str | None = None,
) -> Decomposition:
    """Divide the change of a total into population size, age-sex structure and rates.

    Parameters
    ----------
    before, after : frame
        The columns of `by`, `persons` and `rate`: the total is the sum of their product.
    by : str or sequence of str
        Columns that make the cells.
    quantity : str
        What the total is, in words, such as "bed-days".
    published : str, optional
        The published source of people and rates; needed before the result may be released. The change of a projected
        need is divided by its own method `decomposition`, which knows whether its rates were released.

    Returns
    -------
    Decomposition
        `component` (population size, age-sex structure, rates, all), `estimate`, `percent_of_before`; `.by_cell`.

    Raises
    ------
    ArgumentError
        On cells of the one that the other lacks, missing values, or nobody.

    Notes
    -----
    The three effects add up to the change exactly, whatever the order: each is averaged over the orders in which the
    factors may change.

    References
    ----------
    Das Gupta, P. (1993). Standardization and Decomposition of Rates: A User's Manual. US Bureau of the Census.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> cells = {"sex": ["F", "F"], "age": [0, 65]}
    >>> before = pl.DataFrame({**cells, "persons": [80, 20], "rate": [1.0, 5.0]})
    >>> after = pl.DataFrame({**cells, "persons": [80, 40], "rate": [1.0, 4.0]})
    >>> sr.demography.decompose(before, after).estimates["estimate"].round(2).to_list()
    [38.44, 51.11, -29.56, 60.0]
    """
    refuse_study(published, before, after)
    return decomposed(before, after, by=names_of(by), quantity=quantity, published=published)


def decomposed(
    before: Any,
    after: Any,
    *,
    by: tuple[str, ...],
    quantity: str,
    published: str | None,
    disclosure: Disclosure | None = None,
) -> Decomposition:
    """Return what `decompose` does, of rates that may have passed disclosure control."""
    keys = by
    refuse_names(keys, CELLS, what="by")
    parts = []
    for frame, when in ((before, "before"), (after, "after")):
        table = as_frame(frame)
        require_columns(table.columns, [*keys, "persons", "rate"], what=when)
        missing = sum(table[c].null_count() for c in (*keys, "persons", "rate"))
        if missing:
            raise ArgumentError(f"{when} has {missing} missing values. Fill them in, or exclude the cells from both.")
        if table.select(keys).n_unique() < table.height:
            raise ArgumentError(f"{when} has more than one row for a cell by {', '.join(keys)}.")
        if float(table["persons"].sum()) <= 0 or bool((table["persons"] < 0).any()):
            raise ArgumentError(f"{when} has nobody, or people below zero.")
        parts.append(table.select(*keys, pl.col("persons").cast(pl.Float64).alias(f"persons_{when}"), pl.col("rate").cast(pl.Float64).alias(f"rate_{when}")))  # fmt: skip
    joined = parts[0].join(parts[1], on=list(keys), how="inner", maintain_order="left")
    if joined.height < max(part.height for part in parts):
        raise ArgumentError(
            f"before has {parts[0].height} cells by {', '.join(keys)}, after {parts[1].height}, and {joined.height} are in both: give "
            "the same cells, with nobody where there is nobody."
        )
    settings = {
        "method": "Das Gupta's decomposition",
        "reference": "Das Gupta 1993",
        "quantity": quantity,
        "published": published,
    }
    strata = tuple(name for name in keys if name != "age")
    return Decomposition({"change": joined.select(*keys, *CELLS)}, settings, strata, disclosure)
