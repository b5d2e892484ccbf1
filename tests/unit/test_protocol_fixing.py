"""A protocol is fixed before outcomes are read, or a report says that it was not; what changed since is listed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from small_evaluation import evaluated_study

import symphony_research as sr
from symphony_research import cli
from symphony_research.door.protocol_record import Fixing, Reading, Record, read_record_of
from symphony_research.errors import ArgumentError, ReportError, SchemaError
from symphony_research.evaluation.protocol_fixing import changed_keys, timing_of

e = sr.evaluation


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = evaluated_study(tmp_path / "study")
    e.write_protocol(folder)
    return folder


def change(folder: Path, old: str, new: str) -> None:
    path = folder / "protocol.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_what_is_fixed_is_recorded_with_a_copy_day_and_name(folder: Path) -> None:
    protocol = e.fix_protocol(folder, by="B. Boss")
    fixing = read_record_of(folder / "protocol.toml").fixing
    assert fixing == protocol.record.fixing
    assert (fixing.fingerprint, fixing.by, fixing.content) == (protocol.fingerprint, "B. Boss", protocol.content)
    assert fixing.date.startswith("20")
    lines = (folder / "protocol.fixed.jsonl").read_text(encoding="utf-8").splitlines()
    assert [sorted(json.loads(line)) for line in lines] == [["digest", "format", "of"], ["digest", "fixed"]]
    # of its authors where nobody is named, as study.toml gives them
    change(folder, "days = 365", "days = 364")
    assert e.fix_protocol(folder).record.events[-1].by == "A. Analyst"


def test_fixing_it_again_without_a_change_adds_nothing(folder: Path) -> None:
    e.fix_protocol(folder)
    before = (folder / "protocol.fixed.jsonl").read_bytes()
    e.fix_protocol(folder, by="somebody else")
    assert (folder / "protocol.fixed.jsonl").read_bytes() == before
    change(folder, "# of that draw", "# another comment")
    e.fix_protocol(folder)
    assert (folder / "protocol.fixed.jsonl").read_bytes() == before


def test_a_default_or_faulty_protocol_is_not_fixed(folder: Path) -> None:
    change(folder, "days = 365", "days = 0")
    with pytest.raises(SchemaError, match=r"follow_up\.days"):
        e.fix_protocol(folder)
    (folder / "protocol.toml").unlink()
    with pytest.raises(ArgumentError, match=r"no protocol.toml, so there is nothing to fix. Write one with"):
        e.fix_protocol(folder)
    assert not (folder / "protocol.fixed.jsonl").exists()


def test_a_record_that_was_changed_is_refused(folder: Path) -> None:
    e.fix_protocol(folder)
    path = folder / "protocol.fixed.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"days":365', b'"days":180'))
    with pytest.raises(
        ReportError,
        match=r"The record of the protocol .*line 2 of it is not whole or was changed.*protocol.fixed.jsonl.head",
    ):
        e.read_protocol(folder)
    with pytest.raises(ReportError, match="not whole or was changed"):
        e.open_outcomes(
            replace(e.read_protocol(evaluated_study(folder.parent / "b")), beside=folder / "protocol.toml"), report="06"
        )


# -- before or after: F is a fixing, R a reading of outcomes; what is said of each order, by hand --------------------

ONE = Fixing("1" * 64, "2026-03-02T09:00:00Z", "A. Analyst", "0.1.0", {"follow_up": {"days": 365}})
TWO = Fixing("2" * 64, "2026-03-04T09:00:00Z", "A. Analyst", "0.1.0", {"follow_up": {"days": 180}})
READ = Reading("1" * 64, "2026-03-03T09:00:00Z", "06_hub_evaluation")
LATER = Reading("2" * 64, "2026-03-05T09:00:00Z", "06_hub_evaluation")
ORDERS = {
    "": (None, "This protocol was not fixed before outcomes were read."),
    "R": (None, "This protocol was not fixed before outcomes were read (first on 3 March 2026)."),
    "1": (ONE, "The protocol was fixed on 2 March 2026 by A. Analyst, and no report on its outcomes is recorded yet."),
    "1R": (ONE, "The protocol was fixed on 2 March 2026 by A. Analyst, before a report first read its outcomes on 3 March 2026."),
    # of two fixed before, the last holds
    "12L": (TWO, "The protocol was fixed on 4 March 2026 by A. Analyst, before a report first read its outcomes on 5 March 2026. It replaced 1 earlier version."),
    # the one fixed before stays the one to depart from
    "1R2L": (ONE, "The protocol was fixed on 2 March 2026 by A. Analyst, before a report first read its outcomes on 3 March 2026."),
    "R2": (TWO, "The protocol was fixed on 4 March 2026 by A. Analyst, after outcomes were first read by a report on 3 March 2026: it is no plan made before."),
    "R21": (TWO, "The protocol was fixed on 4 March 2026 by A. Analyst, after outcomes were first read by a report on 3 March 2026: it is no plan made before."),
}  # fmt: skip


@pytest.mark.parametrize("order", ORDERS)
def test_it_is_said_whether_it_was_fixed_before_outcomes_were_read(folder: Path, order: str) -> None:
    record = Record(tuple({"1": ONE, "2": TWO, "R": READ, "L": LATER}[letter] for letter in order))
    protocol = replace(e.read_protocol(folder), record=record)
    binding, said = ORDERS[order]
    assert record.fixing == binding
    assert timing_of(protocol) == said


def test_the_order_of_the_record_decides_and_not_a_clock(folder: Path) -> None:
    early = replace(READ, date="2020-01-01T00:00:00Z")
    assert "before a report first read" in timing_of(replace(e.read_protocol(folder), record=Record((ONE, early))))


# -- the first reading of outcomes ----------------------------------------------------------------------------------


def test_reading_outcomes_is_recorded_once_for_each_protocol(folder: Path) -> None:
    e.fix_protocol(folder)
    first = e.open_outcomes(e.read_protocol(folder), report="06_hub_evaluation")
    assert [type(one) for one in first.record.events] == [Fixing, Reading]
    assert (first.recorded, first.record.first_reading.report) == (True, "06_hub_evaluation")
    before = (folder / "protocol.fixed.jsonl").read_bytes()
    e.open_outcomes(e.read_protocol(folder), report="06_again")
    assert (folder / "protocol.fixed.jsonl").read_bytes() == before
    change(folder, "days = 365", "days = 180")
    e.open_outcomes(e.read_protocol(folder), report="06_other")
    assert len(read_record_of(folder / "protocol.toml").events) == 3


def test_without_a_protocol_reading_is_remembered_for_the_one_to_come(tmp_path: Path) -> None:
    folder = evaluated_study(tmp_path / "study")
    e.open_outcomes(e.read_protocol(folder), report="06_hub_evaluation")
    e.write_protocol(folder)
    assert "it is no plan made before" in timing_of(e.fix_protocol(folder))


def test_a_place_that_cannot_be_written_is_no_fault(folder: Path) -> None:
    (folder / "protocol.fixed.jsonl").mkdir()  # stands for a folder that is for reading alone
    told = e.open_outcomes(e.read_protocol(folder), report="06")
    assert not told.recorded
    assert told.record.first_reading is not None
    with pytest.raises(ReportError, match=r"cannot be opened: .* keep the protocol in another: --file FILE"):
        e.fix_protocol(folder)


def test_what_cannot_be_recorded_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    e.fix_protocol(folder)
    protocol = e.read_protocol(folder)

    def refused(*_: object) -> None:
        raise ReportError("The record of the protocol cannot be opened: Permission denied.")

    monkeypatch.setattr("symphony_research.evaluation.protocol_fixing.add_to_record", refused)
    told = e.open_outcomes(protocol, report="06")
    assert not told.recorded
    assert timing_of(told).endswith("Nothing could be recorded beside the study, so earlier reports are not known.")


def test_of_generated_people_nothing_is_recorded_unless_a_protocol_was_fixed(folder: Path) -> None:
    study = replace(sr.read_study(folder), generated=True)
    e.open_outcomes(e.read_protocol(study), report="06")
    assert not (folder / "protocol.fixed.jsonl").exists()
    e.fix_protocol(study)
    e.open_outcomes(e.read_protocol(study), report="06")
    assert read_record_of(folder / "protocol.toml").first_reading is not None


# -- departures -----------------------------------------------------------------------------------------------------


def test_every_key_that_differs_from_the_fixed_one_is_listed(folder: Path) -> None:
    e.fix_protocol(folder)
    assert list(changed_keys(e.read_protocol(folder))) == []
    change(folder, "days = 365", "days = 180")
    change(folder, "caliper = 0.2", 'caliper = "none"')
    change(folder, "# youngest age on the day of enrolment: min_age = 18", "min_age = 18")
    change(
        folder, '    "health_coaching",\n    "sex",\n', '    "sex",\n    "health_coaching",\n'
    )  # the order says nothing
    protocol = e.read_protocol(folder)
    assert list(changed_keys(protocol)) == [
        ("eligibility.min_age", None, 18),
        ("assignment.caliper", 0.2, "none"),
        ("follow_up.days", 365, 180),
    ]
    shown = e.departures(protocol)
    assert shown.sentence() == "3 keys of the protocol differ from the fixed one; the authors state no other departure."
    assert shown.estimates.select("what", "before", "now").rows() == [
        ("eligibility.min_age", "not stated", "18"),
        ("assignment.caliper", "0.2", "none"),
        ("follow_up.days", "365", "180"),
    ]


def test_a_changed_default_is_a_departure_too(folder: Path) -> None:
    """The programmes of practices are the study's: another extract may bring one, and controls then agree on more."""
    (folder / "protocol.toml").write_text("", encoding="utf-8")
    e.fix_protocol(folder)
    more = pl.DataFrame(
        {"practice_id": ["P1"] * 2, "programme": ["complex_care", "pharmacy"], "start_date": ["2012-06-01"] * 2}
    )
    more.with_columns(pl.col("start_date").str.to_date()).write_parquet(folder / "practice_programmes.parquet")
    assert list(changed_keys(e.read_protocol(folder))) == [
        ("assignment.exact", ["health_coaching", "sex"], ["pharmacy", "sex"])
    ]


def test_a_key_of_a_later_version_counts_where_it_is_stated(folder: Path) -> None:
    protocol = e.fix_protocol(folder)
    content = {name: dict(keys) for name, keys in protocol.content.items()}
    del content["analysis"]["subgroups"]
    older = Record((replace(protocol.record.fixing, content=content),))
    assert list(changed_keys(replace(protocol, record=older, given=frozenset()))) == []
    stated = replace(protocol, record=older, given=frozenset({"analysis.subgroups"}))
    assert list(changed_keys(stated)) == [("analysis.subgroups", None, ["broad_age_band", "sex"])]


def test_a_protocol_taken_away_after_it_was_fixed_leaves_its_departures(folder: Path) -> None:
    change(folder, "days = 365", "days = 90")
    e.fix_protocol(folder)
    (folder / "protocol.toml").unlink()
    protocol = e.read_protocol(folder)
    assert protocol.is_default
    assert list(changed_keys(protocol)) == [("follow_up.days", 90, 365)]


# -- the command ----------------------------------------------------------------------------------------------------


def test_the_command_writes_checks_fixes_and_lists(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = str(folder)
    (folder / "protocol.toml").unlink()
    assert cli.main(["protocol", study, "--check"]) == 0
    assert capsys.readouterr().out.startswith("No protocol.toml: reports use the default protocol. Fingerprint ")
    assert cli.main(["protocol", study]) == 0
    assert f"The protocol is in {folder / 'protocol.toml'}." in capsys.readouterr().out
    assert cli.main(["protocol", study]) == 2
    assert "is there already, and is not overwritten" in capsys.readouterr().err
    assert cli.main(["protocol", study, "--fix", "--by", "B. Boss"]) == 0
    out = capsys.readouterr().out
    fingerprint = e.read_protocol(folder).fingerprint[:12]
    assert out.startswith("Recorded as fixed on 20")
    assert f"by B. Boss, fingerprint {fingerprint}." in out
    e.open_outcomes(e.read_protocol(folder), report="06_hub_evaluation")
    change(folder, "days = 365", "days = 180")
    assert cli.main(["protocol", study, "--check"]) == 0
    out = capsys.readouterr().out
    assert "by B. Boss, before a report first read its outcomes on" in out
    assert "    follow_up.days: 365 -> 180\n" in out
    assert cli.main(["protocol", study, "--fix"]) == 0
    assert "A report read its outcomes on 20" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--check", "--fix"], 2, "Give --check or --fix, not both"),
        (["--by", "B. Boss"], 2, "--by names who fixes a protocol: add --fix."),
        (["--fix", "--programme", "other"], 2, "is the protocol of 'complex_care'"),
        (
            ["--file", "new.toml", "--programme", "other"],
            2,
            "The study has no programme 'other'. There is: complex_care.",
        ),
        (["--check", "--file", "none.toml"], 2, "There is no protocol"),
    ],
)
def test_what_cannot_be_done_is_said(
    folder: Path,
    words: list[str],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder.parent)
    assert cli.main(["protocol", str(folder), *words]) == code
    assert said in capsys.readouterr().err
    assert not (folder.parent / "new.toml").exists()


def test_a_faulty_protocol_is_a_finding(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(folder, "days = 365", "dayz = 365")
    assert cli.main(["protocol", str(folder), "--check"]) == 1
    assert "Did you mean 'days'?" in capsys.readouterr().err
    assert cli.main(["protocol", str(folder / "none")]) == 2
