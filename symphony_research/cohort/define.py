"""Who is studied, from when and until when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Any

import polars as pl

from symphony_research.cohort.about import about, joining_window
from symphony_research.cohort.attrition import attrition_of
from symphony_research.cohort.bands import age_band
from symphony_research.cohort.index_dates import GIVEN, LABEL, index_dates_of
from symphony_research.cohort.people import Cohort
from symphony_research.cohort.rows import PersonRows, as_date, listed_conditions
from symphony_research.cohort.spells import joined_spells
from symphony_research.cohort.strata import STRATA
from symphony_research.errors import ArgumentError, require_one_of, suggestion
from symphony_research.population import Population
from symphony_research.schema import RESIDENCES, SEXES
from symphony_research.study import Study

__all__ = ["define_cohort"]

OLDEST = 200
MOST_PEOPLE = 1_000_000  # of a part; larger studies are read part by part
SEED = 2013  # of the parts
FAR = date(9999, 1, 1)  # of what lasts


def define_cohort(
    study: Study,
    *,
    programme: str | None = None,
    hub: str | None = None,
    practice: str | None = None,
    area: str | None = None,
    sex: str | None = None,
    age: tuple[int | None, int | None] | None = None,
    residence: str | None = None,
    min_conditions: int | None = None,
    conditions: Sequence[str] | None = None,
    index: Any = None,
    joined: tuple[Any, Any] | str | None = None,
) -> Cohort:
    """Say who is studied, from when and until when.

    With `programme` or `hub` the people are those enrolled, and each person's
    index date is the day they first joined. Otherwise they are the people
    registered on one index date. Everyone is followed until death, until their
    registration with any practice of the study ends, or to the end of the study.

    Parameters
    ----------
    study : Study
        Where they come from.
    programme, hub : str, optional
        Take people enrolled on the programme, with the hub.
    practice, area, sex, residence : str, optional
        Take people registered, living or recorded there on the index date.
    age : (int or None, int or None), optional
        Youngest and oldest age on the index date, in completed years.
    min_conditions : int, optional
        Take people with at least this many conditions on the index date.
    conditions : sequence of str, optional
        The conditions that `min_conditions` counts; by default the study's list.
    index : date or frame, optional
        The index date of everybody, for a cohort that is not one of enrolment;
        by default the study's first day. Or a frame of `person_id` and `index_date`, with a `label` to be a stratum
        if wanted: its people from their own dates, of which somebody may have several, such as a control of several cases.
        Follow-up then runs from each index date; `n_persons` still counts people, once.
    joined : (date, date) or str, optional
        First and last day on which they joined, both included, or a calendar quarter such as "2016-Q3"; of a programme or hub.

    Returns
    -------
    Cohort
        With `.attrition`, `.patterns(...)` and `.follow_up(...)`.

    Raises
    ------
    ArgumentError
        If a programme, hub, practice or area is not in the study, or a frame of index dates has faults.

    Examples
    --------
    >>> import symphony_research as sr
    >>> cohort = sr.define_cohort(sr.example_study(), age=(18, None), min_conditions=2)
    >>> cohort.attrition.estimates.columns
    ['step', 'n_excluded', 'n_persons']
    """
    if conditions is not None and min_conditions is None:
        raise ArgumentError("conditions says which conditions min_conditions counts: pass min_conditions too.")
    if residence is not None:
        require_one_of(residence, RESIDENCES, argument="residence")
    low, high = _age_range(age)
    _require_known(study, programme=programme, hub=hub, practice=practice, area=area, sex=sex)
    enrolled = programme is not None or hub is not None
    if enrolled and index is not None:
        raise ArgumentError("index is for everybody; people on a programme have the day they joined. Leave one out.")
    if joined is not None and not enrolled:
        raise ArgumentError("joined is for people on a programme: name the programme or hub that they joined.")
    window = None if joined is None else joining_window(joined)
    own = None if index is None or isinstance(index, (str, date)) else index_dates_of(study, index)
    day = study.period[0] if index is None or own is not None else as_date(index, "index")
    if not study.period[0] <= day <= study.period[1]:
        first, last = study.period
        raise ArgumentError(f"index={day.isoformat()} is outside the study, {first.isoformat()} to {last.isoformat()}.")
    listed = None if min_conditions is None else listed_conditions(study, conditions)

    rules: list[tuple[str, pl.Expr]] = []
    if enrolled:
        # before the first day nothing is recorded, so nothing could be seen to happen
        rules.append(("joined before the study's first day", pl.col("index_date") >= study.period[0]))
    when = "when they joined" if enrolled else f"on {day.day} {day:%B %Y}" if own is None else "on their index date"
    rules.append(
        (
            f"not yet born, or no longer alive, {when}",
            (pl.col("birth_date") <= pl.col("index_date"))
            & (pl.col("death_date").is_null() | (pl.col("death_date") >= pl.col("index_date"))),
        )
    )
    if study.has("registrations"):
        rules.append((f"not registered with a practice {when}", pl.col("practice_id").is_not_null()))
    wanted = {"of another sex": ("sex", sex), "living elsewhere": ("residence", residence)}
    for step, (column, value) in wanted.items():
        if value is not None:
            rules.append((step, pl.col(column).cast(pl.String) == str(value)))
    if (low, high) != (0, OLDEST):  # else it would be a criterion that nobody can meet
        words = f"younger than {low}" + (f" or older than {high}" if high < OLDEST else "")
        rules.append((words, pl.col("age").is_between(low, high)))
    if min_conditions is not None:
        rules.append((f"with fewer than {min_conditions} conditions {when}", pl.col("n_conditions") >= min_conditions))

    population = Population(
        programme=programme, hub=hub, practice=practice, area=area, sex=sex, residence=residence,
        joined=None if window is None else (window[0].isoformat(), window[1].isoformat()),
        age=(age[0], age[1]) if age else None, min_conditions=min_conditions, counted=None if listed is None else tuple(listed),
        index="enrolment" if enrolled else day.isoformat() if own is None else GIVEN,
        index_dates=None if own is None else own.digest, until=study.period[1].isoformat(),
    )  # fmt: skip
    # attrition begins with whom the cohort is about: how many are of other practices would be their complement
    whom = about(programme=programme, hub=hub, practice=practice, area=area, window=window, when=when)
    gone = dict.fromkeys((step for step, _ in rules), 0)
    kept = []
    several = own is not None and own.several
    for part in _parts(study):
        people = _observed(part, programme, hub, own.rows if own else None if enrolled else day, listed)
        people = whom.people(people, [rule for _, rule in rules])
        for step, rule in rules:
            left = people.filter(rule.fill_null(False))
            gone[step] += _people(people, several) - _people(left, several)
            people = left
        kept.append(_narrow(people, study))
    people = pl.concat(kept)
    predicates = population.replace(divided=whom.divided(population)).as_mapping()
    attrition = attrition_of(
        list(gone.items()),
        _people(people, several),
        start=whom.words or ("in the study" if own is None else "with an index date"),
        criteria=[step for step, _ in rules],
        **study.provenance(**predicates).as_settings(),
    )
    return Cohort(attrition, PersonRows(study, MappingProxyType(predicates), people, several, listed))


def _people(frame: pl.DataFrame, several: bool) -> int:
    """Return the number of people; whoever is left with one of several index dates is still there."""
    return frame["person_id"].n_unique() if several else frame.height


def _parts(study: Study) -> Iterator[Study]:
    """Yield the study in parts of so many people that one of them fits in memory with all that is joined to it."""
    people = study.persons.select(pl.len()).collect(engine="streaming").item()
    parts = -(-people // MOST_PEOPLE)
    if parts <= 1:
        yield study
        return
    for number in range(parts):
        own = pl.col("person_id").hash(SEED) % parts == number
        held = {
            name: study.tables[name].filter(own) for name in ("persons", "registrations", "conditions", "enrolments")
        }
        yield replace(study, tables={**study.tables, **held})


def _observed(
    study: Study,
    programme: str | None,
    hub: str | None,
    day: date | pl.DataFrame | None,
    listed: Sequence[str] | None,
) -> pl.DataFrame:
    """Return the people with an index date, and what is known of them on it."""
    people = _with_index(study, programme, hub, day)
    people = _with_registration(study, people)
    people = people.with_columns(_age(pl.col("birth_date"), pl.col("index_date")).alias("age"))
    people = people.with_columns(
        age_band(pl.col("age"), study.age_bands).alias("age_band"),
        ((pl.col("deprivation_decile") + 1) // 2).alias("deprivation_quintile"),
    )
    return people if listed is None else _with_condition_number(study, people, listed)


def _narrow(people: pl.DataFrame, study: Study) -> pl.DataFrame:
    """Return the people with the end of what is known of them; text that many share is kept once."""
    end = pl.min_horizontal("death_date", "registered_until", pl.lit(study.period[1])).alias("exit_date")
    texts = [name for name in (*STRATA, LABEL) if people.schema.get(name) == pl.String]
    return people.with_columns(end, pl.col(texts).cast(pl.Categorical)).drop("n_conditions", strict=False)


def _age_range(age: tuple[int | None, int | None] | None) -> tuple[int, int]:
    if age is None:
        return 0, OLDEST
    whole = isinstance(age, (tuple, list)) and len(age) == 2 and all(a is None or type(a) is int for a in age)
    low, high = (age[0] or 0, OLDEST if age[1] is None else age[1]) if whole else (1, 0)
    if low > high:
        raise ArgumentError(f"age={age!r} must be (youngest, oldest) in whole years, such as (65, None).")
    return low, high


def _require_known(study: Study, **wanted: str | None) -> None:
    places = {
        "programme": ("enrolments", "programme"),
        "hub": ("enrolments", "hub"),
        "practice": ("registrations", "practice_id"),
        "area": ("persons", "area"),
    }
    if wanted.get("sex") is not None:
        require_one_of(wanted["sex"], SEXES, argument="sex")
    for argument, (table, column) in places.items():
        value = wanted[argument]
        if value is None:
            continue
        if not study.has(table):
            raise ArgumentError(
                f"The study has no table {table}, so that no {argument} is known, and '{value}' cannot be studied."
            )
        known = (
            study.tables[table]
            .select(pl.col(column).cast(pl.String).drop_nulls().unique().sort())
            .collect()[column]
            .to_list()
        )
        if str(value) not in known:
            # areas and practices come from persons' own rows: they are counted, not listed
            few = argument in ("programme", "hub")
            there = f"There is: {', '.join(known) or 'none'}." if few else f"There are {len(known):,}."
            raise ArgumentError(f"The study has no {argument} '{value}'. {there}{suggestion(str(value), known)}")


def _with_index(study: Study, programme: str | None, hub: str | None, day: date | pl.DataFrame | None) -> pl.DataFrame:
    """Return the persons with a common index date or with their own, or those enrolled with the day of their first enrolment."""
    if day is not None:
        nothing = [pl.lit(None, dtype=pl.String).alias(name) for name in ("programme", "hub")]
        nothing.append(pl.lit(None, dtype=pl.Date).alias("programme_until"))
        if isinstance(day, pl.DataFrame):
            people = study.persons.join(day.lazy(), on="person_id", how="inner").collect(engine="streaming")
            return people.with_columns(nothing)
        people = study.persons.collect(engine="streaming")
        return people.with_columns(pl.lit(day).alias("index_date"), *nothing)
    rows = study.enrolments
    if programme is not None:
        rows = rows.filter(pl.col("programme") == programme)
    if hub is not None:
        rows = rows.filter(pl.col("hub") == hub)
    spells = rows.select("person_id", "programme", "hub", "start_date", pl.col("end_date").fill_null(FAR))
    # a time on the programme that goes on the next day, with whichever hub, is one
    first = (
        joined_spells(spells, start="start_date", end="end_date", touch_days=1, order=("programme", "hub"))
        .filter(pl.col("run") == 1)
        .group_by("person_id", maintain_order=True)
        .agg(
            pl.col("start_date").first().alias("index_date"),
            pl.col("programme", "hub").first(),
            pl.col("end_date").max().alias("programme_until"),
        )
    )
    # few of the study's people are on a programme
    return study.persons.join(first, on="person_id", how="inner").collect(engine="streaming")


def _with_registration(study: Study, people: pl.DataFrame) -> pl.DataFrame:
    """Add the practice on the index date, and the first and last day of unbroken registration around it."""
    if not study.has("registrations"):
        return people.with_columns(
            pl.lit(None, dtype=pl.String).alias("practice_id"),
            pl.lit(None, dtype=pl.Date).alias("registered_since"),
            pl.lit(study.period[1]).alias("registered_until"),
        )
    dated = people.lazy().select("person_id", "index_date").drop_nulls().unique()  # of a hub, few of the study's people
    rows = study.registrations.select("person_id", "practice_id", "start_date", pl.col("end_date").fill_null(FAR)).join(
        dated, on="person_id", how="semi"
    )
    # a move to another practice the next day is not a missing value in registration
    spells = joined_spells(rows, start="start_date", end="end_date", touch_days=1)
    runs = spells.group_by("person_id", "run").agg(
        pl.col("start_date").min().alias("registered_since"), pl.col("end_date").max().alias("registered_until")
    )
    here = (
        spells.join(dated, on="person_id", how="inner")
        .filter(pl.col("index_date").is_between(pl.col("start_date"), pl.col("end_date")))
        .join(runs, on=["person_id", "run"], how="inner")
        .group_by("person_id", "index_date")
        .agg(pl.col("practice_id", "registered_since", "registered_until").sort_by("start_date", "practice_id").last())
        .collect(engine="streaming")
    )
    return people.join(here, on=["person_id", "index_date"], how="left")


def _with_condition_number(study: Study, people: pl.DataFrame, listed: Sequence[str]) -> pl.DataFrame:
    known = pl.col("onset_date").is_null() | (pl.col("onset_date") <= pl.col("index_date"))
    number = (
        study.conditions.filter(pl.col("condition").is_in(list(listed)))
        .join(people.lazy().select("person_id", "index_date").unique(), on="person_id", how="inner")
        .filter(known)
        .select("person_id", "index_date", "condition")
        .unique()
        .group_by("person_id", "index_date")
        .agg(pl.len().cast(pl.Int64).alias("n_conditions"))
        .collect(engine="streaming")
    )
    return people.join(number, on=["person_id", "index_date"], how="left").with_columns(
        pl.col("n_conditions").fill_null(0)
    )


def _age(birth: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Completed years, by the calendar: the birthday itself counts."""
    before = (day.dt.month() < birth.dt.month()) | (
        (day.dt.month() == birth.dt.month()) & (day.dt.day() < birth.dt.day())
    )
    return day.dt.year() - birth.dt.year() - before.cast(pl.Int32)
