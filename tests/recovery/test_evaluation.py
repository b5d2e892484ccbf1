"""Forty replicates of the simulated evaluation, and the studies it is made of: `tests/proof/evaluation.py` runs a thousand."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

sys.path.insert(0, str(Path(__file__).parents[1] / "proof"))

from evaluation import COLUMNS, THREADS, replicates, required, run, still_wanted, summary, wanted_of
from evaluation_estimators import ESTIMATORS, PRIMARY
from evaluation_worlds import EFFECTS, STRENGTHS, World, effects_of

from symphony_research.synthetic import generate_tables

pytestmark = pytest.mark.slow

REPLICATES = 40
BIAS, COVERAGE = 0.06, 0.85


# Seen to fail: the covariates left out of score and regression but for those of the last 30 days (bias 0.14).
def test_the_primary_estimator_finds_no_effect_where_none_is(monkeypatch):
    for name in THREADS:  # replicates sets them; they are set back after the test
        monkeypatch.setenv(name, "1")
    wanted = [(seed, {"as now": {"0": {PRIMARY}}}) for seed in range(REPLICATES)]
    rows = [row for part in replicates(wanted, jobs=2) for row in part]
    found = summary(pl.DataFrame(rows, schema=COLUMNS, orient="row")).row(0, named=True)
    assert found["n"] == REPLICATES
    assert abs(found["bias"]) <= BIAS
    assert found["coverage"] >= COVERAGE


@pytest.mark.parametrize(("strength", "effect"), [("as now", "-10%"), ("doubled", "+5%")])
def test_studies_in_memory_are_those_of_the_public_generator(strength, effect):
    """Of everybody who was ever eligible, each table is the one that `generate_tables` makes."""
    one = STRENGTHS[strength]
    made = generate_tables(one.people, seed=7, effects=effects_of(EFFECTS[effect]), selection=one.selection)
    study = World(7).study(strength, effect)
    ids = study.persons.collect()["person_id"]
    for name in ("persons", "registrations", "conditions", "activity", "enrolments"):
        ours = study.tables[name].collect()
        theirs = made[name].filter(pl.col("person_id").is_in(ids.implode())).select(ours.columns)
        theirs = theirs.with_columns(pl.col(k).cast(kind) for k, kind in ours.schema.items())
        order = [k for k in ours.columns if k != "cost"]
        assert_frame_equal(ours.sort(order), theirs.sort(order))
    # and nobody else was enrolled
    assert study.enrolments.collect().height == made["enrolments"].height


def test_true_effects_change_nothing_before_enrolling():
    """The worlds of a seed differ in emergency admissions after enrolling alone."""
    world = World(3)
    none, fewer, more = (world.study("as now", effect) for effect in EFFECTS)
    since = none.enrolments.select("person_id", pl.col("start_date").alias("since"))
    counts = []
    for study in (none, fewer, more):
        assert study.enrolments.collect().equals(none.enrolments.collect())
        rows = study.activity.join(since, on="person_id", how="left").collect()
        after = (pl.col("date") > pl.col("since")).fill_null(False)
        counts.append((rows.filter(~after).height, rows.filter(after & (pl.col("kind") == "emergency")).height))
    assert counts[0][0] == counts[1][0] == counts[2][0]
    assert counts[1][1] < counts[0][1] < counts[2][1]


def test_a_run_that_was_cut_goes_on_where_it_ended(tmp_path):
    wanted = wanted_of(0, primary=1, effects=0, others=0)
    assert wanted == {s: {"0": {PRIMARY}} for s in STRENGTHS}
    assert set(wanted_of(5, 10, 3, 8)["as now"]) == set(EFFECTS)
    assert wanted_of(5, 10, 3, 8)["as now"]["+5%"] == set(ESTIMATORS)
    assert still_wanted(wanted, {("0", "0", PRIMARY)}) == {s: {"0": {PRIMARY}} for s in ("as now", "doubled")}
    path = tmp_path / "rows.parquet"
    rows = run(path, 1, 0, 0, 1)
    whole = path.read_bytes()
    rows[:-1].write_parquet(path)  # the last strength is not there yet
    assert_frame_equal(run(path, 1, 0, 0, 1), rows)
    assert path.read_bytes() == whole
    assert_frame_equal(run(path, 1, 0, 0, 1), rows, check_row_order=False)


def test_limits_are_met_or_not_as_by_hand():
    rows = pl.DataFrame(
        [("as now", "0", k, PRIMARY, 0.0, x, 1.0, 280, 0.2) for k, x in enumerate([-1.0, 1.0, 3.0])], schema=COLUMNS, orient="row"
    )  # fmt: skip
    row = summary(rows).row(0, named=True)
    # mean 1, standard deviation 2: its error 2 over the root of 3; 3 is beyond 1.96 errors of 1
    assert (row["bias"], row["empirical"], row["model"]) == (1.0, 2.0, 1.0)
    assert row["bias_mc"] == pytest.approx(2 / 3**0.5)
    assert row["coverage"] == row["power"] * 2 == pytest.approx(2 / 3)
    assert row["coverage_mc"] == pytest.approx((2 / 9 / 3) ** 0.5)
    assert [met for _, met in required(row)] == [False, False, False]
    assert required(row)[2][0] == "-50.0%"
