"""Discharges from which people may be readmitted: every one that they left alive."""

from __future__ import annotations

import polars as pl

from symphony_research.cohort.events import EVENTS, require_recorded
from symphony_research.cohort.rows import PersonRows
from symphony_research.cohort.stays import stays_of

__all__ = ["discharges_of"]


def discharges_of(rows: PersonRows, people: pl.DataFrame) -> pl.DataFrame:
    """Return the live discharges of people within their follow-up, with the emergency admission that follows.

    Parameters
    ----------
    rows : PersonRows
    people : polars.DataFrame
        `person_id`, `index_date`, `exit_date` and whatever else.

    Returns
    -------
    polars.DataFrame
        One row a discharge: the columns of `people`, `discharge_date`, `kind` of the stay, and
        `event_date`, the day of the next emergency admission after it, null where there is none.
    """
    study = rows.study
    require_recorded(study, EVENTS["readmission"])
    mine = people.lazy().select("person_id").unique()
    stays = stays_of(rows.activity.join(mine, on="person_id", how="semi"), study.persons)
    emergency = pl.when(pl.col("kind") == "emergency").then(pl.col("admission_date"))
    # stays of a person follow one another, so the next emergency is the earliest of those behind
    later = emergency.shift(-1).over("person_id", order_by="admission_date")
    following = later.fill_null(strategy="backward").over("person_id", order_by="admission_date")
    found = (
        stays.with_columns(following.alias("event_date"))
        .filter(~pl.col("died"))
        .select("person_id", "discharge_date", "event_date", "kind")
        .collect(engine="streaming")
    )
    return people.join(found, on="person_id", how="inner").filter(
        pl.col("discharge_date").is_between(pl.col("index_date"), pl.col("exit_date"))
    )
