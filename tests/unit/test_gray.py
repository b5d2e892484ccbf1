"""Gray's test at its edges and released; its value is checked against cmprsk and a naive sum elsewhere."""

from __future__ import annotations

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError

NHS = sr.Policy.nhs_england()
NAMED = {"time": "time", "event": "event", "by": "arm"}
SIX = pl.DataFrame(
    {"time": [1, 2, 3, 4, 5, 6], "event": [1, 2, 1, 0, 1, 2], "arm": list("aababb"), "site": list("xxxyyy")}
)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"cause": 3}, "cause=3 happened to nobody. Causes: 1, 2"),
        ({"strata": "arm"}, "groups or strata"),
        ({"rho": float("nan")}, "rho="),
        ({"cause_names": {0: "censored"}}, "0 is no cause"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, said):
    with pytest.raises(ArgumentError, match=said):
        sr.survival.gray_test(SIX, **NAMED, **arguments)


def test_one_group_is_refused():
    with pytest.raises(ArgumentError, match="There is 1 group by arm"):
        sr.survival.gray_test(SIX.filter(pl.col("arm") == "a"), **NAMED)


def test_groups_that_are_alike_do_not_differ():
    twice = pl.concat([SIX.with_columns(pl.lit(arm).alias("arm")) for arm in "ab"])
    row = sr.survival.gray_test(twice, **NAMED).estimates.row(0, named=True)
    assert row["statistic"] == pytest.approx(0, abs=1e-20)
    assert row["p_value"] == pytest.approx(1)


def test_without_competing_events_its_score_is_the_logrank_s():
    # nobody has another cause: F is 1 - S, so R = n and the score is observed less expected of the log-rank test
    died = SIX.with_columns((pl.col("event") == 1).cast(pl.Int64).alias("event"))
    test = sr.survival.gray_test(died, **NAMED)
    assert test.groups.select("arm", "n_persons", "observed").rows() == [("a", 3, 1), ("b", 3, 2)]
    # at risk of a and b: day 1: 3 3, day 3: 1 3, day 5: 0 2; the events are a's, b's, b's: 1 - 1/2 - 1/4
    from symphony_research.survival.gray import _counts, _gray

    score, _ = _gray(*_counts(test.count_tables["events"], [{"arm": "a"}, {"arm": "b"}], 1), 0.0)
    assert score.tolist() == pytest.approx([1 / 4, -1 / 4])


def test_released_it_has_no_statistic():
    rows = [(day % 200, day % 4 % 3, "ab"[day % 2], "xyz"[day % 7 % 3]) for day in range(0, 4000, 3)]
    people = pl.DataFrame(rows, schema=["time", "event", "arm", "site"], orient="row")
    exact = sr.survival.gray_test(people, strata="site", time_unit="days", **NAMED)
    safe = sr.suppress(exact, NHS)
    assert set(safe.count_tables) == {"groups", "test"}
    assert safe.estimates["statistic"].item() is None
    assert safe.estimates["p_value"].item() in (0.001, 0.01, 0.05, 1.0)
    assert set(safe.groups.columns) == {"arm", "n_persons", "observed", "time"}
    assert "Gray's, stratified by site, test" in safe.sentence()
    assert sr.suppress(safe, NHS).groups.equals(safe.groups)
