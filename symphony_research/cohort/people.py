"""`Cohort`: the one private holder of person rows. It gives out collapsed tables only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from symphony_research.cohort.attrition import Attrition
from symphony_research.cohort.bands import CONDITION_BANDS
from symphony_research.cohort.baseline import Baseline
from symphony_research.cohort.characteristics import baseline_of
from symphony_research.cohort.events import EVENTS
from symphony_research.collapse import Collapsed, Onsets, Patterns, names_of
from symphony_research.errors import ArgumentError, require_one_of, suggestion
from symphony_research.schema import SETTINGS
from symphony_research.study import Study
from symphony_research.words.phrases import joined

__all__ = ["EVENTS", "STRATA", "Cohort", "as_date", "listed_conditions"]

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
        How many people each rule excluded.
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
            from the index date, zeros included. Care after the study's last day
            is not known: the sums of people who join within the last months are of a
            shorter time.
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
        listed = listed_conditions(self.study, conditions)
        people = self._strata(by)
        day = pl.col("index_date") if on == "index" else pl.lit(as_date(on, "on"))
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

    def baseline(
        self,
        *,
        by: str | Sequence[str] = (),
        months: int = 12,
        conditions: Sequence[str] | None = None,
        commonest: int = 10,
    ) -> Baseline:
        """Describe the cohort at the index date: who the people are, and the care of the months before.

        Parameters
        ----------
        by : str or sequence of str
            Strata, any of `STRATA`: one column of the table each.
        months : int, default 12
            Length of the look-back: from so many months before the index date to
            the day before it.
        conditions : sequence of str, optional
            Take these conditions alone; by default the study's list.
        commonest : int, default 10
            How many conditions are listed by name: those that most people have by
            the released counts.

        Returns
        -------
        Baseline
            `characteristic`, `category`, `n_persons`, `estimate` (share of the
            people of the stratum), and in the row of cost `mean_cost` and
            `standard_deviation` (pounds). `sr.table` prints it as journals do.

        Raises
        ------
        ArgumentError
            If a stratum or condition is unknown, `months` is below one or
            `commonest` below zero.

        Notes
        -----
        Characteristics are those of the index date. Somebody who joined a
        practice, or was born, within the look-back is counted with what was
        observed of it, and so is whoever's look-back begins before the study
        does; the row `look_back` counts them. Where that is everybody, nothing
        is known of the whole look-back, and its rows are omitted. What a
        study does not record is omitted too: the note says what.

        Age is given in bands of ten years where the study has more than ten
        bands (0-4, 5-14, ... 75-84, 85+). A characteristic that is a stratum,
        or that a rule of the cohort fixes, is not repeated.

        References
        ----------
        von Elm, E. et al. (2007). The STROBE statement. Lancet 370, 1453-1457, item 14.
        Pollard, T. J. et al. (2018). tableone. JAMIA Open 1, 26-31.

        Examples
        --------
        >>> import symphony_research as sr
        >>> cohort = sr.define_cohort(sr.example_study(), index="2013-04-01")
        >>> baseline = cohort.baseline()
        >>> baseline.estimates.columns
        ['characteristic', 'category', 'n_persons', 'estimate', 'mean_cost', 'standard_deviation']
        """
        by, listed = names_of(by), listed_conditions(self.study, conditions)
        if type(months) is not int or months < 1:
            raise ArgumentError(f"months={months} must be an integer number of months, at least one.")
        if type(commonest) is not int or commonest < 0:
            raise ArgumentError(f"commonest={commonest} must be an integer number of conditions, 0 for none.")
        held = self._conditions_on(pl.col("index_date"), listed)
        return baseline_of(
            self.study, self.rules, self._strata(by), held, listed=listed, by=by, months=months, commonest=commonest
        )

    def follow_up(
        self,
        *,
        event: str | None = None,
        until: date | None = None,
        horizon: int | None = None,
        by: str | Sequence[str] = (),
    ) -> Collapsed:
        """Collapse the time from the index date to the first event.

        Parameters
        ----------
        event : str, optional
            By default an emergency admission, or death where the study has no
            activity. One of `EVENTS`: "emergency_admission", "admission",
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
            the index day itself is at half a day), `event` (0 = censored,
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
        if event is None:
            event = "emergency_admission" if self.study.has("activity") else "death"
        require_one_of(event, EVENTS, argument="event")
        by = names_of(by)
        last = self.study.period[1] if until is None else as_date(until, "until")
        people = self._strata(by).with_columns(pl.min_horizontal("exit_date", pl.lit(last)).alias("exit_date"))
        if event == "death":
            people = people.with_columns(pl.lit(None, dtype=pl.Date).alias("event_date"))
        else:
            people = self._with_event(people, event)
        if horizon is not None:
            if type(horizon) is not int or horizon < 1:
                raise ArgumentError(f"horizon={horizon} must be an integer number of days, at least one.")
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
        asked = {"event": event, "until": last.isoformat(), "time_unit": "days"}
        source = self.study.source(**{**self.rules, **asked, **({} if horizon is None else {"horizon": horizon})})
        return Collapsed.of(table, source)

    def onsets(
        self,
        *,
        adjust: str | Sequence[str] = ("sex", "birth_year"),
        birth_years: int = 5,
        washout_days: int = 90,
        on: str | date = "index",
        conditions: Sequence[str] | None = None,
    ) -> Onsets:
        """Hand over when each condition of each person began, for `networks.sequences`.

        Parameters
        ----------
        adjust : str or sequence of str, default ("sex", "birth_year")
            "birth_year", or any of `STRATA`: orders of onset are compared within them.
        birth_years : int, default 5
            Years of birth put together to one cohort: 10 for a few thousand people, 1
            where there are many millions.
        washout_days : int, default 90
            An onset from the day of joining any practice to this many days later
            was entered on joining, so its day is taken as unknown.
        on : "index" or date
            The last day of an onset. People no longer observed on a later day than
            the index date are excluded: what began in them by then is not known.
        conditions : sequence of str, optional
            Take these conditions alone; by default the study's list.

        Returns
        -------
        Onsets
            Person rows, which it does not show.

        Raises
        ------
        ArgumentError
            If a stratum or condition is unknown.

        Examples
        --------
        >>> import symphony_research as sr
        >>> sr.define_cohort(sr.example_study()).onsets()
        Onsets of 49 conditions by sex, birth_year (confidential: person rows)
        """
        adjust = names_of(adjust)
        for name in adjust:
            require_one_of(name, ("birth_year", *STRATA), argument="adjust")
        listed = listed_conditions(self.study, conditions)
        day = pl.col("index_date") if on == "index" else pl.lit(as_date(on, "on"))
        people = self._strata(tuple(name for name in adjust if name != "birth_year")).filter(pl.col("exit_date") >= day)
        mine = people.lazy().select("person_id", "index_date")
        records = self.study.conditions.join(mine, on="person_id", how="inner").filter(
            pl.col("onset_date").is_null() | (pl.col("onset_date") <= day)
        )
        spells = self.study.registrations.join(mine.select("person_id"), on="person_id", how="semi")
        return Onsets.from_long(
            records,
            people.select("person_id", "birth_date", *[name for name in dict.fromkeys(adjust) if name != "birth_year"]),
            adjust=adjust,
            birth_years=birth_years,
            joined=spells if self.study.has("registrations") else None,
            washout_days=washout_days,
            conditions=listed,
            source=self.study.source(**{**self.rules, "on": str(on), "conditions": len(listed)}),
        )

    def _with_event(self, people: pl.DataFrame, event: str) -> pl.DataFrame:
        if not self.study.has("activity"):
            raise ArgumentError(f"The study has no activity table, so '{event}' cannot be analysed. Only 'death' can.")
        rule = EVENTS[event]
        assert rule is not None
        if event in ("emergency_admission", "readmission"):
            self._require_filled("kind", event)
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

    def _require_filled(self, column: str, wanted: str) -> None:
        """Refuse to count what a column tells where the column is empty: it would look as if it never happened."""
        if not self.study.activity.select(pl.col(column).is_not_null().any()).collect(engine="streaming").item():
            raise ArgumentError(
                f"'{wanted}' is read from the column {column} of activity, which is empty in this study."
            )

    def _strata(self, by: tuple[str, ...]) -> pl.DataFrame:
        for name in by:
            require_one_of(name, STRATA, argument="by")
        if len(set(by)) < len(by):
            raise ArgumentError("by names a stratum twice.")
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
        if type(months) is not int or months < 1:
            raise ArgumentError(f"months={months} must be an integer number of months, at least one.")
        if "emergency_admissions" in values:
            self._require_filled("kind", "emergency_admissions")
        if "bed_days" in values:
            self._require_filled("end_date", "bed_days")
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


def listed_conditions(study: Study, conditions: Sequence[str] | None) -> tuple[str, ...]:
    """Return the conditions asked for, or all of the study's, in alphabetical order; refuse unknown ones."""
    known = study.condition_names()
    if conditions is None:
        return known
    for name in conditions:
        if name not in known:
            raise ArgumentError(
                f"The study has no condition '{name}'. Conditions: {', '.join(known)}.{suggestion(name, known)}"
            )
    return tuple(sorted(set(conditions)))


def as_date(value: Any, argument: str) -> date:
    """Return a date, or the date a text like 2015-04-01 stands for."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ArgumentError(f"{argument}={value!r} is not a date. Write it as 2015-04-01.") from None
    if not isinstance(value, date):
        raise ArgumentError(f"{argument} must be a date, such as 2015-04-01.")
    return value
