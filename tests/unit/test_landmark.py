"""Landmark analysis by hand; released curves after a landmark stand on everybody's grid."""

from __future__ import annotations

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError
from symphony_research.result.cells import Partition
from symphony_research.show.titles import curve_title

NHS = sr.Policy.nhs_england()
NAMED = {"time": "time", "event": "event"}
SIX = pl.DataFrame({"time": [1, 2, 2, 3, 5, 6], "event": [1, 1, 0, 2, 1, 0], "arm": list("aababb")})


def test_by_hand():
    # at 2: events on days 1 and 2 are over; censored on day 2 is in with time 0; 3, 5, 6 become 1, 3, 4
    later = sr.survival.landmark(SIX, at=2, **NAMED)
    assert sorted(later.to_frame().select("time", "event", "n_persons").rows()) == [
        (0, 0, 1),
        (1, 2, 1),
        (3, 1, 1),
        (4, 0, 1),
    ]
    died = later.to_frame().with_columns((pl.col("event") > 0).cast(pl.Int64).alias("event"))
    curve = sr.survival.kaplan_meier(died, weights="n_persons", **NAMED).estimates
    # of those at risk after day 2: 1 of 3, then 1 of 2
    assert curve["estimate"].to_list() == pytest.approx([1, 2 / 3, 1 / 3, 1 / 3])


def test_it_is_the_curve_given_the_landmark():
    # authority: S(t | at risk at s) = S(s + t) / S(s)
    died = SIX.with_columns((pl.col("event") > 0).cast(pl.Int64).alias("event"))
    whole = sr.survival.at(sr.survival.kaplan_meier(died, **NAMED), [2, 3, 5]).estimates["estimate"].to_list()
    later = sr.survival.landmark(died, at=2, **NAMED)
    after = sr.survival.kaplan_meier(later, weights="n_persons", **NAMED)
    assert sr.survival.at(after, [1, 3]).estimates["estimate"].to_list() == pytest.approx(
        [s / whole[0] for s in whole[1:]]
    )


def test_weights_strata_entry_and_a_second_landmark():
    weighted = SIX.with_columns(entry=pl.Series([0, 0, 0, 0, 3, 1]), people=pl.Series([1, 1, 1, 2, 3, 4]))
    later = sr.survival.landmark(weighted, at=2, entry="entry", weights="people", by="arm", **NAMED)
    assert later.to_frame().rows() == [("a", 2, 1, 2), ("b", 0, 0, 1), ("b", 0, 4, 4)]
    twice = sr.survival.landmark(sr.survival.landmark(SIX, at=1, **NAMED), at=2, weights="n_persons", **NAMED)
    assert twice.provenance.landmark == 3
    assert twice.equals(sr.survival.landmark(SIX, at=3, **NAMED))


@pytest.mark.parametrize("at", [-1, True, float("inf"), "2"])
def test_what_is_no_time_is_refused(at):
    with pytest.raises(ArgumentError, match="at="):
        sr.survival.landmark(SIX, at=at, **NAMED)


def test_nobody_at_risk_is_refused():
    with pytest.raises(ArgumentError, match="Nobody is at risk at 7"):
        sr.survival.landmark(SIX, at=7, **NAMED)


@pytest.fixture
def people() -> pl.DataFrame:
    rows = [(day % 400, int(day % 3 == 0)) for day in range(0, 8000, 3)]
    return pl.DataFrame(rows, schema=["time", "event"], orient="row")


def test_a_released_curve_stands_on_everybody_s_grid(people):
    options = {**NAMED, "weights": "n_persons", "time_unit": "days"}
    with pytest.raises(ArgumentError, match="at=100 is no time at which curves are released"):
        sr.suppress(sr.survival.kaplan_meier(sr.survival.landmark(people, at=100, **NAMED), **options), NHS)
    exact = sr.survival.kaplan_meier(sr.survival.landmark(people, at=90, **NAMED), **options)
    safe = sr.suppress(exact, NHS)
    # 90, 120, ..., 330, 365 days from the start
    assert safe.estimates["time"].to_list() == [*range(0, 241, 30), 275]
    assert sr.survival.at(safe, 275).estimates["estimate"].item() is not None
    assert safe.column_words["time"] == "Days since the landmark"
    with pytest.raises(ArgumentError, match="The next one is 275"):
        sr.survival.at(safe, 270)


def test_its_counts_are_those_of_the_whole_curve(people):
    whole = sr.survival.kaplan_meier(people, time_unit="days", **NAMED)
    later = sr.survival.landmark(people, at=90, **NAMED)
    after = sr.survival.kaplan_meier(later, weights="n_persons", time_unit="days", **NAMED)
    safe = sr.suppress({"whole": whole, "after": after}, NHS)
    at_risk = dict(safe["whole"].estimates.select("time", "n_at_risk").rows())
    for time, n in safe["after"].estimates.select("time", "n_at_risk").rows():
        assert at_risk[90 + time] == n
    roles = after.roles_of(after.settings)["grid"]
    start = roles.counts({"time": 0.0, "state": "at risk"}, "n_persons", after.settings)
    assert start == roles.counts({"time": 90.0, "state": "at risk"}, "n_persons", whole.settings)
    since = roles.counts({"time": 30.0, "state": "event 1"}, "n_persons", after.settings)
    before, until = (roles.counts({"time": t, "state": "event 1"}, "n_persons", whole.settings) for t in (90.0, 120.0))
    assert Partition(until, (before, since)) in list(after.relations(safe["after"].count_tables, after.settings))


def test_sentences_say_that_time_is_counted_from_the_landmark():
    # at 2: one dies on day 3 (1 day later), one on day 5 (3 later), one is censored on 6, one on day 2 itself
    died = SIX.with_columns((pl.col("event") > 0).cast(pl.Int64).alias("event"))
    later = sr.survival.landmark(died, at=2, by="arm", **NAMED)
    named = {**NAMED, "weights": "n_persons", "time_unit": "days"}
    after = "after the landmark (2 days)"
    curve = sr.survival.kaplan_meier(later, event_name="death", **named)
    assert curve.sentence().startswith(f"At 4 days {after}, 33% (95% CI ")
    assert all(after in figure.measure for figure in curve.key_figures())
    assert curve_title(curve, 4.0) == "At 4 days after the landmark, 33% (95% CI 6.7 to 100) were alive"
    assert sr.survival.nelson_aalen(later, **named).sentence().startswith(f"By 4 days {after}, the cumulative hazard")
    mean = sr.survival.restricted_mean_survival_time(later, horizon=3, **named)
    assert mean.sentence().startswith(f"Over 3 days {after}, the mean time event-free")
    assert f"within 3 days {after}" in sr.survival.quantile(curve).sentence()
    test = sr.survival.logrank_test(later, by="arm", **named)
    assert test.sentence().startswith("After the landmark (2 days), groups by arm")
    incidence = sr.survival.cumulative_incidence(sr.survival.landmark(SIX, at=2, **NAMED), **named)
    assert incidence.sentence().startswith(f"Within 4 days {after}, ")
    # without a landmark nothing is added
    assert "landmark" not in sr.survival.kaplan_meier(died, time_unit="days", **NAMED).sentence()
