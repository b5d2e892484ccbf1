"""What a projection starts from: base, fertility, mortality and migration, checked and laid out as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.demography.engine import survival_from_central_rates, survival_from_probabilities
from symphony_research.demography.read import SEXES, Axes, of_one_basis, to_array, with_keys
from symphony_research.errors import ArgumentError, require_one_of

__all__ = ["KINDS", "Inputs", "laid_out", "read_base", "read_fertility", "read_migration", "read_mortality"]

Array = NDArray[np.float64]
KINDS = ("probability", "central_rate")
MOST_BIRTHS = 2.0  # a woman a year; a rate per 1,000 is far above at its peak
MOST_DEATHS = {"probability": 1.0, "central_rate": 4.0}  # a person a year
PRIME, MOST_IN_PRIME = (5, 50), 0.2  # no population loses a fifth a year at these ages
NET, RATES, PERSONS = ("net",), ("in_rate", "out_rate"), ("in_persons", "out_persons")


@dataclass(frozen=True)
class Inputs:
    """The arrays of `engine.run`, on single years of age up to the oldest that mortality is given for.

    Attributes
    ----------
    areas : tuple
        Levels of the strata, one tuple each; one empty tuple without strata.
    ages : int
        Number of ages of the base, the last one open; arrays may go further.
    """

    areas: tuple[tuple[Any, ...], ...]
    ages: int
    base: Array
    fertility: Array
    survival: Array
    net: Array
    rate: Array | None
    held: Array

    def collapsed(self, array: Array) -> Array:
        """Return an array with the ages from the base's open one on added up."""
        if array.shape[-1] == self.ages:
            return array
        out = array[..., : self.ages].copy()
        np.einsum("...a->...", array[..., self.ages - 1 :], out=out[..., -1])
        return out


def read_base(frame: Any, by: Sequence[str], start: int) -> tuple[pl.DataFrame, str | None]:
    """Return the base population of the start year, and its basis where it is named."""
    table = with_keys(frame, [*by, "sex", "age", "persons"], what="base", optional=("year", "basis"))
    if "year" in table.columns:
        own = table.filter(pl.col("year") == start)
        if not own.height:
            years = sorted(table["year"].unique().to_list())
            raise ArgumentError(f"base has no rows of {start}, the start; its years are {years[0]} to {years[-1]}.")
        table = own.drop("year")
    basis = of_one_basis(table, what="base")
    _refuse_below_zero(table, "persons", what="base")
    return table.select(*by, "sex", "age", "persons"), basis


def read_fertility(frame: Any, by: Sequence[str]) -> pl.DataFrame:
    """Return fertility rates: births a woman a year by age of mother.

    Raises
    ------
    ArgumentError
        On rates of men, or rates per 1,000.
    """
    table = with_keys(frame, ["age", "rate"], what="fertility", optional=(*by, "sex", "year"))
    if "sex" in table.columns:
        men = int((table["sex"] == "M").sum())
        if men:
            raise ArgumentError(
                f"fertility has {men} rows of men: births are counted by the age of the mother. Keep the rows of F, or drop "
                "the column sex."
            )
        table = table.drop("sex")
    _refuse_below_zero(table, "rate", what="fertility")
    above = int((table["rate"] > MOST_BIRTHS).sum())
    if above:
        raise ArgumentError(
            f"fertility has {above} of {table.height} rates above {MOST_BIRTHS:g} births a woman a year: they look like rates "
            "per 1,000 women. Divide them by 1,000."
        )
    if bool(((table["age"] < 1) & (table["rate"] > 0)).any()):
        raise ArgumentError("fertility has births of women under 1 year of age. Give ages in completed years.")
    return table


def read_mortality(frame: Any, by: Sequence[str], kind: str) -> pl.DataFrame:
    """Return mortality rates per person by sex and age.

    Raises
    ------
    ArgumentError
        If it is not said which kind they are, or they are per 1,000 or 100,000.
    """
    require_one_of(kind, KINDS, argument="mortality_kind")
    table = with_keys(frame, ["sex", "age", "rate"], what="mortality", optional=(*by, "year"))
    _refuse_below_zero(table, "rate", what="mortality")
    above = int((table["rate"] > MOST_DEATHS[kind]).sum())
    prime = table.filter(pl.col("age").is_between(*PRIME))
    high = int((prime["rate"] > MOST_IN_PRIME).sum())
    if above or (prime.height > 10 and high > prime.height / 2):
        number = above or high
        raise ArgumentError(
            f"mortality has {number} of {table.height} rates that are too large for a {kind.replace('_', ' ')} per person: "
            "they look like deaths per 1,000 or per 100,000. Divide them by that number."
        )
    return table


def read_migration(frame: Any | None, by: Sequence[str]) -> tuple[pl.DataFrame | None, tuple[str, ...]]:
    """Return migration by age at the end of the year, and by which columns it is given.

    Raises
    ------
    ArgumentError
        If it has neither net persons, nor both in- and out-flows as persons or as rates.
    """
    if frame is None:
        return None, NET
    from symphony_research.collapse import as_frame

    table = as_frame(frame)
    given = [form for form in (NET, RATES, PERSONS) if set(form) <= set(table.columns)]
    if len(given) != 1:
        raise ArgumentError(
            "migration needs one of: a column 'net' (net migrants, persons), 'in_persons' and 'out_persons', or 'in_rate' and "
            f"'out_rate' (per person of the population). Columns: {', '.join(table.columns)}."
        )
    form = given[0]
    table = with_keys(table, ["sex", "age", *form], what="migration", optional=(*by, "year"))
    if form == RATES:
        above = sum(int((table[name].abs() > 1).sum()) for name in form)
        if above:
            raise ArgumentError(
                f"migration has {above} rates above 1 a person a year: they look like rates per 1,000. Divide them by 1,000, or "
                "give persons as in_persons and out_persons."
            )
    if form != NET:
        for name in form:
            _refuse_below_zero(table, name, what="migration")
    return table, form


def laid_out(
    tables: Mapping[str, pl.DataFrame],
    *,
    by: Sequence[str],
    start: int,
    end: int,
    kind: str,
) -> Inputs:
    """Return the arrays of a projection from its tidy tables `base`, `fertility`, `mortality` and, if there, `migration` and `held`."""
    base = tables["base"]
    areas = tuple(base.select(by).unique(maintain_order=True).iter_rows()) if by else ((),)
    oldest = int(base["age"].max())  # type: ignore[arg-type]
    if oldest < 2:
        raise ArgumentError("base needs at least three ages: 0, 1 and 2, the last of them open.")
    ages = tuple(range(oldest + 1))
    years = tuple(range(start + 1, end + 1))
    mortality = tables["mortality"]
    last = max(oldest, int(mortality["age"].max()))  # type: ignore[arg-type]
    persons = _of(base, by, areas, [("sex", SEXES), ("age", ages)], ["persons"], what="base")[..., 0]
    survival = _survival(mortality, by, areas, years, last, kind)
    fertility = _fertility(tables["fertility"], by, areas, years, oldest, last)
    held = np.zeros_like(persons[0])
    if "held" in tables:
        held = _of(tables["held"], by, areas, [("sex", SEXES), ("age", ages)], ["persons"], what="held", fill=0.0)[
            ..., 0
        ][0]
    body = persons[0] - held
    if (body < 0).any():
        raise ArgumentError(f"held has more people than base in {int((body < 0).sum())} cells by sex and age.")
    shares = _open_shares(survival[0], oldest, last)
    whole = np.concatenate([body[..., :-1], body[..., -1:] * shares], axis=-1)
    net, rate = _migration(tables.get("migration"), by, areas, years, ages, last, shares)
    if not by:
        whole, held = whole[0], held[0]
        fertility, survival, net = fertility[:, 0], survival[:, 0], net[:, 0]
        rate = None if rate is None else rate[:, 0]
    return Inputs(areas, oldest + 1, whole, fertility, survival, net, rate, held)


def _of(
    table: pl.DataFrame,
    by: Sequence[str],
    areas: Sequence[tuple[Any, ...]],
    axes: list[tuple[str, Sequence[Any]]],
    values: Sequence[str],
    *,
    what: str,
    years: Sequence[int] = (),
    fill: float | None = None,
) -> Array:
    """Return [year or 1, area or 1, axes..., values]; strata and years that a table does not have are one entry."""
    own = [name for name in by if name in table.columns]
    levels: list[tuple[str, tuple[Any, ...]]] = []
    if years and "year" in table.columns:
        absent = sorted(set(years) - set(table["year"].unique().to_list()))
        if absent:
            raise ArgumentError(
                f"{what} has no rows of {len(absent)} of the {len(years)} years to project (first {absent[0]}). The year of a "
                "rate is that of the mid-year at its end; without a column year, rates hold in every year."
            )
        levels.append(("year", tuple(years)))
    if own:
        if len(own) < len(by):
            raise ArgumentError(f"{what} has the strata {', '.join(own)} but not all of {', '.join(by)}.")
        if len(by) == 1:
            levels.append((by[0], tuple(area[0] for area in areas)))
        else:
            joined = pl.concat_str([pl.col(name).cast(pl.String) for name in by], separator="\x1f").alias("__area")
            table = table.with_columns(joined)
            levels.append(("__area", tuple("\x1f".join(map(str, area)) for area in areas)))
    levels += [(name, tuple(values_)) for name, values_ in axes]
    array = to_array(table, Axes(tuple(levels)), values, what=what, fill=fill)
    if not own:
        array = np.expand_dims(array, 1 if years and "year" in table.columns else 0)
    if not (years and "year" in table.columns):
        array = np.expand_dims(array, 0)
    return array


def _survival(table: pl.DataFrame, by: Sequence[str], areas: Any, years: Sequence[int], last: int, kind: str) -> Array:
    infants = bool((table["age"] == -1).any())
    if kind == "probability" and not infants:
        raise ArgumentError(
            "mortality has no rows of age -1, the probability of dying between birth and the first mid-year. Add them for both "
            "sexes: probabilities between mid-years do not hold it."
        )
    ages = tuple(range(-1 if infants else 0, last + 1))
    rates = _of(table, by, areas, [("sex", SEXES), ("age", ages)], ["rate"], what="mortality", years=years)[..., 0]
    if kind == "probability":
        return survival_from_probabilities(rates)
    if infants:
        return survival_from_central_rates(rates[..., 1:], rates[..., 0])
    return survival_from_central_rates(rates)


def _fertility(
    table: pl.DataFrame, by: Sequence[str], areas: Any, years: Sequence[int], oldest: int, last: int
) -> Array:
    low, high = int(table["age"].min()), int(table["age"].max())  # type: ignore[arg-type]
    if high > oldest:
        raise ArgumentError(f"fertility has ages up to {high}, above the oldest of base, {oldest}.")
    rates = _of(table, by, areas, [("age", range(low, high + 1))], ["rate"], what="fertility", years=years)[..., 0]
    out = np.zeros((*rates.shape[:-1], last + 1))
    out[..., low : high + 1] = rates
    return out


def _migration(
    table: pl.DataFrame | None, by: Sequence[str], areas: Any, years: Sequence[int], ages: Any, last: int, shares: Array
) -> tuple[Array, Array | None]:
    shape = (1, 1, 2, last + 1)
    if table is None:
        return np.zeros(shape), None
    form = [name for name in (*NET, *RATES, *PERSONS) if name in table.columns]
    found = _of(table, by, areas, [("sex", SEXES), ("age", ages)], form, what="migration", years=years)
    flows = found[..., 0] if len(form) == 1 else found[..., 0] - found[..., 1]
    if form[0] == RATES[0]:
        more = last + 1 - len(ages)
        return np.zeros(shape), np.concatenate([flows, np.repeat(flows[..., -1:], more, axis=-1)], axis=-1)
    return np.concatenate([flows[..., :-1], flows[..., -1:] * shares], axis=-1), None


def _open_shares(survival: Array, oldest: int, last: int) -> Array:
    """Divide the open age of the base into single ages as a stationary population has them."""
    if last == oldest:
        return np.ones((*survival.shape[:-1], 1))
    alive = np.cumprod(survival[..., oldest + 1 : last + 1], axis=-1)  # from oldest to oldest + 1, and so on
    alive = np.concatenate([np.ones_like(alive[..., :1]), alive], axis=-1)
    return alive / alive.sum(axis=-1, keepdims=True)


def _refuse_below_zero(table: pl.DataFrame, column: str, *, what: str) -> None:
    below = int((table[column] < 0).sum())
    if below:
        raise ArgumentError(f"{what} has {below} of {table.height} rows with {column} below zero.")
