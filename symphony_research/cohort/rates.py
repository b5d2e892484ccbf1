"""Events and person-years, collapsed by strata, calendar year and attained age."""

from __future__ import annotations

from datetime import date

import polars as pl

from symphony_research.cohort.at_risk import at_risk, split_at, start_of, when_of, with_event
from symphony_research.cohort.bands import age_band_names
from symphony_research.cohort.events import EVENTS, events_of, first_recorded, why_not_recorded
from symphony_research.cohort.follow_up import (
    ENROLLED,
    Steps,
    governing_day,
    provenance_of_period,
    window_of,
    with_enrolment,
    with_first,
)
from symphony_research.cohort.rows import PersonRows
from symphony_research.cohort.strata import STRATA, with_strata
from symphony_research.collapse import Collapsed
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.result import NotAvailable, not_available

__all__ = ["ATTAINED", "YEAR", "rates_of"]

YEAR, ATTAINED = "year", "age_band"  # a person goes through several of these
HALF_DAYS_A_YEAR = 2 * 365.25
MOST_ROWS = 1_000_000  # of people whose time is cut at once
SUMS = ("n_persons", "n_with_event", "n_events", "n_events_squared", "person_years")


def rates_of(
    rows: PersonRows,
    *,
    event: str | None,
    by: tuple[str, ...],
    until: date | str | None,
    horizon: int | None,
    entry: date | str | None,
    leave_programme: bool,
    enrolment: str | None,
    first: bool,
    episode_days: int,
    optional: bool,
) -> Collapsed | NotAvailable:
    """Collapse person-time and events; the arguments are those of `Cohort.rates`."""
    rows.require_one_index("rates")
    study = rows.study
    event = first_recorded(study) if event is None else event
    if optional and event == "readmission":
        why = "Readmissions are counted by discharge"
        return not_available(why, "their rate by time", study.provenance(**rows.rules).as_settings())
    require_one_of(event, [name for name in EVENTS if name != "readmission"], argument="event")
    if optional and (why := why_not_recorded(study, event)):
        return not_available(why, f"the rate of {EVENTS[event].plural}", study.provenance(**rows.rules).as_settings())
    for name in by:
        require_one_of(name, (YEAR, *STRATA), argument="by")
    if len(set(by)) < len(by):
        raise ArgumentError("by names a stratum twice.")
    if leave_programme and enrolment is None and rows.rules.get("index") != "enrolment":
        raise ArgumentError(
            "leave_programme is for people on a programme: define the cohort by one, or pass enrolment."
        )
    tables = [*(["activity"] if event != "death" else []), *(["enrolments"] if enrolment or leave_programme else [])]
    last = governing_day(study, *tables, until=until)
    window = window_of(last, horizon=horizon, entry=entry, leave_programme=leave_programme, rows=rows)
    fixed = tuple(name for name in by if name not in (YEAR, ATTAINED))
    people, steps = with_strata(rows, fixed), Steps()
    if enrolment is not None:
        people = with_enrolment(rows, people, enrolment, leave_programme)
    intervals = steps.keep(at_risk(people, window), pl.col("exit") > pl.col("entry"), "with no observed time")
    if first and event != "death":
        intervals = with_event(with_first(rows, intervals, event))
        intervals = steps.keep(intervals, pl.col("exit") > pl.col("entry"), "with the event before they were observed")
    if enrolment is not None:
        intervals, by = split_at(intervals, "enrolled_on", ENROLLED), (*by, ENROLLED)
    moving = tuple(name for name in (YEAR, ATTAINED, ENROLLED) if name in by)
    needed = ["person_id", "index_date", "exit_date", "birth_date", "entry", "exit", "reason"]
    needed += [name for name in by if name not in (YEAR, ATTAINED)]
    intervals = intervals.select(needed)
    happened = _events(rows, intervals, event, episode_days, first=first).collect(engine="streaming").lazy()
    # years multiply rows, so they are made of so many people at a time
    parts = [_summed(_pieces(part, study.age_bands, by), happened, by) for part in intervals.iter_slices(MOST_ROWS)]
    table = _added(parts or [_summed(_pieces(intervals, study.age_bands, by), happened, by)], by)
    asked = {
        "event": event, "until": last.isoformat(), "horizon": horizon, "leave_programme": leave_programme or None,
        "entry": window.entry.isoformat() if window.entry else None, "enrolment": enrolment,
        "first": first or None, "episode_days": episode_days or None,
    }  # fmt: skip
    provenance = provenance_of_period(rows, *tables, last=last, **asked)
    attrition = steps.attrition(intervals["person_id"].n_unique(), provenance)
    return Collapsed(table, provenance, by, sums=SUMS, weights="n_persons", distinct_by=moving, attrition=attrition)


def _pieces(intervals: pl.DataFrame, lowest: tuple[int, ...], by: tuple[str, ...]) -> pl.LazyFrame:
    """Cut each interval at the turns of years and at the birthdays that lead to another age band (a Lexis diagram)."""
    pieces = intervals.lazy()
    if YEAR in by:
        # a horizon ends after its last day, which may be the last of a year
        years = pl.int_ranges(pl.col("index_date").dt.year(), pl.col("exit_date").dt.year() + 1)
        pieces = pieces.with_columns(years.alias(YEAR)).explode(YEAR).with_columns(pl.col(YEAR).cast(pl.Int64))
        turn = pl.date(pl.col(YEAR), 1, 1)
        last = pl.col(YEAR) == pl.col("exit_date").dt.year()
        until = pl.when(last).then("exit").otherwise(start_of(pl.date(pl.col(YEAR) + 1, 1, 1)))
        pieces = _cut(pieces, start_of(turn), until)
    if ATTAINED in by:
        starts = [0, *lowest] if lowest[0] > 0 else list(lowest)
        names = age_band_names(lowest)
        band = pl.int_ranges(0, len(starts))
        number = pl.col("__band")
        low = number.replace_strict(list(range(len(starts))), starts, return_dtype=pl.Int64)
        high = number.replace_strict(list(range(len(starts))), [*starts[1:], None], return_dtype=pl.Int64)
        pieces = (
            pieces.with_columns(band.alias("__band"))
            .explode("__band")
            .filter(pl.col("birth_date").dt.offset_by(pl.format("{}y", low)) <= pl.col("exit_date"))
        )
        until = pl.when(high.is_null()).then("exit").otherwise(start_of(_birthday(high)))
        # whoever is born on the index day or before is of the first band from the start
        since = pl.when(number == 0).then(0).otherwise(start_of(_birthday(low)))
        pieces = _cut(pieces, since, until)
        pieces = pieces.with_columns(
            number.replace_strict(list(range(len(names))), names, return_dtype=pl.String).alias(ATTAINED)
        )
    return pieces.select("person_id", "entry", "exit", *by)


def _birthday(years: pl.Expr) -> pl.Expr:
    """Return the day on which so many years are completed; of who was born on 29 February, in other years 1 March."""
    birth = pl.col("birth_date")
    day = birth.dt.offset_by(pl.format("{}y", years))
    moved = (birth.dt.day() == 29) & (day.dt.day() == 28)
    return pl.when(moved).then(day.dt.offset_by("1d")).otherwise(day)


def _cut(pieces: pl.LazyFrame, since: pl.Expr, until: pl.Expr) -> pl.LazyFrame:
    return pieces.with_columns(
        pl.max_horizontal("entry", since).alias("entry"), pl.min_horizontal("exit", until).alias("exit")
    ).filter(pl.col("exit") > pl.col("entry"))


def _events(rows: PersonRows, intervals: pl.DataFrame, event: str, episode_days: int, *, first: bool) -> pl.LazyFrame:
    """Return when, in half days, each person had each event that counts."""
    if first or event == "death":
        ends = intervals.lazy().filter(pl.col("reason") == ("death" if event == "death" else "event"))
        return ends.select("person_id", pl.col("exit").alias("at")).unique()
    dated = intervals.lazy().select("person_id", "index_date").unique()
    found = events_of(rows.study, event, washout_days=episode_days, among=dated, activity=rows.activity)
    # what came before the index date is not at risk; everything else is judged by the intervals
    within = found.join(dated, on="person_id", how="inner").filter(pl.col("event_date") >= pl.col("index_date"))
    return within.select("person_id", when_of("event_date").alias("at"))


def _summed(pieces: pl.LazyFrame, happened: pl.LazyFrame, by: tuple[str, ...]) -> pl.DataFrame:
    """Sum people, events and time of each cell; a person has one piece at most in a cell."""
    within = (pl.col("at") > pl.col("entry")) & (pl.col("at") <= pl.col("exit"))
    had = pieces.join(happened, on="person_id", how="inner").filter(within)
    each = had.group_by("person_id", *by).agg(pl.len().cast(pl.Int64).alias("k"))
    k, keys = pl.col("k"), [pl.lit(0).alias("__all"), *by]  # so that there is a column to group by
    time = pieces.group_by(keys).agg(
        pl.len().cast(pl.Int64).alias("n_persons"), (pl.col("exit") - pl.col("entry")).sum().alias("__time")
    )
    events = each.group_by(keys).agg(
        pl.len().cast(pl.Int64).alias("n_with_event"),
        k.sum().alias("n_events"),
        (k * k).sum().alias("n_events_squared"),
    )
    joined = time.join(events, on=["__all", *by], how="left", nulls_equal=True)
    return joined.select(*by, *[pl.col(name).fill_null(0) for name in (*SUMS[:-1], "__time")]).collect(
        engine="streaming"
    )


def _added(parts: list[pl.DataFrame], by: tuple[str, ...]) -> pl.DataFrame:
    """Add up the cells of parts of the people, and give their time in years."""
    every = pl.concat(parts)
    sums = pl.col(*SUMS[:-1], "__time").sum()
    table = every.group_by(by).agg(sums).sort(by, nulls_last=True) if by else every.select(sums)
    return table.with_columns((pl.col("__time") / HALF_DAYS_A_YEAR).alias("person_years")).drop("__time")
