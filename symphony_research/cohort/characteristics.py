"""Who the people of a cohort are at the index date, and what care they had before it: collapsed to counts and sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

import polars as pl

from symphony_research.cohort.bands import ages_of, wide_age_bands
from symphony_research.cohort.baseline import CARE, COST, LOOK_BACK, MOST_CONDITIONS, NUMBER, PART, WHOLE, Baseline
from symphony_research.cohort.events import EVENTS
from symphony_research.cohort.rows import PersonRows
from symphony_research.schema import SEXES
from symphony_research.study import Study
from symphony_research.words.lexicon import NOT_RECORDED
from symphony_research.words.phrases import joined

__all__ = ["baseline_of"]

MOST_OF_CARE = 3  # from this number of contacts on, people are counted together
HUNDRED = 100
# which columns of strata say what a characteristic says
SAID_BY = {
    "age_band": ("age_band",),
    "ten_year_age_band": ("age_band",),
    "deprivation_quintile": ("deprivation_quintile", "deprivation_decile"),
    NUMBER: ("n_conditions_band",),
}


def baseline_of(
    rows: PersonRows,
    people: pl.DataFrame,
    held: pl.LazyFrame,
    *,
    listed: Sequence[str],
    by: tuple[str, ...],
    months: int,
    commonest: int,
) -> Baseline:
    """Collapse people to their baseline table.

    Parameters
    ----------
    rows : PersonRows
    people : polars.DataFrame
        One row a person, with the strata, what is known at the index date, and since when they are registered.
    held : polars.LazyFrame
        Person and condition, of those recorded by the index date; repeated rows count once.
    listed : sequence of str
        The conditions that are counted.
    by : tuple of str
    months, commonest : int
        Length of the look-back, and how many conditions are listed by name.
    """
    study, rules = rows.study, rows.rules
    missing: list[str] = []
    known: dict[str, Sequence[str]] = {}  # characteristic -> its categories
    people = people.with_columns(pl.lit(1, dtype=pl.Int64).alias("n_persons"))
    people = _demography(study, rules, people, known, missing)
    tables: dict[str, pl.DataFrame] = {}
    if listed and study.has("conditions"):
        pairs = held.unique().collect(engine="streaming")
        people = _with_number(people, pairs, listed, known)
        tables["conditions"] = _conditions(people, pairs, listed, by)
        dated = study.conditions.select(pl.col("onset_date").is_not_null().any()).collect(engine="streaming").item()
        if not dated:
            missing.append("Conditions have no dates of onset: they are those ever recorded.")
    else:
        missing.append("The study has no conditions.")
    people = _with_care(rows, people, months, known, missing)
    shown = {c: k for c, k in known.items() if not {c, *SAID_BY.get(c, ())} & {*by, *rules}}
    tables["categories"] = pl.concat([_categories(people, by, c, own) for c, own in shown.items()])
    tables["population"] = _population(people, by, cost=COST in people.columns)
    provenance = study.provenance(**{**rules, "months": months}).as_settings()
    settings = {
        "method": "people by characteristic at the index date; mean and standard deviation of cost",
        "reference": "von Elm et al. 2007",
        "conditions": list(listed),
        "months": months,
        "commonest": commonest,
        "age_bands": list(study.age_bands),
        "whole_list": set(listed) == set(study.condition_names()),
        **provenance,
        "note": " ".join([*([study.note] if study.note else []), *_how_counted(study, known, months), *missing]),
    }
    return Baseline(tables, settings, by)


def _demography(
    study: Study,
    rules: Mapping[str, Any],
    people: pl.DataFrame,
    known: dict[str, Sequence[str]],
    missing: list[str],
) -> pl.DataFrame:
    """Name the categories of sex, age and deprivation: those that the study has, whoever of them is in the cohort."""
    recorded = study.persons.select(
        pl.col("sex").unique().implode(),
        pl.col("deprivation_decile").is_not_null().any().alias("some"),
        pl.col("deprivation_decile").is_null().any().alias("gaps"),
    ).collect(engine="streaming")
    sexes = set(recorded["sex"][0])
    known["sex"] = [sex for sex in SEXES if sex in sexes]
    wide = wide_age_bands(study.age_bands)
    ages = "age_band" if wide == tuple(study.age_bands) else "ten_year_age_band"
    youngest, oldest = rules.get("age") or (None, None)
    asked = {
        name: (low, high)
        for name, (low, high) in ages_of(wide).items()
        if high >= (youngest or 0) and (oldest is None or low <= oldest)
    }
    known[ages] = list(asked)
    if ages != "age_band":
        band = pl.lit(None, dtype=pl.String)
        for name, (low, high) in asked.items():
            band = pl.when(pl.col("age").is_between(low, high)).then(pl.lit(name)).otherwise(band)
        people = people.with_columns(band.alias(ages))
    if recorded["some"][0]:
        known["deprivation_quintile"] = [*map(str, range(1, 6)), *([NOT_RECORDED] if recorded["gaps"][0] else [])]
    else:
        missing.append("Deprivation is not recorded.")
    return people


def _with_number(
    people: pl.DataFrame, pairs: pl.DataFrame, listed: Sequence[str], known: dict[str, Sequence[str]]
) -> pl.DataFrame:
    top = min(MOST_CONDITIONS, len(listed))
    known[NUMBER] = [*map(str, range(top)), f"{top}+" if top < len(listed) else str(top)]
    return _with_bands(people, pairs.group_by("person_id").agg(pl.len().alias(NUMBER)), known, NUMBER)


def _with_bands(
    people: pl.DataFrame, numbers: pl.DataFrame, known: Mapping[str, Sequence[str]], *names: str
) -> pl.DataFrame:
    """Add the category of each person's number of something; those without a row have none of it."""
    people = people.join(numbers, on="person_id", how="left")
    for name in names:
        own = known[name]
        number = pl.col(name).fill_null(0).clip(0, len(own) - 1).cast(pl.Int64)
        people = people.with_columns(
            number.replace_strict(list(range(len(own))), list(own), return_dtype=pl.String).alias(name)
        )
    return people


def _conditions(people: pl.DataFrame, pairs: pl.DataFrame, listed: Sequence[str], by: tuple[str, ...]) -> pl.DataFrame:
    """Count people with each condition; every condition is listed in every stratum."""
    found = pairs.join(people.select("person_id", "n_persons", *by), on="person_id", how="inner")
    return _counted(people, found, by, "condition", sorted(listed))


def _categories(
    people: pl.DataFrame, by: tuple[str, ...], characteristic: str, categories: Sequence[str]
) -> pl.DataFrame:
    named = people.with_columns(pl.col(characteristic).cast(pl.String).fill_null(NOT_RECORDED).alias("category"))
    counts = _counted(people, named, by, "category", categories)
    return counts.select(*by, pl.lit(characteristic).alias("characteristic"), "category", "n_persons")


def _counted(
    people: pl.DataFrame, rows: pl.DataFrame, by: tuple[str, ...], column: str, names: Sequence[str]
) -> pl.DataFrame:
    """Sum people of rows by stratum and name; a name that nobody has counts nobody."""
    every = pl.DataFrame({column: names}, schema={column: pl.String})
    if by:
        every = _strata(people, by).join(every, how="cross", maintain_order="left_right")
    counts = rows.group_by(*by, column).agg(pl.col("n_persons").sum())
    return every.join(counts, on=[*by, column], how="left", nulls_equal=True, maintain_order="left").with_columns(
        pl.col("n_persons").fill_null(0)
    )


def _strata(people: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    return people.select(by).unique().sort(by, nulls_last=True)


def _population(people: pl.DataFrame, by: tuple[str, ...], *, cost: bool) -> pl.DataFrame:
    """Count people, with mean and standard deviation of their cost, from exact sums of pence."""
    counts = [pl.col("n_persons").sum()]
    if not cost:
        return people.group_by(by).agg(counts).sort(by, nulls_last=True) if by else people.select(counts)
    pence = pl.col(COST).cast(pl.Int128)
    counts += [pence.sum().alias("__sum"), (pence * pence).sum().alias("__squares")]
    table = people.group_by(by).agg(counts).sort(by, nulls_last=True) if by else people.select(counts)
    sums = list(zip(*(map(int, table[c].to_list()) for c in ("n_persons", "__sum", "__squares")), strict=True))
    figures = {
        "mean_cost": [total / n / HUNDRED if n else None for n, total, _ in sums],
        "standard_deviation": [
            sqrt((n * squares - total * total) / (n * (n - 1))) / HUNDRED if n > 1 else None
            for n, total, squares in sums
        ],
        "herfindahl_cost": [squares / total**2 if total else None for _, total, squares in sums],
    }
    return table.drop("__sum", "__squares").with_columns(
        [pl.Series(name, values, dtype=pl.Float64) for name, values in figures.items()]
    )


def _with_care(
    rows: PersonRows, people: pl.DataFrame, months: int, known: dict[str, Sequence[str]], missing: list[str]
) -> pl.DataFrame:
    """Add the care of the months before the index date, as far as it was observed, where the study records it."""
    study = rows.study
    if not study.has("activity"):
        missing.append("The study has no activity: no care or cost before the index date is known.")
        return people
    first = pl.col("index_date").dt.offset_by(f"-{months}mo")
    people = people.with_columns(first.alias("__first"))
    start = study.period[0]
    if people.height and not (people["__first"] >= start).any():
        missing.append(
            f"Activity is known from {start.day} {start:%B %Y}: not of the whole {months} months before the index "
            "date, so care and cost before it are excluded."
        )
        return people
    observed = pl.max_horizontal("registered_since", "birth_date", pl.lit(start)) <= pl.col("__first")
    people = people.with_columns(pl.when(observed).then(pl.lit(WHOLE)).otherwise(pl.lit(PART)).alias(LOOK_BACK))
    rules = {name: EVENTS[event].rule for name, event in CARE.items()}
    recorded = study.recorded
    there = {name for name, rule in rules.items() if rule is not None and not recorded.filter(rule).is_empty()}
    if recorded["costed"].any():
        there.add(COST)
    absent = [name for name in (*CARE, COST) if name not in there]
    if absent:
        missing.append(f"Not recorded in the study: {joined(absent)}.")
    known |= {name: [*map(str, range(MOST_OF_CARE)), f"{MOST_OF_CARE}+"] for name in CARE if name in there}
    known[LOOK_BACK] = [WHOLE, PART]
    sums = [rules[name].sum().alias(name) for name in CARE if name in there]  # type: ignore[union-attr]
    if COST in there:
        sums.append((pl.col("cost") * HUNDRED).round().cast(pl.Int64).sum().alias(COST))
    window = people.lazy().select("person_id", "index_date", "__first")
    earliest, latest = people["__first"].min(), people["index_date"].max()
    within = rows.activity.filter((pl.col("date") >= pl.lit(earliest)) & (pl.col("date") < pl.lit(latest)))
    before = (
        within.join(window, on="person_id", how="inner")
        .filter((pl.col("date") >= pl.col("__first")) & (pl.col("date") < pl.col("index_date")))
        .group_by("person_id")
        .agg(sums)
        .collect(engine="streaming")
    )
    people = _with_bands(people, before, known, *[name for name in CARE if name in there])
    return people.with_columns(pl.col(COST).fill_null(0)) if COST in there else people


def _how_counted(study: Study, known: Mapping[str, Sequence[str]], months: int) -> list[str]:
    """Return what a reader must know of how people were counted."""
    if LOOK_BACK not in known:
        return []
    since = [*(["registering with a practice"] if study.has("registrations") else []), "the study's first day"]
    return [
        f"Care is that of the {months} months before the index date, the day itself excluded; people observed for less "
        f"(from {joined(since, last='or')} on) are counted with what was observed."
    ]
