"""Did the hub change anything? A protocol first, then controls on the day of enrolment, balance, and the effect.

`read_protocol` says what is to be done, as the emulation of a target trial, and `fix_protocol` that it was said beforehand.
`match` makes controls from the risk sets of `cohort.matched`, `balance` says whether they are similar. `scores`, `matching`,
`moments` and `counts` are of arrays; `release` says how figures of two groups are released.
"""

from symphony_research.evaluation.balance import Balance, balance
from symphony_research.evaluation.cost_effect import CostEffect, cost_effect, cost_per_event_avoided
from symphony_research.evaluation.effect import EnrolmentEffect, enrolment_effect
from symphony_research.evaluation.match import match_controls
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

__all__ = [
    "Balance",
    "CostEffect",
    "Departure",
    "Departures",
    "EnrolmentEffect",
    "Protocol",
    "Statements",
    "TargetItems",
    "TargetTrial",
    "balance",
    "cost_effect",
    "cost_per_event_avoided",
    "default_protocol",
    "departures",
    "enrolment_effect",
    "fix_protocol",
    "match_controls",
    "open_outcomes",
    "read_protocol",
    "statements",
    "target_items",
    "target_trial",
    "write_protocol",
]
