"""The flow of people into a study: those at the start have a count of their own, which agrees with what is shown below it."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.cohort.attrition import STARTED, Attrition, attrition_of

NHS = sr.Policy.nhs_england()  # 1 to 7 suppressed, others to the nearest 5


def flow(excluded: list[int], studied: int) -> Attrition:
    return attrition_of([(f"rule {k}", n) for k, n in enumerate(excluded)], studied, start="enrolled")


def released(excluded: list[int], studied: int) -> Attrition:
    return sr.suppress(flow(excluded, studied), NHS)


def test_those_at_the_start_are_rounded_by_themselves() -> None:
    # 9 + 8 = 17 people: to the nearest 5 they are 15, not 10 + 10; after the rule 8, which are 10
    shown = released([9], 8).estimates
    assert shown["n_persons"].to_list() == [15, 10]
    assert shown["n_excluded"].to_list() == [0, 10]


def test_fewer_remain_than_started() -> None:
    # 8 + 8 + 8 = 24 people are 25; 16 remain after the first rule, of whom the parts shown add up to 20; 8 are 10
    assert released([8, 8], 8).estimates["n_persons"].to_list() == [25, 20, 10]
    # 8 + 8 + 8 + 8 = 32 people are 30; 10 + 10 + 10 + 10 remain by the parts shown after the first rule, but no more than 30
    assert released([8, 8, 8], 8).estimates["n_persons"].to_list() == [30, 30, 20, 10]


def test_a_start_that_would_tell_of_few_excluded_is_the_sum_of_what_is_shown() -> None:
    # 17 and 14 are both 15, each 13 to 17: at most 4 were excluded, who are to be any of 1 to 7 or five numbers of them
    close = released([3], 14)
    assert close.count_tables["steps"]["n_persons"].to_list() == [None, None, 15]
    assert close.estimates["n_persons"].to_list() == [15, 15]
    assert "not among those remaining" in " ".join(close.notes(()))
    # 18 are 20, which is 18 to 22: 1 to 7 is possible, and the start has them all
    apart = released([4], 14)
    assert apart.estimates["n_persons"].to_list() == [20, 15]
    assert "not among those remaining" not in " ".join(apart.notes(()))


def test_without_exclusions_there_is_one_count() -> None:
    assert flow([0], 30).count_tables["steps"].rows() == [("studied", 30)]
    assert flow([0], 30).estimates.rows() == [("enrolled", 0, 30)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=3), st.integers(8, 60))
def test_every_suppressed_step_keeps_five_numbers(excluded: list[int], studied: int) -> None:
    """A naive attacker who tries every number of each count, and is told which are small."""
    table = released(excluded, studied).count_tables["steps"]
    assert table["step"][0] == STARTED
    shown = dict(table.rows())
    start, left = shown.pop(STARTED), shown.pop("studied")
    ranges = []
    for n, of in zip(shown.values(), excluded, strict=True):
        # those above the threshold that are suppressed may be anything above it; as far as matters here
        ranges.append(range(max(n - 2, 8), n + 3) if n else range(1, 8) if of <= 7 else range(8, 90))
    ranges.append(range(max(left - 2, 8), left + 3) if left else range(8, 90))
    possible: list[set[int]] = [set() for _ in excluded]
    for numbers in product(*ranges):
        if start is None or start - 2 <= sum(numbers) <= start + 2:
            for found, n in zip(possible, numbers[:-1], strict=True):
                found.add(n)
    for n, found in zip(shown.values(), possible, strict=True):
        assert n is not None or len(found) >= 5


@pytest.mark.parametrize("policy", [sr.Policy.opensafely(), sr.Policy.sacro()])
def test_a_start_agrees_with_its_parts_under_each_rule(policy: sr.Policy) -> None:
    # 40 + 300 = 340, in whatever rounding within one base of it
    shown = sr.suppress(flow([40], 300), policy).estimates["n_persons"].to_list()
    assert abs(shown[0] - 340) <= 10
    assert abs(shown[1] - 300) <= 10
