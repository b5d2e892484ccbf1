"""Frames of any engine at the library's door: what is missing, what has an order, and what no other engine knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import symphony_research as sr

BASE: dict[str, list[bool]] = {"a": [True, False] * 20, "b": [True, True, False, False] * 10}
LEVELS = ["low", "mid", "high"]
NAN = float("nan")


def prevalence(frame: Any, by: str = "g") -> sr.Result:
    return sr.multimorbidity.prevalence(sr.Patterns.from_wide(frame, conditions=["a", "b"], by=by))


def levels(frame: Any, by: str = "g") -> list[Any]:
    return prevalence(frame, by).estimates[by].unique(maintain_order=True).to_list()


def of_duckdb(frame: pl.DataFrame) -> Any:
    return duckdb.from_arrow(frame.to_arrow())


ENGINES: dict[str, Callable[[pl.DataFrame], Any]] = {
    "polars": lambda frame: frame,
    "lazy": lambda frame: frame.lazy(),
    "pandas": lambda frame: pd.DataFrame(frame.to_dict(as_series=False)),
    "arrow": lambda frame: frame.to_arrow(),
    "duckdb": of_duckdb,
}
every_engine = pytest.mark.parametrize("engine", ENGINES)


@every_engine
def test_an_id_that_is_no_number_is_no_person(engine: str) -> None:
    make = ENGINES[engine]
    records = make(pl.DataFrame({"person_id": [1.0, NAN, NAN], "condition": ["a", "b", "a"]}))
    with pytest.raises(sr.ArgumentError, match="2 rows without a person"):
        sr.Patterns.from_long(records)
    some = make(pl.DataFrame({"person_id": [1.0], "condition": ["a"]}))
    with pytest.raises(sr.ArgumentError, match="persons has 1 rows without a person"):
        sr.Patterns.from_long(some, persons=make(pl.DataFrame({"person_id": [1.0, NAN]})))


@pytest.mark.parametrize("engine", ["polars", "pandas", "arrow"])
def test_an_onset_of_nobody_is_refused(engine: str) -> None:
    make = ENGINES[engine]
    persons = make(pl.DataFrame({"person_id": [1.0, 2.0], "sex": ["F", "M"], "birth_year": [1950, 1950]}))
    records = make(
        pl.DataFrame({"person_id": [1.0, NAN], "condition": ["a", "a"], "onset_date": ["2012-05", "2012-06"]})
    )
    with pytest.raises(sr.ArgumentError, match="1 rows without a person"):
        sr.networks.sequences(records, persons=persons)


@every_engine
def test_a_stratum_that_is_no_number_is_a_gap_with_one_name(engine: str) -> None:
    frame = ENGINES[engine](pl.DataFrame({**BASE, "g": [1.0, NAN, 2.0, NAN] * 10}))
    found = prevalence(frame)
    assert found.estimates["g"].unique(maintain_order=True).to_list() == [1.0, 2.0, None]
    assert "not recorded" in sr.table(found).html
    curve = sr.survival.kaplan_meier(
        ENGINES[engine](pl.DataFrame({"t": [1, 2] * 20, "e": [1, 0] * 20, "g": [1.0, NAN, 2.0, NAN] * 10})),
        time="t", event="e", by="g",
    )  # fmt: skip
    assert "of g not recorded" in curve.sentence()
    assert any(text.get_text() == "g not recorded" for text in sr.plot(curve).texts)


def test_levels_keep_their_order() -> None:
    words = ["low", "high", "mid", "low"] * 10
    ordered = pd.Categorical(words, categories=LEVELS, ordered=True)
    assert levels(pd.DataFrame({**BASE, "g": ordered})) == LEVELS
    assert levels(pl.DataFrame({**BASE, "g": words}).with_columns(pl.col("g").cast(pl.Enum(LEVELS)))) == LEVELS
    # without an order of their own, that of the alphabet
    assert levels(pd.DataFrame({**BASE, "g": pd.Categorical(words, categories=LEVELS)})) == sorted(LEVELS)


def test_bins_and_periods_become_their_text() -> None:
    bins = pd.cut(np.arange(40), [-1, 9, 100])
    assert levels(pd.DataFrame({**BASE, "g": bins})) == ["(-1, 9]", "(9, 100]"]
    months = pd.period_range("2012-01", periods=4, freq="M").tolist() * 10
    assert levels(pd.DataFrame({**BASE, "g": months})) == ["2012-01", "2012-02", "2012-03", "2012-04"]


def test_sparse_columns_and_names_that_are_numbers_are_read() -> None:
    assert levels(pd.DataFrame({**BASE, "g": pd.arrays.SparseArray([0, 1] * 20)})) == [0, 1]
    wide = pd.DataFrame({0: [True] * 4, 1: [False] * 4})
    assert sr.Patterns.from_wide(wide, conditions=["0", "1"]).to_frame().rows() == [(["0"], 4)]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (lambda: pd.DataFrame({**BASE, "g": pd.Series(["x", 1] * 20, dtype=object)}), "'g' of frame holds values of several"),
        (lambda: pd.DataFrame(np.ones((4, 4), bool), columns=["a", "a", "b", "g"]), "more than one column called 'a'"),
        (lambda: pl.DataFrame({**BASE, "g": [[1]] * 40}), "'g' is List"),
        (lambda: pd.DataFrame(BASE), "no column 'g'. Columns: a, b"),
        (lambda: pl.DataFrame(BASE).to_arrow(), "no column 'g'. Columns: a, b"),
        (lambda: of_duckdb(pl.DataFrame(BASE)), "no column 'g'. Columns: a, b"),
    ],
    ids=["mixed", "twice", "lists", "pandas", "arrow", "duckdb"],
)  # fmt: skip
def test_a_fault_names_the_column_and_what_there_is(frame: Callable[[], Any], said: str) -> None:
    with pytest.raises(sr.ArgumentError, match=said):
        prevalence(frame())


def test_an_interval_of_another_engine_is_no_number() -> None:
    times = duckdb.sql("select interval 3 day as t, 1 as e")
    with pytest.raises(sr.ArgumentError, match="'t' is"):
        sr.survival.kaplan_meier(times, time="t", event="e")


@every_engine
def test_a_name_may_hold_a_comma(engine: str) -> None:
    frame = ENGINES[engine](pl.DataFrame({**BASE, "Age, years": ["x", "y"] * 20}))
    assert levels(frame, "Age, years") == ["x", "y"]


def test_sites_are_merged_by_label_or_refused() -> None:
    def site(kind: Any, words: list[Any]) -> sr.Patterns:
        frame = pl.DataFrame({**BASE, "g": words * 20}).with_columns(pl.col("g").cast(kind))
        return sr.Patterns.from_wide(frame, conditions=["a", "b"], by="g")

    one, other = site(pl.Enum(["low", "mid"]), ["low", "mid"]), site(pl.Enum(["low", "high"]), ["high", "low"])
    merged = sr.Patterns.merge(one, other)
    found = sr.multimorbidity.prevalence(merged).estimates.filter(pl.col("condition") == "a")
    # each site has 20 with a, all of one level: of the first "low", of the second "high"
    assert found.select("g", "n_persons").rows() == [("low", 20), ("mid", 0), ("high", 20)]
    text = sr.Patterns.merge(one, site(pl.String, ["mid", "low"]))
    assert text.n_persons == 80
    with pytest.raises(sr.ArgumentError, match=r"'g' is Enum.*Int64 at another"):
        sr.Patterns.merge(one, site(pl.Int64, [1, 2]))
