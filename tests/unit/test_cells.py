"""Who a number counts: definitions that are equal where, and only where, they are of the same people."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symphony_research.result.cells import (
    UNLIMITED,
    CellDefinition,
    at_least,
    everybody,
    exactly,
    feature_list,
    features_of,
    of_size,
    unrelated,
)

FEATURES = ("asthma", "copd", "stroke")
AMONG = feature_list(FEATURES)
names = st.sets(st.sampled_from(FEATURES))


@given(names, st.randoms())
def test_the_order_of_names_says_nothing(held, random):
    shuffled = random.sample(sorted(held), len(held))
    assert at_least(shuffled) == at_least(held)
    assert exactly(shuffled, AMONG) == exactly(held, AMONG)
    assert feature_list(random.sample(FEATURES, 3)) == AMONG
    assert features_of(AMONG) == FEATURES


def test_who_is_who_by_hand():
    # whoever has asthma and two of the three in all: the same people whichever way it is said
    assert at_least(["asthma", "copd"]).of_size(2, AMONG) == exactly(["copd", "asthma"], AMONG)
    assert of_size(0, AMONG) == exactly((), AMONG)
    assert of_size(2, AMONG) != of_size(2, AMONG, or_more=True)
    assert of_size(2, AMONG, or_more=True) == CellDefinition(least=2, most=UNLIMITED, among=AMONG)
    # by another list of conditions somebody has another number of them
    assert exactly(["asthma"], AMONG) != exactly(["asthma"], feature_list(["asthma", "copd"]))
    assert everybody().is_everybody
    assert everybody().within([("sex", "F")]).is_everybody
    for cell in (at_least(["asthma"]), of_size(1, AMONG), everybody().in_state("at 30", "dead"), unrelated("margin")):
        assert not cell.is_everybody
    assert exactly((), AMONG).is_exact
    assert not of_size(1, AMONG).is_exact
    assert not at_least(FEATURES).is_exact
    assert features_of("") == ()


pairs = st.dictionaries(st.sampled_from(["sex", "hub", "age_band"]), st.sampled_from(["1", "2", "3"]))


@given(pairs, pairs)
def test_strata_are_a_set_of_columns_with_one_value_each(one, other):
    # column by column in either order, at once, or twice: the same people
    merged = {**one, **other}
    at_once = at_least(["copd"]).within(merged.items())
    assert at_least(["copd"]).within(one.items()).within(other.items()) == at_once
    assert at_once.within(merged.items()) == at_once
    assert dict(at_once.stratum) == merged
    assert list(at_once.stratum) == sorted(at_once.stratum)
    for order in itertools.permutations(merged.items()):
        assert at_least(["copd"]).within(order) == at_once


def test_a_stratum_is_named_by_its_words():
    # a number in one table and its text in another are one level
    assert everybody().within([("decile", 3)]) == everybody().within([("decile", "3")])


@given(pairs)
def test_states_are_of_partitions_and_sides_of_two_groups(one):
    cell = at_least(["copd"])
    first, second = cell.in_state("by 30", "dead"), cell.in_state("by 60", "alive")
    assert first.in_state("by 60", "alive") == second.in_state("by 30", "dead")
    assert first != cell
    assert cell.on_side("a") != cell.on_side("b")
    assert cell.on_side("a").within(one.items()) == cell.within(one.items()).on_side("a")


@pytest.mark.parametrize("least", range(4))
def test_definitions_are_equal_only_where_the_people_are(least):
    """Of all sets of three conditions, equal definitions and no others are of the same sets of people.

    A number of conditions above all there are, or below those held, is another name for nobody or for everybody; no
    family gives such names.
    """
    everyone = [frozenset(held) for n in range(4) for held in itertools.combinations(FEATURES, n)]
    cells = [at_least(held) for held in everyone]
    cells += [exactly(held, AMONG) for held in everyone]
    cells += [of_size(n, AMONG) for n in (1, 2)]
    cells += [of_size(2, AMONG, or_more=True)]

    def people(cell):
        return frozenset(held for held in everyone if held >= set(cell.having) and cell.least <= len(held) <= cell.most)

    cells = list(dict.fromkeys(cells))
    for one, other in itertools.combinations(cells, 2):
        # those with all of the list have exactly all of it
        if {one, other} == {at_least(FEATURES), exactly(FEATURES, AMONG)}:
            continue
        assert people(one) != people(other), (one, other)
