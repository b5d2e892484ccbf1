"""Interrupted time series: people and events by month by hand and by a naive reading, the fit, edges, and what is released."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from test_match_controls import on, study_of, twelve

import symphony_research as sr
from symphony_research.cohort.monthly import monthly_counts, whole_months
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.autoregressive import autoregressive_errors
from symphony_research.evaluation.interrupted_tables import drawn_lines, series_tables
from symphony_research.evaluation.segmented import errors_of, errors_of_difference, fitted_series, segments

c = pl.col
NHS = sr.Policy.nhs_england()


@pytest.fixture(scope="module")
def study():
    return sr.example_study(12_000)


def by_month(frame: pl.DataFrame, month: str) -> tuple:
    return frame.filter(c("month") == month).select("n_persons", "n_with_event", "n_events").row(0)


def test_people_and_events_of_a_month_by_hand():
    # of the twelve of test_match_controls 8 dies on 31 May and 9 leaves on 1 June 2015 (day 0), so that 12, 11 and 10 are registered on
    # the first of May, June and July. 1 and 4 are admitted on 29 May, 4 on 1 June, 3 on 11 and on 21 June
    found = monthly_counts(twelve(), "emergency_admission")
    assert by_month(found, "2015-05") == (12, 2, 2)
    assert by_month(found, "2015-06") == (11, 2, 3)
    assert by_month(found, "2015-07") == (10, 0, 0)
    assert found.filter(c("month") == "2016-02")["days"].item() == 29
    of_b = monthly_counts(twelve(), "emergency_admission", ["B"])
    assert by_month(of_b, "2015-06") == (2, 0, 0)
    assert by_month(monthly_counts(twelve(), "death"), "2015-05") == (12, 1, 1)


def test_of_two_registrations_that_overlap_somebody_is_with_the_later():
    spells = twelve().registrations.collect()
    # 1 registers with B on 10 June without leaving A; on 1 June she is with A, on 1 July with B alone
    other = spells.head(1).with_columns(practice_id=pl.lit("B"), start_date=pl.lit(on(9)))
    moved = twelve(registrations=pl.concat([spells, other]))
    counts = {name: monthly_counts(moved, "emergency_admission", [name]) for name in "AB"}
    assert [by_month(counts["A"], m)[0] for m in ("2015-06", "2015-07")] == [9, 7]
    assert [by_month(counts["B"], m)[0] for m in ("2015-06", "2015-07")] == [2, 3]
    whole = monthly_counts(moved, "emergency_admission")
    assert (counts["A"]["n_persons"] + counts["B"]["n_persons"]).equals(whole["n_persons"])


def test_only_months_that_the_study_holds_altogether():
    assert whole_months(date(2012, 1, 2), date(2012, 3, 30)) == [(date(2012, 2, 1), date(2012, 2, 29))]
    assert len(whole_months(date(2011, 4, 1), date(2018, 3, 31))) == 84


@pytest.mark.parametrize("event", ["outpatient", "death"])
def test_counts_are_those_of_a_naive_reading(event):
    study = sr.example_study(3_000)
    found = monthly_counts(study, event, ["GP01", "GP07"])
    died = dict(study.persons.select("person_id", "death_date").collect().iter_rows())
    spells = study.registrations.filter(c("practice_id").is_in(["GP01", "GP07"])).collect()
    every = study.registrations.collect()
    happened = (
        study.activity.filter(c("setting") == "outpatient").select("person_id", c("date")).unique().collect()
        if event == "outpatient"
        else study.persons.filter(c("death_date").is_not_null()).select("person_id", date="death_date").collect()
    )
    for first, days in found.sample(6, seed=1).select("first_day", "days").iter_rows():
        there = {
            p
            for p, start, end in spells.select("person_id", "start_date", "end_date").iter_rows()
            if start <= first and (end is None or end >= first) and (died[p] is None or died[p] >= first)
        }
        later = (
            every.filter((c("start_date") <= first) & c("person_id").is_in(there))
            .sort("start_date")
            .group_by("person_id")
            .last()
        )
        there &= set(later.filter(c("practice_id").is_in(["GP01", "GP07"]))["person_id"])
        own = happened.filter(
            c("date").is_between(first, first + timedelta(days=days - 1)) & c("person_id").is_in(there)
        )
        row = found.filter(c("first_day") == first).row(0, named=True)
        assert (row["n_persons"], row["n_with_event"], row["n_events"]) == (
            len(there),
            own["person_id"].n_unique(),
            own.height,
        )
    assert found["n_events"].sum() > 0


def counts_of(rate: np.ndarray, start: date = date(2012, 1, 1)) -> pl.DataFrame:
    """Months of 30 days with 1,000 people and events of these rates a person."""
    months = [date(start.year + k // 12, k % 12 + 1, 1) for k in range(len(rate))]
    n = np.round(1_000 * rate).astype(int)
    return pl.DataFrame({"month": [f"{m:%Y-%m}" for m in months], "first_day": months, "days": 30, "n_persons": 1_000,
                         "n_with_event": n, "n_events": n})  # fmt: skip


def tables_of(series: dict, **asked):
    return series_tables(
        series, date(2014, 1, 1), **{"harmonics": 0, "errors": "autoregressive", "lags": 2, "what": "events", **asked}
    )[0]


def test_planted_changes_are_found():
    time = (np.arange(48) - 24) / 12
    # a rate that rises by 10% a year, falls by a fifth in January 2014, and rises by a further 5% a year
    rate = 0.5 * 1.1**time * np.where(time >= 0, 0.8 * 1.05**time, 1.0)
    control = 0.3 * 1.1**time * np.where(time >= 0, 0.9, 1.0)
    tables = tables_of({"population": counts_of(rate), "control": counts_of(control)})
    found = {(s, m): np.exp(v) for s, m, v in tables["effects"].select("series", "measure", "estimate").iter_rows()}
    # rates are rounded to a thousandth of a person's
    assert found["population", "level change"] == pytest.approx(0.8, rel=2e-3)
    assert found["population", "trend before a year"] == pytest.approx(1.1, rel=2e-3)
    assert found["population", "trend change a year"] == pytest.approx(1.05, rel=2e-3)
    assert found["population less control", "level change"] == pytest.approx(0.8 / 0.9, rel=3e-3)
    assert found["population less control", "trend change a year"] == pytest.approx(1.05, rel=3e-3)
    lines = drawn_lines(tables, date(2014, 1, 1), 0).filter(c("series") == "population")
    assert lines["fitted"].to_list() == pytest.approx(lines["rate"].to_list(), rel=3e-3)
    assert lines["expected"].null_count() == 24
    assert lines["expected"][-1] == pytest.approx(100 * 365.25 / 30 * 0.5 * 1.1 ** time[-1], rel=3e-3)


def test_season_is_taken_out():
    months = np.arange(60)
    time = (months - 24) / 12
    rate = 0.5 * np.exp(0.3 * np.cos(2 * np.pi * (months + 1) / 12)) * np.where(time >= 0, 0.8, 1.0)
    found = {h: tables_of({"population": counts_of(rate)}, harmonics=h)["effects"]["estimate"][0] for h in (0, 1)}
    assert np.exp(found[1]) == pytest.approx(0.8, rel=2e-3)
    assert abs(np.exp(found[0]) - 0.8) > 0.01


def test_errors_hold_under_autocorrelation_where_newey_and_west_s_are_too_small():
    # planted: no change, and a process with autocorrelation 0.4. Without correction Newey and West's estimator is known to be too
    # small in short series (Newey and West 1994; Andrews 1991); 400 replicates, of which the empirical error is known to some 4%
    rng = np.random.default_rng(2)
    found: dict[str, list[tuple[float, float]]] = {"autoregressive": [], "newey_west": []}
    for _ in range(400):
        shock = np.zeros(96)
        for t in range(1, 96):
            shock[t] = 0.4 * shock[t - 1] + rng.normal(0, 0.05)
        frame = counts_of(rng.poisson(1_000 * 0.5 * np.exp(shock)) / 1_000)
        for errors, rows in found.items():
            asked = {"harmonics": 0, "errors": errors, "lags": 4, "what": "events"}
            tables = series_tables({"population": frame}, date(2016, 1, 1), **asked)[0]
            rows.append(tables["effects"].select("estimate", "standard_error").row(0))
    value = np.array(found["newey_west"])[:, 0]
    assert abs(value.mean()) < 3.5 * value.std() / np.sqrt(400)
    error = {errors: np.array(rows)[:, 1] for errors, rows in found.items()}
    ratio = {errors: own.mean() / value.std(ddof=1) for errors, own in error.items()}
    assert 0.9 < ratio["autoregressive"] < 1.15
    assert 0.6 < ratio["newey_west"] < 0.88
    held = {errors: (np.abs(value) <= 1.96 * own).mean() for errors, own in error.items()}
    # 95% of 400 less 3.5 Monte Carlo errors is 91%
    assert held["autoregressive"] > 0.91 > held["newey_west"]


def test_errors_of_four_months_by_hand():
    # of a mean of 4 months: residuals 1, 0, 0, -1 have squares 2 and products 0. With noise 0 and autocorrelation p
    # the mean has variance s v, v = (4 + 6 p + 4 p^2 + 2 p^3) / 16. Residuals: expected squares s (4 - 4 v); products
    # s (3 p - (sum of rows 1..3 and of rows 2..4 of R) / 4 + 3 v)
    found = autoregressive_errors(np.ones((4, 1)), np.array([1.0, 0, 0, -1]), noise=0.0)
    p = found.autocorrelation
    v = (4 + 6 * p + 4 * p**2 + 2 * p**3) / 16
    rows = np.array([1 + p + p**2 + p**3, 1 + 2 * p + p**2, 1 + 2 * p + p**2, 1 + p + p**2 + p**3])
    products = 3 * p - (rows[:3].sum() + rows[1:].sum()) / 4 + 3 * v
    assert 0 < p < 0.95
    assert products == pytest.approx(0, abs=1e-9)
    assert found.variance == pytest.approx(2 / (4 - 4 * v))
    assert found.covariance.item() == pytest.approx(found.variance * v)
    # noise of 1 alone explains residuals of which the squares are no more than 3
    quiet = autoregressive_errors(np.ones((4, 1)), np.array([0.5, 0.5, -0.5, -0.5]))
    assert (quiet.variance, quiet.covariance.item()) == (0.0, pytest.approx(1 / 4))


def test_what_moves_both_series_is_not_in_their_difference():
    time, month = (np.arange(48) - 24) / 12, np.arange(48) % 12 + 1
    design, rng = segments(time, month, 0), np.random.default_rng(4)
    error = []
    for _ in range(40):
        shared = np.exp(0.3 * rng.normal(size=48))  # far more than Poisson's variation of some 400 events
        one, other = (fitted_series(design, rng.poisson(400 * k * shared).astype(float), np.ones(48)) for k in (1, 2))
        pair = errors_of_difference(one, other, design), errors_of(one, design)
        error.append([np.sqrt(found.covariance[2, 2]) for found in pair])
    apart, alone = np.mean(error, axis=0)
    # Poisson's variance of the log ratio is 1 / 400 + 1 / 800 in each month
    poisson = np.sqrt(np.linalg.inv(design.T @ design)[2, 2] * (1 / 400 + 1 / 800))
    assert 0.95 < apart / poisson < 1.3
    assert alone > 4 * apart


# -- edges ------------------------------------------------------------------------------------------------------------


def test_a_control_series_of_other_hubs(study):
    asked = {"start": "2015-04-01", "outcome": "outpatient"}
    found = sr.evaluation.interrupted_time_series(study, hub="Yeovil", control="other hubs", **asked)
    assert found.estimates["series"].unique(maintain_order=True).to_list() == [
        "population",
        "control",
        "population less control",
    ]
    one, two, less = (
        found.row(name, "level change")["estimate"] for name in ("population", "control", "population less control")
    )
    assert less == pytest.approx(one / two)
    assert "compared with that of the control" in found.sentence()
    ids = study.practices.filter(c("hub") == "Yeovil").collect()["practice_id"].to_list()
    others = study.practices.filter(c("hub") != "Yeovil").collect()["practice_id"].to_list()
    same = sr.evaluation.interrupted_time_series(study, practices=ids, control=others, **asked)
    assert same.estimates.equals(found.estimates)
    alone = sr.evaluation.interrupted_time_series(study, hub="Yeovil", **asked)
    assert alone.row("population", "level change")["estimate"] == pytest.approx(one)
    assert "Without a control series" in alone.sentence()


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"start": "2011-06-01"}, "2 months before and 82 after: 8 are needed"),
        ({"start": "2030-01-01"}, "84 months before and 0 after"),
        ({"start": "soon"}, "is not a date"),
        ({"start": "2015-04-01", "outcome": "luck"}, "outcome='luck'"),
        ({"start": "2015-04-01", "hub": "Atlantis"}, "hub='Atlantis'"),
        ({"start": "2015-04-01", "practices": ["GP01", "GP99"]}, "1 of 2 practices are none of the study's 19"),
        ({"start": "2015-04-01", "practices": []}, "0 of 0 practices"),
        ({"start": "2015-04-01", "control": ["GP01"]}, "needs a population beside it"),
        ({"start": "2015-04-01", "hub": "Yeovil", "practices": ["GP01"]}, "leave one out"),
        (
            {"start": "2015-04-01", "hub": "Yeovil", "control": ["GP01"]},
            "1 practices are in the population and in its control",
        ),
        ({"start": "2015-04-01", "practices": ["GP01"], "control": "other hubs"}, "control='other hubs'"),
        ({"start": "2015-04-01", "harmonics": 9}, "from 0 to 4"),
        ({"start": "2015-04-01", "lags": -1}, "from 0 on"),
        ({"start": "2015-04-01", "errors": "robust"}, "errors='robust'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(study, asked, why):
    with pytest.raises(ArgumentError, match=why):
        sr.evaluation.interrupted_time_series(study, **asked)


def test_nobody_with_the_outcome_or_nobody_there_is_refused():
    with pytest.raises(ArgumentError, match="Nobody of the population has 'outpatient' in 84 months"):
        sr.evaluation.interrupted_time_series(twelve(), start="2015-06-01", outcome="outpatient")
    late = twelve().registrations.collect().with_columns(start_date=pl.lit(date(2012, 4, 1)))
    with pytest.raises(ArgumentError, match="In 12 of 84 months of the population nobody is registered"):
        sr.evaluation.interrupted_time_series(twelve(registrations=late), start="2015-06-01")
    without = study_of(persons=twelve().persons.collect(), activity=twelve().activity.collect())
    with pytest.raises(ArgumentError, match="no table registrations"):
        sr.evaluation.interrupted_time_series(without, start="2015-06-01", practices=["A"])
    with pytest.raises(ArgumentError, match="takes a Study"):
        sr.evaluation.interrupted_time_series(sr.define_cohort(twelve()), start="2015-06-01")  # type: ignore[arg-type]


def test_twelve_people_are_too_few_to_be_shown():
    # one or two admissions in each month of 2012 to 2017
    rows = [(1 + k % 12, date(2012 + k // 12, k % 12 + 1, 5)) for k in range(72)]
    activity = pl.DataFrame({"person_id": [p for p, _ in rows], "date": [d for _, d in rows], "end_date": [d for _, d in rows],
                             "setting": ["inpatient"] * 72, "kind": ["emergency"] * 72, "cost": [1.0] * 72})  # fmt: skip
    found = sr.evaluation.interrupted_time_series(twelve(activity=activity), start="2015-01-01", harmonics=0)
    released = sr.suppress(found, NHS)
    assert released.estimates["estimate"].null_count() == 3
    assert released.months["n_events"].drop_nulls().sum() == 0
    assert released.checks["dispersion"].null_count() == 1
    assert released.lines["fitted"].null_count() == 84
    assert (
        released.sentence()
        == "Too few people have emergency admissions in a month for changes in January 2015 to be shown."
    )


# -- what is released -------------------------------------------------------------------------------------------------


def test_events_of_few_people_are_suppressed_with_them():
    tables = sr.evaluation.interrupted_time_series(sr.example_study(12_000), start="2015-04-01")
    # 40 events of 3 people in one month: shown, they would be about 13 each
    months = tables.months.with_columns(
        pl.when(c("month") == "2012-05").then(pl.lit(3)).otherwise("n_with_event").cast(pl.Int64).alias("n_with_event"),
        pl.when(c("month") == "2012-05").then(pl.lit(40)).otherwise("n_events").cast(pl.Int64).alias("n_events"),
    )
    released = sr.suppress(replace(tables, count_tables={**tables.count_tables, "months": months}), NHS)
    row = released.months.filter(c("month") == "2012-05").row(0, named=True)
    assert (row["n_with_event"], row["n_events"]) == (None, None)
    assert released.lines.filter(c("month") == "2012-05")["rate"].item() is None
    assert released.estimates["estimate"].null_count() == 3


def test_where_a_hub_is_few_its_control_has_no_month_to_subtract(study):
    exact = sr.evaluation.interrupted_time_series(study, start="2015-04-01", hub="Chard", control="other hubs")
    few = exact.months.filter(c("n_with_event") <= 7)["month"].unique().to_list()
    assert few
    released = sr.suppress(exact, NHS)
    assert not set(few) & set(released.months["month"])
    assert released.row("population less control", "level change")["estimate"] is None
    assert sr.table(released)
    # beside everybody's series, of whom the hub and the others are parts
    whole = sr.evaluation.interrupted_time_series(study, start="2015-04-01")
    both = sr.suppress([exact, whole], NHS)
    assert not sr.check_differencing(both)


def test_released_changes_hold_the_exact_interval(study):
    exact = sr.evaluation.interrupted_time_series(study, start="2015-04-01", outcome="accident_and_emergency")
    released = sr.suppress(exact, NHS)
    for was, now in zip(exact.estimates.iter_rows(named=True), released.estimates.iter_rows(named=True), strict=True):
        assert now["lower"] <= was["lower"] * (1 + 0.006)
        assert now["upper"] >= was["upper"] * (1 - 0.006)
    assert sr.suppress(released, NHS).estimates.equals(released.estimates)
    assert released.lines["fitted"].to_list() == pytest.approx(exact.lines["fitted"].to_list(), rel=0.03)
    assert all(n % 5 == 0 for name in ("n_persons", "n_with_event", "n_events") for n in released.months[name])
