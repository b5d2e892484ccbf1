"""A study folder of four people, two of them on a programme: enough for a protocol to be read against."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
from small_study import study as small_study

SETTINGS = """\
name = "Somewhere 2011-15"
conditions = ["asthma", "stroke", "diabetes"]
priority_conditions = ["stroke", "diabetes"]

[period]
start = 2011-04-01
end = 2015-03-31

[report]
author = "A. Analyst"
"""
DAY = date(2012, 6, 1)


def evaluated_study(folder: Path, *, settings: str = SETTINGS, **tables: pl.DataFrame | None) -> Path:
    """Write the study: complex_care at two hubs, health_coaching as a programme of practices, no outpatients and no deaths."""
    people = [1, 2, 3, 4]
    made: dict[str, pl.DataFrame | None] = {
        "persons": pl.DataFrame({"person_id": people, "sex": [*"FMFM"], "birth_date": [date(1940, 2, 1)] * 4, "area": ["North"] * 4}),
        "conditions": pl.DataFrame({"person_id": people, "condition": ["stroke", "stroke", "asthma", "diabetes"], "onset_date": [date(2011, 5, 1)] * 4}),
        "activity": pl.DataFrame(
            {"person_id": people, "date": [DAY] * 4, "setting": ["inpatient", "inpatient", "accident_and_emergency", "primary_care"],
             "kind": ["emergency", "elective", None, None], "cost": [1.0, 2.0, 3.0, 4.0]}
        ),
        "registrations": pl.DataFrame({"person_id": people, "practice_id": ["P1", "P1", "P2", "P2"], "start_date": [date(2011, 4, 1)] * 4}),
        "enrolments": pl.DataFrame({"person_id": [1, 3], "programme": ["complex_care"] * 2, "hub": ["East", "West"], "start_date": [DAY] * 2}),
        "practices": pl.DataFrame({"practice_id": ["P1", "P2"], "hub": ["East", "West"]}),
        "practice_programmes": pl.DataFrame({"practice_id": ["P1", "P2"], "programme": ["complex_care", "health_coaching"], "start_date": [DAY] * 2}),
    }  # fmt: skip
    return small_study(folder, settings=settings, **(made | tables))
