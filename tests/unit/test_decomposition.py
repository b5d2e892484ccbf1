"""Size, structure and rates: by hand, over all orders, exact to 1e-9, and refused."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError, DisclosureError

KEYS = {"sex": ["F", "F"], "age": [0, 65]}
BEFORE = pl.DataFrame({**KEYS, "persons": [80, 20], "rate": [1.0, 5.0]})
AFTER = pl.DataFrame({**KEYS, "persons": [80, 40], "rate": [1.0, 4.0]})


def test_two_cells_by_hand():
    # 100 -> 120 people, shares (0.8, 0.2) -> (2/3, 1/3), rates (1, 5) -> (1, 4); totals 180 -> 240
    # size: 20 x [(1.8 + 2)/3 + (1.6 + 7/3)/6] = 38.4444
    # structure: 2/15 x [(500 + 480)/3 + (400 + 600)/6 - (100 + 120)/3 - (100 + 120)/6] = 51.1111
    # rates: -1 x [(20 + 40)/3 + (100/3 + 24)/6] = -29.5556
    made = sr.demography.decompose(BEFORE, AFTER, quantity="bed-days")
    assert made.estimates["estimate"].to_list() == pytest.approx([38.444444, 51.111111, -29.555556, 60.0], abs=1e-6)
    assert made.estimates["percent_of_before"][3] == pytest.approx(100 * 60 / 180)
    assert made.by_cell["rates"].to_list() == pytest.approx([0, -29.555556], abs=1e-6)
    assert "Bed-days changed by +33.3%" in made.sentence()


def random_cells(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(seed)
    keys = {"sex": [s for s in "FM" for _ in range(91)], "age": list(range(91)) * 2}
    return tuple(
        pl.DataFrame({**keys, "persons": rng.uniform(10, 2000, 182), "rate": rng.uniform(0, 9, 182)}) for _ in range(2)
    )  # type: ignore[return-value]


@pytest.mark.parametrize("seed", range(5))
def test_each_effect_is_its_mean_over_all_orders_and_they_add_up(seed):
    """Authority: Das Gupta's definition, by going through the six orders in which three factors may change."""
    before, after = random_cells(seed)
    factors = [
        [
            frame["persons"].sum(),
            (frame["persons"] / frame["persons"].sum()).to_numpy(),
            frame["rate"].to_numpy(),
        ]
        for frame in (before, after)
    ]

    def total(state):
        n, c, r = (factors[s][k] for k, s in enumerate(state))
        return n * (c * r).sum()

    effects = np.zeros(3)
    for order in permutations(range(3)):
        state = [0, 0, 0]
        for k in order:
            start = total(state)
            state[k] = 1
            effects[k] += (total(state) - start) / 6
    made = sr.demography.decompose(before, after).estimates["estimate"].to_numpy()
    assert made[:3] == pytest.approx(effects, rel=1e-10)
    assert abs(made[:3].sum() - made[3]) < 1e-9 * max(1, abs(made[3]))


def test_with_one_thing_unchanged_nothing_comes_of_it():
    before, after = random_cells(9)
    same_rates = after.with_columns(rate=before["rate"])
    assert sr.demography.decompose(before, same_rates).estimates["estimate"][2] == 0
    twice = before.with_columns(pl.col("persons") * 2)
    size, structure, rates, whole = sr.demography.decompose(before, twice).estimates["estimate"]
    assert structure == pytest.approx(0, abs=1e-8)
    assert (rates, size) == (0, pytest.approx(whole))


def test_released_with_a_source_alone():
    with pytest.raises(DisclosureError, match="published="):
        sr.suppress(sr.demography.decompose(BEFORE, AFTER), sr.Policy.nhs_england())
    named = sr.demography.decompose(BEFORE, AFTER, published="Office for National Statistics")
    assert sr.suppress(named, sr.Policy.nhs_england()).estimates.equals(named.estimates)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (AFTER.head(1), "before has 2 cells by sex, age, after 1, and 1 are in both"),
        (pl.concat([AFTER, AFTER]), "after has more than one row for a cell"),
        (AFTER.with_columns(rate=pl.lit(None, dtype=pl.Float64)), "after has 2 missing values"),
        (AFTER.with_columns(persons=pl.lit(0)), "after has nobody"),
        (AFTER.drop("rate"), "after has no column 'rate'"),
    ],
)
def test_each_fault_is_named(changed, said):
    with pytest.raises(ArgumentError, match=said):
        sr.demography.decompose(BEFORE, changed)
