"""Curves of people with several rows: variance by person by hand, against derivatives, and where independence is assumed a refusal."""

from __future__ import annotations

from datetime import date
from math import sqrt

import numpy as np
import polars as pl
import pytest
from five_people import on, study
from followed_rows import incidence, survival

import symphony_research as sr
from symphony_research.errors import ArgumentError, DisclosureError

S = sr.survival
NAMED = {"time": "time", "event": "event"}


def test_two_people_with_two_rows_each_by_hand():
    # at risk 4, one event at 1: S = 3/4. A row at risk moves S by -(had it - 1/4) / (4 - 1) x 3/4: the one with it by -3/16, the
    # others by 1/16. Person a has the event and another row: -2/16; person b two others: 2/16. Variance 2 x (1/8)^2 = 1/32
    rows = pl.DataFrame({"id": [*"aabb"], "time": [1, 5, 6, 7], "event": [1, 0, 0, 0]})
    found = S.kaplan_meier(rows, cluster="id", **NAMED)
    assert found.estimates["standard_error"][0] == pytest.approx(sqrt(1 / 32), rel=1e-14)
    # independent rows: Greenwood, 9/16 x 1 / (4 x 3) = 3/64
    assert S.kaplan_meier(rows, **NAMED).estimates["standard_error"][0] == pytest.approx(sqrt(3 / 64), rel=1e-14)
    assert "variance by id" in found.settings["method"]
    # the incidence of the one event moves as much the other way
    (first,) = S.cumulative_incidence(rows, cluster="id", **NAMED).estimates.head(1).to_dicts()
    assert (first["estimate"], first["standard_error"]) == (0.25, pytest.approx(sqrt(1 / 32), rel=1e-14))


def drawn(seed: int, n: int = 60, people: int = 25) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, 4, n)
    frame = {"id": rng.integers(0, people, n), "entry": entry, "time": entry + rng.integers(1, 9, n), "event": rng.integers(0, 3, n)}  # fmt: skip
    return pl.DataFrame({**frame, "arm": rng.choice(["a", "b"], n)})


@pytest.mark.parametrize("late", [False, True], ids=["from the start", "late entry"])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_sum_over_people_of_squared_derivatives(seed, late):
    # authority: the naive estimates of `followed_rows` with every row of one person weighed a little more and less
    rows = drawn(seed)
    rows = rows if late else rows.with_columns(entry=0)
    asked = {**NAMED, "entry": "entry"} if late else NAMED
    one = rows.with_columns(event=(pl.col("event") > 0).cast(pl.Int64))
    curves = {
        0: S.kaplan_meier(one, cluster="id", **asked).estimates,
        **{
            cause: S.cumulative_incidence(rows, cluster="id", **asked).estimates.filter(pl.col("cause") == cause)
            for cause in (1, 2)
        },
    }
    step, ids = 1e-5, rows["id"].to_numpy()
    for cause, curve in curves.items():
        for at, estimate, error in curve.select("time", "estimate", "standard_error").iter_rows():
            naive = incidence if cause else survival
            if not cause and estimate < 1e-9:
                assert error is None
                continue
            squares = 0.0
            for person in np.unique(ids):
                ends = [naive(rows, 1 + sign * step * (ids == person), at, cause) for sign in (1, -1)]
                squares += ((ends[0] - ends[1]) / (2 * step)) ** 2
            assert error == pytest.approx(sqrt(squares), rel=1e-4, abs=1e-7), (cause, at)


def test_one_row_each_is_the_usual_variance():
    # authority: the infinitesimal jackknife of independent rows without late entry is Greenwood's
    rows = drawn(9, n=200).with_row_index("own")
    for made in (S.kaplan_meier, S.cumulative_incidence):
        people = rows.with_columns(event=(pl.col("event") > 0).cast(pl.Int64)) if made is S.kaplan_meier else rows
        usual, ours = (made(people, by="arm", **NAMED, **more).estimates for more in ({}, {"cluster": "own"}))
        ours, usual = (frame["standard_error"].fill_null(-1).to_list() for frame in (ours, usual))
        assert ours == pytest.approx(usual, rel=1e-10)


# -- of a cohort with several index dates -------------------------------------------------------------------------

GIVEN = pl.DataFrame(
    [(1, on(0), "case"), (1, on(20), "control"), (2, on(0), "control"), (4, on(0), "control"), (4, on(25), "control")],
    schema={"person_id": pl.Int64, "index_date": pl.Date, "label": pl.String},
    orient="row",
)
# as test_index_dates draws them: when each of those index dates has a first emergency admission (1) or death before it (2)
ROWS = pl.DataFrame(
    {"id": [1, 1, 2, 4, 4], "time": [10.0, 20.0, 5.0, 30.0, 5.0], "event": [1, 1, 1, 2, 2], "label": ["case", *["control"] * 4]}
)  # fmt: skip


def test_a_cohort_of_several_index_dates_has_the_variance_of_its_people():
    table = sr.define_cohort(study(), index=GIVEN).follow_up(event="emergency_admission", by="label")
    for by in ((), "label"):
        ours = S.cumulative_incidence(table, by=by)
        theirs = S.cumulative_incidence(ROWS, by=by, cluster="id", **NAMED)
        columns = ["time", "estimate", "standard_error"]
        ours_rows = ours.estimates.filter(pl.col("n_events") > 0).select(columns).rows()
        assert ours_rows == [pytest.approx(row, rel=1e-12) for row in theirs.estimates.filter(pl.col("n_events") > 0).select(columns).rows()]  # fmt: skip
        assert "variance by person" in ours.settings["method"]
    own = S.cumulative_incidence(table.filter(label="control")).estimates
    whole = S.cumulative_incidence(table, by="label").estimates.filter(pl.col("label") == "control").drop("label")
    assert own.equals(whole)


def test_the_patterns_hold_people_counted_and_no_ids():
    whole = sr.example_study()
    days = (date(2011, 9, 1), date(2012, 3, 15), date(2013, 1, 1))
    people = whole.persons.select("person_id").collect()
    every = pl.concat([people.with_columns(pl.lit(day).alias("index_date")) for day in days])
    table = sr.define_cohort(whole, index=every).follow_up(event="emergency_admission", by="sex")
    held = table.people
    assert "person_id" not in held.columns
    assert held.group_by("__pattern").agg(pl.col("__people").n_unique())["__people"].max() == 1
    assert held.group_by("__pattern").agg(pl.col("__people").first())["__people"].sum() == table.attrition.estimates["n_persons"][-1]  # fmt: skip
    assert held.select((pl.col("__rows") * pl.col("__people")).sum()).item() == table.to_frame()["n_index_dates"].sum()
    # the same people on three days close together are three times as many rows, and hardly more information
    near = pl.concat([people.with_columns(pl.lit(date(2012, 3, day)).alias("index_date")) for day in (1, 2, 3)])
    once = sr.define_cohort(whole, index=date(2012, 3, 1)).follow_up(event="death", until=date(2014, 3, 1))
    thrice = sr.define_cohort(whole, index=near).follow_up(event="death", until=date(2014, 3, 1))
    one, three = (S.kaplan_meier(frame).estimates["standard_error"][-1] for frame in (once, thrice))
    assert three == pytest.approx(one, rel=0.02)


def test_what_assumes_independent_rows_refuses_them():
    dates = sr.define_cohort(study(), index=GIVEN).follow_up(event="emergency_admission", by="label")
    discharges = sr.define_cohort(sr.example_study()).follow_up(event="readmission", by="sex")
    for table, by in ((dates, "label"), (discharges, "sex")):
        given = {"time": "time", "event": "event", "weights": table.weights}
        for call in (
            lambda t=table, b=by: S.logrank_test(t, by=b),
            lambda t=table, b=by: S.gray_test(t, by=b),
            lambda t=table: S.nelson_aalen(t),
            lambda t=table: S.restricted_mean_survival_time(t, horizon=30),
            lambda t=table: S.landmark(t, at=2),
            lambda t=table, b=by, g=given: S.cox_regression(t, covariates=b, cause=1, **g),
        ):
            with pytest.raises(ArgumentError, match=r"not independent, which is assumed here.*kaplan_meier"):
                call()
    # of discharges the curve has its variance by person
    assert "variance by person" in S.cumulative_incidence(discharges).settings["method"]


def test_it_is_not_released_and_faults_are_counted():
    rows = pl.DataFrame({"id": [1, 1, None], "time": [1, 2, 3], "event": [1, 0, 1], "n": [1, 1, 1]})
    with pytest.raises(ArgumentError, match="1 rows have no value in column 'id'"):
        S.kaplan_meier(rows, cluster="id", **NAMED)
    with pytest.raises(ArgumentError, match="with cluster each row is of one"):
        S.kaplan_meier(rows.fill_null(2), cluster="id", weights="n", **NAMED)
    curve = S.kaplan_meier(rows.fill_null(2), cluster="id", time_unit="days", **NAMED)
    with pytest.raises(DisclosureError, match="one person may have several"):
        sr.suppress(curve, sr.Policy.nhs_england())
    table = sr.define_cohort(study(), index=GIVEN).follow_up(event="emergency_admission")
    with pytest.raises(ArgumentError, match="leave weights out"):
        S.cumulative_incidence(table, weights="n_persons")
