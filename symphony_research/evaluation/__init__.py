"""Did the hub change anything? Controls on the day of enrolment, balance, and the effect.

`match` makes controls from the risk sets of `cohort.matched`, `balance` says whether they are similar. `scores`, `matching`,
`moments` and `counts` are of arrays; `release` says how figures of two groups are released.
"""

from symphony_research.evaluation.balance import Balance, balance
from symphony_research.evaluation.effect import EnrolmentEffect, enrolment_effect
from symphony_research.evaluation.match import match_controls

__all__ = ["Balance", "EnrolmentEffect", "balance", "enrolment_effect", "match_controls"]
