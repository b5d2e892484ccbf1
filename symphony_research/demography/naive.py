"""What a projection must beat: alternatives that need no model, as populations by year, sex and age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from symphony_research.demography.projection import Projection, cohort_component_projection
from symphony_research.demography.read import with_keys
from symphony_research.errors import ArgumentError

__all__ = ["EVEN", "EXTRAPOLATED", "HELD", "NATIONAL", "UNMOVED", "alternatives_of"]

HELD = "base held"
EXTRAPOLATED = "five-year growth extrapolated"
UNMOVED = "no migration"
NATIONAL = "national rates alone"
EVEN = "migrants spread evenly"


def alternatives_of(
    projection: Projection, years: Sequence[int], *, history: Any = None, national: Mapping[str, Any] | None = None
) -> dict[str, pl.DataFrame]:
    """Return the naive alternatives to a projection of one area, each with `year`, `sex`, `age`, `persons`.

    Parameters
    ----------
    projection : Projection
    years : sequence of int
    history : frame, optional
        `year` and `persons` of the start and five years before it, summed over whatever else it has.
    national : mapping, optional
        `fertility` and `mortality` of the nation, and `mortality_kind`; by default the projection's own rates stand
        in "no migration".
    """
    tables, settings = projection.count_tables, projection.settings
    base = tables["base"].select("sex", "age", pl.col("persons").cast(pl.Float64))
    at = pl.DataFrame({"year": list(years)})
    found = {HELD: at.join(base, how="cross")}
    if history is not None:
        growth = _five_year_growth(history, settings["start"])
        factor = growth ** ((pl.col("year") - settings["start"]) / 5)
        found[EXTRAPOLATED] = found[HELD].with_columns(pl.col("persons") * factor)
    found[UNMOVED] = _again(projection, years, migration=None)
    if national is not None:
        found[NATIONAL] = _again(projection, years, migration=None, **national)
    even = _even(projection)
    if even is not None:
        found[EVEN] = _again(projection, years, migration=even)
    return found


def _again(projection: Projection, years: Sequence[int], **changed: Any) -> pl.DataFrame:
    tables, settings = projection.count_tables, projection.settings
    given = {
        "fertility": tables["fertility"], "mortality": tables["mortality"], "mortality_kind": settings["mortality_kind"],
        "start": settings["start"], "end": settings["end"], "sex_ratio": settings["sex_ratio"], "held": tables.get("held"),
    }  # fmt: skip
    made = cohort_component_projection(tables["base"], **(given | changed)).estimates
    return made.filter(pl.col("year").is_in(list(years)))


def _even(projection: Projection) -> pl.DataFrame | None:
    """Return each year's net migrants spread over people of every age and sex in proportion to the base."""
    if "migration" not in projection.count_tables:
        return None
    base = projection.count_tables["base"]
    share = base.select("sex", "age", (pl.col("persons") / pl.col("persons").sum()).alias("share"))
    totals = projection.components.group_by("year", maintain_order=True).agg(pl.col("net_migration").sum())
    return totals.join(share, how="cross").select(
        "year", "sex", "age", (pl.col("net_migration") * pl.col("share")).alias("net")
    )


def _five_year_growth(history: Any, start: int) -> float:
    table = with_keys(history, ["year", "persons"], what="history")
    total = dict(table.group_by("year").agg(pl.col("persons").sum()).iter_rows())
    absent = [str(year) for year in (start - 5, start) if not total.get(year)]
    if absent:
        raise ArgumentError(
            f"history has no people in {' and '.join(absent)}: growth is taken from the start and five years before."
        )
    return float(total[start]) / float(total[start - 5])
