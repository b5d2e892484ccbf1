"""How well a projection did: its errors beside those of naive alternatives, its intervals, and where the error came from.

References
----------
Smith, S. K., Tayman, J. and Swanson, D. A. (2013). A Practitioner's Guide to State and Local Population Projections,
chapter 13. Springer.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.demography.naive import alternatives_of
from symphony_research.demography.projection import OLD, VERY_OLD, Projection
from symphony_research.demography.published import Tables, _OfPublished, refuse_study
from symphony_research.demography.read import SEXES, Axes, of_one_basis, to_array, with_keys
from symphony_research.demography.uncertainty import StochasticProjection
from symphony_research.errors import ArgumentError
from symphony_research.words.numbers import number

__all__ = ["ALL", "BackTest", "back_test"]

OURS, ALL = "projection", "all"
SAME_BASE = 0.001  # by how much totals of one basis may differ at the start
WIDTH = 5
COMPONENTS = ("births", "deaths", "net_migration")


class BackTest(_OfPublished):
    """Errors of a projection and of naive alternatives, by total, five-year age group and sex."""

    title: ClassVar[str] = "Projection against what happened"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"start", "years", "published", "area_name", "variant", "basis"})
    keys: ClassVar[frozenset[str]] = frozenset({"forecast", "year", "ages", "component"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {
            "errors": ("forecast", "year", "ages", "persons", "actual"),
            "coverage": ("year", "ages", "n_cells", "inside_80", "inside_95"),
            "contributions": ("year", "component", "error"),
        }
    )
    shown: ClassVar[tuple[str, ...]] = ("forecast", "year", "ages", "persons", "actual", "error", "percent_error")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "forecast": "Forecast", "year": "Mid-year", "ages": "Ages", "persons": "Projected", "actual": "Estimated since",
            "error": "Error", "percent_error": "Error, %",
        }
    )  # fmt: skip

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Projected less actual, and that as a percentage of the actual."""
        error = pl.col("persons") - pl.col("actual")
        percent = pl.when(pl.col("actual") > 0).then(100 * error / pl.col("actual"))
        return tables["errors"].with_columns(error.alias("error"), percent.alias("percent_error"))

    @property
    def summary(self) -> pl.DataFrame:
        """One row a forecast and year: percentage errors of the total, over 65, over 85, and the mean over ages.

        `mean_percent_error` is the mean of absolute percentage errors over five-year age groups of both sexes together;
        `misplaced_percent`, half the sum of absolute errors over sex and five-year ages as a percentage of all people.
        """
        self._refuse_undisclosed("The summary of")
        return _summary(self._derived)

    @property
    def coverage(self) -> pl.DataFrame:
        """Share of cells by sex and single year of age inside the intervals, by ten-year age; empty without intervals."""
        self._refuse_undisclosed("The coverage of")
        return self.count_tables.get("coverage", pl.DataFrame())

    @property
    def contributions(self) -> pl.DataFrame:
        """What births, deaths, migration and other change contributed to the error of the total since the start."""
        self._refuse_undisclosed("The contributions of")
        return self.count_tables.get("contributions", pl.DataFrame())

    def sentence(self) -> str:
        """Return the error of the last year beside the best naive alternative."""
        year = max(self.settings["years"])
        rows = _summary(self._derived).filter(pl.col("year") == year)
        ours = rows.filter(pl.col("forecast") == OURS).row(0, named=True)
        others = rows.filter(pl.col("forecast") != OURS).sort("mean_percent_error")
        best = others.row(0, named=True)
        side = "above" if ours["total_percent_error"] >= 0 else "below"
        return (
            f"At mid-{year} the projection was {number(abs(ours['total_percent_error']))}% {side} the actual population, and out by "
            f"{number(ours['mean_percent_error'])}% in a mean five-year age group; the best naive alternative "
            f"({best['forecast']}) by {number(best['mean_percent_error'])}%."
        )


def _summary(errors: pl.DataFrame) -> pl.DataFrame:
    every = errors.filter(pl.col("sex") == ALL)
    # as text, age groups start with a digit; those of everybody over an age are no parts
    parts = ~pl.col("ages").is_in([_over(0), _over(OLD), _over(VERY_OLD)])
    keys = ["forecast", "year"]
    wide = every.filter(~parts).pivot("ages", index=keys, values="percent_error")
    wide = wide.rename(
        {
            _over(0): "total_percent_error",
            _over(OLD): "over_65_percent_error",
            _over(VERY_OLD): "over_85_percent_error",
        },
        strict=False,
    )
    mean = every.filter(parts).group_by(keys).agg(pl.col("percent_error").abs().mean().alias("mean_percent_error"))
    cells = errors.filter((pl.col("sex") != ALL) & parts)
    misplaced = cells.group_by(keys).agg(
        (50 * pl.col("error").abs().sum() / pl.col("actual").sum()).alias("misplaced_percent")
    )
    return wide.join(mean, on=keys, maintain_order="left").join(misplaced, on=keys, maintain_order="left")


def _over(low: int) -> str:
    return f"{low} and over" if low else "all ages"


def _grouped(frame: pl.DataFrame, oldest: int, name: str) -> pl.DataFrame:
    """Return people by year, sex (each and all) and age group (each, all, over 65, over 85)."""
    low = (pl.col("age") // WIDTH) * WIDTH
    label = pl.when(low >= oldest).then(pl.format("{}+", low)).otherwise(
        pl.concat_str(low.cast(pl.String).str.zfill(2), pl.lit("-"), (low + WIDTH - 1).cast(pl.String).str.zfill(2))
    )  # fmt: skip
    tables = [frame.with_columns(label.alias("ages"))]
    for least in (0, OLD, VERY_OLD):
        if least <= oldest:
            tables.append(frame.filter(pl.col("age") >= least).with_columns(pl.lit(_over(least)).alias("ages")))
    long = pl.concat([table.select("year", "sex", "ages", "persons") for table in tables])
    both = pl.concat([long, long.with_columns(pl.lit(ALL).alias("sex"))])
    return both.group_by("year", "sex", "ages", maintain_order=True).agg(pl.col("persons").sum().alias(name))


def back_test(
    projection: Projection,
    actual: Any,
    *,
    history: Any = None,
    national: Mapping[str, Any] | None = None,
    alternatives: Mapping[str, Any] | None = None,
    components: Any = None,
    intervals: StochasticProjection | None = None,
    published: str | None = None,
) -> BackTest:
    """Compare a projection of one area with what happened, and with what naive alternatives would have said.

    Parameters
    ----------
    projection : Projection
    actual : frame
        `year`, `sex`, `age`, `persons`, of the same open age or an older one; a column `basis` where it is known. Where it
        has the start year, its total must be the base's: else two bases would be mixed.
    history : frame, optional
        `year`, `persons` of the start and of five years before: adds the extrapolation of five-year growth.
    national : mapping, optional
        `fertility` and `mortality` of the nation (and `mortality_kind`): adds national rates alone, without migration.
    alternatives : mapping of str to Projection or frame, optional
        Others to compare with, by name.
    components : frame, optional
        `year`, `births`, `deaths`, `net_migration` as they happened, summed over whatever else it has: adds what each
        component contributed to the error of the total.
    intervals : StochasticProjection, optional
        Adds the share of cells inside its intervals.
    published : str, optional
        The source of `actual`; needed before the result may be released.

    Returns
    -------
    BackTest
        `forecast`, `year`, `sex` (F, M, all), `ages`, `persons` (projected), `actual`, `error`, `percent_error`; `.summary`,
        `.coverage`, `.contributions`. Base held, no migration and migrants spread evenly are always run beside it.

    Raises
    ------
    ArgumentError
        On two bases, no year in common, or missing cells.

    Notes
    -----
    The error of a total is that of births, less deaths, plus net migration, less other change, each added up since the
    start; the four sum to it exactly.

    References
    ----------
    Smith, S. K., Tayman, J. and Swanson, D. A. (2013). A Practitioner's Guide to State and Local Population
    Projections, chapter 13. Springer.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> projected = sr.demography.project_south_somerset(end=2012)
    >>> as_projected = projected.estimates.filter(pl.col("year") == 2012)
    >>> sr.demography.back_test(projected, as_projected).summary["total_percent_error"][0]
    0.0
    """
    if projection.areas_by:
        raise ArgumentError("back_test compares one area: project and compare each by itself.")
    refuse_study(published, actual)
    settings = projection.settings
    oldest = int(projection.count_tables["base"]["age"].max())  # type: ignore[arg-type]
    known = _actual(actual, settings, oldest, projection)
    years = sorted(set(known["year"].to_list()) - {settings["start"]})
    methods: dict[str, pl.DataFrame] = {OURS: projection.estimates.filter(pl.col("year").is_in(years))}
    methods |= alternatives_of(projection, years, history=history, national=national)
    for name, other in (alternatives or {}).items():
        methods[name] = _people(other, years, oldest, name)
    real = _grouped(known.filter(pl.col("year").is_in(years)), oldest, "actual")
    rows = []
    for name, frame in methods.items():
        made = _grouped(frame.select("year", "sex", "age", "persons"), oldest, "persons")
        joined = made.join(real, on=["year", "sex", "ages"], how="left", maintain_order="left")
        rows.append(joined.select(pl.lit(name).alias("forecast"), "year", "sex", "ages", "persons", "actual"))
    tables = {"errors": pl.concat(rows)}
    if intervals is not None:
        tables["coverage"] = _coverage(intervals, known, years)
    if components is not None:
        tables["contributions"] = _contributions(projection, known, components, years)
    sources = [source for source in (settings.get("published"), published) if source]
    own = {
        "method": "projected less actual, beside naive alternatives",
        "reference": "Smith, Tayman and Swanson 2013",
        "start": settings["start"],
        "years": years,
        "published": "; compared with: ".join(sources) if len(sources) == 2 else None,
        **{name: settings.get(name) for name in ("area_name", "variant", "basis")},
    }
    return BackTest(tables, own, ("sex",))


def _actual(frame: Any, settings: Mapping[str, Any], oldest: int, projection: Projection) -> pl.DataFrame:
    table = with_keys(frame, ["year", "sex", "age", "persons"], what="actual", optional=("basis",))
    basis = of_one_basis(table, what="actual")
    if basis and settings.get("basis") and basis != settings["basis"]:
        raise ArgumentError(
            f"The projection starts from the basis '{settings['basis']}' and actual is of the basis '{basis}': their difference "
            "would pass for an error. Compare populations of one basis."
        )
    start, end = settings["start"], settings["end"]
    found = sorted({*table["year"].to_list()} & set(range(start, end + 1)))
    if not set(found) - {start}:
        raise ArgumentError(f"actual has none of the years {start + 1} to {end} that were projected.")
    known = _people(table, found, oldest, "actual")
    before = float(known.filter(pl.col("year") == start)["persons"].sum())
    base = projection.people(start)
    if before and abs(before - base) > SAME_BASE * base:
        raise ArgumentError(
            f"actual has other people at mid-{start} than the base of the projection (by {100 * abs(before / base - 1):.2g}%): "
            "two bases are mixed, such as a census and an estimate, or estimates before and after a revision. Use the series "
            "that the base belongs to, or leave the start year out to compare across a revision on purpose."
        )
    return known


def _people(other: Any, years: list[int], oldest: int, name: str) -> pl.DataFrame:
    """Return people of each year, sex and age up to the open age of the projection; every cell must be there."""
    frame = other.estimates if isinstance(other, Projection) else other
    table = with_keys(frame, ["year", "sex", "age", "persons"], what=name).filter(pl.col("year").is_in(years))
    table = table.with_columns(pl.col("age").clip(0, oldest), pl.col("persons").cast(pl.Float64))
    table = table.group_by("year", "sex", "age", maintain_order=True).agg(pl.col("persons").sum())
    axes = Axes((("year", tuple(years)), ("sex", SEXES), ("age", tuple(range(oldest + 1)))))
    to_array(table, axes, ["persons"], what=name)
    return table.sort("year", "sex", "age")


def _coverage(intervals: StochasticProjection, known: pl.DataFrame, years: list[int]) -> pl.DataFrame:
    cells = intervals.estimates.join(
        known.rename({"persons": "actual"}), on=["year", "sex", "age"], how="inner", maintain_order="left"
    )
    inside = {
        f"inside_{level}": pl.col("actual").is_between(f"lower_{level}", f"upper_{level}").mean() for level in (80, 95)
    }
    decade = (pl.col("age") // 10) * 10
    label = pl.concat_str(decade.cast(pl.String).str.zfill(2), pl.lit("-"), (decade + 9).cast(pl.String))
    parts = []
    chosen = cells.filter(pl.col("year").is_in(years))
    for ages, frame in ((label, chosen), (pl.lit(_over(0)), chosen)):
        grouped = frame.with_columns(ages.alias("ages")).group_by("year", "ages", maintain_order=True)
        parts.append(grouped.agg(pl.len().cast(pl.Int64).alias("n_cells"), **inside))
    return pl.concat(parts).sort("year", "ages")


def _contributions(projection: Projection, known: pl.DataFrame, components: Any, years: list[int]) -> pl.DataFrame:
    start = projection.settings["start"]
    happened = with_keys(components, ["year", *COMPONENTS], what="components")
    happened = happened.group_by("year").agg(pl.col(c).cast(pl.Float64).sum() for c in COMPONENTS)
    ours = projection.components.group_by("year").agg(pl.col(c).sum() for c in COMPONENTS)
    base = projection.people(start)
    rows: list[tuple[int, str, float]] = []
    for year in years:
        span = pl.col("year").is_between(start + 1, year)
        real = happened.filter(span)
        if real.height < year - start:
            raise ArgumentError(
                f"components has {real.height} of the {year - start} years from {start + 1} to {year}. Give every year."
            )
        made = ours.filter(span)
        sums = {c: float(made[c].sum()) - float(real[c].sum()) for c in COMPONENTS}
        change = float(known.filter(pl.col("year") == year)["persons"].sum()) - base
        explained = sum(sign * float(real[c].sum()) for c, sign in zip(COMPONENTS, (1, -1, 1), strict=True))
        rows += [
            (year, "births", sums["births"]),
            (year, "deaths", -sums["deaths"]),
            (year, "migration", sums["net_migration"]),
            (year, "other change", -(change - explained)),
        ]
    return pl.DataFrame(rows, schema=["year", "component", "error"], orient="row")
