"""Hospital stays and events: three people drawn as a table, one call, the answer by hand."""

from __future__ import annotations

import random
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.cohort.events import EVENTS, events_of
from symphony_research.cohort.stays import stays_of
from symphony_research.schema import STUDY_TABLES
from symphony_research.study import empty

# person  spell                          kind        provider   what it is
# 1       1 to 4 March                   emergency   A          one stay, 1 to 9 March: moved to B on the day of discharge,
#         4 to 9 March                   elective    B          and is of the kind it began with
#         10 to 11 March                 emergency   A          another: it starts the day after
# 2       1 to 20 March                  elective    A          one stay: the second lies within the first
#         5 to 6 March                   emergency   B
# 3       7 March, no day of discharge   emergency   A          a stay of one day, and died on it
START = date(2012, 3, 1)


def day(number: int) -> date:
    return date(2012, 3, number)


SPELLS = [
    (1, day(1), day(4), "emergency"),
    (1, day(4), day(9), "elective"),
    (1, day(10), day(11), "emergency"),
    (2, day(1), day(20), "elective"),
    (2, day(5), day(6), "emergency"),
    (3, day(7), None, "emergency"),
]


def activity(rows: list[tuple], setting: str = "inpatient") -> pl.LazyFrame:
    frame = pl.DataFrame(
        rows,
        schema={"person_id": pl.Int64, "date": pl.Date, "end_date": pl.Date, "kind": pl.String},
        orient="row",
    )
    return frame.with_columns(pl.lit(setting).alias("setting"), pl.lit(0.0).alias("cost")).lazy()


def persons(deaths: dict[int, date | None]) -> pl.LazyFrame:
    return pl.LazyFrame(
        {
            "person_id": list(deaths),
            "sex": ["F"] * len(deaths),
            "birth_date": [date(1950, 1, 1)] * len(deaths),
            "death_date": pl.Series(list(deaths.values()), dtype=pl.Date),
        }
    )


DEATHS = {1: None, 2: date(2012, 4, 1), 3: day(7)}


def study(*frames: pl.LazyFrame, deaths: dict[int, date | None] = DEATHS) -> sr.Study:
    tables = {"persons": persons(deaths), "activity": pl.concat(frames)}
    whole = {n: tables.get(n, empty(t)) for n, t in STUDY_TABLES.items()}
    return sr.Study("Three", (date(2012, 1, 1), date(2012, 12, 31)), whole, given=frozenset(tables))


def test_spells_that_touch_are_one_stay_of_the_first_kind() -> None:
    assert stays_of(activity(SPELLS), persons(DEATHS)).collect().rows() == [
        (1, day(1), day(9), "emergency", False),
        (1, day(10), day(11), "emergency", False),
        (2, day(1), day(20), "elective", False),
        (3, day(7), day(7), "emergency", True),
    ]


def test_an_emergency_admission_is_a_stay_that_began_as_one() -> None:
    # the emergency spell of person 2 lies within a planned stay: no admission of its own
    ours = study(activity(SPELLS))
    assert events_of(ours, "emergency_admission").collect().rows() == [(1, day(1)), (1, day(10)), (3, day(7))]
    assert events_of(ours, "admission").collect().rows() == [(1, day(1)), (1, day(10)), (2, day(1)), (3, day(7))]
    assert events_of(ours, "death").collect().rows() == [(2, date(2012, 4, 1)), (3, day(7))]


def test_contacts_of_one_day_are_one_event_and_a_washout_joins_episodes() -> None:
    # A&E on 1, 1, 5 and 20 March: with a wash-out of seven days the 5th belongs to the 1st, the 20th is new
    visits = activity([(1, day(n), None, None) for n in (1, 1, 5, 20)], "accident_and_emergency")
    ours = study(activity(SPELLS), visits)
    assert [d.day for d in events_of(ours, "accident_and_emergency").collect()["event_date"]] == [1, 5, 20]
    washed = events_of(ours, "accident_and_emergency", washout_days=7).collect()["event_date"]
    assert [d.day for d in washed] == [1, 20]


def test_a_bed_day_is_a_day_of_a_stay_but_its_last() -> None:
    # person 1: 1 to 4 March, moved on the 4th, home on the 6th: days 1 to 5; person 2: a day case, none; and 9 to 10 March: one
    ours = study(activity([(1, day(1), day(4), "emergency"), (1, day(4), day(6), "other"), (2, day(7), day(7), "elective"), (2, day(9), day(10), "elective")]))  # fmt: skip
    found = events_of(ours, "bed_day").collect()
    assert [(p, d.day) for p, d in found.rows()] == [(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (2, 9)]


def test_what_is_not_recorded_is_refused() -> None:
    ours = study(activity([(1, day(1), day(2), None)]))
    with pytest.raises(sr.ArgumentError, match="column kind of activity, which is empty"):
        events_of(ours, "readmission")
    with pytest.raises(sr.ArgumentError, match="emergency_admission"):
        events_of(ours, "admitted")
    with pytest.raises(sr.ArgumentError, match="washout_days=-1"):
        events_of(ours, "admission", washout_days=-1)
    assert {event.unit for event in EVENTS.values()} == {"stay", "contact", "discharge", "day", "person"}


SPELL = st.tuples(st.integers(1, 3), st.integers(0, 40), st.integers(0, 9), st.sampled_from(["emergency", "elective"]))


def naive_stays(rows: list[tuple]) -> set[tuple]:
    """Merge by the days themselves: a stay is a run of days in which each spell shares a day with the stay so far."""
    found = set()
    for person in {row[0] for row in rows}:
        left = [row for row in rows if row[0] == person]
        while left:
            first = min(row[1] for row in left)
            days = {first}
            own: list[tuple] = []
            while more := [row for row in left if row not in own and any(row[1] <= d <= row[2] for d in days)]:
                own += more
                days |= {row[1] + timedelta(n) for row in more for n in range((row[2] - row[1]).days + 1)}
            began = [row[3] for row in own if row[1] == first]
            found.add((person, first, max(days), "emergency" if "emergency" in began else "elective"))
            left = [row for row in left if row not in own]
    return found


@settings(max_examples=60, deadline=None)
@given(st.lists(SPELL, min_size=1, max_size=12, unique=True), st.randoms())
def test_order_and_splitting_into_touching_pieces_change_nothing(drawn: list[tuple], rng: random.Random) -> None:
    rows = [(p, START + timedelta(a), START + timedelta(a + n), kind) for p, a, n, kind in drawn]
    expected = naive_stays(rows)
    pieces = []
    for person, start, end, kind in rows:
        cut = start + timedelta(rng.randint(0, (end - start).days))
        pieces += [(person, start, cut, kind), (person, cut, end, kind)]
    rng.shuffle(pieces)
    alive = dict.fromkeys((1, 2, 3))
    for own in (rows, rows[::-1], pieces):
        found = stays_of(activity(own), persons(alive)).collect().drop("died")
        assert set(found.rows()) == expected
        assert found.height == len(expected)
