"""The onsets of a cohort's conditions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from symphony_research.cohort.rows import PersonRows, as_date, listed_conditions
from symphony_research.cohort.strata import STRATA, with_strata
from symphony_research.collapse import Onsets
from symphony_research.errors import require_one_of

__all__ = ["onsets_of"]


def onsets_of(
    rows: PersonRows,
    *,
    adjust: tuple[str, ...],
    birth_years: int,
    washout_days: int,
    on: str | date,
    conditions: Sequence[str] | None,
) -> Onsets:
    """Return when each condition of each person began; the arguments are those of `Cohort.onsets`."""
    rows.require_one_index("onsets")
    study = rows.study
    for name in adjust:
        require_one_of(name, ("birth_year", *STRATA), argument="adjust")
    listed = listed_conditions(study, conditions)
    day = pl.col("index_date") if on == "index" else pl.lit(as_date(on, "on"))
    strata = tuple(name for name in dict.fromkeys(adjust) if name != "birth_year")
    people = with_strata(rows, strata).filter(pl.col("exit_date") >= day)
    mine = people.lazy().select("person_id", "index_date")
    records = study.conditions.join(mine, on="person_id", how="inner").filter(
        pl.col("onset_date").is_null() | (pl.col("onset_date") <= day)
    )
    spells = study.registrations.join(mine.select("person_id"), on="person_id", how="semi")
    return Onsets.from_long(
        records,
        people.select("person_id", "birth_date", *strata),
        adjust=adjust,
        birth_years=birth_years,
        joined=spells if study.has("registrations") else None,
        washout_days=washout_days,
        conditions=listed,
        provenance=study.provenance(**{**rows.rules, "on": str(on), "conditions": len(listed)}),
    )
