"""Contacts by setting and cost of a year, a person-year: what people of an age and sex use, to be carried forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.cohort.at_risk import at_risk
from symphony_research.cohort.follow_up import governing_day, provenance_of_period, window_of
from symphony_research.cohort.rows import PersonRows
from symphony_research.cohort.strata import with_strata
from symphony_research.collapse.set_roles import of_everybody
from symphony_research.errors import ArgumentError
from symphony_research.inference import normal_quantile
from symphony_research.result import NotAvailable, Result, not_available
from symphony_research.result.roles import Count, Internal, Mean, Role, TableRoles
from symphony_research.schema import SETTINGS
from symphony_research.words.lexicon import capital, in_words
from symphony_research.words.numbers import number, pounds

__all__ = ["CareUse", "care_use_of"]

Tables = Mapping[str, pl.DataFrame]
COST, YEARS = "cost", "years"
HALF_DAYS_A_YEAR = 2 * 365.25
HUNDRED = 100  # pence
UNSAID = "of an unstated year"


class CareUse(Result):
    """Contacts in each setting, and their cost, per person-year."""

    title: ClassVar[str] = "Contacts and cost a person-year"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"used", "horizon"})
    shown: ClassVar[tuple[str, ...]] = ("quantity", "n_persons", "estimate", "lower", "upper")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"quantity": "Use of care", "estimate": "Per person-year"}
    )

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the people, their mean years and values, and the errors of rates."""
        days = f"in {settings['horizon']} days" if settings.get("horizon") else "until the end"
        roles: dict[str, Role] = {"n_persons": Count()}
        used = settings.get("used", [COST])
        for name in (YEARS, *used):
            roles[f"mean_{name}"] = Mean("n_persons", f"herfindahl_{name}", f"{name} {days}")
            roles[f"herfindahl_{name}"] = Internal()
        roles |= {f"error_{name}": Mean("n_persons", f"herfindahl_{name}") for name in used}
        return {"population": TableRoles(roles, of_everybody)}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out the errors of a value where a mean of it is suppressed: the others' would give its squares away."""
        table = tables["population"]
        gone = [
            pl.lit(None, dtype=pl.Float64).alias(f"error_{name}")
            for name in settings["used"]
            if table[f"mean_{name}"].null_count()
        ]
        return {**tables, "population": table.with_columns(gone)} if by and gone else tables

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Divide mean values by mean years; one row a value and stratum."""
        z, table = normal_quantile(settings["confidence"]), tables["population"]
        parts = []
        for name in settings["used"]:
            rate = pl.when(pl.col("mean_years") > 0).then(pl.col(f"mean_{name}") / pl.col("mean_years"))
            error = pl.when(rate.is_not_null()).then(pl.col(f"error_{name}"))
            parts.append(
                table.select(
                    *by,
                    pl.lit(name).alias("quantity"),
                    "n_persons",
                    pl.col("mean_years"),
                    rate.alias("estimate"),
                    (rate - z * error).clip(0).alias("lower"),
                    (rate + z * error).alias("upper"),
                    error.alias("standard_error"),
                )
            )
        return pl.concat(parts)

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return cost in pounds."""
        if record[column] is not None and column in ("estimate", "lower", "upper") and record["quantity"] == COST:
            return pounds(record[column])
        if column == "quantity":
            return capital(in_words(record[column]))
        return super().format_cell(record, column)

    def sentence(self) -> str:
        """Return the cost a person-year, and the contacts in each setting."""
        if self.by:
            return f"Contacts and cost a person-year are given by {' and '.join(in_words(name) for name in self.by)}."
        rows = {row["quantity"]: row["estimate"] for row in self.estimates.iter_rows(named=True)}
        said = [f"{in_words(n)} {number(rate)}" for n, rate in rows.items() if n != COST and rate is not None]
        cost = rows.get(COST)
        price = self.settings.get("price_year")
        money = [f"{pounds(cost)} at prices {f'of {price}' if price else UNSAID}"] if cost is not None else []
        return (
            f"A person-year: {'; '.join(money + said)}."
            if money or said
            else "Too few people for anything to be shown."
        )


def care_use_of(
    rows: PersonRows, *, by: tuple[str, ...], horizon: int | None, confidence: float, optional: bool
) -> CareUse | NotAvailable:
    """Collapse contacts and cost; the arguments are those of `Cohort.care_use`."""
    rows.require_one_index("contacts and cost")
    study = rows.study
    normal_quantile(confidence)
    known = set(study.recorded["setting"].to_list()) if study.has("activity") else set()
    settings_of_care = [name for name in SETTINGS if name in known]
    if not settings_of_care:
        if optional:
            of_study = study.provenance(**rows.rules).as_settings()
            return not_available("The study has no table of activity", "the rate of contacts and their cost", of_study)
        raise ArgumentError("The study has no activity, so contacts and cost cannot be summed.")
    used = [f"contacts_{name}" for name in settings_of_care]
    if bool(study.recorded["costed"].any()):
        used.insert(0, COST)
    last = governing_day(study, "activity", until=None)
    window = window_of(last, horizon=horizon, entry=None, leave_programme=False, rows=rows)
    people = at_risk(with_strata(rows, by), window)
    within = (pl.col("date") >= pl.col("index_date")) & (pl.col("date") <= pl.col("exit_date"))
    sums = [(pl.col("cost") * HUNDRED).round().cast(pl.Int64).sum().alias(COST)] if COST in used else []
    sums += [(pl.col("setting") == name).cast(pl.Int64).sum().alias(f"contacts_{name}") for name in settings_of_care]
    dated = people.lazy().select("person_id", "index_date", "exit_date")
    had = rows.activity.join(dated, on="person_id", how="inner").filter(within).group_by("person_id").agg(sums)
    time = (pl.col("exit") - pl.col("entry")).clip(0).cast(pl.Int64).alias(YEARS)
    each = people.select("person_id", *by, time).join(had.collect(engine="streaming"), on="person_id", how="left")
    provenance = provenance_of_period(rows, "activity", last=last, horizon=horizon)
    made = {
        "method": "contacts and cost over person-years; ratio of means with its linearised standard error",
        "reference": "Cochran 1977",
        "used": used,
        "horizon": horizon,
        "confidence": confidence,
        "price_year": study.price_year or None,
        **provenance.as_settings(),
    }
    return CareUse({"population": _population(each.with_columns(pl.col(used).fill_null(0)), by, used)}, made, by)


def _population(each: pl.DataFrame, by: tuple[str, ...], used: Sequence[str]) -> pl.DataFrame:
    """Count people, with means of their years and values and the errors of rates, from exact sums of half days, contacts and pence."""
    time = pl.col(YEARS).cast(pl.Int128)
    sums = [pl.len().cast(pl.Int64).alias("n_persons"), time.sum().alias("__t"), (time * time).sum().alias("__tt")]
    for name in used:
        value = pl.col(name).cast(pl.Int128)
        sums += [
            value.sum().alias(f"__v_{name}"),
            (value * value).sum().alias(f"__vv_{name}"),
            (value * time).sum().alias(f"__vt_{name}"),
        ]
    table = each.group_by(by).agg(sums).sort(by, nulls_last=True) if by else each.select(sums)
    found: dict[str, list[float | None]] = {}
    for row in table.iter_rows(named=True):
        n, t, tt = row["n_persons"], int(row["__t"]), int(row["__tt"])
        _put(found, YEARS, t / n / HALF_DAYS_A_YEAR if n else None, tt / t**2 if t else None)
        for name in used:
            v, vv, vt = (int(row[f"__{part}_{name}"]) for part in ("v", "vv", "vt"))
            unit = HUNDRED if name == COST else 1
            _put(found, name, v / n / unit if n else None, vv / v**2 if v else None)
            # the rate v / t of a half day departs by each person's value less the rate times their time
            residual = vv - 2 * v * vt / t + v * v * tt / t**2 if t else 0.0
            error = sqrt(max(residual, 0.0) * n / (n - 1)) / t * HALF_DAYS_A_YEAR / unit if t and n > 1 else None
            found.setdefault(f"error_{name}", []).append(error)
    return table.select(*by, "n_persons").with_columns(
        [pl.Series(name, values, dtype=pl.Float64) for name, values in found.items()]
    )


def _put(found: dict[str, list[float | None]], name: str, mean: float | None, spread: float | None) -> None:
    found.setdefault(f"mean_{name}", []).append(mean)
    found.setdefault(f"herfindahl_{name}", []).append(spread)
