"""Days at home: five people drawn as a table, the mean and its variance by hand; naive sums, the bootstrap, and release."""

from __future__ import annotations

from math import sqrt

import numpy as np
import polars as pl
import pytest
from five_people import DAY, on, study
from hypothesis import given, settings
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.errors import ArgumentError

NHS = sr.Policy.nhs_england()
NAMED = {"time": "time", "event": "died"}


def test_days_of_each_person_by_hand():
    # 100 days from day 0 (the study of five_people: 3 leaves on day 60, so that the last 40 days are not known)
    # 1: nights 10-14 (two spells, one stay: five nights) and 40: 94 at home      2: night 5 alone: 99
    # 4: dies on day 30, in hospital for nights 28 and 29: 28 at home             5: nights 20 and 21: 98
    table = sr.define_cohort(study(), index=DAY).days_at_home(horizon=100)
    rows = table.to_frame()
    assert rows.filter(pl.col("event") == 1).rows() == [(30.0, 1, 1, 28, 28**2)]
    left = rows.filter(pl.col("time") == 60.0)
    assert left.select("n_persons", "days_at_home").rows() == [(1, 60)]
    whole = rows.filter(pl.col("time") == 100.5)
    assert whole.select("n_persons", "days_at_home", "days_at_home_squared").rows() == [
        (3, 94 + 99 + 98, 94**2 + 99**2 + 98**2)
    ]
    mean = sr.survival.days_at_home(table)
    # 3 is one of four still observed on day 60: each of the others then counts 4/3
    assert mean.estimates["estimate"].item() == pytest.approx((28 + 4 / 3 * (94 + 99 + 98)) / 5)
    assert mean.estimates["n_persons"].item() == 5
    assert mean.sentence().startswith("Over 100 days, people spent on average 83")


def test_a_stay_counts_within_the_horizon_and_from_the_index_date_alone():
    # in hospital from day -5 to day 3 (three nights of the horizon), and from day 8 to day 20 (two nights of ten days)
    spells = [(1, -5, 3, "emergency"), (1, 8, 20, "elective")]
    table = sr.define_cohort(study(spells, deaths={}), index=DAY).days_at_home(horizon=10)
    found = table.to_frame()
    assert (found["n_persons"].sum(), found["days_at_home"].sum()) == (5, 5 + 4 * 10)
    # a death on day 9 while in hospital: day 9 and night 8 are gone too
    died = sr.define_cohort(study(spells, deaths={1: 9}), index=DAY).days_at_home(horizon=10).to_frame()
    assert died.filter(pl.col("event") == 1)["days_at_home"].item() == 9 - 3 - 1


def test_by_strata_until_and_the_data_s_end():
    cohort = sr.define_cohort(study(data_end={"activity": on(50)}), index=DAY)
    table = cohort.days_at_home(horizon=100, by="sex")
    # nobody can be observed for 100 days, so that no mean is given
    found = sr.survival.days_at_home(table, by="sex").estimates
    assert found["sex"].to_list() == ["F", "M"]
    assert found["estimate"].to_list() == [None, None]
    assert "follow-up is too short" in sr.survival.days_at_home(table).sentence()
    with pytest.raises(ArgumentError, match="counted over 100 days"):
        sr.survival.days_at_home(table, horizon=50)


def test_without_censoring_it_is_the_plain_mean():
    # days 30, 4, 26: mean 20, standard deviation 14, over the square root of 3
    people = pl.DataFrame({"time": [30, 10, 30], "died": [0, 1, 0], "days_at_home": [30, 4, 26]})
    (row,) = sr.survival.days_at_home(people, horizon=30, **NAMED).estimates.to_dicts()
    assert (row["estimate"], row["standard_error"]) == (pytest.approx(20), pytest.approx(14 / sqrt(3)))
    assert row["lower"] == pytest.approx(20 - 1.959963984540054 * 14 / sqrt(3))
    assert row["upper"] == 30  # no more than there are


def naive(rows: list[tuple[int, int, float]], horizon: float, weights: np.ndarray) -> float:
    """The weighted mean in plain loops, of people who count so much each."""
    share, mean = {}, 0.0
    times = sorted({t for t, _, _ in rows})
    running = 1.0
    for t in times:
        share[t] = running
        out = sum(w for (u, d, _), w in zip(rows, weights, strict=True) if u == t and not d and u < horizon)
        there = sum(
            w for (u, d, _), w in zip(rows, weights, strict=True) if u > t or (u == t and not d and u < horizon)
        )
        running *= 1 - out / there if there else 1.0
    for (t, d, value), w in zip(rows, weights, strict=True):
        mean += w * value / share[t] if d or t >= horizon else 0.0
    return mean / float(weights.sum())


PERSON = st.tuples(st.integers(1, 9), st.integers(0, 1), st.integers(0, 9)).map(lambda p: (p[0], p[1], min(p[0], p[2])))


@settings(max_examples=40, deadline=None)
@given(st.lists(PERSON, min_size=2, max_size=12))
def test_estimate_and_variance_are_naive(people):
    # whoever is last is observed to the horizon; the variance is that of the derivatives, here by small differences
    rows = [*people, (10, 0, 7.0), (10, 0, 3.0)]
    frame = pl.DataFrame(rows, schema=["time", "died", "days_at_home"], orient="row", strict=False)
    (found,) = sr.survival.days_at_home(frame, horizon=10, **NAMED).estimates.to_dicts()
    n, ones = len(rows), np.ones(len(rows))
    assert found["estimate"] == pytest.approx(naive(rows, 10, ones))
    step, squares = 1e-5, 0.0
    for k in range(n):
        nudged = [naive(rows, 10, ones + sign * step * (np.arange(n) == k)) for sign in (1, -1)]
        squares += ((nudged[0] - nudged[1]) / (2 * step)) ** 2
    assert found["standard_error"] == pytest.approx(sqrt(squares * n / (n - 1)), rel=1e-4, abs=1e-6)


def drawn(seed: int, people: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    death, left = np.ceil(rng.exponential(900, people)), np.ceil(rng.uniform(60, 900, people))
    time = np.minimum(np.minimum(death, left), 365)
    away = np.minimum(rng.poisson(4, people) * rng.binomial(1, 0.4, people), time)
    return pl.DataFrame(
        {"time": time, "died": ((death <= left) & (death <= 365)).astype(int), "days_at_home": time - away}
    ).with_columns(arm=pl.Series(rng.choice(["hub", "usual"], people)))


def test_released_limits_hold_the_exact_ones_and_counts_are_those_of_the_curve():
    people = drawn(3, 700)
    exact = sr.survival.days_at_home(people, horizon=365, by="arm", **NAMED)
    curve = sr.survival.kaplan_meier(people, time="time", event="died", by="arm", time_unit="days", event_name="death")
    safe = sr.suppress({"home": exact, "curve": curve}, NHS)
    home = safe["home"]
    start = safe["curve"].estimates.filter(pl.col("time") == 0).select("arm", "n_at_risk")
    assert home.estimates.select("arm", "n_persons").rows() == start.rows()
    both = home.estimates.join(exact.estimates, on="arm", suffix="_exact")
    assert (both["lower"] <= both["lower_exact"]).all()
    assert (both["upper"] >= both["upper_exact"]).all()
    assert ((both["estimate"] - both["estimate_exact"]).abs() <= 0.5).all()
    figures = home.key_figures()
    assert [f.measure for f in figures] == [f"Mean days at home within 365 days: {arm}" for arm in ("hub", "usual")]
    assert home.sentence().endswith("(usual), alive and out of hospital.")
    assert "days" not in home.count_tables
    assert sr.suppress(home, NHS).estimates.equals(home.estimates)
    assert home.sentence().startswith("Over 365 days, people spent on average ")
    assert "first 365 days" in " ".join(home.notes([]))
    assert sr.table(home).html.count("Mean days at home of 365") == 1
    shorter = people.with_columns(pl.col("time", "days_at_home").clip(0, 100))
    hundred = sr.survival.days_at_home(shorter, horizon=100, **NAMED)
    with pytest.raises(ArgumentError, match="horizon=100 is no time at which curves are released"):
        sr.suppress(hundred, NHS)


def test_one_person_with_most_of_the_missing_days_is_not_told_of():
    # sixty people at home throughout, but one who is in hospital for 300 days
    people = pl.DataFrame({"time": [365] * 61, "died": [0] * 61, "days_at_home": [365] * 60 + [65]})
    safe = sr.suppress(sr.survival.days_at_home(people, horizon=365, **NAMED), NHS)
    assert safe.estimates.select("estimate", "lower", "upper").row(0) == (None, None, None)
    assert (
        safe.sentence()
        == "The mean days at home over 365 days cannot be given: they are suppressed by disclosure control."
    )
    assert safe.missing_marker(safe.estimates.row(0, named=True), "estimate") == "[c]"
    # where six people share them it is: each has a sixth
    shared = people.with_columns(days_at_home=pl.Series([365] * 31 + [315] * 30))
    assert sr.suppress(sr.survival.days_at_home(shared, horizon=365, **NAMED), NHS).estimates["estimate"].item() == 340


def test_a_group_that_is_not_followed_so_long_is_not_called_suppressed():
    # sixty people of each: those of Bath leave on day 200, those of Wells stay; and where all leave nobody has a mean
    rows = [("Bath", 200, 0, 150), ("Wells", 365, 0, 300)]
    people = pl.DataFrame([row for row in rows for _ in range(60)], schema=["hub", "time", "died", "days_at_home"], orient="row")  # fmt: skip
    safe = sr.suppress(sr.survival.days_at_home(people, horizon=365, by="hub", **NAMED), NHS)
    assert [safe.with_interval(row) for row in safe.estimates.iter_rows(named=True)] == ["[x]", "300 (300 to 300)"]
    assert "days at home (Wells) (Bath [x]), alive" in safe.sentence()
    bath = people.filter(pl.col("hub") == "Bath")
    alone = sr.suppress(sr.survival.days_at_home(bath, horizon=365, **NAMED), NHS)
    assert alone.sentence() == "The mean days at home over 365 days cannot be given: follow-up is too short."


def test_what_is_no_follow_up_is_refused():
    people = pl.DataFrame({"time": [30, 10], "died": [0, 1], "days_at_home": [31, None]})
    with pytest.raises(ArgumentError, match="2 rows have no days between 0 and 30"):
        sr.survival.days_at_home(people, horizon=30, **NAMED)
    with pytest.raises(ArgumentError, match="horizon=None"):
        sr.survival.days_at_home(people, **NAMED)
    with pytest.raises(ArgumentError, match="holds more than 0 and 1"):
        sr.survival.days_at_home(people.with_columns(died=2, days_at_home=3), horizon=30, **NAMED)


@pytest.mark.slow
def test_intervals_cover_the_mean_of_people_who_are_not_censored():
    # authority: the mean of 200,000 people drawn without censoring; 300 studies of 400, 95% +- 3 standard errors (3.8 points)
    rng = np.random.default_rng(1)
    death = np.ceil(rng.exponential(900, 200_000))
    time = np.minimum(death, 365)
    away = np.minimum(rng.poisson(4, len(time)) * rng.binomial(1, 0.4, len(time)), time)
    true, hits = float((time - away).mean()), 0
    for seed in range(300):
        (row,) = sr.survival.days_at_home(drawn(seed, 400), horizon=365, **NAMED).estimates.to_dicts()
        hits += row["lower"] <= true <= row["upper"]
    assert 0.912 <= hits / 300 <= 0.988
