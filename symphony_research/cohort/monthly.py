"""Events of everybody registered, month by month: a population that people join and leave, collapsed to counts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from symphony_research.cohort.events import EVENTS, events_of, require_recorded
from symphony_research.cohort.periods import EPOCH
from symphony_research.errors import ArgumentError, NotEstimableError, require_one_of
from symphony_research.result import Provenance
from symphony_research.study import Study

__all__ = ["MONTHLY", "monthly_counts", "population_by_month", "practice_counts", "practices_of"]

MONTHLY = {
    "month": pl.String, "first_day": pl.Date, "days": pl.Int64, "n_persons": pl.Int64, "n_with_event": pl.Int64,
    "n_events": pl.Int64,
}  # fmt: skip
FAR = date(9999, 1, 1)


def whole_months(first: date, last: date) -> list[tuple[date, date]]:
    """Return the first and last day of each month that a period holds altogether.

    Examples
    --------
    >>> [a.isoformat() for a, _ in whole_months(date(2012, 1, 2), date(2012, 3, 31))]
    ['2012-02-01', '2012-03-01']
    """
    start = first if first.day == 1 else _next(first)
    found = []
    while (end := _next(start) - timedelta(days=1)) <= last:
        found.append((start, end))
        start = end + timedelta(days=1)
    return found


def _next(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def practices_of(study: Study, hub: str, *, others: bool = False) -> list[Any]:
    """Return the practices of a hub, or of all other hubs.

    Raises
    ------
    ArgumentError
        If the study does not say which practice is of which hub, or no practice is of this one.
    """
    table = study.practices.select("practice_id", pl.col("hub").cast(pl.String)).drop_nulls("hub").collect()
    known = table["hub"].unique().sort().to_list()
    if not known:
        raise ArgumentError("The study's practices have no hub: name practices instead.")
    require_one_of(hub, known, argument="hub")
    own = table.filter((pl.col("hub") != hub) if others else (pl.col("hub") == hub))
    if not own.height:
        raise ArgumentError(f"No practice is of another hub than '{hub}', so that there is no control.")
    return own["practice_id"].to_list()


def monthly_counts(study: Study, event: str, practices: Sequence[Any] | None = None) -> pl.DataFrame:
    """Count people registered and their events in each month that the study holds altogether.

    Parameters
    ----------
    study : Study
    event : str
        One of `EVENTS`, but for "readmission".
    practices : sequence, optional
        Those registered with one of these; by default everybody.

    Returns
    -------
    polars.DataFrame
        `month`, `first_day`, `days`, `n_persons` (registered and alive on the first day), and of these `n_with_event` (people)
        and `n_events`. Somebody is in one month with one practice: of two registrations that overlap, that which began last.

    Raises
    ------
    ArgumentError
        If the event is unknown or not recorded, or a practice is none of the study's.

    Examples
    --------
    >>> import symphony_research as sr
    >>> monthly_counts(sr.example_study(), "outpatient")["month"][0]
    '2011-04'
    """
    require_one_of(event, [name for name in EVENTS if name != "readmission"], argument="outcome")
    require_recorded(study, EVENTS[event])
    last = study.last_day("persons", "registrations", *(["activity"] if event != "death" else []))
    months = whole_months(study.period[0], last)
    spells = _spells(study, practices)
    start, end = (np.sort(spells[c].cast(pl.Int32).to_numpy()) for c in ("start", "end"))
    days = np.array([(first - EPOCH).days for first, _ in months])
    # spells of one person do not overlap, so that spells begun less spells ended are people
    people = np.searchsorted(start, days, side="right") - np.searchsorted(end, days, side="left")
    happened = events_of(study, event, among=spells.lazy().select("person_id")).join(
        spells.lazy(), on="person_id", how="inner"
    )
    counts = (
        happened.filter(pl.col("event_date").dt.truncate("1mo").is_between(pl.col("start"), pl.col("end")))
        .group_by(pl.col("event_date").dt.strftime("%Y-%m").alias("month"))
        .agg(
            pl.col("person_id").n_unique().cast(pl.Int64).alias("n_with_event"),
            pl.len().cast(pl.Int64).alias("n_events"),
        )
        .collect(engine="streaming")
    )
    frame = pl.DataFrame(
        [(f"{a:%Y-%m}", a, (b - a).days + 1, int(n)) for (a, b), n in zip(months, people, strict=True)],
        schema=dict(list(MONTHLY.items())[:4]),
        orient="row",
    )
    joined = frame.join(counts, on="month", how="left", maintain_order="left")
    return joined.with_columns(pl.col("n_with_event", "n_events").fill_null(0))


def _spells(study: Study, practices: Sequence[Any] | None) -> pl.DataFrame:
    """Return from when until when people are registered and alive, and with which practice, one row an unbroken time."""
    died = study.persons.select("person_id", "death_date")
    if not study.has("registrations"):
        if practices is not None:
            raise ArgumentError("The study has no table registrations, so that nobody's practice is known.")
        spells = died.with_columns(pl.lit(study.period[0]).alias("start"), pl.lit(study.period[1]).alias("end"))
    else:
        rows = study.registrations.select(
            "person_id",
            "practice_id",
            pl.col("start_date").alias("start"),
            pl.col("end_date").fill_null(FAR).alias("end"),
        ).sort("person_id", "start", "practice_id")
        same = pl.col("person_id") == pl.col("person_id").shift(-1)
        cut = pl.when(same).then(pl.col("start").shift(-1).dt.offset_by("-1d"))
        rows = rows.with_columns(pl.min_horizontal("end", cut).alias("end"))
        if practices is not None:
            wanted = [str(one) for one in practices]
            known = set(rows.select(pl.col("practice_id").cast(pl.String).unique()).collect()["practice_id"])
            unknown = sum(one not in known for one in wanted)
            if unknown or not wanted:
                raise ArgumentError(
                    f"{unknown} of {len(wanted)} practices are none of the study's {len(known):,}: see study.practices."
                )
            rows = rows.filter(pl.col("practice_id").cast(pl.String).is_in(wanted))
        spells = rows.join(died, on="person_id", how="inner")
    alive = spells.with_columns(pl.min_horizontal("end", "death_date").alias("end"))
    practice = [pl.col("practice_id").cast(pl.String)] if study.has("registrations") else []
    return (
        alive.filter(pl.col("end") >= pl.col("start"))
        .select("person_id", "start", "end", *practice)
        .collect(engine="streaming")
    )


def practice_counts(study: Study, event: str, *, months: int = 3) -> pl.DataFrame:
    """Count people registered with each practice and their events, in periods of whole months from the study's first on.

    Parameters
    ----------
    study : Study
    event : str
        One of `EVENTS`, but for "readmission".
    months : int, default 3
        Months of a period.

    Returns
    -------
    polars.DataFrame
        By `practice_id` and `period` (from 0 on): `first_day`, `n_persons` (registered and alive on it), `days` (of whoever is
        registered on the first of each month, for all its days), `n_with_event` and `n_events` of them, as in
        `monthly_counts`. Practices with nobody on the first day of some month are in no row of that period.

    Raises
    ------
    ArgumentError
        If the event is unknown or not recorded, or the study does not say with which practice people are registered.
    NotEstimableError
        If nobody is registered.

    Examples
    --------
    >>> import symphony_research as sr
    >>> practice_counts(sr.example_study(), "outpatient", months=12)["period"].max()
    6
    """
    require_one_of(event, [name for name in EVENTS if name != "readmission"], argument="outcome")
    require_recorded(study, EVENTS[event])
    if not study.has("registrations"):
        raise ArgumentError("The study has no table registrations, so that nobody's practice is known.")
    whole = whole_months(
        study.period[0], study.last_day("persons", "registrations", *(["activity"] if event != "death" else []))
    )
    spells = _spells(study, None)
    if spells.is_empty():
        raise NotEstimableError("Nobody is registered with a practice.")
    of_months = pl.DataFrame(
        [(a, (b - a).days + 1, k // months) for k, (a, b) in enumerate(whole[: len(whole) // months * months])],
        schema={"first_day": pl.Date, "days": pl.Int64, "period": pl.Int64},
        orient="row",
    )
    days = of_months["first_day"].cast(pl.Int32).to_numpy()
    counted = []
    for (practice,), own in spells.sort("practice_id").group_by("practice_id", maintain_order=True):
        start, end = (np.sort(own[c].cast(pl.Int32).to_numpy()) for c in ("start", "end"))
        people = np.searchsorted(start, days, side="right") - np.searchsorted(end, days, side="left")
        counted.append(of_months.with_columns(pl.lit(practice).alias("practice_id"), pl.Series("n_persons", people)))
    registered = pl.concat(counted).group_by("practice_id", "period", maintain_order=True).agg(
        pl.col("first_day").first(), pl.col("n_persons").first().cast(pl.Int64),
        (pl.col("n_persons") * pl.col("days")).sum().cast(pl.Int64).alias("days"),
        pl.col("n_persons").min().alias("__least"),
    )  # fmt: skip
    month = pl.col("event_date").dt.truncate("1mo")
    happened = (
        events_of(study, event)
        .join(spells.lazy(), on="person_id", how="inner")
        .filter(month.is_between(pl.col("start"), pl.col("end")))
        .join(of_months.lazy().select(month="first_day", period="period"), left_on=month, right_on="month", how="inner")
        .group_by("practice_id", "period")
        .agg(
            pl.col("person_id").n_unique().cast(pl.Int64).alias("n_with_event"),
            pl.len().cast(pl.Int64).alias("n_events"),
        )
        .collect(engine="streaming")
    )
    joined = registered.filter(pl.col("__least") > 0).drop("__least")
    joined = joined.join(happened, on=["practice_id", "period"], how="left", maintain_order="left")
    return joined.with_columns(pl.col("n_with_event", "n_events").fill_null(0))


def population_by_month(
    study: Study, event: str, hub: str | None = None, practices: Sequence[Any] | None = None
) -> Provenance:
    """Return the provenance of a series: who is registered month by month, of several practices as a digest."""
    asked: dict[str, Any] = {"index": "each month", "until": study.period[1].isoformat(), "event": event}
    if hub is not None:
        asked["hub"] = hub
    elif practices is not None and len(practices) == 1:
        asked["practice"] = str(practices[0])
    elif practices is not None:
        asked["matching"] = hashlib.sha256(repr(sorted(map(str, practices))).encode()).hexdigest()[:16]
    return study.provenance(**asked)
