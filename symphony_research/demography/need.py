"""Need carried forward: rates by sex and age times the people projected, constant, with a trend, or with healthier ageing.

References
----------
Fries, J. F. (1980). Aging, natural death, and the compression of morbidity. New England Journal of Medicine 303, 130-135.
Manton, K. G. (1982). Changing concepts of morbidity and mortality in the elderly population. Milbank Quarterly 60, 183-244.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse import as_frame, names_of
from symphony_research.collapse.frames import refuse_names
from symphony_research.demography.decomposition import Decomposition
from symphony_research.demography.need_errors import needs_errors, people_by_run
from symphony_research.demography.need_rates import NeedRates
from symphony_research.demography.projected_need import NEED, ProjectedNeed
from symphony_research.demography.projection import Projection
from symphony_research.demography.published import refuse_study
from symphony_research.demography.read import SEXES, band_starts, whole_ages
from symphony_research.demography.uncertainty import StochasticProjection
from symphony_research.errors import ArgumentError, require_columns
from symphony_research.result import Result, passed_on

__all__ = ["decompose_need", "project_need"]

Array = NDArray[np.float64]
MOST_DAYS = 366  # that a person can spend anywhere in a year
_SOURCE = ("study", "fingerprint", "generated", "note", "period", "price_year")


def project_need(
    projection: Projection,
    rates: Any,
    *,
    trend: float | Mapping[str, float] = 0.0,
    healthy_ageing: float = 0.0,
    by: str | Sequence[str] = (),
    quantity: str = NEED,
    per: float = 1.0,
    start: int | None = None,
    intervals: StochasticProjection | None = None,
    published: str | None = None,
) -> ProjectedNeed:
    """Carry rates of need forward with a projected population.

    Parameters
    ----------
    projection : Projection
        Of one area.
    rates : Result or frame
        Need per person a year by age (prevalence, contacts, bed-days, pounds): `age` (single years, or lower ends of groups)
        or `age_band`, perhaps `sex` and `quantity` (its name), and `rate`; of a Result, its `estimate`. A Result of a
        study must have passed `suppress` before what comes of it may be shown.
    trend : float or mapping of str to float
        Change of rates a year, such as -0.01; by quantity where it is a mapping.
    healthy_ageing : float
        Years by which need at an age is postponed each calendar year. 0: rates by age stay. 0.2: people of 80 after five
        years need what those of 79 did (compression of morbidity, where life expectancy gains less). Below zero:
        expansion.
    by : str or sequence of str, optional
        Further columns of rates that are kept, such as the number of conditions. Rates are per person of each age, whatever
        the stratum (prevalence times need of those who have it), so that strata add up.
    quantity : str
        Name of what is needed, where the rates have none.
    per : float, default 1
        People that rates are given for, such as 1,000.
    start : int, optional
        The mid-year from which need is compared, and in which rates are as given; by default the projection's first.
    intervals : StochasticProjection, optional
        The same projection drawn at random: standard errors hold the error of the people projected as well as that of the rates.
    published : str, optional
        The published source of rates in a frame; needed before the result may be released.

    Returns
    -------
    ProjectedNeed, or NotAvailable where that was given
        `quantity`, `year`, `need`, `percent_change`; `.by_age`, `.cells(year)`; of rates by `need_rates`, or with `intervals`,
        `.errors`.

    Raises
    ------
    ArgumentError
        On missing ages or rates, rates below zero or by far too large, several areas, or intervals of another projection.

    Notes
    -----
    Expected numbers: they say no more of a study than its released rates and the published population do.

    References
    ----------
    Fries, J. F. (1980). Aging, natural death, and the compression of morbidity. New England Journal of Medicine
    303, 130-135.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> days = pl.DataFrame({"age_band": ["00-64", "65-79", "80+"], "rate": [0.3, 2.0, 6.0]})
    >>> people = sr.demography.project_south_somerset(end=2012)
    >>> need = sr.demography.project_need(people, days, quantity="bed_days", published="invented rates")
    >>> round(need.estimates["need"][0])
    150454
    """
    for given in (projection, rates, intervals):
        if (gone := passed_on(given)) is not None:
            return gone
    if projection.areas_by:
        raise ArgumentError("project_need is of one area: project and carry forward each by itself.")
    if not per > 0:
        raise ArgumentError(f"per={per} is the number of people that rates are given for, above zero.")
    refuse_study(published, rates)
    settings = projection.settings
    first = settings["start"] if start is None else start
    if not settings["start"] <= first < settings["end"]:
        raise ArgumentError(
            f"start={first} is none of the mid-years {settings['start']} to {settings['end'] - 1} that were projected."
        )
    source, disclosure = {}, None
    if isinstance(rates, Result):
        source = {name: rates.settings[name] for name in _SOURCE if name in rates.settings}
        disclosure, published = rates.disclosure, rates.settings.get("published")
        table = rates._derived.with_columns(pl.col("estimate").alias("rate"))
    else:
        table = as_frame(rates)
    if "quantity" not in table.columns:
        table = table.with_columns(pl.lit(quantity).alias("quantity"))
    strata = names_of(by, table.columns)
    refuse_names(
        strata, ("quantity", "year", "sex", "age", "age_band", "people", "rate", NEED, "percent_change"), what="by"
    )
    require_columns(table.columns, strata, what="rates")
    oldest = int(projection.count_tables["base"]["age"].max())  # type: ignore[arg-type]
    _refuse_per_thousand(table, per)
    by_cell = _by_cell(table, strata, oldest)
    names = list(dict.fromkeys(key[0] for key in by_cell))
    from_first = projection._derived.filter(pl.col("year") >= first)
    people = from_first.pivot("age", index=["year", "sex"], values="persons", maintain_order=True)
    years = list(range(first, settings["end"] + 1))
    counts = people.sort("year", "sex").drop("year", "sex").to_numpy().reshape(len(years), 2, oldest + 1)
    trends = dict(trend) if isinstance(trend, Mapping) else dict.fromkeys(names, float(trend))
    unknown = sorted(set(trends) - set(names))
    if unknown:
        raise ArgumentError(
            f"trend names {len(unknown)} quantities that rates do not have. Quantities: {', '.join(names)}."
        )
    growth = {name: np.power(1 + trends.get(name, 0.0), np.arange(len(years))) for name in names}
    parts = []
    in_all: dict[str, Any] = {}
    for (name, *levels), rate in by_cell.items():
        aged = [_aged(rate / per, healthy_ageing * k) for k in range(len(years))]
        later = np.stack(aged) * growth[name][:, None, None]
        in_all[name] = in_all.get(name, 0.0) + later
        parts.append(_frame(name, dict(zip(strata, levels, strict=True)), years, counts, later))
    both = settings.get("published") and (published or disclosure is not None)
    own = {
        "method": "people projected times rates by sex and age",
        "reference": "Fries 1980",
        "start": first,
        "end": settings["end"],
        "trend": dict(trends) if any(trends.values()) else {},
        "healthy_ageing": healthy_ageing,
        "published": f"{settings['published']}; rates: {published or 'of the study, released'}" if both else None,
        **{name: settings.get(name) for name in ("area_name", "variant")},
        **source,
    }
    tables = {"rates": pl.concat(parts)}
    known = rates._derived if isinstance(rates, NeedRates) else None
    if known is not None or intervals is not None:
        runs = None if intervals is None else people_by_run(intervals, projection, years)
        errors = needs_errors(in_all, known, counts, runs, growth)
        tables["errors"] = errors.with_columns(pl.col("year") + first)
    return ProjectedNeed(tables, own, (*strata, "sex"), disclosure if both else None)


def decompose_need(need: ProjectedNeed, *, quantity: str | None = None) -> Decomposition:
    """Divide the change of a projected need, from its first year to its last, into population size, age-sex structure and rates.

    Parameters
    ----------
    need : ProjectedNeed
        What `project_need` returns.
    quantity : str, optional
        Which one, where it has several; by default the first.

    Returns
    -------
    Decomposition, or NotAvailable where that was given
        Released with the rates that the need comes of.

    Raises
    ------
    ArgumentError
        On an unknown quantity.

    References
    ----------
    Das Gupta, P. (1993). Standardization and Decomposition of Rates: A User's Manual. US Bureau of the Census.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> days = pl.DataFrame({"age_band": ["00-64", "65+"], "rate": [0.3, 3.0]})
    >>> need = sr.demography.project_need(sr.demography.project_south_somerset(end=2012), days)
    >>> sr.demography.decompose_need(need).estimates["component"].to_list()
    ['population size', 'age-sex structure', 'rates', 'all']
    """
    if (gone := passed_on(need)) is not None:
        return gone
    return need.decomposition(need.settings["start"], need.settings["end"], quantity)


def _refuse_per_thousand(table: pl.DataFrame, per: float) -> None:
    """Refuse rates of days that no person could have in a year, as those per 1,000 are at old ages."""
    if "rate" not in table.columns:
        return
    days = table.filter(pl.col("quantity").cast(pl.String).str.ends_with("days"))
    above = int((days["rate"] / per > MOST_DAYS).sum())
    if above:
        raise ArgumentError(
            f"rates has {above} of {days.height} rates above {MOST_DAYS} days a person a year: they look like rates per 1,000. Pass "
            "per=1000, or divide them by 1,000."
        )


def _by_cell(table: pl.DataFrame, strata: tuple[str, ...], oldest: int) -> dict[tuple[Any, ...], Array]:
    """Return the rate of every sex and single year of age, of each quantity and stratum."""
    require_columns(table.columns, ["rate"], what="rates")
    missing = table["rate"].null_count()
    if missing:
        raise ArgumentError(
            f"rates has {missing} of {table.height} rows without a rate, such as suppressed ones. Use wider age groups, so that "
            "every group has one."
        )
    if bool((table["rate"] < 0).any()):
        raise ArgumentError(f"rates has {int((table['rate'] < 0).sum())} rows below zero.")
    if "age" not in table.columns:
        require_columns(table.columns, ["age_band"], what="rates")
    banded = "age" not in table.columns
    lows = band_starts(table["age_band"], what="rates") if banded else whole_ages(table["age"], what="rates")
    table = table.with_columns(lows.alias("__from"))
    if "sex" not in table.columns:
        table = table.join(pl.DataFrame({"sex": list(SEXES)}), how="cross")
    found = {}
    ages = np.arange(oldest + 1)
    for key, part in table.partition_by("quantity", *strata, as_dict=True, maintain_order=True).items():
        rates = np.zeros((2, oldest + 1))
        for k, sex in enumerate(SEXES):
            own = part.filter(pl.col("sex").cast(pl.String) == sex).sort("__from")
            ends = own["__from"].to_numpy()
            if not len(ends) or ends[0] != 0 or len(np.unique(ends)) < len(ends):
                raise ArgumentError(
                    f"rates needs one row for each age group of each sex from age 0 on; it has {len(ends)} rows for one sex of a "
                    "quantity, or two for one group. Give zero where nobody has the need."
                )
            rates[k] = own["rate"].to_numpy()[np.searchsorted(ends, ages, side="right") - 1]
        found[(str(key[0]), *key[1:])] = rates
    return found


def _aged(rate: Array, years: float) -> Array:
    """Return rates postponed by so many years of age: those of people that much younger."""
    if not years:
        return rate
    ages = np.arange(rate.shape[-1], dtype=float)
    return np.stack([np.interp(ages - years, ages, own) for own in rate])


def _frame(name: str, stratum: Mapping[str, Any], years: list[int], people: Array, rates: Array) -> pl.DataFrame:
    n_ages = people.shape[-1]
    return pl.DataFrame(
        {
            "quantity": [name] * people.size,
            **{column: [level] * people.size for column, level in stratum.items()},
            "year": np.repeat(np.array(years), 2 * n_ages),
            "sex": [s for _ in years for s in SEXES for _ in range(n_ages)],
            "age": np.tile(np.arange(n_ages), 2 * len(years)),
            "people": people.reshape(-1),
            "rate": rates.reshape(-1),
        }
    )
