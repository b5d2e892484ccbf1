"""The protocol of a study that states none, and what stands for every key that a protocol leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.cohort.candidates import other_programmes
from symphony_research.cohort.events import first_recorded, why_not_recorded
from symphony_research.door.protocol_file import protocol_path
from symphony_research.door.protocol_record import Record, read_record_of
from symphony_research.errors import ArgumentError, suggestion
from symphony_research.evaluation.protocol import Protocol, field_value
from symphony_research.evaluation.protocol_keys import KEYS, SENSITIVITY
from symphony_research.study import Study
from symphony_research.words.lexicon import in_words

__all__ = ["DEFAULT_PROGRAMME", "changes_nothing", "default_protocol", "defaults_of", "programme_of"]

DEFAULT_PROGRAMME = "complex_care"
ENOUGH_CONDITIONS = 3  # of a study's priority conditions: the criterion of South Somerset's hubs
SECONDARY = ("emergency_admission", "accident_and_emergency", "admission", "death")
ASSUMPTIONS = (
    "Exchangeability: among candidates of one day who are the same in what is recorded before it, who enrols does not depend "
    "on what would happen to them.",
    "Positivity: whoever is compared has candidates with a similar hazard of enrolling.",
    "Consistency: enrolling is the same for everybody, and does not change what happens to others of the practice.",
    "Leaving the study's practices, and the end of the data, do not depend on what would happen, adjusted for the covariates.",
    "Events, deaths and enrolments are recorded the same way for both groups.",
)


def programme_of(study: Study, programme: str | None) -> str:
    """Return the programme named, or the study's only one, or complex care.

    Raises
    ------
    ArgumentError
        If the study has none, or it has to be named.
    """
    there = study.programmes()
    if programme is None:
        programme = there[0] if len(there) == 1 else DEFAULT_PROGRAMME
        advice = "Name one: programme in [eligibility] of protocol.toml, or -p programme=NAME."
    else:
        advice = "Name one of them."
    if programme in there:
        return programme
    if not there:
        raise ArgumentError(
            "The study has nobody enrolled on a programme, so there is nothing to evaluate: it needs a table enrolments."
        )
    raise ArgumentError(
        f"The study has no programme '{programme}'. There is: {', '.join(there)}.{suggestion(programme, there)} {advice}"
    )


def default_protocol(study: Study, *, programme: str | None = None) -> Protocol:
    """Return the protocol that a study has without a protocol.toml.

    Parameters
    ----------
    study : Study
    programme : str, optional
        By default the study's only one, else "complex_care".

    Returns
    -------
    Protocol
        Enrolled people against candidates of the same day weighted by the odds of enrolling, emergency admissions (or deaths,
        where none are recorded) of 365 days, by Poisson regression.

    Raises
    ------
    ArgumentError
        If the study has no such programme.

    References
    ----------
    Hernan, M. A. and Robins, J. M. (2016). Using big data to emulate a target trial when a randomized trial is not
    available. American Journal of Epidemiology 183, 758-764.

    Examples
    --------
    >>> import symphony_research as sr
    >>> protocol = sr.evaluation.default_protocol(sr.example_study(3_000))
    >>> protocol.primary, protocol.days, protocol.score
    ('emergency_admission', 365, 'odds_weights')
    """
    values = defaults_of(study, programme_of(study, programme), {})
    fields = {key.field: field_value(key, values[key.place]) for key in KEYS}
    beside = protocol_path(study.folder, None)
    return Protocol(
        **fields,
        beside=beside,
        record=read_record_of(beside) if beside is not None else Record(),
        generated=study.generated,
        recorded=beside is not None,
    )


def defaults_of(study: Study, programme: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stands for each key that is not given, by its place; values as in protocol.toml, None for nothing."""
    primary = given.get("outcomes.primary") or first_recorded(study)
    control = given.get("negative_control.outcome")
    days = (study.period[1] - study.period[0]).days
    what, name = EVENTS[primary].plural if primary in EVENTS else in_words(primary), in_words(programme)
    several = len(study.hubs()) > 1 and study.has("registrations") and _hubs_of_practices(study) > 1
    known = study.condition_names() if study.priority_conditions else ()
    priority = [one for one in study.priority_conditions if one in known]
    least = given.get("eligibility.min_conditions", min(ENOUGH_CONDITIONS, len(priority)))
    by_sex = [] if given.get("eligibility.sex") else ["sex"]
    values = {
        **{key.place: None for key in KEYS},
        **{key.place: "" for key in KEYS if key.section == "statements"},
        "title": f"Enrolment on {name} and {what}: emulation of a target trial",
        "authors": [study.signed["author"]] if study.signed.get("author") else [],
        "eligibility.programme": programme,
        "eligibility.min_conditions": least,
        "eligibility.conditions": priority if priority and least else None,
        "strategies.enrolling": f"Enrol on {name} on the day of time zero, and have its care for as long as the hub gives it.",
        "strategies.not_enrolling": "Do not enrol on that day. Usual care, of which enrolling later is a part.",
        "assignment.score": "odds_weights",
        "assignment.exact": ["sex", *other_programmes(study, programme)],
        "assignment.caliper": 0.2,
        "assignment.ratio": 1,
        "assignment.replacement": True,
        "assignment.practices": "any",
        "assignment.candidates": 1_000,
        "assignment.seed": 2013,
        "time_zero.words": (
            "The day of enrolment, for the person and for their controls, who at its end were registered, alive and as eligible "
            "and had not enrolled. The day itself is neither of the history nor of follow-up."
        ),
        "follow_up.days": min(365, max(days, 1)),
        "outcomes.primary": primary,
        "outcomes.secondary": [
            one for one in SECONDARY if one not in (primary, control) and not why_not_recorded(study, one)
        ],
        "negative_control.outcome": "none",
        "negative_control.reason": "",
        "estimand.contrast": (
            "The effect of enrolling on that day, against not enrolling then, among people who enrolled and have comparable "
            "controls. As in an intention-to-treat analysis, who leaves the programme or enrols later stays in their group."
        ),
        "estimand.assumptions": list(ASSUMPTIONS),
        "analysis.estimator": "poisson",
        "analysis.adjust": True,
        "analysis.later_enrolment": "kept",
        "analysis.confidence": 0.95,
        "analysis.multiple_testing": "holm",
        "analysis.subgroups": [*by_sex, "broad_age_band"],
    }
    usual = ("unadjusted", "five_nearest", "not_enrolled", *(("other_practices",) if several else ()))
    values["analysis.sensitivity"] = [one for one in usual if not changes_nothing(one, {**values, **given})]
    return values


def _hubs_of_practices(study: Study) -> int:
    return int(study.practices.select(pl.col("hub").drop_nulls().n_unique()).collect().item())


def changes_nothing(sensitivity: str, values: Mapping[str, Any]) -> bool:
    """Return whether the protocol makes the choices of a sensitivity analysis itself."""
    changed = SENSITIVITY[sensitivity][1]
    return all(field_value(key, values[key.place]) == changed[key.field] for key in KEYS if key.field in changed)
