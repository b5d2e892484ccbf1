"""The register of releases: lines are added, none is changed, and a fault of any kind leaves it as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony_research import chained
from symphony_research.errors import ReportError
from symphony_research.report.register import Entry, Register, default_register
from symphony_research.report.sketch import overlap, smallest


def entry(report: str = "02_x", digest: str = "d1", **more: object) -> Entry:
    told = {
        "report": report, "title": "X", "study": "Somerset", "policy": "NHS", "by": "A. Analyst", "date": "2026-11-29T10:00:00Z",
        "digest": digest, "run": "r", "fingerprint": "f", "sketch": "0a0b", "outputs": [{"title": "t", "cells": [[1, 2.5, None]]}],
    }  # fmt: skip
    return Entry(**{**told, **more})  # type: ignore[arg-type]


def test_entries_are_added_in_order_and_read_back(tmp_path: Path) -> None:
    book = Register(tmp_path / "r.jsonl")
    first, second = book.add([entry(), entry("03_y", "d2")])
    assert (first.number, second.number) == (1, 2)
    again = Register(tmp_path / "r.jsonl")
    assert again.key == book.key
    assert [(one.report, one.outputs, one.sketch) for one in again.entries()] == [
        ("02_x", entry().outputs, "0a0b"),
        ("03_y", entry().outputs, "0a0b"),
    ]
    # a report that is there is not entered twice, and one made again is
    assert [one.number for one in again.add([entry(), entry(digest="d3")])] == [1, 3]


def test_a_withdrawn_entry_stays_with_name_date_and_reason(tmp_path: Path) -> None:
    book = Register(tmp_path / "r.jsonl")
    book.add([entry(), entry("03_y")])
    book.withdraw(1, by="B. Boss", reason="wrong extract", date="2026-12-01T09:00:00Z")
    one, two = Register(book.path).entries()
    assert one.withdrawn is not None
    assert (one.withdrawn.by, one.withdrawn.date[:10], one.withdrawn.reason) == (
        "B. Boss",
        "2026-12-01",
        "wrong extract",
    )
    assert two.withdrawn is None
    with pytest.raises(ReportError, match=r"withdrawn on 2026-12-01 already"):
        book.withdraw(1, by="B. Boss", reason="again", date="2026-12-02")
    with pytest.raises(ReportError, match=r"no entry 7: it has 2"):
        book.withdraw(7, by="B. Boss", reason="again", date="2026-12-02")


@pytest.mark.skipif(os.name == "nt", reason="permissions are another matter on Windows")
def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    book = Register(tmp_path / "deep" / "r.jsonl")
    book.add([entry()])
    assert {path.stat().st_mode & 0o777 for path in book.path.parent.iterdir()} == {0o600}
    assert book.path.parent.stat().st_mode & 0o777 == 0o700  # made for it


@pytest.mark.parametrize("cut", ["half of the last line", "the last line", "a figure in the middle"])
def test_a_register_that_is_not_whole_is_refused_and_left_alone(cut: str, tmp_path: Path) -> None:
    book = Register(tmp_path / "r.jsonl")
    book.add([entry(), entry("03_y")])
    raw = book.path.read_bytes()
    lines = raw.splitlines(keepends=True)
    broken = {
        "half of the last line": raw[:-40],
        "the last line": b"".join(lines[:-1]),
        "a figure in the middle": raw.replace(b"2.5", b"3.5", 1),
    }[cut]
    book.path.write_bytes(broken)
    for act in (lambda: Register(book.path), book.entries, lambda: book.add([entry("04_z")])):
        with pytest.raises(ReportError, match=r"cannot be used: .*Nothing was changed. Put back a copy"):
            act()
    assert book.path.read_bytes() == broken


def test_a_line_written_before_a_crash_counts(tmp_path: Path) -> None:
    book = Register(tmp_path / "r.jsonl")
    book.add([entry()])
    head = book.path.with_name("r.jsonl.head").read_text()
    book.add([entry("03_y")])
    book.path.with_name("r.jsonl.head").write_text(head)  # the machine stopped between the two files
    assert len(book.entries()) == 2


def test_another_process_that_holds_it_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Register(tmp_path / "r.jsonl")
    hold = f"""
        import sys, time
        from symphony_research.report.register import Register
        with Register({str(book.path)!r})._file.held():
            print("held", flush=True)
            sys.stdin.read()
    """
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(hold)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        monkeypatch.setattr(chained, "_PATIENCE", 0.3)
        with pytest.raises(ReportError, match=r"in use by another process. Nothing was changed"):
            book.entries()
    finally:
        other.communicate("")
    assert book.entries() == ()


@pytest.mark.skipif(os.name == "nt", reason="a limit on the size of files stands for a full disk")
def test_on_a_full_disk_nothing_is_entered_and_nothing_lost(tmp_path: Path) -> None:
    book = Register(tmp_path / "r.jsonl")
    book.add([entry()])
    import resource

    before = book.path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        with pytest.raises(ReportError, match=r"could not be written: File too large. Nothing was entered"):
            book.add([entry("03_y", outputs=[{"title": "x" * 5_000}])])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert book.path.read_bytes() == before
    assert [one.report for one in book.entries()] == ["02_x"]


def test_a_place_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match=r"cannot be opened: .*--register, or in study.toml"):
        Register(tmp_path / "file" / "r.jsonl")


def test_where_it_stands_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/there")
    monkeypatch.setenv("LOCALAPPDATA", "/there")
    assert default_register() == Path("/there/symphony_research/register.jsonl")


def test_every_line_is_plain_text_with_the_digest_of_all_before(tmp_path: Path) -> None:
    book = Register(tmp_path / "r.jsonl")
    book.add([entry()])
    head, line = (json.loads(one) for one in book.path.read_text().splitlines())
    assert set(head) == {"format", "key", "digest"}
    assert set(line) == {"entry", "digest"}


@given(st.sets(st.integers(0, 300), max_size=200), st.sets(st.integers(0, 300), max_size=200))
def test_of_few_people_the_overlap_is_exact(one: set[int], other: set[int]) -> None:
    # the definition: those in both, of those in the smaller one; up to 256 people in each
    fewer = min(len(one), len(other))
    wanted = len(one & other) / fewer if fewer else 0.0
    assert overlap(smallest(one, b"k"), smallest(other, b"k")) == wanted


@pytest.mark.parametrize(("shared", "same"), [(0.9, True), (0.3, True), (0.02, False), (0.0, False)])
def test_extracts_of_many_people_are_known_by_what_they_share(shared: float, same: bool) -> None:
    # 20,000 people each, of whom a share is in both. Some 256 draws: standard error 0.03 at most
    n, both = 20_000, round(20_000 * shared)
    one, other = range(n), range(n - both, 2 * n - both)
    found = overlap(smallest(one, b"k"), smallest(other, b"k"))
    assert abs(found - shared) < 0.1
    assert (found >= 0.1) is same


@pytest.mark.parametrize("people", [2_000, 5_000, 40_000])
def test_a_part_is_of_the_same_people_as_a_whole(people: int) -> None:
    # the last of 60,000: some 256 / 60,000 of them are in the whole's sketch, 8 of the fewest
    assert overlap(smallest(range(60_000), b"k"), smallest(range(60_000 - people, 60_000), b"k")) == 1.0
    assert overlap(smallest(range(60_000), b"k"), smallest(range(60_000, 60_000 + people), b"k")) == 0.0


def test_nobody_without_the_key_finds_an_id_in_a_sketch() -> None:
    assert smallest(["p1"], b"k") != smallest(["p1"], b"other")
