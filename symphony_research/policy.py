"""Disclosure policies: which counts are hidden, how the others are rounded.

Rules differ between the field's authorities, so a rule is a setting. The
arithmetic on whole tables is in `disclosure`; this module only knows one number.

References
----------
NHS England, HES and ECDS analysis guide: sub-national counts of 1 to 7 are
replaced and the others rounded to the nearest 5.
OpenSAFELY documentation, output checking: counts up to 7 redacted, the rest to
the nearest 5; survival curves by midpoint-6 rounding of cumulative counts.
SACRO, Guide for output checkers: threshold 10; ACRO's defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from symphony_research.errors import ArgumentError, require_one_of

__all__ = ["LEVELS", "POLICIES", "Policy", "looked_for", "policy_named"]

# the rules as their authorities state them: (threshold, rounding)
_LEAST = {"nhs_england": (7, 5), "opensafely": (7, 5), "sacro": (9, 5)}
_SHOWN = 1 + min(threshold for threshold, _ in _LEAST.values())
_SLACK = 25  # people by which rounding, to fifty at most, may lift a count
_LEAST_CURVE_WIDTH = {
    ("nhs_england", "nearest"): 5,
    ("nhs_england", "midpoint"): 6,
    ("opensafely", "nearest"): 5,
    ("opensafely", "midpoint"): 6,
    ("sacro", "nearest"): 5,
    ("sacro", "midpoint"): 10,
}
POLICIES = ("nhs_england", "opensafely", "sacro", "synthetic")
LEVELS = ("default", "strict", "rule_text")


@dataclass(frozen=True)
class Policy:
    """A disclosure rule for counts of people and for curves.

    Make one with `Policy.nhs_england()`, `Policy.opensafely()`,
    `Policy.sacro()` or, for generated data alone, `Policy.synthetic()`.

    Attributes
    ----------
    name : str
        One of `POLICIES`.
    title : str
        The name in words, for a report.
    threshold : int
        Counts from 1 to this many people are hidden (from 0 where `hide_zeros`).
    rounding : int
        Other counts are rounded to the nearest multiple of this; 1 rounds nothing.
    hide_zeros : bool
        Whether a count of nobody is hidden too.
    curve : str
        How cumulative counts of a curve are rounded: "nearest" or "midpoint".
    curve_width : int
        Width, in people, of that rounding.
    dominance : (int, float)
        (n, k): a mean or a sum is hidden unless the n people with the largest
        values surely have less than the share k of it.
    level : str
        How well a suppressed count is protected against whoever sees all that is
        released and is told which counts are small: "default", it keeps at
        least as many possible numbers as a rounded one; "strict", every number
        up to the threshold; "rule_text", as the rule's text asks and no more
        (NHS England alone): counts are suppressed and rounded, and what they
        tell together is not searched.
    p_percent : float
        It is hidden too unless what the others have is surely more than this
        share of the largest value, so that the second largest cannot guess it.

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
    curve: str = "nearest"
    curve_width: int = 5
    dominance: tuple[int, float] = (2, 0.9)
    p_percent: float = 0.1
    level: str = "default"

    def __post_init__(self) -> None:
        require_one_of(self.name, POLICIES, argument="name")
        require_one_of(self.curve, ("nearest", "midpoint"), argument="curve")
        require_one_of(self.level, LEVELS, argument="level")
        if self.level == "rule_text" and self.name != "nhs_england":
            raise ArgumentError(
                "level='rule_text' is NHS England's rule to the letter: of the other rules it is not asked. Use "
                "'default' or 'strict'."
            )
        for field in ("threshold", "rounding", "curve_width"):
            value = getattr(self, field)
            if not isinstance(value, int) or isinstance(value, bool) or value < (field != "threshold"):
                raise ArgumentError(f"{field} of a policy is a whole number of people, not {value!r}.")
        least = _LEAST.get(self.name, (0, 1))
        if self.curve_width < _LEAST_CURVE_WIDTH.get((self.name, self.curve), 1) or (
            self.name == "sacro" and not self.hide_zeros
        ):
            raise ArgumentError(
                f"{self.name} rounds curves more widely, or hides zeros: a setting may be stricter than the rule it "
                "is named for, never weaker."
            )
        n, share = self.dominance
        if self.name != "synthetic" and not (n >= 2 and 0 < share <= 0.9 and self.p_percent >= 0.1):
            raise ArgumentError(
                "dominance is (n, share) with n at least 2 and share at most 0.9, and p_percent at least 0.1: a "
                "setting may be stricter than ACRO's defaults, never weaker."
            )
        if self.threshold < least[0] or self.rounding < least[1]:
            raise ArgumentError(
                f"{self.name} hides counts up to {least[0]} and rounds to {least[1]}: a setting may be stricter than "
                "the rule it is named for, never weaker."
            )

    @classmethod
    def nhs_england(cls, *, threshold: int = 7, rounding: int = 5, level: str = "default") -> Policy:
        """NHS England's rule for HES and ECDS below national level: 1-7 hidden, others to the nearest 5."""
        title = f"NHS England (1-{threshold} hidden, others to nearest {rounding})"
        return cls("nhs_england", title, threshold, rounding, curve_width=rounding, level=level)

    @classmethod
    def opensafely(cls, *, threshold: int = 7, rounding: int = 5, level: str = "default") -> Policy:
        """OpenSAFELY's rule: up to 7 redacted, others to the nearest 5, curves by midpoint-6."""
        title = f"OpenSAFELY (up to {threshold} redacted, others to nearest {rounding}, curves midpoint-6)"
        return cls("opensafely", title, threshold, rounding, curve="midpoint", curve_width=6, level=level)

    @classmethod
    def sacro(cls, *, threshold: int = 9, rounding: int = 5, level: str = "default") -> Policy:
        """SACRO's rule, with ACRO's defaults: under 10 hidden, zeros too, others to the nearest 5."""
        title = f"SACRO (under {threshold + 1} hidden, zeros too, others to nearest {rounding})"
        return cls("sacro", title, threshold, rounding, hide_zeros=True, curve_width=rounding, level=level)

    @classmethod
    def synthetic(cls) -> Policy:
        """Change nothing; refused unless the data carry the generator's own fingerprint."""
        return cls("synthetic", "synthetic data (nothing hidden)", 0, 1, curve_width=1)

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
        """The count as it may be shown: null where hidden, otherwise rounded half up."""
        if self.changes_nothing:
            return pl.col(column)
        nearest = (pl.col(column) + self.rounding // 2) // self.rounding * self.rounding
        return pl.when(~self.hides(column)).then(nearest).alias(column)

    def rounded_cumulative(self, column: str) -> pl.Expr:
        """A cumulative count of a curve as it may be shown.

        Midpoint: 1-6 becomes 3, 7-12 becomes 9. Nearest: 0 until more people
        than the threshold have been counted, so no step stands for a few.
        """
        count = pl.col(column)
        if self.changes_nothing:
            return count
        if self.curve == "midpoint":
            width = self.curve_width
            steps = (count + width - 1) // width
            return pl.when(count > 0).then(steps * width - width // 2).otherwise(0).alias(column)
        nearest = (count + self.curve_width // 2) // self.curve_width * self.curve_width
        return pl.when(count > self.threshold).then(nearest).otherwise(0).alias(column)


def looked_for(min_persons: int) -> int:
    """Return from how many people rows are looked for, so that none is missed that rounding lifts over a floor.

    A floor is laid on the counts that are shown: laid on exact ones, the rows
    that are there would tell what rounding hides. Fewer people than any rule
    shows cannot be lifted, so a low floor is not lowered.
    """
    return max(min(min_persons, _SHOWN), min_persons - _SLACK)


def policy_named(name: str, **settings: Any) -> Policy:
    """Return the policy of that name, with its standard settings or stricter ones."""
    require_one_of(name, POLICIES, argument="policy")
    policy: Policy = getattr(Policy, name)(**settings)
    return policy
