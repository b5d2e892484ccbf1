"""Curves and the log-rank test, as a reader of the manual meets them: a few people, one call, the answer by hand."""

from __future__ import annotations

from fractions import Fraction
from math import exp, log, sqrt

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research.errors import ArgumentError

NAMED = {"time": "time", "event": "event"}
Z = 1.959963984540054  # R: qnorm(0.975)


def people(text: str) -> pl.DataFrame:
    """Read people drawn as a table."""
    head, *rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    columns = {}
    for name, *values in zip(head, *rows, strict=True):
        whole = all(v.lstrip("-").isdigit() for v in values)
        columns[name] = [int(v) for v in values] if whole else [v or None for v in values]
    return pl.DataFrame(columns)


FIVE = """
time | event
   1 | 1
   2 | 1
   2 | 0
   3 | 0
   4 | 1
"""


def test_kaplan_meier_of_five_people():
    curve = sr.survival.kaplan_meier(people(FIVE), **NAMED).estimates
    # at risk 5, 4, 2, 1: whoever is censored at 2 is still at risk at 2
    # survival 4/5; 4/5 x 3/4 = 3/5; 3/5; 3/5 x 0 = 0
    assert curve["time"].to_list() == [1, 2, 3, 4]
    assert curve["n_at_risk"].to_list() == [5, 4, 2, 1]
    assert curve["n_events"].to_list() == [1, 1, 0, 1]
    assert curve["n_censored"].to_list() == [0, 1, 1, 0]
    assert curve["estimate"].to_list() == pytest.approx([0.8, 0.6, 0.6, 0])
    # Greenwood at 2: 0.6 x sqrt(1/(5 x 4) + 1/(4 x 3)) = 0.6 x sqrt(2/15)
    assert curve["standard_error"][1] == pytest.approx(0.6 * sqrt(2 / 15))


@pytest.mark.parametrize(
    ("interval", "lower", "upper"),
    [
        # survival at 1 is 0.8 with standard error 0.8 x sqrt(1/20); each on its own scale, cut at 1
        ("plain", 0.8 - Z * 0.8 * sqrt(0.05), 1.0),
        ("log", 0.8 * exp(-Z * sqrt(0.05)), 1.0),
        ("log_log", 0.8 ** exp(-Z * sqrt(0.05) / log(0.8)), 0.8 ** exp(Z * sqrt(0.05) / log(0.8))),
    ],
)
def test_intervals_by_hand(interval, lower, upper):
    first = sr.survival.kaplan_meier(people(FIVE), interval=interval, **NAMED).estimates.row(0, named=True)
    assert first["lower"] == pytest.approx(lower, rel=1e-14)
    assert first["upper"] == pytest.approx(upper, rel=1e-14)


def test_at_zero_no_interval_exists():
    last = sr.survival.kaplan_meier(people(FIVE), **NAMED).estimates.row(-1, named=True)
    assert last["estimate"] == 0
    assert (last["standard_error"], last["lower"], last["upper"]) == (None, None, None)


def test_late_entry_by_hand():
    drawn = people(
        """
        entry | time | event
            0 |    2 | 1
            0 |    5 | 1
            2 |    4 | 1
            3 |    6 | 0
        """
    )
    curve = sr.survival.kaplan_meier(drawn, entry="entry", **NAMED).estimates
    # at 2: the first two (whoever enters at 2 is at risk only after it); at 4: three; at 5: two; at 6: one
    assert curve["n_at_risk"].to_list() == [2, 3, 2, 1]
    assert curve["estimate"].to_list() == pytest.approx([1 / 2, 1 / 2 * 2 / 3, 1 / 2 * 2 / 3 / 2, 1 / 6])


def test_nobody_at_risk_in_the_middle():
    drawn = people(
        """
        entry | time | event
            0 |    1 | 0
            4 |    6 | 1
            4 |    7 | 0
        """
    )
    curve = sr.survival.kaplan_meier(drawn, entry="entry", **NAMED).estimates
    assert curve["time"].to_list() == [1, 6, 7]
    assert curve["n_at_risk"].to_list() == [1, 2, 1]
    assert curve["estimate"].to_list() == pytest.approx([1, 0.5, 0.5])


def test_a_curve_that_reached_zero_stays_there_whoever_enters_later():
    drawn = people(
        """
        entry | time | event
            0 |    1 | 1
            4 |    6 | 1
            4 |    7 | 0
        """
    )
    curve = sr.survival.kaplan_meier(drawn, entry="entry", **NAMED).estimates
    assert curve["estimate"].to_list() == [0, 0, 0]
    both = sr.survival.cumulative_incidence(drawn, entry="entry", **NAMED).estimates
    # everybody at risk had the event: its share is certain, and the standard error zero from then on
    assert both["estimate"].to_list() == [1, 1, 1]
    assert both["standard_error"].to_list() == [0, 0, 0]


def test_times_apart_by_rounding_alone_are_ties():
    # 0.1 + 0.2 is 0.30000000000000004: R's survival joins it with 0.3 (timefix), so two of three have the event at once
    drawn = pl.DataFrame({"time": [0.1 + 0.2, 0.3, 1.0], "event": [1, 1, 0]})
    curve = sr.survival.kaplan_meier(drawn, **NAMED).estimates
    assert curve["n_events"].to_list() == [2, 0]
    assert curve["estimate"].to_list() == pytest.approx([1 / 3, 1 / 3])
    # and an entry at 0.3 is not before an event at 0.1 + 0.2
    drawn = pl.DataFrame({"entry": [0.0, 0.3, 0.0], "time": [0.1 + 0.2, 1.0, 2.0], "event": [1, 1, 0]})
    assert sr.survival.kaplan_meier(drawn, entry="entry", **NAMED).estimates["n_at_risk"].to_list() == [2, 2, 1]


def test_follow_up_no_longer_than_a_rounding_error_is_refused():
    drawn = pl.DataFrame({"entry": [0.3, 0.0], "time": [0.1 + 0.2, 2.0], "event": [1, 0]})
    with pytest.raises(ArgumentError, match="1 rows have a time that is after entry by a rounding error alone"):
        sr.survival.kaplan_meier(drawn, entry="entry", **NAMED)


def test_cumulative_incidence_of_four_people():
    drawn = people(
        """
        time | event
           1 | 1
           2 | 2
           3 | 1
           4 | 0
        """
    )
    curves = sr.survival.cumulative_incidence(drawn, **NAMED).estimates
    first, second = curves.filter(pl.col("cause") == 1), curves.filter(pl.col("cause") == 2)
    # still free before 1, 2, 3: 1, 3/4, 1/2. Cause 1: 1/4, then 1/2 x 1/2 more; cause 2: 3/4 x 1/3
    assert first["estimate"].to_list() == pytest.approx([1 / 4, 1 / 4, 1 / 2, 1 / 2])
    assert second["estimate"].to_list() == pytest.approx([0, 1 / 4, 1 / 4, 1 / 4])
    # nobody censored so far: the share is a proportion, with the variance of one, p (1 - p) / n
    assert first["standard_error"][2] == pytest.approx(sqrt(1 / 2 * 1 / 2 / 4))
    assert second["standard_error"][1] == pytest.approx(sqrt(1 / 4 * 3 / 4 / 4))
    # nothing of cause 2 yet at 1: no interval on the log scale
    assert second.row(0, named=True)["lower"] is None


def test_variance_of_incidence_after_very_long_follow_up():
    # Half of those left die of each of two causes in turn until one person in 2**40 is left, so survival falls to
    # 1e-12: the variance must keep its digits. Nobody is censored, so it is p (1 - p) / n, in exact fractions.
    n = 2**40
    left, rows = n, []
    for t in range(1, 41):
        left //= 2
        rows.append((t, 1 + t % 2, left))
    frame = pl.DataFrame([*rows, (41, 0, 1)], schema=["time", "event", "people"], orient="row")
    # a row may not stand for more people than there are, so the largest groups come in pieces
    pieces = pl.concat(
        [
            frame.with_columns((pl.col("people") // 128 + (k < pl.col("people") % 128)).cast(pl.Int64))
            for k in range(128)
        ]
    )
    curves = sr.survival.cumulative_incidence(pieces, weights="people", **NAMED).estimates
    for cause in (1, 2):
        reached = 0
        own = curves.filter(pl.col("cause") == cause)
        for (_, which, dead), row in zip(rows, own.iter_rows(named=True), strict=False):
            reached += dead * (which == cause)
            share = Fraction(reached, n)
            assert row["estimate"] == pytest.approx(float(share), rel=1e-13)
            assert row["standard_error"] == pytest.approx(sqrt(share * (1 - share) / n), rel=1e-10)


def test_a_cause_named_but_never_seen_is_a_flat_curve():
    drawn = people("time | event\n1 | 1\n2 | 0")
    curves = sr.survival.cumulative_incidence(drawn, cause_names={1: "admission", 2: "death"}, **NAMED).estimates
    assert curves.filter(pl.col("cause") == 2)["estimate"].to_list() == [0, 0]


SIX = """
arm | entry | time | event
  a |     0 |    3 | 1
  a |     0 |    5 | 1
  a |     2 |    8 | 0
  b |     0 |    5 | 1
  b |     4 |    9 | 1
  b |     5 |    9 | 0
"""


def test_logrank_with_late_entry_by_hand():
    # time  at risk a, b   events a, b   expected in a    variance d (n - d)/(n - 1) x share a x share b
    #    3        3, 1        1, 0        3/4              1 x 3/4 x 1/4           = 3/16
    #    5        2, 2        1, 1        2 x 2/4 = 1      2 x 2/3 x 1/2 x 1/2     = 1/3
    #    9        0, 2        0, 1        0                0 (nobody left in a)
    # observed - expected in a = 2 - 7/4 = 1/4; variance 3/16 + 1/3 = 25/48; statistic (1/16) / (25/48) = 3/25
    # at 5, the last of b enters at 5 and is not yet at risk; at 3, the second of b enters at 4
    test = sr.survival.logrank_test(people(SIX), by="arm", entry="entry", **NAMED)
    row = test.estimates.row(0, named=True)
    assert row["statistic"] == pytest.approx(3 / 25, rel=1e-14)
    assert row["degrees_of_freedom"] == 1
    # R: pchisq(0.12, 1, lower.tail = FALSE)
    assert row["p_value"] == pytest.approx(0.729034489538804, rel=1e-12)
    assert test.groups["observed"].to_list() == [2, 2]
    assert test.groups["expected"].to_list() == pytest.approx([7 / 4, 9 / 4])
    assert test.groups["n_persons"].to_list() == [3, 3]


def test_weighted_logrank_by_hand():
    # as above, each time weighted by the number at risk, 4 and 4 (9 says nothing): the weight cancels
    test = sr.survival.logrank_test(people(SIX), by="arm", entry="entry", weighting="gehan_breslow", **NAMED)
    assert test.estimates["statistic"].item() == pytest.approx(3 / 25, rel=1e-14)
    # weighted by the pooled curve just before: 1 and 3/4.
    # Score 1/4 x 1 + 0 x 3/4 = 1/4; variance 3/16 + 9/16 x 1/3 = 3/8; statistic (1/16)/(3/8) = 1/6
    test = sr.survival.logrank_test(people(SIX), by="arm", entry="entry", weighting="peto_peto", **NAMED)
    assert test.estimates["statistic"].item() == pytest.approx(1 / 6, rel=1e-14)


def test_groups_that_are_never_followed_at_the_same_time_have_a_test_each():
    # a and b are followed early, c and d late: two tests of one degree of freedom, added up
    pair = [("{0}", 0, 2, 1), ("{0}", 0, 4, 1), ("{1}", 0, 3, 1), ("{1}", 0, 5, 0)]
    early = [(arm.format("a", "b"), *rest) for arm, *rest in pair]
    late = [(arm.format("c", "d"), entry + 9, time + 9, event) for arm, entry, time, event in pair]
    schema = ["arm", "entry", "time", "event"]
    arguments = {"by": "arm", "entry": "entry", **NAMED}
    one = sr.survival.logrank_test(pl.DataFrame(early, schema=schema, orient="row"), **arguments).estimates
    both = sr.survival.logrank_test(pl.DataFrame(early + late, schema=schema, orient="row"), **arguments).estimates
    assert both["degrees_of_freedom"].item() == 2
    assert both["statistic"].item() == pytest.approx(2 * one["statistic"].item(), rel=1e-12)


def test_groups_that_never_meet_cannot_be_compared():
    drawn = people("arm | entry | time | event\na | 0 | 1 | 1\na | 0 | 2 | 1\nb | 5 | 7 | 1\nb | 5 | 8 | 1")
    test = sr.survival.logrank_test(drawn, by="arm", entry="entry", **NAMED)
    assert test.estimates.row(0) == (None, 0, None)
    assert "too small to compare" in test.sentence()


def test_everybody_alike():
    drawn = pl.DataFrame({"time": [5] * 4, "event": [1] * 4, "arm": ["a", "a", "b", "b"]})
    curve = sr.survival.kaplan_meier(drawn, **NAMED).estimates
    assert curve.select("time", "n_at_risk", "n_events", "estimate").row(0) == (5, 4, 4, 0.0)
    # all at risk have the event at once: nothing tells the groups apart
    assert sr.survival.logrank_test(drawn, by="arm", **NAMED).estimates.row(0) == (None, 0, None)


@pytest.mark.parametrize("event", [0, 1])
def test_one_person(event):
    curve = sr.survival.kaplan_meier(pl.DataFrame({"time": [3], "event": [event]}), **NAMED).estimates
    assert curve["estimate"].to_list() == [1.0 - event]
    incidence = sr.survival.cumulative_incidence(pl.DataFrame({"time": [3], "event": [event]}), **NAMED).estimates
    assert incidence["estimate"].to_list() == [float(event)]


def test_nobody():
    nobody = pl.DataFrame(schema={"time": pl.Int64, "event": pl.Int64, "arm": pl.String})
    for by in ((), "arm"):
        assert sr.survival.kaplan_meier(nobody, by=by, **NAMED).estimates.height == 0
        assert sr.survival.cumulative_incidence(nobody, by=by, **NAMED).estimates.height == 0
    assert sr.survival.kaplan_meier(nobody, **NAMED).sentence() == "No group is large enough to show a curve."
    with pytest.raises(ArgumentError, match="a test needs two or more"):
        sr.survival.logrank_test(nobody, by="arm", **NAMED)


def test_nobody_with_the_event():
    drawn = pl.DataFrame({"time": [1, 2], "event": [0, 0], "arm": ["a", "b"]})
    assert sr.survival.kaplan_meier(drawn, **NAMED).estimates["estimate"].to_list() == [1, 1]
    assert sr.survival.cumulative_incidence(drawn, **NAMED).estimates["estimate"].to_list() == [0, 0]
    assert sr.survival.logrank_test(drawn, by="arm", **NAMED).estimates.row(0) == (None, 0, None)


def test_a_missing_stratum_is_a_stratum_of_its_own():
    drawn = pl.DataFrame({"time": [1, 2, 3], "event": [1, 1, 1], "arm": ["a", None, None]})
    curve = sr.survival.kaplan_meier(drawn, by="arm", **NAMED).estimates
    assert curve["arm"].to_list() == ["a", None, None]
    assert curve["estimate"].to_list() == [0, 0.5, 0]
    assert sr.survival.logrank_test(drawn, by="arm", **NAMED).estimates["degrees_of_freedom"].item() == 1


def test_a_row_of_no_people_changes_nothing():
    drawn = pl.DataFrame({"time": [1, 2, 3], "event": [1, 1, 0], "people": [2, 0, 1]})
    curve = sr.survival.kaplan_meier(drawn, weights="people", **NAMED).estimates
    assert curve["time"].to_list() == [1, 3]
    assert curve["n_at_risk"].to_list() == [3, 1]


@pytest.mark.parametrize("event", [pl.Boolean, pl.Int8, pl.UInt8, pl.Float64])
@pytest.mark.parametrize("time", [pl.Int16, pl.UInt32, pl.Float32, pl.Float64, pl.Decimal(10, 2)])
def test_types_of_columns_do_not_matter(event, time):
    drawn = people(FIVE).with_columns(pl.col("event").cast(event), pl.col("time").cast(time))
    curve = sr.survival.kaplan_meier(drawn, **NAMED).estimates
    assert curve["estimate"].to_list() == pytest.approx([0.8, 0.6, 0.6, 0])


def as_pandas(frame: pl.DataFrame):
    import pandas

    return pandas.DataFrame({name: frame[name].to_list() for name in frame.columns})


def as_arrow(frame: pl.DataFrame):
    return pytest.importorskip("pyarrow").table(frame.to_dict(as_series=False))


@pytest.mark.parametrize("door", [pl.DataFrame.lazy, as_pandas, as_arrow])
def test_any_frame_will_do(door):
    drawn = people(SIX)
    arguments = {"by": "arm", "entry": "entry", **NAMED}
    wanted = sr.survival.kaplan_meier(drawn, **arguments).estimates
    assert_frame_equal(sr.survival.kaplan_meier(door(drawn), **arguments).estimates, wanted)


def test_pandas_gaps_are_gaps():
    import pandas

    drawn = pandas.DataFrame({"time": [1, 2, 3], "event": [1, 1, 0], "arm": ["a", None, float("nan")]})
    curve = sr.survival.kaplan_meier(drawn, by="arm", **NAMED).estimates
    assert curve["arm"].to_list() == ["a", None, None]
    nullable = pandas.DataFrame({"time": pandas.array([1, None], dtype="Int64"), "event": [1, 0]})
    with pytest.raises(ArgumentError, match="1 rows have no finite number in time column 'time'"):
        sr.survival.kaplan_meier(nullable, **NAMED)


GOOD = {"time": [987654.0, 2.0], "event": [1.0, 0.0], "entry": [0.0, 1.0], "people": [1.0, 1.0], "arm": ["a", "b"]}


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("time", None, "1 rows have no finite number in time column 'time'"),
        ("time", float("nan"), "1 rows have no finite number in time column 'time'"),
        ("time", float("inf"), "1 rows have no finite number in time column 'time'"),
        ("time", -987654.0, "1 rows have a time that is not after entry"),
        ("time", 0.0, "1 rows have a time that is not after entry"),
        ("entry", None, "1 rows have no finite number in entry column 'entry'"),
        ("entry", float("-inf"), "1 rows have no finite number in entry column 'entry'"),
        ("event", None, "1 rows have no code in event column 'event'"),
        ("event", float("nan"), "1 rows have no code in event column 'event'"),
        ("event", -987654.0, "a code in event column 'event' that is not 0, 1, 2"),
        ("event", 0.987654, "a code in event column 'event' that is not 0, 1, 2"),
        ("event", 987654e12, "a code in event column 'event' that is not 0, 1, 2"),
        ("event", float("inf"), "a code in event column 'event' that is not 0, 1, 2"),
        ("event", 2.0, "holds causes above 1"),
        ("people", None, "1 rows have a weight in column 'people' that is not an integer number of people"),
        ("people", float("nan"), "1 rows have a weight in column 'people'"),
        ("people", float("inf"), "1 rows have a weight in column 'people'"),
        ("people", -987654.0, "1 rows have a weight in column 'people'"),
        ("people", 0.987654, "1 rows have a weight in column 'people'"),
        ("people", 987654e24, "1 rows have a weight in column 'people'"),
    ],
)
def test_faults_are_told_with_counts_and_never_a_value(column, value, message):
    drawn = pl.DataFrame({**GOOD, column: [value, GOOD[column][1]]})
    with pytest.raises(ArgumentError, match=message) as told:
        sr.survival.kaplan_meier(drawn, entry="entry", weights="people", **NAMED)
    assert "987654" not in str(told.value)


def test_a_time_below_zero_is_refused_without_entry():
    with pytest.raises(ArgumentError, match="1 rows have a time below zero"):
        sr.survival.kaplan_meier(pl.DataFrame({"time": [-1, 2], "event": [1, 0]}), **NAMED)


def test_all_faults_are_told_at_once():
    drawn = pl.DataFrame({"time": [None, 2.0], "event": [1, None]})
    with pytest.raises(ArgumentError, match="time column 'time'; 1 rows have no code in event column 'event'"):
        sr.survival.kaplan_meier(drawn, **NAMED)


def test_a_missing_column_is_named_with_what_was_meant():
    with pytest.raises(ArgumentError, match=r"no column 'tiem'\. Columns: time, event.* Did you mean 'time'\?"):
        sr.survival.kaplan_meier(people(FIVE), time="tiem", event="event")


def test_columns_of_words_are_refused():
    drawn = pl.DataFrame({"time": ["1"], "event": ["yes"]})
    with pytest.raises(ArgumentError, match="Column 'time' is String; a number is needed"):
        sr.survival.kaplan_meier(drawn, **NAMED)
    with pytest.raises(ArgumentError, match="Event column 'event' is String; it must be Boolean"):
        sr.survival.kaplan_meier(drawn.with_columns(pl.lit(1).alias("time")), **NAMED)


@pytest.mark.parametrize(
    "name", ["n_at_risk", "n_events", "n_censored", "estimate", "lower", "kind", "n_1", "__entered", "expected"]
)
def test_strata_named_like_our_own_columns_are_refused(name):
    drawn = people(FIVE).with_columns(pl.lit("a").alias(name))
    with pytest.raises(ArgumentError, match=f"may not hold a column called {name}"):
        sr.survival.kaplan_meier(drawn, by=name, **NAMED)


def test_strata_named_twice_are_refused():
    with pytest.raises(ArgumentError, match="by names arm twice"):
        sr.survival.kaplan_meier(people(SIX), by=["arm", "arm"], **NAMED)


@pytest.mark.parametrize("name", ["arm of the trial", "literal", "len", "row", "count", "n_persons_in_practice"])
def test_other_names_of_strata_are_free(name):
    drawn = people(SIX).rename({"arm": name})
    curve = sr.survival.kaplan_meier(drawn, by=name, **NAMED)
    assert curve.estimates[name].unique().sort().to_list() == ["a", "b"]
    assert sr.survival.logrank_test(drawn, by=name, **NAMED).groups[name].to_list() == ["a", "b"]
    curve = sr.survival.kaplan_meier(drawn, by=name, time_unit="days", **NAMED)
    form = curve.release_form(curve.count_tables, curve.settings, curve.by, sr.Policy.nhs_england())
    assert form["grid"][name].unique().sort().to_list() == ["a", "b"]


@pytest.mark.parametrize("name", ["cause", "state"])
def test_names_of_the_released_tables_are_refused(name):
    with pytest.raises(ArgumentError, match=f"A stratum may not be called {name}"):
        sr.survival.kaplan_meier(people(SIX).rename({"arm": name}), by=name, **NAMED)


def test_reading_a_curve_at_times():
    curve = sr.survival.kaplan_meier(people(FIVE), **NAMED)
    read = sr.survival.at(curve, [0, 1, 1.5, 4, 5]).estimates
    assert read["estimate"].to_list() == pytest.approx([1, 0.8, 0.8, 0, None])
    assert read["n_at_risk"].to_list() == [5, 5, 4, 1, None]


def test_curves_of_many_people_are_not_slow_and_not_wrong():
    # authority: the product over sorted unique times in numpy
    random = np.random.default_rng(5)
    time, event = random.integers(1, 400, 50_000), random.integers(0, 2, 50_000)
    curve = sr.survival.kaplan_meier(pl.DataFrame({"time": time, "event": event}), **NAMED).estimates
    moments = np.unique(time)
    at_risk = np.array([(time >= t).sum() for t in moments])
    events = np.array([((time == t) & (event == 1)).sum() for t in moments])
    assert curve["estimate"].to_list() == pytest.approx(np.cumprod(1 - events / at_risk).tolist(), rel=1e-12)


def test_a_code_of_no_cause_is_refused_as_a_name():
    frame = pl.DataFrame({"time": [1, 2, 3], "event": [1, 2, 0]})
    for names, said in (({0: "censored"}, "0 is censoring"), ({"1": "admission"}, "'1' is no cause")):
        with pytest.raises(ArgumentError, match=said):
            sr.survival.cumulative_incidence(frame, time="time", event="event", cause_names=names)


def test_a_name_of_ones_own_is_said_as_it_is():
    """A readmission of a frame of one's own need not be an emergency."""
    frame = pl.DataFrame({"time": [1, 2, 3], "event": [1, 1, 0]})
    curve = sr.survival.cumulative_incidence(frame, time="time", event="event", cause_names={1: "readmission"})
    assert "emergency" not in curve.sentence()
    assert "readmitted" in curve.sentence()


def test_before_anybody_is_at_risk_there_is_no_share():
    """Three enter at 2, one leaves at 3, one at 5: by hand 1 until 3, then 2/3, then 1/3."""
    late = pl.DataFrame({"entry": [2, 2, 2], "time": [3, 5, 6], "event": [1, 1, 0]})
    curve = sr.survival.kaplan_meier(late, time="time", event="event", entry="entry", time_unit="months")
    read = sr.survival.at(curve, [0, 1, 2, 3, 5]).estimates
    assert read["estimate"].to_list() == [None, None, 1.0, pytest.approx(2 / 3), pytest.approx(1 / 3)]
    assert read["n_at_risk"].to_list() == [0, 0, 3, 3, 2]
    line = max(sr.plot(curve).get_lines(), key=lambda one: len(one.get_xdata()))
    assert min(line.get_xdata()) == 2


def test_a_released_curve_of_late_entry_begins_with_those_at_risk():
    late = pl.DataFrame({"entry": [2.0] * 60, "time": [4.0] * 20 + [9.0] * 40, "event": [1] * 20 + [0] * 40})
    curve = sr.survival.kaplan_meier(late, time="time", event="event", entry="entry", time_unit="months")
    shown = sr.suppress(curve, sr.Policy.nhs_england()).estimates
    known = shown.filter(pl.col("estimate").is_not_null())
    assert known["time"].min() == 2
    assert known["estimate"][0] == 1
