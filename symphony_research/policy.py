"""Disclosure policies: which counts are suppressed, how the others are rounded.

Rules differ between the field's authorities, so a rule is a setting. The
arithmetic on whole tables is in `disclosure`; this module only knows one number.

References
----------
NHS England, HES and ECDS analysis guide: sub-national counts of 1 to 7 are
replaced and the others rounded to the nearest 5.
OpenSAFELY documentation, output checking: counts up to 7 redacted, the rest to
the nearest 5.
SACRO, Guide for output checkers: threshold 10; ACRO's defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from symphony_research.errors import ArgumentError, require_one_of

__all__ = ["LEVELS", "POLICIES", "Policy", "mining_threshold", "policy_named"]

# the rules as their authorities state them: (threshold, rounding)
_LEAST = {"nhs_england": (7, 5), "opensafely": (7, 5), "sacro": (9, 5)}
_SHOWN = 1 + min(threshold for threshold, _ in _LEAST.values())
_SLACK = 25  # people by which rounding, to fifty at most, may lift a count
POLICIES = ("nhs_england", "opensafely", "sacro", "synthetic")
LEVELS = ("default", "strict", "rule_text")
# a level is part of what a rule is called: a page, and whoever compares outputs, must tell them apart
_AT_LEVEL = {"strict": "; strict protection", "rule_text": "; the rule's text alone, not searched"}


@dataclass(frozen=True)
class Policy:
    """A disclosure rule for counts of people.

    Make one with `Policy.nhs_england()`, `Policy.opensafely()`,
    `Policy.sacro()` or, for generated data alone, `Policy.synthetic()`.

    Attributes
    ----------
    name : str
        One of `POLICIES`.
    title : str
        The name in words, for a report.
    threshold : int
        Counts from 1 to this many people are suppressed (from 0 where `hide_zeros`).
    rounding : int
        Other counts are rounded to the nearest multiple of this; 1 rounds nothing.
    hide_zeros : bool
        Whether a count of nobody is suppressed too.
    dominance : (int, float)
        (n, k): a mean or a sum is suppressed unless the n people with the largest
        values surely have less than the share k of it.
    p_percent : float
        It is suppressed too unless what the others have is surely more than this
        share of the largest value, so that the second largest cannot guess it.
    level : str
        How well a suppressed count is protected against whoever sees all that is
        released and knows which counts are small: "default", it keeps at
        least as many possible numbers as a rounded one; "strict", every number
        up to the threshold; both as far as the marks by themselves leave them;
        "rule_text", as the rule's text asks and no more (NHS England alone):
        counts are suppressed and rounded, and what they tell together is not searched.

    Examples
    --------
    >>> import symphony_research as sr
    >>> sr.Policy.nhs_england().threshold
    7
    """

    name: str
    title: str
    threshold: int
    rounding: int
    hide_zeros: bool = False
    dominance: tuple[int, float] = (2, 0.9)
    p_percent: float = 0.1
    level: str = "default"

    def __post_init__(self) -> None:
        require_one_of(self.name, POLICIES, argument="name")
        require_one_of(self.level, LEVELS, argument="level")
        if self.level == "rule_text" and self.name != "nhs_england":
            raise ArgumentError(
                f"The level 'rule_text' is of nhs_england alone, not of {self.name}: it is NHS England's rule to the "
                "letter. Use 'default' or 'strict'."
            )
        for field in ("threshold", "rounding"):
            value = getattr(self, field)
            if not isinstance(value, int) or isinstance(value, bool) or value < (field != "threshold"):
                raise ArgumentError(f"{field} of a policy is an integer number of people, not {value!r}.")
        least = _LEAST.get(self.name, (0, 1))
        if self.name == "sacro" and not self.hide_zeros:
            raise ArgumentError(
                "sacro suppresses zeros: a setting may be stricter than the rule it is named for, never weaker."
            )
        n, share = self.dominance
        if self.name != "synthetic" and not (n >= 2 and 0 < share <= 0.9 and self.p_percent >= 0.1):
            raise ArgumentError(
                "dominance is (n, share) with n at least 2 and share at most 0.9, and p_percent at least 0.1: a "
                "setting may be stricter than ACRO's defaults, never weaker."
            )
        if self.threshold < least[0] or self.rounding < least[1]:
            raise ArgumentError(
                f"{self.name} suppresses counts up to {least[0]} and rounds to {least[1]}: a setting may be stricter than "
                "the rule it is named for, never weaker."
            )

    @classmethod
    def nhs_england(cls, *, threshold: int = 7, rounding: int = 5, level: str = "default") -> Policy:
        """NHS England's rule for HES and ECDS below national level: 1–7 suppressed, others to the nearest 5."""
        title = f"NHS England (1–{threshold} suppressed, others to nearest {rounding}{_AT_LEVEL.get(level, '')})"
        return cls("nhs_england", title, threshold, rounding, level=level)

    @classmethod
    def opensafely(cls, *, threshold: int = 7, rounding: int = 5, level: str = "default") -> Policy:
        """OpenSAFELY's rule: up to 7 redacted, others to the nearest 5."""
        title = f"OpenSAFELY (up to {threshold} redacted, others to nearest {rounding}{_AT_LEVEL.get(level, '')})"
        return cls("opensafely", title, threshold, rounding, level=level)

    @classmethod
    def sacro(cls, *, threshold: int = 9, rounding: int = 5, level: str = "default") -> Policy:
        """SACRO's rule, with ACRO's defaults: under 10 suppressed, zeros too, others to the nearest 5."""
        title = f"SACRO (under {threshold + 1} suppressed, zeros too, others to nearest {rounding}{_AT_LEVEL.get(level, '')})"
        return cls("sacro", title, threshold, rounding, hide_zeros=True, level=level)

    @classmethod
    def synthetic(cls) -> Policy:
        """Change nothing; refused unless the data carry the generator's own fingerprint."""
        return cls("synthetic", "synthetic data (nothing suppressed)", 0, 1)

    def as_released(self) -> dict[str, Any]:
        """Return what a released result must know of its rule, to say between which numbers a shown count lies."""
        return {"threshold": self.threshold, "rounding": self.rounding, "hide_zeros": self.hide_zeros}

    @property
    def changes_nothing(self) -> bool:
        """Whether numbers pass as they are."""
        return self.name == "synthetic"

    def hides(self, column: str) -> pl.Expr:
        """Where a count may not be shown."""
        count = pl.col(column)
        return count.is_between(0 if self.hide_zeros else 1, self.threshold)

    def spread_wide_enough(self, herfindahl: str) -> pl.Expr:
        """Where no arrangement of values with this Herfindahl index is dominated.

        With H the sum of squares over the squared sum, the n largest of
        non-negative values have at most the share sqrt(n H) of the sum, and the
        two largest with the share p of the largest at most
        sqrt(((1 + p)^2 + 1) H) (Cauchy and Schwarz). Judged by the bound, no
        person's value need be kept.
        """
        n, share = self.dominance
        limit = min(share**2 / n, 1 / ((1 + self.p_percent) ** 2 + 1))
        return (pl.col(herfindahl) < limit).fill_null(True)

    def rounded(self, column: str) -> pl.Expr:
        """Return the count as it may be shown: null where suppressed, otherwise rounded half up."""
        if self.changes_nothing:
            return pl.col(column)
        nearest = (pl.col(column) + self.rounding // 2) // self.rounding * self.rounding
        return pl.when(~self.hides(column)).then(nearest).alias(column)

    def shown(self, count: int) -> int | None:
        """Return a count as it may be shown: None where suppressed, otherwise rounded half up."""
        if (0 if self.hide_zeros else 1) <= count <= self.threshold:
            return None
        return (count + self.rounding // 2) // self.rounding * self.rounding

    def at_level(self, level: str) -> Policy:
        """Return the same rule at another level of protection."""
        if level == self.level:
            return self
        if self.changes_nothing:
            raise ArgumentError(f"The policy '{self.name}' has no level '{level}': it changes nothing.")
        return policy_named(self.name, threshold=self.threshold, rounding=self.rounding, level=level)


def mining_threshold(min_persons: int) -> int:
    """Return from how many people rows are looked for, so that none is missed that rounding lifts over a floor.

    A floor is laid on the counts that are shown: laid on exact ones, the rows
    that are there would tell what rounding conceals. Fewer people than any rule
    shows cannot be lifted, so a low floor is not lowered.
    """
    return max(min(min_persons, _SHOWN), min_persons - _SLACK)


def policy_named(name: str, **settings: Any) -> Policy:
    """Return the policy of that name, with its standard settings or stricter ones."""
    require_one_of(name, POLICIES, argument="policy")
    policy: Policy = getattr(Policy, name)(**settings)
    return policy
