"""Every answer of a survey is a stated yes, a stated no, or counted as neither; everything is found at once, before anything is written."""

from __future__ import annotations

import gzip
import zipfile
from datetime import date
from pathlib import Path

import polars as pl
import pytest

import symphony_research as sr

HEAD = (
    'name = "Adults"\ndate = 2020-07-01\n[sex]\ncolumn = "sex"\nvalues = { 1 = "M", 2 = "F" }\n[age]\ncolumn = "age"\n'
)
DIABETES = '[conditions]\ndiabetes = { column = "db", yes = ["1"], no = ["0"] }\n'
# ten people: four yes, three no, and three that are neither
TABLE = pl.DataFrame(
    {"sex": ["1", "2"] * 5, "age": ["40"] * 10, "db": ["1", "1", "1", "1", "0", "0", "0", "missing", "9", None]}
)


def imported(place: Path, table: pl.DataFrame, mapping: str, *, name: str = "people.csv") -> Path:
    file = place / name
    if name.endswith(".parquet"):
        table.write_parquet(file)
    else:
        file.write_text(table.write_csv())
    (place / "map.toml").write_text(mapping)
    return sr.import_survey(file, place / "study", config=place / "map.toml")


def refused(place: Path, table: pl.DataFrame, mapping: str, **asked: str) -> str:
    with pytest.raises(sr.ArgumentError) as error:
        imported(place, table, mapping, **asked)
    assert not (place / "study").exists()
    return str(error.value)


def sizes(folder: Path) -> tuple[int, int]:
    study = sr.read_study(folder)
    return study.persons.collect().height, study.conditions.collect().height


def test_an_answer_that_is_neither_stops_the_import(tmp_path: Path) -> None:
    told = refused(tmp_path, TABLE, HEAD + DIABETES)
    assert "says neither yes nor no in 3 of 10 rows. It has no answer in 1 rows" in told
    assert "missing" not in told


@pytest.mark.parametrize(("neither", "people", "ill", "note"), [
    ("exclude person", 7, 4, "A few people are excluded, whose answer on diabetes was neither a yes nor a no, or not known."),
    ("no", 10, 4, "A few people are counted as not having diabetes, whose answer was neither a yes nor a no."),
])  # fmt: skip
def test_the_mapping_says_what_becomes_of_them(tmp_path: Path, neither: str, people: int, ill: int, note: str) -> None:
    folder = imported(tmp_path, TABLE, HEAD + DIABETES.replace("] }", f'], neither = "{neither}" }}'))
    assert sizes(folder) == (people, ill)
    assert sr.read_study(folder).note == note
    text = sr.check_study(folder).text()
    assert f"Imported: 10 rows, {10 - people} people excluded." in text
    assert "diabetes: 3" in text


def test_the_note_rounds_as_the_studys_rule_does(tmp_path: Path) -> None:
    many = pl.concat([TABLE] * 40)
    folder = imported(
        tmp_path, many, 'note = "Unweighted."\n' + HEAD + DIABETES.replace("] }", '], neither = "exclude person" }')
    )
    assert sr.read_study(folder).note.startswith("Unweighted. About 120 people are excluded")
    odd = pl.concat([many, TABLE[-2:]])
    (tmp_path / "b").mkdir()
    folder = imported(tmp_path / "b", odd, HEAD + DIABETES.replace("] }", '], neither = "exclude person" }'))
    assert "About 120 people" in sr.read_study(folder).note
    assert "excluded = 122" in (folder / "study.toml").read_text()


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64, pl.String, pl.Boolean])
def test_numbers_and_true_are_answers(tmp_path: Path, dtype: pl.DataType) -> None:
    table = TABLE[:7].with_columns(db=pl.col("db").cast(pl.Int64).cast(dtype))
    mapping = HEAD + (
        DIABETES if dtype != pl.Boolean else DIABETES.replace('["1"]', "[true]").replace('["0"]', "[false]")
    )
    assert sizes(imported(tmp_path, table, mapping, name="people.parquet")) == (7, 4)
    if dtype == pl.Float64:
        (tmp_path / "b").mkdir()
        assert sizes(imported(tmp_path / "b", table, mapping.replace('"1"], no', "1], no"))) == (7, 4)


@pytest.mark.parametrize("word", ["No", "no", "NO", " No "])
def test_the_word_no_needs_no_stating_and_any_other_does(tmp_path: Path, word: str) -> None:
    mapping = HEAD + '[conditions]\nasthma = { column = "a", yes = ["Yes"] }\n'
    table = TABLE.with_columns(a=pl.Series(["Yes"] * 5 + [word] * 5))
    assert sizes(imported(tmp_path, table, mapping)) == (10, 5)
    (tmp_path / "b").mkdir()
    other = table.with_columns(a=pl.col("a").replace(word, "Never"))
    assert "neither yes nor no in 5 of 10 rows" in refused(tmp_path / "b", other, mapping)


def test_answers_in_other_capitals_are_pointed_out(tmp_path: Path) -> None:
    mapping = HEAD + '[conditions]\nasthma = { column = "a", yes = ["Yes"], no = ["No"] }\n'
    table = TABLE.with_columns(a=pl.Series(["Yes"] * 4 + ["yes", "YES"] + ["No"] * 3 + [" No "]))
    assert "2 of them differ from a stated answer only in capitals" in refused(tmp_path, table, mapping)


@pytest.mark.parametrize("age", ["-9", "NaN", "999", "inf", "-inf", "", "40 years", "126", "1e99"])
@pytest.mark.parametrize("neither", ["stop", "exclude person"])
def test_an_age_that_is_none_is_counted_before_anything_is_written(tmp_path: Path, age: str, neither: str) -> None:
    table = TABLE[:7].with_columns(age=pl.Series([age, age] + ["40.9"] * 5))
    mapping = HEAD + f'neither = "{neither}"\n' + DIABETES
    if neither == "stop":
        assert "2 rows have no age in years from 0 to 125" in refused(tmp_path, table, mapping)
        return
    folder = imported(tmp_path, table, mapping)
    assert sizes(folder) == (5, 2)
    assert sr.read_study(folder).persons.collect()["birth_date"].to_list() == [date(1980, 1, 1)] * 5


def test_everything_is_found_at_once(tmp_path: Path) -> None:
    table = TABLE.with_columns(age=pl.lit("-9"), sex=pl.lit("7"), a=pl.lit("No"))
    told = refused(tmp_path, table, HEAD + DIABETES + 'asthma = { column = "a", yes = ["Yes"] }\n')
    assert told.count("\n") == 3
    for words in (
        "10 rows have no sex",
        "10 rows have no age",
        "neither yes nor no in 3 of 10",
        "nobody gave the answer",
    ):
        assert words in told


def test_nobody_left_is_told(tmp_path: Path) -> None:
    table = TABLE.with_columns(age=pl.lit("-9"))
    mapping = HEAD + 'neither = "exclude person"\n' + DIABETES.replace("] }", '], neither = "no" }')
    assert "nobody is left" in refused(tmp_path, table, mapping)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('yes = ["1"]', 'yes = "1"'), 'condition \'diabetes\': yes must be a list of answers, such as yes'),
        (('no = ["0"]', 'no = "0"'), "no must be a list of answers"),
        (('no = ["0"]', 'no = ["1"]'), "an answer is both a yes and a no"),
        (('no = ["0"]', 'nein = ["0"]'), "'nein' is not a setting. Settings: column, yes, no, neither"),
        (('no = ["0"]', 'neither = "drop"'), "neither must be one of stop, exclude person, no"),
        (('column = "db"', "column = 3"), "condition 'diabetes' needs column"),
        (('column = "sex"', "column = 3"), "sex needs column"),
        (('values = { 1 = "M", 2 = "F" }', 'values = "M"'), "sex needs column"),
        (('values = { 1 = "M", 2 = "F" }', "values = { 1 = 3 }"), "Choose one of: F, M, other, unknown"),
        (('column = "age"', 'column = "age"\nbands = [18, 24]'), "age.bands must be a table"),
        (('column = "age"', 'column = "age"\nbands = { a = ["x", 3] }'), "1 age bands are not"),
        (('column = "age"', 'column = "age"\nbands = { a = [18, 24], b = [24, 30] }'), "age bands overlap"),
        (('column = "age"', 'column = "age"\nbans = 3'), "'bans' is not a setting.*Did you mean 'bands'"),
        (('name = "Adults"', "name = 3"), "name must be a text"),
        (('name = "Adults"', 'name = "Adults"\npolicy = "nhs"'), "policy='nhs' is not known"),
        ((DIABETES, "[conditions]\n"), "conditions is empty"),
        ((DIABETES, 'conditions = "x"\n'), "'conditions' is not a setting|conditions must be a table"),
        (("\n[sex]", '\n[conditions]\n"Diabetes " = { column = "db", yes = ["1"] }\ndiabetes = { column = "db", yes = ["1"] }\n[sex]'), "cannot declare|not TOML|twice|differ only"),
    ],
)  # fmt: skip
def test_a_mapping_of_the_wrong_shape_says_which_part_must_be_what(
    tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    import re

    assert re.search(told, refused(tmp_path, TABLE, (HEAD + DIABETES).replace(*change, 1)))


def test_all_faults_of_a_mapping_are_named_at_once(tmp_path: Path) -> None:
    mapping = 'name = 3\ndate = "July"\nwho = 1\n[conditions]\na = { column = "db" }\nb = 3\n[sex]\nvalues = 3\n'
    told = refused(tmp_path, TABLE, mapping)
    for words in (
        "name must be",
        "date must be",
        "'who' is not",
        "condition 'a' needs",
        "condition 'b' needs",
        "sex needs",
        "lacks age",
    ):
        assert words in told


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_files_and_mappings_of_windows_are_read(tmp_path: Path, encoding: str) -> None:
    mapping = (HEAD + DIABETES).replace("diabetes", '"Ménière"').replace('["1"]', '["Très"]')
    table = TABLE[:7].with_columns(db=pl.col("db").replace("1", "Très"))
    (tmp_path / "p[1].csv").write_bytes(table.write_csv(separator=";").encode(encoding))
    (tmp_path / "p1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "map.toml").write_bytes(mapping.encode(encoding))
    folder = sr.import_survey(tmp_path / "p[1].csv", tmp_path / "study", config=tmp_path / "map.toml")
    assert sizes(folder) == (7, 4)
    assert sr.read_study(folder).condition_names() == ("Ménière",)


def test_packed_surveys_are_read(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text(HEAD + DIABETES)
    body = TABLE[:7].write_csv().encode("utf-16")
    (tmp_path / "p.csv.gz").write_bytes(gzip.compress(body))
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("p.CSV", body)
        archive.writestr("__MACOSX/p.csv", b"x")
    for name in ("p.csv.gz", "p.zip"):
        assert sizes(sr.import_survey(tmp_path / name, tmp_path / "study", config=tmp_path / "map.toml")) == (7, 4)


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("p.xlsx", b"PK", "it is a workbook. In Excel choose File, Save As"),
        ("p.sav", b"$FL2", "it is a file of a statistics program"),
        ("p.zip", b"x", "cannot be read as ZIP"),
        ("p.csv", b"", "the file is empty"),
        ("p.csv", b"sex,age,db\n1,40\n2,40,1\n", "1 rows have fewer values than its heading"),
        ("p.csv", b"sex,age,db\n1,40,1,1\n2,40,1\n", "1 rows have more values than its heading"),
        ("p.csv", b"sex,age,db,db\n1,40,1,1\n2,40,1,1\n", "has 2 columns 'db': take one out"),
        ("p.csv", b'sex,age,db\n1,40,"1\n2,40,1\n', "cannot be read|fewer values"),
        ("p.csv.gz", gzip.compress(b"sex,age,db\n1,40,1\n" * 99, mtime=0)[:-12], "breaks off or is damaged"),
        ("p.parquet", b"PAR1", "cannot be read as PARQUET"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, body: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(body)
    (tmp_path / "map.toml").write_text(HEAD + DIABETES)
    with pytest.raises(sr.ArgumentError, match=told):
        sr.import_survey(tmp_path / name, tmp_path / "study", config=tmp_path / "map.toml")


def test_a_folder_with_settings_in_another_encoding_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "study.toml").write_bytes("name = 'Café'".encode("cp1252"))
    TABLE.write_csv(tmp_path / "p.csv")
    (tmp_path / "map.toml").write_text(HEAD + DIABETES)
    with pytest.raises(sr.ArgumentError, match="already there"):
        sr.import_survey(tmp_path / "p.csv", tmp_path / "study", config=tmp_path / "map.toml")


def test_words_of_a_mapping_reach_the_study_as_they_are(tmp_path: Path) -> None:
    """Quotation marks, backslashes and brackets are TOML's own; a note of two lines becomes one."""
    name, note = 'Adults "2020" \\ [x] # é', "First line.\nSecond line."
    mapping = HEAD.replace('name = "Adults"', f"name = '{name}'\nnote = '''{note}'''") + DIABETES.replace(
        "diabetes", '"type \\\\ \\"2\\""'
    )
    study = sr.read_study(imported(tmp_path, TABLE[:7], mapping))
    assert (study.name, study.note) == (name, "First line. Second line.")
    assert study.condition_names() == ('type \\ "2"',)
