"""A programme that begins at different practices at different times: by hand, against two-way effects, edges, and what is released."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
import polars as pl
import pytest
from scipy.stats import ttest_ind
from test_match_controls import twelve

import symphony_research as sr
from symphony_research.cohort.events import events_of, why_not_recorded
from symphony_research.cohort.monthly import monthly_counts, practice_counts
from symphony_research.errors import ArgumentError, NotEstimableError
from symphony_research.evaluation.programme_study import AFTER, BEFORE
from symphony_research.evaluation.staggered import interaction_weighted, staggered_effects

c = pl.col
NHS = sr.Policy.nhs_england()


@pytest.fixture(scope="module")
def study():
    return sr.example_study(12_000)


@pytest.fixture(scope="module")
def found(study):
    return sr.evaluation.programme_event_study(study, programme="health_coaching", outcome="gp_contact")


# -- the estimator ----------------------------------------------------------------------------------------------------


def test_it_is_the_mean_of_differences_in_differences_by_hand():
    # rates of three practices over four periods; the third never has it. a begins in period 1, b in period 2
    #       0   1   2   3     against c (10, 12, 12, 16), from the period before the start
    #  a   10  14  15  22     1: 4 - 2 = 2;  2: 5 - 2 = 3;  3: 12 - 6 = 6
    #  b   20  21  26  29     2: 5 - 0 = 5;  3: 8 - 4 = 4;  0: -1 - (-2) = 1
    rates = np.array([[10.0, 14, 15, 22], [20, 21, 26, 29], [10, 12, 12, 16]])
    start, relative = np.array([1, 2, 4]), np.array([-2, 0, 1, 2])
    even, used = interaction_weighted(rates, np.ones((3, 4)), start, relative, method="linear")
    assert even == pytest.approx([1, (2 + 5) / 2, (3 + 4) / 2, 6])
    assert used == [[(2, 0)], [(1, 1), (2, 2)], [(1, 2), (2, 3)], [(1, 3)]]
    # a with three times the people: counts and time both thrice, rates the same
    size = np.array([[3.0], [1], [1]])
    by_size, _ = interaction_weighted(rates * size, np.ones((3, 4)) * size, start, relative, method="linear")
    assert by_size == pytest.approx([1, (3 * 2 + 5) / 4, (3 * 3 + 4) / 4, 6])
    # ratios: a in period 1 is 14/10 over 12/10, b in period 2 is 26/21 over 12/12
    logs, _ = interaction_weighted(rates, np.ones((3, 4)), start, np.array([0]), method="poisson")
    assert np.exp(logs[0]) == pytest.approx(np.sqrt(14 / 12 * 26 / 21))


def test_where_all_have_it_in_the_end_the_last_to_begin_are_compared_with_before_they_do():
    rates = np.array([[10.0, 14, 15, 22], [10, 14, 15, 23], [10, 12, 12, 50], [10, 12, 12, 60]])
    found, used = interaction_weighted(
        rates, np.ones((4, 4)), np.array([1, 1, 3, 3]), np.array([0, 1, 2]), method="linear"
    )
    assert found[:2] == pytest.approx([4 - 2, 5 - 2])
    assert np.isnan(found[2])  # in period 3 there is nobody without it
    assert used == [[(1, 1)], [(1, 2)], []]


def test_of_one_start_it_is_welch_s_test_of_the_changes_of_practices():
    rng = np.random.default_rng(1)
    rates = rng.normal(50, 5, (9, 2))
    start = np.array([1] * 5 + [2] * 4)
    found = staggered_effects(rates, np.ones((9, 2)), start, np.array([0]), np.ones((1, 1)), method="linear")
    change = rates[:, 1] - rates[:, 0]
    test = ttest_ind(change[:5], change[5:], equal_var=False)
    assert found.estimate[0] / found.error[0] == pytest.approx(test.statistic)
    assert found.degrees[0] == np.floor(test.df)


def two_way(rates: np.ndarray, has: np.ndarray) -> float:
    """The coefficient of having the programme, by least squares with effects of practices and periods."""
    n, t = rates.shape
    places, periods = np.repeat(np.arange(n), t), np.tile(np.arange(t), n)
    x = np.column_stack([has.ravel(), np.eye(n)[places], np.eye(t)[periods][:, 1:]])
    return float(np.linalg.lstsq(x, rates.ravel(), rcond=None)[0][0])


def test_effects_that_grow_are_found_where_two_way_effects_are_wrong():
    # without noise: the effect is 1 in the period of the start and 1 more in each after it, at starts 2 and 6 of 10 periods
    start, t = np.array([2, 2, 2, 6, 6, 6, 10, 10]), np.arange(10)
    since = t - start[:, None]
    effect = np.where(since >= 0, since + 1.0, 0.0)
    rates = 10 * np.arange(8.0)[:, None] + t + effect
    relative = np.array([-2, 0, 1, 2, 3])
    found, _ = interaction_weighted(rates, np.ones((8, 10)), start, relative, method="linear")
    assert found == pytest.approx([0, 1, 2, 3, 4])
    # the mean effect where it is there is (1 + ... + 8 + 1 + ... + 4) / 12 = 3.8; two-way effects take growth for no effect
    assert two_way(rates, since >= 0) < 0.85 * effect[since >= 0].mean()


def test_fewer_than_two_on_a_side_are_no_comparison():
    rates = np.arange(12.0).reshape(4, 3) + 1
    for start in ([1, 1, 1, 3], [1, 3, 3, 3]):
        with pytest.raises(NotEstimableError, match="Fewer than two practices"):
            staggered_effects(rates, np.ones((4, 3)), np.array(start), np.array([0]), np.ones((1, 1)), method="linear")


# -- counts by practice -----------------------------------------------------------------------------------------------


def test_counts_of_practices_are_those_of_months_added_up(study):
    found = practice_counts(study, "emergency_admission", months=3)
    assert found["period"].n_unique() == 28
    for practice in ("GP01", "GP19"):
        months = monthly_counts(study, "emergency_admission", [practice]).with_row_index("k")
        quarters = months.group_by(c("k") // 3, maintain_order=True).agg(
            c("n_persons").first(), (c("n_persons") * c("days")).sum().alias("days"), c("n_events").sum()
        )
        own = found.filter(c("practice_id") == practice)
        for name in ("n_persons", "days", "n_events"):
            assert own[name].to_list() == quarters[name].to_list()
    # of months by themselves people with the event are those of the month
    alone = practice_counts(study, "emergency_admission", months=1).filter(c("practice_id") == "GP01")
    assert (
        alone["n_with_event"].to_list()
        == monthly_counts(study, "emergency_admission", ["GP01"])["n_with_event"].to_list()
    )


def test_a_period_in_which_nobody_is_registered_has_no_row():
    spells = twelve().registrations.collect()
    late = spells.with_columns(
        start_date=pl.when(c("practice_id").cast(pl.String) == "B").then(date(2012, 5, 2)).otherwise("start_date")
    )
    found = practice_counts(twelve(registrations=late), "death", months=3)
    assert found.filter(c("practice_id") == "B")["period"].min() == 5  # July to September 2012
    assert found.filter(c("practice_id") == "A")["period"].min() == 0


def test_a_contact_with_a_gp_is_one_of_primary_care_by_a_general_practitioner():
    # of five rows the second is by a nurse, the third in hospital, and the last two are contacts of one day
    rows = [("primary_care", "general_practitioner", 1), ("primary_care", "practice_nurse", 2), ("inpatient", "general_practitioner", 3),
            ("primary_care", "general_practitioner", 4), ("primary_care", "general_practitioner", 4)]  # fmt: skip
    frame = pl.DataFrame(rows, schema=["setting", "staff_role", "day"], orient="row").select(
        "setting", "staff_role", person_id=pl.lit(1, dtype=pl.Int64), date=pl.date(2015, 6, c("day")), cost=pl.lit(1.0)
    )
    found = events_of(twelve(activity=frame), "gp_contact").collect()
    assert found["event_date"].to_list() == [date(2015, 6, 1), date(2015, 6, 4)]
    by_nurses = frame.with_columns(staff_role=pl.lit("practice_nurse"))
    assert why_not_recorded(twelve(activity=by_nurses), "gp_contact") == "The study has no GP contacts"


# -- the result -------------------------------------------------------------------------------------------------------


def test_it_finds_what_was_planted():
    # the generator replaces 8% of contacts with GPs where health coaching has begun, and leaves emergency admissions as they are
    study = sr.example_study(12_000)
    found = sr.evaluation.programme_event_study(study, programme="health_coaching", outcome="gp_contact")
    row = found.mean(AFTER)
    assert row["lower"] < 0.92 < row["upper"]
    assert row["upper"] < 1
    before = found.mean(BEFORE)
    assert before["lower"] < 1 < before["upper"]
    none = sr.evaluation.programme_event_study(study, programme="health_coaching").mean(AFTER)
    assert none["lower"] < 1 < none["upper"]


def test_its_words(found):
    assert found.estimates["period"].to_list() == [-4, -3, -2, 0, 1, 2, 3]
    said = found.sentence()
    assert (
        "In quarters 1 to 3 after that in which health coaching began at 16 practices, the rate of GP contacts was"
        in said
    )
    assert "had it changed as at 3 practices without it." in said
    assert found.arms["n_practices"].to_list() == [16, 3]
    assert "Quarter from the start" in sr.table(found).html
    assert found.key_figures()[0].measure == "Practices with health coaching: GP contacts"


def test_practices_that_have_it_from_the_start_are_omitted_and_counted(study):
    table = study.practice_programmes.collect()
    early = table.with_columns(
        start_date=pl.when(c("practice_id").cast(pl.String) == "GP01").then(date(2010, 1, 1)).otherwise("start_date")
    )
    other = replace(study, tables={**study.tables, "practice_programmes": early.lazy()})
    found = sr.evaluation.programme_event_study(other, programme="health_coaching", outcome="outpatient")
    arms = {row["arm"]: row for row in found.arms.iter_rows(named=True)}
    assert {name: row["n_practices"] for name, row in arms.items()} == {
        "with the programme": 15,
        "without it": 3,
        "omitted": 1,
    }
    registered = monthly_counts(study, "outpatient")["n_persons"][0]
    assert sum(row["n_persons"] for row in arms.values()) == registered


def test_a_programme_that_begins_after_the_data_is_none(study):
    # the data end on 31 March 2018: of practices that begin then the last quarter is the first, on the day after it none is
    table = study.practice_programmes.collect()
    for day, arms in ((date(2018, 3, 31), [16, 3]), (date(2018, 4, 1), [15, 4])):
        late = pl.when(c("practice_id").cast(pl.String) == "GP02").then(pl.lit(day)).otherwise("start_date")
        other = replace(
            study, tables={**study.tables, "practice_programmes": table.with_columns(start_date=late).lazy()}
        )
        found = sr.evaluation.programme_event_study(other, programme="health_coaching", outcome="outpatient")
        assert found.arms["n_practices"].to_list() == arms


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"programme": "luck"}, "programme='luck'"),
        ({"outcome": "luck"}, "outcome='luck'"),
        ({"outcome": "readmission"}, "outcome='readmission'"),
        ({"months": 0}, "months=0"),
        ({"leads": 0}, "leads=0"),
        ({"lags": 40}, "more periods of 3 months than the study has"),
        ({"months": 200}, "more periods of 200 months than the study has"),
        ({"method": "luck"}, "method='luck'"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(study, asked, why):
    with pytest.raises(ArgumentError, match=why):
        sr.evaluation.programme_event_study(study, **{"programme": "health_coaching", **asked})


def test_a_study_without_programmes_of_practices_is_refused(study):
    without = replace(study, given=study.given - {"practice_programmes"})
    with pytest.raises(ArgumentError, match="no table practice_programmes"):
        sr.evaluation.programme_event_study(without, programme="health_coaching")
    with pytest.raises(ArgumentError, match="takes a Study"):
        sr.evaluation.programme_event_study(sr.define_cohort(study), programme="health_coaching")  # type: ignore[arg-type]


# -- what is released, and drawn --------------------------------------------------------------------------------------


def test_released_intervals_hold_the_exact_ones(found):
    released = sr.suppress(found, NHS)
    for was, now in zip(
        (*found.estimates.iter_rows(named=True), *found.means.iter_rows(named=True)),
        (*released.estimates.iter_rows(named=True), *released.means.iter_rows(named=True)),
        strict=True,
    ):
        assert now["lower"] <= was["lower"] * (1 + 0.006)
        assert now["upper"] >= was["upper"] * (1 - 0.006)
    assert all(n % 5 == 0 for n in released.arms["n_persons"])
    assert sr.suppress(released, NHS).estimates.equals(released.estimates)
    assert "times what it would have been" in released.sentence()


def test_few_people_with_the_event_are_not_shown(study):
    # of 3 small practices without the programme under eight people die in most quarters
    exact = sr.evaluation.programme_event_study(study, programme="health_coaching", outcome="death")
    assert (exact.count_tables["effects"]["cell"] <= 7).all()
    released = sr.suppress(exact, NHS)
    assert released.estimates["estimate"].null_count() == released.estimates.height
    assert released.sentence().startswith("Too few practices or people")
    ax = sr.plot(released)
    assert ax.get_gid() == "nothing to draw"


def test_beside_a_series_of_everybody_the_arms_are_its_parts(study, found):
    series = sr.evaluation.interrupted_time_series(study, start="2015-10-01", outcome="gp_contact")
    assert not sr.check_differencing(sr.suppress([series, found], NHS))


def test_periods_are_drawn_with_their_reference(found):
    ax = sr.plot(found)
    marks = {text.get_text(): mark for text, mark in zip(ax.get_legend().get_texts(), ax.collections[1:], strict=True)}
    assert list(marks) == ["From the start on", "Before", "Reference"]
    after = found.estimates.filter(c("period") >= 0)
    assert np.asarray(marks["From the start on"].get_offsets()) == pytest.approx(
        after.select("period", "estimate").to_numpy()
    )
    assert [tuple(point) for point in marks["Reference"].get_offsets()] == [(-1, 1)]
    assert ax.get_yscale() == "log"
    with pytest.raises(ArgumentError, match="plot_programme_event_study draws the result"):
        sr.plot_programme_event_study(
            sr.suppress(sr.evaluation.interrupted_time_series(sr.example_study(12_000), start="2015-04-01"), NHS)
        )
