"""The same people give the same patterns, to the last digit, in whatever engine holds them."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research.collapse import readers
from symphony_research.errors import ArgumentError


@pytest.fixture
def in_duckdb() -> Callable[[pl.DataFrame], Any]:
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()

    def door(frame: pl.DataFrame) -> Any:
        name = f"t{len(connection.sql('show tables').fetchall())}"
        connection.register("given", frame.to_arrow())
        connection.sql(f"create table {name} as from given")
        return connection.table(name)

    return door


def as_pandas(frame: pl.DataFrame) -> Any:
    return frame.to_pandas()


def as_arrow(frame: pl.DataFrame) -> Any:
    return frame.to_arrow()


def test_three_shapes_of_the_same_people_give_the_same_patterns(people):
    found = people.patterns()
    assert_frame_equal(found["wide"].frame, found["records"].frame)
    assert_frame_equal(found["masks"].frame, found["records"].frame)


@pytest.mark.parametrize("door", [pl.DataFrame.lazy, as_pandas, as_arrow])
def test_tables_of_this_process_give_what_polars_gives(people, door):
    wanted = people.patterns()["records"].frame
    for found in people.held_by(door).patterns().values():
        assert_frame_equal(found.frame, wanted, check_dtypes=door is not as_pandas)


def test_duckdb_gives_what_polars_gives(people, in_duckdb):
    wanted = people.patterns()["records"].frame
    for found in people.held_by(in_duckdb).patterns().values():
        assert_frame_equal(found.frame, wanted)


def test_people_of_a_join_in_duckdb_are_collapsed_and_not_planned_without_end(people, in_duckdb):
    held = people.held_by(in_duckdb)
    joined = held.masks.set_alias("m").join(held.persons.select("person_id").set_alias("p"), "person_id")
    chosen = joined.select("m.first, m.second, m.cost")
    found = sr.Patterns.from_masks(
        chosen, conditions=people.patterns()["masks"].conditions, mask=["first", "second"], values="cost"
    )
    assert found.n_persons == people.persons.height


def test_sums_are_those_of_whole_hundredths_and_of_exact_logarithms(people):
    # authority: Python's integers, and logarithms of its mathematical library
    frame = people.patterns()["records"].frame
    hundredths = [math.floor(x) + (x - math.floor(x) >= 0.5) for x in (people.persons["cost"] * 100).to_list()]
    held = [h for h, cost in zip(hundredths, people.persons["cost"], strict=True) if cost > 0]
    assert frame["cost__n"].sum() == len(held)
    assert sum(frame["cost__sum"].to_list()) == sum(held)
    assert sum(frame["cost__sum_squares"].to_list()) == sum(h * h for h in held)
    logs = [math.log(max(h, 1) / 100) for h in held]
    for column, exact in (("cost__sum_log", logs), ("cost__sum_squared_log", [x * x for x in logs])):
        wanted = float(sum(Fraction(x) for x in exact))
        assert sum(frame[column].to_list()) / 2**32 == pytest.approx(wanted, abs=len(held) * 2**-32)


def test_a_half_hundredth_goes_up_and_the_largest_values_keep_their_hundredths():
    # 0.125 is a half hundredth exactly in binary; 0.375 too; 45,035,996,273,704.96875 lies nearer to .97
    drawn = pl.DataFrame({"stroke": [1] * 3, "cost": [0.125, 0.375, 45_035_996_273_704.96875]})
    frame = sr.Patterns.from_wide(drawn, conditions=["stroke"], values="cost").frame
    assert frame["cost__sum"].to_list() == [13 + 38 + 4_503_599_627_370_497]


def test_a_logarithm_is_that_of_the_mathematical_library_to_the_last_unit_but_one():
    drawn = pl.DataFrame({"key": range(4000), "stroke": [1] * 4000}).with_columns(
        cost=(pl.col("key") * 0.0091).exp().floor() / 100 + 0.01
    )
    frame = sr.Patterns.from_wide(drawn, conditions=["stroke"], by="key", values="cost").frame
    for hundredths, log, squared in frame.select("cost__sum", "cost__sum_log", "cost__sum_squared_log").iter_rows():
        wanted = math.log(hundredths / 100)
        assert abs(log - wanted * 2**32) <= 0.6
        assert abs(squared - wanted**2 * 2**32) <= 0.6


@pytest.mark.parametrize("door", [pl.DataFrame.lazy, as_arrow])
def test_faults_are_told_alike(door, refuse):
    refuse(door)


def test_faults_are_told_alike_in_duckdb(in_duckdb, refuse):
    refuse(in_duckdb)


def test_people_in_two_engines_are_refused(people, in_duckdb):
    with pytest.raises(ArgumentError, match="records are in Duckdb and the persons in Polars: hold both in one"):
        sr.Patterns.from_long(in_duckdb(people.records), people.persons)


def test_people_in_parts_give_what_they_give_at_once(people, refuse, check_edges, monkeypatch):
    wanted = people.patterns()["records"].frame
    alone = sr.Patterns.from_long(people.records).frame
    monkeypatch.setattr(readers, "MOST_RECORDS", 5_000)
    monkeypatch.setattr(readers, "MOST_PERSONS", 1_000)
    assert_frame_equal(people.patterns()["records"].frame, wanted)
    assert_frame_equal(sr.Patterns.from_long(people.records).frame, alone)
    # ids of two widths are in one part all the same, and faults are counted over all parts
    monkeypatch.setattr(readers, "MOST_PERSONS", 1)
    numbered = pl.DataFrame({"person_id": range(9), "condition": ["a"] * 9})
    narrow = numbered.select(pl.col("person_id").cast(pl.Int16))
    assert sr.Patterns.from_long(numbered, narrow).to_frame().rows() == [(["a"], 9)]
    refuse(pl.DataFrame.lazy)
    check_edges(pl.DataFrame.lazy)
    with pytest.raises(ArgumentError, match="persons counts 9 rows twice"):
        sr.Patterns.from_long(numbered, pl.concat([narrow, narrow]))
    with pytest.raises(ArgumentError, match="records holds 5 people who are not in persons"):
        sr.Patterns.from_long(numbered, narrow.head(4))


@pytest.mark.parametrize("door", [pl.DataFrame.lazy, as_arrow])
def test_edges(door, check_edges):
    check_edges(door)


def test_edges_in_duckdb(in_duckdb, check_edges):
    check_edges(in_duckdb)
