"""Lines are broken where the next word no longer fits: against a naive reading, word by word."""

import numpy as np
import pytest

from symphony_research.show.style import text_width, wrapped

WORDS = ["a", "of", "people", "care", "admission,", "standardised", "(crude)", "multimorbidity", "WWW", "ill"]


def naive(text: str, width: float, size: float, weight: str) -> str:
    lines = [""]
    for number, word in enumerate(text.split(" ")):
        longer = f"{lines[-1]} {word}" if number else word
        if number and text_width(longer, size, weight) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


@pytest.mark.parametrize(("size", "weight"), [(9.0, "normal"), (13.0, "bold")])
def test_as_many_words_stand_in_a_line_as_fit(size, weight):
    random = np.random.default_rng(1)
    for width in (1, 60, 200, 480):
        for number in (1, 2, 25):
            text = " ".join(random.choice(WORDS, number))
            assert wrapped(text, width, size, weight) == naive(text, width, size, weight)


def test_no_text_is_no_text():
    assert wrapped("", 100) == ""


def test_even_lines_are_as_few_and_none_is_wider():
    text = "Of a hundred people seven were admitted as an emergency within a year of joining the programme"
    lines, even = (wrapped(text, 300, even=even).split("\n") for even in (False, True))
    assert len(lines) == len(even) > 1
    assert max(map(text_width, even)) <= max(map(text_width, lines))
    assert " ".join(even) == text
