"""Rates of need by age and sex from what a study released, and from nothing else: before they are carried forward.

Women and men of an age group whose figures are both released have rates of their own, else they share that of their age. An age
group whose figure is suppressed has no rate of its own. Together such groups have what the released groups leave of the released
total, spread evenly over their people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.demography.published import Tables, _OfPublished
from symphony_research.demography.read import SEXES
from symphony_research.errors import ArgumentError
from symphony_research.result import Result, not_available, passed_on
from symphony_research.words.lexicon import plural

__all__ = ["NeedRates", "need_rates"]

LEAST_SHARE = 0.5  # of a need, that must come of age groups with a rate of their own
DAYS_A_YEAR = 365.25
_SOURCE = ("study", "fingerprint", "generated", "note", "period", "population", "price_year")


class NeedRates(_OfPublished):
    """Need per person a year by age group, and by sex where there are enough people, each rate made of released figures alone."""

    title: ClassVar[str] = "Rates of need by age"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"published", "listed"})
    keys: ClassVar[frozenset[str]] = frozenset({"quantity", "age"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {
            "rates": ("quantity", "age", "rate", "standard_error", "own_rate", "by_sex", "recorded"),
            "omitted": ("quantity",),
        }
    )
    shown: ClassVar[tuple[str, ...]] = ("quantity", "age", "estimate", "own_rate")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"quantity": "Need", "age": "From age", "estimate": "Per person a year", "own_rate": "Rate of its own"}
    )

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return the rates as they are."""
        return tables["rates"].rename({"rate": "estimate"})

    @property
    def n_omitted(self) -> int:
        """How many needs are not carried forward: too little of them is released by age."""
        return self.count_tables["omitted"].height

    def sentence(self) -> str:
        """Return how many needs have rates, and of how many ages these are shared."""
        rows = self._derived
        if "sex" in self.by:
            both = rows.filter(pl.col("sex") == SEXES[0])
            apart = int(both["by_sex"].sum())
            rows = both
        shared, kept = int((~rows["own_rate"]).sum()), rows["quantity"].n_unique()
        told = []
        youngest = int(rows.filter("recorded")["age"].min())  # type: ignore[arg-type]
        if youngest:
            told.append(f"Nobody under {youngest} is in the study, and no need is counted of them.")
        if self.n_omitted:
            told.append(
                f"{kept} of {kept + self.n_omitted} {self.settings['listed']} are carried forward; the others have too few people for rates by age."
            )
        if "sex" in self.by:
            few = rows.height - apart
            told.append(
                f"Women and men of an age have rates of their own{f', but for {few} of {rows.height} with too few people, where they share that of their age' if few else ''}."
            )
        if shared:
            told.append(
                f"Age groups with too few people for any rate of their own share one: {shared} of {rows.height}."
            )
        return " ".join(told or ["Every age group has a rate of its own."])


def need_rates(
    by_age: Any, *, overall: Any, by_sex: Any = None, quantity: str | Sequence[str] | None = None
) -> NeedRates:
    """Return rates of need by age, and by sex where there are enough people, made of released figures alone.

    Parameters
    ----------
    by_age : Prevalence, ConditionCount, EventRate or CareUse
        By `age_band`, and by nothing else. Given before `sr.suppress`, it makes rates that may not be shown.
    overall : the same family
        Of the same people, all ages together.
    by_sex : the same family, optional
        By `age_band` and `sex`. Women and men have rates of their own at ages where figures of both are released with their
        errors; at others both have that of their age.
    quantity : str or sequence of str, optional
        Which needs to take, such as "cost"; by default all.

    Returns
    -------
    NeedRates, or NotAvailable where nothing is left or that was given
        `quantity` (the condition, the number of conditions, or the event), `age` (from which it is), `estimate` (per person, or
        per person-year), `standard_error` (null where it was not released), `own_rate` (False where it is shared with other ages),
        `by_sex` (whether it is of one sex), `recorded` (False of ages
        that nobody in the study is of, whose need is zero); `.n_omitted`.

    Raises
    ------
    ArgumentError
        On other families, other strata, or results of two policies.

    Notes
    -----
    The groups whose figures are suppressed have one rate: the released total less the released groups, over their people. A
    need is omitted where less than half of it comes of groups with a rate of their own. Nothing but the released figures goes
    in, so that nothing else can be inferred from what comes out.

    References
    ----------
    Hundepool, A. et al. (2012). Statistical Disclosure Control, chapter 5. Wiley.

    Examples
    --------
    >>> import symphony_research as sr
    >>> cohort = sr.define_cohort(sr.example_study())
    >>> by_age, overall = (sr.multimorbidity.prevalence(cohort.patterns(by=by)) for by in ("age_band", ()))
    >>> sr.demography.need_rates(by_age, overall=overall).estimates.columns
    ['quantity', 'age', 'estimate', 'standard_error', 'own_rate', 'by_sex', 'recorded']
    """
    gone: Any
    for given in (by_age, overall, by_sex):
        if (gone := passed_on(given)) is not None:
            return gone
    family = type(by_age).__name__
    sexes = [] if by_sex is None else [by_sex]
    if (
        not isinstance(by_age, Result)
        or family not in _READ
        or any(type(r) is not type(by_age) for r in (overall, *sexes))
    ):
        raise ArgumentError(f"need_rates takes results of one family: {', '.join(_READ)}.")
    if _strata(by_age) != {"age_band"} or _strata(overall):
        raise ArgumentError("need_rates takes a result by age_band alone, and one of all ages together.")
    if sexes and _strata(by_sex) != {"age_band", "sex"}:
        raise ArgumentError("by_sex is the result by age_band and sex, and by nothing else.")
    if len({_released(result) for result in (by_age, overall, *sexes)}) > 1:
        raise ArgumentError("need_rates takes results that were released together: give sr.suppress all at once.")
    groups, whole = _READ[family](by_age), _READ[family](overall)
    groups = groups.with_columns(_starts(groups["age_band"]).alias("age"))
    own = None if by_sex is None else _READ[family](by_sex)
    if own is not None:
        own = own.with_columns(_starts(own["age_band"]).alias("age"), pl.col("sex").cast(pl.String))
    kept, omitted = [], []
    wanted = groups["quantity"].unique(maintain_order=True).to_list()
    if quantity is not None:
        asked = [quantity] if isinstance(quantity, str) else list(quantity)
        unknown = [name for name in asked if name not in wanted]
        if family == "CareUse" and len(unknown) == len(asked) and "cost" in unknown:
            source = {name: by_age.settings[name] for name in _SOURCE if name in by_age.settings}
            gone = not_available(
                "The study does not record cost", "the cost of care", source, disclosure=by_age.disclosure
            )
            return gone
        if unknown:
            raise ArgumentError(f"quantity: there is no {', '.join(unknown)}. Needs: {', '.join(wanted)}.")
        wanted = asked
    totals = {row["quantity"]: row for row in whole.iter_rows(named=True)}
    parts = groups.partition_by("quantity", as_dict=True)
    for name in wanted:
        part = parts[(name,)].sort("age")
        rates = _of_one(part, totals.get(name), most=np.inf if family in ("EventRate", "CareUse") else 1.0)
        if rates is None:
            omitted.append(name)
        else:
            kept.append(rates if own is None else _divided(rates, own.filter(pl.col("quantity") == name)))
    listed = _LISTED.get(family) or _events(by_age)
    source = {name: by_age.settings[name] for name in _SOURCE if name in by_age.settings}
    if not kept:
        why = f"The study has too few people for rates of {listed} by age"
        gone = not_available(why, _WANTED.get(family, f"the need for {listed}"), source, disclosure=by_age.disclosure)
        return gone
    tables = {
        "rates": pl.concat(kept),
        "omitted": pl.DataFrame({"quantity": omitted}, schema={"quantity": pl.String}),
    }
    settings = {
        "method": "released rates by age, suppressed ones pooled",
        "listed": listed,
        "published": None,
        **source,
    }
    return NeedRates(tables, settings, () if by_sex is None else ("sex",), by_age.disclosure)


def _strata(result: Result) -> set[str]:
    return {*result.settings.get("moving", ()), *result.by}


def _released(result: Result) -> Any:
    """Return how a result was released: results released together have one answer."""
    done = result.disclosure
    return None if done is None else (done.policy.title, repr(done.policy), done.session)


def _divided(rates: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Return rates for both sexes: their own where both are released with their errors, else those of the age."""
    known = own.filter(pl.col("rate").is_finite() & pl.col("standard_error").is_finite())
    whole = known.group_by("age").agg((pl.col("sex").n_unique() == len(SEXES)).alias("both"))
    told = known.select("age", "sex", pl.col("rate").alias("__rate"), pl.col("standard_error").alias("__error"))
    found = rates.join(pl.DataFrame({"sex": list(SEXES)}), how="cross", maintain_order="left_right")
    found = found.join(whole, on="age", how="left", maintain_order="left")
    found = found.join(told, on=["age", "sex"], how="left", maintain_order="left")
    apart = pl.col("both").fill_null(False) & pl.col("own_rate") & pl.col("recorded")
    return found.with_columns(apart.alias("by_sex")).select(
        "quantity",
        "sex",
        "age",
        pl.when("by_sex").then("__rate").otherwise("rate").alias("rate"),
        pl.when("by_sex").then("__error").otherwise("standard_error").alias("standard_error"),
        "own_rate",
        "by_sex",
        "recorded",
    )


def _of_one(part: pl.DataFrame, total: Mapping[str, Any] | None, *, most: float) -> pl.DataFrame | None:
    """Return the rates of one need; None where too little of it has a rate of its own."""
    if total is None or not total["needed"] or not total["people"]:
        return None
    needed, people, rate = (part[c].cast(pl.Float64).to_numpy() for c in ("needed", "people", "rate"))
    own = np.isfinite(np.where(np.isnan(needed), np.nan, rate))
    if needed[own].sum() < LEAST_SHARE * total["needed"]:
        return None
    left = max(float(total["needed"]) - float(needed[own].sum()), 0.0)
    # groups whose people are suppressed too have what the others leave of everybody
    others = people[~own]
    exposed = others.sum() if np.isfinite(others).all() else float(total["people"]) - np.nansum(people[own])
    shared = min(left / exposed, most) if exposed > 0 else 0.0
    # a shared rate is taken as known: little of the need comes of it
    error = part["standard_error"].cast(pl.Float64).to_numpy()
    rates = part.select("quantity", "age").with_columns(
        pl.Series("rate", np.where(own, rate, shared)),
        pl.Series("standard_error", np.where(own, error, 0.0)).fill_nan(None),
        pl.Series("own_rate", own),
        pl.lit(False).alias("by_sex"),
        pl.lit(True).alias("recorded"),
    )
    if part["age"][0] == 0:
        return rates
    # nobody so young is in the study
    younger = {
        "quantity": part["quantity"][0],
        "age": 0,
        "rate": 0.0,
        "standard_error": 0.0,
        "own_rate": True,
        "by_sex": False,
        "recorded": False,
    }
    return pl.concat([pl.DataFrame([younger], schema=rates.schema), rates])


def _starts(bands: pl.Series) -> pl.Series:
    """Return the lower end of age bands, of "under 18" too; a band without people has no row, and the one before covers it."""
    text = bands.cast(pl.String)
    return pl.select(
        pl.when(text.str.starts_with("under")).then(0).otherwise(text.str.extract(r"^(\d+)").cast(pl.Int64))
    ).to_series()


def _with_age(frame: pl.DataFrame) -> pl.DataFrame:
    return frame if "age_band" in frame.columns else frame.with_columns(pl.lit("0+").alias("age_band"))


def _prevalence(result: Result) -> pl.DataFrame:
    rows = _beside_people(result).with_columns(pl.col("condition").alias("quantity"))
    return rows.select(*_columns(rows))


def _condition_count(result: Result) -> pl.DataFrame:
    last = result.settings["top"]
    label = (
        pl.when(pl.col("n_conditions") == 0).then(pl.lit("no conditions"))
        .when(pl.col("n_conditions") == (-1 if last is None else last)).then(pl.format("{} or more conditions", "n_conditions"))
        .when(pl.col("n_conditions") == 1).then(pl.lit("1 condition"))
        .otherwise(pl.format("{} conditions", "n_conditions"))
    )  # fmt: skip
    rows = _beside_people(result).sort("n_conditions", maintain_order=True).with_columns(label.alias("quantity"))
    return rows.select(*_columns(rows))


def _beside_people(result: Result) -> pl.DataFrame:
    """Return counts beside the people of their age group, and their share."""
    people = result.count_tables["population"].select(*result.by, pl.col("n_persons").alias("people"))
    rows = result._derived
    rows = (
        rows.join(people, on=list(result.by), how="left", maintain_order="left")
        if result.by
        else rows.join(people, how="cross")
    )
    return _with_age(
        rows.with_columns(
            pl.col("n_persons").alias("needed"),
            pl.col("estimate").alias("rate"),
            (pl.col("estimate") * (1 - pl.col("estimate")) / pl.col("people")).clip(0).sqrt().alias("standard_error"),
        )
    )


def _events(result: Result) -> str:
    return plural(result.settings["event_name"]) if result.settings.get("event_name") else "events"


def _event_rate(result: Result) -> pl.DataFrame:
    rows, counted = _with_age(result._derived), result.count_tables["rates"]
    # a table shows years to two figures; people times mean days, both released, are nearer
    years = (
        counted["n_persons"] * counted["mean_days"] / DAYS_A_YEAR
        if "mean_days" in counted.columns
        else counted["person_years"]
    )
    rate = pl.col("estimate") / result.settings["per"]
    name = _events(result)
    rows = rows.with_columns(
        pl.lit(name.replace("-", "_").replace(" ", "_")).alias("quantity"),
        years.alias("people"),
        rate.alias("rate"),
        pl.col("standard_error") / result.settings["per"],
    )
    return rows.with_columns((pl.col("rate") * pl.col("people")).alias("needed")).select(*_columns(rows))


def _care_use(result: Result) -> pl.DataFrame:
    rows = _with_age(result._derived).with_columns(
        pl.col("estimate").alias("rate"), (pl.col("n_persons") * pl.col("mean_years")).alias("people")
    )
    return rows.with_columns((pl.col("rate") * pl.col("people")).alias("needed")).select(*_columns(rows))


def _columns(rows: pl.DataFrame) -> list[str]:
    own = ["sex"] if "sex" in rows.columns else []
    return ["quantity", "age_band", *own, "needed", "people", "rate", "standard_error"]


_LISTED = {"Prevalence": "conditions", "ConditionCount": "numbers of conditions", "CareUse": "kinds of care"}
_WANTED = {
    "Prevalence": "the need by condition",
    "ConditionCount": "the need by number of conditions",
    "CareUse": "contacts and their cost",
}
_READ: Mapping[str, Any] = MappingProxyType(
    {"Prevalence": _prevalence, "ConditionCount": _condition_count, "EventRate": _event_rate, "CareUse": _care_use}
)
