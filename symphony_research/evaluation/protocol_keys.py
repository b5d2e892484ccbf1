"""The keys of a protocol: section by section what each must be, in code and in words, and what it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from symphony_research.cohort import EVENTS
from symphony_research.cohort.candidates import SAME_PRACTICES
from symphony_research.cohort.matched import GROUPS
from symphony_research.evaluation.match import SCORES
from symphony_research.schema import RESIDENCES, SEXES

__all__ = [
    "ESTIMATORS",
    "KEYS",
    "MULTIPLE_TESTING",
    "NONE",
    "OUTCOMES",
    "SECTIONS",
    "SENSITIVITY",
    "SUBGROUPS",
    "ProtocolKey",
    "keys_of",
]

NONE = "none"  # TOML has no word for nothing
OUTCOMES = tuple(name for name in EVENTS if name != "readmission")
SUBGROUPS = tuple(name for name in GROUPS if name != "hub")
ESTIMATORS: Mapping[str, str] = MappingProxyType(
    {"poisson": "Poisson regression with the logarithm of days at risk, weighted, variance by person"}
)
LATER = ("kept", "censored")
MULTIPLE_TESTING: Mapping[str, str] = MappingProxyType(
    {
        "holm": "secondary outcomes have p values adjusted by Holm's method",
        "exploratory": "secondary outcomes are exploratory: their p values are not adjusted, and none is a finding",
    }
)
# other choices than the protocol's own, by name: in words, and the fields that change
SENSITIVITY: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        "unadjusted": ("by weights or matching alone, without regression on the covariates", {"adjust": False}),
        "odds_weights": ("all candidates, weighted by the odds of enrolling", {"score": "odds_weights"}),
        "nearest": ("one nearest control each, by the hazard of enrolling", {"score": "propensity", "ratio": 1}),
        "five_nearest": ("five nearest controls each, by the hazard of enrolling", {"score": "propensity", "ratio": 5}),
        "mahalanobis": ("one nearest control each, by Mahalanobis distance", {"score": "mahalanobis", "ratio": 1}),
        "no_caliper": ("without a caliper", {"caliper": None}),
        "other_practices": ("controls from practices of other hubs alone", {"practices": "of other hubs"}),
        "own_practices": ("controls from practices of the same hub alone", {"practices": "of the hub"}),
        "not_enrolled": (
            "controls followed until they enrol, the others weighted for them",
            {"later_enrolment": "censored"},
        ),
        "first_90_days": ("follow-up of 90 days", {"days": 90}),
        "first_180_days": ("follow-up of 180 days", {"days": 180}),
    }
)


@dataclass(frozen=True)
class ProtocolKey:
    """One key of a protocol.

    Attributes
    ----------
    section, key : str
        Where it stands in protocol.toml; the section is empty for what stands first.
    field : str
        Of `Protocol`.
    fits : callable
        Whether a value is what it must be.
    must : str
        The same in words, as the end of "must be ...".
    help : str
        What it is for, as a comment of the template.
    example : str
        What might stand there, where the default is nothing.
    ordered : bool
        Whether the order of a list matters.
    """

    section: str
    key: str
    field: str
    fits: Callable[[Any], bool]
    must: str
    help: str
    example: str = ""
    ordered: bool = True

    @property
    def place(self) -> str:
        """How messages name it: "assignment.caliper"."""
        return f"{self.section}.{self.key}" if self.section else self.key


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _any_text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(_text(one) for one in value)


def _bool(value: Any) -> bool:
    return isinstance(value, bool)


def _at_least(least: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and value >= least


def _one_of(allowed: Iterable[str]) -> Callable[[Any], bool]:
    allowed = tuple(allowed)
    return lambda value: isinstance(value, str) and value in allowed


def _caliper(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value == NONE or (number and 0 < value < float("inf"))


def _confidence(value: Any) -> bool:
    return isinstance(value, float) and 0.5 <= value < 1


def _words(allowed: Iterable[str]) -> str:
    return f"one of: {', '.join(allowed)}"


def _names(what: str) -> tuple[Callable[[Any], bool], str]:
    return _texts, f'a list of {what}, such as ["..."], or [] for none'


KEYS: tuple[ProtocolKey, ...] = (
    ProtocolKey("", "title", "title", _text, "a text", "what the evaluation is called"),
    ProtocolKey("", "authors", "authors", *_names("names"), "who wrote this protocol"),
    ProtocolKey("eligibility", "programme", "programme", _text, "the name of a programme", "people enrolled on this programme are compared"),
    ProtocolKey("eligibility", "sex", "sex", _one_of(SEXES), _words(SEXES), "people of one sex alone", 'sex = "F"'),
    ProtocolKey("eligibility", "min_age", "min_age", _at_least(0), "an age in completed years", "youngest age on the day of enrolment", "min_age = 18"),
    ProtocolKey("eligibility", "max_age", "max_age", _at_least(0), "an age in completed years", "oldest age", "max_age = 95"),
    ProtocolKey("eligibility", "residence", "residence", _one_of(RESIDENCES), _words(RESIDENCES), "where people live", 'residence = "own_home"'),
    ProtocolKey("eligibility", "area", "area", _text, "the name of an area", "people of one area alone", 'area = "..."'),
    ProtocolKey("eligibility", "practice", "practice", _text, "the practice_id of a practice", "people of one practice alone", 'practice = "..."'),
    ProtocolKey("eligibility", "min_conditions", "min_conditions", _at_least(0), "a number of conditions, 0 for no such rule", "at least so many of the conditions below; 0 for no such rule"),
    ProtocolKey("eligibility", "conditions", "conditions", *_names("conditions"), "which conditions count; by default the study's priority conditions, else its whole list", 'conditions = ["diabetes", "stroke"]', ordered=False),
    ProtocolKey("strategies", "enrolling", "enrolling", _text, "a text", "what somebody does who follows the first strategy"),
    ProtocolKey("strategies", "not_enrolling", "not_enrolling", _text, "a text", "and the second, with what usual care is"),
    ProtocolKey("assignment", "score", "score", _one_of(SCORES), _words(SCORES), f"how enrolled people and controls are made comparable; {_words(SCORES)}"),
    ProtocolKey("assignment", "exact", "exact", *_names("what controls must agree on"), "what controls must agree on: sex, age_band, area, practice_id, ..., and other programmes of practices, which had reached the practice or not", ordered=False),
    ProtocolKey("assignment", "caliper", "caliper", _caliper, 'a number of standard deviations above 0, or "none"', 'how far the score may differ, in standard deviations; or "none"'),
    ProtocolKey("assignment", "ratio", "ratio", _at_least(1), "an integer number of controls, at least 1", "at most so many controls each, of nearest controls"),
    ProtocolKey("assignment", "replacement", "replacement", _bool, "true or false", "whether somebody may be a control of several people"),
    ProtocolKey("assignment", "practices", "practices", _one_of(SAME_PRACTICES), _words(SAME_PRACTICES), f"where controls are registered; {_words(SAME_PRACTICES)}"),
    ProtocolKey("assignment", "candidates", "candidates", _at_least(1), "an integer number of people, at least 1", "at most so many candidates a day of enrolment, and a million in all, drawn at random"),
    ProtocolKey("assignment", "seed", "seed", _at_least(0), "an integer, at least 0", "of that draw"),
    ProtocolKey("time_zero", "words", "time_zero", _text, "a text", "the day on which eligibility, assignment and follow-up begin, for both groups"),
    ProtocolKey("follow_up", "days", "days", _at_least(1), "an integer number of days, at least 1", "events of days 1 to this one after time zero count"),
    ProtocolKey("outcomes", "primary", "primary", _one_of(OUTCOMES), _words(OUTCOMES), f"one; {_words(OUTCOMES)}"),
    ProtocolKey("outcomes", "secondary", "secondary", *_names("outcomes"), "the others, in their order"),
    ProtocolKey("negative_control", "outcome", "negative_control", _one_of((*OUTCOMES, NONE)), _words((*OUTCOMES, NONE)), 'an outcome that enrolling cannot change, or "none"'),
    ProtocolKey("negative_control", "reason", "negative_control_reason", _any_text, "a text", "why it cannot"),
    ProtocolKey("estimand", "contrast", "contrast", _text, "a text", "of whom the effect is, of what against what, and what is disregarded"),
    ProtocolKey("estimand", "assumptions", "assumptions", *_names("sentences"), "under which the comparison is of that effect"),
    ProtocolKey("analysis", "estimator", "estimator", _one_of(ESTIMATORS), _words(ESTIMATORS), f"{_words(ESTIMATORS)}"),
    ProtocolKey("analysis", "adjust", "adjust", _bool, "true or false", "whether the regression takes in the covariates too"),
    ProtocolKey("analysis", "later_enrolment", "later_enrolment", _one_of(LATER), _words(LATER), f"what becomes of controls who enrol later; {_words(LATER)}"),
    ProtocolKey("analysis", "confidence", "confidence", _confidence, "a number from 0.5 to below 1, such as 0.95", "of intervals"),
    ProtocolKey("analysis", "multiple_testing", "multiple_testing", _one_of(MULTIPLE_TESTING), _words(MULTIPLE_TESTING), f"for secondary outcomes; {_words(MULTIPLE_TESTING)}"),
    ProtocolKey("analysis", "sensitivity", "sensitivity", *_names("sensitivity analyses"), f"other choices than those above; any of: {', '.join(SENSITIVITY)}", ordered=False),
    ProtocolKey("analysis", "subgroups", "subgroups", *_names("strata"), f"strata of which effects are estimated; any of: {', '.join(SUBGROUPS)}", ordered=False),
    ProtocolKey("statements", "background", "background", _any_text, "a text", "what is known, and what is not"),
    ProtocolKey("statements", "rationale", "rationale", _any_text, "a text", "why a trial is emulated, and with these data"),
    ProtocolKey("statements", "ethics", "ethics", _any_text, "a text", "who approved it, or why nobody needed to"),
    ProtocolKey("statements", "registration", "registration", _any_text, "a text", "where this protocol is registered, or that it is not"),
    ProtocolKey("statements", "sharing", "sharing", _any_text, "a text", "whether data, code and other material can be had, and how"),
    ProtocolKey("statements", "funding", "funding", _any_text, "a text", "who paid, and what they had to say in it"),
    ProtocolKey("statements", "interests", "interests", _any_text, "a text", "conflicts of interest of the authors"),
)  # fmt: skip

# the sections in order, with what each is about
SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "": "",
        "eligibility": "Who would be asked to take part: on the day that somebody enrols, they and their controls",
        "strategies": "What is compared, in words",
        "assignment": "In a trial by lot; here by what is known of people before that day",
        "time_zero": "When it begins",
        "follow_up": "How long it lasts",
        "outcomes": "What is compared: events recorded in activity, and deaths",
        "negative_control": "What shows whether the groups would differ without any effect",
        "estimand": "The causal contrast, in words",
        "analysis": "How it is estimated",
        "statements": "What readers of a report need to know of the study beside its figures; the report prints these as they are",
    }
)


def keys_of(section: str) -> Sequence[ProtocolKey]:
    """Return the keys of one section."""
    return [key for key in KEYS if key.section == section]
