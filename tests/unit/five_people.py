"""A study of five people drawn as a table, for the tests of follow-up."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

import symphony_research as sr
from symphony_research.schema import STUDY_TABLES
from symphony_research.study import empty

# Index date 1 April 2012 is day 0; the study ends on 31 December 2012, day 274.
#
# person  what happens, by day
# 1       admitted as an emergency on day 10 (to 12), on 12 again elsewhere (to 15: one stay), and on day 40 (to 41)
# 2       admitted as an emergency on day -20 and day 5; joins the programme on day 8, leaves it on day 100
# 3       leaves the practice on day 60
# 4       dies on day 30 in hospital, admitted on day 28, planned
# 5       joins the programme on day 20; admitted as an emergency on day 20
DAY = date(2012, 4, 1)
FIRST, LAST = date(2012, 1, 1), date(2012, 12, 31)


def on(number: int | None) -> date | None:
    return None if number is None else DAY + timedelta(number)


SPELLS = [
    (1, 10, 12, "emergency"), (1, 12, 15, "emergency"), (1, 40, 41, "emergency"),
    (2, -20, -19, "emergency"), (2, 5, 6, "emergency"),
    (4, 28, 30, "elective"), (5, 20, 22, "emergency"),
]  # fmt: skip
ENROLMENTS = [(2, 8, 100), (5, 20, None)]


def study(
    spells: list[tuple] = SPELLS, *, deaths: dict[int, int] | None = None, data_end: dict[str, date] | None = None
) -> sr.Study:
    deaths = {4: 30} if deaths is None else deaths
    people = sorted({1, 2, 3, 4, 5} | {row[0] for row in spells})
    tables = {
        "persons": pl.DataFrame(
            {
                "person_id": people,
                "sex": ["F" if p % 2 else "M" for p in people],
                "birth_date": [date(1950, 1, 1)] * len(people),
                "death_date": pl.Series([on(deaths.get(p)) for p in people], dtype=pl.Date),
                "deprivation_decile": [1] * len(people),
                "area": ["a"] * len(people),
                "residence": ["own_home"] * len(people),
            }
        ),
        "registrations": pl.DataFrame(
            {
                "person_id": people,
                "practice_id": ["x"] * len(people),
                "start_date": [date(2000, 1, 1)] * len(people),
                "end_date": pl.Series([on(60) if p == 3 else None for p in people], dtype=pl.Date),
            }
        ),
        "activity": pl.DataFrame(
            [(p, on(a), "inpatient", on(b), kind, 1.0) for p, a, b, kind in spells],
            schema={"person_id": pl.Int64, "date": pl.Date, "setting": pl.String, "end_date": pl.Date,
                    "kind": pl.String, "cost": pl.Float64},
            orient="row",
        ),
        "enrolments": pl.DataFrame(
            [(p, "complex_care", "North", on(a), on(b)) for p, a, b in ENROLMENTS],
            schema={"person_id": pl.Int64, "programme": pl.String, "hub": pl.String, "start_date": pl.Date,
                    "end_date": pl.Date},
            orient="row",
        ),
    }  # fmt: skip
    whole = {n: tables[n].lazy() if n in tables else empty(t) for n, t in STUDY_TABLES.items()}
    return sr.Study("Five", (FIRST, LAST), whole, given=frozenset(tables), data_end=data_end or {})
