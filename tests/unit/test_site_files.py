"""Files of patterns that sites give to one another."""

from __future__ import annotations

import json

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research.collapse import site
from symphony_research.errors import ArgumentError, DisclosureError, SchemaError
from symphony_research.result.mode import report_mode

NHS = sr.Policy.nhs_england()
# asthma alone 12 people, asthma and stroke 8, gout alone 7, nothing 33; a cost of ten pounds each
SETS = [((1, 0, 0), 12), ((1, 0, 1), 8), ((0, 1, 0), 7), ((0, 0, 0), 33)]
PEOPLE = pl.DataFrame(
    [row for row, n in SETS for _ in range(n)], schema=["asthma", "gout", "stroke"], orient="row"
).with_columns(cost=pl.lit(10.0), sex=pl.lit("F").cast(pl.Enum(["M", "F"])))
PATTERNS = sr.Patterns.from_wide(PEOPLE, conditions=["asthma", "gout", "stroke"], by="sex", values="cost")


def test_an_internal_file_holds_every_set_and_says_what_it_is(tmp_path):
    PATTERNS.write(tmp_path / "south.parquet", internal=True)
    there = sr.Patterns.read(tmp_path / "south.parquet")
    assert_frame_equal(there.frame, PATTERNS.frame)
    assert there.handling == ("internal",)
    assert "internal" in repr(there)
    # one file, and nothing left beside it
    assert [p.name for p in tmp_path.iterdir()] == ["south.parquet"]
    # whoever meets the file without this library reads it there too
    said = json.loads(pl.read_parquet_metadata(tmp_path / "south.parquet")["symphony_research.patterns"])
    assert said["handling"] == ["internal"]


def test_what_is_merged_with_an_internal_file_carries_its_mark_and_is_disclosed_as_any_result(tmp_path):
    PATTERNS.write(tmp_path / "south.parquet", internal=True)
    both = sr.Patterns.merge(PATTERNS, sr.Patterns.read(tmp_path / "south.parquet"))
    assert both.handling == ("internal",)
    result = sr.multimorbidity.prevalence(both)
    assert result.settings["handling"] == ["internal"]
    assert result.disclosure is None
    assert sr.suppress(result, NHS).estimates["n_persons"].to_list() == [40, 15, 15]
    with report_mode():
        with pytest.raises(DisclosureError):
            both.to_frame()
        with pytest.raises(DisclosureError):
            both.write(tmp_path / "again.parquet", internal=True)
        with pytest.raises(DisclosureError):
            assert result.estimates


def test_a_suppressed_file_holds_no_small_set_no_total_no_value_and_no_condition_it_does_not_show(tmp_path):
    PATTERNS.write(tmp_path / "south.parquet", policy=NHS)
    there = sr.Patterns.read(tmp_path / "south.parquet")
    # by hand: 12 to the nearest five is 10, 8 is 10, 33 is 35; the seven with gout are not there, nor is gout
    assert there.to_frame().sort("n_persons", "combination").rows() == [
        (["asthma"], "F", 10),
        (["asthma", "stroke"], "F", 10),
        ([], "F", 35),
    ]
    assert there.conditions == ("asthma", "stroke")
    assert there.values == ()
    content = (tmp_path / "south.parquet").read_bytes()
    assert b"gout" not in content
    assert b"cost" not in content
    result = sr.multimorbidity.condition_count(there)
    assert result.settings["handling"] == [f"suppressed under {NHS.title}"]
    assert "people whose set of conditions too few share are missing" in result.settings["note"]
    merged = sr.Patterns.merge(there, sr.Patterns.from_wide(PEOPLE, conditions=["gout"], by="sex"))
    assert merged.handling == there.handling


def test_a_suppressed_file_is_not_suppressed_anew_and_hides_something(tmp_path):
    PATTERNS.write(tmp_path / "south.parquet", policy=NHS)
    there = sr.Patterns.read(tmp_path / "south.parquet")
    with pytest.raises(DisclosureError, match="come from a suppressed file"):
        there.write(tmp_path / "again.parquet", policy=sr.Policy.sacro())
    with pytest.raises(DisclosureError, match="suppresses nothing"):
        PATTERNS.write(tmp_path / "again.parquet", policy=sr.Policy.synthetic())
    for asked in ({}, {"internal": True, "policy": NHS}):
        with pytest.raises(ArgumentError, match="Say which file it is"):
            PATTERNS.write(tmp_path / "again.parquet", **asked)
    with pytest.raises(ArgumentError, match="There is no folder"):
        PATTERNS.write(tmp_path / "nowhere" / "again.parquet", internal=True)
    assert [p.name for p in tmp_path.iterdir()] == ["south.parquet"]


def test_a_file_cannot_vouch_that_its_people_are_invented(tmp_path):
    made = sr.define_cohort(sr.example_study()).patterns()
    assert made.provenance.generated
    made.write(tmp_path / "made.parquet", internal=True)
    there = sr.Patterns.read(tmp_path / "made.parquet")
    assert there.provenance.fingerprint == made.provenance.fingerprint
    with pytest.raises(DisclosureError, match="suppresses nothing and is for generated data alone"):
        sr.suppress(sr.multimorbidity.prevalence(there), sr.Policy.synthetic())


def test_files_that_are_not_as_they_should_be_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "south.parquet"
    with pytest.raises(ArgumentError, match="There is no file"):
        sr.Patterns.read(path)
    path.write_text("person_id\n1\n", encoding="utf-8")
    with pytest.raises(SchemaError, match=r"south.parquet is not a file of patterns"):
        sr.Patterns.read(path)
    PEOPLE.write_parquet(path)
    with pytest.raises(SchemaError, match="is not a file of patterns"):
        sr.Patterns.read(path)
    # the mark taken off, the counts changed, or a byte lost on the way: in any case it is not as it was written
    PATTERNS.write(path, internal=True)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"handling": ["internal"]', b'"handling": [          ]'))
    with pytest.raises(SchemaError, match="is not as it was written"):
        sr.Patterns.read(path)
    path.write_bytes(whole[:40] + bytes([whole[40] ^ 1]) + whole[41:])
    with pytest.raises(SchemaError, match="is not as it was written"):
        sr.Patterns.read(path)
    monkeypatch.setattr(site, "FORMAT", 2)
    PATTERNS.write(path, internal=True)
    monkeypatch.setattr(site, "FORMAT", 1)
    with pytest.raises(SchemaError, match="of format 2 and this version of the library reads up to 1"):
        sr.Patterns.read(path)
