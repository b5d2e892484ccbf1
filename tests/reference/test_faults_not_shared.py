"""Faults of lifelines that we do not share: ties broken by noise, the number at risk under competing events, smoothed hazards.

Authority of each expected value: a hand calculation.
"""

from __future__ import annotations

import warnings

import polars as pl
import pytest

import symphony_research as sr

NAMED = {"time": "time", "event": "event"}
# day 1: cause 1 and cause 2 at once, of five at risk; day 2: cause 2; day 3: cause 1 and a censoring
TIED = pl.DataFrame({"time": [1, 1, 2, 3, 3], "event": [1, 2, 2, 1, 0]})


def test_ties_are_not_broken_by_noise():
    # F1: day 1: 1/5. Day 3: survival before it is 1 - 2/5 - 1/5 = 2/5, and 1 of 2 has it: 1/5 + 2/5 x 1/2 = 2/5
    ours = sr.survival.cumulative_incidence(TIED, **NAMED).estimates.filter(pl.col("cause") == 1)
    assert ours["time"].to_list() == [1, 2, 3]
    assert ours["estimate"].to_list() == pytest.approx([1 / 5, 1 / 5, 2 / 5])
    again = sr.survival.cumulative_incidence(TIED.reverse(), **NAMED).estimates.filter(pl.col("cause") == 1)
    assert again.equals(ours)


def test_lifelines_moves_tied_times():
    # what the test above is there for: if lifelines stops doing so, this says so
    from lifelines import AalenJohansenFitter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = AalenJohansenFitter(seed=1).fit(TIED["time"].to_numpy(), TIED["event"].to_numpy(), event_of_interest=1)
    moved = [t for t in theirs.cumulative_density_.index if t != round(t)]
    assert moved


def test_the_number_at_risk_of_an_incidence_counts_those_without_any_event():
    # whoever had the competing event is no longer at risk: 5, then 3, then 2
    ours = sr.survival.cumulative_incidence(TIED, **NAMED).estimates
    for cause in (1, 2):
        assert ours.filter(pl.col("cause") == cause)["n_at_risk"].to_list() == [5, 3, 2]
    assert sr.survival.at(sr.survival.cumulative_incidence(TIED, **NAMED), [1, 2, 3]).estimates["n_at_risk"].to_list() == [5, 3, 2] * 2  # fmt: skip


def test_tied_events_of_a_hazard_are_not_smoothed():
    # two of five at once: 2/5 (and lifelines by default, one after the other, 1/5 + 1/4 = 0.45)
    died = pl.DataFrame({"time": [1, 1, 2, 3, 3], "event": [1, 1, 0, 0, 0]})
    assert sr.survival.nelson_aalen(died, **NAMED).estimates["estimate"][0] == pytest.approx(2 / 5)
    from lifelines import NelsonAalenFitter

    theirs = NelsonAalenFitter().fit(died["time"].to_numpy(), died["event"].to_numpy()).cumulative_hazard_
    assert theirs.loc[1.0].item() == pytest.approx(0.45)
