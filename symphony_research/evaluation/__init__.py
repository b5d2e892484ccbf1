"""Did the hub change anything? A protocol first, then controls on the day of enrolment, balance, and the effect.

`read_protocol` says what is to be done, as the emulation of a target trial, and `fix_protocol` that it was said beforehand.
`match` makes controls from the risk sets of `cohort.matched`, `balance` says whether they are similar. `scores`, `matching`,
`moments`, `counts`, `panel`, `pretrend`, `staggered`, `segmented` and `autoregressive` are of arrays; `release` says how figures of two groups are released.
"""

from symphony_research.evaluation.balance import Balance, balance
from symphony_research.evaluation.before_after import BeforeAfter, before_after
from symphony_research.evaluation.cost_effect import CostEffect, cost_effect
from symphony_research.evaluation.differences import DifferenceInDifferences, difference_in_differences
from symphony_research.evaluation.effect import EnrolmentEffect, enrolment_effect
from symphony_research.evaluation.effect_by import EffectBy, effect_by
from symphony_research.evaluation.evaluate import Evaluation, evaluate
from symphony_research.evaluation.event_study import EventStudy, event_study
from symphony_research.evaluation.interrupted import InterruptedTimeSeries, interrupted_time_series
from symphony_research.evaluation.match import match_controls
from symphony_research.evaluation.matched_incidence import MatchedIncidence, matched_incidence
from symphony_research.evaluation.other_analyses import OtherAnalyses, other_analyses
from symphony_research.evaluation.outcome_effects import OutcomeEffects, outcome_effects
from symphony_research.evaluation.programme_study import ProgrammeEventStudy, programme_event_study
from symphony_research.evaluation.protocol import Departure, Protocol
from symphony_research.evaluation.protocol_defaults import default_protocol
from symphony_research.evaluation.protocol_fixing import fix_protocol, open_outcomes
from symphony_research.evaluation.protocol_reading import read_protocol
from symphony_research.evaluation.protocol_tables import (
    Departures,
    Statements,
    TargetItems,
    TargetTrial,
    departures,
    statements,
    target_items,
    target_trial,
)
from symphony_research.evaluation.protocol_template import write_protocol
from symphony_research.evaluation.sensitivity import Sensitivity, sensitivity

__all__ = [
    "Balance",
    "BeforeAfter",
    "CostEffect",
    "Departure",
    "Departures",
    "DifferenceInDifferences",
    "EffectBy",
    "EnrolmentEffect",
    "Evaluation",
    "EventStudy",
    "InterruptedTimeSeries",
    "MatchedIncidence",
    "OtherAnalyses",
    "OutcomeEffects",
    "ProgrammeEventStudy",
    "Protocol",
    "Sensitivity",
    "Statements",
    "TargetItems",
    "TargetTrial",
    "balance",
    "before_after",
    "cost_effect",
    "default_protocol",
    "departures",
    "difference_in_differences",
    "effect_by",
    "enrolment_effect",
    "evaluate",
    "event_study",
    "fix_protocol",
    "interrupted_time_series",
    "match_controls",
    "matched_incidence",
    "open_outcomes",
    "other_analyses",
    "outcome_effects",
    "programme_event_study",
    "read_protocol",
    "sensitivity",
    "statements",
    "target_items",
    "target_trial",
    "write_protocol",
]
