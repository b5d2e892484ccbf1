"""Everything that the report of a controlled evaluation shows, in the order in which it may be computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from types import MappingProxyType
from typing import Any

from symphony_research.cohort import EVENTS, define_cohort
from symphony_research.cohort.matched import Matched
from symphony_research.errors import NotEstimableError
from symphony_research.evaluation.balance import balance
from symphony_research.evaluation.before_after import before_after
from symphony_research.evaluation.cost_effect import cost_effect
from symphony_research.evaluation.differences import difference_in_differences
from symphony_research.evaluation.effect import EnrolmentEffect, enrolment_effect
from symphony_research.evaluation.effect_by import effect_by
from symphony_research.evaluation.event_study import event_study
from symphony_research.evaluation.match import match_controls
from symphony_research.evaluation.matched_incidence import matched_incidence
from symphony_research.evaluation.other_analyses import other_analyses
from symphony_research.evaluation.outcome_effects import outcome_effects
from symphony_research.evaluation.protocol import Protocol
from symphony_research.evaluation.protocol_fixing import open_outcomes
from symphony_research.evaluation.protocol_tables import departures, statements, target_items, target_trial
from symphony_research.evaluation.sensitivity import sensitivity
from symphony_research.result import Result, not_available
from symphony_research.result.not_available import NotAvailable
from symphony_research.study import Study

__all__ = ["Evaluation", "evaluate"]

GROUP = "group_{}"  # results of the protocol's subgroups, of which a notebook shows two
# what is not shown where it cannot be estimated, within a sentence
WHAT: Mapping[str, str] = MappingProxyType(
    {
        "excluded": "a table of people without controls", "balance": "balance", "outcomes": "the effect on other outcomes",
        "incidence": "the time to the event", "before_after": "the rate before and after", "events": "the effect by quarter",
        "others": "the effect by other analyses", "robustness": "the robustness of the effect", "cost": "the difference in cost",
        "hubs": "a comparison of hubs",
    }
)  # fmt: skip
BY_GROUP, SHOWN_GROUPS = "the effect by group", 2
NO_GROUP, ALL_MATCHED = "The protocol names no further subgroup", "Every enrolled person has comparable controls"
ONE_HUB, FEW_HUBS = "This is of one hub", "The study names fewer than two hubs"
PANEL_DAYS = 91  # of an event study: a quarter holds enough events of a few hundred people


@dataclass(frozen=True)
class Evaluation:
    """What the report of a controlled evaluation shows; what cannot be estimated from these people is a `NotAvailable`, which says so.

    Attributes
    ----------
    trial, departures, statements, items : Result
        The target trial beside its emulation, departures from the protocol, its authors' statements, and where each item of
        TARGET is answered.
    uptake, attrition, included, excluded, balance : Result
        Whom the programme reached; who has comparable controls; enrolled people with and without them; and whether the two
        groups were similar before time zero.
    effect, outcomes, incidence : Result
        The effect on the primary outcome, on all outcomes, and the time to the event.
    before_after, events, others, robustness : Result
        Without controls; by quarter; by other analyses; E-values, and what could have been seen.
    cost : Result
    hubs, group_1, group_2 : Result
        Of each hub, where it is of a programme, and of the protocol's first two subgroups.
    further_groups : tuple of Result
        Of its other subgroups.
    """

    trial: Result
    departures: Result
    statements: Result
    items: Result
    uptake: Result
    attrition: Result
    included: Result
    excluded: Result
    balance: Result
    effect: Result
    outcomes: Result
    incidence: Result
    before_after: Result
    events: Result
    others: Result
    robustness: Result
    cost: Result
    hubs: Result
    group_1: Result
    group_2: Result
    further_groups: tuple[Result, ...] = ()

    @property
    def results(self) -> dict[str, Result]:
        """All results by their names, the further groups as "group_3" and so on."""
        own = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "further_groups"}
        return own | {f"group_{k}": one for k, one in enumerate(self.further_groups, 3)}


def evaluate(
    study: Study,
    *,
    protocol: Protocol,
    hub: str | None = None,
    programme_cost: float | None = None,
    planned: int | None = None,
    report: str = "",
) -> Evaluation:
    """Compute a controlled evaluation by its protocol: who was compared, balance, effects, and what stands round them.

    Parameters
    ----------
    study : Study
    protocol : Protocol
        What `read_protocol` returns.
    hub : str, optional
        Evaluate one hub; by default the whole programme.
    programme_cost : float, optional
        Pounds that the programme costs per person enrolled, over the days of follow-up.
    planned : int, optional
        How many people were to be enrolled.
    report : str, optional
        Which report reads the outcomes, for the protocol's record. Who is compared, and how similar they are, is settled
        before it is written.

    Returns
    -------
    Evaluation
        A result for each part of the report; give its `results` to `suppress`, all together.

    Raises
    ------
    ArgumentError
        If the study has no such hub, or nobody enrolled with it.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study(12_000)
    >>> protocol = sr.evaluation.default_protocol(study)
    >>> found = sr.evaluation.evaluate(study, protocol=protocol)
    >>> released = sr.suppress(found.results, sr.Policy.nhs_england())
    >>> released["effect"].verdict[:11]
    'cannot tell'
    """
    cohort = define_cohort(study, **protocol.as_cohort_arguments(hub))
    source = study.provenance(**cohort.rules).as_settings()
    groups = {GROUP.format(k): by for k, by in enumerate(protocol.subgroups, 1)}
    what = {"effect": f"the effect on {EVENTS[protocol.primary].plural}", **WHAT, **dict.fromkeys(groups, BY_GROUP)}

    def absent(name: str, why: str) -> NotAvailable:
        return not_available(why, what[name], source)

    def possible(name: str, compute: Callable[[], Any]) -> Any:
        """Return a result, or what says that it cannot be estimated from these people."""
        try:
            return compute()
        except NotEstimableError as fault:
            return absent(name, fault.why)

    made: dict[str, Result] = {"uptake": cohort.uptake(planned=planned)}
    for k in range(len(groups) + 1, SHOWN_GROUPS + 1):
        made[GROUP.format(k)] = not_available(NO_GROUP, "another effect by group", source)
    matched = possible("effect", lambda: match_controls(study, cohort, **protocol.as_matching_arguments()))
    if isinstance(matched, NotAvailable):
        made |= {"attrition": cohort.attrition, "included": cohort.baseline()}
        made |= {name: absent(name, matched.settings["why"]) for name in what}
        return _made(open_outcomes(protocol, report=report), made)
    left = matched.without_controls()
    somebody = left.attrition.count_tables["steps"]["n_persons"][-1]
    made |= {
        "attrition": matched.attrition,
        "included": matched.with_controls().baseline(),
        "excluded": left.baseline() if somebody else absent("excluded", ALL_MATCHED),
        "balance": balance(matched, **protocol.as_balance_arguments()),
    }

    protocol = open_outcomes(protocol, report=report)
    outcome, days, confidence = protocol.primary, protocol.days, protocol.confidence
    same: dict[str, Any] = {"outcome": outcome, "confidence": confidence}
    several: dict[str, Any] = {"horizon": days, "adjust": protocol.adjust, "confidence": confidence}
    effect = possible("effect", lambda: enrolment_effect(matched, **protocol.as_effect_arguments()))
    naive = possible("before_after", lambda: before_after(matched, window=days, **same))
    made |= {
        "effect": effect,
        "before_after": naive,
        "outcomes": possible("outcomes", lambda: outcome_effects(matched, outcomes=protocol.roles, **several)),
        "incidence": possible(
            "incidence", lambda: matched_incidence(matched, event=outcome, horizon=days, confidence=confidence)
        ),
        "events": possible("events", lambda: event_study(matched, period=PANEL_DAYS, **same)),
        "cost": possible(
            "cost",
            lambda: cost_effect(
                matched,
                horizon=days,
                programme_cost=programme_cost,
                effect=effect,
                confidence=confidence,
                seed=protocol.seed,
            ),
        ),
    }
    if isinstance(effect, EnrolmentEffect):
        change = possible(
            "others", lambda: difference_in_differences(matched, before=(1, days), after=(1, days), **same)
        )
        variants = {
            name: possible("others", partial(_varied, study, cohort, matched, protocol, name))
            for name in protocol.sensitivity
        }
        made["others"] = other_analyses(effect, before_after=naive, differences=change, **variants)
        made["robustness"] = sensitivity(effect)
    else:
        made |= {name: absent(name, effect.settings["why"]) for name in ("others", "robustness")}
    by_group = {"hubs": "hub", **groups}
    if hub is not None or len(study.hubs()) < 2:
        made["hubs"] = absent("hubs", ONE_HUB if hub is not None else FEW_HUBS)
        by_group = groups
    for name, by in by_group.items():
        made[name] = possible(name, partial(effect_by, matched, by=by, outcome=outcome, **several))
    return _made(protocol, made)


def _made(protocol: Protocol, found: dict[str, Result]) -> Evaluation:
    """Return results with the words of the protocol, as it stands once outcomes are read."""
    words = {
        "trial": target_trial(protocol), "departures": departures(protocol), "statements": statements(protocol),
        "items": target_items(protocol),
    }  # fmt: skip
    named = {one.name for one in fields(Evaluation)}
    further = tuple(one for name, one in found.items() if name not in named)
    return Evaluation(**words, **{name: one for name, one in found.items() if name in named}, further_groups=further)


def _varied(study: Study, cohort: Any, matched: Matched, protocol: Protocol, name: str) -> EnrolmentEffect:
    """Return the effect by another choice; people are matched again only where the choice is of matching."""
    other = protocol.varied(name)
    again = matched
    if other.as_matching_arguments() != protocol.as_matching_arguments():
        again = match_controls(study, cohort, **other.as_matching_arguments())
    # the ratio alone is shown, which takes no resamples
    return enrolment_effect(again, **other.as_effect_arguments(), resamples=2)
