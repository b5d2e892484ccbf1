"""Fleming-Harrington weights, strata, trend and late entry of the log-rank test, by hand."""

from __future__ import annotations

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError

NHS = sr.Policy.nhs_england()
NAMED = {"time": "time", "event": "event", "by": "arm"}
FOUR = pl.DataFrame(
    {"time": [1, 2, 3, 4], "event": [1, 1, 1, 0], "arm": ["a", "b", "a", "b"], "site": ["x", "x", "y", "y"]}
)


def statistic(frame: pl.DataFrame = FOUR, **arguments) -> float:
    return sr.survival.logrank_test(frame, **NAMED, **arguments).estimates["statistic"].item()


def test_fleming_harrington_by_hand():
    # at risk of a and b: day 1: 2 2, day 2: 1 2, day 3: 1 1; a has the events of days 1 and 3.
    # observed less expected of a: 1 - 1/2, 0 - 1/3, 1 - 1/2; variances 1/4, 2/9, 1/4.
    assert statistic() == pytest.approx((1 / 2 - 1 / 3 + 1 / 2) ** 2 / (1 / 4 + 2 / 9 + 1 / 4))
    # pooled survival before: 1, 3/4, 1/2; (0, 1) weighs 0, 1/4, 1/2
    late = (-1 / 12 + 1 / 4) ** 2 / (2 / 9 / 16 + 1 / 4 / 4)
    assert statistic(weighting="fleming_harrington", powers=(0, 1)) == pytest.approx(late)
    assert statistic(weighting="fleming_harrington", powers=(0, 0)) == pytest.approx(statistic())
    assert statistic(weighting="fleming_harrington", powers=(1, 0)) == statistic(weighting="peto_peto")


def test_strata_by_hand():
    # site x: day 1 of a and b one each: 1 - 1/2, 1/4; day 2 b alone. Site y: day 3 one each: 1 - 1/2, 1/4.
    assert statistic(strata="site") == pytest.approx((1 / 2 + 1 / 2) ** 2 / (1 / 4 + 1 / 4))
    test = sr.survival.logrank_test(FOUR, strata="site", **NAMED)
    assert test.groups.select("arm", "observed", "expected").rows() == [("a", 2, 1), ("b", 1, 2)]
    assert "stratified by site" in test.sentence()


def test_trend_by_hand():
    # three arms of one, events on days 1, 2, 3. Scores 1 2 3: day 1: a at a mean of 2, variance 2/3; day 2: b at a mean
    # of 5/2, variance 1/4. So (1 - 2 + 2 - 5/2)^2 / (2/3 + 1/4) = (9/4) / (11/12) = 27/11
    three = pl.DataFrame({"time": [1, 2, 3], "event": [1, 1, 1], "arm": ["a", "b", "c"]})
    assert statistic(three, trend=True) == pytest.approx(27 / 11)
    assert statistic(three, trend={"a": 10, "b": 20, "c": 30}) == pytest.approx(27 / 11)
    assert statistic(trend=True) == pytest.approx(statistic())  # of two groups a trend is a difference


def test_late_entry_by_hand():
    # b enters after day 1 and is not at risk then: day 2 of a and b one each, the event is a's: (1/2)^2 / (1/4)
    late = pl.DataFrame({"time": [1, 2, 3], "event": [1, 1, 0], "arm": ["a", "a", "b"], "entry": [0, 0, 1]})
    assert statistic(late, entry="entry") == pytest.approx(1)
    # entered at 0, b is at risk on day 1 too: (1 - 2/3 + 1/2)^2 / (2/9 + 1/4)
    assert statistic(late) == pytest.approx((1 / 3 + 1 / 2) ** 2 / (2 / 9 + 1 / 4))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"powers": (1, 0)}, "powers"),
        ({"weighting": "fleming_harrington"}, "powers"),
        ({"weighting": "fleming_harrington", "powers": (-1, 0)}, "0 or more"),
        ({"strata": "arm"}, "groups or strata"),
        ({"trend": {"a": 1}}, "1 of 2 levels of 'arm' have no score"),
        ({"trend": {"a": 1, "b": 1}}, "not all the same"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, said):
    with pytest.raises(ArgumentError, match=said):
        statistic(**arguments)


def test_a_group_without_a_level_has_no_place_in_an_order():
    with pytest.raises(ArgumentError, match="1 group has no level"):
        statistic(FOUR.with_columns(arm=pl.Series(["a", "b", None, "b"])), trend=True)


def test_nothing_of_strata_or_days_is_released():
    rows = [(day % 200, int(day % 3 == 0), "ab"[day % 2], "xyz"[day % 7 % 3]) for day in range(0, 4000, 3)]
    people = pl.DataFrame(rows, schema=["time", "event", "arm", "site"], orient="row")
    exact = sr.survival.logrank_test(people, strata="site", trend=True, time_unit="days", **NAMED)
    safe = sr.suppress(exact, NHS)
    assert set(safe.count_tables) == {"groups", "test"}
    assert safe.estimates["statistic"].item() is None
    assert safe.estimates["p_value"].item() in (0.001, 0.01, 0.05, 1.0)
    assert "site" not in safe.groups.columns
    assert set(safe.groups["time"]) == {180}
    assert sr.suppress(safe, NHS).groups.equals(safe.groups)
