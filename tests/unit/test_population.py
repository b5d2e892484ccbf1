"""A population says whose people may be among whose, in one place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.population import Population

P = Population


@pytest.mark.parametrize(
    ("inner", "outer", "nested"),
    [
        (P(age=(20, 30)), P(age=(18, None)), True),
        (P(age=(18, None)), P(age=(20, 30)), False),
        (P(age=(18, 30)), P(age=(18, 30)), True),
        (P(age=(None, 30)), P(age=(0, 30)), True),
        (P(sex="F"), P(sex="M"), False),
        (P(sex="F", hub="Yeovil"), P(sex="F"), True),
        (P(practice="P1"), P(hub="Yeovil"), True),  # for all that is said, a practice of the hub
        (P(min_conditions=3), P(min_conditions=2), True),
        (P(min_conditions=2), P(min_conditions=3), False),
        # three of a, b, c are at least two of a, b, and perhaps no three of them
        (P(min_conditions=3, counted=("a", "b", "c")), P(min_conditions=2, counted=("a", "b")), True),
        (P(min_conditions=3, counted=("a", "b", "c")), P(min_conditions=3, counted=("a", "b", "d")), False),
        (P(min_conditions=3, counted=("a", "b", "c")), P(min_conditions=3, counted=("a", "b", "c", "d")), True),
    ],
)
def test_which_populations_may_be_nested(inner: Population, outer: Population, nested: bool) -> None:
    assert inner.may_be_nested_in(outer) is nested


def test_disjoint_parts_and_what_is_left() -> None:
    yeovil, chard = (
        P(programme="hubs", hub="Yeovil", until="2018-03-31"),
        P(programme="hubs", hub="Chard", until="2018-03-31"),
    )
    assert yeovil.is_disjoint_from(chard)
    assert not yeovil.is_disjoint_from(P(programme="hubs"))
    assert yeovil.parts == (("programme", "hubs"), ("hub", "Yeovil"))
    # the outcome says nothing of who they are, and a date does
    assert yeovil.whole == chard.replace(event="death").whole != chard.replace(until="2018-06-30").whole


def test_an_unknown_predicate_is_not_taken_for_everybody() -> None:
    with pytest.raises(sr.ArgumentError, match=r"no predicate 'hubb'. Did you mean 'hub'"):
        P.read({"hubb": "Yeovil"})


def test_two_groups_have_their_names() -> None:
    read = P.read({"Yeovil": {"hub": "Yeovil"}, "Chard": {"hub": "Chard"}})
    assert read.groups is not None
    assert read.groups["Chard"] == P(hub="Chard")
    assert P.read(read.as_mapping()) == read


@given(
    age=st.none() | st.tuples(st.none() | st.integers(0, 120), st.none() | st.integers(0, 120)),
    least=st.none() | st.integers(1, 5),
    counted=st.none() | st.lists(st.sampled_from("abcdef"), unique=True).map(lambda found: tuple(sorted(found))),
    hub=st.none() | st.sampled_from(["Yeovil", "Chard"]),
)
def test_a_population_is_read_back_from_its_mapping_and_is_nested_in_itself(age, least, counted, hub) -> None:  # type: ignore[no-untyped-def]
    told = P(age=age, min_conditions=least, counted=counted, hub=hub)
    assert P.read(told.as_mapping()) == told
    assert told.may_be_nested_in(told)
    assert not told.is_disjoint_from(told)


@given(
    have=st.sets(st.sampled_from("abcdef")),
    one=st.sets(st.sampled_from("abcdef"), min_size=1), other=st.sets(st.sampled_from("abcdef"), min_size=1),
    least=st.integers(1, 4), wide=st.integers(1, 4),
)  # fmt: skip
def test_whoever_is_in_the_inner_is_in_the_outer_where_lists_make_them_nested(have, one, other, least, wide) -> None:  # type: ignore[no-untyped-def]
    # by definition of "at least so many of a list", person by person
    inner, outer = (
        P(min_conditions=least, counted=tuple(sorted(one))),
        P(min_conditions=wide, counted=tuple(sorted(other))),
    )
    if inner.may_be_nested_in(outer) and len(have & one) >= least:
        assert len(have & other) >= wide


def test_every_predicate_is_described_in_words_and_no_digest_is() -> None:
    one = Population(
        programme="complex_care", hub="north_HUB", age=(65, None), min_conditions=3, counted=("a",), index="enrolment",
        until="2018-03-31", comparison="with matched controls", matching="7b02dac3fb9ba7f3", index_dates="0badf00d",
        leave_programme=True, strata={"age_band": ["65-74", "75-84"]}, event="death", horizon=365,
    )  # fmt: skip
    assert one.described() == {
        "programme": "complex care", "hub": "north_HUB", "age": "65 and over", "conditions": "at least 3",
        "strata": "age band 65-74, 75-84", "as of": "the day of joining", "data to": "31 March 2018",
        "leave programme": "yes", "compared": "with matched controls",
    }  # fmt: skip
