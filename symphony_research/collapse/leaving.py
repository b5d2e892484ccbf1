"""What of patterns may leave a site under a policy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from symphony_research.collapse.bits import single_sums
from symphony_research.collapse.masks import mask_columns, renumbered, words_of
from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.policy import Policy

__all__ = ["SUPPRESSED", "is_suppressed", "may_leave", "require_possible"]

SUPPRESSED = "suppressed under"


def is_suppressed(handling: Sequence[str]) -> bool:
    """Return whether patterns, or any that were merged into them, passed a policy."""
    return any(mark.startswith(SUPPRESSED) for mark in handling)


def may_leave(
    frame: pl.DataFrame, by: Sequence[str], conditions: Sequence[str], policy: Policy
) -> tuple[tuple[str, ...], pl.DataFrame]:
    """Return the sets that may leave under a policy, without any value, and the conditions that any of them holds."""
    masks = mask_columns(len(conditions))
    kept = frame.select(*by, *masks, policy.rounded("n_persons")).filter(pl.col("n_persons") > 0)
    held = single_sums(words_of(kept, len(conditions)), np.ones(kept.height, dtype=np.int64), len(conditions))
    names = tuple(name for name, n in zip(conditions, held, strict=True) if n)
    return names, renumbered(kept, by, conditions, names)


def require_possible(policy: Policy, handling: Sequence[str], *, generated: bool) -> None:
    """Raise unless patterns may be suppressed under a policy.

    Raises
    ------
    ArgumentError, DisclosureError
        If it is no policy, suppresses nothing of people who are not generated, or the patterns are suppressed already.
    """
    if not isinstance(policy, Policy):
        raise ArgumentError("policy is a Policy, such as sr.Policy.nhs_england().")
    if policy.changes_nothing and not generated:
        raise DisclosureError("Policy.synthetic() suppresses nothing and is for generated data alone.")
    if is_suppressed(handling):
        raise DisclosureError(
            "These patterns come from a suppressed file. Two policies on one table can be compared with each other; "
            "give the file itself."
        )
