"""What must hold of standardised risks for any follow-up: the definition written out naively, and what may change nothing."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research.errors import ArgumentError

NAMED = {"time": "time", "event": "event", "by": "hub", "standardise": ["age", "sex"], "times": [2, 4, 7]}


@st.composite
def followed(draw, entry: bool = False):
    """People of two or three hubs and up to four strata, of whom age may be missing, with ties and two causes."""
    n = draw(st.integers(6, 30))
    exact = {"min_size": n, "max_size": n}
    times = draw(st.lists(st.integers(1, 9), **exact))
    early = [draw(st.integers(0, t - 1)) for t in times] if entry else [0] * n
    return pl.DataFrame(
        {
            "time": times,
            "event": draw(st.lists(st.integers(0, 2), **exact)),
            "hub": draw(st.lists(st.sampled_from("abc"), **exact)),
            "age": draw(st.lists(st.sampled_from(["old", None]), **exact)),
            "sex": draw(st.lists(st.sampled_from("FM"), **exact)),
            "entry": early,
            "people": draw(st.lists(st.integers(1, 4), **exact)),
        },
        schema_overrides={"age": pl.String},
    )


def risks(people: pl.DataFrame, **given):
    try:
        return sr.survival.standardised_risk(people, **{**NAMED, **given})
    except ArgumentError:  # one hub, nobody with the event, or strata that make up under half
        assume(False)


def naive_risk(rows: list[dict], until: float) -> tuple[Fraction, Fraction] | None:
    """Return the share with the first cause by a time and its variance; None where nobody is followed to it.

    The definition: F = sum of S(s-) h(s); by the delta method over multinomial steps the derivative of F by the hazard of
    cause j at s is S(s-) [j = 1] - S(s-) / S(s) (F - F(s)), where S(s) = 0 leaves nothing to come.
    """
    if not rows or until < min(row["entry"] for row in rows):
        return None
    if until > max(row["time"] for row in rows):
        last = max(row["time"] for row in rows)
        if any(row["time"] == last and row["event"] == 0 for row in rows):
            return None
    free, reached, steps = Fraction(1), Fraction(0), []
    for moment in sorted({row["time"] for row in rows if row["time"] <= until}):
        n = sum(row["entry"] < moment <= row["time"] for row in rows)
        hazards = [Fraction(sum(row["time"] == moment and row["event"] == k for row in rows), n) for k in (1, 2)]
        reached += free * hazards[0]
        after = free * (1 - sum(hazards))
        steps.append((free, after, reached, n, hazards))
        free = after
    variance = Fraction(0)
    for before, after, so_far, n, hazards in steps:
        left = before / after * (reached - so_far) if after else Fraction(0)
        slopes = [before - left, -left]
        for j in (0, 1):
            for k in (0, 1):
                variance += slopes[j] * slopes[k] * hazards[j] * ((j == k) - hazards[k]) / n
    return reached, variance


@pytest.mark.parametrize("entry", [None, "entry"])
@given(data=st.data())
def test_it_is_the_weighted_sum_of_naive_risks(entry, data):
    people = data.draw(followed(entry=entry is not None))
    found = risks(people, entry=entry)
    rows = people.to_dicts()
    hubs = sorted({row["hub"] for row in rows})
    for time in NAMED["times"]:
        own = {}
        for hub in hubs:
            for stratum in {(row["age"], row["sex"]) for row in rows}:
                inside = [r for r in rows if (r["hub"], r["age"], r["sex"]) == (hub, *stratum)]
                own[hub, stratum] = naive_risk(inside, time)
        shared = [s for s in {stratum for _, stratum in own} if all(own[hub, s] is not None for hub in hubs)]
        size = {s: sum((r["age"], r["sex"]) == s for r in rows) for s in shared}
        total = sum(size.values())
        for hub in hubs:
            row = found.estimates.filter(hub=hub, time=time).row(0, named=True)
            assert row["share_of_standard"] == pytest.approx(total / len(rows))
            if 2 * total < len(rows):
                assert row["estimate"] is None
                continue
            expected = sum(Fraction(size[s], total) * own[hub, s][0] for s in shared)
            variance = sum(Fraction(size[s], total) ** 2 * own[hub, s][1] for s in shared)
            assert row["estimate"] == pytest.approx(float(expected), rel=1e-12, abs=1e-15)
            assert row["standard_error"] == pytest.approx(sqrt(variance), rel=1e-6, abs=1e-9)
            # no lower and no higher than any stratum's
            assert min(own[hub, s][0] for s in shared) - 1e-12 <= row["estimate"] <= max(own[hub, s][0] for s in shared) + 1e-12  # fmt: skip
            assert row["n_events"] == sum(r["hub"] == hub and r["event"] == 1 and r["time"] <= time for r in rows)


@given(followed())
def test_with_one_stratum_it_is_the_crude_risk(people):
    found = risks(people.with_columns(age=pl.lit("all"), sex=pl.lit("all"))).estimates
    both = found.filter(pl.col("estimate").is_not_null())
    for ours, theirs in (("estimate", "crude"), ("lower", "crude_lower"), ("upper", "crude_upper")):
        known = both.filter(pl.col(theirs).is_not_null())
        assert known[ours].to_list() == pytest.approx(known[theirs].to_list(), rel=1e-12)


@given(followed(entry=True), st.randoms(use_true_random=False))
def test_neither_order_nor_partition_nor_frequency_weights_change_it(people, random):
    once = people.select(pl.exclude("people").repeat_by("people")).explode(
        pl.all(), keep_nulls=True, empty_as_null=True
    )
    expected = risks(once, entry="entry")
    order = list(range(once.height))
    random.shuffle(order)
    halves = [once[order][: once.height // 2], once[order][once.height // 2 :]]
    counted = [half.group_by(pl.all()).agg(n=pl.len()) for half in halves]
    for frame, weights in ((once[order], None), (people, "people"), (pl.concat(counted), "n")):
        found = risks(frame, entry="entry", weights=weights)
        assert_frame_equal(found.estimates, expected.estimates, rel_tol=1e-12)
        assert_frame_equal(found.test, expected.test, rel_tol=1e-6)
