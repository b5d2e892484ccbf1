"""The field's terms that a page uses, explained to a reader at the end of it."""

from __future__ import annotations

import re
from types import MappingProxyType

__all__ = ["TERMS", "glossary_of"]

# each term with the words by which a page uses it
TERMS = MappingProxyType(
    {
        "80% interval": "of many random runs of the projection, eight in ten lie within it.",
        "95% CI": "95% confidence interval: were the study repeated many times, at least 95 of 100 such intervals would hold the true figure. A wide interval means an uncertain figure; rounded and suppressed counts widen it.",
        "Adjusted": "compared within groups of people of the same age, sex or other characteristic named, so that these do not explain the figure.",
        "Bootstrap": "the analysis is repeated on people drawn at random, with replacement, from those studied, to see which findings stay.",
        "Censoring": "follow-up of a person that ends without the event being seen: they left, or the data end.",
        "Centrality": "how strongly a condition is connected with the other conditions of the network.",
        "Comorbidity": "a further condition that a person with a given (index) condition has.",
        "Competing risk": "something that makes the event impossible; here death.",
        "Cost interaction": "what people with several conditions cost beyond what the conditions cost singly, added up.",
        "Crude": "not adjusted for anything: it also reflects how age and sex differ.",
        "Cumulative incidence": "share of people who have had the event by a given time, counting that those who died first no longer can.",
        "Days at home": "days alive and out of hospital: nights in hospital and days after death are taken off; a care home is home.",
        "Disclosure control": "small counts are suppressed and others rounded, so that no person can be recognised.",
        "Edge": "a line of a network: two conditions that occur together more often than expected if they were independent.",
        "Expected": "the number of people there would be if the conditions were independent of one another.",
        "Index date": "the day from which a person is studied.",
        "Kaplan-Meier": "an estimate of the share of people still free of the event at a given time, which uses everybody for as long as they were observed.",
        "Mean number": "events a person on average up to a time, where somebody has several or none; death ends them.",
        "Median": "half of the people are below, half above.",
        "Multimorbidity": "living with two or more long-term conditions.",
        "Number at risk": "people who have not had the event and are under observation.",
        "Observed/expected ratio": "people observed divided by people expected: 2 means twice as many as if the conditions were independent.",
        "Occupancy": "share of beds that are occupied on an average day.",
        "p value": "probability, if there were no difference, of a difference at least this large.",
        "Prevalence": "share of people who have a condition on a given day.",
        "q value": "a p value corrected for the number of tests made: of findings with q below 0.05, some 5 of 100 are expected to be false.",
        "Regression to the mean": "people chosen when an extreme value was observed tend to improve whatever is done.",
        "Suppressed": "not shown, because it is small or because a small figure could be worked out from it.",
    }
)


def glossary_of(page: str) -> list[tuple[str, str]]:
    """Return the terms that a page uses, in alphabetical order, with their explanations.

    Examples
    --------
    >>> [term for term, _ in glossary_of("<td>Number at risk</td>")]
    ['Number at risk']
    """
    text = re.sub(r"<[^>]+>", " ", page)
    return [
        (term, words)
        for term, words in TERMS.items()
        if re.search(rf"(?<!\w){re.escape(term.removesuffix('ing'))}", text, re.IGNORECASE)
    ]
