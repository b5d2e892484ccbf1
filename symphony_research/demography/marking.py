"""South Somerset's projection, written to be marked against later estimates, and its mark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from symphony_research.demography.back_testing import ALL, OURS, BackTest, back_test
from symphony_research.demography.naive import alternatives_of
from symphony_research.demography.projection import OLD, VERY_OLD
from symphony_research.demography.south_somerset import (
    PUBLISHED,
    START,
    VARIANTS,
    project_south_somerset,
    project_south_somerset_at_random,
)
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.files import write_in_place
from symphony_research.reference import reference_table

__all__ = ["FORECAST_OF_2013", "YEARS", "mark_south_somerset", "write_south_somerset"]

YEARS = (2017, 2019, 2020, 2021)
RUNS, SEED = 1000, 2013
# the programme's forecast of growth from 2013 to 2021
FORECAST_OF_2013 = {OLD: 1.20, VERY_OLD: 1.30}
FORECAST_FROM, FORECAST_TO, FORECAST = 2013, 2021, "forecast of 2013"


def national_rates() -> dict[str, Any]:
    """Return national fertility and mortality as they ship, without a local level."""
    rates = reference_table("national_fertility").frame
    return {
        "fertility": rates.select("year", "age", pl.col("principal").alias("rate")),
        "mortality": reference_table("national_mortality_shape").frame,
        "mortality_kind": "probability",
    }


def history() -> pl.DataFrame:
    """Return the totals of mid-2001 to mid-2012."""
    return reference_table("south_somerset_components").frame.select("year", "persons")


def write_south_somerset(
    out: str | Path,
    *,
    years: Sequence[int] = YEARS,
    variant: str = "principal",
    runs: int = RUNS,
    seed: int = SEED,
) -> str:
    """Write the built-in projection by sex and single year of age, with intervals, beside the naive alternatives.

    Parameters
    ----------
    out : path
        A folder; it is made where there is none. `projection.csv` (`year`, `sex`, `age`, `persons` and limits of 80% and
        95% intervals), `alternatives.csv` (`forecast`, `year`, `sex`, `age`, `persons`), `components.csv`, `README.md`.
    years : sequence of int
        Mid-years to write.
    variant, runs, seed : str, int, int
        As in `project_south_somerset_at_random`.

    Returns
    -------
    str
        The projection in a sentence.

    Raises
    ------
    ArgumentError
        On years before 2012 or beyond 2043.
    """
    require_one_of(variant, VARIANTS, argument="variant")
    wanted = sorted(set(years))
    if not wanted or wanted[0] <= START:
        raise ArgumentError(f"years={wanted} must be mid-years after {START}.")
    folder, end = Path(out), wanted[-1]
    projected = project_south_somerset(end=end, variant=variant)
    drawn = project_south_somerset_at_random(end=end, variant=variant, runs=runs, seed=seed)
    limits = drawn.estimates.select("year", "sex", "age", "lower_95", "lower_80", "upper_80", "upper_95")
    table = projected.estimates.join(limits, on=["year", "sex", "age"], how="left", maintain_order="left")
    table = table.filter(pl.col("year").is_in(wanted))
    others = alternatives_of(projected, wanted, history=history(), national=national_rates())
    naive = pl.concat(
        frame.select(pl.lit(name).alias("forecast"), "year", "sex", "age", "persons") for name, frame in others.items()
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in (("projection", table), ("alternatives", naive), ("components", projected.components)):
        write_in_place(folder / f"{name}.csv", frame.write_csv(float_precision=3))
    named = ", ".join(map(str, wanted))
    write_in_place(
        folder / "README.md",
        f"# South Somerset at mid-{named}\n\n{projected.sentence()}\n\n{drawn.sentence()}\n\n"
        f"Variant {variant}; {runs:,} runs, seed {seed}. Source: {PUBLISHED}.\n\n"
        f"{chr(10).join('* ' + note for note in projected.notes(()))}\n\n"
        "Assumptions and their reasons: docs/decisions/0014-projection-of-south-somerset.md.\n",
    )
    return projected.sentence()


def mark_south_somerset(actual: Any, *, published: str | None = None) -> BackTest:
    """Compare the built-in projection with later estimates, beside naive alternatives and the forecast of 2013.

    Parameters
    ----------
    actual : frame
        `year`, `sex`, `age`, `persons`, of any years from 2012 on. With mid-2013 among them the forecast of 2013 grows from
        it, else from what is projected for it. Leave 2011 out where the estimates are of another basis.
    published : str, optional
        The source of `actual`; needed before the result may be released.

    Returns
    -------
    BackTest
        As `back_test` returns, with the coverage of intervals by age; "forecast of 2013" has rows of 65 and over and 85
        and over, of both sexes.

    Raises
    ------
    ArgumentError
        As `back_test` does.

    References
    ----------
    Smith, S. K., Tayman, J. and Swanson, D. A. (2013). A Practitioner's Guide to State and Local Population
    Projections, chapter 13. Springer.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> later = sr.demography.project_south_somerset(end=2013, variant="high").estimates.filter(pl.col("year") == 2013)
    >>> "forecast of 2013" in sr.demography.mark_south_somerset(later).estimates["forecast"].to_list()
    True
    """
    from symphony_research.demography.read import with_keys

    known = with_keys(actual, ["year", "sex", "age", "persons"], what="actual", optional=("basis",))
    end = int(known["year"].max())  # type: ignore[arg-type]
    if end <= START:
        raise ArgumentError(f"actual has no year after {START}.")
    projected = project_south_somerset(end=end)
    tested = back_test(
        projected,
        known,
        history=history(),
        national=national_rates(),
        intervals=project_south_somerset_at_random(end=end, runs=RUNS, seed=SEED),
        published=published,
    )
    errors = tested.count_tables["errors"]
    rows = [errors]
    for low, growth in FORECAST_OF_2013.items():
        ages = f"{low} and over"
        own = errors.filter((pl.col("forecast") == OURS) & (pl.col("sex") == ALL) & (pl.col("ages") == ages))
        if end < FORECAST_FROM:
            continue
        of_2013 = known.filter((pl.col("year") == FORECAST_FROM) & (pl.col("age") >= low))
        before = float(of_2013["persons"].sum()) if of_2013.height else projected.people(FORECAST_FROM, (low, None))
        since = (pl.col("year") - FORECAST_FROM) / (FORECAST_TO - FORECAST_FROM)
        later = own.filter(pl.col("year") >= FORECAST_FROM)
        rows.append(later.with_columns(pl.lit(FORECAST).alias("forecast"), (before * growth**since).alias("persons")))
    return BackTest({**tested.count_tables, "errors": pl.concat(rows)}, dict(tested.settings), tested.by)
