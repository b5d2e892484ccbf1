"""Standard errors of a projected need: of the rates, of the people projected, and of both together.

Need is the sum of people times rates. Rates are estimated from a study and people drawn by a stochastic projection, the one
knowing nothing of the other, so that by the law of total variance the variance of the sum is the variance over runs of people
times the rates estimated, plus the mean over runs of the variance that the rates' errors give.

References
----------
Goodman, L. A. (1960). On the exact variance of products. Journal of the American Statistical Association 55, 708-713.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.demography.projection import Projection
from symphony_research.demography.read import SEXES
from symphony_research.demography.uncertainty import FIVE, StochasticProjection
from symphony_research.errors import ArgumentError

__all__ = ["ERRORS", "needs_errors", "people_by_run"]

Array = NDArray[np.float64]
ERRORS = ("standard_error", "of_rates", "of_people", "of_change")


def people_by_run(intervals: StochasticProjection, projection: Projection, years: list[int]) -> Array:
    """Return the people of each run over the mean of the runs, [year, run, sex, five-year age].

    Raises
    ------
    ArgumentError
        If the runs are of another area, variant, base or years than the projection.
    """
    same = ("area_name", "variant", "start", "end", "published")
    other = [name for name in same if intervals.settings.get(name) != projection.settings.get(name)]
    if other:
        raise ArgumentError(
            f"intervals is of another projection: {', '.join(other)} differ. Draw the same projection at random."
        )
    table = intervals.count_tables["runs"].filter(pl.col("year").is_in(years)).sort("year", "sex", "age")
    runs = np.array(table["runs"].to_list()).reshape(len(years), 2, -1, intervals.settings["runs"])
    mean = runs.mean(axis=-1, keepdims=True)
    return np.moveaxis(np.divide(runs, mean, out=np.ones_like(runs), where=mean > 0), -1, 1)


def needs_errors(
    rates: Mapping[str, Array],
    table: pl.DataFrame | None,
    people: Array,
    runs: Array | None,
    growth: Mapping[str, Array],
) -> pl.DataFrame:
    """Return the standard errors of each quantity and year, and of its change since the first year.

    Parameters
    ----------
    rates : mapping of str to (T, 2, A) array
        Of each quantity, by year, sex and single year of age.
    table : polars.DataFrame, optional
        `quantity`, `age` (lowest of the group), `standard_error`, and `sex` and `by_sex` where rates differ by sex: one error a
        group, those of groups independent.
    people : (T, 2, A) array
        Expected.
    runs : (T, runs, 2, A / 5) array, optional
        Of `people_by_run`: people of a single year of age are out by as much as those of its five years.
    growth : mapping of str to (T,) array
        By what rates have grown each year, and their errors with them.

    Returns
    -------
    polars.DataFrame
        `quantity`, `year` (0, 1, ...), `standard_error` (of both), `of_rates`, `of_people` and `of_change`; null where not known.
    """
    drawn = np.ones((len(people), 1, 2, -(-people.shape[-1] // FIVE))) if runs is None else runs
    lows = np.arange(0, people.shape[-1], FIVE)
    rows = []
    for name, rate in rates.items():
        needed = np.einsum("trsg,tsg->tr", drawn, np.add.reduceat(people * rate, lows, axis=-1))
        moved = np.stack([needed, needed - needed[:1]])
        of_people = moved.var(axis=-1, ddof=1 if runs is not None else 0)
        of_rates = np.zeros_like(of_people)
        for cells, error in _groups(name, table, people.shape[-1]):
            own = (
                np.einsum("trsg,tsg->tr", drawn, np.add.reduceat(people * cells, lows, axis=-1)) * growth[name][:, None]
            )
            of_rates += error**2 * (np.stack([own, own - own[:1]]) ** 2).mean(axis=-1)
        both = of_people + of_rates
        for year in range(len(people)):
            parts = (
                None if table is None else _known(of_rates[0, year]),
                None if runs is None else _known(of_people[0, year]),
            )
            rows.append((name, year, _known(both[0, year]), *parts, _known(both[1, year])))
    schema: dict[str, Any] = {"quantity": pl.String, "year": pl.Int64, **dict.fromkeys(ERRORS, pl.Float64)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _known(variance: float) -> float | None:
    """Return the standard error; None where one of the rates was released without its own."""
    return float(np.sqrt(variance)) if np.isfinite(variance) else None


def _groups(name: str, table: pl.DataFrame | None, n_ages: int) -> list[tuple[Array, float]]:
    """Return the cells by sex and age that share one estimated rate, as ones in an array, and the error of that rate."""
    if table is None:
        return []
    part = table.filter(pl.col("quantity") == name).sort("age")
    starts = np.unique(part["age"].to_numpy())
    group = np.searchsorted(starts, np.arange(n_ages), side="right") - 1
    found = []
    for row in part.iter_rows(named=True):
        sex = row.get("sex")
        # what both sexes share is one error, told by the row of the first
        if row["standard_error"] == 0 or (sex == SEXES[1] and not row["by_sex"]):
            continue
        cells = np.zeros((2, n_ages))
        own = [SEXES.index(sex)] if sex is not None and row["by_sex"] else [0, 1]
        cells[own] = group == int(np.searchsorted(starts, row["age"]))
        found.append((cells, float("nan") if row["standard_error"] is None else float(row["standard_error"])))
    return found
