"""Every relation that the search uses is true of any people: drawn at random, each published number counted one by one."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from symphony_research.disclosure import system
from symphony_research.disclosure.outputs import UNBOUNDED, CellBounds, ReleasedOutput
from symphony_research.disclosure.relations import relations_between, rests_of, wholes_of
from symphony_research.result.cells import (
    CellDefinition,
    Covered,
    Nested,
    Partition,
    Same,
    at_least,
    everybody,
    exactly,
    feature_list,
    of_size,
)

FEATURES = ("asthma", "copd", "gout", "stroke")
AMONG, FEWER = feature_list(FEATURES), feature_list(FEATURES[:3])
SEXES, HUBS = ("F", "M"), ("A", "B", "C")
OUTCOME, OUTCOMES = "by day 30", ("alive", "dead", "moved")
THRESHOLD = 7


@dataclass(frozen=True)
class Person:
    """One kind of person: what they have, where they are, and what became of them."""

    has: frozenset[str]
    sex: str
    hub: str
    outcome: str


def counts(cell: CellDefinition, person: Person) -> bool:
    """Whether a number counts a person, from the words of its definition."""
    where = {"sex": person.sex, "hub": person.hub}
    among = set(cell.among.split("\x1f")) if cell.among else set()
    return (
        all(where[name] == value for name, value in cell.stratum)
        and set(cell.having) <= person.has
        and cell.least <= len(among & person.has) <= cell.most
        and all(person.outcome == category for _, category in cell.state)
    )


@functools.cache
def who(cell: CellDefinition) -> frozenset[Person]:
    """Every kind of person that a number counts."""
    return frozenset(person for person in KINDS if counts(cell, person))


def number(cell: CellDefinition, people: Counter[Person]) -> int:
    within = who(cell)
    return sum(n for person, n in people.items() if person in within)


KINDS = [
    Person(frozenset(held), sex, hub, outcome)
    for size in range(5)
    for held in itertools.combinations(FEATURES, size)
    for sex, hub, outcome in itertools.product(SEXES, HUBS, OUTCOMES)
]
persons = st.builds(
    Person,
    st.frozensets(st.sampled_from(FEATURES)),
    st.sampled_from(SEXES),
    st.sampled_from(HUBS),
    st.sampled_from(OUTCOMES),
)
populations = st.dictionaries(persons, st.integers(1, 30), min_size=1, max_size=25).map(Counter)
STRATA = [
    (),
    *[(("sex", sex),) for sex in SEXES],
    *[(("hub", hub),) for hub in HUBS],
    *[(("sex", sex), ("hub", hub)) for sex in SEXES for hub in HUBS],
]


def whole_cells() -> list[CellDefinition]:
    """Numbers of every kind that families publish, of everybody: sets, sizes, exact sets, states, and these together."""
    sets = [held for n in range(1, 5) for held in itertools.combinations(FEATURES, n)]
    cells = [everybody(), *map(at_least, sets)]
    for among, most in ((AMONG, 4), (FEWER, 3)):
        cells += [of_size(n, among) for n in range(most + 1)]
        cells += [of_size(n, among, or_more=True) for n in range(1, most)]
        cells += [exactly(held, among) for held in ((), *sets) if set(held) <= set(among.split("\x1f"))]
        for feature in FEATURES[:3]:
            cells += [at_least([feature]).of_size(n, among) for n in range(1, most + 1)]
            cells += [at_least([feature]).of_size(n, among, or_more=True) for n in range(2, most)]
    cells += [everybody().in_state(OUTCOME, category) for category in OUTCOMES]
    cells += [at_least(held).in_state(OUTCOME, category) for held in sets[:5] for category in OUTCOMES]
    return list(dict.fromkeys(cells))


EVERY = [cell.within(stratum) for cell in whole_cells() for stratum in STRATA]
OF_EVERYBODY = whole_cells()


def published(
    cells: list[CellDefinition], people: Counter[Person], by: tuple[str, ...] = (), relations: tuple = ()
) -> ReleasedOutput:
    """A result with these numbers, all of them shown exactly."""
    shown = tuple(CellBounds("cells", at, "n", of, *[number(of, people)] * 3) for at, of in enumerate(cells))
    return ReleasedOutput("Family", "Title", by, {}, {}, (), None, None, shown, relations)


def tables(
    draw: st.DrawFn, people: Counter[Person], pool: list[CellDefinition], columns: list[tuple[str, ...]]
) -> list[ReleasedOutput]:
    """Random tables of a population: each by some columns, with all strata that there are, and random other numbers."""
    made = []
    for by in draw(st.lists(st.sampled_from(columns), min_size=1, unique=True)):
        strata = sorted({tuple((name, getattr(person, name)) for name in by) for person in people})
        totals = [everybody().within(stratum) for stratum in strata]
        others = draw(st.lists(st.sampled_from(pool), max_size=15, unique=True))
        # a table has the strata in which anybody is
        own = [cell.within(stratum) for cell in others for stratum in strata if not cell.stratum]
        made.append(published(list(dict.fromkeys([*totals, *own])), people, by, declared(draw, strata)))
    return made


def declared(draw: st.DrawFn, strata: list[tuple]) -> tuple[Partition | Nested | Covered, ...]:
    """Relations as a curve declares them of its own strata: everybody is in one outcome; and some outcomes are not all."""
    kind = draw(st.sampled_from(["none", "all", "some", "overlapping"]))
    made: list[Partition | Nested | Covered] = []
    for whole in [everybody().within(stratum) for stratum in strata] if kind != "none" else []:
        parts = tuple(whole.in_state(OUTCOME, category) for category in OUTCOMES)
        if kind == "all":
            made.append(Partition(whole, parts))
        elif kind == "overlapping":  # whoever has one of two conditions has one at least
            made.append(Covered(whole, (*parts, replace(whole, having=FEATURES[:1]))))
        else:
            made += [Partition(whole, parts[:2], complete=False), Nested(parts[2], whole)]
    return tuple(made)


@st.composite
def worlds(
    draw: st.DrawFn,
    pool: list[CellDefinition] = OF_EVERYBODY,
    columns: list[tuple[str, ...]] = [(), ("sex",), ("hub",), ("sex", "hub")],  # noqa: B006
) -> tuple[Counter[Person], list[ReleasedOutput]]:
    people = draw(populations)
    return people, tables(draw, people, pool, columns)


def cells_of(told: list[ReleasedOutput]) -> list[CellDefinition]:
    known = [cell.of for one in told for cell in one.cells]
    return list(dict.fromkeys([*known, *sorted(wholes_of(told))]))


@settings(max_examples=60)
@given(worlds(), st.integers(0, 2**16))
def test_every_relation_holds_whoever_the_people_are(world, seed):
    random = Random(seed)
    people, told = world
    cells = cells_of(told)
    random.shuffle(cells)
    for terms, low, high in relations_between(cells, told):
        assert low <= sum(value * number(cell, people) for cell, value in terms) <= high, terms


@settings(max_examples=60)
@given(populations, st.sets(st.sampled_from(EVERY), max_size=60))
def test_every_relation_between_any_numbers_holds(people, chosen):
    """Numbers of any strata, in any company, where no table says that all strata are there."""
    cells = sorted(chosen)
    for terms, low, high in relations_between(cells, []):
        assert low <= sum(value * number(cell, people) for cell, value in terms) <= high, terms


def kinds(cells: list[CellDefinition], told: list[ReleasedOutput] | None = None) -> list[tuple[set, float, float]]:
    return [(set(terms), low, high) for terms, low, high in relations_between(cells, told or [])]


def test_each_kind_of_relation_is_written_by_hand():
    one, two, three = (at_least([f]) for f in FEATURES[:3])
    pairs = [at_least(pair) for pair in itertools.combinations(FEATURES[:3], 2)]
    triple = at_least(FEATURES[:3])
    n = everybody()
    # a set within a set, and whoever has one of two features is somebody
    assert ({(n, 1.0), (one, -1.0)}, 0.0, UNBOUNDED) in kinds([n, one])
    assert ({(n, 1.0), (one, -1.0), (two, -1.0), (pairs[0], 1.0)}, 0.0, UNBOUNDED) in kinds([n, one, two, pairs[0]])
    # inclusion and exclusion of three: those with none of them are n - singles + pairs - triple
    none = {(n, 1.0), (one, -1.0), (two, -1.0), (three, -1.0), *((p, 1.0) for p in pairs), (triple, -1.0)}
    assert (none, 0.0, UNBOUNDED) in kinds([n, one, two, three, *pairs, triple])
    # numbers of conditions with a last row for all above make up everybody
    sizes = [of_size(0, AMONG), of_size(1, AMONG), of_size(2, AMONG, or_more=True)]
    assert ({(n, 1.0), *((s, -1.0) for s in sizes)}, 0.0, 0.0) in kinds([n, *sizes])
    # and those with a condition by how many they have
    of_one = [one.of_size(1, AMONG), one.of_size(2, AMONG, or_more=True)]
    assert ({(one, 1.0), *((s, -1.0) for s in of_one)}, 0.0, 0.0) in kinds([one, *of_one])
    # all sixteen exact sets of four conditions are everybody; without one they are at most
    exact = [exactly(h, AMONG) for k in range(5) for h in itertools.combinations(FEATURES, k)]
    assert ({(n, 1.0), *((e, -1.0) for e in exact)}, 0.0, 0.0) in kinds([n, *exact])
    assert ({(n, 1.0), *((e, -1.0) for e in exact[1:])}, 0.0, UNBOUNDED) in kinds([n, *exact[1:]])
    # exact sets of one size are those with that number, at most
    assert ({(of_size(1, AMONG), 1.0), (exact[1], -1.0)}, 0.0, UNBOUNDED) in kinds([n, of_size(1, AMONG), exact[1]])
    # somebody's conditions counted one by one are their number: of one list of four, each size with its number
    singles, all_sizes = [at_least([f]) for f in FEATURES], [of_size(k, AMONG) for k in range(4)]
    last = of_size(4, AMONG, or_more=True)
    terms = {*((s, 1.0) for s in singles), *((s, -float(k)) for k, s in enumerate(all_sizes) if k), (last, -4.0)}
    assert (terms, 0.0, UNBOUNDED) in kinds([*singles, *all_sizes, last])
    # those with exactly two conditions, by condition, are counted twice
    twice = [at_least([f]).of_size(2, AMONG) for f in FEATURES]
    assert ({(of_size(2, AMONG), 2.0), *((t, -1.0) for t in twice)}, 0.0, 0.0) in kinds([of_size(2, AMONG), *twice])
    # strata: exactly where a table shows all there are, at most where none says so
    sexes = [n.within([("sex", sex)]) for sex in SEXES]
    by_sex = ReleasedOutput("F", "T", ("sex",), {}, {}, (), None, None, ())
    assert ({(n, 1.0), *((s, -1.0) for s in sexes)}, 0.0, 0.0) in kinds([n, *sexes], [by_sex])
    assert ({(n, 1.0), *((s, -1.0) for s in sexes)}, 0.0, UNBOUNDED) in kinds([n, *sexes])
    # two names of the same people, where both are published
    told = ReleasedOutput("F", "T", (), {}, {}, (), None, None, (), (Same(one, two),))
    assert ({(one, 1.0), (two, -1.0)}, 0.0, 0.0) in kinds([one, two], [told])
    assert wholes_of([told]) == set()
    # parts that may share people cover their whole, where all of them are published
    told = ReleasedOutput("F", "T", (), {}, {}, (), None, None, (), (Covered(n, (one, two)),))
    assert ({(one, 1.0), (two, 1.0), (n, -1.0)}, 0.0, UNBOUNDED) in kinds([n, one, two], [told])
    assert not any((n, -1.0) in terms for terms, _, _ in kinds([n, one], [told]))
    assert wholes_of([told]) == set()
    # states
    dead = n.in_state(OUTCOME, "dead")
    assert ({(n, 1.0), (dead, -1.0)}, 0.0, UNBOUNDED) in kinds([n, dead])


def test_a_table_of_hubs_does_not_say_in_which_hubs_the_women_are():
    # ten women, three of them in hub B. Hubs are told of everybody; of women only those of hub B are, in another output
    women, of_b = everybody().within([("sex", "F")]), everybody().within([("sex", "F"), ("hub", "B")])
    hubs = [everybody().within([("hub", hub)]) for hub in HUBS]
    by_hub = ReleasedOutput("F", "T", ("hub",), {}, {}, (), None, None, ())
    told = kinds([women, of_b, *hubs], [by_hub])
    assert ({(women, 1.0), (of_b, -1.0)}, 0.0, UNBOUNDED) in told
    assert ({(women, 1.0), (of_b, -1.0)}, 0.0, 0.0) not in told
    # an output of women by hub does
    womens = ReleasedOutput("F", "T", ("hub",), {}, {}, (("sex", "F"),), None, None, ())
    assert ({(women, 1.0), (of_b, -1.0)}, 0.0, 0.0) in kinds([women, of_b, *hubs], [by_hub, womens])


@settings(max_examples=60)
@given(worlds(), st.integers(0, 2**16))
def test_what_parts_leave_of_their_whole_is_as_many_as_is_said(world, seed):
    """Some small numbers are not named: what is left of the shown wholes is theirs."""
    random = Random(seed)
    people, told = world
    cells = cells_of(told)
    small = [of for of in cells if of.is_exact and 0 <= number(of, people) <= THRESHOLD and random.random() < 0.7]
    unnamed: dict = {}
    for of in small:
        unnamed.setdefault((of.stratum, of.side), []).append(of)
    named = [of for of in cells if of not in small]
    # of strata whose people are few only the total is there
    few = {of.stratum for of in cells if of.is_everybody and number(of, people) <= THRESHOLD and of.stratum}
    named = [of for of in named if of.stratum not in few or of.is_everybody]
    shown = {of for of in named if number(of, people) > THRESHOLD}
    for rest in rests_of(named, told, shown, unnamed):
        assert rest.whole in shown
        left = number(rest.whole, people) - sum(number(part, people) for part in rest.parts)
        assert left >= 0
        if rest.cells:
            assert left <= rest.cells * THRESHOLD, rest
        assert rest.of not in named


def in_integers(told: list[ReleasedOutput]) -> system.System:
    before = system.MOST_ATOMS, system.MOST_BY_STRATA
    system.MOST_ATOMS, system.MOST_BY_STRATA = 100_000, 100_000
    try:
        return system.system_of(told)
    finally:
        system.MOST_ATOMS, system.MOST_BY_STRATA = before


ONE_LIST = [cell for cell in OF_EVERYBODY if cell.among in ("", AMONG)]


@settings(max_examples=20)
@given(worlds(ONE_LIST))
def test_the_people_there_are_solve_the_system_of_all_sets(world):
    """With every published number fixed to what it is, there are people of every set and stratum that make it so."""
    people, told = world
    made = in_integers(told)
    if not made.integers:
        return  # no condition is told of
    exact = np.array([number(cell, people) for cell in made.cells], float)
    low, high = np.zeros(made.n_unknowns), np.full(made.n_unknowns, np.inf)
    low[: len(exact)] = high[: len(exact)] = exact
    found = milp(
        np.zeros(made.n_unknowns),
        integrality=np.ones(made.n_unknowns),
        bounds=Bounds(low, high),
        constraints=LinearConstraint(made.matrix, made.low, made.high),
    )
    assert found.status == 0


@settings(max_examples=4)
@given(worlds(ONE_LIST, [(), ("sex",)]))
def test_the_system_of_all_sets_implies_every_relation(world):
    """Of people of every set nothing need be written out: no relation between the numbers can fail there.

    By one column: of two, a pair of levels that no table has would have to be omitted from the sets.
    """
    _, told = world
    made = in_integers(told)
    if not made.integers:
        return
    equal = made.low == made.high
    ends = {"A_eq": made.matrix[equal], "b_eq": made.low[equal]} if equal.any() else {}
    above = ~equal
    if above.any():
        ends |= {"A_ub": -made.matrix[above], "b_ub": -made.low[above]}
    for terms, low, high in itertools.islice(relations_between(list(made.cells), told), 40):
        cost = np.zeros(made.n_unknowns)
        for cell, value in terms:
            cost[made.index[cell]] += value
        for sign, end in ((1, low), (-1, -high)):
            if np.isfinite(end):
                found = linprog(sign * cost, bounds=(0, 1_000), method="highs", **ends)
                assert found.status == 0
                assert found.fun >= end - 1e-6, terms


def test_people_with_anything_are_no_rest_where_they_are_counted_by_number():
    """Who has none of four conditions is a set and a number; who has any is left over only where no numbers are published."""
    among = feature_list(["a", "b", "c", "d"])
    none = exactly([], among)
    by_number = [of_size(1, among), of_size(2, among, or_more=True)]
    shown = {everybody(), none, *by_number}
    (left,) = rests_of([everybody(), none], [], shown, {})
    assert (left.whole, left.parts) == (everybody(), (none,))
    assert rests_of([everybody(), none, *by_number], [], shown, {}) == []
    # up to one condition says nothing of those with more
    assert len(rests_of([everybody(), none, by_number[0]], [], shown, {})) == 1
