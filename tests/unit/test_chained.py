"""A chained file is read without a trace, and what was taken from it or put into it is noticed; the register's tests say more."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from symphony_research.chained import ChainedFile
from symphony_research.errors import ReportError


def record(folder: Path) -> ChainedFile:
    return ChainedFile(folder / "r.jsonl", "The record", "Name another.", "start another")


def test_reading_what_is_not_there_makes_nothing(tmp_path: Path) -> None:
    assert record(tmp_path / "none").lines() == []
    assert list(tmp_path.iterdir()) == []


def test_each_line_bears_the_digest_of_all_before(tmp_path: Path) -> None:
    file = record(tmp_path)
    with file.held() as stream:
        file.append(stream, [{"b": 1, "a": 2}])
        file.append(stream, [{"c": [3]}])
    # the same by hand: SHA-256 of the digest before and the line with its names in order
    first = hashlib.sha256(b'{"a":2,"b":1}').hexdigest()
    second = hashlib.sha256(f'{first}{{"c":[3]}}'.encode()).hexdigest()
    lines = [json.loads(line) for line in file.path.read_text(encoding="utf-8").splitlines()]
    assert [line["digest"] for line in lines] == [first, second]
    assert file.head.read_text(encoding="ascii") == second
    assert file.lines() == [{"b": 1, "a": 2}, {"c": [3]}]


@pytest.mark.parametrize("cut", [b'{"c":[3]', b'"a":2'])
def test_a_line_that_was_changed_or_cut_is_noticed_when_it_is_read(cut: bytes, tmp_path: Path) -> None:
    file = record(tmp_path)
    with file.held() as stream:
        file.append(stream, [{"b": 1, "a": 2}, {"c": [3]}])
    raw = file.path.read_bytes()
    file.path.write_bytes(raw[: raw.index(cut)] if cut == b'{"c":[3]' else raw.replace(cut, b'"a":3'))
    with pytest.raises(ReportError, match=r"The record .* cannot be used: .*if there is none start another\."):
        file.lines()
