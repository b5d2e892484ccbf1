"""Directly standardised rates, with limits by Dobson's method from Byar's approximation.

References
----------
Dobson, A. J., Kuulasmaa, K., Eberle, E. and Scherer, J. (1991). Confidence intervals for weighted sums of Poisson
parameters. Statistics in Medicine 10, 457-462.
Breslow, N. E. and Day, N. E. (1987). Statistical Methods in Cancer Research, volume II, 69. IARC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse import as_frame, column_names, names_of
from symphony_research.collapse.frames import refuse_names
from symphony_research.demography.published import Tables, _OfPublished, refuse_study
from symphony_research.demography.read import band_starts, whole_ages
from symphony_research.errors import ArgumentError, require_columns, require_one_of
from symphony_research.inference import normal_quantile
from symphony_research.reference import reference_table
from symphony_research.result import Disclosure, Result
from symphony_research.words.lexicon import NOT_AVAILABLE, outcome
from symphony_research.words.numbers import number
from symphony_research.words.phrases import strata_words

__all__ = ["StandardisedRate", "byar_limits", "standardised_rate"]

Array = NDArray[np.float64]
STANDARDS = {"ESP2013": "european_standard_population_2013"}
FEWEST = 10  # events, below which no rate is given: public health practice in England
FIGURES = ("estimate", "lower", "upper")
CARRIED = ("study", "fingerprint", "generated", "note", "period", "population", "event_name")


class StandardisedRate(_OfPublished):
    """Events per so many person-years, each stratum with the age structure of one standard population.

    Of published counts it is shown as it is; of a study, it follows from released rates and is released with them.
    """

    title: ClassVar[str] = "Directly standardised rate"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {"per", "events", "person_years", "standard_population", "published"}
    )
    keys: ClassVar[frozenset[str]] = frozenset({"band_start"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"ages": ("band_start", "expected_events", "person_years", "weight")}
    )
    shown: ClassVar[tuple[str, ...]] = ("events", "person_years", *FIGURES)

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings, what the rate is per among them."""
        return MappingProxyType(
            {
                "events": "Events", "person_years": "Person-years",
                "estimate": f"Standardised rate per {number(self.settings['per'])}",
            }
        )  # fmt: skip

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Weighted mean of the rates by age."""
        rows = []
        groups = tables["ages"].partition_by(by, maintain_order=True) if by else [tables["ages"]]
        for part in groups:
            d, n, w = (part[c].to_numpy().astype(float) for c in ("expected_events", "person_years", "weight"))
            values = _standardised(d, n, w, settings["confidence"])
            total = float(d.sum())
            scaled = [None if total < FEWEST or not np.isfinite(v) else v * settings["per"] for v in values]
            crude = settings["per"] * total / n.sum() if n.sum() and total >= FEWEST else None
            rows.append([*(part[name][0] for name in by), total, float(n.sum()), crude, *scaled])
        kinds = {name: tables["ages"].schema[name] for name in by}
        numbers = dict.fromkeys(("events", "person_years", "crude", *FIGURES), pl.Float64)
        schema: dict[str, Any] = {**kinds, **numbers}
        return pl.DataFrame(rows, schema=schema, orient="row")

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return that a rate is not given on so few events."""
        return NOT_AVAILABLE

    def sentence(self) -> str:
        """Return the rate, or the highest and the lowest."""
        per = f"per {number(self.settings['per'])} person-years"
        what = f"age-standardised rate of {outcome(self.settings.get('event_name'))}"
        known = self.estimates.filter(pl.col("estimate").is_not_null()).sort("estimate")
        if not known.height:
            return f"The {what} cannot be shown: a rate is not given on fewer than {FEWEST} events."
        low, high = known.row(0, named=True), known.row(-1, named=True)

        def said(row: Mapping[str, Any]) -> str:
            interval = f"{number(row['lower'])} to {number(row['upper'])}"
            return f"{number(row['estimate'])} ({100 * self.settings['confidence']:g}% CI {interval})"

        if known.height == 1:
            return f"The {what} was {said(high)} {per}."
        names = [strata_words({c: row[c] for c in self.by}) for row in (high, low)]
        return f"The {what} was highest in {names[0]}, {said(high)} {per}, and lowest in {names[1]}, {said(low)}."


def byar_limits(events: float, confidence: float) -> tuple[float, float]:
    """Return Byar's approximate limits of a Poisson number."""
    z = normal_quantile(confidence)
    lower = events * (1 - 1 / (9 * events) - z / (3 * events**0.5)) ** 3 if events > 0 else 0.0
    more = events + 1
    return lower, more * (1 - 1 / (9 * more) + z / (3 * more**0.5)) ** 3


def _standardised(d: Array, n: Array, w: Array, confidence: float) -> tuple[float, float, float]:
    total = float(d.sum())
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = float((w * d / n).sum() / w.sum())
        variance = float((w**2 * d / n**2).sum() / w.sum() ** 2)
    if total <= 0:
        return rate, np.nan, np.nan
    lower, upper = byar_limits(total, confidence)
    scale = (variance / total) ** 0.5
    return rate, rate + scale * (lower - total), rate + scale * (upper - total)


def standardised_rate(
    frame: Any,
    *,
    events: str = "n_events",
    person_years: str = "person_years",
    standard_population: Any = "ESP2013",
    by: str | Sequence[str] = (),
    per: float = 100_000,
    confidence: float = 0.95,
    event_name: str | None = None,
    published: str | None = None,
) -> StandardisedRate:
    """Standardise rates of events for age, directly, to one standard population.

    Parameters
    ----------
    frame : frame or Result
        One row per stratum and age: `age` (lower ends of age groups, or single years) or `age_band` ("05-09", "90+"). Or what
        `survival.event_rate` returns by age: once released, its rates are standardised, and the result is released too.
    events, person_years : str
        Columns of counts and of time in years (or of people at mid-year); a Result has its own.
    standard_population : "ESP2013" or frame
        A frame has `age` (lower ends, the last one open) and `persons`.
    by : str or sequence of str, optional
        Strata.
    per : float, default 100,000
        Person-years that the rate is given for.
    confidence : float, default 0.95
    event_name : str, optional
        The event in words.
    published : str, optional
        The published source of the counts: they are then shown as they are.

    Returns
    -------
    StandardisedRate
        The strata, `events`, `person_years`, `crude`, `estimate`, `lower`, `upper`; no rate on fewer than 10 events.

    Raises
    ------
    ArgumentError
        On age groups that the standard population does not have, ages without time, or missing ages; with counts of rows.

    Notes
    -----
    Age groups may be wider than those of the standard, whose weights are then added up; single years are grouped.
    Dobson's limits scale Byar's limits of the number of events to the variance of the weighted rate.

    References
    ----------
    Dobson, A. J. et al. (1991). Confidence intervals for weighted sums of Poisson parameters. Statistics in
    Medicine 10, 457-462.
    Eurostat (2013). Revision of the European Standard Population.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> deaths = pl.DataFrame({"age": [0, 65], "deaths": [20, 80], "person_years": [10_000.0, 2_000.0]})
    >>> rate = sr.demography.standardised_rate(deaths, events="deaths", person_years="person_years", per=1000)
    >>> rate.estimates.select("crude", pl.col("estimate", "lower", "upper").round(2)).row(0)
    (8.333333333333334, 9.41, 7.65, 11.45)
    """
    normal_quantile(confidence)
    strata = names_of(by, () if isinstance(frame, Result) else column_names(frame))
    refuse_names(strata, (*FIGURES, "crude", "band_start", "weight", "events", "age", "age_band"), what="by")
    table, source, disclosure = _events_of(frame, strata, events, person_years)
    refuse_study(published, frame)
    standard = _standard(standard_population)
    lows = _lower_ends(table, standard["age"].to_list())
    rows = table.with_columns(lows.alias("band_start")).group_by(*strata, "band_start", maintain_order=True)
    summed = rows.agg(pl.col("__events").sum().alias("expected_events"), pl.col("__years").sum().alias("person_years"))
    ends = sorted(summed["band_start"].unique().to_list())
    weights = pl.DataFrame({"band_start": ends, "weight": _weights(standard, ends)})
    summed = summed.join(weights, on="band_start", how="left", maintain_order="left").sort(
        [*strata, "band_start"], nulls_last=True
    )
    _require_whole(summed, strata, ends)
    settings = {
        "method": "direct standardisation, Dobson's limits",
        "reference": "Dobson et al. 1991",
        "events": events,
        "person_years": person_years,
        "per": per,
        "confidence": confidence,
        "event_name": event_name or source.pop("event_name", None),
        "standard_population": standard_population if isinstance(standard_population, str) else "given",
        "published": published,
        **source,
    }
    return StandardisedRate({"ages": summed}, settings, strata, disclosure)


def _events_of(
    frame: Any, strata: tuple[str, ...], events: str, person_years: str
) -> tuple[pl.DataFrame, dict[str, Any], Disclosure | None]:
    """Return events and years by row, where they come from, and under which policy they were released."""
    source: dict[str, Any] = {}
    disclosure = None
    if isinstance(frame, Result):
        table = frame._derived
        require_columns(table.columns, [*strata, "estimate", "person_years"], what="the result")
        rate = pl.col("estimate") / frame.settings.get("per", 1) * pl.col("person_years")
        table = table.with_columns(rate.alias("__events"), pl.col("person_years").alias("__years"))
        source = {name: frame.settings[name] for name in CARRIED if name in frame.settings}
        disclosure = frame.disclosure
    else:
        table = as_frame(frame)
        require_columns(table.columns, [*strata, events, person_years], what="frame")
        table = table.with_columns(
            pl.col(events).cast(pl.Float64).alias("__events"), pl.col(person_years).cast(pl.Float64).alias("__years")
        )
    missing = int((table["__events"].is_null() | table["__years"].is_null()).sum())
    if missing:
        raise ArgumentError(
            f"{missing} of {table.height} rows have no {events} or {person_years}, such as suppressed ones. Use wider age groups, so "
            "that every group has both."
        )
    if int(((table["__events"] < 0) | (table["__years"] < 0)).sum()):
        raise ArgumentError("frame has events or person-years below zero.")
    return table, source, disclosure


def _standard(given: Any) -> pl.DataFrame:
    if isinstance(given, str):
        require_one_of(given, STANDARDS, argument="standard_population")
        return reference_table(STANDARDS[given]).frame
    table = as_frame(given)
    require_columns(table.columns, ["age", "persons"], what="standard_population")
    table = table.with_columns(whole_ages(table["age"], what="standard_population")).sort("age")
    if table["age"][0] != 0 or table["age"].n_unique() < table.height or bool((table["persons"] <= 0).any()):
        raise ArgumentError("standard_population needs each age group once, from 0 on, with people above zero.")
    return table


def _lower_ends(table: pl.DataFrame, standard: list[int]) -> pl.Series:
    """Return the lower end of the age group of each row, of the standard's groups or wider ones."""
    if "age" in table.columns:
        ages = whole_ages(table["age"], what="frame")
        present = sorted(ages.unique().to_list())
        if present[0] < 0:
            raise ArgumentError("frame has ages below zero.")
        if len(present) > len(standard) and all(b - a == 1 for a, b in pairwise(present)):
            ends = np.array(standard)
            return pl.Series(ends[np.searchsorted(ends, ages.to_numpy(), side="right") - 1])
    elif "age_band" in table.columns:
        ages = band_starts(table["age_band"], what="frame")
        present = sorted(ages.unique().to_list())
    else:
        raise ArgumentError(f"frame has no column 'age' or 'age_band'. Columns: {', '.join(table.columns)}.")
    foreign = [age for age in present if age not in standard]
    if foreign or present[0] != 0:
        raise ArgumentError(
            f"{len(foreign)} age groups of frame do not begin where a group of the standard population does "
            f"({', '.join(map(str, standard[:4]))}, ...), or the first is not 0. Give groups that do, or single years."
        )
    return ages


def _weights(standard: pl.DataFrame, ends: list[int]) -> list[float]:
    limits = [*ends, 10**6]
    return [
        float(standard.filter((pl.col("age") >= a) & (pl.col("age") < b))["persons"].sum()) for a, b in pairwise(limits)
    ]


def _require_whole(summed: pl.DataFrame, strata: tuple[str, ...], ends: list[int]) -> None:
    idle = int((summed["person_years"] <= 0).sum())
    if idle:
        raise ArgumentError(f"{idle} age groups have no person-years: their rate is not known. Use wider groups.")
    sizes = summed.group_by(strata).len()["len"] if strata else pl.Series([summed.height])
    short = int((sizes < len(ends)).sum())
    if short:
        raise ArgumentError(
            f"{short} strata lack age groups that others have. Give every group, with zero events where there are none."
        )
