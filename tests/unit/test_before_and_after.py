"""Before and after, difference in differences and event study: rates by hand, their errors, edges, and what is released."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import stats
from test_match_controls import RULES, match, on, twelve

import symphony_research as sr
from symphony_research.cohort.matched import outcome_rows, period_rows
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.panel import between_groups, rate_change
from symphony_research.evaluation.pretrend import trend_tests

c = pl.col
NHS = sr.Policy.nhs_england()
YEAR = 365.25 / 365 * 100  # from a count in 365 days to 100 person-years


def admitted(*rows: tuple[int, int]) -> pl.DataFrame:
    """The activity of the twelve, with further emergency admissions of people on days."""
    more = twelve().activity.collect()
    one = more.filter(c("date") == on(10))
    return pl.concat([more, *(one.with_columns(person_id=pl.lit(p, dtype=pl.Int64), date=pl.lit(on(d)), end_date=pl.lit(on(d + 1))) for p, d in rows)])  # fmt: skip


@pytest.fixture(scope="module")
def matched():
    # the twelve of test_match_controls: 1 and 2 enrol on day 0, 3 on day 50. Admissions: 1 on day -3, 2 on day 10, 3 on days 10 and
    # 20, 4 on days -3, 0 and 400. Controls of 1 and of 2: 3 and 4, at weight 1/2; of 3: 4, 10 and 11, at weight 1/3
    return match(twelve(activity=admitted((2, 10))), ratio=5)


@pytest.fixture(scope="module")
def many():
    study = sr.example_study(12_000)
    cohort = sr.define_cohort(study, programme="complex_care")
    return sr.evaluation.match_controls(study, cohort, score="odds_weights", seed=1)


def test_rates_before_and_after_by_hand(matched):
    found = sr.evaluation.before_after(matched)
    own, other = found.estimates.iter_rows(named=True)
    # in the year before, 1 once, 2 never, 3 twice (her day 50 is time zero); after, 2 once. Each of three for 365 days
    assert own["rate_before"] == pytest.approx(YEAR * 3 / 3)
    assert own["rate_after"] == pytest.approx(YEAR * 1 / 3)
    assert own["estimate"] == pytest.approx(1 / 3)
    # controls before: 4 once for 1 and for 2, at 1/2 each, and twice for 3 at 1/3; after: 3 twice for 1 and 2, 4 once for 3
    assert other["rate_before"] == pytest.approx(YEAR * (1 + 2 / 3) / 3)
    assert other["rate_after"] == pytest.approx(YEAR * (2 + 1 / 3) / 3)
    assert other["estimate"] == pytest.approx(7 / 5)
    # each adds (after less 1/3) over 1 less (before less 1) over 3: -1/3 of 1, 2/3 + 1/3 of 2, -1/3 - 1/3 of 3
    error = found.count_tables["effects"]["standard_error"]
    assert error[0] == pytest.approx(np.sqrt(1 / 9 + 1 + 4 / 9))
    assert found.periods["n_with_event"].to_list() == [2, 1, 1, 2]
    assert found.arms["n_persons"].to_list() == [3, 4]
    assert found.periods["share_observed"].to_list() == pytest.approx([1.0] * 4)
    assert "without enrolling the rate did not fall" in found.sentence()


def test_of_a_cohort_there_are_no_controls_and_it_says_so():
    cohort = sr.define_cohort(twelve(activity=admitted((2, 10))), **RULES)
    found = sr.evaluation.before_after(cohort)
    assert found.estimates["arm"].to_list() == ["enrolled"]
    assert found.estimates["estimate"].item() == pytest.approx(1 / 3)
    assert "regression to the mean" in found.sentence()
    assert "regression to the mean" in found.notes(())[0]


def test_the_guard_says_how_far_controls_fell(many):
    found = sr.evaluation.before_after(many)
    fall = 1 - found.row("controls")["estimate"]
    assert fall > 0
    assert (
        f"a fall of {100 * fall:.0f}% came to people who had not enrolled by that day (regression to the mean)"
        in found.sentence()
    )


def test_differences_in_differences_by_hand(matched):
    ratio = sr.evaluation.difference_in_differences(matched)
    assert ratio.estimates["estimate"].item() == pytest.approx((1 / 3) / (7 / 5))
    found = sr.evaluation.difference_in_differences(matched, method="linear")
    # changes of 1, 2, 3: -1, 1, -2, on average -2/3. Of controls: 3 by 2 at 1/2 twice, 4 by -1 at 1/2 twice and at 1/3, 10 and
    # 11 by none at 1/3: on average 2/9
    assert found.estimates["estimate"].item() == pytest.approx(YEAR * (-2 / 3 - 2 / 9))
    # what each person adds, over three sets: own changes less -2/3, less weight times changes as control less 2/9
    moved = [-1 / 9, 5 / 9, -4 / 9 - 2 * (2 - 2 / 9) / 6, 2 * (11 / 9) / 6 + (11 / 9) / 9, 2 / 81, 2 / 81]
    assert found.count_tables["effects"]["standard_error"].item() == pytest.approx(
        YEAR * np.sqrt(np.square(moved).sum())
    )


def test_a_period_that_was_matched_on_is_named(matched, many):
    assert "was matched on" in sr.evaluation.difference_in_differences(matched).sentence()
    earlier = sr.evaluation.difference_in_differences(many, before=(366, 730))
    assert earlier.warning == ""
    assert earlier.notes(()) == []
    # the first day of it is the last that was
    assert sr.evaluation.difference_in_differences(many, before=(365, 730)).warning


def test_an_event_study_of_two_periods_is_the_difference_in_differences(matched):
    found = sr.evaluation.event_study(matched, period=365, leads=2, lags=1, reference=-1)
    rows = {row["period"]: row for row in found.estimates.iter_rows(named=True)}
    assert rows[1]["estimate"] == pytest.approx((1 / 3) / (7 / 5))
    assert (rows[-1]["estimate"], rows[-1]["lower"], rows[-1]["is_reference"]) == (1.0, None, True)
    assert rows[-2]["estimate"] is None  # nobody is admitted two years before
    assert [rows[k]["matched_on"] for k in (-2, -1, 1)] == [False, True, False]
    assert found.pretrend.is_empty()
    assert "no drift before can be tested" in found.sentence()


def test_leads_are_matched_on_where_days_were_counted_by_window(many):
    found = sr.evaluation.event_study(many, period=30, leads=15, lags=2, method="linear")
    flags = dict(found.estimates.select("period", "matched_on").iter_rows())
    # windows end with day 365; period -13 begins on day 361 before, period -14 on day 391
    assert [period for period, on_it in flags.items() if not on_it] == [-15, -14, 1, 2]
    assert found.settings["reference_period"] == -14
    assert found.pretrend["test"].to_list() == ["differences between leads", "linear drift"]
    assert found.pretrend["degrees_of_freedom"].to_list() == [1, 1]
    # of two leads both tests are one, and find the same drift
    assert found.pretrend["p_value"][0] == pytest.approx(found.pretrend["p_value"][1])
    assert found.pretrend["detectable"][0] == pytest.approx(found.pretrend["detectable"][1])


def test_only_days_while_registered_count():
    spells = twelve().registrations.collect()
    late = spells.with_columns(
        pl.when(c("person_id") == 1).then(pl.lit(on(-100))).otherwise("start_date").alias("start_date")
    )
    matched = match(twelve(registrations=late, activity=admitted((2, 10))), ratio=5)
    found = period_rows(matched, "emergency_admission", [(-365, -1), (1, 365)])
    assert sorted(found.days[found.treated, 0].tolist()) == [100, 365, 365]
    before = outcome_rows(matched, "emergency_admission", first=-365, last=-1)
    assert sorted(before.days[before.treated].tolist()) == [100, 365, 365]
    rate = sr.evaluation.before_after(matched).estimates["rate_before"][0]
    assert rate == pytest.approx(3 / 830 * 36525)


# -- edges ----------------------------------------------------------------------------------------------------------


def test_twelve_people_are_too_few_to_be_shown(matched):
    e = sr.evaluation
    results = [
        e.before_after(matched),
        e.difference_in_differences(matched),
        e.event_study(matched, period=182, reference=-1),
    ]
    for result in sr.suppress(results, NHS):
        shown = (
            result.estimates
            if "is_reference" not in result.estimates.columns
            else result.estimates.filter(~c("is_reference"))
        )
        assert shown["estimate"].null_count() == shown.height
        assert result.periods["n_with_event"].drop_nulls().sum() == 0  # nobody, or suppressed
        assert result.periods["rate"].null_count() == result.periods.height
        assert result.arms["n_persons"].null_count() == 2
        assert result.sentence().startswith("Too few people have emergency admissions")


def test_whoever_has_no_controls_in_their_stratum_is_not_compared():
    # 5, the only man of practice A, enrols on day 0: no other man may be his control
    spells = twelve().enrolments.collect()
    more = pl.concat([spells, spells.head(1).with_columns(person_id=pl.lit(5, dtype=pl.Int64))])
    matched = match(twelve(enrolments=more, activity=admitted((2, 10), (5, -20), (5, 20))), ratio=5)
    assert matched.attrition.estimates["step"].str.contains("no candidate agreed").any()
    found = sr.evaluation.difference_in_differences(matched)
    assert found.arms["n_persons"].to_list() == [3, 4]
    assert found.estimates["estimate"].item() == pytest.approx((1 / 3) / (7 / 5))


def test_all_enrolled_on_the_first_of_one_month():
    spells = twelve().enrolments.collect().with_columns(start_date=pl.lit(on(0)))
    matched = match(twelve(enrolments=spells, activity=admitted((2, 10))), ratio=5)
    # 1, 2 and 3 have 4 as their only control: before 1 and 4 are admitted once, after 2 once and 3 twice, 4 never
    found = sr.evaluation.before_after(matched).estimates
    assert found["estimate"].to_list() == [pytest.approx(3.0), None]
    ratio = sr.evaluation.difference_in_differences(matched)
    assert ratio.estimates["estimate"].item() is None
    assert ratio.sentence().startswith("Too few people")
    # of least squares a rate of zero is one as any other: (3 - 1) / 3 of the enrolled, -1 of 4
    linear = sr.evaluation.difference_in_differences(matched, method="linear")
    assert linear.estimates["estimate"].item() == pytest.approx(YEAR * (2 / 3 + 1))


def test_whoever_enrols_after_the_end_of_the_data_is_not_observed():
    ended = replace(twelve(), data_end={"activity": on(0)})
    with pytest.raises(ArgumentError, match="None of 3 people of the cohort is observed"):
        sr.evaluation.before_after(sr.define_cohort(ended, **RULES))
    with pytest.raises(ArgumentError, match="Nobody of the cohort is observed"):
        match(ended)


def test_an_outcome_that_nobody_has_is_refused(matched):
    e, nobody = sr.evaluation, match(twelve(activity=twelve().activity.collect().filter(c("date") == on(400))), ratio=5)
    with pytest.raises(ArgumentError, match="None of the 3 enrolled people has 'emergency admission'"):
        e.before_after(nobody)
    with pytest.raises(ArgumentError, match="None of the 3 enrolled people has 'emergency admission'"):
        e.difference_in_differences(nobody)
    with pytest.raises(ArgumentError, match="None of the 3 enrolled people has 'emergency admission'"):
        e.event_study(nobody, period=100)
    with pytest.raises(ArgumentError, match="the reference period, days -730 to -366: choose another"):
        e.event_study(matched, period=365, leads=2)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"outcome": "death"}, "Nobody who enrols died before"),
        ({"outcome": "luck"}, "outcome='luck'"),
        ({"before": (365, 1)}, "begins after it ends"),
        ({"before": 365}, "first and the last day"),
        ({"after": (0, 365)}, "at least 1"),
        ({"method": "logit"}, "method='logit'"),
        ({"confidence": 2}, "confidence"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(matched, asked, why):
    with pytest.raises(ArgumentError, match=why):
        sr.evaluation.difference_in_differences(matched, **asked)


def test_arguments_of_the_others_are_refused_too(matched):
    e = sr.evaluation
    for asked, why in (
        ({"period": "week"}, "period"), ({"leads": 0}, "leads"), ({"reference": 99}, "none of the periods"),
        ({"outcome": "death"}, "died before"), ({"method": "logit"}, "method"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=why):
            e.event_study(matched, **asked)
    with pytest.raises(ArgumentError, match="window=0"):
        e.before_after(matched, window=0)
    for estimate in (e.before_after, e.difference_in_differences, e.event_study):
        with pytest.raises(ArgumentError, match="match_controls"):
            estimate(twelve())
    with pytest.raises(ArgumentError, match="define the cohort by a programme"):
        e.before_after(sr.define_cohort(twelve()))


# -- variances, and the power of tests --------------------------------------------------------------------------------


def drawn(rng: np.random.Generator, n: int = 300):
    """People with a lasting rate and four periods, of whom the second half are controls twice, at weight 1/2."""
    rate, days = rng.gamma(1.5, 1 / 1.5, n), rng.integers(60, 91, (n, 4)).astype(float)
    events = rng.poisson(rate[:, None] * days / 60).astype(float)
    half = n // 2
    person = np.concatenate([np.arange(n), np.arange(half, n)])
    treated = np.arange(len(person)) < half
    weight = np.where(treated, 1.0, 0.5)
    return events[person], days[person], weight, treated, person


@pytest.mark.parametrize("method", ["poisson", "linear"])
def test_the_error_by_person_is_the_empirical_error_of_drawn_worlds(method):
    rng = np.random.default_rng(3)
    fits = [between_groups(*drawn(rng), reference=1, method=method) for _ in range(200)]
    found, error = (np.array([getattr(fit, name) for fit in fits]) for name in ("estimate", "error"))
    # no effect was planted; 200 worlds give a standard deviation to 5%, and here it need be right to 20%
    assert (np.abs(found.mean(axis=0)) < 3.5 * found.std(axis=0) / np.sqrt(200) + 1e-12).all()
    others = [0, 2, 3]
    assert error[:, others].mean(axis=0) == pytest.approx(found[:, others].std(axis=0, ddof=1), rel=0.2)


def test_a_change_of_rates_has_the_empirical_error_of_drawn_worlds():
    rng = np.random.default_rng(4)
    fits = []
    for _ in range(200):
        events, days, weight, _, person = drawn(rng)
        found, moved = rate_change(events[:, :2], days[:, :2], weight, person)
        fits.append((found, np.sqrt((moved**2).sum())))
    found, error = np.array(fits).T
    assert error.mean() == pytest.approx(found.std(ddof=1), rel=0.2)


def test_a_drift_of_the_size_that_is_named_is_found_in_four_of_five_draws():
    rng, time = np.random.default_rng(7), np.array([-2.0, -1.5, -1.2, -1.0])
    root = rng.normal(size=(4, 4))
    covariance = root @ root.T / 10
    joint, slope = trend_tests(np.zeros(4), covariance, time)
    for test, at in ((joint, 0), (slope, 1)):
        drawn = rng.multivariate_normal(test.detectable * time, covariance, size=4_000)
        found = np.mean([trend_tests(one, covariance, time)[at].p_value < 0.05 for one in drawn])
        assert found == pytest.approx(0.8, abs=0.025)  # of 4,000 draws the standard error is 0.006
    with pytest.raises(ArgumentError, match="two periods"):
        trend_tests(np.zeros(1), np.eye(1), np.zeros(1))
    with pytest.raises(ArgumentError, match="no variance"):
        trend_tests(np.zeros(2), np.zeros((2, 2)), np.arange(2.0))


def test_power_and_p_value_of_a_drift_are_those_of_chi_squared():
    """Authority: scipy.stats; of three independent differences with variance 1 the noncentrality is drift squared times 2."""
    time = np.array([-3.0, -2.0, -1.0])
    for test, freedom in zip(trend_tests(np.array([0.0, 0.5, 2.0]), np.eye(3), time), (2, 1), strict=True):
        limit = stats.chi2.isf(0.05, freedom)
        assert stats.ncx2.sf(limit, freedom, 2 * test.detectable**2) == pytest.approx(0.8, abs=1e-12)
        assert test.p_value == pytest.approx(stats.chi2.sf(test.statistic, freedom), rel=1e-12)


# -- what is released -------------------------------------------------------------------------------------------------


def test_released_estimates_hold_the_exact_interval_and_a_second_release_changes_nothing(many):
    e, asked = sr.evaluation, {"outcome": "accident_and_emergency"}
    exact = {
        "before_after": e.before_after(many, **asked),
        "differences": e.difference_in_differences(many, before=(366, 730), **asked),
        "linear": e.difference_in_differences(many, method="linear", **asked),
        "study": e.event_study(many, period=182, **asked),
    }
    released = sr.suppress(exact, NHS)
    shown = 0
    for name, old in exact.items():
        new = released[name]
        for was, now in zip(old.estimates.iter_rows(named=True), new.estimates.iter_rows(named=True), strict=True):
            if now["lower"] is None:
                continue
            shown += 1
            slack = 0.006 * np.abs([now["lower"], now["upper"]])
            assert now["lower"] <= was["lower"] + slack[0]
            assert now["upper"] >= was["upper"] - slack[1]
        assert sr.suppress(new, NHS).estimates.equals(new.estimates)
        assert all(n % 5 == 0 for n in new.periods["n_with_event"].drop_nulls())
    assert shown >= 5


def test_where_a_count_of_a_period_is_suppressed_its_estimate_is_too(many):
    study = sr.evaluation.event_study(many, period=60, leads=8, lags=4, reference=-1)
    released = sr.suppress(study, NHS)
    few = study.periods.filter(c("n_with_event").is_between(1, 7))
    assert few.height  # of 24 people, few are admitted in two months
    marked = released.periods.filter(c("n_with_event").is_null())["period"].unique().to_list()
    assert set(few["period"]) <= set(marked)
    rows = released.estimates.filter(c("period").is_in(marked))
    assert rows.filter(~c("is_reference"))["estimate"].null_count() == rows.filter(~c("is_reference")).height
    assert released.pretrend["p_value"].null_count() == released.pretrend.height
    # counts that make up the arms are of these people, and nothing else is told of leads
    assert set(released.count_tables["pretrend"]["statistic"].drop_nulls()) == set()


def of_enrolled(result: sr.Result, counts: list[tuple[object, int, int, int]]) -> sr.Result:
    """The result with other counts: of 40 enrolled people, those with the event by period, with its first and last day."""
    tables = result.count_tables
    schema, none = tables["periods"].schema, tables["effects"].head(0)
    rows = [("enrolled", name, first, last, n, 1.0, 100.0) for name, first, last, n in counts]
    arms = pl.DataFrame({"arm": ["enrolled"], "n_persons": [40]}, schema=tables["arms"].schema)
    periods = pl.DataFrame(rows, schema=schema, orient="row")
    return replace(result, count_tables={**tables, "arms": arms, "periods": periods, "effects": none})


def test_parts_of_a_year_are_protected_beside_the_year(matched):
    # 20 people have the event in the year after, 10 in its first half, 6 in the second. As 20 and 10 they would be 18 at least and
    # 12 at most, and the mark of the second half 6 or 7, as whoever has it in the year has it in one of the halves
    year = of_enrolled(sr.evaluation.before_after(matched), [("before", -365, -1, 30), ("after", 1, 365, 20)])
    whole = sr.evaluation.event_study(matched, period=183, leads=2, lags=2, reference=-1, method="linear")
    halves = of_enrolled(whole, [(1, 1, 183, 10), (2, 184, 366, 6)])
    alone = sr.suppress(halves, NHS)
    assert alone.periods["n_with_event"].to_list() == [10, None]
    both = sr.suppress([year, halves], NHS)
    shown = [both[0].periods["n_with_event"][1], both[1].periods["n_with_event"][0]]
    assert both[1].periods["n_with_event"][1] is None
    assert None in shown
    assert not sr.check_differencing(both)
    # released after the year alone, the halves give way
    first = sr.suppress(year, NHS)
    after = sr.suppress(halves, NHS, beside=[first])
    assert after.periods["n_with_event"].to_list() == [None, None]
