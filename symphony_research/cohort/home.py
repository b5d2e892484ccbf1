"""Days at home: alive and out of hospital, of each person over a horizon from the index date; collapsed to sums."""

from __future__ import annotations

from datetime import date

import polars as pl

from symphony_research.cohort.at_risk import Window
from symphony_research.cohort.events import EVENTS, require_filled, require_recorded, why_not_recorded
from symphony_research.cohort.follow_up import Steps, followed, governing_day, provenance_of_period, window_of
from symphony_research.cohort.rows import PersonRows
from symphony_research.cohort.stays import stays_of
from symphony_research.cohort.strata import with_strata
from symphony_research.collapse import Collapsed
from symphony_research.result import NotAvailable, not_available

__all__ = ["days_at_home_of"]

SUMS = ("n_persons", "days_at_home", "days_at_home_squared")


def days_at_home_of(
    rows: PersonRows, *, horizon: int, by: tuple[str, ...], until: date | str | None, optional: bool = False
) -> Collapsed | NotAvailable:
    """Collapse days at home; the arguments are those of `Cohort.days_at_home`."""
    rows.require_one_index("days at home")
    study = rows.study
    if optional and (why := why_not_recorded(study, "bed_day")):
        return not_available(why, "the mean days at home", study.provenance(**rows.rules).as_settings())
    require_recorded(study, EVENTS["admission"])
    require_filled(study, "end_date", "days_at_home")
    last = governing_day(study, "activity", until=until)
    window: Window = window_of(last, horizon=horizon, entry=None, leave_programme=False, rows=rows)
    steps = Steps()
    people = followed(with_strata(rows, by), window, steps).with_row_index("__row")
    # the index day is the first day, and the day of death is none
    alive = (pl.col("exit_date") - pl.col("index_date")).dt.total_days()
    end = pl.col("exit_date")
    stays = stays_of(
        rows.activity.join(people.lazy().select("person_id").unique(), on="person_id", how="semi"), study.persons
    )
    nights = pl.min_horizontal("discharge_date", end) - pl.max_horizontal("admission_date", "index_date")
    in_hospital = (
        people.lazy()
        .select("__row", "person_id", "index_date", "exit_date")
        .join(stays, on="person_id", how="inner")
        .group_by("__row")
        .agg(pl.max_horizontal(nights.dt.total_days(), 0).sum().alias("__nights"))
        .collect(engine="streaming")
    )
    found = people.join(in_hospital, on="__row", how="left").with_columns(
        (alive - pl.col("__nights").fill_null(0)).alias("__home")
    )
    home = pl.col("__home")
    table = (
        found.with_columns((pl.col("exit") / 2).alias("time"), (pl.col("reason") == "death").cast(pl.Int32).alias("event"))
        .group_by(["time", "event", *by])
        .agg(
            pl.len().cast(pl.Int64).alias("n_persons"), home.sum().alias("days_at_home"),
            (home * home).sum().alias("days_at_home_squared"),
        )
        .sort([*by, "time", "event"], nulls_last=True)
    )  # fmt: skip
    provenance = provenance_of_period(
        rows, "activity", last=last, event="death", until=last.isoformat(), time_unit="days", horizon=horizon
    )
    return Collapsed(
        table, provenance, by, sums=SUMS, time="time", event="event", weights="n_persons",
        attrition=steps.attrition(found["person_id"].n_unique(), provenance),
    )  # fmt: skip
