"""The public study on disk: same seed same bytes, nothing overwritten that is not ours, no half folder."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research.errors import ArgumentError, SchemaError
from symphony_research.schema import STUDY_TABLES
from symphony_research.synthetic import (
    carries_own_fingerprint,
    data_dictionary,
    fingerprint,
    generate_tables,
    parameters,
    synthesise,
    write,
)
from symphony_research.synthetic.blocks import BLOCK_SIZE

README = Path(__file__).parents[2] / "synthetic" / "README.md"


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def registered_in_2012_13(folder: Path) -> int:
    begins, ends = pl.col("start_date"), pl.col("end_date").fill_null(date(2018, 3, 31))
    spells = pl.read_parquet(folder / "registrations/*.parquet")
    return spells.filter((begins <= date(2013, 3, 31)) & (ends >= date(2012, 4, 1)))["person_id"].n_unique()


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return synthesise(tmp_path_factory.mktemp("public") / "study", people=300, seed=1, progress=False)


def test_same_seed_same_bytes_whatever_the_threads(tmp_path):
    people = 2 * BLOCK_SIZE + 100
    one = synthesise(tmp_path / "one", people=people, seed=5, jobs=1, progress=False)
    two = synthesise(tmp_path / "two", people=people, seed=5, jobs=2, progress=False)
    assert digests(one) == digests(two)
    # The first block is the same in a smaller study, the last, partial one is not.
    small = synthesise(tmp_path / "small", people=BLOCK_SIZE + 50, seed=5, progress=False)
    for name in ("persons", "conditions", "activity", "enrolments"):
        assert digests(small)[f"{name}/part-00000.parquet"] == digests(one)[f"{name}/part-00000.parquet"]
    assert registered_in_2012_13(small) == BLOCK_SIZE + 50
    assert registered_in_2012_13(one) == people


def test_another_seed_differs(tmp_path, study):
    other = synthesise(tmp_path / "other", people=300, seed=2, progress=False)
    assert fingerprint(other) != fingerprint(study)


def test_memory_and_folder_hold_the_same_tables(study):
    made = generate_tables(300, seed=1)
    for name in STUDY_TABLES:
        assert_frame_equal(pl.read_parquet(study / name / "*.parquet"), made[name])


def test_study_toml_says_what_the_study_is(study):
    settings = tomllib.loads((study / "study.toml").read_text(encoding="utf-8"))
    assert settings["period"] == {"start": date(2011, 4, 1), "end": date(2018, 3, 31)}
    assert settings["price_year"] == "2012-13"
    assert settings["disclosure"] == {"policy": "nhs_england"}
    assert len(settings["conditions"]) == len(set(settings["conditions"])) == 49
    assert settings["priority_conditions"] == list(parameters.PRIORITY_CONDITIONS)
    assert settings["generator"]["people"] == 300
    assert settings["generator"]["seed"] == 1
    assert settings["generator"]["fingerprint"] == fingerprint(study)


def test_a_messy_study_says_what_was_planted_and_the_check_finds_it(tmp_path):
    folder = synthesise(tmp_path / "messy", people=2_000, seed=3, messy=True, faults=5, progress=False)
    settings = tomllib.loads((folder / "study.toml").read_text(encoding="utf-8"))
    assert settings["generator"]["messy"] is True
    stated = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["messy"]["faults"]
    found = sr.check_study(folder)
    assert {(f.table, f.column, f.message, f.rows) for f in found.faults} == {
        (f["table"], f["column"], f["fault"], f["rows"]) for f in stated
    }
    # February and March lose 30 and 60% of their activity: under four fifths of the usual month.
    assert "March 2018 holds" in found.text()
    with pytest.raises(SchemaError):
        sr.read_study(folder)
    readable = synthesise(tmp_path / "readable", people=400, seed=3, messy=True, faults=0, progress=False)
    assert sr.read_study(readable).generated


def test_fingerprint_is_made_of_names_and_bytes(study):
    # The definition in the docstring, written out a second time.
    total = hashlib.sha256(b"symphony_research.synthetic study folder v1")
    for path in sorted(study.glob("*/*"), key=lambda path: path.relative_to(study).as_posix()):
        name = path.relative_to(study).as_posix().encode()
        total.update(len(name).to_bytes(8, "big") + name + hashlib.sha256(path.read_bytes()).digest())
    assert fingerprint(study) == total.hexdigest()


@pytest.mark.parametrize("change", ["byte", "part", "table", "generator"])
def test_a_changed_study_loses_its_fingerprint(tmp_path, change):
    folder = synthesise(tmp_path / "study", people=50, progress=False)
    assert carries_own_fingerprint(folder)
    part = folder / "persons" / "part-00000.parquet"
    if change == "byte":
        part.write_bytes(part.read_bytes()[:-1] + b"x")
    elif change == "part":
        (folder / "persons" / "part-00001.parquet").write_bytes(part.read_bytes())
    elif change == "table":
        (folder / "persons.csv").write_text("person_id,sex,birth_date\n")
    else:
        text = (folder / "study.toml").read_text(encoding="utf-8")
        (folder / "study.toml").write_text(text.replace("[generator]", "[made_by]"), encoding="utf-8")
    assert not carries_own_fingerprint(folder)


def test_a_folder_without_study_toml_carries_no_fingerprint(tmp_path):
    assert not carries_own_fingerprint(tmp_path)


def test_own_study_is_replaced(tmp_path):
    folder = synthesise(tmp_path / "study", people=60, progress=False)
    synthesise(folder, people=40, progress=False)
    assert registered_in_2012_13(folder) == 40
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


def test_foreign_folders_are_not_overwritten(tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "study.toml").write_text('name = "a real study"\n')
    with pytest.raises(ArgumentError, match="not overwritten"):
        synthesise(foreign, people=20, progress=False)
    assert (foreign / "study.toml").read_text() == 'name = "a real study"\n'

    mixed = synthesise(tmp_path / "mixed", people=20, progress=False)
    (mixed / "notes.txt").write_text("mine")
    with pytest.raises(ArgumentError, match="did not write"):
        synthesise(mixed, people=20, progress=False)
    assert (mixed / "notes.txt").read_text() == "mine"

    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(ArgumentError, match="not a folder"):
        synthesise(file, people=20, progress=False)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_run_leaves_nothing_and_keeps_the_old_study(tmp_path, monkeypatch, error):
    folder = synthesise(tmp_path / "study", people=30, progress=False)
    before = digests(folder)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(write, "study_tables", fail)
    with pytest.raises(error):
        synthesise(folder, people=40, progress=False)
    with pytest.raises(error):
        synthesise(tmp_path / "new", people=40, progress=False)
    assert digests(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


@pytest.mark.parametrize(
    "arguments",
    [{"people": 0}, {"people": 2.5}, {"people": True}, {"seed": -1}, {"seed": "a"}, {"jobs": 0}],
)
def test_wrong_arguments_are_refused_before_anything_is_written(tmp_path, arguments):
    with pytest.raises(ArgumentError, match=next(iter(arguments))):
        synthesise(tmp_path / "study", **{"people": 20, **arguments}, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_progress_off_a_terminal_is_a_line_a_step(tmp_path, capfd):
    synthesise(tmp_path / "study", people=20)
    assert capfd.readouterr().err == "Generated 20 of 20 people\n"


def test_readme_holds_the_dictionary_made_from_the_schema():
    text = README.read_text(encoding="utf-8")
    _, found = re.split(r"(?m)^(?=### persons$)", text)
    assert found == data_dictionary()
