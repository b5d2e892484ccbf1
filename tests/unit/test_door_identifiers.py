"""Direct identifiers are refused however they are spelt, in columns of the schema and in any other."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.door.personal import personal_heading

sys.path.insert(0, str(Path(__file__).parent))
from small_study import CONDITIONS, PERIOD, PERSONS, seen, study

# 943 476 5919 is the example of the NHS Data Dictionary
SPELT = [
    "9434765919", "943 476 5919", "943-476-5919", "943\u2013476\u20135919", "943.476.5919", " 9434765919 ", "9434765919.0",
    "9434765919.00", "'9434765919", '="9434765919"', "943\u00a0476\u00a05919", "943_476_5919", "943/476/5919",
]  # fmt: skip
NUMBERS = [
    pl.Series("x", [9434765919], dtype=pl.Int64),
    pl.Series("x", [9434765919], dtype=pl.UInt64),
    pl.Series("x", [9434765919], dtype=pl.Int128),
    pl.Series("x", [9434765919.0]),
    pl.Series("x", [Decimal("9434765919")], dtype=pl.Decimal(18, 0)),
    pl.Series("x", [Decimal("9434765919.00")], dtype=pl.Decimal(18, 2)),
    pl.Series("x", ["943 476 5919"], dtype=pl.Categorical),
    pl.Series("x", ["943 476 5919"], dtype=pl.Enum(["943 476 5919", "y"])),
]
TOLD = "passes the NHS number check digit: pseudonymise it"


@pytest.mark.parametrize("column", ["person_id", "area", "some_other"])
@pytest.mark.parametrize("values", [*[pl.Series("x", [text]) for text in SPELT], *NUMBERS], ids=str)
@pytest.mark.parametrize("parquet", [True, False])
def test_an_nhs_number_is_refused(tmp_path: Path, column: str, values: pl.Series, parquet: bool) -> None:
    # the other two people have none
    three = pl.concat([values, values.clear().extend_constant(None, 2)]).rename(column)
    persons = PERSONS.with_columns(three)
    if column == "person_id":
        persons = persons[:1]
    folder = study(tmp_path / "s", persons=persons, conditions=CONDITIONS[:0], activity=None, parquet=parquet)
    assert seen(folder) == {f"persons.{column}: {TOLD}": 1}
    text = sr.check_study(folder).text()
    assert "5919" not in text
    assert ("put a letter before every one of them" in text) == (column != "some_other")


def test_a_prefix_is_the_remedy(tmp_path: Path) -> None:
    ids = [f"P{n}" for n in (9434765919, 9434765870, 4010232137)]
    folder = study(
        tmp_path / "s", persons=PERSONS.with_columns(person_id=pl.Series(ids)), conditions=CONDITIONS[:0], activity=None
    )
    assert seen(folder) == {}


@pytest.mark.parametrize("number", [1, 123456789, 1234567890, 9434765918, 94347659190])
def test_other_numbers_are_no_nhs_numbers(tmp_path: Path, number: int) -> None:
    persons = PERSONS[:1].with_columns(person_id=pl.lit(number), more=pl.lit(f"{number}"))
    assert seen(study(tmp_path / "s", persons=persons, conditions=CONDITIONS[:0], activity=None)) == {}


PERSONAL = [
    "NHS Number", "nhs_number", "NHSNo", "NHS No.", "nhs-number", "Patient NHS Number", "First Name", "FIRSTNAME", "forename",
    "Surname", "Last Name", "Patient_Name", "name", "Full Name", "Middle name", "Maiden Name", "Address",
    "Address Line 1", "Home Address", "Post Code", "postcode", "PostalCode", "Home Post Code", "email", "E-mail address",
    "Telephone", "Home Phone", "Mobile Number", "NI Number", "National Insurance Number",
]  # fmt: skip


@pytest.mark.parametrize("heading", PERSONAL)
@pytest.mark.parametrize("table", ["persons", "conditions"])
def test_a_personal_heading_is_refused(tmp_path: Path, heading: str, table: str) -> None:
    spoilt = {"persons": PERSONS, "conditions": CONDITIONS}[table].with_columns(pl.lit("x").alias(heading))
    found = seen(study(tmp_path / "s", **{table: spoilt}))
    assert found == {
        f"{table}.{heading}: looks like a personal detail. Only pseudonymised data are taken: remove it.": 0
    }


@pytest.mark.parametrize("heading", ["DOB", "Date of Birth", "Patient DOB", "Birth Date 2", "date_of_birth"])
def test_a_second_date_of_birth_is_refused_and_the_only_one_mapped(tmp_path: Path, heading: str) -> None:
    second = PERSONS.with_columns(pl.col("birth_date").alias(heading))
    assert any(
        f"persons.{heading}: looks like a personal detail" in told
        for told in seen(study(tmp_path / "a", persons=second))
    )
    only = PERSONS.rename({"birth_date": heading})
    text = sr.check_study(study(tmp_path / "b", persons=only)).text()
    assert f"Did you mean '{heading}'?" in text or "rename it birth_date" in text
    mapped = PERIOD + f'[columns.persons]\nbirth_date = "{heading}"\n'
    assert seen(study(tmp_path / "c", persons=only, settings=mapped)) == {}


@pytest.mark.parametrize("heading", ["nhs_number_pseudonym", "hashed NHS number", "postcode_sector", "practice", "address_pseudo", "year_of_birth"])  # fmt: skip
def test_a_pseudonym_is_no_personal_detail(heading: str) -> None:
    assert personal_heading(heading) == ""


def test_an_nhs_number_mapped_to_the_identifier_is_refused_by_its_heading(tmp_path: Path) -> None:
    persons = PERSONS.rename({"person_id": "NHS Number"})
    folder = study(tmp_path / "s", persons=persons, settings=PERIOD + '[columns.persons]\nperson_id = "NHS Number"\n')
    assert any("persons.NHS Number: looks like a personal detail" in told for told in seen(folder))


@pytest.mark.parametrize("column", ["area", "some_other"])
@pytest.mark.parametrize("value", ["TA1 1AA", "ba20 1ab", " EC1A1BB ", "M1 1AE", "TA1-1AA"])
def test_a_full_postcode_is_refused_wherever_it_stands(tmp_path: Path, column: str, value: str) -> None:
    persons = PERSONS.with_columns(pl.Series(column, [value, None, "TA1"]))
    assert seen(study(tmp_path / "s", persons=persons)) == {
        f"persons.{column}: looks like a full postcode: remove it": 1
    }


def test_a_practice_may_have_a_name_and_an_address(tmp_path: Path) -> None:
    practices = pl.DataFrame(
        {"practice_id": ["a"], "name": ["Church View"], "address": ["High Street"], "post code": ["TA1 1AA"]}
    )
    assert seen(study(tmp_path / "s", practices=practices)) == {}
