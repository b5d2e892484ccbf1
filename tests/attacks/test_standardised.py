"""Standardised risks are attacked: beside the curves of the same people, and by somebody who seeks a stratum's few events in them."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
import produce
import pytest
from study import POLICIES, attack, world_of

import symphony_research as sr
from symphony_research.survival import released_risks

NHS = POLICIES["nhs_england"]
FIGURES = ["move", "margin", "share_of_standard"]
LEVELS = (0.001, 0.01, 0.05, 1.0)


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        pytest.param(name, policy, marks=() if quick else pytest.mark.slow, id=f"{name}-{policy.replace(' ', '-')}")
        for name, policy, quick in (
            ("whole_beside_strata", "sacro", True),
            ("1", "nhs_england", False),
            ("4", "sacro", False),
            ("one_sex", "nhs_england strict", False),
            ("hub_of_60", "opensafely", False),
        )
    ],
)
def test_standardised_risks_beside_curves_tell_no_small_count(name: str, policy: str) -> None:
    world = world_of(name)
    results = {"standardised": produce.of_models(world)["standardised"]}
    for by in ((), world.by):
        curves = produce.of_time(world, by)
        results |= {kind: curve for kind, curve in curves.items() if kind.split("__")[0] in ("incidence", "kaplan_meier")}  # fmt: skip
    made = attack(world, POLICIES[policy], results)
    assert made.wrong_counts() == []
    assert [str(finding) for finding in made.at_risk()] == []
    assert made.wrong_words() == []


# -- the few events of a stratum -----------------------------------------------------------------------------------

Counts = tuple[int, int, int, int]  # young people of a hub and their events, old people and theirs
MANY_OLD: Counts = (300, 60, 300, 150)  # of the other hub: old people weigh much, or little
FEW_OLD: Counts = (900, 180, 20, 10)


def people(hub: Counts, other: Counts) -> pl.DataFrame:
    """Follow-up of a year without censoring: events on day 100."""
    rows = []
    for name, (young, young_events, old, old_events) in (("a", hub), ("b", other)):
        for age, n, had in (("young", young, young_events), ("old", old, old_events)):
            rows += [(name, age, 100, 1, had), (name, age, 365, 0, n - had)]
    schema = {"hub": pl.String, "age": pl.String, "time": pl.Int64, "event": pl.Int64, "people": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row").filter(pl.col("people") > 0)


@cache
def told(hub: Counts, other: Counts, policy: str) -> tuple[object, ...]:
    """What is released of a hub beside its counts."""
    risk = sr.survival.standardised_risk(
        people(hub, other), time="time", event="event", by="hub", standardise="age", times=365, weights="people", time_unit="days"
    )  # fmt: skip
    form = risk.release_form(risk.count_tables, risk.settings, risk.by, POLICIES[policy])
    assert not {"age", "people"} & {column for table in form.values() for column in table.columns}
    own = form["risks"].filter(pl.col("hub") == "a").select(FIGURES).row(0)
    # as suppress does it: the level of p, and none where any risk is suppressed
    p = form["test"]["p_adjusted"][0] if form["risks"]["move"].null_count() == 0 else None
    level = None if p is None else next(level for level in LEVELS if p <= level)
    return tuple(None if value is None else round(value, 9) for value in (*own, level))


def possible_events(hub: Counts, other: Counts, policy: str, *, beside: bool) -> set[int]:
    """Go through what the few old people's events may be: every other number is known, but for the events as rounded."""
    young, young_events, old, old_events = hub

    def rounded(n: int) -> int:
        return int(5 * np.floor(n / 5 + 0.5))

    found = set()
    for k in range(old + 1):
        for d in range(max(young_events - 4, 0), min(young_events + 4, young) + 1):
            alike = rounded(d) == rounded(young_events) and rounded(d + k) == rounded(young_events + old_events)
            if alike and (not beside or told((young, d, old, k), other, policy) == told(hub, other, policy)):
                found.add(k)
    return found


SMALL = [
    (100, 30, 5, 0),
    (100, 31, 5, 5),
    (100, 33, 7, 3),
    (100, 23, 7, 7),
    (60, 15, 6, 0),
    (400, 80, 7, 7),
    (400, 82, 3, 1),
    (60, 20, 7, 2),
    (900, 90, 7, 0),
]


@pytest.mark.parametrize("policy", ["nhs_england", "sacro"])
@pytest.mark.parametrize("other", [MANY_OLD, FEW_OLD], ids=["many_old", "few_old"])
@pytest.mark.parametrize("hub", SMALL, ids=str)
def test_a_standardised_risk_does_not_tell_the_events_of_few_people(hub: Counts, other: Counts, policy: str) -> None:
    # five numbers of events, or as many as the counts alone leave
    counts_alone = possible_events(hub, other, policy, beside=False)
    assert len(possible_events(hub, other, policy, beside=True)) >= min(5, len(counts_alone))


def test_the_risks_above_are_shown_where_few_people_weigh_little_and_not_where_they_weigh_much() -> None:
    assert [told(hub, FEW_OLD, "nhs_england")[0] is None for hub in SMALL].count(False) >= 5
    assert all(told(hub, MANY_OLD, "nhs_england")[0] is None for hub in SMALL)


def test_rounding_by_the_hub_s_people_alone_would_tell_them(monkeypatch: pytest.MonkeyPatch) -> None:
    # the attacker finds it, so the test above can fail
    monkeypatch.setattr(released_risks, "_same_whichever", lambda *_: True)
    told.cache_clear()
    left = [len(possible_events(hub, FEW_OLD, "nhs_england", beside=True)) for hub in SMALL]
    told.cache_clear()
    assert min(left) == 1


def test_a_p_value_that_ignores_the_suppressed_events_would_tell_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(released_risks, "_level", lambda p, *_: p)
    told.cache_clear()
    hub = (60, 20, 7, 2)
    left = possible_events(hub, FEW_OLD, "nhs_england", beside=True)
    told.cache_clear()
    assert len(left) < 5 == len(possible_events(hub, FEW_OLD, "nhs_england", beside=False))


def test_whether_a_group_lacks_a_stratum_is_not_told_where_zeros_are_hidden() -> None:
    # 20 of 620 people are old, none of them in hub a; under a rule that shows zeros the share says so
    rows = [("a", "young", 300), ("b", "young", 300), ("b", "old", 20)]
    frame = pl.DataFrame(
        [(hub, age, time, event, n // 2) for hub, age, n in rows for time, event in ((100, 1), (365, 0))],
        schema=["hub", "age", "time", "event", "people"], orient="row",
    )  # fmt: skip
    risk = sr.survival.standardised_risk(
        frame, time="time", event="event", by="hub", standardise="age", times=365, weights="people", time_unit="days"
    )
    assert sr.suppress(risk, NHS).estimates["share_of_standard"].to_list() == [0.97, 0.97]
    assert sr.suppress(risk, POLICIES["sacro"]).estimates["share_of_standard"].to_list() == [None, None]
    # of seven people nothing is said at all
    fewer = frame.with_columns(pl.when(pl.col("age") == "old").then(3).otherwise("people").alias("people"))
    risk = sr.survival.standardised_risk(
        fewer, time="time", event="event", by="hub", standardise="age", times=365, weights="people", time_unit="days"
    )
    assert risk.estimates["share_of_standard"][0] < 1
    assert sr.suppress(risk, NHS).estimates["share_of_standard"].to_list() == [1, 1]
