"""Equal rows counted by one packed number: the answer of a group-by, or none."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.collapse import tally
from symphony_research.collapse.tally import tallied


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(tally, "FEWEST_ROWS", 1)
    monkeypatch.setattr(tally, "CHUNK", 3)


ROW = st.tuples(st.integers(-3, 9), st.booleans(), st.integers(0, 2))


@settings(deadline=None, max_examples=60)
@given(st.lists(ROW, min_size=1, max_size=40), st.sampled_from([pl.Float64, pl.Float32, pl.Int64, pl.Int8]))
def test_it_is_a_group_by(rows, kind):
    # authority: Polars' own group-by
    frame = pl.DataFrame(rows, schema=["day", "died", "arm"], orient="row").with_columns(
        pl.col("day").cast(kind), pl.col("arm").cast(pl.UInt8)
    )
    found = tallied(pl.concat([frame] * 5), "n")
    if found is None:  # ranges too wide for so few rows
        assert frame.select((pl.col("day").max() - pl.col("day").min() + 1) * 6).item() > 20 * len(rows)
        return
    plain = frame.group_by("day", "died", "arm").agg((5 * pl.len()).cast(pl.Int64).alias("n"))
    assert found.schema == plain.schema
    assert sorted(found.rows()) == sorted(plain.rows())


@pytest.mark.parametrize(
    "column",
    [[1.0, 2.5], [1.0, float("nan")], [float("nan")] * 2, [1.0, float("inf")], [1, None], ["a", "b"], [0, 10**9],
     [0, 2**40], [date(2012, 1, 1)] * 2],
)  # fmt: skip
def test_what_cannot_be_packed_is_left_to_a_group_by(column):
    assert tallied(pl.DataFrame({"x": column * 20}, strict=False), "n") is None


def test_curves_are_those_of_the_same_people_read_lazily():
    people = pl.DataFrame({"time": [1, 2, 2, 3, 3, 4] * 9, "event": [1, 0, 1, 1, 0, 0] * 9, "arm": [0, 1] * 27})
    entered = people.with_columns(entry=pl.col("time") - 1)
    for frame, more in ((people, {}), (entered, {"entry": "entry"})):
        one, other = (
            sr.survival.kaplan_meier(f, time="time", event="event", by="arm", **more) for f in (frame, frame.lazy())
        )
        assert one.estimates.equals(other.estimates)


@pytest.mark.parametrize("event", [[1, -1], [1, 2**31], [0.5, 1.0]])
def test_faults_are_still_counted(event):
    people = pl.DataFrame({"time": [1, 2] * 20, "event": event * 20})
    with pytest.raises(sr.ArgumentError, match="20 rows have a code in event column"):
        sr.survival.kaplan_meier(people, time="time", event="event")
