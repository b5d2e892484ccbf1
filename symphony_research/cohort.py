"""Who is studied, from when and until when: the one private holder of person rows.

A cohort gives out collapsed tables only, and an attrition table that says how
many people each rule left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.collapse import Collapsed, Patterns, names_of
from symphony_research.errors import ArgumentError, require_one_of, suggestion
from symphony_research.result import CountTable, Result
from symphony_research.schema import SETTINGS, SEXES
from symphony_research.study import Study
from symphony_research.wording import about, in_words, joined

__all__ = ["EVENTS", "STRATA", "Attrition", "Cohort", "define_cohort"]

# what may happen to a person: which rows of activity, or death
EVENTS: Mapping[str, pl.Expr | None] = MappingProxyType(
    {
        "emergency_admission": (pl.col("setting") == "inpatient") & (pl.col("kind") == "emergency"),
        "admission": pl.col("setting") == "inpatient",
        "accident_and_emergency": pl.col("setting") == "accident_and_emergency",
        "outpatient": pl.col("setting") == "outpatient",
        "readmission": (pl.col("setting") == "inpatient") & (pl.col("kind") == "emergency"),
        "death": None,
    }
)
STRATA = (
    "age_band",
    "sex",
    "deprivation_decile",
    "deprivation_quintile",
    "area",
    "residence",
    "practice_id",
    "programme",
    "hub",
    "n_conditions_band",
)
CONDITION_BANDS = ("0", "1", "2", "3", "4", "5", "6", "7+")


class Attrition(Result):
    """How many people each rule left out, and how many were studied."""

    title: ClassVar[str] = "From everybody in the study to the people studied"
    counts: ClassVar[Mapping[str, CountTable]] = MappingProxyType({"steps": CountTable(("n_persons",))})
    shown: ClassVar[tuple[str, ...]] = ("step", "n_excluded", "n_persons")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType({"n_persons": "People who remain"})

    @staticmethod
    def derive(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """People left after each rule: the sum of what is shown below it."""
        steps = tables["steps"]
        left_out = pl.Series("n_excluded", steps["n_persons"])
        # each row of the table but the last counts the people a rule left out; the last, those studied
        below = steps["n_persons"].fill_null(0).cum_sum(reverse=True)
        remaining = below.shift(-1)
        first = pl.DataFrame(
            {"step": [settings["start"]], "n_excluded": [0], "n_persons": below.head(1)},
            schema={"step": pl.String, "n_excluded": pl.Int64, "n_persons": pl.Int64},
        )
        rest = steps.select("step").with_columns(left_out, remaining.alias("n_persons")).head(steps.height - 1)
        return pl.concat([first, rest.cast(dict(first.schema))])  # type: ignore[arg-type]

    def sentence(self) -> str:
        """Return how many people were studied, of how many."""
        frame = self.estimates
        start, end = frame["n_persons"][0], frame["n_persons"][-1]
        if not end:
            return "Too few people meet the rules for anything to be shown."
        if frame.height == 1:
            return f"About {about(end)} people are studied."
        return f"Of about {about(start)} people, about {about(end)} meet every rule and are studied."


@dataclass(frozen=True, eq=False, repr=False)
class Cohort:
    """People with an index date and an end of follow-up. Make one with `define_cohort`.

    Attributes
    ----------
    study : Study
        Where they come from.
    rules : mapping
        The population as predicates and dates.
    attrition : Attrition
        How many people each rule left out.
    """

    study: Study
    rules: Mapping[str, Any]
    attrition: Attrition
    _people: pl.DataFrame = field(repr=False)

    def patterns(
        self,
        *,
        by: str | Sequence[str] = (),
        values: str | Sequence[str] = (),
        on: str | date = "index",
        months: int = 12,
        conditions: Sequence[str] | None = None,
    ) -> Patterns:
        """Collapse the cohort to sets of conditions.

        Parameters
        ----------
        by : str or sequence of str
            Strata, any of `STRATA`.
        values : str or sequence of str
            "cost" (pounds), "cost_<setting>", "contacts_<setting>",
            "emergency_admissions", "bed_days": each person's sum over the months
            from the index date, zeros included.
        on : "index" or date
            The day on which a condition must already be recorded.
        months : int, default 12
            Length of the window of `values`.
        conditions : sequence of str, optional
            Take these conditions alone; by default the study's list.

        Raises
        ------
        ArgumentError
            If a stratum, value or condition is unknown.

        Examples
        --------
        >>> import symphony_research as sr
        >>> cohort = sr.define_cohort(sr.example_study())
        >>> cohort.patterns(by="sex", values="cost").by
        ('sex',)
        """
        by, values = names_of(by), names_of(values)
        listed = _listed(self.study, conditions)
        people = self._strata(by)
        day = pl.col("index_date") if on == "index" else pl.lit(_as_date(on, "on"))
        held = self._conditions_on(day, listed)
        if values:
            people = people.join(self._values(values, months), on="person_id", how="left").with_columns(
                pl.col(values).fill_null(0.0)
            )
        return Patterns.from_long(
            held,
            people.select("person_id", *by, *values),
            by=by,
            values=values,
            conditions=listed,
            source=self.study.source(
                **self.rules, on=str(on), values=list(values), months=months if values else None, conditions=len(listed)
            ),
        )

    def follow_up(
        self,
        *,
        event: str,
        until: date | None = None,
        horizon: int | None = None,
        by: str | Sequence[str] = (),
    ) -> Collapsed:
        """Collapse the time from the index date to the first event.

        Parameters
        ----------
        event : str
            One of `EVENTS`: "emergency_admission", "admission",
            "accident_and_emergency", "outpatient", "readmission" (an emergency
            admission after the discharge from the first one; time runs from that
            discharge) or "death".
        until : date, optional
            Last day of follow-up; by default the study's.
        horizon : int, optional
            Days after the index date at which follow-up ends.
        by : str or sequence of str
            Strata, any of `STRATA`.

        Returns
        -------
        Collapsed
            A Polars frame: `time` (days from index, in half days: what happens on
            the index day itself is at half a day), `event` (0 = follow-up ended,
            1 = the event, 2 = death first), `entry` (0), the strata, `n_persons`.

        Raises
        ------
        ArgumentError
            If the event or a stratum is unknown, or the study has no activity.

        Examples
        --------
        >>> import symphony_research as sr
        >>> cohort = sr.define_cohort(sr.example_study())
        >>> cohort.follow_up(event="death").columns
        ['time', 'event', 'entry', 'n_persons']
        """
        require_one_of(event, EVENTS, argument="event")
        by = names_of(by)
        last = self.study.period[1] if until is None else _as_date(until, "until")
        people = self._strata(by).with_columns(pl.min_horizontal("exit_date", pl.lit(last)).alias("exit_date"))
        if event == "death":
            people = people.with_columns(pl.lit(None, dtype=pl.Date).alias("event_date"))
        else:
            people = self._with_event(people, event)
        if horizon is not None:
            if horizon < 1:
                raise ArgumentError(f"horizon={horizon} must be at least one day.")
            latest = pl.col("index_date").dt.offset_by(f"{horizon}d")
            people = people.with_columns(pl.min_horizontal("exit_date", latest).alias("exit_date"))
        people = people.with_columns((pl.col("death_date") <= pl.col("exit_date")).fill_null(False).alias("died"))
        people = people.filter(pl.col("index_date") <= pl.col("exit_date"))
        happened = pl.col("event_date").is_not_null() & (pl.col("event_date") <= pl.col("exit_date"))
        died = 1 if event == "death" else 2
        code = pl.when(happened).then(1).when(pl.col("died")).then(died).otherwise(0).cast(pl.Int32)
        ended = pl.when(happened).then(pl.col("event_date")).otherwise(pl.col("exit_date"))
        half_days = pl.max_horizontal(2 * (ended - pl.col("index_date")).dt.total_days(), pl.lit(1, dtype=pl.Int64))
        table = (
            people.select((half_days / 2).alias("time"), code.alias("event"), pl.lit(0.0).alias("entry"), *by)
            .group_by(["time", "event", "entry", *by])
            .agg(pl.len().cast(pl.Int64).alias("n_persons"))
            .sort([*by, "time", "event"], nulls_last=True)
        )
        source = self.study.source(**{**self.rules, "event": event, "until": last.isoformat(), "time_unit": "days"})
        return Collapsed.of(table, source)

    def _with_event(self, people: pl.DataFrame, event: str) -> pl.DataFrame:
        if not self.study.has("activity"):
            raise ArgumentError(f"The study has no activity table, so '{event}' cannot be followed. Only 'death' can.")
        rule = EVENTS[event]
        assert rule is not None
        rows = self.study.activity.filter(rule).select(
            "person_id", "date", pl.coalesce("end_date", "date").alias("end_date")
        )
        within = (
            rows.join(people.lazy().select("person_id", "index_date", "exit_date"), on="person_id", how="inner")
            .filter(pl.col("date").is_between(pl.col("index_date"), pl.col("exit_date")))
            .sort("person_id", "date", "end_date")
        )
        if event != "readmission":
            first = (
                within.group_by("person_id").agg(pl.col("date").min().alias("event_date")).collect(engine="streaming")
            )
            return people.join(first, on="person_id", how="left")
        spells = within.group_by("person_id", maintain_order=True).agg(
            pl.col("end_date").first().alias("discharged"), pl.col("date").slice(1).alias("later")
        )
        # time starts at the first discharge: whoever was never admitted cannot be readmitted
        found = (
            spells.explode("later", keep_nulls=True, empty_as_null=True)
            .with_columns(pl.when(pl.col("later") >= pl.col("discharged")).then(pl.col("later")).alias("later"))
            .group_by("person_id")
            .agg(pl.col("discharged").first(), pl.col("later").min().alias("event_date"))
            .collect(engine="streaming")
        )
        joined_up = people.join(found, on="person_id", how="inner")
        return joined_up.with_columns(pl.col("discharged").alias("index_date"))

    def _strata(self, by: tuple[str, ...]) -> pl.DataFrame:
        for name in by:
            require_one_of(name, STRATA, argument="by")
        people = self._people
        if "n_conditions_band" in by:
            held = self._conditions_on(pl.col("index_date"), self.study.condition_names())
            number = (
                held.select("person_id", "condition").unique().group_by("person_id").len().collect(engine="streaming")
            )
            band = pl.col("len").fill_null(0).clip(0, 7).cast(pl.Int64)
            names = pl.Series(CONDITION_BANDS)
            people = people.join(number, on="person_id", how="left").with_columns(
                band.replace_strict(list(range(8)), names, return_dtype=pl.String).alias("n_conditions_band")
            )
        return people

    def _conditions_on(self, day: pl.Expr, listed: Sequence[str]) -> pl.LazyFrame:
        people = self._people.lazy().select("person_id", "index_date")
        known = pl.col("onset_date").is_null() | (pl.col("onset_date") <= day)
        return (
            self.study.conditions.filter(pl.col("condition").is_in(list(listed)))
            .join(people, on="person_id", how="inner")
            .filter(known)
            .select("person_id", "condition")
        )

    def _values(self, values: tuple[str, ...], months: int) -> pl.DataFrame:
        if not self.study.has("activity"):
            raise ArgumentError(
                f"The study has no activity table, so {joined(values)} cannot be summed. Leave values out."
            )
        if months < 1:
            raise ArgumentError(f"months={months} must be at least 1.")
        people = self._people.lazy().select("person_id", "index_date")
        last = pl.col("index_date").dt.offset_by(f"{months}mo")
        rows = self.study.activity.join(people, on="person_id", how="inner").filter(
            (pl.col("date") >= pl.col("index_date")) & (pl.col("date") < last)
        )
        sums = [_value(name).cast(pl.Float64).alias(name) for name in values]
        return rows.group_by("person_id").agg(sums).collect(engine="streaming")

    def __repr__(self) -> str:
        return f"Cohort of '{self.study.name}' (person rows are not shown; see .attrition)"


def _value(name: str) -> pl.Expr:
    """Return the sum over a person's rows of activity that a value stands for."""
    pence = (pl.col("cost") * 100).round().cast(pl.Int64)  # whole pence, so that the sum is the same in any order
    if name == "cost":
        return pence.sum() / 100
    if name == "emergency_admissions":
        return ((pl.col("setting") == "inpatient") & (pl.col("kind") == "emergency")).sum()
    if name == "bed_days":
        stay = (pl.coalesce("end_date", "date") - pl.col("date")).dt.total_days()
        return stay.filter(pl.col("setting") == "inpatient").sum()
    for prefix in ("cost", "contacts"):
        setting = name.removeprefix(f"{prefix}_")
        if name.startswith(f"{prefix}_") and setting in SETTINGS:
            here = pl.col("setting") == setting
            return pence.filter(here).sum() / 100 if prefix == "cost" else here.sum()
    known = ["cost", "emergency_admissions", "bed_days", *[f"{p}_{s}" for p in ("cost", "contacts") for s in SETTINGS]]
    raise ArgumentError(f"There is no value '{name}'. Values: {', '.join(known)}.{suggestion(name, known)}")


def _listed(study: Study, conditions: Sequence[str] | None) -> tuple[str, ...]:
    known = study.condition_names()
    if conditions is None:
        return known
    for name in conditions:
        if name not in known:
            raise ArgumentError(
                f"The study has no condition '{name}'. Conditions: {', '.join(known)}.{suggestion(name, known)}"
            )
    return tuple(sorted(set(conditions)))


def _as_date(value: Any, argument: str) -> date:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ArgumentError(f"{argument}={value!r} is not a date. Write it as 2015-04-01.") from None
    if not isinstance(value, date):
        raise ArgumentError(f"{argument} must be a date, such as 2015-04-01.")
    return value


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
    index: date | str | None = None,
) -> Cohort:
    """Say who is studied, from when and until when.

    With `programme` or `hub` the people are those enrolled, and each person's
    index date is the day they first joined. Otherwise they are the people
    registered on one index date. Everyone is followed until death, until they
    leave their practice, or to the end of the study.

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
    index : date, optional
        The index date of everybody, for a cohort that is not one of enrolment;
        by default the study's first day.

    Returns
    -------
    Cohort
        With `.attrition`, `.patterns(...)` and `.follow_up(...)`.

    Raises
    ------
    ArgumentError
        If a programme, hub, practice or area is not in the study.

    Examples
    --------
    >>> import symphony_research as sr
    >>> cohort = sr.define_cohort(sr.example_study(), age=(18, None), min_conditions=2)
    >>> cohort.attrition.estimates.columns
    ['step', 'n_excluded', 'n_persons']
    """
    _require_known(study, programme=programme, hub=hub, practice=practice, area=area, sex=sex)
    people = study.persons.collect(engine="streaming")
    enrolled = programme is not None or hub is not None
    if enrolled and index is not None:
        raise ArgumentError("index is for everybody; people on a programme have the day they joined. Leave one out.")
    day = study.period[0] if index is None else _as_date(index, "index")
    people = _with_index(study, people, programme, hub, day if not enrolled else None)
    people = _with_registration(study, people)
    people = people.with_columns(_age(pl.col("birth_date"), pl.col("index_date")).alias("age"))
    people = people.with_columns(
        _band(pl.col("age"), study.age_bands).alias("age_band"),
        ((pl.col("deprivation_decile") + 1) // 2).alias("deprivation_quintile"),
    )
    if min_conditions is not None:
        people = _with_condition_number(study, people, _listed(study, conditions))

    rules: list[tuple[str, pl.Expr]] = []
    if enrolled:
        what = " with ".join(in_words(part) for part in (programme or "any programme", hub) if part)
        rules.append((f"not enrolled on {what}", pl.col("index_date").is_not_null()))
    when = "when they joined" if enrolled else f"on {day.day} {day:%B %Y}"
    rules.append(
        (
            f"not yet born, or no longer alive, {when}",
            (pl.col("birth_date") <= pl.col("index_date"))
            & (pl.col("death_date").is_null() | (pl.col("death_date") >= pl.col("index_date"))),
        )
    )
    if study.has("registrations"):
        rules.append((f"not registered with a practice {when}", pl.col("practice_id").is_not_null()))
    if practice is not None:
        rules.append(("registered with another practice", pl.col("practice_id").cast(pl.String) == str(practice)))
    if area is not None:
        rules.append(("living in another area", pl.col("area") == area))
    if sex is not None:
        rules.append(("of another sex", pl.col("sex") == sex))
    if residence is not None:
        rules.append(("living elsewhere", pl.col("residence") == residence))
    if age is not None:
        low, high = (age[0] or 0), (age[1] if age[1] is not None else 200)
        rules.append(
            (
                f"younger than {low}" + (f" or older than {high}" if high < 200 else ""),
                pl.col("age").is_between(low, high),
            )
        )
    if min_conditions is not None:
        rules.append((f"with fewer than {min_conditions} conditions {when}", pl.col("n_conditions") >= min_conditions))

    population = {
        "programme": programme, "hub": hub, "practice": practice, "area": area, "sex": sex, "residence": residence,
        "age": list(age) if age else None, "min_conditions": min_conditions,
        "index": "enrolment" if enrolled else day.isoformat(), "until": study.period[1].isoformat(),
    }  # fmt: skip
    population = {key: value for key, value in population.items() if value is not None}
    steps = []
    for step, rule in rules:
        kept = people.filter(rule.fill_null(False))
        steps.append((step, people.height - kept.height))
        people = kept
    steps.append(("studied", people.height))
    table = pl.DataFrame(steps, schema={"step": pl.String, "n_persons": pl.Int64}, orient="row")
    # a rule that left nobody out is not worth a line
    table = table.filter((pl.col("n_persons") > 0) | (pl.col("step") == "studied"))
    attrition = Attrition(
        {"steps": table},
        {
            "method": "people left out, rule by rule",
            "start": "in the study",
            **study.source(**population).as_settings(),
        },
    )
    people = people.with_columns(
        pl.min_horizontal("death_date", "registered_until", pl.lit(study.period[1])).alias("exit_date")
    )
    return Cohort(study, MappingProxyType(population), attrition, people)


def _require_known(study: Study, **wanted: str | None) -> None:
    places: dict[str, tuple[pl.LazyFrame, str]] = {
        "programme": (study.enrolments, "programme"),
        "hub": (study.enrolments, "hub"),
        "practice": (study.registrations, "practice_id"),
        "area": (study.persons, "area"),
    }
    if wanted.get("sex") is not None:
        require_one_of(wanted["sex"], SEXES, argument="sex")
    for argument, (table, column) in places.items():
        value = wanted[argument]
        if value is None:
            continue
        known = table.select(pl.col(column).cast(pl.String).drop_nulls().unique().sort()).collect()[column].to_list()
        if str(value) not in known:
            listed = ", ".join(known[:40]) or "none"
            raise ArgumentError(
                f"The study has no {argument} '{value}'. There is: {listed}.{suggestion(str(value), known)}"
            )


def _with_index(
    study: Study, people: pl.DataFrame, programme: str | None, hub: str | None, day: date | None
) -> pl.DataFrame:
    if day is not None:
        nothing = [pl.lit(None, dtype=pl.String).alias(name) for name in ("programme", "hub")]
        return people.with_columns(pl.lit(day).alias("index_date"), *nothing)
    rows = study.enrolments
    if programme is not None:
        rows = rows.filter(pl.col("programme") == programme)
    if hub is not None:
        rows = rows.filter(pl.col("hub") == hub)
    first = (
        rows.sort("person_id", "start_date", "programme", "hub")
        .group_by("person_id", maintain_order=True)
        .agg(pl.col("start_date").first().alias("index_date"), pl.col("programme", "hub").first())
        .collect()
    )
    return people.join(first, on="person_id", how="left")


def _with_registration(study: Study, people: pl.DataFrame) -> pl.DataFrame:
    """Add the practice on the index date and the last day of unbroken registration after it."""
    if not study.has("registrations"):
        return people.with_columns(
            pl.lit(None, dtype=pl.String).alias("practice_id"), pl.lit(study.period[1]).alias("registered_until")
        )
    far = pl.lit(date(9999, 1, 1))
    spells = (
        study.registrations.select("person_id", "practice_id", "start_date", pl.col("end_date").fill_null(far))
        .sort("person_id", "start_date", "end_date")
        .with_columns(pl.col("end_date").cum_max().shift(1).over("person_id").alias("__before"))
        .with_columns(
            # a move to another practice the next day is not a gap in registration
            (pl.col("start_date") > pl.col("__before").dt.offset_by("1d"))
            .fill_null(True)
            .cum_sum()
            .over("person_id")
            .alias("__run")
        )
        .with_columns(pl.col("end_date").max().over("person_id", "__run").alias("registered_until"))
    )
    here = (
        spells.join(people.lazy().select("person_id", "index_date"), on="person_id", how="inner")
        .filter(pl.col("index_date").is_between(pl.col("start_date"), pl.col("end_date")))
        .group_by("person_id")
        .agg(pl.col("practice_id", "registered_until").sort_by("start_date").last())
        .collect(engine="streaming")
    )
    return people.join(here, on="person_id", how="left")


def _with_condition_number(study: Study, people: pl.DataFrame, listed: Sequence[str]) -> pl.DataFrame:
    known = pl.col("onset_date").is_null() | (pl.col("onset_date") <= pl.col("index_date"))
    number = (
        study.conditions.filter(pl.col("condition").is_in(list(listed)))
        .join(people.lazy().select("person_id", "index_date"), on="person_id", how="inner")
        .filter(known)
        .select("person_id", "condition")
        .unique()
        .group_by("person_id")
        .agg(pl.len().cast(pl.Int64).alias("n_conditions"))
        .collect(engine="streaming")
    )
    return people.join(number, on="person_id", how="left").with_columns(pl.col("n_conditions").fill_null(0))


def _age(birth: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Completed years, by the calendar: the birthday itself counts."""
    before = (day.dt.month() < birth.dt.month()) | (
        (day.dt.month() == birth.dt.month()) & (day.dt.day() < birth.dt.day())
    )
    return day.dt.year() - birth.dt.year() - before.cast(pl.Int32)


def _band(age: pl.Expr, lowest: Sequence[int]) -> pl.Expr:
    """Name of the age band: "65-69", the last "85+", below the first "under 18"."""
    names = [f"{a:02d}-{b - 1:02d}" for a, b in pairwise(lowest)] + [f"{lowest[-1]}+"]
    under = [] if lowest[0] == 0 else [pl.when(age < lowest[0]).then(pl.lit(f"under {lowest[0]}"))]
    band: pl.Expr = pl.lit(names[-1])
    for name, upper in reversed(list(zip(names, lowest[1:], strict=False))):
        band = pl.when(age < upper).then(pl.lit(name)).otherwise(band)
    return pl.when(age < lowest[0]).then(pl.lit(f"under {lowest[0]}")).otherwise(band) if under else band
