"""A sound study of three people, to be spoilt by the tests of the door."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

import symphony_research as sr

PERIOD = "[period]\nstart = 2011-04-01\nend = 2015-03-31\n"
PERSONS = pl.DataFrame(
    {
        "person_id": [1, 2, 3],
        "sex": ["F", "M", "F"],
        "birth_date": [date(1950, 2, 1), date(1960, 3, 1), date(1970, 4, 1)],
    }
)
CONDITIONS = pl.DataFrame(
    {"person_id": [1, 1, 2], "condition": ["asthma", "stroke", "asthma"], "onset_date": [date(2001, 1, 1), None, date(2012, 1, 1)]}
)  # fmt: skip
ACTIVITY = pl.DataFrame(
    {
        "person_id": [1, 2, 3],
        "date": [date(2012, 5, 1), date(2013, 1, 1), date(2013, 2, 1)],
        "setting": ["inpatient", "primary_care", "outpatient"],
        "cost": [1200.5, 30.0, 90.0],
    }
)


def study(folder: Path, *, settings: str = PERIOD, parquet: bool = True, **tables: pl.DataFrame | None) -> Path:
    """Write a sound study of three people, but for the tables given."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in {"persons": PERSONS, "conditions": CONDITIONS, "activity": ACTIVITY, **tables}.items():
        if table is not None:
            if parquet:
                table.write_parquet(folder / f"{name}.parquet")
            else:
                table.write_csv(folder / f"{name}.csv")
    (folder / "study.toml").write_text(settings, encoding="utf-8")
    return folder


def seen(folder: Path) -> dict[str, int]:
    """Each fault, as "table.column: message", with its rows."""
    return {f"{f.table}.{f.column}: {f.message}": f.rows for f in sr.check_study(folder).faults}
