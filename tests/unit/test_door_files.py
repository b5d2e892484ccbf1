"""Which files are read, how, and what is said of every other one."""

from __future__ import annotations

import gzip
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.synthetic import fingerprint

sys.path.insert(0, str(Path(__file__).parent))
from small_study import ACTIVITY, CONDITIONS, PERIOD, PERSONS, seen, study

CSV = PERSONS.with_columns(area=pl.lit("Café")).write_csv()
BODIES = {
    "comma": CSV,
    "semicolon": CSV.replace(",", ";"),
    "tab": CSV.replace(",", "\t"),
    "bar": CSV.replace(",", "|"),
    "windows lines": CSV.replace("\n", "\r\n"),
    "old macintosh lines": CSV.replace("\n", "\r"),
    "excel's word": "sep=;\n" + CSV.replace(",", ";"),
    "blank lines": "\n" + CSV + "\n,,,\n\n",
    "quotes": '"person_id","sex","birth_date","area"\n' + CSV.partition("\n")[2].replace("Café", '"Café"'),
    "no last line end": CSV.rstrip("\n"),
}
ENCODINGS = {
    "utf-8": lambda text: text.encode(),
    "utf-8 with a mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16, big end": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "utf-16 without a mark": lambda text: text.encode("utf-16-le"),
    "windows-1252": lambda text: text.encode("cp1252"),
    "gzip": lambda text: gzip.compress(text.encode()),
    "gzip, windows-1252": lambda text: gzip.compress(text.encode("cp1252")),
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_delimited_text_is_read_as_it_comes(tmp_path: Path, body: str, encoding: str) -> None:
    folder = study(tmp_path / "s", persons=None)
    (folder / "persons.csv").write_bytes(ENCODINGS[encoding](BODIES[body]))
    assert seen(folder) == {}
    people = sr.read_study(folder).persons.collect()
    assert people.select("person_id", "sex", "area").rows() == [
        ("1", "F", "Café"),
        ("2", "M", "Café"),
        ("3", "F", "Café"),
    ]
    told = "persons.csv is not UTF-8 and is read as Windows-1252" in sr.check_study(folder).text()
    assert told == ("1252" in encoding)


@pytest.mark.parametrize("name", ["persons.csv", "Persons.CSV", "PERSONS.Csv", "persons.txt", "persons.tsv", "persons.csv.gz", "Persons.TXT.GZ", "persons/x.CSV", "Persons/x.csv.gz"])  # fmt: skip
def test_a_file_is_found_whatever_its_capitals_and_suffix(tmp_path: Path, name: str) -> None:
    folder = study(tmp_path / "s", persons=None)
    (folder / name).parent.mkdir(exist_ok=True)
    body = CSV.encode()
    (folder / name).write_bytes(gzip.compress(body) if name.lower().endswith("gz") else body)
    assert seen(folder) == {}
    assert sr.read_study(folder).persons.collect().height == 3


REFUSED = [
    ("persons.xlsx", "is not read: it is a workbook. In Excel choose File, Save As"),
    ("persons.zip", "is not read: it is packed. Unpack it"),
    ("persons.parquet.gz", "is not read: it is packed. Unpack it"),
    ("persons.sav", "is not read: it is a file of a statistics program"),
    ("persons", "is not read: its kind is not known. Save it as persons.csv"),
    ("persons (1).csv", "is not read, as it is not named as a table. Did you mean 'persons.csv'?"),
    ("Copy of persons.csv", "is not read, as it is not named as a table. Did you mean 'persons.csv'?"),
    ("person.csv", "is not read, as it is not named as a table. Did you mean 'persons.csv'?"),
    ("persnos.parquet", "is not read, as it is not named as a table. Did you mean 'persons.parquet'?"),
    ("dbo.persons.csv", "is not read, as it is not named as a table. Did you mean 'persons.csv'?"),
]


@pytest.mark.parametrize(("name", "told"), REFUSED)
def test_a_file_that_is_not_read_is_named_and_its_table_not_called_missing(
    tmp_path: Path, name: str, told: str
) -> None:
    folder = study(tmp_path / "s", persons=None)
    (folder / name).write_text(CSV)
    text = sr.check_study(folder).text()
    assert f"persons: {name} {told}" in text
    assert "missing" not in text


@pytest.mark.parametrize("name", ["enrolment.csv", "outcome.parquet", "Practice Programmes.csv", "activity (1).csv", "activity_2.csv", "registrations.xlsx"])  # fmt: skip
def test_a_table_that_would_be_left_out_is_a_fault(tmp_path: Path, name: str) -> None:
    folder = study(tmp_path / "s")
    (folder / name).write_text("person_id\n1\n")
    assert any(f"{name} is not read" in fault for fault in seen(folder))


@pytest.mark.parametrize(
    "name", ["README.md", "notes.docx", "lookup.csv", "data dictionary.xlsx", "activity.xlsx", "queries.sql"]
)
def test_a_file_that_is_no_table_is_named_and_no_fault(tmp_path: Path, name: str) -> None:
    folder = study(tmp_path / "s")
    (folder / name).write_text("x")
    (folder / "~$activity.xlsx").write_text("x")
    (folder / "Thumbs.db").write_text("x")
    findings = sr.check_study(folder)
    assert findings.ok, findings.text()
    assert f"Not read: {name}." in findings.text()


@pytest.mark.parametrize("inside", ["more/part.parquet", "year=2012/part.parquet", "part.xlsx", "part.csv"])
def test_what_lies_in_a_tables_folder_and_is_not_read_is_a_fault(tmp_path: Path, inside: str) -> None:
    folder = study(tmp_path / "s", persons=None)
    (folder / "persons" / inside).parent.mkdir(parents=True)
    PERSONS.write_parquet(folder / "persons" / "a.parquet")
    PERSONS.write_parquet(folder / "persons" / inside)
    assert any(fault.startswith("persons.: ") for fault in seen(folder))
    (folder / "persons" / inside).unlink()


DIFFER = [
    (PERSONS.drop("sex"), "persons.sex: the column is missing in b.parquet"),
    (PERSONS.cast({"birth_date": pl.String}), "persons.birth_date: holds dates in a.parquet and text in b.parquet"),
    (PERSONS.cast({"person_id": pl.String}), "persons.person_id: holds integers in a.parquet and text in b.parquet"),
    (PERSONS.drop("area_of_old", strict=False).with_columns(area=pl.lit("E1")), "persons.area: the column is in b.parquet and not in a.parquet"),
]  # fmt: skip


@pytest.mark.parametrize(("other", "told"), DIFFER)
def test_parts_that_differ_name_the_part_and_the_column(tmp_path: Path, other: pl.DataFrame, told: str) -> None:
    folder = study(tmp_path / "s", persons=None, conditions=CONDITIONS[:0], activity=None)
    (folder / "persons").mkdir()
    PERSONS.write_parquet(folder / "persons" / "a.parquet")
    other.with_columns(person_id=pl.col("person_id").cast(pl.Int64) + 10).cast(
        {"person_id": other.schema["person_id"]}
    ).write_parquet(folder / "persons" / "b.parquet")
    assert told in sr.check_study(folder).text()


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_parts_that_differ_harmlessly_are_read_as_one(tmp_path: Path, suffix: str) -> None:
    """Other order of columns, narrower integers, an empty column without a type, and more columns that are not used."""
    folder = study(tmp_path / "s", persons=None)
    (folder / "persons").mkdir()
    parts = [
        PERSONS[:1].with_columns(death_date=pl.lit(None)),
        PERSONS[1:2].select("birth_date", "sex", "person_id").with_columns(death_date=pl.date(2014, 1, 1)),
        PERSONS[2:]
        .cast({"person_id": pl.Int16})
        .with_columns(death_date=pl.lit(None, dtype=pl.Date), more=pl.lit("x")),
    ]
    for k, part in enumerate(parts):
        if suffix == "csv":
            part.write_csv(folder / "persons" / f"{k}.csv", separator=",;\t"[k])
        else:
            part.write_parquet(folder / "persons" / f"{k}.parquet")
    assert seen(folder) == {}
    people = sr.read_study(folder).persons.sort("person_id").collect()
    assert [str(k) for k in people["person_id"]] == ["1", "2", "3"]
    assert people["sex"].to_list() == ["F", "M", "F"]
    assert people["birth_date"].to_list() == PERSONS["birth_date"].to_list()


@pytest.mark.parametrize("headings", [["Person ID", "SEX", "Birth Date"], ["personId", " Sex ", "BIRTH-DATE"]])
@pytest.mark.parametrize("parquet", [True, False])
def test_headings_in_other_capitals_or_with_spaces_are_matched(
    tmp_path: Path, headings: list[str], parquet: bool
) -> None:
    renamed = PERSONS.rename(dict(zip(PERSONS.columns, headings, strict=True)))
    folder = study(tmp_path / "s", persons=renamed, parquet=parquet)
    assert seen(folder) == {}
    assert sr.read_study(folder).persons.collect()["sex"].to_list() == ["F", "M", "F"]


def test_columns_that_are_not_used_are_named(tmp_path: Path) -> None:
    folder = study(tmp_path / "s", persons=PERSONS.with_columns(ethnicity=pl.lit("a"), smoker=pl.lit([1, 2])))
    assert "persons: columns that are not used: ethnicity, smoker." in sr.check_study(folder).text()


def test_the_same_heading_twice_is_a_fault(tmp_path: Path) -> None:
    folder = study(tmp_path / "s", activity=None)
    (folder / "activity.csv").write_text("person_id,date,setting,cost,cost\n1,2012-05-01,inpatient,3,4\n")
    assert seen(folder) == {"activity.cost: the column comes 2 times: 'cost', 'cost'": 0}
    (folder / "activity.csv").write_text("person_id,date,setting,cost,Cost\n1,2012-05-01,inpatient,3,4\n")
    assert seen(folder) == {"activity.cost: the column comes 2 times: 'cost', 'Cost'": 0}
    (folder / "study.toml").write_text(PERIOD + '[columns.activity]\ncost = "Cost"\n')
    assert seen(folder) == {}
    assert sr.read_study(folder).activity.collect()["cost"].to_list() == [4.0]


VALUES = (
    PERIOD
    + '[values.persons.sex]\n1 = "M"\n2 = "F"\nMale = "M"\nFemale = "F"\n[values.activity.setting]\nIP = "inpatient"\n'
)


@pytest.mark.parametrize(
    "sex", [["2", "1", "2"], [2, 1, 2], [2.0, 1.0, 2.0], ["Female", "Male ", " Female"], ["F", "M", "F"]]
)
@pytest.mark.parametrize("parquet", [True, False])
def test_values_are_mapped_by_the_settings(tmp_path: Path, sex: list[object], parquet: bool) -> None:
    folder = study(
        tmp_path / "s",
        settings=VALUES,
        parquet=parquet,
        persons=PERSONS.with_columns(pl.Series("sex", sex)),
        activity=ACTIVITY.with_columns(setting=pl.lit("IP")),
    )
    if isinstance(sex[0], float) and not parquet:  # text of a CSV file is taken as it stands
        assert seen(folder) == {"persons.sex: is none of F, M, other, unknown": 3}
        return
    assert seen(folder) == {}
    assert sr.read_study(folder).persons.collect()["sex"].to_list() == ["F", "M", "F"]
    assert sr.read_study(folder).activity.collect()["setting"].to_list() == ["inpatient"] * 3


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('[values.person.sex]\n1 = "M"', "values.person: is not a table"),
        ('[values.persons.gender]\n1 = "M"', "values.persons.gender: is not a column"),
        ('[values.persons.sex]\n1 = "man"', "values.persons.sex: maps to a value that is none of F, M, other, unknown"),
        ('[values.persons.birth_date]\n1 = "2"', "values.persons.birth_date: holds no text"),
        ("[values.persons.sex]\n1 = 2", "study.toml.values: must be tables"),
        ("[columns.persons]\nsex = 2", "study.toml.columns: must be tables"),
    ],
)
def test_a_mapping_of_the_wrong_shape_says_what_it_must_be(tmp_path: Path, line: str, told: str) -> None:
    assert told in sr.check_study(study(tmp_path / "s", settings=PERIOD + line + "\n")).text()


def test_a_word_outside_the_list_comes_with_the_way_on(tmp_path: Path) -> None:
    folder = study(tmp_path / "s", persons=PERSONS.with_columns(sex=pl.lit("Male")))
    assert (
        "is none of F, M, other, unknown (3 rows). Map other words in study.toml under [values.persons.sex]."
        in sr.check_study(folder).text()
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_settings_are_read_in_the_encodings_of_windows(tmp_path: Path, encoding: str) -> None:
    folder = study(tmp_path / "s")
    (folder / "study.toml").write_bytes(('name = "Café"\r\n' + PERIOD).encode(encoding))
    assert sr.read_study(folder).name == "Café"


@pytest.mark.parametrize("name", ["study.toml.txt", "Study.TOML"])
def test_settings_under_another_name_are_not_passed_over(tmp_path: Path, name: str) -> None:
    folder = study(tmp_path / "s")
    (folder / "study.toml").rename(folder / name)
    assert seen(folder) == {
        f"study.toml.: {name} is not read: its name must be study.toml, in small letters and with nothing behind it.": 0
    }


@pytest.mark.parametrize("name", ["persons.parquet", "persons.csv", "Persons.PARQUET"])
def test_a_folder_named_as_spark_names_it_is_read(tmp_path: Path, name: str) -> None:
    folder = study(tmp_path / "s", persons=None)
    (folder / name).mkdir()
    (folder / name / "_SUCCESS").touch()
    for k in range(5):  # Spark leaves empty parts, all the same
        PERSONS[k : k + 1].write_parquet(folder / name / f"part-{k}.snappy.parquet")
    assert seen(folder) == {}
    assert sr.read_study(folder).persons.collect().height == 3


def test_a_file_that_is_not_there_any_more_is_a_finding(tmp_path: Path) -> None:
    folder = study(tmp_path / "s", persons=None)
    (folder / "persons.csv").symlink_to(tmp_path / "nowhere")
    assert seen(folder) == {"persons.: cannot be read as CSV.": 0}


def test_a_table_without_people_is_a_finding(tmp_path: Path) -> None:
    folder = study(tmp_path / "s", persons=PERSONS[:0], conditions=CONDITIONS[:0], activity=None)
    assert seen(folder) == {"persons.: the table has no row.": 0}


def test_a_table_the_generators_fingerprint_does_not_cover_makes_the_study_confidential(tmp_path: Path) -> None:
    folder = sr.synthesise(tmp_path / "s", people=60, progress=False)
    mark = fingerprint(folder)
    outcomes = pl.read_parquet(sorted((folder / "outcomes").glob("*.parquet")), glob=False)
    shutil.rmtree(folder / "outcomes")
    settings = folder / "study.toml"
    settings.write_text(settings.read_text().replace(mark, fingerprint(folder)))
    assert sr.read_study(folder).generated
    (folder / "Outcomes.csv.gz").write_bytes(gzip.compress(outcomes.write_csv().encode()))
    assert sr.read_study(folder).has("outcomes")
    assert not sr.read_study(folder).generated
