"""The known answers of a plan: those set, those simulated once and kept, and those that follow from effects of one's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from typing import Any

from symphony_research.synthetic import parameters
from symphony_research.synthetic.contacts import CONTACTS
from symphony_research.synthetic.effects import OUTCOMES, PLANNED, PROGRAMMES
from symphony_research.synthetic.outcomes import RECOVERY
from symphony_research.synthetic.parameters import CLASSES, CONDITIONS, LINKS, SEQUENCES
from symphony_research.synthetic.plan import Plan
from symphony_research.synthetic.truth.describe import describe
from symphony_research.synthetic.truth.record import Planted
from symphony_research.synthetic.truth.simulate import Found, people_drawn, simulate_all

__all__ = ["STORED", "parameters_digest", "planted"]

STORED = "truth.json"
_DATA = resources.files("symphony_research.synthetic") / "data"
PEOPLE_FOR_OWN_EFFECTS = 1_000_000


def parameters_digest() -> str:
    """Return the SHA-256 of every number the generator is made from: the stored answers belong to these alone."""
    text = "\n".join(f"{name} = {getattr(parameters, name)!r}" for name in parameters.__all__)
    found = hashlib.sha256(f"{text}\n{CONTACTS!r}".encode())
    for table in ("population_2011.csv", "mortality_2012.csv"):
        found.update((_DATA / table).read_bytes())
    return found.hexdigest()


@lru_cache(maxsize=1)
def _stored() -> dict[str, Any]:
    held: dict[str, Any] = json.loads((_DATA / STORED).read_text(encoding="utf-8"))
    return held


def planted(plan: Plan, *, jobs: int = 2, made: Callable[[int], object] = int) -> list[Planted]:
    """Return everything that is known of a study drawn from this plan.

    Values that had to be simulated come from the millions of people stored with the package; with effects of one's own
    they are simulated again from a million people, which takes some 20 seconds.

    Parameters
    ----------
    plan : Plan
        What is generated. Its seed has no part in it: truth is of the population that seeds draw from.
    jobs : int
        Threads.
    made : callable
        Given the number of people drawn, as they are.
    """
    stored = _stored()
    people = int(stored["people"])
    found: Found = {name: (value, error) for name, (value, error) in stored["profiles"][plan.profile.name].items()}
    if not plan.effects.are_default:
        found = simulate_all(plan, PEOPLE_FOR_OWN_EFFECTS, jobs=jobs, made=made)
        people = people_drawn(PEOPLE_FOR_OWN_EFFECTS)
    simulated = [_simulated(name, value, error, people) for name, (value, error) in found.items()]
    return [*_set(plan), *[record for record in simulated if _belongs(plan, record.name)]]


def _belongs(plan: Plan, name: str) -> bool:
    """Return whether a profile has the mechanism that a value is about."""
    of_links = ("observed_expected/", "first_share/", "null_first_share/", "median_gap/")
    if name.startswith(of_links):
        return plan.profile.links
    return plan.profile.frailty or not name.startswith(("class_share/", "class_prevalence/"))


def _simulated(name: str, value: float, error: float, people: int) -> Planted:
    quantity, population, horizon = describe(name)
    return Planted(name, quantity, "marginal", population, horizon, value, error, people)


def _set(plan: Plan) -> list[Planted]:
    """Return what is set: it holds for each person, given all that the generator knows of them."""
    made = _effects_set(plan)
    if plan.profile.links:
        made += _links_set()
    if plan.profile.frailty:
        made += _frailty_set()
    return made


_WHAT = {
    "ratio": "rate ratio of",
    "points": "points added, before values are cut to their range, to",
    "pounds": "pounds a person-year added to",
}


def _effects_set(plan: Plan) -> list[Planted]:
    planned = parameters.PLANNED_COST_PER_PERSON_YEAR[plan.profile.name]
    made = []
    for programme in PROGRAMMES:
        enrols = programme == "complex_care"
        population = "people enrolled" if enrols else "people registered with a practice it reached"
        for outcome, about in OUTCOMES.items():
            # points are of people enrolled, pounds of whole practices
            if about.unit == ("pounds" if enrols else "points"):
                continue
            # pounds are planted through the rates of planned care, and are as exact as the cost they are a share of
            planned_care = outcome in PLANNED
            by_year = (
                plan.effects.ratios(programme, outcome, planned)
                if planned_care
                else plan.effects.by_year(programme, outcome)
            )
            pounds = about.unit == "pounds"
            for year, value in enumerate(by_year, start=1):
                error = abs(value) / planned * parameters.PLANNED_COST_STANDARD_ERROR if pounds else 0.0
                made.append(
                    Planted(
                        f"effect/{programme}/{outcome}/year_{year}",
                        f"{_WHAT[about.unit]} {about.words}, with the programme against without",
                        "marginal" if pounds else "conditional",
                        population,
                        f"year {year} since its start; the last year named holds from then on",
                        value,
                        error,
                    )
                )
    for measure, points in RECOVERY.items():
        made.append(
            Planted(
                f"recovery/{measure}", f"points that {OUTCOMES[measure].words} rises after enrolment whatever the programme does",
                "conditional", "people enrolled", "from the first half-year after enrolment on", points,
            )
        )  # fmt: skip
    return made


def _links_set() -> list[Planted]:
    made = []
    for link in LINKS:
        made.append(
            Planted(
                f"hazard_ratio/{'/'.join(link.after)}/{link.condition}",
                f"hazard ratio of {link.condition} once {' and '.join(link.after)} have begun",
                "conditional", "everyone", "from the later onset on", link.hazard_ratio,
            )
        )  # fmt: skip
    for sequence in SEQUENCES:
        about_both = f"{sequence.then} brought on by {sequence.first}"
        made += [
            Planted(f"sequence_share/{sequence.first}/{sequence.then}", f"share of people with {about_both}, unless it began before",
                    "conditional", f"people with {sequence.first}", "ever", sequence.share),
            Planted(f"sequence_gap/{sequence.first}/{sequence.then}", f"median days to {about_both}",
                    "conditional", "people in whom it was brought on", "from the first onset", sequence.median_gap),
        ]  # fmt: skip
    return made


def _frailty_set() -> list[Planted]:
    made = []
    for condition in CONDITIONS:
        if condition.mortality:
            made.append(
                Planted(
                    f"log_hazard_ratio_given_all/death/{condition.name}", f"log hazard ratio of death with {condition.name}",
                    "conditional", "everyone", "in each financial year by the middle of which it has begun, the whole year", condition.mortality,
                )
            )  # fmt: skip
    for latent in CLASSES:
        for condition in CONDITIONS:
            if latent.ratio(condition) != 1:
                made.append(
                    Planted(
                        f"class_hazard_ratio/{latent.name}/{condition.name}",
                        f"hazard ratio of {condition.name} in the class {latent.name} against the first",
                        "conditional", "everyone", "from birth", latent.ratio(condition),
                    )
                )  # fmt: skip
    return made
