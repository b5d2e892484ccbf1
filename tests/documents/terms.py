"""The field's terms: wording that none of the project's texts may hold, and what stands in its place.

Read by `test_terms.py` here and by `tests/reports/test_terms_of_reports.py`. The terms are those of the Office for
Statistics Regulation's and the Government Analysis Function's guidance, of textbooks of survival analysis and
epidemiology, and of the Handbook on statistical disclosure control.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# a regular expression, without regard to capitals, and the term to use
PHRASES = {
    r"times expected": "observed/expected ratio",
    r"by chance": "if conditions were independent, or expected",
    r"(against|above|than) chance": "against, above or than expected",
    r"as if conditions fell": "if conditions were independent",
    r"what chance takes into account": "adjusted for",
    r"given (age|sex|deprivation)\b(?! and sex\)| band)": "adjusted for age, sex or deprivation",
    r"(people )?still followed": "number at risk",
    r"people kept": "number at risk",
    r"share of people to whom it": "survival, or cumulative incidence",
    r"(has|have) not yet happened": "event-free; survival",
    r"had had": "had at least one",
    r"(the )?end of watching": "censoring",
    r"follow-up ended": "censored, or follow-up ends",
    r"meet every rule": "met the inclusion criteria",
    r"what was asked for": "settings",
    r"where this came from": "methods and data",
    r"to look out from|from one condition outwards": "index condition; comorbidities of an index condition",
    r"besides": "also, in addition",
    r"every pair": "all pairs, each pair",
    r"(is|what is|are) in the middle": "centrality; central",
    r"sum of (its|their) links": "strength",
    r"drawn again": "bootstrap resamples; resampled",
    r"did its parts add up": "expected cost if additive",
    r"beyond the sum of (its|the) parts": "excess over additivity; cost interaction",
    r"so that another cannot be reckoned": "secondary suppression",
    r"one or two people may be most": "dominance rule",
    r"to be looked at|whoever checks": "for review; for the output checker",
    r"shaded:": "shading:",
    r"\d+ %": "no space before the sign: 95%",
    r"\d+-\d+ (hidden|suppressed|redacted)": "an en dash: 1–7 suppressed",
    r"under 0\.0\d*": "<0.001, or below 0.05",
    r"A&E visits?": "A&E attendance",
    r"at their worst|get better in any case": "regression to the mean",
    r"no news": "not informative",
    r"talk over": "discuss",
    r"timid": "conservative",
    r"made safe": "disclosure-controlled",
    r"set against": "compared with",
    r"companion conditions?": "comorbidity",
}

# single words in a sense that only this project gave them
WORDS = {
    r"hidden|hides?|hiding": "suppressed, suppress; conceal",
    r"stars?|starred": "mark of suppression",
    r"noughts?": "zero",
    r"reckon(s|ed|ing)?": "compute",
    r"lopsided": "skewed",
    r"anew": "again",
    r"whole numbers?": "integer",
    r"chances?": "expected, independence, probability",
    r"told": "known, read, reported, disclosed",
    r"alike": "the same way, similar",
    r"gaps?": "missing value, interval",
    r"followed(?! (by|for|up|until|through)\b)": "at risk, observed",
    r"floored": "minimum cell size",
    r"strangers?": "unmatched ids",
    r"left out": "excluded, omitted",
    r"doors?": "reader, entry point",
    r"narrowed": "inferable",
}

# what English or a standard means by the same word: the text in which it may stand, and why
ALLOWED = {
    r"aria-hidden|class dir hidden id lang role|\{hidden": "attributes of HTML and names of code",
    r"star-shaped|[Ss]tars of|Pole Star": "shapes and names",
    r"`[\w./]+`": "names of code, which stand between backticks",
    r"symphony_research\.door|n_left_out|told : str": "names of code",
}

_FORBIDDEN = [(re.compile(rf"(?<![\w/])(?:{said})(?![\w])", re.I), term) for said, term in (PHRASES | WORDS).items()]
_ALLOWED = re.compile("|".join(f"(?:{text})" for text in ALLOWED))


def findings(text: str) -> Iterator[str]:
    """Yield each forbidden wording of a text with its surroundings and the term to use."""
    # a line break is a space, and code between backticks is no prose
    text = re.sub(r"\s+", " ", text)
    text = _ALLOWED.sub(lambda m: "_" * len(m[0]), text)
    for pattern, term in _FORBIDDEN:
        for hit in pattern.finditer(text):
            around = text[max(0, hit.start() - 40) : hit.end() + 40]
            yield f"'{hit[0]}' in '…{around}…': use {term}"
