"""`symphony check` finds every fault at once, counts rows and prints no value of any row."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.checks import is_nhs_number

SECRET = "Zebedee"


def write_study(folder: Path, **tables: pl.DataFrame) -> Path:
    """Write a small study that has nothing wrong with it, but for the tables given."""
    good = {
        "persons": pl.DataFrame(
            {
                "person_id": [1, 2, 3, 4],
                "sex": ["F", "M", "F", "other"],
                "birth_date": ["1950-02-01", "1960-03-01", "1970-04", "1980-05-01"],
                "death_date": [None, "2014-06-01", None, None],
                "deprivation_decile": [1, 10, None, 5],
            }
        ),
        "conditions": pl.DataFrame(
            {
                "person_id": [1, 1, 2],
                "condition": ["asthma", "stroke", "asthma"],
                "onset_date": ["2001-01-01", None, "2012-01-01"],
            }
        ),
        "activity": pl.DataFrame(
            {
                "person_id": [1, 2, 3],
                "date": ["2012-05-01", "2013-01-01", "2013-02-01"],
                "setting": ["inpatient", "primary_care", "outpatient"],
                "end_date": ["2012-05-04", None, None],
                "cost": [1200.5, 30.0, 90.0],
            }
        ),
    }
    folder.mkdir()
    for name, table in {**good, **tables}.items():
        table.write_csv(folder / f"{name}.csv")
    (folder / "study.toml").write_text(
        'name = "Small"\nconditions = ["asthma", "stroke"]\n[period]\nstart = 2011-04-01\nend = 2015-03-31\n'
    )
    return folder


def test_a_good_study_has_no_finding(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study")
    findings = sr.check_study(folder)
    assert findings.text().startswith("Small: no fault found."), findings.text()
    study = sr.read_study(folder)
    assert study.persons.collect().schema["birth_date"] == pl.Date
    # month precision is enough
    assert date(1970, 4, 1) in study.persons.collect()["birth_date"].to_list()
    assert study.activity.select(pl.col("cost").sum()).collect().item() == 1320.5


def test_ten_faults_are_named_each_with_table_column_and_rows(tmp_path: Path) -> None:
    folder = write_study(
        tmp_path / "study",
        persons=pl.DataFrame(
            {
                # 9434765919 passes the check digit (NHS Digital's published example); 1 comes twice
                "person_id": ["1", "1", "2", "3", "9434765919", "5"],
                "sex": ["F", "F", SECRET, "M", None, SECRET],
                "birth_date": ["1950-02-01", "1950-02-01", SECRET, "1970-04-01", "1970-04-01", "2031-01-01"],
                "death_date": [None, None, None, "1960-01-01", None, None],
                "deprivation_decile": ["1", "1", "11", "0", "2", None],
                "area": ["TA1", "TA1", "BA20 1AB", None, None, None],
                "surname": [SECRET] * 6,
            }
        ),
        conditions=pl.DataFrame({"person_id": ["1", "9", "9"], "condition": ["asthma", "stroke", SECRET], "onset_date": [None] * 3}),
        activity=pl.DataFrame(
            {
                "person_id": ["1", "2", "3"],
                "date": ["2012-05-01", "2019-01-01", "2013-02-01"],
                "setting": ["inpatient", SECRET, "outpatient"],
                "end_date": ["2012-05-01", None, "2013-01-31"],
                "cost": ["-12", SECRET, "90"],
            }
        ),
    )  # fmt: skip
    findings = sr.check_study(folder)
    seen = {(f.table, f.column, f.rows, f.message.split(":")[0].split(",")[0].split(".")[0]) for f in findings.faults}
    # counted by eye from the tables above
    expected = {
        ("persons", "person_id", 1, "the same person_id comes more than once"),
        ("persons", "person_id", 1, "passes the NHS number check digit"),
        ("persons", "sex", 2, "is none of F"),
        ("persons", "sex", 1, "is empty"),
        ("persons", "birth_date", 1, "cannot be read as a date (YYYY-MM-DD)"),
        ("persons", "birth_date", 1, "is after the study's last day"),
        ("persons", "death_date", 1, "is before birth_date"),
        ("persons", "deprivation_decile", 1, "is over 10"),
        ("persons", "deprivation_decile", 1, "is under 1"),
        ("persons", "area", 1, "looks like a full postcode"),
        ("persons", "surname", 0, "looks like a personal detail"),
        ("conditions", "person_id", 2, "is not in persons"),
        ("conditions", "condition", 1, "is not among the 2 conditions of study"),
        ("activity", "date", 1, "is outside the study"),
        ("activity", "setting", 1, "is none of primary_care"),
        ("activity", "end_date", 1, "is before date"),
        ("activity", "cost", 1, "is under 0"),
        ("activity", "cost", 1, "cannot be read as a number"),
        ("activity", "date", 1, "is after the person's death"),
    }
    # the person who died in 1960 was seen in 2013: one more fault that follows from another
    assert seen == expected
    text = findings.text()
    for value in (SECRET, "9434765919", "BA20", "1960", "2031", "-12"):
        assert value not in text
    with pytest.raises(sr.SchemaError) as error:
        sr.read_study(folder)
    assert str(error.value) == text.split("\nActivity")[0]


def test_a_missing_column_says_what_there_is_and_what_to_do(tmp_path: Path) -> None:
    folder = write_study(
        tmp_path / "study",
        persons=pl.DataFrame({"person_id": [1, 2, 3], "gender": ["F", "M", "F"], "birth_date": ["1950-01-01"] * 3}),
    )
    text = sr.check_study(folder).text()
    assert "persons.sex: the column is missing. Columns: person_id, gender, birth_date. Did you mean 'gender'?" in text
    (folder / "study.toml").write_text(
        '[period]\nstart = 2011-04-01\nend = 2015-03-31\n[columns.persons]\nsex = "gender"\n'
    )
    assert sr.check_study(folder).ok
    assert sr.read_study(folder).persons.collect()["sex"].to_list() == ["F", "M", "F"]


def test_a_missing_table_and_a_wrong_setting_are_findings(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study")
    (folder / "conditions.csv").unlink()
    (folder / "study.toml").write_text('nmae = "x"\n[period]\nstart = 2011-04-01\nend = 2015-03-31\n')
    text = sr.check_study(folder).text()
    assert "conditions: the table is missing. The folder holds: activity.csv, persons.csv, study.toml." in text
    assert "Did you mean 'name'?" in text


def test_there_is_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(sr.ArgumentError, match="no study folder"):
        sr.read_study(tmp_path / "nowhere")


def test_a_file_that_is_not_parquet_is_a_finding(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study")
    (folder / "enrolments.parquet").write_bytes(b"not parquet")
    assert "enrolments: cannot be read as PARQUET." in sr.check_study(folder).text()


def test_parquet_and_csv_and_parts_are_read_alike(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study")
    persons = pl.read_csv(folder / "persons.csv", infer_schema=False)
    (folder / "persons.csv").unlink()
    (folder / "persons").mkdir()
    for part in range(2):
        persons[2 * part : 2 * part + 2].write_parquet(folder / "persons" / f"part-{part}.parquet")
    assert sr.read_study(folder).persons.collect().height == 4


def test_an_empty_key_is_empty_and_not_a_repeat(tmp_path: Path) -> None:
    persons = pl.DataFrame(
        {"person_id": ["1", None, None, None], "sex": ["F"] * 4, "birth_date": ["1950-02-01"] * 4},
    )
    gone = pl.DataFrame({"person_id": ["1", "1"], "condition": [None, None], "onset_date": ["2012-01-01"] * 2})
    folder = write_study(tmp_path / "study", persons=persons, conditions=gone)
    seen = {(f.table, f.column, f.rows, f.message) for f in sr.check_study(folder).faults}
    assert ("persons", "person_id", 3, "is empty") in seen
    assert ("conditions", "condition", 2, "is empty") in seen
    assert not [row for row in seen if "more than once" in row[3]]


def test_months_are_told_whatever_else_is_found(tmp_path: Path) -> None:
    # Ten rows in each of the study's months, two in its last, and one fault.
    months = [date(2011 + (k + 3) // 12, (k + 3) % 12 + 1, 5) for k in range(48)]
    days = [month for month in months[:-1] for _ in range(10)] + [months[-1]] * 2
    activity = pl.DataFrame({"person_id": ["1"] * len(days), "date": days, "setting": "outpatient", "cost": 1.0})
    activity = activity.with_columns(cost=pl.when(pl.int_range(pl.len()) == 0).then(-1.0).otherwise(pl.col("cost")))
    folder = write_study(tmp_path / "study", activity=activity)
    found = sr.check_study(folder)
    assert not found.ok
    assert "March 2015 holds 20% of the median month" in found.text()


def test_the_nhs_number_check() -> None:
    # 943 476 5919: the example in the NHS Data Dictionary; 9434765918 fails its check digit
    # by hand: 9*10+4*9+3*8+4*7+7*6+6*5+5*4+9*3+1*2 = 299; 299 mod 11 = 2; 11 - 2 = 9, the last digit
    numbers = pl.DataFrame({"n": ["9434765919", "943 476 5919", "9434765918", "123", "P123456789", None]})
    assert numbers.select(is_nhs_number(pl.col("n")))["n"].to_list() == [True, True, False, False, False, None]


def test_only_the_generators_own_study_counts_as_generated(tmp_path: Path) -> None:
    folder = sr.synthesise(tmp_path / "study", people=300, progress=False)
    assert sr.read_study(folder).generated
    part = next((folder / "persons").glob("*.parquet"))
    table = pl.read_parquet(part)
    table.with_columns(pl.lit("F").alias("sex").cast(table.schema["sex"])).write_parquet(part)
    changed = sr.read_study(folder)
    assert not changed.generated
    count = sr.multimorbidity.condition_count(sr.define_cohort(changed).patterns())
    with pytest.raises(sr.DisclosureError, match="generated data alone"):
        sr.suppress(count, sr.Policy.synthetic())


PERIOD = "[period]\nstart = 2011-04-01\nend = 2015-03-31\n"


def test_the_studys_own_threshold_is_kept_and_a_weaker_one_refused(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study")
    (folder / "study.toml").write_text(PERIOD + '[disclosure]\npolicy = "nhs_england"\nthreshold = 20\nrounding = 10\n')
    study = sr.read_study(folder)
    assert (study.policy.threshold, study.policy.rounding) == (20, 10)
    assert study.disclosure_policy("nhs_england") == study.policy
    (folder / "study.toml").write_text(PERIOD + "[disclosure]\nthreshold = 3\n")
    assert "never weaker" in sr.check_study(folder).text()
    (folder / "study.toml").write_text(PERIOD + '[disclosure]\npolcy = "sacro"\n')
    assert "disclosure.polcy: is not a setting" in sr.check_study(folder).text()


@pytest.mark.parametrize(
    "line", ['columns = "x"', 'disclosure = "sacro"', 'conditions = "asthma"', "age_bands = []", "age_bands = [65, 18]", "name = 3"]
)  # fmt: skip
def test_a_setting_of_the_wrong_shape_is_a_finding(tmp_path: Path, line: str) -> None:
    folder = write_study(tmp_path / "study")
    (folder / "study.toml").write_text(f"{line}\n{PERIOD}")
    assert f"study.toml.{line.split(' ')[0]}: must be " in sr.check_study(folder).text()


def test_notepads_mark_before_the_first_letter_is_read_over(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study")
    (folder / "study.toml").write_bytes(b"\xef\xbb\xbf" + (folder / "study.toml").read_bytes())
    assert sr.check_study(folder).ok


@pytest.mark.parametrize("text", ["1,F\n2,M,1960-01-01,x,y\n", '1,"F,1950-01-01\n', "1,F\xe9,1950-01-01\n"])
def test_a_file_that_breaks_off_is_a_finding(tmp_path: Path, text: str) -> None:
    folder = write_study(tmp_path / "study")
    (folder / "persons.csv").write_bytes(("person_id,sex,birth_date\n" + text).encode("latin-1"))
    said = sr.check_study(folder).text()
    assert "persons" in said
    assert "finding" in said


def test_a_table_without_a_heading_is_not_repeated(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study")
    (folder / "persons.csv").write_text(f"9000000123,M,1950-03-02,{SECRET}\n9000000124,F,1951-03-02,{SECRET}\n")
    said = sr.check_study(folder).text()
    assert "persons: has none of its columns: perhaps the first row is not a heading" in said
    assert SECRET not in said
    assert "1950" not in said


def test_empty_months_are_told(tmp_path: Path) -> None:
    dates = [
        f"{year}-{month:02d}-10" for year in (2012, 2013, 2014) for month in range(1, 13) if (year, month) != (2013, 3)
    ]
    table = pl.DataFrame(
        {
            "person_id": [1] * len(dates),
            "date": dates,
            "setting": ["outpatient"] * len(dates),
            "cost": [1.0] * len(dates),
        }
    )
    folder = write_study(tmp_path / "study", activity=table)
    assert "March 2013 holds 0% of the median month" in sr.check_study(folder).text()
