"""Whatever the rates: people are accounted for in every cell of every year, and scaling or adding populations does what it must."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.demography.engine import run

project = sr.demography.cohort_component_projection


@st.composite
def populations(draw):
    ages = draw(st.integers(3, 8))
    beyond = draw(st.integers(0, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sexes = [s for s in "FM" for _ in range(ages)]
    base = pl.DataFrame({"sex": sexes, "age": list(range(ages)) * 2, "persons": rng.uniform(50, 500, 2 * ages)})
    longer = ages + 1 + beyond
    dying = pl.DataFrame(
        {
            "sex": [s for s in "FM" for _ in range(longer)],
            "age": list(range(-1, longer - 1)) * 2,
            "rate": rng.uniform(0, draw(st.sampled_from([0.05, 0.19])), 2 * longer),
        }
    )
    fertility = pl.DataFrame({"age": list(range(1, ages)), "rate": rng.uniform(0, 0.5, ages - 1)})
    moving = base.select("sex", "age", net=rng.uniform(-1, 8, 2 * ages))
    if draw(st.booleans()):
        moving = base.select(
            "sex", "age", in_rate=rng.uniform(0, 0.2, 2 * ages), out_rate=rng.uniform(0, 0.2, 2 * ages)
        )
    return base, fertility, dying, moving


def projected(base, fertility, dying, moving, **more):
    return project(
        base, fertility=fertility, mortality=dying, migration=moving, start=2011, end=2016, mortality_kind="probability", **more
    )  # fmt: skip


@given(populations())
def test_people_are_accounted_for_in_every_cell(inputs):
    base, fertility, dying, moving = inputs
    # few people may leave more than there are; those are refused, and are no case of this property
    moving = (
        moving.with_columns(pl.max_horizontal("net", pl.lit(0.0)).alias("net")) if "net" in moving.columns else moving
    )
    made = projected(base, fertility, dying, moving)
    shape = (6, 2, base["age"].n_unique())
    people = made.estimates["persons"].to_numpy().reshape(shape)
    births, deaths, net = (
        made.components[c].to_numpy().reshape(5, *shape[1:]) for c in ("births", "deaths", "net_migration")
    )
    before = np.zeros(births.shape)
    before[..., 1:] = people[:-1, :, :-1]
    before[..., -1] += people[:-1, :, -1]
    assert np.abs(before + births - deaths + net - people[1:]).max() < 1e-9
    assert (deaths >= -1e-9).all()
    assert np.abs(births.sum(axis=2)[:, 1] - 1.05 * births.sum(axis=2)[:, 0]).max() < 1e-9


@given(populations(), st.floats(0.1, 10))
def test_a_population_times_k_is_projected_to_k_times_as_many(inputs, k):
    base, fertility, dying, _ = inputs
    one = projected(base, fertility, dying, None).estimates["persons"].to_numpy()
    more = projected(base.with_columns(pl.col("persons") * k), fertility, dying, None).estimates["persons"].to_numpy()
    assert np.abs(more - k * one).max() < 1e-8 * max(1, k) * one.max()


@given(populations(), populations())
def test_projection_without_migration_adds_up(inputs, others):
    base, fertility, dying, _ = inputs
    # another population of the same ages; a population is projected as the sum of its parts
    ages = base["age"].n_unique()
    other = base.with_columns(persons=pl.Series(np.resize(others[0]["persons"].to_numpy(), 2 * ages)))
    both = base.with_columns(persons=base["persons"] + other["persons"])
    alone = [projected(b, fertility, dying, None).estimates["persons"].to_numpy() for b in (base, other, both)]
    assert np.abs(alone[0] + alone[1] - alone[2]).max() < 1e-8 * alone[2].max()


@given(populations(), st.integers(0, 1000))
def test_stochastic_runs_account_for_everybody_too(inputs, seed):
    base, fertility, dying, _ = inputs
    ages = base["age"].n_unique()
    start = np.broadcast_to(base["persons"].to_numpy().reshape(2, ages), (4, 2, ages))
    rates = np.zeros((1, 1, ages))
    rates[..., 1:] = fertility["rate"].to_numpy()
    survival = (1 - dying["rate"].to_numpy().reshape(2, -1)[:, : ages + 1])[None, None]
    flows = run(
        start,
        fertility=rates,
        survival=survival,
        net=np.zeros((1, 1, 2, ages)),
        years=3,
        rng=np.random.default_rng(seed),
    )
    before = np.zeros(flows.deaths.shape)
    before[..., 1:] = flows.persons[:-1, ..., :-1]
    before[..., -1] += flows.persons[:-1, ..., -1]
    before[..., 0] = flows.births
    assert np.abs(before - flows.deaths + flows.net_migration - flows.persons[1:]).max() < 1e-9
    assert (flows.persons >= 0).all()
