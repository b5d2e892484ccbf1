"""Collapsed tables: they know their columns and their people, add up over sites, and are shown in no report."""

from __future__ import annotations

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.collapse import Collapsed, as_lazy
from symphony_research.result import Provenance
from symphony_research.result.mode import report_mode

# time  event  sex  people
# 10    1      F    2
# 10    0      M    3
# 20    1      M    1
ROWS = pl.DataFrame({"time": [10.0, 10.0, 20.0], "event": [1, 0, 1], "sex": ["F", "M", "M"], "n_persons": [2, 3, 1]})
SOURCE = Provenance("One site", "abc", False, {"index": "2012-04-01", "event": "death", "time_unit": "days"})


def table(rows: pl.DataFrame = ROWS, provenance: Provenance = SOURCE, **changed: object) -> Collapsed:
    named = {"time": "time", "event": "event", "weights": "n_persons", **changed}
    return Collapsed(rows, provenance, ("sex",), **named)  # type: ignore[arg-type]


def test_an_estimator_needs_no_words() -> None:
    # six people: at 10 two have the event, 6 at risk; at 20 the last one of one
    curve = sr.survival.kaplan_meier(table())
    assert curve.estimates["estimate"].to_list() == pytest.approx([1 - 2 / 6, 0.0])
    assert curve.settings["population"]["event"] == "death"
    assert (curve.settings["time"], curve.settings["weights"], curve.settings["entry"]) == ("time", "n_persons", None)
    named = sr.survival.kaplan_meier(ROWS, time="time", event="event", weights="n_persons")
    assert named.estimates.equals(curve.estimates)
    assert sr.survival.cumulative_incidence(table(), by="sex").estimates.height == 3
    assert sr.survival.logrank_test(table(), by="sex").estimates["degrees_of_freedom"].item() == 1


def test_a_plain_frame_needs_them() -> None:
    with pytest.raises(sr.ArgumentError, match="Name the columns with time= and event="):
        sr.survival.kaplan_meier(ROWS)
    with pytest.raises(sr.ArgumentError, match="Name the columns with event="):
        sr.survival.logrank_test(ROWS, time="time", by="sex")


def test_filtered_people_are_a_narrower_population() -> None:
    women = table().filter(sex="F")
    assert women.provenance.population["sex"] == "F"
    assert women.to_frame().rows() == [(10.0, 1, "F", 2)]
    both = table().filter(sex=["F", "M"])
    assert both.provenance.population["strata"] == {"sex": ["F", "M"]}
    with pytest.raises(sr.ArgumentError, match="'event' is no stratum"):
        table().filter(event=1)
    with pytest.raises(sr.ArgumentError, match="sex has no value 'X'"):
        table().filter(sex="X")


def test_grouping_adds_up_and_keeps_the_source() -> None:
    rows = pl.concat([ROWS, ROWS.with_columns(pl.lit(1, dtype=pl.Int64).alias("event"), pl.lit("F").alias("sex"))])
    everybody = table(rows).group()
    # time 10: event 0: 3; event 1: 2 + 2 + 3; time 20: 1 + 1
    assert everybody.to_frame().rows() == [(10.0, 0, 3), (10.0, 1, 7), (20.0, 1, 2)]
    assert everybody.provenance == SOURCE
    assert everybody.by == ()
    with pytest.raises(sr.ArgumentError, match="age_band is no stratum"):
        table().group("age_band")


def test_sites_add_up() -> None:
    other = table(ROWS.head(1), Provenance("Two", "def", False, {**SOURCE.population, "hub": "North"}))
    both = table().add(other)
    assert both.to_frame().rows() == [(10.0, 1, "F", 4), (10.0, 0, "M", 3), (20.0, 1, "M", 1)]
    assert both.provenance.study == "One site and Two"
    assert both.provenance.population == SOURCE.population  # what only one of them says is not true of both
    assert both.provenance.fingerprint not in (None, "abc", "def")
    assert both.equals(table().add(other))
    pooled = pl.concat([ROWS, ROWS.head(1)])
    assert sr.survival.kaplan_meier(both).estimates.equals(
        sr.survival.kaplan_meier(pooled, time="time", event="event", weights="n_persons").estimates
    )
    with pytest.raises(sr.ArgumentError, match="Sites differ in event: 'death' and 'admission'"):
        table().add(table(provenance=Provenance(population={**SOURCE.population, "event": "admission"})))
    with pytest.raises(sr.ArgumentError, match="Sites differ: strata"):
        table().add(table().group())


def test_people_of_several_rows_are_not_added_up() -> None:
    with pytest.raises(sr.ArgumentError, match="cannot be grouped"):
        table(cluster="person").group()
    changing = table(distinct_by=("sex",))
    with pytest.raises(sr.ArgumentError, match=r"Pass by=\['sex'\]"):
        sr.survival.kaplan_meier(changing)
    assert sr.survival.kaplan_meier(changing, by="sex").estimates.height == 3


def test_the_plain_frame_is_of_a_population_unknown() -> None:
    plain = table().to_frame()
    assert type(plain) is pl.DataFrame
    curve = sr.survival.kaplan_meier(plain, time="time", event="event", weights="n_persons")
    assert curve.settings["study"] is None
    assert as_lazy(table(), columns=["time"]).collect().equals(ROWS)


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(sr.ArgumentError, match="days"):
        table(time="days")


def test_in_a_report_it_is_not_shown() -> None:
    assert "confidential" in repr(table())
    with report_mode():
        for look in (repr, str, lambda t: t._repr_html_(), len, lambda t: t.height):
            with pytest.raises(sr.DisclosureError):
                look(table())


def test_a_curve_of_discharges_is_not_released() -> None:
    cohort = sr.define_cohort(sr.example_study())
    every = sr.survival.cumulative_incidence(cohort.follow_up(event="readmission"))
    with pytest.raises(sr.DisclosureError, match="unit='person'"):
        sr.suppress(every, sr.Policy.nhs_england())
    people = cohort.follow_up(event="readmission", unit="person")
    released = sr.suppress(sr.survival.cumulative_incidence(people), sr.Policy.nhs_england())
    assert released.disclosure is not None
