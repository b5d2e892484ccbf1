"""What must hold of patterns and combinations for any people: authorities are brute force and mlxtend."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from itertools import combinations as choose

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research.collapse import bits

STRATA = ["east", "west", None]


@st.composite
def populations(draw, max_conditions: int = 6, max_people: int = 40):
    """People with some conditions, a stratum (perhaps missing) and a cost in pence."""
    width = draw(st.integers(1, max_conditions))
    rows = draw(st.lists(st.integers(0, 2**width - 1), min_size=1, max_size=max_people))
    n = len(rows)
    areas = draw(st.lists(st.sampled_from(STRATA), min_size=n, max_size=n))
    pence = draw(st.lists(st.one_of(st.just(0), st.integers(1, 10**9)), min_size=n, max_size=n))
    names = [f"c{k}" for k in range(width)]
    columns = {name: [row >> k & 1 for row in rows] for k, name in enumerate(names)}
    extra = {
        "person_id": pl.Series(range(n), dtype=pl.Int64),
        "area": pl.Series(areas, dtype=pl.String),
        "cost": pl.Series(pence, dtype=pl.Int64) / 100,
    }
    return pl.DataFrame({**columns, **extra}), names


def collapse(people: pl.DataFrame, names: list[str], **arguments) -> sr.Patterns:
    return sr.Patterns.from_wide(people, conditions=names, **arguments)


def records_of(people: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    long = people.unpivot(names, index="person_id", variable_name="condition", value_name="has")
    return long.filter(pl.col("has") == 1).select("person_id", "condition")


def held_by(people: pl.DataFrame, names) -> int:
    """Brute force: people with all of these conditions, whatever else they have."""
    return sum(all(row) for row in people.select(list(names)).iter_rows()) if names else people.height


def found_sets(result) -> dict[frozenset[str], int]:
    rows = result.estimates.select("combination", "n_persons").iter_rows()
    return {frozenset(names): n for names, n in rows}


@given(populations(), st.integers(1, 8), st.integers(1, 3), st.integers(0, 4))
def test_at_least_sets_are_those_of_mlxtend(population, min_persons, min_size, extra):
    # authority: mlxtend.frequent_patterns.fpgrowth and apriori
    import pandas as pd
    from mlxtend.frequent_patterns import apriori, fpgrowth

    people, names = population
    max_size = min_size + extra
    found = found_sets(
        sr.multimorbidity.combinations(
            collapse(people, names), kind="at_least", min_size=min_size, max_size=max_size, min_persons=min_persons
        )
    )
    table = pd.DataFrame({name: people[name].to_numpy() == 1 for name in names})
    for algorithm in (fpgrowth, apriori):
        # a support a little under the limit, so that rounding drops no set at it
        theirs = algorithm(table, min_support=min(1.0, (min_persons - 0.5) / people.height), use_colnames=True)
        counted = {
            frozenset(names): round(support * people.height)
            for support, names in theirs[["support", "itemsets"]].itertuples(index=False)
        }
        wanted = {k: v for k, v in counted.items() if min_size <= len(k) <= max_size and v >= min_persons}
        assert found == wanted


@given(populations(), st.integers(1, 5))
def test_exact_sets_are_counted_by_brute_force(population, min_persons):
    people, names = population
    found = found_sets(
        sr.multimorbidity.combinations(collapse(people, names), kind="exact", min_size=0, min_persons=min_persons)
    )
    held = [frozenset(n for n, has in zip(names, row, strict=True) if has) for row in people.select(names).iter_rows()]
    assert found == {s: held.count(s) for s in held if held.count(s) >= min_persons}


@given(populations())
def test_exact_sets_of_every_size_add_up_to_the_people(population):
    people, names = population
    everything = sr.multimorbidity.combinations(collapse(people, names, by="area"), kind="exact", min_size=0)
    assert everything.estimates["n_persons"].sum() == people.height
    counted = sr.multimorbidity.condition_count(collapse(people, names, by="area")).estimates
    assert counted["n_persons"].sum() == people.height
    # expected people of a stratum add up to its people too: independence moves nobody out
    per_area = counted.group_by("area").agg(pl.col("n_persons", "expected").sum())
    if counted["n_conditions"].max() == len(names):
        assert per_area["expected"].to_list() == pytest.approx(per_area["n_persons"].to_list(), rel=1e-12)


@given(populations())
def test_pairs_are_counted_by_brute_force(population):
    people, names = population
    pairs = sr.networks.cooccurrence(collapse(people, names)).estimates
    assert pairs.height == len(names) * (len(names) - 1) // 2
    for row in pairs.iter_rows(named=True):
        assert row["n_both"] == held_by(people, (row["source"], row["target"]))
        assert row["n_source"] == held_by(people, (row["source"],))
        assert row["n_target"] == held_by(people, (row["target"],))
        assert row["n_persons"] == people.height


@given(populations())
def test_pairs_and_at_least_sets_of_two_agree_in_every_figure(population):
    people, names = population
    patterns = collapse(people, names, by="area")
    sets = sr.multimorbidity.combinations(patterns, kind="at_least", max_size=2).estimates
    pairs = sr.networks.cooccurrence(patterns).estimates.filter(pl.col("n_both") > 0)
    ends = pl.concat_list("source", "target").list.sort().list.join("+")
    key = ["area", "key"]
    left = sets.with_columns(pl.col("combination").list.sort().list.join("+").alias("key")).sort(key)
    right = pairs.with_columns(ends.alias("key")).sort(key)
    assert left["key"].to_list() == right["key"].to_list()
    columns = {"expected": "expected", "observed_expected": "observed_expected", "oe_lower": "lower"}
    columns |= {"oe_upper": "upper", "p_value": "p_value"}
    for ours, theirs in columns.items():
        assert left[ours].null_count() == right[theirs].null_count()
        mine, other = left[ours].fill_null(-1).to_list(), right[theirs].fill_null(-1).to_list()
        # the two reach the variance by different sums: where it is nothing, so is what they leave of it
        assert mine == pytest.approx(other, rel=1e-6 if "oe_" in ours else 1e-12)


@given(populations(), st.lists(st.integers(0, 3), min_size=40, max_size=40))
def test_merged_sites_equal_the_pooled_people(population, sites):
    people, names = population
    arguments = {"by": "area", "values": "cost"}
    site = pl.Series("site", sites[: people.height])
    parts = []
    for k in range(4):
        own = people.filter(site == k)
        # a site lists only the conditions somebody there has
        here = [name for name in names if own[name].sum() > 0]
        parts.append(sr.Patterns.from_long(records_of(own, here), own, **arguments))
    listed = [name for name in names if people[name].sum() > 0]
    whole = sr.Patterns.from_long(records_of(people, listed), people, **arguments)
    merged = sr.Patterns.merge(*parts)
    assert merged.conditions == whole.conditions
    assert_frame_equal(merged.frame, whole.frame)
    assert_frame_equal(merged.to_frame(), whole.to_frame())
    # and in any order, or two at a time
    backwards = sr.Patterns.merge(*parts[::-1])
    nested = sr.Patterns.merge(sr.Patterns.merge(*parts[:2]), sr.Patterns.merge(*parts[2:]))
    assert_frame_equal(backwards.frame, whole.frame)
    assert_frame_equal(nested.frame, whole.frame)


@settings(max_examples=25)
@given(populations(), st.lists(st.integers(0, 1), min_size=40, max_size=40), st.sampled_from([1, 70]))
def test_files_of_sites_merge_to_the_pooled_people(population, sites, copies):
    # copies: the same conditions under so many names, so that sets take more than one word
    people, names = population
    columns = [people[name].alias(f"{name} {k}") for name in names for k in range(copies)]
    people, names = people.drop(names).with_columns(columns), [column.name for column in columns]
    site = pl.Series("site", sites[: people.height])
    with tempfile.TemporaryDirectory() as folder:
        for k in range(2):
            part = collapse(people.filter(site == k), names, by="area", values="cost")
            part.write(f"{folder}/{k}.parquet", internal=True)
        merged = sr.Patterns.merge(*[sr.Patterns.read(f"{folder}/{k}.parquet") for k in range(2)])
    whole = collapse(people, names, by="area", values="cost")
    assert merged.conditions == whole.conditions
    assert_frame_equal(merged.frame, whole.frame)


@settings(max_examples=25)
@given(populations(max_conditions=3, max_people=120), st.sampled_from(["nhs_england", "opensafely", "sacro"]))
def test_a_suppressed_file_holds_rounded_counts_of_sets_above_the_threshold_alone(population, name):
    people, names = population
    policy = getattr(sr.Policy, name)()
    patterns = collapse(people, names, by="area")
    with tempfile.TemporaryDirectory() as folder:
        patterns.write(f"{folder}/site.parquet", policy=policy)
        there = sr.Patterns.read(f"{folder}/site.parquet")
    # authority: the rule, said in Python of sets counted by hand
    held = [(tuple(n for n in names if row[n]), row["area"]) for row in people.iter_rows(named=True)]
    wanted = {key: (held.count(key) + 2) // 5 * 5 for key in held if held.count(key) > policy.threshold}
    assert {(tuple(c), a): n for c, a, n in there.to_frame().iter_rows()} == wanted


@given(populations())
def test_long_and_wide_give_the_same_patterns(population):
    people, names = population
    arguments = {"by": "area", "values": "cost"}
    wide = collapse(people, names, **arguments)
    records = records_of(people, names)
    long = sr.Patterns.from_long(pl.concat([records, records]), people, conditions=names, **arguments)
    assert long.conditions == wide.conditions
    assert_frame_equal(long.frame, wide.frame)


@given(populations())
def test_value_sums_are_exact(population):
    # authority: integers of pence, added in Python
    people, names = population
    frame = collapse(people, names, values="cost").frame
    pence = [round(pounds * 100) for pounds in people["cost"]]
    assert frame["cost__n"].sum() == sum(p > 0 for p in pence)
    assert sum(frame["cost__sum"].to_list()) == sum(pence)
    assert sum(frame["cost__sum_squares"].to_list()) == sum(p * p for p in pence)
    logs = sum(np.log(p / 100) for p in pence if p)
    assert float(sum(frame["cost__sum_log"].to_list())) / 2**32 == pytest.approx(logs, abs=people.height * 2**-32)


@pytest.mark.parametrize(("many", "few", "peel"), [(1, 1, 1), (1, 1, 2), (1, 256, 6), (65_536, 1, 1)])
@settings(max_examples=20)
@given(st.sampled_from([5, 8, 9, 64, 70, 130]), st.integers(0, 2**32 - 1))
def test_every_way_of_counting_gives_the_same_sets(many, few, peel, width, seed):
    # large tables are counted by other ways than small ones: each is set to work on small ones, against brute force
    random = np.random.default_rng(seed)
    people = pl.DataFrame(
        (random.random((50, width)) < 4 / width).astype(np.int8), schema=[f"c{k}" for k in range(width)]
    )
    people = people.with_columns(pl.Series("cost", random.integers(0, 10**9, 50)) / 100)
    names = people.columns[:-1]
    with pytest.MonkeyPatch.context() as patch:
        for constant, value in (("MANY", many), ("FEW", few), ("PEEL", peel)):
            patch.setattr(bits, constant, value)
        patterns = collapse(people, names, values="cost")
        found = sr.multimorbidity.combinations(patterns, kind="at_least", min_size=1, max_size=4, min_persons=2)
        pairs = sr.networks.cooccurrence(patterns).estimates
        prevalence = sr.multimorbidity.prevalence(patterns).estimates
    held = [frozenset(n for n, has in zip(names, row[:-1], strict=True) if has) for row in people.iter_rows()]
    pence = (people["cost"] * 100).round().cast(pl.Int64).to_list()
    counts: dict[frozenset[str], list[int]] = {}
    for own, cost in zip(held, pence, strict=True):
        for subset in (frozenset(c) for k in range(1, 5) for c in choose(sorted(own), k)):
            counts.setdefault(subset, []).append(cost)
    wanted = {subset: costs for subset, costs in counts.items() if len(costs) >= 2}
    assert found_sets(found) == {subset: len(costs) for subset, costs in wanted.items()}
    for row in found.estimates.iter_rows(named=True):
        costs = wanted[frozenset(row["combination"])]
        assert row["mean_cost"] == pytest.approx(sum(costs) / 100 / len(costs), rel=1e-15)
    both = {(a, b): n for a, b, n in pairs.select("source", "target", "n_both").iter_rows()}
    assert all(n == len(counts.get(frozenset(pair), [])) for pair, n in both.items())
    assert all(
        n == len(counts.get(frozenset([c]), [])) for c, n in prevalence.select("condition", "n_persons").iter_rows()
    )


@given(populations())
def test_means_and_totals_of_a_set_are_those_of_its_people(population):
    people, names = population
    patterns = collapse(people, names, values="cost")
    pence = people.select((pl.col("cost") * 100).round().cast(pl.Int64)).to_series()
    for row in sr.multimorbidity.combinations(patterns, kind="at_least", min_size=1).estimates.iter_rows(named=True):
        have = people.select(pl.all_horizontal([pl.col(n) == 1 for n in row["combination"]])).to_series()
        total = int(pence.filter(have).sum())
        assert row["mean_cost"] == pytest.approx(float(Fraction(total, 100 * row["n_persons"])), rel=1e-15)
        assert row["total_cost"] == pytest.approx(total / 100, rel=1e-14)


@settings(max_examples=8)
@given(st.sampled_from([1, 63, 64, 65, 70, 128, 130, 308]), st.integers(0, 2**32 - 1))
def test_any_number_of_conditions_equals_brute_force(width, seed):
    random = np.random.default_rng(seed)
    people = pl.DataFrame(
        (random.random((30, width)) < 3 / width).astype(np.int8), schema=[f"c{k}" for k in range(width)]
    )
    names = people.columns
    patterns = collapse(people, names)
    assert patterns.n_persons == 30
    prevalence = sr.multimorbidity.prevalence(patterns).estimates
    assert dict(prevalence.select("condition", "n_persons").iter_rows()) == {n: int(people[n].sum()) for n in names}
    held = [frozenset(n for n, has in zip(names, row, strict=True) if has) for row in people.iter_rows()]
    exact = found_sets(sr.multimorbidity.combinations(patterns, kind="exact", min_size=0))
    assert exact == {s: held.count(s) for s in held}
    at_least = found_sets(sr.multimorbidity.combinations(patterns, kind="at_least", max_size=3, min_size=2))
    every = {frozenset(c) for s in held for k in (2, 3) for c in choose(sorted(s), k)}
    assert at_least == {s: sum(s <= person for person in held) for s in every}
    # another site knows other conditions: the words are renumbered
    half = people.select(names[::2]).rename({n: f"z{n}" for n in names[::2]})
    merged = sr.Patterns.merge(patterns, collapse(half, half.columns))
    assert merged.n_persons == 60
    counted = dict(sr.multimorbidity.prevalence(merged).estimates.select("condition", "n_persons").iter_rows())
    assert counted == {n: int(people[n].sum()) for n in names} | {n: int(half[n].sum()) for n in half.columns}


@settings(max_examples=25)
@given(populations(max_conditions=4, max_people=120), st.sampled_from(["nhs_england", "opensafely", "sacro"]))
def test_released_counts_are_never_small_and_suppressing_twice_changes_nothing(population, name):
    people, names = population
    policy = getattr(sr.Policy, name)()
    patterns = collapse(people, names, by="area", values="cost")
    results = [
        sr.multimorbidity.condition_count(patterns),
        sr.multimorbidity.prevalence(patterns),
        sr.multimorbidity.combinations(patterns, kind="exact", min_size=0),
        sr.multimorbidity.combinations(patterns, kind="at_least"),
        sr.networks.cooccurrence(patterns),
    ]
    for result in results:
        safe = sr.suppress(result, policy)
        assert_frame_equal(sr.suppress(safe, policy).estimates, safe.estimates)
        # made again from its own released counts, rounding moves nothing
        again = sr.suppress(type(result)(safe.count_tables, safe.settings, result.by), policy)
        assert_frame_equal(again.estimates, safe.estimates)
        counts = [c for c in safe.estimates.columns if c.startswith("n_") and c != "n_conditions"]
        for column in counts:
            shown = safe.estimates[column].drop_nulls()
            assert not shown.is_between(1, policy.threshold).any()
            assert (shown % 5 == 0).all()
        for column in safe.estimates.columns:
            # a suppressed count suppresses every figure made from it
            if "n_persons" in counts and column in ("estimate", "observed_expected", "mean_cost", "total_cost"):
                hidden = safe.estimates.filter(pl.col("n_persons").is_null())
                assert hidden[column].null_count() == hidden.height


@given(populations())
def test_patterns_refuse_a_person_listed_twice(population):
    people, names = population
    assume(people.height > 1)
    twice = pl.concat([people, people.head(1)])
    with pytest.raises(sr.errors.ArgumentError, match="counts 1 rows twice"):
        sr.Patterns.from_long(records_of(people, names), twice)
