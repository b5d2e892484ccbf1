"""Spark, alone and with workers of its own: the same table as Polars, and no person leaves the cluster."""

from __future__ import annotations

import re

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from symphony_research.collapse import engines, readers, sums

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize("master", ["local[2]", "local-cluster[2,1,1024]"])
def test_spark_gives_what_polars_gives_and_sends_back_sums_alone(people, spark_session, monkeypatch, master):
    spark = spark_session(master)
    wanted = people.patterns()["records"].frame
    asked: list[tuple[str, pl.DataFrame]] = []

    def listened(frame):
        table = engines.collected(frame)
        asked.append((frame.to_native()._jdf.queryExecution().executedPlan().toString(), table))
        return table

    monkeypatch.setattr(readers, "collected", listened)
    monkeypatch.setattr(sums, "collected", listened)
    held = people.held_by(lambda frame: spark.createDataFrame(frame.to_pandas()))
    for found in held.patterns().values():
        assert_frame_equal(found.frame, wanted)
    # conditions, persons, faults of persons, patterns; faults of the wide frame, patterns; patterns
    n_patterns = wanted.height
    assert [table.height for _, table in asked] == [70, 1, 1, n_patterns, 1, n_patterns, n_patterns]
    for plan, _ in (asked[3], asked[5], asked[6]):
        # a plan is read from the bottom: people are added up within each worker, those sums travel, and are added up
        above, below = plan.split("Exchange hashpartitioning", 1)
        beneath = below.split("\n")[1]
        assert "HashAggregate" in above
        assert "partial_sum" not in above
        assert "HashAggregate" in beneath
        assert "partial_sum" in beneath
    # and rows of records are made distinct within each worker before they travel
    assert re.search(r"Exchange hashpartitioning\(__person#\d+, __condition#\d+.*\n.*HashAggregate", asked[3][0])


def test_faults_and_edges_in_spark(spark_session, refuse, check_edges):
    spark = spark_session("local[2]")
    types = {pl.Int64: "long", pl.Float64: "double", pl.String: "string", pl.Boolean: "boolean"}

    def door(frame):
        schema = ", ".join(f"{name} {types[kind.base_type()]}" for name, kind in frame.schema.items())
        return spark.createDataFrame(frame.rows(), schema)

    # the same code answers for every kind of fault: every third is enough where each takes a second
    refuse(door, slice(None, None, 3))
    check_edges(door)
