"""Which releases a run is judged against: of the same people, in use, whatever the folder, name or rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError
from symphony_research.policy import Policy
from symphony_research.report.before import register_of, released_before, require_one_rule
from symphony_research.report.register import Entry, Register, default_register
from symphony_research.study import Study

NHS, SACRO = Policy.nhs_england(), Policy.sacro()


def study(folder: Path, first: int, last: int, name: str = "Ours", report: str = "") -> Study:
    """Write a study of the people numbered so."""
    folder.mkdir(parents=True)
    ids = [f"p{k}" for k in range(first, last)]
    pl.DataFrame({"person_id": ids, "sex": "F", "birth_date": "1950-01-01"}).write_csv(folder / "persons.csv")
    (folder / "conditions.csv").write_text("person_id,condition,onset_date\n")
    (folder / "study.toml").write_text(f'name = "{name}"\n{report}[period]\nstart = 2015-01-01\nend = 2015-12-31\n')
    return sr.read_study(folder)


def enter(book: Register, made_of: Study, report: str, policy: Policy = NHS) -> Entry:
    """Enter a report of a study that told nothing."""
    known = released_before(made_of, [policy], book.path)
    told = {
        "report": report,
        "title": "T",
        "study": made_of.name,
        "policy": policy.title,
        "by": "A",
        "date": "2026-11-29T10:00:00Z",
    }
    return book.add(
        [Entry(**told, digest=report, run=known.run, fingerprint=known.fingerprint, sketch=known.sketch, outputs=[])]
    )[0]


@pytest.fixture
def book(tmp_path: Path) -> Register:
    return Register(tmp_path / "register.jsonl")


def names(made_of: Study, book: Register, policy: Policy = NHS) -> list[str]:
    return [entry.report for entry in released_before(made_of, [policy], book.path).entries]


def test_the_same_people_are_known_under_another_folder_and_name(tmp_path: Path, book: Register) -> None:
    enter(book, study(tmp_path / "a", 0, 300), "a")
    assert names(study(tmp_path / "b", 0, 300, name="Theirs"), book) == ["a"]
    assert names(study(tmp_path / "refreshed", 20, 330), book) == ["a"]
    assert names(study(tmp_path / "others", 1_000, 1_300), book) == []


def test_a_withdrawn_report_is_compared_with_nothing(tmp_path: Path, book: Register) -> None:
    ours = study(tmp_path / "a", 0, 50)
    enter(book, ours, "a")
    enter(book, ours, "b")
    book.withdraw(1, by="A", reason="wrong extract", date="2026-12-01")
    assert names(ours, book) == ["b"]


def test_a_second_rule_on_the_same_records_is_refused_with_ways_on_and_on_a_later_extract_is_not(
    tmp_path: Path, book: Register
) -> None:
    ours = study(tmp_path / "a", 0, 50)
    enter(book, ours, "02_x")
    with pytest.raises(
        ArgumentError, match=r"02_x \(entry 1, released 2026-11-29\) is of the same records.*--withdraw 1"
    ):
        require_one_rule(released_before(ours, [SACRO], book.path), SACRO)
    require_one_rule(released_before(ours, [NHS], book.path), NHS)
    require_one_rule(released_before(study(tmp_path / "b", 0, 52), [SACRO], book.path), SACRO)


def test_generated_data_need_no_register(tmp_path: Path) -> None:
    before = released_before(study(tmp_path / "a", 0, 50), [Policy.synthetic()], tmp_path / "none.jsonl")
    assert before.entries == ()
    assert before.register is None
    assert not (tmp_path / "none.jsonl").exists()


def test_where_the_register_stands(tmp_path: Path) -> None:
    plain = study(tmp_path / "a", 0, 5)
    named = study(tmp_path / "b", 0, 5, report='[report]\nregister = "../shared/register.jsonl"\n')
    assert register_of(None, plain) == register_of(None, None) == default_register()
    assert register_of(None, named).resolve() == (tmp_path / "shared" / "register.jsonl").resolve()
    assert register_of(tmp_path / "asked.jsonl", named) == tmp_path / "asked.jsonl"


def test_counts_of_the_same_records_carry_the_studys_own_fingerprint_and_others_do_not(
    tmp_path: Path, book: Register
) -> None:
    ours, later = study(tmp_path / "a", 0, 50), study(tmp_path / "b", 0, 52)
    entry = enter(book, ours, "a")
    output = {"title": "t", "published": {"fingerprint": entry.fingerprint, "study": "x"}}
    entry = replace(entry, outputs=[output])
    for one, same in ((ours, True), (later, False)):
        (told,) = released_before(one, [NHS], book.path).outputs_of(entry, one)
        assert (told["published"]["fingerprint"] == one.fingerprint) is same
        assert told["published"]["study"] == one.name
