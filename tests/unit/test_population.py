"""A population says whose people may be among whose, in one place."""

from __future__ import annotations

from datetime import date

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


Q1, Q2, YEAR = ("2016-01-01", "2016-03-31"), ("2016-04-01", "2016-06-30"), ("2016-01-01", "2016-12-31")


def test_quarters_are_parts_of_a_programme_and_other_windows_are_not() -> None:
    whole, one, other = P(programme="hubs"), P(programme="hubs", joined=Q1), P(programme="hubs", joined=Q2)
    assert one.parts == (("programme", "hubs"), ("joined", "2016-Q1"))
    assert one.whole == other.whole == whole.whole
    assert one.is_disjoint_from(other)
    assert one.may_be_nested_in(whole)
    assert not one.may_be_nested_in(other)
    # windows overlap, so a year is no part; its people may be those of a quarter, for all that is said
    year = P(programme="hubs", joined=YEAR)
    assert year.parts == (("programme", "hubs"),)
    assert year.whole != whole.whole
    assert one.may_be_nested_in(year)
    assert not year.is_disjoint_from(one)


def test_who_joined_a_hub_may_have_joined_the_programme_in_another_quarter() -> None:
    # at another hub, in the first quarter; at this one in the second
    hub = P(programme="hubs", hub="Yeovil", joined=Q2)
    assert not hub.is_disjoint_from(P(programme="hubs", joined=Q1))
    assert hub.parts == (("programme", "hubs"), ("hub", "Yeovil"))
    assert hub.is_disjoint_from(P(programme="hubs", hub="Yeovil", joined=Q1))


days = st.dates(min_value=date(2015, 1, 1), max_value=date(2017, 12, 31))
windows = st.tuples(days, days).map(lambda ends: (min(ends).isoformat(), max(ends).isoformat()))


@given(one=windows, other=windows, joined=st.lists(days, max_size=5))
def test_windows_of_joining_person_by_person(one, other, joined) -> None:  # type: ignore[no-untyped-def]
    a, b = P(programme="hubs", joined=one), P(programme="hubs", joined=other)
    both = [day for day in joined if one[0] <= day.isoformat() <= one[1] and other[0] <= day.isoformat() <= other[1]]
    if a.is_disjoint_from(b):
        assert not both
    if not a.may_be_nested_in(b):
        # then the one cannot be among the other, whoever joined: no day is in both
        assert not both
    assert P.read(a.as_mapping()) == a
    assert a.may_be_nested_in(P(programme="hubs"))


def test_into_how_many_parts_people_are_divided_says_nothing_of_who_they_are() -> None:
    one = P(practice="P1", divided={"practice": 3})
    assert one.whole == P().whole == P(practice="P2").whole
    assert one.without_parts() == P()
    assert one.described() == {"practice": "P1"}


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


def test_who_enrolled_until_a_later_day_is_not_among_those_until_an_earlier_one() -> None:
    early, late = (Population(index="enrolment", until=day) for day in ("2017-12-31", "2018-03-31"))
    assert early.may_be_nested_in(late)
    assert not late.may_be_nested_in(early)
    assert late.may_be_nested_in(late)
    # of one day of looking at people more data say nothing of who they are
    fixed = [one.replace(index="2012-04-01") for one in (early, late)]
    assert fixed[1].may_be_nested_in(fixed[0])
    assert fixed[0].may_be_nested_in(fixed[1])
