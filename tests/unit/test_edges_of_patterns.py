"""Populations at the edge: a right answer or a clear error from every estimator of sets and pairs, never a hang."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError

NHS = sr.Policy.nhs_england()


def wide(held: np.ndarray, strata: list[str] | None = None) -> sr.Patterns:
    names = [f"c{k:03d}" for k in range(held.shape[1])]
    frame = pl.DataFrame({name: held[:, k].astype(bool) for k, name in enumerate(names)}).with_columns(
        pl.Series("cost", np.arange(len(held)) * 10.0, dtype=pl.Float64),
        pl.Series("group", strata or ["all"] * len(held), dtype=pl.String),
    )
    return sr.Patterns.from_wide(frame, conditions=names, by="group", values="cost")


def one(n: int, k: int, held: int) -> np.ndarray:
    rows = np.zeros((n, k), np.uint8)
    rows[0, :held] = 1
    return rows


POPULATIONS = {
    "nobody": lambda: wide(np.zeros((0, 5), np.uint8)),
    "one person without any": lambda: wide(np.zeros((1, 5), np.uint8)),
    "one person with all": lambda: wide(np.ones((1, 5), np.uint8)),
    "all alike": lambda: wide(np.tile([1, 1, 0, 0, 1], (40, 1)).astype(np.uint8)),
    "one condition": lambda: wide(np.array([[1], [0], [1]], np.uint8)),
    "308 conditions, of which nobody has most": lambda: wide(
        (np.random.default_rng(1).random((200, 308)) < np.r_[np.full(12, 0.2), np.zeros(296)]).astype(np.uint8)
    ),
    "a stratum of one": lambda: wide(
        (np.random.default_rng(2).random((60, 5)) < 0.4).astype(np.uint8), ["many"] * 59 + ["one"]
    ),
}


@pytest.mark.parametrize("name", POPULATIONS)
@pytest.mark.parametrize("adjust", [(), ("group",)], ids=["by row", "adjusted"])
def test_every_estimator_answers(name, adjust):
    patterns = POPULATIONS[name]()
    found = [
        sr.multimorbidity.combinations(patterns, adjust=adjust),
        sr.multimorbidity.combinations(patterns, kind="at_least", adjust=adjust, max_size=3),
        sr.multimorbidity.combinations(patterns, kind="at_least", adjust=adjust, which="closed"),
        sr.multimorbidity.combinations(
            patterns, kind="at_least", adjust=adjust, max_size=3, against="no_higher_order_interaction"
        ),
        sr.multimorbidity.cost_interaction(patterns, adjust=adjust, max_size=2, min_persons=1),
        sr.multimorbidity.comorbidity_profile(patterns, condition="c000", adjust=adjust),
        sr.multimorbidity.comorbidity_count(patterns),
        sr.networks.cooccurrence(patterns, adjust=adjust),
    ]
    for result in found:
        frame = result.estimates
        finite = frame.select(pl.col(pl.Float64).is_finite().all())
        assert all(value in (True, None) for value in (finite.row(0) if finite.width else ())), result.title
        assert result.sentence()
        sr.suppress(result, NHS).sentence()
        for column in ("p_value", "q_value", "estimate", "lower"):
            if column in frame.columns and result.title != "Cost interaction of combinations of conditions":
                assert (frame[column].drop_nulls() >= 0).all()


def test_nobody_has_a_pair_of_two_hundred_and_ninety_six():
    pairs = sr.networks.cooccurrence(
        POPULATIONS["308 conditions, of which nobody has most"](), adjust="group"
    ).estimates
    assert pairs.height == 308 * 307 // 2
    assert pairs.filter(pl.col("n_both") > 0).select(pl.col("source", "target").max()).row(0) < ("c012", "c012")


def test_sixty_conditions_on_one_person_end_with_a_word_on_what_to_do():
    patterns = wide(one(50, 60, 60))
    # 2**60 sets are held by one person: counted up to five million, then refused
    with pytest.raises(ArgumentError, match=r"More than 5,000,000 sets .* Raise min_persons, or set max_size"):
        sr.multimorbidity.combinations(patterns, kind="at_least")
    some = sr.multimorbidity.combinations(patterns, kind="at_least", max_size=3).estimates
    assert some.height == 60 * 59 // 2 + 60 * 59 * 58 // 6
    assert sr.multimorbidity.combinations(patterns, kind="at_least", min_persons=2).estimates.height == 0
    assert sr.multimorbidity.combinations(patterns).estimates["size"].to_list() == [60]
    # of 1 person's 34,220 triads each is just what its pairs imply
    triads = sr.multimorbidity.combinations(
        patterns, kind="at_least", max_size=3, against="no_higher_order_interaction"
    ).estimates
    assert triads["expected"].to_list() == pytest.approx([1.0] * triads.height)


def test_more_strata_than_people_add_nothing():
    patterns = wide((np.random.default_rng(3).random((80, 4)) < 0.4).astype(np.uint8), [str(k) for k in range(80)])
    row = sr.networks.cooccurrence(patterns, adjust="group").estimates.row(0, named=True)
    # each person is their own stratum: both conditions are expected exactly where they are, and nothing can be tested
    assert row["expected"] == row["n_both"]
    assert row["p_value"] is row["odds_ratio"] is None
