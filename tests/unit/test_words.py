"""How names and numbers are written: each expectation is the rule of the house, said beside it."""

from __future__ import annotations

import pytest

from symphony_research import words as house
from symphony_research.words.lexicon import capital, in_words
from symphony_research.words.numbers import about, p_value, percentage, roughly, times
from symphony_research.words.phrases import cost_period, joined


def test_abbreviations_keep_their_capitals():
    assert capital(in_words("copd")) == "COPD"
    assert capital(joined(["heart_failure", "copd", "parkinsons_disease"])) == (
        "Heart failure, COPD and Parkinson's disease"
    )
    assert in_words("gastro_oesophageal_reflux") == "gastro-oesophageal reflux"


def test_nothing_lowers_the_rest_of_a_name():
    # str.capitalize makes "Copd" of COPD; there is one helper for all
    from pathlib import Path

    package = Path(house.__file__).parents[1]
    found = [p.name for p in package.rglob("*.py") if ".capitalize()" in p.read_text(encoding="utf-8")]
    assert found == []


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.00996, "1.0%"),
        (0.0104, "1.0%"),
        (0.011, "1.1%"),
        (0.0099, "0.99%"),
        (0.5, "50%"),
        (0.996, "99.6%"),
        (1.0, "100%"),
    ],
)
def test_shares_beside_each_other_are_as_precise(share, words):
    assert percentage(share) == words


def test_a_rounded_count_is_not_rounded_again():
    # a bar beside it says 4,275
    assert about(4275) == "4,275"


def test_a_sum_of_rounded_counts_is_said_roughly():
    # 319,785 is what rounded cells add up to, of 319,795 people
    assert roughly(319_785) == "320,000"


@pytest.mark.parametrize(
    ("ratio", "words"), [(0.714, "0.714"), (4.25, "4.25"), (16.18, "16.2"), (465.1, "470"), (2000, "over 1,000")]
)
def test_times_expected_has_three_figures_and_fewer_where_it_rests_on_next_to_nobody(ratio, words):
    assert times(ratio) == words


@pytest.mark.parametrize(
    ("population", "words"),
    [
        ({"months": 12, "index": "2011-04-01"}, "in the 12 months from 1 April 2011"),
        ({"months": 1, "index": "enrolment"}, "in the month from joining"),
        ({"index": "2011-04-01"}, ""),
    ],
)
def test_the_time_of_a_cost_is_named(population, words):
    assert cost_period({"population": population}) == words


@pytest.mark.parametrize(
    ("value", "words"), [(0.0004, "<0.001"), (0.0123, "0.012"), (0.0996, "0.10"), (0.5, "0.50"), (0.999, ">0.99")]
)
def test_a_p_value_is_never_zero_nor_one(value, words):
    assert p_value(value) == words
