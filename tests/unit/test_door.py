"""Input of the study folder: every file, heading and value is read as it is, or named with its rows; no value is shown."""

from __future__ import annotations

import sys
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

import symphony_research as sr

sys.path.insert(0, str(Path(__file__).parent))
from small_study import ACTIVITY, CONDITIONS, PERIOD, PERSONS, seen, study


def with_column(table: pl.DataFrame, name: str, values: list[object], dtype: object = None) -> pl.DataFrame:
    return table.with_columns(pl.Series(name, values, dtype=dtype))  # type: ignore[arg-type]


# ------------------------------------------------------------------ a path is a path


@pytest.mark.parametrize(
    "name", ["s[1]", "s[12]", "s*", "s?", "{s,t}", "[!s]", "a%20b", "a#b", "~s", "year=2012", "file:s"]
)
@pytest.mark.parametrize("parquet", [True, False])
def test_a_folder_is_read_by_its_own_name(tmp_path: Path, name: str, parquet: bool) -> None:
    for other in ("s1", "s2", "st", "s", "t"):
        study(tmp_path / other, parquet=parquet)
    mine = study(tmp_path / name, parquet=parquet, persons=PERSONS.with_columns(sex=pl.lit("unknown")))
    read = sr.read_study(mine)
    assert read.persons.collect()["sex"].to_list() == ["unknown"] * 3
    assert read.persons.collect().columns[-1] == "residence"  # and no column made from the path


def test_parts_are_read_by_their_own_names(tmp_path: Path) -> None:
    folder = study(tmp_path / "s", persons=None)
    (folder / "persons").mkdir()
    for k, name in enumerate(["part[1]", "part1", "part*"]):
        PERSONS[k : k + 1].write_parquet(folder / "persons" / f"{name}.parquet")
    assert sorted(sr.read_study(folder).persons.collect()["person_id"]) == [1, 2, 3]


@pytest.mark.parametrize("heading", ["^.*$", "*", "^p.*$"])
def test_a_heading_is_no_pattern(tmp_path: Path, heading: str) -> None:
    folder = study(tmp_path / "s", persons=PERSONS.with_columns(pl.lit("x").alias("note")).rename({"note": heading}))
    assert sr.read_study(folder).persons.collect()["person_id"].to_list() == [1, 2, 3]


# ------------------------------------------------------------------ a value is itself, or counted


LONDON = ZoneInfo("Europe/London")
SUMMER = datetime(1950, 6, 1, tzinfo=LONDON)
BAD_VALUES = [
    # column, values, type, message, rows
    ("birth_date", [1950, 1960, 1970], pl.Int64, "cannot be read as a date (YYYY-MM-DD)", 3),
    ("birth_date", [1950.0, 1960.0, 1970.5], pl.Float64, "cannot be read as a date (YYYY-MM-DD)", 3),
    ("birth_date", [datetime(1950, 1, 1, 13), datetime(1950, 1, 1), datetime(1950, 1, 1, 0, 0, 0, 1)], pl.Datetime("us"), "has a time of day or a time zone", 2),
    ("birth_date", [datetime(1950, 1, 1), datetime(1950, 5, 31, 23), datetime(1950, 1, 1)], pl.Datetime("us", "UTC"), "has a time of day or a time zone", 1),
    ("birth_date", ["1950-01-01 13:00:00", "1950-01-01T00:00:00Z", "1950-01-01 00:00:00"], pl.String, "has a time of day or a time zone", 2),
    ("birth_date", ["01/02/1950", "1950", "19500101"], pl.String, "cannot be read as a date (YYYY-MM-DD)", 3),
    ("birth_date", ["1950-02-30", "1950-01-01 ", " 1950-01"], pl.String, "cannot be read as a date (YYYY-MM-DD)", 1),
    ("birth_date", [time(1), time(2), time(0)], pl.Time, "cannot be read as a date (YYYY-MM-DD)", 3),
    ("deprivation_decile", [3.7, 3.0, float("nan")], pl.Float64, "cannot be read as an integer", 2),
    ("deprivation_decile", ["3.7", "3.0", "3e0"], pl.String, "cannot be read as an integer", 2),
    ("deprivation_decile", [Decimal("3.70"), Decimal("3.00"), None], pl.Decimal(5, 2), "cannot be read as an integer", 1),
    ("deprivation_decile", [2**63 + 1, 3, 4], pl.UInt64, "cannot be read as an integer", 1),
    ("deprivation_decile", [True, None, None], pl.Boolean, "cannot be read as an integer", 1),
    ("deprivation_decile", [date(2012, 1, 1)] * 3, pl.Date, "cannot be read as an integer", 3),
    ("deprivation_decile", [[1], [2], None], pl.List(pl.Int64), "cannot be read as an integer", 2),
    ("area", [b"ab", None, b"\xff"], pl.Binary, "cannot be read as text", 2),
    ("area", [timedelta(1), None, None], pl.Duration, "cannot be read as text", 1),
    ("area", [{"a": 1}] * 3, pl.Struct({"a": pl.Int64}), "cannot be read as text", 3),
    ("area", [1e300, 2.0, 0.5], pl.Float64, "cannot be read as text", 2),
    ("area", [date(2012, 1, 1), None, None], pl.Date, "cannot be read as text", 1),
    ("person_id", [1.0, 2.5, 1e17], pl.Float64, "cannot be read as an identifier (text or an integer)", 2),
    ("person_id", [b"1", b"2", b"3"], pl.Binary, "cannot be read as an identifier (text or an integer)", 3),
]  # fmt: skip


@pytest.mark.parametrize(("column", "values", "dtype", "message", "rows"), BAD_VALUES)
def test_a_value_that_would_be_lost_or_changed_is_counted(
    tmp_path: Path, column: str, values: list[object], dtype: object, message: str, rows: int
) -> None:
    folder = study(
        tmp_path / "s", persons=with_column(PERSONS, column, values, dtype), conditions=CONDITIONS[:0], activity=None
    )
    assert seen(folder) == {f"persons.{column}: {message}": rows}


GOOD_VALUES = [
    ("birth_date", [datetime(1950, 1, 1)] * 3, pl.Datetime("ns"), date(1950, 1, 1)),
    ("birth_date", [SUMMER.astimezone(ZoneInfo("UTC"))] * 3, pl.Datetime("us", "Europe/London"), date(1950, 6, 1)),
    ("birth_date", ["1950-01-01 00:00:00"] * 3, pl.String, date(1950, 1, 1)),
    ("birth_date", ["1950-01-01T00:00:00.0000000"] * 3, pl.String, date(1950, 1, 1)),
    ("birth_date", ["1950-1-1 00:00"] * 3, pl.String, date(1950, 1, 1)),
    ("birth_date", ["1950-01"] * 3, pl.Categorical, date(1950, 1, 1)),
    ("deprivation_decile", [3.0] * 3, pl.Float32, 3),
    ("deprivation_decile", ["3.00"] * 3, pl.String, 3),
    ("deprivation_decile", [Decimal("3.00")] * 3, pl.Decimal(5, 2), 3),
    ("deprivation_decile", [3] * 3, pl.UInt64, 3),
    ("deprivation_decile", [None] * 3, pl.Null, None),
    ("deprivation_decile", [None] * 3, pl.Boolean, None),
    ("deprivation_decile", [None] * 3, pl.List(pl.Int64), None),
    ("area", [101.0] * 3, pl.Float64, "101"),
    ("area", [101] * 3, pl.Int16, "101"),
    ("area", [" E01 "] * 3, pl.String, "E01"),
]


@pytest.mark.parametrize(("column", "values", "dtype", "read_as"), GOOD_VALUES)
def test_a_value_that_means_the_same_is_read(
    tmp_path: Path, column: str, values: list[object], dtype: object, read_as: object
) -> None:
    folder = study(tmp_path / "s", persons=with_column(PERSONS, column, values, dtype))
    assert seen(folder) == {}
    assert sr.read_study(folder).persons.collect()[column].to_list() == [read_as] * 3


@pytest.mark.parametrize("ids", [
    pl.Series("person_id", [2**63 + 1, 2**64 - 1, 3], dtype=pl.UInt64),
    pl.Series("person_id", [2**100, 2**64 - 1, -3], dtype=pl.Int128),
    pl.Series("person_id", [1.0, 2.0, 3.0]),
    pl.Series("person_id", [Decimal(1), Decimal(2), Decimal(3)], dtype=pl.Decimal(18, 0)),
    pl.Series("person_id", ["a", " b", "c "]),
])  # fmt: skip
def test_identifiers_lose_nobody(tmp_path: Path, ids: pl.Series) -> None:
    conditions = pl.DataFrame([ids, pl.Series("condition", ["asthma"] * 3), pl.Series("onset_date", [None] * 3)])
    folder = study(tmp_path / "s", persons=PERSONS.with_columns(ids), conditions=conditions, activity=None)
    assert seen(folder) == {}
    read = sr.read_study(folder)
    assert read.conditions.join(read.persons, on="person_id").collect().height == 3


def test_numbers_too_large_to_be_exact_are_counted(tmp_path: Path) -> None:
    folder = study(tmp_path / "s", activity=with_column(ACTIVITY, "cost", [2**53 + 1, 5, 2**53], pl.Int64))
    assert seen(folder) == {"activity.cost: cannot be read as a number": 1}


def test_sql_servers_word_for_nothing_is_nothing(tmp_path: Path) -> None:
    folder = study(tmp_path / "s", parquet=False)
    (folder / "persons.csv").write_text("person_id,sex,birth_date,death_date\n1,F,1950-01-01,NULL\n2,M,1950-01-01,NULL\n3,NULL,1950-01-01,NULL\n")  # fmt: skip
    assert seen(folder) == {"persons.sex: is empty": 1}


# ------------------------------------------------------------------ what cannot be read is a finding


@pytest.mark.parametrize("settings", ["", PERIOD])
@pytest.mark.parametrize("damage", ["begin", "middle", "end", "empty", "text"])
def test_a_table_that_cannot_be_read_is_a_finding_with_or_without_settings(
    tmp_path: Path, settings: str, damage: str
) -> None:
    folder = study(tmp_path / "s", settings=settings)
    file = folder / "activity.parquet"
    data = bytearray(file.read_bytes())
    spot = {"begin": 4, "middle": len(data) // 3, "end": len(data) - 12}.get(damage)
    if spot is not None:
        data[spot : spot + 24] = b"\xff" * 24
    file.write_bytes(b"" if damage == "empty" else b"person_id,date" if damage == "text" else bytes(data))
    assert any(fault.startswith("activity.") for fault in seen(folder))


@pytest.mark.parametrize("text", ['1,2012-05-01,"inpatient,3\n', "1,2012-05-01,inpatient,3,4,5\n", "1\n", "\x00\x00\n"])
@pytest.mark.parametrize("settings", ["", PERIOD])
def test_a_damaged_csv_is_a_finding_with_or_without_settings(tmp_path: Path, settings: str, text: str) -> None:
    folder = study(tmp_path / "s", settings=settings, activity=None)
    (folder / "activity.csv").write_text("person_id,date,setting,cost\n" + text)
    assert any(fault.startswith("activity.") for fault in seen(folder))
