"""A study is checked once: the same bytes have their stamp, and any other bytes are checked whatever their date says."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research import study as door
from symphony_research.door import stamp

sys.path.insert(0, str(Path(__file__).parent))
from small_study import ACTIVITY, CONDITIONS, PERIOD, PERSONS, study


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Count the full checks, in a cache that is empty at first."""
    done: list[int] = []
    real = door.check_tables

    def counting(tables: dict[str, pl.LazyFrame], **asked: object) -> object:
        done.append(len(tables))
        return real(tables, **asked)  # type: ignore[arg-type]

    monkeypatch.setattr(door, "check_tables", counting)
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "cache"))
    return done


def rows(read: sr.Study) -> list[list[tuple[object, ...]]]:
    return [frame.collect().rows() for frame in read.tables.values()]


@pytest.mark.parametrize("parquet", [True, False])
@pytest.mark.parametrize("settings", ["", PERIOD])
def test_a_study_is_checked_once_and_is_the_same_again(
    tmp_path: Path, checks: list[int], parquet: bool, settings: str
) -> None:
    folder = study(tmp_path / "s", parquet=parquet, settings=settings)
    first, second = sr.read_study(folder), sr.read_study(folder)
    assert len(checks) == 1
    assert rows(first) == rows(second)
    for name in (
        "name",
        "period",
        "policy",
        "age_bands",
        "fingerprint",
        "generated",
        "given",
        "note",
        "conditions_listed",
    ):
        assert getattr(first, name) == getattr(second, name)
    assert sr.check_study(folder).ok
    assert len(checks) == 2  # asked to check, it checks
    moved = folder.rename(tmp_path / "t")
    assert sr.read_study(moved).fingerprint == first.fingerprint
    assert len(checks) == 2


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_other_encodings_are_read_again_as_they_were(tmp_path: Path, checks: list[int], encoding: str) -> None:
    folder = study(tmp_path / "s", persons=None)
    (folder / "persons.csv").write_bytes(
        PERSONS.with_columns(area=pl.lit("Café")).write_csv(separator=";").encode(encoding)
    )
    assert rows(sr.read_study(folder)) == rows(sr.read_study(folder))
    assert len(checks) == 1


def test_a_changed_byte_is_noticed_whatever_its_date_says(tmp_path: Path, checks: list[int]) -> None:
    folder = study(tmp_path / "s", parquet=False)
    file = folder / "persons.csv"
    sr.read_study(folder)
    dates = file.stat()
    text = file.read_text()
    file.write_text(text.replace("M", "Q"))
    os.utime(file, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    with pytest.raises(sr.SchemaError, match="is none of F, M"):
        sr.read_study(folder)
    file.write_text(text)
    sr.read_study(folder)
    assert len(checks) == 2


def test_a_changed_byte_far_into_a_file_is_noticed(
    tmp_path: Path, checks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamp, "_PIECE", 64)
    many = pl.DataFrame({"person_id": range(1, 2001), "sex": ["F"] * 2000, "birth_date": ["1950-01-01"] * 2000})
    folder = study(tmp_path / "s", parquet=False, persons=many)
    before = sr.read_study(folder).fingerprint
    text = (folder / "persons.csv").read_text()
    (folder / "persons.csv").write_text(text[:-5] + "2" + text[-4:])
    assert sr.read_study(folder).fingerprint != before
    assert len(checks) == 2


def test_an_nhs_number_that_comes_later_is_refused(tmp_path: Path, checks: list[int]) -> None:
    folder = study(tmp_path / "s", parquet=False, conditions=CONDITIONS[:0], activity=None)
    sr.read_study(folder)
    text = (folder / "persons.csv").read_text()
    (folder / "persons.csv").write_text(text.replace("\n3,", "\n9434765919,"))
    with pytest.raises(sr.SchemaError, match="NHS number"):
        sr.read_study(folder)


@pytest.mark.parametrize("change", ["toml", "new table", "new file", "name"])
def test_whatever_a_finding_could_come_from_is_checked_again(tmp_path: Path, checks: list[int], change: str) -> None:
    folder = study(tmp_path / "s")
    sr.read_study(folder)
    if change == "toml":
        (folder / "study.toml").write_text(PERIOD.replace("2011", "2010"))
    elif change == "new table":
        PERSONS.select("person_id", practice_id=pl.lit("a"), start_date=pl.date(2012, 1, 1)).write_parquet(
            folder / "registrations.parquet"
        )
    elif change == "new file":
        (folder / "lookup.csv").write_text("x")
    else:
        (folder / "activity").mkdir()
        (folder / "activity.parquet").rename(folder / "activity" / "a.parquet")
    sr.read_study(folder)
    assert len(checks) == 2


def test_another_version_checks_again(tmp_path: Path, checks: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = study(tmp_path / "s")
    sr.read_study(folder)
    monkeypatch.setattr(stamp, "_made_by", lambda: b"another")
    sr.read_study(folder)
    assert len(checks) == 2


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b"null", b"\xff", b'{"key": 3, "texts": 1}'])
def test_a_damaged_stamp_is_no_stamp(tmp_path: Path, checks: list[int], damage: bytes) -> None:
    folder = study(tmp_path / "s")
    sr.read_study(folder)
    for kept in (tmp_path / "cache" / "checked").iterdir():
        kept.write_bytes(damage)
    sr.read_study(folder)
    assert len(checks) == 2


def test_a_stamp_of_other_content_is_no_stamp(tmp_path: Path, checks: list[int]) -> None:
    sr.read_study(study(tmp_path / "s"))
    sr.read_study(study(tmp_path / "t", activity=ACTIVITY[:2]))
    one, other = sorted((tmp_path / "cache" / "checked").iterdir())
    other.write_bytes(one.read_bytes())
    one.write_bytes(b"")
    sr.read_study(tmp_path / "s")
    sr.read_study(tmp_path / "t")
    assert len(checks) == 4


def test_a_cache_that_cannot_be_written_is_no_fault(
    tmp_path: Path, checks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("SYMPHONY_CACHE", str(tmp_path / "file"))
    folder = study(tmp_path / "s")
    sr.read_study(folder)
    sr.read_study(folder)
    assert len(checks) == 2


def test_a_stamp_holds_no_value_of_a_row_but_words_of_the_schema(tmp_path: Path, checks: list[int]) -> None:
    activity = pl.DataFrame(
        {
            "person_id": [1, 1, 2],
            "date": [date(2012, 5, 1), date(2012, 5, 2), date(2012, 6, 1)],
            "setting": ["primary_care", "primary_care", "inpatient"],
            "kind": [None, None, "emergency"],
            "staff_role": ["general_practitioner", "Dr Florence", "Dr Dougal"],
            "cost": [31.25, 0.0, 0.0],
        }
    )
    people = PERSONS.with_columns(area=pl.lit("Zebedee"))
    folder = study(tmp_path / "s", parquet=False, persons=people, activity=activity)
    first = sr.read_study(folder).recorded
    (kept,) = (tmp_path / "cache" / "checked").iterdir()
    told = json.loads(kept.read_text())
    assert set(told) == {"key", "generated", "texts", "recorded"}
    assert told["recorded"] == {
        "setting": ["inpatient", "primary_care", "primary_care"],
        "kind": ["emergency", None, None],
        "staff_role": [None, None, "general_practitioner"],
        "ended": [False] * 3,
        "costed": [True] * 3,
    }
    for value in ("Zebedee", "Florence", "Dougal", "31.25", "2012-05"):
        assert value not in kept.read_text()
    again = sr.read_study(folder)
    assert "recorded" in vars(again)
    assert_frame_equal(again.recorded, first)


def test_the_kinds_of_activity_are_of_the_tables_of_a_study(tmp_path: Path, checks: list[int]) -> None:
    """A study made of another with other tables reads its own."""
    folder = study(tmp_path / "s")
    sr.read_study(folder)
    read = sr.read_study(folder)
    assert read.recorded["setting"].to_list() == ["inpatient", "outpatient", "primary_care"]
    one = pl.LazyFrame({"setting": ["inpatient"], "kind": ["emergency"], "end_date": [None], "cost": [2.0]})
    other = replace(read, tables={**read.tables, "activity": one})
    assert other.recorded.to_dicts() == [{"setting": "inpatient", "kind": "emergency", "ended": False, "costed": True}]


def test_a_study_with_a_fault_has_no_stamp(tmp_path: Path, checks: list[int]) -> None:
    folder = study(tmp_path / "s", persons=PERSONS.with_columns(sex=pl.lit("x")))
    for _ in range(2):
        with pytest.raises(sr.SchemaError):
            sr.read_study(folder)
    assert not (tmp_path / "cache" / "checked").exists()
    assert len(checks) == 2
