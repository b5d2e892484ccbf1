"""Closed and maximal sets found directly: the answer of going through every set, without going through every set."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.collapse.bits import frequent_sets, pack, unpack
from symphony_research.collapse.closed import closed_sets
from symphony_research.multimorbidity.sets import kept_of


def people_of(n: int, conditions: int = 40) -> sr.Patterns:
    frame = pl.DataFrame({f"c{k:02}": [True] * n for k in range(conditions)})
    return sr.Patterns.from_wide(frame, conditions=frame.columns)


@pytest.mark.parametrize("which", ["closed", "maximal"])
def test_one_person_with_forty_conditions_has_one_such_set(which: str) -> None:
    found = sr.multimorbidity.combinations(people_of(1), kind="at_least", which=which)
    assert found.estimates.select("size", "n_persons").rows() == [(40, 1)]
    with pytest.raises(sr.ArgumentError, match="More than 5,000,000 sets"):
        sr.multimorbidity.combinations(people_of(1), kind="at_least")
    with pytest.raises(sr.DisclosureError, match="Raise min_persons, or set max_size"):
        sr.suppress(found, sr.Policy.nhs_england())


@given(
    st.lists(st.tuples(st.integers(0, 2**6 - 1), st.integers(1, 4)), min_size=1, max_size=12, unique_by=lambda p: p[0]),
    st.integers(1, 5), st.integers(0, 3), st.booleans(),
)  # fmt: skip
def test_they_are_those_of_all_sets(people: list[tuple[int, int]], least: int, smallest: int, maximal: bool) -> None:
    """Beside all frequent sets thinned by their neighbours, each of which is tested elsewhere against a naive count."""
    held = np.array([[mask >> k & 1 for k in range(6)] for mask, _ in people], dtype=np.uint8)
    weights = np.array([[n, n * n] for _, n in people], dtype=np.int64)
    every = frequent_sets(pack(held), weights, 6, min_persons=least, min_size=1, max_size=None)
    inside = unpack(every.words, 6).astype(bool)
    kept = kept_of(inside, pl.Series(every.sums[:, 0]), "maximal" if maximal else "closed")
    wanted = {
        (tuple(row), tuple(total))
        for row, total in zip(inside[kept].tolist(), every.sums[kept].tolist(), strict=True)
        if sum(row) >= max(smallest, 1)
    }
    found = closed_sets(pack(held), weights, 6, min_persons=least, min_size=smallest, maximal=maximal)
    bits = unpack(found.words, 6).astype(bool).tolist()
    got = [(tuple(row), tuple(total)) for row, total in zip(bits, found.sums.tolist(), strict=True)]
    assert len(got) == len(set(got))
    assert set(got) == wanted
