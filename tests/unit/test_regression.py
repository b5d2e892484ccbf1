"""Regression models by hand, against other estimators of ours, and what they refuse and release."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.survival.released_effects import as_exact_as_counts

NHS = sr.Policy.nhs_england()
SIX = pl.DataFrame({"time": [1, 2, 3, 4, 5, 6], "event": [1, 1, 1, 1, 0, 1], "older": [1, 0, 1, 0, 0, 1]})
COX = {"time": "time", "event": "event"}


def drawn(n: int, seed: int, *, ties: bool = True) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x, age, area = rng.integers(0, 2, n), rng.normal(60, 10, n).round(), rng.choice(["north", "south", "west"], n)
    time = rng.exponential(200 / np.exp(0.4 * x + 0.02 * (age - 60)))
    end = rng.uniform(50, 400, n)
    day = np.minimum(time, end)
    return pl.DataFrame(
        {
            "time": np.ceil(day / 20) if ties else day, "event": (time <= end).astype(int), "x": x, "age": age, "area": area,
            "n_persons": rng.integers(1, 4, n),
        }
    )  # fmt: skip


def test_by_hand_two_people_at_risk_at_the_only_informative_time():
    # times 1 (x = 1) and 2 (x = 0, then x = 1 at 3): L(b) = e^b / (2 e^b + 1) * 1 / (e^b + 1); its score is
    # 1 - 2 e^b / (2 e^b + 1) - e^b / (e^b + 1) = 0, so 2 e^2b = 1 and the ratio is 1 / sqrt(2)
    people = pl.DataFrame({"time": [1, 2, 3], "event": [1, 1, 1], "x": [1, 0, 1]})
    model = sr.survival.cox_regression(people, **COX, covariates="x")
    assert model.estimates["hazard_ratio"].item() == pytest.approx(1 / np.sqrt(2), rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["efron", "breslow"]))
def test_weights_are_rows_repeated(seed, ties):
    people = drawn(60, seed)
    copies = people[np.repeat(np.arange(people.height), people["n_persons"].to_numpy())]
    arguments = {**COX, "covariates": ["x", "age", "area"], "ties": ties, "reference": {"area": "north"}}
    one = sr.survival.cox_regression(people, weights="n_persons", **arguments).estimates
    other = sr.survival.cox_regression(copies, **arguments).estimates
    for column in ("estimate", "standard_error", "n_persons", "n_events"):
        assert one[column].to_list() == pytest.approx(other[column].to_list(), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_order_and_parts_of_the_rows_change_nothing(seed):
    people = drawn(80, seed)
    keys = ["time", "event", "x", "age", "area"]
    parts = [
        people.filter(pl.col("area") == area).sample(fraction=1.0, shuffle=True, seed=seed)
        for area in ("west", "north", "south")
    ]
    collapsed = pl.concat([part.group_by(keys).agg(n_persons=pl.len().cast(pl.Int64)) for part in parts])
    arguments = {**COX, "covariates": ["x", "age"], "strata": "area"}
    one = sr.survival.cox_regression(people, **arguments).estimates
    other = sr.survival.cox_regression(collapsed, weights="n_persons", **arguments).estimates
    assert one["estimate"].to_list() == pytest.approx(other["estimate"].to_list(), rel=1e-9)
    assert one["standard_error"].to_list() == pytest.approx(other["standard_error"].to_list(), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_without_ties_the_score_test_of_two_groups_is_the_log_rank_test(seed):
    people = drawn(50, seed, ties=False)
    model = sr.survival.cox_regression(people, **COX, covariates="x")
    test = sr.survival.logrank_test(people, **COX, by="x")
    score = model.overall.filter(pl.col("test") == "score")["statistic"].item()
    assert score == pytest.approx(test.estimates["statistic"].item(), rel=1e-9)


def test_sums_by_pattern_and_by_row_are_the_same():
    people = drawn(400, 5).with_columns(entry=pl.col("time") - 1 - pl.col("x") * 3)
    people = people.with_columns(noise=pl.Series(np.random.default_rng(1).normal(size=people.height)))
    arguments = {**COX, "entry": "entry", "covariates": ["x", "age"], "strata": "area"}
    few = sr.survival.cox_regression(people, **arguments).estimates
    from symphony_research.survival import risk_sets

    least, risk_sets.MOST_CELLS = risk_sets.MOST_CELLS, 0
    try:
        rows = sr.survival.cox_regression(people, **arguments).estimates
    finally:
        risk_sets.MOST_CELLS = least
    assert few["estimate"].to_list() == pytest.approx(rows["estimate"].to_list(), rel=1e-9)
    assert few["standard_error"].to_list() == pytest.approx(rows["standard_error"].to_list(), rel=1e-9)


@pytest.mark.parametrize("model", ["cox", "rate"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.lit(0).alias("happened"), "0 of 300 people"),
        (pl.col("age").alias("x"), "collinear"),
        (pl.when(pl.col("x") == 1).then(0).otherwise("happened").alias("happened"), "no maximum: covariate 'x'"),
        (pl.when(pl.int_range(pl.len()) < 7).then(None).otherwise("age").alias("age"), "7 rows have no value in column 'age'"),
        (pl.lit(1).alias("x"), "'x' has one value alone"),
    ],
    ids=["no events", "collinear", "separation", "gaps", "constant"],
)  # fmt: skip
def test_what_cannot_be_fitted_is_refused(model, change, message):
    people = drawn(300, 3).rename({"event": "happened"}).with_columns(change)
    fit, follow = {
        "cox": (sr.survival.cox_regression, {"time": "time", "event": "happened"}),
        "rate": (sr.survival.rate_regression, {"events": "happened", "person_years": "time"}),
    }[model]
    with pytest.raises(ArgumentError, match=message):
        fit(people, **follow, covariates=["x", "age"])


def test_two_groups_rate_ratio_is_the_ratio_of_rates_by_hand():
    # 4 events in 2 years against 2 in 2; its standard error is sqrt(1/4 + 1/2)
    people = pl.DataFrame({"events": [0, 2, 1, 3], "years": [1.0, 1.0, 0.5, 1.5], "older": [False, False, True, True]})
    model = sr.survival.rate_regression(people, events="events", person_years="years", covariates="older")
    row = model.estimates.row(0, named=True)
    assert row["rate_ratio"] == pytest.approx(2, rel=1e-10)
    assert row["standard_error"] == pytest.approx(np.sqrt(3 / 4), rel=1e-10)


def test_a_level_of_few_has_no_coefficient_on_release_and_no_test():
    people = drawn(400, 9).with_columns(
        area=pl.when(pl.int_range(pl.len()) < 6).then(pl.lit("island")).otherwise("area")
    )
    released = sr.suppress(sr.survival.cox_regression(people, **COX, covariates=["area", "x"], time_unit="days"), NHS)
    island = released.estimates.filter(pl.col("level") == "island").row(0, named=True)
    assert [island[c] for c in ("estimate", "hazard_ratio", "lower", "standard_error", "n_persons")] == [None] * 5
    assert released.estimates.filter(pl.col("variable") == "x")["estimate"].null_count() == 0
    assert released.overall["p_value"].null_count() == 3
    assert "by_day" not in released.count_tables
    assert "hazard" not in released.count_tables
    assert released.count_tables["coefficients"]["covariance"].null_count() == released.estimates.height


def test_a_model_of_few_degrees_of_freedom_is_not_released():
    people = drawn(16, 2).with_columns(event=(pl.int_range(pl.len()) < 10).cast(pl.Int64))
    released = sr.suppress(sr.survival.cox_regression(people, **COX, covariates=["age"], time_unit="days"), NHS)
    assert released.estimates["estimate"].null_count() == 1  # 10 events less one coefficient are 9


@pytest.mark.parametrize("cell", [8, 40, 250, 3000])
def test_a_released_interval_holds_the_exact_one(cell):
    rng = np.random.default_rng(cell)
    estimate, error = rng.normal(0, 0.7, 500), rng.uniform(0.5, 2, 500) / np.sqrt(cell)
    shown, wide = as_exact_as_counts(estimate, error, np.full(500, float(cell)), np.ones(500), 0.95, 5)
    z = 1.959963984540054
    assert (shown - z * wide <= estimate - z * error + 1e-12).all()
    assert (shown + z * wide >= estimate + z * error - 1e-12).all()
    # as coarse as the rounded count behind it: five people more or fewer in the smallest cell
    assert np.diff(np.unique(np.round(shown, 12))).min() >= 5 / cell - 1e-12
    assert (np.round(wide, 12) == np.array([float(f"{w:.1e}") for w in wide])).all()


def test_the_risk_of_a_disclosed_model_is_refused():
    model = sr.suppress(sr.survival.cox_regression(drawn(300, 1), **COX, covariates="x", time_unit="days"), NHS)
    with pytest.raises(DisclosureError, match="baseline hazard"):
        sr.survival.absolute_risk(model, {"x": 1}, 5)


def test_without_covariates_that_matter_risk_is_that_of_everybody_by_hand():
    # 1 - exp(-(1/4 + 1/3)) for a covariate that is balanced at every time would need b = 0; here Breslow's H is by hand
    model = sr.survival.cox_regression(SIX, **COX, covariates="older", ties="breslow")
    b = model.estimates["estimate"].item()
    # at 1 three older and three younger are at risk, at 2 two older and three younger
    hazard = 1 / (3 * np.exp(b) + 3) + 1 / (2 * np.exp(b) + 3)
    risk = sr.survival.absolute_risk(model, {"older": 0}, 2)
    assert risk.estimates["estimate"].item() == pytest.approx(1 - np.exp(-hazard), rel=1e-10)


def test_sentence_names_the_ratio_with_its_interval():
    model = sr.survival.cox_regression(drawn(2000, 4), **COX, covariates=["x", "age"], event_name="death")
    row = model.estimates.filter(pl.col("variable") == "age").row(0, named=True)
    said = f"hazard ratio {row['hazard_ratio']:.2f} (95% CI {row['lower']:.2f} to {row['upper']:.2f}) of death"
    assert said in model.sentence()


def test_a_level_in_few_clusters_is_refused_on_release_whatever_its_rows():
    people = drawn(400, 6).with_columns(person=pl.int_range(pl.len()) % 100)
    people = people.with_columns(area=pl.when(pl.col("person") < 5).then(pl.lit("island")).otherwise("area"))
    model = sr.survival.cox_regression(people, **COX, covariates=["area", "x"], cluster="person", time_unit="days")
    assert model.estimates.filter(pl.col("level") == "island")["n_persons"].item() == 20  # rows of five people
    with pytest.raises(DisclosureError, match="Covariate area has a level in few clusters of 'person'"):
        sr.suppress(model, NHS)


@pytest.mark.parametrize(("of_women", "there"), [(37, False), (30, True)])
def test_numbers_of_events_that_give_a_small_one_away_are_suppressed_with_it(of_women: int, there: bool) -> None:
    # 44 events of all, shown as 45 (43-47): 35 (33-37) of women leave men 6 or 7; 30 (28-32) of 37, shown as 35, leave 1 to 7
    groups = [("F", 1, of_women), ("F", 0, 60), ("M", 1, 7), ("M", 0, 80)]
    rows = [(sex, n, 1.0) for sex, n, people in groups for _ in range(people)]
    frame = pl.DataFrame(rows, schema=["sex", "n_admissions", "years"], orient="row")
    model = sr.survival.rate_regression(frame, events="n_admissions", person_years="years", covariates=["sex"])
    tables = sr.suppress(model, sr.Policy.nhs_england()).count_tables
    (total,), (women,), (men,) = (tables[name]["n_events"] for name in ("population", "references", "coefficients"))
    assert men is None
    assert (total is not None and women is not None) is there
    if there:
        possible = {t - w for t in range(total - 2, total + 3) for w in range(women - 2, women + 3)} & set(range(1, 8))
        assert len(possible) >= 5
