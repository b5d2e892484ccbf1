"""A protocol in words: the seven components of the target trial, and of its emulation with these data."""

from __future__ import annotations

from typing import Any

from symphony_research.cohort import EVENTS
from symphony_research.evaluation.protocol import Protocol
from symphony_research.evaluation.protocol_keys import ESTIMATORS, MULTIPLE_TESTING, SENSITIVITY
from symphony_research.words.lexicon import COLUMN_WORDS, capital, in_words
from symphony_research.words.phrases import joined

__all__ = ["components", "value_in_words"]

_SCORES = {
    "propensity": "matched to the nearest candidates by the log hazard of enrolling",
    "mahalanobis": "matched to the nearest candidates by Mahalanobis distance",
    "odds_weights": "compared with all candidates, weighted by the odds of enrolling within the risk set",
}
_PRACTICES = {
    "any": "any practice of the study",
    "of the hub": "practices of the same hub",
    "of other hubs": "practices of other hubs",
}


def components(protocol: Protocol) -> list[tuple[str, str, str]]:
    """Return each component with the target trial's and the emulation's, after Hernan and Robins.

    Examples
    --------
    >>> import symphony_research as sr
    >>> [row[0] for row in components(sr.evaluation.default_protocol(sr.example_study(3_000)))][:2]
    ['Eligibility criteria', 'Treatment strategies']
    """
    name, days = in_words(protocol.programme), f"{protocol.days:,}"
    outcomes = _outcomes(protocol)
    return [
        ("Eligibility criteria", _eligible(protocol), _eligible_here()),
        (
            "Treatment strategies",
            f"(1) {protocol.enrolling} (2) {protocol.not_enrolling}",
            f"(1) The first day recorded on {name}. (2) No day recorded on {name} up to and including that day.",
        ),
        ("Assignment procedures", "By lot on that day; everybody knows of it, as nobody can be blinded.", _assigned(protocol)),
        (
            "Time zero and follow-up",
            f"From the day of assignment for {days} days, or until death if that comes first.",
            f"{protocol.time_zero} Events of days 1 to {days} count, while alive and registered; leaving the study's practices and the "
            "end of the data censor.",
        ),
        ("Outcomes", outcomes, "The same, from recorded activity (hospital spells that touch are one stay) and dates of death."),
        (
            "Causal contrast",
            protocol.contrast,
            f"The same, of enrolling for being assigned to it. It is identified under these assumptions: {' '.join(protocol.assumptions) or 'none is stated.'}",
        ),
        ("Analysis plan", _planned(protocol), _analysed(protocol)),
    ]  # fmt: skip


def _eligible(protocol: Protocol) -> str:
    low, high = protocol.min_age, protocol.max_age
    parts = ["alive and registered with a practice of the study"]
    if low is not None or high is not None:
        parts.append(f"aged {low or 0} {'and over' if high is None else f'to {high}'}")
    if protocol.sex is not None:
        parts.append({"F": "female", "M": "male"}.get(protocol.sex, f"of sex {protocol.sex}"))
    if protocol.residence is not None:
        parts.append(f"living in {'a care home' if protocol.residence == 'care_home' else 'their own home'}")
    parts += [
        f"of {what} {value}" for what, value in (("area", protocol.area), ("practice", protocol.practice)) if value
    ]
    if protocol.min_conditions:
        of = "the study's list of conditions" if protocol.conditions is None else joined(protocol.conditions, last="or")
        parts.append(f"with at least {protocol.min_conditions} of: {of}")
    return f"{capital('; '.join(parts))}. Not on {in_words(protocol.programme)} before."


def _eligible_here() -> str:
    return (
        "The same, as recorded by that day: for enrolled people on the day they first enrolled, for candidates on each day that "
        "somebody enrolled. Conditions count from their recorded onset."
    )


def _assigned(protocol: Protocol) -> str:
    exact = f", matched exactly on {joined(protocol.exact)}" if protocol.exact else ""
    caliper = "without a caliper" if protocol.caliper is None else f"caliper {protocol.caliper:g} standard deviations"
    ratio = ""
    if protocol.score != "odds_weights":
        again = "a control may serve several people" if protocol.replacement else "each control serves one person"
        ratio = f", at most {protocol.ratio} each, {again}"
    return (
        f"Not by lot. Enrolled people are {_SCORES[protocol.score]}{exact} ({caliper}{ratio}). Candidates are of "
        f"{_PRACTICES[protocol.practices]}. The hazard is of age, deprivation, conditions, care used and cost before that day."
    )


def _outcomes(protocol: Protocol) -> str:
    said = f"Primary: {EVENTS[protocol.primary].plural}."
    if protocol.secondary:
        said += f" Secondary: {joined([EVENTS[name].plural for name in protocol.secondary])}."
    if protocol.negative_control is None:
        return f"{said} No negative control outcome."
    return f"{said} Negative control: {EVENTS[protocol.negative_control].plural}. {protocol.negative_control_reason}"


def _planned(protocol: Protocol) -> str:
    subgroups = [COLUMN_WORDS.get(name, in_words(name)).lower() for name in protocol.subgroups]
    by = f" Subgroups by {joined(subgroups)}." if subgroups else " No subgroups."
    return (
        f"The groups as assigned: ratio and difference of rates, {100 * protocol.confidence:g}% CI. "
        f"{capital(MULTIPLE_TESTING[protocol.multiple_testing])}.{by}"
    )


def _analysed(protocol: Protocol) -> str:
    adjusted = "adjusted for" if protocol.adjust else "not adjusted for"
    others = "; ".join(SENSITIVITY[name][0] for name in protocol.sensitivity)
    return (
        f"{ESTIMATORS[protocol.estimator]}, {adjusted} the covariates of the score too. "
        f"{f'Sensitivity analyses: {others}.' if others else 'No sensitivity analyses.'}"
    )


def value_in_words(value: Any) -> str:
    """Return a value of a key as a departure shows it."""
    if value is None:
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value) or "not stated"
