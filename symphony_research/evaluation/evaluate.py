"""Everything that the report of a controlled evaluation shows, in the order in which it may be computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from symphony_research.cohort import EVENTS, define_cohort
from symphony_research.cohort.matched import GROUPS, Matched
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
from symphony_research.evaluation.sensitivity import sensitivity
from symphony_research.result import Result, not_available
from symphony_research.result.not_available import NotAvailable
from symphony_research.study import Study

__all__ = ["Evaluation", "evaluate"]

HUBS, NO_GROUP = "hubs", "The protocol names no further subgroup"
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


def _made(found: dict[str, Result]) -> Evaluation:
    named = {one.name for one in fields(Evaluation)}
    further = tuple(one for name, one in found.items() if name not in named)
    return Evaluation(**{name: one for name, one in found.items() if name in named}, further_groups=further)


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
    made: dict[str, Result] = {"uptake": cohort.uptake(planned=planned)}

    def possible(what: str, compute: Callable[[], Any]) -> Any:
        """Return a result, or what says that it cannot be estimated from these people."""
        try:
            return compute()
        except NotEstimableError as fault:
            return not_available(fault.why, what, source)

    what = f"the effect on {EVENTS[protocol.primary].plural}"
    matched = possible(what, lambda: match_controls(study, cohort, **protocol.as_matching_arguments()))
    if isinstance(matched, NotAvailable):
        made |= {"attrition": cohort.attrition, "included": cohort.baseline()}
        names = (
            "excluded",
            "balance",
            "effect",
            "outcomes",
            "incidence",
            "before_after",
            "events",
            "others",
            "cost",
            "robustness",
        )
        made |= {name: _instead(matched, name) for name in (*names, HUBS, *_groups(protocol))}
        return _made({**_words(open_outcomes(protocol, report=report)), **made})
    made["attrition"] = matched.attrition
    made["included"] = matched.with_controls().baseline()
    made["excluded"] = _of_excluded(matched, source)
    made["balance"] = balance(matched, **protocol.as_balance_arguments())

    protocol = open_outcomes(protocol, report=report)
    asked = protocol.as_effect_arguments()
    outcome, days = protocol.primary, protocol.days
    same: dict[str, Any] = {"outcome": outcome, "confidence": protocol.confidence}
    effect = possible(what, lambda: enrolment_effect(matched, **asked))
    made["effect"] = effect
    roles = {protocol.primary: "primary", **dict.fromkeys(protocol.secondary, "secondary")}
    if protocol.negative_control is not None:
        roles[protocol.negative_control] = "negative control"
    several: dict[str, Any] = {"horizon": days, "adjust": protocol.adjust, "confidence": protocol.confidence}
    made["outcomes"] = possible(
        "the effect on other outcomes", lambda: outcome_effects(matched, outcomes=roles, **several)
    )
    made["incidence"] = possible(
        "the time to the event",
        lambda: matched_incidence(matched, event=outcome, horizon=days, confidence=protocol.confidence),
    )
    naive = possible("the rate before and after", lambda: before_after(matched, window=days, **same))
    made["before_after"] = naive
    change = possible(
        "the difference in differences",
        lambda: difference_in_differences(matched, before=(1, days), after=(1, days), **same),
    )
    made["events"] = possible("the effect by quarter", lambda: event_study(matched, period=PANEL_DAYS, **same))
    if isinstance(effect, EnrolmentEffect):
        variants = {
            name: possible(name, partial(_varied, study, cohort, matched, protocol, name))
            for name in protocol.sensitivity
        }
        made["others"] = other_analyses(effect, before_after=naive, differences=change, **variants)
        made["robustness"] = sensitivity(effect)
    else:
        made |= {"others": _instead(effect, "others"), "robustness": _instead(effect, "robustness")}
    made["cost"] = possible(
        "the difference in cost",
        lambda: cost_effect(
            matched,
            horizon=days,
            programme_cost=programme_cost,
            effect=effect,
            confidence=protocol.confidence,
            seed=protocol.seed,
        ),
    )
    if hub is not None or len(study.hubs()) < 2:
        why = "This is of one hub" if hub is not None else "The study names fewer than two hubs"
        made[HUBS] = not_available(why, "a comparison of hubs", source)
    else:
        made[HUBS] = possible(
            "the effect of each hub", partial(effect_by, matched, by="hub", outcome=outcome, **several)
        )
    for name, by in _groups(protocol).items():
        if by is None:
            made[name] = not_available(NO_GROUP, "another effect by group", source)
        else:
            made[name] = possible("the effect by group", partial(effect_by, matched, by=by, outcome=outcome, **several))
    return _made({**_words(protocol), **made})


def _words(protocol: Protocol) -> dict[str, Result]:
    from symphony_research.evaluation.protocol_tables import departures, statements, target_items, target_trial

    return {
        "trial": target_trial(protocol), "departures": departures(protocol), "statements": statements(protocol),
        "items": target_items(protocol),
    }  # fmt: skip


def _groups(protocol: Protocol) -> dict[str, str | None]:
    """Return the protocol's subgroups by the names of their results; two at least, as a notebook shows so many."""
    known = [name for name in protocol.subgroups if name in GROUPS and name != "hub"]
    return {f"group_{k + 1}": known[k] if k < len(known) else None for k in range(max(2, len(known)))}


def _varied(study: Study, cohort: Any, matched: Matched, protocol: Protocol, name: str) -> EnrolmentEffect:
    """Return the effect by another choice; people are matched again only where the choice is of matching."""
    other = protocol.varied(name)
    again = matched
    if other.as_matching_arguments() != protocol.as_matching_arguments():
        again = match_controls(study, cohort, **other.as_matching_arguments())
    return enrolment_effect(again, **{**other.as_effect_arguments(), "resamples": 2})


def _of_excluded(matched: Matched, source: dict[str, Any]) -> Result:
    """Describe enrolled people without comparable controls, of whom no effect is said."""
    left = matched.without_controls()
    if not left.attrition.count_tables["steps"]["n_persons"][-1]:
        return not_available("Every enrolled person has comparable controls", "a table of those without", source)
    return left.baseline()


def _instead(gone: NotAvailable, name: str) -> NotAvailable:
    source = {key: value for key, value in gone.settings.items() if key not in ("why", "what")}
    if name == "effect":
        return not_available(gone.settings["why"], gone.settings["what"], source)
    what = {
        "excluded": "a table of people without controls", "balance": "balance", "outcomes": "the effect on other outcomes",
        "incidence": "the time to the event", "before_after": "the rate before and after", "events": "the effect by quarter",
        "others": "the effect by other analyses", "cost": "the difference in cost", "robustness": "how robust the effect is",
        HUBS: "a comparison of hubs",
    }.get(name, "the effect")  # fmt: skip
    return not_available(gone.settings["why"], what, source)
