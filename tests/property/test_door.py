"""Any study with one kind of fault in it: the fault is named with its rows, nothing else is, and no value of a row is shown."""

from __future__ import annotations

import random
import re
import shutil
import sys
import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.door.folder import look_through
from symphony_research.door.table import read_table
from symphony_research.schema import STUDY_TABLES

sys.path.insert(0, str(Path(__file__).parent))
from door_cases import FAULTS, Case, base, write


def said(message: str) -> str:
    """A message without the name of a part, the headings it lists and what follows."""
    told = re.sub(
        r"^(part \d\S*|persons|conditions|activity|enrolments)\S*\.(csv|txt|tsv|parquet)(\.gz)? ",
        "",
        message,
        flags=re.I,
    )
    told = re.sub(r" in part \d[^ :.]*(\.\w+)*", "", told)
    return told.split(": '")[0].split(". Columns")[0] if "personal" not in told else told


def meant(table: str, column: str, value: str | None) -> object:
    """A cell as the schema has it, computed without the library."""
    bare = (value or "").strip()
    if not bare:
        return None
    kind = STUDY_TABLES[table].column(column).type
    if kind == "date":
        return date.fromisoformat(bare[:10])
    if kind == "integer":
        return int(float(bare))
    return float(bare) if kind == "number" else bare


def try_case(seed: int, kind: str) -> None:
    case = base(seed)
    FAULTS[kind](case)
    home = Path(tempfile.mkdtemp(prefix="door["))  # brackets: a path is a path
    try:
        folder = home / "s*"
        write(case, folder)
        findings = sr.check_study(folder)
        text = findings.text()
        found = {(f.table, f.column, said(f.message), f.rows) for f in findings.faults}
        assert found == case.expected, (found ^ case.expected, text)
        assert findings.ok == (not case.expected)
        no_value_is_shown(case, text)
        rows_survive(case, folder)
    finally:
        shutil.rmtree(home)


def no_value_is_shown(case: Case, text: str) -> None:
    words = {word for table in STUDY_TABLES.values() for column in table.columns for word in column.allowed}
    for rows in case.tables.values():
        for row in rows:
            for value in row.values():
                bare = (value or "").strip()
                if len(bare) >= 5 and bare not in words:
                    assert bare not in text, (bare, text)
    assert "zq" not in text.lower().replace(case.settings.lower(), "")


def rows_survive(case: Case, folder: Path) -> None:
    """Rows that bear no fault are there as they were written, in their order, but for blanks round them."""
    if not case.read:
        return
    files = look_through(folder).files
    for table, rows in case.tables.items():
        read = read_table(STUDY_TABLES[table], files[table], {}, {}, known={})
        assert read.frame is not None
        got = read.frame.collect()
        names = [c.name for c in STUDY_TABLES[table].columns if any(c.name in row for row in rows)]
        assert got.height == len(rows)
        spoilt = case.spoilt.get(table, set())
        for k, (row, there) in enumerate(zip(rows, got.select(names).rows(named=True), strict=True)):
            if k in spoilt or (table, k) in case.cut:
                continue
            want = {name: meant(table, name, row.get(name)) for name in names}
            assert {**there, "person_id": str(there["person_id"])} == want, (table, k)


CASES = st.tuples(st.integers(0, 2**32), st.sampled_from(sorted(FAULTS)))


@given(CASES)
@settings(max_examples=200)
def test_one_fault_is_named_and_nothing_else(case: tuple[int, str]) -> None:
    try_case(*case)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_every_kind_of_fault_in_many_places_and_formats(kind: str) -> None:
    for seed in range(75):
        try_case(1_000_003 * seed + 17, kind)


def damage(folder: Path, seed: int) -> None:
    """Spoil some bytes of one file, cut it short, or put something else in its place."""
    r = random.Random(seed)
    file = r.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
    data = bytearray(file.read_bytes())
    for _ in range(r.randint(1, 6)):
        at = r.randrange(len(data) + 1)
        how = r.randrange(4)
        if how == 0:
            data[at : at + r.randint(1, 8)] = r.randbytes(r.randint(0, 8))
        elif how == 1:
            data[at:at] = r.choice([b'"', b"\x00", b"\r", b"\n\n", b",,,,", b"\xff\xfe", b"\x1f\x8b", b"^.*$", b"\x81"])
        elif how == 2:
            data = data[:at] if r.random() < 0.3 else data
        else:
            data[at : at + 40] = b""
    file.write_bytes(bytes(data))
    if r.random() < 0.1:
        file.unlink()
        file.mkdir()


def try_damage(seed: int) -> None:
    home = Path(tempfile.mkdtemp(prefix="door["))
    try:
        write(base(seed), home / "s")
        damage(home / "s", seed)
        findings = sr.check_study(home / "s")
        if findings.ok:
            sr.read_study(home / "s").persons.collect()
        else:
            with pytest.raises(sr.SchemaError):
                sr.read_study(home / "s")
    finally:
        shutil.rmtree(home)


@given(st.integers(0, 2**32))
@settings(max_examples=100)
def test_a_damaged_file_is_a_finding_and_never_a_crash(seed: int) -> None:
    try_damage(seed)
