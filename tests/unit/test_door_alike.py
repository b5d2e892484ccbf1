"""One thing is not counted as two: blanks are trimmed, and names that are nearly equal and rows that come twice are counted."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

import symphony_research as sr

sys.path.insert(0, str(Path(__file__).parent))
from small_study import ACTIVITY, PERIOD, seen, study

DIFFER = "differs from another name only in capitals, spaces or punctuation"


def conditions(*names: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"person_id": [1 + k % 3 for k in range(len(names))], "condition": names, "onset_date": [None] * len(names)}
    )


@pytest.mark.parametrize("parquet", [True, False])
@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0"])
def test_blanks_round_a_name_are_trimmed(tmp_path: Path, parquet: bool, blank: str) -> None:
    spoilt = conditions("asthma", f"asthma{blank}", f"{blank}asthma")
    folder = study(tmp_path / "s", conditions=spoilt, parquet=parquet)
    assert seen(folder) == {}
    assert sr.read_study(folder).condition_names() == ("asthma",)
    assert sr.multimorbidity.prevalence(sr.define_cohort(sr.read_study(folder)).patterns()).estimates[
        "n_persons"
    ].to_list() == [3]


def test_a_condition_that_comes_twice_for_its_blanks_alone_is_a_repeat(tmp_path: Path) -> None:
    twice = pl.DataFrame({"person_id": [1, 1], "condition": ["asthma", "asthma "], "onset_date": [None, None]})
    assert seen(study(tmp_path / "s", conditions=twice)) == {
        "conditions.: the same person_id and condition comes more than once": 1
    }


@pytest.mark.parametrize("other", ["Asthma", "ASTHMA", "chronic asthma", "chronic  asthma", "Chronic-Asthma"])
def test_names_that_are_nearly_equal_are_counted_and_not_shown(tmp_path: Path, other: str) -> None:
    usual = "chronic_asthma" if "hronic" in other else "asthma"
    folder = study(tmp_path / "s", conditions=conditions(usual, other, usual))
    assert seen(folder) == {f"conditions.condition: {DIFFER}": 1}
    assert other not in sr.check_study(folder).text()
    mapped = PERIOD + f'[values.conditions.condition]\n"{other}" = "{usual}"\n'
    assert seen(study(tmp_path / "t", conditions=conditions(usual, other, usual), settings=mapped)) == {}


def test_the_studys_own_list_says_how_a_name_is_written(tmp_path: Path) -> None:
    spoilt = conditions("Asthma", "Asthma", "asthma")
    found = seen(study(tmp_path / "s", conditions=spoilt, settings='conditions = ["asthma"]\n' + PERIOD))
    assert found == {
        f"conditions.condition: {DIFFER}": 2,
        "conditions.condition: is not among the 1 conditions of study.toml": 2,
    }


def test_a_list_that_names_a_condition_twice_is_a_fault(tmp_path: Path) -> None:
    folder = study(tmp_path / "s", settings='conditions = ["asthma", "stroke", "Asthma"]\n' + PERIOD)
    assert "study.toml.conditions: lists a condition twice" in sr.check_study(folder).text()


def test_names_are_compared_between_tables(tmp_path: Path) -> None:
    enrolments = pl.DataFrame(
        {"person_id": [1, 2], "programme": ["a", "a"], "hub": ["North", "North "], "start_date": [date(2012, 1, 1)] * 2}
    )
    practices = pl.DataFrame({"practice_id": ["p", "q"], "hub": ["north", "West"]})
    folder = study(tmp_path / "s", enrolments=enrolments, practices=practices)
    assert seen(folder) == {f"practices.hub: {DIFFER}": 1}


def test_a_table_that_was_loaded_twice_is_a_fault(tmp_path: Path) -> None:
    twice = pl.concat([ACTIVITY, ACTIVITY])
    folder = study(tmp_path / "s", activity=twice)
    assert seen(folder) == {"activity.: the same row comes more than once": 3}
    with pytest.raises(sr.SchemaError, match="Perhaps the table was loaded twice"):
        sr.read_study(folder)
    (folder / "study.toml").write_text('repeated_rows = ["activity"]\n' + PERIOD)
    assert seen(folder) == {}
    assert (
        "activity: 3 rows (50.0%) are the same as another in every column, and are kept."
        in sr.check_study(folder).text()
    )


def test_a_few_repeats_are_told_and_kept(tmp_path: Path) -> None:
    days = pl.DataFrame(
        {
            "person_id": [1] * 19,
            "date": [date(2012, 1, d) for d in range(1, 20)],
            "setting": ["outpatient"] * 19,
            "cost": [1.0] * 19,
        }
    )
    folder = study(tmp_path / "s", activity=pl.concat([days, days[:1]]))
    assert seen(folder) == {}
    assert "activity: 1 rows (5.0%) are the same as another" in sr.check_study(folder).text()
    assert sr.read_study(folder).activity.collect().height == 20


def test_the_same_part_twice_is_a_fault(tmp_path: Path) -> None:
    folder = study(tmp_path / "s", activity=None)
    (folder / "activity").mkdir()
    for k in range(9):
        ACTIVITY.with_columns(cost=pl.col("cost") + k).write_parquet(folder / "activity" / f"{k}.parquet")
    assert seen(folder) == {}
    (folder / "activity" / "3 (1).parquet").write_bytes((folder / "activity" / "3.parquet").read_bytes())
    assert seen(folder) == {"activity.: the same file is there twice: 3 (1).parquet and 3.parquet": 0}


@pytest.mark.parametrize(("body", "told"), [
    ("1,2012-05-01,inpatient\n2,2013-01-01,outpatient,3\n", "has rows with fewer values than its heading"),
    ("1,2012-05-01,inpatient,3,4\n2,2013-01-01,outpatient,3\n", "has rows with more values than its heading"),
    ('1,2012-05-01,"inpatient"\n2,2013-01-01,"outpatient",3\n', "has rows with fewer values than its heading"),
    ('1,2012-05-01,inpatient,3,"a\nb"\n2,2013-01-01,outpatient,3\n', "has rows with more values than its heading"),
])  # fmt: skip
def test_uneven_rows_are_counted(tmp_path: Path, body: str, told: str) -> None:
    folder = study(tmp_path / "s", activity=None)
    (folder / "activity.csv").write_text("person_id,date,setting,cost\n" + body)
    assert seen(folder)[f"activity.: {told}"] == 1


def test_a_quoted_value_over_lines_is_one_value(tmp_path: Path) -> None:
    folder = study(tmp_path / "s", activity=None)
    (folder / "activity.csv").write_text(
        'person_id,date,setting,cost,provider\n1,2012-05-01,inpatient,3,"a,\nb"\n2,2012-05-02,inpatient,3,"c"\n'
    )
    assert seen(folder) == {}
    assert sr.read_study(folder).activity.collect()["provider"].to_list() == ["a,\nb", "c"]
