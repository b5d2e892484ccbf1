"""What an effect with its interval says, by rules stated beforehand: a verdict, and events per 100 people a year.

Nothing but an interval enters, as it is shown: of a released effect the released one, which is no narrower.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

import polars as pl

from symphony_research.evaluation.guards import minimum_detectable_ratio
from symphony_research.policy import Policy
from symphony_research.words.numbers import number, percentage

__all__ = [
    "COMPARABLE", "FEWEST_EVENTS", "FEWEST_PEOPLE", "MATTERS", "detectable_words", "difference_words", "few_rule", "is_few", "rate_words",
    "verdict_of", "with_ratio",
]  # fmt: skip

FEWEST_EVENTS, FEWEST_PEOPLE = 20, 15  # of an arm: with fewer no ratio is given
MATTERS = (0.9, 1.1)  # within which a ratio is no difference that matters
COMPARABLE = "assuming the two groups were comparable"
POWER = 0.8


def verdict_of(lower: float | None, upper: float | None, what: str) -> str:
    """Return what an interval of a rate ratio says of events, always of two groups that are assumed to be comparable.

    Parameters
    ----------
    lower, upper : float or None
        Limits of the ratio; None where no ratio is given.
    what : str
        The events, as a plural.

    Examples
    --------
    >>> verdict_of(0.75, 0.98, "deaths")
    'fewer deaths, assuming the two groups were comparable'
    >>> verdict_of(0.92, 1.08, "deaths")
    'no difference in deaths that matters (less than 10% either way), assuming the two groups were comparable'
    >>> verdict_of(0.70, 1.25, "deaths")
    'cannot tell: anything from 30% fewer to 25% more deaths would fit, assuming the two groups were comparable'
    """
    if lower is None or upper is None:
        return f"no estimate of an effect on {what} can be given"
    if lower > 1:
        said = f"more {what}"
    elif upper < 1:
        said = f"fewer {what}"
    elif lower >= MATTERS[0] and upper <= MATTERS[1]:
        said = f"no difference in {what} that matters (less than 10% either way)"
    else:
        said = f"cannot tell: anything from {_apart(lower)} to {_apart(upper)} {what} would fit"
    return f"{said}, {COMPARABLE}"


def _apart(ratio: float) -> str:
    if ratio > 3:
        return f"{number(ratio, 2)} times as many"
    share = abs(1 - ratio)
    # as a percentage is written, so that nothing is called different by 0%
    return "as many" if share < 5e-5 else f"{percentage(share)} {'fewer' if ratio < 1 else 'more'}"


def difference_words(estimate: float, lower: float, upper: float) -> str:
    """Return a difference of rates in words: "12 fewer (4 to 20 fewer)".

    Examples
    --------
    >>> difference_words(-12.0, -20.0, -4.0)
    '12 fewer (4 to 20 fewer)'
    >>> difference_words(1.5, -2.0, 5.0)
    '1.5 more (2 fewer to 5 more)'
    >>> difference_words(0.0, -2.0, 5.0)
    'as many (2 fewer to 5 more)'
    """
    if lower < 0 < upper:
        ends = f"{_sized(lower)} fewer to {_sized(upper)} more"
    else:
        near, far = sorted((lower, upper), key=abs)
        ends = f"{_sized(near)} to {_sized(far)} {_side(far)}"
    size = f"{_sized(estimate)} {_side(estimate)}" if estimate else "as many"
    return f"{size} ({ends})"


def rate_words(
    row: Mapping[str, Any], difference: Mapping[str, Any], what: str, label: str, rate: float | None = None
) -> str:
    """Return the rate of enrolled people, where it is given, with the difference and the ratio that go with it, as a sentence.

    Released, all are rounded, each as the counts behind it allow. Where difference and ratio would then seem to point two ways the
    difference is given by its interval alone; the rate of the others is not given, as it need not be the difference away.
    """
    ratio = with_ratio(row, label)
    estimate, lower, upper = (difference[c] for c in ("estimate", "lower", "upper"))
    if estimate is None:
        return f"The rate of {what} was {ratio} times the rate of the others."
    if (estimate > 0) - (estimate < 0) == (row["estimate"] > 1) - (row["estimate"] < 1):
        said = difference_words(estimate, lower, upper)
    else:
        said = f"between {_sized(lower)} {_side(lower)} and {_sized(upper)} {_side(upper)}"
    than = "as" if said.startswith("as many") else "than"
    own = f"had about {_sized(rate)} {what} per 100 a year:" if rate else f"had, of {what} per 100 a year,"
    return f"Enrolled people {own} {said} {than} comparable people, {ratio} times their rate."


def _sized(value: float) -> str:
    return number(abs(value), 2).removesuffix(".0")


def _side(value: float) -> str:
    return "fewer" if value < 0 else "more"


def detectable_words(standard_error: float, confidence: float, what: str) -> str:
    """Return how large an effect could have been seen.

    Examples
    --------
    >>> detectable_words(0.1, 0.95, "emergency admissions")
    'With these numbers a rate of emergency admissions 25% lower or 33% higher would have been found four times in five.'
    """
    below, above = minimum_detectable_ratio(standard_error, power=POWER, confidence=confidence)
    times = ceil(10 * above) / 10 if above < 10 else ceil(above)
    higher = f"{times:g} times as high" if above > 3 else f"{_outwards(above - 1)}% higher"
    return f"With these numbers a rate of {what} {_outwards(1 - below)}% lower or {higher} would have been found four times in five."


def _outwards(share: float) -> int:
    """Return a share in whole percent, rounded away from zero: a smaller effect would not have been found so often."""
    return ceil(100 * share)


def with_ratio(row: Mapping[str, Any], label: str = "") -> str:
    """Return a ratio with its interval: "0.86 (0.75 to 0.98)"."""
    ends = f"{number(row['lower'])} to {number(row['upper'])}"
    return f"{number(row['estimate'])} ({f'{label} ' if label else ''}{ends})"


def few_rule(settings: Any) -> str:
    """Return the rule by which no ratio is given, in words."""
    return (
        f"No ratio is given of under {number(int(settings['fewest_events']))} events or "
        f"{number(int(settings['fewest_people']))} people in an arm."
    )


def is_few(frame: pl.DataFrame, settings: Any, policy: Policy | None = None) -> pl.Series:
    """Return where an arm has too few events or people for a ratio, by `least_events` and `least_people`.

    Under a policy the rule is laid on the counts as they are shown: laid on exact ones, what it leaves out would tell more
    of the people with the event than their rounded number does, who are no more than the events.
    """
    laid = []
    for column, least in (("least_events", settings["fewest_events"]), ("least_people", settings["fewest_people"])):
        counts = frame[column].to_list()
        if policy is not None:
            counts = [policy.shown(int(n)) or 0 for n in counts]
        laid.append(pl.Series([n < least for n in counts], dtype=pl.Boolean))
    return (laid[0] | laid[1]).alias("few")
